# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a token back: delete what it is bound to, see the server refuse it, clear its places.

Only a token with a handle can be taken back. Of any other it is said until when it lives. Source: KEP-1205.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from enum import Enum

from ._claims import Claims, read_claims, read_legacy_claims
from ._durations import rfc3339
from ._errors import ApiError, ProvisionError
from ._handles import Generation, Handle, is_of
from ._kinds import SECRET
from ._lifetime import Record
from ._plan import Outcome
from ._reviews import Reviewer
from ._sinks import Sink, as_result, left_behind
from ._token_desired import DesiredToken
from ._token_info import fingerprint

REVOKED = "revoked"


class Fate(Enum):
    """What became of a token."""

    REVOKED = "revoked"
    ALIVE = "alive"
    EXPIRED = "expired"
    UNKNOWN = "unknown"


class Revoker:
    """Takes one token of a task back; fills the outcome."""

    def __init__(
        self, desired: DesiredToken, sinks: Sequence[Sink], outcome: Outcome, *, handle: Handle | None, uid: str | None
    ) -> None:
        """Say what is to be taken back.

        Args:
            desired: the token.
            sinks: its places.
            outcome: to be filled.
            handle: its handle, if it has one.
            uid: of the live account; empty: there is none; None: the caller may not know.
        """
        self._desired = desired
        self._sinks = sinks
        self._outcome = outcome
        self._handle = handle
        self._uid = uid
        self._cleared: list[Sink] = []
        self._refused: list[ProvisionError] = []
        self._waited: list[float] = []
        self._would = "is"

    def revoke(self, reviewer: Reviewer) -> None:
        """Do it: whatever a place may hold, and whatever it may fail with, the rest is taken back all the same.

        Raises:
            ProvisionError: it could not be done, or the server still accepts the token.
        """
        reviewer.check_right(self._desired.verify)
        with ExitStack() as locks:
            occupied = self._locked(self._occupied(), locks)
            tokens = self._tokens(occupied)
            generations = self._generations()
            for generation in generations:
                if self._handle:
                    self._handle.delete(generation)
                self._note_deleted(generation)
            deleted = time.monotonic()
            self._prove(tokens, generations, reviewer)
            if self._has_unseen(tokens, generations, reviewer):
                reviewer.outlast_memory(deleted, self._desired.verify)
            for sink in occupied:
                self._clear(sink)
        self._describe(tokens)
        if self._refused:
            raise self._refused[0]

    def predict(self, reviewer: Reviewer) -> None:
        """Say what would be done."""
        self._would = "would be"
        reviewer.check_right(self._desired.verify)
        occupied = self._occupied()
        tokens = self._tokens(occupied)
        for generation in self._generations():
            self._note_deleted(generation)
        for sink in occupied:
            self._note_cleared(sink)
        self._outcome.returned |= {"revoked": None, "revoked_after_seconds": None, "valid_until": _latest(tokens)}
        self._describe(tokens)
        if self._refused:
            raise self._refused[0]

    def _occupied(self) -> list[Sink]:
        """The places that hold something of ours; one that holds something else is no reason to leave the rest."""
        found = []
        for sink in self._sinks:
            try:
                token = sink.held().token if sink.is_occupied() else None
                claims = read_claims(token) if token else None
                if claims:
                    self._check_account(sink, claims)
                elif token and read_legacy_claims(token) and not self._desired.force:
                    raise _long_lived(sink)
                if sink.is_occupied():
                    found.append(sink)
            except ProvisionError as error:
                self._refused.append(error)
        return found

    def _locked(self, occupied: Sequence[Sink], locks: ExitStack) -> list[Sink]:
        """Those that nobody else holds, in the order of the task; locked in one order everywhere."""
        held = []
        for sink in sorted(occupied, key=lambda one: one.place):
            try:
                locks.enter_context(sink.locked())
                held.append(sink)
            except ProvisionError as error:
                self._refused.append(error)
        return [sink for sink in occupied if sink in held]

    def _clear(self, sink: Sink) -> None:
        try:
            sink.clear()
            self._note_cleared(sink)
        except ProvisionError as error:
            self._refused.append(error)

    def _generations(self) -> list[Generation]:
        return self._handle.read() if self._handle else []

    def _tokens(self, occupied: Sequence[Sink]) -> dict[str, Claims]:
        """The readable tokens in the places, with what they say of themselves."""
        found: dict[str, Claims] = {}
        helds = [(sink, sink.held()) for sink in occupied]
        self._outcome.warn(left_behind(self._sinks, helds))
        for dummy, held in helds:
            claims = read_claims(held.token) if held.token else None
            if held.token and claims:
                self._name_other_handle(held.record)
                found[held.token] = claims
        return found

    def _name_other_handle(self, record: Record | None) -> None:
        """With the place goes the last trace of a handle that the task does not give."""
        other = record.handle if record else None
        if other and other != self._desired.handle:
            place = self._desired.account.place
            text = f"the token of {place} was minted for the handle {other}: only with that can it be taken back"
            self._outcome.warn([text])

    def _check_account(self, sink: Sink, claims: Claims) -> None:
        if not self._is_of_account(claims) and not self._desired.force:
            raise ApiError(
                f"{sink.place} holds a token of {claims.namespace}/{claims.service_account}, "
                f"not of {self._desired.account.place}",
                code="other_account",
                hint="correct the place or the account, or set force",
            )

    def _prove(self, tokens: dict[str, Claims], generations: Sequence[Generation], reviewer: Reviewer) -> None:
        """See for every token whether the server refuses it; wait for those that must die now."""
        deleted = {generation.uid for generation in generations}
        fates = {token: self._fate(token, claims, deleted, reviewer) for token, claims in tokens.items()}
        alive = {token: claims for token, claims in tokens.items() if fates[token] is Fate.ALIVE}
        self._outcome.returned |= {
            "revoked": self._verdict(set(fates.values()), has_deleted=bool(deleted)),
            "revoked_after_seconds": max(self._waited) if self._waited and not alive else None,
            "valid_until": _latest(alive),
        }
        unknown = {token: claims for token, claims in tokens.items() if fates[token] is Fate.UNKNOWN}
        if unknown:
            place, until = self._desired.account.place, _latest(unknown)
            said = (
                f"the API server does not know the token of {place}: its account is gone, or it is of another cluster,"
            )
            self._outcome.warn([f"{said} where it may live until {until}"])

    def _fate(self, token: str, claims: Claims, deleted: Collection[str], reviewer: Reviewer) -> Fate:
        """What became of one token; a refusal proves something only if the token is known to be of this cluster."""
        mode = self._desired.verify
        is_deleted = claims.bound_to is not None and claims.bound_to[2] in deleted
        accepted = reviewer.accepts(token, claims.audiences, mode)
        if claims.expires_at <= reviewer.now():
            return Fate.EXPIRED
        if accepted is None:
            return Fate.REVOKED if is_deleted else Fate.ALIVE
        if accepted and not is_deleted and not self._is_doomed(claims):
            return Fate.ALIVE
        if not accepted and not is_deleted and claims.uid != self._uid:
            return Fate.UNKNOWN
        seconds = reviewer.seconds_until_refused(token, claims.audiences, mode)
        self._waited += [seconds] if seconds is not None else []
        return Fate.REVOKED

    def _verdict(self, fates: Collection[Fate], *, has_deleted: bool) -> bool | None:
        if Fate.ALIVE in fates:
            return False
        if Fate.UNKNOWN in fates:
            return None
        return True if has_deleted or Fate.REVOKED in fates else None

    def _has_unseen(self, tokens: dict[str, Claims], generations: Sequence[Generation], reviewer: Reviewer) -> bool:
        """Whether a token that was still good is in nobody's place, so that its end cannot be watched."""
        seen = {claims.bound_to[2] for claims in tokens.values() if claims.bound_to}
        now = reviewer.now()
        return any(one.uid not in seen and one.expires_at is not None and one.expires_at > now for one in generations)

    def _is_of_account(self, claims: Claims) -> bool:
        account = self._desired.account
        return (claims.namespace, claims.service_account) == (account.namespace, account.name)

    def _is_doomed(self, claims: Claims) -> bool:
        """Whether what the token needs is gone, deleted by us, by a run before this one or by others."""
        is_of_handle = self._handle is not None and is_of(self._handle.name, claims.bound_to)
        return is_of_handle or (self._is_of_account(claims) and self._uid is not None and claims.uid != self._uid)

    def _note_deleted(self, generation: Generation) -> None:
        self._outcome.act("delete", SECRET.name, generation.ref.namespace, generation.ref.name, REVOKED)

    def _note_cleared(self, sink: Sink) -> None:
        self._cleared.append(sink)
        self._outcome.act("delete", sink.kind, sink.namespace, sink.name, REVOKED)

    def _describe(self, tokens: dict[str, Claims]) -> None:
        outcome = self._outcome
        outcome.reason = REVOKED if outcome.changed else "up_to_date"
        outcome.returned["sinks"] = [as_result(sink, changed=sink in self._cleared) for sink in self._sinks]
        outcome.before = next((fingerprint(token, claims) for token, claims in tokens.items()), {})
        outcome.msg = self._sentence()

    def _sentence(self) -> str:
        place, returned = self._desired.account.place, self._outcome.returned
        if not self._outcome.changed:
            return f"nothing is left of the token of {place}"
        if returned["revoked"] is None and not self._handle:
            return f"the token of {place} {self._would} removed from its places"
        if returned["valid_until"] and not self._handle:
            return (
                f"the token of {place} {self._would} removed from its places, but the API server accepts it until "
                f"{returned['valid_until']}: only a token with a handle can be taken back"
            )
        if returned["valid_until"] and returned["revoked"] is False:
            return f"a token of {place} that was not minted for this handle lives until {returned['valid_until']}"
        after = returned["revoked_after_seconds"]
        seen = f"; the API server refused it after {after} s" if after is not None else ""
        return f"the token of {place} {self._would} revoked{seen}"


def _long_lived(sink: Sink) -> ApiError:
    return ApiError(
        f"{sink.place} holds a long-lived token, which lives on without that place",
        code="other_token",
        hint="take it back with k8s_legacy_token, or set force",
    )


def _latest(tokens: dict[str, Claims]) -> str | None:
    return rfc3339(max(claims.expires_at for claims in tokens.values())) if tokens else None
