# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that grant nothing on a cluster as it is: names nobody serves, verbs a resource does not have.

A doubt is no mistake: a CustomResourceDefinition may come later, and authorizers are asked about more than discovery
tells. So whatever may be right in one part of a rule is left alone: several groups, resources and verbs in one rule
are often every one of them with every other, of which only some exist. Source: the RBAC authorizer (which request a
rule matches), and who asks it without a request: impersonation, certificate signers, the kubelet, admission.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any, TypeAlias

from ._served import Group, Resource, Served

# how close a wrong name must come to a known one to be taken for a slip (difflib's ratio)
_CLOSE = 0.8

# verbs that people write together, although some resources have only one of them
_TOGETHER = (("get", "list", "watch"), ("update", "patch"), ("delete", "deletecollection"), ("create",))
_REQUESTS = frozenset(verb for verbs in _TOGETHER for verb in verbs)

# verbs that belong to no request; one with more than letters (impersonate:user-info) is nobody's slip
_SPECIAL = frozenset({"approve", "attest", "bind", "escalate", "impersonate", "proxy", "sign", "use"})
# with it the resource is an audience
_AUDIENCE = "request-serviceaccounts-token-audience"
# what people write for verbs
_MEANT = {
    "all": "*",
    "any": "*",
    "edit": "update and patch",
    "modify": "update and patch",
    "post": "create",
    "put": "update",
    "read": "get, list and watch",
    "remove": "delete",
    "view": "get, list and watch",
    "write": "create, update, patch and delete",
}


def _unlisted(verbs: Iterable[str], names: str, *, namespaced: bool = False) -> dict[str, Resource]:
    return dict.fromkeys(names.split(), Resource(frozenset(verbs), namespaced))


# what authorizers are asked about although no server lists it
_UNLISTED: Mapping[str, Mapping[str, Resource]] = {
    "": {
        **_unlisted(["impersonate"], "users groups"),
        # the kubelet's own API; its verbs are those of HTTP
        **_unlisted(
            _REQUESTS,
            "nodes/checkpoint nodes/configz nodes/flagz nodes/healthz nodes/log nodes/metrics nodes/pods nodes/spec "
            "nodes/stats nodes/statusz",
        ),
        **_unlisted(_REQUESTS, "endpoints/restricted", namespaced=True),
    },
    "authentication.k8s.io": {
        **_unlisted(["impersonate"], "users groups uids userextras nodes"),
        **_unlisted(["impersonate"], "serviceaccounts", namespaced=True),
    },
    "certificates.k8s.io": {
        **_unlisted(["approve", "attest", "sign"], "signers"),
        **_unlisted(["create"], "certificatesigningrequests/nodeclient certificatesigningrequests/selfnodeclient"),
    },
    "discovery.k8s.io": _unlisted(_REQUESTS, "endpointslices/restricted", namespaced=True),
    "resource.k8s.io": _unlisted(_REQUESTS, "resourceclaims/binding resourceclaims/driver", namespaced=True),
}
# the garbage collector asks for it before an object may own others, whatever it is
_FINALIZERS = "finalizers"
# its subresources are the keys of a user's extra values
_EXTRAS = "userextras"
# their resources are the names of metrics, which come and go and need not be listed
_METRICS = frozenset({"custom.metrics.k8s.io", "external.metrics.k8s.io"})
# rules for clusters of all ages still name it beside the groups its resources have moved to
_GONE = "extensions"
# what people write for the core group
_CORE = frozenset({"core", "v1"})


# of what, and what is said of it
_Doubt: TypeAlias = tuple[str, str]


@dataclass(frozen=True)
class _Rule:
    """A rule with what is served of it: C(found) is empty for a resource that none of the groups has."""

    verbs: Sequence[str]
    groups: Sequence[str]
    found: Mapping[str, Sequence[Resource]]

    @property
    def missing(self) -> list[str]:
        return [name for name, found in self.found.items() if not found]

    def shown(self, name: str) -> str:
        """A resource with its group, if it has only one; as in the module's options."""
        return _dotted(name, self.groups[0]) if len(self.groups) == 1 else name


def doubts(rules: Iterable[Mapping[str, Any]], served: Served, *, namespaced: bool) -> list[str]:
    """What grants nothing in API rules, one sentence for one reason; rules about URLs are not judged.

    Args:
        rules: in the API's form.
        served: what the cluster serves.
        namespaced: whether they are granted in one namespace, where what is in none cannot be granted.
    """
    known = _with_unlisted(served)
    # of what is unlisted, too; the server's own are worked out once, for all the rules of a task
    verbs = served.verbs | _SPECIAL | _REQUESTS
    subjects: dict[str, dict[str, None]] = {}
    for rule in rules:
        for subject, predicate in _of_rule(rule, known, verbs, namespaced=namespaced) if rule.get("resources") else ():
            subjects.setdefault(predicate, {})[subject] = None
    return [_sentence(list(names), predicate) for predicate, names in subjects.items()]


def _sentence(subjects: Sequence[str], predicate: str) -> str:
    """One sentence for all that the same is said of; is and does become are and do."""
    begin, space, rest = predicate.partition(" ")
    if len(subjects) > 1:
        begin = {"is": "are", "does": "do"}.get(begin, begin)
    return f"{_listed(subjects, 'and')}{'' if begin == ':' else ' '}{begin}{space}{rest}"


def _of_rule(given: Mapping[str, Any], served: Served, verbs: frozenset[str], *, namespaced: bool) -> Iterator[_Doubt]:
    groups = sorted(served.groups) if "*" in given["apiGroups"] else _still_there(given["apiGroups"], served)
    yield from _odd_verbs(given["verbs"], groups, verbs)
    if _AUDIENCE in given["verbs"]:
        return
    found = {
        name: [one for group in groups for one in _found(name, group, served)]
        for name in given["resources"]
        if name != "*"
    }
    rule = _Rule(given["verbs"], groups, found)
    if len(found) < len(given["resources"]) or rule.missing:
        yield from _odd_groups(rule, served)
    if all(group in served.groups and served.groups[group].complete and group not in _METRICS for group in groups):
        for name in rule.missing:
            yield from _odd_resource(name, rule, served)
        yield from _useless(rule, namespaced=namespaced, all_named="*" not in given["resources"])


def _with_unlisted(served: Served) -> Served:
    more = {
        name: replace(group, resources={**_UNLISTED[name], **group.resources})
        for name, group in served.groups.items()
        if name in _UNLISTED
    }
    return Served({**served.groups, **more})


def _still_there(groups: Sequence[str], served: Served) -> list[str]:
    """The groups without the one that is gone for good, if there are others."""
    return [group for group in groups if group != _GONE or group in served.groups] or [_GONE]


def _found(name: str, group: str, served: Served) -> list[Resource]:
    """What a resource of a rule stands for in a group."""
    known = served.groups[group].resources if group in served.groups else {}
    plural, dummy, subresource = name.partition("/")
    if plural == "*":
        found = [one for other, one in known.items() if other.partition("/")[2] == subresource]
        return found or [Resource(_REQUESTS, namespaced=True)] * (subresource == _FINALIZERS)
    if name in known:
        return [known[name]]
    if subresource == _FINALIZERS and plural in known:
        return [replace(known[plural], verbs=_REQUESTS)]
    return [known[plural]] if plural == _EXTRAS and plural in known and subresource != "*" else []


# Verbs


def _odd_verbs(verbs: Sequence[str], groups: Sequence[str], known: frozenset[str]) -> Iterator[_Doubt]:
    for verb in verbs:
        if not verb.isalpha() or verb in known:
            continue
        if verb in _MEANT:
            # an API of somebody else's may have its own words
            if all(map(_is_of_kubernetes, groups)):
                yield f"verb {verb}", f": did you mean {_MEANT[verb]}?"
        elif meant := _nearest(verb, filter(str.isalpha, known)):
            yield f"verb {verb}", f": did you mean {meant}?"


def _useless(rule: _Rule, *, namespaced: bool, all_named: bool) -> Iterator[_Doubt]:
    """What is served and still cannot be used in this way."""
    said = list(_useless_resources(rule, namespaced=namespaced))
    yield from said
    if said or rule.missing or not all_named:
        return
    unused = [verb for verb in rule.verbs if verb in _REQUESTS and not _is_used(verb, rule)]
    if unused:
        verbs = frozenset(verb for found in rule.found.values() for one in found for verb in one.verbs)
        for name in rule.found:
            yield rule.shown(name), _lack(unused, verbs)


def _useless_resources(rule: _Rule, *, namespaced: bool) -> Iterator[_Doubt]:
    for name, found in rule.found.items():
        verbs = frozenset(verb for one in found for verb in one.verbs)
        if not found or not verbs:
            continue
        if namespaced and not any(one.namespaced for one in found) and _needs_namespace(name, rule.verbs):
            yield rule.shown(name), "is in no namespace, and a Role grants only what is in one: say cluster_wide: true"
        elif all(verb in _REQUESTS - verbs for verb in rule.verbs):
            yield rule.shown(name), _lack(rule.verbs, verbs)


def _needs_namespace(name: str, verbs: Iterable[str]) -> bool:
    """Whether a Role cannot grant it for something that is in no namespace itself.

    A request about a namespace counts as one in that namespace, and so do questions that are no requests: who may bind
    a ClusterRole there, for example.
    """
    return name.partition("/")[0] != "namespaces" and all(verb in _REQUESTS for verb in verbs)


def _lack(lacking: Sequence[str], verbs: Iterable[str]) -> str:
    lacking = list(dict.fromkeys(lacking))
    what = f"the verb{'s' if len(lacking) > 1 else ''} {_listed(lacking, 'or')}"
    return f"does not have {what}, only {_listed(sorted(verbs), 'and')}"


def _is_used(verb: str, rule: _Rule) -> bool:
    """Whether any resource of the rule has the verb, or one that is written together with it."""
    alike = next(verbs for verbs in _TOGETHER if verb in verbs)
    given = {verb, *(set(alike) & set(rule.verbs))}
    return any(given & one.verbs or not one.verbs for found in rule.found.values() for one in found)


# Groups


def _odd_groups(rule: _Rule, served: Served) -> Iterator[_Doubt]:
    for group in rule.groups:
        if group in served.groups:
            continue
        if group in _CORE:
            yield f"API group {group}", ': did you mean "", the core group?'
        elif meant := _meant_group(group, rule.missing, served):
            yield f"API group {group}", f": did you mean {meant}?"
        elif group != _GONE:
            yield "no API group", f"{group} is served here (yet)"
        elif rule.missing:
            homes = sorted({home for name in rule.missing for home in _homes(name, (), served)})
            now = f": its resources are in {_listed(homes, 'and')}" if homes else ""
            yield "no API group", f"{group} is served here{now}"


def _meant_group(group: str, missing: Sequence[str], served: Served) -> str:
    """The group that was probably meant: of nearly the same name, or the one with its first part that has a resource.

    The latter is for C(rbac.k8s.io) and C(networking): elsewhere (C(batch.volcano.sh)) the same first part is chance.
    """
    slips = [other for other in sorted(served.groups) if _is_slip_of(group, other)]
    head = group.partition(".")[0]
    heads = [other for other in sorted(served.groups) if other.partition(".")[0] == head and _is_of_kubernetes(group)]
    return next(iter([*slips, *(other for other in heads if any(_found(name, other, served) for name in missing))]), "")


def _is_slip_of(group: str, candidate: str) -> bool:
    """Whether one part between the dots is mistyped; long common endings would make any two groups alike."""
    given, parts = group.split("."), candidate.split(".")
    differing = [(one, other) for one, other in zip(given, parts, strict=False) if one != other]
    return len(given) == len(parts) and len(differing) == 1 and bool(_nearest(differing[0][0], [differing[0][1]]))


def _is_of_kubernetes(group: str) -> bool:
    return "." not in group or group.endswith(".k8s.io")


# Resources


def _odd_resource(name: str, rule: _Rule, served: Served) -> Iterator[_Doubt]:
    """A resource that none of the rule's groups has."""
    inside = [(group, served.groups[group]) for group in rule.groups]
    outside = [(group, one) for group, one in sorted(served.groups.items()) if group not in rule.groups]
    plural, dummy, subresource = name.partition("/")
    holders = [(group, one) for group, one in inside if plural == "*" or plural in _plurals(one)]
    shown = rule.shown(name)
    if subresource and holders:
        yield from _odd_subresource(shown, name, holders)
    elif homes := _homes(name, rule.groups, served):
        but = _listed([_called(group) for group in rule.groups], "or")
        yield name, f"is in {_listed(homes, 'and')}, not in {but}"
    elif meant := _meant_resource(name, inside) or _meant_resource(name, outside):
        yield shown, f": did you mean {meant}?"
    else:
        yield shown, "is not served here (yet)"


def _odd_subresource(shown: str, name: str, holders: Sequence[tuple[str, Group]]) -> Iterator[_Doubt]:
    plural, dummy, subresource = name.partition("/")
    known = {one for dummy, group in holders for one in _subresources(plural, group)}
    if subresource == "*":
        yield shown, f"is no pattern of RBAC: name each subresource{_those(known)}"
    elif meant := _nearest(subresource, known):
        yield shown, f": did you mean {shown.removesuffix(subresource)}{meant}?"
    elif all(_is_of_kubernetes(group) for group, dummy in holders):
        # others have their authorizers asked about subresources that they do not serve
        yield shown, f"is not served here: there is no such subresource{_those(known)}"


def _those(known: Iterable[str]) -> str:
    known = sorted(known)
    return f" ({', '.join(known)})" if known else ""


def _homes(name: str, but: Sequence[str], served: Served) -> list[str]:
    """The groups where objects of that resource are."""
    found = [(group, served.groups[group].resources.get(name)) for group in sorted(served.groups) if group not in but]
    return [_called(group) for group, one in found if one and one.verbs & _REQUESTS]


def _meant_resource(name: str, groups: Iterable[tuple[str, Group]]) -> str:
    plural, slash, subresource = name.partition("/")
    for is_close in (False, True):
        for group, one in groups:
            meant = _nearest(plural, _plurals(one)) if is_close else one.aliases.get(plural, "")
            if meant:
                known = _subresources(meant, one)
                meant_sub = subresource if subresource in known else _nearest(subresource, known)
                return _dotted(f"{meant}{slash}{meant_sub or subresource}", group)
    return ""


def _plurals(group: Group) -> set[str]:
    return {name.partition("/")[0] for name in group.resources}


def _subresources(plural: str, group: Group) -> set[str]:
    """Those of a resource, or with a star of any."""
    parts = [name.partition("/") for name in group.resources]
    return {subresource for owner, dummy, subresource in parts if subresource and plural in ("*", owner)}


# Words


def _nearest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant: nearly the same, or of the same letters; empty if there is none."""
    known = sorted(known)
    near = get_close_matches(word, known, n=1, cutoff=_CLOSE)
    return next(iter([*near, *(other for other in known if sorted(other) == sorted(word))]), "")


def _called(group: str) -> str:
    return group or "the core group"


def _dotted(name: str, group: str) -> str:
    """C(deployments/scale) of C(apps) as C(deployments.apps/scale)."""
    plural, slash, subresource = name.partition("/")
    return f"{plural}{'.' if group else ''}{group}{slash}{subresource}"


def _listed(words: Sequence[str], last: str) -> str:
    return f" {last} ".join(part for part in (", ".join(words[:-1]), *words[-1:]) if part)
