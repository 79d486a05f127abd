# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rows of Secrets that follow each other: numbers, and when one has had its time."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._generations import (
    following,
    superseded,
    time_of,
)

NOW = datetime(2027, 1, 15, 8, tzinfo=timezone.utc)


@pytest.mark.parametrize(("numbers", "coming"), [((), 1), ((1,), 2), ((3, 1), 4)])
def test_a_number_is_not_used_twice(numbers: tuple[int, ...], coming: int) -> None:
    assert following(numbers) == coming


@pytest.mark.parametrize(
    ("ago", "overlap", "verb"),
    [
        (None, None, "patch"), (None, 300, "patch"), (None, 0, "delete"),
        (9000, None, None), (299, 300, None), (300, 300, "delete"), (0, 0, "delete"),
    ],
)  # fmt: skip
def test_when_one_has_had_its_time(ago: int | None, overlap: int | None, verb: str | None) -> None:
    since = None if ago is None else NOW - timedelta(seconds=ago)
    assert superseded(since, overlap, NOW) == verb


@pytest.mark.parametrize(
    ("text", "time"), [("2027-01-15T08:00:00Z", NOW), (None, None), ("", None), ("soon", None), ("2027-01-15", None)]
)
def test_a_time_that_somebody_else_wrote_is_none(text: str | None, time: datetime | None) -> None:
    assert time_of(text) == time
