# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Presets: their data, what a list comes to that names them, what is said about mistakes."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from tools.presets import DOCUMENT, END, START, is_for_accounts, presets, written

from ansible_collections.tokenwright.kubernetes.plugins.action.account_items import account_items
from ansible_collections.tokenwright.kubernetes.plugins.filter.account_summary import account_summary
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._accounts import presets_in, read_accounts
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._findings import RISKS
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._presets import entry_with

PRESETS = presets()
FOR_ACCOUNTS = [name for name, preset in PRESETS.items() if is_for_accounts(preset)]
FOR_ENTRIES = [name for name in PRESETS if name not in FOR_ACCOUNTS]

Item = dict[str, Any]

# whose word it is that a tool needs something
OF_THE_TOOL = {
    "aks_workload_identity": ("github.com/Azure/azure-workload-identity/",),
    "argocd_cluster": ("argo-cd.readthedocs.io/", "github.com/argoproj/argo-cd/"),
    "awx_container_group": ("github.com/ansible/awx/", "github.com/ansible/receptor/"),
    "ci_deployer": ("kubernetes.io/docs/",),
    "eks_workload_identity": ("github.com/aws/amazon-eks-pod-identity-webhook/",),
    "external_secrets": ("external-secrets.io/",),
    "gitlab_agent": ("docs.gitlab.com/",),
    "gitlab_runner": ("docs.gitlab.com/",),
    "gke_workload_identity": ("docs.cloud.google.com/",),
    "jenkins": ("github.com/jenkinsci/kubernetes-plugin/", "github.com/jenkinsci/helm-charts/"),
    "prometheus": ("github.com/prometheus-operator/",),
    "read_only": ("kubernetes.io/docs/",),
    "vault_token_reviewer": ("developer.hashicorp.com/vault/",),
}

LOADED = """
import sys
from ansible_collections.tokenwright.kubernetes.plugins.action.account_items import account_items
account_items([{"name": "app", "namespace": "ci", "grants": [{"role": "r"}], **%s}])
print(sorted(name.rpartition(".")[2] for name in sys.modules if "preset" in name))
"""


def account(**options: Any) -> Item:
    return {"name": "app", "namespace": "ci", **options}


def told(preset: Item) -> Iterator[Item]:
    """Whatever of a preset has to say where it comes from."""
    for grant in preset.get("grants") or ():
        yield from grant.get("rules") or (grant,)
    if not is_for_accounts(preset):
        yield {"why": preset["description"], **preset}


# The data


@pytest.mark.parametrize("name", PRESETS)
def test_every_rule_says_why_and_where_the_tool_itself_says_so(name: str) -> None:
    found = list(told(PRESETS[name]))
    assert found
    for one in found:
        assert one["why"]
        assert one["source"].startswith(tuple(f"https://{source}" for source in OF_THE_TOOL[name])), one["source"]
        assert " " not in one["source"]


@pytest.mark.parametrize("name", PRESETS)
def test_all_placeholders_are_parameters_and_all_parameters_are_used(name: str) -> None:
    parameters = PRESETS[name].get("parameters") or {}
    used = {key: value for key, value in PRESETS[name].items() if key in ("grants", "access", "tokens", "volumes")}
    assert set(re.findall(r"<([a-z_]+)>", json.dumps(used))) == set(parameters)
    assert all(parameter["description"] for parameter in parameters.values())


@pytest.mark.parametrize("name", FOR_ACCOUNTS)
def test_a_preset_of_accounts_has_one_grant_a_table_and_known_risks(name: str) -> None:
    preset = PRESETS[name]
    assert len(preset["grants"]) == 1, "or each needs a name, and docs/presets.md a word about it"
    assert preset["access"]["can"]
    assert len(preset["access"]["cannot"]) > 4
    assert set(preset["risks"]) <= RISKS.keys()
    # what is not in the account's own namespace by chance has to be said
    assert all(" in " in text or "/" in text or "nodes" in text for text in preset["access"]["can"][:-1])
    assert not any("*" in word for rule in preset["grants"][0].get("rules") or () for word in json.dumps(rule).split())


@pytest.mark.parametrize("name", FOR_ENTRIES)
def test_a_preset_of_a_cloud_is_one_audience(name: str) -> None:
    preset = PRESETS[name]
    (audience,) = preset["tokens"]["audiences"]
    (source,) = preset["volumes"]["sources"]
    assert source["token"]["audience"] == audience


def test_the_document_tells_what_the_data_says() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert (text.count(START), text.count(END)) == (1, 1)
    assert written(text) == text, "python tests/tools/presets.py"


# What a list comes to


def test_grants_and_table_come_beside_the_own_ones_under_names_of_their_own() -> None:
    given = account(
        preset=[{"name": "ci_deployer", "namespace": "shop"}, "jenkins"],
        grants=[{"cluster_role": "view"}],
        access={"can": ["get configmaps"], "cannot": ["list nodes"]},
    )
    found = account_items([given])
    assert [grant["name"] for grant in found["bindings"]] == ["app", "ci:app:ci_deployer", "ci:app:jenkins"]
    assert [grant["namespace"] for grant in found["bindings"]] == ["ci", "shop", "ci"]
    assert all(grant["service_accounts"] == ["ci/app"] for grant in found["bindings"])
    for grant in found["bindings"][1:]:
        assert all(rule.keys() == {"verbs", "resources"} for rule in grant["rules"])
        assert "source" not in grant
    (table,) = found["access"]
    assert table["can"][:2] == ["get configmaps", "create configmaps in shop"]
    assert "watch events in ci" in table["can"]
    assert table["cannot"][:2] == ["list nodes", "delete deployments.apps in any namespace"]
    assert (table["service_account"], table["namespace"]) == ("app", "ci")


@pytest.mark.parametrize("name", FOR_ACCOUNTS)
def test_one_account_may_have_a_preset_alone(name: str) -> None:
    found = account_items([account(preset=_call(name))])
    preset = PRESETS[name]["access"]
    (table,) = found["access"]
    assert (len(table["can"]), len(table["cannot"])) == (len(preset["can"]), len(preset["cannot"]))
    assert "<" not in json.dumps({key: found[key] for key in ("bindings", "access")})
    assert found["presets"].keys() == {name}


def test_it_goes_with_its_account_and_what_it_says() -> None:
    gone = account_items([account(preset="jenkins", state="absent")])
    assert [grant["state"] for grant in gone["bindings"]] == ["absent"]
    assert gone["access"] == []
    ending = account_items([account(preset="jenkins", expires_at="2999-01-01T00:00:00Z")])
    assert [grant["expires_at"] for grant in ending["bindings"]] == ["2999-01-01T00:00:00Z"]


def test_the_same_preset_for_two_namespaces_and_for_accounts_of_the_same_name() -> None:
    twice = [{"name": "ci_deployer", "namespace": where} for where in ("shop", "blog")]
    found = account_items([account(preset=twice), account(namespace="cd", preset=twice[:1])])
    identities = [(grant["namespace"], grant["name"]) for grant in found["bindings"]]
    assert identities == [
        ("shop", "ci:app:ci_deployer"),
        ("blog", "ci:app:ci_deployer"),
        ("shop", "cd:app:ci_deployer"),
    ]


TABLES: list[tuple[str, Item, str, bool]] = [
    ("as it is", {}, "get secrets in any namespace", True),
    ("the account's own word", {"can": ["get secrets"]}, "get secrets in any namespace", False),
    ("as Ansible reads a text", {"can": "get pods, get secrets"}, "get secrets in any namespace", False),
    ("named ones are not all of them", {"can": ["get secrets named a"]}, "get secrets in any namespace", True),
    ("another verb", {"can": ["list secrets"]}, "get secrets in any namespace", True),
    ("one namespace is not all", {"can": ["list pods in ci"]}, "list pods in all namespaces", True),
    ("all are", {"can": ["list pods in all namespaces"]}, "list pods in all namespaces", False),
    ("everywhere is also somewhere", {"can": ["update pods in all namespaces"]}, "update pods in any namespace", False),
]


@pytest.mark.parametrize(("own", "refused", "stays"), [row[1:] for row in TABLES], ids=[row[0] for row in TABLES])
def test_what_is_to_be_allowed_is_not_refused_by_the_table_of_a_preset(own: Item, refused: str, stays: bool) -> None:
    (table,) = account_items([account(preset="awx_container_group", **({"access": own} if own else {}))])["access"]
    assert (refused in table["cannot"]) is stays


def test_what_one_preset_needs_is_not_refused_by_another() -> None:
    (table,) = account_items([account(preset=["external_secrets", "jenkins"])])["access"]
    assert "get secrets in ci" in table["can"]
    assert "get secrets in any namespace" not in table["cannot"]
    assert "get secrets in all namespaces" in table["cannot"]
    assert "create pods in any namespace" not in table["cannot"]


def test_a_preset_that_contradicts_itself_is_a_mistake() -> None:
    own = {"mine": {"grants": [{"role": "r"}], "access": {"can": ["get pods"], "cannot": ["get pods"]}}}
    with pytest.raises(InputError, match="'get pods in ci' is in can and in cannot"):
        account_items([account(preset="mine")], None, own)


def test_without_a_proof() -> None:
    found = account_items([account(preset={"name": "jenkins", "access": False})])
    assert (len(found["bindings"]), found["access"]) == (1, [])
    assert account_items([account(preset={"name": "jenkins", "access": "no"}, access={"can": ["get pods"]})])[
        "access"
    ] == [{"service_account": "app", "namespace": "ci", "can": ["get pods"]}]


def test_an_entry_that_refers_to_a_preset_has_what_it_does_not_say_itself() -> None:
    found = account_items(
        [
            account(
                tokens=[
                    {"preset": "eks_workload_identity", "dest": "/run/a"},
                    {"preset": "eks_workload_identity", "dest": "/run/b", "audiences": ["other"]},
                    {"preset": None, "dest": "/run/c"},
                    {"dest": "/run/d"},
                ],
                volumes=[
                    {"preset": {"name": "gke_workload_identity", "project": "p"}, "name": "web"},
                    {"preset": "aks_workload_identity", "name": "web", "mount_path": "/azure"},
                    {"name": "api"},
                ],
            )
        ]
    )
    assert [token.get("audiences") for token in found["tokens"]] == [["sts.amazonaws.com"], ["other"], None, None]
    assert [volume.get("volume_name") for volume in found["volumes"]] == ["gcp-ksa", "azure-identity-token", None]
    assert [volume.get("mount_path") for volume in found["volumes"]] == [
        "/var/run/secrets/tokens/gcp-ksa",
        "/azure",
        None,
    ]
    assert found["volumes"][0]["sources"][0]["token"]["audience"] == "p.svc.id.goog"
    assert found["bindings"] == found["access"] == []


def test_presets_of_ones_own_come_before_others_and_need_no_source() -> None:
    own = {
        "prometheus": {"grants": [{"cluster_role": "view"}]},
        "reader": {
            "parameters": {"what": None, "namespace": {"default": "<account_namespace>-x"}},
            "grants": [
                {"namespace": "<namespace>", "rules": [{"verbs": ["get"], "resources": ["<what>"]}]},
                {"name": "more", "namespace": "<namespace>", "role": "of-<account_name>", "why": "because"},
            ],
        },
        "unused": 5,
    }
    listed = [account(preset=["prometheus", {"name": "reader", "what": "pods"}])]
    found = account_items(listed, None, own)
    assert [{key: grant[key] for key in grant if key != "service_accounts"} for grant in found["bindings"]] == [
        {"name": "ci:app:prometheus", "namespace": "ci", "cluster_role": "view"},
        {"name": "ci:app:reader", "namespace": "ci-x", "rules": [{"verbs": ["get"], "resources": ["pods"]}]},
        {"name": "ci:app:reader:more", "namespace": "ci-x", "role": "of-app"},
    ]
    assert found["access"] == []
    assert found["presets"] == {key: own[key] for key in ("prometheus", "reader")}


def test_the_list_may_be_a_text() -> None:
    listed = [account(preset="jenkins"), account(name="b", tokens=[{"preset": "eks_workload_identity", "dest": "/b"}])]
    assert account_items(json.dumps(listed)) == account_items(listed)


def test_a_list_that_others_fill_in_reaches_no_further_with_a_preset() -> None:
    listed = [account(preset={"name": "ci_deployer", "namespace": "shop"})]
    assert account_items(listed, ["ci", "shop"])["bindings"]
    place = r"service_accounts_list\[0\]\.preset \(ci_deployer\)\.grants\[0\]: the namespace shop is not an allowed one"
    with pytest.raises(InputError, match=place):
        account_items(listed, ["ci"])
    with pytest.raises(InputError, match="a cluster-wide grant goes beyond the allowed namespaces"):
        account_items([account(preset="prometheus")], ["ci"])


def test_the_summary_knows_the_grants_of_a_preset() -> None:
    listed = [account(preset="jenkins")]
    found = account_items(listed)
    (binding,) = found["bindings"]
    created = [{"verb": "create"}]
    results = {"outcomes": [{**binding, "status": "changed", "changed": True, "actions": created, "binding": {}}]}
    lines = account_summary(listed, presets=found["presets"], bindings=results)
    assert "+ grant    ci:app:jenkins in ci" in lines


@pytest.mark.parametrize(
    ("more", "loaded"),
    [
        ({}, []),
        ({"tokens": [{"dest": "/srv/token"}]}, []),
        ({"preset": None}, []),
        ({"preset": "jenkins"}, ["_preset_files", "_presets"]),
        ({"tokens": [{"dest": "/a", "preset": "eks_workload_identity"}]}, ["_preset_files", "_presets"]),
    ],
)
def test_nothing_is_loaded_for_a_list_without_presets(more: Item, loaded: list[str]) -> None:
    program = f"import sys; sys.path[:] = {sys.path}\n{LOADED % more}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(loaded)


def test_only_what_is_named_is_read() -> None:
    assert presets_in(
        [account(preset=["a", {"name": "b"}], tokens=[{"preset": "c"}, {}], volumes=[{"preset": None}])]
    ) == {*("a", "b", "c")}
    odds: list[object] = [None, "text", 5, {}, [5, None, {"preset": None, "tokens": 5}], [{"tokens": [5]}]]
    for odd in odds:
        assert presets_in(odd) == set()
    assert account_items([account()])["presets"] == {}


# Mistakes


KNOWN = f"known are {', '.join(sorted(PRESETS))}"
FORM = "write the name of a preset, or {name: PRESET, ...} with its parameters"
MISTAKES: list[tuple[Any, str]] = [
    ("jenkin", f": there is no preset jenkin: did you mean jenkins? ({KNOWN})"),
    ("nothing-like-it", f": there is no preset nothing-like-it: {KNOWN}"),
    ("../jenkins", f": there is no preset ../jenkins: did you mean jenkins? ({KNOWN})"),
    (5, f" is a number: {FORM}"),
    ({}, f": the name of the preset is missing: {FORM}"),
    ({"nam": "jenkins"}, f": the name of the preset is missing: {FORM}"),
    (["jenkins", None], f"[1] is empty: {FORM}"),
    (
        "ci_deployer",
        " (ci_deployer): namespace is missing (the namespace that it deploys to): "
        "write {name: ci_deployer, namespace: ...}",
    ),
    (
        {"name": "ci_deployer", "namespace": None},
        " (ci_deployer): namespace is missing (the namespace that it deploys to): "
        "write {name: ci_deployer, namespace: ...}",
    ),
    (
        {"name": "ci_deployer", "namspace": "shop"},
        " (ci_deployer): namspace is unknown here: did you mean namespace?",
    ),
    ({"name": "prometheus", "namespace": "a"}, " (prometheus): namespace is unknown here: it has no parameters"),
    (
        {"name": "ci_deployer", "namespace": ["shop"]},
        " (ci_deployer): namespace is a list, not a text: give a single value",
    ),
    (
        {"name": "ci_deployer", "namespace": "Shop"},
        " (ci_deployer).namespace: 'Shop' is not a valid namespace name: use lower-case letters, digits and '-', "
        "a letter or digit at both ends, at most 63 characters",
    ),
    (
        {"name": "jenkins", "access": "maybe"},
        ".access is 'maybe': true proves what the preset may and may not do, false does not",
    ),
    (
        "eks_workload_identity",
        " (eks_workload_identity) grants an account nothing: name it at an entry of its tokens or volumes",
    ),
    (
        ["jenkins", "jenkins"],
        "[1] (jenkins).grants[0]: the grant ci/ci:app:jenkins is at "
        "service_accounts_list[0].preset[0] (jenkins).grants[0] already: name the preset once",
    ),
]


@pytest.mark.parametrize(("given", "message"), MISTAKES, ids=[str(row[0]) for row in MISTAKES])
def test_a_mistake_is_one_sentence_with_its_place(given: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        account_items([account(preset=given)])
    assert str(caught.value) == f"service_accounts_list[0].preset{message}"


OWN_MISTAKES: list[tuple[Any, str]] = [
    (["mine"], "service_accounts_presets is a list, not a mapping: write NAME: {grants: ...}"),
    ({"mine": 5}, "service_accounts_presets.mine is a number, not a mapping: write key: value pairs"),
    (
        {"mine": None},
        "service_accounts_list[0].preset (mine) grants an account nothing: give service_accounts_presets.mine grants",
    ),
    ({"mine": {"grant": []}}, "service_accounts_presets.mine: grant is unknown here: did you mean grants?"),
    (
        {"mine": {"grants": 5}},
        "service_accounts_presets.mine.grants is a number, not a list: begin every entry with a dash",
    ),
    (
        {"mine": {"grants": [{"role": "<wat>"}]}},
        "service_accounts_presets.mine: <wat> is no parameter of it: known are account_name, account_namespace",
    ),
    (
        {"mine": {"grants": [{"cluster_rol": "view"}]}},
        "service_accounts_list[0].preset (mine).grants[0]: cluster_rol is unknown here: did you mean cluster_role?",
    ),
    (
        {"mine": {"grants": [{"rules": [{"verbs": ["get"], "resources": ["pods/"]}]}]}},
        "service_accounts_list[0].preset (mine).grants[0]: rules[0].resources",
    ),
    (
        {"mine": {"grants": [{"role": "r"}], "access": {"can": ["get"]}}},
        "service_accounts_list[0].preset (mine).access.can[0]: 'get' is not verb and resource",
    ),
    (
        {"mine": {"grants": [{"role": "r"}], "parameters": {"a": {"defalt": "b"}}}},
        "service_accounts_presets.mine.parameters.a: defalt is unknown here: did you mean default?",
    ),
]


@pytest.mark.parametrize(("own", "message"), OWN_MISTAKES, ids=[str(row[0]) for row in OWN_MISTAKES])
def test_so_is_one_in_a_preset_of_ones_own(own: Any, message: str) -> None:
    with pytest.raises(InputError) as caught:
        account_items([account(preset="mine")], None, own)
    assert str(caught.value).startswith(message), caught.value


def test_a_preset_is_named_where_it_is_of_use() -> None:
    token = "service_accounts_list[0].tokens[0].preset"
    for preset, message in (
        ("jenkins", f"{token} (jenkins) has nothing for tokens: name it at the account"),
        ("gke_workload_identity", f"{token} (gke_workload_identity): project is missing"),
        ("eks", f"{token}: there is no preset eks: "),
    ):
        with pytest.raises(InputError, match=f"^{re.escape(message)}"):
            account_items([account(tokens=[{"dest": "/a", "preset": preset}])])
    with pytest.raises(InputError, match=r"legacy_tokens\[0\]: preset is unknown here"):
        account_items([account(legacy_tokens=[{"name": "a", "preset": "jenkins"}])])


def test_who_knows_no_presets_says_so() -> None:
    with pytest.raises(InputError, match="there is no preset jenkins: known are none"):
        read_accounts([account(preset="jenkins")])
    assert entry_with({"preset": None, "dest": "/a"}, "tokens", "x", {}, account()) == {"dest": "/a"}


def _call(name: str) -> Item:
    values = {"namespace": "shop", "account": "target", "project": "p"}
    return {"name": name, **{key: values[key] for key in PRESETS[name].get("parameters") or ()}}


def test_what_the_role_says_of_presets_is_so() -> None:
    text = (DOCUMENT.parent.parent / "roles/service_accounts/README.md").read_text("utf-8").partition("## Presets")[2]
    block, shown = re.findall(r"^```\w+\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[:2]
    found = account_items(yaml.safe_load(block)["service_accounts_list"])
    grant = next(grant for grant in found["bindings"] if grant["name"].startswith("ci:"))
    table = next(table for table in found["access"] if table["namespace"] == "ci")
    assert f"grant    {grant['name']} in {grant['namespace']}\n" in shown
    assert f"proven: {len(table['can'])} allowed, {len(table['cannot'])} refused\n" in shown
