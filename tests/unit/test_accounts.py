# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of accounts: what it comes to, what is said about mistakes, and the summary."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import datetime, timezone
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.tokenwright.kubernetes.plugins.action.account_items import account_items
from ansible_collections.tokenwright.kubernetes.plugins.filter.account_summary import account_summary
from ansible_collections.tokenwright.kubernetes.plugins.module_utils import (
    _grant_desired,
    _service_account,
    _token_desired,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._accounts import items, read_accounts
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError

NOW = datetime(2026, 6, 1, tzinfo=timezone.utc)
PAST, FUTURE = "2026-05-31T00:00:00Z", "2999-01-01T00:00:00Z"

Item = dict[str, Any]

# what the knowledge of a module costs to load is only paid by lists that have items of it
LOADED = """
import sys
from ansible_collections.tokenwright.kubernetes.plugins.action.account_items import account_items
account_items([{"name": "app", "namespace": "ci", "grants": [{"role": "r"}], **%s}])
print(sorted(name.rpartition(".")[2] for name in sys.modules if name.endswith("_desired")))
"""


def account(**options: Any) -> Item:
    return {"name": "app", "namespace": "ci", **options}


def grant(**options: Any) -> Item:
    """What a grant of C(account()) that says nothing but these options comes to."""
    return {"name": "app", "namespace": "ci", "service_accounts": ["ci/app"], **options}


@pytest.mark.parametrize(
    ("more", "loaded"),
    [
        ({}, []),
        ({"access": {"can": ["get pods"]}}, ["_access_desired"]),
        ({"tokens": [{"dest": "/srv/token"}]}, ["_token_desired"]),
        ({"legacy_tokens": [{"name": "t"}]}, ["_legacy_desired"]),
        ({"volumes": [{"name": "w"}]}, ["_volume_desired"]),
    ],
)
def test_what_a_list_does_not_have_is_not_loaded(more: Item, loaded: list[str]) -> None:
    program = f"import sys; sys.path[:] = {sys.path}\n{LOADED % more}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(sorted(["_grant_desired", *loaded]))


GRANTS: list[tuple[str, Item, Item, Item]] = [
    ("the account fills everything in", {}, {"cluster_role": "view"}, grant(cluster_role="view")),
    ("a name of its own", {}, {"name": "x", "role": "r"}, grant(name="x", role="r")),
    ("another namespace", {}, {"namespace": "shop", "role": "r"}, grant(namespace="shop", role="r")),
    (
        "the whole cluster",
        {},
        {"cluster_wide": True, "cluster_role": "view"},
        {"name": "app", "service_accounts": ["ci/app"], "cluster_wide": True, "cluster_role": "view"},
    ),
    (
        "the whole cluster, said by a template",
        {},
        {"cluster_wide": "True", "cluster_role": "view"},
        {"name": "app", "service_accounts": ["ci/app"], "cluster_wide": "True", "cluster_role": "view"},
    ),
    ("not so", {}, {"cluster_wide": "False", "role": "r"}, grant(cluster_wide="False", role="r")),
    ("other accounts", {}, {"service_accounts": ["b"], "role": "r"}, grant(service_accounts=["b"], role="r")),
    (
        "other subjects",
        {},
        {"subjects": [{"kind": "Group", "name": "g"}], "role": "r"},
        {"name": "app", "namespace": "ci", "subjects": [{"kind": "Group", "name": "g"}], "role": "r"},
    ),
    ("nobody", {}, {"subjects": [], "role": "r"}, {"name": "app", "namespace": "ci", "subjects": [], "role": "r"}),
    ("null says nothing", {}, {"name": None, "state": None, "role": "r"}, grant(role="r")),
    ("it goes with its account", {"state": "absent"}, {"role": "r"}, grant(state="absent", role="r")),
    (
        "unless it says otherwise",
        {"state": "absent"},
        {"state": "present", "role": "r"},
        grant(state="present", role="r"),
    ),
    ("it ends with its account", {"expires_at": FUTURE}, {"role": "r"}, grant(expires_at=FUTURE, role="r")),
    ("or when it says", {"expires_at": FUTURE}, {"expires_at": PAST, "role": "r"}, grant(expires_at=PAST, role="r")),
]


@pytest.mark.parametrize(("options", "given", "expected"), [row[1:] for row in GRANTS], ids=[row[0] for row in GRANTS])
def test_what_a_grant_leaves_open_comes_from_its_account(options: Item, given: Item, expected: Item) -> None:
    assert account_items([account(**options, grants=[given])])["bindings"] == [expected]


def test_a_token_is_one_of_its_account() -> None:
    given = account(tokens=[{"dest": "/run/a", "expiration_seconds": "1h"}, {"kubeconfig_dest": "/run/b"}])
    of_app = {"service_account": "app", "namespace": "ci", "state": "present"}
    assert account_items([given])["tokens"] == [
        {**of_app, "dest": "/run/a", "expiration_seconds": "1h"},
        {**of_app, "kubeconfig_dest": "/run/b"},
    ]


def test_a_long_lived_token_is_one_of_its_account() -> None:
    given = account(legacy_tokens=[{"name": "tok", "rotate_after": "30d"}, {"name": "two", "state": "suspended"}])
    of_app = {"service_account": "app", "namespace": "ci"}
    assert account_items([given])["legacy_tokens"] == [
        {**of_app, "state": "present", "name": "tok", "rotate_after": "30d"},
        {**of_app, "state": "suspended", "name": "two"},
    ]


def test_a_long_lived_token_goes_with_its_account_used_or_not() -> None:
    tokens = [{"name": "tok", "state": "absent", "unused_for": "90d"}]
    kept = account_items([account(legacy_tokens=tokens)])["legacy_tokens"]
    gone = account_items([account(state="absent", legacy_tokens=tokens)])["legacy_tokens"]
    assert [one.get("unused_for") for one in kept + gone] == ["90d", None]
    assert [one["state"] for one in gone] == ["absent"]


def test_a_volume_is_of_pods_that_run_under_its_account() -> None:
    volumes = [{"name": "web", "fs_group": 5}, {"name": "web", "volume_name": "vault", "mount_path": "/vault"}]
    of_app = {"service_account": "app", "namespace": "ci", "name": "web"}
    kept = account_items([account(volumes=volumes)])["volumes"]
    assert kept == [
        {**of_app, "state": "present", "fs_group": 5},
        {**of_app, "state": "present", "volume_name": "vault", "mount_path": "/vault"},
    ]
    gone = account_items([account(state="absent", volumes=volumes)])["volumes"]
    assert [one["state"] for one in gone] == ["absent", "absent"]


def test_all_a_token_can_be_may_be_said() -> None:
    token = {
        "bound_object_ref": {"kind": "Pod", "name": "app-0"},
        "renew_if_credential_id": None,
        "sinks": [
            {"type": "secret", "name": "a", "labels": {"a": "b"}, "connection": {"kubeconfig": "/run/other"}},
            {"type": "secret", "name": "b", "format": "argocd_cluster"},
        ],
    }
    found = account_items([account(tokens=[token, {"handle": "app", "state": "absent"}])])
    assert [item["state"] for item in found["tokens"]] == ["present", "absent"]


def test_an_account_is_what_is_left_without_grants_and_tokens() -> None:
    options = {"automount": False, "labels": {"a": "b"}, "create_namespace": True, "expires_at": FUTURE}
    given = account(**options, grants=[{"role": "r"}], tokens=[{"dest": "/run/a"}])
    assert account_items([given])["present"] == [account(**options)]


def test_what_is_to_be_proven_is_of_the_account() -> None:
    access = {"can": ["get pods", {"verb": "get", "url": "/a"}], "cannot": None}
    found = account_items([account(access=access), account(name="b"), account(name="c", access=None)])
    assert found["access"] == [{"service_account": "app", "namespace": "ci", "can": access["can"]}]
    assert "access" not in found["present"][0]


STATES: list[tuple[Item, bool]] = [
    ({}, True),
    ({"state": "present"}, True),
    ({"state": "absent"}, False),
    ({"expires_at": FUTURE}, True),
    ({"expires_at": PAST}, False),
    ({"expires_at": NOW}, False),
    ({"state": "absent", "expires_at": FUTURE}, False),
]


@pytest.mark.parametrize(("options", "wanted"), STATES)
def test_what_should_not_be_there_keeps_no_token(options: Item, wanted: bool) -> None:
    tokens = [{"dest": "/run/a"}, {"dest": "/run/b", "state": "present"}, {"dest": "/run/c", "state": None}]
    given = account(**options, grants=[{"role": "r"}], tokens=tokens, access={"can": ["get pods"]})
    found = items(read_accounts([given]), NOW)
    assert len(found["access"]) == wanted
    assert [item["state"] for item in found["tokens"]] == ["present" if wanted else "absent"] * 3
    assert bool(found["present"]) == wanted
    assert bool(found["absent"]) != wanted
    assert len(found["bindings"]) == 1


def test_the_order_is_that_of_the_list() -> None:
    names = ["c", "a", "b"]
    given = [account(name=name, grants=[{"name": f"{name}{n}", "role": "r"} for n in (2, 1)]) for name in names]
    assert [item["name"] for item in account_items(given)["present"]] == names
    assert [item["name"] for item in account_items(given)["bindings"]] == ["c2", "c1", "a2", "a1", "b2", "b1"]


def test_all_options_of_the_modules_are_known() -> None:
    grants = [dict.fromkeys(_grant_desired.ITEM_OPTIONS)]
    tokens = [dict.fromkeys(_token_desired.ITEM_OPTIONS.keys() - {"service_account", "namespace", "return_token"})]
    given = dict.fromkeys(_service_account.ITEM_OPTIONS) | account(grants=grants, tokens=tokens)
    assert len(read_accounts([given])) == 1


TEXTS = [
    json.dumps([account(expires_at=FUTURE)]),
    f"- name: app\n  namespace: ci\n  expires_at: {FUTURE}\n",
    f"---\n- {{name: app, namespace: ci, expires_at: '{FUTURE}'}}",
]


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_as_good_as_a_list(text: str) -> None:
    (item,) = account_items(text)["present"]
    assert (item["name"], item["namespace"]) == ("app", "ci")
    assert str(item["expires_at"])[:10] == FUTURE[:10]
    assert account_items(text)["absent"] == []


@pytest.mark.parametrize("empty", [[], "[]", "", None, "# nothing"])
def test_nothing_comes_to_nothing(empty: object) -> None:
    assert account_items(empty)["present"] == []


def secret(name: str = "copy", **more: Any) -> Item:
    return {"type": "secret", "name": name, **more}


def config(**more: Any) -> Item:
    return {"type": "kubeconfig", "path": "/run/k", **more}


FAR: Item = {"connection": {"host": "https://far.example.com", "api_key": "key"}}
INLINE: Item = {"connection": {"kubeconfig": {"kind": "Config", "clusters": [{"name": "far"}]}}}
ADDRESSES = ("https://k:6443", "https://l:6443")

L = "service_accounts_list"
MISTAKES: list[tuple[object, str]] = [
    # not where it belongs
    ({"name": "a"}, f"{L} is a mapping, not a list: begin every entry with a dash"),
    (5, f"{L} is a number, not a list: begin every entry with a dash"),
    ("hello", f"{L} is a text, not a list: begin every entry with a dash"),
    ("a: [b", f"{L} is a text that is neither JSON nor YAML (line 1): correct it, or give a list"),
    (["ci/app"], f"{L}[0] is a text, not a mapping: write key: value pairs"),
    ([None], f"{L}[0] is empty, not a mapping: write key: value pairs"),
    ([account(grants={"role": "r"})], f"{L}[0].grants is a mapping, not a list: begin every entry with a dash"),
    ([account(tokens=["/run/a"])], f"{L}[0].tokens[0] is a text, not a mapping: write key: value pairs"),
    (
        [account(grants=[{"rules": ["get pods"]}])],
        f"{L}[0].grants[0].rules[0] is a text, not a mapping: write key: value pairs",
    ),
    # unknown
    ([account(), account(automont=True)], f"{L}[1]: automont is unknown here: did you mean automount?"),
    ([account(access=["get pods"])], f"{L}[0].access is a list, not a mapping: write key: value pairs"),
    ([account(access={})], f"{L}[0].access says nothing: give can or cannot"),
    ([account(access={"can": None})], f"{L}[0].access says nothing: give can or cannot"),
    ([account(access={"cant": []})], f"{L}[0].access: cant is unknown here: did you mean can?"),
    ([account(access={"can": ["get"]})], f"{L}[0].access: can[0]: 'get' is not verb and resource: write VERB"),
    ([account(xyz=1)], f"{L}[0]: xyz is unknown here: known are access, annotations, automount, create"),
    ([account(volumes=1)], f"{L}[0].volumes is a number, not a list"),
    (
        [account(grants=[{"cluster_rol": "r"}])],
        f"{L}[0].grants[0]: cluster_rol is unknown here: did you mean cluster_role?",
    ),
    (
        [account(grants=[{"rules": [{"verbs": ["get"], "resource": ["pods"]}]}])],
        f"{L}[0].grants[0].rules[0]: resource is unknown here: did you mean resources?",
    ),
    (
        [account(tokens=[{"sinks": [{"type": "file", "Path": "/run/a"}]}])],
        f"{L}[0].tokens[0].sinks[0]: Path is unknown here: did you mean path?",
    ),
    (
        [account(tokens=[{"bound_object_ref": {"kynd": "Pod"}}])],
        f"{L}[0].tokens[0].bound_object_ref: kynd is unknown here: did you mean kind?",
    ),
    (
        [account(tokens=[{"bound_object_ref": ["Pod"]}])],
        f"{L}[0].tokens[0].bound_object_ref is a list, not a mapping: write key: value pairs",
    ),
    (
        [account(tokens=[{"sinks": [{"type": "secret", "connection": {"hots": "x"}}]}])],
        f"{L}[0].tokens[0].sinks[0].connection: hots is unknown here: did you mean host?",
    ),
    (
        [account(grants=[{"subjects": [{"xyz": 1}]}])],
        f"{L}[0].grants[0].subjects[0]: xyz is unknown here: known are kind, name, namespace",
    ),
    # not a token's
    (
        [account(tokens=[{"dest": "/run/a", "namespace": "ci"}])],
        f"{L}[0].tokens[0]: namespace is unknown here: it is the account's",
    ),
    (
        [account(legacy_tokens=[{"name": "a", "service_account": "b"}])],
        f"{L}[0].legacy_tokens[0]: service_account is unknown here: it is the account",
    ),
    (
        [account(legacy_tokens=[{"name": "a"}]), account(name="b", legacy_tokens=[{"name": "a"}])],
        f"{L}[1].legacy_tokens[0]: the legacy token ci/a is at {L}[0].legacy_tokens[0] already",
    ),
    # in one place
    *(
        (
            [account(tokens=[token]), account(name="b", legacy_tokens=[{"name": "tok", **long_lived}])],
            f"{L}: {place} is the place of 2 tokens ({L}[0].tokens[0], {L}[1].legacy_tokens[0]): give each a place of",
        )
        for token, long_lived, place in [
            ({"dest": "/run/a"}, {"sinks": [{"type": "file", "path": "/run/./a"}]}, "/run/a"),
            ({"sinks": [secret()]}, {"sinks": [secret()]}, "the Secret ci/copy"),
            ({"sinks": [secret(**FAR)]}, {"sinks": [secret(**FAR)]}, "the Secret ci/copy"),
            ({"sinks": [secret(**INLINE)]}, {"sinks": [secret(**INLINE)]}, "the Secret ci/copy"),
            ({"sinks": [config(user_name="u")]}, {"sinks": [config(user_name="u")]}, "/run/k (user u)"),
            (
                {"sinks": [config(user_name="u", context_name="c")]},
                {"sinks": [config(context_name="c")]},
                "/run/k (context c)",
            ),
            (
                {"sinks": [config(set_current=True)]},
                {"sinks": [config(set_current=True)]},
                "/run/k (current context)",
            ),
        ]
    ),
    (
        [account(tokens=[{"kubeconfig_dest": "/run/k"}], legacy_tokens=[{"name": "tok", "kubeconfig_dest": "/run/k"}])],
        f"{L}: /run/k (user ci/app@...) is the place of 2 tokens ({L}[0].tokens[0], {L}[0].legacy_tokens[0])",
    ),
    (
        [
            account(
                tokens=[{"sinks": [config(server=ADDRESSES[0])]}],
                legacy_tokens=[{"name": "tok", "sinks": [config(cluster_name="k:6443")]}],
            )
        ],
        f"{L}: /run/k (user ci/app@k:6443) is the place of 2 tokens ({L}[0].tokens[0], {L}[0].legacy_tokens[0])",
    ),
    (
        [account(tokens=[{"kubeconfig_dest": "/run/a"}], legacy_tokens=[{"name": "tok", "dest": "/run/a"}])],
        f"{L}: /run/a is a token file and a kubeconfig: give each its own path",
    ),
    (
        [account(tokens=[{"sinks": [secret("tok-2")]}]), account(name="b", legacy_tokens=[{"name": "tok"}])],
        f"{L}[0].tokens[0]: the Secret tok-2 of sinks is called like those of {L}[1].legacy_tokens[0]: choose another",
    ),
    (
        [account(volumes=[{"name": "a", "service_account": "b"}])],
        f"{L}[0].volumes[0]: service_account is unknown here: it is the account",
    ),
    (
        [account(volumes=[{"name": "a", "sources": [{"token": {"audiences": "x"}}]}])],
        f"{L}[0].volumes[0].sources[0].token: audiences is unknown here: did you mean audience?",
    ),
    (
        [account(volumes=[{"name": "a"}]), account(name="b", volumes=[{"name": "a", "volume_name": "sa-token"}])],
        f"{L}[1].volumes[0]: the volume Deployment ci/a sa-token is at {L}[0].volumes[0] already",
    ),
    (
        [account(tokens=[{"return_token": True}])],
        f"{L}[0].tokens[0]: return_token is unknown here: "
        "give the token a place (dest, kubeconfig_dest or sinks), or use the module k8s_sa_token",
    ),
    # missing, or there twice
    ([{"namespace": "ci"}], f"{L}[0]: name is missing: every account needs a name and a namespace"),
    ([account(namespace="")], f"{L}[0]: namespace is missing: every account needs a name and a namespace"),
    ([account(), account()], f"{L}[1]: the account ci/app is at {L}[0] already: put both into one entry"),
    (
        [account(grants=[{"role": "a"}, {"role": "b"}])],
        f"{L}[0].grants[1]: the grant ci/app is at {L}[0].grants[0] already: give one of them a name of its own",
    ),
    (
        [account(name=name, grants=[{"name": "g", "cluster_wide": True, "cluster_role": "r"}]) for name in ("a", "b")],
        f"{L}[1].grants[0]: the grant cluster-wide g is at {L}[0].grants[0] already: give one of them a name",
    ),
    # what the modules themselves would refuse
    ([account(name="App")], f"{L}[0]: name: 'App' is not a valid name: use lower-case letters"),
    ([account(automount="perhaps")], f"{L}[0]: argument 'automount' is of type"),
    ([account(expires_at="tomorrow")], f"{L}[0]: expires_at: tomorrow is not an RFC 3339 time: write it like"),
    ([account(state="gone")], f"{L}[0]: value of state must be one of: present, absent, got: gone"),
    ([account(grants=[{}])], f"{L}[0].grants[0]: ci/app: no role is given: say one of role, cluster_role, rules"),
    (
        [account(legacy_tokens=[{"rotate_after": "30d"}])],
        f"{L}[0].legacy_tokens[0]: name is ",
    ),
    (
        [account(legacy_tokens=[{"name": "a", "overlap": "soon"}])],
        f"{L}[0].legacy_tokens[0]: overlap: 'soon' is not a duration",
    ),
    ([account(volumes=[{}])], f"{L}[0].volumes[0]: name is missing"),
    ([account(volumes=[{"name": "a", "kind": "Job"}])], f"{L}[0].volumes[0]: kind: Kubernetes lets nobody change"),
    (
        [account(volumes=[{"name": "a"}]), account(name="b", volumes=[{"name": "a", "volume_name": "b"}])],
        "service_account: the volumes of Deployment ci/a do not agree",
    ),
    ([account(tokens=[{}])], f"{L}[0].tokens[0]: ci/app: nothing would keep the token: give a place"),
    (
        [account(tokens=[{"dest": "/run/a", "expiration_seconds": 5}])],
        f"{L}[0].tokens[0]: expiration_seconds: 5 is out of range: the API server takes 600",
    ),
]


APART: list[tuple[Item, Item]] = [
    ({"dest": "/run/a"}, {"dest": "/run/b"}),
    ({"sinks": [secret()]}, {"sinks": [secret(namespace="shop")]}),
    ({"sinks": [secret()]}, {"sinks": [secret(**FAR)]}),
    ({"sinks": [secret(**INLINE)]}, {"sinks": [secret(**FAR)]}),
    ({"sinks": [config(user_name="a", context_name="a")]}, {"sinks": [config(user_name="b", context_name="b")]}),
    ({"sinks": [config(server=ADDRESSES[0])]}, {"sinks": [config(server=ADDRESSES[1])]}),
    ({"sinks": [secret("tok", namespace="shop")]}, {}),
    ({"sinks": [secret("tok", **FAR)]}, {}),
    ({"sinks": [secret("tok-1")]}, {}),
    ({"kubeconfig_dest": "/run/k"}, {"sinks": [config(user_name="ci/app", context_name="ci/app")]}),
]


@pytest.mark.parametrize(("token", "long_lived"), APART)
def test_what_is_not_one_place_may_hold_both_kinds_of_tokens(token: Item, long_lived: Item) -> None:
    found = account_items([account(tokens=[token], legacy_tokens=[{"name": "tok", **long_lived}])])
    assert (len(found["tokens"]), len(found["legacy_tokens"])) == (1, 1)


def test_accounts_may_share_a_kubeconfig() -> None:
    place = {"kubeconfig_dest": "/run/k"}
    found = account_items([account(tokens=[place]), account(name="b", legacy_tokens=[{"name": "tok", **place}])])
    assert (len(found["tokens"]), len(found["legacy_tokens"])) == (1, 1)


@pytest.mark.parametrize(("given", "sentence"), MISTAKES)
def test_a_mistake_is_a_sentence_with_its_place(given: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        account_items(given)
    mistake = str(caught.value)
    assert mistake.startswith(sentence)
    assert "\n" not in mistake


# The summary


def outcome(*verbs: str, **returned: Any) -> Item:
    actions = [{"verb": verb, "kind": "X", "namespace": "ci", "name": "x", "reason": "because"} for verb in verbs]
    return {
        "name": "app",
        "namespace": "ci",
        "changed": bool(verbs),
        "status": "changed" if verbs else "ok",
        "reason": "because" if verbs else "up_to_date",
        "actions": actions,
        **returned,
    }


def result(*outcomes: Item, actions: tuple[Item, ...] = ()) -> Item:
    return {"outcomes": list(outcomes), "actions": list(actions)}


def token(reason: str = "up_to_date", changed: bool = False, until: str | None = FUTURE) -> Item:
    info = {"token_info": {"expires_at": until}} if until else {}
    sinks = [{"type": "file", "place": "/run/a", "changed": changed}]
    return {"service_account": "app", "namespace": "ci", "reason": reason, "sinks": sinks, **info}


SKIPPED = {"skipped": True, "changed": False}
ACCOUNT_LINES: list[tuple[Item, str]] = [
    (outcome(service_account={}), "  account  ci/app"),
    (outcome("create", service_account={}), "+ account  ci/app"),
    (outcome("create", "create", service_account={}), "+ account  ci/app"),
    (outcome("patch", service_account={}), "~ account  ci/app (because)"),
    (outcome("delete", "create", service_account={}), "~ account  ci/app (because)"),
    (outcome("delete", service_account=None), "- account  ci/app"),
    (outcome(service_account=None), "  account  ci/app (absent)"),
]


@pytest.mark.parametrize(("answer", "line"), ACCOUNT_LINES)
def test_the_mark_tells_what_happened(answer: Item, line: str) -> None:
    assert account_summary([account()], accounts=result(answer))[0] == line
    assert account_summary([account()], accounts=SKIPPED, removals=result(answer))[0] == line


GRANT_LINES: list[tuple[Item, Item, str]] = [
    ({"cluster_role": "view"}, outcome("create", binding={}), "+ grant    view in ci"),
    ({"rules": []}, outcome("update", binding={}), "~ grant    app in ci (because)"),
    ({"rules": [], "role_name": "r"}, outcome(binding={}), "  grant    r in ci"),
    ({"role": "r", "namespace": "shop"}, outcome("create", binding={}, namespace="shop"), "+ grant    r in shop"),
    (
        {"cluster_role": "view", "cluster_wide": True},
        outcome("create", binding={}, namespace=None),
        "+ grant    view in all namespaces",
    ),
    ({"role": "r", "state": "absent"}, outcome("delete", "delete", binding=None), "- grant    r in ci"),
    ({"role": "r", "state": "absent"}, outcome(binding=None), "  grant    r in ci (absent)"),
]


@pytest.mark.parametrize(("given", "answer", "line"), GRANT_LINES)
def test_a_grant_is_a_role_and_where_it_holds(given: Item, answer: Item, line: str) -> None:
    assert account_summary([account(grants=[given])], bindings=result(answer))[1] == line


TOKEN_LINES: list[tuple[Item, list[str]]] = [
    (token(), ["  token    /run/a", f"  expires  {FUTURE}"]),
    (token("missing", changed=True), ["+ token    /run/a", f"  expires  {FUTURE}"]),
    (token("expiring", changed=True), ["~ token    /run/a (expiring)", f"  expires  {FUTURE}"]),
    (token("missing", changed=True, until=None), ["+ token    /run/a", "  expires  not minted yet"]),
]


@pytest.mark.parametrize(("answer", "lines"), TOKEN_LINES)
def test_a_token_is_a_place_and_an_end(answer: Item, lines: list[str]) -> None:
    assert account_summary([account(tokens=[{"dest": "/run/a"}])], tokens=result(answer))[1:3] == lines


def revoked(*sinks: Item, secrets: int = 0, **fate: Any) -> Item:
    actions = [{"verb": "delete", "kind": "Secret", "namespace": "ci", "name": "x", "reason": "revoked"}] * secrets
    fate = {"revoked": None, "revoked_after_seconds": None, "valid_until": None, **fate}
    return {"service_account": "app", "namespace": "ci", "sinks": list(sinks), "actions": actions, **fate}


def place(changed: bool, kind: str = "file") -> Item:
    return {"type": kind, "place": "/run/a", "changed": changed}


REVOKED_LINES: list[tuple[str | None, Item, list[str]]] = [
    (None, revoked(place(False)), ["  token    /run/a (absent)"]),
    (None, revoked(place(True)), ["- token    /run/a"]),
    (
        None,
        revoked(place(True), revoked=False, valid_until=FUTURE),
        ["- token    /run/a", f"  lives    until {FUTURE}"],
    ),
    # in check mode nobody knows yet
    (None, revoked(place(True), valid_until=FUTURE), ["- token    /run/a", f"  lives    until {FUTURE}"]),
    ("h", revoked(place(True), secrets=1, valid_until=FUTURE), ["- token    /run/a", "- handle   h"]),
    ("h", revoked(secrets=2, revoked=True), ["- handle   h", "  revoked  yes"]),
    (
        "h",
        revoked(secrets=1, revoked=True, revoked_after_seconds=10.1),
        ["- handle   h", "  revoked  yes, refused after 10.1 s"],
    ),
    (
        "h",
        revoked(place(True), secrets=1, revoked=False, valid_until=FUTURE),
        ["- token    /run/a", "- handle   h", f"  lives    until {FUTURE}"],
    ),
    # the Secret that was deleted is the place, not the handle
    ("h", revoked(place(True, "secret"), secrets=1), ["- token    /run/a", "  handle   h (absent)"]),
    ("h", revoked(place(True, "secret"), secrets=2), ["- token    /run/a", "- handle   h"]),
]


@pytest.mark.parametrize(("handle", "answer", "lines"), REVOKED_LINES)
def test_a_token_that_was_taken_away_is_its_places_and_what_became_of_it(
    handle: str | None, answer: Item, lines: list[str]
) -> None:
    given = [account(tokens=[{"dest": "/run/a", "handle": handle}])]
    assert account_summary(given, tokens=result(answer))[:-1] == ["  account  ci/app", *lines, ""]


FAILED = {"status": "failed", "changed": False, "reason": "forbidden", "msg": "cannot do it: ask", "actions": []}


def long_lived(secret: str | None, reason: str, *, changed: bool = True, sinks: bool = False) -> Item:
    found = {"name": "tok", "namespace": "ci", "status": "changed" if changed else "ok", "changed": changed}
    return {**found, "reason": reason, "secret_name": secret, "actions": [], "sinks": [place(changed)] if sinks else []}


LEGACY_LINES: list[tuple[Item, list[str]]] = [
    (long_lived("tok", "missing", sinks=True), ["+ legacy   tok", "+ token    /run/a"]),
    (long_lived("tok", "up_to_date", changed=False, sinks=True), ["  legacy   tok", "  token    /run/a"]),
    (long_lived("tok-2", "due", sinks=True), ["~ legacy   tok-2 (due)", "~ token    /run/a"]),
    (long_lived("tok", "suspended"), ["~ legacy   tok (suspended)"]),
    (long_lived("tok", "recently_used", changed=False), ["  legacy   tok (recently_used)"]),
    (long_lived(None, "revoked", sinks=True), ["- legacy   tok", "- token    /run/a"]),
    (long_lived(None, "up_to_date", changed=False), ["  legacy   tok (absent)"]),
    ({**FAILED, "name": "tok", "namespace": "ci"}, ["! legacy   tok", f"  failed   {FAILED['msg']}"]),
]


@pytest.mark.parametrize(("answer", "lines"), LEGACY_LINES)
def test_a_long_lived_token_is_its_secret_and_its_places(answer: Item, lines: list[str]) -> None:
    given = [account(legacy_tokens=[{"name": "tok"}])]
    assert account_summary(given, legacy_tokens=result(answer))[:-1] == ["  account  ci/app", *lines, ""]


def mounted(reason: str, *, changed: bool = True, volume: Item | None = None, **more: Any) -> Item:
    found = {"kind": "Deployment", "name": "web", "namespace": "ci", "volume_name": "sa-token", "actions": []}
    return {**found, "status": "ok", "changed": changed, "reason": reason, "volume": volume, **more}


VOLUME_LINES: list[tuple[Item, list[str]]] = [
    (mounted("missing", volume={}), ["+ volume   sa-token in Deployment web"]),
    (mounted("up_to_date", changed=False, volume={}), ["  volume   sa-token in Deployment web"]),
    (mounted("fs_group_changed", volume={}), ["~ volume   sa-token in Deployment web (fs_group_changed)"]),
    (mounted("unwanted"), ["- volume   sa-token in Deployment web"]),
    (mounted("up_to_date", changed=False), ["  volume   sa-token in Deployment web (absent)"]),
    ({**mounted("x"), **FAILED}, ["! volume   sa-token in Deployment web", f"  failed   {FAILED['msg']}"]),
]


@pytest.mark.parametrize(("answer", "lines"), VOLUME_LINES)
def test_a_volume_is_its_workload(answer: Item, lines: list[str]) -> None:
    given = [account(volumes=[{"name": "web"}])]
    assert account_summary(given, volumes=result(answer))[:-1] == ["  account  ci/app", *lines, ""]


def test_a_result_that_is_not_known_is_a_mistake() -> None:
    with pytest.raises(AnsibleFilterError, match="did you mean volumes"):
        account_summary([], volume={})


def test_a_token_does_not_outlive_its_account() -> None:
    given = [account(state="absent", tokens=[{"dest": "/run/a"}])]
    results: dict[str, Any] = {
        "removals": result(outcome("delete", service_account=None)),
        "tokens": result(revoked(place(True), revoked=False, valid_until=FUTURE)),
    }
    assert account_summary(given, **results)[:-1] == ["- account  ci/app", "- token    /run/a", ""]


def test_what_no_result_is_about_is_left_out() -> None:
    given = [
        account(name="other", grants=[{"role": "r"}]),
        account(grants=[{"role": "r"}], tokens=[{"dest": "/run/a"}]),
    ]
    assert account_summary(given, tokens=result(token()))[:-1] == [
        "  account  ci/app",
        "  token    /run/a",
        f"  expires  {FUTURE}",
        "",
    ]


FAILURES: list[tuple[Item, str]] = [
    ({"dest": "/run/a"}, "! token    /run/a"),
    ({"dest": "/run/a", "kubeconfig_dest": "/run/b", "handle": "h"}, "! token    /run/a, /run/b, handle h"),
    ({"sinks": [{"type": "secret", "name": "s"}, {"path": "/run/c"}]}, "! token    Secret s, /run/c"),
]


@pytest.mark.parametrize(("given", "line"), FAILURES)
def test_what_failed_is_marked_and_says_why(given: Item, line: str) -> None:
    identity = {"name": "app", "namespace": "ci"}
    results: dict[str, Any] = {
        "accounts": result({**FAILED, **identity}),
        "bindings": result({**FAILED, **identity}),
        "tokens": result({**FAILED, "service_account": "app", "namespace": "ci"}),
        "access": result({**FAILED, "service_account": "app", "namespace": "ci"}),
    }
    why = "  failed   cannot do it: ask"
    assert account_summary([account(grants=[{"role": "r"}], tokens=[given])], **results) == [
        "! account  ci/app",
        why,
        "! grant    r in ci",
        why,
        line,
        why,
        "! access   not proven",
        why,
        "",
        "! failed",
    ]


BEYOND: list[tuple[Item, str]] = [
    ({}, "[0]: the namespace ci is not an allowed one: allowed are shop, build"),
    ({"namespace": "shop", "grants": [{"role": "r", "namespace": "ci"}]}, "[0].grants[0]: the namespace ci is not"),
    (
        {"namespace": "shop", "grants": [{"cluster_role": "view", "cluster_wide": True}]},
        "[0].grants[0]: a cluster-wide grant goes beyond the allowed namespaces: allowed are shop, build",
    ),
    (
        {"namespace": "shop", "tokens": [{"sinks": [{"type": "secret", "name": "s", "namespace": "ci"}]}]},
        "[0].tokens[0].sinks[0]: the namespace ci is not an allowed one",
    ),
]


@pytest.mark.parametrize(("given", "sentence"), BEYOND)
def test_a_list_stays_within_the_allowed_namespaces(given: Item, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        account_items([account(**given)], ["shop", "build"])
    assert str(caught.value).startswith(f"service_accounts_list{sentence}")


def test_what_is_in_the_allowed_namespaces_or_elsewhere_altogether_is_fine() -> None:
    far = {"type": "secret", "name": "s", "namespace": "away", "connection": {"host": "https://other", "api_key": "k"}}
    near = {"type": "secret", "name": "s"}
    given = account(grants=[{"role": "r"}], tokens=[{"sinks": [far, near]}])
    assert account_items([given], ["ci"]) == account_items([given])


def test_what_was_proven_is_summed_up() -> None:
    verdicts = [{"expected": expected} for expected in (True, False, True)]
    answer = {"service_account": "app", "namespace": "ci", "verdicts": verdicts}
    given = [account(access={"can": ["get pods"]})]
    lines = account_summary(given, access=result(answer))
    assert lines == ["  account  ci/app", "  access   proven: 2 allowed, 1 refused", "", "nothing changed"]
    assert account_summary(given, access=SKIPPED) == ["nothing changed"]


def test_the_whole_summary() -> None:
    given = [account(grants=[{"role": "r"}], tokens=[{"dest": "/run/a"}]), account(name="b")]
    pruned = {"verb": "delete", "kind": "RoleBinding", "namespace": "ci", "name": "old", "reason": "not_in_list"}
    results: dict[str, Any] = {
        "accounts": result(outcome("create", service_account={}), outcome(name="b", service_account={})),
        "bindings": result(outcome("update", binding={}), actions=(pruned,)),
        "tokens": result(token("missing", changed=True), actions=({**pruned, "kind": "Secret"},)),
        "removals": SKIPPED,
    }
    expected = [
        "+ account  ci/app",
        "~ grant    r in ci (because)",
        "+ token    /run/a",
        f"  expires  {FUTURE}",
        "",
        "  account  ci/b",
        "",
        "- left     RoleBinding ci/old",
        "- left     Secret ci/old",
    ]
    assert account_summary(given, **results) == [*expected, "+ created, ~ changed, - removed"]
    predicted = account_summary(given, check_mode=True, **results)
    assert predicted == [*expected, "+ would be created, ~ would be changed, - would be removed"]


def test_a_summary_of_nothing() -> None:
    assert account_summary([]) == ["the list is empty"]
    assert account_summary([account()])[-1] == "nothing changed"
    assert account_summary([account()], check_mode=True)[-1] == "nothing would change"
