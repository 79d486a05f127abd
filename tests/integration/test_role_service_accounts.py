# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role service_accounts, its playbook and its examples, with the real ansible-playbook on a real API server."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import ROOT, Play

ROLE = "tokenwright.kubernetes.service_accounts"
PROVISION = "tokenwright.kubernetes.provision"
LOCALHOST = {"hosts": "localhost", "gather_facts": False}
TASKS = ("declared", "granted", "removed", "tokens")

Item = dict[str, Any]
Playbook = Callable[..., Play]
Writes = Callable[[int], list[str]]


@dataclass(frozen=True)
class Run:
    """A play with the role: what Ansible said, and what its tasks registered."""

    play: Play
    results: Mapping[str, Item]

    @property
    def changed(self) -> dict[str, bool]:
        return {task: self.results[task].get("changed", False) for task in TASKS}

    @property
    def actions(self) -> dict[str, list[Item]]:
        """Of every task, what it did or would do."""
        return {task: self.results[task].get("actions", []) for task in TASKS}


Provision = Callable[..., Run]


@pytest.fixture
def provision(run_playbook: Playbook, tmp_path: Path) -> Provision:
    """Run the role on a list and return what its tasks registered; a failing role fails the test."""

    def run(accounts: object, *arguments: str, check: bool = False, **variables: Any) -> Run:
        registered = ", ".join(f"'{task}': _service_accounts_{task} | default({{}})" for task in TASKS)
        where = tmp_path / "results.json"
        store = {
            "ansible.builtin.copy": {"content": f"{{{{ {{{registered}}} | to_json }}}}", "dest": str(where)},
            "changed_when": False,
            "check_mode": False,
        }
        play = {
            "hosts": "localhost",
            "gather_facts": False,
            "vars": {"service_accounts_list": accounts, **variables},
            "tasks": [{"ansible.builtin.import_role": {"name": ROLE}}, store],
        }
        done = run_playbook([play], *arguments, check=check)
        assert done.rc == 0, done.stdout + done.stderr
        return Run(done, json.loads(where.read_text()))

    return run


@pytest.fixture
def other_namespace(cluster: Cluster, namespace: str) -> Iterator[str]:
    """The name of a namespace that a test may make."""
    name = f"{namespace}-other"
    yield name
    cluster.kubectl("delete", "namespace", name, "--ignore-not-found", "--wait=false")


@pytest.fixture
def accounts(namespace: str, other_namespace: str, tmp_path: Path) -> list[Item]:
    """Three accounts in two namespaces, one of which is still to be made."""
    rules = [{"verbs": ["get", "list"], "resources": ["pods", "deployments.apps"]}]
    return [
        {
            "name": "deployer",
            "namespace": other_namespace,
            "create_namespace": True,
            "automount": False,
            "grants": [{"rules": rules}, {"namespace": namespace, "cluster_role": "edit"}],
            "tokens": [{"expiration_seconds": "1h", "kubeconfig_dest": str(tmp_path / "kubeconfig")}],
        },
        {"name": "app", "namespace": namespace, "tokens": [{"audiences": ["vault"], "dest": str(tmp_path / "token")}]},
        {"name": "plain", "namespace": namespace, "labels": {"team": "a"}},
    ]


def names(cluster: Cluster, namespace: str) -> set[str]:
    """The accounts, roles and bindings of a namespace; what every namespace has left out."""
    listed = cluster.kubectl("get", "serviceaccounts,roles,rolebindings", "-n", namespace, "-o", "name").stdout.split()
    return {name.replace(".rbac.authorization.k8s.io", "") for name in listed} - {"serviceaccount/default"}


def shown(run: Run) -> list[str]:
    """The summary."""
    lines: list[str] = json.loads(run.play.stdout.split("Sum up] ")[1].partition("=> ")[2].partition("\n}")[0] + "\n}")[
        "msg"
    ]
    return lines


def test_check_mode_predicts_what_the_first_run_does_and_the_second_run_does_nothing(
    cluster: Cluster, namespace: str, accounts: list[Item], provision: Provision, writes: Writes, tmp_path: Path
) -> None:
    # one of them is there already, and another one needs a change
    cluster.kubectl("create", "serviceaccount", "app", "-n", namespace)
    cluster.kubectl("create", "serviceaccount", "plain", "-n", namespace)

    mark = cluster.audit_mark()
    predicted = provision(accounts, check=True)
    assert writes(mark) == []
    assert not list(tmp_path.glob("*token*")) + list(tmp_path.glob("*kubeconfig*"))

    mark = cluster.audit_mark()
    first = provision(accounts)
    assert predicted.changed == first.changed == {"declared": True, "granted": True, "removed": False, "tokens": True}
    assert predicted.actions == first.actions
    assert predicted.play.changed == first.play.changed == 3
    assert [one["status"] for one in first.results["declared"]["outcomes"]] == ["changed", "ok", "changed"]
    minted = [entry for entry in writes(mark) if "serviceaccounts/token" in entry]
    assert len(minted) == 2
    done = [action for task in TASKS for action in first.actions[task]]
    assert len(writes(mark)) == sum(action["kind"] not in ("File", "Kubeconfig") for action in done)

    mark = cluster.audit_mark()
    second = provision(accounts)
    assert second.play.changed == 0
    assert writes(mark) == []
    assert shown(second)[-1] == "nothing changed"


def test_what_it_wrote_works(
    cluster: Cluster, namespace: str, other_namespace: str, accounts: list[Item], provision: Provision, tmp_path: Path
) -> None:
    run = provision(accounts)
    assert names(cluster, other_namespace) == {"serviceaccount/deployer", "role/deployer", "rolebinding/deployer"}
    kubeconfig = f"--kubeconfig={tmp_path / 'kubeconfig'}"
    assert cluster.kubectl(kubeconfig, "get", "pods").stdout == ""
    assert "(Forbidden)" in cluster.kubectl(kubeconfig, "get", "secrets", check=False).stderr
    cluster.kubectl(kubeconfig, "get", "secrets", "-n", namespace)
    until = [one["token_info"]["expires_at"] for one in run.results["tokens"]["outcomes"]]
    assert shown(run) == [
        f"+ account  {other_namespace}/deployer",
        f"+ grant    deployer in {other_namespace}",
        f"+ grant    edit in {namespace}",
        f"+ token    {tmp_path / 'kubeconfig'}",
        f"  expires  {until[0]}",
        "",
        f"+ account  {namespace}/app",
        f"+ token    {tmp_path / 'token'}",
        f"  expires  {until[1]}",
        "",
        f"+ account  {namespace}/plain",
        "",
        "+ created",
    ]


def test_no_token_is_said_however_much_is_said(accounts: list[Item], provision: Provision, tmp_path: Path) -> None:
    runs = [provision(accounts, "-vvvv", "--diff", check=check) for check in (True, False, False)]
    token = (tmp_path / "token").read_text()
    for run in runs:
        said = run.play.stdout + run.play.stderr + json.dumps(run.results)
        assert token not in said
        assert not re.search(r"eyJ[\w-]{8,}\.[\w-]{8,}", said)


def test_the_number_of_tasks_does_not_depend_on_the_list(namespace: str, provision: Provision) -> None:
    def tasks(count: int) -> int:
        grants = [{"rules": [{"verbs": ["get"], "resources": ["pods"]}]}]
        listed = [{"name": f"a{number}", "namespace": namespace, "grants": grants} for number in range(count)]
        return provision(listed).play.stdout.count("TASK [")

    assert tasks(1) == tasks(12)


def test_absent_takes_grants_and_tokens_back_before_the_account_goes(
    cluster: Cluster,
    namespace: str,
    other_namespace: str,
    accounts: list[Item],
    provision: Provision,
    writes: Writes,
    tmp_path: Path,
) -> None:
    handle = accounts[0]["tokens"][0]["handle"] = "deployer"
    provision(accounts)
    accounts[0]["state"] = "absent"
    predicted = provision(accounts, check=True)
    mark = cluster.audit_mark()
    removal = provision(accounts)
    assert predicted.changed == removal.changed == {"declared": False, "granted": True, "removed": True, "tokens": True}
    assert predicted.actions == removal.actions
    deleted = writes(mark)
    assert deleted[-1] == f"delete serviceaccounts {other_namespace}/deployer"
    assert deleted[-2] == f"delete secrets {other_namespace}/{handle}-1"
    assert len(deleted) == 5
    place = tmp_path / "kubeconfig"
    assert not place.exists()
    lines = [
        f"- account  {other_namespace}/deployer",
        f"- grant    deployer in {other_namespace}",
        f"- grant    edit in {namespace}",
        f"- token    {place}",
        f"- handle   {handle}",
    ]
    assert shown(predicted)[:6] == [*lines, ""]
    assert shown(removal)[:5] == lines
    assert shown(removal)[5].startswith("  revoked  yes, refused after ")
    again = provision(accounts)
    assert again.play.changed == 0
    assert shown(again)[0] == f"  account  {other_namespace}/deployer (absent)"
    assert shown(again)[3:6] == [f"  token    {place} (absent)", f"  handle   {handle} (absent)", ""]


def test_an_account_that_has_expired_goes_with_its_grants_and_its_token(
    cluster: Cluster, namespace: str, provision: Provision, tmp_path: Path
) -> None:
    account = {"name": "guest", "namespace": namespace, "grants": [{"cluster_role": "view"}]}
    tokens = [{"dest": str(tmp_path / "token")}]
    provision([{**account, "tokens": tokens, "expires_at": "2999-01-01T00:00:00Z"}])
    assert names(cluster, namespace) == {"serviceaccount/guest", "rolebinding/guest"}
    expired = provision([{**account, "tokens": tokens, "expires_at": "2020-01-01T00:00:00Z"}])
    assert names(cluster, namespace) == set()
    assert expired.changed == {"declared": False, "granted": True, "removed": True, "tokens": True}
    assert not (tmp_path / "token").exists()
    assert not [line for line in shown(expired) if "lives" in line], "it died with its account"


def test_pruning_removes_what_left_the_list_and_nothing_else(
    cluster: Cluster, namespace: str, provision: Provision, writes: Writes
) -> None:
    settings = {"service_accounts_set": namespace, "service_accounts_prune": True}
    rules = [{"verbs": ["get"], "resources": ["pods"]}]
    listed = [{"name": name, "namespace": namespace, "grants": [{"rules": rules}]} for name in ("stays", "goes")]
    cluster.kubectl("create", "serviceaccount", "foreign", "-n", namespace)
    first = provision(listed, check=True, **settings)
    assert first.changed == provision(listed, **settings).changed
    assert first.changed == {"declared": True, "granted": True, "removed": False, "tokens": False}

    predicted = provision(listed[:1], check=True, **settings)
    mark = cluster.audit_mark()
    pruned = provision(listed[:1], **settings)
    assert predicted.actions == pruned.actions
    assert writes(mark)[-1] == f"delete serviceaccounts {namespace}/goes"
    assert names(cluster, namespace) == {
        "serviceaccount/stays",
        "role/stays",
        "rolebinding/stays",
        "serviceaccount/foreign",
    }
    assert [line for line in shown(pruned) if line.startswith("- left")] == [
        f"- left     RoleBinding {namespace}/goes",
        f"- left     Role {namespace}/goes",
        f"- left     ServiceAccount {namespace}/goes",
    ]
    assert provision(listed[:1], **settings).play.changed == 0


def test_pruning_takes_the_handles_of_tokens_that_left_the_list(
    cluster: Cluster, namespace: str, provision: Provision, tmp_path: Path
) -> None:
    settings = {"service_accounts_set": namespace, "service_accounts_prune": True}
    tokens = [{"handle": name, "dest": str(tmp_path / name)} for name in ("stays", "goes")]
    provision([{"name": "app", "namespace": namespace, "tokens": tokens}], **settings)
    pruned = provision([{"name": "app", "namespace": namespace, "tokens": tokens[:1]}], **settings)
    secrets = cluster.kubectl("get", "secrets", "-n", namespace, "-o", "name").stdout.split()
    assert secrets == ["secret/stays-1"]
    assert f"- left     Secret {namespace}/goes-1" in shown(pruned)


def test_a_credential_in_the_list_is_not_shown(cluster: Cluster, namespace: str, provision: Provision) -> None:
    content = yaml.safe_load(cluster.kubeconfig.read_text())
    sinks = [{"type": "secret", "name": "app-token", "connection": {"kubeconfig": content}}]
    bound = {"kind": "Secret", "name": "anchor"}
    cluster.kubectl("create", "secret", "generic", "anchor", "-n", namespace)
    listed = [{"name": "app", "namespace": namespace, "tokens": [{"sinks": sinks, "bound_object_ref": bound}]}]
    for check in (True, False):
        run = provision(listed, "-vvvv", "--diff", check=check)
        assert content["users"][0]["user"]["client-key-data"] not in run.play.stdout + run.play.stderr


@pytest.mark.parametrize("write", [json.dumps, yaml.safe_dump])
def test_the_list_may_be_a_text(
    cluster: Cluster, namespace: str, run_playbook: Playbook, write: Callable[[object], str]
) -> None:
    text = write([{"name": "app", "namespace": namespace, "grants": [{"cluster_role": "view"}]}])
    answer = json.dumps({"service_accounts_list": text})
    assert run_playbook(PROVISION, "-e", answer).changed == 2
    assert names(cluster, namespace) == {"serviceaccount/app", "rolebinding/app"}
    assert run_playbook(PROVISION, "-e", answer).changed == 0


MISTAKES = [
    pytest.param(
        {"accounts": [{"automont": False}]},
        "service_accounts_list[0]: automont is unknown here: did you mean automount?",
        id="unknown key",
    ),
    pytest.param(
        {"accounts": [{}, {"name": "b", "grants": [{"cluster_rol": "view"}]}]},
        "service_accounts_list[1].grants[0]: cluster_rol is unknown here: did you mean cluster_role?",
        id="unknown key of a grant",
    ),
    pytest.param(
        {"accounts": [{"tokens": [{"dest": "/run/a", "expiration_seconds": 5}]}]},
        "service_accounts_list[0].tokens[0]: expiration_seconds: 5 is out of range: "
        "the API server takes 600 (10 minutes) to 4294967296 seconds",
        id="a value that the last module would refuse",
    ),
    pytest.param(
        {"service_accounts_prune": True},
        "service_accounts_prune needs service_accounts_set: name the set whose left-over members may be deleted",
        id="prune without a set",
    ),
    pytest.param(
        {"service_accounts_allowed_namespaces": ["shop"]},
        "is not an allowed one: allowed are shop",
        id="beyond the allowed namespaces",
    ),
    pytest.param(
        {"service_accounts_allowed_namespaces": [5.5]},
        "service_accounts_allowed_namespaces[0]",
        id="allowed namespaces that are none",
    ),
    pytest.param({"service_accounts_list": None}, "missing required arguments: service_accounts_list", id="no list"),
    pytest.param({"service_accounts_workers": "many"}, "service_accounts_workers", id="wrong type"),
]


@pytest.mark.parametrize(("given", "sentence"), MISTAKES)
def test_a_mistake_ends_the_role_before_the_first_request(
    cluster: Cluster, namespace: str, run_playbook: Playbook, given: Item, sentence: str
) -> None:
    variables = copy.deepcopy(given)
    listed = [{"name": "a", "namespace": namespace, **entry} for entry in variables.pop("accounts", [{}])]
    mark = cluster.audit_mark()
    variables = {"service_accounts_list": listed, **variables}
    answer = json.dumps({name: value for name, value in variables.items() if value is not None})
    play = run_playbook(PROVISION, "-e", answer)
    assert play.rc == 2
    assert sentence in _message(play.stdout)
    assert "Traceback" not in play.stdout + play.stderr
    assert [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"] == []


def _message(stdout: str) -> str:
    """What the failed task says."""
    return str(json.loads(stdout.partition("FAILED! => ")[2].partition("\n")[0])["msg"])


def test_what_was_done_is_said_also_when_a_task_fails(namespace: str, run_playbook: Playbook, tmp_path: Path) -> None:
    good, bad = str(tmp_path / "good"), str(tmp_path / "bad")
    Path(bad).write_text("notes of somebody")
    tokens = [{"dest": good}, {"dest": bad, "audiences": ["vault"]}]
    first = {"name": "a", "namespace": namespace, "tokens": [{"dest": str(tmp_path / "other")}]}
    second = {"name": "a", "namespace": namespace, "grants": [{"role": "nobody-made-it"}]}
    play = {
        **LOCALHOST,
        "tasks": [
            {"ansible.builtin.import_role": {"name": ROLE}, "vars": {"service_accounts_list": listed}}
            for listed in ([first], [second])
        ],
    }
    done = run_playbook([play])
    assert done.rc == 2
    # what is said of the second run is not about the tokens of the first
    assert _summary_lines(done.stdout) == [f"  account  {namespace}/a", "! grant    nobody-made-it in " + namespace]
    play["tasks"] = [{"ansible.builtin.import_role": {"name": ROLE}}]
    play["vars"] = {"service_accounts_list": [{"name": "a", "namespace": namespace, "tokens": tokens}]}
    done = run_playbook([play])
    assert done.rc == 2
    assert _summary_lines(done.stdout) == [f"  account  {namespace}/a", f"+ token    {good}", f"! token    {bad}"]
    assert f"  failed   {bad} holds something else than a token" in done.stdout
    assert Path(good).read_text().startswith("eyJ")


def _summary_lines(stdout: str) -> list[str]:
    """The lines of the last summary that name something."""
    summary = json.loads(stdout.rpartition("] => ")[2].partition("\n}")[0] + "\n}")["msg"]
    return [line for line in summary if line[2:9].strip() in ("account", "grant", "token")]


def test_the_connection_is_that_of_the_play(cluster: Cluster, namespace: str, run_playbook: Playbook) -> None:
    connection = {"kubeconfig": str(cluster.kubeconfig), "impersonate_user": "nobody-in-particular"}
    answer = {"service_accounts_list": [{"name": "a", "namespace": namespace}], "cluster_connection": connection}
    play = run_playbook(PROVISION, "-e", json.dumps(answer), env={"K8S_AUTH_KUBECONFIG": "/nonexistent"})
    assert play.rc == 2
    assert 'User "nobody-in-particular" cannot' in _message(play.stdout)


# The documentation


def home(cluster: Cluster, directory: Path) -> dict[str, str]:
    """An environment in which the paths of the documentation lead below the directory."""
    (directory / ".kube").mkdir()
    (directory / ".kube/staging").write_text(cluster.kubeconfig.read_text())
    return {"HOME": str(directory), "ANSIBLE_HOME": str(directory / ".ansible")}


def test_the_readme_is_right(cluster: Cluster, run_playbook: Playbook, tmp_path: Path) -> None:
    text = (ROOT / "roles/service_accounts/README.md").read_text()
    playbook, defaults = map(yaml.safe_load, re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)[:2])
    environment = home(cluster, tmp_path)
    try:
        first = run_playbook(playbook, env=environment)
        assert first.rc == 0, first.stdout
        again = run_playbook([{**playbook[0], **defaults}], env={**environment, "K8S_AUTH_KUBECONFIG": "/nonexistent"})
        assert (again.rc, again.changed) == (0, 0), again.stdout
    finally:
        cluster.kubectl("delete", "namespace", "ci", "--ignore-not-found")
    summary = json.loads(first.stdout.rpartition("] => ")[2].partition("\n}")[0] + "\n}")["msg"]
    promised = re.findall(r"```text\n(.*?)```", text.partition("## What it does")[2], re.DOTALL)[0].splitlines()
    assert [line.split()[:-1] for line in summary] == [line.split()[:-1] for line in promised]
    defined = set(re.findall(r"^\| `(service_accounts_\w+)` \|", text, re.MULTILINE))
    specification = yaml.safe_load((ROOT / "roles/service_accounts/meta/argument_specs.yml").read_text())
    assert defined == specification["argument_specs"]["main"]["options"].keys()


def test_the_example_playbook_runs(cluster: Cluster, namespace: str, run_playbook: Playbook, tmp_path: Path) -> None:
    environment, prefix = home(cluster, tmp_path), f"{namespace}-"
    try:
        arguments = ("-e", f"examples_namespace_prefix={prefix}")
        assert run_playbook(ROOT / "examples/playbook.yml", *arguments, env=environment).changed == 3
        assert run_playbook(ROOT / "examples/playbook.yml", *arguments, env=environment).changed == 0
        kubeconfig = f"--kubeconfig={tmp_path / 'reporter.kubeconfig'}"
        assert f"system:serviceaccount:{prefix}reports:reporter" in cluster.kubectl(kubeconfig, "auth", "whoami").stdout
    finally:
        cluster.kubectl("delete", "namespace", f"{prefix}reports", "--ignore-not-found", "--wait=false")


def test_the_examples_of_the_summary_run(namespace: str, run_playbook: Playbook) -> None:
    documentation = yaml.safe_load((ROOT / "plugins/filter/account_summary.yml").read_text())
    variables = {"listed": [{"name": "a", "namespace": namespace}]}
    done = run_playbook([{**LOCALHOST, "vars": variables, "tasks": yaml.safe_load(documentation["EXAMPLES"])}])
    assert done.rc == 0, done.stdout
    assert "+ account" in done.stdout


# The list taken apart


@pytest.mark.parametrize("arguments", [("-v",), ("-v", "--check"), ("-vvv",)])
def test_the_items_are_registered_but_not_shown(run_playbook: Playbook, arguments: Sequence[str]) -> None:
    sink = {"type": "secret", "name": "copy", "connection": {"host": "https://other", "api_key": "not-for-eyes-0"}}
    listed = [{"name": "a", "namespace": "ci", "tokens": [{"sinks": [sink]}]}]
    tasks = [
        {"tokenwright.kubernetes.account_items": {"accounts": listed}, "register": "items"},
        {"ansible.builtin.assert": {"that": "items.tokens[0].sinks[0].connection.api_key == 'not-for-eyes-0'"}},
    ]
    done = run_playbook([{**LOCALHOST, "tasks": tasks}], *arguments)
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert "censored" in done.stdout
    assert "not-for-eyes-0" not in done.stdout
