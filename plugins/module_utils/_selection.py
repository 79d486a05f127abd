# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of accounts, with what is to be there once in every selected namespace.

An account without a namespace is repeated as a whole. Of an account with one, those elements of its lists (grants,
entries of its access, ...) are that mention C(<selected_namespace>), which stands for the namespace. Angle brackets are
in no name of Kubernetes, and mean nothing to Ansible's templates.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ._account_kinds import PRESET
from ._errors import InputError
from ._lists import elements

PLACEHOLDER = "<selected_namespace>"
# the role variable, in messages
SELECTOR = "service_accounts_namespace_selector"


def repeated(given: object, place: str, namespaces: Sequence[str] | None) -> Iterator[tuple[Any, str]]:
    """The entries of a list of accounts, each with its place in it, repeated where that is meant.

    Args:
        given: the list.
        place: what messages call it.
        namespaces: those that were selected; None: there is no selection.

    Raises:
        InputError: it is no list, or something that cannot be repeated mentions the placeholder.
    """
    if namespaces is None and PLACEHOLDER in str(given):
        raise InputError(f"{place} mentions {PLACEHOLDER}, but no namespaces are selected", f"give {SELECTOR}")
    for entry, where in elements(given, place):
        if namespaces is None or not isinstance(entry, Mapping):
            yield entry, where
        elif entry.get("namespace") in (None, "", PLACEHOLDER):
            for namespace in namespaces:
                yield {**_filled(entry, namespace), "namespace": namespace}, f"{where} in {namespace}"
        else:
            yield _of_one_namespace(entry, where, namespaces), where


def _of_one_namespace(account: Mapping[str, Any], place: str, namespaces: Sequence[str]) -> dict[str, Any]:
    """An account that is there once: what it has may be there more often."""
    preset = account.get(PRESET)
    if isinstance(preset, Mapping | str):
        # the only list that may be written as its single element
        account = {**account, PRESET: [preset]} if _mentions(preset) else account
    grown = {str(key): _grown(value, namespaces) for key, value in account.items()}
    left = next((key for key, value in grown.items() if _mentions(value)), None)
    if left is not None:
        raise InputError(
            f"{place}.{left} mentions {PLACEHOLDER}, but this account is in one namespace",
            "leave out its namespace, so that it is in all that are selected",
        )
    return grown


def _grown(content: Any, namespaces: Sequence[str]) -> Any:
    """The same with the elements of lists repeated that mention the placeholder themselves."""
    if isinstance(content, Mapping):
        return {key: _grown(value, namespaces) for key, value in content.items()}
    if not isinstance(content, list | tuple):
        return content
    return [one for element in content for one in _repetitions(element, namespaces)]


def _repetitions(element: Any, namespaces: Sequence[str]) -> list[Any]:
    if _mentions(element):
        return [_filled(element, namespace) for namespace in namespaces]
    return [_grown(element, namespaces)]


def _mentions(content: Any) -> bool:
    """Whether it does so itself: what is in a list within is an element of that."""
    if isinstance(content, Mapping):
        return any(_mentions(value) for value in content.values())
    return isinstance(content, str) and PLACEHOLDER in content


def _filled(content: Any, namespace: str) -> Any:
    if isinstance(content, str):
        return content.replace(PLACEHOLDER, namespace)
    if isinstance(content, Mapping):
        return {key: _filled(value, namespace) for key, value in content.items()}
    return [_filled(value, namespace) for value in content] if isinstance(content, list | tuple) else content


def refuse_pruning_without_selection(namespaces: Sequence[str] | None) -> None:
    """A label that no namespace has is rather a slip than the wish to delete all that was made in those that had it.

    Raises:
        InputError: there is a selection, and nothing is in it.
    """
    if namespaces is not None and not namespaces:
        raise InputError(
            f"service_accounts_prune would delete all that is repeated: no namespace matches {SELECTOR}",
            "correct the selector, or run without service_accounts_prune",
        )
