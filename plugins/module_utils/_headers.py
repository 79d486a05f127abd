# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What HTTP headers say about time and warnings: pure.

Sources: RFC 9110 (Date, Retry-After), RFC 7234 section 5.5 (Warning).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

Value = TypeVar("Value")

# Beyond these years a clock is broken, and adding a token's lifetime could leave the calendar.
_YEARS = range(1970, 9000)


def date(text: str | None) -> datetime | None:
    """An HTTP date in UTC; None when there is none that can be used."""
    parse: Callable[[str], datetime] = parsedate_to_datetime
    found = _parsed(lambda value: _in_utc(parse(value)), text)
    return found if found and found.year in _YEARS else None


def _in_utc(moment: datetime) -> datetime:
    # the zone -0000 is UTC of which nobody knows the local time: it is read as no zone at all
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, given as such or as the date until which to wait (by the clock of whoever says it)."""
    seconds = _parsed(float, text)
    until = date(text) if seconds is None else None
    if until is not None:
        seconds = (until - now).total_seconds()
    return None if seconds is None else max(0.0, seconds)


def _parsed(parse: Callable[[str], Value], text: str | None) -> Value | None:
    try:
        return parse(text) if text else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


# warn-code, warn-agent, the quoted text and perhaps a quoted date; several of them may share a header
_WARNING = re.compile(r'\d{3} +\S+ +"((?:[^"\\]|\\.)*)"(?: +"[^"]*")?')


def warnings(values: Iterable[str]) -> tuple[str, ...]:
    """The texts of C(299 - "text" "date") Warning headers."""
    return tuple(text for value in values for text in _warning_texts(_from_utf8(value)))


def _warning_texts(value: str) -> list[str]:
    quoted: list[str] = _WARNING.findall(value)
    return [re.sub(r"\\(.)", r"\1", text) for text in quoted] or [value]


def _from_utf8(value: str) -> str:
    """The API server writes UTF-8 into its headers; the HTTP library reads every byte as one character."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
