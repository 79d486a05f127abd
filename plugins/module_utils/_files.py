# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private files, written so that a reader finds the old content or the new one and nobody else finds either.

A temporary file in the same directory is private from its first byte and renamed over the destination only when it is
complete and on disk. Ansible's own atomic_move passes through 0644 for new files, and a plain open truncates what is
there.
"""

from __future__ import annotations

import errno
import fcntl
import grp
import json
import os
import pwd
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from ._errors import FileError
from ._obstacles import check_replaceable

_LOCK_TIMEOUT = 60.0
_LOCK_POLL = 0.05
_LEFTOVER_AGE = 60.0

# a file system that cannot reserve space
_NO_FALLOCATE = (errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS)

# more than any token; the record beside it has a fixed size
_TOKEN_SPACE = 16 * 1024
_RECORD_SPACE = 1024

# the highest number means "leave" to the kernel
_NOBODYS_ID = 2**32 - 1


@dataclass(frozen=True)
class Permissions:
    """Who may read a file.

    Attributes:
        mode: permission bits.
        owner: user name or number; None: whoever runs the task, or the present owner.
        group: group name or number; None: likewise.
    """

    mode: int
    owner: str | None = None
    group: str | None = None

    @property
    def uid(self) -> int:
        """Numeric owner; -1: leave."""
        return _number(self.owner, lambda name: pwd.getpwnam(name).pw_uid, "owner")

    @property
    def gid(self) -> int:
        """Numeric group; -1: leave."""
        return _number(self.group, lambda name: grp.getgrnam(name).gr_gid, "group")

    def fit(self, path: str) -> bool:
        """Whether the file has them, and an owner who may have it."""
        found = os.stat(path)
        uid, gid = self.for_file(path)
        return stat.S_IMODE(found.st_mode) == self.mode and uid in (-1, found.st_uid) and gid in (-1, found.st_gid)

    def for_file(self, path: str) -> tuple[int, int]:
        """Owner and group the file at this path is to have; -1: leave.

        What is not given is root's to choose. The answer is the same once it has been carried out.
        """
        uid, gid = self.uid, self.gid
        if os.geteuid() != 0 or -1 not in (uid, gid):
            return uid, gid
        owner, group = _kept(path, uid)
        return (owner if uid == -1 else uid, group if gid == -1 else gid)


def _kept(path: str, wanted: int) -> tuple[int, int]:
    """Owner and group of what root replaces, kept only where that owner could have put it there legitimately.

    That is in a directory of their own; or it is the file of whoever is to have it, or our own from the last run. In a
    shared directory anybody may have made the file to be given the token.
    """
    ours = os.geteuid(), os.getegid()
    with suppress(OSError):
        directory = os.stat(os.path.dirname(os.path.abspath(path)))
        if directory.st_mode & stat.S_IWOTH:
            return ours
        present = os.lstat(path)
        is_legitimate = present.st_uid in (directory.st_uid, wanted, ours[0])
        return (present.st_uid, present.st_gid) if is_legitimate else ours
    return -1, -1


def _number(name: str | None, look_up: Any, option: str) -> int:
    if name is None:
        return -1
    try:
        number = int(name) if name.isdecimal() else int(look_up(name))
    except (KeyError, ValueError):
        raise FileError(
            f"{option}: {name!r} does not exist here", code="unknown_owner", hint="create it first"
        ) from None
    if number >= _NOBODYS_ID:
        raise FileError(
            f"{option}: {name} is out of range", code="unknown_owner", hint="give a name, or a smaller number"
        )
    return number


def read_private(path: str, *, limit: int = 4 * 1024 * 1024) -> str | None:
    """The content, or None when there is no file.

    Raises:
        FileError: it is a symbolic link, no regular file, not text, too large or not readable.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _file_error("read", path, error) from None
    try:
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            raise FileError(f"{path} is not a regular file", code="not_a_file", hint="choose another path")
        with os.fdopen(fd, "rb", closefd=False) as stream:
            data = stream.read(limit + 1)
    finally:
        os.close(fd)
    if len(data) > limit:
        raise FileError(f"{path} is larger than {limit} bytes", code="too_large", hint="choose another path")
    try:
        return data.decode()
    except UnicodeDecodeError:
        raise FileError(
            f"{path} is not a text file", code="not_text", hint="choose another path, or remove the file"
        ) from None


class PrivateFile:
    """A file about to be replaced: what can fail without content fails on entry, before a token is minted."""

    def __init__(self, path: str, permissions: Permissions, *, reserve: int = 0) -> None:
        """Say which file.

        Args:
            path: the destination.
            permissions: what it is to have.
            reserve: bytes that the new content needs besides a token.
        """
        self.path = path
        self._permissions = permissions
        self._reserve = reserve + _TOKEN_SPACE
        self._directory, self._name = os.path.split(os.path.abspath(path))
        self._temporary = f".{self._name}.{secrets.token_hex(8)}.tmp"
        self._directory_fd = self._fd = -1
        self._committed = False

    def __enter__(self) -> PrivateFile:
        check_directory(self._directory, self.path)
        check_replaceable(self.path)
        try:
            self._directory_fd = os.open(self._directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            self._sweep()
            self._open_temporary()
        except OSError as error:
            self._close()
            raise _file_error("write", self.path, error) from None
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    def commit(self, content: str) -> None:
        """Replace the destination by this content."""
        data = content.encode()
        try:
            os.ftruncate(self._fd, len(data))
            while data:
                data = data[os.write(self._fd, data) :]
            os.fsync(self._fd)
            os.rename(self._temporary, self._name, src_dir_fd=self._directory_fd, dst_dir_fd=self._directory_fd)
            self._committed = True
            os.fsync(self._directory_fd)
        except OSError as error:
            raise _file_error("write", self.path, error) from None

    def _open_temporary(self) -> None:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._temporary, flags, 0o600, dir_fd=self._directory_fd)
        uid, gid = self._permissions.for_file(self.path)
        if (uid, gid) != (-1, -1):
            os.fchown(self._fd, uid, gid)
        # after the owner: chown drops bits, and the wider mode must not be seen under the old owner
        os.fchmod(self._fd, self._permissions.mode)
        self._copy_label()
        # a disk that is full is found out about before a token is minted for it
        try:
            os.posix_fallocate(self._fd, 0, self._reserve)
        except OSError as error:
            if error.errno not in _NO_FALLOCATE:
                raise

    def _copy_label(self) -> None:
        """A replaced file keeps its SELinux label; a new one gets the directory's by itself."""
        with suppress(OSError):
            os.setxattr(self._fd, "security.selinux", os.getxattr(self.path, "security.selinux"))

    def _sweep(self) -> None:
        """Remove what a killed run left: only our pattern, only when old enough not to be a run under way."""
        pattern = re.compile(re.escape(f".{self._name}.") + r"[0-9a-f]{16}\.tmp")
        for name in os.listdir(self._directory_fd):
            if pattern.fullmatch(name):
                with suppress(OSError):
                    if time.time() - os.stat(name, dir_fd=self._directory_fd).st_mtime > _LEFTOVER_AGE:
                        os.unlink(name, dir_fd=self._directory_fd)

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            if not self._committed:
                with suppress(OSError):
                    os.unlink(self._temporary, dir_fd=self._directory_fd)
        if self._directory_fd >= 0:
            os.close(self._directory_fd)
        self._fd = self._directory_fd = -1


def remove(path: str) -> None:
    """Remove a file; gone already is fine."""
    try:
        os.unlink(path)
    except FileNotFoundError:
        return
    except OSError as error:
        raise _file_error("remove", path, error) from None


def set_permissions(path: str, permissions: Permissions) -> None:
    """Give an existing file its owner, group and mode."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            uid, gid = permissions.for_file(path)
            if (uid, gid) != (-1, -1):
                os.fchown(fd, uid, gid)
            os.fchmod(fd, permissions.mode)
        finally:
            os.close(fd)
    except OSError as error:
        raise _file_error("set the mode of", path, error) from None


def check_directory(directory: str, path: str) -> None:
    """Refuse a directory in which others could put something else in the file's place.

    Raises:
        FileError: it is missing, no directory, or writable by everybody without the sticky bit.
    """
    try:
        found = os.stat(directory)
    except OSError as error:
        raise _file_error("write", path, error) from None
    if not stat.S_ISDIR(found.st_mode):
        raise FileError(
            f"cannot write {path}: {directory} is not a directory", code="no_directory", hint="choose another path"
        )
    if found.st_mode & stat.S_IWOTH and not found.st_mode & stat.S_ISVTX:
        raise FileError(
            f"cannot write {path}: everybody may write to {directory} and it has no sticky bit",
            code="unsafe_directory",
            hint="choose a private directory (mode 0700)",
        )


def _refused(number: str) -> None:
    # no record holds such a number; what is not finite would go wrong later, where it is made an integer
    raise ValueError(number)


class Sidecar:
    """The small private file beside a destination: its lock, and what is remembered about it.

    It is written in place, because a lock is held on it; a torn record reads as none, and then the claims decide.
    """

    def __init__(self, path: str) -> None:
        directory, name = os.path.split(os.path.abspath(path))
        self._destination = path
        self.path = os.path.join(directory, f".{name}.tokenwright")
        self._fd = -1

    def read(self) -> object:
        """The record as stored, or None."""
        text = read_private(self.path)
        try:
            return json.loads(text, parse_float=_refused, parse_constant=_refused) if text else None
        except (ValueError, RecursionError):
            return None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the lock; waits for other plays.

        Raises:
            FileError: it cannot be had within a minute, or the file cannot be made.
        """
        try:
            self._acquire()
            self._reserve()
            yield
        finally:
            self._release()

    def write(self, record: dict[str, Any]) -> None:
        """Store the record; the lock must be held."""
        data = json.dumps(record).encode().ljust(_RECORD_SPACE)
        try:
            os.pwrite(self._fd, data, 0)
            os.ftruncate(self._fd, len(data))
            os.fsync(self._fd)
        except OSError as error:
            raise _file_error("write", self._destination, error) from None

    def remove(self) -> None:
        """Remove the file; the lock must be held, and whoever waits for it makes a new one."""
        remove(self.path)

    def _acquire(self) -> None:
        deadline = time.monotonic() + _LOCK_TIMEOUT
        while not self._try_lock():
            if time.monotonic() > deadline:
                raise FileError(
                    f"{self._destination} is locked by another run for over {int(_LOCK_TIMEOUT)} seconds",
                    code="locked",
                    hint="wait for that run to end",
                )
            time.sleep(_LOCK_POLL)

    def _try_lock(self) -> bool:
        """Whether the lock could be had on the very file that is there now; another run may have removed it."""
        try:
            self._fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.samestat(os.fstat(self._fd), os.lstat(self.path)):
                return True
        except FileNotFoundError as error:
            if self._fd < 0:
                raise _file_error("write", self._destination, error) from None
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES) or self._fd < 0:
                check_replaceable(self._destination)
                doing = "write" if self._fd < 0 else "lock"
                raise _file_error(doing, self._destination, error) from None
        self._release()
        return False

    def _release(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _reserve(self) -> None:
        """Have the space of a record, so that a full disk is found out about before there is one to write."""
        try:
            if os.fstat(self._fd).st_size == 0:
                os.pwrite(self._fd, b" " * _RECORD_SPACE, 0)
        except OSError as error:
            raise _file_error("write", self._destination, error) from None


_ERRNO_HINTS = {
    errno.ENOENT: "create the directory first",
    errno.EACCES: "run the task as a user who may write there, or choose another path",
    errno.EPERM: "run the task as a user who may do that (only root may give files away)",
    errno.EROFS: "choose a path on a writable file system",
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some of the quota",
    errno.EISDIR: "give the path of a file",
    errno.ELOOP: "it is a symbolic link: give the path it points to",
    errno.ENOTDIR: "a part of the path is not a directory",
    errno.ENAMETOOLONG: "choose a shorter name",
}


def _file_error(doing: str, path: str, error: OSError) -> FileError:
    number = error.errno or 0
    return FileError(
        f"cannot {doing} {path}: {os.strerror(number)}",
        code=errno.errorcode.get(number, "io_error").lower(),
        hint=_ERRNO_HINTS.get(number, "see the file system's state"),
    )
