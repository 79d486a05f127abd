# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Python environments of the kit's own, made on first use from the pins in constraints.txt. Standard library only."""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cluster.files import exclusive, lock_beside, private_directory
from cluster.kit import CONSTRAINTS, KitError, cache_directory, progress, tail

_PIN = re.compile(r"^([A-Za-z0-9._-]+)\s*==\s*([^\s;#]+)")


def pinned(name: str) -> list[str]:
    """The versions constraints.txt allows for a package: one, or several with environment markers."""
    try:
        lines = CONSTRAINTS.read_text().splitlines()
    except FileNotFoundError as error:
        raise KitError(f"The file with the pinned versions, {CONSTRAINTS}, is missing: restore it from git.") from error
    matches = [match for match in map(_PIN.match, lines) if match]
    versions = [match[2] for match in matches if _normalised(match[1]) == _normalised(name)]
    if not versions:
        raise KitError(f"{CONSTRAINTS} pins no {name}, which the cluster kit needs: add a line {name}==VERSION.")
    return versions


def has_pinned(name: str) -> bool:
    """Does the running interpreter have a pinned version of this package?"""
    try:
        return importlib.metadata.version(name) in pinned(name)
    except importlib.metadata.PackageNotFoundError:
        return False


def environment(*names: str, why: str = "") -> Path:
    """The directory of a virtual environment that holds these packages as pinned; made if it is missing."""
    directory = cache_directory() / "environments" / _key(names)
    if _usable(directory):
        return directory
    waiting = f"waiting for somebody else's installation of {', '.join(names)}"
    with exclusive(lock_beside(directory), lambda: progress(waiting)):
        if not _usable(directory):
            progress(f"installing {', '.join(names)} into an environment of the cluster kit's own" + why)
            _make(directory, names)
    return directory


def _normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _key(names: tuple[str, ...]) -> str:
    # The base prefix is part of it: an environment is a link to one interpreter, and breaks when that one goes away.
    pins = [f"{name}=={version}" for name in sorted(names) for version in pinned(name)]
    return hashlib.sha256("\n".join([sys.version, sys.base_prefix, *pins]).encode()).hexdigest()[:16]


def _usable(directory: Path) -> bool:
    return (directory / "bin" / "python").exists()


def _make(directory: Path, names: tuple[str, ...]) -> None:
    _require_venv()
    temporary = Path(tempfile.mkdtemp(dir=private_directory(directory.parent), prefix=".making-"))
    try:
        _run("could not make a virtual environment", sys.executable, "-m", "venv", str(temporary))
        _run(
            f"could not install {', '.join(names)} (is the package index reachable?)",
            *(str(temporary / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"),
            *("--constraint", str(CONSTRAINTS), *names),
        )
        shutil.rmtree(directory, ignore_errors=True)
        # Moving it breaks only the scripts' first lines; the kit runs "python -m" and programs, never those scripts.
        temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _require_venv() -> None:
    # Debian and Ubuntu ship venv without ensurepip; "python3 -m venv" then fails with two paragraphs.
    missing = [name for name in ("venv", "ensurepip") if importlib.util.find_spec(name) is None]
    if missing:
        raise KitError(
            f"{sys.executable} cannot make virtual environments because its module {missing[0]} is missing: "
            "install it (Debian and Ubuntu: apt-get install python3-venv) and try again."
        )


def _run(failure: str, *command: str) -> None:
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if result.returncode:
        raise KitError(f"The cluster kit {failure}:\n{tail(result.stdout)}")
