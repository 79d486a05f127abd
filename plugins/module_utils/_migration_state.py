# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far each entry of migrate_legacy is, by what the cluster says, and what is to be done next. Pure.

Nothing is remembered between two runs but what is in the cluster: who uses the Secret, since when it is suspended, and
on which day its token was last used. Uses are noted by the day, also those that are refused. So a token is certainly
unused from the midnight after its last use on. Source: KEP-2799.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, TypeAlias

from ._durations import instant, rfc3339
from ._lists import Item
from ._migration import (
    DELETE,
    MOVE,
    PLAN,
    SUSPEND,
    VERIFY,
    WATCH,
    Migration,
    Rules,
    has_files,
    restored,
    taken_back,
    taken_out,
    turned_round,
)
from ._token_secrets import end_of_day

Outcome: TypeAlias = Mapping[str, Any]

# what a module did for entries, by the names of their items
MOVES = ("tokens", "consumers", "volumes")
# what k8s_legacy_token did, which is known by the name of the token
LEGACY = ("suspended", "lifted", "restored", "deleted")


@dataclass(frozen=True)
class Done:
    """What has been done in this run.

    Attributes:
        moved: outcomes of the items of C(MOVES), by the entries that they belong to.
        legacy: outcomes of C(LEGACY), by what was done, then by entry.
        proofs: what is to be said of proofs that failed, by entry.
        later_proofs: the same for those that were made once more, after the token was suspended.
    """

    moved: Mapping[str, Sequence[Outcome]] = field(default_factory=dict)
    legacy: Mapping[str, Mapping[str, Outcome]] = field(default_factory=dict)
    proofs: Mapping[str, str] = field(default_factory=dict)
    later_proofs: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def gather(
        cls,
        results: Mapping[str, Outcome],
        owners: Mapping[str, Sequence[str]],
        failed_proofs: Mapping[str, Mapping[str, str]],
    ) -> Done:
        """From registered results of bulk tasks; a task that was skipped has done nothing.

        Args:
            results: by C(MOVES) and C(LEGACY).
            owners: to which entries the items of C(MOVES) belonged, in their order.
            failed_proofs: C(moved) and C(suspended).
        """
        moved: dict[str, list[Outcome]] = {}
        for name in MOVES:
            for owner, outcome in zip(owners.get(name) or (), _outcomes(results.get(name)), strict=False):
                moved.setdefault(owner, []).append(outcome)
        legacy = {
            name: {f"{one['namespace']}/{one['name']}": one for one in _outcomes(results.get(name))} for name in LEGACY
        }
        return cls(moved, legacy, failed_proofs.get("moved") or {}, failed_proofs.get("suspended") or {})

    def of(self, title: str) -> list[Outcome]:
        """All that was done for an entry."""
        return [*self.moved.get(title, ()), *(by[title] for by in self.legacy.values() if title in by)]


def _outcomes(result: Outcome | None) -> Sequence[Outcome]:
    return (result or {}).get("outcomes") or ()


@dataclass(frozen=True)
class State:
    """How far an entry is.

    Attributes:
        step: the last step that it has reached, or is in.
        said: what there is to say about that.
        is_problem: whether it cannot go on by itself.
        due: what is to be done now (C(suspend), C(delete)); empty: nothing.
        notes: what else the user should know.
    """

    step: str
    said: str
    is_problem: bool = False
    due: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Scene:
    """All that is known.

    Attributes:
        rules: how far, and how carefully.
        found: C(legacy_tokens) of k8s_sa_info.
        done: in this run.
        check_mode: whether that was only predicted.
    """

    rules: Rules
    found: Sequence[Outcome]
    done: Done
    check_mode: bool

    def rows(self, migration: Migration) -> list[Outcome]:
        """The Secrets of an entry, as they are by now: that of its name, or those k8s_legacy_token keeps under it."""
        here = [one for one in self.found if one["namespace"] == migration.namespace]
        rows = [one for one in here if one["managed_as"] == migration.secret]
        rows = rows or [one for one in here if one["name"] == migration.secret]
        for by_entry in self.done.legacy.values():
            outcome = by_entry.get(migration.title, {})
            rows = _as_changed(rows, outcome["generations"]) if "generations" in outcome else rows
        return rows


def _as_changed(rows: Sequence[Outcome], generations: Sequence[Outcome]) -> list[Outcome]:
    """The Secrets as k8s_legacy_token has left them."""
    left = {one["name"]: {key: one[key] for key in ("invalid_since", "last_used")} for one in generations}
    return [{**row, **left[row["name"]]} for row in rows if row["name"] in left]


def users_of(rows: Iterable[Outcome]) -> list[Outcome] | None:
    """The workloads that use one of the Secrets; None: nobody may know."""
    found: list[Outcome] = []
    for row in rows:
        if row["mounted_by"] is None or row["env_used_by"] is None:
            return None
        found += [*row["mounted_by"], *row["env_used_by"]]
    return found


def named(users: Iterable[Outcome]) -> str:
    """Workloads in a sentence."""
    return ", ".join(dict.fromkeys(f"{one['kind']} {one['name']}" for one in users))


def judge(migration: Migration, scene: Scene) -> State:
    """How far an entry is."""
    rows = scene.rows(migration)
    return next(_verdicts(migration, scene, rows))


def _verdicts(migration: Migration, scene: Scene, rows: Sequence[Outcome]) -> Iterator[State]:
    """What there is to say, the first of which counts: each takes for granted that there was nothing before it."""
    yield from _contradictions(migration, rows)
    if scene.rules.undo:
        yield from _back(migration, scene, rows)
    if scene.rules.until == PLAN:
        yield State(PLAN, _facts(rows))
    yield from _move(migration, scene, rows)
    yield from _proof(migration, scene, rows)
    yield from _suspension(migration, scene, rows)
    yield _quiet(scene, rows)


def _problem(step: str, said: str) -> State:
    return State(step, said, is_problem=True)


def _contradictions(migration: Migration, rows: Sequence[Outcome]) -> Iterator[State]:
    for row in rows:
        if row["managed_as"] not in (None, migration.secret):
            hint = f"name {row['managed_as']} instead"
            yield _problem(PLAN, f"Secret {row['name']} is one of the token {row['managed_as']}: {hint}")
        if row["service_account"] != migration.service_account:
            other = row["service_account"] or "of no name"
            yield _problem(PLAN, f"its token is for the account {other}: correct secret or service_account")


def _facts(rows: Sequence[Outcome]) -> str:
    """What there is to know before anything is done."""
    if not rows:
        return "there is no such Secret (any more)"
    users = users_of(rows)
    used = "which workloads use it is not known" if users is None else f"used by {named(users) or 'no workload'}"
    return f"{used}; {_last_use(rows)}"


def _last_use(rows: Sequence[Outcome]) -> str:
    days = [str(row["last_used"]) for row in rows if row["last_used"]]
    return f"last used on {max(days)}" if days else "no use of it was noted"


# The steps


def _move(migration: Migration, scene: Scene, rows: Sequence[Outcome]) -> Iterator[State]:
    outcomes = scene.done.moved.get(migration.title, ())
    failed = [str(one["msg"]) for one in outcomes if one["status"] == "failed"]
    if failed:
        yield _problem(MOVE, "; ".join(failed))
    if scene.check_mode and any(one["changed"] for one in outcomes):
        yield State(MOVE, "would be moved; what comes then is known when that is done")
    if not rows:
        yield State(DELETE, "there is no such Secret (any more)")
    if scene.rules.until == MOVE:
        yield State(MOVE, f"moved; {_facts(rows)}")


def _proof(migration: Migration, scene: Scene, rows: Sequence[Outcome]) -> Iterator[State]:
    users, title = users_of(rows), migration.title
    if users is None:
        hint = "allow the caller to list them (tokenwright-inspector)"
        yield _problem(VERIFY, f"which workloads still use the Secret is not known: {hint}")
    if users:
        hint = "move it too (volumes, or workloads of a token)"
        yield _problem(VERIFY, f"{named(users)} still uses the Secret: {hint}")
    if scene.done.proofs.get(title):
        yield _problem(VERIFY, f"the proof that its consumers work failed ({scene.done.proofs[title]})")
    if scene.done.later_proofs.get(title):
        yield _failed_later(scene, title)
    if scene.rules.until == VERIFY:
        yield State(VERIFY, f"moved, no workload uses it any more; {_last_use(rows)}")


def _failed_later(scene: Scene, title: str) -> State:
    lifted = scene.done.legacy.get("lifted", {}).get(title, {})
    what = "was lifted again" if lifted.get("status") in ("ok", "changed") else "holds: migrate_undo lifts it"
    said = f"with its token suspended, the proof that its consumers work failed ({scene.done.later_proofs[title]})"
    return _problem(SUSPEND, f"{said}; the suspension {what}")


def _suspension(migration: Migration, scene: Scene, rows: Sequence[Outcome]) -> Iterator[State]:
    """Only what is certainly unused is suspended; an outcome says what came of it."""
    outcome = scene.done.legacy.get("suspended", {}).get(migration.title, {})
    if outcome.get("status") == "failed":
        yield _problem(SUSPEND, str(outcome["msg"]))
    if all(row["invalid_since"] for row in rows):
        if scene.rules.until == SUSPEND:
            yield State(SUSPEND, f"suspended since {_suspended_on(rows)}")
        return
    certain = [row["unused_since"] for row in rows]
    if not scene.rules.unused_for:
        yield State(VERIFY, f"moved; {_last_use(rows)}", due=SUSPEND)
    if None in certain:
        hint = "allow the caller to know it (tokenwright-usage-reader), or set migrate_unused_for to 0"
        yield _problem(VERIFY, f"since when its token is unused cannot be told: {hint}")
    since = max(instant(one, "unused_since") for one in certain)
    due = since + timedelta(seconds=scene.rules.unused_for)
    if due > _now(rows):
        yield State(VERIFY, f"moved; {_last_use(rows)}: it is not suspended before {rfc3339(due)}")
    yield State(VERIFY, f"moved; {_last_use(rows)}", due=SUSPEND)


def _suspended_on(rows: Sequence[Outcome]) -> str:
    return max(str(row["invalid_since"]) for row in rows)


def _now(rows: Sequence[Outcome]) -> datetime:
    """The server's time when it was asked."""
    return max(instant(row["created_at"], "created_at") + timedelta(seconds=row["age"]) for row in rows)


def _quiet(scene: Scene, rows: Sequence[Outcome]) -> State:
    """Whether a suspended token may go."""
    day = _suspended_on(rows)
    said = f"suspended since {day}"
    tried = max((str(row["last_used"]) for row in rows if row["last_used"]), default="")
    notes = (f"somebody still tried the old token on {tried}, and was refused",) if tried > day else ()
    since, why = _quiet_since(rows)
    if since is None:
        return State(WATCH, f"{said}; {why}", is_problem=scene.rules.until == DELETE, notes=notes)
    due = since + timedelta(seconds=scene.rules.quiet_for)
    if due > _now(rows):
        return State(WATCH, f"{said}; it is not deleted before {rfc3339(due)}", notes=notes)
    if not scene.rules.goes_to(DELETE):
        return State(WATCH, f"{said} and quiet since {rfc3339(since)}: migrate_until=delete deletes it", notes=notes)
    return State(WATCH, f"{said} and quiet since {rfc3339(since)}", due=DELETE, notes=notes)


def _quiet_since(rows: Sequence[Outcome]) -> tuple[datetime | None, str]:
    """Since when nobody has used it, nor could have; None: why nobody knows."""
    ends = [end_of_day(str(row["invalid_since"])) for row in rows]
    certain = [row["unused_since"] for row in rows]
    if None in ends:
        return None, "that is no day, so that nobody knows since when"
    if None in certain:
        hint = "allow the caller to know it (tokenwright-usage-reader)"
        return None, f"since when its token is unused cannot be told: {hint}"
    used = [end_of_day(str(row["last_used"])) for row in rows if row["last_used"]]
    known = [*(instant(one, "unused_since") for one in certain), *(one for one in (*ends, *used) if one)]
    return max(known), ""


# The way back


def _back(migration: Migration, scene: Scene, rows: Sequence[Outcome]) -> Iterator[State]:
    failed = [str(one["msg"]) for one in scene.done.of(migration.title) if one["status"] == "failed"]
    if failed:
        yield _problem(PLAN, "; ".join(failed))
    if not rows:
        yield _problem(PLAN, "there is no such Secret any more, and what is deleted does not come back")
    if scene.done.proofs.get(migration.title):
        yield _problem(PLAN, f"the proof that its consumers work failed ({scene.done.proofs[migration.title]})")
    would = "would be " if scene.check_mode else ""
    yield State(PLAN, f"{would}as it was before; {_facts(rows)}")


# What is to be done


def to_do(migrations: Sequence[Migration], scene: Scene) -> dict[str, Any]:
    """The items of the modules for what is due, and what they belong to."""
    states = {one.title: judge(one, scene) for one in migrations}
    able = [one for one in migrations if not states[one.title].is_problem]
    # what only shows that an entry has not been moved yet is no reason not to
    movable = [one for one in migrations if not list(_contradictions(one, scene.rows(one)))]
    moves = _backwards(able, scene) if scene.rules.undo else _forwards(movable, scene)
    rules = scene.rules
    return {
        **{name: [item for dummy, item in moves[name]] for name in MOVES},
        "owners": {name: [title for title, dummy in moves[name]] for name in MOVES},
        "proofs": [one.about for one in able if one.verify_tasks and rules.goes_to(VERIFY) and not _waits(one, scene)],
        "suspend": [one.legacy for one in able if states[one.title].due == SUSPEND],
        "suspended": [one.about for one in able if one.verify_tasks and _was_suspended(one, scene)],
        "is_unseen": any(_is_unseen(one, scene) for one in able),
        "lift": [restored_alone(one) for one in migrations if scene.done.later_proofs.get(one.title)],
        "delete": [one.legacy for one in able if states[one.title].due == DELETE],
        "restore": [restored(one) for one in able if rules.undo and _is_to_restore(one, scene)],
        "leaving": [one.title for one in migrations if _is_leaving(one, scene)],
    }


def restored_alone(migration: Migration) -> Item:
    """Only lift the suspension."""
    return {**migration.legacy, "overlap": "36500d", "state": "present"}


def _forwards(movable: Sequence[Migration], scene: Scene) -> dict[str, list[tuple[str, Item]]]:
    if not scene.rules.goes_to(MOVE):
        return {name: [] for name in MOVES}
    return {
        "tokens": [(one.title, entry.item) for one in movable for entry in one.tokens],
        "consumers": [(one.title, entry.item) for one in movable for entry in one.consumers],
        "volumes": [(one.title, _with_force(entry.item, scene.rows(one))) for one in movable for entry in one.volumes],
    }


def _backwards(able: Sequence[Migration], scene: Scene) -> dict[str, list[tuple[str, Item]]]:
    tokens = [(one.title, taken_back(entry.item)) for one in able for entry in one.tokens]
    return {
        "tokens": [(title, item) for title, item in tokens if item],
        "consumers": [(one.title, turned_round(entry.item)) for one in able for entry in one.consumers],
        "volumes": [
            (one.title, taken_out(entry.item))
            for one in able
            for entry in one.volumes
            if not _holds(entry.item, scene.rows(one))
        ],
    }


def _with_force(volume: Item, rows: Sequence[Outcome]) -> Item:
    """What is replaced by force is the volume with this very Secret, and nothing else."""
    if volume.get("force") is not None:
        return volume
    return {**volume, "force": True} if _holds(volume, rows) else volume


def _holds(volume: Item, rows: Sequence[Outcome]) -> bool:
    """Whether a workload has one of the Secrets in the volume of that name."""
    where = (volume.get("kind") or "Deployment", volume.get("name"), volume.get("volume_name"))
    mounted = [one for row in rows for one in row["mounted_by"] or ()]
    return any((one["kind"], one["name"], one["volume"]) == where for one in mounted)


def _waits(migration: Migration, scene: Scene) -> bool:
    """Whether it is only predicted to be moved, so that there is nothing to prove yet."""
    return scene.check_mode and any(one["changed"] for one in scene.done.moved.get(migration.title, ()))


def _was_suspended(migration: Migration, scene: Scene) -> bool:
    outcome = scene.done.legacy.get("suspended", {}).get(migration.title, {})
    return bool(outcome.get("changed")) and not scene.check_mode


def _is_unseen(migration: Migration, scene: Scene) -> bool:
    outcome = scene.done.legacy.get("suspended", {}).get(migration.title, {})
    return bool(outcome.get("changed")) and outcome.get("revoked_after_seconds") is None


def _is_to_restore(migration: Migration, scene: Scene) -> bool:
    return has_files(migration) or any(row["invalid_since"] for row in scene.rows(migration))


def _is_leaving(migration: Migration, scene: Scene) -> bool:
    """Whether nothing uses the Secret any more but Pods that are about to go."""
    if scene.check_mode or not any(one["changed"] for one in scene.done.moved.get(migration.title, ())):
        return False
    users = users_of(scene.rows(migration)) or []
    return bool(users) and all(one["kind"] == "Pod" for one in users)
