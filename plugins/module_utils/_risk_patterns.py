# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What makes a grant dangerous: the table of patterns, and what Kubernetes' own roles and resources are.

Source: Kubernetes, Role Based Access Control Good Practices; the roles and resources of Kubernetes 1.36.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

Rule: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True)
class Access:
    """One of some verbs on one of some resources.

    Attributes:
        verbs: the verbs.
        resources: the resources, each with its group before it.
    """

    verbs: tuple[str, ...]
    resources: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Pattern:
    """What makes a risk.

    Attributes:
        risk: its word.
        needs: what must all be granted, be it by different rules; of each, any one access is enough.
        fix: what to do instead.
        named: whether it is one as well if the rule is limited to some objects.
    """

    risk: str
    needs: tuple[tuple[Access, ...], ...]
    fix: str
    named: bool


def _pattern(risk: str, *needs: str, fix: str, named: bool = True) -> Pattern:
    """From words: C(verbs: resources; verbs: resources) for each need, resources as in the rules of a task."""
    return Pattern(risk, tuple(tuple(_access(words) for words in need.split("; ")) for need in needs), fix, named)


def _access(words: str) -> Access:
    # verbs may have a colon as well
    verbs, dummy, resources = words.partition(": ")
    return Access(tuple(verbs.split()), tuple(_split(resource) for resource in resources.split()))


def _split(resource: str) -> tuple[str, str]:
    head, slash, subresource = resource.partition("/")
    plural, group = head.partition(".")[::2]
    return group, f"{plural}{slash}{subresource}"


_RBAC = "rbac.authorization.k8s.io"
_ROLES = f"roles.{_RBAC} clusterroles.{_RBAC}"
_WEBHOOKS = ".admissionregistration.k8s.io"
_CSR = "certificatesigningrequests.certificates.k8s.io"
_OTHERS = ".authentication.k8s.io"

PATTERNS: tuple[Pattern, ...] = (
    _pattern(
        "secrets_read",
        "get list watch: secrets",
        fix="name the Secrets that are needed (resource_names)",
        named=False,
    ),
    _pattern(
        "secrets_write",
        "create update patch: secrets",
        fix="name the Secrets that are to be changed (resource_names): who makes and reads any has everybody's tokens",
        named=False,
    ),
    _pattern(
        "token_create",
        "create: serviceaccounts/token",
        fix="name the accounts whose tokens are needed (resource_names), and none that may do more",
    ),
    _pattern(
        "workload_create",
        "create update patch: pods replicationcontrollers deployments.apps replicasets.apps statefulsets.apps "
        "daemonsets.apps jobs.batch cronjobs.batch",
        fix="grant it only in a namespace whose accounts, Secrets and volumes it may all use, as its containers can",
    ),
    _pattern(
        "pod_exec",
        "get create: pods/exec pods/attach; update patch: pods/ephemeralcontainers",
        fix="grant it to people and for a limited time (expires_at): it is all that the Pods hold and may do",
    ),
    _pattern(
        "persistent_volume_create",
        "create: persistentvolumes",
        fix="let a StorageClass make volumes: one made by hand can be any directory of a node",
    ),
    _pattern(
        "nodes_proxy",
        "get list watch create update patch delete: nodes/proxy",
        fix="grant nodes/metrics, nodes/stats or nodes/log, as is needed: the kubelet also runs commands in Pods",
    ),
    _pattern(
        "escalate",
        f"escalate: {_ROLES}",
        fix="leave it out: whoever writes a role then has to hold what it allows",
    ),
    _pattern(
        "bind",
        f"bind: {_ROLES}",
        fix="leave it out: whoever grants a role then has to hold what it allows",
    ),
    # the verbs with a colon: since Kubernetes 1.35 who may be impersonated can be said more closely (KEP-5284)
    _pattern(
        "impersonate",
        f"impersonate: users groups serviceaccounts uids{_OTHERS}; impersonate:user-info: users{_OTHERS}; "
        f"impersonate:serviceaccount: serviceaccounts{_OTHERS}; "
        f"impersonate:arbitrary-node impersonate:associated-node: nodes{_OTHERS}",
        fix="grant what is to be done in the name of others",
    ),
    _pattern(
        "csr_approve",
        f"create: {_CSR}",
        f"update patch: {_CSR}/approval",
        fix="let others approve than those who request: together it is a certificate for any user",
    ),
    _pattern(
        "webhook_write",
        "create update patch delete deletecollection: "
        f"validatingwebhookconfigurations{_WEBHOOKS} mutatingwebhookconfigurations{_WEBHOOKS}",
        fix="leave webhooks to administrators of the cluster: they see, change and refuse what everybody writes",
    ),
    _pattern(
        "namespace_patch",
        "update patch: namespaces",
        fix="leave namespaces to administrators of the cluster: labels decide on pod security and network policies",
    ),
    _pattern(
        "rbac_write",
        f"create update patch: {_ROLES} rolebindings.{_RBAC} clusterrolebindings.{_RBAC}",
        fix="leave roles and bindings to administrators: it can pass on all that it may do itself",
    ),
)

_EDIT: tuple[Rule, ...] = (
    {"apiGroups": [""], "resources": ["pods/exec", "pods/attach", "secrets"], "verbs": ["get", "list", "watch"]},
    {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["impersonate"]},
    {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"]},
    {
        "apiGroups": [""],
        "resources": ["pods", "pods/exec", "pods/attach", "replicationcontrollers", "secrets"],
        "verbs": ["create", "update", "patch"],
    },
    {
        "apiGroups": ["apps"],
        "resources": ["daemonsets", "deployments", "replicasets", "statefulsets"],
        "verbs": ["create", "update", "patch"],
    },
    {"apiGroups": ["batch"], "resources": ["cronjobs", "jobs"], "verbs": ["create", "update", "patch"]},
)
_ADMIN: Rule = {"apiGroups": [_RBAC], "resources": ["rolebindings", "roles"], "verbs": ["create", "update", "patch"]}

# what Kubernetes' own ClusterRoles hold that is a risk, for callers who may not read them
WELL_KNOWN: Mapping[str, tuple[Rule, ...]] = {
    "cluster-admin": ({"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]},),
    "admin": (*_EDIT, _ADMIN),
    "edit": _EDIT,
}
