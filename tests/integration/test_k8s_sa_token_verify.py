# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the server is asked about stored tokens, by whom, and every reason for which one is replaced."""

from __future__ import annotations

import base64
import json
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Task, predicted_and_done
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from faults.tokens import GET_ACCOUNT, MINT, aged, caller_who_may, claims_of, is_accepted, resigned

Writes = Callable[[int], list[str]]
Options = dict[str, Any]
Change = Callable[[Cluster, str, str], str]


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "t"


@pytest.fixture
def options(run_task: Task, namespace: str, place: Path) -> Options:
    """An account called app, and one place for its token."""
    run_task("k8s_sa", name="app", namespace=namespace)
    return {"name": "app", "namespace": namespace, "dest": str(place)}


@pytest.fixture
def minter(cluster: Cluster, namespace: str) -> str:
    """A caller who may mint, and ask nothing about tokens."""
    return str(caller_who_may(cluster, namespace, GET_ACCOUNT, MINT))


@pytest.fixture
def mints(writes: Writes) -> Callable[[int], int]:
    """How many TokenRequests were sent since a mark."""
    return lambda mark: sum("serviceaccounts/token" in line for line in writes(mark))


def reviews(cluster: Cluster, mark: int) -> int:
    events = [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    return sum(event["objectRef"]["resource"] == "tokenreviews" for event in events)


# Why a token is replaced.


def a_key() -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.PKCS8
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()


def by_another_key(cluster: Cluster, namespace: str, token: str) -> str:  # noqa: ARG001 - see REASONS
    return resigned(cluster, token, key=a_key())


def of_another_issuer(cluster: Cluster, namespace: str, token: str) -> str:  # noqa: ARG001
    return resigned(cluster, token, iss="https://elsewhere.example.com")


def not_yet_valid(cluster: Cluster, namespace: str, token: str) -> str:  # noqa: ARG001
    return resigned(cluster, token, nbf=claims_of(token)["exp"] - 10)


def no_token_any_more(cluster: Cluster, namespace: str, token: str) -> str:  # noqa: ARG001
    return token[:40]


def almost_expired(cluster: Cluster, namespace: str, token: str) -> str:  # noqa: ARG001
    return aged(cluster, token, 3000)


def of_an_account_before(cluster: Cluster, namespace: str, token: str) -> str:
    cluster.kubectl("delete", "serviceaccount", "app", "-n", namespace)
    cluster.kubectl("create", "serviceaccount", "app", "-n", namespace)
    return token


def of_another_account(cluster: Cluster, namespace: str, token: str) -> str:
    return resigned(cluster, token, sub=f"system:serviceaccount:{namespace}:other")


def bound_to_something(cluster: Cluster, namespace: str, token: str) -> str:  # noqa: ARG001
    return resigned(cluster, token, private={"secret": {"name": "x", "uid": "y"}})


def for_somebody_else(cluster: Cluster, namespace: str, token: str) -> str:  # noqa: ARG001
    return resigned(cluster, token, aud=["vault"])


REASONS: list[tuple[Change, Options, str]] = [
    (by_another_key, {}, "rejected"),
    (of_another_issuer, {}, "rejected"),
    (not_yet_valid, {}, "rejected"),
    (by_another_key, {"verify": "always"}, "rejected"),
    (no_token_any_more, {}, "unreadable"),
    (almost_expired, {}, "expiring"),
    (of_an_account_before, {}, "account_recreated"),
    (of_another_account, {}, "other_account"),
    (bound_to_something, {}, "binding_changed"),
    (for_somebody_else, {"audiences": ["a"]}, "audience_changed"),
]


@pytest.mark.parametrize(("change", "more", "reason"), REASONS, ids=lambda value: getattr(value, "__name__", None))
def test_a_token_that_will_not_do_is_replaced_once_and_the_reason_is_said(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    options: Options,
    place: Path,
    mints: Callable[[int], int],
    change: Change,
    more: Options,
    reason: str,
) -> None:
    options |= more
    run_task("k8s_sa_token", **options)
    changed = change(cluster, namespace, place.read_text())
    place.write_text(changed)
    mark = cluster.audit_mark()
    done = predicted_and_done(run_task, options)
    again = predicted_and_done(run_task, options)
    assert (done["reason"], again["reason"]) == (reason, "up_to_date")
    assert mints(mark) == 1
    assert is_accepted(cluster, place.read_text(), *more.get("audiences", []))
    assert changed not in json.dumps([done, again])


def test_a_token_that_is_bound_to_something_that_never_was_is_rejected(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, place: Path, minter: str
) -> None:
    # its Secret has another uid than the token says, which a caller who may not look at Secrets cannot see
    cluster.kubectl("create", "secret", "generic", "x", "-n", namespace)
    user = yaml.safe_load(Path(minter).read_text())["users"][0]["name"]
    cluster.kubectl("create", "clusterrolebinding", user, "--clusterrole=system:auth-delegator", f"--user={user}")
    options |= {"bound_object_ref": {"kind": "Secret", "name": "x"}, "kubeconfig": minter}
    run_task("k8s_sa_token", **options)
    place.write_text(resigned(cluster, place.read_text(), private={"secret": {"name": "x", "uid": "never"}}))
    assert predicted_and_done(run_task, options)["reason"] == "rejected"
    assert is_accepted(cluster, place.read_text())


def test_renewal_on_demand_names_the_token_and_is_not_repeated(
    cluster: Cluster, run_task: Task, options: Options, place: Path, mints: Callable[[int], int]
) -> None:
    run_task("k8s_sa_token", **options)
    wish = {**options, "renew_if_credential_id": claims_of(place.read_text())["jti"]}
    mark = cluster.audit_mark()
    assert predicted_and_done(run_task, wish)["reason"] == "requested"
    assert predicted_and_done(run_task, wish)["reason"] == "up_to_date"
    assert predicted_and_done(run_task, {**wish, "renew_if_credential_id": str(uuid.uuid4())})["reason"] == "up_to_date"
    assert mints(mark) == 1


# Several places.


def test_a_token_is_carried_to_another_place_only_if_the_server_accepts_it(
    cluster: Cluster, run_task: Task, options: Options, place: Path, mints: Callable[[int], int], tmp_path: Path
) -> None:
    options["sinks"] = [{"type": "file", "path": str(tmp_path / "u")}]
    run_task("k8s_sa_token", **options)
    token = place.read_text()
    mark = cluster.audit_mark()
    (tmp_path / "u").unlink()
    carried = predicted_and_done(run_task, options)
    assert (carried["reason"], carried["verified"], (tmp_path / "u").read_text()) == ("sink_changed", True, token)
    assert mints(mark) == 0
    (tmp_path / "u").unlink()
    place.write_text(resigned(cluster, token, key=a_key()))
    assert predicted_and_done(run_task, options)["reason"] == "rejected"
    assert mints(mark) == 1


@pytest.mark.parametrize("way", ["without the right", "unasked"])
def test_a_token_that_nobody_was_asked_about_is_not_carried(
    cluster: Cluster,
    run_task: Task,
    options: Options,
    place: Path,
    mints: Callable[[int], int],
    minter: str,
    tmp_path: Path,
    way: str,
) -> None:
    options["sinks"] = [{"type": "file", "path": str(tmp_path / "u")}]
    options |= {"kubeconfig": minter} if way == "without the right" else {"verify": "never"}
    run_task("k8s_sa_token", **options)
    token = place.read_text()
    (tmp_path / "u").unlink()
    mark = cluster.audit_mark()
    done = predicted_and_done(run_task, options)
    assert (done["reason"], done["verified"], mints(mark)) == ("missing", None, 1)
    assert place.read_text() == (tmp_path / "u").read_text() != token
    # places that differ lack nothing
    place.write_text(token)
    assert predicted_and_done(run_task, options)["reason"] == "sink_changed"
    assert (place.read_text(), mints(mark)) == ((tmp_path / "u").read_text(), 2)
    # a record or a mode needs nobody's word
    (tmp_path / "u").chmod(0o640)
    assert predicted_and_done(run_task, options)["reason"] == "sink_changed"
    assert mints(mark) == 2


def test_of_several_good_tokens_the_one_that_lives_longest_is_kept(
    cluster: Cluster, run_task: Task, options: Options, place: Path, mints: Callable[[int], int], tmp_path: Path
) -> None:
    options["sinks"] = [{"type": "file", "path": str(tmp_path / "u")}]
    run_task("k8s_sa_token", **options)
    token = place.read_text()
    place.write_text(aged(cluster, token, 600))
    mark = cluster.audit_mark()
    assert predicted_and_done(run_task, options)["reason"] == "sink_changed"
    assert place.read_text() == (tmp_path / "u").read_text() == token
    assert mints(mark) == 0


# Who asks.


def test_a_caller_who_may_not_ask_goes_by_what_the_token_says(
    cluster: Cluster, run_task: Task, options: Options, place: Path, minter: str
) -> None:
    options |= {"kubeconfig": minter}
    made = predicted_and_done(run_task, options)
    again = predicted_and_done(run_task, options)
    assert (made["changed"], made["verified"]) == (True, None)
    assert (again["changed"], again["verified"], again["reason"]) == (False, None, "up_to_date")
    assert "warnings" not in again
    place.write_text(resigned(cluster, place.read_text(), key=a_key()))
    # only the record, which is about another token, is written anew
    assert predicted_and_done(run_task, options)["reason"] == "sink_changed"


def test_verify_always_without_the_right_fails_and_names_the_rule(
    run_task: Task, options: Options, minter: str
) -> None:
    run_task("k8s_sa_token", **options)
    for check_mode in (True, False):
        result = run_task("k8s_sa_token", check_mode=check_mode, **options, verify="always", kubeconfig=minter)
        assert (result["failed"], result["error"]["code"]) == (True, "forbidden")
        rule = {"apiGroups": ["authentication.k8s.io"], "resources": ["tokenreviews"], "verbs": ["create"]}
        assert result["error"]["rbac_rule"] == rule
        assert "allow the caller to create tokenreviews cluster-wide" in result["msg"]


def test_verify_always_without_the_right_mints_nothing(
    cluster: Cluster, run_task: Task, options: Options, minter: str, mints: Callable[[int], int]
) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_token", **options, verify="always", kubeconfig=minter)
    assert result["error"]["code"] == "forbidden"
    # it would be of no use to anybody, and live for an hour
    assert mints(mark) == 0


# about the new token and the stored one; who insists finds out before that whether it is allowed
@pytest.mark.parametrize(("mode", "asked"), [("auto", 2), ("always", 3), ("never", 0)])
def test_how_often_the_server_is_asked(
    cluster: Cluster, run_task: Task, options: Options, mints: Callable[[int], int], mode: str, asked: int
) -> None:
    mark = cluster.audit_mark()
    made = run_task("k8s_sa_token", **options, verify=mode)
    again = run_task("k8s_sa_token", **options, verify=mode)
    assert reviews(cluster, mark) == asked
    assert made["verified"] is again["verified"] is (True if asked else None)
    mark = cluster.audit_mark()
    # a review writes nothing, so check mode asks as well
    assert run_task("k8s_sa_token", check_mode=True, **options, verify=mode)["verified"] is again["verified"]
    assert (reviews(cluster, mark), mints(mark)) == (min(asked, 1), 0)


def test_a_token_for_somebody_else_is_reviewed_for_them(run_task: Task, options: Options) -> None:
    options |= {"audiences": ["https://vault.example.com"], "verify": "always"}
    assert predicted_and_done(run_task, options)["verified"] is True
    assert predicted_and_done(run_task, options)["verified"] is True


# Kubeconfigs are tried.


def test_a_kubeconfig_that_would_not_work_does_not_replace_one_that_does(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, place: Path
) -> None:
    options = {"name": "app", "namespace": namespace, "kubeconfig_dest": str(place)}
    run_task("k8s_sa_token", **options)
    before = place.read_bytes()
    result = run_task("k8s_sa_token", **options, audiences=["vault"], handle="ci")
    assert result["error"]["code"] == "not_accepted"
    assert "leave audiences out" in result["msg"]
    assert place.read_bytes() == before
    # what was minted for a handle went with it
    assert "ci-1" not in cluster.kubectl("get", "secrets", "-n", namespace, "-o", "name").stdout
    unseen = run_task("k8s_sa_token", **options, audiences=["vault"], verify="never")
    assert (unseen["changed"], unseen["verified"]) == (True, None)
    assert place.read_bytes() != before


def test_a_kubeconfig_for_a_server_that_is_not_there_replaces_nothing(
    namespace: str, run_task: Task, options: Options, place: Path
) -> None:
    run_task("k8s_sa_token", **options)
    sink = {"type": "kubeconfig", "path": str(place) + ".config", "server": "https://127.0.0.1:1"}
    sinks = {"name": "app", "namespace": namespace, "sinks": [sink], "retry_timeout": 0}
    result = run_task("k8s_sa_token", **sinks)
    assert result["error"]["code"] == "unreachable"
    assert "127.0.0.1:1 (the kubeconfig to be written)" in result["msg"]
    assert not Path(sink["path"]).exists()
    assert run_task("k8s_sa_token", **sinks, verify="never")["changed"]


def test_who_does_not_verify_the_server_still_writes_a_kubeconfig_that_does(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, place: Path
) -> None:
    certificate, key = cluster.client_cert("root", ["system:masters"])
    caller = {"host": cluster.server, "client_cert": str(certificate), "client_key": str(key), "validate_certs": False}
    options = {"name": "app", "namespace": namespace, "kubeconfig_dest": str(place), "kubeconfig": None, **caller}
    made = run_task("k8s_sa_token", **options)
    assert not made.get("failed"), made["msg"]
    (entry,) = yaml.safe_load(place.read_text())["clusters"]
    assert "insecure-skip-tls-verify" not in entry["cluster"]
    # every namespace has the cluster's own
    assert base64.b64decode(entry["cluster"]["certificate-authority-data"]) == cluster.ca_cert.read_bytes()
    answer = cluster.kubectl("auth", "whoami", f"--kubeconfig={place}").stdout
    assert f"system:serviceaccount:{namespace}:app" in answer
    assert not run_task("k8s_sa_token", **options)["changed"]
