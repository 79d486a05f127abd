# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What belongs together and what left: the options of module_utils/_sets.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  set_name:
    description:
      - The name of the set that everything this task declares belongs to. It is stored as the label
        V(tokenwright/set).
      - A label that is there already is not removed when this option is no longer given.
    type: str
  prune:
    description:
      - Whether to delete what carries the label of O(set_name) and is not in the list of this task. It needs both.
      - It deletes only the kinds that this module writes, never a namespace. Nothing is pruned if the list is empty or
        one of its items failed.
      - It looks in all namespaces, or, without the right to list them all, in the namespaces of the list. Who may not
        look there either, or may not delete, gets a failure after the list is done.
    type: bool
    default: false
  prune_namespaces:
    description:
      - The only namespaces in which O(prune) deletes anything; then it deletes nothing that is cluster-wide. For a set
        whose name somebody else may choose.
      - Not given, it deletes in all of them.
    type: list
    elements: str
"""
