# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Making the places of a task's tokens: what they need to know of the cluster, and of other clusters."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Protocol, TypeAlias, TypeVar
from urllib.parse import urlsplit

from . import _client
from ._api import Api, connect
from ._auth import ConnectionOptions
from ._errors import ApiError, FileError, ForbiddenError, ProvisionError
from ._file_sink import FileSink
from ._kinds import CONFIG_MAP, Ref
from ._kubeconfig import Entry
from ._kubeconfig_sink import KubeconfigSink
from ._redact import Secrets
from ._reviews import ACCEPTED_WITHIN, NEVER, POLL
from ._secret_formats import TOKEN, Content
from ._secret_sink import SecretSink
from ._sinks import FILE, KUBECONFIG, SECRET, DesiredSink, Sink
from ._transport import Connection

# every namespace has it: the certificate authority that Pods verify the API server with (RootCAConfigMap)
_ROOT_CA = "kube-root-ca.crt"


class Declared(Protocol):
    """A token as declared, as far as its places go."""

    @property
    def account(self) -> Ref:
        """Whose it is."""

    @property
    def sinks(self) -> Sequence[DesiredSink]:
        """Its places."""

    @property
    def force(self) -> bool:
        """Whether what is there may be replaced, whatever it is."""

    @property
    def verify(self) -> str:
        """When a token is tried out."""


Token = TypeVar("Token", bound=Declared)
# a token and its places, or why they cannot be had
Placed: TypeAlias = "tuple[Token, Sequence[Sink], ProvisionError | None]"


class Workshop:
    """Makes places for the tokens of one cluster."""

    def __init__(self, api: Api, options: ConnectionOptions, secrets: Secrets, workers: int) -> None:
        self._api = api
        self._options = options
        self._secrets = secrets
        self._workers = workers
        self._others: dict[ConnectionOptions, Api] = {}
        self._root_cas: dict[str, str | None] = {}

    def placed(self, tokens: Sequence[Token]) -> list[Placed[Token]]:
        """Every token with its places, in order; what keeps one from its places does not keep the others."""
        return [self._placed(token) for token in tokens]

    def cluster(self, namespace: str) -> dict[str, str | None]:
        """How others reach the cluster, for those who put a token somewhere by themselves: C(host), and C(ca_cert)."""
        endpoint = self._api.connection.endpoint
        return {"host": endpoint.server, "ca_cert": self._ca(needs_one=False, namespace=namespace)}

    def _placed(self, token: Token) -> Placed[Token]:
        try:
            return token, self._sinks(token), None
        except ProvisionError as error:
            return token, (), error

    def _sinks(self, token: Declared) -> list[Sink]:
        """The places of one token, in order.

        Raises:
            ProvisionError: a cluster cannot be reached, or a certificate authority cannot be read.
        """
        trial = ClusterTrial(self._api, self._options, token.verify)
        return [self._sink(one, token.account, trial, force=token.force) for one in token.sinks]

    def _sink(self, desired: DesiredSink, account: Ref, trial: ClusterTrial, *, force: bool) -> Sink:
        if desired.type == FILE:
            return FileSink(desired, force=force)
        entry = self._entry(desired, account)
        if desired.type == KUBECONFIG:
            return KubeconfigSink(desired, entry, trial, force=force)
        content = Content(desired.format, entry, account)
        return SecretSink(desired, self._cluster_of(desired), content, trial, force=force)

    def _cluster_of(self, desired: DesiredSink) -> Api:
        """The cluster that a Secret is in; connections are shared."""
        if desired.connection is None:
            return self._api
        options = desired.connection.as_patient_as(self._options)
        if options not in self._others:
            self._others[options] = connect(options, self._secrets, pool_size=self._workers)
        return self._others[options]

    def _entry(self, desired: DesiredSink, account: Ref) -> Entry:
        """What is not said comes from the caller's own connection."""
        endpoint = self._api.connection.endpoint
        server = desired.server or endpoint.server
        cluster = desired.cluster_name or urlsplit(server).netloc
        title = f"{account.namespace}/{account.name}@{cluster}"
        return Entry(
            cluster_name=cluster,
            server=server,
            ca_pem=self._authority_for(desired, account.namespace),
            verify=endpoint.verify,
            tls_server_name=endpoint.tls_server_name if not desired.server else None,
            user_name=desired.user_name or title,
            context_name=desired.context_name or title,
            namespace=(desired.namespace if desired.type == KUBECONFIG else None) or account.namespace,
            token_file=desired.token_file,
            set_current=bool(desired.set_current),
        )

    def _authority_for(self, desired: DesiredSink, namespace: str) -> str | None:
        """A Secret in the format of a token volume has a key for it, whoever reads it."""
        if desired.ca_cert:
            return _authority(desired.ca_cert)
        return self._ca(needs_one=desired.type == SECRET and desired.format == TOKEN, namespace=namespace)

    def _ca(self, *, needs_one: bool, namespace: str) -> str | None:
        """The caller's certificate authority; else the cluster's own, where the caller's way is not good enough.

        A caller who verifies by the system's store needs none, and neither do those who get the kubeconfig.
        """
        endpoint = self._api.connection.endpoint
        if endpoint.ca_pem:
            return endpoint.ca_pem
        return self._root_ca(namespace) if needs_one or not endpoint.verify else None

    def _root_ca(self, namespace: str) -> str | None:
        # it is the same in all, but takes a moment to come into a new one
        for place in (namespace, "default"):
            if not self._root_cas.get(place):
                self._root_cas[place] = self._root_ca_in(place)
            if self._root_cas[place]:
                return self._root_cas[place]
        return None

    def _root_ca_in(self, namespace: str) -> str | None:
        try:
            found = self._api.get(Ref(CONFIG_MAP, namespace, _ROOT_CA))
        except ForbiddenError:
            return None
        return ((found or {}).get("data") or {}).get("ca.crt")


class ClusterTrial:
    """Tries kubeconfig entries from where the task runs, in the way the task reaches its own cluster."""

    def __init__(self, api: Api, options: ConnectionOptions, mode: str) -> None:
        self._endpoint = api.connection.endpoint
        self._options = options
        self._mode = mode

    def reach(self, entry: Entry) -> None:
        """Whether the server of the entry answers; that of the task does already.

        Raises:
            ProvisionError: it does not.
        """
        if self._mode == NEVER or entry.server == self._endpoint.server:
            return
        try:
            self._whoami(entry, "")
        except ProvisionError as error:
            if error.http_status is None:
                raise

    def use(self, entry: Entry, token: str) -> None:
        """Call the server of the entry as the account.

        Raises:
            ProvisionError: it cannot be reached, or does not accept the token.
        """
        deadline = time.monotonic() + ACCEPTED_WITHIN
        while self._mode != NEVER:
            try:
                self._whoami(entry, token)
                return
            except ProvisionError as error:
                if error.http_status in (403, 404):
                    return  # it knows who we are, and answers something else
                if error.http_status != 401:
                    raise
            if time.monotonic() > deadline:
                raise ApiError(
                    f"{entry.server} does not accept the token of {entry.user_name}",
                    code="not_accepted",
                    hint="leave audiences out, because its token is for the API server, and see whether server is the "
                    "same cluster; with verify: never it is stored untried",
                )
            time.sleep(POLL)

    def _whoami(self, entry: Entry, token: str) -> None:
        connection = Connection(
            _client.with_token(self._endpoint, entry, token),
            request_timeout=self._options.request_timeout,
            retry_timeout=self._options.retry_timeout,
        )
        try:
            Api(connection).whoami()
        finally:
            connection.close()


def _authority(path: str) -> str:
    try:
        with open(path, encoding="ascii") as stream:
            text = stream.read()
    except (OSError, ValueError):
        text = ""
    if "-----BEGIN CERTIFICATE-----" not in text:
        raise FileError(f"sinks: {path} is no CA file in PEM form", code="ca_cert", hint="give the path of a PEM file")
    return text
