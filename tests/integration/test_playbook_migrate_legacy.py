# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook migrate_legacy with real consumers on a node: they work after each step, also without the old token."""

from __future__ import annotations

import base64
import json
import re
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.audit import is_write
from cluster.controlplane import Cluster
from cluster.images import APP
from cluster.observing import within
from cluster.pods import deployment, pod_spec
from conftest import Play, player
from faults import legacy
from faults.workloads import live, template_of

MIGRATE = "tokenwright.kubernetes.migrate_legacy"
Item = dict[str, Any]

# asks the API server again and again who it is, with a token from its environment or from a file
PROGRAM = """
import os, sys, time, requests
server = "https://{KUBERNETES_SERVICE_HOST}:{KUBERNETES_SERVICE_PORT}".format(**os.environ)
review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
if "CA" in os.environ:
    open("/tmp/ca.crt", "w").write(os.environ["CA"])
while True:
    token = os.environ["TOKEN"] if sys.argv[1] == "env" else open(sys.argv[1] + "/token").read()
    ca = "/tmp/ca.crt" if sys.argv[1] == "env" else sys.argv[1] + "/ca.crt"
    path = server + "/apis/authentication.k8s.io/v1/selfsubjectreviews"
    answer = requests.post(path, json=review, verify=ca, headers={"Authorization": "Bearer " + token})
    works = answer.status_code == 201
    open("/tmp/next", "w").write(answer.json()["status"]["userInfo"]["username"] if works else "refused")
    os.replace("/tmp/next", "/tmp/works" if works else "/tmp/refused")
    if not works and os.path.exists("/tmp/works"):
        os.remove("/tmp/works")
    time.sleep(0.3)
"""
WORKS = "/tmp/works"  # noqa: S108 - in a container of its own
READY = {"readinessProbe": {"exec": {"command": ["cat", WORKS]}, "periodSeconds": 1}}

# a proof as a user would write it
PROOF = """
- name: Ask the consumer whether it works
  ansible.builtin.command:
    argv: "{{{{ {kubectl} + ['exec', '-n', migrate_entry.namespace, 'deploy/' ~ consumer, '--', 'cat', works] }}}}"
  vars:
    works: /tmp/works
    consumer: "{{{{ migrate_entry.secret | replace('-token', '') }}}}"
  register: consumer_says
  changed_when: false
  check_mode: false
  failed_when: consumer_says.stdout != 'system:serviceaccount:' ~ migrate_entry.namespace ~ ':scanner'
"""
FORGOTTEN = """
- name: Ask somebody who was forgotten
  ansible.builtin.command:
    argv: {argv}
  changed_when: false
"""


def container(source: str, **more: Any) -> Item:
    return {"image": APP, "command": ["python3", "-u", "-c", PROGRAM, source], **READY, **more}


def reader(server: str) -> Item:
    """A Deployment whose container has the token in its environment."""
    spec = pod_spec(server, **container("env"))
    env = spec["containers"][0]["env"]
    for name, key in (("TOKEN", "token"), ("CA", "ca.crt")):
        env.append({"name": name, "valueFrom": {"secretKeyRef": {"name": "reader-token", "key": key}}})
    return deployment("reader", spec)


def mounter(server: str) -> Item:
    """A Deployment whose container has the token in a file."""
    mount = {"name": "credentials", "mountPath": "/credentials", "readOnly": True}
    spec = pod_spec(server, **container("/credentials", volumeMounts=[mount]))
    spec["volumes"] = [{"name": "credentials", "secret": {"secretName": "mounter-token"}}]
    # it pays no heed to being asked to end, so that it is still there for a while when its successor is
    spec["terminationGracePeriodSeconds"] = 4
    return deployment("mounter", spec)


def said_by(says: Callable[[], str], expected: str) -> bool:
    return says() == expected


@dataclass(frozen=True)
class Place:
    """Three consumers of long-lived tokens in one namespace.

    Attributes:
        cluster: with a node.
        namespace: theirs.
        directory: with the kubeconfig of one of them.
        play: runs plays.
    """

    cluster: Cluster
    namespace: str
    directory: Path
    play: Callable[..., Play]

    @property
    def kubeconfig(self) -> Path:
        return self.directory / "scanner.kubeconfig"

    def migrate(self, *entries: Item, check: bool = False, rc: int = 0, **variables: Any) -> Play:
        """Run the playbook; no token may be in what it says."""
        given = self.directory / "variables.json"
        given.write_text(json.dumps({"migrate_list": entries, **variables}))
        done = self.play(MIGRATE, "-e", f"@{given}", check=check)
        assert done.rc == rc, done.stdout + done.stderr
        assert not re.search(r"eyJ[\w-]{8,}\.[\w-]{8,}", done.stdout + done.stderr)
        return done

    def kubectl(self, *arguments: str, check: bool = True) -> str:
        done = self.cluster.kubectl("-n", self.namespace, *arguments, check=check)
        return str(done.stdout)

    def token(self, secret: str) -> str:
        return base64.b64decode(self.kubectl("get", "secret", secret, "-o", "jsonpath={.data.token}")).decode()

    def accepts(self, token: str) -> bool:
        """What the API server says of a token that somebody comes with."""
        anonymous = ["--kubeconfig=/dev/null", f"--server={self.cluster.server}", "--insecure-skip-tls-verify"]
        return not self.cluster.kubectl(*anonymous, f"--token={token}", "auth", "whoami", check=False).returncode

    def works(self) -> None:
        """All three say that the API server knows them."""
        me = f"system:serviceaccount:{self.namespace}:scanner"
        for name in ("reader", "mounter"):
            says = partial(self.kubectl, "exec", f"deploy/{name}", "--", "cat", WORKS, check=False)
            assert within(30, partial(said_by, says, me)), name
        whoami = self.cluster.kubectl(f"--kubeconfig={self.kubeconfig}", "auth", "whoami", "-o", "yaml").stdout
        assert yaml.safe_load(whoami)["status"]["userInfo"]["username"] == me

    def secrets(self) -> list[str]:
        listed = self.kubectl("get", "secrets", f"--field-selector=type={legacy.TYPE}", "-o", "name")
        return sorted(name.removeprefix("secret/") for name in listed.split())

    def label(self, *labels: str) -> None:
        for secret in SECRETS:
            legacy.label(self.cluster, self.namespace, secret, *labels)

    def age_the_suspension(self) -> None:
        """As if the tokens had been suspended long ago."""
        day = "2026-01-01"
        self.label(f"{legacy.INVALID_SINCE}={day}")
        for secret in SECRETS:
            self.kubectl("annotate", "--overwrite", "secret", secret, f"tokenwright/suspended={day}")

    def writes(self, mark: int) -> list[str]:
        events = self.cluster.audit_events(mark)
        return [
            f"{event['verb']} {event['objectRef']['resource']} {event['objectRef'].get('name')}"
            for event in events
            if event.get("userAgent") == "tokenwright" and is_write(event)
        ]


SECRETS = ("mounter-token", "reader-token", "scanner-token")


@pytest.fixture
def place(node_cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    namespace = f"test-{uuid.uuid4().hex[:10]}"
    node_cluster.kubectl("create", "namespace", namespace)
    assert within(30, lambda: not node_cluster.kubectl("get", "sa/default", f"-n{namespace}", check=False).returncode)
    node_cluster.kubectl("create", "serviceaccount", "scanner", f"-n{namespace}")
    here = Place(node_cluster, namespace, tmp_path, player(tmp_path, node_cluster))
    for secret in SECRETS:
        legacy.make(node_cluster, namespace, secret, account="scanner")
        legacy.filled(node_cluster, namespace, secret)
    for one in (reader(node_cluster.server), mounter(node_cluster.server)):
        node_cluster.kubectl("create", f"-n{namespace}", "--filename=-", input=json.dumps(one))
    config = yaml.safe_load(node_cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": here.token("scanner-token")}
    here.kubeconfig.write_text(yaml.safe_dump(config))
    here.kubeconfig.chmod(0o600)
    here.works()
    (tmp_path / "proof.yml").write_text("---" + PROOF.format(kubectl=kubectl_of(node_cluster)))
    with legacy.tracked_since(node_cluster, "2020-01-01"):
        yield here
    node_cluster.kubectl("delete", "namespace", namespace, "--wait=false")


def kubectl_of(cluster: Cluster) -> list[str]:
    return [str(cluster.programs / "kubectl"), f"--kubeconfig={cluster.kubeconfig}"]


def entries_of(place: Place) -> list[Item]:
    """The list as the playbook suggests it, with a place for what it cannot see."""
    place.migrate(migrate_namespaces=[place.namespace], migrate_suggestions_dest=str(place.directory / "list.yml"))
    listed: list[Item] = yaml.safe_load((place.directory / "list.yml").read_text())["migrate_list"]
    names = {
        kind: yaml.safe_load(place.kubeconfig.read_text())[kind][0]["name"]
        for kind in ("users", "contexts", "clusters")
    }
    kubeconfig = {"type": "kubeconfig", "path": str(place.kubeconfig)} | {
        f"{kind[:-1]}_name": name for kind, name in names.items()
    }
    for entry in listed:
        if entry["secret"] == "scanner-token":
            entry["tokens"] = [{"handle": "laptop", "overlap": 0, "sinks": [kubeconfig], "force": True}]
        else:
            entry["verify_tasks"] = str(place.directory / "proof.yml")
    return listed


def said_of(play: Play, secret: str) -> list[str]:
    """The lines of the report about an entry, without what was done."""
    text = play.stdout.rpartition("Say how far each is] ")[2].partition("=> ")[2].partition("\n}")[0] + "\n}"
    lines: list[str] = json.loads(text)["msg"]
    start = next(index for index, line in enumerate(lines) if f"/{secret} of " in line)
    end = lines.index("", start) if "" in lines[start:] else len(lines)
    return [line for line in lines[start + 1 : end] if " done " not in line]


def test_three_consumers_are_moved_step_by_step_and_work_after_each(place: Place) -> None:
    mark = place.cluster.audit_mark()
    listed = entries_of(place)
    assert [sorted(entry) for entry in listed] == [
        ["namespace", "secret", "service_account", "verify_tasks", "volumes"],
        ["namespace", "secret", "service_account", "tokens", "verify_tasks"],
        ["namespace", "secret", "service_account", "tokens"],
    ]
    old = {secret: place.token(secret) for secret in SECRETS}

    # nothing is written before the first step that moves anything, and nothing in check mode
    assert place.migrate(*listed, migrate_until="plan").changed == 0
    predicted = place.migrate(*listed, check=True)
    assert predicted.changed == 3
    assert said_of(predicted, "reader-token") == [
        "  move     would be moved; what comes then is known when that is done"
    ]
    assert place.writes(mark) == []

    moved = place.migrate(*listed, migrate_until="move")
    assert moved.changed == 3
    place.works()
    assert all(place.accepts(token) for token in old.values())
    assert place.migrate(*listed, migrate_until="move").changed == 0

    verified = place.migrate(*listed, migrate_until="verify")
    assert verified.changed == 0
    assert "moved, no workload uses it any more; last used on" in said_of(verified, "reader-token")[0]

    # the old tokens were used today, and nobody knows when
    waiting = place.migrate(*listed)
    assert waiting.changed == 0
    assert re.search(r"it is not suspended before \d{4}-\d\d-\d\dT00:00:00Z", said_of(waiting, "mounter-token")[0])

    place.label(f"{legacy.LAST_USED}=2026-01-01")
    mark = place.cluster.audit_mark()
    assert place.migrate(*listed, migrate_unused_for=1, check=True).changed == 1
    assert place.writes(mark) == []
    suspended = place.migrate(*listed, migrate_unused_for=1, migrate_until="suspend")
    assert suspended.changed == 1
    assert sorted(place.writes(mark)) == [f"patch secrets {secret}" for secret in SECRETS]
    assert not any(place.accepts(token) for token in old.values())
    place.works()
    watching = place.migrate(*listed, migrate_until="delete")
    assert watching.changed == 0
    assert "it is not deleted before" in said_of(watching, "scanner-token")[0]

    # somebody who was forgotten tries it
    place.age_the_suspension()
    assert not place.accepts(old["scanner-token"])
    tried = place.migrate(*listed, migrate_quiet_for=1)
    assert "! note     somebody still tried the old token on" in said_of(tried, "scanner-token")[0]
    place.label(f"{legacy.LAST_USED}=2026-01-01")
    quiet = place.migrate(*listed, migrate_quiet_for=1)
    assert (quiet.changed, place.secrets()) == (0, list(SECRETS))
    assert "migrate_until=delete deletes it" in said_of(quiet, "scanner-token")[0]
    mark = place.cluster.audit_mark()
    assert place.migrate(*listed, migrate_quiet_for=1, migrate_until="delete", check=True).changed == 1
    assert place.writes(mark) == []
    deleted = place.migrate(*listed, migrate_quiet_for=1, migrate_until="delete")
    assert (deleted.changed, place.secrets()) == (1, [])
    place.works()
    again = place.migrate(*listed, migrate_until="delete")
    assert again.changed == 0
    assert said_of(again, "reader-token") == ["  delete   there is no such Secret (any more)"]


def test_what_was_moved_is_kept_good_and_another_token_means_pods_that_have_it(place: Place) -> None:
    listed = entries_of(place)
    place.migrate(*listed, migrate_until="move")
    before = place.token("reader-token-short")
    (reading,) = [entry for entry in listed if entry["secret"] == "reader-token"]
    reading["tokens"][0]["expiration_seconds"] = "2d"
    assert place.migrate(*listed, migrate_until="move").changed == 2
    after = place.token("reader-token-short")
    says = partial(place.kubectl, "exec", "deploy/reader", "--", "/bin/sh", "-c", "echo $TOKEN", check=False)
    assert within(30, partial(said_by, says, f"{after}\n"))
    assert before != after
    place.works()
    assert place.migrate(*listed, migrate_until="move").changed == 0


def test_what_is_not_moved_stops_before_anything_is_suspended(place: Place) -> None:
    listed = entries_of(place)
    hidden = [{**entry, "tokens": [], "volumes": []} for entry in listed if entry["secret"] != "scanner-token"]
    refused = place.migrate(*hidden, rc=2, migrate_unused_for=0)
    for name in ("reader", "mounter"):
        assert f"{place.namespace}/{name}-token: Deployment {name} still uses the Secret: move it too" in refused.stdout
    # one that cannot go on does not keep the others from it
    (place.directory / "proof.yml").write_text("---\n- name: Say no\n  ansible.builtin.fail:\n")
    refused = place.migrate(*listed, rc=2, migrate_unused_for=0)
    assert "2 of 3 cannot go on" in refused.stdout
    assert "the proof that its consumers work failed (task Say no)" in refused.stdout
    labels = place.kubectl("get", "secrets", "-o", "jsonpath={.items[*].metadata.labels}")
    assert labels.count(legacy.INVALID_SINCE) == 1
    assert place.accepts(place.token("reader-token"))
    place.works()


def test_who_was_forgotten_gets_the_old_token_back_at_once(place: Place) -> None:
    forgotten = place.directory / "forgotten.kubeconfig"
    forgotten.write_text(place.kubeconfig.read_text())
    (entry,) = [one for one in entries_of(place) if one["secret"] == "scanner-token"]
    argv = [*kubectl_of(place.cluster)[:1], f"--kubeconfig={forgotten}", "auth", "whoami"]
    (place.directory / "ask.yml").write_text("---" + FORGOTTEN.format(argv=json.dumps(argv)))
    entry["verify_tasks"] = str(place.directory / "ask.yml")
    refused = place.migrate(entry, rc=2, migrate_unused_for=0)
    assert (
        "with its token suspended, the proof that its consumers work failed (task Ask somebody who was forgotten); the "
        "suspension was lifted again" in refused.stdout
    )
    assert place.accepts(place.token("scanner-token"))
    place.works()


def test_the_way_back_restores_everything_and_ends_what_was_minted(place: Place) -> None:
    names = ("reader", "mounter")
    before = {name: template_of(live(place.cluster, place.namespace, "deployment", name)) for name in names}
    listed = entries_of(place)
    assert place.migrate(*listed, migrate_unused_for=0).changed == 4
    place.works()
    minted = place.token("reader-token-short")
    laptop = yaml.safe_load(place.kubeconfig.read_text())["users"][0]["user"]["token"]
    assert not place.accepts(place.token("scanner-token"))

    mark = place.cluster.audit_mark()
    assert place.migrate(*listed, migrate_undo=True, check=True).changed == 4
    assert place.writes(mark) == []
    undone = place.migrate(*listed, migrate_undo=True)
    assert undone.changed == 4
    place.works()
    assert {name: template_of(live(place.cluster, place.namespace, "deployment", name)) for name in names} == before
    assert yaml.safe_load(place.kubeconfig.read_text())["users"][0]["user"]["token"] == place.token("scanner-token")
    assert not place.accepts(laptop)
    assert place.accepts(minted), "without a handle it lives until it expires"
    assert "reader-token-short" not in place.kubectl("get", "secrets", "-o", "name")
    assert place.migrate(*listed, migrate_undo=True).changed == 0
    # and forth again
    assert place.migrate(*listed, migrate_until="move").changed == 3
    place.works()
