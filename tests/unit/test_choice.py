# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which of the tokens in several places stays, and which may stay a little longer."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timezone

import pytest
from faults.odd import account_claims, token

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._choice import Held, judge_all
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import sha256
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._lifetime import Record, Wanted

ISSUED = 1800000000
WANTED = Wanted("ci", "deployer", "0c1d8a5c-64c3-4a4f-8b1e-1b8f5b9b8a11", (), None, 0.2)


def minted(jti: str, lives: int = 3600, **changes: object) -> str:
    return token(account_claims(jti=jti, exp=ISSUED + lives, **changes))


def moment(age: float) -> datetime:
    return datetime.fromtimestamp(ISSUED + age, tz=timezone.utc)


FIRST, SECOND, LONGER = minted("first"), minted("second"), minted("longer", 7200)
OF_ANOTHER = minted("another", sub="system:serviceaccount:ci:builder")
EMPTY, NO_TOKEN, FILE_ELSEWHERE = Held(None, None), Held("password", None), Held(None, None, bears_token=False)


def held(text: str) -> Held:
    return Held(text, None)


@dataclass(frozen=True)
class Case:
    """What the places hold, which tokens would do (best first), and why a new one would be minted if none is used."""

    helds: tuple[Held, ...]
    good: tuple[str, ...]
    reason: str
    age: float = 0


CASES = {
    "no place": Case((), (), "missing"),
    "nothing anywhere": Case((EMPTY, EMPTY), (), "missing"),
    "only a reference to a file": Case((FILE_ELSEWHERE,), (), "missing"),
    "one good token": Case((held(FIRST),), (FIRST,), "sink_changed"),
    "good and empty": Case((held(FIRST), EMPTY), (FIRST,), "missing"),
    "the same in two places is one": Case((held(FIRST), held(FIRST)), (FIRST,), "sink_changed"),
    "of equals the first place wins": Case((held(SECOND), held(FIRST)), (SECOND, FIRST), "sink_changed"),
    "the longest life wins": Case((held(FIRST), held(LONGER)), (LONGER, FIRST), "sink_changed"),
    "different ones and an empty place": Case((held(FIRST), held(SECOND), EMPTY), (FIRST, SECOND), "missing"),
    "a bad one says more than an empty place": Case((EMPTY, held(OF_ANOTHER)), (), "other_account"),
    "the first bad one says why": Case((NO_TOKEN, held(OF_ANOTHER)), (), "unreadable"),
    "a bad one beside a good one": Case((held(FIRST), NO_TOKEN), (FIRST,), "unreadable"),
    "all due": Case((held(FIRST), held(SECOND)), (), "expiring", age=3000),
    "one due": Case((held(FIRST), held(LONGER)), (LONGER,), "expiring", age=3000),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_what_several_places_come_to(case: Case) -> None:
    judgement = judge_all(case.helds, WANTED, moment(case.age))
    assert (tuple(one.token for one in judgement.good), judgement.reason) == (case.good, case.reason)


def test_a_token_without_a_record_gets_that_of_another_place_that_knows_it() -> None:
    record = Record(sha256(FIRST), None, (), ("a",), "2027-01-15T09:00:00Z", "deployer")
    found = judge_all([held(FIRST), Held(FIRST, record)], WANTED, moment(0)).stored
    assert [one.record for one in found] == [record, record]


def test_a_record_of_another_token_is_nobodys() -> None:
    record = Record(sha256(SECOND), 600, ("x",), ("x",), "2027-01-15T09:00:00Z")
    (found,) = judge_all([Held(FIRST, record)], WANTED, moment(0)).stored
    server = "https://kubernetes.default.svc.cluster.local"
    assert found.record == Record(sha256(FIRST), None, (), (server,), "2027-01-15T09:00:00Z")


@pytest.mark.parametrize(
    ("helds", "everywhere"),
    [
        ((held(FIRST),), True),
        ((held(FIRST), held(FIRST)), True),
        ((held(FIRST), EMPTY), False),
        ((held(FIRST), held(SECOND)), False),
        ((held(FIRST), FILE_ELSEWHERE), True),
    ],
)
def test_whether_a_token_is_everywhere(helds: tuple[Held, ...], everywhere: bool) -> None:
    assert judge_all(helds, WANTED, moment(0)).good[0].is_everywhere(helds) is everywhere


@pytest.mark.parametrize(
    ("age", "helds", "kept"),
    [
        (0, (held(FIRST),), None),
        (2880, (held(FIRST),), FIRST),
        (3539, (held(FIRST),), FIRST),
        (3540, (held(FIRST),), None),
        (4000, (held(FIRST),), None),
        (6000, (held(FIRST), held(LONGER)), LONGER),
        (3000, (held(OF_ANOTHER),), None),
        (3000, (held(OF_ANOTHER), held(FIRST)), FIRST),
    ],
)
def test_only_a_token_whose_only_fault_is_its_age_and_that_has_a_minute_left_is_worth_keeping(
    age: float, helds: tuple[Held, ...], kept: str | None
) -> None:
    now = moment(age)
    found = judge_all(helds, WANTED, now).worth_keeping(now)
    assert (found.token if found else None) == kept
