#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa
short_description: Declare Kubernetes service accounts
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Creates, changes and deletes ServiceAccounts - their labels and annotations, whether Pods get a token of them, and
    the Secrets their images are pulled with. If asked to, it creates the namespace they belong in.
  - It leaves alone what it is not given - other fields, other labels and annotations, other accounts. Namespaces are
    never changed or deleted. An account is not deleted and made anew to change it, because all its tokens would be
    void; only O(recreate_if_uid) does that, on purpose. Where nothing differs, nothing is written.
extends_documentation_fragment:
  - tokenwright.kubernetes._attributes
  - tokenwright.kubernetes._bulk
  - tokenwright.kubernetes._sets
  - tokenwright.kubernetes._risks
  - tokenwright.kubernetes._connection
attributes:
  check_mode:
    support: full
    details:
      - No write is sent. A namespace that does not exist counts as one that an earlier task would have created; a
        warning says so.
  diff_mode:
    support: full
    details:
      - Shows the written objects before and after, as YAML.
  idempotent:
    support: full
  async:
    support: full
options:
  name: &name
    description:
      - The name of the account. Every account needs one, be it here or in O(accounts).
    type: str
  namespace: &namespace
    description:
      - The namespace of the account. There is no default; every account needs one.
    type: str
  state:
    <<: &state
      description:
        - Whether the account is to exist.
        - V(absent) deletes it, and with it every token of it becomes void.
      type: str
      choices:
        - present
        - absent
    default: present
  automount: &automount
    description:
      - Whether Pods that run under the account and do not say otherwise get a token of it mounted.
      - If not given, the account is left as it is; Kubernetes mounts a token where nothing is said.
    type: bool
  image_pull_secrets: &image_pull_secrets
    description:
      - The names of the Secrets with which the images of the account's Pods are pulled. They need not exist yet.
      - If not given, they are left as they are. What an empty list means depends on O(image_pull_secrets_mode).
    type: list
    elements: str
  image_pull_secrets_mode:
    <<: &image_pull_secrets_mode
      description:
        - With V(append) the names in O(image_pull_secrets) are added to those the account has.
        - With V(exact) the account has these names and no others afterwards.
      type: str
      choices:
        - append
        - exact
    default: append
  labels: &labels
    description:
      - Labels to set. A label that is V(null) is removed, labels that are not named are left alone.
    type: dict
  annotations: &annotations
    description:
      - Annotations to set. An annotation that is V(null) is removed, annotations that are not named are left alone.
    type: dict
  create_namespace:
    <<: &create_namespace
      description:
        - Whether to create the namespace if an account is to be created in it and it does not exist.
      type: bool
    default: false
  expires_at: &expires_at
    description:
      - An RFC 3339 time with its offset, for example V(2027-01-31T00:00:00Z), from which on the account is treated as
        if O(state) were V(absent). It is compared with the time of the API server.
      - Nothing happens by itself at that time; the first run of the task after it deletes the account.
      - It is stored as the annotation V(tokenwright/expires-at).
    type: str
  recreate_if_uid: &recreate_if_uid
    description:
      - Delete the account and create it anew if, and only if, its uid is this one. All its tokens are void then. As the
        new account has another uid, a second run changes nothing.
      - The new account gets the labels, annotations, owner references, automount and image pull secrets of the old one.
        Pods that run under it need a restart, and long-lived token Secrets of it are deleted by Kubernetes; a warning
        names them.
      - An account with finalizers is refused.
    type: str
  brief_outcomes:
    description:
      - Whether the entries of RV(outcomes) leave out the accounts as they are now, which are most of the result of
        a long list. What is not there is V(null) all the same.
      - Meant for lists of hundreds, whose results Ansible takes apart and a job's log keeps.
    type: bool
    default: false
  accounts:
    description:
      - Any number of accounts, instead of the one in O(name). An empty list changes nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default.
      - No account may be in the list twice.
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      state: *state
      automount: *automount
      image_pull_secrets: *image_pull_secrets
      image_pull_secrets_mode: *image_pull_secrets_mode
      labels: *labels
      annotations: *annotations
      create_namespace: *create_namespace
      expires_at: *expires_at
      recreate_if_uid: *recreate_if_uid
notes:
  - Which rights a caller needs, and what for, is in the file V(docs/rights.md) of the collection.
seealso:
  - module: tokenwright.kubernetes.k8s_sa_binding
    description: Grants a service account what it may do.
  - module: tokenwright.kubernetes.k8s_sa_token
    description: Keeps a token of a service account good in the places that need it.
  - name: Service accounts
    link: https://kubernetes.io/docs/concepts/security/service-accounts/
    description: What service accounts are and what to use them for.
  - name: Configure service accounts for Pods
    link: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
    description: Automounting, image pull secrets and tokens in Pods.
"""

EXAMPLES = r"""
- name: Make sure that an account exists, and the namespace it is in
  tokenwright.kubernetes.k8s_sa:
    name: builder
    namespace: ci
    create_namespace: true

- name: Give Pods a token of this account only if they ask for one
  tokenwright.kubernetes.k8s_sa:
    name: deployer
    namespace: ci
    automount: false
    image_pull_secrets:
      - registry
    labels:
      app.kubernetes.io/part-of: delivery
    annotations:
      example.com/owner: delivery@example.com
      # Removed, if it is there.
      example.com/ticket: null

- name: Declare all accounts of a team, and delete those that left the list
  tokenwright.kubernetes.k8s_sa:
    namespace: ci
    automount: false
    set_name: delivery
    prune: true
    accounts:
      - name: tester
      - name: publisher
        image_pull_secrets:
          - registry
      - name: scanner
        namespace: security
        create_namespace: true

- name: Void all tokens of the account with this uid, because one of them leaked
  tokenwright.kubernetes.k8s_sa:
    name: builder
    namespace: ci
    recreate_if_uid: 9b2b0c4e-35b1-4d0c-8f38-2a1c04b5a6b0

- name: Delete an account
  tokenwright.kubernetes.k8s_sa:
    name: retired
    namespace: ci
    state: absent

- name: Say once for several tasks which cluster is meant
  module_defaults:
    group/tokenwright.kubernetes.k8s_sa:
      kubeconfig: "{{ cluster_kubeconfig }}"
  block:
    - name: Make sure that there is an account for the backups
      tokenwright.kubernetes.k8s_sa:
        name: backup
        namespace: ci

    - name: Let it read the claims for storage
      tokenwright.kubernetes.k8s_sa_binding:
        name: backup
        namespace: ci
        rules:
          - verbs: [get, list]
            resources: [persistentvolumeclaims]
        service_accounts:
          - backup
"""

RETURN = r"""
service_account:
  description:
    - The account after the task as the API spells it, without V(metadata.managedFields). In check mode it is what the
      account would be, as far as that is known before the API server has seen it.
    - It is V(null) if there is no account.
  returned: success, unless O(accounts) is given
  type: dict
  sample:
    apiVersion: v1
    automountServiceAccountToken: false
    imagePullSecrets:
      - name: registry
    kind: ServiceAccount
    metadata:
      creationTimestamp: "2026-11-22T07:00:46Z"
      labels:
        app.kubernetes.io/part-of: delivery
      name: deployer
      namespace: ci
      resourceVersion: "485"
      uid: f4a74707-3d49-4966-9469-a10c9d64f5e5
reason:
  description:
    - Why something was done, in one word - V(missing), V(automount_changed), V(image_pull_secrets_changed),
      V(metadata_changed), V(unwanted), V(expired) or V(recreate_requested). It is V(up_to_date) if nothing was done and
      the word in RV(error.code) if the account failed.
    - If O(accounts) is given, it is V(changed), V(up_to_date) or V(failed), and each of the RV(outcomes) has a word of
      its own.
  returned: always
  type: str
  sample: automount_changed
msg:
  description:
    - What was done, or in check mode would be done, in one sentence. After a failure it says what went wrong and what
      to do.
  returned: always
  type: str
  sample: ServiceAccount ci/deployer is updated (automount_changed)
actions:
  description:
    - The writes in their order; in check mode those that would be made.
    - What was deleted because of O(prune) is found only here.
  returned: always
  type: list
  elements: dict
  contains:
    verb:
      description:
        - What was done - V(create), V(patch) or V(delete).
      type: str
      returned: always
    kind:
      description:
        - The kind of the object as the API spells it, V(ServiceAccount) or V(Namespace).
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the object, V(null) for a namespace itself.
      type: str
      returned: always
    name:
      description:
        - The name of the object.
      type: str
      returned: always
    reason:
      description:
        - Why, in the words of RV(reason); V(not_in_list) if O(prune) did it.
      type: str
      returned: always
  sample:
    - verb: patch
      kind: ServiceAccount
      namespace: ci
      name: deployer
      reason: automount_changed
outcomes:
  description:
    - What came of each of the O(accounts), in their order.
  returned: when O(accounts) is given, except after an error in the options or the connection
  type: list
  elements: dict
  contains:
    name:
      description:
        - The name of the account.
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the account.
      type: str
      returned: always
    status:
      description:
        - V(ok), V(changed), V(failed), or V(skipped) because of O(fail_fast).
      type: str
      returned: always
    changed:
      description:
        - Whether something was, or in check mode would be, written for it.
      type: bool
      returned: always
    reason:
      description:
        - Why, in the words of RV(reason) for a single account.
      type: str
      returned: always
    msg:
      description:
        - What was done or what went wrong, in one sentence.
      type: str
      returned: always
    actions:
      description:
        - The writes made for it, like RV(actions).
      type: list
      elements: dict
      returned: always
    service_account:
      description:
        - The account, like RV(service_account).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), and with O(brief_outcomes) only if it is V(null)
    error:
      description:
        - What went wrong, like RV(error).
      type: dict
      returned: when RV(outcomes[].status) is V(failed)
error:
  description:
    - What went wrong. If several of the O(accounts) failed, it is the first one's here and everyone's in
      RV(outcomes).
  returned: failure
  type: dict
  contains:
    code:
      description:
        - What went wrong, in one word, for example V(forbidden), V(namespace_missing) or V(unreachable).
      type: str
      returned: always
    http_status:
      description:
        - The status code of the API server's answer, V(null) if there was none.
      type: int
      returned: always
    verb:
      description:
        - What was being done, as RBAC calls it; V(null) if it was no request.
      type: str
      returned: always
    resource:
      description:
        - What it was being done to, as RBAC calls it; V(null) if it was no request.
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
        - The smallest RBAC rule that would allow what was forbidden; V(null) if that was not the reason.
      type: dict
      returned: always
    missing_rules:
      description:
        - The rules the caller lacks to grant what it may not grant; empty if they are not known.
      type: list
      elements: dict
      returned: always
requests:
  description:
    - How many requests were sent to the API server.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 2
retries:
  description:
    - How many of these requests were repetitions after a failure.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 0
"""

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._service_account import USE_CASE


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
