# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Playbooks that run at the same time: real ansible-playbook processes, held at a gate until all are there.

Starting one takes a second, a task a fraction of that, and plays that come one after the other would prove nothing.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeAlias

from cluster.controlplane import Cluster
from proofs.tokens import COLLECTIONS

_ROUND_SECONDS = 300
_POLL_SECONDS = 0.05

# Says that a play has come, and waits until all have. Should nobody be left to open the gate, it falls open.
_GATE = """\
: > here.$$
dd bs=1 count=1 if=gate of=/dev/null 2>/dev/null
"""

# what a task of each play has to evaluate, as its condition for example
AT_THE_GATE = "lookup('ansible.builtin.pipe', 'sh gate.sh') == ''"

Task: TypeAlias = Mapping[str, Any]
Play: TypeAlias = subprocess.CompletedProcess[str]


def run_at_once(
    cluster: Cluster, directory: Path, plays: Sequence[Sequence[Task]], *, seconds: int = _ROUND_SECONDS
) -> list[Play]:
    """An ansible-playbook process for each of these lists of tasks, one of which has to wait at the gate."""
    (directory / "gate.sh").write_text(_GATE)
    with _gate(directory / "gate") as gate:
        running = [_start(cluster, directory, number, tasks) for number, tasks in enumerate(plays)]
        try:
            _wait_for_all(running, directory)
            os.write(gate, b"." * len(running))
            texts = [each.communicate(timeout=seconds)[0] for each in running]
        finally:
            for each in running:
                _end(each)
    return [Play(each.args, each.returncode, text) for each, text in zip(running, texts, strict=True)]


@contextmanager
def _gate(path: Path) -> Iterator[int]:
    """A pipe; every byte that is written to it lets one play through."""
    os.mkfifo(path, 0o600)
    gate = os.open(path, os.O_RDWR | os.O_CLOEXEC)
    try:
        yield gate
    finally:
        os.close(gate)


def _wait_for_all(running: Sequence[subprocess.Popen[str]], directory: Path) -> None:
    """Until all are at the gate, or one has failed before it came there."""
    deadline = time.monotonic() + _ROUND_SECONDS
    while len(list(directory.glob("here.*"))) < len(running) and time.monotonic() < deadline:
        if any(each.poll() is not None for each in running):
            return
        time.sleep(_POLL_SECONDS)


def _start(cluster: Cluster, directory: Path, number: int, tasks: Sequence[Task]) -> subprocess.Popen[str]:
    play = {"hosts": "localhost", "connection": "local", "gather_facts": False, "tasks": list(tasks)}
    path = directory / f"play-{number}.json"
    path.write_text(json.dumps([play]))
    return subprocess.Popen(
        [str(Path(sys.executable).with_name("ansible-playbook")), path.name],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=_environment(cluster),
        cwd=directory,
        text=True,
        start_new_session=True,
    )


def _end(play: subprocess.Popen[str]) -> None:
    """End a play that is still there, with everything it started."""
    if play.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(play.pid, signal.SIGKILL)
        play.wait()
    if play.stdout:
        play.stdout.close()


def _environment(cluster: Cluster) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("K8S_AUTH_", "KUBECONFIG"))}
    return {
        **inherited,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig),
    }


def failure(play: Play) -> str:
    """How a play failed, in a line."""
    fatal = [line for line in play.stdout.splitlines() if "fatal" in line or "ERROR" in line]
    return f"a play ended with {play.returncode}: {(fatal or ['it says nothing'])[-1][:300]}"
