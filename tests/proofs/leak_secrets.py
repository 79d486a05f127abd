# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is looked for in everything a run leaves behind: secrets, in every form in which they could be printed.

This is on purpose not what the collection masks with: a form that is forgotten there must not be forgotten here.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from urllib.parse import quote, quote_plus

TOKEN = re.compile(rb"eyJ[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{4,}\.[A-Za-z0-9_-]{8,}")

# the beginning of any JSON object in base64, and so of every token, known or not, also of one that was cut off
_BEGINNING = re.compile(rb"(?<![A-Za-z0-9+/_-])eyJ[A-Za-z0-9_-]{12,}")

# shorter forms would be found where they are not meant
_SHORTEST = 8


@dataclass(frozen=True)
class Secret:
    """A text that must not be seen.

    Attributes:
        name: what to call it in a report.
        value: the text.
    """

    name: str
    value: str = field(repr=False)

    @property
    def pieces(self) -> tuple[str, ...]:
        """The whole, and those parts that give away as much: of a token all but its header, of others long words."""
        if TOKEN.fullmatch(self.value.encode()):
            return (self.value, *self.value.split(".")[1:])
        # the lines of a key; of a password what is left of it where something has taken it apart
        return (self.value, *re.findall(r"[A-Za-z0-9+/]{20,}", self.value))


def tokens_in(content: bytes) -> set[str]:
    """All tokens in a text."""
    return {match.decode() for match in TOKEN.findall(content)}


def forms(text: str) -> Iterator[tuple[str, str]]:
    """The forms of a text by name: as it is, escaped for JSON (twice), Python and URLs, and in base64."""
    escaped = json.dumps(text)[1:-1]
    yield "raw", text
    yield "JSON", escaped
    yield "JSON", json.dumps(text, ensure_ascii=False)[1:-1]
    yield "JSON in JSON", json.dumps(escaped)[1:-1]
    yield "Python", repr(text)[1:-1]
    yield "URL", quote(text, safe="")
    yield "URL", quote(text)
    yield "URL", quote_plus(text)
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        for offset in range(3):
            yield f"base64 at {offset}", _within(encode(bytes(offset) + text.encode()).decode(), offset)


def _within(encoded: str, offset: int) -> str:
    """Base64 of a text that stands at this offset, without the characters that also hold bits of its neighbours."""
    return encoded.rstrip("=")[offset + 1 if offset else 0 : -1]


class Hunt:
    """Looks for secrets."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        self._needles: dict[bytes, str] = {}
        for secret in secrets:
            for piece in secret.pieces:
                self._add(secret.name, piece)

    def _add(self, name: str, piece: str) -> None:
        for form, text in forms(piece):
            for needle in (text.encode(), _unbroken(text.encode())):
                if len(needle) >= _SHORTEST:
                    self._needles.setdefault(needle, f"{name} ({form})")

    def hits(self, content: bytes) -> set[str]:
        """What was found: names and forms, never the secrets themselves."""
        # the terminal's width breaks long warnings into lines
        unbroken = _unbroken(content)
        found = {hit for needle, hit in self._needles.items() if needle in content or needle in unbroken}
        return found | {"something that begins like a token" for dummy in _BEGINNING.findall(content)}


def _unbroken(content: bytes) -> bytes:
    return b"".join(content.split())
