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
import re
import socket
import ssl
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
    from urllib3 import connection as http_connection
    from urllib3 import exceptions as http_errors

    # urllib3 1.26 has it nowhere else
    from urllib3._collections import HTTPHeaderDict

_CONNECT_TIMEOUT = 5.0
_FIRST_DELAY = 0.2
_LONGEST_DELAY = 5.0
_LONGEST_RETRY_AFTER = 30.0
# a request that is turned away with each of so many credentials will not fare better with the next
_MOST_CREDENTIALS = 3
# a socket whose timeout is zero would not wait at all
_MOMENT = 0.001


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
            reload: reads the configuration again; asked when the server says 401 (a rotated token file). A credential
                that comes from there and is not accepted either is not followed by another.
        """
        self.endpoint = endpoint
        self._reload = reload
        self._may_reload = reload is not None
        self.requests = 0
        self.retries = 0
        self._request_timeout = request_timeout
        self._retry_timeout = retry_timeout
        self._lock = threading.Lock()
        self._credential_lock = threading.Lock()
        self._clock_offset: float | None = None
        self._pool = _pool(endpoint, pool_size)

    def send(self, request: Request) -> Answer:
        """Send a request, again where the policy allows it, and return the answer.

        Raises:
            ApiError: the server refused it.
            AmbiguousError: a write was sent and its answer is lost.
            ConnectError: the server could not be reached in time.
        """
        deadline = time.monotonic() + self._retry_timeout
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

    def _attempt(self, request: Request, endpoint: Endpoint) -> Answer | _Failure:
        with self._lock:
            self.requests += 1
        try:
            response = self._pool.request(
                request.method,
                _url(endpoint, request),
                headers=_request_headers(endpoint, request),
                body=json.dumps(request.body).encode() if request.body is not None else None,
                timeout=_attempt_timeout(self._request_timeout),
                retries=False,
                redirect=False,
                enforce_content_length=True,
            )
        except http_errors.HTTPError as error:
            return _network_failure(error, request.target, endpoint)
        if response.status != 401:
            self._note_accepted(endpoint)
        return self._read(request, response.status, response.headers, response.data)

    def _note_accepted(self, endpoint: Endpoint) -> None:
        if not self._may_reload and endpoint is self.endpoint:
            self._may_reload = self._reload is not None

    def _read(self, request: Request, status: int, headers: Any, data: bytes) -> Answer | _Failure:
        server_time = _date(headers.get("Date"))
        if server_time:
            self._clock_offset = server_time.timestamp() - time.time()
        body = _json(data)
        if not 200 <= status < 300:
            wait = _retry_after(headers.get("Retry-After"), server_time or self.now())
            return _refusal(api_error(request.target, status, body), wait, body)
        if not isinstance(body, dict):
            lost = _no_answer(request.target, self.endpoint, "the answer is cut off or no JSON object")
            return _Failure(Fate.UNKNOWN, lost)
        return Answer(body, server_time, _warnings(headers))


class _DeadlineSocket(socket.socket):
    """A socket whose timeout is for all that follows until it is set again, not for every read anew."""

    _ends: float | None = None

    def settimeout(self, value: float | None) -> None:
        """Set the time that is left, in seconds; None for ever."""
        super().settimeout(value)
        self._ends = None if value is None else time.monotonic() + value

    def gettimeout(self) -> float | None:
        """The seconds that are left: what a TLS socket that is made of this one inherits."""
        return None if self._ends is None else max(self._ends - time.monotonic(), _MOMENT)

    def recv(self, *args: Any, **named: Any) -> bytes:
        """Read in the time that is left."""
        self._keep_deadline()
        return super().recv(*args, **named)

    def recv_into(self, *args: Any, **named: Any) -> int:
        """Read in the time that is left."""
        self._keep_deadline()
        return super().recv_into(*args, **named)

    def send(self, *args: Any, **named: Any) -> int:
        """Write in the time that is left."""
        self._keep_deadline()
        return super().send(*args, **named)

    def _keep_deadline(self) -> None:
        if self._ends is None:
            return
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("timed out")
        super().settimeout(left)


class _DeadlineTlsSocket(_DeadlineSocket, ssl.SSLSocket):
    """The same over TLS."""


def _with_deadline(plain: socket.socket, seconds: float) -> socket.socket:
    bounded = _DeadlineSocket(plain.family, plain.type, plain.proto, plain.detach())
    bounded.settimeout(max(seconds, _MOMENT))
    return bounded


class _Connecting:
    """Mixed into the connections of the HTTP library: connecting keeps one deadline, and what fails there is marked."""

    timeout: float
    sock: Any

    def connect(self) -> None:
        """Connect, up to where a request can be sent (proxy and TLS included)."""
        try:
            super().connect()  # type: ignore[misc]  # the class this is mixed into
            if isinstance(self.sock, ssl.SSLSocket) and self.sock.version() is None:
                # Python leaves the handshake out when the server has gone before it begins
                raise ConnectionResetError("closed before the TLS handshake")
        except Exception as error:
            error.is_unsent = True  # type: ignore[attr-defined]  # read by _is_unsent below
            raise

    def _new_conn(self) -> socket.socket:
        begun = time.monotonic()
        plain: socket.socket = super()._new_conn()  # type: ignore[misc]  # the class this is mixed into
        return _with_deadline(plain, self.timeout - (time.monotonic() - begun))


def _is_unsent(error: BaseException | None) -> bool:
    """Whether it happened while connecting: then no byte of the request has left us."""
    while error is not None:
        if getattr(error, "is_unsent", False):
            return True
        error = error.__cause__ or error.__context__
    return False


def _pool_classes() -> dict[str, Any]:
    """The pools by scheme, made of our connections; in a function because the library may be missing."""

    class HttpConnection(_Connecting, http_connection.HTTPConnection):
        pass

    class HttpsConnection(_Connecting, http_connection.HTTPSConnection):
        pass

    class HttpPool(urllib3.HTTPConnectionPool):
        ConnectionCls = HttpConnection

    class HttpsPool(urllib3.HTTPSConnectionPool):
        ConnectionCls = HttpsConnection

    return {"http": HttpPool, "https": HttpsPool}


def _attempt_timeout(seconds: float) -> Any:
    """A timeout that begins now, and of which every step of an attempt gets what the steps before have left."""
    ends = time.monotonic() + seconds

    class AttemptTimeout(urllib3.Timeout):
        def clone(self) -> Any:
            return self

        @property
        def connect_timeout(self) -> float:
            return max(min(_CONNECT_TIMEOUT, ends - time.monotonic()), _MOMENT)

        @property
        def read_timeout(self) -> float:
            return max(ends - time.monotonic(), 0.0)

    return AttemptTimeout()


def _url(endpoint: Endpoint, request: Request) -> str:
    query = f"?{urlencode(request.query)}" if request.query else ""
    return f"{endpoint.server}{request.path}{query}"


def _request_headers(endpoint: Endpoint, request: Request) -> Any:
    headers = _headers(endpoint)
    headers["Accept"] = request.accept
    if request.body is not None:
        headers["Content-Type"] = request.content_type
    return headers


def _pool(endpoint: Endpoint, size: int) -> Any:
    settings: dict[str, Any] = {"maxsize": size, "num_pools": 4}
    if endpoint.ssl_context is not None:
        endpoint.ssl_context.sslsocket_class = _DeadlineTlsSocket
        settings["ssl_context"] = endpoint.ssl_context
        if endpoint.tls_server_name:
            # checked by OpenSSL; urllib3's own check (assert_hostname) writes the whole certificate into the log
            settings["server_hostname"] = endpoint.tls_server_name
        if not endpoint.verify:
            settings["cert_reqs"] = "CERT_NONE"
            # said once, by us, in the result's warnings; not by urllib3 for every request on stderr
            urllib3.disable_warnings(http_errors.InsecureRequestWarning)
    manager = _manager(endpoint, settings)
    manager.pool_classes_by_scheme = _pool_classes()
    return manager


def _manager(endpoint: Endpoint, settings: Mapping[str, Any]) -> Any:
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
    headers = HTTPHeaderDict({"User-Agent": "tokenwright"})
    if endpoint.authorization:
        headers["Authorization"] = endpoint.authorization
    if endpoint.impersonate_user:
        headers["Impersonate-User"] = endpoint.impersonate_user
    for group in endpoint.impersonate_groups:
        headers.add("Impersonate-Group", group)
    return headers


def _is_unauthorized(failure: _Failure) -> bool:
    return failure.error.http_status == 401


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


def _refusal(error: ApiError, retry_after: float | None, body: object) -> _Failure:
    """Classify an error answer."""
    status = error.http_status or 0
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
    is_unsent = _is_unsent(error)
    while isinstance(error, http_errors.ProxyError) and isinstance(error.original_error, http_errors.HTTPError):
        error = error.original_error
    if isinstance(error, http_errors.SSLError):
        return _tls_failure(str(error), target, endpoint, is_unsent=is_unsent)
    for kind, why in _NOT_SENT:
        if isinstance(error, getattr(http_errors, kind, ())):
            return _Failure(Fate.NOT_SENT, _no_answer(target, endpoint, why))
    if isinstance(error, http_errors.LocationValueError):
        return _Failure(Fate.FINAL, _no_answer(target, endpoint, "its address cannot be used"))
    fate = Fate.NOT_SENT if is_unsent else Fate.UNKNOWN
    why = _what_was_not_ready(error, endpoint) if is_unsent else _what_broke(error)
    return _Failure(fate, _no_answer(target, endpoint, why))


# in order: the first that fits; names, because NameResolutionError exists only in urllib3 2
_NOT_SENT = (
    ("NameResolutionError", "its name cannot be resolved"),
    ("NewConnectionError", "the connection is refused or its name cannot be resolved"),
    ("ConnectTimeoutError", "it does not accept connections in time"),
    ("ProxyError", "the proxy does not let us through"),
)


def _what_was_not_ready(error: Exception, endpoint: Endpoint) -> str:
    step = "the way through the proxy" if endpoint.proxy else "the TLS handshake"
    return f"{step} was {'not finished in time' if isinstance(error, http_errors.ReadTimeoutError) else 'cut off'}"


def _what_broke(error: Exception) -> str:
    if isinstance(error, http_errors.ReadTimeoutError):
        return "no answer in time (request_timeout)"
    if isinstance(error, http_errors.ProtocolError | http_errors.SSLError):
        return _BROKEN
    # an encoding that is not what it says, lengths that contradict each other
    return f"the answer cannot be read ({type(error).__name__})"


_BROKEN = "the connection broke before the answer was complete"


def _tls_failure(text: str, target: Target, endpoint: Endpoint, *, is_unsent: bool) -> _Failure:
    if "ALERT" in text and ("CERTIFICATE" in text or "UNKNOWN_CA" in text):
        # TLS 1.3 says so only when we already wait for the answer, but it has looked at nothing before
        failed = _no_answer(target, endpoint, "it does not accept our client certificate, or wants one")
        failed.hint = "check client_cert and client_key, or the user in the kubeconfig"
        return _Failure(Fate.FINAL, failed)
    if not is_unsent:
        return _Failure(Fate.UNKNOWN, _no_answer(target, endpoint, _BROKEN))
    if any(words in text for words in ("Hostname mismatch", "IP address mismatch", "doesn't match")):
        return _other_name(target, endpoint)
    if "CERTIFICATE_VERIFY_FAILED" in text:
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
    why = "it refuses the TLS handshake" if "HANDSHAKE_FAILURE" in text else "the TLS handshake was cut off"
    return _Failure(Fate.NOT_SENT, _no_answer(target, endpoint, why))


def _other_name(target: Target, endpoint: Endpoint) -> _Failure:
    """The certificate is of a trusted authority, but made out for somebody else."""
    wanted = endpoint.tls_server_name or urlsplit(endpoint.server).hostname
    failed = _no_answer(target, endpoint, f"its TLS certificate is not made out for {wanted}")
    failed.code = "tls_verify"
    failed.hint = (
        "correct tls-server-name in the kubeconfig, or leave it out"
        if endpoint.tls_server_name
        else "set host to a name that the certificate holds, or tls-server-name in the kubeconfig to one of them"
    )
    return _Failure(Fate.FINAL, failed)


def _tls_reason(text: str) -> str:
    for known in (
        "self-signed certificate",
        "self signed certificate",
        "unable to get local issuer certificate",
        "certificate has expired",
        "certificate is not yet valid",
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
    except (ValueError, RecursionError):
        # nested too deeply, it is no answer of an API server either
        return None


# Beyond these years a clock is broken, and adding a token's lifetime could leave the calendar.
_YEARS = range(1970, 9000)


def _date(text: str | None) -> datetime | None:
    """An HTTP date in UTC; None when there is none that can be used."""
    parse: Callable[[str], datetime] = parsedate_to_datetime
    found = _parsed(lambda value: _in_utc(parse(value)), text)
    return found if found and found.year in _YEARS else None


def _in_utc(moment: datetime) -> datetime:
    # the zone -0000 is UTC of which nobody knows the local time: it is read as no zone at all
    return moment.astimezone(timezone.utc) if moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _retry_after(text: str | None, now: datetime) -> float | None:
    """Seconds to wait, given as such or as the date until which to wait (by the clock of whoever says it)."""
    seconds = _parsed(float, text)
    until = _date(text) if seconds is None else None
    if until is not None:
        seconds = (until - now).total_seconds()
    return None if seconds is None else max(0.0, seconds)


def _parsed(parse: Callable[[str], Value], text: str | None) -> Value | None:
    try:
        return parse(text) if text else None
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


# warn-code, warn-agent, the quoted text and perhaps a quoted date; several of them may share a header
_WARNING = re.compile(r'\d{3} +\S+ +"((?:[^"\\]|\\.)*)"(?: +"[^"]*")?')


def _warnings(headers: Any) -> tuple[str, ...]:
    """The texts of C(299 - "text" "date") Warning headers (RFC 7234, section 5.5)."""
    values = headers.getlist("Warning") if hasattr(headers, "getlist") else []
    return tuple(text for value in values for text in _warning_texts(_from_utf8(value)))


def _warning_texts(value: str) -> list[str]:
    quoted: list[str] = _WARNING.findall(value)
    return [re.sub(r"\\(.)", r"\1", text) for text in quoted] or [value]


def _from_utf8(value: str) -> str:
    """The API server writes UTF-8 into its headers; the HTTP library reads every byte as one character."""
    try:
        return value.encode("latin-1").decode()
    except UnicodeError:
        return value
