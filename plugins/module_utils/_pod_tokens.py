# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which tokens the containers of a Pod have, where, and what was asked for. Pure.

Source: Kubernetes API, PodSpec and PodStatus v1; plugin/pkg/admission/serviceaccount for what automount adds.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from ._claims import Claims, LegacyClaims
from ._errors import InputError
from ._kinds import Object, Ref
from ._pod_templates import CONTAINER_LISTS
from ._projection import tokens

# how the names of the volumes begin that automount adds
AUTOMOUNTED = "kube-api-access-"

_CONTAINER_LISTS = (*CONTAINER_LISTS, "ephemeralContainers")
_STATUS_LISTS = ("initContainerStatuses", "containerStatuses", "ephemeralContainerStatuses")


@dataclass(frozen=True)
class PodToken:
    """A token in a container, as its Pod asks for it.

    Attributes:
        container: the name of the container.
        volume: of the volume it is in.
        path: of its file in the container; None: a variable decides it.
        audience: whom it is for; empty: the API server, whatever that calls itself.
        seconds: how long it is to be good.
        is_fixed: whether it is mounted in a way that it is never replaced.
    """

    container: str
    volume: str
    path: str | None
    audience: str = ""
    seconds: int | None = None
    is_fixed: bool = False

    @property
    def is_automounted(self) -> bool:
        """Whether Kubernetes added it by itself."""
        return self.volume.startswith(AUTOMOUNTED)

    def __str__(self) -> str:
        return f"the token in {self.path or f'volume {self.volume}'} of container {self.container}"


def names_of_containers(spec: Object) -> list[str]:
    """All containers of a Pod."""
    return [str(container["name"]) for container in _containers(spec)]


def chosen_container(pod: Ref, spec: Object, name: str | None) -> list[str]:
    """The containers that are meant: one, or all of them.

    Raises:
        InputError: there is no container of that name.
    """
    known = names_of_containers(spec)
    if name is not None and name not in known:
        raise InputError(f"container: {pod} has no container {name}", f"it has {', '.join(known)}")
    return known if name is None else [name]


def tokens_of(spec: Object) -> list[PodToken]:
    """The tokens that the containers of a Pod mount."""
    volumes = {str(volume["name"]): volume for volume in token_volumes(spec)}
    return [
        token
        for container in _containers(spec)
        for mount in container.get("volumeMounts") or ()
        if mount.get("name") in volumes
        for token in _mounted(str(container["name"]), mount, volumes[mount["name"]])
    ]


def token_volumes(spec: Object) -> list[Object]:
    """The volumes of a Pod that hold tokens, whoever mounts them."""
    return [volume for volume in spec.get("volumes") or () if tokens(volume.get("projected") or {})]


def _containers(spec: Object) -> Iterator[Object]:
    for key in _CONTAINER_LISTS:
        yield from spec.get(key) or ()


def _mounted(container: str, mount: Object, volume: Object) -> Iterator[PodToken]:
    part, expression = mount.get("subPath") or "", mount.get("subPathExpr") or ""
    for dummy, token in tokens(volume["projected"]):
        place = None if "$" in expression else _place(mount["mountPath"], part or expression, token["path"])
        if place == "":
            continue
        yield PodToken(
            container=container,
            volume=str(volume["name"]),
            path=place,
            audience=str(token.get("audience") or ""),
            seconds=token.get("expirationSeconds"),
            is_fixed=bool(part or expression),
        )


def _place(mount_path: str, part: str, path: str) -> str:
    """Where a file of a volume is, of which a part or all is mounted; empty: not in that part."""
    path, part = posixpath.normpath(path), posixpath.normpath(part) if part else "."
    if path == part:
        return posixpath.normpath(mount_path)
    if part != "." and not path.startswith(f"{part}/"):
        return ""
    return posixpath.join(posixpath.normpath(mount_path), path.removeprefix(f"{part}/"))


# How far the Pod is


def why_not_running(pod: Object, container: str) -> str:
    """Why a program cannot be run in a container, a sentence; empty: it can."""
    state = _state(pod, container)
    if "running" in state:
        return ""
    status = pod.get("status") or {}
    details = state.get("waiting") or state.get("terminated") or _unscheduled(status)
    reason = f" ({details['reason']})" if details.get("reason") else ""
    return f"it does not run, and the Pod is {status.get('phase') or 'not started'}{reason}"


def has_ended(pod: Object, container: str) -> bool:
    """Whether a container that only runs first has done what it was there for."""
    is_first = any(container == one["name"] for one in pod["spec"].get("initContainers") or ())
    return is_first and (_state(pod, container).get("terminated") or {}).get("exitCode") == 0


def _state(pod: Object, container: str) -> Object:
    """What the kubelet says of a container; empty: nothing yet."""
    status = pod.get("status") or {}
    found = [one for key in _STATUS_LISTS for one in status.get(key) or () if one.get("name") == container]
    return dict(found[0].get("state") or {}) if found else {}


def _unscheduled(status: Object) -> Object:
    """What is said of a Pod for which there is no node."""
    conditions = status.get("conditions") or ()
    failed = [one for one in conditions if one.get("type") == "PodScheduled" and one.get("status") == "False"]
    return dict(failed[0]) if failed else {}


# What was seen in it


READ, DENIED, ABSENT, OTHER, UNSEEN = "read", "denied", "absent", "other", "unseen"


@dataclass(frozen=True)
class Look:
    """What a container sees at the path of a token.

    Attributes:
        outcome: C(READ); C(DENIED), its user may not read the file; C(ABSENT), there is none; C(OTHER), it is no token;
            C(UNSEEN), nobody knows.
        claims: what the token says of itself, if it was read.
        why: why it is not known, a sentence.
    """

    outcome: str
    claims: Claims | LegacyClaims | None = None
    why: str = ""
