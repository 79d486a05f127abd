# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file that holds the bare token, with its sidecar."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ._choice import Held
from ._claims import is_account_token
from ._errors import FileError
from ._files import (
    Permissions,
    PrivateFile,
    Sidecar,
    check_directory,
    read_private,
    remove,
    set_permissions,
)
from ._lifetime import Record
from ._obstacles import check_replaceable
from ._sinks import DesiredSink, Store


def rehearse(path: str, permissions: Permissions) -> list[str]:
    """What can be said in check mode about writing a file."""
    permissions.for_file(path)
    directory = os.path.dirname(path)
    if not os.path.lexists(directory):
        return [f"directory {directory} does not exist yet: it must be there when {path} is written"]
    check_directory(directory, path)
    check_replaceable(path)
    return []


class FileSink:
    """The file."""

    type = "file"
    kind = "File"
    namespace = ""

    def __init__(self, desired: DesiredSink, *, force: bool) -> None:
        self.place = self.name = desired.path
        self.entries = [desired.path]
        self._permissions = desired.permissions
        self._force = force
        self._sidecar = Sidecar(desired.path)

    def held(self) -> Held:
        """The token and the record beside it."""
        text = read_private(self.place)
        record = Record.from_dict(self._sidecar.read())
        token = (text or "").strip() or None
        if token and record is None and not is_account_token(token) and not self._force:
            raise FileError(
                f"{self.place} holds something else than a token",
                code="foreign_content",
                hint="choose another path, or set force",
            )
        return Held(token, record)

    def fits(self, token: str, record: Record) -> bool:
        """Token, record, owner and mode."""
        held = self.held()
        return held.token == token and held.record == record and self._permissions.fit(self.place)

    def rehearse(self) -> list[str]:
        """See C(rehearse) above."""
        return rehearse(self.place, self._permissions)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Through the sidecar; a place that is refused gets none."""
        self.held()
        check_directory(os.path.dirname(self.place), self.place)
        with self._sidecar.locked():
            yield

    @contextmanager
    def prepared(self) -> Iterator[Store]:
        """With the file's successor at hand, its space reserved."""
        with ExitStack() as stack:
            held = self.held().token
            replacement = stack.enter_context(PrivateFile(self.place, self._permissions))

            def store(token: str, record: Record) -> None:
                if held == token:
                    set_permissions(self.place, self._permissions)
                else:
                    replacement.commit(token)
                # after the token: a record that is about another token is ignored
                self._sidecar.write(record.as_dict())

            yield store

    def try_out(self, token: str) -> None:
        """A bare token may be for anybody."""

    def is_occupied(self) -> bool:
        """Whether there is a token, or what is remembered of one; an empty file may be anybody's."""
        held = self.held()
        is_occupied = held.token is not None or held.record is not None or os.path.lexists(self._sidecar.path)
        if is_occupied:
            check_replaceable(self.place)
        return is_occupied

    def clear(self) -> None:
        """The file, then what was remembered about it."""
        remove(self.place)
        self._sidecar.remove()
