# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a control plane, as data: what is run, with which flags, and how to tell that it is ready."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.endpoint import Endpoint
from cluster.pki import Pki
from cluster.processes import Answers, Process

# In the order in which they are started; they are stopped in the reverse order.
NAMES = ("etcd", "kube-apiserver", "kube-controller-manager")

# What service accounts live on.
CONTROLLERS = (
    "serviceaccount-token-controller",
    "serviceaccount-controller",
    "root-ca-certificate-publisher-controller",
    "legacy-serviceaccount-token-cleaner-controller",
    "namespace-controller",
    "garbage-collector-controller",
    "clusterrole-aggregation-controller",
)

# What makes Pods, which are of no use without a node; the last one lets Pods onto a node that is ready.
WORKLOAD_CONTROLLERS = (
    "deployment-controller",
    "replicaset-controller",
    "statefulset-controller",
    "daemonset-controller",
    "job-controller",
    "cronjob-controller",
    "node-lifecycle-controller",
)

AUDIT_POLICY = """\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules: [{level: Metadata}]
"""


@dataclass(frozen=True)
class Layout:
    """Where the files of a cluster are."""

    directory: Path

    @property
    def pki(self) -> Pki:
        """The certificates."""
        return Pki(self.directory / "pki")

    @property
    def etcd_data(self) -> Path:
        """Everything the cluster remembers."""
        return self.directory / "etcd"

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig."""
        return self.directory / "admin.kubeconfig"

    @property
    def controller_kubeconfig(self) -> Path:
        """The controller manager's kubeconfig."""
        return self.directory / "pki" / "kube-controller-manager.kubeconfig"

    @property
    def node(self) -> Path:
        """What belongs to the node, if there is one."""
        return self.directory / "node"

    @property
    def audit_policy(self) -> Path:
        """What the API server writes to the audit log."""
        return self.directory / "audit-policy.yaml"

    @property
    def audit_log(self) -> Path:
        """One JSON object per line and answered request."""
        return self.directory / "audit.log"


def control_plane(
    layout: Layout,
    ports: Mapping[str, int],
    programs: Mapping[str, Path],
    apiserver_flags: Sequence[str] = (),
    *,
    workloads: bool = False,
) -> tuple[Process, ...]:
    """All processes of a control plane, in the order of :data:`NAMES`; ``workloads``: it also makes Pods."""
    controllers = (*CONTROLLERS, *(WORKLOAD_CONTROLLERS if workloads else ()))
    return (
        _etcd(layout, ports, programs["etcd"]),
        _apiserver(layout, ports, programs["kube-apiserver"], apiserver_flags),
        _controller_manager(layout, ports, programs["kube-controller-manager"], controllers),
    )


def server_url(ports: Mapping[str, int]) -> str:
    """The API server's address."""
    return f"https://127.0.0.1:{ports['kube-apiserver']}"


def endpoint(layout: Layout, ports: Mapping[str, int], name: str) -> Endpoint:
    """Where a process of the control plane answers, for an administrator."""
    authority, client = ("etcd-ca", "etcd-client") if name == "etcd" else ("ca", "admin")
    pki = layout.pki
    return Endpoint(ports[name], pki.certificate(authority), pki.certificate(client), pki.key(client))


def override(defaults: Sequence[str], extra: Sequence[str]) -> tuple[str, ...]:
    """Flags of which the extra ones replace the defaults of the same name; extra ones may repeat a name."""
    named = {_flag_name(flag) for flag in extra}
    return (*(flag for flag in defaults if _flag_name(flag) not in named), *extra)


def _flag_name(flag: str) -> str:
    # Kubernetes takes --a_b for --a-b.
    return flag.partition("=")[0].replace("_", "-")


def _etcd(layout: Layout, ports: Mapping[str, int], program: Path) -> Process:
    pki, client = layout.pki, f"https://127.0.0.1:{ports['etcd']}"
    # A single member talks to nobody, so any free port will do, and that port answers to the authority's clients only.
    peer = "https://127.0.0.1:0"
    certificate, key, authority = pki.certificate("etcd"), pki.key("etcd"), pki.certificate("etcd-ca")
    flags = (
        f"--data-dir={layout.etcd_data}",
        # What is written survives a killed process; only a crash of the machine would need the (slow) fsync.
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        f"--cert-file={certificate}", f"--key-file={key}", f"--trusted-ca-file={authority}", "--client-cert-auth",
        f"--peer-cert-file={certificate}", f"--peer-key-file={key}", f"--peer-trusted-ca-file={authority}",
        "--peer-client-cert-auth",
    )  # fmt: skip
    return Process(
        "etcd",
        (str(program), *flags),
        (certificate, key, authority),
        (Answers(endpoint(layout, ports, "etcd"), "/health"),),
    )


def _apiserver(layout: Layout, ports: Mapping[str, int], program: Path, extra: Sequence[str]) -> Process:
    pki, server = layout.pki, server_url(ports)
    flags = (
        f"--etcd-servers=https://127.0.0.1:{ports['etcd']}", f"--etcd-cafile={pki.certificate('etcd-ca')}",
        f"--etcd-certfile={pki.certificate('etcd-client')}", f"--etcd-keyfile={pki.key('etcd-client')}",
        "--bind-address=127.0.0.1", f"--secure-port={ports['kube-apiserver']}", f"--cert-dir={pki.directory}",
        f"--tls-cert-file={pki.certificate('server')}", f"--tls-private-key-file={pki.key('server')}",
        f"--client-ca-file={pki.certificate('ca')}",
        "--service-cluster-ip-range=10.0.0.0/24", "--endpoint-reconciler-type=none", "--allow-privileged=true",
        "--authorization-mode=Node,RBAC", "--enable-admission-plugins=NodeRestriction",
        f"--service-account-issuer={server}", f"--api-audiences=https://kubernetes.default.svc,{server}",
        f"--service-account-signing-key-file={pki.signing_key}", f"--service-account-key-file={pki.signing_key_public}",
        "--kubelet-preferred-address-types=Hostname",
        f"--kubelet-client-certificate={pki.certificate('admin')}", f"--kubelet-client-key={pki.key('admin')}",
        # Tests count in the audit log: it is written before a request ends, and must not be rotated away below them.
        f"--audit-policy-file={layout.audit_policy}", f"--audit-log-path={layout.audit_log}",
        "--audit-log-mode=blocking", "--audit-log-maxsize=10000",
    )  # fmt: skip
    names = ("etcd-ca", "etcd-client", "server", "ca")
    inputs = (*map(pki.certificate, names), pki.signing_key, pki.signing_key_public, layout.audit_policy)
    argv = (str(program), *override(flags, extra))
    return Process("kube-apiserver", argv, inputs, (Answers(endpoint(layout, ports, "kube-apiserver"), "/readyz"),))


def _controller_manager(layout: Layout, ports: Mapping[str, int], program: Path, controllers: Sequence[str]) -> Process:
    pki, kubeconfig = layout.pki, layout.controller_kubeconfig
    flags = (
        *(f"--{use}kubeconfig={kubeconfig}" for use in ("", "authentication-", "authorization-")),
        "--bind-address=127.0.0.1", f"--secure-port={ports['kube-controller-manager']}",
        f"--tls-cert-file={pki.certificate('server')}", f"--tls-private-key-file={pki.key('server')}",
        "--leader-elect=false", "--use-service-account-credentials=true",
        f"--service-account-private-key-file={pki.signing_key}", f"--root-ca-file={pki.certificate('ca')}",
        f"--controllers={','.join(controllers)}",
    )  # fmt: skip
    inputs = (kubeconfig, pki.certificate("server"), pki.signing_key, pki.certificate("ca"))
    apiserver, namespace = endpoint(layout, ports, "kube-apiserver"), "/api/v1/namespaces/default"
    checks = (
        Answers(endpoint(layout, ports, "kube-controller-manager"), "/healthz"),
        # The first things it makes, without which no Pod can be created.
        Answers(apiserver, f"{namespace}/serviceaccounts/default"),
        Answers(apiserver, f"{namespace}/configmaps/kube-root-ca.crt"),
    )
    return Process("kube-controller-manager", (str(program), *flags), inputs, checks)
