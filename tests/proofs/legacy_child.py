# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs k8s_legacy_token in processes that are to be killed: a server for legacy_kills.py.

A line of standard input is the options of a run; its process begins at once. The answers are two lines: its process
id, and when it has ended, its exit status (negative: the signal that killed it).
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Mapping
from typing import Any, NoReturn

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _legacy_token
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here


def _run(options: Mapping[str, Any]) -> NoReturn:
    status = 1
    try:
        result = run_here(_legacy_token.USE_CASE, options, check_mode=False, diff=False)
        status = 2 if result.get("failed") else 0
    except Exception:  # noqa: BLE001 - a forked process must end here, whatever happens
        traceback.print_exc()
    finally:
        os._exit(status)


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


def main() -> None:
    """Fork and tell, until nobody asks any more."""
    for line in sys.stdin:
        child = os.fork()
        if not child:
            _run(json.loads(line))
        _answer(child)
        _answer(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


if __name__ == "__main__":
    main()
