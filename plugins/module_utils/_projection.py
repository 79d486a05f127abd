# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a projected volume is made of: the typed sources as the API spells them. Pure.

Source: Kubernetes API, ProjectedVolumeSource v1. What the API server fills in by itself is filled in here as well, so
that what is declared and what is stored compare as they are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from ._durations import seconds
from ._errors import InputError
from ._kinds import Object

Options: TypeAlias = Mapping[str, Any]

# where every client library looks for a token, the authority to trust and the name of the namespace
USUAL_PATH = "/var/run/secrets/kubernetes.io/serviceaccount"

DEFAULT_MODE = 0o644
_HIGHEST_MODE = 0o777
DEFAULT_EXPIRATION = 3600

# what YAML makes of an octal number without a leading zero: as a mode it would be one that nobody means
_MISREAD = (400, 440, 444, 500)

_KEY_TYPES = ["RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519"]

_ITEMS: dict[str, Any] = {
    "type": "list",
    "elements": "dict",
    "options": {
        "key": {"type": "str", "no_log": False},
        "path": {"type": "str"},
        "mode": {"type": "raw"},
    },
}
_OF_OBJECT: dict[str, Any] = {"name": {"type": "str"}, "items": _ITEMS, "optional": {"type": "bool"}}
_SELECTOR: dict[str, dict[str, Any]] = {
    "match_labels": {"type": "dict"},
    "match_expressions": {
        "type": "list",
        "elements": "dict",
        "options": {
            "key": {"type": "str", "no_log": False},
            "operator": {"type": "str"},
            "values": {"type": "list", "elements": "str"},
        },
    },
}
_DOWNWARD_ITEMS: dict[str, dict[str, Any]] = {
    "path": {"type": "str"},
    "field_ref": {"type": "dict", "options": {"field_path": {"type": "str"}, "api_version": {"type": "str"}}},
    "resource_field_ref": {
        "type": "dict",
        "options": {"container_name": {"type": "str"}, "resource": {"type": "str"}, "divisor": {"type": "str"}},
    },
    "mode": {"type": "raw"},
}

# one entry has one of these keys; all fields are those of the API
SOURCE_OPTIONS: dict[str, dict[str, Any]] = {
    "token": {
        "type": "dict",
        "aliases": ["service_account_token"],
        "no_log": False,
        "options": {
            "path": {"type": "str"},
            "audience": {"type": "str"},
            "expiration_seconds": {"type": "raw"},
        },
    },
    "config_map": {"type": "dict", "options": _OF_OBJECT},
    "secret": {"type": "dict", "no_log": False, "options": _OF_OBJECT},
    "downward_api": {
        "type": "dict",
        "options": {"items": {"type": "list", "elements": "dict", "options": _DOWNWARD_ITEMS}},
    },
    "cluster_trust_bundle": {
        "type": "dict",
        "options": {
            "name": {"type": "str"},
            "signer_name": {"type": "str"},
            "label_selector": {"type": "dict", "options": _SELECTOR},
            "path": {"type": "str"},
            "optional": {"type": "bool"},
        },
    },
    "pod_certificate": {
        "type": "dict",
        "options": {
            "signer_name": {"type": "str"},
            "key_type": {"type": "str", "choices": _KEY_TYPES, "no_log": False},
            "max_expiration_seconds": {"type": "raw"},
            "credential_bundle_path": {"type": "str"},
            "key_path": {"type": "str", "no_log": False},
            "certificate_chain_path": {"type": "str"},
            "user_annotations": {"type": "dict"},
        },
    },
    "raw": {"type": "dict"},
}

RAW = "raw"

TOKEN, CONFIG_MAP, SECRET = "serviceAccountToken", "configMap", "secret"
DOWNWARD_API, TRUST_BUNDLE, CERTIFICATE = "downwardAPI", "clusterTrustBundle", "podCertificate"

# how the options call what the API calls otherwise
KINDS: Mapping[str, str] = {
    "token": TOKEN,
    "config_map": CONFIG_MAP,
    "secret": SECRET,
    "downward_api": DOWNWARD_API,
    "cluster_trust_bundle": TRUST_BUNDLE,
    "pod_certificate": CERTIFICATE,
}

# what a cluster may know and still drop without a word, because a feature is switched off
_GATED = frozenset({"cluster_trust_bundle", "pod_certificate"})

# what Kubernetes itself mounts into a Pod whose account has automount on
STANDARD: tuple[Object, ...] = (
    {"token": {"path": "token"}},
    {"config_map": {"name": "kube-root-ca.crt", "items": [{"key": "ca.crt", "path": "ca.crt"}]}},
    {"downward_api": {"items": [{"path": "namespace", "field_ref": {"field_path": "metadata.namespace"}}]}},
)


def volume(name: str, sources: Sequence[Options] | None, default_mode: object = None) -> Object:
    """A projected volume as the API server stores it.

    Args:
        name: of the volume.
        sources: entries as C(SOURCE_OPTIONS) describe them, in their order; None: the standard ones.
        default_mode: of files, as a number or its octal digits; None: the API's own.

    Raises:
        InputError: an entry is none, or a value cannot be read.
    """
    entries = STANDARD if sources is None else sources
    if not entries:
        raise InputError("sources is empty", "leave it out for token, CA and namespace, or say what is to be in it")
    mode = DEFAULT_MODE if default_mode is None else file_mode(default_mode, "default_mode")
    made = [_source(entry, f"sources[{index}]") for index, entry in enumerate(entries)]
    return {"name": name, "projected": stored({"defaultMode": mode, "sources": made})}


def file_mode(value: object, option: str) -> int:
    """A mode as C(0440), in YAML's own octal or quoted.

    Raises:
        InputError: it is no mode of a file.
    """
    if isinstance(value, str) and value.strip() and set(value.strip()) <= set("01234567"):
        mode = int(value.strip()[:8], 8)
    else:
        mode = value if isinstance(value, int) and not isinstance(value, bool) and value not in _MISREAD else -1
    if not 0 <= mode <= _HIGHEST_MODE:
        raise InputError(
            f"{option}: {value!r} is no mode of a file", 'write an octal number in quotes, for example "0440"'
        )
    return mode


def _source(entry: Options, place: str) -> Object:
    """One entry as the API spells it."""
    given = {key: entry[key] for key in SOURCE_OPTIONS if entry.get(key) is not None}
    if len(given) != 1:
        said = f"has {', '.join(given)}" if given else "projects nothing"
        raise InputError(f"{place} {said}", f"give one of {', '.join(SOURCE_OPTIONS)} in every entry")
    ((kind, options),) = given.items()
    if kind == RAW:
        return _raw(options, place)
    return {KINDS[kind]: _MAKERS[kind](options, f"{place}.{kind}")}


def _raw(options: Options, place: str) -> Object:
    source = {str(key): value for key, value in options.items() if value is not None}
    if len(source) != 1:
        said = f"has {', '.join(source)}" if source else "projects nothing"
        raise InputError(f"{place}.raw {said}", "give one source as the API spells it, for example secret: {name: x}")
    return source


def _token(options: Options, place: str) -> Object:
    expiration = options.get("expiration_seconds")
    return {
        "path": "token" if options.get("path") is None else options["path"],
        "audience": options.get("audience"),
        "expirationSeconds": None if expiration is None else seconds(expiration, f"{place}.expiration_seconds"),
    }


def _of_object(options: Options, place: str) -> Object:
    items = [
        {"key": one.get("key"), "path": one.get("path"), "mode": _mode(one, f"{place}.items[{index}]")}
        for index, one in enumerate(options.get("items") or ())
    ]
    return {"name": options.get("name"), "items": items, "optional": options.get("optional")}


def _downward(options: Options, place: str) -> Object:
    items = options.get("items") or ()
    return {"items": [_downward_item(one, f"{place}.items[{index}]") for index, one in enumerate(items)]}


def _downward_item(one: Options, place: str) -> Object:
    field, resource = one.get("field_ref"), one.get("resource_field_ref")
    return {
        "path": one.get("path"),
        "fieldRef": field and {"fieldPath": field.get("field_path"), "apiVersion": field.get("api_version")},
        "resourceFieldRef": resource
        and {
            "containerName": resource.get("container_name"),
            "resource": resource.get("resource"),
            "divisor": resource.get("divisor"),
        },
        "mode": _mode(one, place),
    }


def _mode(one: Options, place: str) -> int | None:
    return None if one.get("mode") is None else file_mode(one["mode"], f"{place}.mode")


def _trust_bundle(options: Options, dummy: str) -> Object:
    selector = options.get("label_selector")
    return {
        "name": options.get("name"),
        "signerName": options.get("signer_name"),
        "labelSelector": None if selector is None else _selector(selector),
        "path": options.get("path"),
        "optional": options.get("optional"),
    }


def _selector(options: Options) -> Object:
    expressions = [
        {"key": one.get("key"), "operator": one.get("operator"), "values": list(one.get("values") or ())}
        for one in options.get("match_expressions") or ()
    ]
    return {"matchLabels": _texts(options.get("match_labels")), "matchExpressions": expressions}


def _certificate(options: Options, place: str) -> Object:
    longest = options.get("max_expiration_seconds")
    return {
        "signerName": options.get("signer_name"),
        "keyType": options.get("key_type"),
        "maxExpirationSeconds": None if longest is None else seconds(longest, f"{place}.max_expiration_seconds"),
        "credentialBundlePath": options.get("credential_bundle_path"),
        "keyPath": options.get("key_path"),
        "certificateChainPath": options.get("certificate_chain_path"),
        "userAnnotations": _texts(options.get("user_annotations")),
    }


def _texts(values: Mapping[str, Any] | None) -> dict[str, Any]:
    """YAML numbers and booleans are meant as the text that was written."""
    return {str(key): _text(value) for key, value in (values or {}).items()}


def _text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


_MAKERS: Mapping[str, Callable[[Options, str], Object]] = {
    "token": _token,
    "config_map": _of_object,
    "secret": _of_object,
    "downward_api": _downward,
    "cluster_trust_bundle": _trust_bundle,
    "pod_certificate": _certificate,
}


# As the API server stores it


def stored(projected: Object) -> Object:
    """A projection with what the API server fills in, and without what it leaves out.

    Source: pkg/apis/core/v1/defaults.go of Kubernetes, and the omitempty of its types.
    """
    sources = [_stored_source(source) for source in projected.get("sources") or ()]
    mode = projected.get("defaultMode")
    return {"defaultMode": DEFAULT_MODE if mode is None else mode, "sources": sources}


def _stored_source(source: Object) -> Object:
    return {kind: _with_defaults(kind, content) for kind, content in source.items()}


def _with_defaults(kind: str, content: Any) -> Any:
    if not isinstance(content, Mapping):
        return content
    kept = _pruned(content)
    if kind == TOKEN:
        return {"expirationSeconds": DEFAULT_EXPIRATION, **kept}
    if kind == DOWNWARD_API and isinstance(kept.get("items"), list):
        kept["items"] = [_stored_item(item) for item in kept["items"]]
    return kept


def _stored_item(item: Any) -> Any:
    if not isinstance(item, Mapping):
        return item
    found = dict(item)
    field, resource = found.get("fieldRef"), found.get("resourceFieldRef")
    if isinstance(field, Mapping):
        found["fieldRef"] = {"apiVersion": "v1", **field}
    if isinstance(resource, Mapping):
        # a quantity may also be written as a number
        found["resourceFieldRef"] = {**resource, "divisor": str(resource.get("divisor", "0"))}
    return found


# what may be empty and still says something
_TELLING = frozenset({"labelSelector"})


def _pruned(content: Mapping[str, Any]) -> dict[str, Any]:
    pruned = {str(key): _pruned_value(value) for key, value in content.items() if value is not None}
    return {key: value for key, value in pruned.items() if key in _TELLING or value not in ("", [], {})}


def _pruned_value(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _pruned(value)
    return [_pruned_value(one) for one in value] if isinstance(value, list) else value


# What the API server may not know


def is_certain(sources: Sequence[Options] | None) -> bool:
    """Whether every server knows all of the sources."""
    return not any(entry.get(kind) is not None for entry in sources or () for kind in (RAW, *_GATED))


def dropped(wanted: Any, kept: Any, place: str = "sources") -> str | None:
    """The first field that was left out of what was sent; what values become is the server's own business."""
    if isinstance(wanted, Mapping):
        kept = kept if isinstance(kept, Mapping) else {}
        inner = ((f"{place}.{key}", value, kept.get(key)) for key, value in wanted.items())
    elif isinstance(wanted, list):
        others = [*(kept if isinstance(kept, list) else ()), *[None] * len(wanted)]
        inner = ((f"{place}[{index}]", value, others[index]) for index, value in enumerate(wanted))
    else:
        return None
    for where, value, other in inner:
        if other is None:
            return where
        if found := dropped(value, other, where):
            return found
    return None


def tokens(projected: Object) -> list[tuple[int, Object]]:
    """The tokens in a projection with their places in the list."""
    sources = enumerate(projected.get("sources") or ())
    return [(index, source[TOKEN]) for index, source in sources if isinstance(source.get(TOKEN), Mapping)]
