# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Risks of grants against a real API server: what is refused before a write, what is warned of, what is accepted."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task

Writes = Callable[[int], list[str]]
Options = dict[str, Any]

RBAC = "rbac.authorization.k8s.io"
READ_PODS = {"verbs": ["get", "list"], "resources": ["pods"]}
READ_SECRETS = {"verbs": ["list"], "resources": ["secrets"]}
EVERYTHING = {"verbs": ["*"], "resources": ["*.*"]}
EDIT = ["secrets_read", "secrets_write", "token_create", "pod_exec", "workload_create"]


@pytest.fixture
def options(namespace: str) -> Options:
    return {"name": "grant", "namespace": namespace, "service_accounts": ["app"]}


@pytest.fixture
def wide(cluster: Cluster, namespace: str) -> Iterator[Options]:
    """Options of a cluster-wide grant, removed afterwards."""
    name = f"wide-{namespace}"
    yield {"name": name, "cluster_wide": True, "service_accounts": [f"{namespace}/app"]}
    for kind in ("clusterrolebinding", "clusterrole"):
        cluster.kubectl("delete", kind, name, "--ignore-not-found")


def words(result: dict[str, Any]) -> list[str]:
    return [risk["id"] for risk in result["risks"]]


REFUSED: list[tuple[Options, list[str], str]] = [
    ({"rules": [EVERYTHING]}, ["cluster_admin", "wildcard"], "add cluster_admin to allow_risks"),
    ({"rules": [{**READ_PODS, "verbs": ["*"]}]}, ["wildcard", "workload_create"], "add wildcard to allow_risks"),
    ({"rules": [{"verbs": ["bind"], "resources": [f"roles.{RBAC}"]}]}, ["bind"], "add bind to allow_risks"),
    ({"rules": [{"verbs": ["escalate"], "resources": [f"roles.{RBAC}"]}]}, ["escalate"], "add escalate to allow_risks"),
    (
        {"rules": [{"verbs": ["impersonate"], "resources": ["serviceaccounts"]}]},
        ["impersonate"],
        "add impersonate to allow_risks",
    ),
    ({"cluster_role": "cluster-admin"}, ["cluster_admin", "wildcard"], "ClusterRole cluster-admin allows everything"),
    (
        {"rules": [{"verbs": ["*"], "resources": [f"roles.{RBAC}"]}]},
        ["escalate", "bind", "wildcard", "rbac_write"],
        "if you accept them all, add escalate, bind, wildcard to allow_risks",
    ),
    (
        {"rules": [READ_SECRETS], "risk_policy": "deny"},
        ["secrets_read"],
        "allows list of secrets in namespace",
    ),
    (
        {"rules": [READ_PODS], "subjects": [{"kind": "Group", "name": "system:authenticated"}], "risk_policy": "deny"},
        ["anonymous_bound"],
        "which is everybody who has any credential",
    ),
]


@pytest.mark.parametrize(("refused", "found", "says"), REFUSED, ids=[case[2] for case in REFUSED])
def test_what_is_refused_is_refused_before_a_write_and_accepted_by_name(
    cluster: Cluster, run_task: Task, writes: Writes, options: Options, refused: Options, found: list[str], says: str
) -> None:
    mark = cluster.audit_mark()
    for check_mode in (True, False):
        result = run_task("k8s_sa_binding", check_mode=check_mode, **options, **refused)
        assert (result["failed"], result["changed"], result["error"]["code"]) == (True, False, "risk_refused")
        assert words(result) == found
        assert says in result["msg"]
    assert writes(mark) == []
    # of the words of a role that allows everything, one is enough
    named = [word for word in found if not (word == "wildcard" and "cluster_admin" in found)]
    predicted = run_task("k8s_sa_binding", check_mode=True, **options, **refused, allow_risks=named)
    accepted = run_task("k8s_sa_binding", **options, **refused, allow_risks=named)
    assert [one.get("warnings") for one in (predicted, accepted)] == [None, None]
    assert predicted["actions"] == accepted["actions"] != []
    assert words(accepted) == found
    # what is there already is judged like what is new
    assert run_task("k8s_sa_binding", **options, **refused)["error"]["code"] == "risk_refused"
    ignored = run_task("k8s_sa_binding", **options, **{**refused, "risk_policy": "ignore"})
    assert (ignored["changed"], ignored["risks"]) == (False, [])


def test_a_warning_tells_the_worst_in_full(namespace: str, run_task: Task, options: Options) -> None:
    rules = [READ_SECRETS, {"verbs": ["create"], "resources": ["pods"]}, {"verbs": ["get"], "resources": ["pods/exec"]}]
    for check_mode in (True, False, False):
        result = run_task("k8s_sa_binding", check_mode=check_mode, **options, rules=rules)
        assert words(result) == ["secrets_read", "pod_exec", "workload_create"]
        (warning,) = result["warnings"][-1:]
        assert warning == (
            f"Role {namespace}/grant allows list of secrets in namespace {namespace} (risk secrets_read): name the "
            "Secrets that are needed (resource_names); other risks of it are pod_exec, workload_create, see risks in "
            "the result"
        )
    assert not result["changed"]
    quiet = run_task("k8s_sa_binding", **options, rules=rules, allow_risks=words(result))
    assert "warnings" not in quiet
    assert words(quiet) == words(result)
    assert run_task("k8s_sa_binding", **options, rules=rules, risk_policy="ignore")["risks"] == []


def test_nothing_is_refused_under_the_policy_warn(run_task: Task, options: Options) -> None:
    result = run_task("k8s_sa_binding", **options, rules=[EVERYTHING], risk_policy="warn")
    assert result["changed"]
    assert "(risk cluster_admin)" in result["warnings"][0]


def test_what_is_taken_away_is_no_risk(run_task: Task, options: Options) -> None:
    accepted = run_task("k8s_sa_binding", **options, rules=[EVERYTHING, READ_SECRETS], allow_risks=["cluster_admin"])
    assert accepted["changed"]
    takes: list[Options] = [
        {"role": "grant", "subjects_mode": "remove"},
        {"role": "grant", "service_accounts": []},
        {"rules": [READ_SECRETS, EVERYTHING], "rules_mode": "remove"},
        {"cluster_role": "cluster-admin", "expires_at": "2020-01-01T00:00:00Z"},
    ]
    for take in takes:
        result = run_task("k8s_sa_binding", **{**options, **take})
        assert not result.get("failed"), result["msg"]
        assert (result["risks"], result.get("warnings")) == ([], None)
    gone = run_task("k8s_sa_binding", **options, state="absent", rules=[EVERYTHING])
    assert (gone["risks"], gone.get("failed")) == ([], None)


def test_a_role_that_is_referred_to_is_judged_as_it_is(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "role", "theirs", "--verb=get", "--resource=pods", "-n", namespace)
    assert words(run_task("k8s_sa_binding", **options, role="theirs")) == []
    patch = [{"op": "add", "path": "/rules/-", "value": {"apiGroups": [""], "resources": ["*"], "verbs": ["*"]}}]
    cluster.kubectl("patch", "role", "theirs", "-n", namespace, "--type=json", "-p", json.dumps(patch))
    refused = run_task("k8s_sa_binding", **options, role="theirs")
    assert refused["error"]["code"] == "risk_refused"
    assert refused["risks"][0]["object"] == {"kind": "Role", "namespace": namespace, "name": "theirs"}
    assert "which includes secrets_read, secrets_write, token_create, workload_create" in refused["msg"]


def test_odd_rules_are_read_as_the_server_reads_them(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    rules = [
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"], "resourceNames": [""]},
        {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["list"], "resourceNames": ["a"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["create"], "resourceNames": ["web"]},
        {"apiGroups": [""], "resources": ["nodes/proxy"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["get", "patch"]},
    ]
    metadata = {"name": "odd", "namespace": namespace}
    manifest = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": metadata, "rules": rules}
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    assert words(run_task("k8s_sa_binding", **options, role="odd")) == ["secrets_read", "namespace_patch"]

    def may(*command: str) -> bool:
        account = f"--as=system:serviceaccount:{namespace}:app"
        return "(Forbidden)" not in cluster.kubectl(*command, account, "-n", namespace, check=False).stderr

    assert may("get", "secrets")
    assert may("label", "namespace", namespace, "a=b")
    assert may("get", "configmaps", "--field-selector=metadata.name=a")
    assert not may("get", "configmaps")
    assert not may("run", "web", "--image=none")
    assert not may("get", "--raw", "/api/v1/nodes/node-1/proxy/")


def test_edit_is_worth_a_warning_in_a_namespace_and_refused_in_the_cluster(
    run_task: Task, options: Options, wide: Options
) -> None:
    assert words(run_task("k8s_sa_binding", check_mode=True, **options, cluster_role="edit")) == EDIT
    assert words(run_task("k8s_sa_binding", check_mode=True, **options, cluster_role="admin")) == [*EDIT, "rbac_write"]
    assert words(run_task("k8s_sa_binding", check_mode=True, **options, cluster_role="view")) == []
    refused = run_task("k8s_sa_binding", **wide, cluster_role="edit")
    assert "allows impersonate of serviceaccounts cluster-wide" in refused["msg"]


def test_who_may_impersonate_the_accounts_of_a_namespace_has_them_by_their_tokens_too(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    """Why edit is not refused there: the same account is reached either way, and none elsewhere."""
    run_task("k8s_sa", namespace=namespace, accounts=[{"name": "app"}, {"name": "target"}])
    run_task("k8s_sa_binding", **options, cluster_role="edit", allow_risks=EDIT)
    account = f"--as=system:serviceaccount:{namespace}:app"
    for question, where, expected in (
        (["create", "serviceaccounts/target", "--subresource=token"], namespace, "yes"),
        (["impersonate", "serviceaccounts/target"], namespace, "yes"),
        (["impersonate", "serviceaccounts/target"], "kube-system", "no"),
        (["impersonate", "users/bob"], namespace, "no"),
    ):
        answer = cluster.kubectl("auth", "can-i", *question, account, "-n", where, check=False)
        assert answer.stdout.strip() == expected, (question, where, answer)


def test_cluster_wide_without_need(run_task: Task, wide: Options) -> None:
    result = run_task("k8s_sa_binding", **wide, rules=[READ_PODS])
    assert words(result) == ["cluster_wide_without_need"]
    assert result["risks"][0]["object"]["kind"] == "ClusterRoleBinding"
    nodes = {"verbs": ["get"], "resources": ["nodes"]}
    assert words(run_task("k8s_sa_binding", **wide, rules=[READ_PODS, nodes])) == []


def test_an_aggregated_role_is_judged_by_what_it_collects(
    cluster: Cluster, namespace: str, run_task: Task, wide: Options
) -> None:
    part, label = f"part-{namespace}", f"collect-{namespace}"
    selectors: list[Options] = [
        {"match_labels": {label: "yes"}, "match_expressions": [{"key": "other", "operator": "DoesNotExist"}]}
    ]
    cluster.kubectl("create", "clusterrole", part, "--verb=escalate", f"--resource=clusterroles.{RBAC}")
    try:
        assert words(run_task("k8s_sa_binding", check_mode=True, **wide, aggregation_selectors=selectors)) == []
        cluster.kubectl("label", "clusterrole", part, f"{label}=yes")
        refused = run_task("k8s_sa_binding", **wide, aggregation_selectors=selectors)
        assert refused["error"]["code"] == "risk_refused"
        assert words(refused) == ["escalate"]
        assert not cluster.kubectl("get", "clusterrole", wide["name"], "--ignore-not-found").stdout
    finally:
        cluster.kubectl("delete", "clusterrole", part)


@pytest.fixture
def no_reader(cluster: Cluster, namespace: str) -> Iterator[Options]:
    """A caller who may grant in the namespace and read no cluster role."""
    user = f"granter-{namespace}"
    manifest = {
        "apiVersion": f"{RBAC}/v1",
        "kind": "ClusterRole",
        "metadata": {"name": user},
        "rules": [
            {"apiGroups": [RBAC], "resources": ["roles", "rolebindings"], "verbs": ["*"]},
            {"apiGroups": [RBAC], "resources": ["clusterroles"], "verbs": ["bind"]},
        ],
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    cluster.kubectl("create", "clusterrolebinding", user, f"--clusterrole={user}", f"--user={user}")
    yield {"impersonate_user": user}
    cluster.kubectl("delete", "clusterrolebinding,clusterrole", user)


def test_roles_of_kubernetes_are_known_to_who_may_not_read_them(
    cluster: Cluster, run_task: Task, writes: Writes, options: Options, no_reader: Options
) -> None:
    mark = cluster.audit_mark()
    refused = run_task("k8s_sa_binding", **options, **no_reader, cluster_role="cluster-admin")
    assert refused["error"]["code"] == "risk_refused"
    assert writes(mark) == []
    edit = run_task("k8s_sa_binding", **options, **no_reader, cluster_role="edit")
    assert (edit["changed"], words(edit)) == (True, EDIT)
    # the same words as whoever can read them gets
    assert words(run_task("k8s_sa_binding", **options, cluster_role="edit")) == EDIT


def test_in_a_list_each_grant_is_judged_for_itself(cluster: Cluster, namespace: str, run_task: Task) -> None:
    bindings: list[Options] = [
        {"name": "fine", "rules": [READ_PODS]},
        {"name": "refused", "rules": [{**READ_PODS, "verbs": ["*"]}]},
        {"name": "warned", "rules": [READ_SECRETS]},
    ]
    result = run_task("k8s_sa_binding", namespace=namespace, service_accounts=["app"], bindings=bindings)
    assert [one["status"] for one in result["outcomes"]] == ["changed", "failed", "changed"]
    assert [words(one) for one in result["outcomes"]] == [[], ["wildcard", "workload_create"], ["secrets_read"]]
    (warning,) = result["warnings"]
    assert f"Role {namespace}/warned allows list of secrets" in warning
    found = cluster.kubectl("get", "roles", "-n", namespace, "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    assert sorted(found) == ["fine", "warned"]
