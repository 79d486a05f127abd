# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Tokens that are bound to a Pod, a Secret or a Node of the user's."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task
from faults.tokens import GET_ACCOUNT, MINT, caller_who_may, claims_of, is_accepted

Writes = Callable[[int], list[str]]
Options = dict[str, Any]
Make = Callable[..., str]
NOBODYS_UID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def options(run_task: Task, namespace: str, tmp_path: Path) -> Options:
    """An account called app, and one place for its token."""
    run_task("k8s_sa", name="app", namespace=namespace)
    return {"name": "app", "namespace": namespace, "dest": str(tmp_path / "t")}


@pytest.fixture
def make(cluster: Cluster, namespace: str) -> Make:
    """Make an object of a kind that may be bound to; gives its uid."""

    def make(kind: str, name: str, account: str = "app") -> str:
        spec = {"serviceAccountName": account, "containers": [{"name": "a", "image": "a"}]}
        body = {
            "apiVersion": "v1",
            "kind": kind,
            "metadata": {"name": name},
            **({"spec": spec} if kind == "Pod" else {}),
        }
        place = () if kind == "Node" else ("-n", namespace)
        return cluster.kubectl(
            "create", "-f", "-", "-o", "jsonpath={.metadata.uid}", *place, input=json.dumps(body)
        ).stdout

    return make


def bound_to(kind: str, name: str, **more: str) -> Options:
    return {"bound_object_ref": {"kind": kind, "name": name, **more}}


@pytest.mark.parametrize("kind", ["Pod", "Secret", "Node"])
def test_a_token_is_bound_and_dies_with_what_it_is_bound_to(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, make: Make, tmp_path: Path, kind: str
) -> None:
    name = f"{namespace}-x"
    uid = make(kind, name)
    options |= bound_to(kind, name)
    predicted = run_task("k8s_sa_token", check_mode=True, **options)
    made = run_task("k8s_sa_token", **options)
    assert (predicted["actions"], predicted["reason"]) == (made["actions"], made["reason"])
    token = (tmp_path / "t").read_text()
    private = claims_of(token)["kubernetes.io"]
    assert private[kind.lower()] == {"name": name, "uid": uid}
    assert made["token_info"]["bound_object_ref"] == {"kind": kind, "name": name, "uid": uid}
    assert not run_task("k8s_sa_token", **options)["changed"]
    assert not run_task("k8s_sa_token", **{**options, **bound_to(kind, name, uid=uid)})["changed"]
    place = () if kind == "Node" else ("-n", namespace)
    cluster.kubectl("delete", kind, name, "--grace-period=0", "--force", *place)
    try:
        missing = run_task("k8s_sa_token", **options)
        assert missing["error"]["code"] == "bound_object_missing"
        make(kind, name)
        assert run_task("k8s_sa_token", check_mode=True, **options)["reason"] == "binding_changed"
        assert run_task("k8s_sa_token", **options)["reason"] == "binding_changed"
        assert is_accepted(cluster, (tmp_path / "t").read_text())
    finally:
        cluster.kubectl("delete", kind, name, "--grace-period=0", "--force", *place)


def test_what_is_missing_is_told_apart(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes
) -> None:
    bound = bound_to("Pod", "web-0")
    mark = cluster.audit_mark()
    cases = [
        (options, "bound_object_missing", f"cannot bind a token to Pod {namespace}/web-0: it does not exist"),
        ({**options, "name": "b"}, "account_missing", f"token for {namespace}/b: the account does not exist"),
        ({**options, "namespace": "gone"}, "namespace_missing", "token for gone/app: namespace gone does not exist"),
    ]
    for given, code, sentence in cases:
        result = run_task("k8s_sa_token", **given, **bound)
        assert (result["failed"], result["error"]["code"]) == (True, code)
        assert sentence in result["msg"]
        assert "create it first" in result["error"]["hint"]
        coming = run_task("k8s_sa_token", check_mode=True, **given, **bound)
        assert (coming.get("failed"), coming["changed"], coming["reason"]) == (None, True, "missing")
        assert any("does not exist yet" in said for said in coming["warnings"])
    assert not writes(mark)


def test_another_object_of_that_name_is_refused(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, make: Make, writes: Writes
) -> None:
    uid = make("Secret", "x")
    mark = cluster.audit_mark()
    for check_mode in (True, False):
        result = run_task("k8s_sa_token", check_mode=check_mode, **options, **bound_to("Secret", "x", uid=NOBODYS_UID))
        assert result["error"]["code"] == "bound_object_recreated"
        assert f"Secret {namespace}/x has the uid {uid}, not {NOBODYS_UID}" in result["msg"]
    assert not writes(mark)


def test_a_pod_of_another_account_is_refused(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, make: Make, writes: Writes
) -> None:
    run_task("k8s_sa", name="other", namespace=namespace)
    make("Pod", "web-0", "other")
    mark = cluster.audit_mark()
    for check_mode in (True, False):
        result = run_task("k8s_sa_token", check_mode=check_mode, **options, **bound_to("Pod", "web-0"))
        assert result["error"]["code"] == "other_account"
        assert f"Pod {namespace}/web-0 runs as the account other, not as app" in result["msg"]
    assert not writes(mark)


def test_an_object_that_is_being_deleted_is_refused(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, make: Make
) -> None:
    make("Secret", "x")
    cluster.kubectl("patch", "secret", "x", "-n", namespace, "-p", '{"metadata": {"finalizers": ["test/wait"]}}')
    cluster.kubectl("delete", "secret", "x", "-n", namespace, "--wait=false")
    try:
        assert run_task("k8s_sa_token", **options, **bound_to("Secret", "x"))["error"]["code"] == "terminating"
    finally:
        cluster.kubectl("patch", "secret", "x", "-n", namespace, "-p", '{"metadata": {"finalizers": null}}')


def test_a_caller_who_may_not_look_at_the_object_still_binds_to_it(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, make: Make, tmp_path: Path
) -> None:
    uid = make("Secret", "x")
    options |= {**bound_to("Secret", "x"), "kubeconfig": str(caller_who_may(cluster, namespace, GET_ACCOUNT, MINT))}
    made = run_task("k8s_sa_token", **options)
    assert not made.get("failed"), made["msg"]
    assert claims_of((tmp_path / "t").read_text())["kubernetes.io"]["secret"] == {"name": "x", "uid": uid}
    assert f"the caller may not get Secret {namespace}/x" in made["warnings"][0]
    assert not run_task("k8s_sa_token", **options)["changed"]
    gone = run_task("k8s_sa_token", **{**options, **bound_to("Secret", "y")}, force=True)
    # the server's own words name the Secret
    assert gone["failed"]
    assert '"y" not found' in gone["msg"]


def test_from_nothing_to_an_object_and_back_mints_once_each(
    cluster: Cluster, run_task: Task, options: Options, make: Make, writes: Writes
) -> None:
    make("Secret", "x")
    run_task("k8s_sa_token", **options)
    mark = cluster.audit_mark()
    ways: list[Options] = [bound_to("Secret", "x"), {"handle": "ci"}, {}]
    for way in ways:
        assert run_task("k8s_sa_token", check_mode=True, **options, **way)["reason"] == "binding_changed"
        assert run_task("k8s_sa_token", **options, **way)["reason"] == "binding_changed"
        assert run_task("k8s_sa_token", **options, **way)["reason"] == "up_to_date"
    assert sum("serviceaccounts/token" in line for line in writes(mark)) == 3


def test_the_second_that_makes_a_year_of_a_pods_token_is_said(run_task: Task, options: Options, make: Make) -> None:
    make("Pod", "web-0")
    options |= {**bound_to("Pod", "web-0"), "expiration_seconds": 3607}
    made = run_task("k8s_sa_token", **options)
    assert any("may make a year of 3607 seconds" in said for said in made["warnings"])
    assert made["token_info"]["granted_seconds"] == 3607
    assert made["token_info"]["valid_until"] > made["token_info"]["expires_at"]
    assert any("but the API server accepts it until" in said for said in made["warnings"])
    assert not run_task("k8s_sa_token", **options)["changed"]
