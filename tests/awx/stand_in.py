# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for AWX: as much of its REST API as the modules of awx.awx call, on loopback, with all requests recorded.

AWX itself is a dozen containers and cannot be part of a test run. What this shows: which requests the real awx.awx
modules send for our roles and playbooks, what is in them, and that a second run sends none that writes. What it does
not show: that AWX accepts them (it checks fields, surveys, schedules and rights; this does not), how it stores secrets,
and what a job then does. It keeps what it is sent and gives it back, with secrets of credentials as C($encrypted$).
Source: the API as awx.awx 24.6.1 uses it, plugins/module_utils/controller_api.py.
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeAlias
from urllib.parse import parse_qsl, urlsplit

Item: TypeAlias = "dict[str, Any]"

OAUTH_TOKEN = "stand-in-oauth-token"
KUBERNETES = "OpenShift or Kubernetes API Bearer Token"
ENCRYPTED = "$encrypted$"
_SECRETS = ("bearer_token", "ssl_ca_cert")
# what an object has beside what it was made with, as far as awx.awx looks at it
_DEFAULTS: Mapping[str, Item] = {
    "credentials": {"description": "", "inputs": {}},
    "hosts": {"description": "", "enabled": True, "variables": ""},
    "inventories": {"description": "", "kind": "", "host_filter": None, "variables": ""},
    "job_templates": {"description": "", "extra_vars": "", "job_slice_count": 1, "survey_enabled": False},
    "projects": {"description": "", "scm_branch": "", "scm_revision": ""},
    "schedules": {"description": "", "enabled": True, "extra_data": {}},
    "execution_environments": {"description": "", "pull": ""},
}
_ITEM = re.compile(r"^/api/v2/(?P<kind>\w+)/(?P<id>\d+)/(?:(?P<sub>\w+)/)?$")
_LIST = re.compile(r"^/api/v2/(?P<kind>\w+)/$")


@dataclass(frozen=True)
class Request:
    """A request as it came."""

    method: str
    path: str
    body: str = field(repr=False)

    @property
    def writes(self) -> bool:
        """Whether it could change something."""
        return self.method != "GET"

    @property
    def data(self) -> Any:
        """The body, read; None if there is none."""
        return json.loads(self.body) if self.body else None


def _nothing(dummy: Request) -> None:
    """What happens at a request, if nothing is to happen."""


class Awx:
    """The stand-in; to be used as a context.

    Attributes:
        requests: all that came.
        refusing: statuses and bodies for requests that are refused, by C("METHOD /path/").
        before: called with each request before it is looked at.
        after: called with it when it is done, and before it is answered.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.refusing: dict[str, tuple[int, Item]] = {}
        self.before: Callable[[Request], None] = _nothing
        self.after: Callable[[Request], None] = _nothing
        self._lock = threading.Lock()
        self._objects: dict[str, dict[int, Item]] = {}
        self._sub: dict[str, Any] = {}
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"awx": self}))
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.add("organizations", name="Default")
        self.add("credential_types", name="Machine")
        self.add("credential_types", name=KUBERNETES)

    def __enter__(self) -> Awx:
        self._thread.start()
        return self

    def __exit__(self, *dummy: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def environment(self) -> dict[str, str]:
        """The variables by which awx.awx finds it."""
        host = f"http://127.0.0.1:{self._server.server_port}"
        return {"CONTROLLER_HOST": host, "CONTROLLER_OAUTH_TOKEN": OAUTH_TOKEN}

    def written(self, since: int = 0) -> list[str]:
        """The requests that write, as C("METHOD /path/"), from this one on."""
        return [f"{one.method} {one.path}" for one in self.requests[since:] if one.writes]

    def all(self, kind: str) -> list[Item]:
        """The objects of a kind, with their secrets."""
        return list(self._objects.get(kind, {}).values())

    def one(self, kind: str, name: str) -> Item:
        """An object by its name, with its secrets."""
        (found,) = [item for item in self.all(kind) if item["name"] == name]
        return found

    def survey(self, template: str) -> Any:
        """The survey of a job template."""
        return self._sub.get(f"{self.one('job_templates', template)['url']}survey_spec/", {})

    def associated(self, kind: str, name: str, what: str) -> list[str]:
        """The names of what is associated with an object."""
        ids = self._sub.get(f"{self.one(kind, name)['url']}{what}/", [])
        return [str(self._objects[what][one]["name"]) for one in ids]

    def add(self, kind: str, /, **fields: Any) -> Item:
        """An object, as if somebody had made it."""
        number = 1 + sum(map(len, self._objects.values()))
        url = f"/api/v2/{kind}/{number}/"
        related = {"survey_spec": f"{url}survey_spec/"} if kind == "job_templates" else {}
        known = {"id": number, "url": url, "type": kind.rstrip("s"), "related": related, "summary_fields": {}}
        item = {**_DEFAULTS.get(kind, {}), **fields, **known}
        self._objects.setdefault(kind, {})[number] = item
        return item

    def delete(self, kind: str, name: str) -> None:
        """Take an object away, as if somebody had."""
        del self._objects[kind][self.one(kind, name)["id"]]

    # what the handler calls

    def answer(self, request: Request, query: Mapping[str, str], *, known: bool) -> tuple[int, Any]:
        """Status and body for a request.

        Args:
            request: it.
            query: what it filters by.
            known: whether the caller has authenticated.
        """
        with self._lock:
            self.requests.append(request)
            if not known:
                return 401, {"detail": "Authentication credentials were not provided."}
            said = f"{request.method} {request.path}"
            if said in self.refusing:
                return self.refusing[said]
            nulls = _nulls(request)
            if nulls:
                return 400, {key: ["This field may not be null."] for key in nulls}
            listed, single = _LIST.match(request.path), _ITEM.match(request.path)
            if listed:
                return self._of_a_list(request, listed["kind"], query)
            if single and int(single["id"]) in self._objects.get(single["kind"], {}):
                return self._of_an_item(request, single["kind"], int(single["id"]), single["sub"])
            return 404, {"detail": "Not found."}

    def _of_a_list(self, request: Request, kind: str, query: Mapping[str, str]) -> tuple[int, Any]:
        if request.method == "POST":
            return 201, _shown(self.add(kind, **request.data))
        found = [_shown(item) for item in self._within(kind) if _matches(item, query)]
        return 200, {"count": len(found), "next": None, "previous": None, "results": found}

    def _within(self, kind: str) -> Iterator[Item]:
        kinds = ("projects", "job_templates") if kind == "unified_job_templates" else (kind,)
        for one in kinds:
            yield from self._objects.get(one, {}).values()

    def _of_an_item(self, request: Request, kind: str, number: int, sub: str | None) -> tuple[int, Any]:
        if sub:
            return self._of_a_part(request, sub)
        if request.method == "DELETE":
            del self._objects[kind][number]
            return 204, None
        if request.method == "PATCH":
            self._objects[kind][number] |= request.data
        return 200, _shown(self._objects[kind][number])

    def _of_a_part(self, request: Request, sub: str) -> tuple[int, Any]:
        if sub == "survey_spec":
            if request.method == "POST":
                self._sub[request.path] = request.data
            return 200, self._sub.get(request.path, {})
        ids = self._sub.setdefault(request.path, [])
        if request.method == "POST":
            data = request.data
            ids.remove(data["id"]) if data.get("disassociate") else ids.append(data["id"])
            return 204, None
        return 200, {"count": len(ids), "next": None, "results": [{"id": one} for one in ids]}


def _nulls(request: Request) -> list[str]:
    """The texts that are sent as null, which AWX refuses."""
    if request.method not in ("POST", "PATCH") or not isinstance(request.data, dict):
        return []
    texts = _DEFAULTS.get(request.path.split("/")[3], {})
    return [key for key, value in request.data.items() if value is None and texts.get(key) == ""]


def _matches(item: Item, query: Mapping[str, str]) -> bool:
    either = [value == str(item.get(key[4:])) for key, value in query.items() if key.startswith("or__")]
    rest = [value == str(item.get(key)) for key, value in query.items() if not key.startswith("or__")]
    return all(rest) and (not either or any(either))


def _shown(item: Item) -> Item:
    """As AWX shows it: nobody gets a secret back."""
    if "inputs" not in item:
        return item
    shown = {key: ENCRYPTED if key in _SECRETS and value else value for key, value in item["inputs"].items()}
    return {**item, "inputs": shown}


class _Handler(BaseHTTPRequestHandler):
    """Reads requests and writes answers."""

    awx: Awx
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer it, like the others."""
        self._answer()

    do_POST = do_PATCH = do_DELETE = do_GET  # noqa: N815 - the names are those that http.server calls

    def log_message(self, *dummy: object) -> None:
        """Nothing: requests are recorded."""

    def _answer(self) -> None:
        address = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        known = self.headers.get("Authorization") == f"Bearer {OAUTH_TOKEN}"
        request = Request(self.command, address.path, body)
        self.awx.before(request)
        status, data = self.awx.answer(request, dict(parse_qsl(address.query)), known=known)
        self.awx.after(request)
        answer = b"" if data is None else json.dumps(data).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("X-API-Product-Name", "AWX")
        self.send_header("X-API-Product-Version", "24.6.1")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)
