# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_binding beside others: append, remove, another role, aggregated and protected objects."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Task
from faults.proxy import Exchange, FaultProxy

READ_PODS = {"verbs": ["get", "list"], "resources": ["pods"]}
WATCH_PODS = {"verbs": ["watch"], "resources": ["pods"]}
Options = dict[str, Any]


@pytest.fixture
def options(namespace: str) -> Options:
    return {"name": "grant", "namespace": namespace}


def live(cluster: Cluster, kind: str, name: str, namespace: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(cluster.kubectl("get", kind, name, "-n", namespace, "-o", "json").stdout)
    return found


def names(cluster: Cluster, namespace: str) -> list[str]:
    return [subject["name"] for subject in live(cluster, "rolebinding", "grant", namespace).get("subjects") or ()]


def writes_of(result: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(one["verb"], one["name"], one["reason"]) for one in result["actions"]]


def both(run_task: Task, **options: Any) -> dict[str, Any]:
    """The real run, which check mode predicted and the next run does not repeat."""
    predicted = run_task("k8s_sa_binding", check_mode=True, **options)
    done = run_task("k8s_sa_binding", **options)
    assert not done.get("failed"), done["msg"]
    assert writes_of(predicted) == writes_of(done)
    assert not run_task("k8s_sa_binding", **options)["changed"]
    return done


def test_subjects_are_added_to_those_of_others(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    both(run_task, **options, cluster_role="view", service_accounts=["a", "b"])
    added = both(run_task, **options, cluster_role="view", service_accounts=["c", "a"], subjects_mode="append")
    assert names(cluster, namespace) == ["a", "b", "c"]
    assert ([one["name"] for one in added["missing_subjects"]], added["extra_subjects"]) == (["c"], [])


@pytest.mark.parametrize(("times", "patience", "code"), [(12, 60, None), (None, 0, "conflict")])
def test_who_is_overtaken_tries_on_for_a_time(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    options: Options,
    fault_proxy: FaultProxy,
    times: int | None,
    patience: int,
    code: str | None,
) -> None:
    options |= {"cluster_role": "view", "subjects_mode": "append"}
    run_task("k8s_sa_binding", **options, service_accounts=["first"])
    rivals: list[str] = []

    def be_faster(exchange: Exchange) -> None:
        if exchange.method == "PUT" and (times is None or len(rivals) < times):
            rivals.append(f"rival-{len(rivals)}")
            run_task("k8s_sa_binding", **options, service_accounts=rivals[-1:])

    fault_proxy.on_request = be_faster
    slow = {"kubeconfig": str(fault_proxy.kubeconfig), "retry_timeout": patience}
    result = run_task("k8s_sa_binding", **options, **slow, service_accounts=["last"])
    assert (result.get("error") or {}).get("code") == code, result["msg"]
    assert len(rivals) == (times or 6)
    assert names(cluster, namespace) == ["first", *rivals, *([] if code else ["last"])]


def test_subjects_are_taken_away_and_those_of_others_stay(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    both(run_task, **options, cluster_role="view", service_accounts=["a", "b"])
    taken = both(run_task, **options, cluster_role="view", service_accounts=["b", "z"], subjects_mode="remove")
    assert names(cluster, namespace) == ["a"]
    assert [one["name"] for one in taken["extra_subjects"]] == ["b"]


def test_what_is_not_there_need_not_be_taken_away(run_task: Task, options: Options) -> None:
    nothing = {"rules": [READ_PODS], "rules_mode": "remove", "service_accounts": ["a"], "subjects_mode": "remove"}
    assert not run_task("k8s_sa_binding", **options, **nothing)["changed"]


def test_a_role_that_two_grants_add_to_is_predicted_to_be_made_once(
    cluster: Cluster, namespace: str, run_task: Task
) -> None:
    shared = {"namespace": namespace, "role_name": "shared", "rules_mode": "append"}
    bindings = [{**shared, "name": name, "rules": [rule]} for name, rule in (("a", READ_PODS), ("b", WATCH_PODS))]
    predicted = run_task("k8s_sa_binding", check_mode=True, bindings=bindings)
    done = run_task("k8s_sa_binding", bindings=bindings)
    assert not done.get("failed"), done["msg"]
    assert sorted(writes_of(predicted)) == sorted(writes_of(done))
    # Both run at once, and either may be the first at the role that both add to.
    assert sorted(one["verb"] for one in done["actions"] if one["kind"] == "Role") == ["create", "update"]
    rules = live(cluster, "role", "shared", namespace)["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}


def test_rules_are_added_and_taken_away(cluster: Cluster, namespace: str, run_task: Task, options: Options) -> None:
    both(run_task, **options, rules=[READ_PODS])
    both(run_task, **options, rules=[WATCH_PODS], rules_mode="append")
    rules = live(cluster, "role", "grant", namespace)["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "list", "watch"}
    taken = both(run_task, **options, rules=[{"verbs": ["list", "delete"], "resources": ["pods"]}], rules_mode="remove")
    rules = live(cluster, "role", "grant", namespace)["rules"]
    assert {verb for rule in rules for verb in rule["verbs"]} == {"get", "watch"}
    assert taken["extra_rules"] == [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}]


def test_the_diff_shows_missing_and_extra_rules_and_subjects_only(run_task: Task, options: Options) -> None:
    both(
        run_task, **options, rules=[READ_PODS, {"verbs": ["get"], "resources": ["nodes"]}], service_accounts=["a", "b"]
    )
    other = [{"verbs": ["watch", "list", "get"], "resources": ["pods"]}]
    changed = run_task("k8s_sa_binding", **options, rules=other, service_accounts=["c", "b"])
    shown = {side: list(yaml.safe_load_all(changed["diff"][side])) for side in ("before", "after")}
    found = {
        side: [part for one in objects for key in ("rules", "subjects") for part in one.get(key, ())]
        for side, objects in shown.items()
    }
    account = {"kind": "ServiceAccount", "namespace": options["namespace"]}
    assert found == {
        "before": [{"apiGroups": [""], "resources": ["nodes"], "verbs": ["get"]}, {**account, "name": "a"}],
        "after": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["watch"]}, {**account, "name": "c"}],
    }


def test_what_others_made_does_not_join_a_set_by_being_added_to(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    cluster.kubectl("create", "rolebinding", "grant", "--clusterrole=view", "--user=alice", "-n", namespace)
    in_set = {"set_name": f"set-{namespace}", "prune": True}
    shared = {**options, "cluster_role": "view", "service_accounts": ["a"], "subjects_mode": "append"}
    both(run_task, **in_set, bindings=[shared])
    assert names(cluster, namespace) == ["alice", "a"]
    other = {**options, "name": "other", "cluster_role": "view", "service_accounts": ["a"]}
    both(run_task, **in_set, bindings=[other])
    assert names(cluster, namespace) == ["alice", "a"]
    # what it made itself is a member, also if it only adds
    both(run_task, **in_set, bindings=[{**shared, "name": "mine"}, other])
    pruned = both(run_task, **in_set, bindings=[other])
    assert writes_of(pruned) == [("delete", "mine", "not_in_list")]


def test_rules_taken_from_a_role_that_is_not_there_grant_nothing(run_task: Task, options: Options) -> None:
    taken = {**options, "rules": [READ_PODS], "rules_mode": "remove", "service_accounts": ["a"]}
    refused = run_task("k8s_sa_binding", **taken)
    assert (refused["reason"], refused["actions"]) == ("missing_role", [])
    predicted = run_task("k8s_sa_binding", check_mode=True, **taken)
    assert "does not exist yet" in predicted["warnings"][0]


@pytest.mark.parametrize("mode", [{"rules_mode": "append"}, {"rules_mode": "remove"}, {"subjects_mode": "append"}])
def test_what_is_shared_does_not_expire(run_task: Task, options: Options, mode: Options) -> None:
    until = {"rules": [READ_PODS], "service_accounts": ["a"], "expires_at": "2020-01-01T00:00:00Z", **mode}
    refused = run_task("k8s_sa_binding", **options, **until)
    ((option, word),) = mode.items()
    assert f"expires_at and {option} {word} exclude each other" in refused["msg"]


@pytest.mark.parametrize("modes", [("exact", "append"), ("append", "remove"), ("exact", "exact")])
def test_items_that_would_undo_each_other_are_refused(run_task: Task, options: Options, modes: tuple[str, str]) -> None:
    items = [
        {**options, "name": f"grant-{number}", "role_name": "shared", "rules": [READ_PODS], "rules_mode": mode}
        for number, mode in enumerate(modes)
    ]
    assert "2 entries make Role" in run_task("k8s_sa_binding", bindings=items)["msg"]


def test_a_star_cannot_be_taken_apart(run_task: Task, options: Options) -> None:
    both(run_task, **options, rules=[{"verbs": ["*"], "resources": ["pods"]}], allow_risks=["wildcard"])
    refused = run_task("k8s_sa_binding", **options, rules=[READ_PODS], rules_mode="remove")
    assert (
        "get pods cannot be taken away, because a rule that grants more (* or every name) grants it as well"
        in refused["msg"]
    )


@pytest.mark.parametrize("way", ["recreate", "overlap"])
def test_a_binding_gets_another_role_and_keeps_what_others_gave_it(
    cluster: Cluster, namespace: str, run_task: Task, options: Options, way: str
) -> None:
    both(run_task, **options, cluster_role="view", service_accounts=["a"])
    cluster.kubectl("label", "rolebinding", "grant", "team=x", "-n", namespace)
    cluster.kubectl("annotate", "rolebinding", "grant", "note=y", "-n", namespace)
    cluster.kubectl("create", "rolebinding", "other", "--clusterrole=view", "--user=bob", "-n", namespace)
    run_task("k8s_sa_binding", **options, cluster_role="view", service_accounts=["foreign"], subjects_mode="append")
    wanted = {"cluster_role": "edit", "service_accounts": ["b"], "subjects_mode": "append", "on_role_change": way}
    refused = run_task("k8s_sa_binding", **options, **{**wanted, "on_role_change": "fail"})
    assert refused["error"]["code"] == "role_changed"
    changed = both(run_task, **options, **wanted)
    assert changed["reason"] == "role_changed"
    binding = live(cluster, "rolebinding", "grant", namespace)
    assert binding["roleRef"]["name"] == "edit"
    assert names(cluster, namespace) == ["a", "foreign", "b"]
    assert binding["metadata"]["labels"] == {"team": "x"}
    assert binding["metadata"]["annotations"]["note"] == "y"
    left = cluster.kubectl("get", "rolebinding", "-n", namespace, "-o", "name").stdout.split()
    assert sorted(left) == [f"rolebinding.rbac.authorization.k8s.io/{name}" for name in ("grant", "other")]


def test_what_a_run_left_half_way_is_finished(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    both(run_task, **options, cluster_role="view", service_accounts=["a"])
    cluster.kubectl("label", "rolebinding", "grant", "team=x", "-n", namespace)
    binding = live(cluster, "rolebinding", "grant", namespace)
    stand_in = {
        **binding,
        "roleRef": {**binding["roleRef"], "name": "edit"},
        "metadata": {
            "name": "grant.overlap",
            "namespace": namespace,
            "labels": {"team": "x", "tokenwright/overlap-of": "grant"},
        },
    }
    for is_deleted in (False, True):
        cluster.kubectl("apply", "-f", "-", input=json.dumps(stand_in))
        if is_deleted:
            cluster.kubectl("delete", "rolebinding", "grant", "-n", namespace)
        role: Options = {"cluster_role": "edit", "service_accounts": ["a"], "on_role_change": "overlap"}
        both(run_task, **options, **role)
        binding = live(cluster, "rolebinding", "grant", namespace)
        assert (binding["roleRef"]["name"], binding["metadata"]["labels"]) == ("edit", {"team": "x"})


def test_an_aggregated_role_is_declared_by_its_selectors(cluster: Cluster, run_task: Task, namespace: str) -> None:
    selectors = [{"match_labels": {f"tokenwright-{namespace}": "yes"}}]
    options: Options = {"name": f"all-{namespace}", "cluster_wide": True, "aggregation_selectors": selectors}
    try:
        both(run_task, **options)
        role = json.loads(cluster.kubectl("get", "clusterrole", options["name"], "-o", "json").stdout)
        labels = {f"tokenwright-{namespace}": "yes"}
        assert role["aggregationRule"] == {"clusterRoleSelectors": [{"matchLabels": labels}]}
    finally:
        run_task("k8s_sa_binding", name=options["name"], cluster_wide=True, state="absent")


def test_what_must_not_be_updated_stays_as_it_is(
    cluster: Cluster, namespace: str, run_task: Task, options: Options
) -> None:
    both(run_task, **options, rules=[READ_PODS], service_accounts=["a"])
    protected = "rbac.authorization.kubernetes.io/autoupdate=false"
    cluster.kubectl("annotate", "role", "grant", protected, "-n", namespace)
    left = run_task("k8s_sa_binding", **options, rules=[WATCH_PODS], service_accounts=["a"])
    assert not left["changed"]
    assert "autoupdate says false" in left["warnings"][0]
    assert both(run_task, **options, rules=[WATCH_PODS], service_accounts=["a"], override_autoupdate=True)["changed"]
