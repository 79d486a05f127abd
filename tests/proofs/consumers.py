# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is written, in the hands of those it is written for: kubectl, kubernetes.core, the Python client, Argo CD."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.controlplane import Cluster
from proofs.table import Ground, Line
from proofs.tokens import ACCOUNT, TESTS, is_accepted, keep_token, namespace_with_account, python_environment

PEERS = TESTS.parent / ".cache" / "peers"

# the Python client as it configures itself in a Pod, only from other paths
_IN_CLUSTER = """
import sys
from kubernetes import client
from kubernetes.config.incluster_config import InClusterConfigLoader
InClusterConfigLoader(token_filename=sys.argv[1], cert_filename=sys.argv[2], try_refresh_token=False).load_and_set()
print(client.AuthenticationV1Api().create_self_subject_review({}).status.user_info.username)
"""


def prove(ground: Ground) -> list[Line]:
    """Let every consumer say who it is."""
    namespace = namespace_with_account(ground.cluster)
    config, token = ground.directory / "kubeconfig", ground.directory / "token"
    keep_token(
        ground.cluster, service_account=ACCOUNT, namespace=namespace, dest=str(token), kubeconfig_dest=str(config)
    )
    name = f"system:serviceaccount:{namespace}:{ACCOUNT}"
    lines = [
        _line("The kubeconfig is used by the real kubectl", name, lambda: _kubectl(ground.cluster, config)),
        _line(
            "The token file is used by the Python client's in-cluster configuration",
            name,
            lambda: _in_cluster(ground.cluster, token),
        ),
        _argo_cd(ground.cluster, namespace),
    ]
    if not (PEERS / "ansible_collections" / "kubernetes" / "core").is_dir():
        skipped = "skipped: kubernetes.core is not installed (make bench does)"
        return [*lines, Line("The kubeconfig is used by kubernetes.core.k8s_info", skipped, holds=True)]
    found = _line(
        "The kubeconfig is used by kubernetes.core.k8s_info", ACCOUNT, lambda: _k8s_info(ground, config, namespace)
    )
    return [*lines, found]


def _line(asked: str, expected: str, use: Callable[[], str]) -> Line:
    seen = use()
    return Line(asked, f"it says {seen}", seen == expected, () if seen == expected else (f"expected {expected}",))


def _output(command: list[str], **options: Any) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False, **options)
    return done.stdout.strip() if done.returncode == 0 else f"nothing: {done.stderr.strip()[-300:]}"


def _kubectl(cluster: Cluster, config: Path) -> str:
    program = [str(cluster.programs / "kubectl"), "--kubeconfig", str(config)]
    return _output([*program, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"])


def _in_cluster(cluster: Cluster, token: Path) -> str:
    server = urlsplit(cluster.server)
    found = {"KUBERNETES_SERVICE_HOST": str(server.hostname), "KUBERNETES_SERVICE_PORT": str(server.port)}
    return _output(
        [sys.executable, "-c", _IN_CLUSTER, str(token), str(cluster.ca_cert)], env={**python_environment(), **found}
    )


def _k8s_info(ground: Ground, config: Path, namespace: str) -> str:
    """It reads the account itself, which the account is allowed to."""
    ground.cluster.kubectl(
        *("create", "role", "self", "--verb=get", "--resource=serviceaccounts", f"--resource-name={ACCOUNT}"),
        *("-n", namespace),
    )
    ground.cluster.kubectl(
        "create", "rolebinding", "self", "--role=self", f"--serviceaccount={namespace}:{ACCOUNT}", "-n", namespace
    )
    about = {"kubeconfig": str(config), "kind": "ServiceAccount", "name": ACCOUNT, "namespace": namespace}
    result = ground.directory / "info"
    tasks = [
        {"kubernetes.core.k8s_info": about, "register": "found"},
        {
            "ansible.builtin.copy": {
                "dest": str(result),
                "mode": "0600",
                "content": "{{ found.resources[0].metadata.name }}",
            }
        },
    ]
    play = ground.directory / "info.json"
    play.write_text(json.dumps([{"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": tasks}]))
    foreign = ("K8S_AUTH_", "KUBECONFIG")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    said = _output(
        [str(Path(sys.executable).with_name("ansible-playbook")), str(play)],
        env={
            **inherited,
            "ANSIBLE_COLLECTIONS_PATH": str(PEERS),
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        },
    )
    return result.read_text() if result.exists() else said


def _argo_cd(cluster: Cluster, namespace: str) -> Line:
    """Field by field what "Declarative Setup" of Argo CD's documentation says of a cluster Secret."""
    sink = {"type": "secret", "name": "remote", "format": "argocd_cluster", "cluster_name": "remote"}
    keep_token(cluster, service_account=ACCOUNT, namespace=namespace, sinks=[sink])
    secret = json.loads(cluster.kubectl("get", "secret", "remote", "-n", namespace, "-o", "json").stdout)
    data = {key: base64.b64decode(value).decode() for key, value in secret["data"].items()}
    config = json.loads(data.get("config", "{}"))
    tls = config.get("tlsClientConfig", {})
    checks = {
        "the label argocd.argoproj.io/secret-type is cluster": secret["metadata"]["labels"].get(
            "argocd.argoproj.io/secret-type"
        )
        == "cluster",
        "the type is Opaque": secret["type"] == "Opaque",
        "name is the cluster's name": data.get("name") == "remote",
        "server is its URL": data.get("server") == cluster.server,
        "the keys are name, server and config": sorted(data) == ["config", "name", "server"],
        "config holds bearerToken and tlsClientConfig": sorted(config) == ["bearerToken", "tlsClientConfig"],
        "the server accepts bearerToken": is_accepted(cluster, config.get("bearerToken", "")),
        "tlsClientConfig.insecure is false": tls.get("insecure") is False,
        "tlsClientConfig.caData is the CA": base64.b64decode(tls.get("caData", "")) == cluster.ca_cert.read_bytes(),
    }
    misses = tuple(f"not so: {check}" for check, holds in checks.items() if not holds)
    asked = "The Argo CD Secret, field by field as Argo CD documents it"
    return Line(asked, f"{len(checks) - len(misses)} of {len(checks)} checks hold", not misses, misses)
