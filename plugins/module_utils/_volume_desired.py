# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One volume of a workload as declared: the options of an item, checked before anything is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _names
from ._durations import seconds
from ._errors import InputError
from ._kinds import SERVICE_ACCOUNT, Object, Ref
from ._pod_templates import changeable, directory
from ._projection import SOURCE_OPTIONS, USUAL_PATH, is_certain
from ._projection_rules import checked_volume, volume_name

LIST = "workloads"

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "default": "Deployment"},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "service_account": {"type": "str"},
    "containers": {"type": "list", "elements": "str"},
    "volume_name": {"type": "str", "default": "sa-token"},
    "mount_path": {"type": "str", "default": USUAL_PATH},
    "sources": {"type": "list", "elements": "dict", "options": SOURCE_OPTIONS},
    "default_mode": {"type": "raw"},
    "fs_group": {"type": "int"},
    "automount": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "raw", "default": "5m"},
}

_HIGHEST_GROUP = (1 << 31) - 1


@dataclass(frozen=True)
class DesiredVolume:
    """One volume as declared.

    Attributes:
        ref: the workload.
        present: whether the volume is to be in it.
        account: the account of its Pods; None: whatever it is.
        containers: those that mount it; None: all.
        name: of the volume.
        volume: as the API server stores it; None if it is to be absent.
        mount_path: where it is to be, in its shortest spelling.
        fs_group: the group of its files; None: whatever it is.
        automount: whether Kubernetes is to mount a token of its own.
        is_certain: whether every API server knows all that is in it.
        force: whether something else may be replaced.
        wait_timeout: how long to wait for new Pods; None: not at all.
    """

    ref: Ref
    present: bool
    account: str | None
    containers: tuple[str, ...] | None
    name: str
    volume: Object | None
    mount_path: str
    fs_group: int | None
    automount: bool
    is_certain: bool
    force: bool
    wait_timeout: int | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> DesiredVolume:
        """Check one merged item.

        Raises:
            InputError: it cannot be right.
        """
        kind = changeable(
            item["kind"], "put the volume into its manifest, with the filter projected_volume, and make it anew"
        )
        present, name = item["state"] == "present", volume_name(item["volume_name"], "volume_name")
        return cls(
            ref=Ref(kind, _names.namespace(item["namespace"]), _names.object_name(item["name"])),
            present=present,
            account=None
            if item["service_account"] is None
            else _names.object_name(item["service_account"], "service_account"),
            containers=_containers(item["containers"]),
            name=name,
            volume=checked_volume(name, item["sources"], item["default_mode"]) if present else None,
            mount_path=_mount_path(item["mount_path"]),
            fs_group=_group(item["fs_group"]),
            automount=item["automount"],
            is_certain=is_certain(item["sources"]),
            force=item["force"],
            wait_timeout=seconds(item["wait_timeout"], "wait_timeout") if item["wait"] else None,
        )

    @property
    def account_ref(self) -> Ref | None:
        """The account, if it is declared."""
        return Ref(SERVICE_ACCOUNT, self.ref.namespace, self.account) if self.account else None

    @property
    def mount(self) -> Object:
        """How a container mounts it."""
        return {"mountPath": self.mount_path, "name": self.name, "readOnly": True}

    def __str__(self) -> str:
        return f"volume {self.name} of {self.ref}"


def _mount_path(value: str) -> str:
    if not value.startswith("/") or ":" in value:
        raise InputError(
            f"mount_path: {value!r} is not an absolute path without colons", "write it as in /var/run/vault"
        )
    if ".." in value.split("/"):
        raise InputError(f"mount_path: {value!r} has two dots in it", "write the directory that is meant")
    path = directory(value)
    if path == "/" or f"{path}/".startswith("/proc/"):
        raise InputError(
            f"mount_path: no container starts with a volume at {path}", "write a directory as in /var/run/vault"
        )
    return path


def _containers(names: Sequence[str] | None) -> tuple[str, ...] | None:
    if names is not None and not names:
        raise InputError("containers is empty", "leave it out for all of them, or name some")
    return None if names is None else tuple(dict.fromkeys(names))


def _group(value: int | None) -> int | None:
    if isinstance(value, bool):
        raise InputError(
            f"fs_group: {'true' if value else 'false'} is not the number of a group", "write one, for example 65534"
        )
    if value is not None and not 0 <= value <= _HIGHEST_GROUP:
        raise InputError(f"fs_group: {value} is out of range", f"use 0 to {_HIGHEST_GROUP}")
    return value


def refuse_contradictions(items: Sequence[DesiredVolume]) -> None:
    """Volumes of one workload must agree on what there is only one of.

    Raises:
        InputError: they do not.
    """
    said: dict[tuple[Ref, str], set[object]] = defaultdict(set)
    for item in items:
        if item.present:
            said[item.ref, "service_account"].add(item.account)
            said[item.ref, "fs_group"].add(item.fs_group)
            said[item.ref, "automount"].add(item.automount)
    for (ref, option), values in said.items():
        if len(values - {None}) > 1:
            raise InputError(f"{option}: the volumes of {ref} do not agree about it", "give them all the same")
    _refuse_shared_paths(items)


def _refuse_shared_paths(items: Sequence[DesiredVolume]) -> None:
    """Two volumes cannot be at one place, unless they are in different containers."""
    taken: dict[tuple[Ref, str], list[DesiredVolume]] = defaultdict(list)
    for item in items:
        if item.present:
            taken[item.ref, item.mount_path].append(item)
    for (ref, path), sharing in taken.items():
        names = [name for item in sharing for name in item.containers or ("*",)]
        if len(sharing) > 1 and ("*" in names or len(names) > len(set(names))):
            raise InputError(f"mount_path: two volumes of {ref} are to be at {path}", "give them paths of their own")
