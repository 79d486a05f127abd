# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_consumer: which Secret a workload takes its token from, and new Pods when that holds another one.

Of a Secret only the metadata is read: which keys it has, and which token k8s_sa_token has noted at it. Source:
Kubernetes API, Deployment, StatefulSet, DaemonSet, ReplicaSet (apps/v1), CronJob (batch/v1).
"""

from __future__ import annotations

from collections.abc import Mapping
from threading import Lock
from typing import Any

from . import _auth, _bulk, _findings
from ._api import Api, reach
from ._converge import Snapshot, converge, read
from ._entry import UseCase
from ._findings import RiskPolicy
from ._kinds import Object, Ref
from ._plan import Live, Outcome, Plan
from ._redact import Secrets
from ._repoint_desired import ITEM_OPTIONS, LIST, DesiredSecret, refuse_contradictions
from ._repoint_plan import Content, excerpt, places, plan
from ._rollout_wait import wait_for_pods
from ._secret_sink import noted_token
from ._token_secrets import keys_by_managers

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **_bulk.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    risks = RiskPolicy.from_params(params)
    items = _bulk.parse(params, ITEM_OPTIONS, LIST, DesiredSecret.from_item, str)
    refuse_contradictions(items.desired)
    api, warnings = reach(params, secrets, risks)
    live = read(api, [item.ref for item in items.desired], params["workers"])
    turns = {item.ref: Lock() for item in items.desired}
    repointer = Repointer(api, live, turns, check_mode=check_mode)
    outcomes = _bulk.run_all(items.desired, _begin, repointer.work, params)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, warnings=warnings)


def _begin(item: DesiredSecret) -> Outcome:
    ref = item.ref
    identity = {"kind": ref.kind.name, "name": ref.name, "namespace": ref.namespace, "to_secret": item.secret.name}
    return Outcome(identity=identity, title=str(ref))


class Repointer:
    """Brings workloads to the Secrets that they are to use, from any number of threads."""

    def __init__(self, api: Api, live: Snapshot, turns: Mapping[Ref, Lock], *, check_mode: bool) -> None:
        """Begin.

        Args:
            api: the cluster.
            live: the workloads.
            turns: the items of one workload take turns, and each finds what the one before left.
            check_mode: only predict.
        """
        self._api = api
        self._live = live
        self._turns = turns
        self._check_mode = check_mode

    def work(self, item: DesiredSecret, outcome: Outcome) -> None:
        """One workload, and as far as that is wanted its Pods."""
        content = _content(self._api.get(item.secret, metadata=True))
        with self._turns[item.ref]:
            obj = self._reconcile(item, content, outcome)
        is_waiting = item.wait_timeout is not None and not self._check_mode
        outcome.returned["rolled_out"] = self._wait(item, obj) if is_waiting and obj else None

    def _reconcile(self, item: DesiredSecret, content: Content | None, outcome: Outcome) -> Object | None:
        live, before = self._live, self._live[item.ref]

        def planned(state: Live) -> Plan:
            return plan(item, state, content, check_mode=self._check_mode)

        state = converge(self._api, outcome, [item.ref], live, planned, check_mode=self._check_mode)
        after = state[item.ref]
        if before is not None:
            live[item.ref] = after
        if outcome.changed:
            outcome.before = excerpt(item, before) if before else None
            outcome.after = excerpt(item, after) if after else None
        outcome.returned["places"] = places(item.ref, after, item.secret.name) if after else []
        outcome.msg = _sentence(item, outcome, check_mode=self._check_mode)
        return after

    def _wait(self, item: DesiredSecret, obj: Object) -> bool | None:
        done = f"{item.ref} uses the Secret {item.secret.name}"
        return wait_for_pods(self._api, item.ref, obj, item.wait_timeout or 0, done)


def _content(secret: Object | None) -> Content | None:
    """What the metadata of a Secret tells."""
    if secret is None:
        return None
    keys = keys_by_managers(secret["metadata"])
    return Content(None if keys is None else frozenset(keys), noted_token(secret))


def _sentence(item: DesiredSecret, outcome: Outcome, *, check_mode: bool) -> str:
    if not outcome.changed:
        return f"{item.ref} uses the Secret {item.secret.name}"
    would = "would be" if check_mode else "is"
    if outcome.reason == "secret_changed":
        return f"{item.ref} {would} led to the Secret {item.secret.name} ({outcome.reason})"
    return f"{item.ref} {would} given new Pods for the token in the Secret {item.secret.name} ({outcome.reason})"


USE_CASE = UseCase(ARGUMENT_SPEC, run)
