# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Asking the API server whether it accepts a token.

What a token says of itself is no proof: its key may have been replaced, its bound object deleted. Source: Kubernetes
API, TokenReview v1.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime

from ._api import Api
from ._errors import ForbiddenError, ProvisionError

NEVER, AUTO, ALWAYS = MODES = ("never", "auto", "always")

# servers that stand beside the one that minted learn of a new Secret or account a moment later
ACCEPTED_WITHIN = 5.0
# a server remembers an accepted token for 10 s (authentication-token-webhook and loopback caches), and a little more
_REFUSED_WITHIN = 30.0
POLL = 0.5
# what it remembers of tokens that nobody can ask it about is gone after that time
_MEMORY = 10.5


class Reviewer:
    """The TokenReviews of one task; it asks until it learns that it may not."""

    def __init__(self, api: Api) -> None:
        self._api = api
        self._forbidden: ForbiddenError | None = None

    def accepts(self, token: str, audiences: Sequence[str], mode: str) -> bool | None:
        """Whether the server accepts the token; None if nobody wants to know or the caller may not ask.

        Args:
            token: the token.
            audiences: for whom; empty: for the API server itself.
            mode: C(never), C(auto) or C(always).

        Raises:
            ForbiddenError: the caller may not ask, and the mode is C(always).
            ProvisionError: the question was not answered.
        """
        if mode == NEVER:
            return None
        if self._forbidden is None:
            try:
                return self._api.review(token, audiences).authenticated
            except ForbiddenError as error:
                self._forbidden = error
        if mode == ALWAYS:
            raise self._forbidden
        return None

    def now(self) -> datetime:
        """The server's time."""
        return self._api.connection.now()

    def outlast_memory(self, since: float, mode: str) -> None:
        """Wait until the server has forgotten that it accepted tokens; nobody waits who does not want to know.

        Args:
            since: when they were revoked (C(time.monotonic())).
            mode: C(never), C(auto) or C(always).
        """
        if mode != NEVER:
            time.sleep(max(0.0, since + _MEMORY - time.monotonic()))

    def check_right(self, mode: str) -> None:
        """Find out before anything is minted whether its review would be allowed, if it must be.

        Raises:
            ForbiddenError: it would not.
        """
        if mode == ALWAYS:
            self.accepts("no-token", (), mode)

    def accepts_new(self, token: str, audiences: Sequence[str], mode: str) -> bool | None:
        """The same for a token that was minted just now, with patience for servers that do not know it yet."""
        deadline = time.monotonic() + ACCEPTED_WITHIN
        while (answer := self.accepts(token, audiences, mode)) is False and time.monotonic() < deadline:
            time.sleep(POLL)
        return answer

    def seconds_until_refused(self, token: str, audiences: Sequence[str], mode: str) -> float | None:
        """How long it took until the server refused the token; None if nobody wants to know or may ask.

        Raises:
            ForbiddenError: the caller may not ask, and the mode is C(always).
            ProvisionError: it was still accepted after half a minute.
        """
        started = time.monotonic()
        while (answer := self.accepts(token, audiences, mode)) is True:
            if time.monotonic() - started > _REFUSED_WITHIN:
                raise ProvisionError(
                    f"the API server still accepts the token {int(_REFUSED_WITHIN)} seconds after it was revoked",
                    code="still_accepted",
                    hint="see whether the server is healthy, and run the task again",
                )
            time.sleep(POLL)
        return None if answer is None else round(time.monotonic() - started, 1)
