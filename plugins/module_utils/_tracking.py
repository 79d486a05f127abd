# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Since when the server notes the use of long-lived tokens. Source: KEP-2799."""

from __future__ import annotations

from datetime import datetime

from ._api import Api
from ._errors import ForbiddenError
from ._kinds import CONFIG_MAP, Ref
from ._token_secrets import TRACKING, tracked_since

_REF = Ref(CONFIG_MAP, "kube-system", TRACKING)


def tracking_start(api: Api) -> tuple[datetime | None, str]:
    """Since when; None if that cannot be known, and a sentence that says why."""
    try:
        config = api.get(_REF)
    except ForbiddenError:
        return None, f"the caller may not get {_REF}, which says since when the use of long-lived tokens is noted"
    since = tracked_since(config)
    if since is None:
        return None, f"{_REF} does not say since when the use of long-lived tokens is noted"
    return since, ""
