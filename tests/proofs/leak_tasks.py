# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks of the leak check: every way a task can take while it has a secret in its hands.

This is the list to extend: a new option, place, state or error of the module gets a case here. No task says C(no_log);
a secret comes from a variable, since ansible-core quotes the lines of a playbook. The variables are those of
C(leak_stage.Stage.variables).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_PREFIX = "tokenwright.kubernetes."
_CONNECTION = {"host": "{{ server }}", "ca_cert": "{{ ca }}"}
_INLINE = {"kubeconfig": "{{ inline }}"}


@dataclass(frozen=True)
class Case:
    """One task.

    Attributes:
        name: what it does.
        options: of the module; the namespace is added.
        keywords: of the task.
        module: of this collection, unless it has a full name.
        says: a part of what the task must fail with; None: it must succeed.
        quick: whether it is among the few that are played in every way in a quick run.
        slow: whether it takes seconds and is left out of a quick run.
    """

    name: str
    options: Mapping[str, Any]
    keywords: Mapping[str, Any] = field(default_factory=dict)
    module: str = "k8s_sa_token"
    says: str | None = None
    quick: bool = False
    slow: bool = False

    def task(self, number: int) -> dict[str, Any]:
        """As Ansible reads it."""
        ours = "." not in self.module
        options = {"namespace": "{{ ns }}", **self.options} if ours else self.options
        module = f"{_PREFIX}{self.module}" if ours else self.module
        return {
            "name": self.name,
            module: dict(options),
            "register": self.result(number),
            "ignore_errors": True,
            **self.keywords,
        }

    def result(self, number: int) -> str:
        """The variable that holds its result."""
        return str(self.keywords.get("register", f"r{number}"))


def _place(name: str) -> str:
    return "{{ dir }}/" + name


def _file(place: str, **more: Any) -> dict[str, Any]:
    """Options for a token of the account app, if no other is named, in a file."""
    return {"name": "app", "dest": _place(place), **more}


_RETURNED: dict[str, Any] = {"name": "app", "return_token": True}

STORED = (
    Case("a file", _file("file"), quick=True),
    Case("the same file again", _file("file")),
    Case("a kubeconfig", {"name": "app", "kubeconfig_dest": _place("config")}),
    Case(
        "a kubeconfig that names a token file",
        {
            "name": "app",
            "sinks": [{"type": "kubeconfig", "path": _place("named"), "token_file": _place("named.token")}],
        },
    ),
    Case(
        "a file that others may read, with a warning",
        {"name": "app", "sinks": [{"type": "file", "path": _place("open"), "mode": "0644"}]},
    ),
    Case(
        "several places",
        _file("many", kubeconfig_dest=_place("many.config"), sinks=[{"type": "file", "path": _place("more")}]),
    ),
    Case("a list", {"tokens": [_file("list-0"), {"name": "other", "dest": _place("list-1")}]}),
    Case("a loop", {"name": "{{ item }}", "dest": _place("loop-{{ item }}")}, {"loop": ["app", "other"]}),
    Case("an expired token is renewed", _file("expired"), quick=True),
    Case("a token that is due is renewed", _file("due", renew_before="50%")),
    Case("a token of another account is replaced", _file("foreign-token")),
    Case("foreign content is replaced by force", _file("forced", force=True)),
    Case("a kubeconfig with other people's secrets is added to", {"name": "app", "kubeconfig_dest": _place("theirs")}),
    Case("a task with an environment", _file("environment"), {"environment": {"LC_ALL": "C"}}, slow=True),
    Case("a job in the background", _file("background"), {"async": 60, "poll": 0, "register": "job"}, slow=True),
    Case(
        "a look at the job",
        {"jid": "{{ job.ansible_job_id }}"},
        {"register": "looked", "until": "looked is finished", "retries": 60, "delay": 1},
        module="ansible.builtin.async_status",
        slow=True,
    ),
)

RETURNED = (
    Case("a token is returned", {"name": "maker", "return_token": True}, {"register": "returned"}),
    Case("returned and stored", _file("returned", return_token=True)),
    Case("a list is returned", {"tokens": [{"name": "app"}, {"name": "other"}], "return_token": True}, quick=True),
    Case(
        "a loop is returned",
        {"name": "{{ item }}", "return_token": True},
        {"loop": ["app", "other"], "loop_control": {"label": "account {{ item }}"}},
    ),
    Case(
        "a loop is returned, with its items", {"name": "{{ item }}", "return_token": True}, {"loop": ["app", "other"]}
    ),
    Case("returned for somebody else", {**_RETURNED, "audiences": ["https://vault.example.com"]}),
    Case("returned and called unchanged", _RETURNED, {"changed_when": False}),
    Case("returned and called a failure", _RETURNED, {"failed_when": True}, says=""),
    Case(
        "returned, and tried again",
        _file("again", return_token=True),
        {"until": False, "retries": 2, "delay": 0},
        says="",
    ),
    Case(
        "returned by a list that fails in part",
        {"tokens": [{"name": "app"}, {"name": "nobody"}], "return_token": True},
        says="nobody",
        quick=True,
    ),
    Case(
        "returned by a loop that fails in part",
        {"name": "{{ item }}", "return_token": True},
        {"loop": ["app", "nobody"]},
        says="nobody",
    ),
    Case("what is no secret of it is shown", {"var": "returned.token_info"}, module="ansible.builtin.debug"),
)

LATER = (
    Case(
        "a returned token is used", {**_CONNECTION, "api_key": "{{ returned.token }}", "name": "app"}, module="k8s_sa"
    ),
    Case(
        "a returned connection is used",
        {"name": "app"}
        | {name: "{{ returned.auth." + name + " | default(ca) }}" for name in ("host", "api_key", "ca_cert")},
        module="k8s_sa",
    ),
    Case(
        "a stored kubeconfig is used",
        {"name": "app", "kubeconfig": _place("config")},
        module="k8s_sa",
        says="forbidden",
    ),
    Case(
        "a returned token is used beside a mistake",
        {**_CONNECTION, "api_key": "{{ returned.token }}", "name": "app", "labels": {"a": {"b": "c"}}},
        module="k8s_sa",
        says="labels",
    ),
    Case(
        "a returned token is used beside an unknown option",
        {**_CONNECTION, "api_key": "{{ returned.token }}", "name": "app", "lables": {"a": "b"}},
        module="k8s_sa",
        says="lables",
    ),
    Case(
        "a returned token proves what it may not do",
        {**_CONNECTION, "api_key": "{{ returned.token }}", "name": "maker", "cannot": ["list nodes"], "explain": True},
        module="k8s_sa_access",
    ),
    Case(
        "a returned token is used for a proof that fails",
        {**_CONNECTION, "api_key": "{{ returned.token }}", "name": "maker", "can": ["list nodes"], "wait": 0},
        module="k8s_sa_access",
        says="may not list nodes",
    ),
)

# With which credential, and how given
CALLERS = (
    Case("api_key", _file("api-key", **_CONNECTION, api_key="{{ key }}")),
    Case("api_key, returned", {**_RETURNED, **_CONNECTION, "api_key": "{{ key }}"}),
    Case("inline kubeconfig", _file("inline", **_INLINE)),
    Case("inline kubeconfig, returned", {**_RETURNED, **_INLINE}),
    Case("inline kubeconfig with a client key", _file("inline-key", kubeconfig="{{ inline_key }}"), quick=True),
    Case("inline kubeconfig as YAML", _file("inline-yaml", kubeconfig="{{ inline | to_nice_yaml }}")),
    Case("inline kubeconfig as JSON", _file("inline-json", kubeconfig="{{ inline | to_json }}")),
)

REFUSED = (
    Case("a directory that does not exist", _file("no/such/token"), says="no/such"),
    Case("a directory that cannot be written", {"name": "app", "dest": "/proc/token"}, says="/proc"),
    Case("a directory that everybody writes", {"name": "app", "dest": _place("public/token")}, says="public"),
    Case("a missing account", _file("missing", name="nobody"), says="nobody"),
    Case("a missing account, returned", {"name": "nobody", "return_token": True}, says="nobody"),
    Case("a caller without rights", _file("f", **_CONNECTION, api_key="{{ stranger_key }}"), says="forbidden"),
    Case("a caller for another audience", _file("a", **_CONNECTION, api_key="{{ vault_key }}"), says="401"),
    Case("a caller who is nobody", _file("n", **_CONNECTION, api_key="{{ unknown_key }}"), says="401"),
    Case(
        "a key that no header can hold",
        _file("h", **_CONNECTION, api_key="{{ key }}\nX-A: {{ password }}"),
        says="header",
    ),
    Case("foreign content", _file("foreign"), says="something else than a token", quick=True),
    Case("a destination that is not YAML", {"name": "app", "kubeconfig_dest": _place("not-yaml")}, says="not-yaml"),
    Case("a destination that is no kubeconfig", {"name": "app", "kubeconfig_dest": _place("odd")}, says="odd"),
    Case("asynchronously returned", _RETURNED, {"async": 60, "poll": 1}, says="async"),
    Case(
        "asynchronously returned, with a key",
        {**_RETURNED, **_CONNECTION, "api_key": "{{ key }}"},
        {"async": 60, "poll": 1},
        says="async",
    ),
)

# Mistakes beside secrets
MISTAKES = (
    Case("not a number", _file("m", **_CONNECTION, api_key="{{ key }}", workers="many"), says="workers", quick=True),
    Case("not a lifetime", _file("m", **_INLINE, expiration_seconds="soon"), says="expiration_seconds"),
    Case("out of range", _file("m", **_INLINE, request_timeout=-1), says="request_timeout"),
    Case("not one of the choices", _file("m", **_INLINE, risk_policy="never"), says="risk_policy"),
    Case("not a list", _file("m", **_INLINE, sinks="{{ password }}"), says=""),
    Case("items that are text", {**_INLINE, "tokens": ["name=app api_key={{ password }}"]}, says="tokens"),
    Case(
        "a secret in a wrong place",
        _file("m", kubeconfig="{{ inline_key }}", api_kee="{{ password }}"),
        says="api_kee",
        quick=True,
    ),
    Case("a secret in an item", {"tokens": [_file("m", api_key="{{ password }}")]}, says="api_key"),
    Case(
        "a secret in an item of places",
        {"name": "app", "sinks": [{"type": "file", "path": _place("m"), "token": "{{ key }}"}]},
        says="token",
    ),
    Case("two ways at once", {**_INLINE, **_file("m"), "tokens": [_file("n")]}, says="tokens"),
    Case("no place", {"name": "app", **_INLINE}, says="nothing would keep"),
    Case(
        "a kubeconfig of another shape",
        _file("m", kubeconfig={"users": {"token": "{{ password }}"}}),
        says="kubeconfig",
    ),
    Case("a kubeconfig that is a list", _file("m", kubeconfig=["{{ inline }}"]), says="kubeconfig"),
    Case("a kubeconfig in base64", _file("m", kubeconfig="{{ inline | to_json | b64encode }}"), says="base64"),
    Case("a kubeconfig that is not YAML", _file("m", kubeconfig="users: [token: '{{ password }}"), says="not YAML"),
    Case("a kubeconfig without its context", _file("m", **_INLINE, context="elsewhere"), says="elsewhere"),
    Case("a kubeconfig with a broken key", _file("m", kubeconfig="{{ inline_broken }}"), says="key"),
    Case("a kubeconfig with an unknown password", _file("m", kubeconfig="{{ inline_password }}"), says="403"),
    Case("a kubeconfig whose program fails", _file("m", kubeconfig="{{ inline_program }}"), says="exec"),
    Case(
        "a proxy with a password",
        _file(
            "m",
            **_CONNECTION,
            api_key="{{ key }}",
            proxy="http://me:{{ password | urlencode | replace('/', '%2F') }}@127.0.0.1:9",
            retry_timeout=0,
        ),
        says="reach",
    ),
    Case(
        "a password in the address",
        _file("m", host="https://me:{{ password | urlencode | replace('/', '%2F') }}@127.0.0.1:9", api_key="{{ key }}"),
        says="password",
    ),
)

_SECRETS = [
    {"type": "secret", "name": "leak-token"},
    {"type": "secret", "name": "leak-kubeconfig", "format": "kubeconfig"},
    {"type": "secret", "name": "leak-cluster", "format": "argocd_cluster"},
]


def _far(name: str, **connection: Any) -> list[dict[str, Any]]:
    """A Secret that is reached by a connection of its own."""
    return [{"type": "secret", "name": name, "connection": connection}]


# In the cluster, and taken back; every token also lies in a file that stays, so that it can be looked for
IN_THE_CLUSTER = (
    Case("a handle", _file("handle", handle="leak", sinks=[{"type": "file", "path": _place("handle-2")}]), quick=True),
    Case(
        "a handle of another account", {**_file("h", name="other"), "handle": "leak", "overlap": "soon"}, says="overlap"
    ),
    Case("Secrets", _file("secrets", sinks=_SECRETS), quick=True),
    Case("Secrets again", _file("secrets", sinks=_SECRETS)),
    Case("a Secret by an inline kubeconfig", _file("far", sinks=_far("leak-far", **_INLINE)), quick=True),
    Case("a Secret by api_key", _file("far-2", sinks=_far("leak-far-2", **_CONNECTION, api_key="{{ key }}"))),
    Case(
        "a Secret nobody may write",
        _file("far-3", sinks=_far("leak-far-3", **_CONNECTION, api_key="{{ stranger_key }}")),
        says="forbidden",
    ),
    Case(
        "a Secret in a cluster that is down",
        _file("far-4", sinks=_far("leak-far-4", host="https://127.0.0.1:1", api_key="{{ key }}", retry_timeout=0)),
        says="127.0.0.1:1",
    ),
    Case("a connection to nowhere", _file("far-5", sinks=_far("leak-far-5", api_key="{{ key }}")), says="no cluster"),
    Case("verified always", _file("verified", verify="always")),
    Case(
        "not allowed to verify",
        _file("not-verified", verify="always", **_CONNECTION, api_key="{{ key }}"),
        says="tokenreviews",
    ),
    Case("bound to a Secret", _file("bound", bound_object_ref={"kind": "Secret", "name": "nothing"}), says="nothing"),
    Case(
        "a kubeconfig for others than the API",
        {**_RETURNED, "audiences": ["vault"], "kubeconfig_dest": "/x/y"},
        says="/x",
    ),
    Case("beyond the rails", _file("rails", allowed_namespaces=["elsewhere"]), says="allowed_namespaces"),
    Case("an id that is none", _file("id", renew_if_credential_id="{{ key }}"), says="renew_if_credential_id"),
    Case("taken back", _file("handle", handle="leak", state="absent"), slow=True),
    Case("taken from its Secrets", {"name": "app", "state": "absent", "sinks": _SECRETS}),
    Case("taken from a place that is foreign", _file("foreign", state="absent"), says="something else than a token"),
)


def _long(name: str, place: str | None = None, **more: Any) -> dict[str, Any]:
    """Options for a long-lived token of the account app."""
    return {"name": name, "service_account": "app", **({"dest": _place(place)} if place else {}), **more}


_WIDE = [{**one, "name": f"wide-{one['name']}"} for one in _SECRETS]
_SOON = {"rotate_after": 1, "overlap": 0}

# Every token also lies in a file that stays, so that it can be looked for
LONG_LIVED = (
    Case("a long-lived token", _long("long", "long"), module="k8s_legacy_token", quick=True),
    Case("the same again", _long("long", "long"), module="k8s_legacy_token"),
    Case(
        "a long-lived token in all kinds of places",
        _long(
            "wide",
            "wide",
            kubeconfig_dest=_place("wide.config"),
            sinks=_WIDE,
        ),
        module="k8s_legacy_token",
    ),
    Case("a long-lived token is returned", _long("back", return_token=True), module="k8s_legacy_token", quick=True),
    Case(
        "long-lived tokens are returned by a list that fails in part",
        {"legacy_tokens": [_long("some"), {**_long("none"), "service_account": "nobody"}], "return_token": True},
        module="k8s_legacy_token",
        says="nobody",
    ),
    Case("asynchronously", _long("a", return_token=True), {"async": 60, "poll": 1}, "k8s_legacy_token", says="async"),
    Case("a place with something else", _long("other", "foreign"), module="k8s_legacy_token", says="something else"),
    Case(
        "by somebody without rights",
        _long("f", "f", **_CONNECTION, api_key="{{ stranger_key }}"),
        module="k8s_legacy_token",
        says="forbidden",
    ),
    Case(
        "a mistake beside a secret",
        _long("m", "m", **_INLINE, rotate_after="soon"),
        module="k8s_legacy_token",
        says="rotate_after",
    ),
    Case("rotated", _long("long", "long-2", **_SOON), module="k8s_legacy_token", quick=True),
    Case("rotated and suspended", _long("wide", "wide-2", **_SOON, on_retire="suspend"), module="k8s_legacy_token"),
    Case("suspended", _long("long", state="suspended"), module="k8s_legacy_token", slow=True),
    Case("good again", _long("long"), module="k8s_legacy_token"),
    Case("unused or not", _long("wide", state="absent", unused_for="90d"), module="k8s_legacy_token"),
    Case("taken back", _long("long", state="absent"), module="k8s_legacy_token", slow=True),
    Case(
        "taken back in all places",
        _long("wide", state="absent", sinks=_WIDE),
        module="k8s_legacy_token",
        slow=True,
    ),
)

_INFO = f"{_PREFIX}k8s_sa_info"
_HERE = {"namespaces": ["{{ ns }}"]}

_NAMESPACES = f"{_PREFIX}k8s_namespace_info"

# What reads no token, beside those that are there and with the caller's own
INVENTORIES = (
    Case("an inventory", _HERE, module=_INFO, quick=True),
    Case("an inventory of the cluster", {"unused_for": 0}, module=_INFO),
    Case("an inventory of the cluster, refused", _INLINE, module=_INFO, says="give the namespaces"),
    Case("an inventory by a loop", {"namespaces": ["{{ item }}"]}, {"loop": ["{{ ns }}", "default"]}, module=_INFO),
    Case(
        "an inventory by somebody without rights",
        {**_HERE, **_CONNECTION, "api_key": "{{ stranger_key }}"},
        module=_INFO,
        says="forbidden",
        quick=True,
    ),
    Case("the namespaces", {"label_selector": "kubernetes.io/metadata.name={{ ns }}"}, module=_NAMESPACES),
    Case("the namespaces, with a mistake", {**_INLINE, "label_selector": ["a"]}, module=_NAMESPACES, says="a list"),
    Case("an inventory of nothing", {**_INLINE, "namespaces": []}, module=_INFO, says="namespaces"),
    Case("an inventory with a mistake", {**_HERE, **_INLINE, "unused_for": "ever"}, module=_INFO, says="unused_for"),
)

_DIAGNOSE = "k8s_sa_diagnose"

# What is not run by any node cannot be looked into; with a node it is held against the tokens in
# tests/integration/test_k8s_sa_diagnose.py
DIAGNOSES = (
    Case("a diagnosis", {"pod": "idle", "audience": "vault"}, module=_DIAGNOSE, quick=True),
    Case("a diagnosis from inside", {**_INLINE, "pod": "idle", "look_inside": True}, module=_DIAGNOSE),
    Case("a diagnosis of nothing", {**_INLINE, "pod": "nothing"}, module=_DIAGNOSE, says="does not exist"),
    Case(
        "a diagnosis by somebody without rights",
        {"pod": "idle", **_CONNECTION, "api_key": "{{ stranger_key }}"},
        module=_DIAGNOSE,
        says="forbidden",
        quick=True,
    ),
    Case("a diagnosis with a mistake", {**_INLINE, "pod": "{{ key }}"}, module=_DIAGNOSE, says="pod"),
)

_WEB: dict[str, Any] = {"name": "web", "service_account": "app", "fs_group": 65534}
_KEY: dict[str, Any] = {**_CONNECTION, "api_key": "{{ key }}"}
_VOLUME = "k8s_sa_volume"

# What never sees the tokens in Pods, beside workloads with passwords in them and with the caller's own
VOLUMES = (
    Case("a volume", {**_WEB, **_KEY}, module=_VOLUME, quick=True),
    Case("the same volume again", {**_WEB, **_INLINE}, module=_VOLUME),
    Case("a volume of its own", {**_WEB, **_INLINE, "volume_name": "v", "mount_path": "/v"}, module=_VOLUME),
    Case(
        "volumes by a list that fails in part",
        {**_INLINE, "workloads": [{**_WEB, "mount_path": "/w"}, {"name": "nothing"}]},
        module=_VOLUME,
        says="nothing",
        quick=True,
    ),
    Case(
        "volumes by a loop",
        {**_WEB, **_KEY, "volume_name": "{{ item }}", "mount_path": "/{{ item }}"},
        {"loop": ["x", "y"]},
        module=_VOLUME,
    ),
    Case(
        "a volume in the background",
        {**_WEB, **_KEY, "volume_name": "z", "mount_path": "/z"},
        {"async": 60, "poll": 1},
        module=_VOLUME,
        slow=True,
    ),
    Case(
        "a volume in the place of a password",
        {**_WEB, **_INLINE, "volume_name": "password", "mount_path": "/etc/password", "force": True},
        module=_VOLUME,
    ),
    Case("a place that is taken", {**_WEB, "mount_path": "/data", **_KEY}, module=_VOLUME, says="force"),
    Case(
        "a rollout that does not end",
        {**_WEB, **_INLINE, "wait": True, "wait_timeout": 1},
        module=_VOLUME,
        says="not new within 1 seconds",
    ),
    Case(
        "a source that would be dropped",
        {
            **_WEB,
            **_KEY,
            "sources": [{"cluster_trust_bundle": {"name": "b", "path": "p"}}],
        },
        module=_VOLUME,
        says="would drop it",
    ),
    Case(
        "a field that is unknown", {**_WEB, **_KEY, "sources": [{"raw": {"a": {}}}]}, module=_VOLUME, says="would drop"
    ),
    Case(
        "a risk that is refused",
        {**_WEB, **_KEY, "risk_policy": "deny", "sources": [{"token": {}}, {"token": {}}]},
        module=_VOLUME,
        says="path_collision",
    ),
    Case(
        "a volume by somebody without rights",
        {**_WEB, **_CONNECTION, "api_key": "{{ stranger_key }}"},
        module=_VOLUME,
        says="forbidden",
        quick=True,
    ),
    Case(
        "a volume with a mistake",
        {**_WEB, **_INLINE, "sources": [{"token": {"expiration_seconds": 5}}]},
        module=_VOLUME,
        says="expiration_seconds",
    ),
    Case(
        "a volume with a secret in a wrong place",
        {**_WEB, "kubeconfig": "{{ inline_key }}", "sources": [{"token": {"api_kee": "{{ password }}"}}]},
        module=_VOLUME,
        says="api_kee",
        quick=True,
    ),
    Case("a volume taken out", {"name": "web", "state": "absent", **_KEY}, module=_VOLUME, quick=True),
)

_CONSUMER = f"{_PREFIX}k8s_sa_consumer"


def _leads(secret: str, **more: Any) -> dict[str, Any]:
    """Options for a workload that has a token in its environment."""
    return {"name": "reader", "namespace": "{{ ns }}", "to_secret": secret, **more}


# With a token in the Secret that is looked at, and in the one before it
CONSUMERS = (
    Case("a token in a Secret", _file("read", sinks=[{"type": "secret", "name": "read"}]), quick=True),
    Case("a workload is led to it", _leads("read", from_secret="long-lived"), module=_CONSUMER, quick=True),
    Case("the workload again", _leads("read"), module=_CONSUMER),
    Case("and back", _leads("long-lived", from_secret="read"), module=_CONSUMER),
    Case("a workload to nothing", _leads("nothing", from_secret="long-lived"), module=_CONSUMER, says="nothing"),
    Case("a workload that uses neither", _leads("read"), module=_CONSUMER, says="uses no Secret"),
    Case(
        "a workload by somebody without rights",
        _leads("read", **_CONNECTION, api_key="{{ stranger_key }}"),
        module=_CONSUMER,
        says="forbidden",
    ),
    Case("a workload and a mistake", _leads("read", **_INLINE, wait="soon"), module=_CONSUMER, says="wait"),
)

# With the credential in the environment
ENVIRONMENT = (
    Case("a file", _file("file")),
    Case("a token is returned", _RETURNED),
    Case("a missing account", _file("missing", name="nobody"), says="nobody"),
    Case("a mistake", _file("m", workers="many"), says="workers"),
    Case("an unknown option", _file("m", wokers=8), says="wokers"),
    Case("a loop", {"name": "{{ item }}", "dest": _place("loop-{{ item }}")}, {"loop": ["app", "other"]}),
)

CASES = (
    *STORED,
    *RETURNED,
    *LATER,
    *CALLERS,
    *REFUSED,
    *MISTAKES,
    *IN_THE_CLUSTER,
    *LONG_LIVED,
    *INVENTORIES,
    *DIAGNOSES,
    *VOLUMES,
    *CONSUMERS,
)


def tasks(cases: Sequence[Case]) -> list[dict[str, Any]]:
    """As Ansible reads them."""
    return [case.task(number) for number, case in enumerate(cases)]


def keep_results(cases: Sequence[Case]) -> dict[str, Any]:
    """A last task that writes all results to a private file: some tokens are nowhere else."""
    names = [case.result(number) for number, case in enumerate(cases)]
    content = "{{ {" + ", ".join(f"'{name}': {name} | default({{}})" for name in names) + "} | to_json }}"
    copy = {"dest": "{{ results }}", "mode": "0600", "content": content}
    return {"name": "the results", "ansible.builtin.copy": copy, "no_log": True, "diff": False, "check_mode": False}
