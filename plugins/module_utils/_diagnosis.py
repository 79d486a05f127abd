# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_diagnose: why the token of a Pod does not work, and what to do about it. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _auth, _findings, _names
from ._api import Api, reach
from ._causes import Diagnosis
from ._claims import Claims, LegacyClaims
from ._durations import rfc3339
from ._entry import UseCase
from ._errors import ForbiddenError, NotFoundError, Target
from ._findings import RiskPolicy
from ._inside import look
from ._kinds import POD, Object, Ref, uid_of
from ._pod_diagnosis import Case, account_of, diagnose
from ._pod_tokens import READ, Look, PodToken, chosen_container, has_ended, tokens_of
from ._redact import Secrets

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "pod": {"type": "str", "required": True},
    "namespace": {"type": "str"},
    "container": {"type": "str"},
    "audience": {"type": "str"},
    "look_inside": {"type": "bool", "default": False},
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


@dataclass(frozen=True)
class Question:
    """What is asked.

    Attributes:
        pod: the Pod.
        container: the one of its containers that is meant; None: all.
        audience: whom a token has to be for; None: not said.
        look_inside: whether to look at the tokens that there really are.
    """

    pod: Ref
    container: str | None
    audience: str | None
    look_inside: bool

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Question:
        """Read the options.

        Raises:
            InputError: they cannot be right.
        """
        pod = Ref(POD, _names.namespace(params["namespace"]), _names.object_name(params["pod"], "pod"))
        # an empty text is what a template gives for what nobody said
        return cls(pod, params["container"] or None, params["audience"] or None, params["look_inside"])


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:  # noqa: ARG001 - see Run
    """The use case: see the module's documentation for parameters and result."""
    question, risks = Question.from_params(params), RiskPolicy.from_params(params)
    api, warnings = reach(params, secrets, risks)
    case = _case(api, question)
    found, not_known = diagnose(case)
    healthy = False if found else None if not_known else True
    return {
        "changed": False,
        "reason": _REASONS[healthy],
        "msg": _sentence(case, found, not_known),
        "actions": [],
        "healthy": healthy,
        "findings": [one.as_result() for one in found],
        "not_known": not_known,
        "pod": _described_pod(case),
        "tokens": [_described(token, case) for token in case.tokens],
        "requests": api.connection.requests,
        "retries": api.connection.retries,
        **({"warnings": warnings} if warnings else {}),
    }


_REASONS = {True: "healthy", False: "diagnosed", None: "not_known"}


def _case(api: Api, question: Question) -> Case:
    """Everything that can be known.

    Raises:
        ProvisionError: there is no such Pod, or it may not be looked at.
    """
    pod = api.get(question.pod)
    if pod is None:
        raise NotFoundError(
            f"{question.pod} does not exist",
            code="not_found",
            target=Target("get", POD.plural, namespace=question.pod.namespace, name=question.pod.name),
            http_status=404,
            hint="see kubectl get pods for its name: a workload calls every Pod that it makes otherwise",
        )
    names = chosen_container(question.pod, pod["spec"], question.container)
    account, is_account_known = _account(api, account_of(pod))
    tokens = [token for token in tokens_of(pod["spec"]) if token.container in names]
    looks = _looks(api, pod, tokens, question.container) if question.look_inside else {}
    return Case(
        pod=pod,
        account=account,
        is_account_known=is_account_known,
        container=question.container,
        tokens=tokens,
        looks=looks,
        audience=question.audience,
        now=api.connection.now(),
    )


def _account(api: Api, ref: Ref) -> tuple[Object | None, bool]:
    """The account, and whether the caller may know of it."""
    try:
        return api.get(ref), True
    except ForbiddenError:
        return None, False


def _looks(api: Api, pod: Object, tokens: Sequence[PodToken], container: str | None) -> dict[PodToken, Look]:
    """What the containers see; a container that only runs first has done so, unless it is the one that is meant."""
    there = [token for token in tokens if container or not has_ended(pod, token.container)]
    return {token: look(api, pod, token) for token in there}


def _sentence(case: Case, found: Sequence[Diagnosis], not_known: Sequence[str]) -> str:
    if found:
        others = ", ".join(dict.fromkeys(one.cause for one in found[1:]))
        more = f" (and {len(found) - 1} more: {others})" if others else ""
        return f"{found[0].cause}: {found[0].evidence}{more}"
    if not_known:
        return f"nothing wrong was found, but {not_known[0]}" + (" ..." if len(not_known) > 1 else "")
    how = "by what the containers see" if case.looks else "by what it asks for"
    seen = [token for token in case.tokens if not case.looks or token in case.looks]
    tokens = "the token" if len(seen) == 1 else f"all {len(seen)} tokens"
    unseen = "" if len(seen) == len(case.tokens) else "; containers that have done their work were not looked into"
    return f"nothing is wrong with {tokens} of {case.ref}, {how}{unseen}"


def _described_pod(case: Case) -> dict[str, Any]:
    return {
        "name": case.ref.name,
        "namespace": case.ref.namespace,
        "uid": uid_of(case.pod),
        "phase": (case.pod.get("status") or {}).get("phase"),
        "service_account": case.account_ref.name,
        "service_account_uid": uid_of(case.account) or None,
    }


def _described(token: PodToken, case: Case) -> dict[str, Any]:
    seen = case.looks.get(token)
    return {
        "container": token.container,
        "volume": token.volume,
        "path": token.path,
        "automounted": token.is_automounted,
        "asked": {"audience": token.audience or None, "expiration_seconds": token.seconds},
        "read": seen.outcome == READ if seen else None,
        "found": _found(seen.claims) if seen and seen.claims else None,
    }


def _found(claims: Claims | LegacyClaims) -> dict[str, Any]:
    """What a token says of itself, named as in the token_info of k8s_sa_token."""
    known = {"service_account": claims.service_account, "namespace": claims.namespace, "uid": claims.uid}
    if isinstance(claims, LegacyClaims):
        bound = {"kind": "Secret", "name": claims.secret, "uid": None}
        nothing = dict.fromkeys(("credential_id", "issued_at", "expires_at", "valid_until"))
        return {**known, **nothing, "audiences": [], "bound_object_ref": bound}
    bound_to = claims.bound_to
    return {
        **known,
        "credential_id": claims.credential_id,
        "audiences": list(claims.audiences),
        "issued_at": rfc3339(claims.issued_at),
        # when the kubelet has replaced it at the latest, and until when the server accepts it
        "expires_at": rfc3339(claims.warn_after or claims.expires_at),
        "valid_until": rfc3339(claims.expires_at),
        "bound_object_ref": dict(zip(("kind", "name", "uid"), bound_to, strict=True)) if bound_to else None,
    }


USE_CASE = UseCase(ARGUMENT_SPEC, run)
