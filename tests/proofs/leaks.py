# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Proof: no secret in anything that a task leaves behind, whatever way it takes; and the check would see one."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from cluster.controlplane import Cluster
from cluster.files import write_private
from proofs import leak_cores
from proofs.leak_cores import Core
from proofs.leak_plays import SURFACES, Remains, Way, play
from proofs.leak_secrets import Hunt
from proofs.leak_stage import Stage, set_up
from proofs.leak_tasks import CASES, ENVIRONMENT, Case, keep_results, tasks
from proofs.table import Ground, Line

# where a credential is seen that the caller has put into the environment: there, and in ansible-runner's notes of it
_GIVEN, _SHOW_GIVEN = "environment_key", ("environments", "job events")

# a play keeps about one processor busy
_AT_ONCE = 2


@dataclass(frozen=True)
class Turn:
    """One play to be made.

    Attributes:
        way: how.
        cases: its tasks; none: the task that leaks.
        key_in_environment: whether the caller's credential is there.
    """

    way: Way
    cases: Sequence[Case] = ()
    key_in_environment: bool = False


@dataclass(frozen=True)
class Found:
    """What was found in one play.

    Attributes:
        turn: the play.
        hits: what was seen, by surface.
        sizes: how many bytes were looked through, by surface.
        processes: how many were watched.
        minted: how many tokens the API server has made.
        hunted: how many of them were looked for.
        astray: tasks that did not go the way they are there for.
    """

    turn: Turn
    hits: Mapping[str, set[str]]
    sizes: Mapping[str, int]
    processes: int
    minted: int
    hunted: int
    astray: Sequence[str]


def prove(ground: Ground) -> list[Line]:
    """Play every task in every way and look for every secret on every surface."""
    cores, missing = _cores(full=ground.full)
    turns = [turn for core in cores for turn in (*_leaking(core), *_turns(core, full=ground.full))]
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        found = list(pool.map(lambda number: _look(ground, number, turns[number]), range(len(turns))))
    leaking = [each for each in found if not each.turn.cases]
    ours = [each for each in found if each.turn.cases]
    return [*_clean(ours), *_sound(ours), _caught(leaking, cores), _versions(cores, missing)]


def _cores(*, full: bool) -> tuple[list[Core], list[str]]:
    """Those that are looked at, and the versions for which there is no Python."""
    if not full:
        return [leak_cores.own()], []
    found = {wanted.version: leak_cores.installed(wanted) for wanted in leak_cores.others()}
    return [leak_cores.own(), *filter(None, found.values())], [number for number, core in found.items() if not core]


def _leaking(core: Core) -> Iterator[Turn]:
    yield Turn(Way(core))
    yield Turn(Way(core, runner=True))


def _turns(core: Core, *, full: bool) -> Iterator[Turn]:
    few = [case for case in CASES if case.quick]
    yield Turn(Way(core, shipped=True), CASES if full else few)
    yield Turn(Way(core), CASES if full else [case for case in CASES if not case.slow])
    yield Turn(Way(core, runner=True), CASES if full else few)
    yield Turn(Way(core, check=True), CASES if full else few)
    yield Turn(Way(core), ENVIRONMENT, key_in_environment=True)
    if full:
        yield Turn(Way(core, shipped=True, runner=True), CASES)
        yield Turn(Way(core, shipped=True, check=True), CASES)
        yield Turn(Way(core, shipped=True), ENVIRONMENT, key_in_environment=True)
        yield Turn(Way(core, runner=True), ENVIRONMENT, key_in_environment=True)


def _look(ground: Ground, number: int, turn: Turn) -> Found:
    stage = set_up(ground.cluster, f"leak-{number}", ground.directory / str(number))
    mark = ground.cluster.audit_mark()
    way = replace(turn.way, environment=_connection(stage, turn))
    todo = [*tasks(turn.cases), keep_results(turn.cases)] if turn.cases else _everything_wrong(stage)
    remains = play(way, stage.directory / "run", todo, stage.directory / "variables.json")
    minted = _mints(ground.cluster, mark, stage.namespace)
    return Found(
        turn=turn,
        hits=_hits(stage, turn, remains),
        sizes={surface: len(content) for surface, content in remains.surfaces.items()},
        processes=remains.processes,
        minted=minted,
        hunted=len(stage.minted()),
        astray=[*_astray(stage, turn, remains, minted)] if turn.cases else [],
    )


def _connection(stage: Stage, turn: Turn) -> dict[str, str]:
    if not turn.key_in_environment:
        return {"K8S_AUTH_KUBECONFIG": str(stage.cluster.kubeconfig)}
    address = {"K8S_AUTH_HOST": stage.cluster.server, "K8S_AUTH_CA_CERT": str(stage.cluster.ca_cert)}
    return {**address, "K8S_AUTH_API_KEY": stage.value(_GIVEN)}


def _everything_wrong(stage: Stage) -> list[dict[str, Any]]:
    """The task that leaks, in the background and by itself."""
    place = stage.directory / "leaked"
    write_private(place, stage.value("key"))
    task: dict[str, Any] = {"leaky": {"path": str(place)}}
    waiting = {"ansible.builtin.async_status": {"jid": "{{ job.ansible_job_id }}"}, "register": "looked"}
    return [
        {**task, "async": 60, "poll": 0, "register": "job"},
        task,
        {**waiting, "until": "looked is finished", "retries": 60, "delay": 1},
    ]


def _mints(cluster: Cluster, mark: int, namespace: str) -> int:
    """How many tokens this collection was given in a namespace, by the audit log."""
    events = cluster.audit_events(mark)
    filled = {event["objectRef"]["name"] for event in events if _is_filling(event, namespace)}
    requested: int = sum(
        event["objectRef"].get("subresource") == "token"
        and event["objectRef"].get("namespace") == namespace
        and event["responseStatus"]["code"] == 201
        for event in events
        if event.get("userAgent") == "tokenwright" and event["verb"] == "create" and "objectRef" in event
    )
    return requested + len(filled)


def _is_filling(event: Mapping[str, Any], namespace: str) -> bool:
    """Whether the controller manager put a long-lived token into a Secret."""
    about = event.get("objectRef", {})
    is_it = (event["verb"], about.get("resource"), about.get("namespace")) == ("update", "secrets", namespace)
    is_done = event["responseStatus"]["code"] == 200
    return is_it and is_done and str(event.get("userAgent")).startswith("kube-controller-manager/")


def _hits(stage: Stage, turn: Turn, remains: Remains) -> dict[str, set[str]]:
    hunt, given = Hunt(stage.secrets()), stage.value(_GIVEN).encode()
    shows = _SHOW_GIVEN if turn.key_in_environment else ()
    return {
        surface: hunt.hits(content.replace(given, b"") if surface in shows else content)
        for surface, content in remains.surfaces.items()
    }


def _astray(stage: Stage, turn: Turn, remains: Remains, minted: int) -> Iterator[str]:
    """Tasks that did not go the way they are there for: nothing can be concluded from them."""
    if remains.rc or not stage.results.exists():
        yield f"{turn.way}: the play ended with exit status {remains.rc}"
        return
    if turn.way.check:
        if minted:
            yield f"{turn.way}: {minted} tokens were minted"
        return
    results = json.loads(stage.results.read_text())
    for number, case in enumerate(turn.cases):
        result = results[case.result(number)]
        if not _went_as_meant(case, result):
            yield f"{turn.way}: {case.name}: {'failed' if result.get('failed') else 'did not fail'}, but not as meant"


def _went_as_meant(case: Case, result: Mapping[str, Any]) -> bool:
    failed = bool(result.get("failed"))
    return not failed if case.says is None else failed and case.says.lower() in json.dumps(result).lower()


def _clean(found: Sequence[Found]) -> Iterator[Line]:
    for surface in SURFACES:
        size = sum(each.sizes.get(surface, 0) for each in found)
        hits = [f"{each.turn.way}: {hit}" for each in found for hit in sorted(each.hits.get(surface, ()))]
        looked = any(surface in each.sizes for each in found)
        seen = f"{len(hits)} in {size / 1000:,.1f} kB" if looked else "not looked at: that takes root"
        yield Line(f"no secret in: {surface}", seen, not hits, tuple(hits))


def _sound(found: Sequence[Found]) -> Iterator[Line]:
    """What the zeros rest on."""
    minted, hunted = sum(each.minted for each in found), sum(each.hunted for each in found)
    seen = f"{hunted} of {minted} in {len(found)} plays, {sum(each.processes for each in found)} processes"
    yield Line("every token that was minted is looked for", seen, hunted == minted > 0)
    astray = tuple(problem for each in found for problem in each.astray)
    count = sum(len(each.turn.cases) for each in found)
    went = f"{count} tasks, {len(astray)} astray"
    yield Line("every task goes the way it is there for, check mode mints nothing", went, not astray, astray)


def _caught(leaking: Sequence[Found], cores: Sequence[Core]) -> Line:
    looked = {surface for each in leaking for surface in each.sizes}
    caught = {(each.turn.way.core, surface) for each in leaking for surface, hits in each.hits.items() if hits}
    missed = [(core, surface) for core in cores for surface in SURFACES if (core, surface) not in caught]
    seen = f"on {len(SURFACES) - len({surface for dummy, surface in missed})} of {len(SURFACES)} surfaces"
    misses = tuple(f"{core.version}: {surface}" for core, surface in missed if surface in looked)
    return Line("a task that leaks is caught on every surface that is looked at", seen, not misses, misses)


def _versions(cores: Sequence[Core], missing: Iterable[str]) -> Line:
    skipped = "".join(f"; {number} skipped for want of a Python" for number in missing)
    seen = ", ".join(core.version for core in cores)
    return Line("with these versions of ansible-core", seen + skipped, holds=True)
