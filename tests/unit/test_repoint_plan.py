# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a workload is led to another Secret, and what its template remembers of the token in it."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import ApiError, InputError, ProvisionError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import CRON_JOB, DEPLOYMENT, Kind
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._plan import Plan
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._pod_templates import pod_metadata, pod_spec
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._repoint_desired import (
    ITEM_OPTIONS,
    DesiredSecret,
    refuse_contradictions,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._repoint_plan import (
    MEMORY,
    Content,
    excerpt,
    places,
    plan,
)

Object = dict[str, Any]

FULL = Content(frozenset({"token", "ca.crt", "namespace"}), "1111")
ENVIRONMENT = {"name": "TOKEN", "valueFrom": {"secretKeyRef": {"name": "old", "key": "token"}}}
MOUNTED = {"name": "t", "secret": {"secretName": "old"}}


def desired(**options: Any) -> DesiredSecret:
    """An item with the defaults of the task, from C(old) to C(new)."""
    defaults = {name: spec.get("default") for name, spec in ITEM_OPTIONS.items()}
    names = {"name": "w", "namespace": "shop", "from_secret": "old", "to_secret": "new"}
    return DesiredSecret.from_item({**defaults, **names, **options})


def workload(kind: Kind = DEPLOYMENT, *, metadata: Object | None = None, **spec: Any) -> Object:
    """A workload with a container that has nothing of any Secret, unless it is told to."""
    pod: Object = {"containers": [{"name": "app", "image": "b"}], **spec}
    template: Object = {"metadata": {"labels": {"app": "w"}}, "spec": pod}
    inner = {"jobTemplate": {"spec": {"template": template}}} if kind is CRON_JOB else {"template": template}
    place = {"name": "w", "namespace": "shop", "resourceVersion": "7", **(metadata or {})}
    return {"apiVersion": kind.api_version, "kind": kind.name, "metadata": place, "spec": inner}


def reading(*env: Object, **container: Any) -> Object:
    return {"containers": [{"name": "app", "image": "b", "env": list(env), **container}]}


def planned(
    item: DesiredSecret, obj: Object | None, content: Content | None = FULL, *, check_mode: bool = False
) -> Plan:
    return plan(item, {item.ref: obj}, content, check_mode=check_mode)


def after(item: DesiredSecret, obj: Object, content: Content | None = FULL) -> Object:
    """The workload after the plan, of which nothing is left to do."""
    before = copy.deepcopy(obj)
    found = planned(item, obj, content)
    assert obj == before
    body = found.writes[0].body if found.writes else obj
    assert body is not None
    assert not planned(item, body, content).writes
    return body


def remembered(obj: Object, kind: Kind = DEPLOYMENT) -> Object:
    annotations = pod_metadata(kind, obj).get("annotations") or {}
    return dict(json.loads(annotations.get(MEMORY, "{}")))


def test_every_place_is_led_to_the_other_secret_and_back() -> None:
    volumes = [
        MOUNTED,
        {"name": "some", "secret": {"secretName": "old", "items": [{"key": "token", "path": "t"}]}},
        {"name": "part", "projected": {"sources": [{"secret": {"name": "old"}}, {"secret": {"name": "third"}}]}},
        {"name": "csi", "csi": {"driver": "d", "nodePublishSecretRef": {"name": "old"}}},
        {"name": "flex", "flexVolume": {"driver": "d", "secretRef": {"name": "old"}}},
    ]
    whole: list[Object] = [{"secretRef": {"name": "old"}}, {"configMapRef": {"name": "old"}}]
    first = {"initContainers": [{"name": "first", "image": "a", "envFrom": whole}]}
    pull = {"imagePullSecrets": [{"name": "old"}]}
    pod: Object = {**reading(ENVIRONMENT), "volumes": volumes, **first, **pull}
    obj = workload(**pod)
    moved = after(desired(), obj)
    text = json.dumps(moved["spec"])
    assert text.count('"new"') == 7
    assert pod_spec(DEPLOYMENT, moved)["initContainers"][0]["envFrom"][1] == {"configMapRef": {"name": "old"}}
    assert pod_spec(DEPLOYMENT, moved)["imagePullSecrets"] == [{"name": "old"}]
    assert '"third"' in text
    assert after(desired(from_secret="new", to_secret="old"), moved, Content(FULL.keys, None)) == obj
    assert places(desired().ref, moved, "new") == [
        *("volume t", "volume some", "volume part", "volume csi", "volume flex"),
        *("the environment of container first", "TOKEN in the environment of container app"),
    ]


def test_another_token_means_new_pods_where_the_old_one_would_stay() -> None:
    moved = after(desired(), workload(**reading(ENVIRONMENT)))
    assert remembered(moved) == {"new": "1111"}
    renewed = Content(FULL.keys, "2222")
    found = planned(desired(), moved, renewed)
    assert found.reason == "token_changed"
    assert remembered(found.writes[0].body or {}) == {"new": "2222"}
    assert not planned(desired(restart=False), moved, renewed).writes
    # who does without the name of the former one
    assert planned(desired(from_secret=None), moved, renewed).reason == "token_changed"


@pytest.mark.parametrize(
    ("spec", "kind", "expected"),
    [
        (reading(ENVIRONMENT), DEPLOYMENT, {"new": "1111"}),
        (reading(ENVIRONMENT), CRON_JOB, {}),
        (reading(envFrom=[{"secretRef": {"name": "old"}}]), DEPLOYMENT, {"new": "1111"}),
        ({**reading(volumeMounts=[{"name": "t", "mountPath": "/t"}]), "volumes": [MOUNTED]}, DEPLOYMENT, {}),
        (
            {**reading(volumeMounts=[{"name": "t", "mountPath": "/t", "subPath": "token"}]), "volumes": [MOUNTED]},
            DEPLOYMENT,
            {"new": "1111"},
        ),
    ],
    ids=["environment", "next Job", "whole environment", "file", "part of a volume"],
)
def test_what_is_read_once_is_remembered_and_nothing_else(spec: Object, kind: Kind, expected: Object) -> None:
    assert remembered(after(desired(kind=kind.name), workload(kind, **spec)), kind) == expected


def test_who_replaces_pods_by_hand_is_not_given_new_ones() -> None:
    obj = workload(**reading(ENVIRONMENT))
    obj["spec"]["updateStrategy"] = {"type": "OnDelete"}
    assert remembered(after(desired(), obj)) == {}


def test_a_secret_that_is_not_ours_is_not_remembered() -> None:
    moved = after(desired(), workload(**reading(ENVIRONMENT)), Content(FULL.keys, None))
    assert "annotations" not in pod_metadata(DEPLOYMENT, moved)


def test_two_secrets_are_remembered_beside_what_others_annotate() -> None:
    obj = workload(**reading(ENVIRONMENT, {"name": "B", "valueFrom": {"secretKeyRef": {"name": "b", "key": "token"}}}))
    pod_metadata(DEPLOYMENT, obj)["annotations"] = {"theirs": "1", MEMORY: '{"b":"9"}'}
    moved = after(desired(), obj)
    assert remembered(moved) == {"b": "9", "new": "1111"}
    assert pod_metadata(DEPLOYMENT, moved)["annotations"]["theirs"] == "1"
    for broken in ("[]", "{", '{"a": 1}'):
        pod_metadata(DEPLOYMENT, obj)["annotations"] = {MEMORY: broken}
        assert remembered(after(desired(), obj)) == {"new": "1111"}


@pytest.mark.parametrize(
    ("item", "obj", "content", "code", "said"),
    [
        (desired(), None, FULL, "missing_workload", "Deployment shop/w cannot use another Secret: it does not exist"),
        (desired(), workload(), FULL, "unreferenced", "Deployment shop/w uses neither Secret new nor old"),
        (desired(from_secret=None), workload(), FULL, "unreferenced", "Deployment shop/w uses no Secret new"),
        (desired(), workload(**reading(ENVIRONMENT)), None, "missing_secret", "Secret shop/new: it does not exist"),
        (
            desired(),
            workload(**reading(ENVIRONMENT)),
            Content(frozenset({"kubeconfig"}), None),
            "missing_key",
            "has no key token, which TOKEN in the environment of container app wants",
        ),
        (
            desired(),
            workload(metadata={"deletionTimestamp": "2026-01-01T00:00:00Z"}, **reading(ENVIRONMENT)),
            FULL,
            "terminating",
            "is being deleted",
        ),
        (
            desired(kind="ReplicaSet"),
            workload(metadata={"ownerReferences": [{"kind": "Deployment", "name": "d", "controller": True}]}),
            FULL,
            "owned",
            "name the Deployment instead",
        ),
    ],
)
def test_what_cannot_be_done_is_said(
    item: DesiredSecret, obj: Object | None, content: Content | None, code: str, said: str
) -> None:
    with pytest.raises(ProvisionError) as refused:
        planned(item, obj, content)
    assert (refused.value.code, said in str(refused.value)) == (code, True), str(refused.value)


def test_what_an_earlier_task_would_have_made_is_a_note_in_check_mode() -> None:
    for obj, content in ((None, FULL), (workload(**reading(ENVIRONMENT)), None)):
        found = planned(desired(), obj, content, check_mode=True)
        assert (found.reason, len(found.notes)) == ("secret_changed", 1)
        assert "does not exist yet" in found.notes[0]
        assert excerpt(desired(), found.writes[0].body or {})["name"] == "w"


def test_a_key_that_may_be_missing_and_keys_that_nobody_knows_are_no_obstacle() -> None:
    optional = copy.deepcopy(ENVIRONMENT)
    optional["valueFrom"]["secretKeyRef"]["optional"] = True  # type: ignore[index] # a mapping of mappings
    assert planned(desired(), workload(**reading(optional)), Content(frozenset(), None)).writes
    assert planned(desired(), workload(**reading(ENVIRONMENT)), Content(None, None)).writes


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kind": "Job"}, "name the other Secret in its manifest"),
        ({"kind": "Deploy"}, "did you mean Deployment?"),
        ({"to_secret": None}, "to_secret is missing"),
        ({"to_secret": "old"}, "are the same"),
        ({"from_secret": "No"}, "from_secret: 'No' is not a valid name"),
        ({"wait": True, "wait_timeout": "soon"}, "wait_timeout: 'soon' is not a duration"),
    ],
)
def test_a_mistake_is_said_with_its_option(options: Object, said: str) -> None:
    with pytest.raises(InputError) as refused:
        desired(**options)
    assert said in str(refused.value)


def test_entries_that_contradict_each_other_are_refused() -> None:
    there, back = desired(), desired(from_secret="new", to_secret="old")
    for pair in ((there, back), (there, desired(to_secret="third"))):
        with pytest.raises(InputError, match="keep one entry"):
            refuse_contradictions(pair)
    refuse_contradictions((there, desired(name="other", from_secret="new", to_secret="old")))
    with pytest.raises(ApiError):
        planned(there, None)
