# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""k8s_sa_binding: rules that grant nothing on this cluster are found before they are written, and said."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task
from faults.proxy import FaultProxy
from faults.rules import Fault

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._api import connect
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._auth import ConnectionOptions
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._discovery import Discovery
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._doubts import doubts
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._redact import Secrets
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._served import Served

Options = dict[str, Any]

READ_PODS = {"verbs": ["get", "list"], "resources": ["pods", "pods/log"]}
MISTAKEN = [
    {"verbs": ["create"], "resources": ["serviceaccounts/tokens"]},
    {"verbs": ["get"], "resources": ["ingress"]},
]
SAID = [
    "serviceaccounts/tokens: did you mean serviceaccounts/token?",
    "ingress: did you mean ingresses.networking.k8s.io?",
]
ROOTS = ("/api", "/apis")


@pytest.fixture
def options(namespace: str) -> Options:
    return {"name": "grant", "namespace": namespace}


@pytest.fixture
def proxied(fault_proxy: FaultProxy) -> Options:
    return {"kubeconfig": str(fault_proxy.kubeconfig), "retry_timeout": 20}


def said(result: dict[str, Any]) -> list[str]:
    """The warnings, without the object they are about."""
    assert not result.get("failed"), result["msg"]
    return [warning.partition(": ")[2] for warning in result.get("warnings", [])]


def asked(proxy: FaultProxy) -> Counter[str]:
    """How often each discovery document was asked for."""
    paths = (exchange.path for exchange in proxy.requests)
    return Counter(path for path in paths if path in ROOTS or path.count("/") == 3 or path == "/api/v1")


def served(kubeconfig: Path) -> Served:
    params = {"kubeconfig": str(kubeconfig), "request_timeout": 30, "retry_timeout": 0}
    found = Discovery(connect(ConnectionOptions.from_params(params), Secrets()), workers=2).served()
    assert found is not None
    return found


def is_served(cluster: Cluster, group: str, resource: str) -> bool:
    groups = served(cluster.kubeconfig).groups
    return group in groups and resource in groups[group].resources


def wait_until(is_so: Callable[[], object]) -> None:
    """Give the server time to notice something; a minute is more than it needs on any machine."""
    deadline = time.monotonic() + 60
    while not is_so():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_what_grants_nothing_is_said_before_it_is_written_and_written_all_the_same(
    cluster: Cluster, run_task: Task, options: Options, namespace: str
) -> None:
    predicted = run_task("k8s_sa_binding", check_mode=True, **options, rules=MISTAKEN)
    made = run_task("k8s_sa_binding", **options, rules=MISTAKEN)
    assert said(predicted) == said(made) == SAID
    assert made["warnings"][0] == f"rules of Role {namespace}/grant: {SAID[0]}"
    assert made["actions"] == predicted["actions"]
    role = json.loads(cluster.kubectl("get", "role", "grant", "-n", namespace, "-o", "json").stdout)
    assert [rule["resources"] for rule in role["rules"]] == [["serviceaccounts/tokens"], ["ingress"]]


def test_rules_that_are_there_are_not_looked_at_again(
    run_task: Task, options: Options, proxied: Options, fault_proxy: FaultProxy
) -> None:
    def run(*rules: Options, **more: Any) -> tuple[list[str], int]:
        fault_proxy.clear()
        warnings = said(run_task("k8s_sa_binding", **{**options, **proxied}, rules=list(rules), **more))
        return warnings, sum(asked(fault_proxy).values())

    assert run(MISTAKEN[0]) == (SAID[:1], 2)
    assert run(MISTAKEN[0]) == ([], 0)
    assert run(MISTAKEN[0], service_accounts=["app"]) == ([], 0)
    assert run(MISTAKEN[0], service_accounts=["app"], labels={"a": "1"}) == ([], 0)
    # one rule is new
    assert run(READ_PODS, MISTAKEN[0]) == ([], 2)
    assert run(MISTAKEN[1], rules_mode="append") == (SAID[1:], 2)
    # what is taken away needs no look
    assert run(READ_PODS, MISTAKEN[0], MISTAKEN[1]) == ([], 0)
    assert run(MISTAKEN[0], {"verbs": ["gett"], "resources": ["podz"]}, rules_mode="remove") == ([], 0)
    assert run(READ_PODS) == ([], 0)
    for present in (True, False):
        assert run(*MISTAKEN, state="absent") == ([], 0), present


def test_rules_that_may_not_be_written_are_not_looked_at(
    cluster: Cluster, run_task: Task, options: Options, namespace: str
) -> None:
    run_task("k8s_sa_binding", **options, rules=[READ_PODS])
    protected = "rbac.authorization.kubernetes.io/autoupdate=false"
    cluster.kubectl("annotate", "role", "grant", protected, "-n", namespace)
    left = run_task("k8s_sa_binding", **options, rules=MISTAKEN)
    assert (left["changed"], len(left["warnings"])) == (False, 1)
    assert "autoupdate says false" in left["warnings"][0]


def test_a_run_without_changes_costs_what_it_did(run_task: Task, options: Options) -> None:
    first = run_task("k8s_sa_binding", **options, rules=[READ_PODS], service_accounts=["app"])
    again = run_task("k8s_sa_binding", **options, rules=[READ_PODS], service_accounts=["app"])
    # two GETs; and two documents and two writes
    assert (again["changed"], again["requests"], first["requests"]) == (False, 2, 6)


def test_many_grants_ask_once(run_task: Task, namespace: str, proxied: Options, fault_proxy: FaultProxy) -> None:
    bindings = [{"name": f"grant-{number}", "rules": MISTAKEN[:1]} for number in range(9)]
    result = run_task("k8s_sa_binding", namespace=namespace, bindings=bindings, **proxied)
    assert asked(fault_proxy) == {"/api": 1, "/apis": 1}
    assert sorted(result["warnings"]) == [f"rules of Role {namespace}/grant-{number}: {SAID[0]}" for number in range(9)]


# An API server before 1.26, which answers with names of groups and versions alone.


def make_old(cluster: Cluster, proxy: FaultProxy) -> None:
    """Let a server answer as an older one does: with what ours says to a client that asks for nothing better."""
    for path in ROOTS:
        document = json.loads(cluster.kubectl("get", "--raw", path).stdout)
        assert document["kind"] in ("APIVersions", "APIGroupList")
        proxy.inject(Fault("GET", f"^{path}$", "answer", status=200, body=document, times=None))


def test_an_older_server_is_asked_version_by_version(
    cluster: Cluster, run_task: Task, options: Options, proxied: Options, fault_proxy: FaultProxy
) -> None:
    make_old(cluster, fault_proxy)
    result = run_task("k8s_sa_binding", **{**options, **proxied}, rules=MISTAKEN)
    assert said(result) == SAID
    documents = asked(fault_proxy)
    assert {"/api/v1", "/apis/apps/v1", "/apis/autoscaling/v1", "/apis/autoscaling/v2"} <= documents.keys()
    assert set(documents.values()) == {1}


def test_old_and_new_servers_tell_the_same(cluster: Cluster, fault_proxy: FaultProxy) -> None:
    def is_the_same() -> bool:
        fault_proxy.clear()
        make_old(cluster, fault_proxy)
        return served(fault_proxy.kubeconfig) == served(cluster.kubeconfig)

    # what another test has deleted goes from one form before it goes from the other
    wait_until(is_the_same)
    assert served(fault_proxy.kubeconfig).groups[""].resources["pods/log"].verbs == {"get"}


# What comes later, and what does not answer.


@pytest.fixture
def crd(cluster: Cluster) -> Iterator[str]:
    """The group of a CustomResourceDefinition for widgets."""
    schema = {"openAPIV3Schema": {"type": "object"}}
    manifest = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.acme.example.com"},
        "spec": {
            "group": "acme.example.com",
            "scope": "Namespaced",
            "names": {"plural": "widgets", "singular": "widget", "kind": "Widget", "shortNames": ["wg"]},
            "versions": [{"name": "v1", "served": True, "storage": True, "schema": schema}],
        },
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    wait_until(lambda: is_served(cluster, "acme.example.com", "widgets"))
    yield "acme.example.com"
    cluster.kubectl("delete", "crd", "widgets.acme.example.com")


def test_a_custom_resource_that_is_not_there_yet(run_task: Task, options: Options) -> None:
    rules = [{"verbs": ["get"], "resources": ["widgets", "widgets/status"], "api_groups": ["acme.test"]}]
    assert said(run_task("k8s_sa_binding", **options, rules=rules)) == ["no API group acme.test is served here (yet)"]


def test_a_custom_resource_that_is_there(run_task: Task, options: Options, crd: str) -> None:
    def doubted(*resources: str) -> list[str]:
        rules = [{"verbs": ["get", "update"], "resources": list(resources), "api_groups": [crd]}]
        return said(run_task("k8s_sa_binding", check_mode=True, **options, rules=rules))

    # an operator's rules name a status and finalizers, whether or not its CustomResourceDefinition has a status
    assert doubted("widgets", "widgets/status", "widgets/finalizers") == []
    assert doubted("wg", "gadgets") == [
        f"wg.{crd}: did you mean widgets.{crd}?",
        f"gadgets.{crd} is not served here (yet)",
    ]


@pytest.fixture
def down(cluster: Cluster) -> Iterator[str]:
    """The group of an aggregated API whose server is not there."""
    spec = {"group": "down.example.com", "version": "v1", "groupPriorityMinimum": 100, "versionPriority": 10}
    service = {"name": "nobody", "namespace": "default"}
    manifest = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": "v1.down.example.com"},
        "spec": {**spec, "insecureSkipTLSVerify": True, "service": service},
    }
    cluster.kubectl("create", "-f", "-", input=json.dumps(manifest))
    # the two forms of discovery are made at different times
    wait_until(lambda: "down.example.com" in cluster.kubectl("get", "--raw", "/apis").stdout)
    wait_until(lambda: "down.example.com" in served(cluster.kubeconfig).groups)
    yield "down.example.com"
    cluster.kubectl("delete", "apiservice", "v1.down.example.com")


@pytest.mark.parametrize("is_old", [False, True], ids=["aggregated", "plain"])
def test_an_api_that_is_down_is_not_doubted_and_the_others_are(
    cluster: Cluster,
    run_task: Task,
    options: Options,
    proxied: Options,
    fault_proxy: FaultProxy,
    down: str,
    is_old: bool,
) -> None:
    if is_old:
        make_old(cluster, fault_proxy)
    rules = [{"verbs": ["get"], "resources": ["anything", "any/thing"], "api_groups": [down]}, MISTAKEN[0]]
    result = run_task("k8s_sa_binding", **{**options, **proxied}, rules=rules)
    assert said(result) == SAID[:1]
    assert result["retries"] == 0, "nobody waits for it"


@pytest.fixture
def without_discovery(cluster: Cluster, namespace: str) -> Iterator[Path]:
    """The kubeconfig of somebody who may grant anything, and may not ask what is served."""
    rules = ["--verb=*", "--resource=roles,rolebindings", "-n", namespace]
    cluster.kubectl("create", "role", "granter", *rules)
    cluster.kubectl("create", "rolebinding", "granter", "--role=granter", "--user=granter", "-n", namespace)
    before = cluster.kubectl("get", "clusterrolebinding", "system:discovery", "-o", "json").stdout
    may_ask = ("auth", "can-i", "get", "/apis", "--as=granter", "--as-group=system:authenticated")
    cluster.kubectl("patch", "clusterrolebinding", "system:discovery", "--type=merge", "-p", '{"subjects":[]}')
    wait_until(lambda: cluster.kubectl(*may_ask, check=False).stdout.strip() == "no")
    yield cluster.kubeconfig_for("granter")
    subjects = json.dumps({"subjects": json.loads(before)["subjects"]})
    cluster.kubectl("patch", "clusterrolebinding", "system:discovery", "--type=merge", "-p", subjects)
    wait_until(lambda: cluster.kubectl(*may_ask, check=False).stdout.strip() == "yes")


def test_who_may_not_ask_grants_without_a_word(
    cluster: Cluster, run_task: Task, options: Options, without_discovery: Path
) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_binding", **options, rules=MISTAKEN, kubeconfig=str(without_discovery))
    assert said(result) == []
    assert result["changed"]
    events = [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    assert [event["responseStatus"]["code"] for event in events if event["requestURI"] in ROOTS] == [403]


BROKEN = {
    "not acceptable": Fault("GET", "^/apis$", "answer", status=406, times=None),
    "an error": Fault("GET", "^/apis$", "answer", status=500, times=None),
    "no answer": Fault("GET", "^/api$", "eof", times=None),
    "half an answer": Fault("GET", "^/apis$", "truncate", "after", times=None),
    "something else": Fault("GET", "^/apis$", "answer", status=200, body={"kind": "Status", "status": "Success"}),
    "a list of nothing": Fault("GET", "^/api$", "answer", status=200, body=b"[]", times=None),
}


@pytest.mark.parametrize("fault", BROKEN.values(), ids=BROKEN)
def test_without_an_answer_nothing_is_doubted_and_nothing_fails(
    run_task: Task, options: Options, proxied: Options, fault_proxy: FaultProxy, fault: Fault
) -> None:
    fault_proxy.inject(fault)
    result = run_task("k8s_sa_binding", **{**options, **proxied}, rules=MISTAKEN)
    assert said(result) == []
    assert (result["changed"], result["retries"]) == (True, 0)


def test_a_refused_grant_says_what_would_have_been_doubted(cluster: Cluster, run_task: Task, options: Options) -> None:
    namespace = options["namespace"]
    manage = ["--verb=get,list,create,update", "--resource=roles,rolebindings", "-n", namespace]
    cluster.kubectl("create", "role", "manager", *manage)
    cluster.kubectl("create", "rolebinding", "manager", "--role=manager", "--user=manager", "-n", namespace)
    limited = str(cluster.kubeconfig_for("manager"))
    result = run_task("k8s_sa_binding", **options, rules=MISTAKEN[:1], kubeconfig=limited)
    assert result["error"]["code"] == "escalation"
    assert result["warnings"] == [f"rules of Role {namespace}/grant: {SAID[0]}"]


# Whether it is true.


def test_the_rules_of_kubernetes_itself_are_doubted_only_where_they_are_outdated(cluster: Cluster) -> None:
    known = served(cluster.kubeconfig)
    listed = json.loads(cluster.kubectl("get", "clusterroles", "-o", "json").stdout)["items"]
    roles = [role for role in listed if "kubernetes.io/bootstrapping" in role["metadata"].get("labels", {})]
    assert len(roles) > 50
    found = {text for role in roles for text in doubts(role.get("rules") or [], known, namespaced=False)}
    assert sorted(text for text in found if "API group extensions" not in text) == [
        "bindings does not have the verbs get, list or watch, only create",
        "deployments.apps/rollback is not served here: there is no such subresource (scale, status)",
        "leasecandidates.coordination.k8s.io is not served here (yet)",
        "no API group custom.metrics.k8s.io is served here (yet)",
        "no API group external.metrics.k8s.io is served here (yet)",
        "no API group metrics.k8s.io is served here (yet)",
    ]


QUESTIONS = [
    # rule, what to ask, whether it is doubted and so whether it is refused
    ({"verbs": ["get"], "resources": ["pods/*"]}, "get pods --subresource=log", True),
    ({"verbs": ["get"], "resources": ["*/log"]}, "get pods --subresource=log", False),
    # a request for a node names no namespace
    ({"verbs": ["get"], "resources": ["nodes"]}, "get nodes/a --all-namespaces", True),
    ({"verbs": ["get"], "resources": ["namespaces"]}, "get namespaces/NAMESPACE", False),
    ({"verbs": ["get"], "resources": ["deployments"]}, "get deployments.apps", True),
    ({"verbs": ["create"], "resources": ["pods/eviction"]}, "create pods --subresource=eviction", False),
    (
        {"verbs": ["bind"], "resources": ["clusterroles"], "api_groups": ["rbac.authorization.k8s.io"]},
        "bind clusterroles.rbac.authorization.k8s.io/view",
        False,
    ),
]


@pytest.mark.parametrize(("rule", "question", "is_doubted"), QUESTIONS)
def test_what_is_doubted_is_not_granted(
    cluster: Cluster, run_task: Task, options: Options, rule: Options, question: str, is_doubted: bool
) -> None:
    namespace = options["namespace"]

    def may(asked: str) -> bool:
        words = asked.replace("NAMESPACE", namespace).split()
        account = f"--as=system:serviceaccount:{namespace}:app"
        return cluster.kubectl("auth", "can-i", "-n", namespace, *words, account, check=False).stdout.strip() == "yes"

    known = {"verbs": ["get"], "resources": ["configmaps"]}
    # a star is a risk as well, which is not what this is about
    options = {**options, "rules": [rule, known], "service_accounts": ["app"], "risk_policy": "ignore"}
    result = run_task("k8s_sa_binding", **options)
    # the authorizer learns of a role a moment later, and of all its rules at once
    wait_until(lambda: may("get configmaps"))
    assert (bool(said(result)), may(question)) == (is_doubted, not is_doubted)
