# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The go.mod and go.sum from which a Kubernetes version is built: the committed ones, and how to make others."""

from __future__ import annotations

import json
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.files import exclusive, lock_beside, private_directory
from cluster.kit import HERE, KitError, cache_directory, progress, tail
from cluster.toolchain import Go, find_go

ETCD = "go.etcd.io/etcd/server/v3"
KUBERNETES = "k8s.io/kubernetes"
CONTAINERD = "github.com/containerd/containerd/v2"


@dataclass(frozen=True)
class Family:
    """Programs that are built from the same go.mod; ``module`` is the one whose version is theirs."""

    name: str
    product: str
    module: str
    packages: Mapping[str, str]
    cost: str

    @property
    def committed(self) -> Path:
        """Where the go.mod and the go.sum are that belong to the kit."""
        return HERE / self.name


def _commands(module: str, *names: str) -> dict[str, str]:
    return {name: f"{module}/cmd/{name}" for name in names}


# Apart, so that only who wants a node needs the modules of a node, and because containerd's versions are its own.
CONTROL_PLANE = Family(
    "controlplane",
    "Kubernetes",
    KUBERNETES,
    {"etcd": ETCD, **_commands(KUBERNETES, "kube-apiserver", "kube-controller-manager", "kubectl")},
    "5 minutes on two cores (and 4 GB of Go's caches)",
)
NODE = Family("node", "Kubernetes", KUBERNETES, _commands(KUBERNETES, "kube-scheduler", "kubelet"), "a minute or two")
RUNTIME = Family(
    "runtime",
    "containerd",
    CONTAINERD,
    _commands(CONTAINERD, "containerd", "containerd-shim-runc-v2", "ctr"),
    "a minute or two",
)


@dataclass(frozen=True)
class Pins:
    """A directory with a go.mod and a go.sum, and what they say."""

    directory: Path
    version: str
    go: str


def read_pins(directory: Path, module: str = KUBERNETES) -> Pins:
    """What the go.mod in this directory pins."""
    text = (directory / "go.mod").read_text()
    version = re.search(rf"^\s*(?:require )?{re.escape(module)} v(\S+)", text, re.MULTILINE)
    go = re.search(r"^go (\S+)", text, re.MULTILINE)
    if not version or not go:
        raise KitError(f"{directory / 'go.mod'} lacks the version of {module} or of Go: restore it from git.")
    return Pins(directory, version[1], go[1])


def pins_for(version: str | None, family: Family = CONTROL_PLANE) -> Pins:
    """The pins of a version (None: the committed one); another Kubernetes version's are derived once and cached."""
    committed = read_pins(family.committed, family.module)
    if version in (None, committed.version):
        return committed
    # The first of them had the directory to itself.
    directory = cache_directory() / "pins" / (version if family == CONTROL_PLANE else f"{version}-{family.name}")
    with exclusive(lock_beside(directory)):
        if not (directory / "go.sum").exists():
            make_pins(version, directory, family)
    return read_pins(directory)


def make_pins(kubernetes: str, directory: Path, family: Family = CONTROL_PLANE) -> None:
    """Write go.mod and go.sum for this Kubernetes version (1.36.3) into a directory."""
    if not re.fullmatch(r"1\.\d+\.\d+", kubernetes):
        raise KitError(f"{kubernetes!r} is no Kubernetes version: write it like 1.36.3.")
    progress(f"deriving go.mod and go.sum ({family.name}) for Kubernetes {kubernetes} from its own go.mod")
    go = find_go(read_pins(family.committed).go if family.committed.exists() else "1.24")
    with tempfile.TemporaryDirectory() as temporary:
        scratch = Path(temporary)
        upstream = upstream_go_mod(go, kubernetes, scratch)
        (scratch / "go.mod").write_text(go_mod(upstream, kubernetes, family))
        if ETCD in family.packages.values():
            _go(go, scratch, kubernetes, "get", f"{ETCD}@{_etcd_version(upstream)}")
        _go(go, scratch, kubernetes, "mod", "tidy")
        private_directory(directory)
        # go.sum last: its presence says that the pair is complete.
        for name in ("go.mod", "go.sum"):
            shutil.copyfile(scratch / name, directory / name)


def upstream_go_mod(go: Go, kubernetes: str, directory: Path) -> str:
    """The text of Kubernetes' own go.mod."""
    answer = _go(go, directory, kubernetes, "mod", "download", "-json", f"k8s.io/kubernetes@v{kubernetes}")
    return Path(json.loads(answer)["GoMod"]).read_text()


def replacements(upstream: str, kubernetes: str) -> list[str]:
    """The replace lines: upstream replaces its staging modules by folders; published they are v0.MINOR.PATCH."""
    modules = re.findall(r"^\s*(k8s\.io/\S+) => \./staging/", upstream, re.MULTILINE)
    version = "v0." + kubernetes.removeprefix("1.")
    return [f"{module} => {module} {version}" for module in modules]


def go_mod(upstream: str, kubernetes: str, family: Family = CONTROL_PLANE) -> str:
    """The go.mod to start from; ``go mod tidy`` adds the rest."""
    go = re.search(r"^go (\S+)", upstream, re.MULTILINE)
    if not go:
        raise KitError(f"The go.mod of Kubernetes {kubernetes} has no go line: the kit cannot tell which Go it needs.")
    head = f"module {family.name}\n\ngo {go[1]}\n\n"
    tools = _block("tool", sorted(family.packages.values()))
    required = f"\nrequire k8s.io/kubernetes v{kubernetes}\n\n"
    return head + tools + required + _block("replace", replacements(upstream, kubernetes))


def _block(keyword: str, lines: Sequence[str]) -> str:
    return f"{keyword} (\n" + "".join(f"\t{line}\n" for line in lines) + ")\n"


def _etcd_version(upstream: str) -> str:
    match = re.search(r"go\.etcd\.io/etcd/client/v3 (v\S+)", upstream)
    if not match:
        raise KitError("The go.mod of Kubernetes names no etcd client: the kit cannot tell which etcd belongs to it.")
    return match[1]


def _go(go: Go, directory: Path, kubernetes: str, *arguments: str) -> str:
    result = go.run(arguments, directory)
    if result.returncode:
        raise KitError(
            f"go {' '.join(arguments[:2])} failed for Kubernetes {kubernetes}: check that this version exists and that "
            f"the Go module proxy can be reached; it said:\n{tail(result.stderr or result.stdout)}"
        )
    return result.stdout
