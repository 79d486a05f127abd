# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a workload keeps the template of its Pods, and how a volume gets into one and out again. Pure.

Source: Kubernetes API, PodSpec v1. Volumes are known by their name, mounts by their path, containers by their name.
"""

from __future__ import annotations

import copy
import posixpath
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import InputError
from ._kinds import CRON_JOB, DAEMON_SET, DEPLOYMENT, JOB, POD, REPLICA_SET, STATEFUL_SET, Kind, Object, Ref
from ._shape import suggestion

# those whose template may change
CHANGEABLE: Mapping[str, Kind] = {
    kind.name: kind for kind in (DEPLOYMENT, STATEFUL_SET, DAEMON_SET, CRON_JOB, REPLICA_SET)
}
IMMUTABLE = (POD.name, JOB.name)

_PATH = ("spec", "template", "spec")
_PATHS: Mapping[Kind, tuple[str, ...]] = {CRON_JOB: ("spec", "jobTemplate", "spec", "template", "spec")}

# those that a template can have; what is put beside a running Pod later is not in it
CONTAINER_LISTS = ("initContainers", "containers")

ACCOUNT, AUTOMOUNT, FS_GROUP = "serviceAccountName", "automountServiceAccountToken", "fsGroup"
FIELDS = (ACCOUNT, AUTOMOUNT, FS_GROUP)


def pod_spec(kind: Kind, obj: Object) -> Object:
    """The specification of the Pods, as it is in the object: to change it is to change the object."""
    value = obj
    for key in _PATHS.get(kind, _PATH):
        value = value.get(key) or {}
    return value


def pod_metadata(kind: Kind, obj: Object) -> Object:
    """The metadata of the Pods, as it is in the object; made if there is none."""
    value = obj
    for key in (*_PATHS.get(kind, _PATH)[:-1], "metadata"):
        value = value.setdefault(key, {})
    return value


def changeable(name: str, instead: str) -> Kind:
    """The kind of that name, whose template can be changed.

    Args:
        name: as given.
        instead: what to do about one whose template cannot.

    Raises:
        InputError: it is not known, or cannot.
    """
    if name in IMMUTABLE:
        raise InputError(
            f"kind: Kubernetes lets nobody change the template of a {name} that exists",
            instead,
            code="immutable_template",
        )
    if name not in CHANGEABLE:
        raise InputError(f"kind: {name} is not known", suggestion(name, CHANGEABLE))
    return CHANGEABLE[name]


def wrapped(ref: Ref, spec: Object) -> Object:
    """An object of which nothing is known but its Pods."""
    inner = spec
    for key in reversed(_PATHS.get(ref.kind, _PATH)):
        inner = {key: inner}
    metadata = {"name": ref.name, "namespace": ref.namespace}
    return {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "metadata": metadata, **inner}


def containers(spec: Object) -> Iterator[Object]:
    """All of a template, those that run first coming first."""
    for name in CONTAINER_LISTS:
        yield from spec.get(name) or ()


def chosen(spec: Object, names: Sequence[str] | None, ref: Ref) -> list[str]:
    """The containers that are meant; None means all of them.

    Raises:
        InputError: there is no container of that name.
    """
    known = [str(container["name"]) for container in containers(spec)]
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise InputError(f"containers: {ref} has no container {unknown[0]}", f"it has {', '.join(known)}")
    return known if names is None else [name for name in known if name in names]


def volume_of(spec: Object, name: str) -> Object | None:
    """The volume of that name."""
    return next((volume for volume in spec.get("volumes") or () if volume.get("name") == name), None)


def mounts_of(spec: Object, name: str) -> dict[str, list[Object]]:
    """The mounts of a volume, by container."""
    found = {
        str(container["name"]): [mount for mount in container.get("volumeMounts") or () if mount.get("name") == name]
        for container in containers(spec)
    }
    return {container: mounts for container, mounts in found.items() if mounts}


def field_of(spec: Object, field: str) -> Any:
    """One of C(FIELDS); None if it is not set."""
    return (spec.get("securityContext") or {}).get(field) if field == FS_GROUP else spec.get(field)


def set_field(spec: Object, field: str, value: Any) -> None:
    """Set one of C(FIELDS), or with None take it out."""
    if field == FS_GROUP:
        _set(spec.setdefault("securityContext", {}), field, value)
        return
    _set(spec, field, value)
    if field == ACCOUNT:
        # its former name, which the API server keeps the same
        _set(spec, "serviceAccount", value)


def _set(target: Object, key: str, value: Any) -> None:
    if value is None:
        target.pop(key, None)
    else:
        target[key] = value


def insert_volume(spec: Object, volume: Object, index: int | None) -> None:
    """Put a volume at an index, or behind all others."""
    spec["volumes"] = _inserted(spec.get("volumes") or (), volume, index)


def put_volume(spec: Object, volume: Object) -> None:
    """Put a volume in the place of the one of its name, or behind all others."""
    volumes = list(spec.get("volumes") or ())
    index = next((i for i, one in enumerate(volumes) if one.get("name") == volume["name"]), len(volumes))
    spec["volumes"] = [*volumes[:index], copy.deepcopy(volume), *volumes[index + 1 :]]


def directory(path: object) -> str:
    """The shortest spelling of the path of a mount; all others mean the same directory."""
    return posixpath.normpath("/" + str(path or "").lstrip("/"))


def mounts_at(container: Object, path: str) -> list[Object]:
    """What is mounted at a path, however it is spelled there."""
    mounts = container.get("volumeMounts") or ()
    return [mount for mount in mounts if directory(mount.get("mountPath")) == directory(path)]


def put_mount(container: Object, mount: Object) -> None:
    """Put a mount in the place of what is at its path, or behind all others."""
    mounts, there = list(container.get("volumeMounts") or ()), mounts_at(container, mount["mountPath"])
    index = mounts.index(there[0]) if there else len(mounts)
    kept = [one for one in mounts[index:] if one not in there]
    container["volumeMounts"] = [*mounts[:index], copy.deepcopy(mount), *kept]


def insert_mount(container: Object, mount: Object, index: int | None) -> None:
    """Put a mount at an index, or behind all others."""
    container["volumeMounts"] = _inserted(container.get("volumeMounts") or (), mount, index)


def _inserted(present: Sequence[Object], one: Object, index: int | None) -> list[Object]:
    place = len(present) if index is None else index
    return [*present[:place], copy.deepcopy(one), *present[place:]]


def drop_mounts(container: Object, volume: str, paths: Sequence[str] | None = None) -> None:
    """Take the mounts of a volume out of a container, all of them or those at some paths."""
    mounts, gone = container.get("volumeMounts") or (), None if paths is None else {directory(path) for path in paths}
    kept = [
        one
        for one in mounts
        if one.get("name") != volume or (gone is not None and directory(one.get("mountPath")) not in gone)
    ]
    _set(container, "volumeMounts", kept or None)


def drop_volume(spec: Object, name: str) -> None:
    """Take a volume out, with all its mounts: without it they would be refused."""
    for container in containers(spec):
        drop_mounts(container, name)
    _set(spec, "volumes", [volume for volume in spec.get("volumes") or () if volume.get("name") != name] or None)


@dataclass(frozen=True)
class Owner:
    """Who made a workload and will put it back."""

    kind: str
    name: str

    @property
    def is_workload(self) -> bool:
        """Whether it is one that can be changed instead."""
        return self.kind in CHANGEABLE


def owner_of(obj: Object) -> Owner | None:
    """The controller of an object."""
    owners = (one for one in obj["metadata"].get("ownerReferences") or () if one.get("controller"))
    return next((Owner(str(one.get("kind")), str(one.get("name"))) for one in owners), None)


def refuse_owned(ref: Ref, obj: Object) -> None:
    """What another workload makes is changed there.

    Raises:
        InputError: another one makes it.
    """
    owner = owner_of(obj)
    if owner and owner.is_workload:
        raise InputError(
            f"{ref} is made by {owner.kind} {owner.name}, which would undo it",
            f"name the {owner.kind} instead",
            code="owned",
        )


def remarks_on(ref: Ref, obj: Object) -> Iterator[str]:
    """What to say of a workload that somebody else looks after."""
    owner = owner_of(obj)
    if owner:
        yield f"{ref} is made by {owner.kind} {owner.name}, which may undo the change"


def excerpt(ref: Ref, obj: Object, volume: str) -> Object:
    """What is shown of a workload: the volume, its mounts, and the fields that go with it."""
    spec = pod_spec(ref.kind, obj)
    shown: Object = {}
    for name in CONTAINER_LISTS:
        parts = [part for container in spec.get(name) or () if (part := _mounting(container, volume))]
        _set(shown, name, parts or None)
    found = volume_of(spec, volume)
    _set(shown, "volumes", [found] if found else None)
    for field in FIELDS:
        if field_of(spec, field) is not None:
            set_field(shown, field, field_of(spec, field))
    shown.pop("serviceAccount", None)
    return wrapped(ref, shown)


def _mounting(container: Object, volume: str) -> Object | None:
    mounts = [mount for mount in container.get("volumeMounts") or () if mount.get("name") == volume]
    return {"name": container["name"], "volumeMounts": mounts} if mounts else None
