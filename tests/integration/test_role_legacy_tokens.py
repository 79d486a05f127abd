# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The role legacy_tokens: keeps and rotates what is in the list, and cleans up what was made by hand and is unused."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.controlplane import Cluster
from conftest import ROOT, Play, Task
from faults import legacy
from faults.tokens import secret_names

Run = Callable[..., Play]


def role(tasks_from: str = "main", **variables: Any) -> list[dict[str, Any]]:
    imported = {"name": "tokenwright.kubernetes.legacy_tokens", "tasks_from": tasks_from}
    task = {"name": "The role", "ansible.builtin.import_role": imported, "vars": variables}
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


def test_a_list_is_kept_and_rotated(
    cluster: Cluster, namespace: str, run_task: Task, run_playbook: Run, tmp_path: Path
) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    listed = [{"name": "tok", "service_account": "app", "namespace": namespace, "dest": str(tmp_path / "t")}]
    predicted = run_playbook(role(legacy_tokens_list=listed), check=True)
    made = run_playbook(role(legacy_tokens_list=listed))
    again = run_playbook(role(legacy_tokens_list=listed))
    assert [one.rc for one in (predicted, made, again)] == [0, 0, 0], made.stdout + made.stderr
    assert [one.changed for one in (predicted, made, again)] == [1, 1, 0]
    assert f"{namespace} tok tok missing" in made.stdout
    time.sleep(1)
    rotated = run_playbook(
        role(legacy_tokens_list=listed, legacy_tokens_rotate_after=1, legacy_tokens_overlap=0,
             legacy_tokens_on_retire="suspend")
    )  # fmt: skip
    assert (rotated.rc, rotated.changed, secret_names(cluster, namespace)) == (0, 1, ["tok", "tok-2"])
    assert "eyJ" not in made.stdout + rotated.stdout


def test_only_unused_tokens_that_were_made_by_hand_are_cleaned_up(
    cluster: Cluster, namespace: str, run_task: Task, run_playbook: Run
) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    run_task("k8s_legacy_token", name="kept", service_account="app", namespace=namespace, verify="never")
    run_task("k8s_legacy_token", name="next", service_account="app", namespace=namespace, verify="never")
    time.sleep(1)
    run_task(
        "k8s_legacy_token", name="next", service_account="app", namespace=namespace, verify="never",
        rotate_after=1, overlap=0,
    )  # fmt: skip
    # whoever makes a Secret that is called like a list's must not take the list's away with it
    for name in ("unused", "used", "listed", "mounted", "next"):
        legacy.make(cluster, namespace, name)
        legacy.filled(cluster, namespace, name)
    legacy.label(cluster, namespace, "used", f"{legacy.LAST_USED}=2099-01-01")
    cluster.kubectl("patch", "serviceaccount", "app", "-n", namespace, "-p", '{"secrets": [{"name": "listed"}]}')
    deployment = legacy.deployment("d", legacy.mounting("mounted"))
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(deployment))
    time.sleep(2)
    # nobody knows what was before the server began to take note
    early = run_playbook(role("clean", legacy_tokens_unused_for=1, legacy_tokens_namespaces=[namespace]))
    assert (early.rc, early.changed) == (0, 0), early.stdout
    with legacy.tracked_since(cluster, "2020-01-01"):
        options = {"legacy_tokens_unused_for": 1, "legacy_tokens_namespaces": [namespace]}
        predicted = run_playbook(role("clean", **options), check=True)
        assert len(secret_names(cluster, namespace)) == 7
        cleaned = run_playbook(role("clean", **options))
        again = run_playbook(role("clean", **options))
    assert [one.rc for one in (predicted, cleaned, again)] == [0, 0, 0], cleaned.stdout + cleaned.stderr
    assert [one.changed for one in (predicted, cleaned, again)] == [1, 1, 0]
    assert secret_names(cluster, namespace) == ["kept", "listed", "mounted", "next", "next-2", "used"]
    assert "nothing is unused" in again.stdout


def test_the_playbook_of_the_readme_runs_twice(cluster: Cluster, run_playbook: Run, tmp_path: Path) -> None:
    text = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "roles/legacy_tokens/README.md").read_text(), re.M | re.S)[0]
    home = {"HOME": str(tmp_path)}
    try:
        first, second = run_playbook(text, env=home), run_playbook(text, env=home)
    finally:
        cluster.kubectl("delete", "namespace", "ci", "--ignore-not-found", "--timeout=90s")
    assert (first.rc, second.rc) == (0, 0), first.stdout + second.stdout
    assert (first.changed, second.changed) == (2, 0)


def test_a_list_that_cannot_be_right_ends_before_a_request(cluster: Cluster, run_playbook: Run) -> None:
    mark = cluster.audit_mark()
    refused = run_playbook(role(legacy_tokens_list=[{"name": "Bad", "service_account": "a", "namespace": "b"}]))
    assert refused.rc != 0
    assert "legacy_tokens[0]" in refused.stdout + refused.stderr
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


def test_the_list_of_accounts_has_long_lived_tokens_too(
    cluster: Cluster, namespace: str, run_playbook: Run, tmp_path: Path
) -> None:
    account: dict[str, Any] = {
        "name": "app",
        "namespace": namespace,
        "legacy_tokens": [{"name": "tok", "rotate_after": "30d", "dest": str(tmp_path / "t")}],
    }

    def play(state: str = "present", tasks_from: str = "main", check: bool = False) -> Play:
        imported = {"name": "tokenwright.kubernetes.service_accounts", "tasks_from": tasks_from}
        variables = {"service_accounts_list": [{**account, "state": state}]}
        task = {"name": "The role", "ansible.builtin.import_role": imported, "vars": variables}
        return run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": [task]}], check=check)

    runs = [play(check=True), play(), play(), play(tasks_from="renew")]
    assert [(one.rc, one.changed) for one in runs] == [(0, 2), (0, 2), (0, 0), (0, 0)], runs[1].stdout
    assert "+ legacy   tok" in runs[1].stdout
    assert "+ token    " in runs[1].stdout
    revoked = play(tasks_from="revoke")
    assert (revoked.rc, revoked.changed, secret_names(cluster, namespace)) == (0, 1, []), revoked.stdout
    assert "- legacy   tok" in revoked.stdout
    # the place was cleared with it, so nothing tells that this name was used before
    assert play().changed == 1
    gone = play("absent")
    assert (gone.rc, gone.changed, secret_names(cluster, namespace)) == (0, 2, []), gone.stdout
    assert not (tmp_path / "t").exists()
