# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One item or a list of the same items: merging, running side by side, and the shape of the result.

The single form is the list of one. A key is taken from the item, else from the task, else its default, as a whole
value.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any, Generic, TypeVar

from ._api import Api
from ._errors import InputError, ProvisionError
from ._plan import UP_TO_DATE, Outcome

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "workers": {"type": "int", "default": 8},
    "fail_fast": {"type": "bool", "default": False},
}

# of modules whose outcomes hold whole objects
BRIEF_OPTION: dict[str, dict[str, Any]] = {"brief_outcomes": {"type": "bool", "default": False}}

_MAX_WORKERS = 64

# what a brief outcome keeps of all that a module returns
_BRIEF = frozenset({"risks"})

# how many failing items a sentence names before it only counts
_NAMED = 5

# how many warnings a task prints; in check mode a new list of hundreds would give one for each
_WARNINGS = 10

Desired = TypeVar("Desired")


def with_list(options: Mapping[str, dict[str, Any]], list_name: str) -> dict[str, dict[str, Any]]:
    """The argument spec of a module whose items are either given at the task or as a list.

    Suboptions keep type, choices, aliases and no_log; defaults belong to the task level, so that they cannot hide its
    values.
    """
    return {
        **options,
        list_name: {
            "type": "list",
            "elements": "dict",
            "options": {name: _plain(spec) for name, spec in options.items()},
        },
    }


def _plain(spec: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in spec.items() if key != "default"}


@dataclass(frozen=True)
class Items(Generic[Desired]):
    """The parsed items of a task; C(bulk) tells which form was used."""

    desired: tuple[Desired, ...]
    bulk: bool


def parse(
    params: Mapping[str, Any],
    options: Mapping[str, dict[str, Any]],
    list_name: str,
    desire: Callable[[Mapping[str, Any]], Desired],
    identity: Callable[[Desired], str] | None,
) -> Items[Desired]:
    """Merge and check all items before anything is sent.

    Args:
        params: validated parameters of the task.
        options: the item options.
        list_name: the option that holds the list.
        desire: turns one merged item into desired state; raises InputError.
        identity: what must be unique within the list; None: nothing.

    Raises:
        InputError: an item cannot be right, or two items are the same.
    """
    listed = params.get(list_name)
    task = {name: params.get(name) for name in options}
    check_workers(params)
    if listed is None:
        return Items((desire(task),), bulk=False)
    _refuse_identity_beside(list_name, task)
    desired, mistakes = [], []
    for index, item in enumerate(listed):
        try:
            desired.append(desire({**task, **{name: value for name, value in item.items() if value is not None}}))
        except InputError as error:
            mistakes.append((f"{list_name}[{index}]", error))
    if mistakes:
        raise _mistakes(mistakes)
    if identity:
        _refuse_duplicates(list_name, [identity(item) for item in desired])
    return Items(tuple(desired), bulk=True)


def check_workers(params: Mapping[str, Any]) -> None:
    """The option C(workers).

    Raises:
        InputError: it is out of range.
    """
    if not 1 <= params["workers"] <= _MAX_WORKERS:
        raise InputError(f"workers: {params['workers']} is out of range", f"use 1 to {_MAX_WORKERS}")


def _refuse_identity_beside(list_name: str, task: Mapping[str, Any]) -> None:
    # an item that has a name of its own may well share its account with others
    name = "name" if "name" in task else "service_account"
    if task.get(name) is not None:
        raise InputError(f"{name} and {list_name} exclude each other", f"put {name} into the items of {list_name}")


def _mistakes(mistakes: Sequence[tuple[str, InputError]]) -> InputError:
    named = "; ".join(f"{place}: {error.what}" for place, error in mistakes[:_NAMED])
    more = f"; and {len(mistakes) - _NAMED} more" if len(mistakes) > _NAMED else ""
    return InputError(named + more, mistakes[0][1].hint, code=mistakes[0][1].code)


def _refuse_duplicates(list_name: str, identities: Sequence[str]) -> None:
    for identity, count in Counter(identities).items():
        if count > 1:
            raise InputError(
                f"{list_name}: {identity} is in the list {count} times", "keep one entry for each", code="duplicate"
            )


def run_all(
    desired: Sequence[Desired],
    begin: Callable[[Desired], Outcome],
    work: Callable[[Desired, Outcome], None],
    params: Mapping[str, Any],
) -> list[Outcome]:
    """Work on all items side by side; a failing one does not stop the others unless C(fail_fast)."""
    failed = Event()

    def attempt(item: Desired) -> Outcome:
        outcome = begin(item)
        if failed.is_set() and params["fail_fast"]:
            outcome.skipped = True
            outcome.reason = "fail_fast"
            outcome.msg = f"{outcome.title} not tried (fail_fast)"
            return outcome
        try:
            work(item, outcome)
        except ProvisionError as error:
            failed.set()
            outcome.error = error
            outcome.reason, outcome.msg = error.code, str(error)
        return outcome

    if len(desired) <= 1:
        return [attempt(item) for item in desired]
    with ThreadPoolExecutor(max_workers=params["workers"]) as pool:
        return list(pool.map(attempt, desired))


def shorten(outcomes: Sequence[Outcome]) -> None:
    """Make them brief: without what is there; what is not there is still said, by a null."""
    for outcome in outcomes:
        returned = outcome.returned
        outcome.returned = {key: value for key, value in returned.items() if value is None or key in _BRIEF}


def as_result(
    outcomes: Sequence[Outcome],
    api: Api,
    *,
    bulk: bool,
    check_mode: bool,
    pruned: Sequence[Outcome] | None = None,
    warnings: Sequence[str] = (),
) -> dict[str, Any]:
    """The result of the task (C(diff) included; the edge drops it when nobody asked).

    Args:
        outcomes: one per item, in the order of the list.
        api: whose requests are counted.
        bulk: whether the list form was used.
        check_mode: words the sentence.
        pruned: what was deleted because it left its set, and why not all of it; None: the module has no sets.
        warnings: those of the task as a whole.
    """
    everything = [*outcomes, *(pruned or ())]
    result: dict[str, Any] = {
        "changed": any(outcome.changed for outcome in everything),
        "actions": [entry for outcome in everything for entry in outcome.actions],
        "requests": api.connection.requests,
        "retries": api.connection.retries,
    }
    said = list(dict.fromkeys([*warnings, *(warning for outcome in everything for warning in outcome.warnings)]))
    if said:
        more = [f"and {len(said) - _WARNINGS} more warnings of this kind"] if len(said) > _WARNINGS else []
        result["warnings"] = said[:_WARNINGS] + more
    diffs = [_diff(outcome) for outcome in everything if outcome.changed]
    result["diff"] = diffs if bulk else (diffs[0] if diffs else {"before": "", "after": ""})
    if bulk:
        entries = [_entry(outcome) for outcome in outcomes]
        return {**result, "outcomes": entries, **_summary(outcomes, pruned, check_mode=check_mode)}
    return {**result, **_single(outcomes[0])}


def _single(outcome: Outcome) -> dict[str, Any]:
    result = {"reason": outcome.reason, "msg": outcome.msg, **outcome.returned}
    if outcome.error:
        result = {**result, "failed": True, "error": outcome.error.details()}
    return result


def _summary(outcomes: Sequence[Outcome], pruned: Sequence[Outcome] | None, *, check_mode: bool) -> dict[str, Any]:
    failed = [outcome for outcome in (*outcomes, *(pruned or ())) if outcome.error]
    if failed:
        done = sum(outcome.status in ("ok", "changed") for outcome in outcomes)
        named = "; ".join(f"{outcome.title}: {outcome.msg}" for outcome in failed[:_NAMED])
        more = f"; and {len(failed) - _NAMED} more" if len(failed) > _NAMED else ""
        first = failed[0].error
        msg = f"{done} of {len(outcomes)} done; failed: {named}{more}"
        return {"failed": True, "reason": "failed", "msg": msg, "error": first.details() if first else None}
    changed = sum(outcome.changed for outcome in outcomes)
    would = " would be" if check_mode else ""
    msg = f"{changed} of {len(outcomes)}{would} changed" if changed else _nothing_to_do(len(outcomes))
    if not outcomes and pruned is not None:
        msg += "; an empty list prunes nothing"
    if pruned:
        msg += f", {len(pruned)}{would} pruned"
    return {"reason": "changed" if changed or pruned else UP_TO_DATE, "msg": msg}


def _nothing_to_do(count: int) -> str:
    if count == 0:
        return "the list is empty: nothing to do"
    return f"all {count} are up to date" if count > 1 else "1 of 1 is up to date"


def _entry(outcome: Outcome) -> dict[str, Any]:
    entry = {
        **outcome.identity,
        "status": outcome.status,
        "changed": outcome.changed,
        "reason": outcome.reason,
        "msg": outcome.msg,
        "actions": outcome.actions,
        **outcome.returned,
    }
    if outcome.error:
        entry["error"] = outcome.error.details()
    return entry


def _diff(outcome: Outcome) -> dict[str, Any]:
    return {
        "before_header": outcome.title,
        "after_header": outcome.title,
        "before": outcome.before,
        "after": outcome.after,
    }
