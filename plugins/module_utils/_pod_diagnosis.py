# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with the tokens of a Pod: what it asks for, what it has and what there is, compared. Pure.

Source: pkg/serviceaccount of Kubernetes for when a token is refused; KEP-1205.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from ._causes import Diagnosis, in_order
from ._claims import Claims, LegacyClaims
from ._durations import rfc3339
from ._kinds import POD, SERVICE_ACCOUNT, Object, Ref, ref_of, uid_of
from ._namespaces import is_terminating
from ._pod_templates import AUTOMOUNT
from ._pod_tokens import ABSENT, DENIED, OTHER, UNSEEN, Look, PodToken, has_ended, token_volumes, tokens_of
from ._remedies import ask_for, let_read, make_account, make_pod_anew, mount_token
from ._volume_risks import ShutOut, shut_out

# how far the clocks of those who make and those who judge a token may be apart (jwt.DefaultLeeway)
_LEEWAY = timedelta(seconds=60)

_RUNNING = "Running"

_IN_ITS_PLACE = (
    "let the token be for that audience if nobody needs the other one, as the task does; else give the container one "
    "more, on a path of its own, and let the application read that"
)


@dataclass(frozen=True)
class Case:
    """What is known of a Pod.

    Attributes:
        pod: as the API server has it.
        account: the one it runs under, as it is now; None: there is none.
        is_account_known: whether the caller may know about it.
        container: the one that is meant; None: all.
        tokens: those of the containers in question.
        looks: what was seen of them; without an entry: nobody has looked.
        audience: whom a token has to be for; None: nobody said.
        now: the server's time.
    """

    pod: Object
    account: Object | None
    is_account_known: bool
    container: str | None
    tokens: Sequence[PodToken]
    looks: Mapping[PodToken, Look]
    audience: str | None
    now: datetime

    @property
    def ref(self) -> Ref:
        """The Pod."""
        return ref_of(self.pod, POD)

    @property
    def account_ref(self) -> Ref:
        """The account that the Pod runs under."""
        return account_of(self.pod)

    def claims_of(self, token: PodToken) -> Claims | LegacyClaims | None:
        """What a token says of itself, if it was read."""
        look = self.looks.get(token)
        return look.claims if look else None

    def is_seen(self, token: PodToken) -> bool:
        """Whether it is known what the container sees."""
        return token in self.looks and self.looks[token].outcome != UNSEEN


def account_of(pod: Object) -> Ref:
    """The account that a Pod runs under."""
    return Ref(SERVICE_ACCOUNT, ref_of(pod, POD).namespace, str(pod["spec"].get("serviceAccountName") or "default"))


def diagnose(case: Case) -> tuple[list[Diagnosis], list[str]]:
    """What is wrong, and of what nobody knows whether it is, as sentences."""
    found = [*_of_account(case), *_nothing_there(case)]
    for token in case.tokens:
        found += _of_token(case, token)
    return in_order([*found, *_wrong_audience(case)]), list(dict.fromkeys(_not_known(case)))


def _of_account(case: Case) -> Iterator[Diagnosis]:
    if not case.is_account_known or (case.account is not None and not is_terminating(case.account)):
        return
    said = f"{case.account_ref} does not exist" if case.account is None else f"{case.account_ref} is being deleted"
    yield Diagnosis("account_missing", said, make_account(case.pod, case.account_ref.name))


# No token


def _nothing_there(case: Case) -> Iterator[Diagnosis]:
    if case.tokens:
        return
    spec = case.pod["spec"]
    task = mount_token(case.pod, [case.container] if case.container else [])
    volumes = ", ".join(str(volume["name"]) for volume in token_volumes(spec))
    if tokens_of(spec):
        said = f"container {case.container} does not mount the token in the volume ({volumes})"
    elif volumes:
        said = f"no container mounts the token in the volume ({volumes})"
    else:
        yield _without_volume(case, task)
        return
    yield Diagnosis("no_projected_token", said, task)


def _without_volume(case: Case, task: Object | None) -> Diagnosis:
    """Which side has turned it off, or that nobody has any more: it counts when a Pod is made."""
    said = f"{case.ref} has no volume with a token"
    own, of_account = case.pod["spec"].get(AUTOMOUNT), (case.account or {}).get(AUTOMOUNT)
    if own is False:
        return Diagnosis("automount_off", f"{said}, and {AUTOMOUNT} is false in the Pod", task)
    if own is None and of_account is False:
        return Diagnosis("automount_off", f"{said}, and {AUTOMOUNT} is false in {case.account_ref}", task)
    if case.account is None:
        return Diagnosis("no_projected_token", said, task)
    then = f"{said}, although automount is on by now: it was off when the Pod was made"
    return Diagnosis("no_projected_token", then, make_pod_anew(case.pod) or task, "make the Pod anew")


# One token


def _of_token(case: Case, token: PodToken) -> Iterator[Diagnosis]:
    look = case.looks.get(token)
    if token.is_fixed and not has_ended(case.pod, token.container):
        yield Diagnosis("stale_reader", f"{token} is mounted with subPath, and such a file is never replaced")
    if look is None or look.outcome == UNSEEN:
        yield from _predicted(case, token)
    elif look.outcome == DENIED:
        why = "".join(f": {one.evidence}" for one in _shut_out(case, token))
        said = f"the user of container {token.container} may not read {token.path}{why}"
        yield Diagnosis("unreadable_file", said, let_read(case.pod, token))
    elif look.outcome == ABSENT:
        said = f"there is no file {token.path} in container {token.container}"
        yield Diagnosis("no_projected_token", said, make_pod_anew(case.pod))
    elif look.outcome == OTHER or look.claims is None:
        yield _not_the_one(f"{token.path} in container {token.container} holds no token of a service account")
    else:
        yield from _of_claims(case, token, look.claims)


def _shut_out(case: Case, token: PodToken) -> Iterator[ShutOut]:
    """What the specification says about who may not read a token."""
    volumes = {str(volume["name"]): volume for volume in token_volumes(case.pod["spec"])}
    found = shut_out(case.pod["spec"], volumes[token.volume], [token.container])
    return (one for one in found if one.of_token)


def _predicted(case: Case, token: PodToken) -> Iterator[Diagnosis]:
    for one in _shut_out(case, token):
        if one.is_certain and not has_ended(case.pod, token.container):
            yield Diagnosis("unreadable_file", one.evidence, let_read(case.pod, token))


def _not_the_one(said: str) -> Diagnosis:
    """Something else lies where the token of the Pod should be."""
    fix = "see what else writes or hides that file: another source of the volume, another mount, the application itself"
    return Diagnosis("no_projected_token", said, None, fix)


def _of_claims(case: Case, token: PodToken, claims: Claims | LegacyClaims) -> Iterator[Diagnosis]:
    if strange := _stranger(case, token, claims):
        yield _not_the_one(f"{token} {strange}")
    anew, uid = make_pod_anew(case.pod), uid_of(case.account)
    if uid and claims.uid != uid and _is_of(claims, case.account_ref):
        said = f"{token} is one of {case.account_ref} with the uid {claims.uid}, and that account has the uid {uid}"
        yield Diagnosis("account_recreated", said, anew)
    if isinstance(claims, LegacyClaims):
        return
    if claims.bound_to and claims.bound_to[0] == POD.name and claims.bound_to[2] != uid_of(case.pod):
        said = f"{token} is bound to Pod {claims.bound_to[1]} with the uid {claims.bound_to[2]}"
        yield Diagnosis("bound_object_gone", f"{said}, and this one has the uid {uid_of(case.pod)}", anew)
    if case.now - claims.expires_at > _LEEWAY:
        said = f"{token} has expired at {rfc3339(claims.expires_at)}, and it is {rfc3339(case.now)}"
        yield Diagnosis("token_expired", said, anew)
    if claims.issued_at - case.now > _LEEWAY:
        said = f"{token} is valid from {rfc3339(claims.issued_at)}, and it is {rfc3339(case.now)}"
        yield Diagnosis("not_yet_valid", said)


def _is_of(claims: Claims | LegacyClaims, account: Ref) -> bool:
    return (claims.namespace, claims.service_account) == (account.namespace, account.name)


def _stranger(case: Case, token: PodToken, claims: Claims | LegacyClaims) -> str:
    """Wherein a token is not the one that the Pod asks for; empty: it is."""
    asked = "and not the one that the Pod asks for"
    if isinstance(claims, LegacyClaims):
        return f"is the long-lived one of Secret {claims.namespace}/{claims.secret}, {asked}"
    if not _is_of(claims, case.account_ref):
        return f"is one of ServiceAccount {claims.namespace}/{claims.service_account}, {asked}"
    if token.audience and token.audience not in claims.audiences:
        return f"is for {', '.join(claims.audiences)}, {asked}"
    return "" if claims.bound_to and claims.bound_to[0] == POD.name else f"is bound to no Pod, {asked}"


# Audiences


def _audiences(case: Case) -> dict[PodToken, tuple[str, ...] | None]:
    """Whom the tokens are for; None: for the API server, whatever that calls itself."""
    return {token: _audiences_of(case, token) for token in case.tokens if not _is_something_else(case, token)}


def _audiences_of(case: Case, token: PodToken) -> tuple[str, ...] | None:
    claims = case.claims_of(token)
    if isinstance(claims, Claims):
        return claims.audiences
    return (token.audience,) if token.audience else None


def _is_something_else(case: Case, token: PodToken) -> bool:
    """Whether there is nothing at its path that was made for an audience."""
    look = case.looks.get(token)
    return look is not None and (look.outcome in (ABSENT, OTHER) or isinstance(look.claims, LegacyClaims))


def _wrong_audience(case: Case) -> Iterator[Diagnosis]:
    """None of the tokens is for whom it has to be."""
    known = _audiences(case)
    if not case.audience or not known or any(one is None or case.audience in one for one in known.values()):
        return
    there = ", ".join(dict.fromkeys(name for names in known.values() for name in names or ()))
    whose = f"container {case.container}" if case.container else str(case.ref)
    # the volume to change is rather one that was made on purpose
    likely = [*(token for token in known if not token.is_automounted), *known][0]
    said = f"what {whose} has is for {there}, and nothing is for {case.audience}"
    task = ask_for(case.pod, likely, case.audience)
    if task is None or likely.is_automounted:
        yield Diagnosis("wrong_audience", said, task)
    else:
        yield Diagnosis("wrong_audience", said, task, _IN_ITS_PLACE)


# What stays open


def _not_known(case: Case) -> Iterator[str]:
    if not case.is_account_known:
        yield f"whether {case.account_ref} exists is not known, because the caller may not get it"
    phase = (case.pod.get("status") or {}).get("phase")
    if phase != _RUNNING and not case.looks:
        yield f"{case.ref} is {phase or 'not started'}, so that nothing in it has a token now"
    for token in case.tokens:
        look = case.looks.get(token)
        if look and look.outcome == UNSEEN:
            yield f"{token} could not be looked at: {look.why}"
        if not case.is_seen(token) and not has_ended(case.pod, token.container):
            yield from (f"{one.evidence} (its image decides)" for one in _shut_out(case, token) if not one.is_certain)
    yield from _open_audience(case)


def _open_audience(case: Case) -> Iterator[str]:
    known = list(_audiences(case).values())
    if case.audience and None in known and not any(one and case.audience in one for one in known):
        yield (
            f"whether a token is for {case.audience} is not known: {case.ref} asks for one for the API server, "
            "whatever that calls itself, and only the token tells (look_inside)"
        )
