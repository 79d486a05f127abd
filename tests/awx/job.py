# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A job as AWX runs it, without AWX: its credential injected, its survey answered, and ansible-runner to run it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

Inputs: TypeAlias = "Mapping[str, Any]"
Question: TypeAlias = "Mapping[str, Any]"


def injected(inputs: Inputs, directory: Path) -> dict[str, str]:
    """The environment that AWX makes of a credential of the type "OpenShift or Kubernetes API Bearer Token".

    It cannot be imported without AWX, so it is said again here. Source: awx_plugins.credentials.injectors,
    kubernetes_bearer_token (awx-plugins 0.2).

    Args:
        inputs: the fields of the credential; those that nobody filled in may be missing.
        directory: the private data directory of the job.
    """
    env = {"K8S_AUTH_HOST": inputs.get("host", ""), "K8S_AUTH_API_KEY": inputs.get("bearer_token", "")}
    if inputs.get("verify_ssl") and "ssl_ca_cert" in inputs:
        path = directory / "env" / "ssl_ca_cert"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(inputs["ssl_ca_cert"])
        return {**env, "K8S_AUTH_VERIFY_SSL": "True", "K8S_AUTH_SSL_CA_CERT": str(path)}
    return {**env, "K8S_AUTH_VERIFY_SSL": "False"}


def answered(survey: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The extra variables that come of a survey: what was answered, else the default, which may be an empty text.

    Source: AWX, awx/main/models/mixins.py, SurveyJobTemplateMixin._update_unified_job_kwargs.
    """
    defaults = {question["variable"]: question["default"] for question in survey["spec"]}
    return {**defaults, **given}


@dataclass(frozen=True)
class Job:
    """A finished job.

    Attributes:
        rc: the exit status of ansible-playbook.
        stdout: what AWX shows.
        events: the names of the events, in order.
    """

    rc: int
    stdout: str
    events: tuple[str, ...]


def run_job(
    directory: Path, project: Path, playbook: str, env: Mapping[str, str], extra_vars: Mapping[str, Any]
) -> Job:
    """Run a playbook of a project in a private data directory, laid out as AWX does it.

    Args:
        directory: the private data directory; what a job before left there stays.
        project: where the playbooks are.
        playbook: its file name.
        env: the environment of the job.
        extra_vars: from the survey.
    """
    shutil.copytree(project, directory / "project", dirs_exist_ok=True)
    files = {
        "inventory/hosts": "localhost ansible_connection=local\n",
        "env/envvars": json.dumps({**env, "ANSIBLE_NOCOLOR": "1"}),
        "env/extravars": json.dumps(extra_vars),
        "env/settings": json.dumps({"idle_timeout": 0, "job_timeout": 240}),
    }
    for name, text in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    ident = f"job-{len(list((directory / 'artifacts').glob('*')))}"
    runner = str(Path(sys.executable).with_name("ansible-runner"))
    command = [runner, "run", str(directory), "--playbook", playbook, "--ident", ident, "--quiet"]
    subprocess.run(command, check=False, capture_output=True, timeout=300)
    made = directory / "artifacts" / ident
    events = sorted((made / "job_events").glob("[0-9]*.json"), key=lambda path: int(path.name.partition("-")[0]))
    names = tuple(str(json.loads(path.read_text())["event"]) for path in events)
    return Job(int((made / "rc").read_text()), (made / "stdout").read_text(), names)
