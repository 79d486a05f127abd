# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The fault proxy: what a client sees of each fault, and what the real server says that it did."""

from __future__ import annotations

import base64
import http.client
import json
import os
import queue
import select
import socket
import ssl
import stat
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Task
from faults.proxy import Exchange, FaultProxy
from faults.rules import Fault, Rules

Writes = Callable[[int], list[str]]

ACCOUNTS = "/serviceaccounts$"
MINT = "/token$"

# seconds: what a busy machine may take, and what a test can afford to wait in vain
_PLENTY, _SHORT = 30.0, 1.5


class Client:
    """A plain client that keeps its connection and sends nothing twice; it waits C(patience) seconds for an answer."""

    def __init__(self, kubeconfig: Path) -> None:
        self.patience = _PLENTY
        config = yaml.safe_load(kubeconfig.read_text())
        cluster, user = config["clusters"][0]["cluster"], config["users"][0]["user"]
        self.token: str = user["token"]
        trust = base64.b64decode(cluster["certificate-authority-data"]).decode()
        self._connection = http.client.HTTPSConnection(
            cluster["server"].removeprefix("https://"),
            timeout=_PLENTY,
            context=ssl.create_default_context(cadata=trust),
        )
        # what belongs to the TLS handshake comes with the first answer
        self.ask("GET", "/version")

    def ask(self, method: str, path: str, body: object = None) -> tuple[int, http.client.HTTPMessage, bytes]:
        """The status, headers and body of the answer."""
        headers = {"Authorization": f"Bearer {self.token}", "User-Agent": "tokenwright"}
        try:
            self._connection.request(
                method, path, json.dumps(body) if body else None, {**headers, "Content-Type": "application/json"}
            )
            self._wait_for_a_byte()
            with self._connection.getresponse() as response:
                return response.status, response.headers, response.read()
        except BaseException:
            self.close()
            raise

    def create(self, namespace: str, name: str) -> str:
        """Create a ConfigMap; what that looked like, in a word."""
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}}
        try:
            status, dummy, data = self.ask("POST", f"/api/v1/namespaces/{namespace}/configmaps", body)
        except (OSError, http.client.HTTPException) as error:
            return error.__class__.__name__
        try:
            json.loads(data)
        except ValueError:
            return f"{status} but no JSON"
        return str(status)

    def close(self) -> None:
        self._connection.close()

    def _wait_for_a_byte(self) -> None:
        # below TLS: not every supported Python tells a reset from an ordinary end there
        connection = self._connection.sock
        if not select.select([connection], [], [], self.patience)[0]:
            raise TimeoutError
        socket.socket.recv(connection, 1, socket.MSG_PEEK)


@pytest.fixture
def client(fault_proxy: FaultProxy) -> Iterator[Client]:
    """A plain client of the proxy."""
    with closing(Client(fault_proxy.kubeconfig)) as plain:
        fault_proxy.clear()
        yield plain


@pytest.fixture
def created(writes: Writes) -> Callable[[int], list[str]]:
    """The names of what the real server was asked to create since a mark, whatever it answered."""
    return lambda mark: [line.rpartition("/")[2] for line in writes(mark) if line.startswith("create ")]


def configmap_names(cluster: Cluster, namespace: str) -> set[str]:
    answer = cluster.kubectl("get", "configmaps", "-n", namespace, "-o", "name").stdout
    return {line.partition("/")[2] for line in answer.split()}


# without any fault


def test_a_task_through_the_proxy_is_a_task(
    namespace: str, run_task: Task, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    way = {"kubeconfig": str(fault_proxy.kubeconfig), "namespace": namespace, "name": "app"}
    assert run_task("k8s_sa", **way)["changed"]
    assert not run_task("k8s_sa", **way)["changed"]
    assert run_task("k8s_sa_token", **way, dest=str(tmp_path / "token"))["changed"]
    seen = [(each.method, each.path, each.server_status) for each in fault_proxy.requests]
    accounts = f"/api/v1/namespaces/{namespace}/serviceaccounts"
    assert ("POST", accounts, 201) in seen, "without its query, which says fieldManager"
    assert ("POST", f"{accounts}/app/token", 201) in seen
    assert all(each.fault is None and each.client_status == each.server_status for each in fault_proxy.requests)


def test_both_sides_keep_their_connections(
    cluster: Cluster, namespace: str, fault_proxy: FaultProxy, client: Client
) -> None:
    mark = cluster.audit_mark()
    assert {client.create(namespace, f"a{number}") for number in range(5)} == {"201"}
    assert fault_proxy.connections == 1
    ours = [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    assert len(ours) == 5


@pytest.mark.parametrize(
    ("path", "framing", "size"),
    [
        ("/openapi/v2", "Content-Length", 1_000_000),
        ("/apis/rbac.authorization.k8s.io/v1/clusterroles", "Transfer-Encoding", 30_000),
    ],
    ids=["large", "in chunks"],
)
def test_an_answer_arrives_as_it_was(cluster: Cluster, client: Client, path: str, framing: str, size: int) -> None:
    status, headers, through = client.ask("GET", path)
    assert status == 200
    assert [name for name in ("Content-Length", "Transfer-Encoding") if name in headers] == [framing]
    assert len(through) > size
    assert through.decode().strip() == cluster.kubectl("get", "--raw", path).stdout.strip()


def test_many_clients_at_once(
    namespace: str, cluster: Cluster, fault_proxy: FaultProxy, created: Callable[[int], list[str]]
) -> None:
    def work(number: int) -> str:
        with closing(Client(fault_proxy.kubeconfig)) as client:
            return client.create(namespace, f"a{number}")

    def meet(exchange: Exchange) -> None:
        if exchange.method == "POST":
            # one after the other they would never meet
            everybody.wait()

    everybody = threading.Barrier(8, timeout=_PLENTY)
    fault_proxy.on_request = meet
    mark = cluster.audit_mark()
    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(8))) == {"201"}
    assert sorted(created(mark)) == [f"a{number}" for number in range(8)]


# every fault, at a plain client


@pytest.mark.parametrize(
    ("fault", "seen"),
    [
        (Fault("POST", "/configmaps$", "reset"), "ConnectionResetError"),
        (Fault("POST", "/configmaps$", "eof"), "RemoteDisconnected"),
        (Fault("POST", "/configmaps$", "silence"), "TimeoutError"),
        *((Fault("POST", "/configmaps$", "answer", status=code), str(code)) for code in (401, 403, 429, 500, 503, 504)),
        (Fault("POST", "/configmaps$", "reset", "after"), "ConnectionResetError"),
        (Fault("POST", "/configmaps$", "eof", "after"), "RemoteDisconnected"),
        (Fault("POST", "/configmaps$", "silence", "after"), "TimeoutError"),
        (Fault("POST", "/configmaps$", "answer", "after", status=500), "500"),
        (Fault("POST", "/configmaps$", "answer", "after", status=504), "504"),
        (Fault("POST", "/configmaps$", "truncate", "after"), "IncompleteRead"),
        (Fault("POST", "/configmaps$", "corrupt", "after"), "201 but no JSON"),
    ],
    ids=lambda value: f"{value.kind}-{value.where}" if isinstance(value, Fault) else value,
)
def test_each_fault_happens_once_and_before_or_after_the_server_has_done_it(
    cluster: Cluster,
    namespace: str,
    fault_proxy: FaultProxy,
    client: Client,
    created: Callable[[int], list[str]],
    fault: Fault,
    seen: str,
) -> None:
    fault_proxy.inject(fault)
    client.patience = _SHORT if fault.kind == "silence" else _PLENTY
    mark = cluster.audit_mark()
    assert client.create(namespace, "one") == seen
    assert created(mark) == (["one"] if fault.where == "after" else [])
    assert ("one" in configmap_names(cluster, namespace)) == (fault.where == "after")
    client.patience = _PLENTY
    assert client.create(namespace, "two") == "201"
    assert created(mark)[-1] == "two"
    first, second = fault_proxy.requests
    assert (first.fault, second.fault) == (fault, None)
    assert first.server_status == (201 if fault.where == "after" else None)
    assert first.client_status == (int(seen[:3]) if seen[:3].isdigit() else 201 if fault.kind == "truncate" else None)


def test_an_answer_in_chunks_can_be_truncated_too(fault_proxy: FaultProxy, client: Client) -> None:
    fault_proxy.inject(Fault("GET", "/clusterroles$", "truncate", "after"))
    with pytest.raises(http.client.IncompleteRead):
        client.ask("GET", "/apis/rbac.authorization.k8s.io/v1/clusterroles")


def test_an_injected_answer_is_what_it_was_told_to_be(fault_proxy: FaultProxy, client: Client) -> None:
    fault_proxy.inject(
        Fault("GET", "^/version$", "answer", status=429, headers=[("Retry-After", "7")]),
        Fault("GET", "^/version$", "answer", nth=2, status=502, body="<html>bad gateway</html>"),
        Fault("GET", "^/version$", "answer", nth=3, status=200, body={"kind": "Odd"}),
    )
    status, headers, data = client.ask("GET", "/version")
    assert (status, headers["Retry-After"], json.loads(data)["reason"]) == (429, "7", "TooManyRequests")
    status, headers, data = client.ask("GET", "/version")
    assert (status, data) == (502, b"<html>bad gateway</html>")
    assert json.loads(client.ask("GET", "/version")[2]) == {"kind": "Odd"}
    assert "gitVersion" in json.loads(client.ask("GET", "/version")[2])


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_delay(
    cluster: Cluster,
    namespace: str,
    fault_proxy: FaultProxy,
    client: Client,
    created: Callable[[int], list[str]],
    where: Any,
) -> None:
    fault_proxy.inject(Fault("POST", "/configmaps$", "delay", where, seconds=0.3))
    began = time.monotonic()
    assert client.create(namespace, "one") == "201"
    assert time.monotonic() - began >= 0.3
    fault_proxy.clear()
    fault_proxy.inject(Fault("POST", "/configmaps$", "delay", where, seconds=2.5 * _SHORT))
    client.patience = _SHORT
    mark = cluster.audit_mark()
    assert client.create(namespace, "two") == "TimeoutError"
    assert created(mark) == (["two"] if where == "after" else [])
    fault_proxy.wait_idle()
    assert created(mark) == ["two"], "done late, when nobody waits for it any more"


@pytest.mark.parametrize(("where", "seen"), [("before", "ConnectionResetError"), ("after", "201")])
def test_connections_are_refused_from_a_request_on(
    cluster: Cluster, namespace: str, fault_proxy: FaultProxy, client: Client, where: Any, seen: str
) -> None:
    fault_proxy.inject(Fault("POST", "/configmaps$", "refuse", where))
    assert client.create(namespace, "one") == seen
    assert client.create(namespace, "two") == "ConnectionRefusedError"
    assert client.create(namespace, "two") == "ConnectionRefusedError"
    assert configmap_names(cluster, namespace) - {"kube-root-ca.crt"} == ({"one"} if where == "after" else set())
    fault_proxy.clear()
    assert client.create(namespace, "two") == "201"


def test_a_refusal_for_some_time(namespace: str, fault_proxy: FaultProxy, client: Client) -> None:
    fault_proxy.inject(Fault("POST", "/configmaps$", "refuse", seconds=_SHORT))
    assert client.create(namespace, "one") == "ConnectionResetError"
    assert client.create(namespace, "one") == "ConnectionRefusedError"
    deadline = time.monotonic() + _PLENTY
    while (seen := client.create(namespace, "one")) == "ConnectionRefusedError" and time.monotonic() < deadline:
        time.sleep(0.05)
    assert seen == "201"


def test_a_refusal_ends_kept_connections_and_ends_with_its_block(
    namespace: str, fault_proxy: FaultProxy, client: Client
) -> None:
    assert client.create(namespace, "one") == "201"
    with fault_proxy.refusing():
        assert client.create(namespace, "two") in (
            "RemoteDisconnected",
            "ConnectionResetError",
            "SSLEOFError",
            "BrokenPipeError",
        )
        assert client.create(namespace, "two") == "ConnectionRefusedError"
    assert client.create(namespace, "two") == "201"


# which request it happens to


def test_counting() -> None:
    rules = Rules()
    third, later = Fault("GET", "^/a", "eof", nth=3), Fault("*", "a$", "reset", nth=2, times=None)
    rules.add([third, later])
    requests = [("GET", "/a"), ("POST", "/a"), ("GET", "/a"), ("GET", "/b"), ("GET", "/a"), ("PUT", "/a")]
    assert [rules.draw(*request) for request in requests] == [None, later, later, None, third, later]
    rules.clear()
    assert rules.draw("GET", "/a") is None


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"kind": "truncate"}, "where='after'"),
        ({"kind": "corrupt"}, "where='after'"),
        ({"kind": "delay"}, "how many seconds"),
        ({"kind": "explode"}, "no fault 'explode'"),
        ({"kind": "eof", "where": "during"}, "'during'"),
    ],
)
def test_a_fault_that_cannot_be(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Fault("GET", "/", **fault)


# hooks


def test_something_happens_between_a_read_and_a_write(
    cluster: Cluster, namespace: str, run_task: Task, fault_proxy: FaultProxy
) -> None:
    """The account is there when the task looks, and gone when it writes."""

    def vanish(exchange: Exchange) -> None:
        if exchange.method == "PATCH":
            cluster.kubectl("delete", "serviceaccount", "app", "-n", namespace)

    run_task("k8s_sa", name="app", namespace=namespace)
    fault_proxy.on_request = vanish
    way = {"kubeconfig": str(fault_proxy.kubeconfig), "name": "app", "namespace": namespace, "labels": {"a": "b"}}
    run_task("k8s_sa", **way)
    first = next(each for each in fault_proxy.requests if each.method == "PATCH")
    assert first.server_status == 404


@pytest.mark.parametrize("hook", ["on_request", "on_answer"])
def test_a_client_is_killed_in_the_middle_and_the_server_does_it_all_the_same(
    cluster: Cluster, namespace: str, fault_proxy: FaultProxy, hook: str
) -> None:
    clients: queue.Queue[subprocess.Popen[bytes]] = queue.Queue()
    statuses: list[int | None] = []

    def kill(exchange: Exchange) -> None:
        if exchange.method == "POST":
            statuses.append(exchange.server_status)
            process = clients.get(timeout=10)
            process.kill()
            process.wait(timeout=10)

    setattr(fault_proxy, hook, kill)
    command: list[str | Path] = [
        cluster.programs / "kubectl",
        f"--kubeconfig={fault_proxy.kubeconfig}",
        "-n",
        namespace,
    ]
    environment = {**os.environ, "KUBECACHEDIR": str(cluster.directory / "kubectl-cache")}
    with subprocess.Popen([*command, "create", "configmap", "one"], env=environment) as process:
        clients.put(process)
        assert process.wait(timeout=20) == -9
    fault_proxy.wait_idle()
    assert statuses == [None if hook == "on_request" else 201]
    assert "one" in configmap_names(cluster, namespace)


def test_what_a_hook_raises_fails_the_block(cluster: Cluster, namespace: str) -> None:
    def fail(dummy: Exchange) -> None:
        raise LookupError("of the hook")

    def block() -> None:
        with FaultProxy(cluster) as proxy:
            proxy.on_request = fail
            with closing(Client(proxy.kubeconfig)) as client:
                assert client.create(namespace, "one") == "201"

    with pytest.raises(LookupError, match="of the hook"):
        block()


# our own client


def test_a_task_is_turned_away_and_comes_back(
    cluster: Cluster, namespace: str, run_task: Task, fault_proxy: FaultProxy, created: Callable[[int], list[str]]
) -> None:
    fault_proxy.inject(Fault("POST", ACCOUNTS, "answer", status=429, headers=[("Retry-After", "1")], times=2))
    mark = cluster.audit_mark()
    way = {"kubeconfig": str(fault_proxy.kubeconfig), "name": "app", "namespace": namespace}
    assert run_task("k8s_sa", **way)["changed"]
    assert created(mark) == ["app"]
    posts = [each for each in fault_proxy.requests if each.method == "POST"]
    assert [each.client_status for each in posts] == [429, 429, 201]


@pytest.mark.parametrize("kind", ["reset", "eof", "silence", "answer", "truncate", "corrupt"])
def test_a_task_whose_answer_is_lost_has_done_it_once_and_the_next_run_is_content(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    fault_proxy: FaultProxy,
    created: Callable[[int], list[str]],
    kind: Any,
) -> None:
    fault_proxy.inject(Fault("POST", ACCOUNTS, kind, "after", status=504))
    mark = cluster.audit_mark()
    way = {"kubeconfig": str(fault_proxy.kubeconfig), "name": "app", "namespace": namespace}
    run_task("k8s_sa", **way, request_timeout=2 if kind == "silence" else 30)
    assert created(mark) == ["app"]
    assert fault_proxy.requests[-1].server_status is not None
    assert not run_task("k8s_sa", **way)["changed"]
    assert created(mark) == ["app"]


def test_a_renewal_that_fails_leaves_the_token_that_is_there(
    cluster: Cluster, namespace: str, run_task: Task, fault_proxy: FaultProxy, tmp_path: Path, writes: Writes
) -> None:
    place = tmp_path / "token"
    run_task("k8s_sa", name="app", namespace=namespace)
    way = {"kubeconfig": str(fault_proxy.kubeconfig), "name": "app", "namespace": namespace, "dest": str(place)}
    run_task("k8s_sa_token", **way, expiration_seconds="1h")
    before = place.read_text()
    fault_proxy.inject(Fault("POST", MINT, "answer", status=500, times=None))
    mark = cluster.audit_mark()
    renewed = run_task("k8s_sa_token", **way, expiration_seconds="2h", retry_timeout=0)
    assert renewed["failed"]
    assert writes(mark) == []
    assert place.read_text() == before
    fault_proxy.clear()
    assert run_task("k8s_sa_token", **way, expiration_seconds="2h")["changed"]
    assert place.read_text() != before


def test_a_server_that_comes_back_is_waited_for(namespace: str, run_task: Task, fault_proxy: FaultProxy) -> None:
    fault_proxy.inject(Fault("GET", "/serviceaccounts/app$", "refuse", seconds=0.5))
    assert run_task("k8s_sa", kubeconfig=str(fault_proxy.kubeconfig), name="app", namespace=namespace)["changed"]


# what is left behind


def test_a_restarted_server_is_connected_to_anew(tmp_path: Path) -> None:
    with (
        Cluster(tmp_path / "cluster") as own,
        FaultProxy(own) as proxy,
        closing(Client(proxy.kubeconfig)) as client,
    ):
        assert client.create("default", "one") == "201"
        own.stop("kube-apiserver")
        own.start("kube-apiserver")
        assert client.create("default", "two") == "201", "over the connection that the client kept"
        own.stop("kube-apiserver")
        assert client.create("default", "three") == "RemoteDisconnected"


def test_nothing_secret_is_kept_or_shown(
    namespace: str, run_task: Task, fault_proxy: FaultProxy, client: Client, tmp_path: Path
) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    way = {"kubeconfig": str(fault_proxy.kubeconfig), "name": "app", "namespace": namespace}
    run_task("k8s_sa_token", **way, dest=str(tmp_path / "token"))
    client.ask("GET", "/version?token=secret-of-a-query")
    kept = repr([vars(each) for each in fault_proxy.requests])
    assert MINT.removesuffix("$") in kept
    for secret in (client.token, (tmp_path / "token").read_text(), "secret-of-a-query"):
        assert secret not in kept
    assert stat.S_IMODE(fault_proxy.kubeconfig.stat().st_mode) == 0o600


def test_no_thread_no_socket_and_no_file_stays(cluster: Cluster, namespace: str) -> None:
    def open_files() -> set[str]:
        return {os.readlink(entry) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink()}

    threads, files = threading.active_count(), open_files()
    with ExitStack() as held, FaultProxy(cluster) as proxy:
        proxy.inject(
            Fault("POST", "/configmaps$", "delay", seconds=60),
            Fault("POST", "/configmaps$", "silence", nth=2),
            Fault("POST", "/configmaps$", "refuse", nth=3, seconds=60),
        )
        clients = [held.enter_context(closing(Client(proxy.kubeconfig))) for dummy in range(4)]
        assert clients[3].ask("GET", "/version")[0] == 200, "and keeps its connection"
        for client in clients[:2]:
            client.patience = _SHORT
        assert [client.create(namespace, "one") for client in clients[:2]] == ["TimeoutError"] * 2
        assert clients[2].create(namespace, "one") == "ConnectionResetError"
        kubeconfig = proxy.kubeconfig
    assert threading.active_count() == threads
    assert open_files() == files
    assert not kubeconfig.exists()
    assert "one" not in configmap_names(cluster, namespace), "what was still to be forwarded was not"
