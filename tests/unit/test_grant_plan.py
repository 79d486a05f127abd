# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Taking rules away, and the order in which one role takes the place of another."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._grant_desired import ITEM_OPTIONS, DesiredGrant
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._grant_plan import overlap_ref, plan
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import CLUSTER_ROLE, Object, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rbac import permissions, still_granted, without

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
GROUP = "rbac.authorization.k8s.io"


def rule(resources: str, verbs: str, names: str = "") -> Object:
    found = {"apiGroups": [""], "resources": resources.split(), "verbs": verbs.split()}
    return {**found, "resourceNames": names.split()} if names else found


TAKEN: list[tuple[list[Object], list[Object], list[Object]]] = [
    ([rule("pods", "get list")], [rule("pods", "list")], [rule("pods", "get")]),
    ([rule("pods", "get list")], [rule("secrets", "list")], [rule("pods", "get list")]),
    ([rule("pods nodes", "get")], [rule("pods", "*")], [rule("nodes", "get")]),
    ([rule("pods", "get", "a b")], [rule("pods", "get", "a")], [rule("pods", "get", "b")]),
    ([rule("pods", "get", "a")], [rule("pods", "get")], []),
    ([rule("pods", "get")], [rule("pods", "get", "a")], [rule("pods", "get")]),
    ([rule("pods/log pods", "get")], [rule("pods", "get")], [rule("pods/log", "get")]),
    ([rule("pods", "get"), rule("pods", "get")], [rule("pods", "get")], []),
]


@pytest.mark.parametrize(("held", "taken", "left"), TAKEN)
def test_rules_less_others(held: list[Object], taken: list[Object], left: list[Object]) -> None:
    assert permissions(without(held, taken)) == permissions(left)


def test_a_rule_of_which_nothing_is_taken_stays_as_it_was_written() -> None:
    odd = rule("pods pods", "list get list")
    assert without([odd, rule("nodes", "get")], [rule("nodes", "get")]) == [odd]


@pytest.mark.parametrize(
    ("left", "said"),
    [([rule("pods", "*")], "get pods"), ([rule("pods", "get", "a")], ""), ([rule("*", "get")], "get pods"), ([], "")],
)
def test_what_is_granted_all_the_same_is_named(left: list[Object], said: str) -> None:
    assert still_granted(left, [rule("pods", "get")]) == said


def desired(**options: Any) -> DesiredGrant:
    defaults = {name: spec.get("default") for name, spec in ITEM_OPTIONS.items()}
    given = {"name": "grant", "namespace": "ci", "cluster_role": "edit", "service_accounts": ["a"], **options}
    return DesiredGrant.from_item({**defaults, **given}, None)


def binding(name: str, role: str, **metadata: Any) -> Object:
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": name, "namespace": "ci", "uid": f"uid-{name}", "resourceVersion": "1", **metadata},
        "roleRef": {"apiGroup": GROUP, "kind": "ClusterRole", "name": role},
        "subjects": [{"kind": "ServiceAccount", "name": "a", "namespace": "ci"}],
    }


STAND_IN = binding("grant.overlap", "edit", labels={"tokenwright/overlap-of": "grant"})
STALE = binding("grant.overlap", "view", labels={"tokenwright/overlap-of": "grant"})
OLD, NEW = binding("grant", "view"), binding("grant", "edit")
SWAP = ["delete grant", "create grant", "delete grant.overlap"]

STATES: dict[str, tuple[Object | None, Object | None, list[str]]] = {
    "nothing there": (None, None, ["create grant"]),
    "another role": (OLD, None, ["create grant.overlap", *SWAP]),
    "ended before the swap": (OLD, STAND_IN, SWAP),
    "ended with a stand-in for a third role": (OLD, STALE, ["delete grant.overlap", "create grant.overlap", *SWAP]),
    "ended in the gap": (None, STAND_IN, ["create grant", "delete grant.overlap"]),
    "ended before the end": (NEW, STAND_IN, ["delete grant.overlap"]),
    "all done": (NEW, None, []),
}


@pytest.mark.parametrize(("live", "stand_in", "writes"), STATES.values(), ids=STATES)
def test_at_every_moment_one_of_two_bindings_grants(
    live: Object | None, stand_in: Object | None, writes: list[str]
) -> None:
    grant = desired(on_role_change="overlap")
    state = {grant.ref: live, overlap_ref(grant.ref): stand_in, Ref(CLUSTER_ROLE, "", "edit"): binding("edit", "")}
    found = plan(grant, state, now=NOW, check_mode=False)
    assert [f"{write.verb} {write.ref.name}" for write in found.writes] == writes


def test_a_foreign_binding_in_the_place_of_the_stand_in_is_left_alone() -> None:
    grant = desired(on_role_change="overlap")
    state = {grant.ref: OLD, overlap_ref(grant.ref): binding("grant.overlap", "edit")}
    with pytest.raises(InputError, match="in the way"):
        plan(grant, state, now=NOW, check_mode=False)


SELECTORS: list[tuple[list[Object], str]] = [
    ([], "aggregation_selectors is empty"),
    ([{}], "selects every ClusterRole"),
    ([{"match_expressions": [{"key": "a"}]}], "key and operator are needed"),
]


@pytest.mark.parametrize(("selectors", "sentence"), SELECTORS)
def test_selectors_that_cannot_be_meant(selectors: list[Object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        desired(namespace=None, cluster_wide=True, cluster_role=None, aggregation_selectors=selectors)


def test_selectors_belong_to_the_whole_cluster() -> None:
    with pytest.raises(InputError, match="aggregation_selectors belong to a ClusterRole"):
        desired(cluster_role=None, aggregation_selectors=[{"match_labels": {"a": "b"}}])
