# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which workloads use a Secret, and which of them is named."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._consumers import uses
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import (
    CRON_JOB,
    DEPLOYMENT,
    JOB,
    POD,
    REPLICA_SET,
    Kind,
    Object,
)

MOUNTS = {"volumes": [{"name": "v", "secret": {"secretName": "tok"}}]}
OTHER = {"volumes": [{"name": "v", "secret": {"secretName": "other"}}]}


def metadata(name: str, owner: tuple[str, str] | None = None) -> Object:
    owners = [{"kind": owner[0], "name": owner[1], "controller": True}] if owner else []
    return {"name": name, "namespace": "ci", "ownerReferences": owners}


def pod(name: str, spec: Object, owner: tuple[str, str] | None = None, phase: str = "Running") -> Object:
    return {"metadata": metadata(name, owner), "spec": spec, "status": {"phase": phase}}


def templated(name: str, spec: Object, owner: tuple[str, str] | None = None, replicas: int = 1) -> Object:
    return {"metadata": metadata(name, owner), "spec": {"replicas": replicas, "template": {"spec": spec}}}


def named(found: dict[Kind, list[Object]], secret: str = "tok") -> list[tuple[str, str, str]]:
    return [(use.workload.kind.name, use.workload.name, use.way) for use in uses(found).get(("ci", secret), [])]


def test_all_ways_into_a_container() -> None:
    def env(name: str) -> Object:
        return {"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": name, "key": "token"}}}]}

    ways: dict[str, Any] = {
        "volume": MOUNTS,
        "projected": {"volumes": [{"projected": {"sources": [{"configMap": {}}, {"secret": {"name": "tok"}}]}}]},
        "csi": {"volumes": [{"csi": {"driver": "d", "nodePublishSecretRef": {"name": "tok"}}}]},
        "flex": {"volumes": [{"flexVolume": {"driver": "d", "secretRef": {"name": "tok"}}}]},
        "plain": {"volumes": [{"csi": {"driver": "tok"}}, {"flexVolume": {"driver": "tok"}}]},
        "env": {"containers": [env("tok")]},
        "init": {"initContainers": [env("tok")]},
        "debug": {"ephemeralContainers": [env("tok")]},
        "whole": {"containers": [{"envFrom": [{"configMapRef": {"name": "tok"}}, {"secretRef": {"name": "tok"}}]}]},
        "none": {"containers": [{"env": [{"name": "tok", "value": "tok"}]}], "volumes": [{"emptyDir": {}}]},
        "pull": {"imagePullSecrets": [{"name": "tok"}]},
    }
    assert named({POD: [pod(name, spec) for name, spec in ways.items()]}) == [
        ("Pod", "csi", "mount"), ("Pod", "debug", "env"), ("Pod", "env", "env"), ("Pod", "flex", "mount"),
        ("Pod", "init", "env"), ("Pod", "projected", "mount"), ("Pod", "volume", "mount"), ("Pod", "whole", "env"),
    ]  # fmt: skip


def test_a_pod_is_named_by_what_made_it_unless_that_has_moved_on() -> None:
    found = {
        DEPLOYMENT: [templated("d", MOUNTS), templated("moved", OTHER)],
        REPLICA_SET: [
            templated("d-1", MOUNTS, ("Deployment", "d")),
            templated("moved-1", MOUNTS, ("Deployment", "moved"), replicas=0),
            templated("moved-2", OTHER, ("Deployment", "moved")),
        ],
        POD: [
            pod("d-1-a", MOUNTS, ("ReplicaSet", "d-1")),
            pod("moved-1-a", MOUNTS, ("ReplicaSet", "moved-1")),
            pod("moved-2-a", OTHER, ("ReplicaSet", "moved-2")),
        ],
    }
    assert named(found) == [("Deployment", "d", "mount"), ("Pod", "moved-1-a", "mount")]
    assert named(found, "other") == [("Deployment", "moved", "mount")]


def test_what_is_over_uses_nothing() -> None:
    done = {**templated("done", MOUNTS), "status": {"completionTime": "2026-11-22T07:00:00Z"}}
    found = {
        JOB: [done, templated("running", MOUNTS)],
        POD: [pod("p", MOUNTS, phase="Succeeded"), pod("q", MOUNTS, phase="Failed"), pod("r", MOUNTS, phase="Pending")],
    }
    assert named(found) == [("Job", "running", "mount"), ("Pod", "r", "mount")]


def test_a_cron_job_is_named_although_nothing_of_it_runs() -> None:
    cron = {"metadata": metadata("c"), "spec": {"jobTemplate": {"spec": {"template": {"spec": MOUNTS}}}}}
    made = templated("c-1", MOUNTS, ("CronJob", "c"))
    assert named({CRON_JOB: [cron], JOB: [made]}) == [("CronJob", "c", "mount")]


def test_a_maker_that_nobody_may_see_is_no_maker() -> None:
    assert named({POD: [pod("p", MOUNTS, ("Rollout", "r"))]}) == [("Pod", "p", "mount")]


def test_a_secret_of_that_name_elsewhere_is_another_one() -> None:
    elsewhere = pod("p", MOUNTS)
    elsewhere["metadata"]["namespace"] = "other"
    assert uses({POD: [elsewhere]}).keys() == {("other", "tok")}


def mounting(volume: Object, *mounts: Object) -> Object:
    """One container for each mount."""
    containers = [{"name": f"c{number}", "volumeMounts": [mount]} for number, mount in enumerate(mounts)]
    return {"volumes": [{"name": "v", **volume}], "containers": containers}


WHOLE: Object = {"secret": {"secretName": "tok"}}
AT_A: Object = {"name": "v", "mountPath": "/a"}


@pytest.mark.parametrize(
    ("spec", "path", "containers"),
    [
        (mounting(WHOLE, AT_A), "/a", ("c0",)),
        (mounting(WHOLE, AT_A, AT_A, {"name": "w", "mountPath": "/w"}), "/a", ("c0", "c1")),
        (mounting(WHOLE, AT_A, {**AT_A, "mountPath": "/b"}), "", ("c0", "c1")),
        (mounting(WHOLE, {**AT_A, "subPath": "token"}), "", ("c0",)),
        (mounting(WHOLE), "", ()),
        (mounting({"secret": {"secretName": "tok", "items": [{"key": "token", "path": "t"}]}}, AT_A), "", ("c0",)),
        (mounting({"projected": {"sources": [{"secret": {"name": "tok"}}]}}, AT_A), "", ("c0",)),
        (mounting({"csi": {"driver": "d", "nodePublishSecretRef": {"name": "tok"}}}, AT_A), "", ("c0",)),
    ],
    ids=["whole", "in two containers", "at two paths", "in parts", "nowhere", "some keys", "among others", "driver"],
)
def test_the_place_is_told_where_something_else_could_take_it(
    spec: Object, path: str, containers: tuple[str, ...]
) -> None:
    (use,) = uses({POD: [pod("p", spec)]})["ci", "tok"]
    assert (use.way, use.volume, use.path, use.containers) == ("mount", "v", path, containers)
