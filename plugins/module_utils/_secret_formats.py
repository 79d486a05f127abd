# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a Secret that holds a token looks like, in three formats: pure.

Sources: the keys of a service account token volume (C(token), C(ca.crt), C(namespace)); client-go's kubeconfig; Argo
CD, "Declarative Setup", clusters.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass

from . import _kubeconfig, _yaml
from ._kinds import Ref
from ._lifetime import Record

# named by _client before a Secret is read
with suppress(ImportError):
    import yaml

TOKEN, KUBECONFIG, ARGOCD_CLUSTER = FORMATS = ("token", "kubeconfig", "argocd_cluster")

# the keys of a format, the one with the token first
KEYS: Mapping[str, tuple[str, ...]] = {
    TOKEN: ("token", "ca.crt", "namespace"),
    KUBECONFIG: ("kubeconfig",),
    ARGOCD_CLUSTER: ("config", "name", "server"),
}

# what makes Argo CD take a Secret for a cluster
_LABELS: Mapping[str, Mapping[str, str]] = {ARGOCD_CLUSTER: {"argocd.argoproj.io/secret-type": "cluster"}}


@dataclass(frozen=True)
class Content:
    """What goes into a Secret besides the token.

    Attributes:
        format: one of FORMATS.
        entry: the cluster, as a kubeconfig would name it.
        account: whose token it is.
    """

    format: str
    entry: _kubeconfig.Entry
    account: Ref

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels that belong to the format."""
        return _LABELS.get(self.format, {})

    def data(self, token: str, record: Record) -> dict[str, str]:
        """The values of the keys, as text."""
        if self.format == TOKEN:
            return {"token": token, "ca.crt": self.entry.ca_pem or "", "namespace": self.account.namespace}
        if self.format == KUBECONFIG:
            config = _kubeconfig.merge({}, self.entry, token, record, force=False, place="the Secret")
            return {"kubeconfig": _yaml.dump(config)}
        return {
            "name": self.entry.cluster_name,
            "server": self.entry.server,
            "config": json.dumps({"bearerToken": token, "tlsClientConfig": self._tls()}, sort_keys=True),
        }

    def _tls(self) -> dict[str, str | bool]:
        tls: dict[str, str | bool] = {"insecure": not self.entry.verify and not self.entry.ca_pem}
        if self.entry.ca_pem:
            tls["caData"] = base64.b64encode(self.entry.ca_pem.encode()).decode()
        if self.entry.tls_server_name:
            tls["serverName"] = self.entry.tls_server_name
        return tls

    def token_in(self, data: Mapping[str, str]) -> str | None:
        """The token that a Secret's values hold; None if there is none.

        Raises:
            ValueError: our key is there and holds something else.
        """
        text = data.get(KEYS[self.format][0])
        if not text:
            return None
        if self.format == TOKEN:
            return text.strip()
        if self.format == KUBECONFIG:
            config = _kubeconfig.check_shape(_parsed(_yaml.load, text), "the Secret")
            return _kubeconfig.stored(config, self.entry).token
        cluster = _parsed(json.loads, text)
        token = cluster.get("bearerToken") if isinstance(cluster, dict) else None
        return token if isinstance(token, str) and token else None


def _parsed(parse: Callable[[str], object], text: str) -> object:
    try:
        return parse(text)
    except (yaml.YAMLError, RecursionError):
        raise ValueError("not in this format") from None


def decoded(data: object) -> dict[str, str]:
    """The values of a Secret as text; what is none of ours may be binary and is left out."""
    found: dict[str, str] = {}
    for key, value in data.items() if isinstance(data, Mapping) else ():
        try:
            found[str(key)] = base64.b64decode(str(value), validate=True).decode()
        except (binascii.Error, ValueError):
            continue
    return found


def encoded(data: Mapping[str, str]) -> dict[str, str]:
    """Text as C(data) of a Secret."""
    return {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
