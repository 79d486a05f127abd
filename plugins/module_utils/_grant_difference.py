# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wherein a declared grant and live objects differ: by what is granted and to whom, not by how it is written. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._grant_desired import EXACT, REMOVE, DesiredGrant
from ._kinds import Object, Ref
from ._plan import Live, Plan
from ._rbac import Subject, as_rules, permissions, uncovered, without


@dataclass(frozen=True)
class Difference:
    """What the live objects lack and have too much, by what the modes ask for, before anything is written."""

    missing_rules: list[dict[str, list[str]]]
    extra_rules: list[dict[str, list[str]]]
    missing_subjects: list[Object]
    extra_subjects: list[Object]


def difference(desired: DesiredGrant, live: Live) -> Difference:
    """Compare by what is granted and to whom, not by how it is written."""
    role = live.get(desired.role_ref) if desired.role_ref else None
    missing, extra = _rules_difference(desired, (role or {}).get("rules") or ())
    lacking, surplus = _subjects_difference(desired, _live_subjects(desired.ref, live[desired.ref]))
    return Difference(
        missing_rules=missing,
        extra_rules=extra,
        missing_subjects=[subject.to_api() for subject in lacking],
        extra_subjects=[subject.to_api() for subject in surplus],
    )


def _rules_difference(
    desired: DesiredGrant, present: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, list[str]]], list[dict[str, list[str]]]]:
    if desired.rules is None:
        return [], []
    if desired.rules_mode == REMOVE:
        kept = permissions(without(present, desired.rules))
        return [], as_rules(permissions(present) - kept)
    missing = as_rules(uncovered(present, desired.rules))
    return missing, as_rules(uncovered(desired.rules, present)) if desired.rules_mode == EXACT else []


def _subjects_difference(desired: DesiredGrant, present: Sequence[Subject]) -> tuple[list[Subject], list[Subject]]:
    if desired.subjects is None:
        return [], []
    wanted, found = set(desired.subjects), set(present)
    if desired.subjects_mode == REMOVE:
        return [], sorted(wanted & found)
    return sorted(wanted - found), sorted(found - wanted) if desired.subjects_mode == EXACT else []


def _live_subjects(ref: Ref, binding: Object | None) -> list[Subject]:
    return [Subject.from_api(subject, ref.namespace) for subject in (binding or {}).get("subjects") or ()]


def new_rules(desired: DesiredGrant, live: Live, todo: Plan) -> list[Mapping[str, Any]]:
    """The declared rules that the plan's writes bring to the role, each as a whole."""
    writes_role = any(write.ref == desired.role_ref and write.verb != "delete" for write in todo.writes)
    if not writes_role or desired.role_ref is None or desired.rules_mode == REMOVE:
        return []
    present = (live.get(desired.role_ref) or {}).get("rules") or ()
    return [rule for rule in desired.rules or () if uncovered(present, [rule])]


# What is shown of the objects that were written


def only_differing(before: Sequence[Object], after: Sequence[Object]) -> tuple[list[Object], list[Object]]:
    """Objects before and after, without the rules and subjects that are in both; what is in one list alone is whole."""
    return _less(before, after), _less(after, before)


def _less(objects: Sequence[Object], others: Sequence[Object]) -> list[Object]:
    known = {_address(other): other for other in others}
    return [_only_in(obj, known[_address(obj)]) if _address(obj) in known else obj for obj in objects]


def _address(obj: Object) -> tuple[str, str, str]:
    metadata = obj["metadata"]
    return obj["kind"], metadata.get("namespace") or "", metadata["name"]


def _only_in(obj: Object, other: Object) -> Object:
    namespace = obj["metadata"].get("namespace") or ""
    theirs = {Subject.from_api(subject, namespace) for subject in other.get("subjects") or ()}
    own = {
        "rules": as_rules(uncovered(other.get("rules") or (), obj.get("rules") or ())),
        "subjects": [one for one in obj.get("subjects") or () if Subject.from_api(one, namespace) not in theirs],
    }
    kept = {key: value for key, value in obj.items() if key not in own}
    return {**kept, **{key: value for key, value in own.items() if value}}
