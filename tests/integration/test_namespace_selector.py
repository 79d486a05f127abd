# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Namespaces by their labels: the module k8s_namespace_info, and a list of accounts that is repeated in them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
from cluster.controlplane import Cluster
from conftest import Play, Task
from faults.proxy import FaultProxy
from faults.rules import Fault
from faults.tokens import caller_who_may

Playbook = Callable[..., Play]
Writes = Callable[[int], list[str]]

S = "<selected_namespace>"


@pytest.fixture
def labelled(cluster: Cluster, namespace: str) -> Iterator[tuple[str, str]]:
    """Two namespaces with the label C(of=NAMESPACE), after the name of one that has it not."""
    names = (f"{namespace}-a", f"{namespace}-b")
    for name in names:
        cluster.kubectl("create", "namespace", name)
        cluster.kubectl("label", "namespace", name, f"of={namespace}")
    yield names
    cluster.kubectl("delete", "namespace", *names, "--wait=false", "--ignore-not-found")


@pytest.fixture
def run(run_playbook: Playbook, tmp_path: Path) -> Callable[..., Play]:
    """Run a playbook of the collection on a list."""

    def play(playbook: str, accounts: object, *, check: bool = False, **variables: Any) -> Play:
        given = tmp_path / "variables.json"
        given.write_text(json.dumps({"service_accounts_list": accounts, **variables}))
        return run_playbook(f"tokenwright.kubernetes.{playbook}", "-e", f"@{given}", check=check)

    return play


def there(cluster: Cluster, kind: str, namespace: str) -> set[str]:
    listed = cluster.kubectl("get", kind, "-n", namespace, "-o", "name").stdout.split()
    return {name.partition("/")[2] for name in listed} - {"default"}


def may(cluster: Cluster, account: str, verb: str, resource: str, namespace: str) -> bool:
    said = cluster.kubectl(
        "auth", "can-i", verb, resource, "-n", namespace, f"--as=system:serviceaccount:{account}", check=False
    )
    return said.stdout.strip() == "yes"


# The module


def test_namespaces_are_found_by_their_labels(
    cluster: Cluster, labelled: tuple[str, str], namespace: str, run_task: Task
) -> None:
    first, second = labelled
    for selector in (f"of={namespace}", {"of": namespace}, f"of in ({namespace}, other)"):
        found = run_task("k8s_namespace_info", label_selector=selector)
        assert (found["namespaces"], found["terminating"], found["requests"]) == ([first, second], [], 1)
        assert (found["changed"], found["msg"], found["actions"]) == (False, "2 namespaces", [])
    assert {first, second, "default"} <= set(run_task("k8s_namespace_info", check_mode=True)["namespaces"])
    blocked = {"metadata": {"finalizers": ["example.com/test"]}}
    cluster.kubectl("create", "configmap", "blocks", "-n", second)
    cluster.kubectl("patch", "configmap", "blocks", "-n", second, "-p", json.dumps(blocked))
    cluster.kubectl("delete", "namespace", second, "--wait=false")
    try:
        found = run_task("k8s_namespace_info", label_selector=f"of={namespace}")
        assert (found["namespaces"], found["terminating"]) == ([first], [second])
        assert found["msg"] == "1 namespaces, and 1 that are being deleted"
    finally:
        freed = '{"metadata": {"finalizers": null}}'
        cluster.kubectl("patch", "configmap", "blocks", "-n", second, "-p", freed)


def test_a_selector_that_the_server_does_not_understand_is_one_sentence(run_task: Task) -> None:
    failed = run_task("k8s_namespace_info", label_selector="team=(")
    assert failed["failed"]
    assert failed["msg"].startswith("cannot list namespaces: the server answered 400 BadRequest (")
    failed = run_task("k8s_namespace_info", label_selector=["team=a"])
    assert failed["msg"].startswith("label_selector is a list: write team=ci, or {team: ci}")


def test_without_the_right_the_missing_rule_is_named(cluster: Cluster, namespace: str, run_task: Task) -> None:
    caller = str(caller_who_may(cluster, namespace, ("get", "pods")))
    failed = run_task("k8s_namespace_info", kubeconfig=caller)
    assert failed["error"]["rbac_rule"] == {"apiGroups": [""], "resources": ["namespaces"], "verbs": ["list"]}


# The role


def account(**more: Any) -> dict[str, Any]:
    return {"name": "app", "grants": [{"cluster_role": "view"}], "access": {"can": ["get pods"]}, **more}


def test_an_account_is_in_every_namespace_that_matches(
    cluster: Cluster,
    labelled: tuple[str, str],
    namespace: str,
    run: Callable[..., Play],
    writes: Writes,
    tmp_path: Path,
) -> None:
    accounts = [account(tokens=[{"handle": "app", "dest": f"{tmp_path}/{S}.token"}])]
    selector = {"service_accounts_namespace_selector": f"of={namespace}"}
    mark = cluster.audit_mark()
    predicted = run("provision", accounts, check=True, **selector)
    assert predicted.rc == 0, predicted.stdout
    assert writes(mark) == []
    done = run("provision", accounts, **selector)
    assert done.rc == 0, done.stdout
    assert predicted.changed == done.changed == 3
    for name in labelled:
        assert there(cluster, "serviceaccounts", name) == there(cluster, "rolebindings", name) == {"app"}
        assert f"+ account  {name}/app" in done.stdout
        token = (tmp_path / f"{name}.token").read_text()
        assert jwt.decode(token, options={"verify_signature": False})["sub"] == f"system:serviceaccount:{name}:app"
        assert may(cluster, f"{name}:app", "get", "pods", name)
    assert there(cluster, "serviceaccounts", namespace) == set()
    again = run("provision", accounts, **selector)
    assert (again.rc, again.changed) == (0, 0)
    for playbook in ("renew", "verify_access"):
        others = run(playbook, accounts, **selector)
        assert (others.rc, others.changed) == (0, 0), others.stdout
    revoked = run("revoke", accounts, **selector)
    assert (revoked.rc, revoked.changed) == (0, 1), revoked.stdout
    assert [path.name for path in tmp_path.glob("*.token")] == []


@pytest.mark.parametrize("nothing", ["", "  ", {}, None])
def test_an_empty_selector_selects_nothing(
    namespace: str, run: Callable[..., Play], writes: Writes, cluster: Cluster, nothing: object
) -> None:
    mark = cluster.audit_mark()
    done = run("provision", [account()], service_accounts_namespace_selector=nothing)
    assert done.rc == 2
    assert "service_accounts_list[0]: namespace is missing" in done.stdout
    assert writes(mark) == []
    assert namespace


def test_an_account_in_one_namespace_gets_grants_in_every_one_that_matches(
    cluster: Cluster, labelled: tuple[str, str], namespace: str, run: Callable[..., Play]
) -> None:
    accounts = [
        {
            "name": "deployer",
            "namespace": namespace,
            "preset": {"name": "ci_deployer", "namespace": S},
            "grants": [{"cluster_role": "view", "namespace": S}],
            "access": {"can": [f"list pods in {S}"], "cannot": [f"get secrets in {S}", "list nodes"]},
        }
    ]
    options = {
        "service_accounts_namespace_selector": {"of": namespace},
        # as the answer to a survey question arrives
        "service_accounts_allow_risks": "workload_create\nsecrets_write\n",
    }
    done = run("provision", json.dumps(accounts), **options)
    assert done.rc == 0, done.stdout
    assert there(cluster, "serviceaccounts", namespace) == {"deployer"}
    for name in labelled:
        assert there(cluster, "serviceaccounts", name) == set()
        assert "deployer" in there(cluster, "rolebindings", name)
        assert may(cluster, f"{namespace}:deployer", "patch", "deployments.apps", name)
    assert not may(cluster, f"{namespace}:deployer", "list", "pods", namespace)
    assert run("provision", json.dumps(accounts), **options).changed == 0


def test_a_namespace_that_loses_the_label_leaves_the_set(
    cluster: Cluster, labelled: tuple[str, str], namespace: str, run: Callable[..., Play], writes: Writes
) -> None:
    first, second = labelled
    accounts = [account(), {"name": "kept", "namespace": namespace}]
    of = {"service_accounts_namespace_selector": f"of={namespace}", "service_accounts_set": namespace}
    pruning = {**of, "service_accounts_prune": True}
    assert run("provision", accounts, **pruning).rc == 0
    cluster.kubectl("label", "namespace", second, "of-")
    pruned = run("provision", accounts, **pruning)
    assert pruned.rc == 0, pruned.stdout
    assert there(cluster, "serviceaccounts", first) == {"app"}
    assert there(cluster, "serviceaccounts", second) == there(cluster, "rolebindings", second) == set()
    cluster.kubectl("label", "namespace", first, "of-")
    mark = cluster.audit_mark()
    refused = run("provision", accounts, **pruning)
    assert refused.rc == 2
    assert "service_accounts_prune would delete all that is repeated: no namespace matches" in refused.stdout
    assert writes(mark) == []
    warned = run("provision", accounts, **of)
    assert warned.rc == 0, warned.stdout
    assert "no namespace matches service_accounts_namespace_selector, so nothing is repeated" in " ".join(
        (warned.stdout + warned.stderr).split()
    )
    assert there(cluster, "serviceaccounts", first) == {"app"}


def test_nothing_is_pruned_outside_the_allowed_namespaces(
    cluster: Cluster, labelled: tuple[str, str], namespace: str, run: Callable[..., Play]
) -> None:
    first, second = labelled
    wide = {"name": "wide", "namespace": namespace, "grants": [{"cluster_role": "view", "cluster_wide": True}]}
    handle = {"handle": "app", "sinks": [{"type": "secret", "name": "kept"}]}
    of = {"service_accounts_set": namespace, "service_accounts_risk_policy": "ignore"}
    theirs = run(
        "provision", [account(tokens=[handle]), wide], service_accounts_namespace_selector=f"of={namespace}", **of
    )
    assert theirs.rc == 0, theirs.stdout
    ours = [account(namespace=first, tokens=[handle])]
    limits = {**of, "service_accounts_prune": True, "service_accounts_allowed_namespaces": [first]}
    done = run("provision", ours, **limits)
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert there(cluster, "serviceaccounts", second) == there(cluster, "rolebindings", second) == {"app"}
    assert {"kept", "app-1"} <= there(cluster, "secrets", second)
    assert there(cluster, "serviceaccounts", namespace) == {"wide"}
    assert may(cluster, f"{namespace}:wide", "list", "pods", "default")
    other = run("provision", [account(namespace=first, name="other")], **limits)
    assert other.rc == 0, other.stdout
    assert there(cluster, "serviceaccounts", first) == {"other"}
    assert there(cluster, "serviceaccounts", second) == {"app"}
    assert run("provision", [], **of).rc == 0
    cluster.kubectl("delete", "clusterrolebindings", "-l", f"tokenwright/set={namespace}")


def test_a_second_role_in_a_play_does_not_inherit_the_selection(
    labelled: tuple[str, str], namespace: str, run_playbook: Playbook, cluster: Cluster
) -> None:
    role = {"name": "tokenwright.kubernetes.service_accounts"}
    listed = [{"name": "one", "namespace": namespace}]
    tasks = [
        {
            "ansible.builtin.include_role": role,
            "vars": {"service_accounts_list": [account()], "service_accounts_namespace_selector": f"of={namespace}"},
        },
        {"ansible.builtin.include_role": role, "vars": {"service_accounts_list": listed}},
        {"ansible.builtin.include_role": role, "vars": {"service_accounts_list": [account()]}, "ignore_errors": True},
    ]
    done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    assert there(cluster, "serviceaccounts", labelled[0]) == {"app"}
    assert there(cluster, "serviceaccounts", namespace) == {"one"}
    assert "service_accounts_list[0]: namespace is missing" in done.stdout


def test_what_fails_while_namespaces_are_looked_for_fails_the_role(
    fault_proxy: FaultProxy, labelled: tuple[str, str], run: Callable[..., Play]
) -> None:
    connection = {"kubeconfig": str(fault_proxy.kubeconfig), "retry_timeout": 0}
    fault_proxy.inject(Fault("GET", "/namespaces", "answer", status=503))
    failed = run("provision", [account()], service_accounts_namespace_selector="of=x", cluster_connection=connection)
    assert failed.rc == 2
    assert "cannot list namespaces" in failed.stdout
    assert labelled
