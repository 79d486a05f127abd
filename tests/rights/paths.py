# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of all paths through the modules: which shipped roles are enough for each, and which rights it uses.

A right is written as the audit log has it, C(VERB RESOURCE), with C(everywhere) if it is used on all namespaces at
once. C(bind), C(escalate) and C(create pods/exec) are in no audit log: they are no requests, the API server asks for
them by itself.

To add a path: write what it does as a function of a Stage below @path, with the roles it is run with, what it needs
and, of that, what it can do without. The tests say what is wrong with it.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from faults import legacy
from faults.workloads import create, workload
from rights.stage import Result, Stage

EVERYWHERE = "everywhere"

# Roles that are held in one namespace, or in that of the cluster itself; the others in the whole cluster.
IN_A_NAMESPACE = {"diagnoser", "inspector", "mounter", "namespace-verifier", "provisioner", "renewer", "revoker"}
IN_KUBE_SYSTEM = {"usage-reader"}


@dataclass(frozen=True)
class Run:
    """What came of a path.

    Attributes:
        stage: where it was taken.
        result: of its last task, or of the one that failed.
        refused: what the API server refused the caller, as the table writes it.
    """

    stage: Stage
    result: Result
    refused: frozenset[str]


# Says what is different about a run without a right that a path can do without; raises AssertionError.
Check = Callable[[Run], None]


@dataclass(frozen=True)
class ModulePath:
    """One path.

    Attributes:
        title: what is done.
        holds: the shipped roles it is run with; C(ROLE everywhere) for one that is usually held in a namespace.
        needs: the rights it uses.
        tries: what it asks for without needing it, and is refused with these roles.
        degrades: of what it needs, what it can do without, and how that shows.
        take: does it, and returns the result of the last task.
    """

    title: str
    holds: tuple[str, ...]
    needs: frozenset[str]
    tries: frozenset[str]
    degrades: Mapping[str, Check]
    take: Callable[[Stage], Result]

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of the roles alone."""
        return tuple(map(role_of, self.holds))


def role_of(held: str) -> str:
    """The role, wherever it is held."""
    return held.removesuffix(f" {EVERYWHERE}")


PATHS: list[ModulePath] = []


def path(
    *holds: str, needs: Sequence[str], tries: Sequence[str] = (), degrades: Mapping[str, Check] | None = None
) -> Callable[[Callable[[Stage], Result]], Callable[[Stage], Result]]:
    """Put a function into the table; more than once for one that is run with different roles."""

    def register(take: Callable[[Stage], Result]) -> Callable[[Stage], Result]:
        title = f"{take.__name__.replace('_', ' ')} ({' + '.join(holds)})"
        PATHS.append(ModulePath(title, holds, frozenset(needs), frozenset(tries), degrades or {}, take))
        return take

    return register


# How it shows that a right is missing


def done_all_the_same(run: Run) -> None:
    """Nothing is different but the requests."""
    assert not run.result.get("failed"), run.result["msg"]
    assert not run.result.get("warnings"), run.result["warnings"]


def warned(*words: str) -> Check:
    """There is a warning with these words."""

    def check(run: Run) -> None:
        assert not run.result.get("failed"), run.result["msg"]
        said = run.result["warnings"]
        assert any(all(word in warning for word in words) for warning in said), said

    return check


def unverified(run: Run) -> None:
    """Nobody knows whether the token is accepted."""
    done_all_the_same(run)
    assert run.result["verified"] is None


# k8s_sa

ACCOUNT = "k8s_sa"


@path("provisioner", needs=["get serviceaccounts", "create serviceaccounts"])
def account_created(stage: Stage) -> Result:
    return stage.change(ACCOUNT, name=stage.caller)


@path("provisioner", needs=["get serviceaccounts", "get namespaces", "create serviceaccounts"])
def account_created_in_a_namespace_that_may_have_to_be_made(stage: Stage) -> Result:
    return stage.change(ACCOUNT, name=stage.caller, create_namespace=True)


@path("provisioner", needs=["get serviceaccounts", "patch serviceaccounts"])
def account_changed(stage: Stage) -> Result:
    stage.prepare(ACCOUNT, name=stage.caller)
    return stage.change(ACCOUNT, name=stage.caller, automount=False)


@path("provisioner", needs=["get serviceaccounts", "delete serviceaccounts"])
def account_deleted(stage: Stage) -> Result:
    stage.prepare(ACCOUNT, name=stage.caller)
    return stage.change(ACCOUNT, name=stage.caller, state="absent")


def says_nothing_of_long_lived_tokens(run: Run) -> None:
    (warning,) = run.result["warnings"]
    assert "every token of it is void" in warning


@path(
    "provisioner",
    needs=["get serviceaccounts", "list secrets", "delete serviceaccounts", "create serviceaccounts"],
    degrades={"list secrets": says_nothing_of_long_lived_tokens},
)
def account_recreated(stage: Stage) -> Result:
    uid = stage.prepare(ACCOUNT, name=stage.caller)["service_account"]["metadata"]["uid"]
    about = {"kubernetes.io/service-account.name": stage.caller, "kubernetes.io/service-account.uid": uid}
    stage.create("Secret", "long", type="kubernetes.io/service-account-token", annotations=about)
    return stage.change(ACCOUNT, name=stage.caller, recreate_if_uid=uid)


def three(stage: Stage) -> list[str]:
    """So many that they are read with one request."""
    return [stage.named(suffix) for suffix in "abc"]


@path(
    "provisioner",
    needs=["list serviceaccounts", "create serviceaccounts"],
    degrades={"list serviceaccounts": done_all_the_same},
)
def accounts_of_a_long_list_created(stage: Stage) -> Result:
    return stage.change(ACCOUNT, accounts=[{"name": name} for name in three(stage)])


@path(
    "provisioner",
    needs=["get serviceaccounts", "list serviceaccounts", "delete serviceaccounts"],
    tries=["list serviceaccounts everywhere"],
)
def account_pruned(stage: Stage) -> Result:
    stage.prepare(ACCOUNT, set_name=stage.caller, accounts=[{"name": name} for name in three(stage)])
    return stage.change(ACCOUNT, set_name=stage.caller, prune=True, accounts=[{"name": three(stage)[0]}])


@path(
    "provisioner everywhere",
    "namespace-creator",
    needs=["get serviceaccounts", "get namespaces", "create namespaces", "create serviceaccounts"],
)
def namespace_created(stage: Stage) -> Result:
    return stage.change(ACCOUNT, name="app", namespace=stage.named("new"), create_namespace=True)


@path(
    "provisioner everywhere",
    "namespace-creator",
    needs=["get serviceaccounts", "list namespaces", "create namespaces", "create serviceaccounts"],
    degrades={"list namespaces": done_all_the_same},
)
def many_namespaces_created(stage: Stage) -> Result:
    accounts = [{"name": "app", "namespace": name} for name in three(stage)]
    return stage.change(ACCOUNT, namespace=None, accounts=accounts, create_namespace=True)


@path("provisioner", needs=["get serviceaccounts", "get namespaces"], degrades={"get namespaces": done_all_the_same})
def account_predicted(stage: Stage) -> Result:
    return stage.change(ACCOUNT, name=stage.caller, check_mode=True)


# k8s_sa_binding

GRANT = "k8s_sa_binding"

# what provisioner allows in a namespace, and can therefore be granted there by those who hold it
READ_PODS = {"verbs": ["get"], "resources": ["pods"]}
READ_ACCOUNTS = {"verbs": ["get"], "resources": ["serviceaccounts"]}
# the same for cluster-granter, in the whole cluster
READ_ROLES = {"verbs": ["get"], "resources": ["clusterroles.rbac.authorization.k8s.io"]}
READ_BINDINGS = {"verbs": ["get"], "resources": ["clusterrolebindings.rbac.authorization.k8s.io"]}

READS_GRANT = ["get roles", "get rolebindings"]
READS_CLUSTER_GRANT = ["get clusterroles", "get clusterrolebindings"]


def grant(stage: Stage, **options: Any) -> Result:
    """A grant to an account that need not be there."""
    return {"name": stage.caller, "rules": [READ_PODS], "service_accounts": [stage.caller], **options}


def cluster_grant(stage: Stage, **options: Any) -> Result:
    """The same for the whole cluster."""
    account = f"{stage.namespace}/{stage.caller}"
    wide = {"namespace": None, "cluster_wide": True, "rules": [READ_ROLES], "service_accounts": [account]}
    return {"name": stage.caller, **wide, **options}


@path("provisioner", needs=[*READS_GRANT, "create roles", "create rolebindings"])
def rules_granted(stage: Stage) -> Result:
    return stage.change(GRANT, **grant(stage))


@path("provisioner", needs=[*READS_GRANT, "get namespaces"], degrades={"get namespaces": done_all_the_same})
def grant_predicted(stage: Stage) -> Result:
    return stage.change(GRANT, **grant(stage), check_mode=True)


@path("provisioner", needs=[*READS_GRANT, "update roles", "update rolebindings"])
def grant_appended_to(stage: Stage) -> Result:
    stage.prepare(GRANT, **grant(stage))
    more = {"rules_mode": "append", "subjects_mode": "append", "service_accounts": ["another"]}
    return stage.change(GRANT, **grant(stage, rules=[READ_ACCOUNTS], **more))


@path("provisioner", needs=[*READS_GRANT, "update rolebindings"])
def account_taken_out_of_a_grant(stage: Stage) -> Result:
    stage.prepare(GRANT, **grant(stage, service_accounts=[stage.caller, "another"]))
    return stage.change(GRANT, **grant(stage, subjects_mode="remove"))


def secrets_reader(namespace: str) -> str:
    """A cluster role of the administrator's that is among those that may be granted."""
    return f"{namespace}-secrets-reader"


def risks_are_not_known(run: Run) -> None:
    done_all_the_same(run)
    assert run.result["risks"] == []


@path(
    "provisioner",
    "grantable",
    needs=["get clusterroles", "get rolebindings", "bind clusterroles", "create rolebindings"],
    degrades={"get clusterroles": risks_are_not_known},
)
def cluster_role_granted(stage: Stage) -> Result:
    role = secrets_reader(stage.namespace)
    granted = stage.change(GRANT, **grant(stage, rules=None, cluster_role=role, allow_risks=["secrets_read"]))
    stage.change(GRANT, name=stage.named("view"), cluster_role="view", service_accounts=[stage.caller])
    return granted


def existing_role(stage: Stage) -> str:
    """A role whose rules the caller holds."""
    return str(stage.prepare(GRANT, name=stage.named("role"), rules=[READ_PODS])["role"]["metadata"]["name"])


@path("provisioner", needs=[*READS_GRANT, "delete rolebindings", "create rolebindings"])
def role_of_a_grant_changed(stage: Stage) -> Result:
    stage.prepare(GRANT, **grant(stage, rules=None, cluster_role="view"))
    changed = grant(stage, rules=None, role=existing_role(stage), on_role_change="recreate")
    return stage.change(GRANT, **changed)


@path("provisioner", needs=[*READS_GRANT, "delete rolebindings", "create rolebindings"])
def role_of_a_grant_changed_without_a_gap(stage: Stage) -> Result:
    stage.prepare(GRANT, **grant(stage, rules=None, cluster_role="view"))
    changed = grant(stage, rules=None, role=existing_role(stage), on_role_change="overlap")
    return stage.change(GRANT, **changed)


def role_stays(run: Run) -> None:
    done_all_the_same(run)
    assert {action["verb"] + " " + action["kind"] for action in run.result["actions"]} in (
        {"delete RoleBinding"},
        {"delete ClusterRoleBinding"},
    )


@path(
    "provisioner",
    needs=[*READS_GRANT, "list rolebindings", "delete rolebindings", "delete roles"],
    degrades={"list rolebindings": role_stays},
)
def grant_taken_back(stage: Stage) -> Result:
    stage.prepare(GRANT, **grant(stage))
    return stage.change(GRANT, name=stage.caller, state="absent")


@path(
    "provisioner",
    needs=["list roles", "list rolebindings", "create roles", "create rolebindings"],
    degrades=dict.fromkeys(["list roles", "list rolebindings"], done_all_the_same),
)
def grants_of_a_long_list_made(stage: Stage) -> Result:
    grants = [{"name": name} for name in three(stage)]
    return stage.change(GRANT, bindings=grants, rules=[READ_PODS], service_accounts=["app"])


@path(
    "provisioner",
    needs=[*READS_GRANT, "list roles", "list rolebindings", "delete roles", "delete rolebindings"],
    tries=["list roles everywhere", "list rolebindings everywhere", "list clusterroles", "list clusterrolebindings"],
)
def grant_pruned(stage: Stage) -> Result:
    grants = [{"name": name} for name in three(stage)]
    declared = {"set_name": stage.caller, "rules": [READ_PODS], "service_accounts": ["app"]}
    stage.prepare(GRANT, bindings=grants, **declared)
    return stage.change(GRANT, bindings=grants[:1], prune=True, **declared)


@path("cluster-granter", needs=[*READS_CLUSTER_GRANT, "create clusterroles", "create clusterrolebindings"])
def rules_granted_cluster_wide(stage: Stage) -> Result:
    return stage.change(GRANT, **cluster_grant(stage))


@path("cluster-granter", needs=[*READS_CLUSTER_GRANT, "update clusterroles", "update clusterrolebindings"])
def cluster_wide_grant_changed(stage: Stage) -> Result:
    stage.prepare(GRANT, **cluster_grant(stage))
    accounts = [f"{stage.namespace}/another"]
    return stage.change(GRANT, **cluster_grant(stage, rules=[READ_BINDINGS], service_accounts=accounts))


@path(
    "cluster-granter",
    "grantable",
    needs=[*READS_CLUSTER_GRANT, "bind clusterroles", "create clusterrolebindings"],
)
def cluster_role_granted_cluster_wide(stage: Stage) -> Result:
    return stage.change(GRANT, **cluster_grant(stage, rules=None, cluster_role="view"))


@path(
    "cluster-granter",
    needs=[
        *READS_CLUSTER_GRANT,
        "list clusterrolebindings",
        "list rolebindings everywhere",
        "delete clusterrolebindings",
        "delete clusterroles",
    ],
    degrades=dict.fromkeys(["list clusterrolebindings", "list rolebindings everywhere"], role_stays),
)
def cluster_wide_grant_taken_back(stage: Stage) -> Result:
    stage.prepare(GRANT, **cluster_grant(stage))
    return stage.change(GRANT, name=stage.caller, namespace=None, cluster_wide=True, state="absent")


@path(
    "cluster-granter",
    needs=[
        *READS_CLUSTER_GRANT,
        "list clusterroles",
        "list clusterrolebindings",
        "list rolebindings everywhere",
        "delete clusterroles",
        "delete clusterrolebindings",
    ],
    tries=["list roles everywhere"],
    # a list without a grant in a namespace says nothing of any
    degrades={"list rolebindings everywhere": done_all_the_same},
)
def cluster_wide_grant_pruned(stage: Stage) -> Result:
    grants = [{"name": name} for name in three(stage)]
    declared = cluster_grant(stage, name=None, set_name=stage.caller)
    stage.prepare(GRANT, bindings=grants, **declared)
    return stage.change(GRANT, bindings=grants[:1], prune=True, **declared)


@path(
    "cluster-granter",
    "aggregator",
    needs=[
        *READS_CLUSTER_GRANT,
        "list clusterroles",
        "escalate clusterroles",
        "create clusterroles",
        "update clusterroles",
    ],
)
def aggregated_role_made_and_changed(stage: Stage) -> Result:
    for label in ("one", "other"):
        selectors = [{"match_labels": {f"example.com/{stage.caller}": label}}]
        made = cluster_grant(stage, rules=None, service_accounts=None, aggregation_selectors=selectors)
        result = stage.change(GRANT, **made)
    return result


# k8s_sa_token

TOKEN = "k8s_sa_token"

# nobody has the certificate authority of a server that is not verified
WITHOUT_CA = {"kubeconfig": None, "validate_certs": False, "allow_risks": ["insecure_transport"]}


def account(stage: Stage, suffix: str = "") -> str:
    """An account that is there."""
    name = stage.named(suffix) if suffix else stage.caller
    stage.prepare(ACCOUNT, name=name)
    return name


def admin_certificate(stage: Stage) -> dict[str, str]:
    """The administrator's connection without the cluster's certificate authority."""
    certificate, key = stage.cluster.client_cert("rights-admin", ["system:masters"])
    return {"host": stage.cluster.server, "client_cert": str(certificate), "client_key": str(key)}


MINTS = ["get serviceaccounts", "create serviceaccounts/token"]


@path("provisioner", "token-reviewer", needs=[*MINTS, "create tokenreviews"])
@path("renewer", "token-reviewer", needs=[*MINTS, "create tokenreviews"])
def token_kept_in_a_file_and_verified(stage: Stage) -> Result:
    return stage.change(TOKEN, name=account(stage), dest=stage.file("token"), verify="always")


@path("renewer", "token-reviewer", needs=[*MINTS, "create tokenreviews"], degrades={"create tokenreviews": unverified})
def token_kept_in_a_file(stage: Stage) -> Result:
    return stage.change(TOKEN, name=account(stage), dest=stage.file("token"))


def has_no_authority(run: Run) -> None:
    assert not run.result.get("failed"), run.result["msg"]
    config = yaml.safe_load(Path(run.stage.file("kubeconfig")).read_text())
    assert "certificate-authority-data" not in config["clusters"][0]["cluster"]
    place = ["get", "secret", run.stage.named("place"), "-n", run.stage.namespace]
    assert run.stage.cluster.kubectl(*place, "-o", r"jsonpath={.data.ca\.crt}").stdout == ""


@path(
    "provisioner",
    needs=[*MINTS, "get configmaps", "get secrets", "create secrets"],
    degrades={"get configmaps": has_no_authority},
)
@path(
    "renewer",
    needs=[*MINTS, "get configmaps", "get secrets", "create secrets"],
    degrades={"get configmaps": has_no_authority},
)
def token_kept_over_a_connection_without_an_authority(stage: Stage) -> Result:
    return stage.change(TOKEN, name=account(stage), verify="never", **without_an_authority(stage))


def without_an_authority(stage: Stage) -> dict[str, Any]:
    """A connection, and places that take a certificate authority."""
    sinks = [{"type": "secret", "name": stage.named("place")}]
    return {"kubeconfig_dest": stage.file("kubeconfig"), "sinks": sinks, **WITHOUT_CA, **admin_certificate(stage)}


def secret_sinks(stage: Stage) -> list[dict[str, str]]:
    """A Secret in each format."""
    formats = {"one": "token", "two": "kubeconfig", "three": "argocd_cluster"}
    return [{"type": "secret", "name": stage.named(name), "format": form} for name, form in formats.items()]


@path("provisioner", needs=[*MINTS, "get secrets", "create secrets"])
@path("renewer", needs=[*MINTS, "get secrets", "create secrets"])
def token_kept_in_secrets(stage: Stage) -> Result:
    return stage.change(TOKEN, name=account(stage), sinks=secret_sinks(stage), verify="never")


@path("provisioner", needs=[*MINTS, "get secrets", "patch secrets"])
@path("renewer", needs=[*MINTS, "get secrets", "patch secrets"])
def token_kept_in_a_secret_of_somebody_else(stage: Stage) -> Result:
    sinks = [{"type": "secret", "name": stage.create("Secret", "foreign")}]
    return stage.change(TOKEN, name=account(stage), sinks=sinks, verify="never")


# whose the account is does not matter as long as its tokens are told from those of others
REMOVES: dict[str, Check] = {"get serviceaccounts": done_all_the_same}


@path("provisioner", needs=[*REMOVES, "get secrets", "delete secrets"], degrades=REMOVES)
@path("revoker", needs=[*REMOVES, "get secrets", "delete secrets"], degrades=REMOVES)
def token_removed_from_secrets(stage: Stage) -> Result:
    options = {"name": account(stage), "sinks": secret_sinks(stage), "verify": "never"}
    stage.prepare(TOKEN, **options)
    return stage.change(TOKEN, **options, state="absent")


@path("provisioner", needs=[*REMOVES, "get secrets", "patch secrets"], degrades=REMOVES)
@path("revoker", needs=[*REMOVES, "get secrets", "patch secrets"], degrades=REMOVES)
def token_removed_from_a_secret_of_somebody_else(stage: Stage) -> Result:
    sinks = [{"type": "secret", "name": stage.create("Secret", "foreign")}]
    options = {"name": account(stage), "sinks": sinks, "verify": "never"}
    stage.prepare(TOKEN, **options)
    return stage.change(TOKEN, **options, state="absent")


ROTATES = [*MINTS, "list secrets", "create secrets", "patch secrets", "delete secrets"]


@path("provisioner", needs=ROTATES)
@path("renewer", needs=ROTATES)
def token_with_a_handle_rotated(stage: Stage) -> Result:
    options = {"name": account(stage), "handle": stage.caller, "dest": stage.file("token"), "verify": "never"}
    first = stage.change(TOKEN, **options)
    other = first["token_info"]["credential_id"]
    return stage.change(TOKEN, **options, overlap=0, renew_if_credential_id=other)


@path("provisioner", needs=[*REMOVES, "list secrets", "delete secrets"], degrades=REMOVES)
@path("revoker", needs=[*REMOVES, "list secrets", "delete secrets"], degrades=REMOVES)
def token_with_a_handle_revoked(stage: Stage) -> Result:
    options = {"name": account(stage), "handle": stage.caller, "dest": stage.file("token"), "verify": "never"}
    stage.prepare(TOKEN, **options)
    return stage.change(TOKEN, **options, state="absent")


def nothing_is_claimed(run: Run) -> None:
    warned("the API server does not know the token")(run)
    assert run.result["revoked"] is None


@path(
    "revoker",
    "token-reviewer",
    needs=["get serviceaccounts", "create tokenreviews"],
    degrades={"get serviceaccounts": nothing_is_claimed, "create tokenreviews": done_all_the_same},
)
def token_removed_whose_secret_somebody_deleted(stage: Stage) -> Result:
    options = {"name": account(stage), "dest": stage.file("token")}
    # a token that was never reviewed is not remembered as a good one
    stage.prepare(TOKEN, **options, handle=stage.caller, verify="never")
    stage.cluster.kubectl("delete", "secret", stage.named("1"), "-n", stage.namespace)
    return stage.change(TOKEN, **options, state="absent")


@path("renewer", needs=["get serviceaccounts", "list secrets", "get secrets"], tries=["get namespaces"])
def token_with_a_handle_in_secrets_predicted(stage: Stage) -> Result:
    options = {"handle": stage.caller, "sinks": secret_sinks(stage), "verify": "never"}
    return stage.change(TOKEN, name=account(stage), **options, check_mode=True)


def bound(stage: Stage, kind: str, name: str) -> Result:
    """A token that dies with an object."""
    about = {"kind": kind, "name": name}
    return stage.change(TOKEN, name=stage.caller, bound_object_ref=about, dest=stage.file("token"), verify="never")


@path(
    "provisioner",
    needs=[*MINTS, "get pods"],
    degrades={"get pods": warned("may not get Pod", "was recreated")},
)
@path(
    "renewer",
    needs=[*MINTS, "get pods"],
    degrades={"get pods": warned("may not get Pod", "was recreated")},
)
def token_bound_to_a_pod(stage: Stage) -> Result:
    containers = [{"name": "app", "image": "example.com/app"}]
    name = account(stage)
    spec = {"serviceAccountName": name, "containers": containers}
    return bound(stage, "Pod", stage.create("Pod", "pod", spec=spec))


@path(
    "provisioner",
    needs=[*MINTS, "get secrets"],
    degrades={"get secrets": warned("may not get Secret", "was recreated")},
)
@path(
    "renewer",
    needs=[*MINTS, "get secrets"],
    degrades={"get secrets": warned("may not get Secret", "was recreated")},
)
def token_bound_to_a_secret(stage: Stage) -> Result:
    account(stage)
    return bound(stage, "Secret", stage.create("Secret", "anchor"))


@path(
    "renewer",
    "node-reader",
    needs=[*MINTS, "get nodes"],
    degrades={"get nodes": warned("may not get Node", "was recreated")},
)
def token_bound_to_a_node(stage: Stage) -> Result:
    account(stage)
    return bound(stage, "Node", stage.create("Node", "node"))


LISTS_ACCOUNTS = ["list serviceaccounts", "create serviceaccounts/token"]


@path("provisioner", needs=LISTS_ACCOUNTS, degrades={"list serviceaccounts": done_all_the_same})
@path("renewer", needs=LISTS_ACCOUNTS, degrades={"list serviceaccounts": done_all_the_same})
def tokens_of_a_long_list_kept(stage: Stage) -> Result:
    tokens = [{"name": account(stage, suffix), "dest": stage.file(suffix)} for suffix in "abc"]
    return stage.change(TOKEN, tokens=tokens, verify="never")


@path("revoker", needs=["list serviceaccounts"], degrades={"list serviceaccounts": done_all_the_same})
def tokens_of_a_long_list_removed(stage: Stage) -> Result:
    tokens = [{"name": account(stage, suffix), "dest": stage.file(suffix)} for suffix in "abc"]
    stage.prepare(TOKEN, tokens=tokens, verify="never")
    return stage.change(TOKEN, tokens=tokens, verify="never", state="absent")


@path(
    "provisioner",
    needs=["get serviceaccounts", "list secrets", "delete secrets"],
    tries=["list secrets everywhere"],
)
def handle_pruned(stage: Stage) -> Result:
    account(stage)
    tokens = [{"name": stage.caller, "handle": stage.named(one), "dest": stage.file(one)} for one in ("a", "b")]
    declared = {"set_name": stage.caller, "verify": "never"}
    stage.prepare(TOKEN, tokens=tokens, **declared)
    return stage.change(TOKEN, tokens=tokens[:1], prune=True, **declared)


# k8s_legacy_token

LEGACY = "k8s_legacy_token"

# all that can use a Secret
_WORKLOADS = ("pods", "replicationcontrollers", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs")
USERS = [f"list {kind}" for kind in (*_WORKLOADS, "cronjobs")]

READS_ROW = ["list secrets", *USERS]
MAKES = ["get serviceaccounts", *READS_ROW, "get secrets", "create secrets"]
KEEPS = ["get serviceaccounts", *READS_ROW]


def users_are_not_known(run: Run) -> None:
    done_all_the_same(run)
    known = [generation["consumers"] for generation in run.result["generations"]]
    assert known
    assert not any(users is not None for users in known)


UNSEEN: dict[str, Check] = dict.fromkeys(USERS, users_are_not_known)
UNTOLD: dict[str, Check] = dict.fromkeys(USERS, done_all_the_same)


def long_lived(stage: Stage, **options: Any) -> dict[str, Any]:
    """A token that is nowhere but in its Secret, unless it is given places."""
    return {"name": stage.caller, "service_account": stage.caller, "rotate_after": "30d", "verify": "never", **options}


def made(stage: Stage, **options: Any) -> dict[str, Any]:
    """The same when it is there."""
    account(stage)
    declared = long_lived(stage, **options)
    stage.prepare(LEGACY, **declared)
    return declared


@path("provisioner", needs=MAKES, degrades=UNSEEN)
@path("renewer", needs=MAKES, degrades=UNSEEN)
def legacy_token_made_and_waited_for(stage: Stage) -> Result:
    account(stage)
    return stage.change(LEGACY, **long_lived(stage))


@path("provisioner", "token-reviewer", needs=[*MAKES, "create tokenreviews"], degrades=UNSEEN)
@path("renewer", "token-reviewer", needs=[*MAKES, "create tokenreviews"], degrades=UNSEEN)
def legacy_token_kept_in_files_and_verified(stage: Stage) -> Result:
    account(stage)
    places = {"dest": stage.file("token"), "kubeconfig_dest": stage.file("kubeconfig")}
    return stage.change(LEGACY, **long_lived(stage, verify="always", **places))


@path("provisioner", needs=MAKES, degrades=UNSEEN)
@path("renewer", needs=MAKES, degrades=UNSEEN)
def legacy_token_kept_in_secrets(stage: Stage) -> Result:
    account(stage)
    return stage.change(LEGACY, **long_lived(stage, sinks=secret_sinks(stage)))


@path("provisioner", needs=[*MAKES, "patch secrets"], degrades=UNSEEN)
@path("renewer", needs=[*MAKES, "patch secrets"], degrades=UNSEEN)
def legacy_token_kept_in_a_secret_of_somebody_else(stage: Stage) -> Result:
    account(stage)
    sinks = [{"type": "secret", "name": stage.create("Secret", "foreign")}]
    return stage.change(LEGACY, **long_lived(stage, sinks=sinks))


NO_AUTHORITY: dict[str, Check] = {**UNSEEN, "get configmaps": has_no_authority}


@path("provisioner", needs=[*MAKES, "get configmaps"], degrades=NO_AUTHORITY)
@path("renewer", needs=[*MAKES, "get configmaps"], degrades=NO_AUTHORITY)
def legacy_token_kept_over_a_connection_without_an_authority(stage: Stage) -> Result:
    account(stage)
    return stage.change(LEGACY, **long_lived(stage, **without_an_authority(stage)))


def made_by_hand(stage: Stage) -> str:
    """A Secret with a token of the account, as a manifest makes it."""
    name = account(stage)
    legacy.make(stage.cluster, stage.namespace, stage.named("hand"), account=name)
    legacy.filled(stage.cluster, stage.namespace, stage.named("hand"))
    return stage.named("hand")


@path("provisioner", needs=[*KEEPS, "patch secrets"], degrades=UNSEEN)
@path("renewer", needs=[*KEEPS, "patch secrets"], degrades=UNSEEN)
def legacy_token_of_somebody_else_taken_over(stage: Stage) -> Result:
    return stage.change(LEGACY, **long_lived(stage, name=made_by_hand(stage)))


MAKES_MANY = ["list serviceaccounts", *READS_ROW, "get secrets", "create secrets"]
MANY: dict[str, Check] = {**UNTOLD, "list serviceaccounts": done_all_the_same}


@path("provisioner", needs=MAKES_MANY, degrades=MANY)
@path("renewer", needs=MAKES_MANY, degrades=MANY)
def legacy_tokens_of_a_long_list_made(stage: Stage) -> Result:
    tokens = [{"name": account(stage, suffix), "service_account": stage.named(suffix)} for suffix in "abc"]
    return stage.change(LEGACY, legacy_tokens=tokens, rotate_after="30d", verify="never")


def rotated(stage: Stage, **options: Any) -> Result:
    """Another token, because the first one is older than a second."""
    declared = {**made(stage, dest=stage.file("token")), "rotate_after": 1, **options}
    time.sleep(1)
    return stage.change(LEGACY, **declared)


@path("provisioner", needs=[*MAKES, "patch secrets"], degrades=UNSEEN)
@path("renewer", needs=[*MAKES, "patch secrets"], degrades=UNSEEN)
def legacy_token_rotated_with_an_overlap(stage: Stage) -> Result:
    return rotated(stage, overlap="1h")


@path("provisioner", needs=[*MAKES, "delete secrets"], degrades=UNSEEN)
@path("renewer", needs=[*MAKES, "delete secrets"], degrades=UNSEEN)
def legacy_token_rotated_at_once(stage: Stage) -> Result:
    return rotated(stage, overlap=0)


@path("provisioner", needs=[*MAKES, "patch secrets"], degrades=UNSEEN)
@path("renewer", needs=[*MAKES, "patch secrets"], degrades=UNSEEN)
def legacy_token_rotated_and_suspended(stage: Stage) -> Result:
    return rotated(stage, overlap=0, on_retire="suspend")


def superseded(stage: Stage) -> dict[str, Any]:
    """A token that another has followed, whose overlap is over."""
    declared = {**made(stage), "overlap": "1h"}
    time.sleep(1)
    stage.prepare(LEGACY, **{**declared, "rotate_after": 1})
    return {**declared, "overlap": 0}


@path("provisioner", needs=[*KEEPS, "delete secrets"], degrades=UNSEEN)
@path("renewer", needs=[*KEEPS, "delete secrets"], degrades=UNSEEN)
def legacy_token_retired_by_deleting_it(stage: Stage) -> Result:
    return stage.change(LEGACY, **superseded(stage))


@path("provisioner", needs=[*KEEPS, "patch secrets"], degrades=UNSEEN)
@path("renewer", needs=[*KEEPS, "patch secrets"], degrades=UNSEEN)
def legacy_token_retired_by_suspending_it(stage: Stage) -> Result:
    return stage.change(LEGACY, **superseded(stage), on_retire="suspend")


@path("provisioner", needs=[*READS_ROW, "patch secrets"], degrades=UNSEEN)
@path("revoker", needs=["list secrets", "patch secrets"], tries=["list pods"])
def legacy_token_suspended(stage: Stage) -> Result:
    return stage.change(LEGACY, **made(stage), state="suspended")


@path("provisioner", needs=[*KEEPS, "patch secrets"], degrades=UNSEEN)
@path("renewer", needs=[*KEEPS, "patch secrets"], degrades=UNSEEN)
def legacy_token_good_again(stage: Stage) -> Result:
    declared = made(stage)
    stage.prepare(LEGACY, **declared, state="suspended")
    return stage.change(LEGACY, **declared)


@path("provisioner", needs=[*READS_ROW, "delete secrets"], degrades=UNTOLD)
@path("revoker", needs=["list secrets", "delete secrets"], tries=["list pods"])
def legacy_token_taken_back(stage: Stage) -> Result:
    return stage.change(LEGACY, **made(stage), state="absent")


PROVES = ["get secrets", "delete secrets", "create tokenreviews"]


@path("provisioner", "token-reviewer", needs=[*READS_ROW, *PROVES], degrades=UNTOLD)
@path("revoker", "token-reviewer", needs=["list secrets", *PROVES], tries=["list pods"])
def legacy_token_taken_back_in_all_places_and_seen_refused(stage: Stage) -> Result:
    places = {"dest": stage.file("token"), "kubeconfig_dest": stage.file("kubeconfig"), "sinks": secret_sinks(stage)}
    # the API server remembers for ten seconds that it accepted a token: this one it was never asked about
    return stage.change(LEGACY, **{**made(stage, **places), "verify": "always"}, state="absent")


@path("provisioner", needs=[*READS_ROW, "get secrets", "patch secrets", "delete secrets"], degrades=UNTOLD)
@path("revoker", needs=["list secrets", "get secrets", "patch secrets", "delete secrets"], tries=["list pods"])
def legacy_token_taken_back_in_a_secret_of_somebody_else(stage: Stage) -> Result:
    sinks = [{"type": "secret", "name": stage.create("Secret", "foreign")}]
    return stage.change(LEGACY, **made(stage, sinks=sinks), state="absent")


def it_stays(run: Run) -> None:
    assert not run.result.get("failed"), run.result["msg"]
    assert (run.result["changed"], run.result["reason"]) == (False, "usage_unknown")
    assert any("the caller may not" in warning for warning in run.result["warnings"])


CERTAIN = [*READS_ROW, "get configmaps", "delete secrets"]
UNCERTAIN: dict[str, Check] = dict.fromkeys([*USERS, "get configmaps"], it_stays)


@path("provisioner", "usage-reader", needs=CERTAIN, degrades=UNCERTAIN)
@path("revoker", "inspector", "usage-reader", needs=CERTAIN, degrades=UNCERTAIN)
def unused_legacy_token_taken_back(stage: Stage) -> Result:
    declared = made(stage)
    with legacy.tracked_since(stage.cluster, "2020-01-01"):
        return stage.task(LEGACY, **declared, state="absent", unused_for=0)


@path("provisioner", needs=[*KEEPS, "delete secrets"], tries=["list secrets everywhere"], degrades=UNTOLD)
@path("renewer", needs=[*KEEPS, "delete secrets"], tries=["list secrets everywhere"], degrades=UNTOLD)
def legacy_token_pruned(stage: Stage) -> Result:
    account(stage)
    tokens = [{"name": stage.named(suffix)} for suffix in "ab"]
    declared = long_lived(stage, name=None, set_name=stage.caller)
    stage.prepare(LEGACY, legacy_tokens=tokens, **declared)
    return stage.change(LEGACY, legacy_tokens=tokens[:1], prune=True, **declared)


PREDICTS: dict[str, Check] = {**UNSEEN, "get namespaces": done_all_the_same}


@path("provisioner", needs=[*KEEPS, "get secrets", "get namespaces"], degrades=PREDICTS)
@path("renewer", needs=[*KEEPS, "get secrets"], tries=["get namespaces"], degrades=UNSEEN)
def legacy_token_in_secrets_predicted(stage: Stage) -> Result:
    account(stage)
    return stage.change(LEGACY, **long_lived(stage, sinks=secret_sinks(stage)), check_mode=True)


# k8s_namespace_info


@path("namespace-lister", needs=["list namespaces"])
def namespaces_by_label(stage: Stage) -> Result:
    return stage.task("k8s_namespace_info", label_selector=f"kubernetes.io/metadata.name={stage.namespace}")


# k8s_sa_info

INFO = "k8s_sa_info"

INVENTORY = ["list serviceaccounts", "list secrets", *USERS, "get configmaps"]


def ours(run: Run) -> dict[str, Any]:
    """What was found of the caller's token."""
    (found,) = [token for token in run.result["legacy_tokens"] if token["name"] == run.stage.caller]
    return dict(found)


def users_are_not_said(run: Run) -> None:
    warned("who uses the Secrets is not fully known")(run)
    assert (ours(run)["mounted_by"], ours(run)["env_used_by"]) == (None, None)


def usage_is_not_said(run: Run) -> None:
    warned("since when the use of long-lived tokens is noted")(run)
    assert (ours(run)["unused"], ours(run)["unused_since"]) == (None, None)


SAID: dict[str, Check] = dict.fromkeys(USERS, users_are_not_said)
GAPS: dict[str, Check] = {**SAID, "get configmaps": usage_is_not_said}


@path("inspector", "usage-reader", needs=INVENTORY, degrades=GAPS)
def inventory_of_a_namespace(stage: Stage) -> Result:
    made(stage)
    return stage.task(INFO, namespaces=[stage.namespace])


@path("inspector", needs=["list serviceaccounts", "list secrets", *USERS], tries=["get configmaps"], degrades=SAID)
@path("renewer", needs=["list serviceaccounts", "list secrets", *USERS], tries=["get configmaps"], degrades=SAID)
def inventory_without_the_time_of_use(stage: Stage) -> Result:
    made(stage)
    return stage.task(INFO, namespaces=[stage.namespace])


@path("revoker", needs=["list serviceaccounts", "list secrets"], tries=["list pods", "get configmaps"])
def inventory_without_workloads(stage: Stage) -> Result:
    made(stage)
    return stage.task(INFO, namespaces=[stage.namespace])


@path("inspector everywhere", "usage-reader", needs=INVENTORY, degrades=GAPS)
def inventory_of_several_namespaces(stage: Stage) -> Result:
    made(stage)
    return stage.task(INFO, namespaces=[stage.namespace, "default"])


def nothing_is_said_of_namespaces(run: Run) -> None:
    assert not run.result.get("failed"), run.result["msg"]
    assert ours(run)["name"] == run.stage.caller
    assert not [said for said in run.result.get("warnings", ()) if "does not exist" in said]


@path(
    "inspector everywhere",
    "usage-reader",
    needs=[*INVENTORY, "get namespaces"],
    degrades={**GAPS, "get namespaces": nothing_is_said_of_namespaces},
)
def inventory_of_a_namespace_that_does_not_exist(stage: Stage) -> Result:
    made(stage)
    return stage.task(INFO, namespaces=[stage.namespace, stage.named("nowhere")])


NOT_FOR_THEM = ["get namespaces", "list pods", "get configmaps"]


@path("revoker", needs=["list serviceaccounts", "list secrets"], tries=NOT_FOR_THEM)
def inventory_of_accounts_that_are_not_there(stage: Stage) -> Result:
    return stage.task(INFO, namespaces=[stage.namespace], label_selector=f"app={stage.caller}")


EVERYWHERE_GAPS: dict[str, Check] = {
    **{f"{right} {EVERYWHERE}": users_are_not_said for right in USERS},
    "get configmaps": usage_is_not_said,
}


@path(
    "inspector everywhere",
    "usage-reader",
    needs=[*(f"{right} {EVERYWHERE}" for right in INVENTORY if right != "get configmaps"), "get configmaps"],
    degrades=EVERYWHERE_GAPS,
)
def inventory_of_the_cluster(stage: Stage) -> Result:
    made(stage)
    return stage.task(INFO, namespaces=None)


# k8s_sa_diagnose

DIAGNOSE = "k8s_sa_diagnose"

LOOKING = ["get pods", "get serviceaccounts"]


def account_is_not_known(run: Run) -> None:
    assert not run.result.get("failed"), run.result["msg"]
    assert (run.result["healthy"], "the caller may not get it" in run.result["msg"]) == (None, True)


def pod_without_a_node(stage: Stage) -> str:
    """A Pod that a kubelet is said to run, so that it is tried to look into it."""
    volumes = [{"name": "t", "projected": {"sources": [{"serviceAccountToken": {"path": "token"}}]}}]
    mounts = [{"name": "t", "mountPath": "/t"}]
    containers = [{"name": "app", "image": "none", "volumeMounts": mounts}]
    spec = {"serviceAccountName": account(stage), "containers": containers, "volumes": volumes}
    name = stage.create("Pod", "pod", spec={**spec, "automountServiceAccountToken": False})
    started = {"name": "app", "image": "none", "imageID": "", "ready": True, "restartCount": 0}
    running = {"startedAt": "2026-01-01T00:00:00Z"}
    status = {"phase": "Running", "containerStatuses": [{**started, "state": {"running": running}}]}
    patch = ("--subresource=status", "--type=merge", "-p", json.dumps({"status": status}))
    stage.cluster.kubectl("patch", "pod", name, "-n", stage.namespace, *patch)
    return name


@path("diagnoser", needs=LOOKING, degrades={"get serviceaccounts": account_is_not_known})
def pod_diagnosed(stage: Stage) -> Result:
    return stage.task(DIAGNOSE, pod=pod_without_a_node(stage))


@path(
    "diagnoser",
    needs=[*LOOKING, "get pods/exec", "create pods/exec"],
    degrades={"get serviceaccounts": account_is_not_known},
)
def pod_diagnosed_from_inside(stage: Stage) -> Result:
    result = stage.task(DIAGNOSE, pod=pod_without_a_node(stage), look_inside=True)
    assert "does not have a host assigned" in result["msg"], "whoever got so far may run programs"
    return result


# k8s_sa_access

ACCESS = "k8s_sa_access"

READS_POLICY = [f"list {kind}" for kind in ("clusterroles", "clusterrolebindings")] + [
    f"list {kind} everywhere" for kind in ("roles", "rolebindings")
]


def existence_is_not_known(run: Run) -> None:
    warned("whether", "exists is not known")(run)
    assert run.result["exists"] is None


@path(
    "verifier",
    needs=["get serviceaccounts", "get namespaces", "create subjectaccessreviews"],
    degrades={"get serviceaccounts": existence_is_not_known, "get namespaces": done_all_the_same},
)
def access_proven(stage: Stage) -> Result:
    name = account(stage)
    cannot = ["get secrets", "list nodes", f"get pods in {stage.named('typo')}"]
    return stage.task(ACCESS, service_account=name, can=["get /version"], cannot=cannot)


@path(
    "verifier",
    needs=["get serviceaccounts", "get namespaces", "create subjectaccessreviews", *READS_POLICY],
    degrades={"get serviceaccounts": existence_is_not_known, "get namespaces": done_all_the_same},
)
def access_explained(stage: Stage) -> Result:
    asked = {"can": ["get /version"], "cannot": ["get secrets in any namespace"], "who_can": ["get secrets"]}
    return stage.task(ACCESS, service_account=account(stage), **asked, explain=True, effective_rules=True)


@path(
    "verifier",
    needs=["list serviceaccounts", "list namespaces", "create subjectaccessreviews"],
    degrades=dict.fromkeys(["list serviceaccounts", "list namespaces"], done_all_the_same),
)
def access_of_many_accounts_proven(stage: Stage) -> Result:
    accounts = [{"service_account": account(stage, suffix)} for suffix in "abc"]
    return stage.task(ACCESS, accounts=accounts, cannot=["get pods", "get pods in default", "get pods in kube-system"])


ASKS_HERE = ["get serviceaccounts", "get namespaces", "create localsubjectaccessreviews"]


def both_ways_to_ask_are_named(run: Run) -> None:
    """The right to ask in the whole cluster is the one that was tried first."""
    assert run.result["failed"]
    assert run.result["error"]["rbac_rule"]["resources"] == ["subjectaccessreviews"]
    here = f"or localsubjectaccessreviews in namespace {run.stage.namespace}"
    assert run.result["msg"].endswith(f"allow the caller to create subjectaccessreviews cluster-wide, {here}")


@path(
    "namespace-verifier",
    needs=ASKS_HERE,
    tries=["create subjectaccessreviews"],
    degrades={
        "get serviceaccounts": existence_is_not_known,
        "get namespaces": done_all_the_same,
        "create localsubjectaccessreviews": both_ways_to_ask_are_named,
    },
)
def access_in_a_namespace_proven(stage: Stage) -> Result:
    return stage.task(ACCESS, service_account=account(stage), cannot=["get pods"])


def binding_is_not_known(run: Run) -> None:
    assert not run.result.get("failed"), run.result["msg"]
    assert run.result["explain"][0]["cause"] == "unknown"


@path(
    "namespace-verifier",
    needs=[*ASKS_HERE, "list roles", "list rolebindings"],
    tries=["create subjectaccessreviews", *READS_POLICY],
    degrades={
        **dict.fromkeys(["list roles", "list rolebindings"], binding_is_not_known),
        "create localsubjectaccessreviews": both_ways_to_ask_are_named,
        "get serviceaccounts": existence_is_not_known,
        "get namespaces": done_all_the_same,
    },
)
def access_in_a_namespace_explained(stage: Stage) -> Result:
    stage.prepare(GRANT, **grant(stage))
    return stage.task(ACCESS, service_account=account(stage), can=["get pods"], explain=True)


@path(
    "namespace-verifier",
    needs=["list serviceaccounts", "get namespaces", "create localsubjectaccessreviews"],
    tries=["create subjectaccessreviews"],
    degrades={
        **dict.fromkeys(["list serviceaccounts", "get namespaces"], done_all_the_same),
        "create localsubjectaccessreviews": both_ways_to_ask_are_named,
    },
)
def access_of_many_accounts_in_a_namespace_proven(stage: Stage) -> Result:
    accounts = [{"service_account": account(stage, suffix)} for suffix in "abc"]
    return stage.task(ACCESS, accounts=accounts, cannot=["get pods"])


# k8s_sa_volume

VOLUME = "k8s_sa_volume"

WORKLOADS = {
    "Deployment": "deployments",
    "StatefulSet": "statefulsets",
    "DaemonSet": "daemonsets",
    "ReplicaSet": "replicasets",
    "CronJob": "cronjobs",
}


def put_in_all_the_same(run: Run) -> None:
    assert not run.result.get("failed"), run.result["msg"]
    assert [action["verb"] for action in run.result["actions"]] in (["update"], ["update"] * 3)


def one_workload(kind: str) -> Callable[[Stage], Result]:
    """A volume for a workload of that kind."""

    def take(stage: Stage) -> Result:
        name = account(stage)
        create(stage.cluster, stage.namespace, workload(kind, name))
        return stage.change(VOLUME, kind=kind, name=name, service_account=name, fs_group=65534)

    take.__name__ = f"volume_put_into_a_{kind}"
    return take


def many_workloads(kind: str) -> Callable[[Stage], Result]:
    """Volumes for three of that kind, so that they are read with one request, and so are their accounts."""

    def take(stage: Stage) -> Result:
        names = [account(stage, suffix) for suffix in "abc"]
        create(stage.cluster, stage.namespace, *(workload(kind, name) for name in names))
        workloads = [{"kind": kind, "name": name, "service_account": name} for name in names]
        return stage.change(VOLUME, workloads=workloads, fs_group=65534)

    take.__name__ = f"volumes_put_into_three_{kind}s"
    return take


for _kind, _plural in WORKLOADS.items():
    path(
        "mounter",
        needs=[f"get {_plural}", f"update {_plural}", "get serviceaccounts"],
        degrades={"get serviceaccounts": put_in_all_the_same},
    )(one_workload(_kind))
    path(
        "mounter",
        needs=[f"list {_plural}", f"update {_plural}", "list serviceaccounts"],
        degrades=dict.fromkeys([f"list {_plural}", "list serviceaccounts"], put_in_all_the_same),
    )(many_workloads(_kind))


@path("mounter", needs=["get deployments", "update deployments"])
def volume_taken_out(stage: Stage) -> Result:
    name = account(stage)
    create(stage.cluster, stage.namespace, workload("Deployment", name))
    stage.prepare(VOLUME, name=name)
    return stage.change(VOLUME, name=name, state="absent")


# k8s_sa_consumer

CONSUMER = "k8s_sa_consumer"


def reader(stage: Stage, kind: str = "Deployment") -> dict[str, str]:
    """A workload with a Secret in its environment, and another Secret that it is to use."""
    former, secret = (stage.create("Secret", suffix, stringData={"token": "x"}) for suffix in ("former", "next"))
    one = {"secretKeyRef": {"name": former, "key": "token"}}
    containers = [{"name": "app", "image": "i", "env": [{"name": "TOKEN", "valueFrom": one}]}]
    create(stage.cluster, stage.namespace, workload(kind, stage.caller, {"containers": containers}))
    return {"kind": kind, "name": stage.caller, "from_secret": former, "to_secret": secret}


@path("mounter", "renewer", needs=["get deployments", "update deployments", "get secrets"])
@path("mounter", "provisioner", needs=["get deployments", "update deployments", "get secrets"])
def workload_led_to_another_secret(stage: Stage) -> Result:
    return stage.change(CONSUMER, **reader(stage))


@path("mounter", "renewer", needs=["get cronjobs", "update cronjobs", "get secrets"])
def scheduled_workload_led_to_another_secret(stage: Stage) -> Result:
    return stage.change(CONSUMER, **reader(stage, "CronJob"))


# Playbooks


def listed(stage: Stage, **token: Any) -> list[dict[str, Any]]:
    """An account with all that a list can say."""
    place = {"type": "secret", "name": stage.named("place")}
    return [
        {
            "name": stage.caller,
            "namespace": stage.namespace,
            "grants": [{"rules": [READ_PODS]}, {"name": stage.named("view"), "cluster_role": "view"}],
            "tokens": [{"handle": stage.caller, "dest": stage.file("token"), "sinks": [place], **token}],
            "legacy_tokens": [{"name": stage.named("long"), "rotate_after": "30d", "dest": stage.file("long")}],
            "access": {"can": ["get pods"], "cannot": ["get secrets"]},
        }
    ]


@path(
    "provisioner",
    "grantable",
    "token-reviewer",
    "verifier",
    needs=[
        *["get serviceaccounts", "create serviceaccounts"],
        *["get roles", "create roles", "get rolebindings", "create rolebindings"],
        *["get clusterroles", "bind clusterroles"],
        *["create serviceaccounts/token", "get secrets", "list secrets", "create secrets", "patch secrets"],
        *["create tokenreviews", "get namespaces", "create subjectaccessreviews"],
        *USERS,
    ],
)
def playbook_provision(stage: Stage) -> Result:
    return stage.playbook("provision", listed(stage))


@path(
    "provisioner",
    "mounter",
    needs=[
        *["get serviceaccounts", "create serviceaccounts"],
        *["get deployments", "get cronjobs", "update deployments", "update cronjobs"],
    ],
)
def playbook_provision_of_a_list_with_volumes(stage: Stage) -> Result:
    create(stage.cluster, stage.namespace, *(workload(kind, stage.caller) for kind in ("Deployment", "CronJob")))
    volumes = [{"name": stage.caller, "fs_group": 65534}, {"kind": "CronJob", "name": stage.caller, "fs_group": 65534}]
    return stage.playbook("provision", [{"name": stage.caller, "namespace": stage.namespace, "volumes": volumes}])


@path(
    "renewer",
    "token-reviewer",
    needs=[*MINTS, "get secrets", "list secrets", "create secrets", "patch secrets", "create tokenreviews", *USERS],
)
def playbook_renew(stage: Stage) -> Result:
    account(stage)
    return stage.playbook("renew", listed(stage))


@path(
    "revoker",
    "token-reviewer",
    needs=["get serviceaccounts", "get secrets", "list secrets", "delete secrets", "create tokenreviews"],
    tries=["list pods"],
)
def playbook_revoke(stage: Stage) -> Result:
    account(stage)
    (declared,) = listed(stage, verify="never")
    stage.prepare(TOKEN, name=stage.caller, **declared["tokens"][0])
    stage.prepare(LEGACY, **long_lived(stage, **declared["legacy_tokens"][0]))
    # the API server remembers for ten seconds that it accepted a token: this one it was never asked about
    return stage.playbook("revoke", listed(stage))


@path("verifier", needs=["get serviceaccounts", "get namespaces", "create subjectaccessreviews"])
def playbook_verify_access(stage: Stage) -> Result:
    stage.prepare(GRANT, **grant(stage, name=account(stage)))
    return stage.playbook("verify_access", listed(stage))


def to_be_migrated(stage: Stage) -> list[dict[str, Any]]:
    """A token that a Deployment has in its environment, one that another has mounted, and one in a file."""
    account(stage)
    names = {way: stage.named(way) for way in ("env", "mount", "file")}
    for name in names.values():
        legacy.make(stage.cluster, stage.namespace, name, account=stage.caller)
        legacy.filled(stage.cluster, stage.namespace, name)
    for way, pod in (("env", legacy.reading(names["env"])), ("mount", legacy.mounting(names["mount"]))):
        create(stage.cluster, stage.namespace, legacy.deployment(names[way], pod))
    place = {"volume_name": "t", "mount_path": "/t", "fs_group": 5}
    sinks = [{"type": "secret", "name": stage.named("minted")}]
    workloads = [{"name": names["env"], "wait": False}]
    more: dict[str, dict[str, Any]] = {
        "env": {"tokens": [{"sinks": sinks, "workloads": workloads}]},
        "mount": {"volumes": [{"name": names["mount"], "wait": False, **place}]},
        "file": {"tokens": [{"dest": stage.file("token"), "handle": stage.named("handle")}]},
    }
    common = {"namespace": stage.namespace, "service_account": stage.caller}
    return [{"secret": name, **common, **more[way]} for way, name in names.items()]


MIGRATES = [
    *INVENTORY,
    *["get serviceaccounts", "create serviceaccounts/token", "create tokenreviews"],
    *["get secrets", "create secrets", "patch secrets"],
    *["get deployments", "update deployments"],
]
MIGRATORS = ("inspector", "usage-reader", "renewer", "revoker", "mounter", "token-reviewer")


@path(*MIGRATORS, needs=MIGRATES)
def playbook_migrate_legacy(stage: Stage) -> Result:
    return stage.playbook("migrate_legacy", [], migrate_list=to_be_migrated(stage), migrate_unused_for=0)


@path(*MIGRATORS, needs=[*MIGRATES, "delete secrets"])
def playbook_migrate_legacy_to_the_end(stage: Stage) -> Result:
    entries = to_be_migrated(stage)
    moving = {"migrate_list": entries, "migrate_unused_for": 0, "migrate_quiet_for": 0}
    with legacy.tracked_since(stage.cluster, "2020-01-01"):
        stage.playbook("migrate_legacy", [], **moving)
        for entry in entries:
            days = [f"{label}=2026-01-01" for label in (legacy.LAST_USED, legacy.INVALID_SINCE)]
            legacy.label(stage.cluster, stage.namespace, entry["secret"], *days)
        return stage.playbook("migrate_legacy", [], **moving, migrate_until="delete")


@path(*MIGRATORS, needs=[*MIGRATES, "delete secrets"])
def playbook_migrate_legacy_and_back(stage: Stage) -> Result:
    moving = {"migrate_list": to_be_migrated(stage), "migrate_unused_for": 0}
    stage.playbook("migrate_legacy", [], **moving)
    return stage.playbook("migrate_legacy", [], **moving, migrate_undo=True)


# Roles without playbooks of their own


@path("mounter", needs=["get deployments", "update deployments", "get serviceaccounts"])
def playbook_of_the_role_projected_tokens(stage: Stage) -> Result:
    name = account(stage)
    create(stage.cluster, stage.namespace, workload("Deployment", name))
    volume = {"name": name, "namespace": stage.namespace, "service_account": name, "fs_group": 65534}
    return stage.role("projected_tokens", projected_tokens_list=[volume])


@path("provisioner", "token-reviewer", needs=[*MAKES, "create tokenreviews"])
@path("renewer", "token-reviewer", needs=[*MAKES, "create tokenreviews"])
def playbook_of_the_role_legacy_tokens(stage: Stage) -> Result:
    name, place = account(stage), {"namespace": stage.namespace, "dest": stage.file("token")}
    return stage.role("legacy_tokens", legacy_tokens_list=[{"name": stage.caller, "service_account": name, **place}])


@path(
    "revoker",
    "inspector",
    "usage-reader",
    "token-reviewer",
    needs=[*INVENTORY, "get secrets", "delete secrets", "create tokenreviews"],
)
def playbook_of_the_role_legacy_tokens_that_cleans_up(stage: Stage) -> Result:
    made_by_hand(stage)
    with legacy.tracked_since(stage.cluster, "2020-01-01"):
        where = {"legacy_tokens_unused_for": 0, "legacy_tokens_namespaces": [stage.namespace]}
        return stage.role("legacy_tokens", "clean", **where)
