# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What keeps a file from being replaced: real mounts, real attributes, and what the kernel says of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from tools.checkout import ROOT

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import FileError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._files import Permissions, PrivateFile, Sidecar
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._obstacles import (
    check_replaceable,
    may_own_all,
    mount_id,
)

PRIVATE = Permissions(0o600)
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and set attributes")

# what becomes of an attempt to write, and of one that does not look first
ATTEMPT = f"""
import sys
sys.path.insert(0, {str(ROOT / ".cache" / "collections")!r})
import json, os
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import FileError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._files import *

def attempt(path):
    try:
        with PrivateFile(path, Permissions(0o600)) as file:
            file.commit("new")
    except FileError as error:
        return [error.code, str(error)]
    return ["written", ""]

def rename(path):
    open(path + ".new", "w").close()
    try:
        os.rename(path + ".new", path)
    except OSError as error:
        return error.strerror

print(json.dumps([attempt(sys.argv[1]), rename(sys.argv[1])]))
"""


@pytest.fixture
def path(tmp_path: Path) -> str:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory" / "token").write_text("old")
    return str(tmp_path / "directory" / "token")


def after(commands: str, path: str, beside: str | None = None) -> Any:
    """What becomes of the attempts on a path after these commands, run beside it in a mount namespace of their own."""
    script = f'set -e; {commands}\nexec "$0" -c "$1" "$2"'
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, sys.executable, ATTEMPT, path],
        cwd=Path(beside or path).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this machine does not let us mount anything")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


MOUNTS = {
    "itself": "mount --bind token token",
    "another file": "touch other; mount --bind other token",
    "in a mounted directory": "mount -t tmpfs tmpfs .; cd ../directory; touch token; mount --bind token token",
}


@needs_root
@pytest.mark.parametrize("commands", MOUNTS.values(), ids=MOUNTS)
def test_a_mount_point_is_found_out_about_before_there_is_content(path: str, commands: str) -> None:
    (code, message), renamed = after(commands, path)
    assert renamed == "Device or resource busy", "else it would be no obstacle"
    assert code == "mount_point"
    assert message == (
        f"{path} is a mount point of its own and can be neither replaced nor removed: mount its directory instead"
    )


FINE = {
    "no mount": (":", "token"),
    "its directory": ("mount -t tmpfs tmpfs .", "token"),
    "a link to its directory": ("ln -s directory ../link; mount -t tmpfs tmpfs .", "../link/token"),
    "a mount that another hides": ("mount --bind token token; mount -t tmpfs tmpfs .", "token"),
}


@needs_root
@pytest.mark.parametrize(("commands", "name"), FINE.values(), ids=FINE)
def test_what_is_mounted_elsewhere_is_in_nobodys_way(path: str, commands: str, name: str) -> None:
    assert after(commands, os.path.normpath(os.path.join(os.path.dirname(path), name)), path)[0] == ["written", ""]


@contextmanager
def with_attribute(letter: str, path: str | Path) -> Iterator[None]:
    done = subprocess.run(["chattr", f"+{letter}", str(path)], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("this file system has no such attributes")
    try:
        yield
    finally:
        subprocess.run(["chattr", f"-{letter}", str(path)], check=True)


def writing(path: str) -> None:
    with PrivateFile(path, PRIVATE) as file:
        file.commit("new")


def locking(path: str) -> None:
    with Sidecar(path).locked():
        pass


ATTRIBUTES = [
    ("i", "file", check_replaceable),
    ("a", "file", check_replaceable),
    ("i", "directory", check_replaceable),
    ("a", "directory", check_replaceable),
    ("i", "file", writing),
    ("a", "directory", writing),
    # there would be no lock
    ("i", "directory", locking),
]


@needs_root
@pytest.mark.parametrize(("letter", "what", "attempt"), ATTRIBUTES)
def test_an_attribute_is_found_out_about_before_there_is_content(
    path: str, letter: str, what: str, attempt: Callable[[str], None]
) -> None:
    place = path if what == "file" else os.path.dirname(path)
    with with_attribute(letter, place):
        before = os.listdir(os.path.dirname(path))
        with pytest.raises(PermissionError):
            os.unlink(path)
        with pytest.raises(FileError) as caught:
            attempt(path)
        assert os.listdir(os.path.dirname(path)) == before
    assert (caught.value.code, Path(path).read_text()) == ("immutable", "old")
    assert str(caught.value) == (
        f"{path} can be neither written nor removed, because {place} is immutable or append-only: "
        "take the attribute away (chattr -i -a), or choose another path"
    )


def test_what_is_not_there_or_has_no_attributes_is_in_nobodys_way(path: str, tmp_path: Path) -> None:
    for fine in (path, f"{path}.new", str(tmp_path / "missing" / "token"), "/proc/self/status", "/dev/null"):
        check_replaceable(fine)
    os.symlink("/nowhere", tmp_path / "link")
    check_replaceable(str(tmp_path / "link"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("pos:\t0\nflags:\t010000000\nmnt_id:\t29\nino:\t5\n", "29"),
        ("mnt_id: 1", "1"),
        ("pos:\t0\nflags:\t02\n", None),
        ("lock:\t1: FLOCK mnt_id:\t7\nmnt_id:\t8", "8"),
        ("mnt_id:\t-\n", None),
        ("", None),
    ],
)
def test_the_mount_of_an_open_file(text: str, found: str | None) -> None:
    assert mount_id(text) == found


@pytest.mark.parametrize(
    ("text", "may"),
    [
        ("Name:\tx\nCapPrm:\t0000000000000000\nCapEff:\t000001ffffffffff\n", True),
        ("CapEff:\t0000000000000008\nCapBnd:\t0", True),
        ("CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff", False),
        ("CapEff:\t000001fffffffff7\n", False),
        ("Name:\tx\n", True),
    ],
)
def test_whose_files_are_as_good_as_ones_own(text: str, may: bool) -> None:
    assert may_own_all(text) is may
