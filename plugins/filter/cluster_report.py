# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter cluster_report: its logic is in module_utils/_cluster_report.py, its use in cluster_report.yml."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._cluster_report import Cluster, report
from ..plugin_utils._plain import plain


def cluster_report(
    value: Iterable[Any], failures: Iterable[Any], summaries: Iterable[Any], check_mode: bool = False
) -> dict[str, list[Any]]:
    """The report on clusters whose failures and summaries come in the same order."""
    names, failed, told = ([*plain([*given])] for given in (value, failures, summaries))
    if not len(names) == len(failed) == len(told):
        raise AnsibleFilterError(
            f"cluster_report has {len(names)} names, {len(failed)} failures and {len(told)} summaries: give one of "
            "each for every cluster, an empty one where there is none"
        )
    clusters = [
        Cluster(str(name), failure or "", lines or ()) for name, failure, lines in zip(names, failed, told, strict=True)
    ]
    return report(clusters, check_mode=check_mode)


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"cluster_report": cluster_report}
