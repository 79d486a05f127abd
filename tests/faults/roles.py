# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every entry point of the roles that writes, places where each can be run, and what a run leaves there."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml
from cluster.controlplane import Cluster
from conftest import COLLECTIONS, Task
from faults import legacy
from faults.tokens import claims_of, is_accepted
from faults.workloads import create, report, workload

COLLECTION = "tokenwright.kubernetes"
CALLBACKS = Path(__file__).parents[1] / "faults/callbacks"
KINDS = (
    "serviceaccounts,secrets,roles.rbac.authorization.k8s.io,rolebindings.rbac.authorization.k8s.io,deployments.apps"
)
# what differs from run to run, and what is a secret or made of one
CHANGING = {"uid", "resourceVersion", "creationTimestamp", "generation", "managedFields", "status"}
TIME = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+Z)?")
HASH = re.compile(r"\b[0-9a-f]{16}([0-9a-f]{48})?\b")
UID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")

Item = dict[str, Any]


@dataclass(frozen=True)
class Place:
    """Where one death takes place.

    Attributes:
        namespace: its namespace, called like nothing else on the cluster.
        directory: where its files are.
        since: when it was there, in seconds since 1970.
    """

    namespace: str
    directory: Path
    since: int


@dataclass(frozen=True)
class Stage:
    """The cluster, and how things are made on it without the roles.

    Attributes:
        cluster: a control plane.
        run_task: runs one module.
        directory: for whatever is written.
    """

    cluster: Cluster
    run_task: Task
    directory: Path

    def place(self, begin: Callable[[Stage, Place], None]) -> Place:
        """Another place, as it is before the role is run."""
        place = self.nowhere()
        self.cluster.kubectl("create", "namespace", place.namespace)
        begin(self, place)
        return replace(place, since=int(time.time()))

    def nowhere(self) -> Place:
        """A place of which there is only the directory."""
        name = f"role-{uuid.uuid4().hex[:10]}"
        (self.directory / name).mkdir()
        return Place(name, self.directory / name, int(time.time()))

    def play(self, case: Case, places: Sequence[Place], after: int = 0, *, check: bool = False) -> Result:
        """Run the role at these places in one go, as far as the result of the given number."""
        plays = [
            {
                "hosts": "localhost",
                "gather_facts": False,
                "tasks": [
                    *case.tasks_before(places[0]),
                    {
                        "name": "The role",
                        "ansible.builtin.import_role": {"name": f"{COLLECTION}.{case.role}", "tasks_from": case.entry},
                        "vars": variables,
                    },
                ],
            }
            for variables in case.given(places)
        ]
        number = uuid.uuid4().hex
        play, log = self.directory / f"{number}.yml", self.directory / f"{number}.log"
        play.write_text(yaml.safe_dump(plays, sort_keys=False))
        done = self._ansible(
            [str(play), *(["--check"] if check else [])], {"DIES_LOG": str(log), "DIES_AFTER": str(after)}
        )
        return Result(done.returncode, done.stdout + done.stderr, log.read_text().splitlines())

    def _ansible(self, arguments: list[str], variables: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
        """Run ansible-playbook in a process group of its own, which may be killed."""
        return subprocess.run(
            [str(Path(sys.executable).with_name("ansible-playbook")), *arguments],
            env={
                **os.environ,
                "ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS),
                "ANSIBLE_CALLBACK_PLUGINS": str(CALLBACKS),
                "ANSIBLE_CALLBACKS_ENABLED": "dies",
                "ANSIBLE_LOCALHOST_WARNING": "False",
                "ANSIBLE_INVENTORY_UNPARSED_WARNING": "False",
                "ANSIBLE_NOCOLOR": "1",
                "ANSIBLE_LOCAL_TEMP": str(self.directory / "temporary"),
                "K8S_AUTH_KUBECONFIG": str(self.cluster.kubeconfig),
                **variables,
            },
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            start_new_session=True,
        )

    def state(self, place: Place) -> Item:
        """What is there, in the cluster and in files, without what is another thing each time."""
        listed = json.loads(self.cluster.kubectl("get", KINDS, "-n", place.namespace, "-o", "json").stdout)
        objects = {f"{one['kind']} {one['metadata']['name']}": _lasting(one) for one in listed["items"]}
        files = {path.name: self._who(path) for path in sorted(place.directory.iterdir())}
        text = json.dumps({"objects": objects, "files": files}, sort_keys=True).replace(place.namespace, "HERE")
        state: Item = json.loads(HASH.sub("HASH", UID.sub("UID", TIME.sub("TIME", text))))
        return state

    def _who(self, path: Path) -> Item:
        """Whose token is in a file, bound to what, and whether the server accepts it; nothing if there is none."""
        token = re.findall(r"eyJ[\w-]+\.[\w-]+\.[\w-]+", path.read_text())
        if not token:
            return {}
        claims = claims_of(token[0])
        bound = claims.get("kubernetes.io", {}).get("secret", {}).get("name")
        return {"sub": claims["sub"], "bound": bound, "accepted": is_accepted(self.cluster, token[0])}


def after_changes(tasks: Sequence[str]) -> list[int]:
    """The numbers of the results that changed something: after any other one there is what was there before it."""
    return [number for number, task in enumerate(tasks, 1) if task.split()[1] == "changed"]


@dataclass(frozen=True)
class Result:
    """How a run of a role ended.

    Attributes:
        status: the exit status, minus a signal's number if it was killed.
        said: everything.
        tasks: the results, one line for each: the action, whether it changed something, the task's name.
    """

    status: int
    said: str
    tasks: list[str]

    @property
    def changes(self) -> list[str]:
        return [self.tasks[number - 1] for number in after_changes(self.tasks)]


@dataclass(frozen=True)
class Case:
    """One entry point that writes.

    Attributes:
        role: the role.
        entry: the entry point.
        changes: how many of its tasks change something.
        begin: makes what there is before it.
        variables: what it is given at a place.
        predicted: how many of these check mode can know.
        joined: the variable whose lists are given for several places in one go, for what takes its time.
        tasks_before: what the play does before, at the only place.
    """

    role: str
    entry: str
    changes: int
    begin: Callable[[Stage, Place], None]
    variables: Callable[[Place], Item]
    predicted: int | None = None
    joined: str = ""
    tasks_before: Callable[[Place], list[Item]] = lambda _place: []

    def given(self, places: Sequence[Place]) -> list[Item]:
        """What the role is given, once for each time that it is run."""
        given = [self.variables(place) for place in places]
        if not self.joined:
            return given
        return [{**given[0], self.joined: [entry for one in given for entry in one[self.joined]]}]


def _lasting(obj: Item) -> Item:
    """An object without what is another thing each time; of a Secret only the keys."""
    metadata = {key: value for key, value in obj["metadata"].items() if key not in CHANGING}
    # which the server notes, in its own time, also when a test tries the token
    labels = {key: value for key, value in metadata.pop("labels", {}).items() if key != legacy.LAST_USED}
    rest = {key: value for key, value in obj.items() if key not in CHANGING | {"metadata"}}
    return {**rest, "metadata": {**metadata, "labels": labels}, "data": sorted(obj.get("data", {}))}


# --- what the roles are run on

RULES = [{"verbs": ["get", "list"], "resources": ["pods"]}]
IN_TIME = {"expiration_seconds": "8h", "verify": "never"}


def accounts(place: Place) -> Item:
    """A list with all that an account may have."""
    app = {
        "name": "app",
        "namespace": place.namespace,
        "grants": [{"rules": RULES}],
        "tokens": [
            {"handle": "app", "dest": str(place.directory / "app"), **IN_TIME},
            {"handle": "pod", "sinks": [{"type": "secret", "name": "app-token"}], **IN_TIME},
        ],
        "legacy_tokens": [
            {"name": "old", "rotate_after": "30d", "verify": "never", "dest": str(place.directory / "old")}
        ],
    }
    return {"service_accounts_list": [app], "service_accounts_set": place.namespace}


def everything(place: Place) -> Item:
    """The same with a volume, somebody who is to go, and a proof."""
    given = accounts(place)
    app = {**given["service_accounts_list"][0], "volumes": [{"name": "web", "fs_group": 5}]}
    app["access"] = {"can": ["list pods"], "cannot": ["get secrets"]}
    grants = [{"name": "leaving", "cluster_role": "view"}]
    leaving = {"name": "leaving", "namespace": place.namespace, "state": "absent", "grants": grants}
    return {**given, "service_accounts_list": [app, leaving], "service_accounts_prune": True}


def with_others(stage: Stage, place: Place) -> None:
    """Somebody who is to go by the list, somebody who has left it, and a workload."""
    create(stage.cluster, place.namespace, workload("Deployment", "web"))
    names = ("leaving", "former")
    common = {"namespace": place.namespace, "set_name": place.namespace}
    stage.run_task("k8s_sa", accounts=[{"name": name} for name in names], **common)
    grants = [{"name": name, "service_accounts": [name], "cluster_role": "view"} for name in names]
    done = stage.run_task("k8s_sa_binding", bindings=grants, **common)
    assert not done.get("failed"), done


def with_account(stage: Stage, place: Place) -> None:
    """Only the account."""
    done = stage.run_task("k8s_sa", name="app", namespace=place.namespace)
    assert not done.get("failed"), done


def with_tokens(stage: Stage, place: Place) -> None:
    """The account with the tokens of the list."""
    with_account(stage, place)
    app = accounts(place)["service_accounts_list"][0]
    belonging = {"service_account": "app", "namespace": place.namespace}
    for module, key in (("k8s_sa_token", "tokens"), ("k8s_legacy_token", "legacy_tokens")):
        done = stage.run_task(module, **{key: [{**one, **belonging} for one in app[key]]})
        assert not done.get("failed"), done


def with_workload(stage: Stage, place: Place) -> None:
    """The account, and a workload that is to run under it."""
    with_account(stage, place)
    create(stage.cluster, place.namespace, workload("Deployment", "web"))


def by_hand(stage: Stage, place: Place) -> None:
    """Two long-lived tokens that nobody uses."""
    with_account(stage, place)
    for name in ("one", "two"):
        legacy.make(stage.cluster, place.namespace, name)
        legacy.filled(stage.cluster, place.namespace, name)


def in_use(stage: Stage, place: Place) -> None:
    """A long-lived token that two workloads use."""
    with_account(stage, place)
    legacy.make(stage.cluster, place.namespace, "used")
    legacy.filled(stage.cluster, place.namespace, "used")
    pods = {"mounter": legacy.mounting("used"), "reader": legacy.reading("used")}
    create(stage.cluster, place.namespace, *[legacy.deployment(name, pod) for name, pod in pods.items()])
    for name in pods:
        report(stage.cluster, place.namespace, "deployment", name)


def rotated(place: Place) -> Item:
    """A token that was made before the place was ready is old; one that is made later is not."""
    age = f"{{{{ now().timestamp() | int - {place.since} }}}}"
    token = {"name": "old", "service_account": "app", "namespace": place.namespace, "verify": "never"}
    return {
        "legacy_tokens_list": [{**token, "dest": str(place.directory / "old")}, {**token, "name": "new"}],
        "legacy_tokens_rotate_after": age,
        "legacy_tokens_overlap": 0,
        "legacy_tokens_on_retire": "suspend",
    }


def unused(place: Place) -> Item:
    """Whatever has not been used for a second."""
    return {"legacy_tokens_unused_for": 1, "legacy_tokens_namespaces": [place.namespace]}


def stock(place: Place) -> Item:
    """Only the question what there is."""
    return {"migrate_namespaces": [place.namespace]}


def moved(place: Place) -> Item:
    """One workload gets a volume, the other one another Secret; then the old token is suspended."""
    sink = {"type": "secret", "name": "used-short"}
    entry = {
        "secret": "used",
        "namespace": place.namespace,
        "service_account": "app",
        "volumes": [{"name": "mounter", "volume_name": "t", "mount_path": "/t", "fs_group": 5}],
        "tokens": [{**IN_TIME, "sinks": [sink], "workloads": [{"name": "reader"}]}],
    }
    return {"migrate_list": [entry], "migrate_until": "suspend", "migrate_unused_for": 0}


CASES = [
    Case("service_accounts", "main", 6, with_others, everything),
    Case("service_accounts", "renew", 2, with_account, accounts),
    Case("service_accounts", "revoke", 2, with_tokens, accounts),
    Case(
        "projected_tokens",
        "main",
        1,
        with_workload,
        lambda place: {
            "projected_tokens_list": [
                {"name": "web", "namespace": place.namespace, "service_account": "app"},
                {
                    "name": "web",
                    "namespace": place.namespace,
                    "volume_name": "vault",
                    "mount_path": "/vault",
                    "sources": [{"token": {"audience": "vault"}}],
                },
            ],
            "projected_tokens_fs_group": 5,
        },
    ),
    Case("legacy_tokens", "main", 1, with_tokens, rotated),
    Case(
        "legacy_tokens",
        "clean",
        1,
        by_hand,
        unused,
    ),
    Case("legacy_tokens", "migrate", 4, in_use, moved, predicted=3, joined="migrate_list"),
]

# What is not run here, and why.
ELSEWHERE = {
    ("awx_credential", "main"): "it also takes what stands in for AWX, see test_role_awx_credential.py",
    ("service_accounts", "verify_access"): "it changes nothing, see test_playbooks_access.py",
}


def made_with_namespace(place: Place) -> Item:
    """The list for a namespace that is not there."""
    given = accounts(place)
    app = {**given["service_accounts_list"][0], "create_namespace": True, "access": {"can": ["list pods"]}}
    return {**given, "service_accounts_list": [app], "service_accounts_prune": True}


def account_before(place: Place) -> list[Item]:
    """What makes the account, for roles that do not."""
    options = {"name": "app", "namespace": place.namespace, "create_namespace": True}
    return [{"name": "Make the account", f"{COLLECTION}.k8s_sa": options}]


def nothing(stage: Stage, place: Place) -> None:
    """There is nothing before it."""


# What begins where there is nothing. A workload has to be there, so projected_tokens is not among them.
BARE = [
    Case("service_accounts", "main", 4, nothing, made_with_namespace),
    Case("service_accounts", "renew", 3, nothing, accounts, tasks_before=account_before),
    Case("service_accounts", "revoke", 0, nothing, accounts),
    Case("legacy_tokens", "main", 2, nothing, rotated, tasks_before=account_before),
    Case("legacy_tokens", "clean", 0, nothing, unused),
    Case("legacy_tokens", "migrate", 0, nothing, stock),
]
