# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Taking a token back: what is deleted, what is proven, and what stays because it is not ours."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Task
from faults.proxy import FaultProxy
from faults.rules import Fault
from faults.tokens import caller_who_may, is_accepted, resigned, secret, secret_names, values

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _files
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._files import Sidecar

Writes = Callable[[int], list[str]]
Options = dict[str, Any]

# a caller who may see to handles, and ask no questions about tokens
_SECRETS = ("get,list,create,patch,delete", "secrets")


@pytest.fixture
def options(run_task: Task, namespace: str, tmp_path: Path) -> Options:
    """An account called app, and one place for its token."""
    run_task("k8s_sa", name="app", namespace=namespace)
    return {"name": "app", "namespace": namespace, "dest": str(tmp_path / "t")}


def steps(result: dict[str, Any]) -> list[tuple[str, str]]:
    return [(one["kind"], one["name"].rpartition("/")[2]) for one in result["actions"]]


def taken_back(run_task: Task, options: Options) -> dict[str, Any]:
    """Predicted, done, and done again."""
    options = {**options, "state": "absent"}
    predicted = run_task("k8s_sa_token", check_mode=True, **options)
    done = run_task("k8s_sa_token", **options)
    again = run_task("k8s_sa_token", **options)
    assert not done.get("failed"), done["msg"]
    assert predicted["actions"] == done["actions"]
    assert {(one["verb"], one["reason"]) for one in done["actions"]} <= {("delete", "revoked")}
    assert (predicted["changed"], predicted["reason"]) == (done["changed"], done["reason"])
    assert (again["changed"], again["actions"], again["reason"]) == (False, [], "up_to_date")
    return done


def test_a_token_with_a_handle_is_refused_within_seconds(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    places = {"kubeconfig_dest": str(tmp_path / "config"), "sinks": [{"type": "secret", "name": "s"}], "handle": "ci"}
    options |= places
    run_task("k8s_sa_token", **options)
    token = (tmp_path / "t").read_text()
    # the server remembers for ten seconds that it was good
    assert is_accepted(cluster, token)
    done = taken_back(run_task, options)
    assert steps(done) == [("Secret", "ci-1"), ("File", "t"), ("Kubeconfig", "config"), ("Secret", "s")]
    assert (done["revoked"], done["valid_until"]) == (True, None)
    assert 0 <= done["revoked_after_seconds"] < 15
    assert "the API server refused it after" in done["msg"]
    assert not is_accepted(cluster, token)
    assert secret_names(cluster, namespace) == []
    assert list(tmp_path.iterdir()) == [], "the records and locks go too"
    assert [sink["changed"] for sink in done["sinks"]] == [True, True, True]
    assert token not in json.dumps(done)


def test_a_token_without_a_handle_is_only_forgotten_and_that_is_said(
    cluster: Cluster, run_task: Task, options: Options, tmp_path: Path
) -> None:
    made = run_task("k8s_sa_token", **options)
    token = (tmp_path / "t").read_text()
    done = taken_back(run_task, options)
    assert (done["revoked"], done["revoked_after_seconds"]) == (False, None)
    assert done["valid_until"] == made["token_info"]["valid_until"]
    assert f"the API server accepts it until {done['valid_until']}: only a token with a handle can be" in done["msg"]
    assert is_accepted(cluster, token)
    assert list(tmp_path.iterdir()) == []


def test_all_generations_of_a_handle_go(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    options |= {"handle": "ci"}
    # what the server was never asked about, it does not remember
    first = run_task("k8s_sa_token", **options, verify="never")["token_info"]["credential_id"]
    old = (tmp_path / "t").read_text()
    run_task("k8s_sa_token", **options, verify="never", renew_if_credential_id=first)
    cluster.kubectl("create", "secret", "generic", "ci-7", "-n", namespace)
    done = taken_back(run_task, {**options, "dest": None})
    assert steps(done) == [("Secret", "ci-1"), ("Secret", "ci-2")]
    assert secret_names(cluster, namespace) == ["ci-7"], "what only looks like a generation stays"
    assert (done["revoked"], done["sinks"]) == (True, [])
    assert (tmp_path / "t").exists()
    # where the token is, a later run sees it refused, although its Secret is gone already
    later = taken_back(run_task, options)
    assert (later["revoked"], steps(later)) == (True, [("File", "t")])
    assert not is_accepted(cluster, old)


def test_without_a_right_to_ask_nothing_is_claimed_to_be_proven(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    options |= {"handle": "ci"}
    run_task("k8s_sa_token", **options)
    limited = str(caller_who_may(cluster, namespace, _SECRETS))
    refused = run_task("k8s_sa_token", **options, state="absent", verify="always", kubeconfig=limited)
    assert refused["error"]["rbac_rule"]["resources"] == ["tokenreviews"]
    run_task("k8s_sa_token", **options)
    done = run_task("k8s_sa_token", **options, state="absent", kubeconfig=limited)
    assert (done["revoked"], done["revoked_after_seconds"], done["changed"]) == (True, None, True)
    assert list(tmp_path.iterdir()) == []


def test_verify_never_waits_for_nothing(run_task: Task, options: Options) -> None:
    run_task("k8s_sa_token", **options, handle="ci")
    done = run_task("k8s_sa_token", **options, handle="ci", state="absent", verify="never")
    assert (done["revoked"], done["revoked_after_seconds"]) == (True, None)


def test_foreign_entries_of_a_kubeconfig_and_their_order_stay(
    run_task: Task, options: Options, namespace: str, tmp_path: Path
) -> None:
    place = tmp_path / "config"
    foreign: dict[str, Any] = {
        "preferences": {},
        "users": [{"name": "z", "user": {"token": "x"}}, {"name": "a", "user": {}}],
        "contexts": [{"name": "z", "context": {"cluster": "z", "user": "z"}}],
        "clusters": [{"name": "z", "cluster": {"server": "https://z.example.com"}}],
        "kind": "Config",
        "apiVersion": "v1",
        "current-context": "z",
    }
    place.write_text(yaml.safe_dump(foreign, sort_keys=False))
    place.chmod(0o600)
    before = place.read_text()
    options = {"name": "app", "namespace": namespace, "kubeconfig_dest": str(place)}
    run_task("k8s_sa_token", **options)
    assert place.read_text() != before
    taken_back(run_task, options)
    assert place.read_text() == before


@pytest.mark.usefixtures("options")
def test_the_other_accounts_of_a_kubeconfig_keep_their_cluster(
    cluster: Cluster, namespace: str, run_task: Task, tmp_path: Path
) -> None:
    place = tmp_path / "config"
    run_task("k8s_sa", name="other", namespace=namespace)
    tokens = [{"name": "app"}, {"name": "other"}]
    run_task("k8s_sa_token", namespace=namespace, kubeconfig_dest=str(place), tokens=tokens)
    taken_back(run_task, {"name": "app", "namespace": namespace, "kubeconfig_dest": str(place)})
    config = yaml.safe_load(place.read_text())
    assert [len(config[plural]) for plural in ("clusters", "users", "contexts")] == [1, 1, 1]
    (context,) = config["contexts"]
    answer = cluster.kubectl("auth", "whoami", f"--kubeconfig={place}", f"--context={context['name']}")
    assert f"system:serviceaccount:{namespace}:other" in answer.stdout


def test_a_kubeconfig_with_nothing_of_ours_stays_as_it_is(run_task: Task, namespace: str, tmp_path: Path) -> None:
    place = tmp_path / "config"
    place.write_text("current-context: gone\n")
    done = taken_back(run_task, {"name": "app", "namespace": namespace, "kubeconfig_dest": str(place)})
    assert not done["changed"]
    assert place.read_text() == "current-context: gone\n"


def test_another_accounts_token_is_not_taken_away(
    namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    run_task("k8s_sa_token", **options)
    token = (tmp_path / "t").read_text()
    mistaken = {**options, "name": "other", "state": "absent"}
    for check_mode in (True, False):
        refused = run_task("k8s_sa_token", check_mode=check_mode, **mistaken)
        assert refused["error"]["code"] == "other_account"
        assert f"holds a token of {namespace}/app, not of {namespace}/other" in refused["msg"]
    assert (tmp_path / "t").read_text() == token
    assert run_task("k8s_sa_token", **mistaken, force=True)["changed"]
    assert not (tmp_path / "t").exists()


def test_what_holds_something_else_is_not_taken_away(run_task: Task, options: Options, tmp_path: Path) -> None:
    (tmp_path / "t").write_text("a poem")
    for check_mode in (True, False):
        refused = run_task("k8s_sa_token", check_mode=check_mode, **options, state="absent")
        assert refused["error"]["code"] == "foreign_content"
    assert (tmp_path / "t").read_text() == "a poem"


def test_what_a_token_is_bound_to_is_never_deleted(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "secret", "generic", "anchor", "-n", namespace)
    options |= {"bound_object_ref": {"kind": "Secret", "name": "anchor"}}
    run_task("k8s_sa_token", **options)
    done = taken_back(run_task, options)
    assert (done["revoked"], steps(done)) == (False, [("File", "t")])
    assert secret_names(cluster, namespace) == ["anchor"]


def test_a_foreign_secret_loses_only_our_keys(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "secret", "generic", "theirs", "-n", namespace, "--from-literal=password=x")
    cluster.kubectl("label", "secret", "theirs", "-n", namespace, "a=b")
    options = {**options, "dest": None, "sinks": [{"type": "secret", "name": "theirs"}]}
    run_task("k8s_sa_token", **options)
    assert set(values(cluster, namespace, "theirs")) == {"password", "token", "ca.crt", "namespace"}
    taken_back(run_task, options)
    assert values(cluster, namespace, "theirs") == {"password": "x"}
    metadata = (secret(cluster, namespace, "theirs") or {})["metadata"]
    assert (metadata["labels"], metadata.get("annotations")) == ({"a": "b"}, None)


def test_a_foreign_secret_gets_back_what_a_format_added(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "secret", "generic", "theirs", "-n", namespace, "--from-literal=password=x")
    sink = {"type": "secret", "name": "theirs", "format": "argocd_cluster"}
    options = {**options, "dest": None, "sinks": [sink]}
    run_task("k8s_sa_token", **options)
    taken_back(run_task, options)
    metadata = (secret(cluster, namespace, "theirs") or {})["metadata"]
    # without server and config, Argo CD has no use for what it would take for a cluster
    assert not metadata.get("labels")


def test_an_account_or_namespace_that_is_gone_is_no_obstacle(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    run_task("k8s_sa_token", **options, verify="never")
    token = (tmp_path / "t").read_text()
    cluster.kubectl("delete", "serviceaccount", "app", "-n", namespace)
    done = taken_back(run_task, options)
    # a token of another cluster would look the same, so nothing is claimed
    assert (done["revoked"], done["valid_until"]) == (None, None)
    assert "its account is gone, or it is of another cluster" in done["warnings"][0]
    assert not is_accepted(cluster, token)
    gone = taken_back(run_task, {**options, "namespace": "gone", "handle": "ci"})
    assert (gone["changed"], gone["revoked"]) == (False, None)


def test_an_expired_token_needs_no_revoking(cluster: Cluster, run_task: Task, options: Options, tmp_path: Path) -> None:
    run_task("k8s_sa_token", **options)
    (tmp_path / "t").write_text(
        resigned(cluster, (tmp_path / "t").read_text(), iat=1600000000, nbf=1600000000, exp=1600003600)
    )
    done = taken_back(run_task, options)
    assert (done["changed"], done["revoked"], done["valid_until"]) == (True, None, None)


def test_a_lost_answer_to_the_deletion_is_made_up_for_by_the_next_run(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    options |= {"handle": "ci", "verify": "never"}
    run_task("k8s_sa_token", **options)
    fault_proxy.inject(Fault("DELETE", "/secrets/ci-1$", "eof", "after"))
    proxied = str(fault_proxy.kubeconfig)
    lost = run_task("k8s_sa_token", **options, state="absent", kubeconfig=proxied)
    # either it looks for itself whether it was done, or the next run does
    assert lost.get("failed") is None or lost["error"]["code"] == "ambiguous"
    done = run_task("k8s_sa_token", **options, state="absent", kubeconfig=proxied)
    assert not done.get("failed")
    assert (list(tmp_path.iterdir()), secret_names(cluster, namespace)) == ([], [])


def test_a_token_that_nobody_watches_is_refused_as_well(
    cluster: Cluster, run_task: Task, options: Options, tmp_path: Path
) -> None:
    options |= {"handle": "ci", "overlap": "1h"}
    made = run_task("k8s_sa_token", **options)
    before = (tmp_path / "t").read_text()
    run_task("k8s_sa_token", **options, renew_if_credential_id=made["token_info"]["credential_id"])
    # the server remembers for ten seconds that it accepted this one, which is in no place any more
    assert is_accepted(cluster, before)
    assert run_task("k8s_sa_token", **options, state="absent")["revoked"]
    assert not is_accepted(cluster, before)


def test_a_handle_that_is_not_given_is_named(run_task: Task, options: Options) -> None:
    run_task("k8s_sa_token", **options, handle="sched")
    for check_mode in (True, False):
        left = run_task("k8s_sa_token", check_mode=check_mode, **options, state="absent")
        assert "was minted for the handle sched" in left["warnings"][0]
    taken = run_task("k8s_sa_token", **options, handle="sched", state="absent")
    assert taken["revoked"]


@pytest.mark.parametrize("text", ["nonsense", "JTI=nonsense"])
def test_only_an_id_can_be_asked_to_go(run_task: Task, options: Options, text: str) -> None:
    refused = run_task("k8s_sa_token", **options, renew_if_credential_id=text)
    assert "is not the id of a token" in refused["msg"]


def test_a_place_that_is_in_the_way_does_not_keep_the_token_alive(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    options |= {"handle": "ci"}
    run_task("k8s_sa_token", **options)
    token = (tmp_path / "t").read_text()
    (tmp_path / "junk").write_text("somebody's")
    failed = run_task(
        "k8s_sa_token", **options, sinks=[{"type": "file", "path": str(tmp_path / "junk")}], state="absent"
    )
    assert failed["error"]["code"] == "foreign_content"
    assert secret_names(cluster, namespace) == []
    assert not is_accepted(cluster, token)
    assert not (tmp_path / "t").exists()
    assert (tmp_path / "junk").read_text() == "somebody's"


def test_an_immutable_secret_of_others_is_said_to_be_one_and_keeps_nothing_else_alive(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    cluster.kubectl("create", "secret", "generic", "theirs", "-n", namespace, "--from-literal=password=x")
    options |= {"handle": "ci", "sinks": [{"type": "secret", "name": "theirs"}, {"type": "secret", "name": "ours"}]}
    run_task("k8s_sa_token", **options)
    token = (tmp_path / "t").read_text()
    for name in ("theirs", "ours"):
        cluster.kubectl("patch", "secret", name, "-n", namespace, "-p", '{"immutable": true}')
    results = [run_task("k8s_sa_token", check_mode=mode, **options, state="absent") for mode in (True, False)]
    assert [result["error"]["code"] for result in results] == ["immutable", "immutable"]
    assert {result["msg"] for result in results} == {f"Secret {namespace}/theirs is immutable: delete it yourself"}
    assert steps(results[0]) == steps(results[1]) == [("Secret", "ci-1"), ("File", "t"), ("Secret", "ours")]
    assert (secret_names(cluster, namespace), list(tmp_path.iterdir())) == (["theirs"], [])
    assert not is_accepted(cluster, token)
    cluster.kubectl("delete", "secret", "theirs", "-n", namespace)
    assert not run_task("k8s_sa_token", **options, state="absent")["changed"]


def test_a_place_that_cannot_be_cleared_does_not_keep_the_others(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy, tmp_path: Path
) -> None:
    sinks = [{"type": "secret", "name": name} for name in ("one", "two")]
    options |= {"sinks": sinks, "handle": "ci"}
    run_task("k8s_sa_token", **options, verify="never")
    fault_proxy.inject(Fault("DELETE", "/secrets/one$", "answer", status=403))
    options |= {"kubeconfig": str(fault_proxy.kubeconfig), "verify": "never", "state": "absent"}
    failed = run_task("k8s_sa_token", **options)
    assert (failed["error"]["code"], failed["error"]["name"], failed["changed"]) == ("forbidden", "one", True)
    assert [sink["changed"] for sink in failed["sinks"]] == [True, False, True]
    assert (secret_names(cluster, namespace), list(tmp_path.iterdir())) == (["one"], [])
    assert run_task("k8s_sa_token", **options)["changed"]
    assert secret_names(cluster, namespace) == []


def test_a_place_that_somebody_else_holds_does_not_keep_the_token_alive(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    options: Options,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(_files, "_LOCK_TIMEOUT", 0.2)
    options |= {"handle": "ci", "sinks": [{"type": "file", "path": str(tmp_path / "u")}], "verify": "never"}
    run_task("k8s_sa_token", **options)
    with Sidecar(str(tmp_path / "t")).locked():
        failed = run_task("k8s_sa_token", **options, state="absent")
    assert (failed["error"]["code"], steps(failed)) == ("locked", [("Secret", "ci-1"), ("File", "u")])
    assert secret_names(cluster, namespace) == []
    assert (tmp_path / "t").exists()
