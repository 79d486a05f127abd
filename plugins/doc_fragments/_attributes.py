# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module can do; each says how far, and why not further."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
attributes:
  check_mode:
    description:
      - Can run in check mode and predict the change without making it.
  diff_mode:
    description:
      - Returns what changed, or in check mode would change, when run in diff mode.
  idempotent:
    description:
      - A second run with the same options changes nothing, unless something else did in between.
  async:
    description:
      - Can run in the background.
  platform:
    description:
      - The platforms on which the module can run.
    platforms: posix
    support: full
  action_group:
    description:
      - Use V(group/tokenwright.kubernetes.k8s_sa) in V(module_defaults) to set the connection, and whatever else all
        modules of the group know, once for all of them.
    support: full
    membership:
      - tokenwright.kubernetes.k8s_sa
"""
