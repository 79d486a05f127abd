# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""M(tokenwright.kubernetes.account_items): checks a list of accounts and takes it apart, before the first request.

An action, because Ansible puts words of its own around what a filter has to say, and because what an action imports
is imported once, for all the tasks that follow.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils import _names
from ..module_utils._account_kinds import ACCOUNT, KEYS, LIST, kind, refuse_shared_places
from ..module_utils._accounts import Account, items, presets_in, read_accounts, refuse_beyond
from ..module_utils._errors import InputError
from ..module_utils._lists import parsed
from ..module_utils._selection import SELECTOR, refuse_pruning_without_selection
from ..module_utils._shape import called
from ..plugin_utils._entries import checked_entries
from ..plugin_utils._plain import plain

# what every list has is loaded here: once, in the parent of the processes that Ansible forks for the tasks
PRELOADED = (kind(ACCOUNT), kind("grants"))


class ActionModule(ActionBase):
    """The action."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset({"accounts", "set_name", "prune", "allowed_namespaces", "selected_namespaces", "presets"})

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The items, which Ansible does not show: a place's connection may hold a credential."""
        super().run(tmp, task_vars)
        args = plain(self._task.args)
        try:
            selected = args.get("selected_namespaces")
            _check_set(args.get("set_name"), args.get("prune"), selected)
            found = account_items(args.get("accounts"), _namespaces(args), args.get("presets"), selected)
        except InputError as error:
            return {"failed": True, "changed": False, "msg": str(error)}
        warnings = [f"no namespace matches {SELECTOR}, so nothing is repeated"] if selected == [] else []
        return {"changed": False, "_ansible_no_log": True, **found, **({"warnings": warnings} if warnings else {})}


def _namespaces(args: Mapping[str, Any]) -> list[str] | None:
    """The allowed namespaces; a guard that is there and empty is a mistake, and not the same as none.

    Raises:
        InputError: they are no list of names.
    """
    if "allowed_namespaces" not in args:
        return None
    option, given = "service_accounts_allowed_namespaces", args["allowed_namespaces"]
    if isinstance(given, str):
        given = given.replace(",", " ").split()
    if not isinstance(given, list):
        raise InputError(
            f"{option} is {called(given)}, not a list", "name the namespaces, or leave it out to allow all"
        )
    return [_names.namespace(name, f"{option}[{index}]") for index, name in enumerate(given)]


def account_items(
    given: object,
    namespaces: Sequence[str] | None = None,
    own_presets: object = None,
    selected: Sequence[str] | None = None,
) -> dict[str, Any]:
    """The items of every module, and the presets that the list names.

    Args:
        given: the list, or its JSON or YAML text.
        namespaces: the only ones that may be in it; None: all may.
        own_presets: further presets by their names.
        selected: the namespaces that the list is repeated in, as far as it leaves that open.

    Raises:
        InputError: something in the list cannot be right by the rules of the modules, or goes beyond the namespaces.
    """
    accounts_given = parsed(given, LIST)
    presets = _presets(presets_in(accounts_given), own_presets)
    accounts = read_accounts(accounts_given, presets, selected)
    _check(accounts)
    refuse_beyond(accounts, namespaces)
    named = {name: content for name, content in presets.items() if content is not None}
    return {**items(accounts, datetime.now(timezone.utc)), "presets": named}


def _presets(wanted: set[str], own: object) -> dict[str, Any]:
    """Those that may be named, with the content of those that are; who has one of the same name means that."""
    if own is not None and not isinstance(own, Mapping):
        raise InputError(f"service_accounts_presets is {called(own)}, not a mapping", "write NAME: {grants: ...}")
    if not wanted:
        return {}
    # files are read for those who name one, and nothing is loaded for others
    from ..plugin_utils._preset_files import shipped  # noqa: PLC0415 - see above

    others = {str(name): content or {} if str(name) in wanted else None for name, content in (own or {}).items()}
    return {**shipped(wanted - others.keys()), **others}


def _check_set(set_name: object, prune: object, selected: Sequence[str] | None) -> None:
    if not boolean(prune or False, strict=False):
        return
    refuse_pruning_without_selection(selected)
    if not set_name:
        raise InputError(
            "service_accounts_prune needs service_accounts_set", "name the set whose left-over members may be deleted"
        )


def _check(accounts: tuple[Account, ...]) -> None:
    declared = {key: _declared(accounts, key) for key in (ACCOUNT, *KEYS)}
    if declared["tokens"] or declared["legacy_tokens"]:
        refuse_shared_places(declared["tokens"], declared["legacy_tokens"])


def _declared(accounts: tuple[Account, ...], key: str) -> list[tuple[str, Any]]:
    """What the list declares under a key, each with its place."""
    entries = [entry for account in accounts for entry in account.entries(key)]
    if not entries:
        return []
    known = kind(key)
    declared = checked_entries(entries, known.options, known.check)
    known.check_together([one for dummy, one in declared])
    return [(entry.place, one) for entry, one in declared]
