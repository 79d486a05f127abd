# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token in a real Pod is replaced under a program that goes on calling the API server: none of its calls is refused.

The program is the example app-controller, its volume is put in by the module, and the audit log tells what was called
with which token. In full the kubelet takes the time that it takes, and the calls go on until the first token is of no
use any more; a program that had kept it would then be refused. The quick form restarts the kubelet, which forgets the
token and asks for another.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cluster import example
from cluster.build import node_programs
from cluster.controlplane import Cluster
from cluster.example import Call
from cluster.kit import KitError
from cluster.observing import claims
from cluster.requirements import why_no_node
from faults.workloads import create, pods_of
from proofs.table import Ground, Line
from proofs.tokens import is_accepted, namespace_with_account

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _volume
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._projection import STANDARD, USUAL_PATH

# the shortest that there is; the kubelet replaces it when 80% are over, at most ten seconds earlier
_LIFETIME = 600
_EARLIEST, _LATEST = 470.0, 500.0
_PATIENCE, _QUICK_PATIENCE = 570.0, 90.0
# the server takes a token for up to a minute longer, for the sake of clocks, and remembers that it did
_OVER = _LIFETIME + 90.0
_PAUSE, _QUICK_PAUSE = 2.0, 0.5
# with the new token; fewer would prove little
_LEAST_CALLS = 20

_ASKED = (
    "A program in a Pod calls the API server all the time, with a token of 600 s that it reads anew for each call: "
    f"0 calls refused, and the token is another one after {_EARLIEST:.0f} to {_LATEST:.0f} s"
)
_ASKED_QUICK = "The same while the kubelet, restarted, replaces the token: 0 calls refused"


@dataclass(frozen=True)
class Seen:
    """What was seen.

    Attributes:
        first: the claims of the token at the beginning.
        calls: all of the program, in their order.
        restarts: how often it was begun anew.
        refused_after: how old the first token was when the server took it no more; None if that was not waited for.
    """

    first: dict[str, Any]
    calls: Sequence[Call]
    restarts: int
    refused_after: float | None

    @property
    def new(self) -> list[Call]:
        """The calls with another token than the first."""
        return [call for call in self.calls if call.token not in (None, self.first["jti"])]

    @property
    def changed_after(self) -> float:
        """How old the first token was when another one was used for the first time."""
        return self.new[0].at - float(self.first["iat"]) if self.new else 0.0


def prove(ground: Ground) -> list[Line]:
    """Watch a token being replaced."""
    asked = _ASKED if ground.full else _ASKED_QUICK
    reason = _why_not()
    if reason:
        return [Line(asked, f"not run: {reason}", holds=True)]
    with Cluster(ground.directory / "cluster", node=True) as cluster:
        seen = watched(cluster, full=ground.full)
    refused = [call for call in seen.calls if call.code != 200]
    misses = tuple(_misses(seen, refused, full=ground.full))
    changed = f"another token (jti) after {seen.changed_after:.1f} s" if seen.new else "no other token"
    said = f"{changed}; {len(refused)} of {len(seen.calls)} calls refused, {len(seen.new)} of them with the new one"
    if seen.refused_after is not None:
        said += f", up to when the first was refused, {seen.refused_after:.0f} s old"
    return [Line(asked, said, not misses, misses)]


def _why_not() -> str | None:
    reason = why_no_node()
    if reason is None:
        try:
            node_programs()
        except KitError as problem:
            reason = str(problem).splitlines()[0]
    return reason


def watched(cluster: Cluster, *, full: bool) -> Seen:
    """Let the program run until it has used two tokens, and in full until the first is over."""
    namespace = _running(cluster)
    token = _token(cluster, namespace)
    first = claims(token)
    if not full:
        cluster.stop("kubelet")
        cluster.start("kubelet")
    patience, pause = (_PATIENCE, _PAUSE) if full else (_QUICK_PATIENCE, _QUICK_PAUSE)
    _wait(patience, pause, lambda: claims(_token(cluster, namespace))["jti"] != first["jti"])
    if full:
        _wait(first["iat"] + _OVER - time.time(), _PAUSE, lambda: not is_accepted(cluster, token))
    refused_after = time.time() - first["iat"] if full and not is_accepted(cluster, token) else None
    _wait(_QUICK_PATIENCE, pause, lambda: len(_seen(cluster, namespace, first, None).new) >= _LEAST_CALLS)
    return _seen(cluster, namespace, first, refused_after)


def _running(cluster: Cluster) -> str:
    """The namespace in which the program runs, with its volume."""
    namespace = namespace_with_account(cluster, example.NAME)
    cluster.kubectl("create", "role", example.NAME, "-n", namespace, "--verb=list", "--resource=pods")
    account = f"--serviceaccount={namespace}:{example.NAME}"
    cluster.kubectl("create", "rolebinding", example.NAME, "-n", namespace, f"--role={example.NAME}", account)
    *others, deployment = example.manifests(cluster)
    create(cluster, namespace, *others, example.without_volume(deployment))
    sources = [{"token": {"expiration_seconds": _LIFETIME}}, *STANDARD[1:]]
    options = {"name": example.NAME, "namespace": namespace, "service_account": example.NAME, "fs_group": 65534}
    waiting = {"sources": sources, "wait": True, "kubeconfig": str(cluster.kubeconfig)}
    done = run_here(_volume.USE_CASE, {**options, **waiting}, check_mode=False, diff=False)
    if not done.get("rolled_out"):
        raise RuntimeError(f"the program does not run: {done['msg']}")
    return namespace


def _token(cluster: Cluster, namespace: str) -> str:
    (pod,) = pods_of(cluster, namespace)
    return cluster.kubectl("exec", "-n", namespace, pod["metadata"]["name"], "--", "cat", f"{USUAL_PATH}/token").stdout


def _wait(patience: float, pause: float, is_over: Callable[[], bool]) -> None:
    """Until something is over, or patience: what is then not so is seen in the calls."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline and not is_over():
        time.sleep(pause)


def _seen(cluster: Cluster, namespace: str, first: dict[str, Any], refused_after: float | None) -> Seen:
    pods = pods_of(cluster, namespace)
    restarts = sum(status["restartCount"] for pod in pods for status in pod["status"].get("containerStatuses", ()))
    uids = {pod["metadata"]["uid"] for pod in pods}
    # The Pods without the volume came before; a refused call has no Pod.
    found = [call for call in example.calls(cluster.audit_events()) if call.pod is None or call.pod in uids]
    return Seen(first, found, restarts, refused_after)


def _misses(seen: Seen, refused: Sequence[Call], *, full: bool) -> Iterator[str]:
    yield from (
        f"{count} calls were answered with {code}" for code, count in Counter(one.code for one in refused).items()
    )
    if len(seen.new) < _LEAST_CALLS:
        yield f"only {len(seen.new)} calls were made with a new token"
    if seen.restarts:
        yield f"the program was begun anew {seen.restarts} times"
    if any(call.token == seen.first["jti"] for call in seen.calls[-_LEAST_CALLS:]):
        yield "the first token was used to the end"
    if full and not _EARLIEST <= seen.changed_after <= _LATEST:
        yield f"the token was another one after {seen.changed_after:.1f} s"
    if full and seen.refused_after is None:
        yield f"the first token was taken for more than {_OVER:.0f} s"
