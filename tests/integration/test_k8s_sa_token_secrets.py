# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Secrets that hold a token, in this cluster and in another."""

from __future__ import annotations

import base64
import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Task, predicted_and_done
from faults.proxy import Exchange, FaultProxy
from faults.rules import Fault
from faults.tokens import caller_who_may, claims_of, is_accepted, secret, secret_names, values

Writes = Callable[[int], list[str]]
Options = dict[str, Any]


@pytest.fixture
def options(run_task: Task, namespace: str) -> Options:
    """An account called app whose token is kept in the Secret s."""
    run_task("k8s_sa", name="app", namespace=namespace)
    return {"name": "app", "namespace": namespace, "sinks": [{"type": "secret", "name": "s"}]}


@pytest.fixture(scope="module")
def elsewhere(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A second cluster."""
    with Cluster(tmp_path_factory.mktemp("elsewhere")) as running:
        yield running


def in_format(options: Options, kind: str, **more: Any) -> Options:
    return {**options, "sinks": [{"type": "secret", "name": "s", "format": kind, **more}]}


def refused(run_task: Task, options: Options) -> dict[str, Any]:
    """What check mode and the real run both refuse."""
    results = [run_task("k8s_sa_token", check_mode=check_mode, **options) for check_mode in (True, False)]
    assert [result.get("failed") for result in results] == [True, True]
    assert results[0]["msg"] == results[1]["msg"]
    return results[1]


def test_a_bare_token_with_what_it_takes_to_use_it(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes
) -> None:
    mark = cluster.audit_mark()
    made = predicted_and_done(run_task, options)
    assert not predicted_and_done(run_task, options)["changed"]
    assert [line.split()[:2] for line in writes(mark)] == [["create", "serviceaccounts/token"], ["create", "secrets"]]
    held = values(cluster, namespace, "s")
    assert is_accepted(cluster, held["token"])
    assert (held["ca.crt"], held["namespace"]) == (cluster.ca_cert.read_text(), namespace)
    found = secret(cluster, namespace, "s") or {}
    assert (found["type"], found["metadata"]["labels"]) == ("Opaque", {"tokenwright/token-format": "token"})
    assert found["metadata"]["annotations"]["tokenwright/service-account"] == f"{namespace}/app"
    assert made["sinks"] == [{"type": "secret", "place": f"{namespace}/s", "changed": True}]
    assert held["token"] not in json.dumps(made)


def test_a_kubeconfig_in_a_secret_works_with_kubectl(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, tmp_path: Path
) -> None:
    options = in_format(options, "kubeconfig", context_name="prod")
    predicted_and_done(run_task, options)
    assert not predicted_and_done(run_task, options)["changed"]
    (tmp_path / "config").write_text(values(cluster, namespace, "s")["kubeconfig"])
    answer = cluster.kubectl("auth", "whoami", f"--kubeconfig={tmp_path}/config", "--context=prod").stdout
    assert f"system:serviceaccount:{namespace}:app" in answer


def test_what_argo_cd_finds_is_enough_to_call_the_cluster(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    options = in_format(options, "argocd_cluster", cluster_name="prod", labels={"team": "a"})
    predicted_and_done(run_task, options)
    assert not predicted_and_done(run_task, options)["changed"]
    held, labels = values(cluster, namespace, "s"), (secret(cluster, namespace, "s") or {})["metadata"]["labels"]
    assert (labels["argocd.argoproj.io/secret-type"], labels["team"]) == ("cluster", "a")
    assert (held["name"], held["server"]) == ("prod", cluster.server)
    config = json.loads(held["config"])
    tls = config["tlsClientConfig"]
    assert tls == {"insecure": False, "caData": base64.b64encode(cluster.ca_cert.read_bytes()).decode()}
    context = ssl.create_default_context(cadata=base64.b64decode(tls["caData"]).decode())
    client = http.client.HTTPSConnection(held["server"].removeprefix("https://"), timeout=10, context=context)
    with closing(client):
        client.request("GET", "/api", headers={"Authorization": f"Bearer {config['bearerToken']}"})
        assert client.getresponse().status == 200


def test_another_format_takes_the_place_of_the_one_before(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    keys = {"token": {"token", "ca.crt", "namespace"}, "kubeconfig": {"kubeconfig"}}
    for kind in ("token", "kubeconfig", "argocd_cluster", "token"):
        predicted_and_done(run_task, in_format(options, kind))
        assert set(values(cluster, namespace, "s")) == keys.get(kind, {"config", "name", "server"})
        assert not predicted_and_done(run_task, in_format(options, kind))["changed"]


@pytest.fixture
def foreign(cluster: Cluster, namespace: str) -> None:
    """The Secret s is there already, with a password in it."""
    cluster.kubectl("create", "secret", "generic", "s", "-n", namespace, "--from-literal=password=x")


@pytest.mark.usefixtures("foreign")
def test_in_a_foreign_secret_too_another_format_takes_the_place_of_the_one_before(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes
) -> None:
    keys = {"token": {"token", "ca.crt", "namespace"}, "kubeconfig": {"kubeconfig"}}
    mark = cluster.audit_mark()
    for kind in ("token", "argocd_cluster", "kubeconfig", "token"):
        predicted_and_done(run_task, in_format(options, kind))
        assert set(values(cluster, namespace, "s")) == {"password", *keys.get(kind, {"config", "name", "server"})}
        labels = (secret(cluster, namespace, "s") or {})["metadata"].get("labels", {})
        assert ("argocd.argoproj.io/secret-type" in labels) is (kind == "argocd_cluster")
        assert not predicted_and_done(run_task, in_format(options, kind))["changed"]
    # the token goes from one format to the next
    assert sum("serviceaccounts/token" in line for line in writes(mark)) == 1


@pytest.mark.usefixtures("foreign")
def test_what_was_kept_in_another_format_is_taken_out_of_a_foreign_secret(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    made = run_task("k8s_sa_token", **options)
    gone = predicted_and_done(run_task, in_format({**options, "state": "absent"}, "kubeconfig"))
    assert (gone["changed"], gone["valid_until"]) == (True, made["token_info"]["valid_until"])
    assert values(cluster, namespace, "s") == {"password": "x"}


@pytest.mark.usefixtures("foreign")
@pytest.mark.parametrize("force", [False, True])
def test_another_format_does_not_replace_what_others_keep_under_its_keys(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, force: bool
) -> None:
    cluster.kubectl("patch", "secret", "s", "-n", namespace, "-p", '{"stringData": {"token": "theirs"}}')
    predicted_and_done(run_task, in_format(options, "kubeconfig"))
    before = values(cluster, namespace, "s")
    assert (before["token"], before["password"]) == ("theirs", "x")
    if force:
        predicted_and_done(run_task, {**options, "force": True})
        assert set(values(cluster, namespace, "s")) == {"password", "token", "ca.crt", "namespace"}
        return
    assert refused(run_task, options)["error"]["code"] == "foreign_content"
    assert values(cluster, namespace, "s") == before


def test_keys_and_labels_of_others_stay(cluster: Cluster, namespace: str, run_task: Task, options: Options) -> None:
    run_task("k8s_sa_token", **options)
    patch = {"metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}}, "data": {"password": "eA=="}}
    cluster.kubectl("patch", "secret", "s", "-n", namespace, "-p", json.dumps(patch))
    assert not predicted_and_done(run_task, options)["changed"]
    old = claims_of(values(cluster, namespace, "s")["token"])["jti"]
    predicted_and_done(run_task, {**options, "renew_if_credential_id": old})
    found = secret(cluster, namespace, "s") or {}
    assert values(cluster, namespace, "s")["password"] == "x"
    assert (found["metadata"]["labels"]["a"], found["metadata"]["annotations"]["c"]) == ("b", "d")


def test_what_is_wrong_in_a_secret_is_put_right_without_a_new_token(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    options = in_format(options, "token", labels={"team": "a"})
    run_task("k8s_sa_token", **options)
    token = values(cluster, namespace, "s")["token"]
    for patch in (
        {"data": {"ca.crt": "eA=="}},
        {"data": {"namespace": None}},
        {"metadata": {"annotations": {"tokenwright/record": None}}},
        {"metadata": {"annotations": {"tokenwright/record": "{"}}},
        {"metadata": {"labels": {"team": "b"}}},
    ):
        cluster.kubectl("patch", "secret", "s", "-n", namespace, "--type=merge", "-p", json.dumps(patch))
        assert predicted_and_done(run_task, options)["reason"] == "sink_changed", patch
        assert not predicted_and_done(run_task, options)["changed"]
    assert values(cluster, namespace, "s")["token"] == token


def test_a_secret_of_the_clusters_own_tokens_is_refused(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    metadata = {"name": "s", "annotations": {"kubernetes.io/service-account.name": "app"}}
    body = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/service-account-token", "metadata": metadata}
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(body))
    error = refused(run_task, options)["error"]
    assert error["code"] == "foreign_content"
    assert refused(run_task, {**options, "force": True})["error"]["code"] == "foreign_content"


def test_an_immutable_secret_is_refused_before_a_token_is_minted(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, writes: Writes
) -> None:
    cluster.kubectl("create", "secret", "generic", "s", "-n", namespace)
    cluster.kubectl("patch", "secret", "s", "-n", namespace, "-p", '{"immutable": true}')
    mark = cluster.audit_mark()
    result = refused(run_task, options)
    assert (result["error"]["code"], result["changed"]) == ("immutable", False)
    assert f"Secret {namespace}/s is immutable" in result["msg"]
    assert not writes(mark)


@pytest.mark.parametrize(
    ("kind", "key", "text"),
    [
        ("token", "token", "a poem"),
        ("kubeconfig", "kubeconfig", "- a poem"),
        ("kubeconfig", "kubeconfig", "a: ["),
        ("argocd_cluster", "config", "a poem"),
    ],
)
def test_something_else_under_our_key_is_refused_unless_forced(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, kind: str, key: str, text: str
) -> None:
    cluster.kubectl("create", "secret", "generic", "s", "-n", namespace, f"--from-literal={key}={text}")
    options = in_format(options, kind)
    assert refused(run_task, options)["error"]["code"] == "foreign_content"
    assert text not in refused(run_task, options)["msg"]
    assert values(cluster, namespace, "s") == {key: text}
    predicted_and_done(run_task, {**options, "force": True})
    assert values(cluster, namespace, "s")[key] != text
    assert not predicted_and_done(run_task, options)["changed"], "now there is a record of ours"


def test_a_foreign_secret_gets_our_keys_and_stays_foreign(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "secret", "generic", "s", "-n", namespace, "--from-literal=password=x")
    predicted_and_done(run_task, options)
    assert not predicted_and_done(run_task, options)["changed"]
    assert set(values(cluster, namespace, "s")) == {"password", "token", "ca.crt", "namespace"}
    assert "labels" not in (secret(cluster, namespace, "s") or {})["metadata"]


def test_a_token_whose_audience_is_not_the_api_servers_is_no_use_in_a_kubeconfig(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    options = in_format(options, "kubeconfig")
    run_task("k8s_sa_token", **options)
    before = secret(cluster, namespace, "s")
    result = run_task("k8s_sa_token", **options, audiences=["vault"])
    assert result["error"]["code"] == "not_accepted"
    assert "leave audiences out" in result["error"]["hint"]
    assert secret(cluster, namespace, "s") == before


def side_by_side(task: Callable[[], dict[str, Any]]) -> list[dict[str, Any]]:
    with ThreadPoolExecutor(4) as pool:
        return [future.result(60) for future in [pool.submit(task) for dummy in range(4)]]


def test_four_who_store_at_once_end_with_one_token(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    certificate, key = cluster.client_cert("root", ["system:masters"])
    options |= {"kubeconfig": None, "host": cluster.server, "ca_cert": str(cluster.ca_cert)}
    options |= {"client_cert": str(certificate), "client_key": str(key)}
    results = side_by_side(lambda: run_task("k8s_sa_token", **options))
    assert [result["msg"] for result in results if result.get("failed")] == []
    token = values(cluster, namespace, "s")["token"]
    assert {result["token_info"]["credential_id"] for result in results} == {claims_of(token)["jti"]}
    assert sum("is minted" in result["msg"] for result in results) == 1
    assert is_accepted(cluster, token)
    assert not run_task("k8s_sa_token", **options)["changed"]


def test_who_is_overtaken_takes_what_is_there(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    run_task("k8s_sa_token", **options)
    old = claims_of(values(cluster, namespace, "s")["token"])["jti"]
    options |= {"renew_if_credential_id": old}
    rival: list[dict[str, Any]] = []

    def be_faster(exchange: Exchange) -> None:
        if exchange.path.endswith("/token"):
            fault_proxy.on_request = None
            rival.append(run_task("k8s_sa_token", **options))

    fault_proxy.on_request = be_faster
    result = run_task("k8s_sa_token", **options, kubeconfig=str(fault_proxy.kubeconfig))
    assert not result.get("failed"), result["msg"]
    # a token that others may already have read is not replaced by one that is no better
    theirs = rival[0]["token_info"]["credential_id"]
    assert claims_of(values(cluster, namespace, "s")["token"])["jti"] == theirs != old
    assert result["token_info"]["credential_id"] == theirs
    # a token was requested all the same, and lives
    until = result["token_info"]["expires_at"]
    place = f"{options['namespace']}/app"
    assert (result["changed"], result["reason"]) == (True, "requested")
    assert result["msg"] == f"another run was faster: the token of {place} is the one it stored, good until {until}"
    assert [f"another run stored a token of {place} first; ours is not used" in one for one in result["warnings"]] == [
        True
    ]


def test_connections_are_made_side_by_side(run_task: Task, options: Options) -> None:
    results = [result for dummy in range(3) for result in side_by_side(lambda: run_task("k8s_sa_token", **options))]
    assert [result["msg"] for result in results if result.get("failed")] == []


def test_who_comes_second_takes_the_token_of_the_first_and_leaves_nothing_behind(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    rival: list[dict[str, Any]] = []

    def be_faster(exchange: Exchange) -> None:
        if exchange.path.endswith("/token"):
            fault_proxy.on_request = None
            rival.append(run_task("k8s_sa_token", **{**options, "handle": "theirs"}))

    fault_proxy.on_request = be_faster
    # without a handle of its own the rival's token would not do, and would be replaced
    result = run_task("k8s_sa_token", **{**options, "handle": "ours"}, kubeconfig=str(fault_proxy.kubeconfig))
    assert not result.get("failed"), result["msg"]
    token = values(cluster, namespace, "s")["token"]
    assert claims_of(token)["jti"] == result["token_info"]["credential_id"]
    assert is_accepted(cluster, token)
    assert rival[0]["changed"]
    # its own token is another one by now than the one that was overtaken
    assert "is minted" in result["msg"]
    # of the two that were made, the one whose token was overtaken is gone
    assert len([name for name in secret_names(cluster, namespace) if name.startswith("ours-")]) == 1


def test_a_secret_may_be_kept_by_somebody_with_other_rights(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    keeper = caller_who_may(cluster, namespace, ("get,create,patch,delete", "secrets"))
    minter = caller_who_may(cluster, namespace, ("get", "serviceaccounts"), ("create", "serviceaccounts/token"))
    options |= {"kubeconfig": str(minter)}
    denied = run_task("k8s_sa_token", **options)
    assert denied["error"]["rbac_rule"]["resources"] == ["secrets"]
    inline = yaml.safe_load(keeper.read_text())
    options = in_format(options, "token", connection={"kubeconfig": inline})
    made = predicted_and_done(run_task, options)
    assert not predicted_and_done(run_task, options)["changed"]
    assert inline["users"][0]["user"]["client-key-data"] not in json.dumps(made)
    assert run_task("k8s_sa_token", **options, state="absent")["changed"]
    assert secret_names(cluster, namespace) == []


def test_a_secret_may_be_in_another_cluster(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, elsewhere: Cluster
) -> None:
    connection = {"kubeconfig": str(elsewhere.kubeconfig)}
    options = in_format(options, "argocd_cluster", namespace="default", connection=connection)
    predicted_and_done(run_task, options)
    assert not predicted_and_done(run_task, options)["changed"]
    held = values(elsewhere, "default", "s")
    assert held["server"] == cluster.server
    assert is_accepted(cluster, json.loads(held["config"])["bearerToken"])
    assert secret_names(cluster, namespace) == []
    missing = in_format(options, "token", namespace="gone", connection=connection)
    coming = run_task("k8s_sa_token", check_mode=True, **missing)
    assert (coming["changed"], "namespace gone does not exist yet" in coming["warnings"][0]) == (True, True)
    assert run_task("k8s_sa_token", **missing)["error"]["code"] == "namespace_missing"
    assert run_task("k8s_sa_token", **options, state="absent")["changed"]
    assert secret_names(elsewhere, "default") == []


@pytest.mark.parametrize("is_there", [False, True])
@pytest.mark.parametrize("state", ["present", "absent"])
@pytest.mark.usefixtures("options")
def test_two_addresses_of_one_cluster_are_one_place(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    fault_proxy: FaultProxy,
    writes: Writes,
    state: str,
    is_there: bool,
) -> None:
    place = {"type": "secret", "name": "s", "namespace": namespace}
    if is_there:
        run_task("k8s_sa_token", name="app", namespace=namespace, sinks=[place])
    by_proxy = {**place, "format": "kubeconfig", "connection": {"kubeconfig": str(fault_proxy.kubeconfig)}}
    mark = cluster.audit_mark()
    one_token: Options = {"name": "app", "namespace": namespace, "sinks": [place, by_proxy]}
    two_tokens: Options = {
        "namespace": namespace,
        "tokens": [{"name": "app", "sinks": [one]} for one in (place, by_proxy)],
    }
    for options in (one_token, two_tokens):
        result = refused(run_task, {**options, "state": state})
        assert result["error"]["code"] == "duplicate"
        assert f"the Secret {namespace}/s of sinks is given twice, by two addresses of one cluster" in result["msg"]
    assert not writes(mark)


def test_secrets_of_one_name_in_two_clusters_are_two_places(
    cluster: Cluster, namespace: str, run_task: Task, elsewhere: Cluster
) -> None:
    connection = {"kubeconfig": str(elsewhere.kubeconfig)}
    cluster.kubectl("create", "serviceaccount", namespace, "-n", "default")
    sinks = [{"type": "secret", "name": name} for name in (namespace, f"{namespace}-2")]
    options: Options = {"name": namespace, "namespace": "default"}
    options["sinks"] = [*sinks, *({**sink, "connection": connection} for sink in sinks)]
    try:
        predicted_and_done(run_task, options)
        assert not predicted_and_done(run_task, options)["changed"]
        tokens = {values(one, "default", sink["name"])["token"] for one in (cluster, elsewhere) for sink in sinks}
        assert len(tokens) == 1
        assert run_task("k8s_sa_token", **options, state="absent")["changed"]
    finally:
        cluster.kubectl("delete", "serviceaccount", namespace, "-n", "default")


def test_the_connection_of_a_secret_inherits_nothing(
    run_task: Task, options: Options, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate, key = cluster.client_cert("root", ["system:masters"])
    monkeypatch.setenv("K8S_AUTH_CLIENT_CERT", str(certificate))
    monkeypatch.setenv("K8S_AUTH_CLIENT_KEY", str(key))
    connection = {"host": cluster.server, "ca_cert": str(cluster.ca_cert)}
    result = run_task("k8s_sa_token", **in_format(options, "token", connection=connection))
    # nobody in particular, who may do nothing
    assert result["failed"]
    assert result["error"]["http_status"] in (401, 403)
    assert "anonymous" in result["msg"] or result["error"]["http_status"] == 401


PATIENCE: list[tuple[Options, Options, int]] = [
    ({"retry_timeout": 0}, {}, 1),
    ({"retry_timeout": 60}, {"retry_timeout": 0}, 1),
    ({"retry_timeout": 0}, {"retry_timeout": 60}, 3),
]


@pytest.mark.parametrize(("task", "own", "attempts"), PATIENCE)
def test_the_connection_of_a_secret_is_as_patient_as_the_task_unless_it_says_otherwise(
    run_task: Task, options: Options, fault_proxy: FaultProxy, task: Options, own: Options, attempts: int
) -> None:
    fault_proxy.inject(Fault("GET", "/secrets/s$", "answer", status=503, times=2))
    connection = {"kubeconfig": str(fault_proxy.kubeconfig), **own}
    result = run_task("k8s_sa_token", **in_format(options, "token", connection=connection), **task)
    assert result.get("failed", False) is (attempts == 1)
    statuses = [one.client_status for one in fault_proxy.requests if one.path.endswith("/secrets/s")]
    assert statuses[:3] == [503, 503, 404][:attempts]


def test_the_connection_of_a_secret_gives_up_a_request_as_soon_as_the_task(
    run_task: Task, options: Options, fault_proxy: FaultProxy
) -> None:
    # with the patience that is usual the answer would come in time
    fault_proxy.inject(Fault("GET", "/secrets/s$", "delay", seconds=10))
    connection = {"kubeconfig": str(fault_proxy.kubeconfig), "retry_timeout": 0}
    result = run_task("k8s_sa_token", **in_format(options, "token", connection=connection), request_timeout=1)
    assert (result["failed"], result["error"]["code"]) == (True, "unreachable")


FOREIGN: list[tuple[str, dict[str, str]]] = [
    ("token", {"token": base64.b64encode(b"\xff\xfe").decode()}),
    ("token", {"ca.crt": base64.b64encode(b"somebody's").decode()}),
    ("kubeconfig", {"kubeconfig": base64.b64encode(b"users: [{name: admin, user: {}}]").decode()}),
    ("argocd_cluster", {"config": base64.b64encode(b'{"username": "admin"}').decode()}),
    ("argocd_cluster", {"config": base64.b64encode(b'{"bearerToken": "opaque"}').decode()}),
]


@pytest.mark.parametrize(("form", "data"), FOREIGN)
def test_what_others_keep_under_our_keys_stays(
    cluster: Cluster, namespace: str, run_task: Task, form: str, data: dict[str, str]
) -> None:
    run_task("k8s_sa", name="app", namespace=namespace)
    body = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "theirs", "namespace": namespace}, "data": data}
    cluster.kubectl("create", "-f", "-", input=json.dumps(body))
    sink = {"type": "secret", "name": "theirs", "format": form}
    for state in ("present", "absent"):
        for check_mode in (True, False):
            options = {"name": "app", "namespace": namespace, "state": state, "sinks": [sink]}
            refused = run_task("k8s_sa_token", check_mode=check_mode, **options)
            assert refused["error"]["code"] == "foreign_content"
    live = json.loads(cluster.kubectl("get", "secret", "theirs", "-n", namespace, "-o", "json").stdout)
    assert live["data"] == data


def test_a_secret_of_another_account_is_neither_replaced_nor_deleted(namespace: str, run_task: Task) -> None:
    run_task("k8s_sa", namespace=namespace, accounts=[{"name": "a"}, {"name": "b"}])
    place = {"type": "secret", "name": "ours"}
    run_task("k8s_sa_token", name="a", namespace=namespace, sinks=[place])
    for form in ("token", "kubeconfig"):
        for state in ("present", "absent"):
            options = {"name": "b", "namespace": namespace, "state": state, "sinks": [{**place, "format": form}]}
            assert run_task("k8s_sa_token", **options)["error"]["code"] == "other_account"
    assert not run_task("k8s_sa_token", name="a", namespace=namespace, sinks=[place])["changed"]
