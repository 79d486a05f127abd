# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A syslog of our own: what programs write to /dev/log, without touching the machine's.

In a mount namespace of its own a program finds our socket there. That takes root; where it is not to be had, the
machine's log is left alone and not looked at.
"""

from __future__ import annotations

import os
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

# $1 is our directory; over an existing /dev/log our socket is laid, otherwise /dev is replaced by links into itself
_SCRIPT = """
set -e
if [ -e /dev/log ]; then
  mount --bind "$1/log" /dev/log
else
  mount --rbind /dev "$1/dev"
  mount -t tmpfs tmpfs /dev
  ln -s "$1"/dev/* "$1/log" /dev/
fi
shift
exec "$@"
"""


class Syslog:
    """The socket, from the beginning of a block to its end."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory.resolve()
        (self._directory / "dev").mkdir(parents=True, mode=0o700)
        self._socket = _bound(self._directory)
        self._messages: list[bytes] = []
        self._ending = threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self.available = subprocess.run(self.reaching(["true"]), capture_output=True, check=False).returncode == 0

    def __enter__(self) -> Syslog:
        self._reader.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._reader.join()
        self._socket.close()

    def reaching(self, command: Sequence[str]) -> list[str]:
        """The command, so that it finds the socket at /dev/log."""
        return [
            "unshare",
            "--mount",
            "--propagation=private",
            "sh",
            "-c",
            _SCRIPT,
            "sh",
            str(self._directory),
            *command,
        ]

    @property
    def messages(self) -> bytes:
        """What was logged."""
        return b"\n".join(self._messages)

    def _read(self) -> None:
        self._socket.settimeout(0.1)
        # what is still queued at the end is read as well
        while True:
            try:
                self._messages.append(self._socket.recv(1 << 16))
            except TimeoutError:
                if self._ending.is_set():
                    return


def _bound(directory: Path) -> socket.socket:
    """A datagram socket called log; by way of a descriptor, since the name of a socket may not be long."""
    found = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        found.bind(f"/proc/self/fd/{descriptor}/log")
    finally:
        os.close(descriptor)
    return found
