# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Jobs as AWX hands them to ansible-runner, and everything that they leave behind.

A job is a private data directory: a project, an inventory that is a program, the environment that credentials make, the
answers of a survey as texts that are not templates. It is run in one process, or sent to a worker through pipes and
its answer taken in again, as AWX does with container groups and remote nodes.

AWX masks the credential of a job in what it keeps; ansible-runner alone notes the environment in C(command) and in the
first status of the worker's answer. Those, and where it is handed over, are the surfaces in C(GIVEN).
"""

from __future__ import annotations

import base64
import io
import json
import os
import subprocess
import sys
import zipfile
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.files import private_directory, write_private
from proofs.leak_secrets import Hunt, Secret
from proofs.tokens import COLLECTIONS

_RUNNER = (sys.executable, "-m", "ansible_runner")
_IDENT = "job"
_SECONDS = 300
_AUTHORITY = "env/authority.crt"

# where the credential of the job itself is by nature
GIVEN = frozenset({"env", "command", "worker: env", "worker: command", "sent", "answered: status"})


@dataclass(frozen=True)
class Job:
    """What AWX would write.

    Attributes:
        playbook: the text of the playbook in its project.
        inventory: host variables by host.
        environment: what the credentials make.
        answers: of the survey, and other extra variables.
        authority: a certificate, whose path becomes K8S_AUTH_SSL_CA_CERT.
        options: of ansible-playbook.
    """

    playbook: str
    inventory: Mapping[str, Mapping[str, Any]]
    environment: Mapping[str, str]
    answers: Mapping[str, str]
    authority: Path | None = None
    options: Sequence[str] = ()


@dataclass(frozen=True)
class Done:
    """What came of a job.

    Attributes:
        status: ansible-runner's word for it.
        rc: the exit status of ansible-playbook.
        events: the job events, in order.
        surfaces: everything that there is now, by where it is.
    """

    status: str
    rc: int
    events: Sequence[Mapping[str, Any]]
    surfaces: Mapping[str, bytes]

    def of(self, kind: str) -> list[Mapping[str, Any]]:
        """What events of a kind tell."""
        return [event["event_data"] for event in self.events if event["event"] == kind]

    def said(self, task: str) -> list[Any]:
        """What the task of this name printed, for each host on which it ran."""
        return [about["res"]["msg"] for about in self.of("runner_on_ok") if about["task"] == task]

    def hits(self, secrets: Sequence[Secret], given: str) -> dict[str, set[str]]:
        """On which surfaces a secret was found; what was given to the job is looked for where it need not be."""
        hunt = Hunt([*secrets, Secret("the credential of the job", given)])
        found = {
            surface: hunt.hits(content.replace(given.encode(), b"") if surface in GIVEN else content)
            for surface, content in self.surfaces.items()
        }
        return {surface: hits for surface, hits in found.items() if hits}


def run(job: Job, directory: Path) -> Done:
    """In one process."""
    place = _written(job, directory / "job", directory / "job")
    command = [*_RUNNER, "run", str(place), "--playbook=play.yml", f"--ident={_IDENT}"]
    done = subprocess.run(
        command, env=_environment(directory), stdin=subprocess.DEVNULL, capture_output=True, timeout=_SECONDS,
        check=False,
    )  # fmt: skip
    output = {"standard output": done.stdout, "standard error": done.stderr}
    return _done(place, {**output, **_files(place, "")})


def run_through_pipes(job: Job, directory: Path) -> Done:
    """Transmitted, run by a worker, and processed: three processes, and what goes between them is kept."""
    worker = private_directory(directory / "worker")
    sender, receiver = _written(job, directory / "sender", worker), private_directory(directory / "receiver")
    commands = [
        [*_RUNNER, "transmit", str(sender), "--playbook=play.yml", f"--ident={_IDENT}"],
        ["tee", str(directory / "sent")],
        [*_RUNNER, "worker", f"--private-data-dir={worker}"],
        ["tee", str(directory / "answered")],
        [*_RUNNER, "process", str(receiver), f"--ident={_IDENT}"],
    ]
    output, errors = _piped(commands, directory)
    surfaces = {"standard output": output, "standard error": errors, "sent": _read_stream(directory / "sent")[1]}
    surfaces |= dict(zip(("answered: status", "answered"), _read_stream(directory / "answered"), strict=True))
    return _done(receiver, {**surfaces, **_files(receiver, ""), **_files(worker, "worker: ")})


def _written(job: Job, place: Path, seen_at: Path) -> Path:
    """The private data directory, which whoever runs the job sees at another place.

    A worker's standard output is its answer, so the job must not print into it.
    """
    for name in ("project", "inventory", "env"):
        private_directory(place / name)
    environment = {"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), **job.environment}
    if job.authority:
        write_private(place / _AUTHORITY, job.authority.read_bytes())
        environment["K8S_AUTH_SSL_CA_CERT"] = str(seen_at / _AUTHORITY)
    write_private(place / "project/play.yml", job.playbook)
    write_private(place / "env/envvars", json.dumps(environment))
    write_private(place / "env/extravars", "".join(_unsafe(name, text) for name, text in job.answers.items()))
    write_private(
        place / "env/settings", json.dumps({"job_timeout": _SECONDS, "suppress_ansible_output": place != seen_at})
    )
    write_private(place / "env/cmdline", " ".join(job.options))
    write_private(place / "inventory/hosts", _inventory_program(job.inventory))
    (place / "inventory/hosts").chmod(0o700)
    return place


def _unsafe(name: str, text: str) -> str:
    """A text that is no template, whatever braces are in it."""
    return f"!unsafe {json.dumps(name)}: !unsafe {json.dumps(text)}\n"


def _inventory_program(hosts: Mapping[str, Mapping[str, Any]]) -> str:
    data = json.dumps({"all": {"hosts": list(hosts)}, "_meta": {"hostvars": hosts}})
    return f"#! /usr/bin/env python3\nprint({data!r})\n"


def _environment(directory: Path) -> dict[str, str]:
    """Nothing of it is about clusters."""
    home = private_directory(directory / "home")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return {"PATH": path, "HOME": str(home), "LANG": "C.UTF-8", "ANSIBLE_NOCOLOR": "1"}


def _piped(commands: Sequence[Sequence[str]], directory: Path) -> tuple[bytes, bytes]:
    """The standard output of the last of these processes, and the standard error of all."""
    environment, errors = _environment(directory), directory / "stderr"
    processes: list[subprocess.Popen[bytes]] = []
    with errors.open("ab") as stderr:
        try:
            for command in commands:
                before = processes[-1].stdout if processes else subprocess.DEVNULL
                processes.append(
                    subprocess.Popen(command, env=environment, stdin=before, stdout=subprocess.PIPE, stderr=stderr)
                )
                if not isinstance(before, int) and before:
                    before.close()
            output, dummy = processes[-1].communicate(timeout=_SECONDS)
        finally:
            for process in processes:
                process.kill()
                process.wait()
    return output, errors.read_bytes()


def _read_stream(path: Path) -> tuple[bytes, bytes]:
    """The status that tells of the start, and all else with what was packed taken apart."""
    source = io.BytesIO(path.read_bytes())
    status: list[bytes] = []
    rest: list[bytes] = []
    while line := source.readline():
        told = json.loads(line)
        if "zipfile" in told:
            encoded = source.read((told["zipfile"] + 2) // 3 * 4)
            rest += _unpacked(base64.b64decode(encoded))
        (status if told.get("status") == "starting" else rest).append(line)
    return b"".join(status), b"\n".join(rest)


def _unpacked(content: bytes) -> Iterator[bytes]:
    """The files, but for what ansible-runner notes of the environment; that is looked at where it is unpacked."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for name in archive.namelist():
            if Path(name).name != "command":
                yield archive.read(name)


def _files(place: Path, prefix: str) -> dict[str, bytes]:
    """All files below a private data directory, by what they are."""
    found: dict[str, list[bytes]] = defaultdict(list)
    for path in sorted(path for path in place.rglob("*") if path.is_file()):
        parts = path.relative_to(place).parts
        name = parts[2] if parts[0] == "artifacts" and len(parts) > 2 else parts[0]
        found[prefix + name] += [str(path).encode(), path.read_bytes()]
    return {name: b"\n".join(contents) for name, contents in found.items()}


def _done(place: Path, surfaces: Mapping[str, bytes]) -> Done:
    artefacts = place / "artifacts" / _IDENT
    paths = sorted((artefacts / "job_events").glob("*.json"), key=lambda path: int(path.name.partition("-")[0]))
    status, rc = ((artefacts / name).read_text() for name in ("status", "rc"))
    return Done(status, int(rc), [json.loads(path.read_text()) for path in paths], surfaces)
