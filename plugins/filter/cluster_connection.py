# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter cluster_connection: its logic is in module_utils/_cluster_connection.py, its use in the .yml beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._cluster_connection import check_connection
from ..module_utils._errors import InputError


def cluster_connection(value: Mapping[str, Any], host: str, hosts: Iterable[str]) -> Mapping[str, Any]:
    """The same; nothing of it is in the message, because it may hold credentials."""
    if not isinstance(value, Mapping):
        raise AnsibleFilterError("cluster_connection is not a mapping: give it connection options like kubeconfig")
    try:
        check_connection(value, host, [*hosts], os.environ)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from None
    return value


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_connection": cluster_connection}
