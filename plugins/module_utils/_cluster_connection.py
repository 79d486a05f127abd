# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach one of several clusters: what the inventory says of it must not come to be another cluster. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._errors import InputError

# what names a server and what is shown to it, by the variable that overrides what is found in a kubeconfig
_OVERRIDING = {"K8S_AUTH_HOST": "host", "K8S_AUTH_API_KEY": "api_key"}
_FINDING = ("kubeconfig", "context")


def check_connection(connection: Mapping[str, Any], hosts: Sequence[str], environment: Mapping[str, str]) -> None:
    """Make sure that an inventory host is reached as it says.

    Args:
        connection: its C(cluster_connection).
        hosts: all that the play is about.
        environment: of this process.

    Raises:
        InputError: it would be the cluster of the environment, or be shown the credential for that.
    """
    if not connection and len(hosts) > 1:
        raise InputError(
            f"one of {len(hosts)} clusters has no cluster_connection",
            "give it one in the inventory, because without it is whatever cluster the environment names",
        )
    found = next((name for name in _FINDING if connection.get(name)), None)
    for variable, option in _OVERRIDING.items():
        if found and environment.get(variable) and not connection.get(option):
            raise InputError(
                f"{variable} is set, and would go before what cluster_connection finds by its {found}",
                f"unset it (in AWX, take that credential off the job), or say {option} in cluster_connection",
            )
