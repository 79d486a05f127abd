# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far the Pods of a workload are, by the status that its controller writes."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import (
    CRON_JOB,
    DAEMON_SET,
    DEPLOYMENT,
    REPLICA_SET,
    STATEFUL_SET,
    Kind,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rollout import (
    progress,
    surrender,
)

Object = dict[str, Any]

DONE = {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 2, "availableReplicas": 2, "readyReplicas": 2}
SET_DONE = {"observedGeneration": 2, "desiredNumberScheduled": 2, "updatedNumberScheduled": 2, "numberAvailable": 2}
GAVE_UP = {"conditions": [{"type": "Progressing", "reason": "ProgressDeadlineExceeded"}]}

CASES: list[tuple[Kind, Object, Object, str | None, bool]] = [
    (DEPLOYMENT, {"replicas": 2}, DONE, "", False),
    (DEPLOYMENT, {"replicas": 0}, {"observedGeneration": 2}, "", False),
    (DEPLOYMENT, {"replicas": 2}, {**DONE, "observedGeneration": 1}, "its controller has not seen the change", False),
    (DEPLOYMENT, {"replicas": 0}, {}, "its controller has not seen the change", False),
    (DEPLOYMENT, {"replicas": 2}, {**DONE, "updatedReplicas": 1}, "1 of 2 Pods are new", False),
    (DEPLOYMENT, {"replicas": 2}, {**DONE, "replicas": 3, "availableReplicas": 3}, "1 old Pod is still there", False),
    (DEPLOYMENT, {"replicas": 2}, {**DONE, "replicas": 4, "availableReplicas": 4}, "2 old Pods are still there", False),
    (
        DEPLOYMENT,
        {"replicas": 2},
        {**DONE, "replicas": 3, "availableReplicas": 2},
        "1 old Pod is still there, and 1 of all 3 cannot be used yet",
        False,
    ),
    (DEPLOYMENT, {"replicas": 2}, {**DONE, "availableReplicas": 1}, "1 of 2 new Pods are available", False),
    (DEPLOYMENT, {"replicas": 2, "paused": True}, {**DONE, "updatedReplicas": 0}, "it is paused", True),
    (DEPLOYMENT, {"replicas": 2, "paused": True}, DONE, "", False),
    (
        DEPLOYMENT,
        {"replicas": 2},
        {**DONE, **GAVE_UP, "availableReplicas": 1},
        "1 of 2 new Pods are available, and its controller gave up",
        True,
    ),
    (DEPLOYMENT, {"replicas": 2}, {**DONE, **GAVE_UP}, "", False),
    (STATEFUL_SET, {"replicas": 2}, DONE, "", False),
    (STATEFUL_SET, {"replicas": 2}, {**DONE, "updatedReplicas": 1}, "1 of 2 Pods are new", False),
    (STATEFUL_SET, {"replicas": 2}, {**DONE, "readyReplicas": 1}, "1 of 2 new Pods are available", False),
    (
        STATEFUL_SET,
        {"replicas": 2, "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 1}}},
        {**DONE, "updatedReplicas": 1},
        "",
        False,
    ),
    (STATEFUL_SET, {"replicas": 2, "updateStrategy": {"type": "OnDelete"}}, {}, None, False),
    (DAEMON_SET, {}, SET_DONE, "", False),
    (DAEMON_SET, {}, {**SET_DONE, "updatedNumberScheduled": 1}, "1 of 2 Pods are new", False),
    (DAEMON_SET, {}, {**SET_DONE, "numberAvailable": 0}, "0 of 2 new Pods are available", False),
    (DAEMON_SET, {"updateStrategy": {"type": "OnDelete"}}, {}, None, False),
    (REPLICA_SET, {"replicas": 2}, {}, None, False),
    (CRON_JOB, {}, {}, None, False),
]


@pytest.mark.parametrize(("kind", "spec", "status", "said", "stuck"), CASES)
def test_how_far_it_is(kind: Kind, spec: Object, status: Object, said: str | None, stuck: bool) -> None:
    found = progress(kind, {"metadata": {"generation": 2}, "spec": spec, "status": status})
    if said is None:
        assert found is None
        return
    assert found is not None
    assert (found.said, found.stuck, found.is_over) == (said, stuck, not said)


def test_who_gave_up_before_the_change_has_not_given_up_on_it() -> None:
    status: Object = {**DONE, **GAVE_UP, "replicas": 3}
    before: Object = {"metadata": {"generation": 2}, "spec": {"replicas": 2}, "status": status}
    former = surrender(before)
    assert former == GAVE_UP["conditions"][0]
    still = progress(DEPLOYMENT, before, former)
    assert still is not None
    assert (still.said, still.stuck) == ("1 old Pod is still there, and 1 of all 3 cannot be used yet", False)
    again = {**before, "status": {**status, "conditions": [{**former, "lastUpdateTime": "later"}]}}
    assert getattr(progress(DEPLOYMENT, again, former), "stuck", None) is True
