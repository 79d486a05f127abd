# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a list of items is worked on: the options of module_utils/_bulk.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  workers:
    description:
      - How many items of a list are worked on at the same time, from V(1) to V(64).
    type: int
    default: 8
  fail_fast:
    description:
      - Whether to begin with no other item of a list after one has failed. Items that were not begun are reported as
        V(skipped) in RV(outcomes[].status).
      - By default all items are tried. Either way the task fails if one of them does, nothing is rolled back, and the
        next run goes on from what is there.
    type: bool
    default: false
"""
