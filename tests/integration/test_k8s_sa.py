# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task

Writes = Callable[[int], list[str]]


def live(cluster: Cluster, namespace: str, name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(
        cluster.kubectl("get", "serviceaccount", name, "-n", namespace, "-o", "json").stdout
    )
    return answer


STEPS: list[tuple[str, dict[str, Any], str]] = [
    ("create", {"labels": {"team": "a"}}, "missing"),
    ("label", {"labels": {"team": "b", "n": 1}}, "metadata_changed"),
    ("unlabel", {"labels": {"team": None}}, "metadata_changed"),
    ("annotate", {"annotations": {"description": "long text, with spaces"}}, "metadata_changed"),
    ("automount off", {"automount": False}, "automount_changed"),
    ("pull secret", {"image_pull_secrets": ["one"]}, "image_pull_secrets_changed"),
    ("another", {"image_pull_secrets": ["two"]}, "image_pull_secrets_changed"),
    ("exactly", {"image_pull_secrets": ["two"], "image_pull_secrets_mode": "exact"}, "image_pull_secrets_changed"),
    ("expiry", {"expires_at": "2999-01-01T00:00:00Z"}, "metadata_changed"),
    ("set", {"set_name": "mine"}, "metadata_changed"),
    ("delete", {"state": "absent"}, "unwanted"),
]


def test_each_change_is_predicted_made_once_and_not_again(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes
) -> None:
    for step, options, reason in STEPS:
        mark = cluster.audit_mark()
        predicted = run_task("k8s_sa", check_mode=True, name="app", namespace=namespace, **options)
        assert not writes(mark), step
        made = run_task("k8s_sa", name="app", namespace=namespace, **options)
        again = run_task("k8s_sa", name="app", namespace=namespace, **options)
        assert (made["changed"], made["reason"]) == (True, reason), step
        assert (predicted["changed"], predicted["reason"], predicted["actions"]) == (True, reason, made["actions"]), (
            step
        )
        assert (again["changed"], again["reason"], again["actions"]) == (False, "up_to_date", []), step
        assert len(writes(mark)) == 1, step
        assert predicted["diff"] == made["diff"], step


def test_nothing_is_touched_that_was_not_given(cluster: Cluster, namespace: str, run_task: Task) -> None:
    manifest = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": "app", "namespace": namespace, "labels": {"theirs": "1"}, "annotations": {"theirs": "2"}},
        "automountServiceAccountToken": False,
        "secrets": [{"name": "dockercfg"}],
        "imagePullSecrets": [{"name": "platform"}],
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    uid = live(cluster, namespace, "app")["metadata"]["uid"]
    result = run_task("k8s_sa", name="app", namespace=namespace, labels={"ours": "1"}, image_pull_secrets=["ours"])
    after = live(cluster, namespace, "app")
    assert result["changed"]
    assert after["metadata"]["uid"] == uid
    assert after["metadata"]["labels"] == {"theirs": "1", "ours": "1"}
    assert after["metadata"]["annotations"] == {"theirs": "2"}
    assert after["secrets"] == [{"name": "dockercfg"}]
    assert after["imagePullSecrets"] == [{"name": "platform"}, {"name": "ours"}]
    assert after["automountServiceAccountToken"] is False


def test_default_account_is_adopted(cluster: Cluster, namespace: str, run_task: Task) -> None:
    cluster.kubectl("wait", "--for=create", "serviceaccount/default", "-n", namespace, "--timeout=20s")
    result = run_task("k8s_sa", name="default", namespace=namespace, automount=False)
    assert (result["changed"], result["reason"]) == (True, "automount_changed")


def test_an_expired_account_is_absent(namespace: str, run_task: Task) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    result = run_task("k8s_sa", name="app", namespace=namespace, expires_at="2020-01-01T00:00:00Z")
    assert (result["changed"], result["reason"], result["service_account"]) == (True, "expired", None)
    assert not run_task("k8s_sa", name="app", namespace=namespace, expires_at="2020-01-01T00:00:00Z")["changed"]


def test_recreation_happens_once_and_carries_everything_over(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes
) -> None:
    first = run_task(
        "k8s_sa", name="app", namespace=namespace, labels={"a": "1"}, annotations={"b": "2"}, automount=False
    )
    run_task("k8s_sa", name="app", namespace=namespace, image_pull_secrets=["reg"])
    uid = first["service_account"]["metadata"]["uid"]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "old-token",
            "namespace": namespace,
            "annotations": {"kubernetes.io/service-account.name": "app"},
        },
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(secret))
    cluster.kubectl("wait", "--for=jsonpath={.data.token}", "secret/old-token", "-n", namespace, "--timeout=20s")
    other = run_task("k8s_sa", name="app", namespace=namespace, recreate_if_uid="00000000-0000-4000-8000-000000000000")
    assert not other["changed"]
    mark = cluster.audit_mark()
    predicted = run_task("k8s_sa", check_mode=True, name="app", namespace=namespace, recreate_if_uid=uid)
    assert predicted["changed"]
    assert not writes(mark)
    made = run_task("k8s_sa", name="app", namespace=namespace, recreate_if_uid=uid)
    again = run_task("k8s_sa", name="app", namespace=namespace, recreate_if_uid=uid)
    assert made["reason"] == "recreate_requested"
    assert any("old-token" in warning for warning in made["warnings"])
    assert not again["changed"]
    after = live(cluster, namespace, "app")
    assert after["metadata"]["uid"] != uid
    assert after["metadata"]["labels"] == {"a": "1"}
    assert after["metadata"]["annotations"] == {"b": "2"}
    assert after["automountServiceAccountToken"] is False
    assert after["imagePullSecrets"] == [{"name": "reg"}]


def test_a_namespace_is_made_once_for_many_accounts(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes
) -> None:
    fresh = f"{namespace}-new"
    accounts = [{"name": f"app-{number}"} for number in range(20)]
    try:
        mark = cluster.audit_mark()
        predicted = run_task("k8s_sa", check_mode=True, accounts=accounts, namespace=fresh, create_namespace=True)
        assert not writes(mark)
        made = run_task("k8s_sa", accounts=accounts, namespace=fresh, create_namespace=True)
        assert made["changed"]
        assert made["actions"] == predicted["actions"]
        assert [line for line in writes(mark) if "namespaces" in line] == [f"create namespaces /{fresh}"]
        mark = cluster.audit_mark()
        again = run_task("k8s_sa", accounts=accounts, namespace=fresh, create_namespace=True)
        assert not again["changed"]
        assert again["requests"] == 1, "one LIST for twenty accounts"
        assert not writes(mark)
    finally:
        cluster.kubectl("delete", "namespace", fresh, "--wait=false", "--ignore-not-found")


def test_one_bad_item_does_not_stop_the_others(namespace: str, run_task: Task) -> None:
    accounts = [{"name": "a"}, {"name": "b", "namespace": "no-such-namespace"}, {"name": "c"}]
    result = run_task("k8s_sa", accounts=accounts, namespace=namespace)
    assert result["failed"]
    assert [entry["status"] for entry in result["outcomes"]] == ["changed", "failed", "changed"]
    assert result["msg"].startswith("2 of 3 done; failed: no-such-namespace/b: ")
    assert result["error"]["code"] == "namespace_missing"


def test_fail_fast_skips_the_rest(namespace: str, run_task: Task) -> None:
    accounts = [{"name": "a", "namespace": "no-such-namespace"}, {"name": "b", "namespace": namespace}]
    result = run_task("k8s_sa", accounts=accounts, workers=1, fail_fast=True)
    assert [entry["status"] for entry in result["outcomes"]] == ["failed", "skipped"]


def test_prune_deletes_only_what_left_the_list(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes
) -> None:
    run_task("k8s_sa", name="foreign", namespace=namespace)
    run_task("k8s_sa", name="other-set", namespace=namespace, set_name=f"{namespace}-2")
    declared = {"namespace": namespace, "set_name": namespace, "prune": True}
    run_task("k8s_sa", accounts=[{"name": "a"}, {"name": "b"}], **declared)
    mark = cluster.audit_mark()
    predicted = run_task("k8s_sa", check_mode=True, accounts=[{"name": "a"}], **declared)
    assert not writes(mark)
    made = run_task("k8s_sa", accounts=[{"name": "a"}], **declared)
    assert made["actions"] == predicted["actions"]
    assert writes(mark) == [f"delete serviceaccounts {namespace}/b"]
    assert not run_task("k8s_sa", accounts=[], **declared)["changed"], "an empty list changes nothing"
    broken = run_task("k8s_sa", accounts=[{"name": "x", "namespace": "no-such-namespace"}], **declared)
    assert broken["failed"]
    assert not broken["changed"], "nothing is pruned after a failure"
    names = cluster.kubectl("get", "serviceaccounts", "-n", namespace, "-o", "name").stdout
    assert {"serviceaccount/a", "serviceaccount/foreign", "serviceaccount/other-set"} <= set(names.split())


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"name": "My_App", "namespace": "ci"}, "name: 'My_App' is not a valid name"),
    ({"name": "a" * 254, "namespace": "ci"}, "at most 253 characters"),
    ({"name": "app", "namespace": "a.b"}, "namespace: 'a.b' is not a valid namespace name"),
    ({"name": "app"}, "namespace is missing"),
    ({"namespace": "ci"}, "name is missing"),
    ({"name": "app", "namespace": "ci", "labels": {"a b": "1"}}, "labels: 'a b' is not a valid key"),
    ({"name": "app", "namespace": "ci", "labels": {"a": "x" * 64}}, "is not a valid label value"),
    ({"name": "app", "namespace": "ci", "labels": {"a": [1]}}, "labels.a: list is not a string"),
    ({"name": "app", "namespace": "ci", "expires_at": "tomorrow"}, "expires_at: tomorrow is not an RFC 3339 time"),
    ({"name": "app", "namespace": "ci", "expires_at": "2027-01-01T00:00:00"}, "is not an RFC 3339 time"),
    ({"name": "app", "namespace": "ci", "prune": True}, "prune needs set_name"),
    ({"name": "app", "namespace": "ci", "prune": True, "set_name": "s"}, "prune needs accounts"),
    ({"name": "app", "namespace": "ci", "state": "gone"}, "state"),
    ({"name": "app", "namespace": "ci", "workers": 0}, "workers: 0 is out of range"),
    ({"name": "app", "namespace": "ci", "automount": "perhaps"}, "automount"),
    ({"name": "app", "accounts": []}, "name and accounts exclude each other"),
    ({"namespace": "ci", "accounts": [{"name": "a"}, {"name": "a"}]}, "ci/a is in the list 2 times"),
    ({"namespace": "ci", "accounts": [{"name": "a"}, {"name": "B"}]}, "accounts[1]: name: 'B' is not a valid name"),
    ({"name": "app", "namespace": "ci", "allow_risks": ["nonsense"]}, "allow_risks: 'nonsense' is no risk"),
    ({"name": "app", "namespace": "ci", "lables": {}}, "unsupported option: lables: did you mean labels?"),
    ({"accounts": ["b"]}, "accounts[0] is a text, not a mapping"),
    ({"accounts": {"name": "b"}}, "accounts is a mapping, not a list"),
    ({"accounts": [{"name": "a", "namespace": "ci"}, {"naem": "b"}]}, "accounts[1].naem: did you mean name?"),
    ({"name": "app", "namespace": "ci", "image_pull_secrets": [{"name": "x"}]}, "image_pull_secrets[0] is a mapping"),
    ({"name": ["app"], "namespace": "ci"}, "name is a list, not a text"),
    ({"name": "a\ud800b", "namespace": "ci"}, "name holds half a Unicode character"),
    ({"name": "app", "namespace": "ci", "annotations": {"a": "\ud800"}}, "annotations holds half a Unicode character"),
    ({"name": "app", "namespace": "ci", "labels": {"Example.com/a": "1"}}, "'Example.com/a' is not a valid key"),
]


@pytest.mark.parametrize(("options", "sentence"), BAD_INPUT)
def test_bad_input_ends_in_one_sentence_before_any_request(
    cluster: Cluster, run_task: Task, options: dict[str, Any], sentence: str
) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa", **options)
    assert result["failed"]
    assert sentence in result["msg"]
    assert "\n" not in result["msg"]
    assert result["error"]["code"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


def test_a_namespace_that_is_being_deleted(cluster: Cluster, namespace: str, run_task: Task) -> None:
    going = f"{namespace}-going"
    manifest = {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {"name": going},
        "spec": {"finalizers": ["kubernetes"]},
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    blocker = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "blocker", "namespace": going, "finalizers": ["example.com/blocked"]},
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(blocker))
    cluster.kubectl("delete", "namespace", going, "--wait=false")
    try:
        for check_mode in (True, False):
            result = run_task("k8s_sa", check_mode=check_mode, name="app", namespace=going)
            assert result["failed"]
            assert result["error"]["code"] == "namespace_terminating"
            assert f"namespace {going} is being deleted" in result["msg"]
            assert not result["changed"]
    finally:
        patch = '{"metadata":{"finalizers":null}}'
        cluster.kubectl("patch", "configmap", "blocker", "-n", going, "--type=merge", "-p", patch)


def test_a_missing_right_names_the_rule_that_would_allow_it(cluster: Cluster, namespace: str, run_task: Task) -> None:
    limited = str(cluster.kubeconfig_for("nobody-in-particular"))
    result = run_task("k8s_sa", name="app", namespace=namespace, kubeconfig=limited)
    assert result["failed"]
    assert result["error"]["rbac_rule"] == {
        "apiGroups": [""],
        "resources": ["serviceaccounts"],
        "verbs": ["get"],
        "resourceNames": ["app"],
    }
    assert f"allow the caller to get serviceaccounts in namespace {namespace}" in result["msg"]


def test_what_was_done_is_told_although_nobody_may_look_for_what_is_left(
    cluster: Cluster, namespace: str, run_task: Task
) -> None:
    make = ["role", "maker", "--verb=get,create", "--resource=serviceaccounts", "-n", namespace]
    cluster.kubectl("create", *make)
    cluster.kubectl("create", "rolebinding", "maker", "--role=maker", f"--user=maker-{namespace}", "-n", namespace)
    options = {"namespace": namespace, "set_name": namespace, "prune": True, "impersonate_user": f"maker-{namespace}"}
    result = run_task("k8s_sa", accounts=[{"name": "one"}], **options)
    assert (result["failed"], result["changed"]) == (True, True)
    assert [action["name"] for action in result["actions"]] == ["one"]
    assert [outcome["status"] for outcome in result["outcomes"]] == ["changed"]
    assert result["msg"].startswith(f"1 of 1 done; failed: prune of the set {namespace}: cannot list serviceaccounts")
    assert result["msg"].endswith(f"allow the caller to list serviceaccounts in namespace {namespace}")
    assert result["error"]["rbac_rule"] == {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["list"]}
