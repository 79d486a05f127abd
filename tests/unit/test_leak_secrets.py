# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The leak check finds a secret in whatever form it is printed, and nothing where there is none."""

from __future__ import annotations

import base64
import json
import textwrap
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import jwt
import pytest
from proofs.leak_secrets import Hunt, Secret, tokens_in

PASSWORD = 'pass "word\\&=/+ü line\nline'
TOKEN = jwt.encode({"sub": "system:serviceaccount:ci:app", "exp": 1}, "a" * 32)
OTHER = jwt.encode({"sub": "system:serviceaccount:ci:other", "exp": 2}, "b" * 32)


def in_base64(text: str, before: str) -> str:
    return base64.b64encode(f"{before}{text} and more".encode()).decode()


PRINTED: dict[str, Callable[[str], str]] = {
    "raw": lambda text: text,
    "JSON": lambda text: json.dumps({"msg": text}),
    "JSON, not only ASCII": lambda text: json.dumps({"msg": text}, ensure_ascii=False),
    "JSON in JSON": lambda text: json.dumps({"stdout": json.dumps({"msg": text})}),
    "Python": lambda text: repr({"msg": text}),
    "URL": lambda text: f"https://host/?q={quote(text, safe='')}",
    "path": quote,
    "form": quote_plus,
    "base64": lambda text: in_base64(text, ""),
    "base64 after one letter": lambda text: in_base64(text, "x"),
    "base64 after two letters": lambda text: in_base64(text, "xy"),
    "base64 for URLs": lambda text: base64.urlsafe_b64encode(f"xyz{text}".encode()).decode(),
    "wrapped": lambda text: "\n    ".join(textwrap.wrap(text, 20, break_long_words=True)),
}


@pytest.mark.parametrize("form", PRINTED)
@pytest.mark.parametrize("value", [TOKEN, PASSWORD, "0123456789abcdef"], ids=["token", "password", "hex"])
def test_a_secret_is_found_in_every_form(value: str, form: str) -> None:
    printed = f"some words, {PRINTED[form](value)}, and others"
    assert any("the secret" in hit for hit in Hunt([Secret("the secret", value)]).hits(printed.encode()))


@pytest.mark.parametrize("part", TOKEN.split(".")[1:])
def test_a_part_of_a_token_is_found(part: str) -> None:
    assert Hunt([Secret("it", TOKEN)]).hits(f"... {part} ...".encode()) >= {"it (raw)"}


def test_a_line_of_a_key_is_found() -> None:
    line = "MIIEvQIBADANBgkqhkiG9w0BAQEFAASCBKcwggSjAgEAAoIBAQC7"
    key = f"-----BEGIN KEY-----\n{line}\n-----END KEY-----\n"
    assert Hunt([Secret("it", key)]).hits(line.encode()) == {"it (raw)"}
    assert Hunt([Secret("it", key)]).hits(b"-----BEGIN KEY-----") == set()


def test_a_token_that_nobody_knows_is_found_also_when_it_is_cut_off() -> None:
    for printed in (OTHER, OTHER[:20]):
        assert Hunt([Secret("it", TOKEN)]).hits(f"got {printed}".encode()) == {"something that begins like a token"}


def test_nothing_is_found_where_nothing_is() -> None:
    words = f"a token for ci/app is minted; sha256 {'0a' * 32}; {base64.b64encode(b'CERTIFICATE' * 9).decode()}"
    assert Hunt([Secret("it", TOKEN), Secret("that", PASSWORD)]).hits(words.encode()) == set()


def test_a_hit_does_not_repeat_the_secret() -> None:
    secret = Secret("it", PASSWORD)
    assert "word" not in repr(secret) + str(Hunt([secret]).hits(PASSWORD.encode()))


def test_tokens_are_told_from_other_words() -> None:
    assert tokens_in(f"token: {TOKEN}\nother: {OTHER}, version 1.2.3".encode()) == {TOKEN, OTHER}
