# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is sent again after which fault, for how long, and what is said when nothing helps."""

from __future__ import annotations

import base64
import gc
import gzip
import json
import logging
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest
from cluster.pki import Pki
from faults.server import EOF, RESET, SILENCE, ClosedPort, FaultServer, Reply, answer, cut_off
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils import _transport
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._auth import ConnectionOptions, Endpoint
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._client import load
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import (
    AlreadyExistsError,
    AmbiguousError,
    ApiError,
    ConflictError,
    ConnectError,
    ForbiddenError,
    NotFoundError,
    ProvisionError,
    Target,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._redact import Secrets
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._transport import Answer, Connection, Request

# in whatever is sent either way, and in nothing that is said
NEEDLE = "hunter2-hunter2"
HEADERS = [("X-Debug", NEEDLE), ("Set-Cookie", f"session={NEEDLE}")]


def target(verb: str, resource: str = "serviceaccounts") -> Target:
    return Target(verb, resource, namespace="ci", name="deployer")


PATH = "/api/v1/namespaces/ci/serviceaccounts"
BODY = {"metadata": {"name": "deployer", "annotations": {"note": NEEDLE}}}
QUERY = {"fieldManager": NEEDLE}

READS = {
    "get": Request("GET", f"{PATH}/deployer", target("get"), QUERY, repeatable=True),
    "review": Request(
        "POST", "/apis/authentication.k8s.io/v1/tokenreviews", target("create"), QUERY, BODY, repeatable=True
    ),
}
WRITES = {
    "create": Request("POST", PATH, target("create"), QUERY, BODY),
    "mint": Request("POST", f"{PATH}/deployer/token", target("create", "serviceaccounts/token"), QUERY, BODY),
    "update": Request("PUT", f"{PATH}/deployer", target("update"), QUERY, BODY),
    "patch": Request("PATCH", f"{PATH}/deployer", target("patch"), QUERY, BODY, "application/merge-patch+json"),
    "delete": Request("DELETE", f"{PATH}/deployer", target("delete"), QUERY, {"preconditions": {"uid": NEEDLE}}),
}
REQUESTS = READS | WRITES

DONE = {"kind": "Done"}
GOOD = answer(200, DONE, HEADERS)


def status(code: int, reason: str, message: str, *headers: tuple[str, str]) -> Reply:
    """An error as the API server says it; what is not its message may hold anything."""
    body = {"kind": "Status", "message": message, "reason": reason, "details": {"uid": NEEDLE}, "code": code}
    return answer(code, body, [*HEADERS, *headers])


def page(code: int, *headers: tuple[str, str]) -> Reply:
    """An error of something between us and the server."""
    html = f"<html><h1>{code}</h1>Cookie: {NEEDLE}</html>"
    return answer(code, html, [*HEADERS, *headers, ("Content-Type", "text/html")])


def network(words: str) -> tuple[type[ProvisionError], str, int | None, str]:
    return ConnectError, "unreachable", None, words


def refusal(
    code: str, http_status: int, kind: type[ProvisionError] = ApiError
) -> tuple[type[ProvisionError], str, int | None, str]:
    return kind, code, http_status, f"the server answered {http_status}"


@dataclass(frozen=True)
class Fault:
    """What goes wrong, and what follows.

    Attributes:
        reply: what the server does.
        again: C(always): nothing has happened, so everybody may try again; C(reads): it may have happened, so a write
            is C(ambiguous); C(never): it is final.
        error: class, code, HTTP status and words of the error if nobody tries again.
    """

    reply: Reply
    again: str
    error: tuple[type[ProvisionError], str, int | None, str]


BROKEN = network("the connection broke before the answer was complete")
UNREADABLE = network("the answer cannot be read (")
NO_OBJECT = network("the answer is cut off or no JSON object")
WEBHOOK = 'Internal error occurred: failed calling webhook "x.example": failed to call webhook: connection refused'
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{}   \r\n"

FAULTS: Mapping[str, Fault] = {
    "reset": Fault(RESET, "reads", BROKEN),
    "end of the connection": Fault(EOF, "reads", BROKEN),
    "silence": Fault(SILENCE, "reads", network("no answer in time (request_timeout)")),
    "half a status line": Fault(Reply(b"HTTP/1.", "close"), "reads", BROKEN),
    "no HTTP": Fault(Reply(f"SSH-2.0-{NEEDLE}\r\n".encode(), "close"), "reads", BROKEN),
    "truncated body": Fault(cut_off(GOOD, 3), "reads", BROKEN),
    "truncated chunks": Fault(Reply(CHUNKED, "close"), "reads", BROKEN),
    "truncated body, then a reset": Fault(Reply(GOOD.data[:-3], "reset"), "reads", BROKEN),
    "200 with a page": Fault(page(200), "reads", NO_OBJECT),
    "200 with nothing": Fault(answer(200, "", HEADERS), "reads", NO_OBJECT),
    "200 with half an object": Fault(answer(200, f'{{"a": "{NEEDLE}', HEADERS), "reads", NO_OBJECT),
    "200 with a list": Fault(answer(200, f'["{NEEDLE}"]', HEADERS), "reads", NO_OBJECT),
    "200 nested too deeply": Fault(answer(200, '{"a": ' * 50000 + NEEDLE, HEADERS), "reads", NO_OBJECT),
    "200 with a number too long": Fault(answer(200, '{"a": ' + "7" * 5000 + "}", HEADERS), "reads", NO_OBJECT),
    "200 in a wrong encoding": Fault(
        answer(200, f"{NEEDLE} {NEEDLE}", [*HEADERS, ("Content-Encoding", "gzip")]), "reads", UNREADABLE
    ),
    "200 in half an encoding": Fault(
        answer(200, gzip.compress(b'{"kind": "Done"}')[:-12], [*HEADERS, ("Content-Encoding", "gzip")]),
        "reads",
        NO_OBJECT,
    ),
    "200 of two lengths": Fault(
        Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "close"), "reads", UNREADABLE
    ),
    "200 with no UTF-8": Fault(answer(200, b'{"a": "\xff"}', HEADERS), "reads", NO_OBJECT),
    "429": Fault(status(429, "TooManyRequests", "slow down"), "always", refusal("too_many_requests", 429)),
    "429 with Retry-After": Fault(
        status(429, "TooManyRequests", "slow down", ("Retry-After", "0")), "always", refusal("too_many_requests", 429)
    ),
    "429 of a proxy": Fault(page(429), "always", refusal("too_many_requests", 429)),
    "503": Fault(status(503, "ServiceUnavailable", "down"), "reads", refusal("server_error", 503)),
    "503 with Retry-After": Fault(
        status(503, "ServiceUnavailable", "down", ("Retry-After", "0")), "always", refusal("server_error", 503)
    ),
    "500 of a webhook that cannot be called": Fault(
        status(500, "InternalError", WEBHOOK), "always", refusal("server_error", 500)
    ),
    "500 of etcd": Fault(
        status(500, "InternalError", "etcdserver: leader changed"), "reads", refusal("server_error", 500)
    ),
    "500 of a proxy": Fault(page(500), "reads", refusal("server_error", 500)),
    "502": Fault(page(502), "reads", refusal("server_error", 502)),
    "504": Fault(status(504, "Timeout", "too late"), "reads", refusal("server_error", 504)),
    "501": Fault(page(501), "never", refusal("server_error", 501)),
    "400": Fault(status(400, "BadRequest", "no"), "never", refusal("bad_request", 400)),
    "401": Fault(status(401, "Unauthorized", "Unauthorized"), "never", refusal("unauthorized", 401)),
    "403": Fault(status(403, "Forbidden", "no"), "never", refusal("forbidden", 403, ForbiddenError)),
    "404": Fault(status(404, "NotFound", "no"), "never", refusal("not_found", 404, NotFoundError)),
    "404 nested too deeply": Fault(answer(404, "[" * 50000, HEADERS), "never", refusal("not_an_api_server", 404)),
    "404 of a stranger": Fault(page(404), "never", refusal("not_an_api_server", 404)),
    "405": Fault(page(405), "never", refusal("method_not_allowed", 405)),
    "409": Fault(status(409, "Conflict", "no"), "never", refusal("conflict", 409, ConflictError)),
    "409 for what exists": Fault(
        status(409, "AlreadyExists", "no"), "never", refusal("conflict", 409, AlreadyExistsError)
    ),
    "410": Fault(status(410, "Expired", "no"), "never", refusal("gone", 410)),
    "413": Fault(page(413), "never", refusal("too_large", 413)),
    "415": Fault(status(415, "UnsupportedMediaType", "no"), "never", refusal("refused", 415)),
    "422": Fault(status(422, "Invalid", "no"), "never", refusal("invalid", 422)),
    "307": Fault(page(307, ("Location", f"/?{NEEDLE}")), "never", refusal("refused", 307)),
    "301": Fault(page(301, ("Location", f"https://u:{NEEDLE}@kube.example/")), "never", refusal("refused", 301)),
}
# for what takes this long; everything else has all the time in the world
IMPATIENT = 0.5
PATIENT = 20.0


def connection(
    url: str, *, request_timeout: float = PATIENT, retry_timeout: float = PATIENT, **endpoint: Any
) -> Connection:
    known = {"verify": True, "authorization": f"Bearer {NEEDLE}", **endpoint}
    return Connection(Endpoint(url, "host", **known), request_timeout=request_timeout, retry_timeout=retry_timeout)


def impatient_for(fault: Fault) -> float:
    return IMPATIENT if fault.reply.then == "hang" else PATIENT


def failure(connected: Connection, request: Request) -> ProvisionError:
    """The error a request ends in; nothing of it gives away what was sent or answered."""
    with pytest.raises(ProvisionError) as caught:
        connected.send(request)
    error = caught.value
    assert NEEDLE not in f"{error} {error!r} {error.details()} {error.args} {error.__cause__!r}"
    assert str(error).startswith(f"cannot {request.target}: ")
    assert error.target == request.target
    return error


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("request_name", REQUESTS)
def test_what_is_sent_again(request_name: str, fault: Fault, monkeypatch: pytest.MonkeyPatch) -> None:
    # the pauses have tests of their own
    monkeypatch.setattr(_transport, "_FIRST_DELAY", 0.01)
    request = REQUESTS[request_name]
    is_again = fault.again == "always" or (fault.again == "reads" and request.repeatable)
    with (
        FaultServer([fault.reply, GOOD]) as server,
        closing(connection(server.url, request_timeout=impatient_for(fault))) as connected,
    ):
        if is_again:
            assert connected.send(request).body == DONE
        else:
            kind, code, http_status, words = _error_of(fault, request)
            error = failure(connected, request)
            assert (type(error), error.code, error.http_status) == (kind, code, http_status)
            assert words in error.what
        assert len(server.received) == connected.requests == (2 if is_again else 1)
        assert connected.retries == (1 if is_again else 0)
        assert {(sent.method, sent.path.partition("?")[0]) for sent in server.received} == {
            (request.method, request.path)
        }
        assert len({sent.body for sent in server.received}) == 1


def _error_of(fault: Fault, request: Request) -> tuple[type[ProvisionError], str, int | None, str]:
    kind, code, http_status, words = fault.error
    is_ambiguous = fault.again == "reads" and not request.repeatable
    return (AmbiguousError, "ambiguous", http_status, words) if is_ambiguous else (kind, code, http_status, words)


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
@pytest.mark.parametrize("request_name", ["get", "mint"])
def test_without_time_for_retries_there_is_one_attempt(request_name: str, fault: Fault) -> None:
    request = REQUESTS[request_name]
    with (
        FaultServer([fault.reply]) as server,
        closing(connection(server.url, request_timeout=impatient_for(fault), retry_timeout=0)) as connected,
    ):
        error = failure(connected, request)
        assert len(server.received) == connected.requests == 1
        assert connected.retries == 0
    kind, code, http_status, words = _error_of(fault, request)
    assert (type(error), error.code, error.http_status) == (kind, code, http_status)
    assert words in error.what
    assert error.hint or isinstance(error, ApiError)


@pytest.mark.parametrize("request_name", ["get", "mint"])
def test_an_answer_that_stops_halfway_is_none(request_name: str) -> None:
    half = Fault(Reply(GOOD.data[:-1], "hang"), "reads", FAULTS["silence"].error)
    test_without_time_for_retries_there_is_one_attempt(request_name, half)


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_refused_connection_is_tried_again_whatever_was_to_be_sent(request_name: str) -> None:
    with ClosedPort() as url, closing(connection(url, retry_timeout=0.3)) as connected:
        error = failure(connected, REQUESTS[request_name])
    assert (type(error), error.code) == (ConnectError, "unreachable")
    assert "the connection is refused" in error.what
    assert connected.requests == connected.retries + 1 > 1


# A server that never ends: it says a little every tenth of a second.
TRICKLES = {
    "head": Reply(b"HTTP/1.1 200 OK\r\n", slowly=b"X-Slow: " + b"z" * 100),
    "body": Reply(b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n", slowly=b'{"a": ' + b"7" * 100),
    "chunks": Reply(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", slowly=b"1\r\n7\r\n" * 20),
    "interim answers": Reply(slowly=b"HTTP/1.1 100 Continue\r\n\r\n" * 4),
}


def took_until_failure(connected: Connection, request: Request) -> tuple[ProvisionError, float]:
    begun = time.monotonic()
    error = failure(connected, request)
    return error, time.monotonic() - begun


@pytest.mark.parametrize("is_tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("trickle", TRICKLES.values(), ids=TRICKLES)
def test_an_attempt_ends_in_its_time_however_slowly_the_server_goes_on(
    pki: Pki, tls: ssl.SSLContext, trickle: Reply, is_tls: bool
) -> None:
    with FaultServer([trickle], tls=tls if is_tls else None) as server:
        endpoint = trusting(server.url, pki.certificate("ca"))
        with closing(Connection(endpoint, request_timeout=IMPATIENT, retry_timeout=0)) as connected:
            error, took = took_until_failure(connected, WRITES["mint"])
    assert (type(error), error.code) == (AmbiguousError, "ambiguous")
    assert "no answer in time (request_timeout)" in error.what
    assert IMPATIENT * 0.9 < took < IMPATIENT * 2


def test_the_time_of_an_attempt_begins_anew_on_a_connection_that_is_kept() -> None:
    slow = Reply(GOOD.data[:-3], slowly=GOOD.data[-3:])
    with FaultServer([slow]) as server, closing(connection(server.url, request_timeout=IMPATIENT)) as connected:
        for _number in range(3):
            assert connected.send(WRITES["mint"]).body == DONE
    assert (server.connections, connected.requests) == (1, 3)


def test_an_ambiguous_write_says_that_it_may_have_been_done() -> None:
    with FaultServer([RESET]) as server, closing(connection(server.url)) as connected:
        error = failure(connected, WRITES["create"])
    assert str(error) == (
        f"cannot create serviceaccounts ci/deployer: the API server 127.0.0.1:{server.port} (host) gave no answer: "
        "the connection broke before the answer was complete: "
        "it may have been done: run the task again, it goes on from what is there"
    )


# Time.


@pytest.mark.parametrize("name", ["reset", "429", "503", "200 with a page"])
def test_retries_end_in_time(name: str) -> None:
    fault = FAULTS[name]
    with FaultServer([fault.reply]) as server, closing(connection(server.url, retry_timeout=0.7)) as connected:
        begun = time.monotonic()
        error = failure(connected, READS["get"])
        took = time.monotonic() - begun
    assert (type(error), error.code) == fault.error[:2]
    assert took < 0.7 + IMPATIENT
    # pauses of up to 0.2, 0.4, 0.8 ... seconds: some, but not many fit
    assert 2 <= len(server.received) == connected.requests == connected.retries + 1 <= 15


def test_an_attempt_that_is_under_way_is_not_cut_off_by_the_end_of_retries() -> None:
    with (
        FaultServer([SILENCE, SILENCE, GOOD]) as server,
        closing(connection(server.url, request_timeout=IMPATIENT, retry_timeout=0.8)) as connected,
    ):
        failure(connected, READS["get"])
    assert len(server.received) == 2


def test_the_server_says_how_long_to_wait() -> None:
    reply = status(429, "TooManyRequests", "slow down", ("Retry-After", "1"))
    with FaultServer([reply, GOOD]) as server, closing(connection(server.url)) as connected:
        begun = time.monotonic()
        assert connected.send(WRITES["mint"]).body == DONE
        assert 1 <= time.monotonic() - begun < 5


def http_date(moment: datetime) -> str:
    return format_datetime(moment, usegmt=True)


@pytest.mark.parametrize("clock", [timedelta(0), timedelta(days=-300)], ids=["right", "behind"])
def test_the_server_says_until_when_to_wait_by_its_own_clock(clock: timedelta) -> None:
    then = datetime.now(timezone.utc) + clock
    headers = [("Date", http_date(then)), ("Retry-After", http_date(then + timedelta(seconds=2)))]
    with FaultServer([page(503, *headers), GOOD]) as server, closing(connection(server.url)) as connected:
        begun = time.monotonic()
        assert connected.send(WRITES["mint"]).body == DONE
        assert 1.9 < time.monotonic() - begun < 4


def test_without_the_servers_clock_a_date_to_wait_for_is_taken_by_ours() -> None:
    until = http_date(datetime.now(timezone.utc) + timedelta(seconds=3))
    with (
        FaultServer([page(429, ("Retry-After", until)), GOOD]) as server,
        closing(connection(server.url)) as connected,
    ):
        begun = time.monotonic()
        assert connected.send(READS["get"]).body == DONE
        assert 1.5 < time.monotonic() - begun < 4


@pytest.mark.parametrize("until", ["Fri, 15 Jan 2027 08:00:00 GMT", "Wed, 15 Jan 2025 08:00:00 GMT"])
def test_a_date_to_wait_for_is_bounded_by_the_deadline_and_by_now(until: str) -> None:
    reply = page(429, ("Date", "Wed, 15 Jan 2026 08:00:00 GMT"), ("Retry-After", until))
    with FaultServer([reply]) as server, closing(connection(server.url, retry_timeout=0.7)) as connected:
        error, took = took_until_failure(connected, WRITES["mint"])
    assert error.http_status == 429
    assert took < 2
    assert (len(server.received) > 1) is ("2025" in until)


def test_a_server_that_says_at_once_is_not_hammered() -> None:
    reply = status(429, "TooManyRequests", "slow down", ("Retry-After", "0"))
    with FaultServer([reply]) as server, closing(connection(server.url, retry_timeout=0.7)) as connected:
        failure(connected, WRITES["mint"])
    assert 2 <= len(server.received) <= 5


def test_waiting_longer_than_there_is_time_is_not_begun() -> None:
    reply = status(429, "TooManyRequests", "slow down", ("Retry-After", "20"))
    with FaultServer([reply]) as server, closing(connection(server.url, retry_timeout=5)) as connected:
        begun = time.monotonic()
        failure(connected, WRITES["mint"])
        assert time.monotonic() - begun < 2
    assert len(server.received) == 1


def test_no_server_makes_us_wait_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_transport, "_LONGEST_RETRY_AFTER", 0.1)
    reply = status(503, "ServiceUnavailable", "down", ("Retry-After", "86400"))
    with FaultServer([reply, GOOD]) as server, closing(connection(server.url)) as connected:
        assert connected.send(WRITES["mint"]).body == DONE


@pytest.mark.parametrize("nonsense", ["", "soon", "-1", "nan", "1,2"])
def test_a_waiting_time_that_cannot_be_read_hurts_nobody(nonsense: str) -> None:
    reply = status(429, "TooManyRequests", "slow down", ("Retry-After", nonsense))
    with FaultServer([reply, GOOD]) as server, closing(connection(server.url)) as connected:
        assert connected.send(READS["get"]).body == DONE


# Credentials.


class Reloaded:
    """What reading the configuration again gives."""

    def __init__(self, endpoint: Endpoint, seconds: float) -> None:
        self.endpoint = endpoint
        self.seconds = seconds
        self.times = 0

    def __call__(self) -> Endpoint:
        self.times += 1
        time.sleep(self.seconds)
        return self.endpoint


UNAUTHORIZED = FAULTS["401"].reply


def reloading(url: str, authorization: str, *, seconds: float = 0) -> tuple[Connection, Reloaded]:
    old = Endpoint(url, "host", verify=True, authorization="Bearer old")
    reloaded = Reloaded(replace(old, authorization=authorization), seconds)
    return Connection(old, request_timeout=PATIENT, retry_timeout=0, reload=reloaded), reloaded


@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_rotated_credential_is_read_again_once_for_every_rotation(request_name: str) -> None:
    with FaultServer([UNAUTHORIZED, GOOD, UNAUTHORIZED]) as server:
        connected, reloaded = reloading(server.url, "Bearer new")
        with closing(connected):
            assert connected.send(REQUESTS[request_name]).body == DONE
            assert failure(connected, READS["get"]).code == "unauthorized"
    used = [sent.headers["authorization"] for sent in server.received]
    assert used == [("Bearer old",), ("Bearer new",), ("Bearer new",)]
    assert reloaded.times == 2


def credentials_used(server: FaultServer) -> list[str]:
    return [sent.headers["authorization"][0] for sent in server.received]


def test_threads_that_are_turned_away_together_read_the_credential_once() -> None:
    with FaultServer([UNAUTHORIZED] * 8 + [GOOD]) as server:
        connected, reloaded = reloading(server.url, "Bearer new", seconds=0.5)
        with closing(connected), ThreadPoolExecutor(8) as pool:
            answers = list(pool.map(lambda dummy: connected.send(WRITES["mint"]).body, range(8)))
    assert answers == [DONE] * 8
    assert reloaded.times == 1
    assert credentials_used(server) == ["Bearer old"] * 8 + ["Bearer new"] * 8


def test_who_is_turned_away_after_another_has_read_the_credential_just_uses_it() -> None:
    late = Reply(UNAUTHORIZED.data[:-5], slowly=UNAUTHORIZED.data[-5:])
    with FaultServer([late, UNAUTHORIZED, GOOD]) as server:
        connected, reloaded = reloading(server.url, "Bearer new")
        with closing(connected), ThreadPoolExecutor(1) as pool:
            first = pool.submit(connected.send, WRITES["mint"])
            wait_for_requests(server, 1)
            assert connected.send(WRITES["mint"]).body == DONE
            assert not first.done()
            assert first.result().body == DONE
    assert reloaded.times == 1
    assert credentials_used(server) == ["Bearer old", "Bearer old", "Bearer new", "Bearer new"]


def wait_for_requests(server: FaultServer, number: int) -> None:
    deadline = time.monotonic() + 5
    while len(server.received) < number and time.monotonic() < deadline:
        time.sleep(0.01)


def test_a_credential_that_is_refused_as_soon_as_it_is_read_is_not_followed_by_another() -> None:
    with FaultServer([UNAUTHORIZED]) as server:
        connected, reloaded = reloading(server.url, "Bearer new")
        with closing(connected):
            assert failure(connected, READS["get"]).code == "unauthorized"
            reloaded.endpoint = replace(reloaded.endpoint, authorization="Bearer newer")
            assert failure(connected, WRITES["mint"]).code == "unauthorized"
    assert credentials_used(server) == ["Bearer old", "Bearer new", "Bearer new"]
    assert reloaded.times == 1


def test_who_is_never_let_in_gives_up_though_others_are() -> None:
    """Between its attempts others are accepted with each new credential."""
    late = Reply(UNAUTHORIZED.data[:-5], slowly=UNAUTHORIZED.data[-5:])
    with FaultServer([UNAUTHORIZED, *[late, GOOD] * 4]) as server:
        names = iter("bcdefgh")
        first = Endpoint(server.url, "host", verify=True, authorization="Bearer a")

        def reload() -> Endpoint:
            return replace(first, authorization=f"Bearer {next(names)}")

        connected = Connection(first, request_timeout=PATIENT, retry_timeout=0, reload=reload)
        with closing(connected), ThreadPoolExecutor(1) as pool:
            unlucky = pool.submit(failure, connected, WRITES["mint"])
            for number in (2, 4):
                wait_for_requests(server, number)
                connected.send(READS["get"])
            assert unlucky.result().code == "unauthorized"
    assert credentials_used(server) == ["Bearer a", "Bearer b", "Bearer b", "Bearer c", "Bearer c"]


def test_the_same_credential_is_not_tried_twice() -> None:
    with FaultServer([UNAUTHORIZED, GOOD]) as server:
        connected, reloaded = reloading(server.url, "Bearer old")
        with closing(connected):
            error = failure(connected, READS["get"])
    assert (len(server.received), reloaded.times) == (1, 1)
    assert error.hint is not None
    assert error.hint.startswith("the credential of this connection is not accepted (expired, revoked")


# What is sent.


def test_a_request_as_it_arrives() -> None:
    request = replace(WRITES["patch"], query={"fieldManager": "tokenwright", "x": "a b&c=ü/"}, accept="application/x")
    with FaultServer([GOOD]) as server, closing(connection(server.url)) as connected:
        connected.send(request)
    (sent,) = server.received
    assert (sent.method, sent.path) == (
        "PATCH",
        f"{PATH}/deployer?fieldManager=tokenwright&x=a+b%26c%3D%C3%BC%2F",
    )
    assert json.loads(sent.body) == BODY
    assert {name: sent.headers[name] for name in ("content-type", "accept", "user-agent", "authorization", "host")} == {
        "content-type": ("application/merge-patch+json",),
        "accept": ("application/x",),
        "user-agent": ("tokenwright",),
        "authorization": (f"Bearer {NEEDLE}",),
        "host": (f"127.0.0.1:{server.port}",),
    }


def test_without_a_body_or_a_credential_nothing_is_made_up() -> None:
    with FaultServer([GOOD]) as server, closing(connection(server.url, authorization=None)) as connected:
        connected.send(WRITES["patch"])
        connected.send(READS["get"])
    sent = server.received[1]
    assert sent.body == b""
    assert {"authorization", "content-type", "impersonate-user", "cookie"}.isdisjoint(sent.headers)


def test_impersonation_names_every_group() -> None:
    acting: dict[str, Any] = {"impersonate_user": "jane", "impersonate_groups": ("developers", "system:authenticated")}
    with FaultServer([GOOD]) as server, closing(connection(server.url, **acting)) as connected:
        connected.send(READS["get"])
        connected.send(WRITES["patch"])
    for sent in server.received:
        assert sent.headers["impersonate-user"] == ("jane",)
        assert sent.headers["impersonate-group"] == ("developers", "system:authenticated")


def test_connections_are_kept() -> None:
    with FaultServer([GOOD, page(404), GOOD]) as server, closing(connection(server.url)) as connected:
        connected.send(READS["get"])
        failure(connected, READS["get"])
        connected.send(WRITES["mint"])
        assert (server.connections, connected.requests) == (1, 3)


def test_a_connection_that_the_server_has_closed_is_not_used() -> None:
    with FaultServer([replace(GOOD, then="close"), GOOD]) as server, closing(connection(server.url)) as connected:
        connected.send(READS["get"])
        time.sleep(0.1)  # for the end of the connection to arrive
        connected.send(WRITES["mint"])
    assert (server.connections, connected.requests, connected.retries) == (2, 2, 0)


def test_many_threads_share_a_connection() -> None:
    fault = status(429, "TooManyRequests", "slow down", ("Retry-After", "0"))
    with FaultServer([fault] * 5 + [GOOD]) as server, closing(connection(server.url)) as connected:
        answers: list[Answer] = []

        def work() -> None:
            answers.extend(connected.send(request) for request in REQUESTS.values())

        threads = [threading.Thread(target=work) for _number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert [one.body for one in answers] == [DONE] * 8 * len(REQUESTS)
    assert connected.requests == len(server.received) == 8 * len(REQUESTS) + 5
    assert connected.retries == 5


# What comes back.

HOUR = timedelta(hours=1)


def date(offset: timedelta) -> tuple[str, str]:
    return "Date", format_datetime(datetime.now(timezone.utc) + offset, usegmt=True)


@pytest.mark.parametrize("offset", [HOUR, -HOUR, timedelta(0), timedelta(days=400)])
@pytest.mark.parametrize("code", [200, 404, 503])
def test_now_is_the_servers_time(offset: timedelta, code: int) -> None:
    with (
        FaultServer([answer(code, DONE, [date(offset)])]) as server,
        closing(connection(server.url, retry_timeout=0)) as connected,
    ):
        assert abs(connected.now() - datetime.now(timezone.utc)) < timedelta(seconds=1)
        with suppress(ApiError):
            connected.send(READS["get"])
        assert abs(connected.now() - datetime.now(timezone.utc) - offset) < timedelta(seconds=5)
        assert connected.now().tzinfo is timezone.utc


def test_an_answer_brings_the_servers_time() -> None:
    header = ("Date", "Fri, 15 Jan 2027 08:00:00 GMT")
    with FaultServer([answer(200, DONE, [header]), GOOD]) as server, closing(connection(server.url)) as connected:
        assert connected.send(READS["get"]).server_time == datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
        # an answer without a time does not set the clock back
        assert connected.send(READS["get"]).server_time is None
        assert connected.now().year == 2027


@pytest.mark.parametrize("zone", ["GMT", "-0000", "+0000", "UT"])
def test_utc_has_many_names(zone: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    time.tzset()
    try:
        reply = answer(200, DONE, [("Date", f"Fri, 15 Jan 2027 08:00:00 {zone}")])
        with FaultServer([reply]) as server, closing(connection(server.url)) as connected:
            server_time = connected.send(READS["get"]).server_time
            now = connected.now()
    finally:
        monkeypatch.undo()
        time.tzset()
    assert server_time == datetime(2027, 1, 15, 8, tzinfo=timezone.utc)
    assert timedelta(0) <= now - server_time < timedelta(seconds=5)


NO_TIME = [
    "",
    "yesterday",
    "2027-01-15T08:00:00Z",
    "Fri, 32 Jan 2027 08:00:00 GMT",
    "1",
    f"Fri, 15 Jan {10**30} 08:00:00 GMT",
    f"Fri, 15 Jan 2027 08:00:00 +{10**30}",
    "Fri, 15 Jan 2027 08:00:00 +9999",
    "Fri, 31 Dec 9999 23:59:59 GMT",
    "Fri, 31 Dec 9999 23:59:59 -1200",
    "Mon, 01 Jan 0100 00:00:00 +1200",
    "Mon, 01 Jan 1900 00:00:00 GMT",
]


@pytest.mark.parametrize("nonsense", NO_TIME)
def test_a_time_that_cannot_be_read_is_none(nonsense: str) -> None:
    with (
        FaultServer([answer(200, DONE, [("Date", nonsense)])]) as server,
        closing(connection(server.url)) as connected,
    ):
        assert connected.send(READS["get"]).server_time is None
        assert abs(connected.now() - datetime.now(timezone.utc)) < timedelta(seconds=1)


@pytest.mark.parametrize(
    ("headers", "texts"),
    [
        ([], ()),
        (['299 - "use apps/v1"'], ("use apps/v1",)),
        (['299 - "first"', '299 - "second"'], ("first", "second")),
        ([r'299 - "a \"quoted\" word"'], ('a "quoted" word',)),
        ([r'299 - "back\\slash"'], ("back\\slash",)),
        ([r'299 - "both \\\" of them"'], (r"both \" of them",)),
        (['299 - ""'], ("",)),
        (["299 - bare"], ("299 - bare",)),
        (['299 - "open'], ('299 - "open',)),
        (['299 - "one", 299 - "two",299 kube "three"'], ("one", "two", "three")),
        (['299 - "a, b" "Fri, 15 Jan 2027 08:00:00 GMT", 299 - "c" "Fri, 15 Jan 2027 08:00:00 GMT"'], ("a, b", "c")),
        ([r'299 - "says \"299 - \\\"x\\\"\"", 299 - "end\\"'], (r'says "299 - \"x\""', "end\\")),
        (['299 - "Lebensdauer gekürzt, 短縮"'], ("Lebensdauer gekürzt, 短縮",)),
        (['299  -  "wide"'], ("wide",)),
        (["299 kube-apiserver \"requested expiration of 86400 seconds shortened to 3600 seconds\""],
         ("requested expiration of 86400 seconds shortened to 3600 seconds",)),
    ],
)  # fmt: skip
def test_warnings_are_read(headers: list[str], texts: tuple[str, ...]) -> None:
    reply = answer(200, DONE, [("Warning", text) for text in headers])
    with FaultServer([reply]) as server, closing(connection(server.url)) as connected:
        assert connected.send(WRITES["mint"]).warnings == texts


# Whatever a server that is none of ours may send.

_header = st.tuples(
    st.sampled_from(
        ["Content-Length", "Transfer-Encoding", "Connection", "Date", "Retry-After", "Warning", "Location"]
    ),
    st.sampled_from(["chunked", "close", "0", "2", "-1", "99", '299 - "'])
    | st.text(st.characters(min_codepoint=32, max_codepoint=255), max_size=12),
)


@st.composite
def strange_replies(draw: st.DrawFn) -> bytes:
    if draw(st.booleans()):
        return draw(st.binary(max_size=60))
    body = draw(st.binary(max_size=30) | st.sampled_from([b"{}", b"[]", b"null", b'{"kind": "Status"}']))
    head = "".join(f"{name}: {value}\r\n" for name, value in draw(st.lists(_header, max_size=3)))
    return f"HTTP/1.1 {draw(st.integers(100, 999))} x\r\n{head}\r\n".encode("latin-1") + body


@pytest.fixture(scope="module")
def strange_server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@given(strange_replies())
def test_no_reply_is_too_strange(strange_server: FaultServer, data: bytes) -> None:
    strange_server.replies = [Reply(data, "close")]
    with (
        closing(connection(strange_server.url, request_timeout=5, retry_timeout=0)) as connected,
        suppress(ProvisionError),
    ):
        assert isinstance(connected.send(WRITES["create"]).body, dict)


# Proxies.


def test_a_proxy_gets_the_request_and_its_own_credential() -> None:
    with FaultServer([GOOD]) as server:
        proxy = f"http://jane:{NEEDLE}%40%2F@127.0.0.1:{server.port}"
        with closing(connection("http://kube.invalid", proxy=proxy)) as connected:
            assert connected.send(READS["get"]).body == DONE
    (sent,) = server.received
    assert sent.path.startswith(f"http://kube.invalid{PATH}/deployer")
    credential = base64.b64encode(f"jane:{NEEDLE}@/".encode()).decode()
    assert sent.headers["proxy-authorization"] == (f"Basic {credential}",)


def test_no_proxy_is_asked_for_what_is_near() -> None:
    with FaultServer([GOOD]) as server, ClosedPort() as proxy:
        near = connection(server.url, proxy=proxy, no_proxy="example.com,127.0.0.1")
        with closing(near) as connected:
            assert connected.send(READS["get"]).body == DONE
        assert "proxy-authorization" not in server.received[0].headers


def test_a_tunnel_that_is_refused_means_that_nothing_was_sent() -> None:
    with FaultServer([page(403)]) as server:
        proxy = f"http://jane:{NEEDLE}@127.0.0.1:{server.port}"
        through = connection(
            "https://kube.invalid", proxy=proxy, ssl_context=ssl.create_default_context(), retry_timeout=0.5
        )
        with closing(through) as connected:
            error = failure(connected, WRITES["mint"])
    assert (type(error), error.code) == (ConnectError, "unreachable")
    assert "the proxy does not let us through" in error.what
    assert {sent.method for sent in server.received} == {"CONNECT"}
    assert len(server.received) > 1


def test_a_proxy_that_is_down_means_that_nothing_was_sent() -> None:
    with ClosedPort() as proxy, closing(connection("http://kube.invalid", proxy=proxy, retry_timeout=0.5)) as connected:
        error = failure(connected, WRITES["mint"])
    assert (type(error), error.code) == (ConnectError, "unreachable")
    assert connected.retries > 0


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:1", "127.0.0.1", "http://127.0.0.1:port"])
def test_what_is_no_proxy_is_said(proxy: str) -> None:
    with pytest.raises(ConnectError, match=r"^proxy: not a usable proxy URL: write http://host:port$"):
        connection("http://kube.invalid", proxy=proxy)


# TLS.


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> Pki:
    made = Pki(tmp_path_factory.mktemp("pki"))
    made.ensure()
    return made


@pytest.fixture(scope="module")
def tls(pki: Pki) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate("server"), pki.key("server"))
    return context


def trusting(url: str, authority: Path, **options: Any) -> Endpoint:
    """An endpoint as the options of a task give it."""
    return load(ConnectionOptions(host=url, api_key=NEEDLE, ca_cert=str(authority), **options), Secrets())


def over(endpoint: Endpoint, *, retry_timeout: float = 0.5) -> Connection:
    return Connection(endpoint, request_timeout=PATIENT, retry_timeout=retry_timeout)


def test_a_trusted_server(pki: Pki, tls: ssl.SSLContext) -> None:
    with FaultServer([GOOD], tls=tls) as server:
        endpoint = trusting(server.url, pki.certificate("ca"))
        with closing(over(endpoint)) as connected:
            assert connected.send(READS["get"]).body == DONE
        with closing(over(replace(endpoint, tls_server_name="kubernetes.default"))) as connected:
            assert connected.send(READS["get"]).body == DONE


@pytest.mark.parametrize("request_name", ["get", "mint"])
def test_a_server_that_is_not_trusted_gets_nothing(pki: Pki, tls: ssl.SSLContext, request_name: str) -> None:
    with FaultServer([GOOD], tls=tls) as server:
        for endpoint in (
            trusting(server.url, pki.certificate("etcd-ca")),
            replace(trusting(server.url, pki.certificate("ca")), tls_server_name="kube.example"),
        ):
            with closing(over(endpoint)) as connected:
                error = failure(connected, REQUESTS[request_name])
            assert (type(error), error.code, connected.requests) == (ConnectError, "tls_verify", 1)
    assert server.received == []


def test_a_server_of_another_authority_is_named_with_the_option(pki: Pki, tls: ssl.SSLContext) -> None:
    with FaultServer([GOOD], tls=tls) as server:
        endpoint = trusting(server.url, pki.certificate("etcd-ca"))
        with closing(over(endpoint)) as connected:
            error = failure(connected, READS["get"])
    assert "its TLS certificate is not trusted" in error.what
    assert error.hint is not None
    assert "ca_cert" in error.hint


@pytest.mark.parametrize(
    ("host", "asked", "option"),
    [("127.0.0.1", "kube.example", "tls-server-name"), ("127.0.0.2", None, "host"), ("127.0.0.1", "10.0.0.9", "tls-")],
)
def test_a_certificate_for_another_name_is_said_in_one_sentence(
    pki: Pki, tls: ssl.SSLContext, host: str, asked: str | None, option: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    with FaultServer([GOOD], tls=tls, address=host) as server:
        endpoint = replace(trusting(server.url, pki.certificate("ca")), tls_server_name=asked)
        with closing(over(endpoint)) as connected:
            error = failure(connected, WRITES["mint"])
    assert (type(error), error.code, connected.requests) == (ConnectError, "tls_verify", 1)
    assert error.what.endswith(f"its TLS certificate is not made out for {asked or host}")
    assert error.hint is not None
    assert option in error.hint
    assert len(str(error)) < 400
    assert "\n" not in str(error)
    assert [record.getMessage() for record in caplog.records] == [], "urllib3 logs the whole certificate"
    assert server.received == []


def test_a_server_need_not_be_trusted_if_the_user_says_so(pki: Pki, tls: ssl.SSLContext) -> None:
    with FaultServer([GOOD], tls=tls) as server:
        endpoint = trusting(server.url, pki.certificate("etcd-ca"), validate_certs=False)
        with closing(over(endpoint)) as connected:
            assert connected.send(READS["get"]).body == DONE


def test_a_port_without_tls_is_named_at_once(pki: Pki) -> None:
    with FaultServer([GOOD], greeting=Reply(b"HTTP/1.1 400 Bad Request\r\n\r\n", "close")) as server:
        endpoint = trusting(server.url.replace("http:", "https:"), pki.certificate("ca"))
        with closing(over(endpoint)) as connected:
            error = failure(connected, WRITES["mint"])
    assert "it does not speak TLS on that port" in error.what
    assert (error.hint, connected.requests) == ("check the host's scheme and port", 1)


CUT_OFF = {
    # a reset may be so fast that connecting fails already
    "reset": (RESET, "gave no answer"),
    "end": (EOF, "the TLS handshake was cut off"),
    "alert": (Reply(b"\x15\x03\x03\x00\x02\x02\x50", "close"), "the TLS handshake was cut off"),
    "silence": (SILENCE, "the TLS handshake was not finished in time"),
    "trickle": (
        Reply(b"\x16\x03\x03\x40\x00", slowly=bytes(100)),
        "the TLS handshake was not finished in time",
    ),
}


# Python's ssl leaves its socket to the garbage collector when the reset is faster than the handshake.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.parametrize("name", CUT_OFF)
@pytest.mark.parametrize("request_name", REQUESTS)
def test_a_handshake_that_is_cut_off_means_that_nothing_was_sent(pki: Pki, request_name: str, name: str) -> None:
    greeting, words = CUT_OFF[name]
    with FaultServer(greeting=greeting) as server:
        endpoint = trusting(server.url.replace("http:", "https:"), pki.certificate("ca"))
        # what ends by itself must not be cut off by us on a busy machine; long enough for a second attempt either way
        seconds = 0.3 if "not finished in time" in words else 5
        with closing(Connection(endpoint, request_timeout=seconds, retry_timeout=0.8)) as connected:
            error = failure(connected, REQUESTS[request_name])
    assert (type(error), error.code) == (ConnectError, "unreachable")
    assert words in error.what
    assert connected.requests == connected.retries + 1 > 1
    gc.collect()


@pytest.mark.parametrize("name", ["reset", "end", "silence", "garbage"])
@pytest.mark.parametrize("request_name", ["get", "mint"])
def test_a_connection_that_breaks_after_the_handshake_may_have_done_it(
    pki: Pki, tls: ssl.SSLContext, request_name: str, name: str
) -> None:
    reply = {"reset": RESET, "end": EOF, "silence": SILENCE, "garbage": Reply(then="garble")}[name]
    request = REQUESTS[request_name]
    with FaultServer([reply], tls=tls) as server:
        endpoint = trusting(server.url, pki.certificate("ca"))
        with closing(Connection(endpoint, request_timeout=IMPATIENT, retry_timeout=0)) as connected:
            error = failure(connected, request)
    assert len(server.received) == 1
    assert error.__class__ is (ConnectError if request.repeatable else AmbiguousError)
    assert ("no answer in time" if name == "silence" else "the connection broke before") in error.what


@pytest.mark.parametrize(
    ("version", "words"),
    [
        # an alert of its own for this came with TLS 1.3
        (ssl.TLSVersion.TLSv1_2, "it refuses the TLS handshake"),
        (ssl.TLSVersion.TLSv1_3, "it does not accept our client certificate, or wants one"),
    ],
)
def test_a_server_that_wants_a_client_certificate_is_not_blamed_for_its_own(
    pki: Pki, version: ssl.TLSVersion, words: str
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pki.certificate("server"), pki.key("server"))
    context.load_verify_locations(pki.certificate("ca"))
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = context.maximum_version = version
    with (
        FaultServer([GOOD], tls=context) as server,
        closing(over(trusting(server.url, pki.certificate("ca")), retry_timeout=0)) as connected,
    ):
        error = failure(connected, WRITES["mint"])
    assert server.received == []
    assert (type(error), error.code) == (ConnectError, "unreachable")
    assert words in error.what


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (SILENCE, "the way through the proxy was not finished in time"),
        (Reply(b"HTTP/1.1 200 OK\r\n", slowly=b"X-Slow: " + b"z" * 100), "the proxy was not finished in time"),
        (EOF, "the way through the proxy was cut off"),
        (RESET, "the way through the proxy was cut off"),
    ],
)
def test_a_tunnel_that_is_not_built_means_that_nothing_was_sent(reply: Reply, words: str) -> None:
    with FaultServer([reply]) as server:
        proxy = f"http://jane:{NEEDLE}@127.0.0.1:{server.port}"
        endpoint = Endpoint(
            "https://kube.invalid", "host", verify=True, proxy=proxy, ssl_context=ssl.create_default_context()
        )
        with closing(Connection(endpoint, request_timeout=0.4, retry_timeout=0)) as connected:
            error, took = took_until_failure(connected, WRITES["mint"])
    assert (type(error), error.code) == (ConnectError, "unreachable")
    assert words in error.what
    assert took < 0.8
