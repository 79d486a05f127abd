# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter account_summary: how to use it is in account_summary.yml."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._account_summary import Results, summary
from ..module_utils._accounts import read_accounts
from ..module_utils._errors import InputError
from ..plugin_utils._plain import plain


def account_summary(
    value: object,
    check_mode: bool = False,
    presets: Mapping[str, Any] | None = None,
    selected_namespaces: Sequence[str] | None = None,
    **results: Mapping[str, Any],
) -> list[str]:
    """The lines of the summary."""
    try:
        accounts = read_accounts(plain(value), plain(presets or {}), plain(selected_namespaces))
        return summary(accounts, Results.gather(**results), check_mode=check_mode)
    except InputError as error:
        raise AnsibleFilterError(str(error)) from None


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"account_summary": account_summary}
