# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading who uses the Secrets of a namespace, or of all: all kinds of workloads, with one LIST each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from threading import Lock

from ._api import Api
from ._consumers import WORKLOADS, Use, uses
from ._errors import ForbiddenError, NotFoundError
from ._kinds import POD, Kind, Object, Ref


@dataclass(frozen=True)
class Uses:
    """Who uses Secrets.

    Attributes:
        found: the uses by namespace and name of the Secret.
        refusal: why not all workloads could be looked at; None: they were.
    """

    found: Mapping[tuple[str, str], Sequence[Use]]
    refusal: ForbiddenError | None = None

    def of(self, secret: Ref) -> list[Use] | None:
        """The uses of one Secret; None if none was seen, but not everything was looked at."""
        found = list(self.found.get((secret.namespace, secret.name), ()))
        return None if self.refusal and not found else found


def read_uses(api: Api, namespace: str, workers: int) -> Uses:
    """The uses in a namespace (empty: in all).

    Raises:
        ProvisionError: the server cannot be reached, or answers with something else than objects or a refusal.
    """
    # who may not list Pods may hardly list the others, and need not try
    pods = _list(api, POD, namespace)
    if isinstance(pods, ForbiddenError):
        return Uses({}, pods)
    others = [kind for kind in WORKLOADS if kind != POD]
    with ThreadPoolExecutor(max_workers=min(workers, len(others))) as pool:
        listed = dict(zip(others, pool.map(lambda kind: _list(api, kind, namespace), others), strict=True))
    objects = {kind: answer for kind, answer in listed.items() if not isinstance(answer, ForbiddenError)}
    refusals = [answer for answer in listed.values() if isinstance(answer, ForbiddenError)]
    return Uses(uses({**objects, POD: pods}), next(iter(refusals), None))


def _list(api: Api, kind: Kind, namespace: str) -> list[Object] | ForbiddenError:
    try:
        return api.list_all(kind, namespace)
    except ForbiddenError as error:
        return error
    except NotFoundError:
        return []  # a cluster that does not serve a kind has none of it


class UsesByNamespace:
    """The uses of each namespace, read when somebody first wants them, whichever thread that is."""

    def __init__(self, api: Api, workers: int) -> None:
        self._api = api
        self._workers = workers
        self._lock = Lock()
        self._locks: dict[str, Lock] = {}
        self._found: dict[str, Uses] = {}

    def of(self, secret: Ref) -> list[Use] | None:
        """See C(Uses.of)."""
        namespace = secret.namespace
        with self._lock:
            lock = self._locks.setdefault(namespace, Lock())
        with lock:
            if namespace not in self._found:
                self._found[namespace] = read_uses(self._api, namespace, self._workers)
        return self._found[namespace].of(secret)
