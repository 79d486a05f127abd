# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which binding and rule allow a request, and what is said when none does.

That it agrees with the API server is shown in tests/integration/test_k8s_sa_access_truth.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._access_entries import entry_of
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import ForbiddenError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._granting import (
    Binding,
    Identity,
    Policy,
    effective_rules,
    finding,
    grants,
    rule_text,
    who_can,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    Kind,
    Ref,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rbac import Subject

APP = Identity.of_account("ci", "app")
ACCOUNT = Subject("ServiceAccount", "ci", "app")
PODS = {"verbs": ["get", "list"], "apiGroups": [""], "resources": ["pods"]}


def rule(verbs: str, resources: str, group: str = "", **more: Any) -> dict[str, Any]:
    return {"verbs": verbs.split(), "apiGroups": [group], "resources": resources.split(), **more}


def bound(name: str, namespace: str = "", subject: Subject = ACCOUNT, cluster_role: bool = False) -> Binding:
    """A binding to a role of the same name."""
    kind = ROLE_BINDING if namespace else CLUSTER_ROLE_BINDING
    role = Ref(ROLE, namespace, name) if namespace and not cluster_role else Ref(CLUSTER_ROLE, "", name)
    return Binding(Ref(kind, namespace, name), role, (subject,))


def policy(*bindings: tuple[Binding, list[dict[str, Any]] | None], **more: Any) -> Policy:
    rules = {binding.role: rules for binding, rules in bindings if rules is not None}
    return Policy(tuple(binding for binding, dummy in bindings), rules, **more)


SUBJECTS: list[tuple[Subject, bool]] = [
    (ACCOUNT, True),
    (Subject("ServiceAccount", "prod", "app"), False),
    (Subject("ServiceAccount", "", "app"), False),
    (Subject("User", "", "system:serviceaccount:ci:app"), True),
    (Subject("User", "", "app"), False),
    (Subject("Group", "", "system:serviceaccounts"), True),
    (Subject("Group", "", "system:serviceaccounts:ci"), True),
    (Subject("Group", "", "system:serviceaccounts:prod"), False),
    (Subject("Group", "", "system:authenticated"), True),
    (Subject("Group", "", "system:unauthenticated"), False),
    (Subject("Group", "", "system:serviceaccount:ci:app"), False),
]


@pytest.mark.parametrize(("subject", "is_meant"), SUBJECTS)
def test_who_is_meant_by_a_subject(subject: Subject, is_meant: bool) -> None:
    found = grants(policy((bound("a", subject=subject), [PODS])), APP, entry_of("get pods", "", "ci"))
    assert [one.subject for one in found] == ([subject] if is_meant else [])


REACH: list[tuple[str, Binding, bool]] = [
    ("get pods in ci", bound("a"), True),
    ("get pods in ci", bound("a", "ci"), True),
    ("get pods in prod", bound("a", "ci"), False),
    ("get pods in all namespaces", bound("a"), True),
    ("get pods in all namespaces", bound("a", "ci"), False),
    ("get pods in any namespace", bound("a", "prod"), True),
    ("get /healthz", bound("a"), True),
    ("get /healthz", bound("a", "ci", cluster_role=True), False),
]


@pytest.mark.parametrize(("asked", "binding", "reaches"), REACH)
def test_where_a_binding_grants(asked: str, binding: Binding, reaches: bool) -> None:
    rules = [PODS, {"verbs": ["get"], "nonResourceURLs": ["*"]}]
    assert bool(grants(policy((binding, rules)), APP, entry_of(asked, "", "ci"))) is reaches


NEAR: Mapping[str, tuple[str, Policy, str, str]] = {
    "nothing at all": (
        "get pods",
        policy(),
        "no_binding",
        "no binding cluster-wide or in ci grants it anything on pods",
    ),
    "something else": (
        "get pods",
        policy((bound("a", "ci"), [rule("get", "secrets")])),
        "no_binding",
        "no binding cluster-wide or in ci grants it anything on pods",
    ),
    "all of another group": (
        "get pods",
        policy((bound("a", "ci"), [rule("*", "*", "apps")])),
        "no_binding",
        "no binding cluster-wide or in ci grants it anything on pods",
    ),
    "somebody else": (
        "get pods",
        policy((bound("a", "ci", Subject("ServiceAccount", "ci", "b")), [PODS])),
        "no_binding",
        "no binding cluster-wide or in ci grants it anything on pods",
    ),
    "a path": (
        "get /healthz",
        policy((bound("a"), [PODS])),
        "no_binding",
        "no binding cluster-wide grants it anything on /healthz",
    ),
    "another verb": (
        "delete pods",
        policy((bound("a", "ci"), [PODS])),
        "rule_too_narrow",
        "RoleBinding ci/a through Role a grants get, list on pods, but not the verb delete",
    ),
    "another verb of everything": (
        "delete pods",
        policy((bound("a"), [rule("get", "*")])),
        "rule_too_narrow",
        "ClusterRoleBinding a through ClusterRole a grants get on *, but not the verb delete",
    ),
    "a subresource": (
        "get pods/log",
        policy((bound("a", "ci"), [PODS])),
        "rule_too_narrow",
        "RoleBinding ci/a through Role a grants get, list on pods, but not the subresource log",
    ),
    "only a subresource": (
        "get pods",
        policy((bound("a", "ci"), [rule("get", "pods/log")])),
        "rule_too_narrow",
        "RoleBinding ci/a through Role a grants get on pods/log, but not pods themselves",
    ),
    "the wrong group": (
        "get deployments.apps",
        policy((bound("a", "ci"), [rule("get", "deployments")])),
        "rule_too_narrow",
        "RoleBinding ci/a through Role a grants get on deployments, but not the API group apps",
    ),
    "another name": (
        "get secrets named b",
        policy((bound("a", "ci"), [rule("get", "secrets", resourceNames=["a"])])),
        "rule_too_narrow",
        "RoleBinding ci/a through Role a grants get on secrets named a, but not the name b",
    ),
    "only by name": (
        "list secrets",
        policy((bound("a", "ci"), [rule("list", "secrets", resourceNames=["a"])])),
        "rule_too_narrow",
        "RoleBinding ci/a through Role a grants list on secrets named a, but not without a name",
    ),
    "another verb of a path": (
        "post /healthz",
        policy((bound("a"), [{"verbs": ["get"], "nonResourceURLs": ["/health*"]}])),
        "rule_too_narrow",
        "ClusterRoleBinding a through ClusterRole a grants get on /health*, but not the verb post",
    ),
    "the nearest of many": (
        "delete secrets named b",
        policy(
            (bound("a", "ci"), [rule("get", "secrets", resourceNames=["a"])]),
            (bound("b", "ci"), [rule("get", "secrets")]),
        ),
        "rule_too_narrow",
        "RoleBinding ci/b through Role b grants get on secrets, but not the verb delete",
    ),
    "another namespace": (
        "get pods in prod",
        policy((bound("a", "ci"), [PODS])),
        "binding_elsewhere",
        "RoleBinding ci/a through Role a grants it only in ci",
    ),
    "the cluster": (
        "list nodes",
        policy((bound("a", "ci", cluster_role=True), [rule("list", "nodes")])),
        "binding_elsewhere",
        "RoleBinding ci/a through ClusterRole a grants it only in ci",
    ),
    "another namespace, and here far from it": (
        "delete secrets named b in prod",
        policy(
            (bound("a", "prod"), [rule("get", "secrets", resourceNames=["a"])]),
            (bound("b", "ci"), [rule("delete", "secrets")]),
        ),
        "binding_elsewhere",
        "RoleBinding ci/b through Role b grants it only in ci",
    ),
    "two things": (
        "delete secrets named b in prod",
        policy((bound("a", "prod"), [rule("get", "secrets", resourceNames=["a"])])),
        "rule_too_narrow",
        "RoleBinding prod/a through Role a grants get on secrets named a, but not the verb delete and the name b",
    ),
    "no such role": (
        "get pods",
        policy((bound("a", "ci"), None), (bound("b", "ci"), [rule("list", "pods")])),
        "missing_role",
        "RoleBinding ci/a refers to Role ci/a, which does not exist",
    ),
    "no such role elsewhere": (
        "get pods",
        policy((bound("a", "prod"), None), (bound("b", "ci"), [rule("list", "pods")])),
        "rule_too_narrow",
        "RoleBinding ci/b through Role b grants list on pods, but not the verb get",
    ),
}


@pytest.mark.parametrize(("asked", "known", "cause", "evidence"), NEAR.values(), ids=NEAR)
def test_what_is_missing(asked: str, known: Policy, cause: str, evidence: str) -> None:
    entry = entry_of(asked, "", "ci")
    assert grants(known, APP, entry) == []
    found = finding(known, APP, entry, allowed=False, said="")
    assert (found.cause, found.evidence) == (cause, evidence)


def test_all_that_grant_are_named_cluster_wide_ones_first() -> None:
    known = policy((bound("b", "ci"), [PODS]), (bound("a"), [rule("list", "pods"), rule("get", "*"), PODS]))
    entry = entry_of("get pods", "", "ci")
    assert finding(known, APP, entry, allowed=True, said="").evidence == (
        "granted by ClusterRoleBinding a through ClusterRole a (get on *), "
        "RoleBinding ci/b through Role b (get, list on pods)"
    )
    assert grants(known, APP, entry)[1].as_dict() == {
        "kind": "RoleBinding",
        "namespace": "ci",
        "name": "b",
        "role": {"kind": "Role", "name": "b"},
        "rule": PODS,
        "subject": ACCOUNT.to_api(),
    }


def test_an_answer_that_does_not_come_from_bindings_is_said_to() -> None:
    entry = entry_of("get pods", "", "ci")
    allowed = finding(policy(), APP, entry, allowed=True, said="webhook: yes")
    assert (allowed.cause, allowed.evidence) == ("not_rbac", "allowed, but by no binding (webhook: yes)")
    refused = finding(policy((bound("a", "ci"), [PODS])), APP, entry, allowed=False, said="")
    assert refused.cause == "not_rbac"
    assert refused.evidence == "refused although RoleBinding ci/a through Role a (get, list on pods) grants it"


def refusal(kind: Kind) -> ForbiddenError:
    return ForbiddenError(f"cannot list {kind.plural}", hint=f"allow the caller to list {kind.plural}")


GAPS: list[tuple[Kind, list[str], dict[str, bool]]] = [
    (CLUSTER_ROLE_BINDING, [], {"": True, "ci": True, "*": True}),
    (CLUSTER_ROLE, [], {"": True, "ci": True, "*": True}),
    (ROLE_BINDING, [], {"": False, "ci": True, "*": True}),
    (ROLE_BINDING, ["ci"], {"": False, "ci": False, "prod": True, "*": True}),
    (ROLE, ["ci"], {"": False, "ci": False, "prod": True, "*": True}),
]


@pytest.mark.parametrize(("kind", "read_in", "places"), GAPS)
def test_what_was_not_read_matters_where_it_could_grant(
    kind: Kind, read_in: list[str], places: dict[str, bool]
) -> None:
    known = policy(forbidden={kind: refusal(kind)}, read_in={kind: frozenset(read_in)})
    assert {place: known.gap(place) is not None for place in places} == places


def test_what_was_not_read_is_not_said_to_be_missing() -> None:
    known = policy((bound("a", "ci"), None), forbidden={ROLE: refusal(ROLE)})
    entry = entry_of("get pods", "", "ci")
    denied = finding(known, APP, entry, allowed=False, said="")
    assert denied.cause == "no_binding"
    assert denied.evidence.endswith("as far as bindings and roles could be read: allow the caller to list roles")
    allowed = finding(known, APP, entry, allowed=True, said="RBAC: by a")
    assert (allowed.cause, allowed.evidence) == (
        "unknown",
        "by which binding could not be read (RBAC: by a): allow the caller to list roles",
    )
    missing = policy((bound("a", "ci"), None), forbidden={ROLE: refusal(ROLE)}, read_in={ROLE: frozenset({"ci"})})
    assert finding(missing, APP, entry, allowed=False, said="").cause == "missing_role"


def test_everybody_who_can_is_named_once_with_all_that_lets_them() -> None:
    jane = Subject("User", "", "jane")
    both = Binding(Ref(ROLE_BINDING, "ci", "c"), Ref(ROLE, "ci", "c"), (jane, ACCOUNT, jane))
    known = policy((bound("a"), [PODS]), (bound("b", "prod"), [PODS]), (both, [PODS]))
    found = who_can(known, entry_of("get pods", "", "ci"))
    assert [(subject.name, [one.binding.ref.name for one in held]) for subject, held in found] == [
        ("app", ["a", "c"]),
        ("jane", ["c"]),
    ]
    anywhere = who_can(known, entry_of("get pods in any namespace", "", "ci"))
    assert [one.binding.ref.name for one in anywhere[0][1]] == ["a", "b", "c"]


def test_effective_rules_say_nothing_twice_and_no_path_of_a_namespace() -> None:
    known = policy(
        (
            bound("a"),
            [rule("get", "pods"), rule("get", "pods services"), {"verbs": ["get"], "nonResourceURLs": ["/a"]}],
        ),
        (bound("b", "prod"), [rule("get list", "pods"), {"verbs": ["get"], "nonResourceURLs": ["/b"]}]),
        (bound("c", "prod"), [rule("list", "pods", resourceNames=["x"])]),
        (bound("d", "ci"), [rule("get", "services")]),
        (bound("e"), None),
    )
    assert effective_rules(known, APP) == [
        {
            "namespace": None,
            "rules": [
                {"nonResourceURLs": ["/a"], "verbs": ["get"]},
                {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get"]},
            ],
        },
        {"namespace": "prod", "rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]},
    ]


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (PODS, "get, list on pods"),
        (rule("*", "*", "*"), "* on * of *"),
        (rule("get", "deployments", "apps", resourceNames=["a", "b"]), "get on deployments of apps named a, b"),
        ({**PODS, "apiGroups": ["", "apps"]}, "get, list on pods of the core group, apps"),
        (rule("get", "a b c d e f"), "get on a, b, c, d, 2 more"),
        ({"verbs": ["get"], "nonResourceURLs": ["/a", "/b"]}, "get on /a, /b"),
    ],
)
def test_a_rule_in_few_words(given: dict[str, Any], text: str) -> None:
    assert rule_text(given) == text
