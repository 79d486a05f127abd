# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach a cluster: options in, an endpoint out.

The only file that imports the kubernetes client: kubeconfig files, exec plugins and in-cluster configuration are its
knowledge. That import takes longer than most tasks, so it is left to those who connect.
"""

from __future__ import annotations

import logging
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from ._auth import ConnectionOptions, Endpoint, is_content, is_encoded
from ._errors import ConnectError
from ._redact import Secrets

try:
    import yaml
    from kubernetes.client import Configuration
    from kubernetes.config import incluster_config, kube_config
    from kubernetes.config.config_exception import ConfigException
    from urllib3.util.ssl_ import create_urllib3_context

    MISSING_LIBRARY: str | None = None
except ImportError as import_error:
    MISSING_LIBRARY = import_error.name or "kubernetes"


# the client's temporary files are the whole process's: one thread would remove those of another
_ONE_AT_A_TIME = threading.Lock()


def load(options: ConnectionOptions, secrets: Secrets) -> Endpoint:
    """Resolve options, environment and files to an endpoint; every credential met is remembered in C(secrets).

    Raises:
        ConnectError: nothing is configured, or what is configured cannot be used.
    """
    if MISSING_LIBRARY:
        raise ConnectError(
            f"the Python library {MISSING_LIBRARY} is not installed for {sys.executable}, which runs this task",
            code="missing_library",
            hint="install kubernetes and PyYAML there, or choose another Python (ansible_python_interpreter)",
        )
    with _ONE_AT_A_TIME:
        try:
            endpoint = _resolve(options, secrets)
        finally:
            # the client keeps keys from kubeconfig data in temporary files until exit, but Ansible's workers skip exit
            # handlers
            kube_config._cleanup_temp_files()
    # a CA file that is gone by now was one of those
    return replace(endpoint, ca_file=endpoint.ca_file if os.path.exists(endpoint.ca_file or "") else None)


def _resolve(options: ConnectionOptions, secrets: Secrets) -> Endpoint:
    configuration = Configuration()
    source = _configure(configuration, options)
    _override(configuration, options)
    _check_address(configuration.host, source)
    authorization = _authorization(configuration)
    credential = (authorization or "").partition(" ")[2]
    for secret in (options.api_key, authorization, credential, _password(configuration.proxy)):
        secrets.add(secret)
    ca_name = _name_of_ca(configuration.ssl_ca_cert, options, source)
    endpoint = Endpoint(
        server=configuration.host.rstrip("/"),
        # messages about the address blame the option that replaced it
        source="host" if options.host else source,
        verify=bool(configuration.verify_ssl),
        ca_pem=_read_ca(configuration.ssl_ca_cert, ca_name),
        ca_file=configuration.ssl_ca_cert,
        ca_is_empty=bool(options.ca_cert) and configuration.ssl_ca_cert != options.ca_cert,
        authorization=authorization,
        ssl_context=_ssl_context(configuration, ca_name),
        tls_server_name=getattr(configuration, "tls_server_name", None),
        proxy=configuration.proxy,
        no_proxy=configuration.no_proxy,
        impersonate_user=options.impersonate_user,
        impersonate_groups=options.impersonate_groups,
    )
    _check_headers(endpoint, source)
    return endpoint


def with_token(caller: Endpoint, entry: Any, token: str) -> Endpoint:
    """How the reader of a kubeconfig entry reaches the cluster: its address and authority, the caller's way there.

    Args:
        caller: the connection of the task.
        entry: C(server), C(ca_pem), C(verify) and C(tls_server_name).
        token: the token; empty: nobody's.
    """
    return replace(
        caller,
        server=entry.server,
        source="the kubeconfig to be written",
        verify=entry.verify or bool(entry.ca_pem),
        ca_pem=entry.ca_pem,
        ca_file=None,
        authorization=f"Bearer {token}" if token else None,
        ssl_context=_context_for(entry) if entry.server.lower().startswith("https") else None,
        tls_server_name=entry.tls_server_name,
        impersonate_user=None,
        impersonate_groups=(),
    )


def _context_for(entry: Any) -> ssl.SSLContext:
    context: ssl.SSLContext = create_urllib3_context()
    if entry.ca_pem:
        context.load_verify_locations(cadata=entry.ca_pem)
    elif entry.verify:
        context.load_default_certs()
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_address(host: str | None, source: str) -> None:
    """A server URL that can be used and may be shown.

    Raises:
        ConnectError: it has no host, no possible port, or a password in it.
    """
    try:
        parts = urlsplit(host or "")
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        parts, usable = urlsplit(""), False
    if not usable or any(character.isspace() for character in host or ""):
        raise ConnectError(
            f"{source}: no usable server address", code="no_server", hint="set host to https://name:port"
        )
    if parts.username or parts.password:
        raise ConnectError(
            f"{source}: the server address holds a user or password", code="no_server", hint="use api_key"
        )


def _check_headers(endpoint: Endpoint, source: str) -> None:
    """What travels in HTTP headers must fit into them."""
    named = {
        "the credential": endpoint.authorization or "",
        "impersonate_user": endpoint.impersonate_user or "",
        "impersonate_groups": "".join(endpoint.impersonate_groups),
    }
    for name, value in named.items():
        if not value.isascii() or any(ord(character) < 32 for character in value):
            raise ConnectError(
                f"{source}: {name} has characters that no HTTP header can hold",
                code="bad_header",
                hint="look for line breaks and letters outside of ASCII",
            )


def _configure(configuration: Any, options: ConnectionOptions) -> str:
    """Fill the configuration from the first source that applies; return its description."""
    if options.kubeconfig is not None:
        return _from_kubeconfig(configuration, options.kubeconfig, options.context, "kubeconfig")
    if options.host and not options.context:
        return "host"
    if os.environ.get("KUBECONFIG"):
        return _from_kubeconfig(configuration, os.environ["KUBECONFIG"], options.context, "KUBECONFIG")
    if not options.context and os.path.exists(incluster_config.SERVICE_TOKEN_FILENAME):
        return _from_pod(configuration)
    if os.path.exists(os.path.expanduser("~/.kube/config")):
        return _from_kubeconfig(configuration, "~/.kube/config", options.context, "~/.kube/config")
    raise ConnectError(
        "no cluster is configured",
        code="no_connection",
        hint="set kubeconfig, or host and api_key, or the variables K8S_AUTH_KUBECONFIG or KUBECONFIG",
    )


def _from_pod(configuration: Any) -> str:
    try:
        incluster_config.load_incluster_config(client_configuration=configuration)
    except ConfigException as error:
        raise ConnectError(
            f"in-cluster configuration: {error}", code="in_cluster", hint="set kubeconfig instead"
        ) from None
    return "in-cluster configuration"


def _from_kubeconfig(configuration: Any, kubeconfig: str | Mapping[str, Any], context: str | None, option: str) -> str:
    source = option if is_content(kubeconfig) else f"{option} {kubeconfig}"
    try:
        config = _content(kubeconfig, source)
        with _quiet_client():
            loader = kube_config.KubeConfigLoader(config_dict=config, active_context=context, config_base_path=None)
            loader.load_and_set(configuration)
    except ConfigException as error:
        raise ConnectError(
            f"{source}: {_first_line(error)}", code="kubeconfig", hint="correct the file or the context"
        ) from None
    except (TypeError, AttributeError, KeyError, ValueError, RecursionError):
        # the client does not check shapes; its own words would quote the file's content
        raise _unusable(source, "is not a kubeconfig: clusters, users or contexts have the wrong form") from None
    except OSError as error:
        raise _unusable(source, f"names a file that cannot be read ({error.strerror}: {error.filename})") from None
    _require_exec_credential(configuration, config, loader.current_context, source)
    return source


def _content(kubeconfig: str | Mapping[str, Any], source: str) -> Any:
    if isinstance(kubeconfig, Mapping):
        return dict(kubeconfig)
    if is_encoded(kubeconfig):
        raise _unusable(source, "is base64, neither a path nor the content of a kubeconfig", "decode it (b64decode)")
    if is_content(kubeconfig):
        # JSON is YAML
        config = _parsed(lambda: yaml.safe_load(kubeconfig), source)
        if not isinstance(config, dict):
            raise _unusable(source, "has content that is no mapping")
        return config
    paths = [os.path.expanduser(path) for path in kubeconfig.split(os.pathsep) if path]
    if not any(os.path.exists(path) for path in paths):
        raise _unusable(source, "does not exist" + (f" ({paths[0]})" if paths[:1] != [kubeconfig] else ""))
    return _parsed(lambda: kube_config.KubeConfigMerger(os.pathsep.join(paths)).config, source)


def _parsed(parse: Callable[[], Any], source: str) -> Any:
    try:
        return parse()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise _unusable(source, f"is not YAML{f' (line {mark.line + 1})' if mark else ''}") from None
    except UnicodeDecodeError:
        raise _unusable(source, "is not a text file") from None
    except OSError as error:
        raise _unusable(source, f"cannot be read ({error.strerror})") from None


def _unusable(source: str, why: str, hint: str = "pass the path of a valid kubeconfig file") -> ConnectError:
    return ConnectError(f"{source} {why}", code="kubeconfig", hint=hint)


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0].rstrip(".") if str(error) else "cannot be used"


def _require_exec_credential(configuration: Any, config: Any, context: Mapping[str, Any], source: str) -> None:
    """The client logs a failing exec plugin and goes on anonymously; we say it."""
    if configuration.api_key or configuration.cert_file:
        return
    wanted = context["context"].get("user")
    for entry in _plain_list(config, "users"):
        if entry.get("name") == wanted and "exec" in (entry.get("user") or {}):
            command = entry["user"]["exec"].get("command")
            raise ConnectError(
                f"{source}: the exec plugin {command} of user {wanted} gave no credential",
                code="exec_plugin",
                hint="run it by hand to see why",
            )


def _plain_list(config: Any, key: str) -> list[Mapping[str, Any]]:
    """A list of a kubeconfig, out of the client's wrappers for merged files."""
    content = getattr(config, "value", config)
    return [getattr(entry, "value", entry) for entry in content.get(key) or ()]


@contextmanager
def _quiet_client() -> Iterator[None]:
    """Keep the client's log lines off the terminal: they quote what an exec plugin printed."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _override(configuration: Any, options: ConnectionOptions) -> None:
    """Explicit options win over what a file said."""
    if options.host:
        _check_address(options.host, "host")
        configuration.host = options.host
    if options.api_key:
        configuration.api_key = {"authorization": f"Bearer {options.api_key}"}
        configuration.cert_file = configuration.key_file = None
    # an empty CA file is what AWX's credential injects when none was entered
    if options.ca_cert and not _is_empty(options.ca_cert, "ca_cert"):
        configuration.ssl_ca_cert = options.ca_cert
    explicit = {
        "verify_ssl": options.validate_certs,
        "cert_file": options.client_cert,
        "key_file": options.client_key,
        "proxy": options.proxy,
        "no_proxy": options.no_proxy,
    }
    for name, value in explicit.items():
        if value is not None:
            setattr(configuration, name, value)


def _is_empty(path: str, option: str) -> bool:
    try:
        return os.path.getsize(path) == 0
    except OSError as error:
        raise ConnectError(
            f"{option}: {path} cannot be read ({error.strerror})", code="ca_cert", hint="give an existing file"
        ) from None


def _authorization(configuration: Any) -> str | None:
    """The loaders' key is called authorization, or BearerToken from client 36 on."""
    value = configuration.api_key.get("authorization") or configuration.api_key.get("BearerToken")
    return str(value) if value else None


def _password(url: str | None) -> str | None:
    try:
        return urlsplit(url).password if url else None
    except ValueError:
        return None


def _name_of_ca(path: str | None, options: ConnectionOptions, source: str) -> str:
    """Where the certificate authority comes from, for messages; data of a kubeconfig has no name but its key."""
    if options.ca_cert and path == options.ca_cert:
        return f"ca_cert: {path}"
    if path and path in kube_config._temp_files.values():
        return f"{source}: certificate-authority-data"
    return f"{source}: the certificate authority {path}"


def _read_ca(path: str | None, name: str) -> str | None:
    if not path:
        return None
    try:
        with open(path, encoding="ascii") as stream:
            return stream.read()
    except UnicodeDecodeError:
        raise _no_authority(name) from None
    except OSError as error:
        raise ConnectError(
            f"{name} cannot be read ({error.strerror})", code="ca_cert", hint="give an existing PEM file"
        ) from None


def _no_authority(name: str) -> ConnectError:
    return ConnectError(f"{name} holds no certificate in PEM form", code="ca_cert", hint="give a PEM file")


def _ssl_context(configuration: Any, ca_name: str) -> ssl.SSLContext | None:
    if not configuration.host.lower().startswith("https"):
        return None
    context: ssl.SSLContext = create_urllib3_context()
    if not configuration.verify_ssl:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    else:
        # check_hostname stays as urllib3 sets it: version 2 leaves the name to OpenSSL, 1.26 compares it itself
        context.verify_mode = ssl.CERT_REQUIRED
        _load_authorities(context, configuration.ssl_ca_cert, ca_name)
    _load_client_certificate(context, configuration)
    return context


def _load_authorities(context: ssl.SSLContext, path: str | None, name: str) -> None:
    try:
        if path:
            context.load_verify_locations(cafile=path)
        else:
            context.load_default_certs()
    except (OSError, ssl.SSLError):
        raise _no_authority(name) from None


def _load_client_certificate(context: ssl.SSLContext, configuration: Any) -> None:
    if not configuration.cert_file:
        return
    try:
        # the password callback keeps OpenSSL from asking on the terminal
        context.load_cert_chain(configuration.cert_file, configuration.key_file, password=_no_password)
    except (OSError, ssl.SSLError, ConnectError):
        raise ConnectError(
            "the client certificate and key cannot be used together",
            code="client_cert",
            hint="give a PEM certificate and its unencrypted key (client_cert, client_key)",
        ) from None


def _no_password() -> str:
    raise ConnectError("the client key is encrypted", code="client_cert")
