# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The checkout as Ansible wants to see it: below a directory `ansible_collections/<namespace>/<name>`.

`python tests/tools/checkout.py link` makes a link to the checkout there (playbooks, pytest and mypy follow it) and
`... stage` a copy (ansible-test resolves links and then finds itself outside of ansible_collections). Both print the
path and may be repeated at will.
"""

from __future__ import annotations

import filecmp
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
INSIDE = Path("ansible_collections/tokenwright/kubernetes")
LINK = ROOT / ".cache/collections" / INSIDE
STAGE = ROOT / ".cache/stage" / INSIDE


def link_collection() -> Path:
    """Make LINK point at the checkout; put `LINK.parents[2]` on ANSIBLE_COLLECTIONS_PATH to use it."""
    target = os.path.relpath(ROOT, LINK.parent)  # relative: the checkout may be moved
    if not (LINK.is_symlink() and LINK.readlink() == Path(target)):
        LINK.parent.mkdir(parents=True, exist_ok=True)
        LINK.unlink(missing_ok=True)
        LINK.symlink_to(target)
    return LINK


def stage_collection() -> Path:
    """Make STAGE equal to the files of the project: tracked ones and new ones, ignored ones not.

    Unchanged files are not touched, so that caches keyed on modification times stay good.
    """
    wanted = project_files()
    STAGE.mkdir(parents=True, exist_ok=True)
    for stale in _staged_files() - wanted:
        (STAGE / stale).unlink()
    for name in wanted:
        _copy_if_changed(ROOT / name, STAGE / name)
    # ansible-test lists files by the next .git above it, and that of the checkout ignores .cache.
    if not (STAGE / ".git").exists():
        subprocess.run(["git", "init", "--quiet", STAGE], check=True)
    return STAGE


def project_files() -> set[Path]:
    """The files of the project, relative to its root. Raises SystemExit where git cannot tell them."""
    # safe.directory: CI may run as somebody else than who cloned, and listing files runs nothing of the repository.
    command = ["git", "-c", "safe.directory=*", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    try:
        listing = subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout
    except (OSError, subprocess.CalledProcessError) as problem:
        sys.exit(f"git could not list the files of {ROOT}, which has to be a git checkout: {problem}")
    return {Path(name) for name in listing.split("\0") if name and (ROOT / name).is_file()}


def _staged_files() -> set[Path]:
    """What is in STAGE, by names relative to it; neither its .git nor what Python compiled there."""
    found = (path.relative_to(STAGE) for path in STAGE.rglob("*") if path.is_file() or path.is_symlink())
    return {name for name in found if name.parts[0] != ".git" and name.suffix != ".pyc"}


def _copy_if_changed(source: Path, copy: Path) -> None:
    if copy.exists() and filecmp.cmp(source, copy) and source.stat().st_mode == copy.stat().st_mode:
        return
    copy.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, copy)


if __name__ == "__main__":
    ACTIONS = {"link": link_collection, "stage": stage_collection}
    if len(sys.argv) != 2 or sys.argv[1] not in ACTIONS:
        sys.exit(f"usage: checkout.py {'|'.join(ACTIONS)}")
    print(ACTIONS[sys.argv[1]]())
