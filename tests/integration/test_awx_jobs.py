# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The project of examples/awx as AWX runs it: injected credentials and answered surveys, through ansible-runner."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx.job import Job, answered, injected, run_job
from cluster.controlplane import Cluster
from conftest import COLLECTIONS, ROOT, Play
from faults.workloads import create, live, template_of, workload

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._findings import RISKS

PROJECT = ROOT / "examples/awx"
SURVEYS = {path.stem: json.loads(path.read_text()) for path in (ROOT / "playbooks/files/awx").glob("*.json")}
PLAYBOOKS = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
# Which of the role's entry points a playbook runs; what a survey asks for has to be one of its options.
ENTRY_POINTS = {
    "provision": ("service_accounts", "main"),
    "renew": ("service_accounts", "renew"),
    "revoke": ("service_accounts", "revoke"),
    "verify_access": ("service_accounts", "verify_access"),
    "migrate_legacy": ("legacy_tokens", "migrate"),
}
QUESTION = {"question_name", "question_description", "required", "type", "variable", "min", "max", "default", "choices"}

Launch = Callable[..., Job]


@pytest.fixture
def inputs(cluster: Cluster, namespace: str) -> dict[str, Any]:
    """The fields of a credential with the token of an account that may do everything."""
    cluster.kubectl("create", "serviceaccount", "awx", "-n", namespace)
    grant = ["--clusterrole=cluster-admin", f"--serviceaccount={namespace}:awx"]
    cluster.kubectl("create", "clusterrolebinding", f"{namespace}-awx", *grant)
    token = cluster.kubectl("create", "token", "awx", "-n", namespace).stdout.strip()
    authority = cluster.ca_cert.read_text()
    return {"host": cluster.server, "bearer_token": token, "verify_ssl": True, "ssl_ca_cert": authority}


@pytest.fixture
def launch(inputs: dict[str, Any], tmp_path: Path) -> Launch:
    """Launch a playbook of the project: C(launch("provision", answers, credential=inputs))."""

    def job(playbook: str, answers: Mapping[str, Any], *, credential: Mapping[str, Any] = inputs) -> Job:
        directory = tmp_path / "job"
        env = {**injected(credential, directory), "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)}
        return run_job(directory, PROJECT, f"{playbook}.yml", env, answered(SURVEYS[playbook], answers))

    return job


@pytest.fixture
def accounts(namespace: str) -> list[dict[str, Any]]:
    """An account with a token in a Secret and what it may do."""
    sinks = [{"type": "secret", "name": "deployer-token"}]
    return [
        {
            "name": "deployer",
            "namespace": namespace,
            "grants": [{"cluster_role": "view"}],
            "access": {"can": ["get pods"], "cannot": ["get secrets"]},
            "tokens": [{"handle": "deployer", "expiration_seconds": "1h", "sinks": sinks}],
        }
    ]


# what is shipped


def test_every_playbook_has_its_wrapper_and_all_but_the_setup_a_survey() -> None:
    not_for_awx = {"demo"}
    wrappers = {path.stem: yaml.safe_load(path.read_text()) for path in PROJECT.glob("*.yml")}
    del wrappers["execution-environment"]
    assert set(wrappers) == PLAYBOOKS - not_for_awx
    for name, content in wrappers.items():
        assert [play["ansible.builtin.import_playbook"] for play in content] == [f"tokenwright.kubernetes.{name}"]
    assert set(SURVEYS) == set(wrappers) - {"awx_setup"} == set(ENTRY_POINTS)


@pytest.mark.parametrize("playbook", ENTRY_POINTS)
def test_a_survey_asks_in_the_form_of_awx_for_what_the_role_takes(playbook: str) -> None:
    survey = SURVEYS[playbook]
    assert set(survey) == {"name", "description", "spec"}
    role, entry_point = ENTRY_POINTS[playbook]
    specs = yaml.safe_load((ROOT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
    options = specs[entry_point]["options"]
    variables = [question["variable"] for question in survey["spec"]]
    assert len(variables) == len(set(variables))
    for question in survey["spec"]:
        assert set(question) - {"new_question"} == QUESTION
        name, choices = question["variable"], question["choices"]
        assert name == "clusters" or name in options
        if question["type"] == "multiplechoice":
            assert question["required"], "so that AWX never sends an empty choice"
            assert question["default"] in choices
            assert choices in (options[name].get("choices"), ["false", "true"])
        if question["type"] == "integer":
            assert question["required"]
            assert question["default"] == options[name]["default"]
        if name.endswith("_allow_risks"):
            assert (question["type"], set(choices)) == ("multiselect", set(RISKS))


def test_rails_are_not_asked_for_because_who_answers_could_take_them_away() -> None:
    asked = {question["variable"] for survey in SURVEYS.values() for question in survey["spec"]}
    assert not asked & {"service_accounts_allowed_namespaces", "service_accounts_max_expiration_seconds"}


@pytest.mark.skipif(shutil.which("ansible-builder", path=str(Path(sys.executable).parent)) is None, reason="no builder")
def test_the_execution_environment_can_be_built_and_gets_what_the_collection_needs(tmp_path: Path) -> None:
    builder = str(Path(sys.executable).with_name("ansible-builder"))
    context = tmp_path / "context"
    create = [builder, "create", "--file", "execution-environment.yml", "--context", str(context)]
    done = subprocess.run(create, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    wanted = yaml.safe_load((context / "_build/requirements.yml").read_text())["collections"]
    assert [one["name"] for one in wanted] == ["tokenwright.kubernetes", "awx.awx"]
    # what the build asks the installed collections for, by the program that it uses
    asked = subprocess.run([builder, "introspect", COLLECTIONS], capture_output=True, text=True, check=True)
    found = yaml.safe_load(asked.stdout)
    assert any(line.startswith("kubernetes>=24.2.0") for line in found["python"]), found
    assert any("tokenwright.kubernetes" in line for line in found["system"]), found


# what a job comes to


def test_answers_as_awx_gives_them_through_all_playbooks_of_the_list(
    launch: Launch, accounts: list[dict[str, Any]]
) -> None:
    """Defaults for what nobody answered, texts for lists, choices in all their forms."""
    given = {
        "service_accounts_list": yaml.safe_dump(accounts),
        "service_accounts_allow_risks": ["pod_exec", "secrets_read"],
        "service_accounts_prune": "false",
        "service_accounts_workers": 4,
    }
    first = launch("provision", given)
    assert first.rc == 0, first.stdout
    assert "playbook_on_stats" in first.events
    as_text = {
        "service_accounts_list": json.dumps(accounts),
        "service_accounts_allow_risks": "pod_exec\nsecrets_read",
        "service_accounts_workers": "4",
        "service_accounts_set": "",
    }
    again = launch("provision", {**as_text, "service_accounts_prune": "no"})
    assert (again.rc, _changed(again)) == (0, 0), again.stdout
    for playbook, changed in (("renew", 0), ("verify_access", 0), ("revoke", 1), ("provision", 1)):
        done = launch(playbook, as_text)
        assert (done.rc, _changed(done)) == (0, changed), done.stdout
    as_text["service_accounts_set"] = "ci"
    pruned = launch("provision", {**as_text, "service_accounts_prune": "true"})
    assert pruned.rc == 0, pruned.stdout


def test_answers_as_awx_gives_them_for_a_migration(cluster: Cluster, namespace: str, launch: Launch) -> None:
    cluster.kubectl("create", "serviceaccount", "old", "-n", namespace)
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "kubernetes.io/service-account-token",
        "metadata": {
            "name": "old-token",
            "namespace": namespace,
            "annotations": {"kubernetes.io/service-account.name": "old"},
        },
    }
    cluster.kubectl("apply", "-f", "-", input=json.dumps(secret))
    found = launch("migrate_legacy", {"migrate_namespaces": f"{namespace}\nkube-public"})
    assert found.rc == 0, found.stdout
    assert "secret: old-token" in found.stdout
    tokens = [{"sinks": [{"type": "secret", "name": "new-token"}]}]
    entry = {"secret": "old-token", "namespace": namespace, "service_account": "old", "tokens": tokens}
    for risks in ("", "long_lived_token\npod_exec", ["long_lived_token"]):
        planned = launch("migrate_legacy", {"migrate_list": json.dumps([entry]), "legacy_tokens_allow_risks": risks})
        assert (planned.rc, _changed(planned)) == (0, 0), planned.stdout
    answers = {"migrate_list": yaml.safe_dump([entry]), "migrate_unused_for": "0", "legacy_tokens_workers": "2"}
    moved = launch("migrate_legacy", {**answers, "migrate_until": "suspend", "legacy_tokens_allow_risks": "pod_exec"})
    assert moved.rc == 0, moved.stdout
    back = launch("migrate_legacy", {**answers, "migrate_undo": "yes", "legacy_tokens_allow_risks": "pod_exec"})
    assert (back.rc, _changed(back) > 0) == (0, True), back.stdout


@pytest.mark.parametrize("playbook", ENTRY_POINTS)
def test_every_question_that_need_not_be_answered_may_be_empty(
    launch: Launch, accounts: list[dict[str, Any]], playbook: str
) -> None:
    empty = {question["variable"]: "" for question in SURVEYS[playbook]["spec"] if not question["required"]}
    listed = {} if playbook == "migrate_legacy" else {"service_accounts_list": json.dumps(accounts)}
    if playbook != "migrate_legacy":
        assert launch("provision", listed).rc == 0
    done = launch(playbook, {**empty, **listed})
    assert done.rc == 0, done.stdout


def test_the_other_roles_take_texts_and_empty_answers_as_well(
    cluster: Cluster, namespace: str, run_playbook: Callable[..., Play]
) -> None:
    """A survey of one's own may ask for what theirs are."""
    cluster.kubectl("create", "serviceaccount", "app", "-n", namespace)
    create(cluster, namespace, workload("Deployment", "web"))
    volumes = [{"name": "web", "namespace": namespace, "service_account": "app"}]
    tokens = [{"name": "app-token", "namespace": namespace, "service_account": "app"}]

    def task(role: str, tasks_from: str = "main", **variables: Any) -> dict[str, Any]:
        included = {"name": f"tokenwright.kubernetes.{role}", "tasks_from": tasks_from}
        return {"ansible.builtin.import_role": included, "vars": {f"{role}_{key}": variables[key] for key in variables}}

    answers = {"allow_risks": "readable_token_file\nlong_lived_token", "set": "", "overlap": "", "rotate_after": ""}
    volume_answers = {"allow_risks": "", "fs_group": "0", "wait_timeout": "", "wait": "no"}
    tasks = [
        task("projected_tokens", list=yaml.safe_dump(volumes), **volume_answers),
        task("legacy_tokens", list=json.dumps(tokens), **answers),
        task("legacy_tokens", "clean", unused_for="180d", namespaces=f"{namespace}\nkube-public"),
    ]
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    first, second = run_playbook(play), run_playbook(play)
    assert (first.rc, second.rc, second.changed) == (0, 0, 0), first.stdout + second.stdout
    assert template_of(live(cluster, namespace, "deployment", "web"))["securityContext"]["fsGroup"] == 0
    tasks[0]["vars"]["projected_tokens_fs_group"] = 0
    same = run_playbook(play)
    assert (same.rc, same.changed) == (0, 0), "a group that is 0 is given"


def _changed(job: Job) -> int:
    """The changes of the only cluster."""
    (found,) = re.findall(r"^localhost +: .*changed=(\d+)", job.stdout, re.MULTILINE)
    return int(found)


# what comes of a credential


def test_a_credential_with_an_authority_is_verified(launch: Launch, accounts: list[dict[str, Any]]) -> None:
    done = launch("provision", {"service_accounts_list": json.dumps(accounts)})
    assert done.rc == 0, done.stdout
    assert "insecure_transport" not in done.stdout


def test_a_credential_whose_authority_is_empty_says_where_to_enter_it(
    launch: Launch, inputs: dict[str, Any], accounts: list[dict[str, Any]]
) -> None:
    credential = {**inputs, "ssl_ca_cert": ""}
    done = launch("provision", {"service_accounts_list": json.dumps(accounts)}, credential=credential)
    assert done.rc == 2
    said = " ".join(done.stdout.split())
    assert "its TLS certificate is not trusted" in said
    assert "as AWX makes it for a credential without Certificate Authority data: enter the cluster's CA there" in said


@pytest.mark.parametrize("without", ["verify_ssl", "ssl_ca_cert"])
def test_a_credential_that_switches_verification_off_works_and_warns_how_to_put_it_right(
    launch: Launch, inputs: dict[str, Any], accounts: list[dict[str, Any]], without: str
) -> None:
    """AWX also does that for a credential with verify_ssl that nobody entered an authority in."""
    credential = {key: value for key, value in inputs.items() if key != without}
    done = launch("provision", {"service_accounts_list": json.dumps(accounts)}, credential=credential)
    assert done.rc == 0, done.stdout
    said = " ".join(done.stdout.split())
    assert "is not verified (risk insecure_transport): give the cluster's CA" in said
    assert "in AWX, the credential's Certificate Authority data" in said


def test_the_environment_of_the_tests_has_no_cluster_of_its_own() -> None:
    """Otherwise a job would not have needed what was injected."""
    assert not [name for name in os.environ if name.startswith("K8S_AUTH_") or name == "KUBECONFIG"]
