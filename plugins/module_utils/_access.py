# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_access: the proof of what accounts may and may not do, who granted it, and who else may. Changes nothing.

The API server decides (SubjectAccessReview); bindings and roles are read only to say where its answer comes from.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from . import _auth, _bulk, _findings, _names
from ._access_desired import ITEM_OPTIONS, LIST, DesiredAccess
from ._access_entries import ANYWHERE, EVERYWHERE, Entry, entries_of
from ._access_reviews import POLL, AccessReviewer
from ._api import Access, Api, reach
from ._bulk import Items
from ._converge import Snapshot, read
from ._discovery import Discovery
from ._doubts import doubts
from ._durations import seconds
from ._entry import UseCase
from ._errors import ApiError, ForbiddenError, InputError, ProvisionError
from ._findings import RiskPolicy
from ._granting import Identity, Policy, effective_rules, finding, grants, needed_rule, who_can
from ._kinds import Ref
from ._namespaces import namespace_ref
from ._plan import Outcome
from ._policy import Once, read_policy
from ._redact import Secrets
from ._served import Served

# what was to be proven is, or there was nothing but a question
HOLDS, ANSWERED = "holds", "answered"

# so many entries that are not as expected are told in words; all of them are among the verdicts
_MANY = 10

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    "who_can": {"type": "list", "elements": "raw"},
    "wait": {"type": "raw", "default": 5},
    **_bulk.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


@dataclass(frozen=True)
class Verdict:
    """The server's answer to one entry, beside the expected one."""

    entry: Entry
    expected: bool
    access: Access

    @property
    def holds(self) -> bool:
        """Whether it is as expected."""
        return self.access.allowed == self.expected

    def as_dict(self) -> dict[str, Any]:
        """As it is returned; by whom it is granted is not known yet."""
        return {
            "entry": str(self.entry),
            "expected": self.expected,
            "allowed": self.access.allowed,
            "holds": self.holds,
            "denied": self.access.denied,
            "reason": self.access.said,
            "granted_by": None,
        }


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    risks = RiskPolicy.from_params(params)
    patience = seconds(params["wait"], "wait")
    items = _items(params)
    questions = _questions(params)
    api, warnings = reach(params, secrets, risks)
    asked = [*questions, *(entry for item in items.desired for entry in item.table)]
    policy = Once(lambda: read_policy(api, _namespaces(asked, items.desired), params["workers"]))
    answers = [_who_can(policy(), entry) for entry in questions]
    live = _look(api, asked, items.desired, params["workers"])
    warnings += _doubts(api, asked, live, params["workers"])
    deadline = time.monotonic() + patience
    with ThreadPoolExecutor(max_workers=params["workers"]) as pool:
        proof = Proof(AccessReviewer(api), policy, pool, live, deadline)
        outcomes = _bulk.run_all(items.desired, _begin, proof.examine, params)
    told = outcomes if items.bulk or outcomes else [_of_nobody()]
    result = _bulk.as_result(told, api, bulk=items.bulk, check_mode=check_mode, warnings=warnings)
    return _told(result, outcomes, answers if params["who_can"] is not None else None, bulk=items.bulk)


def _items(params: Mapping[str, Any]) -> Items[DesiredAccess]:
    """The accounts; none if the task only asks who can.

    Raises:
        InputError: an item cannot be right, or the task asks nothing.
    """
    is_about_accounts = params[LIST] is not None or params["service_account"] is not None
    if not is_about_accounts and params["who_can"] is not None and params["can"] is params["cannot"] is None:
        _bulk.parse({**params, LIST: []}, ITEM_OPTIONS, LIST, DesiredAccess.from_item, None)
        return Items((), bulk=False)
    items = _bulk.parse(params, ITEM_OPTIONS, LIST, DesiredAccess.from_item, lambda item: item.ref.place)
    given = [params, *(params[LIST] or ())]
    # what is empty proves nothing, and would seem to
    asks = any(one.get(option) for one in given for option in ("can", "cannot", "who_can"))
    if not asks and items.desired and not any(item.effective_rules for item in items.desired):
        raise InputError("nothing is asked", "give can, cannot, who_can or effective_rules")
    return items


def _questions(params: Mapping[str, Any]) -> tuple[Entry, ...]:
    namespace = params["namespace"]
    own = _names.namespace(namespace) if namespace is not None else None
    return entries_of(params["who_can"], "who_can", own)


def _namespaces(entries: Iterable[Entry], desired: Iterable[DesiredAccess]) -> set[str]:
    """All that the task is about; where bindings are looked for by who may not look everywhere."""
    named = {entry.namespace for entry in entries} - {EVERYWHERE, ANYWHERE}
    return named | {item.ref.namespace for item in desired}


def _who_can(policy: Policy, entry: Entry) -> dict[str, Any]:
    """All who may, with the bindings that let them.

    Raises:
        ForbiddenError: not all bindings that may allow it can be read.
    """
    gap = policy.gap(entry.namespace)
    if gap:
        raise gap
    found = who_can(policy, entry)
    return {
        "entry": str(entry),
        "subjects": [
            {
                "kind": subject.kind,
                "namespace": subject.namespace or None,
                "name": subject.name,
                "granted_by": [one.as_dict() for one in held],
            }
            for subject, held in found
        ],
    }


def _look(api: Api, entries: Iterable[Entry], desired: Sequence[DesiredAccess], workers: int) -> Snapshot:
    """The accounts and the namespaces that are named: the server answers for what does not exist as well."""
    namespaces = {entry.namespace for entry in entries} - {EVERYWHERE, ANYWHERE}
    refs = [*(item.ref for item in desired), *map(namespace_ref, sorted(namespaces))]
    return read(api, refs, workers)


def _doubts(api: Api, entries: Sequence[Entry], live: Snapshot, workers: int) -> list[str]:
    """What makes an answer worthless although the server gives it: it refuses what does not exist, typos included."""
    distinct = list(dict.fromkeys(entries))
    absent = [
        f"{str(entry)!r}: namespace {entry.namespace} does not exist, so the answer is worth little; check its name"
        for entry in distinct
        if namespace_ref(entry.namespace) in live and live[namespace_ref(entry.namespace)] is None
    ]
    served = Discovery(api, workers).served() if distinct else None
    return absent if served is None else [*absent, *(text for one in distinct for text in _odd(one, served))]


def _odd(entry: Entry, served: Served) -> list[str]:
    """Whether the request names what is not served, or puts in a namespace what is in none."""
    said = doubts([needed_rule(entry.asked)], served, namespaced=False)
    # a request about a namespace counts as one in it
    is_placed = entry.namespace not in (EVERYWHERE, ANYWHERE) and entry.asked.resource.partition("/")[0] != "namespaces"
    if not said and is_placed and served.is_cluster_scoped(entry.asked):
        said = ["it is in no namespace, so the answer is about nothing: write in all namespaces"]
    return [f"{str(entry)!r}: {text}" for text in said]


def _identity(item: DesiredAccess) -> Identity:
    """The account as the authorizers see it."""
    return Identity.of_account(item.ref.namespace, item.ref.name)


def _begin(item: DesiredAccess) -> Outcome:
    identity = {"service_account": item.ref.name, "namespace": item.ref.namespace}
    return Outcome(identity=identity, title=item.ref.place, reason=HOLDS if item.table else ANSWERED)


def _of_nobody() -> Outcome:
    return Outcome(identity={}, title="", reason=ANSWERED)


@dataclass(frozen=True)
class Proof:
    """What the examination of every account needs.

    Attributes:
        reviewer: asks the server.
        policy: where its answers come from; read when it is first wanted.
        pool: asks for many entries at once.
        live: the accounts, as far as they could be read.
        deadline: until when what is not as expected is asked again.
    """

    reviewer: AccessReviewer
    policy: Once
    pool: ThreadPoolExecutor
    live: Snapshot
    deadline: float

    def examine(self, item: DesiredAccess, outcome: Outcome) -> None:
        """One account.

        Raises:
            ProvisionError: something is not as expected, or could not be found out.
        """
        exists = self._exists(item, outcome)
        verdicts = list(self.pool.map(lambda entry: self._verdict(item, entry), item.table))
        rows = [verdict.as_dict() for verdict in verdicts]
        outcome.returned = {"exists": exists, "verdicts": rows}
        reasons = self._explain(item, verdicts, rows, outcome)
        if item.effective_rules:
            outcome.returned["effective_rules"] = self._effective_rules(item, outcome)
        held = sum(verdict.holds for verdict in verdicts)
        outcome.msg = f"{held} of {len(verdicts)} entries hold" if verdicts else "answered"
        _judge(verdicts, reasons, exists, item.ref)

    def _exists(self, item: DesiredAccess, outcome: Outcome) -> bool | None:
        """Whether there is such an account; None if that is not to be known."""
        try:
            exists = self.live[item.ref] is not None
        except ForbiddenError as error:
            outcome.warn([f"whether {item.ref} exists is not known: {error.hint}"])
            return None
        if not exists and True not in item.table.values():
            outcome.warn([f"{item.ref} does not exist, so it is no wonder that it cannot do things; check its name"])
        return exists

    def _verdict(self, item: DesiredAccess, entry: Entry) -> Verdict:
        """The server's answer, asked for again as long as it may still change by itself."""
        while True:
            verdict = Verdict(entry, item.table[entry], self._answer(_identity(item), entry))
            if self._is_final(item, verdict) or time.monotonic() >= self.deadline:
                return verdict
            time.sleep(POLL)

    def _is_final(self, item: DesiredAccess, verdict: Verdict) -> bool:
        """The authorizer's cache follows what is stored; with a look at that there is no need to believe it."""
        if not verdict.holds or not item.explain or self.policy().gap(verdict.entry.namespace):
            return verdict.holds
        return bool(grants(self.policy(), _identity(item), verdict.entry)) == verdict.access.allowed

    def _answer(self, identity: Identity, entry: Entry) -> Access:
        if entry.namespace != ANYWHERE:
            return self.reviewer.ask(identity, entry)
        gap = self.policy().gap(ANYWHERE)
        if gap:
            raise gap
        # only where a binding names it, RBAC can allow what it does not allow everywhere
        bound = {binding.ref.namespace for binding in self.policy().of(identity)}
        access = Access(allowed=False, denied=False)
        for namespace in sorted({EVERYWHERE, *bound}):
            access = self.reviewer.ask(identity, entry.at(namespace))
            if access.allowed:
                break
        return access

    def _explain(
        self, item: DesiredAccess, verdicts: Sequence[Verdict], rows: Sequence[dict[str, Any]], outcome: Outcome
    ) -> dict[Entry, str]:
        """Fill in who grants what, and say of every entry that is not as expected why."""
        wanted = [one for one in zip(verdicts, rows, strict=True) if item.explain or not one[0].holds]
        policy = self._policy_for(item, outcome) if wanted else None
        if policy is None:
            return {verdict.entry: verdict.access.said for verdict, dummy in wanted}
        explained = []
        for verdict, row in wanted:
            row["granted_by"] = [one.as_dict() for one in grants(policy, _identity(item), verdict.entry)]
            explained.append(_explained(policy, _identity(item), verdict))
        outcome.returned["explain"] = explained
        return {verdict.entry: one["evidence"] for (verdict, dummy), one in zip(wanted, explained, strict=True)}

    def _policy_for(self, item: DesiredAccess, outcome: Outcome) -> Policy | None:
        """The policy; a deviation is told also when there is no finding out why."""
        try:
            return self.policy()
        except ProvisionError as error:
            if item.explain:
                raise
            outcome.warn([f"why it is so could not be found out: {error}"])
            return None

    def _effective_rules(self, item: DesiredAccess, outcome: Outcome) -> list[dict[str, Any]]:
        gap = self.policy().gap(ANYWHERE)
        if gap:
            outcome.warn([f"effective_rules of {item.ref.place} may not be all, because {gap.what} ({gap.hint})"])
        return effective_rules(self.policy(), _identity(item))


def _explained(policy: Policy, identity: Identity, verdict: Verdict) -> dict[str, Any]:
    access = verdict.access
    found = finding(policy, identity, verdict.entry, allowed=access.allowed, said=access.said)
    return {
        "entry": str(verdict.entry),
        "allowed": access.allowed,
        "cause": found.cause,
        "evidence": found.evidence,
        "missing_rule": None if access.allowed else needed_rule(verdict.entry.asked),
    }


def _judge(verdicts: Sequence[Verdict], reasons: Mapping[Entry, str], exists: bool | None, ref: Ref) -> None:
    """Fail, with everything in one message, if the table does not hold.

    Raises:
        ApiError: it does not.
    """
    found = [_deviation(verdict, reasons[verdict.entry]) for verdict in verdicts if not verdict.holds]
    # bindings outlive accounts, and the server answers for names
    if exists is False and any(verdict.expected for verdict in verdicts):
        what = "; ".join(["does not exist", *found])
        raise ApiError(f"{ref} {what}", code="account_missing", hint="make it (k8s_sa), or correct its name")
    if found:
        left_out = [f"and {len(found) - _MANY} more"] if len(found) > _MANY else []
        raise ApiError(
            "; ".join([*found[:_MANY], *left_out]),
            code="access_deviates",
            hint="change the grants (k8s_sa_binding) or the list of entries",
        )


def _deviation(verdict: Verdict, why: str) -> str:
    may = "may" if verdict.access.allowed else "may not"
    return f"{may} {verdict.entry}{f' ({why})' if why else ''}"


def _told(
    result: dict[str, Any], outcomes: Sequence[Outcome], answers: list[dict[str, Any]] | None, *, bulk: bool
) -> dict[str, Any]:
    """The shared result in the words of a proof: nothing was, or could have been, changed."""
    del result["diff"]
    if answers is not None:
        result["who_can"] = answers
    if not bulk:
        count = len(answers or ())
        answered = f"{count} question{'' if count == 1 else 's'} answered"
        return {**result, "msg": f"{outcomes[0].title}: {result['msg']}" if outcomes else answered}
    if result.get("failed"):
        return result
    is_proof = any(outcome.returned["verdicts"] for outcome in outcomes)
    count = len(outcomes)
    sentence = f"{count} of {count} accounts are as expected" if outcomes else "the list is empty: nothing was asked"
    return {**result, "reason": HOLDS if is_proof else ANSWERED, "msg": sentence}


USE_CASE = UseCase(ARGUMENT_SPEC, run)
