# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of cluster.py. Standard library only, until it is known that the rest is there."""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from cluster.build import node_programs, programs
from cluster.environments import environment, has_pinned
from cluster.kit import HERE, KitError, cache_directory, progress
from cluster.pins import CONTROL_PLANE, NODE, make_pins
from cluster.processes import supervised, this_process

if TYPE_CHECKING:
    from cluster.controlplane import Cluster

_CTRL_C_PATIENCE = 30.0
_TERMINATION_PATIENCE = 10.0
_NOT_READY = 3
_EPILOG = """\
up prints "export KUBECONFIG=...", so that  eval "$(python3 tests/cluster/cluster.py up)"  is all it takes.
Programs are built once and cached. KUBEBUILDER_ASSETS, if set, names a directory with ready-made ones instead.
"""


def main(arguments: Sequence[str]) -> int:
    """Run one command; returns the exit status."""
    options = _parse(arguments)
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's doing, which is to stay
            signal.signal(number, _terminate)
    try:
        _require_linux()
        if options.action is not _pin:
            _use_own_environment(arguments)
        return int(options.action(options))
    except KitError as error:
        print(f"cluster.py: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("cluster.py: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    # By hand, because argparse's idea of "--" before a command line differs between Python versions.
    split = list(arguments).index("--") if "--" in arguments else len(arguments)
    parser = _parser()
    options = parser.parse_args(arguments[:split])
    options.argv = list(arguments[split + 1 :])
    if bool(options.argv) != (options.action is _run):
        parser.error("a command after -- belongs to run, and to run only")
    return options


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cluster.py",
        description="A real Kubernetes control plane on loopback, with a node if wanted.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def add(name: str, text: str, *parents: argparse.ArgumentParser) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text, parents=parents)
        command.set_defaults(action=_ACTIONS[name])
        return command

    version, place, flags, node = _version_option(), _directory_option(), _flag_option(), _node_option()
    add("build", "build the programs, if that has not been done", version, node)
    add("up", "start the cluster, or what of it does not run", place, version, flags, node)
    add("down", "stop it; its state stays", place).add_argument("--purge", action="store_true", help="remove its state")
    add("status", f"show its processes; the exit status is 0 if all are ready, else {_NOT_READY}", place)
    add("stop", "stop one process; its state and port stay", place).add_argument("process")
    add("start", "start one process as it was before", place).add_argument("process")
    run = "start it, run -- COMMAND... with KUBECONFIG set and kubectl on PATH, stop it, exit like the command"
    add("run", run, place, version, flags, node)
    add("pin", "write go.mod and go.sum for another Kubernetes version").add_argument("version")
    return parser


def _version_option() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    parent.add_argument("--kubernetes", metavar="V", help="the version, like 1.35.4 (default: the pinned one)")
    return parent


def _directory_option() -> argparse.ArgumentParser:
    parent, default = argparse.ArgumentParser(add_help=False), cache_directory() / "cluster"
    parent.add_argument("--dir", type=Path, default=default, help="where its state is (default: %(default)s)")
    return parent


def _node_option() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    text = "also what runs Pods (those with hostNetwork), as root: kube-scheduler, containerd, kubelet, three images"
    parent.add_argument("--node", action="store_true", help=text)
    return parent


def _flag_option() -> argparse.ArgumentParser:
    parent = argparse.ArgumentParser(add_help=False)
    example = "--apiserver-flag=--service-account-max-token-expiration=1h"
    parent.add_argument(
        "--apiserver-flag",
        metavar="F",
        action="append",
        default=[],
        type=lambda text: "--" + text.lstrip("-"),
        dest="apiserver_flags",
        help=f"like {example}; replaces the kit's flag of that name; may be repeated",
    )
    return parent


def _require_linux() -> None:
    if sys.platform != "linux":
        raise KitError("The cluster kit needs Linux (it relies on /proc): run it in a Linux machine or container.")


def _use_own_environment(arguments: Sequence[str]) -> None:
    """Go on in an interpreter that has what the kit needs; return if this one does."""
    if has_pinned("cryptography"):
        return
    python = environment("cryptography") / "bin" / "python"
    os.execv(python, [str(python), str(HERE / "cluster.py"), *arguments])  # noqa: S606 - the same program once more


def _terminate(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def _build(options: argparse.Namespace) -> int:
    built = {**programs(options.kubernetes), **(_built_for_a_node(options.kubernetes) if options.node else {})}
    for name, path in built.items():
        progress(f"{name}: {path}")
    return 0


def _built_for_a_node(kubernetes: str | None) -> dict[str, Path]:
    from cluster.images import images  # noqa: PLC0415 - needs cryptography, and that is certain only now
    from cluster.requirements import why_no_node  # noqa: PLC0415 - the same

    if reason := why_no_node():
        progress(f"nothing is built for a node, which cannot run here: {reason}")
        return {}
    return {**node_programs(kubernetes), "images": images()}


def _pin(options: argparse.Namespace) -> int:
    for family in (CONTROL_PLANE, NODE):
        make_pins(options.version, family.committed, family)
    return 0


def _cluster(options: argparse.Namespace, *, owned: bool = False) -> Cluster:
    from cluster.controlplane import Cluster  # noqa: PLC0415 - needs cryptography, and that is certain only now

    flags, kubernetes = getattr(options, "apiserver_flags", ()), getattr(options, "kubernetes", None)
    return Cluster(options.dir, flags, kubernetes=kubernetes, owned=owned, node=getattr(options, "node", False))


def _up(options: argparse.Namespace) -> int:
    cluster = _cluster(options)
    cluster.up()
    print(f"export KUBECONFIG={shlex.quote(str(cluster.kubeconfig))}")
    return 0


def _down(options: argparse.Namespace) -> int:
    _cluster(options).down(purge=options.purge)
    return 0


def _stop(options: argparse.Namespace) -> int:
    _cluster(options).stop(options.process)
    return 0


def _start(options: argparse.Namespace) -> int:
    _cluster(options).start(options.process)
    return 0


def _status(options: argparse.Namespace) -> int:
    statuses = _cluster(options).status()
    for status in statuses:
        print(f"{status.name:25} {status.state:10} pid {status.pid or '-':<8} port {status.port or '-'}")
    return 0 if all(status.state == "ready" for status in statuses) else _NOT_READY


def _run(options: argparse.Namespace) -> int:
    if not shutil.which(options.argv[0]):
        raise KitError(f"There is no command {options.argv[0]!r} to run: check its name and PATH.")
    with _cluster(options, owned=True) as cluster:
        path = os.pathsep.join([str(cluster.programs), os.environ.get("PATH", os.defpath)])
        variables = {**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": path}
        return _wait(subprocess.Popen(supervised(tuple(options.argv), this_process()), env=variables))


def _wait(child: subprocess.Popen[bytes]) -> int:
    try:
        return child.wait()
    except KeyboardInterrupt:
        # The terminal sends Ctrl-C to the command as well, which may have things to put in order.
        return _wait_or_kill(child, _CTRL_C_PATIENCE)
    except SystemExit:
        child.terminate()
        _wait_or_kill(child, _TERMINATION_PATIENCE)
        raise


def _wait_or_kill(child: subprocess.Popen[bytes], seconds: float) -> int:
    try:
        return child.wait(seconds)
    except subprocess.TimeoutExpired:
        child.kill()
        return child.wait()
    except (KeyboardInterrupt, SystemExit):
        child.kill()
        child.wait()
        raise


_ACTIONS = {
    "build": _build,
    "up": _up,
    "down": _down,
    "status": _status,
    "stop": _stop,
    "start": _start,
    "run": _run,
    "pin": _pin,
}
