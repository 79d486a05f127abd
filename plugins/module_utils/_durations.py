# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations and instants as users write them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone

from ._errors import InputError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# more digits are no time that anybody means, and Python refuses to read thousands of them
_DURATION = re.compile(r"([0-9]{1,18})([smhd]?)")
# 200 years: more than any lifetime that the API server takes, and from any day on no overflow of Python's calendar
_LONGEST = 200 * 365 * _UNITS["d"]
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_INSTANT = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.([0-9]+))?"
    r"(?:[Zz]|([+-])([0-9]{2}):([0-5][0-9]))"
)


def seconds(value: object, option: str) -> int:
    """Whole seconds of C(3600), C("90s"), C("30m"), C("8h") or C("7d").

    Raises:
        InputError: it is none of these, or longer than 200 years.
    """
    match = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if not match:
        raise InputError(f"{option}: {value!r} is not a duration", "write whole seconds or 90s, 30m, 8h, 7d")
    found = int(match.group(1)) * _UNITS[match.group(2) or "s"]
    if found > _LONGEST:
        raise InputError(f"{option}: {value!r} is longer than 200 years", "write a shorter time, like 90d")
    return found


def share_or_seconds(value: object, option: str) -> float | int:
    """A percentage as a share between 0 and 1 (float), or a duration in whole seconds (int)."""
    match = _PERCENT.fullmatch(str(value).strip())
    if not match:
        try:
            return seconds(value, option)
        except InputError as error:
            raise InputError(error.what, "write a percentage (20%), whole seconds or 90s, 30m, 8h, 7d") from None
    share = float(match.group(1)) / 100
    if not 0 <= share <= 1:
        raise InputError(f"{option}: {value!r} is more than 100%", "write a percentage between 0% and 100%")
    return share


def instant(value: object, option: str) -> datetime:
    """An RFC 3339 time with its offset.

    Raises:
        InputError: it cannot be read, or says no offset (a local time would mean another instant on every machine).
    """
    if isinstance(value, datetime):
        parsed: datetime | None = value
    else:
        parsed = _parse(str(value).strip())
    try:
        if parsed is not None and parsed.tzinfo is not None:
            return parsed.astimezone(timezone.utc)
    except OverflowError:
        pass  # a year that UTC does not have
    raise InputError(f"{option}: {value!s} is not an RFC 3339 time", "write it like 2027-01-31T00:00:00Z")


def _parse(text: str) -> datetime | None:
    """RFC 3339, to the microsecond; what datetime.fromisoformat takes differs from one Python to the next."""
    match = _INSTANT.fullmatch(text)
    if not match:
        return None
    *date_and_time, fraction, sign, hours, minutes = match.groups()
    offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
    year, month, day, hour, minute, second = map(int, date_and_time)
    microsecond = int((fraction or "")[:6].ljust(6, "0"))
    try:
        zone = timezone(-offset if sign == "-" else offset)
        return datetime(year, month, day, hour, minute, second, microsecond, zone)
    except ValueError:
        return None


def rfc3339(moment: datetime) -> str:
    """The API's spelling: UTC, whole seconds, trailing Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
