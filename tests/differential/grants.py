# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Grants by chance: how one is, and how it is to be. Once for kubectl, in manifests, and once for k8s_sa_binding.

Both get a place of their own for it, so that each starts from the same.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from differential.rules import Rule, Rules

Object: TypeAlias = dict[str, Any]
Subject: TypeAlias = dict[str, str]
Words: TypeAlias = dict[str, str]

GROUP = "rbac.authorization.k8s.io"
PROTECTED = "rbac.authorization.kubernetes.io/autoupdate"
BOOTSTRAP = "kubernetes.io/bootstrapping"

# stands for the namespace of the place
OWN = "{own}"

_ACCOUNT = {"kind": "ServiceAccount", "name": "app"}
_JANE = {"apiGroup": GROUP, "kind": "User", "name": "https://issuer.example.com#jane"}
_SUBJECTS: tuple[Subject, ...] = (
    {**_ACCOUNT, "namespace": OWN},
    {**_ACCOUNT, "namespace": "elsewhere"},
    {"kind": "ServiceAccount", "name": "other", "namespace": OWN},
    _JANE,
    {"apiGroup": GROUP, "kind": "User", "name": "system:proof"},
    {"apiGroup": GROUP, "kind": "Group", "name": "proof:developers"},
)
# the server takes these as well: the namespace is left out, or is one that means nothing, the group is left out
_ODD_SUBJECTS: tuple[Subject, ...] = ({**_JANE, "namespace": OWN}, {"kind": "Group", "name": "proof:developers"})
_ACCOUNT_OF_THE_PLACE: Subject = dict(_ACCOUNT)

_KEYS, _VALUES = ("team", "tier", "note"), ("x", "y")


@dataclass(frozen=True)
class Place:
    """Where one of the two works: a namespace, and for what is in none, the beginning of a name."""

    namespace: str
    prefix: str


@dataclass(frozen=True)
class Metadata:
    """What there is besides rules and subjects."""

    labels: Words = field(default_factory=dict)
    annotations: Words = field(default_factory=dict)
    owners: tuple[Object, ...] = ()

    @property
    def is_protected(self) -> bool:
        """Whether nobody is to reconcile the object."""
        return self.annotations.get(PROTECTED) == "false"

    @property
    def is_bootstrap(self) -> bool:
        """Whether the object says that it belongs to Kubernetes."""
        return BOOTSTRAP in self.labels


@dataclass(frozen=True)
class Role:
    """A role: its rules, or the labels of the roles it collects."""

    rules: tuple[Rule, ...]
    selectors: tuple[Words, ...] = ()
    metadata: Metadata = Metadata()


@dataclass(frozen=True)
class Binding:
    """A binding to the role made for it or, with C(foreign_role), to this ClusterRole."""

    subjects: tuple[Subject, ...]
    foreign_role: str = ""
    metadata: Metadata = Metadata()


@dataclass(frozen=True)
class Case:
    """A grant: how it is and how it is to be.

    Attributes:
        number: its number, and in a place its name.
        exact: whether what is not wanted is to go.
        cluster_wide: whether it is in no namespace.
        role: that is there.
        binding: that is there.
        wanted_role: without metadata of its own: both have C(labels) and C(annotations).
        wanted_binding: to the role made for it.
        labels: to be added to both.
        annotations: to be added to both.
        on_role_change: how the module is to change the role of a binding.
    """

    number: int
    exact: bool
    cluster_wide: bool
    role: Role | None
    binding: Binding | None
    wanted_role: Role
    wanted_binding: Binding
    labels: Words
    annotations: Words
    on_role_change: str

    @property
    def changes_role(self) -> bool:
        """Whether the binding refers to another role."""
        return bool(self.binding and self.binding.foreign_role)

    def name(self, place: Place) -> str:
        """Of role and binding."""
        return f"{place.prefix}-{self.number}"

    def manifests(self, place: Place) -> list[Object]:
        """How it is to be, for kubectl."""
        metadata = Metadata(self.labels, self.annotations)
        role = Role(self.wanted_role.rules, self.wanted_role.selectors, metadata)
        return [self._role(place, role), self._binding(place, Binding(self.wanted_binding.subjects, "", metadata))]

    def existing(self, place: Place) -> list[Object]:
        """How it is."""
        found = [self._role(place, self.role)] if self.role else []
        return [*found, *([self._binding(place, self.binding)] if self.binding else [])]

    def item(self, place: Place) -> dict[str, Any]:
        """How it is to be, for k8s_sa_binding."""
        mode = "exact" if self.exact else "append"
        selectors = [{"match_labels": labels} for labels in self.wanted_role.selectors]
        rules = [_option(rule) for rule in self.wanted_role.rules]
        return {
            "name": self.name(place),
            **({"cluster_wide": True} if self.cluster_wide else {"namespace": place.namespace}),
            **({"aggregation_selectors": selectors} if selectors else {"rules": rules}),
            "subjects": [_without_group(subject, place) for subject in self.wanted_binding.subjects],
            "rules_mode": mode,
            "subjects_mode": mode,
            "labels": self.labels,
            "annotations": self.annotations,
            "on_role_change": self.on_role_change,
        }

    def _role(self, place: Place, role: Role) -> Object:
        body = self._object(place, "Role", role.metadata) | {"rules": copy.deepcopy(list(role.rules))}
        selectors = [{"matchLabels": labels} for labels in role.selectors]
        return {**body, "aggregationRule": {"clusterRoleSelectors": selectors}} if selectors else body

    def _binding(self, place: Place, binding: Binding) -> Object:
        kind = "ClusterRole" if self.cluster_wide or binding.foreign_role else "Role"
        ref = {"apiGroup": GROUP, "kind": kind, "name": binding.foreign_role or self.name(place)}
        subjects = [_in_place(subject, place) for subject in binding.subjects]
        return {**self._object(place, "RoleBinding", binding.metadata), "roleRef": ref, "subjects": subjects}

    def _object(self, place: Place, kind: str, metadata: Metadata) -> Object:
        about: Object = {"name": self.name(place), "labels": metadata.labels, "annotations": metadata.annotations}
        about |= {"ownerReferences": list(metadata.owners)} if metadata.owners else {}
        if self.cluster_wide:
            return {"apiVersion": f"{GROUP}/v1", "kind": f"Cluster{kind}", "metadata": about}
        return {"apiVersion": f"{GROUP}/v1", "kind": kind, "metadata": {**about, "namespace": place.namespace}}


def _in_place(subject: Subject, place: Place) -> Subject:
    return {key: value.replace(OWN, place.namespace) for key, value in subject.items()}


def _without_group(subject: Subject, place: Place) -> Subject:
    """As an item of the option subjects; a namespace is given for accounts only."""
    named = _in_place(subject, place)
    allowed = ("kind", "name", "namespace") if subject["kind"] == "ServiceAccount" else ("kind", "name")
    return {key: value for key, value in named.items() if key in allowed}


def _option(rule: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    """A rule as an item of the option rules."""
    names = {
        "verbs": "verbs",
        "apiGroups": "api_groups",
        "resources": "resources",
        "resourceNames": "resource_names",
        "nonResourceURLs": "non_resource_urls",
    }
    return {names[key]: list(values) for key, values in rule.items()}


class Grants:
    """Grants by chance."""

    def __init__(self, seed: int, owner: Object) -> None:
        """Begin.

        Args:
            seed: the same seed gives the same grants.
            owner: an ownerReference to something that is there.
        """
        self._chance = random.Random(seed)  # noqa: S311 - cases of a test, no secret
        self._inside = Rules(seed, oddity=0, urls=False)
        self._everywhere = Rules(seed, oddity=0)
        self._owner = owner

    def cases(self, count: int) -> Iterator[Case]:
        """So many, in both modes alike."""
        for number in range(count):
            yield self._case(number)

    def _case(self, number: int) -> Case:
        cluster_wide = self._happens(0.3)
        subjects = self._subjects(cluster_wide=cluster_wide)
        role, wanted_role = self._roles(cluster_wide=cluster_wide)
        return Case(
            number=number,
            exact=number % 2 == 1,
            cluster_wide=cluster_wide,
            role=role,
            binding=self._binding(subjects),
            wanted_role=wanted_role,
            wanted_binding=Binding(self._wanted(subjects, cluster_wide=cluster_wide)),
            labels=self._words(),
            annotations=self._words(),
            on_role_change=self._chance.choice(("recreate", "overlap")),
        )

    def _roles(self, *, cluster_wide: bool) -> tuple[Role | None, Role]:
        """The one that is there, and the one that is wanted."""
        present, wanted = self._rule_lists(self._everywhere if cluster_wide else self._inside)
        aggregated = self._chance.choices(("none", "one", "both"), weights=(7, 1, 2))[0] if cluster_wide else "none"
        selectors = self._selectors() if aggregated != "none" else ()
        wanted_selectors = self._selectors() if aggregated == "both" else ()
        if self._happens(0.15):
            return None, Role(() if wanted_selectors else wanted, wanted_selectors)
        role = Role(() if selectors else present, selectors, self._metadata())
        return role, Role(() if wanted_selectors else wanted, wanted_selectors)

    def _rule_lists(self, made: Rules) -> tuple[tuple[Rule, ...], tuple[Rule, ...]]:
        """What is there and what is wanted: the same, the same in other words, a part of it, more of it, or other."""
        whole = made.rules()
        ways: tuple[tuple[list[Rule], list[Rule]], ...] = (
            (whole, whole),
            (whole, made.rewritten(whole)),
            (whole, made.part_of(whole)),
            (made.part_of(whole), whole),
            (whole, [*made.part_of(whole), *made.rules(2)]),
            (whole, made.rules()),
            (whole, []),
        )
        present, wanted = self._chance.choices(ways, weights=(1, 2, 3, 3, 3, 2, 1))[0]
        return tuple(present), tuple(wanted)

    def _selectors(self) -> tuple[Words, ...]:
        return tuple({f"proof-{self._chance.choice(_KEYS)}": value} for value in _VALUES if self._happens(0.7))

    def _binding(self, subjects: Sequence[Subject]) -> Binding | None:
        if self._happens(0.1):
            return None
        foreign = self._chance.choice(("view", "edit")) if self._happens(0.3) else ""
        metadata = self._metadata(owners=(self._owner,) if self._happens(0.3) else ())
        return Binding(tuple(subjects), foreign, metadata)

    def _subjects(self, *, cluster_wide: bool) -> tuple[Subject, ...]:
        """Some, doubles included; an account of a cluster-wide grant has to have its namespace."""
        odd = _ODD_SUBJECTS if cluster_wide else (*_ODD_SUBJECTS, _ACCOUNT_OF_THE_PLACE)
        return tuple(self._chance.choice(odd if self._happens(0.2) else _SUBJECTS) for dummy in range(self._few()))

    def _wanted(self, present: Sequence[Subject], *, cluster_wide: bool) -> tuple[Subject, ...]:
        """Some of those that are there, and others."""
        kept = [subject for subject in present if self._happens(0.6)]
        found = [*kept, *(self._subjects(cluster_wide=cluster_wide) if self._happens(0.7) else ())]
        self._chance.shuffle(found)
        return tuple(found)

    def _few(self) -> int:
        return self._chance.randint(0, 4)

    def _metadata(self, owners: tuple[Object, ...] = ()) -> Metadata:
        """Seldom protected, or of Kubernetes itself."""
        labels, annotations = self._words(), self._words()
        if self._happens(0.08):
            annotations[PROTECTED] = self._chance.choice(("false", "false", "true"))
        elif self._happens(0.05):
            labels[BOOTSTRAP] = "rbac-defaults"
        return Metadata(labels, annotations, owners)

    def _words(self) -> Words:
        return {key: self._chance.choice(_VALUES) for key in _KEYS if self._happens(0.2)}

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share
