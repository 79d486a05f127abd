# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter token_claims: its logic is in module_utils/_claims.py, its use in token_claims.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError

from ..module_utils._claims import all_claims
from ..plugin_utils._plain import plain


def token_claims(value: object) -> dict[str, Any]:
    """The claims; what is no token is not repeated in the message, because it may be another secret."""
    text = plain(value)
    claims = all_claims(text.strip()) if isinstance(text, str) else {}
    if not claims:
        raise AnsibleFilterError(
            "the input of token_claims is not a token: give the text of a signed token (JWT), which has three parts "
            "with dots between them"
        )
    return claims


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"token_claims": token_claims}
