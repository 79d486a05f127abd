# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Secrets of a long-lived token: which is in use, when another is due, and when one has had its time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import LegacyClaims
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._durations import rfc3339
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._generations import SUPERSEDED_AT
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import SECRET, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._legacy_rows import (
    ROW_LABEL,
    SUSPENDED,
    Generation,
    Rule,
    generations,
    head_of,
    name_of,
    next_number,
    number_of,
    put_right,
    retirements,
    suspension,
    why_next,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._token_secrets import INVALID_SINCE, TokenSecret

NOW = datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
UID = "uid-of-account"
DAY = "2027-01-15"


def made(name: str = "tok", label: str | None = "tok", **more: object) -> TokenSecret:
    values: dict[str, object] = {
        "ref": Ref(SECRET, "ci", name),
        "uid": f"uid-of-{name}",
        "account": "app",
        "account_uid": UID,
        "created_at": NOW - timedelta(seconds=600),
        "is_filled": True,
        "labels": {} if label is None else {ROW_LABEL: label},
    }
    return TokenSecret(**{**values, **more})  # type: ignore[arg-type]  # one mapping for all fields


def generation(
    number: int, superseded: int | None = None, suspended: str | None = None, by_us: bool = True, uid: str = UID
) -> Generation:
    """Superseded so many seconds ago, and suspended since a day, by us or by others."""
    annotations = {} if superseded is None else {SUPERSEDED_AT: rfc3339(NOW - timedelta(seconds=superseded))}
    if suspended and by_us:
        annotations[SUSPENDED] = suspended
    name = name_of("tok", number)
    secret = made(name, annotations=annotations, invalid_since=suspended, account_uid=uid)
    return Generation(secret, number)


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("tok", 1), ("tok-2", 2), ("tok-17", 17), ("tok-1", None), ("tok-0", None), ("tok-02", None), ("tok-", None),
        ("tok-2-2", None), ("tok2", None), ("my-tok", None), ("tok-x", None), ("tok-1234567890", None),
    ],
)  # fmt: skip
def test_the_number_of_a_name(name: str, number: int | None) -> None:
    assert number_of("tok", name) == number
    if number:
        assert name_of("tok", number) == name


def test_a_name_with_dots_is_no_pattern() -> None:
    assert (number_of("a.b", "axb"), number_of("a.b", "axb-2"), number_of("a.b", "a.b-2")) == (None, None, 2)


def test_a_row_is_what_has_its_label_or_else_the_secret_of_its_name_that_is_in_none() -> None:
    foreign = [made("tok-3", None), made("tok-4", "other"), made("else"), made("tok-5", is_terminating=True)]
    own = [made("tok-10"), made("tok-2")]
    by_hand = made("tok", None)
    assert [one.number for one in generations("tok", [*own, *foreign, by_hand])] == [2, 10]
    assert [one.number for one in generations("tok", [made("tok"), *own, *foreign])] == [1, 2, 10]
    assert [one.number for one in generations("tok", [*foreign, by_hand])] == [1]
    assert generations("tok", [made("tok", "other")]) == []


@dataclass(frozen=True)
class Head:
    """A row and which of it is in use."""

    row: tuple[Generation, ...]
    number: int | None


HEADS = {
    "nothing": Head((), None),
    "one": Head((generation(1),), 1),
    "the last": Head((generation(1, superseded=9), generation(2)), 2),
    "a run ended before the first was noted": Head((generation(1), generation(2)), 2),
    "the one in use was deleted": Head((generation(1, superseded=9),), None),
    "of an account before": Head((generation(1, uid="other"),), None),
    "the last is of an account before": Head((generation(1), generation(2, uid="other")), 1),
    "not filled yet": Head((generation(1, uid=""),), 1),
    "suspended": Head((generation(1, suspended=DAY),), 1),
}


@pytest.mark.parametrize("case", HEADS.values(), ids=HEADS)
def test_which_one_is_in_use(case: Head) -> None:
    head = head_of(case.row, UID)
    assert (head and head.number) == case.number


def test_an_account_that_nobody_may_see_is_no_other_one() -> None:
    assert head_of([generation(1, uid="any")], "") is not None


@pytest.mark.parametrize(
    ("age", "filled", "rotate_after", "reason"),
    [
        (600, True, None, "up_to_date"), (600, True, 600, "due"), (600, True, 601, "up_to_date"),
        (600, False, 1, "up_to_date"),
    ],
)  # fmt: skip
def test_when_another_is_due(age: int, filled: bool, rotate_after: int | None, reason: str) -> None:
    secret = made(created_at=NOW - timedelta(seconds=age), is_filled=filled)
    assert why_next(Generation(secret, 1), rotate_after, NOW) == reason
    assert why_next(None, rotate_after, NOW) == "missing"


@pytest.mark.parametrize(
    ("row", "stored", "number"),
    [
        ((), (), 1),
        ((1,), (), 2),
        ((2, 7), (), 8),
        ((), ("tok",), 2),
        ((), ("tok-4",), 5),
        ((6,), ("tok-4",), 7),
        ((), ("else",), 1),
    ],
)
def test_a_number_whose_token_was_seen_is_not_used_again(
    row: tuple[int, ...], stored: tuple[str, ...], number: int
) -> None:
    claims = [LegacyClaims("ci", "app", UID, name) for name in stored]
    assert next_number("tok", [generation(one) for one in row], claims, UID) == number
    # a token of an account that was there before is none that could come back
    others = [LegacyClaims("ci", "app", "another", name) for name in stored]
    assert next_number("tok", [generation(one) for one in row], others, UID) == max(row, default=0) + 1


@dataclass(frozen=True)
class Case:
    """A generation beside the one in use (number 5), the rule, and what is done about it."""

    one: Generation
    rule: Rule
    done: tuple[str, str] | None


DELETE, SUSPEND, NOW_DELETE, NOW_SUSPEND = (
    Rule(300, "delete"), Rule(300, "suspend"), Rule(0, "delete"), Rule(0, "suspend"),
)  # fmt: skip
CASES = {
    "just followed": Case(generation(4), DELETE, ("patch", "superseded")),
    "just followed, to be suspended": Case(generation(4), SUSPEND, ("patch", "superseded")),
    "overlap goes on": Case(generation(4, superseded=299), DELETE, None),
    "overlap is over": Case(generation(4, superseded=300), DELETE, ("delete", "superseded")),
    "overlap is over, to be suspended": Case(generation(4, superseded=300), SUSPEND, ("suspend", "superseded")),
    "suspended": Case(generation(4, superseded=300, suspended=DAY), SUSPEND, None),
    "suspended, and now to be deleted": Case(
        generation(4, superseded=300, suspended=DAY), DELETE, ("delete", "superseded")
    ),
    "suspended by others": Case(generation(4, superseded=300, suspended=DAY, by_us=False), SUSPEND, None),
    "no overlap": Case(generation(4), NOW_DELETE, ("delete", "superseded")),
    "no overlap, to be suspended": Case(generation(4), NOW_SUSPEND, ("suspend", "superseded")),
    "no overlap, suspended before it was followed": Case(
        generation(4, suspended=DAY), NOW_SUSPEND, ("patch", "superseded")
    ),
    "no overlap, suspended and noted": Case(generation(4, superseded=1, suspended=DAY), NOW_SUSPEND, None),
    "of an account before": Case(generation(4, uid="other"), DELETE, ("delete", "account_recreated")),
    "of an account before, to be suspended": Case(generation(4, uid="other"), SUSPEND, ("delete", "account_recreated")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_becomes_of_a_generation(case: Case) -> None:
    head = generation(5)
    found = retirements([case.one, head], head, UID, case.rule, NOW)
    assert [(one.verb, one.reason) for one in found] == ([case.done] if case.done else [])


def test_the_one_in_use_is_never_retired() -> None:
    head = generation(5)
    assert retirements([head], head, UID, NOW_DELETE, NOW) == []


WANTED = {ROW_LABEL: "tok", "tokenwright/set": "s"}


@pytest.mark.parametrize(
    ("labels", "suspended", "by_us", "patch", "reason"),
    [
        (WANTED, None, True, {}, "up_to_date"),
        ({ROW_LABEL: "tok"}, None, True, {"labels": {"tokenwright/set": "s"}}, "set_changed"),
        ({}, None, True, {"labels": WANTED}, "adopted"),
        (
            WANTED,
            DAY,
            True,
            {"labels": {INVALID_SINCE: None}, "annotations": {SUSPENDED: None}},
            "lifted",
        ),
        (WANTED, DAY, False, {}, "up_to_date"),
    ],
)
def test_what_is_put_right(
    labels: dict[str, str], suspended: str | None, by_us: bool, patch: dict[str, object], reason: str
) -> None:
    annotations = {SUSPENDED: suspended} if suspended and by_us else {}
    secret = made(labels=labels, invalid_since=suspended, annotations=annotations)
    assert put_right(Generation(secret, 1), WANTED) == (patch, reason)


def test_a_suspension_is_recognised_as_ours_until_somebody_sets_another_day() -> None:
    said = suspension(DAY)
    day, ours = said["labels"][INVALID_SINCE], said["annotations"]
    assert Generation(made(invalid_since=day, annotations=ours), 1).is_suspended_by_us
    assert not Generation(made(invalid_since="2027-01-16", annotations=ours), 1).is_suspended_by_us
    assert not Generation(made(annotations=ours), 1).is_suspended_by_us
