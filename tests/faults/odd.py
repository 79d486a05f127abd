# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Odd values for properties, tokens that say whatever they are told to, and a kubeconfig entry for one.

Importing this also takes the time limit from single examples (a busy machine may hold up any of them).
"""

from __future__ import annotations

import base64
import json
from typing import Any

from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kubeconfig import Entry

# printable ASCII
plain_text = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E))

# everything UTF-8 can say
any_text = st.text(st.characters(exclude_categories=["Cs"]))

_leaves = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | any_text | st.dates()

# what a YAML file may hold
yaml_data = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(any_text | st.integers(), inner, max_size=4),
    max_leaves=12,
)

CA = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"

# where a token of ci/deployer is good
ENTRY = Entry(
    cluster_name="kube.example:6443",
    server="https://kube.example:6443",
    ca_pem=CA,
    verify=True,
    tls_server_name=None,
    user_name="ci/deployer@kube.example:6443",
    context_name="ci/deployer@kube.example:6443",
    namespace="ci",
    token_file=None,
    set_current=False,
)


def token(claims: object) -> str:
    """A token with these claims and a signature of nobody."""
    return ".".join(_encoded(part) for part in (json.dumps({"alg": "RS256"}), json.dumps(claims), "no signature"))


def _encoded(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def account_claims(**changes: Any) -> dict[str, Any]:
    """The claims of a token of ci/deployer as Kubernetes writes them; C(private) goes below C(kubernetes.io)."""
    private = {
        "namespace": "ci",
        "serviceaccount": {"name": "deployer", "uid": "0c1d8a5c-64c3-4a4f-8b1e-1b8f5b9b8a11"},
        **changes.pop("private", {}),
    }
    return {
        "aud": ["https://kubernetes.default.svc.cluster.local"],
        "exp": 1800003600,
        "iat": 1800000000,
        "iss": "https://kubernetes.default.svc.cluster.local",
        "jti": "9f5d3bd9-5f43-4d0b-9d5e-5b7c8b1f2a10",
        "kubernetes.io": private,
        "nbf": 1800000000,
        "sub": "system:serviceaccount:ci:deployer",
        **changes,
    }
