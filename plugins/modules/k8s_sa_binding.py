#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa_binding
short_description: Grant Kubernetes service accounts what they may do
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Creates, changes and deletes grants - a RoleBinding in one namespace, or a ClusterRoleBinding for the whole cluster,
    and, if O(rules) are given, the Role or ClusterRole it refers to. Afterwards the role has exactly these rules, and
    the binding exactly these subjects, unless O(rules_mode) and O(subjects_mode) say that others have a say as well.
  - Roles that are only referred to, the service accounts themselves, namespaces, and labels and annotations that are
    not named stay as they are. What Kubernetes made for itself at its start is not changed or deleted, unless
    O(override_autoupdate) is set. Rules and subjects are compared by what they grant and to whom, so that another
    order, grouping or spelling changes nothing.
  - What is more powerful than it looks is a risk, which is refused or leads to a warning before anything is written, in
    check mode too, see O(allow_risks). The rules of a role that is only referred to are looked at as they are now.
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
      - No write is sent. A role or a namespace that does not exist counts as one that an earlier task would have
        created; a warning says so. Whether the API server would let the caller grant this is not predicted.
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
      - The name of the binding. Every grant needs one, be it here or in O(bindings).
    type: str
  namespace: &namespace
    description:
      - The namespace in which the grant holds. Every grant needs either this or O(cluster_wide).
    type: str
  cluster_wide:
    <<: &cluster_wide
      description:
        - Whether the grant holds in all namespaces and for what is in none. It has to be said, so that a forgotten
          O(namespace) does not grant the whole cluster.
      type: bool
    default: false
  state:
    <<: &state
      description:
        - Whether the grant is to exist.
        - V(absent) deletes the binding, and the role if this module made it for this binding and no other binding
          refers to it. O(name) and either O(namespace) or O(cluster_wide) are enough to say which.
      type: str
      choices:
        - present
        - absent
    default: present
  role: &role
    description:
      - The name of an existing Role in O(namespace) to grant.
      - O(role), O(cluster_role), O(rules) and O(aggregation_selectors) exclude each other, and one of them is needed
        unless O(state=absent).
      - If the binding refers to another role, see O(on_role_change).
    type: str
  cluster_role: &cluster_role
    description:
      - The name of an existing ClusterRole to grant. In a O(namespace) it grants only what is in there.
    type: str
  rules: &rules
    description:
      - What is granted. A Role, or with O(cluster_wide) a ClusterRole, is made of these rules. If there is one of that
        name, it gets these rules instead of its own.
      - An aggregated ClusterRole is refused, because its rules belong to Kubernetes.
      - Before rules are written that the role does not have yet, also in check mode, they are compared with what the
        API server serves. What would grant nothing is a warning, see the notes.
    type: list
    elements: dict
    suboptions:
      verbs:
        description:
          - The verbs, for example V(get), V(list), V(watch), V(create), V(update), V(patch) and V(delete), or V(*).
          - Every rule needs at least one.
        type: list
        elements: str
      resources:
        description:
          - The resources, as the API calls them in the plural, with the API group after a dot and a subresource after
            a slash, for example V(pods), V(pods/log) or V(deployments.apps/scale).
          - Every rule needs either this or O(rules[].non_resource_urls).
        type: list
        elements: str
      api_groups:
        description:
          - The API groups of all O(rules[].resources), which then must not name any. V("") is the core group.
          - Without it, every resource is of the group it names, or else of the core group.
        type: list
        elements: str
      resource_names:
        description:
          - The names of the only objects that the rule is about. An empty list is an error.
        type: list
        elements: str
      non_resource_urls:
        description:
          - Paths of the API server that are no resources, for example V(/metrics) or V(/healthz/*). They belong to no
            namespace and need O(cluster_wide).
        type: list
        elements: str
  rules_mode:
    <<: &rules_mode
      description:
        - With V(exact) the role has these rules and no others. With V(append) it has at least these. With V(remove) it
          does not grant them any more; the role itself stays, and a role that is not there is not made.
        - A rule with V(*) cannot be taken apart, nor one without names be kept for all names but one. If it grants what
          is to be removed, that is an error.
        - What somebody else made does not join O(set_name) by being added to.
      type: str
      choices:
        - exact
        - append
        - remove
    default: exact
  aggregation_selectors: &aggregation_selectors
    description:
      - Makes an aggregated ClusterRole, which has the rules of all ClusterRoles with these labels. It needs
        O(cluster_wide). The rules themselves are Kubernetes' to write.
    type: list
    elements: dict
    suboptions:
      match_labels:
        description:
          - Labels that a ClusterRole must have, with their values.
        type: dict
      match_expressions:
        description:
          - Conditions on the labels of a ClusterRole.
        type: list
        elements: dict
        suboptions:
          key:
            description:
              - The key of the label. Every condition needs one.
            type: str
          operator:
            description:
              - What the label must be. Every condition needs one.
            type: str
            choices:
              - In
              - NotIn
              - Exists
              - DoesNotExist
          values:
            description:
              - The values for V(In) and V(NotIn).
            type: list
            elements: str
  role_name: &role_name
    description:
      - The name of the role made of O(rules) or O(aggregation_selectors). Without it, the role is called like the
        binding.
    type: str
  service_accounts: &service_accounts
    description:
      - The service accounts that get the grant, as V(name) or V(namespace/name). A bare name means an account in
        O(namespace); with O(cluster_wide) the namespace is needed. The accounts need not exist yet.
      - Together with O(subjects) these are all subjects of the binding; others are removed, unless O(subjects_mode)
        says otherwise. With an empty list and no O(subjects) nobody has the grant, and the binding stays.
      - If neither is given, only the role is managed. That needs O(rules).
    type: list
    elements: str
  subjects: &subjects
    description:
      - Subjects in their full form, for users and groups.
    type: list
    elements: dict
    suboptions:
      kind:
        description:
          - The kind of the subject. Every subject needs one.
        type: str
        choices:
          - ServiceAccount
          - User
          - Group
      name:
        description:
          - The name of the subject. Every subject needs one.
        type: str
      namespace:
        description:
          - The namespace of a V(ServiceAccount), which is O(namespace) if not given. The others have none.
        type: str
  subjects_mode:
    <<: &subjects_mode
      description:
        - With V(exact) the binding has these subjects and no others. With V(append) it has at least these. With
          V(remove) it does not have them any more; the binding itself stays, and a binding that is not there is not
          made.
        - Several runs may append to one binding at the same time. Nobody's subjects get lost.
      type: str
      choices:
        - exact
        - append
        - remove
    default: exact
  on_role_change:
    <<: &on_role_change
      description:
        - What to do if the binding refers to another role. Kubernetes does not let a binding change its role.
        - V(fail) changes nothing.
        - V(recreate) deletes the binding and makes it anew. For a moment the grant is gone.
        - V(overlap) first makes a second binding (C(<name>.overlap), with the label C(tokenwright/overlap-of)) to the
          new role and deletes it at the end, so that nobody is refused meanwhile what both roles allow. What a run left
          half-way is finished by the next one.
        - Both keep labels, annotations and owner references of the binding, and with O(subjects_mode=append) all its
          subjects.
      type: str
      choices:
        - fail
        - recreate
        - overlap
    default: fail
  override_autoupdate:
    <<: &override_autoupdate
      description:
        - Whether to change also what must not be reconciled (annotation
          C(rbac.authorization.kubernetes.io/autoupdate=false)), which is otherwise left alone with a warning, and what
          belongs to Kubernetes itself, which is otherwise an error.
      type: bool
    default: false
  labels: &labels
    description:
      - Labels to set on the binding and on the role made of O(rules). A label that is V(null) is removed, labels that
        are not named are left alone.
    type: dict
  annotations: &annotations
    description:
      - Annotations to set on the binding and on the role made of O(rules). An annotation that is V(null) is removed,
        annotations that are not named are left alone.
    type: dict
  expires_at: &expires_at
    description:
      - An RFC 3339 time with its offset, for example V(2027-01-31T00:00:00Z), from which on the grant is treated as if
        O(state) were V(absent). It is compared with the time of the API server.
      - Nothing happens by itself at that time; the first run of the task after it takes the grant back.
      - It is stored as the annotation V(tokenwright/expires-at).
      - What expires is deleted as a whole, so it cannot be given for what is shared with others (a mode of V(append) or
        V(remove)).
    type: str
  brief_outcomes:
    description:
      - Whether the entries of RV(outcomes) leave out roles, bindings and what was missing or extra, which are most of
        the result of a long list. What is not there is V(null) all the same.
      - Meant for lists of hundreds, whose results Ansible takes apart and a job's log keeps.
    type: bool
    default: false
  bindings:
    description:
      - Any number of grants, instead of the one in O(name). An empty list changes nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default. An item cannot undo what the task says, so O(namespace) and O(cluster_wide), and likewise O(role),
        O(cluster_role) and O(rules), can be mixed only among the items.
      - No binding may be in the list twice, and no two items may make the same role, unless they only append to it.
    type: list
    elements: dict
    suboptions:
      name: *name
      namespace: *namespace
      cluster_wide: *cluster_wide
      state: *state
      role: *role
      cluster_role: *cluster_role
      rules: *rules
      rules_mode: *rules_mode
      aggregation_selectors: *aggregation_selectors
      role_name: *role_name
      service_accounts: *service_accounts
      subjects: *subjects
      subjects_mode: *subjects_mode
      on_role_change: *on_role_change
      override_autoupdate: *override_autoupdate
      labels: *labels
      annotations: *annotations
      expires_at: *expires_at
notes:
  - Kubernetes takes rules about things that do not exist, and they grant nothing. So the task warns of resources,
    subresources, API groups and verbs in new O(rules) that the cluster does not know, with what was probably meant; of
    resources that have none of the verbs, and of resources in no namespace if the grant is for one. The rules are
    written all the same, because a CustomResourceDefinition may be installed later.
  - What the authorizer is asked about although no API lists it is known (V(impersonate) on V(users),
    V(signers), V(nodes/metrics), V(finalizers) ...). Other verbs of somebody's own are left alone unless they look
    like a slip, and so is what only some of the groups, resources and verbs in one rule make of each other. Nothing is
    said of an aggregated API that is down, nor if the API server does not tell the caller what it serves.
    O(rules[].non_resource_urls) are not compared.
  - That takes two requests in a task that writes new rules, and before Kubernetes 1.27 one for every version of every
    API group. A task that writes none sends none of them.
  - The API server lets nobody grant what they do not hold themselves, unless they may V(bind) the role and, to write
    it, V(escalate) it. What that means for those who are no administrators, and which rights they need, is in the file
    V(docs/rights.md) of the collection.
seealso:
  - module: tokenwright.kubernetes.k8s_sa
    description: Declares the service accounts.
  - module: tokenwright.kubernetes.k8s_sa_token
    description: Keeps a token of a service account good in the places that need it.
  - name: Using RBAC authorization
    link: https://kubernetes.io/docs/reference/access-authn-authz/rbac/
    description: Roles, bindings and the rules of granting.
  - name: Role based access control good practices
    link: https://kubernetes.io/docs/concepts/security/rbac-good-practices/
    description: Which grants are more powerful than they look.
"""

EXAMPLES = r"""
- name: Make sure that the account that gets the grants exists
  tokenwright.kubernetes.k8s_sa:
    name: deployer
    namespace: ci
    create_namespace: true

- name: Let it see its namespace, without the Secrets
  tokenwright.kubernetes.k8s_sa_binding:
    name: deployer-view
    namespace: ci
    cluster_role: view
    service_accounts:
      - deployer

- name: Let it do exactly what it needs
  tokenwright.kubernetes.k8s_sa_binding:
    name: deployer
    namespace: ci
    rules:
      - verbs: [get, list, watch, patch]
        resources: [deployments.apps, deployments.apps/scale]
      - verbs: [get, update]
        resources: [configmaps]
        resource_names: [release]
    service_accounts:
      - deployer
    # who changes a Deployment can run anything with the accounts and Secrets of the namespace
    allow_risks: [workload_create]

- name: Let one more account see it, whoever else a shared binding already names
  tokenwright.kubernetes.k8s_sa_binding:
    name: shared-view
    namespace: ci
    cluster_role: view
    service_accounts:
      - dashboard
    subjects_mode: append

- name: Let the people on call change things for a limited time
  tokenwright.kubernetes.k8s_sa_binding:
    name: incident-4711
    namespace: ci
    cluster_role: edit
    subjects:
      - kind: Group
        name: on-call
    expires_at: "2027-01-31T00:00:00Z"
    allow_risks: [secrets_read, secrets_write, token_create, pod_exec, workload_create]

- name: Let an account of another namespace read what the whole cluster measures
  tokenwright.kubernetes.k8s_sa_binding:
    name: metrics-reader
    cluster_wide: true
    rules:
      - verbs: [get, list]
        resources: [nodes.metrics.k8s.io, pods.metrics.k8s.io]
      - verbs: [get]
        non_resource_urls: [/metrics]
    service_accounts:
      - monitoring/prometheus

- name: Declare all grants of a team, and take back those that left the list
  tokenwright.kubernetes.k8s_sa_binding:
    set_name: delivery
    prune: true
    service_accounts:
      - ci/deployer
    bindings:
      - name: delivery-restart
        namespace: ci
        rules:
          - verbs: [get, delete]
            resources: [pods]
      - name: delivery-nodes
        cluster_wide: true
        rules:
          - verbs: [get, list]
            resources: [nodes]

- name: Take a grant back
  tokenwright.kubernetes.k8s_sa_binding:
    name: deployer-debug
    namespace: ci
    state: absent
"""

RETURN = r"""
role:
  description:
    - The Role or ClusterRole made of O(rules), after the task, as the API spells it, without V(metadata.managedFields).
      In check mode it is what the role would be, as far as that is known before the API server has seen it.
    - It is V(null) if O(rules) is not given or the role is gone.
  returned: success, unless O(bindings) is given
  type: dict
  sample:
    apiVersion: rbac.authorization.k8s.io/v1
    kind: Role
    metadata:
      annotations:
        tokenwright/made-for: deployer
      creationTimestamp: "2026-11-22T07:00:46Z"
      name: deployer
      namespace: ci
      resourceVersion: "490"
      uid: 6c0c5598-7782-48ea-95ef-dc227b15f012
    rules:
      - apiGroups: [""]
        resources: [pods]
        verbs: [get, list]
binding:
  description:
    - The RoleBinding or ClusterRoleBinding, like RV(role).
    - It is V(null) if there is none.
  returned: success, unless O(bindings) is given
  type: dict
  sample:
    apiVersion: rbac.authorization.k8s.io/v1
    kind: RoleBinding
    metadata:
      creationTimestamp: "2026-11-22T07:00:46Z"
      name: deployer
      namespace: ci
      resourceVersion: "491"
      uid: 8f1839cb-9491-4009-88dc-19fdd174610e
    roleRef:
      apiGroup: rbac.authorization.k8s.io
      kind: Role
      name: deployer
    subjects:
      - kind: ServiceAccount
        name: deployer
        namespace: ci
missing_rules:
  description:
    - What the role did not grant before the task although it is in O(rules), as rules of the API.
  returned: success, unless O(bindings) is given
  type: list
  elements: dict
  sample:
    - apiGroups: [""]
      resources: [pods]
      verbs: [list]
extra_rules:
  description:
    - What the role granted before the task although it is not in O(rules), as rules of the API.
  returned: success, unless O(bindings) is given
  type: list
  elements: dict
  sample: []
missing_subjects:
  description:
    - Who did not have the grant before the task although it is declared, as subjects of the API.
  returned: success, unless O(bindings) is given
  type: list
  elements: dict
  sample:
    - kind: ServiceAccount
      name: deployer
      namespace: ci
extra_subjects:
  description:
    - Who had the grant before the task although it is not declared, as subjects of the API.
  returned: success, unless O(bindings) is given
  type: list
  elements: dict
  sample: []
risks:
  description:
    - What is dangerous about what is granted, the worst first, whether it is allowed or not. It is also there after a
      failure, as far as it came to that.
    - It is empty for a grant that is taken back, and with O(risk_policy=ignore).
  returned: success, unless O(bindings) is given
  type: list
  elements: dict
  contains:
    id:
      description:
        - Its word, as in O(allow_risks).
      type: str
      returned: always
    reference:
      description:
        - Its number in the list of checks.
      type: str
      returned: always
    severity:
      description:
        - How bad it is - V(critical), V(high) or V(medium).
      type: str
      returned: always
    object:
      description:
        - Where it was seen, the role or the binding.
      type: dict
      returned: always
      contains:
        kind:
          description:
            - The kind as the API spells it.
          type: str
          returned: always
        namespace:
          description:
            - The namespace; V(null) if it is in none.
          type: str
          returned: always
        name:
          description:
            - The name.
          type: str
          returned: always
    evidence:
      description:
        - What was seen.
      type: str
      returned: always
    fix:
      description:
        - What to do instead.
      type: str
      returned: always
  sample:
    - id: secrets_read
      reference: A17
      severity: high
      object:
        kind: Role
        namespace: ci
        name: deployer
      evidence: Role ci/deployer allows list of secrets in namespace ci
      fix: name the Secrets that are needed (resource_names)
reason:
  description:
    - Why something was done, in one word - V(missing), V(rules_changed), V(subjects_changed), V(metadata_changed),
      V(unwanted) or V(expired). It is V(up_to_date) if nothing was done and the word in RV(error.code) if the grant
      failed.
    - If O(bindings) is given, it is V(changed), V(up_to_date) or V(failed), and each of the RV(outcomes) has a word of
      its own.
  returned: always
  type: str
  sample: missing
msg:
  description:
    - What was done, or in check mode would be done, in one sentence. After a failure it says what went wrong and what
      to do.
  returned: always
  type: str
  sample: Role deployer created, RoleBinding deployer created (missing)
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
        - What was done - V(create), V(update) or V(delete).
      type: str
      returned: always
    kind:
      description:
        - The kind of the object as the API spells it, V(Role), V(ClusterRole), V(RoleBinding) or V(ClusterRoleBinding).
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the object; V(null) if it is in none.
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
    - verb: create
      kind: Role
      namespace: ci
      name: deployer
      reason: missing
    - verb: create
      kind: RoleBinding
      namespace: ci
      name: deployer
      reason: missing
outcomes:
  description:
    - What came of each of the O(bindings), in their order.
  returned: when O(bindings) is given, except after an error in the options or the connection
  type: list
  elements: dict
  contains:
    name:
      description:
        - The name of the binding.
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the binding; V(null) if it is cluster-wide.
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
        - Why, in the words of RV(reason) for a single grant.
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
    role:
      description:
        - The role, like RV(role).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), and with O(brief_outcomes) only if it is V(null)
    binding:
      description:
        - The binding, like RV(binding).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), and with O(brief_outcomes) only if it is V(null)
    missing_rules:
      description:
        - What the role did not grant, like RV(missing_rules).
      type: list
      elements: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), not with O(brief_outcomes)
    extra_rules:
      description:
        - What the role granted too much, like RV(extra_rules).
      type: list
      elements: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), not with O(brief_outcomes)
    missing_subjects:
      description:
        - Who did not have the grant, like RV(missing_subjects).
      type: list
      elements: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), not with O(brief_outcomes)
    extra_subjects:
      description:
        - Who had the grant too much, like RV(extra_subjects).
      type: list
      elements: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), not with O(brief_outcomes)
    risks:
      description:
        - What is dangerous about it, like RV(risks).
      type: list
      elements: dict
      returned: when RV(outcomes[].status) is not V(skipped)
    error:
      description:
        - What went wrong, like RV(error).
      type: dict
      returned: when RV(outcomes[].status) is V(failed)
error:
  description:
    - What went wrong. If several of the O(bindings) failed, it is the first one's here and everyone's in
      RV(outcomes).
  returned: failure
  type: dict
  contains:
    code:
      description:
        - What went wrong, in one word, for example V(forbidden), V(escalation) or V(unreachable).
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
  sample: 4
retries:
  description:
    - How many of these requests were repetitions after a failure.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 0
"""

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._binding import USE_CASE
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
