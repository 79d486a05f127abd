# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Workloads as others make them; and as their controllers would report them, where no node runs their Pods."""

from __future__ import annotations

import json
from typing import Any

from cluster.controlplane import Cluster

Object = dict[str, Any]

API_VERSIONS = {"CronJob": "batch/v1", "Job": "batch/v1", "Pod": "v1"}

# a generation that no test reaches
_LATER = 1000


def workload(kind: str, name: str, pod: Object | None = None) -> Object:
    """A manifest with two containers, one of them run first, of which no Pod is to be made."""
    template = {"metadata": {"labels": {"app": name}}, "spec": pod_of(pod)}
    selector: Object = {"selector": {"matchLabels": {"app": name}}}
    specs: dict[str, Object] = {
        "Deployment": {**selector, "replicas": 0, "template": template},
        "ReplicaSet": {**selector, "replicas": 0, "template": template},
        "StatefulSet": {**selector, "replicas": 0, "serviceName": name, "template": template},
        "DaemonSet": {**selector, "template": template},
        "CronJob": {"schedule": "0 0 1 1 *", "suspend": True, "jobTemplate": {"spec": job(template)}},
        "Job": {**job(template), "suspend": True},
    }
    api_version = API_VERSIONS.get(kind, "apps/v1")
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": name}, "spec": specs[kind]}


def pod_of(more: Object | None = None) -> Object:
    """What is in a template: two containers, and a volume that nobody is to touch."""
    return {
        "initContainers": [{"name": "first", "image": "example.com/first"}],
        "containers": [
            {
                "name": "app",
                "image": "example.com/app",
                "env": [{"name": "A", "value": "1"}],
                "volumeMounts": [{"name": "data", "mountPath": "/data"}],
            }
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
        **(more or {}),
    }


def job(template: Object) -> Object:
    """The specification of a Job with such Pods."""
    return {"template": {**template, "spec": {**template["spec"], "restartPolicy": "Never"}}}


def create(cluster: Cluster, namespace: str, *manifests: Object) -> None:
    """Make them as somebody else would."""
    listed = {"apiVersion": "v1", "kind": "List", "items": list(manifests)}
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(listed))


def live(cluster: Cluster, namespace: str, kind: str, name: str) -> Object:
    """An object as it is."""
    command = ("get", kind, name, "-n", namespace, "-o", "json", "--show-managed-fields")
    found: Object = json.loads(cluster.kubectl(*command).stdout)
    return found


def pods_of(cluster: Cluster, namespace: str) -> list[Object]:
    """The Pods of a namespace that are not about to go: kubectl also takes those for the Pods of a Deployment."""
    found = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-o", "json").stdout)["items"]
    return [pod for pod in found if "deletionTimestamp" not in pod["metadata"]]


def template_of(obj: Object) -> Object:
    """The specification of its Pods."""
    spec = obj["spec"]["jobTemplate"]["spec"] if obj["kind"] == "CronJob" else obj["spec"]
    found: Object = spec["template"]["spec"]
    return found


def report(cluster: Cluster, namespace: str, kind: str, name: str, **status: Any) -> None:
    """Say, as the controller of a workload would, how far its Pods are; it has seen all changes to come."""
    patch = {"status": {"observedGeneration": _LATER, "replicas": 0, **status}}
    cluster.kubectl(
        *("patch", kind, name, "-n", namespace, "--subresource=status", "--type=merge", "-p", json.dumps(patch))
    )
