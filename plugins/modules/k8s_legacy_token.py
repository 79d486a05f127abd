#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_legacy_token
short_description: Keep long-lived Kubernetes service account tokens under control
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Makes a Secret of the type V(kubernetes.io/service-account-token), waits until the cluster has put a token into it,
    and keeps that token in token files, kubeconfigs and other Secrets. It is for what cannot use tokens that expire;
    everything else is better off with M(tokenwright.kubernetes.k8s_sa_token).
  - Rotates the token, suspends it and lifts the suspension, and takes it back, in any case or only if it is unused.
  - Such a token never expires by itself. It is good as long as its Secret and its account are there. If its Secret is
    deleted and made again under the same name, the very same token may be good again. Therefore a rotation always makes
    a Secret of another name. If all Secrets of a token were deleted and none of its places holds it any more, nobody
    knows which names there were. What has leaked is better made under another O(name) then.
  - The account has to exist and is not changed. The content of the Secret is never sent, so that nothing can wipe out a
    token, and the Secret is never entered in the C(secrets) of the account.
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
      - Secrets and places are read as usual, but nothing is written. RV(token) and RV(auth) are not returned, and
        whether RV(revoked) is not known.
      - An account or a namespace that does not exist counts as one that an earlier task would have created; a warning
        says so.
  diff_mode:
    support: full
    details:
      - Shows the names of the Secrets and which of them are not in use any more, never a token.
  idempotent:
    support: full
    details:
      - A later run is also changed when the time has come to rotate the token (O(rotate_after)) or to retire an older
        one (O(overlap)).
  async:
    support: partial
    details:
      - Refused with O(return_token), because Ansible would keep the token in a file.
options:
  name: &name
    description:
      - The name of the Secret, at most 63 characters unless it is to be suspended or absent. Every token needs one, be
        it here or in O(legacy_tokens).
      - After a rotation the token is in a Secret V(name-2), then V(name-3) and so on, see RV(secret_name). All of them
        belong together by the label V(tokenwright/legacy-token).
      - A Secret of that name which is there already and holds a token of the account becomes the first one, if there is
        none with the label yet. Its token stays.
    type: str
  service_account: &service_account
    description:
      - The name of the account. Every token needs one, also to be taken back.
    type: str
  namespace: &namespace
    description:
      - The namespace of the account and the Secret. There is no default; every token needs one.
    type: str
  state:
    <<: &state
      description:
        - V(present) keeps the token, and lifts a suspension that this module made. One that somebody else made, or the
          cluster because the token was unused for a year, is an error.
        - V(suspended) makes the API server refuse the token, within about ten seconds, and all those before it. Nothing
          is deleted, and V(present) makes the token good again.
        - V(absent) deletes the Secrets of all generations and clears the places, see also O(unused_for). A token file
          is deleted. A kubeconfig loses the user and the context of this token, the cluster if no other context needs
          it, and is deleted if nothing is left. A Secret among the O(sinks) that this module made is deleted, any other
          one loses the keys of its O(sinks[].format). A place with something else in it, or with another token, is an
          error unless O(force) is set; all the rest is seen to all the same.
      type: str
      choices:
        - present
        - suspended
        - absent
    default: present
  wait_timeout:
    <<: &wait_timeout
      description:
        - How long the cluster may take to put a token into a Secret, in seconds or as V(2m). A healthy one does it at
          once.
        - If the account is missing, the Secret is of another type, immutable and empty, or of an account of that name
          that was there before, the task fails within a second and says so.
      type: raw
    default: 30
  rotate_after: &rotate_after
    description:
      - The age from which the token is replaced by a new one in another Secret, in seconds or as V(30d).
      - Nothing happens by itself. The task has to run after that time.
      - Without it, the token is not rotated. That, and more than 30 days, is the risk V(long_lived_token), see
        O(allow_risks).
    type: raw
  overlap:
    <<: &overlap
      description:
        - How long the token before stays good after a new one was seen to be accepted and is in all places, in seconds
          or as V(10m). With V(0) it is retired at once.
        - It ends in the first run after that time. As long as a Pod, a Deployment or another workload has the Secret
          mounted or in its environment, the Secret stays, with a warning, if the caller may list workloads.
      type: raw
    default: 1h
  on_retire:
    <<: &on_retire
      description:
        - What becomes of the Secret of a token that was replaced, after O(overlap).
        - V(delete) deletes it. V(suspend) keeps it and makes the API server refuse its token. By hand that can be
          undone, see RV(generations[].invalid_since).
      type: str
      choices:
        - delete
        - suspend
    default: delete
  unused_for: &unused_for
    description:
      - With O(state=absent), the token is only taken back if the API server has certainly not seen it used for so long,
        in seconds or as V(90d), and no workload has its Secret mounted or in its environment.
      - The API server notes the day of the last use, and since when it does so. It is needed that the caller may get
        the ConfigMap C(kube-apiserver-legacy-service-account-token-tracking) in the namespace C(kube-system), and may
        list all kinds of workloads in that of the token.
      - RV(reason) tells why a token stays.
    type: raw
  verify:
    <<: &verify
      description:
        - Whether the API server is asked if it accepts a new token (TokenReview), before it replaces anything, and
          after a token was suspended or taken back, until it is refused.
        - V(auto) asks if the caller may, V(always) fails if it may not, V(never) does not ask.
        - With V(auto) and V(always) a token is also tried on the server that a kubeconfig is going to name, before it
          is written there.
        - A token that is in its places already is not asked about, because the API server would note that as its use.
          It is looked at instead whether the Secret is there, is of the living account and is not suspended.
      type: str
      choices:
        - never
        - auto
        - always
    default: auto
  dest: &dest
    description:
      - The absolute path of a token file. It is short for an entry of O(sinks) with the type V(file).
    type: path
  kubeconfig_dest: &kubeconfig_dest
    description:
      - The absolute path of a kubeconfig. It is short for an entry of O(sinks) with the type V(kubeconfig).
    type: path
  sinks: &sinks
    description:
      - The places that hold the token. They may be used together with O(dest) and O(kubeconfig_dest).
      - Without any place, the token is only in its Secret, from where Pods and others may read it.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - V(file) is a file with nothing but the token in it.
          - V(kubeconfig) is a cluster, a user and a context in a kubeconfig, which may hold other entries as well. An
            entry of the same name which this module did not write and which says something else is an error, unless
            O(force) is set.
          - V(secret) is a Secret with the keys of its O(sinks[].format). It may be there already and hold other keys as
            well. One whose key for the token holds something else is an error, unless O(force) is set.
          - Every place needs one.
        type: str
        choices:
          - file
          - kubeconfig
          - secret
      path:
        description:
          - The absolute path of the file, whose directory has to exist. Every V(file) and V(kubeconfig) needs one.
        type: path
      owner:
        description:
          - The user that owns the file, by name or number.
          - Without it, the file belongs to the user the task runs as. One that root replaces stays its owner's if the
            directory belongs to the same user.
        type: str
      group:
        description:
          - The group of the file, by name or number.
          - Without it, it is chosen like O(sinks[].owner).
        type: str
      mode:
        description:
          - The permissions of the file, as an octal number in quotes. V(0600) if not given.
          - Its owner must be able to read it; nobody else may write it and nobody execute it.
          - If others than its owner and group may use the file, that is the risk V(readable_by_others), see
            O(allow_risks).
        type: raw
      name:
        description:
          - The name of the Secret. Every V(secret) needs one.
        type: str
      namespace:
        description:
          - The namespace of the Secret, or of the context in the kubeconfig. Without it, that of the account.
        type: str
      format:
        description:
          - What the Secret looks like. V(token) if not given.
          - V(token) has the keys C(token), C(ca.crt) and C(namespace), like the volume that Kubernetes mounts into
            Pods.
          - V(kubeconfig) has the key C(kubeconfig).
          - V(argocd_cluster) has the keys C(name), C(server) and C(config) and the label with which Argo CD finds its
            clusters.
          - If it is changed, the keys of the format before go.
        type: str
        choices:
          - token
          - kubeconfig
          - argocd_cluster
      labels:
        description:
          - Labels for the Secret. Others that it has are left alone.
        type: dict
      connection:
        description:
          - How to reach the cluster that the Secret is in, if it is another one than the account's. Nothing of it is
            taken from the options of the task or from environment variables.
          - The rest means what it means in the options of the same names.
        type: dict
        suboptions:
          kubeconfig:
            description:
              - The path or the content of a kubeconfig, see O(kubeconfig). This or O(sinks[].connection.host) is
                needed.
            type: raw
          context:
            description:
              - The context of that kubeconfig to use instead of its current one.
            type: str
          host:
            description:
              - The URL of the API server, see O(host).
            type: str
          api_key:
            description:
              - The bearer token to authenticate with.
            type: str
          ca_cert:
            description:
              - The path of a PEM file with the certificate authority, see O(ca_cert).
            type: path
            aliases:
              - ssl_ca_cert
          validate_certs:
            description:
              - Whether to check the API server's certificate.
            type: bool
            aliases:
              - verify_ssl
          client_cert:
            description:
              - The path of a PEM file with a client certificate.
            type: path
            aliases:
              - cert_file
          client_key:
            description:
              - The path of a PEM file with its unencrypted key.
            type: path
            aliases:
              - key_file
          proxy:
            description:
              - The URL of an HTTP proxy to reach the API server through.
            type: str
          no_proxy:
            description:
              - The hosts that are reached without it, separated by commas.
            type: str
          impersonate_user:
            description:
              - The user to act as.
            type: str
          impersonate_groups:
            description:
              - The groups to act as a member of.
            type: list
            elements: str
          request_timeout:
            description:
              - How many seconds one attempt at a request may take. V(30) if not given.
            type: int
          retry_timeout:
            description:
              - How many seconds may be spent on trying one request again. V(60) if not given.
            type: int
      server:
        description:
          - The URL of the API server to write into a kubeconfig or a Secret. Without it, the one this task uses.
        type: str
      ca_cert:
        description:
          - The path of a PEM file with the certificate authority to write into a kubeconfig or a Secret.
          - Without it, the one this task uses. If the task does not check the API server's certificate, or a Secret
            needs one and the task has none, it is that of the ConfigMap C(kube-root-ca.crt) in the account's namespace.
        type: path
      cluster_name:
        description:
          - The name of the cluster in the kubeconfig, or in Argo CD. Without it, the host and port of the server.
        type: str
      user_name:
        description:
          - The name of the user in the kubeconfig. Without it, V(namespace/account@cluster).
        type: str
      context_name:
        description:
          - The name of the context in the kubeconfig. Without it, V(namespace/account@cluster).
        type: str
      token_file:
        description:
          - The path of a file that is to hold the token. The kubeconfig then only refers to it.
          - If the file is not a place of its own, it becomes one, with the owner, group and mode of the kubeconfig.
        type: path
      set_current:
        description:
          - Whether to make the context the current one of the kubeconfig. Without it, only if there is no current one.
        type: bool
  return_token:
    <<: &return_token
      description:
        - Whether to return RV(token) and RV(auth) as well.
        - The whole result is then hidden from Ansible's output, as V(no_log) would do it, but not from tasks that use
          it. Those need V(no_log) of their own.
      type: bool
    default: false
  force:
    <<: &force
      description:
        - Whether to replace in the places what this module did not write - a file or a key of a Secret that holds
          something else than a token, entries of a kubeconfig; with O(state=absent), whether to take another token out
          of them.
      type: bool
    default: false
  legacy_tokens:
    description:
      - Any number of tokens, instead of the one of O(name). An empty list changes nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default.
      - No token file and no Secret may belong to two tokens of the list, and no Secret among the O(sinks) may be called
        like one that another token of the list is kept in. Tokens of different accounts may share a kubeconfig.
      - With O(prune) the Secrets of all generations go, with a warning that names the workloads which still use one, as
        with O(state=absent). Files, and Secrets among the O(sinks), are not looked for.
    type: list
    elements: dict
    suboptions:
      name: *name
      service_account: *service_account
      namespace: *namespace
      state: *state
      wait_timeout: *wait_timeout
      rotate_after: *rotate_after
      overlap: *overlap
      on_retire: *on_retire
      unused_for: *unused_for
      verify: *verify
      dest: *dest
      kubeconfig_dest: *kubeconfig_dest
      sinks: *sinks
      return_token: *return_token
      force: *force
notes:
  - Files are read and written on the host that the task runs on, by the user that it runs as.
  - A file is replaced in one step, is private from its first byte and never left half written. A file that is a
    symbolic link, and a directory in which everybody may replace the files of others, are refused.
  - A Secret that was deleted by hand while its token is still in one of the places is followed by one of another name,
    so that the deleted token does not come back. If no place holds it any more, nobody can know. Whoever deletes a
    token because others have got hold of it should choose another O(name) afterwards.
  - The first Secret is made after everything that can fail without it has been tried. A new token is written to Secrets
    first, and the token before it is retired last of all.
  - Which rights a caller needs, and what for, is in the file V(docs/rights.md) of the collection. The Secrets of a
    token are looked for by their metadata alone, but that takes the right to list Secrets, and whoever has it may read
    all that is in them.
seealso:
  - module: tokenwright.kubernetes.k8s_sa_token
    description: Keeps tokens that expire, and renews them.
  - module: tokenwright.kubernetes.k8s_sa
    description: Declares the service accounts, and can void all tokens of one.
  - name: Managing service accounts
    link: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
    description: How long-lived tokens are made, tracked and cleaned up by the cluster.
"""

EXAMPLES = r"""
- name: Make sure that the account exists
  tokenwright.kubernetes.k8s_sa:
    name: scanner
    namespace: ci
    create_namespace: true

- name: Make a directory for the tokens
  ansible.builtin.file:
    path: "{{ token_dir }}"
    state: directory
    mode: "0700"

- name: Keep a long-lived token in its Secret, rotated every month
  tokenwright.kubernetes.k8s_legacy_token:
    name: scanner-token
    service_account: scanner
    namespace: ci
    rotate_after: 30d
    overlap: 1d
  register: scanner_token

- name: Show the Secret that it is in
  ansible.builtin.debug:
    var: scanner_token.secret_name

- name: Keep one in a kubeconfig for a tool that cannot renew tokens, and suspend the one before instead of deleting it
  tokenwright.kubernetes.k8s_legacy_token:
    name: old-tool
    service_account: scanner
    namespace: ci
    rotate_after: 14d
    overlap: 2h
    on_retire: suspend
    kubeconfig_dest: "{{ token_dir }}/old-tool.kubeconfig"

- name: Make a token void as long as somebody looks into it; state present would make it good again
  tokenwright.kubernetes.k8s_legacy_token:
    name: suspicious-tool
    service_account: scanner
    namespace: ci
    state: suspended

- name: Take tokens back that nobody has used for three months
  tokenwright.kubernetes.k8s_legacy_token:
    namespace: ci
    service_account: scanner
    state: absent
    unused_for: 90d
    legacy_tokens:
      - name: scanner-token
      - name: forgotten-token

- name: Take a token back and clear its place
  tokenwright.kubernetes.k8s_legacy_token:
    name: retired-tool
    service_account: scanner
    namespace: ci
    state: absent
    kubeconfig_dest: "{{ token_dir }}/retired-tool.kubeconfig"
"""

RETURN = r"""
secret_name:
  description:
    - The name of the Secret that the token is in now, or in check mode would be. V(null) if there is none.
  returned: success, unless O(legacy_tokens) is given
  type: str
  sample: scanner-token-2
generations:
  description:
    - The Secrets of the token, in the order in which they were made; the last one is in use.
  returned: success, unless O(legacy_tokens) is given
  type: list
  elements: dict
  contains: &generation
    name:
      description:
        - The name of the Secret.
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
        - The day on which its token was last used, as the API server has noted it; V(null) if it was not.
      type: str
      returned: always
    invalid_since:
      description:
        - Since when the API server refuses the token, which is the value of the label
          V(kubernetes.io/legacy-token-invalid-since); V(null) if it does not.
      type: str
      returned: always
    superseded_at:
      description:
        - Since when a later one is in use; V(null) if none is.
      type: str
      returned: always
    consumers:
      description:
        - The workloads that use the Secret. V(null) if the caller may not list them.
      type: list
      elements: dict
      returned: always
      contains:
        kind:
          description:
            - What it is, for example V(Deployment). A Pod that was made by something that does not use the Secret any
              more is named itself.
          type: str
          returned: always
        name:
          description:
            - Its name.
          type: str
          returned: always
        way:
          description:
            - V(mount) or V(env).
          type: str
          returned: always
  sample:
    - name: scanner-token-2
      created_at: "2026-11-22T07:00:47Z"
      age: 86400
      last_used: "2026-11-23"
      invalid_since: null
      superseded_at: null
      consumers:
        - kind: Deployment
          name: scanner
          way: mount
sinks:
  description:
    - The places of the token. Empty if it is only in its own Secret.
  returned: success, unless O(legacy_tokens) is given
  type: list
  elements: dict
  contains:
    type:
      description:
        - V(file), V(kubeconfig) or V(secret).
      type: str
      returned: always
    place:
      description:
        - The path of the file, or the namespace and name of the Secret with a slash between them.
      type: str
      returned: always
    changed:
      description:
        - Whether the place was, or in check mode would be, written or cleared.
      type: bool
      returned: always
  sample:
    - type: file
      place: /run/ci/deployer.token
      changed: true
token:
  description:
    - The token, a secret.
  returned: with O(return_token), except in check mode, if it is to be present, unless O(legacy_tokens) is given
  type: str
auth:
  description:
    - The options with which modules can use the token, a secret.
  returned: with O(return_token), except in check mode, if it is to be present, unless O(legacy_tokens) is given
  type: dict
  contains:
    host:
      description:
        - The URL of the API server.
      type: str
      returned: always
    api_key:
      description:
        - The token.
      type: str
      returned: always
    ca_cert:
      description:
        - The path of the file with the certificate authority.
      type: str
      returned: when the connection of this task has it from a file
verified:
  description:
    - Whether the API server was seen to accept the token in this run. V(null) if it was not asked, see O(verify).
  returned: success, unless O(legacy_tokens) or O(state=suspended) or O(state=absent) is given
  type: bool
revoked:
  description:
    - Whether the tokens were made void in this run. V(null) if nothing was done, and in check mode.
  returned: after success for a token that is to be suspended or absent, unless O(legacy_tokens) is given
  type: bool
revoked_after_seconds:
  description:
    - How long it took until the API server was seen to refuse them. V(null) if it was not asked, see O(verify).
  returned: after success for a token that is to be suspended or absent, unless O(legacy_tokens) is given
  type: float
  sample: 10.1
reason:
  description:
    - Why something was done, in one word - V(missing) (there was no Secret), V(due) (its age), V(lifted) (a
      suspension), V(adopted) (a Secret that was there before), V(set_changed), V(sink_changed) (a place lacked the
      token, or had other permissions or other entries than it should have), V(suspended), V(revoked); V(superseded) or
      V(account_recreated) if all that was done was to mark, suspend or delete an older Secret.
    - Why O(unused_for) keeps a token - V(recently_used), V(mounted) (a workload has it mounted or in its environment)
      or V(usage_unknown), with a warning if it is a right that is missing.
    - It is V(up_to_date) if nothing was to be done and the word in RV(error.code) if the token failed.
    - If O(legacy_tokens) is given, it is V(changed), V(up_to_date) or V(failed), and each of the RV(outcomes) has a
      word of its own.
  returned: always
  type: str
  sample: due
msg:
  description:
    - What was done, or in check mode would be done, in one sentence. After a failure it says what went wrong and what
      to do.
  returned: always
  type: str
  sample: a token is made in ci/scanner-token-2 (due)
actions:
  description:
    - What was written, in this order; in check mode what would be.
  returned: always
  type: list
  elements: dict
  contains:
    verb:
      description:
        - What was done - V(create) and V(delete) for Secrets of the token, V(patch) for their labels and annotations,
          V(update) for a place, V(delete) for one that is cleared.
      type: str
      returned: always
    kind:
      description:
        - V(Secret), V(File) or V(Kubeconfig).
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the Secret; V(null) for a file.
      type: str
      returned: always
    name:
      description:
        - The name of the Secret, or the path of the file.
      type: str
      returned: always
    reason:
      description:
        - Why, in the words of RV(reason), or V(not_in_list) for what O(prune) deleted.
      type: str
      returned: always
  sample:
    - verb: create
      kind: Secret
      namespace: ci
      name: scanner-token-2
      reason: due
    - verb: patch
      kind: Secret
      namespace: ci
      name: scanner-token
      reason: superseded
outcomes:
  description:
    - What came of each of the O(legacy_tokens), in their order.
  returned: when O(legacy_tokens) is given, except after an error in the options or the connection
  type: list
  elements: dict
  contains:
    name:
      description:
        - The name of the token.
      type: str
      returned: always
    namespace:
      description:
        - Its namespace.
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
        - Why, in the words of RV(reason) for a single token.
      type: str
      returned: always
    msg:
      description:
        - What was done or what went wrong, in one sentence.
      type: str
      returned: always
    actions:
      description:
        - What was written for it, like RV(actions).
      type: list
      elements: dict
      returned: always
    secret_name:
      description:
        - The name of the Secret that it is in, like RV(secret_name).
      type: str
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    generations:
      description:
        - Its Secrets, like RV(generations).
      type: list
      elements: dict
      contains: *generation
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    sinks:
      description:
        - Its places, like RV(sinks).
      type: list
      elements: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    token:
      description:
        - The token, a secret.
      type: str
      returned: when RV(outcomes[].status) is V(ok) or V(changed) with O(return_token), except in check mode
    auth:
      description:
        - The options with which modules can use the token, like RV(auth).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed) with O(return_token), except in check mode
    verified:
      description:
        - Whether the API server accepts the token, like RV(verified).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be present
    revoked:
      description:
        - Whether the token was made void, like RV(revoked).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be suspended or absent
    revoked_after_seconds:
      description:
        - After how many seconds the API server refused it, like RV(revoked_after_seconds).
      type: float
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be suspended or absent
    error:
      description:
        - What went wrong, like RV(error).
      type: dict
      returned: when RV(outcomes[].status) is V(failed)
error:
  description:
    - What went wrong. If several of the O(legacy_tokens) failed, it is the first one's here and everyone's in
      RV(outcomes).
  returned: failure
  type: dict
  contains:
    code:
      description:
        - What went wrong, in one word, for example V(forbidden), V(account_missing) or V(unreachable).
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
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._legacy_token import USE_CASE


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
