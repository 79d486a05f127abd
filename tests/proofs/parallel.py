# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many playbooks at once that keep one token in one place. What they did is in the audit log."""

from __future__ import annotations

import base64
import json
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.controlplane import Cluster
from proofs.at_once import AT_THE_GATE, Play, failure, run_at_once
from proofs.table import Ground, Line
from proofs.tokens import ACCOUNT, is_accepted, keep_token, lookups, mints, namespace_with_account, writes_of_secret

_PLAYS, _ROUNDS = 16, 20
_QUICK_PLAYS, _QUICK_ROUNDS = 6, 1

# more rounds than asked for, if the plays did not meet in any
_MORE_ROUNDS = 5


class Place(ABC):
    """One place that all plays of a round keep the token in; every round has a fresh one."""

    asked: str

    def __init__(self, cluster: Cluster, directory: Path, namespace: str) -> None:
        self.cluster = cluster
        self.directory = directory
        self.namespace = namespace

    @property
    @abstractmethod
    def sink(self) -> dict[str, str]:
        """It as an item of C(sinks)."""

    @abstractmethod
    def token(self) -> str:
        """What it holds."""

    @abstractmethod
    def misses(self, done: Sequence[Play], mark: int) -> list[str]:
        """What these plays, all that ran since the audit mark, should not have done."""


class FilePlace(Place):
    """A token file: its lock lets one play mint, the others find what that one wrote."""

    asked = (
        "{plays} parallel playbooks, one file sink, {rounds} round(s): exactly 1 mint per round in the audit log, "
        "all succeed, the file holds a token that TokenReview accepts"
    )

    @property
    def sink(self) -> dict[str, str]:
        """It as an item of C(sinks)."""
        return {"type": "file", "path": str(self.directory / "token")}

    def token(self) -> str:
        """What it holds."""
        return (self.directory / "token").read_text()

    def misses(self, done: Sequence[Play], mark: int) -> list[str]:
        """One mints, the others find that there is nothing left to do."""
        minted = len(mints(self.cluster, mark))
        changes = sum("changed=1 " in play.stdout for play in done)
        wrong = [] if minted == 1 else [f"{minted} tokens were minted"]
        return wrong if changes == 1 else [*wrong, f"{changes} plays say that they changed something"]


class SecretPlace(Place):
    """A Secret: there is no lock, but whoever comes second is told so, and takes what is there."""

    asked = "{plays} parallel playbooks, one Secret sink, {rounds} round(s): one valid token at the end, no lost update"

    @property
    def sink(self) -> dict[str, str]:
        """It as an item of C(sinks)."""
        return {"type": "secret", "name": self.directory.name, "namespace": self.namespace}

    def token(self) -> str:
        """What it holds."""
        arguments = ("get", "secret", self.directory.name, "-n", self.namespace, "-o", "json")
        data = json.loads(self.cluster.kubectl(*arguments).stdout)["data"]
        return base64.b64decode(data["token"]).decode()

    def misses(self, done: Sequence[Play], mark: int) -> list[str]:
        """Several may mint, but one writes: a second write would be over what the first is sure to have stored."""
        written = len(writes_of_secret(self.cluster, mark, self.directory.name))
        return [] if written == 1 else [f"{len(done)} plays wrote the Secret {written} times"]


PLACES: tuple[type[Place], ...] = (FilePlace, SecretPlace)


@dataclass
class Tally:
    """What was seen so far."""

    mints: list[int] = field(default_factory=list)
    rivals: list[int] = field(default_factory=list)
    misses: list[str] = field(default_factory=list)


def prove(ground: Ground) -> list[Line]:
    """Let playbooks race for each kind of place."""
    namespace = namespace_with_account(ground.cluster)
    return [_proved(ground, place, namespace) for place in PLACES]


def _proved(ground: Ground, kind: type[Place], namespace: str) -> Line:
    plays, rounds = (_PLAYS, _ROUNDS) if ground.full else (_QUICK_PLAYS, _QUICK_ROUNDS)
    tally = Tally()
    for number in range(rounds + _MORE_ROUNDS):
        if number >= rounds and any(tally.rivals):
            break
        directory = ground.directory / f"{kind.__name__.lower()}-{number}"
        directory.mkdir(mode=0o700)
        race(kind(ground.cluster, directory, namespace), plays, tally)
    if not any(tally.rivals):
        tally.misses.append("the plays never met: nothing was proved")
    seen = (
        f"mints per round: {_spread(tally.mints)}; other plays under way by then: {_spread(tally.rivals)}; "
        f"{len(tally.misses)} misses"
    )
    asked = kind.asked.format(plays=plays, rounds=rounds)
    return Line(asked, seen, holds=not tally.misses, misses=tuple(tally.misses))


def _spread(numbers: Sequence[int]) -> str:
    low, high = min(numbers), max(numbers)
    return str(low) if low == high else f"{low} to {high}"


def race(place: Place, plays: int, tally: Tally) -> None:
    """One round."""
    mark = place.cluster.audit_mark()
    done = run_at_once(place.cluster, place.directory, [[_task(place)]] * plays)
    minted = mints(place.cluster, mark)
    tally.mints.append(len(minted))
    tally.rivals.append(_rivals(minted, lookups(place.cluster, mark)))
    failures = [failure(play) for play in done if play.returncode]
    wrong = [*failures, *place.misses(done, mark), *_wrong_in_the_end(place)]
    tally.misses += [f"{place.directory.name}: {what}" for what in wrong]


def _wrong_in_the_end(place: Place) -> list[str]:
    """What is there must be good for the server, and for the next run."""
    again = keep_token(place.cluster, service_account=ACCOUNT, namespace=place.namespace, sinks=[place.sink])
    wrong = [f"the next run says: {again['msg']}"] if again.get("failed") or again["changed"] else []
    return wrong if is_accepted(place.cluster, place.token()) else [*wrong, "the server refuses what is there"]


def _rivals(minted: Sequence[dict[str, Any]], looked_up: Sequence[dict[str, Any]]) -> int:
    """How many other plays had begun their task by the time the first token was there."""
    there = min((event["stageTimestamp"] for event in minted), default="")
    begun = [event for event in looked_up if event["requestReceivedTimestamp"] < there]
    return max(0, len(begun) - 1)


def _task(place: Place) -> dict[str, Any]:
    return {
        "tokenwright.kubernetes.k8s_sa_token": {
            "service_account": ACCOUNT,
            "namespace": place.namespace,
            "sinks": [place.sink],
        },
        # as a condition of the task, in the very process that then does it
        "when": AT_THE_GATE,
    }
