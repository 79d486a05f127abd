# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is to be written so that a workload uses another Secret, and gets new Pods when that holds another token. Pure.

What was in the environment of a container when it was started stays there. So the template of the Pods says, in an
annotation, which token they were made with: another one is another template, and that means new Pods.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ._errors import ApiError, InputError
from ._kinds import Object, Ref
from ._namespaces import is_terminating
from ._plan import Live, Plan, Write
from ._pod_templates import pod_metadata, pod_spec, refuse_owned, remarks_on, wrapped
from ._repoint_desired import DesiredSecret
from ._rollout import replaces_pods
from ._secret_references import Reference, references

# which tokens the Pods were made with, by the names of their Secrets
MEMORY = "tokenwright/secrets"


@dataclass(frozen=True)
class Content:
    """What is known of a Secret without its content.

    Attributes:
        keys: those that it has; None: nobody knows.
        token: what tells the token of k8s_sa_token that it holds from another one; None: it holds none.
    """

    keys: frozenset[str] | None
    token: str | None


def plan(desired: DesiredSecret, live: Live, content: Content | None, *, check_mode: bool) -> Plan:
    """The write that makes a workload use the Secret.

    Args:
        desired: as declared.
        live: the workload.
        content: of the Secret; None: there is none.
        check_mode: what is missing is then what an earlier task would have made.

    Raises:
        ApiError: the workload or the Secret is missing, or the workload on its way out.
        InputError: the workload uses neither Secret, or is not the one to be changed.
    """
    obj = live[desired.ref]
    if obj is None:
        return _missing_workload(desired, check_mode=check_mode)
    if is_terminating(obj):
        raise ApiError(
            f"{desired.ref} is being deleted", code="terminating", hint="wait until it is gone and run again"
        )
    refuse_owned(desired.ref, obj)
    body = copy.deepcopy(obj)
    used = _used(desired, body)
    notes = [*_checked(desired, content, used, check_mode=check_mode), *remarks_on(desired.ref, obj)]
    for one in used:
        one.rename(desired.secret.name)
    is_moved = body != obj
    _remember(desired, body, content)
    if body == obj:
        return Plan((), tuple(notes))
    reason = "secret_changed" if is_moved else "token_changed"
    return Plan((Write("update", desired.ref, reason, body),), tuple(notes))


def _missing_workload(desired: DesiredSecret, *, check_mode: bool) -> Plan:
    if not check_mode:
        raise ApiError(
            f"{desired.ref} cannot use another Secret: it does not exist",
            code="missing_workload",
            hint="create it first, or correct kind, name and namespace",
        )
    note = f"{desired.ref} does not exist yet: it must be there when it is to use another Secret"
    return Plan((Write("update", desired.ref, "secret_changed", wrapped(desired.ref, {})),), (note,))


def _used(desired: DesiredSecret, obj: Object) -> list[Reference]:
    """The references that are, or are to be, to the Secret; parts of the object.

    Raises:
        InputError: there is none.
    """
    names = (desired.secret.name, desired.former)
    found = [one for one in references(pod_spec(desired.ref.kind, obj)) if one.secret in names]
    if not found:
        other = f" nor {desired.former}" if desired.former else ""
        raise InputError(
            f"{desired.ref} uses {'neither' if other else 'no'} Secret {desired.secret.name}{other}",
            "correct the names, or see whether somebody has changed it meanwhile",
            code="unreferenced",
        )
    return found


def _checked(
    desired: DesiredSecret, content: Content | None, used: Sequence[Reference], *, check_mode: bool
) -> Iterator[str]:
    """What to say of a Secret that is not there; one without a key that is wanted would leave the Pods unable to start.

    Raises:
        ApiError: it is, or it lacks one.
    """
    if content is None:
        if not check_mode:
            raise ApiError(
                f"{desired.ref} cannot use {desired.secret}: it does not exist",
                code="missing_secret",
                hint="make it first (k8s_sa_token with a place of type secret), or correct to_secret",
            )
        yield f"{desired.secret} does not exist yet: it must be there when {desired.ref} is to use it"
        return
    for one in used:
        missing = [key for key in one.keys if content.keys is not None and key not in content.keys]
        if missing and not one.optional:
            raise ApiError(
                f"{desired.ref} cannot use {desired.secret}: it has no key {missing[0]}, which {one.title} wants",
                code="missing_key",
                hint="see which format the Secret has, or change the workload by hand",
            )


def _remember(desired: DesiredSecret, obj: Object, content: Content | None) -> None:
    """Let the template say which token its Pods are made with, where they would not see another."""
    if not replaces_pods(desired.ref.kind, obj):
        return
    metadata = pod_metadata(desired.ref.kind, obj)
    known = memory_of(metadata)
    before = dict(known)
    used = [one for one in references(pod_spec(desired.ref.kind, obj)) if one.secret == desired.secret.name]
    if desired.former:
        known.pop(desired.former, None)
    if content and content.token and any(one.is_read_once for one in used):
        if desired.restart:
            known[desired.secret.name] = content.token
    else:
        known.pop(desired.secret.name, None)
    if known != before:
        _write(metadata, known)


def memory_of(metadata: Object) -> dict[str, str]:
    """Which tokens a template says that its Pods are made with; what somebody else wrote there is forgotten."""
    try:
        found = json.loads((metadata.get("annotations") or {}).get(MEMORY) or "{}")
    except (ValueError, RecursionError):
        return {}
    is_ours = isinstance(found, Mapping) and all(isinstance(value, str) for value in found.values())
    return dict(found) if is_ours else {}


def _write(metadata: Object, known: Mapping[str, str]) -> None:
    """Nothing to remember leaves nothing behind."""
    annotations = {key: value for key, value in (metadata.get("annotations") or {}).items() if key != MEMORY}
    if known:
        annotations[MEMORY] = json.dumps(known, sort_keys=True, separators=(",", ":"))
    if annotations:
        metadata["annotations"] = annotations
    else:
        metadata.pop("annotations", None)


def places(ref: Ref, obj: Object, secret: str) -> list[str]:
    """Where the Pods of a workload use a Secret, in words."""
    found = (one.title for one in references(pod_spec(ref.kind, obj)) if one.secret == secret)
    return list(dict.fromkeys(found))


def excerpt(desired: DesiredSecret, obj: Object) -> Object:
    """What is shown of a workload: where it uses the Secrets, and the tokens that its Pods are made with."""
    kind, names = desired.ref.kind, (desired.secret.name, desired.former)
    used = {one.title: one.secret for one in references(pod_spec(kind, obj)) if one.secret in names}
    # a workload that is still to come has no template
    tokens = memory_of(pod_metadata(kind, copy.deepcopy(obj)))
    shown = {"kind": kind.name, "namespace": desired.ref.namespace, "name": desired.ref.name, "secrets": used}
    return {**shown, **({"tokens": tokens} if tokens else {})}
