# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A real Kubernetes control plane on this machine: ``python3 tests/cluster/cluster.py --help``.

It starts with nothing but a Python and its standard library: what else is needed comes from the pins in
tests/constraints.txt (into an environment of its own) and from pinned Go modules.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    if sys.version_info < (3, 10):  # noqa: UP036 - this file is what an older Python is given to run
        sys.exit("cluster.py: Python 3.10 or newer is needed, and this is " + sys.version.split()[0] + ".")
    # Python put this directory first, in which "cluster" is this file and not the package.
    sys.path[:] = [str(Path(__file__).resolve().parent.parent), *sys.path[1:]]

    from cluster.commandline import main

    sys.exit(main(sys.argv[1:]))
