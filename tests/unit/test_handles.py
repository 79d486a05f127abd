# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Generations of a handle: their names, their numbers, and when their time has come."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._handles import (
    Generation,
    check_name,
    is_of,
    next_number,
    retirements,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import SECRET, Ref

NOW = datetime(2027, 1, 15, 8, tzinfo=timezone.utc)


def ago(seconds: int | None) -> datetime | None:
    return None if seconds is None else NOW - timedelta(seconds=seconds)


def generation(number: int, age: int = 600, expired: int | None = -3000, superseded: int | None = None) -> Generation:
    """Made, expired and superseded so many seconds ago; by default in good use."""
    created = NOW - timedelta(seconds=age)
    return Generation(
        Ref(SECRET, "ci", f"app-{number}"), number, f"uid-{number}", created, ago(expired), ago(superseded)
    )


@dataclass(frozen=True)
class Case:
    """A generation beside the one in use (number 5), the overlap, and what is done about it."""

    one: Generation
    overlap: int | None
    done: tuple[str, str] | None


NO_TOKEN = None
CASES = {
    # without an overlap it stays as long as its token lives
    "just replaced": Case(generation(4), None, ("patch", "superseded")),
    "replaced a while ago": Case(generation(4, superseded=9000), None, None),
    "its token has expired": Case(generation(4, expired=1, superseded=9000), None, ("delete", "expired")),
    "its token expires now": Case(generation(4, expired=0, superseded=9000), None, ("delete", "expired")),
    "its token expires next": Case(generation(4, expired=-1, superseded=9000), None, None),
    "expired before it was replaced": Case(generation(4, expired=1), None, ("delete", "expired")),
    "two before": Case(generation(3), None, ("patch", "superseded")),
    # with one it stays so long
    "overlap begins": Case(generation(4), 300, ("patch", "superseded")),
    "overlap goes on": Case(generation(4, superseded=299), 300, None),
    "overlap is over": Case(generation(4, superseded=300), 300, ("delete", "superseded")),
    "overlap goes on, its token has expired": Case(generation(4, expired=1, superseded=9), 300, ("delete", "expired")),
    "no overlap": Case(generation(4), 0, ("delete", "superseded")),
    "no overlap, noted before": Case(generation(4, superseded=1), 0, ("delete", "superseded")),
    # what a run left that ended before its token was anywhere
    "another run is about to mint": Case(generation(6, age=60, expired=NO_TOKEN), None, None),
    "nobody will mint for it": Case(generation(6, age=61, expired=NO_TOKEN), None, ("delete", "unused")),
    "an older one nobody will mint for": Case(generation(4, age=61, expired=NO_TOKEN), None, ("delete", "unused")),
    "an older one another run may mint for": Case(generation(4, age=5, expired=NO_TOKEN), 0, None),
    "another run is about to store": Case(generation(6, age=60), 0, None),
    "nobody stored its token": Case(generation(6, age=61), None, ("delete", "unused")),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_becomes_of_a_generation(case: Case) -> None:
    current = generation(5)
    found = retirements([case.one, current], current, case.overlap, NOW)
    assert [(one.verb, one.reason) for one in found] == ([case.done] if case.done else [])
    assert all(one.generation == case.one for one in found)


def test_the_one_in_use_is_never_retired() -> None:
    current = generation(5, age=9000, expired=1, superseded=9000)
    assert retirements([current], current, 0, NOW) == []


def test_all_the_others_are_seen_to_in_their_order() -> None:
    row = [generation(number) for number in (1, 2, 3)]
    assert [one.generation.number for one in retirements(row, row[2], 0, NOW)] == [1, 2]


@pytest.mark.parametrize(("numbers", "coming"), [((), 1), ((1,), 2), ((1, 7, 3), 8)])
def test_a_number_is_not_used_again_as_long_as_one_of_the_row_is_left(numbers: tuple[int, ...], coming: int) -> None:
    assert next_number([generation(number) for number in numbers]) == coming


@pytest.mark.parametrize(
    ("bound_to", "is_so"),
    [
        (("Secret", "app-1", "u"), True),
        (("Secret", "app-42", ""), True),
        (("Secret", "app-0", "u"), False),
        (("Secret", "app-01", "u"), False),
        (("Secret", "app-", "u"), False),
        (("Secret", "app", "u"), False),
        (("Secret", "my-app-1", "u"), False),
        (("Secret", "app-b-1", "u"), False),
        (("Pod", "app-1", "u"), False),
        (None, False),
    ],
)
def test_whether_a_token_is_of_a_handle(bound_to: tuple[str, str, str] | None, is_so: bool) -> None:
    assert is_of("app", bound_to) is is_so


@pytest.mark.parametrize("name", ["app", "a" * 52, "a-1", "1"])
def test_a_handle_may_be_called(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize("name", ["", "a" * 53, "a.b", "App", "a_b", "-a", "a-", "a/b"])
def test_a_handle_may_not_be_called(name: str) -> None:
    with pytest.raises(InputError, match=r"^handle"):
        check_name(name)
