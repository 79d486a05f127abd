# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one command for an owner: it ends when the owner ends, however that happens, and when this supervisor is killed.

usage: python supervise.py OWNER_PID OWNER_START_TICKS COMMAND...

A program of its own, started with -I -S for speed, so it imports nothing of the kit. Its exit status is the command's
(128 + the signal's number if a signal ended it).
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable

PR_SET_PDEATHSIG = 1
OWNER_CHECK_SECONDS = 0.2
LAST_SECONDS = 1.0


def start_ticks(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None if there is none (or only a zombie).

    With the pid this names one process for good: pids are used again, start times are not.
    """
    facts = group_and_start(pid)
    return facts[1] if facts else None


def group_and_start(pid: int) -> tuple[int, int] | None:
    """The process group and the start of a process; None as for :func:`start_ticks`."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as file:
            # proc(5) from the third field on; the second, the name, may hold anything, parentheses included.
            fields = file.read().rpartition(")")[2].split()
    except OSError:
        return None
    state, group, threads, ticks = fields[0], int(fields[2]), int(fields[17]), int(fields[19])
    # A zombie with threads is one whose threads still hold its ports and files.
    return None if state in "ZX" and threads <= 1 else (group, ticks)


def main(arguments: list[str]) -> int:
    """Run the command, watch it and its owner."""
    owner, ticks, command = int(arguments[0]), int(arguments[1]), arguments[2:]
    _let_signals_pass()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGCHLD})
    try:
        child = subprocess.Popen(command, preexec_fn=_die_with(os.getpid()))  # noqa: PLW1509 - there are no threads here
    except OSError as error:
        print(f"{command[0]} cannot be run: {error.strerror}", file=sys.stderr)
        return 127
    if not _leads_group():
        signal.signal(signal.SIGTERM, lambda *dummy: child.terminate())
    while child.poll() is None:
        if start_ticks(owner) != ticks:
            _kill(child)
        # Wakes at once when the child ends, and otherwise in time to look for the owner again.
        signal.sigtimedwait({signal.SIGCHLD}, OWNER_CHECK_SECONDS)
    return child.returncode if child.returncode >= 0 else 128 - child.returncode


def _let_signals_pass() -> None:
    # The command is in the same process group and gets the group's signals; it decides what they mean. A handler that
    # does nothing rather than SIG_IGN, because a command would inherit that.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *dummy: None)


def _die_with(supervisor: int) -> Callable[[], None]:
    # Loaded before the fork, since little is safe after it.
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def prepare() -> None:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGCHLD})
        prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != supervisor:
            os._exit(1)

    return prepare


def _leads_group() -> bool:
    return os.getpgrp() == os.getpid()


def _kill(child: subprocess.Popen[bytes]) -> None:
    if _leads_group():
        # Some have things to put in order, and this process takes no notice.
        os.killpg(0, signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(LAST_SECONDS)
        os.killpg(0, signal.SIGKILL)
    child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
