# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Handles: a token for every generation, and what becomes of the ones before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task, predicted_and_done
from faults.proxy import Exchange, FaultProxy
from faults.tokens import aged, claims_of, is_accepted, secret, secret_names

Writes = Callable[[int], list[str]]
Options = dict[str, Any]
PAST = "2020-01-01T00:00:00Z"


@pytest.fixture
def options(run_task: Task, namespace: str, tmp_path: Path) -> Options:
    """An account called app whose token has a handle and one place."""
    run_task("k8s_sa", name="app", namespace=namespace)
    return {"name": "app", "namespace": namespace, "handle": "ci", "dest": str(tmp_path / "t")}


def steps(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(one["verb"], one["kind"], one["name"].rpartition("/")[2], one["reason"]) for one in result["actions"]]


def rotated(run_task: Task, options: Options, **more: Any) -> dict[str, Any]:
    """Predicted and then done: the old token is named, and a new one takes its place."""
    old = claims_of(Path(options["dest"]).read_text())["jti"]
    return predicted_and_done(run_task, {**options, **more, "renew_if_credential_id": old})


def annotate(cluster: Cluster, namespace: str, name: str, **annotations: str) -> None:
    pairs = [f"tokenwright/{key.replace('_', '-')}={value}" for key, value in annotations.items()]
    cluster.kubectl("annotate", "--overwrite", "secret", name, "-n", namespace, *pairs)


def test_a_generation_is_an_empty_secret_that_belongs_to_the_account(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes, tmp_path: Path
) -> None:
    mark = cluster.audit_mark()
    made = predicted_and_done(run_task, options)
    again = predicted_and_done(run_task, options)
    assert steps(made) == [
        ("create", "Secret", "ci-1", "missing"),
        ("create", "TokenRequest", "app", "missing"),
        ("patch", "Secret", "ci-1", "missing"),
        ("update", "File", "t", "missing"),
    ]
    assert [line.split()[:2] for line in writes(mark)] == [
        ["create", "secrets"], ["create", "serviceaccounts/token"], ["patch", "secrets"],
    ]  # fmt: skip
    assert (again["changed"], again["token_info"]) == (False, made["token_info"])
    found, claims = secret(cluster, namespace, "ci-1"), claims_of((tmp_path / "t").read_text())
    assert found
    metadata = found["metadata"]
    assert (found["type"], "data" in found, metadata["labels"]) == ("Opaque", False, {"tokenwright/handle": "ci"})
    assert metadata["annotations"] == {
        "tokenwright/service-account": "app",
        "tokenwright/token-expires-at": made["token_info"]["expires_at"],
        "tokenwright/credential-id": claims["jti"],
    }
    owner = {"apiVersion": "v1", "kind": "ServiceAccount", "name": "app", "uid": made["token_info"]["uid"]}
    assert metadata["ownerReferences"] == [owner]
    assert claims["kubernetes.io"]["secret"] == {"name": "ci-1", "uid": metadata["uid"]}
    bound = {"kind": "Secret", "name": "ci-1", "uid": metadata["uid"]}
    assert (made["token_info"]["handle"], made["token_info"]["bound_object_ref"]) == ("ci", bound)
    assert made["verified"] is True


def test_without_an_overlap_the_one_before_lives_as_long_as_its_token(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    run_task("k8s_sa_token", **options)
    old = (tmp_path / "t").read_text()
    done = rotated(run_task, options)
    assert steps(done) == [
        ("create", "Secret", "ci-2", "requested"),
        ("create", "TokenRequest", "app", "requested"),
        ("patch", "Secret", "ci-2", "requested"),
        ("update", "File", "t", "requested"),
        ("patch", "Secret", "ci-1", "superseded"),
    ]
    assert is_accepted(cluster, old)
    assert not predicted_and_done(run_task, options)["changed"]
    annotate(cluster, namespace, "ci-1", token_expires_at=PAST)
    over = predicted_and_done(run_task, options)
    assert steps(over) == [("delete", "Secret", "ci-1", "expired")]
    assert over["reason"] == "expired"
    assert "older tokens" in over["msg"]
    assert secret_names(cluster, namespace) == ["ci-2"]


def test_with_an_overlap_the_one_before_lives_so_long(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_sa_token", **options, overlap="1h")
    rotated(run_task, options, overlap="1h")
    assert not predicted_and_done(run_task, {**options, "overlap": "1h"})["changed"]
    annotate(cluster, namespace, "ci-1", superseded_at=PAST)
    assert steps(predicted_and_done(run_task, {**options, "overlap": "1h"})) == [
        ("delete", "Secret", "ci-1", "superseded")
    ]
    assert secret_names(cluster, namespace) == ["ci-2"]


def test_without_any_overlap_the_one_before_goes_at_once(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_sa_token", **options, overlap=0)
    assert steps(rotated(run_task, options, overlap=0))[-1] == ("delete", "Secret", "ci-1", "superseded")
    assert secret_names(cluster, namespace) == ["ci-2"]


def test_rotation_on_demand_is_not_repeated(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    run_task("k8s_sa_token", **options)
    wish = {**options, "renew_if_credential_id": claims_of((tmp_path / "t").read_text())["jti"]}
    assert run_task("k8s_sa_token", **wish)["reason"] == "requested"
    assert run_task("k8s_sa_token", **wish)["reason"] == "up_to_date"
    assert secret_names(cluster, namespace) == ["ci-1", "ci-2"]


def test_a_handle_is_of_one_account(run_task: Task, namespace: str, options: Options, tmp_path: Path) -> None:
    run_task("k8s_sa_token", **options)
    run_task("k8s_sa", name="other", namespace=namespace)
    for check_mode in (True, False):
        for state in ("present", "absent"):
            taken = {**options, "name": "other", "dest": str(tmp_path / "u"), "state": state}
            refused = run_task("k8s_sa_token", check_mode=check_mode, **taken)
            assert refused["error"]["code"] == "handle_taken"
            assert f"handle ci is in use for the account {namespace}/app" in refused["msg"]
    assert not run_task("k8s_sa_token", **options)["changed"]


def test_a_foreign_secret_in_the_way_of_the_next_name_is_passed_by(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "secret", "generic", "ci-1", "-n", namespace, "--from-literal=a=b")
    made = predicted_and_done(run_task, options)
    assert made["token_info"]["bound_object_ref"]["name"] == "ci-2"
    assert (secret(cluster, namespace, "ci-1") or {})["data"] == {"a": "Yg=="}
    assert not predicted_and_done(run_task, options)["changed"]


def test_a_deleted_generation_is_noticed(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    run_task("k8s_sa_token", **options)
    cluster.kubectl("delete", "secret", "ci-1", "-n", namespace)
    assert predicted_and_done(run_task, options)["reason"] == "binding_changed"
    assert is_accepted(cluster, (tmp_path / "t").read_text())


def test_a_token_that_is_due_gets_a_new_generation(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    run_task("k8s_sa_token", **options)
    (tmp_path / "t").write_text(aged(cluster, (tmp_path / "t").read_text(), 3000))
    assert predicted_and_done(run_task, options)["reason"] == "expiring"
    assert secret_names(cluster, namespace) == ["ci-1", "ci-2"]


def test_nothing_is_retired_before_the_new_token_is_in_all_places(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    run_task("k8s_sa_token", **options, overlap=0)
    old = (tmp_path / "t").read_text()
    cluster.kubectl("create", "secret", "generic", "full", "-n", namespace)
    cluster.kubectl("patch", "secret", "full", "-n", namespace, "-p", '{"immutable": true}')
    sinks = [{"type": "secret", "name": "full"}]
    refused = run_task("k8s_sa_token", **options, sinks=sinks, renew_if_credential_id=claims_of(old)["jti"])
    assert refused["error"]["code"] == "immutable"
    assert ((tmp_path / "t").read_text(), secret_names(cluster, namespace)) == (old, ["ci-1", "full"])
    assert is_accepted(cluster, old)


def test_an_account_that_is_recreated_meanwhile_owns_the_generation(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    def recreate(exchange: Exchange) -> None:
        if exchange.path.endswith("/token"):
            fault_proxy.on_request = None
            cluster.kubectl("delete", "serviceaccount", "app", "-n", namespace)
            cluster.kubectl("create", "serviceaccount", "app", "-n", namespace)

    fault_proxy.on_request = recreate
    made = run_task("k8s_sa_token", **options, kubeconfig=str(fault_proxy.kubeconfig))
    assert not made.get("failed"), made["msg"]
    account = json.loads(cluster.kubectl("get", "serviceaccount", "app", "-n", namespace, "-o", "json").stdout)
    assert made["token_info"]["uid"] == account["metadata"]["uid"]
    # else the garbage collector deletes it in a moment, and the token dies
    name = made["token_info"]["bound_object_ref"]["name"]
    owners = (secret(cluster, namespace, name) or {})["metadata"]["ownerReferences"]
    assert [owner["uid"] for owner in owners] == [account["metadata"]["uid"]]


# Sets.


def test_pruning_takes_handles_and_secrets_that_left_the_list_and_nothing_else(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    ours = f"set-{namespace}"
    one = {**options, "sinks": [{"type": "secret", "name": "one"}]}
    two = {"name": "app", "handle": "cd", "dest": str(tmp_path / "u"), "sinks": [{"type": "secret", "name": "two"}]}
    # of other modules, of nobody, and of a set of another name
    run_task("k8s_sa", accounts=[{"name": "bystander"}], namespace=namespace, set_name=ours)
    for name, label in (("theirs", f"tokenwright/set={ours}"), ("other", "tokenwright/set=other")):
        cluster.kubectl("create", "secret", "generic", name, "-n", namespace)
        cluster.kubectl("label", "secret", name, "-n", namespace, label)
    tokens = [{key: value for key, value in item.items() if key != "namespace"} for item in (one, two)]
    run_task("k8s_sa_token", namespace=namespace, set_name=ours, tokens=tokens)
    labels = (secret(cluster, namespace, "two") or {})["metadata"]["labels"]
    assert labels == {"tokenwright/set": ours, "tokenwright/token-format": "token"}
    assert (secret(cluster, namespace, "cd-1") or {})["metadata"]["labels"]["tokenwright/set"] == ours
    less = {"namespace": namespace, "set_name": ours, "prune": True, "tokens": tokens[:1]}
    done = predicted_and_done(run_task, less)
    assert steps(done) == [("delete", "Secret", "two", "not_in_list"), ("delete", "Secret", "cd-1", "not_in_list")]
    assert secret_names(cluster, namespace) == ["ci-1", "one", "other", "theirs"]
    assert cluster.kubectl("get", "serviceaccount", "bystander", "-n", namespace).returncode == 0
    assert not predicted_and_done(run_task, less)["changed"]


def test_what_is_taken_back_in_the_list_is_not_pruned_a_second_time(
    namespace: str, run_task: Task, options: Options
) -> None:
    item = {key: value for key, value in options.items() if key != "namespace"}
    item["sinks"] = [{"type": "secret", "name": "one"}]
    listed = {"namespace": namespace, "set_name": f"set-{namespace}", "prune": True, "verify": "never"}
    run_task("k8s_sa_token", **listed, tokens=[item])
    done = predicted_and_done(run_task, {**listed, "tokens": [{**item, "state": "absent"}]})
    assert [step[:3] for step in steps(done)] == [
        ("delete", "Secret", "ci-1"), ("delete", "File", "t"), ("delete", "Secret", "one"),
    ]  # fmt: skip


def test_a_secret_that_is_reached_by_a_connection_of_its_own_is_not_pruned(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    item = {key: value for key, value in options.items() if key != "namespace"}
    connection = {"kubeconfig": str(cluster.kubeconfig)}
    item["sinks"] = [{"type": "secret", "name": "one", "connection": connection}]
    listed = {"namespace": namespace, "set_name": f"set-{namespace}", "prune": True, "tokens": [item]}
    predicted_and_done(run_task, listed)
    assert secret_names(cluster, namespace) == ["ci-1", "one"]
    assert not predicted_and_done(run_task, listed)["changed"]


def test_a_handle_that_is_left_behind_is_named(run_task: Task, options: Options) -> None:
    run_task("k8s_sa_token", **options)
    handle = options.pop("handle")
    for check_mode in (True, False):
        changed = run_task("k8s_sa_token", check_mode=check_mode, **options)
        assert changed["reason"] == "binding_changed"
        assert any(f"handle {handle} of" in warning for warning in changed["warnings"])
    assert "warnings" not in run_task("k8s_sa_token", **options)


def test_a_handle_follows_its_token_into_another_set(namespace: str, run_task: Task, options: Options) -> None:
    token = {key: value for key, value in options.items() if key != "namespace"}
    other = {"name": "app", "dest": f"{options['dest']}-other", "handle": "other"}

    def declare(name: str, *tokens: dict[str, Any], check_mode: bool = False) -> dict[str, Any]:
        listed = {"namespace": namespace, "tokens": list(tokens), "set_name": name, "prune": True}
        return run_task("k8s_sa_token", check_mode=check_mode, **listed)

    declare("a", token, other)
    predicted = declare("b", token, check_mode=True)
    moved = declare("b", token)
    assert predicted["actions"] == moved["actions"]
    assert [(one["verb"], one["reason"]) for one in moved["actions"]] == [("patch", "set_changed")]
    assert not declare("a", other)["changed"]
    assert not declare("b", token)["changed"]


def test_a_place_must_not_be_called_like_a_generation(run_task: Task, options: Options) -> None:
    refused = run_task("k8s_sa_token", **options, sinks=[{"type": "secret", "name": "ci-7"}])
    assert "is called like those of the handle ci" in refused["msg"]
