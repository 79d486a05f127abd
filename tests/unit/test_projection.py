# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Typed sources as the API spells them, and what is refused of them; the filter that makes a volume of them."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from differential.projections import Case, Projections
from faults.odd import yaml_data
from hypothesis import given

from ansible_collections.tokenwright.kubernetes.plugins.filter.projected_volume import FilterModule, projected_volume
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._projection import (
    dropped,
    is_certain,
    stored,
    volume,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._projection_rules import (
    STRICTER,
    checked_volume,
    refusals,
)

Source = dict[str, Any]

FIELD = {"path": "f", "field_ref": {"field_path": "metadata.name"}}
CERTIFICATE = {"signer_name": "example.com/s", "key_type": "ED25519", "credential_bundle_path": "c"}


def one(source: Source) -> Source:
    """A source as the API spells it."""
    (made,) = checked_volume("v", [source])["projected"]["sources"]
    return dict(made)


SPELLINGS: list[tuple[Source, Source]] = [
    ({"token": {}}, {"serviceAccountToken": {"path": "token", "expirationSeconds": 3600}}),
    (
        {"token": {"path": "t", "audience": "vault", "expiration_seconds": "10m"}},
        {"serviceAccountToken": {"path": "t", "audience": "vault", "expirationSeconds": 600}},
    ),
    ({"config_map": {"name": "c", "optional": False}}, {"configMap": {"name": "c", "optional": False}}),
    (
        {"secret": {"name": "s", "items": [{"key": "k", "path": "p", "mode": "0400"}]}},
        {"secret": {"name": "s", "items": [{"key": "k", "path": "p", "mode": 256}]}},
    ),
    (
        {"downward_api": {"items": [FIELD]}},
        {"downwardAPI": {"items": [{"path": "f", "fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.name"}}]}},
    ),
    (
        {"cluster_trust_bundle": {"signer_name": "example.com/s", "label_selector": {}, "path": "ca"}},
        {"clusterTrustBundle": {"signerName": "example.com/s", "labelSelector": {}, "path": "ca"}},
    ),
    (
        {"pod_certificate": {**CERTIFICATE, "max_expiration_seconds": "8h", "user_annotations": {"a.b/c": 1}}},
        {
            "podCertificate": {
                "signerName": "example.com/s",
                "keyType": "ED25519",
                "maxExpirationSeconds": 28800,
                "credentialBundlePath": "c",
                "userAnnotations": {"a.b/c": "1"},
            }
        },
    ),
    ({"raw": {"newer": {"field": 1}}}, {"newer": {"field": 1}}),
    (
        {"raw": {"serviceAccountToken": {"path": "t", "audience": ""}}},
        {"serviceAccountToken": {"path": "t", "expirationSeconds": 3600}},
    ),
]


@pytest.mark.parametrize(("given_source", "expected"), SPELLINGS)
def test_a_source_as_the_api_server_stores_it(given_source: Source, expected: Source) -> None:
    assert one(given_source) == expected


def test_the_order_is_kept_and_nothing_given_is_what_kubernetes_mounts_itself() -> None:
    sources = [{"token": {"path": name, "audience": name}} for name in ("b", "a", "c")]
    made = volume("v", sources)["projected"]["sources"]
    assert [source["serviceAccountToken"]["audience"] for source in made] == ["b", "a", "c"]
    standard = checked_volume("v", None)["projected"]
    assert standard["defaultMode"] == 0o644
    assert [next(iter(source)) for source in standard["sources"]] == ["serviceAccountToken", "configMap", "downwardAPI"]


@pytest.mark.parametrize(("mode", "number"), [("0440", 288), (288, 288), ("440", 288), (0, 0), (" 0644 ", 420)])
def test_a_mode_is_octal_digits_or_a_number(mode: object, number: int) -> None:
    assert volume("v", None, mode)["projected"]["defaultMode"] == number


@pytest.mark.parametrize("mode", [440, 400, 644, -1, True, "0999", "rw", "", 0o1000, 1.5])
def test_what_is_no_mode_or_was_not_quoted_is_a_mistake(mode: object) -> None:
    with pytest.raises(InputError, match=r"default_mode: .* is no mode of a file"):
        volume("v", None, mode)


MISTAKES: list[tuple[Source, str, str]] = [
    ({}, "sources[0] projects nothing", "give one of token, config_map"),
    ({"token": {}, "secret": {"name": "a"}}, "sources[0] has token, secret", "give one of"),
    ({"raw": {}}, "sources[0].raw projects nothing", "as the API spells it"),
    ({"raw": {"a": 1, "b": 2}}, "sources[0].raw has a, b", "as the API spells it"),
    ({"token": {"expiration_seconds": 599}}, "sources[0].token.expiration_seconds is 599", "600 or more"),
    ({"token": {"expiration_seconds": "soon"}}, "sources[0].token.expiration_seconds: 'soon'", "10m|30m"),
    ({"token": {"path": ""}}, "sources[0].token.path is missing", "which file"),
    (
        {"token": {"path": ".."}},
        "sources[0].token.path is '..', which leads out of the volume or begins with two dots: leave",
        "dots",
    ),
    ({"token": {"path": "./."}}, "sources[0].token.path is './.', which is the volume itself", "a file in it"),
    ({"token": {"path": "a/" + "ä" * 128}}, "path has a file name of 256 bytes, and none is longer than 255", "short"),
    (
        {"secret": {"name": "s", "items": [{"key": "k", "path": "a" * 256 + "/b"}]}},
        "sources[0].secret.items[0].path has a file name of 256 bytes",
        "shorten",
    ),
    ({"token": {"path": "/a"}}, "sources[0].token.path is the absolute path /a", "relative"),
    ({"config_map": {}}, "sources[0].config_map.name is missing", "name the object"),
    ({"secret": {"name": "Bad_Name"}}, "'Bad_Name' can be the name of nothing", "correct it"),
    ({"secret": {"name": "a", "items": [{"path": "p"}]}}, "sources[0].secret.items[0].key is missing", "which key"),
    ({"secret": {"name": "a", "items": [{"key": "k", "path": "p", "mode": "x"}]}}, "no mode of a file", '"0440"'),
    ({"downward_api": {}}, "sources[0].downward_api.items is missing", "which fields"),
    (
        {"downward_api": {"items": [{"path": "f", "field_ref": {"field_path": "spec.nodeName"}}]}},
        "sources[0].downward_api.items[0].field_ref.field_path is spec.nodeName",
        "metadata.name",
    ),
    ({"downward_api": {"items": [{"path": "f"}]}}, "refers to nothing", "field_ref"),
    ({"cluster_trust_bundle": {"path": "a"}}, "names neither a bundle nor a signer", "signer_name"),
    ({"cluster_trust_bundle": {"path": "a", "name": "A"}}, "'A' is not the name of a bundle", "kubectl get"),
    ({"pod_certificate": {**CERTIFICATE, "signer_name": "s"}}, "'s' is not the name of a signer", "example.com/"),
    ({"pod_certificate": {"signer_name": "a.b/c", "key_type": "ED25519"}}, "is written nowhere", "credential_bundle"),
    ({"raw": {"serviceAccountToken": {"path": 5}}}, "sources[0].raw.serviceAccountToken.path is not a text", "a text"),
    ({"raw": {"secret": "x"}}, "sources[0].raw.secret is not a mapping", "key: value"),
    ({"raw": {"secret": {"name": "x", "optional": "yes"}}}, "is not true or false", "true or false"),
]


@pytest.mark.parametrize(("source", "what", "fix"), MISTAKES)
def test_a_mistake_is_one_sentence_with_its_place(source: Source, what: str, fix: str) -> None:
    with pytest.raises(InputError) as caught:
        checked_volume("v", [source])
    assert what in str(caught.value)
    assert any(words in str(caught.value.hint) for words in fix.split("|"))


def test_an_empty_list_is_a_mistake_and_several_are_counted() -> None:
    with pytest.raises(InputError, match="sources is empty"):
        checked_volume("v", [])
    sources: list[Source] = [{"token": {}}, {"secret": {}}, {"config_map": {}}]
    with pytest.raises(InputError, match=r"sources\[1\].*and 1 more mistakes"):
        checked_volume("v", sources)


def test_the_same_file_twice_is_refused_unless_one_is_a_token() -> None:
    items = {"name": "a", "items": [{"key": "k", "path": "p"}]}
    with pytest.raises(InputError, match=r"sources\[1\].config_map writes the file p"):
        checked_volume("v", [{"secret": items}, {"config_map": items}])
    assert checked_volume("v", [{"token": {"path": "p"}}, {"secret": items}])


def test_what_is_stored_stays_as_it_is_and_is_refused_for_the_same_reasons() -> None:
    """The generator has its own way to spell a case, which the server's answers were compared with."""
    taken = 0
    for case in Projections(7).cases(300):
        api = stored(case.api["projected"])
        assert stored(api) == api
        made, said = outcome(case)
        assert made == api if made else refusals(api["sources"]) or "no mode of a file" in said
        taken += bool(made)
    assert 60 < taken < 240


def outcome(case: Case) -> tuple[Source | None, str]:
    """What is made of a case, or why nothing is."""
    try:
        return checked_volume("v", case.sources, case.default_mode)["projected"], ""
    except InputError as error:
        return None, str(error)


LOST: list[tuple[Any, Any, str | None]] = [
    ([{"a": {"b": 1}}], [{"a": {"b": 2, "c": 3}}], None),
    ([{"a": {}}, {"b": {}}], [{"a": {}}], "sources[1]"),
    ([{"a": {}}], [{}], "sources[0].a"),
    ([{"a": {"b": [{"c": 1}, {"d": 1}]}}], [{"a": {"b": [{"c": 1}, {"e": 1}]}}], "sources[0].a.b[1].d"),
    ([{"a": {"b": False}}], [{"a": {"b": False}}], None),
    ([{"a": {"b": {"c": 1}}}], [{"a": {"b": 5}}], "sources[0].a.b.c"),
    ([], None, None),
]


@pytest.mark.parametrize(("wanted", "kept", "lost"), LOST)
def test_what_a_server_left_out_is_found(wanted: Any, kept: Any, lost: str | None) -> None:
    assert dropped(wanted, kept) == lost


@pytest.mark.parametrize(
    ("sources", "certain"),
    [
        (None, True),
        ([{"token": {}, "raw": None}], True),
        ([{"token": {}}, {"raw": {"secret": {"name": "a", "newer": 1}}}], False),
        ([{"cluster_trust_bundle": {}}], False),
        ([{"pod_certificate": {}}], False),
    ],
)
def test_what_a_server_may_not_know_is_known(sources: list[Source] | None, certain: bool) -> None:
    assert is_certain(sources) is certain


def test_a_quantity_may_be_a_number() -> None:
    resource = {"containerName": "a", "resource": "limits.cpu", "divisor": 1}
    (made,) = stored({"sources": [{"downwardAPI": {"items": [{"path": "p", "resourceFieldRef": resource}]}}]})[
        "sources"
    ]
    assert made["downwardAPI"]["items"][0]["resourceFieldRef"]["divisor"] == "1"


def test_our_own_rules_are_few_and_named() -> None:
    assert STRICTER == ("projects_nothing", "impossible_name", "odd_divisor", "long_file_name", "no_file")
    assert checked_volume("v", [{"token": {"path": "a/" + "ä" * 127 + "b"}}])


# The filter


def test_ansible_finds_the_filter_by_its_name() -> None:
    assert FilterModule().filters() == {"projected_volume": projected_volume}


def test_the_filter_makes_what_the_module_puts_in() -> None:
    sources = [{"service_account_token": {"audience": "vault"}}, {"config_map": {"name": "c", "optional": "yes"}}]
    same: list[Source] = [{"token": {"audience": "vault"}}, {"config_map": {"name": "c", "optional": True}}]
    assert projected_volume(sources, "vault") == checked_volume("vault", same)
    assert projected_volume(None) == checked_volume("sa-token", None)
    assert projected_volume(None, default_mode="0440")["projected"]["defaultMode"] == 0o440


@pytest.mark.parametrize(
    ("value", "name", "said"),
    [
        ([{"tokn": {}}], "v", "unsupported option: sources[0].tokn: did you mean token?"),
        ("token", "v", "sources is a text, not a list"),
        ([{"token": {"path": ["a"]}}], "v", "sources[0].token.path is a list, not a text"),
        ([{"token": {"expiration_seconds": 5}}], "v", "sources[0].token.expiration_seconds is 5"),
        ([{"token": {}}], "Bad", "name: 'Bad' is not a valid name of a volume"),
        ([{"config_map": {"name": "c", "optional": "perhaps"}}], "v", "optional"),
    ],
)
def test_the_filter_says_what_is_wrong(value: object, name: str, said: str) -> None:
    with pytest.raises(AnsibleFilterError) as caught:
        projected_volume(value, name)
    assert said in str(caught.value)


@given(yaml_data)
def test_whatever_is_given_the_filter_ends_in_a_volume_or_one_sentence(value: object) -> None:
    said = ""
    made: Source = {}
    try:
        made = projected_volume(value)
    except AnsibleFilterError as error:
        said = str(error)
    assert "\n" not in said
    assert bool(said) != bool(made)
    assert json.loads(json.dumps(made)) == made
