# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role awx_credential: a real cluster, the real modules of awx.awx, and a stand-in that records what AWX gets."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from awx.stand_in import Awx, Request
from cluster.controlplane import Cluster
from conftest import COLLECTIONS, ROOT, Play

Item = dict[str, Any]
Run = Callable[..., Play]

PEERS = ROOT / ".cache/peers"


@pytest.fixture
def awx() -> Iterator[Awx]:
    """What stands in for AWX."""
    with Awx() as running:
        yield running


@pytest.fixture
def account(cluster: Cluster, namespace: str) -> str:
    """The name of an account."""
    cluster.kubectl("create", "serviceaccount", "deployer", "-n", namespace)
    return "deployer"


@pytest.fixture
def run(run_playbook: Run, awx: Awx, namespace: str, account: str) -> Run:
    """Run the role on the account: C(run(check=False, env={}, **variables)), its variables without their prefix."""

    def play(*arguments: str, check: bool = False, env: Mapping[str, str] | None = None, **variables: Any) -> Play:
        given = {"name": "staging", "service_account": account, "namespace": namespace, **variables}
        environment = {
            **awx.environment,
            "ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}{os.pathsep}{PEERS}",
            **(env or {}),
        }
        return run_playbook(role(**given), *arguments, check=check, env=environment)

    return play


def role(**variables: Any) -> list[Item]:
    task = {"ansible.builtin.import_role": {"name": "tokenwright.kubernetes.awx_credential"}}
    named = {f"awx_credential_{name}": value for name, value in variables.items()}
    return [{"hosts": "localhost", "gather_facts": False, "vars": named, "tasks": [task]}]


def kept(cluster: Cluster, namespace: str, name: str = "staging") -> str:
    """The token in the Secret of a credential."""
    name = f"deployer-awx-credential-{hashlib.sha256(f'Default/{name}'.encode()).hexdigest()[:8]}"
    found = cluster.kubectl("get", "secret", name, "-n", namespace, "-o", "jsonpath={.data.token}").stdout
    return base64.b64decode(found).decode()


def carrying(awx: Awx, token: str, since: int = 0) -> list[str]:
    """The requests with the token in them."""
    return [f"{one.method} {one.path}" for one in awx.requests[since:] if token in f"{one.path} {one.body}"]


def authority(cluster: Cluster) -> str:
    """The cluster's, as PEM text."""
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    return base64.b64decode(config["clusters"][0]["cluster"]["certificate-authority-data"]).decode()


def test_it_is_made_once_and_the_token_is_in_one_request_and_in_no_output(
    cluster: Cluster, namespace: str, awx: Awx, run: Run
) -> None:
    mark = cluster.audit_mark()
    predicted = run(check=True)
    assert (predicted.rc, predicted.changed) == (0, 2), predicted.stdout + predicted.stderr
    assert awx.written() == []
    assert not [one for one in cluster.audit_events(mark) if one["verb"] == "create" and _is_about(one, "token")]
    first = run("-vvv")
    assert (first.rc, first.changed) == (0, 2), first.stdout + first.stderr
    assert awx.written() == ["POST /api/v2/credentials/"]
    token = kept(cluster, namespace)
    made = awx.one("credentials", "staging")
    assert made["inputs"] == {
        "host": cluster.server,
        "verify_ssl": True,
        "bearer_token": token,
        "ssl_ca_cert": authority(cluster),
    }
    said = re.escape(f"[token of {namespace}/deployer until ")
    assert re.fullmatch(said + r"\S+Z, sha256:[0-9a-f]{64}, ca:[0-9a-f]{16}\]", made["description"])
    before = len(awx.requests)
    again = [run("-vvv", check=check) for check in (False, True)]
    assert [(one.rc, one.changed) for one in again] == [(0, 0), (0, 0)], again[0].stdout
    assert awx.written(before) == []
    assert carrying(awx, token) == ["POST /api/v2/credentials/"]
    for one in (predicted, first, *again):
        assert token not in one.stdout + one.stderr
        assert "WARNING" not in one.stdout + one.stderr
    assert kept(cluster, namespace) == token


def _is_about(event: Mapping[str, Any], subresource: str) -> bool:
    return bool(event["objectRef"].get("subresource") == subresource and event.get("userAgent") == "tokenwright")


def test_a_renewed_token_is_sent_once(cluster: Cluster, namespace: str, awx: Awx, run: Run) -> None:
    assert run(expiration_seconds="10m").rc == 0
    old, before = kept(cluster, namespace), len(awx.requests)
    predicted = run(check=True)
    assert (predicted.rc, predicted.changed, awx.written(before)) == (0, 2, []), predicted.stdout
    done = run()
    assert (done.rc, done.changed) == (0, 2), done.stdout
    new = kept(cluster, namespace)
    assert new != old
    path = awx.one("credentials", "staging")["url"]
    assert awx.written(before) == [f"PATCH {path}"] == carrying(awx, new, before)
    assert carrying(awx, old, before) == []
    assert awx.one("credentials", "staging")["inputs"]["bearer_token"] == new
    assert run().changed == 0
    assert awx.written(before) == [f"PATCH {path}"]


@pytest.mark.parametrize(
    "meddle",
    [
        pytest.param({"description": "ours now"}, id="description"),
        pytest.param({"inputs": {"host": "https://other:6443"}}, id="host"),
        pytest.param({"inputs": {"verify_ssl": False}}, id="verification"),
        pytest.param({"inputs": {"bearer_token": ""}}, id="no token"),
        pytest.param({"inputs": {"ssl_ca_cert": None}}, id="no authority"),
    ],
)
def test_what_somebody_changed_by_hand_is_put_right(
    cluster: Cluster, namespace: str, awx: Awx, run: Run, meddle: Item
) -> None:
    assert run(description="The staging cluster").rc == 0
    made = awx.one("credentials", "staging")
    good = {"description": made["description"], "inputs": dict(made["inputs"])}
    assert good["description"].startswith("The staging cluster [token of ")
    made |= {**meddle, "inputs": {**made["inputs"], **meddle.get("inputs", {})}}
    before = len(awx.requests)
    done = run(description="The staging cluster")
    assert (done.rc, done.changed) == (0, 1), done.stdout
    assert awx.written(before) == [f"PATCH {made['url']}"]
    assert {key: awx.one("credentials", "staging")[key] for key in good} == good
    assert good["inputs"]["bearer_token"] == kept(cluster, namespace)


def test_what_was_deleted_is_made_anew_with_the_same_token(
    cluster: Cluster, namespace: str, awx: Awx, run: Run
) -> None:
    assert run().rc == 0
    token = kept(cluster, namespace)
    awx.delete("credentials", "staging")
    done = run()
    assert (done.rc, done.changed) == (0, 1), done.stdout
    assert awx.one("credentials", "staging")["inputs"]["bearer_token"] == token == kept(cluster, namespace)


def test_absent_makes_the_token_void_and_deletes_the_credential(
    cluster: Cluster, namespace: str, awx: Awx, run: Run
) -> None:
    assert run().rc == 0
    token, before = kept(cluster, namespace), len(awx.requests)
    predicted = run(check=True, state="absent")
    assert (predicted.rc, predicted.changed, awx.written(before)) == (0, 2, []), predicted.stdout
    done = run(state="absent")
    assert (done.rc, done.changed) == (0, 2), done.stdout
    assert awx.all("credentials") == []
    left = cluster.kubectl("get", "secrets", "-n", namespace, "-o", "name").stdout
    assert left == ""
    whoami = cluster.kubectl(
        "--kubeconfig=/dev/null", f"--server={cluster.server}", "--insecure-skip-tls-verify", f"--token={token}",
        "auth", "whoami", check=False,
    )  # fmt: skip
    assert whoami.returncode != 0
    assert "Unauthorized" in whoami.stderr
    assert (run(state="absent").changed, run(state="absent", check=True).changed) == (0, 0)


def test_two_credentials_of_an_account_leave_each_other_alone(
    cluster: Cluster, namespace: str, awx: Awx, run: Run
) -> None:
    for name, seconds in (("one", "2h"), ("two", "1h"), ("one", "2h"), ("two", "1h")):
        seen = [item["name"] for item in awx.all("credentials")]
        done = run(name=name, expiration_seconds=seconds)
        assert (done.rc, done.changed) == (0, 0 if name in seen else 2), done.stdout
    gone = run(name="stagign", state="absent")
    assert (gone.rc, gone.changed) == (0, 0), gone.stdout
    assert run(name="one", state="absent").changed == 2
    sent = awx.one("credentials", "two")["inputs"]["bearer_token"]
    assert sent == kept(cluster, namespace, "two")
    whoami = ("--kubeconfig=/dev/null", f"--server={cluster.server}", "--insecure-skip-tls-verify", f"--token={sent}")
    assert "deployer" in cluster.kubectl(*whoami, "auth", "whoami").stdout


def test_an_empty_organization_is_the_default_one(awx: Awx, run: Run) -> None:
    other = awx.add("organizations", name="Other")
    awx.add("credentials", name="staging", credential_type=3, organization=other["id"], inputs={"host": "theirs"})
    assert run(organization="").rc == 0
    theirs, ours = awx.all("credentials")
    assert (theirs["organization"], theirs["inputs"]) == (other["id"], {"host": "theirs"})
    assert ours["organization"] == 1


def test_no_module_with_the_token_is_a_file_on_its_way(run: Run) -> None:
    done = run("-vvv", env={"ANSIBLE_PIPELINING": "0"})
    assert done.rc == 0, done.stdout
    assert "Write the credential" in done.stdout
    assert "AnsiballZ_credential" not in done.stdout


def test_without_verification_it_warns_and_sends_no_authority(awx: Awx, run: Run) -> None:
    for given in ("no", False):
        done = run(verify_ssl=given)
        assert done.rc == 0, done.stdout
        assert "jobs with the credential staging do not verify https://127.0.0.1" in done.stdout + done.stderr
    made = awx.one("credentials", "staging")
    assert set(made["inputs"]) == {"host", "verify_ssl", "bearer_token"}
    assert made["inputs"]["verify_ssl"] is False
    assert run(verify_ssl="").rc == 0
    assert awx.one("credentials", "staging")["inputs"]["verify_ssl"] is True


def test_a_connection_that_is_not_verified_gets_the_authority_of_the_cluster(
    cluster: Cluster, awx: Awx, run: Run
) -> None:
    done = run(env={"K8S_AUTH_VERIFY_SSL": "False"}, allow_risks=["insecure_transport"])
    assert done.rc == 0, done.stdout
    assert awx.one("credentials", "staging")["inputs"]["ssl_ca_cert"].strip() == authority(cluster).strip()


def test_optional_answers_of_a_survey_may_be_empty_and_lists_may_be_text(
    cluster: Cluster, namespace: str, awx: Awx, run: Run
) -> None:
    empty = dict.fromkeys(("host", "ca_cert", "audiences", "overlap", "sinks", "description", "verify_ssl"), "")
    done = run(**empty)
    assert (done.rc, done.changed) == (0, 2), done.stdout
    made = awx.one("credentials", "staging")
    assert made["inputs"]["host"] == cluster.server
    given = {"audiences": "https://kubernetes.default.svc\n", "handle": "", "verify_ssl": "true"}
    assert run(**given).rc == 0
    assert awx.one("credentials", "staging")["inputs"]["bearer_token"] == kept(cluster, namespace)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": ""}, "awx_credential_name is empty"),
        ({"host": "staging:6443"}, "awx_credential_host is no https:// address"),
        ({"host": "https://me:word@staging"}, "awx_credential_host holds a user or a password"),
        ({"ca_cert": "/etc/ca.crt"}, "awx_credential_ca_cert is no certificate in PEM form"),
        ({"verify_ssl": "perhaps"}, "awx_credential_verify_ssl: perhaps is neither true nor false"),
    ],
)
def test_what_cannot_be_right_ends_before_a_request(
    cluster: Cluster, awx: Awx, run: Run, given: Item, said: str
) -> None:
    mark = cluster.audit_mark()
    refused = run(**given)
    assert refused.rc == 2
    assert said in refused.stdout
    assert awx.requests == []
    assert [one for one in cluster.audit_events(mark) if one.get("userAgent") == "tokenwright"] == []


def test_no_authority_is_refused_because_awx_would_switch_verification_off(
    cluster: Cluster, awx: Awx, run: Run, tmp_path: Path
) -> None:
    """The connection verifies by the system's authorities, here a file that only the process knows of."""
    (tmp_path / "system.pem").write_text(authority(cluster))
    config = yaml.safe_load(Path(cluster.kubeconfig).read_text())
    del config["clusters"][0]["cluster"]["certificate-authority-data"]
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    env = {"K8S_AUTH_KUBECONFIG": str(tmp_path / "kubeconfig"), "SSL_CERT_FILE": str(tmp_path / "system.pem")}
    refused = run(env=env)
    assert refused.rc == 2
    assert "AWX switches verification off for a credential without one" in refused.stdout
    assert awx.written() == []
    done = run(env=env, ca_cert=authority(cluster))
    assert done.rc == 0, done.stdout
    assert awx.one("credentials", "staging")["inputs"]["ssl_ca_cert"] == authority(cluster)


def test_an_awx_that_does_not_know_us_gets_no_token(cluster: Cluster, awx: Awx, run: Run) -> None:
    mark = cluster.audit_mark()
    refused = run(env={"CONTROLLER_OAUTH_TOKEN": "wrong"})
    assert refused.rc == 2
    assert "Invalid authentication credentials" in refused.stdout
    assert [one for one in cluster.audit_events(mark) if one.get("userAgent") == "tokenwright"] == []
    assert awx.written() == []


def test_why_awx_does_not_take_it_is_said_and_the_next_run_goes_on(
    cluster: Cluster, namespace: str, awx: Awx, run: Run
) -> None:
    awx.refusing["POST /api/v2/credentials/"] = (400, {"inputs": ["the host is out of fashion"]})
    refused = run()
    assert refused.rc == 2
    assert "AWX did not take the credential staging: " in refused.stdout
    assert "the host is out of fashion" in refused.stdout
    token = kept(cluster, namespace)
    assert token not in refused.stdout + refused.stderr
    awx.refusing.clear()
    done = run()
    assert (done.rc, done.changed) == (0, 1), done.stdout
    assert awx.one("credentials", "staging")["inputs"]["bearer_token"] == token


class KilledError(Exception):
    """Ends a request that nobody waits for any more."""


@pytest.mark.parametrize(
    ("state", "method", "moment"),
    [("present", "POST", "before"), ("present", "POST", "after"), ("absent", "DELETE", "before")],
)
def test_a_run_that_is_killed_while_it_writes_is_completed_by_the_next(
    cluster: Cluster, namespace: str, awx: Awx, run: Run, tmp_path: Path, state: str, method: str, moment: str
) -> None:
    if state == "absent":
        assert run().rc == 0
    given = {"name": "staging", "service_account": "deployer", "namespace": namespace, "state": state}
    (tmp_path / "killed.yml").write_text(yaml.safe_dump(role(**given)))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    paths = {"ANSIBLE_COLLECTIONS_PATH": f"{COLLECTIONS}{os.pathsep}{PEERS}", "K8S_AUTH_KUBECONFIG": cluster.kubeconfig}
    env = {**os.environ, **awx.environment, **{key: str(value) for key, value in paths.items()}}
    process = subprocess.Popen(
        [program, "killed.yml"], cwd=tmp_path, env=env, start_new_session=True, stdout=subprocess.DEVNULL
    )

    def kill(request: Request) -> None:
        if request.method == method:
            os.killpg(process.pid, signal.SIGKILL)
            raise KilledError

    setattr(awx, moment, kill)
    assert process.wait(120) == -signal.SIGKILL
    setattr(awx, moment, lambda dummy: None)
    made = awx.all("credentials")
    assert len(made) == {("present", "before"): 0, ("present", "after"): 1, ("absent", "before"): 1}[state, moment]
    token = kept(cluster, namespace) if state == "present" else ""
    done, again = run(state=state), run(state=state)
    assert (done.rc, done.changed) == (0, 0 if moment == "after" else 1), done.stdout
    assert (again.rc, again.changed) == (0, 0)
    if state == "absent":
        assert awx.all("credentials") == []
    else:
        assert awx.one("credentials", "staging")["inputs"]["bearer_token"] == token == kept(cluster, namespace)


def test_without_the_collection_of_awx_it_says_what_is_missing(run: Run) -> None:
    for state in ("present", "absent"):
        refused = run(
            env={"ANSIBLE_COLLECTIONS_PATH": str(COLLECTIONS), "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH": "0"}, state=state
        )
        assert refused.rc == 2
        assert "the collection awx.awx, which speaks with AWX, is not installed" in refused.stdout
