# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_binding against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task

Writes = Callable[[int], list[str]]

READ_PODS = {"verbs": ["get", "list"], "resources": ["pods"]}


def live(cluster: Cluster, kind: str, name: str, namespace: str | None = None) -> dict[str, Any]:
    where = ["-n", namespace] if namespace else []
    answer: dict[str, Any] = json.loads(cluster.kubectl("get", kind, name, *where, "-o", "json").stdout)
    return answer


STEPS: list[tuple[str, dict[str, Any], str, int]] = [
    ("create", {"rules": [READ_PODS], "service_accounts": ["app"]}, "missing", 2),
    ("another verb", {"rules": [{**READ_PODS, "verbs": ["get"]}], "service_accounts": ["app"]}, "rules_changed", 1),
    (
        "another subject",
        {"rules": [{**READ_PODS, "verbs": ["get"]}], "service_accounts": ["app", "else/where"]},
        "subjects_changed",
        1,
    ),
    (
        "a group",
        {"rules": [{**READ_PODS, "verbs": ["get"]}], "subjects": [{"kind": "Group", "name": "devs"}]},
        "subjects_changed",
        1,
    ),
    ("labels", {"rules": [{**READ_PODS, "verbs": ["get"]}], "labels": {"a": "1"}}, "metadata_changed", 1),
    ("nobody", {"rules": [{**READ_PODS, "verbs": ["get"]}], "service_accounts": []}, "subjects_changed", 1),
    ("delete", {"state": "absent"}, "unwanted", 2),
]


def test_each_change_is_predicted_made_once_and_not_again(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes
) -> None:
    for step, options, reason, count in STEPS:
        mark = cluster.audit_mark()
        predicted = run_task("k8s_sa_binding", check_mode=True, name="grant", namespace=namespace, **options)
        assert not writes(mark), step
        made = run_task("k8s_sa_binding", name="grant", namespace=namespace, **options)
        again = run_task("k8s_sa_binding", name="grant", namespace=namespace, **options)
        assert (made["changed"], made["actions"][-1]["reason"]) == (True, reason), (step, made)
        assert predicted["actions"] == made["actions"], step
        assert (again["changed"], again["actions"]) == (False, []), step
        assert len(writes(mark)) == count, (step, writes(mark))
        assert predicted["diff"] == made["diff"], step


def test_what_is_granted_is_granted(cluster: Cluster, namespace: str, run_task: Task) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    rules = [
        {"verbs": ["get", "list"], "resources": ["pods", "pods/log", "deployments.apps/scale"]},
        {"verbs": ["update"], "resources": ["configmaps"], "resource_names": ["settings"]},
    ]
    run_task("k8s_sa_binding", name="grant", namespace=namespace, rules=rules, service_accounts=["app"])
    questions = {
        ("get", "pods"): True,
        ("get", "pods/log"): True,
        ("get", "deployments.apps/scale"): True,
        ("get", "deployments.apps"): False,
        ("update", "configmap/settings"): True,
        ("update", "configmap/others"): False,
        ("delete", "pods"): False,
    }
    for (verb, asked), expected in questions.items():
        is_named = asked.startswith("configmap/")
        resource, subresource = (asked, "") if is_named else asked.partition("/")[::2]
        flags = [f"--subresource={subresource}"] if subresource else []
        account = f"--as=system:serviceaccount:{namespace}:app"
        answer = cluster.kubectl("auth", "can-i", verb, resource, *flags, account, "-n", namespace, check=False)
        assert (answer.stdout.strip() == "yes") is expected, (verb, asked, answer)


EQUAL_WAYS: list[list[dict[str, Any]]] = [
    [{"verbs": ["get", "list"], "resources": ["pods", "services"]}],
    [{"verbs": ["list", "get", "get"], "resources": ["services", "pods"]}],
    [{"verbs": ["get", "list"], "resources": ["pods"]}, {"verbs": ["get", "list"], "resources": ["services"]}],
    [{"verbs": ["get", "list"], "resources": ["pods", "services"], "api_groups": [""]}],
    [{"verbs": [verb], "resources": [resource]} for verb in ("get", "list") for resource in ("services", "pods")],
]


def test_how_rules_and_subjects_are_written_is_no_change(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes
) -> None:
    run_task("k8s_sa_binding", name="grant", namespace=namespace, rules=EQUAL_WAYS[0], service_accounts=["a", "b"])
    mark = cluster.audit_mark()
    for rules in EQUAL_WAYS:
        subjects = [
            {"kind": "ServiceAccount", "name": "b"},
            {"kind": "ServiceAccount", "name": "a", "namespace": namespace},
        ]
        result = run_task(
            "k8s_sa_binding", name="grant", namespace=namespace, rules=rules, subjects=subjects, service_accounts=["a"]
        )
        assert not result["changed"], rules
    assert not writes(mark)


def test_a_subject_without_namespace_means_the_bindings(cluster: Cluster, namespace: str, run_task: Task) -> None:
    manifest = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "grant", "namespace": namespace},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "view"},
        "subjects": [{"kind": "ServiceAccount", "name": "app"}],
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    result = run_task(
        "k8s_sa_binding", name="grant", namespace=namespace, cluster_role="view", service_accounts=[f"{namespace}/app"]
    )
    assert not result["changed"]


def test_exact_takes_away_what_is_not_declared(cluster: Cluster, namespace: str, run_task: Task) -> None:
    run_task("k8s_sa_binding", name="grant", namespace=namespace, rules=[READ_PODS], service_accounts=["a", "b"])
    cluster.kubectl("label", "rolebinding", "grant", "theirs=1", "-n", namespace)
    result = run_task(
        "k8s_sa_binding",
        name="grant",
        namespace=namespace,
        rules=[{"verbs": ["get", "watch"], "resources": ["pods"]}],
        service_accounts=["c", "b"],
    )
    subject = {"kind": "ServiceAccount", "namespace": namespace}
    assert result["missing_rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["watch"]}]
    assert result["extra_rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert result["missing_subjects"] == [{**subject, "name": "c"}]
    assert result["extra_subjects"] == [{**subject, "name": "a"}]
    after = live(cluster, "rolebinding", "grant", namespace)
    assert [entry["name"] for entry in after["subjects"]] == ["b", "c"]
    assert after["metadata"]["labels"] == {"theirs": "1"}


@pytest.fixture
def cluster_wide(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A name for cluster-scoped objects, removed afterwards."""
    yield f"{namespace}:wide"
    for kind in ("clusterrolebinding", "clusterrole"):
        cluster.kubectl("delete", kind, f"{namespace}:wide", "--ignore-not-found")


def test_cluster_wide(cluster: Cluster, namespace: str, run_task: Task, cluster_wide: str) -> None:
    rules = [{"verbs": ["get"], "resources": ["nodes"]}, {"verbs": ["get"], "non_resource_urls": ["/metrics"]}]
    options = {"name": cluster_wide, "cluster_wide": True, "rules": rules, "service_accounts": [f"{namespace}/app"]}
    assert run_task("k8s_sa_binding", **options)["changed"]
    assert not run_task("k8s_sa_binding", **options)["changed"]
    account = f"--as=system:serviceaccount:{namespace}:app"
    assert cluster.kubectl("auth", "can-i", "get", "/metrics", account).stdout.strip() == "yes"
    gone = run_task("k8s_sa_binding", name=cluster_wide, cluster_wide=True, state="absent")
    assert [entry["kind"] for entry in gone["actions"]] == ["ClusterRoleBinding", "ClusterRole"]


def test_absent_keeps_a_role_that_is_not_ours_or_still_used(cluster: Cluster, namespace: str, run_task: Task) -> None:
    cluster.kubectl("create", "role", "theirs", "--verb=get", "--resource=pods", "-n", namespace)
    run_task("k8s_sa_binding", name="theirs", namespace=namespace, role="theirs", service_accounts=["app"])
    assert [
        entry["kind"]
        for entry in run_task("k8s_sa_binding", name="theirs", namespace=namespace, state="absent")["actions"]
    ] == ["RoleBinding"]
    run_task("k8s_sa_binding", name="ours", namespace=namespace, rules=[READ_PODS], service_accounts=["app"])
    run_task("k8s_sa_binding", name="second", namespace=namespace, role="ours", service_accounts=["app"])
    kept = run_task("k8s_sa_binding", name="ours", namespace=namespace, state="absent")
    assert [entry["kind"] for entry in kept["actions"]] == ["RoleBinding"]
    live(cluster, "role", "ours", namespace)


def test_a_role_alone(cluster: Cluster, namespace: str, run_task: Task, writes: Writes) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_binding", name="only", namespace=namespace, rules=[READ_PODS])
    assert writes(mark) == [f"create roles {namespace}/only"]
    assert result["binding"] is None


def test_a_missing_role_is_an_error_and_in_check_mode_a_note(namespace: str, run_task: Task) -> None:
    options = {"name": "grant", "namespace": namespace, "role": "nothing", "service_accounts": ["app"]}
    predicted = run_task("k8s_sa_binding", check_mode=True, **options)
    assert predicted["changed"]
    assert f"Role {namespace}/nothing does not exist yet" in predicted["warnings"][0]
    result = run_task("k8s_sa_binding", **options)
    assert result["failed"]
    assert result["error"]["code"] == "missing_role"


def test_another_role_is_refused_before_any_write(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes
) -> None:
    run_task("k8s_sa_binding", name="grant", namespace=namespace, cluster_role="view", service_accounts=["app"])
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_binding", name="grant", namespace=namespace, rules=[READ_PODS], service_accounts=["app"])
    assert result["failed"]
    assert result["error"]["code"] == "role_changed"
    assert "refers to ClusterRole view, not to Role grant" in result["msg"]
    assert not writes(mark)


def test_kubernetes_own_roles_are_left_alone(run_task: Task) -> None:
    rules = [{"verbs": ["get"], "resources": ["pods"]}]
    result = run_task("k8s_sa_binding", name="system:basic-user", cluster_wide=True, rules=rules)
    assert result["failed"]
    assert "belongs to Kubernetes itself" in result["msg"]


def test_an_aggregated_role_takes_no_rules(run_task: Task) -> None:
    result = run_task(
        "k8s_sa_binding", name="view", cluster_wide=True, rules=[{"verbs": ["get"], "resources": ["pods"]}]
    )
    assert result["failed"]
    assert "is aggregated" in result["msg"]


def test_an_escalation_is_explained(cluster: Cluster, namespace: str, run_task: Task) -> None:
    manage = "--verb=get,list,create,update"
    cluster.kubectl("create", "role", "manager", manage, "--resource=roles,rolebindings", "-n", namespace)
    cluster.kubectl("create", "rolebinding", "manager", "--role=manager", "--user=manager", "-n", namespace)
    limited = str(cluster.kubeconfig_for("manager"))
    result = run_task("k8s_sa_binding", name="grant", namespace=namespace, rules=[READ_PODS], kubeconfig=limited)
    assert result["failed"]
    assert result["error"]["code"] == "escalation"
    assert f"the verb escalate on roles in namespace {namespace}" in result["error"]["hint"]
    assert result["error"]["rbac_rule"] is None, "nobody should escalate who can be given the rules"
    lacking = {"apiGroups": [""], "resources": ["pods"]}
    assert [{**rule, "verbs": None} for rule in result["error"]["missing_rules"]] == [{**lacking, "verbs": None}]


def test_a_grant_ends(namespace: str, run_task: Task) -> None:
    options = {"name": "grant", "namespace": namespace, "rules": [READ_PODS], "service_accounts": ["app"]}
    run_task("k8s_sa_binding", **options, expires_at="2999-01-01T00:00:00Z")
    ended = run_task("k8s_sa_binding", **options, expires_at="2020-01-01T00:00:00Z")
    assert [entry["reason"] for entry in ended["actions"]] == ["expired", "expired"]
    assert not run_task("k8s_sa_binding", **options, expires_at="2020-01-01T00:00:00Z")["changed"]


def test_many_at_once(cluster: Cluster, namespace: str, run_task: Task, writes: Writes) -> None:
    bindings = [
        {"name": f"grant-{number}", "rules": [READ_PODS], "service_accounts": [f"app-{number}"]} for number in range(25)
    ]
    mark = cluster.audit_mark()
    predicted = run_task("k8s_sa_binding", check_mode=True, bindings=bindings, namespace=namespace)
    assert not writes(mark)
    made = run_task("k8s_sa_binding", bindings=bindings, namespace=namespace)
    assert made["actions"] == predicted["actions"]
    assert len(writes(mark)) == 50
    again = run_task("k8s_sa_binding", bindings=bindings, namespace=namespace)
    assert (again["changed"], again["requests"]) == (False, 2), "two LISTs for fifty objects"


def test_prune_takes_roles_and_bindings(cluster: Cluster, namespace: str, run_task: Task, writes: Writes) -> None:
    def declare(*names: str, check_mode: bool = False) -> dict[str, Any]:
        bindings = [{"name": name, "rules": [READ_PODS], "service_accounts": ["app"]} for name in names]
        return run_task(
            "k8s_sa_binding",
            check_mode=check_mode,
            bindings=bindings,
            namespace=namespace,
            set_name=namespace,
            prune=True,
        )

    declare("a", "b")
    mark = cluster.audit_mark()
    predicted = declare("a", check_mode=True)
    made = declare("a")
    assert made["actions"] == predicted["actions"]
    assert writes(mark) == [f"delete rolebindings {namespace}/b", f"delete roles {namespace}/b"]
    assert not declare("a")["changed"]


def test_an_empty_name_in_a_rule_is_not_any_name(cluster: Cluster, namespace: str, run_task: Task) -> None:
    manifest = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "narrow", "namespace": namespace},
        "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"], "resourceNames": [""]}],
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    rules = [{"verbs": ["get"], "resources": ["pods"]}]
    result = run_task("k8s_sa_binding", name="narrow", namespace=namespace, rules=rules)
    assert result["reason"] == "rules_changed"
    assert result["extra_rules"] == [], "whoever may get every pod may also get those without a name"


def test_a_role_that_is_being_deleted(cluster: Cluster, namespace: str, run_task: Task) -> None:
    run_task("k8s_sa_binding", name="going", namespace=namespace, rules=[READ_PODS])
    hold = '{"metadata":{"finalizers":["example.com/hold"]}}'
    cluster.kubectl("patch", "role", "going", "-n", namespace, "--type=merge", "-p", hold)
    cluster.kubectl("delete", "role", "going", "-n", namespace, "--wait=false")
    try:
        for options in ({"rules": [READ_PODS]}, {"role": "going", "service_accounts": ["app"]}):
            result = run_task("k8s_sa_binding", name="going", namespace=namespace, **options)
            assert result["failed"]
            assert result["error"]["code"] == "terminating"
    finally:
        release = '{"metadata":{"finalizers":null}}'
        cluster.kubectl("patch", "role", "going", "-n", namespace, "--type=merge", "-p", release)


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    (
        {"name": "g", "namespace": "ci", "rules": [{**READ_PODS, "resource_names": []}]},
        "rules[0].resource_names is empty or holds an empty name",
    ),
    ({"name": "g", "role": "r", "service_accounts": ["a"]}, "neither namespace nor cluster_wide is given"),
    (
        {"name": "g", "namespace": "ci", "cluster_wide": True, "role": "r", "service_accounts": ["a"]},
        "namespace and cluster_wide exclude each other",
    ),
    ({"name": "g", "namespace": "ci", "service_accounts": ["a"]}, "no role is given"),
    ({"name": "g", "namespace": "ci", "role": "r"}, "without subjects there is nothing to do"),
    ({"name": "g", "namespace": "ci", "role": "r", "cluster_role": "c"}, "role and cluster_role exclude each other"),
    ({"name": "g", "namespace": "ci", "role": "r", "rules": [READ_PODS]}, "role and rules exclude each other"),
    (
        {"name": "g", "cluster_wide": True, "role": "r", "service_accounts": ["a/b"]},
        "a Role cannot be granted cluster-wide",
    ),
    ({"name": "g", "cluster_wide": True, "cluster_role": "r", "service_accounts": ["a"]}, "'a' names no namespace"),
    (
        {"name": "g", "cluster_wide": True, "cluster_role": "r", "subjects": [{"kind": "ServiceAccount", "name": "a"}]},
        "needs its namespace in a cluster-wide grant",
    ),
    ({"name": "g", "namespace": "ci", "rules": [{"verbs": [], "resources": ["pods"]}]}, "rules[0].verbs is empty"),
    ({"name": "g", "namespace": "ci", "rules": [{"verbs": ["get"]}]}, "rules[0].resources is empty"),
    ({"name": "g", "namespace": "ci", "rules": [{"verbs": ["GET"], "resources": ["pods"]}]}, "'GET' is not a verb"),
    (
        {"name": "g", "namespace": "ci", "rules": [{"verbs": ["get"], "resources": ["Pods"]}]},
        "'Pods' is not a resource",
    ),
    (
        {
            "name": "g",
            "namespace": "ci",
            "rules": [{"verbs": ["get"], "resources": ["pods"], "api_groups": ["apps/v1"]}],
        },
        "'apps/v1' names a version",
    ),
    (
        {
            "name": "g",
            "namespace": "ci",
            "rules": [{"verbs": ["get"], "resources": ["pods"], "non_resource_urls": ["/x"]}],
        },
        "resources and non_resource_urls exclude each other",
    ),
    (
        {"name": "g", "namespace": "ci", "rules": [{"verbs": ["get"], "non_resource_urls": ["/x"]}]},
        "belong to no namespace",
    ),
    (
        {
            "name": "g",
            "cluster_wide": True,
            "rules": [{"verbs": ["get"], "non_resource_urls": ["/x"], "api_groups": [""]}],
        },
        "rules[0]: api_groups and non_resource_urls exclude each other",
    ),
    (
        {"name": "g", "namespace": "ci", "rules": [{"verbs": ["get"], "resources": ["deployments.apps."]}]},
        "'deployments.apps.' is not a resource",
    ),
    ({"bindings": 5}, "bindings is a number, not a list"),
    ({"name": "g", "namespace": "ci", "rules": "x"}, "rules is a text, not a list"),
    ({"name": "g", "namespace": "ci", "rules": [{"verb": ["get"]}]}, "rules[0].verb: did you mean verbs?"),
    (
        {"bindings": [{"name": "g", "namespace": "ci", "rules": [{**READ_PODS, "resources": [["pods"]]}]}]},
        "bindings[0].rules[0].resources[0] is a list, not a text",
    ),
    ({"name": "a/b", "namespace": "ci", "role": "r", "service_accounts": ["a"]}, "is not a valid RBAC name"),
    (
        {"namespace": "ci", "bindings": [{"name": n, "rules": [READ_PODS], "role_name": "same"} for n in ("a", "b")]},
        "2 entries make Role ci/same",
    ),
]


@pytest.mark.parametrize(("options", "sentence"), BAD_INPUT)
def test_bad_input_ends_in_one_sentence_before_any_request(
    cluster: Cluster, run_task: Task, options: dict[str, Any], sentence: str
) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_binding", **options)
    assert result["failed"]
    assert sentence in result["msg"]
    assert "\n" not in result["msg"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


def test_brief_outcomes_are_the_same_without_the_objects(namespace: str, run_task: Task) -> None:
    bindings = [{"name": name, "rules": [READ_PODS], "service_accounts": [name]} for name in ("a", "b")]
    bindings.append({"name": "c", "state": "absent"})
    whole = run_task("k8s_sa_binding", namespace=namespace, bindings=bindings, check_mode=True)
    brief = run_task("k8s_sa_binding", namespace=namespace, bindings=bindings, check_mode=True, brief_outcomes=True)
    assert brief["actions"] == whole["actions"]
    left_out = [whole["outcomes"][at].keys() - brief["outcomes"][at].keys() for at in range(3)]
    objects, differences = {"role", "binding"}, {"missing_rules", "extra_rules", "missing_subjects", "extra_subjects"}
    assert left_out == [objects | differences, objects | differences, differences]
    assert brief["outcomes"][2]["binding"] is None
    single = run_task("k8s_sa_binding", namespace=namespace, **bindings[0], brief_outcomes=True)
    assert single["binding"]["metadata"]["name"] == "a"
