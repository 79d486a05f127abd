# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a stored token still does, and if not, why.

TokenRequest mints at every call, so idempotence is this judgement: pure, on the server's clock, a word for every
outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from typing import Any

from ._claims import Claims, read_claims, sha256
from ._durations import instant, rfc3339
from ._errors import InputError
from ._plan import UP_TO_DATE

# larger shares would renew a token for most of its life
_LARGEST_SHARE = 0.5


@dataclass(frozen=True)
class Record:
    """What is remembered beside a stored token, because the token does not say it.

    Attributes:
        sha256: which token this is about.
        requested_seconds: the lifetime asked for; None: the server's default.
        requested_audiences: the audiences asked for; empty: the server's default.
        audiences: the audiences the server granted.
        expires_at: C(status.expirationTimestamp), RFC 3339; may be earlier than the C(exp) claim.
    """

    sha256: str
    requested_seconds: int | None
    requested_audiences: tuple[str, ...]
    audiences: tuple[str, ...]
    expires_at: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON and YAML."""
        values = asdict(self)
        return {**values, "requested_audiences": list(self.requested_audiences), "audiences": list(self.audiences)}

    @classmethod
    def from_dict(cls, values: object) -> Record | None:
        """The record, or None when the values are none of ours (or damaged)."""
        if not isinstance(values, Mapping):
            return None
        try:
            return cls(
                sha256=str(values["sha256"]),
                requested_seconds=_whole(values["requested_seconds"]),
                requested_audiences=_texts(values["requested_audiences"]),
                audiences=_texts(values["audiences"]),
                expires_at=rfc3339(instant(values["expires_at"], "expires_at")),
            )
        except (KeyError, TypeError, ValueError, InputError):
            return None


def _whole(value: object) -> int | None:
    """A number of seconds as we write it: JSON also knows fractions, Infinity and NaN."""
    if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
        raise TypeError("no whole number")
    return value


def _texts(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        raise TypeError("no list")
    return tuple(map(str, value))


@dataclass(frozen=True)
class Wanted:
    """The token that should be there.

    Attributes:
        namespace: of the account.
        service_account: its name.
        uid: the live account's uid.
        audiences: as requested; empty: the server's default.
        seconds: lifetime as requested; None: the server's default.
        renew_before: share of the granted lifetime (float), or seconds (int).
    """

    namespace: str
    service_account: str
    uid: str
    audiences: tuple[str, ...]
    seconds: int | None
    renew_before: float | int


@dataclass(frozen=True)
class Verdict:
    """A judgement.

    Attributes:
        reason: C(up_to_date) or why a new token is needed.
        claims: of the stored token, if it is one.
        renew_at: when it will be due.
    """

    reason: str
    claims: Claims | None = None
    renew_at: datetime | None = None

    @property
    def is_good(self) -> bool:
        """Whether the stored token is to be kept."""
        return self.reason == UP_TO_DATE


def judge(token: str | None, record: Record | None, wanted: Wanted, now: datetime) -> Verdict:
    """The reuse predicate.

    Args:
        token: the stored token; None when nothing is stored.
        record: what was remembered; used only if it is about this very token, else the request is assumed unchanged.
        wanted: the token that should be there.
        now: the server's time.
    """
    if not token:
        return Verdict("missing")
    claims = read_claims(token)
    if claims is None or claims.expires_at <= claims.issued_at:
        # no server mints a token that was never good; a share of its lifetime means nothing
        return Verdict("unreadable")
    if record is not None and record.sha256 != sha256(token):
        record = None
    due = renew_at(claims, record, wanted.renew_before)
    return Verdict(_reason(claims, record, wanted, is_due=now >= due), claims, due)


def _reason(claims: Claims, record: Record | None, wanted: Wanted, *, is_due: bool) -> str:
    if (claims.namespace, claims.service_account) != (wanted.namespace, wanted.service_account):
        return "other_account"
    if claims.uid != wanted.uid:
        return "account_recreated"
    if claims.bound_to is not None:
        return "binding_changed"
    if not _same_audiences(claims, record, wanted.audiences):
        return "audience_changed"
    if record is not None and record.requested_seconds != wanted.seconds:
        return "lifetime_changed"
    return "expiring" if is_due else UP_TO_DATE


def _same_audiences(claims: Claims, record: Record | None, wanted: tuple[str, ...]) -> bool:
    """Order and duplicates mean nothing; asking for none is the server's default, which only the record knows."""
    if record is not None and set(record.requested_audiences) != set(wanted):
        return False
    if wanted:
        return set(claims.audiences) == set(wanted)
    return record is None or set(claims.audiences) == set(record.audiences)


def expires_at(claims: Claims, record: Record | None) -> datetime:
    """The instant from which the token must not be relied on: the earliest of what is known."""
    known = [claims.expires_at]
    if claims.warn_after:
        known.append(claims.warn_after)
    if record:
        known.append(instant(record.expires_at, "expires_at"))
    return min(known)


def granted_seconds(claims: Claims, record: Record | None) -> int:
    """The lifetime the server gave."""
    return int((expires_at(claims, record) - claims.issued_at).total_seconds())


def renew_at(claims: Claims, record: Record | None, renew_before: float | int) -> datetime:
    """When the token is due."""
    granted = granted_seconds(claims, record)
    return expires_at(claims, record) - timedelta(seconds=margin(granted, renew_before))


def margin(granted: int, renew_before: float | int) -> float:
    """Seconds before expiry at which to renew: at most half of the granted lifetime; 0 when nothing was granted."""
    asked = granted * renew_before if isinstance(renew_before, float) else renew_before
    return max(0, min(asked, granted * _LARGEST_SHARE))


def is_cut(granted: int, renew_before: float | int) -> bool:
    """Whether renew_before asks for more than is sensible for this lifetime."""
    return margin(granted, renew_before) < (granted * renew_before if isinstance(renew_before, float) else renew_before)
