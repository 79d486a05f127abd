# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The inventory of long-lived tokens on a real control plane, without ever reading one."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task
from faults import legacy
from faults.proxy import FaultProxy
from faults.rules import Fault
from faults.tokens import caller_who_may

Writes = Callable[[int], list[str]]

LISTING = ("list", "serviceaccounts,secrets")


@pytest.fixture
def stocked(cluster: Cluster, namespace: str, run_task: Task) -> str:
    """A namespace with accounts and tokens of all kinds that a healthy cluster leaves alone."""
    run_task("k8s_sa", accounts=[{"name": "app", "labels": {"team": "a"}}, {"name": "other"}], namespace=namespace)
    kept = {"name": "kept", "service_account": "app", "namespace": namespace, "verify": "never"}
    assert run_task("k8s_legacy_token", **kept)["changed"]
    for name, account in (("used", "app"), ("listed", "other"), ("suspended", "other")):
        legacy.make(cluster, namespace, name, account=account)
        legacy.filled(cluster, namespace, name)
    legacy.make(cluster, namespace, "immutable", immutable=True)
    cluster.kubectl("create", "secret", "generic", "opaque", "-n", namespace, "--from-literal=token=x")
    cluster.kubectl("patch", "serviceaccount", "other", "-n", namespace, "-p", '{"secrets": [{"name": "listed"}]}')
    legacy.label(cluster, namespace, "used", f"{legacy.LAST_USED}=2026-01-02")
    legacy.label(cluster, namespace, "suspended", f"{legacy.INVALID_SINCE}=2026-01-03")
    for name, spec in (("mounts", legacy.mounting("used")), ("reads", legacy.reading("used"))):
        cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(legacy.deployment(name, spec)))
    return namespace


def by_name(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    assert not result.get("failed"), result["msg"]
    return {one["name"]: one for one in result["legacy_tokens"]}


def test_every_token_is_found_with_all_that_is_known_of_it(
    cluster: Cluster, stocked: str, run_task: Task, writes: Writes
) -> None:
    mark = cluster.audit_mark()
    with legacy.tracked_since(cluster, "2026-01-01"):
        result = run_task("k8s_sa_info", namespaces=[stocked], unused_for=0)
    found = by_name(result)
    assert sorted(found) == ["immutable", "kept", "listed", "suspended", "used"]
    used = found["used"]
    assert (used["service_account"], used["last_used"], used["managed_as"]) == ("app", "2026-01-02", None)
    place = {"volume": "t", "mount_path": "/t", "containers": ["c"]}
    assert used["mounted_by"] == [{"kind": "Deployment", "name": "mounts", **place}]
    assert used["env_used_by"] == [{"kind": "Deployment", "name": "reads"}]
    assert (found["kept"]["managed_as"], found["kept"]["last_used"], found["kept"]["mounted_by"]) == ("kept", None, [])
    assert [name for name, one in found.items() if one["listed_in_account"]] == ["listed"]
    assert [name for name, one in found.items() if one["unpopulated"]] == ["immutable"]
    assert [name for name, one in found.items() if one["invalid_since"]] == ["suspended"]
    assert not [name for name, one in found.items() if one["orphan"]]
    assert all(one["unused"] for one in found.values())
    assert all(one["age"] >= 0 and one["created_at"] and one["unused_since"] for one in found.values())
    assert result["summary"] == {
        "service_accounts": 3, "legacy_tokens": 5, "unused": 5, "suspended": 1, "listed_in_account": 1,
        "in_workloads": 1, "orphans": 0, "unpopulated": 1,
    }  # fmt: skip
    assert (result["changed"], writes(mark)) == (False, [])


def test_no_token_is_read(cluster: Cluster, stocked: str, run_task: Task) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_info", namespaces=[stocked])
    assert "eyJ" not in json.dumps(result)
    ours = [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    looks = [event for event in ours if event["objectRef"]["resource"] == "secrets"]
    assert [event["verb"] for event in looks] == ["list"]
    assert "includeObject=Metadata" in looks[0]["requestURI"]
    assert len(ours) == result["requests"]
    assert len(ours) <= 12, "one LIST for each kind"


def test_an_answer_with_more_than_was_asked_for_is_not_looked_at(
    stocked: str, run_task: Task, fault_proxy: FaultProxy
) -> None:
    body = json.dumps({"kind": "SecretList", "apiVersion": "v1", "items": []}).encode()
    fault_proxy.inject(Fault("GET", "/secrets$", "answer", status=200, body=body))
    refused = run_task("k8s_sa_info", namespaces=[stocked], kubeconfig=str(fault_proxy.kubeconfig))
    assert refused["error"]["code"] == "bad_answer"


def test_when_a_token_counts_as_unused(cluster: Cluster, stocked: str, run_task: Task) -> None:
    with legacy.tracked_since(cluster, "2020-01-01"):
        fresh = by_name(run_task("k8s_sa_info", namespaces=[stocked], unused_for="1h"))
        legacy.label(cluster, stocked, "kept", f"{legacy.LAST_USED}=2099-01-01")
        later = by_name(run_task("k8s_sa_info", namespaces=[stocked], unused_for=0))
    assert {one["unused"] for one in fresh.values()} == {False}
    assert [name for name, one in later.items() if not one["unused"]] == ["kept"]


def test_a_selector_picks_accounts(stocked: str, run_task: Task) -> None:
    found = run_task("k8s_sa_info", namespaces=[stocked], label_selector="team=a")
    assert (sorted(by_name(found)), found["summary"]["service_accounts"]) == (["immutable", "kept", "used"], 1)
    refused = run_task("k8s_sa_info", namespaces=[stocked], label_selector="a b c")
    assert refused["error"]["http_status"] == 400


def test_a_namespace_of_the_defaults_is_looked_at_unless_others_are_named(stocked: str, run_task: Task) -> None:
    there = run_task("k8s_sa_info", namespace=stocked)
    assert set(by_name(there)) == set(by_name(run_task("k8s_sa_info", namespaces=[stocked])))
    elsewhere = run_task("k8s_sa_info", namespace=stocked, namespaces=["default"])
    assert not [one for one in elsewhere["legacy_tokens"] if one["namespace"] == stocked]


def test_the_whole_cluster_is_looked_at_without_namespaces(stocked: str, run_task: Task) -> None:
    found = run_task("k8s_sa_info")
    assert {"kept", "used"} <= {one["name"] for one in found["legacy_tokens"] if one["namespace"] == stocked}
    assert found["summary"]["service_accounts"] > 3


def namespaces_asked_for(cluster: Cluster, mark: int) -> list[str]:
    ours = [event["objectRef"] for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    return [ref["name"] for ref in ours if ref["resource"] == "namespaces"]


def test_a_namespace_that_does_not_exist_is_told_and_only_looked_for_where_no_account_was_found(
    cluster: Cluster, stocked: str, run_task: Task
) -> None:
    mark = cluster.audit_mark()
    found = run_task("k8s_sa_info", namespaces=[stocked, f"no-{stocked}"])
    assert "kept" in by_name(found)
    assert [one for one in found["warnings"] if "exist" in one] == [f"the namespace no-{stocked} does not exist"]
    assert namespaces_asked_for(cluster, mark) == [f"no-{stocked}"]


def test_a_namespace_without_any_account_that_is_meant_exists(cluster: Cluster, stocked: str, run_task: Task) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_info", namespaces=[stocked], label_selector="team=none")
    assert (result["summary"]["service_accounts"], by_name(result)) == (0, {})
    assert namespaces_asked_for(cluster, mark) == [stocked]
    assert not [one for one in result.get("warnings", ()) if "exist" in one]


def test_who_may_not_get_a_namespace_is_told_nothing_of_it(cluster: Cluster, namespace: str, run_task: Task) -> None:
    caller = {"kubeconfig": str(caller_who_may(cluster, namespace, LISTING))}
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_info", namespaces=[namespace], label_selector="team=none", **caller)
    assert namespaces_asked_for(cluster, mark) == [namespace]
    assert not [one for one in result["warnings"] if "exist" in one]


def test_who_may_not_see_everything_is_told_what_is_missing(cluster: Cluster, stocked: str, run_task: Task) -> None:
    caller = {"kubeconfig": str(caller_who_may(cluster, stocked, LISTING))}
    result = run_task("k8s_sa_info", namespaces=[stocked], **caller)
    found = by_name(result)
    assert {(one["mounted_by"], one["unused"], one["unused_since"]) for one in found.values()} == {(None, None, None)}
    assert any("may not list pods" in warning for warning in result["warnings"])
    assert any("may not get ConfigMap" in warning for warning in result["warnings"])
    everywhere = run_task("k8s_sa_info", **caller)
    assert (everywhere["error"]["code"], "give the namespaces" in everywhere["msg"]) == ("forbidden", True)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"namespaces": []}, "the list is empty"),
        ({"namespaces": ["Bad"]}, "namespaces"),
        ({"unused_for": "long"}, "unused_for"),
        ({"gather": ["secrets"]}, "gather"),
        ({"gather": []}, "gather: the list is empty"),
        ({"unused_for": "800000d"}, "unused_for: '800000d' is longer than 200 years"),
        ({"workers": 0}, "workers"),
    ],
)
def test_what_cannot_be_right_is_refused(cluster: Cluster, run_task: Task, options: dict[str, Any], said: str) -> None:
    mark = cluster.audit_mark()
    refused = run_task("k8s_sa_info", **options)
    assert (refused["failed"], said in refused["msg"]) == (True, True), refused["msg"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
