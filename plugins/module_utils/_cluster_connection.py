# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach one of several clusters: what the inventory says of it must not come to be another cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import InputError

# any of these says which cluster is meant
_FINDING = ("kubeconfig", "context", "host")
# what a server that is named by its address has to be shown
_SHOWN = ("api_key", "client_cert", "cert_file")
# what the environment would make of a cluster, by the options that go before it: another one, another caller, or one
# that nobody verifies
_OVERRIDING = {
    "K8S_AUTH_HOST": ("host",),
    "K8S_AUTH_API_KEY": ("api_key",),
    "K8S_AUTH_CONTEXT": ("context",),
    "K8S_AUTH_VERIFY_SSL": ("validate_certs", "verify_ssl"),
    "K8S_AUTH_VALIDATE_CERTS": ("validate_certs", "verify_ssl"),
}
_VERIFYING = ("K8S_AUTH_VERIFY_SSL", "K8S_AUTH_VALIDATE_CERTS")
# as kubernetes.core reads it: whatever else is there means that it is verified
_NOT_VERIFIED = ("0", "false", "no")

_LOCALHOST = "localhost"


def check_connection(
    connection: Mapping[str, Any], host: str, hosts: Sequence[str], environment: Mapping[str, str]
) -> None:
    """Make sure that an inventory host is reached as it says.

    How many hosts there are is no sign of a fleet: with a limit, or in a slice of a job, there may be one. So only the
    host that is called localhost, and is alone, may be the cluster of the environment.

    Args:
        connection: its C(cluster_connection).
        host: its name.
        hosts: all that the play is about.
        environment: of this process.

    Raises:
        InputError: it would be the cluster of the environment, or be shown the credential for that.
    """
    for name in (*_FINDING, "api_key"):
        if connection.get(name) == "":
            raise InputError(
                f"{name} in cluster_connection of {host} is empty", "see whether what it is looked up from is set"
            )
    found = next((name for name in _FINDING if connection.get(name)), None)
    if found is None:
        _refuse_another(connection, host, hosts)
        return
    if found == "host" and not any(connection.get(name) for name in _SHOWN):
        raise InputError(
            "cluster_connection has a host and nothing to show it, so it would get a credential of the environment",
            "give it an api_key, a client_cert or a kubeconfig",
        )
    for variable, options in _OVERRIDING.items():
        if _counts(variable, environment) and all(connection.get(option) is None for option in options):
            raise InputError(
                f"{variable} is set, and would go before what cluster_connection finds by its {found}",
                f"unset it (in AWX, take that credential off the job), or say {options[0]} in cluster_connection",
            )


def _refuse_another(connection: Mapping[str, Any], host: str, hosts: Sequence[str]) -> None:
    """Without a word about where it is, a host is whatever the environment names."""
    if host == _LOCALHOST and len(hosts) == 1:
        return
    what = "does not say where it is" if connection else "is missing or empty"
    raise InputError(
        f"cluster_connection of {host} {what}, so it would be whatever cluster the environment names",
        "give it a kubeconfig, a context or a host in the inventory, or call the only cluster there is localhost",
    )


def _counts(variable: str, environment: Mapping[str, str]) -> bool:
    value = environment.get(variable) or ""
    return value.strip().lower() in _NOT_VERIFIED if variable in _VERIFYING else bool(value)
