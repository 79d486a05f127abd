# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes that write a token as the module does, to be traced and killed: a server for kill_sweep.py.

A line of standard input is a job; its process waits for SIGUSR1, that is until it is traced. The answers are two
lines: its process id, and when it has ended, its exit status (negative: the signal that killed it). Imports are done
once: they cost a hundred times as much as a job, and would be traced too.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import sys
import traceback
from dataclasses import dataclass
from typing import Any, NoReturn
from urllib.parse import urlsplit

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._file_sink import FileSink
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kubeconfig import Entry
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._kubeconfig_sink import KubeconfigSink
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._lifetime import Record
from ansible_collections.tokenwright.kubernetes.plugins.module_utils._sinks import FILE, DesiredSink, Sink

_LIBC = ctypes.CDLL(None)
_PR_SET_PTRACER = 0x59616D61
_ANYBODY = ctypes.c_ulong(-1)


@dataclass(frozen=True)
class Job:
    """A token to be written.

    Attributes:
        kind: of place: C(file) or C(kubeconfig).
        path: the place.
        token: what is to be there.
        record: what is to be remembered of it.
        server: for a kubeconfig, the API server's address.
        ca_pem: and the authority of its certificate.
        namespace: of the account.
        account: its name.
    """

    kind: str
    path: str
    token: str
    record: dict[str, Any]
    server: str
    ca_pem: str
    namespace: str
    account: str


def write(job: Job) -> None:
    """Lock the place, look what is there and replace it, as the module does."""
    record = Record.from_dict(job.record)
    assert record is not None, "the record comes from the module itself"
    sink = _sink(job)
    with sink.locked():
        sink.held()
        with sink.prepared() as store:
            store(job.token, record)


def _sink(job: Job) -> Sink:
    desired = DesiredSink(job.kind, path=job.path)
    if job.kind == FILE:
        return FileSink(desired, force=False)
    return KubeconfigSink(desired, _entry(job), NotTried(), force=False)


def _entry(job: Job) -> Entry:
    """What the module makes of a kubeconfig of which only the path is said."""
    cluster = urlsplit(job.server).netloc
    title = f"{job.namespace}/{job.account}@{cluster}"
    return Entry(
        cluster_name=cluster,
        server=job.server,
        ca_pem=job.ca_pem,
        verify=True,
        tls_server_name=None,
        user_name=title,
        context_name=title,
        namespace=job.namespace,
        token_file=None,
        set_current=False,
    )


class NotTried:
    """No server is asked: this is about files."""

    def reach(self, entry: Entry) -> None:
        """Not asked."""

    def use(self, entry: Entry, token: str) -> None:
        """Writing is not trying out."""
        raise AssertionError(f"writing is not trying out: {entry.server}, {len(token)}")


def _write_when_told(job: Job) -> NoReturn:
    status = 1
    try:
        os.umask(0)  # no umask helps: only the writer's own modes keep others out
        signal.sigwait({signal.SIGUSR1})
        write(job)
        status = 0
    except Exception:  # noqa: BLE001 - a forked process must end here, whatever happens
        traceback.print_exc()
    finally:
        os._exit(status)


def _serve() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR1})
    for line in sys.stdin:
        job = Job(**json.loads(line))
        child = os.fork()
        if not child:
            # some kernels let only parents trace, and strace is none
            _LIBC.prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
            _write_when_told(job)
        _answer(child)
        _answer(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))


def _answer(number: int) -> None:
    sys.stdout.write(f"{number}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    _serve()
