# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules for comparing with Kubernetes' own code: made by a generator, so that a seed says what was asked.

All that the server stores may come, and what it refuses only now (empty lists, resources and URLs in one rule). Rules
with both URLs and names of objects do not come: no server ever held one, and Kubernetes' comparator contradicts itself
there (such a rule does not cover itself).
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from itertools import product
from typing import TypeAlias

Rule: TypeAlias = dict[str, list[str]]
Atom: TypeAlias = tuple[str, ...]

_VERBS = ("get", "list", "watch", "update", "delete", "impersonate", "*")
_GROUPS = ("", "apps", "batch", "metrics.k8s.io", "*")
_RESOURCES = ("pods", "pods/log", "secrets", "deployments", "deployments/scale", "*/scale", "*/log", "*")
_NAMES = ("a", "b", "https://issuer.example.com#jane", "*")
_URLS = ("/healthz", "/healthz/*", "/x", "/x/*", "/x/y", "/x/y/*", "/x*", "/*", "*", "/metrics")

# The server takes any text. These mean something else than they look like, or nothing.
_ODD_RESOURCES = ("pods/*", "*/*", "pods/", "*/", "/log", "", "userextras/acme.com/project", "*/acme.com/project")
_ODD_NAMES = ("", "/", "a/b")
_ODD_URLS = ("", "**", "/x/**", "/x/*/y", "x", "*x")

_ODDITY = 0.06


def atoms(rules: Iterable[Mapping[str, Sequence[str]]]) -> set[Atom]:
    """The single permissions of rules: verb, group, resource and name (none: any), or verb and URL."""
    return set(atom_list(rules))


def atom_list(rules: Iterable[Mapping[str, Sequence[str]]]) -> list[Atom]:
    """Likewise, as often as they are said."""
    found: list[Atom] = []
    for rule in rules:
        verbs = rule.get("verbs") or ()
        names: list[Atom] = [(name,) for name in rule.get("resourceNames") or ()] or [()]
        found += [("url", *one) for one in product(verbs, rule.get("nonResourceURLs") or ())]
        resources = product(verbs, rule.get("apiGroups") or (), rule.get("resources") or (), names)
        found += [("resource", verb, group, resource, *name) for verb, group, resource, name in resources]
    return found


class Rules:
    """Lists of rules by chance."""

    def __init__(self, seed: int, *, oddity: float = _ODDITY, urls: bool = True) -> None:
        """Begin.

        Args:
            seed: the same seed gives the same rules.
            oddity: the share of what nobody would write; 0 leaves what the options of k8s_sa_binding allow.
            urls: whether there are rules for URLs; a Role has none.
        """
        self.chance = random.Random(seed)  # noqa: S311 - cases of a test, no secret
        self._oddity = oddity
        self._urls = urls

    def rules(self, most: int = 4) -> list[Rule]:
        """So many rules at most, seldom none."""
        least = 0 if self._is_odd() else 1
        return [self._rule() for dummy in range(self.chance.randint(least, most))]

    def part_of(self, rules: Sequence[Rule]) -> list[Rule]:
        """Some of what the rules grant, with stars filled in, and written in another way."""
        return self.rewritten([self._narrowed(rule) for rule in rules if self.chance.random() < 0.8])

    def rewritten(self, rules: Sequence[Rule]) -> list[Rule]:
        """What the rules grant, written in another way: taken apart, shuffled, doubled."""
        doubled = [self.chance.choice(rules)] if rules and self.chance.random() < 0.3 else []
        taken_apart = [one for rule in [*rules, *doubled] for one in self._split(rule)]
        self.chance.shuffle(taken_apart)
        return taken_apart

    def _rule(self) -> Rule:
        if self._urls and self.chance.random() < 0.2:
            return {"nonResourceURLs": self._some(_URLS, _ODD_URLS, 3), "verbs": self._some(_VERBS, ("",), 3)}
        rule = {
            "apiGroups": self._some(_GROUPS, ("APPS",), 2),
            "resources": self._some(_RESOURCES, _ODD_RESOURCES, 3),
            "verbs": self._some(_VERBS, ("",), 3),
        }
        if self.chance.random() < 0.25:
            rule["resourceNames"] = self._some(_NAMES, _ODD_NAMES, 2)
        elif self._urls and self._is_odd():
            rule["nonResourceURLs"] = self._some(_URLS, _ODD_URLS, 2)
        return rule

    def _some(self, usual: Sequence[str], odd: Sequence[str], most: int) -> list[str]:
        """A few of them, doubles included; seldom none or an odd one."""
        if self._is_odd() and self._is_odd():
            return []
        return [self.chance.choice(odd if self._is_odd() else usual) for dummy in range(self.chance.randint(1, most))]

    def _is_odd(self) -> bool:
        return self.chance.random() < self._oddity

    def _narrowed(self, rule: Rule) -> Rule:
        """The rule with less: some of each list, and sometimes one thing for a star."""
        narrow = {key: self._fewer(key, values) for key, values in rule.items()}
        if "resourceNames" not in rule and "nonResourceURLs" not in rule and self.chance.random() < 0.2:
            narrow["resourceNames"] = [self.chance.choice(_NAMES)]
        return narrow

    def _fewer(self, key: str, values: list[str]) -> list[str]:
        if not values:
            return []
        kept = self.chance.sample(values, self.chance.randint(1, len(values)))
        return [self._filled_in(key, value) if self.chance.random() < 0.5 else value for value in kept]

    def _filled_in(self, key: str, value: str) -> str:
        """One of the things that a star stands for."""
        plain = {"verbs": _VERBS, "apiGroups": _GROUPS, "resources": _RESOURCES}
        if value == "*" and key in plain:
            return self.chance.choice(plain[key])
        if key == "resources" and value.startswith("*/"):
            return "jobs" + value[1:]
        if key == "nonResourceURLs":
            return "/any" if value == "*" else value.replace("*", "y")
        return value

    def _split(self, rule: Rule) -> list[Rule]:
        """The rule, or one rule for each verb or group of it."""
        key = self.chance.choice(("", "verbs", "apiGroups"))
        return [{**rule, key: [value]} for value in rule[key]] if rule.get(key) else [rule]
