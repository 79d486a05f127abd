# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What may be said: every string that leaves a module passes here.

Ansible's own masks do not cover warnings, deprecations and exceptions (ansible-core 2.19 and later print them as they
are, even under C(no_log)), so texts are scrubbed before they are handed over.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, quote_plus

MASK = "********"

# shorter values would mangle unrelated text ("ci" in every second word) and are no credentials anyway
_MIN_LENGTH = 8

_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{8,}")
_BEARER = re.compile(r"(?i)\b(bearer)\s+[A-Za-z0-9._~+/=-]{8,}")
_BASIC = re.compile(r"(?i)\b(basic)\s+([A-Za-z0-9+/_-]{8,}={0,2})")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)


class Secrets:
    """The secrets seen in one task, in every form in which they could be printed."""

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._forms: set[str] = set()
        self._pattern: re.Pattern[str] | None = None
        for value in values:
            self.add(value)

    def __repr__(self) -> str:
        return f"Secrets({len(self._forms)} forms)"

    def add(self, value: str | None) -> None:
        """Remember a secret (raw text). Values under eight characters are ignored."""
        if value and len(value) >= _MIN_LENGTH:
            self._forms.update(form for form in _forms(value) if len(form) >= _MIN_LENGTH)
            self._pattern = None

    def scrub(self, text: str) -> str:
        """The text without any known secret, bearer or basic credential, JWT or private key; in encodable letters."""
        if self._forms:
            text = self._known().sub(MASK, text)
        # all these have words on both sides of a space; most strings of a result are a single word
        if len(text.split(None, 1)) > 1:
            text = _PRIVATE_KEY.sub(MASK, text)
            text = _BEARER.sub(lambda match: f"{match.group(1)} {MASK}", text)
            text = _BASIC.sub(_without_credentials, text)
        return _sayable(_JWT.sub(MASK, text))

    def scrub_value(self, value: Any) -> Any:
        """The same for a JSON-like value: keys and values."""
        if isinstance(value, str):
            return self.scrub(value)
        if isinstance(value, Mapping):
            return {self.scrub_value(key): self.scrub_value(item) for key, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.scrub_value(item) for item in value]
        return value

    def _known(self) -> re.Pattern[str]:
        if self._pattern is None:
            # longest first: a prefix must not leave the rest of a longer secret behind
            ordered = sorted(self._forms, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, ordered)))
        return self._pattern


def _without_credentials(match: re.Match[str]) -> str:
    """C(basic) with what follows it masked, unless that is a word ("basic authentication")."""
    return f"{match.group(1)} {MASK}" if _is_user_and_password(match.group(2)) else match.group()


def _is_user_and_password(encoded: str) -> bool:
    """Whether base64, possibly cut off, says C(user:password); a user has no control characters, a word often does."""
    text = encoded.rstrip("=").replace("-", "+").replace("_", "/")
    text = text[: -1 if len(text) % 4 == 1 else None]
    user, colon, dummy = base64.b64decode(text + "=" * (-len(text) % 4)).partition(b":")
    return bool(colon) and all(byte >= 0x20 for byte in user)


def _sayable(text: str) -> str:
    """Lone surrogates (from file names, from YAML) cannot be printed."""
    return text if text.isascii() else text.encode(errors="replace").decode()


def _forms(value: str) -> set[str]:
    """Raw, JSON-escaped, URL-escaped, and base64 at its three alignments within a longer text."""
    data = value.encode("utf-8", "surrogatepass")
    forms = {value, value.strip(), json.dumps(value)[1:-1], quote(data, safe=""), quote_plus(data)}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        alone = encode(data).decode().rstrip("=")
        # within a longer text the last character also holds bits of what follows
        forms |= {alone, alone[:-1]}
        for pad in (1, 2):
            # characters that mix with the unknown neighbours before and after are cut off
            encoded = encode(b"\0" * pad + data).decode().rstrip("=")
            forms.add(encoded[pad + 1 : -1])
    return forms
