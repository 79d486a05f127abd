# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One HTTPS server on loopback, asked with a client certificate; finding free ports. Standard library only."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import ssl
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# The kit's own requests carry this in front of their audit ids, so that tests which count requests do not see them.
AUDIT_ID_PREFIX = "cluster-kit-"


def new_audit_id() -> str:
    """An audit id for one request of the kit's own."""
    return AUDIT_ID_PREFIX + uuid.uuid4().hex


@dataclass(frozen=True)
class Endpoint:
    """Where a server listens and the files with which to trust it and to be known to it."""

    port: int
    authority: Path
    certificate: Path
    key: Path

    def get(self, path: str, audit_id: str = "", timeout: float = 5) -> int | None:
        """The HTTP status of a GET once all of the answer has come; None if there was none (``timeout`` in seconds)."""
        answer = self._ask(path, audit_id, timeout)
        return answer[0] if answer else None

    def read(self, path: str, timeout: float = 5) -> Any:
        """The JSON that a GET is answered with; None if there was no answer, or another than 200."""
        answer = self._ask(path, "", timeout)
        return json.loads(answer[1]) if answer and answer[0] == 200 else None

    def _ask(self, path: str, audit_id: str, timeout: float) -> tuple[int, bytes] | None:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=timeout, context=self._context())
        try:
            connection.request("GET", path, headers={"Audit-ID": audit_id or new_audit_id()})
            response = connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _context(self) -> ssl.SSLContext:
        # With a cafile, Python loads no other authority, whatever SSL_CERT_FILE says.
        context = ssl.create_default_context(cafile=str(self.authority))
        context.load_cert_chain(self.certificate, self.key)
        return context


def free_ports(names: Sequence[str]) -> dict[str, int]:
    """A different free loopback port for each name. They are free now; somebody else may still take one first."""
    with contextlib.ExitStack() as held:
        return {name: _free_port(held) for name in names}


def _free_port(held: contextlib.ExitStack) -> int:
    # Held until all are found, so that none is given twice.
    listener = held.enter_context(socket.socket())
    listener.bind(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    assert isinstance(port, int)
    return port
