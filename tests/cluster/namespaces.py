# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node's own processes and mounts: all of them end with one process, and what they change outside is little.

usage: python namespaces.py hold RECORD CGROUP        keeps the namespaces until it is ended
       python namespaces.py enter RECORD COMMAND...   runs a command inside; its exit status is the command's

Containers outlive containerd and the kubelet, and mounts outlive everybody. But in a PID namespace the kernel ends all
processes when the first one ends, and the mounts of a mount namespace go with its last process. Only control groups
stay behind: the holder removes them. A program of its own, started with -I -S, so it imports nothing of the kit.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

_NEW_MOUNTS, _NEW_PROCESSES = 0x00020000, 0x20000000  # CLONE_NEWNS, CLONE_NEWPID
_PRIVATE, _RECURSIVE, _BIND = 1 << 18, 1 << 14, 1 << 12  # MS_PRIVATE, MS_REC, MS_BIND
_SET_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG
_REMOVAL_SECONDS = 5.0
# Where the directory "node" beside the record is inside: sockets in it need a short name.
INSIDE = "/run/node"
# Where the programs of a node write outside of the directories they are given: they see a copy, which is thrown away.
_SHADOWED = ("/etc", "/opt", "/usr", "/var")
# The controllers without which there is no kubelet; in version 1 each of them is a hierarchy of its own.
_NEEDED = {"cpu", "memory", "pids"}
# What the kubelet sets for the whole machine, in /proc/sys.
_SETTINGS = (
    *("vm/overcommit_memory", "vm/panic_on_oom", "kernel/panic", "kernel/panic_on_oops"),
    *("kernel/keys/root_maxkeys", "kernel/keys/root_maxbytes"),
)
# Loaded before any fork, since little is safe after it.
_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: list[str]) -> int:
    """Do what the first argument says; a refusal by the kernel is one line."""
    action, record, *rest = arguments
    try:
        return hold(Path(record), rest[0]) if action == "hold" else enter(Path(record), rest)
    except OSError as error:
        print(f"namespaces.py {action}: {error}", file=sys.stderr)
        return 1


def hold(record: Path, cgroup: str) -> int:
    """Make the namespaces, write the record as soon as they can be entered, and clean up when told to end."""
    awaited = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    signal.pthread_sigmask(signal.SIG_BLOCK, awaited)
    groups = cgroups(cgroup)
    remove_cgroups(groups)
    try:
        for group in groups:
            _make_cgroup(group)
        first, ready = _start_first(record.parent)
        if ready:
            record.write_text(json.dumps({"pid": first, "namespace": ready}))
            signal.sigwait(awaited)
        os.kill(first, signal.SIGKILL)
        # Returns when all processes of the namespace are gone.
        os.waitpid(first, 0)
    finally:
        remove_cgroups(groups)
    return 0 if ready else 1


def _start_first(directory: Path) -> tuple[int, str]:
    """Start the first process in namespaces of its own: its pid, and once all is mounted the name of the namespace."""
    # Soon there is another /proc here, in which this process is not.
    known = os.open("/proc/self/ns", os.O_PATH)
    _call("unshare", _NEW_MOUNTS | _NEW_PROCESSES)
    read, write = os.pipe()
    first = os.fork()
    if not first:
        os.close(read)
        _be_first(directory, write)
    os.close(write)
    return first, os.readlink("pid_for_children", dir_fd=known) if os.read(read, 1) else ""


def inside(record: Path) -> int | None:
    """The first process of the namespaces that a record names; None if they are gone."""
    try:
        noted = json.loads(record.read_text())
        # A pid is used again, but by a process in another namespace.
        return int(noted["pid"]) if os.readlink(f"/proc/{noted['pid']}/ns/pid") == noted["namespace"] else None
    except (OSError, ValueError):
        return None


def enter(record: Path, command: list[str]) -> int:
    """Run a command in the namespaces that a record names, and end it when this process ends."""
    first, here = inside(record), os.getcwd()
    if first is None:
        raise ProcessLookupError(f"the namespaces of {record} are gone")
    for name in ("pid", "mnt"):
        _call("setns", os.open(f"/proc/{first}/ns/{name}", os.O_RDONLY | os.O_CLOEXEC), 0)
    os.chdir(here)
    # A handler that does nothing rather than SIG_IGN, because a command would inherit that. The signals of the process
    # group reach the command too, which decides what they mean.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        signal.signal(number, lambda *dummy: None)
    # What Pods are to read is made with the mode of its directory; nobody else gets past the one above all.
    os.umask(0o022)
    alive, dead = os.pipe()
    status = subprocess.Popen(command, preexec_fn=lambda: _die_with_parent(alive, dead)).wait()  # noqa: PLW1509 - there are no threads here
    return status if status >= 0 else 128 - status


def cgroups(name: str) -> list[Path]:
    """The control group of this name in every hierarchy that there is."""
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    places = {Path(fields[1]) for fields in lines if fields[2] in ("cgroup", "cgroup2")}
    # Others may be mounted elsewhere once more, for purposes of their own.
    return sorted(place / name for place in places if place.is_relative_to("/sys/fs/cgroup"))


def remove_cgroups(groups: Sequence[Path]) -> None:
    """Remove control groups with all below them; their processes have ended before."""
    deadline = time.monotonic() + _REMOVAL_SECONDS
    while any(list(map(_remains, groups))) and time.monotonic() < deadline:
        # What has just ended is still counted for a moment.
        time.sleep(0.02)


def _be_first(directory: Path, ready: int) -> NoReturn:
    """Be the process that all others of the namespace end with."""
    try:
        _call("prctl", _SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
        # Orphans come to the first process, and are to leave no zombies.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        _mount_own(directory)
        # Fails if the holder died before its death could be noticed.
        os.write(ready, b".")
        os.close(ready)
        while True:
            signal.pause()
    except OSError as error:
        print(f"namespaces.py hold: {error}", file=sys.stderr, flush=True)
    finally:
        os._exit(1)


def _mount_own(directory: Path) -> None:
    """Give the namespace mounts of its own; only the directory stays the one that everybody sees."""
    kept, node = os.open(directory, os.O_PATH), os.open(directory / "node", os.O_PATH)
    _mount("none", "/", "", _PRIVATE | _RECURSIVE)
    _mount("proc", "/proc", "proc")
    for name in _SETTINGS:
        _shadow_setting(Path("/proc/sys", name), directory / "node" / "settings" / name)
    # Sockets, locks and the state of containers, which are not to be found again after a crash.
    _mount("tmpfs", "/run", "tmpfs")
    for number, shadowed in enumerate(_SHADOWED):
        changes = Path("/run/shadows", str(number))
        for part in ("upper", "work"):
            (changes / part).mkdir(parents=True)
        _mount(
            "overlay", shadowed, "overlay", data=f"lowerdir={shadowed},upperdir={changes}/upper,workdir={changes}/work"
        )
    for descriptor, place in ((kept, directory), (node, Path(INSIDE))):
        place.mkdir(parents=True, exist_ok=True)
        _mount(f"/proc/self/fd/{descriptor}", str(place), "", _BIND)
        os.close(descriptor)


def _shadow_setting(setting: Path, copy: Path) -> None:
    if setting.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(setting.read_text())
        _mount(str(copy), str(setting), "", _BIND)


def _die_with_parent(alive: int, dead: int) -> None:
    _libc.prctl(_SET_DEATH_SIGNAL, int(signal.SIGKILL), 0, 0, 0)
    # Across namespaces a parent has no pid; but when it is gone, nobody holds the other end of the pipe.
    os.close(dead)
    os.set_blocking(alive, False)
    with contextlib.suppress(BlockingIOError):
        os.read(alive, 1)
        os._exit(1)


def _mount(source: str, target: str, kind: str, flags: int = 0, data: str = "") -> None:
    _call("mount", source.encode(), target.encode(), kind.encode(), ctypes.c_ulong(flags), data.encode())


def _call(name: str, *arguments: object) -> None:
    """Call a function of libc that returns 0; raises OSError with what it was about."""
    if getattr(_libc, name)(*arguments):
        number = ctypes.get_errno()
        what = " ".join(argument.decode() for argument in arguments if isinstance(argument, bytes) and argument)
        raise OSError(number, f"{name} {what}: {os.strerror(number)}")


def _make_cgroup(group: Path) -> None:
    """Make a control group which, in version 2, gets the controllers that its parent has."""
    offered = group.parent / "cgroup.controllers"
    controllers = offered.read_text().split() if offered.exists() else []
    for name in controllers:
        with contextlib.suppress(OSError):
            (group.parent / "cgroup.subtree_control").write_text(f"+{name}")
    group.mkdir()
    got = (group / "cgroup.controllers").read_text().split() if controllers else []
    if missing := sorted(_NEEDED.intersection(controllers).difference(got)):
        raise OSError(f"control groups cannot have the controllers {', '.join(missing)}")


def _remains(group: Path) -> bool:
    """Remove a control group with all below it, as far as that goes; is anything left?"""
    for directory, *dummy in os.walk(group, topdown=False):
        with contextlib.suppress(OSError):
            os.rmdir(directory)
    return group.exists()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
