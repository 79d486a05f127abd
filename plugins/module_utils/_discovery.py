# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking the API server once in a task what it serves.

Source: Kubernetes API, discovery: aggregated (by default since 1.27), or one document for each version of a group.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Lock

from ._api import Api
from ._errors import ProvisionError
from ._kinds import Object
from ._served import Group, Served, from_aggregated, from_plain, group_versions, is_aggregated

_ROOTS = ("/api", "/apis")


class Discovery:
    """What the cluster serves, asked for when somebody first wants to know; for any number of threads."""

    def __init__(self, api: Api, workers: int) -> None:
        self._api = api
        self._workers = workers
        self._lock = Lock()
        self._asked = False
        self._served: Served | None = None

    def served(self) -> Served | None:
        """What is served, or None if the server does not tell (no right to ask, no answer): no reason to fail."""
        with self._lock:
            if not self._asked:
                self._asked = True
                self._served = self._ask()
            return self._served

    def _ask(self) -> Served | None:
        groups: dict[str, Group] = {}
        for path in _ROOTS:
            found = self._below(self._document(path))
            if found is None:
                return None
            groups |= found.groups
        return Served(groups)

    def _below(self, root: Object | None) -> Served | None:
        if root is not None and is_aggregated(root):
            return from_aggregated(root)
        versions = group_versions(root) if root is not None else None
        if versions is None:
            return None
        with ThreadPoolExecutor(max_workers=self._workers) as pool:
            return from_plain(dict(zip(versions, pool.map(self._version, versions), strict=True)))

    def _version(self, version: str) -> Object | None:
        return self._document(f"/apis/{version}" if "/" in version else f"/api/{version}")

    def _document(self, path: str) -> Object | None:
        try:
            return self._api.discover(path)
        except ProvisionError:
            return None
