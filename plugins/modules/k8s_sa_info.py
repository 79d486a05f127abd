#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa_info
short_description: List the long-lived tokens of Kubernetes service accounts
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Lists every Secret with a long-lived token, of a cluster or of some namespaces, with its age, the day on which the
    token was last used, whether it is suspended, which workloads have it mounted or in their environment, and whether
    it is orphaned or empty.
  - Secrets are listed as the API server prints them in tables, so that no token is ever read.
  - Each kind is read with one paged list, for the whole cluster or for each of the O(namespaces).
  - Never changes anything.
extends_documentation_fragment:
  - tokenwright.kubernetes._attributes
  - tokenwright.kubernetes._risks
  - tokenwright.kubernetes._connection
attributes:
  check_mode:
    support: full
    details:
      - There is no difference.
  diff_mode:
    support: N/A
    details:
      - There is nothing to show, as nothing changes.
  idempotent:
    support: full
  async:
    support: full
options:
  namespaces:
    description:
      - The namespaces to look at. Without it, all of them, which takes the right to list in the whole cluster.
      - A warning names one that does not exist, if the caller may get it.
    type: list
    elements: str
  namespace:
    description:
      - The namespace to look at if O(namespaces) is not given, as it may come from the defaults of the action group.
    type: str
  label_selector:
    description:
      - Looks only at accounts with these labels, for example V(team=ci), and at their tokens. Orphaned tokens, whose
        account is gone, are then not found.
    type: str
  gather:
    description:
      - What to gather. It must not be empty.
      - V(tokens) are the long-lived tokens.
    type: list
    elements: str
    choices:
      - tokens
    default:
      - tokens
  unused_for:
    description:
      - After how long without a use a token counts as unused, in seconds or as V(90d).
    type: raw
    default: 90d
  workers:
    description:
      - How many requests are under way at the same time, from V(1) to V(64).
    type: int
    default: 8
notes:
  - The right to list Secrets is a right to read all that is in them, tokens included; Kubernetes knows none for their
    metadata alone. This module reads no token, but its caller could.
  - The rights of the cluster roles V(tokenwright-inspector) and V(tokenwright-usage-reader) are enough, see the file
    V(docs/rights.md) of the collection. Without those to list workloads and to get the ConfigMap
    C(kube-apiserver-legacy-service-account-token-tracking) a warning says what is not known.
seealso:
  - module: tokenwright.kubernetes.k8s_legacy_token
    description: Rotates, suspends and deletes long-lived tokens.
  - name: Managing service accounts
    link: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
    description: How long-lived tokens are made, tracked and cleaned up by the cluster.
"""

EXAMPLES = r"""
- name: Look for long-lived tokens that nobody has used for half a year
  tokenwright.kubernetes.k8s_sa_info:
    unused_for: 180d
  register: found

- name: Show those that no workload refers to either
  ansible.builtin.debug:
    msg: "{{ item.namespace }}/{{ item.name }} of {{ item.service_account }}, last used {{ item.last_used }}"
  loop: >-
    {{ found.legacy_tokens | selectattr('unused', 'true') | selectattr('mounted_by', 'eq', [])
       | selectattr('env_used_by', 'eq', []) }}
  loop_control:
    label: "{{ item.name }}"

- name: Look at some namespaces, as somebody who may not list everything
  tokenwright.kubernetes.k8s_sa_info:
    namespaces:
      - default
      - kube-system
"""

RETURN = r"""
legacy_tokens:
  description:
    - The Secrets with long-lived tokens, by namespace and name.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description:
        - The name of the Secret.
      type: str
      returned: always
    namespace:
      description:
        - Its namespace.
      type: str
      returned: always
    service_account:
      description:
        - The name of the account that it is for.
      type: str
      returned: always
    created_at:
      description:
        - When it was made.
      type: str
      returned: always
    age:
      description:
        - Its age in seconds.
      type: int
      returned: always
    last_used:
      description:
        - The day on which the token was last used, as the API server has noted it; V(null) if it has noted none.
      type: str
      returned: always
    unused_since:
      description:
        - Since when the API server has certainly seen no use. V(null) if that cannot be known, and a warning says why.
      type: str
      returned: always
    unused:
      description:
        - Whether that is longer ago than O(unused_for). V(null) if that cannot be known.
      type: bool
      returned: always
    invalid_since:
      description:
        - Since when the API server refuses the token, because somebody or the cluster has suspended it; V(null) if it
          does not.
      type: str
      returned: always
    listed_in_account:
      description:
        - Whether the Secret is listed in the account's C(secrets). The cluster takes it for one of the Secrets that it
          made by itself before Kubernetes 1.24, and suspends and deletes it when it is unused for a year.
      type: bool
      returned: always
    mounted_by:
      description:
        - The workloads that have the Secret mounted, once for each volume with it. V(null) if the caller may not list
          them. A Pod that was made by something that does not use the Secret any more is named itself.
      type: list
      elements: dict
      returned: always
      contains:
        kind:
          description:
            - What it is, for example V(Deployment).
          type: str
          returned: always
        name:
          description:
            - Its name.
          type: str
          returned: always
        volume:
          description:
            - The name of the volume that the Secret is in.
          type: str
          returned: always
        mount_path:
          description:
            - Where that is mounted. V(null) if it is at more than one place or at none, is mounted only in parts
              (C(subPath)), holds only some keys of the Secret, or something else as well.
          type: str
          returned: always
        containers:
          description:
            - The names of the containers that mount it.
          type: list
          elements: str
          returned: always
    env_used_by:
      description:
        - The workloads that have it in the environment of a container, each with C(kind) and C(name). V(null) like
          RV(legacy_tokens[].mounted_by).
      type: list
      elements: dict
      returned: always
    orphan:
      description:
        - Whether the account does not exist, or is another one than the one that the token was made for. Its token is
          refused. The cluster deletes such a Secret, unless its controller manager is down.
      type: bool
      returned: always
    unpopulated:
      description:
        - Whether there is no token in the Secret, because it is immutable or nobody fills it.
      type: bool
      returned: always
    managed_as:
      description:
        - Under which name M(tokenwright.kubernetes.k8s_legacy_token) keeps the token, or keeps others, so that this one
          only is called like them; V(null) if it keeps none.
      type: str
      returned: always
  sample:
    - name: scanner-token-2
      namespace: ci
      service_account: scanner
      created_at: "2026-11-22T07:00:47Z"
      age: 86400
      last_used: "2026-11-23"
      unused_since: "2026-11-24T00:00:00Z"
      unused: false
      invalid_since: null
      listed_in_account: false
      mounted_by:
        - kind: Deployment
          name: scanner
          volume: credentials
          mount_path: /etc/scanner
          containers:
            - app
      env_used_by: []
      orphan: false
      unpopulated: false
      managed_as: scanner-token
summary:
  description:
    - How many there are - C(service_accounts), C(legacy_tokens), and of the tokens those that are C(unused),
      C(suspended), C(listed_in_account), C(in_workloads), C(orphans) and C(unpopulated).
  returned: success
  type: dict
  sample:
    service_accounts: 12
    legacy_tokens: 3
    unused: 1
    suspended: 0
    listed_in_account: 0
    in_workloads: 1
    orphans: 0
    unpopulated: 0
reason:
  description:
    - It is V(gathered), or the word in RV(error.code) after a failure.
  returned: always
  type: str
  sample: gathered
msg:
  description:
    - What was found, in one sentence. After a failure it says what went wrong and what to do.
  returned: always
  type: str
  sample: 3 long-lived tokens, of these 1 unused
actions:
  description:
    - Nothing was written, so it is empty.
  returned: always
  type: list
  elements: dict
error:
  description:
    - What went wrong.
  returned: failure
  type: dict
  contains:
    code:
      description:
        - What went wrong, in one word, for example V(forbidden) or V(unreachable).
      type: str
      returned: always
    http_status:
      description:
        - The status code of the API server's answer, V(null) if there was none or it was no error.
      type: int
      returned: always
    verb:
      description:
        - What was being done, as RBAC calls it; V(null) if it was no request that failed.
      type: str
      returned: always
    resource:
      description:
        - What it was being done to, as RBAC calls it; V(null) if it was no request that failed.
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the object.
      type: str
      returned: always
    name:
      description:
        - The name of the object.
      type: str
      returned: always
    hint:
      description:
        - What to do about it; V(null) if that is not known.
      type: str
      returned: always
    rbac_rule:
      description:
        - The smallest RBAC rule that would allow what was forbidden to the caller; V(null) if that was not the reason.
      type: dict
      returned: always
    missing_rules:
      description:
        - Always empty.
      type: list
      elements: dict
      returned: always
requests:
  description:
    - How many requests were sent to the API server.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 6
retries:
  description:
    - How many of these requests were repetitions after a failure.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 0
"""

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._inventory import USE_CASE


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
