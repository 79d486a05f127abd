# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list of accounts, with their grants, tokens and access: taken apart into the lists of the modules, and summed up.

What an account, a grant, a token and the access of an account may say is what the modules' own ITEM_OPTIONS say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeAlias

from . import _access, _grant_desired, _legacy_desired, _service_account, _token_desired
from ._durations import instant
from ._errors import InputError
from ._kinds import SECRET
from ._plan import UP_TO_DATE
from ._shape import called, suggestion

with suppress(ImportError):  # Ansible itself cannot do without it, and this runs where Ansible does
    import yaml

Item: TypeAlias = "dict[str, Any]"
Outcome: TypeAlias = Mapping[str, Any]

# the role variable, in messages
LIST = "service_accounts_list"

# a token belongs to the account it is listed under, and a role hands nothing back
_NOT_IN_A_TOKEN = {
    "service_account": "it is the account that the token is listed under",
    "name": "it is the account that the token is listed under",
    "namespace": "it is the account's",
    "return_token": "give the token a place (dest, kubeconfig_dest or sinks), or use the module k8s_sa_token",
}

# the same for a long-lived one, which has a name of its own
_NOT_IN_A_LEGACY_TOKEN = {
    **{key: _NOT_IN_A_TOKEN[key] for key in ("service_account", "namespace")},
    "return_token": "give the token a place (dest, kubeconfig_dest or sinks), or use the module k8s_legacy_token",
}

_TOKEN_OPTIONS = {name: spec for name, spec in _token_desired.ITEM_OPTIONS.items() if name not in _NOT_IN_A_TOKEN}
_LEGACY_OPTIONS = {
    name: spec for name, spec in _legacy_desired.ITEM_OPTIONS.items() if name not in _NOT_IN_A_LEGACY_TOKEN
}
_ACCESS_OPTIONS = {name: _access.ITEM_OPTIONS[name] for name in ("can", "cannot")}
_OPTIONS: dict[str, dict[str, Any]] = {
    **_service_account.ITEM_OPTIONS,
    "access": {"type": "dict", "options": _ACCESS_OPTIONS},
    "grants": {"options": _grant_desired.ITEM_OPTIONS},
    "legacy_tokens": {"options": _LEGACY_OPTIONS},
    "tokens": {"options": _TOKEN_OPTIONS},
}


@dataclass(frozen=True)
class Entry:
    """An item of a module.

    Attributes:
        place: where in the list it was written.
        item: the module's options.
    """

    place: str
    item: Item


@dataclass(frozen=True)
class Account:
    """An account of the list: what it is, what it may do, its tokens, and what is to be proven of it."""

    declared: Entry
    grants: tuple[Entry, ...]
    tokens: tuple[Entry, ...]
    legacy_tokens: tuple[Entry, ...]
    access: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """C(namespace/name)."""
        return f"{self.declared.item['namespace']}/{self.declared.item['name']}"

    def is_wanted(self, now: datetime) -> bool:
        """Whether it should exist at that instant."""
        item = self.declared.item
        if item.get("state") == "absent":
            return False
        return not item.get("expires_at") or now < instant(item["expires_at"], f"{self.declared.place}.expires_at")


@dataclass(frozen=True)
class Kind:
    """A module, as far as its items go.

    Attributes:
        options: its item options.
        check: takes an item with all options, returns what it declares; raises InputError if it cannot be right.
        check_together: takes all that is declared; raises InputError if two would undo each other.
        entries: the entries of an account that are its items.
    """

    options: Mapping[str, dict[str, Any]]
    check: Callable[[Mapping[str, Any]], Any]
    check_together: Callable[[Sequence[Any]], None]
    entries: Callable[[Account], tuple[Entry, ...]]


KINDS: Mapping[str, Kind] = {
    _service_account.LIST: Kind(
        _service_account.ITEM_OPTIONS,
        lambda item: _service_account.DesiredAccount.from_item(item, None),
        lambda dummy: None,  # that an account is there twice is found when the list is read
        lambda account: (account.declared,),
    ),
    _grant_desired.LIST: Kind(
        _grant_desired.ITEM_OPTIONS,
        lambda item: _grant_desired.DesiredGrant.from_item(item, None),
        _grant_desired.refuse_shared_roles,
        lambda account: account.grants,
    ),
    _token_desired.LIST: Kind(
        _token_desired.ITEM_OPTIONS,
        _token_desired.DesiredToken.from_item,
        _token_desired.refuse_shared_places,
        lambda account: account.tokens,
    ),
    _legacy_desired.LIST: Kind(
        _legacy_desired.ITEM_OPTIONS,
        _legacy_desired.DesiredLegacyToken.from_item,
        _legacy_desired.refuse_shared_places,
        lambda account: account.legacy_tokens,
    ),
    "access": Kind(
        _access.ITEM_OPTIONS,
        _access.DesiredAccess.from_item,
        lambda dummy: None,  # there is one for an account
        lambda account: account.access,
    ),
}


def read_accounts(given: object) -> tuple[Account, ...]:
    """The accounts of a list, or of its JSON or YAML text.

    Raises:
        InputError: something is not where it belongs, unknown, missing or there twice; types and values are not
            looked at.
    """
    listed = _parsed(given) if isinstance(given, str) else given
    accounts = tuple(_account(entry, place) for entry, place in _elements(listed, LIST))
    _refuse_twice("account", ((account.title, account.declared.place) for account in accounts))
    grants = (grant for account in accounts for grant in account.grants)
    _refuse_twice("grant", ((_title_of_grant(grant.item), grant.place) for grant in grants))
    long_lived = (token for account in accounts for token in account.legacy_tokens)
    _refuse_twice("legacy token", ((_title_of_legacy(token.item), token.place) for token in long_lived))
    return accounts


def refuse_beyond(accounts: Sequence[Account], namespaces: Sequence[str] | None) -> None:
    """A list that others fill in must not reach further than these namespaces.

    Args:
        accounts: the list.
        namespaces: the only ones that accounts, grants and Secrets may be in; None: all may.

    Raises:
        InputError: something is, or would be, elsewhere.
    """
    if namespaces is None:
        return
    allowed = f"allowed are {', '.join(namespaces) or 'none'}"
    for entry, namespace in ((entry, place) for account in accounts for entry, place in _reach(account)):
        if namespace is None:
            raise InputError(f"{entry}: a cluster-wide grant goes beyond the allowed namespaces", allowed)
        if namespace not in namespaces:
            raise InputError(f"{entry}: the namespace {namespace} is not an allowed one", allowed)


def _reach(account: Account) -> Iterator[tuple[str, str | None]]:
    """Where what an account has would be written, each with its place in the list; None is the whole cluster."""
    yield account.declared.place, str(account.declared.item["namespace"])
    for grant in account.grants:
        namespace = grant.item.get("namespace")
        yield grant.place, None if namespace is None else str(namespace)
    for token in (*account.tokens, *account.legacy_tokens):
        for index, sink in enumerate(token.item.get("sinks") or ()):
            if sink.get("type") == "secret" and not sink.get("connection") and sink.get("namespace"):
                yield f"{token.place}.sinks[{index}]", str(sink["namespace"])


def items(accounts: Sequence[Account], now: datetime) -> dict[str, list[Item]]:
    """The items of the modules, each in the order of the list.

    Args:
        accounts: the list.
        now: decides whether an account with C(expires_at) is still wanted.

    Returns:
        C(present) and C(absent): accounts that should be there, and that should not; C(bindings) and C(tokens): the
        grants and the tokens of both, C(legacy_tokens): the long-lived ones. Every token says its C(state). C(access):
        what is to be proven of accounts that should be there.
    """
    return {
        "present": [account.declared.item for account in accounts if account.is_wanted(now)],
        "absent": [account.declared.item for account in accounts if not account.is_wanted(now)],
        "bindings": [grant.item for account in accounts for grant in account.grants],
        "tokens": [item for account in accounts for item in _tokens_of(account, account.tokens, now)],
        "legacy_tokens": [item for account in accounts for item in _tokens_of(account, account.legacy_tokens, now)],
        "access": [proof.item for account in accounts if account.is_wanted(now) for proof in account.access],
    }


def _tokens_of(account: Account, tokens: Sequence[Entry], now: datetime) -> Iterator[Item]:
    """Nothing of an account that should not be there is kept: its tokens die with it, their places are of no use."""
    is_wanted = account.is_wanted(now)
    for token in tokens:
        item = {"state": "present", **token.item}
        if not is_wanted:
            # also what is only to go when it is unused
            item = {**{key: value for key, value in item.items() if key != "unused_for"}, "state": "absent"}
        yield item


def _parsed(text: str) -> object:
    """JSON is YAML."""
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        raise InputError(
            f"{LIST} is a text that is neither JSON nor YAML{line}", "correct it, or give a list"
        ) from None


def _account(given: object, place: str) -> Account:
    entry = _checked(given, _OPTIONS, place)
    item = {key: value for key, value in entry.items() if key in _service_account.ITEM_OPTIONS}
    for key in ("name", "namespace"):
        if item.get(key) in (None, ""):
            raise InputError(f"{place}: {key} is missing", "every account needs a name and a namespace")
    return Account(
        Entry(place, item),
        grants=tuple(_grant(grant, where, item) for grant, where in _elements(entry.get("grants"), f"{place}.grants")),
        tokens=tuple(
            _token_of(token, where, item) for token, where in _elements(entry.get("tokens"), f"{place}.tokens")
        ),
        legacy_tokens=tuple(
            _token_of(token, where, item)
            for token, where in _elements(entry.get("legacy_tokens"), f"{place}.legacy_tokens")
        ),
        access=() if entry.get("access") is None else (_access_of(entry["access"], f"{place}.access", item),),
    )


def _grant(given: Item, place: str, account: Item) -> Entry:
    """What a grant leaves open comes from its account: name, place, subject, and how long it is to exist."""
    filled = {key: account[key] for key in ("name", "state", "expires_at") if account.get(key) is not None}
    if not _is_true(given.get("cluster_wide")):
        filled["namespace"] = account["namespace"]
    if given.get("service_accounts") is None and given.get("subjects") is None:
        filled["service_accounts"] = [f"{account['namespace']}/{account['name']}"]
    return Entry(place, {**filled, **{key: value for key, value in given.items() if value is not None}})


def _is_true(value: object) -> bool:
    """As Ansible reads a truth value that a template has made a text of."""
    return str(value).lower() in ("true", "yes", "on", "y", "t", "1", "1.0")


def _token_of(given: Item, place: str, account: Item) -> Entry:
    said = {key: value for key, value in given.items() if value is not None}
    return Entry(place, {"service_account": account["name"], "namespace": account["namespace"], **said})


def _access_of(given: Item, place: str, account: Item) -> Entry:
    said = {key: value for key, value in given.items() if value is not None}
    if not said:
        raise InputError(f"{place} says nothing", "give can or cannot")
    return Entry(place, {"service_account": account["name"], "namespace": account["namespace"], **said})


def _elements(given: object, place: str) -> Iterator[tuple[Any, str]]:
    """The elements of a list with their places; nothing given is an empty list."""
    if given is None:
        return
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise InputError(f"{place} is {called(given)}, not a list", "begin every entry with a dash")
    for index, element in enumerate(given):
        yield element, f"{place}[{index}]"


def _checked(given: object, options: Mapping[str, dict[str, Any]], place: str) -> Item:
    """The same mapping, all of whose keys are known, down to the last."""
    if not isinstance(given, Mapping):
        raise InputError(f"{place} is {called(given)}, not a mapping", "write key: value pairs")
    known = {alias for name, spec in options.items() for alias in (name, *spec.get("aliases", ()))}
    for key, value in given.items():
        if key not in known:
            raise InputError(f"{place}: {key} is unknown here", _hint(str(key), known, options))
        if key in options:
            _check_inner(value, options[key], f"{place}.{key}")
    return dict(given)


def _check_inner(value: object, rule: Mapping[str, Any], place: str) -> None:
    """The same for what an option holds: a mapping, or a list of them."""
    suboptions = rule.get("options")
    if not suboptions or value is None:
        return
    if rule.get("type") == "dict":
        _checked(value, suboptions, place)
        return
    for element, where in _elements(value, place):
        _checked(element, suboptions, where)


def _hint(key: str, known: Iterable[str], options: Mapping[str, Any]) -> str:
    foreign = {id(_TOKEN_OPTIONS): _NOT_IN_A_TOKEN, id(_LEGACY_OPTIONS): _NOT_IN_A_LEGACY_TOKEN}.get(id(options), {})
    return foreign.get(key) or suggestion(key, known)


def _title_of_legacy(token: Outcome) -> str:
    """The same for an item and for its outcome."""
    return f"{token['namespace']}/{token.get('name')}"


def _title_of_grant(grant: Outcome) -> str:
    """The same for an item and for its outcome, which both have no namespace when the grant is cluster-wide."""
    namespace = grant.get("namespace")
    return f"{namespace}/{grant['name']}" if namespace else f"cluster-wide {grant['name']}"


def _refuse_twice(what: str, identities: Iterable[tuple[str, str]]) -> None:
    first: dict[str, str] = {}
    for identity, place in identities:
        if identity in first:
            hint = "give one of them a name of its own" if what == "grant" else "put both into one entry"
            raise InputError(f"{place}: the {what} {identity} is at {first[identity]} already", hint)
        first[identity] = place


# The summary: a line for every fact, so that no line gets long, with a mark in front of what changes.

_CREATED, _CHANGED, _REMOVED, _FAILED, _SAME = "+", "~", "-", "!", " "
_MEANINGS = {_CREATED: "created", _CHANGED: "changed", _REMOVED: "removed"}


@dataclass(frozen=True)
class Results:
    """What the role's tasks answered, found by what it is about.

    Attributes:
        accounts: outcomes by C(namespace/name).
        grants: outcomes by the same, or C(cluster-wide name).
        tokens: outcomes by account, in order.
        legacy_tokens: outcomes by C(namespace/name) of the token.
        access: outcomes by C(namespace/name).
        pruned: what left its set (entries of C(actions)).
    """

    accounts: Mapping[str, Outcome]
    grants: Mapping[str, Outcome]
    tokens: Mapping[str, Sequence[Outcome]]
    legacy_tokens: Mapping[str, Outcome]
    access: Mapping[str, Outcome]
    pruned: tuple[Outcome, ...]

    @classmethod
    def gather(
        cls,
        *,
        accounts: Outcome | None = None,
        removals: Outcome | None = None,
        bindings: Outcome | None = None,
        tokens: Outcome | None = None,
        legacy_tokens: Outcome | None = None,
        access: Outcome | None = None,
    ) -> Results:
        """From registered results of bulk tasks; a skipped task has nothing to say."""
        minted: dict[str, list[Outcome]] = defaultdict(list)
        for outcome in _outcomes(tokens):
            minted[f"{outcome['namespace']}/{outcome['service_account']}"].append(outcome)
        about = [*_outcomes(removals), *_outcomes(accounts)]
        actions = [
            entry
            for result in (bindings, tokens, legacy_tokens, removals)
            for entry in (result or {}).get("actions") or ()
        ]
        return cls(
            accounts={f"{outcome['namespace']}/{outcome['name']}": outcome for outcome in about},
            grants={_title_of_grant(outcome): outcome for outcome in _outcomes(bindings)},
            tokens=minted,
            legacy_tokens={_title_of_legacy(outcome): outcome for outcome in _outcomes(legacy_tokens)},
            access={f"{outcome['namespace']}/{outcome['service_account']}": outcome for outcome in _outcomes(access)},
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
    facts += [*_of_legacy_tokens(account, results), *_of_access(account, results)]
    if not outcome and not facts:
        return []
    title = account.title + _absent(outcome, "service_account") + _why(outcome)
    return [_line(_mark(outcome), "account", title), *_failure(outcome), *facts, ""]


def _of_grants(account: Account, results: Results) -> Iterator[str]:
    for grant in account.grants:
        outcome = results.grants.get(_title_of_grant(grant.item))
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
        outcome = results.legacy_tokens.get(_title_of_legacy(token.item))
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
