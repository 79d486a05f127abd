# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Certificates and keys of a cluster: two authorities (clients and server; etcd), and the key that signs tokens."""

from __future__ import annotations

import datetime as dt
import hashlib
import ipaddress
from collections.abc import Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cluster.files import private_directory, write_private

VALID_BEFORE_NOW = dt.timedelta(hours=1)
VALID_FOR = dt.timedelta(days=30)
RENEW_WHEN_LEFT = dt.timedelta(days=1)

_CERTIFICATES = ("ca", "server", "admin", "kube-controller-manager", "etcd-ca", "etcd", "etcd-client")
_SERVER_NAMES: tuple[x509.GeneralName, ...] = (
    *(x509.DNSName(name) for name in ("localhost", "kubernetes", "kubernetes.default", "kubernetes.default.svc")),
    x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
    x509.IPAddress(ipaddress.ip_address("10.0.0.1")),
)


class Pki:
    """The files below one directory; made, or made anew when they end within a day, by :meth:`ensure`.

    etcd has an authority of its own: the cluster's signs certificates for limited callers too, and whoever can write
    to etcd is above every authorisation.
    """

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.signing_key = directory / "sa.key"
        self.signing_key_public = directory / "sa.pub"

    def certificate(self, name: str) -> Path:
        """Path of a certificate: ca, server, admin, kube-controller-manager, etcd-ca, etcd, etcd-client."""
        return self.directory / f"{name}.crt"

    def key(self, name: str) -> Path:
        """Path of the private key of a certificate."""
        return self.directory / f"{name}.key"

    def ensure(self, now: dt.datetime | None = None) -> None:
        """Make what is missing, and all certificates when one of them ends soon. The token signing key always stays."""
        now = now or dt.datetime.now(dt.timezone.utc)
        private_directory(self.directory)
        if not self.signing_key.exists():
            self._make_signing_key()
        if not self._good_at(now + RENEW_WHEN_LEFT):
            self._make_certificates(now)

    def client(self, user: str, groups: Sequence[str]) -> tuple[Path, Path]:
        """Certificate and key of a user in groups, signed by the cluster's authority."""
        name = "client-" + hashlib.sha256("\0".join([user, *groups]).encode()).hexdigest()[:16]
        if not self._in_time(name, dt.datetime.now(dt.timezone.utc) + RENEW_WHEN_LEFT):
            self._issue(name, "ca", user, groups, dt.datetime.now(dt.timezone.utc))
        return self.certificate(name), self.key(name)

    def _good_at(self, when: dt.datetime) -> bool:
        return all(self._in_time(name, when) for name in _CERTIFICATES)

    def _in_time(self, name: str, when: dt.datetime) -> bool:
        if not (self.certificate(name).exists() and self.key(name).exists()):
            return False
        return self._load(name).not_valid_after_utc > when

    def _load(self, name: str) -> x509.Certificate:
        return x509.load_pem_x509_certificate(self.certificate(name).read_bytes())

    def _make_certificates(self, now: dt.datetime) -> None:
        for path in self.directory.glob("client-*"):
            path.unlink()
        self._issue("ca", None, "kit-ca", (), now)
        self._issue("server", "ca", "kube-apiserver", (), now, server=True)
        self._issue("admin", "ca", "admin", ("system:masters",), now)
        self._issue("kube-controller-manager", "ca", "system:kube-controller-manager", (), now)
        self._issue("etcd-ca", None, "kit-etcd-ca", (), now)
        self._issue("etcd", "etcd-ca", "etcd", (), now, server=True)
        self._issue("etcd-client", "etcd-ca", "kube-apiserver", (), now)

    def _make_signing_key(self) -> None:
        # RSA, so that tokens are signed with RS256 as on nearly every cluster.
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        encoding, form = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        write_private(self.signing_key_public, key.public_key().public_bytes(encoding, form))
        write_private(self.signing_key, _pem(key))

    def _issue(
        self,
        name: str,
        authority: str | None,
        user: str,
        groups: Sequence[str],
        now: dt.datetime,
        *,
        server: bool = False,
    ) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(user, groups)
        signer = self._load_key(authority) if authority else key
        issuer = self._load(authority).subject if authority else subject
        builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(now - VALID_BEFORE_NOW).not_valid_after(now + VALID_FOR)
        builder = _with_identifiers(builder, key, signer)
        builder = _with_usage(builder, server) if authority else _with_authority_usage(builder)
        certificate = builder.sign(signer, hashes.SHA256())
        write_private(self.key(name), _pem(key))
        write_private(self.certificate(name), certificate.public_bytes(serialization.Encoding.PEM))

    def _load_key(self, name: str) -> ec.EllipticCurvePrivateKey:
        key = serialization.load_pem_private_key(self.key(name).read_bytes(), password=None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return key


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())


def _name(user: str, groups: Sequence[str]) -> x509.Name:
    attributes = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, group) for group in groups]
    return x509.Name([*attributes, x509.NameAttribute(NameOID.COMMON_NAME, user)])


def _with_identifiers(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, signer: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    # Python 3.13 verifies strictly, and then refuses certificates without these two.
    own, issuer = x509.SubjectKeyIdentifier.from_public_key, x509.AuthorityKeyIdentifier.from_issuer_public_key
    builder = builder.add_extension(own(key.public_key()), critical=False)
    return builder.add_extension(issuer(signer.public_key()), critical=False)


def _with_authority_usage(builder: x509.CertificateBuilder) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    return builder.add_extension(_usage(authority=True), critical=True)


def _with_usage(builder: x509.CertificateBuilder, server: bool) -> x509.CertificateBuilder:
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(authority=False), critical=True)
    if not server:
        return builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    # etcd's own gateway calls etcd with the server's certificate, so that has to be good for a client too.
    both = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
    builder = builder.add_extension(x509.ExtendedKeyUsage(both), critical=False)
    return builder.add_extension(x509.SubjectAlternativeName(_SERVER_NAMES), critical=False)


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, key_cert_sign=authority, crl_sign=authority, content_commitment=False,
        key_encipherment=False, data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip
