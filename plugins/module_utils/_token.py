# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_token: a TokenRequest token, kept good in the places that need it, and taken back.

Every TokenRequest mints a live token, also with dryRun, so nothing is asked for unless a stored token fails the reuse
predicate, and never in check mode. Source: Kubernetes API, TokenRequest v1; KEP-1205.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _auth, _bulk, _findings, _sets
from ._api import Api, reach
from ._auth import ConnectionOptions
from ._binders import Binder, ToHandle, ToObject, Unbound
from ._converge import Snapshot, read
from ._entry import UseCase
from ._errors import Target
from ._findings import RiskPolicy
from ._handles import HANDLE_LABEL, Handle
from ._keeping import Keeper
from ._kinds import SECRET, Object, uid_of
from ._live_account import living
from ._minting import Mint, Order
from ._plan import Outcome
from ._redact import Secrets
from ._reviews import Reviewer
from ._revoking import Revoker
from ._secret_sink import SINK_LABEL
from ._tenants import refuse_shared_entries
from ._token_desired import ITEM_OPTIONS, LIST, RAIL_OPTIONS, DesiredToken, Rails, refuse_shared_places
from ._workshop import Placed, Workshop

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **RAIL_OPTIONS,
    **_bulk.ARGUMENT_SPEC,
    **_sets.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}
ARGUMENT_SPEC[LIST]["no_log"] = False


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    set_name = _sets.check(params, LIST)
    risks, rails = RiskPolicy.from_params(params), Rails.from_params(params)
    items = _bulk.parse(
        params, ITEM_OPTIONS, LIST, lambda item: rails.checked(DesiredToken.from_item(item, set_name)), identity=None
    )
    refuse_shared_places(items.desired)
    warnings = risks.judge(finding for item in items.desired for finding in item.findings)
    warnings += [warning for item in items.desired for warning in item.warnings]
    api, said = reach(params, secrets, risks)
    warnings += said
    workshop = Workshop(api, ConnectionOptions.from_params(params), secrets, params["workers"])
    placed = workshop.placed(items.desired)
    refuse_shared_entries([(item.account.place, sinks) for item, sinks, dummy in placed], LIST)
    live = read(api, [item.account for item in items.desired], params["workers"])
    reviewer = Reviewer(api)

    def work(token: Placed[DesiredToken], outcome: Outcome) -> None:
        item, sinks, error = token
        if error:
            raise error
        if not item.present:
            uid = uid_of(live[item.account]) if item.account in live else None
            revoker = Revoker(item, sinks, outcome, handle=_handle(api, item), uid=uid)
            revoker.predict(reviewer) if check_mode else revoker.revoke(reviewer)
            return
        account = _account(api, item, live, check_mode=check_mode)
        mint = Mint(api, Order(item.account, item.audiences, item.seconds, item.handle), secrets)
        keeper = Keeper(api, item, sinks, outcome, binder=_binder(api, item, outcome), mint=mint)
        keeper.predict(account, reviewer) if check_mode or account is None else keeper.keep(account, reviewer)
        if item.return_token:
            outcome.returned["cluster"] = workshop.cluster(item.account.namespace)

    outcomes = _bulk.run_all(placed, _begin, work, params)
    pruned = _prune(api, params, items.desired, outcomes, check_mode=check_mode)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, pruned=pruned, warnings=warnings)


def _begin(token: Placed[DesiredToken]) -> Outcome:
    item = token[0]
    identity = {"service_account": item.account.name, "namespace": item.account.namespace}
    return Outcome(identity=identity, title=item.account.place)


def _account(api: Api, item: DesiredToken, live: Snapshot, *, check_mode: bool) -> Object | None:
    """The live account; None in check mode if it is still to be made."""
    ref = item.account
    target = Target("create", "serviceaccounts/token", "", ref.namespace, ref.name)
    return living(api, ref, live, doing=f"mint a token for {ref.place}", target=target, check_mode=check_mode)


def _handle(api: Api, item: DesiredToken) -> Handle | None:
    return Handle(api, item.account, item.handle, item.labels) if item.handle else None


def _binder(api: Api, item: DesiredToken, outcome: Outcome) -> Binder:
    handle = _handle(api, item)
    if handle:
        return ToHandle(api, handle, item.overlap, outcome)
    return ToObject(api, item.account, item.bound, outcome) if item.bound else Unbound()


def _prune(
    api: Api,
    params: Mapping[str, Any],
    desired: Sequence[DesiredToken],
    outcomes: Sequence[Outcome],
    *,
    check_mode: bool,
) -> list[Outcome]:
    """Handles and Secrets that left the set, with them the tokens that were bound to the handles."""
    handles = {(item.account.namespace, item.handle) for item in desired if item.handle and item.present}
    secrets = {
        (sink.namespace or item.account.namespace, sink.name)
        for item in desired
        for sink in item.sinks
        if sink.type == "secret" and item.present
    }

    def is_kept(secret: Object) -> bool:
        metadata = secret["metadata"]
        handle = (metadata.get("labels") or {}).get(HANDLE_LABEL)
        return (metadata["namespace"], handle) in handles or (metadata["namespace"], metadata["name"]) in secrets

    has_secrets = bool(handles or secrets)
    members = [_sets.Members(SECRET, is_kept, label, has_secrets) for label in (SINK_LABEL, HANDLE_LABEL)]
    namespaces = [item.account.namespace for item in desired]
    return _sets.prune(api, params, members, namespaces, outcomes, check_mode=check_mode)


USE_CASE = UseCase(ARGUMENT_SPEC, run)
