# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The API calls this collection makes, in plain dictionaries as the API spells them.

The paths of the fixed kinds are known: nothing here waits for discovery. "Not found" is a value (None), everything else
that goes wrong an error.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from ._auth import ConnectionOptions
from ._errors import ApiError, NotFoundError, Target
from ._findings import RiskPolicy, transport_findings
from ._kinds import SELF_SUBJECT_REVIEW, TOKEN_REVIEW, Kind, Object, Ref, Row
from ._redact import Secrets
from ._transport import Answer, Connection, Request

FIELD_MANAGER = "tokenwright"

# one page of a LIST: large enough for few requests, small enough for the server's memory
_PAGE = 500

_METHODS = {"get": "GET", "create": "POST", "update": "PUT", "patch": "PATCH", "delete": "DELETE"}

_MERGE_PATCH = "application/merge-patch+json"
_JSON = "application/json"
_TABLE = f"{_JSON};as=Table;g=meta.k8s.io;v=v1"
_ROWS = {"includeObject": "Metadata"}
# servers answer with the first of these that they know
_DISCOVERY = ",".join(
    [*(f"{_JSON};g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList" for version in ("v2", "v2beta1")), _JSON]
)


@dataclass(frozen=True)
class Minted:
    """The answer to a TokenRequest.

    Attributes:
        request: the TokenRequest as answered (holds the token).
        server_time: the server's clock when it answered.
        warnings: the server's Warning headers.
    """

    request: Object
    server_time: datetime | None
    warnings: tuple[str, ...]

    def __repr__(self) -> str:
        return "Minted(...)"


@dataclass(frozen=True)
class Review:
    """What the API server thinks of a token.

    Attributes:
        authenticated: whether it accepts it for one of the audiences.
        said: why not, in its words; may be empty.
    """

    authenticated: bool
    said: str = ""


@dataclass(frozen=True)
class Access:
    """What the API server's authorizers think of a request.

    Attributes:
        allowed: whether one of them allows it.
        denied: whether one of them forbids it, instead of having no opinion.
        said: why, in the server's words; may be empty.
    """

    allowed: bool
    denied: bool
    said: str = ""


class Api:
    """Typed verbs over one connection."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def get(self, ref: Ref, *, metadata: bool = False) -> Object | None:
        """The object (or only its metadata, so that no data of a Secret is transferred), or None if there is none."""
        try:
            return self._send("get", ref, accept=_metadata_only("PartialObjectMetadata") if metadata else _JSON).body
        except NotFoundError:
            return None

    def list_all(
        self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "", metadata: bool = False
    ) -> list[Object]:
        """All objects of a kind in a namespace (empty: everywhere), page by page.

        Args:
            kind: what to list.
            namespace: where; empty lists over all namespaces.
            labels: label selector.
            fields: field selector.
            metadata: only metadata (no data of Secrets is transferred).
        """
        accept = _metadata_only("PartialObjectMetadataList") if metadata else _JSON
        pages = self._pages(kind, namespace, {"labelSelector": labels, "fieldSelector": fields}, accept)
        # items of a list carry no type of their own
        header = {"apiVersion": kind.api_version, "kind": kind.name}
        return [{**header, **item} for page in pages for item in page.get("items") or []]

    def rows(self, kind: Kind, namespace: str = "", *, labels: str = "", fields: str = "") -> list[Row]:
        """The same objects as a table prints them, so that a Secret's type is known and none of its data is read.

        Source: Kubernetes API concepts, "Receiving resources as Tables".
        """
        query = {"labelSelector": labels, "fieldSelector": fields, **_ROWS}
        return [row for page in self._pages(kind, namespace, query, _TABLE) for row in _rows(page, kind)]

    def row(self, ref: Ref) -> Row | None:
        """One object as a table prints it, or None if there is none."""
        try:
            found = _rows(self._send("get", ref, accept=_TABLE, query=_ROWS).body, ref.kind)
        except NotFoundError:
            return None
        return found[0] if found else None

    def _pages(self, kind: Kind, namespace: str, selection: Mapping[str, str], accept: str) -> Iterator[Object]:
        query = {"limit": str(_PAGE), **selection}
        while True:
            page = self.connection.send(
                Request(
                    method="GET",
                    path=_path(kind, namespace),
                    target=_target(kind, namespace, None, "list"),
                    query={key: value for key, value in query.items() if value},
                    accept=accept,
                    repeatable=True,
                )
            ).body
            yield page
            query["continue"] = (page.get("metadata") or {}).get("continue") or ""
            if not query["continue"]:
                return

    def create(self, ref: Ref, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Create the object; returns it as stored."""
        return self._send("create", ref, body, dry_run=dry_run).body

    def update(self, ref: Ref, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Replace the object; the body carries the resourceVersion it was computed from.

        Only tried, the server also refuses what it does not know (from Kubernetes 1.25 on).
        """
        strict = {"fieldValidation": "Strict"} if dry_run else {}
        return self._send("update", ref, body, dry_run=dry_run, query=strict).body

    def patch(self, ref: Ref, body: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        """Merge-patch the object; a resourceVersion in the patch makes it conditional."""
        return self._send("patch", ref, body, dry_run=dry_run).body

    def delete(self, ref: Ref, *, uid: str) -> None:
        """Delete the object if it is still the one with this uid; gone already is fine."""
        try:
            self._send("delete", ref, {"preconditions": {"uid": uid}})
        except NotFoundError:
            return

    def mint(self, account: Ref, body: Mapping[str, Any]) -> Minted:
        """POST a TokenRequest: mints a live token every time, also with dryRun (never called in check mode)."""
        answer = self.connection.send(
            Request(
                method="POST",
                path=f"{_path(account.kind, account.namespace, account.name)}/token",
                target=_target(account.kind, account.namespace, account.name, "create", "token"),
                body={"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest", **body},
            )
        )
        return Minted(answer.body, answer.server_time, answer.warnings)

    def review(self, token: str, audiences: Sequence[str]) -> Review:
        """TokenReview: whether the server accepts a token for one of the audiences (none: for itself); writes nothing.

        Source: Kubernetes API, TokenReview v1.
        """
        spec = {"token": token, **({"audiences": list(audiences)} if audiences else {})}
        status = self._ask(TOKEN_REVIEW, {"spec": spec}).get("status") or {}
        return Review(bool(status.get("authenticated")), " ".join(str(status.get("error") or "").split()))

    def whoami(self) -> str:
        """SelfSubjectReview: under which name the server knows this connection."""
        status = self._ask(SELF_SUBJECT_REVIEW, {}).get("status") or {}
        return str((status.get("userInfo") or {}).get("username") or "")

    def discover(self, path: str) -> Object:
        """The discovery document at a path: with everything below it if the server can, else only what is there."""
        return self.connection.send(
            # not repeatable: an API that is down (503) may stay so for long, and nobody fails without the answer
            Request(method="GET", path=path, target=Target("get", path), accept=_DISCOVERY)
        ).body

    def may(self, kind: Kind, spec: Mapping[str, Any], namespace: str = "") -> Access:
        """SubjectAccessReview, in one of its forms: whether somebody may do something; writes nothing.

        Source: Kubernetes API, authorization.k8s.io/v1.

        Args:
            kind: which of the forms.
            spec: who and what, as the API spells it.
            namespace: of a LocalSubjectAccessReview.
        """
        metadata = {"metadata": {"namespace": namespace}} if namespace else {}
        status = self._ask(kind, {**metadata, "spec": spec}, namespace).get("status") or {}
        said = (" ".join(str(status.get(key) or "").split()) for key in ("reason", "evaluationError"))
        return Access(
            allowed=bool(status.get("allowed")),
            denied=bool(status.get("denied")),
            said="; ".join(dict.fromkeys(text for text in said if text)),
        )

    def _ask(self, kind: Kind, body: Mapping[str, Any], namespace: str = "") -> Object:
        """Reviews are questions that are spelled as creates, so they may be repeated."""
        return self.connection.send(
            Request(
                method="POST",
                path=_path(kind, namespace),
                target=_target(kind, namespace, None, "create"),
                body={"apiVersion": kind.api_version, "kind": kind.name, **body},
                repeatable=True,
            )
        ).body

    def _send(
        self,
        verb: str,
        ref: Ref,
        body: Mapping[str, Any] | None = None,
        *,
        dry_run: bool = False,
        accept: str = _JSON,
        query: Mapping[str, str] | None = None,
    ) -> Answer:
        query = {**(query or {}), **({"fieldManager": FIELD_MANAGER} if verb in ("create", "update", "patch") else {})}
        return self.connection.send(
            Request(
                method=_METHODS[verb],
                path=_path(ref.kind, ref.namespace, None if verb == "create" else ref.name),
                target=_target(ref.kind, ref.namespace, ref.name, verb),
                query={**query, "dryRun": "All"} if dry_run else query,
                body=body,
                content_type=_MERGE_PATCH if verb == "patch" else _JSON,
                accept=accept,
                repeatable=verb == "get",
            )
        )


def connect(options: ConnectionOptions, secrets: Secrets, *, pool_size: int = 8) -> Api:
    """Resolve the options and return the API of that cluster; nothing is sent yet."""
    # not above: who only checks a list should not have to wait for the client
    from ._client import load  # noqa: PLC0415 - see above

    connection = Connection(
        load(options, secrets),
        request_timeout=options.request_timeout,
        retry_timeout=options.retry_timeout,
        pool_size=pool_size,
        reload=lambda: load(options, secrets),
    )
    return Api(connection)


def reach(params: Mapping[str, Any], secrets: Secrets, risks: RiskPolicy) -> tuple[Api, list[str]]:
    """The API of the cluster that a task names, and what is to be said of the way there; nothing is sent yet.

    Args:
        params: of the task; C(workers) requests may be under way at once.
        secrets: gets to know what must not be said.
        risks: what the user accepts.

    Raises:
        InputError: the cluster cannot be known.
        RefusedRiskError: the way there is a risk that is refused.
    """
    api = connect(ConnectionOptions.from_params(params), secrets, pool_size=params.get("workers") or 1)
    endpoint = api.connection.endpoint
    return api, risks.judge(transport_findings(endpoint.server, verified=endpoint.verify))


def _metadata_only(kind: str) -> str:
    return f"{_JSON};as={kind};g=meta.k8s.io;v=v1,{_JSON}"


def _rows(table: Object, kind: Kind) -> list[Row]:
    """The rows of a table.

    Raises:
        ApiError: it is none; whatever it is may hold what nobody asked for, and is not looked at.
    """
    if table.get("kind") != "Table":
        raise ApiError(
            f"cannot list {kind.plural} as a table: the answer is something else",
            code="bad_answer",
            hint="see whether a proxy changes requests: a Kubernetes API server knows tables",
        )
    columns = [str(column.get("name")) for column in table.get("columnDefinitions") or ()]
    return [
        Row(metadata, dict(zip(columns, row.get("cells") or (), strict=False)))
        for row in table.get("rows") or ()
        if (metadata := (row.get("object") or {}).get("metadata"))
    ]


def _path(kind: Kind, namespace: str, name: str | None = None) -> str:
    space = f"/namespaces/{quote(namespace, safe='')}" if kind.namespaced and namespace else ""
    return f"{kind.root}{space}/{kind.plural}" + (f"/{quote(name, safe='')}" if name else "")


def _target(kind: Kind, namespace: str, name: str | None, verb: str, subresource: str = "") -> Target:
    return Target(
        verb=verb,
        resource=f"{kind.plural}/{subresource}" if subresource else kind.plural,
        api_group=kind.group,
        namespace=namespace or None,
        name=name,
    )
