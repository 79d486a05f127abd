# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What would be done and why, as data; and what came of it.

A plan is computed from desired and live state alone, so check mode and diff are the same computation without the last
step.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from ._errors import ProvisionError
from ._kinds import Object, Ref

Live: TypeAlias = Mapping[Ref, "Object | None"]

UP_TO_DATE = "up_to_date"


@dataclass(frozen=True)
class Write:
    """One write.

    Attributes:
        verb: C(create), C(update), C(patch) or C(delete).
        ref: which object.
        reason: one machine word.
        body: the object, or the merge patch; None for a delete.
        uid: for a delete, the uid the object must have; empty: whatever it has by then.
    """

    verb: str
    ref: Ref
    reason: str
    body: Object | None = None
    uid: str = ""

    def as_action(self) -> dict[str, str | None]:
        """The entry in a result's C(actions)."""
        return action(self.verb, self.ref.kind.name, self.ref.namespace, self.ref.name, self.reason)


def action(verb: str, kind: str, namespace: str, name: str, reason: str) -> dict[str, str | None]:
    """One entry of C(actions): what was, or would be, written and why."""
    return {"verb": verb, "kind": kind, "namespace": namespace or None, "name": name, "reason": reason}


@dataclass(frozen=True)
class Plan:
    """The writes that lead from live to desired.

    Attributes:
        writes: in the order in which they must happen.
        notes: sentences the user should read (warnings of the result).
    """

    writes: tuple[Write, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why the first write is needed."""
        return self.writes[0].reason if self.writes else UP_TO_DATE


def predicted(live: Live, writes: Iterable[Write]) -> dict[Ref, Object | None]:
    """The state after the writes, if the server stores what it is sent."""
    after = dict(live)
    for write in writes:
        if write.verb == "delete":
            after[write.ref] = None
        elif write.verb == "patch":
            after[write.ref] = merge_patch(after.get(write.ref) or {}, write.body or {})
        else:
            after[write.ref] = copy.deepcopy(write.body)
    return after


def merge_patch(target: Mapping[str, Any], patch: Mapping[str, Any]) -> Object:
    """The target after a JSON merge patch (RFC 7396): None removes a key, mappings merge, the rest replaces."""
    merged = dict(target)
    for key, value in patch.items():
        before = merged.pop(key, None)
        if isinstance(value, Mapping):
            merged[key] = merge_patch(before if isinstance(before, Mapping) else {}, value)
        elif value is not None:
            merged[key] = copy.deepcopy(value)
    return merged


# set by the server or by bookkeeping: never part of what a user declared
_VOLATILE = ("managedFields", "uid", "resourceVersion", "creationTimestamp", "generation", "selfLink")


def view(obj: Object | None) -> Object | None:
    """An object as it is shown in a diff."""
    if obj is None:
        return None
    metadata = {key: value for key, value in obj.get("metadata", {}).items() if key not in _VOLATILE and value}
    # the server leaves out what is empty; False is a value
    return {key: value for key, value in {**obj, "metadata": metadata}.items() if value not in ([], {}, None)}


def shown(obj: Object | None) -> Object | None:
    """An object as it is returned: as the API spells it, without the managedFields nobody reads in a playbook."""
    if obj is None:
        return None
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return {**obj, "metadata": metadata}


@dataclass
class Outcome:
    """What came of one item.

    Attributes:
        identity: the keys that name the item in C(outcomes) (name, namespace ...).
        title: the item in a sentence (C(ci/deployer)).
        changed: whether anything was, or in check mode would be, written.
        reason: why, one machine word.
        msg: one sentence.
        actions: one entry per write.
        returned: the keys of the module's own.
        before: state before, for the diff.
        after: state after, for the diff.
        warnings: sentences.
        error: why it failed.
        skipped: not tried, because fail_fast ended the task.
    """

    identity: dict[str, Any]
    title: str
    changed: bool = False
    reason: str = UP_TO_DATE
    msg: str = ""
    actions: list[dict[str, str | None]] = field(default_factory=list)
    returned: dict[str, Any] = field(default_factory=dict)
    before: Any = None
    after: Any = None
    warnings: list[str] = field(default_factory=list)
    error: ProvisionError | None = None
    skipped: bool = False

    def act(self, verb: str, kind: str, namespace: str, name: str, reason: str | None = None) -> None:
        """Note a write that was done, or would be; its reason is the outcome's unless it has one of its own."""
        self.actions.append(action(verb, kind, namespace, name, reason or self.reason))
        self.changed = True

    def take_back(self, kind: str, namespace: str, name: str) -> None:
        """Forget the writes to an object that has been undone."""
        about = (kind, namespace or None, name)
        self.actions = [one for one in self.actions if (one["kind"], one["namespace"], one["name"]) != about]
        self.changed = bool(self.actions)

    def warn(self, sentences: Iterable[str]) -> None:
        """Say something more, each sentence once."""
        self.warnings += [said for said in dict.fromkeys(sentences) if said not in self.warnings]

    @property
    def status(self) -> str:
        """C(ok), C(changed), C(failed) or C(skipped)."""
        if self.skipped:
            return "skipped"
        if self.error:
            return "failed"
        return "changed" if self.changed else "ok"
