# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filters account_items and account_mistake: their logic is in module_utils/_accounts.py, their use in *.yml."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._accounts import KINDS, Account, Entry, Kind, items, read_accounts
from ..module_utils._errors import InputError
from ..plugin_utils._plain import plain


def account_items(value: object, kind: str, state: str | None = None) -> list[dict[str, Any]]:
    """The items of one module; everything in the list is checked by the modules' rules, whatever is asked for."""
    try:
        return items(_accounts(value), kind, datetime.now(timezone.utc), state)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from None


def account_mistake(value: object) -> str:
    """What is wrong with the list, in one sentence; empty if nothing is."""
    try:
        _accounts(value)
    except InputError as error:
        return str(error)
    return ""


def _accounts(value: object) -> tuple[Account, ...]:
    return _accounts_of(json.dumps(plain(value)))


@lru_cache(maxsize=1)
def _accounts_of(text: str) -> tuple[Account, ...]:
    """Remembered, because a task asks for the items of every module of one and the same list."""
    accounts = read_accounts(json.loads(text))
    _check(accounts)
    return accounts


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
        return {"account_items": account_items, "account_mistake": account_mistake}
