# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""`make demo` as somebody runs it who has a cluster already (DEMO_KUBECONFIG)."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from cluster.controlplane import Cluster
from conftest import ROOT

PREFIX = "tokenwright-demo-"
NAMESPACES = {f"{PREFIX}{name}" for name in ("ci", "monitoring", "production", "shop")}
USER = f"system:serviceaccount:{PREFIX}ci:deployer"

# What a program finds on PATH besides the one in question: all that Ansible needs to run a module.
PROGRAMS = ("chmod", "echo", "mkdir", "rm", "sh", "sleep")

Demo = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def demo(cluster: Cluster, tmp_path: Path) -> Demo:
    """Run the demo with these variables, and a PATH without any kubectl but the given one."""
    for program in PROGRAMS:
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / program).symlink_to(str(shutil.which(program)))
    (tmp_path / "tmp").mkdir()

    def run(*directories: Path, **variables: str) -> subprocess.CompletedProcess[str]:
        environment = {
            **os.environ,
            "DEMO_KUBECONFIG": str(cluster.kubeconfig),
            "PATH": os.pathsep.join(map(str, [*directories, tmp_path / "bin"])),
            "TMPDIR": str(tmp_path / "tmp"),
            **variables,
        }
        command = [sys.executable, str(ROOT / "tests/demo/demo.py")]
        return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)

    return run


def cluster_wide(cluster: Cluster) -> set[str]:
    """What is in no namespace; those of other tests may still be going."""
    listed = cluster.kubectl("get", "namespaces,clusterroles,clusterrolebindings", "-o", "name").stdout.split()
    return {name for name in listed if not name.startswith("namespace/test-")}


def namespaces(cluster: Cluster) -> set[str]:
    listed = cluster.kubectl("get", "namespaces", "-o", "name").stdout.split()
    return {name.removeprefix("namespace/") for name in listed} & NAMESPACES


def test_the_demo_keeps_its_promises_and_leaves_nothing(cluster: Cluster, demo: Demo, tmp_path: Path) -> None:
    before = cluster_wide(cluster)
    done = demo(cluster.programs)
    assert (done.returncode, done.stderr) == (0, "")
    expected = [
        "changed  Declare accounts",
        "changed  Declare grants",
        "changed  Keep tokens good",
        "changed  Keep long-lived tokens under control",
        "$ kubectl auth whoami",
        USER,
        "$ kubectl get deployments.apps",
        f"No resources found in {PREFIX}production namespace.",
        "$ kubectl get secrets",
        "Error from server (Forbidden)",
        f"+ account  {PREFIX}production/app-controller",
        f"+ grant    app-controller-role in {PREFIX}production",
        f"+ token    {tmp_path / 'tmp' / PREFIX}",
        "  expires  20",
        "+ legacy   app-controller-token",
        "ok       Keep tokens good",
        "ok       Keep long-lived tokens under control",
        "changed=0",
        "Done in ",
    ]
    assert in_this_order(done.stdout, expected)
    assert not re.search(r"WARNING|DEPRECAT|eyJ", done.stdout)
    assert max(len(line.replace(str(tmp_path), "")) for line in done.stdout.splitlines()) <= 100
    assert cluster_wide(cluster) == before
    assert list((tmp_path / "tmp").iterdir()) == []


def test_without_kubectl_it_asks_the_server_and_keeps_what_it_made(
    cluster: Cluster, demo: Demo, tmp_path: Path
) -> None:
    try:
        done = demo(KEEP="1")
        assert (done.returncode, done.stderr) == (0, "")
        expected = [
            "$ SelfSubjectReview",
            USER,
            "$ SelfSubjectAccessReview: list deployments.apps",
            f"allowed in namespace {PREFIX}production",
            "$ SelfSubjectAccessReview: list secrets",
            f"refused in namespace {PREFIX}production",
            "changed=0",
            "kept: ",
        ]
        assert in_this_order(done.stdout, expected)
        assert namespaces(cluster) == NAMESPACES
        (kept,) = (tmp_path / "tmp").iterdir()
        kubeconfig = kept / "tokens/deployer.kubeconfig"
        assert kubeconfig.stat().st_mode & 0o777 == 0o600
        assert USER in cluster.kubectl(f"--kubeconfig={kubeconfig}", "auth", "whoami").stdout
    finally:
        cluster.kubectl("delete", "namespaces", "--ignore-not-found", *NAMESPACES)


def test_a_step_that_fails_ends_it_and_what_was_made_is_removed(cluster: Cluster, demo: Demo, tmp_path: Path) -> None:
    # somebody else gave the account what the demo shows that it has not
    account = f"--serviceaccount={PREFIX}ci:deployer"
    cluster.kubectl("create", "clusterrolebinding", f"{PREFIX}test", "--clusterrole=admin", account)
    try:
        done = demo(cluster.programs)
    finally:
        cluster.kubectl("delete", "clusterrolebinding", f"{PREFIX}test")
    assert done.returncode == 1
    assert f"demo: {USER} may list secrets" in done.stderr
    assert "Done" not in done.stdout
    assert namespaces(cluster) == set()
    assert list((tmp_path / "tmp").iterdir()) == []


NOBODY = "https://127.0.0.1:1"
UNUSABLE = [
    (None, "DEMO_KUBECONFIG: there is no file {path}"),
    ("a: [", "{path} is not a kubeconfig that can be used: try it with kubectl"),
    ("- a", "{path} is not a kubeconfig that can be used: try it with kubectl"),
    (
        f"{{clusters: [{{name: a, cluster: {{server: '{NOBODY}'}}}}], users: [{{name: a, user: {{}}}}], "
        "contexts: [{name: a, context: {cluster: a, user: a}}], current-context: a}",
        "the cluster of {path} does not answer as it should (NewConnectionError)",
    ),
]


@pytest.mark.parametrize(("content", "sentence"), UNUSABLE)
def test_a_cluster_that_is_not_there_is_said_in_a_sentence(
    demo: Demo, tmp_path: Path, content: str | None, sentence: str
) -> None:
    path = tmp_path / "kubeconfig"
    if content:
        path.write_text(content)
    done = demo(DEMO_KUBECONFIG=str(path))
    assert done.returncode == 1
    assert done.stderr.strip() == f"demo: {sentence.format(path=path)}"


def in_this_order(text: str, expected: list[str]) -> bool:
    """Whether all of it is in the text; fails with what is missing."""
    place = 0
    for part in expected:
        found = text.find(part, place)
        assert found >= 0, f"{part!r} is not there, or not there yet, in\n{text}"
        place = found + len(part)
    return True
