# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rotating a long-lived token under a client that uses it all the time and reads its file before every call."""

from __future__ import annotations

import http.client
import json
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cluster.controlplane import Cluster
from proofs.table import Ground, Line
from proofs.tokens import ACCOUNT, is_accepted, keep_legacy_token, namespace_with_account

_ROTATIONS, _QUICK_ROTATIONS = 20, 3
_WHOAMI = "/apis/authentication.k8s.io/v1/selfsubjectreviews"
_BODY = json.dumps({"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})

# after that time a server has forgotten that it accepted a token, however slow the machine
_REFUSED_WITHIN = 30.0
# so long the client may use a token that it has just read
_OVERLAP = 2


@dataclass
class Client:
    """What a client has seen."""

    calls: int = 0
    tokens: set[str] = field(default_factory=set)
    refused: list[str] = field(default_factory=list)


def prove(ground: Ground) -> list[Line]:
    """Rotate again and again."""
    namespace = namespace_with_account(ground.cluster)
    rotations = _ROTATIONS if ground.full else _QUICK_ROTATIONS
    place = ground.directory / "token"
    options = {"name": "tool", "service_account": ACCOUNT, "namespace": namespace, "dest": str(place)}
    keep_legacy_token(ground.cluster, **options)
    old: list[str] = []
    misses: list[str] = []
    with using(ground.cluster, place) as client:
        for dummy in range(rotations):
            time.sleep(1.5)
            old.append(place.read_text())
            misses += _rotated(ground.cluster, options)
    new = place.read_text()
    alive = [token for token in old if not _is_refused_soon(ground.cluster, token)]
    misses += [f"refused: {said}" for said in client.refused]
    misses += [f"{len(alive)} retired tokens are still accepted"] if alive else []
    misses += ["two generations held the same token"] if len({*old, new}) != rotations + 1 else []
    misses += ["the client never used a new token"] if len(client.tokens) <= 1 else []
    misses += [] if is_accepted(ground.cluster, new) else ["the last token is refused"]
    seen = (
        f"{len(client.refused)} of {client.calls} calls refused, with {len(client.tokens)} tokens; "
        f"{len(old) - len(alive)} of {len(old)} retired tokens are refused"
    )
    asked = (
        f"{rotations} rotations of a long-lived token under a client that uses it all the time and reads its file anew:"
        " 0 calls refused, every retired token refused, none of the same bytes"
    )
    return [Line(asked, seen, holds=not misses, misses=tuple(misses))]


def _rotated(cluster: Cluster, options: dict[str, str]) -> Iterator[str]:
    """Rotate, let the overlap pass, retire."""
    rotating = keep_legacy_token(cluster, **options, rotate_after=1, overlap=_OVERLAP)
    if not any(entry["verb"] == "create" for entry in rotating.get("actions", ())):
        yield f"not rotated: {rotating['msg']}"
    time.sleep(_OVERLAP + 0.5)
    retiring = keep_legacy_token(cluster, **options, rotate_after="1d", overlap=_OVERLAP)
    if len(retiring.get("generations", ())) != 1:
        yield f"not retired: {retiring['msg']}"


def _is_refused_soon(cluster: Cluster, token: str) -> bool:
    deadline = time.monotonic() + _REFUSED_WITHIN
    while is_accepted(cluster, token):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.5)
    return True


@contextmanager
def using(cluster: Cluster, place: Path) -> Iterator[Client]:
    """A client, for the time of the block."""
    client, over = Client(), threading.Event()
    thread = threading.Thread(target=_use, args=(cluster, place, client, over))
    thread.start()
    try:
        yield client
    finally:
        over.set()
        thread.join()


def _use(cluster: Cluster, place: Path, client: Client, over: threading.Event) -> None:
    server = urlsplit(cluster.server)
    context = ssl.create_default_context(cafile=str(cluster.ca_cert))
    connection = http.client.HTTPSConnection(str(server.hostname), server.port, timeout=30, context=context)
    try:
        while not over.wait(0.01):
            token = place.read_text()
            headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
            connection.request("POST", _WHOAMI, _BODY, headers)
            answer = connection.getresponse()
            answer.read()
            client.calls += 1
            client.tokens.add(token)
            if answer.status != 201:
                client.refused.append(f"call {client.calls}: {answer.status}")
    finally:
        connection.close()
