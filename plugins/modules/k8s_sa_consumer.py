#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa_consumer
short_description: Lead a workload to the Secret that it takes its token from
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Lets the containers of a Deployment, StatefulSet, DaemonSet, CronJob or ReplicaSet use another Secret than before,
    in their environment and in volumes. Meant for a program that reads its token from an environment variable, and is
    to be moved from a long-lived token to one that M(tokenwright.kubernetes.k8s_sa_token) keeps good in a Secret. What
    reads its token from a file is better off with M(tokenwright.kubernetes.k8s_sa_volume).
  - Gives the workload new Pods when there is another token in that Secret, because what was in an environment when a
    container was started stays there. Run it after each renewal of the token.
  - Everything else of the workload stays as it is. The way back is the same task with the names exchanged.
  - The Secret has to be there, and to have the keys that the workload asks for; Pods could not be started otherwise. Of
    Secrets only metadata is read, and no token.
extends_documentation_fragment:
  - tokenwright.kubernetes._attributes
  - tokenwright.kubernetes._bulk
  - tokenwright.kubernetes._risks
  - tokenwright.kubernetes._connection
attributes:
  check_mode:
    support: full
    details:
      - No write is sent. A workload or a Secret that does not exist counts as one that an earlier task would have
        created; a warning says so. Nothing is waited for. A token that an earlier task would have renewed is not known.
  diff_mode:
    support: full
    details:
      - Shows where the workload uses which of the Secrets, and which tokens its Pods are made with, never a token.
  idempotent:
    support: full
    details:
      - A later run is also changed when there is another token in the Secret, see O(restart).
  async:
    support: full
options:
  kind:
    <<: &kind
      description:
        - The kind of the workload, V(Deployment), V(StatefulSet), V(DaemonSet), V(CronJob) or V(ReplicaSet).
        - Kubernetes lets nobody change the template of a V(Pod) or a V(Job). They have to be made anew, with the other
          Secret in their manifest.
      type: str
    default: Deployment
  name: &name
    description:
      - The name of the workload. It is needed, be it here or in O(workloads).
    type: str
  namespace: &namespace
    description:
      - The namespace of the workload and the Secrets. It is needed.
    type: str
  to_secret: &to_secret
    description:
      - The name of the Secret that the workload is to use. It is needed.
      - The keys that the workload asks for stay what they are. A Secret that M(tokenwright.kubernetes.k8s_sa_token)
        makes in the format V(token) has the same ones as a Secret with a long-lived token - C(token), C(ca.crt) and
        C(namespace).
    type: str
  from_secret: &from_secret
    description:
      - The name of the Secret in whose place it is to do so. A workload that uses the other one already is left as it
        is, one that uses neither is an error.
      - Without it, the workload has to use O(to_secret) already, and only O(restart) is seen to.
    type: str
  restart:
    <<: &restart
      description:
        - Whether the Pods are replaced when M(tokenwright.kubernetes.k8s_sa_token) has put another token into the
          Secret. An annotation of the template (V(tokenwright/secrets)) says with which one they were made, by the
          first digits of its SHA-256 sum.
        - It is only done where the token is in the environment of a container, or where a volume is mounted in parts
          (C(subPath)), and for a Deployment, a StatefulSet or a DaemonSet. All others see the new token by themselves,
          or with the next Job.
        - With V(false) the annotation is left as it is.
      type: bool
    default: true
  wait:
    <<: &wait
      description:
        - Whether to wait until all Pods are new and available. Only a Deployment, and a StatefulSet or DaemonSet with
          the strategy C(RollingUpdate), replaces its Pods by itself; the others are not waited for.
        - It waits also if nothing had to be changed and the Pods are not new yet.
      type: bool
    default: false
  wait_timeout:
    <<: &wait_timeout
      description:
        - How long to wait, in seconds or like V(10m). After it the task fails; the workload stays changed.
      type: raw
    default: 5m
  workloads:
    description:
      - Any number of workloads, instead of the one in O(name). An empty list changes nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default.
      - A workload may be in the list more than once with another O(to_secret).
    type: list
    elements: dict
    suboptions:
      kind: *kind
      name: *name
      namespace: *namespace
      to_secret: *to_secret
      from_secret: *from_secret
      restart: *restart
      wait: *wait
      wait_timeout: *wait_timeout
notes:
  - A changed template means new Pods. A Deployment, StatefulSet or DaemonSet replaces them by its own rules, a CronJob
    uses it from the next Job on, and a ReplicaSet leaves the Pods alone that it has.
  - A token has to live longer than it takes until the next run of the schedule that renews it and of this task, and
    until the Pods are new.
  - A workload that was made by another one (the ReplicaSet of a Deployment) is refused, because the change would be
    undone. What some other controller made is changed with a warning. Whoever applies the manifest of the workload
    again has to change the name in it, too.
  - Workloads are read, changed and replaced as a whole under their C(resourceVersion). If somebody else writes in
    between, that is done again, so nothing of theirs gets lost.
  - It takes the right to get Secrets. The API server is asked for their metadata alone, but knows no right to that.
seealso:
  - module: tokenwright.kubernetes.k8s_sa_token
    description: Keeps a token good in a Secret.
  - module: tokenwright.kubernetes.k8s_sa_volume
    description: Gives Pods tokens of their own, which nobody has to renew.
  - module: tokenwright.kubernetes.k8s_sa_info
    description: Says which workloads use the Secret of a long-lived token.
"""

EXAMPLES = r"""
- name: Make sure that the account is there
  tokenwright.kubernetes.k8s_sa:
    name: webshop
    namespace: shop

- name: Keep a token that expires in a Secret
  tokenwright.kubernetes.k8s_sa_token:
    name: webshop
    namespace: shop
    expiration_seconds: 8h
    sinks:
      - type: secret
        name: webshop-token

- name: Let a Deployment use it in the place of the long-lived one, and get new Pods with each new token
  tokenwright.kubernetes.k8s_sa_consumer:
    name: webshop
    namespace: shop
    from_secret: long-lived
    to_secret: webshop-token
    wait: true

- name: Do the same for others
  tokenwright.kubernetes.k8s_sa_consumer:
    namespace: shop
    from_secret: long-lived
    to_secret: webshop-token
    workloads:
      - kind: CronJob
        name: report
      - kind: StatefulSet
        name: queue

- name: Only give it new Pods when there is a new token
  tokenwright.kubernetes.k8s_sa_consumer:
    name: webshop
    namespace: shop
    to_secret: webshop-token
"""

RETURN = r"""
places:
  description:
    - Where the Pods of the workload use the Secret, in words. In check mode it is what it would be.
  returned: success, unless O(workloads) is given
  type: list
  elements: str
  sample:
    - API_TOKEN in the environment of container app
rolled_out:
  description:
    - V(true) if all Pods are new and available. V(null) if that was not waited for, or nobody replaces them.
  returned: success, unless O(workloads) is given
  type: bool
  sample: true
reason:
  description:
    - Why something was done, in one word - V(secret_changed), because the workload used another Secret, or
      V(token_changed), because its Pods were not made with the token that is in it now. It is V(up_to_date) if nothing
      was done and the word in RV(error.code) if it failed.
    - If O(workloads) is given, it is V(changed), V(up_to_date) or V(failed), and each of the RV(outcomes) has a word of
      its own.
  returned: always
  type: str
  sample: secret_changed
msg:
  description:
    - What was done, or in check mode would be done, in one sentence. After a failure it says what went wrong and what
      to do.
  returned: always
  type: str
  sample: Deployment shop/webshop is led to the Secret webshop-token (secret_changed)
actions:
  description:
    - The writes in their order; in check mode those that would be made.
  returned: always
  type: list
  elements: dict
  contains:
    verb:
      description:
        - What was done, always V(update).
      type: str
      returned: always
    kind:
      description:
        - The kind of the workload.
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the workload.
      type: str
      returned: always
    name:
      description:
        - The name of the workload.
      type: str
      returned: always
    reason:
      description:
        - Why, in the words of RV(reason).
      type: str
      returned: always
  sample:
    - verb: update
      kind: Deployment
      namespace: shop
      name: webshop
      reason: secret_changed
outcomes:
  description:
    - What came of each of the O(workloads), in their order.
  returned: when O(workloads) is given, except after an error in the options or the connection
  type: list
  elements: dict
  contains:
    kind:
      description:
        - The kind of the workload.
      type: str
      returned: always
    name:
      description:
        - The name of the workload.
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the workload.
      type: str
      returned: always
    to_secret:
      description:
        - The name of the Secret.
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
        - Why, in the words of RV(reason) for a single workload.
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
    places:
      description:
        - Where its Pods use the Secret, like RV(places).
      type: list
      elements: str
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    rolled_out:
      description:
        - Whether its Pods are new, like RV(rolled_out).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    error:
      description:
        - What went wrong, like RV(error).
      type: dict
      returned: when RV(outcomes[].status) is V(failed)
error:
  description:
    - What went wrong. If several of the O(workloads) failed, it is the first one's here and everyone's in
      RV(outcomes).
  returned: failure
  type: dict
  contains:
    code:
      description:
        - What went wrong, in one word, for example V(missing_secret), V(missing_key) or V(not_rolled_out).
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
        - Always empty here; other modules name rules that the caller lacks.
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

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._repoint import USE_CASE


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
