# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether what is refused about a projected volume is what the API server refuses: generated volumes, by dry run.

Sources that are behind a feature gate would be dropped without a word, so the server of this proof has the gates on.
What both take has to be stored as we say, to the last default.
"""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from cluster.controlplane import Cluster
from differential.projections import Case, Projections
from proofs.table import Ground, Line

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._api import Api, connect
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._auth import ConnectionOptions
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import ApiError, InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import DEPLOYMENT, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._projection_rules import STRICTER, checked_volume
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._redact import Secrets

GATES = (
    "--feature-gates=ClusterTrustBundle=true,ClusterTrustBundleProjection=true,PodCertificateRequest=true",
    "--runtime-config=certificates.k8s.io/v1beta1=true",
)

_SEED = 20261122
_CASES, _QUICK_CASES = 5_000, 600
# of each verdict; fewer would prove little
_LEAST_SHARE = 0.25
_SHOWN = 5

_REF = Ref(DEPLOYMENT, "default", "projections")


@dataclass(frozen=True)
class Answer:
    """What is said of a volume.

    Attributes:
        volume: as it is stored; None if it is refused.
        said: why.
        rule: which of our own rules refuses it; empty for all others.
    """

    volume: dict[str, Any] | None
    said: str = ""
    rule: str = ""


def prove(ground: Ground) -> list[Line]:
    """Ask both about the same volumes."""
    cases = list(Projections(_SEED).cases(_CASES if ground.full else _QUICK_CASES))
    with Cluster(ground.directory / "cluster", GATES) as cluster:
        api = connect(ConnectionOptions(kubeconfig=str(cluster.kubeconfig)), Secrets())
        try:
            pairs = [(case, ours(case), theirs(api, case)) for case in cases]
        finally:
            api.connection.close()
    misses = [miss for pair in pairs if (miss := disagreement(*pair))]
    verdicts = Counter("taken" if answer.volume else "refused" for dummy, dummy_too, answer in pairs)
    stricter = sum(bool(mine.rule) for dummy, mine, dummy_too in pairs)
    few = tuple(f"too few are {name}" for name in ("taken", "refused") if verdicts[name] < _LEAST_SHARE * len(cases))
    return [
        Line(
            "What the API server refuses about a projected volume is refused before it is asked, and what it takes is "
            "taken and stored as we say: at least 500 generated volumes, by dry run",
            f"{len(cases)} volumes (seed {_SEED}; {verdicts['taken']} taken, {verdicts['refused']} refused, {stricter} "
            f"refused by us alone on purpose): {len(misses)} unexplained differences",
            holds=not misses and not few,
            misses=(*few, *misses[:_SHOWN]),
        )
    ]


def ours(case: Case) -> Answer:
    """What we say."""
    try:
        return Answer(checked_volume("v", case.sources, case.default_mode))
    except InputError as error:
        return Answer(None, str(error), error.code if error.code in STRICTER else "")


def theirs(api: Api, case: Case) -> Answer:
    """What the API server says, without keeping it."""
    labels = {"app": "projections"}
    containers = [{"name": "app", "image": "none"}]
    template = {"metadata": {"labels": labels}, "spec": {"containers": containers, "volumes": [case.api]}}
    body = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": _REF.name, "namespace": _REF.namespace},
        "spec": {"replicas": 0, "selector": {"matchLabels": labels}, "template": template},
    }
    try:
        stored = api.create(_REF, body, dry_run=True)
    except ApiError as error:
        if error.http_status not in (400, 422):
            raise
        return Answer(None, str(error))
    (volume,) = stored["spec"]["template"]["spec"]["volumes"]
    return Answer(volume)


def disagreement(case: Case, mine: Answer, answer: Answer) -> str:
    """What is wrong with our answer; empty if nothing is."""
    if mine.rule and answer.volume:
        return ""
    if mine.volume == answer.volume:
        return ""
    said = {"we": mine.volume or mine.said, "they": answer.volume or answer.said}
    return f"{json.dumps(case.api)}: {json.dumps(said)}"
