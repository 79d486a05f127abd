# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Why a token does not work: every cause with what is seen of it and what is to be done. Pure.

A cause has a word that never changes, so that playbooks can act upon it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ._kinds import Object


@dataclass(frozen=True)
class Cause:
    """What is known of a cause before it is found anywhere.

    Attributes:
        symptom: what whoever uses the token sees.
        fix: what to do about it.
    """

    symptom: str
    fix: str


# in the order in which they are to be dealt with: what comes first may well explain what comes later
CAUSES: Mapping[str, Cause] = {
    "account_missing": Cause(
        symptom="the token is refused, and no new one is given",
        fix="make the account and then the Pod anew: a token dies with the account that it was made for",
    ),
    "account_recreated": Cause(
        symptom="the token is refused, although it has not expired",
        fix="make the Pod anew, so that it gets a token of the account that there is now",
    ),
    "bound_object_gone": Cause(
        symptom="the token is refused, although it has not expired",
        fix="let the container read the token that the kubelet gives its own Pod, and no copy of another one",
    ),
    "automount_off": Cause(
        symptom="there is no token in the container",
        fix="give the Pod a volume with a token, or switch automount on, and make it anew",
    ),
    "no_projected_token": Cause(
        symptom="there is no token in the container",
        fix="give the container a volume with a token, and make the Pod anew",
    ),
    "unreadable_file": Cause(
        symptom="permission denied when the token is read",
        fix="set fsGroup in the Pod's securityContext (fs_group), and make it anew",
    ),
    "wrong_audience": Cause(
        symptom="the other side refuses the token, which is for somebody else",
        fix="give the container a token for that audience, on a path of its own, and let the application read it there",
    ),
    "token_expired": Cause(
        symptom="the token is refused, because it has expired",
        fix="see the events of the Pod for why the kubelet does not replace it, or make the Pod anew",
    ),
    "not_yet_valid": Cause(
        symptom="the token is refused, because it is not valid yet",
        fix="set the clocks of the servers of the control plane right",
    ),
    "stale_reader": Cause(
        symptom="the token is good at first and refused later",
        fix="mount the whole volume, without subPath, and make the Pod anew",
    ),
}


@dataclass(frozen=True)
class Diagnosis:
    """One cause found.

    Attributes:
        cause: its word.
        evidence: what was seen, a sentence without a full stop.
        task: a task that fixes it; None: no task can.
        fix: what to do, if it is something else than usual.
    """

    cause: str
    evidence: str
    task: Object | None = None
    fix: str = ""

    def as_result(self) -> dict[str, Any]:
        """The entry in a result's C(findings)."""
        known = CAUSES[self.cause]
        return {
            "symptom": known.symptom,
            "cause": self.cause,
            "evidence": self.evidence,
            "fix": self.fix or known.fix,
            "task": self.task,
        }


def in_order(found: Iterable[Diagnosis]) -> list[Diagnosis]:
    """As they are to be dealt with; each once."""
    unique = {(one.cause, one.evidence): one for one in found}
    words = list(CAUSES)
    return sorted(unique.values(), key=lambda one: words.index(one.cause))
