# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an account of the list may have, each by the knowledge of its module.

That knowledge is loaded when the first such item is met: Ansible compiles the files of a collection anew in every run,
and most lists are of accounts and grants.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from ._errors import InputError

Options = Mapping[str, dict[str, Any]]


@dataclass(frozen=True)
class Kind:
    """A module, as far as its items go.

    Attributes:
        options: its item options.
        check: takes an item with all options, returns what it declares; raises InputError if it cannot be right.
        check_together: takes all that is declared; raises InputError if two would undo each other.
        left_out: options that are not said in the list of accounts, and what to do instead.
    """

    options: Options
    check: Callable[[Mapping[str, Any]], Any]
    check_together: Callable[[Sequence[Any]], None] = lambda dummy: None
    left_out: Mapping[str, str] = field(default_factory=dict)

    @property
    def listed(self) -> Options:
        """The options that may be said in the list of accounts."""
        return {name: rule for name, rule in self.options.items() if name not in self.left_out}


def kind(key: str) -> Kind:
    """The kind of what an account has under a key of C(KEYS)."""
    return _LOADERS[key]()


def refuse_shared_places(tokens: Sequence[tuple[str, Any]], long_lived: Sequence[tuple[str, Any]]) -> None:
    """No place may be that of two tokens, of whatever kind: each module only sees its own.

    Args:
        tokens: what is declared, each with its place in the list.
        long_lived: the same of long-lived tokens.

    Raises:
        InputError: a token file, a Secret or an entry of a kubeconfig is that of two, or the Secret that a long-lived
            token is in is a place as well.
    """
    from ._tenants import Tenant, refuse_shared_declarations

    everything = [*tokens, *long_lived]
    refuse_shared_declarations([Tenant(place, token.account, token.sinks) for place, token in everything], LIST)
    places = [(place, sink, token.account.namespace) for place, token in everything for sink in token.sinks]
    for place, sink, namespace in places:
        owner = next((other for other, token in long_lived if token.is_in(sink, namespace)), None)
        if owner:
            raise InputError(
                f"{place}: the Secret {sink.name} of sinks is called like those of {owner}", "choose another name"
            )


# the role variable, in messages
LIST = "service_accounts_list"

# names a preset, at an account or at an entry of these keys
PRESET = "preset"
REFERRING = ("tokens", "volumes")

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


@cache
def _account() -> Kind:
    from . import _service_account as known

    # that an account is there twice is found when the list is read
    return Kind(known.ITEM_OPTIONS, lambda item: known.DesiredAccount.from_item(item, None))


@cache
def _grant() -> Kind:
    from . import _grant_desired as known

    return Kind(known.ITEM_OPTIONS, lambda item: known.DesiredGrant.from_item(item, None), known.refuse_shared_roles)


@cache
def _token() -> Kind:
    from . import _token_desired as known

    return Kind(known.ITEM_OPTIONS, known.DesiredToken.from_item, known.refuse_shared_places, _NOT_IN_A_TOKEN)


@cache
def _legacy_token() -> Kind:
    from . import _legacy_desired as known

    check = known.DesiredLegacyToken.from_item
    return Kind(known.ITEM_OPTIONS, check, known.refuse_shared_places, _NOT_IN_A_LEGACY_TOKEN)


@cache
def _volume() -> Kind:
    from . import _volume_desired as known

    return Kind(known.ITEM_OPTIONS, known.DesiredVolume.from_item, known.refuse_contradictions, _NOT_IN_A_VOLUME)


@cache
def _access() -> Kind:
    from . import _access_desired as known

    # only what is asked is said here, and there is one for an account
    left_out = dict.fromkeys(known.ITEM_OPTIONS.keys() - {"can", "cannot"}, "use the module k8s_sa_access")
    return Kind(known.ITEM_OPTIONS, known.DesiredAccess.from_item, left_out=left_out)


# the key of the account itself
ACCOUNT = "accounts"

_LOADERS: Mapping[str, Callable[[], Kind]] = {
    ACCOUNT: _account,
    "grants": _grant,
    "tokens": _token,
    "legacy_tokens": _legacy_token,
    "volumes": _volume,
    "access": _access,
}

# what an account may have besides itself
KEYS = tuple(key for key in _LOADERS if key != ACCOUNT)
