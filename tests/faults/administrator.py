# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An account that may do everything, known by a token: that passes through a proxy, a client certificate does not."""

from __future__ import annotations

import base64
import functools
import json
from pathlib import Path

from cluster.controlplane import Cluster

_NAME, _NAMESPACE = "fault-proxy", "kube-system"

_RBAC = "rbac.authorization.k8s.io"
_ACCOUNT = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": _NAME, "namespace": _NAMESPACE}}
_BINDING = {
    "apiVersion": f"{_RBAC}/v1",
    "kind": "ClusterRoleBinding",
    "metadata": {"name": _NAME},
    "roleRef": {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "cluster-admin"},
    "subjects": [{"kind": "ServiceAccount", "name": _NAME, "namespace": _NAMESPACE}],
}


@functools.cache
def token_for_everything(cluster: Cluster) -> str:
    """A token for a day, the same for all who ask; its account stays until the cluster goes."""
    manifest = json.dumps({"apiVersion": "v1", "kind": "List", "items": [_ACCOUNT, _BINDING]})
    cluster.kubectl("apply", "--filename=-", input=manifest)
    return cluster.kubectl("create", "token", _NAME, f"--namespace={_NAMESPACE}", "--duration=24h").stdout.strip()


def with_token(server: str, authority: Path, token: str) -> str:
    """The text of a kubeconfig that needs no other file; JSON, which is YAML too."""
    trust = base64.b64encode(authority.read_bytes()).decode()
    return json.dumps(
        {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "contexts": [{"name": "proxy", "context": {"cluster": "proxy", "user": _NAME}}],
            "clusters": [{"name": "proxy", "cluster": {"server": server, "certificate-authority-data": trust}}],
            "users": [{"name": _NAME, "user": {"token": token}}],
        }
    )
