# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list of accounts, with all that goes with them: checked and taken apart into the lists of the modules.

What an account, a grant, a token, a volume and the access of an account may say is what the modules' own ITEM_OPTIONS
say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _access_desired, _grant_desired, _legacy_desired, _service_account, _token_desired, _volume_desired
from ._durations import instant
from ._errors import InputError
from ._lists import Entry, Item, elements, known_keys, parsed, refuse_twice
from ._tenants import Tenant, refuse_shared_declarations

# the role variable, in messages
LIST = "service_accounts_list"

# a token belongs to the account it is listed under, and a role hands nothing back
_NOT_IN_A_TOKEN = {
    "service_account": "it is the account that the token is listed under",
    "name": "it is the account that the token is listed under",
    "namespace": "it is the account's",
    "return_token": "give the token a place (dest, kubeconfig_dest or sinks), or use the module k8s_sa_token",
}

# the same for a long-lived one, which has a name of its own
_NOT_IN_A_LEGACY_TOKEN = {
    **{key: _NOT_IN_A_TOKEN[key] for key in ("service_account", "namespace")},
    "return_token": "give the token a place (dest, kubeconfig_dest or sinks), or use the module k8s_legacy_token",
}

# a volume is of Pods that run under the account it is listed under
_NOT_IN_A_VOLUME = {
    "service_account": "it is the account that the volume is listed under",
    "namespace": "it is the account's, because Pods use accounts of their own namespace",
}

_TOKEN_OPTIONS = {name: spec for name, spec in _token_desired.ITEM_OPTIONS.items() if name not in _NOT_IN_A_TOKEN}
_LEGACY_OPTIONS = {
    name: spec for name, spec in _legacy_desired.ITEM_OPTIONS.items() if name not in _NOT_IN_A_LEGACY_TOKEN
}
_VOLUME_OPTIONS = {name: spec for name, spec in _volume_desired.ITEM_OPTIONS.items() if name not in _NOT_IN_A_VOLUME}
_ACCESS_OPTIONS = {name: _access_desired.ITEM_OPTIONS[name] for name in ("can", "cannot")}
_OPTIONS: dict[str, dict[str, Any]] = {
    **_service_account.ITEM_OPTIONS,
    "access": {"type": "dict", "options": _ACCESS_OPTIONS},
    "grants": {"options": _grant_desired.ITEM_OPTIONS},
    "legacy_tokens": {"options": _LEGACY_OPTIONS},
    "tokens": {"options": _TOKEN_OPTIONS},
    "volumes": {"options": _VOLUME_OPTIONS},
}


_HINTS = {
    id(_TOKEN_OPTIONS): _NOT_IN_A_TOKEN,
    id(_LEGACY_OPTIONS): _NOT_IN_A_LEGACY_TOKEN,
    id(_VOLUME_OPTIONS): _NOT_IN_A_VOLUME,
}

_TOGETHER = "put both into one entry"


@dataclass(frozen=True)
class Account:
    """An account of the list: what it is, what it may do, its tokens and volumes, and what is to be proven of it."""

    declared: Entry
    grants: tuple[Entry, ...]
    tokens: tuple[Entry, ...]
    legacy_tokens: tuple[Entry, ...]
    volumes: tuple[Entry, ...]
    access: tuple[Entry, ...]

    @property
    def title(self) -> str:
        """C(namespace/name)."""
        return f"{self.declared.item['namespace']}/{self.declared.item['name']}"

    def is_wanted(self, now: datetime) -> bool:
        """Whether it should exist at that instant."""
        item = self.declared.item
        if item.get("state") == "absent":
            return False
        return not item.get("expires_at") or now < instant(item["expires_at"], f"{self.declared.place}.expires_at")


@dataclass(frozen=True)
class Kind:
    """A module, as far as its items go.

    Attributes:
        options: its item options.
        check: takes an item with all options, returns what it declares; raises InputError if it cannot be right.
        check_together: takes all that is declared; raises InputError if two would undo each other.
        entries: the entries of an account that are its items.
    """

    options: Mapping[str, dict[str, Any]]
    check: Callable[[Mapping[str, Any]], Any]
    check_together: Callable[[Sequence[Any]], None]
    entries: Callable[[Account], tuple[Entry, ...]]


KINDS: Mapping[str, Kind] = {
    _service_account.LIST: Kind(
        _service_account.ITEM_OPTIONS,
        lambda item: _service_account.DesiredAccount.from_item(item, None),
        lambda dummy: None,  # that an account is there twice is found when the list is read
        lambda account: (account.declared,),
    ),
    _grant_desired.LIST: Kind(
        _grant_desired.ITEM_OPTIONS,
        lambda item: _grant_desired.DesiredGrant.from_item(item, None),
        _grant_desired.refuse_shared_roles,
        lambda account: account.grants,
    ),
    _token_desired.LIST: Kind(
        _token_desired.ITEM_OPTIONS,
        _token_desired.DesiredToken.from_item,
        _token_desired.refuse_shared_places,
        lambda account: account.tokens,
    ),
    _legacy_desired.LIST: Kind(
        _legacy_desired.ITEM_OPTIONS,
        _legacy_desired.DesiredLegacyToken.from_item,
        _legacy_desired.refuse_shared_places,
        lambda account: account.legacy_tokens,
    ),
    _volume_desired.LIST: Kind(
        _volume_desired.ITEM_OPTIONS,
        _volume_desired.DesiredVolume.from_item,
        _volume_desired.refuse_contradictions,
        lambda account: account.volumes,
    ),
    "access": Kind(
        _access_desired.ITEM_OPTIONS,
        _access_desired.DesiredAccess.from_item,
        lambda dummy: None,  # there is one for an account
        lambda account: account.access,
    ),
}


def read_accounts(given: object) -> tuple[Account, ...]:
    """The accounts of a list, or of its JSON or YAML text.

    Raises:
        InputError: something is not where it belongs, unknown, missing or there twice; types and values are not
            looked at.
    """
    accounts = tuple(_account(entry, place) for entry, place in elements(parsed(given, LIST), LIST))
    refuse_twice("account", ((account.title, account.declared.place) for account in accounts), _TOGETHER)
    grants = (grant for account in accounts for grant in account.grants)
    apart = "give one of them a name of its own"
    refuse_twice("grant", ((title_of_grant(grant.item), grant.place) for grant in grants), apart)
    long_lived = (token for account in accounts for token in account.legacy_tokens)
    refuse_twice("legacy token", ((title_of_legacy(token.item), token.place) for token in long_lived), _TOGETHER)
    volumes = (volume for account in accounts for volume in account.volumes)
    refuse_twice("volume", ((title_of_volume(volume.item), volume.place) for volume in volumes), _TOGETHER)
    return accounts


def refuse_shared_places(checked: Mapping[str, Sequence[tuple[Entry, Any]]]) -> None:
    """No place may be that of two tokens, of whatever kind: each module only sees its own.

    Args:
        checked: the entries of the list, and what they declare, by the names of C(KINDS).

    Raises:
        InputError: a token file, a Secret or an entry of a kubeconfig is that of two, or the Secret that a long-lived
            token is in is a place as well.
    """
    long_lived = checked[_legacy_desired.LIST]
    tokens = [*checked[_token_desired.LIST], *long_lived]
    refuse_shared_declarations([Tenant(entry.place, token.account, token.sinks) for entry, token in tokens], LIST)
    places = [(entry, sink, token.account.namespace) for entry, token in tokens for sink in token.sinks]
    for entry, sink, namespace in places:
        owner = next((other.place for other, token in long_lived if token.is_in(sink, namespace)), None)
        if owner:
            raise InputError(
                f"{entry.place}: the Secret {sink.name} of sinks is called like those of {owner}", "choose another name"
            )


def refuse_beyond(accounts: Sequence[Account], namespaces: Sequence[str] | None) -> None:
    """A list that others fill in must not reach further than these namespaces.

    Args:
        accounts: the list.
        namespaces: the only ones that accounts, grants and Secrets may be in; None: all may.

    Raises:
        InputError: something is, or would be, elsewhere.
    """
    if namespaces is None:
        return
    allowed = f"allowed are {', '.join(namespaces) or 'none'}"
    for entry, namespace in ((entry, place) for account in accounts for entry, place in _reach(account)):
        if namespace is None:
            raise InputError(f"{entry}: a cluster-wide grant goes beyond the allowed namespaces", allowed)
        if namespace not in namespaces:
            raise InputError(f"{entry}: the namespace {namespace} is not an allowed one", allowed)


def _reach(account: Account) -> Iterator[tuple[str, str | None]]:
    """Where what an account has would be written, each with its place in the list; None is the whole cluster."""
    yield account.declared.place, str(account.declared.item["namespace"])
    for grant in account.grants:
        namespace = grant.item.get("namespace")
        yield grant.place, None if namespace is None else str(namespace)
    for token in (*account.tokens, *account.legacy_tokens):
        for index, sink in enumerate(token.item.get("sinks") or ()):
            if sink.get("type") == "secret" and not sink.get("connection") and sink.get("namespace"):
                yield f"{token.place}.sinks[{index}]", str(sink["namespace"])


def items(accounts: Sequence[Account], now: datetime) -> dict[str, list[Item]]:
    """The items of the modules, each in the order of the list.

    Args:
        accounts: the list.
        now: decides whether an account with C(expires_at) is still wanted.

    Returns:
        C(present) and C(absent): accounts that should be there, and that should not; C(bindings) and C(tokens): the
        grants and the tokens of both, C(legacy_tokens): the long-lived ones, C(volumes): the volumes. Every token and
        volume says its C(state). C(access): what is to be proven of accounts that should be there.
    """
    return {
        "present": [account.declared.item for account in accounts if account.is_wanted(now)],
        "absent": [account.declared.item for account in accounts if not account.is_wanted(now)],
        "bindings": [grant.item for account in accounts for grant in account.grants],
        "tokens": [item for account in accounts for item in _tokens_of(account, account.tokens, now)],
        "legacy_tokens": [item for account in accounts for item in _tokens_of(account, account.legacy_tokens, now)],
        "volumes": [item for account in accounts for item in _tokens_of(account, account.volumes, now)],
        "access": [proof.item for account in accounts if account.is_wanted(now) for proof in account.access],
    }


def _tokens_of(account: Account, tokens: Sequence[Entry], now: datetime) -> Iterator[Item]:
    """Nothing of an account that should not be there is kept: its tokens die with it, their places are of no use.

    No Pod could be made with a volume of it either.
    """
    is_wanted = account.is_wanted(now)
    for token in tokens:
        item = {"state": "present", **token.item}
        if not is_wanted:
            # also what is only to go when it is unused
            item = {**{key: value for key, value in item.items() if key != "unused_for"}, "state": "absent"}
        yield item


def _account(given: object, place: str) -> Account:
    entry = known_keys(given, _OPTIONS, place, _HINTS)
    item = {key: value for key, value in entry.items() if key in _service_account.ITEM_OPTIONS}
    for key in ("name", "namespace"):
        if item.get(key) in (None, ""):
            raise InputError(f"{place}: {key} is missing", "every account needs a name and a namespace")
    return Account(
        Entry(place, item),
        grants=tuple(_grant(grant, where, item) for grant, where in elements(entry.get("grants"), f"{place}.grants")),
        tokens=tuple(
            _token_of(token, where, item) for token, where in elements(entry.get("tokens"), f"{place}.tokens")
        ),
        legacy_tokens=tuple(
            _token_of(token, where, item)
            for token, where in elements(entry.get("legacy_tokens"), f"{place}.legacy_tokens")
        ),
        volumes=tuple(
            _volume_of(volume, where, item) for volume, where in elements(entry.get("volumes"), f"{place}.volumes")
        ),
        access=() if entry.get("access") is None else (_access_of(entry["access"], f"{place}.access", item),),
    )


def _grant(given: Item, place: str, account: Item) -> Entry:
    """What a grant leaves open comes from its account: name, place, subject, and how long it is to exist."""
    filled = {key: account[key] for key in ("name", "state", "expires_at") if account.get(key) is not None}
    if not _is_true(given.get("cluster_wide")):
        filled["namespace"] = account["namespace"]
    if given.get("service_accounts") is None and given.get("subjects") is None:
        filled["service_accounts"] = [f"{account['namespace']}/{account['name']}"]
    return Entry(place, {**filled, **{key: value for key, value in given.items() if value is not None}})


def _is_true(value: object) -> bool:
    """As Ansible reads a truth value that a template has made a text of."""
    return str(value).lower() in ("true", "yes", "on", "y", "t", "1", "1.0")


def _token_of(given: Item, place: str, account: Item) -> Entry:
    said = {key: value for key, value in given.items() if value is not None}
    return Entry(place, {"service_account": account["name"], "namespace": account["namespace"], **said})


def _volume_of(given: Item, place: str, account: Item) -> Entry:
    """A volume of Pods that run under the account, unless it is only to be taken out."""
    said = {key: value for key, value in given.items() if value is not None}
    return Entry(place, {"service_account": account["name"], "namespace": account["namespace"], **said})


def _access_of(given: Item, place: str, account: Item) -> Entry:
    said = {key: value for key, value in given.items() if value is not None}
    if not said:
        raise InputError(f"{place} says nothing", "give can or cannot")
    return Entry(place, {"service_account": account["name"], "namespace": account["namespace"], **said})


def title_of_legacy(token: Mapping[str, Any]) -> str:
    """The same for an item and for its outcome."""
    return f"{token['namespace']}/{token.get('name')}"


def title_of_volume(volume: Mapping[str, Any]) -> str:
    """The same for an item and for its outcome."""
    defaults = {key: _VOLUME_OPTIONS[key].get("default") for key in ("kind", "volume_name")}
    kind, name = (volume.get(key) or default for key, default in defaults.items())
    return f"{kind} {volume['namespace']}/{volume.get('name')} {name}"


def title_of_grant(grant: Mapping[str, Any]) -> str:
    """The same for an item and for its outcome, which both have no namespace when the grant is cluster-wide."""
    namespace = grant.get("namespace")
    return f"{namespace}/{grant['name']}" if namespace else f"cluster-wide {grant['name']}"
