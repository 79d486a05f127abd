# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said of a token, and that the token itself is not."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from faults.odd import account_claims, token

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import Claims, read_claims, sha256
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._lifetime import Record, Wanted
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._token_info import describe, fingerprint, notes

WANTED = Wanted("ci", "deployer", "0c1d8a5c-64c3-4a4f-8b1e-1b8f5b9b8a11", (), 3600, 0.2)
SERVER = "https://kubernetes.default.svc.cluster.local"
YEAR = {"exp": 1800000000 + 365 * 86400, "private": {"warnafter": 1800003607}}


@dataclass(frozen=True)
class Known:
    token: str
    record: Record
    claims: Claims


def known(expires_at: str = "2027-01-15T09:00:00Z", **changes: Any) -> Known:
    text = token(account_claims(**changes))
    claims = read_claims(text)
    assert claims
    return Known(text, Record(sha256(text), 3600, (), (SERVER,), expires_at), claims)


def test_all_that_is_known_of_a_token_is_told_but_the_token() -> None:
    one = known(private={"secret": {"name": "app-1", "uid": "u"}})
    info = describe(replace(WANTED, handle="app"), one)
    assert info == {
        "service_account": "deployer",
        "namespace": "ci",
        "uid": WANTED.uid,
        "credential_id": "9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10",
        "audiences": [SERVER],
        "issued_at": "2027-01-15T08:00:00Z",
        "expires_at": "2027-01-15T09:00:00Z",
        "valid_until": "2027-01-15T09:00:00Z",
        "renew_at": "2027-01-15T08:48:00Z",
        "requested_seconds": 3600,
        "granted_seconds": 3600,
        "shortened": False,
        "bound_object_ref": {"kind": "Secret", "name": "app-1", "uid": "u"},
        "handle": "app",
        "sha256": sha256(one.token),
    }
    assert one.token not in json.dumps(info)


def test_of_a_token_to_come_only_the_wish_is_told() -> None:
    info = describe(replace(WANTED, audiences=("vault",), uid=""), None)
    told = {name: value for name, value in info.items() if value is not None}
    assert told == {
        "service_account": "deployer", "namespace": "ci", "audiences": ["vault"], "requested_seconds": 3600,
    }  # fmt: skip
    assert info.keys() == describe(WANTED, known()).keys()


@pytest.mark.parametrize(
    ("asked", "lives", "shortened"), [(3600, 3600, False), (7200, 3600, True), (None, 3600, False), (3600, 7200, False)]
)
def test_whether_it_was_shortened(asked: int | None, lives: int, shortened: bool) -> None:
    one = known("2027-01-15T12:00:00Z", exp=1800000000 + lives)
    assert describe(replace(WANTED, seconds=asked), one)["shortened"] is shortened


def test_a_token_of_a_year_counts_as_expired_when_the_server_warns() -> None:
    one = known("2027-01-15T09:00:07Z", **YEAR)
    info = describe(replace(WANTED, seconds=3607), one)
    assert (info["expires_at"], info["valid_until"]) == ("2027-01-15T09:00:07Z", "2028-01-15T08:00:00Z")
    (said,) = notes(WANTED, "ci/deployer", one.record, one.claims)
    assert "accepts it until 2028-01-15T08:00:00Z" in said


@pytest.mark.parametrize(
    ("renew_before", "cut"), [(0.2, False), (0.5, False), (0.6, True), (1800, False), (1801, True)]
)
def test_a_margin_that_is_cut_is_told(renew_before: float | int, cut: bool) -> None:
    one = known()
    said = notes(replace(WANTED, renew_before=renew_before), "ci/deployer", one.record, one.claims)
    assert said == (["renew_before of ci/deployer is cut to half of the 3600 seconds its token lives"] if cut else [])


def test_a_diff_shows_which_token_and_until_when() -> None:
    one = known()
    shown = fingerprint(one.token, one.claims)
    assert shown == {
        "token": {
            "credential_id": "9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10",
            "expires_at": "2027-01-15T09:00:00Z",
            "sha256": sha256(one.token)[:12],
        }
    }
