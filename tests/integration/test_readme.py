# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every playbook in the documents runs as it is, and a second time without a change."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cluster.controlplane import Cluster
from conftest import ROOT, Play
from faults.workloads import create, workload

# the README of a role has its own test beside the role's
DOCUMENTS = (
    *("README.md", "CONTRIBUTING.md", "examples/README.md"),
    *("docs/migration.md", "docs/presets.md", "docs/rights.md", "docs/risks.md", "docs/tokens.md", "docs/volumes.md"),
)
# What readers have and the documents assume, by its namespace.
WORKLOADS = {"shop": workload("Deployment", "webshop")}
BLOCK = re.compile(r"^```ya?ml\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks() -> list[tuple[str, str]]:
    """(document:number, text) of every YAML block."""
    return [
        (f"{document}:{number}", text)
        for document in DOCUMENTS
        for number, text in enumerate(BLOCK.findall((ROOT / document).read_text()))
    ]


def test_there_are_blocks() -> None:
    assert len([place for place, dummy in blocks() if place.startswith("README.md")]) >= 3


@pytest.fixture
def clean(cluster: Cluster) -> Iterator[None]:
    """The playbooks of the documents use the names that readers would: what one made must not meet the next."""
    before = set(cluster.kubectl("get", "namespaces", "-o", "name").stdout.split())
    yield
    made = set(cluster.kubectl("get", "namespaces", "-o", "name").stdout.split()) - before
    if made:
        cluster.kubectl("delete", *made, "--timeout=90s")


@pytest.fixture
def shipped_roles(cluster: Cluster) -> Iterator[None]:
    """The cluster roles that docs/rights.md tells its readers to apply."""
    manifests = str(ROOT / "examples/rbac")
    cluster.kubectl("apply", "-f", manifests)
    yield
    cluster.kubectl("delete", "-f", manifests)


@pytest.mark.usefixtures("clean", "shipped_roles")
@pytest.mark.parametrize(("place", "text"), blocks(), ids=[place for place, dummy in blocks()])
def test_block_runs_and_is_idempotent(
    place: str, text: str, cluster: Cluster, run_playbook: Callable[..., Play], tmp_path: Path
) -> None:
    home = tmp_path / "home"
    (home / ".kube").mkdir(parents=True)
    (home / ".kube" / "config").symlink_to(cluster.kubeconfig)
    if "k8s_sa_volume:" in text:
        for namespace, manifest in WORKLOADS.items():
            cluster.kubectl("create", "namespace", namespace)
            create(cluster, namespace, manifest)
    first = run_playbook(text, env={"HOME": str(home)})
    assert first.rc == 0, f"{place}\n{first.stdout}\n{first.stderr}"
    second = run_playbook(text, env={"HOME": str(home)})
    assert second.rc == 0
    assert second.changed == 0, f"{place}\n{second.stdout}"
