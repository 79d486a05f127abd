# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""M(tokenwright.kubernetes.migration_plan): checks the list of migrate_legacy, and says of each entry what is due.

An action, because Ansible puts words of its own around what a filter has to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils._errors import InputError
from ..module_utils._migration import KINDS, WATCH, Migration, Rules, read_migrations
from ..module_utils._migration_report import failure, lines, suggestions
from ..module_utils._migration_state import Done, Scene, to_do
from ..plugin_utils._entries import checked_entries
from ..plugin_utils._plain import plain


class ActionModule(ActionBase):
    """The action."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset(
        {"migrations", "until", "undo", "unused_for", "quiet_for", "wait_timeout"}
        | {"legacy_tokens", "results", "owners", "failed_proofs"}
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The plan, which Ansible does not show: a place's connection may hold a credential."""
        super().run(tmp, task_vars)
        args = plain(self._task.args)
        try:
            rules = _rules(args)
            migrations = read_migrations(args.get("migrations"), rules)
            _check(migrations)
        except InputError as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        scene = Scene(rules, args.get("legacy_tokens") or [], _done(args), check_mode=self._task.check_mode)
        known = {"namespaces": sorted({one.namespace for one in migrations}), "unused_for": rules.unused_for}
        said = {
            "until": rules.until,
            "undo": rules.undo,
            "quiet_for": rules.quiet_for,
            "wait_timeout": rules.wait_timeout,
        }
        plan = {"changed": False, "_ansible_no_log": True, **known, **said, **to_do(migrations, scene)}
        return {**plan, "lines": lines(migrations, scene), "failure": failure(migrations, scene), **_could(args)}


def _rules(args: Mapping[str, Any]) -> Rules:
    return Rules.from_options(
        args.get("until", WATCH),
        undo=boolean(args.get("undo") or False, strict=False),
        unused_for=args.get("unused_for", "1d"),
        quiet_for=args.get("quiet_for", "7d"),
        wait=args.get("wait_timeout", "5m"),
    )


def _done(args: Mapping[str, Any]) -> Done:
    return Done.gather(args.get("results") or {}, args.get("owners") or {}, args.get("failed_proofs") or {})


def _could(args: Mapping[str, Any]) -> dict[str, list[str]]:
    return {"suggestions": suggestions(args["legacy_tokens"])} if "legacy_tokens" in args else {}


def _check(migrations: Sequence[Migration]) -> None:
    for name, kind in KINDS.items():
        entries = [entry for migration in migrations for entry in getattr(migration, name)]
        checked = checked_entries(entries, kind.options, kind.check)
        kind.check_together([declared for dummy, declared in checked])
