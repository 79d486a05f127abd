# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In what k8s_sa_binding ends otherwise than kubectl auth reconcile, on purpose: all there is, as data.

Each says for which grants it holds and what exactly is to be there instead. Nothing else may differ.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, TypeAlias

from differential.grants import Case, Place
from differential.rules import atom_list
from differential.states import State, merged, repeated, selectors_of, state_of, subject_list

# on a role that the module made
_MADE_FOR = "tokenwright/made-for"

Fields: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Improvement:
    """One way to be better.

    Attributes:
        name: short.
        kubectl: what kubectl does.
        ours: what the module does.
        fields: what the module's state is to have where it may differ; empty if it does not apply. Called with the
            case, the module's place, and the state so far: kubectl's, as the improvements before this one left it.
    """

    name: str
    kubectl: str
    ours: str
    fields: Callable[[Case, Place, State], Fields]


@dataclass(frozen=True)
class Expectation:
    """What is to become of a grant.

    Attributes:
        state: the module has to come to.
        improvements: names of those without which that would be something else.
        is_refused: whether the module has to fail.
    """

    state: State
    improvements: tuple[str, ...]
    is_refused: bool


def expected(case: Case, place: Place, theirs: State) -> Expectation:
    """What is to become of a grant that kubectl brought to this state."""
    state, names = theirs, []
    for improvement in IMPROVEMENTS:
        better = replace(state, **improvement.fields(case, place, state))
        names += [improvement.name] if better != state else []
        state = better
    if not _is_refused(case, place, state):
        return Expectation(state, tuple(names), is_refused=False)
    before = replace(state, **REFUSED.fields(case, place, state))
    return Expectation(before, (REFUSED.name,) if before != theirs else (), is_refused=True)


def _is_refused(case: Case, place: Place, wanted: State) -> bool:
    """Whether the module has to refuse to come to this state."""
    if case.role and case.role.selectors and not case.wanted_role.selectors:
        return True
    before = state_of(case.existing(place), case, place)
    changed = {name for name, value in asdict(wanted).items() if value != asdict(before)[name]}
    role_changes = bool(changed & set(_ROLE_FIELDS))
    binding_changes = bool(changed - set(_ROLE_FIELDS))
    return (role_changes and _is_bootstrap(case.role)) or (binding_changes and _is_bootstrap(case.binding))


_ROLE_FIELDS = ("permissions", "repeated_permissions", "selectors", "role_labels", "role_annotations")


def _is_bootstrap(present: Any) -> bool:
    return present is not None and bool(present.metadata.is_bootstrap)


def _declared_values(case: Case, _place: Place, dummy: State) -> Fields:
    found: dict[str, Any] = {}
    if case.role and not case.role.metadata.is_protected:
        found["role_labels"], found["role_annotations"] = merged(case.role.metadata, case)
    if case.binding and not case.changes_role and not case.binding.metadata.is_protected:
        found["labels"], found["annotations"] = merged(case.binding.metadata, case)
    return found


def _whose_role(case: Case, place: Place, theirs: State) -> Fields:
    return {} if case.role else {"role_annotations": {**(theirs.role_annotations or {}), _MADE_FOR: case.name(place)}}


def _what_others_gave(case: Case, place: Place, dummy: State) -> Fields:
    if not case.binding or not case.changes_role or case.binding.metadata.is_protected:
        return {}
    labels, annotations = merged(case.binding.metadata, case)
    owners = tuple(owner["name"] for owner in case.binding.metadata.owners)
    found = {"labels": labels, "annotations": annotations, "owners": owners}
    if case.exact:
        return found
    present = subject_list(case.binding.subjects, place)
    return {**found, "subjects": frozenset([*present, *subject_list(case.wanted_binding.subjects, place)])}


def _each_rule_once(case: Case, dummy: Place, theirs: State) -> Fields:
    if case.exact or not case.role or theirs.repeated_permissions is None:
        return {}
    return {"repeated_permissions": repeated(atom_list(case.role.rules))}


def _each_subject_once(case: Case, place: Place, dummy: State) -> Fields:
    if case.binding and case.binding.metadata.is_protected:
        return {}
    wanted = set(subject_list(case.wanted_binding.subjects, place))
    present = Counter(subject_list(case.binding.subjects if case.binding else (), place))
    return {"repeated_subjects": sum(n - 1 for one, n in present.items() if one in wanted or not case.exact)}


def _declared_selectors(case: Case, _place: Place, dummy: State) -> Fields:
    if not case.wanted_role.selectors or (case.role and case.role.metadata.is_protected):
        return {}
    return {"selectors": selectors_of({"matchLabels": labels} for labels in case.wanted_role.selectors)}


def _left_as_it_was(case: Case, place: Place, dummy: State) -> Fields:
    return asdict(state_of(case.existing(place), case, place))


# docs/proofs.md has these sentences
IMPROVEMENTS = (
    Improvement(
        "declared values",
        "A label or annotation that is there with another value keeps that value.",
        "It gets the value that is declared.",
        _declared_values,
    ),
    Improvement(
        "whose role it is",
        "A role that was made does not say by whom.",
        "The annotation `tokenwright/made-for` says so, so that the role can be removed with its binding.",
        _whose_role,
    ),
    Improvement(
        "what others gave",
        "A binding that changes its role loses its labels, annotations, owners and, although nothing is to be "
        "removed, all subjects of others.",
        "They stay.",
        _what_others_gave,
    ),
    Improvement(
        "each rule once",
        "What is added to a role is added as often as it was said.",
        "It is added once.",
        _each_rule_once,
    ),
    Improvement(
        "each subject once",
        "A subject that is there in other words (its namespace or group left out) is added or replaced.",
        "It is there, so it stays as it is.",
        _each_subject_once,
    ),
    Improvement(
        "declared selectors",
        "The selectors of an aggregated role are only added to, unless extra permissions are to be removed.",
        "An aggregated role has the selectors that are declared.",
        _declared_selectors,
    ),
)

# it takes the place of all others
REFUSED = Improvement(
    "refused",
    "An aggregated role that is given rules is aggregated no more; what belongs to Kubernetes itself is changed.",
    "Both are refused, and nothing of the grant is written.",
    _left_as_it_was,
)
