# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kill sweep of long-lived tokens: k8s_legacy_token, killed after each of its requests was carried out.

The server has done what it was asked for, and the module never hears of it. The next run has to put right what is left,
and the one after it has to find nothing to do.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.controlplane import Cluster
from faults.proxy import Exchange, FaultProxy
from faults.tokens import is_accepted, secret, secret_names
from proofs.table import Ground, Line
from proofs.tokens import ACCOUNT, keep_legacy_token, namespace_with_account, python_environment

_ASKED = (
    "Kill sweep of long-lived tokens (SIGKILL after every request of: {flows}): the next run converges, the one after "
    "it changes nothing, no Secret is unlabelled, empty or left over; at least {least} points"
)
_BAR, _QUICK_BAR = 30, 10

_ROW = "tokenwright/legacy-token"
_INVALID = "kubernetes.io/legacy-token-invalid-since"


@dataclass(frozen=True)
class Flow:
    """What is done while the module is killed.

    Attributes:
        name: for people.
        is_there: whether the token is there before.
        options: of the run that is killed.
        rerun: of the runs after it.
        secrets: how many Secrets there are in the end.
    """

    name: str
    is_there: bool
    options: dict[str, Any]
    rerun: dict[str, Any]
    secrets: int = 1


# proofs of refusal are left out: they only wait
_QUIET = {"verify": "never"}
_ROTATING, _ROTATED = {"rotate_after": 1, "overlap": 0}, {"rotate_after": "1h", "overlap": 0}
_GENTLE = {"rotate_after": 1, "overlap": "1h"}
FLOWS = (
    Flow("create", False, {}, {}),
    Flow("rotate", True, _ROTATING, _ROTATED),
    Flow("rotate with an overlap", True, _GENTLE, _ROTATED),
    Flow("rotate and suspend", True, {**_ROTATING, "on_retire": "suspend"}, _ROTATED),
    Flow("suspend", True, {**_QUIET, "state": "suspended"}, {**_QUIET, "state": "suspended"}),
    Flow("delete", True, {**_QUIET, "state": "absent"}, {**_QUIET, "state": "absent"}, secrets=0),
)
QUICK_FLOWS = FLOWS[1:2]


@dataclass
class Tally:
    """What was seen so far."""

    points: int = 0
    changed: int = 0
    misses: list[str] = field(default_factory=list)


def prove(ground: Ground) -> list[Line]:
    """Kill at every point of every flow."""
    flows, least = (FLOWS, _BAR) if ground.full else (QUICK_FLOWS, _QUICK_BAR)
    tally = Tally()
    with FaultProxy(ground.cluster) as proxy, children() as running:
        for number, flow in enumerate(flows):
            (ground.directory / str(number)).mkdir(mode=0o700)
            Sweep(ground.cluster, ground.directory / str(number), flow, tally).run(proxy, running)
    few = [f"only {tally.points} points"] if tally.points < least else []
    misses = (*few, *tally.misses)
    seen = f"{tally.points} points, {tally.changed} of them needed a rerun: {len(tally.misses)} misses"
    asked = _ASKED.format(flows=", ".join(flow.name for flow in flows), least=least)
    return [Line(asked, seen, holds=not misses, misses=misses)]


class Children:
    """The server of processes to be killed."""

    def __init__(self, server: subprocess.Popen[str]) -> None:
        self._server = server

    def begin(self, options: dict[str, Any]) -> int:
        """Start a run; returns its process id."""
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(options) + "\n")
        self._server.stdin.flush()
        return self._answer()

    def ended(self) -> int:
        """Wait for its end; returns its exit status."""
        return self._answer()

    def _answer(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())


@contextmanager
def children() -> Iterator[Children]:
    """The server, for the time of the block; it ends when nobody can send it anything any more."""
    command = [sys.executable, "-m", "proofs.legacy_child"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=python_environment(), cwd="/", text=True) as server:
        yield Children(server)


class Killer:
    """Kills a process when the server has answered so many of its requests."""

    def __init__(self, after: int) -> None:
        self._after = after
        self._lock = threading.Lock()
        self._known = threading.Event()
        self._process = 0
        self.answered = 0

    def aim(self, process: int) -> None:
        """Whom."""
        self._process = process
        self._known.set()

    def __call__(self, dummy: Exchange) -> None:
        self._known.wait()
        with self._lock:
            self.answered += 1
            if self.answered == self._after:
                os.kill(self._process, signal.SIGKILL)


class Sweep:
    """One flow: prepared by the module itself, done by a killed process, finished by the module."""

    def __init__(self, cluster: Cluster, directory: Path, flow: Flow, tally: Tally) -> None:
        self._cluster = cluster
        self._directory = directory
        self._flow = flow
        self._tally = tally
        self._namespace = namespace_with_account(cluster)

    def run(self, proxy: FaultProxy, running: Children) -> None:
        """Count the requests of a run that is left alone, then kill one after each of them."""
        self._prepare(["alone"])
        status, requests = self._attempt(proxy, running, "alone", after=0)
        if status:
            self._miss("alone", f"a run that is left alone ends with {status}")
            return
        names = [f"kill-{number}" for number in range(1, requests + 1)]
        self._prepare(names)
        for number, name in enumerate(names, 1):
            status, answered = self._attempt(proxy, running, name, after=number)
            # requests that are under way at once come in any order, and the last of them may be the end
            if status != -signal.SIGKILL and answered >= number:
                self._miss(name, f"it was not killed: it ended with {status}")
            self._tally.points += 1
            self._finish(name)

    def _prepare(self, names: Sequence[str]) -> None:
        if not self._flow.is_there:
            return
        for name in names:
            self._keep(name, {**_QUIET})
        time.sleep(2)  # rotation goes by age

    def _attempt(self, proxy: FaultProxy, running: Children, name: str, *, after: int) -> tuple[int, int]:
        killer = Killer(after)
        proxy.on_answer = killer
        killer.aim(running.begin({**self._options(name), **self._flow.options, "kubeconfig": str(proxy.kubeconfig)}))
        status = running.ended()
        proxy.on_answer = None
        return status, killer.answered

    def _options(self, name: str) -> dict[str, Any]:
        place = str(self._directory / name)
        return {"name": name, "service_account": ACCOUNT, "namespace": self._namespace, "dest": place}

    def _keep(self, name: str, options: dict[str, Any]) -> dict[str, Any]:
        return keep_legacy_token(self._cluster, **{**self._options(name), **options})

    def _finish(self, name: str) -> None:
        first, second = self._keep(name, self._flow.rerun), self._keep(name, self._flow.rerun)
        self._tally.changed += bool(first["changed"])
        for said in (first, second):
            if said.get("failed"):
                self._miss(name, f"a run after it says: {said['msg']}")
        if second["changed"]:
            self._miss(name, f"the second run after it still changes something: {second['msg']}")
        self._check_secrets(name)

    def _check_secrets(self, name: str) -> None:
        rows = [
            one for one in secret_names(self._cluster, self._namespace) if one == name or one.startswith(f"{name}-")
        ]
        if len(rows) != self._flow.secrets:
            self._miss(name, f"in the end there are {', '.join(rows) or 'no Secrets'}")
        for row in rows:
            found = secret(self._cluster, self._namespace, row) or {}
            labels = found["metadata"].get("labels", {})
            if labels.get(_ROW) != name:
                self._miss(name, f"{row} is not labelled")
            if not found.get("data", {}).get("token"):
                self._miss(name, f"{row} is empty")
            if (_INVALID in labels) is not (self._flow.name == "suspend"):
                self._miss(name, f"{row} is {'' if _INVALID in labels else 'not '}suspended")
        self._check_place(name)

    def _check_place(self, name: str) -> None:
        place = self._directory / name
        if place.exists() is not bool(self._flow.secrets):
            self._miss(name, f"the place is {'still' if place.exists() else 'not'} there")
        elif place.exists() and self._flow.name != "suspend" and not is_accepted(self._cluster, place.read_text()):
            self._miss(name, "the server refuses what is in the place")

    def _miss(self, where: str, what: str) -> None:
        self._tally.misses.append(f"{self._flow.name}, {where}: {what}")
