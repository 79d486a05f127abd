# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one item does to the Secrets of its row, or in check mode would do: noted, and shown as they are afterwards."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any

from ._consumers import Use
from ._durations import rfc3339
from ._kinds import SECRET, Object, Ref
from ._legacy_rows import Generation
from ._legacy_secrets import SecretRow
from ._plan import Outcome, merge_patch
from ._token_secrets import INVALID_SINCE, LAST_USED, TokenSecret
from ._workloads import UsesByNamespace


class Ledger:
    """The generations of one item as they are changed; in check mode nothing is written."""

    def __init__(self, row: SecretRow, outcome: Outcome, used: UsesByNamespace, *, check_mode: bool) -> None:
        self.row = row
        self.check_mode = check_mode
        self._outcome = outcome
        self._used = used
        self._generations: dict[int, Generation] = {}

    def begin(self, generations: Iterable[Generation]) -> None:
        """What was found."""
        self._generations = {one.number: one for one in generations}

    @property
    def generations(self) -> list[Generation]:
        """What is there, in order."""
        return [self._generations[number] for number in sorted(self._generations)]

    def add(self, generation: Generation, reason: str) -> None:
        """A generation that was, or would be, made."""
        self._generations[generation.number] = generation
        self._act("create", generation, reason)

    def filled(self, generation: Generation) -> None:
        """A generation that has got its token, which is no doing of ours."""
        self._generations[generation.number] = generation

    def patch(self, generation: Generation, metadata: Object, reason: str) -> None:
        """Change labels and annotations."""
        if not self.check_mode and not self.row.patch(generation, metadata):
            return  # another run was faster
        self._generations[generation.number] = _patched(generation, metadata)
        self._act("patch", generation, reason)

    def delete(self, generation: Generation, reason: str) -> None:
        """Take it away."""
        if not self.check_mode:
            self.row.delete(generation)
        self._generations.pop(generation.number, None)
        self._act("delete", generation, reason)

    def users(self, generation: Generation) -> list[Use] | None:
        """The workloads that use the Secret; None: nobody may know."""
        return self._used.of(generation.secret.ref)

    def described(self, now: datetime) -> list[dict[str, Any]]:
        """The value of C(generations) in a result."""
        return [self._described(one, now) for one in self.generations]

    def _described(self, one: Generation, now: datetime) -> dict[str, Any]:
        secret, since = one.secret, one.superseded_at
        users = self.users(one)
        return {
            "name": secret.ref.name,
            "created_at": rfc3339(secret.created_at),
            "age": secret.age(now),
            "last_used": secret.last_used,
            "invalid_since": secret.invalid_since,
            "superseded_at": rfc3339(since) if since else None,
            "consumers": None if users is None else as_result(users),
        }

    def _act(self, verb: str, generation: Generation, reason: str) -> None:
        ref = generation.secret.ref
        if not self._outcome.actions:
            self._outcome.reason = reason
        self._outcome.act(verb, SECRET.name, ref.namespace, ref.name, reason)


def coming(ref: Ref, number: int, account: str, now: datetime) -> Generation:
    """A generation that check mode does not make."""
    return Generation(TokenSecret(ref, "", account, "", now, is_filled=True), number)


def named(users: Iterable[Use]) -> str:
    """Workloads in a sentence."""
    return ", ".join(dict.fromkeys(f"{use.workload.kind.name} {use.workload.name}" for use in users))


def taken_from(secret: Ref, users: Iterable[Use] | None) -> list[str]:
    """What to say of a Secret that is deleted although workloads use it; nothing if none is known to."""
    names = named(users or ())
    return [f"{secret} is taken from {names}, which still uses it"] if names else []


def shown(generations: Iterable[Generation]) -> dict[str, Any]:
    """What a diff shows of a token: its Secrets, and which of them are not in use any more."""
    found = [_shown(one) for one in generations]
    return {"secrets": found} if found else {}


def _shown(one: Generation) -> dict[str, Any]:
    since = one.superseded_at
    said = {"invalid_since": one.secret.invalid_since, "superseded_at": rfc3339(since) if since else None}
    return {"name": one.secret.ref.name, **{key: value for key, value in said.items() if value}}


def as_result(users: Iterable[Use]) -> list[dict[str, str]]:
    """Workloads and how each uses a Secret, whatever number of its volumes does."""
    found = dict.fromkeys((use.workload.kind.name, use.workload.name, use.way) for use in users)
    return [{"kind": kind, "name": name, "way": way} for kind, name, way in found]


def _patched(generation: Generation, metadata: Object) -> Generation:
    secret = generation.secret
    labels = merge_patch(secret.labels, metadata.get("labels") or {})
    annotations = merge_patch(secret.annotations, metadata.get("annotations") or {})
    changed = replace(
        secret,
        labels=labels,
        annotations=annotations,
        invalid_since=labels.get(INVALID_SINCE),
        last_used=labels.get(LAST_USED),
    )
    return replace(generation, secret=changed)
