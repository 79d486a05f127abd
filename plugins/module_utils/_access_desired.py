# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be proven of one account: options in, checked entries out. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from . import _names
from ._access_entries import Entry, entries_of
from ._errors import InputError
from ._kinds import SERVICE_ACCOUNT, Ref

LIST = "accounts"

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "service_account": {"type": "str", "aliases": ["name"]},
    "namespace": {"type": "str"},
    "can": {"type": "list", "elements": "raw"},
    "cannot": {"type": "list", "elements": "raw"},
    "explain": {"type": "bool", "default": False},
    "effective_rules": {"type": "bool", "default": False},
}


@dataclass(frozen=True)
class DesiredAccess:
    """What is to be proven of one account.

    Attributes:
        ref: the account.
        table: entries, and whether each is to be allowed.
        explain: whether to say why, also where all is as expected.
        effective_rules: whether to tell all that it may do.
    """

    ref: Ref
    table: Mapping[Entry, bool]
    explain: bool
    effective_rules: bool

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> DesiredAccess:
        """Check one merged item.

        Raises:
            InputError: it cannot be right.
        """
        namespace = _names.namespace(item["namespace"])
        ref = Ref(SERVICE_ACCOUNT, namespace, _names.object_name(item["service_account"], "service_account"))
        can, cannot = (entries_of(item[option], option, namespace) for option in ("can", "cannot"))
        for entry in can:
            if entry in cannot:
                raise InputError(f"{ref.place}: {str(entry)!r} is in can and in cannot", "leave one of them out")
        table = {**dict.fromkeys(can, True), **dict.fromkeys(cannot, False)}
        return cls(ref, table, explain=item["explain"], effective_rules=item["effective_rules"])
