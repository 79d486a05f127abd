# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_binding: a grant. A role, existing or made from rules, bound to subjects, in one namespace or cluster-wide.

Source: Kubernetes API, rbac.authorization.k8s.io/v1. All lists are atomic there, so objects are read, changed and
    replaced under their resourceVersion; roleRef cannot be changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from threading import Lock
from typing import Any

from . import _auth, _bulk, _findings, _sets
from ._api import Api, reach
from ._converge import Snapshot, converge, read
from ._discovery import Discovery
from ._doubts import doubts
from ._entry import UseCase
from ._errors import ForbiddenError, name_bindable
from ._findings import RiskPolicy
from ._grant_desired import ITEM_OPTIONS, LIST, OVERLAP, DesiredGrant, refuse_shared_roles
from ._grant_difference import difference, new_rules, only_differing
from ._grant_plan import MADE_FOR, overlap_ref, plan
from ._grant_risks import risks_of_declared
from ._kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Ref
from ._namespaces import namespace_ref
from ._plan import Live, Outcome, Plan, shown
from ._redact import Secrets

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **_bulk.ARGUMENT_SPEC,
    **_bulk.BRIEF_OPTION,
    **_sets.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


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
    api, warnings = reach(params, secrets, risks)
    live = read(api, [ref for item in items.desired for ref in _refs(item)], params["workers"])
    if check_mode:
        _read_namespaces(api, items.desired, live, params["workers"])

    granter = Granter(api, live, risks, Discovery(api, params["workers"]), check_mode=check_mode)
    outcomes = _bulk.run_all(items.desired, _begin, granter.work, params)
    keep = [ref for item in items.desired for ref in _written(item)]
    # a binding goes before the role it refers to
    kinds = [ROLE_BINDING, CLUSTER_ROLE_BINDING, ROLE, CLUSTER_ROLE]
    members = _sets.all_but(kinds, keep, cluster_wide=any(not item.ref.namespace for item in items.desired))
    namespaces = [ref.namespace for ref in keep]
    pruned = _sets.prune(api, params, members, namespaces, outcomes, check_mode=check_mode)
    if items.bulk and params["brief_outcomes"]:
        _bulk.shorten(outcomes)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, pruned=pruned, warnings=warnings)


def _refs(item: DesiredGrant) -> list[Ref]:
    return [*_written(item), *([overlap_ref(item.ref)] if item.on_role_change == OVERLAP else [])]


def _written(item: DesiredGrant) -> list[Ref]:
    return [item.role_ref, item.ref] if item.role_ref else [item.ref]


def _read_namespaces(api: Api, desired: Sequence[DesiredGrant], live: Snapshot, workers: int) -> None:
    """To predict what the server would say of a namespace that is missing or going."""
    creating = [item for item in desired if item.ref.namespace and item.ref in live and live[item.ref] is None]
    live.update(read(api, [namespace_ref(item.ref.namespace) for item in creating], workers))


def _begin(item: DesiredGrant) -> Outcome:
    return Outcome(identity={"name": item.ref.name, "namespace": item.ref.namespace or None}, title=item.ref.place)


class Granter:
    """Brings grants to their desired state, from any number of threads."""

    def __init__(self, api: Api, live: Snapshot, policy: RiskPolicy, discovery: Discovery, *, check_mode: bool) -> None:
        self._api = api
        self._live = live
        self._policy = policy
        self._discovery = discovery
        self._check_mode = check_mode
        # predictions are made in turn: what one would make is there for the next
        self._turn = Lock() if check_mode else nullcontext()

    def work(self, item: DesiredGrant, outcome: Outcome) -> None:
        """One grant: its risks first, which may forbid it."""
        said = self._judge(item, outcome)
        try:
            with self._turn:
                self._reconcile(item, outcome)
        except ForbiddenError as error:
            if item.role_ref:
                name_bindable(error, item.role_ref)
            raise
        outcome.warn(said)

    def _judge(self, item: DesiredGrant, outcome: Outcome) -> list[str]:
        """Note the risks of what is to be granted; returns warnings, and raises before anything is written."""
        is_granted = self._policy.looks and item.is_wanted(self._api.connection.now())
        found = risks_of_declared(self._api, item, self._live) if is_granted else []
        outcome.returned["risks"] = [finding.as_result() for finding in found]
        return self._policy.judge_together(found)

    def _reconcile(self, item: DesiredGrant, outcome: Outcome) -> None:
        live = self._live
        removable_role = None
        if not item.is_wanted(self._api.connection.now()):
            removable_role = _removable_role(self._api, item, live)
        change = difference(item, live)
        refs = _known_refs(item, live, removable_role)

        def planned(state: Live) -> Plan:
            now = self._api.connection.now()
            todo = plan(item, state, now=now, check_mode=self._check_mode, removable_role=removable_role)
            return self._with_doubts(todo, item, state)

        state = converge(self._api, outcome, refs, live, planned, check_mode=self._check_mode)
        if self._check_mode:
            live.update(state)
        outcome.before, outcome.after = only_differing(outcome.before, outcome.after)
        # a role that is only referred to is not ours to show, and may have hundreds of rules
        role = state.get(item.role_ref) if item.role_ref and item.makes_role else None
        outcome.returned |= {"role": shown(role), "binding": shown(state[item.ref]), **vars(change)}
        outcome.msg = _sentence(item, outcome, check_mode=self._check_mode)

    def _with_doubts(self, todo: Plan, item: DesiredGrant, state: Live) -> Plan:
        """The plan with a note on each rule it brings to the role that would grant nothing on this cluster."""
        rules = new_rules(item, state, todo)
        served = self._discovery.served() if rules else None
        if served is None:
            return todo
        said = doubts(rules, served, namespaced=bool(item.ref.namespace))
        return replace(todo, notes=(*todo.notes, *(f"rules of {item.role_ref}: {doubt}" for doubt in said)))


def _known_refs(item: DesiredGrant, live: Snapshot, removable_role: Ref | None) -> list[Ref]:
    """The objects to plan over: all that were read, and those without which there is no plan."""
    needed = {item.ref, item.role_ref} if item.makes_role else {item.ref}
    wanted = [namespace_ref(item.ref.namespace), removable_role, item.role_ref, overlap_ref(item.ref), item.ref]
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
