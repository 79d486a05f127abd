# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kinds this collection handles and the address of an object: knowledge without I/O."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]

RBAC_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, order=True)
class Kind:
    """A kind with its place in the API."""

    name: str
    plural: str
    group: str = ""
    namespaced: bool = True

    @property
    def api_version(self) -> str:
        """C(v1) or C(group/v1)."""
        return f"{self.group}/v1" if self.group else "v1"

    @property
    def root(self) -> str:
        """First part of its paths."""
        return f"/apis/{self.group}/v1" if self.group else "/api/v1"


NAMESPACE = Kind("Namespace", "namespaces", namespaced=False)
SERVICE_ACCOUNT = Kind("ServiceAccount", "serviceaccounts")
SECRET = Kind("Secret", "secrets")
CONFIG_MAP = Kind("ConfigMap", "configmaps")
POD = Kind("Pod", "pods")
TOKEN_REVIEW = Kind("TokenReview", "tokenreviews", "authentication.k8s.io", namespaced=False)
SELF_SUBJECT_REVIEW = Kind("SelfSubjectReview", "selfsubjectreviews", "authentication.k8s.io", namespaced=False)
SUBJECT_ACCESS_REVIEW = Kind("SubjectAccessReview", "subjectaccessreviews", "authorization.k8s.io", namespaced=False)
LOCAL_SUBJECT_ACCESS_REVIEW = Kind("LocalSubjectAccessReview", "localsubjectaccessreviews", "authorization.k8s.io")
SELF_SUBJECT_ACCESS_REVIEW = Kind(
    "SelfSubjectAccessReview", "selfsubjectaccessreviews", "authorization.k8s.io", namespaced=False
)
REPLICATION_CONTROLLER = Kind("ReplicationController", "replicationcontrollers")
DEPLOYMENT = Kind("Deployment", "deployments", "apps")
REPLICA_SET = Kind("ReplicaSet", "replicasets", "apps")
STATEFUL_SET = Kind("StatefulSet", "statefulsets", "apps")
DAEMON_SET = Kind("DaemonSet", "daemonsets", "apps")
JOB = Kind("Job", "jobs", "batch")
CRON_JOB = Kind("CronJob", "cronjobs", "batch")
NODE = Kind("Node", "nodes", namespaced=False)
ROLE = Kind("Role", "roles", RBAC_GROUP)
CLUSTER_ROLE = Kind("ClusterRole", "clusterroles", RBAC_GROUP, namespaced=False)
ROLE_BINDING = Kind("RoleBinding", "rolebindings", RBAC_GROUP)
CLUSTER_ROLE_BINDING = Kind("ClusterRoleBinding", "clusterrolebindings", RBAC_GROUP, namespaced=False)


@dataclass(frozen=True, order=True)
class Ref:
    """One object's address; C(namespace) is empty for cluster-scoped kinds."""

    kind: Kind
    namespace: str
    name: str

    @property
    def place(self) -> str:
        """C(namespace/name) or C(name)."""
        return f"{self.namespace}/{self.name}" if self.namespace else self.name

    def __str__(self) -> str:
        return f"{self.kind.name} {self.place}"


@dataclass(frozen=True)
class Row:
    """An object as a table shows it: what is printed of it and its metadata, nothing of its content.

    Attributes:
        metadata: as the API spells it.
        cells: what is printed, by column.
    """

    metadata: Object
    cells: Mapping[str, Any]


def ref_of(obj: Object, kind: Kind) -> Ref:
    """The address of an object from the server."""
    return Ref(kind, str(obj["metadata"].get("namespace") or ""), str(obj["metadata"]["name"]))


def uid_of(obj: Object | None) -> str:
    """The uid of an object, empty when there is none."""
    return str(((obj or {}).get("metadata") or {}).get("uid") or "")


def skeleton(ref: Ref) -> Object:
    """An object with nothing but its address."""
    metadata = {"name": ref.name, **({"namespace": ref.namespace} if ref.namespace else {})}
    return {"apiVersion": ref.kind.api_version, "kind": ref.kind.name, "metadata": metadata}
