# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a proof comes to: lines of what was asked, what was seen, and whether that is enough."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from cluster.controlplane import Cluster


@dataclass(frozen=True)
class Line:
    """One line of the table.

    Attributes:
        asked: the promise, with its bar.
        seen: the figure of this run.
        holds: whether it is kept.
        misses: what exactly was seen where it is not, a sentence each.
    """

    asked: str
    seen: str
    holds: bool
    misses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Ground:
    """What a proof stands on.

    Attributes:
        cluster: a running control plane.
        directory: a private directory of its own.
        full: all cases of the promise; otherwise the few that a test run has time for.
    """

    cluster: Cluster
    directory: Path
    full: bool


Proof: TypeAlias = Callable[[Ground], Sequence[Line]]


def rendered(lines: Sequence[Line]) -> str:
    """The table as Markdown, misses below it."""
    rows = [f"| {line.asked} | {line.seen} | {'yes' if line.holds else 'NO'} |" for line in lines]
    misses = [f"- {line.asked}: {miss}" for line in lines for miss in line.misses]
    table = ["| asked | seen | holds |", "|---|---|---|", *rows]
    return "\n".join([*table, *(["", *misses] if misses else [])])
