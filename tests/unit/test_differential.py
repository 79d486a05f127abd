# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the comparison with kubectl excuses is documented, and what it compares is the same on every machine."""

from __future__ import annotations

from differential.grants import Grants
from differential.improvements import IMPROVEMENTS, REFUSED
from differential.projections import Projections
from differential.rules import Rules, atoms
from tools.checkout import ROOT


def test_every_improvement_is_documented_in_its_own_words() -> None:
    text = (ROOT / "docs/proofs.md").read_text()
    rows = [f"| {one.name} | {one.kubectl} | {one.ours} |" for one in (*IMPROVEMENTS, REFUSED)]
    assert [row for row in rows if row not in text] == []


def test_a_seed_says_what_is_compared() -> None:
    assert [Rules(7).rules() for dummy in range(9)] == [Rules(7).rules() for dummy in range(9)]
    assert list(Grants(7, {}).cases(50)) == list(Grants(7, {}).cases(50))
    assert list(Grants(7, {}).cases(50)) != list(Grants(8, {}).cases(50))
    assert list(Projections(7).cases(50)) == list(Projections(7).cases(50))
    assert list(Projections(7).cases(50)) != list(Projections(8).cases(50))


def test_the_atoms_of_rules() -> None:
    rule = {"apiGroups": ["", "apps"], "resources": ["pods"], "verbs": ["get"]}
    assert atoms([rule]) == {("resource", "get", "", "pods"), ("resource", "get", "apps", "pods")}
    assert atoms([{**rule, "apiGroups": [""], "resourceNames": [""]}]) == {("resource", "get", "", "pods", "")}
    assert atoms([{"nonResourceURLs": ["/x", "/y"], "verbs": ["get"]}]) == {("url", "get", "/x"), ("url", "get", "/y")}
    assert atoms([{**rule, "apiGroups": []}]) == set()
