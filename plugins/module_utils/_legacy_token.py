# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_legacy_token: a long-lived token Secret, made and waited for, rotated, suspended, taken back.

Whoever can do without should: a TokenRequest token (k8s_sa_token) expires by itself. Source: Kubernetes API, Secret v1,
type kubernetes.io/service-account-token; KEP-2799.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _auth, _bulk, _findings, _sets
from ._api import Api, reach
from ._auth import ConnectionOptions
from ._converge import Snapshot, read
from ._entry import UseCase
from ._errors import Target
from ._findings import RiskPolicy
from ._kinds import SECRET, Object, Ref, uid_of
from ._legacy_desired import ABSENT, ITEM_OPTIONS, LIST, PRESENT, DesiredLegacyToken, refuse_shared_places
from ._legacy_ending import LegacyEnder
from ._legacy_keeping import LegacyKeeper
from ._legacy_ledger import Ledger, taken_from
from ._legacy_rows import ROW_LABEL
from ._legacy_secrets import SecretRow
from ._live_account import living
from ._plan import Outcome
from ._redact import Secrets
from ._reviews import Reviewer
from ._tenants import refuse_shared_entries
from ._workloads import UsesByNamespace
from ._workshop import Placed, Workshop

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **_bulk.ARGUMENT_SPEC,
    **_sets.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}
ARGUMENT_SPEC[LIST]["no_log"] = False


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    set_name = _sets.check(params, LIST)
    risks = RiskPolicy.from_params(params)
    items = _bulk.parse(
        params,
        ITEM_OPTIONS,
        LIST,
        lambda item: DesiredLegacyToken.from_item(item, set_name),
        lambda desired: desired.ref.place,
    )
    refuse_shared_places(items.desired)
    warnings = risks.judge(finding for item in items.desired for finding in item.findings)
    api, said = reach(params, secrets, risks)
    warnings += said
    workshop = Workshop(api, ConnectionOptions.from_params(params), secrets, params["workers"])
    placed = workshop.placed(items.desired)
    refuse_shared_entries([(item.ref.place, sinks) for item, sinks, dummy in placed], LIST)
    wanted = [item.account for item in items.desired if item.state == PRESENT]
    live, reviewer = read(api, wanted, params["workers"]), Reviewer(api)
    used = UsesByNamespace(api, params["workers"])

    def work(token: Placed[DesiredLegacyToken], outcome: Outcome) -> None:
        item, sinks, error = token
        if error:
            raise error
        account = _account(api, item, live, check_mode=check_mode) if item.state == PRESENT else None
        ledger = Ledger(SecretRow(api, item, secrets), outcome, used, check_mode=check_mode)
        if item.state == PRESENT:
            LegacyKeeper(api, item, sinks, outcome, ledger).keep(uid_of(account), reviewer)
            return
        ender = LegacyEnder(api, item, sinks, outcome, ledger)
        ender.end(reviewer) if item.state == ABSENT else ender.suspend(reviewer)

    outcomes = _bulk.run_all(placed, _begin, work, params)
    pruned = _prune(api, params, items.desired, outcomes, used, check_mode=check_mode)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, pruned=pruned, warnings=warnings)


def _begin(token: Placed[DesiredLegacyToken]) -> Outcome:
    ref = token[0].ref
    return Outcome(identity={"name": ref.name, "namespace": ref.namespace}, title=ref.place)


def _account(api: Api, item: DesiredLegacyToken, live: Snapshot, *, check_mode: bool) -> Object | None:
    """The live account; None in check mode if it is still to be made.

    Without it the controller deletes the Secret as soon as it is made.
    """
    target = Target("create", SECRET.plural, "", item.ref.namespace, item.ref.name)
    doing = f"make a token for {item.account.place}"
    return living(api, item.account, live, doing=doing, target=target, check_mode=check_mode)


def _prune(
    api: Api,
    params: Mapping[str, Any],
    desired: Sequence[DesiredLegacyToken],
    outcomes: Sequence[Outcome],
    used: UsesByNamespace,
    *,
    check_mode: bool,
) -> list[Outcome]:
    """Rows that left the set, with all their generations, and a warning of each that a workload uses."""
    kept = {(item.ref.namespace, item.ref.name) for item in desired if item.state != ABSENT}

    def is_kept(secret: Object) -> bool:
        metadata = secret["metadata"]
        return (metadata["namespace"], (metadata.get("labels") or {}).get(ROW_LABEL)) in kept

    def said(secret: Ref) -> list[str]:
        return taken_from(secret, used.of(secret))

    members = [_sets.Members(SECRET, is_kept, ROW_LABEL, bool(kept), said)]
    return _sets.prune(api, params, members, [item.ref.namespace for item in desired], outcomes, check_mode=check_mode)


USE_CASE = UseCase(ARGUMENT_SPEC, run)
