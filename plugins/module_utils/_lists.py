# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lists that playbooks take, whose entries hold items of modules: read, with the place of whatever is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

from ._errors import InputError
from ._shape import called, suggestion

with suppress(ImportError):  # Ansible itself cannot do without it, and this runs where Ansible does
    import yaml

Item: TypeAlias = "dict[str, Any]"
_NONE: Mapping[str, str] = MappingProxyType({})
# for options of a module that are not taken: why, by their names; the keys are the ids of what is taken
Hints: TypeAlias = "Mapping[int, Mapping[str, str]]"


@dataclass(frozen=True)
class Entry:
    """An item of a module.

    Attributes:
        place: where in the list it was written.
        item: the module's options.
    """

    place: str
    item: Item


def parsed(given: object, name: str) -> object:
    """A list as it is given, or what its JSON or YAML text says; JSON is YAML.

    Raises:
        InputError: the text is neither.
    """
    if not isinstance(given, str):
        return given
    try:
        return yaml.safe_load(given)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f" (line {mark.line + 1})" if mark else ""
        said = f"{name} is a text that is neither JSON nor YAML{line}"
        raise InputError(said, "correct it, or give a list") from None


def elements(given: object, place: str) -> Iterator[tuple[Any, str]]:
    """The elements of a list with their places; nothing given is an empty list.

    Raises:
        InputError: it is no list.
    """
    if given is None:
        return
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise InputError(f"{place} is {called(given)}, not a list", "begin every entry with a dash")
    for index, element in enumerate(given):
        yield element, f"{place}[{index}]"


def known_keys(given: object, options: Mapping[str, dict[str, Any]], place: str, hints: Hints) -> Item:
    """The same mapping, all of whose keys are known, down to the last.

    Raises:
        InputError: one is not, or it is no mapping.
    """
    if not isinstance(given, Mapping):
        raise InputError(f"{place} is {called(given)}, not a mapping", "write key: value pairs")
    known = {alias for name, spec in options.items() for alias in (name, *spec.get("aliases", ()))}
    for key, value in given.items():
        if key not in known:
            why = hints.get(id(options), {}).get(key)
            raise InputError(f"{place}: {key} is unknown here", why or suggestion(str(key), known))
        if key in options:
            _check_inner(value, options[key], f"{place}.{key}", hints)
    return dict(given)


def _check_inner(value: object, rule: Mapping[str, Any], place: str, hints: Hints) -> None:
    """The same for what an option holds: a mapping, or a list of them."""
    suboptions = rule.get("options")
    if not suboptions or value is None:
        return
    if rule.get("type") == "dict":
        known_keys(value, suboptions, place, hints)
        return
    for element, where in elements(value, place):
        known_keys(element, suboptions, where, hints)


def refuse_twice(
    what: str, identities: Iterable[tuple[str, str]], hint: str, others: Mapping[str, str] = _NONE
) -> None:
    """Refuse what is in the list twice.

    Args:
        what: what it is, for the message.
        identities: what may be there once, each with its place.
        hint: what to do about it.
        others: hints of their own, by what the second place holds.

    Raises:
        InputError: something is.
    """
    first: dict[str, str] = {}
    for identity, place in identities:
        if identity in first:
            fitting = next((other for part, other in others.items() if part in place), hint)
            raise InputError(f"{place}: the {what} {identity} is at {first[identity]} already", fitting)
        first[identity] = place
