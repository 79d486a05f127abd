# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What tests of the kit use to run its command line and to see, from outside, what is there. Standard library only."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cluster.kit import HERE

TESTS = HERE.parent


def command(*arguments: str | Path) -> list[str]:
    """The command line of cluster.py with these arguments."""
    return [sys.executable, str(TESTS / "cluster" / "cluster.py"), *map(str, arguments)]


def kit(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run cluster.py to its end, with these variables besides."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        command(*arguments), env=environment, capture_output=True, text=True, timeout=120, check=False
    )


def pids(directory: Path) -> dict[str, int]:
    """The processes that the cluster in this directory has noted, by name."""
    return {path.stem: json.loads(path.read_text())["pid"] for path in (directory / "run").glob("*.json")}


def living(directory: Path) -> list[str]:
    """The command lines of all processes, whoever started them, that mention the directory."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            text = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(directory) in text:
            found.append(text)
    return found


def within(seconds: float, condition: Callable[[], bool]) -> bool:
    """Whether something comes true in time; returns as soon as it does."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


def claims(token: str) -> dict[str, Any]:
    """What a token says of itself."""
    payload = token.split(".")[1]
    decoded = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert isinstance(decoded, dict)
    return decoded
