# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter cluster_failure: its logic is in module_utils/_cluster_report.py, its use in cluster_failure.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._cluster_report import failure_sentence
from ..plugin_utils._plain import plain


def cluster_failure(value: object, task: object) -> str:
    """The sentence."""
    result = plain(value)
    if not isinstance(result, dict):
        raise AnsibleFilterError("the input of cluster_failure is not a result: give it ansible_failed_result")
    return failure_sentence(str(plain(task)), result)


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_failure": cluster_failure}
