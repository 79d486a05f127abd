# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Secret that holds a token, here or in another cluster.

There is no lock: every write says which version of the Secret it was computed from, and whoever is overtaken looks
again. Other keys, labels and annotations of the Secret stay as they are.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import replace
from itertools import combinations
from typing import Any

from ._api import Api
from ._choice import Held
from ._claims import is_account_token
from ._errors import AlreadyExistsError, ApiError, ConflictError, InputError, OvertakenError, ProvisionError
from ._kinds import SECRET, Object, Ref, skeleton, uid_of
from ._lifetime import Record
from ._namespaces import coming_notes, namespace_ref
from ._secret_formats import FORMATS, KEYS, KUBECONFIG, TOKEN, Content, decoded, encoded
from ._sinks import DesiredSink, Store, Trial

# what we made, and may therefore delete; of any other Secret only our keys are ours
SINK_LABEL = "tokenwright/token-format"
_RECORD = "tokenwright/record"
# a key of the record: what we wrote, so that it can be told from what was there
_FORMAT = "format"
_ACCOUNT = "tokenwright/service-account"

# of a sum: enough to tell one token from another
_DIGITS = 16

_PLACEHOLDER = Record("", None, (), (), "1970-01-01T00:00:00Z")


class SecretSink:
    """The Secret and its keys of one format."""

    type = "secret"
    kind = SECRET.name

    def __init__(self, desired: DesiredSink, api: Api, content: Content, trial: Trial, *, force: bool) -> None:
        self._ref = Ref(SECRET, desired.namespace or content.account.namespace, desired.name)
        self._api = api
        self._content = content
        self._labels = {**content.labels, **desired.labels}
        self._force = force
        self._trial = trial
        self._seen: Object | None = None
        self.namespace, self.name = self._ref.namespace, self._ref.name
        self.place = self._ref.place
        self.server = api.connection.endpoint.server
        self.entries = [f"{self._ref} of {self.server}"]

    def identity(self) -> tuple[str, str] | None:
        """What is the same by whatever address a cluster is reached; None: that cannot be known.

        It is uid and version of the Secret, or as long as there is none, of its namespace. The uid alone would not do:
        a cluster that was restored from another one's backup has the same.
        """
        try:
            found = self._api.get(self._ref, metadata=True) or self._api.get(namespace_ref(self._ref.namespace))
        except ProvisionError:
            return None
        return (found["metadata"]["uid"], found["metadata"]["resourceVersion"]) if found else None

    def held(self) -> Held:
        """The token and the record in the Secret, which is looked at anew; what follows is about what was seen."""
        secret = self._seen = self._api.get(self._ref)
        return Held(self._token(secret), _record(secret)) if secret else Held(None, None)

    def fits(self, token: str, record: Record) -> bool:
        """Whether nothing would be written."""
        return self._seen is not None and not self._patch(self._seen, token, record)

    def rehearse(self) -> list[str]:
        """What writing would refuse."""
        if self._seen is not None:
            self._check_writable(self._seen)
            return []
        namespace = namespace_ref(self._ref.namespace)
        try:
            live = {namespace: self._api.get(namespace)}
        except ProvisionError:
            return []
        return coming_notes(self._ref, live, check_mode=True)

    def locked(self) -> AbstractContextManager[None]:
        """Nothing is."""
        return nullcontext()

    @contextmanager
    def prepared(self) -> Iterator[Store]:
        """The same write with a placeholder as a dry run: rights, quota and admission are found out about here."""
        secret = self._seen
        self._write(secret, "placeholder", _PLACEHOLDER, dry_run=True)
        if self._content.format != TOKEN:
            self._trial.reach(self._content.entry)

        def store(token: str, record: Record) -> None:
            self._write(secret, token, record, dry_run=False)

        yield store

    def try_out(self, token: str) -> None:
        """A format that is used with one certain cluster is tried there; a bare token may be for anybody."""
        if self._content.format != TOKEN:
            self._trial.use(self._content.entry, token)

    def is_occupied(self) -> bool:
        """Whether there is anything of ours in it."""
        held, secret = self.held(), self._seen
        if secret is None:
            return False
        is_occupied = _is_ours(secret) or _written(secret) is not None or held != Held(None, None)
        if is_occupied and not _is_ours(secret):
            self._check_mutable(secret, "delete it yourself")
        return is_occupied

    def clear(self) -> None:
        """Delete the Secret if we made it, else only our keys."""
        secret = self._seen
        if secret is None:
            return
        if _is_ours(secret):
            self._api.delete(self._ref, uid=uid_of(secret))
            return
        content = self._stored(secret)
        labels = _without_values({**content.labels, **self._labels}, secret["metadata"].get("labels"))
        metadata = {**_version(secret), "annotations": {_RECORD: None}, "labels": labels}
        patch = {"metadata": metadata, "data": _without_keys(content.format, secret)}
        self._guarded(lambda: self._api.patch(self._ref, patch))

    def _stored(self, secret: Object) -> Content:
        """What it holds by now: in the format in which we wrote it last, else as it is to be."""
        return replace(self._content, format=_written(secret) or self._content.format)

    def _token(self, secret: Object) -> str | None:
        """The token in it.

        Raises:
            ApiError: the Secret is for something else.
        """
        if secret.get("type") == "kubernetes.io/service-account-token":
            raise ApiError(
                f"{self._ref} is a long-lived token that the cluster fills in",
                code="foreign_content",
                hint="choose another name",
            )
        self._check_account(secret)
        try:
            token = self._stored(secret).token_in(decoded(secret.get("data")))
        except (ValueError, ProvisionError):
            token = None
        self._check_keys(secret, token)
        return token

    def _check_keys(self, secret: Object, token: str | None) -> None:
        """Keys of a format that we did not write are somebody else's."""
        written, wanted = _written(secret), self._content.format
        keys = list(_without_keys(wanted, secret))
        # where we wrote nothing, a token of a service account is recognised, unless there is room for more beside it
        is_known = written is None and token is not None and is_account_token(token) and wanted != KUBECONFIG
        if keys and written != wanted and not is_known and not self._force:
            raise ApiError(
                f"{self._ref} holds something else than a token in the key {keys[0]}",
                code="foreign_content",
                hint="choose another name, or set force",
            )

    def _check_account(self, secret: Object) -> None:
        """A Secret that was made for another account is that one's."""
        owner = (secret["metadata"].get("annotations") or {}).get(_ACCOUNT)
        if _is_ours(secret) and owner != self._content.account.place and not self._force:
            raise ApiError(
                f"{self._ref} was made for a token of {owner}, not of {self._content.account.place}",
                code="other_account",
                hint="correct the name or the account, or set force",
            )

    def _check_mutable(self, secret: Object, hint: str) -> None:
        if secret.get("immutable"):
            raise ApiError(f"{self._ref} is immutable", code="immutable", hint=hint)

    def _check_writable(self, secret: Object) -> None:
        self._check_mutable(secret, "delete it, or choose another name")
        if secret["metadata"].get("deletionTimestamp"):
            raise ApiError(f"{self._ref} is being deleted", code="terminating", hint="wait until it is gone")

    def _write(self, secret: Object | None, token: str, record: Record, *, dry_run: bool) -> None:
        if secret is None:
            body = self._body(token, record)
            self._guarded(lambda: self._api.create(self._ref, body, dry_run=dry_run))
            return
        self._check_writable(secret)
        patch = self._patch(secret, token, record)
        if patch:
            patch.setdefault("metadata", {}).update(_version(secret))
            self._guarded(lambda: self._api.patch(self._ref, patch, dry_run=dry_run))

    def _guarded(self, write: Any) -> None:
        """What another run did meanwhile is no failure: look again."""
        try:
            write()
        except (AlreadyExistsError, ConflictError) as error:
            raise OvertakenError(error.what, error.code, error.hint, error.target, error.http_status) from None

    def _body(self, token: str, record: Record) -> Object:
        body = skeleton(self._ref)
        body["metadata"] |= {
            "labels": {**self._labels, SINK_LABEL: self._content.format},
            "annotations": {**self._remembering(record), _ACCOUNT: self._content.account.place},
        }
        return {**body, "type": "Opaque", "data": encoded(self._content.data(token, record))}

    def _remembering(self, record: Record) -> dict[str, str]:
        return {_RECORD: json.dumps({**record.as_dict(), _FORMAT: self._content.format})}

    def _patch(self, secret: Object, token: str, record: Record) -> Object:
        """The merge patch that brings it about; empty if everything is so already."""
        values = encoded(self._content.data(token, record))
        metadata = secret["metadata"]
        wanted = {**self._labels, SINK_LABEL: self._content.format} if _is_ours(secret) else self._labels
        is_remembered = _record(secret) == record and _remembered(secret).get(_FORMAT) == self._content.format
        return _without_empty(
            {
                "metadata": {
                    "labels": {**self._outdated_labels(secret), **_difference(wanted, metadata.get("labels"))},
                    "annotations": {} if is_remembered else self._remembering(record),
                },
                "data": {**self._outdated_keys(secret), **_difference(values, secret.get("data"))},
            }
        )

    def _outdated_keys(self, secret: Object) -> dict[str, None]:
        """The keys of the format in which we wrote it before."""
        before = self._stored(secret).format
        return _without_keys(before, secret) if before != self._content.format else {}

    def _outdated_labels(self, secret: Object) -> dict[str, None]:
        before = {key: value for key, value in self._stored(secret).labels.items() if key not in self._labels}
        return _without_values(before, secret["metadata"].get("labels"))


def refuse_other_addresses(sinks: Sequence[SecretSink]) -> None:
    """Secrets of one name in what look like several clusters may be one, by several addresses of its cluster.

    Raises:
        InputError: they are.
    """
    namesakes: dict[str, list[SecretSink]] = defaultdict(list)
    for sink in sinks:
        namesakes[sink.place].append(sink)
    different: set[frozenset[str]] = set()
    for found in namesakes.values():
        for one, other in combinations(found, 2):
            servers = frozenset({one.server, other.server})
            # one look tells it for all places in the two
            if servers not in different and _differ(one, other):
                different.add(servers)


def _differ(one: SecretSink, other: SecretSink) -> bool:
    """Whether it is known that they are in two clusters.

    Raises:
        InputError: they are the same.
    """
    identities = one.identity(), other.identity()
    if None in identities:
        return False
    if identities[0] == identities[1]:
        raise InputError(
            f"the Secret {one.place} of sinks is given twice, by two addresses of one cluster ({one.server} and "
            f"{other.server})",
            "give every place once",
            code="duplicate",
        )
    return True


def noted_token(secret: Object) -> str | None:
    """What tells the token in a Secret from another one, by what we noted at it; None: we noted none.

    Args:
        secret: its metadata is enough.
    """
    record = _record(secret)
    return record.sha256[:_DIGITS] if record else None


def _is_ours(secret: Object) -> bool:
    return SINK_LABEL in (secret["metadata"].get("labels") or {})


def _written(secret: Object) -> str | None:
    """The format in which we wrote it last; None: we did not, as far as anybody knows."""
    said = (secret["metadata"].get("labels") or {}).get(SINK_LABEL) or _remembered(secret).get(_FORMAT)
    return said if said in FORMATS else None


def _without_keys(kind: str, secret: Object) -> dict[str, None]:
    """A patch that takes away what there is of the keys of a format."""
    return {key: None for key in KEYS[kind] if key in (secret.get("data") or {})}


def _without_values(values: Mapping[str, str], present: object) -> dict[str, None]:
    """A patch that takes away what still has these values."""
    has = present if isinstance(present, Mapping) else {}
    return {key: None for key, value in values.items() if has.get(key) == value}


def _without_empty(patch: Mapping[str, Any]) -> Object:
    """The patch without mappings in which there is nothing."""
    found = {key: _without_empty(value) if isinstance(value, Mapping) else value for key, value in patch.items()}
    return {key: value for key, value in found.items() if value != {}}


def _difference(wanted: Mapping[str, str], present: object) -> dict[str, str]:
    has = present if isinstance(present, Mapping) else {}
    return {key: value for key, value in wanted.items() if has.get(key) != value}


def _remembered(secret: Object) -> Mapping[str, Any]:
    """What we noted at it; empty if that is damaged."""
    text = (secret["metadata"].get("annotations") or {}).get(_RECORD)
    try:
        noted = json.loads(text) if text else None
    except (ValueError, RecursionError):
        noted = None
    return noted if isinstance(noted, Mapping) else {}


def _record(secret: Object) -> Record | None:
    return Record.from_dict(_remembered(secret))


def _version(secret: Object) -> dict[str, str]:
    metadata = secret["metadata"]
    return {"uid": str(metadata["uid"]), "resourceVersion": str(metadata["resourceVersion"])}
