# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be written so that a volume is in a workload, or is not, and what was there comes back. Pure.

The workload remembers in an annotation what was changed in it: the mounts that were made, what they replaced, and the
account, automount and group that were there before. A workload is replaced as a whole under its resourceVersion, so
that nothing of others gets lost and only what was changed is ours.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ._errors import ApiError, InputError
from ._kinds import REPLICA_SET, SERVICE_ACCOUNT, Object, Ref
from ._namespaces import is_terminating
from ._plan import Live, Plan, Write
from ._pod_templates import (
    ACCOUNT,
    AUTOMOUNT,
    FS_GROUP,
    chosen,
    containers,
    directory,
    drop_mounts,
    drop_volume,
    field_of,
    insert_mount,
    insert_volume,
    mounts_at,
    mounts_of,
    pod_spec,
    put_mount,
    put_volume,
    refuse_owned,
    remarks_on,
    set_field,
    volume_of,
    wrapped,
)
from ._projection import DOWNWARD_API, stored
from ._volume_desired import DesiredVolume

MEMORY = "tokenwright/volumes"


@dataclass
class Memory:
    """What a workload remembers.

    Attributes:
        volumes: by name, what is known of ours: C(mounts), the path in every container that was given one; C(replaced),
            the volume and the mounts that were there before, with their C(place) and C(places) in the lists: an index,
            and one for every path in a container.
        fields: by their names, each with its value C(before) and C(after).
    """

    volumes: dict[str, Any] = field(default_factory=dict)
    fields: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, obj: Object) -> Memory:
        """What an object remembers; what somebody else wrote there is forgotten."""
        try:
            found = json.loads((obj["metadata"].get("annotations") or {}).get(MEMORY) or "{}")
            volumes, fields = found.get("volumes") or {}, found.get("fields") or {}
            is_ours = all(isinstance(one.get("mounts"), dict) for one in volumes.values()) and all(
                {"before", "after"} <= one.keys() for one in fields.values()
            )
        except (ValueError, AttributeError, TypeError):
            return cls()
        return cls(volumes, fields) if is_ours else cls()

    def made(self, container: str, mount: Object) -> bool:
        """Whether a mount is one of ours."""
        known = self.volumes.get(str(mount.get("name")))
        path = known["mounts"].get(container) if known else None
        return path is not None and directory(path) == directory(mount.get("mountPath"))

    def put(self, obj: Object) -> None:
        """Let the object remember it; nothing to remember leaves nothing behind."""
        annotations = dict(obj["metadata"].get("annotations") or {})
        annotations.pop(MEMORY, None)
        if self.volumes or self.fields:
            parts = {"fields": self.fields, "volumes": self.volumes}
            annotations[MEMORY] = json.dumps(parts, sort_keys=True, separators=(",", ":"))
        if annotations:
            obj["metadata"]["annotations"] = annotations
        else:
            obj["metadata"].pop("annotations", None)


def plan(desired: DesiredVolume, live: Live, *, check_mode: bool) -> Plan:
    """The write that brings a workload to its desired state.

    Args:
        desired: the volume as declared.
        live: the workload, and the account of its Pods if that was read.
        check_mode: what is missing is then what an earlier task would have made.

    Raises:
        ApiError: the workload or the account is missing, or the workload on its way out.
        InputError: something else is where the volume is to be.
    """
    obj = live[desired.ref]
    if obj is None:
        return _missing_workload(desired, check_mode=check_mode) if desired.present else Plan()
    if is_terminating(obj):
        if not desired.present:
            return Plan()
        raise ApiError(
            f"{desired.ref} is being deleted", code="terminating", hint="wait until it is gone and run again"
        )
    refuse_owned(desired.ref, obj)
    if not desired.present:
        return _removal(desired, obj)
    notes = (*_missing_account(desired, obj, live, check_mode=check_mode), *_remarks(desired, obj))
    body, reason, lost = _placed(desired, obj)
    return Plan((Write("update", desired.ref, reason, body),) if reason else (), (*notes, *lost))


def _missing_workload(desired: DesiredVolume, *, check_mode: bool) -> Plan:
    if not check_mode:
        raise ApiError(
            f"cannot put a volume into {desired.ref}: it does not exist",
            code="missing_workload",
            hint="create it first, or correct kind, name and namespace",
        )
    spec: Object = {}
    put_volume(spec, desired.volume or {})
    note = f"{desired.ref} does not exist yet: it must be there when the volume is put into it"
    return Plan((Write("update", desired.ref, "missing", wrapped(desired.ref, spec)),), (note,))


def account_ref_of(desired: DesiredVolume, obj: Object | None) -> Ref | None:
    """The account that the Pods will have; None if it is not known."""
    if desired.account or obj is None:
        return desired.account_ref
    name = field_of(pod_spec(desired.ref.kind, obj), ACCOUNT) or "default"
    return Ref(SERVICE_ACCOUNT, desired.ref.namespace, str(name))


def _missing_account(desired: DesiredVolume, obj: Object, live: Live, *, check_mode: bool) -> list[str]:
    """What to say of an account that is not there, without which no Pod is made; nothing if it was not read."""
    ref = account_ref_of(desired, obj)
    if ref is None or ref not in live or live[ref] is not None:
        return []
    if check_mode:
        return [f"{ref} does not exist yet: it must be there when the Pods of {desired.ref} are made"]
    raise ApiError(
        f"cannot put a volume into {desired.ref}: {ref} does not exist, and without it no Pod would be made",
        code="missing_account",
        hint="create it first (k8s_sa), or correct service_account",
    )


def _remarks(desired: DesiredVolume, obj: Object) -> Iterator[str]:
    yield from remarks_on(desired.ref, obj)
    if desired.ref.kind is REPLICA_SET:
        yield f"{desired.ref} does not replace its Pods: those that are there get the volume when they are made anew"


# To put it in


def _placed(desired: DesiredVolume, obj: Object) -> tuple[Object, str, list[str]]:
    """The workload with the volume in it, why it has to be written (empty if it need not be), and what others lost."""
    body, memory = copy.deepcopy(obj), Memory.of(obj)
    spec = pod_spec(desired.ref.kind, body)
    _refuse_unknown_containers(desired, spec)
    is_ours = desired.name in memory.volumes
    record = memory.volumes.get(desired.name) or _found(desired, spec)
    volume_reason = _place_volume(desired, spec, is_ours=is_ours)
    lost = _take_out_mounts(desired, spec, record, is_replaced=bool(volume_reason) and not is_ours)
    reasons = [
        volume_reason,
        "mounts_changed" if lost else "",
        _place_mounts(desired, spec, record, memory),
        *_place_fields(desired, spec, memory),
    ]
    _remember_places(record, pod_spec(desired.ref.kind, obj))
    memory.volumes[desired.name] = record
    memory.put(body)
    return body, next((reason for reason in reasons if reason), ""), lost


def _refuse_unknown_containers(desired: DesiredVolume, spec: Object) -> None:
    """A file about a container that there is not: the server takes it, and no Pod ever starts."""
    known = [str(container["name"]) for container in containers(spec)]
    for index, source in enumerate((desired.volume or {"projected": {"sources": ()}})["projected"]["sources"]):
        for item in (source.get(DOWNWARD_API) or {}).get("items") or ():
            name = (item.get("resourceFieldRef") or {}).get("containerName")
            if name and name not in known:
                raise InputError(
                    f"sources[{index}]: {desired.ref} has no container {name}, of which a file is to show a resource",
                    f"correct container_name: it has {', '.join(known)}",
                )


def _found(desired: DesiredVolume, spec: Object) -> dict[str, Any]:
    """The record of a volume that is new to us, with what has its name by now."""
    volume, mounts = volume_of(spec, desired.name), mounts_of(spec, desired.name)
    replaced = {"replaced": copy.deepcopy({"volume": volume, "mounts": mounts})} if volume else {}
    return {"mounts": {}, **replaced}


def _place_volume(desired: DesiredVolume, spec: Object, *, is_ours: bool) -> str:
    present, wanted = volume_of(spec, desired.name), desired.volume or {}
    if present is not None and _is_same(present, wanted):
        return ""
    if present is not None and not is_ours and not desired.force:
        kind = next((key for key in present if key != "name"), "emptyDir")
        raise InputError(
            f"volume_name: {desired.ref} has a volume {desired.name} already, and it is not ours ({kind})",
            "choose another volume_name, or set force to replace it until state is absent",
            code="taken",
        )
    put_volume(spec, wanted)
    return "missing" if present is None else "volume_changed"


def _is_same(present: Object, wanted: Object) -> bool:
    """By what it projects, however it is written."""
    return "projected" in present and stored(present["projected"]) == wanted["projected"]


def _take_out_mounts(desired: DesiredVolume, spec: Object, record: dict[str, Any], *, is_replaced: bool) -> list[str]:
    """Take out the mounts that others made where the volume is not to be: with ours in it, they would show the token.

    Args:
        desired: the volume as declared.
        spec: of the Pods; changed.
        record: what is known of the volume.
        is_replaced: whether the volume was another one until now. Otherwise a container that is to mount it may mount
            it elsewhere as well.

    Returns:
        what to say about it.
    """
    wanted, lost = chosen(spec, desired.containers, desired.ref), []
    for container in containers(spec):
        name = str(container["name"])
        if name in wanted and not is_replaced:
            continue
        own = [record["mounts"].get(name), desired.mount_path if name in wanted else None]
        kept = [directory(path) for path in own if path]
        for mount in mounts_of(spec, desired.name).get(name, ()):
            if directory(mount["mountPath"]) not in kept:
                _remember_added(record, name, mount)
                drop_mounts(container, desired.name, [mount["mountPath"]])
                lost.append(
                    f"container {name} of {desired.ref} does not mount volume {desired.name} at {mount['mountPath']} "
                    "any more, which somebody else had mounted there"
                )
    return lost


def _remember_added(record: dict[str, Any], container: str, mount: Object) -> None:
    """A mount that came after the volume: without another volume of that name there is nothing to mount again."""
    replaced = record.get("replaced") or {}
    known = replaced["mounts"].get(container, ()) if replaced.get("volume") else None
    if known is not None and directory(mount["mountPath"]) not in {directory(one["mountPath"]) for one in known}:
        _remember(record, container, mount)


def _place_mounts(desired: DesiredVolume, spec: Object, record: dict[str, Any], memory: Memory) -> str:
    wanted = chosen(spec, desired.containers, desired.ref)
    before = copy.deepcopy(list(containers(spec)))
    for container in containers(spec):
        name = str(container["name"])
        former = record["mounts"].get(name)
        if former and (name not in wanted or directory(former) != desired.mount_path):
            drop_mounts(container, desired.name, [former])
        if name in wanted:
            _place_mount(desired, container, record, memory)
    record["mounts"] = dict.fromkeys(wanted, desired.mount_path)
    return "mounts_changed" if list(containers(spec)) != before else ""


def _place_mount(desired: DesiredVolume, container: Object, record: dict[str, Any], memory: Memory) -> None:
    there = mounts_at(container, desired.mount_path)
    for present in (one for one in there if one.get("name") != desired.name):
        _refuse_taken(desired, container, present)
        if not memory.made(str(container["name"]), present):
            _remember(record, str(container["name"]), present)
    if [_is_whole(one) for one in there if one.get("name") == desired.name] != [True] or len(there) > 1:
        put_mount(container, desired.mount)


def _is_whole(mount: Object) -> bool:
    return not (mount.get("subPath") or mount.get("subPathExpr"))


def _refuse_taken(desired: DesiredVolume, container: Object, present: Object) -> None:
    """Something else is at that path."""
    if not desired.force:
        raise InputError(
            f"mount_path: container {container['name']} of {desired.ref} has volume {present.get('name')} at "
            f"{desired.mount_path}",
            "choose another mount_path, or set force to replace that mount until state is absent",
            code="taken",
        )


def _remember(record: dict[str, Any], container: str, mount: Object, place: int | None = None) -> None:
    replaced = record.setdefault("replaced", {"volume": None, "mounts": {}})
    replaced["mounts"].setdefault(container, []).append(copy.deepcopy(mount))
    if place is not None:
        replaced.setdefault("places", {}).setdefault(container, {}).setdefault(mount["mountPath"], place)


def _remember_places(record: dict[str, Any], before: Object) -> None:
    """Where what is replaced was in its list, for the same order when it comes back; what is known already stays."""
    replaced = record.get("replaced") or {}
    if replaced.get("volume") in (before.get("volumes") or ()):
        replaced.setdefault("place", before["volumes"].index(replaced["volume"]))
    for container in containers(before):
        name, mounts = str(container["name"]), container.get("volumeMounts") or ()
        for mount in (replaced.get("mounts") or {}).get(name, ()):
            if mount in mounts:
                places = replaced.setdefault("places", {}).setdefault(name, {})
                places.setdefault(mount["mountPath"], mounts.index(mount))


# in the order in which a difference names the reason
_REASONS = {ACCOUNT: "account_changed", AUTOMOUNT: "automount_changed", FS_GROUP: "fs_group_changed"}


def _place_fields(desired: DesiredVolume, spec: Object, memory: Memory) -> Iterator[str]:
    wanted = {ACCOUNT: desired.account, AUTOMOUNT: desired.automount, FS_GROUP: desired.fs_group}
    for name, value in wanted.items():
        current = field_of(spec, name)
        if value is None or current == value:
            continue
        known = memory.fields.get(name)
        before = known["before"] if known and known["after"] == current else current
        memory.fields[name] = {"before": before, "after": value}
        set_field(spec, name, value)
        yield _REASONS[name]


# To take it out


def _removal(desired: DesiredVolume, obj: Object) -> Plan:
    body, memory = copy.deepcopy(obj), Memory.of(obj)
    spec = pod_spec(desired.ref.kind, body)
    record = memory.volumes.pop(desired.name, None)
    present = volume_of(spec, desired.name)
    if present is not None and not desired.force and (record is None or "projected" not in present):
        note = f"volume {desired.name} of {desired.ref} stays: it is not ours (force takes it out all the same)"
        return Plan((), (note,))
    if present is not None:
        drop_volume(spec, desired.name)
    _bring_back((record or {}).get("replaced") or {}, spec, memory)
    if not memory.volumes:
        _bring_back_fields(memory, spec)
    memory.put(body)
    return Plan((Write("update", desired.ref, "unwanted", body),) if body != obj else ())


def _bring_back(replaced: Object, spec: Object, memory: Memory) -> None:
    """What had the name or the path before, in its place as far as there still is one."""
    if replaced.get("volume"):
        insert_volume(spec, replaced["volume"], _index(replaced.get("place")))
    for container in containers(spec):
        before, name = dict(container), str(container["name"])
        places = (replaced.get("places") or {}).get(name) or {}
        mounts = (replaced.get("mounts") or {}).get(name, ())
        found = [(_index(places.get(mount["mountPath"])), mount) for mount in mounts]
        # the first ones first: each is then at its index when the next one comes
        for place, mount in sorted(found, key=lambda one: (one[0] is None, one[0] or 0)):
            _bring_back_mount(mount, container, before, spec, memory, place=place)


def _index(value: object) -> int | None:
    """An index that was remembered; None if there is none."""
    return value if isinstance(value, int) and value >= 0 else None


def _bring_back_mount(
    mount: Object, container: Object, before: Object, spec: Object, memory: Memory, *, place: int | None
) -> None:
    """One mount, into the container as it was before others came back: two of them may spell one path in two ways."""
    name = str(container["name"])
    again = [one for one in container.get("volumeMounts") or () if one.get("mountPath") == mount["mountPath"]]
    taken = next(iter([*mounts_at(before, mount["mountPath"]), *again]), None)
    # another volume of ours has the place or the name meanwhile, and gives it back when it goes
    if taken is not None and memory.made(name, taken):
        _remember(memory.volumes[taken["name"]], name, mount, place)
    elif mount["name"] in memory.volumes:
        _remember(memory.volumes[mount["name"]], name, mount, place)
    elif taken is None and volume_of(spec, mount["name"]) is not None:
        insert_mount(container, mount, place)


def _bring_back_fields(memory: Memory, spec: Object) -> None:
    """What is not as we left it is somebody else's by now, and stays."""
    for name, known in memory.fields.items():
        if field_of(spec, name) == known["after"]:
            set_field(spec, name, known["before"])
    memory.fields.clear()
