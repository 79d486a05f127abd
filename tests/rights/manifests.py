# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The cluster roles in examples/rbac/, as a cluster takes them and as a reader finds them in docs/rights.md."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

DIRECTORY = Path(__file__).resolve().parents[2] / "examples/rbac"

# what the names of all of them begin with; where a table would be too wide they are named without it
PREFIX = "tokenwright-"


@dataclass(frozen=True, order=True)
class Right:
    """One verb on one resource.

    Attributes:
        verb: the verb.
        resource: the plural, with a subresource after a slash.
        group: the API group.
        names: the only objects; empty: all.
    """

    verb: str
    resource: str
    group: str
    names: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}"

    def as_rule(self) -> dict[str, list[str]]:
        """As a rule of a role."""
        names = {"resourceNames": list(self.names)} if self.names else {}
        return {"apiGroups": [self.group], "resources": [self.resource], "verbs": [self.verb], **names}


@dataclass(frozen=True)
class Rule:
    """A rule of a manifest with the comment above it."""

    verbs: tuple[str, ...]
    resources: tuple[str, ...]
    group: str
    names: tuple[str, ...]
    comment: str

    @property
    def rights(self) -> frozenset[Right]:
        """Every verb on every resource."""
        return frozenset(Right(verb, name, self.group, self.names) for verb in self.verbs for name in self.resources)


@dataclass(frozen=True)
class ShippedRole:
    """A cluster role of a manifest; C(name) is without C(PREFIX)."""

    name: str
    manifest: Mapping[str, Any]
    rules: tuple[Rule, ...]

    @property
    def rights(self) -> tuple[Right, ...]:
        """All that it grants, in order."""
        return tuple(sorted(right for rule in self.rules for right in rule.rights))

    def naming(self, *names: str) -> ShippedRole:
        """The role after somebody put more names into its C(resourceNames), as its manifest asks to."""
        rules = [{**rule, "resourceNames": [*rule["resourceNames"], *names]} for rule in self.manifest["rules"]]
        parsed = tuple(replace(rule, names=(*rule.names, *names)) for rule in self.rules)
        return replace(self, manifest={**self.manifest, "rules": rules}, rules=parsed)

    def table(self) -> list[str]:
        """Its rules as the lines of a Markdown table."""
        return ["| verbs | resources | for |", "|---|---|---|", *map(_row, self.rules)]


def shipped_roles() -> dict[str, ShippedRole]:
    """All of them by their names, in the order of the files."""
    return {role.name: role for role in map(_read, sorted(DIRECTORY.glob("*.yaml")))}


def _read(path: Path) -> ShippedRole:
    text = path.read_text()
    manifest = yaml.safe_load(text)
    rules = zip(manifest["rules"], _comments(text.partition("\nrules:\n")[2].splitlines()), strict=True)
    name = str(manifest["metadata"]["name"])
    return ShippedRole(name.removeprefix(PREFIX), manifest, tuple(_rule(*pair) for pair in rules))


def _rule(rule: Mapping[str, Any], comment: str) -> Rule:
    (group,) = rule["apiGroups"]
    names = tuple(rule.get("resourceNames", ()))
    return Rule(tuple(rule["verbs"]), tuple(rule["resources"]), group, names, comment)


def _comments(lines: Sequence[str]) -> Iterator[str]:
    """What stands above each rule."""
    said: list[str] = []
    for line in map(str.strip, lines):
        if line.startswith("#"):
            said.append(line.removeprefix("#").strip())
        elif line.startswith("- "):
            yield " ".join(said)
            said = []


def _row(rule: Rule) -> str:
    verbs = ", ".join(f"`{verb}`" for verb in rule.verbs)
    resources = ", ".join(f"`{name}.{rule.group}`" if rule.group else f"`{name}`" for name in rule.resources)
    only = f" named {', '.join(f'`{name}`' for name in rule.names)}" if rule.names else ""
    return f"| {verbs} | {resources}{only} | {rule.comment} |"
