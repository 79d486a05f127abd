# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The list of migrate_legacy: Secrets with long-lived tokens, and what is to come in their place. Pure.

What an entry may say of volumes, tokens and workloads is what the modules' own ITEM_OPTIONS say.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _names, _repoint_desired, _token_desired, _volume_desired
from ._durations import seconds
from ._errors import InputError
from ._lists import Entry, Item, elements, known_keys, parsed, refuse_twice
from ._shape import suggestion

# the variable of the playbook, in messages
LIST = "migrate_list"

# how far a run goes
STEPS = PLAN, MOVE, VERIFY, SUSPEND, WATCH, DELETE = ("plan", "move", "verify", "suspend", "watch", "delete")

_OF_THE_ENTRY = "it is that of the entry"
_BY_THE_PLAYBOOK = "the playbook says so by itself"
_WORKLOADS = "workloads"

_NOT_IN_A_VOLUME = {"namespace": _OF_THE_ENTRY, "state": "migrate_undo takes it out again"}
_NOT_IN_A_TOKEN = {
    **dict.fromkeys(("service_account", "name", "namespace"), _OF_THE_ENTRY),
    "state": "migrate_undo takes it back",
    "return_token": "give the token a place (dest, kubeconfig_dest or sinks)",
}
_NOT_IN_A_WORKLOAD = {
    "namespace": _OF_THE_ENTRY,
    "from_secret": "it is the Secret of the entry",
    "to_secret": "it is the place of the token, of type secret",
}


def _without(options: Mapping[str, dict[str, Any]], left_out: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    return {name: spec for name, spec in options.items() if name not in left_out}


_VOLUME_OPTIONS = _without(_volume_desired.ITEM_OPTIONS, _NOT_IN_A_VOLUME)
_WORKLOAD_OPTIONS = _without(_repoint_desired.ITEM_OPTIONS, _NOT_IN_A_WORKLOAD)
_TOKEN_OPTIONS = {
    **_without(_token_desired.ITEM_OPTIONS, _NOT_IN_A_TOKEN),
    _WORKLOADS: {"options": _WORKLOAD_OPTIONS},
}
_OPTIONS: dict[str, dict[str, Any]] = {
    "secret": {},
    "namespace": {},
    "service_account": {},
    "verify_tasks": {},
    "volumes": {"options": _VOLUME_OPTIONS},
    "tokens": {"options": _TOKEN_OPTIONS},
}
_HINTS = {
    id(_VOLUME_OPTIONS): _NOT_IN_A_VOLUME,
    id(_TOKEN_OPTIONS): _NOT_IN_A_TOKEN,
    id(_WORKLOAD_OPTIONS): _NOT_IN_A_WORKLOAD,
}


@dataclass(frozen=True)
class Rules:
    """How far, and how carefully.

    Attributes:
        until: one of C(STEPS).
        undo: whether to go back instead.
        unused_for: seconds without a use that it takes to suspend a token; 0: it is not waited for.
        quiet_for: seconds without a use, since it was suspended, that it takes to delete it.
        wait_timeout: seconds that new Pods may take.
    """

    until: str
    undo: bool
    unused_for: int
    quiet_for: int
    wait_timeout: int

    @classmethod
    def from_options(cls, until: object, *, undo: bool, unused_for: object, quiet_for: object, wait: object) -> Rules:
        """Check the variables of the playbook.

        Raises:
            InputError: one cannot be right.
        """
        if until not in STEPS:
            raise InputError(f"migrate_until: {until} is not a step", suggestion(str(until), STEPS))
        return cls(
            until=str(until),
            undo=undo,
            unused_for=seconds(unused_for, "migrate_unused_for"),
            quiet_for=seconds(quiet_for, "migrate_quiet_for"),
            wait_timeout=seconds(wait, "migrate_wait_timeout"),
        )

    def goes_to(self, step: str) -> bool:
        """Whether that step is among those of this run."""
        return STEPS.index(step) <= STEPS.index(self.until)


@dataclass(frozen=True)
class Migration:
    """One entry: a Secret with a long-lived token, and who is to use what instead.

    Attributes:
        place: where in the list it was written.
        secret: the name of the Secret, or of the token of k8s_legacy_token.
        namespace: its namespace.
        service_account: whose token it is.
        verify_tasks: a file with tasks that prove that the consumers work; None: there is none.
        volumes: items of k8s_sa_volume.
        tokens: items of k8s_sa_token.
        consumers: items of k8s_sa_consumer.
    """

    place: str
    secret: str
    namespace: str
    service_account: str
    verify_tasks: str | None
    volumes: tuple[Entry, ...]
    tokens: tuple[Entry, ...]
    consumers: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """C(namespace/name)."""
        return f"{self.namespace}/{self.secret}"

    @property
    def legacy(self) -> Item:
        """The token as an item of k8s_legacy_token."""
        return {"name": self.secret, "namespace": self.namespace, "service_account": self.service_account}

    @property
    def about(self) -> Item:
        """What the tasks that prove it may know."""
        return {
            "secret": self.secret,
            "namespace": self.namespace,
            "service_account": self.service_account,
            "title": self.title,
            "verify_tasks": self.verify_tasks,
        }


@dataclass(frozen=True)
class Kind:
    """A module, as far as its items go.

    Attributes:
        options: its item options.
        check: takes an item with all options, returns what it declares; raises InputError if it cannot be right.
        check_together: takes all that is declared; raises InputError if two would undo each other.
    """

    options: Mapping[str, dict[str, Any]]
    check: Callable[[Mapping[str, Any]], Any]
    check_together: Callable[[Sequence[Any]], None]


# by the attributes of a migration
KINDS: Mapping[str, Kind] = {
    "volumes": Kind(
        _volume_desired.ITEM_OPTIONS, _volume_desired.DesiredVolume.from_item, _volume_desired.refuse_contradictions
    ),
    "tokens": Kind(
        _token_desired.ITEM_OPTIONS, _token_desired.DesiredToken.from_item, _token_desired.refuse_shared_places
    ),
    "consumers": Kind(
        _repoint_desired.ITEM_OPTIONS, _repoint_desired.DesiredSecret.from_item, _repoint_desired.refuse_contradictions
    ),
}


def read_migrations(given: object, rules: Rules) -> tuple[Migration, ...]:
    """The entries of a list, or of its JSON or YAML text, with what they leave open.

    Raises:
        InputError: something is not where it belongs, unknown, missing or there twice; types and values of items are
            not looked at.
    """
    found = tuple(_migration(entry, place, rules) for entry, place in elements(parsed(given, LIST), LIST))
    refuse_twice("Secret", ((one.title, one.place) for one in found), "put both into one entry")
    return found


def _migration(given: object, place: str, rules: Rules) -> Migration:
    entry = known_keys(given, _OPTIONS, place, _HINTS)
    try:
        secret = _names.object_name(entry.get("secret"), "secret")
        namespace = _names.namespace(entry.get("namespace"))
        account = _names.object_name(entry.get("service_account"), "service_account")
        tasks = _tasks(entry.get("verify_tasks"))
    except InputError as error:
        raise InputError(f"{place}: {error.what}", error.hint) from None
    base = {"namespace": namespace, "wait": True, "wait_timeout": rules.wait_timeout}
    volumes = [
        Entry(where, {**base, "service_account": account, **_said(volume)})
        for volume, where in elements(entry.get("volumes"), f"{place}.volumes")
    ]
    tokens, consumers = [], []
    for token, where in elements(entry.get("tokens"), f"{place}.tokens"):
        item = {"namespace": namespace, "service_account": account, **_said(token)}
        workloads = list(elements(item.pop(_WORKLOADS, None), f"{where}.{_WORKLOADS}"))
        tokens.append(Entry(where, item))
        names = {"from_secret": secret, "to_secret": _secret_of(item, namespace, where)} if workloads else {}
        consumers += [Entry(inner, {**base, **names, **_said(workload)}) for workload, inner in workloads]
    return Migration(place, secret, namespace, account, tasks, tuple(volumes), tuple(tokens), tuple(consumers))


def _said(given: Mapping[str, Any]) -> Item:
    return {key: value for key, value in given.items() if value is not None}


def _tasks(given: object) -> str | None:
    """A playbook of a collection has its directory there, so that a path from it would lead nowhere."""
    if given is None:
        return None
    if not isinstance(given, str) or not given.startswith("/"):
        raise InputError(f"verify_tasks: {given!r} is not an absolute path", "write it from /")
    return given


def _secret_of(token: Item, namespace: str, place: str) -> str:
    """The Secret of a token that the workloads are led to.

    Raises:
        InputError: there is none, or more than one.
    """
    names = [sink.get("name") for sink in token.get("sinks") or () if _is_near(sink, namespace)]
    if len(names) != 1 or not isinstance(names[0], str):
        raise InputError(
            f"{place}: {_WORKLOADS} are led to a Secret, and sinks has {len(names) or 'none'} of them in {namespace}",
            "give the token one place of type secret there, in the format token",
        )
    return names[0]


def _is_near(sink: object, namespace: str) -> bool:
    """Whether a place is a Secret beside the workloads that looks like the one before."""
    if not isinstance(sink, Mapping) or sink.get("type") != "secret" or sink.get("connection"):
        return False
    return sink.get("namespace") in (None, namespace) and sink.get("format") in (None, "token")


# The way back


def restored(migration: Migration) -> Item:
    """The item of k8s_legacy_token that puts the token back into the files that it was in, and lifts its suspension."""
    files: Item = {}
    sinks: list[Item] = []
    for token in migration.tokens:
        files |= {key: token.item[key] for key in ("dest", "kubeconfig_dest") if token.item.get(key)}
        sinks += [sink for sink in token.item.get("sinks") or () if sink.get("type") != "secret"]
    # nothing of what a list of k8s_legacy_token has said about older ones is to be carried out here
    never = {"overlap": "36500d", "state": "present"}
    return {**migration.legacy, **never, **files, **({"sinks": sinks} if sinks else {})}


def has_files(migration: Migration) -> bool:
    """Whether a token of it is in a file."""
    item = restored(migration)
    return any(item.get(key) for key in ("dest", "kubeconfig_dest", "sinks"))


def turned_round(consumer: Item) -> Item:
    """The item of k8s_sa_consumer that leads a workload back."""
    return {**consumer, "from_secret": consumer["to_secret"], "to_secret": consumer["from_secret"]}


def taken_out(volume: Item) -> Item:
    """The item of k8s_sa_volume that takes a volume out."""
    kept = ("kind", "name", "namespace", "volume_name", "wait", "wait_timeout")
    return {**{key: volume[key] for key in kept if key in volume}, "state": "absent"}


def taken_back(token: Item) -> Item | None:
    """The item of k8s_sa_token that takes a token back, but for the files, which hold another one by then.

    None: nothing is left of it but those.
    """
    sinks = [sink for sink in token.get("sinks") or () if sink.get("type") == "secret"]
    if not sinks and not token.get("handle"):
        return None
    kept = {key: value for key, value in token.items() if key not in ("dest", "kubeconfig_dest", "sinks", "overlap")}
    return {**kept, "state": "absent", **({"sinks": sinks} if sinks else {})}
