# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A server on loopback that answers what it is told to, also what no proper server would.

It knows nothing of Kubernetes: it breaks connections, sends canned bytes and writes down what reached it. Its sockets
are real, so a client meets the faults as it would on a network.
"""

from __future__ import annotations

import json
import select
import selectors
import socket
import ssl
import struct
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

# nothing a test waits for takes longer; a client that forgot to close does not keep the server
_PATIENCE = 10.0


@dataclass(frozen=True)
class Reply:
    """What happens to a request.

    Attributes:
        data: the bytes to send.
        then: C(keep) the connection for the next request, C(close) it, C(reset) it, C(garble) it: send into a TLS
            connection what is no TLS, or C(hang): say nothing more.
        slowly: what follows the data, a byte every tenth of a second.
    """

    data: bytes = b""
    then: str = "keep"
    slowly: bytes = b""


RESET = Reply(then="reset")
EOF = Reply(then="close")
SILENCE = Reply(then="hang")


def answer(
    status: int, body: bytes | str | Mapping[str, Any], headers: Sequence[tuple[str, str]] = (), *, then: str = "keep"
) -> Reply:
    """A complete answer; a mapping is sent as JSON, header values in UTF-8."""
    data = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()
    lines = [("Content-Length", str(len(data))), *headers]
    head = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return Reply(f"HTTP/1.1 {status} Whatever\r\n{head}\r\n".encode() + data, then)


def cut_off(reply: Reply, missing: int) -> Reply:
    """The same answer, ending too early."""
    return Reply(reply.data[:-missing], "close")


@dataclass(frozen=True)
class Received:
    """A request as it arrived; header names in lower case, repeated ones in order."""

    method: str
    path: str
    headers: Mapping[str, tuple[str, ...]]
    body: bytes


@dataclass
class FaultServer:
    """Answers the first request with the first reply, and so on; the last reply is for all that follow.

    Attributes:
        replies: the script.
        greeting: what is done to a connection before anything is read from it, instead of the replies.
        tls: speak TLS with this context.
        address: where to listen.
        received: the requests so far.
        connections: how often somebody connected.
    """

    replies: Sequence[Reply] = ()
    greeting: Reply | None = None
    tls: ssl.SSLContext | None = None
    address: str = "127.0.0.1"
    received: list[Received] = field(default_factory=list)
    connections: int = 0

    def __enter__(self) -> FaultServer:
        self._lock = threading.Lock()
        self._listener = socket.create_server((self.address, 0))
        self.port: int = self._listener.getsockname()[1]
        self._stop, self._stopped = socket.socketpair()
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # every waiting thread watches this pair
        self._stop.close()
        while self._threads:
            self._threads.pop(0).join()
        self._listener.close()
        self._stopped.close()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"{'https' if self.tls else 'http'}://{self.address}:{self.port}"

    def _accept(self) -> None:
        while self._readable(self._listener):
            connection, _address = self._listener.accept()
            self.connections += 1
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, plain: socket.socket) -> None:
        # a client that goes away, or does not trust us, is not the server's failure
        with suppress(OSError):
            plain.settimeout(_PATIENCE)
            if self.greeting is not None:
                self._act(plain, self.greeting)
                return
            connection = self._greet(plain, self.tls) if self.tls else plain
            with connection:
                self._converse(connection)
        plain.close()

    def _greet(self, plain: socket.socket, tls: ssl.SSLContext) -> ssl.SSLSocket:
        connection = tls.wrap_socket(plain, server_side=True, do_handshake_on_connect=False)
        try:
            connection.do_handshake()
        except OSError:
            # closing before everything is read would send a reset, in which the alert may be lost
            with connection, suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_WR)
                while socket.socket.recv(connection, 65536):
                    pass
            raise
        return connection

    def _converse(self, connection: socket.socket) -> None:
        unread = b""
        while True:
            found = self._read(connection, unread)
            if found is None:
                return
            request, unread = found
            with self._lock:
                self.received.append(request)
                reply = self.replies[min(len(self.received), len(self.replies)) - 1]
            if not self._act(connection, reply):
                return

    def _act(self, connection: socket.socket, reply: Reply) -> bool:
        """Do it; tells whether the connection goes on."""
        connection.sendall(reply.data)
        is_going_on = all(self._drip(connection, byte) for byte in reply.slowly)
        if is_going_on and reply.then == "keep":
            return True
        if reply.then == "garble":
            # past the TLS of the connection
            socket.socket.sendall(connection, b"no record of TLS")
        if reply.then == "hang":
            self._readable(self._stopped)
        if reply.then == "reset":
            # closing a socket that lingers for no time sends a reset
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()
        return False

    def _drip(self, connection: socket.socket, byte: int) -> bool:
        """Send one byte after a while; tells whether the server goes on."""
        connection.sendall(bytes([byte]))
        return not select.select([self._stopped], [], [], 0.1)[0]

    def _read(self, connection: socket.socket, data: bytes) -> tuple[Received, bytes] | None:
        """The next request and what came after it; None at the end of the connection."""
        while b"\r\n\r\n" not in data:
            chunk = self._receive(connection)
            if not chunk:
                return None
            data += chunk
        head, rest = data.partition(b"\r\n\r\n")[::2]
        lines = head.decode("latin-1").split("\r\n")
        headers: dict[str, tuple[str, ...]] = {}
        for name, value in (line.partition(": ")[::2] for line in lines[1:]):
            headers[name.lower()] = (*headers.get(name.lower(), ()), value)
        length = int(headers.get("content-length", ("0",))[0])
        while len(rest) < length:
            rest += self._receive(connection)
        method, path, _version = lines[0].split(" ")
        return Received(method, path, headers, rest[:length]), rest[length:]

    def _receive(self, connection: socket.socket) -> bytes:
        is_waiting = isinstance(connection, ssl.SSLSocket) and connection.pending()
        return connection.recv(65536) if is_waiting or self._readable(connection) else b""

    def _readable(self, connection: socket.socket) -> bool:
        """Wait until there is something to read; False when the server is to end."""
        with selectors.DefaultSelector() as selector:
            for candidate in dict.fromkeys((connection, self._stopped)):
                selector.register(candidate, selectors.EVENT_READ)
            ready = {key.fileobj for key, _events in selector.select()}
        return self._stopped not in ready


class ClosedPort:
    """A port of loopback on which connections are refused for as long as this is open."""

    def __enter__(self) -> str:
        # bound and not listening: nobody else gets the port meanwhile
        self._socket = socket.socket()
        self._socket.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{self._socket.getsockname()[1]}"

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._socket.close()
