# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The places that hold a token: what is in them, whether it is as it should be, and how a new token gets there.

Every place remembers what was asked for (a sidecar file, an extension in a kubeconfig), so that the next run can tell
a changed request from an unchanged one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, Protocol
from urllib.parse import urlsplit

from . import _kubeconfig, _yaml
from ._auth import Endpoint
from ._claims import looks_like_token
from ._errors import FileError, InputError
from ._files import Permissions, PrivateFile, Sidecar, check_directory, read_private, set_permissions
from ._findings import Finding
from ._lifetime import Record

# named by _auth before a sink is used
with suppress(ImportError):
    import yaml

SINK_OPTIONS: dict[str, dict[str, Any]] = {
    "type": {"type": "str", "choices": ["file", "kubeconfig"]},
    "path": {"type": "path"},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "raw"},
    "server": {"type": "str"},
    "ca_cert": {"type": "path"},
    "cluster_name": {"type": "str"},
    "user_name": {"type": "str"},
    "context_name": {"type": "str"},
    "namespace": {"type": "str"},
    "token_file": {"type": "path", "no_log": False},
    "set_current": {"type": "bool"},
}

_ONLY_KUBECONFIG = (
    "server",
    "ca_cert",
    "cluster_name",
    "user_name",
    "context_name",
    "namespace",
    "token_file",
    "set_current",
)

_PRIVATE = 0o600


@dataclass(frozen=True)
class DesiredSink:
    """A place as declared."""

    type: str
    path: str
    permissions: Permissions
    server: str | None = None
    ca_cert: str | None = None
    cluster_name: str | None = None
    user_name: str | None = None
    context_name: str | None = None
    namespace: str | None = None
    token_file: str | None = None
    set_current: bool = False

    @property
    def findings(self) -> list[Finding]:
        """Whether it would let others read the token."""
        if not self.permissions.mode & 0o007:
            return []
        text = (
            f"{self.path} gets mode {self.permissions.mode:04o} and holds a token that everybody on the host could use"
        )
        return [Finding("readable_by_others", text, "use mode 0600, or 0640 with a group")]


def sinks_from_item(item: Mapping[str, Any]) -> tuple[DesiredSink, ...]:
    """The places of one item, in order; the short forms first.

    Raises:
        InputError: a place is incomplete, contradictory or given twice.
    """
    sinks = [DesiredSink("file", _path(item["dest"]), Permissions(_PRIVATE))] if item["dest"] else []
    if item["kubeconfig_dest"]:
        sinks.append(DesiredSink("kubeconfig", _path(item["kubeconfig_dest"]), Permissions(_PRIVATE)))
    sinks += [_sink(given, f"sinks[{index}]") for index, given in enumerate(item["sinks"] or ())]
    sinks += _token_files(sinks)
    paths = [sink.path for sink in sinks]
    for path in paths:
        if paths.count(path) > 1:
            raise InputError(f"sinks: {path} is given twice", "give every place once")
    return tuple(sinks)


def _token_files(sinks: Sequence[DesiredSink]) -> list[DesiredSink]:
    """A kubeconfig that refers to a token file needs that file, unless it is a place of its own already."""
    files = {sink.path for sink in sinks if sink.type == "file"}
    wanted = {sink.token_file: sink for sink in sinks if sink.token_file and sink.token_file not in files}
    return [DesiredSink("file", path, sink.permissions) for path, sink in wanted.items() if path]


def _sink(given: Mapping[str, Any], option: str) -> DesiredSink:
    kind, path = given.get("type"), given.get("path")
    if not kind or not path:
        raise InputError(f"{option}: type and path are needed", "write {type: file, path: /run/ci/token}")
    strange = [name for name in _ONLY_KUBECONFIG if kind == "file" and given.get(name) is not None]
    if strange:
        raise InputError(f"{option}: {strange[0]} belongs to a kubeconfig, not to a token file", "leave it out")
    values: dict[str, Any] = {name: given[name] for name in _ONLY_KUBECONFIG if given.get(name) is not None}
    if "token_file" in values:
        values["token_file"] = _path(values["token_file"])
    if "server" in values:
        _check_server(values["server"], f"{option}.server")
    permissions = Permissions(_mode(given.get("mode"), f"{option}.mode"), given.get("owner"), given.get("group"))
    return DesiredSink(kind, _path(path), permissions, **values)


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


@dataclass(frozen=True)
class Held:
    """What a place holds.

    Attributes:
        token: the stored token; None when there is none (or the place only refers to one).
        record: what is remembered.
        bears_token: False for a kubeconfig that refers to a token file.
    """

    token: str | None
    record: Record | None
    bears_token: bool = True


class Store(Protocol):
    """Puts the token and its record where they belong."""

    def __call__(self, token: str, record: Record) -> None:
        """Do it."""


class Sink(Protocol):
    """A place that holds a token."""

    @property
    def type(self) -> str:
        """As in the option."""

    @property
    def path(self) -> str:
        """Where."""

    @property
    def entries(self) -> list[str]:
        """What of the place no other token may use."""

    def held(self) -> Held:
        """What is there; raises when it is something foreign."""

    def rehearse(self) -> list[str]:
        """For check mode: raise what writing would raise, and say what must be there by then."""

    def fits(self, token: str, record: Record) -> bool:
        """Whether everything is as it should be if this is the token."""

    def locked(self) -> AbstractContextManager[None]:
        """Keep other plays out."""

    def prepared(self) -> AbstractContextManager[Store]:
        """Whatever can fail without a token fails on entry."""


def _rehearse(path: str, permissions: Permissions) -> list[str]:
    permissions.for_file(path)
    directory = os.path.dirname(path)
    if not os.path.lexists(directory):
        return [f"directory {directory} does not exist yet: it must be there when {path} is written"]
    check_directory(directory, path)
    return []


_PLACEHOLDER = Record("", None, (), (), "1970-01-01T00:00:00Z")


class FileSink:
    """A file that holds the bare token."""

    type = "file"

    def __init__(self, desired: DesiredSink, *, force: bool) -> None:
        self.path = desired.path
        self._permissions = desired.permissions
        self._force = force
        self._sidecar = Sidecar(desired.path)
        self.entries = [desired.path]

    def rehearse(self) -> list[str]:
        return _rehearse(self.path, self._permissions)

    def held(self) -> Held:
        text = read_private(self.path)
        record = Record.from_dict(self._sidecar.read())
        token = (text or "").strip() or None
        if token and record is None and not looks_like_token(token) and not self._force:
            raise FileError(
                f"{self.path} holds something else than a token",
                code="foreign_content",
                hint="choose another path, or set force",
            )
        return Held(token, record)

    def fits(self, token: str, record: Record) -> bool:
        held = self.held()
        return held.token == token and held.record == record and self._permissions.fit(self.path)

    def locked(self) -> AbstractContextManager[None]:
        check_directory(os.path.dirname(self.path), self.path)
        return self._sidecar.locked()

    @contextmanager
    def prepared(self) -> Iterator[Store]:
        with ExitStack() as stack:
            held = self.held().token
            replacement = stack.enter_context(PrivateFile(self.path, self._permissions))

            def store(token: str, record: Record) -> None:
                if held == token:
                    set_permissions(self.path, self._permissions)
                else:
                    replacement.commit(token)
                # after the token: a record that is about another token is ignored
                self._sidecar.write(record.as_dict())

            yield store


class KubeconfigSink:
    """A user, a cluster and a context in a kubeconfig."""

    type = "kubeconfig"

    def __init__(self, desired: DesiredSink, entry: _kubeconfig.Entry, *, force: bool) -> None:
        self.path = desired.path
        self._permissions = desired.permissions
        self._entry = entry
        self._force = force
        self._sidecar = Sidecar(desired.path)
        self.entries = [f"{self.path} (user {entry.user_name})", f"{self.path} (context {entry.context_name})"]
        if entry.set_current:
            self.entries.append(f"{self.path} (current context)")

    def rehearse(self) -> list[str]:
        self._merged(self._read(), "", _PLACEHOLDER)
        return _rehearse(self.path, self._permissions)

    def held(self) -> Held:
        stored = _kubeconfig.stored(self._read(), self._entry)
        return Held(stored.token, stored.record, bears_token=self._entry.token_file is None)

    def fits(self, token: str, record: Record) -> bool:
        config = self._read()
        return config == self._merged(config, token, record) and self._permissions.fit(self.path)

    def locked(self) -> AbstractContextManager[None]:
        check_directory(os.path.dirname(self.path), self.path)
        return self._sidecar.locked()

    @contextmanager
    def prepared(self) -> Iterator[Store]:
        config = self._read()
        self._merged(config, "", _PLACEHOLDER)  # a name that is taken is found before a token is minted
        with PrivateFile(self.path, self._permissions) as replacement:

            def store(token: str, record: Record) -> None:
                replacement.commit(_yaml.dump(self._merged(config, token, record)))

            yield store

    def _merged(self, config: dict[str, Any], token: str, record: Record) -> dict[str, Any]:
        inline = None if self._entry.token_file else token
        return _kubeconfig.merge(config, self._entry, inline, record, force=self._force, place=self.path)

    def _read(self) -> dict[str, Any]:
        text = read_private(self.path)
        try:
            return _kubeconfig.check_shape(_yaml.load(text) if text else None, self.path)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" (line {mark.line + 1})" if mark else ""
            raise FileError(
                f"{self.path} is not YAML{line}",
                code="not_a_kubeconfig",
                hint="choose another path, or correct the file",
            ) from None


def build(desired: DesiredSink, endpoint: Endpoint, namespace: str, account: str, *, force: bool) -> Sink:
    """The place itself; what a kubeconfig entry does not say comes from the caller's own connection."""
    if desired.type == "file":
        return FileSink(desired, force=force)
    server = desired.server or endpoint.server
    cluster = desired.cluster_name or urlsplit(server).netloc
    entry = _kubeconfig.Entry(
        cluster_name=cluster,
        server=server,
        ca_pem=_authority(desired.ca_cert) if desired.ca_cert else endpoint.ca_pem,
        verify=endpoint.verify,
        tls_server_name=endpoint.tls_server_name if not desired.server else None,
        user_name=desired.user_name or f"{namespace}/{account}@{cluster}",
        context_name=desired.context_name or f"{namespace}/{account}@{cluster}",
        namespace=desired.namespace or namespace,
        token_file=desired.token_file,
        set_current=bool(desired.set_current),
    )
    return KubeconfigSink(desired, entry, force=force)


def _authority(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            text = stream.read()
    except (OSError, ValueError):
        text = ""
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise FileError(f"sinks: {path} is no CA file in PEM form", code="ca_cert", hint="give the path of a PEM file")
    return text
