# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The promises that are numbers: a few cases of each always, all of them with --slow-too."""

from __future__ import annotations

from pathlib import Path

import pytest
from cluster.controlplane import Cluster
from proofs.prove import NAMES, proved


@pytest.mark.parametrize("name", NAMES)
def test_a_promise_is_kept_in_a_few_cases(cluster: Cluster, tmp_path: Path, name: str) -> None:
    lines = proved(name, cluster, tmp_path / "proof", full=False)
    assert lines
    assert [miss for line in lines for miss in (line.misses or (line.seen,)) if not line.holds] == []


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_a_promise_is_kept_in_all_cases(cluster: Cluster, tmp_path: Path, name: str) -> None:
    lines = proved(name, cluster, tmp_path / "proof", full=True)
    assert lines
    assert [miss for line in lines for miss in (line.misses or (line.seen,)) if not line.holds] == []
