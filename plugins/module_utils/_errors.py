# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one error family: every failure says what was being done to which object, what was answered, and what to do.

Nothing but the sentences built here may leave a module: no exception objects, no response bodies, no headers.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ._escalation import is_about_aggregation, is_escalation, missing_rules
from ._kinds import Ref


@dataclass(frozen=True)
class Target:
    """What a request was about, in RBAC's words.

    Attributes:
        verb: the RBAC verb (C(get), C(list), C(create), C(update), C(patch), C(delete)).
        resource: plural resource, with a subresource after a slash (C(serviceaccounts/token)).
        api_group: the API group, empty for the core group.
        namespace: namespace, or None for cluster-scoped objects and lists over all namespaces.
        name: object name, or None for lists.
    """

    verb: str
    resource: str
    api_group: str = ""
    namespace: str | None = None
    name: str | None = None

    @property
    def place(self) -> str:
        """C(namespace/name), as far as known."""
        return "/".join(part for part in (self.namespace, self.name) if part)

    @property
    def scope(self) -> str:
        """Where a right to it would have to hold."""
        return f"in namespace {self.namespace}" if self.namespace else "cluster-wide"

    def __str__(self) -> str:
        return f"{self.verb} {self.resource} {self.place}".rstrip()

    def rbac_rule(self) -> dict[str, list[str]]:
        """The smallest RBAC rule that would allow the request (the API's own spelling)."""
        rule = {"apiGroups": [self.api_group], "resources": [self.resource], "verbs": [self.verb]}
        # a create names no object at authorization time, except on a subresource: there the name is in the URL
        if self.name and (self.verb != "create" or "/" in self.resource) and self.verb != "list":
            rule["resourceNames"] = [self.name]
        return rule


@dataclass
class ProvisionError(Exception):
    """Base of every error this collection reports.

    Attributes:
        what: one sentence for the user; never holds a secret, a response body or a header.
        code: one machine word.
        hint: what to do about it, one sentence.
        target: the request, if there was one.
        http_status: the server's status code, if it answered.
        rbac_rule: the rule that would allow what was refused.
        missing_rules: what an escalation refusal lacked.
    """

    what: str
    code: str = "error"
    hint: str | None = None
    target: Target | None = None
    http_status: int | None = None
    rbac_rule: dict[str, list[str]] | None = None
    missing_rules: list[dict[str, list[str]]] = field(default_factory=list)

    def __str__(self) -> str:
        return f"{self.what.rstrip('.')}: {self.hint}" if self.hint else self.what

    def adding(self, said: str) -> ProvisionError:
        """The same error with something more to know."""
        self.what = f"{self.what.rstrip('.')} ({said})"
        return self

    @property
    def is_transient(self) -> bool:
        """Whether the same may well succeed later, although nothing was corrected."""
        if self.http_status is None:
            return self.code in ("unreachable", "ambiguous")
        return self.http_status == 429 or self.http_status >= 500

    def details(self) -> dict[str, Any]:
        """The C(error) value of a result."""
        target = self.target
        return {
            "code": self.code,
            "http_status": self.http_status,
            "verb": target.verb if target else None,
            "resource": target.resource if target else None,
            "namespace": target.namespace if target else None,
            "name": target.name if target else None,
            "hint": self.hint,
            "rbac_rule": self.rbac_rule,
            "missing_rules": self.missing_rules,
        }

    def as_result(self) -> dict[str, Any]:
        """The failed result of a task."""
        return {
            "failed": True,
            "changed": False,
            "reason": self.code,
            "msg": str(self),
            "actions": [],
            "error": self.details(),
        }


class InputError(ProvisionError):
    """An option that cannot be right, found before any request."""

    def __init__(self, what: str, hint: str | None = None, code: str = "invalid_option") -> None:
        super().__init__(what=what, code=code, hint=hint)


class ConnectError(ProvisionError):
    """The cluster could not be reached, or the way to it is not configured."""


class FileError(ProvisionError):
    """A local file cannot be read or written."""


class RefusedRiskError(ProvisionError):
    """A risk that must be named in C(allow_risks)."""


class ApiError(ProvisionError):
    """The server answered with an error."""


class NotFoundError(ApiError):
    """404."""


class AlreadyExistsError(ApiError):
    """409 on a create: somebody else made it between our read and our write."""


class ConflictError(ApiError):
    """409: the object changed (resourceVersion) or is another one (uid) since it was read."""


class OvertakenError(ApiError):
    """Another run changed the place of a token since it was read: look again."""


class ForbiddenError(ApiError):
    """403."""


class AmbiguousError(ProvisionError):
    """A write whose answer was lost: it may or may not have happened, only reading again can tell."""


_BY_STATUS: dict[int, type[ApiError]] = {403: ForbiddenError, 404: NotFoundError}

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    410: "gone",
    413: "too_large",
    422: "invalid",
    429: "too_many_requests",
}

_MAX_SERVER_TEXT = 600

_UNAUTHORIZED_HINT = (
    "the credential of this connection is not accepted (expired, revoked, or of another cluster): "
    "renew it or pass another kubeconfig or api_key"
)


def api_error(target: Target, status: int, body: object) -> ApiError:
    """Turn an error answer into one sentence.

    Args:
        target: what was asked for.
        status: HTTP status code.
        body: decoded JSON answer, or None when it was no JSON. Only the message of a C(Status) object is quoted:
            anything else may echo what was sent (a proxy's page, a debug dump).
    """
    answer = body if isinstance(body, dict) and body.get("kind") == "Status" else {}
    reason = str(answer.get("reason") or "")
    said = _quote(answer)
    error_type = _BY_STATUS.get(status, ApiError) if answer else ApiError
    if status == 409:
        error_type = AlreadyExistsError if reason == "AlreadyExists" else ConflictError
    error = error_type(
        what=f"cannot {target}: the server answered {status}{f' {reason}' if reason else ''}{said}",
        code=_CODES.get(status, "server_error" if status >= 500 else "refused"),
        target=target,
        http_status=status,
    )
    return _explained(error, answer)


def _quote(answer: dict[str, Any]) -> str:
    message = " ".join(str(answer.get("message") or "").split())
    return f" ({message[:_MAX_SERVER_TEXT]})" if message else ""


def _explained(error: ApiError, answer: dict[str, Any]) -> ApiError:
    """Add the hint and the RBAC rule where the answer lets us know them."""
    target = error.target
    if error.http_status == 404 and not answer:
        error.code = "not_an_api_server"
        error.hint = "that is not how a Kubernetes API server answers: check the address"
    elif error.http_status == 401:
        error.hint = _UNAUTHORIZED_HINT
    elif target and _is_terminating(answer):
        error.code = "namespace_terminating"
        error.hint = f"namespace {target.namespace} is being deleted: wait until it is gone, or use another one"
    elif target and error.http_status == 404 and _missing_namespace(answer, target):
        error.code = "namespace_missing"
        error.hint = (
            f"namespace {target.namespace} does not exist: create it first, or let k8s_sa do it (create_namespace)"
        )
    elif target and error.http_status == 403:
        _explain_forbidden(error, target, str(answer.get("message") or ""))
    return error


def _explain_forbidden(error: ApiError, target: Target, message: str) -> None:
    if is_escalation(message):
        _explain_escalation(error, target, message)
    elif " cannot " in message:
        error.rbac_rule = target.rbac_rule()
        error.hint = f"allow the caller to {target.verb} {target.resource} {target.scope}"
    else:
        error.hint = "an admission rule of the cluster refused it: see the server's words"


def _explain_escalation(error: ApiError, target: Target, message: str) -> None:
    """What would let somebody grant what they do not hold; the role that a binding refers to is not known here."""
    error.code = "escalation"
    error.missing_rules = missing_rules(message)
    if is_about_aggregation(message):
        # a create is asked about without a name
        name = None if target.verb == "create" else target.name
        error.rbac_rule = Target("escalate", target.resource, target.api_group, target.namespace, name).rbac_rule()
        error.hint = (
            "an aggregated role takes up whatever carries its labels: let an administrator write it, "
            f"because the verb escalate on {target.resource} {target.scope}, which would do, is as much"
        )
    elif target.resource.endswith("bindings"):
        error.hint = f"{_NOT_HELD}, or the verb bind on the role {target.scope}"
    else:
        error.hint = (
            f"{_NOT_HELD}, or grants a cluster role instead that it may bind; "
            f"the verb escalate on {target.resource} {target.scope} would let it write any rules"
        )


_NOT_HELD = "RBAC lets nobody grant what they do not hold: the caller needs these rules itself"


def name_bindable(error: ForbiddenError, role: Ref) -> None:
    """Say of a binding that was refused, because it grants more than the caller holds, which role may not be bound."""
    target = error.target
    if error.code == "escalation" and target and target.resource.endswith("bindings"):
        error.rbac_rule = Target("bind", role.kind.plural, target.api_group, target.namespace, role.name).rbac_rule()
        error.hint = f"{_NOT_HELD}, or the verb bind on {role.kind.plural} {role.name} {target.scope}"


def _is_terminating(answer: dict[str, Any]) -> bool:
    details = answer.get("details")
    causes = details.get("causes") if isinstance(details, dict) else None
    return isinstance(causes, list) and any(
        isinstance(cause, dict) and cause.get("reason") == "NamespaceTerminating" for cause in causes
    )


def _missing_namespace(answer: dict[str, Any], target: Target) -> bool:
    details = answer.get("details")
    return isinstance(details, dict) and details.get("kind") == "namespaces" and bool(target.namespace)
