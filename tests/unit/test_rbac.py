# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Rules compared by what they grant, and read from options."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import pytest
from faults.odd import plain_text
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rbac import (
    Permission,
    Subject,
    allows,
    as_rules,
    merged,
    permissions,
    rules_from_options,
    subjects_from_options,
    uncovered,
)

Rule = Mapping[str, Sequence[str]]


def rule(groups: str, resources: str, verbs: str, names: str = "") -> Rule:
    """A rule of words; C(core) is the core group."""
    parts = {"apiGroups": groups.replace("core", "").split(" "), "resources": resources.split(), "verbs": verbs.split()}
    return {**parts, "resourceNames": names.split()} if names else parts


def urls(paths: str, verbs: str = "get") -> Rule:
    return {"nonResourceURLs": paths.split(), "verbs": verbs.split()}


# grants what is asked for without a name, and nothing that has one
EMPTY_NAME = {**rule("core", "pods", "get"), "resourceNames": [""]}
EMPTY_PATH = {"nonResourceURLs": [""], "verbs": ["get"]}

COVERS: Mapping[str, tuple[Rule, Rule, bool]] = {
    "itself": (rule("core", "pods", "get"), rule("core", "pods", "get"), True),
    "another verb": (rule("core", "pods", "get"), rule("core", "pods", "list"), False),
    "fewer verbs": (rule("core", "pods", "get list"), rule("core", "pods", "list"), True),
    "more verbs": (rule("core", "pods", "list"), rule("core", "pods", "get list"), False),
    "a verb by the star": (rule("core", "pods", "*"), rule("core", "pods", "deletecollection"), True),
    "the star verb by the star": (rule("core", "pods", "*"), rule("core", "pods", "*"), True),
    "the star verb by all of them": (
        rule("core", "pods", "get list watch create update patch delete deletecollection"),
        rule("core", "pods", "*"),
        False,
    ),
    "another group": (rule("apps", "deployments", "get"), rule("extensions", "deployments", "get"), False),
    "the core group by another": (rule("apps", "pods", "get"), rule("core", "pods", "get"), False),
    "a group by the star": (rule("*", "pods", "get"), rule("apps", "pods", "get"), True),
    "the core group by the star": (rule("*", "pods", "get"), rule("core", "pods", "get"), True),
    "the star group by many": (rule("core apps batch", "pods", "get"), rule("*", "pods", "get"), False),
    "a resource by the star": (rule("core", "*", "get"), rule("core", "pods", "get"), True),
    "a subresource by the star": (rule("core", "*", "get"), rule("core", "pods/log", "get"), True),
    "any subresource by the star": (rule("core", "*", "get"), rule("core", "*/log", "get"), True),
    "the star resource by many": (rule("core", "pods secrets", "get"), rule("core", "*", "get"), False),
    "a subresource by its resource": (rule("core", "pods", "get"), rule("core", "pods/log", "get"), False),
    "a resource by its subresource": (rule("core", "pods/log", "get"), rule("core", "pods", "get"), False),
    "a subresource of everything": (rule("core", "*/scale", "get"), rule("core", "deployments/scale", "get"), True),
    "another subresource of everything": (
        rule("core", "*/scale", "get"),
        rule("core", "deployments/status", "get"),
        False,
    ),
    "a resource by a subresource of everything": (rule("core", "*/scale", "get"), rule("core", "scale", "get"), False),
    "a star below a resource means nothing": (rule("core", "pods/*", "get"), rule("core", "pods/log", "get"), False),
    "an empty subresource of everything": (rule("core", "*/", "get"), rule("core", "pods/", "get"), True),
    "a slash by an empty name": (EMPTY_NAME, rule("core", "pods", "get", "/"), False),
    "a name by no name": (rule("core", "pods", "get"), rule("core", "pods", "get", "a"), True),
    "no name by a name": (rule("core", "pods", "get", "a"), rule("core", "pods", "get"), False),
    "the same name": (rule("core", "pods", "get", "a b"), rule("core", "pods", "get", "b"), True),
    "another name": (rule("core", "pods", "get", "a"), rule("core", "pods", "get", "b"), False),
    "a star is a name like any other": (rule("core", "pods", "get", "*"), rule("core", "pods", "get", "a"), False),
    "any name by an empty one": (EMPTY_NAME, rule("core", "pods", "get"), False),
    "a name by an empty one": (EMPTY_NAME, rule("core", "pods", "get", "a"), False),
    "an empty name by any": (rule("core", "pods", "get"), EMPTY_NAME, True),
    "the same path": (urls("/healthz"), urls("/healthz"), True),
    "another path": (urls("/healthz"), urls("/livez"), False),
    "a path below": (urls("/metrics"), urls("/metrics/cadvisor"), False),
    "a path by a prefix": (urls("/metrics/*"), urls("/metrics/cadvisor"), True),
    "the top by its prefix": (urls("/metrics/*"), urls("/metrics"), False),
    "a longer prefix": (urls("/apis/*"), urls("/apis/apps/*"), True),
    "a shorter prefix": (urls("/apis/apps/*"), urls("/apis/*"), False),
    "every path": (urls("*"), urls("/anything"), True),
    "a path by several stars": (urls("/x/**"), urls("/x/y"), True),
    "an empty path by every path": (urls("*"), EMPTY_PATH, True),
    "an empty path by all resources": (rule("*", "*", "*"), EMPTY_PATH, False),
    "a path with another verb": (urls("/healthz", "get"), urls("/healthz", "post"), False),
    "a path by all resources": (rule("*", "*", "*"), urls("/healthz"), False),
    "a resource by all paths": (urls("*", "*"), rule("core", "pods", "get"), False),
    "half here, half there, in one rule": (
        rule("core apps", "pods deployments", "get"),
        rule("apps", "deployments", "get"),
        True,
    ),
    "nothing": (rule("core", "pods", "get"), {"apiGroups": [], "resources": ["pods"], "verbs": ["get"]}, True),
}


@pytest.mark.parametrize(("owner", "candidate", "expected"), COVERS.values(), ids=COVERS)
def test_covers(owner: Rule, candidate: Rule, expected: bool) -> None:
    assert (uncovered([owner], [candidate]) == []) is expected


def test_what_is_missing_is_named_atom_by_atom() -> None:
    owner = [rule("core", "pods", "get list"), rule("core", "secrets", "get", "a")]
    candidate = [rule("core", "pods secrets", "get watch"), urls("/healthz")]
    assert as_rules(uncovered(owner, candidate)) == [
        {"nonResourceURLs": ["/healthz"], "verbs": ["get"]},
        {"apiGroups": [""], "resources": ["pods"], "verbs": ["watch"]},
        {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "watch"]},
    ]


@pytest.mark.parametrize("odd", [EMPTY_NAME, EMPTY_PATH, rule("core", "users", "get", "https://example.com#jane")])
def test_odd_names_and_paths_are_shown_as_the_api_has_them(odd: Rule) -> None:
    assert as_rules(permissions([odd])) == [odd]


def test_an_atom_in_words() -> None:
    rules: list[Rule] = [EMPTY_NAME, EMPTY_PATH, rule("apps", "deployments/scale", "get", "a")]
    words = [str(atom) for atom in sorted(permissions(rules))]
    assert words == ["get ''", "get pods ''", "get deployments.apps/scale a"]


def test_rules_together_cover_what_none_of_them_does() -> None:
    owner = [rule("core", "pods", "get"), rule("core", "pods", "list")]
    assert uncovered(owner, [rule("core", "pods", "get list")]) == []


@pytest.mark.parametrize("missing", [{}, {"rules": None}])
def test_a_role_without_rules_grants_nothing(missing: Mapping[str, Any]) -> None:
    assert permissions(missing.get("rules") or ()) == set()
    assert permissions([{"verbs": ["get"]}, {"verbs": None, "apiGroups": None, "resources": None}]) == set()


# A small world, in which what the authorizer says of every possible request can be computed.

VERBS = ("get", "list")
GROUPS = ("", "apps")
RESOURCES = ("pods", "pods/log", "jobs/log")
NAMES = ("", "a", "b")
PATHS = ("/a", "/a/b", "/c")


@dataclass(frozen=True)
class Asked:
    """A request as the authorizer sees it; a path, or a resource."""

    verb: str
    group: str = ""
    resource: str = ""
    name: str = ""
    path: str = ""


# one name more than rules can list: they never list all there are
WORLD = [Asked(*one) for one in product(VERBS, GROUPS, RESOURCES, (*NAMES, "c"))] + [
    Asked(verb, path=path) for verb, path in product(VERBS, PATHS)
]


def authorizer_allows(rules: Sequence[Rule], asked: Asked) -> bool:
    """The RBAC authorizer: one rule has to match in all respects."""
    return any(_matches(one, asked) for one in rules)


def _matches(one: Rule, asked: Asked) -> bool:
    if not {"*", asked.verb} & set(one["verbs"]):
        return False
    if asked.path:
        return any(_path_matches(url, asked.path) for url in one.get("nonResourceURLs", ()))
    whole, subresource = asked.resource.partition("/")[::2]
    resources = {"*", asked.resource, *([f"*/{subresource}"] if subresource else [])}
    names = one.get("resourceNames", ())
    return bool(
        whole
        and {"*", asked.group} & set(one.get("apiGroups", ()))
        and resources & set(one.get("resources", ()))
        and (not names or asked.name in names)
    )


def _path_matches(url: str, path: str) -> bool:
    return path == url or (url.endswith("*") and path.startswith(url.rstrip("*")))


def _some(values: Sequence[str], minimum: int = 1) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=minimum, max_size=3)


def _rules(star: Sequence[str]) -> st.SearchStrategy[list[Rule]]:
    resource_rule = st.fixed_dictionaries(
        {
            "verbs": _some([*VERBS, *star]),
            "apiGroups": _some([*GROUPS, *star]),
            "resources": _some([*RESOURCES, *star, *(f"{one}/log" for one in star)]),
        },
        optional={"resourceNames": _some(NAMES, 0)},
    )
    url_rule = st.fixed_dictionaries(
        {"verbs": _some([*VERBS, *star]), "nonResourceURLs": _some([*PATHS, *star, *(f"/a/{one}" for one in star)])}
    )
    return st.lists(resource_rule | url_rule, max_size=4)


any_rules = _rules(star=["*"])
plain_rules = _rules(star=[])


@given(any_rules, any_rules)
def test_whoever_is_covered_may_do_nothing_more(owner: list[Rule], candidate: list[Rule]) -> None:
    assume(uncovered(owner, candidate) == [])
    assert [asked for asked in WORLD if authorizer_allows(candidate, asked) > authorizer_allows(owner, asked)] == []


@given(any_rules, plain_rules)
def test_whoever_may_do_nothing_more_is_covered_unless_a_star_was_wanted(
    owner: list[Rule], candidate: list[Rule]
) -> None:
    lacking = [asked for asked in WORLD if authorizer_allows(candidate, asked) > authorizer_allows(owner, asked)]
    assert bool(uncovered(owner, candidate)) == bool(lacking)


@given(any_rules)
def test_rules_cover_themselves(rules: list[Rule]) -> None:
    assert uncovered(rules, rules) == []


@given(any_rules, any_rules)
def test_order_duplicates_and_grouping_never_matter(owner: list[Rule], candidate: list[Rule]) -> None:
    assert uncovered(_rewritten(owner), _rewritten(candidate)) == uncovered(owner, candidate)


def _rewritten(rules: list[Rule]) -> list[Rule]:
    """The same grants: backwards, with duplicates, and every other rule taken apart."""
    written: list[Rule] = []
    for number, one in enumerate(reversed(rules)):
        doubled = {key: [*reversed(values), *values] for key, values in one.items()}
        written += as_rules(permissions([one])) if number % 2 else [doubled]
    return written


@given(any_rules)
def test_a_rule_allows_what_the_authorizer_allows(rules: list[Rule]) -> None:
    for asked in WORLD:
        permission = Permission(asked.verb, asked.group, asked.resource, asked.name, asked.path)
        assert any(allows(one, permission) for one in rules) == authorizer_allows(rules, asked)


def test_the_lists_of_a_rule_may_be_null() -> None:
    assert not allows({"verbs": None, "apiGroups": None, "resources": None}, Permission("get", "", "pods"))
    assert allows({**rule("core", "pods", "get"), "resourceNames": None}, Permission("get", "", "pods", "a"))
    assert not allows({"verbs": ["get"], "nonResourceURLs": None}, Permission("get", url="/a"))


@pytest.mark.parametrize(("path", "expected"), [("/a", True), ("/a/b", True), ("/b", False)])
def test_all_stars_at_the_end_of_a_path_are_one(path: str, expected: bool) -> None:
    assert allows(urls("/a**"), Permission("get", url=path)) is expected


@given(any_rules)
def test_merged_rules_grant_the_same_and_say_nothing_twice(rules: list[Rule]) -> None:
    short = merged(rules)
    assert uncovered(short, rules) == uncovered(rules, short) == []
    atoms = permissions(short)
    assert not [one for one in atoms for two in atoms if one != two and two.covers(one) and not one.covers(two)]
    assert merged(short) == short


def test_merged_rules_are_few() -> None:
    given = [rule("core", "pods services", "get"), rule("core", "pods", "get list", "a"), rule("core", "*", "list")]
    assert merged(given) == [
        {"apiGroups": [""], "resources": ["*"], "verbs": ["list"]},
        {"apiGroups": [""], "resources": ["pods", "services"], "verbs": ["get"]},
    ]


@given(any_rules)
def test_atoms_written_as_rules_are_the_same_atoms(rules: list[Rule]) -> None:
    atoms = permissions(rules)
    assert permissions(as_rules(atoms)) == atoms


@given(any_rules, any_rules)
def test_adding_what_is_missing_leaves_nothing_missing(owner: list[Rule], candidate: list[Rule]) -> None:
    assert uncovered([*owner, *as_rules(uncovered(owner, candidate))], candidate) == []


@given(st.builds(Permission, verb=st.sampled_from(VERBS), resource=plain_text, name=plain_text))
def test_an_atom_covers_itself(atom: Permission) -> None:
    assert atom.covers(atom)


# Rules from options.

OPTIONS: Mapping[str, tuple[dict[str, Any], list[Rule]]] = {
    "core": (
        {"verbs": ["get"], "resources": ["pods", "pods/log"]},
        [{"apiGroups": [""], "resources": ["pods", "pods/log"], "verbs": ["get"]}],
    ),
    "group in the resource": (
        {"verbs": ["get"], "resources": ["deployments.apps"]},
        [{"apiGroups": ["apps"], "resources": ["deployments"], "verbs": ["get"]}],
    ),
    "group before the subresource": (
        {"verbs": ["patch"], "resources": ["deployments.apps/scale"]},
        [{"apiGroups": ["apps"], "resources": ["deployments/scale"], "verbs": ["patch"]}],
    ),
    "long group": (
        {"verbs": ["create"], "resources": ["subjectaccessreviews.authorization.k8s.io"]},
        [{"apiGroups": ["authorization.k8s.io"], "resources": ["subjectaccessreviews"], "verbs": ["create"]}],
    ),
    "several groups in one rule": (
        {"verbs": ["get", "list"], "resources": ["pods", "jobs.batch", "secrets", "cronjobs.batch/status"]},
        [
            {"apiGroups": [""], "resources": ["pods", "secrets"], "verbs": ["get", "list"]},
            {"apiGroups": ["batch"], "resources": ["jobs", "cronjobs/status"], "verbs": ["get", "list"]},
        ],
    ),
    "names go with every part": (
        {"verbs": ["get"], "resources": ["secrets", "jobs.batch"], "resource_names": ["a"]},
        [
            {"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"], "resourceNames": ["a"]},
            {"apiGroups": ["batch"], "resources": ["jobs"], "verbs": ["get"], "resourceNames": ["a"]},
        ],
    ),
    "no word of names is any name": (
        {"verbs": ["get"], "resources": ["secrets"], "resource_names": None},
        [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get"]}],
    ),
    "groups given": (
        {"verbs": ["get"], "resources": ["ingresses"], "api_groups": ["networking.k8s.io", ""]},
        [{"apiGroups": ["networking.k8s.io", ""], "resources": ["ingresses"], "verbs": ["get"]}],
    ),
    "everything": (
        {"verbs": ["*"], "resources": ["*"], "api_groups": ["*"]},
        [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    ),
    "everything, with dots": (
        {"verbs": ["*"], "resources": ["*.*"]},
        [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}],
    ),
    "a subresource of everything": (
        {"verbs": ["update"], "resources": ["*/scale"], "api_groups": ["*"]},
        [{"apiGroups": ["*"], "resources": ["*/scale"], "verbs": ["update"]}],
    ),
    "verbs of other authorizers": (
        {
            "verbs": ["use", "impersonate:user-info", "impersonate-on:user-info:list", "deleteAll"],
            "resources": ["users.authentication.k8s.io"],
        },
        [
            {
                "apiGroups": ["authentication.k8s.io"],
                "resources": ["users"],
                "verbs": ["use", "impersonate:user-info", "impersonate-on:user-info:list", "deleteAll"],
            }
        ],
    ),
    "a subresource of several parts": (
        {"verbs": ["impersonate"], "resources": ["userextras.authentication.k8s.io/acme.com/project"]},
        [
            {
                "apiGroups": ["authentication.k8s.io"],
                "resources": ["userextras/acme.com/project"],
                "verbs": ["impersonate"],
            }
        ],
    ),
    "a subresource with dots, groups given": (
        {"verbs": ["impersonate"], "resources": ["userextras/acme.com"], "api_groups": ["authentication.k8s.io"]},
        [{"apiGroups": ["authentication.k8s.io"], "resources": ["userextras/acme.com"], "verbs": ["impersonate"]}],
    ),
    "metrics": (
        {
            "verbs": ["get"],
            "resources": ["pods/Http_requests", "queue_length"],
            "api_groups": ["custom.metrics.k8s.io"],
        },
        [
            {
                "apiGroups": ["custom.metrics.k8s.io"],
                "resources": ["pods/Http_requests", "queue_length"],
                "verbs": ["get"],
            }
        ],
    ),
    "paths": (
        {"verbs": ["get"], "non_resource_urls": ["/healthz", "/metrics/*", "*"]},
        [{"nonResourceURLs": ["/healthz", "/metrics/*", "*"], "verbs": ["get"]}],
    ),
}


@pytest.mark.parametrize(("option", "expected"), OPTIONS.values(), ids=OPTIONS)
def test_a_rule_from_options(option: dict[str, Any], expected: list[Rule]) -> None:
    assert rules_from_options([option], cluster_wide=True) == expected


REFUSED: Mapping[str, tuple[dict[str, Any], str]] = {
    "no verbs": ({"resources": ["pods"]}, "rules[0].verbs is empty"),
    "empty verbs": ({"resources": ["pods"], "verbs": []}, "rules[0].verbs is empty"),
    "no resources": ({"verbs": ["get"]}, "rules[0].resources is empty"),
    "a verb in capitals": ({"resources": ["pods"], "verbs": ["GET"]}, "rules[0].verbs: 'GET' is not a verb"),
    "a verb with a line end": ({"resources": ["pods"], "verbs": ["get\n"]}, r"rules[0].verbs: 'get\n' is not a verb"),
    "two verbs in one": ({"resources": ["pods"], "verbs": ["get,list"]}, "'get,list' is not a verb"),
    "an empty verb": ({"resources": ["pods"], "verbs": [""]}, "'' is not a verb"),
    "a kind": ({"resources": ["Pod"], "verbs": ["get"]}, "rules[0].resources: 'Pod' is not a resource"),
    "an empty resource": ({"resources": [""], "verbs": ["get"]}, "'' is not a resource"),
    "a resource with a line end": ({"resources": ["pods\n"], "verbs": ["get"]}, r"'pods\n' is not a resource"),
    "a group and version": ({"resources": ["apps/v1/deployments"], "verbs": ["get"]}, "is not a resource"),
    "an empty subresource": ({"resources": ["pods/"], "verbs": ["get"]}, "'pods/' is not a resource"),
    "an empty part of a subresource": ({"resources": ["a//b"], "verbs": ["get"]}, "'a//b' is not a resource"),
    "a subresource of nothing": ({"resources": ["/log"], "verbs": ["get"]}, "'/log' is not a resource"),
    "an empty group": ({"resources": ["deployments."], "verbs": ["get"]}, "'deployments.' is not a resource"),
    "a group that ends in a dot": ({"resources": ["deployments.apps."], "verbs": ["get"]}, "is not a resource"),
    "an empty part of a group": ({"resources": ["a.b..c"], "verbs": ["get"]}, "'a.b..c' is not a resource"),
    "an empty part of a given group": (
        {"resources": ["a"], "verbs": ["get"], "api_groups": ["b..c"]},
        "'b..c' is not an API group",
    ),
    "half a star": ({"resources": ["pods*"], "verbs": ["get"]}, "'pods*' is not a resource"),
    "half a star in a group": ({"resources": ["pods.*x"], "verbs": ["get"]}, "'pods.*x' is not a resource"),
    "half a star in a verb": ({"resources": ["pods"], "verbs": ["get*"]}, "'get*' is not a verb"),
    "a hidden character": ({"resources": ["po\u200bds"], "verbs": ["get"]}, "is not a resource"),
    "half a character": ({"resources": ["pods"], "verbs": ["g\ud800t"]}, "is not a verb"),
    "two resources in one": ({"resources": ["pods,secrets"], "verbs": ["get"]}, "'pods,secrets' is not a resource"),
    "no groups": (
        {"resources": ["pods"], "verbs": ["get"], "api_groups": []},
        "rules[0].api_groups is empty",
    ),
    "no names": (
        {"resources": ["secrets"], "verbs": ["get"], "resource_names": []},
        "rules[0].resource_names is empty or holds an empty name: leave it out to grant every object",
    ),
    "an empty name": (
        {"resources": ["secrets"], "verbs": ["get"], "resource_names": ["a", ""]},
        "rules[0].resource_names is empty or holds an empty name",
    ),
    "a group with its version": (
        {"resources": ["jobs"], "verbs": ["get"], "api_groups": ["batch/v1"]},
        "rules[0].api_groups: 'batch/v1' names a version: write the group alone: batch",
    ),
    "the core group by its nickname": (
        {"resources": ["pods"], "verbs": ["get"], "api_groups": ["core"]},
        "rules[0].api_groups: there is no group 'core': the core group is written \"\"",
    ),
    "the core group by its version": (
        {"resources": ["pods"], "verbs": ["get"], "api_groups": ["v1"]},
        "rules[0].api_groups: there is no group 'v1'",
    ),
    "a group in capitals": (
        {"resources": ["jobs"], "verbs": ["get"], "api_groups": ["Batch"]},
        "'Batch' is not an API group",
    ),
    "two groups for one resource": (
        {"resources": ["jobs.batch"], "verbs": ["get"], "api_groups": ["batch"]},
        "rules[0].resources: 'jobs.batch' names its API group although api_groups is given",
    ),
    "paths and resources": (
        {"verbs": ["get"], "resources": ["pods"], "non_resource_urls": ["/healthz"]},
        "rules[0]: resources and non_resource_urls exclude each other",
    ),
    "paths and groups": (
        {"verbs": ["get"], "api_groups": [""], "non_resource_urls": ["/healthz"]},
        "rules[0]: api_groups and non_resource_urls exclude each other: write two rules",
    ),
    "paths and names": (
        {"verbs": ["get"], "resource_names": ["a"], "non_resource_urls": ["/healthz"]},
        "rules[0]: resource_names and non_resource_urls exclude each other: write two rules",
    ),
    "a relative path": (
        {"verbs": ["get"], "non_resource_urls": ["healthz"]},
        "rules[0].non_resource_urls: 'healthz' is not a path",
    ),
}


@pytest.mark.parametrize(("option", "message"), REFUSED.values(), ids=REFUSED)
def test_a_rule_that_cannot_be_right_is_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as caught:
        rules_from_options([option], cluster_wide=True)
    assert message in str(caught.value)
    assert caught.value.hint


def test_a_refused_rule_is_named_by_its_number() -> None:
    good = {"verbs": ["get"], "resources": ["pods"]}
    with pytest.raises(InputError, match=r"^rules\[2\]\.verbs is empty: the rule would grant nothing: name at least"):
        rules_from_options([good, good, {"resources": ["pods"]}], cluster_wide=False)


def test_paths_belong_to_no_namespace() -> None:
    with pytest.raises(InputError, match="non_resource_urls belong to no namespace: use them with cluster_wide"):
        rules_from_options([{"verbs": ["get"], "non_resource_urls": ["/healthz"]}], cluster_wide=False)


# Subjects.

ACCOUNT = Subject("ServiceAccount", "ci", "deployer")


def test_the_ways_to_name_a_service_account_are_one() -> None:
    full = {"kind": "ServiceAccount", "name": "deployer", "namespace": "ci"}
    assert subjects_from_options(["deployer", "ci/deployer"], [full, {**full, "namespace": None}], "ci") == (ACCOUNT,)


def test_a_live_account_without_namespace_is_one_of_the_bindings() -> None:
    assert Subject.from_api({"kind": "ServiceAccount", "name": "deployer"}, "ci") == ACCOUNT
    assert Subject.from_api(ACCOUNT.to_api(), "elsewhere") == ACCOUNT


@pytest.mark.parametrize("kind", ["User", "Group"])
def test_users_and_groups_have_the_api_group_and_no_namespace(kind: str) -> None:
    subjects = subjects_from_options(None, [{"kind": kind, "name": "oidc:Jane Doe"}], "ci")
    assert subjects == (Subject(kind, "", "oidc:Jane Doe"),)
    api = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": "oidc:Jane Doe"}
    assert subjects[0].to_api() == api
    assert Subject.from_api({**api, "namespace": "ignored"}, "ci") == subjects[0]


def test_no_subjects_are_something_else_than_none_given() -> None:
    assert subjects_from_options(None, None, "ci") is None
    assert subjects_from_options([], None, "ci") == ()
    assert subjects_from_options(None, [], "ci") == ()


@pytest.mark.parametrize(
    ("accounts", "subjects", "namespace", "message"),
    [
        (["deployer"], None, "", "service_accounts[0]: 'deployer' names no namespace"),
        (["ci/Deployer"], None, "", "service_accounts[0]: 'Deployer' is not a valid name"),
        (["a/b/c"], None, "", "service_accounts[0]: 'a/b' is not a valid namespace name"),
        (["/deployer"], None, "ci", "service_accounts[0] is missing"),
        (None, [{"kind": "User"}], "ci", "subjects[0]: kind and name are needed"),
        (None, [{"name": "jane"}], "ci", "subjects[0]: kind and name are needed"),
        (None, [{"kind": "User", "name": "jane", "namespace": "ci"}], "ci", "subjects[0]: a User has no namespace"),
        (None, [{"kind": "ServiceAccount", "name": "a"}], "", "needs its namespace in a cluster-wide grant"),
        (None, [{"kind": "ServiceAccount", "name": "a", "namespace": "B"}], "", "subjects[0].namespace: 'B'"),
        (None, [{"kind": "ServiceAccount", "name": "A"}], "ci", "subjects[0].name: 'A' is not a valid name"),
    ],
)
def test_a_subject_that_cannot_be_right_is_refused(
    accounts: list[str] | None, subjects: list[dict[str, Any]] | None, namespace: str, message: str
) -> None:
    with pytest.raises(InputError) as caught:
        subjects_from_options(accounts, subjects, namespace)
    assert message in str(caught.value)
