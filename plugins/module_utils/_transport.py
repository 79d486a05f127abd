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
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import Any, TypeVar
from urllib.parse import unquote, urlencode, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # public, but absent from typeshed

from ._auth import Endpoint
from ._errors import AmbiguousError, ApiError, ConnectError, ProvisionError, Target, api_error

# a missing library is reported by _auth.load, which every connection passes first
with suppress(ImportError):
    import urllib3
    from urllib3 import exceptions as http_errors

_CONNECT_TIMEOUT = 5.0
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0
_LONGEST_RETRY_AFTER = 30.0


Value = TypeVar("Value")


class Fate(Enum):
    """What a failed attempt tells about the request."""

    NOT_SENT = "not sent"
    TURNED_AWAY = "turned away"
    UNKNOWN = "unknown"
    FINAL = "final"


@dataclass(frozen=True)
class Answer:
    """A successful answer: the decoded JSON body, the server's clock, and its Warning headers."""

    body: dict[str, Any]
    server_time: datetime | None
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request:
    """One request.

    Attributes:
        method: HTTP method.
        path: absolute path on the API server.
        target: what it is about, for messages and retries.
        query: query parameters.
        body: JSON body.
        content_type: of the body.
        accept: what the answer should be.
        repeatable: whether doing it twice is the same as once (reads and reviews); a write is not.
    """

    method: str
    path: str
    target: Target
    query: Mapping[str, str] | None = None
    body: Mapping[str, Any] | None = None
    content_type: str = "application/json"
    accept: str = "application/json"
    repeatable: bool = False


@dataclass
class _Failure:
    """A failed attempt: the error to raise if nobody tries again."""

    fate: Fate
    error: ProvisionError
    retry_after: float | None = None


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
            reload: reads the configuration again; asked once when the server says 401 (a rotated token file).
        """
        self.endpoint = endpoint
        self._reload = reload
        self.requests = 0
        self.retries = 0
        self._request_timeout = request_timeout
        self._retry_timeout = retry_timeout
        self._lock = threading.Lock()
        self._clock_offset: float | None = None
        self._pool = _pool(endpoint, pool_size)
        self._headers = _headers(endpoint)

    def send(self, request: Request) -> Answer:
        """Send a request, again where the policy allows it, and return the answer.

        Raises:
            ApiError: the server refused it.
            AmbiguousError: a write was sent and its answer is lost.
            ConnectError: the server could not be reached in time.
        """
        deadline = time.monotonic() + self._retry_timeout
        delay = _FIRST_DELAY
        while True:
            outcome = self._attempt(request)
            if isinstance(outcome, Answer):
                return outcome
            if self._has_new_credential(outcome):
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

    def _has_new_credential(self, failure: _Failure) -> bool:
        """After a 401: whether reading the configuration again (once) gave another credential."""
        if failure.error.http_status != 401:
            return False
        with self._lock:
            reload, self._reload = self._reload, None
        if reload is None:
            return False
        endpoint = reload()
        if endpoint.authorization == self.endpoint.authorization:
            return False
        self.endpoint, self._headers = endpoint, _headers(endpoint)
        return True

    def _attempt(self, request: Request) -> Answer | _Failure:
        with self._lock:
            self.requests += 1
        try:
            response = self._pool.request(
                request.method,
                self._url(request),
                headers=self._request_headers(request),
                body=json.dumps(request.body).encode() if request.body is not None else None,
                timeout=urllib3.Timeout(
                    connect=min(_CONNECT_TIMEOUT, self._request_timeout), read=self._request_timeout
                ),
                retries=False,
                redirect=False,
                enforce_content_length=True,
            )
        except http_errors.HTTPError as error:
            return _network_failure(error, request.target, self.endpoint)
        return self._read(request, response.status, response.headers, response.data)

    def _read(self, request: Request, status: int, headers: Any, data: bytes) -> Answer | _Failure:
        server_time = _date(headers)
        if server_time:
            self._clock_offset = server_time.timestamp() - time.time()
        body = _json(data)
        if not 200 <= status < 300:
            return _refusal(api_error(request.target, status, body), headers, body)
        if not isinstance(body, dict):
            lost = _no_answer(request.target, self.endpoint, "the answer is cut off or no JSON object")
            return _Failure(Fate.UNKNOWN, lost)
        return Answer(body, server_time, _warnings(headers))

    def _url(self, request: Request) -> str:
        query = f"?{urlencode(request.query)}" if request.query else ""
        return f"{self.endpoint.server}{request.path}{query}"

    def _request_headers(self, request: Request) -> Any:
        headers = self._headers.copy()
        headers["Accept"] = request.accept
        if request.body is not None:
            headers["Content-Type"] = request.content_type
        return headers


def _pool(endpoint: Endpoint, size: int) -> Any:
    settings: dict[str, Any] = {"maxsize": size, "num_pools": 4}
    if endpoint.ssl_context is not None:
        settings["ssl_context"] = endpoint.ssl_context
        if endpoint.tls_server_name:
            settings["server_hostname"] = settings["assert_hostname"] = endpoint.tls_server_name
        if not endpoint.verify:
            settings["cert_reqs"] = "CERT_NONE"
            # said once, by us, in the result's warnings; not by urllib3 for every request on stderr
            urllib3.disable_warnings(http_errors.InsecureRequestWarning)
    host = urlsplit(endpoint.server).hostname or ""
    if not endpoint.proxy or (endpoint.no_proxy and proxy_bypass_environment(host, {"no": endpoint.no_proxy})):
        return urllib3.PoolManager(**settings)
    try:
        return urllib3.ProxyManager(endpoint.proxy, proxy_headers=_proxy_headers(endpoint.proxy), **settings)
    except http_errors.HTTPError:
        raise ConnectError("proxy: not a usable proxy URL", code="proxy", hint="write http://host:port") from None


def _proxy_headers(proxy: str) -> dict[str, str]:
    parts = urlsplit(proxy)
    if not parts.username:
        return {}
    credential = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return dict(urllib3.make_headers(proxy_basic_auth=credential))


def _headers(endpoint: Endpoint) -> Any:
    # a multi-dict: Impersonate-Group is repeated once per group
    headers = urllib3.HTTPHeaderDict({"User-Agent": "tokenwright"})
    if endpoint.authorization:
        headers["Authorization"] = endpoint.authorization
    if endpoint.impersonate_user:
        headers["Impersonate-User"] = endpoint.impersonate_user
    for group in endpoint.impersonate_groups:
        headers.add("Impersonate-Group", group)
    return headers


def _may_repeat(fate: Fate, request: Request) -> bool:
    if fate is Fate.UNKNOWN:
        return request.repeatable
    return fate in (Fate.NOT_SENT, Fate.TURNED_AWAY)


def _pause(failure: _Failure, delay: float) -> float:
    if failure.retry_after is not None:
        # a server that says 0 still gets a moment
        return min(max(failure.retry_after, _FIRST_DELAY), _LONGEST_RETRY_AFTER)
    # full jitter keeps many plays that failed together from coming back together; no secret depends on it
    return delay * random.random()  # noqa: S311 - a delay, no secret


def _verdict(failure: _Failure, request: Request) -> ProvisionError:
    if failure.fate is not Fate.UNKNOWN or request.repeatable:
        return failure.error
    return AmbiguousError(
        what=failure.error.what,
        code="ambiguous",
        hint="it may have been done: run the task again, it goes on from what is there",
        target=request.target,
        http_status=failure.error.http_status,
    )


def _refusal(error: ApiError, headers: Any, body: object) -> _Failure:
    """Classify an error answer."""
    status = error.http_status or 0
    retry_after = _retry_after(headers)
    if status == 429 or (status == 503 and retry_after is not None):
        return _Failure(Fate.TURNED_AWAY, error, retry_after)
    if status == 500 and "failed calling webhook" in _message(body):
        # admission runs before anything is stored
        return _Failure(Fate.TURNED_AWAY, error)
    if status in (500, 502, 503, 504):
        return _Failure(Fate.UNKNOWN, error)
    return _Failure(Fate.FINAL, error)


def _message(body: object) -> str:
    return str(body.get("message") or "") if isinstance(body, dict) else ""


def _network_failure(error: Exception, target: Target, endpoint: Endpoint) -> _Failure:
    """Classify an exception of the HTTP library; its text may hold URLs and is not quoted."""
    while isinstance(error, http_errors.ProxyError) and isinstance(error.original_error, http_errors.HTTPError):
        error = error.original_error
    if isinstance(error, http_errors.SSLError):
        return _tls_failure(error, target, endpoint)
    if isinstance(error, http_errors.ReadTimeoutError):
        return _Failure(Fate.UNKNOWN, _no_answer(target, endpoint, "no answer in time (request_timeout)"))
    for kind, why in _NOT_SENT:
        if isinstance(error, getattr(http_errors, kind, ())):
            return _Failure(Fate.NOT_SENT, _no_answer(target, endpoint, why))
    if isinstance(error, http_errors.ProtocolError):
        return _Failure(
            Fate.UNKNOWN, _no_answer(target, endpoint, "the connection broke before the answer was complete")
        )
    return _Failure(Fate.FINAL, _no_answer(target, endpoint, f"the request failed ({type(error).__name__})"))


# in order: the first that fits; names, because NameResolutionError exists only in urllib3 2
_NOT_SENT = (
    ("NameResolutionError", "its name cannot be resolved"),
    ("NewConnectionError", "the connection is refused or its name cannot be resolved"),
    ("ConnectTimeoutError", "it does not accept connections in time"),
    ("ProxyError", "the proxy does not let us through"),
)


def _tls_failure(error: Exception, target: Target, endpoint: Endpoint) -> _Failure:
    text = str(error)
    if "CERTIFICATE_VERIFY_FAILED" in text or "doesn't match" in text or "certificate" in text.lower():
        failed = _no_answer(target, endpoint, f"its TLS certificate is not trusted{_tls_reason(text)}")
        failed.code = "tls_verify"
        failed.hint = (
            "give the cluster's CA (ca_cert, or certificate-authority-data in the kubeconfig) and check the host name"
        )
        return _Failure(Fate.FINAL, failed)
    if "WRONG_VERSION_NUMBER" in text:
        failed = _no_answer(target, endpoint, "it does not speak TLS on that port")
        failed.hint = "check the host's scheme and port"
        return _Failure(Fate.FINAL, failed)
    # a handshake that was cut off: no request has been sent yet
    return _Failure(Fate.NOT_SENT, _no_answer(target, endpoint, "the TLS handshake was cut off"))


def _tls_reason(text: str) -> str:
    for known in (
        "self-signed certificate",
        "self signed certificate",
        "unable to get local issuer certificate",
        "certificate has expired",
        "certificate is not yet valid",
        "Hostname mismatch",
        "IP address mismatch",
        "certificate signature failure",
    ):
        if known in text:
            return f" ({known})"
    return ""


def _no_answer(target: Target, endpoint: Endpoint, why: str) -> ConnectError:
    address = urlsplit(endpoint.server)
    place = f"{address.hostname}:{address.port}" if address.port else str(address.hostname)
    return ConnectError(
        what=f"cannot {target}: the API server {place} ({endpoint.source}) gave no answer: {why}",
        code="unreachable",
        hint="check that the server is up and that host, port, proxy and CA of the connection are right",
        target=target,
    )


def _json(data: bytes) -> object:
    try:
        return json.loads(data)
    except ValueError:
        return None


def _date(headers: Mapping[str, str]) -> datetime | None:
    parse: Callable[[str], datetime] = parsedate_to_datetime
    return _parsed(parse, headers.get("Date"))


def _retry_after(headers: Mapping[str, str]) -> float | None:
    return _parsed(lambda text: max(0.0, float(text)), headers.get("Retry-After"))


def _parsed(parse: Callable[[str], Value], text: str | None) -> Value | None:
    try:
        return parse(text) if text else None
    except (ValueError, TypeError, IndexError):
        return None


def _warnings(headers: Any) -> tuple[str, ...]:
    """The texts of C(299 - "text") Warning headers."""
    found = headers.getlist("Warning") if hasattr(headers, "getlist") else []
    return tuple(_warning_text(value) for value in found)


def _warning_text(value: str) -> str:
    quoted = value.partition('"')[2]
    text = quoted.rpartition('"')[0] if quoted else value
    return text.replace('\\"', '"').replace("\\\\", "\\")
