# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a table shows of a Secret with a token, and since when it is certainly unused."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import Row
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._token_secrets import (
    ACCOUNT,
    ACCOUNT_UID,
    INVALID_SINCE,
    LAST_USED,
    TYPE,
    TokenSecret,
    end_of_day,
    is_token_secret,
    tracked_since,
)


def row(keys: object = 3, **metadata: Any) -> Row:
    plain = {
        "name": "tok", "namespace": "ci", "uid": "u", "creationTimestamp": "2026-03-01T10:00:00Z",
        "annotations": {ACCOUNT: "app", ACCOUNT_UID: "a"},
    }  # fmt: skip
    return Row({**plain, **metadata}, {"Type": TYPE, "Data": keys})


def on(day: str) -> datetime:
    return datetime.fromisoformat(day).replace(tzinfo=timezone.utc)


def test_what_is_seen() -> None:
    secret = TokenSecret.from_row(row(labels={LAST_USED: "2026-04-01", INVALID_SINCE: "2026-05-01"}))
    assert (secret.ref.place, secret.account, secret.account_uid) == ("ci/tok", "app", "a")
    assert (secret.last_used, secret.invalid_since, secret.is_terminating) == ("2026-04-01", "2026-05-01", False)
    assert secret.age(on("2026-03-02")) == 14 * 3600
    assert secret.age(on("2026-01-01")) == 0, "clocks differ"
    assert is_token_secret(row())
    assert not is_token_secret(Row({}, {"Type": "Opaque"}))


def test_labels_without_a_value_say_nothing() -> None:
    secret = TokenSecret.from_row(row(labels={LAST_USED: "", INVALID_SINCE: ""}))
    assert (secret.last_used, secret.invalid_since) == (None, None)


def managed(*keys: str) -> list[dict[str, Any]]:
    return [{"manager": "m", "fieldsV1": {"f:data": {f"f:{key}": {} for key in keys}}}, {"manager": "n"}]


@pytest.mark.parametrize(
    ("keys", "fields", "filled"),
    [
        (3, managed("token", "namespace", "ca.crt"), True),
        (0, [{"manager": "m", "fieldsV1": {"f:type": {}}}], False),
        (2, managed("a", "b"), False),  # what somebody else has put into it
        (3, None, True),
        (2, None, True),  # without a certificate authority
        (1, None, False),
        ("<none>", None, False),
    ],
)
def test_whether_there_is_a_token_in_it(keys: object, fields: list[dict[str, Any]] | None, filled: bool) -> None:
    more = {} if fields is None else {"managedFields": fields}
    assert TokenSecret.from_row(row(keys, **more)).is_filled is filled


@pytest.mark.parametrize(
    ("last_used", "tracked", "since"),
    [
        (None, "2026-01-01", "2026-03-01T10:00:00"),  # since it was made
        (None, "2026-06-01", "2026-06-01"),
        ("2026-07-01", "2026-01-01", "2026-07-02"),  # the day is not over
        ("2026-07-01", "2026-08-01", "2026-08-01"),  # nobody noted what was in between
        ("2026-01-15", "2026-01-01", "2026-03-01T10:00:00"),
        ("2026-07-01", None, None),
        (None, None, None),
        ("yesterday", "2026-01-01", None),
    ],
)
def test_since_when_it_is_unused(last_used: str | None, tracked: str | None, since: str | None) -> None:
    secret = TokenSecret.from_row(row(labels={LAST_USED: last_used} if last_used else {}))
    assert secret.unused_since(on(tracked) if tracked else None) == (on(since) if since else None)


@pytest.mark.parametrize(
    ("config", "since"),
    [
        ({"data": {"since": "2026-01-01"}}, on("2026-01-02")),
        ({"data": {"since": "soon"}}, None),
        ({"data": {}}, None),
        ({}, None),
        (None, None),
    ],
)
def test_since_when_uses_are_noted(config: dict[str, Any] | None, since: datetime | None) -> None:
    assert tracked_since(config) == since


def test_the_last_of_days_has_no_end() -> None:
    assert end_of_day("9999-12-31") is None
