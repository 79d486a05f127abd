# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Presets: what the accounts that many need are granted, as data; taken apart into what a list would say.

Pure: reading files is somebody else's. A text may hold parameters in angle brackets (C(<namespace>)), which no name in
Kubernetes can have and which mean nothing to Ansible's templates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from . import _names
from ._access_entries import ANYWHERE, EVERYWHERE, Entry, entries_of
from ._errors import InputError
from ._shape import called, suggestion

Item: TypeAlias = "dict[str, Any]"

# the role variable, in messages
VARIABLE = "service_accounts_presets"

# where what is said of a rule comes from, and what for; the modules know neither
_TOLD = ("source", "why")

_KEYS = ("description", "source", "parameters", "grants", "access", "tokens", "volumes", "risks", "left_out")
_PLACEHOLDER = re.compile(r"<([a-z_]+)>")

# what is said beside the parameters where a preset is named
_NAME, _ACCESS = "name", "access"

# a parameter of which it is known what it has to be
_NAMESPACE = "namespace"

_FORM = "write the name of a preset, or {name: PRESET, ...} with its parameters"


@dataclass(frozen=True)
class Preset:
    """What an account of a kind is granted.

    Attributes:
        name: what lists call it.
        place: where it was written, for messages.
        needed: parameters that have to be said, each with what it means.
        defaults: parameters that need not be.
        grants: items of the grants.
        access: C(can) and C(cannot).
        entries: by C(tokens) and C(volumes), what an entry has that refers to the preset.
    """

    name: str
    place: str
    needed: Mapping[str, str]
    defaults: Mapping[str, str]
    grants: Sequence[Item]
    access: Item
    entries: Mapping[str, Item]


@dataclass(frozen=True)
class Applied:
    """A preset at an account, with all parameters filled in.

    Attributes:
        place: where it was named, and its name.
        grants: items of the grants.
        can: what is to be allowed, as entries of C(can).
        cannot: what is to be refused.
    """

    place: str
    grants: Sequence[Item]
    can: Sequence[object] = ()
    cannot: Sequence[object] = ()


def applied(given: object, place: str, presets: Mapping[str, Any], account: Item) -> Applied:
    """What an account gets by naming a preset.

    Args:
        given: the name, or a mapping with it and parameters.
        place: where that was written.
        presets: those that may be named, as data.
        account: the item of the account.

    Raises:
        InputError: there is no such preset, it is not one for accounts, or a parameter is missing or unknown.
    """
    preset, said = _named(given, place, presets)
    where, with_access = f"{place} ({preset.name})", _is_true(said.pop(_ACCESS, True), f"{place}.{_ACCESS}")
    if not preset.grants:
        keys = " or ".join(preset.entries)
        hint = f"name it at an entry of its {keys}" if keys else f"give {preset.place} grants"
        raise InputError(f"{where} grants an account nothing", hint)
    values = _values(preset, said, where, account)
    table = _filled(preset.access, values, preset) if with_access else {}
    grants = [_bound(grant, preset, account) for grant in _filled(preset.grants, values, preset)]
    return Applied(where, grants, table.get("can") or (), table.get("cannot") or ())


def entry_with(given: Mapping[str, Any], key: str, place: str, presets: Mapping[str, Any], account: Item) -> Item:
    """An entry of C(tokens) or C(volumes) that refers to a preset: what it says itself comes before the preset.

    Args:
        given: the entry, with its C(preset).
        key: C(tokens) or C(volumes).
        place: where the entry was written.
        presets: those that may be named, as data.
        account: the item of the account.

    Raises:
        InputError: as C(applied).
    """
    own = dict(given)
    named = own.pop("preset")
    if named is None:
        return own
    preset, said = _named(named, f"{place}.preset", presets)
    where = f"{place}.preset ({preset.name})"
    if key not in preset.entries:
        elsewhere = "at the account" if preset.grants else f"at an entry of its {' or '.join(preset.entries)}"
        raise InputError(f"{where} has nothing for {key}", f"name it {elsewhere}")
    return {**_filled(preset.entries[key], _values(preset, said, where, account), preset), **own}


def table(own: Mapping[str, Any], place: str, presets: Sequence[Applied], namespace: str) -> Item:
    """What is to be proven of an account: of itself, and of all presets together.

    What the account or one of its presets is to be allowed is not refused by the table of another one.

    Args:
        own: C(can) and C(cannot) of the account.
        place: where that was written.
        presets: its presets.
        namespace: of the account.

    Raises:
        InputError: an entry cannot be understood.
    """
    can, cannot = [*_listed(own.get("can"))], [*_listed(own.get("cannot"))]
    allowed = [entries_of(can, f"{place}.can", namespace)]
    allowed += [entries_of(preset.can, f"{preset.place}.access.can", namespace) for preset in presets]
    for number, preset in enumerate(presets, 1):
        can += preset.can
        # a preset that contradicts itself is a mistake, and is found out as one
        others = [entry for of, entries in enumerate(allowed) if of != number for entry in entries]
        entries = entries_of(preset.cannot, f"{preset.place}.access.cannot", namespace)
        cannot += [str(entry) for entry in entries if not _is_allowed(entry, others)]
    said = {**own, "can": can, "cannot": cannot}
    return {key: value for key, value in said.items() if value or key in own}


def _is_allowed(refused: Entry, allowed: Iterable[Entry]) -> bool:
    """Whether it could not hold, because something is to be allowed that is the same request or includes it."""
    same = {refused.asked, replace(refused.asked, name="")}
    return any(
        entry.asked in same and (entry.namespace == EVERYWHERE or refused.namespace in (ANYWHERE, entry.namespace))
        for entry in allowed
    )


def _listed(given: object) -> list[object]:
    """As Ansible reads a list: a single text is one with commas."""
    if isinstance(given, str):
        return [part.strip() for part in given.split(",")]
    return list(given) if isinstance(given, Sequence) else []


def _named(given: object, place: str, presets: Mapping[str, Any]) -> tuple[Preset, Item]:
    """The preset that is named, and what is said with it."""
    said = {_NAME: given} if isinstance(given, str) else given
    if not isinstance(said, Mapping):
        raise InputError(f"{place} is {called(given)}", _FORM)
    name = said.get(_NAME)
    if not name or not isinstance(name, str):
        raise InputError(f"{place}: the name of the preset is missing", _FORM)
    if presets.get(name) is None:
        raise InputError(f"{place}: there is no preset {name}", _near(name, presets))
    more = {str(key): value for key, value in said.items() if key != _NAME and value is not None}
    return _preset(name, presets[name]), more


def _near(name: str, presets: Iterable[str]) -> str:
    """What was probably meant, and what else there is."""
    known = f"known are {', '.join(sorted(presets)) or 'none'}"
    near = suggestion(name, presets)
    return f"{near} ({known})" if near.startswith("did you mean") else known


def _bound(grant: Item, preset: Preset, account: Item) -> Item:
    """A grant under a name that nobody else has: no account can have a colon in its name, which grants are called by.

    It does not depend on what else the list says, so that the same binding is found again.
    """
    parts = (account["namespace"], account["name"], preset.name, grant.get("name"))
    bound = {key: value for key, value in grant.items() if key not in _TOLD}
    if grant.get("rules"):
        bound["rules"] = [{key: rule[key] for key in rule if key not in _TOLD} for rule in grant["rules"]]
    return {**bound, "name": ":".join(str(part) for part in parts if part)}


# Parameters


def _values(preset: Preset, said: Item, where: str, account: Item) -> dict[str, str]:
    """All that placeholders stand for."""
    known = {**preset.needed, **preset.defaults}
    for key, value in said.items():
        if key not in known:
            hint = suggestion(key, known) if known else "it has no parameters"
            raise InputError(f"{where}: {key} is unknown here", hint)
        if isinstance(value, bool | Mapping | list):
            raise InputError(f"{where}: {key} is {called(value)}, not a text", "give a single value")
        if key == _NAMESPACE:
            _names.namespace(str(value), f"{where}.{key}")
    for key, meaning in preset.needed.items():
        if key not in said:
            form = f"{{name: {preset.name}, {key}: ...}}"
            raise InputError(f"{where}: {key} is missing ({meaning})", f"write {form}")
    own = {"account_name": str(account["name"]), "account_namespace": str(account["namespace"])}
    defaults = {key: _text(text, own, preset) for key, text in preset.defaults.items()}
    return {**own, **defaults, **{key: str(value) for key, value in said.items()}}


def _filled(content: Any, values: Mapping[str, str], preset: Preset) -> Any:
    """The same with all placeholders replaced."""
    if isinstance(content, str):
        return _text(content, values, preset)
    if isinstance(content, Mapping):
        return {key: _filled(value, values, preset) for key, value in content.items()}
    return [_filled(value, values, preset) for value in content] if isinstance(content, list | tuple) else content


def _text(text: str, values: Mapping[str, str], preset: Preset) -> str:
    for name in _PLACEHOLDER.findall(text):
        if name not in values:
            raise InputError(f"{preset.place}: <{name}> is no parameter of it", suggestion(name, values))
    return _PLACEHOLDER.sub(lambda found: values[found[1]], text)


def _is_true(given: object, place: str) -> bool:
    known = {"true": True, "yes": True, "false": False, "no": False}
    if str(given).lower() not in known:
        raise InputError(f"{place} is {given!r}", "true proves what the preset may and may not do, false does not")
    return known[str(given).lower()]


# Presets as they are written


def _preset(name: str, given: object) -> Preset:
    place = f"{VARIABLE}.{name}"
    content = _mapping(given, place, _KEYS)
    needed, defaults = {}, {}
    for key, told in _mapping(content.get("parameters"), f"{place}.parameters").items():
        parameter = _mapping(told, f"{place}.parameters.{key}", ("description", "default"))
        if parameter.get("default") is None:
            needed[key] = str(parameter.get("description") or "it has no default")
        else:
            defaults[key] = str(parameter["default"])
    return Preset(
        name,
        place,
        needed,
        defaults,
        tuple(_grants(content.get("grants"), f"{place}.grants")),
        _mapping(content.get("access"), f"{place}.access", ("can", "cannot")),
        {key: _mapping(content[key], f"{place}.{key}") for key in ("tokens", "volumes") if content.get(key)},
    )


def _grants(given: object, place: str) -> Iterator[Item]:
    for index, grant in enumerate(_list(given, place)):
        checked = _mapping(grant, f"{place}[{index}]")
        rules = _list(checked.get("rules"), f"{place}[{index}].rules")
        for number, rule in enumerate(rules):
            _mapping(rule, f"{place}[{index}].rules[{number}]")
        yield checked


def _mapping(given: object, place: str, known: Sequence[str] = ()) -> Item:
    """The same mapping, all of whose keys are known; nothing is an empty one."""
    if given is None:
        return {}
    if not isinstance(given, Mapping):
        raise InputError(f"{place} is {called(given)}, not a mapping", "write key: value pairs")
    for key in given if known else ():
        if key not in known:
            raise InputError(f"{place}: {key} is unknown here", suggestion(str(key), known))
    return dict(given)


def _list(given: object, place: str) -> Sequence[Any]:
    if given is None:
        return ()
    if isinstance(given, str | Mapping) or not isinstance(given, Sequence):
        raise InputError(f"{place} is {called(given)}, not a list", "begin every entry with a dash")
    return given
