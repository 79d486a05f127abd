# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kill sweep: the writers of token files and kubeconfigs, killed before every system call on the destination.

What is there after a kill before call n is what is there between call n - 1 and call n, so the sweep sees every state
that others could see at any instant. Needs strace.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cluster.controlplane import Cluster
from proofs.kill_writer import Job
from proofs.table import Ground, Line
from proofs.tokens import ACCOUNT, keep_token, namespace_with_account, python_environment

_ASKED = (
    "Kill sweep of the writers (SIGKILL before every system call on the destination: {scenarios}): old, new or absent "
    "in every case, never readable by others at any instant, the next run succeeds and sweeps; at least {least} points"
)
_BAR, _QUICK_BAR = 60, 20

_CALL = re.compile(r"(\w+)\(")
_CREATION = re.compile(r"O_CREAT\b[^)]*, 0([0-7]+)\)")
_LEFTOVER = re.compile(r"\..+\.[0-9a-f]{16}\.tmp")
_OTHERS = 0o177  # everything but reading and writing by the owner

# a leftover older than this is certainly swept: the writer spares those of runs that may be under way
_OLD = 3600

_FOREIGN = """\
apiVersion: v1
kind: Config
clusters: [{name: theirs, cluster: {server: https://theirs.example.com}}]
users: [{name: theirs, user: {username: they}}]
contexts: [{name: theirs, context: {cluster: theirs, user: theirs}}]
current-context: theirs
"""


@dataclass(frozen=True)
class Scenario:
    """What is killed while doing what.

    Attributes:
        kind: of place: C(file) or C(kubeconfig).
        is_there: whether the place holds an older token.
    """

    kind: str
    is_there: bool

    def __str__(self) -> str:
        return f"{'overwriting' if self.is_there else 'making'} a {'token ' if self.kind == 'file' else ''}{self.kind}"

    def options(self, path: Path) -> dict[str, str]:
        """The module's options for this place."""
        return {"dest" if self.kind == "file" else "kubeconfig_dest": str(path)}


SCENARIOS = tuple(Scenario(kind, is_there) for kind in ("file", "kubeconfig") for is_there in (True, False))
QUICK_SCENARIOS = SCENARIOS[:1]


@dataclass(frozen=True)
class Point:
    """A system call on the destination: the nth of its name, and how strace tells it."""

    call: str
    nth: int
    told: str


@dataclass
class Tally:
    """What was seen so far."""

    points: int = 0
    leftovers: int = 0
    states: Counter[str] = field(default_factory=Counter)
    misses: list[str] = field(default_factory=list)


class TracingForbiddenError(Exception):
    """strace may not trace here; the text is what it says."""


def prove(ground: Ground) -> list[Line]:
    """Kill the writers at every point and look what is left."""
    scenarios, least = (SCENARIOS, _BAR) if ground.full else (QUICK_SCENARIOS, _QUICK_BAR)
    asked = _ASKED.format(scenarios=", ".join(map(str, scenarios)), least=least)
    if shutil.which("strace") is None:
        return [Line(asked, "not run: strace is missing (apt-get install strace)", holds=True)]
    tally = Tally()
    try:
        with writers(ground.directory) as running:
            for number, scenario in enumerate(scenarios):
                (ground.directory / str(number)).mkdir(mode=0o700)
                Sweep(ground.cluster, ground.directory / str(number), scenario, tally).run(running)
    except TracingForbiddenError as error:
        return [Line(asked, f"not run: tracing is not allowed here ({error})", holds=True)]
    return [_line(asked, tally, least)]


def _line(asked: str, tally: Tally, least: int) -> Line:
    states = ", ".join(f"{count} {state}" for state, count in sorted(tally.states.items()))
    seen = f"{tally.points} points: {states}; {tally.leftovers} leftovers, {len(tally.misses)} misses"
    few = [f"only {tally.points} points"] if tally.points < least else []
    misses = (*few, *tally.misses)
    return Line(asked, seen, holds=not misses, misses=misses)


class Writers:
    """The server of processes to be killed."""

    def __init__(self, server: subprocess.Popen[str], directory: Path) -> None:
        self._server = server
        self._trace = directory / "trace"

    def traced(self, job: Job, *expressions: str) -> tuple[int, list[str]]:
        """Run a job under strace: its exit status, and the lines of the trace.

        Raises:
            TracingForbiddenError: it was not run, because it cannot be traced.
        """
        self._send(job)
        writer = self._answer()
        options = [option for expression in expressions for option in ("-e", expression)]
        # -y says which file a descriptor is, -s 0 keeps contents out of the trace
        command = ["strace", "-y", "-s", "0", "-o", str(self._trace), *options, "-p", str(writer)]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            assert tracer.stderr is not None
            said = tracer.stderr.readline().strip()
            attached = said.endswith("attached")
            os.kill(writer, signal.SIGUSR1 if attached else signal.SIGKILL)
            status = self._answer()
        if not attached:
            raise TracingForbiddenError(said)
        return status, self._trace.read_text().splitlines()

    def _send(self, job: Job) -> None:
        assert self._server.stdin is not None
        self._server.stdin.write(json.dumps(asdict(job)) + "\n")
        self._server.stdin.flush()

    def _answer(self) -> int:
        assert self._server.stdout is not None
        return int(self._server.stdout.readline())


@contextmanager
def writers(directory: Path) -> Iterator[Writers]:
    """The server, for the time of the block; it ends when nobody can send it jobs any more."""
    command = [sys.executable, "-m", "proofs.kill_writer"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=python_environment(), cwd="/", text=True) as server:
        yield Writers(server, directory)


class Sweep:
    """One scenario: prepared by the module itself, written by a killed process, finished by the module."""

    def __init__(self, cluster: Cluster, directory: Path, scenario: Scenario, tally: Tally) -> None:
        self._cluster = cluster
        self._scenario = scenario
        self._tally = tally
        self._place, self._before = directory / "place", directory / "before"
        self._path = self._place / ("token" if scenario.kind == "file" else "config")
        self._namespace = namespace_with_account(cluster)
        self._old = self._lay_out()
        self._keep("2h")
        self._new = self._path.read_text()
        self._job = self._make_job()

    def run(self, running: Writers) -> None:
        """Kill at every point."""
        self._reset()
        status, trace = running.traced(self._job)
        if status or self._path.read_text() != self._new:
            self._miss("left alone", f"ended with {status} and did not write what the module writes")
        for mode in _creation_modes(trace, self._place):
            if mode & _OTHERS:
                self._miss("left alone", f"created a file with mode {mode:04o}")
        for point in points(trace, self._place):
            self._kill(running, point)

    def _lay_out(self) -> str | None:
        """What is there before: nothing, or an older token (in a kubeconfig beside somebody else's entries)."""
        self._place.mkdir(mode=0o700)
        if self._scenario.is_there:
            if self._scenario.kind == "kubeconfig":
                self._path.write_text(_FOREIGN)
            self._keep("1h")
        shutil.copytree(self._place, self._before)
        return self._content()

    def _make_job(self) -> Job:
        token, record = self._stored()
        return Job(
            kind=self._scenario.kind,
            path=str(self._path),
            token=token,
            record=record,
            server=self._cluster.server,
            ca_pem=self._cluster.ca_cert.read_text(),
            namespace=self._namespace,
            account=ACCOUNT,
        )

    def _stored(self) -> tuple[str, dict[str, Any]]:
        """The token that the module has written, and what it remembers of it."""
        if self._scenario.kind == "file":
            return self._new, json.loads((self._place / ".token.tokenwright").read_text())
        user = yaml.safe_load(self._new)["users"][-1]["user"]
        return user["token"], user["extensions"][0]["extension"]["record"]

    def _kill(self, running: Writers, point: Point) -> None:
        self._reset()
        expressions = f"trace={point.call}", f"inject={point.call}:signal=SIGKILL:when={point.nth}"
        status, trace = running.traced(self._job, *expressions)
        self._tally.points += 1
        last = points(trace, self._place)[-1:]
        if status != -signal.SIGKILL or [(one.call, one.nth) for one in last] != [(point.call, point.nth)]:
            self._miss(point.told, f"the writer was not killed there: it ended with {status}")
        state = self._state()
        self._tally.states[state.split()[0]] += 1
        self._check_files(point)
        if state not in ("old", "new", "absent"):
            self._miss(point.told, f"the destination is {state}")
        self._finish(point, state)

    def _state(self) -> str:
        content = self._content()
        known = {self._old: "old" if self._scenario.is_there else "absent", self._new: "new"}
        return known.get(content, "gone" if content is None else f"torn ({len(content)} characters)")

    def _check_files(self, point: Point) -> None:
        for path in self._place.iterdir():
            mode = stat.S_IMODE(path.stat().st_mode)
            if mode & _OTHERS:
                self._miss(point.told, f"{_named(path)} has mode {mode:04o}")

    def _finish(self, point: Point, state: str) -> None:
        """The next run puts right what was left, and sweeps; the one after has nothing to do."""
        for path in self._leftovers():
            self._tally.leftovers += 1
            os.utime(path, (path.stat().st_atime - _OLD, path.stat().st_mtime - _OLD))
        result = self._keep("2h")
        reasons = {
            "old": ("lifetime_changed",),
            "new": ("up_to_date", "sink_changed"),
            "absent": ("missing",),
        }.get(state, ())
        if result.get("failed") or (reasons and result["reason"] not in reasons):
            said = result["msg"] if result.get("failed") else result["reason"]
            self._miss(point.told, f"the destination is {state}, and the next run says: {said}")
        if self._keep("2h")["changed"]:
            self._miss(point.told, "the run after the next one still changes something")
        for path in self._leftovers():
            self._miss(point.told, f"{_named(path)} was not swept")

    def _leftovers(self) -> list[Path]:
        return [path for path in self._place.iterdir() if _LEFTOVER.fullmatch(path.name)]

    def _content(self) -> str | None:
        return self._path.read_text(errors="replace") if self._path.exists() else None

    def _reset(self) -> None:
        shutil.rmtree(self._place)
        shutil.copytree(self._before, self._place)

    def _keep(self, lifetime: str) -> dict[str, Any]:
        return keep_token(
            self._cluster,
            service_account=ACCOUNT,
            namespace=self._namespace,
            expiration_seconds=lifetime,
            **self._scenario.options(self._path),
        )

    def _miss(self, where: str, what: str) -> None:
        self._tally.misses.append(f"{self._scenario}, {where}: {what}")


def points(trace: Sequence[str], directory: Path) -> list[Point]:
    """The calls that touch the directory or what is in it, numbered as strace numbers them for an injection."""
    found, counts = [], Counter[str]()
    for line in trace:
        match = _CALL.match(line)
        if match:
            counts[match[1]] += 1
            if str(directory) in line:
                told = re.sub(r"[0-9a-f]{16}\.tmp", "*.tmp", line.replace(f"{directory}/", "")).partition(" = ")[0]
                found.append(Point(match[1], counts[match[1]], " ".join(told.split())))
    return found


def _creation_modes(trace: Sequence[str], directory: Path) -> list[int]:
    """With what modes files were created there."""
    matches = [_CREATION.search(line) for line in trace if str(directory) in line]
    return [int(match[1], 8) for match in matches if match]


def _named(path: Path) -> str:
    return "the temporary file" if _LEFTOVER.fullmatch(path.name) else path.name
