# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Plans as data, the state they lead to, and what is shown of it."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from faults.odd import plain_text
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import NAMESPACE, SERVICE_ACCOUNT, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._plan import (
    Outcome,
    Plan,
    Write,
    merge_patch,
    predicted,
    shown,
    view,
)

ACCOUNT = Ref(SERVICE_ACCOUNT, "ci", "deployer")

# the examples of RFC 7396, appendix A, whose target and patch are objects, and a few that it leaves out
PATCHES: list[tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ({"a": "b"}, {"a": {"c": None, "d": 1}}, {"a": {"d": 1}}),
    ({"a": None}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ({"a": 1}, {"a": [None, {"b": None}]}, {"a": [None, {"b": None}]}),
    ({"a": 1}, {}, {"a": 1}),
    ({}, {"a": False, "b": 0, "c": "", "d": []}, {"a": False, "b": 0, "c": "", "d": []}),
]


@pytest.mark.parametrize(("target", "patch", "expected"), PATCHES)
def test_merge_patch(target: dict[str, Any], patch: dict[str, Any], expected: dict[str, Any]) -> None:
    untouched = copy.deepcopy((target, patch))
    assert merge_patch(target, patch) == expected
    assert (target, patch) == untouched


json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | plain_text,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(plain_text, inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(plain_text, json_data, max_size=3)


@given(objects, objects)
def test_a_patch_applied_twice_is_applied_once(target: dict[str, Any], patch: dict[str, Any]) -> None:
    once = merge_patch(target, patch)
    assert merge_patch(once, patch) == once


@given(objects, objects)
def test_a_patch_decides_on_every_key_it_names_and_on_no_other(target: dict[str, Any], patch: dict[str, Any]) -> None:
    after = merge_patch(target, patch)
    assert {key for key, value in patch.items() if value is None}.isdisjoint(after)
    assert {key: after.get(key) for key in target if key not in patch} == {
        key: value for key, value in target.items() if key not in patch
    }
    plain = {key: value for key, value in patch.items() if value is not None and not isinstance(value, dict)}
    assert {key: after[key] for key in plain} == plain


def test_the_state_that_writes_lead_to() -> None:
    namespace = Ref(NAMESPACE, "", "ci")
    going = Ref(SERVICE_ACCOUNT, "ci", "old")
    live: dict[Ref, dict[str, Any] | None] = {
        namespace: None,
        ACCOUNT: {"metadata": {"labels": {"a": "1", "b": "2"}}},
        going: {"metadata": {}},
    }
    untouched = copy.deepcopy(live)
    body = {"metadata": {"name": "ci"}}
    writes = [
        Write("create", namespace, "missing", body),
        Write("patch", ACCOUNT, "labels_changed", {"metadata": {"labels": {"a": None}}}),
        Write("delete", going, "unwanted", uid="x"),
    ]
    assert predicted(live, writes) == {namespace: body, ACCOUNT: {"metadata": {"labels": {"b": "2"}}}, going: None}
    assert live == untouched


def test_what_is_predicted_is_a_copy_of_what_is_written() -> None:
    body: dict[str, Any] = {"metadata": {"name": "deployer"}}
    after = predicted({ACCOUNT: None}, [Write("create", ACCOUNT, "missing", body)])[ACCOUNT]
    body["metadata"]["name"] = "other"
    assert after == {"metadata": {"name": "deployer"}}


def test_a_delete_and_a_create_in_one_plan_leave_the_new_one() -> None:
    writes = [Write("delete", ACCOUNT, "recreate", uid="x"), Write("create", ACCOUNT, "recreate", {"metadata": {}})]
    assert predicted({ACCOUNT: {"metadata": {"uid": "x"}}}, writes) == {ACCOUNT: {"metadata": {}}}


def test_a_patch_of_what_is_not_there_is_all_there_is() -> None:
    assert predicted({ACCOUNT: None}, [Write("patch", ACCOUNT, "x", {"a": 1, "b": None})]) == {ACCOUNT: {"a": 1}}


@pytest.mark.parametrize(
    ("ref", "namespace"), [(ACCOUNT, "ci"), (Ref(NAMESPACE, "", "deployer"), None)], ids=["namespaced", "cluster"]
)
def test_an_action_spells_kinds_as_the_api_does(ref: Ref, namespace: str | None) -> None:
    assert Write("create", ref, "missing").as_action() == {
        "verb": "create",
        "kind": ref.kind.name,
        "namespace": namespace,
        "name": "deployer",
        "reason": "missing",
    }


def test_a_plan_says_why_its_first_write_is_needed() -> None:
    assert Plan().reason == "up_to_date"
    assert Plan((Write("delete", ACCOUNT, "first"), Write("create", ACCOUNT, "second"))).reason == "first"


LIVE: dict[str, Any] = {
    "kind": "ServiceAccount",
    "metadata": {
        "name": "deployer",
        "labels": {"a": "b"},
        "managedFields": [{}],
        "uid": "x",
        "resourceVersion": "1",
        "creationTimestamp": "2027-01-15T08:00:00Z",
        "generation": 1,
        "selfLink": "/x",
    },
    "automountServiceAccountToken": False,
}


def test_a_diff_shows_what_was_declared() -> None:
    assert view(LIVE) == {
        "kind": "ServiceAccount",
        "metadata": {"name": "deployer", "labels": {"a": "b"}},
        "automountServiceAccountToken": False,
    }


def test_a_result_shows_the_object_as_the_api_spells_it() -> None:
    found = shown(LIVE)
    assert found is not None
    assert found["metadata"] == {key: value for key, value in LIVE["metadata"].items() if key != "managedFields"}
    assert {**found, "metadata": None} == {**LIVE, "metadata": None}


def test_a_diff_leaves_out_what_the_server_would() -> None:
    empty: dict[str, Any] = {
        "metadata": {"name": "deployer", "labels": {}},
        "secrets": [],
        "imagePullSecrets": None,
        "x": False,
        "n": 0,
    }
    assert view(empty) == {"metadata": {"name": "deployer"}, "x": False, "n": 0}


def test_nothing_is_shown_of_nothing() -> None:
    assert (view(None), shown(None)) == (None, None)


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, "ok"),
        ({"changed": True}, "changed"),
        ({"changed": True, "error": InputError("x")}, "failed"),
        ({"skipped": True}, "skipped"),
    ],
)
def test_the_status_of_an_outcome(changes: dict[str, Any], status: str) -> None:
    assert Outcome({}, "ci/deployer", **changes).status == status
