# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of a list of accounts, in words: a line for every fact, so that no line gets long.

A line begins with a mark that says what is, or in check mode would be, created, changed or removed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from ._accounts import Account, title_of_grant, title_of_legacy, title_of_volume
from ._errors import InputError
from ._kinds import SECRET
from ._lists import Item
from ._plan import UP_TO_DATE
from ._shape import suggestion

Outcome: TypeAlias = Mapping[str, Any]

_CREATED, _CHANGED, _REMOVED, _FAILED, _SAME = "+", "~", "-", "!", " "
# whose results are gathered, and which of them may have pruned something
TASKS = ("accounts", "bindings", "tokens", "legacy_tokens", "volumes", "removals", "access")
_PRUNING = ("bindings", "tokens", "legacy_tokens", "removals")

_MEANINGS = {_CREATED: "created", _CHANGED: "changed", _REMOVED: "removed"}


@dataclass(frozen=True)
class Results:
    """What the role's tasks answered, found by what it is about.

    Attributes:
        accounts: outcomes by C(namespace/name).
        grants: outcomes by the same, or C(cluster-wide name).
        tokens: outcomes by account, in order.
        legacy_tokens: outcomes by C(namespace/name) of the token.
        volumes: outcomes by C(kind namespace/name volume).
        access: outcomes by C(namespace/name).
        pruned: what left its set (entries of C(actions)).
    """

    accounts: Mapping[str, Outcome]
    grants: Mapping[str, Outcome]
    tokens: Mapping[str, Sequence[Outcome]]
    legacy_tokens: Mapping[str, Outcome]
    volumes: Mapping[str, Outcome]
    access: Mapping[str, Outcome]
    pruned: tuple[Outcome, ...]

    @classmethod
    def gather(cls, **results: Outcome | None) -> Results:
        """From registered results of bulk tasks, called as in C(TASKS); a skipped task has nothing to say.

        Raises:
            InputError: there is no such task.
        """
        if unknown := sorted(results.keys() - set(TASKS)):
            raise InputError(f"{unknown[0]} is unknown here", suggestion(unknown[0], TASKS))
        of = {name: _outcomes(results.get(name)) for name in TASKS}
        minted: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in of["tokens"]:
            minted[f"{outcome['namespace']}/{outcome['service_account']}"].append(outcome)
        actions = [entry for name in _PRUNING for entry in (results.get(name) or {}).get("actions") or ()]
        return cls(
            accounts={
                f"{outcome['namespace']}/{outcome['name']}": outcome for outcome in (*of["removals"], *of["accounts"])
            },
            grants={title_of_grant(outcome): outcome for outcome in of["bindings"]},
            tokens=minted,
            legacy_tokens={title_of_legacy(outcome): outcome for outcome in of["legacy_tokens"]},
            volumes={title_of_volume(outcome): outcome for outcome in of["volumes"]},
            access={f"{outcome['namespace']}/{outcome['service_account']}": outcome for outcome in of["access"]},
            pruned=tuple(entry for entry in actions if entry["reason"] == "not_in_list"),
        )


def _outcomes(result: Outcome | None) -> Sequence[Outcome]:
    return (result or {}).get("outcomes") or ()


def summary(accounts: Sequence[Account], results: Results, *, check_mode: bool) -> list[str]:
    """What is there now, or in check mode would be: accounts, what they may do, where their tokens are and until when.

    Args:
        accounts: the list; what no result is about is left out.
        results: what came of it.
        check_mode: words the legend.
    """
    if not accounts and not results.pruned:
        return ["the list is empty"]
    lines = [line for account in accounts for line in _of_account(account, results)]
    lines += [_line(_REMOVED, "left", _named(entry)) for entry in results.pruned]
    would = "would be " if check_mode else ""
    used = [mark for mark in _MEANINGS if any(line.startswith(mark) for line in lines)]
    legend = [f"{mark} {would}{_MEANINGS[mark]}" for mark in used]
    legend += [f"{_FAILED} failed"] if any(line.startswith(_FAILED) for line in lines) else []
    return [*lines, ", ".join(legend) or f"nothing {'would change' if check_mode else 'changed'}"]


def _of_account(account: Account, results: Results) -> list[str]:
    """The lines of an account with an empty one behind them; none if nothing is known of it."""
    outcome = results.accounts.get(account.title, {})
    facts = [*_of_grants(account, results), *_of_tokens(account, results)]
    facts += [*_of_legacy_tokens(account, results), *_of_volumes(account, results), *_of_access(account, results)]
    if not outcome and not facts:
        return []
    title = account.title + _absent(outcome, "service_account") + _why(outcome)
    return [_line(_mark(outcome), "account", title), *_failure(outcome), *facts, ""]


def _of_grants(account: Account, results: Results) -> Iterator[str]:
    for grant in account.grants:
        outcome = results.grants.get(title_of_grant(grant.item))
        if outcome:
            text = _granted(grant.item) + _absent(outcome, "binding") + _why(outcome)
            yield _line(_mark(outcome), "grant", text)
            yield from _failure(outcome)


def _of_tokens(account: Account, results: Results) -> Iterator[str]:
    is_gone = _is_gone(results.accounts.get(account.title, {}), "service_account")
    for token, outcome in zip(account.tokens, results.tokens.get(account.title, ()), strict=False):
        if _has_failed(outcome):
            yield _line(_FAILED, "token", ", ".join(_places(token.item)))
            yield from _failure(outcome)
        elif "revoked" in outcome:
            yield from _of_revoked(token.item.get("handle"), outcome, is_gone=is_gone)
        else:
            yield from _of_kept(outcome)


def _of_legacy_tokens(account: Account, results: Results) -> Iterator[str]:
    """The Secrets that long-lived tokens are in, and their other places."""
    for token in account.legacy_tokens:
        outcome = results.legacy_tokens.get(title_of_legacy(token.item))
        if not outcome:
            continue
        name, secret = str(token.item["name"]), outcome.get("secret_name")
        if _has_failed(outcome):
            yield _line(_FAILED, "legacy", name)
            yield from _failure(outcome)
        elif secret is None:
            yield _removal("legacy", name, was_there=outcome["changed"])
            yield from (_removal("token", sink["place"], was_there=sink["changed"]) for sink in outcome["sinks"])
        else:
            yield from _of_legacy_token(secret, outcome)


def _of_legacy_token(secret: str, outcome: Outcome) -> Iterator[str]:
    """One that is there: new, changed for a reason, or as it was."""
    reason = outcome["reason"]
    why = "" if reason in (UP_TO_DATE, "missing") else f" ({reason})"
    mark = _CREATED if reason == "missing" else _CHANGED if outcome["changed"] else _SAME
    yield _line(mark, "legacy", secret + why)
    for sink in outcome["sinks"]:
        yield _line(mark if sink["changed"] else _SAME, "token", sink["place"])


def _of_volumes(account: Account, results: Results) -> Iterator[str]:
    """The workloads whose Pods have its tokens."""
    for volume in account.volumes:
        outcome = results.volumes.get(title_of_volume(volume.item))
        if not outcome:
            continue
        title = f"{outcome['volume_name']} in {outcome['kind']} {outcome['name']}"
        if _has_failed(outcome):
            yield _line(_FAILED, "volume", title)
            yield from _failure(outcome)
        elif outcome.get("volume") is None:
            yield _removal("volume", title, was_there=outcome["changed"])
        else:
            yield _of_volume(title, outcome)


def _of_volume(title: str, outcome: Outcome) -> str:
    """One that is there: new, changed for a reason, or as it was."""
    reason = outcome["reason"]
    if reason in (UP_TO_DATE, "missing"):
        return _line(_CREATED if outcome["changed"] else _SAME, "volume", title)
    return _line(_CHANGED, "volume", f"{title} ({reason})")


def _of_access(account: Account, results: Results) -> Iterator[str]:
    """What was proven, or why not."""
    outcome = results.access.get(account.title)
    if outcome and _has_failed(outcome):
        yield _line(_FAILED, "access", "not proven")
        yield from _failure(outcome)
    elif outcome:
        expected = [verdict["expected"] for verdict in outcome["verdicts"]]
        may, may_not = expected.count(True), expected.count(False)
        yield _line(_SAME, "access", f"proven: {may} allowed, {may_not} refused")


def _of_kept(outcome: Outcome) -> Iterator[str]:
    reason = outcome["reason"]
    fresh, why = (_CREATED, "") if reason == "missing" else (_CHANGED, f" ({reason})")
    for sink in outcome["sinks"]:
        yield _line(fresh, "token", sink["place"] + why) if sink["changed"] else _line(_SAME, "token", sink["place"])
    info = outcome.get("token_info") or {}
    yield _line(_SAME, "expires", info.get("expires_at") or "not minted yet")


def _of_revoked(handle: str | None, outcome: Outcome, *, is_gone: bool) -> Iterator[str]:
    """What was taken away, and whether the token still works; with its account it does not."""
    for sink in outcome["sinks"]:
        yield _removal("token", sink["place"], was_there=sink["changed"])
    if handle:
        deleted = sum(entry["kind"] == SECRET.name for entry in outcome["actions"])
        in_secrets = sum(sink["changed"] for sink in outcome["sinks"] if sink["type"] == "secret")
        yield _removal("handle", handle, was_there=deleted > in_secrets)
    if outcome["revoked"]:
        after = outcome["revoked_after_seconds"]
        yield _line(_SAME, "revoked", "yes" if after is None else f"yes, refused after {after} s")
    elif outcome["valid_until"] and not is_gone and (outcome["revoked"] is False or not handle):
        yield _line(_SAME, "lives", f"until {outcome['valid_until']}")


def _removal(label: str, text: str, *, was_there: bool) -> str:
    return _line(_REMOVED if was_there else _SAME, label, text if was_there else f"{text} (absent)")


def _granted(grant: Item) -> str:
    role = next(grant[key] for key in ("role", "cluster_role", "role_name", "name") if grant.get(key))
    return f"{role} {'in ' + str(grant['namespace']) if grant.get('namespace') else 'in all namespaces'}"


def _places(token: Item) -> Iterator[str]:
    """What a token that is nowhere is known by."""
    yield from (str(token[key]) for key in ("dest", "kubeconfig_dest") if token.get(key))
    for sink in token.get("sinks") or ():
        yield str(sink.get("path") or f"Secret {sink.get('name')}")
    if token.get("handle"):
        yield f"handle {token['handle']}"


def _has_failed(outcome: Outcome) -> bool:
    return outcome.get("status") == "failed"


def _failure(outcome: Outcome) -> Iterator[str]:
    if _has_failed(outcome):
        yield _line(_SAME, "failed", str(outcome["msg"]))


def _why(outcome: Outcome) -> str:
    """Why something that was there was written."""
    return f" ({outcome['reason']})" if _mark(outcome) == _CHANGED else ""


def _mark(outcome: Outcome) -> str:
    if _has_failed(outcome):
        return _FAILED
    verbs = {entry["verb"] for entry in outcome.get("actions") or ()}
    known = {frozenset(): _SAME, frozenset({"create"}): _CREATED, frozenset({"delete"}): _REMOVED}
    return known.get(frozenset(verbs), _CHANGED)


def _is_gone(outcome: Outcome, key: str) -> bool:
    return key in outcome and outcome[key] is None


def _absent(outcome: Outcome, key: str) -> str:
    return " (absent)" if _is_gone(outcome, key) and not outcome["changed"] else ""


def _named(entry: Outcome) -> str:
    return f"{entry['kind']} {'/'.join(part for part in (entry['namespace'], entry['name']) if part)}"


def _line(mark: str, label: str, text: str) -> str:
    return f"{mark} {label:8} {text}"
