# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is wrong with the tokens of a Pod, by what it asks for, what it has and what there is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from tools.checkout import ROOT

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._causes import CAUSES, Diagnosis, in_order
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import Claims, LegacyClaims
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import POD, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._pod_diagnosis import Case, diagnose
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._pod_tokens import (
    ABSENT,
    DENIED,
    OTHER,
    READ,
    UNSEEN,
    Look,
    PodToken,
    chosen_container,
    has_ended,
    tokens_of,
    why_not_running,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._remedies import workload_of

Object = dict[str, Any]

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)
BEGINNING, END = datetime.min.replace(tzinfo=timezone.utc), datetime.max.replace(tzinfo=timezone.utc)
ACCOUNT = {"metadata": {"name": "app", "namespace": "shop", "uid": "account-1"}}
API, VAULT = "https://kubernetes.default.svc", "vault"


def source(path: str = "token", audience: str = "", seconds: int | None = 3600) -> Object:
    asked = {"path": path, "audience": audience or None, "expirationSeconds": seconds}
    return {"serviceAccountToken": {key: value for key, value in asked.items() if value is not None}}


def volume(*sources: Object, name: str = "t", mode: int = 0o644) -> Object:
    return {"name": name, "projected": {"sources": list(sources or (source(),)), "defaultMode": mode}}


def container(*mounts: Object, name: str = "main", **fields: Any) -> Object:
    return {"name": name, "image": "i", "volumeMounts": list(mounts), **fields}


def mount(path: str = "/t", name: str = "t", **fields: Any) -> Object:
    return {"name": name, "mountPath": path, **fields}


def state(name: str = "main", **states: Object) -> Object:
    return {"name": name, "state": states}


RUNNING = {"phase": "Running", "containerStatuses": [state(running={})]}
OWNED = {"ownerReferences": [{"kind": "StatefulSet", "name": "web", "controller": True}]}


def pod(*containers: Object, volumes: Sequence[Object] = (), status: Object | None = None, **spec: Any) -> Object:
    metadata = {"name": "web-0", "namespace": "shop", "uid": "pod-1", **OWNED}
    inner = {"serviceAccountName": "app", "containers": list(containers), "volumes": list(volumes), **spec}
    return {"metadata": metadata, "spec": inner, "status": status or RUNNING}


GOOD = pod(container(mount()), volumes=[volume()])
CLAIMS = Claims("shop", "app", "account-1", (API,), NOW, NOW + HOUR, bound_to=("Pod", "web-0", "pod-1"))


def seen(pod_: Object | None = None, look: Look | None = None, **known: Any) -> Case:
    """A case in which all tokens look the same; None: nobody has looked."""
    made, name = GOOD if pod_ is None else pod_, known.get("container")
    tokens = [token for token in tokens_of(made["spec"]) if name in (None, token.container)]
    looks = dict.fromkeys(tokens, look) if look else {}
    case = Case(made, ACCOUNT, True, None, tokens, looks, None, NOW)
    return replace(case, **known)


def has(**changes: Any) -> Look:
    """A token that is good but for this."""
    return Look(READ, replace(CLAIMS, **changes))


ROOTLESS: Object = {"securityContext": {"runAsUser": 1000}}
SHUT_OUT = pod(
    container(mount(), **ROOTLESS),
    container(name="side", securityContext={"runAsUser": 0}),
    volumes=[volume(mode=0o400)],
)
MAYBE = pod(container(mount()), volumes=[volume(mode=0o400)])
FOR_VAULT = pod(container(mount()), volumes=[volume(source(audience=VAULT))])
PART = pod(container(mount("/t/token", subPath="token")), volumes=[volume()])
DELETED = {"metadata": {**ACCOUNT["metadata"], "deletionTimestamp": "2026-11-22T11:00:00Z"}}
LEGACY = Look(READ, LegacyClaims("shop", "app", "account-1", "old"))
PENDING = {"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}
FIRST = pod(
    container(),
    volumes=[volume(mode=0o400)],
    initContainers=[container(mount(), name="first", **ROOTLESS)],
    status={"phase": "Running", "initContainerStatuses": [state("first", terminated={"exitCode": 0})]},
)

# the case, the causes that are found, words of what is not known
CASES: dict[str, tuple[Case, list[str], list[str]]] = {
    "nothing is wrong": (seen(), [], []),
    "nothing is wrong inside either": (seen(look=has()), [], []),
    "no account": (seen(account=None), ["account_missing"], []),
    "an account on its way out": (seen(account=DELETED), ["account_missing"], []),
    "an account nobody may ask for": (
        seen(account=None, is_account_known=False),
        [],
        ["whether ServiceAccount"],
    ),
    "another account of the name": (seen(look=has(uid="account-0")), ["account_recreated"], []),
    "no account, and a token of it": (seen(account=None, look=has(uid="account-0")), ["account_missing"], []),
    "another Pod's token": (seen(look=has(bound_to=("Pod", "web-0", "pod-0"))), ["bound_object_gone"], []),
    "a token that is bound to nothing": (seen(look=has(bound_to=None)), ["no_projected_token"], []),
    "a token of another account": (seen(look=has(service_account="x", uid="x")), ["no_projected_token"], []),
    "a long-lived token": (seen(look=LEGACY), ["no_projected_token"], []),
    "expired": (seen(look=has(expires_at=NOW - HOUR)), ["token_expired"], []),
    "expired within what clocks may differ": (seen(look=has(expires_at=NOW - timedelta(seconds=60))), [], []),
    "expired beyond that": (seen(look=has(expires_at=NOW - timedelta(seconds=61))), ["token_expired"], []),
    "not yet valid": (seen(look=has(issued_at=NOW + timedelta(seconds=61))), ["not_yet_valid"], []),
    "nearly valid": (seen(look=has(issued_at=NOW + timedelta(seconds=60))), [], []),
    "good to the end of time": (seen(look=has(expires_at=END)), [], []),
    "good from the beginning of time": (seen(look=has(issued_at=BEGINNING)), [], []),
    "no file": (seen(look=Look(ABSENT)), ["no_projected_token"], []),
    "no token in the file": (seen(look=Look(OTHER)), ["no_projected_token"], []),
    "not readable": (seen(look=Look(DENIED)), ["unreadable_file"], []),
    "not readable by the specification": (seen(SHUT_OUT), ["unreadable_file"], []),
    "not readable by both": (seen(SHUT_OUT, Look(DENIED)), ["unreadable_file"], []),
    "readable although the specification says otherwise": (seen(SHUT_OUT, has()), [], []),
    "nobody could look": (
        seen(SHUT_OUT, Look(UNSEEN, why="no")),
        ["unreadable_file"],
        [": no"],
    ),
    "not readable if the image says so": (seen(MAYBE), [], ["may not run as root"]),
    "readable whatever the image says": (seen(MAYBE, has()), [], []),
    "mounted in part": (seen(PART), ["stale_reader"], []),
    "mounted in part, and over": (seen(PART, has(expires_at=NOW - HOUR)), ["token_expired", "stale_reader"], []),
    "could not be looked at": (seen(look=Look(UNSEEN, why="no shell")), [], ["could not be looked at: no shell"]),
    "a container that ran first": (seen(FIRST), [], []),
    "not scheduled": (seen({**GOOD, "status": PENDING}), [], ["is Pending"]),
    # whom it is for
    "the audience that is wanted": (seen(FOR_VAULT, audience=VAULT), [], []),
    "another audience": (seen(FOR_VAULT, audience="x"), ["wrong_audience"], []),
    "an audience that only the token tells": (seen(audience=VAULT), [], ["whether a token is for vault"]),
    "the audience of the API server": (seen(look=has(), audience=API), [], []),
    "an audience that the token does not have": (seen(look=has(), audience=VAULT), ["wrong_audience"], []),
    "another one than the Pod asks for": (seen(FOR_VAULT, has()), ["no_projected_token"], []),
    "the right one that cannot be read": (seen(FOR_VAULT, Look(DENIED), audience=VAULT), ["unreadable_file"], []),
    "the wrong one that cannot be read": (
        seen(FOR_VAULT, Look(DENIED), audience="x"),
        ["unreadable_file", "wrong_audience"],
        [],
    ),
    "no token for any audience": (seen(look=Look(OTHER), audience=VAULT), ["no_projected_token"], []),
    # no token
    "automount is off in the Pod": (seen(pod(container(), automountServiceAccountToken=False)), ["automount_off"], []),
    "automount is off in the account": (
        seen(pod(container()), account={**ACCOUNT, "automountServiceAccountToken": False}),
        ["automount_off"],
        [],
    ),
    "the Pod's word counts": (
        seen(
            pod(container(), automountServiceAccountToken=True),
            account={**ACCOUNT, "automountServiceAccountToken": False},
        ),
        ["no_projected_token"],
        [],
    ),
    "automount is on again": (seen(pod(container())), ["no_projected_token"], []),
    "no account to ask": (
        seen(pod(container()), account=None, is_account_known=False),
        ["no_projected_token"],
        ["whether ServiceAccount"],
    ),
    "a volume that nobody mounts": (seen(pod(container(), volumes=[volume()])), ["no_projected_token"], []),
    "a part without the token": (
        seen(pod(container(mount(subPath="ca.crt")), volumes=[volume()])),
        ["no_projected_token"],
        [],
    ),
    "another container mounts it": (
        seen(pod(container(mount()), container(name="side"), volumes=[volume()]), container="side"),
        ["no_projected_token"],
        [],
    ),
}


@pytest.mark.parametrize(("case", "causes", "open_"), CASES.values(), ids=CASES)
def test_what_is_found_and_what_stays_open(case: Case, causes: list[str], open_: list[str]) -> None:
    found, not_known = diagnose(case)
    assert [one.cause for one in found] == causes
    assert len(not_known) == len(open_)
    assert all(words in said for words, said in zip(open_, not_known, strict=True)), not_known


@pytest.mark.parametrize("case", [case for case, dummy, dummy_words in CASES.values()], ids=CASES)
def test_every_sentence_is_one(case: Case) -> None:
    found, not_known = diagnose(case)
    results = [one.as_result() for one in found]
    assert all(list(one) == ["symptom", "cause", "evidence", "fix", "task"] for one in results)
    said = [*not_known, *(one[key] for one in results for key in ("symptom", "evidence", "fix"))]
    assert not [text for text in said if not text or text.endswith(".") or "None" in text or "\n" in text]


def test_every_cause_is_found_somewhere() -> None:
    assert {cause for dummy, causes, dummy_words in CASES.values() for cause in causes} == set(CAUSES)


def test_the_documents_name_every_cause_in_order() -> None:
    section = (ROOT / "docs/diagnosis.md").read_text().partition("## The causes\n")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)`", section, re.MULTILINE) == list(CAUSES)
    module = (ROOT / "plugins/modules/k8s_sa_diagnose.py").read_text().partition("cause:\n")[2].partition("type:")[0]
    assert re.findall(r"V\((\w+)\)", module) == list(CAUSES)


def test_the_first_to_deal_with_comes_first_and_nothing_twice() -> None:
    found = [Diagnosis("token_expired", "b"), Diagnosis("account_missing", "a"), Diagnosis("token_expired", "b")]
    assert [(one.cause, one.evidence) for one in in_order(found)] == [("account_missing", "a"), ("token_expired", "b")]


def test_what_the_specification_says_is_told_beside_what_was_seen() -> None:
    ((found,), dummy) = diagnose(seen(SHUT_OUT, Look(DENIED)))
    assert found.evidence == (
        "the user of container main may not read /t/token: "
        "container main runs as user 1000, and only root can read a token with default_mode 0400"
    )


# Which tokens there are

MOUNTS: list[tuple[Object, list[tuple[str | None, bool]]]] = [
    (mount("/t"), [("/t/a/token", False)]),
    (mount("/t/"), [("/t/a/token", False)]),
    (mount("/"), [("/a/token", False)]),
    (mount("/t", subPath="a"), [("/t/token", True)]),
    (mount("/t", subPath="a/"), [("/t/token", True)]),
    (mount("/t/x", subPath="a/token"), [("/t/x", True)]),
    (mount("/t", subPath="b"), []),
    (mount("/t", subPath="a/to"), []),
    (mount("/t", subPathExpr="a"), [("/t/token", True)]),
    (mount("/t", subPathExpr="$(WHICH)"), [(None, True)]),
    (mount("/t", name="other"), []),
]


@pytest.mark.parametrize(("one", "expected"), MOUNTS)
def test_where_a_token_is(one: Object, expected: list[tuple[str | None, bool]]) -> None:
    spec = pod(container(one), volumes=[volume(source("a/token")), {"name": "other", "emptyDir": {}}])["spec"]
    assert [(token.path, token.is_fixed) for token in tokens_of(spec)] == expected


def test_every_token_of_every_container_is_found() -> None:
    two = volume(source("one"), source("two", VAULT, 600), {"configMap": {"name": "c"}}, name="kube-api-access-x")
    spec = pod(
        container(mount(name="kube-api-access-x"), mount("/data", name="data")),
        container(name="none"),
        volumes=[two, {"name": "data", "emptyDir": {}}],
        initContainers=[container(mount("/i", name="kube-api-access-x"), name="first")],
        ephemeralContainers=[container(name="debug")],
    )["spec"]
    found = tokens_of(spec)
    assert [(token.container, token.path) for token in found] == [
        ("first", "/i/one"), ("first", "/i/two"), ("main", "/t/one"), ("main", "/t/two"),
    ]  # fmt: skip
    assert found[-1] == PodToken("main", "kube-api-access-x", "/t/two", VAULT, 600)
    assert all(token.is_automounted for token in found)
    ref = Ref(POD, "shop", "web-0")
    assert chosen_container(ref, spec, None) == ["first", "main", "none", "debug"]
    assert chosen_container(ref, spec, "debug") == ["debug"]
    with pytest.raises(InputError, match="has no container x: it has first, main, none, debug"):
        chosen_container(ref, spec, "x")


STATES: list[tuple[Object, str]] = [
    (RUNNING, ""),
    ({"phase": "Pending"}, "it does not run, and the Pod is Pending"),
    (PENDING, "it does not run, and the Pod is Pending (Unschedulable)"),
    ({}, "it does not run, and the Pod is not started"),
    (
        {"phase": "Running", "containerStatuses": [state(waiting={"reason": "CrashLoopBackOff"})]},
        "it does not run, and the Pod is Running (CrashLoopBackOff)",
    ),
    (
        {"phase": "Succeeded", "containerStatuses": [state(terminated={"reason": "Completed", "exitCode": 0})]},
        "it does not run, and the Pod is Succeeded (Completed)",
    ),
    ({"phase": "Running", "ephemeralContainerStatuses": [state(running={})]}, ""),
]


@pytest.mark.parametrize(("status", "said"), STATES)
def test_why_nothing_can_be_run_in_a_container(status: Object, said: str) -> None:
    # status is never falsy in what pod() makes
    assert why_not_running({**GOOD, "status": status}, "main") == said


def test_only_what_runs_first_can_have_done_what_it_is_there_for() -> None:
    assert has_ended(FIRST, "first")
    assert not has_ended(FIRST, "main")
    failed = {**FIRST, "status": {"initContainerStatuses": [state("first", terminated={"exitCode": 1})]}}
    assert not has_ended(failed, "first")
    over = {"phase": "Succeeded", "containerStatuses": [state(terminated={"exitCode": 0})]}
    assert not has_ended({**GOOD, "status": over}, "main")


# The tasks

ADDRESS = {"kind": "StatefulSet", "name": "web", "namespace": "shop"}
SA, VOLUME, OTHERS = "tokenwright.kubernetes.k8s_sa", "tokenwright.kubernetes.k8s_sa_volume", "kubernetes.core.k8s"
ANEW = {OTHERS: {"state": "absent", "kind": "Pod", "namespace": "shop", "name": "web-0"}}
AGAIN = {**ADDRESS, "containers": ["main"], "volume_name": "t", "mount_path": "/t", "force": True}
AUTOMOUNTED = pod(container(mount(name="kube-api-access-x")), volumes=[volume(name="kube-api-access-x")])

TASKS: dict[str, tuple[Case, Object | None]] = {
    "the account": (seen(account=None), {SA: {"name": "app", "namespace": "shop"}}),
    "another Pod": (seen(look=has(uid="account-0")), ANEW),
    "a volume": (seen(pod(container(), automountServiceAccountToken=False)), {VOLUME: ADDRESS}),
    "a volume for one container": (
        seen(pod(container(mount()), container(name="side"), volumes=[volume()]), container="side"),
        {VOLUME: {**ADDRESS, "containers": ["side"]}},
    ),
    "a group": (
        seen(SHUT_OUT),
        {VOLUME: {**AGAIN, "sources": [{"raw": source()}], "default_mode": "0400", "fs_group": 65534}},
    ),
    "another audience": (
        seen(
            pod(container(mount()), volumes=[volume(source("a", "x"), source("b", "y"), {"configMap": {"name": "c"}})]),
            audience=VAULT,
        ),
        {
            VOLUME: {
                **AGAIN,
                "sources": [
                    {"raw": source("a", VAULT)},
                    {"raw": source("b", "y")},
                    {"raw": {"configMap": {"name": "c"}}},
                ],
            }
        },
    ),
    "an audience beside the API server": (
        seen(AUTOMOUNTED, has(), audience=VAULT),
        {
            VOLUME: {
                **ADDRESS,
                "containers": ["main"],
                "volume_name": "audience-token",
                "mount_path": "/var/run/secrets/tokens",
                "sources": [{"token": {"path": "token", "audience": VAULT}}],
                "automount": True,
            }
        },
    ),
    "a volume at two places": (
        seen(
            pod(container(mount()), container(mount("/u"), name="side"), volumes=[volume(source(audience="x"))]),
            audience=VAULT,
        ),
        None,
    ),
    "nobody's Pod": (seen({**GOOD, "metadata": {**GOOD["metadata"], "ownerReferences": []}}, has(uid="0")), None),
    "nobody's template": (
        seen({**SHUT_OUT, "metadata": {**GOOD["metadata"], "ownerReferences": []}}),
        None,
    ),
}


@pytest.mark.parametrize(("case", "task"), TASKS.values(), ids=TASKS)
def test_the_task_that_fixes_it(case: Case, task: Object | None) -> None:
    found, dummy = diagnose(case)
    assert found[0].task == task


OWNERS: list[tuple[str, str, str | None, tuple[str, str] | None]] = [
    ("StatefulSet", "web", None, ("StatefulSet", "web")),
    ("ReplicaSet", "web-5f7d", "5f7d", ("Deployment", "web")),
    ("ReplicaSet", "web-5f7d", None, ("ReplicaSet", "web-5f7d")),
    ("ReplicaSet", "web", "5f7d", ("ReplicaSet", "web")),
    ("Job", "web-1", None, None),
    ("Rollout", "web", None, None),
]


@pytest.mark.parametrize(("kind", "name", "template", "expected"), OWNERS)
def test_whose_template_is_to_be_changed(
    kind: str, name: str, template: str | None, expected: tuple[str, str] | None
) -> None:
    labels = {"pod-template-hash": template} if template else {}
    metadata = {"name": "x", "labels": labels, "ownerReferences": [{"kind": kind, "name": name, "controller": True}]}
    found = workload_of({"metadata": metadata})
    assert (found and (found.kind, found.name)) == expected
