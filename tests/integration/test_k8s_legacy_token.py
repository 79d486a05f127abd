# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Long-lived tokens on a real control plane: made, waited for, rotated, suspended, taken back."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Task
from faults import legacy
from faults.tokens import GET_ACCOUNT, caller_who_may, is_accepted, secret, secret_names, values

Writes = Callable[[int], list[str]]
Options = dict[str, Any]

SECRETS = ("get,list,create,patch,delete", "secrets")


@pytest.fixture
def options(run_task: Task, namespace: str, tmp_path: Path) -> Options:
    """An account called app, and a token with one place."""
    run_task("k8s_sa", name="app", namespace=namespace)
    return {"name": "tok", "service_account": "app", "namespace": namespace, "dest": str(tmp_path / "t")}


def steps(result: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    return [(one["verb"], one["kind"], one["name"].rpartition("/")[2], one["reason"]) for one in result["actions"]]


def predicted_and_done(run_task: Task, options: Options, **more: Any) -> dict[str, Any]:
    options = {**options, **more}
    predicted = run_task("k8s_legacy_token", check_mode=True, **options)
    done = run_task("k8s_legacy_token", **options)
    assert not done.get("failed"), done["msg"]
    assert predicted["actions"] == done["actions"]
    for key in ("changed", "reason", "secret_name"):
        assert predicted[key] == done[key]
    assert [one["name"] for one in predicted["generations"]] == [one["name"] for one in done["generations"]]
    return done


def token_in(cluster: Cluster, namespace: str, name: str) -> str:
    return values(cluster, namespace, name)["token"]


def grown_old(run_task: Task, options: Options) -> Options:
    """The same task for a token that is two seconds old and to be rotated from one second on."""
    predicted_and_done(run_task, options)
    time.sleep(2)
    return {**options, "rotate_after": 1}


def test_a_secret_is_made_waited_for_and_its_token_stored(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes, tmp_path: Path
) -> None:
    options["kubeconfig_dest"] = str(tmp_path / "k")
    mark = cluster.audit_mark()
    made = predicted_and_done(run_task, options)
    again = predicted_and_done(run_task, options)
    assert steps(made) == [
        ("create", "Secret", "tok", "missing"), ("update", "File", "t", "missing"),
        ("update", "Kubeconfig", "k", "missing"),
    ]  # fmt: skip
    assert writes(mark) == [f"create secrets {namespace}/tok"]
    assert (made["secret_name"], made["verified"], again["reason"]) == ("tok", True, "up_to_date")
    token = token_in(cluster, namespace, "tok")
    assert (tmp_path / "t").read_text() == token
    assert yaml.safe_load((tmp_path / "k").read_text())["users"][0]["user"]["token"] == token
    assert is_accepted(cluster, token)
    assert "token" not in made
    account = json.loads(cluster.kubectl("get", "serviceaccount", "app", "-n", namespace, "-o", "json").stdout)
    assert "secrets" not in account, "a Secret that is listed there is up for the server's clean-up"


def test_check_mode_writes_nothing(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes, tmp_path: Path
) -> None:
    mark = cluster.audit_mark()
    for state in ("present", "suspended", "absent"):
        run_task("k8s_legacy_token", check_mode=True, **options, state=state)
    assert (writes(mark), secret_names(cluster, namespace), list(tmp_path.glob("t*"))) == ([], [], [])


def test_a_stored_token_is_not_used_by_looking_after_it(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    made = run_task("k8s_legacy_token", **options)
    assert made["verified"] is True
    legacy.label(cluster, namespace, "tok", f"{legacy.LAST_USED}=2026-01-01")
    kept = run_task("k8s_legacy_token", **options)
    assert (kept["changed"], kept["verified"]) == (False, None)
    time.sleep(1)
    assert (secret(cluster, namespace, "tok") or {})["metadata"]["labels"][legacy.LAST_USED] == "2026-01-01"
    assert kept["generations"][0]["last_used"] == "2026-01-01"


def test_without_a_place_the_token_is_read_only_to_see_it_accepted(
    cluster: Cluster, run_task: Task, options: Options
) -> None:
    del options["dest"]
    mark = cluster.audit_mark()
    assert predicted_and_done(run_task, options, verify="never")["changed"]
    assert not predicted_and_done(run_task, options)["changed"]
    read = [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    assert not [event for event in read if event["objectRef"]["resource"] == "tokenreviews"]
    # all looks at single Secrets were tables, which carry no data
    looks = [event for event in read if event["verb"] == "get" and event["objectRef"]["resource"] == "secrets"]
    assert looks
    assert all("includeObject=Metadata" in event["requestURI"] for event in looks)


def test_a_returned_token_works(cluster: Cluster, run_task: Task, options: Options) -> None:
    del options["dest"]
    for run in (1, 2):
        result = run_task("k8s_legacy_token", **options, return_token=True)
        assert (result["changed"], is_accepted(cluster, result["token"])) == (run == 1, True)
        assert result["auth"]["api_key"] == result["token"]
    assert "token" not in run_task("k8s_legacy_token", check_mode=True, **options, return_token=True)


# What cannot be.


def test_a_missing_account_is_said_at_once(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes
) -> None:
    options["service_account"] = "nobody"
    mark, started = cluster.audit_mark(), time.monotonic()
    refused = run_task("k8s_legacy_token", **options)
    assert (refused["error"]["code"], writes(mark)) == ("account_missing", [])
    assert f"cannot make a token for {namespace}/nobody: the account does not exist" in refused["msg"]
    assert time.monotonic() - started < options.get("wait_timeout", 30) / 2, "it waited for a controller"
    coming = run_task("k8s_legacy_token", check_mode=True, **options)
    assert steps(coming)[0] == ("create", "Secret", "tok", "missing")
    assert any("nobody does not exist yet" in warning for warning in coming["warnings"])
    options["namespace"] = "no-such-namespace"
    assert run_task("k8s_legacy_token", **options)["error"]["code"] == "namespace_missing"


def test_a_secret_of_another_type_is_no_place_for_a_token(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "secret", "generic", "tok", "-n", namespace, "--from-literal=a=b")
    for check_mode in (True, False):
        refused = run_task("k8s_legacy_token", check_mode=check_mode, **options)
        assert refused["error"]["code"] == "other_type"
        assert f"Secret {namespace}/tok is of the type Opaque" in refused["msg"]
    assert values(cluster, namespace, "tok") == {"a": "b"}


def test_an_immutable_secret_stays_empty_and_that_is_said_before_the_time_is_up(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    legacy.make(cluster, namespace, "tok", immutable=True)
    started = time.monotonic()
    refused = run_task("k8s_legacy_token", **options, wait_timeout=300)
    assert refused["error"]["code"] == "immutable"
    assert time.monotonic() - started < 60, "it waited for what cannot come"
    assert "holds no token" in refused["msg"]


def test_a_secret_for_another_account_is_left_alone(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_sa", name="other", namespace=namespace)
    legacy.make(cluster, namespace, "tok", account="other")
    for state in ("present", "suspended", "absent"):
        refused = run_task("k8s_legacy_token", **options, state=state)
        assert refused["error"]["code"] == "other_account"
        assert "is for the account other, not app" in refused["msg"]
    assert secret_names(cluster, namespace) == ["tok"]


def test_an_account_that_goes_while_its_token_is_waited_for_is_named(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: Any
) -> None:
    def remove(exchange: Any) -> None:
        if exchange.method == "POST" and exchange.path.endswith("/secrets"):
            fault_proxy.on_request = None
            cluster.kubectl("delete", "serviceaccount", "app", "-n", namespace)

    fault_proxy.on_request = remove
    gone = run_task("k8s_legacy_token", **options, kubeconfig=str(fault_proxy.kubeconfig), wait_timeout=300)
    assert gone["error"]["code"] == "account_missing"
    assert "ServiceAccount" in gone["msg"]
    assert "does not exist" in gone["msg"]
    assert not Path(options["dest"]).exists()


LISTED: Options = {"name": None, "dest": None}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": None}, "name"),
        ({"name": "Tok"}, "name"),
        ({"name": "t" * 64}, "63"),
        ({"service_account": None}, "service_account"),
        ({"rotate_after": 0}, "rotate the token in every run"),
        ({"rotate_after": "soon"}, "rotate_after"),
        ({"overlap": "-1"}, "overlap"),
        ({"unused_for": "90d"}, "unused_for needs state: absent"),
        ({"sinks": [{"type": "secret", "name": "tok-2"}]}, "is called like one that the cluster fills in"),
        ({"sinks": [{"type": "secret", "name": "tok"}]}, "is called like one that the cluster fills in"),
        (
            LISTED | {"legacy_tokens": [{"name": "a", "sinks": [{"type": "secret", "name": "z9"}]}, {"name": "z9"}]},
            "/a: the Secret z9 of sinks is called like those of ",
        ),
        (
            LISTED | {"legacy_tokens": [{"name": "z"}, {"name": "a", "sinks": [{"type": "secret", "name": "z-2"}]}]},
            "/a: the Secret z-2 of sinks is called like those of ",
        ),
        ({"legacy_tokens": [{"name": "a"}]}, "exclude each other"),
        ({"rotate_after": "999999999999999999d"}, "rotate_after: '999999999999999999d' is longer than 200 years"),
        ({"overlap": "999999999999999999d"}, "overlap: '999999999999999999d' is longer than 200 years"),
        ({"unused_for": "73001d", "state": "absent"}, "unused_for: '73001d' is longer than 200 years"),
        ({"state": "rotated"}, "state"),
    ],
)
def test_what_cannot_be_right_is_refused_before_a_request(
    cluster: Cluster, run_task: Task, options: Options, changes: dict[str, Any], said: str
) -> None:
    mark = cluster.audit_mark()
    refused = run_task("k8s_legacy_token", **{**options, **changes})
    assert (refused["failed"], said in refused["msg"]) == (True, True), refused["msg"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


def test_without_rotation_it_is_a_risk_that_can_be_accepted(run_task: Task, options: Options) -> None:
    def warnings(**more: Any) -> list[str]:
        return list(run_task("k8s_legacy_token", check_mode=True, **options, **more).get("warnings", []))

    assert [warning for warning in warnings() if "risk long_lived_token" in warning]
    assert warnings(rotate_after="31d")
    assert not warnings(rotate_after="30d")
    assert not warnings(allow_risks=["long_lived_token"])
    refused = run_task("k8s_legacy_token", **options, risk_policy="deny")
    assert refused["error"]["code"] == "risk_refused"


# Rotation.


def test_the_same_name_gives_the_same_token_and_a_rotation_never_does(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_legacy_token", **options)
    first = token_in(cluster, namespace, "tok")
    cluster.kubectl("delete", "secret", "tok", "-n", namespace)
    legacy.make(cluster, namespace, "tok")
    legacy.filled(cluster, namespace, "tok")
    assert token_in(cluster, namespace, "tok") == first, "the trap is gone: rotation could be simpler"
    time.sleep(2)
    rotated = predicted_and_done(run_task, options, rotate_after=1, overlap=0)
    assert rotated["secret_name"] == "tok-2"
    second = token_in(cluster, namespace, "tok-2")
    assert second != first
    assert Path(options["dest"]).read_text() == second


def test_what_was_deleted_by_hand_does_not_come_back_with_the_next_run(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_legacy_token", **options)
    leaked = Path(options["dest"]).read_text()
    cluster.kubectl("delete", "secret", "tok", "-n", namespace)
    made = predicted_and_done(run_task, options)
    assert (made["reason"], made["secret_name"]) == ("missing", "tok-2")
    assert Path(options["dest"]).read_text() != leaked


def test_a_rotation_overlaps_and_ends(cluster: Cluster, namespace: str, run_task: Task, options: Options) -> None:
    aged = grown_old(run_task, options)
    old = Path(options["dest"]).read_text()
    rotated = predicted_and_done(run_task, aged)
    assert steps(rotated) == [
        ("create", "Secret", "tok-2", "due"), ("update", "File", "t", "due"),
        ("patch", "Secret", "tok", "superseded"),
    ]  # fmt: skip
    assert [one["superseded_at"] is None for one in rotated["generations"]] == [False, True]
    assert is_accepted(cluster, old)
    assert is_accepted(cluster, Path(options["dest"]).read_text())
    assert not predicted_and_done(run_task, options)["changed"]
    time.sleep(2)
    ended = predicted_and_done(run_task, options, overlap=1)
    assert steps(ended) == [("delete", "Secret", "tok", "superseded")]
    assert secret_names(cluster, namespace) == ["tok-2"]
    assert not predicted_and_done(run_task, options, overlap=1)["changed"]
    time.sleep(2)
    assert predicted_and_done(run_task, aged, overlap=0)["secret_name"] == "tok-3"
    assert secret_names(cluster, namespace) == ["tok-3"]


def test_what_retires_may_be_suspended_instead(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    aged = {**grown_old(run_task, options), "on_retire": "suspend", "overlap": 0}
    rotated = predicted_and_done(run_task, aged)
    assert steps(rotated)[-1] == ("patch", "Secret", "tok", "superseded")
    found = secret(cluster, namespace, "tok") or {}
    assert found["metadata"]["labels"][legacy.INVALID_SINCE]
    assert found["data"]["token"], "it is all still there"
    calm = {**options, "on_retire": "suspend", "overlap": 0}
    # what has retired is not what state: present would lift
    assert not predicted_and_done(run_task, calm)["changed"]
    assert secret_names(cluster, namespace) == ["tok", "tok-2"]
    done = predicted_and_done(run_task, {**options, "overlap": 0})
    assert steps(done) == [("delete", "Secret", "tok", "superseded")]


def test_nothing_retires_before_the_new_token_is_in_all_places(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    aged = {**grown_old(run_task, options), "overlap": 0}
    old = Path(options["dest"]).read_text()
    cluster.kubectl("create", "secret", "generic", "full", "-n", namespace)
    cluster.kubectl("patch", "secret", "full", "-n", namespace, "-p", '{"immutable": true}')
    refused = run_task("k8s_legacy_token", **aged, sinks=[{"type": "secret", "name": "full"}])
    assert refused["error"]["code"] == "immutable"
    assert (Path(options["dest"]).read_text(), secret_names(cluster, namespace)) == (old, ["full", "tok"])
    assert is_accepted(cluster, old)


@pytest.mark.parametrize("has_place", [True, False])
def test_nothing_retires_before_a_token_of_a_run_that_died_is_accepted(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, has_place: bool
) -> None:
    options |= {"overlap": 0, "rotate_after": "1h", **({} if has_place else {"dest": None})}
    run_task("k8s_legacy_token", **options)
    labels = {"tokenwright/legacy-token": "tok"}
    refused = {"token": "cmVmdXNlZA==", "ca.crt": "eA==", "namespace": "eA=="}
    uid = cluster.kubectl("get", "serviceaccount", "app", "-n", namespace, "-o", "jsonpath={.metadata.uid}").stdout
    left: dict[str, Any] = {
        "metadata": {
            "name": "tok-2",
            "namespace": namespace,
            "labels": labels,
            "annotations": {legacy.ACCOUNT: "app", legacy.UID: uid},
        }
    }
    legacy.make(cluster, namespace, "tok-2", data=refused, **left)
    for dummy in range(2):
        failed = run_task("k8s_legacy_token", **options)
        assert (failed["error"]["code"], failed["actions"]) == ("not_accepted", []), failed["msg"]
    assert secret_names(cluster, namespace) == ["tok", "tok-2"]
    cluster.kubectl("delete", "secret", "tok-2", "-n", namespace)
    assert not run_task("k8s_legacy_token", **options)["changed"]
    legacy.make(cluster, namespace, "tok-2", **left)
    legacy.filled(cluster, namespace, "tok-2")
    done = run_task("k8s_legacy_token", **options)
    assert (done["verified"], secret_names(cluster, namespace)) == (True, ["tok-2"]), done["msg"]
    assert not run_task("k8s_legacy_token", **options)["changed"]


def test_a_secret_of_the_first_name_that_others_make_beside_the_row_is_left_alone(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    aged = {**grown_old(run_task, options), "overlap": 0}
    predicted_and_done(run_task, aged)
    run_task("k8s_sa", name="other", namespace=namespace)
    for account in ("app", "other"):
        legacy.make(cluster, namespace, "tok", account=account)
        legacy.filled(cluster, namespace, "tok")
        theirs = token_in(cluster, namespace, "tok")
        for state in ("present", "suspended", "present"):
            result = run_task("k8s_legacy_token", **options, overlap=0, state=state)
            assert not result.get("failed"), result["msg"]
            assert token_in(cluster, namespace, "tok") == theirs
        cluster.kubectl("delete", "secret", "tok", "-n", namespace)
    legacy.make(cluster, namespace, "tok")
    assert steps(run_task("k8s_legacy_token", **options, state="absent"))[0] == ("delete", "Secret", "tok-2", "revoked")
    assert secret_names(cluster, namespace) == ["tok"]


def test_what_a_workload_uses_does_not_retire(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    aged = {**grown_old(run_task, options), "overlap": 0}
    for name, spec in (("mounts", legacy.mounting("tok")), ("reads", legacy.reading("tok"))):
        cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(legacy.deployment(name, spec)))
    rotated = predicted_and_done(run_task, aged)
    assert steps(rotated)[-1] == ("patch", "Secret", "tok", "superseded")
    assert rotated["generations"][0]["consumers"] == [
        {"kind": "Deployment", "name": "mounts", "way": "mount"}, {"kind": "Deployment", "name": "reads", "way": "env"},
    ]  # fmt: skip
    assert any("Deployment mounts, Deployment reads still uses it" in text for text in rotated["warnings"])
    calm = {**options, "overlap": 0}
    assert not predicted_and_done(run_task, calm)["changed"]
    cluster.kubectl("delete", "deployment", "mounts", "reads", "-n", namespace)
    assert steps(predicted_and_done(run_task, calm)) == [("delete", "Secret", "tok", "superseded")]


def test_who_may_not_see_workloads_rotates_all_the_same(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    caller = {**options, "kubeconfig": str(caller_who_may(cluster, namespace, GET_ACCOUNT, SECRETS))}
    made = predicted_and_done(run_task, caller)
    assert (made["verified"], predicted_and_done(run_task, caller)["generations"][0]["consumers"]) == (None, None)
    time.sleep(2)
    assert predicted_and_done(run_task, caller, rotate_after=1, overlap=0)["secret_name"] == "tok-2"
    assert secret_names(cluster, namespace) == ["tok-2"]
    refused = run_task("k8s_legacy_token", **{**caller, "name": "other"}, verify="always")
    assert "tokenreviews" in refused["msg"]
    assert secret_names(cluster, namespace) == ["tok-2"]


def test_a_secret_that_was_made_by_hand_is_adopted_with_its_token(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    legacy.make(cluster, namespace, "tok")
    legacy.filled(cluster, namespace, "tok")
    token = token_in(cluster, namespace, "tok")
    Path(options["dest"]).write_text(token)
    adopted = predicted_and_done(run_task, options)
    assert steps(adopted)[0] == ("patch", "Secret", "tok", "adopted")
    assert token_in(cluster, namespace, "tok") == token == Path(options["dest"]).read_text()
    assert not predicted_and_done(run_task, options)["changed"]


def test_a_generation_is_no_row_of_its_own(run_task: Task, options: Options) -> None:
    predicted_and_done(run_task, grown_old(run_task, options))
    taken = run_task("k8s_legacy_token", **{**options, "name": "tok-2", "dest": options["dest"] + "2"})
    assert (taken["error"]["code"], "is a generation of the token tok" in taken["msg"]) == ("name_taken", True)


def test_a_foreign_secret_in_the_way_of_the_next_name_is_passed_by(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    aged = grown_old(run_task, options)
    cluster.kubectl("create", "secret", "generic", "tok-2", "-n", namespace, "--from-literal=a=b")
    assert predicted_and_done(run_task, aged)["secret_name"] == "tok-3"
    assert values(cluster, namespace, "tok-2") == {"a": "b"}


def test_an_account_that_was_recreated_gets_a_new_token(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_legacy_token", **options)
    old = Path(options["dest"]).read_text()
    for verb in ("delete", "create"):
        cluster.kubectl(verb, "serviceaccount", "app", "-n", namespace)
    done = run_task("k8s_legacy_token", **options)
    assert not done.get("failed"), done["msg"]
    assert done["reason"] == "missing"
    new = Path(options["dest"]).read_text()
    assert (new != old, is_accepted(cluster, new)) == (True, True)
    assert not predicted_and_done(run_task, options)["changed"]


# Suspending and taking back.


def test_a_suspended_token_is_refused_and_good_again_afterwards(
    cluster: Cluster, run_task: Task, options: Options
) -> None:
    run_task("k8s_legacy_token", **options)
    token = Path(options["dest"]).read_text()
    suspended = predicted_and_done(run_task, options, state="suspended")
    assert steps(suspended) == [("patch", "Secret", "tok", "suspended")]
    assert suspended["revoked"] is True
    assert suspended["revoked_after_seconds"] is not None
    assert not is_accepted(cluster, token)
    assert not predicted_and_done(run_task, options, state="suspended")["changed"]
    lifted = predicted_and_done(run_task, options)
    assert steps(lifted) == [("patch", "Secret", "tok", "lifted")]
    assert is_accepted(cluster, token) or is_accepted_soon(cluster, token)
    assert Path(options["dest"]).read_text() == token
    assert not predicted_and_done(run_task, options)["changed"]


def is_accepted_soon(cluster: Cluster, token: str) -> bool:
    """The server hears of a label a moment later."""
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if is_accepted(cluster, token):
            return True
        time.sleep(0.2)
    return False


def test_what_somebody_else_has_suspended_is_not_lifted(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_legacy_token", **options)
    legacy.label(cluster, namespace, "tok", f"{legacy.INVALID_SINCE}=2026-01-01")
    for check_mode in (True, False):
        refused = run_task("k8s_legacy_token", check_mode=check_mode, **options)
        assert refused["error"]["code"] == "suspended"
        assert "is suspended since 2026-01-01, and not by this module" in refused["msg"]
    assert not predicted_and_done(run_task, options, state="suspended")["changed"]


def test_taking_back_deletes_all_generations_and_clears_the_places(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    options["sinks"] = [{"type": "secret", "name": "copy"}]
    aged = grown_old(run_task, options)
    old = Path(options["dest"]).read_text()
    predicted_and_done(run_task, aged)
    new = Path(options["dest"]).read_text()
    ended = predicted_and_done(run_task, options, state="absent")
    assert steps(ended) == [
        ("delete", "Secret", "tok", "revoked"), ("delete", "Secret", "tok-2", "revoked"),
        ("delete", "File", "t", "revoked"), ("delete", "Secret", "copy", "revoked"),
    ]  # fmt: skip
    assert (ended["revoked"], ended["secret_name"], ended["generations"]) == (True, None, [])
    assert not is_accepted(cluster, old)
    assert not is_accepted(cluster, new)
    assert (secret_names(cluster, namespace), list(tmp_path.glob("*t*"))) == ([], [])
    again = predicted_and_done(run_task, options, state="absent")
    assert (again["changed"], again["revoked"]) == (False, None)


def test_the_place_of_another_token_is_not_cleared(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_legacy_token", **options)
    run_task("k8s_sa_token", name="app", namespace=namespace, dest=options["dest"])
    fresh = Path(options["dest"]).read_text()
    for check_mode in (True, False):
        refused = run_task("k8s_legacy_token", check_mode=check_mode, **options, state="absent", verify="never")
        assert refused["error"]["code"] == "other_token"
    assert (Path(options["dest"]).read_text(), secret_names(cluster, namespace)) == (fresh, [])
    assert is_accepted(cluster, fresh)


def test_a_long_lived_token_is_replaced_by_one_that_expires_but_not_thrown_away_by_its_module(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    legacy.make(cluster, namespace, "hand")
    legacy.filled(cluster, namespace, "hand")
    Path(options["dest"]).write_text(token_in(cluster, namespace, "hand"))
    short = {"name": "app", "namespace": namespace, "dest": options["dest"]}
    refused = run_task("k8s_sa_token", **short, state="absent")
    assert (refused["error"]["code"], "take it back with k8s_legacy_token" in refused["msg"]) == ("other_token", True)
    assert run_task("k8s_sa_token", **short)["changed"]
    assert is_accepted(cluster, Path(options["dest"]).read_text())


@pytest.mark.parametrize(
    ("since", "last_used", "reason"),
    [
        ("2020-01-01", "2020-01-02", "recently_used"),  # it is as young as it was made just now
        ("2020-01-01", None, "recently_used"),
    ],
)
def test_what_was_made_a_moment_ago_is_not_unused(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, since: str, last_used: str | None, reason: str
) -> None:
    run_task("k8s_legacy_token", **options, verify="never")
    if last_used:
        legacy.label(cluster, namespace, "tok", f"{legacy.LAST_USED}={last_used}")
    with legacy.tracked_since(cluster, since):
        kept = predicted_and_done(run_task, options, state="absent", unused_for="1h")
        assert (kept["changed"], kept["reason"]) == (False, reason)
        time.sleep(2)
        gone = predicted_and_done(run_task, options, state="absent", unused_for=1, verify="never")
    assert (gone["changed"], secret_names(cluster, namespace)) == (True, [])


@pytest.mark.parametrize(
    ("since", "labels", "reason"),
    [
        ("2020-01-01", {legacy.LAST_USED: "2099-01-01"}, "recently_used"),
        ("2099-01-01", {legacy.LAST_USED: "2020-01-01"}, "recently_used"),  # who knows what was before
        ("2099-01-01", {}, "recently_used"),
        ("2020-01-01", {legacy.LAST_USED: "long-ago"}, "usage_unknown"),
    ],
)
def test_what_may_have_been_used_stays(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, since: str, labels: dict[str, str], reason: str
) -> None:
    run_task("k8s_legacy_token", **options, verify="never")
    legacy.label(cluster, namespace, "tok", "a=b", *(f"{key}={value}" for key, value in labels.items()))
    time.sleep(2)
    with legacy.tracked_since(cluster, since):
        kept = predicted_and_done(run_task, options, state="absent", unused_for=1)
    assert (kept["changed"], kept["reason"], secret_names(cluster, namespace)) == (False, reason, ["tok"])
    assert "stays" in kept["msg"]


def test_what_is_mounted_or_whose_use_nobody_may_know_stays(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    run_task("k8s_legacy_token", **options, verify="never")
    caller = str(caller_who_may(cluster, namespace, GET_ACCOUNT, SECRETS))
    time.sleep(2)
    with legacy.tracked_since(cluster, "2020-01-01"):
        unknown = run_task("k8s_legacy_token", **options, state="absent", unused_for=1, kubeconfig=caller)
    assert (unknown["changed"], unknown["reason"]) == (False, "usage_unknown")
    assert "may not list all workloads" in unknown["warnings"][0]
    spec = {**legacy.mounting("tok"), "serviceAccountName": "app"}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, "spec": spec}
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(pod))
    with legacy.tracked_since(cluster, "2020-01-01"):
        kept = predicted_and_done(run_task, options, state="absent", unused_for=1)
    assert (kept["changed"], kept["reason"]) == (False, "mounted")
    assert "Pod p still uses it" in kept["msg"]
    taken = predicted_and_done(run_task, options, state="absent", verify="never")
    assert any("is taken from Pod p" in warning for warning in taken["warnings"])


# Lists and sets.


def test_a_list_and_what_left_it(cluster: Cluster, namespace: str, run_task: Task, tmp_path: Path) -> None:
    run_task("k8s_sa", accounts=[{"name": "a"}, {"name": "b"}], namespace=namespace)
    ours = f"set-{namespace}"
    listed: Options = {"namespace": namespace, "set_name": ours, "prune": True}
    one = {"name": "one", "service_account": "a", "dest": str(tmp_path / "1")}
    two = {"name": "two", "service_account": "b", "sinks": [{"type": "secret", "name": "copy"}]}
    made = run_task("k8s_legacy_token", **listed, legacy_tokens=[one, two])
    assert [outcome["status"] for outcome in made["outcomes"]] == ["changed", "changed"], made["msg"]
    assert not run_task("k8s_legacy_token", **listed, legacy_tokens=[one, two])["changed"]
    # members of another module in the same set are none of its business, and the other way round
    token = {"service_account": "a", "dest": str(tmp_path / "3"), "handle": "h"}
    run_task("k8s_sa_token", **listed, tokens=[token])
    assert secret_names(cluster, namespace) == ["copy", "h-1", "one", "two"]
    predicted = run_task("k8s_legacy_token", check_mode=True, **listed, legacy_tokens=[one])
    pruned = run_task("k8s_legacy_token", **listed, legacy_tokens=[one])
    assert predicted["actions"] == pruned["actions"]
    assert steps(pruned) == [("delete", "Secret", "two", "not_in_list")]
    assert secret_names(cluster, namespace) == ["copy", "h-1", "one"]
    assert not run_task("k8s_legacy_token", **listed, legacy_tokens=[one])["changed"]


def test_a_workload_that_a_pruned_token_is_taken_from_is_named(
    cluster: Cluster, namespace: str, run_task: Task
) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    listed: Options = {"namespace": namespace, "service_account": "app", "set_name": f"set-{namespace}", "prune": True}
    listed |= {"rotate_after": "1d", "verify": "never"}
    names = [{"name": name} for name in ("kept", "quiet", "used")]
    run_task("k8s_legacy_token", **listed, legacy_tokens=names)
    for name in ("used", "kept"):
        body = json.dumps(legacy.deployment(f"mounts-{name}", legacy.mounting(name)))
        cluster.kubectl("create", "-n", namespace, "-f", "-", input=body)
    predicted = run_task("k8s_legacy_token", check_mode=True, **listed, legacy_tokens=names[:1])
    pruned = run_task("k8s_legacy_token", **listed, legacy_tokens=names[:1])
    assert secret_names(cluster, namespace) == ["kept"]
    for result in (predicted, pruned):
        assert steps(result) == [("delete", "Secret", name, "not_in_list") for name in ("quiet", "used")]
        taken = [warning for warning in result["warnings"] if "is taken from" in warning]
        assert taken == [f"Secret {namespace}/used is taken from Deployment mounts-used, which still uses it"]
    again = run_task("k8s_legacy_token", **listed, legacy_tokens=names[:1])
    assert not again["changed"]
    assert not again.get("warnings")


def test_workloads_are_looked_at_where_something_is_pruned_and_nowhere_else(
    cluster: Cluster, namespace: str, run_task: Task
) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    declared: Options = {"namespace": namespace, "service_account": "app", "set_name": f"set-{namespace}"}
    declared |= {"rotate_after": "1d", "verify": "never"}
    names = [{"name": name} for name in ("kept", "gone")]
    run_task("k8s_legacy_token", **declared, legacy_tokens=names)
    body = json.dumps(legacy.deployment("mounts", legacy.mounting("gone")))
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=body)
    elsewhere: Options = {**declared, "namespace": "default", "prune": True, "check_mode": True}
    absent = [{"name": f"none-{namespace}", "state": "absent"}]
    looked = {}
    for title, more in {"pruned": {}, "kept": {"prune": False}}.items():
        mark = cluster.audit_mark()
        result = run_task("k8s_legacy_token", **{**elsewhere, **more}, legacy_tokens=absent)
        assert not result.get("failed"), result["msg"]
        ours = [one for one in cluster.audit_events(mark) if one.get("userAgent") == "tokenwright"]
        looked[title] = {one["objectRef"].get("namespace") for one in ours if one["objectRef"]["resource"] == "pods"}
    assert looked == {"pruned": {namespace}, "kept": set()}


def test_a_token_follows_its_list_into_another_set(run_task: Task, options: Options) -> None:
    run_task("k8s_legacy_token", **options, set_name="a")
    moved = predicted_and_done(run_task, options, set_name="b")
    assert steps(moved) == [("patch", "Secret", "tok", "set_changed")]


def test_one_bad_item_does_not_stop_the_others(namespace: str, run_task: Task, options: Options) -> None:
    items = [{"name": "x", "service_account": "nobody"}, {"name": "y", "service_account": "app"}]
    done = run_task("k8s_legacy_token", namespace=namespace, legacy_tokens=items)
    assert [outcome["status"] for outcome in done["outcomes"]] == ["failed", "changed"]
    assert "1 of 2 done" in done["msg"]
    shared = [{**item, "dest": options["dest"]} for item in items]
    refused = run_task("k8s_legacy_token", namespace=namespace, legacy_tokens=shared)
    assert "is the place of 2 tokens" in refused["msg"]
    twice = run_task("k8s_legacy_token", namespace=namespace, legacy_tokens=[items[1], items[1]])
    assert "is in the list 2 times" in twice["msg"]
