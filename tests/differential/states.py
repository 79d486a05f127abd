# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a grant is in the end: by what it allows and to whom, whatever the words and wherever the place."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from differential.grants import OWN, Case, Metadata, Object, Place, Words
from differential.rules import Atom, atom_list

_ACCOUNT = "ServiceAccount"


@dataclass(frozen=True)
class State:
    """A role and a binding; what is not there has None everywhere.

    Attributes:
        permissions: the atoms of the rules; None as well if the rules are the control plane's.
        repeated_permissions: how many atoms are said once more than needed.
        selectors: of an aggregated role.
        role_labels: of the role.
        role_annotations: of the role.
        role_ref: what the binding refers to; empty for the role made for it.
        subjects: kind, namespace and name; OWN for the namespace of the place.
        repeated_subjects: how many subjects are said once more than needed.
        labels: of the binding.
        annotations: of the binding.
        owners: names in its ownerReferences.
    """

    permissions: frozenset[Atom] | None
    repeated_permissions: int | None
    selectors: frozenset[str] | None
    role_labels: Words | None
    role_annotations: Words | None
    role_ref: str | None
    subjects: frozenset[tuple[str, str, str]] | None
    repeated_subjects: int | None
    labels: Words | None
    annotations: Words | None
    owners: tuple[str, ...] | None


def state_of(objects: Iterable[Object], case: Case, place: Place) -> State:
    """The state of a case, from its role and its binding as far as they are there."""
    kinds = {str(one["kind"]).removeprefix("Cluster"): one for one in objects}
    return State(**_of_role(kinds.get("Role")), **_of_binding(kinds.get("RoleBinding"), case, place))


def _of_role(role: Object | None) -> dict[str, Any]:
    if role is None:
        fields = ("permissions", "repeated_permissions", "selectors", "role_labels", "role_annotations")
        return dict.fromkeys(fields)
    aggregation = role.get("aggregationRule")
    listed = None if aggregation else atom_list(role.get("rules") or ())
    return {
        "permissions": None if listed is None else frozenset(listed),
        "repeated_permissions": None if listed is None else repeated(listed),
        "selectors": selectors_of(aggregation["clusterRoleSelectors"]) if aggregation else None,
        "role_labels": _words(role, "labels"),
        "role_annotations": _words(role, "annotations"),
    }


def _of_binding(binding: Object | None, case: Case, place: Place) -> dict[str, Any]:
    if binding is None:
        return dict.fromkeys(("role_ref", "subjects", "repeated_subjects", "labels", "annotations", "owners"))
    name, listed = binding["roleRef"]["name"], subject_list(binding.get("subjects") or (), place)
    return {
        "role_ref": "" if name == case.name(place) else name,
        "subjects": frozenset(listed),
        "repeated_subjects": repeated(listed),
        "labels": _words(binding, "labels"),
        "annotations": _words(binding, "annotations"),
        "owners": tuple(owner["name"] for owner in binding["metadata"].get("ownerReferences") or ()),
    }


def repeated(listed: Sequence[object]) -> int:
    """How many are in the list once more than needed."""
    return len(listed) - len(set(listed))


def selectors_of(selectors: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Label selectors, comparable."""
    return frozenset(json.dumps(selector, sort_keys=True) for selector in selectors)


def subject_list(subjects: Iterable[Mapping[str, str]], place: Place) -> list[tuple[str, str, str]]:
    """Who is meant: an account without a namespace is one of the binding's, users and groups have none."""
    return [_subject(subject, place) for subject in subjects]


def _subject(subject: Mapping[str, str], place: Place) -> tuple[str, str, str]:
    if subject["kind"] != _ACCOUNT:
        return subject["kind"], "", subject["name"]
    namespace = subject.get("namespace") or OWN
    return _ACCOUNT, OWN if namespace == place.namespace else namespace, subject["name"]


def _words(obj: Object, field: str) -> Words:
    return dict(obj["metadata"].get(field) or {})


def merged(metadata: Metadata, case: Case) -> tuple[Words, Words]:
    """The labels and annotations of an object to which those that are declared are added."""
    return {**metadata.labels, **case.labels}, {**metadata.annotations, **case.annotations}
