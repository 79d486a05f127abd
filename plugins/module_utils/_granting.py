# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which binding and which rule allow a request, and what is missing where none does.

The decision is the API server's; this tells where it comes from. Source: VisitRulesFor and appliesTo in
pkg/registry/rbac/validation of Kubernetes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeAlias

from ._access_entries import ANYWHERE, EVERYWHERE, Entry
from ._errors import ForbiddenError
from ._kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Kind, Object, Ref, ref_of
from ._rbac import Permission, Subject, allows, as_rules, merged, uncovered

Rule: TypeAlias = Mapping[str, Any]

GRANTED, NOT_RBAC, UNKNOWN = "granted", "not_rbac", "unknown"
NO_BINDING, BINDING_ELSEWHERE, MISSING_ROLE, RULE_TOO_NARROW = (
    "no_binding",
    "binding_elsewhere",
    "missing_role",
    "rule_too_narrow",
)

# how many words of a list a sentence repeats
_WORDS = 4


@dataclass(frozen=True)
class Identity:
    """Somebody as the authorizers see them."""

    user: str
    groups: tuple[str, ...] = ()

    @classmethod
    def of_account(cls, namespace: str, name: str) -> Identity:
        """A service account with the groups that its tokens carry; without them a review takes it for a member of none.

        Source: Kubernetes, "Authenticating", service account tokens.
        """
        groups = ("system:serviceaccounts", f"system:serviceaccounts:{namespace}", "system:authenticated")
        return cls(_user_of(namespace, name), groups)


def _user_of(namespace: str, name: str) -> str:
    return f"system:serviceaccount:{namespace}:{name}"


@dataclass(frozen=True)
class Binding:
    """A RoleBinding or ClusterRoleBinding."""

    ref: Ref
    role: Ref
    subjects: tuple[Subject, ...]

    @classmethod
    def from_api(cls, obj: Object, kind: Kind) -> Binding:
        """A live one."""
        ref = ref_of(obj, kind)
        is_role = obj["roleRef"]["kind"] == ROLE.name
        role = Ref(ROLE if is_role else CLUSTER_ROLE, ref.namespace if is_role else "", str(obj["roleRef"]["name"]))
        subjects = tuple(Subject.from_api(subject, ref.namespace) for subject in obj.get("subjects") or ())
        return cls(ref, role, subjects)

    def reaches(self, entry: Entry) -> bool:
        """Whether what it grants holds where the request goes."""
        if self.ref.kind is CLUSTER_ROLE_BINDING:
            return True
        # a path is in no namespace
        return entry.namespace in (ANYWHERE, self.ref.namespace)


@dataclass(frozen=True)
class Grant:
    """One answer to the question who allows it: the binding, to whom, and the first of its rules that does."""

    binding: Binding
    subject: Subject
    rule: Rule

    def __str__(self) -> str:
        return f"{_bound(self.binding)} ({rule_text(self.rule)})"

    def as_dict(self) -> dict[str, Any]:
        """As it is returned."""
        ref, role = self.binding.ref, self.binding.role
        return {
            "kind": ref.kind.name,
            "namespace": ref.namespace or None,
            "name": ref.name,
            "role": {"kind": role.kind.name, "name": role.name},
            "rule": dict(self.rule),
            "subject": self.subject.to_api(),
        }


@dataclass(frozen=True)
class Policy:
    """All that was read of who may do what.

    Attributes:
        bindings: of both kinds.
        rules: of every role that exists.
        forbidden: why a kind could not be read everywhere.
        read_in: the namespaces in which it could be read all the same.
    """

    bindings: tuple[Binding, ...]
    rules: Mapping[Ref, Sequence[Rule]]
    forbidden: Mapping[Kind, ForbiddenError] = field(default_factory=dict)
    read_in: Mapping[Kind, frozenset[str]] = field(default_factory=dict)

    @cached_property
    def _by_subject(self) -> Mapping[tuple[str, str], Sequence[tuple[Binding, Subject]]]:
        found = defaultdict(list)
        for binding in self.bindings:
            for subject in binding.subjects:
                found[_key(subject)].append((binding, subject))
        return found

    def of(self, identity: Identity) -> dict[Binding, Subject]:
        """The bindings that name somebody, with the first subject that does; cluster-wide ones first."""
        keys = [("user", identity.user), *(("group", group) for group in identity.groups)]
        found: dict[Binding, Subject] = {}
        for key in keys:
            for binding, subject in self._by_subject.get(key, ()):
                found.setdefault(binding, subject)
        return dict(sorted(found.items(), key=lambda one: one[0].ref))

    def gap(self, namespace: str) -> ForbiddenError | None:
        """What keeps this from being all that decides in a namespace, everywhere or anywhere."""
        needed = [(CLUSTER_ROLE_BINDING, ""), (CLUSTER_ROLE, "")]
        if namespace != EVERYWHERE:
            needed += [(ROLE_BINDING, namespace), (ROLE, namespace)]
        open_ = (self.forbidden.get(kind) for kind, where in needed if where not in self.read_in.get(kind, ()))
        return next((error for error in open_ if error), None)

    def has(self, role: Ref) -> bool:
        """Whether a role exists, as far as that is known: what was not to be read counts as there."""
        is_unread = role.kind in self.forbidden and role.namespace not in self.read_in.get(role.kind, ())
        return role in self.rules or is_unread


def _key(subject: Subject) -> tuple[str, str]:
    if subject.kind == "ServiceAccount":
        return "user", _user_of(subject.namespace, subject.name)
    return subject.kind.lower(), subject.name


def grants(policy: Policy, identity: Identity, entry: Entry) -> list[Grant]:
    """Every binding that allows somebody a request."""
    return [
        Grant(binding, subject, rule)
        for binding, subject in policy.of(identity).items()
        if binding.reaches(entry)
        for rule in _first(policy.rules.get(binding.role, ()), entry.asked)
    ]


def _first(rules: Iterable[Rule], asked: Permission) -> list[Rule]:
    """The first rule that allows it, if one does."""
    return next(([rule] for rule in rules if allows(rule, asked)), [])


def who_can(policy: Policy, entry: Entry) -> list[tuple[Subject, list[Grant]]]:
    """Every subject of a binding that allows a request, with these bindings, in the order of names."""
    found = defaultdict(list)
    for binding in policy.bindings:
        if binding.reaches(entry):
            for rule in _first(policy.rules.get(binding.role, ()), entry.asked):
                for subject in dict.fromkeys(binding.subjects):
                    found[subject].append(Grant(binding, subject, rule))
    return sorted(found.items(), key=lambda one: one[0])


def effective_rules(policy: Policy, identity: Identity) -> list[dict[str, Any]]:
    """What somebody may do: cluster-wide (namespace None), and what each namespace adds to that."""
    given: dict[str, list[Rule]] = defaultdict(list)
    for binding in policy.of(identity):
        given[binding.ref.namespace] += policy.rules.get(binding.role, ())
    everywhere = given.pop("", [])
    found: list[dict[str, Any]] = [{"namespace": None, "rules": merged(everywhere)}] if everywhere else []
    for namespace, rules in sorted(given.items()):
        # a RoleBinding grants no paths, whatever its role says
        added = [atom for atom in uncovered(everywhere, rules) if not atom.url]
        if added:
            found.append({"namespace": namespace, "rules": merged(as_rules(added))})
    return found


@dataclass(frozen=True)
class Finding:
    """Why a request is allowed or not.

    Attributes:
        cause: one word.
        evidence: what was seen, a clause.
    """

    cause: str
    evidence: str


def finding(policy: Policy, identity: Identity, entry: Entry, *, allowed: bool, said: str) -> Finding:
    """Why the server answered as it did, as far as its bindings tell.

    Args:
        policy: the bindings.
        identity: who asked.
        entry: for what.
        allowed: the answer.
        said: the server's own reason.
    """
    held = grants(policy, identity, entry)
    if allowed and held:
        return Finding(GRANTED, f"granted by {_listed([str(one) for one in held])}")
    gap = policy.gap(entry.namespace)
    words = f" ({said})" if said else ""
    if allowed and gap:
        return Finding(UNKNOWN, f"by which binding could not be read{words}: {gap.hint}")
    if allowed:
        return Finding(NOT_RBAC, f"allowed, but by no binding{words}")
    if held:
        return Finding(NOT_RBAC, f"refused although {_listed([str(one) for one in held])} grants it")
    near = _nearest(policy, identity, entry)
    if gap:
        return Finding(near.cause, f"{near.evidence}, as far as bindings and roles could be read: {gap.hint}")
    return near


def _nearest(policy: Policy, identity: Identity, entry: Entry) -> Finding:
    """What comes nearest to a grant."""
    own = list(policy.of(identity))
    for binding in own:
        if binding.reaches(entry) and not policy.has(binding.role):
            return Finding(MISSING_ROLE, f"{binding.ref} refers to {binding.role}, which does not exist")
    narrow = _narrow(policy, own, entry)
    if narrow and len(narrow[0]) == 1:
        return _too_narrow(*narrow)
    for binding in own:
        if not binding.reaches(entry) and _first(policy.rules.get(binding.role, ()), entry.asked):
            return Finding(BINDING_ELSEWHERE, f"{_bound(binding)} grants it only in {binding.ref.namespace}")
    if narrow:
        return _too_narrow(*narrow)
    what = entry.asked.url or str(Permission("", entry.asked.group, entry.asked.resource)).strip()
    where = " or ".join(["cluster-wide", *([f"in {entry.namespace}"] if entry.namespace not in ("", ANYWHERE) else [])])
    return Finding(NO_BINDING, f"no binding {where} grants it anything on {what}")


_Narrow: TypeAlias = "tuple[list[str], Binding, Rule]"


def _narrow(policy: Policy, own: Iterable[Binding], entry: Entry) -> _Narrow | None:
    """The rule about the same resource that lacks least."""
    found = [
        (lacking, binding, rule)
        for binding in own
        if binding.reaches(entry)
        for rule in policy.rules.get(binding.role, ())
        for lacking in _lacking(rule, entry.asked)
    ]
    return min(found, key=lambda one: len(one[0]), default=None)


def _too_narrow(lacking: Sequence[str], binding: Binding, rule: Rule) -> Finding:
    return Finding(RULE_TOO_NARROW, f"{_bound(binding)} grants {rule_text(rule)}, but not {' and '.join(lacking)}")


def _lacking(rule: Rule, asked: Permission) -> Iterator[list[str]]:
    """In which respects a rule about the same resource or path falls short; nothing if it is about something else."""
    verb = [] if {"*", asked.verb} & set(rule.get("verbs") or ()) else [f"the verb {asked.verb}"]
    if asked.url:
        if allows({**rule, "verbs": ["*"]}, asked):
            yield verb
    elif _is_about(rule, asked):
        yield [*_lacking_resource(rule, asked), *verb, *_lacking_name(rule, asked)]


def _is_about(rule: Rule, asked: Permission) -> bool:
    """Whether a rule names the resource, perhaps another part of it or one of another group, or means it by a star."""
    plural = asked.resource.partition("/")[0]
    if any(resource.partition("/")[0] == plural for resource in rule.get("resources") or ()):
        return True
    return allows({**rule, "verbs": ["*"], "resourceNames": []}, asked)


def _lacking_resource(rule: Rule, asked: Permission) -> Iterator[str]:
    if not {"*", asked.group} & set(rule.get("apiGroups") or ()):
        yield f"the API group {asked.group or '(core)'}"
    plural, dummy, subresource = asked.resource.partition("/")
    any_group = {"verbs": ["*"], "apiGroups": ["*"], "resources": rule.get("resources")}
    if not allows(any_group, asked):
        yield f"the subresource {subresource}" if subresource else f"{plural} themselves"


def _lacking_name(rule: Rule, asked: Permission) -> Iterator[str]:
    names = rule.get("resourceNames") or ()
    if names and asked.name not in names:
        yield f"the name {asked.name}" if asked.name else "without a name"


def needed_rule(asked: Permission) -> dict[str, list[str]]:
    """The smallest rule that would allow a request."""
    return as_rules([asked])[0]


def rule_text(rule: Rule) -> str:
    """A rule in few words: C(get, list on pods, pods/log named a)."""
    verbs = _listed(rule.get("verbs") or ())
    if rule.get("nonResourceURLs"):
        return f"{verbs} on {_listed(rule['nonResourceURLs'])}"
    groups = [group or "the core group" for group in rule.get("apiGroups") or ()]
    names = [name or "(empty)" for name in rule.get("resourceNames") or ()]
    of_group = f" of {_listed(groups)}" if groups != ["the core group"] else ""
    named = f" named {_listed(names)}" if names else ""
    return f"{verbs} on {_listed(rule.get('resources') or ())}{of_group}{named}"


def _bound(binding: Binding) -> str:
    return f"{binding.ref} through {binding.role.kind.name} {binding.role.name}"


def _listed(words: Sequence[str]) -> str:
    more = [f"{len(words) - _WORDS} more"] if len(words) > _WORDS else []
    return ", ".join([*words[:_WORDS], *more])
