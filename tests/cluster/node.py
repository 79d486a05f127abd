# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A node, as data: the processes beside a control plane that make Pods run, and their files.

The node is called localhost, so that the API server reaches its kubelet. There is no network for Pods: those with
``hostNetwork: true`` run.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.components import Layout, endpoint
from cluster.endpoint import Endpoint
from cluster.kit import HERE
from cluster.namespaces import INSIDE, inside
from cluster.processes import Answers, Process

NODE = "localhost"
HOLDER = "namespaces"
# In the order in which they are started; they are stopped in the reverse order.
NODE_NAMES = ("kube-scheduler", HOLDER, "containerd", "kubelet")
PORTS = ("kube-scheduler", "kubelet")
# Where containerd listens, in the namespaces.
SOCKET = "/run/containerd/containerd.sock"

_NAMESPACES = (sys.executable, "-I", "-S", str(HERE / "namespaces.py"))
HOLDER_COMMAND = (*_NAMESPACES, "hold")
_RUNC_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
# What overlayfs can keep its changes in; elsewhere every container gets a copy of its image.
_UNDER_OVERLAY = {"ext2/ext3", "xfs", "btrfs", "tmpfs"}

# A network that is never asked for anything: with it the node is ready.
_NETWORK = {"cniVersion": "1.0.0", "name": "none", "plugins": [{"type": "none"}]}


@dataclass(frozen=True)
class NodeFiles:
    """Where the files of a node are."""

    directory: Path

    @property
    def record(self) -> Path:
        """Which namespaces the node has."""
        return self.directory.parent / "namespaces.json"

    @property
    def containerd_config(self) -> Path:
        """What containerd is told."""
        return self.directory / "containerd.toml"

    @property
    def kubelet_config(self) -> Path:
        """What the kubelet is told."""
        return self.directory / "kubelet.json"

    @property
    def network(self) -> Path:
        """The directory with what the node is told of its network."""
        return self.directory / "network"

    @property
    def imported(self) -> Path:
        """Which images are in containerd's store."""
        return self.directory / "images"

    @property
    def snapshotter(self) -> str:
        """How containerd keeps images there."""
        command = ["stat", "--file-system", "--format=%T", str(self.directory)]
        kind = subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()
        return "overlayfs" if kind in _UNDER_OVERLAY else "native"

    @property
    def cgroup(self) -> str:
        """The name of the control groups; of every directory another one."""
        return f"tokenwright-{hashlib.sha256(str(self.directory).encode()).hexdigest()[:16]}"

    @property
    def kubeconfig(self) -> Path:
        """The kubelet's kubeconfig."""
        return self.directory / "kubelet.kubeconfig"

    @property
    def scheduler_kubeconfig(self) -> Path:
        """The scheduler's kubeconfig."""
        return self.directory / "kube-scheduler.kubeconfig"

    def texts(self, layout: Layout, port: int) -> dict[Path, str]:
        """What is in the files, by their paths; ``port`` is the kubelet's."""
        return {
            self.containerd_config: _containerd_config(self),
            self.kubelet_config: json.dumps(_kubelet_config(self, layout, port), indent=1),
            self.network / "10-none.conflist": json.dumps(_NETWORK),
        }


@dataclass(frozen=True)
class Held:
    """All is well when the namespaces are there."""

    record: Path

    def passes(self) -> bool:
        """Is all well now?"""
        return inside(self.record) is not None


@dataclass(frozen=True)
class Listens:
    """All is well when somebody listens on this socket in the namespaces."""

    record: Path
    path: str

    def passes(self) -> bool:
        """Is all well now?"""
        first = inside(self.record)
        with socket.socket(socket.AF_UNIX) as client:
            return first is not None and client.connect_ex(f"/proc/{first}/root{self.path}") == 0


@dataclass(frozen=True)
class Takes:
    """All is well when the node takes Pods, and its kubelet knows those that it has."""

    apiserver: Endpoint
    kubelet: Endpoint

    def passes(self) -> bool:
        """Is all well now?"""
        node = self.apiserver.read(f"/api/v1/nodes/{NODE}")
        if not node or "taints" in node["spec"] or not _is_ready(node):
            return False
        there = self.apiserver.read(f"/api/v1/pods?fieldSelector=spec.nodeName={NODE}")
        known = self.kubelet.read("/pods")
        # Until then it says of a Pod that there is none. An empty list is null.
        return bool(there and known) and _uids(there) <= _uids(known)


def node_processes(layout: Layout, ports: Mapping[str, int], programs: Mapping[str, Path]) -> tuple[Process, ...]:
    """All processes of a node, in the order of :data:`NODE_NAMES`."""
    files = NodeFiles(layout.node)
    return (
        _scheduler(layout, files, ports, programs["kube-scheduler"]),
        Process(HOLDER, (*HOLDER_COMMAND, str(files.record), files.cgroup), (), (Held(files.record),)),
        _containerd(files, programs["containerd"]),
        _kubelet(layout, files, ports, programs["kubelet"]),
    )


def entered(files: NodeFiles, command: Sequence[str | Path]) -> tuple[str, ...]:
    """The command line that runs a command on the node."""
    return (*_NAMESPACES, "enter", str(files.record), *map(str, command))


def runc() -> str | None:
    """The path of the system's runc."""
    return shutil.which("runc", path=_RUNC_PATH)


def _scheduler(layout: Layout, files: NodeFiles, ports: Mapping[str, int], program: Path) -> Process:
    pki, kubeconfig = layout.pki, files.scheduler_kubeconfig
    flags = (
        *(f"--{use}kubeconfig={kubeconfig}" for use in ("", "authentication-", "authorization-")),
        "--bind-address=127.0.0.1", f"--secure-port={ports['kube-scheduler']}", "--leader-elect=false",
        f"--tls-cert-file={pki.certificate('server')}", f"--tls-private-key-file={pki.key('server')}",
    )  # fmt: skip
    check = Answers(endpoint(layout, ports, "kube-scheduler"), "/healthz")
    return Process("kube-scheduler", (str(program), *flags), (kubeconfig, pki.certificate("server")), (check,))


def _containerd(files: NodeFiles, program: Path) -> Process:
    command = entered(files, [program, "--config", files.containerd_config])
    return Process("containerd", command, (files.containerd_config,), (Listens(files.record, SOCKET),), within=HOLDER)


def _kubelet(layout: Layout, files: NodeFiles, ports: Mapping[str, int], program: Path) -> Process:
    command = entered(
        files,
        [
            program, f"--config={files.kubelet_config}", f"--kubeconfig={files.kubeconfig}",
            f"--hostname-override={NODE}", f"--root-dir={INSIDE}/kubelet",
        ],
    )  # fmt: skip
    checks = (
        Answers(endpoint(layout, ports, "kubelet"), "/healthz"),
        Takes(endpoint(layout, ports, "kube-apiserver"), endpoint(layout, ports, "kubelet")),
    )
    inputs = (files.kubelet_config, files.kubeconfig, layout.pki.certificate("ca"), layout.pki.certificate("server"))
    return Process("kubelet", command, inputs, checks, within=HOLDER)


def _is_ready(node: Mapping[str, Any]) -> bool:
    conditions = node.get("status", {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def _uids(pods: Mapping[str, Any]) -> set[str]:
    return {pod["metadata"]["uid"] for pod in pods["items"] or ()}


def _containerd_config(files: NodeFiles) -> str:
    return f"""\
version = 3
root = "{INSIDE}/containerd"
state = "/run/containerd"
[grpc]
  address = "{SOCKET}"
[plugins.'io.containerd.cri.v1.images']
  snapshotter = "{files.snapshotter}"
  [plugins.'io.containerd.cri.v1.images'.pinned_images]
    sandbox = "localhost/pause:1"
[plugins.'io.containerd.cri.v1.runtime']
  # Profiles would stay in the kernel.
  disable_apparmor = true
  # Without CAP_SYS_RESOURCE runc cannot lower it: it ends with "can't get final child's PID from pipe: EOF".
  restrict_oom_score_adj = true
  [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.runc.options]
      BinaryName = "{runc()}"
  [plugins.'io.containerd.cri.v1.runtime'.cni]
    conf_dir = "{files.network}"
    bin_dirs = ["{files.network}"]
"""


def _kubelet_config(files: NodeFiles, layout: Layout, port: int) -> dict[str, object]:
    pki = layout.pki
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": "127.0.0.1",
        "port": port,
        "readOnlyPort": 0,
        "healthzPort": 0,
        "tlsCertFile": str(pki.certificate("server")),
        "tlsPrivateKeyFile": str(pki.key("server")),
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(pki.certificate("ca"))},
        },
        "authorization": {"mode": "Webhook"},
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{files.cgroup}",
        "cgroupsPerQOS": True,
        "enforceNodeAllocatable": [],
        "failCgroupV1": False,
        "failSwapOn": False,
        "localStorageCapacityIsolation": False,
        "makeIPTablesUtilChains": False,
        # That of the machine may be a link into /run, which is another one inside.
        "resolvConf": "",
        # A full disk of a developer's is no reason to end Pods or to forget images that no registry has.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {},
        "syncFrequency": "5s",
    }
