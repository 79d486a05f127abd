# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a path through a module is taken: names of its own, an administrator who prepares, a caller who may little."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.controlplane import Cluster

Result = dict[str, Any]


class RefusedError(Exception):
    """A task of the caller failed; nothing after it is run."""

    def __init__(self, result: Result) -> None:
        super().__init__(result["msg"])
        self.result = result


@dataclass(frozen=True)
class Stage:
    """One run of one path.

    Attributes:
        cluster: the cluster.
        namespace: where the caller holds its roles; others use it as well.
        caller: the name of the user who may little, and with which the names of all objects begin.
        directory: for files.
        run_task: runs a task of a module.
        run_playbook: runs a playbook.
    """

    cluster: Cluster
    namespace: str
    caller: str
    directory: Path
    run_task: Callable[..., Result]
    run_playbook: Callable[..., Any]

    def named(self, suffix: str) -> str:
        """A name that no other run uses."""
        return f"{self.caller}-{suffix}"

    def file(self, name: str) -> str:
        """A path that no other run uses."""
        return str(self.directory / name)

    def prepare(self, module: str, **options: Any) -> Result:
        """Run a task as the administrator."""
        result = self.run_task(module, **{"namespace": self.namespace, "risk_policy": "ignore", **options})
        assert not result.get("failed"), result["msg"]
        return result

    def create(self, kind: str, suffix: str, *, annotations: dict[str, str] | None = None, **fields: Any) -> str:
        """Create an object of the core group as the administrator; returns its name."""
        name = self.named(suffix)
        place = {} if kind == "Node" else {"namespace": self.namespace}
        metadata = {"name": name, "annotations": annotations or {}, **place}
        manifest = {"apiVersion": "v1", "kind": kind, "metadata": metadata, **fields}
        self.cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
        return name

    def task(self, module: str, **options: Any) -> Result:
        """Run a task as the caller.

        Raises:
            RefusedError: it failed.
        """
        # what looks at many namespaces is in none
        place = {} if "namespaces" in options else {"namespace": self.namespace}
        result = self.run_task(module, **{"impersonate_user": self.caller, **place, **options})
        if result.get("failed"):
            raise RefusedError(result)
        return result

    def change(self, module: str, **options: Any) -> Result:
        """Run a task as the caller that has something to do."""
        result = self.task(module, **options)
        assert result["changed"], result["msg"]
        return result

    def playbook(self, name: str, accounts: list[dict[str, Any]], **variables: Any) -> Result:
        """Run a playbook of the collection on a list, connected as the caller.

        Raises:
            RefusedError: it failed.
        """
        given = {"service_accounts_list": accounts, "cluster_connection": self._connection, **variables}
        path = self.directory / f"{name}.json"
        path.write_text(json.dumps(given))
        return self._played(self.run_playbook(f"tokenwright.kubernetes.{name}", "-e", f"@{path}"))

    def role(self, name: str, tasks_from: str = "main", **variables: Any) -> Result:
        """Run a role of the collection, connected as the caller.

        Raises:
            RefusedError: it failed.
        """
        imported = {"name": f"tokenwright.kubernetes.{name}", "tasks_from": tasks_from}
        task = {"name": "The role", "ansible.builtin.import_role": imported, "vars": variables}
        defaults = {"group/tokenwright.kubernetes.k8s_sa": self._connection}
        header = {"hosts": "localhost", "gather_facts": False, "module_defaults": defaults}
        return self._played(self.run_playbook([{**header, "tasks": [task]}]))

    @property
    def _connection(self) -> dict[str, str]:
        return {"kubeconfig": str(self.cluster.kubeconfig), "impersonate_user": self.caller}

    def _played(self, play: Any) -> Result:
        if play.rc:
            raise RefusedError({"failed": True, "msg": play.stdout + play.stderr})
        return {"changed": play.changed > 0, "msg": play.stdout, "warnings": play.stderr.splitlines()}
