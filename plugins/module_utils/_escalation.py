# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server says when somebody grants more than they hold: the rules that were lacking.

Source: the compact form of a rule in Kubernetes' escalation check (pkg/registry/rbac/validation).
"""

from __future__ import annotations

import json
import re

_SAID = "attempting to grant RBAC permissions not currently held"
# an aggregated role takes up whatever carries its labels, so no list of rules is enough to write one
_SAID_OF_AGGREGATION = "must have cluster-admin privileges"

_FIELDS = {
    "APIGroups": "apiGroups",
    "Resources": "resources",
    "ResourceNames": "resourceNames",
    "NonResourceURLs": "nonResourceURLs",
    "Verbs": "verbs",
}

# texts are quoted as in Go, which for what RBAC objects hold is as in JSON
_TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
_FIELD = re.compile(rf"({'|'.join(_FIELDS)}):\[((?:{_TEXT.pattern} ?)*)\]")
_RULE = re.compile(rf"\{{((?:{_FIELD.pattern}(?:, )?)+)\}}")


def is_escalation(message: str) -> bool:
    """Whether a refusal is one of the escalation check."""
    return _SAID in message or is_about_aggregation(message)


def is_about_aggregation(message: str) -> bool:
    """Whether what was refused is to write an aggregated role."""
    return _SAID_OF_AGGREGATION in message and "aggregationRule" in message


def missing_rules(message: str) -> list[dict[str, list[str]]]:
    """The rules that the caller does not hold, in the API's spelling; what cannot be read is left out."""
    return [_rule(found[1]) for found in _RULE.finditer(message.partition(_SAID)[2])]


def _rule(text: str) -> dict[str, list[str]]:
    return {_FIELDS[name]: _texts(values) for name, values in ((m[1], m[2]) for m in _FIELD.finditer(text))}


def _texts(values: str) -> list[str]:
    found = []
    for text in _TEXT.findall(values):
        try:
            found.append(str(json.loads(text)))
        except ValueError:
            found.append(text.strip('"'))
    return found
