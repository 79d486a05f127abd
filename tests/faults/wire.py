# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""HTTP messages as the fault proxy needs them: requests read, answers written, whole or damaged."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

Headers = tuple[tuple[str, str], ...]

# These belong to one connection, not to the message.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade"})

_CHUNK = 16 * 1024

# What the API server calls them.
_REASONS = {
    400: "BadRequest", 401: "Unauthorized", 403: "Forbidden", 404: "NotFound", 409: "Conflict", 410: "Expired",
    422: "Invalid", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable", 504: "Timeout",
}  # fmt: skip


@dataclass(frozen=True)
class Request:
    """A request as it arrived; all but its method may hold secrets and is not shown."""

    method: str
    target: str = field(repr=False)
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)

    @property
    def path(self) -> str:
        """The path without the query."""
        return self.target.partition("?")[0]

    @property
    def is_last(self) -> bool:
        """Whether the client ends the connection after it."""
        return ("connection", "close") in {(name.lower(), value.lower()) for name, value in self.headers}


@dataclass(frozen=True)
class Answer:
    """An answer with its body decoded from chunks; its headers and body may hold secrets and are not shown."""

    status: int
    headers: Headers = field(repr=False)
    body: bytes = field(repr=False)
    chunked: bool = False


def read_request(stream: BinaryIO) -> Request | None:
    """The next request; None when the client is gone, also in the middle of one."""
    head = _head(stream)
    if head is None:
        return None
    method, target, dummy = head[0].split(" ")
    headers = tuple((name, value.strip()) for name, dummy, value in (line.partition(":") for line in head[1:]))
    by_name = {name.lower(): value for name, value in headers}
    if "transfer-encoding" in by_name:
        raise NotImplementedError("the fault proxy does not read chunked requests")
    length = int(by_name.get("content-length", "0"))
    body = stream.read(length)
    return Request(method, target, headers, body) if len(body) == length else None


def _head(stream: BinaryIO) -> list[str] | None:
    lines: list[str] = []
    while (line := stream.readline()) != b"\r\n":
        if not line.endswith(b"\r\n"):
            return None
        lines.append(line.decode("latin-1").removesuffix("\r\n"))
    return lines


def encode(answer: Answer) -> bytes:
    """The whole answer as it is sent."""
    return _answer_head(answer) + _framed(answer)


def truncated(answer: Answer) -> bytes:
    """The answer up to the middle of its body; the head still promises all of it."""
    framed = _framed(answer)
    if not answer.body:
        raise ValueError("an answer without a body cannot be truncated")
    return _answer_head(answer) + framed[: len(framed) // 2]


def corrupted(answer: Answer) -> Answer:
    """The answer with a NUL in the middle of its body."""
    if not answer.body:
        raise ValueError("an answer without a body cannot be corrupted")
    middle = len(answer.body) // 2
    return replace(answer, body=answer.body[:middle] + b"\0" + answer.body[middle + 1 :])


def last_one(answer: Answer) -> Answer:
    """The answer, saying that the connection ends after it."""
    return replace(answer, headers=(*answer.headers, ("Connection", "close")))


def status_object(status: int, headers: Headers, body: Mapping[str, Any] | None = None) -> Answer:
    """An answer with a JSON body, by default the one with which the API server refuses something."""
    reason = _REASONS.get(status, "Unknown")
    refusal = {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": f"injected fault: {reason}",
        "reason": reason,
        "code": status,
    }
    data = json.dumps(refusal if body is None else body).encode()
    return Answer(status, (("Content-Type", "application/json"), *headers), data)


def _answer_head(answer: Answer) -> bytes:
    framing = ("Transfer-Encoding", "chunked") if answer.chunked else ("Content-Length", str(len(answer.body)))
    lines = [f"HTTP/1.1 {answer.status} {http.client.responses.get(answer.status, '')}"]
    lines += [f"{name}: {value}" for name, value in (*answer.headers, framing)]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _framed(answer: Answer) -> bytes:
    return b"".join(_chunks(answer.body)) if answer.chunked else answer.body


def _chunks(body: bytes) -> Iterator[bytes]:
    for start in range(0, len(body), _CHUNK):
        piece = body[start : start + _CHUNK]
        yield b"%x\r\n%b\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"
