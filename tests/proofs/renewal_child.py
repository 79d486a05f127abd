# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs k8s_sa_token, under whatever clock this process has: a server for renewal.py.

It is a process of its own because a clock cannot be set for half of one. First it says what o'clock it is; then, to
each line of standard input, which is a mapping of options, it answers with the results of two runs. All is JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from typing import Any

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _token
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here


def _run(options: Mapping[str, Any]) -> dict[str, Any]:
    return run_here(_token.USE_CASE, options, check_mode=False, diff=False)


def _answer(said: object) -> None:
    sys.stdout.write(f"{json.dumps(said)}\n")
    sys.stdout.flush()


def main() -> None:
    """Answer until there is nobody to ask."""
    _answer(time.time())
    for line in sys.stdin:
        options = json.loads(line)
        _answer([_run(options), _run(options)])


if __name__ == "__main__":
    main()
