# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which workloads have a Secret mounted or in their environment, as far as their specifications say. Pure.

Source: Kubernetes API, PodSpec v1.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ._kinds import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    REPLICATION_CONTROLLER,
    STATEFUL_SET,
    Kind,
    Object,
    Ref,
    ref_of,
)
from ._secret_references import mounts_of, references

# what runs containers; those that make others of these come before them
WORKLOADS = (DEPLOYMENT, CRON_JOB, STATEFUL_SET, DAEMON_SET, REPLICATION_CONTROLLER, REPLICA_SET, JOB, POD)

_TEMPLATES: Mapping[Kind, tuple[str, ...]] = {
    POD: ("spec",),
    CRON_JOB: ("spec", "jobTemplate", "spec", "template", "spec"),
}
_TEMPLATE = ("spec", "template", "spec")

_FINISHED = ("Succeeded", "Failed")


@dataclass(frozen=True, order=True)
class Use:
    """A workload that uses a Secret.

    Attributes:
        workload: which one.
        way: C(mount) or C(env).
        volume: the name of the volume that it is in; empty for C(env).
        path: where that is mounted, if it holds all of the Secret and nothing else, and is at one place; else empty.
        containers: those that mount it.
    """

    workload: Ref
    way: str
    volume: str = ""
    path: str = ""
    containers: tuple[str, ...] = ()


def uses(found: Mapping[Kind, Sequence[Object]]) -> dict[tuple[str, str], list[Use]]:
    """The uses of every Secret, by namespace and name.

    Whoever was made by another workload is named only if that one does not use the Secret itself, or not any more.
    """
    by_ref = {ref_of(obj, kind): obj for kind in WORKLOADS for obj in found.get(kind, ())}
    names = {(ref.kind.name, ref.namespace, ref.name): ref for ref in by_ref}
    used: dict[tuple[str, str], set[Use]] = defaultdict(set)
    for ref, obj in by_ref.items():
        if _is_over(ref.kind, obj):
            continue
        makers = set(_makers(obj, by_ref, names))
        for secret, use in _uses(ref, _spec(ref.kind, obj)):
            known = used[ref.namespace, secret]
            if not any(one.workload in makers and one.way == use.way for one in known):
                known.add(use)
    return {secret: sorted(found) for secret, found in used.items() if found}


def _is_over(kind: Kind, obj: Object) -> bool:
    """Whether nothing of it runs, or will."""
    status = obj.get("status") or {}
    if kind == POD:
        return status.get("phase") in _FINISHED
    if kind == JOB:
        return bool(status.get("completionTime"))
    # a Deployment keeps its former ReplicaSets
    return kind == REPLICA_SET and _controller(obj) is not None and not (obj.get("spec") or {}).get("replicas")


def _controller(obj: Object) -> tuple[str, str] | None:
    owners = (owner for owner in obj["metadata"].get("ownerReferences") or () if owner.get("controller"))
    return next(((str(owner.get("kind")), str(owner.get("name"))) for owner in owners), None)


def _makers(obj: Object, by_ref: Mapping[Ref, Object], names: Mapping[tuple[str, str, str], Ref]) -> Iterator[Ref]:
    """Who made it, who made that one, and so on."""
    namespace, owner = str(obj["metadata"].get("namespace") or ""), _controller(obj)
    for dummy in WORKLOADS:
        ref = names.get((owner[0], namespace, owner[1])) if owner else None
        if ref is None:
            return
        yield ref
        owner = _controller(by_ref[ref])


def _spec(kind: Kind, obj: Object) -> Object:
    value: object = obj
    for key in _TEMPLATES.get(kind, _TEMPLATE):
        value = value.get(key) if isinstance(value, Mapping) else None
    return dict(value) if isinstance(value, Mapping) else {}


def _uses(workload: Ref, spec: Object) -> Iterator[tuple[str, Use]]:
    """The names of Secrets in a Pod's specification, and how they get into the containers."""
    for one in references(spec):
        mounts = mounts_of(spec, one.volume) if one.volume else None
        path = mounts.path if mounts and one.is_plain else ""
        yield one.secret, Use(workload, one.way, one.volume, path, mounts.containers if mounts else ())
