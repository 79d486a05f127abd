# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach a cluster, as a task says it: connection options and their environment.

Option and variable names are those of kubernetes.core. Documented in doc_fragments/_connection.py. What they come to
is in _client.py.
"""

from __future__ import annotations

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ansible.module_utils.basic import env_fallback

from ._errors import InputError


def _first_given(*names: str) -> str:
    """Ansible's env_fallback, for which an empty variable counts as not given (AWX injects empty ones)."""
    value: str = env_fallback(*(name for name in names if os.environ.get(name)))
    return value


def _from_environment(*names: str) -> tuple[Any, list[str]]:
    return (_first_given, [f"K8S_AUTH_{name}" for name in names])


ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    # raw: a path, or the content as a mapping; no_log because the content holds credentials (a path is said, see
    # _entry)
    "kubeconfig": {"type": "raw", "no_log": True, "fallback": _from_environment("KUBECONFIG")},
    "context": {"type": "str", "fallback": _from_environment("CONTEXT")},
    "host": {"type": "str", "fallback": _from_environment("HOST")},
    "api_key": {"type": "str", "no_log": True, "fallback": _from_environment("API_KEY")},
    "ca_cert": {"type": "path", "aliases": ["ssl_ca_cert"], "fallback": _from_environment("CA_CERT", "SSL_CA_CERT")},
    "validate_certs": {
        "type": "bool",
        "aliases": ["verify_ssl"],
        "fallback": _from_environment("VALIDATE_CERTS", "VERIFY_SSL"),
    },
    "client_cert": {
        "type": "path",
        "aliases": ["cert_file"],
        "fallback": _from_environment("CLIENT_CERT", "CERT_FILE"),
    },
    "client_key": {
        "type": "path",
        "no_log": False,
        "aliases": ["key_file"],
        "fallback": _from_environment("CLIENT_KEY", "KEY_FILE"),
    },
    "proxy": {"type": "str", "fallback": _from_environment("PROXY")},
    "no_proxy": {"type": "str", "fallback": _from_environment("NO_PROXY")},
    "impersonate_user": {"type": "str", "fallback": _from_environment("IMPERSONATE_USER")},
    "impersonate_groups": {
        "type": "list",
        "elements": "str",
        "fallback": _from_environment("IMPERSONATE_GROUPS"),
    },
    "request_timeout": {"type": "int", "default": 30},
    "retry_timeout": {"type": "int", "default": 60},
}


# the same where neither the environment nor a default may fill anything in
EXPLICIT_SPEC: dict[str, dict[str, Any]] = {
    name: {key: value for key, value in rule.items() if key not in ("fallback", "default")}
    for name, rule in ARGUMENT_SPEC.items()
}


@dataclass(frozen=True)
class ConnectionOptions:
    """The connection options of a task, as given.

    Attributes:
        request_timeout: seconds one request may take.
        retry_timeout: seconds one request may spend on its retries; 0 means: never retry.
        unsaid: which of these two are left to the task, see C(explicit).
    """

    kubeconfig: str | Mapping[str, Any] | None = field(default=None, repr=False)
    context: str | None = None
    host: str | None = None
    api_key: str | None = field(default=None, repr=False)
    ca_cert: str | None = None
    validate_certs: bool | None = None
    client_cert: str | None = None
    client_key: str | None = None
    proxy: str | None = field(default=None, repr=False)
    no_proxy: str | None = None
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()
    request_timeout: int = 30
    retry_timeout: int = 60
    unsaid: tuple[str, ...] = ()

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> ConnectionOptions:
        """Pick them out of validated parameters; an empty string (AWX sends them) counts as not given."""
        given = {name: params.get(name) for name in ARGUMENT_SPEC}
        _check_options(given)
        given["impersonate_groups"] = tuple(given["impersonate_groups"] or ())
        # a trailing line break is what a file, or a YAML block, gives along
        given["api_key"] = (given["api_key"] or "").strip()
        return cls(**{name: value for name, value in given.items() if value not in (None, "")})

    def as_patient_as(self, task: ConnectionOptions) -> ConnectionOptions:
        """The same with the timeouts of the task, where this connection has none of its own."""
        return replace(self, unsaid=(), **{name: getattr(task, name) for name in self.unsaid})


def explicit(given: Mapping[str, Any], option: str) -> ConnectionOptions:
    """The connection to another cluster, which inherits nothing; only its timeouts may be left to the task.

    Raises:
        InputError: it does not say which cluster.
    """
    options = ConnectionOptions.from_params(given)
    if options.kubeconfig is None and not options.host:
        raise InputError(f"{option} names no cluster", "give kubeconfig, or host and api_key")
    return replace(options, unsaid=tuple(name for name, dummy in _TIMEOUTS if given.get(name) is None))


# the timeouts and the shortest they may be
_TIMEOUTS = (("request_timeout", 1), ("retry_timeout", 0))

# longer ones are mistakes (milliseconds, an epoch)
_LONGEST_TIMEOUT = 24 * 3600


def _check_options(given: Mapping[str, Any]) -> None:
    for name, least in _TIMEOUTS:
        value = given[name]
        if value is not None and not least <= value <= _LONGEST_TIMEOUT:
            raise InputError(f"{name}: {value} is out of range", f"use {least} to {_LONGEST_TIMEOUT} seconds")
    if given["kubeconfig"] is not None and not isinstance(given["kubeconfig"], str | Mapping):
        kind = type(given["kubeconfig"]).__name__
        raise InputError(f"kubeconfig: {kind} is neither a path nor the content of a kubeconfig", "give one of the two")
    if given["impersonate_groups"] and not given["impersonate_user"]:
        raise InputError("impersonate_groups needs impersonate_user", "say who is to be impersonated")


def is_content(kubeconfig: object) -> bool:
    """Whether this is a kubeconfig itself and not the path of one: it then holds credentials."""
    if not isinstance(kubeconfig, str):
        return isinstance(kubeconfig, Mapping)
    return (
        "\n" in kubeconfig
        or ": " in kubeconfig
        or kubeconfig.lstrip().startswith(("{", "["))
        or not _can_be_paths(kubeconfig)
        or is_encoded(kubeconfig)
    )


_PATH_MAX = 4096
_NAME_MAX = 255
# a shorter text may decode to something readable by chance, and has no room for a server and a credential
_SHORTEST_ENCODED = 64


def _can_be_paths(text: str) -> bool:
    """Whether no name in it is longer than a file system allows."""
    paths = text.split(os.pathsep)
    return all(len(path) <= _PATH_MAX and max(map(len, path.split("/"))) <= _NAME_MAX for path in paths)


def is_encoded(text: str) -> bool:
    """Whether this is a kubeconfig in base64, as CI systems keep it in a variable.

    Its slashes make it look like a path. No path decodes to a text with a colon that can be read.
    """
    compact = "".join(text.split()).rstrip("=").replace("-", "+").replace("_", "/")
    if len(compact) < _SHORTEST_ENCODED:
        return False
    try:
        decoded = base64.b64decode(compact + "=" * (-len(compact) % 4), validate=True).decode()
    except ValueError:
        return False
    return ":" in decoded and all(character.isprintable() or character.isspace() for character in decoded)


@dataclass(frozen=True)
class Endpoint:
    """A cluster's address and the caller's credential, ready for a connection.

    Attributes:
        server: URL without a trailing slash.
        ca_pem: the certificate authority as PEM text; None when the system's store is used.
        ca_file: the file it came from, if it came from one.
        ca_is_empty: whether a file was given for it and there is nothing in it.
        authorization: value of the Authorization header.
        ssl_context: TLS settings with the client certificate loaded; None for plain http.
        source: where the configuration came from, for messages.
    """

    server: str
    source: str
    verify: bool
    ca_pem: str | None = field(default=None, repr=False)
    ca_file: str | None = None
    ca_is_empty: bool = False
    authorization: str | None = field(default=None, repr=False)
    ssl_context: ssl.SSLContext | None = field(default=None, repr=False)
    tls_server_name: str | None = None
    proxy: str | None = field(default=None, repr=False)
    no_proxy: str | None = None
    impersonate_user: str | None = None
    impersonate_groups: tuple[str, ...] = ()
