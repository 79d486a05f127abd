# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets: what one list declares carries a label, so that what left the list can be found and deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _names
from ._api import Api
from ._durations import rfc3339
from ._errors import ForbiddenError, InputError, ProvisionError
from ._kinds import SECRET, Kind, Object, Ref, ref_of, uid_of
from ._namespaces import is_terminating
from ._plan import Outcome, Write, view

SET_LABEL = "tokenwright/set"
EXPIRES_AT = "tokenwright/expires-at"

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "set_name": {"type": "str"},
    "prune": {"type": "bool", "default": False},
    "prune_namespaces": {"type": "list", "elements": "str"},
}


def _nothing(dummy: Ref) -> list[str]:
    """There is nothing to say."""
    return []


def label(set_name: str | None) -> dict[str, str]:
    """The label of a member."""
    return {SET_LABEL: set_name} if set_name else {}


def expiry_annotation(expires_at: datetime | None) -> dict[str, str]:
    """The annotation that tells an audit until when something was meant to exist."""
    return {EXPIRES_AT: rfc3339(expires_at)} if expires_at else {}


def check(params: Mapping[str, Any], list_name: str) -> str | None:
    """The set's name, if the options fit together.

    Raises:
        InputError: prune without a set or without a list.
    """
    set_name = params["set_name"]
    if set_name is not None:
        _names.label_values({SET_LABEL: set_name}, "set_name")
    if params["prune"] and not set_name:
        raise InputError("prune needs set_name", "name the set whose left-over members may be deleted")
    for index, name in enumerate(params["prune_namespaces"] or ()):
        _names.namespace(name, f"prune_namespaces[{index}]")
    if params["prune"] and params[list_name] is None:
        raise InputError(f"prune needs {list_name}", "a single item says nothing about the other members of its set")
    return str(set_name) if set_name else None


@dataclass(frozen=True)
class Members:
    """Where members of a set are looked for.

    Attributes:
        kind: what they are.
        is_kept: whether one is in the list.
        label: another label they carry, when other modules have members of the same kind.
        is_likely: False if a caller who may not look for them made none either.
        warnings: what to say of one that goes, looked up before it does.
    """

    kind: Kind
    is_kept: Callable[[Object], bool]
    label: str = ""
    is_likely: bool = True
    warnings: Callable[[Ref], list[str]] = _nothing


def prune(
    api: Api,
    params: Mapping[str, Any],
    members: Sequence[Members],
    namespaces: Iterable[str],
    outcomes: Sequence[Outcome],
    *,
    check_mode: bool,
) -> list[Outcome]:
    """Delete the members of a set that are not to be kept, in the order given; one outcome each.

    Only if the task asks for it, never for an empty list and never after a failure: what could not be read or made
    says nothing about what is left over. What goes wrong here ends it with an outcome of its own, because the items
    of the list are done by then and have to be told.

    Args:
        api: the cluster.
        params: of the task: C(prune), C(set_name) and C(prune_namespaces), checked before.
        members: where to look.
        namespaces: of the list; where to look without the right to look everywhere.
        outcomes: what came of the list's items.
        check_mode: only say what would be deleted.
    """
    if not params["prune"] or not outcomes or any(outcome.error for outcome in outcomes):
        return []
    within, places = params["prune_namespaces"], sorted({namespace for namespace in namespaces if namespace})
    set_name, gone, pruned = str(params["set_name"]), _taken_away(outcomes), []
    try:
        for some in members:
            for member in _found(api, some, set_name, places):
                is_left = not some.is_kept(member) and not is_terminating(member) and _is_within(member, within)
                if is_left and _identity(some.kind, member) not in gone:
                    pruned.append(_remove(api, some, member, check_mode=check_mode))
    except ProvisionError as error:
        title = f"prune of the set {set_name}"
        pruned.append(Outcome(identity={}, title=title, reason=error.code, msg=str(error), error=error))
    return pruned


def _is_within(member: Object, namespaces: Sequence[str] | None) -> bool:
    """Whether it is in one of these namespaces; what is in none is not."""
    return namespaces is None or member["metadata"].get("namespace") in namespaces


def _taken_away(outcomes: Sequence[Outcome]) -> set[tuple[str | None, ...]]:
    """What the list itself takes away, which in check mode is still there."""
    deleted = [entry for outcome in outcomes for entry in outcome.actions if entry["verb"] == "delete"]
    return {(entry["kind"], entry["namespace"], entry["name"]) for entry in deleted}


def _identity(kind: Kind, member: Object) -> tuple[str, str | None, str]:
    """As in C(actions)."""
    return kind.name, member["metadata"].get("namespace"), member["metadata"]["name"]


def all_but(kinds: Iterable[Kind], keep: Iterable[Ref], *, cluster_wide: bool = False) -> list[Members]:
    """Members of these kinds, of which those at these addresses stay.

    Args:
        kinds: what they may be.
        keep: the addresses.
        cluster_wide: whether the list has items that are in no namespace.
    """
    kept = set(keep)
    return [
        Members(kind, lambda obj, kind=kind: ref_of(obj, kind) in kept, is_likely=kind.namespaced or cluster_wide)  # type: ignore[misc]
        for kind in kinds
    ]


def _found(api: Api, some: Members, set_name: str, namespaces: Sequence[str]) -> list[Object]:
    """Everywhere, or, without the right to look there, in the namespaces of the list."""
    selector = ",".join(part for part in (f"{SET_LABEL}={set_name}", some.label) if part)
    # nothing but a Secret's metadata is anybody's business here
    metadata = some.kind is SECRET
    try:
        return api.list_all(some.kind, labels=selector, metadata=metadata)
    except ForbiddenError as refusal:
        if not some.kind.namespaced:
            return _none_of(some, refusal)
    try:
        return [
            member
            for namespace in namespaces
            for member in api.list_all(some.kind, namespace, labels=selector, metadata=metadata)
        ]
    except ForbiddenError as refusal:
        return _none_of(some, refusal)


def _none_of(some: Members, refusal: ForbiddenError) -> list[Object]:
    """Who may not look, and makes none, has none to prune.

    Raises:
        ForbiddenError: there may be some.
    """
    if some.is_likely:
        raise refusal
    return []


def _remove(api: Api, some: Members, member: Object, *, check_mode: bool) -> Outcome:
    ref = ref_of(member, some.kind)
    write, warnings = Write("delete", ref, "not_in_list", uid=uid_of(member)), some.warnings(ref)
    if not check_mode:
        api.delete(ref, uid=write.uid)
    return Outcome(
        identity={"kind": ref.kind.name, "name": ref.name, "namespace": ref.namespace or None},
        title=str(ref),
        changed=True,
        reason=write.reason,
        actions=[write.as_action()],
        before=view(member),
        warnings=warnings,
    )
