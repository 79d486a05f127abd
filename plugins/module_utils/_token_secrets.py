# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Secrets that hold a long-lived token: what can be seen of one without reading the token. Pure.

Sources: Kubernetes' pkg/serviceaccount/legacy.go and KEP-2799 (labels), pkg/controller/serviceaccount/
tokens_controller.go (annotations, and who fills the Secret).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

from ._durations import instant
from ._kinds import SECRET, Object, Ref, Row

TYPE = "kubernetes.io/service-account-token"
OF_TYPE = f"type={TYPE}"

ACCOUNT = "kubernetes.io/service-account.name"
ACCOUNT_UID = "kubernetes.io/service-account.uid"
LAST_USED = "kubernetes.io/legacy-token-last-used"
INVALID_SINCE = "kubernetes.io/legacy-token-invalid-since"

# in kube-system: since when the server notes the use of long-lived tokens
TRACKING = "kube-apiserver-legacy-service-account-token-tracking"

# the key of a Secret that holds the token
KEY = "token"

# how managedFields begins the name of a field
_FIELD = "f:"

# what the controller adds besides the token: the namespace, and the certificate authority if it knows one
_KEYS = 2

_DAY = timedelta(days=1)


@dataclass(frozen=True)
class TokenSecret:
    """A Secret of that type.

    Attributes:
        ref: its address.
        uid: its uid.
        account: the name of the account that it is for.
        account_uid: the uid of the account whose token it holds; empty before it is filled.
        created_at: on the server's clock.
        is_filled: whether there is a token in it.
        is_terminating: whether it is being deleted, so that its token is refused.
        last_used: the day of the last use that the server noted, as it spells it; None: it noted none.
        invalid_since: since when its token is refused; None: it is not.
        labels: all of them.
        annotations: all of them.
    """

    ref: Ref
    uid: str
    account: str
    account_uid: str
    created_at: datetime
    is_filled: bool
    is_terminating: bool = False
    last_used: str | None = None
    invalid_since: str | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_row(cls, row: Row) -> TokenSecret:
        """As a table shows it."""
        metadata = row.metadata
        labels, annotations = metadata.get("labels") or {}, metadata.get("annotations") or {}
        return cls(
            ref=Ref(SECRET, str(metadata["namespace"]), str(metadata["name"])),
            uid=str(metadata["uid"]),
            account=str(annotations.get(ACCOUNT) or ""),
            account_uid=str(annotations.get(ACCOUNT_UID) or ""),
            created_at=instant(metadata["creationTimestamp"], "creationTimestamp"),
            is_filled=_is_filled(row),
            is_terminating=bool(metadata.get("deletionTimestamp")),
            last_used=labels.get(LAST_USED) or None,
            invalid_since=labels.get(INVALID_SINCE) or None,
            labels=labels,
            annotations=annotations,
        )

    def age(self, now: datetime) -> int:
        """In whole seconds."""
        return max(0, int((now - self.created_at).total_seconds()))

    def unused_since(self, tracked_since: datetime | None) -> datetime | None:
        """Since when the server has certainly seen no use; None: it does not say.

        Uses are noted by the day, so nothing is known of the rest of that day.

        Args:
            tracked_since: since when it notes them all; None: nobody knows, and then a label may be an old one.
        """
        if tracked_since is None:
            return None
        if self.last_used is None:
            return max(self.created_at, tracked_since)
        last = end_of_day(self.last_used)
        return max(self.created_at, tracked_since, last) if last else None


def is_token_secret(row: Row) -> bool:
    """Whether it is of that type, as the table says."""
    return row.cells.get("Type") == TYPE


def tracked_since(config: Object | None) -> datetime | None:
    """What the ConfigMap says, which names a day; None if there is none, or nothing in it that can be read."""
    return end_of_day(str(((config or {}).get("data") or {}).get("since") or ""))


def end_of_day(day: str) -> datetime | None:
    """When a day like C(2026-11-22) is over, in UTC; None if it is none."""
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=timezone.utc) + _DAY
    except (ValueError, OverflowError):
        return None


def keys_by_managers(metadata: Mapping[str, Any]) -> set[str] | None:
    """The keys of a Secret, by whoever manages them, without a look at what they hold; None: nobody says."""
    managed = metadata.get("managedFields")
    if not managed:
        return None
    fields = [(entry.get("fieldsV1") or {}).get("f:data") or {} for entry in managed]
    return {name.removeprefix(_FIELD) for one in fields for name in one if name.startswith(_FIELD)}


def _is_filled(row: Row) -> bool:
    """By whoever manages the key; where that was wiped out, by the number of keys."""
    keys = keys_by_managers(row.metadata)
    if keys is not None:
        return KEY in keys
    try:
        return int(row.cells.get("Data") or 0) >= _KEYS
    except ValueError:
        return False
