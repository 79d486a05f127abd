# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading live state and carrying out plans of API writes.

Reads are few: one paged LIST where several objects share a kind and namespace. Writes are conditional, and whatever
another writer or a lost answer did in between is met by reading again and planning again.
"""

from __future__ import annotations

import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

from ._api import Api
from ._errors import AlreadyExistsError, AmbiguousError, ConflictError, ConnectError, ForbiddenError, ProvisionError
from ._kinds import Kind, Object, Ref, ref_of, uid_of
from ._plan import Live, Outcome, Plan, Write, predicted, view

Item = TypeVar("Item")
Answer = TypeVar("Answer")

# from this many objects of one kind and namespace on, one LIST is cheaper than single GETs
_LIST_FROM = 3

# a plan may be overtaken by other writers, or its writes be doubtful, so often before we may give up
_ROUNDS = 6

# among many writers, those that were overtaken at the same moment must not meet again: each waits for a part of this,
# which doubles with every time, and shrinks with the time that is left, so that who has waited long comes first
_FIRST_PAUSE = 0.1
_LONGEST_PAUSE = 1.5


class Snapshot(dict[Ref, "Object | None"]):
    """Live objects by address; a read that failed is reported to the item that needs it, when it looks."""

    def __init__(self) -> None:
        super().__init__()
        self.errors: dict[Ref, ProvisionError] = {}

    def __missing__(self, ref: Ref) -> Object | None:
        raise self.errors[ref]


def read(api: Api, refs: Iterable[Ref], workers: int) -> Snapshot:
    """Read many objects with few requests.

    Raises:
        ConnectError: the server cannot be reached; there is no use in trying the others one by one.
    """
    groups = _grouped(refs)
    snapshot = Snapshot()
    with _pool(workers) as each:
        many = [group for group in groups if len(group) >= _LIST_FROM]
        listed = dict(zip(many, each(lambda group: _list(api, group), many), strict=True))
        for group, found in listed.items():
            snapshot.update({ref: found.get(ref) for ref in group} if found is not None else {})
        single = [ref for group in groups if listed.get(group) is None for ref in group]
        for ref, answer in zip(single, each(lambda ref: _get(api, ref), single), strict=True):
            if isinstance(answer, ProvisionError):
                snapshot.errors[ref] = answer
            else:
                snapshot[ref] = answer
    return snapshot


def _grouped(refs: Iterable[Ref]) -> list[tuple[Ref, ...]]:
    """Without duplicates, those of one kind and namespace together."""
    groups: dict[tuple[Kind, str], list[Ref]] = defaultdict(list)
    for ref in dict.fromkeys(refs):
        groups[ref.kind, ref.namespace].append(ref)
    return [tuple(group) for group in groups.values()]


@contextmanager
def _pool(workers: int) -> Iterator[Callable[[Callable[[Item], Answer], Sequence[Item]], Iterable[Answer]]]:
    """A map over threads that forgets what it has not begun when the first one fails; one item needs no thread."""
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        yield lambda work, items: pool.map(work, items) if len(items) > 1 else map(work, items)
    finally:
        pool.shutdown(cancel_futures=True)


def _list(api: Api, group: Sequence[Ref]) -> dict[Ref, Object] | None:
    """All objects of the group's kind and namespace, or None when the caller may not list."""
    kind, namespace = group[0].kind, group[0].namespace
    try:
        return {ref_of(obj, kind): obj for obj in api.list_all(kind, namespace)}
    except ForbiddenError:
        return None


def _get(api: Api, ref: Ref) -> Object | ProvisionError | None:
    try:
        return api.get(ref)
    except ConnectError:
        raise
    except ProvisionError as error:
        return error


def converge(
    api: Api,
    outcome: Outcome,
    refs: Sequence[Ref],
    live: Live,
    plan: Callable[[Live], Plan],
    *,
    check_mode: bool,
) -> dict[Ref, Object | None]:
    """Plan and, unless in check mode, act until nothing is left to do; fills the outcome and returns the state after.

    Raises:
        ProvisionError: a write failed; the outcome holds what was done before.
    """
    state: dict[Ref, Object | None] = {ref: live[ref] for ref in refs}
    before = dict(state)
    patience = _Patience(api.connection.retry_timeout)
    doubtful: Write | None = None
    while True:
        todo = plan(state)
        _settle(outcome, doubtful, todo)
        outcome.warnings = list(todo.notes)
        if check_mode:
            _record(outcome, todo.writes)
            state = predicted(state, todo.writes)
            break
        try:
            _carry_out(api, todo.writes, state, outcome)
            break
        except _InterruptedError as interrupted:
            error, write = interrupted.error, interrupted.write
            if patience.is_over(error):
                raise error from None
            doubtful = write if isinstance(error, AmbiguousError) else None
        patience.pause()
        # the rest is as it was read or written: should it not be, its own write will tell
        state[write.ref] = api.get(write.ref)
    written = [ref for ref in refs if state[ref] is not before[ref]]
    outcome.before, outcome.after = _views(before, written), _views(state, written)
    return state


class _InterruptedError(Exception):
    """A write was overtaken by other writers, or its answer was lost."""

    def __init__(self, error: ProvisionError, write: Write) -> None:
        super().__init__()
        self.error = error
        self.write = write


def _carry_out(api: Api, writes: Sequence[Write], state: dict[Ref, Object | None], outcome: Outcome) -> None:
    """Write one after the other, and keep the state and the outcome up to date.

    Raises:
        _InterruptedError: the rest of the plan may be wrong by now.
    """
    for write in writes:
        try:
            state[write.ref] = _act(api, write, state.get(write.ref))
        except (AlreadyExistsError, ConflictError, AmbiguousError) as error:
            raise _InterruptedError(error, write) from None
        _record(outcome, [write])


class _Patience:
    """When to give up a plan that others keep overtaking, and how long to wait before the next try."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._deadline = time.monotonic() + seconds
        self._rounds = 0
        self._longest = _FIRST_PAUSE

    def is_over(self, error: ProvisionError) -> bool:
        """Whether this was the last round; a lost answer has cost a timeout already, and gets no more time."""
        self._rounds += 1
        has_time = time.monotonic() < self._deadline and not isinstance(error, AmbiguousError)
        return self._rounds >= _ROUNDS and not has_time

    def pause(self) -> None:
        """Let the others finish."""
        left = max(0.0, self._deadline - time.monotonic()) / (self._seconds or 1)
        time.sleep(left * self._longest * random.random())  # noqa: S311 - a delay, no secret
        self._longest = min(self._longest * 2, _LONGEST_PAUSE)


def _settle(outcome: Outcome, doubtful: Write | None, todo: Plan) -> None:
    """A write whose answer was lost happened if it is not wanted any more."""
    if doubtful and all((write.verb, write.ref) != (doubtful.verb, doubtful.ref) for write in todo.writes):
        _record(outcome, [doubtful])


def _record(outcome: Outcome, writes: Sequence[Write]) -> None:
    if writes and not outcome.actions:
        outcome.reason = writes[0].reason
    outcome.actions += [write.as_action() for write in writes]
    outcome.changed = bool(outcome.actions)


def _act(api: Api, write: Write, present: Object | None) -> Object | None:
    if write.verb == "delete":
        api.delete(write.ref, uid=write.uid or uid_of(present))
        return None
    verbs = {"create": api.create, "update": api.update, "patch": api.patch}
    return verbs[write.verb](write.ref, write.body or {})


def _views(state: Live, refs: Sequence[Ref]) -> list[Object]:
    return [shown for ref in refs if (shown := view(state[ref]))]
