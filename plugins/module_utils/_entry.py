# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The edge: where a use case meets Ansible, as a shipped module or inside the controller.

Both ways check options with the same validator and go through C(perform), so their results are the same.
"""

from __future__ import annotations

import json
import traceback
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator, ValidationResult

from . import _shape, _yaml
from ._auth import is_content
from ._errors import InputError, ProvisionError
from ._redact import Secrets

# _auth names what is missing before anything is written as YAML
with suppress(ImportError):
    import yaml

# the result keys that hold secrets on purpose; the action plugin censors the whole result when one is there
SECRET_KEYS = frozenset({"token", "auth"})

# options that are a mapping of options; all others that are one hold the user's own keys
_GROUPS = frozenset({"bound_object_ref", "connection"})

_MASKED = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


class Run(Protocol):
    """A use case: validated parameters in, result out; raises ProvisionError."""

    def __call__(self, params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
        """Do it."""


@dataclass(frozen=True)
class UseCase:
    """What a module file and its action plugin share.

    Attributes:
        argument_spec: Ansible's argument spec.
        run: the use case.
        constraints: C(mutually_exclusive), C(required_one_of) ... as AnsibleModule takes them.
    """

    argument_spec: dict[str, dict[str, Any]]
    run: Run
    constraints: dict[str, Any] = field(default_factory=dict)


def run_module(use_case: UseCase) -> NoReturn:
    """The whole of a module's C(main())."""
    module = SafeModule(argument_spec=use_case.argument_spec, supports_check_mode=True, **use_case.constraints)
    result = perform(
        use_case,
        module.params,
        check_mode=module.check_mode,
        diff=module._diff,
        no_log_values=module.no_log_values,
    )
    module.leave(result)


def run_here(use_case: UseCase, args: Mapping[str, Any], *, check_mode: bool, diff: bool) -> dict[str, Any]:
    """The same without a module process: check the options as AnsibleModule does, then perform."""
    try:
        _shape.check(use_case.argument_spec, args)
    except InputError as error:
        return _without_options(error)
    checked = ArgumentSpecValidator(use_case.argument_spec, **use_case.constraints).validate(packed(args))
    params, no_log_values = checked.validated_parameters, checked._no_log_values
    if checked.error_messages:
        return _invalid(use_case.argument_spec, checked, params, no_log_values)
    return perform(use_case, params, check_mode=check_mode, diff=diff, no_log_values=no_log_values)


def packed(args: Mapping[str, Any]) -> dict[str, Any]:
    """Options as they are checked: null means not given, and a kubeconfig mapping is one string.

    As one string Ansible masks it as a whole, instead of every word in it wherever it occurs.
    """
    return {name: _packed(name, value) for name, value in args.items() if value is not None}


def _packed(name: str, value: Any) -> Any:
    if name == "kubeconfig" and isinstance(value, Mapping | list):
        return json.dumps(value)
    if isinstance(value, Mapping):
        # what a null means within labels, annotations and the like is for the module to say
        return packed(value) if name in _GROUPS else value
    if isinstance(value, list):
        return [packed(item) if isinstance(item, Mapping) else item for item in value]
    return value


def perform(
    use_case: UseCase,
    params: Mapping[str, Any],
    *,
    check_mode: bool,
    diff: bool,
    no_log_values: Iterable[str],
) -> dict[str, Any]:
    """Run a use case and return a result in which nothing secret is left but what was asked for.

    Never raises: ansible-core prints the text of an exception that reaches it, whatever C(no_log) says.
    """
    try:
        secrets = _known_secrets(params, no_log_values)
        result = _attempt(use_case, params, check_mode=check_mode, secrets=secrets)
        return _presented(use_case, params, result, secrets, diff=diff)
    except Exception as error:  # noqa: BLE001 - the last line of defence: see the docstring
        return _without_options(_unexpected(error))


def _attempt(use_case: UseCase, params: Mapping[str, Any], *, check_mode: bool, secrets: Secrets) -> dict[str, Any]:
    try:
        return use_case.run(params, check_mode=check_mode, secrets=secrets)
    except ProvisionError as error:
        return error.as_result()
    except Exception as error:  # noqa: BLE001 - a fault of ours, told by its place alone
        return _unexpected(error).as_result()


def _presented(
    use_case: UseCase, params: Mapping[str, Any], result: dict[str, Any], secrets: Secrets, *, diff: bool
) -> dict[str, Any]:
    """The result as it is handed to Ansible."""
    changes = result.pop("diff", None)
    if diff and changes is not None:
        result["diff"] = _as_yaml(changes)
    result["invocation"] = {"module_args": invocation(use_case.argument_spec, params)}
    return _scrubbed(result, secrets)


def _without_options(error: ProvisionError) -> dict[str, Any]:
    """A failed result that repeats no options: it is not known which of them are secret."""
    return {**error.as_result(), "invocation": {"module_args": {}}}


class SafeModule(AnsibleModule):
    """An AnsibleModule that says nothing of its own: no parameter values in syslog, no exception objects in results."""

    def _load_params(self) -> None:
        """Read the options, and refuse what AnsibleModule would bend into shape."""
        super()._load_params()
        try:
            _shape.check(self.argument_spec, self.params)
        except InputError as error:
            self.leave(_without_options(error))

    def _log_invocation(self) -> None:
        """AnsibleModule would log all values, also those of a kubeconfig given as a mapping."""
        given = sorted(name for name, value in self.params.items() if value is not None and not name.startswith("_"))
        self.log(f"Invoked with the options {', '.join(given)}")

    def fail_json(self, msg: str, **_dropped: Any) -> NoReturn:
        """Called by AnsibleModule for options that do not fit its spec; everything else comes through C(leave)."""
        checked = getattr(self, "validation_result", None)
        if checked is None or not checked.error_messages:
            self.leave(InputError(Secrets(self.no_log_values).scrub(str(msg))).as_result())
        self.leave(_invalid(self.argument_spec, checked, self.params, self.no_log_values))

    def leave(self, result: dict[str, Any]) -> NoReturn:
        """Hand the result to Ansible; a failure is said in the result, not by the exit code."""
        for text in result.pop("warnings", []):
            self.warn(text)
        # a path that came in as kubeconfig is no secret: masking it would hide the most useful word of many messages
        self.no_log_values -= {value for value in self.no_log_values if _is_kubeconfig_path(self.params, value)}
        self.exit_json(**result)
        raise AssertionError("exit_json came back")


def invocation(spec: Mapping[str, dict[str, Any]], params: Mapping[str, Any]) -> dict[str, Any]:
    """The options as they may be shown: known ones only, secret ones masked."""
    return {name: _shown(name, rule, params.get(name)) for name, rule in spec.items()}


def _given(spec: Mapping[str, dict[str, Any]], item: Mapping[str, Any]) -> dict[str, Any]:
    """Those of an item that say something: there may be hundreds of items."""
    return {name: value for name, value in invocation(spec, item).items() if value is not None}


def carries_secret(result: Mapping[str, Any]) -> bool:
    """Whether a result, or one of its outcomes, holds a token."""
    entries = [result, *(result.get("outcomes") or [])]
    return any(SECRET_KEYS & entry.keys() for entry in entries)


def _shown(name: str, rule: Mapping[str, Any], value: Any) -> Any:
    if value is None:
        return None
    if rule.get("no_log") and not (name == "kubeconfig" and isinstance(value, str) and not is_content(value)):
        return _MASKED
    if name in ("host", "proxy") and isinstance(value, str):
        return value.rpartition("@")[2]
    options = rule.get("options")
    if options and isinstance(value, list):
        return [_given(options, item) if isinstance(item, Mapping) else _MASKED for item in value]
    if options:
        return invocation(options, value) if isinstance(value, Mapping) else _MASKED
    return value


def _is_kubeconfig_path(params: Mapping[str, Any], value: str) -> bool:
    return not is_content(value) and any(value == kubeconfig for kubeconfig in _kubeconfigs(params))


def _known_secrets(params: Mapping[str, Any], no_log_values: Iterable[str]) -> Secrets:
    secrets = Secrets(str(value) for value in no_log_values if not _is_kubeconfig_path(params, str(value)))
    for kubeconfig in _kubeconfigs(params):
        for text in _credentials(kubeconfig):
            secrets.add(text)
    return secrets


def _kubeconfigs(params: Any) -> Iterator[Any]:
    """Those of the task and of the places in other clusters."""
    if isinstance(params, Mapping):
        if params.get("kubeconfig") is not None:
            yield params["kubeconfig"]
        params = [value for name, value in params.items() if name != "kubeconfig"]
    for value in params if isinstance(params, list) else ():
        if isinstance(value, Mapping | list):
            yield from _kubeconfigs(value)


_CREDENTIAL_KEYS = frozenset(
    {"token", "password", "client-key-data", "id-token", "refresh-token", "access-token", "client-secret"}
)


def _credentials(kubeconfig: Any) -> Iterator[str]:
    """The secret leaves of a kubeconfig given as content; all of it when it cannot be read."""
    if not isinstance(kubeconfig, str):
        yield from _secret_leaves(kubeconfig)
    elif is_content(kubeconfig):
        try:
            yield from _secret_leaves(_yaml.load(kubeconfig))
        except yaml.YAMLError:
            yield kubeconfig


def _secret_leaves(content: Any) -> Iterator[str]:
    pending, met = [content], set()
    while pending:
        value = pending.pop()
        # an anchor may be referred to any number of times
        if id(value) in met or not isinstance(value, Mapping | list):
            continue
        met.add(id(value))
        pending += value.values() if isinstance(value, Mapping) else value
        if isinstance(value, Mapping):
            yield from (str(leaf) for key, leaf in value.items() if key in _CREDENTIAL_KEYS and _is_leaf(leaf))


def _is_leaf(value: Any) -> bool:
    return value is not None and not isinstance(value, bool | Mapping | list)


def _invalid(
    spec: Mapping[str, dict[str, Any]],
    checked: ValidationResult,
    params: Mapping[str, Any],
    no_log_values: Iterable[str],
) -> dict[str, Any]:
    secrets = _known_secrets(params, no_log_values)
    message = " ".join(checked.error_messages[0].split())
    if checked.unsupported_parameters:
        message = f"unsupported option: {message}"
    result = InputError(message).as_result()
    result["invocation"] = {"module_args": invocation(spec, params)}
    return _scrubbed(result, secrets)


def _unexpected(error: Exception) -> ProvisionError:
    """A fault of ours: where it happened, not what it said (the text of an exception may quote anything)."""
    frames = traceback.extract_tb(error.__traceback__)
    frame = next((frame for frame in reversed(frames) if "tokenwright" in frame.filename), frames[-1])
    place = f"{frame.filename.rsplit('/', 1)[-1]}:{frame.lineno}"
    return ProvisionError(
        f"unexpected {type(error).__name__} at {place}",
        code="internal",
        hint="please report this with the task that led to it",
    )


def _as_yaml(changes: Any) -> Any:
    if isinstance(changes, list):
        return [_as_yaml(change) for change in changes]
    return {key: value if isinstance(value, str) else _dump(value) for key, value in changes.items()}


def _dump(value: Any) -> str:
    if not value:
        return ""
    documents = value if isinstance(value, list) else [value]
    return str(yaml.safe_dump_all(documents, sort_keys=True, default_flow_style=False))


def _scrubbed(result: dict[str, Any], secrets: Secrets) -> dict[str, Any]:
    clean: dict[str, Any] = {}
    for key, value in result.items():
        if key == "outcomes":
            clean[key] = [_scrubbed(entry, secrets) for entry in value]
        else:
            clean[key] = value if key in SECRET_KEYS else secrets.scrub_value(value)
    return clean
