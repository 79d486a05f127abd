# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rows of Secrets that follow each other, one for every token: their numbers, and when one has had its time. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from ._durations import instant
from ._errors import InputError

# since when a Secret's successor is in use
SUPERSEDED_AT = "tokenwright/superseded-at"

# what a name ends with; nine digits are more than anybody rotates
NUMBER = r"-([1-9][0-9]{0,8})"

PATCH, DELETE = "patch", "delete"


def following(numbers: Iterable[int]) -> int:
    """The number that was never used as long as one of the row is left."""
    return max(numbers, default=0) + 1


def time_of(text: str | None) -> datetime | None:
    """A time in an annotation; None also for what somebody else wrote there."""
    try:
        return instant(text, "annotation") if text else None
    except InputError:
        return None


def superseded(since: datetime | None, overlap: int | None, now: datetime) -> str | None:
    """What is to be done about one whose successor is in use: note it, take it away, or (None) nothing yet.

    Args:
        since: when the successor came into use, as far as it was noted.
        overlap: seconds for which it stays; None: as long as its token lives.
        now: the server's time.
    """
    if overlap == 0:
        return DELETE
    if since is None:
        return PATCH
    return DELETE if overlap is not None and now >= since + timedelta(seconds=overlap) else None
