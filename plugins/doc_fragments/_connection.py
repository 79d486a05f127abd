# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The connection options: what module_utils/_auth.py reads, in its order."""

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  kubeconfig:
    description:
      - The path of a kubeconfig file, several paths separated by V(:) whose files are merged, or the content of a
        kubeconfig as a mapping or as YAML or JSON text.
      - The content is hidden wherever Ansible shows the options of the task; a path is shown.
      - Without it, E(K8S_AUTH_KUBECONFIG) is used.
    type: raw
  context:
    description:
      - The context of the kubeconfig to use instead of its current one.
      - Without it, E(K8S_AUTH_CONTEXT) is used.
    type: str
  host:
    description:
      - The URL of the API server, for example V(https://kubernetes.example.com:6443).
      - Beside O(kubeconfig) or O(context) it replaces the address that was found there.
      - Without it, E(K8S_AUTH_HOST) is used.
    type: str
  api_key:
    description:
      - The bearer token to authenticate with. It replaces the credential that was found in a kubeconfig.
      - Without it, E(K8S_AUTH_API_KEY) is used.
    type: str
  ca_cert:
    description:
      - The path of a PEM file with the certificate authority that the API server's certificate is checked against.
      - An empty file counts as not given. If no certificate authority is configured, the system's own are used.
      - Without it, E(K8S_AUTH_CA_CERT) or E(K8S_AUTH_SSL_CA_CERT) is used.
    type: path
    aliases:
      - ssl_ca_cert
  validate_certs:
    description:
      - Whether to check the API server's certificate. It is checked unless this option or the kubeconfig says
        otherwise.
      - A connection that is not checked is the risk V(insecure_transport), see O(risk_policy).
      - Without it, E(K8S_AUTH_VALIDATE_CERTS) or E(K8S_AUTH_VERIFY_SSL) is used.
    type: bool
    aliases:
      - verify_ssl
  client_cert:
    description:
      - The path of a PEM file with a client certificate to authenticate with.
      - Without it, E(K8S_AUTH_CLIENT_CERT) or E(K8S_AUTH_CERT_FILE) is used.
    type: path
    aliases:
      - cert_file
  client_key:
    description:
      - The path of a PEM file with the unencrypted key of O(client_cert).
      - Without it, E(K8S_AUTH_CLIENT_KEY) or E(K8S_AUTH_KEY_FILE) is used.
    type: path
    aliases:
      - key_file
  proxy:
    description:
      - The URL of an HTTP proxy to reach the API server through. It may hold a user and a password.
      - Without it, E(K8S_AUTH_PROXY) is used. Without that, the kubernetes library decides; its current versions take
        the V(proxy-url) of the kubeconfig, then E(HTTPS_PROXY) or E(HTTP_PROXY).
    type: str
  no_proxy:
    description:
      - The hosts that are reached without O(proxy), separated by commas.
      - Without it, E(K8S_AUTH_NO_PROXY) is used.
    type: str
  impersonate_user:
    description:
      - The user to act as. The caller needs the right to impersonate it.
      - Without it, E(K8S_AUTH_IMPERSONATE_USER) is used.
    type: str
  impersonate_groups:
    description:
      - The groups to act as a member of, together with O(impersonate_user).
      - Without it, E(K8S_AUTH_IMPERSONATE_GROUPS) is used, a list separated by commas.
    type: list
    elements: str
  request_timeout:
    description:
      - How many seconds the API server has to answer one attempt at a request. Connecting may take at most five of
        them.
    type: int
    default: 30
  retry_timeout:
    description:
      - How many seconds may be spent on trying one request again. With V(0) every request is tried once.
      - What did not reach the API server or was turned away by it (it is overloaded, a webhook fails) is tried again.
        If the answer is lost, a read is tried again; after a write the objects are read first, to see whether it
        happened. If others change an object between its being read and written, that is done again for as long.
    type: int
    default: 60
requirements:
  - python >= 3.10
  - kubernetes >= 24.2.0, neither 36.0.0 nor 36.0.1
  - PyYAML >= 5.4
notes:
  - The connection is configured by the first of these that applies - O(kubeconfig) or its environment variable;
    O(host) or its environment variable, unless a context is given as well; E(KUBECONFIG); the account of the Pod that
    the code runs in, unless a context is given; V(~/.kube/config). The other options, or their environment variables,
    override what was found there. An option always wins over its environment variable, and a path or a text that is
    empty counts as not given.
  - On a local connection the code runs inside the Ansible process itself, which saves most of a task's time. It is
    shipped to the host as a module if the task has another connection, V(become), V(async) or V(environment), or if
    V(ansible_python_interpreter) is not the Python that runs Ansible. The results are the same. Environment variables,
    files and libraries are those of the place where the code runs.
"""
