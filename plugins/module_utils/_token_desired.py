# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One token as declared: the options of an item and what they come to, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from . import _names, _sets
from ._bound import OPTIONS as BOUND_OPTIONS
from ._bound import BoundObject
from ._claims import Binding
from ._durations import seconds, share_or_seconds
from ._errors import InputError
from ._findings import Finding
from ._handles import check_name, is_of
from ._kinds import SECRET, SERVICE_ACCOUNT, Ref
from ._lifetime import Wanted
from ._reviews import AUTO, MODES
from ._sinks import SINK_OPTIONS, DesiredSink, sinks_from_item
from ._tenants import files_of, refuse_tenants

LIST = "tokens"

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "service_account": {"type": "str", "aliases": ["name"]},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "audiences": {"type": "list", "elements": "str"},
    "expiration_seconds": {"type": "raw"},
    "bound_object_ref": {"type": "dict", "options": BOUND_OPTIONS},
    "handle": {"type": "str"},
    "overlap": {"type": "raw"},
    "renew_before": {"type": "raw", "default": "20%"},
    "renew_if_credential_id": {"type": "str"},
    "strict_renewal": {"type": "bool", "default": False},
    "verify": {"type": "str", "choices": list(MODES), "default": AUTO},
    "sinks": {"type": "list", "elements": "dict", "options": SINK_OPTIONS},
    "dest": {"type": "path"},
    "kubeconfig_dest": {"type": "path"},
    "return_token": {"type": "bool", "default": False, "no_log": False},
    "force": {"type": "bool", "default": False},
}

# guard rails of the task, which no item can widen
RAIL_OPTIONS: dict[str, dict[str, Any]] = {
    "allowed_namespaces": {"type": "list", "elements": "str"},
    "max_expiration_seconds": {"type": "raw"},
}

# the server's own limits (pkg/apis/authentication/validation)
SHORTEST = 600
LONGEST = 2**32

# what it gives when nothing is asked for (pkg/apis/authentication/v1/defaults.go)
_DEFAULT = 3600

_LONG = 30 * 24 * 3600

# the lifetime that makes the server give a Pod's token a year (KEP-1205, extended tokens)
_EXTENDED = 3607
_YEAR = 365 * 24 * 3600


@dataclass(frozen=True)
class DesiredToken:
    """One token as declared.

    Attributes:
        account: whose token.
        present: whether it is to be there; if not, it is to be revoked as far as that is possible.
        audiences: as given; empty: the server's own.
        seconds: the lifetime to ask for; None: the server's default.
        bound: an object of the user's that it is bound to.
        handle: the name of its handle.
        overlap: seconds for which the token before stays good; None: as long as it lives.
        renew_before: share of the lifetime (float) or seconds (int).
        renew_if_credential_id: the token that is to be replaced if it is the one that is stored.
        strict_renewal: fail when a renewal fails, also if the old token is still good.
        verify: whether the server is asked about stored tokens.
        sinks: its places.
        return_token: whether the result holds it.
        force: overwrite what is not ours.
        labels: of Secrets we make for it.
    """

    account: Ref
    present: bool
    audiences: tuple[str, ...]
    seconds: int | None
    bound: BoundObject | None
    handle: str | None
    overlap: int | None
    renew_before: float | int
    renew_if_credential_id: str | None
    strict_renewal: bool
    verify: str
    sinks: tuple[DesiredSink, ...]
    return_token: bool
    force: bool
    labels: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_item(cls, item: Mapping[str, Any], set_name: str | None = None) -> DesiredToken:
        """Check one merged item.

        Raises:
            InputError: it cannot be right.
        """
        account = Ref(
            SERVICE_ACCOUNT,
            namespace=_names.namespace(item["namespace"]),
            name=_names.object_name(item["service_account"], "service_account"),
        )
        desired = cls(
            account=account,
            present=item["state"] == "present",
            audiences=_audiences(item["audiences"]),
            seconds=_lifetime(item["expiration_seconds"]),
            bound=BoundObject.from_option(item["bound_object_ref"], account.namespace),
            handle=check_name(item["handle"]) if item["handle"] is not None else None,
            overlap=None if item["overlap"] is None else seconds(item["overlap"], "overlap"),
            renew_before=share_or_seconds(item["renew_before"], "renew_before"),
            renew_if_credential_id=_credential_id(item["renew_if_credential_id"]),
            strict_renewal=item["strict_renewal"],
            verify=item["verify"],
            sinks=sinks_from_item(item, _sets.label(set_name)),
            return_token=item["return_token"],
            force=item["force"],
            labels=_sets.label(set_name),
        )
        desired._check()
        return desired

    def _check(self) -> None:
        place = self.account.place
        if self.bound and self.handle:
            raise InputError(
                f"{place}: bound_object_ref and handle exclude each other",
                "a token is bound to one object: leave out one of them",
            )
        if self.overlap is not None and not self.handle:
            raise InputError(f"{place}: overlap needs handle", "only a token with a handle can be taken back earlier")
        for sink in self.sinks:
            self._check_name(sink)
        if self.present and not self.sinks and not self.return_token:
            raise InputError(
                f"{place}: nothing would keep the token",
                "give a place (dest, kubeconfig_dest or sinks), or return_token: true",
                code="no_sink",
            )
        if not self.present and not self.sinks and not self.handle:
            raise InputError(
                f"{place}: state absent without a handle or a place has nothing to take away",
                "give the handle, or the places (dest, kubeconfig_dest or sinks)",
                code="no_sink",
            )

    def _check_name(self, sink: DesiredSink) -> None:
        """No Secret is a place and what the token dies with at once."""
        place = self.account.place
        if self.handle and self._is_generation(sink):
            raise InputError(
                f"{place}: the Secret {sink.name} of sinks is called like those of the handle {self.handle}",
                "choose another name",
            )
        if self.bound and self._is_here(sink) and (SECRET, sink.name) == (self.bound.ref.kind, self.bound.ref.name):
            raise InputError(
                f"{place}: the Secret {sink.name} of sinks is what bound_object_ref names, and goes with the token",
                "use handle instead, which makes a Secret to bind the token to, or choose another name",
            )

    def _is_generation(self, sink: DesiredSink) -> bool:
        """Whether a Secret is where those of the handle are, and called like them."""
        return self._is_here(sink) and is_of(str(self.handle), (SECRET.name, sink.name, ""))

    def _is_here(self, sink: DesiredSink) -> bool:
        """Whether it is a Secret beside the account."""
        is_near = sink.connection is None and sink.namespace in (None, self.account.namespace)
        return sink.type == "secret" and is_near

    @property
    def longest(self) -> int:
        """Seconds for which the server may accept the token: a year where it extends a Pod's."""
        asked = self.seconds or _DEFAULT
        is_extended = asked == _EXTENDED and self.bound is not None and self.bound.ref.kind.name == "Pod"
        return _YEAR if is_extended else asked

    def wanted(self, uid: str, bindings: tuple[Binding, ...] | None) -> Wanted:
        """What a stored token is held against.

        Args:
            uid: of the live account; empty if there is none.
            bindings: what a good token may be bound to; None: nothing.
        """
        return Wanted(
            namespace=self.account.namespace,
            service_account=self.account.name,
            uid=uid,
            audiences=self.audiences,
            seconds=self.seconds,
            renew_before=self.renew_before,
            bindings=bindings,
            handle=self.handle,
            not_this=self.renew_if_credential_id,
        )

    @property
    def findings(self) -> list[Finding]:
        """The risks that can be seen in the request."""
        if not self.present:
            return []
        found = [finding for sink in self.sinks for finding in sink.findings]
        if self.seconds is not None and self.seconds > _LONG:
            text = f"a token of {self.account.place} for {self.seconds} seconds lives for over 30 days"
            found.append(Finding("long_lifetime", text, "ask for a shorter one and let it be renewed"))
        return found

    @property
    def warnings(self) -> list[str]:
        """What is allowed and hardly meant."""
        if self.present and self.longest != (self.seconds or _DEFAULT):
            return [
                f"{self.account.place}: the API server may make a year of {_EXTENDED} seconds for a token that is "
                "bound to a Pod: ask for another lifetime"
            ]
        return []


@dataclass(frozen=True)
class Rails:
    """What a task that others fill in must not exceed, whatever its items say.

    Attributes:
        namespaces: where tokens may be minted; None: everywhere.
        seconds: how long they may live; None: as long as the server allows.
    """

    namespaces: tuple[str, ...] | None
    seconds: int | None

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Rails:
        """Read the options of the task.

        Raises:
            InputError: they are no names, or no lifetime.
        """
        namespaces, longest = params["allowed_namespaces"], params["max_expiration_seconds"]
        return cls(
            None if namespaces is None else tuple(_names.namespace(name, "allowed_namespaces") for name in namespaces),
            None if longest is None else seconds(longest, "max_expiration_seconds"),
        )

    def checked(self, desired: DesiredToken) -> DesiredToken:
        """The token, if it does not go beyond.

        Raises:
            InputError: the token does.
        """
        if self.namespaces is not None and desired.account.namespace not in self.namespaces:
            raise InputError(
                f"{desired.account.place}: its namespace is not in allowed_namespaces",
                f"allowed are {', '.join(self.namespaces) or 'none'}",
                code="namespace_not_allowed",
            )
        asked = desired.longest
        if self.seconds is not None and desired.present and asked > self.seconds:
            raise InputError(
                f"{desired.account.place}: a lifetime of {asked} seconds is over max_expiration_seconds "
                f"({self.seconds})",
                "ask for a shorter one (expiration_seconds)",
                code="lifetime_not_allowed",
            )
        return desired


def refuse_shared_places(desired: Sequence[DesiredToken]) -> None:
    """Two tokens in one place would replace each other on every run; a kubeconfig has room for many.

    Raises:
        InputError: a token file, a Secret or a handle is the place of two, or a token file a kubeconfig's place too.
    """
    tenants = files_of([(item.account.place, item.sinks) for item in desired], LIST)
    for item in desired:
        if item.handle:
            tenants[f"handle {item.handle} in {item.account.namespace}"].append(item.account.place)
    refuse_tenants(tenants, LIST)


def _audiences(given: Sequence[str] | None) -> tuple[str, ...]:
    for audience in given or ():
        if not audience:
            raise InputError("audiences: an entry is empty", "leave audiences out for the API server's own")
    return tuple(dict.fromkeys(given or ()))


def _credential_id(given: str | None) -> str | None:
    """As the claim C(jti) has it; kubectl auth whoami and the audit log say C(JTI=) before it."""
    if not given:
        return None
    try:
        return _names.uid(given.strip().removeprefix("JTI="), "renew_if_credential_id")
    except InputError:
        raise InputError(
            f"renew_if_credential_id: {given!r} is not the id of a token",
            "give its claim jti: token_info.credential_id, or what the filter token_claims reads",
        ) from None


def _lifetime(given: object) -> int | None:
    if given is None:
        return None
    asked = seconds(given, "expiration_seconds")
    if not SHORTEST <= asked <= LONGEST:
        raise InputError(
            f"expiration_seconds: {given} is out of range",
            f"the API server takes {SHORTEST} (10 minutes) to {LONGEST} seconds",
        )
    return asked
