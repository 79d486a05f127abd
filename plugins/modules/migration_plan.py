#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Its documentation: it runs in the controller, in plugins/action/migration_plan.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_plan
short_description: Check the list of the playbook migrate_legacy and say what is due
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Checks a list of long-lived tokens that are to be replaced, by the rules of the modules, takes it apart into the
    items that the modules take, and says of each entry how far it is and what is to be done next.
  - Nothing is sent to a cluster, and nothing is remembered. What is known of the cluster is given to it.
  - Ansible does not show the result, because the connection of a token's place may hold a credential; what is
    registered is complete.
options:
  migrations:
    description:
      - The entries, or the JSON or YAML text of such a list. See the option C(migrate_list) of the playbook, which is
        what messages call it.
    type: raw
  until:
    description:
      - How far a run goes (C(migrate_until) in messages).
    type: str
    choices:
      - plan
      - move
      - verify
      - suspend
      - watch
      - delete
    default: watch
  undo:
    description:
      - Whether the entries are to be taken back instead.
    type: bool
    default: false
  unused_for:
    description:
      - For how long a token must be unused before it is suspended (C(migrate_unused_for) in messages), in seconds or as
        V(1d). With V(0), that is not looked at.
    type: raw
    default: 1d
  quiet_for:
    description:
      - For how long a suspended token must be unused before it is deleted (C(migrate_quiet_for) in messages).
    type: raw
    default: 7d
  wait_timeout:
    description:
      - How long new Pods may take (C(migrate_wait_timeout) in messages).
    type: raw
    default: 5m
  legacy_tokens:
    description:
      - What RV(tokenwright.kubernetes.k8s_sa_info#module:legacy_tokens) has found.
    type: list
    elements: dict
  results:
    description:
      - What tasks have done in this run, as they were registered. C(tokens), C(consumers) and C(volumes) for those with
        the items of RV(tokens), RV(consumers) and RV(volumes); C(suspended), C(lifted), C(deleted) and C(restored) for
        those with the items of RV(suspend), RV(lift), RV(delete) and RV(restore).
    type: dict
  owners:
    description:
      - The RV(owners) of the items whose O(results) are given.
    type: dict
  failed_proofs:
    description:
      - Proofs that failed, with what there is to say of it, by RV(proofs[].title). Those that were made when the
        consumers were moved are below C(moved), those that were made after their token was suspended below
        C(suspended).
    type: dict
attributes:
  action:
    description:
      - Runs in the controller.
    support: full
  check_mode:
    description:
      - Takes the O(results) for predictions then.
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
  - module: tokenwright.kubernetes.k8s_sa_info
  - module: tokenwright.kubernetes.k8s_sa_consumer
"""

EXAMPLES = r"""
- name: See which entries a list comes to
  tokenwright.kubernetes.migration_plan:
    until: move
    migrations:
      - secret: scanner-token
        namespace: ci
        service_account: scanner
        tokens:
          - kubeconfig_dest: ~/scanner.kubeconfig
  register: plan

- name: Show the places of the new tokens
  ansible.builtin.debug:
    msg: "{{ plan.tokens | map(attribute='kubeconfig_dest') }}"
"""

RETURN = r"""
namespaces:
  description: The namespaces of the entries.
  returned: success
  type: list
  elements: str
until:
  description: How far a run goes.
  returned: success
  type: str
undo:
  description: Whether the entries are to be taken back.
  returned: success
  type: bool
unused_for:
  description: O(unused_for) in seconds.
  returned: success
  type: int
quiet_for:
  description: O(quiet_for) in seconds.
  returned: success
  type: int
wait_timeout:
  description: O(wait_timeout) in seconds.
  returned: success
  type: int
tokens:
  description: Items of O(tokenwright.kubernetes.k8s_sa_token#module:tokens) that are to be kept, or taken back.
  returned: success
  type: list
  elements: dict
consumers:
  description: Items of O(tokenwright.kubernetes.k8s_sa_consumer#module:workloads).
  returned: success
  type: list
  elements: dict
volumes:
  description: Items of O(tokenwright.kubernetes.k8s_sa_volume#module:workloads).
  returned: success
  type: list
  elements: dict
owners:
  description: To which entries the items of RV(tokens), RV(consumers) and RV(volumes) belong, in their order.
  returned: success
  type: dict
proofs:
  description: The entries whose C(verify_tasks) are to be run.
  returned: success
  type: list
  elements: dict
  contains:
    title:
      description: The namespace and the name of the Secret with a slash between them.
      type: str
      returned: always
    secret:
      description: The name of the Secret.
      type: str
      returned: always
    namespace:
      description: Its namespace.
      type: str
      returned: always
    service_account:
      description: The account.
      type: str
      returned: always
    verify_tasks:
      description: The path of the file.
      type: str
      returned: always
suspend:
  description: Items of O(tokenwright.kubernetes.k8s_legacy_token#module:legacy_tokens) that are to be suspended.
  returned: success
  type: list
  elements: dict
suspended:
  description: The entries whose C(verify_tasks) are to be run once more, because their tokens were just suspended.
  returned: success
  type: list
  elements: dict
is_unseen:
  description: Whether one of these tokens was not seen to be refused, because the API server could not be asked.
  returned: success
  type: bool
lift:
  description: Items of the same module whose suspension is to be lifted, because that failed.
  returned: success
  type: list
  elements: dict
delete:
  description: Items of the same module that are to be deleted.
  returned: success
  type: list
  elements: dict
restore:
  description: Items of the same module that are to be put back, with their places.
  returned: success
  type: list
  elements: dict
leaving:
  description: The entries whose Secrets are used by nothing but Pods that are about to go.
  returned: success
  type: list
  elements: str
lines:
  description: How far each entry is, in lines to print.
  returned: success
  type: list
  elements: str
failure:
  description: Which entries cannot go on and why, in one sentence; empty if all can.
  returned: success
  type: str
suggestions:
  description: An entry for each long-lived token that was found, as lines of YAML.
  returned: success, when O(legacy_tokens) is given
  type: list
  elements: str
msg:
  description: What cannot be right with the list and where, in one sentence.
  returned: failure
  type: str
"""
