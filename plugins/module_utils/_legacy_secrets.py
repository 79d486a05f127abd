# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The Secrets of a row on the server: reading them without their tokens, making one, and waiting until it is filled.

C(data) is never sent, so that no update can take a token away, and no Secret is entered in C(secrets) of its account,
which would give it to the server's clean-up. Source: Kubernetes' pkg/controller/serviceaccount/tokens_controller.go.
"""

from __future__ import annotations

import time

from ._api import Api
from ._errors import AlreadyExistsError, AmbiguousError, ApiError, ConflictError, NotFoundError, OvertakenError
from ._kinds import SECRET, Object, Ref, Row, skeleton, uid_of
from ._legacy_desired import DesiredLegacyToken
from ._legacy_rows import ROW_LABEL, Generation, generations, head_of, is_dead, name_of
from ._redact import Secrets
from ._secret_formats import decoded
from ._token_secrets import ACCOUNT, ACCOUNT_UID, KEY, OF_TYPE, TYPE, TokenSecret, is_token_secret

# a healthy controller takes some 15 ms
_FIRST_PAUSE = 0.02
_LONGEST_PAUSE = 1.0
# after that time it is worth a look whether the Secret can be filled at all
_PATIENCE = 0.3
# how long a healthy controller may take to delete what is of an account that is gone
_SETTLED_WITHIN = 0.7
_POLL = 0.1


class SecretRow:
    """The row of one item."""

    def __init__(self, api: Api, desired: DesiredLegacyToken, secrets: Secrets) -> None:
        self._api = api
        self._desired = desired
        self._secrets = secrets

    def read(self) -> list[Generation]:
        """All generations, in order.

        Raises:
            ApiError: a Secret of the row's name is something else.
        """
        desired = self._desired
        found = [TokenSecret.from_row(row) for row in self._api.rows(SECRET, desired.ref.namespace, fields=OF_TYPE)]
        for secret in found:
            label = secret.labels.get(ROW_LABEL)
            if secret.ref == desired.ref and label not in (None, desired.ref.name):
                raise ApiError(
                    f"{secret.ref} is a generation of the token {label}",
                    code="name_taken",
                    hint="choose another name, or name that token",
                )
        row = generations(desired.ref.name, found)
        for one in row:
            self._check_account(one.secret)
        return row

    def read_settled(self, account_uid: str) -> list[Generation]:
        """The same for an account that is there: what is of one before it is on its way out.

        Raises:
            ApiError: it stays.
        """
        deadline = time.monotonic() + _SETTLED_WITHIN
        while True:
            row = self.read()
            dead = [one for one in row if is_dead(one, account_uid) and one.superseded_at is None]
            if not dead or head_of(row, account_uid):
                return row
            if time.monotonic() > deadline:
                raise ApiError(
                    f"{dead[-1].secret.ref} is of another uid: the account {self._desired.account.place} was recreated",
                    code="account_recreated",
                    hint="delete the Secret; see whether kube-controller-manager runs, which should have done so",
                )
            time.sleep(_POLL)

    def _check_account(self, secret: TokenSecret) -> None:
        if secret.account != self._desired.account.name:
            raise ApiError(
                f"{secret.ref} is for the account {secret.account or 'of no name'}, not {self._desired.account.name}",
                code="other_account",
                hint="correct name or service_account, or choose another name",
            )

    def free(self, number: int) -> Ref:
        """The address of the Secret that C(create) would make, as far as it can be known before."""
        while True:
            ref = self._ref(number)
            row = self._api.row(ref)
            if row is None:
                return ref
            self._check_taken(ref, row)
            number += 1

    def create(self, number: int, account_uid: str) -> Generation:
        """Make the Secret with this number, or the next one that is free; the controller fills it.

        Raises:
            OvertakenError: another run has made it.
            ApiError: it cannot be made.
        """
        while True:
            ref = self._ref(number)
            try:
                return self._made(self._api.create(ref, self._body(ref, account_uid)), number)
            except AlreadyExistsError as error:
                row = self._api.row(ref)
                if row and self._is_of_row(row):
                    raise OvertakenError(error.what, error.code, error.hint, error.target, error.http_status) from None
                if row:
                    self._check_taken(ref, row)
                number += 1
            except AmbiguousError:
                row = self._api.row(ref)
                if row and self._is_of_row(row):
                    return Generation(TokenSecret.from_row(row), number)
                raise

    def _made(self, created: Object, number: int) -> Generation:
        """The answer to a create holds no token yet; it is read as a table shows it."""
        return Generation(TokenSecret.from_row(Row(created["metadata"], {})), number)

    def _is_of_row(self, row: Row) -> bool:
        label = (row.metadata.get("labels") or {}).get(ROW_LABEL)
        is_alive = not row.metadata.get("deletionTimestamp")
        is_adoptable = label is None and row.metadata["name"] == self._desired.ref.name
        return is_token_secret(row) and is_alive and (label == self._desired.ref.name or is_adoptable)

    def _check_taken(self, ref: Ref, row: Row) -> None:
        """A later number may be passed by; the name that the user has chosen may not."""
        if ref == self._desired.ref and not is_token_secret(row):
            raise ApiError(
                f"{ref} is of the type {row.cells.get('Type')}, not {TYPE}",
                code="other_type",
                hint="choose another name, or delete it: the type of a Secret cannot be changed",
            )

    def _ref(self, number: int) -> Ref:
        return Ref(SECRET, self._desired.ref.namespace, name_of(self._desired.ref.name, number))

    def _body(self, ref: Ref, account_uid: str) -> Object:
        body = skeleton(ref)
        # the uid makes the controller refuse an account that was recreated since it was read
        annotations = {ACCOUNT: self._desired.account.name, ACCOUNT_UID: account_uid}
        body["metadata"] |= {"labels": dict(self._desired.labels), "annotations": annotations}
        return {**body, "type": TYPE}

    def wait(self, generation: Generation) -> Generation:
        """The same generation when it is filled.

        Raises:
            ApiError: it was not filled in time, cannot be filled, or is gone.
        """
        ref, started, pause, looked = generation.secret.ref, time.monotonic(), _FIRST_PAUSE, False
        while True:
            row = self._api.row(ref)
            if row is None or row.metadata["uid"] != generation.secret.uid:
                raise self._gone(ref, generation.secret.account_uid)
            secret = TokenSecret.from_row(row)
            if secret.is_filled:
                return Generation(secret, generation.number)
            waited = time.monotonic() - started
            if waited > _PATIENCE and not looked:
                self._check_fillable(ref, secret.account_uid)
                looked = True
            if waited > self._desired.wait_timeout:
                raise self._unfilled(ref)
            time.sleep(min(pause, max(0.0, self._desired.wait_timeout - waited) + _FIRST_PAUSE))
            pause = min(pause * 2, _PATIENCE if not looked else _LONGEST_PAUSE)

    def _check_fillable(self, ref: Ref, account_uid: str) -> None:
        """What the controller would trip over.

        Raises:
            ApiError: the Secret is immutable, or its account is gone.
        """
        if (self._api.get(ref) or {}).get("immutable"):
            raise ApiError(
                f"{ref} is immutable and holds no token: nobody can put one into it",
                code="immutable",
                hint="delete it, or choose another name",
            )
        cause = self._cause(account_uid)
        if cause:
            raise ApiError(f"no token can come into {ref}: {cause[0]}", code=cause[1], hint=cause[2])

    def _gone(self, ref: Ref, account_uid: str) -> ApiError:
        """Who has deleted a Secret, by what is there."""
        cause = self._cause(account_uid)
        if cause:
            return ApiError(f"the token controller has deleted {ref}: {cause[0]}", code=cause[1], hint=cause[2])
        return ApiError(
            f"{ref} was deleted while its token was wanted", code="secret_removed", hint="see who deletes it"
        )

    def _cause(self, account_uid: str) -> tuple[str, str, str] | None:
        """Why the controller would delete a Secret of this uid: in words, in one word, and what to do."""
        account = self._api.get(self._desired.account)
        if account is None:
            return f"{self._desired.account} does not exist", "account_missing", "create it first (k8s_sa)"
        if account_uid and uid_of(account) != account_uid:
            return f"{self._desired.account} was recreated", "account_recreated", "run the task again"
        return None

    def _unfilled(self, ref: Ref) -> ApiError:
        return ApiError(
            f"no token came into {ref} within {self._desired.wait_timeout} seconds",
            code="no_token_controller",
            hint="see whether kube-controller-manager runs and signs tokens (--service-account-private-key-file); "
            "some clusters have no long-lived tokens: use k8s_sa_token there",
        )

    def token(self, generation: Generation) -> str:
        """The token in a filled Secret.

        Raises:
            ApiError: the Secret is gone.
        """
        ref = generation.secret.ref
        secret = self._api.get(ref)
        token = decoded((secret or {}).get("data")).get(KEY)
        if not token:
            raise self._gone(ref, generation.secret.account_uid)
        self._secrets.add(token)
        return token

    def patch(self, generation: Generation, metadata: Object) -> bool:
        """Change labels and annotations; False if the Secret is gone or another one by now."""
        try:
            self._api.patch(generation.secret.ref, {"metadata": {"uid": generation.secret.uid, **metadata}})
        except (NotFoundError, ConflictError):
            return False
        return True

    def delete(self, generation: Generation) -> None:
        """Take the token of this generation back."""
        self._api.delete(generation.secret.ref, uid=generation.secret.uid)
