# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Names, labels and annotations: what the server would take, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from faults.odd import any_text, yaml_data
from hypothesis import example, given

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _names
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError

Check = Callable[[object], object]
CHECKS: dict[str, Check] = {"namespace": _names.namespace, "object": _names.object_name, "rbac": _names.rbac_name}

# name: for whom it is good
NAMES: dict[str, set[str]] = {
    "a": {"namespace", "object", "rbac"},
    "7": {"namespace", "object", "rbac"},
    "ci-2": {"namespace", "object", "rbac"},
    "xn--bcher-kva": {"namespace", "object", "rbac"},
    "a" * 63: {"namespace", "object", "rbac"},
    "a" * 64: {"object", "rbac"},
    "a" * 253: {"object", "rbac"},
    "a" * 254: {"rbac"},
    "a.b": {"object", "rbac"},
    ".".join(["a" * 63] * 3 + ["a" * 61]): {"object", "rbac"},
    "a..b": {"rbac"},
    "a.-b": {"rbac"},
    ".a": {"rbac"},
    "a.": {"rbac"},
    "-a": {"rbac"},
    "a-": {"rbac"},
    "a_b": {"rbac"},
    "App": {"rbac"},
    "system:node-proxier": {"rbac"},
    "with space": {"rbac"},
    "größe": {"rbac"},
    "\uff41": {"rbac"},  # a fullwidth letter that normalises to a
    "\u0661": {"rbac"},  # a digit, but none of ours
    "...": {"rbac"},
    ".": set(),
    "..": set(),
    "a/b": set(),
    "/": set(),
    "100%": set(),
    "a%2Fb": set(),
    # a pattern that ends in $ would let this one through
    "app\n": set(),
    "\napp": set(),
    "app\r\n": set(),
    "a\nb": set(),
    "a\0": set(),
    "a\x7f": set(),
    "a\u202eb": set(),
    "\ud800": set(),
    "": set(),
}


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize(("name", "good_for"), NAMES.items(), ids=[ascii(name)[:30] for name in NAMES])
def test_a_name_is_taken_as_it_is_or_refused(kind: str, name: str, good_for: set[str]) -> None:
    if kind in good_for:
        assert CHECKS[kind](name) == name
    else:
        with pytest.raises(InputError):
            CHECKS[kind](name)


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("value", [True, False, 0, 123, 1.5, 1e3, [], ["a"], {}, b"a"], ids=repr)
def test_what_yaml_took_for_something_else_has_to_be_quoted(kind: str, value: object) -> None:
    with pytest.raises(InputError, match="is not a text: quote it"):
        CHECKS[kind](value)


@pytest.mark.parametrize("kind", CHECKS)
@pytest.mark.parametrize("value", [None, ""])
def test_no_name_is_missing(kind: str, value: object) -> None:
    with pytest.raises(InputError, match=r"^(name|namespace) is missing: give a \1$"):
        CHECKS[kind](value)


def test_a_refusal_names_option_and_value_without_control_characters() -> None:
    with pytest.raises(InputError) as caught:
        _names.object_name("Build\nBot", "service_accounts[3]")
    assert str(caught.value).startswith(r"service_accounts[3]: 'Build\nBot' is not a valid name: use lower-case")
    assert caught.value.code == "invalid_option"


@given(yaml_data | any_text)
@example("\ud800\n")
def test_anything_is_taken_or_refused_with_a_sentence(value: Any) -> None:
    for check in CHECKS.values():
        refusal = _refusal(check, value)
        assert refusal is None or refusal.isprintable()


def _refusal(check: Check, value: Any) -> str | None:
    try:
        assert check(value) == value
    except InputError as error:
        return str(error)
    return None


@pytest.mark.parametrize(
    ("text", "default", "expected"),
    [
        ("deployer", "ci", ("ci", "deployer")),
        ("prod/deployer", "ci", ("prod", "deployer")),
        ("prod/deployer", None, ("prod", "deployer")),
        ("prod/build.bot", None, ("prod", "build.bot")),
    ],
)
def test_an_account_is_named_with_or_without_its_namespace(
    text: str, default: str | None, expected: tuple[str, str]
) -> None:
    assert _names.account_reference(text, "option", default) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("deployer", "option: 'deployer' names no namespace: a cluster-wide grant needs namespace/name"),
        ("/deployer", "option is missing"),
        ("prod/", "option is missing"),
        ("a/b/c", "option: 'a/b' is not a valid namespace name"),
        ("a.b/c", "option: 'a.b' is not a valid namespace name"),
        ("prod/deployer\n", r"option: 'deployer\n' is not a valid name"),
        (5, "option: 5 is not a text"),
    ],
)
def test_an_account_that_cannot_be_is_refused(text: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        _names.account_reference(text, "option", None)
    assert message in str(caught.value)


GOOD_KEYS = ["a", "App_1.x", "app.kubernetes.io/name", "a/B", f"{'a' * 253}/{'b' * 63}", "7/7"]
BAD_KEYS = [
    "",
    "/a",
    "a/",
    "a/b/c",
    "-a",
    "a-",
    "a b",
    "a\n",
    "a/b\n",
    "a\n/b",
    "ä",
    "Ä/a",
    "a_b/c",
    "A_b/c",
    "\u212a.com/a",  # the sign for kelvin, whose lower case is a k
    "a/\u212a",
    "\ud800",
    f"{'a' * 254}/b",
    "a" * 64,
    f"a/{'b' * 64}",
]


@pytest.mark.parametrize("check", [_names.label_values, _names.annotation_values])
@pytest.mark.parametrize("key", GOOD_KEYS)
def test_a_key(check: Callable[..., dict[str, str | None]], key: str) -> None:
    assert check({key: "value"}) == {key: "value"}


@pytest.mark.parametrize("key", ["Example.com/name", "EXAMPLE.COM/name", "a.B/c"])
def test_only_an_annotation_may_have_capitals_before_the_slash(key: str) -> None:
    assert _names.annotation_values({key: "value"}) == {key: "value"}
    with pytest.raises(InputError, match=r"^labels: .* is not a valid key"):
        _names.label_values({key: "value"})


@pytest.mark.parametrize("check", [_names.label_values, _names.annotation_values])
@pytest.mark.parametrize("key", [*BAD_KEYS, 1, True, None], ids=ascii)
def test_what_is_no_key(check: Callable[..., object], key: object) -> None:
    with pytest.raises(InputError, match=r"^(labels|annotations)"):
        check({key: "value"})


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("", ""),
        ("a", "a"),
        ("V1.2_x-3", "V1.2_x-3"),
        ("a" * 63, "a" * 63),
        (None, None),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (1.5, "1.5"),
    ],
)
def test_a_label_value(given: object, expected: str | None) -> None:
    assert _names.label_values({"key": given}) == {"key": expected}


@pytest.mark.parametrize("value", ["a" * 64, "-a", "a-", "a b", "a\n", "ä", "a/b", "a,b", -1, [], {}, b"a"], ids=ascii)
def test_what_is_no_label_value(value: object) -> None:
    with pytest.raises(InputError, match=r"^labels"):
        _names.label_values({"key": value})


@given(any_text)
def test_an_annotation_holds_any_text(text: str) -> None:
    assert _names.annotation_values({"key": text}) == {"key": text}


@pytest.mark.parametrize("value", [[], {}, b"a"], ids=repr)
def test_an_annotation_holds_text_only(value: object) -> None:
    with pytest.raises(InputError, match=r"^annotations\.key: (list|dict|bytes) is not a string: quote the value$"):
        _names.annotation_values({"key": value})


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"], ids=ascii)
def test_an_annotation_is_text_that_can_be_sent(value: str) -> None:
    with pytest.raises(InputError, match=r"^annotations\.key holds half a Unicode character"):
        _names.annotation_values({"key": value})


UID = "0c1d8a5c-64c3-4a4f-8b1e-1b8f5b9b8a11"


def test_a_uid() -> None:
    assert _names.uid(UID, "option") == UID


@pytest.mark.parametrize(
    "value",
    ["xx", UID.upper(), UID.replace("-", ""), f"{UID}\n", f" {UID}", UID[:-1], UID + "0", "\ud800", 5, None, ""],
)
def test_what_is_no_uid(value: object) -> None:
    with pytest.raises(InputError, match=r"^option"):
        _names.uid(value, "option")


@pytest.mark.parametrize(("extra", "fits"), [(0, True), (1, False)])
def test_annotations_are_limited_in_bytes_all_together(extra: int, fits: bool) -> None:
    # two bytes each, and one for each key
    values = {"a": "ä" * 65536, "b": "ä" * 65535 + "a" * extra}
    if fits:
        assert _names.annotation_values(values) == values
    else:
        with pytest.raises(InputError, match="more than 256 KiB"):
            _names.annotation_values(values)


@pytest.mark.parametrize("values", [None, "a=b", ["a=b"], 1, True, [("a", "b")]], ids=repr)
def test_only_a_mapping_has_keys(values: object) -> None:
    with pytest.raises(InputError, match="is not a mapping"):
        _names.label_values(values)
