# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an API server serves, as its discovery documents tell it: API groups, resources, subresources and verbs.

Rules of RBAC name groups and no versions, so what counts is what all versions of a group serve together. Source:
Kubernetes API, APIGroupDiscoveryList (apidiscovery.k8s.io, aggregated) and APIGroupList, APIResourceList (plain).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from ._kinds import Object
from ._rbac import Permission

_AGGREGATED = "APIGroupDiscoveryList"
_PLAIN = ("APIVersions", "APIGroupList")


@dataclass(frozen=True)
class Resource:
    """What may be asked of one resource or subresource.

    Attributes:
        verbs: the verbs it has.
        namespaced: whether its objects are in namespaces.
    """

    verbs: frozenset[str]
    namespaced: bool


@dataclass(frozen=True)
class Group:
    """One API group.

    Attributes:
        resources: by their plural, subresources after a slash (C(pods), C(pods/log)).
        aliases: other names of a resource, in lower case, with its plural: the singular and short names.
        complete: False if a part of it could not be asked, so that there may be more.
    """

    resources: Mapping[str, Resource]
    aliases: Mapping[str, str]
    complete: bool = True


@dataclass(frozen=True)
class Served:
    """All API groups by name; the core group's is empty."""

    groups: Mapping[str, Group]

    @cached_property
    def verbs(self) -> frozenset[str]:
        """Every verb of any resource."""
        return frozenset(
            verb for group in self.groups.values() for resource in group.resources.values() for verb in resource.verbs
        )

    def is_cluster_scoped(self, asked: Permission) -> bool:
        """Whether it is served and in no namespace."""
        group = self.groups.get(asked.group)
        resource = group.resources.get(asked.resource) if group else None
        return resource is not None and not resource.namespaced


def is_aggregated(document: Object) -> bool:
    """Whether the server answered with resources, not only with the names of groups and versions."""
    return document.get("kind") == _AGGREGATED


def group_versions(document: Object) -> list[str] | None:
    """The versions that a plain C(/api) or C(/apis) names, as C(v1) and C(apps/v1); None if it is something else."""
    if document.get("kind") not in _PLAIN:
        return None
    core = [str(version) for version in document.get("versions") or ()]
    groups = _list(document, "groups")
    return core + [str(version["groupVersion"]) for group in groups for version in _list(group, "versions")]


def from_aggregated(document: Object) -> Served:
    """What an aggregated C(/api) or C(/apis) tells.

    An aggregated API that does not answer is C(Stale); its resources may be missing, or those of another time.
    """
    return _merged(
        (str((item.get("metadata") or {}).get("name") or ""), _aggregated_group(version))
        for item in _list(document, "items")
        # a group without a version has not been asked yet
        for version in _list(item, "versions") or [{}]
    )


def from_plain(documents: Mapping[str, Object | None]) -> Served:
    """What plain documents tell, by their version (C(v1), C(apps/v1)); None is one that could not be had."""
    return _merged((name.rpartition("/")[0], _plain_group(document)) for name, document in documents.items())


def _list(document: Object, key: str) -> list[Object]:
    return list(document.get(key) or ())


def _merged(parts: Iterable[tuple[str, Group]]) -> Served:
    groups: dict[str, list[Group]] = defaultdict(list)
    for name, part in parts:
        groups[name].append(part)
    return Served({name: _union(several) for name, several in groups.items()})


def _union(parts: Iterable[Group]) -> Group:
    parts = list(parts)
    found: dict[str, Resource] = {}
    for name, resource in ((name, resource) for part in parts for name, resource in part.resources.items()):
        before = found.get(name, resource)
        found[name] = Resource(before.verbs | resource.verbs, before.namespaced or resource.namespaced)
    aliases = {alias: plural for part in parts for alias, plural in part.aliases.items()}
    return Group(found, aliases, all(part.complete for part in parts))


def _aggregated_group(version: Object) -> Group:
    resources = _list(version, "resources")
    return Group(
        dict(found for resource in resources for found in _aggregated_resources(resource)),
        {
            alias: str(resource["resource"])
            for resource in resources
            for alias in _aliases(resource.get("singularResource"), resource.get("shortNames"))
        },
        complete=version.get("freshness") == "Current",
    )


def _aggregated_resources(resource: Object) -> Iterator[tuple[str, Resource]]:
    plural, namespaced = str(resource["resource"]), resource.get("scope") == "Namespaced"
    # one that has nothing but subresources has no verbs, and cannot be asked for itself
    if resource.get("verbs"):
        yield plural, Resource(frozenset(resource["verbs"]), namespaced)
    for one in _list(resource, "subresources"):
        yield f"{plural}/{one['subresource']}", Resource(frozenset(one.get("verbs") or ()), namespaced)


def _plain_group(document: Object | None) -> Group:
    if document is None:
        return Group({}, {}, complete=False)
    resources = _list(document, "resources")
    return Group(
        {
            str(one["name"]): Resource(frozenset(one.get("verbs") or ()), bool(one.get("namespaced")))
            for one in resources
        },
        {
            alias: str(one["name"])
            for one in resources
            if "/" not in one["name"]
            for alias in _aliases(one.get("singularName"), one.get("shortNames"))
        },
    )


def _aliases(singular: str | None, short: Iterable[str] | None) -> list[str]:
    return [alias for alias in (singular, *(short or ())) if alias]
