# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A cluster of the inventory must not come to be the cluster of the environment."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.errors import AnsibleFilterError

from ansible_collections.tokenwright.kubernetes.plugins.filter.cluster_connection import cluster_connection

FILE = {"kubeconfig": "/etc/east"}
ADDRESS = {"host": "https://east", "api_key": "k"}
CREDENTIAL = {"K8S_AUTH_HOST": "https://other", "K8S_AUTH_API_KEY": "secret"}
KUBECONFIG = {"K8S_AUTH_KUBECONFIG": "/etc/other"}
UNVERIFIED = {"K8S_AUTH_VERIFY_SSL": "False"}
FLEET = ["east", "west"]


@pytest.mark.parametrize(
    ("connection", "hosts", "environment"),
    [
        (FILE, FLEET, {}),
        (FILE, FLEET, KUBECONFIG),
        ({"context": "east"}, FLEET, KUBECONFIG),
        (ADDRESS, FLEET, CREDENTIAL),
        ({"host": "https://east", "client_cert": "/c", "client_key": "/k"}, FLEET, {}),
        ({**FILE, **ADDRESS}, ["east"], CREDENTIAL),
        (FILE, ["east"], {"K8S_AUTH_HOST": "", "K8S_AUTH_API_KEY": "", "K8S_AUTH_VERIFY_SSL": "True"}),
        ({**FILE, "validate_certs": False}, FLEET, UNVERIFIED),
        ({**FILE, "verify_ssl": True}, FLEET, {"K8S_AUTH_VALIDATE_CERTS": "no"}),
        ({**FILE, "context": "east"}, FLEET, {"K8S_AUTH_CONTEXT": "west"}),
    ],
)
def test_what_is_clear_is_left_as_it_is(
    connection: dict[str, Any], hosts: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cluster_connection(connection, "east", hosts) is connection


@pytest.mark.parametrize("connection", [{}, {"kubeconfig": None}, {"request_timeout": 5}])
@pytest.mark.parametrize("environment", [CREDENTIAL, KUBECONFIG, {}])
def test_localhost_alone_is_the_cluster_of_the_environment(
    connection: dict[str, Any], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cluster_connection(connection, "localhost", ["localhost"]) is connection
    for host, hosts in (("east", ["east"]), ("east", FLEET), ("localhost", ["east", "localhost"])):
        with pytest.raises(AnsibleFilterError, match=f"^cluster_connection of {host} .* whatever cluster the environ"):
            cluster_connection(connection, host, hosts)


@pytest.mark.parametrize(
    ("connection", "environment", "said"),
    [
        (FILE, CREDENTIAL, "K8S_AUTH_HOST is set, and would go before what cluster_connection finds by its kubeconfig"),
        ({"context": "east"}, {"K8S_AUTH_API_KEY": "secret"}, "K8S_AUTH_API_KEY is set, and .* by its context"),
        ({**FILE, "host": "https://east"}, CREDENTIAL, "K8S_AUTH_API_KEY is set, .* say api_key in cluster_connection"),
        ({"host": "https://east"}, {"K8S_AUTH_API_KEY": "secret"}, "has a host and nothing to show it"),
        ({"host": "https://east", "api_key": ""}, KUBECONFIG, "^api_key in cluster_connection of east is empty: see"),
        ({**FILE, "context": ""}, {}, "^context in cluster_connection of east is empty"),
        ({"api_key": "k"}, CREDENTIAL, "cluster_connection of east does not say where it is"),
        (ADDRESS, UNVERIFIED, "K8S_AUTH_VERIFY_SSL is set, .* or say validate_certs in cluster_connection"),
        (FILE, {"K8S_AUTH_VALIDATE_CERTS": "0"}, "K8S_AUTH_VALIDATE_CERTS is set"),
        (FILE, {"K8S_AUTH_CONTEXT": "west"}, "K8S_AUTH_CONTEXT is set"),
        ("east", {}, "cluster_connection is not a mapping"),
    ],
)
def test_what_would_be_another_cluster_is_an_error(
    connection: Any, environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    for hosts in (FLEET, ["east"]):
        with pytest.raises(AnsibleFilterError, match=said) as error:
            cluster_connection(connection, "east", hosts)
        assert "secret" not in str(error.value)
