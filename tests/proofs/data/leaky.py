# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module that does everything wrong: the leak check must see what it does. No part of the collection."""

from __future__ import annotations

import os
import subprocess
import tempfile

from ansible.module_utils.basic import AnsibleModule

# long enough to be seen by who looks fifty times a second
SECONDS = "0.5"


def main() -> None:
    module = AnsibleModule(argument_spec={"path": {"type": "path", "required": True}})
    with open(module.params["path"], encoding="ascii") as stream:
        token = stream.read()
    module.log(f"got {token}")
    module.warn(f"the token is {token}")
    start_children(token)
    leave_behind(token)
    module.exit_json(
        changed=True, token=token, diff={"before": "", "after": f"{token}\n"}, ansible_facts={"leaked_token": token}
    )


def start_children(token: str) -> None:
    subprocess.run(["sh", "-c", "sleep $1", "sh", SECONDS, token], check=True)
    subprocess.run(["sleep", SECONDS], env={"PATH": os.environ["PATH"], "TOKEN": token}, check=True)


def leave_behind(token: str) -> None:
    descriptor, dummy = tempfile.mkstemp()
    os.write(descriptor, token.encode())
    os.close(descriptor)


if __name__ == "__main__":
    main()
