# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks renew and revoke and the filter token_claims, with the real ansible-playbook on a real API server."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import ROOT, Play, Task
from rights.callers import Caller, create_callers, delete_callers
from rights.manifests import shipped_roles

PROVISION, RENEW, REVOKE = (f"tokenwright.kubernetes.{name}" for name in ("provision", "renew", "revoke"))

Item = dict[str, Any]
Playbook = Callable[..., Play]
Writes = Callable[[int], list[str]]


@pytest.fixture
def listed(namespace: str, tmp_path: Path) -> list[Item]:
    """Three accounts: with a token that can be taken back in three places, with one that cannot, and with none."""
    sinks = [
        {"type": "kubeconfig", "path": str(tmp_path / "kubeconfig")},
        {"type": "secret", "name": "deployer-token"},
    ]
    return [
        {
            "name": "deployer",
            "namespace": namespace,
            "grants": [{"cluster_role": "view"}],
            "tokens": [{"handle": "deployer", "dest": str(tmp_path / "one"), "sinks": sinks}],
        },
        {"name": "app", "namespace": namespace, "tokens": [{"audiences": ["vault"], "dest": str(tmp_path / "two")}]},
        {"name": "plain", "namespace": namespace},
    ]


@pytest.fixture
def run(run_playbook: Playbook, tmp_path: Path) -> Callable[..., Play]:
    """Run a playbook of the collection on a list; one that fails fails the test."""

    def play(name: str, accounts: list[Item], *arguments: str, check: bool = False, **variables: Any) -> Play:
        given = tmp_path / "variables.json"
        given.write_text(json.dumps({"service_accounts_list": accounts, **variables}))
        done = run_playbook(name, "-e", f"@{given}", *arguments, check=check)
        assert done.rc == 0, done.stdout + done.stderr
        assert not re.search(r"eyJ[\w-]{8,}\.[\w-]{8,}", done.stdout + done.stderr)
        return done

    return play


def shown(play: Play) -> list[str]:
    """The summary."""
    text = play.stdout.split("Sum up] ")[1].partition("=> ")[2].partition("\n}")[0] + "\n}"
    lines: list[str] = json.loads(text)["msg"]
    return lines


def authenticated(cluster: Cluster, token: str, *audiences: str) -> bool:
    """What the API server says of the token."""
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    manifest = json.dumps({**review, "spec": {"token": token, "audiences": list(audiences)}})
    answer = cluster.kubectl("create", "-f", "-", "-o", "json", input=manifest).stdout
    return bool(json.loads(answer)["status"].get("authenticated"))


def make_due(cluster: Cluster, place: Path) -> None:
    """Make a stored token fifty minutes older, signed with the cluster's own key, so that it is due."""
    token = place.read_text()
    claims = jwt.decode(token, options={"verify_signature": False})
    times = {name: claims[name] - 3000 for name in ("iat", "nbf", "exp")}
    header = {"kid": jwt.get_unverified_header(token)["kid"]}
    place.write_text(jwt.encode({**claims, **times}, cluster.signing_key.read_text(), "RS256", header))


def test_renew_renews_what_is_due_and_touches_nothing_else(
    cluster: Cluster, namespace: str, listed: list[Item], run: Callable[..., Play], writes: Writes, tmp_path: Path
) -> None:
    run(PROVISION, listed)
    before = {name: (tmp_path / name).read_text() for name in ("one", "kubeconfig")}
    make_due(cluster, tmp_path / "two")
    cluster.kubectl("delete", "rolebinding", "deployer", "-n", namespace)
    cluster.kubectl("delete", "serviceaccount", "plain", "-n", namespace)

    mark = cluster.audit_mark()
    predicted = run(RENEW, listed, check=True)
    assert writes(mark) == []
    renewed = run(RENEW, listed)
    assert predicted.changed == renewed.changed == 1
    assert writes(mark) == [f"create serviceaccounts/token {namespace}/app"]
    assert authenticated(cluster, (tmp_path / "two").read_text(), "vault")
    assert {name: (tmp_path / name).read_text() for name in before} == before
    assert [line[:-20] if "expires" in line else line for line in shown(renewed)] == [
        f"  account  {namespace}/deployer",
        f"  token    {tmp_path / 'one'}",
        f"  token    {tmp_path / 'kubeconfig'}",
        f"  token    {namespace}/deployer-token",
        "  expires  ",
        "",
        f"  account  {namespace}/app",
        f"~ token    {tmp_path / 'two'} (expiring)",
        "  expires  ",
        "",
        "~ changed",
    ]
    again = run(RENEW, listed)
    assert again.changed == 0
    assert shown(again)[-1] == "nothing changed"


def test_renew_keeps_no_token_of_what_should_not_be_there_and_takes_none_away(
    listed: list[Item], run: Callable[..., Play], tmp_path: Path
) -> None:
    run(PROVISION, listed)
    (tmp_path / "two").unlink()
    listed[0]["state"] = listed[1]["tokens"][0]["state"] = "absent"
    renewed = run(RENEW, listed)
    assert renewed.changed == 0
    assert shown(renewed) == ["nothing changed"]
    assert (tmp_path / "one").exists()
    assert not (tmp_path / "two").exists()


def test_revoke_takes_all_tokens_back_and_says_what_became_of_them(
    cluster: Cluster, namespace: str, listed: list[Item], run: Callable[..., Play], writes: Writes, tmp_path: Path
) -> None:
    run(PROVISION, listed)
    with_handle, without = (tmp_path / "one").read_text(), (tmp_path / "two").read_text()

    mark = cluster.audit_mark()
    predicted = run(REVOKE, listed, check=True)
    assert writes(mark) == []
    assert (tmp_path / "one").read_text() == with_handle

    revoked = run(REVOKE, listed)
    assert predicted.changed == revoked.changed == 1
    secrets = {f"delete secrets {namespace}/{name}" for name in ("deployer-1", "deployer-token")}
    assert set(writes(mark)) == secrets
    assert not authenticated(cluster, with_handle)
    assert authenticated(cluster, without, "vault")
    assert not [name for name in ("one", "two", "kubeconfig") if (tmp_path / name).exists()]

    until = datetime.fromtimestamp(jwt.decode(without, options={"verify_signature": False})["exp"], tz=timezone.utc)
    lives = f"  lives    until {until:%Y-%m-%dT%H:%M:%SZ}"
    taken = [
        f"  account  {namespace}/deployer",
        f"- token    {tmp_path / 'one'}",
        f"- token    {tmp_path / 'kubeconfig'}",
        f"- token    {namespace}/deployer-token",
        "- handle   deployer",
    ]
    left = ["", f"  account  {namespace}/app", f"- token    {tmp_path / 'two'}", lives, ""]
    assert shown(predicted) == [*taken, *left, "- would be removed"]
    fate = shown(revoked)[5]
    assert re.fullmatch(r"  revoked  yes, refused after [\d.]+ s", fate)
    assert shown(revoked) == [*taken, fate, *left, "- removed"]

    again = run(REVOKE, listed)
    assert again.changed == 0
    assert f"  token    {tmp_path / 'one'} (absent)" in shown(again)
    assert "  handle   deployer (absent)" in shown(again)
    left_alone = cluster.kubectl("get", "serviceaccount,rolebinding", "-n", namespace, "-o", "name").stdout
    assert left_alone.count("/deployer\n") == 2


@pytest.fixture
def keeper(cluster: Cluster, namespace: str) -> Iterator[Path]:
    """A kubeconfig with the rights that a schedule needs, and no others."""
    caller = Caller(f"keeper-{namespace}", ("renewer", "revoker", "token-reviewer"))
    create_callers(cluster, shipped_roles(), [caller], namespace)
    yield cluster.kubeconfig_for(caller.name)
    delete_callers(cluster, namespace)


def test_the_shipped_roles_are_enough_also_in_check_mode_and_again(
    cluster: Cluster, namespace: str, listed: list[Item], run: Callable[..., Play], keeper: Path, tmp_path: Path
) -> None:
    bound = {"bound_object_ref": {"kind": "Secret", "name": "anchor"}, "dest": str(tmp_path / "three")}
    cluster.kubectl("create", "secret", "generic", "anchor", "-n", namespace)
    listed[0]["tokens"].append(bound)
    for account in listed:
        cluster.kubectl("create", "serviceaccount", account["name"], "-n", namespace)
    limited = {"cluster_connection": {"kubeconfig": str(keeper)}}
    for name in (RENEW, REVOKE):
        assert run(name, listed, check=True, **limited).changed == 1
        done = run(name, listed, **limited)
        assert done.changed == 1
        assert "WARNING" not in done.stderr
        assert run(name, listed, **limited).changed == 0


@pytest.mark.parametrize("name", ["renew", "revoke"])
def test_a_playbook_has_the_form_of_provision(name: str) -> None:
    """What differs is what it is called and which tasks of the role it runs."""

    def form(playbook: str) -> Item:
        play, report = yaml.safe_load((ROOT / f"playbooks/{playbook}.yml").read_text())
        (block,) = play.pop("tasks")
        (task,) = block.pop("block")
        role = task.pop("ansible.builtin.import_role")["name"]
        return {**play, **block, **report, "name": "", "role": role, "with": task["module_defaults"]}

    assert form(name) == form("provision")


@pytest.mark.parametrize("name", [RENEW, REVOKE])
def test_a_mistake_ends_a_playbook_before_the_first_request(
    cluster: Cluster, namespace: str, run_playbook: Playbook, name: str
) -> None:
    tokens = [{"dest": "/run/a", "handel": "a"}]
    answer = {"service_accounts_list": [{"name": "a", "namespace": namespace, "tokens": tokens}]}
    mark = cluster.audit_mark()
    play = run_playbook(name, "-e", json.dumps(answer))
    assert play.rc == 2
    assert "service_accounts_list[0].tokens[0]: handel is unknown here: did you mean handle?" in play.stdout
    assert [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"] == []


def test_the_examples_of_token_claims_run(
    cluster: Cluster, run_task: Task, run_playbook: Playbook, tmp_path: Path
) -> None:
    options = {"name": "deployer", "namespace": "ci"}
    run_task("k8s_sa", create_namespace=True, **options)
    try:
        good_until = run_task("k8s_sa_token", dest=str(tmp_path / "deployer.token"), **options)
        run_task("k8s_sa_token", audiences=["https://vault.example.com"], dest=str(tmp_path / "vault.token"), **options)
    finally:
        cluster.kubectl("delete", "namespace", "ci")
    examples = yaml.safe_load((ROOT / "plugins/filter/token_claims.yml").read_text())["EXAMPLES"]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars": {"token_dir": str(tmp_path)},
        "tasks": yaml.safe_load(examples),
    }
    done = run_playbook([play], "-vvv")
    assert done.rc == 0, done.stdout
    assert good_until["token_info"]["expires_at"] in done.stdout
    assert (tmp_path / "deployer.token").read_text() not in done.stdout
