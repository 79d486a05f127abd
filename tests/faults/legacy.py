# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-lived tokens as people make them by hand, quiet times, and workloads that use a Secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cluster.controlplane import Cluster

TYPE = "kubernetes.io/service-account-token"
LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"
ACCOUNT = "kubernetes.io/service-account.name"
UID = "kubernetes.io/service-account.uid"

_TRACKING = "kube-apiserver-legacy-service-account-token-tracking"


def make(cluster: Cluster, namespace: str, name: str, *, account: str = "app", uid: str = "", **more: Any) -> None:
    """Make a Secret as a manifest would; a uid is one that somebody has left in it."""
    annotations = {ACCOUNT: account, **({UID: uid} if uid else {})}
    metadata = {"name": name, "namespace": namespace, "annotations": annotations}
    body = {"apiVersion": "v1", "kind": "Secret", "type": TYPE, "metadata": metadata, **more}
    cluster.kubectl("create", "-f", "-", input=json.dumps(body))


def filled(cluster: Cluster, namespace: str, name: str) -> None:
    """Wait until the controller has filled it."""
    cluster.kubectl("wait", "--for=jsonpath={.data.token}", f"secret/{name}", "-n", namespace, "--timeout=20s")


def label(cluster: Cluster, namespace: str, name: str, *labels: str) -> None:
    """C(key=value) sets a label, C(key-) removes it."""
    cluster.kubectl("label", "--overwrite", "secret", name, "-n", namespace, *labels)


@contextmanager
def tracked_since(cluster: Cluster, day: str) -> Iterator[None]:
    """As if the server had noted the use of long-lived tokens since that day."""
    where = ("configmap", _TRACKING, "-n", "kube-system")
    before = cluster.kubectl("get", *where, "-o", "jsonpath={.data.since}").stdout
    cluster.kubectl("patch", *where, "-p", json.dumps({"data": {"since": day}}))
    try:
        yield
    finally:
        cluster.kubectl("patch", *where, "-p", json.dumps({"data": {"since": before}}))


def deployment(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    """A Deployment without Pods; in the control plane alone nothing would run them anyway."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {
            "replicas": 0,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": spec},
        },
    }


def mounting(secret: str) -> dict[str, Any]:
    """The specification of a Pod that has the Secret mounted."""
    return {
        "containers": [{"name": "c", "image": "i", "volumeMounts": [{"name": "t", "mountPath": "/t"}]}],
        "volumes": [{"name": "t", "secret": {"secretName": secret}}],
    }


def reading(secret: str) -> dict[str, Any]:
    """The specification of a Pod that has a key of the Secret in its environment."""
    reference = {"secretKeyRef": {"name": secret, "key": "token"}}
    return {"containers": [{"name": "c", "image": "i", "env": [{"name": "TOKEN", "valueFrom": reference}]}]}
