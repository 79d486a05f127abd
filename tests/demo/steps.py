# Copyright: (c) 2026, tokenwright contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The steps of the demo, the cluster they happen on, and what is said about them; see demo.py."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn, Protocol

import jinja2
import yaml
from cluster.build import programs
from cluster.controlplane import Cluster
from cluster.kit import KitError
from cluster.processes import supervised, this_process
from kubernetes.client import (
    ApiClient,
    AuthenticationV1Api,
    AuthorizationV1Api,
    Configuration,
    CoreV1Api,
    VersionApi,
)
from kubernetes.client.exceptions import ApiException
from kubernetes.config import ConfigException, list_kube_config_contexts, load_kube_config, new_client_from_config
from tools.checkout import link_collection
from urllib3.exceptions import HTTPError
from yaml import YAMLError

PREFIX = "tokenwright-demo-"
EXAMPLES = Path(__file__).resolve().parents[2] / "examples/service_accounts.yml"

# Of the examples: the account with a kubeconfig, what it may list in that kubeconfig's namespace, and what not.
USER = f"system:serviceaccount:{PREFIX}ci:deployer"
KUBECONFIG = "deployer.kubeconfig"
ALLOWED = "deployments.apps"
REFUSED = "secrets"

ANSIBLE_CFG = """\
[defaults]
collections_path = {collections}
home = {home}
display_skipped_hosts = false
localhost_warning = false
nocolor = true
remote_tmp = {home}/tmp
[inventory]
inventory_unparsed_warning = false
"""

_ANSWER_SECONDS = 30
_PATIENCE_SECONDS = 5
_NAMESPACE_SECONDS = 90
_MARGIN = "   "


class DemoError(Exception):
    """A step that did not do what it says; the text tells which and why."""


@dataclass(frozen=True)
class Place:
    """Where the demo happens.

    Attributes:
        kubeconfig: an administrator's, of the cluster.
        directory: private, for everything that is written on this machine.
        kubectl: the program, if there is one.
    """

    kubeconfig: Path
    directory: Path
    kubectl: Path | None

    @property
    def tokens(self) -> Path:
        """The directory with the token files."""
        return self.directory / "tokens"

    @property
    def scratch(self) -> Path:
        """The directory for what is of no use afterwards."""
        return self.directory / "scratch"


def main() -> int:
    """Run the demo; the exit status is 0 if every step did what it says."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _terminate)
    began = time.monotonic()
    try:
        with private_directory() as directory, cluster(directory) as place:
            show(place)
    except (DemoError, KitError) as error:
        print(f"\ndemo: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ndemo: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    say(f"Done in {time.monotonic() - began:.0f} s")
    return 0


def _terminate(number: int, _frame: object) -> NoReturn:
    sys.exit(128 + number)


def show(place: Place) -> None:
    """The steps between the start of the cluster and its end."""
    say("Four accounts: ansible-playbook tokenwright.kubernetes.demo")
    first = run_playbook(place)
    say(f"The kubeconfig it wrote: who is that, may it list {ALLOWED}, may it list {REFUSED}?")
    prove(place)
    say("Accounts, what they may do, where their tokens are and when these expire")
    print(*(f"{_MARGIN}{line}".rstrip() for line in first.summary()), sep="\n")
    say("The same playbook again: nothing may change")
    again = run_playbook(place)
    print(f"{_MARGIN}changed={again.changed}")
    if again.changed:
        raise DemoError("the second run of the playbook changed something, and nothing was to change")


def say(text: str) -> None:
    """Announce a step."""
    print(f"\n== {text}", flush=True)


# Clusters


@contextlib.contextmanager
def private_directory() -> Iterator[Path]:
    """A directory that only this user may enter; it goes with the block, unless it is to be kept."""
    directory = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        yield directory
    finally:
        shutil.rmtree(directory / "scratch" if kept() else directory, ignore_errors=True)
        if kept():
            print(f"\n{_MARGIN}kept: {directory}", flush=True)


def kept() -> bool:
    """Whether the user wants to look at what is left."""
    return os.environ.get("KEEP", "0") not in ("", "0")


@contextlib.contextmanager
def cluster(directory: Path) -> Iterator[Place]:
    """The user's cluster, or one that lasts as long as the block."""
    given = os.environ.get("DEMO_KUBECONFIG")
    if given:
        with foreign_cluster(Path(given).expanduser().absolute(), directory) as place:
            yield place
        return
    if sys.platform != "linux":
        raise DemoError("the cluster kit needs Linux: give a cluster of yours, DEMO_KUBECONFIG=path make demo")
    programs()
    say("A Kubernetes control plane on this machine")
    control_plane = Cluster(directory / "cluster")
    try:
        with control_plane:
            yield Place(control_plane.kubeconfig, directory, control_plane.programs / "kubectl")
            say("Stopping the control plane")
    finally:
        # Its own directory is of no use to anybody, also when the tokens are kept.
        control_plane.down(purge=True)


@contextlib.contextmanager
def foreign_cluster(kubeconfig: Path, directory: Path) -> Iterator[Place]:
    """A cluster that somebody else runs; the demo's namespaces are removed after the block."""
    if not kubeconfig.is_file():
        raise DemoError(f"DEMO_KUBECONFIG: there is no file {kubeconfig}")
    say(f"The cluster of {kubeconfig}")
    administrator = client_of(kubeconfig)
    print(f"{_MARGIN}only in namespaces of its own, {PREFIX}*")
    try:
        yield Place(kubeconfig, directory, usable_kubectl())
    finally:
        if kept():
            print(f"\n{_MARGIN}kept: the namespaces {PREFIX}*")
        else:
            say("Removing the namespaces")
            remove_namespaces(administrator)


def client_of(kubeconfig: Path) -> ApiClient:
    """A client of a cluster that answers; it does not try again."""
    settings = Configuration()
    settings.retries = False
    try:
        load_kube_config(str(kubeconfig), client_configuration=settings)
        api = ApiClient(settings)
        version = VersionApi(api).get_code(_request_timeout=_ANSWER_SECONDS).git_version
    except (ConfigException, YAMLError, AttributeError, TypeError):
        # the last two: the client takes for granted that it is a mapping of mappings
        raise DemoError(f"{kubeconfig} is not a kubeconfig that can be used: try it with kubectl") from None
    except (ApiException, HTTPError) as error:
        raise DemoError(f"the cluster of {kubeconfig} does not answer as it should ({_reason(error)})") from None
    print(f"{_MARGIN}Kubernetes {version} at {settings.host}")
    return api


def _reason(error: Exception) -> str:
    return f"{error.status} {error.reason}" if isinstance(error, ApiException) else type(error).__name__


def usable_kubectl() -> Path | None:
    """The kubectl on PATH, if it is new enough (1.28) to know "auth whoami"."""
    found = shutil.which("kubectl")
    if found is None:
        return None
    knows = subprocess.run([found, "auth", "whoami", "--help"], capture_output=True, check=False)
    return Path(found) if knows.returncode == 0 else None


def namespaces() -> list[str]:
    """The namespaces of the examples, as the playbook calls them."""
    text = jinja2.Template(EXAMPLES.read_text(), autoescape=False).render(examples_namespace_prefix=PREFIX)
    return sorted({account["namespace"] for account in yaml.safe_load(text)["service_accounts_list"]})


def remove_namespaces(administrator: ApiClient) -> None:
    """Delete the namespaces and return when they are gone."""
    api = CoreV1Api(administrator)
    deadline = time.monotonic() + _NAMESPACE_SECONDS
    left = [name for name in namespaces() if _exists(api.delete_namespace, name)]
    while left:
        if time.monotonic() > deadline:
            raise DemoError(f"still being removed after {_NAMESPACE_SECONDS} s: namespaces {', '.join(left)}")
        time.sleep(0.2)
        left = [name for name in left if _exists(api.read_namespace, name)]
    print(f"{_MARGIN}{len(namespaces())} namespaces are gone")


def _exists(request: Callable[..., object], name: str) -> bool:
    """Send a request about a namespace; whether it is there."""
    try:
        request(name, _request_timeout=_ANSWER_SECONDS)
    except (ApiException, HTTPError) as error:
        if isinstance(error, ApiException) and error.status == 404:
            return False
        raise DemoError(f"cannot remove namespace {name} ({_reason(error)}): remove {PREFIX}* by hand") from None
    return True


# The playbook


@dataclass(frozen=True)
class Run:
    """A playbook that ended well: everything it said."""

    text: str

    @property
    def changed(self) -> int:
        """The number in its recap."""
        return sum(map(int, re.findall(r"\bchanged=(\d+)", self.text)))

    def summary(self) -> list[str]:
        """The lines of its last task, which shows a list."""
        shown = self.text.rpartition("] => ")[2]
        lines: list[str] = json.JSONDecoder().raw_decode(shown)[0]["msg"]
        return lines


def run_playbook(place: Place) -> Run:
    """Run the demo's playbook and show how its tasks end; raises with all of its output if it fails."""
    variables = json.dumps({"examples_token_directory": str(place.tokens)})
    program = Path(sys.executable).with_name("ansible-playbook")
    command = (str(program), "tokenwright.kubernetes.demo", "--extra-vars", variables)
    child = subprocess.Popen(
        supervised(command, this_process()), env=environment(place), stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip
    with ended(child):
        text = shown(child)
        status = child.wait()
    if status:
        raise DemoError(f"ansible-playbook failed with exit status {status}:\n{text}")
    return Run(text)


def environment(place: Place) -> dict[str, str]:
    """Nothing of the user's settings for Ansible or for a cluster, and nothing is left behind in the home directory."""
    place.scratch.mkdir(exist_ok=True)
    settings = place.scratch / "ansible.cfg"
    settings.write_text(ANSIBLE_CFG.format(collections=link_collection().parents[2], home=place.scratch))
    foreign = ("ANSIBLE_", "K8S_AUTH_", "KUBECONFIG")
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith(foreign)},
        "ANSIBLE_CONFIG": str(settings),
        "K8S_AUTH_KUBECONFIG": str(place.kubeconfig),
        # kubectl's cache goes by address, and the next cluster may have the same.
        "KUBECACHEDIR": str(place.scratch / "kubectl-cache"),
    }


def shown(child: subprocess.Popen[str]) -> str:
    """Show how each task ends as soon as it does, and warnings; return everything there was."""
    assert child.stdout
    lines, task = [], ""
    for line in child.stdout:
        lines.append(line)
        if begun := re.match(r"TASK \[(?:.* : )?(.*?)(?: - .*)?\] \*", line):
            task = begun[1]
        elif over := re.match(r"(ok|changed|fatal): \[", line):
            print(f"{_MARGIN}{over[1]:8} {task}", flush=True)
        elif line.startswith(("[WARNING]", "[DEPRECATION")):
            print(f"{_MARGIN}{line.rstrip()}", flush=True)
    return "".join(lines)


@contextlib.contextmanager
def ended(child: subprocess.Popen[str]) -> Iterator[None]:
    """Leave no process of the child's group behind, however the block ends."""
    try:
        yield
    finally:
        for last_word in (signal.SIGTERM, signal.SIGKILL):
            if child.poll() is None:
                os.killpg(child.pid, last_word)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.wait(_PATIENCE_SECONDS)


# The proof


class Bearer(Protocol):
    """Somebody who asks the cluster with the kubeconfig that was written."""

    def whoami(self) -> str:
        """The user that the server takes it for."""

    def may_list(self, resource: str) -> tuple[bool, str]:
        """Whether it may list these, in its kubeconfig's namespace, and what was said to that."""


def prove(place: Place) -> None:
    """Ask who the kubeconfig's owner is, do what it may do, and what it may not."""
    kubeconfig = place.tokens / KUBECONFIG
    bearer: Bearer = Kubectl(place.kubectl, kubeconfig, environment(place)) if place.kubectl else Reviews(kubeconfig)
    user = bearer.whoami()
    if user != USER:
        raise DemoError(f"the server takes the owner of {kubeconfig} for {user or 'nobody'}, not for {USER}")
    for resource, expected in ((ALLOWED, True), (REFUSED, False)):
        allowed, said = bearer.may_list(resource)
        if allowed != expected:
            raise DemoError(f"{USER} {'may not' if expected else 'may'} list {resource}: {said}")


class Kubectl:
    """By doing it, with kubectl."""

    def __init__(self, program: Path, kubeconfig: Path, variables: dict[str, str]) -> None:
        self._command = [str(program), f"--kubeconfig={kubeconfig}", f"--request-timeout={_ANSWER_SECONDS}s"]
        self._environment = variables

    def whoami(self) -> str:
        done = self._run("auth", "whoami", "--output=jsonpath={.status.userInfo.username}")
        if done.returncode:
            raise DemoError(f"kubectl auth whoami failed: {done.stderr.strip()}")
        tell("kubectl auth whoami", done.stdout)
        return done.stdout

    def may_list(self, resource: str) -> tuple[bool, str]:
        done = self._run("get", resource)
        said = (done.stdout + done.stderr).strip()
        tell(f"kubectl get {resource}", said)
        if done.returncode and "(Forbidden)" not in said:
            raise DemoError(f"kubectl get {resource} was neither allowed nor refused: {said}")
        return done.returncode == 0, said

    def _run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*self._command, *arguments], env=self._environment, capture_output=True, text=True, check=False
        )


class Reviews:
    """By asking the server, where there is no kubectl."""

    def __init__(self, kubeconfig: Path) -> None:
        api = new_client_from_config(str(kubeconfig))
        self._authentication, self._authorization = AuthenticationV1Api(api), AuthorizationV1Api(api)
        self._namespace = list_kube_config_contexts(str(kubeconfig))[1]["context"]["namespace"]

    def whoami(self) -> str:
        body = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        user = str(self._ask(self._authentication.create_self_subject_review, body)["userInfo"]["username"])
        tell("SelfSubjectReview", user)
        return user

    def may_list(self, resource: str) -> tuple[bool, str]:
        plural, _dot, group = resource.partition(".")
        question = {"verb": "list", "resource": plural, "group": group, "namespace": self._namespace}
        body = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": question},
        }
        answer = self._ask(self._authorization.create_self_subject_access_review, body)
        said = f"{'allowed' if answer['allowed'] else 'refused'} in namespace {self._namespace}"
        tell(f"SelfSubjectAccessReview: list {resource}", said)
        return bool(answer["allowed"]), said

    def _ask(self, create: Callable[..., Any], body: dict[str, Any]) -> dict[str, Any]:
        try:
            answer = json.loads(create(body, _preload_content=False, _request_timeout=_ANSWER_SECONDS).data)
        except (ApiException, HTTPError) as error:
            raise DemoError(f"the server does not answer a {body['kind']} as it should ({_reason(error)})") from None
        status: dict[str, Any] = answer["status"]
        return status


def tell(question: str, answer: str) -> None:
    """Show a question and its answer, in short lines."""
    lines = textwrap.wrap(answer, 90, break_long_words=False, break_on_hyphens=False)
    print(f"{_MARGIN}$ {question}")
    print(*(f"{_MARGIN * 2}{line}" for line in lines), sep="\n", flush=True)
