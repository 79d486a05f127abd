# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sets: what one list declares carries a label, so that what left the list can be found and deleted."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from . import _names
from ._api import Api
from ._durations import rfc3339
from ._errors import ForbiddenError, InputError
from ._kinds import Kind, Object, Ref, ref_of, uid_of
from ._plan import Outcome, Write, view

SET_LABEL = "tokenwright/set"
EXPIRES_AT = "tokenwright/expires-at"

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "set_name": {"type": "str"},
    "prune": {"type": "bool", "default": False},
}


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
    if params["prune"] and params[list_name] is None:
        raise InputError(f"prune needs {list_name}", "a single item says nothing about the other members of its set")
    return str(set_name) if set_name else None


def prune(
    api: Api,
    params: Mapping[str, Any],
    kinds: Sequence[Kind],
    keep: Iterable[Ref],
    outcomes: Sequence[Outcome],
    *,
    check_mode: bool,
) -> list[Outcome]:
    """Delete the members of a set that are not to be kept, in the order of the kinds; one outcome each.

    Only if the task asks for it, never for an empty list and never after a failure: what could not be read or made
    says nothing about what is left over.

    Args:
        api: the cluster.
        params: of the task: C(prune) and C(set_name), checked before.
        kinds: what members may be.
        keep: the members of the list.
        outcomes: what came of the list's items.
        check_mode: only say what would be deleted.
    """
    if not params["prune"] or not outcomes or any(outcome.error for outcome in outcomes):
        return []
    set_name, kept = str(params["set_name"]), set(keep)
    namespaces = sorted({ref.namespace for ref in kept if ref.namespace})
    outcomes = []
    for kind in kinds:
        for member in _members(api, kind, set_name, namespaces):
            ref = ref_of(member, kind)
            if ref not in kept and not member["metadata"].get("deletionTimestamp"):
                outcomes.append(_remove(api, ref, member, check_mode=check_mode))
    return outcomes


def _members(api: Api, kind: Kind, set_name: str, namespaces: Sequence[str]) -> list[Object]:
    """Everywhere, or, without the right to look there, in the namespaces of the list."""
    selector = f"{SET_LABEL}={set_name}"
    try:
        return api.list_all(kind, labels=selector)
    except ForbiddenError:
        if not kind.namespaced:
            # a caller without rights on cluster-wide objects made none of them
            return []
        return [member for namespace in namespaces for member in api.list_all(kind, namespace, labels=selector)]


def _remove(api: Api, ref: Ref, member: Object, *, check_mode: bool) -> Outcome:
    write = Write("delete", ref, "not_in_list", uid=uid_of(member))
    if not check_mode:
        api.delete(ref, uid=write.uid)
    return Outcome(
        identity={"kind": ref.kind.name, "name": ref.name, "namespace": ref.namespace or None},
        title=str(ref),
        changed=True,
        reason=write.reason,
        actions=[write.as_action()],
        before=view(member),
    )
