# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Durations and instants as users write them."""

from __future__ import annotations

import re
from datetime import datetime, timezone

from ._errors import InputError

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"([0-9]+)([smhd]?)")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")


def seconds(value: object, option: str) -> int:
    """Whole seconds of C(3600), C("90s"), C("30m"), C("8h") or C("7d").

    Raises:
        InputError: it is none of these.
    """
    match = _DURATION.fullmatch(str(value).strip()) if not isinstance(value, bool) else None
    if not match:
        raise InputError(f"{option}: {value!r} is not a duration", "write whole seconds or 90s, 30m, 8h, 7d")
    return int(match.group(1)) * _UNITS[match.group(2) or "s"]


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
    try:
        # datetime.fromisoformat learned the trailing Z only in Python 3.11
        return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        return None


def rfc3339(moment: datetime) -> str:
    """The API's spelling: UTC, whole seconds, trailing Z."""
    return moment.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
