# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""YAML is kept as it was written, and what cannot be read is one kind of error."""

from __future__ import annotations

import pytest
import yaml
from faults.odd import any_text
from hypothesis import given

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._yaml import dump, load


@pytest.mark.parametrize(
    "scalar",
    [
        *("0", "7", "012345", "0x1F", "1_000", "-5", "+5", "1.50", "1e3", ".inf", ".NaN", "yes", "Off", "true", "~"),
        *("null", "2030-01-01", "2001-99-99", "12:30:45", "9" * 18, "9" * 19, "9" * 5000, "text", "'012'"),
    ],
    ids=lambda text: text[:20],
)
def test_a_scalar_is_written_as_it_was_read(scalar: str) -> None:
    text = f"key: {scalar}\n"
    assert _scalars(dump(load(text))) == _scalars(text)


def _scalars(text: str) -> list[tuple[str, str]]:
    """Values and their types, as the parser sees them."""
    mapping = yaml.compose(text, yaml.SafeLoader)
    assert isinstance(mapping, yaml.MappingNode)
    return [(node.value, node.tag) for pair in mapping.value for node in pair]


@pytest.mark.parametrize(("text", "expected"), [("0", 0), ("3600", 3600), ("9" * 18, int("9" * 18)), ("true", True)])
def test_what_has_one_form_only_is_a_value(text: str, expected: object) -> None:
    found = load(text)
    assert (found, found.__class__) == (expected, expected.__class__)


@pytest.mark.parametrize("text", ["9" * 19, "9" * 5000, "007", "0o7", "\u0663"])
def test_what_is_no_plain_number_stays_a_text(text: str) -> None:
    assert load(f"a: {text}") == {"a": text}


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "{a: " * 100_000,
        "- " * 100_000,
        "&a [*a]",
        "&a {b: *a}",
        "a: &a [[*a]]",
        "a: [",
        "? [a]\n: b",
        "a: *b",
    ],
    ids=lambda text: text[:12],
)
def test_what_cannot_be_read_is_an_error_of_yaml(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        load(text)


def test_what_is_referred_to_twice_is_read() -> None:
    assert load("a: &a [1]\nb: *a\n") == {"a": [1], "b": [1]}


@given(any_text)
def test_any_text_is_read_or_an_error_of_yaml(text: str) -> None:
    try:
        load(text)
    except yaml.YAMLError:
        return
