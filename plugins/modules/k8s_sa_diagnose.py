#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa_diagnose
short_description: Say why the token of a Pod does not work, and what to do about it
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Finds out why a Pod has no token, cannot read it, or is refused with it. Every cause is one word with the evidence
    for it, what to do, and where that is possible a task that does it.
  - By itself it looks at what the Pod asks for and at its account. With O(look_inside) it also looks at the tokens that
    the containers really have, as the user that they run as.
  - Never changes anything.
extends_documentation_fragment:
  - tokenwright.kubernetes._attributes
  - tokenwright.kubernetes._risks
  - tokenwright.kubernetes._connection
attributes:
  check_mode:
    support: full
    details:
      - There is no difference. With O(look_inside) the containers are looked into as well, since that changes nothing.
  diff_mode:
    support: N/A
    details:
      - There is nothing to show, as nothing changes.
  idempotent:
    support: full
  async:
    support: full
options:
  pod:
    description:
      - The name of the Pod.
    type: str
    required: true
  namespace:
    description:
      - The namespace of the Pod. It has to be given, here or in the defaults of the action group.
    type: str
  container:
    description:
      - The container whose tokens are meant. Without it, those of all containers that mount one.
    type: str
  audience:
    description:
      - What the server that the application talks to expects as the audience of a token. One of the tokens has to be
        for it. Without it nothing is said of audiences.
    type: str
  look_inside:
    description:
      - Also look at the tokens themselves. In every running container that mounts one a shell (C(sh), as the user that
        the container runs as) tests whether the file can be read, and prints the middle part of the token, which is
        what it says of itself. The signature, without which nobody accepts it, does not leave the container.
      - A container without a shell cannot be looked into; RV(not_known) says so.
      - It takes the rights to V(get) and V(create) C(pods/exec), which is as much as everything in the Pod.
    type: bool
    default: false
notes:
  - The rights of the cluster role V(tokenwright-diagnoser) are enough, see the file V(docs/rights.md) of the
    collection. Without O(look_inside) those to get the Pod and its account are.
  - What each cause means and how it is seen is told in the file V(docs/diagnosis.md) of the collection.
seealso:
  - module: tokenwright.kubernetes.k8s_sa_volume
    description: Puts tokens into workloads.
  - module: tokenwright.kubernetes.k8s_sa_access
    description: Says what an account may do, and by which grant.
  - name: Configure service accounts for Pods
    link: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
    description: How a token gets into a Pod.
"""

EXAMPLES = r"""
- name: See what a Pod asks for
  tokenwright.kubernetes.k8s_sa_diagnose:
    namespace: shop
    pod: webshop-0
  register: asked

- name: Look at the tokens that it has, one of which Vault is to accept
  tokenwright.kubernetes.k8s_sa_diagnose:
    namespace: shop
    pod: webshop-0
    container: app
    audience: https://vault.example.com
    look_inside: true
  register: seen

- name: Show what is wrong and what to do about it
  ansible.builtin.debug:
    msg: "{{ item.cause }}: {{ item.evidence }}. {{ item.fix }}. {{ item.task | to_nice_yaml if item.task else '' }}"
  loop: "{{ seen.findings }}"
  loop_control:
    label: "{{ item.cause }}"
"""

RETURN = r"""
healthy:
  description:
    - V(true) if nothing is wrong, as far as was looked at. V(false) if RV(findings) says what is. V(null) if nothing
      wrong was seen, but RV(not_known) is not empty.
  returned: success
  type: bool
  sample: false
findings:
  description:
    - What is wrong. What comes first may explain what comes later.
  returned: success
  type: list
  elements: dict
  contains:
    symptom:
      description:
        - What whoever uses the token sees.
      type: str
      returned: always
    cause:
      description:
        - Why, in one word - V(account_missing), V(account_recreated), V(bound_object_gone), V(automount_off),
          V(no_projected_token), V(unreadable_file), V(wrong_audience), V(token_expired), V(not_yet_valid) or
          V(stale_reader).
      type: str
      returned: always
    evidence:
      description:
        - What was seen.
      type: str
      returned: always
    fix:
      description:
        - What to do.
      type: str
      returned: always
    task:
      description:
        - A task that does it, to be put into a playbook. V(null) if no task can, for example because the Pod is of no
          workload whose template could be changed.
        - One that deletes a Pod takes the collection C(kubernetes.core).
      type: dict
      returned: always
  sample:
    - symptom: the other side refuses the token, which is for somebody else
      cause: wrong_audience
      evidence: what container app has is for https://old.example.com, and nothing is for https://vault.example.com
      fix: give the container a token for that audience, on a path of its own, and let the application read it there
      task:
        tokenwright.kubernetes.k8s_sa_volume:
          kind: StatefulSet
          name: webshop
          namespace: shop
          containers:
            - app
          volume_name: identity
          mount_path: /identity
          sources:
            - raw:
                serviceAccountToken:
                  path: token
                  expirationSeconds: 3600
                  audience: https://vault.example.com
          force: true
not_known:
  description:
    - What could not be looked at and why, as sentences.
  returned: success
  type: list
  elements: str
  sample:
    - "the token in /identity/token of container app could not be looked at: it does not run, and the Pod is Pending"
pod:
  description:
    - The Pod.
  returned: success
  type: dict
  contains:
    name:
      description:
        - Its name.
      type: str
      returned: always
    namespace:
      description:
        - Its namespace.
      type: str
      returned: always
    uid:
      description:
        - Its uid.
      type: str
      returned: always
    phase:
      description:
        - How far it is, as Kubernetes says it.
      type: str
      returned: always
    service_account:
      description:
        - The name of the account that it runs under.
      type: str
      returned: always
    service_account_uid:
      description:
        - The uid of the account of that name that there is now. V(null) if there is none, or the caller may not know.
      type: str
      returned: always
  sample:
    name: webshop-0
    namespace: shop
    uid: 585a9bd3-8835-471a-8bb1-41adeb666c26
    phase: Running
    service_account: webshop
    service_account_uid: 5cbda08c-83d6-4690-b790-f206242ec56a
tokens:
  description:
    - The tokens that the containers mount.
  returned: success
  type: list
  elements: dict
  contains:
    container:
      description:
        - The name of the container.
      type: str
      returned: always
    volume:
      description:
        - The name of the volume that it is in.
      type: str
      returned: always
    path:
      description:
        - Its file in the container. V(null) if a variable decides it (C(subPathExpr)).
      type: str
      returned: always
    automounted:
      description:
        - Whether Kubernetes has put it there by itself.
      type: bool
      returned: always
    asked:
      description:
        - What the Pod asks for, C(audience) and C(expiration_seconds). An audience of V(null) is the API server,
          whatever that calls itself.
      type: dict
      returned: always
    read:
      description:
        - Whether it was read in the container. V(null) if that was not tried.
      type: bool
      returned: always
    found:
      description:
        - What it says of itself. V(null) if it was not read, or is no token.
      type: dict
      returned: always
      contains:
        service_account:
          description:
            - The name of the account that it is of.
          type: str
          returned: always
        namespace:
          description:
            - The namespace of that account.
          type: str
          returned: always
        uid:
          description:
            - The uid of that account.
          type: str
          returned: always
        credential_id:
          description:
            - What the token is called in the audit log of the API server.
          type: str
          returned: always
        audiences:
          description:
            - Whom it is for.
          type: list
          elements: str
          returned: always
        issued_at:
          description:
            - When it was made.
          type: str
          returned: always
        expires_at:
          description:
            - Until when it counts as good.
          type: str
          returned: always
        valid_until:
          description:
            - Until when the API server accepts it, which for a token that Kubernetes has put there by itself is a year.
          type: str
          returned: always
        bound_object_ref:
          description:
            - What it dies with, C(kind), C(name) and C(uid).
          type: dict
          returned: always
  sample:
    - container: app
      volume: identity
      path: /identity/token
      automounted: false
      asked:
        audience: https://old.example.com
        expiration_seconds: 3600
      read: true
      found:
        service_account: webshop
        namespace: shop
        uid: 5cbda08c-83d6-4690-b790-f206242ec56a
        credential_id: 68d2f0d9-bab6-4d3d-9b24-954e5d8184ea
        audiences:
          - https://old.example.com
        issued_at: "2026-11-22T19:17:34Z"
        expires_at: "2026-11-22T20:17:34Z"
        valid_until: "2026-11-22T20:17:34Z"
        bound_object_ref:
          kind: Pod
          name: webshop-0
          uid: 585a9bd3-8835-471a-8bb1-41adeb666c26
reason:
  description:
    - It is V(healthy), V(diagnosed) or V(not_known), like RV(healthy); or the word in RV(error.code) after a failure.
  returned: always
  type: str
  sample: diagnosed
msg:
  description:
    - What was found, in one sentence. After a failure it says what went wrong and what to do.
  returned: always
  type: str
  sample: "wrong_audience: what container app has is for vault, and nothing is for https://vault.example.com"
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
  sample: 3
retries:
  description:
    - How many of these requests were repetitions after a failure.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 0
"""

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._diagnosis import USE_CASE
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
