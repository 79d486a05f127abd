# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secret that a workload is to use, as declared: the options of an item, checked before anything is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from . import _names
from ._durations import seconds
from ._errors import InputError
from ._kinds import SECRET, Ref
from ._pod_templates import changeable

LIST = "workloads"

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "kind": {"type": "str", "default": "Deployment"},
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "to_secret": {"type": "str", "no_log": False},
    "from_secret": {"type": "str", "no_log": False},
    "restart": {"type": "bool", "default": True},
    "wait": {"type": "bool", "default": False},
    "wait_timeout": {"type": "raw", "default": "5m"},
}


@dataclass(frozen=True)
class DesiredSecret:
    """One as declared.

    Attributes:
        ref: the workload.
        secret: the Secret that it is to use.
        former: the name of the one in whose place; None: it uses the other already.
        restart: whether its Pods are replaced when there is another token in the Secret.
        wait_timeout: how long to wait for new Pods; None: not at all.
    """

    ref: Ref
    secret: Ref
    former: str | None
    restart: bool
    wait_timeout: int | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> DesiredSecret:
        """Check one merged item.

        Raises:
            InputError: it cannot be right.
        """
        kind = changeable(item["kind"], "name the other Secret in its manifest, and make it anew")
        namespace = _names.namespace(item["namespace"])
        given = item["from_secret"]
        desired = cls(
            ref=Ref(kind, namespace, _names.object_name(item["name"])),
            secret=Ref(SECRET, namespace, _names.object_name(item["to_secret"], "to_secret")),
            former=None if given is None else _names.object_name(given, "from_secret"),
            restart=item["restart"],
            wait_timeout=seconds(item["wait_timeout"], "wait_timeout") if item["wait"] else None,
        )
        if desired.former == desired.secret.name:
            raise InputError(f"from_secret and to_secret of {desired.ref} are the same", "leave out from_secret")
        return desired

    def __str__(self) -> str:
        return f"Secret {self.secret.name} in {self.ref}"


def refuse_contradictions(items: Sequence[DesiredSecret]) -> None:
    """No Secret of a workload may give way to two others, or to one that gives way itself.

    Raises:
        InputError: one does.
    """
    former: dict[Ref, list[str]] = defaultdict(list)
    for item in items:
        if item.former:
            former[item.ref].append(item.former)
    for item in items:
        names = former[item.ref]
        if item.secret.name in names or (item.former and names.count(item.former) > 1):
            raise InputError(
                f"{LIST}: {item.ref} is to use the Secret {item.secret.name}, and another entry says otherwise",
                "keep one entry for each Secret that gives way",
            )
