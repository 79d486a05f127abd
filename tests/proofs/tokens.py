# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What proofs about tokens share: the module under proof, and what the server says of it and of its tokens."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cluster.controlplane import Cluster

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _legacy_token, _token
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

TESTS = Path(__file__).resolve().parents[1]
COLLECTIONS = TESTS.parent / ".cache" / "collections"

ACCOUNT = "app"

_REVIEWS = "/apis/authentication.k8s.io/v1/tokenreviews"


def keep_token(cluster: Cluster, **options: Any) -> dict[str, Any]:
    """The result of k8s_sa_token with these options."""
    return run_here(_token.USE_CASE, {"kubeconfig": str(cluster.kubeconfig), **options}, check_mode=False, diff=False)


def keep_legacy_token(cluster: Cluster, **options: Any) -> dict[str, Any]:
    """The result of k8s_legacy_token with these options."""
    args = {"kubeconfig": str(cluster.kubeconfig), **options}
    return run_here(_legacy_token.USE_CASE, args, check_mode=False, diff=False)


def has_minted(result: Mapping[str, Any]) -> bool:
    """Whether a result of k8s_sa_token says that it asked for a token."""
    return any(action["kind"] == "TokenRequest" for action in result.get("actions", ()))


def mints(cluster: Cluster, mark: int) -> list[dict[str, Any]]:
    """The TokenRequests of this collection since an audit mark."""
    return [event for event in cluster.audit_events(mark) if _is_ours(event, "create", "token")]


def lookups(cluster: Cluster, mark: int) -> list[dict[str, Any]]:
    """The accounts that this collection read since an audit mark."""
    return [event for event in cluster.audit_events(mark) if _is_ours(event, "get", None)]


def _is_ours(event: Mapping[str, Any], verb: str, subresource: str | None) -> bool:
    about = event.get("objectRef", {})
    asked = event["verb"], about.get("resource"), about.get("subresource")
    return event.get("userAgent") == "tokenwright" and asked == (verb, "serviceaccounts", subresource)


def writes_of_secret(cluster: Cluster, mark: int, name: str) -> list[dict[str, Any]]:
    """The writes of a Secret since an audit mark that the server carried out."""
    return [event for event in cluster.audit_events(mark) if _is_write_of_secret(event, name)]


def _is_write_of_secret(event: Mapping[str, Any], name: str) -> bool:
    about = event.get("objectRef", {})
    is_it = (about.get("resource"), about.get("name")) == ("secrets", name)
    is_write = event["verb"] in ("create", "update", "patch", "delete") and "dryRun" not in event["requestURI"]
    return is_it and is_write and event["responseStatus"]["code"] < 300


def namespace_with_account(cluster: Cluster, *names: str) -> str:
    """A fresh namespace with these accounts; without names, with C(app)."""
    namespace = f"proof-{uuid.uuid4().hex[:10]}"
    cluster.kubectl("create", "namespace", namespace)
    for name in names or (ACCOUNT,):
        cluster.kubectl("create", "serviceaccount", name, "-n", namespace)
    return namespace


def is_accepted(cluster: Cluster, token: str) -> bool:
    """Whether TokenReview says that the server takes the token."""
    server = urlsplit(cluster.server)
    context = ssl.create_default_context(cafile=str(cluster.ca_cert))
    context.load_cert_chain(*cluster.client_cert("proof", ["system:masters"]))
    connection = http.client.HTTPSConnection(str(server.hostname), server.port, timeout=30, context=context)
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": token}}
    try:
        connection.request("POST", _REVIEWS, json.dumps(review), {"Content-Type": "application/json"})
        status = json.load(connection.getresponse())["status"]
    finally:
        connection.close()
    return bool(status.get("authenticated"))


def python_environment() -> dict[str, str]:
    """The environment for a Python that imports proofs and the collection, and finds no cluster by itself."""
    foreign = ("K8S_AUTH_", "KUBECONFIG", "PYTHON")
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {**inherited, "PYTHONPATH": f"{TESTS}{os.pathsep}{COLLECTIONS}"}
