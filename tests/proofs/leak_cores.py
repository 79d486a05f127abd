# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The ansible-cores that leaks are looked for in: the one that runs this, the oldest line supported and the newest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from cluster.files import exclusive, lock_beside, private_directory
from cluster.kit import CONSTRAINTS, KitError, cache_directory, progress, tail

_NEEDED = ("ansible-core", "kubernetes", "PyYAML")
_PIN = re.compile(r"^ansible-core==(\S+) *; *(.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Core:
    """An installed ansible-core.

    Attributes:
        version: of ansible-core.
        bin: the directory with its programs.
    """

    version: str
    bin: Path

    @property
    def python(self) -> Path:
        """The interpreter."""
        return self.bin / "python"


@dataclass(frozen=True)
class Wanted:
    """An ansible-core to be installed.

    Attributes:
        version: of ansible-core.
        pythons: the interpreters it runs on, best first.
    """

    version: str
    pythons: tuple[str, ...]


def own() -> Core:
    """The one that belongs to this interpreter."""
    return Core(version("ansible-core"), Path(sys.executable).parent)


def others() -> tuple[Wanted, ...]:
    """The oldest and the newest that are pinned, unless one of them is this interpreter's own."""
    pins = {marker: number for number, marker in _PIN.findall(CONSTRAINTS.read_text())}
    wanted = (
        Wanted(pins['extra == "oldest-core"'], ("3.11", "3.12", "3.10")),
        Wanted(pins['python_version >= "3.12"'], ("3.13", "3.12")),
    )
    return tuple(each for each in wanted if each.version != own().version)


def installed(wanted: Wanted) -> Core | None:
    """It, installed if need be; None if there is no Python for it.

    Raises:
        KitError: the installation failed.
    """
    python = next(_interpreters(wanted.pythons), None)
    if python is None:
        return None
    directory = cache_directory() / "environments" / _key(wanted, python)
    with exclusive(lock_beside(directory), lambda: progress(f"waiting for an installation of {wanted.version}")):
        if not (directory / ".complete").exists():
            progress(f"installing ansible-core {wanted.version} into an environment of its own")
            _install(wanted, python, directory)
    return Core(wanted.version, directory / "bin")


def _interpreters(versions: tuple[str, ...]) -> Iterator[str]:
    """Those that run: pyenv puts programs on PATH that fail."""
    for number in versions:
        found = [shutil.which(f"python{number}"), *map(str, sorted(_pyenv().glob(f"{number}.*/bin/python{number}")))]
        yield from (candidate for candidate in found if candidate and _runs(candidate))


def _pyenv() -> Path:
    return Path.home() / ".pyenv" / "versions"


def _runs(python: str) -> bool:
    return subprocess.run([python, "-c", "import ensurepip, venv"], capture_output=True, check=False).returncode == 0


def _key(wanted: Wanted, python: str) -> str:
    question = "import sys; print(sys.version, sys.base_prefix)"
    said = subprocess.run([python, "-c", question], capture_output=True, check=True)
    return "core-" + sha256(f"{wanted.version} {said.stdout!r} {_constraints(wanted)}".encode()).hexdigest()[:16]


def _constraints(wanted: Wanted) -> str:
    """All pins but those of ansible-core, of which there is one for each Python."""
    lines = CONSTRAINTS.read_text().splitlines()
    return "\n".join([*(line for line in lines if not _PIN.match(line)), f"ansible-core=={wanted.version}", ""])


def _install(wanted: Wanted, python: str, directory: Path) -> None:
    private_directory(directory.parent)
    _run(python, "-m", "venv", "--clear", str(directory))
    constraints = directory / "constraints.txt"
    constraints.write_text(_constraints(wanted))
    pip = (str(directory / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, "--constraint", str(constraints), *_NEEDED)
    (directory / ".complete").touch()


def _run(*command: str) -> None:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise KitError(
            f"An ansible-core could not be installed (is the package index reachable?):\n{tail(done.stdout)}"
        )
