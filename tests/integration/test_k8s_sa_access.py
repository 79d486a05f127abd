# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_access against a real API server."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task
from rights.callers import Caller, create_callers, delete_callers
from rights.manifests import shipped_roles

Options = dict[str, Any]
Grant = Callable[..., None]
Person = Callable[[Sequence[Options]], Path]

READ_PODS = {"verbs": ["get", "list"], "resources": ["pods"]}
AUTHORIZATION = "authorization.k8s.io"


@pytest.fixture
def app(cluster: Cluster, namespace: str) -> Options:
    """An account that exists."""
    cluster.kubectl("create", "serviceaccount", "app", "-n", namespace)
    return {"service_account": "app", "namespace": namespace}


def settle(cluster: Cluster, user: str, namespace: str, rules: Sequence[Options]) -> None:
    """Wait until the authorizer has heard of new rules."""
    named = rules[-1].get("resource_names")
    what = f"{rules[-1]['resources'][-1]}{'/' + named[0] if named else ''}"
    question = ["auth", "can-i", rules[-1]["verbs"][-1], what, "-n", namespace, f"--as={user}"]
    for dummy in range(100):
        if cluster.kubectl(*question, check=False).stdout.startswith("yes"):
            return
        time.sleep(0.1)
    raise AssertionError(f"{user} may not {question[2:4]}")


@pytest.fixture
def grant(cluster: Cluster, run_task: Task, namespace: str) -> Iterator[Grant]:
    """Grant something to the account; cluster-wide grants are taken back at the end."""
    cluster_wide = []

    def make(name: str = "app", **options: Any) -> None:
        where: Options = {} if options.get("cluster_wide") else {"namespace": namespace}
        whom = {} if "subjects" in options else {"service_accounts": [f"{namespace}/app"]}
        done = run_task("k8s_sa_binding", **{"name": name, **where, **whom, **options})
        assert not done.get("failed"), done["msg"]
        if options.get("cluster_wide"):
            cluster_wide.append(name)
        if whom and "rules" in options:
            where_it_holds = str(options.get("namespace", namespace))
            settle(cluster, f"system:serviceaccount:{namespace}:app", where_it_holds, options["rules"])

    yield make
    for name in cluster_wide:
        run_task("k8s_sa_binding", name=name, cluster_wide=True, state="absent")


@pytest.fixture
def person(cluster: Cluster, namespace: str, run_task: Task) -> Iterator[Person]:
    """The kubeconfig of somebody who has these rights: grants without names and subjects."""
    user = f"person-{namespace}"
    made: list[Options] = []

    def allowed(rights: Sequence[Options]) -> Path:
        for number, right in enumerate(rights):
            one = {"name": f"{user}-{number}", **right, "subjects": [{"kind": "User", "name": user}]}
            done = run_task("k8s_sa_binding", **one)
            assert not done.get("failed"), done["msg"]
            made.append(one)
            settle(cluster, user, namespace, right["rules"])
        return cluster.kubeconfig_for(user)

    yield allowed
    for one in made:
        if one.get("cluster_wide"):
            run_task("k8s_sa_binding", **{**one, "state": "absent"})


def allowed(result: Options) -> dict[str, bool]:
    return {one["entry"]: one["allowed"] for one in result["verdicts"]}


def test_a_table_that_holds(
    cluster: Cluster, app: Options, grant: Grant, run_task: Task, writes: Callable[[int], list[str]], namespace: str
) -> None:
    grant(rules=[READ_PODS, {"verbs": ["update"], "resources": ["configmaps"], "resource_names": ["release"]}])
    # what two bindings allow, the server says now of one and now of the other
    can = ["get pods", f"list pods in {namespace}", "update configmaps named release", "get /api"]
    cannot = ["get pods in default", "get pods/log", "update configmaps", "get secrets in any namespace", "list nodes"]
    mark = cluster.audit_mark()
    proof = run_task("k8s_sa_access", **app, can=can, cannot=cannot)
    assert (proof["reason"], proof["msg"]) == ("holds", f"{namespace}/app: 9 of 9 entries hold")
    assert (proof["changed"], proof["actions"], proof["exists"]) == (False, [], True)
    assert "failed" not in proof
    assert "diff" not in proof
    assert "warnings" not in proof
    assert [one["expected"] for one in proof["verdicts"]] == [True] * 4 + [False] * 5
    assert all(one["holds"] and one["expected"] == one["allowed"] for one in proof["verdicts"])
    assert proof["verdicts"][0] == {
        "entry": f"get pods in {namespace}",
        "expected": True,
        "allowed": True,
        "holds": True,
        "denied": False,
        "reason": f'RBAC: allowed by RoleBinding "app/{namespace}" of Role "app" to ServiceAccount "app/{namespace}"',
        "granted_by": None,
    }
    predicted = run_task("k8s_sa_access", check_mode=True, **app, can=can, cannot=cannot)
    # what the authorizer has not heard of yet is asked again
    assert {**predicted, "requests": proof["requests"]} == proof
    assert writes(mark) == []


def test_every_deviation_is_in_the_message_with_what_is_behind_it(
    app: Options, grant: Grant, run_task: Task, namespace: str
) -> None:
    grant(rules=[READ_PODS])
    table = {"can": ["get pods", "create deployments.apps", "delete pods"], "cannot": ["list pods", "get secrets"]}
    failed = run_task("k8s_sa_access", **app, **table, wait=0)
    assert failed["msg"] == (
        f"{namespace}/app: may not create deployments.apps in {namespace} "
        f"(no binding cluster-wide or in {namespace} grants it anything on deployments.apps); "
        f"may not delete pods in {namespace} "
        f"(RoleBinding {namespace}/app through Role app grants get, list on pods, but not the verb delete); "
        f"may list pods in {namespace} (granted by RoleBinding {namespace}/app through Role app (get, list on pods)): "
        "change the grants (k8s_sa_binding) or the list of entries"
    )
    assert (failed["failed"], failed["changed"], failed["reason"]) == (True, False, "access_deviates")
    assert failed["error"]["code"] == "access_deviates"
    assert [one["holds"] for one in failed["verdicts"]] == [True, False, False, False, True]
    assert [(one["entry"], one["cause"]) for one in failed["explain"]] == [
        (f"create deployments.apps in {namespace}", "no_binding"),
        (f"delete pods in {namespace}", "rule_too_narrow"),
        (f"list pods in {namespace}", "granted"),
    ]
    assert failed["explain"][0]["missing_rule"] == {
        "apiGroups": ["apps"],
        "resources": ["deployments"],
        "verbs": ["create"],
    }
    assert [one["name"] for one in failed["verdicts"][3]["granted_by"]] == ["app"]


@pytest.mark.parametrize(
    "subject",
    [
        {"kind": "Group", "name": "system:serviceaccounts"},
        {"kind": "Group", "name": "system:serviceaccounts:{}"},
        {"kind": "Group", "name": "system:authenticated"},
        {"kind": "User", "name": "system:serviceaccount:{}:app"},
    ],
    ids=lambda subject: subject["name"],
)
def test_what_the_account_has_by_its_groups_and_its_name_counts(
    app: Options, grant: Grant, run_task: Task, namespace: str, subject: Options
) -> None:
    subject = {**subject, "name": subject["name"].format(namespace)}
    grant(rules=[READ_PODS], subjects=[subject])
    proof = run_task("k8s_sa_access", **app, can=["get pods"], explain=True)
    assert proof["reason"] == "holds", proof["msg"]
    (held,) = proof["verdicts"][0]["granted_by"]
    assert {key: held["subject"][key] for key in ("kind", "name")} == subject


def test_what_is_nearest_is_told(cluster: Cluster, app: Options, grant: Grant, run_task: Task, namespace: str) -> None:
    grant(rules=[READ_PODS])
    grant("nodes", cluster_role="system:node")
    cluster.kubectl(
        "create", "rolebinding", "gone", "--role=gone", f"--serviceaccount={namespace}:app", "-n", "default"
    )
    try:
        cannot = [
            "get pods/log",
            "get pods in kube-system",
            "get secrets in default",
            "create cronjobs.batch",
            "get nodes",
        ]
        proof = run_task("k8s_sa_access", **app, cannot=cannot, explain=True)
    finally:
        cluster.kubectl("delete", "rolebinding", "gone", "-n", "default")
    assert proof["reason"] == "holds", proof["msg"]
    assert [one["cause"] for one in proof["explain"]] == [
        "rule_too_narrow",
        "binding_elsewhere",
        "missing_role",
        "no_binding",
        "binding_elsewhere",
    ]
    assert (
        proof["explain"][2]["evidence"] == "RoleBinding default/gone refers to Role default/gone, which does not exist"
    )
    assert all(one["granted_by"] == [] for one in proof["verdicts"])


def test_any_namespace_is_looked_at(app: Options, grant: Grant, run_task: Task) -> None:
    rules = [{"verbs": ["get"], "resources": ["secrets"]}]
    anywhere = ["get secrets in any namespace"]
    assert run_task("k8s_sa_access", **app, cannot=anywhere)["reason"] == "holds"
    grant(namespace="default", rules=rules)
    try:
        assert run_task("k8s_sa_access", **app, cannot=["get secrets"])["reason"] == "holds"
        assert run_task("k8s_sa_access", **app, can=anywhere)["reason"] == "holds"
        failed = run_task("k8s_sa_access", **app, cannot=anywhere, wait=0)
    finally:
        run_task("k8s_sa_binding", name="app", namespace="default", state="absent")
    granted = "granted by RoleBinding default/app through Role app (get on secrets)"
    assert f"may get secrets in any namespace ({granted})" in failed["msg"]


def test_effective_rules(app: Options, grant: Grant, run_task: Task, namespace: str) -> None:
    grant(f"all-{namespace}", cluster_wide=True, rules=[{"verbs": ["get"], "resources": ["pods"]}])
    grant(rules=[READ_PODS, {"verbs": ["list"], "resources": ["pods"], "resource_names": ["a"]}])
    told = run_task("k8s_sa_access", **app, effective_rules=True)
    assert (told["reason"], told["verdicts"]) == ("answered", [])
    places = {place["namespace"]: place["rules"] for place in told["effective_rules"]}
    assert places[namespace] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]
    assert {"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]} in places[None]
    # what every account may do, by the group of all who are known
    assert {
        "apiGroups": [AUTHORIZATION],
        "resources": ["selfsubjectaccessreviews", "selfsubjectrulesreviews"],
        "verbs": ["create"],
    } in places[None]


def groups(answer: Options) -> set[str]:
    return {one["name"] for one in answer["subjects"] if one["kind"] == "Group"}


def test_who_can(cluster: Cluster, app: Options, grant: Grant, run_task: Task, namespace: str) -> None:
    people = [{"kind": "User", "name": f"jane-{namespace}"}, {"kind": "Group", "name": f"devs-{namespace}"}]
    grant("readers", rules=[READ_PODS], subjects=people)
    grant(f"all-{namespace}", cluster_wide=True, cluster_role="view")
    answers = run_task(
        "k8s_sa_access", namespace=namespace, who_can=["get pods", "get pods in default", "get /healthz"]
    )
    assert (answers["reason"], answers["msg"]) == ("answered", "3 questions answered")
    here, elsewhere, path = answers["who_can"]
    ours = [one for one in here["subjects"] if namespace in (one["namespace"] or one["name"])]
    assert [(one["kind"], one["name"].removesuffix(f"-{namespace}")) for one in ours] == [
        ("Group", "devs"),
        ("ServiceAccount", "app"),
        ("User", "jane"),
    ]
    assert [held["name"] for held in ours[0]["granted_by"]] == ["readers"]
    assert "system:masters" in groups(here)
    assert [one["name"] for one in elsewhere["subjects"] if one["namespace"] == namespace] == ["app"]
    # of Kubernetes' own: everybody may ask whether the server is healthy
    assert {"system:masters", "system:unauthenticated"} <= groups(path)
    for one in here["subjects"]:
        user = (
            one["name"]
            if one["kind"] != "ServiceAccount"
            else f"system:serviceaccount:{one['namespace']}:{one['name']}"
        )
        who = ["--as=anybody", f"--as-group={user}"] if one["kind"] == "Group" else [f"--as={user}"]
        assert cluster.kubectl("auth", "can-i", "get", "pods", "-n", namespace, *who, check=False).stdout == "yes\n", (
            one
        )
    both = run_task("k8s_sa_access", **app, can=["get pods"], who_can=["get pods"])
    assert (both["reason"], len(both["who_can"])) == ("holds", 1)


def test_an_account_that_does_not_exist_proves_nothing(cluster: Cluster, namespace: str, run_task: Task) -> None:
    ghost = {"service_account": "ghost", "namespace": namespace}
    cluster.kubectl(
        "create", "rolebinding", "g", "--clusterrole=view", f"--serviceaccount={namespace}:ghost", "-n", namespace
    )
    held = run_task("k8s_sa_access", **ghost, can=["get pods"], wait="30s")
    assert held["reason"] == "account_missing"
    failed = run_task("k8s_sa_access", **ghost, can=["get pods"], cannot=["list pods"], wait=0)
    assert failed["msg"].startswith(
        f"{namespace}/ghost: ServiceAccount {namespace}/ghost does not exist; may list pods in {namespace} (granted by"
    )
    assert failed["msg"].endswith(": make it (k8s_sa), or correct its name")
    assert (failed["reason"], failed["exists"]) == ("account_missing", False)
    refused = run_task("k8s_sa_access", **ghost, cannot=["get secrets"])
    assert (refused["reason"], refused["exists"]) == ("holds", False)
    assert "does not exist, so it is no wonder that it cannot do things" in refused["warnings"][0]


def test_many_deviations_are_told_by_their_number(app: Options, run_task: Task) -> None:
    failed = run_task("k8s_sa_access", **app, can=[f"get pods named p{number}" for number in range(13)], wait=0)
    assert (failed["msg"].count("may not get pods"), len(failed["verdicts"])) == (10, 13)
    assert "; and 3 more: change the grants" in failed["msg"]


def test_a_namespace_that_does_not_exist_is_told(app: Options, run_task: Task) -> None:
    proof = run_task("k8s_sa_access", **app, cannot=["get secrets in prd", "get pods in default"])
    assert proof["reason"] == "holds"
    assert proof["warnings"] == [
        "'get secrets in prd': namespace prd does not exist, so the answer is worth little; check its name"
    ]


def test_what_is_not_served_is_told_because_its_refusal_proves_nothing(app: Options, run_task: Task) -> None:
    cannot = [
        "get secret",
        "get deployments",
        "list nodes",
        "create serviceaccounts/token",
        "get namespaces named default",
    ]
    told = run_task("k8s_sa_access", **app, cannot=cannot)
    assert told["reason"] == "holds"
    assert [text.partition(": ")[2] for text in told["warnings"]] == [
        "secret: did you mean secrets?",
        "deployments is in apps, not in the core group",
    ]


def test_a_resource_of_ones_own_that_is_in_no_namespace_is_asked_about_as_such(
    cluster: Cluster, app: Options, run_task: Task, namespace: str
) -> None:
    group = f"{namespace}.example.com"
    names = {"plural": "gauges", "singular": "gauge", "kind": "Gauge"}
    schema = {"openAPIV3Schema": {"type": "object"}}
    definition = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"gauges.{group}"},
        "spec": {
            "group": group,
            "names": names,
            "scope": "Cluster",
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(definition))
    try:
        cluster.kubectl("wait", "--for=condition=Established", f"crd/gauges.{group}", "--timeout=60s")
        here, everywhere = f"get gauges.{group}", f"get gauges.{group} in all namespaces"
        deadline = time.monotonic() + 30
        while True:
            told = run_task("k8s_sa_access", **app, cannot=[here, everywhere])
            # discovery learns of it a moment later
            if not any("not served" in text for text in told["warnings"]) or time.monotonic() > deadline:
                break
        (warning,) = told["warnings"]
        assert warning.startswith(f"'{here} in {namespace}': it is in no namespace, so the answer is about nothing")
    finally:
        cluster.kubectl("delete", "crd", f"gauges.{group}", "--wait=false")


def test_a_change_under_way_is_waited_for(cluster: Cluster, app: Options, run_task: Task, namespace: str) -> None:
    view = ["--clusterrole=view", f"--serviceaccount={namespace}:app", "-n", namespace]

    def later() -> None:
        # not before the task has asked once
        for dummy in range(300):
            if asked(cluster, mark):
                break
            time.sleep(0.1)
        cluster.kubectl("create", "rolebinding", "view", *view)

    mark = cluster.audit_mark()
    thread = threading.Thread(target=later)
    thread.start()
    proof = run_task("k8s_sa_access", **app, can=["get pods"], wait="60s")
    thread.join()
    assert proof["reason"] == "holds", proof["msg"]
    assert len(asked(cluster, mark)) > 1


def asked(cluster: Cluster, mark: int, resource: str = "subjectaccessreviews") -> list[Options]:
    """The requests of ours for a resource since the mark."""
    events = [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    return [event for event in events if (event.get("objectRef") or {}).get("resource") == resource]


def test_whoever_does_not_wait_asks_once(cluster: Cluster, app: Options, run_task: Task) -> None:
    mark = cluster.audit_mark()
    assert run_task("k8s_sa_access", **app, can=["get pods"], wait=0)["failed"]
    assert len(asked(cluster, mark)) == 1


@pytest.mark.usefixtures("app")
def test_many_accounts_are_one_task_that_reads_everything_once(
    cluster: Cluster, grant: Grant, run_task: Task, namespace: str
) -> None:
    cluster.kubectl("create", "serviceaccount", "other", "-n", namespace)
    grant(rules=[READ_PODS])
    accounts: list[Options] = [
        {"service_account": "app", "can": ["get pods"]},
        {"service_account": "other"},
        {"name": "default", "cannot": ["list pods"]},
        {"service_account": "ghost", "cannot": []},
    ]
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_access", namespace=namespace, accounts=accounts, can=["get pods"], explain=True, wait=0)
    outcomes = result["outcomes"]
    assert [one["status"] for one in outcomes] == ["ok", "failed", "failed", "failed"]
    assert [one["service_account"] for one in outcomes] == ["app", "other", "default", "ghost"]
    assert result["msg"].startswith(
        f"1 of 4 done; failed: {namespace}/other: may not get pods in {namespace} (no binding"
    )
    assert (result["reason"], result["changed"], result["error"]["code"]) == ("failed", False, "access_deviates")
    for kind in ("clusterroles", "clusterrolebindings", "roles", "rolebindings", "serviceaccounts"):
        assert len(asked(cluster, mark, kind)) == 1, kind
    held = run_task("k8s_sa_access", namespace=namespace, accounts=accounts[:1], cannot=["get secrets"])
    assert (held["reason"], held["msg"]) == ("holds", "1 of 1 accounts are as expected")
    assert list(allowed(held["outcomes"][0]).values()) == [True, False]
    empty = run_task("k8s_sa_access", namespace=namespace, accounts=[], can=["get pods"])
    assert (empty["msg"], empty["outcomes"], empty["changed"]) == ("the list is empty: nothing was asked", [], False)


ASK = {"verbs": ["create"], "resources": [f"subjectaccessreviews.{AUTHORIZATION}"]}
ASK_HERE = {"verbs": ["create"], "resources": [f"localsubjectaccessreviews.{AUTHORIZATION}"]}
READ_GRANTS = {
    "verbs": ["list"],
    "resources": [f"{plural}.rbac.authorization.k8s.io" for plural in ("roles", "rolebindings")],
}


def test_who_may_not_ask_is_told_the_right(app: Options, run_task: Task, person: Person, namespace: str) -> None:
    failed = run_task("k8s_sa_access", **app, can=["get pods"], kubeconfig=str(person([])))
    assert failed["error"]["code"] == "forbidden"
    assert failed["error"]["rbac_rule"] == {
        "apiGroups": [AUTHORIZATION],
        "resources": ["subjectaccessreviews"],
        "verbs": ["create"],
    }
    assert failed["msg"].endswith(
        "allow the caller to create subjectaccessreviews cluster-wide, "
        f"or localsubjectaccessreviews in namespace {namespace}"
    )


def test_in_one_namespace_the_right_to_ask_there_is_enough(
    cluster: Cluster, app: Options, grant: Grant, run_task: Task, person: Person, namespace: str
) -> None:
    grant(rules=[READ_PODS])
    kubeconfig = str(person([{"namespace": namespace, "rules": [ASK_HERE, READ_GRANTS]}]))
    proof = run_task("k8s_sa_access", **app, can=["get pods"], cannot=["get secrets"], kubeconfig=kubeconfig)
    assert (proof["reason"], proof["exists"]) == ("holds", None)
    assert proof["warnings"] == [
        f"whether ServiceAccount {namespace}/app exists is not known: "
        f"allow the caller to get serviceaccounts in namespace {namespace}"
    ]
    for entry in ("get pods in default", "get /healthz", "list nodes"):
        failed = run_task("k8s_sa_access", **app, cannot=[entry], kubeconfig=kubeconfig)
        assert failed["error"]["code"] == "forbidden", entry
    mark = cluster.audit_mark()
    deviating = run_task("k8s_sa_access", **app, cannot=["get pods"], kubeconfig=kubeconfig, wait=0)
    assert f"granted by RoleBinding {namespace}/app through Role app (get, list on pods)" in deviating["msg"]
    listed = [event["objectRef"].get("namespace") for event in asked(cluster, mark, "rolebindings")]
    assert listed == [None, namespace]


def test_a_deviation_is_told_also_without_the_right_to_see_why(
    app: Options, grant: Grant, run_task: Task, person: Person, namespace: str
) -> None:
    grant(rules=[READ_PODS])
    kubeconfig = str(person([{"cluster_wide": True, "rules": [ASK]}]))
    failed = run_task("k8s_sa_access", **app, cannot=["get pods"], kubeconfig=kubeconfig, wait=0)
    assert failed["reason"] == "access_deviates"
    assert (
        f"may get pods in {namespace} (by which binding could not be read (RBAC: allowed by RoleBinding"
        in failed["msg"]
    )
    assert failed["explain"][0]["cause"] == "unknown"
    for options in ({"cannot": ["get pods in any namespace"]}, {"who_can": ["get pods"]}):
        refused = run_task("k8s_sa_access", **{**app, **options}, kubeconfig=kubeconfig, wait=0)
        assert refused["error"]["rbac_rule"]["verbs"] == ["list"]
    told = run_task("k8s_sa_access", **app, effective_rules=True, kubeconfig=kubeconfig)
    assert told["effective_rules"] == []
    assert [one for one in told["warnings"] if one.startswith(f"effective_rules of {namespace}/app may not be all")]


def test_the_shipped_role_is_enough_to_know_everything(
    cluster: Cluster, app: Options, grant: Grant, run_task: Task, namespace: str
) -> None:
    grant(rules=[READ_PODS])
    caller = Caller(f"verifier-{namespace}", ("verifier",))
    create_callers(cluster, shipped_roles(), [caller], namespace)
    table = {"can": ["get pods"], "cannot": ["get secrets in any namespace", "list nodes", "get pods in default"]}
    more = {"explain": True, "effective_rules": True, "who_can": ["get pods"]}
    try:
        proof = run_task("k8s_sa_access", **app, **table, **more, impersonate_user=caller.name)
    finally:
        delete_callers(cluster, namespace)
    assert proof["reason"] == "holds", proof["msg"]
    assert "warnings" not in proof


def test_an_account_may_ask_about_itself(
    cluster: Cluster, app: Options, grant: Grant, run_task: Task, namespace: str
) -> None:
    grant(rules=[READ_PODS])
    token = cluster.kubectl("create", "token", "app", "-n", namespace).stdout.strip()
    itself = {"api_key": token, "host": cluster.server, "ca_cert": str(cluster.ca_cert), "kubeconfig": None}
    proof = run_task("k8s_sa_access", **app, can=["get pods"], cannot=["list nodes"], **itself)
    assert proof["reason"] == "holds", proof["msg"]
    assert token not in json.dumps(proof)
    other = {**app, "service_account": "default"}
    assert run_task("k8s_sa_access", **other, can=["get pods"], **itself)["error"]["code"] == "forbidden"


def test_fail_fast_asks_nothing_more(cluster: Cluster, namespace: str, run_task: Task) -> None:
    accounts = [{"service_account": name} for name in ("default", "other")]
    mark = cluster.audit_mark()
    result = run_task(
        "k8s_sa_access", namespace=namespace, accounts=accounts, can=["get pods"], fail_fast=True, workers=1, wait=0
    )
    assert [one["status"] for one in result["outcomes"]] == ["failed", "skipped"]
    assert len(asked(cluster, mark)) == 1
