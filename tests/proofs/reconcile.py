# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_binding beside kubectl auth reconcile, which it is to replace: the same grants, on the same server.

Each grant is there twice. kubectl brings one copy to what is declared, the module the other one; then both have to be
the same, but for the improvements that differential/improvements.py lists.
"""

from __future__ import annotations

import json
import uuid
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any, TypeVar

from cluster.controlplane import Cluster
from differential.grants import Case, Grants, Object, Place
from differential.improvements import IMPROVEMENTS, REFUSED, expected
from differential.states import State, state_of
from proofs.table import Ground, Line

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _binding
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

Part = TypeVar("Part")

_SEED = 20261122
_CASES, _QUICK_CASES = 1000, 240
_SHOWN = 5

_KINDS = ("role", "rolebinding", "clusterrole", "clusterrolebinding")
# A kubectl sends five requests in a second after the first ten. So each gets as much as takes ten: so many grants to
# reconcile, so many objects to delete.
_GRANTS, _DELETED = 2, 10
_PROCESSES = 2
_REMOVING = ("--remove-extra-permissions", "--remove-extra-subjects")


def prove(ground: Ground) -> list[Line]:
    """Bring many grants to what is declared, each in both ways."""
    cases = list(Grants(_SEED, _owner(ground.cluster)).cases(_CASES if ground.full else _QUICK_CASES))
    theirs, ours = _place(ground.cluster), _place(ground.cluster)
    try:
        _create(ground.cluster, [obj for place in (theirs, ours) for case in cases for obj in case.existing(place)])
        _with_kubectl(ground.cluster, cases, theirs)
        said = _with_module(ground.cluster, cases, ours)
        ends = [_states(ground.cluster, cases, place) for place in (theirs, ours)]
        again = _with_module(ground.cluster, cases, ours)
    finally:
        _remove(ground.cluster, (theirs, ours))
    return [_line(cases, ours, list(zip(*ends, strict=True)), said, again)]


def _line(
    cases: Sequence[Case],
    place: Place,
    ends: Sequence[tuple[State, State]],
    said: Mapping[int, Mapping[str, Any]],
    again: Mapping[int, Mapping[str, Any]],
) -> Line:
    improved: Counter[str] = Counter()
    misses: list[str] = []
    for case, (theirs, ours) in zip(cases, ends, strict=True):
        wanted = expected(case, place, theirs)
        improved.update(wanted.improvements)
        misses += _differences(case, wanted.state, ours)
        misses += _wrong_answers(case, said[case.number], again[case.number], is_refused=wanted.is_refused)
    all_names = [one.name for one in (*IMPROVEMENTS, REFUSED)]
    misses += [f"no grant shows the improvement: {name}" for name in all_names if not improved[name]]
    counts = ", ".join(f"{name} {improved[name]}" for name in all_names)
    same = sum(theirs == ours for theirs, ours in ends)
    changed = sum(one["changed"] for one in said.values())
    seen = (
        f"{len(cases)} roles and {len(cases)} bindings (seed {_SEED}), {changed} changed: {same} end the same, the "
        f"others in the listed improvements ({counts}); {len(misses)} misses"
    )
    asked = (
        "Grants end as with kubectl auth reconcile, plain and with --remove-extra-permissions --remove-extra-subjects, "
        "but for the listed improvements; at least 200 generated roles and bindings"
    )
    return Line(asked, seen, holds=not misses, misses=tuple(misses[:_SHOWN]))


def _differences(case: Case, wanted: State, ours: State) -> list[str]:
    found = {name: (value, asdict(ours)[name]) for name, value in asdict(wanted).items() if value != asdict(ours)[name]}
    return [f"grant {case.number}: {name} is to be {one}, is {other}" for name, (one, other) in found.items()]


def _wrong_answers(case: Case, said: Mapping[str, Any], again: Mapping[str, Any], *, is_refused: bool) -> list[str]:
    """What a grant's outcomes should not be."""
    if is_refused:
        words = ("is aggregated: its rules are the control plane's", "belongs to Kubernetes itself")
        good = said["status"] == "failed" and any(word in said["msg"] for word in words)
        return [] if good else [f"grant {case.number} is to be refused, but: {said['msg']}"]
    if said["status"] == "failed":
        return [f"grant {case.number}: {said['msg']}"]
    return [f"grant {case.number} changes again: {again['msg']}"] if again["status"] != "ok" else []


def _owner(cluster: Cluster) -> Object:
    """Something that is in no namespace, so that everything may belong to it."""
    role = json.loads(cluster.kubectl("get", "clusterrole", "view", "-o", "json").stdout)
    about = {"apiVersion": role["apiVersion"], "kind": role["kind"]}
    return {**about, "name": role["metadata"]["name"], "uid": role["metadata"]["uid"]}


def _place(cluster: Cluster) -> Place:
    name = f"proof-{uuid.uuid4().hex[:10]}"
    cluster.kubectl("create", "namespace", name)
    return Place(name, name)


def _create(cluster: Cluster, objects: Sequence[Object]) -> None:
    cluster.kubectl("create", "-f", "-", input=_listed(objects))


def _listed(objects: Iterable[Object]) -> str:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})


def _with_kubectl(cluster: Cluster, cases: Sequence[Case], place: Place) -> None:
    def reconcile(some: Sequence[Case]) -> None:
        manifests = [obj for case in some for obj in case.manifests(place)]
        options = _REMOVING if some[0].exact else ()
        cluster.kubectl("auth", "reconcile", *options, "-f", "-", input=_listed(manifests))

    modes = [[case for case in cases if case.exact == exact] for exact in (False, True)]
    with ThreadPoolExecutor(_PROCESSES) as pool:
        list(pool.map(reconcile, [part for mode in modes for part in _parts(mode, _GRANTS)]))


def _parts(whole: Sequence[Part], size: int) -> list[Sequence[Part]]:
    return [whole[at : at + size] for at in range(0, len(whole), size)]


def _with_module(cluster: Cluster, cases: Sequence[Case], place: Place) -> dict[int, dict[str, Any]]:
    """The outcomes, by the numbers of the cases."""
    given = {"kubeconfig": str(cluster.kubeconfig), "bindings": [case.item(place) for case in cases]}
    # kubectl grants whatever it is told to
    given["risk_policy"] = "ignore"
    result = run_here(_binding.USE_CASE, given, check_mode=False, diff=False)
    assert "outcomes" in result, result["msg"]
    return {case.number: outcome for case, outcome in zip(cases, result["outcomes"], strict=True)}


def _states(cluster: Cluster, cases: Sequence[Case], place: Place) -> list[State]:
    listed = (_get(cluster, kind, place) for kind in _KINDS)
    found: dict[str, list[Object]] = defaultdict(list)
    for obj in (obj for objects in listed for obj in objects):
        found[obj["metadata"]["name"]].append(obj)
    return [state_of(found[case.name(place)], case, place) for case in cases]


def _get(cluster: Cluster, kind: str, place: Place) -> list[Object]:
    items = json.loads(cluster.kubectl("get", kind, "-n", place.namespace, "-o", "json").stdout)["items"]
    return [obj for obj in items if obj["metadata"]["name"].startswith(place.prefix)]


def _remove(cluster: Cluster, places: Sequence[Place]) -> None:
    for kind in _KINDS[2:]:
        names = [obj["metadata"]["name"] for place in places for obj in _get(cluster, kind, place)]
        with ThreadPoolExecutor(_PROCESSES) as pool:
            parts = _parts(names, _DELETED)
            waiting = [pool.submit(cluster.kubectl, "delete", "--wait=false", kind, *part) for part in parts]
            for one in waiting:
                one.result()
    cluster.kubectl("delete", "namespace", "--wait=false", *(place.namespace for place in places))
