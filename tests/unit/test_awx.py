# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a credential of AWX is to hold, and surveys with other defaults."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.tokenwright.kubernetes.plugins.filter.awx_survey import awx_survey
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._awx_credential import DesiredCredential
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError

PEM = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"
CLUSTER = {"host": "https://one:6443", "ca_cert": PEM}
TOKEN = {"namespace": "ci", "service_account": "app", "expires_at": "2026-11-23T15:00:47Z", "sha256": "ab12"}


def test_what_is_left_open_comes_from_the_connection_and_what_is_given_wins() -> None:
    assert DesiredCredential("a").at(CLUSTER).inputs() == {
        "host": "https://one:6443",
        "verify_ssl": True,
        "ssl_ca_cert": f"{PEM}\n",
    }
    given = DesiredCredential("a", host="https://two", ca_cert=f"\n{PEM}BBBB").at(CLUSTER).inputs()
    assert (given["host"], given["ssl_ca_cert"]) == ("https://two", f"{PEM}BBBB\n")


def test_without_an_authority_it_is_refused_unless_nothing_is_to_be_verified() -> None:
    with pytest.raises(InputError, match="AWX switches verification off"):
        DesiredCredential("a").at({**CLUSTER, "ca_cert": None})
    unverified = DesiredCredential("a", verify_ssl=False).at({**CLUSTER, "ca_cert": None})
    assert unverified.inputs() == {"host": "https://one:6443", "verify_ssl": False}
    assert "whoever stands between them takes the token" in unverified.warnings()[0]
    assert DesiredCredential("a").warnings() == []


def test_the_description_tells_tokens_and_authorities_apart_but_not_line_ends() -> None:
    def described(token: dict[str, Any], authority: str = PEM, words: str = "") -> str:
        return DesiredCredential("a", words).at({**CLUSTER, "ca_cert": authority}).remembering(token)

    first = described(TOKEN)
    assert first.startswith("[token of ci/app until 2026-11-23T15:00:47Z, sha256:ab12, ca:")
    assert described(TOKEN, f"{PEM}\n") == first
    assert described(TOKEN, words="Staging") == f"Staging {first}"
    others = {described({**TOKEN, "sha256": "cd"}), described(TOKEN, f"{PEM}BBBB"), described(TOKEN, words="x")}
    assert len(others - {first}) == 3
    unknown = described({**TOKEN, "sha256": None, "expires_at": None})
    assert unknown.startswith("[token of ci/app until later, sha256:unknown")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "awx_credential_name is empty"),
        ({"host": "http://one"}, "is no https:// address"),
        ({"host": "https://[one"}, "is no https:// address"),
        ({"host": "https://u:p@one"}, "holds a user or a password"),
        ({"ca_cert": "ca.crt"}, "is no certificate in PEM form"),
        ({"ca_cert": f"{PEM}\n-----BEGIN RSA PRIVATE KEY-----"}, "holds a private key"),
    ],
)
def test_what_cannot_be_right_is_said(given: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError, match=said) as refused:
        DesiredCredential(**{"name": "a", **given})
    assert "u:p" not in str(refused.value)


def question(variable: str, kind: str, choices: object = "") -> dict[str, Any]:
    return {"variable": variable, "type": kind, "default": "", "choices": choices}


SURVEY = {
    "name": "a",
    "description": "b",
    "spec": [
        question("text", "text"),
        question("list", "textarea"),
        question("many", "multiselect", ["a", "b", "c"]),
        question("flag", "multiplechoice", ["false", "true"]),
        question("number", "integer"),
    ],
}


def test_defaults_get_the_form_in_which_awx_keeps_them() -> None:
    given = {"text": "t", "list": [{"name": "x"}], "many": ["a", "c"], "flag": True, "number": "4", "other": 1}
    changed = awx_survey(SURVEY, given)
    assert {key: changed[key] for key in ("name", "description")} == {"name": "a", "description": "b"}
    defaults = {one["variable"]: one["default"] for one in changed["spec"]}
    assert defaults == {"text": "t", "list": '[{"name": "x"}]', "many": "a\nc", "flag": "true", "number": 4}
    assert awx_survey(SURVEY) == SURVEY


@pytest.mark.parametrize("without", [["text", "many"], "text many", "text,many", "text\nmany"])
def test_questions_are_left_out(without: Any) -> None:
    assert [one["variable"] for one in awx_survey(SURVEY, {}, without)["spec"]] == ["list", "flag", "number"]


@pytest.mark.parametrize("given", [{"flag": "perhaps"}, {"many": ["a", "d"]}])
def test_a_default_that_is_no_choice_is_refused(given: dict[str, Any]) -> None:
    with pytest.raises(AnsibleFilterError, match=r"awx_survey_defaults: .* cannot be"):
        awx_survey(SURVEY, given)
