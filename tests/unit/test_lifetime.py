# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a stored token still does: a word for every way in which it does not."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from faults.odd import account_claims, token, yaml_data
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import read_claims, sha256
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._durations import rfc3339
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._lifetime import (
    Record,
    Wanted,
    expires_at,
    granted_seconds,
    is_cut,
    judge,
    margin,
    renew_at,
)

# the token of account_claims() lives for an hour from here
ISSUED = 1800000000
SERVER = "https://kubernetes.default.svc.cluster.local"

WANTED = Wanted(
    namespace="ci",
    service_account="deployer",
    uid="0c1d8a5c-64c3-4a4f-8b1e-1b8f5b9b8a11",
    audiences=(),
    seconds=3600,
    renew_before=0.2,
)
REMEMBERED = Record(
    sha256="",
    requested_seconds=3600,
    requested_audiences=(),
    audiences=(SERVER,),
    expires_at="2027-01-15T09:00:00Z",
)


def moment(age: float) -> datetime:
    """So many seconds after the token was issued."""
    return datetime.fromtimestamp(ISSUED + age, tz=timezone.utc)


@dataclass(frozen=True)
class Case:
    """A stored token of an hour and the wish for just that one, but for what is named here.

    Attributes:
        reason: the expected judgement.
        age: seconds since it was issued.
        claims: other claims.
        private: other claims below C(kubernetes.io).
        record: other values remembered; None: nothing is remembered.
        wanted: other wishes.
    """

    reason: str
    age: float = 0
    claims: Mapping[str, Any] = field(default_factory=dict)
    private: Mapping[str, Any] = field(default_factory=dict)
    record: Mapping[str, Any] | None = field(default_factory=dict)
    wanted: Mapping[str, Any] = field(default_factory=dict)


NONE: Mapping[str, Any] | None = None
OTHERS = {"sha256": "0" * 64}
VAULT = {"aud": ["vault", SERVER]}
FOR_VAULT = {"requested_audiences": ("vault", SERVER), "audiences": ("vault", SERVER)}
EXTENDED = {"claims": {"exp": ISSUED + 365 * 86400}, "private": {"warnafter": ISSUED + 3607}}
UNTIL_WARNING = {"requested_seconds": 3607, "expires_at": "2027-01-15T09:00:07Z"}
BOUND = {"pod": {"name": "web-0", "uid": "x"}}
TO_WEB_0 = (("Pod", "web-0", "x"),)

CASES: Mapping[str, Case] = {
    # time: an hour, of which the last fifth is for renewal
    "fresh": Case("up_to_date"),
    "fresh, nothing remembered": Case("up_to_date", record=NONE),
    "almost due": Case("up_to_date", age=2879),
    "due": Case("expiring", age=2880),
    "due, nothing remembered": Case("expiring", age=2880, record=NONE),
    "expired": Case("expiring", age=3600),
    "long expired": Case("expiring", age=10**6),
    "issued in the future": Case("up_to_date", age=-300),
    "seconds, almost due": Case("up_to_date", age=3299, wanted={"renew_before": 300}),
    "seconds, due": Case("expiring", age=3300, wanted={"renew_before": 300}),
    "no margin, last second": Case("up_to_date", age=3599, wanted={"renew_before": 0}),
    "no margin, expired": Case("expiring", age=3600, wanted={"renew_before": 0}),
    "zero percent, last second": Case("up_to_date", age=3599, wanted={"renew_before": 0.0}),
    "zero percent, expired": Case("expiring", age=3600, wanted={"renew_before": 0.0}),
    "half": Case("up_to_date", age=1799, wanted={"renew_before": 0.5}),
    "half, due": Case("expiring", age=1800, wanted={"renew_before": 0.5}),
    "more than half is half": Case("up_to_date", age=1799, wanted={"renew_before": 0.9}),
    "more than half is half, due": Case("expiring", age=1800, wanted={"renew_before": 0.9}),
    "longer than it lives is half": Case("up_to_date", age=1799, wanted={"renew_before": 86400}),
    "longer than it lives is half, due": Case("expiring", age=1800, wanted={"renew_before": 86400}),
    "shortened by the server": Case(
        "up_to_date", age=2879, record={"requested_seconds": 86400}, wanted={"seconds": 86400}
    ),
    "shortened by the server, due": Case(
        "expiring", age=2880, record={"requested_seconds": 86400}, wanted={"seconds": 86400}
    ),
    # the status says an earlier time than the claim
    "status before claim": Case("up_to_date", age=1439, record={"expires_at": "2027-01-15T08:30:00Z"}),
    "status before claim, due": Case("expiring", age=1440, record={"expires_at": "2027-01-15T08:30:00Z"}),
    "status after claim": Case("expiring", age=2880, record={"expires_at": "2027-01-15T12:00:00Z"}),
    "status before claim, of another token": Case(
        "up_to_date", age=2879, record={**OTHERS, "expires_at": "2027-01-15T08:30:00Z"}
    ),
    # the server stretches a token of 3607 seconds to a year, and means 3607
    "extended": Case("up_to_date", age=2885, **EXTENDED, record=UNTIL_WARNING, wanted={"seconds": 3607}),
    "extended, due": Case("expiring", age=2886, **EXTENDED, record=UNTIL_WARNING, wanted={"seconds": 3607}),
    "extended, nothing remembered": Case("up_to_date", age=2885, **EXTENDED, record=NONE, wanted={"seconds": 3607}),
    "extended, nothing remembered, due": Case("expiring", age=2886, **EXTENDED, record=NONE, wanted={"seconds": 3607}),
    # whose it is
    "of another account": Case("other_account", wanted={"service_account": "builder"}),
    "of another namespace": Case("other_account", wanted={"namespace": "prod"}),
    "of another account, nothing remembered": Case("other_account", record=NONE, wanted={"service_account": "x"}),
    "account made anew": Case("account_recreated", wanted={"uid": "another"}),
    "account made anew, nothing remembered": Case("account_recreated", record=NONE, wanted={"uid": "another"}),
    "another account says more than its uid": Case(
        "other_account", wanted={"service_account": "builder", "uid": "another"}
    ),
    "account made anew says more than time": Case("account_recreated", age=10**6, wanted={"uid": "another"}),
    # what it is bound to
    "bound": Case("binding_changed", private=BOUND),
    "bound, nothing remembered": Case("binding_changed", private=BOUND, record=NONE),
    "bound as wished": Case("up_to_date", private=BOUND, wanted={"bindings": TO_WEB_0}),
    "bound to one of several": Case(
        "up_to_date", private=BOUND, wanted={"bindings": (("Secret", "app-1", "a"), *TO_WEB_0)}
    ),
    "bound to nothing": Case("binding_changed", wanted={"bindings": TO_WEB_0}),
    "bound to nothing, and there is nothing yet to bind to": Case("binding_changed", wanted={"bindings": ()}),
    "bound, and there is nothing yet to bind to": Case("binding_changed", private=BOUND, wanted={"bindings": ()}),
    "bound to what was made anew": Case(
        "binding_changed", private=BOUND, wanted={"bindings": (("Pod", "web-0", "y"),)}
    ),
    "bound to what nobody may look at": Case("up_to_date", private=BOUND, wanted={"bindings": (("Pod", "web-0", ""),)}),
    "bound to another one": Case("binding_changed", private=BOUND, wanted={"bindings": (("Pod", "web-1", "x"),)}),
    "bound to another kind": Case("binding_changed", private=BOUND, wanted={"bindings": (("Secret", "web-0", "x"),)}),
    "a Pod's token also names its node": Case(
        "up_to_date", private={**BOUND, "node": {"name": "n", "uid": "z"}}, wanted={"bindings": TO_WEB_0}
    ),
    "another binding says more than time": Case("binding_changed", age=10**6, private=BOUND),
    # on demand
    "to be replaced": Case("requested", wanted={"not_this": "9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10"}),
    "to be replaced, nothing remembered": Case(
        "requested", record=NONE, wanted={"not_this": "9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10"}
    ),
    "to be replaced says more than time": Case(
        "requested", age=3000, wanted={"not_this": "9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10"}
    ),
    "another one is to be replaced": Case("up_to_date", wanted={"not_this": "another"}),
    # for whom it is
    "the audiences": Case("up_to_date", claims=VAULT, record=FOR_VAULT, wanted={"audiences": ("vault", SERVER)}),
    "the audiences in another order": Case(
        "up_to_date", claims=VAULT, record=FOR_VAULT, wanted={"audiences": (SERVER, "vault")}
    ),
    "an audience twice": Case(
        "up_to_date", claims=VAULT, record=FOR_VAULT, wanted={"audiences": ("vault", SERVER, "vault")}
    ),
    "the audiences, nothing remembered": Case(
        "up_to_date", claims=VAULT, record=NONE, wanted={"audiences": (SERVER, "vault")}
    ),
    "one audience less": Case("audience_changed", claims=VAULT, record=FOR_VAULT, wanted={"audiences": ("vault",)}),
    "one audience less, nothing remembered": Case(
        "audience_changed", claims=VAULT, record=NONE, wanted={"audiences": ("vault",)}
    ),
    "one audience more": Case(
        "audience_changed", claims=VAULT, record=FOR_VAULT, wanted={"audiences": ("vault", SERVER, "x")}
    ),
    "from a list to none": Case("audience_changed", claims=VAULT, record=FOR_VAULT),
    "from a list to none, nothing remembered": Case("up_to_date", claims=VAULT, record=NONE),
    "from a list to none, another's record": Case("up_to_date", claims=VAULT, record={**FOR_VAULT, **OTHERS}),
    "from none to a list": Case("audience_changed", wanted={"audiences": ("vault",)}),
    "from none to what it already says": Case("audience_changed", wanted={"audiences": (SERVER,)}),
    "from none to what it already says, nothing remembered": Case(
        "up_to_date", record=NONE, wanted={"audiences": (SERVER,)}
    ),
    "none, and other ones than were granted": Case("audience_changed", claims=VAULT),
    "others were granted than requested": Case(
        "audience_changed",
        claims=VAULT,
        record={**FOR_VAULT, "requested_audiences": ("a",)},
        wanted={"audiences": ("a",)},
    ),
    # for how long it was asked for
    "for longer": Case("lifetime_changed", wanted={"seconds": 7200}),
    "for shorter": Case("lifetime_changed", wanted={"seconds": 600}),
    "for the server's default": Case("lifetime_changed", wanted={"seconds": None}),
    "from the server's default": Case("lifetime_changed", record={"requested_seconds": None}),
    "still the server's default": Case("up_to_date", record={"requested_seconds": None}, wanted={"seconds": None}),
    "for longer, nothing remembered": Case("up_to_date", record=NONE, wanted={"seconds": 7200}),
    "for longer, another's record": Case("up_to_date", record=OTHERS, wanted={"seconds": 7200}),
    "a changed request says more than time": Case("lifetime_changed", age=3000, wanted={"seconds": 7200}),
}


def remembered(text: str, changes: Mapping[str, Any] | None) -> Record | None:
    return None if changes is None else replace(REMEMBERED, **{"sha256": sha256(text), **changes})


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_judge(case: Case) -> None:
    text = token(account_claims(**case.claims, private=case.private))
    wanted = replace(WANTED, **case.wanted)
    verdict = judge(text, remembered(text, case.record), wanted, moment(case.age))
    assert verdict.reason == case.reason
    assert verdict.is_good is (case.reason == "up_to_date")
    assert verdict.claims == read_claims(text)


def test_every_reason_the_judge_knows_is_in_the_table() -> None:
    reasons = {case.reason for case in CASES.values()} | {"missing", "unreadable"}
    assert len(CASES) >= 40
    assert reasons == {
        "missing",
        "unreadable",
        "other_account",
        "account_recreated",
        "binding_changed",
        "audience_changed",
        "lifetime_changed",
        "requested",
        "expiring",
        "up_to_date",
    }


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (None, "missing"),
        ("", "missing"),
        ("password", "unreadable"),
        (token({"sub": "jane"}), "unreadable"),
        (token(account_claims(exp=ISSUED)), "unreadable"),
        (token(account_claims(iat=ISSUED + 10**6)), "unreadable"),
    ],
)
def test_what_is_no_token_has_no_times(text: str | None, reason: str) -> None:
    verdict = judge(text, REMEMBERED, WANTED, moment(0))
    assert (verdict.reason, verdict.claims, verdict.renew_at) == (reason, None, None)
    assert not verdict.is_good


lifetimes = st.integers(600, 2**32)
margins = st.integers(0, 2**33) | st.floats(0, 1)


@given(lifetimes, margins, st.integers(-(2**20), 2**33))
def test_a_token_is_good_in_its_first_half_and_never_after_its_end(
    lifetime: int, renew_before: float | int, age: int
) -> None:
    text = token(account_claims(exp=ISSUED + lifetime))
    verdict = judge(text, None, replace(WANTED, renew_before=renew_before), moment(age))
    if age < lifetime / 2:
        assert verdict.is_good
    if age >= lifetime:
        assert verdict.reason == "expiring"
    assert verdict.renew_at is not None
    assert verdict.is_good == (moment(age) < verdict.renew_at)


@given(lifetimes, st.integers(1, 10**9), st.sampled_from([None, 600, 10**6]), st.sampled_from([(), ("vault",)]))
def test_the_record_of_another_token_says_nothing(
    lifetime: int, earlier: int, seconds: int | None, audiences: tuple[str, ...]
) -> None:
    text = token(account_claims(exp=ISSUED + lifetime))
    others = Record("f" * 64, seconds, audiences, audiences, rfc3339(moment(lifetime - earlier)))
    for age in (0, lifetime // 2, lifetime):
        assert judge(text, others, WANTED, moment(age)) == judge(text, None, WANTED, moment(age))


@given(lifetimes, margins)
def test_the_margin_is_what_was_asked_for_or_half(granted: int, renew_before: float | int) -> None:
    asked = granted * renew_before if isinstance(renew_before, float) else renew_before
    assert margin(granted, renew_before) == min(asked, granted / 2)
    assert is_cut(granted, renew_before) is (asked > granted / 2)


def test_times_are_counted_from_the_earliest_end() -> None:
    text = token(account_claims(**EXTENDED["claims"], private=EXTENDED["private"]))
    claims = read_claims(text)
    assert claims is not None
    assert (expires_at(claims, None), granted_seconds(claims, None)) == (moment(3607), 3607)
    record = remembered(text, {"expires_at": "2027-01-15T08:50:00Z"})
    assert (expires_at(claims, record), granted_seconds(claims, record)) == (moment(3000), 3000)
    assert renew_at(claims, record, 0.2) == moment(2400)
    assert renew_at(claims, record, 60) == moment(2940)
    assert renew_at(claims, record, 3000) == moment(1500)


# What is remembered.


@given(
    st.text("0123456789abcdef", min_size=64, max_size=64),
    st.none() | lifetimes,
    st.lists(st.text(), max_size=3).map(tuple),
    st.lists(st.text(), max_size=3).map(tuple),
    st.timedeltas(timedelta(0), timedelta(days=36500)),
)
def test_a_record_is_read_as_it_was_written(
    digest: str, seconds: int | None, requested: tuple[str, ...], granted: tuple[str, ...], after: timedelta
) -> None:
    record = Record(digest, seconds, requested, granted, rfc3339(moment(0) + after))
    assert Record.from_dict(json.loads(json.dumps(record.as_dict()))) == record


def test_a_time_is_remembered_in_one_spelling() -> None:
    values = {**REMEMBERED.as_dict(), "expires_at": "2027-01-15T10:00:00+01:00"}
    assert Record.from_dict(values) == REMEMBERED


def test_a_record_of_before_there_were_handles_is_read() -> None:
    values = replace(REMEMBERED, handle="app").as_dict()
    assert Record.from_dict(values) == replace(REMEMBERED, handle="app")
    del values["handle"]
    assert Record.from_dict(values) == REMEMBERED


@pytest.mark.parametrize("name", REMEMBERED.as_dict().keys() - {"handle"})
def test_a_record_with_a_gap_is_none(name: str) -> None:
    values = REMEMBERED.as_dict()
    del values[name]
    assert Record.from_dict(values) is None


def test_a_record_whose_end_is_before_its_begin_gives_no_time() -> None:
    text = token(account_claims())
    for age in (-3000, -1, 0, 100):
        verdict = judge(text, remembered(text, {"expires_at": "2027-01-15T07:59:59Z"}), WANTED, moment(age))
        assert verdict.renew_at == moment(-1)
        assert verdict.is_good is (age < -1)


@pytest.mark.parametrize("written", ["Infinity", "-Infinity", "NaN", "1e400", "3600.5", "true", '"3600"', "[]"])
def test_seconds_that_are_no_whole_number_are_none_of_ours(written: str) -> None:
    text = json.dumps(REMEMBERED.as_dict()).replace("3600", written, 1)
    assert Record.from_dict(json.loads(text)) is None


@pytest.mark.parametrize("name", ["requested_audiences", "audiences"])
@pytest.mark.parametrize("value", ["vault", {"vault": 1}, 5, None], ids=repr)
def test_audiences_that_are_no_list_are_none_of_ours(name: str, value: object) -> None:
    assert Record.from_dict({**REMEMBERED.as_dict(), name: value}) is None


@given(yaml_data, st.sampled_from(["requested_seconds", "requested_audiences", "audiences", "expires_at"]))
def test_a_damaged_record_is_none_or_a_record(value: Any, name: str) -> None:
    for values in (value, {**REMEMBERED.as_dict(), name: value}):
        found = Record.from_dict(values)
        assert found is None or judge(token(account_claims()), found, WANTED, moment(0)).claims
