# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""That no two tokens of a task are kept in one place: they would replace each other in every run."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from ._errors import InputError
from ._kinds import Ref
from ._secret_sink import SecretSink, refuse_other_addresses
from ._sinks import FILE, KUBECONFIG, SECRET, DesiredSink, Sink


def files_of(holders: Sequence[tuple[str, Sequence[DesiredSink]]], list_name: str) -> dict[str, list[str]]:
    """The token files, and what is kept in each; a kubeconfig has room for many.

    Args:
        holders: what is kept, for people, and its places.
        list_name: the option, for messages.

    Raises:
        InputError: a token file is a kubeconfig's place too.
    """
    tenants: dict[str, list[str]] = defaultdict(list)
    configs = {sink.path for dummy, sinks in holders for sink in sinks if sink.type == KUBECONFIG}
    for holder, sinks in holders:
        for sink in sinks:
            if sink.type == FILE:
                tenants[sink.path].append(holder)
                if sink.path in configs:
                    raise InputError(
                        f"{list_name}: {sink.path} is a token file and a kubeconfig", "give each its own path"
                    )
    return tenants


def refuse_shared_files(holders: Sequence[tuple[str, Sequence[DesiredSink]]], list_name: str) -> None:
    """See C(files_of) and C(refuse_tenants)."""
    refuse_tenants(files_of(holders, list_name), list_name)


def refuse_shared_entries(holders: Sequence[tuple[str, Sequence[Sink]]], list_name: str) -> None:
    """The same for Secrets and the entries of kubeconfigs, whose names are known only with the connection.

    Raises:
        InputError: one is the place of two.
    """
    tenants: dict[str, list[str]] = defaultdict(list)
    for holder, sinks in holders:
        for sink in sinks:
            for entry in sink.entries:
                tenants[entry].append(holder)
    refuse_tenants(tenants, list_name)
    refuse_other_addresses([sink for dummy, sinks in holders for sink in sinks if isinstance(sink, SecretSink)])


@dataclass(frozen=True)
class Tenant:
    """Something that is kept in places.

    Attributes:
        title: what it is, for people.
        account: whose token it is.
        sinks: its places.
    """

    title: str
    account: Ref
    sinks: Sequence[DesiredSink]


def refuse_shared_declarations(tenants: Sequence[Tenant], list_name: str) -> None:
    """The same for all places, before there is a connection.

    What only the connection tells is left to C(refuse_shared_entries): that the entry of a kubeconfig which names its
    user, or its server, is called like one that does not.

    Raises:
        InputError: a place is that of two, or a token file a kubeconfig's place too.
    """
    refuse_shared_files([(tenant.title, tenant.sinks) for tenant in tenants], list_name)
    claims = [
        (entry, sink, tenant.title)
        for tenant in tenants
        for sink in tenant.sinks
        for entry in _entries(sink, tenant.account)
    ]
    holders: dict[str, list[tuple[DesiredSink, str]]] = defaultdict(list)
    for entry, sink, title in claims:
        holders[entry].append((sink, title))
    for entry, sink, dummy in claims:
        # a connection may hold a whole kubeconfig, which can be compared and nothing else
        titles = [title for other, title in holders[entry] if other.connection == sink.connection]
        refuse_tenants({entry: titles}, list_name)


def _entries(sink: DesiredSink, account: Ref) -> Iterator[str]:
    """What of a place no other token may use."""
    if sink.type == SECRET:
        yield f"the Secret {sink.namespace or account.namespace}/{sink.name}"
    if sink.type == KUBECONFIG:
        # as the workshop makes them up; where the server is not said it is that of the task
        cluster = sink.cluster_name or (urlsplit(sink.server).netloc if sink.server else "...")
        default = f"{account.place}@{cluster}"
        yield f"{sink.path} (user {sink.user_name or default})"
        yield f"{sink.path} (context {sink.context_name or default})"
        if sink.set_current:
            yield f"{sink.path} (current context)"


def refuse_tenants(tenants: Mapping[str, Sequence[str]], list_name: str) -> None:
    """No place has room for two (what is kept, by place).

    Raises:
        InputError: one has two.
    """
    for place, holders in tenants.items():
        if len(holders) > 1:
            raise InputError(
                f"{list_name}: {place} is the place of {len(holders)} tokens ({', '.join(holders)})",
                "give each a place of its own",
                code="duplicate",
            )
