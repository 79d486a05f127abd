# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Listening to a server over a connection that has become a websocket, within the deadline of the request.

Nothing is ever sent: what is asked for stands in the request. Source: RFC 6455.
"""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping
from typing import BinaryIO

SWITCHING = 101

_MAGIC = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_CLOSE = 0x8
# parts and messages, how it ends, whether the other is there; nothing else, and no bit before them, means anything
_KINDS = frozenset({0x0, 0x1, 0x2, _CLOSE, 0x9, 0xA})
# a longer one says so, and how long its length is
_SHORT = 125
_LENGTHS = {126: 2, 127: 8}


def offer(protocol: str) -> dict[str, str]:
    """The headers that ask a server to switch to a websocket with this protocol."""
    return {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
        "Sec-WebSocket-Protocol": protocol,
    }


def is_accepted(asked: Mapping[str, str], answered: Mapping[str, str]) -> bool:
    """Whether the server means this very request, and speaks the protocol."""
    digest = hashlib.sha1((asked["Sec-WebSocket-Key"] + _MAGIC).encode(), usedforsecurity=False).digest()
    return (
        answered.get("Sec-WebSocket-Accept") == base64.b64encode(digest).decode()
        and answered.get("Sec-WebSocket-Protocol") == asked["Sec-WebSocket-Protocol"]
    )


class Stream:
    """What a server sends over a websocket."""

    def __init__(self, source: BinaryIO, close: Callable[[], None], broken: Callable[[str], Exception]) -> None:
        """Take over a connection.

        Args:
            source: where its bytes come from.
            close: ends it.
            broken: makes the error to raise from why it ended too early.
        """
        self._source = source
        self._broken = broken
        self.close = close

    def messages(self, limit: int) -> Iterator[bytes]:
        """All messages until the server closes.

        Args:
            limit: bytes that they may have together.

        Raises:
            ProvisionError: the connection broke, the deadline passed, or it was more.
        """
        message = b""
        while True:
            is_last, kind, data = self._frame(limit)
            limit -= len(data)
            if kind == _CLOSE:
                return
            # kinds above that one ask whether we are there: whoever asks so soon gets no answer
            message += data if kind < _CLOSE else b""
            if is_last and kind < _CLOSE:
                yield message
                message = b""

    def _frame(self, limit: int) -> tuple[bool, int, bytes]:
        first, second = self._take(2)
        if first & 0x7F not in _KINDS:
            raise self._broken("what came is not said in the words of a websocket")
        # a server that masked what it sends would have its highest bit set, and no length fits that
        length = int.from_bytes(self._take(_LENGTHS[second]), "big") if second in _LENGTHS else second
        if length > limit or (second > _SHORT and second not in _LENGTHS):
            raise self._broken("the answer is longer than it can be")
        return bool(first & 0x80), first & 0x0F, self._take(length)

    def _take(self, size: int) -> bytes:
        try:
            data = self._source.read(size)
        except TimeoutError:
            raise self._broken("no answer in time (request_timeout)") from None
        except (OSError, ValueError):
            # ValueError: closed meanwhile
            data = b""
        if len(data) < size:
            raise self._broken("the connection broke before the answer was complete")
        return data
