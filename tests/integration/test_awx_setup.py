# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook awx_setup with the real modules of awx.awx, on a stand-in that records what AWX gets."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from awx.job import run_job
from awx.stand_in import Awx
from cluster.controlplane import Cluster
from conftest import COLLECTIONS, ROOT, Play
from proofs.leak_secrets import Hunt, Secret

# the one of the project, which imports that of the collection
SETUP = ROOT / "examples/awx/awx_setup.yml"
PEERS = ROOT / ".cache/peers"
TEMPLATES = {
    "provision": "Kubernetes provision",
    "renew": "Kubernetes renew",
    "revoke": "Kubernetes revoke",
    "verify_access": "Kubernetes verify access",
    "migrate_legacy": "Kubernetes migrate legacy",
}

Run = Callable[..., Play]


@pytest.fixture
def awx() -> Iterator[Awx]:
    """What stands in for AWX, with a credential that somebody has made."""
    with Awx() as running:
        running.add("credentials", name="Kubernetes", inputs={}, credential_type=3, organization=1)
        yield running


@pytest.fixture
def run(run_playbook: Run, awx: Awx, tmp_path: Path) -> Run:
    """Run the playbook: C(run(check=False, env={}, **variables)), its variables without their prefix."""

    def play(*arguments: str, check: bool = False, env: Mapping[str, str] | None = None, **variables: Any) -> Play:
        given = tmp_path / "variables.json"
        project = {"project_scm_url": "https://git.example.com/kubernetes.git"}
        given.write_text(json.dumps({f"awx_{name}": value for name, value in {**project, **variables}.items()}))
        environment = {
            **awx.environment,
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}{os.pathsep}{PEERS}",
            **(env or {}),
        }
        return run_playbook(SETUP, "-e", f"@{given}", *arguments, check=check, env=environment)

    return play


def survey(playbook: str) -> dict[str, Any]:
    """The survey as it is shipped."""
    found: dict[str, Any] = json.loads((ROOT / f"playbooks/files/awx/{playbook}.json").read_text())
    return found


def test_all_of_it_is_made_once(awx: Awx, run: Run) -> None:
    accounts = [{"name": "deployer", "namespace": "ci", "tokens": [{"sinks": [{"type": "secret", "name": "a"}]}]}]
    given: dict[str, Any] = {
        "survey_defaults": {
            "service_accounts_list": accounts,
            "service_accounts_allow_risks": ["pod_exec", "wildcard"],
        },
        "survey_without": ["service_accounts_risk_policy"],
        "extra_vars": {"service_accounts_max_expiration_seconds": "8h"},
        "execution_environment_name": "kubernetes",
        "execution_environment_image": "registry.example.com/kubernetes:1",
        "inventory_hosts": {"one": {"cluster_connection": {"context": "one"}}, "two": None},
        "job_slice_count": 2,
        "job_credentials": ["east", "west"],
    }
    for name in ("east", "west"):
        awx.add("credentials", name=name, inputs={}, credential_type=2, organization=1)
    predicted = run(check=True, **given)
    assert predicted.rc == 0, predicted.stdout + predicted.stderr
    assert predicted.changed > 0
    assert "would be made: Kubernetes provision, Kubernetes renew, " in predicted.stdout
    assert awx.written() == []
    first = run(**given)
    assert first.rc == 0, first.stdout + first.stderr
    assert [item["name"] for item in awx.all("hosts")] == ["one", "two"]
    assert json.loads(awx.one("hosts", "one")["variables"]) == {"cluster_connection": {"context": "one"}}
    assert awx.one("projects", "tokenwright.kubernetes")["scm_url"] == "https://git.example.com/kubernetes.git"
    assert {item["playbook"]: item["name"] for item in awx.all("job_templates")} == {
        f"{playbook}.yml": name for playbook, name in TEMPLATES.items()
    }
    for name in TEMPLATES.values():
        template = awx.one("job_templates", name)
        assert (template["survey_enabled"], template["ask_variables_on_launch"]) == (True, False)
        assert template["job_slice_count"] == 2
        assert json.loads(template["extra_vars"]) == {
            "clusters": "all",
            "service_accounts_max_expiration_seconds": "8h",
        }
        assert template["execution_environment"] == awx.one("execution_environments", "kubernetes")["id"]
        assert awx.associated("job_templates", name, "credentials") == ["east", "west"]
    asked = {question["variable"]: question for question in awx.survey("Kubernetes renew")["spec"]}
    assert json.loads(asked["service_accounts_list"]["default"]) == accounts
    assert asked["service_accounts_allow_risks"]["default"] == "pod_exec\nwildcard"
    shipped = {question["variable"] for question in survey("renew")["spec"]}
    assert shipped - set(asked) == {"service_accounts_risk_policy"}
    (schedule,) = awx.all("schedules")
    assert schedule["unified_job_template"] == awx.one("job_templates", "Kubernetes renew")["id"]
    assert schedule["rrule"] == "DTSTART:20260101T000000Z RRULE:FREQ=HOURLY;INTERVAL=1"
    before = len(awx.requests)
    for check in (False, True):
        again = run(check=check, **given)
        assert (again.rc, again.changed) == (0, 0), again.stdout
    assert awx.written(before) == []
    given["survey_defaults"]["clusters"] = "one"
    predicted = run(check=True, **given)
    assert (predicted.rc, predicted.changed, awx.written(before)) == (0, 1, []), predicted.stdout
    assert run(**given).changed == 1
    assert all(one.endswith("/survey_spec/") for one in awx.written(before))
    assert len(awx.written(before)) == len(TEMPLATES)


def test_what_is_there_is_taken_by_its_name_and_no_schedule_is_made_that_awx_would_refuse(awx: Awx, run: Run) -> None:
    awx.add("projects", name="ours", organization=1, scm_revision="")
    awx.add("inventories", name="clusters", organization=1)
    given = {"project_scm_url": "", "project_name": "ours", "inventory_name": "clusters", "inventory_hosts": {}}
    predicted = run(check=True, **given, job_templates={"renew": "Renew"})
    assert (predicted.rc, awx.written()) == (0, []), predicted.stdout
    done = run(**given, job_templates={"renew": "Renew"})
    assert (done.rc, done.changed) == (0, 1) == (0, predicted.changed), done.stdout
    assert awx.one("job_templates", "Renew")["inventory"] == awx.one("inventories", "clusters")["id"]
    assert awx.survey("Renew") == survey("renew")
    assert awx.all("schedules") == []


def test_a_list_in_the_inventory_is_not_asked_for_and_may_have_a_schedule(awx: Awx, run: Run) -> None:
    done = run(survey_without="service_accounts_list", job_templates={"renew": "Renew"})
    assert done.rc == 0, done.stdout
    assert "service_accounts_list" not in [question["variable"] for question in awx.survey("Renew")["spec"]]
    assert [item["name"] for item in awx.all("schedules")] == ["Kubernetes renew hourly"]


def test_the_credential_may_be_made_along_with_it(cluster: Cluster, namespace: str, awx: Awx, run: Run) -> None:
    cluster.kubectl("create", "serviceaccount", "provisioner", "-n", namespace)
    given = {
        "credential_service_account": "provisioner",
        "credential_namespace": namespace,
        "credential_name": "staging",
    }
    predicted = run(check=True, **given)
    assert (predicted.rc, awx.written()) == (0, []), predicted.stdout
    first, second = run(**given), run(**given)
    assert (first.rc, second.rc, second.changed) == (0, 0, 0), first.stdout + second.stdout
    assert awx.associated("job_templates", "Kubernetes provision", "credentials") == ["staging"]
    token = awx.one("credentials", "staging")["inputs"]["bearer_token"]
    assert token.startswith("ey")
    assert [one.path for one in awx.requests if token in one.body] == ["/api/v2/credentials/"]
    for one in (predicted, first, second):
        assert token not in one.stdout + one.stderr


def test_a_job_that_keeps_the_credential_good_leaves_its_token_nowhere(
    cluster: Cluster, namespace: str, awx: Awx, tmp_path: Path
) -> None:
    """All that ansible-runner writes is searched, job events too; a play that shows the token proves the search."""
    cluster.kubectl("create", "serviceaccount", "provisioner", "-n", namespace)
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}{os.pathsep}{PEERS}", "K8S_AUTH_KUBECONFIG": cluster.kubeconfig}
    env = {**awx.environment, **{name: str(value) for name, value in paths.items()}, "ANSIBLE_VERBOSITY": "3"}
    given = {
        "awx_project_scm_url": "https://git.example.com/kubernetes.git",
        "awx_credential_service_account": "provisioner",
        "awx_credential_namespace": namespace,
        "awx_credential_name": "staging",
    }
    done = run_job(tmp_path / "job", SETUP.parent, SETUP.name, env, given)
    assert done.rc == 0, done.stdout
    token = awx.one("credentials", "staging")["inputs"]["bearer_token"]
    assert _found(tmp_path / "job", token) == {}
    (tmp_path / "project").mkdir()
    shown = {"ansible.builtin.debug": {"msg": "{{ leaked }}"}}
    (tmp_path / "project/leak.yml").write_text(
        json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": [shown]}])
    )
    run_job(tmp_path / "leak", tmp_path / "project", "leak.yml", env, {"leaked": token})
    assert {Path(name).name for name in _found(tmp_path / "leak", token)} >= {"stdout", "extravars"}


def _found(directory: Path, token: str) -> dict[str, set[str]]:
    """The files with the token, or a part of it that is a secret, in any form."""
    hunt = Hunt([Secret("the token", token)])
    found = {str(path): hunt.hits(path.read_bytes()) for path in directory.rglob("*") if path.is_file()}
    return {name: hits for name, hits in found.items() if hits}


def test_without_the_collection_of_awx_it_says_what_is_missing(run: Run) -> None:
    refused = run(env={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS)})
    assert refused.rc == 2
    assert "the collection awx.awx, which speaks with AWX, is not installed" in refused.stdout


def test_a_default_that_awx_would_refuse_is_refused(awx: Awx, run: Run) -> None:
    refused = run(survey_defaults={"service_accounts_prune": "perhaps"})
    assert refused.rc == 2
    assert "awx_survey_defaults: service_accounts_prune cannot be perhaps: choose false, true" in refused.stdout
    assert awx.written() == []


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"survey_without": "service_accounts_prun"}, "no survey asks for service_accounts_prun; correct the names"),
        ({"survey_defaults": {"service_account_list": []}}, "no survey asks for service_account_list; correct"),
        (
            {"inventory_hosts": {"one": None, "two": {"cluster_connection": {"api_key": "a-token-in-clear"}}}},
            "awx_inventory_hosts holds a token in clear for two, and AWX shows variables of hosts",
        ),
    ],
)
def test_a_slip_ends_before_anything_is_written(awx: Awx, run: Run, given: dict[str, Any], said: str) -> None:
    refused = run(**given)
    assert refused.rc == 2
    assert said in " ".join(refused.stdout.split())
    assert "a-token-in-clear" not in refused.stdout + refused.stderr
    assert awx.written() == []


def test_a_host_may_hold_how_its_token_is_found(awx: Awx, run: Run, tmp_path: Path) -> None:
    text = "awx_inventory_hosts: {one: {cluster_connection: {api_key: !unsafe \"{{ lookup('env', 'ONE') }}\"}}}"
    (tmp_path / "hosts.yml").write_text(text)
    done = run("-e", "@hosts.yml")
    assert done.rc == 0, done.stdout
    kept = json.loads(awx.one("hosts", "one")["variables"])
    assert kept == {"cluster_connection": {"api_key": "{{ lookup('env', 'ONE') }}"}}
