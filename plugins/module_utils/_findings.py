# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Risks: what deserves a warning or a refusal, and the policy that decides which.

A risk has a word that never changes, so that it can be allowed by name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ._errors import InputError, RefusedRiskError

ARGUMENT_SPEC: dict[str, dict[str, Any]] = {
    "risk_policy": {"type": "str", "choices": ["default", "warn", "deny", "ignore"], "default": "default"},
    "allow_risks": {"type": "list", "elements": "str"},
}

# every risk that is looked for, and whether it is refused unless allowed
REFUSED_BY_DEFAULT: Mapping[str, bool] = {
    "insecure_transport": False,
    "long_lifetime": True,
    "readable_by_others": False,
}


@dataclass(frozen=True)
class Finding:
    """One risk found.

    Attributes:
        risk: its word.
        evidence: what was seen, a sentence without a full stop.
        fix: what to do instead.
    """

    risk: str
    evidence: str
    fix: str

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
        allowed = frozenset(params["allow_risks"] or ())
        unknown = sorted(allowed - REFUSED_BY_DEFAULT.keys())
        if unknown:
            raise InputError(
                f"allow_risks: {unknown[0]!r} is no risk", f"known are {', '.join(sorted(REFUSED_BY_DEFAULT))}"
            )
        return cls(params["risk_policy"], allowed)

    def judge(self, findings: Iterable[Finding]) -> list[str]:
        """Warnings for the risks that are only worth one.

        Raises:
            RefusedRiskError: one is refused.
        """
        warnings = []
        for finding in findings:
            if self.policy == "ignore" or finding.risk in self.allowed:
                continue
            if self._refuses(finding.risk):
                raise RefusedRiskError(
                    str(finding), code="risk_refused", hint=f"if you accept it, add {finding.risk} to allow_risks"
                )
            warnings.append(str(finding))
        return warnings

    def _refuses(self, risk: str) -> bool:
        return self.policy == "deny" or (self.policy == "default" and REFUSED_BY_DEFAULT[risk])


def transport_findings(server: str, *, verified: bool) -> list[Finding]:
    """Credentials that travel to a server nobody has identified."""
    if server.lower().startswith("http://"):
        return [Finding("insecure_transport", f"the connection to {server} is not encrypted", "use https")]
    if not verified:
        return [
            Finding(
                "insecure_transport",
                f"the certificate of {server} is not verified",
                "give the cluster's CA (ca_cert) instead of switching validate_certs off",
            )
        ]
    return []
