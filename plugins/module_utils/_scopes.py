# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which resources of Kubernetes itself are in namespaces, by their groups. Pure knowledge.

A cluster that can be asked knows better (C(_served)); this is for when it cannot.
"""

from __future__ import annotations

from collections.abc import Mapping

# those that are in namespaces
NAMESPACED: Mapping[str, frozenset[str]] = {
    group: frozenset(resources.split())
    for group, resources in {
        "": "bindings configmaps endpoints events limitranges persistentvolumeclaims pods podtemplates "
        "replicationcontrollers resourcequotas secrets serviceaccounts services",
        "apps": "controllerrevisions daemonsets deployments replicasets statefulsets",
        "authentication.k8s.io": "serviceaccounts",
        "authorization.k8s.io": "localsubjectaccessreviews",
        "autoscaling": "horizontalpodautoscalers",
        "batch": "cronjobs jobs",
        "coordination.k8s.io": "leases",
        "discovery.k8s.io": "endpointslices",
        "events.k8s.io": "events",
        "metrics.k8s.io": "pods",
        "networking.k8s.io": "ingresses networkpolicies",
        "policy": "poddisruptionbudgets",
        "rbac.authorization.k8s.io": "rolebindings roles",
        "resource.k8s.io": "resourceclaims resourceclaimtemplates",
        "storage.k8s.io": "csistoragecapacities",
    }.items()
}

# those that are in none, with what exists only in rules
CLUSTER_SCOPED: Mapping[str, frozenset[str]] = {
    "": frozenset({"componentstatuses", "groups", "namespaces", "nodes", "persistentvolumes", "users"}),
    "admissionregistration.k8s.io": frozenset(
        {
            "mutatingadmissionpolicies",
            "mutatingadmissionpolicybindings",
            "mutatingwebhookconfigurations",
            "validatingadmissionpolicies",
            "validatingadmissionpolicybindings",
            "validatingwebhookconfigurations",
        }
    ),
    "apiextensions.k8s.io": frozenset({"customresourcedefinitions"}),
    "apiregistration.k8s.io": frozenset({"apiservices"}),
    "authentication.k8s.io": frozenset({"selfsubjectreviews", "tokenreviews", "uids", "userextras"}),
    "authorization.k8s.io": frozenset({"selfsubjectaccessreviews", "selfsubjectrulesreviews", "subjectaccessreviews"}),
    "certificates.k8s.io": frozenset({"certificatesigningrequests", "clustertrustbundles", "signers"}),
    "flowcontrol.apiserver.k8s.io": frozenset({"flowschemas", "prioritylevelconfigurations"}),
    "internal.apiserver.k8s.io": frozenset({"storageversions"}),
    "metrics.k8s.io": frozenset({"nodes"}),
    "networking.k8s.io": frozenset({"ingressclasses", "ipaddresses", "servicecidrs"}),
    "node.k8s.io": frozenset({"runtimeclasses"}),
    "rbac.authorization.k8s.io": frozenset({"clusterrolebindings", "clusterroles"}),
    "resource.k8s.io": frozenset({"deviceclasses", "devicetaintrules", "resourceslices"}),
    "scheduling.k8s.io": frozenset({"priorityclasses"}),
    "storage.k8s.io": frozenset(
        {"csidrivers", "csinodes", "storageclasses", "volumeattachments", "volumeattributesclasses"}
    ),
    "storagemigration.k8s.io": frozenset({"storageversionmigrations"}),
}
