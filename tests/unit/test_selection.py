# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What of the list of accounts is there once in every selected namespace."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.action.account_items import account_items
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._namespace_list import label_selector
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._selection import (
    refuse_pruning_without_selection,
    repeated,
)

S = "<selected_namespace>"


def entries(account: Any, *namespaces: str) -> list[Any]:
    return [entry for entry, dummy in repeated([account], "list", namespaces)]


def test_an_account_without_a_namespace_is_in_all_of_them_with_all_it_has() -> None:
    account = {"name": "app", "labels": {"of": S}, "tokens": [{"dest": f"/t/{S}/a", "sinks": [{"path": f"{S}{S}"}]}]}
    assert list(repeated([account], "list", ("a", "b"))) == [
        (
            {
                "name": "app",
                "labels": {"of": namespace},
                "tokens": [{"dest": f"/t/{namespace}/a", "sinks": [{"path": namespace * 2}]}],
                "namespace": namespace,
            },
            f"list[0] in {namespace}",
        )
        for namespace in ("a", "b")
    ]


@pytest.mark.parametrize("said", [None, "", S])
def test_a_namespace_that_says_nothing_is_none(said: object) -> None:
    assert [one["namespace"] for one in entries({"name": "app", "namespace": said}, "a", "b")] == ["a", "b"]


OF_ONE: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"grants": [{"role": "r"}]}, {"grants": [{"role": "r"}]}),
    (
        {"grants": [{"role": "first"}, {"role": S, "namespace": S}, {"role": "last"}]},
        {
            "grants": [
                {"role": "first"},
                {"role": "a", "namespace": "a"},
                {"role": "b", "namespace": "b"},
                {"role": "last"},
            ]
        },
    ),
    # the innermost list: one grant for all
    (
        {"grants": [{"subjects": [{"namespace": S, "name": "x"}, {"name": "y"}]}]},
        {"grants": [{"subjects": [{"namespace": "a", "name": "x"}, {"namespace": "b", "name": "x"}, {"name": "y"}]}]},
    ),
    # unless the grant is repeated itself
    (
        {"grants": [{"namespace": S, "service_accounts": [f"{S}/default"]}]},
        {
            "grants": [
                {"namespace": "a", "service_accounts": ["a/default"]},
                {"namespace": "b", "service_accounts": ["b/default"]},
            ]
        },
    ),
    (
        {"access": {"can": ["get pods", f"get pods in {S}"]}},
        {"access": {"can": ["get pods", "get pods in a", "get pods in b"]}},
    ),
    ({"preset": "read_only"}, {"preset": "read_only"}),
    (
        {"preset": {"name": "ci_deployer", "namespace": S}},
        {"preset": [{"name": "ci_deployer", "namespace": "a"}, {"name": "ci_deployer", "namespace": "b"}]},
    ),
]


@pytest.mark.parametrize(("said", "meant"), OF_ONE)
def test_of_an_account_in_one_namespace_what_mentions_them_is_repeated(
    said: dict[str, Any], meant: dict[str, Any]
) -> None:
    of = {"name": "app", "namespace": "ci"}
    assert entries({**of, **said}, "a", "b") == [{**of, **meant}]


def test_where_nothing_matches_what_is_repeated_is_not_there() -> None:
    assert entries({"name": "app"}) == []
    fixed = {"name": "app", "namespace": "ci", "grants": [{"namespace": S}, {"role": "r"}]}
    assert entries(fixed) == [{"name": "app", "namespace": "ci", "grants": [{"role": "r"}]}]


@pytest.mark.parametrize("key", ["name", "labels"])
def test_one_account_cannot_be_called_after_all_of_them(key: str) -> None:
    value: Any = {"of": S} if key == "labels" else f"app-{S}"
    with pytest.raises(InputError, match=rf"list\[0\].{key} mentions <selected_namespace>, but this account is in one"):
        entries({"namespace": "ci", "name": "app", key: value}, "a")


def test_without_a_selection_nothing_stands_for_a_namespace() -> None:
    with pytest.raises(InputError, match=r"list mentions <selected_namespace>, .* give service_accounts_namespace_sel"):
        list(repeated([{"name": "app", "namespace": "ci", "grants": [{"namespace": S}]}], "list", None))


def test_pruning_takes_a_selection_with_something_in_it() -> None:
    refuse_pruning_without_selection(None)
    refuse_pruning_without_selection(["a"])
    with pytest.raises(InputError, match="no namespace matches service_accounts_namespace_selector"):
        refuse_pruning_without_selection([])


def test_mistakes_and_guards_name_the_entry_and_the_namespace() -> None:
    with pytest.raises(InputError, match=r"^service_accounts_list\[0\] in a.grants\[0\]: rol is unknown here"):
        account_items([{"name": "app", "grants": [{"rol": "x"}]}], selected=["a"])
    with pytest.raises(InputError, match=r"^service_accounts_list\[0\] in b: the namespace b is not an allowed one"):
        account_items([{"name": "app"}], namespaces=["a"], selected=["a", "b"])
    with pytest.raises(InputError, match=r"\[1\]: the account a/app is at service_accounts_list\[0\] in a already"):
        account_items([{"name": "app"}, {"name": "app", "namespace": "a"}], selected=["a"])


SELECTORS: list[tuple[object, str]] = [
    (None, ""),
    ("", ""),
    (" team=ci,stage in (test, live) ", "team=ci,stage in (test, live)"),
    ({"team": "ci", "stage": 1}, "team=ci,stage=1"),
    ({"team": None}, "team="),
    ({}, ""),
]


@pytest.mark.parametrize(("given", "selector"), SELECTORS)
def test_a_selector_is_a_text_or_labels(given: object, selector: str) -> None:
    assert label_selector(given) == selector


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (["team=ci"], "label_selector is a list: write team=ci, or"),
        ({"team": ["ci"]}, "label_selector: team is a list, not a text"),
        ({"team": "ci,!protected"}, "label_selector: 'ci,!protected' of team is no value of a label: write a selector"),
        ({"ready": True}, "label_selector: ready is a truth value, not a text: quote it"),
    ],
)
def test_what_is_no_selector_is_said(given: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        label_selector(given)
    assert str(caught.value).startswith(sentence)
