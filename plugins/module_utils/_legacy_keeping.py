# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keeping one long-lived token in its Secret and its places: make it, rotate it, retire the generations before it.

The order is what makes it safe: whatever can fail without a token fails before a Secret is made, nothing is overwritten
before the new token was accepted, and nothing is taken back before the new one is everywhere. A stored token is not
reviewed in every run: the server would note that as its use, and nobody could tell any more whether anybody uses it.
What it would look at is looked at instead: that the Secret is there, is of the live account, and is not suspended.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ._api import Api
from ._choice import Held
from ._claims import LegacyClaims, read_legacy_claims, sha256
from ._durations import rfc3339
from ._errors import ApiError, OvertakenError
from ._generations import PATCH, SUPERSEDED_AT
from ._legacy_desired import DesiredLegacyToken
from ._legacy_ledger import Ledger, coming, named, shown
from ._legacy_rows import (
    ROW_LABEL,
    SUSPEND,
    Generation,
    Retirement,
    head_of,
    missing_labels,
    next_number,
    put_right,
    retirements,
    rivals_of,
    suspension,
    why_next,
)
from ._lifetime import Record
from ._plan import UP_TO_DATE, Outcome
from ._reviews import NEVER, Reviewer
from ._sinks import Sink, as_result

# how often other runs may be faster
_ROUNDS = 5

# what is remembered beside a token of which the server says no time
_UNTIL = "9999-12-31T23:59:59Z"


@dataclass(frozen=True)
class Scene:
    """What was found.

    Attributes:
        uid: of the live account; empty: there is none yet.
        row: the generations.
        head: the one in use; None: there is none.
        reason: why another is needed, or that it is not.
        helds: what the places hold, in their order.
    """

    uid: str
    row: Sequence[Generation]
    head: Generation | None
    reason: str
    helds: Sequence[Held]

    @property
    def stored(self) -> list[LegacyClaims]:
        """The claims of the long-lived tokens in the places."""
        read = (read_legacy_claims(held.token) for held in self.helds if held.token)
        return [claims for claims in read if claims]


def record_of(token: str) -> Record:
    """What is remembered beside a long-lived token: which one it is."""
    return Record(sha256(token), None, (), (), _UNTIL)


class LegacyKeeper:
    """Keeps one token of a task; fills the outcome."""

    def __init__(
        self,
        api: Api,
        desired: DesiredLegacyToken,
        sinks: Sequence[Sink],
        outcome: Outcome,
        ledger: Ledger,
    ) -> None:
        self._api = api
        self._desired = desired
        self._sinks = sinks
        self._outcome = outcome
        self._ledger = ledger
        self._row = ledger.row
        self._written: list[Sink] = []
        outcome.returned["verified"] = None

    def keep(self, account_uid: str, reviewer: Reviewer) -> None:
        """Do it, or in check mode say what would be done.

        Args:
            account_uid: of the live account; empty in check mode if it does not exist yet.
            reviewer: asks the server about new tokens.

        Raises:
            ProvisionError: it could not be done; what was done before is in the outcome.
        """
        if not account_uid:
            missing = f"{self._desired.account} does not exist yet: it must be there when its token is made"
            self._outcome.warn([missing])
        with ExitStack() as locks:
            # in one order everywhere, so that two plays never wait for each other
            for sink in () if self._ledger.check_mode else sorted(self._sinks, key=lambda one: one.place):
                locks.enter_context(sink.locked())
            for remaining in reversed(range(_ROUNDS)):
                try:
                    self._converge(account_uid, reviewer)
                    return
                except OvertakenError:
                    if not remaining:
                        raise

    def _converge(self, account_uid: str, reviewer: Reviewer) -> None:
        scene = self._look(account_uid)
        if scene.head is None or scene.reason != UP_TO_DATE:
            head = self._next(scene, reviewer)
        else:
            head = self._stay(scene, scene.head, reviewer)
        self._retire(scene, head)
        self._describe(scene, head)

    def _look(self, account_uid: str) -> Scene:
        row = self._row.read_settled(account_uid)
        self._ledger.begin(row)
        head = head_of(row, account_uid)
        if head and head.is_suspended and not head.is_suspended_by_us:
            raise ApiError(
                f"{head.secret.ref} is suspended since {head.secret.invalid_since}, and not by this module",
                code="suspended",
                hint="find out why; then take the label kubernetes.io/legacy-token-invalid-since off, or use another "
                "name for a new token",
            )
        reason = why_next(head, self._desired.rotate_after, self._api.connection.now())
        return Scene(account_uid, row, head, reason, [sink.held() for sink in self._sinks])

    # the next generation

    def _next(self, scene: Scene, reviewer: Reviewer) -> Generation:
        """Another generation, in all places."""
        number = next_number(self._desired.ref.name, scene.row, scene.stored, scene.uid)
        reviewer.check_right(self._desired.verify)
        self._adopt(scene.row)
        if self._ledger.check_mode:
            return self._predict_next(number, scene.reason)
        with ExitStack() as stack:
            # everything that can fail without a token fails here, before a Secret is made
            stores = [(sink, stack.enter_context(sink.prepared())) for sink in self._sinks]
            # who may not look at it could not wait for its token either
            self._row.free(number)
            made = self._row.create(number, scene.uid)
            self._ledger.add(made, scene.reason)
            head = self._fill(made)
            if self._sinks or self._desired.return_token or self._desired.verify != NEVER:
                token = self._row.token(head)
                self._prove(token, reviewer, self._sinks)
                self._store(stores, token, scene.reason)
                self._hand_over(token)
        return head

    def _adopt(self, row: Sequence[Generation]) -> None:
        """A Secret that was made by hand gets its label before it has a successor, beside which it would be foreign."""
        for one in row:
            if ROW_LABEL not in one.secret.labels:
                self._ledger.patch(one, {"labels": missing_labels(one, self._desired.labels)}, "adopted")

    def _predict_next(self, number: int, reason: str) -> Generation:
        for sink in self._sinks:
            self._outcome.warn(sink.rehearse())
        ref = self._row.free(number)
        head = coming(ref, number, self._desired.account.name, self._api.connection.now())
        self._ledger.add(head, reason)
        for sink in sorted(self._sinks, key=_order):
            self._note_stored(sink, reason)
        return head

    def _fill(self, generation: Generation) -> Generation:
        head = self._row.wait(generation)
        self._ledger.filled(head)
        return head

    def _prove(self, token: str, reviewer: Reviewer, sinks: Sequence[Sink]) -> None:
        """Nothing is overwritten with a token that is not accepted."""
        verified = reviewer.accepts_new(token, (), self._desired.verify)
        if verified is False:
            raise ApiError(
                f"the API server does not accept the token in the Secret of {self._desired.ref.place}",
                code="not_accepted",
                hint="see whether its keys match those of kube-controller-manager (--service-account-key-file); with "
                "verify: never it is used unseen",
            )
        self._outcome.returned["verified"] = verified
        for sink in sinks:
            sink.try_out(token)

    # the one that stays

    def _stay(self, scene: Scene, head: Generation, reviewer: Reviewer) -> Generation:
        """The generation in use, with its labels, in all places; one that nobody may have tried yet is tried."""
        if not head.secret.is_filled:
            head = self._fill(head)
        metadata, reason = put_right(head, self._desired.labels)
        if metadata:
            self._ledger.patch(head, metadata, reason)
        is_untried = bool(rivals_of(head, scene.row, scene.uid)) and not self._ledger.check_mode
        if self._sinks or self._desired.return_token or is_untried:
            token = self._row.token(head)
            self._spread(token, reviewer, is_untried=is_untried)
            self._hand_over(token)
        return head

    def _spread(self, token: str, reviewer: Reviewer, *, is_untried: bool) -> None:
        """Bring the token to the places that do not hold it as they should."""
        unfit = [sink for sink in self._sinks if not sink.fits(token, record_of(token))]
        if self._ledger.check_mode:
            for sink in sorted(unfit, key=_order):
                self._outcome.warn(sink.rehearse())
                self._note_stored(sink, "sink_changed")
            return
        with ExitStack() as stack:
            stores = [(sink, stack.enter_context(sink.prepared())) for sink in unfit]
            if unfit or is_untried:
                self._prove(token, reviewer, unfit)
            self._store(stores, token, "sink_changed")

    def _store(self, stores: Sequence[Any], token: str, reason: str) -> None:
        """Places in the cluster first: there another run may have been faster, which is nobody's loss yet."""
        for sink, store in sorted(stores, key=lambda pair: _order(pair[0])):
            store(token, record_of(token))
            self._note_stored(sink, reason)

    def _note_stored(self, sink: Sink, reason: str) -> None:
        self._written.append(sink)
        if not self._outcome.actions:
            self._outcome.reason = reason
        self._outcome.act("update", sink.kind, sink.namespace, sink.name, reason)

    # the ones before

    def _retire(self, scene: Scene, head: Generation) -> None:
        """As far as their time has come, and nobody uses them any more."""
        now = self._api.connection.now()
        due = retirements(self._ledger.generations, head, scene.uid, self._desired.rule, now)
        for retirement in map(self._spared, due):
            if retirement:
                self._carry_out(retirement, rfc3339(now))
        for one in self._ledger.generations:
            metadata = {"labels": missing_labels(one, self._desired.labels)}
            if one.number != head.number and metadata["labels"]:
                self._ledger.patch(one, metadata, "set_changed")

    def _spared(self, retirement: Retirement) -> Retirement | None:
        """What is still used by a workload stays, and is only noted to be superseded."""
        one = retirement.generation
        users = self._ledger.users(one) if retirement.verb != PATCH and one.secret.uid else None
        if not users or retirement.reason != "superseded":
            return retirement
        self._outcome.warn([f"{one.secret.ref} is superseded, but stays: {named(users)} still uses it"])
        return Retirement(PATCH, one, retirement.reason) if one.superseded_at is None else None

    def _carry_out(self, retirement: Retirement, now: str) -> None:
        one = retirement.generation
        noted = {} if one.superseded_at else {SUPERSEDED_AT: now}
        if retirement.verb == PATCH:
            self._ledger.patch(one, {"annotations": noted}, retirement.reason)
        elif retirement.verb == SUSPEND:
            metadata = suspension(now[:10])
            metadata["annotations"] |= noted
            self._ledger.patch(one, metadata, retirement.reason)
        else:
            self._ledger.delete(one, retirement.reason)

    # what is said

    def _hand_over(self, token: str) -> None:
        if not self._desired.return_token or self._ledger.check_mode:
            return
        endpoint = self._api.connection.endpoint
        auth: dict[str, Any] = {"host": endpoint.server, "api_key": token}
        self._outcome.returned["token"] = token
        self._outcome.returned["auth"] = {**auth, "ca_cert": endpoint.ca_file} if endpoint.ca_file else auth

    def _describe(self, scene: Scene, head: Generation) -> None:
        outcome, name = self._outcome, head.secret.ref.name
        outcome.returned |= {
            "secret_name": name,
            "generations": self._ledger.described(self._api.connection.now()),
            "sinks": [as_result(sink, changed=sink in self._written) for sink in self._sinks],
        }
        outcome.before, outcome.after = shown(scene.row), shown(self._ledger.generations)
        outcome.msg = self._sentence(name)

    def _sentence(self, name: str) -> str:
        outcome, would = self._outcome, "would be" if self._ledger.check_mode else "is"
        place = f"{self._desired.ref.namespace}/{name}"
        if not outcome.changed:
            return f"the token in {place} is up to date"
        if any(entry["verb"] == "create" for entry in outcome.actions):
            return f"a token {would} made in {place} ({outcome.reason})"
        return f"the token in {place} {would} put right ({outcome.reason})"


def _order(sink: Sink) -> bool:
    """Places in the cluster come first."""
    return sink.type != "secret"
