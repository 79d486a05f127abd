# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Items of modules in the entries of a list, checked as the modules would check them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ..module_utils._errors import InputError
from ..module_utils._lists import Entry


def checked_entries(
    entries: Sequence[Entry], options: Mapping[str, dict[str, Any]], check: Callable[[Mapping[str, Any]], Any]
) -> list[tuple[Entry, Any]]:
    """The entries, each with what it declares.

    Args:
        entries: items of one module.
        options: its item options.
        check: takes an item with all options, returns what it declares; raises InputError if it cannot be right.

    Raises:
        InputError: one cannot be right by the rules of the module; the message says where it was written.
    """
    validator = ArgumentSpecValidator({name: dict(spec) for name, spec in options.items()})
    return [(entry, _checked(entry, validator, check)) for entry in entries]


def _checked(entry: Entry, validator: ArgumentSpecValidator, check: Callable[[Mapping[str, Any]], Any]) -> Any:
    checked = validator.validate({name: value for name, value in entry.item.items() if value is not None})
    if checked.error_messages:
        raise InputError(f"{entry.place}: {' '.join(checked.error_messages[0].split())}")
    try:
        return check(checked.validated_parameters)
    except InputError as error:
        raise InputError(f"{entry.place}: {error.what}", error.hint) from None
