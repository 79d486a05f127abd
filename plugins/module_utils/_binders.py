# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a token is bound to, in three ways: to nothing, to an object of the user's, or to a handle of ours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ._api import Api
from ._bound import BoundObject, reference
from ._claims import Binding, Claims
from ._errors import ProvisionError
from ._handles import Generation, Handle, Retirement, retirements
from ._kinds import SECRET, Object, Ref, uid_of
from ._minting import Fresh
from ._plan import Outcome


class Binder(Protocol):
    """The way one token is bound."""

    def look(self, *, check_mode: bool) -> tuple[Binding, ...] | None:
        """What a good token is bound to right now, any of these; None: to nothing."""

    def reference(self, account: Object) -> Object | None:
        """The C(boundObjectRef) for the next TokenRequest; what it needs is made."""

    def minted(self, fresh: Fresh) -> None:
        """A token was minted with that reference."""

    def given_up(self) -> bool:
        """The token that was minted, if one was, went nowhere; returns whether it could be taken back."""

    def retire(self, current: Claims) -> None:
        """The current token is in all its places: see to those before it."""

    def predict_reference(self) -> None:
        """For check mode: note what C(reference) would write."""

    def predict_minted(self) -> None:
        """For check mode: note what C(minted) would write."""

    def predict_retiring(self, kept: Claims | None) -> None:
        """For check mode: note what C(retire) would write, for a token that stays or (None) one to be minted."""


class Unbound:
    """Nothing: the token lives until it expires."""

    def look(self, *, check_mode: bool) -> tuple[Binding, ...] | None:  # noqa: ARG002 - others look it up, see Binder
        """See Binder, as for all methods here."""
        return None

    def reference(self, account: Object) -> Object | None:  # noqa: ARG002 - a handle belongs to it, see Binder
        """None."""
        return None

    def minted(self, fresh: Fresh) -> None:
        """Nothing to remember."""

    def given_up(self) -> bool:
        """It cannot."""
        return False

    def retire(self, current: Claims) -> None:
        """Nothing to retire."""

    def predict_reference(self) -> None:
        """Nothing to write."""

    def predict_minted(self) -> None:
        """Nothing to write."""

    def predict_retiring(self, kept: Claims | None) -> None:
        """Nothing to retire."""


class ToObject(Unbound):
    """A Pod, Secret or Node that is not ours."""

    def __init__(self, api: Api, account: Ref, bound: BoundObject, outcome: Outcome) -> None:
        self._api = api
        self._account = account
        self._bound = bound
        self._outcome = outcome

    def look(self, *, check_mode: bool) -> tuple[Binding, ...]:
        """The live object."""
        binding, said = self._bound.live(self._api, self._account, check_mode=check_mode)
        self._outcome.warn(said)
        return (binding,)

    def reference(self, account: Object) -> Object:  # noqa: ARG002 - a handle belongs to it, see Binder
        """Looked up at every attempt: after a conflict it may be another object of that name."""
        return reference(self._bound.live(self._api, self._account, check_mode=False)[0])


class ToHandle:
    """A Secret of our own for every token, so that it can be taken back."""

    def __init__(self, api: Api, handle: Handle, overlap: int | None, outcome: Outcome) -> None:
        self._api = api
        self._handle = handle
        self._overlap = overlap
        self._outcome = outcome
        self._generations: list[Generation] = []
        self._new: Generation | None = None
        self._owner = ""
        self._coming: Generation | None = None

    def look(self, *, check_mode: bool) -> tuple[Binding, ...]:  # noqa: ARG002 - reading is all the same
        """All generations that are not on their way out."""
        self._generations = self._handle.read()
        return tuple(one.binding for one in self._generations if one.superseded_at is None)

    def reference(self, account: Object) -> Object:
        """The next generation, made at the first attempt; a new one if the account was recreated since."""
        if self._new and self._owner != uid_of(account):
            self.given_up()
        if self._new is None:
            self._new, self._owner = self._handle.create(self._generations, account), uid_of(account)
            self._generations.append(self._new)
            self._note("create", self._new.ref)
        return reference(self._new.binding)

    def minted(self, fresh: Fresh) -> None:
        """Remembered at the Secret, for whoever looks at it."""
        if self._new:
            self._handle.note_token(self._new, fresh.claims.credential_id, fresh.record.expires_at)
            self._note("patch", self._new.ref)

    def given_up(self) -> bool:
        """The generation takes its token with it; if that fails, a later run sees to it."""
        if self._new is None:
            return False
        try:
            self._handle.delete(self._new)
        except ProvisionError:
            return False
        # on balance nothing was written
        self._outcome.take_back(SECRET.name, self._new.ref.namespace, self._new.ref.name)
        self._generations.remove(self._new)
        self._new = None
        return True

    def retire(self, current: Claims) -> None:
        """As far as their time has come."""
        now = self._api.connection.now()
        generation = self._current(current)
        due = retirements(self._generations, generation, self._overlap, now) if generation else []
        for one in self._outside_the_set(due):
            self._handle.relabel(one)
            self._note("patch", one.ref, "set_changed")
        for retirement in due:
            if self._handle.retire(retirement, now):
                self._note(retirement.verb, retirement.generation.ref, retirement.reason)

    def predict_reference(self) -> None:
        """The same write, only noted."""
        self._coming = self._handle.free(self._generations)
        self._note("create", self._coming.ref)

    def predict_minted(self) -> None:
        """The same write, only noted."""
        if self._coming:
            self._note("patch", self._coming.ref)

    def predict_retiring(self, kept: Claims | None) -> None:
        """The same writes, only noted."""
        now = self._api.connection.now()
        current = (self._current(kept) if kept else None) or self._coming
        due = retirements(self._generations, current, self._overlap, now) if current else []
        for one in self._outside_the_set(due):
            self._note("patch", one.ref, "set_changed")
        for retirement in due:
            self._note(retirement.verb, retirement.generation.ref, retirement.reason)

    def _outside_the_set(self, due: Sequence[Retirement]) -> list[Generation]:
        """Generations that stay and carry the label of another set, or of none."""
        going = {one.generation.uid for one in due if one.verb == "delete"}
        return [one for one in self._handle.mislabelled(self._generations) if one.uid not in going]

    def _current(self, claims: Claims) -> Generation | None:
        uid = claims.bound_to[2] if claims.bound_to else ""
        return next((one for one in self._generations if one.uid == uid), None)

    def _note(self, verb: str, ref: Ref, reason: str | None = None) -> None:
        self._outcome.act(verb, SECRET.name, ref.namespace, ref.name, reason)
