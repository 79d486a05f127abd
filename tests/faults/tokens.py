# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens as the real server judges them, tokens that are not what they seem, and callers who may do little."""

from __future__ import annotations

import base64
import json
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jwt
from cluster.controlplane import Cluster

MINT = ("create", "serviceaccounts/token")
GET_ACCOUNT = ("get", "serviceaccounts")


def claims_of(token: str) -> dict[str, Any]:
    """What the token says of itself."""
    found: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return found


def review(cluster: Cluster, token: str, *audiences: str) -> dict[str, Any]:
    """The status of a TokenReview."""
    kind = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    manifest = json.dumps({**kind, "spec": {"token": token, "audiences": list(audiences)}})
    answer = cluster.kubectl("create", "-f", "-", "-o", "json", input=manifest).stdout
    status: dict[str, Any] = json.loads(answer)["status"]
    return status


def is_accepted(cluster: Cluster, token: str, *audiences: str) -> bool:
    """Whether the server accepts the token."""
    return bool(review(cluster, token, *audiences).get("authenticated"))


def resigned(
    cluster: Cluster, token: str, *, key: str | None = None, private: Mapping[str, Any] | None = None, **changes: Any
) -> str:
    """The same token with other claims, signed with the cluster's own key or another (PEM).

    C(private) goes below C(kubernetes.io).
    """
    key_id = jwt.get_unverified_header(token)["kid"]
    signing_key = key or cluster.signing_key.read_text()
    claims = {**claims_of(token), **changes}
    claims["kubernetes.io"] = {**claims["kubernetes.io"], **(private or {})}
    return jwt.encode(claims, signing_key, algorithm="RS256", headers={"kid": key_id})


def aged(cluster: Cluster, token: str, seconds: int) -> str:
    """The same token as if it had been minted so many seconds ago."""
    claims = claims_of(token)
    born = int(time.time()) - seconds
    return resigned(cluster, token, iat=born, nbf=born, exp=born + claims["exp"] - claims["iat"])


def secret(cluster: Cluster, namespace: str, name: str) -> dict[str, Any] | None:
    """The Secret; None if there is none."""
    answer = cluster.kubectl("get", "secret", name, "-n", namespace, "-o", "json", "--ignore-not-found").stdout
    found: dict[str, Any] | None = json.loads(answer) if answer else None
    return found


def secret_names(cluster: Cluster, namespace: str) -> list[str]:
    """The names of all Secrets, sorted."""
    return sorted(
        cluster.kubectl("get", "secrets", "-n", namespace, "-o", "name").stdout.replace("secret/", "").split()
    )


def values(cluster: Cluster, namespace: str, name: str) -> dict[str, str]:
    """What the Secret holds, as text."""
    data = (secret(cluster, namespace, name) or {}).get("data") or {}
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def caller_who_may(cluster: Cluster, namespace: str, *rights: tuple[str, str]) -> Path:
    """The kubeconfig of a user with these rights in the namespace: verbs and resources, with commas between several."""
    user = f"{namespace}-{uuid.uuid4().hex[:6]}"
    place = {"name": user, "namespace": namespace}
    api = {"apiVersion": "rbac.authorization.k8s.io/v1", "metadata": place}
    groups = ["", "authentication.k8s.io"]
    rules = [
        {"apiGroups": groups, "verbs": verbs.split(","), "resources": resources.split(",")}
        for verbs, resources in rights
    ]
    role = {"kind": "Role", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    subject = {"kind": "User", "name": user, "apiGroup": "rbac.authorization.k8s.io"}
    objects = [
        {**api, "kind": "Role", "rules": rules},
        {**api, "kind": "RoleBinding", "roleRef": role, "subjects": [subject]},
    ]
    cluster.kubectl("create", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))
    return cluster.kubeconfig_for(user)
