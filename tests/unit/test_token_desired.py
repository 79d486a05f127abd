# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One token as declared: what it comes to, and what cannot be right."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._token_desired import (
    ITEM_OPTIONS,
    DesiredToken,
    Rails,
    refuse_shared_places,
)

DEFAULTS = {name: rule.get("default") for name, rule in ITEM_OPTIONS.items()}
PLAIN: dict[str, Any] = {"service_account": "app", "namespace": "ci", "dest": "/run/t"}
SECRET = {"type": "secret", "name": "s"}
POD = {"kind": "Pod", "name": "web-0"}
BOUND = {"kind": "Secret", "name": "s"}


def desired(set_name: str | None = None, **options: Any) -> DesiredToken:
    return DesiredToken.from_item({**DEFAULTS, **PLAIN, **options}, set_name)


def mistake(**options: Any) -> InputError:
    with pytest.raises(InputError) as caught:
        desired(**options)
    return caught.value


def test_the_least_that_can_be_said() -> None:
    token = desired()
    assert (token.account.place, token.present, token.audiences, token.seconds) == ("ci/app", True, (), None)
    assert (token.bound, token.handle, token.overlap, token.renew_before) == (None, None, None, 0.2)
    assert [sink.path for sink in token.sinks] == ["/run/t"]


def test_durations_and_names_are_read() -> None:
    token = desired(expiration_seconds="8h", handle="app", overlap="30m", renew_before="1h", audiences=["b", "a", "b"])
    assert (token.seconds, token.overlap, token.renew_before) == (28800, 1800, 3600)
    assert token.audiences == ("b", "a")


def test_a_set_labels_what_is_made_for_a_token() -> None:
    token = desired("ours", dest=None, sinks=[{**SECRET, "labels": {"a": "1"}}])
    assert token.labels == {"tokenwright/set": "ours"}
    assert token.sinks[0].labels == {"a": "1", "tokenwright/set": "ours"}


BAD: list[tuple[dict[str, Any], str]] = [
    ({"bound_object_ref": POD, "handle": "h"}, "ci/app: bound_object_ref and handle exclude each other"),
    ({"overlap": 60}, "ci/app: overlap needs handle"),
    ({"dest": None}, "ci/app: nothing would keep the token"),
    ({"dest": None, "state": "absent"}, "ci/app: state absent without a handle or a place has nothing to take away"),
    ({"dest": None, "state": "absent", "return_token": True}, "has nothing to take away"),
    ({"bound_object_ref": {"kind": "Pod"}}, "bound_object_ref: kind and name are needed"),
    ({"bound_object_ref": {"name": "web-0"}}, "bound_object_ref: kind and name are needed"),
    ({"bound_object_ref": {**POD, "name": "Web"}}, "bound_object_ref.name: 'Web' is not a valid name"),
    ({"bound_object_ref": {**POD, "uid": ""}}, "bound_object_ref.uid"),
    ({"handle": ""}, "handle is missing"),
    ({"handle": "a.b"}, "handle: 'a.b' is not a valid name"),
    ({"handle": "h", "overlap": -1}, "overlap: -1 is not a duration"),
    ({"sinks": [{"type": "secret"}]}, "sinks[0]: name is needed"),
    ({"sinks": [{**SECRET, "path": "/x"}]}, "sinks[0]: path does not belong to the type secret"),
    ({"sinks": [{**SECRET, "mode": "0600"}]}, "sinks[0]: mode does not belong to the type secret"),
    (
        {"sinks": [{"type": "file", "path": "/x", "format": "token"}]},
        "sinks[0]: format does not belong to the type file",
    ),
    ({"sinks": [{"type": "kubeconfig", "path": "/x", "connection": {}}]}, "connection does not belong to the type"),
    ({"sinks": [{**SECRET, "connection": {}}]}, "sinks[0].connection names no cluster"),
    ({"sinks": [{**SECRET, "connection": {"context": "prod"}}]}, "sinks[0].connection names no cluster"),
    ({"sinks": [{**SECRET, "name": "S"}]}, "sinks[0].name: 'S' is not a valid name"),
    ({"sinks": [{**SECRET, "namespace": "a/b"}]}, "sinks[0].namespace: 'a/b'"),
    ({"sinks": [{**SECRET, "labels": {"a": "b c"}}]}, "sinks[0].labels"),
    ({"sinks": [SECRET, SECRET]}, "sinks: s is given twice"),
    ({"sinks": [SECRET], "bound_object_ref": BOUND}, "ci/app: the Secret s of sinks is what bound_object_ref names"),
    ({"sinks": [{**SECRET, "namespace": "ci"}], "bound_object_ref": BOUND}, "use handle instead"),
    ({"sinks": [SECRET], "bound_object_ref": BOUND, "state": "absent"}, "the Secret s of sinks is what"),
]


@pytest.mark.parametrize(("options", "sentence"), BAD)
def test_what_cannot_be_right_is_said_in_one_sentence(options: dict[str, Any], sentence: str) -> None:
    error = mistake(**options)
    assert sentence in str(error)
    assert error.hint
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "options",
    [
        {"dest": None, "handle": "h", "state": "absent"},
        {"state": "absent"},
        {"dest": None, "return_token": True},
        {"handle": "h", "overlap": 0},
        {"dest": None, "sinks": [SECRET, {**SECRET, "namespace": "other"}]},
        {"sinks": [{**SECRET, "namespace": "other"}, {**SECRET, "name": "other"}], "bound_object_ref": BOUND},
        {"sinks": [{**SECRET, "connection": {"host": "https://a"}}], "bound_object_ref": BOUND},
        {"sinks": [SECRET], "bound_object_ref": {"kind": "Pod", "name": "s"}},
    ],
)
def test_what_is_enough(options: dict[str, Any]) -> None:
    assert desired(**options).account.place == "ci/app"


@pytest.mark.parametrize(
    ("options", "finding"),
    [
        ({"expiration_seconds": "30d"}, []),
        ({"expiration_seconds": "31d"}, ["long_lifetime"]),
        ({"expiration_seconds": "31d", "state": "absent"}, []),
        ({"dest": None, "sinks": [{"type": "file", "path": "/x", "mode": "0644"}]}, ["readable_by_others"]),
    ],
)
def test_risks_that_can_be_seen_in_the_request(options: dict[str, Any], finding: list[str]) -> None:
    assert [found.risk for found in desired(**options).findings] == finding


@pytest.mark.parametrize(
    ("options", "warned"),
    [
        ({"expiration_seconds": 3607, "bound_object_ref": POD}, True),
        ({"expiration_seconds": 3607}, False),
        ({"expiration_seconds": 3600, "bound_object_ref": POD}, False),
        ({"expiration_seconds": 3607, "bound_object_ref": {"kind": "Secret", "name": "s"}}, False),
    ],
)
def test_the_second_that_makes_a_year_is_warned_about(options: dict[str, Any], warned: bool) -> None:
    assert bool(desired(**options).warnings) is warned


# Guard rails.


def rails(namespaces: list[str] | None = None, longest: object = None) -> Rails:
    return Rails.from_params({"allowed_namespaces": namespaces, "max_expiration_seconds": longest})


@pytest.mark.parametrize(
    ("given", "options", "code"),
    [
        (rails(), {"expiration_seconds": "30d"}, None),
        (rails(["ci", "dev"]), {}, None),
        (rails(["dev"]), {}, "namespace_not_allowed"),
        (rails(["dev"]), {"state": "absent"}, "namespace_not_allowed"),
        (rails([]), {}, "namespace_not_allowed"),
        (rails(None, "1h"), {"expiration_seconds": 3600}, None),
        (rails(None, "1h"), {"expiration_seconds": 3601}, "lifetime_not_allowed"),
        (rails(None, "1h"), {"expiration_seconds": 3601, "state": "absent"}, None),
        # the server's default is an hour
        (rails(None, "1h"), {}, None),
        (rails(None, "30m"), {}, "lifetime_not_allowed"),
    ],
)
def test_guard_rails(given: Rails, options: dict[str, Any], code: str | None) -> None:
    token = desired(**options)
    if code is None:
        assert given.checked(token) is token
        return
    with pytest.raises(InputError) as caught:
        given.checked(token)
    assert caught.value.code == code
    assert str(caught.value).startswith("ci/app: ")


@pytest.mark.parametrize("params", [(["A B"], None), (None, "soon"), (None, -1)])
def test_guard_rails_that_mean_nothing_are_refused(params: tuple[list[str] | None, object]) -> None:
    with pytest.raises(InputError):
        rails(*params)


def test_an_item_cannot_move_the_guard_rails() -> None:
    assert not {"allowed_namespaces", "max_expiration_seconds"} & ITEM_OPTIONS.keys()


# Places of two tokens.


@pytest.mark.parametrize(
    ("one", "two", "shared"),
    [
        ({}, {}, "/run/t is the place of 2 tokens (ci/app, ci/app)"),
        ({}, {"service_account": "b"}, "/run/t is the place of 2 tokens (ci/app, ci/b)"),
        ({"handle": "h"}, {"handle": "h", "dest": "/run/u"}, "handle h in ci is the place of 2 tokens"),
        ({}, {"dest": None, "kubeconfig_dest": "/run/t"}, "/run/t is a token file and a kubeconfig"),
        ({}, {"dest": "/run/u"}, None),
        ({"handle": "h"}, {"handle": "h", "namespace": "dev", "dest": "/run/u"}, None),
        ({"dest": None, "kubeconfig_dest": "/k"}, {"dest": None, "kubeconfig_dest": "/k"}, None),
    ],
)
def test_a_place_is_for_one_token(one: dict[str, Any], two: dict[str, Any], shared: str | None) -> None:
    tokens = [desired(**one), desired(**two)]
    if shared is None:
        refuse_shared_places(tokens)
        return
    with pytest.raises(InputError) as caught:
        refuse_shared_places(tokens)
    assert shared in str(caught.value)
