# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Waiting until the Pods of a workload are those of its template."""

from __future__ import annotations

import time

from ._api import Api
from ._errors import ApiError
from ._kinds import Object, Ref
from ._rollout import is_seen, progress, surrender

# seconds between two looks: the first soon, because many are done at once
_FIRST_LOOK, _LONGEST_PAUSE = 0.25, 2.0


def wait_for_pods(api: Api, ref: Ref, obj: Object, timeout: int, done: str) -> bool | None:
    """Whether the Pods are those of the template; None if nobody makes them so.

    Args:
        api: the cluster.
        ref: the workload.
        obj: as it was written or found.
        timeout: how many seconds it may take.
        done: what has been done to it, for the message (C(the volume is in Deployment ci/app)).

    Raises:
        ApiError: they are not in time, or will never be.
    """
    deadline, pause = time.monotonic() + timeout, _FIRST_LOOK
    former = None
    while True:
        former = former if is_seen(obj) else surrender(obj)
        seen = progress(ref.kind, obj, former)
        if seen is None or seen.is_over:
            return None if seen is None else True
        if seen.stuck or time.monotonic() >= deadline:
            raise _not_rolled_out(ref, done, seen.said, None if seen.stuck else timeout)
        time.sleep(min(pause, max(0.0, deadline - time.monotonic())))
        pause = min(pause * 2, _LONGEST_PAUSE)
        found = api.get(ref)
        if found is None:
            raise _not_rolled_out(ref, done, "it is gone", None)
        obj = found


def _not_rolled_out(ref: Ref, done: str, said: str, timeout: int | None) -> ApiError:
    within = "" if timeout is None else f" within {timeout} seconds"
    return ApiError(
        f"{done}, but its Pods are not new{within}: {said}",
        code="not_rolled_out",
        hint=f"see kubectl -n {ref.namespace} describe {ref.kind.name.lower()} {ref.name} and its Pods",
    )
