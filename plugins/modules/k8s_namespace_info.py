#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_namespace_info
short_description: List the namespaces of a Kubernetes cluster that have certain labels
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Lists namespaces by their labels, with one paged request for their metadata.
  - The role P(tokenwright.kubernetes.service_accounts#role) uses it for C(service_accounts_namespace_selector).
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
  label_selector:
    description:
      - A label selector as C(kubectl get --selector) takes it, for example V(team=ci,stage in (test,live)), or a
        mapping of labels that all have to be there.
      - Without it, all namespaces are listed.
    type: raw
  namespace:
    description:
      - Means nothing here, since namespaces are in none; it may come from the defaults of the action group.
    type: str
notes:
  - The rights of the cluster role V(tokenwright-namespace-lister) are enough, see the file V(docs/rights.md) of the
    collection.
seealso:
  - name: Labels and Selectors
    link: https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/
    description: How label selectors are written.
"""

EXAMPLES = r"""
- name: Look for the namespaces of a team
  tokenwright.kubernetes.k8s_namespace_info:
    label_selector: team=ci
  register: found

- name: Show them
  ansible.builtin.debug:
    msg: "{{ found.namespaces }}"
"""

RETURN = r"""
namespaces:
  description:
    - Their names, in order.
  returned: success
  type: list
  elements: str
  sample:
    - ci-live
    - ci-test
terminating:
  description:
    - The names of those that are being deleted, in which nothing can be created any more. They are not in
      RV(namespaces).
  returned: success
  type: list
  elements: str
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
  sample: 2 namespaces
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
  sample: 1
retries:
  description:
    - How many of these requests were repetitions after a failure.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 0
"""

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._namespace_list import USE_CASE


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
