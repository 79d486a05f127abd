# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many playbooks at once that add their subjects to one binding, one task for each subject.

The list of subjects is atomic for the API server: whoever adds to it replaces all of it, and must not replace what
somebody else added meanwhile.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

from cluster.controlplane import Cluster
from proofs.at_once import AT_THE_GATE, failure, run_at_once
from proofs.table import Ground, Line
from proofs.tokens import namespace_with_account

_PLAYS, _SUBJECTS = 16, 50
_QUICK_PLAYS, _QUICK_SUBJECTS = 6, 10

# two minutes on two cores of one's own
_SECONDS = 1800

_BINDING = "shared"
_SHOWN = 5


def prove(ground: Ground) -> list[Line]:
    """Let playbooks add to a binding that the first of them makes."""
    plays, subjects = (_PLAYS, _SUBJECTS) if ground.full else (_QUICK_PLAYS, _QUICK_SUBJECTS)
    namespace = namespace_with_account(ground.cluster)
    mark = ground.cluster.audit_mark()
    names = [[f"{play}-{number}" for number in range(subjects)] for play in range(plays)]
    done = run_at_once(ground.cluster, ground.directory, [_tasks(namespace, own) for own in names], seconds=_SECONDS)
    conflicts = _conflicts(ground.cluster, mark, namespace)
    wanted, found = {name for own in names for name in own}, _subjects(ground.cluster, namespace)
    lost = sorted(wanted - set(found))
    misses = [failure(play) for play in done if play.returncode]
    misses += [f"lost: {', '.join(lost[:_SHOWN])}"] if lost else []
    misses += ["there are duplicates"] if len(found) != len(set(found)) else []
    misses += [] if conflicts else ["the plays never met: nothing was proved"]
    most = max((int(said) for play in done for said in re.findall(r"requests: (\d+)", play.stdout)), default=0)
    seen = f"{len(lost)} lost; {conflicts} conflicts on the way, at most {most} requests for one subject"
    asked = (
        f"{plays} parallel playbooks add {subjects} subjects each to one binding, a task for each: all succeed, 0 of "
    )
    return [Line(f"{asked}{len(wanted)} are lost", seen, holds=not misses, misses=tuple(misses))]


def _tasks(namespace: str, names: Sequence[str]) -> list[dict[str, Any]]:
    grant = {
        "name": _BINDING,
        "namespace": namespace,
        "cluster_role": "view",
        "service_accounts": ["{{ item }}"],
        "subjects_mode": "append",
    }
    return [
        {"ansible.builtin.debug": {"msg": "go"}, "when": AT_THE_GATE},
        {"tokenwright.kubernetes.k8s_sa_binding": grant, "loop": list(names), "register": "done"},
        {"ansible.builtin.debug": {"msg": "requests: {{ done.results | map(attribute='requests') | max }}"}},
    ]


def _subjects(cluster: Cluster, namespace: str) -> list[str]:
    binding = json.loads(cluster.kubectl("get", "rolebinding", _BINDING, "-n", namespace, "-o", "json").stdout)
    return [subject["name"] for subject in binding.get("subjects") or ()]


def _conflicts(cluster: Cluster, mark: int, namespace: str) -> int:
    """How often a play was told that another one had been faster."""
    about = [event for event in cluster.audit_events(mark) if event.get("objectRef", {}).get("namespace") == namespace]
    return sum(
        event["objectRef"]["resource"] == "rolebindings" and event["responseStatus"]["code"] == 409 for event in about
    )
