# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every part of the kit shares: where things are, how to speak to the user, how to fail. Standard library only."""

from __future__ import annotations

import os
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
CONSTRAINTS = HERE.parent / "constraints.txt"


class KitError(Exception):
    """A failure the user can act on; its text is a sentence that says what failed, why, and what to do."""


def progress(text: str) -> None:
    """Tell the user what is going on; standard output is reserved for results."""
    print(text, file=sys.stderr, flush=True)


def cache_directory() -> Path:
    """The kit's own directory under the user's cache directory (not made here)."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    # The XDG specification says that a relative path is to be ignored.
    root = Path(base) if os.path.isabs(base) else Path.home() / ".cache"
    return root / "tokenwright-kubernetes"


def tail(text: str, lines: int = 15) -> str:
    """The last lines of a log or of a compiler's output, indented to stand out below a message."""
    return "\n".join("    " + line for line in text.rstrip().splitlines()[-lines:])
