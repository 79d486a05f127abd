# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A port of loopback that takes connections or refuses them."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class Listener:
    """Takes connections between C(open) and C(refuse); the port is nobody else's until C(close)."""

    def __init__(self, welcome: Callable[[socket.socket], None]) -> None:
        """Take a port and refuse connections at first.

        Args:
            welcome: called with every new connection, on the thread that accepts them.
        """
        self._welcome = welcome
        self._lock = threading.Lock()
        # bound and never listening: this is what holds the port while connections are refused
        self._keeper: socket.socket | None = _bound(0)
        self.port: int = self._keeper.getsockname()[1]
        self._socket: socket.socket | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        """Take connections. Nothing happens if it does, or if it is closed."""
        with self._lock:
            if self._keeper is None or self._socket is not None:
                return
            self._socket = _bound(self.port)
            self._socket.listen(128)
            self._thread = threading.Thread(target=self._accept, args=(self._socket,), name="fault proxy: accept")
            self._thread.start()

    def refuse(self) -> None:
        """Refuse connections; the ones there are stay. When this returns, nobody will be welcomed any more."""
        with self._lock:
            if self._socket is None or self._thread is None:
                return
            # closing alone would not wake the thread
            self._socket.shutdown(socket.SHUT_RDWR)
            self._thread.join()
            self._socket.close()
            self._socket = self._thread = None

    def close(self) -> None:
        """Refuse connections for good and give the port back."""
        self.refuse()
        with self._lock:
            if self._keeper is not None:
                self._keeper.close()
                self._keeper = None

    def _accept(self, listening: socket.socket) -> None:
        # ends with the error that accept gives once the socket is shut down
        with suppress(OSError):
            while True:
                connection, dummy = listening.accept()
                self._welcome(connection)


def _bound(port: int) -> socket.socket:
    """A socket at this port (0: a free one), at which another one may be bound but not listen."""
    bound = socket.socket()
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    bound.bind(("127.0.0.1", port))
    return bound
