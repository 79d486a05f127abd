# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pods that run on the kit's node, as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from cluster.images import SHELL

# Any but the superuser; the one that owns nothing.
NOBODY = 65534


def pod(name: str, spec: Mapping[str, Any], **labels: str) -> dict[str, Any]:
    """A Pod."""
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name, "labels": labels}, "spec": spec}


def deployment(name: str, spec: Mapping[str, Any]) -> dict[str, Any]:
    """A Deployment of one Pod with this spec."""
    labels = {"app": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": labels}, "template": {"metadata": {"labels": labels}, "spec": spec}},
    }


def pod_spec(server: str, **container: Any) -> dict[str, Any]:
    """The spec of a Pod with one container, ``main``, which sleeps in the shell image unless told otherwise.

    It is in the network of the machine, there being no other, and ``server`` is where it finds the API server.
    """
    return {
        "hostNetwork": True,
        "terminationGracePeriodSeconds": 0,
        "securityContext": {"runAsUser": NOBODY, "runAsGroup": NOBODY},
        "containers": [{"name": "main", "image": SHELL, "env": api_server(server), **container}],
    }


def api_server(server: str) -> list[dict[str, str]]:
    """The variables by which a container finds the API server."""
    address = urlsplit(server)
    found = {"KUBERNETES_SERVICE_HOST": str(address.hostname), "KUBERNETES_SERVICE_PORT": str(address.port)}
    return [{"name": name, "value": value} for name, value in found.items()]
