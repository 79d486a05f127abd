# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What k8s_sa_access says of options that cannot be right, before it looks for a cluster."""

from __future__ import annotations

from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._access import USE_CASE
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

APP = {"service_account": "app", "namespace": "ci"}

REFUSED: list[tuple[dict[str, Any], str]] = [
    ({}, "namespace is missing"),
    ({"namespace": "ci", "can": ["get pods"]}, "service_account is missing: give a name"),
    ({"service_account": "app", "can": ["get pods"]}, "namespace is missing"),
    ({**APP, "service_account": "App", "can": []}, "service_account: 'App' is not a valid name"),
    (APP, "nothing is asked: give can, cannot, who_can or effective_rules"),
    ({**APP, "explain": True}, "nothing is asked"),
    ({**APP, "can": [], "cannot": []}, "nothing is asked"),
    ({**APP, "can": ["get pods"], "cannot": ["get pods in ci"]}, "ci/app: 'get pods in ci' is in can and in cannot"),
    ({**APP, "cannot": ["get pods", "get"]}, "cannot[1]: 'get' is not verb and resource"),
    ({**APP, "can": {"verb": "get"}}, "can is a mapping, not a list"),
    ({**APP, "can": [None]}, "can[0] is empty"),
    ({**APP, "can": ["get pods"], "wait": "soon"}, "wait: 'soon' is not a duration"),
    ({"who_can": ["get pods"]}, "who_can[0]: it says no namespace"),
    ({"who_can": ["get pods"], "namespace": "Ci"}, "namespace: 'Ci' is not a valid namespace name"),
    ({"who_can": ["get pods in ci"], "can": ["get pods in ci"]}, "namespace is missing"),
    ({"who_can": ["get pods in ci"], "workers": 0}, "workers: 0 is out of range"),
    ({**APP, "accounts": []}, "service_account and accounts exclude each other"),
    ({"accounts": [APP]}, "nothing is asked"),
    ({"accounts": [{**APP, "can": []}]}, "nothing is asked"),
    ({"accounts": [APP, APP], "can": ["get pods"]}, "accounts: ci/app is in the list 2 times"),
    ({"accounts": [{**APP, "can": ["get"]}]}, "accounts[0]: can[0]: 'get' is not verb and resource"),
    ({"accounts": [{**APP, "who_can": []}]}, "unsupported option: accounts[0].who_can"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED)
def test_a_mistake_is_one_sentence(options: dict[str, Any], message: str) -> None:
    result = run_here(USE_CASE, options, check_mode=False, diff=False)
    assert result["failed"]
    assert message in result["msg"]
    assert "\n" not in result["msg"]
    assert (result["changed"], result["error"]["http_status"]) == (False, None)
