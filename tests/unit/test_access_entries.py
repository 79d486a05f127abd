# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What somebody may do, as it is written."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._access_entries import (
    ANYWHERE,
    EVERYWHERE,
    Entry,
    entries_of,
    entry_of,
)
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._errors import InputError
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._rbac import Permission
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._scopes import CLUSTER_SCOPED


def read(given: object, own: str | None = "ci") -> Entry:
    return entry_of(given, "can[0]", own)


SCALE = Permission("get", "apps", "deployments/scale", "web")

# what is written, what it means, and how it is told
FORMS: Mapping[str, tuple[object, Entry, str]] = {
    "own namespace": ("get pods", Entry(Permission("get", "", "pods"), "ci"), "get pods in ci"),
    "another namespace": ("get pods in prod", Entry(Permission("get", "", "pods"), "prod"), "get pods in prod"),
    "everywhere": (
        "get pods in all namespaces",
        Entry(Permission("get", "", "pods"), EVERYWHERE),
        "get pods in all namespaces",
    ),
    "anywhere": (
        "get pods in any namespace",
        Entry(Permission("get", "", "pods"), ANYWHERE),
        "get pods in any namespace",
    ),
    "a namespace called any": ("get pods in any", Entry(Permission("get", "", "pods"), "any"), "get pods in any"),
    "a subresource": ("get pods/log", Entry(Permission("get", "", "pods/log"), "ci"), "get pods/log in ci"),
    "all of it": (
        "get deployments.apps/scale named web in prod",
        Entry(SCALE, "prod"),
        "get deployments.apps/scale named web in prod",
    ),
    "more spaces": ("  get   pods\n in prod ", Entry(Permission("get", "", "pods"), "prod"), "get pods in prod"),
    "what is called in": (
        "get secrets named in in in",
        Entry(Permission("get", "", "secrets", "in"), "in"),
        "get secrets named in in in",
    ),
    "what is called named": (
        "get secrets named named",
        Entry(Permission("get", "", "secrets", "named"), "ci"),
        "get secrets named named in ci",
    ),
    "a path": ("get /healthz", Entry(Permission("get", url="/healthz")), "get /healthz"),
    "no namespace": ("list nodes", Entry(Permission("list", "", "nodes")), "list nodes"),
    "nodes of somebody else": (
        "list nodes.example.com",
        Entry(Permission("list", "example.com", "nodes"), "ci"),
        "list nodes.example.com in ci",
    ),
    "nodes in all namespaces": ("list nodes in all namespaces", Entry(Permission("list", "", "nodes")), "list nodes"),
    "a namespace is in itself": (
        "get namespaces named prod",
        Entry(Permission("get", "", "namespaces", "prod"), "prod"),
        "get namespaces named prod",
    ),
    "everything": ("* *.*", Entry(Permission("*", "*", "*"), "ci"), "* *.* in ci"),
    "a token": (
        "create serviceaccounts/token named app",
        Entry(Permission("create", "", "serviceaccounts/token", "app"), "ci"),
        "create serviceaccounts/token named app in ci",
    ),
    "a mapping": ({"verb": "get", "resource": "pods"}, Entry(Permission("get", "", "pods"), "ci"), "get pods in ci"),
    "a mapping with all keys": (
        {
            "verb": "get",
            "resource": "deployments",
            "group": "apps",
            "subresource": "scale",
            "name": "web",
            "namespace": "prod",
        },
        Entry(SCALE, "prod"),
        "get deployments.apps/scale named web in prod",
    ),
    "a mapping as in a text": (
        {"verb": "get", "resource": "deployments.apps/scale", "name": "web", "namespace": None},
        Entry(SCALE, "ci"),
        "get deployments.apps/scale named web in ci",
    ),
    "the core group": (
        {"verb": "get", "resource": "pods", "group": "", "subresource": "log"},
        Entry(Permission("get", "", "pods/log"), "ci"),
        "get pods/log in ci",
    ),
    "a subresource of the group of a text": (
        {"verb": "get", "resource": "deployments/scale", "group": "apps"},
        Entry(Permission("get", "apps", "deployments/scale"), "ci"),
        "get deployments.apps/scale in ci",
    ),
    "everywhere as the API says it": (
        {"verb": "get", "resource": "pods", "namespace": ""},
        Entry(Permission("get", "", "pods"), EVERYWHERE),
        "get pods in all namespaces",
    ),
    "anywhere in a mapping": (
        {"verb": "get", "resource": "pods", "namespace": "any namespace"},
        Entry(Permission("get", "", "pods"), ANYWHERE),
        "get pods in any namespace",
    ),
    "a number for a name": (
        {"verb": "get", "resource": "pods", "name": 7},
        Entry(Permission("get", "", "pods", "7"), "ci"),
        "get pods named 7 in ci",
    ),
    "a path in a mapping": (
        {"verb": "get", "url": "/healthz"},
        Entry(Permission("get", url="/healthz")),
        "get /healthz",
    ),
}


@pytest.mark.parametrize(("written", "expected", "told"), FORMS.values(), ids=FORMS)
def test_an_entry_is_read_and_told(written: object, expected: Entry, told: str) -> None:
    assert read(written) == expected
    assert str(expected) == told
    assert read(told) == expected


REFUSED: Mapping[str, tuple[object, str]] = {
    "nothing": ("", "can[0]: '' is not verb and resource: write VERB RESOURCE"),
    "a verb alone": ("get", "can[0]: 'get' is not verb and resource"),
    "the other way round": ("pods GET", "can[0]: 'GET' is not a resource"),
    "a verb in capitals": ("GET pods", "can[0]: 'GET' is not a verb"),
    "two verbs": ("get,list pods", "'get,list' is not a verb"),
    "a kind": ("get Pod", "'Pod' is not a resource"),
    "a group and version": ("get apps/v1/deployments", "is not a resource"),
    "a name without its word": ("get pods web", "'web' in 'get pods web' cannot be understood: write VERB"),
    "named nothing": ("get pods named", "'named' in 'get pods named' cannot be understood"),
    "in nothing": ("get pods in", "'in' in 'get pods in' cannot be understood"),
    "in two": ("get pods in a b", "'in a b' in 'get pods in a b' cannot be understood"),
    "the wrong order": ("get pods in a named b", "cannot be understood"),
    "a namespace that cannot be": ("get pods in Prod", "can[0]: 'Prod' is not a valid namespace name"),
    "a path in a namespace": ("get /healthz in ci", "can[0]: a path has no namespace"),
    "a path with a name": ("get /healthz named a", "can[0]: a path has no name"),
    "nodes in a namespace": ("get nodes in ci", "can[0]: nodes are in no namespace: leave out 'ci'"),
    "nodes in any namespace": ("get nodes in any namespace", "can[0]: nodes are in no namespace"),
    "a new object by name": ("create secrets named a", "create secrets cannot be allowed by name: leave the name out"),
    "a number": (7, "can[0] is a number, neither a text nor a mapping"),
    "a list": (["get", "pods"], "can[0] is a list, neither a text nor a mapping"),
    "an unknown key": ({"verb": "get", "resourc": "pods"}, "can[0]: resourc is unknown here: did you mean resource?"),
    "no verb": ({"resource": "pods"}, "can[0]: an entry has a verb and either a resource or a url"),
    "no resource": ({"verb": "get"}, "an entry has a verb and either a resource or a url"),
    "both": ({"verb": "get", "resource": "pods", "url": "/a"}, "an entry has a verb and either a resource or a url"),
    "many verbs": ({"verb": ["get", "list"], "resource": "pods"}, "can[0].verb is a list, not a text"),
    "a yes": ({"verb": True, "resource": "pods"}, "can[0].verb is a truth value, not a text"),
    "the group twice": ({"verb": "get", "resource": "jobs.batch", "group": "batch"}, "group or subresource is said"),
    "the subresource twice": (
        {"verb": "get", "resource": "pods/log", "subresource": "log"},
        "said twice, or of a path",
    ),
    "the group of a path": ({"verb": "get", "url": "/a", "group": "apps"}, "said twice, or of a path"),
    "a relative path": ({"verb": "get", "url": "healthz"}, "can[0]: 'healthz' is not a path"),
    "a path with a space": ({"verb": "get", "url": "/a b"}, "can[0]: '/a b' is not a path"),
}


@pytest.mark.parametrize(("written", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_meant_is_refused(written: object, message: str) -> None:
    with pytest.raises(InputError) as caught:
        read(written)
    assert message in str(caught.value)
    assert caught.value.hint


def test_without_a_namespace_of_its_own_it_has_to_say_one() -> None:
    with pytest.raises(InputError, match="it says no namespace: add in NAMESPACE"):
        read("get pods", None)
    assert read("get nodes", None) == Entry(Permission("get", "", "nodes"))
    assert read("get pods in ci", None).namespace == "ci"


def test_the_same_twice_is_one_and_a_mistake_is_named_by_its_number() -> None:
    assert len(entries_of(["get pods", {"verb": "get", "resource": "pods"}, "get pods in ci"], "can", "ci")) == 1
    assert entries_of(None, "can", "ci") == ()
    with pytest.raises(InputError, match=r"^who_can\[1\]: 'get' is not"):
        entries_of(["get pods", "get"], "who_can", "ci")


ATTRIBUTES: Mapping[str, Any] = {
    "get /healthz": {"nonResourceAttributes": {"verb": "get", "path": "/healthz"}},
    "list nodes": {"resourceAttributes": {"verb": "list", "group": "", "resource": "nodes"}},
    "get deployments.apps/scale named web in prod": {
        "resourceAttributes": {
            "verb": "get",
            "group": "apps",
            "resource": "deployments",
            "subresource": "scale",
            "name": "web",
            "namespace": "prod",
        }
    },
    "impersonate userextras.authentication.k8s.io/acme.com/project named a": {
        "resourceAttributes": {
            "verb": "impersonate",
            "group": "authentication.k8s.io",
            "resource": "userextras",
            "subresource": "acme.com/project",
            "name": "a",
        }
    },
}


@pytest.mark.parametrize("written", ATTRIBUTES)
def test_the_attributes_of_a_review(written: str) -> None:
    assert read(written).attributes() == ATTRIBUTES[written]


# none of them a version (v1), which is taken for the slip of writing one
words = st.from_regex(r"[a-u]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


@given(words, words, words, st.sampled_from(["", "apps", "a.example.com"]), st.booleans())
def test_what_is_told_is_read_as_the_same(verb: str, plural: str, name: str, group: str, inner: bool) -> None:
    assume(group or plural not in CLUSTER_SCOPED[""])
    written = {"verb": verb, "resource": plural, "group": group, "namespace": "prod"}
    written |= {"subresource": name} if inner or verb == "create" else {"name": name}
    entry = read(written)
    assert read(str(entry)) == entry
