# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""k8s_sa_token against a real API server: when it mints and when not, and what ends up where."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import Task

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._claims import read_claims

Writes = Callable[[int], list[str]]


@pytest.fixture
def account(run_task: Task, namespace: str) -> str:
    """An account called app."""
    run_task("k8s_sa", name="app", namespace=namespace)
    return "app"


@pytest.fixture
def mints(writes: Writes) -> Callable[[int], int]:
    """How many TokenRequests were sent since a mark."""
    return lambda mark: sum("serviceaccounts/token" in line for line in writes(mark))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def accepted(cluster: Cluster, token: str, *audiences: str) -> dict[str, Any]:
    review = {"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview"}
    manifest = json.dumps({**review, "spec": {"token": token, "audiences": list(audiences)}})
    answer = cluster.kubectl("create", "-f", "-", "-o", "json", input=manifest).stdout
    status: dict[str, Any] = json.loads(answer)["status"]
    return status


def aged(cluster: Cluster, token: str, **changes: int) -> str:
    """The same token with other times, signed with the cluster's own key, so that the real server judges it."""
    claims = jwt.decode(token, options={"verify_signature": False})
    key_id = jwt.get_unverified_header(token)["kid"]
    return jwt.encode(
        {**claims, **changes}, cluster.signing_key.read_text(), algorithm="RS256", headers={"kid": key_id}
    )


def test_a_file_is_written_once_private_and_accepted(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path, mints: Callable[[int], int]
) -> None:
    place = tmp_path / "token"
    options = {"name": account, "namespace": namespace, "dest": str(place), "expiration_seconds": "2h"}
    mark = cluster.audit_mark()
    predicted = run_task("k8s_sa_token", check_mode=True, **options)
    assert mints(mark) == 0
    assert list(tmp_path.iterdir()) == [], "check mode leaves nothing behind, not even a lock"
    made = run_task("k8s_sa_token", **options)
    again = run_task("k8s_sa_token", **options)
    assert mints(mark) == 1
    assert (predicted["changed"], predicted["reason"]) == (made["changed"], made["reason"]) == (True, "missing")
    assert predicted["actions"] == made["actions"]
    assert (again["changed"], again["reason"], again["token_info"]) == (False, "up_to_date", made["token_info"])
    token = place.read_text()
    assert mode(place) == 0o600
    assert {path.name: mode(path) for path in tmp_path.iterdir()} == {"token": 0o600, ".token.tokenwright": 0o600}
    assert accepted(cluster, token)["user"]["username"] == f"system:serviceaccount:{namespace}:app"
    assert made["token_info"]["granted_seconds"] == made["token_info"]["requested_seconds"] == 7200
    assert "token" not in made
    assert token not in json.dumps(made)


def test_a_kubeconfig_works_with_kubectl(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path
) -> None:
    place = tmp_path / "kubeconfig"
    options = {"name": account, "namespace": namespace, "kubeconfig_dest": str(place)}
    assert run_task("k8s_sa_token", **options)["changed"]
    assert not run_task("k8s_sa_token", **options)["changed"]
    assert mode(place) == 0o600
    answer = cluster.kubectl("auth", "whoami", "-o", "json", f"--kubeconfig={place}")
    assert json.loads(answer.stdout)["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:app"


def test_foreign_entries_of_a_kubeconfig_and_their_order_are_kept(
    namespace: str, run_task: Task, account: str, tmp_path: Path
) -> None:
    place = tmp_path / "kubeconfig"
    foreign: dict[str, Any] = {
        "kind": "Config",
        "apiVersion": "v1",
        "preferences": {},
        "current-context": "theirs",
        "contexts": [{"name": "theirs", "context": {"cluster": "z", "user": "y"}}],
        "users": [{"name": "y", "user": {"username": "u", "password": "p"}}],
        "clusters": [{"name": "z", "cluster": {"server": "https://z.example.com"}}],
    }
    place.write_text(yaml.safe_dump(foreign, sort_keys=False))
    run_task("k8s_sa_token", name=account, namespace=namespace, kubeconfig_dest=str(place))
    after = yaml.safe_load(place.read_text())
    assert list(after) == list(foreign)
    assert after["current-context"] == "theirs"
    for key in ("clusters", "contexts", "users"):
        assert after[key][0] == foreign[key][0]
        assert len(after[key]) == 2
    run_task(
        "k8s_sa_token",
        name=account,
        namespace=namespace,
        sinks=[{"type": "kubeconfig", "path": str(place), "set_current": True}],
    )
    assert yaml.safe_load(place.read_text())["current-context"] == after["contexts"][1]["name"]


def test_a_kubeconfig_may_refer_to_a_token_file(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path
) -> None:
    config, token = tmp_path / "kubeconfig", tmp_path / "token"
    options = {
        "name": account,
        "namespace": namespace,
        "sinks": [{"type": "kubeconfig", "path": str(config), "token_file": str(token)}],
    }
    assert run_task("k8s_sa_token", **options)["changed"]
    assert not run_task("k8s_sa_token", **options)["changed"]
    assert token.read_text() not in config.read_text()
    assert cluster.kubectl("auth", "whoami", f"--kubeconfig={config}").returncode == 0


@pytest.mark.parametrize("state", ["present", "absent"])
def test_a_token_file_that_is_left_behind_is_named(
    namespace: str, run_task: Task, account: str, tmp_path: Path, state: str
) -> None:
    config, token = tmp_path / "kubeconfig", tmp_path / "token"
    options = {"name": account, "namespace": namespace, "kubeconfig_dest": str(config)}
    sink = {"type": "kubeconfig", "path": str(config), "token_file": str(token)}
    run_task("k8s_sa_token", **{**options, "kubeconfig_dest": None, "sinks": [sink]})
    before = token.read_text()
    # named or not, with the file as a place of its own nothing is left behind
    assert "warnings" not in run_task("k8s_sa_token", check_mode=True, **options, dest=str(token), state=state)
    for check_mode in (True, False):
        (said,) = run_task("k8s_sa_token", check_mode=check_mode, **options, state=state)["warnings"]
        assert said.startswith(f"{config} referred to the token file {token}, which is no place of the token any more")
    assert token.read_text() == before
    assert "warnings" not in run_task("k8s_sa_token", **options, state=state)
    assert run_task("k8s_sa_token", name=account, namespace=namespace, dest=str(token), state="absent")["changed"]
    assert not token.exists()


def test_several_places_hold_one_token(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path, mints: Callable[[int], int]
) -> None:
    one, two, config = (tmp_path / name for name in ("one", "two", "config"))
    options = {
        "name": account,
        "namespace": namespace,
        "dest": str(one),
        "kubeconfig_dest": str(config),
        "sinks": [{"type": "file", "path": str(two), "mode": "0640"}],
    }
    run_task("k8s_sa_token", **options)
    assert one.read_text() == two.read_text()
    assert one.read_text() in config.read_text()
    assert mode(two) == 0o640
    mark = cluster.audit_mark()
    assert not run_task("k8s_sa_token", **options)["changed"]
    two.chmod(0o644)
    assert run_task("k8s_sa_token", check_mode=True, **options)["reason"] == "sink_changed"
    corrected = run_task("k8s_sa_token", **options)
    assert (corrected["changed"], corrected["reason"]) == (True, "sink_changed")
    assert [entry["name"] for entry in corrected["actions"]] == [str(two)]
    assert mode(two) == 0o640
    assert mints(mark) == 0
    two.unlink()
    again = run_task("k8s_sa_token", **options)
    # the place that lost it gets the same token: nothing is minted for it
    assert (again["reason"], again["verified"]) == ("sink_changed", True)
    assert two.read_text() == one.read_text()
    assert mints(mark) == 0
    assert one.read_text() == two.read_text()
    assert not run_task("k8s_sa_token", **options)["changed"]


REASONS: list[tuple[str, dict[str, Any]]] = [
    ("lifetime_changed", {"expiration_seconds": 7200}),
    ("lifetime_changed", {"expiration_seconds": None}),
    ("audience_changed", {"audiences": ["https://vault.example.com"]}),
    ("audience_changed", {"audiences": ["https://vault.example.com", "other"]}),
    ("audience_changed", {"audiences": None}),
]


def test_every_change_of_the_request_mints_once(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path, mints: Callable[[int], int]
) -> None:
    options: dict[str, Any] = {
        "name": account,
        "namespace": namespace,
        "dest": str(tmp_path / "t"),
        "expiration_seconds": 3600,
    }
    run_task("k8s_sa_token", **options)
    for reason, change in REASONS:
        options |= change
        mark = cluster.audit_mark()
        assert run_task("k8s_sa_token", check_mode=True, **options)["reason"] == reason
        assert run_task("k8s_sa_token", **options)["reason"] == reason
        assert run_task("k8s_sa_token", **options)["reason"] == "up_to_date", change
        assert mints(mark) == 1, change


def test_the_order_of_audiences_means_nothing(namespace: str, run_task: Task, account: str, tmp_path: Path) -> None:
    options = {"name": account, "namespace": namespace, "dest": str(tmp_path / "t")}
    made = run_task("k8s_sa_token", **options, audiences=["b", "a"])
    assert made["token_info"]["audiences"] == ["b", "a"]
    assert not run_task("k8s_sa_token", **options, audiences=["a", "b", "a"])["changed"]


def test_a_recreated_account_gets_a_new_token(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path
) -> None:
    place = tmp_path / "t"
    options = {"name": account, "namespace": namespace, "dest": str(place)}
    run_task("k8s_sa_token", **options)
    cluster.kubectl("delete", "serviceaccount", account, "-n", namespace)
    gone = run_task("k8s_sa_token", **options)
    assert gone["failed"]
    assert gone["error"]["code"] == "account_missing"
    predicted = run_task("k8s_sa_token", check_mode=True, **options)
    assert predicted["changed"]
    assert "does not exist yet" in predicted["warnings"][0]
    run_task("k8s_sa", name=account, namespace=namespace)
    assert run_task("k8s_sa_token", **options)["reason"] == "account_recreated"
    assert accepted(cluster, place.read_text())["authenticated"]


def test_another_accounts_token_is_replaced(namespace: str, run_task: Task, account: str, tmp_path: Path) -> None:
    place = tmp_path / "t"
    run_task("k8s_sa", name="other", namespace=namespace)
    run_task("k8s_sa_token", name="other", namespace=namespace, dest=str(place))
    result = run_task("k8s_sa_token", name=account, namespace=namespace, dest=str(place))
    assert result["reason"] == "other_account"


@pytest.mark.parametrize(
    ("lived", "renew_before", "reason"),
    [
        (0, "20%", "up_to_date"),
        (2800, "20%", "up_to_date"),
        (2900, "20%", "expiring"),
        (3590, "20%", "expiring"),
        (4000, "20%", "expiring"),
        (3200, "10%", "up_to_date"),
        (3300, "10%", "expiring"),
        (2900, "10m", "up_to_date"),
        (3100, "600", "expiring"),
        (1700, "90%", "up_to_date"),
        (1900, "90%", "expiring"),
        (3500, "0", "up_to_date"),
    ],
)
def test_renewal_follows_age(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    account: str,
    tmp_path: Path,
    lived: int,
    renew_before: str,
    reason: str,
) -> None:
    place = tmp_path / "t"
    options = {"name": account, "namespace": namespace, "dest": str(place), "expiration_seconds": 3600}
    run_task("k8s_sa_token", **options)
    born = int(time.time()) - lived
    place.write_text(aged(cluster, place.read_text(), iat=born, nbf=born, exp=born + 3600))
    (tmp_path / ".t.tokenwright").unlink()
    result = run_task("k8s_sa_token", **options, renew_before=renew_before)
    assert result["reason"] == (reason if reason == "expiring" else "sink_changed"), "only the record is written anew"
    assert run_task("k8s_sa_token", **options, renew_before=renew_before)["reason"] == "up_to_date"
    assert accepted(cluster, place.read_text())["authenticated"]
    cut = [text for text in result.get("warnings", []) if "is cut to half" in text]
    assert bool(cut) is (renew_before == "90%")


def test_a_lost_record_mints_nothing(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path, mints: Callable[[int], int]
) -> None:
    place = tmp_path / "t"
    options = {"name": account, "namespace": namespace, "dest": str(place), "expiration_seconds": 3600}
    run_task("k8s_sa_token", **options)
    mark = cluster.audit_mark()
    for damage in ("", "{", '{"sha256": 1}', "[]", "\0"):
        (tmp_path / ".t.tokenwright").write_text(damage)
        assert run_task("k8s_sa_token", **options)["reason"] == "sink_changed"
        assert run_task("k8s_sa_token", **options)["reason"] == "up_to_date"
    assert mints(mark) == 0


def test_a_place_that_holds_something_else_is_refused_unless_forced(
    cluster: Cluster, namespace: str, run_task: Task, account: str, tmp_path: Path, mints: Callable[[int], int]
) -> None:
    place = tmp_path / "precious"
    place.write_text("a poem\nof two lines\n")
    options = {"name": account, "namespace": namespace, "dest": str(place)}
    mark = cluster.audit_mark()
    refused = run_task("k8s_sa_token", **options)
    assert refused["failed"]
    assert "holds something else than a token" in refused["msg"]
    assert place.read_text() == "a poem\nof two lines\n"
    assert mints(mark) == 0
    assert run_task("k8s_sa_token", **options, force=True)["reason"] == "unreadable"


def test_a_text_with_two_dots_is_no_token(namespace: str, run_task: Task, account: str, tmp_path: Path) -> None:
    place = tmp_path / "notes.txt"
    place.write_text("version 1.2.3 of my notes")
    result = run_task("k8s_sa_token", name=account, namespace=namespace, dest=str(place))
    assert "holds something else than a token" in result["msg"]
    assert place.read_text() == "version 1.2.3 of my notes"
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"], "and no lock is left beside it"


FOREIGN = """users:
- name: theirs
  user:
    auth-provider:
      name: x
      config:
        expiry: 2030-01-01T00:00:00Z
        client-secret: 012345
        id: yes
        quoted: 'yes'
        number: 5
        fraction: 1.0
        nothing: ~
        empty:
clusters:
- name: theirs
  cluster:
    server: https://example.com
    insecure-skip-tls-verify: true
"""


def test_foreign_values_of_a_kubeconfig_are_written_as_they_were(
    namespace: str, run_task: Task, account: str, tmp_path: Path
) -> None:
    place = tmp_path / "config"
    place.write_text(FOREIGN)
    options = {"name": account, "namespace": namespace, "kubeconfig_dest": str(place)}
    assert run_task("k8s_sa_token", **options)["changed"]
    assert not run_task("k8s_sa_token", **options)["changed"]
    after = place.read_text().splitlines()
    for line in FOREIGN.splitlines():
        assert line in after or line.strip() == "empty:", line


def test_one_place_by_two_ways_is_one_place(namespace: str, run_task: Task, account: str, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    one, two = str(tmp_path / "real" / "t"), str(tmp_path / "link" / "t")
    result = run_task("k8s_sa_token", name=account, namespace=namespace, dest=one, kubeconfig_dest=two)
    assert f"{one} is given twice" in result["msg"]
    tokens: list[dict[str, Any]] = [{"name": account, "dest": one}, {"name": "other", "dest": two}]
    result = run_task("k8s_sa_token", namespace=namespace, tokens=tokens)
    assert f"{one} is the place of 2 tokens" in result["msg"]
    users = [{"type": "kubeconfig", "path": one, "user_name": name} for name in "ab"]
    tokens = [{"name": account, "sinks": [sink]} for sink in users]
    result = run_task("k8s_sa_token", namespace=namespace, tokens=tokens)
    assert "(context " in result["msg"], "the default context would be that of both"


def test_check_mode_says_what_writing_would_say(namespace: str, run_task: Task, account: str, tmp_path: Path) -> None:
    options = {"name": account, "namespace": namespace}
    coming = run_task("k8s_sa_token", check_mode=True, **options, dest=str(tmp_path / "later" / "t"))
    assert coming["changed"]
    assert f"directory {tmp_path / 'later'} does not exist yet" in coming["warnings"][0]
    sink = {"type": "file", "path": str(tmp_path / "t"), "owner": "no-such-user"}
    assert run_task("k8s_sa_token", check_mode=True, **options, sinks=[sink])["error"]["code"] == "unknown_owner"
    config = tmp_path / "config"
    config.write_text("users: [{name: mine, user: {token: theirs}}]")
    sink = {"type": "kubeconfig", "path": str(config), "user_name": "mine"}
    for check_mode in (True, False):
        assert (
            run_task("k8s_sa_token", check_mode=check_mode, **options, sinks=[sink])["error"]["code"] == "entry_taken"
        )


def test_the_token_is_returned_only_when_asked_for(
    cluster: Cluster, namespace: str, run_task: Task, account: str
) -> None:
    options = {"name": account, "namespace": namespace, "return_token": True}
    result = run_task("k8s_sa_token", **options)
    assert accepted(cluster, result["token"])["authenticated"]
    assert result["auth"] == {"host": cluster.server, "api_key": result["token"]}
    predicted = run_task("k8s_sa_token", check_mode=True, **options)
    assert predicted["changed"]
    assert not {"token", "auth"} & set(predicted)
    rest = {key: value for key, value in result.items() if key not in ("token", "auth")}
    assert result["token"] not in json.dumps(rest)


def test_a_stored_token_is_returned_without_a_new_one(
    namespace: str, run_task: Task, account: str, tmp_path: Path
) -> None:
    options = {"name": account, "namespace": namespace, "return_token": True, "dest": str(tmp_path / "t")}
    first = run_task("k8s_sa_token", **options)
    second = run_task("k8s_sa_token", **options)
    assert (second["changed"], second["token"]) == (False, first["token"])


def test_a_shortened_lifetime_is_said(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, run_task: Task) -> None:
    flags = ["--service-account-max-token-expiration=1h"]
    with Cluster(tmp_path_factory.mktemp("capped"), apiserver_flags=flags) as capped:
        connection = {"kubeconfig": str(capped.kubeconfig)}
        run_task("k8s_sa", name="app", namespace="default", **connection)
        options = {
            "name": "app",
            "namespace": "default",
            "dest": str(tmp_path / "t"),
            "expiration_seconds": "24h",
            **connection,
        }
        result = run_task("k8s_sa_token", **options)
        assert result["token_info"]["shortened"]
        assert (result["token_info"]["requested_seconds"], result["token_info"]["granted_seconds"]) == (86400, 3600)
        assert "requested expiration of 86400 seconds shortened to 3600 seconds" in result["warnings"][0]
        assert not run_task("k8s_sa_token", **options)["changed"]


def test_many_tokens_in_one_kubeconfig(namespace: str, run_task: Task, tmp_path: Path) -> None:
    names = [f"app-{number}" for number in range(12)]
    run_task("k8s_sa", accounts=[{"name": name} for name in names], namespace=namespace)
    options = {
        "namespace": namespace,
        "kubeconfig_dest": str(tmp_path / "config"),
        "tokens": [{"service_account": name} for name in names],
    }
    made = run_task("k8s_sa_token", **options)
    assert [entry["status"] for entry in made["outcomes"]] == ["changed"] * 12
    config = yaml.safe_load((tmp_path / "config").read_text())
    tokens = [read_claims(entry["user"]["token"]) for entry in config["users"]]
    assert sorted(claims.service_account for claims in tokens if claims) == sorted(names)
    assert not run_task("k8s_sa_token", **options)["changed"]


@pytest.fixture
def unwritable(tmp_path: Path) -> Iterator[Path]:
    """A directory nobody can write to, not even root: a read-only mount."""
    place = tmp_path / "readonly"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", str(place)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a read-only directory needs root")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_what_cannot_be_written_is_found_before_a_token_is_minted(
    cluster: Cluster,
    namespace: str,
    run_task: Task,
    account: str,
    tmp_path: Path,
    unwritable: Path,
    mints: Callable[[int], int],
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "target").write_text("")
    (tmp_path / "link").symlink_to("target")
    (tmp_path / "broken.yml").write_text("a: [")
    (tmp_path / "list.yml").write_text("[]")
    (tmp_path / "twice.yml").write_text("users: [{name: a, user: {}}, {name: a, user: {}}]")
    os.mkfifo(tmp_path / "fifo")
    cases = [
        ("dest", tmp_path / "missing" / "token", "create the directory first"),
        ("dest", tmp_path / "directory", "is not a regular file"),
        ("dest", tmp_path / "link", "it is a symbolic link"),
        ("dest", tmp_path / "fifo", "is not a regular file"),
        ("dest", tmp_path / "open" / "token", "everybody may write to"),
        ("dest", unwritable / "token", "choose a path on a writable file system"),
        ("kubeconfig_dest", tmp_path / "broken.yml", "is not YAML (line 1)"),
        ("kubeconfig_dest", tmp_path / "list.yml", "is not a kubeconfig"),
        ("kubeconfig_dest", tmp_path / "twice.yml", "a occurs twice in users"),
    ]
    mark = cluster.audit_mark()
    for option, path, sentence in cases:
        result = run_task("k8s_sa_token", name=account, namespace=namespace, **{option: str(path)})
        assert result["failed"], path
        assert sentence in result["msg"], result["msg"]
        assert str(path) in result["msg"]
        assert "\n" not in result["msg"]
    assert mints(mark) == 0


BAD_INPUT: list[tuple[dict[str, Any], str]] = [
    ({"name": "app", "namespace": "ci", "dest": "token"}, "'token' is not an absolute path"),
    ({"name": "app", "namespace": "ci", "sinks": [{"type": "file", "path": "/x", "mode": 400}]}, "sinks[0].mode: 400"),
    ({"name": "app", "namespace": "ci"}, "nothing would keep the token"),
    (
        {"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": 599},
        "expiration_seconds: 599 is out of range",
    ),
    (
        {"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": 0},
        "expiration_seconds: 0 is out of range",
    ),
    ({"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": 2**32 + 1}, "is out of range"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": -1}, "-1 is not a duration"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": "soon"}, "'soon' is not a duration"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": True}, "True is not a duration"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": "31d"}, "add long_lifetime to allow_risks"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "renew_before": "120%"}, "is more than 100%"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "renew_before": "often"}, "write a percentage (20%)"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "audiences": [""]}, "audiences: an entry is empty"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "audiences": [["x"]]}, "audiences[0] is a list, not a text"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "audiences": '["x"]'}, "audiences is a text, not a list"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "audiences": [None]}, "audiences[0] is empty: leave it out"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": "9" * 5000}, "is not a duration"),
    ({"name": "app", "namespace": "ci", "dest": "/x", "expiration_seconds": 10**5000}, "a number of over 300 digits"),
    ({"name": "app", "namespace": "ci", "sinks": "x"}, "sinks is a text, not a list"),
    ({"tokens": {}}, "tokens is a mapping, not a list"),
    (
        {"tokens": [{"name": "app", "namespace": "ci", "sinks": [{"type": "file", "pth": "/x"}]}]},
        "tokens[0].sinks[0].pth: did you mean path?",
    ),
    (
        {"name": "app", "namespace": "ci", "sinks": [{"type": "kubeconfig", "path": "/x", "server": "https://[::1"}]},
        "sinks[0].server is not the address of an API server",
    ),
    (
        {"name": "app", "namespace": "ci", "sinks": [{"type": "kubeconfig", "path": "/x", "server": "kube:6443"}]},
        "sinks[0].server is not the address of an API server",
    ),
    ({"name": "app", "namespace": "ci", "sinks": [{"type": "file"}]}, "sinks[0]: path is needed"),
    ({"name": "app", "namespace": "ci", "sinks": [{"type": "disk", "path": "/x"}]}, "type"),
    (
        {"name": "app", "namespace": "ci", "sinks": [{"type": "file", "path": "/x", "mode": "rw"}]},
        "sinks[0].mode: 'rw'",
    ),
    (
        {"name": "app", "namespace": "ci", "sinks": [{"type": "file", "path": "/x", "server": "s"}]},
        "sinks[0]: server does not belong to the type file",
    ),
    ({"name": "app", "namespace": "ci", "dest": "/x", "kubeconfig_dest": "/x"}, "/x is given twice"),
    ({"name": "App", "namespace": "ci", "dest": "/x"}, "service_account: 'App' is not a valid name"),
    (
        {"namespace": "ci", "dest": "/x", "tokens": [{"name": "a"}, {"name": "b"}]},
        "/x is the place of 2 tokens (ci/a, ci/b)",
    ),
]


@pytest.mark.parametrize(("options", "sentence"), BAD_INPUT)
def test_bad_input_ends_in_one_sentence_before_any_request(
    cluster: Cluster, run_task: Task, options: dict[str, Any], sentence: str
) -> None:
    mark = cluster.audit_mark()
    result = run_task("k8s_sa_token", **options)
    assert result["failed"]
    assert sentence in result["msg"]
    assert "\n" not in result["msg"]
    assert not [event for event in cluster.audit_events(mark) if event.get("userAgent") == "tokenwright"]
