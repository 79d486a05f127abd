# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Suspending a long-lived token, and taking it back for good; both end when the server was seen to refuse it.

Source: KEP-2799 (the label that makes the server refuse a token, and what it notes of the use of tokens).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import datetime, timedelta

from ._api import Api
from ._claims import read_claims, read_legacy_claims
from ._durations import rfc3339
from ._errors import ApiError, ProvisionError
from ._legacy_desired import DesiredLegacyToken
from ._legacy_ledger import Ledger, named, shown, taken_from
from ._legacy_rows import Generation, number_of, suspension
from ._plan import UP_TO_DATE, Outcome
from ._reviews import NEVER, Reviewer
from ._sinks import Sink, as_result
from ._tracking import tracking_start

REVOKED, SUSPENDED = "revoked", "suspended"


class LegacyEnder:
    """Suspends or takes back one token of a task; fills the outcome."""

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
        self._cleared: list[Sink] = []
        self._refused: list[ProvisionError] = []
        outcome.returned |= {"revoked": None, "revoked_after_seconds": None}

    def suspend(self, reviewer: Reviewer) -> None:
        """Make the server refuse the tokens until C(state) is C(present) again; nothing is taken away.

        Raises:
            ProvisionError: it could not be done, or the server still accepts a token.
        """
        row = self._begin(reviewer)
        due = [one for one in row if not one.is_suspended]
        tokens = self._tokens(due)
        for one in due:
            self._ledger.patch(one, suspension(rfc3339(self._api.connection.now())[:10]), SUSPENDED)
        self._prove(tokens, reviewer)
        self._describe(row, SUSPENDED)

    def end(self, reviewer: Reviewer) -> None:
        """Take all generations away and clear the places: whatever a place may hold, what can be taken back is first.

        Raises:
            ProvisionError: it could not be done, or the server still accepts a token.
        """
        row = self._begin(reviewer)
        kept = self._why_kept(row)
        if kept:
            self._describe(row, kept)
            return
        with ExitStack() as locks:
            occupied = self._occupied()
            for sink in () if self._ledger.check_mode else sorted(occupied, key=lambda one: one.place):
                locks.enter_context(sink.locked())
            tokens = self._tokens([one for one in row if not one.is_suspended])
            for one in row:
                self._warn_of_users(one)
                self._ledger.delete(one, REVOKED)
            self._prove(tokens, reviewer)
            for sink in occupied:
                if not self._ledger.check_mode:
                    sink.clear()
                self._note_cleared(sink)
        self._describe(row, REVOKED)
        if self._refused:
            raise self._refused[0]

    def _begin(self, reviewer: Reviewer) -> list[Generation]:
        reviewer.check_right(self._desired.verify)
        row = self._ledger.row.read()
        self._ledger.begin(row)
        return row

    def _tokens(self, generations: Sequence[Generation]) -> list[str]:
        """The tokens whose end is to be seen; read before it comes."""
        if self._ledger.check_mode or self._desired.verify == NEVER:
            return []
        return [self._ledger.row.token(one) for one in generations if one.secret.is_filled]

    def _prove(self, tokens: Sequence[str], reviewer: Reviewer) -> None:
        """See the server refuse them; the first wait is everybody's."""
        if self._ledger.check_mode or not self._outcome.changed:
            return
        started = time.monotonic()
        seen = [reviewer.seconds_until_refused(token, (), self._desired.verify) for token in tokens]
        self._outcome.returned["revoked"] = True
        if seen and None not in seen:
            self._outcome.returned["revoked_after_seconds"] = round(time.monotonic() - started, 1)

    # whether it may go

    def _why_kept(self, row: Sequence[Generation]) -> str | None:
        """Why C(unused_for) keeps the token; None: it does not."""
        if self._desired.unused_for is None or not row:
            return None
        found = [self._ledger.users(one) for one in row]
        users = [use for some in found for use in some or ()]
        if users:
            return self._kept("mounted", f"{named(users)} still uses it")
        if None in found:
            self._outcome.warn(["who uses the Secrets is not known: the caller may not list all workloads"])
            return self._kept("usage_unknown", "which workloads use it cannot be told")
        since = self._unused_since(row)
        if since is None:
            return self._kept("usage_unknown", "since when it is unused cannot be told")
        if since > self._api.connection.now() - timedelta(seconds=self._desired.unused_for):
            return self._kept("recently_used", f"that it is unused is certain only from {rfc3339(since)} on")
        return None

    def _kept(self, reason: str, why: str) -> str:
        self._outcome.msg = f"the token in {self._desired.ref.place} stays: {why}"
        return reason

    def _unused_since(self, row: Sequence[Generation]) -> datetime | None:
        """Since when none of them was used; None: nobody knows."""
        tracked, why = tracking_start(self._api)
        self._outcome.warn([why] if why else [])
        found = [one.secret.unused_since(tracked) for one in row]
        known = [since for since in found if since]
        return max(known) if len(known) == len(found) else None

    def _warn_of_users(self, one: Generation) -> None:
        self._outcome.warn(taken_from(one.secret.ref, self._ledger.users(one)))

    # the places

    def _occupied(self) -> list[Sink]:
        """The places that hold something of ours; one that holds something else is no reason to leave the rest."""
        found = []
        for sink in self._sinks:
            try:
                if sink.is_occupied():
                    self._check_ours(sink)
                    found.append(sink)
            except ProvisionError as error:
                self._refused.append(error)
        return found

    def _check_ours(self, sink: Sink) -> None:
        token = sink.held().token
        claims = read_legacy_claims(token) if token else None
        ref, account = self._desired.ref, self._desired.account
        is_ours = claims is not None and (claims.namespace, claims.service_account) == (ref.namespace, account.name)
        is_other = token is not None and (read_claims(token) is not None or claims is not None)
        if is_other and not (is_ours and claims and number_of(ref.name, claims.secret)) and not self._desired.force:
            raise ApiError(
                f"{sink.place} holds another token than that of {ref.place}",
                code="other_token",
                hint="correct the place or the name, or set force",
            )

    def _note_cleared(self, sink: Sink) -> None:
        self._cleared.append(sink)
        self._outcome.act("delete", sink.kind, sink.namespace, sink.name, REVOKED)

    # what is said

    def _describe(self, row: Sequence[Generation], reason: str) -> None:
        outcome = self._outcome
        left = self._ledger.generations
        outcome.reason = reason if outcome.changed or outcome.msg else UP_TO_DATE
        outcome.returned |= {
            "secret_name": left[-1].secret.ref.name if left else None,
            "generations": self._ledger.described(self._api.connection.now()),
            "sinks": [as_result(sink, changed=sink in self._cleared) for sink in self._sinks],
        }
        outcome.before, outcome.after = shown(row), shown(left)
        outcome.msg = outcome.msg or self._sentence(row, reason)

    def _sentence(self, row: Sequence[Generation], reason: str) -> str:
        place, would = self._desired.ref.place, "would be" if self._ledger.check_mode else "is"
        if not self._outcome.changed:
            return f"the token in {place} is suspended" if row else f"there is no token in {place}"
        after = self._outcome.returned["revoked_after_seconds"]
        seen = f"; the API server refused it after {after} s" if after is not None else ""
        return f"the token in {place} {would} {reason}{seen}"
