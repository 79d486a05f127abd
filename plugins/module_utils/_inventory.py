# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_info: which long-lived tokens there are, who uses them, and what is wrong with them. Changes nothing.

Secrets are listed as tables, so that no token is read. Source: Kubernetes API, Secret v1; KEP-2799.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, TypeVar

from . import _auth, _bulk, _findings, _names
from ._api import Api, reach
from ._consumers import Use
from ._converge import read
from ._durations import rfc3339, seconds
from ._entry import UseCase
from ._errors import ForbiddenError, InputError
from ._findings import RiskPolicy
from ._kinds import SECRET, SERVICE_ACCOUNT, Object, Ref, ref_of, uid_of
from ._legacy_rows import ROW_LABEL
from ._namespaces import namespace_ref
from ._redact import Secrets
from ._secret_references import ENV, MOUNT
from ._token_secrets import OF_TYPE, TokenSecret
from ._tracking import tracking_start
from ._workloads import Uses, read_uses

Answer = TypeVar("Answer")

# what can be gathered
TOKENS = "tokens"

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "namespaces": {"type": "list", "elements": "str"},
    "namespace": {"type": "str"},
    "label_selector": {"type": "str"},
    "gather": {"type": "list", "elements": "str", "choices": [TOKENS], "default": [TOKENS]},
    "unused_for": {"type": "raw", "default": "90d"},
    "workers": _bulk.ARGUMENT_SPEC["workers"],
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}

# all namespaces at once, as a LIST takes it
_EVERYWHERE = ("",)


@dataclass(frozen=True)
class Question:
    """What is looked for.

    Attributes:
        namespaces: where; C(_EVERYWHERE): in all.
        selector: which accounts, by their labels; empty: all.
        unused_for: seconds after which a token without a use counts as unused.
    """

    namespaces: tuple[str, ...]
    selector: str
    unused_for: int

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Question:
        """Read the options.

        Raises:
            InputError: they cannot be right.
        """
        given = params["namespaces"]
        if given is not None and not given:
            raise InputError("namespaces: the list is empty", "leave it out to look at all namespaces")
        if not params["gather"]:
            raise InputError("gather: the list is empty, so nothing would be looked for", f"name {TOKENS}")
        if given is None and params["namespace"] is not None:
            names = {_names.namespace(params["namespace"]): None}
        else:
            names = dict.fromkeys(_names.namespace(name, "namespaces") for name in given or ())
        unused_for = seconds(params["unused_for"], "unused_for")
        return cls(tuple(names) or _EVERYWHERE, params["label_selector"] or "", unused_for)


@dataclass(frozen=True)
class Found:
    """What was read.

    Attributes:
        accounts: by address.
        secrets: those with long-lived tokens.
        uses: who uses Secrets, by the namespace that was read (empty: all).
        tracked_since: since when the server notes the use of tokens; None: nobody knows.
    """

    accounts: Mapping[Ref, Object]
    secrets: Sequence[TokenSecret]
    uses: Mapping[str, Uses]
    tracked_since: datetime | None

    def row_of(self, secret: TokenSecret) -> str | None:
        """The token of k8s_legacy_token that a Secret is a generation of, or is called like; None: there is none."""
        label = secret.labels.get(ROW_LABEL)
        return label or (secret.ref.name if (secret.ref.namespace, secret.ref.name) in self._rows else None)

    @cached_property
    def _rows(self) -> set[tuple[str, str | None]]:
        return {(one.ref.namespace, one.labels.get(ROW_LABEL)) for one in self.secrets}

    def users(self, secret: Ref) -> list[Use] | None:
        """Who uses a Secret; None: nobody may know."""
        return self.uses[secret.namespace if secret.namespace in self.uses else ""].of(secret)


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:  # noqa: ARG001 - see Run
    """The use case: see the module's documentation for parameters and result."""
    question, risks = Question.from_params(params), RiskPolicy.from_params(params)
    _bulk.check_workers(params)
    workers = params["workers"]
    api, warnings = reach(params, secrets, risks)
    found, said = _read(api, question, workers)
    tokens = _described(found, question, api.connection.now()) if TOKENS in params["gather"] else []
    summary = _summary(found, tokens)
    warnings += said
    return {
        "changed": False,
        "reason": "gathered",
        "msg": _sentence(summary),
        "actions": [],
        "legacy_tokens": tokens,
        "summary": summary,
        "requests": api.connection.requests,
        "retries": api.connection.retries,
        **({"warnings": warnings} if warnings else {}),
    }


def _read(api: Api, question: Question, workers: int) -> tuple[Found, list[str]]:
    """Everything, with one LIST for each kind and namespace, and what to say about what may not be read.

    Raises:
        ProvisionError: accounts or Secrets cannot be listed.
    """
    accounts = _each(question, workers, lambda place: _list_accounts(api, question, place))
    rows = _each(question, workers, lambda place: api.rows(SECRET, place, fields=OF_TYPE))
    uses = {place: read_uses(api, place, workers) for place in question.namespaces}
    since, said = tracking_start(api)
    found = Found(
        accounts={ref_of(one, SERVICE_ACCOUNT): one for listed in accounts for one in listed},
        secrets=[TokenSecret.from_row(row) for listed in rows for row in listed],
        uses=uses,
        tracked_since=since,
    )
    return found, [*([said] if said else []), *_unseen(uses.values()), *_absent(api, question, found, workers)]


def _each(question: Question, workers: int, look: Callable[[str], Answer]) -> list[Answer]:
    with ThreadPoolExecutor(max_workers=workers) as pool:
        return list(pool.map(look, question.namespaces))


def _list_accounts(api: Api, question: Question, namespace: str) -> list[Object]:
    try:
        return api.list_all(SERVICE_ACCOUNT, namespace, labels=question.selector)
    except ForbiddenError as error:
        if question.namespaces == _EVERYWHERE:
            error.hint = f"{error.hint}, or give the namespaces to look at"
        raise


def _unseen(uses: Iterable[Uses]) -> list[str]:
    refusals = [one.refusal for one in uses if one.refusal]
    target = refusals[0].target if refusals else None
    return [f"who uses the Secrets is not fully known: the caller may not {target}"] if target else []


def _absent(api: Api, question: Question, found: Found, workers: int) -> list[str]:
    """The namespaces that do not exist, as far as the caller may ask; where an account was found nobody need ask."""
    seen = {ref.namespace for ref in found.accounts}
    doubtful = [namespace_ref(name) for name in question.namespaces if name and name not in seen]
    live = read(api, doubtful, workers)
    unexpected = [error for error in live.errors.values() if not isinstance(error, ForbiddenError)]
    if unexpected:
        raise unexpected[0]
    return [f"the namespace {ref.name} does not exist" for ref, namespace in live.items() if namespace is None]


def _described(found: Found, question: Question, now: datetime) -> list[dict[str, Any]]:
    """The tokens in question, in order; a selector leaves out those whose account it does not select."""
    secrets = sorted(found.secrets, key=lambda one: one.ref)
    return [
        _token(one, found, question, now)
        for one in secrets
        if not question.selector or _account_of(one) in found.accounts
    ]


def _account_of(secret: TokenSecret) -> Ref:
    return Ref(SERVICE_ACCOUNT, secret.ref.namespace, secret.account)


def _token(secret: TokenSecret, found: Found, question: Question, now: datetime) -> dict[str, Any]:
    account = found.accounts.get(_account_of(secret))
    since = secret.unused_since(found.tracked_since)
    listed = [entry.get("name") for entry in (account or {}).get("secrets") or ()]
    users = found.users(secret.ref)
    return {
        "name": secret.ref.name,
        "namespace": secret.ref.namespace,
        "service_account": secret.account,
        "created_at": rfc3339(secret.created_at),
        "age": secret.age(now),
        "last_used": secret.last_used,
        "unused_since": rfc3339(since) if since else None,
        "unused": since <= now - timedelta(seconds=question.unused_for) if since else None,
        "invalid_since": secret.invalid_since,
        "listed_in_account": secret.ref.name in listed,
        "mounted_by": None if users is None else [_mounting(use) for use in users if use.way == MOUNT],
        "env_used_by": None if users is None else [_named(use) for use in users if use.way == ENV],
        "orphan": account is None or bool(secret.account_uid and secret.account_uid != uid_of(account)),
        "unpopulated": not secret.is_filled,
        "managed_as": found.row_of(secret),
    }


def _named(use: Use) -> dict[str, Any]:
    return {"kind": use.workload.kind.name, "name": use.workload.name}


def _mounting(use: Use) -> dict[str, Any]:
    place = {"volume": use.volume, "mount_path": use.path or None, "containers": list(use.containers)}
    return {**_named(use), **place}


def _summary(found: Found, tokens: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    return {
        "service_accounts": len(found.accounts),
        "legacy_tokens": len(tokens),
        "unused": sum(bool(one["unused"]) for one in tokens),
        "suspended": sum(one["invalid_since"] is not None for one in tokens),
        "listed_in_account": sum(one["listed_in_account"] for one in tokens),
        "in_workloads": sum(bool(one["mounted_by"] or one["env_used_by"]) for one in tokens),
        "orphans": sum(one["orphan"] for one in tokens),
        "unpopulated": sum(one["unpopulated"] for one in tokens),
    }


def _sentence(summary: Mapping[str, int]) -> str:
    wrong = [f"{summary[key]} {word}" for key, word in _WORDS.items() if summary[key]]
    return f"{summary['legacy_tokens']} long-lived tokens" + (f", of these {', '.join(wrong)}" if wrong else "")


_WORDS = {"unused": "unused", "suspended": "suspended", "orphans": "orphaned", "unpopulated": "without a token"}

USE_CASE = UseCase(ARGUMENT_SPEC, run)
