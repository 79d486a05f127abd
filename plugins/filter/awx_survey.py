# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter awx_survey: how to use it is in awx_survey.yml."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError

from ..plugin_utils._plain import plain

Question = dict[str, Any]


def awx_survey(
    value: Mapping[str, Any], defaults: Mapping[str, Any] | None = None, without: Sequence[str] | str = ()
) -> dict[str, Any]:
    """The survey with other defaults and fewer questions."""
    survey, answers, left_out = plain(value), plain(defaults or {}), plain(without)
    names = left_out.replace(",", " ").split() if isinstance(left_out, str) else left_out
    asked = [question for question in survey["spec"] if question["variable"] not in names]
    return {**survey, "spec": [_with_default(question, answers) for question in asked]}


def _with_default(question: Question, answers: Mapping[str, Any]) -> Question:
    """The question with the default that AWX would accept as its answer."""
    name = question["variable"]
    if name not in answers:
        return question
    default = _as_answer(question["type"], answers[name])
    choices = question["choices"] or ()
    for word in default.split("\n") if isinstance(default, str) and choices and default else ():
        if word not in choices:
            raise AnsibleFilterError(f"awx_survey_defaults: {name} cannot be {word}: choose {', '.join(choices)}")
    return {**question, "default": default}


def _as_answer(kind: str, given: Any) -> Any:
    """As AWX keeps it: choices as lines, other lists as JSON, which is YAML, and true in small letters."""
    if kind == "integer":
        return int(given)
    if isinstance(given, list) and kind == "multiselect":
        return "\n".join(map(str, given))
    return given if isinstance(given, str) else json.dumps(given)


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"awx_survey": awx_survey}
