# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Projected volumes in Pods that run: what the module put in is what a program finds, and the API server takes it."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster import example
from cluster.controlplane import Cluster
from cluster.images import APP
from cluster.node import NODE
from cluster.observing import within
from cluster.pods import NOBODY, deployment, pod_spec
from conftest import ROOT, Play, Task
from faults.workloads import create, live, pods_of, template_of

Object = dict[str, Any]

USUAL = "/var/run/secrets/kubernetes.io/serviceaccount"
ACCOUNT = "app"
VAULT = "https://vault.example.com"

# What a client does: it reads the three files and asks who it is. Prints the answer, and what it sees of the token.
WHO_AM_I = f"""
import json, os, requests
place = "{USUAL}"
token, namespace = (open(place + "/" + name).read() for name in ("token", "namespace"))
review = {{"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}}
session = requests.Session()
session.trust_env = False
answer = session.post(
    "https://{{KUBERNETES_SERVICE_HOST}}:{{KUBERNETES_SERVICE_PORT}}".format(**os.environ)
    + "/apis/authentication.k8s.io/v1/selfsubjectreviews",
    json=review, verify=place + "/ca.crt", headers={{"Authorization": "Bearer " + token}},
).json()
facts = os.stat(place + "/token")
print(json.dumps({{
    "user": os.getuid(), "namespace": namespace, "answer": answer["status"]["userInfo"],
    "mode": oct(facts.st_mode & 0o777), "owner": facts.st_uid, "group": facts.st_gid,
}}))
"""


@pytest.fixture(scope="module")
def cluster(node_cluster: Cluster) -> Cluster:
    """What all other fixtures use is here the cluster with a node."""
    return node_cluster


@pytest.fixture
def namespace(cluster: Cluster) -> Iterator[str]:
    """The name of a fresh namespace with an account."""
    name = f"test-{uuid.uuid4().hex[:10]}"
    cluster.kubectl("create", "namespace", name)
    cluster.kubectl("create", "serviceaccount", ACCOUNT, "-n", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def client(cluster: Cluster, **pod: Any) -> Object:
    """The spec of a Pod that sleeps and has Python; these fields are set in it."""
    return {**pod_spec(cluster.server, image=APP, command=["sleep", "infinity"]), **pod}


def only(cluster: Cluster, namespace: str) -> Object:
    """The only Pod of a namespace."""
    (pod,) = pods_of(cluster, namespace)
    return pod


def execute(cluster: Cluster, pod: Object, *program: str, container: str = "", check: bool = True) -> str:
    """What a program printed that was run in a Pod."""
    where = ("-n", pod["metadata"]["namespace"], pod["metadata"]["name"], f"--container={container}")
    return cluster.kubectl("exec", *where, "--", *program, check=check).stdout


def who_am_i(cluster: Cluster, pod: Object) -> Object:
    """What a client in a Pod finds out."""
    found: Object = json.loads(execute(cluster, pod, "python3", "-c", WHO_AM_I))
    return found


def assert_is_the_pods_own(said: Object, pod: Object) -> None:
    """A client was told that it is the account, in this very Pod."""
    metadata = pod["metadata"]
    assert said["namespace"] == metadata["namespace"]
    assert said["answer"]["username"] == f"system:serviceaccount:{metadata['namespace']}:{ACCOUNT}"
    claimed = {key.rpartition("/")[2]: values for key, values in said["answer"]["extra"].items()}
    assert (claimed["pod-name"], claimed["pod-uid"]) == ([metadata["name"]], [metadata["uid"]])
    assert claimed["node-name"] == [NODE]


def reviewed(cluster: Cluster, token: str, *audiences: str) -> bool:
    """Whether the API server takes a token, for itself or for one of these audiences."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    spec = {"token": token, "audiences": list(audiences)}
    answer = cluster.kubectl("create", "-f", "-", "-o", "json", input=json.dumps({**review, "spec": spec})).stdout
    return bool(json.loads(answer)["status"].get("authenticated"))


# Who reads the token


ROOT_USER: Object = {"securityContext": {}}
SOMEBODY: Object = {"securityContext": {"runAsUser": NOBODY, "runAsGroup": NOBODY}}
# the Pod, the options, and who then is who: the user of the client, and of the token its mode, owner and group
READERS: dict[str, tuple[Object, Object, tuple[int, str, int, int]]] = {
    "root": (ROOT_USER, {}, (0, "0o644", 0, 0)),
    "the one user of all containers": (SOMEBODY, {}, (NOBODY, "0o600", NOBODY, 0)),
    "a group": (SOMEBODY, {"fs_group": NOBODY}, (NOBODY, "0o640", NOBODY, NOBODY)),
    "another group": (SOMEBODY, {"fs_group": 4711, "default_mode": "0400"}, (NOBODY, "0o640", NOBODY, 4711)),
}


@pytest.mark.parametrize(("pod", "more", "expected"), READERS.values(), ids=READERS)
def test_a_client_is_who_its_token_says_in_this_very_pod(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    pod: Object,
    more: Object,
    expected: tuple[int, str, int, int],
) -> None:
    create(cluster, namespace, deployment("web", client(cluster, **pod)))
    options: Object = {"name": "web", "namespace": namespace, "service_account": ACCOUNT, "wait": True, **more}
    done = run_task("k8s_sa_volume", **options)
    assert (done["changed"], done["rolled_out"]) == (True, True), done["msg"]
    running = only(cluster, namespace)
    said = who_am_i(cluster, running)
    assert_is_the_pods_own(said, running)
    assert (said["user"], said["mode"], said["owner"], said["group"]) == expected
    assert "unreadable_token_file" not in [finding["id"] for finding in done["findings"]]
    again = run_task("k8s_sa_volume", **options)
    assert (again["changed"], again["rolled_out"]) == (False, True)
    assert only(cluster, namespace)["metadata"]["uid"] == running["metadata"]["uid"]


ROOT_ONLY: Object = {"runAsUser": 0}
NOBODYS: Object = {"runAsUser": NOBODY, "runAsGroup": NOBODY}
OF_ROOTS_GROUP: Object = {"runAsUser": 1000, "runAsGroup": 0}
ALL = "token ca.crt namespace"
# the containers by their security contexts, the mode, and what each of them cannot read
CANNOT: dict[str, tuple[dict[str, Object], str, dict[str, str]]] = {
    "one of two users": ({"main": NOBODYS, "helper": ROOT_ONLY}, "0400", {"main": ALL}),
    "nobody said which user": ({"main": {}, "helper": NOBODYS}, "0440", {"helper": ALL}),
    "the one user of all": ({"main": NOBODYS, "helper": NOBODYS}, "0400", dict.fromkeys(("main", "helper"), ALL[6:])),
    "a group of root's": ({"main": NOBODYS, "helper": OF_ROOTS_GROUP}, "0440", {"main": ALL}),
}
TRY = f"cd {USUAL}; for file in {ALL}; do cat $file >/dev/null 2>&1 || echo $file; done"


@pytest.mark.parametrize(("contexts", "mode", "expected"), CANNOT.values(), ids=CANNOT)
def test_what_cannot_be_read_has_been_said_before(
    cluster: Cluster, namespace: str, run_task: Task, contexts: dict[str, Object], mode: str, expected: dict[str, str]
) -> None:
    spec = pod_spec(cluster.server)
    (main,) = spec["containers"]
    containers = [{**main, "name": name, "securityContext": context} for name, context in contexts.items()]
    create(cluster, namespace, deployment("web", {**spec, "securityContext": {}, "containers": containers}))
    options: Object = {"name": "web", "namespace": namespace, "service_account": ACCOUNT, "default_mode": mode}
    done = run_task("k8s_sa_volume", **options, wait=True)
    assert done["rolled_out"], done["msg"]
    pod = only(cluster, namespace)
    seen = {name: " ".join(execute(cluster, pod, "sh", "-c", TRY, container=name).split()) for name in contexts}
    assert seen == {name: expected.get(name, "") for name in contexts}
    said = {finding["evidence"].split()[1] for finding in done["findings"] if finding["id"] == "unreadable_token_file"}
    # of a container whose image decides, it can only be feared
    assert said == {*expected, *(name for name, context in contexts.items() if not context)}


# For whom


def test_each_token_is_for_its_audience_and_no_other(cluster: Cluster, namespace: str, run_task: Task) -> None:
    create(cluster, namespace, deployment("web", client(cluster)))
    vault: Object = {
        "volume_name": "vault-token",
        "mount_path": "/var/run/secrets/vault",
        "sources": [{"token": {"audience": VAULT, "expiration_seconds": "10m"}}],
    }
    workloads: list[Object] = [{"name": "web"}, {"name": "web", **vault}]
    options: Object = {"namespace": namespace, "service_account": ACCOUNT, "fs_group": NOBODY, "wait": True}
    done = run_task("k8s_sa_volume", workloads=workloads, **options)
    assert [one["rolled_out"] for one in done["outcomes"]] == [True, True], done["msg"]
    places = (f"{USUAL}/token", "/var/run/secrets/vault/token")
    pod = only(cluster, namespace)
    api, external = (execute(cluster, pod, "cat", place) for place in places)
    assert (reviewed(cluster, api), reviewed(cluster, api, VAULT)) == (True, False)
    assert (reviewed(cluster, external), reviewed(cluster, external, VAULT)) == (False, True)
    assert execute(cluster, pod, "python3", "-c", ASK_AS_VAULT) == "401\n"


ASK_AS_VAULT = (
    WHO_AM_I.replace(
        'open(place + "/" + name)', 'open((place, "/var/run/secrets/vault")[name == "token"] + "/" + name)'
    ).partition(").json()")[0]
    + ")\nprint(answer.status_code)\n"
)


# With real controllers


def test_what_controllers_and_autoscalers_write_stays(cluster: Cluster, namespace: str, run_task: Task) -> None:
    create(cluster, namespace, deployment("web", pod_spec(cluster.server)))
    cluster.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")
    before = template_of(live(cluster, namespace, "deployment", "web"))
    cluster.kubectl("scale", "-n", namespace, "deployment/web", "--replicas=2")
    options: Object = {"name": "web", "namespace": namespace}
    putting: Object = {**options, "service_account": ACCOUNT, "fs_group": NOBODY, "wait": True}
    assert run_task("k8s_sa_volume", **putting)["rolled_out"]
    there = live(cluster, namespace, "deployment", "web")
    assert (there["spec"]["replicas"], there["status"]["availableReplicas"]) == (2, 2)
    assert there["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "2"
    assert not run_task("k8s_sa_volume", **putting)["changed"]
    cluster.kubectl("scale", "-n", namespace, "deployment/web", "--replicas=1")
    out = run_task("k8s_sa_volume", **options, state="absent", wait=True)
    assert (out["changed"], out["rolled_out"]) == (True, True), out["msg"]
    after = live(cluster, namespace, "deployment", "web")
    assert (after["spec"]["replicas"], after["status"]["availableReplicas"]) == (1, 1)
    assert template_of(after) == before
    assert "tokenwright/volumes" not in after["metadata"]["annotations"]
    assert after["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "3"
    assert "sa-token" not in [volume["name"] for volume in only(cluster, namespace)["spec"]["volumes"]]


NOT_THERE = [{"token": {}}, {"config_map": {"name": "not-there"}}]


def test_pods_that_never_start_are_not_waited_for_longer_than_said(
    cluster: Cluster, namespace: str, run_task: Task
) -> None:
    create(cluster, namespace, deployment("web", pod_spec(cluster.server)))
    cluster.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")
    options: Object = {"name": "web", "namespace": namespace, "fs_group": NOBODY, "sources": NOT_THERE, "wait": True}
    begun = time.monotonic()
    waited = run_task("k8s_sa_volume", **options, wait_timeout=2)
    assert 2 <= time.monotonic() - begun < 30
    assert (waited["failed"], waited["changed"], waited["reason"]) == (True, True, "not_rolled_out")
    assert "its Pods are not new within 2 seconds: 1 old Pod is still there, and 1 of all 2 cannot" in waited["msg"]
    assert f"see kubectl -n {namespace} describe deployment web and its Pods" in waited["msg"]
    # what was missing comes, and the same task goes on where it was
    cluster.kubectl("create", "configmap", "not-there", "-n", namespace, "--from-literal=a=b")
    done = run_task("k8s_sa_volume", **options, wait_timeout="5m")
    assert (done["changed"], done["rolled_out"]) == (False, True), done["msg"]


def test_a_controller_that_gave_up_is_believed_and_a_later_change_begins_anew(
    cluster: Cluster, namespace: str, run_task: Task
) -> None:
    manifest = deployment("web", pod_spec(cluster.server))
    manifest["spec"]["progressDeadlineSeconds"] = 2
    create(cluster, namespace, manifest)
    cluster.kubectl("rollout", "status", "-n", namespace, "deployment/web", "--timeout=60s")
    options: Object = {"name": "web", "namespace": namespace, "wait": True}
    given_up = run_task("k8s_sa_volume", **options, fs_group=NOBODY, sources=NOT_THERE)
    assert (given_up["changed"], given_up["reason"]) == (True, "not_rolled_out"), given_up["msg"]
    assert "1 of all 2 cannot be used yet, and its controller gave up" in given_up["msg"]
    out = run_task("k8s_sa_volume", **options, state="absent")
    assert (out["changed"], out["rolled_out"]) == (True, True), out["msg"]


CRON: Object = {"schedule": "0 0 1 1 *", "suspend": True}


def of_every_kind(spec: Object) -> list[Object]:
    """A manifest of each kind that makes its Pods anew, with this spec."""
    deployed = deployment("web", spec)
    selected = deployed["spec"]
    job = {"template": {"spec": {**spec, "restartPolicy": "Never"}}}
    return [
        deployed,
        {**deployed, "kind": "StatefulSet", "spec": {**selected, "serviceName": "web"}},
        {**deployed, "kind": "DaemonSet"},
        {
            "apiVersion": "batch/v1",
            "kind": "CronJob",
            "metadata": {"name": "web"},
            "spec": {**CRON, "jobTemplate": {"spec": job}},
        },
    ]


def test_the_role_gives_every_kind_its_token_and_then_has_nothing_to_do(
    cluster: Cluster, namespace: str, run_playbook: Callable[..., Play]
) -> None:
    kinds = {manifest["kind"]: manifest for manifest in of_every_kind(client(cluster))}
    for number, (kind, manifest) in enumerate(kinds.items()):
        if kind != "CronJob":  # they are all called web, and must not take each other for theirs
            labels = {"app": f"web-{number}"}
            manifest["spec"] = {**manifest["spec"], "selector": {"matchLabels": labels}}
            manifest["spec"]["template"] = {**manifest["spec"]["template"], "metadata": {"labels": labels}}
    create(cluster, namespace, *kinds.values())
    common: Object = {"name": "web", "namespace": namespace, "service_account": ACCOUNT}
    play = role(
        "projected_tokens",
        **{
            "projected_tokens_list": [{"kind": kind, **common} for kind in kinds],
            "projected_tokens_fs_group": NOBODY,
            "projected_tokens_wait": True,
        },
    )
    first, second = run_playbook(play), run_playbook(play)
    assert [(one.rc, one.changed) for one in (first, second)] == [(0, 1), (0, 0)], first.stdout + second.stdout
    cluster.kubectl("create", "job", "web", "--from=cronjob/web", "-n", namespace)
    cluster.kubectl("wait", "-n", namespace, "--for=jsonpath={.status.ready}=1", "job/web", "--timeout=60s")
    found = {pod["metadata"]["ownerReferences"][0]["kind"]: pod for pod in pods_of(cluster, namespace)}
    assert sorted(found) == ["DaemonSet", "Job", "ReplicaSet", "StatefulSet"]
    for pod in found.values():
        assert_is_the_pods_own(who_am_i(cluster, pod), pod)


def role(name: str, **variables: Any) -> list[Object]:
    task = {"ansible.builtin.import_role": {"name": f"tokenwright.kubernetes.{name}"}, "vars": variables}
    return [{"hosts": "localhost", "gather_facts": False, "tasks": [task]}]


def test_the_volume_of_the_filter_works_in_a_job(
    cluster: Cluster, namespace: str, run_playbook: Callable[..., Play], tmp_path: Path
) -> None:
    mount = {"name": "sa-token", "mountPath": USUAL, "readOnly": True}
    spec = client(cluster, serviceAccountName=ACCOUNT, automountServiceAccountToken=False, restartPolicy="Never")
    (main,) = spec["containers"]
    spec["containers"] = [{**main, "command": ["python3", "-c", WHO_AM_I], "volumeMounts": [mount]}]
    spec["volumes"] = ["{{ none | tokenwright.kubernetes.projected_volume }}"]
    job: Object = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "once", "namespace": namespace}}
    copy = {"content": "{{ job | to_json }}", "dest": str(tmp_path / "job.json"), "mode": "0600"}
    play: Object = {"hosts": "localhost", "gather_facts": False, "tasks": [{"ansible.builtin.copy": copy}]}
    done = run_playbook([{**play, "vars": {"job": {**job, "spec": {"template": {"spec": spec}}}}}])
    assert done.rc == 0, done.stdout + done.stderr
    cluster.kubectl("create", "-f", str(tmp_path / "job.json"))
    cluster.kubectl("wait", "-n", namespace, "--for=condition=Complete", "job/once", "--timeout=60s")
    printed = cluster.kubectl("logs", "-n", namespace, "job/once").stdout
    assert_is_the_pods_own(json.loads(printed), only(cluster, namespace))


# The example


def said(cluster: Cluster, namespace: str) -> str:
    """The last line of the log."""
    names = [pod["metadata"]["name"] for pod in pods_of(cluster, namespace)]
    logs = [cluster.kubectl("logs", "-n", namespace, name, "--tail=1", check=False).stdout for name in names]
    return "".join(logs).strip()


def is_ready(cluster: Cluster, namespace: str) -> bool:
    status = live(cluster, namespace, "deployment", example.NAME)["status"]
    return bool(status.get("readyReplicas") == 1)


@pytest.fixture
def apps(cluster: Cluster) -> Iterator[str]:
    """The namespace of the example, which its playbook makes."""
    prefix = f"test-{uuid.uuid4().hex[:10]}-"
    yield prefix
    cluster.kubectl("delete", "namespace", f"{prefix}apps", "--wait=false", "--ignore-not-found")


def test_the_example_runs_says_what_it_lacks_and_ends_when_it_is_told(
    cluster: Cluster, apps: str, run_playbook: Callable[..., Play]
) -> None:
    namespace = f"{apps}apps"
    playbook = ROOT / "examples/app-controller/playbook.yml"
    with_prefix = ("-e", f"examples_namespace_prefix={apps}")
    cluster.kubectl("create", "namespace", namespace)
    cluster.kubectl("create", "serviceaccount", example.NAME, "-n", namespace)
    *others, manifest = example.manifests(cluster)
    create(cluster, namespace, *others, manifest)

    # without its grant
    lacking = f"403: this account may not list the Pods of {namespace}: somebody has to grant it that"
    assert within(60, lambda: said(cluster, namespace) == lacking), said(cluster, namespace)
    assert not is_ready(cluster, namespace)
    done = run_playbook(playbook, *with_prefix)
    assert (done.rc, done.changed) == (0, 2), done.stdout
    cluster.kubectl("rollout", "status", "-n", namespace, f"deployment/{example.NAME}", "--timeout=60s")
    pod = only(cluster, namespace)
    found = f"Pods in {namespace}: {pod['metadata']['name']}"
    assert within(60, lambda: said(cluster, namespace) == found), said(cluster, namespace)

    # the manifest has what the module would put in
    there = run_playbook(playbook, *with_prefix, "-e", f"app_controller_deployment={example.NAME}")
    assert (there.rc, there.changed) == (0, 0), there.stdout
    assert only(cluster, namespace)["metadata"]["uid"] == pod["metadata"]["uid"]

    # told to end, it ends
    execute(cluster, pod, "sh", "-c", "kill 1")
    assert within(60, lambda: (ended := last_end(cluster, namespace)) is not None and ended["exitCode"] == 0)
    log = cluster.kubectl("logs", "-n", namespace, pod["metadata"]["name"], "--previous").stdout
    assert log.endswith(f"{pod['metadata']['name']}\nended\n")
    assert "eyJ" not in log

    # and its token goes with the account
    cluster.kubectl("delete", "serviceaccount", example.NAME, "-n", namespace)
    refused = f"401: the API server does not take the token in {USUAL}: it has expired, or its account or Pod is gone"
    assert within(60, lambda: said(cluster, namespace) == refused), said(cluster, namespace)
    assert within(60, lambda: not is_ready(cluster, namespace))


def last_end(cluster: Cluster, namespace: str) -> Object | None:
    """How the container of the only Pod ended before it was begun anew."""
    (status,) = only(cluster, namespace)["status"]["containerStatuses"]
    found: Object | None = status["lastState"].get("terminated")
    return found


def test_the_example_for_a_deployment_that_is_there_makes_the_same_of_it(
    cluster: Cluster, apps: str, run_playbook: Callable[..., Play]
) -> None:
    namespace = f"{apps}apps"
    *others, manifest = example.manifests(cluster)
    cluster.kubectl("create", "namespace", namespace)
    create(cluster, namespace, *others, example.without_volume(manifest))
    given = ("-e", f"examples_namespace_prefix={apps}", "-e", f"app_controller_deployment={example.NAME}")
    playbook = ROOT / "examples/app-controller/playbook.yml"
    first, second = run_playbook(playbook, *given), run_playbook(playbook, *given)
    assert [(one.rc, one.changed) for one in (first, second)] == [(0, 3), (0, 0)], first.stdout + second.stdout
    meant = cluster.kubectl(
        "create",
        "-n",
        namespace,
        "--dry-run=server",
        "-o=json",
        "-f=-",
        input=json.dumps({**manifest, "metadata": {**manifest["metadata"], "name": "another"}}),
    ).stdout
    assert template_of(live(cluster, namespace, "deployment", example.NAME)) == template_of(json.loads(meant))
    pod = only(cluster, namespace)
    found = f"Pods in {namespace}: {pod['metadata']['name']}"
    assert within(60, lambda: said(cluster, namespace) == found), said(cluster, namespace)
