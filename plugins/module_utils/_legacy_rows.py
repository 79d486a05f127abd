# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The row of Secrets that one long-lived token is kept in, one for every generation: what each is, what is due. Pure.

The first is called like the row, the others C(<row>-2), C(<row>-3) ...: a Secret that is made anew under its old name
for the same account may hold the very same token again, because its claims hold nothing else and an RSA signature is
always the same. Source: Kubernetes' pkg/serviceaccount/legacy.go.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from ._claims import LegacyClaims
from ._generations import DELETE, NUMBER, PATCH, SUPERSEDED_AT, following, superseded, time_of
from ._kinds import Object
from ._plan import UP_TO_DATE
from ._token_secrets import INVALID_SINCE, TokenSecret

# which row a Secret is in
ROW_LABEL = "tokenwright/legacy-token"
# the value of the server's label that we have set, so that we lift no suspension of somebody else's
SUSPENDED = "tokenwright/suspended"

# what becomes of a generation that has had its time
SUSPEND = "suspend"
ON_RETIRE = (DELETE, SUSPEND)


@dataclass(frozen=True)
class Generation:
    """One Secret of a row; its number is 1 for the one that is called like the row."""

    secret: TokenSecret
    number: int

    @property
    def superseded_at(self) -> datetime | None:
        """Since when a later one is in use."""
        return time_of(self.secret.annotations.get(SUPERSEDED_AT))

    @property
    def is_suspended(self) -> bool:
        """Whether the server refuses its token."""
        return self.secret.invalid_since is not None

    @property
    def is_suspended_by_us(self) -> bool:
        """Whether that is our doing, and may be undone by us."""
        return self.is_suspended and self.secret.annotations.get(SUSPENDED) == self.secret.invalid_since


def number_of(row: str, name: str) -> int | None:
    """Which generation of the row a Secret of that name would be; None: none."""
    if name == row:
        return 1
    match = re.fullmatch(NUMBER, name[len(row) :]) if name.startswith(row) else None
    return int(match[1]) if match and int(match[1]) > 1 else None


def name_of(row: str, number: int) -> str:
    """The name of the Secret with that number."""
    return row if number == 1 else f"{row}-{number}"


def generations(row: str, secrets: Iterable[TokenSecret]) -> list[Generation]:
    """The Secrets of a row, in order: those with its label, or, where there is none, one of its name that has no label.

    Beside those with the label, one without it is somebody else's, whatever it is called.
    """
    named = [
        Generation(secret, number)
        for secret in secrets
        if not secret.is_terminating and (number := number_of(row, secret.ref.name))
    ]
    labelled = [one for one in named if one.secret.labels.get(ROW_LABEL) == row]
    adoptable = [one for one in named if one.number == 1 and ROW_LABEL not in one.secret.labels]
    return sorted(labelled or adoptable, key=lambda one: one.number)


def is_dead(generation: Generation, account_uid: str) -> bool:
    """Whether it is of an account that was there before; an empty uid is one that nobody may know."""
    of = generation.secret.account_uid
    return bool(of and account_uid and of != account_uid)


def head_of(row: Sequence[Generation], account_uid: str) -> Generation | None:
    """The generation in use: the last one that no other has followed."""
    living = [one for one in row if one.superseded_at is None and not is_dead(one, account_uid)]
    return living[-1] if living else None


def rivals_of(head: Generation, row: Iterable[Generation], account_uid: str) -> list[Generation]:
    """Those that are as good as the one in use: a run made it and did not get to where the others are superseded."""
    others = (one for one in row if one.secret.uid != head.secret.uid)
    return [one for one in others if one.superseded_at is None and not is_dead(one, account_uid)]


def why_next(head: Generation | None, rotate_after: int | None, now: datetime) -> str:
    """Why a new generation is needed, or C(up_to_date).

    Args:
        head: the generation in use.
        rotate_after: the age in seconds from which it is to be followed; None: never.
        now: the server's time.
    """
    if head is None:
        return "missing"
    # one that is still to be filled would not be helped by another
    is_due = rotate_after is not None and head.secret.is_filled and head.secret.age(now) >= rotate_after
    return "due" if is_due else UP_TO_DATE


def next_number(row: str, present: Iterable[Generation], stored: Iterable[LegacyClaims], account_uid: str) -> int:
    """A number whose token nobody has seen: not one of the row, nor of a token that is still stored somewhere.

    Args:
        row: the row's name.
        present: its generations.
        stored: the claims of the tokens in the places; their Secrets may have been deleted.
        account_uid: of the live account; a token of another one is no other's twin.
    """
    seen = [number_of(row, claims.secret) or 0 for claims in stored if claims.uid == account_uid]
    return following([*(one.number for one in present), *seen])


@dataclass(frozen=True)
class Retirement:
    """What is to become of a generation that another has followed.

    Attributes:
        verb: C(patch): note since when; C(suspend); C(delete).
        generation: which one.
        reason: why, one machine word.
    """

    verb: str
    generation: Generation
    reason: str


@dataclass(frozen=True)
class Rule:
    """How generations retire: after how many seconds, and whether by C(delete) or C(suspend)."""

    overlap: int
    on_retire: str


def retirements(
    row: Sequence[Generation], head: Generation, account_uid: str, rule: Rule, now: datetime
) -> list[Retirement]:
    """What is to be done about all generations but the one in use, without regard to who uses them."""
    others = (one for one in row if one.secret.uid != head.secret.uid)
    found = [_retirement(one, account_uid, rule, now) for one in others]
    return [retirement for retirement in found if retirement]


def _retirement(one: Generation, account_uid: str, rule: Rule, now: datetime) -> Retirement | None:
    if is_dead(one, account_uid):
        return Retirement(DELETE, one, "account_recreated")
    verb = superseded(one.superseded_at, rule.overlap, now)
    if verb is None or (verb == DELETE and rule.on_retire == SUSPEND and one.is_suspended):
        # what is suspended and was never noted to be superseded would seem to be in use after the next loss
        return Retirement(PATCH, one, "superseded") if verb and one.superseded_at is None else None
    return Retirement(SUSPEND if verb == DELETE and rule.on_retire == SUSPEND else verb, one, "superseded")


def suspension(day: str) -> Object:
    """The metadata that makes the server refuse a token from that day on, and that tells that it was us."""
    return {"labels": {INVALID_SINCE: day}, "annotations": {SUSPENDED: day}}


def missing_labels(generation: Generation, labels: Mapping[str, str]) -> dict[str, str]:
    """The labels that it should carry and does not."""
    return {key: value for key, value in labels.items() if generation.secret.labels.get(key) != value}


def put_right(head: Generation, labels: Mapping[str, str]) -> tuple[Object, str]:
    """The metadata to change at the generation in use, and why; nothing if it is as it should be.

    Args:
        head: the generation.
        labels: what it should carry.
    """
    missing = missing_labels(head, labels)
    lifted: Object = {}
    if head.is_suspended_by_us:
        lifted = {"labels": {INVALID_SINCE: None}, "annotations": {SUSPENDED: None}}
    if not missing and not lifted:
        return {}, UP_TO_DATE
    reason = "lifted" if lifted else "adopted" if ROW_LABEL in missing else "set_changed"
    return {**lifted, "labels": {**lifted.get("labels", {}), **missing}}, reason
