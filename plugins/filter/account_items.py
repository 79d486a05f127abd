# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter account_items: its logic is in module_utils/_accounts.py, its use in account_items.yml."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._accounts import KINDS, Account, Entry, Kind, items, read_accounts
from ..module_utils._errors import InputError
from ..plugin_utils._plain import plain


def account_items(value: object) -> dict[str, Any]:
    """The items of every module, or what is wrong with the list; it is checked by the modules' rules.

    The mistake is returned, not raised, because Ansible would put words of its own around it.
    """
    try:
        accounts = read_accounts(plain(value))
        _check(accounts)
    except InputError as error:
        return {"mistake": str(error), **items((), datetime.now(timezone.utc))}
    return {"mistake": "", **items(accounts, datetime.now(timezone.utc))}


def _check(accounts: tuple[Account, ...]) -> None:
    for kind in KINDS.values():
        validator = ArgumentSpecValidator({name: dict(spec) for name, spec in kind.options.items()})
        entries = [entry for account in accounts for entry in kind.entries(account)]
        kind.check_together([_checked(entry, kind, validator) for entry in entries])


def _checked(entry: Entry, kind: Kind, validator: ArgumentSpecValidator) -> Any:
    checked = validator.validate({name: value for name, value in entry.item.items() if value is not None})
    if checked.error_messages:
        raise InputError(f"{entry.place}: {' '.join(checked.error_messages[0].split())}")
    try:
        return kind.check(checked.validated_parameters)
    except InputError as error:
        raise InputError(f"{entry.place}: {error.what}", error.hint) from None


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"account_items": account_items}
