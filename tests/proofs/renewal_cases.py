# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The renewal table: stored tokens of every age and kind, and what is to happen to each. Data, no input or output.

The rule is worked out here anew, from the documentation and not with the code under proof: a token is due at its
expiry minus the smaller of renew_before and half of what was granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

# whoever runs the module has a clock that goes wrong by so many seconds
SKEWS = (-600, 0, 600)

HOUR, DAY, YEAR = 3600, 24 * 3600, 365 * 24 * 3600

# asking for exactly this much is what makes a server extend a Pod's token to a year (warnafter tells when it was due)
WARN_ONLY = 3607


@dataclass(frozen=True)
class Case:
    """A stored token.

    Attributes:
        kind: what is special about it: C(plain), C(capped) (more was requested than the server grants), C(extended)
            (good for a year, due after its C(warnafter)), C(short_status) (the server said an earlier end than C(exp)),
            C(recreated) (its account was made anew), C(rotated_key) (the server does not know its key),
            C(handle) (it is bound to the Secret of a handle), C(handle_recreated) (which was made anew).
        requested: seconds asked for.
        lifetime: seconds it is to be relied on.
        left: seconds until that is over; negative: since.
        renew_before: the option.
        margin: the same in seconds, at most half of the lifetime.
        has_record: whether what was asked for is still remembered.
    """

    kind: str
    requested: int
    lifetime: int
    left: int
    renew_before: str
    margin: int
    has_record: bool = True

    @property
    def expected(self) -> str:
        """The reason the module is to give."""
        if self.kind == "recreated":
            return "account_recreated"
        if self.kind == "handle_recreated":
            return "binding_changed"
        if self.left <= self.margin:
            return "expiring"
        if self.kind == "rotated_key":
            return "rejected"
        return "up_to_date" if self.has_record else "sink_changed"

    @property
    def is_due(self) -> bool:
        """Whether a new token is to be minted."""
        return self.expected not in ("up_to_date", "sink_changed")

    @property
    def is_accepted(self) -> bool:
        """Whether the server still takes it; it forgives a minute after the C(exp) claim."""
        if self.kind in ("recreated", "rotated_key", "handle_recreated"):
            return False
        return self.kind in ("extended", "short_status") or self.left > -_GRACE

    def __str__(self) -> str:
        record = "" if self.has_record else ", record lost"
        return f"{self.kind} token for {self.lifetime} s, {self.left} s left, renew_before {self.renew_before}{record}"


# renew_before, and what it comes to for a lifetime
_MARGINS: dict[str, Callable[[int], int]] = {
    "20%": lambda lifetime: lifetime // 5,
    "5m": lambda lifetime: min(300, lifetime // 2),
    "2h": lambda lifetime: min(7200, lifetime // 2),
    "90%": lambda lifetime: lifetime // 2,
    "0": lambda dummy: 0,
}

# Seconds. What is to be kept has so much time that it does not fall due while a busy machine works on it; what is to be
# refused by the server is over its grace.
EARLY, _LATE, _EXPIRED = 60, 2, -90
_GRACE = 60


def _case(kind: str, lifetime: int, left: int, renew_before: str, **changes: bool | int) -> Case:
    requested = int(changes.get("requested", lifetime))
    margin = _MARGINS[renew_before](lifetime)
    return Case(kind, requested, lifetime, left, renew_before, margin, bool(changes.get("has_record", True)))


def _ages(kind: str, lifetime: int, renew_before: str, **changes: bool | int) -> Iterator[Case]:
    """One token at every age that matters: young, soon due, just due, nearly over, over."""
    margin = _MARGINS[renew_before](lifetime)
    lefts = {lifetime - 10, margin + EARLY, margin - _LATE, _EXPIRED}
    if margin > EARLY:
        lefts.add(EARLY)
    for left in sorted(lefts, reverse=True):
        yield _case(kind, lifetime, left, renew_before, **changes)


def _unsound(kind: str, *, full: bool) -> Iterator[Case]:
    """Tokens that nothing can save, at any age."""
    for left in (HOUR - 10, HOUR // 5 + EARLY, EARLY, _EXPIRED) if full else (HOUR - 10, EARLY):
        yield _case(kind, HOUR, left, "20%")


def cases(*, full: bool) -> list[Case]:
    """The table for a cluster that grants what is asked for."""
    found: list[Case] = []
    for lifetime in (600, HOUR, DAY) if full else (HOUR,):
        for renew_before in ("20%", "5m", "90%", "0") if full else ("20%",):
            found += _ages("plain", lifetime, renew_before)
    found += _ages("extended", WARN_ONLY, "20%")
    if full:
        found += _ages("extended", WARN_ONLY, "20%", has_record=False)
        found += _ages("plain", HOUR, "20%", has_record=False)
        found += _ages("short_status", HOUR, "20%")
    found += _ages("handle", HOUR, "20%")
    for kind in ("recreated", "rotated_key", "handle_recreated"):
        found += _unsound(kind, full=full)
    return found


def capped_cases() -> list[Case]:
    """The table for a cluster that grants an hour at most: a day is asked for."""
    found: list[Case] = []
    for renew_before in ("20%", "2h", "90%"):
        found += _ages("capped", HOUR, renew_before, requested=DAY)
    return found + list(_ages("capped", HOUR, "20%", requested=DAY, has_record=False))
