# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs behind `make`, run on checkouts and with Pythons made for the purpose."""

from __future__ import annotations

import configparser
import contextlib
import fcntl
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tools import legs, sanity, scenarios
from tools.checkout import ROOT

CHECKOUT = Path("tests/tools/checkout.py")
FIND_PYTHON = ROOT / "tests/tools/find_python.sh"


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout of its own, with two files that git knows, one that it ignores and one that is new."""
    (tmp_path / CHECKOUT).parent.mkdir(parents=True)
    shutil.copy(ROOT / CHECKOUT, tmp_path / CHECKOUT)
    for name, text in {".gitignore": ".cache/\nsecret\n", "galaxy.yml": "", "secret": "", "plugins/new.py": ""}.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    subprocess.run(["git", "-C", tmp_path, "add", "galaxy.yml", CHECKOUT], check=True)
    return tmp_path


def test_the_copy_follows_the_checkout(checkout: Path) -> None:
    stage = _run_checkout(checkout, "stage")
    assert _files(stage) == {".gitignore", "galaxy.yml", "plugins/new.py", str(CHECKOUT)}
    untouched = (stage / "plugins/new.py").stat().st_ctime_ns
    (checkout / "galaxy.yml").unlink()
    (checkout / ".gitignore").write_text(".cache/\n")
    assert _run_checkout(checkout, "stage") == stage
    assert _files(stage) == {".gitignore", "plugins/new.py", "secret", str(CHECKOUT)}
    assert (stage / ".gitignore").read_text() == ".cache/\n"
    assert (stage / "plugins/new.py").stat().st_ctime_ns == untouched


def test_the_link_leads_to_the_checkout_and_is_mended(checkout: Path) -> None:
    link = _run_checkout(checkout, "link")
    assert link.resolve() == checkout
    assert link.parts[-3:] == ("ansible_collections", "tokenwright", "kubernetes")
    link.unlink()
    link.symlink_to("elsewhere")
    assert _run_checkout(checkout, "link").resolve() == checkout


def test_outside_of_git_the_copy_is_refused_with_a_sentence(checkout: Path) -> None:
    shutil.rmtree(checkout / ".git")
    result = _run([sys.executable, str(checkout / CHECKOUT), "stage"], GIT_CEILING_DIRECTORIES=str(checkout.parent))
    assert result.returncode == 1
    assert "which has to be a git checkout" in result.stderr
    assert "Traceback" not in result.stderr


WORKS = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
FAILS = "#!/bin/sh\necho 'python: command not found' >&2\nexit 127\n"
HAS_NO_VENV = f'#!/bin/sh\ncase "$2" in *ensurepip*) exit 1;; esac\nexec {sys.executable} "$@"\n'


@pytest.mark.parametrize(
    ("pythons", "chosen"),
    [
        pytest.param({"python3.13": WORKS, "python3.11": WORKS}, "python3.13", id="the newest"),
        pytest.param({"python3.13": FAILS, "python3.11": WORKS, "python3": WORKS}, "python3.11", id="one that runs"),
        pytest.param({"python3.11": HAS_NO_VENV, "python3": WORKS}, "python3", id="one with venv"),
    ],
)
def test_a_python_is_chosen_that_can_make_the_environment(
    pythons: dict[str, str], chosen: str, path_with: Callable[[dict[str, str]], Path]
) -> None:
    path = path_with(pythons)
    result = _find_python(path)
    assert (result.returncode, result.stdout.strip()) == (0, str(path / chosen))


@pytest.mark.parametrize(
    ("pythons", "argument", "sentence"),
    [
        pytest.param({}, "", "No Python 3.10 or newer on PATH: install one", id="none"),
        pytest.param({"python3": HAS_NO_VENV}, "", "python3 cannot make virtual environments: install", id="no venv"),
        pytest.param({"python3": WORKS}, "python9", "python9 is not a Python 3.10 or newer that runs", id="named"),
    ],
)
def test_without_such_a_python_one_sentence_says_what_to_do(
    pythons: dict[str, str], argument: str, sentence: str, path_with: Callable[[dict[str, str]], Path]
) -> None:
    result = _find_python(path_with(pythons), argument)
    assert (result.returncode, result.stdout) == (1, "")
    assert result.stderr.startswith(sentence)
    assert result.stderr.count("\n") == 1


@pytest.fixture
def path_with(tmp_path: Path) -> Callable[[dict[str, str]], Path]:
    """A function that makes a directory of programs from their texts."""

    def make(programs: dict[str, str]) -> Path:
        for name, text in programs.items():
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o755)
        return tmp_path

    return make


def test_the_sanity_tests_get_the_pip_settings_of_the_environment() -> None:
    environment = {"PIP_INDEX_URL": "https://pypi.example/simple", "PIP_CONFIG_FILE": "x", "https_proxy": "http://p:1"}
    settings = configparser.RawConfigParser()
    settings.read_string(sanity.pip_settings({**environment, "OTHER": "y"}))
    wanted = {"quiet": "1", "index-url": "https://pypi.example/simple", "proxy": "http://p:1"}
    assert dict(settings["global"]) == wanted


def test_a_leg_fails_when_its_program_does() -> None:
    assert legs.run(legs.Leg("passes", ("python", "-c", ""))).passed
    failed = legs.run(legs.Leg("fails", ("python", "-c", "raise SystemExit(3)")))
    assert (failed.passed, failed.verdict) == (False, "FAILED with exit status 3")


def test_a_leg_that_this_python_is_too_old_for_is_skipped_with_the_reason_and_counted() -> None:
    here = ".".join(str(number) for number in sys.version_info[:2])
    skipped = legs.run(legs.Leg("new", ("python", "-c", "raise SystemExit(3)"), since=(4, 1)))
    assert (skipped.passed, skipped.verdict) == (True, f"skipped: new needs Python 4.1, this is {here}")
    assert legs.table([skipped])[-1] == "skipped legs: 1"
    assert len(legs.table([legs.Result("old", "ok", 1)])) == 1


def test_a_leg_that_hangs_is_ended_with_all_its_children(tmp_path: Path) -> None:
    locked = tmp_path / "locked"
    child = f"import fcntl, time; file = open({str(locked)!r}, 'w'); fcntl.flock(file, fcntl.LOCK_EX); time.sleep(600)"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    result = legs.run(legs.Leg("hangs", ("python", "-c", parent), minutes=0.03))
    assert result.verdict == "FAILED: still running after 0.03 minutes"
    assert _is_released(locked, time.monotonic() + 10)


SAID = """\
INFO     some ➜ prepare: Executing
TASK [Make something] ***
INFO     some ➜ prepare: Executed: Successful
INFO     some ➜ converge: Executing
WARNING  some ➜ converge: Executed: Missing playbook (Remove from test_sequence to suppress)
some ➜ prepare: Executed: Successful
"""


def test_a_scenario_that_left_out_a_step_has_not_passed() -> None:
    steps = list(scenarios.steps_of(SAID.splitlines()))
    assert [(step.scenario, step.name) for step in steps] == [("some", "prepare"), ("some", "converge")]
    assert scenarios.missing([("some", "prepare"), ("some", "converge"), ("some", "verify")], steps) == [
        "some converge: Missing playbook (Remove from test_sequence to suppress)",
        "some verify: was not run",
    ]


def _is_released(locked: Path, deadline: float) -> bool:
    """Whether nobody holds the lock any more, by the deadline: what was killed takes a moment to be gone."""
    with locked.open() as file:
        while time.monotonic() < deadline:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return True
            time.sleep(0.05)
    return False


def _run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"]} | environment
    return subprocess.run(command, env=environment, check=False, capture_output=True, text=True)


def _run_checkout(checkout: Path, action: str) -> Path:
    result = _run([sys.executable, str(checkout / CHECKOUT), action])
    assert result.returncode == 0, result.stderr
    return Path(result.stdout.strip())


def _files(folder: Path) -> set[str]:
    names = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(name) for name in names if name.parts[0] != ".git"}


def _find_python(path: Path, argument: str = "") -> subprocess.CompletedProcess[str]:
    return _run(["/bin/sh", str(FIND_PYTHON), argument], PATH=str(path))
