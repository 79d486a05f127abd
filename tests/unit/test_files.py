# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Private files and their locks, on a real file system and against real other processes."""

from __future__ import annotations

import dataclasses
import fcntl
import grp
import json
import os
import pwd
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tools.checkout import ROOT

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _files
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import FileError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._files import (
    Permissions,
    PrivateFile,
    Sidecar,
    check_directory,
    read_private,
    remove,
    set_permissions,
)

PRIVATE = Permissions(0o600)
NOBODY = 65534
READABLE, LIKE_TMP = 0o755, 0o1777
IS_ROOT = os.geteuid() == 0
needs_root = pytest.mark.skipif(not IS_ROOT, reason="only root may give files away")


@pytest.fixture(params=[0o000, 0o022, 0o077], ids=oct)
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "token")


def write(path: str, content: str, permissions: Permissions = PRIVATE) -> None:
    with PrivateFile(path, permissions) as file:
        file.commit(content)


def mode_of(path: str | Path) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


def listed(path: str) -> list[str]:
    return sorted(os.listdir(os.path.dirname(path)))


# Writing.


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o400])
@pytest.mark.parametrize("existing", [None, 0o600, 0o666])
@pytest.mark.usefixtures("umask")
def test_a_file_has_its_mode_whatever_the_umask_and_whatever_was_there(
    path: str, mode: int, existing: int | None
) -> None:
    if existing is not None:
        Path(path).write_text("old")
        os.chmod(path, existing)
    write(path, "new", Permissions(mode))
    assert (Path(path).read_text(), mode_of(path)) == ("new", mode)
    assert listed(path) == ["token"]


@pytest.mark.usefixtures("umask")
def test_nobody_else_may_read_it_from_the_first_byte_on(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    modes, set_mode = [], os.fchmod

    def look_and_set_mode(fd: int, mode: int) -> None:
        modes.append(stat.S_IMODE(os.fstat(fd).st_mode) & 0o077)
        set_mode(fd, mode)

    monkeypatch.setattr(os, "fchmod", look_and_set_mode)
    with PrivateFile(path, PRIVATE) as file:
        assert modes == [0]
        (temporary,) = listed(path)
        assert temporary.startswith(".token.")
        assert temporary.endswith(".tmp")
        beside = Path(path).with_name(temporary)
        assert (mode_of(beside), beside.read_bytes().strip(b"\0")) == (0o600, b"")
        file.commit("secret")
        assert listed(path) == ["token"]
        assert mode_of(path) == 0o600


def test_text_is_written_in_utf_8_and_nothing_is_added(path: str) -> None:
    write(path, "Grüße\nohne Zeilenende")
    assert Path(path).read_bytes() == "Grüße\nohne Zeilenende".encode()


def test_a_large_text_is_written_as_a_whole(path: str) -> None:
    write(path, "x" * 3_000_000)
    assert Path(path).stat().st_size == 3_000_000


def test_a_reader_finds_the_old_content_or_the_new_one(path: str) -> None:
    contents = {letter * 200_000 for letter in "ab"}
    write(path, min(contents))
    found, done = set(), threading.Event()

    def read_again_and_again() -> None:
        while not done.is_set():
            found.add(read_private(path))

    reader = threading.Thread(target=read_again_and_again)
    reader.start()
    try:
        for number in range(40):
            write(path, sorted(contents)[number % 2])
    finally:
        done.set()
        reader.join()
    assert found <= contents


def test_what_had_the_file_open_keeps_what_it_had(path: str) -> None:
    write(path, "old")
    with open(path, encoding="ascii") as stream:
        write(path, "new")
        assert stream.read() == "old"


@pytest.mark.parametrize("existing", [True, False])
def test_without_a_commit_nothing_happens(path: str, existing: bool) -> None:
    if existing:
        Path(path).write_text("old")
    with PrivateFile(path, PRIVATE):
        pass
    with pytest.raises(RuntimeError, match="the mint failed"), PrivateFile(path, PRIVATE):
        raise RuntimeError("the mint failed")
    assert listed(path) == (["token"] if existing else [])
    assert not existing or Path(path).read_text() == "old"


def test_a_link_is_replaced_and_what_it_leads_to_is_not_touched(tmp_path: Path, path: str) -> None:
    target = tmp_path / "target"
    target.write_text("theirs")
    os.symlink(target, path)
    write(path, "ours")
    assert (Path(path).is_symlink(), Path(path).read_text(), target.read_text()) == (False, "ours", "theirs")


def failing(path: str, permissions: Permissions = PRIVATE) -> FileError:
    with pytest.raises(FileError) as caught:
        write(path, "content", permissions)
    assert caught.value.hint
    return caught.value


def test_no_directory(tmp_path: Path) -> None:
    path = str(tmp_path / "missing" / "token")
    error = failing(path)
    assert error.code == "enoent"
    assert str(error) == f"cannot write {path}: No such file or directory: create the directory first"


def test_a_file_where_the_directory_should_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    error = failing(str(tmp_path / "file" / "token"))
    assert error.code == "no_directory"
    assert error.what.endswith(f"{tmp_path}/file is not a directory")
    assert failing(str(tmp_path / "file" / "below" / "token")).code == "enotdir"


def test_a_directory_where_the_file_should_be(path: str) -> None:
    os.mkdir(path)
    assert failing(path).code == "eisdir"
    assert listed(path) == ["token"]


def test_a_name_that_is_too_long(tmp_path: Path) -> None:
    error = failing(str(tmp_path / ("x" * 250)))
    assert (error.code, error.hint) == ("enametoolong", "choose a shorter name")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("mode", "is_safe"), [(0o700, True), (0o775, True), (0o1777, True), (0o777, False), (0o733, False)], ids=oct
)
def test_a_directory_in_which_anybody_may_change_the_file_is_refused(path: str, mode: int, is_safe: bool) -> None:
    os.chmod(os.path.dirname(path), mode)
    if is_safe:
        write(path, "content")
        check_directory(os.path.dirname(path), path)
    else:
        error = failing(path)
        assert error.code == "unsafe_directory"
        assert "has no sticky bit: choose a private directory (mode 0700)" in str(error)
        assert listed(path) == []


# Owners.


@pytest.mark.parametrize(
    ("permissions", "message"),
    [
        (Permissions(0o600, owner="no-such-user"), "owner: 'no-such-user' does not exist here: create it first"),
        (Permissions(0o600, group="no-such-group"), "group: 'no-such-group' does not exist here: create it first"),
    ],
)
def test_an_owner_that_does_not_exist_fails_before_there_is_a_token(
    path: str, permissions: Permissions, message: str
) -> None:
    Path(path).write_text("old")
    with pytest.raises(FileError) as caught, PrivateFile(path, permissions):
        raise AssertionError("there is no way in")
    assert (str(caught.value), caught.value.code) == (message, "unknown_owner")
    assert listed(path) == ["token"]
    with pytest.raises(FileError, match="does not exist here"):
        permissions.for_file(path)
    with pytest.raises(FileError, match="does not exist here"):
        set_permissions(path, permissions)
    os.chmod(path, 0o600)
    with pytest.raises(FileError, match="does not exist here"):
        permissions.fit(path)


@pytest.mark.parametrize("number", ["4294967295", "99999999999999999999"])
def test_a_number_that_is_nobodys_is_refused(path: str, number: str) -> None:
    for permissions in (Permissions(0o600, owner=number), Permissions(0o600, group=number)):
        with pytest.raises(FileError, match=f": {number} is out of range: give a name, or a smaller number") as caught:
            write(path, "content", permissions)
        assert caught.value.code == "unknown_owner"
        assert listed(path) == []


def test_owner_and_group_are_given_by_name_or_number(path: str) -> None:
    uid, gid = os.geteuid(), os.getegid()
    by_name = Permissions(0o640, pwd.getpwuid(uid).pw_name, grp.getgrgid(gid).gr_name)
    by_number = Permissions(0o640, str(uid), str(gid))
    assert (by_name.uid, by_name.gid) == (by_number.uid, by_number.gid) == (uid, gid)
    assert (PRIVATE.uid, PRIVATE.gid) == (-1, -1)
    write(path, "content", by_name)
    assert by_number.fit(path)


@needs_root
def test_a_file_is_given_to_its_owner_before_anybody_may_read_it(path: str) -> None:
    with PrivateFile(path, Permissions(0o640, owner=str(NOBODY), group="0")) as file:
        beside = os.stat(Path(path).with_name(listed(path)[0]))
        assert (beside.st_uid, beside.st_gid, stat.S_IMODE(beside.st_mode)) == (NOBODY, 0, 0o640)
        file.commit("content")
    found = os.stat(path)
    assert (found.st_uid, found.st_gid) == (NOBODY, 0)


@needs_root
@pytest.mark.parametrize(
    ("permissions", "expected"),
    [
        (Permissions(0o600), (1234, 1235)),
        (Permissions(0o600, owner="0"), (0, 1235)),
        (Permissions(0o600, group="0"), (1234, 0)),
    ],
)
def test_a_file_in_a_directory_of_its_owner_stays_theirs(
    path: str, permissions: Permissions, expected: tuple[int, int]
) -> None:
    os.chown(os.path.dirname(path), 1234, 0)
    Path(path).write_text("old")
    os.chown(path, 1234, 1235)
    write(path, "new", permissions)
    found = os.stat(path)
    assert (found.st_uid, found.st_gid) == expected


@needs_root
@pytest.mark.parametrize(("directory_owner", "mode"), [(0, 0o755), (0, 0o1777), (1234, 0o1777)])
def test_a_file_that_others_may_have_put_there_is_not_given_to_them(path: str, directory_owner: int, mode: int) -> None:
    os.chmod(os.path.dirname(path), mode)
    os.chown(os.path.dirname(path), directory_owner, 0)
    Path(path).write_text("planted")
    os.chmod(path, 0o600)
    os.chown(path, 1234, 1235)
    assert not PRIVATE.fit(path)
    set_permissions(path, PRIVATE)
    assert PRIVATE.fit(path)
    os.chown(path, 1234, 1235)
    write(path, "token")
    found = os.stat(path)
    assert (found.st_uid, found.st_gid) == (0, os.getegid())


@needs_root
@pytest.mark.parametrize(
    "permissions", [PRIVATE, Permissions(0o640, owner="0"), Permissions(0o640, group="0")], ids=str
)
@pytest.mark.parametrize("wanted", [None, "0", "1234", "4321"])
@pytest.mark.parametrize("directory", [(0, 0o755), (1234, 0o755), (1234, 0o2755), (0, 0o3777), (1234, 0o1777)], ids=str)
@pytest.mark.parametrize("file", [None, (0, 0), (0, 77), (1234, 1235), (4321, 4321), (555, 555)], ids=str)
def test_what_was_written_fits_and_stays_as_it_is(
    path: str, permissions: Permissions, wanted: str | None, directory: tuple[int, int], file: tuple[int, int] | None
) -> None:
    permissions = dataclasses.replace(permissions, owner=wanted)
    os.chown(os.path.dirname(path), directory[0], 50)
    os.chmod(os.path.dirname(path), directory[1])
    if file:
        Path(path).write_text("old")
        os.chown(path, *file)
    for dummy in range(2):
        write(path, "token", permissions)
        assert permissions.fit(path)
        before = os.stat(path)
        set_permissions(path, permissions)
        assert (os.stat(path).st_uid, os.stat(path).st_gid) == (before.st_uid, before.st_gid)


@pytest.mark.parametrize(
    ("permissions", "fits"),
    [
        (Permissions(0o640), True),
        (Permissions(0o600), False),
        (Permissions(0o644), False),
        (Permissions(0o640, owner=str(os.geteuid())), True),
        (Permissions(0o640, owner=str(os.geteuid() + 1)), False),
        (Permissions(0o640, group="4242"), False),
    ],
)
def test_whether_a_file_has_its_permissions(path: str, permissions: Permissions, fits: bool) -> None:
    Path(path).write_text("content")
    os.chmod(path, 0o640)
    assert permissions.fit(path) is fits


def test_permissions_are_corrected_in_place(path: str) -> None:
    Path(path).write_text("content")
    os.chmod(path, 0o604)
    inode = os.stat(path).st_ino
    set_permissions(path, Permissions(0o640, str(os.geteuid()), str(os.getegid())))
    assert (mode_of(path), os.stat(path).st_ino) == (0o640, inode)


def test_permissions_of_what_a_link_leads_to_are_not_touched(tmp_path: Path, path: str) -> None:
    target = tmp_path / "target"
    target.write_text("")
    os.chmod(target, 0o644)
    os.symlink(target, path)
    with pytest.raises(FileError, match=r"cannot set the mode of .*symbolic link") as caught:
        set_permissions(path, PRIVATE)
    assert (caught.value.code, mode_of(target)) == ("eloop", 0o644)


def test_permissions_of_nothing_cannot_be_corrected(path: str) -> None:
    with pytest.raises(FileError, match=r"cannot set the mode of .*: No such file or directory"):
        set_permissions(path, PRIVATE)


# Left-overs of killed runs.


@pytest.mark.parametrize(
    ("name", "age", "stays"),
    [
        (".token.0123456789abcdef.tmp", 61, False),
        (".token.0123456789abcdef.tmp", 10**6, False),
        (".token.0123456789abcdef.tmp", 50, True),
        (".token.0123456789abcdef.tmp", -100, True),
        (".token.0123456789abcdeg.tmp", 10**6, True),
        (".token.0123456789abcde.tmp", 10**6, True),
        (".token.0123456789abcdef.tmp.bak", 10**6, True),
        ("x.token.0123456789abcdef.tmp", 10**6, True),
        (".tokens.0123456789abcdef.tmp", 10**6, True),
        (".token.tokenwright", 10**6, True),
        ("token.tmp", 10**6, True),
    ],
)
def test_old_left_overs_of_this_file_are_removed(path: str, name: str, age: int, stays: bool) -> None:
    leftover = Path(path).with_name(name)
    leftover.write_text("secret")
    os.utime(leftover, (time.time() - age,) * 2)
    write(path, "content")
    assert listed(path) == sorted(["token", *([name] if stays else [])])


def test_a_name_is_no_pattern(tmp_path: Path) -> None:
    other = tmp_path / ".tokenX.0123456789abcdef.tmp"
    other.write_text("secret")
    os.utime(other, (0, 0))
    write(str(tmp_path / "token."), "content")
    write(str(tmp_path / "token+(x"), "content")
    assert other.exists()


def test_a_directory_that_looks_like_a_left_over_is_in_nobodys_way(path: str) -> None:
    strange = Path(path).with_name(".token.0123456789abcdef.tmp")
    strange.mkdir()
    os.utime(strange, (0, 0))
    write(path, "content")
    assert strange.is_dir()


# Reading.


def test_what_is_not_there_is_none(path: str) -> None:
    assert read_private(path) is None
    assert read_private(f"{path}/below") is None


@given(st.text())
def test_what_was_written_is_read(content: str) -> None:
    with tempfile.TemporaryDirectory() as directory:
        text = content.encode("utf-8", "replace").decode()
        write(f"{directory}/token", text)
        assert read_private(f"{directory}/token") == text


def make_symlink(path: str) -> None:
    Path(f"{path}.target").write_text("content")
    os.symlink(f"{path}.target", path)


def make_dangling_symlink(path: str) -> None:
    os.symlink(f"{path}.nowhere", path)


def make_binary(path: str) -> None:
    Path(path).write_bytes(b"\xff\xfe")


def make_large(path: str) -> None:
    Path(path).write_text("x" * 4_194_305)


def make_dangling_loop(path: str) -> None:
    os.symlink(path, path)


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (make_symlink, "eloop", "it is a symbolic link: give the path it points to"),
        (make_dangling_symlink, "eloop", "it is a symbolic link: give the path it points to"),
        (make_dangling_loop, "eloop", "it is a symbolic link: give the path it points to"),
        (os.mkfifo, "not_a_file", "is not a regular file: choose another path"),
        (os.mkdir, "not_a_file", "is not a regular file: choose another path"),
        (make_binary, "not_text", "is not a text file: choose another path, or remove the file"),
        (make_large, "too_large", "is larger than 4194304 bytes: choose another path"),
    ],
)
def test_what_is_no_private_file_is_refused_at_once(
    path: str, make: Callable[[str], object], code: str, words: str
) -> None:
    make(path)
    begun = time.monotonic()
    with pytest.raises(FileError) as caught:
        read_private(path)
    assert (caught.value.code, time.monotonic() - begun < 5) == (code, True)
    assert str(caught.value).endswith(words)
    assert path in str(caught.value)


def test_a_file_may_be_as_large_as_the_limit(path: str) -> None:
    Path(path).write_text("12345")
    assert read_private(path, limit=5) == "12345"
    with pytest.raises(FileError, match="is larger than 4 bytes"):
        read_private(path, limit=4)


def test_no_descriptor_stays_open(path: str) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    before = descriptors()
    os.mkdir(path)
    for _attempt in range(3):
        with suppress(FileError):
            read_private(path)
        with suppress(FileError):
            write(path, "a directory")
        with suppress(FileError):
            write(f"{path}/missing/token", "no directory")
        with suppress(FileError), Sidecar(path).locked():
            raise FileError("the mint failed")
    assert descriptors() == before


# Removing, and space.


def test_removing_twice_is_removing(path: str) -> None:
    write(path, "old")
    remove(path)
    remove(path)
    assert listed(path) == []
    os.mkdir(path)
    with pytest.raises(FileError, match=f"^cannot remove {path}: "):
        remove(path)


@needs_root
@pytest.mark.parametrize(("reserve", "fits"), [(0, True), (64 * 1024, False)])
def test_space_that_is_not_there_is_found_out_about_before_there_is_content(
    tmp_path: Path, reserve: int, fits: bool
) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", str(small)], check=False)
    if mounted.returncode:
        pytest.skip("mounting a small file system is not allowed here")
    try:
        if fits:
            with PrivateFile(f"{small}/token", PRIVATE, reserve=reserve) as file:
                file.commit("new")
            assert (small / "token").stat().st_size == 3, "what was reserved and not used is given back"
            return
        with pytest.raises(FileError) as caught, PrivateFile(f"{small}/token", PRIVATE, reserve=reserve):
            raise AssertionError("there is no way in")
        assert caught.value.code == "enospc"
        assert os.listdir(small) == []
    finally:
        subprocess.run(["umount", str(small)], check=True)


# The sidecar.


@pytest.fixture
def sidecar(path: str) -> Sidecar:
    return Sidecar(path)


def test_the_sidecar_is_a_hidden_private_file_beside_it(path: str, sidecar: Sidecar, umask: int) -> None:
    with sidecar.locked():
        assert listed(path) == [".token.tokenwright"]
        assert mode_of(sidecar.path) == 0o600 & ~umask
        assert sidecar.read() is None


def test_a_record_is_read_as_it_was_written(sidecar: Sidecar) -> None:
    assert sidecar.read() is None
    with sidecar.locked():
        sidecar.write({"a": ["ü", None, 5], "long": "x" * 1000})
    assert sidecar.read() == {"a": ["ü", None, 5], "long": "x" * 1000}


@pytest.mark.parametrize(
    "text", ["[" * 100000, '{"a": ' * 100000, "7" * 5000, '{"a": 1e999}', '{"a": Infinity}', '{"a": NaN}', '{"a": 1.5}']
)
def test_a_record_that_nobody_wrote_is_none(sidecar: Sidecar, text: str) -> None:
    with sidecar.locked():
        Path(sidecar.path).write_text(text)
        assert sidecar.read() is None


def test_of_a_longer_record_nothing_is_left(sidecar: Sidecar) -> None:
    with sidecar.locked():
        sidecar.write({"a": "x" * 1000})
        sidecar.write({"a": "y"})
        assert Path(sidecar.path).read_text().rstrip(" ") == '{"a": "y"}'
    with sidecar.locked():
        sidecar.write({})
    assert sidecar.read() == {}


def test_a_torn_record_is_none(sidecar: Sidecar) -> None:
    with sidecar.locked():
        sidecar.write({"sha256": "f" * 64, "seconds": 3600})
    whole = Path(sidecar.path).read_bytes().rstrip(b" ")
    for length in range(len(whole)):
        Path(sidecar.path).write_bytes(whole[:length])
        assert sidecar.read() is None


@pytest.mark.parametrize("make", [make_symlink, make_dangling_symlink, make_dangling_loop, os.mkdir])
def test_what_lies_in_the_sidecars_place_is_refused(sidecar: Sidecar, path: str, make: Callable[[str], object]) -> None:
    make(sidecar.path)
    with pytest.raises(FileError, match=f"^cannot write {path}: "), sidecar.locked():
        raise AssertionError("there is no way in")


def test_a_lock_needs_its_directory(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="create the directory first"), Sidecar(f"{tmp_path}/a/b").locked():
        raise AssertionError("there is no way in")


# Other processes.

IMPORT = f"""
import sys
sys.path.insert(0, {str(ROOT / ".cache" / "collections")!r})
import json, os, time
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import FileError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._files import *
"""

HOLD = """
with Sidecar(sys.argv[1]).locked():
    print("locked", flush=True)
    sys.stdin.read()
"""

COUNT = """
for _attempt in range(20):
    with Sidecar(sys.argv[1]).locked():
        count = int(read_private(sys.argv[1]) or 0)
        with PrivateFile(sys.argv[1], Permissions(0o600)) as file:
            file.commit(str(count + 1))
"""


def other_process(program: str, *args: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", IMPORT + program, *args]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@contextmanager
def held_by_another(path: str) -> Iterator[subprocess.Popen[str]]:
    with other_process(HOLD, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "locked\n"
        try:
            yield holder
        finally:
            holder.kill()


def test_a_lock_keeps_other_processes_out(path: str, sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "_LOCK_TIMEOUT", 0.2)
    with held_by_another(path):
        with pytest.raises(FileError) as caught, sidecar.locked():
            raise AssertionError("there is no way in")
        assert caught.value.code == "locked"
        assert str(caught.value).startswith(f"{path} is locked by another run for over ")
        # another file is another lock, and reading needs none
        with Sidecar(f"{path}2").locked():
            assert sidecar.read() is None


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL], ids=lambda how: str(how.name))
def test_a_lock_ends_with_the_process_that_held_it(path: str, sidecar: Sidecar, how: signal.Signals) -> None:
    with held_by_another(path) as holder:
        threading.Timer(0.2, holder.send_signal, [how]).start()
        with sidecar.locked():
            sidecar.write({"mine": True})
    assert sidecar.read() == {"mine": True}


def test_a_lock_is_waited_for(path: str, sidecar: Sidecar) -> None:
    with held_by_another(path) as holder:
        assert holder.stdin is not None
        threading.Timer(0.3, holder.stdin.close).start()
        begun = time.monotonic()
        with sidecar.locked():
            assert 0.1 < time.monotonic() - begun < 30
        assert holder.wait(timeout=10) == 0


def test_two_locks_of_one_process_exclude_each_other_too(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_files, "_LOCK_TIMEOUT", 0.1)
    with Sidecar(path).locked(), pytest.raises(FileError, match="is locked"), Sidecar(path).locked():
        raise AssertionError("there is no way in")
    with Sidecar(path).locked():
        pass


def test_a_lock_on_a_removed_sidecar_is_no_lock(path: str, sidecar: Sidecar, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = fcntl.flock
    removed: list[str] = []

    def lock_what_was_removed(fd: int, how: int) -> None:
        """Another run removes the file when it is open here and not yet locked."""
        if not removed:
            os.unlink(sidecar.path)
            removed.append(sidecar.path)
        lock(fd, how)

    monkeypatch.setattr(fcntl, "flock", lock_what_was_removed)
    with sidecar.locked():
        monkeypatch.setattr(_files, "_LOCK_TIMEOUT", 0.1)
        with pytest.raises(FileError, match="is locked"), Sidecar(path).locked():
            raise AssertionError("there is no way in")
    assert removed


def test_a_sidecar_that_is_removed_under_its_lock_leaves_it_to_whoever_waits(path: str, sidecar: Sidecar) -> None:
    order = []

    def wait_for_it() -> None:
        with Sidecar(path).locked():
            order.append("second")

    with sidecar.locked():
        waiting = threading.Thread(target=wait_for_it)
        waiting.start()
        time.sleep(0.2)
        order.append("first")
        sidecar.remove()
    waiting.join(timeout=20)
    assert order == ["first", "second"]
    assert listed(path) == [".token.tokenwright"]


def test_a_sidecar_has_its_space_as_soon_as_it_is_locked(sidecar: Sidecar) -> None:
    with sidecar.locked():
        reserved = os.stat(sidecar.path).st_size
        sidecar.write({"sha256": "f" * 64})
        assert os.stat(sidecar.path).st_size == reserved == 1024


def test_under_the_lock_no_change_of_another_process_is_lost(path: str) -> None:
    processes = [other_process(COUNT, path) for _number in range(3)]
    for process in processes:
        process.communicate(timeout=60)
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert read_private(path) == "60"
    assert listed(path) == [".token.tokenwright", "token"]


# A user without privileges; whoever runs the tests without being root is one.

DROP = f"""
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid({NOBODY})
    os.setuid({NOBODY})
os.umask(0o022)

def attempt(path, permissions=Permissions(0o600)):
    try:
        with PrivateFile(path, permissions) as file:
            file.commit("content")
    except FileError as error:
        return [error.code, str(error)]
    found = os.stat(path)
    return ["written", oct(found.st_mode & 0o777), found.st_uid == os.geteuid()]

def reading(path):
    try:
        return read_private(path)
    except FileError as error:
        return [error.code, str(error)]
"""


def unprivileged(program: str, *args: str) -> Any:
    with other_process(f"{DROP}\nprint(json.dumps({program}))", *args) as process:
        output = process.communicate(timeout=60)[0]
    assert process.returncode == 0
    return json.loads(output)


@pytest.fixture
def open_directory() -> Iterator[str]:
    """A directory of the unprivileged user; pytest's own is root's alone."""
    with tempfile.TemporaryDirectory() as directory:
        if IS_ROOT:
            os.chown(directory, NOBODY, NOBODY)
        yield directory


def test_without_privileges_files_are_written_and_private(open_directory: str) -> None:
    path = f"{open_directory}/token"
    assert unprivileged("attempt(sys.argv[1])", path) == ["written", "0o600", True]
    assert Path(path).read_text() == "content"
    assert unprivileged("reading(sys.argv[1])", path) == "content"


def test_without_privileges_files_cannot_be_given_away(open_directory: str) -> None:
    path = f"{open_directory}/token"
    code, message = unprivileged("attempt(sys.argv[1], Permissions(0o600, owner='root'))", path)
    assert code == "eperm"
    assert message == (
        f"cannot write {path}: Operation not permitted: "
        "run the task as a user who may do that (only root may give files away)"
    )
    assert os.listdir(open_directory) == []


@needs_root
def test_without_privileges_a_directory_of_others_is_refused(open_directory: str) -> None:
    os.chown(open_directory, 0, 0)
    os.chmod(open_directory, READABLE)
    path = f"{open_directory}/token"
    message = f"{path}: Permission denied: run the task as a user who may write there, or choose another path"
    assert unprivileged("attempt(sys.argv[1])", path) == ["eacces", f"cannot write {message}"]
    write(path, "of root")
    assert unprivileged("reading(sys.argv[1])", path) == ["eacces", f"cannot read {message}"]


@needs_root
def test_without_privileges_a_file_of_others_is_replaced_where_that_is_allowed(open_directory: str) -> None:
    path = f"{open_directory}/token"
    write(path, "of root")
    assert unprivileged("attempt(sys.argv[1])", path) == ["written", "0o600", True]
    os.chmod(open_directory, LIKE_TMP)
    os.chown(open_directory, 0, 0)
    write(path, "of root", Permissions(0o600, owner="0", group="0"))
    # before there is content
    message = (
        f"{path} belongs to somebody else, and in {open_directory} only they may replace or remove it: "
        "run the task as its owner, or choose another path"
    )
    assert unprivileged("attempt(sys.argv[1])", path) == ["eperm", message]
    assert (Path(path).read_text(), os.listdir(open_directory)) == ("of root", ["token"])
