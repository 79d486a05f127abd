# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where an answer comes from is told as the API server decides: the same requests, judged by both.

The world of bindings and the requests are drawn from few words, so that they often meet.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import Task

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._scopes import CLUSTER_SCOPED

RBAC = "rbac.authorization.k8s.io"
ACCOUNTS = [f"a{number}" for number in range(24)]
VERBS = ("get", "list", "delete", "*")
RESOURCES = ("pods", "pods/log", "deployments", "deployments/scale", "*", "*/log", "*/scale")
GROUPS = ("", "apps", "*")
NAMES = ("x", "y", "")
PATHS = ("/a", "/a/b", "/c", "/a*", "/a/*", "*", "/a**")
REQUESTS = 20

Object = dict[str, Any]


@dataclass(frozen=True)
class World:
    """Namespaces and what was made in them; cluster-wide names begin like the first of them."""

    here: str
    there: str
    objects: tuple[Object, ...]


def some(chance: random.Random, words: tuple[str, ...]) -> list[str]:
    return chance.sample(words, chance.randint(1, 2))


def rules(chance: random.Random, *, paths: bool) -> list[Object]:
    found: list[Object] = []
    for dummy in range(chance.randint(1, 2)):
        rule: Object = {
            "verbs": some(chance, VERBS),
            "apiGroups": some(chance, GROUPS),
            "resources": some(chance, RESOURCES),
        }
        if chance.random() < 0.4:
            rule["resourceNames"] = some(chance, NAMES)
        found.append(rule)
    if paths:
        found.append({"verbs": some(chance, VERBS), "nonResourceURLs": some(chance, PATHS)})
    return found


def subject(chance: random.Random, account: str, here: str) -> Object:
    """The account in one of its guises, or something much like it."""
    user = f"system:serviceaccount:{here}:{account}"
    return chance.choice(
        [
            *[{"kind": "ServiceAccount", "name": account, "namespace": here}] * 4,
            *[{"kind": "User", "apiGroup": RBAC, "name": user}] * 2,
            {"kind": "Group", "apiGroup": RBAC, "name": user},
            {"kind": "ServiceAccount", "name": account, "namespace": f"{here}-there"},
        ]
    )


def made(kind: str, name: str, namespace: str = "", **fields: Any) -> Object:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": f"{RBAC}/v1", "kind": kind, "metadata": metadata, **fields}


def bindings(chance: random.Random, account: str, here: str, there: str) -> Iterator[Object]:
    """One to three bindings of an account, each with its role; one in ten roles is missing."""
    for number in range(chance.randint(1, 3)):
        name = f"{here}-{account}-{number}"
        place = chance.choice([here, here, there, ""])
        kind = "ClusterRole" if not place or chance.random() < 0.5 else "Role"
        if chance.random() < 0.9:
            home = place if kind == "Role" else ""
            yield made(kind, name, home, rules=rules(chance, paths=kind == "ClusterRole"))
        role = {"apiGroup": RBAC, "kind": kind, "name": name}
        subjects = [subject(chance, account, here)]
        if place and chance.random() < 0.3:
            subjects = [{"kind": "ServiceAccount", "name": account}]  # one of the binding's own namespace
        yield made("RoleBinding" if place else "ClusterRoleBinding", name, place, roleRef=role, subjects=subjects)


def request(chance: random.Random, here: str, there: str) -> Object:
    verb = chance.choice(VERBS[: 3 if chance.random() < 0.9 else 4])
    if chance.random() < 0.2:
        return {"verb": verb, "url": chance.choice([path for path in PATHS if path.startswith("/")])}
    resource = chance.choice(RESOURCES[: 4 if chance.random() < 0.8 else 7])
    asked = {"verb": verb, "resource": resource, "group": chance.choice(GROUPS[: 2 if chance.random() < 0.9 else 3])}
    asked["namespace"] = chance.choice([here, here, there, ""])
    name = chance.choice(NAMES)
    return {**asked, "name": name} if name else asked


@pytest.fixture
def world(cluster: Cluster, namespace: str) -> Iterator[World]:
    """Roles and bindings for all accounts, and one for a group that all are in."""
    chance = random.Random(20261122)  # noqa: S311 - no secret, but the same world in every run
    there = f"{namespace}-there"
    cluster.kubectl("create", "namespace", there)
    objects = [one for account in ACCOUNTS for one in bindings(chance, account, namespace, there)]
    group = {"kind": "Group", "apiGroup": RBAC, "name": f"system:serviceaccounts:{namespace}"}
    common = {"apiGroup": RBAC, "kind": "Role", "name": "common"}
    objects += [
        made("Role", "common", there, rules=[{"verbs": ["list"], "apiGroups": [""], "resources": ["pods"]}]),
        made("RoleBinding", "common", there, roleRef=common, subjects=[group]),
    ]
    accounts = [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name, "namespace": namespace}}
        for name in ACCOUNTS
    ]
    cluster.kubectl(
        "create", "-f", "-", input=json.dumps({"kind": "List", "apiVersion": "v1", "items": objects + accounts})
    )
    yield World(namespace, there, tuple(objects))
    cluster_wide = [f"{one['kind']}/{one['metadata']['name']}" for one in objects if "namespace" not in one["metadata"]]
    cluster.kubectl("delete", *cluster_wide)
    cluster.kubectl("delete", "namespace", there, "--wait=false")


def test_every_answer_is_explained_and_no_explanation_contradicts_one(world: World, run_task: Task) -> None:
    chance = random.Random(1)  # noqa: S311 - no secret
    asked = {account: [request(chance, world.here, world.there) for dummy in range(REQUESTS)] for account in ACCOUNTS}
    listed: list[Object] = [{"service_account": account, "can": asked[account]} for account in ACCOUNTS]
    found = run_task("k8s_sa_access", namespace=world.here, accounts=listed, wait=0)
    # now that it holds, the only reason to ask again is an answer that bindings contradict
    for item, outcome in zip(listed, found["outcomes"], strict=True):
        item["cannot"] = [one["entry"] for one in outcome["verdicts"] if not one["allowed"]]
        item["can"] = [one["entry"] for one in outcome["verdicts"] if one["allowed"]]
    result = run_task("k8s_sa_access", namespace=world.here, accounts=listed, explain=True, wait="20s")
    pairs = [
        pair for outcome in result["outcomes"] for pair in zip(outcome["verdicts"], outcome["explain"], strict=True)
    ]
    assert len(pairs) >= 300
    wrong = [one for verdict, one in pairs if bool(verdict["granted_by"]) != verdict["allowed"]]
    assert wrong == []
    assert [one for dummy, one in pairs if (one["cause"] == "granted") != one["allowed"]] == []
    causes = Counter(one["cause"] for dummy, one in pairs)
    assert set(causes) == {"granted", "no_binding", "binding_elsewhere", "missing_role", "rule_too_narrow"}
    assert 60 <= causes["granted"] <= len(pairs) - 60
    named_by_server([verdict for verdict, dummy in pairs])


def named_by_server(verdicts: list[Object]) -> None:
    """The server names one binding: it is among those that are told, with the same role."""
    for verdict in verdicts:
        if verdict["allowed"]:
            said = verdict["reason"].split('"')
            places = [
                ("/".join(part for part in (one["name"], one["namespace"]) if part), one["role"]["name"])
                for one in verdict["granted_by"]
            ]
            assert (said[1], said[3]) in places, verdict


def test_without_the_bindings_that_are_named_nothing_is_allowed(cluster: Cluster, world: World, run_task: Task) -> None:
    app = {"service_account": "a0", "namespace": world.here}
    name = f"{world.here}-proof"
    for place in (world.here, ""):
        where = ["-n", place] if place else []
        kind = "rolebinding" if place else "clusterrolebinding"
        cluster.kubectl("create", kind, name, "--clusterrole=view", f"--serviceaccount={world.here}:a0", *where)
    asked = ["watch configmaps"]
    granted = run_task("k8s_sa_access", **app, can=asked, explain=True)["verdicts"][0]["granted_by"]
    ours = [one for one in granted if one["name"] == name]
    assert [one["kind"] for one in ours] == ["ClusterRoleBinding", "RoleBinding"]
    for number, one in enumerate(granted):
        held = run_task("k8s_sa_access", **app, can=asked, explain=True)
        assert held["verdicts"][0]["granted_by"] == granted[number:]
        where = ["-n", one["namespace"]] if one["namespace"] else []
        cluster.kubectl("delete", one["kind"].lower(), one["name"], *where)
    refused = run_task("k8s_sa_access", **app, cannot=asked, explain=True, wait="30s")
    assert refused["verdicts"][0]["allowed"] is False, refused["msg"]


def test_effective_rules_are_all_that_is_allowed_and_nothing_else(world: World, run_task: Task) -> None:
    """Every atom of them is allowed, asked for as it is written; a star is asked for as a star."""
    accounts = [{"service_account": account} for account in ACCOUNTS[:8]]
    result = run_task("k8s_sa_access", namespace=world.here, accounts=accounts, effective_rules=True)
    assert result["reason"] == "answered"
    listed = []
    for outcome in result["outcomes"]:
        asked = [entry for place in outcome["effective_rules"] for entry in entries(place)]
        assert asked
        listed.append({"service_account": outcome["service_account"], "can": asked})
    proof = run_task("k8s_sa_access", namespace=world.here, accounts=listed)
    assert proof["reason"] == "holds", proof["msg"]


def entries(place: Object) -> Iterator[Object]:
    for rule in place["rules"]:
        for verb in rule["verbs"]:
            for url in rule.get("nonResourceURLs", ()):
                # the world has one rule for all paths, which is no path itself
                yield {"verb": verb, "url": "/" if url == "*" else url}
            for resource in rule.get("resources", ()):
                for name in rule.get("resourceNames", [""]):
                    asked = {"verb": verb, "resource": resource, "group": rule["apiGroups"][0]}
                    named = {"name": name} if name else {}
                    if verb != "create" and not resource.startswith("self"):
                        yield {**asked, **named, "namespace": place["namespace"] or ""}


@pytest.fixture
def served(cluster: Cluster) -> Callable[[bool], set[tuple[str, str]]]:
    def ask(namespaced: bool) -> set[tuple[str, str]]:
        listed = cluster.kubectl("api-resources", f"--namespaced={str(namespaced).lower()}", "-o", "name").stdout
        return {(group, plural) for plural, dummy, group in (name.partition(".") for name in listed.split())}

    return ask


def test_what_is_in_no_namespace_is_known_as_the_server_knows_it(
    served: Callable[[bool], set[tuple[str, str]]],
) -> None:
    known = {(group, plural) for group, plurals in CLUSTER_SCOPED.items() for plural in plurals}
    assert served(False)
    assert served(False) - known == set()
    assert served(True) & known == set()
