# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections that are kept open, on which every attempt keeps one deadline."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Mapping
from contextlib import suppress
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import proxy_bypass_environment  # type: ignore[attr-defined]  # public, but absent from typeshed

from ._auth import Endpoint
from ._errors import ConnectError

# a missing library is reported by _client.load, which every connection passes first
with suppress(ImportError):
    import urllib3
    from urllib3 import connection as http_connection
    from urllib3 import exceptions as http_errors

_CONNECT_TIMEOUT = 5.0
# a socket whose timeout is zero would not wait at all
_MOMENT = 0.001


def pool(endpoint: Endpoint, size: int) -> Any:
    """The pool for a cluster, through its proxy if it has one."""
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
        except Exception as error:  # whatever it was: nothing was sent yet, and it goes on from here
            error.is_unsent = True  # type: ignore[attr-defined]  # read by is_unsent below
            raise

    def _new_conn(self) -> socket.socket:
        begun = time.monotonic()
        plain: socket.socket = super()._new_conn()  # type: ignore[misc]  # the class this is mixed into
        return _with_deadline(plain, self.timeout - (time.monotonic() - begun))


def is_unsent(error: BaseException | None) -> bool:
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


def attempt_timeout(seconds: float) -> Any:
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
