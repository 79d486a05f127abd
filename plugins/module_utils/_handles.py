# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Handles: what makes a token revocable.

A token that is bound to a Secret dies with it. A handle is a row of otherwise empty Secrets C(<handle>-<n>), one for
every token that was minted for one consumer; deleting the Secret is taking the token back. They belong to the account
and go with it. Source: KEP-1205 (bound service account tokens).
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from . import _names
from ._api import Api
from ._claims import Binding
from ._durations import instant, rfc3339
from ._errors import AlreadyExistsError, AmbiguousError, ApiError, ConflictError, InputError, NotFoundError
from ._generations import NUMBER, SUPERSEDED_AT, following, superseded, time_of
from ._kinds import SECRET, Object, Ref, skeleton, uid_of

HANDLE_LABEL = "tokenwright/handle"
_ACCOUNT = "tokenwright/service-account"
_EXPIRES_AT = "tokenwright/token-expires-at"
_CREDENTIAL = "tokenwright/credential-id"
# tells a run, until there is a token, which Secret it made itself
_CREATION = "tokenwright/creation"

# a generation without a token may be another run's that is about to mint; after this time nobody will
_LEFTOVER = timedelta(seconds=60)

# how often others may take the number we are about to use
_TRIES = 5

# room for the number behind the name, in a label value of 63 characters
_LONGEST = 52


@dataclass(frozen=True)
class Generation:
    """One Secret of a handle.

    Attributes:
        ref: its address.
        number: its place in the row, from 1.
        uid: what tokens are bound to.
        created_at: when it was made, on the server's clock.
        expires_at: when the token that is bound to it expires; None: no token was minted, or nobody knows.
        superseded_at: since when the next one is in use.
        labels: on the server.
    """

    ref: Ref
    number: int
    uid: str
    created_at: datetime
    expires_at: datetime | None = None
    superseded_at: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def binding(self) -> Binding:
        """As in the claims of a token that is bound to it."""
        return SECRET.name, self.ref.name, self.uid


@dataclass(frozen=True)
class Retirement:
    """What is to become of a generation whose time has passed.

    Attributes:
        verb: C(patch): note since when it is superseded; C(delete).
        generation: which one.
        reason: why, one machine word.
    """

    verb: str
    generation: Generation
    reason: str


def check_name(handle: str) -> str:
    """A handle's name.

    Raises:
        InputError: its Secrets could not be called like that.
    """
    name = _names.object_name(handle, "handle")
    if len(name) > _LONGEST or "." in name:
        raise InputError(
            f"handle: {handle!r} is not a valid name", f"use at most {_LONGEST} lower-case letters, digits and dashes"
        )
    return name


def retirements(
    generations: Sequence[Generation], current: Generation, overlap: int | None, now: datetime
) -> list[Retirement]:
    """What is to be done about all generations but the current one.

    Args:
        generations: all there are.
        current: the one whose token is in use.
        overlap: seconds for which the one before stays good; None: as long as its token lives.
        now: the server's time.
    """
    found = [_retirement(one, current, overlap, now) for one in generations if one.uid != current.uid]
    return [retirement for retirement in found if retirement]


def _retirement(one: Generation, current: Generation, overlap: int | None, now: datetime) -> Retirement | None:
    if one.expires_at is None or one.number > current.number:
        # a run ended before its token got anywhere
        return Retirement("delete", one, "unused") if now - one.created_at > _LEFTOVER else None
    if now >= one.expires_at:
        return Retirement("delete", one, "expired")
    verb = superseded(one.superseded_at, overlap, now)
    return Retirement(verb, one, "superseded") if verb else None


def next_number(generations: Sequence[Generation]) -> int:
    """The number that was never used as long as one of the row is left."""
    return following(one.number for one in generations)


def is_of(handle: str, bound_to: Binding | None) -> bool:
    """Whether a token is, or was, bound to a generation of this handle."""
    if bound_to is None or bound_to[0] != SECRET.name:
        return False
    return re.fullmatch(re.escape(handle) + NUMBER, bound_to[1]) is not None


class Handle:
    """The generations of one handle on the server."""

    def __init__(self, api: Api, account: Ref, name: str, labels: Mapping[str, str]) -> None:
        self._api = api
        self._account = account
        self._labels = labels
        self.name = name

    def read(self) -> list[Generation]:
        """All generations, in their order.

        Raises:
            ApiError: the handle is in use for another account.
        """
        found = self._api.list_all(SECRET, self._account.namespace, labels=f"{HANDLE_LABEL}={self.name}", metadata=True)
        living = [secret for secret in found if not secret["metadata"].get("deletionTimestamp")]
        for secret in living:
            account = (secret["metadata"].get("annotations") or {}).get(_ACCOUNT)
            if account != self._account.name:
                raise ApiError(
                    f"handle {self.name} is in use for the account {self._account.namespace}/{account}",
                    code="handle_taken",
                    hint="give every consumer a handle of its own",
                )
        generations = [generation for secret in living if (generation := self._generation(secret))]
        return sorted(generations, key=lambda one: one.number)

    def free(self, generations: Sequence[Generation]) -> Generation:
        """The generation that C(create) would make, as far as it can be known before."""
        number = next_number(generations)
        while self._api.get(self._ref(number), metadata=True):
            number += 1
        return Generation(self._ref(number), number, "", self._api.connection.now())

    def create(self, generations: Sequence[Generation], account: Object) -> Generation:
        """Make the next generation.

        Raises:
            ApiError: it cannot be made.
        """
        for remaining in reversed(range(_TRIES)):
            ref = self._ref(next_number(generations))
            try:
                created = self._created(ref, self._body(ref, account))
            except AlreadyExistsError:
                if not remaining:
                    raise
                generations = self._after(ref, self.read())
                continue
            if created is None:
                break
            return created
        raise ApiError(f"{ref} came back as something else", code="bad_answer", hint="see the cluster's webhooks")

    def _created(self, ref: Ref, body: Object) -> Generation | None:
        try:
            return self._generation(self._api.create(ref, body))
        except AmbiguousError as error:
            found = self._api.get(ref, metadata=True)
            if found is None:
                raise
            # another run's looks the same, and the token of that run would die with ours
            if _creation(found) != _creation(body):
                raise AlreadyExistsError(error.what, "already_exists", error.hint, error.target) from None
            return self._generation(found)

    def note_token(self, generation: Generation, credential_id: str | None, expires_at: str) -> None:
        """Remember, for whoever looks at the Secret, which token is bound to it and until when."""
        self._annotate(generation, {_EXPIRES_AT: expires_at, _CREDENTIAL: credential_id, _CREATION: None})

    def retire(self, retirement: Retirement, now: datetime) -> bool:
        """Carry it out; returns whether there was anything left to do."""
        if retirement.verb == "delete":
            self.delete(retirement.generation)
            return True
        try:
            self._annotate(retirement.generation, {SUPERSEDED_AT: rfc3339(now)})
        except (NotFoundError, ConflictError):
            return False  # another run was faster
        return True

    def mislabelled(self, generations: Sequence[Generation]) -> list[Generation]:
        """Those that do not carry the labels of the set that the token is in by now."""
        return [one for one in generations if any(one.labels.get(key) != value for key, value in self._labels.items())]

    def relabel(self, generation: Generation) -> None:
        """Put it into the set."""
        self._api.patch(generation.ref, {"metadata": {"uid": generation.uid, "labels": dict(self._labels)}})

    def delete(self, generation: Generation) -> None:
        """Take the token of this generation back."""
        self._api.delete(generation.ref, uid=generation.uid)

    def _ref(self, number: int) -> Ref:
        return Ref(SECRET, self._account.namespace, f"{self.name}-{number}")

    def _after(self, taken: Ref, generations: list[Generation]) -> list[Generation]:
        """With somebody else's Secret of that name counted as a generation, so that the next number is tried."""
        number = int(taken.name.rpartition("-")[2])
        if any(one.number >= number for one in generations):
            return generations
        now = self._api.connection.now()
        return [*generations, Generation(taken, number, "", now)]

    def _annotate(self, generation: Generation, annotations: Mapping[str, str | None]) -> None:
        self._api.patch(generation.ref, {"metadata": {"uid": generation.uid, "annotations": dict(annotations)}})

    def _body(self, ref: Ref, account: Object) -> Object:
        body = skeleton(ref)
        body["metadata"] |= {
            "labels": {**self._labels, HANDLE_LABEL: self.name},
            "annotations": {_ACCOUNT: self._account.name, _CREATION: secrets.token_hex(8)},
            "ownerReferences": [
                {"apiVersion": "v1", "kind": "ServiceAccount", "name": self._account.name, "uid": uid_of(account)}
            ],
        }
        return {**body, "type": "Opaque"}

    def _generation(self, secret: Object) -> Generation | None:
        """None for a Secret that carries our label and is called something else."""
        metadata = secret["metadata"]
        match = re.fullmatch(re.escape(self.name) + NUMBER, metadata["name"])
        if not match:
            return None
        annotations = metadata.get("annotations") or {}
        return Generation(
            ref=Ref(SECRET, self._account.namespace, metadata["name"]),
            number=int(match[1]),
            uid=uid_of(secret),
            created_at=instant(metadata["creationTimestamp"], "creationTimestamp"),
            expires_at=time_of(annotations.get(_EXPIRES_AT)),
            superseded_at=time_of(annotations.get(SUPERSEDED_AT)),
            labels=metadata.get("labels") or {},
        )


def _creation(secret: Object) -> str | None:
    mark: str | None = (secret["metadata"].get("annotations") or {}).get(_CREATION)
    return mark
