#!/usr/bin/python

# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Its documentation: it runs in the controller, in plugins/action/awx_credential_plan.py.

from __future__ import annotations

DOCUMENTATION = r"""
module: awx_credential_plan
short_description: Say what the role awx_credential writes into AWX, but for the token
version_added: 0.1.0
author:
  - tokenwright contributors (@tokenwright)
description:
  - Checks what is to be in a credential of AWX's type C(OpenShift or Kubernetes API Bearer Token), fills in what is
    left open, and makes the description that remembers which token the credential holds, because AWX never gives one
    back.
  - Nothing is sent anywhere, and no secret is taken or returned. Messages call the options by the variables of the
    role.
options:
  collection:
    description:
      - A collection that has to be installed where Ansible runs. If it is not, that is what the task fails with.
    type: str
  name:
    description:
      - The name of the credential.
    type: str
    required: true
  description:
    description:
      - What its description begins with.
    type: str
  host:
    description:
      - The URL of the API server. Without it, that of O(cluster).
    type: str
  ca_cert:
    description:
      - The certificate authority, as PEM text. Without it, that of O(cluster).
    type: str
  verify_ssl:
    description:
      - Whether jobs are to verify the API server's certificate. An empty text counts as not given.
    type: raw
    default: true
  token_info:
    description:
      - What RV(tokenwright.kubernetes.k8s_sa_token#module:token_info) says of the token. Without it, the other options
        are only checked.
    type: dict
  cluster:
    description:
      - What RV(tokenwright.kubernetes.k8s_sa_token#module:cluster) says. It is needed with O(token_info).
    type: dict
attributes:
  action:
    description:
      - Runs in the controller.
    support: full
  check_mode:
    description:
      - The same as without it.
    support: full
  diff_mode:
    description:
      - There is nothing to compare.
    support: none
  idempotent:
    description:
      - Never changes anything.
    support: full
seealso:
  - module: tokenwright.kubernetes.k8s_sa_token
"""

EXAMPLES = r"""
- name: See whether a credential could be made like that
  tokenwright.kubernetes.awx_credential_plan:
    name: staging
    host: https://staging.example.com:6443
"""

RETURN = r"""
description:
  description:
    - The description, with the account, the expiry and the SHA-256 sum of the token, and the beginning of that of the
      certificate authority.
  returned: success with O(token_info)
  type: str
  sample: >-
    Staging [token of ci/deployer until 2026-11-23T15:00:47Z,
    sha256:6d6a8a6d9f6d54e34888ccd979de19552d9f3ad95bc8c722427bd4bf5eafa392, ca:0f3c5a1e9b7d2468]
inputs:
  description:
    - The fields of the credential but C(bearer_token).
  returned: success with O(token_info)
  type: dict
  contains:
    host:
      description:
        - The URL of the API server.
      type: str
      returned: always
    verify_ssl:
      description:
        - Whether jobs verify its certificate.
      type: bool
      returned: always
    ssl_ca_cert:
      description:
        - The certificate authority, as PEM text.
      type: str
      returned: when its RV(inputs.verify_ssl) is V(true)
msg:
  description:
    - What cannot be right, in one sentence.
  returned: failure
  type: str
"""
