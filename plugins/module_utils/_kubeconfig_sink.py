# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A user, a cluster and a context in a kubeconfig."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any

from . import _kubeconfig, _yaml
from ._choice import Held
from ._errors import FileError
from ._file_sink import rehearse
from ._files import PrivateFile, Sidecar, check_directory, read_private, remove
from ._lifetime import Record
from ._obstacles import check_replaceable
from ._sinks import DesiredSink, Store, Trial

# named by _auth before a sink is used
with suppress(ImportError):
    import yaml

_PLACEHOLDER = Record("", None, (), (), "1970-01-01T00:00:00Z")


@lru_cache(maxsize=4)
def _loaded(text: str) -> Any:
    """Parsing takes longer than all the rest, and one item looks several times; nobody changes what comes from here."""
    return _yaml.load(text)


class KubeconfigSink:
    """The entries and the file they are in."""

    type = "kubeconfig"
    kind = "Kubeconfig"
    namespace = ""

    def __init__(self, desired: DesiredSink, entry: _kubeconfig.Entry, trial: Trial, *, force: bool) -> None:
        self.place = self.name = path = desired.path
        self._permissions = desired.permissions
        self._entry = entry
        self._trial = trial
        self._force = force
        self._sidecar = Sidecar(path)
        self.entries = [f"{path} (user {entry.user_name})", f"{path} (context {entry.context_name})"]
        if entry.set_current:
            self.entries.append(f"{path} (current context)")

    def held(self) -> Held:
        """The token and the record of our user."""
        stored = _kubeconfig.stored(self._read(), self._entry)
        return Held(stored.token, stored.record, self._entry.token_file is None, stored.token_file)

    def fits(self, token: str, record: Record) -> bool:
        """All three entries, owner and mode."""
        config = self._read()
        return config == self._merged(config, token, record) and self._permissions.fit(self.place)

    def rehearse(self) -> list[str]:
        """Also whether the names are free."""
        self._merged(self._read(), "", _PLACEHOLDER)
        return rehearse(self.place, self._permissions)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Through the sidecar; a place that is refused gets none."""
        self._read()
        check_directory(os.path.dirname(self.place), self.place)
        with self._sidecar.locked():
            yield

    @contextmanager
    def prepared(self) -> Iterator[Store]:
        """With the file's successor at hand, its space reserved."""
        config = self._read()
        # a name that is taken, and a server that is not there, are found before a token is minted
        self._trial.reach(self._entry)
        preview = _yaml.dump(self._merged(config, "", _PLACEHOLDER))
        with PrivateFile(self.place, self._permissions, reserve=len(preview)) as replacement:

            def store(token: str, record: Record) -> None:
                replacement.commit(_yaml.dump(self._merged(config, token, record)))

            yield store

    def try_out(self, token: str) -> None:
        """On the server of the entry, with its certificate authority."""
        self._trial.use(self._entry, token)

    def is_occupied(self) -> bool:
        """Whether clearing would change anything."""
        config = self._read()
        is_occupied = config != _kubeconfig.without(config, self._entry)
        if is_occupied:
            check_replaceable(self.place)
        return is_occupied

    def clear(self) -> None:
        """Our entries; the file goes with the last entry in it."""
        left = _kubeconfig.without(self._read(), self._entry)
        if _kubeconfig.is_empty(left):
            remove(self.place)
            self._sidecar.remove()
            return
        # others use the file as well: it stays as open to them as it is
        kept = replace(self._permissions, mode=stat.S_IMODE(os.stat(self.place).st_mode))
        with PrivateFile(self.place, kept) as replacement:
            replacement.commit(_yaml.dump(left))

    def _merged(self, config: dict[str, Any], token: str, record: Record) -> dict[str, Any]:
        inline = None if self._entry.token_file else token
        return _kubeconfig.merge(config, self._entry, inline, record, force=self._force, place=self.place)

    def _read(self) -> dict[str, Any]:
        text = read_private(self.place)
        try:
            return _kubeconfig.check_shape(_loaded(text) if text else None, self.place)
        except yaml.YAMLError as error:
            mark = getattr(error, "problem_mark", None)
            line = f" (line {mark.line + 1})" if mark else ""
            raise FileError(
                f"{self.place} is not YAML{line}",
                code="not_a_kubeconfig",
                hint="choose another path, or correct the file",
            ) from None
