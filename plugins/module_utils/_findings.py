# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Risks: what deserves a warning or a refusal, and the policy that decides which.

A risk has a word that never changes, so that it can be allowed by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ._errors import InputError, RefusedRiskError
from ._kinds import Ref

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "risk_policy": {"type": "str", "choices": ["default", "warn", "deny", "ignore"], "default": "default"},
    "allow_risks": {"type": "list", "elements": "str"},
}

CRITICAL, HIGH, MEDIUM = SEVERITIES = ("critical", "high", "medium")


@dataclass(frozen=True)
class Risk:
    """What is known of a risk before it is found anywhere.

    Attributes:
        reference: its number in the list of checks; empty if it has none.
        severity: one of C(SEVERITIES).
        refused: whether it is refused unless it is allowed; otherwise it is worth a warning.
    """

    reference: str
    severity: str
    refused: bool = False


# every risk that is looked for
RISKS: Mapping[str, Risk] = {
    "cluster_admin": Risk("A12", CRITICAL, refused=True),
    "escalate": Risk("A21", CRITICAL, refused=True),
    "bind": Risk("A21", CRITICAL, refused=True),
    "impersonate": Risk("A21", CRITICAL, refused=True),
    "csr_approve": Risk("A22", CRITICAL),
    "anonymous_bound": Risk("A15", CRITICAL),
    "wildcard": Risk("A11", HIGH, refused=True),
    "secrets_read": Risk("A17", HIGH),
    "secrets_write": Risk("A27", HIGH),
    "token_create": Risk("A23", HIGH),
    "nodes_proxy": Risk("A20", HIGH),
    "pod_exec": Risk("A28", HIGH),
    "persistent_volume_create": Risk("A19", HIGH),
    "webhook_write": Risk("A24", HIGH),
    "masters_bound": Risk("A16", HIGH),
    "all_accounts_bound": Risk("A14", HIGH),
    "workload_create": Risk("A18", MEDIUM),
    "rbac_write": Risk("A26", MEDIUM),
    "namespace_patch": Risk("A25", MEDIUM),
    "cluster_wide_without_need": Risk("A13", MEDIUM),
    "long_lived_token": Risk("A05", MEDIUM),
    "unreadable_token_file": Risk("", HIGH),
    "path_collision": Risk("", HIGH),
    "subpath_token": Risk("A33", HIGH),
    "token_lifetime": Risk("A32", MEDIUM),
    "token_audience": Risk("A32", MEDIUM),
    "readable_token_file": Risk("A34", MEDIUM),
    "hidden_mount": Risk("", MEDIUM),
    "insecure_transport": Risk("", HIGH),
    "readable_by_others": Risk("", HIGH),
    "long_lifetime": Risk("", MEDIUM, refused=True),
}
REFUSED_BY_DEFAULT: Mapping[str, bool] = {word: risk.refused for word, risk in RISKS.items()}


@dataclass(frozen=True)
class Finding:
    """One risk found.

    Attributes:
        risk: its word.
        evidence: what was seen, a sentence without a full stop.
        fix: what to do instead.
        about: the object it was seen at; None for what is no object of the cluster.
        within: a greater risk that holds this one, so that who accepts that has accepted this; empty: none.
    """

    risk: str
    evidence: str
    fix: str
    about: Ref | None = None
    within: str = ""

    def as_result(self) -> dict[str, Any]:
        """The entry in a result's C(risks) or C(findings)."""
        known, about = RISKS[self.risk], self.about
        return {
            "id": self.risk,
            "reference": known.reference or None,
            "severity": known.severity,
            "object": about and {"kind": about.kind.name, "namespace": about.namespace or None, "name": about.name},
            "evidence": self.evidence,
            "fix": self.fix,
        }

    def __str__(self) -> str:
        return f"{self.evidence} (risk {self.risk}): {self.fix}"


@dataclass(frozen=True)
class RiskPolicy:
    """What the user allows."""

    policy: str
    allowed: frozenset[str]

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> RiskPolicy:
        """Read the options every module shares.

        Raises:
            InputError: an unknown risk is named (a typo would silently allow nothing).
        """
        # the answer to a survey question is one text with a name on every line
        allowed = frozenset(word for text in params["allow_risks"] or () for word in text.split())
        unknown = sorted(allowed - REFUSED_BY_DEFAULT.keys())
        if unknown:
            raise InputError(
                f"allow_risks: {unknown[0]!r} is no risk", f"known are {', '.join(sorted(REFUSED_BY_DEFAULT))}"
            )
        return cls(params["risk_policy"], allowed)

    @property
    def looks(self) -> bool:
        """Whether risks are looked for at all."""
        return self.policy != "ignore"

    def judge(self, findings: Iterable[Finding]) -> list[str]:
        """Warnings for the risks that are only worth one.

        Raises:
            RefusedRiskError: one is refused.
        """
        return [str(finding) for finding in self._not_accepted(findings)]

    def judge_together(self, findings: Iterable[Finding], key: str = "risks") -> list[str]:
        """The same for the risks of one object, as one warning at most: the first in full, the others by their words.

        Args:
            findings: the risks, the worst first.
            key: where they are in the result.

        Raises:
            RefusedRiskError: one is refused.
        """
        warned = self._not_accepted(findings)
        if not warned:
            return []
        others = _words(warned[1:])
        more = f"; other risks of it are {', '.join(others)}, see {key} in the result" if others else ""
        return [f"{warned[0]}{more}"]

    def _not_accepted(self, findings: Iterable[Finding]) -> list[Finding]:
        found = [finding for finding in findings if not self._accepts(finding)]
        refused = [finding for finding in found if self.policy == "deny" or self._refuses(finding.risk)]
        if refused:
            raise _refusal(refused)
        return found

    def _accepts(self, finding: Finding) -> bool:
        return not self.looks or bool({finding.risk, finding.within} & self.allowed)

    def _refuses(self, risk: str) -> bool:
        return self.policy == "default" and REFUSED_BY_DEFAULT[risk]


def _refusal(refused: Sequence[Finding]) -> RefusedRiskError:
    """All that would have to be accepted is said at once."""
    words = _words(refused)
    needed = [word for word in words if not any(one.risk == word and one.within in words for one in refused)]
    what = "if you accept it, add" if len(needed) == 1 else "if you accept them all, add"
    return RefusedRiskError(str(refused[0]), code="risk_refused", hint=f"{what} {', '.join(needed)} to allow_risks")


def _words(findings: Iterable[Finding]) -> list[str]:
    return list(dict.fromkeys(finding.risk for finding in findings))


def transport_findings(server: str, *, verified: bool) -> list[Finding]:
    """Credentials that travel to a server nobody has identified."""
    if server.lower().startswith("http://"):
        return [Finding("insecure_transport", f"the connection to {server} is not encrypted", "use https")]
    if not verified:
        return [
            Finding(
                "insecure_transport",
                f"the certificate of {server} is not verified",
                "give the cluster's CA (ca_cert; in AWX, the credential's Certificate Authority data) instead of "
                "switching validate_certs off",
            )
        ]
    return []
