# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs the molecule scenarios of extensions/molecule and shows how long each step took: `scenarios.py [SCENARIO...]`.

Molecule itself lets a scenario pass that lacks a playbook; here each has to have taken every step. What the playbooks
say is shown if something failed. The cluster ends however molecule does.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
SCENARIOS = ROOT / "extensions/molecule"
DEFAULT = "default"
SHOWN_LINES = 200

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_EVENT = re.compile(r"^\w+ +(?P<scenario>\S+) ➜ (?P<step>\S+): (?P<what>Executing|Executed: (?P<verdict>.*))$")


@dataclass(frozen=True)
class Step:
    """One step of a scenario as it was taken: C(verdict) is molecule's, C(Successful) if all went well."""

    scenario: str
    name: str
    verdict: str
    seconds: float


def main() -> int:
    """Run the scenarios named on the command line, or all; the exit status is 0 if each took every step."""
    chosen = sys.argv[1:]
    with tempfile.TemporaryDirectory(prefix="molecule-") as directory:
        try:
            status, steps, said = run(chosen, Path(directory))
        finally:
            end_cluster(Path(directory))
    faults = missing(expected(chosen), steps) + ([f"molecule's exit status is {status}"] if status else [])
    if faults:
        print(*said[-SHOWN_LINES:], sep="\n")
    print(*table(steps), *faults, sep="\n", flush=True)
    return 1 if faults else 0


def run(chosen: Sequence[str], directory: Path) -> tuple[int, list[Step], list[str]]:
    """Run molecule: its exit status, the steps that it has taken, and all that it said."""
    which = [f"--scenario-name={name}" for name in chosen] or ["--all"]
    command = [str(BIN / "molecule"), "test", *which, "--report", "--no-command-borders"]
    variables = {**os.environ, "PATH": f"{BIN}{os.pathsep}{os.environ['PATH']}"}
    variables["MOLECULE_EPHEMERAL_DIRECTORY"] = str(directory)
    with subprocess.Popen(
        command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        try:
            steps = list(steps_of(noted(process.stdout, said)))
        except KeyboardInterrupt:
            process.terminate()
            raise
    return process.returncode, steps, said


def noted(lines: Iterable[str], said: list[str]) -> Iterator[str]:
    """The lines without colours, each as soon as it was said; all of them are kept in C(said)."""
    for line in lines:
        said.append(_COLOUR.sub("", line.rstrip("\n")))
        yield said[-1]


def steps_of(lines: Iterable[str]) -> Iterator[Step]:
    """The steps that molecule tells of, each shown and timed when it ends."""
    begun: dict[tuple[str, str], float] = {}
    for line in lines:
        event = _EVENT.match(line)
        if not event:
            continue
        key = (event["scenario"], event["step"])
        if event["verdict"] is None:
            begun[key] = time.monotonic()
        elif key in begun:
            step = Step(*key, event["verdict"], time.monotonic() - begun.pop(key))
            print(f"{step.scenario:20} {step.name:12} {step.seconds:6.1f} s  {step.verdict}", flush=True)
            yield step


def expected(chosen: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The steps of these scenarios, or of all, as their files say; those of C(default) go with each."""
    common = yaml.safe_load((SCENARIOS / "config.yml").read_text())
    found = []
    for file in sorted(SCENARIOS.glob("*/molecule.yml")):
        if not chosen or file.parent.name in {*chosen, DEFAULT}:
            settings = {**common, **(yaml.safe_load(file.read_text()) or {})}
            found += [(file.parent.name, step) for step in settings["scenario"]["test_sequence"]]
    return found


def missing(wanted: Iterable[tuple[str, str]], steps: Iterable[Step]) -> list[str]:
    """A sentence for every step that was not taken, or did not go well."""
    taken = {(step.scenario, step.name): step.verdict for step in steps}
    verdicts = {key: taken.get(key, "was not run") for key in [*wanted, *taken]}
    return [f"{' '.join(key)}: {verdict}" for key, verdict in verdicts.items() if verdict != "Successful"]


def table(steps: Sequence[Step]) -> list[str]:
    """One line for every scenario: how long it took."""
    names = dict.fromkeys(step.scenario for step in steps)
    return [
        f"{name:20} {sum(step.seconds for step in steps if step.scenario == name):19.1f} s  "
        f"{sum(step.scenario == name for step in steps)} steps"
        for name in names
    ]


def end_cluster(directory: Path) -> None:
    """End the cluster, if molecule has not done that."""
    cluster = directory / "cluster"
    if cluster.exists():
        command = [sys.executable, "tests/cluster/cluster.py", "down", "--purge", f"--dir={cluster}"]
        subprocess.run(command, cwd=ROOT, check=False)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit("interrupted")
