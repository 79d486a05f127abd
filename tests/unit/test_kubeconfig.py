# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Our entries in a kubeconfig, and everybody else's."""

from __future__ import annotations

import base64
import copy
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import yaml
from faults.odd import CA, ENTRY, any_text, plain_text, yaml_data
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kubeconfig import (
    Entry,
    Stored,
    check_shape,
    is_empty,
    merge,
    stored,
    without,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._lifetime import Record

RECORD = Record("f" * 64, 3600, ("vault",), ("vault",), "2027-01-15T09:00:00Z")
OURS = {"name": "tokenwright", "extension": {"managed-by": "tokenwright"}}


def merged(
    config: dict[str, Any], entry: Entry = ENTRY, token: str | None = "old.token.x", *, force: bool = False
) -> dict[str, Any]:
    return merge(config, entry, token, RECORD, force=force, place="/run/config")


def test_an_empty_file_becomes_a_whole_kubeconfig() -> None:
    assert merged(check_shape(None, "/run/config")) == {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {
                "name": "kube.example:6443",
                "cluster": {
                    "server": "https://kube.example:6443",
                    "certificate-authority-data": base64.b64encode(CA.encode()).decode(),
                    "extensions": [OURS],
                },
            }
        ],
        "users": [
            {
                "name": "ci/deployer@kube.example:6443",
                "user": {
                    "token": "old.token.x",
                    "extensions": [
                        {
                            "name": "tokenwright",
                            "extension": {"managed-by": "tokenwright", "record": RECORD.as_dict()},
                        }
                    ],
                },
            }
        ],
        "contexts": [
            {
                "name": "ci/deployer@kube.example:6443",
                "context": {
                    "cluster": "kube.example:6443",
                    "user": "ci/deployer@kube.example:6443",
                    "namespace": "ci",
                    "extensions": [OURS],
                },
            }
        ],
        "current-context": "ci/deployer@kube.example:6443",
    }


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"ca_pem": None}, {"server": "https://kube.example:6443"}),
        ({"ca_pem": None, "verify": False}, {"server": ENTRY.server, "insecure-skip-tls-verify": True}),
        (
            {"ca_pem": None, "tls_server_name": "kubernetes"},
            {"server": ENTRY.server, "tls-server-name": "kubernetes"},
        ),
    ],
)
def test_how_the_server_is_reached(changes: dict[str, Any], expected: dict[str, Any]) -> None:
    cluster = merged({}, replace(ENTRY, **changes))["clusters"][0]["cluster"]
    assert cluster == {**expected, "extensions": [OURS]}


def test_an_authority_and_no_verification_are_not_written_together() -> None:
    # client-go refuses a cluster that has both
    cluster = merged({}, replace(ENTRY, verify=False))["clusters"][0]["cluster"]
    assert "insecure-skip-tls-verify" not in cluster


def test_a_user_may_refer_to_a_file() -> None:
    config = merged({}, replace(ENTRY, token_file="/run/token"), None)
    user = config["users"][0]["user"]
    assert (user["tokenFile"], "token" in user) == ("/run/token", False)
    assert stored(config, ENTRY) == Stored(None, RECORD, "/run/token")


@pytest.mark.parametrize("path", ["/run/token", 5, None])
def test_a_reference_that_is_not_ours_or_no_path_is_none(path: object) -> None:
    theirs = {"users": [{"name": ENTRY.user_name, "user": {"tokenFile": path}}]}
    assert stored(theirs, ENTRY).token_file is None
    ours = {"users": [{"name": ENTRY.user_name, "user": {"tokenFile": path, "extensions": [OURS]}}]}
    assert stored(ours, ENTRY).token_file == (path if isinstance(path, str) else None)


def test_what_was_stored_is_found_again() -> None:
    assert stored(merged({}), ENTRY) == Stored("old.token.x", RECORD)
    assert stored({}, ENTRY) == Stored(None, None)
    assert stored(merged({}), replace(ENTRY, user_name="other")) == Stored(None, None)


@pytest.mark.parametrize(
    ("current", "set_current", "expected"),
    [
        (None, False, ENTRY.context_name),
        ("", False, ENTRY.context_name),
        ("theirs", False, "theirs"),
        ("theirs", True, ENTRY.context_name),
    ],
)
def test_the_current_context_is_set_if_there_is_none_or_on_demand(
    current: str | None, set_current: bool, expected: str
) -> None:
    config = merged({"current-context": current}, replace(ENTRY, set_current=set_current))
    assert config["current-context"] == expected


def test_a_new_token_takes_the_place_of_the_old_one_and_nothing_else_moves() -> None:
    before = merged({"users": [{"name": "a", "user": {"token": "x"}}]})
    before["users"].append({"name": "z", "user": {}})
    after = merged(before, token="new.token.x")
    assert [user["name"] for user in after["users"]] == ["a", ENTRY.user_name, "z"]
    assert stored(after, ENTRY).token == "new.token.x"
    before["users"][1]["user"]["token"] = "new.token.x"
    assert after == before


def test_a_new_record_beside_the_old_token_is_kept() -> None:
    record = replace(RECORD, requested_seconds=7200)
    config = merge(merged({}), ENTRY, "old.token.x", record, force=False, place="/run/config")
    assert stored(config, ENTRY) == Stored("old.token.x", record)


@pytest.mark.parametrize("extension", ["x", 5, None, [], {}, {"record": "x"}])
def test_a_damaged_record_is_none_and_the_entry_still_ours(extension: object) -> None:
    user = {"token": "old.token.x", "extensions": [5, {"name": "tokenwright", "extension": extension}]}
    config = {"users": [{"name": ENTRY.user_name, "user": user}]}
    assert stored(config, ENTRY) == Stored("old.token.x", None)
    assert stored(merged(config), ENTRY) == Stored("old.token.x", RECORD)


@pytest.mark.parametrize(("token", "text"), [(123, "123"), (True, "True"), (["a"], "['a']"), ("", ""), (None, None)])
def test_a_token_is_text_or_none(token: object, text: str | None) -> None:
    config = {"users": [{"name": ENTRY.user_name, "user": {"token": token}}]}
    assert stored(config, ENTRY).token == text


# Entries of others.

_names = plain_text.filter(lambda name: name not in (ENTRY.cluster_name, ENTRY.user_name))


def _entries(singular: str) -> st.SearchStrategy[list[dict[str, Any]]]:
    content = st.dictionaries(plain_text.filter(lambda key: key != "extensions"), yaml_data, max_size=2)
    entry = st.fixed_dictionaries({"name": _names, singular: content | st.none()}, optional={"more": yaml_data})
    return st.lists(entry, max_size=3, unique_by=lambda one: str(one["name"]))


_head = {"apiVersion": st.just("v1"), "kind": st.just("Config"), "preferences": yaml_data, "more": yaml_data}
foreign_configs = st.fixed_dictionaries(
    {},
    optional={
        **_head,
        "clusters": _entries("cluster") | st.none(),
        "users": _entries("user") | st.none(),
        "contexts": _entries("context") | st.none(),
        "current-context": plain_text,
    },
)


@given(foreign_configs)
def test_what_is_foreign_stays_and_keeps_its_order(config: dict[str, Any]) -> None:
    untouched = copy.deepcopy(config)
    after = merged(check_shape(config, "/run/config"))
    assert config == untouched
    header, ours = {"apiVersion", "kind"}, {"clusters", "users", "contexts", "current-context"}
    assert [key for key in after if key in config.keys() - header] == [key for key in config if key not in header]
    for key in config.keys() - ours:
        assert after[key] == config[key]
    for plural in ("clusters", "users", "contexts"):
        assert after[plural][:-1] == (config.get(plural) or [])


@given(foreign_configs, st.booleans(), st.booleans())
def test_twice_is_once(config: dict[str, Any], force: bool, set_current: bool) -> None:
    entry = replace(ENTRY, set_current=set_current)
    once = merged(config, entry, force=force)
    assert merged(once, entry, force=force) == once
    assert list(merged(once, entry, force=force)) == list(once)


@given(foreign_configs)
def test_a_file_says_what_was_merged(config: dict[str, Any]) -> None:
    once = merged(config)
    read = check_shape(yaml.safe_load(yaml.safe_dump(once, sort_keys=False)), "/run/config")
    assert stored(read, ENTRY) == stored(once, ENTRY)
    assert merged(read) == read


TAKEN = {
    "cluster": {"clusters": [{"name": ENTRY.cluster_name, "cluster": {"server": "https://elsewhere"}}]},
    "user": {"users": [{"name": ENTRY.user_name, "user": {"client-certificate": "a.crt"}}]},
    "context": {"contexts": [{"name": ENTRY.context_name, "context": {"cluster": "a", "user": "b"}}]},
    "empty user": {"users": [{"name": ENTRY.user_name, "user": None}]},
    "user without content": {"users": [{"name": ENTRY.user_name}]},
    "user with an extension of others": {
        "users": [{"name": ENTRY.user_name, "user": {"extensions": [{"name": "minikube", "extension": {}}]}}]
    },
    "user with extensions of no form": {"users": [{"name": ENTRY.user_name, "user": {"extensions": "tokenwright"}}]},
}


@pytest.mark.parametrize("config", TAKEN.values(), ids=TAKEN)
def test_a_name_that_is_taken_is_refused_unless_forced(config: dict[str, Any]) -> None:
    untouched = copy.deepcopy(config)
    with pytest.raises(InputError) as caught:
        merged(config)
    assert caught.value.code == "entry_taken"
    plural = next(iter(config))
    kind, name = plural[:-1], config[plural][0]["name"]
    assert str(caught.value) == (
        f"/run/config: {kind} {name} is already there, is not ours and differs: "
        f"choose another {kind}_name, or set force to replace it"
    )
    assert config == untouched
    assert merged(config, force=True) == merged({})


def test_force_does_not_touch_the_neighbours() -> None:
    neighbours = [{"name": "a", "user": {"token": "x"}}, {"name": "z", "user": {"token": "y"}}]
    config = {"users": [neighbours[0], {"name": ENTRY.user_name, "user": {"token": "theirs"}}, neighbours[1]]}
    users = merged(config, force=True)["users"]
    assert [users[0], users[2]] == neighbours
    assert users[1] == merged({})["users"][0]


def test_a_foreign_entry_that_says_the_same_is_used_as_it_is() -> None:
    cluster = {"server": ENTRY.server, "certificate-authority-data": base64.b64encode(CA.encode()).decode()}
    config = {"clusters": [{"name": ENTRY.cluster_name, "cluster": cluster}]}
    assert merged(config)["clusters"] == config["clusters"]


def test_an_entry_of_ours_is_replaced_without_force() -> None:
    moved = replace(ENTRY, server="https://elsewhere", namespace="prod")
    config = merged(merged({}), moved)
    assert config["clusters"][0]["cluster"]["server"] == "https://elsewhere"
    assert config["contexts"][0]["context"]["namespace"] == "prod"
    assert len(config["clusters"]) == len(config["contexts"]) == 1


def test_two_accounts_share_a_file_and_their_cluster() -> None:
    other = replace(ENTRY, user_name="ci/builder", context_name="ci/builder")
    config = merged(merged({}), other, "other.token.x")
    assert [len(config[plural]) for plural in ("clusters", "users", "contexts")] == [1, 2, 2]
    assert stored(config, ENTRY).token == "old.token.x"
    assert stored(config, other).token == "other.token.x"
    assert config["current-context"] == ENTRY.context_name


# Taking our entries out again.

_LISTS = ("clusters", "users", "contexts")


def names(config: dict[str, Any]) -> dict[str, list[str]]:
    return {plural: [entry["name"] for entry in config.get(plural) or []] for plural in _LISTS}


def test_the_last_entries_leave_an_empty_kubeconfig() -> None:
    left = without(merged({}), ENTRY)
    assert names(left) == {"clusters": [], "users": [], "contexts": []}
    assert left["current-context"] == ""
    assert is_empty(left)
    assert without(left, ENTRY) == left


def test_a_cluster_stays_as_long_as_a_context_refers_to_it() -> None:
    other = replace(ENTRY, user_name="ci/builder", context_name="ci/builder")
    both = merged(merged({}), other, "other.token.x")
    left = without(both, ENTRY)
    assert names(left) == {"clusters": [ENTRY.cluster_name], "users": ["ci/builder"], "contexts": ["ci/builder"]}
    assert not is_empty(left)
    assert is_empty(without(left, other))


@pytest.mark.parametrize("set_current", [True, False])
def test_the_current_context_is_given_up_with_the_context(set_current: bool) -> None:
    theirs = {"contexts": [{"name": "theirs", "context": {}}], "current-context": "theirs"}
    entry = replace(ENTRY, set_current=set_current)
    left = without(merged(theirs, entry), entry)
    assert left["current-context"] == ("" if set_current else "theirs")


@pytest.mark.parametrize("config", TAKEN.values(), ids=TAKEN)
def test_entries_of_our_names_that_are_not_ours_stay(config: dict[str, Any]) -> None:
    config = {**config, "current-context": ENTRY.context_name}
    assert without(config, ENTRY) == config


@given(foreign_configs)
def test_a_kubeconfig_without_entries_of_ours_stays_as_it_is(config: dict[str, Any]) -> None:
    assert without(config, ENTRY) == config


@given(foreign_configs)
def test_what_was_entered_is_taken_out_and_nothing_else(config: dict[str, Any]) -> None:
    after = merged(config)
    untouched = copy.deepcopy(after)
    left = without(after, ENTRY)
    assert after == untouched
    assert {plural: left[plural] for plural in _LISTS} == {plural: config.get(plural) or [] for plural in _LISTS}
    assert left["current-context"] == config.get("current-context", "")
    rest = config.keys() - {*_LISTS, "current-context"}
    assert {key: left[key] for key in rest} == {key: config[key] for key in rest}
    assert without(left, ENTRY) == left


# Files that are no kubeconfigs.

WRONG = {
    "text": ("hello", "not_a_kubeconfig", "/run/config is not a kubeconfig"),
    "number": (5, "not_a_kubeconfig", "/run/config is not a kubeconfig"),
    "list": ([{"clusters": []}], "not_a_kubeconfig", "/run/config is not a kubeconfig"),
    "list that is none": ({"users": {"a": {}}}, "not_a_kubeconfig", "users is not a list of named entries"),
    "entry that is none": ({"clusters": ["a"]}, "not_a_kubeconfig", "clusters is not a list of named entries"),
    "entry without name": ({"contexts": [{"context": {}}]}, "not_a_kubeconfig", "contexts is not a list of named"),
    "name that is a number": ({"users": [{"name": 5}]}, "not_a_kubeconfig", "users is not a list of named entries"),
    "content that is text": ({"users": [{"name": "a", "user": "b"}]}, "not_a_kubeconfig", "users is not a list"),
    "a name twice": ({"users": [{"name": "a"}, {"name": "a"}]}, "duplicate_entry", "a occurs twice in users"),
    "two names twice": (
        {"contexts": [{"name": "b"}, {"name": "a"}, {"name": "a"}, {"name": "b"}]},
        "duplicate_entry",
        "/run/config: b occurs twice in contexts: remove one of them",
    ),
}


@pytest.mark.parametrize(("content", "code", "message"), WRONG.values(), ids=WRONG)
def test_what_is_no_kubeconfig(content: object, code: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        check_shape(content, "/run/config")
    assert caught.value.code == code
    assert message in str(caught.value)


def test_the_same_name_in_two_lists_is_no_duplicate() -> None:
    config = {plural: [{"name": "a"}] for plural in ("clusters", "users", "contexts")}
    assert check_shape(config, "/run/config") is config


# Data that comes close to a kubeconfig with entries of ours, and then does not.
_our_extension = st.fixed_dictionaries(
    {"name": st.just("tokenwright") | yaml_data},
    optional={"extension": yaml_data | st.fixed_dictionaries({"record": yaml_data | st.just(RECORD.as_dict())})},
)
_content = st.dictionaries(
    st.sampled_from(["token", "server", "cluster", "extensions"]), yaml_data | st.lists(_our_extension, max_size=2)
)
_entry = st.dictionaries(
    st.sampled_from(["name", "user", "cluster", "context"]),
    yaml_data | _content | st.sampled_from([ENTRY.user_name, ENTRY.cluster_name]),
)
_close = st.dictionaries(
    st.sampled_from(["clusters", "users", "contexts", "current-context", "kind"]),
    yaml_data | st.lists(_entry | yaml_data, max_size=2),
)


@given(yaml_data | any_text | _close, st.booleans())
def test_wrong_shapes_end_in_a_sentence(content: Any, force: bool) -> None:
    with suppress(InputError):
        config = check_shape(content, "/run/config")
        stored(config, ENTRY)
        once = merged(config, force=force)
        assert merged(once) == once
