# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""YAML read and written so that what is not ours stays as it was written.

YAML 1.1 reads C(yes), C(012345) and C(2030-01-01) as something else than text; written back they would come out as
C(true), C(5349) and a time in another form.
"""

from __future__ import annotations

import re
from contextlib import suppress
from functools import cache
from typing import Any

# whoever reads YAML has gone through _auth, which names a missing library
with suppress(ImportError):
    import yaml

_TAG = "tag:yaml.org,2002:"

# those whose plain form is the only one: they may become values of Python
_CANONICAL = {f"{_TAG}bool": ("true", "false"), f"{_TAG}null": ("", "null")}

_PLAIN_NUMBER = re.compile(r"0|[1-9][0-9]{0,17}")


class AsWritten(str):
    """A plain scalar that is no text to YAML, as it was written."""

    tag: str

    __slots__ = ("tag",)


def load(text: str) -> Any:
    """The content; raises yaml.YAMLError, also for what is nested too deeply or within itself."""
    try:
        return yaml.load(text, Loader=_loader())  # noqa: S506 - a SafeLoader with fewer types
    except RecursionError:
        raise yaml.YAMLError("nested too deeply") from None


def dump(content: Any) -> str:
    """The text, keys in the order given."""
    text: str = yaml.dump(content, Dumper=_dumper(), sort_keys=False, default_flow_style=False)
    return text


@cache
def _loader() -> Any:
    class Loader(yaml.SafeLoader):
        def construct_document(self, node: Any) -> Any:
            # completing every node before the next makes PyYAML notice one that is within itself
            self.deep_construct = True
            return super().construct_document(node)

    def construct(loader: Any, node: Any) -> Any:
        if node.value in _CANONICAL.get(node.tag, ()) or _is_plain_number(node):
            return yaml.SafeLoader.yaml_constructors[node.tag](loader, node)
        scalar = AsWritten(node.value)
        scalar.tag = node.tag
        return scalar

    for kind in ("bool", "int", "float", "timestamp", "null"):
        Loader.add_constructor(_TAG + kind, construct)
    return Loader


def _is_plain_number(node: Any) -> bool:
    # longer ones are no numbers to count with, and Python refuses to read some of them
    return bool(node.tag == f"{_TAG}int" and _PLAIN_NUMBER.fullmatch(node.value))


@cache
def _dumper() -> Any:
    class Dumper(yaml.SafeDumper):
        pass

    Dumper.add_representer(AsWritten, lambda dumper, scalar: dumper.represent_scalar(scalar.tag, str(scalar)))
    return Dumper
