# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook verify_access and what the role proves, with the real ansible-playbook on a real API server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import ROOT, Play

PROVISION, VERIFY = "tokenwright.kubernetes.provision", "tokenwright.kubernetes.verify_access"
README = ROOT / "roles/service_accounts/README.md"

Item = dict[str, Any]
Run = Callable[..., Play]
Writes = Callable[[int], list[str]]


@pytest.fixture
def run(run_playbook: Run, tmp_path: Path) -> Run:
    """Run a playbook of the collection on a list."""

    def play(name: str, accounts: list[Item], *arguments: str, check: bool = False, **variables: Any) -> Play:
        given = tmp_path / "variables.json"
        given.write_text(json.dumps({"service_accounts_list": accounts, **variables}))
        return run_playbook(name, "-e", f"@{given}", *arguments, check=check)

    return play


@pytest.fixture
def listed(namespace: str) -> list[Item]:
    """An account that may do something, one that may do nothing, and one nobody asks about."""
    return [
        {
            "name": "deployer",
            "namespace": namespace,
            "grants": [{"cluster_role": "view"}],
            "access": {"can": ["get pods", "get pods/log"], "cannot": ["get secrets", "list nodes"]},
        },
        {"name": "app", "namespace": namespace, "access": {"cannot": ["get pods"]}},
        {"name": "plain", "namespace": namespace},
    ]


def shown(play: Play) -> list[str]:
    """The summary."""
    text = play.stdout.split("Sum up] ")[1].partition("=> ")[2].partition("\n}")[0] + "\n}"
    lines: list[str] = json.loads(text)["msg"]
    return lines


def test_the_role_proves_at_its_end_and_in_check_mode_when_there_is_something_to_prove(
    namespace: str, listed: list[Item], run: Run
) -> None:
    predicted = run(PROVISION, listed, check=True)
    assert predicted.rc == 0, predicted.stdout
    assert "proven" not in predicted.stdout
    for check, changed in ((False, 2), (True, 0), (False, 0)):
        done = run(PROVISION, listed, check=check)
        assert (done.rc, done.changed) == (0, changed), done.stdout
        assert "  access   proven: 2 allowed, 2 refused" in shown(done)
        assert "  access   proven: 0 allowed, 1 refused" in shown(done)
    listed[1]["access"]["can"] = ["delete pods"]
    for check in (True, False):
        failed = run(PROVISION, listed, check=check)
        assert failed.rc == 2
        assert f"failed: {namespace}/app: may not delete pods in {namespace} (no binding" in failed.stdout


def test_verify_access_changes_nothing_and_fails_when_somebody_granted_more(
    cluster: Cluster, namespace: str, listed: list[Item], run: Run, writes: Writes
) -> None:
    assert run(PROVISION, listed).rc == 0
    mark = cluster.audit_mark()
    proven = run(VERIFY, listed)
    assert (proven.rc, proven.changed) == (0, 0), proven.stdout
    assert shown(proven) == [
        f"  account  {namespace}/deployer",
        "  access   proven: 2 allowed, 2 refused",
        "",
        f"  account  {namespace}/app",
        "  access   proven: 0 allowed, 1 refused",
        "",
        "nothing changed",
    ]
    more = ["--clusterrole=edit", f"--serviceaccount={namespace}:deployer", "-n", namespace]
    cluster.kubectl("create", "rolebinding", "more", *more)
    for check in (True, False):
        failed = run(VERIFY, listed, check=check)
        assert (failed.rc, failed.changed) == (2, 0), failed.stdout
        said = f"may get secrets in {namespace} (granted by RoleBinding {namespace}/more through ClusterRole edit"
        assert said in failed.stdout
    assert writes(mark) == []
    listed[0]["state"] = "absent"
    assert run(VERIFY, listed).rc == 0, "what should not be there is not looked at"


def test_an_inventory_host_is_a_cluster(
    cluster: Cluster, namespace: str, listed: list[Item], run_playbook: Run, tmp_path: Path
) -> None:
    hosts = {"one": {"cluster_connection": {"kubeconfig": str(cluster.kubeconfig)}}}
    (tmp_path / "clusters.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
    given = json.dumps({"service_accounts_list": listed[2:], "clusters": "all"})
    done = run_playbook(VERIFY, "-i", "clusters.yml", "-e", given, env={"K8S_AUTH_KUBECONFIG": "/nonexistent"})
    assert (done.rc, shown(done)) == (0, ["nothing changed"]), done.stdout
    listed[1]["access"] = {"can": ["get pods"]}
    given = json.dumps({"service_accounts_list": listed[1:2], "clusters": "all"})
    failed = run_playbook(VERIFY, "-i", "clusters.yml", "-e", given, env={"K8S_AUTH_KUBECONFIG": "/nonexistent"})
    assert failed.rc == 2
    assert f"ServiceAccount {namespace}/app does not exist" in failed.stdout


def test_the_playbook_has_the_form_of_provision() -> None:
    """What differs is what it is called and which tasks of the role it runs."""

    def form(playbook: str) -> Item:
        play, report = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())
        (block,) = play.pop("tasks")
        (task,) = block.pop("block")
        role = task.pop("ansible.builtin.import_role")["name"]
        return {**play, **block, **report, "name": "", "role": role, "with": task["module_defaults"]}

    assert form("verify_access") == form("provision")


def test_a_mistake_ends_it_before_the_first_request(cluster: Cluster, listed: list[Item], run: Run) -> None:
    listed[1]["access"]["cannot"] += ["get Pods"]
    mark = cluster.audit_mark()
    play = run(VERIFY, listed)
    assert play.rc == 2
    assert "service_accounts_list[1].access: cannot[1]: 'Pods' is not a resource" in play.stdout
    assert [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"] == []


def test_the_readme_of_the_role_is_right(cluster: Cluster, run: Run) -> None:
    text = README.read_text().partition("## Only the proof")[2]
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    accounts = yaml.safe_load(block)["service_accounts_list"]
    accounts[0]["create_namespace"] = True
    try:
        assert run(PROVISION, accounts).rc == 0
        proven = run(VERIFY, accounts)
    finally:
        cluster.kubectl("delete", "namespace", "ci", "--ignore-not-found")
    assert proven.rc == 0, proven.stdout
    (promised,) = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert shown(proven) == promised.splitlines()
