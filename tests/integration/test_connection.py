# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Ways to a cluster, and what is said when there is none."""

from __future__ import annotations

import base64
import json
import socket
import ssl
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from cluster.controlplane import Cluster
from conftest import USE_CASES

from ansible_collections.tokenwright.kubernetes.plugins.module_utils._entry import run_here

Ask = Callable[..., dict[str, Any]]


@pytest.fixture
def ask() -> Ask:
    """One harmless task with connection options only, without retries."""

    def run(**options: Any) -> dict[str, Any]:
        args = {"name": "default", "namespace": "kube-system", "retry_timeout": 0, **options}
        return run_here(USE_CASES["k8s_sa"], args, check_mode=True, diff=False)

    return run


@pytest.fixture
def config(cluster: Cluster) -> dict[str, Any]:
    """The administrator's kubeconfig as data."""
    content: dict[str, Any] = yaml.safe_load(cluster.kubeconfig.read_text())
    return content


@pytest.fixture
def files(config: Mapping[str, Any], tmp_path: Path) -> dict[str, str]:
    """The administrator's certificate, key and CA as files."""
    user, server = config["users"][0]["user"], config["clusters"][0]["cluster"]
    data = {
        "client_cert": user["client-certificate-data"],
        "client_key": user["client-key-data"],
        "ca_cert": server["certificate-authority-data"],
    }
    for name, text in data.items():
        (tmp_path / name).write_bytes(base64.b64decode(text))
    return {name: str(tmp_path / name) for name in data}


def test_every_way_in(
    cluster: Cluster,
    config: dict[str, Any],
    files: dict[str, str],
    ask: Ask,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    host = {"host": cluster.server}
    assert "failed" not in ask(kubeconfig=str(cluster.kubeconfig))
    assert "failed" not in ask(kubeconfig=config), "as a mapping"
    assert "failed" not in ask(kubeconfig=json.dumps(config)), "as one string"
    assert "failed" not in ask(**host, **files)
    token = cluster.kubectl("create", "token", "default", "-n", "kube-system").stdout.strip()
    by_token = ask(**host, ca_cert=files["ca_cert"], api_key=token)
    assert by_token["error"]["http_status"] == 403, "known, but without rights"
    for name, value in {"HOST": cluster.server, "SSL_CA_CERT": files["ca_cert"], "API_KEY": token}.items():
        monkeypatch.setenv(f"K8S_AUTH_{name}", value)
    assert ask()["error"]["http_status"] == 403
    for name in ("HOST", "SSL_CA_CERT", "API_KEY"):
        monkeypatch.delenv(f"K8S_AUTH_{name}")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert ask()["error"]["code"] == "no_connection"
    monkeypatch.setenv("KUBECONFIG", f"{tmp_path}/missing:{cluster.kubeconfig}")
    assert "failed" not in ask()
    monkeypatch.delenv("KUBECONFIG")
    (tmp_path / ".kube").mkdir()
    (tmp_path / ".kube" / "config").symlink_to(cluster.kubeconfig)
    assert "failed" not in ask()
    context = config["contexts"][0]["name"]
    assert "failed" not in ask(context=context)
    assert "no-such" in ask(context="no-such")["msg"]


def test_impersonation(cluster: Cluster, ask: Ask) -> None:
    connection = {"kubeconfig": str(cluster.kubeconfig)}
    refused = ask(**connection, impersonate_user="jane", impersonate_groups=["a", "b"])
    assert 'User "jane" cannot get' in refused["msg"]
    assert "failed" not in ask(**connection, impersonate_user="jane", impersonate_groups=["a", "system:masters"])


def test_verification_can_be_switched_off_but_not_silently(cluster: Cluster, files: dict[str, str], ask: Ask) -> None:
    options = {"host": cluster.server, "client_cert": files["client_cert"], "client_key": files["client_key"]}
    result = ask(**options, validate_certs=False)
    assert "failed" not in result
    assert "(risk insecure_transport)" in result["warnings"][0]
    assert "warnings" not in ask(**options, validate_certs=False, allow_risks=["insecure_transport"])
    denied = ask(**options, validate_certs=False, risk_policy="deny")
    assert denied["error"]["code"] == "risk_refused"
    assert "add insecure_transport to allow_risks" in denied["msg"]


def test_an_empty_ca_file_counts_as_none(cluster: Cluster, ask: Ask, tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("")
    result = ask(host=cluster.server, ca_cert=str(tmp_path / "empty"))
    assert "its TLS certificate is not trusted" in result["msg"], (
        "the system's store is used, not an error about the file"
    )


def test_a_credential_that_expired(cluster: Cluster, files: dict[str, str], ask: Ask) -> None:
    result = ask(host=cluster.server, ca_cert=files["ca_cert"], api_key="not-a-token-of-this-cluster")
    assert result["error"]["http_status"] == 401
    assert "the credential of this connection is not accepted" in result["msg"]
    assert "not-a-token" not in json.dumps(result)


_PLUGIN = """#!/bin/sh
token=stale-stale-stale
if [ -e {marker} ]; then token=$(cat {token}); fi
: > {marker}
printf '{{"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", '
printf '"status": {{"token": "%s"}}}}' "$token"
"""


def test_a_401_makes_us_ask_for_the_credential_once_more(
    cluster: Cluster, config: dict[str, Any], ask: Ask, tmp_path: Path
) -> None:
    """The plugin's first answer is stale, its second is not."""
    (tmp_path / "token").write_text(cluster.kubectl("create", "token", "default", "-n", "kube-system").stdout.strip())
    script = tmp_path / "plugin"
    script.write_text(_PLUGIN.format(marker=tmp_path / "called", token=tmp_path / "token"))
    script.chmod(0o700)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    result = ask(kubeconfig=config)
    assert result["error"]["http_status"] == 403, "known to the server now, though without rights"


def test_all_items_of_a_list_go_on_when_the_credential_is_rotated(
    cluster: Cluster, config: dict[str, Any], ask: Ask, tmp_path: Path
) -> None:
    """They ask side by side, and all of them meet the 401; the plugin is asked once more for all of them."""
    (tmp_path / "token").write_text(cluster.kubectl("create", "token", "default", "-n", "kube-system").stdout.strip())
    calls = tmp_path / "calls"
    script = tmp_path / "plugin"
    script.write_text(_PLUGIN.format(marker=tmp_path / "called", token=tmp_path / "token") + f"echo >> {calls}\n")
    script.chmod(0o700)
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(script), "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    accounts = [{"name": "default", "namespace": space} for space in ("default", "kube-system", "kube-public")]
    result = ask(name=None, namespace=None, accounts=accounts, kubeconfig=config)
    assert {outcome["error"]["http_status"] for outcome in result["outcomes"]} == {403}, "known by now, without rights"
    assert len(calls.read_text().splitlines()) == 2


def test_an_exec_plugin_that_fails_is_named(config: dict[str, Any], ask: Ask) -> None:
    plugin = {"apiVersion": "client.authentication.k8s.io/v1", "command": "/bin/false", "interactiveMode": "Never"}
    config["users"][0]["user"] = {"exec": plugin}
    result = ask(kubeconfig=config)
    assert "the exec plugin /bin/false" in result["msg"]
    assert "gave no credential" in result["msg"]


@pytest.fixture
def foreign_ca(tmp_path: Path) -> str:
    """The CA of somebody else: a certificate that has nothing to do with the cluster."""
    roots = ssl.create_default_context().get_ca_certs(binary_form=True)
    place = tmp_path / "foreign.pem"
    place.write_text(ssl.DER_cert_to_PEM_cert(roots[0]))
    return str(place)


def test_a_wrong_ca(cluster: Cluster, ask: Ask, foreign_ca: str) -> None:
    started = time.monotonic()
    result = ask(host=cluster.server, ca_cert=foreign_ca, retry_timeout=60)
    assert "its TLS certificate is not trusted" in result["msg"]
    assert result["error"]["code"] == "tls_verify"
    assert time.monotonic() - started < 5, "no use in trying again"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_an_unreachable_server(ask: Ask, files: dict[str, str]) -> None:
    result = ask(host=f"https://127.0.0.1:{free_port()}", ca_cert=files["ca_cert"])
    assert result["error"]["code"] == "unreachable"
    assert "the connection is refused" in result["msg"]
    named = ask(host="https://no-such-host.invalid:6443", ca_cert=files["ca_cert"])
    assert "cannot be resolved" in named["msg"]


def test_a_server_that_never_answers(ask: Ask) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        started = time.monotonic()
        result = ask(host=f"http://127.0.0.1:{port}", request_timeout=1)
        assert result["error"]["code"] == "unreachable"
        assert "no answer in time (request_timeout)" in result["msg"]
        assert time.monotonic() - started < 4


def test_an_unreachable_server_ends_a_bulk_task_in_the_time_of_one_item(ask: Ask) -> None:
    started = time.monotonic()
    accounts = [{"name": f"app-{number}", "namespace": f"ns-{number}"} for number in range(60)]
    result = ask(name=None, namespace=None, accounts=accounts, host=f"http://127.0.0.1:{free_port()}", retry_timeout=2)
    assert result["error"]["code"] == "unreachable"
    assert time.monotonic() - started < 6


UNUSABLE: list[tuple[dict[str, Any], str]] = [
    ({"kubeconfig": 5}, "kubeconfig: int is neither a path nor the content"),
    ({"kubeconfig": []}, "kubeconfig has content that is no mapping"),
    ({"host": "https://127.0.0.1:99999"}, "no usable server address"),
    ({"host": "https://[::1"}, "no usable server address"),
    ({"host": "https://127.0.0.1:6443/ x"}, "no usable server address"),
    ({"host": "https://user:passpasspass@127.0.0.1:6443"}, "holds a user or password"),
    ({"host": "https://127.0.0.1:1", "api_key": "a\nb"}, "the credential has characters that no HTTP header can hold"),
    ({"host": "https://127.0.0.1:1", "impersonate_user": "é€"}, "impersonate_user has characters"),
    ({"host": "https://127.0.0.1:1", "impersonate_groups": ["a"]}, "impersonate_groups needs impersonate_user"),
    ({"host": "https://127.0.0.1:1", "request_timeout": 0}, "request_timeout: 0 is out of range"),
    ({"host": "https://127.0.0.1:1", "retry_timeout": -1}, "retry_timeout: -1 is out of range"),
]


@pytest.mark.parametrize(("options", "sentence"), UNUSABLE)
def test_options_that_cannot_be_right(ask: Ask, options: dict[str, Any], sentence: str) -> None:
    result = ask(**options)
    assert sentence in result["msg"], result["msg"]
    assert "\n" not in result["msg"]
    assert "passpasspass" not in json.dumps(result)


def test_a_kubeconfig_as_text_is_content_and_never_shown(cluster: Cluster, config: dict[str, Any], ask: Ask) -> None:
    text = cluster.kubeconfig.read_text()
    assert "failed" not in ask(kubeconfig=text)
    config["users"][0]["user"] = {"token": "opaque-opaque-opaque"}
    for given in (yaml.safe_dump(config), f"{yaml.safe_dump(config)}\n}}: [", "token: opaque-opaque-opaque"):
        for options in ({}, {"bogus": 1}, {"name": "BAD"}):
            result = ask(kubeconfig=given, **options)
            assert result["failed"]
            assert "opaque-opaque" not in json.dumps(result)


def test_a_proxys_password_is_never_shown(ask: Ask) -> None:
    for options in ({"name": "BAD"}, {}):
        result = ask(host="https://127.0.0.1:1", proxy="http://user:short@127.0.0.1:1", **options)
        assert "short" not in json.dumps(result)


BROKEN: list[tuple[str, str]] = [
    ("clusters: [", "is not YAML (line 1)"),
    ("[" * 5000, "is not a kubeconfig"),
    ("clusters: " + "7" * 5000, "is not a kubeconfig"),
    ("", "is empty"),
    ("just a text", "is not a kubeconfig"),
    ("- a\n- list\n", "is not a kubeconfig"),
    ("clusters: 5\ncontexts: 7\nusers: 8\ncurrent-context: x\n", "is not a kubeconfig"),
    ("apiVersion: v1\nkind: Config\n", "current-context"),
    ("clusters: []\ncontexts: []\nusers: []\ncurrent-context: gone\n", "gone"),
]


@pytest.mark.parametrize(("text", "sentence"), BROKEN)
def test_a_kubeconfig_that_is_none(ask: Ask, tmp_path: Path, text: str, sentence: str) -> None:
    place = tmp_path / "config"
    place.write_text(text)
    result = ask(kubeconfig=str(place))
    assert result["failed"]
    assert sentence in result["msg"], result["msg"]
    assert str(place) in result["msg"]
    assert "\n" not in result["msg"]
    assert result["error"]["code"] != "internal"


def test_files_that_cannot_be_used_are_named(cluster: Cluster, ask: Ask, files: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "text").write_text("no certificate")
    (tmp_path / "binary").write_bytes(b"\xff\xfe\x00")
    kubeconfig = {"kubeconfig": str(cluster.kubeconfig)}
    cases: list[tuple[dict[str, Any], str]] = [
        ({"kubeconfig": str(tmp_path / "missing")}, "missing does not exist"),
        ({"kubeconfig": str(tmp_path / "binary")}, "binary is not"),
        ({"kubeconfig": str(tmp_path)}, "cannot be read"),
        ({"kubeconfig": "{not json"}, "is not YAML"),
        ({"host": cluster.server, "ca_cert": str(tmp_path / "missing")}, f"ca_cert: {tmp_path}/missing cannot be read"),
        ({"host": cluster.server, "ca_cert": str(tmp_path)}, f"ca_cert: {tmp_path} cannot be read (Is a directory)"),
        ({"host": cluster.server, "ca_cert": str(tmp_path / "text")}, f"ca_cert: {tmp_path}/text holds no certificate"),
        ({"host": cluster.server, "ca_cert": str(tmp_path / "binary")}, "binary holds no certificate in PEM form"),
        ({**kubeconfig, "ca_cert": str(tmp_path / "text")}, f"ca_cert: {tmp_path}/text holds no certificate"),
        ({"host": cluster.server, **files, "client_key": files["ca_cert"]}, "cannot be used together"),
        ({"host": cluster.server, **files, "client_cert": str(tmp_path / "missing")}, "cannot be used together"),
        ({"host": "nonsense"}, "no usable server address"),
        ({"host": cluster.server, "ca_cert": files["ca_cert"], "proxy": "::"}, "proxy: not a usable proxy URL"),
    ]
    for options, sentence in cases:
        result = ask(**options)
        assert result["failed"], options
        assert sentence in result["msg"], result["msg"]
        assert "\n" not in result["msg"]
        assert result["error"]["code"] != "internal", result["msg"]


@pytest.mark.parametrize("host", ["localhost:6443", "127.0.0.1:6443", "kube.example", "ftp://127.0.0.1", "https://"])
def test_an_address_in_host_is_not_blamed_on_the_kubeconfig(cluster: Cluster, ask: Ask, host: str) -> None:
    result = ask(kubeconfig=str(cluster.kubeconfig), host=host)
    assert result["msg"] == "host: no usable server address: set host to https://name:port"


def test_the_server_that_host_names_is_not_blamed_on_the_kubeconfig(cluster: Cluster, ask: Ask) -> None:
    port = free_port()
    result = ask(kubeconfig=str(cluster.kubeconfig), host=f"https://127.0.0.1:{port}")
    assert f"the API server 127.0.0.1:{port} (host) gave no answer" in result["msg"]


@pytest.mark.parametrize("damaged", [b"no certificate", b"\xff\xfe"])
def test_the_authority_in_a_kubeconfig_is_named_by_its_key(
    config: dict[str, Any], ask: Ask, tmp_path: Path, damaged: bytes
) -> None:
    config["clusters"][0]["cluster"]["certificate-authority-data"] = base64.b64encode(damaged).decode()
    place = tmp_path / "config"
    place.write_text(yaml.safe_dump(config))
    sentence = "certificate-authority-data holds no certificate in PEM form: give a PEM file"
    assert ask(kubeconfig=str(place))["msg"] == f"kubeconfig {place}: {sentence}"
    assert ask(kubeconfig=config)["msg"] == f"kubeconfig: {sentence}"


ENCODE: list[Callable[[bytes], str]] = [
    lambda data: base64.b64encode(data).decode(),
    lambda data: base64.urlsafe_b64encode(data).decode().rstrip("="),
    lambda data: base64.encodebytes(data).decode(),
]


@pytest.mark.parametrize("encode", ENCODE, ids=["one line", "for URLs", "wrapped"])
@pytest.mark.parametrize("size", [0, 5000])
def test_a_kubeconfig_in_base64_is_said_to_be_that_and_never_shown(
    config: dict[str, Any], ask: Ask, encode: Callable[[bytes], str], size: int
) -> None:
    small = {"clusters": config["clusters"] if size else [], "users": [{"user": {"token": "opaque-opaque-opaque"}}]}
    given = encode(yaml.safe_dump({**small, "note": "~ÿ" * 20 + "x" * size}, allow_unicode=True).encode())
    for options in ({}, {"name": "BAD"}, {"bogus": 1}):
        result = ask(kubeconfig=given, **options)
        assert result["failed"]
        assert given[:30] not in json.dumps(result)
        assert given[-30:-2] not in json.dumps(result)
    message = ask(kubeconfig=given)["msg"]
    assert message == ("kubeconfig is base64, neither a path nor the content of a kubeconfig: decode it (b64decode)")


def test_a_text_that_can_be_no_file_name_is_never_shown(ask: Ask) -> None:
    given = "opaque-" * 37
    for options in ({}, {"name": "BAD"}, {"bogus": 1}):
        result = ask(kubeconfig=given, **options)
        assert result["failed"]
        assert "opaque-" not in json.dumps(result)
    assert ask(kubeconfig=given)["msg"].startswith("kubeconfig has content that is no mapping: ")
    # one character less, and it could be one
    assert "opaque-" in ask(kubeconfig=given[:255])["msg"]


def test_a_long_path_is_a_path(cluster: Cluster, ask: Ask, tmp_path: Path) -> None:
    place = tmp_path.joinpath(*["deep" * 20] * 5)
    place.mkdir(parents=True)
    (place / "config").symlink_to(cluster.kubeconfig)
    assert "failed" not in ask(kubeconfig=str(place / "config"))
    assert "does not exist" in ask(kubeconfig=str(place / "missing"))["msg"]
    assert str(place) in ask(kubeconfig=str(place / "missing"))["msg"]


def test_keys_from_a_kubeconfig_leave_no_temporary_files(
    cluster: Cluster, ask: Ask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    assert "failed" not in ask(kubeconfig=str(cluster.kubeconfig))
    assert ask(kubeconfig=str(cluster.kubeconfig), ca_cert="/nonexistent")["failed"]
    assert ask(kubeconfig=str(cluster.kubeconfig), host="nonsense")["failed"]
    assert list(tmp_path.iterdir()) == []
