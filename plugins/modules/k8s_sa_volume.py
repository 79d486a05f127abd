#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa_volume
short_description: Put projected volumes with tokens of service accounts into workloads
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Puts a projected volume into the Pods of a Deployment, StatefulSet, DaemonSet, CronJob or ReplicaSet, mounts it in
    their containers, and switches off the token that Kubernetes would mount by itself. Without O(sources) it holds what
    every Kubernetes client looks for; the token of the account, the cluster's certificate authority and the namespace.
  - The kubelet requests such a token for one Pod, writes it into a file and replaces it before it expires. It dies with
    the Pod. Nothing of it is ever seen by this module, and nothing has to be renewed by a schedule.
  - Everything else of the workload stays as it is. With O(state=absent) the volume and its mounts are taken out again,
    and what was there before comes back; the workload remembers it in the annotation V(tokenwright/volumes).
  - What the API server would refuse about a volume is refused before anything is sent. What it takes although it does
    not work, or is more than was meant, is a risk that leads to a warning, see O(allow_risks) and RV(findings).
extends_documentation_fragment:
  - tokenwright.kubernetes._attributes
  - tokenwright.kubernetes._bulk
  - tokenwright.kubernetes._risks
  - tokenwright.kubernetes._connection
attributes:
  check_mode:
    support: full
    details:
      - No write is sent. A workload or an account that does not exist counts as one that an earlier task would have
        created; a warning says so. Nothing is waited for, and whether the API server knows all O(sources) is not tried.
  diff_mode:
    support: full
    details:
      - Shows of the workload the volume, its mounts and the fields that are changed with them, as YAML.
  idempotent:
    support: full
    details:
      - The sources are compared as the API server stores them. Their order matters, because of two files of the same
        path the later one wins.
  async:
    support: full
options:
  kind:
    <<: &kind
      description:
        - The kind of the workload, V(Deployment), V(StatefulSet), V(DaemonSet), V(CronJob) or V(ReplicaSet).
        - Kubernetes lets nobody change the template of a V(Pod) or a V(Job), not even of one that is suspended. They
          have to be made anew, with the volume in their manifest; see
          P(tokenwright.kubernetes.projected_volume#filter).
      type: str
    default: Deployment
  name: &name
    description:
      - The name of the workload. Every volume needs one, be it here or in O(workloads).
    type: str
  namespace: &namespace
    description:
      - The namespace of the workload. Every volume needs one.
    type: str
  state:
    <<: &state
      description:
        - Whether the volume is to be in the workload.
        - V(absent) takes it out with its mounts. What it had replaced comes back, and with the last volume of this
          module also the account, automount and group that were there before, unless somebody else changed them since.
          Volumes and mounts come back to their places in the lists.
        - A volume of that name that this module did not put in stays, unless O(force) is set.
      type: str
      choices:
        - present
        - absent
    default: present
  service_account: &service_account
    description:
      - The account that the Pods are to run under. It has to exist, because no Pod could be made otherwise.
      - Without it, the account of the workload is left alone.
    type: str
  containers: &containers
    description:
      - The names of the containers that mount the volume, those that run before the others (init containers) among
        them. One that is not named and mounted it before does not any more, whoever had it mounted there. A mount that
        somebody else made is named in a warning when it is taken out.
      - Without it, all containers of the template do.
    type: list
    elements: str
  volume_name:
    <<: &volume_name
      description:
        - The name of the volume. A workload may have several volumes of this module, each with its own name and
          O(mount_path).
      type: str
    default: sa-token
  mount_path:
    <<: &mount_path
      description:
        - The directory at which the containers find the volume. The default is where Kubernetes clients look for a
          token by themselves; one for another O(sources[].token.audience) is better off elsewhere.
        - If something else is mounted there, in whatever spelling of the path, that is an error, unless O(force) is
          set.
      type: str
    default: /var/run/secrets/kubernetes.io/serviceaccount
  sources: &sources
    description:
      - What is in the volume, in this order. Every entry has exactly one of the keys below, whose fields are those of
        the API in other letters.
      - Without it, these are a token for the API server that is good for an hour (C(token)), the certificate authority
        (C(ca.crt), from the ConfigMap C(kube-root-ca.crt)) and the name of the namespace (C(namespace)).
    type: list
    elements: dict
    suboptions:
      token:
        description:
          - A token of the account that the Pods run under. For several audiences give several, each with its own path.
        type: dict
        aliases:
          - service_account_token
        suboptions:
          path:
            description:
              - The file in the volume. Without it, C(token).
            type: str
          audience:
            description:
              - Who is to take the token. Without it, that is the API server, whatever it calls itself; to guess its
                name is a mistake on other clusters.
            type: str
          expiration_seconds:
            description:
              - How long a token is good, in seconds or like V(10m), at least V(600). Without it, V(3600). It is
                replaced when 80% of that have passed, and after a day at the latest.
            type: raw
      config_map:
        description:
          - Keys of a ConfigMap in the namespace.
        type: dict
        suboptions: &of_object
          name:
            description:
              - The name of the object. It is needed.
            type: str
          items:
            description:
              - Which keys become files. Without it, all do, under their own names.
            type: list
            elements: dict
            suboptions:
              key:
                description:
                  - The key. It is needed.
                type: str
              path:
                description:
                  - The file in the volume. It is needed.
                type: str
              mode:
                description:
                  - The mode of the file, if it is another than O(default_mode). Quote it, for example V("0440").
                type: raw
          optional:
            description:
              - Whether the Pod starts although the object or a key is not there.
            type: bool
      secret:
        description:
          - Keys of a Secret in the namespace.
        type: dict
        suboptions: *of_object
      downward_api:
        description:
          - What the Pod knows of itself.
        type: dict
        suboptions:
          items:
            description:
              - The files. At least one is needed.
            type: list
            elements: dict
            suboptions:
              path:
                description:
                  - The file in the volume. It is needed.
                type: str
              field_ref:
                description:
                  - A field of the Pod. Either this or C(resource_field_ref) is needed.
                type: dict
                suboptions:
                  field_path:
                    description:
                      - V(metadata.name), V(metadata.namespace), V(metadata.uid), V(metadata.labels) or
                        V(metadata.annotations), or one key of these as in V(metadata.labels['app']).
                    type: str
                  api_version:
                    description:
                      - V(v1), also if it is not given.
                    type: str
              resource_field_ref:
                description:
                  - A resource of a container.
                type: dict
                suboptions:
                  container_name:
                    description:
                      - The container. It is needed.
                    type: str
                  resource:
                    description:
                      - V(limits.cpu), V(limits.memory), V(limits.ephemeral-storage), the same with V(requests.), or
                        huge pages.
                    type: str
                  divisor:
                    description:
                      - The unit, for example V(1m) for CPUs or V(1Mi) for memory.
                    type: str
              mode:
                description:
                  - The mode of the file, if it is another than O(default_mode).
                type: raw
      cluster_trust_bundle:
        description:
          - Certificate authorities that the cluster knows. Many clusters do not know this source, or have it switched
            off; then the task fails and the workload stays as it is.
        type: dict
        suboptions:
          name:
            description:
              - The name of the bundle. Either this or C(signer_name) is needed.
            type: str
          signer_name:
            description:
              - The signer whose bundles are meant.
            type: str
          label_selector:
            description:
              - Which bundles of the signer. Without it none is meant, and with an empty one all are.
            type: dict
            suboptions:
              match_labels:
                description:
                  - Labels that a bundle must have, with their values.
                type: dict
              match_expressions:
                description:
                  - Conditions on the labels of a bundle.
                type: list
                elements: dict
                suboptions:
                  key:
                    description:
                      - The key of the label.
                    type: str
                  operator:
                    description:
                      - V(In), V(NotIn), V(Exists) or V(DoesNotExist).
                    type: str
                  values:
                    description:
                      - The values for V(In) and V(NotIn).
                    type: list
                    elements: str
          path:
            description:
              - The file in the volume. It is needed.
            type: str
          optional:
            description:
              - Whether the Pod starts although there is no such bundle.
            type: bool
      pod_certificate:
        description:
          - A key that the kubelet makes for the Pod and a certificate for it. Many clusters do not know this source, or
            have it switched off; then the task fails and the workload stays as it is.
        type: dict
        suboptions:
          signer_name:
            description:
              - Who signs the certificate. It is needed.
            type: str
          key_type:
            description:
              - The kind of the key. It is needed.
            type: str
            choices:
              - RSA3072
              - RSA4096
              - ECDSAP256
              - ECDSAP384
              - ECDSAP521
              - ED25519
          max_expiration_seconds:
            description:
              - How long the certificate may be good at most, in seconds or like V(8h), from V(3600) to 91 days, or a
                day for signers of Kubernetes itself.
            type: raw
          credential_bundle_path:
            description:
              - The file for key and certificates together, which never belong to different rotations. At least one of
                the paths is needed.
            type: str
          key_path:
            description:
              - The file for the key.
            type: str
          certificate_chain_path:
            description:
              - The file for the certificates.
            type: str
          user_annotations:
            description:
              - What else the signer is to know, with keys as in V(example.com/key).
            type: dict
      raw:
        description:
          - One source as the API spells it, for fields or sources that are newer than this collection. The API server
            is asked before it is written whether it knows them.
        type: dict
  default_mode: &default_mode
    description:
      - The mode of the files. Quote it, for example V("0440"); unquoted, YAML takes it for a decimal number unless it
        begins with a zero. Without it, C(0644).
      - It says nothing about tokens as soon as there is a O(fs_group), or all containers run as the same user.
        Kubernetes then lets nobody else read them.
    type: raw
  fs_group: &fs_group
    description:
      - The number of a group (C(fsGroup)). All containers are in it, and it may read the files, so that also those that
        do not run as root can. It holds for all volumes of the Pods.
      - Without it, it is left alone.
    type: int
  automount:
    <<: &automount
      description:
        - Whether Kubernetes is to mount a token by itself (C(automountServiceAccountToken) of the Pods), besides this
          one.
      type: bool
    default: false
  force:
    <<: &force
      description:
        - Whether a volume that has the name already, or a mount that is at the path, is replaced although somebody else
          made it. What it was comes back with O(state=absent). With that state, whether such a volume is taken out.
        - The other mounts of a volume that is replaced are taken out meanwhile, in all containers, so that none gets
          the token that is not to have it.
        - Meant to put a token in the place of a Secret without a change to the application.
      type: bool
    default: false
  wait:
    <<: &wait
      description:
        - Whether to wait until all Pods are new and available. Only a Deployment, and a StatefulSet or DaemonSet with
          the strategy C(RollingUpdate), replaces its Pods by itself; the others are not waited for.
        - It waits also if the volume is there already and the Pods are not.
      type: bool
    default: false
  wait_timeout:
    <<: &wait_timeout
      description:
        - How long to wait, in seconds or like V(10m). After it the task fails; the volume stays in the workload.
      type: raw
    default: 5m
  workloads:
    description:
      - Any number of volumes, instead of the one in O(name). An empty list changes nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default.
      - A workload may be in the list more than once with another O(volume_name); what it has only one of
        (O(service_account), O(fs_group), O(automount)) has to be the same then.
    type: list
    elements: dict
    suboptions:
      kind: *kind
      name: *name
      namespace: *namespace
      state: *state
      service_account: *service_account
      containers: *containers
      volume_name: *volume_name
      mount_path: *mount_path
      sources: *sources
      default_mode: *default_mode
      fs_group: *fs_group
      automount: *automount
      force: *force
      wait: *wait
      wait_timeout: *wait_timeout
notes:
  - A changed template means new Pods. A Deployment, StatefulSet or DaemonSet replaces them by its own rules, a CronJob
    uses it from the next Job on, and a ReplicaSet leaves the Pods alone that it has.
  - An application has to read the file anew from time to time, because the token in it is replaced. A mount of a part
    of the volume (C(subPath)) never sees the new one, so there is no option for it.
  - A workload that was made by another one (the ReplicaSet of a Deployment) is refused, because the change would be
    undone. What some other controller made is changed with a warning.
  - Workloads are read, changed and replaced as a whole under their C(resourceVersion). If somebody else writes in
    between, that is done again, so nothing of theirs gets lost, and the field manager C(tokenwright) owns what was
    changed and no more.
  - How such volumes work, and which rules they are held against, is in the file V(docs/volumes.md) of the collection.
seealso:
  - module: tokenwright.kubernetes.k8s_sa
    description: Declares the service accounts.
  - module: tokenwright.kubernetes.k8s_sa_token
    description: Keeps a token of a service account good outside of Pods.
  - plugin: tokenwright.kubernetes.projected_volume
    plugin_type: filter
    description: Makes the same volume for your own manifests.
  - name: Projected volumes
    link: https://kubernetes.io/docs/concepts/storage/projected-volumes/
    description: What can be in one.
  - name: Configure service accounts for Pods
    link: https://kubernetes.io/docs/tasks/configure-pod-container/configure-service-account/
    description: How tokens get into Pods.
"""

EXAMPLES = r"""
- name: Make sure that the account is there
  tokenwright.kubernetes.k8s_sa:
    name: webshop
    namespace: shop
    automount: false

- name: Let the Pods of a Deployment run under it, with a token that only they have
  tokenwright.kubernetes.k8s_sa_volume:
    name: webshop
    namespace: shop
    service_account: webshop
    # the containers do not run as root
    fs_group: 65534
    wait: true

- name: Give one of the containers a token for Vault as well
  tokenwright.kubernetes.k8s_sa_volume:
    name: webshop
    namespace: shop
    volume_name: vault-token
    mount_path: /var/run/secrets/vault
    containers: [app]
    sources:
      - token:
          audience: https://vault.example.com
          expiration_seconds: 10m

- name: Give a nightly job two tokens and its settings in one volume
  tokenwright.kubernetes.k8s_sa_volume:
    kind: CronJob
    name: report
    namespace: shop
    service_account: webshop
    volume_name: credentials
    mount_path: /credentials
    fs_group: 65534
    sources:
      - token: {path: api}
      - token: {path: billing, audience: billing.example.com}
      - config_map: {name: kube-root-ca.crt}
      - downward_api:
          items:
            - path: name
              field_ref: {field_path: metadata.name}

- name: Put tokens where a Secret was mounted, which comes back with state=absent
  tokenwright.kubernetes.k8s_sa_volume:
    force: true
    namespace: shop
    fs_group: 65534
    workloads:
      - name: importer
        mount_path: /etc/token
      - kind: StatefulSet
        name: queue
        mount_path: /etc/token

- name: Take a volume out again
  tokenwright.kubernetes.k8s_sa_volume:
    name: former
    namespace: shop
    state: absent
"""

RETURN = r"""
volume:
  description:
    - The volume after the task, as the API spells it, V(null) if there is none of that name. In check mode it is what
      it would be.
  returned: success, unless O(workloads) is given
  type: dict
  sample:
    name: vault-token
    projected:
      defaultMode: 420
      sources:
        - serviceAccountToken:
            audience: https://vault.example.com
            expirationSeconds: 600
            path: token
volume_mounts:
  description:
    - The mounts of the volume after the task, as the API spells them, by container.
  returned: success, unless O(workloads) is given
  type: dict
  sample:
    app:
      - mountPath: /var/run/secrets/vault
        name: vault-token
        readOnly: true
rolled_out:
  description:
    - V(true) if all Pods are new and available. V(null) if that was not waited for, or nobody replaces them.
  returned: success, unless O(workloads) is given
  type: bool
  sample: true
findings:
  description:
    - What does not work as it is or is more than was meant, whether it is allowed or not. It is also there after a
      failure, as far as it came to that.
    - It is empty for a volume that is taken out, and with O(risk_policy=ignore).
  returned: success, unless O(workloads) is given
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
        - Where it was seen, the workload.
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
    - id: token_lifetime
      reference: A32
      severity: medium
      object:
        kind: Deployment
        namespace: shop
        name: webshop
      evidence: >-
        sources[0]: for a token of exactly 3607 seconds the API server makes one that it takes for a year
      fix: ask for 3600 seconds
reason:
  description:
    - Why something was done, in one word - V(missing), V(volume_changed), V(mounts_changed), V(account_changed),
      V(automount_changed), V(fs_group_changed) or V(unwanted). It is V(up_to_date) if nothing was done and the word in
      RV(error.code) if it failed.
    - If O(workloads) is given, it is V(changed), V(up_to_date) or V(failed), and each of the RV(outcomes) has a word of
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
  sample: volume sa-token of Deployment shop/webshop is put in (missing)
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
      reason: missing
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
    volume_name:
      description:
        - The name of the volume.
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
        - Why, in the words of RV(reason) for a single volume.
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
    volume:
      description:
        - The volume, like RV(volume).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    volume_mounts:
      description:
        - Its mounts, like RV(volume_mounts).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    rolled_out:
      description:
        - Whether its Pods are new, like RV(rolled_out).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    findings:
      description:
        - What does not work as it is, like RV(findings).
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
    - What went wrong. If several of the O(workloads) failed, it is the first one's here and everyone's in
      RV(outcomes).
  returned: failure
  type: dict
  contains:
    code:
      description:
        - What went wrong, in one word, for example V(missing_workload), V(taken) or V(not_rolled_out).
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
  sample: 4
retries:
  description:
    - How many of these requests were repetitions after a failure.
  returned: always, except after an error in the options or the connection
  type: int
  sample: 0
"""

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_module
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._volume import USE_CASE


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
