# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One list of accounts, with all that goes with them: checked and taken apart into the lists of the modules.

What an account, a grant, a token, a volume and the access of an account may say is what the modules' own ITEM_OPTIONS
say.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

from ._account_kinds import ACCOUNT, KEYS, LIST, PRESET, REFERRING, kind
from ._durations import instant
from ._errors import InputError
from ._lists import Entry, Item, elements, known_keys, parsed, refuse_twice
from ._selection import SELECTOR, repeated

_TOGETHER = "put both into one entry"


@dataclass(frozen=True)
class Account:
    """An account of the list: what it is, what it may do, its tokens and volumes, and what is to be proven of it."""

    declared: Entry
    grants: tuple[Entry, ...] = ()
    tokens: tuple[Entry, ...] = ()
    legacy_tokens: tuple[Entry, ...] = ()
    volumes: tuple[Entry, ...] = ()
    access: tuple[Entry, ...] = ()

    @property
    def title(self) -> str:
        """C(namespace/name)."""
        return f"{self.declared.item['namespace']}/{self.declared.item['name']}"

    def entries(self, key: str) -> tuple[Entry, ...]:
        """What it has under a key of the list; itself under C(accounts)."""
        found: tuple[Entry, ...] = (self.declared,) if key == ACCOUNT else getattr(self, key)
        return found

    def is_wanted(self, now: datetime) -> bool:
        """Whether it should exist at that instant."""
        item = self.declared.item
        if item.get("state") == "absent":
            return False
        return not item.get("expires_at") or now < instant(item["expires_at"], f"{self.declared.place}.expires_at")


def presets_in(given: object) -> set[str]:
    """The presets that a list names, as far as it has the form of one."""
    entries = [entry for entry in _elements_of(given) if isinstance(entry, Mapping)]
    named = [one for entry in entries for one in _elements_of(entry.get(PRESET), entry.get(PRESET))]
    within = (element for entry in entries for key in REFERRING for element in _elements_of(entry.get(key)))
    named += [element[PRESET] for element in within if isinstance(element, Mapping) and PRESET in element]
    return {str(one.get("name")) if isinstance(one, Mapping) else str(one) for one in named if one is not None}


def _elements_of(given: object, *otherwise: object) -> Iterable[Any]:
    """Those of a list; whatever else it is, is somebody else's to judge."""
    return given if isinstance(given, list) else otherwise


def read_accounts(
    given: object, presets: Mapping[str, Any] = MappingProxyType({}), namespaces: Sequence[str] | None = None
) -> tuple[Account, ...]:
    """The accounts of a list, or of its JSON or YAML text.

    Args:
        given: the list.
        presets: those that it may name, as data; None where it does not name one.
        namespaces: those that it is repeated in, as far as it leaves that open; None: it does not.

    Raises:
        InputError: something is not where it belongs, unknown, missing or there twice; types and values are not
            looked at.
    """
    entries = repeated(parsed(given, LIST), LIST, namespaces)
    accounts = tuple(_account(entry, place, presets) for entry, place in entries)
    refuse_twice("account", ((account.title, account.declared.place) for account in accounts), _TOGETHER)
    grants = (grant for account in accounts for grant in account.grants)
    named = ((title_of_grant(grant.item), grant.place) for grant in grants)
    refuse_twice("grant", named, "give one of them a name of its own", {f".{PRESET}": "name the preset once"})
    long_lived = (token for account in accounts for token in account.legacy_tokens)
    refuse_twice("legacy token", ((title_of_legacy(token.item), token.place) for token in long_lived), _TOGETHER)
    volumes = (volume for account in accounts for volume in account.volumes)
    refuse_twice("volume", ((title_of_volume(volume.item), volume.place) for volume in volumes), _TOGETHER)
    return accounts


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


def _account(given: object, place: str, presets: Mapping[str, Any]) -> Account:
    own = kind(ACCOUNT).options
    entry = known_keys(given, {**own, **{key: {} for key in (*KEYS, PRESET)}}, place, {})
    item = {key: value for key, value in entry.items() if key in own}
    for key in ("name", "namespace"):
        if item.get(key) in (None, ""):
            hint = f"every account needs a name and a namespace, unless {SELECTOR} selects some"
            raise InputError(f"{place}: {key} is missing", hint)
    has = {
        key: tuple(_entries(key, _referring(key, entry[key], f"{place}.{key}", item, presets), f"{place}.{key}", item))
        for key in KEYS
        if entry.get(key) is not None
    }
    if entry.get(PRESET) is not None:
        has = _with_presets(has, entry[PRESET], f"{place}.{PRESET}", item, presets)
    return Account(Entry(place, item), **has)


def _referring(key: str, given: object, place: str, account: Item, presets: Mapping[str, Any]) -> object:
    """The same, with what entries that refer to a preset have of it."""
    if key not in REFERRING or not any(isinstance(one, Mapping) and PRESET in one for one in _elements_of(given)):
        return given
    # known when the first preset is met, as all that most lists do not have
    from ._presets import entry_with

    return [
        entry_with(element, key, where, presets, account)
        if isinstance(element, Mapping) and PRESET in element
        else element
        for element, where in elements(given, place)
    ]


def _with_presets(
    has: dict[str, tuple[Entry, ...]], given: object, place: str, account: Item, presets: Mapping[str, Any]
) -> dict[str, tuple[Entry, ...]]:
    """What an account has, with the grants of its presets and what is to be proven of them."""
    from ._presets import applied, table

    named = list(elements(given, place)) if isinstance(given, list) else [(given, place)]
    those = [applied(one, where, presets, account) for one, where in named]
    grants = has.get("grants", ())
    for preset in those:
        grants += tuple(_entries("grants", list(preset.grants), f"{preset.place}.grants", account))
    own = has["access"][0] if "access" in has else Entry(f"{place}.access", _of_account({}, place, account))
    proof = Entry(own.place, table(own.item, own.place, those, account["namespace"]))
    is_proven = any(proof.item.get(key) for key in ("can", "cannot"))
    return {**has, "grants": grants, **({"access": (proof,)} if is_proven else {})}


def _entries(key: str, given: object, place: str, account: Item) -> Iterator[Entry]:
    """What the account has under a key."""
    # there is one proof for an account, of all that it lists
    listed = kind(key).listed
    for element, where in [(given, place)] if key == "access" else elements(given, place):
        said = known_keys(element, listed, where, {id(listed): kind(key).left_out})
        yield Entry(where, _FILLING.get(key, _of_account)(_said(said), where, account))


def _said(given: Item) -> Item:
    return {key: value for key, value in given.items() if value is not None}


def _grant(said: Item, dummy: str, account: Item) -> Item:
    """What a grant leaves open comes from its account: name, place, subject, and how long it is to exist."""
    filled = {key: account[key] for key in ("name", "state", "expires_at") if account.get(key) is not None}
    if not _is_true(said.get("cluster_wide")):
        filled["namespace"] = account["namespace"]
    if "service_accounts" not in said and "subjects" not in said:
        filled["service_accounts"] = [f"{account['namespace']}/{account['name']}"]
    return {**filled, **said}


def _is_true(value: object) -> bool:
    """As Ansible reads a truth value that a template has made a text of."""
    return str(value).lower() in ("true", "yes", "on", "y", "t", "1", "1.0")


def _of_account(said: Item, dummy: str, account: Item) -> Item:
    """A token, a volume or a proof is of the account it is listed under."""
    return {"service_account": account["name"], "namespace": account["namespace"], **said}


def _proof(said: Item, place: str, account: Item) -> Item:
    if not said:
        raise InputError(f"{place} says nothing", "give can or cannot")
    return _of_account(said, place, account)


# how an item is made of what is said at an account, where that is not the same for all
_FILLING: Mapping[str, Callable[[Item, str, Item], Item]] = {"grants": _grant, "access": _proof}


def title_of_legacy(token: Mapping[str, Any]) -> str:
    """The same for an item and for its outcome."""
    return f"{token['namespace']}/{token.get('name')}"


def title_of_volume(volume: Mapping[str, Any]) -> str:
    """The same for an item and for its outcome."""
    options = kind("volumes").options
    workload, name = (volume.get(key) or options[key].get("default") for key in ("kind", "volume_name"))
    return f"{workload} {volume['namespace']}/{volume.get('name')} {name}"


def title_of_grant(grant: Mapping[str, Any]) -> str:
    """The same for an item and for its outcome, which both have no namespace when the grant is cluster-wide."""
    namespace = grant.get("namespace")
    return f"{namespace}/{grant['name']}" if namespace else f"cluster-wide {grant['name']}"
