# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which rules are doubted on a cluster like any other, and which are not."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import pytest
from faults.odd import any_text
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._doubts import doubts
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import Object
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rbac import rules_from_options
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._served import Group, Resource, Served

ALL = "create delete deletecollection get list patch update watch"
STATUS = "get patch update"


def group(resources: dict[str, str], aliases: str = "", *, cluster: str = "", complete: bool = True) -> Group:
    """A group of resources with their verbs; C(cluster) names those in no namespace, aliases are C(po=pods)."""
    return Group(
        {
            name: Resource(frozenset(verbs.split()), name.partition("/")[0] not in cluster.split())
            for name, verbs in resources.items()
        },
        dict(alias.split("=") for alias in aliases.split()),
        complete=complete,
    )


# a part of what a 1.36 serves, besides a CustomResourceDefinition and two aggregated APIs that are down
SERVED = Served(
    {
        "": group(
            {
                **dict.fromkeys(["configmaps", "events", "namespaces", "nodes", "pods", "secrets", "services"], ALL),
                **dict.fromkeys(["namespaces/status", "nodes/status", "pods/status", "services/status"], STATUS),
                **dict.fromkeys(["pods/attach", "pods/exec", "pods/portforward"], "create get"),
                **dict.fromkeys(["nodes/proxy", "pods/proxy"], "create delete get patch update"),
                "componentstatuses": "get list",
                "namespaces/finalize": "update",
                "pods/eviction": "create",
                "pods/log": "get",
                "serviceaccounts": ALL,
                "serviceaccounts/token": "create",
            },
            "pod=pods po=pods service=services svc=services configmap=configmaps cm=configmaps",
            cluster="componentstatuses namespaces nodes",
        ),
        "apps": group(
            {
                **dict.fromkeys(["deployments", "replicasets"], ALL),
                **dict.fromkeys(["deployments/scale", "deployments/status", "replicasets/scale"], STATUS),
            },
            "deploy=deployments deployment=deployments rs=replicasets",
        ),
        "authentication.k8s.io": group({"tokenreviews": "create"}, cluster="tokenreviews"),
        "batch": group({"jobs": ALL, "cronjobs": ALL, "jobs/unsaid": ""}),
        "certificates.k8s.io": group(
            {"certificatesigningrequests": ALL, "certificatesigningrequests/approval": STATUS},
            cluster="certificatesigningrequests",
        ),
        "events.k8s.io": group({"events": ALL}),
        "networking.k8s.io": group({"ingresses": ALL, "networkpolicies": ALL}, "ingress=ingresses"),
        "rbac.authorization.k8s.io": group({"roles": ALL, "clusterroles": ALL}, cluster="clusterroles"),
        "resource.k8s.io": group({"resourceclaims": ALL}),
        # of others than Kubernetes
        "example.com": group({"widgets": ALL, "widgets/status": STATUS}, "widget=widgets"),
        "metrics.k8s.io": group({}, complete=False),
        "half.example.com": group({"halves": "get"}, complete=False),
        "external.metrics.k8s.io": group({}),
    }
)


def judged(verbs: str, resources: str, groups: str | None = None, *, namespaced: bool = False) -> list[str]:
    """Doubts about a rule as the module's options have it; in C(groups), C(core) is C("")."""
    api_groups = None if groups is None else [one.replace("CORE", "") for one in groups.split()]
    option = {"verbs": verbs.split(), "resources": resources.split(), "api_groups": api_groups}
    return doubts(rules_from_options([option], cluster_wide=not namespaced), SERVED, namespaced=namespaced)


DOUBTED: list[tuple[str, str, str | None, list[str]]] = [
    # resources
    ("get", "deployments", None, ["deployments is in apps, not in the core group"]),
    (
        "get",
        "deployments replicasets ingresses",
        None,
        [
            "deployments and replicasets are in apps, not in the core group",
            "ingresses is in networking.k8s.io, not in the core group",
        ],
    ),
    ("get", "pods", "apps batch", ["pods is in the core group, not in apps or batch"]),
    ("get", "events", "apps", ["events is in the core group and events.k8s.io, not in apps"]),
    ("get", "nodes", "apps", ["nodes is in the core group, not in apps"]),
    ("update", "deployments/scale", None, ["deployments/scale is in apps, not in the core group"]),
    ("get", "secret", None, ["secret: did you mean secrets?"]),
    ("get", "po svc deploy", None, [f"{a}: did you mean {b}?" for a, b in zip(
        ("po", "svc", "deploy"), ("pods", "services", "deployments.apps"), strict=True)]),
    ("get", "deploy.apps depoyments.apps", None, ["deploy.apps and depoyments.apps: did you mean deployments.apps?"]),
    ("get", "pod/logs", None, ["pod/logs: did you mean pods/log?"]),
    ("get", "deployments/scal", None, ["deployments/scal: did you mean deployments.apps/scale?"]),
    ("get", "ingreses", "extensions networking.k8s.io", [
        "ingreses.networking.k8s.io: did you mean ingresses.networking.k8s.io?"]),
    ("get", "gadgets.example.com", None, ["gadgets.example.com is not served here (yet)"]),
    ("get", "gadgets", "CORE apps", ["gadgets is not served here (yet)"]),
    # subresources
    ("create", "serviceaccounts/tokens", None, ["serviceaccounts/tokens: did you mean serviceaccounts/token?"]),
    ("get", "nodes/metric", None, ["nodes/metric: did you mean nodes/metrics?"]),
    ("get", "*.apps/scal", None, ["*.apps/scal: did you mean *.apps/scale?"]),
    ("get", "widgets.example.com/statuss", None, [
        "widgets.example.com/statuss: did you mean widgets.example.com/status?"]),
    ("create", "serviceaccounts/foo", None, [
        "serviceaccounts/foo is not served here: there is no such subresource (token)"]),
    ("get", "deployments.apps/*", None, [
        "deployments.apps/* is no pattern of RBAC: name each subresource (scale, status)"]),
    ("get", "secrets/foo", None, ["secrets/foo is not served here: there is no such subresource"]),
    # groups
    ("get", "deployments", "app", ["API group app: did you mean apps?"]),
    ("get", "pods deployments", "CORE app", ["API group app: did you mean apps?"]),
    ("get", "pods.core", None, ['API group core: did you mean "", the core group?']),
    ("get", "pods.v1", None, ['API group v1: did you mean "", the core group?']),
    ("get", "roles", "rbac.k8s.io", ["API group rbac.k8s.io: did you mean rbac.authorization.k8s.io?"]),
    ("get", "roles", "rbac.authorisation.k8s.io", [
        "API group rbac.authorisation.k8s.io: did you mean rbac.authorization.k8s.io?"]),
    ("get", "ingresses", "networking", ["API group networking: did you mean networking.k8s.io?"]),
    ("get", "jobs.batch.volcano.sh", None, ["no API group batch.volcano.sh is served here (yet)"]),
    ("get", "nodes.metrics.example.com", None, ["no API group metrics.example.com is served here (yet)"]),
    ("get", "virtualservices", "networking.istio.io", ["no API group networking.istio.io is served here (yet)"]),
    ("get", "a b", "one.example.org two.example.org", [
        "no API group one.example.org is served here (yet)",
        "no API group two.example.org is served here (yet)",
    ]),
    ("get", "*", "apps app", ["API group app: did you mean apps?"]),
    ("get", "*", "apps monitoring.coreos.com", ["no API group monitoring.coreos.com is served here (yet)"]),
    ("get", "deployments ingresses gone", "extensions", [
        "no API group extensions is served here: its resources are in apps and networking.k8s.io"]),
    # verbs
    ("gett", "pods", None, ["verb gett: did you mean get?"]),
    ("lits gte udpate deletecollections", "pods", None, [
        "verb lits: did you mean list?",
        "verb gte: did you mean get?",
        "verb udpate: did you mean update?",
        "verb deletecollections: did you mean deletecollection?",
    ]),
    ("impersonat", "users", None, ["verb impersonat: did you mean impersonate?"]),
    ("read", "pods", None, ["verb read: did you mean get, list and watch?"]),
    ("all", "deployments.apps", None, ["verb all: did you mean *?"]),
    ("gett", "*", "*", ["verb gett: did you mean get?"]),
    # verbs that a resource does not have
    ("get create", "componentstatuses", None, ["componentstatuses does not have the verb create, only get and list"]),
    ("get list", "pods pods/eviction", None, ["pods/eviction does not have the verbs get or list, only create"]),
    ("update", "pods/log pods/exec", None, [
        "pods/log does not have the verb update, only get",
        "pods/exec does not have the verb update, only create and get",
    ]),
    ("get update", "pods/log pods/exec", None, [
        "pods/log and pods/exec do not have the verb update, only create and get"]),
    ("list", "pods/exec", None, ["pods/exec does not have the verb list, only create and get"]),
    ("get list watch", "users", None, ["users does not have the verbs get, list or watch, only impersonate"]),
    ("get get", "serviceaccounts/token", None, ["serviceaccounts/token does not have the verb get, only create"]),
    ("get", "*.apps/eviction", None, [
        "*.apps/eviction is not served here: there is no such subresource (scale, status)"]),
    ("create", "*.apps/scale", None, ["*.apps/scale does not have the verb create, only get, patch and update"]),
]  # fmt: skip


@pytest.mark.parametrize(("verbs", "resources", "groups", "said"), DOUBTED)
def test_doubted(verbs: str, resources: str, groups: str | None, said: list[str]) -> None:
    assert judged(verbs, resources, groups) == said


FINE: list[tuple[str, str, str | None]] = [
    ("get list watch", "pods pods/log deployments.apps deployments.apps/scale", None),
    ("get list watch", "pods/log", None),
    ("get list watch", "componentstatuses", None),
    (ALL, "namespaces pods", None),
    ("update patch", "namespaces/finalize", None),
    ("*", "pods/eviction", None),
    ("*", "*", "*"),
    ("get create", "* componentstatuses", None),
    ("get", "jobs.batch/unsaid", None),
    ("get", "pods deployments", "*"),
    ("get", "*.apps", None),
    ("get", "*/scale", "*"),
    ("get update", "*.apps/scale", None),
    ("create", "pods/eviction pods/exec pods/attach pods/portforward", None),
    ("get", "pods/exec", None),
    # every one with every other, of which only some exist
    ("get create", "pods pods/eviction", None),
    ("get", "pods deployments", "CORE apps"),
    ("get", "deployments", "extensions apps"),
    ("get", "ingresses", "extensions networking.k8s.io new.example.com"),
    ("*", "*", "CORE apps extensions"),
    # who is asked without a request
    ("impersonate", "users groups serviceaccounts", None),
    ("impersonate", "uids.authentication.k8s.io userextras.authentication.k8s.io/scopes", None),
    ("impersonate", "userextras.authentication.k8s.io/acme.com/project", None),
    ("impersonate:self", "users", None),
    ("impersonate:user-info", "users.authentication.k8s.io groups.authentication.k8s.io", None),
    ("impersonate:arbitrary-node", "nodes.authentication.k8s.io", None),
    ("impersonate-on:user-info:list", "pods", None),
    ("approve sign attest", "signers.certificates.k8s.io", None),
    ("create", "certificatesigningrequests.certificates.k8s.io/selfnodeclient", None),
    ("bind escalate", "clusterroles.rbac.authorization.k8s.io roles.rbac.authorization.k8s.io", None),
    ("get list watch", "nodes/metrics nodes/stats nodes/log nodes/healthz", None),
    ("create", "nodes/proxy", None),
    ("update", "deployments.apps/finalizers widgets.example.com/finalizers */finalizers", None),
    ("update", "*.apps/finalizers", None),
    ("create", "endpoints/restricted", None),
    ("update patch", "resourceclaims.resource.k8s.io/binding", None),
    ("associated-node:update", "resourceclaims.resource.k8s.io/driver", None),
    ("request-serviceaccounts-token-audience", "vault", None),
    ("use", "secrets", None),
    ("unsafe-delete-ignore-read-errors", "secrets", None),
    # others ask what they like
    ("deploy", "widgets.example.com", None),
    ("view", "widgets.example.com", None),
    ("frobnicate", "pods", None),
    ("get", "widgets.example.com/virtual", None),
    # not known
    ("get list", "nodes.metrics.k8s.io pods.metrics.k8s.io", None),
    ("create", "halves.half.example.com", None),
    ("get", "halfs.half.example.com", None),
    ("get", "anything", "half.example.com CORE"),
    ("get", "queue_length", "external.metrics.k8s.io"),
]


@pytest.mark.parametrize(("verbs", "resources", "groups"), FINE)
def test_not_doubted(verbs: str, resources: str, groups: str | None) -> None:
    assert judged(verbs, resources, groups) == []


def test_what_is_in_no_namespace_is_not_granted_in_one() -> None:
    predicate = "in no namespace, and a Role grants only what is in one: say cluster_wide: true"
    assert judged("get", "pods nodes", namespaced=True) == [f"nodes is {predicate}"]
    assert judged("create", "tokenreviews.authentication.k8s.io", namespaced=True) == [
        f"tokenreviews.authentication.k8s.io is {predicate}"
    ]
    assert judged("get", "nodes nodes/metrics", namespaced=True) == [f"nodes and nodes/metrics are {predicate}"]


@pytest.mark.parametrize(
    ("verbs", "resources"),
    [
        # a request about a namespace is one in it
        ("get delete", "namespaces"),
        # who makes a RoleBinding there is asked for it in its namespace
        ("bind", "clusterroles.rbac.authorization.k8s.io"),
        ("impersonate", "serviceaccounts"),
        ("use", "nodes"),
        ("update", "*/finalizers"),
    ],
)
def test_what_is_granted_in_a_namespace_all_the_same(verbs: str, resources: str) -> None:
    assert judged(verbs, resources, namespaced=True) == []


def test_urls_are_not_judged_and_the_same_is_said_once() -> None:
    rules = [
        {"nonResourceURLs": ["/nonsense"], "verbs": ["gett"]},
        {"apiGroups": [""], "resources": ["deployments"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["deployments"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["replicasets"], "verbs": ["list"]},
    ]
    said = doubts(rules, SERVED, namespaced=False)
    assert said == ["deployments and replicasets are in apps, not in the core group"]


# Against an authorizer of our own, on a cluster of few names.

SMALL = Served(
    {
        "": group({"pods": "get list create update", "pods/log": "get", "pods/eviction": "create"}),
        "apps": group({"deployments": "get update delete", "deployments/scale": "update"}),
        "batch": group({"jobs": "get"}),
    }
)
REQUESTS = [
    (name, resource, verb)
    for name, one in SMALL.groups.items()
    for resource, known in one.resources.items()
    for verb in sorted(known.verbs)
]

words = st.sampled_from(ALL.split())
resources = st.sampled_from(
    ["pods", "pods/log", "pods/eviction", "deployments", "deployments/scale", "jobs", "*/scale"]
)
groups = st.sampled_from([*SMALL.groups, "*"])


@st.composite
def rules(draw: st.DrawFn) -> Object:
    def some(values: st.SearchStrategy[str]) -> list[str]:
        return draw(st.lists(values, min_size=1, max_size=4, unique=True))

    return {"apiGroups": some(groups), "resources": some(resources), "verbs": some(words)}


def allowed(rule: Object) -> list[tuple[str, str, str]]:
    """The requests of that cluster that the rule allows, as the server decides it."""
    return [
        (name, resource, verb)
        for name, resource, verb in REQUESTS
        if {name, "*"} & set(rule["apiGroups"])
        and {resource, f"*/{resource.partition('/')[2]}"} & set(rule["resources"])
        and verb in rule["verbs"]
    ]


def useful(rule: Object) -> Object:
    """The rule without the resources and verbs that allow nothing."""
    return {
        "apiGroups": rule["apiGroups"],
        "resources": [one for one in rule["resources"] if allowed({**rule, "resources": [one]})],
        "verbs": [one for one in rule["verbs"] if allowed({**rule, "verbs": [one]})],
    }


@given(rules())
def test_a_rule_of_which_everything_allows_something_is_not_doubted(rule: Object) -> None:
    assert doubts([useful(rule)], SMALL, namespaced=False) == []


@given(rules())
def test_a_resource_for_which_a_rule_allows_nothing_is_doubted(rule: Object) -> None:
    for resource in rule["resources"]:
        part = {**rule, "resources": [resource]}
        assert bool(doubts([part], SMALL, namespaced=False)) >= (not allowed(part)), part


@given(rules())
def test_whatever_may_be_served_by_an_api_that_is_down_is_not_doubted(rule: Object) -> None:
    down = Served({name: Group({}, {}, complete=False) for name in SMALL.groups})
    assert doubts([rule], down, namespaced=False) == []


texts = st.lists(any_text, min_size=1, max_size=3)


@given(st.builds(lambda *values: dict(zip(("apiGroups", "resources", "verbs"), values, strict=True)), *[texts] * 3))
def test_no_text_is_too_odd(rule: dict[str, Sequence[str]]) -> None:
    for namespaced, served in product((False, True), (SERVED, Served({}))):
        assert all(isinstance(said, str) for said in doubts([rule], served, namespaced=namespaced))
