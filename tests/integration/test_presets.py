# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The presets on a real API server: the role applies them, their tables hold, and nothing in them is too much."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Play, Task
from faults.workloads import create, workload
from tools.presets import is_for_accounts, presets

from ansible_collections.tokenwright.kubernetes.plugins.action.account_items import account_items
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._access_entries import (
    ANYWHERE,
    EVERYWHERE,
    entry_of,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import all_claims
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._risks import dotted

PROVISION = "tokenwright.kubernetes.provision"
PRESETS = presets()
FOR_ACCOUNTS = [name for name, preset in PRESETS.items() if is_for_accounts(preset)]
FOR_ENTRIES = [name for name in PRESETS if name not in FOR_ACCOUNTS]

Item = dict[str, Any]
Writes = Callable[[int], list[str]]


@pytest.fixture
def target(cluster: Cluster, namespace: str) -> Iterator[str]:
    """A namespace besides that of the accounts."""
    name = f"{namespace}-target"
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


@pytest.fixture(autouse=True)
def _clean(cluster: Cluster, namespace: str) -> Iterator[None]:
    """What is granted in the whole cluster does not go with its namespace."""
    yield
    found = cluster.kubectl("get", "clusterrolebindings,clusterroles", "-o", "name").stdout.split()
    ours = [name for name in found if namespace in name]
    if ours:
        cluster.kubectl("delete", *ours, "--wait=false")


def call(preset: str, target: str) -> Item:
    """The preset with all its parameters."""
    values = {"namespace": target, "account": "target", "project": "a-project"}
    return {"name": preset, **{key: values[key] for key in PRESETS[preset].get("parameters") or ()}}


# What they come to


def test_the_role_applies_them_proves_them_and_changes_nothing_the_second_time(
    cluster: Cluster, namespace: str, target: str, run_playbook: Callable[..., Play], tmp_path: Path, writes: Writes
) -> None:
    listed = [
        {"name": preset.replace("_", "-"), "namespace": namespace, "preset": call(preset, target)}
        for preset in FOR_ACCOUNTS
    ]
    risks = sorted({risk for preset in PRESETS.values() for risk in preset.get("risks") or ()})
    given = tmp_path / "variables.json"
    given.write_text(json.dumps({"service_accounts_list": listed, "service_accounts_allow_risks": risks}))

    predicted = run_playbook(PROVISION, "-e", f"@{given}", check=True)
    first = run_playbook(PROVISION, "-e", f"@{given}")
    assert (predicted.rc, predicted.changed, first.rc, first.changed) == (0, 2, 0, 2), first.stdout + first.stderr
    assert "[WARNING]" not in first.stdout + first.stderr
    assert f"+ grant    {namespace}:prometheus:prometheus in all namespaces" in first.stdout
    assert f"+ grant    {namespace}:jenkins:jenkins in {target}" in first.stdout
    assert f"+ grant    view in {target}" in first.stdout
    assert first.stdout.count("access   proven: ") == len(FOR_ACCOUNTS)
    mark = cluster.audit_mark()
    second = run_playbook(PROVISION, "-e", f"@{given}")
    assert (second.rc, second.changed) == (0, 0), second.stdout
    assert [one for one in writes(mark) if not one.startswith("create subjectaccessreviews ")] == []


def test_the_risks_of_each_are_those_that_it_tells(namespace: str, target: str, run_task: Task) -> None:
    for preset in FOR_ACCOUNTS:
        items = account_items([{"name": "app", "namespace": namespace, "preset": call(preset, target)}])
        for item in items["bindings"]:
            done = run_task("k8s_sa_binding", check_mode=True, **item)
            assert sorted({one["id"] for one in done["risks"]}) == sorted(PRESETS[preset]["risks"]), preset


def test_no_rule_has_a_verb_that_the_server_does_not_have_for_its_resource(cluster: Cluster) -> None:
    # what only authorizers are asked about
    virtual = {("impersonate", "serviceaccounts"), ("get", "nodes/metrics")}
    granted = {
        (verb, resource)
        for preset in PRESETS.values()
        for grant in preset.get("grants") or ()
        for rule in grant.get("rules") or ()
        for verb in rule["verbs"]
        for resource in rule.get("resources") or ()
    }
    assert len(granted) > 50
    groups = {resource.partition("/")[0].partition(".")[2] for dummy, resource in granted}
    assert granted - virtual - _served(cluster, groups) == set()


def _served(cluster: Cluster, wanted: set[str]) -> set[tuple[str, str]]:
    """All verbs on all resources of API groups, as they are written in rules."""
    groups = json.loads(cluster.kubectl("get", "--raw", "/apis").stdout)["groups"]
    paths = {group["name"]: f"/apis/{group['preferredVersion']['groupVersion']}" for group in groups}
    paths = {"": "/api/v1", **{name: path for name, path in paths.items() if name in wanted}}
    return {
        (verb, dotted(group, resource["name"]))
        for group, path in paths.items()
        for resource in json.loads(cluster.kubectl("get", "--raw", path).stdout)["resources"]
        for verb in resource["verbs"]
    }


# Nothing in them is too much


@dataclass
class Variant:
    """An account with a preset that was changed, and what of its table cannot hold then."""

    what: str
    item: Item
    bindings: list[Item]
    table: Item
    broken: set[str]


def variants(preset: str, namespace: str, target: str) -> list[Variant]:
    """The preset as it is, without each of its parts, and with each of its refusals granted."""

    def fresh(what: str) -> Variant:
        number = len(found)
        listed = [{"name": f"v{number}", "namespace": namespace, "preset": call(preset, target)}]
        items = account_items(listed)
        table = {key: items["access"][0][key] for key in ("can", "cannot")}
        found.append(Variant(what, items["present"][0], copy.deepcopy(items["bindings"]), table, set()))
        return found[-1]

    found: list[Variant] = []
    whole = fresh("as it is")
    for index, rule in enumerate(whole.bindings[0].get("rules") or ()):
        variant = fresh(f"without rule {index}")
        del variant.bindings[0]["rules"][index]
        for part in ("verbs", "resources"):
            for word in rule.get(part) or () if len(rule.get(part) or ()) > 1 else ():
                fresh(f"without {word} in rule {index}").bindings[0]["rules"][index][part].remove(word)
    for variant in found[1:]:
        variant.broken = {entry for entry in variant.table["can"] if not _allows(variant.bindings[0], entry)}
    if "rules" not in whole.bindings[0]:
        variant = fresh("without its grant")
        variant.bindings, variant.broken = [], set(variant.table["can"])
    for entry in whole.table["cannot"]:
        variant = fresh(f"with {entry}")
        variant.bindings.append(_granting(entry, variant.item, namespace, target))
        variant.broken = {entry}
    return found


def _allows(binding: Item, entry: str) -> bool:
    """Whether rules still have the verb and the resource of an entry."""
    verb, resource, *dummy = entry.split()
    return any(
        verb in rule["verbs"] and resource in (*(rule.get("resources") or ()), *(rule.get("non_resource_urls") or ()))
        for rule in binding["rules"]
    )


def _granting(text: str, account: Item, namespace: str, target: str) -> Item:
    """A grant of what the account is to be refused; C(in any namespace) is in another one than the preset's."""
    entry = entry_of(text, "cannot", namespace)
    asked = entry.asked
    what = {"non_resource_urls": [asked.url]} if asked.url else {"resources": [dotted(asked.group, asked.resource)]}
    where: Item = {"namespace": namespace if target != namespace else "default"}
    if entry.namespace == EVERYWHERE:
        where = {"cluster_wide": True}
    elif entry.namespace != ANYWHERE:
        where = {"namespace": entry.namespace}
    rules = [{"verbs": [asked.verb], **what}]
    name = f"{namespace}:{account['name']}:more"
    return {"name": name, "service_accounts": [f"{namespace}/{account['name']}"], "rules": rules, **where}


@pytest.mark.parametrize("preset", FOR_ACCOUNTS)
def test_the_table_holds_and_every_part_taken_away_or_refusal_granted_breaks_it(
    preset: str, namespace: str, target: str, run_task: Task
) -> None:
    tried = variants(preset, namespace, target)
    run_task("k8s_sa", accounts=[variant.item for variant in tried])
    bindings = [binding for variant in tried for binding in variant.bindings]
    granted = run_task("k8s_sa_binding", bindings=bindings, risk_policy="ignore")
    assert not granted.get("failed"), granted["msg"]
    proofs = [{**variant.table, "service_account": variant.item["name"]} for variant in tried]

    def broken() -> dict[str, set[str]]:
        result = run_task("k8s_sa_access", accounts=proofs, namespace=namespace, wait=0)
        return {
            variant.what: {one["entry"] for one in outcome["verdicts"] if not one["holds"]}
            for variant, outcome in zip(tried, result["outcomes"], strict=True)
        }

    expected = {variant.what: variant.broken for variant in tried}
    assert [what for what, entries in expected.items() if not entries] == ["as it is"]
    # the authorizer hears of what was written a moment later
    deadline = time.monotonic() + 60
    while (seen := broken()) != expected and time.monotonic() < deadline:
        time.sleep(0.2)
    assert seen == expected


# What they are for


def test_a_deployer_applies_and_waits(cluster: Cluster, namespace: str, target: str, run_task: Task) -> None:
    """With kubectl itself, as far as a cluster without nodes goes."""
    user = f"--as=system:serviceaccount:{namespace}:ci"
    grant(run_task, {"name": "ci", "namespace": namespace, "preset": call("ci_deployer", target)})
    manifest = yaml.safe_dump_all([workload("Deployment", "web"), _config("one")])
    settled(cluster, "patch", "deployments.apps", user, target)
    cluster.kubectl("apply", "-f", "-", "-n", target, user, input=manifest)
    cluster.kubectl("apply", "-f", "-", "-n", target, user, input=yaml.safe_dump_all([_config("two")]))
    status = cluster.kubectl("rollout", "status", "deployment/web", "-n", target, user, "--timeout=1s", check=False)
    assert "timed out waiting for the condition" in status.stderr
    assert "forbidden" not in (status.stdout + status.stderr).lower()
    refused = cluster.kubectl("delete", "deployment", "web", "-n", target, user, check=False)
    assert "(Forbidden)" in refused.stderr


def _config(value: str) -> Item:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings"}, "data": {"key": value}}


def test_an_agent_becomes_its_account_and_nobody_else(
    cluster: Cluster, namespace: str, target: str, run_task: Task, tmp_path: Path
) -> None:
    """As GitLab's agent does: with a token of its own and headers that say whose name it acts in."""
    grant(run_task, {"name": "agent", "namespace": namespace, "preset": call("gitlab_agent", target)})
    run_task("k8s_sa", namespace=target, accounts=[{"name": "target"}, {"name": "other"}])
    run_task("k8s_sa_binding", name="read", namespace=target, cluster_role="view", service_accounts=["target"])
    where = tmp_path / "kubeconfig"
    run_task("k8s_sa_token", name="agent", namespace=namespace, kubeconfig_dest=str(where))
    settled(cluster, "impersonate", "serviceaccounts/target", f"--as=system:serviceaccount:{namespace}:agent", target)
    settled(cluster, "list", "pods", f"--as=system:serviceaccount:{target}:target", target)

    def refusal(*whom: str) -> str:
        done = cluster.kubectl(f"--kubeconfig={where}", "get", "pods", "-n", target, *whom, check=False)
        return str(done.stderr)

    assert "(Forbidden)" not in refusal(f"--as=system:serviceaccount:{target}:target")
    assert "cannot list" in refusal()
    assert "cannot impersonate" in refusal(f"--as=system:serviceaccount:{target}:other")
    assert "cannot impersonate" in refusal("--as=admin", "--as-group=system:masters")
    with_group = refusal(f"--as=system:serviceaccount:{target}:target", "--as-group=system:masters")
    assert "cannot impersonate" in with_group


@pytest.mark.parametrize("preset", FOR_ENTRIES)
def test_tokens_and_volumes_get_the_audience_of_a_cloud(
    preset: str, cluster: Cluster, namespace: str, run_playbook: Callable[..., Play], tmp_path: Path
) -> None:
    create(cluster, namespace, workload("Deployment", "web"))
    said = call(preset, namespace)
    listed = [
        {
            "name": "app",
            "namespace": namespace,
            "tokens": [{"preset": said, "dest": str(tmp_path / "token")}, {"dest": str(tmp_path / "other")}],
            "volumes": [{"preset": said, "name": "web", "fs_group": 1000}],
        }
    ]
    given = tmp_path / "variables.json"
    given.write_text(json.dumps({"service_accounts_list": listed}))
    first = run_playbook(PROVISION, "-e", f"@{given}")
    assert first.rc == 0, first.stdout
    assert "[WARNING]" not in first.stdout + first.stderr
    assert run_playbook(PROVISION, "-e", f"@{given}").changed == 0
    expected = PRESETS[preset]["volumes"]["sources"][0]["token"]["audience"].replace("<project>", "a-project")
    spec = json.loads(cluster.kubectl("get", "deployment", "web", "-n", namespace, "-o", "json").stdout)["spec"]
    pod = spec["template"]["spec"]
    (projected,) = [volume["projected"] for volume in pod["volumes"] if "projected" in volume]
    assert projected["sources"][0]["serviceAccountToken"]["audience"] == expected
    assert pod["containers"][0]["volumeMounts"][-1]["mountPath"] == PRESETS[preset]["volumes"]["mount_path"]
    assert [_audiences(tmp_path / name) == [expected] for name in ("token", "other")] == [True, False]


def _audiences(token: Path) -> list[str]:
    return list(all_claims(token.read_text())["aud"])


def grant(run_task: Task, account: Item) -> None:
    """Make an account with its grants."""
    items = account_items([account])
    for module, key, option in (("k8s_sa", "present", "accounts"), ("k8s_sa_binding", "bindings", "bindings")):
        done = run_task(module, **{option: items[key]}, risk_policy="ignore")
        assert not done.get("failed"), done["msg"]


def settled(cluster: Cluster, verb: str, resource: str, user: str, namespace: str) -> None:
    """Wait until the authorizer has heard of it."""
    for dummy in range(200):
        if cluster.kubectl("auth", "can-i", verb, resource, user, "-n", namespace, check=False).stdout == "yes\n":
            return
        time.sleep(0.1)
    raise AssertionError(f"{user} may not {verb} {resource}")
