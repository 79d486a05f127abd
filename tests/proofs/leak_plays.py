# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays of the leak check, and everything they leave behind: by ansible-playbook, and by ansible-runner."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from cluster.files import private_directory
from proofs.leak_cores import Core
from proofs.leak_processes import Watch
from proofs.leak_syslog import Syslog

_ROOT = Path(__file__).resolve().parents[2]
_SECONDS = 600

SURFACES = (
    "standard output",
    "standard error",
    "log file",
    "JUnit report",
    "fact cache",
    "job events",
    "syslog",
    "arguments",
    "environments",
    "job files of async",
    "leftover files",
)


@dataclass(frozen=True)
class Way:
    """How a play is run.

    Attributes:
        core: with which ansible-core.
        shipped: whether modules are shipped; otherwise they run in the controller where they can.
        runner: by ansible-runner.
        check: in check mode.
        environment: more of it.
    """

    core: Core
    shipped: bool = False
    runner: bool = False
    check: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        words = [self.core.version, "shipped" if self.shipped else "here"]
        return " ".join([*words, *(word for word, said in (("runner", self.runner), ("check", self.check)) if said)])

    @property
    def interpreter(self) -> str:
        """Another spelling of the same interpreter cannot be recognised as the controller's: the module is shipped."""
        return str(self.core.bin / ".." / "bin" / "python") if self.shipped else "{{ ansible_playbook_python }}"


@dataclass(frozen=True)
class Remains:
    """What a play has left.

    Attributes:
        rc: its exit status.
        surfaces: what was on each surface that was looked at.
        processes: how many were seen.
    """

    rc: int
    surfaces: Mapping[str, bytes]
    processes: int


def play(way: Way, directory: Path, tasks: Sequence[Mapping[str, Any]], variables: Path) -> Remains:
    """Run tasks in a directory of their own.

    Args:
        way: how.
        directory: does not exist yet.
        tasks: as Ansible reads them.
        variables: a file with the variables.
    """
    project = private_directory(directory / "project")
    for name in ("home", "tmp", "junit", "facts", "async"):
        private_directory(directory / name)
    header = {"hosts": "localhost", "gather_facts": False, "vars_files": [str(variables)]}
    text = yaml.safe_dump([{**header, "vars": {"ansible_python_interpreter": way.interpreter}, "tasks": list(tasks)}])
    (project / "play.yml").write_text(text)
    mark = uuid.uuid4().hex
    with Syslog(directory / "syslog") as syslog:
        command = syslog.reaching(_command(way, directory)) if syslog.available else _command(way, directory)
        with (directory / "stdout").open("wb") as output, (directory / "stderr").open("wb") as errors:
            process = subprocess.Popen(
                command, cwd=project, env=_environment(way, directory, mark), stdin=subprocess.DEVNULL,
                stdout=output, stderr=errors,
            )  # fmt: skip
        with Watch(process.pid, mark) as watch:
            rc = _ended(process)
    return Remains(rc, _surfaces(way, directory, watch, syslog), watch.seen)


def _ended(process: subprocess.Popen[bytes]) -> int:
    try:
        return process.wait(_SECONDS)
    finally:
        process.kill()


def _command(way: Way, directory: Path) -> list[str]:
    options = ["-vvvv", "--diff", *(["--check"] if way.check else [])]
    if not way.runner:
        return [str(way.core.python), str(way.core.bin / "ansible-playbook"), "play.yml", *options]
    # it takes the ansible-playbook that is first on PATH
    runner = [sys.executable, "-m", "ansible_runner", "run", str(directory), "--playbook=play.yml", "--ident=run"]
    return [*runner, f"--cmdline={' '.join(options)}"]


def _environment(way: Way, directory: Path, mark: str) -> dict[str, str]:
    # Ansible finds some of these from HOME and some from the list of users
    hidden = directory / "home" / ".ansible"
    return {
        "ANSIBLE_HOME": str(hidden),
        "ANSIBLE_REMOTE_TEMP": str(hidden / "tmp"),
        "ANSIBLE_LOCAL_TEMP": str(hidden / "tmp"),
        "ANSIBLE_ASYNC_DIR": str(directory / "async"),
        "PATH": f"{way.core.bin}:{os.environ['PATH']}",
        "LANG": "C.UTF-8",
        "HOME": str(directory / "home"),
        "TMPDIR": str(directory / "tmp"),
        "LEAK_CHECK": mark,
        "ANSIBLE_COLLECTIONS_PATH": str(_ROOT / ".cache" / "collections"),
        "ANSIBLE_LIBRARY": str(_ROOT / "tests" / "proofs" / "data"),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_LOG_PATH": str(directory / "ansible.log"),
        "ANSIBLE_CALLBACKS_ENABLED": "ansible.builtin.junit",
        "JUNIT_OUTPUT_DIR": str(directory / "junit"),
        "ANSIBLE_CACHE_PLUGIN": "ansible.builtin.jsonfile",
        "ANSIBLE_CACHE_PLUGIN_CONNECTION": str(directory / "facts"),
        # as much as can be had: tracebacks from 2.19 on, options in results from 2.21 on
        "ANSIBLE_DISPLAY_TRACEBACK": "always",
        "ANSIBLE_INJECT_INVOCATION": "True",
        **way.environment,
    }


def _surfaces(way: Way, directory: Path, watch: Watch, syslog: Syslog) -> dict[str, bytes]:
    found = {
        "standard output": (directory / "stdout").read_bytes(),
        "standard error": (directory / "stderr").read_bytes(),
        "log file": _content(directory / "ansible.log"),
        "JUnit report": _content(directory / "junit"),
        "fact cache": _content(directory / "facts"),
        "arguments": watch.arguments,
        "environments": watch.environments,
        "job files of async": _content(directory / "async"),
        "leftover files": _content(directory / "tmp") + _content(directory / "home"),
    }
    if way.runner:
        found["job events"] = _content(directory / "artifacts")
    if syslog.available:
        found["syslog"] = syslog.messages
    return found


def _content(place: Path) -> bytes:
    """A file, or all files below a directory, with their names."""
    files = [place] if place.is_file() else sorted(path for path in place.rglob("*") if path.is_file())
    return b"\n".join(str(path).encode() + b"\n" + path.read_bytes() for path in files)
