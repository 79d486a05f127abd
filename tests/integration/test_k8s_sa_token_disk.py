# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_token where nothing can be written: full, read-only or foreign; found out before a token is minted."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cluster.controlplane import Cluster
from conftest import COLLECTIONS, ROOT, USE_CASES, Task

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _client
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

Writes = Callable[[int], list[str]]
Options = dict[str, Any]
NOBODY = 65534

# imported here although others use it: who has become nobody cannot read where it is
PRELOADED = (_client,)

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount and become somebody else")


@pytest.fixture
def account(cluster: Cluster, namespace: str) -> Options:
    """The options that name an account."""
    cluster.kubectl("create", "serviceaccount", "app", "-n", namespace)
    return {"service_account": "app", "namespace": namespace}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 64 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", str(place)], check=False)
    if mounted.returncode:
        pytest.skip("this machine does not let us mount anything")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def fill(disk: Path) -> None:
    """Take all that is left."""
    with (disk / "filler").open("ab", buffering=0) as stream:
        size = 4096
        while size:
            try:
                stream.write(b"x" * size)
            except OSError:
                size //= 2


@pytest.fixture(params=["dest", "kubeconfig_dest"])
def options(request: pytest.FixtureRequest, account: Options, small_disk: Path) -> Options:
    """A place on the small disk: a token file, then a kubeconfig."""
    return {**account, request.param: str(small_disk / "place")}


@as_root
@pytest.mark.parametrize("is_new", [True, False], ids=["new", "overwrite"])
def test_a_full_disk_is_found_out_before_a_token_is_minted(
    cluster: Cluster, run_task: Task, options: Options, small_disk: Path, writes: Writes, is_new: bool
) -> None:
    if not is_new:
        assert run_task("k8s_sa_token", **options)["changed"]
    before = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    fill(small_disk)
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_token", **options, expiration_seconds=7200)
    assert result["failed"]
    assert "No space left on device: free some space" in result["msg"]
    assert str(small_disk / "place") in result["msg"]
    assert writes(mark) == []
    (small_disk / "filler").unlink()
    left = {path.name: path.read_bytes() for path in small_disk.iterdir() if not path.name.endswith(".tokenwright")}
    assert left == {name: data for name, data in before.items() if not name.endswith(".tokenwright")}
    assert run_task("k8s_sa_token", **options, expiration_seconds=7200)["changed"]


@as_root
def test_a_read_only_file_system_is_found_out_before_a_token_is_minted(
    cluster: Cluster, run_task: Task, options: Options, small_disk: Path, writes: Writes
) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_token", **options)
    assert result["failed"]
    assert "Read-only file system: choose a path on a writable file system" in result["msg"]
    assert writes(mark) == []


def as_nobody(cluster: Cluster, home: Path, **options: Any) -> dict[str, Any]:
    """The result of the task run by a user without any rights on this host."""
    kubeconfig = home / "admin.kubeconfig"
    shutil.copy(cluster.kubeconfig, kubeconfig)
    os.chown(kubeconfig, NOBODY, NOBODY)
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            args = {"kubeconfig": str(kubeconfig), **options}
            os.write(write, pickle.dumps(run_here(USE_CASES["k8s_sa_token"], args, check_mode=False, diff=False)))
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        data = stream.read()
    os.waitpid(child, 0)
    result: dict[str, Any] = pickle.loads(data)  # noqa: S301 - our own child wrote it
    return result


@pytest.fixture
def open_place() -> Iterator[Path]:
    """A directory that everybody may pass: pytest's own are root's."""
    place = Path("/var/tmp") / f"tokenwright-test-{os.getpid()}"  # noqa: S108 - a directory of our own
    place.mkdir(mode=0o755)
    place.chmod(0o755)
    yield place
    shutil.rmtree(place)


@as_root
def test_somebody_without_rights_is_told_so_before_a_token_is_minted(
    cluster: Cluster, account: Options, open_place: Path, writes: Writes
) -> None:
    mark = cluster.audit_mark()
    result = as_nobody(cluster, open_place, **account, dest=str(open_place / "token"))
    assert result["failed"]
    assert "Permission denied: run the task as a user who may write there" in result["msg"]
    assert writes(mark) == []
    own = open_place / "own"
    own.mkdir(mode=0o700)
    os.chown(own, NOBODY, NOBODY)
    assert as_nobody(cluster, open_place, **account, dest=str(own / "token"))["changed"]
    assert (own / "token").stat().st_uid == NOBODY


# What is there and cannot be replaced.

IN_OWN_MOUNTS = """
import json, sys
from conftest import USE_CASES
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here
args = json.load(sys.stdin)
run = lambda check_mode: run_here(USE_CASES["k8s_sa_token"], dict(args), check_mode=check_mode, diff=False)
print(json.dumps([run(True), run(False)]))
"""


def predicted_and_done_where_mounted(cluster: Cluster, place: Path, **options: Any) -> list[dict[str, Any]]:
    """The results of both modes where the place is a mount point; it is one for nobody else."""
    script = 'mount --bind "$1" "$1" && exec "$0" -c "$2"'
    done = subprocess.run(
        ["unshare", "-m", "--propagation", "private", "sh", "-c", script, sys.executable, str(place), IN_OWN_MOUNTS],
        input=json.dumps({"kubeconfig": str(cluster.kubeconfig), **options}),
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'tests'}{os.pathsep}{COLLECTIONS}"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode and not done.stdout:
        pytest.skip(f"this machine does not let us mount anything: {done.stderr[-300:]}")
    results: list[dict[str, Any]] = json.loads(done.stdout)
    return results


@as_root
@pytest.mark.parametrize("option", ["dest", "kubeconfig_dest"])
def test_a_mount_point_is_found_out_before_a_token_is_minted(
    cluster: Cluster, account: Options, run_task: Task, writes: Writes, tmp_path: Path, option: str
) -> None:
    place = tmp_path / "place"
    options = {**account, option: str(place)}
    run_task("k8s_sa_token", **options)
    before, mark = place.read_text(), cluster.audit_mark()
    for state in ("present", "absent"):
        results = predicted_and_done_where_mounted(
            cluster, place, **options, state=state, verify="never", expiration_seconds=7200
        )
        assert [result["error"]["code"] for result in results] == ["mount_point", "mount_point"]
        assert {result["msg"] for result in results} == {
            f"{place} is a mount point of its own and can be neither replaced nor removed: mount its directory instead"
        }
    assert (writes(mark), place.read_text()) == ([], before)
    # as long as there is nothing to be written, it does for a place
    results = predicted_and_done_where_mounted(cluster, place, **options)
    assert [result["reason"] for result in results] == ["up_to_date", "up_to_date"]


@pytest.fixture
def immutable(tmp_path: Path) -> Iterator[Path]:
    """A file with that attribute."""
    place = tmp_path / "place"
    place.touch(mode=0o600)
    if subprocess.run(["chattr", "+i", str(place)], capture_output=True, check=False).returncode:
        pytest.skip("this file system has no such attribute, or we may not set it")
    yield place
    subprocess.run(["chattr", "-i", str(place)], check=True)


@pytest.mark.parametrize("option", ["dest", "kubeconfig_dest"])
def test_an_immutable_file_is_found_out_before_a_token_is_minted(
    cluster: Cluster, account: Options, run_task: Task, writes: Writes, immutable: Path, option: str
) -> None:
    mark = cluster.audit_mark()
    options = {**account, option: str(immutable)}
    results = [run_task("k8s_sa_token", check_mode=mode, **options) for mode in (True, False)]
    assert [result["error"]["code"] for result in results] == ["immutable", "immutable"]
    assert {result["msg"] for result in results} == {
        f"{immutable} can be neither written nor removed, because {immutable} is immutable or append-only: "
        "take the attribute away (chattr -i -a), or choose another path"
    }
    assert writes(mark) == []


@as_root
def test_a_file_that_only_somebody_else_may_replace_is_found_out_before_a_token_is_minted(
    cluster: Cluster, account: Options, open_place: Path, writes: Writes
) -> None:
    mark = cluster.audit_mark()
    open_place.chmod(0o1777)
    (open_place / "token").touch(mode=0o644)
    result = as_nobody(cluster, open_place, **account, dest=str(open_place / "token"))
    assert result["failed"]
    assert f"belongs to somebody else, and in {open_place} only they may replace or remove it" in result["msg"]
    assert writes(mark) == []
