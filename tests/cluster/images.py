# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Container images without a registry, made of programs of this machine.

``localhost/pause:1`` is for the kubelet, ``localhost/shell:1`` has a shell and what goes with it, ``localhost/app:1``
also the Python that runs the kit, and requests. A program brings the shared libraries that it is linked with.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import io
import json
import os
import platform
import re
import shutil
import stat
import subprocess
import sys
import sysconfig
import tarfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cluster.environments import environment, has_pinned
from cluster.files import exclusive, lock_beside, private_directory, write_private
from cluster.kit import KitError, cache_directory, progress, tail
from cluster.node import SOCKET, NodeFiles, entered

PAUSE, SHELL, APP = "localhost/pause:1", "localhost/shell:1", "localhost/app:1"

_PROGRAMS = ("sh", "cat", "date", "env", "id", "ls", "mkdir", "mv", "rm", "sleep", "stat", "touch", "true")
# requests, and what it says it requires
_LIBRARIES = ("requests", "urllib3", "idna", "certifi", "charset-normalizer")
_LIBRARIES_AT = PurePosixPath("app")
# Of the standard library: what no program that serves needs, and what is not part of it.
_LEFT_OUT = {"dist-packages", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "tkinter", "turtledemo"}
_ACCOUNTS = "root:x:0:0::/:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}

# The files of this machine by their places in an image.
Files = dict[PurePosixPath, Path]


@dataclass(frozen=True)
class Layer:
    """A layer before it is one; ``links`` are symbolic links."""

    files: Files
    libraries: Files
    links: Mapping[str, Path]


def images() -> Path:
    """An archive that ``ctr images import`` takes, with all images; made if what it is made of has changed."""
    shell, app = _shell(), _app()
    path = cache_directory() / "images" / f"{_key(shell, app)}.tar"
    with exclusive(lock_beside(path)):
        if not path.exists():
            progress("making the images of Pods from the programs of this machine")
            _write(path, shell, app)
    return path


def load(archive: Path, files: NodeFiles, ctr: Path) -> None:
    """Put the images into the store of a node, unless that has been done."""
    if files.imported.exists() and files.imported.read_text() == archive.stem:
        return
    # In the namespace in which the kubelet asks for them; containerd itself would unpack for overlayfs only.
    options = ["--address", SOCKET, "--namespace", "k8s.io"]
    command = entered(
        files, [ctr, *options, "images", "import", "--local", "--snapshotter", files.snapshotter, archive]
    )
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=files.directory)
    if done.returncode:
        raise KitError(f"containerd did not take the images in {archive}; it said:\n{tail(done.stderr)}")
    write_private(files.imported, archive.stem)


def _shell() -> Layer:
    found = {name: shutil.which(name, path=os.defpath) or shutil.which(name) for name in _PROGRAMS}
    if missing := [name for name, path in found.items() if path is None]:
        raise KitError(f"No images can be made here, for want of the programs {', '.join(missing)}: install them.")
    # What they really are: a link to busybox goes by the name that it is called by.
    programs = {PurePosixPath("bin", name): Path(str(path)).resolve() for name, path in found.items()}
    return Layer(programs, _linked(programs.values()), {})


def _app() -> Layer:
    """The Python that runs this, where it is on this machine too, since it knows its place; libraries below /app."""
    program = Path(sys.executable).resolve()
    standard = {Path(sysconfig.get_path(name)) for name in ("stdlib", "platstdlib")}
    files = {_place(program): program}
    files |= {_place(path): path for directory in standard for path in _standard_library(directory)}
    files |= _libraries()
    linked = _linked([program, *(path for path in files.values() if path.suffix == ".so")])
    return Layer(files, linked, {"bin/python3": program})


def _standard_library(directory: Path) -> Iterator[Path]:
    compiled = f".{sys.implementation.cache_tag}.pyc"
    for root, names, files in os.walk(directory):
        names[:] = [name for name in names if name not in _LEFT_OUT and not name.startswith("config-")]
        yield from (Path(root, name) for name in files if name.endswith((".py", ".so", compiled)))


def _libraries() -> Files:
    where = _site_packages()
    files: Files = {}
    for name in _LIBRARIES:
        for distribution in importlib.metadata.distributions(name=name, path=[str(where)]):
            found = ((file, Path(str(file.locate()))) for file in distribution.files or ())
            files |= {_LIBRARIES_AT / file: path for file, path in found if ".." not in file.parts and path.is_file()}
    return files


def _site_packages() -> Path:
    if has_pinned("requests"):
        return Path(sysconfig.get_path("purelib"))
    return next((environment("requests") / "lib").glob("python3*/site-packages"))


def _linked(programs: Iterable[Path]) -> Files:
    """The shared libraries that these need, by what the dynamic loader says."""
    command = ["ldd", *map(str, programs)]
    # It fails when one of them needs no library.
    said = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    paths = re.findall(r"^\s+(?:\S+ => )?(/\S+) \(0x", said, re.MULTILINE)
    return {_place(Path(path)): Path(path).resolve() for path in paths}


def _place(path: Path) -> PurePosixPath:
    return PurePosixPath(path).relative_to("/")


def _key(*layers: Layer) -> str:
    """A hash of what the images are made of, by size and time of change, as make does it."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for layer in layers:
        for place, path in sorted({**layer.files, **layer.libraries}.items()):
            facts = path.stat()
            digest.update(f"{place}\0{path}\0{facts.st_size}\0{facts.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def _write(path: Path, shell: Layer, app: Layer) -> None:
    private_directory(path.parent)
    packed = {"shell.tar": _packed(shell), "app.tar": _packed(app)}
    sleep = ["/bin/sleep", "infinity"]
    wanted = (
        (PAUSE, _config(["shell.tar"], packed, [shell], sleep), ["shell.tar"]),
        (SHELL, _config(["shell.tar"], packed, [shell], sleep), ["shell.tar"]),
        (APP, _config(["shell.tar", "app.tar"], packed, [shell, app], ["/bin/python3"]), ["shell.tar", "app.tar"]),
    )
    manifest = [{"Config": _name(config), "RepoTags": [tag], "Layers": names} for tag, config, names in wanted]
    members = {**packed, **{_name(config): config for dummy, config, dummy_names in wanted}}
    members["manifest.json"] = json.dumps(manifest).encode()
    temporary = path.with_suffix(".part")
    with tarfile.open(temporary, "w") as archive:
        for name, data in members.items():
            _add(archive, PurePosixPath(name), data)
    temporary.rename(path)


def _config(
    names: Sequence[str], packed: Mapping[str, bytes], layers: Sequence[Layer], command: Sequence[str]
) -> bytes:
    # The loader of an image has not been told what that of this machine has in its /etc/ld.so.conf.
    places = sorted({f"/{place.parent}" for layer in layers for place in layer.libraries})
    variables = ["PATH=/bin", f"LD_LIBRARY_PATH={':'.join(places)}", f"PYTHONPATH=/{_LIBRARIES_AT}"]
    digests = [f"sha256:{hashlib.sha256(packed[name]).hexdigest()}" for name in names]
    return json.dumps(
        {
            "architecture": _ARCHITECTURES.get(platform.machine(), platform.machine()),
            "os": "linux",
            "config": {"Cmd": command, "Env": variables},
            "rootfs": {"type": "layers", "diff_ids": digests},
        }
    ).encode()


def _name(config: bytes) -> str:
    return f"{hashlib.sha256(config).hexdigest()}.json"


def _packed(layer: Layer) -> bytes:
    """A layer whose every file can be read, and every program run, by every user."""
    files, data = {**layer.files, **layer.libraries}, io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as archive:
        for directory in sorted({PurePosixPath("etc"), *(parent for place in files for parent in place.parents)}):
            _add(archive, directory, kind=tarfile.DIRTYPE)
        _add(archive, PurePosixPath("tmp"), mode=0o1777, kind=tarfile.DIRTYPE)
        _add(archive, PurePosixPath("etc/passwd"), _ACCOUNTS.encode(), mode=0o644)
        for place, path in sorted(files.items()):
            facts = path.stat()
            mode = 0o755 if facts.st_mode & stat.S_IXUSR else 0o644
            # The time tells Python whether what it compiled is still good.
            _add(archive, place, path.read_bytes(), mode=mode, time=int(facts.st_mtime))
        for name, target in layer.links.items():
            _add(archive, PurePosixPath(name), kind=tarfile.SYMTYPE, link=str(target))
    return data.getvalue()


def _add(
    archive: tarfile.TarFile,
    place: PurePosixPath,
    data: bytes = b"",
    *,
    mode: int = 0o755,
    kind: bytes = tarfile.REGTYPE,
    time: int = 0,
    link: str = "",
) -> None:
    member = tarfile.TarInfo(str(place))
    member.size, member.mode, member.type, member.mtime, member.linkname = len(data), mode, kind, time, link
    archive.addfile(member, io.BytesIO(data))
