# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What keeps a file from being replaced or removed although its directory may be written to.

The rename would find out, but only when there is a token to be lost by it. What cannot be looked at is in nobody's way
here. Sources: rename(2) for what is refused; proc(5), ioctl_iflags(2) and capabilities(7) for how it is seen.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import struct
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from ._errors import FileError

# FS_IOC_GETFLAGS, whose number holds the size of a long, and what it may answer (linux/fs.h)
_GET_FLAGS = 0x80006601 | struct.calcsize("l") << 16
_IMMUTABLE, _APPEND_ONLY = 0x10, 0x20

# the number of the bit (linux/capability.h)
_CAP_FOWNER = 3


def check_replaceable(path: str) -> None:
    """Find out whether a file may be renamed to this path, and what is there removed.

    Raises:
        FileError: it may not.
    """
    directory = os.path.dirname(os.path.abspath(path))
    if _is_mount_point(path, directory):
        raise FileError(
            f"{path} is a mount point of its own and can be neither replaced nor removed",
            code="mount_point",
            hint="mount its directory instead",
        )
    for place, how in ((path, os.O_NOFOLLOW), (directory, os.O_DIRECTORY)):
        if _flags(place, how) & (_IMMUTABLE | _APPEND_ONLY):
            raise FileError(
                f"{path} can be neither written nor removed, because {place} is immutable or append-only",
                code="immutable",
                hint="take the attribute away (chattr -i -a), or choose another path",
            )
    if _is_anothers(path, directory):
        raise FileError(
            f"{path} belongs to somebody else, and in {directory} only they may replace or remove it",
            code="eperm",
            hint="run the task as its owner, or choose another path",
        )


def mount_id(fdinfo: str) -> str | None:
    """On which mount an open file is, by its entry in /proc/self/fdinfo; None: an old kernel does not say."""
    found = re.search(r"^mnt_id:\s*(\d+)$", fdinfo, re.MULTILINE)
    return found[1] if found else None


def may_own_all(status: str) -> bool:
    """Whether the capabilities in /proc/self/status make other people's files as good as one's own."""
    found = re.search(r"^CapEff:\s*([0-9a-f]+)$", status, re.MULTILINE)
    return found is None or bool(int(found[1], 16) >> _CAP_FOWNER & 1)


def _is_mount_point(path: str, directory: str) -> bool:
    """Not by the list of mounts, which also names those that others hide."""
    try:
        with _opened(path, os.O_PATH | os.O_NOFOLLOW) as file, _opened(directory, os.O_PATH) as parent:
            ids = [mount_id(_text(f"/proc/self/fdinfo/{fd}")) for fd in (file, parent)]
    except OSError:
        return False
    return ids[0] != ids[1]


def _flags(path: str, how: int) -> int:
    try:
        with _opened(path, os.O_RDONLY | os.O_NONBLOCK | how) as fd:
            # the kernel writes an int, whatever the number says
            return int.from_bytes(fcntl.ioctl(fd, _GET_FLAGS, bytes(8))[:4], sys.byteorder)
    except OSError:
        return 0  # not readable, or a file system without such attributes


def _is_anothers(path: str, directory: str) -> bool:
    """Whether the sticky bit keeps us from it."""
    try:
        file, parent = os.lstat(path), os.stat(directory)
        is_kept = bool(parent.st_mode & stat.S_ISVTX) and os.geteuid() not in (file.st_uid, parent.st_uid)
        return is_kept and not may_own_all(_text("/proc/self/status"))
    except OSError:
        return False


@contextmanager
def _opened(path: str, flags: int) -> Iterator[int]:
    fd = os.open(path, flags | os.O_CLOEXEC)
    try:
        yield fd
    finally:
        os.close(fd)


def _text(path: str) -> str:
    with open(path, encoding="utf-8", errors="replace") as stream:
        return stream.read()
