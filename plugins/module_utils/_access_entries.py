# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody may or may not do, as users write it: C(get pods/log in ci), C(get /healthz), or the same as a mapping.

Where a request belongs is a part of it. An entry that names no namespace is about the account's own, because who
forgets it in C(cannot) must not be told that all is well after a look at nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from . import _names
from ._errors import InputError
from ._rbac import Permission, resource_of, verb_of
from ._scopes import CLUSTER_SCOPED
from ._shape import called, suggestion

# as the API spells it: nowhere in particular, which is also where cluster-scoped objects are
EVERYWHERE = ""
# in at least one namespace; no request of the API, but a question that matters
ANYWHERE = "*"

_SPOKEN = {EVERYWHERE: "all namespaces", ANYWHERE: "any namespace"}
# a mapping may say it as the API does
_PLACES = {**{text: place for place, text in _SPOKEN.items()}, EVERYWHERE: EVERYWHERE}

_KEYS = ("verb", "resource", "group", "subresource", "name", "namespace", "url")

_FORM = (
    "write VERB RESOURCE[.GROUP][/SUBRESOURCE] [named NAME] [in NAMESPACE], as in get pods/log in ci, or VERB /PATH; "
    "in place of one namespace all namespaces or any namespace"
)


@dataclass(frozen=True)
class Entry:
    """One request to be judged.

    Attributes:
        asked: the request itself.
        namespace: a namespace, C(EVERYWHERE) or C(ANYWHERE).
    """

    asked: Permission
    namespace: str = EVERYWHERE

    def __str__(self) -> str:
        """As one would write it."""
        words = str(replace(self.asked, name=""))
        if self.asked.name:
            words += f" named {self.asked.name}"
        return words if self.is_placeless else f"{words} in {_SPOKEN.get(self.namespace, self.namespace)}"

    @property
    def is_placeless(self) -> bool:
        """Whether there is no saying where: a path, or a resource that is known to be in no namespace."""
        return bool(self.asked.url) or is_cluster_scoped(self.asked)

    def at(self, namespace: str) -> Entry:
        """The same request elsewhere."""
        return replace(self, namespace=namespace)

    def attributes(self) -> dict[str, Any]:
        """As the spec of a SubjectAccessReview spells it."""
        asked = self.asked
        if asked.url:
            return {"nonResourceAttributes": {"verb": asked.verb, "path": asked.url}}
        resource, dummy, subresource = asked.resource.partition("/")
        named = {"subresource": subresource, "name": asked.name, "namespace": self.namespace}
        said = {"verb": asked.verb, "group": asked.group, "resource": resource}
        return {"resourceAttributes": {**said, **{key: value for key, value in named.items() if value}}}


def is_cluster_scoped(asked: Permission) -> bool:
    """Whether a resource is one of Kubernetes' own that are in no namespace."""
    return asked.resource.partition("/")[0] in CLUSTER_SCOPED.get(asked.group, ())


def entries_of(given: Sequence[object] | None, option: str, own_namespace: str | None) -> tuple[Entry, ...]:
    """The entries of an option, each once.

    Args:
        given: texts and mappings.
        option: its name, for messages.
        own_namespace: where an entry belongs that does not say it; None: it has to.

    Raises:
        InputError: one cannot be understood, or cannot be meant.
    """
    read = (entry_of(one, f"{option}[{index}]", own_namespace) for index, one in enumerate(given or ()))
    return tuple(dict.fromkeys(read))


def entry_of(given: object, option: str, own_namespace: str | None) -> Entry:
    """One entry; see C(entries_of)."""
    if isinstance(given, str):
        said = _words(given, option)
    elif isinstance(given, Mapping):
        said = _mapping(given, option)
    else:
        raise InputError(f"{option} is {called(given)}, neither a text nor a mapping", _FORM)
    if "url" in said:
        return _path(said, option)
    return _placed(_resource(said, option), said.get("namespace"), option, own_namespace)


def _words(text: str, option: str) -> dict[str, str]:
    """A sentence by its words: what follows C(named) and C(in) may be called like that, too."""
    words = text.split()
    if len(words) < 2:
        raise InputError(f"{option}: {text!r} is not verb and resource", _FORM)
    verb, what, *rest = words
    said = {"verb": verb, "url" if what.startswith("/") else "resource": what}
    if rest[:1] == ["named"] and len(rest) > 1:
        said["name"], rest = rest[1], rest[2:]
    if rest[:1] == ["in"] and (len(rest) == 2 or " ".join(rest[1:]) in _SPOKEN.values()):
        said["namespace"], rest = " ".join(rest[1:]), []
    if rest:
        raise InputError(f"{option}: {' '.join(rest)!r} in {text!r} cannot be understood", _FORM)
    return said


def _mapping(given: Mapping[str, Any], option: str) -> dict[str, str]:
    said = {}
    for key, value in given.items():
        if key not in _KEYS:
            raise InputError(f"{option}: {key} is unknown here", suggestion(str(key), _KEYS))
        if isinstance(value, bool | Mapping | list):
            raise InputError(f"{option}.{key} is {called(value)}, not a text", "give a single value")
        if value is not None:
            said[key] = str(value)
    if "verb" not in said or ("resource" in said) == ("url" in said):
        raise InputError(f"{option}: an entry has a verb and either a resource or a url", _FORM)
    return _joined(said, option)


def _joined(said: Mapping[str, str], option: str) -> dict[str, str]:
    """Group and subresource may be said apart, as in the API."""
    apart = ("resource", "group", "subresource")
    rest = {key: value for key, value in said.items() if key not in apart}
    resource, group, subresource = (said.get(key, "") for key in apart)
    plural, slash, inner = resource.partition("/")
    if (group and "." in plural) or (subresource and slash) or ((group or subresource) and not resource):
        raise InputError(f"{option}: group or subresource is said twice, or of a path", "leave it out there")
    if not resource:
        return rest
    dotted = f"{plural}.{group}" if group else plural
    return {**rest, "resource": f"{dotted}/{subresource}" if subresource else f"{dotted}{slash}{inner}"}


def _path(said: Mapping[str, str], option: str) -> Entry:
    for key in ("name", "namespace"):
        if key in said:
            raise InputError(f"{option}: a path has no {key}", "leave it out")
    if not said["url"].startswith("/") or len(said["url"].split()) != 1:
        raise InputError(f"{option}: {said['url']!r} is not a path", "write it like /healthz or /metrics")
    return Entry(Permission(verb_of(said["verb"], option), url=said["url"]))


def _resource(said: Mapping[str, str], option: str) -> Permission:
    resource, group = resource_of(said["resource"], option)
    asked = Permission(verb_of(said["verb"], option), group, resource, said.get("name", ""))
    if asked.verb == "create" and asked.name and "/" not in resource:
        # it has none yet when the server decides
        raise InputError(f"{option}: {asked.verb} {resource} cannot be allowed by name", "leave the name out")
    return asked


def _placed(asked: Permission, said: str | None, option: str, own_namespace: str | None) -> Entry:
    if is_cluster_scoped(asked):
        if said is not None and _PLACES.get(said) != EVERYWHERE:
            raise InputError(f"{option}: {asked.resource} are in no namespace", f"leave out {said!r}")
        # that is how the server reads the path of a namespace
        own = asked.name if asked.resource.partition("/")[0] == "namespaces" and not asked.group else EVERYWHERE
        return Entry(asked, own)
    if said is not None:
        return Entry(asked, _PLACES[said] if said in _PLACES else _names.namespace(said, option))
    if own_namespace is None:
        raise InputError(f"{option}: it says no namespace", "add in NAMESPACE, in all namespaces or in any namespace")
    return Entry(asked, own_namespace)
