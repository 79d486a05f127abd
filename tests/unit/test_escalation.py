# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The rules in an escalation refusal, in the words of a real API server (1.36)."""

from __future__ import annotations

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._escalation import is_escalation, missing_rules
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import Object

BEGIN = (
    'clusterroles.rbac.authorization.k8s.io "x" is forbidden: user "alice" (groups=["system:authenticated"]) is '
    "attempting to grant RBAC permissions not currently held:\n"
)

RULES: list[tuple[str, Object]] = [
    (
        '{APIGroups:[""], Resources:["deployments"], ResourceNames:["a b"], Verbs:["get" "list"]}',
        {"apiGroups": [""], "resources": ["deployments"], "resourceNames": ["a b"], "verbs": ["get", "list"]},
    ),
    (
        '{APIGroups:["apps"], Resources:["pods/log"], ResourceNames:["c\\"]}d"], Verbs:["get"]}',
        {"apiGroups": ["apps"], "resources": ["pods/log"], "resourceNames": ['c"]}d'], "verbs": ["get"]},
    ),
    ('{APIGroups:["*"], Resources:["*"], Verbs:["*"]}', {"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}),
    ('{NonResourceURLs:["/x/*"], Verbs:["get"]}', {"nonResourceURLs": ["/x/*"], "verbs": ["get"]}),
]


@pytest.mark.parametrize(("said", "rule"), RULES)
def test_a_rule_is_read_as_the_api_spells_it(said: str, rule: Object) -> None:
    assert is_escalation(BEGIN + said)
    assert missing_rules(BEGIN + said) == [rule]


def test_all_rules_are_read_and_nothing_else() -> None:
    text = BEGIN + "\n".join(said for said, dummy in RULES) + '; resolution errors: [roles "y" not found {APIGroups}]'
    assert missing_rules(text) == [rule for dummy, rule in RULES]


def test_an_aggregated_role_takes_more_than_rules() -> None:
    said = 'clusterroles.rbac.authorization.k8s.io "x" is forbidden: must have cluster-admin privileges to use the '
    assert is_escalation(f"{said}aggregationRule")
    assert missing_rules(f"{said}aggregationRule") == []
    assert not is_escalation(f"{said}webhook")


def test_another_refusal_lacks_no_rules() -> None:
    said = 'pods "x" is forbidden: {APIGroups:[""], Resources:["pods"], Verbs:["get"]}'
    assert not is_escalation(said)
    assert missing_rules(said) == []
