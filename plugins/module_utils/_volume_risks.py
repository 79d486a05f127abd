# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server takes and what still goes wrong with a projected volume, or is more than was meant. Pure.

Source: pkg/volume/projected and pkg/volume/util (FsUserFrom, AtomicWriter) of Kubernetes; "Projected Volumes" and
"Service Accounts" of its documentation; KEP-1205.
"""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from ._findings import Finding
from ._kinds import Object, Ref
from ._pod_templates import FS_GROUP, containers, field_of, mounts_of, volume_of
from ._projection import CONFIG_MAP, DEFAULT_MODE, DOWNWARD_API, SECRET, TOKEN, TRUST_BUNDLE, USUAL_PATH, tokens
from ._projection_rules import paths_of

# Asked for exactly that many seconds, the API server makes tokens that are good for a year, for clients that read
# theirs only once. Source: pkg/serviceaccount/claims.go (WarnOnlyBoundTokenExpirationSeconds).
_EXTENDED = 3607
# the kubelet renews a token after a day, however long it is good
_LONGEST_NEEDED = 86400

# what many examples have, and what is the audience of some API servers only
_GUESSED_AUDIENCES = ("kubernetes.default.svc", "kubernetes.default")

_OTHERS_READ, _GROUP_READS = 0o004, 0o040

# whose files are as their modes say, whoever runs in the Pod
_PLAIN = frozenset({CONFIG_MAP, SECRET, DOWNWARD_API, TRUST_BUNDLE})


def risks_of_projection(volume: Object, mount_path: str | None = None, about: Ref | None = None) -> list[Finding]:
    """What is wrong with a volume, whoever mounts it.

    Args:
        volume: as the API server stores it.
        mount_path: where it will be; None: not known.
        about: the workload.
    """
    projected = volume["projected"]
    return [
        *_collisions(projected["sources"], about),
        *(found for index, token in tokens(projected) for found in _of_token(token, index, mount_path, about)),
    ]


def risks_in_template(spec: Object, name: str, about: Ref) -> list[Finding]:
    """What is wrong with the Pods that have the volume in them: who may read it, and what it hides."""
    volume = volume_of(spec, name)
    if volume is None or "projected" not in volume:
        return []
    mounts = mounts_of(spec, name)
    found = [*_hidden(spec, name, mounts, about)]
    if tokens(volume["projected"]):
        found = [*_unreadable(spec, volume, mounts, about), *_subpaths(mounts, about), *found]
        found += _readable(spec, volume, about)
    return found


# The token


def _of_token(token: Mapping[str, Any], index: int, mount_path: str | None, about: Ref | None) -> Iterator[Finding]:
    place, lifetime = f"sources[{index}]", token.get("expirationSeconds")
    if lifetime == _EXTENDED:
        yield Finding(
            "token_lifetime",
            f"{place}: for a token of exactly {_EXTENDED} seconds the API server makes one that it takes for a year",
            "ask for 3600 seconds",
            about,
        )
    elif lifetime and lifetime > _LONGEST_NEEDED:
        yield Finding(
            "token_lifetime",
            f"{place}: the token is good for {lifetime} seconds, and is replaced after a day at the latest",
            f"ask for {_LONGEST_NEEDED} seconds or less",
            about,
        )
    yield from _audience(token, place, mount_path, about)


def _audience(token: Mapping[str, Any], place: str, mount_path: str | None, about: Ref | None) -> Iterator[Finding]:
    audience = str(token.get("audience") or "")
    if audience.removeprefix("https://").rstrip("/").removesuffix(".cluster.local") in _GUESSED_AUDIENCES:
        yield Finding(
            "token_audience",
            f"{place}: {audience} is what some API servers take tokens for, and others do not",
            "leave audience out for a token for the API server, whatever it calls itself",
            about,
        )
    elif audience and mount_path and _clean(posixpath.join(mount_path, token["path"])) == f"{USUAL_PATH}/token":
        yield Finding(
            "token_audience",
            f"{place}: Kubernetes clients take the token in {USUAL_PATH} for one for the API server, "
            f"and this one is for {audience}",
            "give it another path or the volume another mount_path",
            about,
        )


# Files that get in each other's way


def _collisions(sources: Sequence[Object], about: Ref | None) -> Iterator[Finding]:
    """What the server does not see: tokens, other spellings, and files where others need a directory."""
    files = [
        (index, path, kind == TOKEN)
        for index, source in enumerate(sources)
        for kind, content in source.items()
        if isinstance(content, Mapping)
        for path in paths_of(kind, content)
    ]
    for (first, one, of_token), (second, other, is_token) in combinations(files, 2):
        is_known = one == other and not of_token and not is_token
        said = None if is_known else _clash(first, _clean(one), second, _clean(other))
        if said:
            yield Finding("path_collision", said, "give every file a path of its own", about)
    yield from (_itself(index, path, about) for index, path, dummy in files if _clean(path) == ".")


def _clash(first: int, one: str, second: int, other: str) -> str | None:
    if one == other:
        return f"sources[{first}] and sources[{second}] both write the file {one}, and the later one wins"
    if _is_below(other, one):
        return f"{one} is a file of sources[{first}], and sources[{second}] needs a directory there"
    if _is_below(one, other):
        return f"{other} is a file of sources[{second}], and sources[{first}] needs a directory there"
    return None


def _itself(index: int, path: str, about: Ref | None) -> Finding:
    return Finding("path_collision", f"sources[{index}]: {path} is the volume itself", "name a file in it", about)


def _clean(path: str) -> str:
    """The same place in its shortest spelling."""
    return posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path) if path else path


def _is_below(path: str, directory: str) -> bool:
    return path != directory and path.startswith(directory.rstrip("/") + "/")


# Who may read it


def _of_pod_and_container(spec: Object, container: Object, key: str) -> Any:
    own = (container.get("securityContext") or {}).get(key)
    return (spec.get("securityContext") or {}).get(key) if own is None else own


def _user(spec: Object, container: Object) -> int | None:
    """The user that a container runs as; None: its image decides."""
    user = _of_pod_and_container(spec, container, "runAsUser")
    return None if user is None else int(user)


def _is_private(spec: Object) -> bool:
    """Whether the kubelet gives the token to a group or to the one user of all containers."""
    users = {_user(spec, container) for container in containers(spec)}
    return field_of(spec, FS_GROUP) is not None or (len(users) == 1 and None not in users)


def _is_of_windows(spec: Object) -> bool:
    return (spec.get("os") or {}).get("name") == "windows"


def _mode(volume: Object) -> int:
    return int(volume["projected"].get("defaultMode", DEFAULT_MODE))


def _readable(spec: Object, volume: Object, about: Ref) -> Iterator[Finding]:
    if _mode(volume) & _OTHERS_READ and not _is_private(spec) and not _is_of_windows(spec):
        yield Finding(
            "readable_token_file",
            "every user in the containers may read the token",
            "set fs_group, or let all containers run as the same user (runAsUser)",
            about,
        )


@dataclass(frozen=True)
class _File:
    """A file of a volume that the kubelet gives to nobody but root."""

    what: str
    mode: int
    is_token: bool = False


@dataclass(frozen=True)
class ShutOut:
    """A container that has no right to read a file of a volume that it mounts.

    Attributes:
        container: its name.
        is_certain: whether that is so; otherwise its image decides.
        of_token: whether the file is a token, or one beside it.
        evidence: why, a sentence without a full stop.
    """

    container: str
    is_certain: bool
    of_token: bool
    evidence: str


def shut_out(spec: Object, volume: Object, mounting: Collection[str]) -> Iterator[ShutOut]:
    """Whoever mounts what stays root's, is not root, and has no right to it; the first such file of each.

    Args:
        spec: of the Pod.
        volume: a projected one with a token.
        mounting: the containers that mount it.
    """
    if field_of(spec, FS_GROUP) is not None or _is_of_windows(spec):
        return
    files = [*_of_root(volume["projected"], _mode(volume), with_tokens=not _is_private(spec))]
    for container in containers(spec):
        user, name = _user(spec, container), str(container["name"])
        if name not in mounting or user == 0:
            continue
        rights = _OTHERS_READ | (_GROUP_READS if _is_in_group_of_root(spec, container) else 0)
        is_certain = user is not None or bool(_of_pod_and_container(spec, container, "runAsNonRoot"))
        who = f"runs as user {user}" if user else "does not run as root" if is_certain else "may not run as root"
        for one in files:
            if not one.mode & rights:
                said = f"only {_readers(one.mode)} can read {one.what}"
                yield ShutOut(name, is_certain, one.is_token, f"container {name} {who}, and {said}")
                break


def _of_root(projected: Object, default_mode: int, *, with_tokens: bool) -> Iterator[_File]:
    if with_tokens:
        yield _File(f"a token with default_mode {default_mode:04o}", default_mode, is_token=True)
    contents = (content for source in projected["sources"] for kind, content in source.items() if kind in _PLAIN)
    for content in contents:
        items = content.get("items") or [{"path": content.get("path") or f"what comes from {content.get('name')}"}]
        for item in items:
            mode = int(item.get("mode", default_mode))
            yield _File(f"{item['path']}, beside the token, with mode {mode:04o}", mode)


def _readers(mode: int) -> str:
    return "root and its group" if mode & _GROUP_READS else "root"


def _is_in_group_of_root(spec: Object, container: Object) -> bool:
    """Whether that is said of it; an image may also decide so."""
    more = (spec.get("securityContext") or {}).get("supplementalGroups") or ()
    return _of_pod_and_container(spec, container, "runAsGroup") == 0 or 0 in more


def _unreadable(spec: Object, volume: Object, mounts: Mapping[str, Any], about: Ref) -> Iterator[Finding]:
    for one in shut_out(spec, volume, mounts.keys()):
        yield Finding("unreadable_token_file", one.evidence, "set fs_group", about)


# Mounts


def _subpaths(mounts: Mapping[str, Sequence[Object]], about: Ref) -> Iterator[Finding]:
    for container, found in mounts.items():
        if any(mount.get("subPath") or mount.get("subPathExpr") for mount in found):
            yield Finding(
                "subpath_token",
                f"container {container} mounts a part of the volume (subPath), in which a token is never replaced",
                "mount the whole volume, without subPath",
                about,
            )


def _hidden(spec: Object, name: str, mounts: Mapping[str, Sequence[Object]], about: Ref) -> Iterator[Finding]:
    for container in containers(spec):
        others = [mount for mount in container.get("volumeMounts") or () if mount.get("name") != name]
        for own in mounts.get(str(container["name"]), ()):
            yield from _hidden_by(own["mountPath"], others, str(container["name"]), about)


def _hidden_by(path: str, others: Sequence[Object], container: str, about: Ref) -> Iterator[Finding]:
    own = _clean(path)
    if own == "/":
        said = f"the mount at {path} hides everything in container {container}"
        yield Finding("hidden_mount", said, "mount the volume into a directory of its own", about)
    for other in others:
        theirs = _clean(str(other.get("mountPath") or ""))
        if own == theirs or _is_below(own, theirs):
            has = "has" if own == theirs else "may have"
            yield Finding(
                "hidden_mount",
                f"in container {container} the mount at {path} hides what volume {other.get('name')} {has} there",
                "use another mount_path",
                about,
            )
