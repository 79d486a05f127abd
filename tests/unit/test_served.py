# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Discovery documents, in the words of real API servers, read as what is served."""

from __future__ import annotations

from typing import Any

from faults.odd import plain_text
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._served import (
    Group,
    Resource,
    Served,
    from_aggregated,
    from_plain,
    group_versions,
    is_aggregated,
)

POD = {
    "resource": "pods",
    "responseKind": {"group": "", "version": "", "kind": "Pod"},
    "scope": "Namespaced",
    "singularResource": "pod",
    "shortNames": ["po"],
    "verbs": ["get", "list"],
    "subresources": [{"subresource": "log", "verbs": ["get"]}],
}
NODE = {"resource": "nodes", "scope": "Cluster", "singularResource": "node", "verbs": ["get"]}
EMPTY_KIND = {"kind": "APIGroupDiscoveryList", "apiVersion": "apidiscovery.k8s.io/v2", "metadata": {}}


def aggregated(*items: Any) -> dict[str, Any]:
    return {**EMPTY_KIND, "items": list(items)}


def item(name: str, *versions: Any) -> dict[str, Any]:
    return {"metadata": {"name": name} if name else {}, "versions": list(versions)}


def version(*resources: Any, freshness: str = "Current") -> dict[str, Any]:
    return {"version": "v1", "resources": list(resources), "freshness": freshness}


def test_an_aggregated_document() -> None:
    document = aggregated(item("", version(POD, NODE)))
    assert is_aggregated(document)
    pods = {
        "pods": Resource(frozenset({"get", "list"}), namespaced=True),
        "pods/log": Resource(frozenset({"get"}), namespaced=True),
        "nodes": Resource(frozenset({"get"}), namespaced=False),
    }
    aliases = {"pod": "pods", "po": "pods", "node": "nodes"}
    assert from_aggregated(document) == Served({"": Group(pods, aliases, complete=True)})


def test_the_versions_of_a_group_together() -> None:
    newer = {**POD, "verbs": ["watch"], "subresources": [{"subresource": "exec", "verbs": ["create"]}]}
    served = from_aggregated(aggregated(item("apps", version(POD), version(newer))))
    resources = served.groups["apps"].resources
    assert resources.keys() == {"pods", "pods/log", "pods/exec"}
    assert resources["pods"].verbs == {"get", "list", "watch"}
    assert served.verbs == {"get", "list", "watch", "create"}


def test_an_api_that_does_not_answer_is_not_known_completely() -> None:
    # the answer of a 1.36 for an APIService whose Service is missing has no resources at all
    stale = {"version": "v1", "freshness": "Stale"}
    served = from_aggregated(
        aggregated(
            item("down.example.com", stale),
            item("half.example.com", version(POD), version(freshness="Stale")),
            item("new.example.com"),
            item("good.example.com", version(POD)),
        )
    )
    complete = {name: group.complete for name, group in served.groups.items()}
    assert complete == {
        "down.example.com": False,
        "half.example.com": False,
        "new.example.com": False,
        "good.example.com": True,
    }


def test_what_has_nothing_but_subresources_is_not_asked_for_itself() -> None:
    bare = {"resource": "services", "scope": "Namespaced", "verbs": None, "subresources": POD["subresources"]}
    assert from_aggregated(aggregated(item("", version(bare)))).groups[""].resources.keys() == {"services/log"}


PLAIN_APPS = {
    "kind": "APIResourceList",
    "groupVersion": "apps/v1",
    "resources": [
        {
            "name": "deployments",
            "singularName": "deployment",
            "namespaced": True,
            "kind": "Deployment",
            "verbs": ["get", "list"],
            "shortNames": ["deploy"],
        },
        # the group and version of an entry are those of its kind
        {
            "name": "deployments/scale",
            "singularName": "",
            "namespaced": True,
            "group": "autoscaling",
            "version": "v1",
            "kind": "Scale",
            "verbs": ["get"],
        },
    ],
}


def test_plain_documents() -> None:
    served = from_plain({"v1": {"kind": "APIResourceList", "resources": None}, "apps/v1": PLAIN_APPS, "down/v1": None})
    assert served.groups == {
        "": Group({}, {}, complete=True),
        "apps": Group(
            {
                "deployments": Resource(frozenset({"get", "list"}), namespaced=True),
                "deployments/scale": Resource(frozenset({"get"}), namespaced=True),
            },
            {"deployment": "deployments", "deploy": "deployments"},
        ),
        "down": Group({}, {}, complete=False),
    }


def test_the_versions_that_plain_documents_name() -> None:
    core = {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []}
    groups = {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [
            {"name": "apps", "versions": [{"groupVersion": "apps/v1", "version": "v1"}]},
            {"name": "autoscaling", "versions": [{"groupVersion": f"autoscaling/{one}"} for one in ("v2", "v1")]},
        ],
    }
    assert group_versions(core) == ["v1"]
    assert group_versions(groups) == ["apps/v1", "autoscaling/v2", "autoscaling/v1"]
    assert group_versions({"kind": "Status", "status": "Success"}) is None


names = st.text("abcdefgh", min_size=1, max_size=5)
worlds = st.dictionaries(
    names | st.just(""),
    st.dictionaries(
        names,
        st.tuples(st.lists(plain_text, min_size=1), st.booleans(), st.dictionaries(names, st.lists(plain_text))),
        max_size=4,
    ),
    max_size=4,
)


@given(worlds)
def test_both_forms_tell_the_same(world: Any) -> None:
    """Subresources are listed below their resource in one form and beside it in the other."""
    together = [
        item(
            group,
            version(
                *(
                    {
                        "resource": plural,
                        "scope": "Namespaced" if namespaced else "Cluster",
                        "singularResource": f"one-{plural}",
                        "verbs": verbs,
                        "subresources": [{"subresource": sub, "verbs": own} for sub, own in below.items()],
                    }
                    for plural, (verbs, namespaced, below) in resources.items()
                )
            ),
        )
        for group, resources in world.items()
    ]
    apart = {
        f"{group}/v1" if group else "v1": {
            "resources": [
                entry
                for plural, (verbs, namespaced, below) in resources.items()
                for entry in (
                    {"name": plural, "singularName": f"one-{plural}", "namespaced": namespaced, "verbs": verbs},
                    *({"name": f"{plural}/{s}", "namespaced": namespaced, "verbs": own} for s, own in below.items()),
                )
            ]
        }
        for group, resources in world.items()
    }
    assert from_aggregated(aggregated(*together)) == from_plain(apart)
