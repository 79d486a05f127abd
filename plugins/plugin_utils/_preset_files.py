# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The presets that the role brings along: a file for each, read when a list names it."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).resolve().parents[2] / "roles" / "service_accounts" / "files" / "presets"


def shipped(wanted: Collection[str]) -> dict[str, Any]:
    """All of them by their names, with the content of those that are wanted; None for the others."""
    files = {path.stem: path for path in sorted(DIRECTORY.glob("*.yml"))}
    return {name: yaml.safe_load(path.read_text("utf-8")) if name in wanted else None for name, path in files.items()}
