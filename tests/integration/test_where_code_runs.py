# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same task in the controller and as a shipped module gives the same result, byte for byte, without secrets."""

from __future__ import annotations

import base64
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from cluster.pods import pod
from conftest import Play, Task
from faults.tokens import values
from faults.workloads import create, pod_of, workload

Run = Callable[..., Play]

LOCALHOST = {"hosts": "localhost", "gather_facts": False}
NS = {"namespace": "{{ ns }}"}
FROM_FILE = "{{ lookup('file', admin) | from_yaml }}"

VOLUME_OF_CONFIG = {"config_map": {"name": "c", "items": [{"key": "a", "path": "a", "mode": 256}], "optional": True}}

# one play, run once per way; {where} makes the difference
TASKS: list[dict[str, Any]] = [
    {"tokenwright.kubernetes.k8s_sa": {"name": "app", **NS, "labels": {"a": 1, "b": True}}},
    {
        "tokenwright.kubernetes.k8s_sa": {
            **NS,
            "accounts": [{"name": "app"}, {"name": "b"}, {"name": "C"}],
        }
    },
    {
        "tokenwright.kubernetes.k8s_sa": {
            **NS,
            "accounts": [{"name": "app"}, {"name": "x", "namespace": "no"}],
        }
    },
    {"tokenwright.kubernetes.k8s_sa": {"name": "app", **NS, "expires_at": "soon"}},
    {"tokenwright.kubernetes.k8s_sa": {"name": "app", **NS, "no_such_option": 1}},
    {"tokenwright.kubernetes.k8s_sa": {"name": "app", **NS, "workers": "many"}},
    {"tokenwright.kubernetes.k8s_sa": {"name": "app", **NS, "validate_certs": False}},
    {
        "tokenwright.kubernetes.k8s_sa_binding": {
            "name": "grant",
            **NS,
            "rules": [{"verbs": ["get"], "resources": ["pods"]}],
            "service_accounts": ["app"],
        }
    },
    {
        "tokenwright.kubernetes.k8s_sa_token": {
            "name": "app",
            **NS,
            "dest": "{{ dir }}/token",
            "return_token": True,
        }
    },
    {
        "tokenwright.kubernetes.k8s_sa": {
            "name": "app",
            **NS,
            "kubeconfig": "{{ lookup('file', admin) | from_yaml }}",
        }
    },
    {"tokenwright.kubernetes.k8s_sa": {"name": "app", **NS, "kubeconfig": "/no/such/file"}},
    {
        "tokenwright.kubernetes.k8s_sa_token": {
            "name": "app",
            **NS,
            "handle": "ci",
            "dest": "{{ dir }}/handled",
            "overlap": "1h",
        }
    },
    {
        "tokenwright.kubernetes.k8s_sa_token": {
            **NS,
            "tokens": [{"name": "app", "sinks": [{"type": "secret", "name": "kept", "format": "argocd_cluster"}]}],
        }
    },
    {
        "tokenwright.kubernetes.k8s_sa_token": {
            "name": "app",
            **NS,
            "sinks": [
                {
                    "type": "secret",
                    "name": "elsewhere",
                    "connection": {"kubeconfig": "{{ lookup('file', admin) | from_yaml }}", "context": None},
                }
            ],
        }
    },
    # only in check mode there is something to take back: what the first way deletes, the second would not find
    {
        "tokenwright.kubernetes.k8s_sa_token": {
            "name": "app",
            **NS,
            "handle": "doomed",
            "dest": "{{ dir }}/doomed",
            "state": "absent",
        }
    },
    {"tokenwright.kubernetes.k8s_sa_token": {"name": "app", **NS, "handle": "x", "dest": "/x", "bound_object_ref": {}}},
    {
        "tokenwright.kubernetes.k8s_sa_access": {
            **NS,
            "accounts": [{"name": "app", "can": ["get pods"]}, {"name": "b", "cannot": [{"verb": "get", "url": "/x"}]}],
            "explain": True,
            "effective_rules": True,
            "who_can": ["get pods"],
        }
    },
    {
        "tokenwright.kubernetes.k8s_sa_access": {
            "name": "app",
            **NS,
            "can": ["delete pods", "get pods"],
            "wait": 0,
            "kubeconfig": "{{ lookup('file', admin) | from_yaml }}",
        }
    },
    {"tokenwright.kubernetes.k8s_sa_access": {"name": "app", **NS, "can": [["get", "pods"]]}},
    {
        "tokenwright.kubernetes.k8s_legacy_token": {
            "name": "long",
            "service_account": "app",
            **NS,
            "dest": "{{ dir }}/long",
            "return_token": True,
        }
    },
    {
        "tokenwright.kubernetes.k8s_legacy_token": {
            **NS,
            "service_account": "app",
            "state": "suspended",
            "legacy_tokens": [{"name": "none"}, {"name": "Bad"}],
        }
    },
    {"tokenwright.kubernetes.k8s_legacy_token": {"name": "kept", "service_account": "app", **NS, "rotate_after": "1h"}},
    {"tokenwright.kubernetes.k8s_sa_info": {"namespaces": ["{{ ns }}", "kube-public"], "unused_for": "1h"}},
    {
        "tokenwright.kubernetes.k8s_sa_info": {
            "namespaces": ["{{ ns }}"],
            "label_selector": "b=1",
            "kubeconfig": FROM_FILE,
        }
    },
    {"tokenwright.kubernetes.k8s_sa_info": {"namespaces": ["{{ ns }}", "Bad"]}},
    {
        "tokenwright.kubernetes.k8s_sa_volume": {
            "name": "web",
            **NS,
            "sources": [
                {"service_account_token": {"audience": "vault", "expiration_seconds": "10m"}},
                VOLUME_OF_CONFIG,
            ],
            "default_mode": "0440",
        }
    },
    {
        "tokenwright.kubernetes.k8s_sa_volume": {
            **NS,
            "workloads": [{"name": "no"}, {"name": "gone", "state": "absent"}],
        }
    },
    {"tokenwright.kubernetes.k8s_sa_volume": {"name": "web", **NS, "sources": [{"token": {"audiences": ["a"]}}]}},
    {"tokenwright.kubernetes.k8s_sa_diagnose": {"pod": "web", **NS, "audience": "vault", "look_inside": True}},
    {"tokenwright.kubernetes.k8s_sa_diagnose": {"pod": "none", **NS, "kubeconfig": FROM_FILE}},
    {"tokenwright.kubernetes.k8s_sa_diagnose": {**NS, "container": "app"}},
    {"tokenwright.kubernetes.k8s_sa_consumer": {"name": "env", **NS, "from_secret": "long", "to_secret": "elsewhere"}},
    {
        "tokenwright.kubernetes.k8s_sa_consumer": {
            **NS,
            "to_secret": "elsewhere",
            "workloads": [{"name": "no"}, {"name": "web"}, {"name": "env", "wait": True, "wait_timeout": 0}],
            "kubeconfig": FROM_FILE,
        }
    },
    {"tokenwright.kubernetes.k8s_sa_consumer": {"name": "env", **NS, "to_secret": ["elsewhere"]}},
    {"tokenwright.kubernetes.k8s_namespace_info": {"label_selector": {"kubernetes.io/metadata.name": "{{ ns }}"}}},
    {"tokenwright.kubernetes.k8s_namespace_info": {"label_selector": ["team=ci"]}},
]

# another spelling of the same interpreter cannot be recognised as the controller's: the module is shipped
SHIPPED = str(Path(sys.executable).parent / ".." / "bin" / Path(sys.executable).name)


def whole_play(namespace: str, directory: Path, admin: Path, results: Path) -> str:
    tasks: list[dict[str, Any]] = []
    for number, task in enumerate(TASKS):
        tasks.append({**task, "register": f"r{number}", "ignore_errors": True})
    names = ", ".join(f"r{number}" for number in range(len(TASKS)))
    dump = {"dest": str(results), "mode": "0600", "content": "{{ [" + names + "] | to_json }}"}
    tasks.append({"ansible.builtin.copy": dump, "no_log": True, "diff": False, "check_mode": False})
    hosts = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"ns": namespace, "dir": str(directory), "admin": str(admin)},
    }
    return yaml.safe_dump([{**hosts, "tasks": tasks}], sort_keys=False)


def keep_tokens(run_task: Task, namespace: str, directory: Path, admin: Path, *, doomed: bool) -> None:
    """The tokens that the play finds up to date, or takes back."""
    app = {"name": "app", "namespace": namespace}
    kept = {"type": "secret", "name": "kept", "format": "argocd_cluster"}
    elsewhere = {"type": "secret", "name": "elsewhere", "connection": {"kubeconfig": yaml.safe_load(admin.read_text())}}
    tokens: list[dict[str, Any]] = [
        {"dest": str(directory / "token")},
        {"dest": str(directory / "handled"), "handle": "ci"},
        {"sinks": [kept]},
        {"sinks": [elsewhere]},
    ]
    if doomed:
        tokens.append({"dest": str(directory / "doomed"), "handle": "doomed"})
    for token in tokens:
        made = run_task("k8s_sa_token", **app, **token)
        assert not made.get("failed"), made["msg"]


def keep_long_lived(run_task: Task, namespace: str, directory: Path) -> None:
    """The token that the play finds up to date."""
    options = {"name": "long", "service_account": "app", "namespace": namespace, "dest": str(directory / "long")}
    made = run_task("k8s_legacy_token", **options)
    assert not made.get("failed"), made["msg"]


def put_volumes_in(cluster: Cluster, run_task: Task, namespace: str) -> None:
    """The volume that the play finds up to date, in a workload that another task of it finds without one."""
    create(cluster, namespace, workload("Deployment", "web"))
    sources = [{"token": {"audience": "vault", "expiration_seconds": 600}}, VOLUME_OF_CONFIG]
    made = run_task("k8s_sa_volume", name="web", namespace=namespace, sources=sources, default_mode="0440")
    assert not made.get("failed"), made["msg"]


def lead_to_a_secret(cluster: Cluster, run_task: Task, namespace: str) -> None:
    """The workload that the play finds where it should be; the Secret is one that another task of it keeps."""
    reference = {"secretKeyRef": {"name": "long", "key": "token"}}
    containers = [{"name": "app", "image": "i", "env": [{"name": "TOKEN", "valueFrom": reference}]}]
    create(cluster, namespace, workload("Deployment", "env", {"containers": containers}))
    led = run_task("k8s_sa_consumer", name="env", namespace=namespace, from_secret="long", to_secret="elsewhere")
    assert not led.get("failed"), led["msg"]


def secrets_of(cluster: Cluster, namespace: str) -> list[str]:
    """The administrator's key and all that the Secrets hold and nobody may see, as they are and in base64."""
    key = yaml.safe_load(cluster.kubeconfig.read_text())["users"][0]["user"]["client-key-data"]
    kept, elsewhere = values(cluster, namespace, "kept"), values(cluster, namespace, "elsewhere")
    plain = [json.loads(kept["config"])["bearerToken"], elsewhere["token"]]
    return [key, *plain, *(base64.b64encode(text.encode()).decode() for text in plain)]


def without_noise(result: Any) -> Any:
    """The core adds a note about tracebacks to failures, in its own way for each kind of task; and Secrets age."""
    kept = {key: value for key, value in result.items() if key not in ("exception", "ansible_facts")}
    for secret in (*kept.get("generations", []), *kept.get("legacy_tokens", [])):
        del secret["age"]
    return kept


@pytest.mark.parametrize("check", [False, True])
def test_both_ways_give_the_same(
    cluster: Cluster, namespace: str, run_task: Task, run_playbook: Run, tmp_path: Path, check: bool
) -> None:
    run_task(
        "k8s_sa", accounts=[{"name": "app", "labels": {"a": "1", "b": "true"}}, {"name": "b"}], namespace=namespace
    )
    keep_tokens(run_task, namespace, tmp_path, cluster.kubeconfig, doomed=check)
    keep_long_lived(run_task, namespace, tmp_path)
    put_volumes_in(cluster, run_task, namespace)
    create(cluster, namespace, pod("web", {"serviceAccountName": "app", **pod_of()}))
    lead_to_a_secret(cluster, run_task, namespace)
    run_task(
        "k8s_sa_binding",
        name="grant",
        namespace=namespace,
        rules=[{"verbs": ["get"], "resources": ["pods"]}],
        service_accounts=["app"],
    )
    token = (tmp_path / "token").read_text()
    long_lived = (tmp_path / "long").read_text()
    secrets = [token, long_lived, (tmp_path / "handled").read_text(), *secrets_of(cluster, namespace)]
    results = {}
    for way, extra in {"here": [], "shipped": ["-e", f"ansible_python_interpreter={SHIPPED}"]}.items():
        place = tmp_path / f"{way}.json"
        done = run_playbook(
            whole_play(namespace, tmp_path, cluster.kubeconfig, place), "-vvv", "--diff", *extra, check=check
        )
        assert done.rc == 0, done.stdout + done.stderr
        shipped = done.stdout.count("AnsiballZ_k8s_sa")
        assert bool(shipped) is (way == "shipped"), "each way really is that way"
        assert not [secret for secret in secrets if secret in done.stdout + done.stderr]
        assert "client-key-data" not in done.stdout + done.stderr
        results[way] = [without_noise(result) for result in json.loads(place.read_text())]
        but_the_asked_for = [{**result, "token": None, "auth": None} for result in results[way]]
        assert not [secret for secret in secrets if secret in json.dumps(but_the_asked_for)]
    for here, shipped_result in zip(results["here"], results["shipped"], strict=True):
        assert json.dumps(here, sort_keys=True) == json.dumps(shipped_result, sort_keys=True)
    assert results["here"][8].get("token") == (None if check else token)
    assert results["here"][19].get("token") == (None if check else long_lived)
    assert [bool(result.get("failed")) for result in results["here"]] == [
        False, True, not check, True, True, True, False, False, False, False, True,
        False, False, False, False, True, False, True, True, False, True, True, False, False, True,
        False, not check, True, False, True, True, False, True, True,
        False, True,
    ]  # fmt: skip
    assert [result["reason"] for result in results["here"][11:]] == [
        "up_to_date", "up_to_date", "up_to_date", "revoked" if check else "up_to_date", "invalid_option",
        "holds", "access_deviates", "invalid_option", "up_to_date", "invalid_option", "other_type",
        "gathered", "gathered", "invalid_option",
        "up_to_date", "changed" if check else "failed", "invalid_option",
        "not_known", "not_found", "invalid_option",
        "up_to_date", "failed", "invalid_option",
        "gathered", "invalid_option",
    ]  # fmt: skip
    inventory = [(one["name"], one["namespace"]) for one in results["here"][22]["legacy_tokens"]]
    assert inventory == [("long", namespace)]


FORCED: list[dict[str, Any]] = [
    {"environment": {"LC_ALL": "C"}},
    {"async": 60, "poll": 1},
    {"become": True, "become_method": "ansible.builtin.su"},
    {"vars": {"ansible_python_interpreter": SHIPPED}},
]


@pytest.mark.parametrize("keywords", FORCED, ids=lambda keywords: next(iter(keywords)))
def test_what_makes_it_another_process_ships_the_module(
    namespace: str, run_playbook: Run, tmp_path: Path, keywords: dict[str, Any]
) -> None:
    task = {"tokenwright.kubernetes.k8s_sa": {"name": "app", "namespace": namespace}, **keywords}
    # where HOME is another directory than the user's own, Ansible would look for its job in the wrong one
    done = run_playbook([{**LOCALHOST, "tasks": [task]}], "-vvv", env={"ANSIBLE_ASYNC_DIR": str(tmp_path)})
    assert done.rc == 0, done.stdout
    assert "AnsiballZ_k8s_sa" in done.stdout


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("k8s_sa_token", {"name": "default", "return_token": True}),
        ("k8s_sa_token", {"tokens": [{"name": "default", "return_token": True}]}),
        ("k8s_sa_token", {"tokens": ["name=default return_token=yes"]}),
        ("k8s_legacy_token", {"legacy_tokens": [{"name": "a", "service_account": "default", "return_token": True}]}),
    ],
)
def test_a_token_is_not_returned_to_an_async_job(
    namespace: str, run_playbook: Run, module: str, options: dict[str, Any]
) -> None:
    options = {**options, "namespace": namespace}
    task = {f"tokenwright.kubernetes.{module}": options, "async": 60, "poll": 1}
    done = run_playbook([{**LOCALHOST, "tasks": [task]}])
    assert done.rc != 0
    assert "return_token cannot be used with async" in done.stdout + done.stderr


def test_delegation_to_localhost_runs_here(namespace: str, run_playbook: Run, tmp_path: Path) -> None:
    (tmp_path / "inventory").write_text("far-away ansible_host=192.0.2.1\n")
    task = {"tokenwright.kubernetes.k8s_sa": {"name": "app", "namespace": namespace}, "delegate_to": "localhost"}
    done = run_playbook(
        [{"hosts": "far-away", "gather_facts": False, "tasks": [task]}], "-vvv", "-i", str(tmp_path / "inventory")
    )
    assert done.rc == 0, done.stdout
    assert "AnsiballZ" not in done.stdout


def test_group_defaults_reach_every_module(cluster: Cluster, namespace: str, run_playbook: Run, tmp_path: Path) -> None:
    options = {"namespace": namespace, "kubeconfig": str(cluster.kubeconfig)}
    tasks = [
        {"tokenwright.kubernetes.k8s_sa": {"name": "app"}},
        {"tokenwright.kubernetes.k8s_sa_token": {"name": "app", "dest": str(tmp_path / "t")}},
        {"tokenwright.kubernetes.k8s_sa_binding": {"name": "g", "cluster_role": "view", "service_accounts": ["app"]}},
        {"tokenwright.kubernetes.k8s_sa_access": {"name": "app", "can": ["get pods"]}},
        {"tokenwright.kubernetes.k8s_legacy_token": {"name": "long", "service_account": "app"}},
        {"tokenwright.kubernetes.k8s_namespace_info": {}},
        {"tokenwright.kubernetes.k8s_sa_info": {}},
        {"tokenwright.kubernetes.k8s_sa_info": {"namespaces": ["default"]}},
        {"tokenwright.kubernetes.k8s_sa_volume": {"name": "web", "fs_group": 65534}},
        {"tokenwright.kubernetes.k8s_sa_diagnose": {"pod": "web"}},
        {"tokenwright.kubernetes.k8s_sa_consumer": {"name": "env", "from_secret": "none", "to_secret": "long"}},
    ]
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "web"}}
    web = pod("web", {"serviceAccountName": "web", **pod_of()})
    whole = {"containers": [{"name": "app", "image": "i", "envFrom": [{"secretRef": {"name": "none"}}]}]}
    create(cluster, namespace, workload("Deployment", "web"), workload("Deployment", "env", whole), account, web)
    defaults = {"group/tokenwright.kubernetes.k8s_sa": "{{ connection }}"}
    play = [{**LOCALHOST, "vars": {"connection": options}, "module_defaults": defaults, "tasks": tasks}]
    done = run_playbook(play, env={"K8S_AUTH_KUBECONFIG": "/no/such/file"})
    assert done.rc == 0, done.stdout
    assert done.changed == 6
