# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Our entries in a kubeconfig: a pure merge that keeps everything else and its order.

Source: client-go's Config v1 (clientcmd/api/v1); C(extensions) is its place for what other tools want to remember.
"""

from __future__ import annotations

import base64
import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ._errors import InputError
from ._lifetime import Record

EXTENSION = "tokenwright"

_LISTS = (("clusters", "cluster"), ("users", "user"), ("contexts", "context"))


@dataclass(frozen=True)
class Entry:
    """What one token needs in a kubeconfig.

    Attributes:
        ca_pem: certificate authority as PEM text; None: the system's store.
        verify: False writes insecure-skip-tls-verify, as the caller's own connection has it.
        token_file: path the user entry refers to instead of holding the token.
        set_current: make its context the current one even if there is one.
    """

    cluster_name: str
    server: str
    ca_pem: str | None
    verify: bool
    tls_server_name: str | None
    user_name: str
    context_name: str
    namespace: str
    token_file: str | None
    set_current: bool


@dataclass(frozen=True)
class Stored:
    """What a kubeconfig holds of ours; the token itself, or the path of the file with it that we wrote there."""

    token: str | None
    record: Record | None
    token_file: str | None = None


def check_shape(config: object, place: str) -> dict[str, Any]:
    """The content as a kubeconfig; None (an empty file) is an empty one.

    Raises:
        InputError: it is something else, or a name occurs twice.
    """
    if config is None:
        return {}
    if not isinstance(config, dict):
        raise InputError(
            f"{place} is not a kubeconfig", "choose another path, or remove the file", code="not_a_kubeconfig"
        )
    for plural, singular in _LISTS:
        entries = config.get(plural) or []
        if not isinstance(entries, list) or not all(_is_entry(entry, singular) for entry in entries):
            raise InputError(
                f"{place}: {plural} is not a list of named entries", "correct the file", code="not_a_kubeconfig"
            )
        names = [entry["name"] for entry in entries]
        for name in names:
            if names.count(name) > 1:
                raise InputError(
                    f"{place}: {name} occurs twice in {plural}", "remove one of them", code="duplicate_entry"
                )
    return config


def _is_entry(entry: object, singular: str) -> bool:
    return (
        isinstance(entry, dict) and isinstance(entry.get("name"), str) and isinstance(entry.get(singular) or {}, dict)
    )


def stored(config: Mapping[str, Any], entry: Entry) -> Stored:
    """The token and record under our user's name."""
    user = _find(config, "users", entry.user_name)
    content = (user or {}).get("user") or {}
    extension = _extension(content)
    token, path = content.get("token"), content.get("tokenFile")
    return Stored(
        None if token is None else str(token),
        Record.from_dict(extension.get("record")) if extension else None,
        path if extension and isinstance(path, str) else None,
    )


def merge(
    config: Mapping[str, Any], entry: Entry, token: str | None, record: Record, *, force: bool, place: str
) -> dict[str, Any]:
    """The kubeconfig with our cluster, user and context in it.

    Args:
        config: as read.
        entry: what to enter.
        token: the token; None when the user refers to a file.
        record: what to remember.
        force: replace an entry of the same name that is not ours.
        place: the file, for messages.

    Raises:
        InputError: a name is taken by something that is not ours and differs.
    """
    header = {"apiVersion": "v1", "kind": "Config"}
    merged = {**({} if header.keys() <= config.keys() else header), **copy.deepcopy(dict(config))}
    slots = (
        _Slot("clusters", "cluster", entry.cluster_name, _cluster(entry)),
        _Slot("users", "user", entry.user_name, _user(entry, token, record)),
        _Slot("contexts", "context", entry.context_name, _context(entry)),
    )
    for slot in slots:
        _enter(merged, slot, force=force, place=place)
    if entry.set_current or not merged.get("current-context"):
        merged["current-context"] = entry.context_name
    return merged


def without(config: Mapping[str, Any], entry: Entry) -> dict[str, Any]:
    """The kubeconfig without our user and context, and without our cluster if nobody refers to it any more.

    Entries of these names that are not ours stay.
    """
    left = copy.deepcopy(dict(config))
    _take_out(left, "users", "user", entry.user_name)
    is_gone = _take_out(left, "contexts", "context", entry.context_name)
    if not any((one.get("context") or {}).get("cluster") == entry.cluster_name for one in left.get("contexts") or ()):
        _take_out(left, "clusters", "cluster", entry.cluster_name)
    if is_gone and left.get("current-context") == entry.context_name:
        left["current-context"] = ""
    return left


def is_empty(config: Mapping[str, Any]) -> bool:
    """Whether there is nothing left in it that anybody could use."""
    return not any(config.get(plural) for plural, dummy in _LISTS)


def _take_out(config: dict[str, Any], plural: str, singular: str, name: str) -> bool:
    """Whether there was one of ours."""
    found = _find(config, plural, name)
    if found is None or _extension(found.get(singular) or {}) is None:
        return False
    config[plural].remove(found)
    return True


@dataclass(frozen=True)
class _Slot:
    """One named entry of one of the three lists, as it should be."""

    plural: str
    singular: str
    name: str
    content: dict[str, Any]


def _enter(config: dict[str, Any], slot: _Slot, *, force: bool, place: str) -> None:
    entries = config[slot.plural] = config.get(slot.plural) or []
    present = _find(config, slot.plural, slot.name)
    if present is None:
        entries.append({"name": slot.name, slot.singular: slot.content})
        return
    current = present.get(slot.singular) or {}
    is_ours = _extension(current) is not None
    if not is_ours and _agrees(current, slot.content):
        return  # a foreign entry that says the same is used as it is
    if not is_ours and not force:
        raise InputError(
            f"{place}: {slot.singular} {slot.name} is already there, is not ours and differs",
            f"choose another {slot.singular}_name, or set force to replace it",
            code="entry_taken",
        )
    if not force and slot.plural == "clusters" and current.get("server") != slot.content["server"]:
        _refuse_redirection(config, slot, place)
    present[slot.singular] = slot.content


def _refuse_redirection(config: Mapping[str, Any], slot: _Slot, place: str) -> None:
    """A cluster of ours gets another address: others that refer to it must not be led there with it."""
    users = [
        one["name"] for one in config.get("contexts") or () if (one.get("context") or {}).get("cluster") == slot.name
    ]
    if len(users) > 1:
        raise InputError(
            f"{place}: cluster {slot.name} has another server, and the contexts {', '.join(users)} refer to it",
            "choose another cluster_name, or set force to lead them all there",
            code="entry_taken",
        )


def _agrees(current: Mapping[str, Any], content: Mapping[str, Any]) -> bool:
    return {key: value for key, value in current.items() if key != "extensions"} == {
        key: value for key, value in content.items() if key != "extensions"
    }


def _cluster(entry: Entry) -> dict[str, Any]:
    cluster: dict[str, Any] = {"server": entry.server}
    if entry.ca_pem:
        cluster["certificate-authority-data"] = base64.b64encode(entry.ca_pem.encode()).decode()
    elif not entry.verify:
        cluster["insecure-skip-tls-verify"] = True
    if entry.tls_server_name:
        cluster["tls-server-name"] = entry.tls_server_name
    return {**cluster, **_ours({})}


def _user(entry: Entry, token: str | None, record: Record) -> dict[str, Any]:
    credential = {"tokenFile": entry.token_file} if entry.token_file else {"token": token}
    return {**credential, **_ours({"record": record.as_dict()})}


def _context(entry: Entry) -> dict[str, Any]:
    context = {"cluster": entry.cluster_name, "user": entry.user_name, "namespace": entry.namespace}
    return {**context, **_ours({})}


def _ours(extension: dict[str, Any]) -> dict[str, Any]:
    return {"extensions": [{"name": EXTENSION, "extension": {"managed-by": EXTENSION, **extension}}]}


def _extension(content: Mapping[str, Any]) -> dict[str, Any] | None:
    extensions = content.get("extensions")
    for extension in extensions if isinstance(extensions, list) else ():
        if isinstance(extension, dict) and extension.get("name") == EXTENSION:
            value = extension.get("extension")
            return value if isinstance(value, dict) else {}
    return None


def _find(config: Mapping[str, Any], plural: str, name: str) -> dict[str, Any] | None:
    for entry in config.get(plural) or ():
        if entry.get("name") == name:
            found: dict[str, Any] = entry
            return found
    return None
