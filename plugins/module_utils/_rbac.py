# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""RBAC rules and subjects: reading them from options, comparing them as the server understands them.

Rules are equal when each side covers the other; order, duplicates and grouping mean nothing. Source: the semantics of
the RBAC authorizer and of Kubernetes' own policy comparator (k8s.io/component-helpers, auth/rbac/validation).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import _names
from ._errors import InputError
from ._kinds import RBAC_GROUP, Object

RULE_OPTIONS: dict[str, dict[str, Any]] = {
    "verbs": {"type": "list", "elements": "str"},
    "resources": {"type": "list", "elements": "str"},
    "api_groups": {"type": "list", "elements": "str"},
    "resource_names": {"type": "list", "elements": "str"},
    "non_resource_urls": {"type": "list", "elements": "str"},
}

SUBJECT_OPTIONS: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "choices": ["ServiceAccount", "User", "Group"]},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
}

# The server takes any text. Refused is what can match no request, or is a slip: an empty part, a kind for a resource, a
# verb in capitals, many in one text. Verbs like impersonate:user-info are good, and so are subresources of many parts
# (userextras/acme.com/project) and the names of metrics.
_VERB = re.compile(r"\*|[^\s,*A-Z][^\s,*]*")
_GROUP_NAME = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_GROUP = re.compile(rf"\*|{_GROUP_NAME}|")
# what people write for the core group; a group that somebody adds has a dot
_CORE = re.compile(r"core|v[0-9]+((alpha|beta)[0-9]+)?")
_VERSION = r"/v[0-9]+((alpha|beta)[0-9]+)?(/|$)"
_RESOURCE = re.compile(rf"(\*|[^\s,/.*A-Z][^\s,/.*]*)(\.(\*|{_GROUP_NAME}))?(?!{_VERSION})(/[^\s,/]+)*")

# An empty name or URL in a rule, which no request has. Nothing that can be asked for is called that: users who may be
# impersonated have slashes in their names (https://issuer.example.com#jane), but no zero byte, which ends a header.
_NOTHING = "\0"
_ANY = ""


@dataclass(frozen=True, order=True)
class Permission:
    """One atom of a rule: one verb on one resource of one group, with one name or any; or one verb on one URL.

    Attributes:
        verb: the verb or C(*).
        group: API group or C(*); empty for the core group.
        resource: resource, with its subresource after a slash, or C(*); empty for a URL.
        name: object name; empty for any; a zero byte for an empty one, which no object has.
        url: non-resource URL; empty for a resource; a zero byte for an empty one.
    """

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    url: str = ""

    def __str__(self) -> str:
        """C(get deployments.apps/scale name), C(get /healthz)."""
        plural, slash, subresource = self.resource.partition("/")
        dotted = f"{plural}{'.' if self.group else ''}{self.group}{slash}{subresource}"
        return f"{self.verb} {self.url or dotted} {self.name}".rstrip().replace(_NOTHING, "''")

    def covers(self, other: Permission) -> bool:
        """Whether whoever holds this holds the other."""
        if self.verb not in ("*", other.verb):
            return False
        if self.url or other.url:
            return _url_covers(self.url, other.url)
        return (
            self.group in ("*", other.group)
            and _resource_covers(self.resource, other.resource)
            and self.name in ("", other.name)
        )


def _url_covers(owner: str, other: str) -> bool:
    if not owner or not other:
        return False
    return owner == other or (owner.endswith("*") and other.startswith(owner.rstrip("*")))


def _resource_covers(owner: str, other: str) -> bool:
    if owner in ("*", other):
        return True
    dummy, slash, subresource = other.partition("/")
    return bool(slash) and owner == f"*/{subresource}"


def permissions(rules: Iterable[Mapping[str, Any]]) -> set[Permission]:
    """The atoms of API rules."""
    return {atom for rule in rules for atom in _atoms(rule)}


def _atoms(rule: Mapping[str, Any]) -> Iterator[Permission]:
    # an empty name restricts a rule to nothing: it must not read as any
    names = [name or _NOTHING for name in rule.get("resourceNames") or ()] or [_ANY]
    for verb in rule.get("verbs") or ():
        for url in rule.get("nonResourceURLs") or ():
            yield Permission(verb=verb, url=url or _NOTHING)
        for group in rule.get("apiGroups") or ():
            for resource in rule.get("resources") or ():
                for name in names:
                    yield Permission(verb=verb, group=group, resource=resource, name=name)


def allows(rule: Mapping[str, Any], asked: Permission) -> bool:
    """Whether a rule allows a request: one verb on one resource, with a name if the request has one, or on one path.

    Unlike C(covers) this is the authorizer's own question: a rule for objects with an empty name allows requests that
    have none. Source: RuleAllows in plugin/pkg/auth/authorizer/rbac.
    """
    if not {"*", asked.verb} & set(rule.get("verbs") or ()):
        return False
    if asked.url:
        return any(_url_covers(url, asked.url) for url in rule.get("nonResourceURLs") or ())
    names = rule.get("resourceNames") or ()
    return (
        bool({"*", asked.group} & set(rule.get("apiGroups") or ()))
        and any(_resource_covers(resource, asked.resource) for resource in rule.get("resources") or ())
        and (not names or asked.name in names)
    )


def merged(rules: Iterable[Mapping[str, Any]]) -> list[dict[str, list[str]]]:
    """The same grants in few rules: nothing twice, nothing that another rule gives as well."""
    atoms = permissions(rules)
    # only these can cover others: those with a star, and those without a name their like with one
    broad = [atom for atom in atoms if "*" in f"{atom.verb}{atom.group}{atom.resource}{atom.url}"]
    needed = {
        atom
        for atom in atoms
        if not (atom.name and replace(atom, name=_ANY) in atoms)
        and not any(one.covers(atom) and not atom.covers(one) for one in broad)
    }
    together: dict[tuple[tuple[str, ...], ...], dict[str, list[str]]] = {}
    for rule in as_rules(needed):
        listed = "nonResourceURLs" if "nonResourceURLs" in rule else "resources"
        alike = tuple((key, *values) for key, values in sorted(rule.items()) if key != listed)
        first = together.setdefault((*alike, (listed,)), {**rule, listed: []})
        first[listed] += rule[listed]
    return list(together.values())


def uncovered(owner: Iterable[Mapping[str, Any]], candidate: Iterable[Mapping[str, Any]]) -> list[Permission]:
    """The atoms of the candidate rules that the owner rules do not give, sorted."""
    held = permissions(owner)
    return sorted(
        atom for atom in permissions(candidate) if atom not in held and not any(one.covers(atom) for one in held)
    )


def without(owner: Iterable[Mapping[str, Any]], taken: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The owner rules less what is taken away; a rule of which nothing is taken stays as it was written."""
    gone = permissions(taken)
    left: list[dict[str, Any]] = []
    for rule in owner:
        atoms = permissions([rule])
        kept = {atom for atom in atoms if not any(one.covers(atom) for one in gone)}
        left += [dict(rule)] if kept == atoms else as_rules(kept)
    return left


def still_granted(owner: Iterable[Mapping[str, Any]], taken: Iterable[Mapping[str, Any]]) -> str:
    """Something that was to be taken away and that the owner rules give all the same; empty if there is nothing."""
    held = permissions(owner)
    return next((str(atom) for atom in sorted(permissions(taken)) if any(one.covers(atom) for one in held)), "")


def as_rules(atoms: Iterable[Permission]) -> list[dict[str, list[str]]]:
    """Atoms as short API rules: the verbs of one resource together."""
    grouped: dict[Permission, list[str]] = {}
    for atom in sorted(atoms):
        grouped.setdefault(Permission("", atom.group, atom.resource, atom.name, atom.url), []).append(atom.verb)
    return [_rule(key, verbs) for key, verbs in sorted(grouped.items())]


def _rule(key: Permission, verbs: list[str]) -> dict[str, list[str]]:
    if key.url:
        return {"nonResourceURLs": [key.url.replace(_NOTHING, "")], "verbs": verbs}
    rule = {"apiGroups": [key.group], "resources": [key.resource], "verbs": verbs}
    return {**rule, "resourceNames": [key.name.replace(_NOTHING, "")]} if key.name else rule


def rules_from_options(options: Sequence[Mapping[str, Any]], *, cluster_wide: bool) -> list[dict[str, list[str]]]:
    """API rules from the C(rules) option; a rule whose resources name several groups becomes one rule for each.

    Raises:
        InputError: a rule grants nothing, or is written in a way the server refuses.
    """
    return [
        rule
        for index, given in enumerate(options)
        for rule in _rules_of(given, f"rules[{index}]", cluster_wide=cluster_wide)
    ]


def _rules_of(given: Mapping[str, Any], option: str, *, cluster_wide: bool) -> list[dict[str, list[str]]]:
    verbs = _checked(given.get("verbs"), _VERB, f"{option}.verbs", "a verb (get, list, create ... or *)")
    resources, urls = given.get("resources"), given.get("non_resource_urls")
    if urls:
        _refuse_beside_urls(given, option)
        return [_url_rule(urls, verbs, option, cluster_wide=cluster_wide)]
    resources = _checked(resources, _RESOURCE, f"{option}.resources", "a resource (pods, pods/log, deployments.apps)")
    names = _resource_names(given.get("resource_names"), f"{option}.resource_names")
    return [
        {"apiGroups": groups, "resources": of_group, "verbs": verbs, **names}
        for groups, of_group in _by_group(resources, given.get("api_groups"), option)
    ]


def _refuse_beside_urls(given: Mapping[str, Any], option: str) -> None:
    for name in ("resources", "api_groups", "resource_names"):
        if given.get(name):
            raise InputError(f"{option}: {name} and non_resource_urls exclude each other", "write two rules")


def _resource_names(given: Sequence[str] | None, option: str) -> dict[str, list[str]]:
    if given is None:
        return {}
    if not given or not all(given):
        # an empty list would mean every object, the opposite of what a filter that found nothing means
        raise InputError(f"{option} is empty or holds an empty name", "leave it out to grant every object")
    return {"resourceNames": list(given)}


def _url_rule(urls: Sequence[str], verbs: list[str], option: str, *, cluster_wide: bool) -> dict[str, list[str]]:
    if not cluster_wide:
        raise InputError(f"{option}: non_resource_urls belong to no namespace", "use them with cluster_wide: true")
    for url in urls:
        if not url.startswith("/") and url != "*":
            raise InputError(
                f"{option}.non_resource_urls: {url!r} is not a path", "write it like /healthz or /metrics/*"
            )
    return {"nonResourceURLs": list(urls), "verbs": verbs}


def _checked(values: Sequence[str] | None, form: re.Pattern[str], option: str, expected: str) -> list[str]:
    if not values:
        raise InputError(f"{option} is empty: the rule would grant nothing", f"name at least {expected}")
    for value in values:
        if not form.fullmatch(value) or not value.isprintable():
            raise InputError(
                f"{option}: {value!r} is not {expected}", "write it as the API does, in lower case, one in each entry"
            )
    return list(values)


def _by_group(
    resources: Sequence[str], api_groups: Sequence[str] | None, option: str
) -> list[tuple[list[str], list[str]]]:
    """Resources with the API groups they belong to, in the order given."""
    if api_groups is not None:
        _check_groups(resources, api_groups, option)
        return [(list(api_groups), list(resources))]
    grouped: dict[str, list[str]] = {}
    for resource in resources:
        plain, group = _split_group(resource)
        grouped.setdefault(group, []).append(plain)
    return [([group], of_group) for group, of_group in grouped.items()]


def _check_groups(resources: Sequence[str], api_groups: Sequence[str], option: str) -> None:
    if not api_groups:
        raise InputError(
            f"{option}.api_groups is empty: the rule would grant nothing",
            'leave it out, or write [""] for the core group',
        )
    for group in api_groups:
        if "/" in group:
            raise InputError(
                f"{option}.api_groups: {group!r} names a version", f"write the group alone: {group.partition('/')[0]}"
            )
        if _CORE.fullmatch(group):
            raise InputError(f"{option}.api_groups: there is no group {group!r}", 'the core group is written ""')
        if not _GROUP.fullmatch(group):
            raise InputError(
                f"{option}.api_groups: {group!r} is not an API group", 'write it like apps, or "" for the core group'
            )
    for resource in resources:
        if "." in resource.partition("/")[0]:
            raise InputError(
                f"{option}.resources: {resource!r} names its API group although api_groups is given", "use one of both"
            )


def verb_of(text: str, option: str) -> str:
    """A verb.

    Raises:
        InputError: it is none.
    """
    return _checked([text], _VERB, option, "a verb (get, list, create ... or *)")[0]


def resource_of(text: str, option: str) -> tuple[str, str]:
    """C(deployments.apps/scale) as (C(deployments/scale), C(apps)).

    Raises:
        InputError: it is no resource.
    """
    resource = _checked([text], _RESOURCE, option, "a resource (pods, pods/log, deployments.apps)")[0]
    return _split_group(resource)


def _split_group(resource: str) -> tuple[str, str]:
    """C(deployments.apps/scale) as (C(deployments/scale), C(apps))."""
    head, slash, subresource = resource.partition("/")
    plural, group = head.partition(".")[::2]
    return f"{plural}{slash}{subresource}", group


@dataclass(frozen=True, order=True)
class Subject:
    """A subject, with everything the server would default filled in."""

    kind: str
    namespace: str
    name: str

    @classmethod
    def from_api(cls, subject: Mapping[str, Any], binding_namespace: str) -> Subject:
        """A subject of a live binding; a ServiceAccount without namespace is one of the binding's."""
        kind = str(subject.get("kind"))
        namespace = str(subject.get("namespace") or binding_namespace) if kind == "ServiceAccount" else ""
        return cls(kind, namespace, str(subject.get("name")))

    def to_api(self) -> Object:
        """As the API spells it."""
        if self.kind == "ServiceAccount":
            return {"kind": self.kind, "name": self.name, "namespace": self.namespace}
        return {"apiGroup": RBAC_GROUP, "kind": self.kind, "name": self.name}


def subjects_from_options(
    service_accounts: Sequence[str] | None, subjects: Sequence[Mapping[str, Any]] | None, binding_namespace: str
) -> tuple[Subject, ...] | None:
    """The declared subjects without duplicates, or None when neither option was given.

    Raises:
        InputError: a subject is incomplete.
    """
    if service_accounts is None and subjects is None:
        return None
    declared = []
    for index, text in enumerate(service_accounts or ()):
        namespace, name = _names.account_reference(text, f"service_accounts[{index}]", binding_namespace or None)
        declared.append(Subject("ServiceAccount", namespace, name))
    declared += [_subject(given, f"subjects[{index}]", binding_namespace) for index, given in enumerate(subjects or ())]
    return tuple(dict.fromkeys(declared))


def _subject(given: Mapping[str, Any], option: str, binding_namespace: str) -> Subject:
    kind, name, namespace = given.get("kind"), given.get("name"), given.get("namespace")
    if not kind or not name:
        raise InputError(f"{option}: kind and name are needed", "write {kind: Group, name: developers}")
    if kind != "ServiceAccount":
        if namespace:
            raise InputError(f"{option}: a {kind} has no namespace", "leave namespace out")
        return Subject(kind, "", name)
    if not namespace and not binding_namespace:
        raise InputError(
            f"{option}: ServiceAccount {name} needs its namespace in a cluster-wide grant", "add namespace"
        )
    return Subject(
        kind,
        _names.namespace(namespace or binding_namespace, f"{option}.namespace"),
        _names.object_name(name, f"{option}.name"),
    )
