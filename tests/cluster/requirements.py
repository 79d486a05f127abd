# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a node asks of the machine, found out by doing it."""

from __future__ import annotations

import functools
import os
import subprocess
import tempfile
import time
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
    return _why_no_namespaces()


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
