# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where the playbook migrate_legacy stops, and what it says then; on a control plane without Pods."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import ROOT, Play, Task
from faults import legacy
from faults.workloads import create, live, template_of

MIGRATE = "tokenwright.kubernetes.migrate_legacy"
Item = dict[str, Any]
Writes = Callable[[int], list[str]]


@pytest.fixture
def migrate(run_playbook: Callable[..., Play], namespace: str) -> Callable[..., Play]:
    """Run the playbook on entries of one namespace."""

    def run(*entries: Item, rc: int = 0, **variables: Any) -> Play:
        listed = [{"namespace": namespace, "service_account": "app", **entry} for entry in entries]
        done = run_playbook(MIGRATE, "-e", json.dumps({"migrate_list": listed, "migrate_unused_for": 0, **variables}))
        assert done.rc == rc, done.stdout + done.stderr
        assert "eyJ" not in done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def stocked(cluster: Cluster, namespace: str, run_task: Task) -> str:
    """Two long-lived tokens, of which a workload has one mounted."""
    run_task("k8s_sa", accounts=[{"name": "app"}, {"name": "other"}], namespace=namespace)
    for name in ("used", "free"):
        legacy.make(cluster, namespace, name)
        legacy.filled(cluster, namespace, name)
    create(cluster, namespace, legacy.deployment("web", legacy.mounting("used")))
    return namespace


def test_without_a_list_it_writes_nothing_and_says_what_could_be_moved(
    cluster: Cluster, stocked: str, run_playbook: Callable[..., Play], writes: Writes
) -> None:
    mark = cluster.audit_mark()
    done = run_playbook(MIGRATE)
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert writes(mark) == []
    volume = "{kind: Deployment, name: web, volume_name: t, mount_path: /t, containers: [c]}"
    entry = f"{{secret: used, namespace: {stocked}, service_account: app, volumes: [{volume}]}}"
    assert f"- {entry}" in done.stdout
    assert "eyJ" not in done.stdout + done.stderr


def test_a_list_may_be_the_text_of_a_survey(stocked: str, run_playbook: Callable[..., Play]) -> None:
    text = yaml.safe_dump([{"secret": "free", "namespace": stocked, "service_account": "app"}])
    done = run_playbook(MIGRATE, "-e", json.dumps({"migrate_list": text, "migrate_until": "plan"}))
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert "plan     used by no workload; no use of it was noted" in done.stdout


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"migrate_list": [{"secret": "a", "namespace": "b"}]}, "migrate_list[0]: service_account is missing"),
        (
            {"migrate_list": [{"secret": "a", "namespace": "b", "service_account": "c", "tokens": [{"handel": "x"}]}]},
            "migrate_list[0].tokens[0]: handel is unknown here: did you mean handle?",
        ),
        (
            {
                "migrate_list": [
                    {
                        "secret": "a",
                        "namespace": "b",
                        "service_account": "c",
                        "tokens": [{"handle": "x", "overlap": "y"}],
                    }
                ]
            },
            "migrate_list[0].tokens[0]: overlap: 'y' is not a duration",
        ),
        (
            {
                "migrate_list": [
                    {"secret": "a", "namespace": "b", "service_account": "c", "volumes": [{"name": "w", "kind": "Job"}]}
                ]
            },
            "migrate_list[0].volumes[0]: kind: Kubernetes lets nobody change the template of a Job that exists",
        ),
        ({"migrate_quiet_for": "long"}, "migrate_quiet_for: 'long' is not a duration"),
    ],
)
def test_a_mistake_ends_it_before_the_first_request(
    cluster: Cluster, run_playbook: Callable[..., Play], variables: Item, said: str
) -> None:
    mark = cluster.audit_mark()
    done = run_playbook(MIGRATE, "-e", json.dumps(variables))
    assert done.rc == 2
    assert said in done.stdout
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]


def test_an_entry_that_contradicts_the_cluster_is_not_begun(
    cluster: Cluster, stocked: str, migrate: Callable[..., Play], run_task: Task, writes: Writes
) -> None:
    run_task("k8s_legacy_token", name="row", service_account="app", namespace=stocked, verify="never")
    legacy.label(cluster, stocked, "free", "tokenwright/legacy-token=row")
    token = {"sinks": [{"type": "secret", "name": "minted"}]}
    mark = cluster.audit_mark()
    done = migrate(
        {"secret": "free", "tokens": [token]},
        {"secret": "used", "service_account": "other", "tokens": [{"sinks": [{"type": "secret", "name": "b"}]}]},
        rc=2,
    )
    assert "free: Secret free is one of the token row: name row instead" in done.stdout
    assert "used: its token is for the account app: correct secret or service_account" in done.stdout
    assert writes(mark) == []


def test_a_volume_that_is_not_the_secrets_is_not_replaced(
    cluster: Cluster, stocked: str, migrate: Callable[..., Play], writes: Writes
) -> None:
    other = legacy.mounting("used")
    other["volumes"].append({"name": "data", "emptyDir": {}})
    create(cluster, stocked, legacy.deployment("two", other))
    mark = cluster.audit_mark()
    wrong = {"name": "two", "volume_name": "data", "mount_path": "/data", "wait": False}
    done = migrate({"secret": "used", "volumes": [wrong]}, rc=2)
    assert "has a volume data already, and it is not ours (emptyDir)" in done.stdout
    assert writes(mark) == []


def test_what_somebody_else_has_suspended_is_not_led_back(
    cluster: Cluster, stocked: str, migrate: Callable[..., Play]
) -> None:
    right = {"name": "web", "volume_name": "t", "mount_path": "/t", "fs_group": 5, "wait": False}
    entry = {"secret": "used", "volumes": [right]}
    assert migrate(entry, migrate_until="move").changed == 1
    legacy.label(cluster, stocked, "used", f"{legacy.INVALID_SINCE}=2026-01-01")
    before = live(cluster, stocked, "deployment", "web")
    refused = migrate(entry, rc=2, migrate_undo=True)
    assert "is suspended since 2026-01-01, and not by this module" in refused.stdout
    assert live(cluster, stocked, "deployment", "web") == before
    legacy.label(cluster, stocked, "used", f"{legacy.INVALID_SINCE}-")
    assert migrate(entry, migrate_undo=True).changed == 1
    assert template_of(live(cluster, stocked, "deployment", "web"))["volumes"][0]["secret"]["secretName"] == "used"
    cluster.kubectl("delete", "secret", "used", "-n", stocked)
    gone = migrate(entry, rc=2, migrate_undo=True)
    assert "there is no such Secret any more, and what is deleted does not come back" in gone.stdout


def test_one_that_fails_does_not_keep_the_others_from_it(
    cluster: Cluster, stocked: str, migrate: Callable[..., Play], run_task: Task
) -> None:
    run_task("k8s_legacy_token", name="row", service_account="app", namespace=stocked, verify="never")
    bad = {"secret": "used", "tokens": [{"dest": "/proc/token"}]}
    done = migrate(bad, {"secret": "free"}, {"secret": "row"}, rc=2)
    assert f"1 of 3 cannot go on: {stocked}/used: " in done.stdout
    assert "/proc" in done.stdout
    labels = cluster.kubectl(
        "get", "secret", "free", "row", "-n", stocked, "-o", "jsonpath={.items[*].metadata.labels}"
    )
    assert labels.stdout.count(legacy.INVALID_SINCE) == 2
    assert "k8s_legacy_token looks after it: a list of its own must not name it" in done.stdout
    assert migrate({"secret": "free"}, {"secret": "row"}).changed == 0


def test_the_list_of_the_examples_can_be_used_as_it_is(run_playbook: Callable[..., Play]) -> None:
    example = ROOT / "examples/migrate.yml"
    done = run_playbook(
        MIGRATE, "-e", f"@{example}", "-e", "migrate_until=plan", "-e", "examples_namespace_prefix=none-"
    )
    assert (done.rc, done.changed) == (0, 0), done.stdout
    assert done.stdout.count("plan     there is no such Secret (any more)") == 3


def test_it_has_the_form_of_provision() -> None:
    """What differs is what it is called and which tasks of which role it runs."""

    def form(playbook: str) -> Item:
        play, report = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())
        (block,) = play.pop("tasks")
        (task,) = block.pop("block")
        return {
            **play,
            **block,
            "name": "",
            "with": task["module_defaults"],
            "end": report["ansible.builtin.import_playbook"],
        }

    assert form("migrate_legacy") == form("provision")
