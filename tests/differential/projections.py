# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Projected volumes by chance, as options and, translated in another way than ours, as the API spells them.

About half of the sources have one mistake: values at and beyond every bound, paths that clash, fields that exclude each
other or are missing.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

Object: TypeAlias = dict[str, Any]

_KINDS = {
    "token": "serviceAccountToken",
    "config_map": "configMap",
    "secret": "secret",
    "downward_api": "downwardAPI",
    "cluster_trust_bundle": "clusterTrustBundle",
    "pod_certificate": "podCertificate",
}

_GOOD_PATHS = ("token", "ca.crt", "a", "a/b", "b", "namespace", "./a", "a//b", "deep/er/file", "a...b")
_BAD_PATHS = ("/etc/passwd", "../up", "a/../b", "..", "..data", "", "a/..")
_GOOD_NAMES = ("kube-root-ca.crt", "settings", "a.b-c")
_LONG = "a" * 254
_BAD_NAMES = ("", "Bad_Name", _LONG, "a/b")
_LIFETIMES = (600, 3600, 3607, 86400, 86401, 2**32)
_BAD_LIFETIMES = (0, 1, 599, 2**32 + 1, 2**40)
_GOOD_SIGNERS = ("example.com/signer", "kubernetes.io/kube-apiserver-serving", "a.b.c/d.e", "x.kubernetes.io/s")
_BAD_SIGNERS = (
    "",
    "example",
    "example.com",
    "nodot/signer",
    "example.com/a/b",
    "Example.com/a",
    "example.com/A",
    "a..b/c",
)
_BUNDLES = ("bundle", "example.com:signer:bundle", "a.b")
_BAD_BUNDLES = ("", "Bundle", "example.com/signer:bundle", "example.com:signer:", ":x", _LONG)
_FIELDS = (
    "metadata.name", "metadata.namespace", "metadata.uid", "metadata.labels", "metadata.annotations",
    "metadata.labels['app']", "metadata.annotations['example.com/Key']", "metadata.labels['example.com/a']",
)  # fmt: skip
_BAD_FIELDS = (
    "", "spec.nodeName", "status.podIP", "metadata.creationTimestamp", "metadata.name['a']", "metadata.labels['']",
    "metadata.labels['a b']", "metadata.labels['Example.com/a']", "metadata.labels[app]", "['a']",
)  # fmt: skip
_RESOURCES = ("limits.cpu", "requests.memory", "limits.ephemeral-storage", "limits.hugepages-2Mi")
_BAD_RESOURCES = ("", "cpu", "limits.gpu", "limits.hugepages")
_DIVISORS = {"limits.cpu": ("1m", "1", "0"), "": ("1", "1Mi", "1G", "0")}
_BAD_DIVISORS = ("2", "5Mi", "1n", "10m")
_BAD_MODES = (0o1000, 512, -1, 2**31)


@dataclass(frozen=True)
class Case:
    """One volume.

    Attributes:
        sources: as the option takes them.
        default_mode: likewise.
        api: the same as the API spells it, mistakes included.
    """

    sources: list[Object]
    default_mode: int | None
    api: Object


class Projections:
    """Volumes by chance."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311 - cases of a test, no secret
        self._makers: dict[str, Callable[[bool], Object]] = {
            "token": self._token,
            "config_map": self._of_object,
            "secret": self._of_object,
            "downward_api": self._downward,
            "cluster_trust_bundle": self._bundle,
            "pod_certificate": self._certificate,
        }

    def cases(self, count: int) -> Iterator[Case]:
        """So many; in half of them one source has a mistake."""
        for dummy in range(count):
            yield self._case()

    def _case(self) -> Case:
        length = self._chance.randint(1, 4)
        wrong = self._chance.randrange(length) if self._happens(0.5) else -1
        sources = [self._source(is_wrong=index == wrong) for index in range(length)]
        mode = self._chance.choice((None, None, 0o400, 0o644, 0, 0o777, *_BAD_MODES[: self._happens(0.1)]))
        return Case([self._written(source) for source in sources], mode, _as_api(sources, mode))

    def _source(self, *, is_wrong: bool) -> Object:
        kind = self._chance.choice(list(self._makers))
        return {kind: self._makers[kind](is_wrong)}

    def _written(self, source: Object) -> Object:
        """Most as typed options, some as they are in the API."""
        return {"raw": _translated(source)} if self._happens(0.2) else source

    # Each kind; the bool says whether it is to have a mistake

    def _token(self, wrong: bool) -> Object:
        mistakes: Sequence[Object] = (
            {"path": self._chance.choice(_BAD_PATHS)},
            {"expiration_seconds": self._chance.choice(_BAD_LIFETIMES)},
        )
        token: Object = {"path": self._path()}
        if self._happens(0.6):
            token["expiration_seconds"] = self._chance.choice(_LIFETIMES)
        if self._happens(0.4):
            token["audience"] = self._chance.choice(("vault", "https://kubernetes.default.svc", "", "ä ö"))
        return {**token, **(self._chance.choice(mistakes) if wrong else {})}

    def _of_object(self, wrong: bool) -> Object:
        source: Object = {"name": self._chance.choice(_GOOD_NAMES)}
        if self._happens(0.7):
            source["items"] = [self._item() for dummy in range(self._chance.randint(0, 2))]
        if self._happens(0.3):
            source["optional"] = self._happens(0.5)
        if wrong and self._happens(0.3):
            return {**source, "name": self._chance.choice(_BAD_NAMES)}
        if wrong:
            return {**source, "items": [self._wrong_item({"key": "k", "path": self._path()}, [{"key": ""}])]}
        return source

    def _item(self) -> Object:
        item: Object = {"key": self._chance.choice(("ca.crt", "k", "odd key/")), "path": self._path()}
        return {**item, "mode": self._chance.choice((0, 0o400, 0o777))} if self._happens(0.3) else item

    def _wrong_item(self, item: Object, mistakes: Sequence[Object]) -> Object:
        common: Sequence[Object] = (
            {"path": self._chance.choice(_BAD_PATHS)},
            {"mode": self._chance.choice(_BAD_MODES)},
        )
        return {**item, **self._chance.choice((*common, *mistakes))}

    def _downward(self, wrong: bool) -> Object:
        items = [self._downward_item() for dummy in range(self._chance.randint(1, 2))]
        if not wrong:
            return {"items": items}
        field = {"field_ref": {"field_path": self._chance.choice(_BAD_FIELDS)}, "resource_field_ref": None}
        version = {"field_ref": {"field_path": "metadata.name", "api_version": "v2"}, "resource_field_ref": None}
        both = {"field_ref": {"field_path": "metadata.name"}, "resource_field_ref": self._resource()}
        neither = {"field_ref": None, "resource_field_ref": None}
        resource = {"field_ref": None, "resource_field_ref": self._wrong_resource()}
        mistakes = (field, field, version, both, neither, resource, resource)
        return {"items": [*items[1:], self._wrong_item(items[0], mistakes)]} if self._happens(0.95) else {"items": []}

    def _downward_item(self) -> Object:
        item: Object = {"path": self._path()}
        if self._happens(0.6):
            return {**item, "field_ref": {"field_path": self._chance.choice(_FIELDS)}}
        return {**item, "resource_field_ref": self._resource()}

    def _resource(self) -> Object:
        name = self._chance.choice(_RESOURCES)
        found: Object = {"container_name": "app", "resource": name}
        divisors = _DIVISORS.get(name, _DIVISORS[""])
        return {**found, "divisor": self._chance.choice(divisors)} if self._happens(0.5) else found

    def _wrong_resource(self) -> Object:
        mistakes: Sequence[Object] = (
            {"container_name": ""},
            {"resource": self._chance.choice(_BAD_RESOURCES)},
            {"divisor": self._chance.choice(_BAD_DIVISORS)},
        )
        return {**self._resource(), **self._chance.choice(mistakes)}

    def _bundle(self, wrong: bool) -> Object:
        own: Object = {"path": self._path(), "name": self._chance.choice(_BUNDLES)}
        of_signer: Object = {"path": self._path(), "signer_name": self._chance.choice(_GOOD_SIGNERS)}
        if self._happens(0.6):
            of_signer["label_selector"] = self._chance.choice(({}, {"match_labels": {"a": "b"}}, self._expressions()))
        if self._happens(0.3):
            own["optional"] = of_signer["optional"] = True
        if not wrong:
            return self._chance.choice((own, of_signer))
        return self._chance.choice(
            (
                {**own, **of_signer},
                {"path": self._path()},
                {**own, "label_selector": {}},
                {**own, "name": self._chance.choice(_BAD_BUNDLES)},
                {**of_signer, "signer_name": self._chance.choice(_BAD_SIGNERS)},
                {**own, "path": self._chance.choice(_BAD_PATHS)},
                {**of_signer, "label_selector": self._wrong_selector()},
            )
        )

    def _expressions(self) -> Object:
        operator = self._chance.choice(("In", "NotIn", "Exists", "DoesNotExist"))
        values = ["a", "B_c.d"] if operator in ("In", "NotIn") else []
        return {"match_expressions": [{"key": "example.com/key", "operator": operator, "values": values}]}

    def _wrong_selector(self) -> Object:
        one: Object = {"key": "k", "operator": "In", "values": ["a"]}
        wrong: Sequence[Object] = (
            *({"values": []}, {"operator": "Exists"}, {"operator": "Is"}),
            *({"key": "a b"}, {"values": ["a b"]}),
        )
        labels = ({"a b": "x"}, {"a": "b c"}, {"": "x"}, {"a": "x" * 64})
        if self._happens(0.5):
            return {"match_labels": self._chance.choice(labels)}
        return {"match_expressions": [{**one, **self._chance.choice(wrong)}]}

    def _certificate(self, wrong: bool) -> Object:
        signer = self._chance.choice(_GOOD_SIGNERS)
        source: Object = {
            "signer_name": signer,
            "key_type": self._chance.choice(("ED25519", "RSA3072", "ECDSAP256")),
            self._chance.choice(("credential_bundle_path", "key_path", "certificate_chain_path")): self._path(),
        }
        if self._happens(0.5):
            source["max_expiration_seconds"] = self._chance.choice((3600, 86400))
        if self._happens(0.3):
            source["user_annotations"] = {"example.com/A": "b"}
        return self._wrong_certificate(source) if wrong else source

    def _wrong_certificate(self, source: Object) -> Object:
        long = 86401 if "kubernetes.io/" in source["signer_name"] else 91 * 86400 + 1
        nowhere = dict.fromkeys(("credential_bundle_path", "key_path", "certificate_chain_path"))
        mistakes: Sequence[Object] = (
            {"signer_name": self._chance.choice(_BAD_SIGNERS)},
            {"key_type": self._chance.choice(("", "RSA2048"))},
            {"max_expiration_seconds": self._chance.choice((0, 3599, long))},
            nowhere,
            {"key_path": "same", "credential_bundle_path": "same"},
            {"certificate_chain_path": self._chance.choice(_BAD_PATHS[:-2])},
            {"user_annotations": {self._chance.choice(("nodomain", "a/b/c", "a b/c", "-a/b")): "x"}},
        )
        return {**source, **self._chance.choice(mistakes)}

    def _path(self) -> str:
        return self._chance.choice(_GOOD_PATHS) if self._happens(0.4) else f"f{self._chance.randint(0, 9999)}"

    def _happens(self, share: float) -> bool:
        return self._chance.random() < share


def _as_api(sources: Sequence[Object], mode: int | None) -> Object:
    projected: Object = {"sources": [_translated(source) for source in sources]}
    if mode is not None:
        projected["defaultMode"] = mode
    return {"name": "v", "projected": projected}


def _translated(source: Object) -> Object:
    ((kind, options),) = source.items()
    return {_KINDS[kind]: _camel(options)}


def _camel(value: Any) -> Any:
    """Every key as the API spells it, but those of a user's own mapping."""
    if isinstance(value, list):
        return [_camel(one) for one in value]
    if not isinstance(value, dict):
        return value
    own = ("match_labels", "user_annotations")
    return {
        re.sub(r"_([a-z])", lambda found: found[1].upper(), key): one if key in own else _camel(one)
        for key, one in value.items()
        if one is not None
    }
