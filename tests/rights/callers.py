# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Users who hold shipped roles, whole or without one right; all of them are made at once."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from cluster.controlplane import Cluster
from rights.manifests import Right, ShippedRole
from rights.paths import IN_A_NAMESPACE, IN_KUBE_SYSTEM, role_of

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._api import Api, connect
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._auth import ConnectionOptions
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE_BINDING,
    SUBJECT_ACCESS_REVIEW,
    Ref,
    ref_of,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._redact import Secrets

Object = dict[str, Any]

_GROUP = "rbac.authorization.k8s.io"
_API = f"{_GROUP}/v1"

# what is in no namespace carries this label with the name of the namespace, to be removed with it
_LABEL = "example.com/callers-of"

_WORKERS = 8

# seconds until the authorizer has heard of a binding, also on a machine that is busy
_SETTLES_WITHIN = 30.0


@dataclass(frozen=True)
class Caller:
    """A user.

    Attributes:
        name: the user's name.
        holds: the roles, as in a path.
        without: the role, and the right in it that is missing; None: all is there.
    """

    name: str
    holds: tuple[str, ...]
    without: tuple[str, Right] | None = None


def create_callers(
    cluster: Cluster, roles: Mapping[str, ShippedRole], callers: Sequence[Caller], namespace: str
) -> None:
    """Make the roles and bindings of users, and wait until the API server has heard of them."""
    api = connect(ConnectionOptions(kubeconfig=str(cluster.kubeconfig)), Secrets(), pool_size=_WORKERS)
    held = [(caller, held) for caller in callers for held in caller.holds]
    try:
        with ThreadPoolExecutor(max_workers=_WORKERS) as pool:
            list(pool.map(lambda obj: api.create(_ref(obj), obj), _objects(roles, callers, namespace)))
            list(pool.map(lambda one: _settle(api, one[0], roles[role_of(one[1])], _place(one[1], namespace)), held))
    finally:
        api.connection.close()


def delete_callers(cluster: Cluster, namespace: str) -> None:
    """Remove what create_callers made outside of the namespace."""
    kinds = (CLUSTER_ROLE_BINDING, CLUSTER_ROLE)
    everywhere = [f"{kind.root}/{kind.plural}" for kind in kinds]
    for collection in (*everywhere, f"{ROLE_BINDING.root}/namespaces/kube-system/{ROLE_BINDING.plural}"):
        cluster.kubectl("delete", "--raw", f"{collection}?labelSelector={_LABEL}%3D{namespace}")


def _ref(obj: Object) -> Ref:
    return ref_of(obj, {kind.name: kind for kind in (CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE_BINDING)}[obj["kind"]])


def _place(held: str, namespace: str) -> str:
    if held in IN_KUBE_SYSTEM:
        return "kube-system"
    return namespace if held in IN_A_NAMESPACE else ""


def _settle(api: Api, caller: Caller, role: ShippedRole, namespace: str) -> None:
    """Wait until the authorizer has heard of a binding: until the user has one of the rights of the role."""
    missing = str(caller.without[1]) if caller.without and caller.without[0] == role.name else ""
    right = next((one for one in role.rights if str(one) != missing), None)
    if right is None:
        return
    name = {"name": right.names[0]} if right.names else {}
    parts = right.resource.partition("/")
    about = {"verb": right.verb, "resource": parts[0], "subresource": parts[2], "group": right.group, **name}
    spec = {"user": caller.name, "resourceAttributes": {**about, "namespace": namespace}}
    deadline = time.monotonic() + _SETTLES_WITHIN
    while time.monotonic() < deadline:
        if api.may(SUBJECT_ACCESS_REVIEW, spec).allowed:
            return
        time.sleep(0.05)
    raise AssertionError(f"{caller.name} may not {right}")


def _objects(roles: Mapping[str, ShippedRole], callers: Sequence[Caller], namespace: str) -> Iterator[Object]:
    whole: dict[str, list[str]] = defaultdict(list)
    for caller in callers:
        for held in caller.holds:
            if caller.without and caller.without[0] == role_of(held):
                rights = [right for right in roles[role_of(held)].rights if str(right) != str(caller.without[1])]
                name = f"{namespace}-{caller.name}"
                yield _role(name, [right.as_rule() for right in rights], namespace)
                yield _binding(name, name, held, [caller.name], namespace)
            else:
                whole[held].append(caller.name)
    for name in {role_of(held) for held in whole}:
        yield _role(f"{namespace}-{name}", roles[name].manifest["rules"], namespace)
    for held, users in whole.items():
        name, role = f"{namespace}-{held.replace(' ', '-')}", f"{namespace}-{role_of(held)}"
        yield _binding(name, role, held, users, namespace)


def _role(name: str, rules: Sequence[Object], namespace: str) -> Object:
    return {"apiVersion": _API, "kind": "ClusterRole", "metadata": _metadata(name, namespace), "rules": rules}


def _binding(name: str, role: str, held: str, users: Sequence[str], namespace: str) -> Object:
    place = _place(held, namespace)
    return {
        "apiVersion": _API,
        "kind": "RoleBinding" if place else "ClusterRoleBinding",
        "metadata": {**_metadata(name, namespace), "namespace": place},
        "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"apiGroup": _GROUP, "kind": "User", "name": user} for user in users],
    }


def _metadata(name: str, namespace: str) -> Object:
    return {"name": name, "labels": {_LABEL: namespace}}
