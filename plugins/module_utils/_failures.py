# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a failed attempt tells: whether the server may have acted on it, and what to say of it.

Nothing of the other side's words is quoted but the message of a C(Status): anything else may echo what was sent.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from urllib.parse import urlsplit

from ._auth import Endpoint
from ._errors import ApiError, ConnectError, ProvisionError, Target
from ._pool import is_unsent

# a missing library is reported by _client.load, which every connection passes first
with suppress(ImportError):
    from urllib3 import exceptions as http_errors


class Fate(Enum):
    """What a failed attempt tells about the request."""

    NOT_SENT = "not sent"
    TURNED_AWAY = "turned away"
    UNKNOWN = "unknown"
    FINAL = "final"


@dataclass
class Failure:
    """A failed attempt: the error to raise if nobody tries again."""

    fate: Fate
    error: ProvisionError
    retry_after: float | None = None


def refusal(error: ApiError, retry_after: float | None, body: object) -> Failure:
    """Classify an error answer."""
    status = error.http_status or 0
    if status == 429 or (status == 503 and retry_after is not None):
        return Failure(Fate.TURNED_AWAY, error, retry_after)
    if status == 500 and "failed calling webhook" in _message(body):
        # admission runs before anything is stored
        return Failure(Fate.TURNED_AWAY, error)
    if status in (500, 502, 503, 504):
        return Failure(Fate.UNKNOWN, error)
    return Failure(Fate.FINAL, error)


def _message(body: object) -> str:
    return str(body.get("message") or "") if isinstance(body, dict) else ""


def network_failure(error: Exception, target: Target, endpoint: Endpoint) -> Failure:
    """Classify an exception of the HTTP library; its text may hold URLs and is not quoted."""
    unsent = is_unsent(error)
    while isinstance(error, http_errors.ProxyError) and isinstance(error.original_error, http_errors.HTTPError):
        error = error.original_error
    if isinstance(error, http_errors.SSLError):
        return _tls_failure(str(error), target, endpoint, unsent=unsent)
    for kind, why in _NOT_SENT:
        if isinstance(error, getattr(http_errors, kind, ())):
            return Failure(Fate.NOT_SENT, no_answer(target, endpoint, why))
    if isinstance(error, http_errors.LocationValueError):
        return Failure(Fate.FINAL, no_answer(target, endpoint, "its address cannot be used"))
    fate = Fate.NOT_SENT if unsent else Fate.UNKNOWN
    why = _what_was_not_ready(error, endpoint) if unsent else _what_broke(error)
    return Failure(fate, no_answer(target, endpoint, why))


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


def _tls_failure(text: str, target: Target, endpoint: Endpoint, *, unsent: bool) -> Failure:
    if "ALERT" in text and ("CERTIFICATE" in text or "UNKNOWN_CA" in text):
        # TLS 1.3 says so only when we already wait for the answer, but it has looked at nothing before
        failed = no_answer(target, endpoint, "it does not accept our client certificate, or wants one")
        failed.hint = "check client_cert and client_key, or the user in the kubeconfig"
        return Failure(Fate.FINAL, failed)
    if not unsent:
        return Failure(Fate.UNKNOWN, no_answer(target, endpoint, _BROKEN))
    if any(words in text for words in ("Hostname mismatch", "IP address mismatch", "doesn't match")):
        return _other_name(target, endpoint)
    if "CERTIFICATE_VERIFY_FAILED" in text:
        failed = no_answer(target, endpoint, f"its TLS certificate is not trusted{_tls_reason(text)}")
        failed.code = "tls_verify"
        failed.hint = (
            "the file of ca_cert is empty, as AWX makes it for a credential without Certificate Authority data: enter "
            "the cluster's CA there"
            if endpoint.ca_is_empty
            else "give the cluster's CA (ca_cert, or certificate-authority-data in the kubeconfig) and check the host "
            "name"
        )
        return Failure(Fate.FINAL, failed)
    if "WRONG_VERSION_NUMBER" in text:
        failed = no_answer(target, endpoint, "it does not speak TLS on that port")
        failed.hint = "check the host's scheme and port"
        return Failure(Fate.FINAL, failed)
    why = "it refuses the TLS handshake" if "HANDSHAKE_FAILURE" in text else "the TLS handshake was cut off"
    return Failure(Fate.NOT_SENT, no_answer(target, endpoint, why))


def _other_name(target: Target, endpoint: Endpoint) -> Failure:
    """The certificate is of a trusted authority, but made out for somebody else."""
    wanted = endpoint.tls_server_name or urlsplit(endpoint.server).hostname
    failed = no_answer(target, endpoint, f"its TLS certificate is not made out for {wanted}")
    failed.code = "tls_verify"
    failed.hint = (
        "correct tls-server-name in the kubeconfig, or leave it out"
        if endpoint.tls_server_name
        else "set host to a name that the certificate holds, or tls-server-name in the kubeconfig to one of them"
    )
    return Failure(Fate.FINAL, failed)


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


def no_answer(target: Target, endpoint: Endpoint, why: str) -> ConnectError:
    address = urlsplit(endpoint.server)
    place = f"{address.hostname}:{address.port}" if address.port else str(address.hostname)
    return ConnectError(
        what=f"cannot {target}: the API server {place} ({endpoint.source}) gave no answer: {why}",
        code="unreachable",
        hint="check that the server is up and that host, port, proxy and CA of the connection are right",
        target=target,
    )
