# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A proxy between a client and the real API server, which loses, delays and spoils what it is told to.

What no rule names goes through unchanged: the client's credential, keep-alive, chunked answers, any number of
connections. The server's audit log then tells what was really done, whatever the client was made to believe.
"""

from __future__ import annotations

import http.client
import select
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from types import TracebackType
from typing import BinaryIO, TypeAlias
from urllib.parse import urlsplit

from cluster.controlplane import Cluster
from cluster.files import write_private
from cluster.pki import Pki
from faults.administrator import token_for_everything, with_token
from faults.listener import Listener
from faults.rules import Fault, Rules, instead, spoiled
from faults.server import Reply
from faults.wire import HOP_BY_HOP, Answer, Request, encode, read_request

# a healthy server on loopback needs milliseconds
_SERVER_SECONDS = 60.0


@dataclass
class Exchange:
    """What is kept of a request: nothing of its query, headers and body.

    Attributes:
        method: HTTP method.
        path: without the query.
        fault: what was done to it.
        server_status: what the real server answered; None if it was not asked or did not answer.
        client_status: what the client was answered; None if it got no answer.
    """

    method: str
    path: str
    fault: Fault | None = None
    server_status: int | None = None
    client_status: int | None = None


Hook: TypeAlias = Callable[[Exchange], object]


class FaultProxy:
    """The proxy, from the beginning of a block to its end.

    Watches and upgraded connections (exec, port-forward) do not work: an answer is read to its end before it is passed
    on. A client certificate cannot be passed on, so C(kubeconfig) has a token of an account that may do everything.

    Attributes:
        on_request: called with every request before anything is done with it, on a thread of the proxy.
        on_answer: called with every request that the real server has answered, before the client hears of it.
        connections: how often somebody connected.
    """

    def __init__(self, cluster: Cluster) -> None:
        self.on_request: Hook | None = None
        self.on_answer: Hook | None = None
        self.connections = 0
        self._cluster = cluster
        self._rules = Rules()
        self._exchanges: list[Exchange] = []
        self._under_way = 0
        self._changed = threading.Condition()
        self._stopping = threading.Event()
        self._conversations: set[_Conversation] = set()
        self._timers: list[threading.Timer] = []
        self._failed_hooks: list[Exception] = []

    def __enter__(self) -> FaultProxy:
        # The API server's own certificate: issued by the authority that clients trust, and good for loopback.
        pki = Pki(self._cluster.ca_cert.parent)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(pki.certificate("server"), pki.key("server"))
        self._server_tls = ssl.create_default_context(cafile=str(self._cluster.ca_cert))
        self._server_port = urlsplit(self._cluster.server).port
        token = token_for_everything(self._cluster)
        self._listener = Listener(self._welcome)
        self.kubeconfig = self._cluster.directory / f"fault-proxy-{self._listener.port}.kubeconfig"
        write_private(self.kubeconfig, with_token(self.server, self._cluster.ca_cert, token))
        self._listener.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End everything; raises what a hook raised, unless the block itself failed."""
        self._stopping.set()
        self._listener.close()
        for conversation in self._everybody():
            conversation.abort()
            conversation.thread.join()
        self._cancel_timers()
        self.kubeconfig.unlink(missing_ok=True)
        if kind is None and self._failed_hooks:
            raise self._failed_hooks[0]

    @property
    def server(self) -> str:
        """Its address; the cluster's authority vouches for it."""
        return f"https://127.0.0.1:{self._listener.port}"

    @property
    def requests(self) -> list[Exchange]:
        """All requests so far, in the order in which they arrived."""
        with self._changed:
            return [replace(exchange) for exchange in self._exchanges]

    def inject(self, *faults: Fault) -> None:
        """Let these happen too; of several that are due at one request, the first injected one does."""
        self._rules.add(faults)

    def clear(self) -> None:
        """Forget faults, hooks and requests, and take connections again."""
        self._rules.clear()
        self.on_request = self.on_answer = None
        with self._changed:
            self._exchanges = []
        self._cancel_timers()
        self._listener.open()

    @contextmanager
    def refusing(self) -> Iterator[None]:
        """Drop all connections and refuse new ones for the length of the block."""
        self.go_down()
        try:
            yield
        finally:
            self._listener.open()

    def wait_idle(self, seconds: float = 10.0) -> None:
        """Return when no request is under way, the ones included that their client has given up.

        Raises:
            TimeoutError: there still is one after so many seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: self._under_way == 0, seconds):
                raise TimeoutError(f"{self._under_way} requests are still under way after {seconds} s")

    # What a conversation needs of it

    def converse(self) -> http.client.HTTPSConnection:
        """A connection of its own to the real server, opened with the first request."""
        return http.client.HTTPSConnection(
            "127.0.0.1", self._server_port, timeout=_SERVER_SECONDS, context=self._server_tls
        )

    @contextmanager
    def noted(self, request: Request) -> Iterator[Exchange]:
        """Keep what may be kept of the request, with the fault that is to happen to it."""
        with self._changed:
            exchange = Exchange(request.method, request.path, self._rules.draw(request.method, request.path))
            self._exchanges.append(exchange)
            self._under_way += 1
        try:
            yield exchange
        finally:
            with self._changed:
                self._under_way -= 1
                self._changed.notify_all()

    def call(self, hook: Hook | None, exchange: Exchange) -> None:
        """Call a hook, if there is one; what it raises is raised at the end of the block."""
        try:
            if hook is not None:
                hook(exchange)
        except Exception as error:  # noqa: BLE001 - a hook is a part of a test and may raise whatever a test may
            self._failed_hooks.append(error)

    def pause(self, seconds: float) -> None:
        """Wait; raises ConnectionAbortedError if the proxy ends meanwhile."""
        if self._stopping.wait(seconds):
            raise ConnectionAbortedError

    def go_down(self, seconds: float | None = None, *, sparing: _Conversation | None = None) -> None:
        """Drop all connections but one and refuse new ones, for some seconds or until C(clear)."""
        self._listener.refuse()
        for conversation in self._everybody():
            if conversation is not sparing:
                conversation.abort()
        if seconds is not None:
            timer = threading.Timer(seconds, self._listener.open)
            self._timers.append(timer)
            timer.start()

    def left(self, conversation: _Conversation) -> None:
        """A conversation is over."""
        with self._changed:
            self._conversations.discard(conversation)

    # Its own business

    def _welcome(self, connection: socket.socket) -> None:
        try:
            conversation = _Conversation(self, self._tls, connection)
        except OSError:
            # gone again before we had a look
            connection.close()
            return
        with self._changed:
            self.connections += 1
            self._conversations.add(conversation)
        conversation.thread.start()

    def _everybody(self) -> set[_Conversation]:
        with self._changed:
            return set(self._conversations)

    def _cancel_timers(self) -> None:
        while self._timers:
            timer = self._timers.pop()
            timer.cancel()
            timer.join()


class _Conversation:
    """One client's connection, and the one to the real server that goes with it."""

    def __init__(self, proxy: FaultProxy, tls: ssl.SSLContext, plain: socket.socket) -> None:
        self._proxy = proxy
        self._client = tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        self._server = proxy.converse()
        self.thread = threading.Thread(target=self._run, name="fault proxy: conversation")

    def abort(self) -> None:
        """Make the thread end, whatever it waits for."""
        for connection in (self._client, self._server.sock):
            with suppress(OSError):
                if connection is not None:
                    # TLS would take part in its own shutdown, which another thread is in the middle of
                    socket.socket.shutdown(connection, socket.SHUT_RDWR)

    def _run(self) -> None:
        try:
            # Either side may go away whenever it likes; then the other one is left.
            with suppress(OSError, http.client.HTTPException):
                self._client.do_handshake()
                with self._client.makefile("rb") as stream:
                    while self._exchange(stream):
                        pass
        finally:
            self._server.close()
            self._client.close()
            self._proxy.left(self)

    def _exchange(self, stream: BinaryIO) -> bool:
        """Answer the next request; tells whether the connection goes on."""
        request = read_request(stream)
        if request is None:
            return False
        with self._proxy.noted(request) as exchange:
            self._proxy.call(self._proxy.on_request, exchange)
            reply = self._reply(request, exchange)
            exchange.client_status = int(reply.data.split(b" ", 2)[1]) if reply.data else None
            return self._carry_out(reply) and not request.is_last

    def _reply(self, request: Request, exchange: Exchange) -> Reply:
        fault = exchange.fault
        if fault is not None and fault.where == "before":
            self._prepare(fault)
            reply = instead(fault)
            if reply is not None:
                return reply
        answer = self._forward(request)
        exchange.server_status = answer.status
        self._proxy.call(self._proxy.on_answer, exchange)
        if fault is None or fault.where == "before":
            return Reply(encode(answer))
        self._prepare(fault)
        return spoiled(fault, answer)

    def _prepare(self, fault: Fault) -> None:
        """What a fault does before the client notices."""
        if fault.kind == "delay":
            self._proxy.pause(fault.seconds or 0.0)
        if fault.kind == "refuse":
            self._proxy.go_down(fault.seconds, sparing=self)

    def _forward(self, request: Request) -> Answer:
        self._drop_stale()
        self._server.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
        for name, value in request.headers:
            if name.lower() not in HOP_BY_HOP:
                self._server.putheader(name, value)
        self._server.endheaders(request.body or None)
        with self._server.getresponse() as response:
            body = response.read()
            own = {*HOP_BY_HOP, "content-length"}
            headers = tuple((name, value) for name, value in response.getheaders() if name.lower() not in own)
            return Answer(response.status, headers, body, response.chunked)

    def _drop_stale(self) -> None:
        """A server that was restarted has closed the connection: a new one is opened with the next request."""
        if self._server.sock is not None and select.select([self._server.sock], [], [], 0)[0]:
            self._server.close()

    def _carry_out(self, reply: Reply) -> bool:
        """Send it and do what comes then; tells whether the connection goes on."""
        self._client.sendall(reply.data)
        if reply.then == "hang":
            self._wait_for_the_client_to_leave()
        if reply.then == "reset":
            # closing a socket that lingers for no time sends a reset
            self._client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        return reply.then == "keep"

    def _wait_for_the_client_to_leave(self) -> None:
        # below TLS, where its last words are bytes like any other
        while socket.socket.recv(self._client, 4096):
            pass
