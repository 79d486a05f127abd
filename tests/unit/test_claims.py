# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a token says of itself."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import pytest
from faults.odd import account_claims, any_text, token
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import (
    Claims,
    LegacyClaims,
    is_account_token,
    looks_like_token,
    read_claims,
    read_legacy_claims,
    sha256,
)

PLAIN = Claims(
    namespace="ci",
    service_account="deployer",
    uid="0c1d8a5c-64c3-4a4f-8b1e-1b8f5b9b8a11",
    audiences=("https://kubernetes.default.svc.cluster.local",),
    issued_at=datetime(2027, 1, 15, 8, 0, tzinfo=timezone.utc),
    expires_at=datetime(2027, 1, 15, 9, 0, tzinfo=timezone.utc),
    credential_id="9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10",
)
POD = {"name": "web-0", "uid": "pod-uid"}
NODE = {"name": "node-1", "uid": "node-uid"}


def _without(key: str) -> dict[str, Any]:
    return {name: value for name, value in account_claims().items() if name != key}


READ: dict[str, tuple[dict[str, Any], Claims]] = {
    "plain": (account_claims(), PLAIN),
    "before Kubernetes 1.30": (_without("jti"), replace(PLAIN, credential_id=None)),
    "audiences in their order": (account_claims(aud=["b", "a"]), replace(PLAIN, audiences=("b", "a"))),
    "one audience": (account_claims(aud="vault"), replace(PLAIN, audiences=("vault",))),
    "no audience": (_without("aud"), replace(PLAIN, audiences=())),
    "fractions of a second": (account_claims(iat=1800000000.9), PLAIN),
    "name with a dot": (
        account_claims(sub="system:serviceaccount:ci:build.bot"),
        replace(PLAIN, service_account="build.bot"),
    ),
    "extended": (
        account_claims(exp=1831536000, private={"warnafter": 1800003607}),
        replace(
            PLAIN,
            expires_at=datetime(2028, 1, 15, 8, 0, tzinfo=timezone.utc),
            warn_after=datetime(2027, 1, 15, 9, 0, 7, tzinfo=timezone.utc),
        ),
    ),
    "bound to a pod, which tells its node": (
        account_claims(private={"pod": POD, "node": NODE}),
        replace(PLAIN, bound_to=("Pod", "web-0", "pod-uid")),
    ),
    "bound to a pod on a node that is gone": (
        account_claims(private={"pod": POD, "node": {"name": "node-1"}}),
        replace(PLAIN, bound_to=("Pod", "web-0", "pod-uid")),
    ),
    "bound to a secret": (
        account_claims(private={"secret": {"name": "handle-1", "uid": "secret-uid"}}),
        replace(PLAIN, bound_to=("Secret", "handle-1", "secret-uid")),
    ),
    "bound to a node": (
        account_claims(private={"node": NODE}),
        replace(PLAIN, bound_to=("Node", "node-1", "node-uid")),
    ),
    "of a class to come": (account_claims(scope="x", private={"shoe": {"name": "left"}}), PLAIN),
}


@pytest.mark.parametrize(("claims", "expected"), READ.values(), ids=READ)
def test_the_claims_of_a_token(claims: dict[str, Any], expected: Claims) -> None:
    assert read_claims(token(claims)) == expected


UNREADABLE: dict[str, str] = {
    "nothing": "",
    "a word": "token",
    "two parts": token(account_claims()).rpartition(".")[0],
    "four parts": f"{token(account_claims())}.more",
    "no header": token(account_claims())[token({}).index(".") :],
    "no signature": token(account_claims()).rpartition(".")[0] + ".",
    "a blank in it": token(account_claims()).replace(".", ". "),
    "no base64": "a.b.c",
    "not ASCII": "ä.ö.ü",
    "no UTF-8": f"a.{base64.urlsafe_b64encode(bytes([0xFF] * 9)).decode()}.c",
    "no JSON": f"a.{base64.urlsafe_b64encode(b'{sub: me}').decode()}.c",
    "nested too deeply": f"a.{base64.urlsafe_b64encode(b'[' * 100000).decode()}.c",
    "a number too long": f"a.{base64.urlsafe_b64encode(b'7' * 5000).decode()}.c",
    "a list": token([account_claims()]),
    "null": token(None),
    "of a user": token(account_claims(sub="jane")),
    "without subject": token(_without("sub")),
    "subject no text": token(account_claims(sub=5)),
    "a long-lived one": token(
        {
            "iss": "kubernetes/serviceaccount",
            "sub": "system:serviceaccount:ci:deployer",
            "kubernetes.io/serviceaccount/namespace": "ci",
            "kubernetes.io/serviceaccount/service-account.name": "deployer",
        }
    ),
    "private claims no mapping": token({**account_claims(), "kubernetes.io": []}),
    "no account": token({**account_claims(), "kubernetes.io": {}}),
    "account no mapping": token(account_claims(private={"serviceaccount": "deployer"})),
    "account without uid": token(account_claims(private={"serviceaccount": {"name": "deployer"}})),
    "never expires": token(_without("exp")),
    "expires null": token(account_claims(exp=None)),
    "expires some day": token(account_claims(exp="some day")),
    "expires after all time": token(account_claims(exp=10**15)),
    "expires after all times": token(account_claims(exp=2**60)),
    "expired before all times": token(account_claims(exp=-(2**60))),
    "expires at infinity": token(account_claims(exp=float("inf"))),
    "expires at no number": token(account_claims(exp=float("nan"))),
    "never issued": token(_without("iat")),
    "warns some day": token(account_claims(private={"warnafter": "later"})),
    "pod without name": token(account_claims(private={"pod": {"uid": "x"}})),
    "pod no mapping": token(account_claims(private={"pod": "web-0"})),
}


@pytest.mark.parametrize("text", UNREADABLE.values(), ids=UNREADABLE)
def test_what_is_no_token_of_an_account(text: str) -> None:
    assert read_claims(text) is None


@given(any_text)
def test_no_text_is_too_odd(text: str) -> None:
    assert read_claims(text) is None


_json_data = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | any_text,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(any_text, inner, max_size=3),
    max_leaves=6,
)


@given(st.sampled_from(["sub", "aud", "exp", "iat", "jti", "kubernetes.io"]), _json_data)
def test_no_claim_is_too_odd(name: str, value: Any) -> None:
    found = read_claims(token({**account_claims(), name: value}))
    assert found is None or (found.uid == PLAIN.uid and found.expires_at.tzinfo is timezone.utc)


@given(st.sampled_from(["serviceaccount", "pod", "node", "secret", "warnafter"]), _json_data)
def test_no_private_claim_is_too_odd(name: str, value: Any) -> None:
    found = read_claims(token(account_claims(private={name: value})))
    assert found is None or found.service_account == "deployer"


@given(_json_data)
def test_no_payload_is_too_odd(payload: Any) -> None:
    assert read_claims(token(payload)) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (token(account_claims()), True),
        (token({"sub": "jane"}), True),
        ("eyJhbGciOiJSUzI1NiJ9.e30.", True),
        ("eyJhbGciOiJSUzI1NiJ9.e30", False),
        ("eyJhbGciOiJSUzI1NiJ9..x", False),
        (f"{token(account_claims())}.x", False),
        (f"{token(account_claims())}\n", False),
        ("www.example.com", False),
        ("", False),
    ],
)
def test_what_looks_like_a_token(text: str, expected: bool) -> None:
    assert looks_like_token(text) is expected


def test_a_fingerprint_is_the_hash_of_the_text() -> None:
    assert sha256("a.b.c") == hashlib.sha256(b"a.b.c").hexdigest()


LEGACY = {
    "iss": "kubernetes/serviceaccount",
    "kubernetes.io/serviceaccount/namespace": "ci",
    "kubernetes.io/serviceaccount/secret.name": "tok-2",
    "kubernetes.io/serviceaccount/service-account.name": "app",
    "kubernetes.io/serviceaccount/service-account.uid": "u",
    "sub": "system:serviceaccount:ci:app",
}


def test_a_long_lived_token_says_whose_it_is_and_where_it_is_from() -> None:
    text = token(LEGACY)
    assert read_legacy_claims(text) == LegacyClaims("ci", "app", "u", "tok-2")
    assert read_claims(text) is None
    assert is_account_token(text)


@pytest.mark.parametrize("key", [key for key in LEGACY if key != "sub"])
@pytest.mark.parametrize("value", [None, "", 5, ["x"]])
def test_what_lacks_a_claim_is_no_long_lived_token(key: str, value: object) -> None:
    assert read_legacy_claims(token({**LEGACY, key: value})) is None


def test_another_token_is_none_either() -> None:
    assert not is_account_token(token({"sub": "somebody"}))
    assert not is_account_token("nothing")
