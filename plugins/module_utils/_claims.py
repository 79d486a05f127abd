# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a service account token says of itself, read without checking its signature.

Enough to judge one's own stored token; whether a token is accepted only the server can say.
Source: Kubernetes' claim layout (pkg/serviceaccount/claims.go), KEP-1205 and KEP-4193.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any, TypeAlias

# kind, name and uid of what a token is bound to
Binding: TypeAlias = tuple[str, str, str]

_SUBJECT = "system:serviceaccount:"
# the issuer of long-lived tokens, and what the names of their claims begin with
_LEGACY_ISSUER = "kubernetes/serviceaccount"
_LEGACY_PREFIX = "kubernetes.io/serviceaccount"


@dataclass(frozen=True)
class Claims:
    """The claims of a TokenRequest token.

    Attributes:
        namespace: of the account.
        service_account: its name.
        uid: its uid.
        audiences: in the order of the token.
        issued_at: UTC.
        expires_at: the C(exp) claim, UTC.
        warn_after: when an extended token should have been replaced (the 3607 second rule), UTC.
        credential_id: the C(jti) claim; None before Kubernetes 1.30.
        bound_to: what it dies with.
    """

    namespace: str
    service_account: str
    uid: str
    audiences: tuple[str, ...]
    issued_at: datetime
    expires_at: datetime
    warn_after: datetime | None = None
    credential_id: str | None = None
    bound_to: Binding | None = None


def read_claims(token: str) -> Claims | None:
    """The claims, or None when the text is no TokenRequest token."""
    return bound_claims(all_claims(token))


def bound_claims(payload: Mapping[str, Any]) -> Claims | None:
    """The same from the claims as the token spells them."""
    subject = payload.get("sub")
    private = payload.get("kubernetes.io")
    if not isinstance(subject, str) or not subject.startswith(_SUBJECT) or not isinstance(private, Mapping):
        return None
    namespace, name = subject[len(_SUBJECT) :].partition(":")[::2]
    try:
        return Claims(
            namespace=namespace,
            service_account=name,
            uid=str(private["serviceaccount"]["uid"]),
            audiences=_audiences(payload.get("aud")),
            issued_at=_time(payload["iat"]),
            expires_at=_time(payload["exp"]),
            warn_after=_time(private["warnafter"]) if "warnafter" in private else None,
            credential_id=str(payload["jti"]) if "jti" in payload else None,
            bound_to=_bound_to(private),
        )
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return None


@dataclass(frozen=True)
class LegacyClaims:
    """The claims of a long-lived token, which say neither for whom nor until when.

    Attributes:
        namespace: of the account and of the Secret.
        service_account: its name.
        uid: its uid.
        secret: the name of the Secret that the token is in.
    """

    namespace: str
    service_account: str
    uid: str
    secret: str


def read_legacy_claims(token: str) -> LegacyClaims | None:
    """The claims, or None when the text is no long-lived token.

    Source: Kubernetes' pkg/serviceaccount/legacy.go.
    """
    return legacy_claims(all_claims(token))


def legacy_claims(payload: Mapping[str, Any]) -> LegacyClaims | None:
    """The same from the claims as the token spells them."""
    keys = ("namespace", "service-account.name", "service-account.uid", "secret.name")
    values = [payload.get(f"{_LEGACY_PREFIX}/{key}") for key in keys]
    if payload.get("iss") != _LEGACY_ISSUER or not all(isinstance(value, str) and value for value in values):
        return None
    return LegacyClaims(*map(str, values))


def is_account_token(text: str) -> bool:
    """Whether the text is a token of a service account, whichever kind."""
    return read_claims(text) is not None or read_legacy_claims(text) is not None


_TOKEN = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*")


def looks_like_token(text: str) -> bool:
    """Whether the text has the form of a signed token, readable or not."""
    return text.startswith("eyJ") and _TOKEN.fullmatch(text) is not None


def sha256(token: str) -> str:
    """The fingerprint under which a token may be talked about."""
    return hashlib.sha256(token.encode()).hexdigest()


def all_claims(token: str) -> dict[str, Any]:
    """The claims of any signed token (JWT), as it spells them; none if the text is no token.

    Source: RFC 7519; the three parts are those of RFC 7515.
    """
    parts = token.split(".")
    return decoded(parts[1]) if len(parts) == 3 and all(parts) else {}


def decoded(part: str) -> dict[str, Any]:
    """The middle part of a token, which are its claims and nothing that anybody could use; none if it is no such."""
    try:
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, RecursionError):
        return {}
    return payload if isinstance(payload, dict) else {}


def _audiences(value: object) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(str(item) for item in value) if isinstance(value, list) else ()


def _time(value: Any) -> datetime:
    return datetime.fromtimestamp(int(value), tz=timezone.utc)


def _bound_to(private: Mapping[str, Any]) -> Binding | None:
    # a Pod's token also names its node, for information: the Pod is what it is bound to
    for kind in ("Pod", "Secret", "Node"):
        bound = private.get(kind.lower())
        if bound:
            return kind, str(bound["name"]), str(bound.get("uid") or "")
    return None
