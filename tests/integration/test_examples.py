# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the documentation shows and says: EXAMPLES are run as they are, RETURN is held against their results."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from cluster.pods import pod
from conftest import ROOT, Play
from faults.workloads import create, pod_of, report, workload

MODULES = {path.stem: path for path in sorted((ROOT / "plugins/modules").glob("*.py"))}
COLLECTION = "tokenwright.kubernetes."

# What Ansible itself puts into a result or takes out of it; a module's RETURN need not name it.
ANSIBLES_OWN = {"changed", "diff", "exception", "failed", "invocation", "warnings"}

# Modules that never change anything.
READING = {
    "account_items",
    "awx_credential_plan",
    "k8s_namespace_info",
    "k8s_sa_access",
    "k8s_sa_diagnose",
    "k8s_sa_info",
    "migration_plan",
}

WITH_SECRET = {
    "containers": [{"name": "app", "image": "none", "volumeMounts": [{"name": "t", "mountPath": "/etc/token"}]}],
    "volumes": [{"name": "t", "secret": {"secretName": "long-lived"}}],
}

READING_ENVIRONMENT = {
    "containers": [
        {
            "name": "app",
            "image": "none",
            "env": [{"name": "API_TOKEN", "valueFrom": {"secretKeyRef": {"name": "long-lived", "key": "token"}}}],
        }
    ],
}

# What is there before the examples of a module begin, because nothing of ours makes it.
WORKLOADS = {
    "k8s_sa_consumer": (
        workload("Deployment", "webshop", READING_ENVIRONMENT),
        workload("CronJob", "report", READING_ENVIRONMENT),
        workload("StatefulSet", "queue", WITH_SECRET),
    ),
    "k8s_sa_volume": (
        workload("Deployment", "webshop"),
        workload("Deployment", "former"),
        workload("CronJob", "report"),
        workload("Deployment", "importer", WITH_SECRET),
        workload("StatefulSet", "queue", WITH_SECRET),
    ),
    "k8s_sa_diagnose": (
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "webshop"}},
        pod("webshop-0", {"serviceAccountName": "webshop", **pod_of()}),
    ),
}

Options = Mapping[str, Any]
Examples = Callable[[str], "list[Ran]"]


@dataclass(frozen=True)
class Ran:
    """One task of ours that was run: what it was given and what it returned."""

    name: str
    module: str
    options: Options
    result: dict[str, Any] = field(repr=False)  # may hold a token

    @property
    def always_changes(self) -> bool:
        """Whether that is what the documentation says (attribute idempotent): a token that no place remembers."""
        kept = any(self.options.get(place) for place in ("dest", "kubeconfig_dest", "sinks"))
        return bool(self.options.get("return_token")) and not kept


def documented(module: str, name: str) -> Any:
    """One of DOCUMENTATION, EXAMPLES and RETURN."""
    for node in ast.parse(MODULES[module].read_text()).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == name:
            return yaml.safe_load(ast.literal_eval(node.value))
    raise AssertionError(f"{module} has no {name}")


def own_tasks(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The tasks that run a module of ours, also those within blocks."""
    for task in tasks:
        yield from own_tasks(task.get("block", []))
        if any(key.startswith(COLLECTION) for key in task):
            yield task


@pytest.fixture
def run_examples(run_playbook: Callable[..., Play], cluster: Cluster, tmp_path: Path) -> Iterator[Examples]:
    """Run the EXAMPLES of a module in one play; what they made is removed at the end, for the next module."""
    made: list[dict[str, Any]] = []

    def run(module: str) -> list[Ran]:
        if module in WORKLOADS and not made:
            made.append({"kind": "Namespace", "name": "shop", "namespace": None})
            cluster.kubectl("create", "namespace", "shop")
            create(cluster, "shop", *WORKLOADS[module])
        if module in ("k8s_sa_consumer", "k8s_sa_volume"):
            report(cluster, "shop", "deployment", "webshop")
        tasks = documented(module, "EXAMPLES")
        ours = list(own_tasks(tasks))
        for number, task in enumerate(ours):
            task.setdefault("register", f"result_{number}")
        play = run_playbook([_play(tasks, ours, cluster, tmp_path)], "-v")
        assert play.rc == 0, play.stdout + play.stderr
        assert "eyJ" not in play.stdout + play.stderr, "an example shows a token"
        results = json.loads((tmp_path / "results.json").read_text())
        made.extend(action for result in results for action in result.get("actions", []) if action["verb"] == "create")
        return [_ran(task, result) for task, result in zip(ours, results, strict=True)]

    yield run
    _remove(made, cluster)


def _play(tasks: list[dict[str, Any]], ours: list[dict[str, Any]], cluster: Cluster, directory: Path) -> dict[str, Any]:
    registered = ", ".join(task["register"] for task in ours)
    store = {
        "ansible.builtin.copy": {
            "content": f"{{{{ [{registered}] | to_json }}}}",
            "dest": str(directory / "results.json"),
            "mode": "0600",
        },
        "no_log": True,
    }
    return {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"cluster_kubeconfig": str(cluster.kubeconfig), "token_dir": str(directory / "tokens")},
        "tasks": [*tasks, store],
    }


def _ran(task: Mapping[str, Any], result: dict[str, Any]) -> Ran:
    action = next(key for key in task if key.startswith(COLLECTION))
    return Ran(task["name"], action.removeprefix(COLLECTION), task[action], result)


def _remove(made: list[dict[str, Any]], cluster: Cluster) -> None:
    # What is in a namespace goes with it.
    names = [f"{action['kind']}/{action['name']}" for action in made if not action["namespace"]]
    if names:
        cluster.kubectl("delete", "--ignore-not-found", *names)


@pytest.mark.parametrize("module", MODULES)
def test_examples_run_twice_and_return_what_is_documented(module: str, run_examples: Examples) -> None:
    first, second = run_examples(module), run_examples(module)
    assert any(ran.result["changed"] for ran in first if ran.module == module) == (module not in READING)
    for ran in second:
        assert ran.result["changed"] == ran.always_changes, f"{ran.name}: {ran.result['msg']}"
    for ran in [*first, *second]:
        assert not list(deviations(documented(ran.module, "RETURN"), ran.result, ran.options)), ran.name


def test_deviations_are_found() -> None:
    described = {
        "msg": {"returned": "always"},
        "one": {"returned": "success, unless O(many) is given"},
        "all": {"returned": "when O(many) is given", "contains": {"name": {"returned": "always"}}},
        "gone": {"returned": "success with O(state=absent), unless O(many) or O(none) is given"},
    }
    assert not list(deviations(described, {"msg": "", "one": 1, "changed": True}, {}))
    assert not list(deviations(described, {"msg": "", "all": [{"name": "a"}]}, {"many": ["a"]}))
    assert not list(deviations(described, {"msg": "", "one": 1, "gone": 1}, {"state": "absent"}))
    assert list(deviations(described, {"msg": "", "one": 1}, {"state": "absent"})) == ["gone is missing"]
    assert list(deviations(described, {"msg": "", "one": 1, "gone": 1}, {"state": "present"})) == [
        "gone is there, but not: success with O(state=absent), unless O(many) or O(none) is given"
    ]
    assert list(deviations(described, {"one": 1}, {})) == ["msg is missing"]
    assert list(deviations(described, {"msg": "", "all": [{}]}, {"many": ["a"]})) == ["all.name is missing"]
    assert list(deviations(described, {"msg": "", "one": 1, "all": [{"name": "a", "b": 1}]}, {"many": [1]})) == [
        "one is there, but not: success, unless O(many) is given",
        "all.b is not documented",
    ]


def deviations(
    described: Mapping[str, Any], result: Mapping[str, Any], options: Options, path: str = ""
) -> Iterator[str]:
    """Where a successful result is not what RETURN says of it."""
    for key in result:
        if key not in described and (path or key not in ANSIBLES_OWN):
            yield f"{path}{key} is not documented"
        elif key in described and is_due(described[key]["returned"], options) is False:
            yield f"{path}{key} is there, but not: {described[key]['returned']}"
    for key, entry in described.items():
        if key not in result and is_due(entry["returned"], options):
            yield f"{path}{key} is missing"
        for value in values(result.get(key)):
            if "contains" in entry:
                yield from deviations(entry["contains"], value, options, f"{path}{key}.")


def values(value: object) -> list[Mapping[str, Any]]:
    """The mappings whose keys an entry with C(contains) describes."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, Mapping)]


def is_due(returned: str, options: Options) -> bool | None:
    """Whether a key has to be in a successful result with these options; None if its condition says more than that."""
    wants = re.findall(r"(?:when|with) O\(([\w=]+)\)", returned)
    excludes = re.findall(r"(?:unless|or) O\(([\w=]+)\)", returned)

    def is_given(option: str) -> bool:
        name, dummy, value = option.partition("=")
        return options.get(name) == value if value else options.get(name) not in (None, False)

    if returned == "failure" or any(is_given(name) for name in excludes):
        return False
    if returned.startswith(("always", "success", "when O(")):
        return all(is_given(name) for name in wants)
    return None
