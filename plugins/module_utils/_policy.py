# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reading who may do what: all bindings and roles with four LISTs, once, or as many of them as the caller may read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from threading import Lock

from ._api import Api
from ._errors import ForbiddenError
from ._granting import Binding, Policy
from ._kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Kind, Object, ref_of

_BINDINGS = (CLUSTER_ROLE_BINDING, ROLE_BINDING)
_ROLES = (CLUSTER_ROLE, ROLE)
_KINDS = (*_BINDINGS, *_ROLES)


def read_policy(api: Api, namespaces: Iterable[str], workers: int) -> Policy:
    """All bindings and roles; where the caller may not list everywhere, those of the namespaces.

    Raises:
        ProvisionError: the server cannot be reached, or answers with something else than objects or a refusal.
    """
    places = sorted(set(namespaces))
    with ThreadPoolExecutor(max_workers=min(workers, len(_KINDS))) as pool:
        found = dict(zip(_KINDS, pool.map(partial(_read, api, places), _KINDS), strict=True))
    bindings = [Binding.from_api(obj, kind) for kind in _BINDINGS for obj in found[kind].objects]
    return Policy(
        bindings=tuple(bindings),
        rules={ref_of(obj, kind): obj.get("rules") or () for kind in _ROLES for obj in found[kind].objects},
        forbidden={kind: one.refusal for kind, one in found.items() if one.refusal},
        read_in={kind: one.places for kind, one in found.items()},
    )


@dataclass(frozen=True)
class _Found:
    """The objects of a kind, why not all of them, and where all the same."""

    objects: list[Object]
    refusal: ForbiddenError | None = None
    places: frozenset[str] = frozenset()


def _read(api: Api, namespaces: Sequence[str], kind: Kind) -> _Found:
    try:
        return _Found(api.list_all(kind))
    except ForbiddenError as error:
        refusal = error
    there = {place: _read_there(api, kind, place) for place in (namespaces if kind.namespaced else ())}
    objects = [obj for found in there.values() for obj in found or ()]
    return _Found(objects, refusal, frozenset(place for place, found in there.items() if found is not None))


def _read_there(api: Api, kind: Kind, namespace: str) -> list[Object] | None:
    try:
        return api.list_all(kind, namespace)
    except ForbiddenError:
        return None


class Once:
    """A policy that is read when somebody first wants it, whichever thread that is."""

    def __init__(self, read: Callable[[], Policy]) -> None:
        self._read = read
        self._lock = Lock()
        self._policy: Policy | None = None

    def __call__(self) -> Policy:
        with self._lock:
            if self._policy is None:
                self._policy = self._read()
            return self._policy
