# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came of a run on many clusters: one line for each. Pure.

A summary is read as it is printed: accounts, or the entries of a migration, stand in paragraphs whose first line names
them, and a line that begins with one of three marks says that something is, or would be, changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from ._redact import Secrets

OK, CHANGED, FAILED = "ok", "changed", "failed"

_MARKS = ("+ ", "~ ", "- ")
_MARK_WIDTH = len(_MARKS[0])
# what paragraphs are about, by the label of their first line
_NOUNS = {"account": "accounts", "secret": "entries"}
_LEFT, _PROVEN = "left ", "access   proven"

# what Ansible puts before a message, since 2.19
_ADDED = re.compile(r"^(?:Task failed: )?(?:The (?:filter|lookup) plugin '[\w.]+' failed: )?")

# a line is to be read at a glance; the whole sentence stands where the task failed
_LONGEST = 240


@dataclass(frozen=True)
class Cluster:
    """What is known of one.

    Attributes:
        name: as in the inventory.
        failure: a sentence; empty if nothing failed.
        summary: the lines that were printed; none if it did not come to that.
    """

    name: str
    failure: str
    summary: Sequence[str]


def failure_sentence(task: str, result: Mapping[str, Any]) -> str:
    """The task and what it said, in one line without secrets; of a result that Ansible keeps back, only that it does.

    Args:
        task: its name.
        result: its result; of a loop, the first failure counts.
    """
    failed = [one for one in result.get("results") or () if isinstance(one, Mapping) and one.get("failed")]
    said = (failed[0] if failed else result).get("msg")
    text = _ADDED.sub("", " ".join(str(said or "").split()))
    return Secrets().scrub(f"{task}: {text or 'failed, and Ansible does not show its result'}")


def report(clusters: Sequence[Cluster], *, check_mode: bool) -> dict[str, list[Any]]:
    """The lines to print, and for programs the same facts of each cluster."""
    rows = [_row(cluster, check_mode=check_mode) for cluster in clusters]
    width = max((len(row["cluster"]) for row in rows), default=0)
    lines = [f"{row['cluster']:{width}}  {_word(row['status']):7}  {_cut(row['message'])}" for row in rows]
    return {"lines": [*lines, *_total(rows)], "clusters": rows}


def _row(cluster: Cluster, *, check_mode: bool) -> dict[str, str]:
    if cluster.failure or not cluster.summary:
        said = cluster.failure or "the run ended before it came to this cluster"
        return {"cluster": cluster.name, "status": FAILED, "message": said}
    changes = [*_changes(cluster.summary, check_mode=check_mode)]
    said = ", ".join([*(changes or [_unchanged(cluster.summary)]), *_proofs(cluster.summary)])
    return {"cluster": cluster.name, "status": CHANGED if changes else OK, "message": said}


def _changes(summary: Sequence[str], *, check_mode: bool) -> Iterator[str]:
    found = [*_paragraphs(summary)]
    for label, noun in _NOUNS.items():
        told = [part for part in found if _is_about(part[0], label)]
        if changed := sum(any(line.startswith(_MARKS) for line in part) for part in told):
            yield f"{changed} of {len(told)} {noun} {'would change' if check_mode else 'changed'}"
    if left := sum(_is_about(line, _LEFT) for line in summary):
        yield f"{left} {'would leave' if check_mode else 'left'} the set"


def _unchanged(summary: Sequence[str]) -> str:
    """The last line of a summary sums up: nothing changed, or the list is empty; that of a migration does not."""
    return (
        "nothing to do at this time"
        if any(_is_about(part[0], "secret") for part in _paragraphs(summary))
        else summary[-1]
    )


def _proofs(summary: Sequence[str]) -> Iterator[str]:
    if proven := sum(_is_about(line, _PROVEN) for line in summary):
        yield f"{proven} {'account' if proven == 1 else 'accounts'} proven"


def _paragraphs(summary: Sequence[str]) -> Iterator[list[str]]:
    return (list(lines) for is_text, lines in groupby(summary, key=bool) if is_text)


def _is_about(line: str, label: str) -> bool:
    return line[_MARK_WIDTH:].startswith(label)


def _word(status: str) -> str:
    """What failed is to be found at a glance."""
    return status.upper() if status == FAILED else status


def _total(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if len(rows) > 1:
        counted = [(sum(row["status"] == status for row in rows), status) for status in (OK, CHANGED, FAILED)]
        yield f"{len(rows)} clusters: " + ", ".join(f"{count} {_word(status)}" for count, status in counted if count)


def _cut(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST].rpartition(' ')[0] or text[:_LONGEST]} ..."
