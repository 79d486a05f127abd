# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs `ansible-test sanity` without Docker, for the Python that runs this file; arguments are passed on.

Three things stand in its way. It wants to be below ansible_collections: it gets a copy of the checkout. It downloads
get-pip from the Ansible project's CI host: a stand-in asks Python's own ensurepip instead. It drops nearly the whole
environment, and with it how pip is set up here: a pip.conf says it again. All of it goes below .cache; with HOME
pointing there, ~/.ansible stays as it was.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

HERE = Path(__file__).resolve().parent
HOME = HERE.parents[1] / ".cache/home"

GET_PIP = """\
import runpy
import subprocess
import sys

# Not ensurepip.bootstrap(): that would switch off the pip configuration for this whole process.
subprocess.run([sys.executable, "-m", "ensurepip"], check=True, stdout=subprocess.DEVNULL)
sys.argv = ["pip", "install"] + [word for word in sys.argv[1:] if word not in ("--no-setuptools", "--no-wheel")]
runpy.run_module("pip", run_name="__main__", alter_sys=True)
"""


def main(arguments: list[str]) -> int:
    """Prepare the copy and the home directory, run the tests and say what could not be tested."""
    prepare_home()
    staging = [sys.executable, str(HERE / "checkout.py"), "stage"]
    stage = subprocess.run(staging, check=False, stdout=subprocess.PIPE, text=True)
    if stage.returncode != 0:
        return stage.returncode
    ansible_test = Path(sys.executable).with_name("ansible-test")
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    status = subprocess.run(
        [ansible_test, "sanity", "--python", version, *arguments],
        cwd=stage.stdout.strip(),
        env={**os.environ, "HOME": str(HOME)},
        check=False,
    )
    if not arguments and not shutil.which("shellcheck"):
        print("skipped: the sanity test shellcheck, for want of shellcheck on PATH")
    return status.returncode


def prepare_home() -> None:
    """Make a home directory with the get-pip stand-in and the pip settings of the real one."""
    cache = HOME / ".ansible/test/cache"
    cache.mkdir(parents=True, exist_ok=True)
    (cache / f"get_pip_{wanted_pip().replace('.', '_')}.py").write_text(GET_PIP)
    # Two files that pip reads one after the other: the user's, and what the environment says.
    settings = HOME / ".config/pip"
    settings.parent.mkdir(exist_ok=True)
    settings.unlink(missing_ok=True)
    settings.symlink_to(Path.home() / ".config/pip")
    write_private(HOME / ".pip/pip.conf", pip_settings(os.environ))


def wanted_pip() -> str:
    """The version of pip that the installed ansible-test pins, and asks for by the name of the file."""
    found = importlib.util.find_spec("ansible_test")
    if found is None or not found.submodule_search_locations:
        sys.exit("ansible-core is not installed for this Python: use the one in .venv (make venv).")
    source = Path(found.submodule_search_locations[0], "_internal/python_requirements.py").read_text()
    pin = re.search(r"\bpip='([\d.]+)'", source)
    if pin is None:
        sys.exit("This release of ansible-test no longer says which pip it wants where sanity.py looks for it.")
    return pin[1]


def pip_settings(environment: Mapping[str, str]) -> str:
    """The PIP_* variables and the proxy as a pip.conf."""
    settings = {"quiet": "1"}
    settings |= {
        name.removeprefix("PIP_").lower().replace("_", "-"): value
        for name, value in environment.items()
        if name.startswith("PIP_") and name != "PIP_CONFIG_FILE"
    }
    proxy = environment.get("https_proxy") or environment.get("HTTPS_PROXY")
    if proxy:
        settings.setdefault("proxy", proxy)
    return "\n".join(["[global]", *(f"{name} = {value}" for name, value in settings.items()), ""])


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read: the address of a package index may hold a password."""
    path.parent.mkdir(exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(text)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
