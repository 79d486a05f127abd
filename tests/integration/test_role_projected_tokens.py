# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Volumes from a list: the role projected_tokens, and volumes in the list of accounts."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import ROOT, Play
from faults.workloads import create, live, template_of, workload

Run = Callable[..., Play]


def role(name: str, **variables: Any) -> list[dict[str, Any]]:
    task = {
        "name": "The role",
        "ansible.builtin.import_role": {"name": f"tokenwright.kubernetes.{name}"},
        "vars": variables,
    }
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


def test_the_playbook_of_the_readme_runs_twice(cluster: Cluster, run_playbook: Run) -> None:
    text = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "roles/projected_tokens/README.md").read_text(), re.M | re.S)[0]
    cluster.kubectl("create", "namespace", "shop")
    try:
        create(cluster, "shop", workload("Deployment", "webshop"))
        predicted, first, second = (run_playbook(text, check=check) for check in (True, False, False))
        volumes = template_of(live(cluster, "shop", "deployment", "webshop"))["volumes"]
    finally:
        cluster.kubectl("delete", "namespace", "shop", "--timeout=90s")
    assert (predicted.rc, first.rc, second.rc) == (0, 0, 0), first.stdout + second.stdout
    assert (predicted.changed, first.changed, second.changed) == (2, 2, 0)
    assert [volume["name"] for volume in volumes] == ["data", "sa-token", "vault-token"]
    assert "volume vault-token of Deployment shop/webshop is put in (missing)" in first.stdout
    assert "WARNING" not in first.stdout + first.stderr


def test_a_list_that_cannot_be_right_ends_before_a_request(cluster: Cluster, run_playbook: Run) -> None:
    mark = cluster.audit_mark()
    listed = [{"name": "a", "namespace": "b", "kind": "Pod"}]
    refused = run_playbook(role("projected_tokens", projected_tokens_list=listed))
    assert refused.rc != 0
    assert "workloads[0]: kind: Kubernetes lets nobody change the template of a Pod" in refused.stdout + refused.stderr
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


@pytest.mark.parametrize("way", ["present", "absent"])
def test_the_list_of_accounts_has_volumes_too(cluster: Cluster, namespace: str, run_playbook: Run, way: str) -> None:
    create(cluster, namespace, workload("Deployment", "web"), workload("CronJob", "nightly"))
    before = template_of(live(cluster, namespace, "deployment", "web"))
    volumes = [{"name": "web", "fs_group": 5}, {"kind": "CronJob", "name": "nightly", "fs_group": 5}]
    account: dict[str, Any] = {"name": "app", "namespace": namespace, "volumes": volumes}
    play = role("service_accounts", service_accounts_list=[account])
    runs = [run_playbook(play, check=True), run_playbook(play), run_playbook(play)]
    assert [(one.rc, one.changed) for one in runs] == [(0, 2), (0, 2), (0, 0)], runs[1].stdout
    assert "+ volume   sa-token in Deployment web" in runs[1].stdout
    assert template_of(live(cluster, namespace, "deployment", "web"))["serviceAccountName"] == "app"
    if way == "absent":
        gone = run_playbook(role("service_accounts", service_accounts_list=[{**account, "state": "absent"}]))
        assert (gone.rc, gone.changed) == (0, 2), gone.stdout
        assert "- volume   sa-token in CronJob nightly" in gone.stdout
        assert template_of(live(cluster, namespace, "deployment", "web")) == before
