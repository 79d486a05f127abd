# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tasks that fix what is wrong with the token of a Pod, as a playbook has them. Pure.

A Pod cannot be changed, only made anew, by the workload that it is of.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ._kinds import POD, Object, ref_of
from ._pod_templates import AUTOMOUNT, Owner, mounts_of, owner_of, volume_of
from ._pod_tokens import PodToken, tokens_of
from ._projection import DEFAULT_MODE, TOKEN

_COLLECTION = "tokenwright.kubernetes"
# where a token for somebody else is put if there is no volume of the Pod's own for it
_ANOTHER_NAME, _ANOTHER_PLACE = "audience-token", "/var/run/secrets/tokens"
# the group of a user that is not known; it can be any that nobody else is in
_ANY_GROUP = 65534


def workload_of(pod: Object) -> Owner | None:
    """The workload that makes Pods like this one, if it is one whose template can be changed.

    A ReplicaSet of a Deployment is named after both the Deployment and its template. Source: pkg/controller/deployment.
    """
    owner, template = owner_of(pod), (pod["metadata"].get("labels") or {}).get("pod-template-hash")
    if owner and owner.kind == "ReplicaSet" and template and owner.name.endswith(f"-{template}"):
        owner = Owner("Deployment", owner.name.removesuffix(f"-{template}"))
    return owner if owner and owner.is_workload else None


def make_account(pod: Object, name: str) -> Object:
    """Make the account of a Pod."""
    return {f"{_COLLECTION}.k8s_sa": {"name": name, "namespace": ref_of(pod, POD).namespace}}


def make_pod_anew(pod: Object) -> Object | None:
    """Delete a Pod in whose place its controller puts another one; None: nobody would."""
    if owner_of(pod) is None:
        return None
    ref = ref_of(pod, POD)
    return {"kubernetes.core.k8s": {"state": "absent", "kind": POD.name, "namespace": ref.namespace, "name": ref.name}}


def mount_token(pod: Object, containers: Sequence[str]) -> Object | None:
    """Give containers (none: all) what automount would give them; None: there is no template for it."""
    return _volume(pod, **({"containers": list(containers)} if containers else {}))


def let_read(pod: Object, token: PodToken) -> Object | None:
    """The volume that a token is in, readable for the containers; None: no template has it, or not like that."""
    user = (pod["spec"].get("securityContext") or {}).get("runAsUser")
    return _volume_again(pod, token, fs_group=user or _ANY_GROUP)


def ask_for(pod: Object, token: PodToken, audience: str) -> Object | None:
    """A token for this audience: in the place of another one, or beside one that Kubernetes has added by itself."""
    if not token.is_automounted:
        return _volume_again(pod, token, audience=audience)
    return _volume(
        pod,
        containers=[token.container],
        volume_name=_ANOTHER_NAME,
        mount_path=_ANOTHER_PLACE,
        sources=[{"token": {"path": "token", "audience": audience}}],
    )


def _volume_again(pod: Object, token: PodToken, audience: str = "", **options: Any) -> Object | None:
    spec = pod["spec"]
    volume, mounts = volume_of(spec, token.volume), mounts_of(spec, token.volume)
    paths = {mount["mountPath"] for some in mounts.values() for mount in some}
    # one task makes one mount of a whole volume
    if volume is None or token.is_automounted or token.is_fixed or len(paths) != 1:
        return None
    projected = volume["projected"]
    mode = projected.get("defaultMode", DEFAULT_MODE)
    return _volume(
        pod,
        containers=list(mounts),
        volume_name=token.volume,
        mount_path=paths.pop(),
        sources=[{"raw": _asking(source, token.audience, audience)} for source in projected["sources"]],
        **({} if mode == DEFAULT_MODE else {"default_mode": f"{mode:04o}"}),
        **options,
        # it is there already, and made by somebody else
        force=True,
    )


def _asking(source: Object, before: str, audience: str) -> Object:
    """A source with another audience, if it is that token."""
    token = source.get(TOKEN)
    if not audience or token is None or (token.get("audience") or "") != before:
        return source
    return {TOKEN: {**token, "audience": audience}}


def _volume(pod: Object, **options: Any) -> Object | None:
    owner = workload_of(pod)
    if owner is None:
        return None
    # what Kubernetes adds by itself stays, if it was wanted
    is_automounted = any(token.is_automounted for token in tokens_of(pod["spec"])) or pod["spec"].get(AUTOMOUNT)
    address = {"kind": owner.kind, "name": owner.name, "namespace": ref_of(pod, POD).namespace}
    automount = {"automount": True} if is_automounted else {}
    return {f"{_COLLECTION}.k8s_sa_volume": {**address, **options, **automount}}
