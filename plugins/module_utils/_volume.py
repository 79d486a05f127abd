# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_volume: a projected volume in the Pods of a workload, looked at before it is written.

Source: Kubernetes API, Deployment, StatefulSet, DaemonSet, ReplicaSet (apps/v1), CronJob (batch/v1).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from threading import Lock
from typing import Any

from . import _auth, _bulk, _findings
from ._api import Api, reach
from ._converge import Snapshot, converge, read
from ._entry import UseCase
from ._errors import ApiError, ConflictError
from ._findings import Finding, RiskPolicy
from ._kinds import Object, Ref
from ._plan import Live, Outcome, Plan
from ._pod_templates import excerpt, mounts_of, pod_spec, volume_of
from ._projection import dropped
from ._redact import Secrets
from ._rollout_wait import wait_for_pods
from ._volume_desired import ITEM_OPTIONS, LIST, DesiredVolume, refuse_contradictions
from ._volume_plan import account_ref_of, plan
from ._volume_risks import risks_in_template, risks_of_projection

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **_bulk.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


# a field that no type of the server has, as its strict decoding says it; the sources are counted as in the options
_UNKNOWN = re.compile(r'unknown field "[^"]*\bprojected\.(sources\[[^"]+)"')


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    risks = RiskPolicy.from_params(params)
    items = _bulk.parse(params, ITEM_OPTIONS, LIST, DesiredVolume.from_item, str)
    refuse_contradictions(items.desired)
    api, warnings = reach(params, secrets, risks)
    live = read(api, [item.ref for item in items.desired], params["workers"])
    live.update(read(api, _accounts(items.desired, live), params["workers"]))

    turns = {item.ref: Lock() for item in items.desired}
    mounter = Mounter(api, live, risks, turns, check_mode=check_mode)
    outcomes = _bulk.run_all(items.desired, _begin, mounter.work, params)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, warnings=warnings)


def _accounts(desired: Sequence[DesiredVolume], live: Snapshot) -> list[Ref]:
    """The accounts of the Pods; who may not look at them goes without."""
    refs = [account_ref_of(item, live[item.ref]) for item in desired if item.present and item.ref in live]
    return [ref for ref in dict.fromkeys(refs) if ref]


def _begin(item: DesiredVolume) -> Outcome:
    ref = item.ref
    identity = {"kind": ref.kind.name, "name": ref.name, "namespace": ref.namespace, "volume_name": item.name}
    return Outcome(identity=identity, title=str(ref))


class Mounter:
    """Brings volumes to their desired state, from any number of threads."""

    def __init__(
        self, api: Api, live: Snapshot, policy: RiskPolicy, turns: Mapping[Ref, Lock], *, check_mode: bool
    ) -> None:
        """Begin.

        Args:
            api: the cluster.
            live: the workloads and their accounts.
            policy: what is to be done about risks.
            turns: the volumes of one workload take turns, and each finds what the one before left.
            check_mode: only predict.
        """
        self._api = api
        self._live = live
        self._policy = policy
        self._turns = turns
        self._check_mode = check_mode

    def work(self, item: DesiredVolume, outcome: Outcome) -> None:
        """One volume, and as far as that is wanted the Pods that have it."""
        outcome.returned["findings"] = []
        with self._turns[item.ref]:
            obj = self._reconcile(item, outcome)
        is_waiting = item.wait_timeout is not None and not self._check_mode
        outcome.returned["rolled_out"] = self._wait(item, obj) if is_waiting and obj else None

    def _reconcile(self, item: DesiredVolume, outcome: Outcome) -> Object | None:
        live, before = self._live, self._live[item.ref]

        def planned(state: Live) -> Plan:
            todo = plan(item, state, check_mode=self._check_mode)
            return self._judged(item, state, todo, outcome)

        account = account_ref_of(item, before)
        refs = [ref for ref in (account, item.ref) if ref and ref in live]
        state = converge(self._api, outcome, refs, live, planned, check_mode=self._check_mode)
        after = state[item.ref]
        if before is not None:
            live[item.ref] = after
        if outcome.changed:
            outcome.before = excerpt(item.ref, before, item.name) if before else None
            outcome.after = excerpt(item.ref, after, item.name) if after else None
        outcome.returned |= _returned(item, after)
        outcome.msg = _sentence(item, outcome, check_mode=self._check_mode)
        return after

    def _judged(self, item: DesiredVolume, state: Live, todo: Plan, outcome: Outcome) -> Plan:
        """The plan with the warnings of what it comes to; raises before anything is written."""
        body = todo.writes[0].body if todo.writes else state[item.ref]
        found = self._risks(item, body)
        outcome.returned["findings"] = [finding.as_result() for finding in found]
        said = self._policy.judge_together(found, "findings")
        if todo.writes and not self._check_mode:
            self._refuse_dropped(item, todo)
        return replace(todo, notes=(*todo.notes, *said))

    def _risks(self, item: DesiredVolume, body: Object | None) -> list[Finding]:
        if item.volume is None or not self._policy.looks:
            return []
        found = risks_of_projection(item.volume, item.mount_path, item.ref)
        spec = pod_spec(item.ref.kind, body) if body else {}
        found += risks_in_template(spec, item.name, item.ref) if spec.get("containers") else []
        return sorted(found, key=lambda finding: _findings.SEVERITIES.index(_findings.RISKS[finding.risk].severity))

    def _refuse_dropped(self, item: DesiredVolume, todo: Plan) -> None:
        """Ask the API server to only try it: what it does not know, or has switched off, it drops without a word.

        Raises:
            ApiError: it would, or it refuses the sources.
        """
        if item.is_certain or item.volume is None:
            return
        try:
            answer = self._api.update(item.ref, todo.writes[0].body or {}, dry_run=True)
        except ConflictError:
            return  # so will the write, and then it is planned anew
        except ApiError as error:
            raise _without_unknown(error, item.ref) from None
        kept = volume_of(pod_spec(item.ref.kind, answer), item.name) or {}
        lost = dropped(_sources(item.volume), _sources(kept))
        if lost:
            raise _dropped(lost, item.ref)

    def _wait(self, item: DesiredVolume, obj: Object) -> bool | None:
        done = f"the volume is {'in' if item.present else 'out of'} {item.ref}"
        return wait_for_pods(self._api, item.ref, obj, item.wait_timeout or 0, done)


def _without_unknown(error: ApiError, ref: Ref) -> ApiError:
    """What the server does not know at all it names, by its place in the whole workload."""
    unknown = _UNKNOWN.findall(error.what)
    return _dropped(" and ".join(dict.fromkeys(unknown)), ref) if unknown else error


def _dropped(lost: str, ref: Ref) -> ApiError:
    return ApiError(
        f"cannot put {lost} into {ref}: the API server would drop it",
        code="dropped_source",
        hint="see whether it knows that and has its feature gate switched on",
    )


def _sources(volume: Object) -> list[Object]:
    return list((volume.get("projected") or {}).get("sources") or ())


def _returned(item: DesiredVolume, obj: Object | None) -> dict[str, Any]:
    spec = pod_spec(item.ref.kind, obj) if obj else {}
    return {"volume": volume_of(spec, item.name), "volume_mounts": mounts_of(spec, item.name)}


def _sentence(item: DesiredVolume, outcome: Outcome, *, check_mode: bool) -> str:
    if not outcome.changed:
        return f"{item} is {'up to date' if outcome.returned['volume'] else 'absent'}"
    done = ("put in" if outcome.reason == "missing" else "changed") if item.present else "taken out"
    return f"{item} {'would be' if check_mode else 'is'} {done} ({outcome.reason})"


USE_CASE = UseCase(ARGUMENT_SPEC, run)
