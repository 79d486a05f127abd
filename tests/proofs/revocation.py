# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking tokens back: how long the real server still accepts one.

The server remembers for ten seconds that it accepted a token, and it is asked all the time here, as a consumer would:
so this is the worst case. What the module says of it is held against what an independent client sees.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from cluster.controlplane import Cluster
from proofs.table import Ground, Line
from proofs.tokens import ACCOUNT, is_accepted, keep_token, namespace_with_account

_TRIALS, _QUICK_TRIALS = 20, 2
_BAR = 15.0
_PATIENCE = 60.0


@dataclass(frozen=True)
class Trial:
    """One token taken back.

    Attributes:
        seen: seconds from the beginning of the task until an independent client saw it refused.
        said: C(revoked_after_seconds).
        misses: what went wrong.
    """

    seen: float
    said: float | None
    misses: tuple[str, ...]


def prove(ground: Ground) -> list[Line]:
    """Take tokens back one after the other."""
    namespace = namespace_with_account(ground.cluster)
    count = _TRIALS if ground.full else _QUICK_TRIALS
    trials = [trial(ground.cluster, namespace, ground.directory / f"token-{number}") for number in range(count)]
    worst, said = max(one.seen for one in trials), [one.said for one in trials if one.said is not None]
    misses = [miss for one in trials for miss in one.misses]
    misses += [f"accepted for {one.seen:.1f} s" for one in trials if one.seen > _BAR]
    seen = (
        f"refused in {len(trials) - len(misses)} of {count}; worst {worst:.1f} s, as the module says {max(said):.1f} s"
    )
    asked = f"Revocation, {count} trials: the server refuses the token within {_BAR:.0f} s in all"
    return [Line(asked, seen if said else "the module proved nothing", not misses and bool(said), tuple(misses))]


def trial(cluster: Cluster, namespace: str, path: Path) -> Trial:
    """Mint, use, take back, watch."""
    options = {"service_account": ACCOUNT, "namespace": namespace, "handle": path.name, "dest": str(path)}
    keep_token(cluster, **options)
    token = path.read_text()
    if not is_accepted(cluster, token):
        return Trial(0.0, None, (f"{path.name}: the fresh token is refused",))
    started = time.monotonic()
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(_watch, cluster, token)
        result = keep_token(cluster, state="absent", **options)
        was_over = not is_accepted(cluster, token)
        seen = watching.result() - started
    misses = [] if result.get("revoked") else [f"{path.name}: {result['msg']}"]
    misses += [] if was_over else [f"{path.name}: it is still accepted when the task says that it is revoked"]
    misses += [f"{path.name} is still there"] if path.exists() else []
    return Trial(seen, result.get("revoked_after_seconds"), tuple(misses))


def _watch(cluster: Cluster, token: str) -> float:
    """When the server refused the token; later than that it is not asked any more."""
    deadline = time.monotonic() + _PATIENCE
    while time.monotonic() < deadline and is_accepted(cluster, token):
        time.sleep(0.2)
    return time.monotonic()
