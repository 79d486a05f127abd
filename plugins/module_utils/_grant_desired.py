# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One grant as declared: the options of an item and what they come to, checked before anything is sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from . import _names, _sets
from ._durations import instant
from ._errors import InputError
from ._kinds import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING, Object, Ref
from ._rbac import RULE_OPTIONS, SUBJECT_OPTIONS, Subject, rules_from_options, subjects_from_options

LIST = "bindings"

EXACT, APPEND, REMOVE = MODES = ("exact", "append", "remove")
FAIL, RECREATE, OVERLAP = ROLE_CHANGES = ("fail", "recreate", "overlap")

SELECTOR_OPTIONS: dict[str, dict[str, Any]] = {
    "match_labels": {"type": "dict"},
    "match_expressions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "key": {"type": "str", "no_log": False},
            "operator": {"type": "str", "choices": ["In", "NotIn", "Exists", "DoesNotExist"]},
            "values": {"type": "list", "elements": "str"},
        },
    },
}

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str"},
    "namespace": {"type": "str"},
    "cluster_wide": {"type": "bool", "default": False},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "role": {"type": "str"},
    "cluster_role": {"type": "str"},
    "rules": {"type": "list", "elements": "dict", "options": RULE_OPTIONS},
    "rules_mode": {"type": "str", "choices": list(MODES), "default": EXACT},
    "aggregation_selectors": {"type": "list", "elements": "dict", "options": SELECTOR_OPTIONS},
    "role_name": {"type": "str"},
    "service_accounts": {"type": "list", "elements": "str"},
    "subjects": {"type": "list", "elements": "dict", "options": SUBJECT_OPTIONS},
    "subjects_mode": {"type": "str", "choices": list(MODES), "default": EXACT},
    "on_role_change": {"type": "str", "choices": list(ROLE_CHANGES), "default": FAIL},
    "override_autoupdate": {"type": "bool", "default": False},
    "labels": {"type": "dict"},
    "annotations": {"type": "dict"},
    "expires_at": {"type": "str"},
}

# one of them says which role
_ROLES = ("role", "cluster_role", "rules", "aggregation_selectors")
_MADE = ("rules", "aggregation_selectors")


@dataclass(frozen=True)
class DesiredGrant:
    """One grant as declared.

    Attributes:
        ref: the binding.
        present: whether it is to be there.
        role_ref: the role it refers to; None when only a name was given to delete.
        rules: the role's rules in the API's form; None when they are not ours to say.
        rules_mode: C(exact), C(append) or C(remove).
        aggregation: the role's C(aggregationRule); None when it has none.
        subjects: None when only the role is managed.
        subjects_mode: likewise.
        on_role_change: what to do about a binding that refers to another role: C(fail), C(recreate) or C(overlap).
        override_autoupdate: change also what is marked as not to be changed.
        expires_at: from when on it is to be absent.
    """

    ref: Ref
    present: bool
    role_ref: Ref | None
    rules: tuple[Mapping[str, Sequence[str]], ...] | None
    rules_mode: str
    aggregation: Object | None
    subjects: tuple[Subject, ...] | None
    subjects_mode: str
    on_role_change: str
    override_autoupdate: bool
    labels: Mapping[str, str | None]
    annotations: Mapping[str, str | None]
    expires_at: datetime | None

    @classmethod
    def from_item(cls, item: Mapping[str, Any], set_name: str | None) -> DesiredGrant:
        """Check one merged item.

        Raises:
            InputError: it cannot be right.
        """
        ref = _binding_ref(item)
        expires_at = instant(item["expires_at"], "expires_at") if item["expires_at"] else None
        present = item["state"] == "present"
        rules = None
        if item["rules"] is not None:
            rules = tuple(rules_from_options(item["rules"], cluster_wide=not ref.namespace))
        grant = cls(
            ref=ref,
            present=present,
            role_ref=_role_ref(item, ref, present=present),
            rules=rules,
            rules_mode=item["rules_mode"],
            aggregation=_aggregation(item["aggregation_selectors"], ref),
            subjects=subjects_from_options(item["service_accounts"], item["subjects"], ref.namespace),
            subjects_mode=item["subjects_mode"],
            on_role_change=item["on_role_change"],
            override_autoupdate=item["override_autoupdate"],
            labels={**_names.label_values(item["labels"] or {}), **_sets.label(set_name)},
            annotations={**_names.annotation_values(item["annotations"] or {}), **_sets.expiry_annotation(expires_at)},
            expires_at=expires_at,
        )
        grant._refuse_shared_end()
        if present and not grant.makes_role and grant.subjects is None:
            raise InputError(
                f"{ref.place}: without subjects there is nothing to do", "give service_accounts, subjects or rules"
            )
        return grant

    def _refuse_shared_end(self) -> None:
        """What expires is deleted as a whole, with what others have added to it."""
        for option, mode in (("rules_mode", self.rules_mode), ("subjects_mode", self.subjects_mode)):
            if self.present and self.expires_at and mode != EXACT:
                raise InputError(
                    f"{self.ref.place}: expires_at and {option} {mode} exclude each other: others would lose what is "
                    "theirs as well",
                    "give what expires a name of its own",
                )

    @property
    def makes_role(self) -> bool:
        """Whether the role is ours to write."""
        return self.rules is not None or self.aggregation is not None

    def is_wanted(self, now: datetime) -> bool:
        """Whether it should exist at that instant (an expired grant is an absent one)."""
        return self.present and (self.expires_at is None or now < self.expires_at)


def _binding_ref(item: Mapping[str, Any]) -> Ref:
    name = _names.rbac_name(item["name"])
    if item["cluster_wide"] and item["namespace"] is not None:
        raise InputError(f"{name}: namespace and cluster_wide exclude each other", "say one of the two")
    if item["cluster_wide"]:
        return Ref(CLUSTER_ROLE_BINDING, "", name)
    if item["namespace"] is None:
        raise InputError(
            f"{name}: neither namespace nor cluster_wide is given",
            "name the namespace, or say cluster_wide: true to grant in the whole cluster",
        )
    return Ref(ROLE_BINDING, _names.namespace(item["namespace"]), name)


def _role_ref(item: Mapping[str, Any], ref: Ref, *, present: bool) -> Ref | None:
    given = [option for option in _ROLES if item[option] is not None]
    if len(given) > 1:
        raise InputError(f"{ref.place}: {' and '.join(given)} exclude each other", f"say one of {', '.join(_ROLES)}")
    if item["role_name"] is not None and given and given[0] not in _MADE:
        raise InputError(f"{ref.place}: role_name names a role made from rules", f"leave it out with {given[0]}")
    if not given and present:
        raise InputError(f"{ref.place}: no role is given", f"say one of {', '.join(_ROLES)}")
    if given == ["role"]:
        if not ref.namespace:
            raise InputError(f"{ref.place}: a Role cannot be granted cluster-wide", "use cluster_role or rules")
        return Ref(ROLE, ref.namespace, _names.rbac_name(item["role"], "role"))
    if given == ["cluster_role"]:
        return Ref(CLUSTER_ROLE, "", _names.rbac_name(item["cluster_role"], "cluster_role"))
    name = _names.rbac_name(item["role_name"] or ref.name, "role_name")
    return Ref(ROLE if ref.namespace else CLUSTER_ROLE, ref.namespace, name)


def _aggregation(selectors: Sequence[Mapping[str, Any]] | None, ref: Ref) -> Object | None:
    """The API's C(aggregationRule)."""
    if selectors is None:
        return None
    if ref.namespace:
        raise InputError(
            f"{ref.place}: aggregation_selectors belong to a ClusterRole", "use them with cluster_wide: true"
        )
    if not selectors:
        raise InputError(f"{ref.place}: aggregation_selectors is empty", "name the labels of the roles to collect")
    return {
        "clusterRoleSelectors": [
            _selector(selector, f"aggregation_selectors[{index}]") for index, selector in enumerate(selectors)
        ]
    }


def _selector(given: Mapping[str, Any], option: str) -> Object:
    labels = _names.label_values(given.get("match_labels") or {}, f"{option}.match_labels")
    expressions = [
        {name: value for name, value in one.items() if value is not None}
        for one in given.get("match_expressions") or ()
    ]
    for index, expression in enumerate(expressions):
        if not expression.get("key") or not expression.get("operator"):
            raise InputError(
                f"{option}.match_expressions[{index}]: key and operator are needed",
                "write {key: team, operator: Exists}",
            )
    if not labels and not expressions:
        raise InputError(f"{option} selects every ClusterRole", "name labels")
    found: Object = {"matchLabels": labels} if labels else {}
    return {**found, "matchExpressions": expressions} if expressions else found


def refuse_shared_roles(desired: Sequence[DesiredGrant]) -> None:
    """Two items that write the same role would undo each other on every run, unless all of them only add to it.

    Raises:
        InputError: two do.
    """
    modes: dict[Ref, list[str]] = defaultdict(list)
    for item in desired:
        if item.makes_role and item.present and item.role_ref:
            modes[item.role_ref].append(item.rules_mode)
    for ref, found in modes.items():
        if len(found) > 1 and set(found) not in ({APPEND}, {REMOVE}):
            raise InputError(
                f"{LIST}: {len(found)} entries make {ref}", "give each its own role_name, or let the others use role"
            )
