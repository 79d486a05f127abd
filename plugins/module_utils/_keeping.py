# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping one token good in all its places: look, choose, mint if need be, prove it, store it, retire the old one.

The order is what makes it safe: whatever can fail without a token fails before one is minted, nothing is overwritten
before the new token was accepted, and nothing is taken back before the new one is everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ._api import Api
from ._binders import Binder
from ._choice import Held, Judgement, Stored, judge_all
from ._errors import AmbiguousError, ApiError, OvertakenError, ProvisionError
from ._kinds import Object, uid_of
from ._lifetime import Wanted
from ._minting import Fresh, Mint
from ._plan import UP_TO_DATE, Outcome
from ._reviews import Reviewer
from ._sinks import Sink, Store, as_result, left_behind
from ._token_desired import DesiredToken
from ._token_info import describe, fingerprint, notes

# how often other runs may store their token in the same place first
_ROUNDS = 5


@dataclass(frozen=True)
class Scene:
    """What was found: the token that should be there, and what the places hold, in their order."""

    wanted: Wanted
    helds: Sequence[Held]


@dataclass(frozen=True)
class Choice:
    """What is to be done.

    Attributes:
        reason: why.
        kept: the stored token that stays; None: mint one.
        verified: whether the server accepts it.
        judgement: what it was chosen from.
    """

    reason: str
    kept: Stored | None
    verified: bool | None
    judgement: Judgement

    @property
    def before(self) -> Stored | None:
        """The token that was there before, for the diff."""
        stored = (self.kept,) if self.kept else self.judgement.stored
        return stored[0] if stored else None


class Keeper:
    """Keeps one token of a task good; fills the outcome."""

    def __init__(
        self, api: Api, desired: DesiredToken, sinks: Sequence[Sink], outcome: Outcome, *, binder: Binder, mint: Mint
    ) -> None:
        self._api = api
        self._desired = desired
        self._sinks = sinks
        self._outcome = outcome
        self._binder = binder
        self._mint = mint
        self._written: list[Sink] = []
        self._minted = ""
        self._would = ""
        outcome.returned |= {"verified": None, "renewal_failed": False, "ambiguous_mints": 0}

    def keep(self, account: Object, reviewer: Reviewer) -> None:
        """Do it.

        Raises:
            ProvisionError: it could not be done; what was done before is in the outcome.
        """
        with ExitStack() as locks:
            # in one order everywhere, so that two plays never wait for each other
            for sink in sorted(self._sinks, key=lambda one: one.place):
                locks.enter_context(sink.locked())
            # a place in the cluster has no lock: whoever comes second looks again and finds the other one's token
            for remaining in reversed(range(_ROUNDS)):
                try:
                    self._converge(account, reviewer)
                    return
                except OvertakenError:
                    if not remaining:
                        raise

    def predict(self, account: Object | None, reviewer: Reviewer) -> None:
        """Say what would be done.

        Args:
            account: the account; None if it does not exist yet.
            reviewer: asks the server about stored tokens.
        """
        self._would = "would be "
        if account is None:
            missing = f"{self._desired.account} does not exist yet: it must be there when its token is minted"
            self._outcome.warn([missing])
        scene = self._look(account, check_mode=True)
        choice = self._choose(scene, reviewer)
        kept = choice.kept
        changing = self._unfit(kept) if kept else list(self._sinks)
        for sink in changing:
            self._outcome.warn(sink.rehearse())
        self._begin(scene, choice)
        if not kept:
            reviewer.check_right(self._desired.verify)
            self._binder.predict_reference()
            self._note_minting()
            self._binder.predict_minted()
        for sink in sorted(changing, key=_order):
            self._note_stored(sink)
        self._binder.predict_retiring(kept.claims if kept else None)
        self._outcome.returned["verified"] = choice.verified
        if kept:
            self._outcome.warn(notes(scene.wanted, self._desired.account.place, kept.record, kept.claims))
        self._describe(scene, kept)

    def _look(self, account: Object | None, *, check_mode: bool) -> Scene:
        bindings = self._binder.look(check_mode=check_mode)
        return Scene(self._desired.wanted(uid_of(account), bindings), [sink.held() for sink in self._sinks])

    def _choose(self, scene: Scene, reviewer: Reviewer) -> Choice:
        """The stored token that stays, or why none does."""
        judgement = judge_all(scene.helds, scene.wanted, self._api.connection.now())
        reason = judgement.reason
        for candidate in judgement.good:
            verified = reviewer.accepts(candidate.token, self._desired.audiences, self._desired.verify)
            if verified is False:
                reason = "rejected"
                continue
            # a token is carried to another place only if the server was seen to accept it
            if verified or candidate.is_everywhere(scene.helds):
                return Choice("sink_changed" if self._unfit(candidate) else UP_TO_DATE, candidate, verified, judgement)
            break
        return Choice(reason, None, None, judgement)

    def _unfit(self, kept: Stored) -> list[Sink]:
        return [sink for sink in self._sinks if not sink.fits(kept.token, kept.record)]

    def _converge(self, account: Object, reviewer: Reviewer) -> None:
        scene = self._look(account, check_mode=False)
        choice = self._choose(scene, reviewer)
        self._begin(scene, choice)
        kept = choice.kept
        if kept:
            self._spread(kept, choice)
            self._finish(scene, kept)
            return
        fresh = self._renew(scene, choice, account, reviewer)
        if fresh:
            self._finish(scene, fresh)

    def _spread(self, kept: Stored, choice: Choice) -> None:
        """Bring the token to the places that do not hold it as they should."""
        unfit = self._unfit(kept)
        with ExitStack() as stack:
            stores = [(sink, stack.enter_context(sink.prepared())) for sink in unfit]
            for sink in unfit:
                sink.try_out(kept.token)
            self._store(stores, kept)
        self._outcome.returned["verified"] = choice.verified
        self._binder.retire(kept.claims)

    def _renew(self, scene: Scene, choice: Choice, account: Object, reviewer: Reviewer) -> Fresh | None:
        """A new token in all places; None if it could not be had and the old one may stay."""
        with ExitStack() as stack:
            try:
                # everything that can fail without a token fails here, before one is minted
                reviewer.check_right(self._desired.verify)
                stores = [(sink, stack.enter_context(sink.prepared())) for sink in self._sinks]
                fresh = self._obtain(account, reviewer)
            except ProvisionError as error:
                self._leave(scene, choice, error)
                return None
            self._store(stores, fresh)
        self._binder.retire(fresh.claims)
        return fresh

    def _obtain(self, account: Object, reviewer: Reviewer) -> Fresh:
        """A new token that the server accepts."""
        fresh: Fresh | None = None
        try:
            fresh = self._mint(account, self._binder.reference)
            self._minted = fresh.token
            self._note_minting()
            self._binder.minted(fresh)
            self._prove(fresh, reviewer)
        except ProvisionError as error:
            if not self._binder.given_up() and fresh:
                error.adding(f"the token that was minted for it is not used and lives until {fresh.record.expires_at}")
            raise
        finally:
            self._outcome.warn(self._mint.warnings)
            self._outcome.returned["ambiguous_mints"] = self._mint.ambiguous
        return fresh

    def _prove(self, fresh: Fresh, reviewer: Reviewer) -> None:
        """Nothing is overwritten with a token that is not accepted."""
        item = self._desired
        verified = reviewer.accepts_new(fresh.token, item.audiences, item.verify)
        if verified is False:
            raise ApiError(
                f"the API server does not accept the token it just minted for {item.account.place}",
                code="not_accepted",
                hint="see whether its signing and verification keys match; with verify: never it is stored unseen",
            )
        self._outcome.returned["verified"] = verified
        for sink in self._sinks:
            sink.try_out(fresh.token)

    def _leave(self, scene: Scene, choice: Choice, error: ProvisionError) -> None:
        """Leave a token that is only due where it is, if what went wrong will pass.

        Raises:
            ProvisionError: it must not stay.
        """
        old = choice.judgement.worth_keeping(self._api.connection.now()) if choice.reason == "expiring" else None
        if old is None or self._desired.strict_renewal or not error.is_transient:
            raise error
        self._outcome.returned["renewal_failed"] = True
        self._outcome.reason = "expiring"
        self._outcome.warn(
            [f"the token of {self._desired.account.place} could not be renewed and stays for now: {error}"]
        )
        self._finish(scene, old)

    def _store(self, stores: Sequence[tuple[Sink, Store]], token: Stored | Fresh) -> None:
        """Places in the cluster first: there another run may have been faster, which is nobody's loss yet."""
        for sink, store in sorted(stores, key=lambda pair: _order(pair[0])):
            try:
                store(token.token, token.record)
            except ProvisionError as error:
                if isinstance(token, Fresh) and not self._written:
                    self._mourn(error, token)
                raise
            self._note_stored(sink)

    def _mourn(self, error: ProvisionError, fresh: Fresh) -> None:
        """The new token got nowhere, as far as is known: take it back, or say so."""
        if isinstance(error, AmbiguousError) or self._binder.given_up():
            return
        place, until = self._desired.account.place, fresh.record.expires_at
        if isinstance(error, OvertakenError):
            self._outcome.warn(
                [f"another run stored a token of {place} first; ours is not used and lives until {until}"]
            )
        else:
            error.adding(f"the new token is lost and lives until {until}")

    # what is said

    def _begin(self, scene: Scene, choice: Choice) -> None:
        self._outcome.reason = choice.reason
        before = choice.before
        self._outcome.before = fingerprint(before.token, before.claims) if before else {}
        left = before.record.handle if before else None
        if left and left != self._desired.handle:
            place = self._desired.account.place
            text = f"handle {left} of {place} is out of use, but its tokens live on: state: absent takes them back"
            self._outcome.warn([text])
        self._outcome.warn(left_behind(self._sinks, zip(self._sinks, scene.helds, strict=True)))

    def _note_minting(self) -> None:
        self._outcome.act("create", "TokenRequest", self._desired.account.namespace, self._desired.account.name)

    def _note_stored(self, sink: Sink) -> None:
        self._written.append(sink)
        self._outcome.act("update", sink.kind, sink.namespace, sink.name)

    def _finish(self, scene: Scene, token: Stored | Fresh) -> None:
        self._describe(scene, token)
        self._outcome.warn(notes(scene.wanted, self._desired.account.place, token.record, token.claims))
        if self._desired.return_token:
            self._outcome.returned |= {"token": token.token, "auth": self._auth(token.token)}

    def _auth(self, token: str) -> dict[str, Any]:
        endpoint = self._api.connection.endpoint
        auth: dict[str, Any] = {"host": endpoint.server, "api_key": token}
        return {**auth, "ca_cert": endpoint.ca_file} if endpoint.ca_file else auth

    def _describe(self, scene: Scene, token: Stored | Fresh | None) -> None:
        """The token; None: it is still to be minted."""
        outcome = self._outcome
        outcome.returned["token_info"] = describe(scene.wanted, token)
        outcome.returned["sinks"] = [as_result(sink, changed=sink in self._written) for sink in self._sinks]
        outcome.after = fingerprint(token.token, token.claims) if token else {"token": "to be minted"}
        if outcome.changed and outcome.reason == UP_TO_DATE:
            # all that happened is that an older generation's time had come
            outcome.reason = str(outcome.actions[0]["reason"])
        is_ours = token is None or token.token == self._minted
        outcome.msg = self._sentence(is_ours=is_ours)

    def _sentence(self, *, is_ours: bool) -> str:
        """What was done; C(is_ours) if the token that is there is one that was, or would be, minted for it."""
        outcome, place = self._outcome, self._desired.account.place
        expiry = outcome.returned["token_info"]["expires_at"]
        until = f", good until {expiry}" if expiry else ""
        if outcome.returned["renewal_failed"]:
            return f"the token of {place} could not be renewed and stays{until}"
        if not outcome.changed:
            return f"the token of {place} is up to date{until}"
        if is_ours:
            return f"a token for {place} {self._would or 'is '}minted ({outcome.reason}){until}"
        if self._minted:
            return f"another run was faster: the token of {place} is the one it stored{until}"
        what = "places" if any(sink in self._written for sink in self._sinks) else "older tokens"
        return f"the {what} of the token of {place} {self._would or 'are '}put right ({outcome.reason}){until}"


def _order(sink: Sink) -> bool:
    """Places in the cluster come first."""
    return sink.type != "secret"
