# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The live account that a token is to be of, or why there is none."""

from __future__ import annotations

from ._api import Api
from ._converge import Snapshot
from ._errors import ApiError, ForbiddenError, Target
from ._kinds import Object, Ref
from ._namespaces import is_terminating, namespace_ref


def living(api: Api, ref: Ref, live: Snapshot, *, doing: str, target: Target, check_mode: bool) -> Object | None:
    """The account; None in check mode if it is still to be made.

    Args:
        api: the cluster.
        ref: the account.
        live: what was read.
        doing: what cannot be done without it, for the message.
        target: the same as a request.
        check_mode: an account that is missing is then one that an earlier task would have made.

    Raises:
        ApiError: there is none.
    """
    account = live[ref]
    if account is not None and is_terminating(account):
        raise ApiError(f"{ref} is being deleted", code="terminating", hint="wait until it is gone and make it anew")
    if account is None and not check_mode:
        namespace = _namespace_error(api, ref.namespace)
        raise ApiError(
            f"cannot {doing}: {namespace or 'the account does not exist'}",
            code="namespace_missing" if namespace else "account_missing",
            target=target,
            hint="create it first (k8s_sa with create_namespace)"
            if namespace
            else "create it first (k8s_sa), or correct name and namespace",
        )
    return account


def _namespace_error(api: Api, name: str) -> str:
    """Whether it is the namespace that is missing; who may not look is told of the account."""
    try:
        return "" if api.get(namespace_ref(name)) else f"namespace {name} does not exist"
    except ForbiddenError:
        return ""
