# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWX's credential for a cluster: what it is to hold beside the token, and how to recognize the token it holds.

AWX never gives a secret back, so the description remembers which token was sent. And it injects
K8S_AUTH_VERIFY_SSL=False for a credential without a certificate authority, whatever its verify_ssl says. Source: AWX's
plugin awx_plugins.credentials.plugins, kubernetes_bearer_token and its injector.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ._errors import InputError

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_KEY = "PRIVATE KEY-----"
# an address may have a path, for servers behind a proxy such as Rancher's
_ADDRESS = re.compile(r"https://(?:[\w.-]+|\[[0-9A-Fa-f:.]+\])(?::\d+)?(?:/[\w./~-]*)?")
# of a sum that is only to show a change
_SHORT = 16


@dataclass(frozen=True)
class DesiredCredential:
    """The credential as declared.

    Attributes:
        name: its name in AWX.
        description: the user's own words.
        host: the URL of the API server; empty: that of the connection.
        ca_cert: the certificate authority, PEM text; empty: that of the connection.
        verify_ssl: whether jobs verify the API server's certificate.
    """

    name: str
    description: str = ""
    host: str = ""
    ca_cert: str = ""
    verify_ssl: bool = True

    def __post_init__(self) -> None:
        """Check what can be known without a cluster.

        Raises:
            InputError: AWX or its jobs could do nothing with it.
        """
        if not self.name:
            raise InputError("awx_credential_name is empty", "give the credential a name")
        if self.host:
            _check_host(self.host)
        if self.ca_cert:
            _check_authority(self.ca_cert)

    def at(self, cluster: Mapping[str, Any]) -> DesiredCredential:
        """The same with what was left open.

        Args:
            cluster: C(host) and C(ca_cert) of the connection, the latter None if it has none.

        Raises:
            InputError: nothing is there to verify the API server with, though it is to be verified.
        """
        host, authority = self.host or str(cluster["host"]), self.ca_cert or str(cluster["ca_cert"] or "")
        _check_host(host)
        if self.verify_ssl and not authority:
            raise InputError(
                f"awx_credential_ca_cert: nothing says which certificate authority {host} has, and AWX switches "
                "verification off for a credential without one",
                "give its PEM text",
            )
        return DesiredCredential(self.name, self.description, host, authority, self.verify_ssl)

    def inputs(self) -> dict[str, Any]:
        """The fields that are no secret; an authority that is not used is left out."""
        fields: dict[str, Any] = {"host": self.host, "verify_ssl": self.verify_ssl}
        return {**fields, "ssl_ca_cert": f"{self.ca_cert.strip()}\n"} if self.verify_ssl else fields

    def remembering(self, token_info: Mapping[str, Any]) -> str:
        """The description that says which token, and which authority, the credential holds.

        Args:
            token_info: what is known of the token; its sum is None if it is still to be minted.
        """
        until, sha256 = token_info["expires_at"] or "later", token_info["sha256"] or "unknown"
        account = f"{token_info['namespace']}/{token_info['service_account']}"
        marker = f"[token of {account} until {until}, sha256:{sha256}{self._authority_sum()}]"
        return f"{self.description} {marker}".strip()

    def warnings(self) -> list[str]:
        """What is dangerous about it."""
        if self.verify_ssl:
            return []
        return [
            f"jobs with the credential {self.name} do not verify {self.host or 'the API server'}: whoever stands "
            "between them takes the token; set awx_credential_verify_ssl to true, and the cluster's certificate "
            "authority goes with it"
        ]

    def _authority_sum(self) -> str:
        if not self.verify_ssl:
            return ""
        return f", ca:{hashlib.sha256(self.ca_cert.strip().encode()).hexdigest()[:_SHORT]}"


def _check_host(host: str) -> None:
    """Refuse what is no address of an API server.

    Raises:
        InputError: it is none, is not encrypted, or holds a password.
    """
    # it is not repeated, because what is no address may be a password
    if "@" in host:
        raise InputError("awx_credential_host holds a user or a password", "give https://name:port")
    if not _ADDRESS.fullmatch(host) or not _has_port(host):
        raise InputError("awx_credential_host is no https:// address", "give https://name:port")


def _has_port(host: str) -> bool:
    """Whether its port, if it has one, can be one."""
    try:
        return urlsplit(host).port != 0
    except ValueError:
        return False


def _check_authority(text: str) -> None:
    """Refuse what is no certificate, or more than one may give away.

    Raises:
        InputError: it is none, or a private key is with it.
    """
    if _KEY in text:
        raise InputError("awx_credential_ca_cert holds a private key", "give the certificate of the authority alone")
    if _CERTIFICATE not in text:
        raise InputError(
            "awx_credential_ca_cert is no certificate in PEM form",
            "give the text of the file, not its path, for example with lookup('ansible.builtin.file', path)",
        )
