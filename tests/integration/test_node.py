# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises of the kit's node: Pods run, with tokens of their own; nothing stays behind, however it ends."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.components import NAMES
from cluster.controlplane import Cluster
from cluster.images import APP
from cluster.namespaces import cgroups
from cluster.node import HOLDER, NODE, NODE_NAMES, NodeFiles, runc
from cluster.observing import TESTS, claims, command, kit, living, pids, within
from cluster.pins import RUNTIME, read_pins
from cluster.pods import NOBODY, deployment, pod, pod_spec

TOKEN = "/var/run/secrets/kubernetes.io/serviceaccount/token"
SETTINGS = ("vm/overcommit_memory", "kernel/panic", "kernel/panic_on_oops")
# The places outside of its directories where a kubelet and a containerd write, by themselves.
ELSEWHERE = (
    *("/var/lib/kubelet", "/var/lib/containerd", "/var/log/pods", "/var/log/containers", "/run/containerd"),
    *("/usr/libexec/kubernetes", "/opt/containerd", "/run/nri"),
)
ASK = f"""
import os, requests
place = os.path.dirname("{TOKEN}")
server = "https://{{KUBERNETES_SERVICE_HOST}}:{{KUBERNETES_SERVICE_PORT}}".format(**os.environ)
review = {{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}}
answer = requests.post(
    server + "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    json=review, verify=place + "/ca.crt", headers={{"Authorization": "Bearer " + open("{TOKEN}").read()}},
)
print(os.getuid(), answer.json()["status"]["userInfo"]["username"])
"""


def create(cluster: Cluster, namespace: str, *objects: dict[str, Any]) -> None:
    for each in objects:
        cluster.kubectl("create", f"--namespace={namespace}", "--filename=-", input=json.dumps(each))


def get(cluster: Cluster, namespace: str, *what: str) -> dict[str, Any]:
    found = json.loads(cluster.kubectl("get", f"--namespace={namespace}", *what, "--output=json").stdout)
    assert isinstance(found, dict)
    return found


def run_pod(cluster: Cluster, namespace: str, name: str, **container: Any) -> dict[str, Any]:
    """Create a Pod, wait until it runs, and return it."""
    create(cluster, namespace, pod(name, pod_spec(cluster.server, **container)))
    wait_for(cluster, namespace, "condition=Ready", name)
    return get(cluster, namespace, f"pod/{name}")


def wait_for(cluster: Cluster, namespace: str, condition: str, name: str) -> None:
    cluster.kubectl("wait", f"--namespace={namespace}", f"--for={condition}", f"pod/{name}", "--timeout=60s")


def execute(cluster: Cluster, namespace: str, name: str, *program: str) -> str:
    return cluster.kubectl("exec", f"--namespace={namespace}", name, "--", *program).stdout


def traces(directory: Path) -> dict[str, list[str]]:
    """What a node in this directory would leave behind."""
    files = NodeFiles(directory / "node")
    groups = [str(group) for group in cgroups(files.cgroup) if group.exists()]
    mounts = [str(path) for path in Path("/proc").glob("[0-9]*/mountinfo") if names(path, directory)]
    return {"processes": living(directory), "control groups": groups, "mounts": mounts}


def names(path: Path, directory: Path) -> bool:
    try:
        return str(directory) in path.read_text()
    except OSError:
        return False


def in_containers(directory: Path) -> set[int]:
    """The processes in control groups of the node."""
    groups = cgroups(NodeFiles(directory / "node").cgroup)
    return {int(pid) for group in groups for path in group.rglob("cgroup.procs") for pid in path.read_text().split()}


def inhabitants(directory: Path) -> set[Path]:
    """All processes in the namespaces of the node."""
    namespace = json.loads(NodeFiles(directory / "node").record.read_text())["namespace"]
    return {path for path in Path("/proc").glob("[0-9]*") if link(path / "ns" / "pid") == namespace}


def outside() -> dict[str, object]:
    """What a kubelet and a containerd would change on the machine."""
    settings: dict[str, object] = {name: Path("/proc/sys", name).read_text() for name in SETTINGS}
    return {**settings, **{name: sorted(map(str, Path(name).glob("**/*"))) for name in ELSEWHERE}}


def link(path: Path) -> str | None:
    try:
        return os.readlink(path)
    except OSError:
        return None


@pytest.fixture
def namespace(node_cluster: Cluster) -> Iterator[str]:
    """The name of a fresh namespace on the cluster with a node."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    node_cluster.kubectl("create", "namespace", name)
    # Without it the API server refuses Pods.
    assert within(30, lambda: not node_cluster.kubectl("get", "sa/default", f"-n{name}", check=False).returncode)
    yield name
    node_cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def place(tmp_path: Path, node_cluster: Cluster) -> Iterator[Path]:  # noqa: ARG001 - skips where there can be none
    """A directory for a cluster with a node of a test's own."""
    yield tmp_path / "cluster"
    Cluster(tmp_path / "cluster").down(purge=True)


def changed(change: str) -> list[str]:
    """What runs a command where something has been changed that nobody else sees."""
    return ["unshare", "--mount", "sh", "-c", f'{change} && exec "$@"', "sh"]


class TestPods:
    def test_the_node_is_ready_and_says_what_it_is_made_of(self, node_cluster: Cluster) -> None:
        node = get(node_cluster, "", f"node/{NODE}")
        assert "taints" not in node["spec"]
        version = read_pins(RUNTIME.committed, RUNTIME.module).version
        assert node["status"]["nodeInfo"]["containerRuntimeVersion"] == f"containerd://{version}"

    def test_a_pod_has_a_token_that_is_bound_to_it(self, node_cluster: Cluster, namespace: str) -> None:
        made = run_pod(node_cluster, namespace, "one")
        said = claims(execute(node_cluster, namespace, "one", "cat", TOKEN))
        assert said["sub"] == f"system:serviceaccount:{namespace}:default"
        bound = said["kubernetes.io"]
        assert bound["pod"] == {"name": "one", "uid": made["metadata"]["uid"]}
        assert bound["node"]["name"] == NODE

    def test_a_projected_volume_is_what_its_sources_say(self, node_cluster: Cluster, namespace: str) -> None:
        sources = [
            {"serviceAccountToken": {"path": "token", "audience": "vault", "expirationSeconds": 600}},
            {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
            {"downwardAPI": {"items": [{"path": "namespace", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
        ]
        spec = pod_spec(node_cluster.server, volumeMounts=[{"name": "identity", "mountPath": "/identity"}])
        volumes = [{"name": "identity", "projected": {"sources": sources}}]
        create(node_cluster, namespace, pod("two", {**spec, "volumes": volumes}))
        wait_for(node_cluster, namespace, "condition=Ready", "two")
        said = claims(execute(node_cluster, namespace, "two", "cat", "/identity/token"))
        assert (said["aud"], said["exp"] - said["iat"]) == (["vault"], 600)
        assert execute(node_cluster, namespace, "two", "cat", "/identity/namespace") == namespace
        assert execute(node_cluster, namespace, "two", "cat", "/identity/ca.crt") == node_cluster.ca_cert.read_text()

    def test_logs_are_what_it_said(self, node_cluster: Cluster, namespace: str) -> None:
        run_pod(node_cluster, namespace, "speaks", command=["sh", "-c", "id -u; sleep infinity"])
        assert node_cluster.kubectl("logs", f"--namespace={namespace}", "speaks").stdout == f"{NOBODY}\n"

    def test_python_in_a_pod_is_who_its_token_says(self, node_cluster: Cluster, namespace: str) -> None:
        spec = pod_spec(node_cluster.server, image=APP, command=["python3", "-c", ASK])
        create(node_cluster, namespace, pod("asks", {**spec, "restartPolicy": "Never"}))
        wait_for(node_cluster, namespace, "jsonpath={.status.phase}=Succeeded", "asks")
        said = node_cluster.kubectl("logs", f"--namespace={namespace}", "asks").stdout
        assert said == f"{NOBODY} system:serviceaccount:{namespace}:default\n"

    def test_a_deployment_rolls_out(self, node_cluster: Cluster, namespace: str) -> None:
        create(node_cluster, namespace, deployment("web", pod_spec(node_cluster.server)))
        rollout = ("rollout", "status", f"--namespace={namespace}", "deployment/web", "--timeout=60s")
        assert "successfully rolled out" in node_cluster.kubectl(*rollout).stdout
        before = {each["metadata"]["uid"] for each in get(node_cluster, namespace, "pods")["items"]}
        node_cluster.kubectl("set", "env", f"--namespace={namespace}", "deployment/web", "A=B")
        assert "successfully rolled out" in node_cluster.kubectl(*rollout).stdout
        pods = [each["metadata"] for each in get(node_cluster, namespace, "pods")["items"]]
        assert [each["uid"] in before for each in pods if "deletionTimestamp" not in each] == [False]

    def test_a_job_completes(self, node_cluster: Cluster, namespace: str) -> None:
        spec = {**pod_spec(node_cluster.server, command=["true"]), "restartPolicy": "Never"}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once"}}
        create(node_cluster, namespace, {**job, "spec": {"template": {"spec": spec}}})
        node_cluster.kubectl(
            "wait", f"--namespace={namespace}", "--for=condition=Complete", "job/once", "--timeout=60s"
        )

    def test_pods_outlive_their_kubelet_and_containerd(self, node_cluster: Cluster, namespace: str) -> None:
        before = run_pod(node_cluster, namespace, "stays")["status"]["containerStatuses"][0]
        for name in ("kubelet", "containerd"):
            node_cluster.stop(name)
            assert {status.state for status in node_cluster.status() if status.name == name} == {"stopped"}
        for name in ("containerd", "kubelet"):
            node_cluster.start(name)
        assert {status.state for status in node_cluster.status()} == {"ready"}
        assert execute(node_cluster, namespace, "stays", "id", "-u") == f"{NOBODY}\n"
        after = get(node_cluster, namespace, "pod/stays")["status"]["containerStatuses"][0]
        assert (after["containerID"], after["restartCount"]) == (before["containerID"], 0)


class TestTheMachine:
    def test_a_node_changes_neither_its_settings_nor_its_directories(self, place: Path) -> None:
        before = outside()
        with Cluster(place, node=True) as cluster:
            run_pod(cluster, "default", "one")
            assert outside() == before

    def test_nothing_is_left_of_a_node_that_was_stopped(self, place: Path) -> None:
        up(place, "--node")
        run_pod(Cluster(place, owned=False), "default", "one")
        there = inhabitants(place)
        assert len(in_containers(place)) == 2  # the container and pause
        assert all(traces(place).values())
        assert kit("down", "--purge", "--dir", place).returncode == 0
        assert not place.exists()
        assert not any(traces(place).values())
        assert not [path for path in there if path.exists()]

    def test_nothing_is_left_of_a_node_whose_owner_was_killed(self, place: Path) -> None:
        program = (
            "import sys, time; from cluster.controlplane import Cluster\n"
            "with Cluster(sys.argv[1], node=True): open(sys.argv[1] + '/ready', 'w').close(); time.sleep(600)"
        )
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        with subprocess.Popen([sys.executable, "-c", program, str(place)], env=environment) as owner:
            try:
                assert within(60, (place / "ready").exists)
                assert set(pids(place)) == {*NAMES, *NODE_NAMES}
                run_pod(Cluster(place), "default", "one")
                there = inhabitants(place)
                assert len(in_containers(place)) == 2
            finally:
                owner.kill()
        assert within(20, lambda: not any(traces(place).values())), traces(place)
        assert not [path for path in there if path.exists()]
        shutil.rmtree(place / "node")

    def test_nothing_is_left_of_one_that_was_interrupted_half_way(self, place: Path) -> None:
        with subprocess.Popen(command("up", "--node", "--dir", place), stderr=subprocess.PIPE, text=True) as process:
            assert within(60, (place / "run" / "containerd.json").exists)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=60)[1]
        assert process.returncode == 130
        assert errors.endswith("cluster.py: interrupted\n")
        assert not any(traces(place).values())

    def test_it_comes_and_goes_beside_the_control_plane_and_pods_come_back(self, place: Path) -> None:
        cluster = Cluster(place, owned=False)
        up(place, "--node")
        run_pod(cluster, "default", "one")
        before = pids(place)
        up(place, "--node")
        assert pids(place) == before
        there = inhabitants(place)
        os.kill(before[HOLDER], signal.SIGKILL)
        assert within(10, lambda: not any(path.exists() for path in there))
        up(place, "--node")
        states = [(status.name, status.state) for status in cluster.status()]
        assert states == [(name, "ready") for name in (*NAMES, *NODE_NAMES)]
        assert within(60, lambda: restarts(cluster) == 1)
        assert execute(cluster, "default", "one", "id", "-u") == f"{NOBODY}\n"
        up(place)
        assert [status.name for status in cluster.status()] == list(NAMES)
        assert not traces(place)["control groups"]


def up(place: Path, *arguments: str) -> None:
    done = kit("up", *arguments, "--dir", place)
    assert done.returncode == 0, done.stderr


def restarts(cluster: Cluster) -> int:
    status = get(cluster, "default", "pod/one")["status"]["containerStatuses"][0]
    return int(status["restartCount"]) if status["ready"] else -1


WITHOUT = {
    "root": (["unshare", "--user"], "only root can run one"),
    "runc": (changed(f"mount --bind /dev/null {runc()}"), "runc is missing (Debian and Ubuntu: apt-get install runc)"),
    "control groups": (changed("umount --recursive /sys/fs/cgroup"), "no control groups are mounted here"),
    "rights": (
        ["setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin"],
        "this machine does not let it have mounts and processes of its own (namespaces.py hold: [Errno 1] unshare",
    ),
}


@pytest.mark.usefixtures("node_cluster")
class TestWhereThereCanBeNone:
    """In surroundings that lack one thing, for which it takes a machine that lacks none."""

    @pytest.mark.parametrize(("surroundings", "reason"), WITHOUT.values(), ids=WITHOUT)
    def test_the_command_says_why(self, tmp_path: Path, surroundings: list[str], reason: str) -> None:
        done = within_surroundings(surroundings, command("up", "--node", "--dir", tmp_path))
        assert done.returncode == 1
        assert done.stderr.startswith(f"cluster.py: A node cannot run here: {reason}")
        assert done.stderr.count("\n") == 1

    def test_tests_are_skipped_counted_and_say_why(self, tmp_path: Path) -> None:
        done = within_surroundings(WITHOUT["runc"][0], pytest_on_pods(tmp_path))
        assert done.returncode == 0, done.stdout
        assert re.search(r"^SKIPPED \[8\] .*: no node here: runc is missing", done.stdout, re.MULTILINE)
        assert "= 8 skipped in" in done.stdout

    def test_a_build_that_fails_is_a_reason(self, tmp_path: Path) -> None:
        caches = {"XDG_CACHE_HOME": str(tmp_path), "GOMODCACHE": str(tmp_path / "modules"), "GOPROXY": "off"}
        changes = [f"{name}={value}" for name, value in caches.items()]
        done = within_surroundings(["env", *changes], pytest_on_pods(tmp_path))
        assert done.returncode == 0, done.stdout
        assert re.search(r"^SKIPPED .*: no node here: Building kube-scheduler of", done.stdout, re.MULTILINE)
        assert "= 8 skipped in" in done.stdout


def pytest_on_pods(directory: Path) -> list[str]:
    """The command line that runs the tests of Pods, with its own files in a directory."""
    own = [f"--basetemp={directory}/pytest", f"--override-ini=cache_dir={directory}/cache"]
    return [sys.executable, "-m", "pytest", *own, f"{__file__}::{TestPods.__name__}"]


def within_surroundings(surroundings: list[str], command_line: list[str]) -> subprocess.CompletedProcess[str]:
    line = [*surroundings, *command_line]
    return subprocess.run(line, cwd=TESTS.parent, capture_output=True, text=True, timeout=120, check=False)
