# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A callback plugin that lists the results of tasks in a file, and kills Ansible as soon as one of them is there.

The file is $DIES_LOG; after as many results as $DIES_AFTER says, nobody of the process group lives on.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: dies
type: aggregate
short_description: Kills Ansible after a task
description:
  - For tests of what a half-finished run leaves behind.
"""


class CallbackModule(CallbackBase):
    """Counts the results of tasks; a skipped one is none."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "dies"
    CALLBACK_NEEDS_ENABLED = True

    def __init__(self) -> None:
        super().__init__()
        self.count = 0
        self.log = Path(os.environ["DIES_LOG"])
        self.last = int(os.environ.get("DIES_AFTER", "0"))

    def v2_runner_on_ok(self, result: Any) -> None:
        """Note it, and die of it if it was the last."""
        self.count += 1
        task, changed = result._task, bool(result._result.get("changed"))
        with self.log.open("a") as log:
            log.write(f"{task.action} {'changed' if changed else 'ok'} {task.get_name()}\n")
        if self.count == self.last:
            os.killpg(os.getpgid(0), signal.SIGKILL)
