# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names, labels and annotations: the server's own rules, checked before any request.

Source: Kubernetes "Object Names and IDs" and "Labels and Selectors"; RBAC names are only path segments.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ._errors import InputError
from ._shape import is_unicode

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")
_SUBDOMAIN = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# the server puts the keys of annotations into lower case before it looks at them, but keeps them as they are
_ANY_CASE = re.compile(_SUBDOMAIN.pattern, re.IGNORECASE | re.ASCII)
_QUALIFIED = re.compile(r"[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?")
_MAX_ANNOTATIONS = 256 * 1024
_UID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def namespace(value: object, option: str = "namespace") -> str:
    """A DNS-1123 label of at most 63 characters."""
    text = _text(value, option)
    if len(text) > 63 or not _LABEL.fullmatch(text):
        raise InputError(
            f"{option}: {text!r} is not a valid namespace name",
            "use lower-case letters, digits and '-', a letter or digit at both ends, at most 63 characters",
        )
    return text


def object_name(value: object, option: str = "name") -> str:
    """A DNS-1123 subdomain of at most 253 characters (ServiceAccount, Secret, Pod, Node)."""
    text = _text(value, option)
    if len(text) > 253 or not _SUBDOMAIN.fullmatch(text):
        raise InputError(
            f"{option}: {text!r} is not a valid name",
            "use lower-case letters, digits, '-' and '.', each part beginning and ending with a letter or digit, "
            "at most 253 characters (DNS-1123)",
        )
    return text


def rbac_name(value: object, option: str = "name") -> str:
    """A path segment: what the server asks of Role and RoleBinding names (colons and capitals are legal)."""
    text = _text(value, option)
    if text in {".", ".."} or "/" in text or "%" in text or not text.isprintable():
        raise InputError(
            f"{option}: {text!r} is not a valid RBAC name", "leave out '/' and '%', and use neither '.' nor '..'"
        )
    return text


def uid(value: object, option: str) -> str:
    """An object's uid: what the server makes is a UUID in lower case."""
    text = _text(value, option)
    if not _UID.fullmatch(text):
        raise InputError(
            f"{option}: {text!r} is not a uid", "write the object's metadata.uid, as in kubectl get -o yaml"
        )
    return text


def account_reference(value: object, option: str, default_namespace: str | None) -> tuple[str, str]:
    """C(name) or C(namespace/name) as (namespace, name)."""
    text = _text(value, option)
    space, slash, name = text.rpartition("/")
    if slash:
        return namespace(space, option), object_name(name, option)
    if default_namespace is None:
        raise InputError(
            f"{option}: {text!r} names no namespace",
            f"a cluster-wide grant needs namespace/name, for example ci/{text}",
        )
    return default_namespace, object_name(text, option)


def label_values(values: object, option: str = "labels") -> dict[str, str | None]:
    """Label keys to values; None means: remove the key."""
    checked = _strings(values, option, _SUBDOMAIN)
    for key, value in checked.items():
        if value is not None and (len(value) > 63 or (value and not _QUALIFIED.fullmatch(value))):
            raise InputError(
                f"{option}: the value {value!r} of {key!r} is not a valid label value",
                "use letters, digits, '-', '_' and '.', at most 63 characters; put longer text into annotations",
            )
    return checked


def annotation_values(values: object, option: str = "annotations") -> dict[str, str | None]:
    """Annotation keys to values; None means: remove the key."""
    checked = _strings(values, option, _ANY_CASE)
    if sum(len(key) + len((value or "").encode()) for key, value in checked.items()) > _MAX_ANNOTATIONS:
        raise InputError(f"{option}: more than 256 KiB of annotations", "store large data elsewhere")
    return checked


def _strings(values: object, option: str, prefix: re.Pattern[str]) -> dict[str, str | None]:
    if not isinstance(values, Mapping):
        raise InputError(f"{option}: {type(values).__name__} is not a mapping", "write key: value pairs")
    return {_qualified_key(key, option, prefix): _scalar(value, f"{option}.{key}") for key, value in values.items()}


def _qualified_key(key: object, option: str, form: re.Pattern[str]) -> str:
    text = _text(key, option)
    prefix, slash, name = text.rpartition("/")
    if (
        len(name) > 63
        or not _QUALIFIED.fullmatch(name)
        or (slash and (len(prefix) > 253 or not form.fullmatch(prefix)))
    ):
        raise InputError(
            f"{option}: {text!r} is not a valid key",
            "write name or dns.prefix/name; the name has letters, digits, '-', '_' and '.', at most 63 characters",
        )
    return text


def _scalar(value: Any, option: str) -> str | None:
    """YAML numbers and booleans are meant as the text that was written."""
    if isinstance(value, str) and not is_unicode(value):
        raise InputError(f"{option} holds half a Unicode character (a lone surrogate)", "correct the text")
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise InputError(f"{option}: {type(value).__name__} is not a string", "quote the value")


def _text(value: object, option: str) -> str:
    if value is None or value == "":
        raise InputError(f"{option} is missing", f"give a {'namespace' if 'namespace' in option else 'name'}")
    if not isinstance(value, str):
        raise InputError(f"{option}: {value!r} is not a text", "quote it")
    return value
