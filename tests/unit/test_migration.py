# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far each entry of migrate_legacy is, what is due, and what could be moved."""

from __future__ import annotations

from typing import Any

import pytest
import yaml

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._migration import Migration, Rules, read_migrations
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._migration_report import (
    failure,
    lines,
    suggestions,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._migration_state import (
    Done,
    Scene,
    State,
    judge,
    to_do,
)

Item = dict[str, Any]

SINK = {"type": "secret", "name": "tok-short"}
ENTRY: Item = {"secret": "tok", "namespace": "ci", "service_account": "app"}
READER = {"kind": "Deployment", "name": "reader"}
MOUNTER = {"kind": "Deployment", "name": "web", "volume": "creds", "mount_path": "/creds", "containers": ["app"]}


def rules(until: str = "watch", *, undo: bool = False, unused_for: object = "1d", quiet_for: object = "7d") -> Rules:
    return Rules.from_options(until, undo=undo, unused_for=unused_for, quiet_for=quiet_for, wait="5m")


def read(*entries: object, **options: Any) -> tuple[Migration, ...]:
    return read_migrations(list(entries), rules(**options))


def row(**more: Any) -> Item:
    """A token as k8s_sa_info finds it on 2026-03-10 at noon."""
    return {
        "name": "tok",
        "namespace": "ci",
        "service_account": "app",
        "created_at": "2026-03-01T12:00:00Z",
        "age": 9 * 86400,
        "last_used": "2026-03-05",
        "unused_since": "2026-03-06T00:00:00Z",
        "invalid_since": None,
        "mounted_by": [],
        "env_used_by": [],
        "managed_as": None,
        **more,
    }


def state(*rows: Item, done: Done | None = None, check_mode: bool = False, **options: Any) -> State:
    (migration,) = read(ENTRY, **options)
    return judge(migration, Scene(rules(**options), rows, done or Done(), check_mode=check_mode))


def moved(status: str = "ok", *, changed: bool = False, msg: str = "it is moved") -> Done:
    return Done(moved={"ci/tok": [{"status": status, "changed": changed, "msg": msg}]})


# The list


def test_what_an_entry_leaves_open_is_filled_in() -> None:
    (one,) = read(
        {
            **ENTRY,
            "volumes": [{"name": "web", "volume_name": "creds", "mount_path": "/creds"}],
            "tokens": [{"sinks": [SINK], "workloads": [{"name": "reader", "wait": False}]}, {"dest": "/t"}],
        }
    )
    (volume,), (minted, plain), (consumer,) = one.volumes, one.tokens, one.consumers
    assert volume.item | {"service_account": "app", "namespace": "ci", "wait": True, "wait_timeout": 300} == volume.item
    assert minted.item == {"service_account": "app", "namespace": "ci", "sinks": [SINK]}
    assert plain.item["dest"] == "/t"
    names = {"from_secret": "tok", "to_secret": "tok-short", "namespace": "ci", "name": "reader", "wait": False}
    assert consumer.item == {**names, "wait_timeout": 300}
    assert (volume.place, consumer.place) == ("migrate_list[0].volumes[0]", "migrate_list[0].tokens[0].workloads[0]")
    assert read_migrations(yaml.safe_dump([ENTRY]), rules())[0].title == "ci/tok"
    assert read_migrations(None, rules()) == ()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("a: [", "migrate_list is a text that is neither JSON nor YAML"),
        ({"a": 1}, "migrate_list is a mapping, not a list"),
        (["tok"], "migrate_list[0] is a text, not a mapping"),
        ([{**ENTRY, "secrets": 1}], "migrate_list[0]: secrets is unknown here: did you mean secret?"),
        ([{"secret": "a", "namespace": "b"}], "migrate_list[0]: service_account is missing"),
        ([{**ENTRY, "namespace": None}], "migrate_list[0]: namespace is missing"),
        ([ENTRY, ENTRY], "migrate_list[1]: the Secret ci/tok is at migrate_list[0] already: put both into one entry"),
        ([{**ENTRY, "verify_tasks": "proof.yml"}], "verify_tasks: 'proof.yml' is not an absolute path"),
        (
            [{**ENTRY, "volumes": [{"namespace": "x"}]}],
            "volumes[0]: namespace is unknown here: it is that of the entry",
        ),
        ([{**ENTRY, "tokens": [{"state": "absent"}]}], "state is unknown here: migrate_undo takes it back"),
        ([{**ENTRY, "tokens": [{"workloads": [{"to_secret": "x"}]}]}], "it is the place of the token, of type secret"),
        ([{**ENTRY, "tokens": [{"dest": "/t", "workloads": [READER]}]}], "sinks has none of them in ci"),
        ([{**ENTRY, "tokens": [{"sinks": [SINK, SINK], "workloads": [READER]}]}], "sinks has 2 of them in ci"),
        (
            [{**ENTRY, "tokens": [{"sinks": [{**SINK, "format": "kubeconfig"}], "workloads": [READER]}]}],
            "give the token one place of type secret there, in the format token",
        ),
    ],
)
def test_a_mistake_is_said_with_its_place(given: object, said: str) -> None:
    with pytest.raises(InputError) as refused:
        read_migrations(given, rules())
    assert said in str(refused.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"until": "suspended"}, "migrate_until: suspended is not a step: did you mean suspend?"),
        ({"unused_for": "soon"}, "migrate_unused_for: 'soon' is not a duration"),
        ({"quiet_for": -1}, "migrate_quiet_for: -1 is not a duration"),
    ],
)
def test_a_variable_that_cannot_be_right_is_named(options: Item, said: str) -> None:
    with pytest.raises(InputError) as refused:
        rules(**options)
    assert said in str(refused.value)


# How far an entry is

IN_USE = row(mounted_by=[MOUNTER], env_used_by=[READER, {"kind": "Pod", "name": "web-1"}])
SUSPENDED = row(invalid_since="2026-03-05")


@pytest.mark.parametrize(
    ("rows", "options", "step", "said", "is_problem", "due"),
    [
        (
            [IN_USE],
            {"until": "plan"},
            "plan",
            "used by Deployment web, Deployment reader, Pod web-1; last used",
            False,
            "",
        ),
        ([], {"until": "plan"}, "plan", "there is no such Secret (any more)", False, ""),
        ([row(managed_as="other")], {}, "plan", "one of the token other: name other instead", True, ""),
        ([row(service_account="else")], {}, "plan", "its token is for the account else", True, ""),
        ([IN_USE], {"until": "move"}, "move", "moved; used by", False, ""),
        ([IN_USE], {}, "verify", "Deployment web, Deployment reader, Pod web-1 still uses the Secret", True, ""),
        ([row(mounted_by=None)], {}, "verify", "which workloads still use the Secret is not known", True, ""),
        (
            [row()],
            {"until": "verify"},
            "verify",
            "moved, no workload uses it any more; last used on 2026-03-05",
            False,
            "",
        ),
        ([row()], {}, "verify", "moved; last used on 2026-03-05", False, "suspend"),
        ([row()], {"unused_for": "4d"}, "verify", "moved", False, "suspend"),
        ([row()], {"unused_for": "5d"}, "verify", "it is not suspended before 2026-03-11T00:00:00Z", False, ""),
        ([row(unused_since=None)], {}, "verify", "set migrate_unused_for to 0", True, ""),
        ([row(unused_since=None)], {"unused_for": 0}, "verify", "moved", False, "suspend"),
        ([row(), row(name="tok-2", invalid_since="2026-03-01")], {}, "verify", "moved", False, "suspend"),
        ([SUSPENDED], {"until": "suspend"}, "suspend", "suspended since 2026-03-05", False, ""),
        ([SUSPENDED], {}, "watch", "it is not deleted before 2026-03-13T00:00:00Z", False, ""),
        ([SUSPENDED], {"quiet_for": "4d"}, "watch", "migrate_until=delete deletes it", False, ""),
        (
            [SUSPENDED],
            {"quiet_for": "4d", "until": "delete"},
            "watch",
            "quiet since 2026-03-06T00:00:00Z",
            False,
            "delete",
        ),
        ([SUSPENDED], {"quiet_for": "5d", "until": "delete"}, "watch", "is not deleted before 2026-03-11", False, ""),
        # a use after the suspension, which was refused, begins the quiet time anew
        (
            [row(invalid_since="2026-03-01")],
            {"quiet_for": "5d", "until": "delete"},
            "watch",
            "is not deleted before 2026-03-11",
            False,
            "",
        ),
        # it was unused for long before it was suspended, when nobody could be missed
        (
            [row(invalid_since="2026-03-09", last_used=None, unused_since="2026-03-01T12:00:00Z")],
            {"quiet_for": "1d", "until": "delete"},
            "watch",
            "is not deleted before 2026-03-11",
            False,
            "",
        ),
        ([row(invalid_since="yesterday")], {}, "watch", "that is no day", False, ""),
        ([row(invalid_since="yesterday")], {"until": "delete"}, "watch", "that is no day", True, ""),
        ([row(invalid_since="2026-03-01", unused_since=None)], {"until": "delete"}, "watch", "usage-reader", True, ""),
        ([], {}, "delete", "there is no such Secret (any more)", False, ""),
        ([], {"undo": True}, "plan", "what is deleted does not come back", True, ""),
        ([SUSPENDED], {"undo": True}, "plan", "as it was before; used by no workload", False, ""),
    ],
)
def test_how_far_an_entry_is(rows: list[Item], options: Item, step: str, said: str, is_problem: bool, due: str) -> None:
    found = state(*rows, **options)
    assert (found.step, found.is_problem, found.due) == (step, is_problem, due), found
    assert said in found.said
    # what is in another namespace, or is called otherwise, does not matter
    others = [row(namespace="other", mounted_by=[MOUNTER]), row(name="tok2", mounted_by=[MOUNTER])]
    assert state(*rows, *others, **options) == found


def test_the_secrets_of_a_token_that_is_rotated_are_looked_at_together() -> None:
    generations = [row(managed_as="tok", invalid_since="2026-03-01"), row(name="tok-2", managed_as="tok")]
    assert state(*generations, unused_for=0).due == "suspend"
    generations[1]["mounted_by"] = [MOUNTER]
    assert "Deployment web still uses the Secret" in state(*generations).said


def test_a_use_after_the_suspension_is_said() -> None:
    assert state(row(invalid_since="2026-03-05", last_used="2026-03-05")).notes == ()
    (note,) = state(row(invalid_since="2026-03-04", last_used="2026-03-05")).notes
    assert note == "somebody still tried the old token on 2026-03-05, and was refused"


def test_what_failed_stops_the_entry_where_it_is() -> None:
    assert state(row(), done=moved("failed", msg="no right")) == State("move", "no right", is_problem=True)
    assert state(row(), done=moved(changed=True), check_mode=True).said.startswith("would be moved")
    assert state(row(), done=moved(changed=True)).due == "suspend"
    failed = state(row(), done=Done(proofs={"ci/tok": "task Ask"}))
    assert failed == State("verify", "the proof that its consumers work failed (task Ask)", is_problem=True)
    later = Done(later_proofs={"ci/tok": "task Ask"})
    assert "migrate_undo lifts it" in state(SUSPENDED, done=later).said
    later = Done(later_proofs={"ci/tok": "task Ask"}, legacy={"lifted": {"ci/tok": {"status": "changed"}}})
    assert "the suspension was lifted again" in state(row(), done=later).said
    refused = Done(legacy={"suspended": {"ci/tok": {"status": "failed", "msg": "no right"}}})
    assert state(row(), done=refused) == State("suspend", "no right", is_problem=True)
    assert state(SUSPENDED, undo=True, done=moved("failed", msg="no right")).is_problem


def test_what_a_module_has_just_done_counts() -> None:
    generation = {"name": "tok", "invalid_since": "2026-03-10", "last_used": "2026-03-10"}
    suspended = Done(legacy={"suspended": {"ci/tok": {"status": "changed", "generations": [generation]}}})
    assert "suspended since 2026-03-10; it is not deleted before 2026-03-18" in state(row(), done=suspended).said
    deleted = Done(legacy={"deleted": {"ci/tok": {"status": "changed", "generations": []}}})
    assert state(SUSPENDED, done=deleted, until="delete").step == "delete"


# What is to be done


def due(*rows: Item, entry: Item, done: Done | None = None, check_mode: bool = False, **options: Any) -> Item:
    migrations = read(entry, **options)
    return to_do(migrations, Scene(rules(**options), rows, done or Done(), check_mode=check_mode))


VOLUME = {"name": "web", "volume_name": "creds", "mount_path": "/creds"}
FULL = {
    **ENTRY,
    "verify_tasks": "/proof.yml",
    "volumes": [VOLUME],
    "tokens": [
        {"sinks": [SINK], "workloads": [READER]},
        {"dest": "/t", "handle": "h", "overlap": 60, "sinks": [{"type": "kubeconfig", "path": "/k"}]},
        {"kubeconfig_dest": "/c"},
    ],
}


def test_only_the_volume_with_the_very_secret_gives_way_by_force() -> None:
    assert due(IN_USE, entry=FULL)["volumes"][0]["force"] is True
    for other in ({**MOUNTER, "volume": "data"}, {**MOUNTER, "name": "w"}, {**MOUNTER, "kind": "StatefulSet"}):
        assert "force" not in due(row(mounted_by=[other]), entry=FULL)["volumes"][0]
    never = {**FULL, "volumes": [{**VOLUME, "force": False}]}
    assert due(IN_USE, entry=never)["volumes"][0]["force"] is False


def test_each_step_has_its_items() -> None:
    assert due(IN_USE, entry=FULL, until="plan")["tokens"] == []
    moving = due(IN_USE, entry=FULL)
    assert [len(moving[name]) for name in ("tokens", "consumers", "volumes")] == [3, 1, 1]
    assert moving["owners"] == {"tokens": ["ci/tok"] * 3, "consumers": ["ci/tok"], "volumes": ["ci/tok"]}
    assert (moving["proofs"], moving["suspend"], moving["delete"]) == ([], [], [])
    ready = due(row(), entry=FULL)
    legacy = {"name": "tok", "namespace": "ci", "service_account": "app"}
    assert ([one["title"] for one in ready["proofs"]], ready["suspend"]) == (["ci/tok"], [legacy])
    assert due(row(), entry=FULL, until="move")["proofs"] == []
    assert due(row(), entry=FULL, done=moved(changed=True), check_mode=True)["proofs"] == []
    assert due(SUSPENDED, entry=FULL, until="delete", quiet_for=0)["delete"] == [legacy]
    assert due(row(service_account="else"), entry=FULL)["tokens"] == []
    # what is done is kept good
    assert len(due(entry=FULL)["tokens"]) == 3


def test_pods_that_are_about_to_go_are_waited_for_and_nothing_else() -> None:
    pods = row(env_used_by=[{"kind": "Pod", "name": "old"}])
    assert due(pods, entry=FULL, done=moved(changed=True))["leaving"] == ["ci/tok"]
    assert due(pods, entry=FULL, done=moved())["leaving"] == []
    assert due(IN_USE, entry=FULL, done=moved(changed=True))["leaving"] == []
    assert due(row(), entry=FULL, done=moved(changed=True))["leaving"] == []
    assert due(pods, entry=FULL, done=moved(changed=True), check_mode=True)["leaving"] == []


@pytest.mark.parametrize(("seconds", "is_unseen"), [(None, True), (10.0, False)])
def test_a_token_that_was_just_suspended_is_proven_once_more(seconds: float | None, is_unseen: bool) -> None:
    outcome = {"status": "changed", "changed": True, "revoked_after_seconds": seconds, "generations": []}
    done = Done(legacy={"suspended": {"ci/tok": outcome}})
    found = due(SUSPENDED, entry=FULL, done=done)
    assert ([one["verify_tasks"] for one in found["suspended"]], found["is_unseen"]) == (["/proof.yml"], is_unseen)
    assert due(SUSPENDED, entry=FULL, done=done, check_mode=True)["suspended"] == []
    failed = Done(legacy=done.legacy, later_proofs={"ci/tok": "task Ask"})
    (lift,) = due(SUSPENDED, entry=FULL, done=failed)["lift"]
    assert (lift["state"], lift["name"]) == ("present", "tok")


def test_the_way_back_is_the_way_there_turned_round() -> None:
    back = due(SUSPENDED, entry=FULL, undo=True)
    (restore,) = back["restore"]
    places = {"dest": "/t", "kubeconfig_dest": "/c", "sinks": [{"type": "kubeconfig", "path": "/k"}]}
    assert restore | places | {"name": "tok", "state": "present"} == restore
    (consumer,) = back["consumers"]
    assert (consumer["from_secret"], consumer["to_secret"]) == ("tok-short", "tok")
    (volume,) = back["volumes"]
    assert (volume["state"], volume["volume_name"], "mount_path" in volume) == ("absent", "creds", False)
    # the one that was only in a file is no more when the other one is back in there
    base = {"namespace": "ci", "service_account": "app", "state": "absent"}
    assert back["tokens"] == [{**base, "sinks": [SINK]}, {**base, "handle": "h"}]
    assert due(row(), entry=ENTRY, undo=True)["restore"] == []
    assert len(due(SUSPENDED, entry=ENTRY, undo=True)["restore"]) == 1
    assert due(entry=FULL, undo=True)["consumers"] == []
    # a volume that holds the Secret is back already
    assert due(row(mounted_by=[MOUNTER]), entry=FULL, undo=True)["volumes"] == []


# What is said


def test_the_report_says_what_was_done_and_how_far_it_is() -> None:
    migrations = read(ENTRY, {**ENTRY, "secret": "two"}, {**ENTRY, "secret": "three"})
    done = Done(
        moved={
            "ci/tok": [{"status": "changed", "changed": True, "msg": "it is moved"}],
            "ci/two": [{"status": "failed", "changed": False, "msg": "no right"}],
        }
    )
    scene = Scene(rules(), [row(managed_as="tok"), row(name="two")], done, check_mode=False)
    assert lines(migrations, scene) == [
        "  secret   ci/tok of app",
        "~ done     it is moved",
        "! note     k8s_legacy_token looks after it: a list of its own must not name it, or it makes it good again",
        "  verify   moved; last used on 2026-03-05",
        "",
        "  secret   ci/two of app",
        "! move     no right",
        "",
        "  secret   ci/three of app",
        "  delete   there is no such Secret (any more)",
    ]
    assert failure(migrations, scene) == "1 of 3 cannot go on: ci/two: no right"
    assert failure(migrations[:1], scene) == ""
    many = read(*({**ENTRY, "secret": f"s{number}"} for number in range(7)))
    used = [row(name=f"s{number}", env_used_by=[READER]) for number in range(7)]
    said = failure(many, Scene(rules(), used, Done(), check_mode=False))
    assert said.startswith("7 of 7 cannot go on: ci/s0: ")
    assert said.endswith("; and 2 more")


def test_what_could_be_moved_is_a_list_that_can_be_used_as_it_is() -> None:
    pod = {"kind": "Pod", "name": "by-hand"}
    part = {**MOUNTER, "name": "part", "mount_path": None}
    found = [
        row(mounted_by=[MOUNTER, part], env_used_by=[READER, pod]),
        row(name="rotated", managed_as="rotated", env_used_by=[{"kind": "Deployment", "name": "part"}]),
        row(name="rotated-2", managed_as="rotated", env_used_by=[{"kind": "Deployment", "name": "part"}]),
        row(name="away"),
        row(name="unused", last_used=None, invalid_since="2026-03-05"),
        row(name="hidden", mounted_by=None, env_used_by=None),
    ]
    said = suggestions(found)
    listed = yaml.safe_load("\n".join(said))["migrate_list"]
    assert [one["secret"] for one in listed] == ["tok", "rotated", "away", "unused", "hidden"]
    assert listed[0]["volumes"] == [
        {"kind": "Deployment", "name": "web", "volume_name": "creds", "mount_path": "/creds", "containers": ["app"]}
    ]
    (token,) = listed[0]["tokens"]
    assert token["workloads"] == [{"kind": "Deployment", "name": "part"}, READER]
    assert listed[1]["tokens"][0]["workloads"] == [{"kind": "Deployment", "name": "part"}]
    assert sorted(listed[2]) == ["namespace", "secret", "service_account"]
    assert len(read_migrations(listed, rules())) == 5
    comments = [line for line in said if line.lstrip().startswith("#")]
    assert "  # ci/tok of app: 9 days old, last used on 2026-03-05" in comments
    assert "  # Pod by-hand cannot be changed: its manifest has to be" in comments
    assert sum("used by no workload: if it is in a kubeconfig" in line for line in comments) == 1
    assert sum("suspended since 2026-03-05" in line for line in comments) == 1
    assert sum("the caller may not list them" in line for line in comments) == 1
    assert yaml.safe_load("\n".join(suggestions([]))) == {"migrate_list": []}
