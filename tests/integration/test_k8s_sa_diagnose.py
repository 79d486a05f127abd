# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Real Pods whose tokens are good, wrong, unreadable, gone or not there at all, and what is said of them."""

from __future__ import annotations

import json
import logging
import sys
import uuid
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from cluster.observing import within
from cluster.pods import deployment, pod, pod_spec
from conftest import USE_CASES, Play
from faults.proxy import FaultProxy
from faults.rules import Fault
from faults.tokens import caller_who_may

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here
from ansible_collections.tokenwright.kubernetes.plugins.modules.k8s_sa_diagnose import RETURN

Object = dict[str, Any]
Ask = Callable[..., Object]

USUAL = "/var/run/secrets/kubernetes.io/serviceaccount/token"
VAULT = "https://vault.example.com"
LOOK = {"look_inside": True}

# another spelling of the same interpreter, so that the module is shipped
SHIPPED = str(Path(sys.executable).parent / ".." / "bin" / Path(sys.executable).name)


@pytest.fixture
def place(node_cluster: Cluster) -> Iterator[str]:
    """The name of a fresh namespace on the cluster with a node, with the account C(app)."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    node_cluster.kubectl("create", "namespace", name)
    node_cluster.kubectl("create", "serviceaccount", "app", "-n", name)
    # without it the API server refuses Pods that name no account
    assert within(30, lambda: not node_cluster.kubectl("get", "sa/default", f"-n{name}", check=False).returncode)
    yield name
    node_cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture
def ask(node_cluster: Cluster, place: str) -> Ask:
    """Diagnose a Pod."""

    def about(name: str, *, check_mode: bool = False, **options: Any) -> Object:
        given = {"kubeconfig": str(node_cluster.kubeconfig), "namespace": place, "pod": name, **options}
        return run_here(USE_CASES["k8s_sa_diagnose"], given, check_mode=check_mode, diff=True)

    return about


def spec_of(cluster: Cluster, *volumes: Object, container: Mapping[str, Any] | None = None, **more: Any) -> Object:
    """Of a Pod of the account app, with the token volumes at /NAME."""
    mounts = [{"name": volume["name"], "mountPath": f"/{volume['name']}"} for volume in volumes]
    made = pod_spec(cluster.server, **{"volumeMounts": mounts, **(container or {})})
    return {**made, "serviceAccountName": "app", "volumes": list(volumes), **more}


def token(name: str = "t", mode: int = 0o644, **asked: Any) -> Object:
    """A volume with a token."""
    sources = [{"serviceAccountToken": {"path": "token", **asked}}]
    return {"name": name, "projected": {"sources": sources, "defaultMode": mode}}


def run(cluster: Cluster, namespace: str, name: str, spec: Object, *, wait: bool = True) -> Object:
    """Make a Pod and wait until it runs."""
    cluster.kubectl("create", "-n", namespace, "-f", "-", input=json.dumps(pod(name, spec)))
    if wait:
        cluster.kubectl("wait", "-n", namespace, "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    made: Object = json.loads(cluster.kubectl("get", "pod", name, "-n", namespace, "-o", "json").stdout)
    return made


def causes(result: Object) -> list[str]:
    assert not result.get("failed"), result["msg"]
    assert result["changed"] is False
    assert result["healthy"] is (False if result["findings"] else None if result["not_known"] else True)
    return [one["cause"] for one in result["findings"]]


def test_nothing_is_wrong_and_what_was_seen_is_told(node_cluster: Cluster, place: str, ask: Ask) -> None:
    made = run(node_cluster, place, "fine", spec_of(node_cluster, token(audience=VAULT, expirationSeconds=600)))
    asked = ask("fine", audience=VAULT)
    assert (causes(asked), asked["reason"]) == ([], "healthy")
    assert {(one["read"], one["found"]) for one in asked["tokens"]} == {(None, None)}
    result = ask("fine", audience=VAULT, **LOOK)
    assert (causes(result), result["reason"], result["not_known"]) == ([], "healthy", [])
    ours, theirs = result["tokens"]
    assert (ours["path"], ours["automounted"], theirs["path"], theirs["automounted"]) == (
        "/t/token", False, USUAL, True,
    )  # fmt: skip
    assert ours["asked"] == {"audience": VAULT, "expiration_seconds": 600}
    found, uid = ours["found"], made["metadata"]["uid"]
    assert (found["audiences"], found["service_account"], found["namespace"]) == ([VAULT], "app", place)
    assert found["bound_object_ref"] == {"kind": "Pod", "name": "fine", "uid": uid}
    assert found["uid"] == result["pod"]["service_account_uid"]
    assert found["valid_until"] == found["expires_at"]
    described = yaml.safe_load(RETURN)["tokens"]["contains"]["found"]["contains"]
    assert described.keys() == found.keys() == theirs["found"].keys()
    assert theirs["found"]["valid_until"] > theirs["found"]["expires_at"], "automount asks for 3607 seconds"
    assert result["pod"] == {
        "name": "fine", "namespace": place, "uid": uid, "phase": "Running",
        "service_account": "app", "service_account_uid": found["uid"],
    }  # fmt: skip


def test_check_mode_sees_the_same(node_cluster: Cluster, place: str, ask: Ask) -> None:
    run(node_cluster, place, "fine", spec_of(node_cluster))
    real, checked = ask("fine", **LOOK), ask("fine", **LOOK, check_mode=True)
    assert {**real, "invocation": None} == {**checked, "invocation": None}
    assert real["tokens"][0]["read"] is True


def test_a_file_that_its_user_may_not_read(node_cluster: Cluster, place: str, ask: Ask) -> None:
    others = {"securityContext": {"runAsUser": 1000}}
    made = spec_of(node_cluster, token(mode=0o400))
    made["containers"].append({**made["containers"][0], **others, "name": "side"})
    run(node_cluster, place, "shut", made)
    asked = ask("shut", container="main")
    (predicted,) = asked["findings"]
    assert (causes(asked), "65534" in predicted["evidence"]) == (["unreadable_file"], True)
    seen = ask("shut", container="main", **LOOK)
    (found,) = seen["findings"]
    assert found["evidence"] == f"the user of container main may not read /t/token: {predicted['evidence']}"
    assert [one["read"] for one in seen["tokens"]] == [False, True]
    assert causes(ask("shut", **LOOK)) == ["unreadable_file"] * 2


def test_a_directory_that_its_user_may_not_enter(node_cluster: Cluster, place: str, ask: Ask) -> None:
    """What the specification cannot tell: somebody closes a directory above the file."""
    closed = {"name": "closed", "emptyDir": {}}
    made = spec_of(node_cluster, token(), container={"volumeMounts": [
        {"name": "closed", "mountPath": "/closed"}, {"name": "t", "mountPath": "/closed/t"},
    ]})  # fmt: skip
    made["volumes"].append(closed)
    closing = {**made["containers"][0], "name": "closes", "securityContext": {"runAsUser": 0}}
    made["containers"].append({**closing, "command": ["sh", "-c", CLOSE], "image": "localhost/app:1"})
    run(node_cluster, place, "closed", made)
    assert within(20, lambda: causes(ask("closed", container="main", **LOOK)) == ["unreadable_file"])
    assert causes(ask("closed", container="main")) == []


# there is no chmod in the images
CLOSE = "python3 -c 'import os, time; os.chmod(\"/closed\", 0o700); time.sleep(3600)'"


def test_a_token_for_somebody_else(node_cluster: Cluster, place: str, ask: Ask) -> None:
    run(
        node_cluster, place, "other", spec_of(node_cluster, token(audience="other"), automountServiceAccountToken=False)
    )
    for options in ({}, LOOK):
        result = ask("other", audience=VAULT, **options)
        assert causes(result) == ["wrong_audience"]
        assert (
            result["findings"][0]["evidence"] == f"what Pod {place}/other has is for other, and nothing is for {VAULT}"
        )
    run(node_cluster, place, "usual", spec_of(node_cluster))
    asked = ask("usual", audience=VAULT)
    assert (causes(asked), asked["healthy"], "only the token tells" in asked["msg"]) == ([], None, True)
    assert causes(ask("usual", audience=VAULT, **LOOK)) == ["wrong_audience"]


def test_no_token_since_somebody_does_not_want_one(node_cluster: Cluster, place: str, ask: Ask) -> None:
    run(node_cluster, place, "own", spec_of(node_cluster, automountServiceAccountToken=False))
    node_cluster.kubectl("patch", "sa", "app", "-n", place, "-p", '{"automountServiceAccountToken": false}')
    run(node_cluster, place, "accounts", spec_of(node_cluster))
    evidence = {name: ask(name, **LOOK)["findings"][0]["evidence"] for name in ("own", "accounts")}
    assert evidence["own"].endswith("automountServiceAccountToken is false in the Pod")
    assert evidence["accounts"].endswith(f"automountServiceAccountToken is false in ServiceAccount {place}/app")
    assert causes(ask("accounts")) == ["automount_off"]
    node_cluster.kubectl("patch", "sa", "app", "-n", place, "-p", '{"automountServiceAccountToken": true}')
    assert causes(ask("accounts")) == ["no_projected_token"]


def test_an_account_that_is_gone_and_another_of_its_name(node_cluster: Cluster, place: str, ask: Ask) -> None:
    mounts = [{"name": "t", "mountPath": "/t/token", "subPath": "token"}]
    # mounted like this the file stays what it is, whatever the kubelet gets meanwhile
    made = spec_of(node_cluster, token(), container={"volumeMounts": mounts}, automountServiceAccountToken=False)
    run(node_cluster, place, "stays", made)
    assert causes(ask("stays", **LOOK)) == ["stale_reader"]
    node_cluster.kubectl("delete", "sa", "app", "-n", place)
    assert causes(ask("stays")) == ["account_missing", "stale_reader"]
    node_cluster.kubectl("create", "sa", "app", "-n", place)
    assert causes(ask("stays")) == ["stale_reader"], "from outside nothing can be seen of it"
    result = ask("stays", **LOOK)
    assert causes(result) == ["account_recreated", "stale_reader"]
    said, before = result["findings"][0]["evidence"], result["tokens"][0]["found"]["uid"]
    assert before in said
    assert result["pod"]["service_account_uid"] in said


def test_a_file_that_is_no_token_or_not_there(node_cluster: Cluster, place: str, ask: Ask) -> None:
    # the same directory in two spellings: what is mounted last hides the other
    mounts = [{"name": "t", "mountPath": "/t"}, {"name": "over", "mountPath": "/t/"}]
    made = spec_of(node_cluster, token(), container={"volumeMounts": mounts})
    made["volumes"].append({"name": "over", "emptyDir": {}})
    run(node_cluster, place, "hidden", made)
    result = ask("hidden", **LOOK)
    assert (causes(result), "there is no file /t/token" in result["msg"]) == (["no_projected_token"], True)
    made = spec_of(node_cluster, token())
    text = {"configMap": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "token"}]}}
    made["volumes"][0]["projected"]["sources"].append(text)
    run(node_cluster, place, "text", made)
    result = ask("text", **LOOK)
    assert (causes(result), "holds no token" in result["msg"]) == (["no_projected_token"], True)
    assert (result["tokens"][0]["read"], result["tokens"][0]["found"]) == (False, None)
    assert "CERTIFICATE" not in json.dumps(result)


def test_what_cannot_be_looked_into_is_neither_healthy_nor_wrong(node_cluster: Cluster, place: str, ask: Ask) -> None:
    nowhere = {"env": [{"name": "PATH", "value": "/nowhere"}], "command": ["/bin/sleep", "infinity"]}
    run(node_cluster, place, "bare", spec_of(node_cluster, container=nowhere))
    run(node_cluster, place, "waits", spec_of(node_cluster, nodeName="nowhere"), wait=False)
    run(
        node_cluster,
        place,
        "over",
        spec_of(node_cluster, container={"command": ["true"]}, restartPolicy="Never"),
        wait=False,
    )
    phase = "--for=jsonpath={.status.phase}=Succeeded"
    node_cluster.kubectl("wait", "-n", place, phase, "pod/over", "--timeout=60s")
    said = {
        "bare": "its image has no shell",
        "waits": "it does not run, and the Pod is Pending",
        "over": "it does not run, and the Pod is Succeeded (Completed)",
    }
    for name, words in said.items():
        result = ask(name, **LOOK)
        assert (causes(result), result["healthy"], result["reason"]) == ([], None, "not_known")
        assert words in result["not_known"][0]
        assert [one["read"] for one in result["tokens"]] == [False]
    assert ask("bare")["healthy"] is True
    assert ask("waits")["healthy"] is None


def test_what_the_other_end_does_is_not_waited_for(node_cluster: Cluster, place: str, ask: Ask) -> None:
    run(node_cluster, place, "fine", spec_of(node_cluster))
    with FaultProxy(node_cluster) as proxy:
        faults = {"no answer in time": Fault("GET", "/exec", "silence"), "broke before": Fault("GET", "/exec", "eof")}
        for words, fault in faults.items():
            proxy.inject(fault)
            result = ask("fine", **LOOK, kubeconfig=str(proxy.kubeconfig), request_timeout=2)
            assert (causes(result), result["healthy"], words in result["msg"]) == ([], None, True), result["msg"]


def test_a_pod_that_is_not_there(place: str, ask: Ask) -> None:
    result = ask("nothing")
    assert (result["failed"], result["error"]["code"]) == (True, "not_found")
    assert result["msg"].startswith(f"Pod {place}/nothing does not exist: ")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"pod": "Bad"}, "pod: 'Bad' is not a valid name"),
        ({"namespace": None}, "namespace is missing"),
        ({"pod": None}, "pod"),
        ({"look_inside": "perhaps"}, "look_inside"),
    ],
)
def test_what_cannot_be_right_is_refused(node_cluster: Cluster, ask: Ask, options: dict[str, Any], said: str) -> None:
    mark = node_cluster.audit_mark()
    refused = ask("fine", **options)
    assert (refused["failed"], said in refused["msg"]) == (True, True), refused["msg"]
    assert not [event for event in node_cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


def test_a_container_that_is_not_there(node_cluster: Cluster, place: str, ask: Ask) -> None:
    run(node_cluster, place, "fine", spec_of(node_cluster), wait=False)
    assert ask("fine", container="side")["msg"] == f"container: Pod {place}/fine has no container side: it has main"


READ = ("get", "pods,serviceaccounts")


def can_ask(ask: Ask, **options: Any) -> bool:
    """Whether the authorizer has heard of the caller's rights."""
    return not ask("fine", **options).get("failed")


def test_who_may_not_look_is_told_what_it_takes(node_cluster: Cluster, place: str, ask: Ask) -> None:
    run(node_cluster, place, "fine", spec_of(node_cluster))
    lacking = (("get", ()), ("get", (("create", "pods/exec"),)), ("create", (("get", "pods/exec"),)))
    for verb, rights in lacking:
        caller = {"kubeconfig": str(caller_who_may(node_cluster, place, READ, *rights))}
        assert within(20, partial(can_ask, ask, **caller))
        refused = ask("fine", **caller, **LOOK)
        assert (refused["failed"], refused["error"]["code"]) == (True, "forbidden")
        assert f"allow the caller to {verb} pods/exec in namespace {place}" in refused["msg"]
        assert refused["error"]["rbac_rule"]["verbs"] == [verb]
    both = str(caller_who_may(node_cluster, place, READ, ("get,create", "pods/exec")))
    assert within(20, partial(can_ask, ask, kubeconfig=both, **LOOK))
    alone = str(caller_who_may(node_cluster, place, ("get", "pods")))
    assert within(20, partial(can_ask, ask, kubeconfig=alone))
    assert "the caller may not get it" in ask("fine", kubeconfig=alone)["not_known"][0]


def test_nothing_of_a_token_is_anywhere(
    node_cluster: Cluster, place: str, ask: Ask, caplog: pytest.LogCaptureFixture
) -> None:
    run(node_cluster, place, "fine", spec_of(node_cluster, token(audience=VAULT)))
    mark = node_cluster.audit_mark()
    with caplog.at_level(logging.DEBUG):
        result = ask("fine", **LOOK)
    assert [one["read"] for one in result["tokens"]] == [True, True]
    paths = [one["path"] for one in result["tokens"]]
    tokens = [node_cluster.kubectl("exec", "-n", place, "fine", "--", "cat", path).stdout.strip() for path in paths]
    parts = [part for token in tokens for part in token.split(".")[1:]]
    assert len(parts) == 4
    ours = [event for event in node_cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
    assert {event["verb"] for event in ours} == {"get"}
    assert [event for event in ours if "exec" in event["requestURI"]]
    files = [node_cluster.directory / "audit.log", *(node_cluster.directory / "logs").iterdir()]
    surfaces = {"result": json.dumps(result), "log": caplog.text}
    surfaces |= {path.name: path.read_text(errors="replace") for path in files}
    assert "/exec?" in surfaces["audit.log"]
    assert [name for name, text in surfaces.items() if any(part in text for part in parts)] == []


def test_nothing_of_a_token_is_in_the_output_of_a_play(
    node_cluster: Cluster, place: str, run_playbook: Callable[..., Play]
) -> None:
    """The module is shipped, and says all it can."""
    run(node_cluster, place, "fine", spec_of(node_cluster, token(audience=VAULT), automountServiceAccountToken=False))
    connection = {"kubeconfig": str(node_cluster.kubeconfig), "namespace": place}
    look = {"tokenwright.kubernetes.k8s_sa_diagnose": {**connection, "pod": "fine", **LOOK}, "register": "seen"}
    show = {"ansible.builtin.debug": {"var": "seen"}}
    play = {"hosts": "localhost", "gather_facts": False, "tasks": [look, show]}
    for extra in ([], ["-e", f"ansible_python_interpreter={SHIPPED}"]):
        done = run_playbook([play], "-vvv", *extra)
        assert (done.rc, done.changed, bool(extra)) == (0, 0, "AnsiballZ" in done.stdout), done.stdout + done.stderr
        assert '"read": true' in done.stdout
        real = node_cluster.kubectl("exec", "-n", place, "fine", "--", "cat", "/t/token").stdout
        assert [part for part in real.strip().split(".")[1:] if part in done.stdout + done.stderr] == []


def test_the_task_of_a_finding_repairs_a_workload(node_cluster: Cluster, place: str, ask: Ask) -> None:
    """A Deployment whose token cannot be read and is for somebody else, until what is advised is done."""
    made = spec_of(node_cluster, token(mode=0o400, audience="other"))
    made["containers"].append({**made["containers"][0], "name": "side", "securityContext": {"runAsUser": 1000}})
    node_cluster.kubectl("create", "-n", place, "-f", "-", input=json.dumps(deployment("web", made)))
    fixed = []
    for dummy in range(3):
        result = ask(newest(node_cluster, place), audience=VAULT, container="main", **LOOK)
        if not causes(result):
            break
        fixed.append(result["findings"][0]["cause"])
        ((module, options),) = result["findings"][0]["task"].items()
        name = module.removeprefix("tokenwright.kubernetes.")
        options = {**options, "kubeconfig": str(node_cluster.kubeconfig)}
        done = run_here(USE_CASES[name], options, check_mode=False, diff=True)
        assert done.get("changed"), done["msg"]
    assert (fixed, result["healthy"]) == (["unreadable_file", "wrong_audience"], True)


def newest(cluster: Cluster, namespace: str) -> str:
    """The Pod of the Deployment, once it has rolled out."""
    cluster.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=90s")
    pods = json.loads(cluster.kubectl("get", "pods", "-n", namespace, "-o", "json").stdout)["items"]
    (name,) = [one["metadata"]["name"] for one in pods if "deletionTimestamp" not in one["metadata"]]
    return str(name)
