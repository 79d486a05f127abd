# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What goes wrong between us and the server: what is tried again, what is kept, and what the next run makes good."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task
from faults.proxy import Exchange, FaultProxy
from faults.rules import Fault
from faults.tokens import aged, caller_who_may, claims_of, is_accepted, secret, secret_names, values

Writes = Callable[[int], list[str]]
Options = dict[str, Any]

MINT = "/token$"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "t"


@pytest.fixture
def options(run_task: Task, namespace: str, place: Path, fault_proxy: FaultProxy) -> Options:
    """An account called app, one place for its token, and a way to the server on which things go wrong."""
    run_task("k8s_sa", name="app", namespace=namespace)
    proxied = {"kubeconfig": str(fault_proxy.kubeconfig), "retry_timeout": 1}
    return {"name": "app", "namespace": namespace, "dest": str(place), **proxied}


@pytest.fixture
def mints(writes: Writes) -> Callable[[int], int]:
    """How many TokenRequests were sent since a mark."""
    return lambda mark: sum("serviceaccounts/token" in line for line in writes(mark))


# Lost answers.


@pytest.mark.parametrize("kind", ["eof", "reset", "truncate"])
def test_after_a_lost_answer_one_more_token_is_minted_and_that_is_said(
    cluster: Cluster, run_task: Task, options: Options, fault_proxy: FaultProxy, mints: Callable[[int], int], kind: Any
) -> None:
    fault_proxy.inject(Fault("POST", MINT, kind, "after"))
    mark = cluster.audit_mark()
    made = run_task("k8s_sa_token", **options)
    assert not made.get("failed"), made["msg"]
    assert (made["ambiguous_mints"], mints(mark)) == (1, 2)
    assert "was lost: a token nobody knows may live until it expires" in made["warnings"][0]
    again = run_task("k8s_sa_token", **options)
    assert (again["changed"], again["ambiguous_mints"]) == (False, 0)


def test_after_two_lost_answers_it_fails_and_says_how_many(
    cluster: Cluster,
    run_task: Task,
    options: Options,
    fault_proxy: FaultProxy,
    mints: Callable[[int], int],
    place: Path,
) -> None:
    fault_proxy.inject(Fault("POST", MINT, "eof", "after", times=None))
    mark = cluster.audit_mark()
    lost = run_task("k8s_sa_token", **options)
    assert (lost["failed"], lost["error"]["code"], lost["ambiguous_mints"], mints(mark)) == (True, "ambiguous", 2, 2)
    assert "run the task again" in lost["msg"]
    assert not place.exists()
    fault_proxy.clear()
    assert run_task("k8s_sa_token", **options)["reason"] == "missing"


def test_a_lost_token_of_a_handle_goes_with_its_generation(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    fault_proxy.inject(Fault("POST", MINT, "eof", "after", times=None))
    assert run_task("k8s_sa_token", **options, handle="ci")["error"]["code"] == "ambiguous"
    assert secret_names(cluster, namespace) == []


def test_a_lost_answer_to_a_new_generation_is_no_lost_token(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    options: Options,
    fault_proxy: FaultProxy,
    mints: Callable[[int], int],
) -> None:
    fault_proxy.inject(Fault("POST", "/secrets$", "eof", "after"))
    mark = cluster.audit_mark()
    first = run_task("k8s_sa_token", **options, handle="ci")
    assert first["ambiguous_mints"] == 0
    assert not any("TokenRequest" in said for said in first.get("warnings", []))
    second = run_task("k8s_sa_token", **options, handle="ci")
    assert not second.get("failed"), second["msg"]
    assert mints(mark) == 1
    # nothing is orphaned: what was made without our knowing is used, or deleted
    bound = second["token_info"]["bound_object_ref"]["name"]
    assert secret_names(cluster, namespace) == [bound]


def test_a_generation_of_another_run_is_not_taken_for_ours(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    account = json.loads(cluster.kubectl("get", "serviceaccount", "app", "-n", namespace, "-o", "json").stdout)
    owner = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "app", "uid": account["metadata"]["uid"]}
    metadata = {
        "name": "ci-1",
        "labels": {"tokenwright/handle": "ci"},
        "annotations": {"tokenwright/service-account": "app", "tokenwright/creation": "theirs"},
        "ownerReferences": [owner],
    }

    def be_faster(exchange: Exchange) -> None:
        if (exchange.method, exchange.path.endswith("/secrets")) == ("POST", True):
            fault_proxy.on_request = None
            body = {"apiVersion": "v1", "kind": "Secret", "metadata": metadata}
            cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(body))

    fault_proxy.on_request = be_faster
    # the server never hears of ours
    fault_proxy.inject(Fault("POST", "/secrets$", "eof"))
    made = run_task("k8s_sa_token", **options, handle="ci")
    assert not made.get("failed"), made["msg"]
    assert made["token_info"]["bound_object_ref"]["name"] == "ci-2"
    theirs = (secret(cluster, namespace, "ci-1") or {})["metadata"]["annotations"]
    assert theirs == metadata["annotations"]


def test_a_lost_answer_to_a_note_on_a_generation_leaves_nothing_behind(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    fault_proxy.inject(Fault("PATCH", "/secrets/ci-1$", "eof", "after"))
    run_task("k8s_sa_token", **options, handle="ci")
    done = run_task("k8s_sa_token", **options, handle="ci")
    assert not done.get("failed"), done["msg"]
    bound = done["token_info"]["bound_object_ref"]["name"]
    assert secret_names(cluster, namespace) == [bound]
    assert not run_task("k8s_sa_token", **options, handle="ci")["changed"]


@pytest.mark.parametrize(("method", "path"), [("POST", "/secrets$"), ("PATCH", "/secrets/s$")])
def test_a_lost_answer_to_a_stored_token_is_found_stored_by_the_next_run(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    options: Options,
    fault_proxy: FaultProxy,
    mints: Callable[[int], int],
    method: str,
    path: str,
) -> None:
    options = {**options, "dest": None, "sinks": [{"type": "secret", "name": "s"}]}
    if method == "PATCH":
        cluster.kubectl("create", "secret", "generic", "s", "-n", namespace)
    mark = cluster.audit_mark()
    # the first one is the rehearsal
    fault_proxy.inject(Fault(method, path, "eof", "after", nth=2))
    lost = run_task("k8s_sa_token", **options)
    assert lost.get("failed") is None or "the new token is lost and lives until" not in lost["msg"], lost["msg"]
    again = run_task("k8s_sa_token", **options)
    assert not again.get("failed"), again["msg"]
    assert (again["changed"], mints(mark)) == (False, 1)
    assert is_accepted(cluster, values(cluster, namespace, "s")["token"])


def test_a_token_that_could_not_be_stored_is_said_to_live(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    options = {**options, "dest": None, "sinks": [{"type": "secret", "name": "s"}]}
    fault_proxy.inject(Fault("POST", "/secrets$", "answer", status=403, nth=2))
    lost = run_task("k8s_sa_token", **options)
    assert lost["failed"]
    assert "the new token is lost and lives until 20" in lost["msg"]
    assert secret_names(cluster, namespace) == []
    assert run_task("k8s_sa_token", **options)["reason"] == "missing"


def test_a_token_that_reached_one_place_is_not_lost(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    options: Options,
    fault_proxy: FaultProxy,
    mints: Callable[[int], int],
) -> None:
    options = {**options, "dest": None, "sinks": [{"type": "secret", "name": name} for name in ("one", "two")]}
    mark = cluster.audit_mark()
    # two rehearsals, then one that goes well
    fault_proxy.inject(Fault("POST", "/secrets$", "answer", status=403, nth=4))
    failed = run_task("k8s_sa_token", **options)
    assert failed["failed"]
    assert "is lost" not in failed["msg"]
    assert secret_names(cluster, namespace) == ["one"]
    done = run_task("k8s_sa_token", **options)
    assert (done["reason"], mints(mark)) == ("sink_changed", 1)
    assert values(cluster, namespace, "one")["token"] == values(cluster, namespace, "two")["token"]


# A renewal that fails.

LATER: list[tuple[str, Fault]] = [
    ("500", Fault("POST", MINT, "answer", status=500, times=None)),
    ("503", Fault("POST", MINT, "answer", status=503, times=None)),
    ("503 for a while", Fault("POST", MINT, "answer", status=503, headers=[("Retry-After", "1")], times=None)),
    ("429", Fault("POST", MINT, "answer", status=429, headers=[("Retry-After", "1")], times=None)),
    ("reset", Fault("POST", MINT, "reset", times=None)),
    ("refused", Fault("POST", MINT, "refuse")),
]


def make_due(cluster: Cluster, place: Path, seconds: int = 3000) -> None:
    """Let the token in the place be that old; one of an hour then has ten minutes left."""
    place.write_text(aged(cluster, place.read_text(), seconds))


@pytest.fixture
def due(cluster: Cluster, run_task: Task, options: Options, place: Path) -> Options:
    """The options of a token of an hour that has ten minutes left and is due."""
    run_task("k8s_sa_token", **options)
    make_due(cluster, place)
    return options


@pytest.mark.parametrize("fault", [fault for dummy, fault in LATER], ids=[name for name, dummy in LATER])
def test_a_token_that_is_only_due_stays_when_it_cannot_be_renewed_for_now(
    run_task: Task, due: Options, fault_proxy: FaultProxy, place: Path, fault: Fault
) -> None:
    before = place.read_text()
    fault_proxy.inject(fault)
    kept = run_task("k8s_sa_token", **due, return_token=True)
    assert not kept.get("failed"), kept["msg"]
    assert (kept["renewal_failed"], kept["changed"], kept["reason"], kept["actions"]) == (True, False, "expiring", [])
    assert "could not be renewed and stays" in kept["msg"]
    assert any("could not be renewed and stays for now" in said for said in kept["warnings"])
    assert kept["token"] == place.read_text() == before
    assert kept["token_info"]["credential_id"] == claims_of(before)["jti"]
    fault_proxy.clear()
    renewed = run_task("k8s_sa_token", **due)
    assert (renewed["changed"], renewed["reason"], renewed["renewal_failed"]) == (True, "expiring", False)


def test_a_strict_renewal_fails(run_task: Task, due: Options, fault_proxy: FaultProxy, place: Path) -> None:
    before = place.read_text()
    fault_proxy.inject(LATER[0][1])
    failed = run_task("k8s_sa_token", **due, strict_renewal=True)
    assert (failed["failed"], failed["error"]["http_status"], failed["renewal_failed"]) == (True, 500, False)
    assert place.read_text() == before


def test_a_lost_right_is_a_failure(cluster: Cluster, namespace: str, run_task: Task, due: Options) -> None:
    limited = str(caller_who_may(cluster, namespace, ("get", "serviceaccounts")))
    failed = run_task("k8s_sa_token", **{**due, "kubeconfig": limited})
    assert (failed["failed"], failed["error"]["code"]) == (True, "forbidden")
    rule = {"apiGroups": [""], "resources": ["serviceaccounts/token"], "verbs": ["create"], "resourceNames": ["app"]}
    assert failed["error"]["rbac_rule"] == rule


def test_a_token_with_another_fault_does_not_stay(run_task: Task, due: Options, fault_proxy: FaultProxy) -> None:
    fault_proxy.inject(LATER[0][1])
    failed = run_task("k8s_sa_token", **due, audiences=["vault"])
    assert (failed["failed"], failed["error"]["http_status"]) == (True, 500)


def test_a_token_that_is_due_does_not_stay_for_a_place_with_another_fault(
    run_task: Task, options: Options, fault_proxy: FaultProxy, tmp_path: Path, cluster: Cluster
) -> None:
    options |= {"sinks": [{"type": "file", "path": str(tmp_path / "u")}]}
    run_task("k8s_sa_token", **options)
    make_due(cluster, tmp_path / "u")
    (tmp_path / "t").write_text("damaged")
    fault_proxy.inject(LATER[0][1])
    failed = run_task("k8s_sa_token", **options)
    assert (failed["failed"], failed["error"]["http_status"]) == (True, 500)


def test_a_token_with_less_than_a_minute_left_does_not_stay(
    cluster: Cluster, run_task: Task, due: Options, fault_proxy: FaultProxy, place: Path
) -> None:
    make_due(cluster, place, 3545)
    fault_proxy.inject(LATER[0][1])
    failed = run_task("k8s_sa_token", **due)
    assert (failed["failed"], failed["error"]["http_status"]) == (True, 500)


def test_a_failed_renewal_with_a_handle_leaves_the_row_as_it_was(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy, place: Path
) -> None:
    options |= {"handle": "ci", "overlap": 0}
    run_task("k8s_sa_token", **options)
    make_due(cluster, place)
    fault_proxy.inject(LATER[0][1])
    kept = run_task("k8s_sa_token", **options)
    assert (kept.get("failed"), kept["renewal_failed"]) == (None, True)
    assert secret_names(cluster, namespace) == ["ci-1"]
    assert is_accepted(cluster, place.read_text())
    # what was made for it is gone again, so on balance nothing has changed
    assert kept["changed"] is False


def test_in_a_list_the_others_are_renewed(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    run_task("k8s_sa", name="other", namespace=namespace)
    shared = {key: value for key, value in options.items() if key not in ("name", "dest")}
    tokens = [{"name": name, "dest": str(tmp_path / name)} for name in ("app", "other")]
    run_task("k8s_sa_token", **shared, tokens=tokens)
    for token in tokens:
        make_due(cluster, Path(token["dest"]))
    fault_proxy.inject(Fault("POST", "/app/token$", "answer", status=503, times=None))
    done = run_task("k8s_sa_token", **shared, tokens=tokens)
    assert not done.get("failed"), done["msg"]
    assert [(one["renewal_failed"], one["changed"]) for one in done["outcomes"]] == [(True, False), (False, True)]


# Questions whose answers are lost.


def test_a_lost_review_is_asked_again(run_task: Task, options: Options, fault_proxy: FaultProxy) -> None:
    run_task("k8s_sa_token", **options)
    fault_proxy.inject(Fault("POST", "/tokenreviews$", "eof", "after"))
    again = run_task("k8s_sa_token", **{**options, "retry_timeout": 30})
    assert (again["changed"], again["verified"], again["retries"]) == (False, True, 1)


def test_a_review_that_nobody_answers_changes_nothing(
    cluster: Cluster, run_task: Task, options: Options, fault_proxy: FaultProxy, place: Path, writes: Writes
) -> None:
    run_task("k8s_sa_token", **options)
    before = place.read_text()
    mark = cluster.audit_mark()
    fault_proxy.inject(Fault("POST", "/tokenreviews$", "answer", status=500, times=None))
    began = time.monotonic()
    failed = run_task("k8s_sa_token", **options)
    assert (failed["failed"], failed["error"]["http_status"]) == (True, 500)
    assert time.monotonic() - began < 20
    assert (place.read_text(), writes(mark)) == (before, [])
