# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The object a token is bound to: it dies when that object goes.

Source: Kubernetes API, TokenRequest v1 (BoundObjectReference); KEP-1205 (Pod, Secret) and KEP-4193 (Node).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import _names
from ._api import Api
from ._claims import Binding
from ._errors import ApiError, ForbiddenError, InputError
from ._kinds import NODE, POD, SECRET, Kind, Object, Ref, uid_of
from ._namespaces import is_terminating

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in (POD, SECRET, NODE)}

OPTIONS: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": list(KINDS)},
    "name": {"type": "str"},
    "uid": {"type": "str"},
}


@dataclass(frozen=True)
class BoundObject:
    """The object as declared; C(uid) only if one certain object is meant."""

    ref: Ref
    uid: str | None

    @classmethod
    def from_option(cls, given: Mapping[str, Any] | None, namespace: str) -> BoundObject | None:
        """Read the option C(bound_object_ref).

        Raises:
            InputError: it is incomplete.
        """
        if given is None:
            return None
        if not given.get("kind") or not given.get("name"):
            raise InputError("bound_object_ref: kind and name are needed", "write {kind: Pod, name: app-0}")
        kind = KINDS[given["kind"]]
        name = _names.object_name(given["name"], "bound_object_ref.name")
        uid = given.get("uid")
        if uid is not None:
            _names.uid(uid, "bound_object_ref.uid")
        return cls(Ref(kind, namespace if kind.namespaced else "", name), uid)

    def as_result(self, uid: str | None) -> dict[str, Any]:
        """The value of C(bound_object_ref) in a result."""
        return {"kind": self.ref.kind.name, "name": self.ref.name, "uid": uid or self.uid}

    def live(self, api: Api, account: Ref, *, check_mode: bool) -> tuple[Binding, list[str]]:
        """What a good token is bound to right now, and what to say about it.

        Raises:
            ApiError: it does not exist (in check mode it counts as coming), is another one, or is not the account's.
        """
        try:
            found = api.get(self.ref, metadata=self.ref.kind is not POD)
        except ForbiddenError:
            note = f"the caller may not get {self.ref}, so whether it was recreated shows only when the token is used"
            return (self.ref.kind.name, self.ref.name, self.uid or ""), [note]
        if found is None and check_mode:
            note = f"{self.ref} does not exist yet: it must be there when the token is minted"
            return (self.ref.kind.name, self.ref.name, self.uid or ""), [note]
        self._check(found, account)
        return (self.ref.kind.name, self.ref.name, uid_of(found)), []

    def _check(self, found: Object | None, account: Ref) -> None:
        if found is None:
            raise ApiError(
                f"cannot bind a token to {self.ref}: it does not exist",
                code="bound_object_missing",
                hint="create it first, or correct bound_object_ref",
            )
        if self.uid and uid_of(found) != self.uid:
            raise ApiError(
                f"{self.ref} has the uid {uid_of(found)}, not {self.uid}",
                code="bound_object_recreated",
                hint="it was recreated: correct or leave out bound_object_ref.uid",
            )
        if is_terminating(found):
            raise ApiError(
                f"cannot bind a token to {self.ref}: it is being deleted",
                code="terminating",
                hint="wait until its successor is there",
            )
        if self.ref.kind is POD:
            self._check_account(str((found.get("spec") or {}).get("serviceAccountName") or "default"), account)

    def _check_account(self, runs_as: str, account: Ref) -> None:
        if runs_as != account.name:
            raise ApiError(
                f"{self.ref} runs as the account {runs_as}, not as {account.name}",
                code="other_account",
                hint="a Pod's token must be of the Pod's own account: correct service_account or bound_object_ref",
            )


def reference(binding: Binding) -> Object:
    """The C(boundObjectRef) of a TokenRequest."""
    kind, name, uid = binding
    return {"apiVersion": "v1", "kind": kind, "name": name, **({"uid": uid} if uid else {})}
