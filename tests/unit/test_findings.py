# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which risk is refused, which is worth a warning, and which is fine."""

from __future__ import annotations

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError, RefusedRiskError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._findings import (
    ARGUMENT_SPEC,
    REFUSED_BY_DEFAULT,
    Finding,
    RiskPolicy,
    transport_findings,
)

POLICIES = ARGUMENT_SPEC["risk_policy"]["choices"]
REFUSED = sorted(risk for risk, refused in REFUSED_BY_DEFAULT.items() if refused)
WARNED = sorted(risk for risk, refused in REFUSED_BY_DEFAULT.items() if not refused)


def policy(name: str, *allowed: str) -> RiskPolicy:
    return RiskPolicy.from_params({"risk_policy": name, "allow_risks": list(allowed)})


def verdict(decides: RiskPolicy, risk: str) -> str:
    try:
        return "warned" if decides.judge([Finding(risk, "something was seen", "do it otherwise")]) else "silent"
    except RefusedRiskError:
        return "refused"


@pytest.mark.parametrize(
    ("name", "for_refused", "for_warned"),
    [
        ("default", "refused", "warned"),
        ("warn", "warned", "warned"),
        ("deny", "refused", "refused"),
        ("ignore", "silent", "silent"),
    ],
)
def test_what_a_policy_does(name: str, for_refused: str, for_warned: str) -> None:
    assert name in POLICIES
    assert {verdict(policy(name), risk) for risk in REFUSED} == {for_refused}
    assert {verdict(policy(name), risk) for risk in WARNED} == {for_warned}


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("risk", REFUSED_BY_DEFAULT)
def test_a_risk_allowed_by_name_is_silent_under_every_policy(name: str, risk: str) -> None:
    assert verdict(policy(name, risk), risk) == "silent"
    others = [other for other in REFUSED_BY_DEFAULT if other != risk]
    assert verdict(policy(name, *others), risk) == verdict(policy(name), risk)


def test_a_refusal_says_what_was_seen_what_to_do_and_how_to_accept_it() -> None:
    seen = Finding("long_lifetime", "a token lives for over 30 days", "ask for a shorter one")
    with pytest.raises(RefusedRiskError) as caught:
        policy("default").judge([seen])
    assert str(caught.value) == (
        "a token lives for over 30 days (risk long_lifetime): ask for a shorter one: "
        "if you accept it, add long_lifetime to allow_risks"
    )
    assert caught.value.code == "risk_refused"


BIND, WILD, ALL = (
    Finding("bind", "it may bind", "do not"),
    Finding("wildcard", "it has a star", "do not", within="cluster_admin"),
    Finding("cluster_admin", "it may do all", "do not"),
)


def test_a_refusal_names_all_that_would_have_to_be_accepted() -> None:
    with pytest.raises(RefusedRiskError) as caught:
        policy("default").judge([BIND, WILD, Finding("secrets_read", "it reads", "do not"), BIND])
    assert str(caught.value) == (
        "it may bind (risk bind): do not: if you accept them all, add bind, wildcard to allow_risks"
    )


def test_who_accepts_the_greater_risk_accepts_what_is_within() -> None:
    with pytest.raises(RefusedRiskError) as caught:
        policy("default").judge([ALL, WILD])
    assert caught.value.hint == "if you accept it, add cluster_admin to allow_risks"
    assert policy("deny", "cluster_admin").judge([ALL, WILD]) == []
    with pytest.raises(RefusedRiskError):
        policy("default", "wildcard").judge([ALL, WILD])
    with pytest.raises(RefusedRiskError):
        policy("default", "bind").judge([WILD])


def test_the_risks_of_one_object_are_one_warning() -> None:
    decides = policy("default", "pod_exec")
    found = [
        Finding(word, f"it may {word}", "do not") for word in ("secrets_read", "pod_exec", "rbac_write", "rbac_write")
    ]
    assert decides.judge_together(found) == [
        "it may secrets_read (risk secrets_read): do not; other risks of it are rbac_write, see risks in the result"
    ]
    assert decides.judge_together(found[:2]) == ["it may secrets_read (risk secrets_read): do not"]
    assert decides.judge_together(found[1:2]) == []
    with pytest.raises(RefusedRiskError):
        decides.judge_together([*found, BIND])


def test_a_finding_as_it_is_returned() -> None:
    assert Finding("long_lifetime", "it lives long", "ask for less").as_result() == {
        "id": "long_lifetime",
        "reference": None,
        "severity": "medium",
        "object": None,
        "evidence": "it lives long",
        "fix": "ask for less",
    }


def test_warnings_come_in_the_order_of_the_findings() -> None:
    found = [Finding(risk, f"{number}", "x") for number, risk in enumerate(WARNED * 2)]
    assert policy("default").judge(found) == [str(finding) for finding in found]
    assert policy("default").judge([]) == []


def test_nothing_allowed_is_the_default() -> None:
    assert RiskPolicy.from_params({"risk_policy": "default", "allow_risks": None}).allowed == frozenset()


def test_a_risk_that_does_not_exist_cannot_be_allowed() -> None:
    with pytest.raises(InputError) as caught:
        policy("default", "long_lifetme", "long_lifetime")
    known = ", ".join(sorted(REFUSED_BY_DEFAULT))
    assert str(caught.value) == f"allow_risks: 'long_lifetme' is no risk: known are {known}"


@pytest.mark.parametrize(
    ("server", "verified", "evidence"),
    [
        ("https://kube.example:6443", True, None),
        ("https://kube.example:6443", False, "the certificate of https://kube.example:6443 is not verified"),
        ("http://127.0.0.1:8001", True, "the connection to http://127.0.0.1:8001 is not encrypted"),
        ("HTTP://127.0.0.1:8001", False, "the connection to HTTP://127.0.0.1:8001 is not encrypted"),
    ],
)
def test_how_credentials_travel(server: str, verified: bool, evidence: str | None) -> None:
    found = transport_findings(server, verified=verified)
    assert [finding.evidence for finding in found] == ([evidence] if evidence else [])
    assert {finding.risk for finding in found} <= {"insecure_transport"}
