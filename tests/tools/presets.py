# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""docs/presets.md, as far as it tells what the data of the presets says: `python tests/tools/presets.py` writes it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DIRECTORY = ROOT / "roles/service_accounts/files/presets"
DOCUMENT = ROOT / "docs/presets.md"
START, END = "<!--start presets-->\n", "<!--end presets-->\n"

_DEFAULTS = {"<account_namespace>": "the account's own", "<account_name>": "the account's"}

Preset = Mapping[str, Any]


def presets() -> dict[str, Any]:
    """All that the role brings along, by their names."""
    return {path.stem: yaml.safe_load(path.read_text("utf-8")) for path in sorted(DIRECTORY.glob("*.yml"))}


def is_for_accounts(preset: Preset) -> bool:
    """Whether it is named at an account, and not at an entry of tokens or volumes."""
    return bool(preset.get("grants"))


def rendered() -> str:
    """What the document says of all of them."""
    everything = presets()
    order = sorted(everything, key=lambda name: (not is_for_accounts(everything[name]), name))
    sections = [_contents({name: everything[name] for name in order}), *(_section(n, everything[n]) for n in order)]
    return "\n".join(sections)


def written(text: str) -> str:
    """The document with that between its marks."""
    head, dummy, rest = text.partition(START)
    return f"{head}{START}{rendered()}{END}{rest.partition(END)[2]}"


def _contents(everything: Mapping[str, Preset]) -> str:
    lines = ["| preset | named at | parameters | risks to accept |", "|---|---|---|---|"]
    for name, preset in everything.items():
        where = "an account" if is_for_accounts(preset) else "an entry of `tokens` or `volumes`"
        parameters = ", ".join(f"`{key}`" for key in preset.get("parameters") or ())
        lines.append(f"| [`{name}`](#{name}) | {where} | {parameters} | {_words(preset.get('risks') or ())} |")
    return "\n".join(lines) + "\n"


def _section(name: str, preset: Preset) -> str:
    body = _of_grants(preset) if is_for_accounts(preset) else _of_entries(preset)
    return "\n".join([f"## {name}\n", f"{preset['description']}\n", *_parameters(preset), *body])


def _parameters(preset: Preset) -> Iterator[str]:
    for key, told in (preset.get("parameters") or {}).items():
        default = f"; {_DEFAULTS[told['default']]} if not said" if "default" in told else ""
        yield f"`{key}`: {told['description']}{default}.\n"


def _of_grants(preset: Preset) -> Iterator[str]:
    yield "| may | of | in | for | source |\n|---|---|---|---|---|"
    for grant in preset["grants"]:
        where = "the whole cluster" if grant.get("cluster_wide") else f"`{grant['namespace']}`"
        for rule in grant.get("rules") or ():
            what = _words(rule.get("resources") or rule["non_resource_urls"])
            named = f" named {_words(rule['resource_names'])}" if rule.get("resource_names") else ""
            yield _row(_words(rule["verbs"]), what + named, where, rule)
        if grant.get("cluster_role"):
            yield _row("what the cluster role says", f"`{grant['cluster_role']}`", where, grant)
    yield f"\nMay not, among others: {_words(preset['access']['cannot'], '; ')}.\n"
    if preset.get("left_out"):
        yield "Left out:\n"
        yield from (f"- {text}" for text in preset["left_out"])
        yield ""


def _row(verbs: str, what: str, where: str, told: Mapping[str, str]) -> str:
    return f"| {verbs} | {what} | {where} | {told['why']} | [{_host(told['source'])}]({told['source']}) |"


def _of_entries(preset: Preset) -> Iterator[str]:
    volume = preset["volumes"]
    token = volume["sources"][0]["token"]
    yield "| entry | gets |\n|---|---|"
    yield f"| `tokens` | `audiences`: {_words(preset['tokens']['audiences'])} |"
    yield (
        f"| `volumes` | the file `{volume['mount_path']}/{token['path']}` in the volume `{volume['volume_name']}`, "
        f"a token for `{token['audience']}` and {token['expiration_seconds']} seconds |"
    )
    yield f"\nSource: [{_host(preset['source'])}]({preset['source']}).\n"


def _host(source: str) -> str:
    """What the source is, by its address."""
    host, dummy, path = source.removeprefix("https://").partition("/")
    return "/".join(path.split("/")[:2]) if host == "github.com" else host


def _words(words: Any, glue: str = ", ") -> str:
    return glue.join(f"`{word}`" for word in words)


if __name__ == "__main__":
    DOCUMENT.write_text(written(DOCUMENT.read_text("utf-8")), "utf-8")
