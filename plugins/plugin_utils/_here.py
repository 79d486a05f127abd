# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a task's code runs.

A module process costs about half a second before it does anything; the same use case inside the controller costs
milliseconds. So it runs here when that is the same thing, and the module is shipped when it is not: another
connection than local, become, async, an environment for the task, or another interpreter than the controller's.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from ansible import constants
from ansible.errors import AnsibleActionFail, AnsibleError
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils import _client
from ..module_utils._entry import UseCase, carries_secret, packed, run_here
from ._plain import plain

# imported here although others use it: once per play, in the parent of all the processes that Ansible forks
PRELOADED = (_client,)

# and then left alone: the garbage collector would walk it all again and again, and every fork copy what it touches
gc.freeze()


class SaAction(ActionBase):
    """Base of all action plugins of this collection; a subclass names its use case."""

    USE_CASE: UseCase
    TRANSFERS_FILES = False
    _supports_async = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the task here or ship it; censor the result if it carries a token."""
        task_vars = task_vars or {}
        super().run(tmp, task_vars)
        args = plain(self._task.args)
        if self._task.async_val and _asks_for_token(args):
            raise AnsibleActionFail(
                "return_token cannot be used with async: the job's file would hold the token in clear text"
            )
        result = self._run_here(args, task_vars) if self._is_here(task_vars) else self._ship(args, task_vars)
        if carries_secret(result):
            result["_ansible_no_log"] = True
            # ansible-core before 2.19 censors the items of a loop, but not the loop's own result for callbacks
            self._task.no_log = True
        return result

    def _run_here(self, args: dict[str, Any], task_vars: Mapping[str, Any]) -> dict[str, Any]:
        with _rested_heap():
            result = run_here(self.USE_CASE, args, check_mode=self._task.check_mode, diff=self._task.diff)
        if not _shows_invocation(task_vars):
            del result["invocation"]
        return result

    def _ship(self, args: dict[str, Any], task_vars: dict[str, Any]) -> dict[str, Any]:
        result: dict[str, Any] = self._execute_module(
            module_args=packed(args), task_vars=task_vars, wrap_async=self._task.async_val
        )
        return result

    def _is_here(self, task_vars: Mapping[str, Any]) -> bool:
        return (
            self._connection.transport in ("local", "ansible.builtin.local")
            and not self._play_context.become
            and not self._task.async_val
            and not any(self._task.environment or [])
            and self._interpreter(task_vars) == sys.executable
        )

    def _interpreter(self, task_vars: Mapping[str, Any]) -> str | None:
        """The Python a shipped module would run under; None when it would have to be discovered."""
        delegated = self._task.delegate_to
        hostvars = task_vars.get("ansible_delegated_vars", {}).get(delegated, {}) if delegated else task_vars
        chosen = hostvars.get("ansible_python_interpreter")
        return str(self._templar.template(chosen)) if chosen else None


@contextmanager
def _rested_heap() -> Iterator[None]:
    """Spare the garbage collector what Ansible has built before.

    It would walk hundreds of thousands of objects again and again, and a forked worker copies every page it touches.
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _shows_invocation(task_vars: Mapping[str, Any]) -> bool:
    """ansible-core 2.21 made it a setting whether results repeat their options; before, they always did."""
    try:
        return bool(constants.config.get_config_value("INJECT_INVOCATION", variables=task_vars))
    except AnsibleError:
        return True


def _asks_for_token(args: Mapping[str, Any]) -> bool:
    """Whether the task, or an item of its list, wants the token in the result."""
    return any(_wants_it(args.get(name) or []) for name in ("tokens", "legacy_tokens")) or _wants_it([args])


def _wants_it(items: object) -> bool:
    if not isinstance(items, list) or not all(isinstance(item, Mapping) for item in items):
        # Ansible also takes items as text, and makes mappings of them later
        return "return_token" in str(items)
    return any(boolean(item.get("return_token") or False, strict=False) for item in items)
