#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Its documentation: it runs in the controller, in plugins/action/account_items.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: account_items
short_description: Check a list of accounts and take it apart into the items of the modules
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Takes the list of the role P(tokenwright.kubernetes.service_accounts#role) apart into the lists that the modules of
    this collection take, and fills in what grants and tokens leave open. What an account has by a preset is among them.
  - The whole list is checked by the rules of the modules. Nothing is sent to a cluster.
  - Ansible does not show the result, because the connection of a token's place may hold a credential; what is
    registered is complete.
options:
  accounts:
    description:
      - Accounts with their C(grants), C(tokens), C(legacy_tokens), C(volumes) and C(access), or the JSON or YAML text
        of such a list.
      - See the option C(service_accounts_list) of the role, which is what messages call it.
    type: raw
  presets:
    description:
      - Presets that the list may name, besides those that the role P(tokenwright.kubernetes.service_accounts#role)
        brings along (C(service_accounts_presets) in messages), by their names. See that option of the role.
    type: dict
  set_name:
    description:
      - The set that the tasks to come work on (C(service_accounts_set) in messages).
    type: str
  prune:
    description:
      - Whether they are to delete what left the set (C(service_accounts_prune) in messages), which then has to have a
        name.
    type: bool
    default: false
  allowed_namespaces:
    description:
      - The only namespaces that accounts, grants and the Secrets of tokens may be in; a list that reaches further, also
        by a cluster-wide grant, is refused. Meant for a list that others fill in.
      - Not given, all may.
    type: list
    elements: str
  selected_namespaces:
    description:
      - The namespaces that the list is repeated in, as far as it leaves that open - accounts without a C(namespace),
        and elements of the lists of others that mention C(<selected_namespace>). It is what
        C(service_accounts_namespace_selector) of the role selects.
      - Not given, every account needs a namespace.
    type: list
    elements: str
attributes:
  action:
    description:
      - Runs in the controller.
    support: full
  check_mode:
    description:
      - Does the same in check mode.
    support: full
  diff_mode:
    description:
      - There is nothing to compare.
    support: none
  idempotent:
    description:
      - Never changes anything.
    support: full
seealso:
  - plugin: tokenwright.kubernetes.account_summary
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Read the list
  tokenwright.kubernetes.account_items:
    accounts:
      - name: deployer
        namespace: ci
        grants:
          - cluster_role: edit
  register: items

- name: Show the grants that it comes to
  ansible.builtin.debug:
    msg: "{{ items.bindings }}"
  # A binding called deployer in ci, for the account ci/deployer.
"""

RETURN = r"""
present:
  description:
    - Items of O(tokenwright.kubernetes.k8s_sa#module:accounts) that should be there. An account whose C(expires_at)
      has passed on the controller's clock should not.
  returned: success
  type: list
  elements: dict
absent:
  description: Items of O(tokenwright.kubernetes.k8s_sa#module:accounts) that should not be there.
  returned: success
  type: list
  elements: dict
bindings:
  description: Items of O(tokenwright.kubernetes.k8s_sa_binding#module:bindings), of all accounts.
  returned: success
  type: list
  elements: dict
tokens:
  description:
    - Items of O(tokenwright.kubernetes.k8s_sa_token#module:tokens), of all accounts, each with its C(state). It is
      V(absent) for all tokens of an account that should not be there.
  returned: success
  type: list
  elements: dict
legacy_tokens:
  description:
    - Items of O(tokenwright.kubernetes.k8s_legacy_token#module:legacy_tokens), of all accounts, each with its C(state)
      like those of RV(tokens).
  returned: success
  type: list
  elements: dict
volumes:
  description:
    - Items of O(tokenwright.kubernetes.k8s_sa_volume#module:workloads), of all accounts, each with its C(state) like
      those of RV(tokens).
  returned: success
  type: list
  elements: dict
access:
  description: Items of O(tokenwright.kubernetes.k8s_sa_access#module:accounts), of the accounts that should be there.
  returned: success
  type: list
  elements: dict
presets:
  description: The presets that the list names, as data. P(tokenwright.kubernetes.account_summary#filter) wants them.
  returned: success
  type: dict
msg:
  description: What cannot be right with the list and where, in one sentence.
  returned: failure
  type: str
"""
