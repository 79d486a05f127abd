# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-lived tokens where nobody fills Secrets: a controller manager that is down leaves what it would put right."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from faults import legacy
from faults.tokens import secret_names

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _inventory, _legacy_token
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

MANAGER = "kube-controller-manager"


@pytest.fixture(scope="module")
def idle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster whose controller manager is down, with an account that was recreated since."""
    with Cluster(tmp_path_factory.mktemp("idle")) as running:
        running.kubectl("create", "serviceaccount", "app", "-n", "default")
        running.stop(MANAGER)
        yield running
    running.down(purge=True)


def run(cluster: Cluster, **options: Any) -> dict[str, Any]:
    args = {"kubeconfig": str(cluster.kubeconfig), "namespace": "default", "service_account": "app", **options}
    return run_here(_legacy_token.USE_CASE, args, check_mode=False, diff=False)


def uid_of_account(cluster: Cluster) -> str:
    found = cluster.kubectl("get", "serviceaccount", "app", "-n", "default", "-o", "json").stdout
    return str(json.loads(found)["metadata"]["uid"])


def test_a_secret_that_nobody_fills_is_an_error_and_filled_by_a_later_run(idle: Cluster, tmp_path: Path) -> None:
    options = {"name": "empty", "dest": str(tmp_path / "t")}
    unfilled = run(idle, **options, wait_timeout=1)
    assert unfilled["error"]["code"] == "no_token_controller"
    assert "no token came into Secret default/empty within 1 seconds" in unfilled["msg"]
    assert "kube-controller-manager" in unfilled["msg"]
    # another run finds it, and makes no second one
    assert run(idle, **options, wait_timeout=1, rotate_after=1)["error"]["code"] == "no_token_controller"
    assert [name for name in secret_names(idle, "default") if name.startswith("empty")] == ["empty"]
    idle.start(MANAGER)
    try:
        done = run(idle, **options)
        assert not done.get("failed"), done["msg"]
        assert (done["reason"], done["secret_name"]) == ("sink_changed", "empty")
        assert not run(idle, **options)["changed"]
    finally:
        idle.stop(MANAGER)


def test_a_secret_of_another_uid_is_an_error_at_once(idle: Cluster) -> None:
    legacy.make(idle, "default", "stale", uid="11111111-2222-3333-4444-555555555555")
    started = time.monotonic()
    refused = run(idle, name="stale", wait_timeout=300)
    assert refused["error"]["code"] == "account_recreated"
    assert "is of another uid: the account default/app was recreated" in refused["msg"]
    assert time.monotonic() - started < 60, "it waited for what cannot come"
    assert not run(idle, name="stale", state="absent", verify="never").get("failed")


def test_an_account_that_is_gone_is_named_although_nobody_deletes_the_secret(idle: Cluster) -> None:
    legacy.make(idle, "default", "orphan", account="ghost")
    refused = run(idle, name="orphan", service_account="ghost", wait_timeout=300)
    assert refused["error"]["code"] == "account_missing"


def test_the_inventory_names_orphans_and_what_is_empty(idle: Cluster) -> None:
    legacy.make(idle, "default", "of-nobody", account="ghost")
    legacy.make(idle, "default", "of-another", uid="11111111-2222-3333-4444-555555555555")
    legacy.make(idle, "default", "waiting")
    args = {"kubeconfig": str(idle.kubeconfig), "namespaces": ["default"]}
    found = run_here(_inventory.USE_CASE, args, check_mode=False, diff=False)["legacy_tokens"]
    states = {one["name"]: (one["orphan"], one["unpopulated"]) for one in found}
    assert (states["of-nobody"], states["of-another"], states["waiting"]) == ((True, True), (True, True), (False, True))


def test_what_a_run_left_is_of_the_account_that_lives(idle: Cluster) -> None:
    """The uid is pinned, so that the controller refuses an account that was recreated meanwhile."""
    run(idle, name="pinned", wait_timeout=0)
    found = idle.kubectl("get", "secret", "pinned", "-n", "default", "-o", "json").stdout
    assert json.loads(found)["metadata"]["annotations"][legacy.UID] == uid_of_account(idle)
