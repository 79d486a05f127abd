# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Guard rails of shared tasks, and options that contradict each other: refused before any request."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task

Options = dict[str, Any]

PLAIN: Options = {"name": "app", "namespace": "ci", "dest": "/x"}
POD = {"kind": "Pod", "name": "web-0"}
SECRET = {"type": "secret", "name": "s"}

REFUSED: list[tuple[Options, str, str]] = [
    # guard rails
    (
        {"allowed_namespaces": ["dev", "test"]},
        "namespace_not_allowed",
        "ci/app: its namespace is not in allowed_namesp",
    ),
    ({"allowed_namespaces": []}, "namespace_not_allowed", "allowed are none"),
    ({"allowed_namespaces": ["dev"], "state": "absent"}, "namespace_not_allowed", "allowed are dev"),
    ({"max_expiration_seconds": "30m"}, "lifetime_not_allowed", "a lifetime of 3600 seconds is over"),
    ({"max_expiration_seconds": 3600, "expiration_seconds": "2h"}, "lifetime_not_allowed", "7200 seconds is over"),
    ({"expiration_seconds": "31d"}, "risk_refused", "add long_lifetime to allow_risks"),
    ({"expiration_seconds": "31d", "risk_policy": "deny"}, "risk_refused", "lives for over 30 days"),
    ({"max_expiration_seconds": "soon"}, "invalid_option", "'soon' is not a duration"),
    ({"allowed_namespaces": ["A"]}, "invalid_option", "allowed_namespaces: 'A'"),
    # contradictions
    ({"bound_object_ref": POD, "handle": "h"}, "invalid_option", "bound_object_ref and handle exclude each other"),
    ({"overlap": "1h"}, "invalid_option", "overlap needs handle"),
    ({"dest": None}, "no_sink", "nothing would keep the token"),
    ({"dest": None, "handle": "h"}, "no_sink", "nothing would keep the token"),
    ({"dest": None, "state": "absent"}, "no_sink", "state absent without a handle or a place"),
    ({"handle": "a.b"}, "invalid_option", "handle: 'a.b' is not a valid name"),
    ({"bound_object_ref": {"kind": "Pod"}}, "invalid_option", "bound_object_ref: kind and name are needed"),
    ({"bound_object_ref": {"kind": "Job", "name": "a"}}, "invalid_option", "kind"),
    ({"verify": "sometimes"}, "invalid_option", "verify"),
    ({"state": "gone"}, "invalid_option", "state"),
    ({"sinks": [{**SECRET, "connection": {}}]}, "invalid_option", "sinks[0].connection names no cluster"),
    ({"sinks": [{**SECRET, "path": "/x"}]}, "invalid_option", "path does not belong to the type secret"),
    ({"sinks": [{**SECRET, "format": "vault"}]}, "invalid_option", "format"),
    ({"prune": True}, "invalid_option", "prune needs set_name"),
    ({"prune": True, "set_name": "s"}, "invalid_option", "prune needs tokens"),
]


@pytest.mark.parametrize(("options", "code", "sentence"), REFUSED)
def test_it_is_refused_in_one_sentence_before_any_request(
    cluster: Cluster, run_task: Task, options: Options, code: str, sentence: str
) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_token", **{**PLAIN, **options})
    assert (result["failed"], result["error"]["code"]) == (True, code)
    assert sentence in result["msg"]
    assert "\n" not in result["msg"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


def test_an_item_cannot_move_the_guard_rails(run_task: Task) -> None:
    for option, value in (("allowed_namespaces", ["ci"]), ("max_expiration_seconds", "1d")):
        result = run_task("k8s_sa_token", tokens=[{**PLAIN, option: value}], allowed_namespaces=["dev"])
        assert result["failed"]
        assert option in result["msg"]


def test_one_item_beyond_the_guard_rails_stops_all_of_them(
    cluster: Cluster, namespace: str, run_task: Task, tmp_path: Path
) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    tokens = [
        {"name": "app", "namespace": namespace, "dest": str(tmp_path / "a")},
        {"name": "app", "namespace": "kube-system", "dest": str(tmp_path / "b")},
    ]
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_token", tokens=tokens, allowed_namespaces=[namespace])
    assert "tokens[1]: kube-system/app: its namespace is not in allowed_namespaces" in result["msg"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    assert list(tmp_path.iterdir()) == []


def test_within_the_guard_rails_nothing_is_different(namespace: str, run_task: Task, tmp_path: Path) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    rails = {"allowed_namespaces": [namespace], "max_expiration_seconds": "2h"}
    options = {"name": "app", "namespace": namespace, "dest": str(tmp_path / "t"), "expiration_seconds": "2h"}
    assert run_task("k8s_sa_token", **options, **rails)["changed"]
    assert not run_task("k8s_sa_token", **options)["changed"]
    assert run_task("k8s_sa_token", **options, **rails, state="absent")["changed"]


def test_a_long_lifetime_is_granted_to_who_names_the_risk(namespace: str, run_task: Task, tmp_path: Path) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    options = {"name": "app", "namespace": namespace, "dest": str(tmp_path / "t"), "expiration_seconds": "31d"}
    made = run_task("k8s_sa_token", **options, allow_risks=["long_lifetime"])
    assert made["token_info"]["granted_seconds"] == 31 * 86400


def test_two_tokens_do_not_share_a_secret_or_a_handle(namespace: str, run_task: Task, tmp_path: Path) -> None:
    # one says the namespace of the Secret, the other means it
    sinks = [[SECRET], [{**SECRET, "namespace": namespace}]]
    tokens: list[Options] = [{"name": f"app-{number}", "sinks": sink} for number, sink in enumerate(sinks)]
    result = run_task("k8s_sa_token", namespace=namespace, tokens=tokens)
    assert f"Secret {namespace}/s" in result["msg"]
    assert "is the place of 2 tokens" in result["msg"]
    tokens = [{"name": f"app-{number}", "handle": "h", "dest": str(tmp_path / str(number))} for number in range(2)]
    result = run_task("k8s_sa_token", namespace=namespace, tokens=tokens)
    assert f"handle h in {namespace} is the place of 2 tokens" in result["msg"]
