# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which grants are more powerful than they look: rules and subjects, in the API's form, to findings.

A table says what a risk consists of; rules are read as the RBAC authorizer does. In a namespace nothing is granted on
what is in no namespace. Source: Kubernetes, plugin/pkg/auth/authorizer/rbac.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._findings import RISKS, SEVERITIES, Finding
from ._kinds import Ref
from ._rbac import Permission
from ._risk_patterns import PATTERNS, Access, Pattern, Rule
from ._scopes import NAMESPACED

# how many entries a sentence names before it only counts
_NAMED = 4

_ADVICE = "name the verbs, API groups and resources that are needed"


def risks_of_grant(
    rules: Sequence[Rule], role: Ref, subjects: Sequence[Mapping[str, Any]], binding: Ref
) -> list[Finding]:
    """All risks of a binding, the worst first.

    Args:
        rules: what the role allows, as rules of the API.
        role: the role, for the evidence.
        subjects: who holds it, as subjects of the API.
        binding: the binding, which says where.
    """
    found = [
        *risks_of(rules, role, binding.namespace),
        *risks_of_subjects(subjects, binding),
        *_needless_width(rules, role, subjects, binding),
    ]
    return sorted(found, key=lambda finding: SEVERITIES.index(RISKS[finding.risk].severity))


# Rules


class _View:
    """One rule of the API, made to be asked often."""

    def __init__(self, rule: Rule) -> None:
        self.verbs, self.groups, self.resources, self.names, self.urls = (
            tuple(rule.get(part) or ())
            for part in ("verbs", "apiGroups", "resources", "resourceNames", "nonResourceURLs")
        )
        self._stars = [owner for owner in self.resources if "*" in owner]

    @property
    def is_everything(self) -> bool:
        """Whether it allows everything that there is."""
        return all("*" in part for part in (self.verbs, self.groups, self.resources)) and not self.names

    def allowed(self, verbs: Sequence[str]) -> Sequence[str]:
        """Those of the verbs that it allows on something."""
        return verbs if "*" in self.verbs else [verb for verb in verbs if verb in self.verbs]

    def covers(self, group: str, resource: str) -> bool:
        """Whether it is about a resource."""
        if group not in self.groups and "*" not in self.groups:
            return False
        asked = Permission("", "", resource)
        return resource in self.resources or any(Permission("", "", owner).covers(asked) for owner in self._stars)

    def names_for(self, verb: str, resource: str) -> tuple[str, ...] | None:
        """The only objects it allows a verb for: empty for all of them, None if there are none.

        Requests that name no object pass by a rule without names, or with an empty one. A create of something new is
        one of them; lists and watches can name their only object.
        """
        creates = verb == "create" and "/" not in resource
        if not self.names or ("" in self.names and (creates or verb in ("list", "watch", "deletecollection"))):
            return ()
        names = tuple(name for name in self.names if name)
        return None if creates or not names else names


@dataclass(frozen=True)
class _Held:
    """One verb on one resource that a rule grants.

    Attributes:
        verb: the verb.
        resource: the resource with its group.
        names: the only objects; empty: all.
        by_star: whether the rule does not name the resource.
    """

    verb: str
    resource: str
    names: tuple[str, ...]
    by_star: bool


def risks_of(rules: Sequence[Rule], role: Ref, namespace: str) -> list[Finding]:
    """The risks of what a role allows.

    A star is one risk, whatever it covers: what is granted only because a resource is a star is told in its evidence.
    What is refused by default is found all the same, so that it is accepted by its own name or not at all; unless the
    role allows everything, which is the one risk to accept then.

    Args:
        rules: as the API has them.
        role: whose rules they are, for the evidence.
        namespace: in which they are granted; empty: everywhere.
    """
    where, views = _where(namespace), [_View(rule) for rule in rules]
    if any(view.is_everything for view in views):
        evidence = f"{role} allows everything (* of *.*) {where}"
        fix = "grant rules that name what is needed"
        return [
            Finding("cluster_admin", evidence, fix, role),
            Finding("wildcard", evidence, _ADVICE, role, "cluster_admin"),
        ]
    matched = {pattern.risk: held for pattern in PATTERNS if (held := _matches(views, pattern, namespace))}
    if namespace and any(not held.names for need in matched.get("token_create", ()) for held in need):
        # whoever gets the tokens of all accounts there can be each of them anyway
        matched.pop("impersonate", None)
    covered = [risk for risk, needs in matched.items() if not RISKS[risk].refused and _is_by_star(needs)]
    found = [
        Finding(pattern.risk, f"{role} allows {_phrase(matched[pattern.risk])} {where}", pattern.fix, role)
        for pattern in PATTERNS
        if pattern.risk in matched and pattern.risk not in covered
    ]
    return [*found, *_wildcards(views, role, namespace, covered)]


def _where(namespace: str) -> str:
    return f"in namespace {namespace}" if namespace else "cluster-wide"


def _is_by_star(needs: Sequence[Sequence[_Held]]) -> bool:
    """Whether something that is needed is granted only by rules that do not name it."""
    return any(all(held.by_star for held in need) for need in needs)


def _matches(rules: Sequence[_View], pattern: Pattern, namespace: str) -> list[list[_Held]]:
    """What is granted of each need; empty unless all are met."""
    found = []
    for need in pattern.needs:
        held = [one for rule in rules for one in _held(rule, need, namespace)]
        # what holds for all objects is worse than what holds for some, and all that has to be said
        unlimited = [one for one in held if not one.names]
        if not unlimited and not (held and pattern.named):
            return []
        found.append(unlimited or held)
    return found


def _held(rule: _View, need: Sequence[Access], namespace: str) -> Iterator[_Held]:
    for access in need:
        verbs = rule.allowed(access.verbs)
        # most rules are about something else
        for group, resource in access.resources if verbs else ():
            if (namespace and not _is_in(group, resource)) or not rule.covers(group, resource):
                continue
            for verb in verbs:
                names = rule.names_for(verb, resource)
                if names is not None:
                    yield _Held(verb, dotted(group, resource), names, by_star=resource not in rule.resources)


def _is_in(group: str, resource: str) -> bool:
    """Whether a namespace can hold it; a Namespace counts as being within itself."""
    plural = resource.partition("/")[0]
    return plural in NAMESPACED.get(group, ()) or (group, plural) == ("", "namespaces")


def _wildcards(rules: Sequence[_View], role: Ref, namespace: str, covered: Sequence[str]) -> list[Finding]:
    starred = [text for rule in rules for text in _starred(rule, namespace)]
    if not starred:
        return []
    more = f", which includes {', '.join(covered)}" if covered else ""
    return [Finding("wildcard", f"{role} allows {_few(starred, ' and ')} {_where(namespace)}{more}", _ADVICE, role)]


def _starred(rule: _View, namespace: str) -> Iterator[str]:
    """What a rule with a star allows, in words."""
    # a star behind a resource (pods/*) is a subresource that does not exist
    is_wide = any(one == "*" or one.startswith("*/") for one in rule.resources)
    if rule.groups and rule.resources and (is_wide or "*" in rule.verbs or "*" in rule.groups):
        resources = [dotted(group, resource) for group in rule.groups for resource in rule.resources]
        yield f"{_few(rule.verbs)} of {_few(resources)}{_named(rule.names)}"
    urls = [url for url in rule.urls if not namespace and ("*" in rule.verbs or url in ("*", "/*"))]
    if urls:
        yield f"{_few(rule.verbs)} of {_few(urls)}"


def dotted(group: str, resource: str) -> str:
    """A resource as in the rules of a task: C(deployments.apps/scale)."""
    return str(Permission("", group, resource)).strip()


def _phrase(needs: Iterable[Iterable[_Held]]) -> str:
    """What is granted, in words; what has the same verbs is said together."""
    verbs: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for held in dict.fromkeys(held for need in needs for held in need):
        verbs.setdefault((held.resource, held.names), []).append(held.verb)
    resources: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
    for (resource, names), of_it in verbs.items():
        resources.setdefault((tuple(dict.fromkeys(of_it)), names), []).append(resource)
    texts = [f"{', '.join(those)} of {_few(some)}{_named(names)}" for (those, names), some in resources.items()]
    return _few(texts, " and ")


def _named(names: Sequence[str]) -> str:
    return f" named {_few(names)}" if names else ""


def _few(texts: Sequence[str], glue: str = ", ") -> str:
    more = f" and {len(texts) - _NAMED} more" if len(texts) > _NAMED else ""
    return glue.join(texts[:_NAMED]) + more


# Subjects


# who such a subject is; an account of one namespace is told from its name
_EVERYBODY: Mapping[tuple[str, str], tuple[str, str]] = {
    ("Group", "system:masters"): ("masters_bound", "who may do everything, with or without a binding"),
    ("Group", "system:authenticated"): ("anonymous_bound", "which is everybody who has any credential"),
    ("Group", "system:unauthenticated"): ("anonymous_bound", "which is everybody who has no credential"),
    ("User", "system:anonymous"): ("anonymous_bound", "which is everybody who has no credential"),
    ("Group", "system:serviceaccounts"): ("all_accounts_bound", "which is every account of the cluster"),
}
_OF_NAMESPACE = "system:serviceaccounts:"

_INSTEAD: Mapping[str, str] = {
    "masters_bound": "name who needs it; who is to lose everything has to leave that group",
    "anonymous_bound": "name the accounts, users or groups that need it",
    "all_accounts_bound": "name the accounts that need it",
}


def risks_of_subjects(subjects: Iterable[Mapping[str, Any]], binding: Ref) -> list[Finding]:
    """The risks of who holds a grant.

    Args:
        subjects: as the API has them.
        binding: whose subjects they are, for the evidence.
    """
    found = []
    for kind, name in dict.fromkeys((str(one.get("kind")), str(one.get("name"))) for one in subjects):
        risk, meaning = _EVERYBODY.get((kind, name), ("", ""))
        if kind == "Group" and name.startswith(_OF_NAMESPACE):
            risk, meaning = "all_accounts_bound", f"which is every account of namespace {name[len(_OF_NAMESPACE) :]}"
        if risk:
            found.append(Finding(risk, f"{binding} grants to {name}, {meaning}", _INSTEAD[risk], binding))
    return found


def _needless_width(
    rules: Sequence[Rule], role: Ref, subjects: Iterable[Mapping[str, Any]], binding: Ref
) -> list[Finding]:
    """A cluster-wide grant to an account of nothing but what is in namespaces; only what is known to be is."""
    accounts = [subject for subject in subjects if subject.get("kind") == "ServiceAccount"]
    if binding.namespace or not rules or not accounts or not all(_is_within_namespaces(rule) for rule in rules):
        return []
    evidence = f"{binding} grants in every namespace, although all that {role} allows is in namespaces"
    fix = "grant it in the namespaces where it is needed (namespace instead of cluster_wide)"
    return [Finding("cluster_wide_without_need", evidence, fix, binding)]


def _is_within_namespaces(rule: Rule) -> bool:
    resources = [resource.partition("/")[0] for resource in rule.get("resources") or ()]
    known = (NAMESPACED.get(group, frozenset()) for group in rule.get("apiGroups") or ())
    # a rule about paths has none
    return bool(resources) and all(some.issuperset(resources) for some in known)
