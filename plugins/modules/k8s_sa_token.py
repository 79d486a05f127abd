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
  - Requests a token of a service account (TokenRequest) and stores it in token files and kubeconfigs. The next runs
    keep the stored token as long as it is of the live account, was requested with the same audiences and lifetime, and
    is not due for renewal. Otherwise a new token replaces it in all its places.
  - In the cluster nothing else changes - the account has to exist, and no Secret is made. In a kubeconfig everything
    but the entries of this token stays as it is. A token cannot be taken back; an old one lives until it expires, or
    until its account is deleted.
extends_documentation_fragment:
  - tokenwright.kubernetes._attributes
  - tokenwright.kubernetes._bulk
  - tokenwright.kubernetes._risks
  - tokenwright.kubernetes._connection
attributes:
  check_mode:
    support: full
    details:
      - The stored tokens are judged as usual, but nothing is written and no TokenRequest is sent, not even as a dry
        run, because the API server answers that with a real token. Therefore RV(token) and RV(auth) are not returned.
      - An account that does not exist counts as one that an earlier task would have created; a warning says so.
  diff_mode:
    support: full
    details:
      - Shows the id and the expiry of the token before and after, never the token itself or anything else of the files.
  idempotent:
    support: partial
    details:
      - A token that is stored somewhere is kept until it is due, so a second run changes nothing.
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
  renew_before:
    <<: &renew_before
      description:
        - How long before its expiry a token is due for renewal, as a share of the lifetime it was given, like V(20%),
          or as a duration, like V(30m).
        - At most half of the lifetime; more is cut to that, with a warning.
        - Nothing happens by itself. The task has to run between that time and the expiry.
      type: raw
    default: 20%
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
      - Without any place, O(return_token) is needed.
    type: list
    elements: dict
    suboptions:
      type:
        description:
          - V(file) is a file with nothing but the token in it.
          - V(kubeconfig) is a cluster, a user and a context in a kubeconfig, which may hold other entries as well. An
            entry of the same name which this module did not write and which says something else is an error, unless
            O(force) is set.
          - Every place needs one.
        type: str
        choices:
          - file
          - kubeconfig
      path:
        description:
          - The absolute path of the file, whose directory has to exist. Every place needs one.
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
      server:
        description:
          - The URL of the API server to write into the kubeconfig. Without it, the one this task uses.
        type: str
      ca_cert:
        description:
          - The path of a PEM file with the certificate authority to write into the kubeconfig. Without it, the one this
            task uses.
        type: path
      cluster_name:
        description:
          - The name of the cluster in the kubeconfig. Without it, the host and port of the server.
        type: str
      user_name:
        description:
          - The name of the user in the kubeconfig. Without it, V(namespace/account@cluster).
        type: str
      context_name:
        description:
          - The name of the context in the kubeconfig. Without it, V(namespace/account@cluster).
        type: str
      namespace:
        description:
          - The namespace of the context in the kubeconfig. Without it, that of the account.
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
        - Whether to replace a file that holds something else than a token, and entries of a kubeconfig that this module
          did not write. It does not renew a token that is good.
      type: bool
    default: false
  tokens:
    description:
      - Any number of tokens, instead of the one of O(service_account). An empty list changes nothing.
      - A key that an item does not have is taken from the option of the same name of the task, or else is that option's
        default.
      - No account may be in the list twice with the same places, and no file may be the place of two tokens. Different
        accounts may share a kubeconfig.
    type: list
    elements: dict
    suboptions:
      service_account: *service_account
      namespace: *namespace
      audiences: *audiences
      expiration_seconds: *expiration_seconds
      renew_before: *renew_before
      dest: *dest
      kubeconfig_dest: *kubeconfig_dest
      sinks: *sinks
      return_token: *return_token
      force: *force
notes:
  - Files are read and written on the host that the task runs on, by the user that it runs as.
  - A file is replaced in one step, is private from its first byte and never left half written. A file that is a
    symbolic link, and a directory in which everybody may replace the files of others, are refused.
  - Beside a file V(NAME) there is a small private file V(.NAME.tokenwright). It keeps other runs out meanwhile and
    remembers what was requested; for a kubeconfig that is in the V(extensions) of the user. If nothing is remembered, a
    stored token counts as requested with this lifetime.
  - A stored token is judged by what it says of itself, and by the time of the API server. The API server is not asked
    whether it accepts it.
seealso:
  - module: tokenwright.kubernetes.k8s_sa
    description: Declares the service accounts, and can void all tokens of one.
  - module: tokenwright.kubernetes.k8s_sa_binding
    description: Grants a service account what it may do.
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
  returned: success, unless O(tokens) is given
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
    renew_at: "2026-11-22T13:24:47Z"
    requested_seconds: 28800
    granted_seconds: 28800
    shortened: false
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
        - V(file) or V(kubeconfig).
      type: str
      returned: always
    path:
      description:
        - The path of the file.
      type: str
      returned: always
    changed:
      description:
        - Whether the place was, or in check mode would be, written.
      type: bool
      returned: always
  sample:
    - type: file
      path: /run/ci/deployer.token
      changed: true
token:
  description:
    - The token, a secret.
  returned: success with O(return_token), except in check mode and unless O(tokens) is given
  type: str
auth:
  description:
    - The options with which modules can use the token, a secret.
  returned: success with O(return_token), except in check mode and unless O(tokens) is given
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
    - Always V(null), because the API server is not asked whether it accepts the token.
  returned: success, unless O(tokens) is given
  type: bool
ambiguous_mints:
  description:
    - How many more tokens there may be that nobody knows, because the answer of the API server was lost.
  returned: success, unless O(tokens) is given
  type: int
  sample: 0
reason:
  description:
    - Why a new token was requested, in one word - V(missing) (from one of the places at least), V(unreadable),
      V(other_account), V(account_recreated), V(binding_changed) (it was bound to an object), V(audience_changed),
      V(lifetime_changed), V(expiring), or V(sink_changed) if the places held different tokens.
    - V(sink_changed) without a request means that a place had other permissions or other entries than it should have.
      It is V(up_to_date) if nothing was done and the word in RV(error.code) if the token failed.
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
        - What was done - V(create) for a token, V(update) for a place.
      type: str
      returned: always
    kind:
      description:
        - V(TokenRequest), V(File) or V(Kubeconfig).
      type: str
      returned: always
    namespace:
      description:
        - The namespace of the account; V(null) for a place.
      type: str
      returned: always
    name:
      description:
        - The name of the account, or the path of the place.
      type: str
      returned: always
    reason:
      description:
        - Why, in the words of RV(reason).
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
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
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
    verified:
      description:
        - Always V(null), like RV(verified).
      type: bool
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
    ambiguous_mints:
      description:
        - How many unknown tokens there may be, like RV(ambiguous_mints).
      type: int
      returned: when RV(outcomes[].status) is V(ok) or V(changed)
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
