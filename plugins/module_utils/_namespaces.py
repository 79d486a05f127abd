# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a namespace's state means for something that is to be created in it."""

from __future__ import annotations

from ._errors import ApiError
from ._kinds import NAMESPACE, Object, Ref
from ._plan import Live


def namespace_ref(name: str) -> Ref:
    """The address of a namespace."""
    return Ref(NAMESPACE, "", name)


def is_terminating(obj: Object) -> bool:
    """Whether an object is on its way out."""
    return bool(obj["metadata"].get("deletionTimestamp"))


def coming_notes(ref: Ref, live: Live, *, check_mode: bool) -> list[str]:
    """What to say about the namespace of an object that is to be created; nothing if it was not read or is fine.

    In check mode a missing namespace is one that an earlier task would have made; otherwise the server's refusal will
    say it.

    Raises:
        ApiError: the namespace is being deleted.
    """
    place = namespace_ref(ref.namespace)
    if not ref.namespace or place not in live:
        return []
    namespace = live[place]
    if namespace is None:
        return (
            [f"namespace {ref.namespace} does not exist yet: it must be there when {ref} is made"] if check_mode else []
        )
    if is_terminating(namespace):
        raise ApiError(
            f"cannot create {ref}: namespace {ref.namespace} is being deleted",
            code="namespace_terminating",
            hint="wait until it is gone, or use another one",
        )
    return []
