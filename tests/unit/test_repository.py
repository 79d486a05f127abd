# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is said in two places, or agreed for all files: that it is still the same, and still kept."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from tools.checkout import ROOT, project_files
from tools.scenarios import expected

FILES = sorted(project_files())
PLUGINS = ROOT / "plugins"
GALAXY = yaml.safe_load((ROOT / "galaxy.yml").read_text())
COLLECTION = f"{GALAXY['namespace']}.{GALAXY['name']}"
MODULES = sorted((PLUGINS / "modules").glob("*.py"))
CONNECTING = [path for path in MODULES if path.stem not in ("account_items", "awx_credential_plan", "migration_plan")]
ROLES = sorted(path for path in (ROOT / "roles").glob("*") if path.is_dir())

# Who may import whom in plugins/module_utils: a file only from its own layer and those above it in this table. A new
# file is added here first.
LAYERS = (
    # knowledge: no input, no output, no Ansible
    {
        "_access_desired",
        "_access_entries",
        "_awx_credential",
        "_causes",
        "_choice",
        "_claims",
        "_cluster_connection",
        "_cluster_report",
        "_consumers",
        "_doubts",
        "_durations",
        "_errors",
        "_escalation",
        "_findings",
        "_generations",
        "_granting",
        "_headers",
        "_kinds",
        "_kubeconfig",
        "_legacy_rows",
        "_lifetime",
        "_lists",
    }
    | {"_names", "_namespaces", "_plan", "_pod_diagnosis", "_pod_templates", "_pod_tokens", "_projection"}
    | {"_projection_rules", "_rbac", "_redact", "_remedies", "_risk_patterns", "_risks", "_rollout", "_scopes"}
    | {"_secret_formats", "_secret_references", "_served", "_shape", "_token_info", "_token_secrets"}
    | {"_volume_risks", "_yaml"},
    # input and output
    {"_api", "_auth", "_client", "_exec", "_failures", "_files", "_obstacles", "_pool", "_transport", "_websocket"},
    # what use cases are made with
    {"_access_reviews", "_bulk", "_converge", "_discovery", "_entry", "_inside", "_policy", "_reviews", "_sets"}
    | {"_live_account", "_rollout_wait", "_tracking", "_workloads"},
    # the places of a token
    {"_file_sink", "_kubeconfig_sink", "_secret_sink", "_sinks", "_tenants", "_workshop"},
    # the life of a token
    {"_binders", "_bound", "_handles", "_keeping", "_minting", "_revoking", "_token_desired"},
    # the life of a long-lived token
    {"_legacy_desired", "_legacy_ending", "_legacy_keeping", "_legacy_ledger", "_legacy_secrets"},
    # grants
    {"_grant_desired", "_grant_difference", "_grant_plan", "_grant_risks"},
    # volumes
    {"_volume_desired", "_volume_plan"},
    # the Secrets that workloads use
    {"_repoint_desired", "_repoint_plan"},
    # use cases: one for each module
    {"_access", "_binding", "_diagnosis", "_inventory", "_legacy_token", "_namespace_list", "_repoint"}
    | {"_service_account", "_token", "_volume"},
    # all use cases from one list
    {"_account_kinds", "_account_summary", "_accounts", "_migration", "_migration_report", "_migration_state"}
    | {"_presets", "_selection"},
)
_USE_CASES = LAYERS[-2]
# What the plugins may import of all that.
PLUGINS_MAY_IMPORT = {
    "modules": _USE_CASES | {"_entry"},
    "action": _USE_CASES
    | {"_account_kinds", "_accounts", "_entries", "_errors", "_here", "_lists", "_migration", "_migration_report"}
    | {"_awx_credential", "_migration_state", "_names", "_plain", "_preset_files", "_selection", "_shape"},
    "plugin_utils": {"_client", "_entry", "_errors", "_lists", "_plain"},
    "filter": {
        "_account_summary",
        "_accounts",
        "_claims",
        "_cluster_connection",
        "_cluster_report",
        "_errors",
        "_plain",
    }
    | {"_projection", "_projection_rules", "_shape", "_volume_risks"},
}
# Libraries that only the named files may import, so that one file shows how each is used.
CONFINED = {
    "kubernetes": {"_client"},
    "urllib3": {"_client", "_failures", "_pool", "_transport"},
    "ansible": {"_auth", "_entry"},
}
# Modules of the standard library that have no place in knowledge.
IMPURE = {"os", "pathlib", "shutil", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "urllib.request"}

HEADER = [
    "# Copyright: (c) 2026, tokenwright contributors",
    "# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)",
    "# SPDX-License-Identifier: GPL-3.0-or-later",
]


def test_the_version_is_told_once_or_everywhere_the_same() -> None:
    version = GALAXY["version"]
    assert not re.search(r"^\[project\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    released = ROOT / "changelogs/changelog.yaml"
    releases = yaml.safe_load(released.read_text())["releases"] if released.exists() else {}
    fragment = ROOT / f"changelogs/fragments/{version}.yml"
    assert version in releases or "release_summary" in yaml.safe_load(fragment.read_text())


def test_a_module_has_an_action_plugin_and_belongs_to_the_action_group_if_it_connects() -> None:
    groups = yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["action_groups"]
    assert list(groups) == ["k8s_sa"]
    assert set(groups["k8s_sa"]) == {path.stem for path in CONNECTING}
    assert {path.stem for path in (PLUGINS / "action").glob("*.py")} == {path.stem for path in MODULES}


@pytest.mark.parametrize("module", CONNECTING, ids=lambda path: path.stem)
def test_a_module_says_its_group_and_since_when_it_exists(module: Path) -> None:
    documentation = _documentation(module)
    assert documentation["version_added"]
    attributes = _attributes(documentation)
    assert attributes["action_group"]["membership"] == [f"{COLLECTION}.k8s_sa"]
    assert {"check_mode", "diff_mode", "idempotent"} <= attributes.keys()


def test_the_execution_environment_installs_what_the_modules_require() -> None:
    dependencies = yaml.safe_load((ROOT / "meta/execution-environment.yml").read_text())["dependencies"]
    assert dependencies == {"python": "requirements.txt", "system": "bindep.txt"}
    assert {"kubernetes", "PyYAML"} == {requirement.name for requirement in _requirements("requirements.txt")}
    assert (ROOT / "bindep.txt").is_file()


def test_everything_the_tests_install_is_pinned_once_and_is_a_version_that_we_support() -> None:
    pins = _requirements("tests/constraints.txt")
    applying = [pin for pin in pins if pin.marker is None or pin.marker.evaluate()]
    versions = {_normalized(pin.name): next(iter(pin.specifier)).version for pin in applying}
    assert len(versions) == len(applying)
    assert {str(pin.specifier)[:2] for pin in pins} == {"=="}
    for requirement in _requirements("tests/requirements.txt"):
        assert _normalized(requirement.name) in versions
        assert not requirement.specifier, f"the version of {requirement.name} belongs in tests/constraints.txt"
    for requirement in _requirements("requirements.txt"):
        assert requirement.specifier.contains(versions[_normalized(requirement.name)])
    supported = Requirement(
        "ansible-core" + yaml.safe_load((ROOT / "meta/runtime.yml").read_text())["requires_ansible"]
    )
    assert supported.specifier.contains(versions["ansible-core"])


def test_there_are_roles() -> None:
    assert {"legacy_tokens", "projected_tokens", "service_accounts"} <= {role.name for role in ROLES}


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_says_what_it_is_and_what_each_of_its_variables_does(role: Path) -> None:
    explained = set(re.findall(r"`(\w+)`", (role / "README.md").read_text()))
    assert {variable for _entry_point, variable, _option in _role_options(role)} - explained == set()
    about = yaml.safe_load((role / "meta/main.yml").read_text())["galaxy_info"]
    assert about["description"]
    for specification in _entry_points(role).values():
        assert specification["version_added"]
        assert specification["short_description"]
        assert specification["description"]


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_defaults_what_it_specifies_at_every_entry_point(role: Path) -> None:
    defaults = role / "defaults/main.yml"
    given = yaml.safe_load(defaults.read_text()) or {} if defaults.exists() else {}
    options = _role_options(role)
    specified = {variable: option["default"] for _entry_point, variable, option in options if "default" in option}
    assert given == specified
    # a variable is the same at each entry point that takes it
    other = [
        f"{variable} of {entry_point}"
        for entry_point, variable, option in options
        if option.get("default") != specified.get(variable)
    ]
    assert other == []
    required = {variable for _entry_point, variable, option in options if option.get("required")}
    assert required.isdisjoint(given)


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_the_variables_of_a_role_are_named_after_it_or_its_entry_point(role: Path) -> None:
    options = _role_options(role)
    prefixes = [(f"{role.name}_", f"{entry_point}_") for entry_point, _variable, _option in options]
    assert [one[1] for one, prefix in zip(options, prefixes, strict=True) if not one[1].startswith(prefix)] == []


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_what_can_be_run_of_a_role_is_specified(role: Path) -> None:
    files = {path.stem: path.read_text() for path in (role / "tasks").glob("*.yml")}
    parts = {
        name
        for text in files.values()
        for name in re.findall(r"(?:import|include)_tasks: (\w+)\.yml$", text, re.MULTILINE)
    }
    assert parts <= files.keys()
    assert files.keys() - parts == _entry_points(role).keys()


@pytest.mark.parametrize("role", ROLES, ids=lambda path: path.name)
def test_a_role_has_a_scenario(role: Path) -> None:
    scenario = ROOT / "extensions/molecule" / role.name
    steps = {step for name, step in expected([role.name]) if name == role.name}
    assert steps == {"prepare", "converge", "idempotence", "verify", "cleanup"}
    assert [step for step in steps - {"idempotence"} if not (scenario / f"{step}.yml").is_file()] == []
    assert f"{COLLECTION}.{role.name}\n" in (scenario / "converge.yml").read_text()
    # whether it did is not asked of the collection itself
    assert COLLECTION not in (scenario / "verify.yml").read_text()


def test_nothing_is_excused_from_the_sanity_tests() -> None:
    assert [name for name in FILES if name.match("tests/sanity/*")] == []


@pytest.mark.parametrize(
    "pattern",
    [
        pytest.param(r"(?<![\w.$}-])/(?:work|root|farm)/", id="path of one machine"),
        pytest.param(r"\beyJ[\w-]{10,}\.[\w-]{10,}\.", id="token"),
        pytest.param(r"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+[A-Za-z0-9+/=]{40}", id="private key"),
    ],
)
def test_no_file_holds_a(pattern: str) -> None:
    forbidden = re.compile(pattern)
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name in FILES}
    assert [f"{name}: {found[0]}" for name, text in texts.items() for found in forbidden.finditer(text)] == []


def test_every_source_file_begins_with_its_license() -> None:
    sources = [name for name in FILES if name.parts[0] in ("plugins", "tests") and name.suffix in (".py", ".sh")]
    assert sources
    assert [str(name) for name in sources if not _begins_with_header(ROOT / name)] == []


def test_module_utils_import_only_what_lies_below_them() -> None:
    layer_of = {name: number for number, layer in enumerate(LAYERS) for name in layer}
    sources = {path.stem: path for path in (PLUGINS / "module_utils").glob("*.py")}
    assert layer_of.keys() == sources.keys()
    upward = [
        f"{name} imports {imported}"
        for name, path in sources.items()
        for imported in _siblings(path)
        if layer_of.get(imported, len(LAYERS)) > layer_of[name]
    ]
    assert upward == []


def test_libraries_are_imported_only_where_they_belong() -> None:
    found = [
        f"{path.stem} imports {library}"
        for path in (PLUGINS / "module_utils").glob("*.py")
        for library in _libraries(path)
        if (library in CONFINED and path.stem not in CONFINED[library])
        or (library in IMPURE and path.stem in LAYERS[0])
    ]
    assert found == []


@pytest.mark.parametrize("folder", PLUGINS_MAY_IMPORT)
def test_plugins_see_only_use_cases_and_the_way_to_run_them(folder: str) -> None:
    sources = sorted((PLUGINS / folder).glob("*.py"))
    allowed = PLUGINS_MAY_IMPORT[folder]
    assert sources
    assert [f"{path.stem} imports {name}" for path in sources for name in _siblings(path) if name not in allowed] == []


def test_the_artefact_holds_the_project_and_nothing_else(tmp_path: Path) -> None:
    program = Path(sys.executable).with_name("ansible-galaxy")
    subprocess.run([program, "collection", "build", ROOT, "--output-path", tmp_path], check=True, capture_output=True)
    with tarfile.open(tmp_path / f"{COLLECTION.replace('.', '-')}-{GALAXY['version']}.tar.gz") as artefact:
        packed = {Path(member.name) for member in artefact.getmembers() if member.isfile()}
    generated = {Path("MANIFEST.json"), Path("FILES.json")}
    assert packed - generated == set(FILES) - {Path("galaxy.yml")}


def _entry_points(role: Path) -> dict[str, Any]:
    """What a role says of each of its entry points."""
    specified: dict[str, Any] = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]
    return specified


def _role_options(role: Path) -> list[tuple[str, str, dict[str, Any]]]:
    """Every variable of a role: the entry point that takes it, its name and what is said about it."""
    return [
        (entry_point, variable, option)
        for entry_point, specification in _entry_points(role).items()
        for variable, option in specification["options"].items()
    ]


def _documentation(module: Path) -> dict[str, Any]:
    """The DOCUMENTATION of a module, read without importing it."""
    documentation: dict[str, Any] = _yaml_constants(module)["DOCUMENTATION"]
    return documentation


def _attributes(documentation: dict[str, Any]) -> dict[str, Any]:
    """The attributes of a module with those of its doc fragments, the module's own winning."""
    attributes: dict[str, Any] = {}
    for reference in documentation.get("extends_documentation_fragment", []):
        if reference.startswith(f"{COLLECTION}."):
            name, _dot, part = reference.removeprefix(f"{COLLECTION}.").partition(".")
            constants = _yaml_constants(PLUGINS / f"doc_fragments/{name}.py")
            attributes |= constants[part.upper() or "DOCUMENTATION"].get("attributes", {})
    attributes |= documentation.get("attributes", {})
    return attributes


def _yaml_constants(path: Path) -> dict[str, Any]:
    """Every assignment of a string in a file, in classes too, taken as YAML."""
    assignments = (node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Assign))
    return {
        target.id: yaml.safe_load(node.value.value)
        for node in assignments
        for target in node.targets
        if isinstance(target, ast.Name) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
    }


def _requirements(name: str) -> list[Requirement]:
    lines = (line.partition("#")[0].strip() for line in (ROOT / name).read_text().splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith("-")]


def _normalized(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def _begins_with_header(path: Path) -> bool:
    lines = path.read_text().splitlines()
    if lines and lines[0] in ("#!/usr/bin/python", "#!/bin/sh"):
        lines = lines[2:] if lines[1] == "" else lines[1:]
    return lines[:3] == HEADER


def _imports(path: Path) -> Iterator[str]:
    """What a file imports, as dotted names: of `from a import b` both `a` and `a.b`; a leading dot is kept."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * bool(node.level) + (node.module or "")
            yield origin
            yield from (f"{origin}.{name.name}" for name in node.names)


def _siblings(path: Path) -> set[str]:
    """The files of this collection that a file imports, by their names."""
    known = {file.stem for folder in ("module_utils", "plugin_utils") for file in (PLUGINS / folder).glob("*.py")}
    own = (name for name in _imports(path) if name.startswith((".", "ansible_collections.tokenwright.")))
    return {word for name in own for word in name.split(".") if word in known}


def _libraries(path: Path) -> set[str]:
    """What a file imports from elsewhere: the dotted names and their first words."""
    names = {name for name in _imports(path) if not name.startswith(".")}
    return names | {name.partition(".")[0] for name in names}
