# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every playbook as a job of AWX: by ansible-runner, in one process and through its pipes, without a token in anything.

The credential is a token of an account that holds the roles docs/rights.md names for the playbook.
"""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import ROOT, Play
from faults import legacy
from faults.workloads import create
from proofs.leak_secrets import Secret, tokens_in
from proofs.runner_jobs import Done, Job, run, run_through_pipes
from proofs.tokens import mints
from rights.callers import Caller, create_callers, delete_callers
from rights.manifests import shipped_roles

WAYS = {"one process": run, "pipes": run_through_pipes}
# as AWX writes it for an inventory with this host
LOCALHOST = {
    "localhost": {"ansible_connection": "local", "ansible_python_interpreter": "{{ ansible_playbook_python }}"}
}
ADMINISTRATOR = "tokenwright.kubernetes.provision"

# those that need more than a cluster, by the beginning of their names, and why they have tests of their own
ELSEWHERE = {"awx": "it needs a controller to talk to"}

Answers = dict[str, str]


@dataclass(frozen=True)
class Stage:
    """Where a job has its accounts and its places.

    Attributes:
        cluster: the control plane.
        namespace: a fresh one.
        places: a directory for tokens that is no part of the job.
        run_playbook: runs playbooks as the administrator.
    """

    cluster: Cluster
    namespace: str
    places: Path
    run_playbook: Callable[..., Play]

    def listed(self) -> list[dict[str, Any]]:
        """Accounts with tokens of all kinds in all kinds of places."""
        sinks = [
            {"type": "kubeconfig", "path": str(self.places / "kubeconfig")},
            {"type": "secret", "name": "deployer-token"},
        ]
        return [
            {
                "name": "deployer",
                "namespace": self.namespace,
                "grants": [{"cluster_role": "view"}],
                "tokens": [{"handle": "deployer", "dest": str(self.places / "deployer"), "sinks": sinks}],
                "legacy_tokens": [{"name": "long", "rotate_after": "30d", "dest": str(self.places / "long")}],
                "access": {"can": ["get pods"], "cannot": ["get secrets"]},
            },
            {
                "name": "app",
                "namespace": self.namespace,
                "tokens": [{"audiences": ["vault"], "dest": str(self.places / "app")}],
            },
        ]

    def answers(self) -> Answers:
        """The survey of the playbooks that take the list; all its answers are texts."""
        return {"service_accounts_list": json.dumps(self.listed()), "service_accounts_workers": "4"}

    def provision(self) -> None:
        """What an earlier job did."""
        given = self.places.parent / "provisioned.json"
        given.write_text(json.dumps(self.answers()))
        done = self.run_playbook(ADMINISTRATOR, "-e", f"@{given}")
        assert done.rc == 0, done.stdout

    def tokens(self) -> set[str]:
        """All that there are: in the places, and in all Secrets of the cluster."""
        found = {token for path in self.places.rglob("*") if path.is_file() for token in tokens_in(path.read_bytes())}
        secrets = json.loads(self.cluster.kubectl("get", "secrets", "--all-namespaces", "-o", "json").stdout)["items"]
        values = [base64.b64decode(value) for secret in secrets for value in (secret.get("data") or {}).values()]
        return found.union(*map(tokens_in, values))


def provisioning(stage: Stage) -> Answers:
    return stage.answers()


def renewing(stage: Stage) -> Answers:
    stage.provision()
    (stage.places / "app").unlink()
    return stage.answers()


def revoking(stage: Stage) -> Answers:
    stage.provision()
    return stage.answers()


def verifying(stage: Stage) -> Answers:
    stage.provision()
    return stage.answers()


def migrating(stage: Stage) -> Answers:
    """From a long-lived token in an environment to one that expires, in another Secret, and in a file."""
    stage.cluster.kubectl("create", "serviceaccount", "app", "-n", stage.namespace)
    for name in ("env", "file"):
        legacy.make(stage.cluster, stage.namespace, name)
        legacy.filled(stage.cluster, stage.namespace, name)
    create(stage.cluster, stage.namespace, legacy.deployment("env", legacy.reading("env")))
    common = {"namespace": stage.namespace, "service_account": "app"}
    sinks, workloads = [{"type": "secret", "name": "minted"}], [{"name": "env", "wait": False}]
    entries = [
        {"secret": "env", **common, "tokens": [{"sinks": sinks, "workloads": workloads}]},
        {"secret": "file", **common, "tokens": [{"dest": str(stage.places / "file"), "handle": "file"}]},
    ]
    return {"migrate_list": json.dumps(entries), "migrate_unused_for": "0"}


def showing(stage: Stage) -> Answers:
    return {"examples_namespace_prefix": f"{stage.namespace}-", "examples_token_directory": str(stage.places / "demo")}


@dataclass(frozen=True)
class Case:
    """A playbook as a job.

    Attributes:
        holds: the shipped roles of its credential; C(ROLE everywhere) for one that is usually held in a namespace.
        prepare: makes what it needs and returns the answers of its survey.
        minted: how many tokens it asks for.
        ends: in the report, what comes behind the name of the cluster.
    """

    holds: tuple[str, ...]
    prepare: Callable[[Stage], Answers]
    minted: int
    ends: str


PLAYBOOKS = {
    "provision": Case(
        ("provisioner", "grantable", "token-reviewer", "verifier"),
        provisioning,
        2,
        "changed  2 of 2 accounts changed, 1 account proven",
    ),
    "renew": Case(("renewer", "token-reviewer"), renewing, 1, "changed  1 of 2 accounts changed"),
    "revoke": Case(("revoker", "token-reviewer"), revoking, 0, "changed  2 of 2 accounts changed"),
    "verify_access": Case(("verifier",), verifying, 0, "ok       nothing changed, 1 account proven"),
    "migrate_legacy": Case(
        ("inspector", "usage-reader", "renewer", "revoker", "mounter", "token-reviewer"),
        migrating,
        2,
        "changed  2 of 2 entries changed",
    ),
    "demo": Case(
        ("provisioner everywhere", "namespace-creator", "grantable", "token-reviewer", "edit"), showing, 3, ""
    ),
}


@pytest.fixture
def stage(cluster: Cluster, namespace: str, tmp_path: Path, run_playbook: Callable[..., Play]) -> Iterator[Stage]:
    """A namespace and a private directory; what the demo makes beside it goes with it."""
    places = tmp_path / "places"
    places.mkdir(mode=0o700)
    yield Stage(cluster, namespace, places, run_playbook)
    names = cluster.kubectl("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}").stdout.split()
    if beside := [name for name in names if name.startswith(f"{namespace}-")]:
        cluster.kubectl("delete", "namespace", "--wait=false", *beside)


@contextmanager
def credential(stage: Stage, holds: tuple[str, ...]) -> Iterator[str]:
    """A token of an account that holds these roles, and is not in the namespaces of the others."""
    home = f"operations-{uuid.uuid4().hex[:10]}"
    stage.cluster.kubectl("create", "namespace", home)
    stage.cluster.kubectl("create", "serviceaccount", "awx", "-n", home)
    user = f"system:serviceaccount:{home}:awx"
    shipped = tuple(role for role in holds if role != "edit")
    create_callers(stage.cluster, shipped_roles(), [Caller(user, shipped)], stage.namespace)
    if "edit" in holds:  # whoever grants rules has to hold them
        arguments = ("--clusterrole=edit", f"--user={user}", home)
        stage.cluster.kubectl("create", "clusterrolebinding", *arguments)
    try:
        yield stage.cluster.kubectl("create", "token", "awx", "-n", home).stdout.strip()
    finally:
        delete_callers(stage.cluster, stage.namespace)
        stage.cluster.kubectl("delete", "clusterrolebinding", home, "--ignore-not-found")
        stage.cluster.kubectl("delete", "namespace", home, "--wait=false")


def job(stage: Stage, key: str, playbook: str, answers: Mapping[str, str], *options: str) -> Job:
    """A job with the credential that AWX has for clusters."""
    environment = {"K8S_AUTH_HOST": stage.cluster.server, "K8S_AUTH_API_KEY": key, "K8S_AUTH_VERIFY_SSL": "True"}
    return Job(playbook, LOCALHOST, environment, answers, stage.cluster.ca_cert, options)


def test_every_playbook_is_in_the_table() -> None:
    names = {path.stem for path in (ROOT / "playbooks").glob("*.yml")}
    assert {name for name in names if not name.startswith(tuple(ELSEWHERE))} == PLAYBOOKS.keys()


def as_a_job(stage: Stage, name: str, way: str, verbosity: str, directory: Path) -> None:
    """Run it, and look for every token in everything that is there afterwards."""
    case = PLAYBOOKS[name]
    answers = case.prepare(stage)
    before = stage.tokens()
    mark = stage.cluster.audit_mark()
    with credential(stage, case.holds) as key:
        wrapper = f"- import_playbook: tokenwright.kubernetes.{name}\n"
        done = WAYS[way](job(stage, key, wrapper, answers, verbosity), directory)
    after = stage.tokens()
    went_well(done, case)
    assert len(mints(stage.cluster, mark)) == case.minted
    # those of Secrets that a controller filled are also new
    assert len(after - before) >= case.minted
    secrets = [Secret("a token", token) for token in sorted(before | after)]
    assert done.hits(secrets, key) == {}


def went_well(done: Done, case: Case) -> None:
    assert (done.status, done.rc) == ("successful", 0), [event.get("stdout") for event in done.events]
    assert done.of("runner_on_ok")
    (stats,) = done.of("playbook_on_stats")
    assert (stats["failures"], stats["dark"], stats["rescued"]) == ({}, {}, {})
    assert done.said("Say what came of each cluster") == ([[f"localhost  {case.ends}"]] if case.ends else [])


@pytest.mark.parametrize(("way", "verbosity"), [("one process", "-vvv"), ("pipes", "-v")])
@pytest.mark.parametrize("name", PLAYBOOKS)
def test_a_playbook_is_a_job_that_leaves_no_token(
    stage: Stage, tmp_path: Path, name: str, way: str, verbosity: str
) -> None:
    as_a_job(stage, name, way, verbosity, tmp_path / "runner")


@pytest.mark.slow
@pytest.mark.parametrize(("way", "verbosity"), [("one process", "-v"), ("pipes", "-vvv")])
@pytest.mark.parametrize("name", PLAYBOOKS)
def test_it_is_at_the_other_verbosity_too(stage: Stage, tmp_path: Path, name: str, way: str, verbosity: str) -> None:
    as_a_job(stage, name, way, verbosity, tmp_path / "runner")


LEAKS = """
- hosts: localhost
  gather_facts: false
  tasks:
    - debug: {msg: "{{ lookup('ansible.builtin.file', place) }}"}
    - debug: {msg: "{{ lookup('ansible.builtin.env', 'K8S_AUTH_API_KEY') }}"}
    - set_stats: {data: {leaked: "{{ lookup('ansible.builtin.file', place) | b64encode }}"}}
    - set_fact: {leaked: "{{ lookup('ansible.builtin.file', place).split('.')[2] }}", cacheable: true}
    - copy: {content: "{{ lookup('ansible.builtin.file', place) }}", dest: "{{ playbook_dir }}/copy", mode: "0600"}
"""
# a worker sends its events and keeps none
SEEN = {"one process": {"standard output", "stdout", "job_events", "fact_cache", "project"}}
SEEN["pipes"] = {"standard output", "answered", "stdout", "job_events", "fact_cache"}
SEEN["pipes"] |= {f"worker: {surface}" for surface in ("stdout", "fact_cache", "project")}


@pytest.mark.parametrize("way", WAYS)
def test_what_leaks_is_found_on_every_surface(cluster: Cluster, stage: Stage, tmp_path: Path, way: str) -> None:
    """Otherwise it would prove nothing that nothing is found."""
    cluster.kubectl("create", "serviceaccount", "app", "-n", stage.namespace)
    token = cluster.kubectl("create", "token", "app", "-n", stage.namespace).stdout.strip()
    key = cluster.kubectl("create", "token", "app", "-n", stage.namespace).stdout.strip()
    place = stage.places / "token"
    place.write_text(token)
    done = WAYS[way](job(stage, key, LEAKS, {"place": str(place)}), tmp_path / "runner")
    assert done.status == "successful", [event.get("stdout") for event in done.events]
    found = done.hits([Secret("a token", token)], key)
    assert SEEN[way] <= found.keys()
    hits = set().union(*found.values())
    assert any("credential of the job" in hit for hit in hits)
    assert any("a token (base64" in hit for hit in hits)


@pytest.mark.parametrize("way", WAYS)
def test_the_credential_of_the_job_is_where_it_was_put_and_the_runner_notes_it(
    stage: Stage, tmp_path: Path, way: str
) -> None:
    """That is why it is not looked for there; AWX masks it and keeps none of these files."""
    stage.cluster.kubectl("create", "serviceaccount", "app", "-n", stage.namespace)
    key = stage.cluster.kubectl("create", "token", "app", "-n", stage.namespace).stdout.strip()
    nothing = "- hosts: localhost\n  gather_facts: false\n  tasks: []\n"
    done = WAYS[way](job(stage, key, nothing, {}, "-vvv"), tmp_path / "runner")
    holding = {surface for surface, content in done.surfaces.items() if key.encode() in content}
    pipes = {"worker: env", "worker: command", "answered: status", "sent", "command"}
    assert holding == ({"env", "command"} if way == "one process" else pipes)
