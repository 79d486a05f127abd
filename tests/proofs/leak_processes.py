# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What can be seen of a program and all it starts while they run: their arguments and their environments."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path
from types import TracebackType

_SECONDS = 0.02


class Watch:
    """Looks at a process and its descendants fifty times a second, from the beginning of a block to its end.

    Args:
        root: the id of the first process.
        mark: a text in the environment by which a descendant is known that has left its parent.
    """

    def __init__(self, root: int, mark: str) -> None:
        self.seen = 0
        self._ours = {root}
        self._others = {os.getpid()}
        self._mark = mark.encode()
        self._arguments: set[bytes] = set()
        self._environments: set[bytes] = set()
        self._ending = threading.Event()
        self._looker = threading.Thread(target=self._look_on, daemon=True)

    def __enter__(self) -> Watch:
        self._looker.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ending.set()
        self._looker.join()
        self.seen = len(self._ours)

    @property
    def arguments(self) -> bytes:
        """The command lines."""
        return b"\n".join(self._arguments)

    @property
    def environments(self) -> bytes:
        """The environments they were started with."""
        return b"\n".join(self._environments)

    def _look_on(self) -> None:
        while not self._ending.wait(_SECONDS):
            for process in sorted(int(name) for name in os.listdir("/proc") if name.isdigit()):
                # it may have ended meanwhile
                with suppress(OSError):
                    self._look_at(process)

    def _look_at(self, process: int) -> None:
        if process in self._others:
            return
        place = Path("/proc", str(process))
        environment = (place / "environ").read_bytes()
        if process not in self._ours and _parent(place) not in self._ours and self._mark not in environment:
            self._others.add(process)
            return
        self._ours.add(process)
        self._environments.add(environment)
        self._arguments.add((place / "cmdline").read_bytes())


def _parent(place: Path) -> int:
    # the name, in parentheses, may hold anything
    return int((place / "stat").read_text().rpartition(")")[2].split()[1])
