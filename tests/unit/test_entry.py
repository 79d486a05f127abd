# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The edge: options checked as Ansible does, and a result in which nothing secret is left."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from faults.odd import account_claims, token, yaml_data
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._auth import ARGUMENT_SPEC as CONNECTION
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import (
    UseCase,
    carries_secret,
    invocation,
    packed,
    perform,
    run_here,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import ConnectError, InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._redact import MASK, Secrets

SPEC: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True},
    "size": {"type": "int", "default": 3},
    "password": {"type": "str", "no_log": True},
    "things": {
        "type": "list",
        "elements": "dict",
        "options": {"name": {"type": "str"}, "password": {"type": "str", "no_log": True}},
    },
    "one": {"type": "dict", "options": {"password": {"type": "str", "no_log": True}}},
    "kubeconfig": CONNECTION["kubeconfig"],
}
NEEDLE = "hunter2-hunter2"
HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"

Work = Callable[[Mapping[str, Any], bool, Secrets], dict[str, Any]]


def use_case(work: Work, **constraints: Any) -> UseCase:
    def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
        return work(params, check_mode, secrets)

    return UseCase(SPEC, run, constraints)


def run(work: Work, *, check_mode: bool = False, diff: bool = True, **args: Any) -> dict[str, Any]:
    return run_here(use_case(work), {"name": "deployer", **args}, check_mode=check_mode, diff=diff)


def echo(params: Mapping[str, Any], check_mode: bool, _secrets: Secrets) -> dict[str, Any]:
    return {"changed": False, "params": dict(params), "check_mode": check_mode}


def test_a_use_case_gets_checked_options_with_their_defaults() -> None:
    found = run(echo, size="5", check_mode=True)
    assert found["params"]["size"] == 5
    assert found["params"]["things"] is None
    assert found["check_mode"] is True


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"size": "big"}, "argument 'size' is of type str and we were unable to convert to int"),
        ({"nme": "x"}, "unsupported option: nme: did you mean name?"),
        ({"things": [{"nme": "x"}]}, "unsupported option: things[0].nme: did you mean name?"),
        ({"things": "x"}, "things is a text, not a list: begin every entry with a dash"),
        ({"name": [NEEDLE]}, "name is a list, not a text: give a single value"),
        ({"size": 10**5000}, "size holds a number of over 300 digits"),
        ({"kubeconfig": f"\ud800{NEEDLE}"}, "kubeconfig holds half a Unicode character (a lone surrogate)"),
    ],
)
def test_options_that_do_not_fit_are_refused_in_one_line(args: dict[str, Any], message: str) -> None:
    found = run(echo, password=NEEDLE, **args)
    assert found["failed"] is True
    assert found["error"]["code"] == "invalid_option"
    # the older core releases write the type in angle brackets and quotes
    assert message in found["msg"].replace("<class 'str'>", "str")
    assert "\n" not in found["msg"]
    assert NEEDLE not in repr(found)
    assert found["invocation"]["module_args"].get("password", HIDDEN) == HIDDEN


def test_constraints_are_ansibles() -> None:
    nameless = run_here(use_case(echo), {}, check_mode=False, diff=False)
    assert nameless["msg"] == "missing required arguments: name"
    both = run_here(
        use_case(echo, mutually_exclusive=[("things", "size")]),
        {"name": "a", "size": 1, "things": []},
        check_mode=False,
        diff=False,
    )
    assert both["msg"] == "parameters are mutually exclusive: things|size"


def test_our_errors_become_results() -> None:
    def fail(*_args: object) -> dict[str, Any]:
        raise ConnectError("no cluster is configured", code="no_connection", hint="set kubeconfig")

    found = run(fail)
    assert found["failed"] is True
    assert found["changed"] is False
    assert found["msg"] == "no cluster is configured: set kubeconfig"
    assert found["error"]["code"] == "no_connection"
    assert found["invocation"]["module_args"]["name"] == "deployer"


@pytest.mark.parametrize("error", [ValueError, KeyError, RecursionError, UnicodeError, AssertionError])
def test_the_text_of_a_foreign_error_is_not_repeated(error: type[Exception]) -> None:
    def fail(*_args: object) -> dict[str, Any]:
        raise error("unregistered-secret")

    found = run(fail)
    assert found["error"]["code"] == "internal"
    assert found["msg"].startswith(f"unexpected {error.__name__} at ")
    assert found["msg"].endswith("please report this with the task that led to it")
    assert "unregistered-secret" not in repr(found)
    # one line of code, by its file's name alone
    place = found["msg"].partition(" at ")[2].partition(": ")[0]
    assert place.startswith("_entry.py:") or place.startswith("test_entry.py:")


class Unspeakable:
    """Something that cannot even be written out."""

    def __str__(self) -> str:
        raise ValueError("unregistered-secret")


def test_without_the_secrets_nothing_is_said() -> None:
    odd: Any = [Unspeakable()]
    found = perform(use_case(echo), {"name": "deployer"}, check_mode=False, diff=False, no_log_values=odd)
    assert found["error"]["code"] == "internal"
    assert found["invocation"] == {"module_args": {}}
    assert "unregistered-secret" not in repr(found)
    assert "deployer" not in repr(found)


def test_a_result_that_cannot_be_presented_is_a_fault_of_ours() -> None:
    def work(*_args: object) -> dict[str, Any]:
        return {"diff": {"before": "", "after": {"key": Unspeakable()}}}

    found = run(work)
    assert (found["failed"], found["error"]["code"]) == (True, "internal")
    assert "unregistered-secret" not in repr(found)


# Secrets.


def leak(text: str) -> Work:
    """A use case that says the text wherever a result has room for one."""

    def work(*_args: object) -> dict[str, Any]:
        entry = {"msg": text, "object": {text: [text, {"deep": text}]}, "number": 5, "nothing": None}
        return {
            **entry,
            "outcomes": [{**entry, "actions": [{"name": text}]}],
            "warnings": [text],
            "diff": {"before": text, "after": {"key": text}},
        }

    return work


WAYS_IN: dict[str, dict[str, Any]] = {
    "option": {"password": NEEDLE},
    "suboption of a list": {"things": [{"password": NEEDLE}]},
    "suboption": {"one": {"password": NEEDLE}},
    "token in a kubeconfig": {"kubeconfig": {"users": [{"name": "u", "user": {"token": NEEDLE}}]}},
    "password in a kubeconfig": {"kubeconfig": {"users": [{"name": "u", "user": {"password": NEEDLE}}]}},
    "key in a kubeconfig": {"kubeconfig": {"users": [{"name": "u", "user": {"client-key-data": NEEDLE}}]}},
    "token of a provider": {
        "kubeconfig": {"users": [{"user": {"auth-provider": {"config": {"refresh-token": NEEDLE, "id-token": "x"}}}}]}
    },
    "kubeconfig as JSON": {"kubeconfig": json.dumps({"users": [{"user": {"token": NEEDLE}}]})},
    "kubeconfig as YAML": {"kubeconfig": f"users:\n- name: u\n  user:\n    token: {NEEDLE}\n"},
    "kubeconfig as YAML in one line": {"kubeconfig": f"users: [{{name: u, user: {{password: {NEEDLE}}}}}]"},
    "kubeconfig with anchors": {"kubeconfig": f"a: &a {{token: {NEEDLE}}}\nb: [*a, *a]\n"},
    "kubeconfig as broken JSON": {"kubeconfig": f"{{{NEEDLE}"},
    "kubeconfig as broken YAML": {"kubeconfig": f"users: [\n- {NEEDLE}"},
    "kubeconfig as broken YAML, deep": {"kubeconfig": f"{NEEDLE}: " + "[" * 2000},
    "kubeconfig as broken YAML, within itself": {"kubeconfig": f"&a {{token: {NEEDLE}, a: *a}}"},
}


@pytest.mark.parametrize("args", WAYS_IN.values(), ids=WAYS_IN)
@pytest.mark.parametrize("diff", [True, False])
def test_no_secret_that_came_in_goes_out(request: pytest.FixtureRequest, args: dict[str, Any], diff: bool) -> None:
    # of what cannot be read nothing is known but the whole
    is_broken = request.node.callspec.id.rpartition("-")[2].startswith("kubeconfig as broken")
    text = args["kubeconfig"] if is_broken else NEEDLE
    for form in (text, base64.b64encode(text.encode()).decode(), f"https://u:{text}@host/", json.dumps({"a": text})):
        found = run(leak(f"it is {form}!"), diff=diff, **args)
        assert text not in repr(found)
        assert MASK in found["msg"]
    assert MASK in repr(run(leak(text), diff=diff, **args))


def test_no_secret_that_was_met_on_the_way_goes_out() -> None:
    def work(_params: object, _check_mode: object, secrets: Secrets) -> dict[str, Any]:
        secrets.add(NEEDLE)
        return leak(NEEDLE)({}, False, secrets)

    assert NEEDLE not in repr(run(work))


def test_a_secret_in_an_error_does_not_go_out() -> None:
    def fail(*_args: object) -> dict[str, Any]:
        raise InputError(f"name: {NEEDLE} is bad", f"not {NEEDLE}", code=NEEDLE)

    assert NEEDLE not in repr(run(fail, password=NEEDLE))


def test_what_was_asked_for_is_handed_over_and_nothing_beside_it() -> None:
    minted = token(account_claims())

    def work(_params: object, _check_mode: object, secrets: Secrets) -> dict[str, Any]:
        secrets.add(minted)
        asked = {"token": minted, "auth": {"api_key": minted}}
        return {**asked, "outcomes": [{**asked, "msg": minted}], "msg": minted}

    found = run(work)
    assert (found["token"], found["auth"]) == (minted, {"api_key": minted})
    assert found["outcomes"] == [{"token": minted, "auth": {"api_key": minted}, "msg": MASK}]
    assert found["msg"] == MASK


def test_a_kubeconfig_of_many_anchors_is_read_once() -> None:
    levels = [f"l{n}: &l{n} [{', '.join([f'*l{n - 1}'] * 9)}]" for n in range(1, 25)]
    content = "\n".join([f"l0: &l0 {{token: {NEEDLE}}}", *levels])
    assert run(leak(f"it is {NEEDLE}"), kubeconfig=content)["msg"] == f"it is {MASK}"


def test_a_number_in_a_kubeconfig_is_a_password_too() -> None:
    content = "users: [{user: {password: 1234567890}}, {user: {token: 2030-01-01}}, {user: {token: null}}]\n"
    found = run(leak("1234567890 until 2030-01-01, null"), kubeconfig=content)
    assert found["msg"] == f"{MASK} until {MASK}, null"


@given(st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=8, max_size=30), yaml_data)
def test_no_secret_of_any_kind_goes_out(secret: str, other: Any) -> None:
    def work(*_args: object) -> dict[str, Any]:
        return {"msg": secret, "other": other, "list": [{secret: secret}]}

    found = perform(
        use_case(work), {"name": "a", "password": secret}, check_mode=False, diff=False, no_log_values=[secret]
    )
    assert found["msg"] == MASK
    assert found["list"] == [{MASK: MASK}]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({}, False),
        ({"outcomes": []}, False),
        ({"outcomes": None}, False),
        ({"token_info": {"token": "x"}}, False),
        ({"token": "x"}, True),
        ({"auth": {}}, True),
        ({"outcomes": [{}, {"token": "x"}]}, True),
        ({"outcomes": [{"auth": {}}]}, True),
    ],
)
def test_whether_a_result_carries_a_secret(result: dict[str, Any], expected: bool) -> None:
    assert carries_secret(result) is expected


# The options as they are shown.


def test_shown_are_known_options_without_their_secrets() -> None:
    params = {
        "name": "a",
        "size": 3,
        "password": NEEDLE,
        "things": [{"name": "b", "password": NEEDLE}, {"name": "c"}, NEEDLE],
        "one": {"password": NEEDLE, "unknown": NEEDLE},
        "unknown": NEEDLE,
    }
    assert invocation(SPEC, params) == {
        "name": "a",
        "size": 3,
        "password": HIDDEN,
        "things": [{"name": "b", "password": HIDDEN}, {"name": "c"}, HIDDEN],
        "one": {"password": HIDDEN},
        "kubeconfig": None,
    }
    assert invocation(SPEC, {"things": NEEDLE, "one": NEEDLE})["things"] == HIDDEN
    assert invocation(SPEC, {"things": NEEDLE, "one": NEEDLE})["one"] == HIDDEN


_misplaced = st.recursive(
    st.just(NEEDLE),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["password", "unknown", NEEDLE]), inner)
    ),
    max_leaves=5,
)


@given(_misplaced, st.sampled_from(["password", "things", "one", "unknown"]))
def test_nothing_is_shown_of_a_secret_of_any_form(value: Any, name: str) -> None:
    assert NEEDLE not in repr(invocation(SPEC, {name: value}))


@pytest.mark.parametrize("path", ["/etc/kubernetes/admin.conf", "~/.kube/config", "a.conf:b.conf"])
def test_a_kubeconfig_that_is_a_path_is_shown_and_said(path: str) -> None:
    found = run(leak(f"{path} does not exist"), kubeconfig=path)
    assert found["invocation"]["module_args"]["kubeconfig"] == path
    assert found["msg"] == f"{path} does not exist"


@pytest.mark.parametrize(
    "content",
    [
        {"users": [{"user": {"exec": {"env": [{"name": "A", "value": NEEDLE}]}}}]},
        json.dumps({"users": [{"user": {"client-certificate-data": NEEDLE}}]}),
        f"apiVersion: v1\nkind: Config\nusers: [{NEEDLE}]\n",
        f"\n{NEEDLE}",
        f"{{{NEEDLE}",
        NEEDLE * 400,
    ],
    ids=["mapping", "JSON", "YAML", "lines", "broken JSON", "long"],
)
def test_a_kubeconfig_that_is_content_is_not_shown(content: Any) -> None:
    def work(*_args: object) -> dict[str, Any]:
        return {}

    found = run(work, kubeconfig=content)
    assert found["invocation"]["module_args"]["kubeconfig"] == HIDDEN
    assert NEEDLE not in repr(found)


@pytest.mark.parametrize(
    ("proxy", "shown"),
    [
        ("http://proxy:3128", "http://proxy:3128"),
        (f"http://jane:{NEEDLE}@proxy:3128", "proxy:3128"),
        (f"http://jane:{NEEDLE}@x@proxy:3128", "proxy:3128"),
    ],
)
def test_a_proxy_is_shown_without_its_password(proxy: str, shown: str) -> None:
    assert invocation(CONNECTION, {"proxy": proxy})["proxy"] == shown


def test_a_kubeconfig_that_is_content_becomes_one_text() -> None:
    content = {"users": [{"name": "u"}]}
    assert packed({"name": "a", "kubeconfig": content}) == {"name": "a", "kubeconfig": json.dumps(content)}
    for args in ({"name": "a"}, {"kubeconfig": "/path"}, {"kubeconfig": json.dumps(content)}):
        assert packed(args) == args


def test_null_is_not_given() -> None:
    given = {"name": None, "kubeconfig": None, "things": [{"name": None, "labels": {"a": None}}, None, "x"], "size": 0}
    assert packed(given) == {"things": [{"labels": {"a": None}}, None, "x"], "size": 0}
    assert run(echo, size=None)["params"]["size"] == 3
    assert run(echo, name=None)["msg"] == "missing required arguments: name"


# Diffs.


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"before": "", "after": ""}, {"before": "", "after": ""}),
        ({"before": None, "after": {"b": 1, "a": [2]}}, {"before": "", "after": "a:\n- 2\nb: 1\n"}),
        (
            {"before_header": "ci/x", "before": [{"a": 1}, {"b": 2}], "after": []},
            {"before_header": "ci/x", "before": "a: 1\n---\nb: 2\n", "after": ""},
        ),
        (
            [{"before": {"a": 1}, "after": None}, {"before": None, "after": None}],
            [{"before": "a: 1\n", "after": ""}, {"before": "", "after": ""}],
        ),
        ([], []),
    ],
)
def test_a_diff_is_yaml(given: Any, expected: Any) -> None:
    def work(*_args: object) -> dict[str, Any]:
        return {"diff": given}

    assert run(work)["diff"] == expected
    assert "diff" not in run(work, diff=False)


def test_without_a_diff_there_is_none() -> None:
    assert "diff" not in run(echo)
