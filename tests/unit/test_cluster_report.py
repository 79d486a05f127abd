# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is said of many clusters."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.filter.cluster_failure import cluster_failure
from ansible_collections.tokenwright.kubernetes.plugins.filter.cluster_report import cluster_report
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._cluster_report import (
    Cluster,
    failure_sentence,
    report,
)

# put together here, so that no file holds anything that looks like a token
TOKEN = ".".join(["eyJ" + "hbGciOiJSUzI1NiJ9", "eyJ" + "zdWIiOiJhIn0", "c2lnbmF0dXJlLXNpZ25hdHVyZQ"])

DEPLOYER = ["+ account  ci/deployer", "  grant    edit in ci", ""]
APP = ["  account  ci/app", "~ token    /run/app (expiring)", "  expires  2026-11-22T15:00:00Z", ""]
PLAIN = ["  account  ci/plain", "  access   proven: 2 allowed, 1 refused", ""]
MOVED = ["  secret   ci/old of app", "~ done     moved", "  wait     until nobody uses it"]
WAITS = ["  secret   ci/other of app", "  wait     until nobody uses it"]


def said(*summary: str, failure: str = "", check_mode: bool = False) -> str:
    """The status and the message of one cluster."""
    (row,) = report([Cluster("east", failure, summary)], check_mode=check_mode)["clusters"]
    return f"{row['status']}: {row['message']}"


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ([*DEPLOYER, *APP, *PLAIN, "+ created, ~ changed"], "changed: 2 of 3 accounts changed, 1 account proven"),
        ([*PLAIN, "nothing changed"], "ok: nothing changed, 1 account proven"),
        ([*PLAIN, *PLAIN, "nothing changed"], "ok: nothing changed, 2 accounts proven"),
        (["- left     RoleBinding ci/gone", "- removed"], "changed: 1 left the set"),
        (
            [*APP, "- left     Secret ci/gone", "~ changed, - removed"],
            "changed: 1 of 1 accounts changed, 1 left the set",
        ),
        (["the list is empty"], "ok: the list is empty"),
        ([*MOVED, "", *WAITS], "changed: 1 of 2 entries changed"),
        (WAITS, "ok: nothing to do at this time"),
        ([], "failed: the run ended before it came to this cluster"),
    ],
)
def test_a_summary_becomes_a_line(summary: list[str], expected: str) -> None:
    assert said(*summary) == expected


def test_check_mode_says_what_would_be() -> None:
    summary = [*DEPLOYER, "- left     Secret ci/gone", "+ would be created, - would be removed"]
    assert said(*summary, check_mode=True) == "changed: 1 of 1 accounts would change, 1 would leave the set"


def test_what_failed_is_said_whatever_was_changed_before() -> None:
    assert said(*DEPLOYER, "+ created", failure="Declare grants: no") == "failed: Declare grants: no"


def test_the_lines_stand_below_each_other_and_many_are_counted() -> None:
    clusters = [
        Cluster("east", "", ["nothing changed"]),
        Cluster("north-1", "", [*DEPLOYER, "+ created"]),
        Cluster("west", "Declare accounts: cannot", []),
    ]
    assert report(clusters, check_mode=False)["lines"] == [
        "east     ok       nothing changed",
        "north-1  changed  1 of 1 accounts changed",
        "west     FAILED   Declare accounts: cannot",
        "3 clusters: 1 ok, 1 changed, 1 FAILED",
    ]
    assert len(report(clusters[:1], check_mode=False)["lines"]) == 1
    assert report([], check_mode=False) == {"lines": [], "clusters": []}


def test_a_long_sentence_is_cut_where_it_is_printed_and_nowhere_else() -> None:
    long = "Declare accounts: " + " ".join(f"ci/account-{number}" for number in range(100))
    found = report([Cluster("east", long, [])], check_mode=False)
    assert found["clusters"][0]["message"] == long
    (line,) = found["lines"]
    assert len(line) < 270
    assert line.endswith(" ...")


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        ({"msg": "no"}, "Try: no"),
        ({"msg": "Task failed: no\n  such file"}, "Try: no such file"),
        ({"msg": "Task failed: The filter plugin 'a.b.c' failed: no connection"}, "Try: no connection"),
        ({"msg": "all", "results": [{"failed": False, "msg": "a"}, {"failed": True, "msg": "b"}]}, "Try: b"),
        ({"censored": "hidden"}, "Try: failed, and Ansible does not show its result"),
        ({"msg": None}, "Try: failed, and Ansible does not show its result"),
        ({"msg": f"refused {TOKEN}", "token": TOKEN}, "Try: refused ********"),
        ({"msg": "Authorization: Bearer abcdefgh12345678"}, "Try: Authorization: Bearer ********"),
    ],
)
def test_a_failure_is_one_sentence_without_secrets(result: dict[str, Any], expected: str) -> None:
    assert failure_sentence("Try", result) == expected
    assert cluster_failure(result, "Try") == expected


@given(st.dictionaries(st.sampled_from(["msg", "results"]), st.one_of(st.none(), st.text(), st.lists(st.none()))))
def test_no_result_is_too_odd(result: dict[str, Any]) -> None:
    sentence = failure_sentence("Try", result)
    assert sentence.startswith("Try: ")
    assert "\n" not in sentence


def test_what_cannot_be_told_is_one_sentence() -> None:
    with pytest.raises(AnsibleFilterError, match="is not a result: give it ansible_failed_result"):
        cluster_failure("no", "Try")
    with pytest.raises(AnsibleFilterError, match="has 2 names, 1 failures and 2 summaries"):
        cluster_report(["a", "b"], [""], [[], []])


def test_the_filter_reports_what_ansible_gives_it() -> None:
    found = cluster_report(["east", "west"], iter(["", "no"]), iter([["nothing changed"], []]))
    assert [row["status"] for row in found["clusters"]] == ["ok", "failed"]
