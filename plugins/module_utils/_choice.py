# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which of the stored tokens stays, as far as that can be said without asking the server: pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ._claims import Claims, sha256
from ._durations import rfc3339
from ._lifetime import Record, Wanted, expires_at, judge
from ._plan import UP_TO_DATE

# a token that is good for less is of no use to anybody who would be handed it now
_WORTH_KEEPING = timedelta(seconds=60)


@dataclass(frozen=True)
class Held:
    """What a place holds.

    Attributes:
        token: the stored token; None when there is none (or the place only refers to one).
        record: what is remembered.
        bears_token: False for a kubeconfig that refers to a token file.
        refers_to: the token file that it refers to by now, if it does.
    """

    token: str | None
    record: Record | None
    bears_token: bool = True
    refers_to: str | None = None


@dataclass(frozen=True)
class Stored:
    """A readable token that was found in a place.

    Attributes:
        token: the token.
        record: what was asked for; if nobody knows, the request is assumed to be unchanged.
        claims: what it says of itself.
        reason: the judgement.
    """

    token: str
    record: Record
    claims: Claims
    reason: str

    @property
    def expires_at(self) -> datetime:
        """Until when it may be relied on."""
        return expires_at(self.claims, self.record)

    def is_everywhere(self, helds: Sequence[Held]) -> bool:
        """Whether all places hold this token and no other."""
        return all(held.token == self.token for held in helds if held.bears_token)


@dataclass(frozen=True)
class Judgement:
    """What all places of one token come to.

    Attributes:
        stored: the readable tokens that were found, in the order of the places.
        reason: why a new token is needed if none of the good ones is to be used.
    """

    stored: tuple[Stored, ...]
    reason: str

    @property
    def good(self) -> list[Stored]:
        """The tokens that would do: the one that lives longest first, of equals the one in the first place."""
        return sorted(
            dict.fromkeys(one for one in self.stored if one.reason == UP_TO_DATE), key=lambda one: -_seconds(one)
        )

    def worth_keeping(self, now: datetime) -> Stored | None:
        """The token that may stay a little longer if it cannot be renewed now: its only fault is that it is due."""
        due = [one for one in self.stored if one.reason == "expiring" and one.expires_at - now > _WORTH_KEEPING]
        return max(due, key=_seconds, default=None)


def _seconds(stored: Stored) -> float:
    return stored.expires_at.timestamp()


def judge_all(helds: Sequence[Held], wanted: Wanted, now: datetime) -> Judgement:
    """Judge what the places hold.

    Args:
        helds: what each place holds.
        wanted: the token that should be there.
        now: the server's time.
    """
    bearing = [held for held in helds if held.bears_token]
    judged = [(held, judge(held.token, held.record, wanted, now)) for held in bearing]
    stored = tuple(
        Stored(held.token, _known(held.token, bearing, wanted, verdict.claims), verdict.claims, verdict.reason)
        for held, verdict in judged
        if held.token and verdict.claims
    )
    return Judgement(stored, _why([verdict.reason for dummy, verdict in judged]))


def _why(reasons: Sequence[str]) -> str:
    """Why a new token is needed, by what is said of each place."""
    bad = [reason for reason in reasons if reason != UP_TO_DATE]
    if reasons and not bad:
        return "sink_changed"  # all would do, but they are not the same
    # a place that is empty says less than a token that will not do
    return next((reason for reason in bad if reason != "missing"), "missing")


def _known(token: str, bearing: Sequence[Held], wanted: Wanted, claims: Claims) -> Record:
    """The record that goes with the token; without one the request is assumed to be unchanged."""
    for held in bearing:
        if held.record and held.record.sha256 == sha256(token):
            return held.record
    return Record(
        sha256(token), wanted.seconds, wanted.audiences, claims.audiences, rfc3339(claims.expires_at), wanted.handle
    )
