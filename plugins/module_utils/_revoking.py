# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking a token back: delete what it is bound to, see the server refuse it, clear its places.

Only a token with a handle can be taken back. Of any other it is said until when it lives. Source: KEP-1205.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack

from ._claims import Claims, read_claims
from ._durations import rfc3339
from ._errors import ApiError
from ._handles import Generation, Handle, is_of
from ._kinds import SECRET
from ._lifetime import Record
from ._plan import Outcome
from ._reviews import Reviewer
from ._sinks import Sink, as_result
from ._token_desired import DesiredToken
from ._token_info import fingerprint

REVOKED = "revoked"


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
        self._would = "is"

    def revoke(self, reviewer: Reviewer) -> None:
        """Do it.

        Raises:
            ProvisionError: it could not be done, or the server still accepts the token.
        """
        with ExitStack() as locks:
            occupied = [sink for sink in self._sinks if sink.is_occupied()]
            for sink in sorted(occupied, key=lambda one: one.place):
                locks.enter_context(sink.locked())
            tokens = self._tokens()
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
                sink.clear()
                self._note_cleared(sink)
        self._describe(tokens)

    def predict(self) -> None:
        """Say what would be done."""
        self._would = "would be"
        tokens = self._tokens()
        for generation in self._generations():
            self._note_deleted(generation)
        for sink in self._sinks:
            if sink.is_occupied():
                self._note_cleared(sink)
        self._outcome.returned |= {"revoked": None, "revoked_after_seconds": None, "valid_until": _latest(tokens)}
        self._describe(tokens)

    def _generations(self) -> list[Generation]:
        return self._handle.read() if self._handle else []

    def _tokens(self) -> dict[str, Claims]:
        """The readable tokens in the places, with what they say of themselves.

        Raises:
            ApiError: one is another account's.
        """
        found: dict[str, Claims] = {}
        for sink in self._sinks:
            held = sink.held()
            token = held.token
            claims = read_claims(token) if token else None
            if token and claims:
                self._check_account(sink, claims)
                self._name_other_handle(held.record)
                found[token] = claims
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
        alive: dict[str, Claims] = {}
        waited: list[float | None] = []
        for token, claims in tokens.items():
            if self._is_doomed(claims):
                waited.append(reviewer.seconds_until_refused(token, claims.audiences, self._desired.verify))
            elif reviewer.accepts(token, claims.audiences, self._desired.verify) is not False:
                alive[token] = claims
        known = [seconds for seconds in waited if seconds is not None]
        self._outcome.returned |= {
            "revoked": not alive if tokens or generations else None,
            "revoked_after_seconds": max(known) if known and len(known) == len(waited) else None,
            "valid_until": _latest(alive),
        }

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


def _latest(tokens: dict[str, Claims]) -> str | None:
    return rfc3339(max(claims.expires_at for claims in tokens.values())) if tokens else None
