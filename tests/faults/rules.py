# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong with which request, as data."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from faults.server import EOF, RESET, SILENCE, Reply
from faults.wire import Answer, corrupted, encode, last_one, status_object, truncated

Kind = Literal["refuse", "reset", "eof", "silence", "delay", "answer", "truncate", "corrupt"]
Where = Literal["before", "after"]

_NEEDS_AN_ANSWER = ("truncate", "corrupt")
_BREAKS = {"refuse": RESET, "reset": RESET, "eof": EOF, "silence": SILENCE}


@dataclass(frozen=True)
class Fault:
    """One thing that goes wrong.

    Attributes:
        method: of the requests it is for; C(*) is every method.
        path: regular expression, searched for in the path of the request (without its query).
        kind: C(reset) or C(eof), the connection ends instead of an answer; C(silence), nothing comes until the client
            gives up; C(delay); C(answer), the one described here comes; C(truncate), the body ends in the middle;
            C(corrupt), one byte in the middle of the body becomes NUL, which JSON has nowhere; C(refuse), from this
            request on the port refuses connections: I(before) the request itself meets a reset, I(after) it gets its
            answer, and the client's next request is the one that is refused.
        where: C(before), the real server never sees the request (but for a C(delay), after which it does, whether or
            not the client still waits); C(after), it has done it.
        nth: the first of the matching requests, counted since the injection, that it happens to.
        times: to how many from there on; None is all of them.
        seconds: how long a C(delay) is, or connections are refused (None: until C(clear)).
        status: of an C(answer).
        headers: of an C(answer).
        body: of an C(answer); a mapping becomes JSON, None the Status object that the API server has for this status.
    """

    method: str
    path: str
    kind: Kind
    where: Where = "before"
    nth: int = 1
    times: int | None = 1
    seconds: float | None = None
    status: int = 503
    headers: Sequence[tuple[str, str]] = ()
    body: bytes | str | Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        re.compile(self.path)
        if self.kind not in get_args(Kind) or self.where not in get_args(Where):
            raise ValueError(f"there is no fault {self.kind!r} {self.where!r}")
        if self.kind in _NEEDS_AN_ANSWER and self.where == "before":
            raise ValueError(f"{self.kind}: before the server has done it there is no answer: use where='after'")
        if self.kind == "delay" and self.seconds is None:
            raise ValueError("delay: say for how many seconds")

    def fits(self, method: str, path: str) -> bool:
        """Whether it is for requests like this one."""
        return self.method in ("*", method) and re.search(self.path, path) is not None

    def due(self, count: int) -> bool:
        """Whether it happens to the matching request with this number (from 1)."""
        return self.nth <= count and (self.times is None or count < self.nth + self.times)


class Rules:
    """The injected faults and how many requests each has seen; for any number of threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: list[tuple[Fault, int]] = []

    def add(self, faults: Sequence[Fault]) -> None:
        """Count for these from now on."""
        with self._lock:
            self._counts += [(fault, 0) for fault in faults]

    def clear(self) -> None:
        """Forget all."""
        with self._lock:
            self._counts = []

    def draw(self, method: str, path: str) -> Fault | None:
        """The fault of the next request: the first that is due. Every fault that fits counts the request."""
        with self._lock:
            self._counts = [(fault, count + fault.fits(method, path)) for fault, count in self._counts]
            due = (fault for fault, count in self._counts if fault.fits(method, path) and fault.due(count))
            return next(due, None)


def instead(fault: Fault) -> Reply | None:
    """What the client gets without the real server; None: what the real server says."""
    if fault.kind == "answer":
        return Reply(encode(_told(fault)))
    return _BREAKS.get(fault.kind)


def spoiled(fault: Fault, answer: Answer) -> Reply:
    """What the client gets of the real server's answer."""
    if fault.kind == "truncate":
        return Reply(truncated(answer), "close")
    if fault.kind == "corrupt":
        return Reply(encode(corrupted(answer)))
    if fault.kind == "refuse":
        # a client that kept the connection would not have to connect
        return Reply(encode(last_one(answer)), "close")
    return instead(fault) or Reply(encode(answer))


def _told(fault: Fault) -> Answer:
    headers, body = tuple(fault.headers), fault.body
    if isinstance(body, (bytes, str)):
        return Answer(fault.status, headers, body if isinstance(body, bytes) else body.encode())
    return status_object(fault.status, headers, body)
