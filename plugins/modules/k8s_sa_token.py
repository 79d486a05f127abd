#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: k8s_sa_token
short_description: Keep Kubernetes service account tokens good where they are needed
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Requests a token of a service account (TokenRequest) and stores it in token files, kubeconfigs and Secrets. The next
    runs keep the stored token as long as it is of the live account, was requested in the same way, is accepted by the
    API server and is not due for renewal. Otherwise a new token replaces it in all its places.
  - With O(handle) a token can be taken back. Any other token lives until it expires, or until its account or the object
    it is bound to is deleted.
  - The account has to exist and is not changed. In the cluster nothing is written but the Secrets of O(handle) and
    those among the O(sinks). In a kubeconfig, or in a Secret that is there already, everything but what belongs to this
    token stays as it is.
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
      - The stored tokens are judged as usual, also by the API server, but nothing is written and no TokenRequest is
        sent, not even as a dry run, because the API server answers that with a real token. Therefore RV(token) and
        RV(auth) are not returned, and whether RV(revoked) is not known.
      - An account, a namespace or an object to be bound to that does not exist counts as one that an earlier task would
        have created; a warning says so.
  diff_mode:
    support: full
    details:
      - Shows the id and the expiry of the token before and after, never the token itself or anything else of its
        places.
  idempotent:
    support: partial
    details:
      - A token that is stored somewhere is kept until it is due or the API server refuses it, so a second run changes
        nothing. What O(renew_if_credential_id) asks for is not repeated either.
      - With O(handle) a later run is also changed when the time of an older token has come, see O(overlap).
      - With O(return_token) and no place, nothing remembers the token, so every run requests a new one and is changed.
  async:
    support: partial
    details:
      - Refused with O(return_token), because Ansible would keep the token in a file.
options:
  service_account: &service_account
    description:
      - The name of the account. Every token needs one, be it here or in O(tokens).
    type: str
    aliases:
      - name
  namespace: &namespace
    description:
      - The namespace of the account. There is no default; every token needs one.
    type: str
  state:
    <<: &state
      description:
        - V(present) keeps a token good in all its places.
        - V(absent) takes it back as far as that is possible. The Secrets of O(handle) are deleted, which makes every
          token void that was requested for it; then the places are cleared. Without O(handle) only the places are, and
          RV(valid_until) tells until when the API server accepts the token.
        - A token file is deleted. A kubeconfig loses the user and the context of this token, the cluster if no other
          context needs it, and is deleted if nothing is left. A Secret that this module made is deleted, any other one
          loses the keys that this module wrote.
        - What O(bound_object_ref) names is never deleted. A place with something else in it, or with a token of another
          account, is an error unless O(force) is set. So is one that cannot be cleared, like a Secret of others that is
          immutable by now. The handle and the other places are seen to all the same.
      type: str
      choices:
        - present
        - absent
    default: present
  audiences: &audiences
    description:
      - Who is to accept the token, for example V(https://vault.example.com). The order means nothing.
      - Without it, the token is for the API server. A token that is only for others is not accepted there.
    type: list
    elements: str
  expiration_seconds: &expiration_seconds
    description:
      - How long a token is to live, in seconds or as V(90m), V(8h) or V(7d), from ten minutes on.
      - The API server may give it less, see RV(token_info.shortened). Without this option it decides alone, usually for
        one hour.
      - Over 30 days are the risk V(long_lifetime), see O(allow_risks).
    type: raw
  bound_object_ref: &bound_object_ref
    description:
      - An object that the token is to die with. It has to exist.
      - A stored token of an earlier object of the same name is replaced, if the caller may get the object; else the
        question is left to O(verify).
      - It cannot be used together with O(handle), and a Secret that is one of the O(sinks) cannot be named, because the
        token would be lost with it; O(handle) makes a Secret for that.
    type: dict
    suboptions:
      kind:
        description:
          - What it is. A Pod has to run as the account. A Pod or a Secret is in the account's namespace.
          - A Node needs Kubernetes 1.31 or newer.
          - It is needed.
        type: str
        choices:
          - Pod
          - Secret
          - Node
      name:
        description:
          - Its name, which is needed.
        type: str
      uid:
        description:
          - Its uid, if no other object of that name will do.
        type: str
  handle: &handle
    description:
      - A name of your choice for whoever uses this token. It makes the token one that can be taken back.
      - For every token an empty Secret V(handle-1), V(handle-2) ... is made in the namespace of the account, belongs to
        the account, and the token is bound to it. Once the Secret is deleted the API server refuses the token, within
        about ten seconds; see O(state=absent). A service that only checks the signature never learns of it.
      - Within a namespace every token needs a handle of its own. At most 52 lower-case letters, digits and dashes.
    type: str
  overlap: &overlap
    description:
      - How long the token before stays good after a new one is in all places, in seconds or as V(10m). With V(0) it is
        void at once.
      - It ends in the first run after that time. Without this option it lives until it expires.
      - It needs O(handle).
    type: raw
  renew_before:
    <<: &renew_before
      description:
        - How long before its expiry a token is due for renewal, as a share of the lifetime it was given, like V(20%),
          or as a duration, like V(30m).
        - At most half of the lifetime; more is cut to that, with a warning.
        - Nothing happens by itself. The task has to run between that time and the expiry.
      type: raw
    default: 20%
  renew_if_credential_id: &renew_if_credential_id
    description:
      - Replaces the stored token now, if it is the one with this RV(token_info.credential_id). Any other one is judged
        as usual, so that a second run does not repeat it.
      - It is the claim C(jti) of the token, as the filter P(tokenwright.kubernetes.token_claims#filter) and the audit
        log of the API server have it.
      - It does not make the replaced token void; with O(handle), V(0) for O(overlap) does.
    type: str
  strict_renewal:
    <<: &strict_renewal
      description:
        - Whether to fail if a token that is due cannot be renewed.
        - By default such a token stays, with a warning and RV(renewal_failed), if it is good for over a minute still
          and the reason will pass (the API server cannot be reached, is overloaded or fails). A lost right, or a token
          that must be replaced for another reason than V(expiring), is always a failure.
      type: bool
    default: false
  verify:
    <<: &verify
      description:
        - Whether the API server is asked if it accepts a token (TokenReview), a stored one at every run and a new one
          before it replaces anything. A stored one that it refuses is replaced.
        - V(auto) asks if the caller may, V(always) fails if it may not, V(never) does not ask.
        - With V(auto) and V(always) a token is also tried on the server that a kubeconfig is going to name, before it
          is written there.
        - With O(state=absent) the API server is asked until it refuses the token, at most for half a minute.
        - A stored token is copied to another place only after the API server was seen to accept it. Otherwise a new one
          is requested.
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
      - Without any place, O(return_token) is needed; to take a token back, O(handle) is enough.
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
          - If it is changed, the token stays and the keys of the format before go, also from a Secret that this module
            did not make. What others keep in it is not touched - a key of the new format that holds something else is
            an error, unless O(force) is set.
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
          - How to reach the cluster that the Secret is in, if it is another one than the account's. Nothing of it but
            the two timeouts is taken from the options of the task, and nothing from environment variables.
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
              - How many seconds one attempt at a request may take. As in O(request_timeout) if not given.
            type: int
          retry_timeout:
            description:
              - How many seconds may be spent on trying one request again. As in O(retry_timeout) if not given.
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
          - A file that is not named any more stays as it is, with the token in it; a warning says so.
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
        - Whether to replace what this module did not write - a file or a key of a Secret that holds something else than
          a token, entries of a kubeconfig; with O(state=absent), whether to take away a token of another account.
        - It does not renew a token that is good.
      type: bool
    default: false
  tokens:
    description:
      - Any number of tokens, instead of the one of O(service_account). An empty list changes nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default.
      - No handle, no token file and no Secret may belong to two tokens of the list. Different accounts may share a
        kubeconfig.
    type: list
    elements: dict
    suboptions:
      service_account: *service_account
      namespace: *namespace
      state: *state
      audiences: *audiences
      expiration_seconds: *expiration_seconds
      bound_object_ref: *bound_object_ref
      handle: *handle
      overlap: *overlap
      renew_before: *renew_before
      renew_if_credential_id: *renew_if_credential_id
      strict_renewal: *strict_renewal
      verify: *verify
      dest: *dest
      kubeconfig_dest: *kubeconfig_dest
      sinks: *sinks
      return_token: *return_token
      force: *force
  allowed_namespaces:
    description:
      - The only namespaces whose accounts may be named in this task, for a playbook whose list comes from others. An
        item cannot widen it; an empty list allows none.
      - What is not allowed is an error before anything is sent.
    type: list
    elements: str
  max_expiration_seconds:
    description:
      - The longest lifetime that may be asked for in this task, in seconds or as V(8h). An item cannot widen it.
      - A token without O(expiration_seconds) counts as one of an hour.
    type: raw
notes:
  - Files are read and written on the host that the task runs on, by the user that it runs as.
  - A file is replaced in one step, is private from its first byte and never left half written. A file that is a
    symbolic link, and a directory in which everybody may replace the files of others, are refused. So is a file that
    cannot be replaced - one that is a mount point of its own (mount its directory instead), or is immutable.
  - What was requested is remembered beside the token - in a small private file V(.NAME.tokenwright) beside a file
    V(NAME), in the V(extensions) of the user of a kubeconfig, in an annotation of a Secret. If nothing is remembered, a
    stored token counts as requested with this lifetime. The small files also keep other runs out meanwhile.
  - A new token is requested only after everything that can fail without one has been tried, a Secret as a dry run. It
    is written to the Secrets first, and the token before it is retired last of all.
  - Which rights a caller needs, and what for, is in the file V(docs/rights.md) of the collection.
seealso:
  - module: tokenwright.kubernetes.k8s_sa
    description: Declares the service accounts, and can void all tokens of one.
  - module: tokenwright.kubernetes.k8s_sa_binding
    description: Grants a service account what it may do.
  - plugin: tokenwright.kubernetes.token_claims
    plugin_type: filter
    description: Reads what a token says of itself.
  - name: TokenRequest
    link: https://kubernetes.io/docs/reference/kubernetes-api/authentication-resources/token-request-v1/
    description: The part of the Kubernetes API that this module uses.
  - name: Managing service accounts
    link: https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/
    description: How tokens are made, what they are bound to and what voids them.
"""

EXAMPLES = r"""
- name: Make sure that the accounts exist
  tokenwright.kubernetes.k8s_sa:
    namespace: ci
    create_namespace: true
    accounts:
      - name: deployer
      - name: tester

- name: Make a directory for the tokens
  ansible.builtin.file:
    path: "{{ token_dir }}"
    state: directory
    mode: "0700"

- name: Keep a token in a file
  tokenwright.kubernetes.k8s_sa_token:
    service_account: deployer
    namespace: ci
    dest: "{{ token_dir }}/deployer.token"

- name: Keep a kubeconfig with a token of eight hours, renewed when less than two are left
  tokenwright.kubernetes.k8s_sa_token:
    service_account: deployer
    namespace: ci
    expiration_seconds: 8h
    renew_before: 2h
    kubeconfig_dest: "{{ token_dir }}/deployer.kubeconfig"

- name: Keep a token for another service than the API server, readable by a group
  tokenwright.kubernetes.k8s_sa_token:
    service_account: deployer
    namespace: ci
    audiences:
      - https://vault.example.com
    sinks:
      - type: file
        path: "{{ token_dir }}/vault.token"
        mode: "0640"

- name: Keep the tokens of several accounts in one kubeconfig
  tokenwright.kubernetes.k8s_sa_token:
    namespace: ci
    expiration_seconds: 1d
    kubeconfig_dest: "{{ token_dir }}/ci.kubeconfig"
    tokens:
      - service_account: deployer
      - service_account: tester

- name: Keep a token that can be taken back, and make the one before void ten minutes after it was replaced
  tokenwright.kubernetes.k8s_sa_token:
    service_account: deployer
    namespace: ci
    expiration_seconds: 8h
    handle: build-server
    overlap: 10m
    kubeconfig_dest: "{{ token_dir }}/build-server.kubeconfig"

- name: Replace one certain token now, whichever run comes first
  tokenwright.kubernetes.k8s_sa_token:
    service_account: deployer
    namespace: ci
    expiration_seconds: 8h
    handle: build-server
    overlap: 10m
    renew_if_credential_id: f9389b6a-bd0b-4f95-aa65-1bcb7f65856f
    kubeconfig_dest: "{{ token_dir }}/build-server.kubeconfig"

- name: Take a token back and clear its place
  tokenwright.kubernetes.k8s_sa_token:
    service_account: deployer
    namespace: ci
    state: absent
    handle: old-build-server
    kubeconfig_dest: "{{ token_dir }}/old-build-server.kubeconfig"

- name: Keep a cluster for Argo CD in a Secret
  tokenwright.kubernetes.k8s_sa_token:
    service_account: deployer
    namespace: ci
    expiration_seconds: 1d
    sinks:
      - type: secret
        name: this-cluster
        format: argocd_cluster
        cluster_name: this-cluster

- name: Keep tokens that others asked for, within limits
  tokenwright.kubernetes.k8s_sa_token:
    allowed_namespaces:
      - ci
    max_expiration_seconds: 1d
    tokens:
      - service_account: tester
        namespace: ci
        expiration_seconds: 12h
        dest: "{{ token_dir }}/tester.token"

- name: Let an account look at itself
  tokenwright.kubernetes.k8s_sa_binding:
    name: tester-self
    namespace: ci
    rules:
      - verbs: [get]
        resources: [serviceaccounts]
        resource_names: [tester]
    service_accounts:
      - tester

- name: Request a token for the next task alone
  tokenwright.kubernetes.k8s_sa_token:
    service_account: tester
    namespace: ci
    expiration_seconds: 10m
    return_token: true
  # The result holds the token, which must not get into logs.
  no_log: true
  register: tester_token

- name: Do something as that account
  tokenwright.kubernetes.k8s_sa:
    name: tester
    namespace: ci
    api_key: "{{ tester_token.token }}"
"""

RETURN = r"""
token_info:
  description:
    - What is known of the token; nothing of it is secret. In check mode, what can be known only of a token that has
      been requested is V(null).
  returned: success, unless O(tokens) or O(state=absent) is given
  type: dict
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
    uid:
      description:
        - The uid of the account; V(null) in check mode if it does not exist.
      type: str
      returned: always
    credential_id:
      description:
        - The id of the token (V(jti)) under which the audit log of the API server knows it. Before Kubernetes 1.30
          there is none.
      type: str
      returned: always
    audiences:
      description:
        - Who accepts the token.
      type: list
      elements: str
      returned: always
    issued_at:
      description:
        - Since when the token is good.
      type: str
      returned: always
    expires_at:
      description:
        - Until when the token is good.
      type: str
      returned: always
    valid_until:
      description:
        - Until when the API server accepts it. That is the same, but for tokens of 3607 seconds that are bound to a
          Pod, which may live for a year.
      type: str
      returned: always
    renew_at:
      description:
        - From when on this module would replace the token.
      type: str
      returned: always
    requested_seconds:
      description:
        - The lifetime that was asked for; V(null) if that was left to the API server.
      type: int
      returned: always
    granted_seconds:
      description:
        - The lifetime that the API server gave.
      type: int
      returned: always
    shortened:
      description:
        - Whether that is less than what was asked for.
      type: bool
      returned: always
    bound_object_ref:
      description:
        - What the token dies with, besides its account - C(kind), C(name) and C(uid); V(null) if nothing.
      type: dict
      returned: always
    handle:
      description:
        - The name of its handle; V(null) if it has none.
      type: str
      returned: always
    sha256:
      description:
        - The SHA-256 sum of the token, to recognize it by.
      type: str
      returned: always
  sample:
    service_account: deployer
    namespace: ci
    uid: f4a74707-3d49-4966-9469-a10c9d64f5e5
    credential_id: f9389b6a-bd0b-4f95-aa65-1bcb7f65856f
    audiences:
      - https://kubernetes.default.svc
    issued_at: "2026-11-22T07:00:47Z"
    expires_at: "2026-11-22T15:00:47Z"
    valid_until: "2026-11-22T15:00:47Z"
    renew_at: "2026-11-22T13:24:47Z"
    requested_seconds: 28800
    granted_seconds: 28800
    shortened: false
    bound_object_ref:
      kind: Secret
      name: build-server-1
      uid: 9d2f4c5e-6d41-4a53-bf1a-7a3e8d1f0c92
    handle: build-server
    sha256: 6d6a8a6d9f6d54e34888ccd979de19552d9f3ad95bc8c722427bd4bf5eafa392
sinks:
  description:
    - The places of the token. Empty if it was only returned.
  returned: success, unless O(tokens) is given
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
  returned: success with O(return_token), except in check mode, unless O(tokens) or O(state=absent) is given
  type: str
auth:
  description:
    - The options with which modules can use the token, a secret.
  returned: success with O(return_token), except in check mode, unless O(tokens) or O(state=absent) is given
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
cluster:
  description:
    - How others reach the cluster, for whoever puts the token somewhere by other means. Nothing of it is secret.
  returned: success with O(return_token), also in check mode, unless O(tokens) or O(state=absent) is given
  type: dict
  contains:
    host:
      description:
        - The URL of the API server that this task uses.
      type: str
      returned: always
    ca_cert:
      description:
        - The certificate authority that it uses, as PEM text. If the task does not check the API server's certificate,
          that of the ConfigMap C(kube-root-ca.crt). V(null) if it checks it by the system's authorities.
      type: str
      returned: always
verified:
  description:
    - Whether the API server was seen to accept the token. V(null) if it was not asked, see O(verify), or in check mode
      if the token is still to be requested.
  returned: success, unless O(tokens) or O(state=absent) is given
  type: bool
renewal_failed:
  description:
    - Whether the token is due, could not be renewed and stays for now. A warning says why.
  returned: success, unless O(tokens) or O(state=absent) is given
  type: bool
ambiguous_mints:
  description:
    - How many more tokens there may be that nobody knows, because the answer of the API server was lost.
  returned: success, unless O(tokens) or O(state=absent) is given; also after a failure, if it went that far
  type: int
  sample: 0
revoked:
  description:
    - Whether the token is void. V(false) if the API server accepts it until RV(valid_until).
    - V(null) if no token was found that is still good, in check mode, and if the API server does not know the token -
      then its account is gone, or it is of another cluster, and a warning says so.
  returned: success with O(state=absent), unless O(tokens) is given
  type: bool
revoked_after_seconds:
  description:
    - How long it took until the API server was seen to refuse the token. V(null) if it was not asked, see O(verify), if
      the places held no token of the handle, and in check mode.
  returned: success with O(state=absent), unless O(tokens) is given
  type: float
  sample: 10.1
valid_until:
  description:
    - Until when the API server accepts a token that was taken out of its places and is not void. V(null) if there is
      none. In check mode, until when the tokens in the places are accepted if nothing is done.
  returned: success with O(state=absent), unless O(tokens) is given
  type: str
  sample: "2026-11-22T15:00:47Z"
reason:
  description:
    - Why a new token was requested, in one word - V(missing) (from one of the places at least), V(unreadable),
      V(other_account), V(account_recreated), V(binding_changed) (another object, another handle, or none before),
      V(audience_changed), V(lifetime_changed), V(requested) (by O(renew_if_credential_id)), V(expiring), or V(rejected)
      (the API server does not accept it any more).
    - V(sink_changed) if a place lacked the token, or had other permissions or other entries than it should have, and
      nothing was requested. Also if the places held different tokens that would all do, and a new one was requested
      because the API server could not be asked about them, see O(verify).
    - V(superseded), V(expired) or V(unused) if all that was done was to delete or mark an older token of the handle.
    - V(revoked) if O(state=absent) took anything away.
    - It is V(up_to_date) if nothing was done and the word in RV(error.code) if the token failed.
    - If O(tokens) is given, it is V(changed), V(up_to_date) or V(failed), and each of the RV(outcomes) has a word of
      its own.
  returned: always
  type: str
  sample: expiring
msg:
  description:
    - What was done, or in check mode would be done, in one sentence. After a failure it says what went wrong and what
      to do.
  returned: always
  type: str
  sample: a token for ci/deployer is minted (expiring), good until 2026-11-22T15:00:47Z
actions:
  description:
    - What was requested and written, in this order; in check mode what would be.
  returned: always
  type: list
  elements: dict
  contains:
    verb:
      description:
        - What was done - V(create) for a token and for the Secret of a handle, V(patch) for what is noted there,
          V(update) for a place, V(delete) for what is taken away.
      type: str
      returned: always
    kind:
      description:
        - V(TokenRequest), V(File), V(Kubeconfig) or V(Secret).
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the account or of the Secret; V(null) for a file.
      type: str
      returned: always
    name:
      description:
        - The name of the account or of the Secret, or the path of the file.
      type: str
      returned: always
    reason:
      description:
        - Why, in the words of RV(reason), or V(not_in_list) for what O(prune) deleted.
      type: str
      returned: always
  sample:
    - verb: create
      kind: TokenRequest
      namespace: ci
      name: deployer
      reason: expiring
    - verb: update
      kind: File
      namespace: null
      name: /run/ci/deployer.token
      reason: expiring
outcomes:
  description:
    - What came of each of the O(tokens), in their order.
  returned: when O(tokens) is given, except after an error in the options or the connection
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
        - V(ok), V(changed), V(failed), or V(skipped) because of O(fail_fast).
      type: str
      returned: always
    changed:
      description:
        - Whether something was, or in check mode would be, requested or written for it.
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
        - What was requested and written for it, like RV(actions).
      type: list
      elements: dict
      returned: always
    token_info:
      description:
        - What is known of the token, like RV(token_info).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be present
    sinks:
      description:
        - The places of the token, like RV(sinks).
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
    cluster:
      description:
        - How others reach the cluster, like RV(cluster).
      type: dict
      returned: when RV(outcomes[].status) is V(ok) or V(changed) with O(return_token)
    verified:
      description:
        - Whether the API server accepts the token, like RV(verified).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be present
    renewal_failed:
      description:
        - Whether it could not be renewed, like RV(renewal_failed).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be present
    ambiguous_mints:
      description:
        - How many unknown tokens there may be, like RV(ambiguous_mints).
      type: int
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be present
    revoked:
      description:
        - Whether the token is void, like RV(revoked).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be absent
    revoked_after_seconds:
      description:
        - After how many seconds the API server refused it, like RV(revoked_after_seconds).
      type: float
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be absent
    valid_until:
      description:
        - Until when it is accepted, like RV(valid_until).
      type: str
      returned: when RV(outcomes[].status) is V(ok) or V(changed), for a token that is to be absent
    error:
      description:
        - What went wrong, like RV(error).
      type: dict
      returned: when RV(outcomes[].status) is V(failed)
error:
  description:
    - What went wrong. If several of the O(tokens) failed, it is the first one's here and everyone's in
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
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._token import USE_CASE


def main() -> None:
    run_module(USE_CASE)


if __name__ == "__main__":
    main()
