# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A kubeconfig that works on its own, wherever it is copied to. Standard library only."""

from __future__ import annotations

import base64
import json
from pathlib import Path


def render(server: str, authority: Path, user: str, certificate: Path, key: Path) -> str:
    """The text of a kubeconfig with one context, ``kit``, that holds the certificates themselves."""
    return f"""\
apiVersion: v1
kind: Config
current-context: kit
contexts:
- name: kit
  context: {{cluster: kit, user: {json.dumps(user)}}}
clusters:
- name: kit
  cluster:
    server: {server}
    certificate-authority-data: {_encoded(authority)}
users:
- name: {json.dumps(user)}
  user:
    client-certificate-data: {_encoded(certificate)}
    client-key-data: {_encoded(key)}
"""


def _encoded(path: Path) -> str:
    return base64.b64encode(path.read_bytes()).decode()
