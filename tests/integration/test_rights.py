# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The roles in examples/rbac/: enough for every path through the modules, and nothing in them that is not needed.

The table of the paths is tests/rights/paths.py. Every path is run by a user of its own who holds the roles, and for
every right in the roles a path by a user who lacks that one; the audit log tells what they asked for and were refused.
"""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import ROOT, USE_CASES, Play, Task
from faults.tokens import claims_of
from rights import paths
from rights.callers import Caller, create_callers, delete_callers
from rights.manifests import DIRECTORY, PREFIX, Right, ShippedRole, shipped_roles
from rights.paths import EVERYWHERE, PATHS, ModulePath, Run, secrets_reader
from rights.stage import RefusedError, Stage

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE_BINDING,
    Ref,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._risks import risks_of_grant

DOCUMENT = (ROOT / "docs/rights.md").read_text()
ROLES = shipped_roles()
LACKING = [(name, right) for name, role in ROLES.items() for right in role.rights]

# what everybody may ask who is known (ClusterRoles system:basic-user and system:discovery)
FREE = {"create selfsubjectreviews"}
# what the API server asks for by itself while it answers another request
SILENT = {"bind", "escalate", "create pods/exec"}


@dataclass(frozen=True)
class Asked:
    """What a user asked the API server for, as the table writes it."""

    allowed: frozenset[str]
    refused: frozenset[str]


def asked(events: list[dict[str, Any]], user: str) -> Asked:
    """From the audit log."""
    ours = [event for event in events if (event.get("impersonatedUser") or {}).get("username") == user]
    about: dict[bool, set[str]] = {True: set(), False: set()}
    for event in ours:
        if "objectRef" in event:
            about[event["responseStatus"]["code"] != 403].add(right_of(event))
        else:
            assert event["responseStatus"]["code"] != 403, event["requestURI"]
    return Asked(frozenset(about[True] - FREE), frozenset(about[False]))


NAMESPACED = {"roles", "rolebindings", "serviceaccounts", "secrets", *(use.split()[1] for use in paths.USERS)}


def right_of(event: Mapping[str, Any]) -> str:
    """The right that a request takes."""
    ref = event["objectRef"]
    resource = "/".join(part for part in (ref["resource"], ref.get("subresource")) if part)
    everywhere = f" {EVERYWHERE}" if resource in NAMESPACED and not ref.get("namespace") else ""
    return f"{event['verb']} {resource}{everywhere}"


def is_silent(right: str) -> bool:
    return right in SILENT or right.split(maxsplit=1)[0] in SILENT


def plain(right: str) -> str:
    return right.removesuffix(f" {EVERYWHERE}")


def has_twice(right: Right, one: ModulePath) -> bool:
    """Whether more than one of the roles of a path grants a right."""
    return sum(str(right) in map(str, ROLES[role].rights) for role in one.roles) > 1


def path_that_shows(name: str, right: Right) -> tuple[ModulePath, str] | None:
    """The path that shows that a right of a role is needed, best by failing, and how the right is written there."""
    using = [
        (one, need)
        for one in PATHS
        if name in one.roles and not one.title.startswith("playbook") and not has_twice(right, one)
        for need in one.needs
        if plain(need) == str(right)
    ]
    hard = [pair for pair in using if pair[1] not in pair[0].degrades]
    return next(iter([*hard, *using]), None)


CANDIDATES = [(lacking, path_that_shows(*lacking)) for lacking in LACKING]
SHOWN_BY = {lacking: evidence for lacking, evidence in CANDIDATES if evidence is not None}
HOLDERS = {one.title: Caller(f"holds-{number}", one.holds) for number, one in enumerate(PATHS)}
# a user for every right of every role, who holds what the path takes that shows it, but for that right
LACKERS = {
    lacking: Caller(f"lacks-{number}", one.holds, lacking)
    for number, (lacking, (one, dummy)) in enumerate(SHOWN_BY.items())
}
ROTATION = next(one for one in PATHS if one.take is paths.token_with_a_handle_rotated and one.holds == ("renewer",))
HANDLERS = {
    verb: Caller(f"lacks-{verb}-secrets", ROTATION.holds, ("renewer", Right(verb, "secrets", "")))
    for verb in ("patch", "delete")
}
LONG_LIVED = next(one for one in PATHS if one.take is paths.legacy_token_rotated_at_once and one.holds == ("renewer",))
ROTATORS = {
    verb: Caller(f"lacks-{verb}-long-lived", LONG_LIVED.holds, ("renewer", Right(verb, "secrets", "")))
    for verb in ("get", "delete")
}


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[str]:
    """The namespace that all callers hold their roles in, with all callers."""
    namespace = f"rights-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", namespace)
    reader = secrets_reader(namespace)
    cluster.kubectl("create", "clusterrole", reader, "--verb=get,watch", "--resource=secrets")
    roles = {**ROLES, "grantable": ROLES["grantable"].naming(reader)}
    lackers = [*LACKERS.values(), *HANDLERS.values(), *ROTATORS.values()]
    create_callers(cluster, roles, [*HOLDERS.values(), *lackers], namespace)
    yield namespace
    delete_callers(cluster, namespace)
    kinds = "clusterrolebindings,clusterroles,nodes,namespaces"
    left = cluster.kubectl("get", kinds, "-o", "name").stdout.split()
    ours = [name for name in left if re.search(rf"/({namespace}|(holds|lacks)-\d)", name)]
    cluster.kubectl("delete", *ours, "--wait=false")


@pytest.fixture
def stage(
    cluster: Cluster, place: str, tmp_path: Path, run_task: Task, run_playbook: Callable[..., Play]
) -> Callable[[Caller], Stage]:
    """Where a caller takes a path."""
    return lambda caller: Stage(cluster, place, caller.name, tmp_path, run_task, run_playbook)


def run_path(one: ModulePath, stage: Stage) -> tuple[Run, frozenset[str]]:
    """Run a path; returns what came of it and what the caller used."""
    mark = stage.cluster.audit_mark()
    try:
        result = one.take(stage)
    except RefusedError as error:
        result = error.result
    found = asked(stage.cluster.audit_events(mark), stage.caller)
    return Run(stage, result, found.refused), found.allowed


@pytest.mark.parametrize("one", PATHS, ids=lambda one: one.title.replace(" ", "_"))
def test_the_shipped_roles_are_enough_and_nothing_else_is_asked_for(
    one: ModulePath, stage: Callable[[Caller], Stage]
) -> None:
    run, used = run_path(one, stage(HOLDERS[one.title]))
    assert not run.result.get("failed"), run.result["msg"]
    assert run.refused == one.tries
    assert used | {need for need in one.needs if is_silent(need)} == one.needs


@pytest.mark.parametrize(("name", "right"), LACKING, ids=str)
def test_every_right_is_missed(name: str, right: Right, stage: Callable[[Caller], Stage]) -> None:
    one, need = SHOWN_BY[name, right]
    run, dummy = run_path(one, stage(LACKERS[name, right]))
    if need in one.degrades:
        assert need in run.refused
        one.degrades[need](run)
    else:
        assert_named(run, need, right)


def assert_named(run: Run, need: str, right: Right) -> None:
    """The message and the error name the right that is missing, and where."""
    message = run.result["msg"]
    assert run.result.get("failed"), f"it does without {need}: {message}"
    error = run.result["error"]
    where = f"in namespace {error['namespace']}" if error["namespace"] else "cluster-wide"
    if right.verb in SILENT:
        assert error["code"] == "escalation"
        assert f"the verb {right.verb} on {right.resource}" in message
        assert need not in run.refused
    else:
        # in the audit log it is the request that is refused, whatever was asked for besides
        assert ("get pods/exec" if is_silent(need) else need) in run.refused
        assert (error["code"], error["verb"], error["resource"]) == ("forbidden", right.verb, right.resource)
        assert f"allow the caller to {right} {where}" in message
    rule = error["rbac_rule"]
    assert {**rule, "resourceNames": None} == {**right.as_rule(), "resourceNames": None}


def test_what_becomes_of_a_token_whose_handle_may_not_be_written_to(stage: Callable[[Caller], Stage]) -> None:
    theirs = stage(HANDLERS["patch"])
    run, dummy = run_path(ROTATION, theirs)
    assert_named(run, "patch secrets", Right("patch", "secrets", ""))
    assert [(action["verb"], action["kind"]) for action in run.result["actions"]] == [("create", "TokenRequest")]
    assert not Path(theirs.file("token")).exists()
    assert secrets_labelled("handle", theirs) == []


def test_what_becomes_of_a_token_when_the_one_before_may_not_be_deleted(stage: Callable[[Caller], Stage]) -> None:
    theirs = stage(HANDLERS["delete"])
    run, dummy = run_path(ROTATION, theirs)
    assert_named(run, "delete secrets", Right("delete", "secrets", ""))
    assert Path(theirs.file("token")).exists()
    assert [action["kind"] for action in run.result["actions"] if action["verb"] == "update"] == ["File"]
    assert secrets_labelled("handle", theirs) == [theirs.named("1"), theirs.named("2")]


@pytest.mark.parametrize(("verb", "generations"), [("get", [""]), ("delete", ["", "-2"])])
def test_a_long_lived_token_is_made_by_nobody_who_cannot_read_it_and_outlives_a_retirement_that_is_refused(
    stage: Callable[[Caller], Stage], verb: str, generations: list[str]
) -> None:
    theirs = stage(ROTATORS[verb])
    run, dummy = run_path(LONG_LIVED, theirs)
    assert_named(run, f"{verb} secrets", Right(verb, "secrets", ""))
    names = [f"{theirs.caller}{suffix}" for suffix in generations]
    assert secrets_labelled("legacy-token", theirs) == names
    claims = claims_of(Path(theirs.file("token")).read_text())
    assert claims["kubernetes.io/serviceaccount/secret.name"] == names[-1]


def test_who_may_take_the_inventory_may_read_every_token_although_the_module_does_not(
    stage: Callable[[Caller], Stage],
) -> None:
    one = next(one for one in PATHS if one.take is paths.inventory_of_a_namespace)
    theirs = stage(HOLDERS[one.title])
    run, dummy = run_path(one, theirs)
    listing = ["get", "secrets", "-n", theirs.namespace, f"--as={theirs.caller}", "-o", "json"]
    read = json.loads(theirs.cluster.kubectl(*listing).stdout)["items"]
    (token,) = [secret["data"]["token"] for secret in read if secret["metadata"]["name"] == theirs.caller]
    assert base64.b64decode(token).startswith(b"eyJ")
    assert "eyJ" not in json.dumps(run.result)


def secrets_labelled(label: str, stage: Stage) -> list[str]:
    """The Secrets of the caller's handle, or long-lived token, that are there."""
    labelled = ["-l", f"tokenwright/{label}={stage.caller}", "-o", "jsonpath={.items[*].metadata.name}"]
    return sorted(stage.cluster.kubectl("get", "secrets", "-n", stage.namespace, *labelled).stdout.split())


# What can be known without running anything


def test_the_table_and_the_roles_are_about_the_same_rights() -> None:
    """In both directions: no path needs what its roles do not grant, and no role grants what no path needs."""
    granted = {name: {str(right) for right in role.rights} for name, role in ROLES.items()}
    for one in PATHS:
        assert {plain(need) for need in one.needs} <= set().union(*(granted[name] for name in one.roles)), one.title
        assert one.degrades.keys() <= one.needs, one.title
    needed: dict[str, set[str]] = {name: set() for name in ROLES}
    for one in PATHS:
        for name in one.roles:
            needed[name] |= {plain(need) for need in one.needs} & granted[name]
    assert needed == granted
    assert SHOWN_BY.keys() == set(LACKING)


# What asks a cluster for nothing but a token with a handle in a Secret, which is in the table; all else goes to AWX.
OF_AWX = {"awx_credential", "awx_setup"}


def test_every_module_and_playbook_is_in_the_table() -> None:
    table = Path(paths.__file__).read_text()
    playbooks = {path.stem for path in (ROOT / "playbooks").glob("*.yml")} - {"demo"} - OF_AWX
    roles = {path.name for path in (ROOT / "roles").iterdir()} - {"service_accounts"} - OF_AWX
    said = {f'"{module}"' for module in USE_CASES} | {f'stage.playbook("{playbook}"' for playbook in playbooks}
    said |= {f'stage.role("{role}"' for role in roles}
    assert [words for words in said if words not in table] == []


# The manifests and the documentation


def test_kubectl_takes_the_manifests(cluster: Cluster) -> None:
    said = cluster.kubectl("apply", "--dry-run=server", "-f", str(DIRECTORY)).stdout
    assert said.count(" created (server dry run)") == len(ROLES) == len(list(DIRECTORY.iterdir()))


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_a_role_says_of_every_rule_what_it_is_for_and_what_is_lost_without_it(role: ShippedRole) -> None:
    for rule in role.rules:
        assert rule.comment.endswith("."), rule
        shown = [SHOWN_BY[role.name, right] for right in rule.rights]
        checks = {one.degrades[need] for one, need in shown if need in one.degrades}
        if checks - {paths.both_ways_to_ask_are_named}:
            assert "ithout" in rule.comment, rule


@pytest.mark.parametrize("role", ROLES.values(), ids=ROLES)
def test_the_tables_of_the_documentation_are_the_manifests(role: ShippedRole) -> None:
    section = DOCUMENT.partition(f"### {PREFIX}{role.name}\n")[2].partition("\n#")[0]
    assert [line for line in section.splitlines() if line.startswith("|")] == role.table()
    assert f"[`{role.name}.yaml`](../examples/rbac/{role.name}.yaml)" in section


def test_the_documentation_says_where_a_role_is_held_and_which_risks_that_is() -> None:
    lines = [line for line in DOCUMENT.splitlines() if line.startswith(f"| [`{PREFIX}")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    told = {row[0].partition("`")[2].partition("`")[0].removeprefix(PREFIX): (row[1], row[3]) for row in cells}
    assert told == {name: (binding_of(name), risks_of(role)) for name, role in ROLES.items()}


def binding_of(name: str) -> str:
    return "RoleBinding" if name in paths.IN_A_NAMESPACE | paths.IN_KUBE_SYSTEM else "ClusterRoleBinding"


def risks_of(role: ShippedRole) -> str:
    """What k8s_sa_binding would say if an account were granted the role."""
    kind, namespace = (ROLE_BINDING, "ci") if binding_of(role.name) == ROLE_BINDING.name else (CLUSTER_ROLE_BINDING, "")
    subjects = [{"kind": "ServiceAccount", "name": "app", "namespace": "ci"}]
    whose = Ref(CLUSTER_ROLE, "", role.name)
    found = risks_of_grant(role.manifest["rules"], whose, subjects, Ref(kind, namespace, "app"))
    return ", ".join(f"`{finding.risk}`" for finding in found)


def test_what_is_tried_without_need_is_documented() -> None:
    """Who watches an audit log wants to know which refusals mean nothing."""
    section = DOCUMENT.partition("## Refusals that mean nothing\n")[2].partition("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    told = {words for cell in cells for words in re.findall(r"`([^`]+)`", cell)}
    tried = {need for one in PATHS for need in one.tries}
    soft = {need for one in PATHS for need in one.degrades if need.startswith("list ")}
    assert told == {plain(need) for need in tried | soft}
