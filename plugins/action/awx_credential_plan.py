# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""M(tokenwright.kubernetes.awx_credential_plan): what the role awx_credential writes into AWX, but for the token.

An action, because only the controller knows which collections it has. No secret passes through it.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from typing import Any

from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase

from ..module_utils._awx_credential import DesiredCredential
from ..module_utils._errors import InputError
from ..plugin_utils._plain import plain


class ActionModule(ActionBase):
    """The action."""

    TRANSFERS_FILES = False
    _requires_connection = False
    _supports_check_mode = True
    _supports_async = False
    _VALID_ARGS = frozenset(
        {"collection", "name", "description", "host", "ca_cert", "verify_ssl", "token_info", "cluster"}
    )

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """The description and the fields, if what they depend on is given."""
        super().run(tmp, task_vars)
        args = plain(self._task.args)
        try:
            if args.get("collection"):
                _check_collection(args["collection"])
            desired = _declared(args)
            return {"changed": False, **(_plan(desired, args) if "token_info" in args else {})}
        except InputError as error:
            return {"failed": True, "changed": False, "msg": str(error)}


def _check_collection(name: str) -> None:
    """Without it Ansible would only say that it cannot resolve a name.

    Raises:
        InputError: it is not installed.
    """
    try:
        found = importlib.util.find_spec(f"ansible_collections.{name}")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise InputError(
            f"the collection {name}, which speaks with AWX, is not installed",
            f"ansible-galaxy collection install {name}, or name it in the project's collections/requirements.yml",
        )


def _declared(args: Mapping[str, Any]) -> DesiredCredential:
    """The credential; what is empty is not given, as AWX's surveys have it."""
    texts = {name: str(args.get(name) or "").strip() for name in ("name", "description", "host", "ca_cert")}
    return DesiredCredential(**texts, verify_ssl=_flag(args.get("verify_ssl")))


def _flag(given: object) -> bool:
    if given in (None, ""):
        return True
    try:
        return bool(boolean(given))
    except TypeError:
        raise InputError(f"awx_credential_verify_ssl: {given} is neither true nor false", "give one of them") from None


def _plan(desired: DesiredCredential, args: Mapping[str, Any]) -> dict[str, Any]:
    complete = desired.at(args["cluster"])
    plan = {"description": complete.remembering(args["token_info"]), "inputs": complete.inputs()}
    warnings = complete.warnings()
    return {**plan, "warnings": warnings} if warnings else plan
