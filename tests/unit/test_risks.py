# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which rules and subjects are a risk, and which come close and are none."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from tools.checkout import ROOT

from ansible_collections.tokenwright.kubernetes.plugins.doc_fragments._risks import ModuleDocFragment
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._findings import RISKS, Finding
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._grant_risks import selector_text
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    Object,
    Ref,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rbac import rules_from_options
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._risk_patterns import PATTERNS, WELL_KNOWN
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._risks import (
    risks_of,
    risks_of_grant,
    risks_of_subjects,
)

ROLE_REF, BINDING = Ref(ROLE, "ci", "deployer"), Ref(ROLE_BINDING, "ci", "deployer")
WIDE_ROLE, WIDE_BINDING = Ref(CLUSTER_ROLE, "", "deployer"), Ref(CLUSTER_ROLE_BINDING, "", "deployer")
RBAC = "rbac.authorization.k8s.io"
CSR = "certificatesigningrequests.certificates.k8s.io"


def rules(*texts: str) -> list[Any]:
    """C(get list: pods deployments.apps = a b) as API rules, with the names behind the equals sign."""
    options = []
    for text in texts:
        verbs, dummy, rest = text.partition(": ")
        resources, dummy, names = rest.partition(" = ")
        options.append(
            {"verbs": verbs.split(), "resources": resources.split(), "resource_names": names.split() or None}
        )
    return rules_from_options(options, cluster_wide=True)


def words(found: Sequence[Finding]) -> list[str]:
    return sorted(finding.risk for finding in found)


def in_namespace(*texts: str) -> list[str]:
    return words(risks_of(rules(*texts), ROLE_REF, "ci"))


def cluster_wide(*texts: str) -> list[str]:
    return words(risks_of(rules(*texts), WIDE_ROLE, ""))


# For every word: rules that are the risk wherever they are granted, and rules that come close.
HAS: dict[str, list[list[str]]] = {
    "secrets_read": [
        ["get: secrets"],
        ["list: secrets"],
        ["watch: secrets pods"],
        ["get: pods", "list: secrets = a", "get: secrets"],
    ],
    "secrets_write": [["create: secrets"], ["update: secrets"], ["patch: secrets"]],
    "token_create": [["create: serviceaccounts/token"], ["create: serviceaccounts/token = app"]],
    "workload_create": [
        ["create: pods"],
        ["patch: deployments.apps"],
        ["patch: deployments.apps = web"],
        ["update: statefulsets.apps"],
        ["create: cronjobs.batch"],
        ["update: replicationcontrollers"],
    ],
    "pod_exec": [
        ["create: pods/exec"],
        ["get: pods/exec"],
        ["create: pods/attach"],
        ["patch: pods/ephemeralcontainers"],
        ["create: pods/exec = web-0"],
    ],
    "escalate": [[f"escalate: roles.{RBAC}"], [f"escalate: roles.{RBAC} = app"]],
    "bind": [[f"bind: roles.{RBAC}"], [f"bind: roles.{RBAC} = view"]],
    "impersonate": [
        ["impersonate: serviceaccounts"],
        ["impersonate: serviceaccounts = app"],
        ["impersonate:serviceaccount: serviceaccounts.authentication.k8s.io"],
    ],
    "namespace_patch": [["patch: namespaces"], ["update: namespaces"], ["patch: namespaces = ci"]],
    "rbac_write": [[f"create: rolebindings.{RBAC}"], [f"patch: roles.{RBAC}"], [f"update: roles.{RBAC} = app"]],
    "wildcard": [
        ["*: configmaps"],
        ["get: *.example.com"],
        ["get: widgets.*"],
        ["get: */scale"],
        ["*: configmaps = release"],
    ],
}
# the same for what only a cluster-wide grant reaches
HAS_WIDE: dict[str, list[list[str]]] = {
    "persistent_volume_create": [["create: persistentvolumes"]],
    "nodes_proxy": [["get: nodes/proxy"], ["create: nodes/proxy = node-1"]],
    "escalate": [[f"escalate: clusterroles.{RBAC}"]],
    "bind": [[f"bind: clusterroles.{RBAC} = view"]],
    "impersonate": [
        ["impersonate: users"],
        ["impersonate: groups = developers"],
        ["impersonate: uids.authentication.k8s.io"],
        ["impersonate:user-info: users.authentication.k8s.io"],
        ["impersonate:associated-node: nodes.authentication.k8s.io"],
    ],
    "csr_approve": [[f"create: {CSR}", f"update: {CSR}/approval"], [f"create patch: {CSR} {CSR}/approval"]],
    "webhook_write": [
        ["patch: validatingwebhookconfigurations.admissionregistration.k8s.io = mine"],
        ["create: mutatingwebhookconfigurations.admissionregistration.k8s.io"],
        ["delete: validatingwebhookconfigurations.admissionregistration.k8s.io"],
    ],
    "rbac_write": [[f"create: clusterrolebindings.{RBAC}"], [f"patch: clusterroles.{RBAC}"]],
}
NEAR_MISSES: dict[str, list[list[str]]] = {
    "secrets_read": [
        ["get: secrets = release"],
        ["list watch: secrets = release"],
        ["get: secrets.example.com"],
        ["get: secrets/status"],
        ["delete: secrets"],
    ],
    "secrets_write": [
        ["update patch: secrets = release"],
        ["create: secrets = release"],
        ["create: secrets.example.com"],
    ],
    "token_create": [["get: serviceaccounts/token"], ["create: serviceaccounts"], ["create: serviceaccounts/status"]],
    "workload_create": [
        ["get list watch delete: pods deployments.apps"],
        ["patch: deployments.apps/scale"],
        ["create: deployments"],
        ["create: pods = web"],
        ["create: services configmaps"],
    ],
    "pod_exec": [["create: pods/portforward"], ["get: pods/log"], ["get: pods/ephemeralcontainers"]],
    "persistent_volume_create": [["create: persistentvolumeclaims"], ["get: persistentvolumes"]],
    "nodes_proxy": [["get: nodes/metrics nodes/stats"], ["get: nodes"], ["get: pods/proxy"]],
    "escalate": [[f"get: roles.{RBAC}"], ["escalate: roles"]],
    "bind": [["bind: roles"], ["bind: pods"]],
    "impersonate": [["get: users"], ["impersonate: pods"], ["impersonate-on:user-info:get: pods"]],
    "csr_approve": [[f"create: {CSR}"], [f"update: {CSR}/approval"], [f"create: {CSR}", f"update: {CSR}/status"]],
    "webhook_write": [["get: validatingwebhookconfigurations.admissionregistration.k8s.io"]],
    "namespace_patch": [["create get: namespaces"], ["patch: namespaces/finalize"]],
    "rbac_write": [[f"get list delete: roles.{RBAC}"], ["create: roles"]],
    "wildcard": [["get: pods/*"], ["get: pods = *"]],
    "cluster_admin": [["*: *.apps"], ["get: *.*"], ["*: *"], ["*: *.* = a"]],
}


def cases(table: dict[str, list[list[str]]]) -> list[Any]:
    return [
        pytest.param(word, texts, id=f"{word}: {' + '.join(texts)}") for word, many in table.items() for texts in many
    ]


@pytest.mark.parametrize(("word", "texts"), cases(HAS))
def test_a_rule_is_a_risk_wherever_it_is_granted(word: str, texts: list[str]) -> None:
    assert in_namespace(*texts) == cluster_wide(*texts) == [word]


@pytest.mark.parametrize(("word", "texts"), cases(HAS_WIDE))
def test_what_is_in_no_namespace_is_not_granted_in_one(word: str, texts: list[str]) -> None:
    assert cluster_wide(*texts) == [word]
    assert in_namespace(*texts) == []


@pytest.mark.parametrize(("word", "texts"), cases(NEAR_MISSES))
def test_what_comes_close_is_none(word: str, texts: list[str]) -> None:
    assert word not in in_namespace(*texts)
    assert word not in cluster_wide(*texts)


def test_every_pattern_is_tried_and_known() -> None:
    patterns = {pattern.risk for pattern in PATTERNS}
    assert patterns | {"wildcard"} == HAS.keys() | HAS_WIDE.keys()
    assert patterns <= NEAR_MISSES.keys()
    assert patterns <= RISKS.keys()


STARS: dict[str, tuple[list[str], list[str]]] = {
    "what is named by its resource is found": (["*: secrets"], ["secrets_read", "secrets_write", "wildcard"]),
    "in all groups": (["get: secrets.*"], ["secrets_read", "wildcard"]),
    "what only a star covers is not": (["get: *"], ["wildcard"]),
    "of one rule and by name in another": (["get: *", "list: secrets"], ["secrets_read", "wildcard"]),
    "unless it is refused by itself": ([f"*: *.{RBAC}"], ["bind", "escalate", "wildcard"]),
    "any verb on roles": ([f"*: roles.{RBAC}"], ["bind", "escalate", "rbac_write", "wildcard"]),
    "a subresource of everything": (["create: */exec"], ["wildcard"]),
    "everything": (["*: *.*"], ["cluster_admin", "wildcard"]),
    "everything and more": (["get: secrets", "*: *.*"], ["cluster_admin", "wildcard"]),
}


@pytest.mark.parametrize(("texts", "found"), STARS.values(), ids=STARS)
def test_a_star_is_one_risk_and_not_twenty(texts: list[str], found: list[str]) -> None:
    assert in_namespace(*texts) == found
    assert cluster_wide(*texts) == found


def test_who_accepts_that_everything_is_granted_has_accepted_the_stars() -> None:
    found = risks_of(rules("*: *.*"), ROLE_REF, "ci")
    assert [(one.risk, one.within) for one in found] == [("cluster_admin", ""), ("wildcard", "cluster_admin")]
    assert found[0].evidence == "Role ci/deployer allows everything (* of *.*) in namespace ci"


def test_a_star_says_what_it_includes() -> None:
    (found,) = risks_of(rules("get: * configmaps"), ROLE_REF, "ci")
    assert (
        found.evidence
        == "Role ci/deployer allows get of *, configmaps in namespace ci, which includes secrets_read, pod_exec"
    )
    (wide,) = risks_of(rules("get: *"), WIDE_ROLE, "")
    assert wide.evidence.endswith("cluster-wide, which includes secrets_read, pod_exec, nodes_proxy")


def test_a_star_needs_something_to_be_about() -> None:
    assert risks_of([{"verbs": ["*"], "apiGroups": [], "resources": []}, {"verbs": ["*"]}, {}], ROLE_REF, "ci") == []


@pytest.mark.parametrize(
    ("verbs", "url", "found"),
    [("get", "*", ["wildcard"]), ("*", "/metrics", ["wildcard"]), ("get", "/metrics/*", []), ("get", "/healthz", [])],
)
def test_paths(verbs: str, url: str, found: list[str]) -> None:
    rule = {"verbs": [verbs], "nonResourceURLs": [url]}
    assert words(risks_of([rule], WIDE_ROLE, "")) == found
    assert risks_of([rule], ROLE_REF, "ci") == []


@pytest.mark.parametrize(
    ("verb", "resource", "found"),
    [
        ("list", "secrets", ["secrets_read"]),
        ("create", "pods", ["workload_create"]),
        ("get", "secrets", []),
        ("create", "serviceaccounts/token", []),
    ],
)
def test_an_empty_name_passes_what_names_no_object(verb: str, resource: str, found: list[str]) -> None:
    rule = {"verbs": [verb], "apiGroups": [""], "resources": [resource], "resourceNames": [""]}
    assert words(risks_of([rule], ROLE_REF, "ci")) == found


def test_who_gets_all_tokens_of_a_namespace_need_not_impersonate() -> None:
    both = ("impersonate: serviceaccounts", "create: serviceaccounts/token")
    assert in_namespace(*both) == ["token_create"]
    assert cluster_wide(*both) == ["impersonate", "token_create"]
    assert in_namespace(both[0], f"{both[1]} = app") == ["impersonate", "token_create"]


EVIDENCE = [
    (["list: secrets"], "Role ci/deployer allows list of secrets in namespace ci"),
    (["get list: secrets pods", "list: secrets"], "Role ci/deployer allows get, list of secrets in namespace ci"),
    (
        ["create: serviceaccounts/token = a b"],
        "Role ci/deployer allows create of serviceaccounts/token named a, b in namespace ci",
    ),
    (
        ["create: serviceaccounts/token = a", "create: serviceaccounts/token"],
        "Role ci/deployer allows create of serviceaccounts/token in namespace ci",
    ),
    (
        ["create: pods jobs.batch", "patch: deployments.apps"],
        "Role ci/deployer allows create of pods, jobs.batch and patch of deployments.apps in namespace ci",
    ),
    (
        ["create: pods jobs.batch cronjobs.batch deployments.apps replicasets.apps"],
        "Role ci/deployer allows create of pods, jobs.batch, cronjobs.batch, deployments.apps and 1 more in "
        "namespace ci",
    ),
]


@pytest.mark.parametrize(("texts", "evidence"), EVIDENCE, ids=[" + ".join(texts) for texts, dummy in EVIDENCE])
def test_evidence_says_what_was_seen_and_nothing_else(texts: list[str], evidence: str) -> None:
    (found,) = risks_of(rules(*texts), ROLE_REF, "ci")
    assert found.evidence == evidence


SUBJECTS = [
    ("Group", "system:masters", "masters_bound"),
    ("Group", "system:authenticated", "anonymous_bound"),
    ("Group", "system:unauthenticated", "anonymous_bound"),
    ("User", "system:anonymous", "anonymous_bound"),
    ("Group", "system:serviceaccounts", "all_accounts_bound"),
    ("Group", "system:serviceaccounts:ci", "all_accounts_bound"),
    ("User", "system:masters", ""),
    ("Group", "system:anonymous", ""),
    ("ServiceAccount", "system:masters", ""),
    ("Group", "system:serviceaccountsx", ""),
    ("Group", "masters", ""),
    ("ServiceAccount", "default", ""),
]


@pytest.mark.parametrize(("kind", "name", "word"), SUBJECTS)
def test_who_is_bound(kind: str, name: str, word: str) -> None:
    found = risks_of_subjects([{"kind": kind, "name": name}], BINDING)
    assert words(found) == ([word] if word else [])
    assert all(finding.evidence.startswith(f"RoleBinding ci/deployer grants to {name}, wh") for finding in found)


def test_a_subject_is_found_once() -> None:
    twice = [{"kind": "Group", "name": "system:masters"}] * 2
    assert len(risks_of_subjects(twice, BINDING)) == 1


ACCOUNT = {"kind": "ServiceAccount", "name": "app", "namespace": "ci"}
WIDTH: list[tuple[list[str], list[Object], bool]] = [
    (["get list: pods services deployments.apps pods.metrics.k8s.io"], [ACCOUNT], True),
    (["get: pods/log"], [ACCOUNT], True),
    (["get: pods"], [{"kind": "Group", "name": "developers"}], False),
    (["get: pods"], [{"kind": "Group", "name": "developers"}, ACCOUNT], True),
    (["get: pods nodes"], [ACCOUNT], False),
    (["get: pods", "get: namespaces"], [ACCOUNT], False),
    (["get: widgets.example.com"], [ACCOUNT], False),
    (["get: pods.*"], [ACCOUNT], False),
    (["get: *"], [ACCOUNT], False),
    ([], [ACCOUNT], False),
]


@pytest.mark.parametrize(("texts", "subjects", "found"), WIDTH)
def test_a_cluster_wide_grant_of_what_is_in_namespaces(texts: list[str], subjects: list[Object], found: bool) -> None:
    wide = words(risks_of_grant(rules(*texts), WIDE_ROLE, subjects, WIDE_BINDING))
    assert ("cluster_wide_without_need" in wide) is found
    assert "cluster_wide_without_need" not in words(risks_of_grant(rules(*texts), WIDE_ROLE, subjects, BINDING))


def test_paths_belong_to_no_namespace() -> None:
    paths = [*rules("get: pods"), {"verbs": ["get"], "nonResourceURLs": ["/metrics"]}]
    assert risks_of_grant(paths, WIDE_ROLE, [ACCOUNT], WIDE_BINDING) == []


def test_the_worst_comes_first_and_says_where_it_was_seen() -> None:
    found = risks_of_grant(
        rules("create: pods", "get: secrets", f"bind: roles.{RBAC}"),
        ROLE_REF,
        [ACCOUNT, {"kind": "Group", "name": "system:authenticated"}],
        BINDING,
    )
    assert [(one.risk, RISKS[one.risk].severity) for one in found] == [
        ("bind", "critical"),
        ("anonymous_bound", "critical"),
        ("secrets_read", "high"),
        ("workload_create", "medium"),
    ]
    assert found[0].as_result()["object"] == {"kind": "Role", "namespace": "ci", "name": "deployer"}
    assert found[1].as_result() == {
        "id": "anonymous_bound",
        "reference": "A15",
        "severity": "critical",
        "object": {"kind": "RoleBinding", "namespace": "ci", "name": "deployer"},
        "evidence": "RoleBinding ci/deployer grants to system:authenticated, which is everybody who has any credential",
        "fix": "name the accounts, users or groups that need it",
    }


def test_an_object_of_the_cluster_has_no_namespace() -> None:
    (found,) = risks_of(rules("get: secrets"), WIDE_ROLE, "")
    assert found.as_result()["object"] == {"kind": "ClusterRole", "namespace": None, "name": "deployer"}


@pytest.mark.parametrize("name", WELL_KNOWN)
def test_roles_of_kubernetes_are_known_without_reading_them(name: str) -> None:
    role = Ref(CLUSTER_ROLE, "", name)
    found = words(risks_of(WELL_KNOWN[name], role, "ci"))
    edit = ["pod_exec", "secrets_read", "secrets_write", "token_create", "workload_create"]
    assert (
        found
        == {
            "cluster-admin": ["cluster_admin", "wildcard"],
            "edit": edit,
            "admin": sorted([*edit, "rbac_write"]),
        }[name]
    )


def test_a_selector_as_a_request_spells_it() -> None:
    selector = {
        "matchLabels": {"team": "a", "x/y": "z"},
        "matchExpressions": [
            {"key": "tier", "operator": "In", "values": ["one", "two"]},
            {"key": "zone", "operator": "NotIn", "values": ["c"]},
            {"key": "old", "operator": "Exists"},
            {"key": "new", "operator": "DoesNotExist"},
        ],
    }
    assert selector_text(selector) == "team=a,x/y=z,tier in (one,two),zone notin (c),old,!new"


def test_every_risk_is_documented_where_it_is_allowed_and_in_the_table() -> None:
    options = set(re.findall(r"^      - V\((\w+)\) ", ModuleDocFragment.DOCUMENTATION, re.MULTILINE))
    assert options == RISKS.keys()
    table = re.findall(
        r"^\| `(\w+)` \| (\w*) \| (\w+) \| (refused|warning) \|", (ROOT / "docs/risks.md").read_text(), re.MULTILINE
    )
    assert {word: (reference, severity, verdict == "refused") for word, reference, severity, verdict in table} == {
        word: (risk.reference, risk.severity, risk.refused) for word, risk in RISKS.items()
    }
