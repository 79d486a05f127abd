# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every test may use: a real cluster, a namespace of its own, tasks and playbooks run for real."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import pytest
import yaml
from cluster.audit import is_write
from cluster.build import node_programs
from cluster.controlplane import Cluster
from cluster.kit import KitError
from cluster.requirements import why_no_node
from faults.proxy import FaultProxy
from hypothesis import HealthCheck, settings

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import (
    _access,
    _binding,
    _diagnosis,
    _inventory,
    _legacy_token,
    _namespace_list,
    _repoint,
    _service_account,
    _token,
    _volume,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

ROOT = Path(__file__).resolve().parent.parent
COLLECTIONS = ROOT / ".cache" / "collections"

# Nothing is judged by the clock of a busy machine. A run has over fifty properties: half of the usual number of
# examples for each keeps it short.
settings.register_profile("untimed", deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("untimed")

USE_CASES = {
    "k8s_legacy_token": _legacy_token.USE_CASE,
    "k8s_namespace_info": _namespace_list.USE_CASE,
    "k8s_sa": _service_account.USE_CASE,
    "k8s_sa_access": _access.USE_CASE,
    "k8s_sa_binding": _binding.USE_CASE,
    "k8s_sa_consumer": _repoint.USE_CASE,
    "k8s_sa_diagnose": _diagnosis.USE_CASE,
    "k8s_sa_info": _inventory.USE_CASE,
    "k8s_sa_token": _token.USE_CASE,
    "k8s_sa_volume": _volume.USE_CASE,
}

Task: TypeAlias = Callable[..., dict[str, Any]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --slow-too."""
    parser.addoption("--slow-too", action="store_true", help="also run the tests marked slow")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what takes minutes unless asked for, and what needs a node where there can be none."""
    for item in items:
        if item.get_closest_marker("slow") and not config.getoption("--slow-too"):
            item.add_marker(pytest.mark.skip(reason="takes minutes: make test-all"))
        elif "node_cluster" in getattr(item, "fixturenames", ()) and (reason := why_no_node()):
            item.add_marker(pytest.mark.skip(reason=f"no node here: {reason}"))


@pytest.fixture(autouse=True)
def _no_cluster_of_the_developer(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tests must not reach a cluster that happens to be configured where they run."""
    for name in list(os.environ):
        if name == "KUBECONFIG" or name.startswith("K8S_AUTH_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane for the whole session."""
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running
    running.down(purge=True)


@pytest.fixture(scope="module")
def node_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A control plane with a node, for the tests of one file; without one they are skipped, with the reason."""
    try:
        node_programs()
    except KitError as problem:
        pytest.skip(f"no node here: {str(problem).splitlines()[0]}")
    with Cluster(tmp_path_factory.mktemp("node"), node=True) as running:
        yield running
    running.down(purge=True)


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a fresh namespace."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def fault_proxy(cluster: Cluster) -> Iterator[FaultProxy]:
    """What can go wrong between a client (with its C(kubeconfig)) and the cluster."""
    with FaultProxy(cluster) as proxy:
        yield proxy


@pytest.fixture
def run_task(cluster: Cluster) -> Task:
    """Run one task as the action plugin would in the controller: C(run_task("k8s_sa", check_mode=False, **options))."""

    def run(module: str, *, check_mode: bool = False, diff: bool = True, **options: Any) -> dict[str, Any]:
        args = {"kubeconfig": str(cluster.kubeconfig), **options}
        return run_here(USE_CASES[module], args, check_mode=check_mode, diff=diff)

    return run


def predicted_and_done(run_task: Task, options: Mapping[str, Any]) -> dict[str, Any]:
    """What k8s_sa_token did, after check mode has said exactly that."""
    predicted = run_task("k8s_sa_token", check_mode=True, **options)
    done = run_task("k8s_sa_token", **options)
    assert not done.get("failed"), done["msg"]
    assert predicted["actions"] == done["actions"]
    assert (predicted["changed"], predicted["reason"]) == (done["changed"], done["reason"])
    return done


@dataclass(frozen=True)
class Play:
    """A finished ansible-playbook."""

    rc: int
    stdout: str
    stderr: str

    @property
    def changed(self) -> int:
        """The changed= of the only host's recap."""
        return int(self.stdout.rpartition("changed=")[2].split()[0])


@pytest.fixture
def run_playbook(tmp_path: Path, cluster: Cluster) -> Callable[..., Play]:
    """Run a play (tasks as data, YAML text or a path) with the real ansible-playbook, connected to the cluster."""
    return player(tmp_path, cluster)


def player(tmp_path: Path, cluster: Cluster) -> Callable[..., Play]:
    """What runs plays in a directory, connected to a cluster."""

    def run(
        play: Sequence[Mapping[str, Any]] | str | Path,
        *args: str,
        env: Mapping[str, str] | None = None,
        check: bool = False,
    ) -> Play:
        path = str(play)
        if not isinstance(play, Path) and ("\n" in path or not isinstance(play, str)):
            text = play if isinstance(play, str) else yaml.safe_dump(list(play), sort_keys=False)
            (tmp_path / "play.yml").write_text(text)
            path = str(tmp_path / "play.yml")
        command = [
            str(Path(sys.executable).with_name("ansible-playbook")),
            path,
            *args,
            *(["--check"] if check else []),
        ]
        done = subprocess.run(
            command,
            env=_environment(cluster, env),
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        return Play(done.returncode, done.stdout, done.stderr)

    return run


def _environment(cluster: Cluster, extra: Mapping[str, str] | None) -> dict[str, str]:
    return {
        **os.environ,
        "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
        "ANSIBLE_LOCALHOST_WARNING": "False",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
        "ANSIBLE_NOCOLOR": "1",
        "K8S_AUTH_KUBECONFIG": str(cluster.kubeconfig),
        **(extra or {}),
    }


@pytest.fixture
def writes(cluster: Cluster) -> Callable[[int], list[str]]:
    """What this collection wrote since an audit mark, as C("verb resource namespace/name")."""

    def since(mark: int) -> list[str]:
        return [
            _said(event)
            for event in cluster.audit_events(mark)
            if event.get("userAgent") == "tokenwright" and is_write(event)
        ]

    return since


def _said(event: Mapping[str, Any]) -> str:
    about = event["objectRef"]
    resource = "/".join(part for part in (about["resource"], about.get("subresource")) if part)
    return f"{event['verb']} {resource} {about.get('namespace', '')}/{about.get('name', '')}"
