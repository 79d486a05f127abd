# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Durations, shares and instants as users write them."""

from __future__ import annotations

from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from typing import Any

import pytest
from faults.odd import any_text, yaml_data
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._durations import (
    instant,
    rfc3339,
    seconds,
    share_or_seconds,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._token_desired import LONGEST as LONGEST_LIFETIME

FACTORS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


@given(st.integers(min_value=0, max_value=73000), st.sampled_from(sorted(FACTORS)))
def test_a_number_with_a_unit_is_that_many_seconds(number: int, unit: str) -> None:
    assert seconds(f"{number}{unit}", "option") == number * FACTORS[unit]


LONGEST = 73000 * 86400


@given(st.integers(min_value=LONGEST + 1, max_value=10**18 - 1))
def test_what_is_longer_than_200_years_is_refused(number: int) -> None:
    for value in (number, f"{number}s", f"{number // 86400 + 1}d"):
        with pytest.raises(InputError, match=r"^overlap: .* is longer than 200 years: write a shorter time, like 90d$"):
            seconds(value, "overlap")
        with pytest.raises(InputError, match=r"^renew_before: .* is longer than 200 years: write"):
            share_or_seconds(value, "renew_before")


def test_the_longest_can_be_counted_with_in_both_directions_and_holds_every_lifetime_of_a_token() -> None:
    longest = timedelta(seconds=seconds("73000d", "option"))
    for year in (2000, 9000):
        day = datetime(year, 1, 1, tzinfo=timezone.utc)
        assert rfc3339(day - longest) < rfc3339(day) < rfc3339(day + longest)
    assert seconds(LONGEST_LIFETIME, "option") == LONGEST_LIFETIME


@pytest.mark.parametrize(
    ("value", "expected"), [(3600, 3600), ("3600", 3600), (" 8h\n", 28800), ("007d", 604800), (0, 0)]
)
def test_a_duration(value: object, expected: int) -> None:
    assert seconds(value, "option") == expected


NO_DURATIONS = [
    "",
    " ",
    "h",
    "1.5h",
    1.5,
    "1e3",
    "-1",
    -1,
    "+1",
    "8H",
    "8 h",
    "8h30m",
    "1w",
    "20%",
    None,
    True,
    [],
    "\u0661\u0662",
    "9" * 19,
    "9" * 5000 + "d",
]


@pytest.mark.parametrize("value", NO_DURATIONS, ids=repr)
def test_what_is_no_duration(value: object) -> None:
    with pytest.raises(InputError, match=r"^expiration_seconds: .* is not a duration: write whole seconds or 90s, 30m"):
        seconds(value, "expiration_seconds")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("20%", 0.2), ("0%", 0.0), ("100%", 1.0), ("12.5%", 0.125), (" 20% ", 0.2), ("90s", 90), ("1h", 3600), (7, 7)],
)
def test_a_share_is_a_float_and_a_duration_an_int(value: object, expected: float | int) -> None:
    found = share_or_seconds(value, "renew_before")
    assert found == pytest.approx(expected)
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("101%", "renew_before: '101%' is more than 100%: write a percentage between 0% and 100%"),
        ("9" * 400 + "%", "is more than 100%"),
        ("-5%", "renew_before: '-5%' is not a duration: write a percentage (20%), whole seconds or 90s"),
        ("%", "is not a duration: write a percentage"),
        ("20%%", "is not a duration: write a percentage"),
        ("20% 1h", "is not a duration: write a percentage"),
        ("5 %", "is not a duration: write a percentage"),
        (0.2, "renew_before: 0.2 is not a duration: write a percentage"),
        (True, "renew_before: True is not a duration: write a percentage"),
        (None, "renew_before: None is not a duration: write a percentage"),
    ],
)
def test_what_is_neither_share_nor_duration(value: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        share_or_seconds(value, "renew_before")
    assert message in str(caught.value)


NEW_YEAR = datetime(2027, 1, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "value",
    [
        "2027-01-01T00:00:00Z",
        "2027-01-01T00:00:00z",
        "2027-01-01 00:00:00Z",
        "2027-01-01T00:00:00+00:00",
        "2027-01-01T01:00:00+01:00",
        "2026-12-31T19:00:00-05:00",
        "2027-01-01T00:00:00.000Z",
        "2027-01-01T00:00:00.0Z",
        "2027-01-01T00:00:00.000000000Z",
        "2027-01-01t00:00:00-00:00",
        " 2027-01-01T00:00:00Z\n",
        NEW_YEAR,
        NEW_YEAR.astimezone(timezone(timedelta(hours=5, minutes=30))),
    ],
    ids=str,
)
def test_an_instant_is_in_utc(value: object) -> None:
    found = instant(value, "expires_at")
    assert found == NEW_YEAR
    assert found.tzinfo is timezone.utc
    assert rfc3339(found) == "2027-01-01T00:00:00Z"


NO_INSTANTS = [
    "",
    "tomorrow",
    "2027-01-01",
    date(2027, 1, 1),
    "2027-01-01T00:00:00",  # a local time is another instant on every machine
    datetime(2027, 1, 1),  # noqa: DTZ001 - without an offset, as YAML reads it
    "2027-13-01T00:00:00Z",
    "2027-02-29T00:00:00Z",
    "2027-01-01T25:00:00Z",
    # one Python or another would take these
    "2027-01-01T24:00:00Z",
    "2027-01-01T00:00Z",
    "2027-01-01T00Z",
    "20270101T000000Z",
    "2027-W01-1T00:00:00Z",
    "2027-01-01T00:00:00+0100",
    "2027-01-01T00:00:00+01",
    "2027-01-01T00:00:00+01:00:30",
    "2027-01-01T00:00:00,5Z",
    "2027-01-01T00:00:00.Z",
    "2027-01-01_00:00:00Z",
    "2027-01-01T00:00:00+24:00",
    "2027-01-01T00:00:00+00:60",
    "2027-01-01T00:00:60Z",
    "\u0662027-01-01T00:00:00Z",
    "0000-01-01T00:00:00Z",
    "0001-01-01T00:00:00+01:00",  # before the first year of UTC
    "9999-12-31T23:59:59-01:00",  # after its last
    1800000000,
    None,
    True,
    ["2027-01-01T00:00:00Z"],
]


@pytest.mark.parametrize("value", NO_INSTANTS, ids=repr)
def test_what_is_no_instant(value: object) -> None:
    with pytest.raises(InputError, match=r"^expires_at: .* is not an RFC 3339 time: write it like 2027-01-31T"):
        instant(value, "expires_at")


@pytest.mark.parametrize(
    ("fraction", "microseconds"),
    [("5", 500000), ("123456", 123456), ("123456789", 123456), ("000001", 1), ("04", 40000)],
)
def test_fractions_are_read_to_the_microsecond(fraction: str, microseconds: int) -> None:
    assert instant(f"2027-01-01T00:00:00.{fraction}Z", "option") == NEW_YEAR.replace(microsecond=microseconds)


offsets = st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(
    lambda offset: timezone(timedelta(minutes=offset // timedelta(minutes=1)))
)


@given(st.datetimes(datetime(1970, 1, 2), datetime(9999, 12, 30), timezones=offsets))  # noqa: DTZ001 - see timezones
def test_what_is_written_is_read_again_to_the_second(moment: datetime) -> None:
    assert instant(rfc3339(moment), "option") == moment.replace(microsecond=0)
    assert instant(moment.isoformat(), "option") == moment


@given(yaml_data | any_text)
def test_anything_is_read_or_refused(value: Any) -> None:
    for read in (seconds, share_or_seconds, instant):
        with suppress(InputError):
            read(value, "option")
