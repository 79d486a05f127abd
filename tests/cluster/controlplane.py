# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A control plane in a directory, with a node or without: started, repaired, stopped, and used by tests."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import shutil
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from cluster import kubeconfig as kubeconfig_file
from cluster.audit import AuditLog
from cluster.build import node_programs
from cluster.build import programs as built_programs
from cluster.components import AUDIT_POLICY, NAMES, Layout, control_plane, endpoint, server_url
from cluster.endpoint import free_ports
from cluster.files import exclusive, private_directory, write_private
from cluster.images import images, load
from cluster.kit import KitError, progress
from cluster.namespaces import cgroups, remove_cgroups
from cluster.node import HOLDER, NODE, NODE_NAMES, NodeFiles, node_processes
from cluster.node import PORTS as NODE_PORTS
from cluster.processes import Identity, PortTakenError, Process, ProcessTable, this_process, undisturbed
from cluster.requirements import why_no_node

_PORT_ATTEMPTS = 5
_KUBECTL_SECONDS = 120


class KubectlError(subprocess.CalledProcessError):
    """kubectl failed; the message has what it wrote to standard error."""

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.stderr}"


@dataclass(frozen=True)
class Settings:
    """With what a cluster was last started; kept beside its data so that single processes can be started again."""

    ports: Mapping[str, int]
    programs: Mapping[str, str]
    apiserver_flags: Sequence[str]
    owner: Identity | None
    node: bool = False

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(dataclasses.asdict(self), indent=1)

    @classmethod
    def load(cls, text: str) -> Settings:
        """From JSON."""
        values = json.loads(text)
        return cls(**{**values, "owner": Identity(**values["owner"]) if values["owner"] else None})


@dataclass(frozen=True)
class Status:
    """How a process is: ``state`` is ready, not ready or stopped."""

    name: str
    state: str
    pid: int | None
    port: int | None


class Cluster:
    """A control plane whose state is in ``directory``.

    As a context manager it is owned: it ends with the block, and also when this interpreter is killed. With
    ``owned=False`` it runs until :meth:`down`, from whatever process. ``kubernetes`` is a version (1.36.3); None is the
    one the kit pins. ``apiserver_flags`` replace the kit's flags of the same name. With ``node`` Pods run.
    """

    def __init__(
        self,
        directory: Path | str,
        apiserver_flags: Sequence[str] = (),
        *,
        kubernetes: str | None = None,
        owned: bool = True,
        node: bool = False,
    ) -> None:
        self.directory = Path(directory).resolve()
        self._layout = Layout(self.directory)
        self._apiserver_flags = tuple(apiserver_flags)
        self._kubernetes = kubernetes
        self._node = node
        self._node_files = NodeFiles(self._layout.node)
        self._owner = this_process() if owned else None
        self._table = ProcessTable(self.directory)

    def __enter__(self) -> Cluster:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()

    # What tests and users need to know

    @property
    def kubeconfig(self) -> Path:
        """The administrator's kubeconfig; it needs no other file."""
        return self._layout.kubeconfig

    @property
    def server(self) -> str:
        """The API server's address."""
        return server_url(self._settings().ports)

    @property
    def ca_cert(self) -> Path:
        """The authority that signed the API server's certificate."""
        return self._layout.pki.certificate("ca")

    @property
    def signing_key(self) -> Path:
        """The private key (RSA, PEM) with which the API server signs tokens."""
        return self._layout.pki.signing_key

    @property
    def programs(self) -> Path:
        """The directory with kubectl (and, unless KUBEBUILDER_ASSETS is used, the other programs)."""
        return Path(self._settings().programs["kubectl"]).parent

    def kubectl(
        self,
        *args: str,
        input: str | None = None,  # noqa: A002 - the name it has in subprocess.run
        check: bool = True,
    ) -> subprocess.CompletedProcess[str]:
        """Run kubectl as the administrator; raises :class:`KubectlError` if it fails, unless told not to check."""
        command = [self._settings().programs["kubectl"], f"--kubeconfig={self.kubeconfig}", *args]
        # kubectl's cache of what a server offers goes by address, and the next cluster may have the same port.
        environment = {**os.environ, "KUBECACHEDIR": str(self.directory / "kubectl-cache")}
        done = subprocess.run(
            command,
            input=input,
            env=environment,
            capture_output=True,
            text=True,
            timeout=_KUBECTL_SECONDS,
            check=False,
            umask=0o077,
        )
        if check and done.returncode:
            raise KubectlError(done.returncode, command, done.stdout, done.stderr)
        return done

    def client_cert(self, user: str, groups: Sequence[str] = ()) -> tuple[Path, Path]:
        """Paths of a certificate, signed by the cluster's authority, and its key, for a user in these groups."""
        return self._layout.pki.client(user, groups)

    def kubeconfig_for(self, user: str, groups: Sequence[str] = ()) -> Path:
        """A kubeconfig with which one is this user, in these groups."""
        certificate, key = self.client_cert(user, groups)
        path = certificate.with_suffix(".kubeconfig")
        write_private(path, kubeconfig_file.render(self.server, self.ca_cert, user, certificate, key))
        return path

    def audit_mark(self) -> int:
        """The current end of the audit log, for :meth:`audit_events`."""
        return self._audit_log().mark()

    def audit_events(self, since: int = 0) -> list[dict[str, Any]]:
        """The audit events of all requests that were answered after the mark and before this call."""
        return self._audit_log().events(since)

    def status(self) -> list[Status]:
        """Every process, in the order in which they are started."""
        settings = self._settings()
        return [self._status(process) for process in self._processes(settings)]

    # Starting and stopping

    def up(self) -> None:
        """Start what does not run as it should, and return when everything is ready; if that fails, nothing runs."""
        programs = self._programs()
        self._require_own_directory()
        with self._lock():
            self._require_no_other_owner()
            try:
                self._start_all(programs)
            except BaseException:
                # A second Ctrl-C must not leave half a cluster behind.
                with undisturbed():
                    self._stop_all()
                raise

    def down(self, *, purge: bool = False) -> None:
        """Stop all processes; the state stays, or with ``purge`` goes with the directory."""
        if not self.directory.exists():
            return
        self._require_own_directory()
        with self._lock():
            self._stop_all()
            if purge:
                shutil.rmtree(self.directory)

    def stop(self, name: str) -> None:
        """Stop one process; its state and port stay. If it does not run, nothing happens."""
        self._process(name)
        with self._lock():
            self._table.stop(name)

    def start(self, name: str) -> None:
        """Start one process as before and return when it is ready. If it runs, nothing happens."""
        process, owner = self._process(name), self._settings().owner
        if owner and not owner.alive():
            raise KitError(
                f"The cluster in {self.directory} ended with the program that started it: use cluster.py up."
            )
        self._table.owner = owner
        with self._lock():
            if self._table.identity(name) is None:
                self._table.spawn(process)
            try:
                self._table.wait_ready(process)
            except PortTakenError as taken:
                raise KitError(
                    f"Another program has taken the port of {name}: "
                    "end that one, or use cluster.py up, which chooses another port."
                ) from taken
            except BaseException:
                with undisturbed():
                    self._table.stop(name)
                raise

    def _programs(self) -> dict[str, Path]:
        if not self._node:
            return built_programs(self._kubernetes)
        if reason := why_no_node():
            raise KitError(f"A node cannot run here: {reason}.")
        return {**built_programs(self._kubernetes), **node_programs(self._kubernetes)}

    def _start_all(self, programs: Mapping[str, Path]) -> None:
        self._layout.pki.ensure()
        settings = self._next_settings(programs)
        for dummy in range(_PORT_ATTEMPTS):
            self._write_files(settings)
            try:
                self._converge(settings)
                return self._load_images(settings)
            except PortTakenError as taken:
                # It was free when it was chosen, or when the cluster last ran.
                progress(f"somebody else took the port of {taken.name}: choosing another one")
                settings = dataclasses.replace(settings, ports={**settings.ports, **free_ports([taken.name])})
        raise KitError(f"Every port was taken in {_PORT_ATTEMPTS} attempts: see with ss -ltnp which program does that.")

    def _converge(self, settings: Settings) -> None:
        self._table.owner = settings.owner
        began, started = time.monotonic(), []
        processes = self._processes(settings)
        self._stop_all(but={process.name for process in processes})
        for process in processes:
            if process.within in started or not self._table.up_to_date(process):
                self._table.stop(process.name)
                self._table.spawn(process)
                started.append(process.name)
            # One after the other: the controller manager gives up if the API server takes long on a busy machine.
            self._table.wait_ready(process)
        what = f"ready in {time.monotonic() - began:.1f} s ({', '.join(started)})" if started else "runs already"
        progress(f"control plane {'and node ' * settings.node}{what}: {server_url(settings.ports)}")

    def _load_images(self, settings: Settings) -> None:
        if settings.node:
            load(images(), self._node_files, Path(settings.programs["ctr"]))

    def _stop_all(self, but: Collection[str] = ()) -> None:
        for name in reversed((*NAMES, *NODE_NAMES)):
            if name not in but:
                self._table.stop(name)
        if HOLDER not in but:
            # The holder does that itself, unless it was killed.
            remove_cgroups(cgroups(self._node_files.cgroup))

    # Files

    def _next_settings(self, programs: Mapping[str, Path]) -> Settings:
        before = self._read_settings()
        known = before.ports if before else {}
        names = (*NAMES, *(NODE_PORTS if self._node else ()))
        return Settings(
            ports={**known, **free_ports([name for name in names if name not in known])},
            programs={name: str(path) for name, path in programs.items()},
            apiserver_flags=self._apiserver_flags,
            owner=self._owner,
            node=self._node,
        )

    def _write_files(self, settings: Settings) -> None:
        pki, server = self._layout.pki, server_url(settings.ports)
        write_private(self._layout.audit_policy, AUDIT_POLICY)
        files = {"admin": self.kubeconfig, "kube-controller-manager": self._layout.controller_kubeconfig}
        for name, path in files.items():
            text = kubeconfig_file.render(server, self.ca_cert, name, pki.certificate(name), pki.key(name))
            write_private(path, text)
        if settings.node:
            self._write_node_files(settings)
        private_directory(self._layout.etcd_data)
        write_private(self._settings_file, settings.dump())

    def _write_node_files(self, settings: Settings) -> None:
        files = self._node_files
        private_directory(files.network)
        for path, text in files.texts(self._layout, settings.ports["kubelet"]).items():
            write_private(path, text)
        users = {files.scheduler_kubeconfig: "system:kube-scheduler", files.kubeconfig: f"system:node:{NODE}"}
        for path, user in users.items():
            groups = ["system:nodes"] if user.startswith("system:node:") else []
            certificate, key = self._layout.pki.client(user, groups)
            server = server_url(settings.ports)
            write_private(path, kubeconfig_file.render(server, self.ca_cert, user, certificate, key))

    @property
    def _settings_file(self) -> Path:
        return self.directory / "cluster.json"

    def _read_settings(self) -> Settings | None:
        with contextlib.suppress(FileNotFoundError):
            return Settings.load(self._settings_file.read_text())
        return None

    def _settings(self) -> Settings:
        settings = self._read_settings()
        if settings is None:
            raise KitError(f"There is no cluster in {self.directory}: start one there with cluster.py up.")
        return settings

    def _lock(self) -> AbstractContextManager[None]:
        return exclusive(self.directory / ".lock", lambda: progress(f"waiting for whoever works on {self.directory}"))

    def _require_own_directory(self) -> None:
        # "down --purge" removes the directory: it must never be one that holds something else.
        if self.directory.exists() and any(self.directory.iterdir()) and not (self.directory / ".lock").exists():
            raise KitError(f"{self.directory} holds something else than a cluster: choose an empty or a new directory.")
        private_directory(self.directory).chmod(0o700)

    def _require_no_other_owner(self) -> None:
        settings = self._read_settings()
        if settings is None or settings.owner == self._owner or not self._anything_runs():
            return
        if settings.owner is None:
            raise KitError(
                f"A cluster runs in {self.directory} already: use it, end it with cluster.py down, or go elsewhere."
            )
        if settings.owner.alive():
            raise KitError(
                f"The cluster in {self.directory} belongs to process {settings.owner.pid}, which still runs: "
                "wait for it, or go elsewhere."
            )

    # Processes

    def _anything_runs(self) -> bool:
        return any(map(self._table.identity, (*NAMES, *NODE_NAMES)))

    def _processes(self, settings: Settings) -> tuple[Process, ...]:
        programs = {name: Path(path) for name, path in settings.programs.items()}
        layout, ports, flags = self._layout, settings.ports, settings.apiserver_flags
        processes = control_plane(layout, ports, programs, flags, workloads=settings.node)
        return (*processes, *(node_processes(layout, ports, programs) if settings.node else ()))

    def _process(self, name: str) -> Process:
        processes = {process.name: process for process in self._processes(self._settings())}
        if name not in processes:
            raise KitError(f"{name!r} is no process of the cluster: it has {', '.join(processes)}.")
        return processes[name]

    def _status(self, process: Process) -> Status:
        identity, port = self._table.identity(process.name), self._settings().ports.get(process.name)
        if identity is None:
            return Status(process.name, "stopped", None, port)
        return Status(process.name, "ready" if process.ready() else "not ready", identity.pid, port)

    def _audit_log(self) -> AuditLog:
        return AuditLog(self._layout.audit_log, endpoint(self._layout, self._settings().ports, "kube-apiserver"))
