# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stand-in for AWX as a process, for whoever is not Python: C(serve.py DIRECTORY).

In the directory it writes C(address.json), with what the modules of awx.awx want to know, and C(writes.json), all
requests that were to write something. It ends on SIGTERM, and when the directory is gone.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from awx.stand_in import Awx


def main() -> None:
    """Serve as long as the directory is there."""
    directory = Path(sys.argv[1])
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Awx() as awx:
        where = awx.environment
        address = {
            "controller_host": where["CONTROLLER_HOST"],
            "controller_oauthtoken": where["CONTROLLER_OAUTH_TOKEN"],
        }
        put(directory / "writes.json", [])
        put(directory / "address.json", {"pid": os.getpid(), "connection": address})
        written = 0
        while directory.is_dir():
            time.sleep(0.1)
            found = [one for one in list(awx.requests) if one.writes]
            if len(found) > written:
                written = len(found)
                put(
                    directory / "writes.json",
                    [{"method": one.method, "path": one.path, "body": one.data} for one in found],
                )


def put(path: Path, content: object) -> None:
    """Write a file that is never seen half-written, and that nobody else may read: it may hold a token."""
    new = path.with_suffix(".new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(content, file)
    new.replace(path)


if __name__ == "__main__":
    try:
        main()
    except (KeyboardInterrupt, FileNotFoundError):  # told to end, or the directory went while a file was written
        sys.exit(0)
