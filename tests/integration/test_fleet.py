# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many clusters in one run: what fails on one stops no other, and each has its line at the end."""

from __future__ import annotations

import json
import re
import socket
import uuid
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import ROOT, Play
from proofs.leak_secrets import TOKEN
from proofs.runner_jobs import Done, Job, run
from proofs.tokens import is_accepted

EXAMPLE = ROOT / "examples/fleet"
LISTED = """{{ [{"name": "app", "namespace": place, "access": {"cannot": ["get secrets"]},
  "tokens": [{"dest": directory ~ "/" ~ inventory_hostname}]}] }}"""

Hosts = dict[str, dict[str, Any]]
Run = Callable[..., Play]
Writes = Callable[[int], list[str]]


@pytest.fixture(scope="module")
def others(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Cluster]]:
    """Two more control planes."""
    names = ("west", "south")
    with ThreadPoolExecutor(len(names)) as pool:
        made = dict(zip(names, pool.map(lambda name: Cluster(tmp_path_factory.mktemp(name)), names), strict=True))
    for running in made.values():
        running.up()
    yield made
    for running in made.values():
        running.down(purge=True)


@pytest.fixture
def silent() -> Iterator[str]:
    """The address of somebody who takes calls and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"https://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture
def hosts(cluster: Cluster, namespace: str, silent: str) -> Hosts:
    """A cluster that works, and all the ways in which one does not."""
    works = {"kubeconfig": str(cluster.kubeconfig)}
    token = cluster.kubectl("create", "token", "default", "-n", namespace).stdout.strip()
    authority = {"host": cluster.server, "ca_cert": str(cluster.ca_cert)}
    return {
        "broken": {"cluster_connection": "{{ lookup('ansible.builtin.file', '/nonexistent') }}"},
        "works": {"cluster_connection": works},
        "down": {
            "cluster_connection": {**authority, "host": "https://127.0.0.1:9", "api_key": token, "retry_timeout": 0}
        },
        "hangs": {
            "cluster_connection": {**authority, "host": silent, "api_key": token, "request_timeout": 1}
            | {"retry_timeout": 0}
        },
        "refuses": {"cluster_connection": {**authority, "api_key": token}},
        "unsaid": {},
        "mistaken": {"cluster_connection": works, "service_accounts_list": [{"nmae": "app"}]},
    }


@pytest.fixture
def play(run_playbook: Run, hosts: Hosts, namespace: str, tmp_path: Path) -> Run:
    """Run a playbook on these hosts, or others."""
    (tmp_path / "tokens").mkdir(mode=0o700)

    def played(name: str, *arguments: str, check: bool = False, given: Hosts | None = None) -> Play:
        common = {"place": namespace, "directory": str(tmp_path / "tokens"), "service_accounts_list": LISTED}
        inventory = {"all": {"hosts": given or hosts, "vars": common}}
        (tmp_path / "clusters.yml").write_text(yaml.safe_dump(inventory))
        options = ("-i", "clusters.yml", "-e", "clusters=all", *arguments)
        done = run_playbook(f"tokenwright.kubernetes.{name}", *options, check=check)
        assert not TOKEN.search((done.stdout + done.stderr).encode())
        return done

    return played


def report(done: Play) -> dict[str, str]:
    """What the report says, by cluster; the line that counts them, if there is one, has no name."""
    text = done.stdout.partition("TASK [Say what came of each cluster]")[2].partition("=> ")[2]
    lines: list[str] = json.JSONDecoder().raw_decode(text)[0]["msg"]
    counted = lines.pop() if " clusters: " in lines[-1] else ""
    return {"": counted, **{line.split()[0]: " ".join(line.split()[1:]) for line in lines}}


SENTENCES = {
    "broken": r"Unable to access the file '/nonexistent'|had an issue accessing the file",
    "down": r"the API server 127\.0\.0\.1:9 .*the connection is refused",
    "hangs": r"the API server 127\.0\.0\.1:\d+ .*no answer",
    "refuses": r"(may not|cannot) ",
    "unsaid": r"cluster_connection of unsaid is missing or empty",
    "mistaken": r"service_accounts_list\[0\]: nmae is unknown here: did you mean name\?",
}


def test_what_fails_on_one_cluster_stops_no_other_and_each_has_its_line(
    cluster: Cluster, namespace: str, play: Run, writes: Writes, tmp_path: Path
) -> None:
    mark = cluster.audit_mark()
    predicted = play("provision", check=True)
    assert writes(mark) == []
    done = play("provision", "-vvv", "--forks=3")
    again = play("provision", "-e", f"clusters_report_dest={tmp_path / 'report.json'}")
    counts = ("1 changed, 6 FAILED", "1 changed, 6 FAILED", "1 ok, 6 FAILED")
    ends = (
        "changed 1 of 1 accounts would change",
        "changed 1 of 1 accounts changed, 1 account proven",
        "ok nothing changed, 1 account proven",
    )
    for run_of_it, count, end in zip((predicted, done, again), counts, ends, strict=True):
        assert run_of_it.rc == 2
        told = report(run_of_it)
        assert told.pop("") == f"7 clusters: {count}"
        assert told.pop("works") == end
        assert told.keys() == SENTENCES.keys()
        for name, sentence in SENTENCES.items():
            assert told[name].startswith("FAILED "), told[name]
            assert re.search(sentence, told[name]), told[name]
            assert re.search(rf"^{name} .* failed=1 .* rescued=1 ", run_of_it.stdout, re.MULTILINE), name
    assert is_accepted(cluster, (tmp_path / "tokens/works").read_text())
    assert cluster.kubectl("get", "serviceaccount", "app", "-n", namespace).returncode == 0
    written = {row["cluster"]: row for row in json.loads((tmp_path / "report.json").read_text())}
    assert {name: row["status"] for name, row in written.items()} == {
        "works": "ok",
        **dict.fromkeys(SENTENCES, "failed"),
    }
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize(
    ("name", "works"),
    {
        "provision": "ok nothing changed, 1 account proven",
        "renew": "ok nothing changed",
        "revoke": "changed 1 of 1 accounts changed",
        "verify_access": "ok nothing changed, 1 account proven",
        "migrate_legacy": "ok the list is empty",
    }.items(),
)
def test_every_playbook_goes_on_and_fails_at_the_end(play: Run, hosts: Hosts, name: str, works: str) -> None:
    given = {host: hosts[host] for host in ("down", "works")}
    assert play("provision", given=given).rc == 2
    done = play(name, given=given)
    told = report(done)
    assert (done.rc, told["works"]) == (2, works)
    assert re.match(r"FAILED [A-Z][a-z -]+: cannot .* the API server 127\.0\.0\.1:9 ", told["down"])


def test_it_is_the_same_in_batches_with_a_limit_and_when_all_are_down(play: Run, hosts: Hosts) -> None:
    given = {"down": hosts["down"], "unsaid": {}, "works": hosts["works"]}
    in_batches = play("provision", "-e", "clusters_serial=1", given=given)
    assert in_batches.stdout.count("PLAY [Provision service accounts]") == 3
    assert [*report(in_batches)] == ["", "down", "unsaid", "works"]
    assert (in_batches.rc, report(in_batches)[""]) == (2, "3 clusters: 1 changed, 2 FAILED")
    assert report(play("provision", "--limit=works", given=given)) == {
        "": "",
        "works": "ok nothing changed, 1 account proven",
    }
    limited = play("provision", "--limit=works", given=given)
    assert (limited.rc, limited.changed) == (0, 0)
    all_down = play("provision", given={"down": hosts["down"], "unsaid": {}})
    assert (all_down.rc, report(all_down)[""]) == (2, "2 clusters: 2 FAILED")
    alone = play("provision", given={"down": hosts["down"]})
    assert (alone.rc, [*report(alone)]) == (2, ["", "down"])


def test_a_credential_of_the_run_does_not_make_one_cluster_of_many(
    cluster: Cluster, play: Run, hosts: Hosts, writes: Writes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("K8S_AUTH_HOST", cluster.server)
    monkeypatch.setenv("K8S_AUTH_API_KEY", "a-credential-of-the-run")
    mark = cluster.audit_mark()
    done = play("provision", given={"works": hosts["works"], "west": hosts["works"]})
    assert (done.rc, report(done)[""]) == (2, "2 clusters: 2 FAILED")
    assert "K8S_AUTH_HOST is set, and would go before what cluster_connection finds" in report(done)["west"]
    assert writes(mark) == []


@pytest.fixture
def fleet(cluster: Cluster, others: Mapping[str, Cluster], tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What the example needs: kubeconfigs, an address and a token; and a prefix that no other test uses."""
    directory, prefix = tmp_path / "fleet", f"fleet-{uuid.uuid4().hex[:8]}-"
    for name in ("east", "west", "south"):
        (directory / name).mkdir(parents=True, mode=0o700)
    text = (
        cluster.kubeconfig.read_text()
        .replace("current-context: kit", "")
        .replace("name: kit\n  context", "name: east\n  context")
    )
    (directory / "clusters.kubeconfig").write_text(text)
    (directory / "west.kubeconfig").write_text(others["west"].kubeconfig.read_text())
    (directory / "south.crt").write_text(others["south"].ca_cert.read_text())
    south = others["south"]
    south.kubectl("create", "serviceaccount", f"{prefix}runs", "-n", "default")
    south.kubectl(
        *("create", "clusterrolebinding", f"{prefix}runs", "--clusterrole=cluster-admin"),
        f"--serviceaccount=default:{prefix}runs",
    )
    token = south.kubectl("create", "token", f"{prefix}runs", "-n", "default").stdout.strip()
    answers = {
        "clusters": "all",
        "examples_fleet_directory": str(directory),
        "examples_namespace_prefix": prefix,
        "south_address": south.server,
    }
    yield {"answers": answers, "token": token, "directory": directory, "prefix": prefix}
    for one in (cluster, *others.values()):
        one.kubectl("delete", "namespace", "--ignore-not-found", "--wait=false", f"{prefix}monitoring", f"{prefix}shop")


def test_the_example_runs_and_a_second_time_without_a_change(
    cluster: Cluster, others: Mapping[str, Cluster], fleet: dict[str, Any], run_playbook: Run
) -> None:
    options = ("-i", str(EXAMPLE / "clusters.yml"), "-e", json.dumps(fleet["answers"]))
    environment = {"SOUTH_TOKEN": fleet["token"], "K8S_AUTH_KUBECONFIG": ""}
    first = run_playbook("tokenwright.kubernetes.provision", *options, env=environment)
    assert first.rc == 0, first.stdout
    assert report(first) == {
        "": "3 clusters: 3 changed",
        "east": "changed 2 of 2 accounts changed",
        "west": "changed 2 of 2 accounts changed",
        "south": "changed 1 of 1 accounts changed",
    }
    for name, server in {"east": cluster, **others}.items():
        assert is_accepted(server, (fleet["directory"] / name / "prometheus.token").read_text()), name
    again = run_playbook("tokenwright.kubernetes.provision", *options, env=environment)
    assert (again.rc, report(again)[""]) == (0, "3 clusters: 3 ok")
    assert again.stdout.count("changed=0") == 3


@pytest.mark.parametrize("name", ["cluster_connection", "cluster_failure", "cluster_report"])
def test_the_examples_of_a_filter_run(cluster: Cluster, run_playbook: Run, name: str) -> None:
    tasks = yaml.safe_load(yaml.safe_load((ROOT / f"plugins/filter/{name}.yml").read_text())["EXAMPLES"])
    cluster.kubectl("create", "namespace", "ci")
    try:
        done = run_playbook([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}])
    finally:
        cluster.kubectl("delete", "namespace", "ci")
    assert done.rc == 0, done.stdout
    if name == "cluster_report":
        (said,) = re.findall(r'"msg": (\[.*?\])', done.stdout, re.DOTALL)
        documented = yaml.safe_load((ROOT / "plugins/filter/cluster_report.yml").read_text())["RETURN"]["_value"]
        assert json.loads(said) == documented["contains"]["lines"]["sample"]


def test_the_document_shows_the_inventory_of_the_example() -> None:
    (shown,) = re.findall(r"^```yaml\n(.*?)^```$", (ROOT / "docs/fleet.md").read_text(), re.MULTILINE | re.DOTALL)
    assert (EXAMPLE / "clusters.yml").read_text().endswith(shown)


def slice_of(hosts: Mapping[str, Any], number: int, count: int) -> dict[str, Any]:
    """The hosts that AWX gives to one of several slices of a job."""
    return {name: hosts[name] for name in sorted(hosts)[number - 1 :: count]}


def test_slices_of_a_job_cover_every_cluster_once_and_report_on_their_own(
    cluster: Cluster, others: Mapping[str, Cluster], fleet: dict[str, Any], tmp_path: Path
) -> None:
    """Two at once, each with a private data directory of its own, as AWX runs a job template with two slices."""
    inventory = yaml.safe_load((EXAMPLE / "clusters.yml").read_text())["all"]["children"]
    every = yaml.safe_load((EXAMPLE / "group_vars/all.yml").read_text())
    hosts = {
        name: {**every, **said, "ansible_connection": "local"}
        for group in inventory.values()
        for name, said in group["hosts"].items()
    }
    slices = [slice_of(hosts, number, 2) for number in (1, 2)]
    assert [[*one] for one in slices] == [["east", "west"], ["south"]]
    mark = cluster.audit_mark()

    def play_slice(number: int) -> Done:
        wrapper = "- import_playbook: tokenwright.kubernetes.provision\n"
        job = Job(wrapper, slices[number], {"SOUTH_TOKEN": fleet["token"]}, fleet["answers"])
        return run(job, tmp_path / f"slice-{number}")

    with ThreadPoolExecutor(2) as pool:
        done = [*pool.map(play_slice, range(2))]
    assert [one.status for one in done] == ["successful"] * 2, done[0].surfaces["standard output"][-3000:]
    reports = [one.said("Say what came of each cluster") for one in done]
    changed = "changed  1 of 1 accounts changed"
    assert reports == [
        [[f"east  {changed}", f"west  {changed}", "2 clusters: 2 changed"]],
        [[f"south  {changed}"]],
    ]
    made = [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    assert sum(event["verb"] == "create" and event["objectRef"]["resource"] == "namespaces" for event in made) == 1
    for name, server in {"east": cluster, **others}.items():
        assert is_accepted(server, (fleet["directory"] / name / "prometheus.token").read_text()), name
