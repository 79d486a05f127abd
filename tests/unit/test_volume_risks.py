# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What works less well than it looks in a projected volume, and in the Pods that have one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kinds import DEPLOYMENT, Ref
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._projection import USUAL_PATH
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._projection_rules import checked_volume
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._volume_risks import (
    risks_in_template,
    risks_of_projection,
)

REF = Ref(DEPLOYMENT, "shop", "webshop")
Object = dict[str, Any]


def token(**fields: Any) -> Object:
    return {"token": fields}


def secret(*paths: str) -> Object:
    return {
        "secret": {"name": "s", "items": [{"key": f"k{number}", "path": path} for number, path in enumerate(paths)]}
    }


PROJECTIONS: list[tuple[list[Object], str, list[str]]] = [
    ([token()], USUAL_PATH, []),
    ([token(expiration_seconds=86400)], USUAL_PATH, []),
    ([token(expiration_seconds=86401)], USUAL_PATH, ["token_lifetime"]),
    ([token(expiration_seconds=3607)], "/x", ["token_lifetime"]),
    ([token(audience="https://kubernetes.default.svc")], "/x", ["token_audience"]),
    ([token(audience="https://kubernetes.default.svc.cluster.local/")], "/x", ["token_audience"]),
    ([token(audience="vault")], "/x", []),
    ([token(audience="vault")], USUAL_PATH + "/", ["token_audience"]),
    ([token(audience="vault", path="vault")], USUAL_PATH, []),
    ([token(path="a"), secret("a")], "/x", ["path_collision"]),
    ([secret("a"), token(path="./a")], "/x", ["path_collision"]),
    ([token(path="a"), token(path="a")], "/x", ["path_collision"]),
    ([secret("a", "a/b")], "/x", ["path_collision"]),
    ([secret("a/b"), token(path="a")], "/x", ["path_collision"]),
    ([secret("a//b", "a/b")], "/x", ["path_collision"]),
    ([secret("a", "ab", "b/a"), token(path="b/ab")], "/x", []),
    ([{"secret": {"name": "s", "items": [{"key": "k", "path": "."}]}}], "/x", ["path_collision"]),
]


@pytest.mark.parametrize(("sources", "path", "expected"), PROJECTIONS)
def test_what_is_seen_in_the_volume_alone(sources: list[Object], path: str, expected: list[str]) -> None:
    found = risks_of_projection(checked_volume("v", sources), path, REF)
    assert [finding.risk for finding in found] == expected
    assert all(finding.about == REF for finding in found)


def test_the_later_of_two_files_wins_and_both_are_named() -> None:
    (found,) = risks_of_projection(checked_volume("v", [token(path="a"), secret("b", "a")]))
    assert found.evidence == "sources[0] and sources[1] both write the file a, and the later one wins"


def template(
    pod: Object | None = None,
    mode: str | None = None,
    source: Object | None = None,
    more: Sequence[Object] = (),
    **users: Object,
) -> Object:
    """A template whose containers mount the volume: each with its security context."""
    mounts = [{"name": "v", "mountPath": "/v"}]
    containers = [
        {"name": name, "image": "i", "securityContext": context, "volumeMounts": mounts}
        for name, context in users.items()
    ]
    volumes = [checked_volume("v", [source or token(), *more], mode)]
    return {"containers": containers, "volumes": volumes, "securityContext": pod or {}}


ROOT, USER, OTHER = {"runAsUser": 0}, {"runAsUser": 1000}, {"runAsUser": 1001}

READERS: list[tuple[Object, list[str]]] = [
    (template(a={}), ["readable_token_file"]),
    (template(a={}, mode="0440"), ["unreadable_token_file"]),
    (template(a=ROOT, mode="0400"), []),
    (template(a=ROOT, b={}, mode="0400"), ["unreadable_token_file"]),
    (template(a=USER, b=OTHER, mode="0440"), ["unreadable_token_file", "unreadable_token_file"]),
    (template(a=USER, b=OTHER), ["readable_token_file"]),
    (template(a=USER, b=USER), []),
    (template(pod={"runAsUser": 5}, a={}, b={}), []),
    (template(pod={"runAsUser": 5}, a={}, b=USER, mode="0400"), ["unreadable_token_file"] * 2),
    # the kubelet gives the token to the one user of all, and leaves what is beside it to root
    (template(pod={"runAsUser": 5}, a={}, mode="0400"), []),
    (template(pod={"runAsUser": 5}, a={}, mode="0400", more=[secret("a")]), ["unreadable_token_file"]),
    (template(pod={"runAsUser": 5}, a={}, mode="0444", more=[secret("a")]), []),
    (template(pod={"runAsUser": 0}, a={}, mode="0400", more=[secret("a")]), []),
    (template(pod={"runAsUser": 5, "fsGroup": 7}, a={}, mode="0400", more=[secret("a")]), []),
    # a group of root's is enough, if that may read
    (template(pod={"runAsGroup": 0}, a=USER, b=OTHER, mode="0440"), []),
    (template(pod={"runAsGroup": 0}, a=USER, b=OTHER, mode="0400"), ["unreadable_token_file"] * 2),
    (template(pod={"supplementalGroups": [0]}, a=USER, b=OTHER, mode="0440"), []),
    (template(pod={"fsGroup": 7}, a=USER, b={}, mode="0400"), []),
    (template(pod={"fsGroup": 0}, a={}), []),
    (template(a={}, source=secret("a")), []),
    ({**template(a={}), "os": {"name": "windows"}}, []),
]


@pytest.mark.parametrize(("spec", "expected"), READERS)
def test_who_can_read_the_token(spec: Object, expected: list[str]) -> None:
    assert [finding.risk for finding in risks_in_template(spec, "v", REF)] == expected


@pytest.mark.parametrize(
    ("context", "words"),
    [
        ({"runAsUser": 7}, "runs as user 7"),
        ({"runAsNonRoot": True}, "does not run as root"),
        ({}, "may not run as root"),
    ],
)
def test_how_certain_it_is_that_a_token_cannot_be_read(context: Object, words: str) -> None:
    (found,) = risks_in_template(template(a=context, b=ROOT, mode="0400"), "v", REF)
    assert found.evidence == f"container a {words}, and only root can read a token with default_mode 0400"


BESIDE: list[tuple[Object, str]] = [
    (secret("a"), "only root can read a, beside the token, with mode 0400"),
    ({"secret": {"name": "s"}}, "only root can read what comes from s, beside the token, with mode 0400"),
    (
        {"config_map": {"name": "c", "items": [{"key": "k", "path": "b", "mode": "0440"}]}},
        "only root and its group can read b, beside the token, with mode 0440",
    ),
]


@pytest.mark.parametrize(("source", "said"), BESIDE)
def test_what_is_beside_the_token_is_named(source: Object, said: str) -> None:
    (found,) = risks_in_template(template(a=USER, mode="0400", more=[source]), "v", REF)
    assert found.evidence == f"container a runs as user 1000, and {said}"


def mounted(*mounts: Object) -> Object:
    spec = template(pod={"fsGroup": 1}, a={})
    spec["containers"][0]["volumeMounts"] = list(mounts)
    return spec


MOUNTS: list[tuple[list[Object], list[str]]] = [
    ([{"name": "v", "mountPath": "/v", "subPath": "token"}], ["subpath_token"]),
    ([{"name": "v", "mountPath": "/v", "subPathExpr": "$(X)"}], ["subpath_token"]),
    ([{"name": "v", "mountPath": "/v"}, {"name": "o", "mountPath": "/v/"}], ["hidden_mount"]),
    ([{"name": "o", "mountPath": "/a"}, {"name": "v", "mountPath": "/a/b"}], ["hidden_mount"]),
    ([{"name": "o", "mountPath": "//a"}, {"name": "v", "mountPath": "/a/b"}], ["hidden_mount"]),
    ([{"name": "v", "mountPath": "/a"}, {"name": "o", "mountPath": "/a/b"}], []),
    ([{"name": "v", "mountPath": "/ab"}, {"name": "o", "mountPath": "/a"}], []),
    ([{"name": "v", "mountPath": "/"}], ["hidden_mount"]),
]


@pytest.mark.parametrize(("mounts", "expected"), MOUNTS)
def test_how_it_is_mounted(mounts: list[Object], expected: list[str]) -> None:
    assert [finding.risk for finding in risks_in_template(mounted(*mounts), "v", REF)] == expected


def test_nothing_is_said_of_a_volume_that_is_not_there_or_is_none() -> None:
    assert risks_in_template({"containers": []}, "v", REF) == []
    assert risks_in_template({"containers": [], "volumes": [{"name": "v", "emptyDir": {}}]}, "v", REF) == []
