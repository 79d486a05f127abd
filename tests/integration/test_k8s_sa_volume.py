# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_volume against a real API server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Play, Task
from faults.proxy import Exchange, FaultProxy
from faults.rules import Fault, Where
from faults.workloads import create, job, live, pod_of, report, template_of, workload
from proofs.projections import GATES

Writes = Callable[[int], list[str]]
Object = dict[str, Any]

KINDS = ("Deployment", "StatefulSet", "DaemonSet", "CronJob", "ReplicaSet")


def both(run_task: Task, **options: Any) -> Object:
    """The real run, which check mode predicted to the letter and the next run does not repeat."""
    predicted = run_task("k8s_sa_volume", check_mode=True, **options)
    done = run_task("k8s_sa_volume", **options)
    assert not done.get("failed"), done["msg"]
    for key in ("changed", "actions", "diff", "findings", "volume", "volume_mounts", "warnings"):
        assert predicted.get(key) == done.get(key), key
    again = run_task("k8s_sa_volume", **options)
    assert (again["changed"], again["actions"]) == (False, []), again["msg"]
    return done


@pytest.fixture
def options(cluster: Cluster, namespace: str) -> Object:
    """A Deployment that somebody else has made."""
    create(cluster, namespace, workload("Deployment", "app"))
    return {"name": "app", "namespace": namespace}


VAULT = [{"token": {"audience": "https://vault.example.com", "expiration_seconds": "10m"}}]
STEPS: list[tuple[str, Object, str]] = [
    ("put in", {}, "missing"),
    ("other sources", {"sources": VAULT, "mount_path": "/vault"}, "volume_changed"),
    ("another path", {"sources": VAULT, "mount_path": "/v"}, "mounts_changed"),
    ("one container", {"sources": VAULT, "mount_path": "/v", "containers": ["app"]}, "mounts_changed"),
    ("a group", {"sources": VAULT, "mount_path": "/v", "fs_group": 65534}, "mounts_changed"),
    ("another group", {"sources": VAULT, "mount_path": "/v", "fs_group": 5}, "fs_group_changed"),
    ("an account", {"sources": VAULT, "mount_path": "/v", "service_account": "default"}, "account_changed"),
    ("automount", {"sources": VAULT, "mount_path": "/v", "automount": True}, "automount_changed"),
    ("out", {"state": "absent"}, "unwanted"),
]


def test_each_change_is_predicted_made_once_and_not_again(
    cluster: Cluster, namespace: str, run_task: Task, writes: Writes, options: Object
) -> None:
    before = live(cluster, namespace, "deployment", "app")
    for step, more, reason in STEPS:
        mark = cluster.audit_mark()
        predicted = run_task("k8s_sa_volume", check_mode=True, **options, **more)
        assert not writes(mark), step
        assert (predicted["changed"], predicted["reason"]) == (True, reason), step
        done = both(run_task, **options, **more)
        assert (done["reason"], writes(mark)) == (reason, [f"update deployments {namespace}/app"]), step
    after = live(cluster, namespace, "deployment", "app")
    assert after["spec"] == before["spec"]
    assert after["metadata"].get("annotations") == before["metadata"].get("annotations")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_gets_it_and_loses_it(cluster: Cluster, namespace: str, run_task: Task, kind: str) -> None:
    create(cluster, namespace, workload(kind, "w", {"automountServiceAccountToken": True}))
    before = template_of(live(cluster, namespace, kind, "w"))
    options = {"kind": kind, "name": "w", "namespace": namespace, "fs_group": 65534}
    both(run_task, **options)
    template = template_of(live(cluster, namespace, kind, "w"))
    assert [volume["name"] for volume in template["volumes"]] == ["data", "sa-token"]
    assert template["automountServiceAccountToken"] is False
    assert template["securityContext"] == {"fsGroup": 65534}
    assert template["containers"][0]["env"] == [{"name": "A", "value": "1"}]
    both(run_task, kind=kind, name="w", namespace=namespace, state="absent")
    assert template_of(live(cluster, namespace, kind, "w")) == before


def test_only_what_was_changed_is_ours(cluster: Cluster, namespace: str, run_task: Task, options: Object) -> None:
    both(run_task, **options, containers=["app"], mount_path="/t")
    managers = live(cluster, namespace, "deployment", "app")["metadata"]["managedFields"]
    (ours,) = [one["fieldsV1"] for one in managers if one["manager"] == "tokenwright"]
    spec = ours["f:spec"]["f:template"]["f:spec"]
    assert sorted(ours["f:spec"]) == ["f:template"]
    assert sorted(spec) == ["f:automountServiceAccountToken", "f:containers", "f:volumes"]
    (mounts,) = spec["f:containers"].values()
    assert list(mounts) == ["f:volumeMounts"]
    assert [key for key in mounts["f:volumeMounts"] if key != "."] == ['k:{"mountPath":"/t"}']


@pytest.mark.parametrize("way", [["--server-side", "--field-manager=theirs"], []], ids=["server-side", "client-side"])
def test_who_applies_the_manifest_again_neither_fails_nor_undoes_it(
    cluster: Cluster, namespace: str, run_task: Task, way: list[str]
) -> None:
    manifest = json.dumps(workload("Deployment", "app"))
    apply = ("apply", *way, "-n", namespace, "-f", "-")
    cluster.kubectl(*apply, input=manifest)
    options = {"name": "app", "namespace": namespace}
    both(run_task, **options)
    cluster.kubectl(*apply, input=manifest)
    assert not run_task("k8s_sa_volume", **options)["changed"]


def test_who_writes_at_the_same_time_loses_nothing(
    cluster: Cluster, namespace: str, run_task: Task, options: Object, fault_proxy: FaultProxy
) -> None:
    """An autoscaler and a controller that reports, each between our read and our write."""
    seen: list[int] = []

    def be_faster(exchange: Exchange) -> None:
        if exchange.method == "PUT" and len(seen) < 4:
            seen.append(len(seen))
            cluster.kubectl("scale", "deployment/app", f"--replicas={len(seen)}", "-n", namespace)
            report(cluster, namespace, "deployment", "app", replicas=len(seen))

    fault_proxy.on_request = be_faster
    done = run_task("k8s_sa_volume", **options, kubeconfig=str(fault_proxy.kubeconfig))
    assert not done.get("failed"), done["msg"]
    found = live(cluster, namespace, "deployment", "app")
    assert (found["spec"]["replicas"], found["status"]["replicas"]) == (4, 4)
    assert len(done["actions"]) == 1
    assert not run_task("k8s_sa_volume", **options)["changed"]


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_lost_answer_is_not_an_error(run_task: Task, options: Object, fault_proxy: FaultProxy, where: Where) -> None:
    fault_proxy.inject(Fault("PUT", "/deployments/", "eof", where))
    done = run_task("k8s_sa_volume", **options, kubeconfig=str(fault_proxy.kubeconfig))
    assert not done.get("failed"), done["msg"]
    assert [action["reason"] for action in done["actions"]] == ["missing"]
    assert not run_task("k8s_sa_volume", **options)["changed"]


# Risks


RISKY: list[tuple[Object, list[str]]] = [
    ({"fs_group": 5}, []),
    ({}, ["readable_token_file"]),
    ({"default_mode": "0440"}, ["unreadable_token_file", "unreadable_token_file"]),
    ({"fs_group": 5, "sources": [{"token": {"expiration_seconds": 3607}}]}, ["token_lifetime"]),
    ({"fs_group": 5, "sources": [{"token": {"audience": "vault"}}]}, ["token_audience"]),
    ({"fs_group": 5, "sources": [{"token": {}}, {"token": {}}]}, ["path_collision"]),
    (
        {"default_mode": "0400", "containers": ["app"], "sources": [{"token": {"audience": "vault"}}]},
        ["unreadable_token_file", "token_audience"],
    ),
    ({"fs_group": 5, "mount_path": "/data/token", "containers": ["app"]}, ["hidden_mount"]),
]


@pytest.mark.parametrize(("more", "expected"), RISKY)
def test_what_works_less_well_than_it_looks_is_a_warning_and_may_be_a_refusal(
    cluster: Cluster, run_task: Task, writes: Writes, options: Object, more: Object, expected: list[str]
) -> None:
    mark = cluster.audit_mark()
    if expected:
        refused = run_task("k8s_sa_volume", **options, **more, risk_policy="deny")
        assert (refused["reason"], [one["id"] for one in refused["findings"]]) == ("risk_refused", expected)
        assert not writes(mark)
    warned = both(run_task, **options, **more)
    assert [one["id"] for one in warned["findings"]] == expected
    assert len(warned.get("warnings", [])) == (1 if expected else 0)
    assert not run_task("k8s_sa_volume", **options, **more, allow_risks=expected).get("warnings")


def test_a_part_of_the_volume_that_somebody_else_mounts_is_seen(
    cluster: Cluster, namespace: str, run_task: Task, options: Object
) -> None:
    both(run_task, **options, fs_group=5)
    mount = {"name": "sa-token", "mountPath": "/etc/token", "subPath": "token"}
    patch = {"spec": {"template": {"spec": {"containers": [{"name": "app", "volumeMounts": [mount]}]}}}}
    cluster.kubectl("patch", "deployment", "app", "-n", namespace, "-p", json.dumps(patch))
    seen = run_task("k8s_sa_volume", **options, fs_group=5)
    assert (seen["changed"], [one["id"] for one in seen["findings"]]) == (False, ["subpath_token"])


# What the API server does not say


RESOURCE = {"container_name": "app", "resource": "limits.cpu", "divisor": "1m"}
CERTIFICATE = {"signer_name": "example.com/s", "key_type": "ED25519", "credential_bundle_path": "c"}


@pytest.mark.parametrize(
    ("source", "code", "said"),
    [
        ({"pod_certificate": CERTIFICATE}, "dropped_source", "cannot put sources[1].podCertificate into"),
        (
            {"cluster_trust_bundle": {"name": "b", "path": "p"}},
            "dropped_source",
            "cannot put sources[1].clusterTrustBundle into",
        ),
        ({"raw": {"secret": {"name": "a", "newer": 1}}}, "dropped_source", "cannot put sources[1].secret.newer into"),
        ({"raw": {"newer": {"a": 1}}}, "dropped_source", "cannot put sources[1].newer into"),
    ],
)
def test_a_source_that_the_server_would_drop_is_an_error_and_changes_nothing(
    cluster: Cluster, namespace: str, run_task: Task, options: Object, source: Object, code: str, said: str
) -> None:
    before = live(cluster, namespace, "deployment", "app")
    refused = run_task("k8s_sa_volume", **options, sources=[{"token": {}}, source])
    assert (refused["error"]["code"], said in refused["msg"]) == (code, True), refused["msg"]
    assert live(cluster, namespace, "deployment", "app") == before


def test_all_six_sources_where_they_are_known(run_task: Task, tmp_path: Path) -> None:
    bundle = {"signer_name": "example.com/s", "label_selector": {"match_labels": {"a": "b"}}, "path": "ca"}
    sources: list[Object] = [
        {"pod_certificate": CERTIFICATE},
        {"cluster_trust_bundle": bundle},
        {"token": {"audience": "a", "path": "a"}},
        {"token": {"audience": "b", "path": "b"}},
        {"raw": {"secret": {"name": "s", "items": [{"key": "k", "path": "k", "mode": 256}]}}},
        {"config_map": {"name": "c", "optional": True}},
        {"downward_api": {"items": [{"path": "cpu", "resource_field_ref": RESOURCE}]}},
    ]
    with Cluster(tmp_path / "gated", GATES) as cluster:
        create(cluster, "default", workload("Deployment", "app"))
        connection = {"kubeconfig": str(cluster.kubeconfig), "namespace": "default", "name": "app"}
        done = both(run_task, **connection, sources=sources, fs_group=5)
        stored = template_of(live(cluster, "default", "deployment", "app"))["volumes"][1]
    assert done["volume"] == stored
    kinds = [next(iter(source)) for source in stored["projected"]["sources"]]
    tokens, others = ["serviceAccountToken"] * 2, ["secret", "configMap", "downwardAPI"]
    assert kinds == ["podCertificate", "clusterTrustBundle", *tokens, *others]
    # the workload and its account are read, the write is tried and then made
    assert done["requests"] == 4


def test_a_mistake_is_said_before_any_request(cluster: Cluster, run_task: Task, options: Object) -> None:
    mark = cluster.audit_mark()
    refused = run_task("k8s_sa_volume", **options, sources=[{"token": {"expiration_seconds": 5}}])
    assert "sources[0].token.expiration_seconds is 5" in refused["msg"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


OF_NOBODY = {"downward_api": {"items": [{"path": "c", "resource_field_ref": {**RESOURCE, "container_name": "no"}}]}}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"mount_path": "/proc/1"}, "mount_path: no container starts with a volume at /proc/1"),
        ({"fs_group": True}, "fs_group: true is not the number of a group"),
        ({"sources": [OF_NOBODY]}, "has no container no, of which a file is to show a resource"),
        ({"sources": [{"token": {"path": "."}}]}, "sources[0].token.path is '.', which is the volume itself"),
    ],
)
def test_what_no_pod_could_start_with_is_not_written(
    cluster: Cluster, run_task: Task, writes: Writes, options: Object, more: Object, said: str
) -> None:
    mark = cluster.audit_mark()
    refused = run_task("k8s_sa_volume", **options, **more)
    assert (refused["failed"], said in refused["msg"]) == (True, True), refused["msg"]
    assert not writes(mark)


def test_the_api_server_takes_what_no_pod_could_start_with(cluster: Cluster, namespace: str) -> None:
    """The fact that our own refusals stand on."""
    resource = {"containerName": "no", "resource": "limits.cpu"}
    long = {"serviceAccountToken": {"path": "a" * 256}}
    sources = [{"downwardAPI": {"items": [{"path": "c", "resourceFieldRef": resource}]}}, long]
    pod = pod_of()
    pod["volumes"].append({"name": "v", "projected": {"sources": [*sources, {"serviceAccountToken": {"path": "."}}]}})
    pod["containers"][0]["volumeMounts"] = [{"name": "v", "mountPath": path} for path in ("/", "/proc", "/proc/1")]
    create(cluster, namespace, workload("Deployment", "app", pod))
    assert len(template_of(live(cluster, namespace, "deployment", "app"))["containers"][0]["volumeMounts"]) == 3


@pytest.mark.parametrize("kind", ["Pod", "Job"])
def test_what_nobody_can_change_is_refused_with_the_way_about_it(run_task: Task, namespace: str, kind: str) -> None:
    refused = run_task("k8s_sa_volume", kind=kind, name="a", namespace=namespace)
    assert (refused["reason"], "the filter projected_volume" in refused["msg"]) == ("immutable_template", True)


def test_the_template_of_a_suspended_job_is_immutable_too(cluster: Cluster, namespace: str) -> None:
    """The fact that the refusal stands on."""
    create(cluster, namespace, workload("Job", "j"))
    patch = json.dumps({"spec": {"template": {"spec": {"volumes": [{"name": "x", "emptyDir": {}}]}}}})
    refused = cluster.kubectl("patch", "job", "j", "-n", namespace, "-p", patch, check=False)
    assert "field is immutable" in refused.stderr


# Accounts and workloads that are missing


def test_what_is_missing_is_an_error_and_in_check_mode_a_note(
    cluster: Cluster, namespace: str, run_task: Task, options: Object
) -> None:
    for wrong, code in (({"service_account": "no"}, "missing_account"), ({"name": "no"}, "missing_workload")):
        more: Object = {**options, "fs_group": 5, **wrong}
        refused = run_task("k8s_sa_volume", **more)
        assert (refused["error"]["code"], refused["actions"]) == (code, [])
        predicted = run_task("k8s_sa_volume", check_mode=True, **more)
        assert (predicted["changed"], "does not exist yet" in predicted["warnings"][0]) == (True, True)
    run_task("k8s_sa", name="no", namespace=namespace)
    both(run_task, **options, service_account="no")
    assert template_of(live(cluster, namespace, "deployment", "app"))["serviceAccountName"] == "no"


def test_two_volumes_of_a_workload_that_is_coming_are_predicted(namespace: str, run_task: Task) -> None:
    workloads = [{"name": "new"}, {"name": "new", "volume_name": "b", "mount_path": "/b", "containers": ["app"]}]
    predicted = run_task("k8s_sa_volume", check_mode=True, namespace=namespace, workloads=workloads)
    assert [one["reason"] for one in predicted["outcomes"]] == ["missing", "missing"]
    assert len(predicted["actions"]) == 2


def test_what_belongs_to_another_workload_is_refused(cluster: Cluster, namespace: str, run_task: Task) -> None:
    create(cluster, namespace, workload("Deployment", "app"))
    uid = live(cluster, namespace, "deployment", "app")["metadata"]["uid"]
    owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "app", "uid": uid, "controller": True}
    child = workload("ReplicaSet", "app-1")
    child["metadata"]["ownerReferences"] = [owner]
    create(cluster, namespace, child)
    refused = run_task("k8s_sa_volume", kind="ReplicaSet", name="app-1", namespace=namespace)
    assert "is made by Deployment app, which would undo it: name the Deployment instead" in refused["msg"]


def test_a_secret_gives_way_to_a_token_and_comes_back(cluster: Cluster, namespace: str, run_task: Task) -> None:
    pod = pod_of()
    pod["volumes"].append({"name": "credentials", "secret": {"secretName": "long-lived"}})
    pod["containers"][0]["volumeMounts"].append({"name": "credentials", "mountPath": "/credentials", "readOnly": True})
    create(cluster, namespace, workload("Deployment", "app", pod))
    before = template_of(live(cluster, namespace, "deployment", "app"))
    place = {"volume_name": "credentials", "mount_path": "/credentials"}
    options: Object = {"name": "app", "namespace": namespace, "containers": ["app"], "fs_group": 5, **place}
    assert run_task("k8s_sa_volume", **options)["error"]["code"] == "taken"
    both(run_task, **options, force=True)
    both(run_task, **options, state="absent")
    assert template_of(live(cluster, namespace, "deployment", "app")) == before


def with_sidecar(cluster: Cluster, namespace: str) -> Object:
    """A Deployment two of whose containers mount a Secret, each in two places, and what its template is."""
    pod = pod_of()
    pod["volumes"].insert(0, {"name": "creds", "secret": {"secretName": "long-lived"}})
    own = [{"name": "creds", "mountPath": "/etc/token"}, {"name": "creds", "mountPath": "/etc/other"}]
    pod["containers"][0]["volumeMounts"] = [*own, *pod["containers"][0].get("volumeMounts", [])]
    mounts = [{"name": "creds", "mountPath": "/creds"}, {"name": "creds", "mountPath": "/t", "subPath": "token"}]
    pod["containers"].append({"name": "untrusted", "image": "none", "volumeMounts": mounts})
    create(cluster, namespace, workload("Deployment", "app", pod))
    return dict(template_of(live(cluster, namespace, "deployment", "app")))


def test_a_container_that_is_not_chosen_gets_no_token(cluster: Cluster, namespace: str, run_task: Task) -> None:
    with_sidecar(cluster, namespace)
    options: Object = {"name": "app", "namespace": namespace, "volume_name": "creds", "mount_path": "/etc/token"}
    chosen: Object = {**options, "containers": ["app"], "fs_group": 5, "force": True}
    done = both(run_task, **chosen)
    assert {name: len(found) for name, found in done["volume_mounts"].items()} == {"app": 1}
    assert len([one for one in done["warnings"] if "container untrusted of" in one]) == 2
    added = {"name": "untrusted", "volumeMounts": [{"name": "creds", "mountPath": "/added"}]}
    patch = {"spec": {"template": {"spec": {"containers": [added]}}}}
    cluster.kubectl("patch", "deployment", "app", "-n", namespace, "-p", json.dumps(patch))
    again = both(run_task, **{**chosen, "force": False})
    assert (again["reason"], list(again["volume_mounts"])) == ("mounts_changed", ["app"])


def test_a_path_is_the_same_however_it_is_spelled(cluster: Cluster, namespace: str, run_task: Task) -> None:
    before = with_sidecar(cluster, namespace)
    options: Object = {"name": "app", "namespace": namespace, "containers": ["app"], "fs_group": 5}
    refused = run_task("k8s_sa_volume", **options, mount_path="/etc//token/")
    assert (refused["error"]["code"], "has volume creds at /etc/token" in refused["msg"]) == ("taken", True)
    done = both(run_task, **options, mount_path="/etc//token/", force=True)
    assert [one["mountPath"] for one in done["volume_mounts"]["app"]] == ["/etc/token"]
    assert not run_task("k8s_sa_volume", **options, mount_path="/etc/token")["changed"]
    both(run_task, name="app", namespace=namespace, state="absent")
    assert template_of(live(cluster, namespace, "deployment", "app")) == before


def test_what_was_replaced_comes_back_in_its_order(cluster: Cluster, namespace: str, run_task: Task) -> None:
    before = with_sidecar(cluster, namespace)
    options: Object = {"name": "app", "namespace": namespace, "volume_name": "creds"}
    place: Object = {"mount_path": "/etc/token", "containers": ["app"], "fs_group": 5}
    both(run_task, **options, **place, force=True)
    assert template_of(live(cluster, namespace, "deployment", "app")) != before
    both(run_task, **options, state="absent")
    assert template_of(live(cluster, namespace, "deployment", "app")) == before


# Many


def test_many_volumes_in_one_task(cluster: Cluster, namespace: str, run_task: Task) -> None:
    create(cluster, namespace, *(workload("Deployment", name) for name in "abc"), workload("CronJob", "nightly"))
    workloads: list[Object] = [
        {"name": "a"},
        {"name": "a", "volume_name": "vault", "mount_path": "/vault", "sources": VAULT},
        {"name": "b", "containers": ["app"]},
        {"name": "nope"},
        {"kind": "CronJob", "name": "nightly"},
    ]
    options = {"namespace": namespace, "fs_group": 65534, "workloads": workloads}
    first = run_task("k8s_sa_volume", **options)
    assert (first["changed"], first["failed"], len(first["actions"])) == (True, True, 4)
    assert "4 of 5 done; failed: Deployment" in first["msg"]
    assert [one["status"] for one in first["outcomes"]] == ["changed", "changed", "changed", "failed", "changed"]
    workloads.remove({"name": "nope"})
    done = both_of_many(run_task, options, changed=False)
    assert [one["volume_name"] for one in done["outcomes"]] == ["sa-token", "vault", "sa-token", "sa-token"]
    gone = both_of_many(run_task, {**options, "state": "absent"}, changed=True)
    assert [one["reason"] for one in gone["outcomes"]] == ["unwanted"] * 4


def both_of_many(run_task: Task, options: Object, *, changed: bool) -> Object:
    predicted = run_task("k8s_sa_volume", check_mode=True, **options)
    done = run_task("k8s_sa_volume", **options)
    assert not done.get("failed"), done["msg"]
    assert (predicted["changed"], done["changed"]) == (changed, changed)
    assert predicted["actions"] == done["actions"]
    assert not run_task("k8s_sa_volume", **options)["changed"]
    return done


def test_the_same_volume_twice_is_a_mistake(namespace: str, run_task: Task) -> None:
    refused = run_task("k8s_sa_volume", namespace=namespace, workloads=[{"name": "a"}, {"name": "a"}])
    assert "volume sa-token of Deployment" in refused["msg"]
    assert refused["reason"] == "duplicate"


def test_a_long_list_is_read_with_few_requests(cluster: Cluster, namespace: str, run_task: Task) -> None:
    names = [f"d{number}" for number in range(12)]
    create(cluster, namespace, *(workload("Deployment", name) for name in names))
    done = run_task("k8s_sa_volume", namespace=namespace, fs_group=5, workloads=[{"name": name} for name in names])
    # a list of workloads, their one account, and a write for each
    assert (done["changed"], done["requests"]) == (True, 1 + 1 + len(names))


# Waiting, with the status that a controller would write


def test_a_rollout_is_waited_for(cluster: Cluster, namespace: str, run_task: Task, options: Object) -> None:
    report(cluster, namespace, "deployment", "app")
    waited = run_task("k8s_sa_volume", **options, fs_group=5, wait=True, wait_timeout=30)
    assert (waited["changed"], waited["rolled_out"]) == (True, True), waited["msg"]
    again = run_task("k8s_sa_volume", **options, fs_group=5, wait=True, wait_timeout=30)
    assert (again["changed"], again["rolled_out"]) == (False, True)
    predicted = run_task("k8s_sa_volume", check_mode=True, **options, fs_group=6, wait=True)
    assert (predicted["changed"], predicted["rolled_out"]) == (True, None)


def test_a_rollout_that_does_not_end_says_how_far_it_is(
    cluster: Cluster, namespace: str, run_task: Task, options: Object
) -> None:
    cluster.kubectl("scale", "deployment/app", "--replicas=3", "-n", namespace)
    report(cluster, namespace, "deployment", "app", replicas=3, updatedReplicas=1)
    waited = run_task("k8s_sa_volume", **options, fs_group=5, wait=True, wait_timeout=1)
    assert (waited["changed"], waited["failed"], waited["reason"]) == (True, True, "not_rolled_out")
    assert "its Pods are not new within 1 seconds: 1 of 3 Pods are new" in waited["msg"]
    cluster.kubectl("patch", "deployment", "app", "-n", namespace, "-p", '{"spec": {"paused": true}}')
    stuck = run_task("k8s_sa_volume", **options, fs_group=5, wait=True)
    assert "but its Pods are not new: it is paused" in stuck["msg"]


def test_that_a_controller_gave_up_before_says_nothing_of_this_change(
    cluster: Cluster, namespace: str, run_task: Task, options: Object, fault_proxy: FaultProxy
) -> None:
    """Where it goes back to Pods that are still there, it says so for a moment after it has seen the change."""
    gave_up = {"type": "Progressing", "status": "False", "reason": "ProgressDeadlineExceeded"}
    status = {"replicas": 3, "updatedReplicas": 1, "conditions": [gave_up]}
    cluster.kubectl("scale", "deployment/app", "--replicas=3", "-n", namespace)
    report(cluster, namespace, "deployment", "app", **status, observedGeneration=2)
    written: list[str] = []

    def see_it(exchange: Exchange) -> None:
        if exchange.method == "GET" and written == ["PUT"]:
            report(cluster, namespace, "deployment", "app", **status)
        written[:] = [exchange.method] if exchange.method == "PUT" else [*written, exchange.method]

    fault_proxy.on_request = see_it
    through = {"kubeconfig": str(fault_proxy.kubeconfig), "wait": True}
    waited = run_task("k8s_sa_volume", **options, fs_group=5, **through, wait_timeout=2)
    assert "but its Pods are not new within 2 seconds: 1 of 3 Pods are new:" in waited["msg"]
    again = run_task("k8s_sa_volume", **options, fs_group=5, **through)
    assert (again["changed"], again["reason"]) == (False, "not_rolled_out")
    assert "but its Pods are not new: 1 of 3 Pods are new, and its controller gave up" in again["msg"]


@pytest.mark.parametrize("kind", ["CronJob", "ReplicaSet"])
def test_who_does_not_replace_pods_is_not_waited_for(
    cluster: Cluster, namespace: str, run_task: Task, kind: str
) -> None:
    create(cluster, namespace, workload(kind, "w"))
    done = run_task("k8s_sa_volume", kind=kind, name="w", namespace=namespace, fs_group=5, wait=True)
    assert (done["changed"], done["rolled_out"]) == (True, None)
    said = [warning for warning in done.get("warnings", []) if "does not replace its Pods" in warning]
    assert len(said) == (1 if kind == "ReplicaSet" else 0)


def test_the_diff_shows_the_volume_and_what_goes_with_it(run_task: Task, options: Object) -> None:
    done = run_task("k8s_sa_volume", **options, containers=["app"], mount_path="/t", fs_group=5)
    before, after = (yaml.safe_load(done["diff"][side]) for side in ("before", "after"))
    assert before["spec"]["template"]["spec"] == {}
    pod = after["spec"]["template"]["spec"]
    assert pod.pop("volumes") == [done["volume"]]
    mount = {"mountPath": "/t", "name": "sa-token", "readOnly": True}
    assert pod == {
        "automountServiceAccountToken": False,
        "containers": [{"name": "app", "volumeMounts": [mount]}],
        "securityContext": {"fsGroup": 5},
    }


# The filter


def test_the_filter_makes_a_volume_that_the_server_takes_and_warns(
    cluster: Cluster, namespace: str, run_playbook: Callable[..., Play], tmp_path: Path
) -> None:
    pod = pod_of({"serviceAccountName": "default", "restartPolicy": "Never"})
    volume = "{{ [{'token': {'expiration_seconds': 3607}}] | tokenwright.kubernetes.projected_volume('odd') }}"
    manifest = {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "j", "namespace": namespace},
        "spec": {**job({"spec": {**pod, "volumes": [*pod["volumes"], volume]}}), "suspend": True},
    }
    tasks = [
        {
            "ansible.builtin.copy": {
                "content": "{{ manifest | to_json }}",
                "dest": str(tmp_path / "job.json"),
                "mode": "0600",
            }
        }
    ]
    facts = {"manifest": manifest}
    play = run_playbook([{"hosts": "localhost", "gather_facts": False, "vars": facts, "tasks": tasks}])
    assert play.rc == 0, play.stdout + play.stderr
    assert "for a token of exactly 3607 seconds" in " ".join((play.stdout + play.stderr).split())
    cluster.kubectl("create", "--dry-run=server", "-f", str(tmp_path / "job.json"))
