# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a declared grant and the live objects to writes: pure.

All lists of RBAC objects are atomic, so objects are replaced under their resourceVersion; a binding's roleRef cannot
be changed at all. Source: Kubernetes API, rbac.authorization.k8s.io/v1.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ._errors import ApiError, InputError
from ._grant_desired import APPEND, EXACT, FAIL, OVERLAP, REMOVE, DesiredGrant
from ._grant_difference import Difference, difference
from ._kinds import RBAC_GROUP, Object, Ref, skeleton, uid_of
from ._namespaces import coming_notes, is_terminating
from ._plan import Live, Plan, Write
from ._rbac import Subject, still_granted, without
from ._sets import SET_LABEL

# on a role we made: the name of the binding it was made for, so that absent may delete it
MADE_FOR = "tokenwright/made-for"

# on the binding that stands in while another one is replaced
OVERLAP_OF = "tokenwright/overlap-of"

# objects of Kubernetes itself, which the API server restores when it starts
_BOOTSTRAP = "kubernetes.io/bootstrapping"
# "false": nobody is to reconcile this object; kubectl auth reconcile leaves it alone as well
_AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"


def overlap_ref(ref: Ref) -> Ref:
    """The binding that stands in while this one is replaced."""
    return Ref(ref.kind, ref.namespace, f"{ref.name}.overlap")


def plan(
    desired: DesiredGrant, live: Live, *, now: datetime, check_mode: bool, removable_role: Ref | None = None
) -> Plan:
    """The writes that bring one grant to its desired state: the role first, then who holds it.

    Args:
        desired: the grant as declared.
        live: binding, its stand-in, role if the caller may read it, and the namespace if that was read.
        now: the server's time.
        check_mode: what is missing may then be what an earlier task would have made.
        removable_role: a role of ours that nothing else refers to.

    Raises:
        ApiError: a role is missing, or something is being deleted.
        InputError: an object may not be changed.
    """
    if not desired.is_wanted(now):
        return _removal(desired, live, removable_role)
    notes: list[str] = []
    writes: list[Write] = []
    if desired.makes_role and desired.role_ref:
        writes += _unprotected(desired, _role_writes(desired, desired.role_ref, live), live, notes)
        if _would_grant_nothing(desired, live):
            notes += _missing_role(desired, check_mode=check_mode)
    elif desired.role_ref and desired.role_ref in live and _is_gone(desired.role_ref, live):
        notes += _missing_role(desired, check_mode=check_mode)
    if desired.subjects is not None:
        writes += _unprotected(desired, _binding_writes(desired, live), live, notes)
    if any(write.verb == "create" for write in writes):
        notes += coming_notes(desired.ref, live, check_mode=check_mode)
    return Plan(tuple(writes), tuple(notes))


def _removal(desired: DesiredGrant, live: Live, removable_role: Ref | None) -> Plan:
    reason = "expired" if desired.present else "unwanted"
    refs = [overlap_ref(desired.ref), desired.ref, *([removable_role] if removable_role else [])]
    doomed = [(ref, obj) for ref in refs if (obj := live.get(ref)) and not is_terminating(obj)]
    for ref, obj in doomed:
        _refuse_bootstrap(desired, ref, obj)
    return Plan(tuple(Write("delete", ref, reason, uid=uid_of(obj)) for ref, obj in doomed))


def _unprotected(desired: DesiredGrant, writes: list[Write], live: Live, notes: list[str]) -> list[Write]:
    """The writes, unless they are to an object that is marked as not to be reconciled; then a note."""
    for write in writes:
        obj = live.get(write.ref)
        if obj is None:
            continue
        _refuse_bootstrap(desired, write.ref, obj)
        if (obj["metadata"].get("annotations") or {}).get(_AUTOUPDATE) == "false" and not desired.override_autoupdate:
            notes.append(
                f"{write.ref} differs and stays as it is, because its annotation {_AUTOUPDATE} says false: "
                "override_autoupdate changes it all the same"
            )
            return []
    return writes


def _would_grant_nothing(desired: DesiredGrant, live: Live) -> bool:
    """Whether rules are to be taken from a role that is not there, and it is to be granted all the same."""
    grants = desired.subjects is not None and desired.subjects_mode != REMOVE
    is_gone = desired.role_ref is not None and live[desired.role_ref] is None
    return grants and is_gone and desired.rules_mode == REMOVE


def _missing_role(desired: DesiredGrant, *, check_mode: bool) -> list[str]:
    text = f"{desired.role_ref} does not exist"
    if check_mode:
        return [f"{text} yet: it must be there when {desired.ref} is made"]
    raise ApiError(
        f"cannot grant {desired.ref}: {text}",
        code="missing_role",
        hint="create it first, correct the name, or give rules",
    )


def _is_gone(ref: Ref, live: Live) -> bool:
    role = live[ref]
    if role is not None:
        _refuse_terminating(ref, role)
    return role is None


def _refuse_terminating(ref: Ref, obj: Object) -> None:
    if is_terminating(obj):
        raise ApiError(f"{ref} is being deleted", code="terminating", hint="wait until it is gone and run again")


# The role


def _role_writes(desired: DesiredGrant, role_ref: Ref, live: Live) -> list[Write]:
    role = live[role_ref]
    if role is None:
        return [] if desired.rules_mode == REMOVE else [_new_role(desired, role_ref)]
    _refuse_terminating(role_ref, role)
    if desired.aggregation is not None:
        # rules are the control plane's then: neither compared nor written
        differs = role.get("aggregationRule") != desired.aggregation
        body = {**copy.deepcopy(role), "aggregationRule": desired.aggregation}
        return _update(role_ref, role, _declared(desired, body, role), _why(differs, "rules_changed"))
    if role.get("aggregationRule"):
        raise InputError(
            f"{role_ref} is aggregated: its rules are the control plane's", "give rules to one of the roles it collects"
        )
    if desired.rules_mode == REMOVE:
        _refuse_stars(desired, role)
    change = difference(desired, live)
    differs = bool(change.missing_rules or change.extra_rules)
    body = {**copy.deepcopy(role), **({"rules": _rules(desired, role, change)} if differs else {})}
    declared = _declared(desired, body, role, desired.rules_mode)
    return _update(role_ref, role, declared, _why(differs, "rules_changed"))


def _new_role(desired: DesiredGrant, role_ref: Ref) -> Write:
    content: Object = {"rules": [dict(rule) for rule in desired.rules or ()]}
    if desired.aggregation is not None:
        content = {"aggregationRule": desired.aggregation, "rules": []}
    body = _declared(desired, skeleton(role_ref) | content)
    body["metadata"].setdefault("annotations", {})[MADE_FOR] = desired.ref.name
    return Write("create", role_ref, "missing", body)


def _rules(desired: DesiredGrant, role: Object, change: Difference) -> Sequence[Mapping[str, Any]]:
    present, wanted = role.get("rules") or [], list(desired.rules or ())
    if desired.rules_mode == EXACT:
        return [dict(rule) for rule in wanted]
    if desired.rules_mode == APPEND:
        return [*present, *change.missing_rules]
    return without(present, wanted)


def _refuse_stars(desired: DesiredGrant, role: Object) -> None:
    """A rule with a star cannot be taken apart."""
    wanted = desired.rules or ()
    if left_over := still_granted(without(role.get("rules") or (), wanted), wanted):
        raise InputError(
            f"{desired.role_ref}: {left_over} cannot be taken away, because a rule that grants more (* or every name) "
            "grants it as well",
            "write out what is to stay (rules_mode: exact)",
        )


# The binding


def _binding_writes(desired: DesiredGrant, live: Live) -> list[Write]:
    binding = live[desired.ref]
    role_ref = desired.role_ref
    if role_ref is None or (binding is None and desired.subjects_mode == REMOVE):
        return []
    stand_in = _stand_in(desired, live)
    api_ref = {"apiGroup": RBAC_GROUP, "kind": role_ref.kind.name, "name": role_ref.name}
    end = [Write("delete", overlap_ref(desired.ref), "overlap_ended", uid=uid_of(stand_in))] if stand_in else []
    if binding is None:
        # a run that ended half-way left everything that was foreign to us in the stand-in
        return [Write("create", desired.ref, "missing", _new_binding(desired, api_ref, stand_in)), *end]
    _refuse_terminating(desired.ref, binding)
    if not _refers_to(binding, api_ref):
        return _replacement(desired, binding, api_ref, stand_in)
    subjects = _subjects(desired, binding)
    differ = subjects != (binding.get("subjects") or [])
    body = {**copy.deepcopy(binding), **({"subjects": subjects} if differ else {})}
    body = _declared(desired, body, binding, desired.subjects_mode)
    return [*_update(desired.ref, binding, body, _why(differ, "subjects_changed")), *end]


def _refers_to(binding: Object, api_ref: Mapping[str, str]) -> bool:
    current = binding["roleRef"]
    return (current["kind"], current["name"]) == (api_ref["kind"], api_ref["name"])


def _replacement(
    desired: DesiredGrant, binding: Object, api_ref: Mapping[str, str], stand_in: Object | None
) -> list[Write]:
    """Another role: the binding is deleted and made anew, with or without a stand-in meanwhile."""
    reason = "role_changed"
    if desired.on_role_change == FAIL:
        current = binding["roleRef"]
        raise InputError(
            f"{desired.ref} refers to {current['kind']} {current['name']}, not to {api_ref['kind']} {api_ref['name']}, "
            "and Kubernetes does not let a binding change its role",
            "set on_role_change to recreate (for a moment nobody holds it) or overlap, or give the grant another name",
            code="role_changed",
        )
    body = _new_binding(desired, api_ref, binding)
    swap = [
        Write("delete", desired.ref, reason, uid=uid_of(binding)),
        Write("create", desired.ref, reason, body),
    ]
    if desired.on_role_change != OVERLAP:
        return swap
    return [
        *_standing_in(desired, body, stand_in),
        *swap,
        # it was made a moment ago, or is the one that was seen: whoever acts knows its uid
        Write("delete", overlap_ref(desired.ref), "overlap_ended"),
    ]


def _standing_in(desired: DesiredGrant, body: Object, stand_in: Object | None) -> list[Write]:
    ref = overlap_ref(desired.ref)
    wanted = copy.deepcopy(body)
    wanted["metadata"] |= {"name": ref.name}
    wanted["metadata"].setdefault("labels", {})[OVERLAP_OF] = _label_value(desired.ref.name)
    create = Write("create", ref, "role_changed", wanted)
    if stand_in is None:
        return [create]
    if _refers_to(stand_in, body["roleRef"]) and stand_in.get("subjects") == wanted["subjects"]:
        return []
    return [Write("delete", ref, "role_changed", uid=uid_of(stand_in)), create]


def _stand_in(desired: DesiredGrant, live: Live) -> Object | None:
    """The stand-in of a run that ended half-way.

    Raises:
        InputError: its name is taken by something else.
    """
    ref = overlap_ref(desired.ref)
    found = live.get(ref)
    if found and OVERLAP_OF not in (found["metadata"].get("labels") or {}):
        if desired.on_role_change == OVERLAP:
            raise InputError(f"{ref} is in the way: it is not ours", "rename it, or set on_role_change to recreate")
        return None
    return found


def _label_value(name: str) -> str:
    """As much of a name as a label value can hold; the stand-in's own name holds all of it."""
    return re.sub(r"[^A-Za-z0-9_.-]", "-", name)[:63].strip("-_.")


def _new_binding(desired: DesiredGrant, api_ref: Mapping[str, str], old: Object | None) -> Object:
    """The binding to create, with what is foreign to us in the one before it."""
    body = skeleton(desired.ref) | {"roleRef": dict(api_ref), "subjects": _subjects(desired, old or {})}
    metadata = (old or {}).get("metadata") or {}
    for field in ("labels", "annotations", "ownerReferences"):
        if metadata.get(field):
            body["metadata"][field] = copy.deepcopy(metadata[field])
    (body["metadata"].get("labels") or {}).pop(OVERLAP_OF, None)
    return _declared(desired, body, old, desired.subjects_mode)


def _subjects(desired: DesiredGrant, binding: Object) -> list[Object]:
    """The live subjects that stay, as the server wrote them and in its order, then the new ones."""
    wanted = list(desired.subjects or ())
    kept: list[Object] = []
    seen: set[Subject] = set()
    for live_subject in binding.get("subjects") or ():
        subject = Subject.from_api(live_subject, desired.ref.namespace)
        seen.add(subject)
        # a duplicate stays: harmless, and no reason to write
        if (subject in wanted) == (desired.subjects_mode != REMOVE) or desired.subjects_mode == APPEND:
            kept.append(live_subject)
    new = [] if desired.subjects_mode == REMOVE else [subject for subject in wanted if subject not in seen]
    return kept + [subject.to_api() for subject in new]


# Both


def _why(differs: bool, reason: str) -> str:
    return reason if differs else "metadata_changed"


def _declared(desired: DesiredGrant, obj: Object, live: Object | None = None, mode: str = EXACT) -> Object:
    """The object with the declared labels and annotations merged in.

    What is only added to stays what it was: in a set that it is a member of, or, as somebody else's, in none, because
    who prunes the set would delete what is not theirs.
    """
    is_foreign = live is not None and mode != EXACT and SET_LABEL not in (live["metadata"].get("labels") or {})
    labels = {key: value for key, value in desired.labels.items() if key != SET_LABEL or not is_foreign}
    for field, wanted in (("labels", labels), ("annotations", desired.annotations)):
        merged = {**(obj["metadata"].get(field) or {}), **wanted}
        values = {key: value for key, value in merged.items() if value is not None}
        if values or field in obj["metadata"]:
            obj["metadata"][field] = values
    return obj


def _update(ref: Ref, live: Object, body: Object, reason: str) -> list[Write]:
    return [] if body == live else [Write("update", ref, reason, body)]


def _refuse_bootstrap(desired: DesiredGrant, ref: Ref, obj: Object) -> None:
    if (obj["metadata"].get("labels") or {}).get(_BOOTSTRAP) and not desired.override_autoupdate:
        raise InputError(
            f"{ref} belongs to Kubernetes itself and is restored by the API server",
            "make a role or binding of your own, or set override_autoupdate",
        )
