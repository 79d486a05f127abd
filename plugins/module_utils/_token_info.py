# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be said of a token: C(token_info) and the diff, pure and free of secrets."""

from __future__ import annotations

from typing import Any, Protocol

from ._claims import Claims, sha256
from ._durations import rfc3339
from ._lifetime import Record, Wanted, expires_at, granted_seconds, is_cut, renew_at

# enough of a hash to tell one token from another
_PREFIX = 12


class Known(Protocol):
    """A token, stored or fresh."""

    @property
    def token(self) -> str:
        """The token."""

    @property
    def record(self) -> Record:
        """What was asked for and given."""

    @property
    def claims(self) -> Claims:
        """What it says of itself."""


def describe(wanted: Wanted, known: Known | None) -> dict[str, Any]:
    """C(token_info); of a token that is still to be minted (None), only what is known."""
    claims = known.claims if known else None
    record = known.record if known else None
    granted = granted_seconds(claims, record) if claims else None
    bound_to = claims.bound_to if claims else None
    return {
        "service_account": wanted.service_account,
        "namespace": wanted.namespace,
        "uid": claims.uid if claims else wanted.uid or None,
        "credential_id": claims.credential_id if claims else None,
        "audiences": list(claims.audiences if claims else wanted.audiences),
        "issued_at": rfc3339(claims.issued_at) if claims else None,
        "expires_at": rfc3339(expires_at(claims, record)) if claims else None,
        # what the server accepts, which for a token of 3607 seconds may be a year
        "valid_until": rfc3339(claims.expires_at) if claims else None,
        "renew_at": rfc3339(renew_at(claims, record, wanted.renew_before)) if claims else None,
        "requested_seconds": wanted.seconds,
        "granted_seconds": granted,
        "shortened": wanted.seconds is not None and granted < wanted.seconds if granted is not None else None,
        "bound_object_ref": dict(zip(("kind", "name", "uid"), bound_to, strict=True)) if bound_to else None,
        "handle": wanted.handle,
        "sha256": sha256(known.token) if known else None,
    }


def notes(wanted: Wanted, place: str, record: Record, claims: Claims) -> list[str]:
    """What the user should know about the lifetime that was given."""
    granted = granted_seconds(claims, record)
    found = []
    if is_cut(granted, wanted.renew_before):
        found.append(f"renew_before of {place} is cut to half of the {granted} seconds its token lives")
    if claims.warn_after:
        found.append(
            f"the token of {place} counts as expired at {rfc3339(expires_at(claims, record))}, but the API server "
            f"accepts it until {rfc3339(claims.expires_at)}: ask for another lifetime than 3607 seconds"
        )
    return found


def fingerprint(token: str, claims: Claims) -> dict[str, Any]:
    """What a diff may show of a token."""
    shown = {"credential_id": claims.credential_id, "expires_at": rfc3339(claims.expires_at)}
    return {"token": {**shown, "sha256": sha256(token)[:_PREFIX]}}
