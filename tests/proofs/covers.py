# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether our comparison of rules is Kubernetes' own: k8s.io/component-helpers' Covers, compiled from the kit's pins.

Verdict and remainder (what exactly is not covered) have to agree for every generated pair.
"""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.build import program_of
from differential.rules import Rule, Rules, atoms
from proofs.table import Ground, Line

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rbac import as_rules, uncovered

_SEED = 20261122
_PAIRS, _QUICK_PAIRS = 50_000, 5_000
# of each verdict; fewer would prove little
_LEAST_SHARE = 0.15
_SHOWN = 5

_SOURCE = Path(__file__).resolve().parents[1] / "differential" / "covers.go"


@dataclass(frozen=True)
class Pair:
    """Two lists of rules, one of which may cover the other."""

    owner: list[Rule]
    candidate: list[Rule]


@dataclass(frozen=True)
class Answer:
    """Whether the candidate is covered, and what of it is not."""

    covers: bool
    uncovered: list[Rule]


def prove(ground: Ground) -> list[Line]:
    """Ask both about the same pairs."""
    asked = list(pairs(_SEED, _PAIRS if ground.full else _QUICK_PAIRS))
    theirs = kubernetes_says(asked)
    misses = [miss for pair, answer in zip(asked, theirs, strict=True) for miss in disagreement(pair, answer)]
    verdicts = Counter(verdict(pair, answer) for pair, answer in zip(asked, theirs, strict=True))
    shares = ", ".join(f"{count / len(asked):.0%} {name}" for name, count in verdicts.most_common())
    few = [f"too few pairs are {name}" for name in _VERDICTS if verdicts[name] < _LEAST_SHARE * len(asked)]
    return [
        Line(
            "Rules are compared as k8s.io/component-helpers does (Covers), at least 2000 generated pairs: verdict and "
            "remainder agree",
            f"{len(asked)} pairs (seed {_SEED}; {shares}): {len(misses)} disagreements",
            holds=not misses and not few,
            misses=(*few, *misses[:_SHOWN]),
        )
    ]


_VERDICTS = ("covered", "covered in part", "not covered")


def verdict(pair: Pair, answer: Answer) -> str:
    """How much of the candidate is covered."""
    if answer.covers:
        return "covered"
    return "not covered" if atoms(answer.uncovered) == atoms(pair.candidate) else "covered in part"


def pairs(seed: int, count: int) -> Iterable[Pair]:
    """Pairs by chance: what has nothing to do with each other, or a part and its whole, with and without more."""
    made = Rules(seed)
    for dummy in range(count):
        owner = made.rules()
        way = made.chance.random()
        if way < 0.25:
            yield Pair(owner, made.rules())
        elif way < 0.75:
            yield Pair(owner, made.part_of(owner))
        elif way < 0.9:
            yield Pair(owner, [*made.part_of(owner), *made.rules(1)])
        else:
            yield Pair(made.part_of(owner), owner)


def kubernetes_says(asked: Sequence[Pair]) -> list[Answer]:
    """The answers of Kubernetes' comparator."""
    lines = "\n".join(json.dumps(vars(pair)) for pair in asked)
    done = subprocess.run([program_of(_SOURCE)], input=lines, capture_output=True, text=True, check=True, timeout=120)
    return [Answer(**json.loads(line)) for line in done.stdout.splitlines()]


def disagreement(pair: Pair, theirs: Answer) -> list[str]:
    """What is wrong with our answer."""
    ours = as_rules(uncovered(pair.owner, pair.candidate))
    if (not ours) == theirs.covers and atoms(ours) == atoms(theirs.uncovered):
        return []
    differing = sorted(atoms(ours) ^ atoms(theirs.uncovered))
    return [f"{json.dumps(vars(pair))}: we and they differ in {differing[:_SHOWN]}"]
