# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs M(tokenwright.kubernetes.k8s_namespace_info) in the controller where that is the same thing."""

from __future__ import annotations

from ..module_utils._namespace_list import USE_CASE
from ..plugin_utils._here import SaAction


class ActionModule(SaAction):
    """The action."""

    USE_CASE = USE_CASE
