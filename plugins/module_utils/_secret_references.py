# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All the places in the specification of a Pod that name a Secret whose content gets to its containers. Pure.

Source: Kubernetes API, PodSpec v1. What only pulls images (C(imagePullSecrets)) is none of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ._kinds import Object

MOUNT, ENV = "mount", "env"

# also what is put beside a running Pod later, which no template has
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True)
class Reference:
    """One of them.

    Attributes:
        holder: the part of the specification that names the Secret.
        slot: under which key.
        way: C(MOUNT) or C(ENV).
        title: the place, for people.
        volume: the name of the volume; empty for an environment.
        is_plain: whether the volume is all that is in the Secret, and nothing else.
        is_read_once: whether the containers see what was in the Secret when they were started, and nothing later.
    """

    holder: Object
    slot: str
    way: str
    title: str
    volume: str = ""
    is_plain: bool = False
    is_read_once: bool = True

    @property
    def secret(self) -> str:
        """The name of the Secret; empty if none is named."""
        return str(self.holder.get(self.slot) or "")

    @property
    def keys(self) -> list[str]:
        """Those that are wanted; empty: all."""
        if self.holder.get("key"):
            return [str(self.holder["key"])]
        return [str(item.get("key")) for item in self.holder.get("items") or ()]

    @property
    def optional(self) -> bool:
        """Whether the Pod starts without the Secret or the keys."""
        return bool(self.holder.get("optional"))

    def rename(self, secret: str) -> None:
        """Name another Secret; changes the specification."""
        self.holder[self.slot] = secret


@dataclass(frozen=True)
class Mounts:
    """How containers mount a volume.

    Attributes:
        containers: those that do.
        path: where, if that is one place and all of the volume; else empty.
        in_parts: whether one of them mounts only a part of it (C(subPath)), which is never replaced.
    """

    containers: tuple[str, ...]
    path: str
    in_parts: bool


def references(spec: Object) -> Iterator[Reference]:
    """Those of a specification: volumes, then containers in their order."""
    for volume in spec.get("volumes") or ():
        found = _of_volume(volume, mounts_of(spec, str(volume.get("name") or "")))
        yield from (one for one in found if one.secret)
    for key in _CONTAINERS:
        for container in spec.get(key) or ():
            yield from (one for one in _of_environment(container) if one.secret)


def mounts_of(spec: Object, volume: str) -> Mounts:
    """How a volume is mounted."""
    found = [
        (str(container.get("name")), mount)
        for key in _CONTAINERS
        for container in spec.get(key) or ()
        for mount in container.get("volumeMounts") or ()
        if mount.get("name") == volume
    ]
    in_parts = any(mount.get("subPath") or mount.get("subPathExpr") for dummy, mount in found)
    paths = {str(mount.get("mountPath")) for dummy, mount in found}
    path = next(iter(paths)) if len(paths) == 1 and not in_parts else ""
    return Mounts(tuple(dict.fromkeys(name for name, dummy in found)), path, in_parts)


def _of_volume(volume: Object, mounts: Mounts) -> Iterator[Reference]:
    """Also what the drivers get that mount a volume: without it they mount it no more."""
    name, once = str(volume.get("name") or ""), mounts.in_parts
    title, whole = f"volume {name}", volume.get("secret") or {}
    yield Reference(whole, "secretName", MOUNT, title, name, not whole.get("items"), once)
    for source in (volume.get("projected") or {}).get("sources") or ():
        yield Reference(source.get("secret") or {}, "name", MOUNT, title, name, is_read_once=once)
    for driver, slot in (("csi", "nodePublishSecretRef"), ("flexVolume", "secretRef")):
        yield Reference((volume.get(driver) or {}).get(slot) or {}, "name", MOUNT, title, name)


def _of_environment(container: Object) -> Iterator[Reference]:
    where = f"the environment of container {container.get('name')}"
    for entry in container.get("env") or ():
        one = (entry.get("valueFrom") or {}).get("secretKeyRef") or {}
        yield Reference(one, "name", ENV, f"{entry.get('name')} in {where}")
    for entry in container.get("envFrom") or ():
        yield Reference(entry.get("secretRef") or {}, "name", ENV, where)
