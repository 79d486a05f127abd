# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One item or a list of them: merged, run side by side, and reported."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _bulk
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._api import Api
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._auth import Endpoint
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._plan import Outcome, action
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._transport import Connection

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "size": {"type": "int", "default": 3},
    "active": {"type": "bool", "default": True},
    "labels": {"type": "dict"},
    "words": {"type": "list", "elements": "str", "aliases": ["texts"]},
    "password": {"type": "str", "no_log": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}
SPEC = {**_bulk.with_list(OPTIONS, "things"), **_bulk.ARGUMENT_SPEC}


def validated(**args: Any) -> dict[str, Any]:
    """Parameters as Ansible's own validator hands them over."""
    checked = ArgumentSpecValidator(SPEC).validate(args)
    assert checked.error_messages == []
    parameters: dict[str, Any] = checked.validated_parameters
    return parameters


def desire(item: Mapping[str, Any]) -> dict[str, Any]:
    if not item["name"] or item["name"].startswith("bad"):
        raise InputError(f"name: {item['name']} is bad", "take another", code="bad_name")
    return dict(item)


def parse(**args: Any) -> _bulk.Items[dict[str, Any]]:
    return _bulk.parse(validated(**args), OPTIONS, "things", desire, lambda item: str(item["name"]))


DEFAULTS = {"size": 3, "active": True, "labels": None, "words": None, "password": None, "state": "present"}


def test_the_single_form_is_the_list_of_one() -> None:
    single, listed = parse(name="a", size=5), parse(things=[{"name": "a", "size": 5}])
    assert single.desired == listed.desired == ({**DEFAULTS, "name": "a", "size": 5},)
    assert (single.bulk, listed.bulk) == (False, True)


@pytest.mark.parametrize(
    ("task", "item", "expected"),
    [
        ({}, {}, {}),
        ({"size": 7}, {}, {"size": 7}),
        ({"size": 7}, {"size": 9}, {"size": 9}),
        ({}, {"size": 9}, {"size": 9}),
        ({"size": 7}, {"size": 0}, {"size": 0}),
        ({"size": 7}, {"size": None}, {"size": 7}),
        ({}, {"active": False}, {"active": False}),
        ({"active": False}, {"active": True}, {"active": True}),
        ({"active": False}, {}, {"active": False}),
        # values are not mixed
        ({"labels": {"a": "1", "b": "2"}}, {"labels": {"a": "3"}}, {"labels": {"a": "3"}}),
        ({"labels": {"a": "1"}}, {"labels": {}}, {"labels": {}}),
        ({"words": ["a", "b"]}, {"words": ["c"]}, {"words": ["c"]}),
        ({"words": ["a"]}, {"words": []}, {"words": []}),
        ({"words": ["a"]}, {"texts": ["b"]}, {"words": ["b"]}),
        ({"state": "absent"}, {"state": "present"}, {"state": "present"}),
    ],
)
def test_a_value_is_the_items_else_the_tasks_else_the_default(
    task: dict[str, Any], item: dict[str, Any], expected: dict[str, Any]
) -> None:
    (found,) = parse(**task, things=[{"name": "a", **item}]).desired
    assert {key: found[key] for key in ("name", *DEFAULTS)} == {**DEFAULTS, "name": "a", **expected}


def test_suboptions_have_no_defaults_that_would_hide_the_tasks_values() -> None:
    suboptions = SPEC["things"]["options"]
    assert suboptions.keys() == OPTIONS.keys()
    assert suboptions["password"] == {"type": "str", "no_log": True}
    assert suboptions["words"] == OPTIONS["words"]
    assert suboptions["state"] == {"type": "str", "choices": ["present", "absent"]}
    assert OPTIONS["size"]["default"] == 3


def test_an_empty_list_is_a_list_of_nothing() -> None:
    assert parse(things=[]) == _bulk.Items((), bulk=True)


@pytest.mark.parametrize(
    ("args", "message", "code"),
    [
        (
            {"name": "a", "things": []},
            "name and things exclude each other: put name into the items of things",
            "invalid_option",
        ),
        ({"things": [{"name": "bad-1"}]}, "things[0]: name: bad-1 is bad: take another", "bad_name"),
        (
            {"things": [{"name": "a"}, {"name": "bad-1"}, {}, {"name": "b"}]},
            "things[1]: name: bad-1 is bad; things[2]: name: None is bad: take another",
            "bad_name",
        ),
        (
            {"things": [{"name": f"bad-{number}"} for number in range(7)]},
            "; ".join(f"things[{number}]: name: bad-{number} is bad" for number in range(5))
            + "; and 2 more: take another",
            "bad_name",
        ),
        (
            {"things": [{"name": "a"}, {"name": "b"}, {"name": "a", "size": 5}, {"name": "a"}]},
            "things: a is in the list 3 times: keep one entry for each",
            "duplicate",
        ),
        ({"name": "a", "workers": 0}, "workers: 0 is out of range: use 1 to 64", "invalid_option"),
        ({"things": [], "workers": 65}, "workers: 65 is out of range: use 1 to 64", "invalid_option"),
        ({"name": "bad"}, "name: bad is bad: take another", "bad_name"),
    ],
)
def test_what_cannot_be_right_is_refused(args: dict[str, Any], message: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        parse(**args)
    assert (str(caught.value), caught.value.code) == (message, code)


def test_without_an_identity_the_same_may_come_twice() -> None:
    params = validated(things=[{"name": "a"}, {"name": "a"}])
    assert len(_bulk.parse(params, OPTIONS, "things", desire, None).desired) == 2


def test_an_account_beside_the_list_is_refused_too() -> None:
    params = {"things": [], "service_account": "a", "workers": 8}
    with pytest.raises(InputError, match=r"^service_account and things exclude each other"):
        _bulk.parse(params, {"service_account": {"type": "str"}}, "things", desire, str)


# Running.


def begin(item: str) -> Outcome:
    return Outcome({"name": item}, f"ci/{item}")


def broken(item: str) -> ApiError:
    return ApiError(f"cannot make {item}", code="forbidden", hint="ask", http_status=403)


def work(item: str, outcome: Outcome) -> None:
    """Fails for every item that begins with x, after it has written something."""
    if item.startswith("s"):
        return
    outcome.actions.append(action("create", "Thing", "ci", item, "missing"))
    outcome.changed = True
    outcome.reason = "missing"
    outcome.msg = f"{item} is created"
    outcome.returned["thing"] = {"metadata": {"name": item}}
    if item.startswith("x"):
        raise broken(item)


@pytest.mark.parametrize("workers", [1, 4, 64])
def test_all_are_tried_and_reported_in_order(workers: int) -> None:
    items = [f"{'x' if number % 3 == 0 else 'a'}{number}" for number in range(20)]
    outcomes = _bulk.run_all(items, begin, work, {"workers": workers, "fail_fast": False})
    assert [outcome.identity["name"] for outcome in outcomes] == items
    assert [outcome.status == "failed" for outcome in outcomes] == [item.startswith("x") for item in items]
    failed = outcomes[0]
    assert (failed.error, failed.reason, failed.msg) == (broken("x0"), "forbidden", "cannot make x0: ask")
    assert failed.changed


def test_items_run_side_by_side_and_no_more_than_asked_for() -> None:
    together = threading.Barrier(3, timeout=10)
    running, most = set(), []

    def meet(item: int, _outcome: Outcome) -> None:
        running.add(item)
        together.wait()
        most.append(len(running))
        together.wait()
        running.discard(item)
        together.wait()

    _bulk.run_all(range(6), lambda item: begin(str(item)), meet, {"workers": 3, "fail_fast": False})
    assert most == [3] * 6


def test_fail_fast_leaves_the_rest_untried() -> None:
    outcomes = _bulk.run_all(["a", "x", "b", "c"], begin, work, {"workers": 1, "fail_fast": True})
    assert [outcome.status for outcome in outcomes] == ["changed", "failed", "skipped", "skipped"]
    assert (outcomes[3].reason, outcomes[3].msg) == ("fail_fast", "ci/c not tried (fail_fast)")


def test_nothing_to_do_is_done() -> None:
    assert _bulk.run_all([], begin, work, {"workers": 8, "fail_fast": False}) == []


# Results.


@pytest.fixture
def api() -> Api:
    """A connection on which nothing is sent."""
    return Api(Connection(Endpoint("http://127.0.0.1:9", "host", verify=True), request_timeout=1, retry_timeout=0))


def result(api: Api, items: Sequence[str], **arguments: Any) -> dict[str, Any]:
    outcomes = _bulk.run_all(items, begin, work, {"workers": 1, "fail_fast": False})
    return _bulk.as_result(outcomes, api, **{"bulk": True, "check_mode": False, **arguments})


@pytest.mark.parametrize(
    ("items", "arguments", "msg", "reason"),
    [
        (["a", "s", "b"], {}, "2 of 3 changed", "changed"),
        (["a", "s", "b"], {"check_mode": True}, "2 of 3 would be changed", "changed"),
        (["s", "s2"], {}, "all 2 are up to date", "up_to_date"),
        ([], {}, "the list is empty: nothing to do", "up_to_date"),
        ([], {"pruned": []}, "the list is empty: nothing to do; an empty list prunes nothing", "up_to_date"),
        (["s"], {"pruned": []}, "1 of 1 is up to date", "up_to_date"),
        (["s"], {"pruned": [begin("old")]}, "1 of 1 is up to date, 1 pruned", "changed"),
        (
            ["a"],
            {"pruned": [begin("old")], "check_mode": True},
            "1 of 1 would be changed, 1 would be pruned",
            "changed",
        ),
        (["a", "x", "s"], {}, "2 of 3 done; failed: ci/x: cannot make x: ask", "failed"),
        (
            [f"x{number}" for number in range(8)],
            {},
            f"0 of 8 done; failed: {'; '.join(f'ci/x{n}: cannot make x{n}: ask' for n in range(5))}; and 3 more",
            "failed",
        ),
    ],
)
def test_the_sentence_of_a_list(api: Api, items: list[str], arguments: dict[str, Any], msg: str, reason: str) -> None:
    found = result(api, items, **arguments)
    assert (found["msg"], found["reason"]) == (msg, reason)
    assert found.get("failed", False) is (reason == "failed")


def test_the_entries_of_a_list_have_the_keys_of_the_single_form(api: Api) -> None:
    found = result(api, ["a", "s", "x"])
    created = [action("create", "Thing", "ci", name, "missing") for name in ("a", "x")]
    thing = {"metadata": {"name": "a"}}
    assert found["outcomes"][0] == {
        "name": "a",
        "status": "changed",
        "changed": True,
        "reason": "missing",
        "msg": "a is created",
        "actions": created[:1],
        "thing": thing,
    }
    assert found["outcomes"][1]["status"] == "ok"
    assert found["outcomes"][2]["status"] == "failed"
    assert found["outcomes"][2]["error"] == found["error"] == broken("x").details()
    # what was written before the failure is told
    assert found["actions"] == created
    assert found["changed"] is True
    single = result(api, ["a"], bulk=False)
    assert single.items() >= {"changed": True, "reason": "missing", "msg": "a is created", "thing": thing}.items()
    assert "outcomes" not in single


def test_brief_outcomes_say_what_is_not_there_but_not_what_is() -> None:
    outcome = Outcome(identity={"name": "a"}, title="thing ci/a")
    outcome.returned = {"thing": {"metadata": {"name": "a"}}, "gone": None, "missing_rules": [], "risks": ["one"]}
    _bulk.shorten([outcome])
    assert outcome.returned == {"gone": None, "risks": ["one"]}


def test_the_failure_of_a_single_item(api: Api) -> None:
    found = result(api, ["x"], bulk=False)
    assert found["failed"] is True
    assert (found["msg"], found["reason"]) == ("cannot make x: ask", "forbidden")
    assert found["error"] == broken("x").details()
    assert found["changed"] is True


def test_requests_are_counted_and_warnings_said_once(api: Api) -> None:
    outcomes = [begin("a"), begin("b")]
    outcomes[0].warnings, outcomes[1].warnings = ["slow"], ["slow", "late"]
    api.connection.requests, api.connection.retries = 7, 2
    found = _bulk.as_result(outcomes, api, bulk=True, check_mode=False, warnings=["early"])
    assert (found["requests"], found["retries"]) == (7, 2)
    assert found["warnings"] == ["early", "slow", "late"]
    assert "warnings" not in result(api, ["a"])


def test_of_very_many_warnings_the_first_are_said(api: Api) -> None:
    outcomes = [begin(f"{number}") for number in range(12)]
    for outcome in outcomes:
        outcome.warnings = [f"{outcome.title} is coming"]
    found = _bulk.as_result(outcomes, api, bulk=True, check_mode=True)["warnings"]
    assert found == [*(f"ci/{number} is coming" for number in range(10)), "and 2 more warnings of this kind"]
    assert len(_bulk.as_result(outcomes[:10], api, bulk=True, check_mode=True)["warnings"]) == 10


def test_a_diff_has_what_changed(api: Api) -> None:
    def diff(name: str) -> dict[str, Any]:
        return {"before_header": f"ci/{name}", "after_header": f"ci/{name}", "before": None, "after": None}

    assert result(api, ["a", "s", "b"])["diff"] == [diff("a"), diff("b")]
    assert result(api, ["a"], bulk=False)["diff"] == diff("a")
    assert result(api, ["s"], bulk=False)["diff"] == {"before": "", "after": ""}
