# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The renewal table: which stored tokens are kept and which are renewed, under clocks that are right and wrong.

Tokens are aged by signing other times with the cluster's own key, so it is the real server that takes or refuses them,
and its clock that counts; the wrong clock is the module's, by libfaketime.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jwt
from cluster.controlplane import Cluster
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from proofs.renewal_cases import EARLY, SKEWS, YEAR, Case, capped_cases, cases
from proofs.table import Ground, Line
from proofs.tokens import (
    ACCOUNT,
    has_minted,
    is_accepted,
    keep_token,
    mints,
    namespace_with_account,
    python_environment,
)

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import sha256
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._durations import rfc3339
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._lifetime import Record

_ASKED = (
    "Renewal table (TTL x age x clock x capped x account or handle recreated x signing key rotated), "
    "at least {least} cases: 0 early, 0 missed"
)
_ASKED_SKEW = "The same under a clock that is 10 minutes off, either way"
_BAR, _QUICK_BAR = 60, 20

_CAP = "--service-account-max-token-expiration=1h"
_RECREATED = "recreated"

# Seconds: what a process may be off the clock it was given (starting it takes time), and how long a case may take
# before a token falls due that is to be kept.
_CLOCK_TOLERANCE = 120
_CASE_SECONDS = EARLY - 5


@dataclass
class Tally:
    """What was seen so far."""

    cases: int = 0
    kept: int = 0
    early: int = 0
    missed: int = 0
    misses: list[str] = field(default_factory=list)


def prove(ground: Ground) -> list[Line]:
    """Work through the table under every clock."""
    skews = SKEWS if shutil.which("faketime") else (0,)
    tally = Tally()
    _work_through(ground.cluster, ground.directory, cases(full=ground.full), skews, tally)
    if ground.full:
        with Cluster(ground.directory / "capped", [_CAP]) as capped:
            _work_through(capped, ground.directory, capped_cases(), skews, tally)
    return [_line(tally, _BAR if ground.full else _QUICK_BAR), *_unfaked(skews)]


def _line(tally: Tally, least: int) -> Line:
    seen = f"{tally.cases} cases, {tally.kept} kept: {tally.early} early, {tally.missed} missed"
    few = [f"only {tally.cases} cases"] if tally.cases < least else []
    misses = (*few, *tally.misses)
    return Line(_ASKED.format(least=least), seen, holds=not misses, misses=misses)


def _unfaked(skews: Sequence[int]) -> list[Line]:
    if len(skews) == len(SKEWS):
        return []
    return [Line(_ASKED_SKEW, "not run: faketime is missing (apt-get install faketime)", holds=True)]


def _work_through(cluster: Cluster, directory: Path, table: Sequence[Case], skews: Sequence[int], tally: Tally) -> None:
    mint = Mint(cluster)
    place = directory / f"place-{mint.namespace}"
    place.mkdir(mode=0o700)
    for skew in skews:
        with runner(skew) as running:
            _Sweep(cluster, mint, place, tally).run(running, table)


@dataclass(frozen=True)
class Stored:
    """A token for a case, and what goes with it.

    Attributes:
        token: the token.
        record: what the module would remember of it.
        options: what the module is to be asked for, so that it would have minted this one.
    """

    token: str
    record: dict[str, Any]
    options: dict[str, Any]


class Mint:
    """Makes tokens of any age as the server would have made them."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._key = cluster.signing_key.read_text()
        self._foreign_key = _new_key()
        self.namespace = namespace_with_account(cluster, ACCOUNT, _RECREATED)
        self._plain = self._model()
        self._of_recreated_account = self._model(service_account=_RECREATED)
        for verb in ("delete", "create"):
            cluster.kubectl(verb, "serviceaccount", _RECREATED, "-n", self.namespace)
        self._of_recreated_handle = self._model(handle=_RECREATED)
        self._recreate_secret(f"{_RECREATED}-1")

    def stored(self, case: Case, now: int) -> Stored:
        """What lies in the place in this case."""
        model, options = self._model_for(case)
        token = self._resigned(model, case, now)
        audiences = tuple(jwt.decode(token, options={"verify_signature": False})["aud"])
        until = rfc3339(datetime.fromtimestamp(now + case.left, tz=timezone.utc))
        record = Record(sha256(token), case.requested, (), audiences, until, options.get("handle"))
        wanted = {"service_account": ACCOUNT, **options, "namespace": self.namespace}
        asked = {"expiration_seconds": case.requested, "renew_before": case.renew_before}
        return Stored(token, record.as_dict(), {**wanted, **asked})

    def _model_for(self, case: Case) -> tuple[str, dict[str, Any]]:
        """A token of the server's own that is like the one of a case but for its times, and what it was asked for."""
        if case.kind == "recreated":
            return self._of_recreated_account, {"service_account": _RECREATED}
        if case.kind == "handle_recreated":
            return self._of_recreated_handle, {"handle": _RECREATED}
        if case.kind == "handle":
            # one of its own: a renewal leaves the handle with another generation
            options = {"handle": f"case-{uuid.uuid4().hex[:8]}"}
            return self._model(**options), options
        return self._plain, {}

    def _model(self, **options: str) -> str:
        asked = {"service_account": ACCOUNT, "namespace": self.namespace, "return_token": True, **options}
        return str(keep_token(self._cluster, **asked)["token"])

    def _recreate_secret(self, name: str) -> None:
        where = ("-n", self.namespace)
        secret = json.loads(self._cluster.kubectl("get", "secret", name, *where, "-o", "json").stdout)
        for key in ("uid", "resourceVersion", "creationTimestamp"):
            del secret["metadata"][key]
        self._cluster.kubectl("delete", "secret", name, *where)
        self._cluster.kubectl("create", "-f", "-", *where, input=json.dumps(secret))

    def _resigned(self, model: str, case: Case, now: int) -> str:
        claims = {**jwt.decode(model, options={"verify_signature": False}), **_times(case, now)}
        claims["jti"] = str(uuid.uuid4())
        if case.kind == "extended":
            claims["kubernetes.io"] = {**claims["kubernetes.io"], "warnafter": now + case.left}
        key = self._foreign_key if case.kind == "rotated_key" else self._key
        return jwt.encode(claims, key, algorithm="RS256", headers={"kid": jwt.get_unverified_header(model)["kid"]})


def _new_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def _times(case: Case, now: int) -> dict[str, int]:
    """The token's own times: those of its case, unless what it says itself is longer than what it is good for."""
    born = now + case.left - case.lifetime
    longer = {"extended": YEAR, "short_status": 2 * case.lifetime}
    return {"iat": born, "nbf": born, "exp": born + longer.get(case.kind, case.lifetime)}


class Runner:
    """A process with a clock of its own, in which the module runs."""

    def __init__(self, process: subprocess.Popen[str], skew: int) -> None:
        self._process = process
        self.skew = skew
        self.offset = float(self._answer()) - time.time()

    def run(self, options: dict[str, Any]) -> list[dict[str, Any]]:
        """The results of two runs."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(options) + "\n")
        self._process.stdin.flush()
        results: list[dict[str, Any]] = self._answer()
        return results

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError("the process that runs the module ended: see above for what it said")
        return json.loads(line)


@contextmanager
def runner(skew: int) -> Iterator[Runner]:
    """The process, for the time of the block; it ends when nobody can ask it any more."""
    command = [sys.executable, "-m", "proofs.renewal_child"]
    if skew:
        command = ["faketime", "-f", f"{skew:+d}s", *command]
    # what is waited for is not to be skewed, only what o'clock it is
    environment = {**python_environment(), "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, env=environment, text=True) as process:
        yield Runner(process, skew)


class _Sweep:
    """All cases on one cluster under one clock."""

    def __init__(self, cluster: Cluster, mint: Mint, place: Path, tally: Tally) -> None:
        self._cluster = cluster
        self._mint = mint
        self._place = place
        self._tally = tally

    def run(self, running: Runner, table: Sequence[Case]) -> None:
        """Case by case: lay the token out, run the module, judge what it did."""
        if abs(running.offset - running.skew) > _CLOCK_TOLERANCE:
            self._miss(f"all, clock {running.skew:+d} s", f"the process's clock was {running.offset:+.0f} s off")
        for case in table:
            self._work_on(running, case)

    def _work_on(self, running: Runner, case: Case) -> None:
        where = f"{case}, clock {running.skew:+d} s"
        for path in self._place.iterdir():
            path.unlink()
        now = time.time()
        stored = self._mint.stored(case, int(now))
        self._write("token", stored.token)
        if case.has_record:
            self._write(".token.tokenwright", json.dumps(stored.record))
        if is_accepted(self._cluster, stored.token) is not case.is_accepted:
            self._miss(where, f"the server should {'take' if case.is_accepted else 'refuse'} what is laid out")
        place = {"kubeconfig": str(self._cluster.kubeconfig), "dest": str(self._place / "token")}
        mark = self._cluster.audit_mark()
        results = running.run({**stored.options, **place})
        said, done = sum(map(has_minted, results)), len(mints(self._cluster, mark))
        if said != done:
            self._miss(where, f"{said} tokens were minted by the results, {done} by the audit log")
        if time.time() - now > _CASE_SECONDS:
            self._miss(where, f"two runs took over {_CASE_SECONDS} s: that cannot be judged")
        self._judge(where, case, results, stored.token)

    def _write(self, name: str, text: str) -> None:
        (self._place / name).touch(mode=0o600)
        (self._place / name).write_text(text)

    def _judge(self, where: str, case: Case, results: Sequence[dict[str, Any]], before: str) -> None:
        """Compare what was done about a token with what the table says."""
        (first, second), after = results, (self._place / "token").read_text()
        self._tally.cases += 1
        self._tally.kept += not case.is_due
        self._tally.early += (has_minted(first) and not case.is_due) + has_minted(second)
        self._tally.missed += case.is_due and not has_minted(first)
        said = first["msg"] if first.get("failed") else first["reason"]
        if said != case.expected:
            self._miss(where, f"{said} instead of {case.expected}")
        if second.get("failed") or second["reason"] != "up_to_date":
            self._miss(where, f"the next run says: {second['msg']}")
        if (before != after) is not case.is_due:
            self._miss(where, f"the token should {'be another one' if case.is_due else 'have stayed'}")
        if not is_accepted(self._cluster, after):
            self._miss(where, "in the end the server refuses what is there")

    def _miss(self, where: str, what: str) -> None:
        self._tally.misses.append(f"{where}: {what}")
