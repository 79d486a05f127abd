# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The benchmark: what a task costs here, what the same costs with kubernetes.core, side by side in one run.

Machines differ and are noisy: the ratios are what to look at. Every figure is the median of ROUNDS rounds in which the
contestants take turns.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

import yaml  # noqa: E402 - after the path
from cluster.audit import is_write  # noqa: E402 - after the path
from cluster.controlplane import Cluster  # noqa: E402 - after the path

OURS = ROOT / ".cache" / "collections"
PEERS = ROOT / ".cache" / "peers"
LOCALHOST = {"hosts": "localhost", "connection": "local", "gather_facts": False}
RULES = [{"verbs": ["get", "list", "watch"], "resources": ["pods"]}]


@dataclass(frozen=True)
class Line:
    """One line of the table."""

    what: str
    figure: str
    aim: str


class Bench:
    """Runs plays against one cluster and takes times."""

    def __init__(self, cluster: Cluster, directory: Path, rounds: int) -> None:
        self._cluster = cluster
        self._directory = directory
        self.rounds = rounds

    def seconds(self, tasks: Sequence[Mapping[str, Any]], *arguments: str, **keywords: Any) -> float:
        """Wall seconds of a whole ansible-playbook."""
        path = self._directory / "play.yml"
        path.write_text(yaml.safe_dump([{**LOCALHOST, **keywords, "tasks": list(tasks)}]))
        command = [str(Path(sys.executable).with_name("ansible-playbook")), str(path), *arguments]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": f"{OURS}:{PEERS}",
            "ANSIBLE_LOCALHOST_WARNING": "False",
            "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
            "K8S_AUTH_KUBECONFIG": str(self._cluster.kubeconfig),
        }
        started = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=600, check=False)
        taken = time.monotonic() - started
        if done.returncode:
            sys.exit(f"the play failed:\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}")
        return taken

    def namespace(self, name: str) -> str:
        """A fresh namespace."""
        self._cluster.kubectl("create", "namespace", name)
        return name

    def writes(self, mark: int) -> int:
        """Write requests, TokenRequests among them, that this collection sent since the mark."""
        events = self._cluster.audit_events(mark)
        return sum(event.get("userAgent") == "tokenwright" and is_write(event) for event in events)

    def mark(self) -> int:
        """The end of the audit log."""
        return self._cluster.audit_mark()


def loop(count: int) -> list[dict[str, Any]]:
    task = {"name": "app", "namespace": "default", "labels": {"bench": "yes"}}
    return [{"tokenwright.kubernetes.k8s_sa": task, "loop": list(range(count)), "loop_control": {"label": ""}}]


def milliseconds_per_item(bench: Bench, count: int, *arguments: str) -> float:
    """Of a loop that changes nothing; the same play with one item is subtracted, so start-up does not count."""
    bench.seconds(loop(1), *arguments)
    many, one = [], []
    for dummy in range(bench.rounds):
        many.append(bench.seconds(loop(count), *arguments))
        one.append(bench.seconds(loop(1), *arguments))
    return 1000 * (statistics.median(many) - statistics.median(one)) / (count - 1)


def accounts(namespace: str, count: int) -> list[dict[str, Any]]:
    grants = [{"rules": RULES}]
    return [{"name": f"app-{number:04}", "namespace": namespace, "grants": grants} for number in range(count)]


def manifests(namespace: str, count: int) -> list[dict[str, Any]]:
    """The same objects as documents for kubernetes.core."""
    group = "rbac.authorization.k8s.io"
    found: list[dict[str, Any]] = []
    for number in range(count):
        name = f"app-{number:04}"
        metadata = {"name": name, "namespace": namespace}
        rules = [{"apiGroups": [""], "resources": rule["resources"], "verbs": rule["verbs"]} for rule in RULES]
        subjects = [{"kind": "ServiceAccount", "name": name, "namespace": namespace}]
        role_ref = {"apiGroup": group, "kind": "Role", "name": name}
        found += [
            {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
            {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
            {
                "apiVersion": f"{group}/v1",
                "kind": "RoleBinding",
                "metadata": metadata,
                "roleRef": role_ref,
                "subjects": subjects,
            },
        ]
    return found


def through_role(bench: Bench, namespace: str, count: int) -> float:
    role = {"ansible.builtin.import_role": {"name": "tokenwright.kubernetes.service_accounts"}}
    return bench.seconds([role], vars={"service_accounts_list": accounts(namespace, count)})


def through_peer(bench: Bench, namespace: str, count: int) -> float:
    return bench.seconds([{"kubernetes.core.k8s": {"definition": manifests(namespace, count)}}])


def side_by_side(bench: Bench, count: int) -> list[Line]:
    """First and second run of the same accounts, ours and theirs in turn."""
    contestants: dict[str, Callable[[Bench, str, int], float]] = {"role": through_role, "peer": through_peer}
    first: dict[str, list[float]] = {name: [] for name in contestants}
    again: dict[str, list[float]] = {name: [] for name in contestants}
    writes = 0
    for turn in range(bench.rounds):
        for name, run in contestants.items():
            namespace = bench.namespace(f"bench-{name}-{turn}")
            first[name].append(run(bench, namespace, count))
            mark = bench.mark()
            again[name].append(run(bench, namespace, count))
            writes += bench.writes(mark) if name == "role" else 0
    lines = []
    for label, times in (("first run", first), ("second run", again)):
        ours, theirs = statistics.median(times["role"]), statistics.median(times["peer"])
        what = f"{count} accounts, {label}: role / kubernetes.core.k8s with one list task"
        lines.append(Line(what, f"{ours:.2f} s / {theirs:.2f} s = {ours / theirs:.2f}", "at most 0.50"))
    lines.append(Line("writes and TokenRequests in all second runs of the role", str(writes), "0"))
    return lines


def seconds_until_ready(directory: Path) -> float:
    """Of a new control plane: certificates are made, programs are there."""
    started = time.monotonic()
    with Cluster(directory):
        return time.monotonic() - started


def measure(rounds: int, count: int) -> list[Line]:
    with tempfile.TemporaryDirectory() as scratch:
        starts = [seconds_until_ready(Path(scratch) / f"start-{turn}") for turn in range(rounds)]
        ready = f"{statistics.median(starts):.1f} s ({min(starts):.1f} to {max(starts):.1f})"
        lines = [Line("control plane ready (certificates made, all cached)", ready, "under 5 s")]
        with Cluster(Path(scratch) / "cluster") as cluster:
            bench = Bench(cluster, Path(scratch), rounds)
            here = milliseconds_per_item(bench, 100)
            lines.append(
                Line(
                    "loop of 100 k8s_sa that change nothing, in the controller",
                    f"{here:.1f} ms per item",
                    "at most 30 ms",
                )
            )
            # another spelling of the same path is not recognised as the controller's interpreter
            other = f"{Path(sys.executable).parent}/../bin/{Path(sys.executable).name}"
            shipped = milliseconds_per_item(bench, 20, "-e", f"ansible_python_interpreter={other}")
            lines.append(Line("the same through the shipped module", f"{shipped:.0f} ms per item", "-"))
            return lines + side_by_side(bench, count)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--accounts", type=int, default=100)
    options = parser.parse_args()
    lines = measure(options.rounds, options.accounts)
    width = max(len(line.what) for line in lines)
    for line in lines:
        print(f"{line.what:{width}}  {line.figure:32}  {line.aim}")


if __name__ == "__main__":
    main()
