# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection: keep-alive pool, deadlines, and the one retry policy.

A request ends in an answer or in one of our errors. What is tried again depends on what is known of the failed attempt:
nothing reached the server, the server turned it away before acting, or (for a write) nobody knows.
"""

from __future__ import annotations

import json
import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any
from urllib.parse import urlencode

from ._auth import Endpoint
from ._errors import AmbiguousError, ProvisionError, Target, api_error
from ._failures import Failure, Fate, network_failure, no_answer, refusal
from ._headers import date, retry_after, warnings
from ._pool import attempt_timeout, pool
from ._websocket import SWITCHING, Stream, is_accepted, offer

# a missing library is reported by _client.load, which every connection passes first
with suppress(ImportError):
    from urllib3 import exceptions as http_errors

    # urllib3 1.26 has it nowhere else
    from urllib3._collections import HTTPHeaderDict

_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0
_LONGEST_RETRY_AFTER = 30.0
# a request that is turned away with each of so many credentials will not fare better with the next
_MOST_CREDENTIALS = 3


@dataclass(frozen=True)
class Answer:
    """A successful answer: the decoded JSON body, the server's clock, and its Warning headers.

    Or what the server sends from now on (C(stream)), if that was asked for; to be closed by whoever has it.
    """

    body: dict[str, Any]
    server_time: datetime | None
    warnings: tuple[str, ...] = ()
    stream: Stream | None = None


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method: HTTP method.
        path: absolute path on the API server.
        target: what it is about, for messages and retries.
        query: query parameters; one with several values is repeated.
        body: JSON body.
        content_type: of the body.
        accept: what the answer should be.
        repeatable: whether doing it twice is the same as once (reads and reviews); a write is not.
        protocol: what the server is asked to speak over a websocket; empty: it just answers.
    """

    method: str
    path: str
    target: Target
    query: Mapping[str, str | Sequence[str]] | None = None
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    repeatable: bool = False
    protocol: str = ""


class Connection:
    """Requests to one cluster, from any number of threads."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        request_timeout: float,
        retry_timeout: float,
        pool_size: int = 8,
        reload: Callable[[], Endpoint] | None = None,
    ) -> None:
        """Make a connection; nothing is sent yet.

        Args:
            endpoint: where and as whom.
            request_timeout: seconds one attempt may take.
            retry_timeout: seconds one request may spend on its retries; 0 means: one attempt.
            pool_size: connections kept open.
            reload: reads the configuration again; asked when the server says 401 (a rotated token file). A credential
                that comes from there and is not accepted either is not followed by another.
        """
        self.endpoint = endpoint
        self._reload = reload
        self._may_reload = reload is not None
        self.requests = 0
        self.retries = 0
        self._request_timeout = request_timeout
        self.retry_timeout = retry_timeout
        self._lock = threading.Lock()
        self._credential_lock = threading.Lock()
        self._clock_offset: float | None = None
        self._pool = pool(endpoint, pool_size)

    def send(self, request: Request) -> Answer:
        """Send a request, again where the policy allows it, and return the answer.

        Raises:
            ApiError: the server refused it.
            AmbiguousError: a write was sent and its answer is lost.
            ConnectError: the server could not be reached in time.
        """
        deadline = time.monotonic() + self.retry_timeout
        delay = _FIRST_DELAY
        credentials = 1
        while True:
            # another thread may replace it meanwhile: what counts is the one that this attempt uses
            used = self.endpoint
            outcome = self._attempt(request, used)
            if isinstance(outcome, Answer):
                return outcome
            if credentials < _MOST_CREDENTIALS and _is_unauthorized(outcome) and self._has_other_credential(used):
                credentials += 1
                continue
            pause = _pause(outcome, delay)
            if not _may_repeat(outcome.fate, request) or time.monotonic() + pause > deadline:
                raise _verdict(outcome, request)
            with self._lock:
                self.retries += 1
            time.sleep(pause)
            delay = min(delay * 2, _LONGEST_DELAY)

    def now(self) -> datetime:
        """The server's time by its last answer's Date header, to the second; our own before any answer."""
        return datetime.fromtimestamp(time.time() + (self._clock_offset or 0.0), tz=timezone.utc)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def _has_other_credential(self, used: Endpoint) -> bool:
        """After a 401: whether there is another credential by now than the one that was used.

        Threads that were turned away together wait here for the first of them to read the configuration again.
        """
        with self._credential_lock:
            if used.authorization == self.endpoint.authorization:
                self._read_credential()
            return used.authorization != self.endpoint.authorization

    def _read_credential(self) -> None:
        if self._reload is None or not self._may_reload:
            return
        # until the server has accepted what is read now, reading once more is of no use
        self._may_reload = False
        self.endpoint = self._reload()

    def _attempt(self, request: Request, endpoint: Endpoint) -> Answer | Failure:
        with self._lock:
            self.requests += 1
        headers = _request_headers(endpoint, request)
        try:
            response = self._pool.request(
                request.method,
                _url(endpoint, request),
                headers=headers,
                body=json.dumps(request.body).encode() if request.body is not None else None,
                timeout=attempt_timeout(self._request_timeout),
                retries=False,
                redirect=False,
                enforce_content_length=True,
                preload_content=not request.protocol,
            )
            # what is asked to switch and does not is an answer like others
            data = response.data if response.status != SWITCHING else b""
        except http_errors.HTTPError as error:
            return network_failure(error, request.target, endpoint)
        if response.status != 401:
            self._note_accepted(endpoint)
        if response.status == SWITCHING and request.protocol:
            return self._listen(request, response, headers, endpoint)
        return self._read(request, response.status, response.headers, data)

    def _note_accepted(self, endpoint: Endpoint) -> None:
        if not self._may_reload and endpoint is self.endpoint:
            self._may_reload = self._reload is not None

    def _listen(self, request: Request, response: Any, headers: Any, endpoint: Endpoint) -> Answer | Failure:
        """The connection is the caller's now: it is never used for another request."""

        def broken(why: str) -> ProvisionError:
            return no_answer(request.target, endpoint, why)

        if not is_accepted(headers, response.headers):
            response.close()
            return Failure(Fate.FINAL, broken("it switched to something else than what it was asked for"))
        # bytes that came right behind the headers are in this buffer already; no other way leads to them
        source = response._fp.fp
        return Answer({}, date(response.headers.get("Date")), stream=Stream(source, response.close, broken))

    def _read(self, request: Request, status: int, headers: Any, data: bytes) -> Answer | Failure:
        server_time = date(headers.get("Date"))
        if server_time:
            self._clock_offset = server_time.timestamp() - time.time()
        body = _json(data)
        if not 200 <= status < 300:
            wait = retry_after(headers.get("Retry-After"), server_time or self.now())
            return refusal(api_error(request.target, status, body), wait, body)
        if not isinstance(body, dict):
            lost = no_answer(request.target, self.endpoint, "the answer is cut off or no JSON object")
            return Failure(Fate.UNKNOWN, lost)
        return Answer(body, server_time, warnings(headers.getlist("Warning") if hasattr(headers, "getlist") else ()))


def _url(endpoint: Endpoint, request: Request) -> str:
    query = f"?{urlencode(request.query, doseq=True)}" if request.query else ""
    return f"{endpoint.server}{request.path}{query}"


def _request_headers(endpoint: Endpoint, request: Request) -> Any:
    headers = _headers(endpoint)
    headers["Accept"] = request.accept
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    if request.protocol:
        headers.update(offer(request.protocol))
    return headers


def _headers(endpoint: Endpoint) -> Any:
    # a multi-dict: Impersonate-Group is repeated once per group
    headers = HTTPHeaderDict({"User-Agent": "tokenwright"})
    if endpoint.authorization:
        headers["Authorization"] = endpoint.authorization
    if endpoint.impersonate_user:
        headers["Impersonate-User"] = endpoint.impersonate_user
    for group in endpoint.impersonate_groups:
        headers.add("Impersonate-Group", group)
    return headers


def _is_unauthorized(failure: Failure) -> bool:
    return failure.error.http_status == 401


def _may_repeat(fate: Fate, request: Request) -> bool:
    if fate is Fate.UNKNOWN:
        return request.repeatable
    return fate in (Fate.NOT_SENT, Fate.TURNED_AWAY)


def _pause(failure: Failure, delay: float) -> float:
    if failure.retry_after is not None:
        # a server that says 0 still gets a moment
        return min(max(failure.retry_after, _FIRST_DELAY), _LONGEST_RETRY_AFTER)
    # full jitter keeps many plays that failed together from coming back together; no secret depends on it
    return delay * random.random()  # noqa: S311 - a delay, no secret


def _verdict(failure: Failure, request: Request) -> ProvisionError:
    if failure.fate is not Fate.UNKNOWN or request.repeatable:
        return failure.error
    return AmbiguousError(
        what=failure.error.what,
        code="ambiguous",
        hint="it may have been done: run the task again, it goes on from what is there",
        target=request.target,
        http_status=failure.error.http_status,
    )


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        # nested too deeply, it is no answer of an API server either
        return None
