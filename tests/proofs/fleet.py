# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list on several clusters, one of which dies half-way.

Its etcd and API server are stopped as soon as its audit log shows that half of the accounts are there. The others are
to be completed, the report is to name the dead one, a rerun is to complete it, and one more run is to write nothing.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from cluster.audit import is_write
from cluster.controlplane import Cluster
from proofs.table import Ground, Line
from proofs.tokens import COLLECTIONS, is_accepted, python_environment

_ACCOUNTS, _QUICK_ACCOUNTS = 100, 24
_OTHERS, _QUICK_OTHERS = ("east", "south"), ("east",)
_VICTIM = "west"
_KINDS = ("serviceaccounts", "roles", "rolebindings")
# every account so many after the one before has a token
_TOKEN_EVERY = 10

_SECONDS = 600
_POLL_SECONDS = 0.01
# what a request to the dead one may spend on its retries; it is refused at once, and there are many
_RETRY_SECONDS = 2


@dataclass(frozen=True)
class Run:
    """One run of the playbook on all clusters.

    Attributes:
        rc: its exit status.
        output: all that it said.
        report: what its report says, status and message by cluster.
    """

    rc: int
    output: str
    report: Mapping[str, tuple[str, str]]

    @property
    def statuses(self) -> dict[str, str]:
        """Only those."""
        return {name: status for name, (status, dummy) in self.report.items()}


@dataclass(frozen=True)
class Fleet:
    """Several clusters and a list for all of them.

    Attributes:
        clusters: by their names in the inventory; the last is the one that dies.
        directory: of the inventory; the places of the tokens are below it.
        accounts: how many are in the list.
        namespace: theirs.
    """

    clusters: Mapping[str, Cluster]
    directory: Path
    accounts: int
    namespace: str

    @property
    def victim(self) -> Cluster:
        """The one that dies."""
        return self.clusters[_VICTIM]

    @property
    def with_token(self) -> list[str]:
        """The accounts that have one."""
        return [_name(number) for number in range(0, self.accounts, _TOKEN_EVERY)]

    def place(self, cluster: str, account: str) -> Path:
        """Where a token is kept."""
        return self.directory / "tokens" / cluster / account

    def set_up(self) -> None:
        """Write the inventory, and the list beside it."""
        hosts = {name: {"cluster_connection": self._connection(cluster)} for name, cluster in self.clusters.items()}
        for name in hosts:
            (self.directory / "tokens" / name).mkdir(mode=0o700, parents=True)
        (self.directory / "clusters.yml").write_text(yaml.safe_dump({"all": {"hosts": hosts}}))
        (self.directory / "group_vars").mkdir()
        listed = {"service_accounts_set": "fleet", "service_accounts_list": [*self._listed()]}
        (self.directory / "group_vars/all.yml").write_text(json.dumps(listed))

    def _connection(self, cluster: Cluster) -> dict[str, Any]:
        return {"kubeconfig": str(cluster.kubeconfig), "retry_timeout": _RETRY_SECONDS}

    def _listed(self) -> Iterator[dict[str, Any]]:
        rule = {"verbs": ["get", "list"], "resources": ["configmaps"]}
        for number in range(self.accounts):
            name = _name(number)
            account = {"name": name, "namespace": self.namespace, "create_namespace": True}
            dest = f"{self.directory}/tokens/{{{{ inventory_hostname }}}}/{name}"
            tokens = [{"dest": dest}] if name in self.with_token else []
            yield {**account, "grants": [{"rules": [rule]}], "tokens": tokens}

    def start(self) -> subprocess.Popen[str]:
        """The playbook, on all clusters at once."""
        command = [str(Path(sys.executable).with_name("ansible-playbook")), "tokenwright.kubernetes.provision"]
        command += ["--inventory=clusters.yml", f"--forks={len(self.clusters)}"]
        command += ["-e", "clusters=all", "-e", f"clusters_report_dest={self._report}"]
        self._report.unlink(missing_ok=True)
        return subprocess.Popen(
            command, cwd=self.directory, env=_environment(), text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    @property
    def _report(self) -> Path:
        return self.directory / "report.json"

    def ended(self, process: subprocess.Popen[str]) -> Run:
        """What came of it."""
        try:
            output, dummy = process.communicate(timeout=_SECONDS)
        finally:
            process.kill()
        rows = json.loads(self._report.read_text()) if self._report.exists() else []
        return Run(process.returncode, output, {row["cluster"]: (row["status"], row["message"]) for row in rows})


def prove(ground: Ground) -> list[Line]:
    """Provision, kill one half-way, complete it, and see that nothing is left to do."""
    others = _OTHERS if ground.full else _QUICK_OTHERS
    with ExitStack() as stack:
        clusters = {others[0]: ground.cluster}
        for name in (*others[1:], _VICTIM):
            clusters[name] = stack.enter_context(Cluster(ground.directory / name))
        accounts = _ACCOUNTS if ground.full else _QUICK_ACCOUNTS
        fleet = Fleet(clusters, ground.directory / "fleet", accounts, f"fleet-{uuid.uuid4().hex[:10]}")
        fleet.directory.mkdir(mode=0o700)
        fleet.set_up()
        return [_killed(fleet), _completed(fleet), _repeated(fleet)]


def _killed(fleet: Fleet) -> Line:
    """The run in which one dies."""
    mark = fleet.victim.audit_mark()
    process = fleet.start()
    made = _die_half_way(fleet, process, mark)
    run = fleet.ended(process)
    others = [name for name in fleet.clusters if name != _VICTIM]
    expected = {**dict.fromkeys(others, "changed"), _VICTIM: "failed"}
    misses = [] if run.rc == 2 else [f"exit status {run.rc}: {run.output[-2000:]}"]
    misses += [] if run.statuses == expected else [f"the report says {run.report}"]
    misses += _missing_from_output(run)
    misses += [] if 0 < made < fleet.accounts * len(_KINDS) else [f"it did not die half-way: {made} objects were there"]
    misses += [miss for name in others for miss in _incomplete(fleet, name)]
    total = fleet.accounts * len(_KINDS)
    seen = (
        f"{len(others)} complete; {_VICTIM} died with {made} of {total} objects and is reported: "
        f"{run.report.get(_VICTIM, ('', 'not at all'))[1][:120]}"
    )
    asked = (
        f"{fleet.accounts} accounts (ServiceAccount, Role, RoleBinding, some with tokens) on {len(fleet.clusters)} "
        "clusters, one killed half-way: the others are complete on their servers, the report names it, exit status 2"
    )
    return Line(asked, seen, holds=not misses, misses=tuple(misses))


def _die_half_way(fleet: Fleet, process: subprocess.Popen[str], mark: int) -> int:
    """Stop the cluster when half of the accounts are there; returns how many objects it had then."""
    deadline = time.monotonic() + _SECONDS
    while process.poll() is None and _made(fleet.victim, mark, _KINDS[:1]) < fleet.accounts // 2:
        if time.monotonic() > deadline:
            raise TimeoutError("half of the accounts were never there")
        time.sleep(_POLL_SECONDS)
    # without it the API server can write nothing any more, while it would take its time to end
    fleet.victim.stop("etcd")
    fleet.victim.stop("kube-apiserver")
    return _made(fleet.victim, mark, _KINDS)


def _made(cluster: Cluster, mark: int, kinds: Sequence[str]) -> int:
    return sum(
        event["verb"] == "create"
        and event.get("objectRef", {}).get("resource") in kinds
        and "subresource" not in event["objectRef"]
        and event["responseStatus"]["code"] == 201
        for event in cluster.audit_events(mark)
        if event.get("userAgent") == "tokenwright"
    )


def _missing_from_output(run: Run) -> list[str]:
    """Each cluster has its line in what was printed, the dead one with FAILED."""
    words = {name: "FAILED" if status == "failed" else status for name, status in run.statuses.items()}
    return [
        f"no line says that {name} is {word}"
        for name, word in words.items()
        if not re.search(rf'"{name} +{word} ', run.output)
    ]


def _completed(fleet: Fleet) -> Line:
    """The run after it is back."""
    fleet.victim.up()
    run = fleet.ended(fleet.start())
    expected = {name: "changed" if name == _VICTIM else "ok" for name in fleet.clusters}
    misses = [] if run.rc == 0 else [f"exit status {run.rc}: {run.output[-2000:]}"]
    misses += [] if run.statuses == expected else [f"the report says {run.report}"]
    misses += [miss for name in fleet.clusters for miss in _incomplete(fleet, name)]
    seen = f"{run.report.get(_VICTIM, ('', 'not reported'))[1]}; {len(misses)} misses"
    asked = "when it is back, a rerun completes it and changes nothing on the others"
    return Line(asked, seen, holds=not misses, misses=tuple(misses))


def _repeated(fleet: Fleet) -> Line:
    """One run more."""
    marks = {name: cluster.audit_mark() for name, cluster in fleet.clusters.items()}
    run = fleet.ended(fleet.start())
    written = {name: _writes(cluster, marks[name]) for name, cluster in fleet.clusters.items()}
    misses = [f"{count} writes on {name}" for name, count in written.items() if count]
    misses += [] if run.rc == 0 else [f"exit status {run.rc}: {run.output[-2000:]}"]
    misses += [] if set(run.statuses.values()) == {"ok"} else [f"the report says {run.report}"]
    misses += [] if run.output.count("changed=0") == len(fleet.clusters) else ["the recap tells of changes"]
    seen = f"{sum(written.values())} writes, changed=0 on {run.output.count('changed=0')} clusters"
    return Line("one more run writes nothing on any", seen, holds=not misses, misses=tuple(misses))


def _writes(cluster: Cluster, mark: int) -> int:
    events = cluster.audit_events(mark)
    return sum(is_write(event) for event in events if event.get("userAgent") == "tokenwright")


def _incomplete(fleet: Fleet, name: str) -> Iterator[str]:
    """What a server lacks of the list, and which of its tokens it refuses."""
    cluster = fleet.clusters[name]
    declared = {_name(number) for number in range(fleet.accounts)}
    for kind in _KINDS:
        arguments = ("get", kind, "-n", fleet.namespace, "-o", "jsonpath={.items[*].metadata.name}")
        found = set(cluster.kubectl(*arguments).stdout.split())
        if missing := declared - found:
            yield f"{name} lacks {len(missing)} {kind}"
    for account in fleet.with_token:
        place = fleet.place(name, account)
        if not place.exists() or not is_accepted(cluster, place.read_text()):
            yield f"{name} has no token of {account} that it takes"


def _name(number: int) -> str:
    return f"account-{number:03}"


def _environment() -> dict[str, str]:
    return {
        **python_environment(),
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_NOCOLOR": "1",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }
