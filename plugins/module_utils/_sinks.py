# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The places that hold a token: what is said of them in a task, and what they all can do.

Every place remembers what was asked for (a sidecar file, an extension in a kubeconfig, an annotation on a Secret), so
that the next run can tell a changed request from an unchanged one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlsplit

from . import _auth, _names, _secret_formats
from ._auth import ConnectionOptions
from ._choice import Held
from ._errors import InputError
from ._files import Permissions
from ._findings import Finding
from ._kubeconfig import Entry
from ._lifetime import Record

FILE, KUBECONFIG, SECRET = TYPES = ("file", "kubeconfig", "secret")

SINK_OPTIONS: dict[str, dict[str, Any]] = {
    "type": {"type": "str", "choices": list(TYPES)},
    "path": {"type": "path"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "format": {"type": "str", "choices": list(_secret_formats.FORMATS)},
    "labels": {"type": "dict"},
    "connection": {"type": "dict", "options": _auth.EXPLICIT_SPEC},
    "server": {"type": "str"},
    "ca_cert": {"type": "path"},
    "cluster_name": {"type": "str"},
    "user_name": {"type": "str"},
    "context_name": {"type": "str"},
    "token_file": {"type": "path", "no_log": False},
    "set_current": {"type": "bool"},
}

_OF_A_FILE = frozenset({"type", "path", "owner", "group", "mode"})
_OF_A_CLUSTER = frozenset({"server", "ca_cert", "cluster_name", "user_name", "context_name"})

# which options a type knows
_OPTIONS: Mapping[str, frozenset[str]] = {
    FILE: _OF_A_FILE,
    KUBECONFIG: _OF_A_FILE | _OF_A_CLUSTER | {"namespace", "token_file", "set_current"},
    SECRET: _OF_A_CLUSTER | {"type", "name", "namespace", "format", "labels", "connection"},
}

_EXAMPLES = {
    FILE: "write {type: file, path: /run/ci/token}",
    KUBECONFIG: "write {type: kubeconfig, path: /run/ci/kubeconfig}",
    SECRET: "write {type: secret, name: deployer-token}",
}

_PRIVATE = 0o600
_ONLY_MINE = Permissions(_PRIVATE)


@dataclass(frozen=True)
class DesiredSink:
    """A place as declared; what does not belong to its type has its default."""

    type: str
    path: str = ""
    permissions: Permissions = _ONLY_MINE
    name: str = ""
    namespace: str | None = None
    format: str = _secret_formats.TOKEN
    labels: Mapping[str, str] = field(default_factory=dict)
    connection: ConnectionOptions | None = None
    server: str | None = None
    ca_cert: str | None = None
    cluster_name: str | None = None
    user_name: str | None = None
    context_name: str | None = None
    token_file: str | None = None
    set_current: bool = False

    @property
    def place(self) -> tuple[object, ...]:
        """What no other place of the same token may be."""
        return (self.path,) if self.path else (self.name, self.namespace, self.connection)

    @property
    def findings(self) -> list[Finding]:
        """Whether it would let others read the token."""
        if not self.permissions.mode & 0o007:
            return []
        text = (
            f"{self.path} gets mode {self.permissions.mode:04o} and holds a token that everybody on the host could use"
        )
        return [Finding("readable_by_others", text, "use mode 0600, or 0640 with a group")]


def sinks_from_item(item: Mapping[str, Any], labels: Mapping[str, str]) -> tuple[DesiredSink, ...]:
    """The places of one item, in order; the short forms first.

    Args:
        item: the merged item.
        labels: of Secrets that are made for it.

    Raises:
        InputError: a place is incomplete, contradictory or given twice.
    """
    sinks = [DesiredSink(FILE, _path(item["dest"]))] if item["dest"] else []
    if item["kubeconfig_dest"]:
        sinks.append(DesiredSink(KUBECONFIG, _path(item["kubeconfig_dest"])))
    sinks += [_sink(given, f"sinks[{index}]", labels) for index, given in enumerate(item["sinks"] or ())]
    sinks += _token_files(sinks)
    places = [sink.place for sink in sinks]
    for sink in sinks:
        if places.count(sink.place) > 1:
            raise InputError(f"sinks: {sink.path or sink.name} is given twice", "give every place once")
    return tuple(sinks)


def _token_files(sinks: Sequence[DesiredSink]) -> list[DesiredSink]:
    """A kubeconfig that refers to a token file needs that file, unless it is a place of its own already."""
    files = {sink.path for sink in sinks if sink.type == FILE}
    wanted = {sink.token_file: sink for sink in sinks if sink.token_file and sink.token_file not in files}
    return [DesiredSink(FILE, path, sink.permissions) for path, sink in wanted.items() if path]


def _sink(given: Mapping[str, Any], option: str, labels: Mapping[str, str]) -> DesiredSink:
    said = {name: value for name, value in given.items() if value is not None}
    kind = said.get("type")
    if not kind:
        raise InputError(f"{option}: type is needed", f"{_EXAMPLES[FILE]}, or type {KUBECONFIG} or {SECRET}")
    strange = sorted(said.keys() - _OPTIONS[kind])
    if strange:
        raise InputError(f"{option}: {strange[0]} does not belong to the type {kind}", "leave it out")
    if not said.get("name" if kind == SECRET else "path"):
        raise InputError(f"{option}: {'name' if kind == SECRET else 'path'} is needed", _EXAMPLES[kind])
    values: dict[str, Any] = {name: said[name] for name in _OF_A_CLUSTER | {"set_current"} if name in said}
    if "server" in values:
        _check_server(values["server"], f"{option}.server")
    if "namespace" in said:
        values["namespace"] = _names.namespace(said["namespace"], f"{option}.namespace")
    if "token_file" in said:
        values["token_file"] = _path(said["token_file"])
    return DesiredSink(kind, **values, **(_of_a_secret if kind == SECRET else _of_a_file)(said, option, labels))


def _of_a_file(said: Mapping[str, Any], option: str, dummy: Mapping[str, str]) -> dict[str, Any]:
    permissions = Permissions(_mode(said.get("mode"), f"{option}.mode"), said.get("owner"), said.get("group"))
    return {"path": _path(said["path"]), "permissions": permissions}


def _of_a_secret(said: Mapping[str, Any], option: str, labels: Mapping[str, str]) -> dict[str, Any]:
    given = _names.label_values(said.get("labels") or {}, f"{option}.labels")
    reserved = [key for key in given if key.startswith("tokenwright/")]
    if reserved:
        raise InputError(f"{option}.labels: {reserved[0]} is a label of this collection's own", "choose another")
    own = {key: value for key, value in given.items() if value is not None}
    found: dict[str, Any] = {"name": _names.object_name(said["name"], f"{option}.name")}
    found["labels"] = {**own, **labels}
    if "format" in said:
        found["format"] = said["format"]
    if "connection" in said:
        found["connection"] = _auth.explicit(said["connection"], f"{option}.connection")
    return found


def _check_server(server: str, option: str) -> None:
    """The address names the cluster's entry, too."""
    try:
        parts = urlsplit(server)
        is_address = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.username is None
    except ValueError:
        is_address = False
    if not is_address:
        raise InputError(f"{option} is not the address of an API server", "write it like https://10.0.0.1:6443")


def _path(path: str) -> str:
    """The one spelling of a place, whatever links lead to its directory.

    Raises:
        InputError: it is relative (a shipped module would start from another directory) or one of our own records.
    """
    if not os.path.isabs(path) or "\0" in path:
        raise InputError(f"{path!r} is not an absolute path", "write it from / or from ~")
    directory, name = os.path.split(os.path.abspath(path))
    if name.endswith(".tokenwright"):
        raise InputError(f"{path} is a name this collection uses for its own records", "choose another")
    return os.path.join(os.path.realpath(directory), name)


def _mode(value: object, option: str) -> int:
    """C("0600") or a YAML octal number."""
    if value is None:
        return _PRIVATE
    try:
        mode = value if isinstance(value, int) and not isinstance(value, bool) else int(str(value), 8)
    except ValueError:
        mode = -1
    if not 0 <= mode <= 0o777 or not mode & 0o400 or mode & 0o133:
        # also what an unquoted 400 or 640 becomes: YAML reads it as a decimal number
        raise InputError(
            f"{option}: {value!r} is not a mode for a token file",
            'write an octal number in quotes, for example "0600" or "0640": its owner must be able to read it, '
            "nobody else may write it, and nobody executes it",
        )
    return mode


class Store(Protocol):
    """Puts the token and its record where they belong."""

    def __call__(self, token: str, record: Record) -> None:
        """Do it."""


class Trial(Protocol):
    """Tries what a kubeconfig entry says, unless C(verify) is C(never)."""

    def reach(self, entry: Entry) -> None:
        """Whether its server is there; raises if not. Nobody is asked who is there."""

    def use(self, entry: Entry, token: str) -> None:
        """Call the server as the token's account; raises if it is refused."""


class Sink(Protocol):
    """A place that holds a token."""

    @property
    def type(self) -> str:
        """As in the option."""

    @property
    def kind(self) -> str:
        """As in C(actions)."""

    @property
    def place(self) -> str:
        """Where, for people."""

    @property
    def namespace(self) -> str:
        """Of a Secret; empty for a file."""

    @property
    def name(self) -> str:
        """The path, or the name of the Secret."""

    @property
    def entries(self) -> list[str]:
        """What of the place no other token may use."""

    def held(self) -> Held:
        """What is there, looked at anew; raises when it is something foreign."""

    def fits(self, token: str, record: Record) -> bool:
        """Whether everything is as it should be if this is the token."""

    def rehearse(self) -> list[str]:
        """For check mode: raise what writing would raise, and say what must be there by then."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other plays out."""

    def prepared(self) -> AbstractContextManager[Store]:
        """Whatever can fail without a token fails on entry."""

    def try_out(self, token: str) -> None:
        """Use the token as the reader of the place will; raises when that fails."""

    def is_occupied(self) -> bool:
        """Whether anything of ours is there; raises when it is something foreign, or cannot be taken away."""

    def clear(self) -> None:
        """Take away what is ours."""


def left_behind(sinks: Sequence[Sink], found: Iterable[tuple[Sink, Held]]) -> list[str]:
    """What is to be said of token files that kubeconfigs refer to and that are no places of the token any more.

    Args:
        sinks: all places of the token.
        found: what was found in some of them.
    """
    places = {sink.place for sink in sinks}
    return [
        f"{sink.place} referred to the token file {held.refers_to}, which is no place of the token any more and stays: "
        "remove it, or take it away with state absent and it as dest"
        for sink, held in found
        if held.refers_to and held.refers_to not in places and os.path.lexists(held.refers_to)
    ]


def as_result(sink: Sink, *, changed: bool) -> dict[str, Any]:
    """An entry of C(sinks) in the result."""
    return {"type": sink.type, "place": sink.place, "changed": changed}
