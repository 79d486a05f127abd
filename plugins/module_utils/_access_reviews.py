# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking the API server whether somebody may do something, in the ways that the caller may ask.

Source: Kubernetes API, authorization.k8s.io/v1.
"""

from __future__ import annotations

from dataclasses import replace
from threading import Lock

from ._access_entries import ANYWHERE, EVERYWHERE, Entry
from ._api import Access, Api
from ._errors import ApiError, ForbiddenError
from ._granting import Identity
from ._kinds import LOCAL_SUBJECT_ACCESS_REVIEW, SELF_SUBJECT_ACCESS_REVIEW, SUBJECT_ACCESS_REVIEW, Object

# between two questions about what is not as it should be: caches of the authorizer follow within fractions of a second
POLL = 0.2


class AccessReviewer:
    """The access reviews of one task; what it learns it may not do it does not try again."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._forbidden: ForbiddenError | None = None
        self._own_name: str | None = None
        self._lock = Lock()

    def ask(self, identity: Identity, entry: Entry) -> Access:
        """The server's answer.

        Raises:
            ForbiddenError: the caller may not ask this, in no way.
            ProvisionError: the question was not answered.
        """
        if self._forbidden is None:
            try:
                return self._api.may(SUBJECT_ACCESS_REVIEW, _spec(identity, entry))
            except ForbiddenError as error:
                self._forbidden = error
        if self._is_caller(identity):
            return self._api.may(SELF_SUBJECT_ACCESS_REVIEW, entry.attributes())
        return self._ask_there(identity, entry, self._forbidden)

    def _ask_there(self, identity: Identity, entry: Entry, refusal: ForbiddenError) -> Access:
        """With the right to ask in one namespace only."""
        if entry.asked.url or entry.namespace in (EVERYWHERE, ANYWHERE):
            raise refusal
        try:
            return self._api.may(LOCAL_SUBJECT_ACCESS_REVIEW, _spec(identity, entry), entry.namespace)
        except ForbiddenError:
            there = f"or localsubjectaccessreviews in namespace {entry.namespace}"
            raise replace(refusal, hint=f"{refusal.hint}, {there}") from None

    def _is_caller(self, identity: Identity) -> bool:
        """Whether the connection is theirs: everybody may ask about themselves."""
        with self._lock:
            if self._own_name is None:
                try:
                    self._own_name = self._api.whoami()
                except ApiError:
                    self._own_name = ""  # a server before 1.28 cannot be asked
            return self._own_name == identity.user


def _spec(identity: Identity, entry: Entry) -> Object:
    return {"user": identity.user, "groups": list(identity.groups), **entry.attributes()}
