# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""No form of a secret survives, and nothing else is touched."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from faults.odd import account_claims, any_text, token, yaml_data
from hypothesis import example, given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._redact import MASK, Secrets

# without the mask's own character: a secret made of stars could not be told from the mask
secrets = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), min_size=8, max_size=40)
surroundings = st.text(st.characters(exclude_characters="*", exclude_categories=["Cs"]), max_size=20)

FORMS: dict[str, Callable[[str], str]] = {
    "raw": str,
    "without blanks around": str.strip,
    "in JSON": lambda value: json.dumps(value)[1:-1],
    "in a URL": lambda value: quote(value, safe=""),
    "in a form": quote_plus,
    "in base64": lambda value: base64.b64encode(value.encode()).decode().rstrip("="),
    "in base64 for URLs": lambda value: base64.urlsafe_b64encode(value.encode()).decode().rstrip("="),
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
@given(secret=secrets, before=surroundings, after=surroundings)
@example(secret='quote"back\\slash/plus+', before="", after="")
def test_no_form_of_a_secret_survives(form: Callable[[str], str], secret: str, before: str, after: str) -> None:
    written = form(secret)
    # shorter ones are no credentials, see below
    if len(written) >= 8:
        assert written not in Secrets([secret]).scrub(f"{before}{written}{after}")


def _core(before: bytes, secret: bytes, after: bytes, encode: Callable[[bytes], bytes]) -> tuple[str, str]:
    """A longer text in base64, and those of its characters that come from the secret alone."""
    text = encode(before + secret + after).decode()
    begin, end = -(-8 * len(before) // 6), 8 * (len(before) + len(secret)) // 6
    return text, text[begin:end]


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@given(
    secret=st.text(st.characters(max_codepoint=0x17F), min_size=8, max_size=40),
    # how many bytes come first decides how those of the secret are cut into characters
    before=st.binary(max_size=9),
    after=st.binary(max_size=9),
)
@example(secret="aaaaaaaa", before=b"a", after=b"a")
@example(secret="aaaaaaaa", before=b"aa", after=b"a")
def test_a_secret_within_a_longer_text_does_not_survive_base64(
    encode: Callable[[bytes], bytes], secret: str, before: bytes, after: bytes
) -> None:
    text, core = _core(before, secret.encode(), after, encode)
    # a single character of base64 says six bits
    assert core[:-1] not in Secrets([secret]).scrub(text)


@given(st.lists(secrets, min_size=1, max_size=5), st.data())
def test_of_many_secrets_none_survives(values: list[str], data: st.DataObject) -> None:
    parts = data.draw(st.lists(st.sampled_from(values) | surroundings, max_size=8))
    scrubbed = Secrets(values).scrub(" ".join(parts))
    assert [value for value in values if value in scrubbed] == []


def test_a_secret_that_begins_another_does_not_save_its_rest() -> None:
    assert Secrets(["password", "password-of-production"]).scrub("is password-of-production") == f"is {MASK}"


@given(secrets, yaml_data, surroundings)
def test_keys_and_values_of_any_depth_are_scrubbed(secret: str, other: Any, around: str) -> None:
    nested = {"list": [other, {f"{around}{secret}": (secret, {"key": f"{secret}{around}"})}]}
    assert secret not in "".join(_texts(Secrets([secret]).scrub_value(nested)))


def _texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for pair in value.items() for item in pair for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return [value] if isinstance(value, str) else []


@given(yaml_data)
def test_a_value_without_secrets_stays_equal(value: Any) -> None:
    assert Secrets().scrub_value(value) == value


@pytest.mark.parametrize("value", [None, "", "ci", "1234567", "default"])
def test_short_values_are_no_secrets(value: str | None) -> None:
    known = Secrets()
    known.add(value)
    assert known.scrub("default/ci 1234567") == "default/ci 1234567"


def test_eight_characters_are_a_secret() -> None:
    assert Secrets(["12345678"]).scrub("12345678 1234567") == f"{MASK} 1234567"


def test_a_secret_that_comes_later_is_known_from_then_on() -> None:
    known = Secrets(["first-secret"])
    assert known.scrub("first-secret second-secret") == f"{MASK} second-secret"
    known.add("second-secret")
    assert known.scrub("first-secret second-secret") == f"{MASK} {MASK}"


def test_a_shown_registry_shows_nothing() -> None:
    assert "hunter2hunter2" not in f"{Secrets(['hunter2hunter2'])!r} {Secrets(['hunter2hunter2'])}"


def _basic(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


UNKNOWN = {
    "token": (token(account_claims()), MASK),
    "token in a sentence": (f"got {token(account_claims())}, thanks", f"got {MASK}, thanks"),
    "token in JSON": (json.dumps({"token": token({"sub": "x"})}), json.dumps({"token": MASK})),
    "bearer": ("Authorization: Bearer abc.DEF-123_~+/==", f"Authorization: Bearer {MASK}"),
    "bearer in small letters": ("authorization: bearer\t abcdefgh", f"authorization: bearer {MASK}"),
    "basic": ("Proxy-Authorization: Basic dXNlcjpwYXNz", f"Proxy-Authorization: Basic {MASK}"),
    "basic in small letters": ("basic   dXNlcjpwYXNz", f"basic {MASK}"),
    "basic without a user": (f"Basic {_basic(':hunter2hunter2')}", f"Basic {MASK}"),
    "basic with any letters": (f"Basic {_basic('jörg:pässwörd')}, thanks", f"Basic {MASK}, thanks"),
    "basic with bytes": (f"Basic {base64.b64encode(b'user:' + bytes(range(128, 256))).decode()}", f"Basic {MASK}"),
    "bearer token": (f"Bearer {token(account_claims())}", f"Bearer {MASK}"),
}


@pytest.mark.parametrize(("text", "expected"), UNKNOWN.values(), ids=UNKNOWN)
def test_what_looks_like_a_credential_needs_no_registration(text: str, expected: str) -> None:
    assert Secrets().scrub(text) == expected


@given(
    st.text(st.characters(exclude_categories=["Cs", "Cc"], exclude_characters=":"), max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), min_size=6),
    st.integers(0),
    st.sampled_from([base64.b64encode, base64.urlsafe_b64encode]),
)
def test_no_basic_credential_survives_even_cut_off(
    user: str, password: str, cut: int, encode: Callable[[bytes], bytes]
) -> None:
    encoded = encode(f"{user}:{password}".encode()).decode()
    # cut off before its colon it holds no password, and shorter ones are no credentials
    secret_from = 4 * -(-(len(user.encode()) + 1) // 3)
    written = encoded[: max(secret_from, 8, cut % (len(encoded) + 1))]
    assert Secrets().scrub(f"Authorization: Basic {written}") == f"Authorization: Basic {MASK}"


def test_what_cannot_be_printed_is_replaced() -> None:
    assert Secrets(["hunter2\ud800hunter2"]).scrub("a\udc80b hunter2\ud800hunter2") == f"a?b {MASK}"
    assert Secrets().scrub_value({"\ud800": ["\udfff", 5]}) == {"?": ["?", 5]}


@pytest.mark.parametrize("kind", ["", "RSA ", "EC ", "ENCRYPTED ", "OPENSSH "])
@pytest.mark.parametrize("line_end", ["\n", "\\n", "\r\n"])
@pytest.mark.parametrize("is_cut_off", [False, True])
def test_a_private_key_needs_no_registration(kind: str, line_end: str, is_cut_off: bool) -> None:
    # put together here, so that this file does not look as if it held one
    begin, end = (f"-----{word} {kind}{'PRIVATE KEY'}-----" for word in ("BEGIN", "END"))
    key = line_end.join([begin, "c2VjcmV0", "bWF0dGVy", *([] if is_cut_off else [end])])
    after = "" if is_cut_off else " after"
    assert Secrets().scrub(f"before {key}{after}") == f"before {MASK}{after}"


def test_between_two_private_keys_nothing_is_lost() -> None:
    key = f"-----BEGIN {'PRIVATE KEY'}-----\nc2VjcmV0\n-----END {'PRIVATE KEY'}-----"
    assert Secrets().scrub(f"{key} and {key}") == f"{MASK} and {MASK}"


ORDINARY = [
    "7 of 10 done; failed: ci/deployer: cannot create serviceaccounts/token ci/deployer",
    "https://kubernetes.default.svc.cluster.local:6443/api/v1/namespaces?limit=500",
    "system:serviceaccount:ci:deployer",
    "9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10",
    "a3f1e9c07d2b4f6688aa55cc33ee11ff00112233445566778899aabbccddeeff",
    "apps/v1 deployments.apps/scale eyJ eyJhbGciOi eyJhbGciOi.only",
    "the bearer of this is a user, the basics are here",
    "the server wants basic authentication, not Basic credentials",
    "basic configuration, basic information, basic requirements, basic-auth, Basic kubernetes.io/something",
    "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----",
    "-----BEGIN PUBLIC KEY-----\nMIIB\n-----END PUBLIC KEY-----",
    "Grüße, 世界",
    "",
]


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text_is_not_mangled(text: str) -> None:
    assert Secrets(["correct horse battery staple", "s3cr3t-t0k3n"]).scrub(text) == text


@given(any_text)
def test_text_without_a_secret_is_not_mangled(text: str) -> None:
    # hypothesis does not guess twelve characters
    assert Secrets(["s3cr3t-t0k3n"]).scrub(text) == text


@given(secrets, surroundings)
def test_scrubbing_twice_is_scrubbing_once(secret: str, around: str) -> None:
    known = Secrets([secret])
    once = known.scrub(f"{around}{secret}{around} Bearer abcdefgh")
    assert known.scrub(once) == once
