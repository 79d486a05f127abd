#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa_access
short_description: Prove what Kubernetes service accounts may and may not do
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Holds a table of what a service account is to be allowed (O(can)) and refused (O(cannot)) against the answers of the
    API server, and fails if it does not hold, with every deviation in one message and with the binding and the rule
    that are to blame.
  - Tells who else may do something (O(who_can)), why an answer is as it is (O(explain)), and all that an account may do
    (O(effective_rules)).
  - It is the API server that decides, asked for the account and the three groups its tokens belong to. Bindings and
    roles are read to say where the answer comes from.
  - Never changes anything.
extends_documentation_fragment:
  - tokenwright.kubernetes._attributes
  - tokenwright.kubernetes._bulk
  - tokenwright.kubernetes._risks
  - tokenwright.kubernetes._connection
attributes:
  check_mode:
    support: full
    details:
      - There is no difference. An account that an earlier task would have made is not there, so what it is to be
        allowed does not hold.
  diff_mode:
    support: N/A
    details:
      - There is nothing to show, as nothing changes.
  idempotent:
    support: full
  async:
    support: full
options:
  service_account: &service_account
    description:
      - The name of the account. It is needed here or in O(accounts), unless the task only asks O(who_can).
    type: str
    aliases:
      - name
  namespace: &namespace
    description:
      - The namespace of the account. There is no default. Entries that do not say where belong here.
    type: str
  can: &can
    description:
      - What the account is to be allowed. An entry is a text, C(VERB RESOURCE[.GROUP][/SUBRESOURCE] [named NAME]
        [in NAMESPACE]) or C(VERB /PATH), for example V(get pods/log in ci), V(create deployments.apps),
        V(update configmaps named release in ci) or V(get /healthz); or a mapping with the keys C(verb), C(resource),
        C(group), C(subresource), C(name) and C(namespace), or C(verb) and C(url).
      - What follows a slash is a subresource, never a name.
      - Without C(in), an entry is about O(namespace); if the resource is one of Kubernetes' own that are in no
        namespace, such as nodes, about the cluster. Resources of your own that are in no namespace need
        C(in all namespaces).
      - C(in all namespaces) asks whether one grant allows it everywhere. C(in any namespace) asks whether it is allowed
        in at least one, and needs the right to list all bindings and roles.
      - C(*) is a verb or resource like any other, which only a rule with C(*) allows.
      - Verbs and resources are sent as they are written, and the API server refuses what it does not know. What it does
        not serve leads to a warning, with the nearest match, because in O(cannot) a wrong word would seem to hold.
    type: list
    elements: raw
  cannot: &cannot
    description:
      - What the account is to be refused, written as in O(can).
      - C(in any namespace) is the strictest form. An entry without C(in) looks at O(namespace) alone.
    type: list
    elements: raw
  explain:
    <<: &explain
      description:
        - Whether to return for every entry which bindings and rules allow it or what is missing. For what does not
          hold this is always done, as far as the caller may read bindings and roles.
        - The answer is then also held against the bindings. If the two contradict each other, it is asked again, see
          O(wait).
      type: bool
    default: false
  effective_rules:
    <<: &effective_rules
      description:
        - Whether to return all that the account may do, through bindings of itself and of its groups. Rules that other
          authorizers of the cluster apply are not known.
      type: bool
    default: false
  accounts:
    description:
      - Any number of accounts, instead of the one in O(service_account). An empty list asks nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default.
      - No account may be in the list twice.
    type: list
    elements: dict
    suboptions:
      service_account: *service_account
      namespace: *namespace
      can: *can
      cannot: *cannot
      explain: *explain
      effective_rules: *effective_rules
  who_can:
    description:
      - Entries as in O(can). For each of them RV(who_can) names the users, groups and service accounts that bindings
        allow it.
      - Needs the right to list the bindings and roles that may allow it.
      - Members of groups are not known to Kubernetes. The group V(system:masters) may do everything without a binding.
    type: list
    elements: raw
  wait:
    description:
      - For how long an answer that is not as expected is asked for again, as whole seconds or V(5s), V(1m), for all
        entries together. The API server learns of changed bindings a moment after they are stored.
      - V(0) asks once.
    type: raw
    default: 5
notes:
  - The rights of the cluster role V(tokenwright-verifier) are enough to ask and to say why; for entries about one
    namespace, also those of V(tokenwright-namespace-verifier) there. What each of them is for is in the file
    V(docs/rights.md) of the collection. An account may always ask about itself.
  - The API server answers for names, whether or not there is such an account. If there is none, O(can) does not hold,
    and for O(cannot) alone there is a warning. There is also a warning if the namespace of an entry does not exist.
seealso:
  - module: tokenwright.kubernetes.k8s_sa_binding
    description: Grants service accounts what they may do.
  - name: Authorization
    link: https://kubernetes.io/docs/reference/access-authn-authz/authorization/
    description: How the API server decides.
"""

EXAMPLES = r"""
- name: Make an account that may roll out, and no more
  tokenwright.kubernetes.k8s_sa:
    name: deployer
    namespace: ci
    create_namespace: true

- name: Grant it what it needs
  tokenwright.kubernetes.k8s_sa_binding:
    name: deployer
    namespace: ci
    rules:
      - verbs: [get, list, patch]
        resources: [deployments.apps, deployments.apps/scale]
      - verbs: [get, update]
        resources: [configmaps]
        resource_names: [release]
    service_accounts:
      - deployer

- name: Prove that it may do its work and nothing worse
  tokenwright.kubernetes.k8s_sa_access:
    service_account: deployer
    namespace: ci
    can:
      - patch deployments.apps
      - get deployments.apps/scale in ci
      - update configmaps named release
      - get /version
    cannot:
      - get secrets in any namespace
      - create pods in all namespaces
      - update configmaps
      - list nodes
      - verb: create
        resource: serviceaccounts
        subresource: token
        name: deployer

- name: Learn which bindings are behind it, and all that it may do
  tokenwright.kubernetes.k8s_sa_access:
    service_account: deployer
    namespace: ci
    can:
      - patch deployments.apps
    explain: true
    effective_rules: true
  register: access

- name: Prove the same of several accounts
  tokenwright.kubernetes.k8s_sa_access:
    namespace: ci
    cannot:
      - "* *.* in all namespaces"
      - impersonate users
      - escalate clusterroles.rbac.authorization.k8s.io
    accounts:
      - service_account: deployer
      - service_account: default
        cannot:
          - list secrets
          - list pods

- name: Ask who may read Secrets here
  tokenwright.kubernetes.k8s_sa_access:
    namespace: ci
    who_can:
      - get secrets
      - list secrets in any namespace
  register: readers
"""

RETURN = r"""
exists:
  description:
    - Whether there is such an account; V(null) if the caller may not look.
  returned: success, unless O(accounts) or O(who_can) is given
  type: bool
  sample: true
verdicts:
  description:
    - The answer of the API server to every entry, first those of O(can) and then those of O(cannot).
    - Also returned if the table does not hold.
  returned: success, unless O(accounts) or O(who_can) is given
  type: list
  elements: dict
  contains: &verdict
    entry:
      description:
        - The entry, as a text that says where.
      type: str
      returned: always
    expected:
      description:
        - Whether it is to be allowed.
      type: bool
      returned: always
    allowed:
      description:
        - Whether it is.
      type: bool
      returned: always
    holds:
      description:
        - Whether both are the same.
      type: bool
      returned: always
    denied:
      description:
        - Whether an authorizer forbade it. RBAC never does; it only does not allow.
      type: bool
      returned: always
    reason:
      description:
        - Why, in the words of the API server; often empty for what is not allowed.
      type: str
      returned: always
    granted_by:
      description:
        - The bindings that allow it, each with the first of its rules that does, as C(kind), C(namespace), C(name),
          C(role), C(rule) and C(subject).
        - It is V(null) if nobody looked, see O(explain).
      type: list
      elements: dict
      returned: always
  sample:
    - entry: patch deployments.apps in ci
      expected: true
      allowed: true
      holds: true
      denied: false
      reason: 'RBAC: allowed by RoleBinding "deployer/ci" of Role "deployer" to ServiceAccount "deployer/ci"'
      granted_by: null
explain:
  description:
    - Why the answers are as they are. Without O(explain) only after a failure, and only of what does not hold.
  returned: when O(explain) is set, unless O(accounts) is given
  type: list
  elements: dict
  contains: &explained
    entry:
      description:
        - The entry, like RV(verdicts[].entry).
      type: str
      returned: always
    allowed:
      description:
        - Whether it is allowed.
      type: bool
      returned: always
    cause:
      description:
        - V(granted) if a binding allows it.
        - V(missing_role) if a binding of the account refers to a role that does not exist, V(rule_too_narrow) if a rule
          grants something else on the resource, V(binding_elsewhere) if a RoleBinding grants it in another namespace,
          V(no_binding) if nothing comes near.
        - V(not_rbac) if the API server's answer does not come from a binding, and V(unknown) if not all of them could
          be read.
      type: str
      returned: always
    evidence:
      description:
        - What was seen, for people to read.
      type: str
      returned: always
    missing_rule:
      description:
        - The smallest rule that would allow it; V(null) if it is allowed.
      type: dict
      returned: always
  sample:
    - entry: patch deployments.apps in ci
      allowed: true
      cause: granted
      evidence: granted by RoleBinding ci/deployer through Role deployer (get, list, patch on deployments of apps)
      missing_rule: null
effective_rules:
  description:
    - What the account may do, by rules of the API in which nothing is said twice. A V(namespace) of V(null) means the
      whole cluster; a namespace only has what is not allowed in the whole cluster anyway.
  returned: when O(effective_rules) is set, unless O(accounts) is given
  type: list
  elements: dict
  contains: &effective
    namespace:
      description:
        - Where.
      type: str
      returned: always
    rules:
      description:
        - What.
      type: list
      elements: dict
      returned: always
  sample:
    - namespace: ci
      rules:
        - apiGroups: [apps]
          resources: [deployments]
          verbs: [get, list, patch]
who_can:
  description:
    - The answers to O(who_can), in its order.
  returned: when O(who_can) is given
  type: list
  elements: dict
  contains:
    entry:
      description:
        - The entry, as a text that says where.
      type: str
      returned: always
    subjects:
      description:
        - Who may, each with C(kind), C(namespace), C(name) and, like RV(verdicts[].granted_by), C(granted_by).
      type: list
      elements: dict
      returned: always
  sample:
    - entry: get secrets in ci
      subjects:
        - kind: Group
          namespace: null
          name: system:masters
          granted_by:
            - kind: ClusterRoleBinding
              namespace: null
              name: cluster-admin
              role:
                kind: ClusterRole
                name: cluster-admin
              rule:
                apiGroups: ["*"]
                resources: ["*"]
                verbs: ["*"]
              subject:
                apiGroup: rbac.authorization.k8s.io
                kind: Group
                name: system:masters
reason:
  description:
    - V(holds) if everything is as expected, V(answered) if nothing was to be proven, and after a failure the word in
      RV(error.code), V(access_deviates) if the table does not hold and V(account_missing) if there is no such account.
    - If O(accounts) is given, it is V(holds), V(answered) or V(failed), and each of the RV(outcomes) has a word of its
      own.
  returned: always
  type: str
  sample: holds
msg:
  description:
    - What was found, in one sentence. If the table does not hold, every deviation and what is behind it.
  returned: always
  type: str
  sample: "ci/deployer: 4 of 4 entries hold"
actions:
  description:
    - Always empty.
  returned: always
  type: list
  elements: dict
  sample: []
outcomes:
  description:
    - What came of each of the O(accounts), in their order.
  returned: when O(accounts) is given, except after an error in the options or the connection
  type: list
  elements: dict
  contains:
    service_account:
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
        - V(ok), V(failed), or V(skipped) because of O(fail_fast).
      type: str
      returned: always
    changed:
      description:
        - Always V(false).
      type: bool
      returned: always
    reason:
      description:
        - In the words of RV(reason) for a single account.
      type: str
      returned: always
    msg:
      description:
        - What was found, in one sentence.
      type: str
      returned: always
    actions:
      description:
        - Always empty.
      type: list
      elements: dict
      returned: always
    exists:
      description:
        - Whether there is such an account, like RV(exists).
      type: bool
      returned: when its questions were answered
    verdicts:
      description:
        - The answers, like RV(verdicts).
      type: list
      elements: dict
      returned: when its questions were answered
      contains: *verdict
    explain:
      description:
        - Why, like RV(explain).
      type: list
      elements: dict
      returned: if O(explain) is set, or something does not hold
      contains: *explained
    effective_rules:
      description:
        - What it may do, like RV(effective_rules).
      type: list
      elements: dict
      returned: if O(effective_rules) is set
      contains: *effective
    error:
      description:
        - What went wrong, like RV(error).
      type: dict
      returned: if it failed
error:
  description:
    - What went wrong. If several of the O(accounts) failed, it is the first one's here and everyone's in RV(outcomes).
  returned: failure
  type: dict
  contains:
    code:
      description:
        - What went wrong, in one word, for example V(access_deviates), V(account_missing) or V(forbidden).
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
        - Always empty; what an account lacks is in RV(explain[].missing_rule).
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

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._access import USE_CASE
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
