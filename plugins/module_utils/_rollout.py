# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far the Pods of a workload are from its template, by its status. Pure.

Source: pkg/polymorphichelpers/rollout_status.go of kubectl.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ._kinds import DAEMON_SET, DEPLOYMENT, STATEFUL_SET, Kind, Object


@dataclass(frozen=True)
class Progress:
    """How far it is.

    Attributes:
        said: what is still missing; empty when nothing is.
        stuck: whether it will not get further by itself.
    """

    said: str = ""
    stuck: bool = False

    @property
    def is_over(self) -> bool:
        """Whether all Pods are new and available."""
        return not self.said


def is_seen(obj: Object) -> bool:
    """Whether the controller of a workload has seen its last change."""
    seen = (obj.get("status") or {}).get("observedGeneration") or 0
    return int(seen) >= int(obj["metadata"].get("generation") or 0)


def surrender(obj: Object) -> Object | None:
    """The condition by which the controller of a Deployment says that it gave up."""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((one for one in conditions if one.get("reason") == "ProgressDeadlineExceeded"), None)


def replaces_pods(kind: Kind, obj: Object) -> bool:
    """Whether a workload replaces its Pods by itself when its template changes."""
    strategy = (obj.get("spec") or {}).get("updateStrategy") or {}
    return kind in _LOOKS and strategy.get("type") != "OnDelete"


def progress(kind: Kind, obj: Object, former: Object | None = None) -> Progress | None:
    """How far the Pods of a workload are; None if it does not replace them by itself.

    Args:
        kind: of the workload.
        obj: as it is.
        former: the surrender that was there when the controller had not seen the last change. It stays for a moment
            after that, and means nothing.
    """
    if not replaces_pods(kind, obj):
        return None
    if not is_seen(obj):
        return Progress("its controller has not seen the change")
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    seen, given_up = _LOOKS[kind](spec, status), surrender(obj)
    if given_up and given_up != former and not seen.is_over:
        return Progress(f"{seen.said}, and its controller gave up", stuck=True)
    return seen


def _count(counts: Mapping[str, object], key: str) -> int:
    return int(str(counts.get(key) or 0))


def _deployment(spec: Object, status: Object) -> Progress:
    wanted, new = _count(spec, "replicas"), _count(status, "updatedReplicas")
    if spec.get("paused") and new < wanted:
        return Progress("it is paused", stuck=True)
    if new < wanted:
        return Progress(f"{new} of {wanted} Pods are new")
    there = _count(status, "replicas")
    if there > new:
        said = "1 old Pod is still there" if there - new == 1 else f"{there - new} old Pods are still there"
        # the old ones stay until the new ones can take over
        lacking = there - _count(status, "availableReplicas")
        return Progress(f"{said}, and {lacking} of all {there} cannot be used yet" if lacking > 0 else said)
    return _available(_count(status, "availableReplicas"), new)


def _available(available: int, wanted: int) -> Progress:
    return Progress(f"{available} of {wanted} new Pods are available") if available < wanted else Progress()


def _stateful_set(spec: Object, status: Object) -> Progress:
    wanted, new = _count(spec, "replicas"), _count(status, "updatedReplicas")
    rolling = (spec.get("updateStrategy") or {}).get("rollingUpdate") or {}
    due = max(0, wanted - _count(rolling, "partition"))
    if new < due:
        return Progress(f"{new} of {due} Pods are new")
    return _available(_count(status, "readyReplicas"), wanted)


def _daemon_set(dummy: Object, status: Object) -> Progress:
    wanted, new = _count(status, "desiredNumberScheduled"), _count(status, "updatedNumberScheduled")
    if new < wanted:
        return Progress(f"{new} of {wanted} Pods are new")
    return _available(_count(status, "numberAvailable"), wanted)


_LOOKS: Mapping[Kind, Callable[[Object, Object], Progress]] = {
    DEPLOYMENT: _deployment,
    STATEFUL_SET: _stateful_set,
    DAEMON_SET: _daemon_set,
}
