# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A controller as small as it can be: says, again and again, which Pods are in its namespace.

It reads its token anew for every call, because the kubelet replaces the file long before the token expires.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import requests

PLACE = Path("/var/run/secrets/kubernetes.io/serviceaccount")
# The readiness probe looks for this file: it is there while the API server answers.
READY = Path("/tmp/ready")
INTERVAL = float(os.environ.get("INTERVAL_SECONDS", "10"))
TIMEOUT = 10  # seconds; less than a Pod is given to end


def main() -> None:
    """Look, say what was seen, wait; until the kubelet says that it is enough."""
    signal.signal(signal.SIGTERM, lambda *_signal: sys.exit(0))
    session = requests.Session()
    session.verify = str(PLACE / "ca.crt")
    # Otherwise REQUESTS_CA_BUNDLE would win over that, and a ~/.netrc or a proxy that is meant for other servers would
    # be used for this one.
    session.trust_env = False
    session.headers["User-Agent"] = "app-controller"
    try:
        while True:
            is_good, said = look(session)
            tell(is_good, said)
            time.sleep(INTERVAL)
    finally:
        tell(False, "ended")


def look(session: requests.Session) -> tuple[bool, str]:
    """Whether the Pods could be listed, and what there is to say."""
    try:
        namespace = read("namespace")
        answer = session.get(
            f"{server()}/api/v1/namespaces/{namespace}/pods",
            headers={"Authorization": f"Bearer {read('token')}"},
            timeout=TIMEOUT,
        )
        if answer.ok:
            names = sorted(pod["metadata"]["name"] for pod in answer.json()["items"])
            return True, f"Pods in {namespace}: {', '.join(names)}"
    except (OSError, ValueError) as problem:  # those of requests are OSErrors, too
        return False, f"cannot ask the API server: {problem}"
    return False, why(answer, namespace)


def read(name: str) -> str:
    """A file of the volume, as it is now."""
    return (PLACE / name).read_text(encoding="utf-8").strip()


def server() -> str:
    """Where every Pod finds the API server."""
    host, port = os.environ["KUBERNETES_SERVICE_HOST"], os.environ["KUBERNETES_SERVICE_PORT"]
    return f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}"


def why(answer: requests.Response, namespace: str) -> str:
    """Why the API server refuses the call, in one sentence."""
    if answer.status_code == 401:
        return f"401: the API server does not take the token in {PLACE}: it has expired, or its account or Pod is gone"
    if answer.status_code == 403:
        return f"403: this account may not list the Pods of {namespace}: somebody has to grant it that"
    return f"{answer.status_code}: the API server answers {answer.reason}"


def tell(is_good: bool, said: str) -> None:
    """Say it, and let the readiness probe know."""
    if is_good:
        READY.touch()
    else:
        READY.unlink(missing_ok=True)
    print(said, flush=True)


if __name__ == "__main__":
    main()
