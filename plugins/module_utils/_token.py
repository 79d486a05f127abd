# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_token: a TokenRequest token, kept good in the places that need it.

Every TokenRequest mints a live token, also with dryRun, so nothing is asked for unless a stored token fails the reuse
predicate, and never in check mode. Source: Kubernetes API, TokenRequest v1; KEP-1205.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import _auth, _bulk, _findings, _names
from ._api import Api, Minted, connect
from ._auth import ConnectionOptions, Endpoint
from ._claims import Claims, read_claims, sha256
from ._converge import Snapshot, read
from ._durations import instant, rfc3339, seconds, share_or_seconds
from ._entry import UseCase
from ._errors import AmbiguousError, ApiError, ConflictError, FileError, InputError, ProvisionError, Target
from ._findings import Finding, RiskPolicy, transport_findings
from ._kinds import SERVICE_ACCOUNT, Object, Ref, uid_of
from ._lifetime import Record, Verdict, Wanted, expires_at, granted_seconds, is_cut, judge, renew_at
from ._namespaces import is_terminating
from ._plan import UP_TO_DATE, Outcome, action
from ._redact import Secrets
from ._sinks import SINK_OPTIONS, DesiredSink, Held, Sink, build, sinks_from_item

LIST = "tokens"

ITEM_OPTIONS: dict[str, dict[str, Any]] = {
    "service_account": {"type": "str", "aliases": ["name"]},
    "namespace": {"type": "str"},
    "audiences": {"type": "list", "elements": "str"},
    "expiration_seconds": {"type": "raw"},
    "renew_before": {"type": "raw", "default": "20%"},
    "sinks": {"type": "list", "elements": "dict", "options": SINK_OPTIONS},
    "dest": {"type": "path"},
    "kubeconfig_dest": {"type": "path"},
    "return_token": {"type": "bool", "default": False, "no_log": False},
    "force": {"type": "bool", "default": False},
}

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    **_bulk.with_list(ITEM_OPTIONS, LIST),
    **_bulk.ARGUMENT_SPEC,
    **_findings.ARGUMENT_SPEC,
    **_auth.ARGUMENT_SPEC,
}
ARGUMENT_SPEC[LIST]["no_log"] = False

# the server's own limits (pkg/apis/authentication/validation)
SHORTEST = 600
LONGEST = 2**32

_LONG = 30 * 24 * 3600


@dataclass(frozen=True)
class DesiredToken:
    """One token as declared."""

    account: Ref
    audiences: tuple[str, ...]
    seconds: int | None
    renew_before: float | int
    sinks: tuple[DesiredSink, ...]
    return_token: bool
    force: bool

    @classmethod
    def from_item(cls, item: Mapping[str, Any]) -> DesiredToken:
        """Check one merged item."""
        name = _names.object_name(item["service_account"], "service_account")
        desired = cls(
            account=Ref(SERVICE_ACCOUNT, _names.namespace(item["namespace"]), name),
            audiences=_audiences(item["audiences"]),
            seconds=_lifetime(item["expiration_seconds"]),
            renew_before=share_or_seconds(item["renew_before"], "renew_before"),
            sinks=sinks_from_item(item),
            return_token=item["return_token"],
            force=item["force"],
        )
        if not desired.sinks and not desired.return_token:
            raise InputError(
                f"{desired.account.place}: nothing would keep the token",
                "give a place (dest, kubeconfig_dest or sinks), or return_token: true",
                code="no_sink",
            )
        return desired

    @property
    def findings(self) -> list[Finding]:
        """The risks that can be seen in the request."""
        found = [finding for sink in self.sinks for finding in sink.findings]
        if self.seconds is not None and self.seconds > _LONG:
            text = f"a token of {self.account.place} for {self.seconds} seconds lives for over 30 days"
            found.append(Finding("long_lifetime", text, "ask for a shorter one and let it be renewed"))
        return found


def _audiences(given: Sequence[str] | None) -> tuple[str, ...]:
    for audience in given or ():
        if not audience:
            raise InputError("audiences: an entry is empty", "leave audiences out for the API server's own")
    return tuple(dict.fromkeys(given or ()))


def _lifetime(given: object) -> int | None:
    if given is None:
        return None
    asked = seconds(given, "expiration_seconds")
    if not SHORTEST <= asked <= LONGEST:
        raise InputError(
            f"expiration_seconds: {given} is out of range",
            f"the API server takes {SHORTEST} (10 minutes) to {LONGEST} seconds",
        )
    return asked


# a token and the places it is kept in
Placed: TypeAlias = tuple[DesiredToken, Sequence[Sink]]


@dataclass(frozen=True)
class Decision:
    """What is to be done about one token.

    Attributes:
        reason: why.
        keep: the stored token that stays; None: mint one.
        record: of the stored token.
        verdict: the judgement of what was stored first.
    """

    reason: str
    keep: str | None = None
    record: Record | None = None
    verdict: Verdict | None = None


def decide(helds: Sequence[Held], wanted: Wanted, now: Any) -> Decision:
    """Judge what the places hold: one good token in all of them stays, anything else is replaced everywhere.

    Args:
        helds: what each place holds.
        wanted: the token that should be there.
        now: the server's time.
    """
    bearing = [held for held in helds if held.bears_token]
    verdicts = [judge(held.token, held.record, wanted, now) for held in bearing]
    bad = next((verdict for verdict in verdicts if not verdict.is_good), None)
    if not bearing or bad:
        return Decision(bad.reason if bad else "missing", verdict=bad)
    tokens = {held.token for held in bearing}
    first = bearing[0]
    if len(tokens) > 1 or first.token is None:
        return Decision("sink_changed", verdict=verdicts[0])
    return Decision(UP_TO_DATE, first.token, _known(first.token, bearing, wanted, verdicts[0].claims), verdicts[0])


def _known(token: str, bearing: Sequence[Held], wanted: Wanted, claims: Claims | None) -> Record | None:
    """The record that goes with the token; without one the request is assumed to be unchanged."""
    for held in bearing:
        if held.record and held.record.sha256 == sha256(token):
            return held.record
    if claims is None:
        return None
    return Record(sha256(token), wanted.seconds, wanted.audiences, claims.audiences, rfc3339(claims.expires_at))


def run(params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    """The use case: see the module's documentation for parameters and result."""
    risks = RiskPolicy.from_params(params)
    items = _bulk.parse(params, ITEM_OPTIONS, LIST, DesiredToken.from_item, identity=None)
    refuse_shared_files(items.desired)
    warnings = risks.judge(finding for item in items.desired for finding in item.findings)
    api = connect(ConnectionOptions.from_params(params), secrets, pool_size=params["workers"])
    endpoint = api.connection.endpoint
    warnings += risks.judge(transport_findings(endpoint.server, verified=endpoint.verify))
    placed = [(item, _sinks_of(item, endpoint)) for item in items.desired]
    _refuse_shared_entries(placed)
    live = read(api, [item.account for item in items.desired], params["workers"])

    def work(token: Placed, outcome: Outcome) -> None:
        item, sinks = token
        _Keeper(api, item, outcome, secrets).keep(live, sinks, check_mode=check_mode)

    outcomes = _bulk.run_all(placed, _begin, work, params)
    return _bulk.as_result(outcomes, api, bulk=items.bulk, check_mode=check_mode, warnings=warnings)


def refuse_shared_files(desired: Sequence[DesiredToken]) -> None:
    """Two tokens in one file would replace each other on every run; a kubeconfig has room for many.

    Raises:
        InputError: a token file is the place of two, or a kubeconfig's place too.
    """
    tenants: dict[str, list[str]] = defaultdict(list)
    configs = {sink.path for item in desired for sink in item.sinks if sink.type == "kubeconfig"}
    for item in desired:
        for sink in item.sinks:
            if sink.type == "file":
                tenants[sink.path].append(item.account.place)
                if sink.path in configs:
                    raise InputError(f"{LIST}: {sink.path} is a token file and a kubeconfig", "give each its own path")
    _refuse_tenants(tenants)


def _refuse_shared_entries(placed: Sequence[Placed]) -> None:
    """The same for the entries of kubeconfigs, whose default names are known only with the connection."""
    tenants: dict[str, list[str]] = defaultdict(list)
    for item, sinks in placed:
        for sink in sinks:
            for entry in sink.entries:
                tenants[entry].append(item.account.place)
    _refuse_tenants(tenants)


def _refuse_tenants(tenants: Mapping[str, Sequence[str]]) -> None:
    for place, accounts in tenants.items():
        if len(accounts) > 1:
            raise InputError(
                f"{LIST}: {place} is the place of {len(accounts)} tokens ({', '.join(accounts)})",
                "give each a place of its own",
                code="duplicate",
            )


def _sinks_of(item: DesiredToken, endpoint: Endpoint) -> list[Sink]:
    return [build(sink, endpoint, item.account.namespace, item.account.name, force=item.force) for sink in item.sinks]


def _begin(token: Placed) -> Outcome:
    item = token[0]
    identity = {"service_account": item.account.name, "namespace": item.account.namespace}
    return Outcome(identity=identity, title=item.account.place)


class _Keeper:
    """Keeps one token good: locks its places, decides, mints if need be, stores."""

    def __init__(self, api: Api, desired: DesiredToken, outcome: Outcome, secrets: Secrets) -> None:
        self._api = api
        self._desired = desired
        self._outcome = outcome
        self._secrets = secrets
        self._ambiguous = 0

    def keep(self, live: Snapshot, sinks: Sequence[Sink], *, check_mode: bool) -> None:
        """Do it, or in check mode predict it."""
        item = self._desired
        account = live[item.account]
        if account is not None and is_terminating(account):
            raise ApiError(
                f"{item.account} is being deleted", code="terminating", hint="wait until it is gone and make it anew"
            )
        if check_mode:
            self._predict(sinks, account)
            return
        if account is None:
            raise ApiError(
                f"cannot mint a token: {item.account} does not exist",
                code="account_missing",
                target=Target("create", "serviceaccounts/token", "", item.account.namespace, item.account.name),
                hint="create it first (k8s_sa), or correct name and namespace",
            )
        for sink in sinks:
            sink.held()  # a place that is refused gets no lock file either
        with ExitStack() as locks:
            # in one order everywhere, so that two plays never wait for each other
            for sink in sorted(sinks, key=lambda one: one.path):
                locks.enter_context(sink.locked())
            self._converge(sinks, account)

    def _wanted(self, account: Object) -> Wanted:
        item = self._desired
        return Wanted(
            item.account.namespace, item.account.name, uid_of(account), item.audiences, item.seconds, item.renew_before
        )

    def _predict(self, sinks: Sequence[Sink], account: Object | None) -> None:
        outcome = self._outcome
        if account is None:
            outcome.warnings.append(
                f"{self._desired.account} does not exist yet: it must be there when its token is minted"
            )
            decision = Decision("missing")
        else:
            decision = decide([sink.held() for sink in sinks], self._wanted(account), self._api.connection.now())
        if decision.keep and decision.record:
            changing = [sink for sink in sinks if not sink.fits(decision.keep, decision.record)]
        else:
            changing = list(sinks)
        outcome.warnings += [note for sink in changing for note in sink.rehearse()]
        self._note(sinks, decision, changing)
        self._describe(decision.keep, decision.record, account)
        outcome.msg = self._sentence("would be ")

    def _converge(self, sinks: Sequence[Sink], account: Object) -> None:
        decision = decide([sink.held() for sink in sinks], self._wanted(account), self._api.connection.now())
        token, record = decision.keep, decision.record
        if token and record:
            changing = [sink for sink in sinks if not sink.fits(token, record)]
            with ExitStack() as stack:
                stores = [stack.enter_context(sink.prepared()) for sink in changing]
                for store in stores:
                    store(token, record)
        else:
            changing = list(sinks)
            with ExitStack() as stack:
                # everything that can fail without a token fails here, before one is minted
                stores = [stack.enter_context(sink.prepared()) for sink in changing]
                minted = self._mint(account)
                token, record = self._accept(minted)
                self._store(stores, token, record)
        self._note(sinks, decision, changing)
        self._describe(token, record, account)
        self._return(token)
        self._outcome.msg = self._sentence("")

    def _store(self, stores: Sequence[Any], token: str, record: Record) -> None:
        try:
            for store in stores:
                store(token, record)
        except FileError as error:
            claims = read_claims(token)
            lost = f" (the token {claims.credential_id} just minted lives until {record.expires_at})" if claims else ""
            raise FileError(f"{error.what}{lost}", code=error.code, hint=error.hint) from None

    def _mint(self, account: Object) -> Minted:
        """Mint; at most one retry each for an account that was recreated meanwhile and for an answer that got lost."""
        ref = self._desired.account
        try:
            return self._request(ref, account)
        except ConflictError:
            current = self._api.get(ref)
            if current is None or uid_of(current) == uid_of(account):
                raise
            return self._request(ref, current)
        except AmbiguousError:
            self._ambiguous += 1
            self._outcome.warnings.append(
                f"the answer to a TokenRequest for {ref.place} was lost: a token nobody knows may live until it expires"
            )
            return self._request(ref, account)

    def _request(self, ref: Ref, account: Object) -> Minted:
        spec: dict[str, Any] = {"audiences": list(self._desired.audiences)}
        if self._desired.seconds is not None:
            spec["expirationSeconds"] = self._desired.seconds
        # the uid makes the server refuse an account that was recreated since we read it (Kubernetes 1.34 and later)
        return self._api.mint(ref, {"metadata": {"uid": uid_of(account)}, "spec": spec})

    def _accept(self, minted: Minted) -> tuple[str, Record]:
        """Check the answer before anything is overwritten with it."""
        status, spec = minted.request.get("status") or {}, minted.request.get("spec") or {}
        token = status.get("token")
        self._secrets.add(token if isinstance(token, str) else None)
        claims = read_claims(token) if isinstance(token, str) else None
        ref = self._desired.account
        if (
            not isinstance(token, str)
            or claims is None
            or (claims.namespace, claims.service_account) != (ref.namespace, ref.name)
        ):
            raise ProvisionError(
                f"the answer to the TokenRequest for {ref.place} holds no token of that account",
                code="bad_answer",
                hint="see whether a proxy or an admission webhook changes answers",
            )
        audiences = tuple(spec.get("audiences") or claims.audiences)
        try:
            until = rfc3339(instant(status.get("expirationTimestamp"), "expirationTimestamp"))
        except InputError:
            until = rfc3339(claims.expires_at)
        self._outcome.warnings += [f"the API server says: {text}" for text in minted.warnings]
        return token, Record(sha256(token), self._desired.seconds, self._desired.audiences, audiences, until)

    def _note(self, sinks: Sequence[Sink], decision: Decision, changing: Sequence[Sink]) -> None:
        """Reason, actions and the list of places."""
        outcome, ref = self._outcome, self._desired.account
        outcome.reason = "sink_changed" if decision.keep and changing else decision.reason
        if not decision.keep:
            outcome.actions.append(action("create", "TokenRequest", ref.namespace, ref.name, outcome.reason))
        outcome.actions += [action("update", _KINDS[sink.type], "", sink.path, outcome.reason) for sink in changing]
        outcome.changed = bool(outcome.actions)
        outcome.returned |= {
            "sinks": [{"type": sink.type, "path": sink.path, "changed": sink in changing} for sink in sinks],
            "verified": None,
            "ambiguous_mints": self._ambiguous,
        }
        outcome.before = _fingerprint(decision.verdict.claims if decision.verdict else None)

    def _describe(self, token: str | None, record: Record | None, account: Object | None) -> None:
        """C(token_info): in check mode, of a token that is still to be minted, only what is known."""
        item = self._desired
        claims = read_claims(token) if token else None
        info: dict[str, Any] = {
            "service_account": item.account.name,
            "namespace": item.account.namespace,
            "uid": uid_of(account) or None,
            "credential_id": None,
            "audiences": list(item.audiences),
            "issued_at": None,
            "expires_at": None,
            "renew_at": None,
            "requested_seconds": item.seconds,
            "granted_seconds": None,
            "shortened": None,
            "sha256": None,
        }
        if token and claims:
            granted = granted_seconds(claims, record)
            info |= {
                "uid": claims.uid,
                "credential_id": claims.credential_id,
                "audiences": list(claims.audiences),
                "issued_at": rfc3339(claims.issued_at),
                "expires_at": rfc3339(expires_at(claims, record)),
                "renew_at": rfc3339(renew_at(claims, record, item.renew_before)),
                "granted_seconds": granted,
                "shortened": item.seconds is not None and granted < item.seconds,
                "sha256": sha256(token),
            }
            if is_cut(granted, item.renew_before):
                text = f"renew_before of {item.account.place} is cut to half of the {granted} seconds its token lives"
                self._outcome.warnings.append(text)
        self._outcome.returned["token_info"] = info
        self._outcome.after = _fingerprint(claims) or {"token": "to be minted"}

    def _return(self, token: str) -> None:
        if self._desired.return_token:
            self._secrets.add(token)
            endpoint: Endpoint = self._api.connection.endpoint
            auth = {"host": endpoint.server, "api_key": token}
            self._outcome.returned["token"] = token
            self._outcome.returned["auth"] = {**auth, "ca_cert": endpoint.ca_file} if endpoint.ca_file else auth

    def _sentence(self, would: str) -> str:
        outcome, place = self._outcome, self._desired.account.place
        expiry = outcome.returned["token_info"]["expires_at"]
        until = f", good until {expiry}" if expiry else ""
        if not outcome.changed:
            return f"the token of {place} is up to date{until}"
        if outcome.actions[0]["kind"] == "TokenRequest":
            return f"a token for {place} {would or 'is '}minted ({outcome.reason}){until}"
        return f"the places of the token of {place} {would or 'are '}corrected ({outcome.reason}){until}"


_KINDS = {"file": "File", "kubeconfig": "Kubeconfig"}


def _fingerprint(claims: Claims | None) -> dict[str, Any] | None:
    """What a diff may show of a token."""
    if claims is None:
        return None
    return {"token": {"credential_id": claims.credential_id, "expires_at": rfc3339(claims.expires_at)}}


USE_CASE = UseCase(ARGUMENT_SPEC, run)
