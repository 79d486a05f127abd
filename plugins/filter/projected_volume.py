# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter projected_volume: its logic is in module_utils/_projection.py, its use in projected_volume.yml."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.utils.display import Display

from ..module_utils import _shape
from ..module_utils._errors import InputError
from ..module_utils._projection import SOURCE_OPTIONS
from ..module_utils._projection_rules import checked_volume, volume_name
from ..module_utils._volume_risks import risks_of_projection
from ..plugin_utils._plain import plain

_SPEC: dict[str, dict[str, Any]] = {"sources": {"type": "list", "elements": "dict", "options": SOURCE_OPTIONS}}


def projected_volume(
    value: object, name: str = "sa-token", default_mode: object = None, mount_path: str | None = None
) -> dict[str, Any]:
    """The volume; what does not work as it is is a warning, because the manifest it goes into is not seen here."""
    try:
        made = checked_volume(volume_name(str(plain(name)), "name"), _sources(plain(value)), plain(default_mode))
    except InputError as error:
        raise AnsibleFilterError(f"projected_volume: {error}") from None
    for finding in risks_of_projection(made, None if mount_path is None else str(plain(mount_path))):
        Display().warning(f"projected_volume {made['name']}: {finding}")
    return made


def _sources(value: object) -> list[dict[str, Any]] | None:
    """The entries as the module k8s_sa_volume takes them.

    Raises:
        InputError: they have another form.
    """
    if value is None:
        return None
    given = {"sources": value}
    _shape.check(_SPEC, given)
    checked = ArgumentSpecValidator(_SPEC).validate(given)
    if checked.error_messages:
        raise InputError(" ".join(checked.error_messages[0].split()))
    sources: list[dict[str, Any]] = checked.validated_parameters["sources"]
    return sources


class FilterModule:
    """What Ansible looks for in this file."""

    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"projected_volume": projected_volume}
