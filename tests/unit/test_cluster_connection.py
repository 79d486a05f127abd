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
CREDENTIAL = {"K8S_AUTH_HOST": "https://other", "K8S_AUTH_API_KEY": "secret"}
KUBECONFIG = {"K8S_AUTH_KUBECONFIG": "/etc/other"}


@pytest.mark.parametrize(
    ("connection", "hosts", "environment"),
    [
        (FILE, ["east", "west"], {}),
        (FILE, ["east", "west"], KUBECONFIG),
        ({"context": "east"}, ["east", "west"], KUBECONFIG),
        ({"host": "https://east"}, ["east", "west"], CREDENTIAL),
        ({**FILE, "host": "https://east", "api_key": "k"}, ["east"], CREDENTIAL),
        (FILE, ["east"], {"K8S_AUTH_HOST": "", "K8S_AUTH_API_KEY": ""}),
        ({}, ["localhost"], CREDENTIAL),
        ({}, ["localhost"], {}),
    ],
)
def test_what_is_clear_is_left_as_it_is(
    connection: dict[str, Any], hosts: list[str], environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cluster_connection(connection, hosts) is connection


@pytest.mark.parametrize(
    ("connection", "environment", "said"),
    [
        ({}, {}, "one of 2 clusters has no cluster_connection: give it one in the inventory"),
        (FILE, CREDENTIAL, "K8S_AUTH_HOST is set, and would go before what cluster_connection finds by its kubeconfig"),
        ({"context": "east"}, {"K8S_AUTH_API_KEY": "secret"}, "K8S_AUTH_API_KEY is set, and .* by its context"),
        ({**FILE, "host": "https://east"}, CREDENTIAL, "K8S_AUTH_API_KEY is set, .* say api_key in cluster_connection"),
        ("east", {}, "cluster_connection is not a mapping"),
    ],
)
def test_what_would_be_another_cluster_is_an_error(
    connection: Any, environment: dict[str, str], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(AnsibleFilterError, match=said) as error:
        cluster_connection(connection, ["east", "west"])
    assert "secret" not in str(error.value)
