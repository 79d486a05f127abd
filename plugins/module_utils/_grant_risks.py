# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The risks of what a task grants, before anything of it is written.

Judged is what is declared, so that the first run and the later ones say the same: the rules of the task, or of a role
that is only referred to as it is now. What is taken away is no risk.
"""

from __future__ import annotations

from collections.abc import Sequence

from ._api import Api
from ._errors import ForbiddenError
from ._findings import Finding
from ._grant_desired import REMOVE, DesiredGrant
from ._kinds import CLUSTER_ROLE, Object
from ._plan import Live
from ._rbac import Subject
from ._risk_patterns import WELL_KNOWN, Rule
from ._risks import risks_of_grant


def risks_of_declared(api: Api, grant: DesiredGrant, live: Live) -> list[Finding]:
    """The risks of a grant that should exist, the worst first.

    Args:
        api: the cluster, for the roles that an aggregated one collects.
        grant: the grant as declared.
        live: the role it refers to, if the caller may read it.

    Raises:
        ProvisionError: the roles to collect cannot be read for another reason than a missing right.
    """
    if grant.role_ref is None:
        return []
    holders = _holders(grant)
    rules = _rules(api, grant, live, bound=bool(holders))
    return risks_of_grant(rules, grant.role_ref, [subject.to_api() for subject in holders], grant.ref)


def _holders(grant: DesiredGrant) -> Sequence[Subject]:
    return () if grant.subjects is None or grant.subjects_mode == REMOVE else grant.subjects


def _rules(api: Api, grant: DesiredGrant, live: Live, *, bound: bool) -> Sequence[Rule]:
    if grant.rules is not None:
        return () if grant.rules_mode == REMOVE else grant.rules
    if grant.aggregation is not None:
        return _collected(api, grant.aggregation, grant, live)
    return _referred(grant, live) if bound else ()


def _referred(grant: DesiredGrant, live: Live) -> Sequence[Rule]:
    """The rules of a role that is not ours to write; those of Kubernetes itself are known without reading them."""
    ref = grant.role_ref
    if ref is None:
        return ()
    if ref in live:
        return (live[ref] or {}).get("rules") or ()
    return WELL_KNOWN.get(ref.name, ()) if ref.kind is CLUSTER_ROLE else ()


def _collected(api: Api, aggregation: Object, grant: DesiredGrant, live: Live) -> Sequence[Rule]:
    """The rules that an aggregated role will have, or, if the caller may not look for them, those it has."""
    try:
        found = [
            role
            for selector in aggregation["clusterRoleSelectors"]
            for role in api.list_all(CLUSTER_ROLE, labels=selector_text(selector))
        ]
    except ForbiddenError:
        return _referred(grant, live)
    return [rule for role in found for rule in role.get("rules") or ()]


_OPERATORS = {
    "In": "{key} in ({values})",
    "NotIn": "{key} notin ({values})",
    "Exists": "{key}",
    "DoesNotExist": "!{key}",
}


def selector_text(selector: Object) -> str:
    """A label selector as a request spells it."""
    exact = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    conditions = [
        _OPERATORS[one["operator"]].format(key=one["key"], values=",".join(one.get("values") or ()))
        for one in selector.get("matchExpressions") or ()
    ]
    return ",".join([*exact, *conditions])
