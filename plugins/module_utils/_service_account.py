# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa: ServiceAccounts, declared. Nothing is touched that was not given, and nothing is recreated to change it.

Source: Kubernetes API, ServiceAccount v1. imagePullSecrets is an atomic list and secrets belongs to controllers, so an
account is written by a conditional merge patch of the given fields, never replaced.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _auth, _bulk, _findings, _names, _sets
from ._api import Api, reach
from ._converge import Snapshot, converge, read
from ._durations import instant
from ._entry import UseCase
from ._errors import ApiError, ForbiddenError, InputError
from ._findings import RiskPolicy
from ._kinds import SECRET, SERVICE_ACCOUNT, Object, Ref, skeleton, uid_of
from ._namespaces import coming_notes, is_terminating, namespace_ref
from ._plan import Live, Outcome, Plan, Write, merge_patch, shown
from ._redact import Secrets

LIST = "accounts"

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "automount": {"type": "bool"},
    "image_pull_secrets": {"type": "list", "elements": "str", "no_log": False},
    "image_pull_secrets_mode": {"type": "str", "choices": ["append", "exact"], "default": "append", "no_log": False},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "create_namespace": {"type": "bool", "default": False},
    "expires_at": {"type": "str"},
    "recreate_if_uid": {"type": "str"},
}

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **_bulk.ARGUMENT_SPEC,
    **_bulk.BRIEF_OPTION,
    **_sets.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


@dataclass(frozen=True)
class DesiredAccount:
    """One account as declared; None means: leave alone."""

    ref: Ref
    present: bool
    automount: bool | None
    pull_secrets: tuple[str, ...] | None
    pull_secrets_exact: bool
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None]
    create_namespace: bool
    expires_at: datetime | None
    recreate_if_uid: str | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any], set_name: str | None) -> DesiredAccount:
        """Check one merged item."""
        expires_at = instant(item["expires_at"], "expires_at") if item["expires_at"] else None
        return cls(
            ref=Ref(SERVICE_ACCOUNT, _names.namespace(item["namespace"]), _names.object_name(item["name"])),
            present=item["state"] == "present",
            automount=item["automount"],
            pull_secrets=_pull_secrets(item["image_pull_secrets"]),
            pull_secrets_exact=item["image_pull_secrets_mode"] == "exact",
            labels={**_names.label_values(item["labels"] or {}), **_sets.label(set_name)},
            annotations={**_names.annotation_values(item["annotations"] or {}), **_sets.expiry_annotation(expires_at)},
            create_namespace=item["create_namespace"],
            expires_at=expires_at,
            recreate_if_uid=_names.uid(item["recreate_if_uid"], "recreate_if_uid") if item["recreate_if_uid"] else None,
        )

    @property
    def namespace_ref(self) -> Ref:
        """The account's namespace."""
        return namespace_ref(self.ref.namespace)

    def is_wanted(self, now: datetime) -> bool:
        """Whether it should exist at that instant (an expired account is an absent one)."""
        return self.present and (self.expires_at is None or now < self.expires_at)

    def is_recreating(self, account: Object | None) -> bool:
        """Whether this is the very account that is to be made anew."""
        return self.present and bool(self.recreate_if_uid) and self.recreate_if_uid == uid_of(account)


def _pull_secrets(names: Sequence[str] | None) -> tuple[str, ...] | None:
    if names is None:
        return None
    return tuple(dict.fromkeys(_names.object_name(name, "image_pull_secrets") for name in names))


def plan(desired: DesiredAccount, live: Live, *, now: datetime, check_mode: bool) -> Plan:
    """The writes that bring one account to its desired state.

    Args:
        desired: the account as declared.
        live: the account, and its namespace if that was read.
        now: the server's time.
        check_mode: a missing namespace is then one that an earlier task would have made.

    Raises:
        ApiError: the account or its namespace is being deleted.
        InputError: it cannot be recreated safely.
    """
    account = live[desired.ref]
    if not desired.is_wanted(now):
        reason = "unwanted" if not desired.present else "expired"
        deletable = account is not None and not is_terminating(account)
        return Plan((Write("delete", desired.ref, reason, uid=uid_of(account)),)) if deletable else Plan()
    if account is None:
        return _creation(desired, live, check_mode=check_mode)
    if is_terminating(account):
        raise ApiError(
            f"{desired.ref} is being deleted", code="terminating", hint="wait until it is gone and run again"
        )
    if desired.is_recreating(account):
        return _recreation(desired, account)
    patch = _patch(desired, account)
    if not patch:
        return Plan()
    reason = _reason(patch)
    patch.setdefault("metadata", {})["resourceVersion"] = account["metadata"]["resourceVersion"]
    return Plan((Write("patch", desired.ref, reason, patch),))


def _creation(desired: DesiredAccount, live: Live, *, check_mode: bool) -> Plan:
    writes: list[Write] = []
    notes: list[str] = []
    if desired.create_namespace and desired.namespace_ref in live and live[desired.namespace_ref] is None:
        writes.append(Write("create", desired.namespace_ref, "missing", skeleton(desired.namespace_ref)))
    else:
        notes = coming_notes(desired.ref, live, check_mode=check_mode)
    writes.append(Write("create", desired.ref, "missing", _new(desired, {})))
    return Plan(tuple(writes), tuple(notes))


def _recreation(desired: DesiredAccount, account: Object) -> Plan:
    finalizers = account["metadata"].get("finalizers")
    if finalizers:
        raise InputError(
            f"recreate_if_uid: {desired.ref} has finalizers ({', '.join(finalizers)}) and would not go away at once",
            "remove them first",
        )
    note = f"{desired.ref} gets a new uid: every token of it is void; Pods that run under it need a restart"
    return Plan(
        (
            Write("delete", desired.ref, "recreate_requested", uid=uid_of(account)),
            Write("create", desired.ref, "recreate_requested", _new(desired, account)),
        ),
        (note,),
    )


_CARRIED = ("labels", "annotations", "ownerReferences")


def _new(desired: DesiredAccount, old: Object) -> Object:
    """A new account: what the old one had (for a recreation), then what is declared."""
    account = skeleton(desired.ref)
    account["metadata"] |= {key: old["metadata"][key] for key in _CARRIED if old.get("metadata", {}).get(key)}
    account |= {key: old[key] for key in ("automountServiceAccountToken", "imagePullSecrets") if key in old}
    return merge_patch(account, _patch(desired, account))


def _patch(desired: DesiredAccount, account: Object) -> Object:
    """The merge patch that changes what differs; empty when nothing does."""
    patch: Object = {}
    metadata = account["metadata"]
    for field, wanted in (("labels", desired.labels), ("annotations", desired.annotations)):
        changes = _changed_keys(wanted, metadata.get(field) or {})
        if changes:
            patch.setdefault("metadata", {})[field] = changes
    if desired.automount is not None and account.get("automountServiceAccountToken") != desired.automount:
        patch["automountServiceAccountToken"] = desired.automount
    if desired.pull_secrets is not None:
        current = [entry["name"] for entry in account.get("imagePullSecrets") or [] if entry.get("name")]
        wanted_names = _wanted_pull_secrets(desired, current)
        if set(wanted_names) != set(current):
            patch["imagePullSecrets"] = [{"name": name} for name in wanted_names]
    return patch


def _wanted_pull_secrets(desired: DesiredAccount, current: Sequence[str]) -> list[str]:
    """Existing ones first, in the server's order."""
    declared = desired.pull_secrets or ()
    kept = [name for name in current if name in declared or not desired.pull_secrets_exact]
    return [*kept, *(name for name in declared if name not in kept)]


def _changed_keys(wanted: Mapping[str, str | None], current: Mapping[str, str]) -> dict[str, str | None]:
    return {key: value for key, value in wanted.items() if current.get(key) != value}


# in the order in which a difference names the reason
_REASONS = (
    ("automountServiceAccountToken", "automount_changed"),
    ("imagePullSecrets", "image_pull_secrets_changed"),
    ("metadata", "metadata_changed"),
)


def _reason(patch: Object) -> str:
    return next(reason for key, reason in _REASONS if key in patch)


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    set_name = _sets.check(params, LIST)
    risks = RiskPolicy.from_params(params)
    items = _bulk.parse(
        params,
        ITEM_OPTIONS,
        LIST,
        lambda item: DesiredAccount.from_item(item, set_name),
        lambda desired: desired.ref.place,
    )
    api, warnings = reach(params, secrets, risks)
    live = read(api, [item.ref for item in items.desired], params["workers"])
    _read_namespaces(api, items.desired, live, params["workers"], check_mode=check_mode)

    def work(item: DesiredAccount, outcome: Outcome) -> None:
        _reconcile(api, item, live, outcome, check_mode=check_mode)

    outcomes = _in_two_waves(items.desired, live, work, params)
    keep = [item.ref for item in items.desired]
    members, namespaces = _sets.all_but([SERVICE_ACCOUNT], keep), [ref.namespace for ref in keep]
    pruned = _sets.prune(api, params, members, namespaces, outcomes, check_mode=check_mode)
    if items.bulk and params["brief_outcomes"]:
        _bulk.shorten(outcomes)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, pruned=pruned, warnings=warnings)


def _read_namespaces(
    api: Api, desired: Sequence[DesiredAccount], live: Snapshot, workers: int, *, check_mode: bool
) -> None:
    """Namespaces matter only where an account is to be created, and where one may be made or must be predicted."""
    missing = [
        item
        for item in desired
        if item.ref in live and live[item.ref] is None and (item.create_namespace or check_mode)
    ]
    namespaces = read(api, [item.namespace_ref for item in missing if item.is_wanted(api.connection.now())], workers)
    live.update(namespaces)
    for item in missing:
        error = namespaces.errors.get(item.namespace_ref)
        # without the right to look, a namespace counts as existing unless we were asked to make it
        if error and item.create_namespace:
            live.errors[item.ref] = error
            live.pop(item.ref, None)


def _in_two_waves(
    desired: Sequence[DesiredAccount], live: Snapshot, work: Any, params: Mapping[str, Any]
) -> list[Outcome]:
    """Whoever makes a namespace goes first, so that it is made once and the others find it."""
    makers: dict[Ref, DesiredAccount] = {}
    for item in desired:
        if item.create_namespace and item.namespace_ref in live and live[item.namespace_ref] is None:
            makers.setdefault(item.namespace_ref, item)
    first = list(makers.values())
    done = dict(zip([item.ref for item in first], _bulk.run_all(first, _begin, work, params), strict=True))
    for ref in makers:
        live[ref] = skeleton(ref)
    rest = [item for item in desired if item.ref not in done]
    done |= zip([item.ref for item in rest], _bulk.run_all(rest, _begin, work, params), strict=True)
    return [done[item.ref] for item in desired]


def _begin(item: DesiredAccount) -> Outcome:
    return Outcome(identity={"name": item.ref.name, "namespace": item.ref.namespace}, title=item.ref.place)


def _reconcile(api: Api, item: DesiredAccount, live: Snapshot, outcome: Outcome, *, check_mode: bool) -> None:
    going = _legacy_token_warning(api, item.ref, live[item.ref]) if item.is_recreating(live[item.ref]) else []
    refs = [ref for ref in (item.namespace_ref, item.ref) if ref in live or ref == item.ref]

    def planned(state: Live) -> Plan:
        return plan(item, state, now=api.connection.now(), check_mode=check_mode)

    state = converge(api, outcome, refs, live, planned, check_mode=check_mode)
    outcome.warnings += going
    outcome.returned["service_account"] = shown(state[item.ref])
    outcome.msg = _sentence(item, outcome, check_mode=check_mode)


def _legacy_token_warning(api: Api, ref: Ref, account: Object | None) -> list[str]:
    """Recreating an account makes the token controller delete its long-lived token Secrets."""
    try:
        found = api.list_all(SECRET, ref.namespace, fields="type=kubernetes.io/service-account-token", metadata=True)
    except ForbiddenError:
        return []
    uid = uid_of(account)
    names = [
        secret["metadata"]["name"]
        for secret in found
        if (secret["metadata"].get("annotations") or {}).get("kubernetes.io/service-account.uid") == uid
    ]
    return [f"long-lived token Secrets of {ref} go with its old uid: {', '.join(sorted(names))}"] if names else []


_DONE = {"create": "created", "patch": "updated", "delete": "deleted"}


def _sentence(item: DesiredAccount, outcome: Outcome, *, check_mode: bool) -> str:
    if not outcome.changed:
        account = outcome.returned["service_account"]
        state = "being deleted" if account and is_terminating(account) else "up to date"
        return f"{item.ref} is {state if account else 'absent'}"
    verb = _DONE[str(outcome.actions[-1]["verb"])] if outcome.reason != "recreate_requested" else "recreated"
    return f"{item.ref} {'would be' if check_mode else 'is'} {verb} ({outcome.reason})"


USE_CASE = UseCase(ARGUMENT_SPEC, run)
