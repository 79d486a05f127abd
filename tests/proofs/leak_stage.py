# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the leak check's tasks find what they need: a namespace, files, credentials of several kinds."""

from __future__ import annotations

import base64
import json
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jwt
import yaml
from cluster.controlplane import Cluster
from cluster.files import write_private
from faults import legacy
from faults.workloads import create, template_of, workload
from proofs.leak_secrets import Secret, tokens_in

_ACCOUNTS = ("app", "other", "maker", "stranger")
# somebody who may do everything, known by a client certificate
_ROOT = ("leak-check", ("system:masters",))

_RBAC = "rbac.authorization.k8s.io"


def _unguessable(kind: str) -> str:
    """A password with the characters that are escaped in one way or another."""
    return f'{kind} "{secrets.token_hex(12)}\\&=/+ü{secrets.token_hex(4)}'


@dataclass
class Stage:
    """One namespace, one directory.

    Attributes:
        cluster: the control plane.
        namespace: with the accounts C(app) and C(other) to make tokens of, C(maker) who may do that and C(stranger),
            and the Pod C(idle), which no node runs.
        directory: private; the places of the tokens are below C(places) in it.
        known: the secrets that are known before anything runs.
        variables: for the tasks.
    """

    cluster: Cluster
    namespace: str
    directory: Path
    known: list[Secret]
    variables: dict[str, Any]

    @property
    def places(self) -> Path:
        """Where the tasks put their tokens."""
        return self.directory / "places"

    @property
    def results(self) -> Path:
        """Where the tasks' results are kept."""
        return self.directory / "results.json"

    def value(self, name: str) -> str:
        """A secret by its name."""
        return next(secret.value for secret in self.known if secret.name == name)

    def secrets(self) -> list[Secret]:
        """Those that are known before and the tokens that came to be."""
        return [*self.known, *(Secret("a minted token", token) for token in sorted(self.minted()))]

    def minted(self) -> set[str]:
        """The tokens that came to be: in places and in results."""
        files = [*(path for path in self.places.rglob("*") if path.is_file()), self.results]
        found = {token for path in files if path.exists() for token in tokens_in(path.read_bytes())}
        return found - {secret.value for secret in self.known}


def set_up(cluster: Cluster, namespace: str, directory: Path) -> Stage:
    """A stage on which nothing has been played."""
    directory.mkdir(mode=0o700)
    _make_accounts(cluster, namespace)
    stage = Stage(cluster, namespace, directory, [], {})
    stage.places.mkdir(mode=0o700)
    values = _credentials(stage)
    stage.known += [Secret(name, value) for name, value in values.items()]
    stage.known += _plant(stage, values["password"])
    stage.known.append(_make_workload(stage))
    stage.known.append(_make_reader(cluster, namespace))
    stage.known.append(Secret("the administrator's key", cluster.client_cert("admin")[1].read_text()))
    stage.variables |= _variables(stage, values)
    write_private(directory / "variables.json", json.dumps(stage.variables))
    return stage


def _make_accounts(cluster: Cluster, namespace: str) -> None:
    subject = {"kind": "ServiceAccount", "name": "maker", "namespace": namespace}
    role = {"apiGroup": _RBAC, "kind": "ClusterRole", "name": "admin"}
    binding = {
        "kind": "RoleBinding",
        "apiVersion": f"{_RBAC}/v1",
        "metadata": {"name": "maker", "namespace": namespace},
    }
    items: list[dict[str, Any]] = [{"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": namespace}}]
    for name in _ACCOUNTS:
        items.append({"kind": "ServiceAccount", "apiVersion": "v1", "metadata": {"name": name, "namespace": namespace}})
    items.append({**binding, "roleRef": role, "subjects": [subject]})
    container = {"name": "app", "image": "none"}
    metadata = {"name": "idle", "namespace": namespace}
    spec = {"serviceAccountName": "app", "containers": [container]}
    items.append({"kind": "Pod", "apiVersion": "v1", "metadata": metadata, "spec": spec})
    cluster.kubectl("create", "--filename=-", input=json.dumps({"kind": "List", "apiVersion": "v1", "items": items}))


def _make_workload(stage: Stage) -> Secret:
    """A Deployment with a password in its environment, as many have it; returns the password."""
    password = Secret("the password in a workload", _unguessable("environment"))
    manifest = workload("Deployment", "web")
    spec = template_of(manifest)
    (container,) = spec["containers"]
    container["env"].append({"name": "PASSWORD", "value": password.value})
    container["volumeMounts"].append({"name": "password", "mountPath": "/etc/password"})
    spec["volumes"].append({"name": "password", "secret": {"secretName": "password"}})
    # as kubectl apply keeps it
    manifest["metadata"]["annotations"] = {"kubectl.kubernetes.io/last-applied-configuration": json.dumps(manifest)}
    create(stage.cluster, stage.namespace, manifest)
    return password


def _make_reader(cluster: Cluster, namespace: str) -> Secret:
    """A workload with a long-lived token in its environment."""
    legacy.make(cluster, namespace, "long-lived")
    legacy.filled(cluster, namespace, "long-lived")
    deployment = legacy.deployment("reader", legacy.reading("long-lived"))
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(deployment))
    token = cluster.kubectl("get", "secret/long-lived", "-n", namespace, "-o", "jsonpath={.data.token}").stdout
    return Secret("a long-lived token", base64.b64decode(token).decode())


def _credentials(stage: Stage) -> dict[str, str]:
    dummy, key = stage.cluster.client_cert(*_ROOT)
    return {
        "key": _token(stage, "maker"),
        "inline_token": _token(stage, "maker"),
        "environment_key": _token(stage, "maker"),
        "stranger_key": _token(stage, "stranger"),
        "vault_key": _token(stage, "maker", "--audience=https://vault.example.com"),
        "client_key": key.read_text(),
        "password": _unguessable("password"),
        "unknown_key": secrets.token_urlsafe(32),
    }


def _token(stage: Stage, account: str, *more: str) -> str:
    return stage.cluster.kubectl("create", "token", account, "-n", stage.namespace, *more).stdout.strip()


def _plant(stage: Stage, password: str) -> Iterator[Secret]:
    """What is in some of the places before."""
    now = int(time.time())
    token = _token(stage, "app")
    planted = {
        "expired": _at(stage, token, now - 7200),
        "due": _at(stage, token, now - 3000),
        "foreign-token": _token(stage, "other"),
        "foreign": _unguessable("poem"),
        "forced": _unguessable("song"),
        "not-yaml": f"users: [{{name: me, token: '{_unguessable('half')}",
    }
    for name, content in planted.items():
        write_private(stage.places / name, content)
        yield Secret(f"the content of {name}", content)
    (stage.places / "public").mkdir()
    (stage.places / "public").chmod(0o777)
    write_private(stage.places / "odd", json.dumps({"users": {"password": password}}))
    user = {"name": "me", "user": {"username": "me", "password": password, "token": planted["foreign-token"]}}
    write_private(stage.places / "theirs", yaml.safe_dump({"kind": "Config", "apiVersion": "v1", "users": [user]}))
    write_private(stage.directory / "program.txt", password)


def _at(stage: Stage, token: str, born: int) -> str:
    """The same token with an hour that began at this time, signed with the cluster's own key."""
    claims = jwt.decode(token, options={"verify_signature": False}) | {"iat": born, "nbf": born, "exp": born + 3600}
    headers = {"kid": jwt.get_unverified_header(token)["kid"]}
    return jwt.encode(claims, stage.cluster.signing_key.read_text(), algorithm="RS256", headers=headers)


def _variables(stage: Stage, values: dict[str, str]) -> dict[str, Any]:
    certificate, key = (_encoded(path) for path in stage.cluster.client_cert(*_ROOT))
    program: dict[str, Any] = {"apiVersion": "client.authentication.k8s.io/v1", "command": "cat"}
    program |= {"args": [str(stage.directory / "program.txt")], "interactiveMode": "Never"}
    broken = {"client-certificate-data": certificate, "client-key-data": _text_encoded(values["password"])}
    return {
        **{name: values[name] for name in ("key", "stranger_key", "vault_key", "unknown_key", "password")},
        "ns": stage.namespace,
        "dir": str(stage.places),
        "results": str(stage.results),
        "server": stage.cluster.server,
        "ca": str(stage.cluster.ca_cert),
        "inline": _inline(stage, {"token": values["inline_token"]}),
        "inline_key": _inline(stage, {"client-certificate-data": certificate, "client-key-data": key}),
        "inline_broken": _inline(stage, broken),
        "inline_password": _inline(stage, {"username": "me", "password": values["password"]}),
        "inline_program": _inline(stage, {"exec": program}),
    }


def _inline(stage: Stage, user: dict[str, Any]) -> dict[str, Any]:
    authority = {"server": stage.cluster.server, "certificate-authority-data": _encoded(stage.cluster.ca_cert)}
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "c",
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
        "clusters": [{"name": "c", "cluster": authority}],
        "users": [{"name": "u", "user": user}],
    }


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()


def _text_encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()
