# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build the programs of a cluster from pinned Go modules, once per content. Standard library only."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.files import exclusive, lock_beside, private_directory
from cluster.kit import KitError, cache_directory, progress, tail
from cluster.pins import CONTROL_PLANE, NODE, RUNTIME, Family, Pins, pins_for
from cluster.toolchain import Go, find_go

ENVTEST = ("etcd", "kube-apiserver", "kubectl")
# A vendor directory or a -mod in the user's GOFLAGS must not change what is built; nor must the repository around it.
_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")
# containerd's own names for what needs C libraries, or is of no use here.
_TAGS = {RUNTIME.name: ("-tags", "no_btrfs no_devmapper no_zfs")}


@dataclass(frozen=True)
class _Recipe:
    """How the programs of a family are built, and where they are kept."""

    family: Family
    pins: Pins
    go: Go
    flags: Sequence[str]
    directory: Path

    @property
    def product(self) -> str:
        """What is built, as people say it."""
        return f"{self.family.product} {self.pins.version}"


def programs(kubernetes: str | None = None) -> dict[str, Path]:
    """Every program of a control plane by name; built if they are not there yet.

    Programs in ``KUBEBUILDER_ASSETS`` are used as they are, and what is missing there is built in their version.
    """
    assets = _assets(kubernetes)
    if not assets:
        return _built(CONTROL_PLANE, kubernetes)
    missing = tuple(name for name in CONTROL_PLANE.packages if name not in assets)
    return {**assets, **(_built(CONTROL_PLANE, _version_of(assets["kube-apiserver"]), missing) if missing else {})}


def node_programs(kubernetes: str | None = None) -> dict[str, Path]:
    """Every program that a node needs besides, by name; built if they are not there yet."""
    assets = _assets(kubernetes)
    version = _version_of(assets["kube-apiserver"]) if assets else kubernetes
    return {**_built(NODE, version), **_built(RUNTIME, None)}


def _assets(kubernetes: str | None) -> dict[str, Path]:
    directory = os.environ.get("KUBEBUILDER_ASSETS")
    if not directory:
        return {}
    found = {name: Path(directory).resolve() / name for name in CONTROL_PLANE.packages}
    found = {name: path for name, path in found.items() if os.access(path, os.X_OK)}
    if any(name not in found for name in ENVTEST):
        progress(f"KUBEBUILDER_ASSETS={directory} is not used: it does not hold all of {', '.join(ENVTEST)}")
        return {}
    if kubernetes and kubernetes != (theirs := _version_of(found["kube-apiserver"])):
        progress(f"KUBEBUILDER_ASSETS={directory} is not used: it holds Kubernetes {theirs}, not {kubernetes}")
        return {}
    return found


def _version_of(apiserver: Path) -> str:
    result = subprocess.run([str(apiserver), "--version"], capture_output=True, text=True, check=False)
    if result.returncode or not result.stdout.startswith("Kubernetes v"):
        raise KitError(f"{apiserver} does not say its version: check that file, or unset KUBEBUILDER_ASSETS.")
    return result.stdout.split()[1].removeprefix("v")


def _built(family: Family, version: str | None, names: Sequence[str] = ()) -> dict[str, Path]:
    """These programs of a family, or all of them."""
    recipe = _recipe(family, version)
    paths = {name: recipe.directory / name for name in names or family.packages}
    if not _missing(paths):
        return paths
    waiting = "waiting for somebody else's build of the same programs"
    with exclusive(lock_beside(recipe.directory), lambda: progress(waiting)):
        if missing := _missing(paths):
            _build_all(recipe, missing)
    return paths


def program_of(source: Path) -> Path:
    """The program that this one Go file is, built with the modules of the committed pins; kept by its content."""
    recipe = _recipe(CONTROL_PLANE, None, source)
    path = recipe.directory / source.stem
    with exclusive(lock_beside(recipe.directory)):
        if not path.exists():
            progress(f"building {source.name} with {recipe.go.release}")
            private_directory(recipe.directory)
            _build(recipe, path, str(source))
    return path


def _missing(paths: dict[str, Path]) -> list[str]:
    return [name for name, path in paths.items() if not path.exists()]


def _recipe(family: Family, version: str | None, source: Path | None = None) -> _Recipe:
    pins = pins_for(version, family)
    go = find_go(pins.go)
    flags = (*_FLAGS, "-ldflags", _ldflags(family, pins.version), *_TAGS.get(family.name, ()))
    name = source.stem if source else pins.version if family == CONTROL_PLANE else f"{family.name}-{pins.version}"
    texts = [source.read_text()] if source else []
    # Everything that decides what comes out of the build.
    texts += [*(flag for flag in flags if flag != "-ldflags"), go.release, go.platform]
    texts += [(pins.directory / name).read_text() for name in ("go.mod", "go.sum")]
    key = hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]
    return _Recipe(family, pins, go, flags, cache_directory() / "bin" / f"{name}-{key}")


def _ldflags(family: Family, version: str) -> str:
    if family == RUNTIME:
        return f"-s -w -X {family.module}/version.Version={version}"
    return " ".join(["-s -w", *_kubernetes_version(version)])


def _kubernetes_version(version: str) -> list[str]:
    """Both packages need the version: otherwise /version, or the user agent, says v0.0.0-master."""
    values = {
        "gitVersion": f"v{version}", "gitMajor": "1", "gitMinor": version.split(".")[1], "gitCommit": f"v{version}",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
    }  # fmt: skip
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    return [f"-X {package}.{name}={value}" for package in packages for name, value in values.items()]


def _build_all(recipe: _Recipe, names: Sequence[str]) -> None:
    private_directory(recipe.directory)
    progress(
        f"building {recipe.product} from source with {recipe.go.release}: {', '.join(names)}\n"
        f"this is done once; the first time it usually takes {recipe.family.cost}"
    )
    start = time.monotonic()
    for number, name in enumerate(names, 1):
        progress(f"[{number}/{len(names)}] {name} ...")
        began = time.monotonic()
        _build(recipe, recipe.directory / name, recipe.family.packages[name])
        progress(f"[{number}/{len(names)}] {name} built in {time.monotonic() - began:.0f} s")
    progress(f"built in {time.monotonic() - start:.0f} s; kept in {recipe.directory}")


def _build(recipe: _Recipe, path: Path, package: str) -> None:
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=".building-"))
    try:
        output = temporary / path.name
        result = recipe.go.run(["build", *recipe.flags, "-o", str(output), package], recipe.pins.directory)
        if result.returncode:
            what = f"{path.name} of {recipe.product} with {recipe.go.release}"
            raise KitError(f"Building {what} failed; the end of the compiler's output:\n{tail(result.stderr)}")
        output.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
