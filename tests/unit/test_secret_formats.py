# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a Secret with a token holds, in each of its formats, and what is found in it again."""

from __future__ import annotations

import base64
import json
from contextlib import suppress
from dataclasses import replace
from typing import Any

import pytest
import yaml
from faults.odd import CA, ENTRY, any_text
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import SERVICE_ACCOUNT, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._lifetime import Record
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._secret_formats import (
    FORMATS,
    KEYS,
    Content,
    decoded,
    encoded,
)

RECORD = Record("f" * 64, None, (), ("api",), "2027-01-15T09:00:00Z")


def content(kind: str, **changes: Any) -> Content:
    return Content(kind, replace(ENTRY, **changes), Ref(SERVICE_ACCOUNT, "ci", "deployer"))


def test_a_bare_token_has_the_keys_of_a_token_volume() -> None:
    assert content("token").data("old.token.x", RECORD) == {"token": "old.token.x", "ca.crt": CA, "namespace": "ci"}
    assert content("token", ca_pem=None).data("old.token.x", RECORD)["ca.crt"] == ""


def test_a_kubeconfig_is_whole() -> None:
    text = content("kubeconfig").data("old.token.x", RECORD)["kubeconfig"]
    config = yaml.safe_load(text)
    assert config["current-context"] == ENTRY.context_name
    assert config["users"][0]["user"]["token"] == "old.token.x"
    assert config["clusters"][0]["cluster"]["server"] == ENTRY.server


@pytest.mark.parametrize(
    ("changes", "tls"),
    [
        ({}, {"insecure": False, "caData": base64.b64encode(CA.encode()).decode()}),
        ({"ca_pem": None}, {"insecure": False}),
        ({"ca_pem": None, "verify": False}, {"insecure": True}),
        # Argo CD refuses a Secret that has both
        ({"verify": False}, {"insecure": False, "caData": base64.b64encode(CA.encode()).decode()}),
        ({"ca_pem": None, "tls_server_name": "kubernetes"}, {"insecure": False, "serverName": "kubernetes"}),
    ],
)
def test_a_cluster_of_argo_cd(changes: dict[str, Any], tls: dict[str, Any]) -> None:
    found = content("argocd_cluster", **changes)
    data = found.data("old.token.x", RECORD)
    assert found.labels == {"argocd.argoproj.io/secret-type": "cluster"}
    assert (data["name"], data["server"]) == (ENTRY.cluster_name, ENTRY.server)
    assert json.loads(data["config"]) == {"bearerToken": "old.token.x", "tlsClientConfig": tls}


@pytest.mark.parametrize("kind", FORMATS)
def test_what_was_written_is_found_again(kind: str) -> None:
    written = content(kind).data("old.token.x", RECORD)
    assert set(written) == set(KEYS[kind])
    assert content(kind).token_in(decoded(encoded(written))) == "old.token.x"


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("rest", [{}, {"password": "x"}])
def test_a_secret_without_our_key_holds_no_token(kind: str, rest: dict[str, str]) -> None:
    assert content(kind).token_in(rest) is None
    assert content(kind).token_in({**rest, KEYS[kind][0]: ""}) is None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("kubeconfig", "[]"),
        ("kubeconfig", "users: 5"),
        ("kubeconfig", "users: ["),
        pytest.param("kubeconfig", "[" * 5000, id="deep YAML"),
        ("argocd_cluster", "no JSON"),
        ("argocd_cluster", ""),
        pytest.param("argocd_cluster", "[" * 100000, id="deep JSON"),
        ("argocd_cluster", "[]"),
        ("argocd_cluster", '{"bearerToken": 5}'),
        ("argocd_cluster", '{"username": "x", "password": "y"}'),
    ],
)
def test_something_else_under_our_key_is_no_token(kind: str, text: str) -> None:
    # what callers take for foreign content
    with suppress(InputError, ValueError):
        assert content(kind).token_in({KEYS[kind][0]: text}) is None


@given(st.dictionaries(any_text, any_text, max_size=4))
def test_values_travel_as_base64(data: dict[str, str]) -> None:
    assert decoded(encoded(data)) == data


@pytest.mark.parametrize("data", [None, [], "x", {"a": "not base64!"}, {"a": "//8="}, {"a": None}])
def test_values_that_are_no_text_are_left_out(data: object) -> None:
    assert decoded(data) == {}
