# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The example app-controller on the kit's node: its manifests, with what they need besides to run there."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

import yaml

from cluster.controlplane import Cluster
from cluster.images import APP
from cluster.kit import HERE
from cluster.pods import api_server

DIRECTORY = HERE.parents[1] / "examples" / "app-controller"
NAME = "app-controller"
VOLUME = "sa-token"

_IMPATIENT = {"INTERVAL_SECONDS": "0.2"}


def manifests(cluster: Cluster) -> list[dict[str, Any]]:
    """What ``kubectl apply -k`` applies, in the network of the machine and impatient; the Deployment comes last."""
    found = [*yaml.safe_load_all(cluster.kubectl("kustomize", str(DIRECTORY)).stdout)]
    (deployment,) = [each for each in found if each["kind"] == "Deployment"]
    spec = deployment["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    spec["hostNetwork"] = True
    container["image"] = APP
    # what would be trusted and asked instead of the cluster, if the program let it
    variables = {**_IMPATIENT, "REQUESTS_CA_BUNDLE": "/nowhere", "HTTPS_PROXY": "http://127.0.0.1:9"}
    container["env"] = [*api_server(cluster.server), *({"name": key, "value": variables[key]} for key in variables)]
    container["readinessProbe"]["periodSeconds"] = 1
    return [each for each in found if each is not deployment] + [deployment]


def without_volume(manifest: dict[str, Any]) -> dict[str, Any]:
    """The same Deployment as one that knows nothing of tokens."""
    changed = copy.deepcopy(manifest)
    spec = changed["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    for owner, key in ((spec, "volumes"), (container, "volumeMounts")):
        owner[key] = [each for each in owner[key] if each["name"] != VOLUME]
    del spec["automountServiceAccountToken"], spec["serviceAccountName"], spec["securityContext"]["fsGroup"]
    return changed


@dataclass(frozen=True)
class Call:
    """A call of the program, as the API server's audit log has it.

    Attributes:
        at: when it was answered, in seconds since 1970.
        code: of the answer.
        token: the id of the token it came with; None if that was refused.
        pod: the one that the token is of, by its uid.
    """

    at: float
    code: int
    token: str | None
    pod: str | None


def calls(events: Iterable[Mapping[str, Any]]) -> list[Call]:
    """Those of the program among these events."""
    return [_call(event) for event in events if event.get("userAgent") == NAME]


def _call(event: Mapping[str, Any]) -> Call:
    extra = event["user"].get("extra", {})
    (token, pod) = (extra.get(f"authentication.kubernetes.io/{key}", [None])[0] for key in ("credential-id", "pod-uid"))
    at = datetime.strptime(event["stageTimestamp"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=timezone.utc)
    return Call(at.timestamp(), event["responseStatus"]["code"], token and token.removeprefix("JTI="), pod)
