# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node asks of the machine, found out by doing it."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from cluster.namespaces import cgroups
from cluster.node import HOLDER_COMMAND, Held, runc

_TRY_SECONDS = 20


@functools.cache
def why_no_node() -> str | None:
    """Why no node can run on this machine, as a clause; None if one can."""
    if os.geteuid() != 0:
        return "only root can run one"
    if runc() is None:
        return "runc is missing (Debian and Ubuntu: apt-get install runc)"
    if not os.access("/dev/kmsg", os.R_OK):
        return "the kubelet needs /dev/kmsg, which containers have only if they are privileged"
    if not cgroups(""):
        return "no control groups are mounted here (below /sys/fs/cgroup)"
    return _why_no_namespaces() or _why_no_containers(str(runc()))


def _why_no_namespaces() -> str | None:
    with tempfile.TemporaryDirectory() as directory:
        record = Path(directory, "record")
        Path(directory, "node").mkdir()
        command = [*HOLDER_COMMAND, str(record), f"tokenwright-try-{os.getpid()}"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as holder:
            deadline = time.monotonic() + _TRY_SECONDS
            while not Held(record).passes() and holder.poll() is None and time.monotonic() < deadline:
                time.sleep(0.02)
            made = Held(record).passes()
            holder.terminate()
            said = holder.communicate()[1]
    return None if made else f"this machine does not let it have mounts and processes of its own ({said.strip()})"


def _why_no_containers(program: str) -> str | None:
    """A program of this machine in a container with limits, as the kubelet has its own run."""
    with tempfile.TemporaryDirectory() as directory:
        options = [f"--bundle={directory}", f"tokenwright-try-{os.getpid()}"]
        try:
            _write_bundle(program, Path(directory))
            _said_by([program, f"--root={directory}/state", "run", *options])
        except subprocess.TimeoutExpired:
            return f"runc starts no container within {_TRY_SECONDS} seconds"
        except subprocess.CalledProcessError as error:
            last = (error.stderr.strip().splitlines() or ["it does not say why"])[-1]
            return f"runc cannot run a container here ({last})"
    return None


def _said_by(command: Sequence[str]) -> str:
    return subprocess.run(
        command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=_TRY_SECONDS, check=True
    ).stdout


def _write_bundle(program: str, bundle: Path) -> None:
    """What runc takes: a directory for its root and what is to be run in it. Source: OCI runtime specification 1.0."""
    _said_by([program, "spec", f"--bundle={bundle}"])
    path, root = bundle / "config.json", bundle / "rootfs"
    root.mkdir()
    config = json.loads(path.read_text())
    mounts = [mount for mount in config["mounts"] if mount["destination"] == "/proc"]
    for place in map(Path, ("/bin", "/lib", "/lib64", "/usr")):
        if place.is_symlink():
            (root / place.name).symlink_to(place.readlink())
        elif place.exists():
            mounts.append({"destination": f"{place}", "source": f"{place}", "type": "bind", "options": ["rbind", "ro"]})
    config |= {"mounts": mounts, "root": {"path": "rootfs"}}
    config["process"] |= {"terminal": False, "args": ["true"]}
    config["linux"]["resources"] = {"memory": {"limit": 64 << 20}, "pids": {"limit": 16}}
    path.write_text(json.dumps(config))
