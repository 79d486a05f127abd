# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a diff shows of roles and bindings: rules and subjects that are missing or extra, and no others."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._grant_difference import only_differing
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import Object


def role(*rules: Object, **metadata: Any) -> Object:
    return {"kind": "Role", "metadata": {"name": "r", "namespace": "ci", **metadata}, "rules": list(rules)}


def binding(*subjects: Object) -> Object:
    found: Object = {"kind": "RoleBinding", "metadata": {"name": "b", "namespace": "ci"}, "roleRef": {"name": "r"}}
    return {**found, "subjects": list(subjects)} if subjects else found


def rule(resources: str, verbs: str) -> Object:
    return {"apiGroups": [""], "resources": resources.split(), "verbs": verbs.split()}


def account(name: str, **more: str) -> Object:
    return {"kind": "ServiceAccount", "name": name, **more}


GET_PODS, LIST_PODS, GET_NODES = rule("pods", "get"), rule("pods", "list"), rule("nodes", "get")
DIFFERENCES: list[tuple[str, Object, Object, dict[str, list[Object]], dict[str, list[Object]]]] = [
    ("one more rule", role(GET_PODS), role(GET_NODES, GET_PODS), {}, {"rules": [GET_NODES]}),
    ("one rule less", role(GET_PODS, GET_NODES), role(GET_PODS), {"rules": [GET_NODES]}, {}),
    ("a verb more", role(GET_PODS), role(rule("pods", "list get")), {}, {"rules": [LIST_PODS]}),
    ("one for another", role(GET_PODS), role(GET_NODES), {"rules": [GET_PODS]}, {"rules": [GET_NODES]}),
    ("only the spelling", role(GET_PODS, GET_NODES), role(rule("nodes pods", "get")), {}, {}),
    ("covered by a star", role(GET_PODS), role(rule("*", "get")), {}, {"rules": [rule("*", "get")]}),
    (
        "one more subject",
        binding(account("a")),
        binding(account("a", namespace="ci"), account("b")),
        {},
        {"subjects": [account("b")]},
    ),
    ("the last subject", binding(account("a")), binding(), {"subjects": [account("a")]}, {}),
]


@pytest.mark.parametrize(("what", "old", "new", "before", "after"), DIFFERENCES)
def test_only_what_differs_is_shown(what: str, old: Object, new: Object, before: Object, after: Object) -> None:
    shown = only_differing([old], [new])
    assert [[{key: one[key] for key in one if key in ("rules", "subjects")} for one in side] for side in shown] == [
        [before],
        [after],
    ], what
    assert [one["metadata"] for side in shown for one in side] == [old["metadata"], new["metadata"]]


def test_what_is_made_or_goes_is_shown_as_a_whole() -> None:
    made, gone = role(GET_PODS), binding(account("a"))
    assert only_differing([gone], [made]) == ([gone], [made])
    # of the same name elsewhere
    other = role(GET_PODS, namespace="shop")
    assert only_differing([other], [made]) == ([other], [made])
