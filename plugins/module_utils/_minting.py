# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Minting: one TokenRequest, its few repetitions, and what must be right about the answer before it is used.

Every TokenRequest mints a live token, also with dryRun. Source: Kubernetes API, TokenRequest v1; KEP-1205.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ._api import Api, Minted
from ._claims import Claims, read_claims, sha256
from ._durations import instant, rfc3339
from ._errors import AmbiguousError, ConflictError, InputError, ProvisionError
from ._kinds import Object, Ref, uid_of
from ._lifetime import Record
from ._redact import Secrets


@dataclass(frozen=True)
class Order:
    """What is asked for.

    Attributes:
        account: whose token.
        audiences: for whom; empty: the server's default.
        seconds: for how long; None: the server's default.
        handle: the handle it will be bound to, to be remembered.
    """

    account: Ref
    audiences: tuple[str, ...]
    seconds: int | None
    handle: str | None = None


@dataclass(frozen=True)
class Fresh:
    """A token that was just minted; its text is not shown by accident."""

    token: str
    record: Record
    claims: Claims

    def __repr__(self) -> str:
        return f"Fresh({self.claims.credential_id})"


class Mint:
    """Mints for one item of a task."""

    def __init__(self, api: Api, order: Order, secrets: Secrets) -> None:
        self._api = api
        self._order = order
        self._secrets = secrets
        self.warnings: list[str] = []
        # tokens that may exist because an answer was lost
        self.ambiguous = 0

    def __call__(self, account: Object, bound_to: Callable[[Object], Object | None]) -> Fresh:
        """Mint; at most one retry each for something that was recreated meanwhile and for an answer that got lost.

        Args:
            account: the live account.
            bound_to: the C(boundObjectRef) to send for an account, None for none; asked at every attempt.
        """
        ref, bound = self._order.account, bound_to(account)
        try:
            return self._accept(self._request(account, bound))
        except ConflictError:
            current = self._api.get(ref)
            if current is None:
                raise
            return self._accept(self._request(current, bound_to(current)))
        except AmbiguousError:
            self.ambiguous += 1
            self.warnings.append(
                f"the answer to a TokenRequest for {ref.place} was lost: a token nobody knows may live until it expires"
            )
            return self._again(account, bound)

    def _again(self, account: Object, bound_to: Object | None) -> Fresh:
        try:
            return self._accept(self._request(account, bound_to))
        except AmbiguousError:
            self.ambiguous += 1
            raise

    def _request(self, account: Object, bound_to: Object | None) -> Minted:
        spec: dict[str, Any] = {"audiences": list(self._order.audiences)}
        if self._order.seconds is not None:
            spec["expirationSeconds"] = self._order.seconds
        if bound_to:
            spec["boundObjectRef"] = bound_to
        # the uid makes the server refuse an account that was recreated since we read it (Kubernetes 1.34 and later)
        return self._api.mint(self._order.account, {"metadata": {"uid": uid_of(account)}, "spec": spec})

    def _accept(self, minted: Minted) -> Fresh:
        """Check the answer before anything is overwritten with it."""
        order, ref = self._order, self._order.account
        status, spec = minted.request.get("status") or {}, minted.request.get("spec") or {}
        token = status.get("token")
        self._secrets.add(token if isinstance(token, str) else None)
        claims = read_claims(token) if isinstance(token, str) else None
        is_ours = claims is not None and (claims.namespace, claims.service_account) == (ref.namespace, ref.name)
        if not isinstance(token, str) or claims is None or not is_ours:
            raise ProvisionError(
                f"the answer to the TokenRequest for {ref.place} holds no token of that account",
                code="bad_answer",
                hint="see whether a proxy or an admission webhook changes answers",
            )
        audiences = tuple(spec.get("audiences") or claims.audiences)
        until = _until(status.get("expirationTimestamp"), claims)
        self.warnings += [f"the API server says: {text}" for text in minted.warnings]
        record = Record(sha256(token), order.seconds, order.audiences, audiences, until, order.handle)
        return Fresh(token, record, claims)


def _until(said: object, claims: Claims) -> str:
    try:
        return rfc3339(instant(said, "expirationTimestamp"))
    except InputError:
        return rfc3339(claims.expires_at)
