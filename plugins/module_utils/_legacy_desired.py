# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One long-lived token as declared: the options of an item and what they come to, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _names, _sets
from ._durations import seconds
from ._errors import InputError
from ._findings import Finding
from ._generations import DELETE
from ._kinds import SECRET, SERVICE_ACCOUNT, Ref
from ._legacy_rows import ON_RETIRE, ROW_LABEL, Rule, number_of
from ._reviews import AUTO, MODES
from ._sinks import SECRET as SINK
from ._sinks import SINK_OPTIONS, DesiredSink, sinks_from_item
from ._tenants import refuse_shared_files

LIST = "legacy_tokens"

PRESENT, SUSPENDED, ABSENT = STATES = ("present", "suspended", "absent")

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "service_account": {"type": "str"},
    "namespace": {"type": "str"},
    "state": {"type": "str", "choices": list(STATES), "default": PRESENT},
    "wait_timeout": {"type": "raw", "default": 30},
    "rotate_after": {"type": "raw"},
    "overlap": {"type": "raw", "default": "1h"},
    "on_retire": {"type": "str", "choices": list(ON_RETIRE), "default": DELETE},
    "unused_for": {"type": "raw"},
    "verify": {"type": "str", "choices": list(MODES), "default": AUTO},
    "sinks": {"type": "list", "elements": "dict", "options": SINK_OPTIONS},
    "dest": {"type": "path"},
    "kubeconfig_dest": {"type": "path"},
    "return_token": {"type": "bool", "default": False, "no_log": False},
    "force": {"type": "bool", "default": False},
}

# the row is the value of a label
_LONGEST = 63

_LONG = 30 * 24 * 3600


@dataclass(frozen=True)
class DesiredLegacyToken:
    """One token as declared.

    Attributes:
        ref: its first Secret, which gives the row its name.
        account: whose token.
        state: one of STATES.
        wait_timeout: seconds that the controller has to fill a Secret.
        rotate_after: the age in seconds from which it is rotated; None: never.
        rule: how older generations retire.
        unused_for: seconds without a use that it takes to be deleted; None: it is deleted in any case.
        verify: whether the server is asked about a token before it is written anywhere, and after it was taken back.
        sinks: its places besides the Secret.
        return_token: whether the result holds it.
        force: overwrite what is not ours.
        labels: of its Secrets.
    """

    ref: Ref
    account: Ref
    state: str
    wait_timeout: int
    rotate_after: int | None
    rule: Rule
    unused_for: int | None
    verify: str
    sinks: tuple[DesiredSink, ...]
    return_token: bool
    force: bool
    labels: Mapping[str, str]

    @classmethod
    def from_item(cls, item: Mapping[str, Any], set_name: str | None = None) -> DesiredLegacyToken:
        """Check one merged item.

        Raises:
            InputError: it cannot be right.
        """
        namespace, row = _names.namespace(item["namespace"]), _names.object_name(item["name"])
        desired = cls(
            ref=Ref(SECRET, namespace, row),
            account=Ref(SERVICE_ACCOUNT, namespace, _names.object_name(item["service_account"], "service_account")),
            state=item["state"],
            wait_timeout=seconds(item["wait_timeout"], "wait_timeout"),
            rotate_after=_rotate_after(item["rotate_after"]),
            rule=Rule(seconds(item["overlap"], "overlap"), item["on_retire"]),
            unused_for=None if item["unused_for"] is None else seconds(item["unused_for"], "unused_for"),
            verify=item["verify"],
            # a place carries no label of a set: another module prunes places by that
            sinks=sinks_from_item(item, {}),
            return_token=item["return_token"],
            force=item["force"],
            labels={ROW_LABEL: row, **_sets.label(set_name)},
        )
        desired._check()
        return desired

    def _check(self) -> None:
        place = self.ref.place
        if self.state == PRESENT and len(self.ref.name) > _LONGEST:
            raise InputError(
                f"name: {self.ref.name!r} is too long", f"use at most {_LONGEST} characters: it is also a label"
            )
        if self.unused_for is not None and self.state != ABSENT:
            raise InputError(f"{place}: unused_for needs state: absent", "it says when a token may be deleted")
        for sink in self.sinks:
            if self.is_in(sink, self.ref.namespace):
                raise InputError(
                    f"{place}: the Secret {sink.name} of sinks is called like one that the cluster fills in",
                    "choose another name, or read the token from the Secret itself",
                )

    def is_in(self, sink: DesiredSink, namespace: str) -> bool:
        """Whether a place is called like one of its own Secrets.

        Args:
            sink: the place.
            namespace: where it is unless it says so.
        """
        is_near = sink.connection is None and (sink.namespace or namespace) == self.ref.namespace
        return sink.type == SINK and is_near and number_of(self.ref.name, sink.name) is not None

    @property
    def findings(self) -> list[Finding]:
        """The risks that can be seen in the request."""
        if self.state != PRESENT:
            return []
        found = [finding for sink in self.sinks for finding in sink.findings]
        if self.rotate_after is None or self.rotate_after > _LONG:
            text = f"the token in {self.ref} never expires and is not rotated within 30 days"
            found.append(Finding("long_lived_token", text, "rotate it (rotate_after), or use k8s_sa_token", self.ref))
        return found


def refuse_shared_places(desired: Sequence[DesiredLegacyToken]) -> None:
    """Two tokens in one file would replace each other on every run, and a place in another's Secret the token there.

    Raises:
        InputError: a token file is the place of two, or a kubeconfig's place too; or a Secret is a place, and called
            like one of another token that the cluster fills in.
    """
    refuse_shared_files([(item.ref.place, item.sinks) for item in desired], LIST)
    for ref, sink in ((item.ref, sink) for item in desired for sink in item.sinks):
        owner = next((other.ref.place for other in desired if other.is_in(sink, ref.namespace)), None)
        if owner:
            raise InputError(
                f"{ref.place}: the Secret {sink.name} of sinks is called like those of {owner}", "choose another name"
            )


def _rotate_after(given: object) -> int | None:
    if given is None:
        return None
    age = seconds(given, "rotate_after")
    if age < 1:
        raise InputError(f"rotate_after: {given} would rotate the token in every run", "write an age, like 30d")
    return age
