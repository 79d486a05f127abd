# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `make demo` runs: accounts, grants and tokens on a real API server, proved with the kubeconfig just written.

It starts a control plane of its own. `DEMO_KUBECONFIG=path` uses that cluster instead: only namespaces called
tokenwright-demo-*, which are removed afterwards. `KEEP=1` leaves them, and the tokens, where they are.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python put this directory first, in which "demo" is this file and not the package.
    sys.path[:] = [str(Path(__file__).resolve().parent.parent), *sys.path[1:]]

    from demo.steps import main

    sys.exit(main())
