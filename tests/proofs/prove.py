# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The proofs: promises whose keeping is a number, measured on a real control plane.

prove.py [--quick] [NAME ...] prints a table; the exit code is 1 if a promise is not kept.
"""

from __future__ import annotations

import argparse
import importlib
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / ".cache" / "collections")]

from cluster.controlplane import Cluster  # noqa: E402 - after the path
from proofs.table import Ground, Line, rendered  # noqa: E402 - after the path

# a module of this directory each, whose prove() is the proof
NAMES = (
    "renewal",
    "revocation",
    "kill_sweep",
    "parallel",
    "leaks",
    "consumers",
    "covers",
    "reconcile",
    "overlap",
    "append",
    "legacy_rotation",
    "legacy_kills",
    "projections",
    "rotation",
    "fleet",
)


def proved(name: str, cluster: Cluster, directory: Path, *, full: bool) -> list[Line]:
    """The lines of one proof."""
    directory.mkdir(mode=0o700)
    return list(importlib.import_module(f"proofs.{name}").prove(Ground(cluster, directory, full)))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all if none is given")
    parser.add_argument("--quick", action="store_true", help="the few cases that make test has time for")
    options = parser.parse_args()
    lines: list[Line] = []
    with tempfile.TemporaryDirectory() as scratch, Cluster(Path(scratch) / "cluster") as cluster:
        for name in options.names or NAMES:
            found = proved(name, cluster, Path(scratch) / name, full=not options.quick)
            print(rendered(found), flush=True)
            lines += found
    return 0 if all(line.holds for line in lines) else 1


if __name__ == "__main__":
    sys.exit(main())
