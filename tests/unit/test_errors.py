# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Error answers turned into one sentence. The answers are those of a Kubernetes 1.36 API server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
from faults.odd import yaml_data
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    ForbiddenError,
    InputError,
    NotFoundError,
    ProvisionError,
    Target,
    api_error,
    name_bindable,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import CLUSTER_ROLE, Ref

GET = Target("get", "serviceaccounts", namespace="ci", name="deployer")
CREATE = Target("create", "serviceaccounts", namespace="ci", name="deployer")
MINT = Target("create", "serviceaccounts/token", namespace="ci", name="deployer")
ROLE = Target("create", "roles", "rbac.authorization.k8s.io", "ci", "deployer")
BINDING = replace(ROLE, resource="rolebindings")


def status(code: int, reason: str, message: str, details: Mapping[str, Any]) -> dict[str, Any]:
    head = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure"}
    return {**head, "message": message, "reason": reason, "details": details, "code": code}


ACCOUNT = {"name": "deployer", "kind": "serviceaccounts"}
UNAUTHORIZED = {
    "kind": "Status",
    "apiVersion": "v1",
    "metadata": {},
    "status": "Failure",
    "message": "Unauthorized",
    "reason": "Unauthorized",
    "code": 401,
}
NOT_FOUND = status(404, "NotFound", 'serviceaccounts "deployer" not found', ACCOUNT)
NO_NAMESPACE = status(404, "NotFound", 'namespaces "ci" not found', {"name": "ci", "kind": "namespaces"})
EXISTS = status(409, "AlreadyExists", 'serviceaccounts "deployer" already exists', ACCOUNT)
MODIFIED = (
    'Operation cannot be fulfilled on serviceaccounts "deployer": the object has been modified; please apply your '
    "changes to the latest version and try again"
)
FORBIDDEN = (
    'serviceaccounts "deployer" is forbidden: User "jane" cannot get resource "serviceaccounts" in API group "" in the '
    'namespace "ci"'
)
ESCALATION = (
    'roles.rbac.authorization.k8s.io "deployer" is forbidden: user "jane" (groups=["system:authenticated"]) is '
    'attempting to grant RBAC permissions not currently held:\n{APIGroups:[""], Resources:["nodes"], Verbs:["get"]}'
)
AGGREGATION = (
    'clusterroles.rbac.authorization.k8s.io "deployer" is forbidden: must have cluster-admin privileges to use the '
    "aggregationRule"
)
TERMINATING = status(
    403,
    "Forbidden",
    'serviceaccounts "deployer" is forbidden: unable to create new content in namespace ci because it is being '
    "terminated",
    {
        **ACCOUNT,
        "causes": [
            {
                "reason": "NamespaceTerminating",
                "message": "namespace ci is being terminated",
                "field": "metadata.namespace",
            }
        ],
    },
)
TOO_SHORT = (
    'TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 1: may not specify a '
    "duration less than 10 minutes"
)


@dataclass(frozen=True)
class Case:
    """An answer and what becomes of it; C(error) are the details that are not None."""

    target: Target
    http_status: int
    body: object
    kind: type[ApiError]
    message: str
    error: Mapping[str, Any] = field(default_factory=dict)


CASES = {
    "unauthorized": Case(
        GET,
        401,
        UNAUTHORIZED,
        ApiError,
        "cannot get serviceaccounts ci/deployer: the server answered 401 Unauthorized (Unauthorized): the credential "
        "of this connection is not accepted (expired, revoked, or of another cluster): renew it or pass another "
        "kubeconfig or api_key",
        {"code": "unauthorized"},
    ),
    "forbidden": Case(
        GET,
        403,
        status(403, "Forbidden", FORBIDDEN, ACCOUNT),
        ForbiddenError,
        f"cannot get serviceaccounts ci/deployer: the server answered 403 Forbidden ({FORBIDDEN}): allow the caller to "
        "get serviceaccounts in namespace ci",
        {
            "code": "forbidden",
            "rbac_rule": {
                "apiGroups": [""],
                "resources": ["serviceaccounts"],
                "verbs": ["get"],
                "resourceNames": ["deployer"],
            },
        },
    ),
    "escalation": Case(
        ROLE,
        403,
        status(403, "Forbidden", ESCALATION, {"name": "deployer", "kind": "roles"}),
        ForbiddenError,
        f"cannot create roles ci/deployer: the server answered 403 Forbidden ({' '.join(ESCALATION.split())}): RBAC "
        "lets nobody grant what they do not hold: the caller needs these rules itself, or grants a cluster role "
        "instead that it may bind; the verb escalate on roles in namespace ci would let it write any rules",
        {
            "code": "escalation",
            "missing_rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
        },
    ),
    "escalation by a binding": Case(
        BINDING,
        403,
        status(403, "Forbidden", ESCALATION.replace("roles", "rolebindings"), {"name": "deployer"}),
        ForbiddenError,
        f"cannot create rolebindings ci/deployer: the server answered 403 Forbidden "
        f"({' '.join(ESCALATION.replace('roles', 'rolebindings').split())}): RBAC lets nobody grant what they do not "
        "hold: the caller needs these rules itself, or the verb bind on the role in namespace ci",
        {
            "code": "escalation",
            "missing_rules": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}],
        },
    ),
    "aggregation": Case(
        replace(ROLE, resource="clusterroles", namespace=None),
        403,
        status(403, "Forbidden", AGGREGATION, {"name": "deployer", "kind": "clusterroles"}),
        ForbiddenError,
        f"cannot create clusterroles deployer: the server answered 403 Forbidden ({AGGREGATION}): an aggregated role "
        "takes up whatever carries its labels: let an administrator write it, because the verb escalate on "
        "clusterroles cluster-wide, which would do, is as much",
        {
            "code": "escalation",
            "rbac_rule": {
                "apiGroups": ["rbac.authorization.k8s.io"],
                "resources": ["clusterroles"],
                "verbs": ["escalate"],
            },
        },
    ),
    "terminating namespace": Case(
        CREATE,
        403,
        TERMINATING,
        ForbiddenError,
        f"cannot create serviceaccounts ci/deployer: the server answered 403 Forbidden ({TERMINATING['message']}): "
        "namespace ci is being deleted: wait until it is gone, or use another one",
        {"code": "namespace_terminating"},
    ),
    "refused by an admission webhook": Case(
        CREATE,
        403,
        status(403, "Forbidden", 'admission webhook "x.example" denied the request: no', {}),
        ForbiddenError,
        "cannot create serviceaccounts ci/deployer: the server answered 403 Forbidden (admission webhook "
        '"x.example" denied the request: no): an admission rule of the cluster refused it: see the server\'s words',
        {"code": "forbidden"},
    ),
    "not found": Case(
        GET,
        404,
        NOT_FOUND,
        NotFoundError,
        "cannot get serviceaccounts ci/deployer: the server answered 404 NotFound (serviceaccounts "
        '"deployer" not found)',
        {"code": "not_found"},
    ),
    "no namespace": Case(
        CREATE,
        404,
        NO_NAMESPACE,
        NotFoundError,
        'cannot create serviceaccounts ci/deployer: the server answered 404 NotFound (namespaces "ci" not found): '
        "namespace ci does not exist: create it first, or let k8s_sa do it (create_namespace)",
        {"code": "namespace_missing"},
    ),
    "already there": Case(
        CREATE,
        409,
        EXISTS,
        AlreadyExistsError,
        "cannot create serviceaccounts ci/deployer: the server answered 409 AlreadyExists (serviceaccounts "
        '"deployer" already exists)',
        {"code": "conflict"},
    ),
    "overtaken": Case(
        Target("update", "serviceaccounts", namespace="ci", name="deployer"),
        409,
        status(409, "Conflict", MODIFIED, ACCOUNT),
        ConflictError,
        f"cannot update serviceaccounts ci/deployer: the server answered 409 Conflict ({MODIFIED})",
        {"code": "conflict"},
    ),
    "invalid": Case(
        MINT,
        422,
        status(422, "Invalid", TOO_SHORT, {"group": "authentication.k8s.io", "kind": "TokenRequest"}),
        ApiError,
        f"cannot create serviceaccounts/token ci/deployer: the server answered 422 Invalid ({TOO_SHORT})",
        {"code": "invalid"},
    ),
    "a proxy's page": Case(
        GET,
        502,
        None,
        ApiError,
        "cannot get serviceaccounts ci/deployer: the server answered 502",
        {"code": "server_error"},
    ),
    "JSON of something else": Case(
        Target("list", "serviceaccounts"),
        500,
        {"message": "password=hunter2", "reason": "Leak"},
        ApiError,
        "cannot list serviceaccounts: the server answered 500",
        {"code": "server_error"},
    ),
    "a stranger's 404": Case(
        GET,
        404,
        None,
        ApiError,
        "cannot get serviceaccounts ci/deployer: the server answered 404: that is not how a Kubernetes API server "
        "answers: check the address",
        {"code": "not_an_api_server"},
    ),
    "a stranger's 403": Case(
        GET,
        403,
        None,
        ApiError,
        "cannot get serviceaccounts ci/deployer: the server answered 403: an admission rule of the cluster refused it: "
        "see the server's words",
        {"code": "forbidden"},
    ),
    "a list": Case(
        GET,
        400,
        [TERMINATING],
        ApiError,
        "cannot get serviceaccounts ci/deployer: the server answered 400",
        {"code": "bad_request"},
    ),
    "a redirect": Case(
        GET,
        307,
        None,
        ApiError,
        "cannot get serviceaccounts ci/deployer: the server answered 307",
        {"code": "refused"},
    ),
    "409 without a reason": Case(
        CREATE,
        409,
        None,
        ConflictError,
        "cannot create serviceaccounts ci/deployer: the server answered 409",
        {"code": "conflict"},
    ),
    "too many requests": Case(
        GET,
        429,
        status(429, "TooManyRequests", "Too many requests, please try again later.", {"retryAfterSeconds": 1}),
        ApiError,
        "cannot get serviceaccounts ci/deployer: the server answered 429 TooManyRequests (Too many requests, please "
        "try again later.)",
        {"code": "too_many_requests"},
    ),
}


@pytest.mark.parametrize(
    ("target", "where"),
    [
        (BINDING, "in namespace ci"),
        (replace(BINDING, verb="update"), "in namespace ci"),
        (Target("create", "clusterrolebindings", ROLE.api_group, None, "deployer"), "cluster-wide"),
    ],
)
def test_the_role_that_may_not_be_bound_is_named(target: Target, where: str) -> None:
    error = api_error(target, 403, status(403, "Forbidden", ESCALATION, {}))
    assert isinstance(error, ForbiddenError)
    name_bindable(error, Ref(CLUSTER_ROLE, "", "view"))
    assert str(error).endswith(f"needs these rules itself, or the verb bind on clusterroles view {where}")
    assert error.rbac_rule == {
        "apiGroups": ["rbac.authorization.k8s.io"],
        "resources": ["clusterroles"],
        "verbs": ["bind"],
        "resourceNames": ["view"],
    }


@pytest.mark.parametrize(("target", "message"), [(GET, FORBIDDEN), (BINDING, FORBIDDEN), (ROLE, ESCALATION)])
def test_no_other_refusal_is_about_binding(target: Target, message: str) -> None:
    error = api_error(target, 403, status(403, "Forbidden", message, {}))
    assert isinstance(error, ForbiddenError)
    before = error.details()
    name_bindable(error, Ref(CLUSTER_ROLE, "", "view"))
    assert error.details() == before


def test_to_change_one_aggregated_role_takes_the_right_for_that_one() -> None:
    target = Target("update", "clusterroles", ROLE.api_group, None, "deployer")
    error = api_error(target, 403, status(403, "Forbidden", AGGREGATION, {}))
    assert (error.rbac_rule or {})["resourceNames"] == ["deployer"]


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_an_answer_becomes_a_sentence(case: Case) -> None:
    error = api_error(case.target, case.http_status, case.body)
    assert error.__class__ is case.kind
    assert str(error) == case.message
    details = error.details()
    hint = details.pop("hint")
    assert hint is None or case.message.endswith(f": {hint}")
    assert {key: value for key, value in details.items() if value not in (None, [])} == {
        "http_status": case.http_status,
        **{key: value for key, value in vars(case.target).items() if key != "api_group" and value},
        **case.error,
    }


def test_a_long_message_is_cut_off() -> None:
    sentence = str(api_error(GET, 422, status(422, "Invalid", "x" * 10000, {})))
    assert sentence.endswith(f"({'x' * 600})")


odd_answers = yaml_data | st.dictionaries(
    st.sampled_from(["kind", "reason", "message", "details", "code", "status"]),
    yaml_data
    | st.sampled_from(["Status", "AlreadyExists"])
    | st.fixed_dictionaries({"causes": yaml_data | st.lists(yaml_data), "kind": yaml_data}),
)


@given(st.integers(100, 999), odd_answers)
def test_no_answer_is_too_odd(http_status: int, body: Any) -> None:
    error = api_error(GET, http_status, body)
    assert error.http_status == http_status
    assert str(error).startswith(f"cannot get serviceaccounts ci/deployer: the server answered {http_status}")


@given(st.integers(300, 599), yaml_data)
def test_only_a_status_is_quoted(http_status: int, body: Any) -> None:
    answer = {"kind": "Secret", "message": "hunter2", "reason": "hunter2", "data": body}
    assert "hunter2" not in repr(api_error(GET, http_status, answer))


@pytest.mark.parametrize(
    ("target", "rule"),
    [
        (GET, {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["get"], "resourceNames": ["deployer"]}),
        # who creates an object has no name yet when the authorizer is asked
        (CREATE, {"apiGroups": [""], "resources": ["serviceaccounts"], "verbs": ["create"]}),
        (
            MINT,
            {
                "apiGroups": [""],
                "resources": ["serviceaccounts/token"],
                "verbs": ["create"],
                "resourceNames": ["deployer"],
            },
        ),
        (ROLE, {"apiGroups": ["rbac.authorization.k8s.io"], "resources": ["roles"], "verbs": ["create"]}),
        (Target("list", "secrets", namespace="ci"), {"apiGroups": [""], "resources": ["secrets"], "verbs": ["list"]}),
    ],
)
def test_the_rule_that_would_have_allowed_it(target: Target, rule: dict[str, list[str]]) -> None:
    assert target.rbac_rule() == rule


@pytest.mark.parametrize(
    ("target", "words"),
    [
        (GET, "get serviceaccounts ci/deployer"),
        (Target("list", "secrets", namespace="ci"), "list secrets ci"),
        (Target("list", "secrets"), "list secrets"),
        (Target("get", "clusterroles", name="view"), "get clusterroles view"),
    ],
)
def test_a_target_in_words(target: Target, words: str) -> None:
    assert str(target) == words


def test_a_failed_result() -> None:
    assert InputError("name is missing.", "give a name").as_result() == {
        "failed": True,
        "changed": False,
        "reason": "invalid_option",
        "msg": "name is missing: give a name",
        "actions": [],
        "error": {
            "code": "invalid_option",
            "http_status": None,
            "verb": None,
            "resource": None,
            "namespace": None,
            "name": None,
            "hint": "give a name",
            "rbac_rule": None,
            "missing_rules": [],
        },
    }


def test_an_error_without_a_hint_is_its_sentence() -> None:
    assert str(ProvisionError("It broke.")) == "It broke."


def test_errors_do_not_share_what_they_lack() -> None:
    first, second = ProvisionError("a"), ProvisionError("b")
    first.missing_rules.append({"verbs": ["get"]})
    assert second.missing_rules == []
