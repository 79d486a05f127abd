# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the API server refuses about a projected volume, said before it is asked. Pure.

Source: pkg/apis/core/validation/validation.go of Kubernetes 1.36 (validateProjectedVolumeSource) and what it calls.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from . import _names
from ._errors import InputError
from ._kinds import Object
from ._projection import (
    CERTIFICATE,
    CONFIG_MAP,
    DOWNWARD_API,
    KINDS,
    RAW,
    SECRET,
    TOKEN,
    TRUST_BUNDLE,
    Options,
    volume,
)

_SHORTEST_TOKEN = 600
_LONGEST_TOKEN = 1 << 32
_SHORTEST_CERTIFICATE = 3600
_LONGEST_CERTIFICATE = 91 * 86400
# signers of Kubernetes itself
_LONGEST_OF_KUBERNETES = 86400
_HIGHEST_MODE = 0o777

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_MAX_LABEL, _MAX_SUBDOMAIN = 63, 253

_FIELDS_OF_A_POD = ("metadata.name", "metadata.namespace", "metadata.labels", "metadata.annotations", "metadata.uid")
_SUBSCRIPTED = ("metadata.labels", "metadata.annotations")
_RESOURCES = tuple(
    f"{kind}.{name}" for kind in ("limits", "requests") for name in ("cpu", "memory", "ephemeral-storage")
)
_HUGE_PAGES = ("limits.hugepages-", "requests.hugepages-")
_DIVISORS_OF_CPU = ("0", "1m", "1")
_DIVISORS = ("0", "1", *(f"1{unit}" for unit in ("k", "M", "G", "T", "P", "E", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei")))
_KEY_TYPES = ("RSA3072", "RSA4096", "ECDSAP256", "ECDSAP384", "ECDSAP521", "ED25519")

# Refused here although the server takes it: nothing good can come of it, and no Pod would ever start.
STRICTER = ("projects_nothing", "impossible_name", "odd_divisor", "long_file_name", "no_file")
PROJECTS_NOTHING, IMPOSSIBLE_NAME, ODD_DIVISOR, LONG_FILE_NAME, NO_FILE = STRICTER

# Source: pkg/volume/util/atomic_writer.go of Kubernetes (maxFileNameLength)
_LONGEST_FILE_NAME = 255


@dataclass(frozen=True)
class Refusal:
    """Something that cannot be.

    Attributes:
        field: where, as the API spells it, below the source.
        what: what is wrong, the end of a sentence that begins with the field.
        fix: what to do.
        rule: one of C(STRICTER), or empty for a rule of the server's.
    """

    field: str
    what: str
    fix: str
    rule: str = ""


Found: TypeAlias = Iterator[Refusal]


def checked_volume(name: str, sources: Sequence[Options] | None, default_mode: object = None) -> Object:
    """The volume of typed sources, as the API server stores it and takes it.

    Raises:
        InputError: it would refuse it.
    """
    made = volume(name, sources, default_mode)
    found = refusals(made["projected"]["sources"])
    if found:
        index, refusal = found[0]
        more = f" (and {len(found) - 1} more mistakes)" if len(found) > 1 else ""
        is_raw = sources is not None and sources[index].get(RAW) is not None
        place = f"sources[{index}].{_as_option(refusal.field, is_raw=is_raw)}"
        raise InputError(f"{place} {refusal.what}{more}", refusal.fix, code=refusal.rule or "invalid_option")
    return made


def volume_name(value: str, option: str) -> str:
    """The name of a volume.

    Raises:
        InputError: it can be none.
    """
    if not _is_label(value):
        raise InputError(
            f"{option}: {value!r} is not a valid name of a volume",
            "use lower-case letters, digits and '-', a letter or digit at both ends, at most 63 characters",
        )
    return value


def _as_option(field: str, *, is_raw: bool) -> str:
    """A field as the options call it."""
    if is_raw:
        return f"{RAW}.{field}"
    kind, dot, rest = field.partition(".")
    names = {api: option for option, api in KINDS.items()}
    return names.get(kind, kind) + dot + re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), rest)


def refusals(sources: Sequence[Object]) -> list[tuple[int, Refusal]]:
    """All that is wrong with sources as the API spells them, each with its place in the list."""
    paths: set[str] = set()
    return [(index, refusal) for index, source in enumerate(sources) for refusal in _of_source(source, paths)]


def _of_source(source: Object, paths: set[str]) -> Found:
    """What is wrong with one of them; what is not known is the server's to judge.

    Args:
        source: the source.
        paths: of those before it, as far as the server compares them; its own are added.
    """
    for kind, content in source.items():
        check = _CHECKS.get(kind)
        if check is None:
            continue
        if not isinstance(content, Mapping):
            yield Refusal(kind, "is not a mapping", "write key: value pairs")
            continue
        wrong = list(_wrong_types(content, _TYPES[kind], kind))
        yield from wrong or check(content, kind)
        if not wrong:
            yield from _duplicates(kind, content, paths)


# Types: what the server could not even read

_ITEM = {"key": str, "path": str, "mode": int}
_TYPES: Mapping[str, Mapping[str, Any]] = {
    TOKEN: {"path": str, "audience": str, "expirationSeconds": int},
    CONFIG_MAP: {"name": str, "items": [_ITEM], "optional": bool},
    SECRET: {"name": str, "items": [_ITEM], "optional": bool},
    DOWNWARD_API: {
        "items": [
            {
                "path": str,
                "mode": int,
                "fieldRef": {"fieldPath": str, "apiVersion": str},
                "resourceFieldRef": {"containerName": str, "resource": str},
            }
        ]
    },
    TRUST_BUNDLE: {
        "name": str,
        "signerName": str,
        "path": str,
        "optional": bool,
        "labelSelector": {"matchLabels": dict, "matchExpressions": [{"key": str, "operator": str, "values": [str]}]},
    },
    CERTIFICATE: {
        "signerName": str,
        "keyType": str,
        "maxExpirationSeconds": int,
        "credentialBundlePath": str,
        "keyPath": str,
        "certificateChainPath": str,
        "userAnnotations": dict,
    },
}
_CALLED = {str: "a text", int: "a whole number", bool: "true or false", dict: "a mapping"}


def _wrong_types(content: Mapping[str, Any], types: Mapping[str, Any], place: str) -> Found:
    for key, expected in types.items():
        if content.get(key) is not None:
            yield from _wrong_type(content[key], expected, f"{place}.{key}")


def _wrong_type(value: Any, expected: Any, place: str) -> Found:
    if isinstance(expected, Mapping):
        if isinstance(value, Mapping):
            yield from _wrong_types(value, expected, place)
        else:
            yield Refusal(place, "is not a mapping", "write key: value pairs")
    elif isinstance(expected, list):
        if not isinstance(value, list):
            yield Refusal(place, "is not a list", "begin every entry with a dash")
            return
        for index, one in enumerate(value):
            yield from _wrong_type(one, expected[0], f"{place}[{index}]")
    elif not isinstance(value, expected) or (expected is int and isinstance(value, bool)):
        yield Refusal(place, f"is not {_CALLED[expected]}", f"write {_CALLED[expected]}")
    elif expected is dict:
        odd = [key for key, one in value.items() if not isinstance(one, str)]
        yield from (Refusal(f"{place}.{key}", "is not a text", "quote it") for key in odd)


# Paths


def _path(path: str, field: str) -> Found:
    if not path:
        yield Refusal(field, "is missing", "say which file in the volume it is to be")
    else:
        yield from _odd_path(path, field)


def _odd_path(path: str, field: str) -> Found:
    if path.startswith("/"):
        yield Refusal(field, f"is the absolute path {path}", "write it relative to the volume")
    elif ".." in path.split("/") or path.startswith(".."):
        yield Refusal(
            field, f"is {path!r}, which leads out of the volume or begins with two dots", "leave the dots out"
        )
    else:
        yield from _long_path(path, field)


def _long_path(path: str, field: str) -> Found:
    longest = max(len(part.encode(errors="surrogatepass")) for part in path.split("/"))
    if longest > _LONGEST_FILE_NAME:
        yield Refusal(
            field,
            f"has a file name of {longest} bytes, and none is longer than {_LONGEST_FILE_NAME}",
            "shorten it",
            LONG_FILE_NAME,
        )


def _mode(mode: int | None, field: str) -> Found:
    if mode is not None and not 0 <= mode <= _HIGHEST_MODE:
        yield Refusal(field, f"{mode} is no mode of a file", "it is a number from 0 to 0777 (octal), 511 in decimal")


def paths_of(kind: str, content: Mapping[str, Any]) -> list[str]:
    """All files that a source names, in the order in which the server looks at them."""
    if kind in (CONFIG_MAP, SECRET, DOWNWARD_API):
        return [str(item["path"]) for item in content.get("items") or () if item.get("path")]
    names = ("path",) if kind in (TOKEN, TRUST_BUNDLE) else _CERTIFICATE_PATHS if kind == CERTIFICATE else ()
    return [str(content[name]) for name in names if content.get(name)]


def _duplicates(kind: str, content: Mapping[str, Any], paths: set[str]) -> Found:
    """The same file twice, letter by letter; the server does not compare those of tokens."""
    if kind == TOKEN:
        return
    for path in paths_of(kind, content):
        if path in paths:
            yield Refusal(kind, f"writes the file {path}, which another entry writes too", "give one another path")
        paths.add(path)


# Each kind of source


def _of_token(token: Mapping[str, Any], kind: str) -> Found:
    lifetime = token.get("expirationSeconds")
    if lifetime is not None and lifetime < _SHORTEST_TOKEN:
        yield Refusal(
            f"{kind}.expirationSeconds",
            f"is {lifetime}, and no token is shorter than 600 seconds",
            "ask for 600 or more",
        )
    if lifetime is not None and lifetime > _LONGEST_TOKEN:
        yield Refusal(f"{kind}.expirationSeconds", f"is {lifetime}, which is too long", "ask for 86400 or less")
    path = token.get("path") or ""
    yield from _path(path, f"{kind}.path")
    if path and posixpath.normpath(path) == ".":
        yield Refusal(f"{kind}.path", f"is {path!r}, which is the volume itself", "name a file in it", NO_FILE)


def _of_object(content: Mapping[str, Any], kind: str) -> Found:
    name = content.get("name") or ""
    if not name:
        yield Refusal(f"{kind}.name", "is missing", "name the object that is to be projected")
    elif not _is_subdomain(name):
        yield Refusal(f"{kind}.name", f"{name!r} can be the name of nothing", "correct it", IMPOSSIBLE_NAME)
    for index, item in enumerate(content.get("items") or ()):
        place = f"{kind}.items[{index}]"
        if not item.get("key"):
            yield Refusal(f"{place}.key", "is missing", "say which key of the object is to be projected")
        yield from _path(item.get("path") or "", f"{place}.path")
        yield from _mode(item.get("mode"), f"{place}.mode")


def _of_downward(content: Mapping[str, Any], kind: str) -> Found:
    if not content.get("items"):
        yield Refusal(f"{kind}.items", "is missing", "say which fields are to be projected", PROJECTS_NOTHING)
    for index, item in enumerate(content.get("items") or ()):
        place = f"{kind}.items[{index}]"
        yield from _path(item.get("path") or "", f"{place}.path")
        yield from _mode(item.get("mode"), f"{place}.mode")
        yield from _reference(item, place)


def _reference(item: Mapping[str, Any], place: str) -> Found:
    field, resource = item.get("fieldRef"), item.get("resourceFieldRef")
    if (field is None) == (resource is None):
        said = "refers to nothing" if field is None else "refers to a field and to a resource"
        yield Refusal(place, said, "give either fieldRef (field_ref) or resourceFieldRef (resource_field_ref)")
    if field is not None:
        yield from _field(field, f"{place}.fieldRef")
    elif resource is not None:
        yield from _resource(resource, f"{place}.resourceFieldRef")


def _field(field: Mapping[str, Any], place: str) -> Found:
    path = field.get("fieldPath") or ""
    if (field.get("apiVersion") or "v1") != "v1":
        yield Refusal(f"{place}.apiVersion", f"is {field['apiVersion']}", "leave it out, or write v1")
    if not path:
        yield Refusal(f"{place}.fieldPath", "is missing", f"use one of {', '.join(_FIELDS_OF_A_POD)}")
        return
    base, subscript = _subscripted(path)
    if subscript is not None and base in _SUBSCRIPTED:
        key = subscript.lower() if base == "metadata.annotations" else subscript
        yield from _label_key(key, f"{place}.fieldPath")
    elif subscript is not None or path not in _FIELDS_OF_A_POD:
        yield Refusal(
            f"{place}.fieldPath",
            f"is {path}, which no volume can show",
            f"use one of {', '.join(_FIELDS_OF_A_POD)}, or a key as in metadata.labels['app']",
        )


def _subscripted(path: str) -> tuple[str, str | None]:
    """C(metadata.labels['app']) in its two parts."""
    base, bracket, rest = path.partition("['")
    return (base, rest[:-2]) if base and bracket and path.endswith("']") and len(rest) >= 2 else (path, None)


def _resource(resource: Mapping[str, Any], place: str) -> Found:
    name = resource.get("resource") or ""
    is_huge = name.startswith(_HUGE_PAGES)
    if not resource.get("containerName"):
        yield Refusal(f"{place}.containerName", "is missing", "say of which container")
    elif not name:
        yield Refusal(f"{place}.resource", "is missing", f"use one of {', '.join(_RESOURCES)}")
    elif name not in _RESOURCES and not is_huge:
        yield Refusal(f"{place}.resource", f"is {name}, which is not known", f"use one of {', '.join(_RESOURCES)}")
    yield from _divisor(str(resource.get("divisor") or "0"), name, f"{place}.divisor")


def _divisor(divisor: str, resource: str, place: str) -> Found:
    if resource not in _RESOURCES and not resource.startswith(_HUGE_PAGES):
        return
    known = _DIVISORS_OF_CPU if resource.endswith(".cpu") else _DIVISORS
    if divisor not in known:
        yield Refusal(place, f"is {divisor}", f"use one of {', '.join(known[1:])}", ODD_DIVISOR)


def _of_trust_bundle(content: Mapping[str, Any], kind: str) -> Found:
    name, signer = content.get("name"), content.get("signerName")
    if (name is None) == (signer is None):
        said = "names neither a bundle nor a signer" if name is None else "names a bundle and a signer"
        yield Refusal(kind, said, "give either name or signerName (signer_name)")
    elif name is not None:
        yield from _bundle_name(name, f"{kind}.name")
        if content.get("labelSelector") is not None:
            yield Refusal(f"{kind}.labelSelector", "is for bundles of a signer", "leave it out beside a name")
    else:
        yield from _signer(signer or "", f"{kind}.signerName")
        yield from _selector(content.get("labelSelector") or {}, f"{kind}.labelSelector")
    yield from _path(content.get("path") or "", f"{kind}.path")


def _bundle_name(name: str, field: str) -> Found:
    """C(signer:name) with the slash of the signer as another colon, or a name alone."""
    signer, colon, own = name.rpartition(":")
    # a slash would be taken for that of the signer
    if not _is_subdomain(own) or "/" in signer or (colon and not signer):
        yield Refusal(
            field, f"{name!r} is not the name of a bundle", "write it as kubectl get clustertrustbundles does"
        )


def _signer(signer: str, field: str) -> Found:
    domain, slash, path = signer.partition("/")
    labels = domain.split(".")
    is_domain = len(domain) <= _MAX_SUBDOMAIN and len(labels) > 1 and all(map(_is_label, labels))
    is_path = "/" not in path and all(map(_is_subdomain, path.split(".")))
    longest = 2 * _MAX_SUBDOMAIN + _MAX_LABEL + 2
    if not slash or not is_domain or not is_path or len(signer) > longest:
        said = f"{signer!r} is not the name of a signer" if signer else "is missing"
        yield Refusal(field, said, "write it with its domain, for example example.com/my-signer")


def _selector(selector: Mapping[str, Any], field: str) -> Found:
    for key, value in (selector.get("matchLabels") or {}).items():
        yield from _label(key, value, f"{field}.matchLabels")
    for index, one in enumerate(selector.get("matchExpressions") or ()):
        place = f"{field}.matchExpressions[{index}]"
        operator, values = one.get("operator") or "", one.get("values") or ()
        if operator not in ("In", "NotIn", "Exists", "DoesNotExist"):
            yield Refusal(f"{place}.operator", f"{operator!r} is none", "use In, NotIn, Exists or DoesNotExist")
        elif bool(values) != (operator in ("In", "NotIn")):
            yield Refusal(f"{place}.values", "do not fit the operator", "give some to In and NotIn, and to no other")
        yield from _label_key(one.get("key") or "", f"{place}.key")
        for value in values:
            yield from _label("x", value, f"{place}.values")


def _of_certificate(content: Mapping[str, Any], kind: str) -> Found:
    yield from _signer(content.get("signerName") or "", f"{kind}.signerName")
    yield from _user_annotations(content.get("userAnnotations") or {}, f"{kind}.userAnnotations")
    if content.get("keyType") not in _KEY_TYPES:
        said = f"{content['keyType']!r} is not known" if content.get("keyType") else "is missing"
        yield Refusal(f"{kind}.keyType", said, f"use one of {', '.join(_KEY_TYPES)}")
    yield from _certificate_lifetime(content, f"{kind}.maxExpirationSeconds")
    given = [name for name in _CERTIFICATE_PATHS if content.get(name)]
    for name in given:
        yield from _odd_path(content[name], f"{kind}.{name}")
    if not given:
        yield Refusal(kind, "is written nowhere", "give credentialBundlePath (credential_bundle_path)")


_CERTIFICATE_PATHS = ("credentialBundlePath", "keyPath", "certificateChainPath")


def _certificate_lifetime(content: Mapping[str, Any], field: str) -> Found:
    lifetime = content.get("maxExpirationSeconds")
    domain = str(content.get("signerName") or "").partition("/")[0]
    is_own = domain == "kubernetes.io" or domain.endswith(".kubernetes.io")
    longest = _LONGEST_OF_KUBERNETES if is_own else _LONGEST_CERTIFICATE
    if lifetime is not None and not _SHORTEST_CERTIFICATE <= lifetime <= longest:
        yield Refusal(field, f"is {lifetime}", f"it is between {_SHORTEST_CERTIFICATE} and {longest} for that signer")


def _user_annotations(annotations: Mapping[str, str], field: str) -> Found:
    for key in annotations:
        if "/" not in key:
            yield Refusal(f"{field}.{key}", "has no domain", "write the key as example.com/key")
    yield from _said(lambda: _names.annotation_values(annotations, field), field)


# Names


def _is_label(text: str) -> bool:
    return len(text) <= _MAX_LABEL and _LABEL.fullmatch(text) is not None


def _is_subdomain(text: str) -> bool:
    return len(text) <= _MAX_SUBDOMAIN and _SUBDOMAIN.fullmatch(text) is not None


def _label_key(key: str, field: str) -> Found:
    yield from _label(key, "", field)


def _label(key: str, value: str, field: str) -> Found:
    yield from _said(lambda: _names.label_values({key: value}, field), field)


def _said(check: Callable[[], object], field: str) -> Found:
    """What somebody else finds wrong, which says where by itself."""
    try:
        check()
    except InputError as error:
        yield Refusal(field, error.what.removeprefix(f"{field}: "), error.hint or "correct it")


_CHECKS: Mapping[str, Callable[[Mapping[str, Any], str], Found]] = {
    TOKEN: _of_token,
    CONFIG_MAP: _of_object,
    SECRET: _of_object,
    DOWNWARD_API: _of_downward,
    TRUST_BUNDLE: _of_trust_bundle,
    CERTIFICATE: _of_certificate,
}
