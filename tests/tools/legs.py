# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs groups of checks one after the other, all of them even if one fails: `legs.py [--slow] GROUP...`.

The scenarios and the integration tests need the cluster kit, whose first build takes minutes; it goes on in the
background, as the least urgent thing, while the other legs run. The results stand above pytest's closing line, which is
the last.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
LINK = Path(".cache/collections/ansible_collections/tokenwright/kubernetes")
KIT_MINUTES = 40


@dataclass(frozen=True)
class Leg:
    """One check.

    Attributes:
        name: what it is called.
        command: its command line, whose program is one of the environment.
        minutes: after how long it counts as hanging.
        since: the oldest Python that its program runs on; with an older one it is skipped.
    """

    name: str
    command: tuple[str, ...]
    minutes: float = 10
    since: tuple[int, int] = (3, 10)

    @property
    def why_skipped(self) -> str:
        """The reason why it cannot be run here, or nothing."""
        here, needed = sys.version_info[:2], self.since
        if here >= needed:
            return ""
        return f"{self.name} needs Python {needed[0]}.{needed[1]}, this is {here[0]}.{here[1]}"


@dataclass(frozen=True)
class Kit:
    """Something that the cluster kit builds in the background: its name and the arguments of cluster.py."""

    name: str
    arguments: tuple[str, ...]

    @property
    def log(self) -> Path:
        """What is said about it."""
        return ROOT / f".cache/{'-'.join(self.name.split())}.log"


# Without a node, the tests that need one are skipped with the reason, all others run.
CLUSTER, NODE = Kit("cluster kit", ("build",)), Kit("node of the kit", ("build", "--node"))


@dataclass(frozen=True)
class Result:
    """How a leg ended."""

    name: str
    verdict: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether the leg found nothing, be it that it was not run for a good reason."""
        return self.verdict == "ok" or self.skipped

    @property
    def skipped(self) -> bool:
        """Whether it was not run for a good reason."""
        return self.verdict.startswith("skipped: ")


CHECKS = {
    "lint": (
        Leg("ruff check", ("ruff", "check", "--quiet", ".")),
        Leg("ruff format", ("ruff", "format", "--quiet", "--diff", ".")),
        Leg("yamllint", ("yamllint", "--strict", ".")),
        Leg("ansible-lint", ("ansible-lint", "-q")),
        Leg("antsibull-changelog", ("antsibull-changelog", "lint")),
        Leg(
            "antsibull-docs",
            ("antsibull-docs", "lint-collection-docs", "--plugin-docs", "--validate-collection-refs", "all", "."),
        ),
    ),
    "types": (Leg("mypy", ("mypy", "--no-error-summary", f"{LINK}/plugins", "tests")),),
    "sanity": (Leg("ansible-test sanity", ("python", "tests/tools/sanity.py"), minutes=30),),
}
# What needs the cluster kit.
ON_CLUSTERS = {"molecule": (Leg("molecule", ("python", "tests/tools/scenarios.py"), minutes=20, since=(3, 11)),)}
TESTS = {"units": "tests/unit", "integration": "tests/integration"}


class ResultsAbovePytest:
    """A pytest plugin that shows how the legs before it ended, just above pytest's closing line."""

    def __init__(self, results: list[Result], start: float) -> None:
        self.lines = table(results)
        self.start = start

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Write the results and the total time; pytest calls this."""
        terminalreporter.section("legs")
        for line in [*self.lines, f"{'total, with pytest':32} {duration(time.time() - self.start):>12}"]:
            terminalreporter.line(line)


def main() -> int:
    """Run the groups named on the command line; the exit status is 0 if everything passed."""
    parser = argparse.ArgumentParser(description="Runs groups of checks, one after the other.")
    parser.add_argument("--slow", action="store_true", help="also the tests marked as slow")
    parser.add_argument(
        "groups", nargs="+", choices=[*CHECKS, *ON_CLUSTERS, *TESTS], metavar="GROUP", help="%(choices)s"
    )
    arguments = parser.parse_args()
    # .ci/run and make begin earlier, with packages and .venv, and say when.
    start = float(os.environ.get("STARTED", time.time()))
    groups = arguments.groups
    wanted = kits_for(groups)
    with in_the_background(wanted) as kits:
        results = [run(leg) for group in groups for leg in CHECKS.get(group, ())]
        built = {kit: wait_for(kit, process) for kit, process in kits.items()}
    results += built.values()
    tests = [TESTS[group] for group in groups if group in TESTS]
    on_clusters = [leg for group in groups for leg in ON_CLUSTERS.get(group, ())]
    if wanted and not built[CLUSTER].passed:
        tests = [path for path in tests if path != TESTS["integration"]]
        names = [leg.name for leg in on_clusters] + ["integration tests"] * ("integration" in groups)
        results += [Result(name, "NOT RUN, for want of the cluster kit", 0) for name in names]
    else:
        results += [run(leg) for leg in on_clusters]
    passed = all(result.passed for result in results)
    if not tests:
        print(*table(results), sep="\n")
        return 0 if passed else 1
    return run_pytest(tests, arguments.slow, ResultsAbovePytest(results, start)) or (0 if passed else 1)


def kits_for(groups: Iterable[str]) -> tuple[Kit, ...]:
    """What these groups need."""
    if "integration" in groups:
        return (CLUSTER, NODE)
    return (CLUSTER,) if not ON_CLUSTERS.keys().isdisjoint(groups) else ()


def run(leg: Leg) -> Result:
    """Run one leg below its heading."""
    heading(leg.name)
    if leg.why_skipped:
        print(f"skipped: {leg.why_skipped}", flush=True)
        return Result(leg.name, f"skipped: {leg.why_skipped}", 0)
    start = time.monotonic()
    process = subprocess.Popen([BIN / leg.command[0], *leg.command[1:]], cwd=ROOT, start_new_session=True)
    with ended(process):
        verdict = wait(process, leg.minutes)
    result = Result(leg.name, verdict, time.monotonic() - start)
    print(f"{verdict}, {duration(result.seconds)}", flush=True)
    return result


def run_pytest(paths: list[str], slow: bool, plugin: ResultsAbovePytest) -> int:
    """Run the tests in this process, which leaves the terminal and Ctrl-C to pytest."""
    heading(f"pytest {' '.join(paths)}")
    sys.path.pop(0)  # the directory of this file, which is no place to import from
    return int(pytest.main([*paths, *(["--slow-too"] if slow else [])], plugins=[plugin]))


@contextlib.contextmanager
def in_the_background(kits: Iterable[Kit]) -> Iterator[dict[Kit, subprocess.Popen[bytes]]]:
    """Build these as long as the block lasts; what each says goes to its log."""
    with contextlib.ExitStack() as stack:
        yield {kit: stack.enter_context(started(kit)) for kit in kits}


@contextlib.contextmanager
def started(kit: Kit) -> Iterator[subprocess.Popen[bytes]]:
    """Build this as long as the block lasts."""
    command = ["nice", "-n", "19", sys.executable, "tests/cluster/cluster.py", *kit.arguments]
    with kit.log.open("wb") as log:
        process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
    print(f"The {kit.name} is built in the background, see {kit.log.relative_to(ROOT)}", flush=True)
    with ended(process):
        yield process


def wait_for(kit: Kit, process: subprocess.Popen[bytes]) -> Result:
    """Wait for the rest of a build and show what it said, if it failed."""
    heading(f"{kit.name} (begun at the start)")
    start = time.monotonic()
    verdict = wait(process, KIT_MINUTES)
    if verdict != "ok":
        print(kit.log.read_text(errors="replace")[-10_000:])
    result = Result(f"{kit.name}, rest of the build", verdict, time.monotonic() - start)
    print(f"{verdict}, waited {duration(result.seconds)}", flush=True)
    return result


def wait(process: subprocess.Popen[bytes], minutes: float) -> str:
    """Wait for a process to end by itself and say how that went."""
    try:
        status = process.wait(minutes * 60)
    except subprocess.TimeoutExpired:
        return f"FAILED: still running after {minutes:g} minutes"
    return "ok" if status == 0 else f"FAILED with exit status {status}"


@contextlib.contextmanager
def ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """End the process with all its children when the block is left, however it is left."""
    try:
        yield
    finally:
        for last_word in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(ProcessLookupError):  # nobody is left
                os.killpg(process.pid, last_word)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(10)


def table(results: Iterable[Result]) -> list[str]:
    """One line for every leg, and one that counts those that were skipped."""
    results = list(results)
    lines = [f"{result.name:32} {duration(result.seconds):>12}  {result.verdict}" for result in results]
    skipped = sum(result.skipped for result in results)
    return lines + ([f"skipped legs: {skipped}"] if skipped else [])


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"


def heading(text: str) -> None:
    """Begin a new part of the output."""
    print(f"\n=== {text}", flush=True)


def prepare_environment() -> None:
    """Let the tools find each other, and our collection where playbooks name it."""
    os.chdir(ROOT)
    os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    os.environ["ANSIBLE_COLLECTIONS_PATH"] = str(ROOT / ".cache/collections")
    # under CI, pytest's summary would repeat whole messages, and who sees only its end would not see which test it was
    for name in ("CI", "BUILD_NUMBER"):
        os.environ.pop(name, None)


if __name__ == "__main__":
    # Like Ctrl-C, so that what runs in sessions of their own is ended too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    prepare_environment()
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
