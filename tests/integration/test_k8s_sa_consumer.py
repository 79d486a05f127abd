# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_consumer against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task
from faults import legacy
from faults.proxy import Exchange, FaultProxy
from faults.rules import Fault, Where
from faults.workloads import create, live, pod_of, report, template_of, workload

Writes = Callable[[int], list[str]]
Object = dict[str, Any]

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "ReplicaSet")


def env_of(secret: str) -> Object:
    return {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": secret, "key": "token"}}}


def pod_reading(secret: str) -> Object:
    """Pods that have the token in their environment and as a file."""
    pod = pod_of()
    pod["containers"][0]["env"].append(env_of(secret))
    pod["volumes"].append({"name": "t", "secret": {"secretName": secret, "defaultMode": 420}})
    pod["containers"][0]["volumeMounts"].append({"name": "t", "mountPath": "/t"})
    return pod


@pytest.fixture
def options(cluster: Cluster, namespace: str, run_task: Task) -> Object:
    """A Deployment with a long-lived token, and a Secret with one that expires."""
    run_task("k8s_sa", name="app", namespace=namespace)
    legacy.make(cluster, namespace, "old")
    legacy.filled(cluster, namespace, "old")
    keep(run_task, namespace)
    create(cluster, namespace, workload("Deployment", "app", pod_reading("old")))
    return {"name": "app", "namespace": namespace, "from_secret": "old", "to_secret": "new"}


def keep(run_task: Task, namespace: str, **more: Any) -> Object:
    sinks = [{"type": "secret", "name": "new"}]
    kept = run_task("k8s_sa_token", name="app", namespace=namespace, sinks=sinks, **more)
    assert not kept.get("failed"), kept["msg"]
    return kept


def both(run_task: Task, **options: Any) -> Object:
    """The real run, which check mode predicted to the letter and the next run does not repeat."""
    predicted = run_task("k8s_sa_consumer", check_mode=True, **options)
    done = run_task("k8s_sa_consumer", **options)
    assert not done.get("failed"), done["msg"]
    for key in ("changed", "actions", "diff", "places", "reason", "warnings"):
        assert predicted.get(key) == done.get(key), key
    again = run_task("k8s_sa_consumer", **options)
    assert (again["changed"], again["actions"], again["reason"]) == (False, [], "up_to_date"), again["msg"]
    return done


def back(options: Object) -> Object:
    return {**options, "from_secret": options["to_secret"], "to_secret": options["from_secret"]}


def test_there_and_back_again_predicted_made_once_and_nothing_left_behind(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes, options: Object
) -> None:
    before = live(cluster, namespace, "deployment", "app")
    mark = cluster.audit_mark()
    assert run_task("k8s_sa_consumer", check_mode=True, **options)["reason"] == "secret_changed"
    assert not writes(mark)
    done = both(run_task, **options)
    assert writes(mark) == [f"update deployments {namespace}/app"]
    assert done["places"] == ["volume t", "TOKEN in the environment of container app"]
    assert "old" not in json.dumps(template_of(live(cluster, namespace, "deployment", "app")))
    both(run_task, **back(options))
    after = live(cluster, namespace, "deployment", "app")
    assert (after["spec"], after["metadata"].get("annotations")) == (
        before["spec"],
        before["metadata"].get("annotations"),
    )


def test_a_renewed_token_means_new_pods_and_another_label_does_not(
    cluster: Cluster, namespace: str, run_task: Task, options: Object
) -> None:
    both(run_task, **options)
    before = live(cluster, namespace, "deployment", "app")["spec"]["template"]["metadata"]["annotations"]
    credential = keep(run_task, namespace)["token_info"]["credential_id"]
    assert not run_task("k8s_sa_consumer", **options)["changed"]
    keep(run_task, namespace, renew_if_credential_id=credential)
    done = both(run_task, **{**options, "from_secret": None})
    assert (done["reason"], "is given new Pods" in done["msg"]) == ("token_changed", True)
    assert live(cluster, namespace, "deployment", "app")["spec"]["template"]["metadata"]["annotations"] != before
    # a label that somebody puts on it is no other token
    legacy.label(cluster, namespace, "new", "a=b")
    assert not run_task("k8s_sa_consumer", **options)["changed"]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_led_there_and_back(cluster: Cluster, run_task: Task, options: Object, kind: str) -> None:
    namespace = options["namespace"]
    create(cluster, namespace, workload(kind, "w", pod_reading("old")))
    before = template_of(live(cluster, namespace, kind, "w"))
    one = {**options, "kind": kind, "name": "w"}
    both(run_task, **one)
    assert '"new"' in json.dumps(template_of(live(cluster, namespace, kind, "w")))
    both(run_task, **back(one))
    assert template_of(live(cluster, namespace, kind, "w")) == before


def test_only_what_was_changed_is_ours(cluster: Cluster, namespace: str, run_task: Task, options: Object) -> None:
    both(run_task, **options)
    managers = live(cluster, namespace, "deployment", "app")["metadata"]["managedFields"]
    (ours,) = [one["fieldsV1"]["f:spec"]["f:template"] for one in managers if one["manager"] == "tokenwright"]
    text = json.dumps(ours)
    assert sorted(ours["f:spec"]) == ["f:containers", "f:volumes"]
    assert all(word in text for word in ("f:secretName", "f:secretKeyRef", "tokenwright/secrets"))
    assert not [word for word in ("f:image", "f:mountPath", "f:labels") if word in text]


def test_who_writes_at_the_same_time_loses_nothing(
    cluster: Cluster, namespace: str, run_task: Task, options: Object, fault_proxy: FaultProxy
) -> None:
    seen: list[int] = []

    def be_faster(exchange: Exchange) -> None:
        if exchange.method == "PUT" and len(seen) < 3:
            seen.append(len(seen))
            cluster.kubectl("scale", "deployment/app", f"--replicas={len(seen)}", "-n", namespace)

    fault_proxy.on_request = be_faster
    done = run_task("k8s_sa_consumer", **options, kubeconfig=str(fault_proxy.kubeconfig))
    assert not done.get("failed"), done["msg"]
    assert live(cluster, namespace, "deployment", "app")["spec"]["replicas"] == 3
    assert len(done["actions"]) == 1


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_lost_answer_is_not_an_error(run_task: Task, options: Object, fault_proxy: FaultProxy, where: Where) -> None:
    fault_proxy.inject(Fault("PUT", "/deployments/", "eof", where))
    done = run_task("k8s_sa_consumer", **options, kubeconfig=str(fault_proxy.kubeconfig))
    assert not done.get("failed"), done["msg"]
    assert [action["reason"] for action in done["actions"]] == ["secret_changed"]
    assert not run_task("k8s_sa_consumer", **options)["changed"]


def test_what_is_missing_is_an_error_and_changes_nothing(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes, options: Object
) -> None:
    cluster.kubectl("create", "secret", "generic", "other", "-n", namespace, "--from-literal=password=x")
    mark = cluster.audit_mark()
    for wrong, code in (
        ({"name": "no"}, "missing_workload"),
        ({"to_secret": "no"}, "missing_secret"),
        ({"to_secret": "other"}, "missing_key"),
        ({"from_secret": "no"}, "unreferenced"),
    ):
        refused = run_task("k8s_sa_consumer", **{**options, **wrong})
        assert (refused.get("failed"), refused["reason"]) == (True, code), refused["msg"]
    assert not writes(mark)


def test_many_in_one_task_of_which_one_is_wrong(cluster: Cluster, run_task: Task, options: Object) -> None:
    namespace = options["namespace"]
    create(cluster, namespace, *(workload(kind, "w", pod_reading("old")) for kind in ("StatefulSet", "CronJob")))
    workloads: list[Object] = [
        {"name": "app"},
        {"name": "nope"},
        {"kind": "StatefulSet", "name": "w"},
        {"kind": "CronJob", "name": "w"},
    ]
    task = {**{key: options[key] for key in ("namespace", "from_secret", "to_secret")}, "workloads": workloads}
    done = run_task("k8s_sa_consumer", **task)
    assert (done["failed"], [one["status"] for one in done["outcomes"]]) == (
        True,
        ["changed", "failed", *["changed"] * 2],
    )
    assert "3 of 4 done; failed: Deployment" in done["msg"]
    task["workloads"].pop(1)
    assert not run_task("k8s_sa_consumer", **task)["changed"]
    twice = run_task("k8s_sa_consumer", **{**task, "workloads": [{"name": "a"}, {"name": "a"}]})
    assert twice["reason"] == "duplicate"


def test_a_rollout_is_waited_for(cluster: Cluster, namespace: str, run_task: Task, options: Object) -> None:
    report(cluster, namespace, "deployment", "app")
    waited = run_task("k8s_sa_consumer", **options, wait=True, wait_timeout=30)
    assert (waited["changed"], waited["rolled_out"]) == (True, True), waited["msg"]
    cluster.kubectl("scale", "deployment/app", "--replicas=3", "-n", namespace)
    report(cluster, namespace, "deployment", "app", replicas=3, updatedReplicas=1)
    late = run_task("k8s_sa_consumer", **options, wait=True, wait_timeout=1)
    assert (late["changed"], late["reason"]) == (False, "not_rolled_out")
    said = f"Deployment {namespace}/app uses the Secret new, but its Pods are not new within 1 seconds: 1 of 3"
    assert said in late["msg"]


def test_a_mistake_is_said_before_any_request(cluster: Cluster, run_task: Task, options: Object) -> None:
    mark = cluster.audit_mark()
    refused = run_task("k8s_sa_consumer", **{**options, "kind": "Pod"})
    assert (refused["reason"], "make it anew" in refused["msg"]) == ("immutable_template", True)
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
