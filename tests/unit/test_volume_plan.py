# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a volume gets into a workload and out again, and what the workload remembers meanwhile."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError, ProvisionError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import (
    CRON_JOB,
    DEPLOYMENT,
    REPLICA_SET,
    SERVICE_ACCOUNT,
    Kind,
    Ref,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._plan import Plan
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._pod_templates import (
    ACCOUNT,
    AUTOMOUNT,
    pod_spec,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._volume_desired import (
    ITEM_OPTIONS,
    DesiredVolume,
    refuse_contradictions,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._volume_plan import MEMORY, plan

Object = dict[str, Any]

APP = Ref(SERVICE_ACCOUNT, "shop", "app")


def desired(**options: Any) -> DesiredVolume:
    """An item with the defaults of the task."""
    defaults = {name: spec.get("default") for name, spec in ITEM_OPTIONS.items()}
    return DesiredVolume.from_item({**defaults, "name": "w", "namespace": "shop", **options})


def workload(kind: Kind = DEPLOYMENT, *, metadata: Object | None = None, **spec: Any) -> Object:
    """A workload with two containers, one of them run first, and a volume that is somebody else's."""
    pod = {
        "initContainers": [{"name": "first", "image": "a"}],
        "containers": [{"name": "app", "image": "b", "volumeMounts": [{"name": "data", "mountPath": "/data"}]}],
        "volumes": [{"name": "data", "emptyDir": {}}],
        "securityContext": {},
        **spec,
    }
    template: Object = {"metadata": {"labels": {"app": "w"}}, "spec": pod}
    inner = {"jobTemplate": {"spec": {"template": template}}} if kind is CRON_JOB else {"template": template}
    return {
        "apiVersion": kind.api_version,
        "kind": kind.name,
        "metadata": {"name": "w", "namespace": "shop", "resourceVersion": "7", **(metadata or {})},
        "spec": inner,
    }


def planned(item: DesiredVolume, obj: Object | None, account: Object | None = None, **options: Any) -> Plan:
    return plan(item, {item.ref: obj, **({APP: account} if account is not None else {})}, check_mode=False, **options)


def after(item: DesiredVolume, obj: Object) -> Object:
    """The workload after the plan, of which nothing is left to do."""
    before = copy.deepcopy(obj)
    found = planned(item, obj)
    assert obj == before
    body = found.writes[0].body if found.writes else obj
    assert body is not None
    assert not planned(item, body).writes
    return body


def reason(item: DesiredVolume, obj: Object) -> str:
    return planned(item, obj).reason


def mounts(obj: Object, kind: Kind = DEPLOYMENT) -> dict[str, list[tuple[str, str]]]:
    spec = pod_spec(kind, obj)
    return {
        one["name"]: [(mount["name"], mount["mountPath"]) for mount in one.get("volumeMounts", ())]
        for one in (*spec.get("initContainers", ()), *spec["containers"])
    }


@pytest.mark.parametrize("kind", [DEPLOYMENT, CRON_JOB, REPLICA_SET])
def test_it_comes_into_all_containers_and_everything_else_stays(kind: Kind) -> None:
    obj = workload(kind)
    made = after(desired(kind=kind.name, mount_path="/v"), obj)
    assert mounts(made, kind) == {"first": [("sa-token", "/v")], "app": [("data", "/data"), ("sa-token", "/v")]}
    spec = pod_spec(kind, made)
    assert [volume["name"] for volume in spec["volumes"]] == ["data", "sa-token"]
    assert spec["automountServiceAccountToken"] is False
    gone = after(desired(kind=kind.name, state="absent"), made)
    assert gone == obj


def test_every_difference_has_its_reason() -> None:
    obj = workload()
    made = after(desired(), obj)
    assert reason(desired(), obj) == "missing"
    assert reason(desired(), made) == "up_to_date"
    assert reason(desired(sources=[{"token": {}}]), made) == "volume_changed"
    assert reason(desired(default_mode="0400"), made) == "volume_changed"
    assert reason(desired(mount_path="/v"), made) == "mounts_changed"
    assert reason(desired(containers=["app"]), made) == "mounts_changed"
    assert reason(desired(service_account="app"), made) == "account_changed"
    assert reason(desired(automount=True), made) == "automount_changed"
    assert reason(desired(fs_group=0), made) == "fs_group_changed"
    assert reason(desired(state="absent"), made) == "unwanted"
    assert reason(desired(state="absent"), obj) == "up_to_date"


def test_a_container_that_is_not_named_any_more_and_a_path_that_is_another_are_cleared() -> None:
    made = after(desired(mount_path="/a"), workload())
    moved = after(desired(mount_path="/b", containers=["app"]), made)
    assert mounts(moved) == {"first": [], "app": [("data", "/data"), ("sa-token", "/b")]}


def test_what_was_there_before_comes_back() -> None:
    obj = workload(
        automountServiceAccountToken=True,
        serviceAccountName="old",
        serviceAccount="old",
        securityContext={"fsGroup": 5, "runAsUser": 1},
    )
    made = after(desired(service_account="app", fs_group=7), obj)
    spec = pod_spec(DEPLOYMENT, made)
    assert (spec["serviceAccountName"], spec["serviceAccount"]) == ("app", "app")
    assert spec["securityContext"] == {"fsGroup": 7, "runAsUser": 1}
    # changed once more by us: what comes back is still what was there at first
    again = after(desired(service_account="other", fs_group=8), made)
    assert after(desired(state="absent"), again) == obj


def test_what_somebody_else_changed_meanwhile_stays() -> None:
    made = after(desired(service_account="app", fs_group=7), workload())
    pod_spec(DEPLOYMENT, made)["serviceAccountName"] = "theirs"
    gone = after(desired(state="absent"), made)
    spec = pod_spec(DEPLOYMENT, gone)
    assert spec["serviceAccountName"] == "theirs"
    assert "automountServiceAccountToken" not in spec
    assert spec["securityContext"] == {}
    assert MEMORY not in gone["metadata"].get("annotations", {})


def test_the_fields_come_back_with_the_last_volume() -> None:
    obj = workload()
    both = after(desired(volume_name="b", mount_path="/b"), after(desired(volume_name="a", mount_path="/a"), obj))
    one = after(desired(volume_name="a", state="absent"), both)
    assert pod_spec(DEPLOYMENT, one)["automountServiceAccountToken"] is False
    assert mounts(one) == {"first": [("b", "/b")], "app": [("data", "/data"), ("b", "/b")]}
    assert after(desired(volume_name="b", state="absent"), one) == obj


SECRET = {"name": "sa-token", "secret": {"secretName": "long-lived", "defaultMode": 420}}


def with_secret(path: str = "/t") -> Object:
    obj = workload()
    spec = pod_spec(DEPLOYMENT, obj)
    spec["volumes"].insert(0, SECRET)
    spec["containers"][0]["volumeMounts"].insert(0, {"name": "sa-token", "mountPath": path, "subPath": "token"})
    return obj


def test_a_volume_of_somebody_else_is_replaced_only_by_force_and_comes_back() -> None:
    obj = with_secret()
    with pytest.raises(InputError) as caught:
        planned(desired(mount_path="/t"), obj)
    assert "has a volume sa-token already, and it is not ours (secret)" in str(caught.value)
    assert caught.value.code == "taken"
    made = after(desired(mount_path="/t", force=True), obj)
    spec = pod_spec(DEPLOYMENT, made)
    assert ["projected" in volume for volume in spec["volumes"]] == [True, False]
    assert spec["containers"][0]["volumeMounts"][0] == {"name": "sa-token", "mountPath": "/t", "readOnly": True}
    # force is needed once
    assert not planned(desired(mount_path="/t"), made).writes
    assert after(desired(state="absent"), made) == obj


def with_others() -> Object:
    """A Secret that two containers mount, each in two places."""
    obj = workload()
    spec = pod_spec(DEPLOYMENT, obj)
    spec["volumes"] = [SECRET, *spec["volumes"]]
    spec["containers"][0]["volumeMounts"] += [
        {"name": "sa-token", "mountPath": "/t"},
        {"name": "sa-token", "mountPath": "/other"},
    ]
    mounts = [{"name": "sa-token", "mountPath": "/creds"}, {"name": "sa-token", "mountPath": "/t", "subPath": "token"}]
    spec["containers"].append({"name": "untrusted", "image": "c", "volumeMounts": mounts})
    return obj


def test_a_container_that_is_not_chosen_does_not_get_what_replaces_a_volume() -> None:
    obj, item = with_others(), desired(mount_path="/t", force=True, containers=["app"])
    made = after(item, obj)
    assert mounts(made) == {"first": [], "app": [("data", "/data"), ("sa-token", "/t")], "untrusted": []}
    assert planned(item, obj).notes == tuple(
        f"container {container} of Deployment shop/w does not mount volume sa-token at {path} any more, "
        "which somebody else had mounted there"
        for container, path in (("app", "/other"), ("untrusted", "/creds"), ("untrusted", "/t"))
    )
    assert planned(item, made).notes == ()
    assert after(desired(state="absent"), made) == obj


def test_what_was_replaced_comes_back_without_its_place_as_well() -> None:
    obj = with_others()
    made = after(desired(mount_path="/t", force=True, containers=["app"]), obj)
    annotations = made["metadata"]["annotations"]
    memory = json.loads(annotations[MEMORY])
    for wrong in (None, "0", -1):
        replaced = memory["volumes"]["sa-token"]["replaced"]
        replaced["place"], replaced["places"] = wrong, {"app": {"/t": wrong}}
        annotations[MEMORY] = json.dumps(memory)
        assert in_any_order(after(desired(state="absent"), made)) == in_any_order(obj)
    del replaced["place"], replaced["places"]
    annotations[MEMORY] = json.dumps(memory)
    assert in_any_order(after(desired(state="absent"), made)) == in_any_order(obj)


def test_what_was_replaced_comes_back_to_the_end_of_a_list_that_is_shorter() -> None:
    obj = workload()
    spec = pod_spec(DEPLOYMENT, obj)
    spec["volumes"] += [{"name": "more", "emptyDir": {}}, SECRET]
    made = after(desired(force=True), obj)
    pod_spec(DEPLOYMENT, made)["volumes"][:2] = []
    pod_spec(DEPLOYMENT, made)["containers"][0]["volumeMounts"][:1] = []
    assert pod_spec(DEPLOYMENT, after(desired(state="absent"), made))["volumes"] == [SECRET]


@pytest.mark.parametrize("spelling", ["/data/", "//data", "/./data//"])
def test_a_path_is_the_same_however_it_is_spelled(spelling: str) -> None:
    with pytest.raises(InputError, match="container app of Deployment shop/w has volume data at /data"):
        planned(desired(mount_path=spelling, containers=["app"]), workload())
    obj = workload()
    pod_spec(DEPLOYMENT, obj)["containers"][0]["volumeMounts"][0]["mountPath"] = spelling
    made = after(desired(mount_path="/data", containers=["app"], force=True), obj)
    assert mounts(made)["app"] == [("sa-token", "/data")]
    assert not planned(desired(mount_path=spelling, containers=["app"]), made).writes
    assert after(desired(state="absent"), made) == obj


@pytest.mark.parametrize("spelling", ["/v/", "//v"])
def test_another_spelling_of_our_own_mount_is_no_change(spelling: str) -> None:
    made = after(desired(mount_path="/v", containers=["app"]), workload())
    pod_spec(DEPLOYMENT, made)["containers"][0]["volumeMounts"][1]["mountPath"] = spelling
    assert not planned(desired(mount_path="/v", containers=["app"]), made).writes
    assert mounts(after(desired(mount_path="/w", containers=["app"]), made))["app"][1:] == [("sa-token", "/w")]


def test_what_two_spellings_of_one_path_have_there_is_replaced_and_comes_back() -> None:
    obj = workload()
    pod_spec(DEPLOYMENT, obj)["containers"][0]["volumeMounts"].append({"name": "data", "mountPath": "/data/"})
    made = after(desired(mount_path="/data", containers=["app"], force=True), obj)
    assert mounts(made)["app"] == [("sa-token", "/data")]
    assert mounts(after(desired(state="absent"), made))["app"] == [("data", "/data"), ("data", "/data/")]


@pytest.mark.parametrize("path", ["/v", "/stolen"])
def test_a_mount_that_somebody_adds_to_a_container_that_is_not_chosen_is_taken_out(path: str) -> None:
    item = desired(mount_path="/v", containers=["app"])
    made = after(item, workload())
    pod_spec(DEPLOYMENT, made)["initContainers"][0]["volumeMounts"] = [{"name": "sa-token", "mountPath": path}]
    found = planned(item, made)
    assert (found.reason, len(found.notes)) == ("mounts_changed", 1)
    assert mounts(after(item, made))["first"] == []
    assert after(desired(state="absent"), after(item, made)) == workload()


def test_a_mount_that_comes_back_with_a_manifest_is_taken_out_again_and_remembered_once() -> None:
    obj, item = with_others(), desired(mount_path="/t", force=True, containers=["app"])
    made = after(item, obj)
    untrusted = pod_spec(DEPLOYMENT, made)["containers"][1]
    untrusted["volumeMounts"] = [
        {"name": "sa-token", "mountPath": "/creds"},
        {"name": "sa-token", "mountPath": "/new"},
    ]
    gone = after(desired(state="absent"), after(item, made))
    assert sorted(path for dummy, path in mounts(gone)["untrusted"]) == ["/creds", "/new", "/t"]


def test_a_container_that_mounts_the_volume_may_mount_it_elsewhere_as_well() -> None:
    item = desired(mount_path="/v", containers=["app"])
    made = after(item, workload())
    added = {"name": "sa-token", "mountPath": "/more"}
    pod_spec(DEPLOYMENT, made)["containers"][0]["volumeMounts"].append(added)
    assert not planned(item, made).writes


def test_a_mount_of_somebody_else_is_replaced_only_by_force_and_comes_back() -> None:
    obj = workload()
    with pytest.raises(InputError) as caught:
        planned(desired(mount_path="/data", containers=["app"]), obj)
    assert "container app of Deployment shop/w has volume data at /data" in str(caught.value)
    made = after(desired(mount_path="/data", containers=["app"], force=True), obj)
    assert mounts(made)["app"] == [("sa-token", "/data")]
    assert after(desired(state="absent"), made) == obj


def test_the_same_volume_that_somebody_else_put_in_is_left_alone() -> None:
    made = after(desired(), workload())
    del made["metadata"]["annotations"]
    assert reason(desired(), made) == "up_to_date"
    kept = planned(desired(state="absent"), made)
    assert not kept.writes
    assert "stays: it is not ours" in kept.notes[0]
    forced = after(desired(state="absent", force=True), made)
    assert mounts(forced) == {"first": [], "app": [("data", "/data")]}


@pytest.mark.parametrize(
    "text", ["{", "[]", "5", '{"volumes": []}', '{"volumes": {"sa-token": 1}}', '{"fields": {"a": {}}}']
)
def test_a_memory_that_somebody_else_wrote_is_forgotten(text: str) -> None:
    obj = workload(metadata={"annotations": {MEMORY: text, "theirs": "1"}})
    made = after(desired(), obj)
    assert json.loads(made["metadata"]["annotations"][MEMORY])["volumes"]["sa-token"]["mounts"].keys() == {
        "first",
        "app",
    }
    assert after(desired(state="absent"), made)["metadata"]["annotations"] == {"theirs": "1"}


def test_a_template_that_was_taken_back_is_made_anew_and_the_rest_is_cleaned_up() -> None:
    obj = workload()
    made = after(desired(), obj)
    undone = {**copy.deepcopy(obj), "metadata": made["metadata"]}
    assert reason(desired(), undone) == "missing"
    assert after(desired(state="absent"), undone) == obj


def test_a_mount_of_a_part_at_our_path_becomes_one_of_the_whole() -> None:
    made = after(desired(mount_path="/v"), workload())
    pod_spec(DEPLOYMENT, made)["containers"][0]["volumeMounts"][1]["subPath"] = "token"
    assert reason(desired(mount_path="/v"), made) == "mounts_changed"
    assert mounts(after(desired(mount_path="/v"), made))["app"][1] == ("sa-token", "/v")


OF_NOBODY = {"container_name": "nope", "resource": "limits.cpu"}
REFUSED: list[tuple[Object, Object | None, str, str]] = [
    ({}, None, "missing_workload", "Deployment shop/w: it does not exist"),
    ({}, workload(metadata={"deletionTimestamp": "x"}), "terminating", "is being deleted"),
    (
        {"sources": [{"token": {}}, {"downward_api": {"items": [{"path": "c", "resource_field_ref": OF_NOBODY}]}}]},
        workload(),
        "invalid_option",
        "sources[1]: Deployment shop/w has no container nope, of which a file is to show a resource: correct "
        "container_name: it has first, app",
    ),
    ({"containers": ["nope"]}, workload(), "invalid_option", "has no container nope: it has first, app"),
    (
        {"kind": "ReplicaSet"},
        workload(REPLICA_SET, metadata={"ownerReferences": [{"kind": "Deployment", "name": "d", "controller": True}]}),
        "owned",
        "is made by Deployment d, which would undo it: name the Deployment instead",
    ),
]


@pytest.mark.parametrize(("options", "obj", "code", "said"), REFUSED)
def test_what_cannot_be_done_is_said(options: Object, obj: Object | None, code: str, said: str) -> None:
    with pytest.raises(ProvisionError) as caught:
        planned(desired(**options), obj)
    assert (caught.value.code, said in str(caught.value)) == (code, True), str(caught.value)


@pytest.mark.parametrize("container", ["first", "app"])
def test_a_file_may_show_a_resource_of_every_container(container: str) -> None:
    resource = {"container_name": container, "resource": "limits.cpu"}
    item = desired(sources=[{"downward_api": {"items": [{"path": "c", "resource_field_ref": resource}]}}])
    assert planned(item, workload()).reason == "missing"


def test_a_directory_whose_name_only_begins_like_one_of_the_kernel_is_fine() -> None:
    assert desired(mount_path="/process").mount_path == "/process"


def test_an_account_that_is_missing_is_an_error_and_in_check_mode_a_note() -> None:
    item, obj = desired(service_account="app"), workload()
    with pytest.raises(ProvisionError) as caught:
        plan(item, {item.ref: obj, APP: None}, check_mode=False)
    assert caught.value.code == "missing_account"
    predicted = plan(item, {item.ref: obj, APP: None}, check_mode=True)
    assert "ServiceAccount shop/app does not exist yet" in predicted.notes[0]
    assert predicted.writes
    assert plan(item, {item.ref: obj, APP: {}}, check_mode=False).notes == ()


def test_a_workload_that_is_missing_is_in_check_mode_one_that_is_coming() -> None:
    item = desired()
    predicted = plan(item, {item.ref: None}, check_mode=True)
    assert (predicted.reason, "does not exist yet" in predicted.notes[0]) == ("missing", True)
    absent = desired(state="absent")
    assert not plan(absent, {absent.ref: None}, check_mode=True).writes


def test_what_others_may_undo_and_who_keeps_old_pods_is_said() -> None:
    owners = [{"kind": "Prometheus", "name": "p", "controller": True}]
    assert (
        "Prometheus p, which may undo the change"
        in planned(desired(), workload(metadata={"ownerReferences": owners})).notes[0]
    )
    assert "does not replace its Pods" in planned(desired(kind="ReplicaSet"), workload(REPLICA_SET)).notes[0]


# Whatever there is


NAMES = st.sampled_from(["sa-token", "data", "other"])
PATHS = st.sampled_from(["/a", "/b", "/c"])


@st.composite
def workloads(draw: st.DrawFn) -> Object:
    """Containers that mount some of some volumes, and some of the fields that a volume of ours brings with it."""
    names = draw(st.lists(NAMES, unique=True))
    containers = []
    for name in draw(st.lists(st.sampled_from(["x", "y"]), unique=True, min_size=1)):
        paths = draw(st.lists(PATHS, unique=True)) if names else []
        mounts = [{"name": draw(st.sampled_from(names)), "mountPath": path} for path in paths]
        containers.append({"name": name, "image": "i", **({"volumeMounts": mounts} if mounts else {})})
    volumes = {"volumes": [{"name": name, "emptyDir": {}} for name in names]} if names else {}
    automount = draw(st.sampled_from([{}, {AUTOMOUNT: True}, {AUTOMOUNT: False}]))
    account = draw(st.sampled_from([{}, {ACCOUNT: "old", "serviceAccount": "old"}]))
    group = draw(st.sampled_from([{}, {"fsGroup": 1}]))
    spec = {"containers": containers, "securityContext": group, **volumes, **automount, **account}
    metadata = {"name": "w", "namespace": "shop", **draw(st.sampled_from([{}, {"annotations": {"theirs": "1"}}]))}
    return {"kind": "Deployment", "metadata": metadata, "spec": {"template": {"spec": spec}}}


ITEMS = st.fixed_dictionaries(
    {"volume_name": NAMES, "mount_path": PATHS, "automount": st.booleans()},
    optional={"service_account": st.just("app"), "fs_group": st.integers(0, 3), "sources": st.just([{"token": {}}])},
)


@given(workloads(), st.lists(ITEMS, min_size=1, max_size=4), st.permutations(["sa-token", "data", "other"]))
def test_what_was_put_in_and_taken_out_leaves_nothing(obj: Object, items: list[Object], order: list[str]) -> None:
    """Also over others: every volume is as declared until the last is gone, and then all is as it was before."""
    state = obj
    for item in items:
        state = after(desired(force=True, **item), state)
        assert mounts(state).keys() == mounts(obj).keys()
        assert all((item["volume_name"], item["mount_path"]) in found for found in mounts(state).values())
    ours = {item["volume_name"] for item in items}
    for name in (name for name in order if name in ours):
        state = after(desired(volume_name=name, state="absent"), state)
    assert in_any_order(state) == in_any_order(obj)


@given(workloads(), ITEMS, st.sampled_from([None, ["x"], ["y"]]))
def test_one_volume_leaves_also_the_order_as_it_was(obj: Object, item: Object, chosen: list[str] | None) -> None:
    names = [container["name"] for container in pod_spec(DEPLOYMENT, obj)["containers"]]
    assume(chosen is None or chosen[0] in names)
    state = after(desired(force=True, containers=chosen, **item), obj)
    mounting = [name for name, found in mounts(state).items() if item["volume_name"] in dict(found)]
    assert mounting == (names if chosen is None else chosen)
    assert after(desired(volume_name=item["volume_name"], state="absent"), state) == obj


def in_any_order(obj: Object) -> Object:
    """The order of volumes and mounts means nothing."""
    found = copy.deepcopy(obj)
    spec = pod_spec(DEPLOYMENT, found)
    spec.get("volumes", []).sort(key=lambda volume: volume["name"])
    for container in spec["containers"]:
        container.get("volumeMounts", []).sort(key=lambda mount: mount["mountPath"])
    return found


# The options


ODD: list[tuple[Object, str]] = [
    ({"kind": "Pod"}, "kind: Kubernetes lets nobody change the template of a Pod that exists"),
    ({"kind": "Job"}, "with the filter projected_volume"),
    ({"kind": "Deploymnt"}, "kind: Deploymnt is not known: did you mean Deployment?"),
    ({"name": None}, "name is missing"),
    ({"namespace": "A"}, "namespace: 'A' is not a valid"),
    ({"service_account": "A"}, "service_account: 'A' is not a valid name"),
    ({"volume_name": "a.b"}, "volume_name: 'a.b' is not a valid name"),
    ({"mount_path": "a"}, "mount_path: 'a' is not an absolute path"),
    ({"mount_path": "/a/../b"}, "mount_path: '/a/../b' has two dots in it: write the directory that is meant"),
    ({"mount_path": "/"}, "mount_path: no container starts with a volume at /: write"),
    ({"mount_path": "//."}, "mount_path: no container starts with a volume at /: write"),
    ({"mount_path": "/proc"}, "mount_path: no container starts with a volume at /proc: write"),
    ({"mount_path": "//proc/self/"}, "mount_path: no container starts with a volume at /proc/self: write"),
    ({"mount_path": "/a:b"}, "mount_path: '/a:b' is not an absolute path without colons"),
    ({"containers": []}, "containers is empty"),
    ({"fs_group": -1}, "fs_group: -1 is out of range"),
    ({"fs_group": True}, "fs_group: true is not the number of a group: write one, for example 65534"),
    ({"fs_group": False}, "fs_group: false is not the number of a group: write one, for example 65534"),
    ({"wait": True, "wait_timeout": "soon"}, "wait_timeout: 'soon' is not a duration"),
    ({"default_mode": "0999"}, "default_mode: '0999' is no mode"),
    ({"sources": [{"token": {"expiration_seconds": 5}}]}, "sources[0].token.expiration_seconds is 5"),
]


@pytest.mark.parametrize(("options", "said"), ODD)
def test_an_option_that_cannot_be_right_is_named(options: Object, said: str) -> None:
    with pytest.raises(InputError) as caught:
        desired(**options)
    assert said in str(caught.value)


CLASHES: list[tuple[Object, Object, str | None]] = [
    ({"service_account": "a"}, {"service_account": "b", "mount_path": "/b"}, "service_account: the volumes of"),
    ({"service_account": "a"}, {"mount_path": "/b"}, None),
    ({"automount": True}, {"mount_path": "/b"}, "automount: the volumes of"),
    ({"automount": True}, {"mount_path": "/b", "name": "other"}, None),
    ({"fs_group": 1}, {"fs_group": 2, "mount_path": "/b"}, "fs_group: the volumes of"),
    ({"fs_group": 1}, {"fs_group": 2, "state": "absent"}, None),
    ({}, {}, "two volumes of Deployment shop/w are to be at"),
    ({"mount_path": "/a"}, {"mount_path": "//a/"}, "two volumes of Deployment shop/w are to be at /a"),
    ({"containers": ["a"]}, {"containers": ["b"]}, None),
    ({"containers": ["a"]}, {"containers": ["b", "a"]}, "two volumes of Deployment shop/w are to be at"),
]


@pytest.mark.parametrize(("one", "other", "said"), CLASHES)
def test_volumes_of_one_workload_agree(one: Object, other: Object, said: str | None) -> None:
    items = [desired(**one), desired(volume_name="other", **other)]
    if said is None:
        refuse_contradictions(items)
        return
    with pytest.raises(InputError) as caught:
        refuse_contradictions(items)
    assert said in str(caught.value)
