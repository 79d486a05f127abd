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
from pathlib import Path

from cluster.files import exclusive, lock_beside, private_directory
from cluster.kit import KitError, cache_directory, progress, tail
from cluster.pins import PACKAGES, Pins, pins_for
from cluster.toolchain import Go, find_go

ENVTEST = ("etcd", "kube-apiserver", "kubectl")
# A vendor directory or a -mod in the user's GOFLAGS must not change what is built; nor must the repository around it.
_FLAGS = ("-trimpath", "-buildvcs=false", "-mod=readonly")


def programs(kubernetes: str | None = None) -> dict[str, Path]:
    """Every program of a cluster by name; built if they are not there yet.

    Programs in ``KUBEBUILDER_ASSETS`` are used as they are, and what is missing there is built in their version.
    """
    assets = _assets(kubernetes)
    if not assets:
        return _built(kubernetes, tuple(PACKAGES))
    missing = tuple(name for name in PACKAGES if name not in assets)
    return {**assets, **(_built(_version_of(assets["kube-apiserver"]), missing) if missing else {})}


def _assets(kubernetes: str | None) -> dict[str, Path]:
    directory = os.environ.get("KUBEBUILDER_ASSETS")
    if not directory:
        return {}
    found = {name: Path(directory).resolve() / name for name in PACKAGES}
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


def _built(kubernetes: str | None, names: Sequence[str]) -> dict[str, Path]:
    pins = pins_for(kubernetes)
    go = find_go(pins.go)
    directory = cache_directory() / "bin" / f"{pins.kubernetes}-{_key(pins, go)}"
    paths = {name: directory / name for name in names}
    if not _missing(paths):
        return paths
    waiting = "waiting for somebody else's build of the same programs"
    with exclusive(lock_beside(directory), lambda: progress(waiting)):
        if missing := _missing(paths):
            _build_all(pins, go, directory, missing)
    return paths


def program_of(source: Path) -> Path:
    """The program that this one Go file is, built with the modules of the committed pins; kept by its content."""
    pins = pins_for(None)
    go = find_go(pins.go)
    directory = cache_directory() / "bin" / f"{source.stem}-{_key(pins, go, source.read_text())}"
    path = directory / source.stem
    with exclusive(lock_beside(directory)):
        if not path.exists():
            progress(f"building {source.name} with {go.release}")
            private_directory(directory)
            _build(pins, go, path, str(source))
    return path


def _missing(paths: dict[str, Path]) -> list[str]:
    return [name for name, path in paths.items() if not path.exists()]


def _key(pins: Pins, go: Go, *sources: str) -> str:
    """A hash of everything that decides what comes out of the build."""
    texts = [*sources, *_FLAGS, _ldflags(pins.kubernetes), go.release, go.platform]
    texts += [(pins.directory / name).read_text() for name in ("go.mod", "go.sum")]
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:16]


def _ldflags(kubernetes: str) -> str:
    """Both packages need the version: otherwise /version, or the user agent, says v0.0.0-master."""
    minor = kubernetes.split(".")[1]
    values = {
        "gitVersion": f"v{kubernetes}", "gitMajor": "1", "gitMinor": minor, "gitCommit": f"v{kubernetes}",
        "gitTreeState": "clean", "buildDate": "1970-01-01T00:00:00Z",
    }  # fmt: skip
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    settings = (f"-X {package}.{name}={value}" for package in packages for name, value in values.items())
    return " ".join(["-s -w", *settings])


def _build_all(pins: Pins, go: Go, directory: Path, names: Sequence[str]) -> None:
    private_directory(directory)
    progress(
        f"building Kubernetes {pins.kubernetes} from source with {go.release}: {', '.join(names)}\n"
        "this is done once; the first time it usually takes 5 minutes on two cores (and 4 GB of Go's caches)"
    )
    start = time.monotonic()
    for number, name in enumerate(names, 1):
        progress(f"[{number}/{len(names)}] {name} ...")
        began = time.monotonic()
        _build(pins, go, directory / name, PACKAGES[name])
        progress(f"[{number}/{len(names)}] {name} built in {time.monotonic() - began:.0f} s")
    progress(f"built in {time.monotonic() - start:.0f} s; kept in {directory}")


def _build(pins: Pins, go: Go, path: Path, package: str) -> None:
    temporary = Path(tempfile.mkdtemp(dir=path.parent, prefix=".building-"))
    try:
        output = temporary / path.name
        arguments = ["build", *_FLAGS, "-ldflags", _ldflags(pins.kubernetes), "-o", str(output), package]
        result = go.run(arguments, pins.directory)
        if result.returncode:
            what = f"{path.name} of Kubernetes {pins.kubernetes} with {go.release}"
            raise KitError(f"Building {what} failed; the end of the compiler's output:\n{tail(result.stderr)}")
        output.rename(path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
