# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of migrate_legacy in words, and what could be moved. Pure; of a token nothing is said but whose it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from ._lists import Item
from ._migration import LIST, Migration
from ._migration_state import Outcome, Scene, State, judge, named, users_of
from ._pod_templates import CHANGEABLE
from ._token_secrets import INVALID_SINCE

with suppress(ImportError):  # Ansible itself cannot do without it, and this runs where Ansible does
    import yaml

_CHANGED, _FAILED, _SAME = "~", "!", " "

# how many entries that cannot go on a sentence names before it only counts
_NAMED = 5

_DAY = 24 * 3600

# of what this playbook suggests, so that it is told from the Secret before it
_SUFFIX = "-short"


def lines(migrations: Sequence[Migration], scene: Scene) -> list[str]:
    """For each entry what was, or would be, done and how far it is now, with an empty line between two."""
    found = [[*_of_entry(one, judge(one, scene), scene)] for one in migrations]
    said = [line for part in found for line in [*part, ""]]
    return said[:-1] or ["the list is empty"]


def _of_entry(migration: Migration, state: State, scene: Scene) -> Iterator[str]:
    yield _line(_SAME, "secret", f"{migration.title} of {migration.service_account}")
    for outcome in scene.done.of(migration.title):
        if outcome["status"] != "failed":
            yield _line(_CHANGED if outcome["changed"] else _SAME, "done", str(outcome["msg"]))
    yield from (_line(_FAILED, "note", note) for note in (*_kept_elsewhere(migration, scene), *state.notes))
    yield _line(_FAILED if state.is_problem else _SAME, state.step, state.said)


def _kept_elsewhere(migration: Migration, scene: Scene) -> list[str]:
    rows = scene.rows(migration)
    if any(row["managed_as"] for row in rows) and not scene.rules.undo:
        return ["k8s_legacy_token looks after it: a list of its own must not name it, or it makes it good again"]
    return []


def failure(migrations: Sequence[Migration], scene: Scene) -> str:
    """Which entries cannot go on and why, in one sentence; empty: all can."""
    states = [(one.title, judge(one, scene)) for one in migrations]
    wrong = [f"{title}: {state.said}" for title, state in states if state.is_problem]
    if not wrong:
        return ""
    more = f"; and {len(wrong) - _NAMED} more" if len(wrong) > _NAMED else ""
    return f"{len(wrong)} of {len(states)} cannot go on: {'; '.join(wrong[:_NAMED])}{more}"


def _line(mark: str, label: str, text: str) -> str:
    return f"{mark} {label:8} {text}"


# What could be moved


def suggestions(found: Sequence[Outcome]) -> list[str]:
    """Lines of YAML, an entry of the list for each long-lived token with what is known of it in comments."""
    tokens: dict[tuple[str, str], list[Outcome]] = {}
    for one in found:
        tokens.setdefault((one["namespace"], one["managed_as"] or one["name"]), []).append(one)
    if not tokens:
        return ["# there are no long-lived tokens", f"{LIST}: []"]
    said = [f"{LIST}:"]
    for (namespace, secret), rows in tokens.items():
        said += [f"  # {text}" for text in _known(namespace, secret, rows)]
        said.append(f"  - {_flow(_entry(namespace, secret, rows))}")
    return said


def _known(namespace: str, secret: str, rows: Sequence[Outcome]) -> Iterator[str]:
    days = [str(row["last_used"]) for row in rows if row["last_used"]]
    last = f"last used on {max(days)}" if days else "no use of it was noted"
    age = max(int(row["age"]) for row in rows) // _DAY
    yield f"{namespace}/{secret} of {rows[0]['service_account']}: {age} days old, {last}"
    users = users_of(rows)
    if users is None:
        yield "which workloads use it is not known: the caller may not list them"
    elif users:
        yield f"used by {named(users)}"
        unchangeable = [one for one in users if one["kind"] not in CHANGEABLE]
        if unchangeable:
            yield f"{named(unchangeable)} cannot be changed: its manifest has to be"
    elif days:
        yield "used by no workload: if it is in a kubeconfig or a file somewhere, add tokens with that as a place"
    suspended = [str(row["invalid_since"]) for row in rows if row["invalid_since"]]
    if suspended:
        yield f"suspended since {max(suspended)} ({INVALID_SINCE})"


def _entry(namespace: str, secret: str, rows: Sequence[Outcome]) -> Item:
    """Files become volumes where a volume holds nothing but the Secret; what is left gets a token in another Secret."""
    users = [one for one in users_of(rows) or () if one["kind"] in CHANGEABLE]
    entry: Item = {"secret": secret, "namespace": namespace, "service_account": rows[0]["service_account"]}
    volumes = [_volume(one) for one in users if one.get("mount_path")]
    others = [{"kind": one["kind"], "name": one["name"]} for one in users if not one.get("mount_path")]
    if volumes:
        entry["volumes"] = volumes
    if others:
        sinks = [{"type": "secret", "name": f"{secret}{_SUFFIX}"}]
        workloads = [dict(one) for one in dict.fromkeys(tuple(other.items()) for other in others)]
        entry["tokens"] = [{"expiration_seconds": "1d", "sinks": sinks, "workloads": workloads}]
    return entry


def _volume(user: Outcome) -> Item:
    place = {"volume_name": user["volume"], "mount_path": user["mount_path"], "containers": user["containers"]}
    return {"kind": user["kind"], "name": user["name"], **place}


def _flow(entry: Mapping[str, Any]) -> str:
    """On one line."""
    return str(yaml.safe_dump(dict(entry), default_flow_style=True, sort_keys=False, width=float("inf"))).strip()
