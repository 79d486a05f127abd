# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The promises of the cluster kit, held against real processes."""

from __future__ import annotations

import base64
import datetime as dt
import json
import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from cluster.build import ENVTEST, programs
from cluster.components import NAMES, override
from cluster.controlplane import Cluster, KubectlError
from cluster.kit import KitError
from cluster.observing import TESTS, claims, command, kit, living, pids, within
from cluster.pins import CONTROL_PLANE, NODE, Family, read_pins, replacements, upstream_go_mod
from cluster.pki import Pki
from cluster.processes import Process, ProcessTable, this_process
from cluster.toolchain import find_go
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

FLAG = "--apiserver-flag=--service-account-max-token-expiration=1h"
HOUR = dt.timedelta(hours=1)


def ports_are_free(ports: Sequence[int]) -> bool:
    return all(map(is_free, ports))


def is_free(port: int) -> bool:
    with socket.socket() as listener:
        # As every server does; without it, connections that just ended would count.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def expire_certificates(directory: Path) -> None:
    pki = Pki(directory / "pki")
    pki.certificate("ca").unlink()
    pki.ensure(dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=31))


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """A directory for a cluster; pytest keeps the last ones, but not with etcd's 60 MB in each."""
    yield tmp_path
    shutil.rmtree(tmp_path / "etcd", ignore_errors=True)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The directory of a cluster that was started from the command line and belongs to nobody."""
    directory = tmp_path_factory.mktemp("up")
    done = kit("up", "--dir", directory, FLAG)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"export KUBECONFIG={directory}/admin.kubeconfig\n"
    yield directory
    assert kit("down", "--dir", directory, "--purge").returncode == 0
    assert not living(directory)
    assert not directory.exists()


@pytest.fixture(scope="module")
def owned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    directory = tmp_path_factory.mktemp("owned")
    with Cluster(directory) as cluster:
        ports = [status.port for status in cluster.status() if status.port]
        yield cluster
    assert not living(directory)
    assert ports_are_free(ports)
    cluster.down(purge=True)


class TestFromTheCommandLine:
    def test_up_on_a_running_cluster_changes_nothing(self, running: Path) -> None:
        before = pids(running)
        done = kit("up", "--dir", running, FLAG)
        assert done.stdout == f"export KUBECONFIG={running}/admin.kubeconfig\n"
        assert pids(running) == before

    def test_status_shows_every_process_ready(self, running: Path) -> None:
        done = kit("status", "--dir", running)
        assert done.returncode == 0
        assert [line.split()[:2] for line in done.stdout.splitlines()] == [[name, "ready"] for name in NAMES]

    def test_an_api_server_flag_is_in_force(self, running: Path) -> None:
        cluster = Cluster(running, owned=False)
        token = claims(cluster.kubectl("create", "token", "default", "--duration=2h").stdout)
        assert token["exp"] - token["iat"] == 3600

    def test_up_replaces_a_process_that_died_and_only_that(self, running: Path) -> None:
        before = pids(running)
        os.kill(before["kube-controller-manager"], signal.SIGKILL)
        kit("up", "--dir", running, FLAG)
        changed = {name for name, pid in pids(running).items() if pid != before[name]}
        assert changed == {"kube-controller-manager"}
        assert kit("status", "--dir", running).returncode == 0

    def test_stop_and_start_keep_the_state_and_the_port(self, running: Path) -> None:
        cluster = Cluster(running, owned=False)
        cluster.kubectl("create", "configmap", "kept", "--from-literal=a=b")
        before = cluster.kubeconfig.read_text()
        assert kit("stop", "kube-apiserver", "--dir", running).returncode == 0
        stopped = kit("status", "--dir", running)
        assert stopped.returncode == 3
        assert re.search(r"^kube-apiserver +stopped", stopped.stdout, re.MULTILINE)
        assert kit("start", "kube-apiserver", "--dir", running).returncode == 0
        assert cluster.kubeconfig.read_text() == before
        assert cluster.kubectl("get", "configmap", "kept", "--output=jsonpath={.data.a}").stdout == "b"

    def test_a_process_that_got_the_pid_of_one_of_ours_is_not_touched(self, running: Path) -> None:
        record = running / "run" / "kube-controller-manager.json"
        true_record = record.read_text()
        with subprocess.Popen(["sleep", "60"], start_new_session=True) as bystander:
            try:
                record.write_text(json.dumps({**json.loads(true_record), "pid": bystander.pid}))
                kit("stop", "kube-controller-manager", "--dir", running)
                time.sleep(0.1)
                assert bystander.poll() is None
            finally:
                bystander.kill()
                record.write_text(true_record)

    def test_a_stolen_port_is_replaced_by_up(self, running: Path) -> None:
        cluster, name = Cluster(running, owned=False), "kube-controller-manager"
        cluster.stop(name)
        port = cluster.status()[2].port
        with socket.socket() as thief:
            thief.bind(("127.0.0.1", port))
            start = kit("start", name, "--dir", running)
            assert start.stderr == (
                f"cluster.py: Another program has taken the port of {name}: "
                "end that one, or use cluster.py up, which chooses another port.\n"
            )
            assert kit("up", "--dir", running, FLAG).returncode == 0
        status = cluster.status()[2]
        assert status.state == "ready"
        assert status.port != port

    def test_the_next_up_has_the_state_and_new_certificates_if_they_have_expired(self, running: Path) -> None:
        cluster = Cluster(running, owned=False)
        uid = cluster.kubectl("get", "namespace", "default", "--output=jsonpath={.metadata.uid}").stdout
        ports = [status.port for status in cluster.status() if status.port]
        assert kit("down", "--dir", running).returncode == 0
        assert not living(running)
        assert ports_are_free(ports)
        expire_certificates(running)
        assert kit("up", "--dir", running).returncode == 0
        assert cluster.kubectl("get", "namespace", "default", "--output=jsonpath={.metadata.uid}").stdout == uid

    def test_everything_it_writes_is_private(self, running: Path) -> None:
        modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (running, *running.rglob("*"))}
        # kubectl sets the mode of its cache itself; nobody else gets there through the directory above.
        public = {path for path, mode in modes.items() if mode & 0o077 and "kubectl-cache" not in path.parts}
        assert not public

    def test_an_unknown_process_is_one_sentence(self, running: Path) -> None:
        done = kit("stop", "kube-scheduler", "--dir", running)
        assert done.returncode == 1
        assert done.stderr == (
            "cluster.py: 'kube-scheduler' is no process of the cluster: it has "
            "etcd, kube-apiserver, kube-controller-manager.\n"
        )

    def test_run_passes_on_the_exit_status_and_leaves_nothing(self, place: Path) -> None:
        script = "kubectl auth whoami --output=jsonpath={.status.userInfo.username}; exit 7"
        done = kit("run", "--dir", place, "--", "sh", "-c", script)
        assert (done.returncode, done.stdout) == (7, "admin"), done.stderr
        assert not living(place)

    def test_up_interrupted_half_way_leaves_nothing(self, place: Path) -> None:
        with subprocess.Popen(command("up", "--dir", place), stderr=subprocess.PIPE, text=True) as process:
            assert within(30, (place / "run" / "kube-apiserver.json").exists)
            assert living(place)
            process.send_signal(signal.SIGINT)
            errors = process.communicate(timeout=30)[1]
        assert process.returncode == 130
        assert errors.endswith("cluster.py: interrupted\n")
        # The command line of "up" itself names the directory too, and it has ended.
        assert not living(place)

    def test_a_server_that_does_not_start_says_why(self, place: Path) -> None:
        done = kit("up", "--dir", place, "--apiserver-flag=no-such-flag=1")
        assert done.returncode == 1
        assert "kube-apiserver ended instead of starting; the end of its log" in done.stderr
        assert "unknown flag: --no-such-flag" in done.stderr
        assert not living(place)

    def test_a_directory_with_something_else_in_it_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("precious")
        for arguments in (("up",), ("down", "--purge")):
            done = kit(*arguments, "--dir", tmp_path)
            assert done.returncode == 1
            assert "holds something else than a cluster" in done.stderr
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_a_cluster_that_is_not_there_is_one_sentence(self, tmp_path: Path) -> None:
        done = kit("status", "--dir", tmp_path / "none")
        assert (
            done.stderr == f"cluster.py: There is no cluster in {tmp_path}/none: start one there with cluster.py up.\n"
        )


class TestInProcess:
    def test_server_and_kubectl_say_the_version_they_were_built_from(self, owned: Cluster) -> None:
        answer = json.loads(owned.kubectl("version", "--output=json").stdout)
        versions = {answer[side]["gitVersion"] for side in ("clientVersion", "serverVersion")}
        if "KUBEBUILDER_ASSETS" in os.environ:
            assert not any(version.startswith("v0.0.0") for version in versions)
        else:
            assert versions == {f"v{read_pins(CONTROL_PLANE.committed).version}"}

    def test_the_controllers_work(self, owned: Cluster) -> None:
        secret = {
            "apiVersion": "v1",
            "kind": "Secret",
            "type": "kubernetes.io/service-account-token",
            "metadata": {"name": "legacy", "annotations": {"kubernetes.io/service-account.name": "default"}},
        }
        owned.kubectl("apply", "--filename=-", input=json.dumps(secret))
        owned.kubectl("wait", "--for=jsonpath={.data.token}", "secret/legacy", "--timeout=10s")

    def test_the_kubeconfig_works_without_any_other_file(self, owned: Cluster, tmp_path: Path) -> None:
        copy = tmp_path / "config"
        shutil.copyfile(owned.kubeconfig, copy)
        assert str(owned.directory) not in copy.read_text()
        assert owned.kubectl(f"--kubeconfig={copy}", "auth", "whoami").returncode == 0

    def test_certificates_are_valid_since_an_hour_ago(self, owned: Cluster) -> None:
        now = dt.datetime.now(dt.timezone.utc)
        for path in (owned.directory / "pki").glob("*.crt"):
            certificate = x509.load_pem_x509_certificate(path.read_bytes())
            assert HOUR <= now - certificate.not_valid_before_utc < 2 * HOUR
            assert dt.timedelta(days=29) < certificate.not_valid_after_utc - now <= dt.timedelta(days=30)

    def test_a_limited_caller_is_who_the_certificate_says(self, owned: Cluster) -> None:
        kubeconfig = owned.kubeconfig_for("jane", ["dev", "ops"])
        answer = owned.kubectl(f"--kubeconfig={kubeconfig}", "auth", "whoami", "--output=json").stdout
        user = json.loads(answer)["status"]["userInfo"]
        assert (user["username"], user["groups"]) == ("jane", ["dev", "ops", "system:authenticated"])
        with pytest.raises(KubectlError, match='User "jane" cannot list resource "secrets"'):
            owned.kubectl(f"--kubeconfig={kubeconfig}", "get", "secrets")

    def test_tokens_are_signed_with_the_signing_key(self, owned: Cluster) -> None:
        token = owned.kubectl("create", "token", "default").stdout
        signed, signature = token.rpartition(".")[::2]
        key = serialization.load_pem_private_key(owned.signing_key.read_bytes(), password=None)
        assert isinstance(key, rsa.RSAPrivateKey)
        raw = base64.urlsafe_b64decode(signature + "==")
        key.public_key().verify(raw, signed.encode(), padding.PKCS1v15(), hashes.SHA256())
        assert claims(token)["iss"] == owned.server

    def test_the_audit_log_has_the_answered_requests_after_the_mark_and_no_others(self, owned: Cluster) -> None:
        owned.kubectl("create", "namespace", "before")
        mark = owned.audit_mark()
        owned.kubectl("create", "namespace", "after")
        asked = [event for event in owned.audit_events(mark) if event["userAgent"].startswith("kubectl")]
        assert [(event["verb"], event["objectRef"]["name"]) for event in asked] == [("create", "after")]

    def test_the_audit_log_is_free_of_the_kits_own_requests(self, owned: Cluster) -> None:
        mark = owned.audit_mark()
        owned.status()
        owned.audit_mark()
        assert not [event for event in owned.audit_events(mark) if event["user"]["username"] == "admin"]

    def test_a_single_process_can_be_down(self, owned: Cluster) -> None:
        owned.stop("kube-controller-manager")
        assert [status.state for status in owned.status()] == ["ready", "ready", "stopped"]
        owned.start("kube-controller-manager")
        assert [status.state for status in owned.status()] == ["ready", "ready", "ready"]

    def test_it_is_not_taken_away_from_its_owner(self, owned: Cluster) -> None:
        done = kit("up", "--dir", owned.directory)
        assert done.returncode == 1
        assert f"belongs to process {os.getpid()}, which still runs" in done.stderr

    def test_it_dies_with_an_owner_that_is_killed(self, place: Path) -> None:
        program = (
            "import sys, time; from cluster.controlplane import Cluster\n"
            "with Cluster(sys.argv[1]): open(sys.argv[1] + '/ready', 'w').close(); time.sleep(600)"
        )
        environment = {**os.environ, "PYTHONPATH": str(TESTS)}
        with subprocess.Popen([sys.executable, "-c", program, str(place)], env=environment) as owner:
            try:
                assert within(60, (place / "ready").exists)
                assert len(pids(place)) == len(NAMES)
            finally:
                owner.kill()
        ports = [status.port for status in Cluster(place).status() if status.port]
        assert within(5, lambda: not living(place) and ports_are_free(ports))


class TestPrograms:
    def test_built_programs_are_found_at_once(self) -> None:
        programs()
        began = time.monotonic()
        assert set(programs()) == {*NAMES, "kubectl"}
        assert time.monotonic() - began < 1

    def test_envtest_assets_are_used_and_only_what_they_lack_is_built(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        built = programs()
        for name in ENVTEST:
            (tmp_path / name).symlink_to(built[name])
        monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
        expected = {
            **{name: tmp_path / name for name in ENVTEST},
            "kube-controller-manager": built["kube-controller-manager"],
        }
        assert programs() == expected

    def test_a_build_that_fails_is_a_sentence_and_the_end_of_the_output(self, tmp_path: Path) -> None:
        caches = {"XDG_CACHE_HOME": str(tmp_path), "GOMODCACHE": str(tmp_path / "modules"), "GOPROXY": "off"}
        done = kit("build", KUBEBUILDER_ASSETS="", **caches)
        assert done.returncode == 1
        assert "cluster.py: Building etcd of Kubernetes" in done.stderr
        assert "module lookup disabled by GOPROXY=off" in done.stderr
        assert "Traceback" not in done.stderr

    @pytest.mark.parametrize("family", [CONTROL_PLANE, NODE], ids=lambda family: family.name)
    def test_the_committed_replacements_are_upstreams(self, tmp_path: Path, family: Family) -> None:
        pins = read_pins(family.committed)
        assert pins.version == read_pins(CONTROL_PLANE.committed).version
        upstream = upstream_go_mod(find_go(pins.go), pins.version, tmp_path)
        committed = re.findall(r"^\t(\S+ => \S+ \S+)$", (family.committed / "go.mod").read_text(), re.MULTILINE)
        assert committed
        assert committed == replacements(upstream, pins.version)

    def test_a_version_that_is_none_is_one_sentence(self) -> None:
        assert kit("pin", "latest").stderr == "cluster.py: 'latest' is no Kubernetes version: write it like 1.36.3.\n"


class TestProcesses:
    """With a process that is quick to start; ``sleep`` is handed a name of its own so that it can be found."""

    @pytest.fixture
    def sleeper(self, tmp_path: Path) -> Process:
        program = tmp_path / "sleeper"
        program.symlink_to(str(shutil.which("sleep")))
        (tmp_path / "input").write_text("before")
        return Process("sleeper", (str(program), "60"), (tmp_path / "input",), checks=())

    def test_it_is_outdated_when_a_file_that_it_has_read_changes(self, sleeper: Process, tmp_path: Path) -> None:
        table = ProcessTable(tmp_path)
        table.spawn(sleeper)
        try:
            assert table.up_to_date(sleeper)
            sleeper.inputs[0].write_text("after")
            assert not table.up_to_date(sleeper)
        finally:
            table.stop("sleeper")
        assert not living(tmp_path)

    def test_an_owned_one_dies_with_its_supervisor(self, sleeper: Process, tmp_path: Path) -> None:
        table = ProcessTable(tmp_path, this_process())
        table.spawn(sleeper)
        assert within(5, lambda: len(living(tmp_path)) == 2)
        os.kill(pids(tmp_path)["sleeper"], signal.SIGKILL)
        assert within(5, lambda: not living(tmp_path))
        assert table.identity("sleeper") is None

    def test_one_that_ignores_sigterm_is_killed(self, tmp_path: Path) -> None:
        table = ProcessTable(tmp_path, this_process())
        script = f"trap '' TERM; touch {tmp_path}/deaf; while true; do sleep 0.1; done"
        table.spawn(Process("deaf", ("sh", "-c", script), (), checks=()))
        assert within(5, (tmp_path / "deaf").exists)
        table.stop("deaf", seconds=0.2)
        assert not living(tmp_path)


class TestParts:
    @pytest.mark.parametrize(
        ("extra", "expected"),
        [
            ([], ("--a=1", "--b-c=2", "--d")),
            (["--a=9"], ("--b-c=2", "--d", "--a=9")),
            (["--a=8", "--a=9"], ("--b-c=2", "--d", "--a=8", "--a=9")),
            (["--b_c=9"], ("--a=1", "--d", "--b_c=9")),
            (["--d=false", "--e"], ("--a=1", "--b-c=2", "--d=false", "--e")),
        ],
    )
    def test_extra_flags_replace_those_of_the_same_name(self, extra: list[str], expected: tuple[str, ...]) -> None:
        assert override(["--a=1", "--b-c=2", "--d"], extra) == expected

    @pytest.mark.parametrize(("age_days", "renewed"), [(28, False), (29.5, True), (40, True)])
    def test_certificates_are_renewed_in_time_and_the_signing_key_stays(
        self, tmp_path: Path, age_days: float, renewed: bool
    ) -> None:
        pki = Pki(tmp_path)
        pki.ensure(dt.datetime.now(dt.timezone.utc) - dt.timedelta(days=age_days))
        authority, signing_key = pki.certificate("ca").read_bytes(), pki.signing_key.read_bytes()
        pki.ensure()
        assert (pki.certificate("ca").read_bytes() != authority) is renewed
        assert pki.signing_key.read_bytes() == signing_key

    def test_a_missing_cluster_is_a_sentence_for_programs_too(self, tmp_path: Path) -> None:
        with pytest.raises(KitError, match="There is no cluster in"):
            dummy = Cluster(tmp_path).server
