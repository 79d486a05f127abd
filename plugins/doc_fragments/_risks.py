# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Risks and who accepts them: the options of module_utils/_findings.py."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  risk_policy:
    description:
      - What to do about a risk that is not named in O(allow_risks).
      - With V(default) some risks fail the task before anything is sent and the others are warnings, see
        O(allow_risks).
      - With V(warn) all are warnings, with V(deny) all fail the task, with V(ignore) none is looked at.
    type: str
    choices:
      - default
      - warn
      - deny
      - ignore
    default: default
  allow_risks:
    description:
      - The risks that are accepted without a word.
      - V(insecure_transport) means that the connection is not encrypted or the API server's certificate not checked.
        By default it is a warning.
      - V(long_lifetime) means that M(tokenwright.kubernetes.k8s_sa_token) is asked for a token of over 30 days.
        By default it fails the task.
      - V(readable_by_others) means that M(tokenwright.kubernetes.k8s_sa_token) is asked to write a token into a file
        that every user of the host may read or write. By default it is a warning.
    type: list
    elements: str
"""
