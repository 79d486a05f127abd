# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What holds for every entry point of every role: check mode predicts, and no death in the middle does harm."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import ROOT, Task
from faults import legacy
from faults.roles import BARE, CASES, ELSEWHERE, Case, Stage, after_changes

Writes = Callable[[int], list[str]]


@pytest.fixture
def stage(cluster: Cluster, run_task: Task, tmp_path: Path) -> Iterator[Stage]:
    """Where roles die; what they leave behind is removed."""
    yield Stage(cluster, run_task, tmp_path)
    namespaces = [path.name for path in tmp_path.glob("role-*")]
    cluster.kubectl("delete", "namespace", "--wait=false", "--ignore-not-found", *namespaces)


def names(case: Case) -> str:
    return f"{case.role}-{case.entry}"


def test_every_entry_point_is_here() -> None:
    found = {
        (path.parents[1].name, entry)
        for path in (ROOT / "roles").glob("*/meta/argument_specs.yml")
        for entry in yaml.safe_load(path.read_text())["argument_specs"]
    }
    assert {(case.role, case.entry) for case in CASES} | ELSEWHERE.keys() == found


@pytest.mark.parametrize("case", CASES, ids=names)
def test_check_mode_writes_nothing_and_predicts_what_is_changed(stage: Stage, case: Case, writes: Writes) -> None:
    with legacy.tracked_since(stage.cluster, "2020-01-01"):
        place = stage.place(case.begin)
        before, mark = stage.state(place), stage.cluster.audit_mark()
        predicted = stage.play(case, [place], check=True)
        assert predicted.status == 0, predicted.said
        assert (writes(mark), stage.state(place)) == ([], before)
        done = stage.play(case, [place])
        assert done.status == 0, done.said
        # what comes after a step that was not taken is not known yet
        assert predicted.changes == done.changes[: case.predicted]
        assert len(done.changes) == case.changes
        assert stage.state(place) != before


@pytest.mark.parametrize("case", BARE, ids=names)
def test_check_mode_also_works_where_there_is_nothing_yet(stage: Stage, case: Case, writes: Writes) -> None:
    place, mark = stage.nowhere(), stage.cluster.audit_mark()
    predicted = stage.play(case, [place], check=True)
    assert predicted.status == 0, predicted.said
    assert writes(mark) == []
    assert not list(place.directory.iterdir())
    done = stage.play(case, [place])
    assert done.status == 0, done.said
    assert predicted.changes == done.changes
    assert len(done.changes) == case.changes
    assert stage.play(case, [place]).changes == []


def after_all(tasks: Sequence[str]) -> list[int]:
    """The numbers of all results."""
    return list(range(1, len(tasks) + 1))


@pytest.mark.parametrize("points", [after_changes, pytest.param(after_all, marks=pytest.mark.slow)])
@pytest.mark.parametrize("case", CASES, ids=names)
def test_whenever_a_role_is_killed_the_next_run_gets_to_the_same_end(
    stage: Stage, case: Case, points: Callable[[Sequence[str]], list[int]]
) -> None:
    with legacy.tracked_since(stage.cluster, "2020-01-01"):
        calm = stage.place(case.begin)
        undisturbed = stage.play(case, [calm])
        assert undisturbed.status == 0, undisturbed.said
        expected = stage.state(calm)
        deaths = points(undisturbed.tasks)
        assert len(after_changes(undisturbed.tasks)) == case.changes, undisturbed.tasks

        places = [stage.place(case.begin) for _death in deaths]
        with ThreadPoolExecutor(2) as pool:
            dying = pool.map(lambda place, death: stage.play(case, [place], death), places, deaths)
        for death, killed in zip(deaths, dying, strict=True):
            assert killed.status == -signal.SIGKILL, killed.said
            assert killed.tasks == undisturbed.tasks[:death]

        mended = stage.play(case, places)
        assert mended.status == 0, mended.said
        for death, place in zip(deaths, places, strict=True):
            assert stage.state(place) == expected, f"killed after {undisturbed.tasks[death - 1]}"
        again = stage.play(case, [calm, *places])
        assert (again.status, again.changes) == (0, []), again.said
