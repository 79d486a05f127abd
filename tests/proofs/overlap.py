# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A binding changes its role again and again while its account works: how many calls are refused meanwhile.

Both roles allow what the account does, so none has to be. The account is a few threads with its own token that call the
real server without a pause. For comparison the same is done with on_role_change=recreate and with kubectl.
"""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import urlsplit

from cluster.controlplane import Cluster
from proofs.table import Ground, Line
from proofs.tokens import ACCOUNT, namespace_with_account

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _binding
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

_CHANGES, _QUICK_CHANGES = 50, 10
_THREADS = 4
_PATIENCE = 30.0

_BINDING = "grant"
_GROUP = "rbac.authorization.k8s.io"
_RULE = {"verbs": ["get"], "resources": ["configmaps"]}

# what an account does that may
_ALLOWED, _REFUSED, _NO_ANSWER = 200, 403, 0

Calls: TypeAlias = Counter[int]


@dataclass(frozen=True)
class Stage:
    """Where one account works: a namespace of its own.

    Attributes:
        cluster: the control plane.
        namespace: with the account, a ConfigMap C(probe) and a Role C(reader); both it and the ClusterRole C(view) let
            the account read the ConfigMap.
    """

    cluster: Cluster
    namespace: str

    def role(self, number: int) -> dict[str, str]:
        """The roleRef of the binding after so many changes."""
        kind, name = ("ClusterRole", "view") if number % 2 else ("Role", "reader")
        return {"apiGroup": _GROUP, "kind": kind, "name": name}

    def module(self, **options: Any) -> None:
        """Run k8s_sa_binding on the binding.

        Raises:
            AssertionError: it failed, or changed nothing.
        """
        grant = {"name": _BINDING, "namespace": self.namespace, "service_accounts": [ACCOUNT], **options}
        given = {"kubeconfig": str(self.cluster.kubeconfig), **grant}
        result = run_here(_binding.USE_CASE, given, check_mode=False, diff=False)
        assert result["changed"], result["msg"]
        assert not result.get("failed"), result["msg"]

    def manifest(self, number: int) -> str:
        """The binding after so many changes, for kubectl."""
        return json.dumps(
            {
                "apiVersion": f"{_GROUP}/v1",
                "kind": "RoleBinding",
                "metadata": {"name": _BINDING, "namespace": self.namespace},
                "roleRef": self.role(number),
                "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": self.namespace}],
            }
        )


Way: TypeAlias = Callable[[Stage, int], None]


def _with_module(way: str) -> Way:
    def change(stage: Stage, number: int) -> None:
        role = stage.role(number)
        option = "cluster_role" if role["kind"] == "ClusterRole" else "role"
        stage.module(**{option: role["name"]}, on_role_change=way)

    return change


def _with_new_roles(stage: Stage, number: int) -> None:
    """The role is as new as the binding: the server must know it before it forgets the old binding."""
    stage.module(rules=[_RULE], role_name=f"made-{number}", on_role_change="overlap")


def _with_kubectl(stage: Stage, number: int) -> None:
    stage.cluster.kubectl("auth", "reconcile", "-f", "-", input=stage.manifest(number))


OVERLAP, NEW_ROLES, RECREATE, KUBECTL = "overlap", "overlap, role made in the task", "recreate", "kubectl"
WAYS: dict[str, Way] = {
    OVERLAP: _with_module("overlap"),
    NEW_ROLES: _with_new_roles,
    RECREATE: _with_module("recreate"),
    KUBECTL: _with_kubectl,
}


def prove(ground: Ground) -> list[Line]:
    """Change roles in every way and count what the account is told."""
    changes = _CHANGES if ground.full else _QUICK_CHANGES
    calls = {name: calls_during(ground.cluster, way, changes) for name, way in WAYS.items()}
    misses = [f"{name}: {calls[name][_REFUSED]} refused" for name in (OVERLAP, NEW_ROLES) if calls[name][_REFUSED]]
    misses += [f"{name}: answers {dict(seen)}" for name, seen in calls.items() if set(seen) - {_ALLOWED, _REFUSED}]
    if not calls[RECREATE][_REFUSED] and not calls[KUBECTL][_REFUSED]:
        misses.append("no other way refused a call either: the account does not call often enough to prove anything")
    seen = "; ".join(f"{name}: {one[_REFUSED]} of {one.total()} calls refused" for name, one in calls.items())
    asked = (
        f"While the role of a binding changes {changes} times, both roles allowing what the account does all the time: "
        "0 calls are refused with on_role_change=overlap"
    )
    return [Line(asked, seen, holds=not misses, misses=tuple(misses))]


def calls_during(cluster: Cluster, way: Way, changes: int) -> Calls:
    """What an account is told while its binding's role changes."""
    stage = Stage(cluster, namespace_with_account(cluster))
    inside = ("-n", stage.namespace)
    cluster.kubectl("create", "configmap", "probe", *inside)
    cluster.kubectl("create", "role", "reader", "--verb=get", "--resource=configmaps", *inside)
    cluster.kubectl("create", "-f", "-", input=stage.manifest(0))
    token = cluster.kubectl("create", "token", ACCOUNT, *inside).stdout.strip()
    with working(stage, token) as calls:
        for number in range(1, changes + 1):
            way(stage, number)
    return calls


@contextmanager
def working(stage: Stage, token: str) -> Iterator[Calls]:
    """The account at work; what it was told is complete after the block."""
    caller = _Caller(stage, token)
    _wait_until_allowed(caller)
    stop, each = threading.Event(), [Counter[int]() for dummy in range(_THREADS)]
    threads = [threading.Thread(target=_work, args=(_Caller(stage, token), stop, own)) for own in each]
    calls: Calls = Counter()
    for thread in threads:
        thread.start()
    try:
        yield calls
    finally:
        stop.set()
        for thread in threads:
            thread.join()
        for own in each:
            calls.update(own)


class _Caller:
    """One connection of the account, kept alive."""

    def __init__(self, stage: Stage, token: str) -> None:
        server = urlsplit(stage.cluster.server)
        context = ssl.create_default_context(cafile=str(stage.cluster.ca_cert))
        self._connection = http.client.HTTPSConnection(str(server.hostname), server.port, timeout=30, context=context)
        self._path = f"/api/v1/namespaces/{stage.namespace}/configmaps/probe"
        self._headers = {"Authorization": f"Bearer {token}"}

    def call(self) -> int:
        """The status of the answer, or C(0) if none came."""
        try:
            self._connection.request("GET", self._path, headers=self._headers)
            answer = self._connection.getresponse()
            answer.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return _NO_ANSWER
        return answer.status

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def _wait_until_allowed(caller: _Caller) -> None:
    """The server takes a moment to know a new binding."""
    deadline = time.monotonic() + _PATIENCE
    try:
        while caller.call() != _ALLOWED:
            assert time.monotonic() < deadline, "the account was never allowed to work"
            time.sleep(0.05)
    finally:
        caller.close()


def _work(caller: _Caller, stop: threading.Event, calls: Calls) -> None:
    try:
        while not stop.is_set():
            calls[caller.call()] += 1
    finally:
        caller.close()
