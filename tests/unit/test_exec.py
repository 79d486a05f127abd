# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What comes over a websocket, whole, in parts, too much or too little; and what exec makes of it."""

from __future__ import annotations

import io
import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any, BinaryIO

import pytest
from faults.server import EOF, SILENCE, FaultServer, Reply, answer

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._auth import Endpoint
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import (
    ApiError,
    ConnectError,
    ForbiddenError,
    ProvisionError,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._exec import Done, _done, execute
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._inside import _seen
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import POD, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._pod_tokens import OTHER, UNSEEN
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._transport import Connection
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._websocket import Stream, is_accepted, offer

REF = Ref(POD, "shop", "webshop-0")
TEXT, BINARY, CONTINUED, CLOSE, PING = 0x1, 0x2, 0x0, 0x8, 0x9
LAST, MASKED = 0x80, 0x80


def frame(kind: int, data: bytes = b"", *, last: bool = True, mask: int = 0) -> bytes:
    """As RFC 6455 has it, with the shortest length that does."""
    size = len(data)
    if size > 0xFFFF:
        length = bytes([mask | 127]) + size.to_bytes(8, "big")
    else:
        length = bytes([mask | 126]) + size.to_bytes(2, "big") if size > 125 else bytes([mask | size])
    return bytes([kind | (LAST if last else 0)]) + length + data


def heard(data: bytes, limit: int = 1 << 20) -> list[bytes]:
    stream = Stream(io.BytesIO(data), lambda: None, RuntimeError)
    return list(stream.messages(limit))


END = frame(CLOSE, b"\x03\xe8")

SAID: list[tuple[bytes, list[bytes]]] = [
    (END, []),
    (frame(CLOSE), []),
    (frame(BINARY, b"a") + END, [b"a"]),
    (frame(TEXT, b"a") + frame(BINARY) + END, [b"a", b""]),
    (frame(BINARY, b"x" * 125) + frame(BINARY, b"y" * 126) + END, [b"x" * 125, b"y" * 126]),
    (frame(BINARY, b"x" * 65536) + END, [b"x" * 65536]),
    (frame(BINARY, b"a", last=False) + frame(CONTINUED, b"b", last=False) + frame(CONTINUED, b"c") + END, [b"abc"]),
    (frame(BINARY, b"a", last=False) + frame(PING, b"?") + frame(CONTINUED, b"b") + END, [b"ab"]),
    (frame(PING, b"?") + frame(BINARY, b"a") + END + b"nobody reads this", [b"a"]),
]


@pytest.mark.parametrize(("data", "expected"), SAID)
def test_messages_are_what_the_server_said(data: bytes, expected: list[bytes]) -> None:
    assert heard(data) == expected


BROKEN: list[tuple[bytes, str]] = [
    (b"", "broke before"),
    (b"hunter2" * 20, "words of a websocket"),
    (frame(0x3, b"a") + END, "words of a websocket"),
    (frame(BINARY, b"a"), "broke before"),
    ((frame(BINARY, b"abc") + END)[:3], "broke before"),
    (frame(BINARY, b"x" * 300)[:3], "broke before"),
    (frame(BINARY, b"a", mask=MASKED) + END, "longer than it can be"),
    (b"\x82\x7f" + b"\xff" * 8, "longer than it can be"),
    (frame(BINARY, b"x" * 1001) + END, "longer than it can be"),
    (frame(BINARY, b"x" * 501) * 2 + END, "longer than it can be"),
    (frame(PING, b"x" * 100) * 11 + END, "longer than it can be"),
    (frame(BINARY, b"x" * 100, last=False) * 11 + END, "longer than it can be"),
]


@pytest.mark.parametrize(("data", "said"), BROKEN)
def test_what_is_cut_off_or_too_long_is_an_error(data: bytes, said: str) -> None:
    with pytest.raises(RuntimeError, match=said):
        heard(data, limit=1000)


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, BinaryIO]]:
    """A connection: the server's end and what the client reads from."""
    ours, theirs = socket.socketpair()
    with ours, theirs, closing(ours.makefile("rb")) as source:
        ours.settimeout(0.05)
        yield theirs, source


def test_a_server_that_stops_talking_is_not_waited_for(pair: tuple[socket.socket, BinaryIO]) -> None:
    server, source = pair
    server.sendall(frame(BINARY, b"half")[:3])
    with pytest.raises(RuntimeError, match="no answer in time"):
        list(Stream(source, source.close, RuntimeError).messages(1000))


def test_a_connection_that_ends_is_said_to(pair: tuple[socket.socket, BinaryIO]) -> None:
    server, source = pair
    server.sendall(frame(BINARY, b"half")[:3])
    server.close()
    with pytest.raises(RuntimeError, match="broke before"):
        list(Stream(source, source.close, RuntimeError).messages(1000))
    source.close()
    with pytest.raises(RuntimeError, match="broke before"):
        list(Stream(source, source.close, RuntimeError).messages(1000))


def test_only_an_answer_to_this_very_request_is_one() -> None:
    # the example of RFC 6455, section 1.3
    asked = {**offer("v4"), "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    right = {"Sec-WebSocket-Accept": "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=", "Sec-WebSocket-Protocol": "v4"}
    assert is_accepted(asked, right)
    assert not is_accepted({**asked, **offer("v4")}, right)
    assert not is_accepted(asked, {**right, "Sec-WebSocket-Protocol": "v5"})
    assert not is_accepted(asked, {})
    assert offer("v4")["Sec-WebSocket-Key"] != offer("v4")["Sec-WebSocket-Key"]


# exec


def status(**fields: Any) -> bytes:
    return json.dumps({"kind": "Status", **fields}).encode()


def exited(*codes: object) -> bytes:
    causes = [{"reason": "ExitCode", "message": code} for code in codes]
    return status(status="Failure", reason="NonZeroExitCode", message="it ended", details={"causes": causes})


ENDS: list[tuple[bytes, Done]] = [
    (status(status="Success"), Done(b"out", 0)),
    (exited("42"), Done(b"out", 42)),
    (exited(), Done(b"out", None, "it ended")),
    (exited("many"), Done(b"out", None, "it ended")),
    (
        status(status="Failure", reason="InternalError", message="no\n such  program"),
        Done(b"out", None, "no such program"),
    ),
    (status(status="Failure", message="x" * 5000), Done(b"out", None, "x" * 600)),
    (b"", Done(b"out", None, "the server does not say how it ended")),
    (b"[]", Done(b"out", None, "the server does not say how it ended")),
    (b"{", Done(b"out", None, "the server does not say how it ended")),
]


@pytest.mark.parametrize(("said", "expected"), ENDS)
def test_how_a_program_ended(said: bytes, expected: Done) -> None:
    assert _done(b"out", said) == expected
    assert "out" not in repr(expected)


def executed(*replies: Reply, request_timeout: float = 5) -> ProvisionError:
    """What running something ends in that nobody runs."""
    with FaultServer(replies) as server:
        endpoint = Endpoint(server=server.url, source="the test", verify=False)
        connection = Connection(endpoint, request_timeout=request_timeout, retry_timeout=60)
        with closing(connection), pytest.raises(ProvisionError) as raised:
            execute(connection, REF, "app", ["true", "a b"])
        (path,) = [request.path for request in server.received]
    assert path == ("/api/v1/namespaces/shop/pods/webshop-0/exec?container=app&stdout=true&command=true&command=a+b")
    return raised.value


def forbidden(message: str) -> Reply:
    body: Mapping[str, Any] = {"kind": "Status", "reason": "Forbidden", "message": message, "code": 403}
    return answer(403, body)


def test_the_right_that_is_missing_is_named_also_where_the_server_does_not() -> None:
    whose = 'pods "webshop-0" is forbidden: '
    said = 'User "u" cannot get resource "pods/exec" in API group "" in the namespace "shop"'
    for message, verb in ((whose + said, "get"), (whose, "create")):
        error = executed(forbidden(message))
        assert isinstance(error, ForbiddenError)
        rule = {"apiGroups": [""], "resources": ["pods/exec"], "verbs": [verb], "resourceNames": ["webshop-0"]}
        assert (error.rbac_rule, error.details()["verb"]) == (rule, verb)
        assert f"allow the caller to {verb} pods/exec in namespace shop" in str(error)
        assert "both get and create" in str(error)


def test_what_an_admission_rule_says_is_not_a_missing_right() -> None:
    error = executed(forbidden('admission webhook "x" denied the request: no exec here'))
    assert (error.rbac_rule, "no exec here" in str(error)) == (None, True)


def switched(*headers: tuple[str, str]) -> Reply:
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers)
    return Reply(f"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n{lines}\r\n".encode() + END, "close")


def test_something_else_than_a_websocket_is_not_listened_to() -> None:
    assert isinstance(executed(switched()), ConnectError)
    error = executed(switched(("Sec-WebSocket-Accept", "x"), ("Sec-WebSocket-Protocol", "v4.channel.k8s.io")))
    assert "switched to something else" in error.what
    error = executed(answer(200, {"kind": "Pod"}))
    assert (isinstance(error, ApiError), error.code) == (True, "bad_answer")


def test_nothing_is_run_twice_because_an_answer_is_late_or_an_error() -> None:
    assert "no answer in time" in executed(SILENCE, request_timeout=0.2).what
    assert "broke before" in executed(EOF).what
    assert "500" in executed(answer(500, {"kind": "Status", "message": "no kubelet", "code": 500})).what


def test_a_shell_that_does_something_else_has_not_looked() -> None:
    assert _seen(Done(b"Welcome to the image\n", 0)).outcome == UNSEEN
    assert _seen(Done(b"claims:no token\n", 0)).outcome == OTHER
