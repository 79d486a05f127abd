# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether options have the form their spec asks for, before Ansible bends them into it.

Ansible makes a text of whatever is given where a text is wanted: C(audiences: [["vault"]]) would become a token for
C(['vault']). And its own messages about items of lists name neither the option nor the item.
"""

from __future__ import annotations

import ast
import json
from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from ._errors import InputError

# how close a wrong key must come to a known one to be taken for a slip (difflib's ratio)
_CLOSE = 0.6

# no option needs more; Python refuses to write out numbers ten times as long, and to follow deeper nesting
_MAX_BITS = 1024
_MAX_DEPTH = 64

_TEXTS = ("str", "path")

# what Ansible adds to the options of a shipped module
_INTERNAL = "_ansible_"

_LIST_HINT = "begin every entry with a dash"


def check(spec: Mapping[str, dict[str, Any]], given: Mapping[str, Any], place: str = "") -> None:
    """Refuse options of another form than their spec's; null is not given, and single values are Ansible's to judge.

    Args:
        spec: Ansible's argument spec.
        given: the options.
        place: the option and index they were given at, for messages; empty for those of the task.

    Raises:
        InputError: an option is unknown, or has a form that Ansible would refuse without a place or silently change.
    """
    known = {alias: rule for name, rule in spec.items() for alias in (name, *rule.get("aliases", ()))}
    for key, value in given.items():
        option = f"{place}.{key}" if place else str(key)
        if value is None or (not place and str(key).startswith(_INTERNAL)):
            continue
        _check_content(key, place or "the name of an option")
        _check_content(value, option)
        if key not in known:
            raise InputError(f"unsupported option: {option}", suggestion(str(key), known))
        _check_form(value, known[key], option)


def suggestion(key: str, known: Iterable[str]) -> str:
    """What was probably meant by an unknown key, or what could have been."""
    known = sorted(known)
    nearest = get_close_matches(key, known, n=1, cutoff=_CLOSE)
    return f"did you mean {nearest[0]}?" if nearest else f"known are {', '.join(known)}"


def called(value: object) -> str:
    """A value's kind in plain words, with its article."""
    if value is None:
        return "empty"
    if isinstance(value, str):
        return "a text"
    if isinstance(value, bool):
        return "a truth value"
    if isinstance(value, int | float):
        return "a number"
    return "a mapping" if isinstance(value, Mapping) else "a list"


def is_unicode(text: str) -> bool:
    """Whether a text can be sent: YAML also knows halves of characters (lone surrogates), which nothing can encode."""
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)


def _check_content(value: object, option: str, depth: int = 0) -> None:
    """What can be neither sent nor said, in whatever form it comes."""
    if depth > _MAX_DEPTH:
        raise InputError(f"{option} is nested more than {_MAX_DEPTH} levels deep", "see what was given there")
    if isinstance(value, str) and not is_unicode(value):
        raise InputError(f"{option} holds half a Unicode character (a lone surrogate)", "correct the text")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise InputError(f"{option} holds a number of over 300 digits", "quote it if it is meant as a text")
    children: Iterable[object] = ()
    if isinstance(value, Mapping):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, list | tuple):
        children = value
    for child in children:
        _check_content(child, option, depth + 1)


def _check_form(value: object, rule: Mapping[str, Any], option: str) -> None:
    kind = rule.get("type", "str")
    if kind in _TEXTS:
        _check_text(value, option)
    elif kind == "dict":
        _check_mapping(value, rule, option)
    elif kind == "list":
        _check_list(value, rule, option)


def _check_text(value: object, option: str) -> None:
    if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
        return
    hints = {"a truth value": "quote it", "empty": "leave it out"}
    raise InputError(f"{option} is {called(value)}, not a text", hints.get(called(value), "give a single value"))


def _check_mapping(value: object, rule: Mapping[str, Any], option: str) -> None:
    options = rule.get("options")
    # Of a text for options Ansible would make parts at spaces and equals signs, and quote those of a secret as unknown
    # options. Where all keys are the user's own (labels) it does no harm.
    mapping = _mapping_from(value) if isinstance(value, str) and not options else value
    if not isinstance(mapping, Mapping):
        raise InputError(f"{option} is {called(value)}, not a mapping", "write key: value pairs")
    _check_content(mapping, option)
    if options:
        check(options, mapping, option)


def _mapping_from(text: str) -> object:
    """The mapping that Ansible would make of a text; an empty one for C(key=value), which it has to read itself."""
    if not text.lstrip().startswith("{"):
        return {} if "=" in text else None
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text.strip())
        except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
            continue
    return None


def _check_list(value: object, rule: Mapping[str, Any], option: str) -> None:
    if isinstance(value, str | int | float):
        _check_single(value, rule, option)
        return
    if isinstance(value, Mapping) or not isinstance(value, Sequence):
        raise InputError(f"{option} is {called(value)}, not a list", _LIST_HINT)
    element = {**rule, "type": rule.get("elements", "str")}
    for index, each in enumerate(value):
        if each is None:
            raise InputError(f"{option}[{index}] is empty", "leave it out")
        _check_form(each, element, f"{option}[{index}]")


def _check_single(value: str | int | float, rule: Mapping[str, Any], option: str) -> None:
    """A single value for a list: Ansible takes a text with commas for many, also when it is the JSON of a list."""
    is_json = str(value).lstrip().startswith(("[", "{"))
    if rule.get("elements") == "dict" or isinstance(value, bool) or is_json:
        raise InputError(f"{option} is {called(value)}, not a list", _LIST_HINT)
