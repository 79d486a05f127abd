# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The API server's audit log: what it really was asked. Standard library only."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from cluster.endpoint import AUDIT_ID_PREFIX, Endpoint, new_audit_id

_SYNC_SECONDS = 5.0

_WRITES = {"create", "update", "patch", "delete", "deletecollection"}
# questions that the API spells as creates
_REVIEWS = {"tokenreviews", "selfsubjectreviews", "selfsubjectaccessreviews", "subjectaccessreviews"}


def is_write(event: dict[str, Any]) -> bool:
    """Whether the request of an event changed something; minting a token counts, also as a dry run."""
    about = event.get("objectRef") or {}
    is_rehearsal = "dryRun=All" in event.get("requestURI", "") and about.get("subresource") != "token"
    return event["verb"] in _WRITES and about.get("resource") not in _REVIEWS and not is_rehearsal


class AuditLog:
    """Events of answered requests, read up to the moment of the call."""

    def __init__(self, path: Path, apiserver: Endpoint) -> None:
        self._path = path
        self._apiserver = apiserver

    def mark(self) -> int:
        """The place (in bytes) in the log before which everything is that has been answered so far."""
        self._catch_up()
        return len(self._complete_lines(0))

    def events(self, since: int) -> list[dict[str, Any]]:
        """The events after a mark, of everything that has been answered so far."""
        self._catch_up()
        events = [json.loads(line) for line in self._complete_lines(since).splitlines()]
        return [event for event in events if not event["auditID"].startswith(AUDIT_ID_PREFIX)]

    def _catch_up(self) -> None:
        # The server writes an event when it is done with a request: for a long answer, just after the client has the
        # last byte. A later request of our own is written after it. A server that is down has nothing left to write.
        size = self._path.stat().st_size if self._path.exists() else 0
        identifier = new_audit_id()
        if self._apiserver.get("/version", identifier) is None:
            return
        deadline = time.monotonic() + _SYNC_SECONDS
        while identifier.encode() not in self._complete_lines(size):
            if time.monotonic() > deadline:
                raise TimeoutError(f"the API server does not write to its audit log {self._path}")
            time.sleep(0.005)

    def _complete_lines(self, since: int) -> bytes:
        if not self._path.exists():
            return b""
        with self._path.open("rb") as file:
            file.seek(since)
            data = file.read()
        return data[: data.rfind(b"\n") + 1]
