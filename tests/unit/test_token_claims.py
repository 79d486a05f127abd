# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The filter token_claims: what it reads, what it refuses, and that it never says a secret."""

from __future__ import annotations

import json

import pytest
from ansible.errors import AnsibleFilterError
from faults.odd import account_claims, any_text, token, yaml_data
from hypothesis import given

from ansible_collections.tokenwright.kubernetes.plugins.filter.token_claims import FilterModule, token_claims

CLAIMS = account_claims(private={"secret": {"name": "deployer-1", "uid": "a"}})
TOKEN = token(CLAIMS)


def test_ansible_finds_it_by_its_name() -> None:
    assert FilterModule().filters() == {"token_claims": token_claims}


@pytest.mark.parametrize("text", [TOKEN, f"{TOKEN}\n", f"\r\n \t{TOKEN} "])
def test_the_claims_are_those_of_the_token_whatever_stands_around_it(text: str) -> None:
    assert token_claims(text) == CLAIMS


def test_a_token_of_somebody_else_is_read_too() -> None:
    claims = {"sub": "someone", "aud": "vault", "nested": {"list": [1, None, "ü"]}}
    assert token_claims(token(claims)) == claims


def test_the_signature_and_the_header_are_not_in_it() -> None:
    header, dummy, signature = TOKEN.split(".")
    said = json.dumps(token_claims(TOKEN))
    assert header not in said
    assert signature not in said
    assert "RS256" not in said


NOT_TOKENS = [
    "",
    " ",
    "hello",
    "s3cret.of.somebody",
    "s3cret-of-somebody",
    TOKEN.rpartition(".")[0],
    f"{TOKEN.rpartition('.')[0]}.\n",
    f"{TOKEN}.more",
    f"Bearer {TOKEN.partition('.')[2]}",
    token(["s3cret"]),
    token("s3cret"),
    token({}),
    None,
    5,
    True,
    [TOKEN],
    {"token": TOKEN},
]


@pytest.mark.parametrize("value", NOT_TOKENS)
def test_what_is_no_token_is_said_in_one_sentence_without_it(value: object) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        token_claims(value)
    said = str(caught.value)
    assert said.startswith("the input of token_claims is not a token: give the text of a signed token (JWT)")
    assert "\n" not in said
    assert "s3cret" not in said
    assert "eyJ" not in said


@given(any_text | yaml_data)
def test_nothing_else_ever_comes_out_of_it(value: object) -> None:
    try:
        claims = token_claims(value)
    except AnsibleFilterError:
        return
    assert isinstance(claims, dict)


@given(yaml_data)
def test_any_mapping_makes_the_way_through_a_token(value: object) -> None:
    claims = {"value": json.loads(json.dumps(value, default=str))}
    assert token_claims(token(claims)) == claims
