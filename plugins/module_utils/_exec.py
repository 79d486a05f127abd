# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Running a program in a container of a Pod, as the user of the container, and hearing what it says.

Source: pods/exec of the Kubernetes API and its protocol v4.channel.k8s.io, which every API server since 1.24 speaks:
the first byte of a message is a channel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import quote

from ._errors import ApiError, ForbiddenError, Target
from ._kinds import POD, Ref
from ._transport import Connection, Request
from ._websocket import Stream

_PROTOCOL = "v4.channel.k8s.io"
_OUTPUT, _STATUS = b"\x01", b"\x03"
# the output and how it ended
_LIMIT = 64 * 1024
_MAX_SERVER_TEXT = 600

# how a refusal ends for which the server gives no reason; see _explained
_WITHOUT_REASON = re.compile(r"is forbidden:\)$")


@dataclass(frozen=True)
class Done:
    """How it went.

    Attributes:
        output: what the program printed.
        exit_code: None: it was not run.
        said: why not, in the server's words.
    """

    output: bytes = field(repr=False)
    exit_code: int | None
    said: str = ""


def execute(connection: Connection, pod: Ref, container: str, command: Sequence[str]) -> Done:
    """Run a program that reads nothing and prints little.

    Args:
        connection: to the cluster.
        pod: the Pod.
        container: one of its containers.
        command: the program and its arguments, which audit logs show.

    Raises:
        ForbiddenError: the caller may not.
        ProvisionError: whether it was run is not known, or it said too much.
    """
    heard = _heard(_begun(connection, pod, container, command))
    return _done(heard.get(_OUTPUT, b""), heard.get(_STATUS, b""))


def _begun(connection: Connection, pod: Ref, container: str, command: Sequence[str]) -> Stream:
    """What is to be heard of the program."""
    target = Target("get", "pods/exec", namespace=pod.namespace, name=pod.name)
    request = Request(
        method="GET",
        path=f"{POD.root}/namespaces/{quote(pod.namespace, safe='')}/pods/{quote(pod.name, safe='')}/exec",
        target=target,
        query={"container": container, "stdout": "true", "command": command},
        # what comes is of no media type, and any other word here is refused (406)
        accept="*/*",
        protocol=_PROTOCOL,
    )
    try:
        answer = connection.send(request)
    except ForbiddenError as error:
        raise _explained(error, target) from None
    if answer.stream is None:
        raise ApiError(
            f"cannot {target}: the answer is no websocket",
            code="bad_answer",
            hint="see whether a proxy changes requests",
            target=target,
        )
    return answer.stream


def _heard(stream: Stream) -> dict[bytes, bytes]:
    """All that came, by channel."""
    heard: dict[bytes, bytes] = {}
    try:
        for message in stream.messages(_LIMIT):
            channel = message[:1]
            heard[channel] = heard.get(channel, b"") + message[1:]
    finally:
        stream.close()
    return heard


def _explained(error: ForbiddenError, target: Target) -> ForbiddenError:
    """Which right is missing, and that it takes two.

    Since Kubernetes 1.35 a websocket also takes the verb of a POST, and who lacks that one is not told.
    """
    if _WITHOUT_REASON.search(error.what):
        error.target = replace(target, verb="create")
        error.rbac_rule = error.target.rbac_rule()
    if error.rbac_rule and error.target:
        both = "it takes both get and create, create since Kubernetes 1.35"
        error.hint = f"allow the caller to {error.target.verb} {target.resource} {target.scope} ({both})"
    return error


def _done(output: bytes, status: bytes) -> Done:
    said = _mapping(status)
    if said.get("status") == "Success":
        return Done(output, 0)
    causes = _mapping_of(said.get("details")).get("causes")
    codes = [one.get("message") for one in causes or () if one.get("reason") == "ExitCode"]
    if said.get("reason") == "NonZeroExitCode" and codes and str(codes[0]).isdecimal():
        return Done(output, int(codes[0]))
    text = " ".join(str(said.get("message") or "the server does not say how it ended").split())
    return Done(output, None, text[:_MAX_SERVER_TEXT])


def _mapping(data: bytes) -> dict[str, Any]:
    try:
        return _mapping_of(json.loads(data))
    except (ValueError, RecursionError):
        return {}


def _mapping_of(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
