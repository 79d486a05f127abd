# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_namespace_info: which namespaces have certain labels. Changes nothing.

Source: Kubernetes API, Namespace v1; Labels and Selectors.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from . import _auth, _findings
from ._api import reach
from ._entry import UseCase
from ._errors import InputError
from ._findings import RiskPolicy
from ._kinds import NAMESPACE
from ._namespaces import is_terminating
from ._redact import Secrets
from ._shape import called

# Source: Kubernetes, Labels and Selectors, syntax
_VALUE = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "label_selector": {"type": "raw"},
    # only so that the defaults of the action group may hold it
    "namespace": {"type": "str"},
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:  # noqa: ARG001 - see Run
    """The use case: see the module's documentation for parameters and result."""
    selector, risks = label_selector(params["label_selector"]), RiskPolicy.from_params(params)
    api, warnings = reach(params, secrets, risks)
    found = api.list_all(NAMESPACE, labels=selector, metadata=True)
    names = {ending: [_name(one) for one in found if is_terminating(one) is ending] for ending in (False, True)}
    count, ending = len(names[False]), len(names[True])
    return {
        "changed": False,
        "reason": "gathered",
        "msg": f"{count} namespaces" + (f", and {ending} that are being deleted" if ending else ""),
        "actions": [],
        "namespaces": sorted(names[False]),
        "terminating": sorted(names[True]),
        "requests": api.connection.requests,
        "retries": api.connection.retries,
        **({"warnings": warnings} if warnings else {}),
    }


def label_selector(given: object) -> str:
    """A label selector as the API takes it, from one or from labels that are all to be there.

    Args:
        given: C(team=ci,stage in (test,live)), or C({team: ci}); nothing selects all.

    Raises:
        InputError: it is neither. What the text says is the API server's to judge.
    """
    if given is None:
        return ""
    if isinstance(given, Mapping):
        for label, value in given.items():
            if isinstance(value, bool | Mapping | list):
                raise InputError(
                    f"label_selector: {label} is {called(value)}, not a text",
                    "quote it, or write the selector as a text: stage in (test,live)",
                )
            if not _VALUE.fullmatch("" if value is None else str(value)):
                raise InputError(
                    f"label_selector: {value!r} of {label} is no value of a label",
                    "write a selector with more than labels as a text: team=ci,!protected",
                )
        return ",".join(f"{label}={'' if value is None else value}" for label, value in given.items())
    if not isinstance(given, str):
        raise InputError(f"label_selector is {called(given)}", "write team=ci, or {team: ci}")
    return given.strip()


def _name(namespace: Mapping[str, Any]) -> str:
    return str(namespace["metadata"]["name"])


USE_CASE = UseCase(ARGUMENT_SPEC, run)
