# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_binding: a grant. A role, existing or made from rules, bound to subjects, in one namespace or cluster-wide.

Source: Kubernetes API, rbac.authorization.k8s.io/v1. All lists are atomic there, so objects are read, changed and
    replaced under their resourceVersion; roleRef cannot be changed.
"""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _auth, _bulk, _findings, _names, _sets
from ._api import Api, connect
from ._auth import ConnectionOptions
from ._converge import Snapshot, converge, read
from ._durations import instant
from ._entry import UseCase
from ._errors import ApiError, ForbiddenError, InputError
from ._findings import RiskPolicy, transport_findings
from ._kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, RBAC_GROUP, ROLE, ROLE_BINDING, Object, Ref, skeleton, uid_of
from ._namespaces import coming_notes, is_terminating, namespace_ref
from ._plan import Live, Outcome, Plan, Write, shown
from ._rbac import (
    RULE_OPTIONS,
    SUBJECT_OPTIONS,
    Subject,
    as_rules,
    rules_from_options,
    subjects_from_options,
    uncovered,
)
from ._redact import Secrets

LIST = "bindings"

# on a role we made: the name of the binding it was made for, so that absent may delete it
MADE_FOR = "tokenwright/made-for"

BOOTSTRAP_LABEL = "kubernetes.io/bootstrapping"

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "cluster_wide": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "role": {"type": "str"},
    "cluster_role": {"type": "str"},
    "rules": {"type": "list", "elements": "dict", "options": RULE_OPTIONS},
    "role_name": {"type": "str"},
    "service_accounts": {"type": "list", "elements": "str"},
    "subjects": {"type": "list", "elements": "dict", "options": SUBJECT_OPTIONS},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "expires_at": {"type": "str"},
}

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **_bulk.ARGUMENT_SPEC,
    **_sets.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


@dataclass(frozen=True)
class DesiredGrant:
    """One grant as declared.

    Attributes:
        ref: the binding.
        role_ref: the role it refers to; None when only a name was given to delete.
        rules: the role's rules in the API's form; None when an existing role is used.
        subjects: None when only the role is managed.
    """

    ref: Ref
    present: bool
    role_ref: Ref | None
    rules: tuple[Mapping[str, Sequence[str]], ...] | None
    subjects: tuple[Subject, ...] | None
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None]
    expires_at: datetime | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any], set_name: str | None) -> DesiredGrant:
        """Check one merged item."""
        ref = _binding_ref(item)
        expires_at = instant(item["expires_at"], "expires_at") if item["expires_at"] else None
        present = item["state"] == "present"
        rules = None
        if item["rules"] is not None:
            rules = tuple(rules_from_options(item["rules"], cluster_wide=not ref.namespace))
        grant = cls(
            ref=ref,
            present=present,
            role_ref=_role_ref(item, ref, present=present),
            rules=rules,
            subjects=subjects_from_options(item["service_accounts"], item["subjects"], ref.namespace),
            labels={**_names.label_values(item["labels"] or {}), **_sets.label(set_name)},
            annotations={**_names.annotation_values(item["annotations"] or {}), **_sets.expiry_annotation(expires_at)},
            expires_at=expires_at,
        )
        if present and rules is None and grant.subjects is None:
            raise InputError(
                f"{ref.place}: without subjects there is nothing to do", "give service_accounts, subjects or rules"
            )
        return grant

    def is_wanted(self, now: datetime) -> bool:
        """Whether it should exist at that instant (an expired grant is an absent one)."""
        return self.present and (self.expires_at is None or now < self.expires_at)


def _binding_ref(item: Mapping[str, Any]) -> Ref:
    name = _names.rbac_name(item["name"])
    if item["cluster_wide"] and item["namespace"] is not None:
        raise InputError(f"{name}: namespace and cluster_wide exclude each other", "say one of the two")
    if item["cluster_wide"]:
        return Ref(CLUSTER_ROLE_BINDING, "", name)
    if item["namespace"] is None:
        raise InputError(
            f"{name}: neither namespace nor cluster_wide is given",
            "name the namespace, or say cluster_wide: true to grant in the whole cluster",
        )
    return Ref(ROLE_BINDING, _names.namespace(item["namespace"]), name)


def _role_ref(item: Mapping[str, Any], ref: Ref, *, present: bool) -> Ref | None:
    given = [option for option in ("role", "cluster_role", "rules") if item[option] is not None]
    if len(given) > 1:
        raise InputError(
            f"{ref.place}: {' and '.join(given)} exclude each other", "say one of role, cluster_role and rules"
        )
    if item["role_name"] is not None and given not in (["rules"], []):
        raise InputError(f"{ref.place}: role_name names a role made from rules", f"leave it out with {given[0]}")
    made = Ref(
        ROLE if ref.namespace else CLUSTER_ROLE,
        ref.namespace,
        _names.rbac_name(item["role_name"] or ref.name, "role_name"),
    )
    if not given:
        if present:
            raise InputError(f"{ref.place}: no role is given", "say one of role, cluster_role and rules")
        return made
    if given == ["role"]:
        if not ref.namespace:
            raise InputError(f"{ref.place}: a Role cannot be granted cluster-wide", "use cluster_role or rules")
        return Ref(ROLE, ref.namespace, _names.rbac_name(item["role"], "role"))
    if given == ["cluster_role"]:
        return Ref(CLUSTER_ROLE, "", _names.rbac_name(item["cluster_role"], "cluster_role"))
    return made


@dataclass(frozen=True)
class Difference:
    """What the live objects lack and have too much, before anything is written."""

    missing_rules: list[dict[str, list[str]]]
    extra_rules: list[dict[str, list[str]]]
    missing_subjects: list[Object]
    extra_subjects: list[Object]


def difference(desired: DesiredGrant, live: Live) -> Difference:
    """Compare by what is granted and to whom, not by how it is written."""
    role = live.get(desired.role_ref) if desired.role_ref else None
    binding = live[desired.ref]
    rules = desired.rules if desired.rules is not None else ()
    live_rules = (role or {}).get("rules") or () if desired.rules is not None else ()
    wanted = set(desired.subjects or ())
    present = set(_live_subjects(desired.ref, binding)) if desired.subjects is not None else set()
    return Difference(
        missing_rules=as_rules(uncovered(live_rules, rules)),
        extra_rules=as_rules(uncovered(rules, live_rules)),
        missing_subjects=[subject.to_api() for subject in sorted(wanted - present)],
        extra_subjects=[subject.to_api() for subject in sorted(present - wanted)],
    )


def _live_subjects(ref: Ref, binding: Object | None) -> list[Subject]:
    return [Subject.from_api(subject, ref.namespace) for subject in (binding or {}).get("subjects") or ()]


def plan(
    desired: DesiredGrant, live: Live, *, now: datetime, check_mode: bool, removable_role: Ref | None = None
) -> Plan:
    """The writes that bring one grant to its desired state: the role first, then who holds it.

    Args:
        desired: the grant as declared.
        live: binding, role if the caller may read it, and the namespace if that was read.
        now: the server's time.
        check_mode: what is missing may then be what an earlier task would have made.
        removable_role: a role of ours that nothing else refers to.

    Raises:
        ApiError: a role is missing, or something is being deleted.
        InputError: an object may not be changed.
    """
    if not desired.is_wanted(now):
        return _removal(desired, live, removable_role)
    notes = []
    writes: list[Write] = []
    if desired.rules is not None and desired.role_ref:
        writes += _role_writes(desired, desired.role_ref, live)
    elif desired.role_ref and desired.role_ref in live and _is_gone(desired.role_ref, live):
        notes += _missing_role(desired, check_mode=check_mode)
    if desired.subjects is not None:
        writes += _binding_writes(desired, live)
    if any(write.verb == "create" for write in writes):
        notes += coming_notes(desired.ref, live, check_mode=check_mode)
    return Plan(tuple(writes), tuple(notes))


def _removal(desired: DesiredGrant, live: Live, removable_role: Ref | None) -> Plan:
    reason = "expired" if desired.present else "unwanted"
    refs = [desired.ref, *([removable_role] if removable_role else [])]
    doomed = [(ref, obj) for ref in refs if (obj := live.get(ref)) and not is_terminating(obj)]
    for ref, obj in doomed:
        _refuse_bootstrap(ref, obj)
    return Plan(tuple(Write("delete", ref, reason, uid=uid_of(obj)) for ref, obj in doomed))


def _missing_role(desired: DesiredGrant, *, check_mode: bool) -> list[str]:
    text = f"{desired.role_ref} does not exist"
    if check_mode:
        return [f"{text} yet: it must be there when {desired.ref} is made"]
    raise ApiError(
        f"cannot grant {desired.ref}: {text}",
        code="missing_role",
        hint="create it first, correct the name, or give rules",
    )


def _is_gone(ref: Ref, live: Live) -> bool:
    role = live[ref]
    if role is not None:
        _refuse_terminating(ref, role)
    return role is None


def _refuse_terminating(ref: Ref, obj: Object) -> None:
    if is_terminating(obj):
        raise ApiError(f"{ref} is being deleted", code="terminating", hint="wait until it is gone and run again")


def _role_writes(desired: DesiredGrant, role_ref: Ref, live: Live) -> list[Write]:
    role = live[role_ref]
    rules = [dict(rule) for rule in desired.rules or ()]
    if role is None:
        body = _declared(desired, skeleton(role_ref) | {"rules": rules})
        body["metadata"].setdefault("annotations", {})[MADE_FOR] = desired.ref.name
        return [Write("create", role_ref, "missing", body)]
    _refuse_terminating(role_ref, role)
    if role.get("aggregationRule"):
        raise InputError(
            f"{role_ref} is aggregated: its rules are the control plane's", "give rules to one of the roles it collects"
        )
    change = difference(desired, live)
    rules_differ = bool(change.missing_rules or change.extra_rules)
    body = _declared(desired, {**copy.deepcopy(role), **({"rules": rules} if rules_differ else {})})
    return _update(role_ref, role, body, "rules_changed" if rules_differ else "metadata_changed")


def _binding_writes(desired: DesiredGrant, live: Live) -> list[Write]:
    binding = live[desired.ref]
    role_ref = desired.role_ref
    if role_ref is None:
        return []
    api_ref = {"apiGroup": RBAC_GROUP, "kind": role_ref.kind.name, "name": role_ref.name}
    if binding is None:
        subjects = [subject.to_api() for subject in desired.subjects or ()]
        body = skeleton(desired.ref) | {"roleRef": api_ref, "subjects": subjects}
        return [Write("create", desired.ref, "missing", _declared(desired, body))]
    _refuse_terminating(desired.ref, binding)
    _refuse_other_role(desired.ref, binding["roleRef"], api_ref)
    subjects = _kept_and_added(desired, binding)
    differ = subjects != (binding.get("subjects") or [])
    body = _declared(desired, {**copy.deepcopy(binding), **({"subjects": subjects} if differ else {})})
    return _update(desired.ref, binding, body, "subjects_changed" if differ else "metadata_changed")


def _refuse_other_role(ref: Ref, current: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    if (current["kind"], current["name"]) != (wanted["kind"], wanted["name"]):
        raise InputError(
            f"{ref} refers to {current['kind']} {current['name']}, not to {wanted['kind']} {wanted['name']}, "
            "and Kubernetes does not let a binding change its role",
            "give the new grant another name and remove this one, or delete this one first (state: absent)",
            code="role_changed",
        )


def _kept_and_added(desired: DesiredGrant, binding: Object) -> list[Object]:
    """The live subjects that are wanted, as the server wrote them and in its order, then the new ones."""
    wanted = list(desired.subjects or ())
    kept: list[Object] = []
    for live_subject in binding.get("subjects") or ():
        subject = Subject.from_api(live_subject, desired.ref.namespace)
        if subject in wanted:
            wanted.remove(subject)
            kept.append(live_subject)
        elif subject in (desired.subjects or ()):
            kept.append(live_subject)  # a duplicate: harmless, and no reason to write
    return kept + [subject.to_api() for subject in wanted]


def _declared(desired: DesiredGrant, obj: Object) -> Object:
    """The object with the declared labels and annotations merged in."""
    for field, wanted in (("labels", desired.labels), ("annotations", desired.annotations)):
        merged = {**(obj["metadata"].get(field) or {}), **wanted}
        values = {key: value for key, value in merged.items() if value is not None}
        if values or field in obj["metadata"]:
            obj["metadata"][field] = values
    return obj


def _update(ref: Ref, live: Object, body: Object, reason: str) -> list[Write]:
    if body == live:
        return []
    _refuse_bootstrap(ref, live)
    return [Write("update", ref, reason, body)]


def _refuse_bootstrap(ref: Ref, obj: Object) -> None:
    if (obj["metadata"].get("labels") or {}).get(BOOTSTRAP_LABEL):
        raise InputError(
            f"{ref} belongs to Kubernetes itself and is restored by the API server",
            "make a role or binding of your own",
        )


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    set_name = _sets.check(params, LIST)
    risks = RiskPolicy.from_params(params)
    items = _bulk.parse(
        params,
        ITEM_OPTIONS,
        LIST,
        lambda item: DesiredGrant.from_item(item, set_name),
        lambda desired: str(desired.ref),
    )
    refuse_shared_roles(items.desired)
    api = connect(ConnectionOptions.from_params(params), secrets, pool_size=params["workers"])
    warnings = risks.judge(transport_findings(api.connection.endpoint.server, verified=api.connection.endpoint.verify))
    live = read(api, [ref for item in items.desired for ref in _refs(item)], params["workers"])
    if check_mode:
        _read_namespaces(api, items.desired, live, params["workers"])

    def work(item: DesiredGrant, outcome: Outcome) -> None:
        _reconcile(api, item, live, outcome, check_mode=check_mode)

    outcomes = _bulk.run_all(items.desired, _begin, work, params)
    keep = [ref for item in items.desired for ref in _refs(item)]
    # a binding goes before the role it refers to
    members = _sets.all_but([ROLE_BINDING, CLUSTER_ROLE_BINDING, ROLE, CLUSTER_ROLE], keep)
    namespaces = [ref.namespace for ref in keep]
    pruned = _sets.prune(api, params, members, namespaces, outcomes, check_mode=check_mode)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, pruned=pruned, warnings=warnings)


def refuse_shared_roles(desired: Sequence[DesiredGrant]) -> None:
    """Two items that write the same role would undo each other on every run.

    Raises:
        InputError: two do.
    """
    made = Counter(item.role_ref for item in desired if item.rules is not None and item.present)
    for ref, count in made.items():
        if count > 1:
            raise InputError(
                f"{LIST}: {count} entries make {ref}", "give each its own role_name, or let the others use role"
            )


def _refs(item: DesiredGrant) -> list[Ref]:
    return [item.role_ref, item.ref] if item.role_ref else [item.ref]


def _read_namespaces(api: Api, desired: Sequence[DesiredGrant], live: Snapshot, workers: int) -> None:
    """To predict what the server would say of a namespace that is missing or going."""
    creating = [item for item in desired if item.ref.namespace and item.ref in live and live[item.ref] is None]
    live.update(read(api, [namespace_ref(item.ref.namespace) for item in creating], workers))


def _begin(item: DesiredGrant) -> Outcome:
    return Outcome(identity={"name": item.ref.name, "namespace": item.ref.namespace or None}, title=item.ref.place)


def _reconcile(api: Api, item: DesiredGrant, live: Snapshot, outcome: Outcome, *, check_mode: bool) -> None:
    removable_role = None
    if not item.is_wanted(api.connection.now()):
        removable_role = _removable_role(api, item, live)
    change = difference(item, live)
    refs = _known_refs(item, live, removable_role)

    def planned(state: Live) -> Plan:
        return plan(item, state, now=api.connection.now(), check_mode=check_mode, removable_role=removable_role)

    state = converge(api, outcome, refs, live, planned, check_mode=check_mode)
    # a role that is only referred to is not ours to show, and may have hundreds of rules
    role = state.get(item.role_ref) if item.role_ref and item.rules is not None else None
    outcome.returned = {"role": shown(role), "binding": shown(state[item.ref]), **vars(change)}
    outcome.msg = _sentence(item, outcome, check_mode=check_mode)


def _known_refs(item: DesiredGrant, live: Snapshot, removable_role: Ref | None) -> list[Ref]:
    """The objects to plan over: all that were read, and those without which there is no plan."""
    needed = {item.ref, item.role_ref} if item.rules is not None else {item.ref}
    wanted = [namespace_ref(item.ref.namespace), removable_role, item.role_ref, item.ref]
    return [ref for ref in dict.fromkeys(wanted) if ref and (ref in live or ref in needed)]


def _removable_role(api: Api, item: DesiredGrant, live: Snapshot) -> Ref | None:
    """The role that goes with the binding: one we made for it and that no other binding refers to."""
    binding = live[item.ref]
    ref = item.role_ref
    if binding:
        kind = ROLE if binding["roleRef"]["kind"] == ROLE.name else CLUSTER_ROLE
        ref = Ref(kind, item.ref.namespace if kind is ROLE else "", str(binding["roleRef"]["name"]))
    if ref is None:
        return None
    if ref not in live:
        live.update(read(api, [ref], 1))
    role = live.get(ref)
    if role is None or (role["metadata"].get("annotations") or {}).get(MADE_FOR) != item.ref.name:
        return None
    return ref if _is_unreferenced(api, ref, item.ref) else None


def _is_unreferenced(api: Api, role: Ref, binding: Ref) -> bool:
    kinds = [(ROLE_BINDING, role.namespace)] if role.namespace else [(ROLE_BINDING, ""), (CLUSTER_ROLE_BINDING, "")]
    try:
        found = [(kind, obj) for kind, namespace in kinds for obj in api.list_all(kind, namespace)]
    except ForbiddenError:
        return False
    return not any(
        (obj["roleRef"]["kind"], obj["roleRef"]["name"]) == (role.kind.name, role.name)
        and (kind, obj["metadata"].get("namespace") or "", obj["metadata"]["name"])
        != (binding.kind, binding.namespace, binding.name)
        for kind, obj in found
    )


def _sentence(item: DesiredGrant, outcome: Outcome, *, check_mode: bool) -> str:
    if not outcome.changed:
        return f"{item.ref} is {'up to date' if outcome.returned['binding'] or outcome.returned['role'] else 'absent'}"
    done = {"create": "created", "update": "updated", "delete": "deleted"}
    written = ", ".join(f"{entry['kind']} {entry['name']} {done[str(entry['verb'])]}" for entry in outcome.actions)
    return f"{'would be: ' if check_mode else ''}{written} ({outcome.reason})"


USE_CASE = UseCase(ARGUMENT_SPEC, run)
