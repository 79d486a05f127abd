# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looking at a token where it is used: in the container, as its user.

What leaves the container is the middle part of the token, its claims. The signature, without which nobody accepts it,
stays there.
"""

from __future__ import annotations

from ._api import Api
from ._claims import bound_claims, decoded, legacy_claims
from ._errors import ForbiddenError, ProvisionError
from ._exec import Done, execute
from ._kinds import POD, Object, ref_of
from ._pod_tokens import ABSENT, DENIED, OTHER, READ, UNSEEN, Look, PodToken, why_not_running

# Builtins of every POSIX shell; nothing else has to be in the image. The first line climbs up: in a directory that may
# not be searched nothing seems to exist.
_SCRIPT = """
place=$1
while place=${place%/*}; [ -n "$place" ]; do [ ! -d "$place" ] || [ -x "$place" ] || exit 42; done
[ -e "$1" ] || exit 41
[ -r "$1" ] || exit 42
IFS=. read -r head claims signature < "$1"
[ -n "$signature" ] || exit 43
echo "claims:$claims"
"""
_SAID = "claims:"
_OUTCOMES = {41: ABSENT, 42: DENIED, 43: OTHER}

# how container runtimes say that there is no such program
_NO_PROGRAM = ("executable file not found", "no such file or directory")


def look(api: Api, pod: Object, token: PodToken) -> Look:
    """What a container sees of a token.

    Raises:
        ForbiddenError: the caller may run nothing in the Pod.
    """
    why = why_not_running(pod, token.container)
    if why or token.path is None:
        return Look(UNSEEN, why=why or "a variable decides where it is (subPathExpr)")
    command = ("sh", "-c", _SCRIPT, "sh", token.path)
    try:
        return _seen(execute(api.connection, ref_of(pod, POD), token.container, command))
    except ForbiddenError:
        raise
    except ProvisionError as error:
        return Look(UNSEEN, why=error.what)


def _seen(done: Done) -> Look:
    if done.exit_code == 0:
        said = done.output.decode(errors="replace").strip()
        if not said.startswith(_SAID):
            return Look(UNSEEN, why="its shell (sh) does something else than it is told to")
        payload = decoded(said.removeprefix(_SAID))
        claims = bound_claims(payload) or legacy_claims(payload)
        return Look(READ if claims else OTHER, claims)
    if done.exit_code in _OUTCOMES:
        return Look(_OUTCOMES[done.exit_code])
    said = done.said or f"the shell ended with {done.exit_code}"
    if any(words in said.lower() for words in _NO_PROGRAM):
        said = "its image has no shell (sh) to do it with"
    return Look(UNSEEN, why=said)
