# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of options: what Ansible would bend or refuse without a place is refused with one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from faults.odd import any_text, yaml_data
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._shape import (
    called,
    check,
    is_unicode,
    suggestion,
)

PLACE: dict[str, dict[str, Any]] = {"path": {"type": "path"}, "mode": {"type": "raw"}}
SPEC: dict[str, dict[str, Any]] = {
    "account": {"type": "str", "aliases": ["name"]},
    "audiences": {"type": "list", "elements": "str"},
    "labels": {"type": "dict"},
    "places": {"type": "list", "elements": "dict", "options": PLACE},
    "tokens": {
        "type": "list",
        "elements": "dict",
        "options": {
            "audiences": {"type": "list", "elements": "str"},
            "places": {"type": "list", "elements": "dict", "options": PLACE},
        },
    },
    "one": {"type": "dict", "options": PLACE},
    "untyped": {},
    "whatever": {"type": "raw"},
    "workers": {"type": "int"},
}


def nested(levels: int) -> Any:
    value: Any = "x"
    for _level in range(levels):
        value = [value]
    return value


GOOD: Mapping[str, dict[str, Any]] = {
    "nothing": {},
    "null": {"account": None, "audiences": None, "labels": None, "places": None, "unknown": None},
    "a text": {"account": "a"},
    "a number for a text": {"account": 5, "untyped": 1.5},
    "an alias": {"name": "a"},
    "a list": {"audiences": ["a", 1]},
    "an empty list": {"audiences": [], "places": []},
    "a tuple": {"audiences": ("a",)},
    "a text with commas": {"audiences": "a,b"},
    "a number for a list": {"audiences": 5},
    "a mapping of anything": {"labels": {"a": None, "b": [1], 2: True}},
    "a mapping as Ansible reads it": {"labels": "a=b c=d"},
    "a mapping as JSON": {"labels": '{"a": 1}'},
    "a mapping as Python": {"labels": "{'a': 1}"},
    "items": {"places": [{"path": "/x", "mode": [1]}, {"path": None}]},
    "anything for raw": {"whatever": [{"a": [True]}]},
    "for Ansible to judge": {"workers": "many"},
    "what Ansible adds": {"_ansible_check_mode": True, "_ansible_socket": None},
    "deep enough": {"whatever": nested(60)},
    "large enough": {"whatever": 2**1000},
}


@pytest.mark.parametrize("given_options", GOOD.values(), ids=GOOD)
def test_options_of_their_form(given_options: dict[str, Any]) -> None:
    check(SPEC, given_options)


BAD: Mapping[str, tuple[dict[str, Any], str]] = {
    "a list for a text": ({"account": ["a"]}, "account is a list, not a text: give a single value"),
    "a mapping for a text": ({"account": {"a": 1}}, "account is a mapping, not a text: give a single value"),
    "a truth value for a text": ({"account": True}, "account is a truth value, not a text: quote it"),
    "by its alias": ({"name": []}, "name is a list, not a text: give a single value"),
    "a list for what has no type": ({"untyped": []}, "untyped is a list, not a text: give a single value"),
    "a list in a list": ({"audiences": ["a", ["b"]]}, "audiences[1] is a list, not a text: give a single value"),
    "a mapping in a list": ({"audiences": [{"a": 1}]}, "audiences[0] is a mapping, not a text: give a single value"),
    "a truth value in a list": ({"audiences": [False]}, "audiences[0] is a truth value, not a text: quote it"),
    "nothing in a list": ({"audiences": ["a", None]}, "audiences[1] is empty: leave it out"),
    "no item": ({"places": [None]}, "places[0] is empty: leave it out"),
    "a mapping for a list": ({"audiences": {}}, "audiences is a mapping, not a list: begin every entry with a dash"),
    "a truth value for a list": (
        {"audiences": True},
        "audiences is a truth value, not a list: begin every entry with a dash",
    ),
    "a list as JSON": ({"audiences": '["a"]'}, "audiences is a text, not a list: begin every entry with a dash"),
    "an item for items": ({"places": {"path": "/x"}}, "places is a mapping, not a list: begin every entry with a dash"),
    "a text for items": ({"places": "x"}, "places is a text, not a list: begin every entry with a dash"),
    "a number for items": ({"places": 5}, "places is a number, not a list: begin every entry with a dash"),
    "a text for an item": ({"places": [{}, "x"]}, "places[1] is a text, not a mapping: write key: value pairs"),
    "a number for an item": ({"places": [5]}, "places[0] is a number, not a mapping: write key: value pairs"),
    "a list for an item": ({"places": [[]]}, "places[0] is a list, not a mapping: write key: value pairs"),
    "broken JSON for an item": ({"places": ["{a"]}, "places[0] is a text, not a mapping: write key: value pairs"),
    "a set for an item": ({"places": ["{1}"]}, "places[0] is a text, not a mapping: write key: value pairs"),
    "an unhashable key": ({"places": ["{[]: 1}"]}, "places[0] is a text, not a mapping: write key: value pairs"),
    "a text for a mapping": ({"labels": "x"}, "labels is a text, not a mapping: write key: value pairs"),
    "a list for a mapping": ({"labels": ["a"]}, "labels is a list, not a mapping: write key: value pairs"),
    "a number for a mapping": ({"labels": 5}, "labels is a number, not a mapping: write key: value pairs"),
    "within an item": (
        {"tokens": [{}, {"audiences": ["a", ["b"]]}]},
        "tokens[1].audiences[1] is a list, not a text: give a single value",
    ),
    # Ansible would take it apart, and name the parts of a secret as unknown options
    "an item as JSON": (
        {"tokens": ['{"audiences": ["b"]}']},
        "tokens[0] is a text, not a mapping: write key: value pairs",
    ),
    "an item as text": ({"tokens": ["name=app key=x y"]}, "tokens[0] is a text, not a mapping: write key: value pairs"),
    "items as text": ({"places": "path=/x,path=/y"}, "places is a text, not a list: begin every entry with a dash"),
    "options as text": ({"one": '{"path": "/x"}'}, "one is a text, not a mapping: write key: value pairs"),
    "a slip": ({"acount": "a"}, "unsupported option: acount: did you mean account?"),
    "a slip in an item": ({"places": [{"pth": "/x"}]}, "unsupported option: places[0].pth: did you mean path?"),
    "a slip in an item's item": (
        {"tokens": [{"places": [{"path": "/x"}, {"mod": 1}]}]},
        "unsupported option: tokens[0].places[1].mod: did you mean mode?",
    ),
    "a slip in a mapping": ({"one": {"pth": "/x"}}, "unsupported option: one.pth: did you mean path?"),
    "what nobody knows": ({"one": {"zzz": "/x"}}, "unsupported option: one.zzz: known are mode, path"),
    "what is no text": ({"places": [{5: 1}]}, "unsupported option: places[0].5: known are mode, path"),
    "not added by Ansible": ({"one": {"_ansible_x": 1}}, "unsupported option: one._ansible_x: known are mode, path"),
    "half a character": (
        {"account": "a\ud800"},
        "account holds half a Unicode character (a lone surrogate): correct the text",
    ),
    "half a character deep within": (
        {"labels": {"a": ["\udfff"]}},
        "labels holds half a Unicode character (a lone surrogate): correct the text",
    ),
    "half a character in a key": (
        {"labels": {"\ud800": 1}},
        "labels holds half a Unicode character (a lone surrogate): correct the text",
    ),
    "half a character in JSON": (
        {"labels": '{"a": "\\ud800"}'},
        "labels holds half a Unicode character (a lone surrogate): correct the text",
    ),
    "half a character in an unknown option": (
        {"\ud800": 1},
        "the name of an option holds half a Unicode character (a lone surrogate): correct the text",
    ),
    "too deep": ({"whatever": nested(100)}, "whatever is nested more than 64 levels deep: see what was given there"),
    "far too deep": (
        {"whatever": nested(100_000)},
        "whatever is nested more than 64 levels deep: see what was given there",
    ),
    "deep JSON": ({"labels": '{"a":' * 100_000}, "labels is a text, not a mapping: write key: value pairs"),
    "too large": (
        {"labels": {"a": 10**5000}},
        "labels holds a number of over 300 digits: quote it if it is meant as a text",
    ),
}


@pytest.mark.parametrize(("given_options", "message"), BAD.values(), ids=BAD)
def test_options_of_another_form(given_options: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        check(SPEC, given_options)
    assert str(caught.value).startswith(message)
    assert caught.value.code == "invalid_option"


def test_the_order_of_options_does_not_decide_whether_they_are_good() -> None:
    with pytest.raises(InputError, match="audiences"):
        check(SPEC, {"account": "a", "audiences": {}})


@given(st.dictionaries(st.sampled_from(list(SPEC)) | any_text, yaml_data, max_size=3))
def test_anything_is_taken_or_refused_with_a_sentence(options: dict[str, Any]) -> None:
    refusal = _refusal(options)
    assert refusal is None or is_unicode(refusal)


def _refusal(options: Mapping[str, Any]) -> str | None:
    try:
        check(SPEC, options)
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("key", "hint"),
    [
        ("lables", "did you mean labels?"),
        ("label", "did you mean labels?"),
        ("tokens", "known are labels, name"),
        ("", "known are labels, name"),
    ],
)
def test_a_suggestion(key: str, hint: str) -> None:
    assert suggestion(key, {"name", "labels"}) == hint


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (None, "empty"),
        ("", "a text"),
        (False, "a truth value"),
        (0, "a number"),
        (1.5, "a number"),
        ({}, "a mapping"),
        ([], "a list"),
        ((), "a list"),
    ],
    ids=repr,
)
def test_what_a_value_is_called(value: object, words: str) -> None:
    assert called(value) == words


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", True), ("a", True), ("ü", True), ("\U0001f511", True), ("\ud7ff\ue000", True)]
    + [(half, False) for half in ("\ud800", "\udfff", "a\udc80b", "ü\ud83d")],
    ids=ascii,
)
def test_whether_a_text_can_be_sent(text: str, expected: bool) -> None:
    assert is_unicode(text) is expected
