# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Processes of a cluster: what one is, starting it, knowing it again later, waiting until it is ready, ending it.

A pid alone is never trusted: a record holds the pid with the process's start time, which together name one process.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cluster.endpoint import Endpoint
from cluster.files import private_directory, write_private
from cluster.kit import HERE, KitError, tail
from cluster.supervise import group_and_start, start_ticks

STOP_SECONDS = 2.0
_POLL_SECONDS = 0.02
# Each question costs the server, which is busy enough with starting, a TLS handshake.
_READY_POLL_SECONDS = 0.05
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_KEPT_VARIABLES = ("HOME", "LANG", "PATH", "TMPDIR", "TZ")


class Check(Protocol):
    """Something that can be asked whether all is well."""

    def passes(self) -> bool:
        """Is all well now?"""


@dataclass(frozen=True)
class Answers:
    """All is well when a server answers 200."""

    endpoint: Endpoint
    path: str

    def passes(self) -> bool:
        """Is all well now?"""
        return self.endpoint.get(self.path) == 200


@dataclass(frozen=True)
class Process:
    """One program of a cluster, as data.

    ``inputs`` are the files that it reads only when it starts: when their content changes it has to be started again.
    It is ready when all ``checks`` pass. ``within`` is the name of another process, with which it ends.
    """

    name: str
    argv: tuple[str, ...]
    inputs: tuple[Path, ...]
    checks: tuple[Check, ...]
    ready_seconds: float = 60
    within: str | None = None

    def ready(self) -> bool:
        """Does it do its work?"""
        return all(check.passes() for check in self.checks)


@dataclass(frozen=True)
class Identity:
    """A process that can be told from a later one with the same pid."""

    pid: int
    ticks: int

    def alive(self) -> bool:
        """Does it (still) run? A zombie does not."""
        return start_ticks(self.pid) == self.ticks


class PortTakenError(KitError):
    """A process (``name``) could not start because somebody else listens on its port."""

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


def this_process() -> Identity:
    """The identity of the running interpreter."""
    ticks = start_ticks(os.getpid())
    assert ticks is not None, "a process that runs has a start time"
    return Identity(os.getpid(), ticks)


def supervised(command: tuple[str, ...], owner: Identity) -> tuple[str, ...]:
    """The command line that runs a command and ends it as soon as its owner is gone."""
    return (sys.executable, "-I", "-S", str(HERE / "supervise.py"), str(owner.pid), str(owner.ticks), *command)


class ProcessTable:
    """The processes of one cluster directory: their records (``run/``) and their logs (``logs/``)."""

    def __init__(self, directory: Path, owner: Identity | None = None) -> None:
        self._records = directory / "run"
        self._logs = directory / "logs"
        self._directory = directory
        # Those end with their owner; without one they run until they are stopped.
        self.owner = owner
        # Kept to collect the exit status of our own children: they would stay zombies.
        self._children: dict[str, subprocess.Popen[bytes]] = {}

    def log(self, name: str) -> Path:
        """The log of a process since it was last started."""
        return self._logs / f"{name}.log"

    def identity(self, name: str) -> Identity | None:
        """The process that runs under this name now, if any."""
        record = self._record(name)
        if record and record[0].alive():
            return record[0]
        self._reap(name)
        return None

    def up_to_date(self, process: Process) -> bool:
        """Does it run, with this command line, these inputs and this owner?"""
        record = self._record(process.name)
        return record is not None and record[0].alive() and record[1] == self._fingerprint(process)

    def spawn(self, process: Process) -> None:
        """Start it, in a process group of its own."""
        for directory in (self._records, self._logs):
            private_directory(directory)
        fingerprint = self._fingerprint(process)
        with self._new_log(process.name) as log, undisturbed():
            child = subprocess.Popen(
                self._command(process), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self._directory,
                env=_environment(), start_new_session=True, umask=0o077,
            )  # fmt: skip
            self._children[process.name] = child
            # None: it is over already; no process has these ticks, so the record then names nobody.
            record = {"pid": child.pid, "ticks": start_ticks(child.pid) or 0, "fingerprint": fingerprint}
            write_private(self._records / f"{process.name}.json", json.dumps(record))

    def wait_ready(self, process: Process) -> None:
        """Return when it says that it is ready; raise with the end of its log if it ends, or takes too long."""
        deadline = time.monotonic() + process.ready_seconds
        while not process.ready():
            if self.identity(process.name) is None:
                raise self._failure(process.name, "ended instead of starting")
            if time.monotonic() > deadline:
                raise self._failure(process.name, f"was not ready after {process.ready_seconds:.0f} s")
            time.sleep(_READY_POLL_SECONDS)

    def stop(self, name: str, seconds: float = STOP_SECONDS) -> None:
        """Ask it to end, and after so many seconds make it end, with all of its process group."""
        identity = self.identity(name)
        if identity:
            for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, 10.0)):
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(identity.pid, number)
                if self._gone(name, identity.pid, patience):
                    break
            else:
                raise KitError(
                    f"{name} (pid {identity.pid}) does not end even after SIGKILL: see with ps what blocks it."
                )
        (self._records / f"{name}.json").unlink(missing_ok=True)

    def _reap(self, name: str) -> None:
        """Collect the exit status of a child that has ended."""
        child = self._children.pop(name, None)
        if child:
            child.wait(timeout=10)

    def _command(self, process: Process) -> tuple[str, ...]:
        return supervised(process.argv, self.owner) if self.owner else process.argv

    def _fingerprint(self, process: Process) -> str:
        digest = hashlib.sha256(json.dumps(self._command(process)).encode())
        for path in process.inputs:
            digest.update(path.read_bytes())
        return digest.hexdigest()

    def _record(self, name: str) -> tuple[Identity, str] | None:
        try:
            record = json.loads((self._records / f"{name}.json").read_text())
        except FileNotFoundError:
            return None
        return Identity(record["pid"], record["ticks"]), record["fingerprint"]

    @contextlib.contextmanager
    def _new_log(self, name: str) -> Iterator[int]:
        # What a crashed process said last is worth more than what its successor says first.
        with contextlib.suppress(FileNotFoundError):
            self.log(name).replace(self._logs / f"{name}.previous.log")
        descriptor = os.open(self.log(name), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def _gone(self, name: str, group: int, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        # A killed supervisor is gone sooner than the process below it, which holds the port.
        while self.identity(name) or _lives(group):
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_SECONDS)
        return True

    def _failure(self, name: str, what: str) -> KitError:
        text = self.log(name).read_text(errors="replace")
        message = f"{name} {what}; the end of its log ({self.log(name)}):\n{tail(text)}"
        return PortTakenError(message, name) if "address already in use" in text else KitError(message)


def _lives(group: int) -> bool:
    """Is there a process in this process group?"""
    facts = (group_and_start(int(entry)) for entry in os.listdir("/proc") if entry.isdigit())
    return any(each is not None and each[0] == group for each in facts)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold Ctrl-C, SIGTERM and SIGHUP back until the block is done.

    Between a process's start and its record, for one, nobody would know whom to stop.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # Python handles signals in the main thread only.
        return
    held: list[int] = []
    before = {int(number): signal.signal(number, lambda it, dummy: held.append(it)) for number in _ENDING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for number in held:
            signal.raise_signal(number)


def _environment() -> dict[str, str]:
    # Credentials and proxies in the user's environment are none of a test cluster's business.
    return {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
