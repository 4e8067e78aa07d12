"""An installation in namespaces of one's own: the Role that the chart's README has is enough for it, all of it is needed, and what is installed works."""

import contextlib
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from contract.access import Object, People, service_account
from contract.objects import job
from contract.server import Api
from kubernetes import config
from kubernetes.dynamic import DynamicClient
from kubernetes.dynamic.exceptions import ForbiddenError, NotFoundError
from unit.test_api_serving import problem_in, serving
from unit.test_chart_namespaced import installers_rules
from unit.test_chart_render import CHART

from localcluster.golang import tool
from simops_api.settings import Settings

LAB, SWEEPS = "own-lab", "own-lab-sweeps"
NAMESPACES = (LAB, SWEEPS)
ROLE = "simops-installer"
SETTINGS = (
    "--set=rbac.clusterWide=false,crds.install=false",
    f"--set=simulations.namespaces={{{LAB},{SWEEPS}}}",
    # All that needs a rule of its own.
    "--set=operator.replicas=2,gateway.autoscaling.enabled=true",
    "--set=gateway.ingress.enabled=true,gateway.ingress.host=simops.example.org",
)
DEADLINE = 60.0
Rules = list[dict[str, Any]]


GRANTED = [(rule["apiGroups"][0], resource) for rule in installers_rules() for resource in rule["resources"]]


def without(group: str, resource: str) -> Rules:
    """The same rules but for one resource."""
    left = [
        {**rule, "resources": [one for one in rule["resources"] if (rule["apiGroups"], one) != ([group], resource)]}
        for rule in installers_rules()
    ]
    return [rule for rule in left if rule["resources"]]


class Installer:
    """Somebody who has this Role in two namespaces and nothing else, and their programs."""

    def __init__(self, people: People, kubeconfig: Path) -> None:
        self.people = people
        self._kubeconfig = kubeconfig
        api = config.new_client_from_config(str(kubeconfig))  # type: ignore[no-untyped-call]
        self._objects: Any = DynamicClient(api)  # type: ignore[no-untyped-call]

    def run(self, program: str, *arguments: str) -> str:
        """Run a program; return what it complains of, empty when it has done everything."""
        done = self._done(program, *arguments)
        return done.stderr if done.returncode else ""

    def told(self, program: str, *arguments: str) -> str:
        """Run a program; return what it says."""
        done = self._done(program, *arguments)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def _done(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(tool(program)), f"--kubeconfig={self._kubeconfig}", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)

    def grant(self, rules: Rules) -> None:
        """Have these rules in both namespaces, in the place of those before."""
        for namespace in NAMESPACES:
            self.people.rbac.replace_namespaced_role(ROLE, namespace, {"metadata": {"name": ROLE}, "rules": rules})

    def resource(self, one: Object) -> Any:
        """Return what the API server calls an object's kind."""
        return self._objects.resources.get(api_version=one["apiVersion"], kind=one["kind"])

    def refusals(self, objects: list[Object]) -> set[str]:
        """Try to apply objects, without keeping them; return the kinds of those that the API server refuses for want of a right."""
        refused = set()
        for one in objects:
            where = {"name": one["metadata"]["name"], "namespace": one["metadata"]["namespace"]}
            try:
                self.resource(one).server_side_apply(
                    body=one, **where, field_manager="kubectl", force_conflicts=True, dry_run="All"
                )
            except ForbiddenError:
                refused.add(one["kind"])
            except NotFoundError:
                # Its Role, which nothing makes in a dry run; that it is taken when there is one is seen by the installation.
                assert one["kind"] == "RoleBinding"
        return refused

    def until(self, objects: list[Object], *, refused: bool) -> set[str]:
        """Wait until the API server's authorizer knows the rules; return the kinds that are refused."""
        deadline = time.monotonic() + DEADLINE
        while bool(found := self.refusals(objects)) != refused:
            assert time.monotonic() < deadline, found
        return found


@pytest.fixture(scope="module")
def installer(api: Api, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installer]:
    people = People(api, [])
    try:
        for namespace in NAMESPACES:
            people.namespace(namespace)
        people.account(LAB, "installer")
        for namespace in NAMESPACES:
            people.may(namespace, ROLE, [service_account(LAB, "installer")], verbs=["get"])
        kubeconfig = people.kubeconfig(people.token(LAB, "installer"), tmp_path_factory.mktemp("installer"))
        made = Installer(people, kubeconfig)
        made.grant(installers_rules())
        yield made
    finally:
        for undo in reversed(people.undo):
            with contextlib.suppress(Exception):
                undo()


@pytest.fixture(scope="module")
def manifests() -> list[Object]:
    """All that the chart makes."""
    command = [str(tool("helm")), "template", "simops", str(CHART), f"--namespace={LAB}", *SETTINGS]
    done = subprocess.run([*command, "--kube-version=1.35.4"], capture_output=True, text=True, check=True)
    return [document for document in yaml.safe_load_all(done.stdout) if document]


@pytest.mark.parametrize(("group", "resource"), GRANTED, ids=[f"{resource}.{group}" for group, resource in GRANTED])
def test_without_one_of_its_rules_the_api_server_refuses(
    installer: Installer, manifests: list[Object], group: str, resource: str
) -> None:
    made = {one["kind"] for one in manifests if installer.resource(one).name == resource}
    installer.grant(installers_rules())
    installer.until(manifests, refused=False)
    installer.grant(without(group, resource))
    # What the chart does not make it hands out.
    assert installer.until(manifests, refused=True) <= made | {"Role"}


@pytest.fixture(scope="module")
def installed(installer: Installer, manifests: list[Object]) -> Iterator[Installer]:
    """The same, who has installed the chart."""
    installer.grant(installers_rules())
    installer.until(manifests, refused=False)
    said = installer.run("helm", "install", "simops", str(CHART), f"--namespace={LAB}", *SETTINGS)
    assert said == ""
    yield installer
    assert installer.run("helm", "uninstall", "simops", f"--namespace={LAB}") == ""


async def test_with_the_documented_role_it_is_installed_and_its_gateway_serves_by_roles_alone(
    installed: Installer, tmp_path: Path
) -> None:
    people = installed.people
    for namespace in NAMESPACES:
        people.make(job("heat"), namespace)
    people.account(LAB, "ann")
    people.account(LAB, "stranger")
    people.may(LAB, "people", [service_account(LAB, "ann")], verbs=["get", "list", "create", "patch"])
    settings = Settings(
        auth_mode="kubernetes",
        auth_reviews="caller",
        auth_cache_seconds=0,
        kubeconfig=str(people.kubeconfig(people.token(LAB, "simops-gateway"), tmp_path)),
        namespaces=NAMESPACES,
    )
    async with serving(settings) as session:

        async def status(who: str, path: str, method: str = "GET", **more: Any) -> int:
            headers = {"Authorization": f"Bearer {people.token(LAB, who)}"}
            async with session.request(method, f"/api/v1/jobs{path}", headers=headers, **more) as response:
                return response.status

        deadline = time.monotonic() + DEADLINE
        while (found := await status("ann", "/heat")) != 200:  # the authorizer has to learn of the Role
            assert time.monotonic() < deadline, found
        assert await status("ann", f"/{SWEEPS}.heat") == 403
        assert await status("stranger", "/heat") == 403
        assert await status("simops-gateway", "/heat") == 200, "it may read, and nothing says that it may not ask"
        assert await status("ann", "", "POST", json={"image": "sim:local", "command": ["run"]}) == 201
        async with session.get("/api/v1/jobs/heat", headers={"Authorization": "Bearer nobody"}) as response:
            await problem_in(response, 401)


def test_who_has_installed_it_may_upgrade_it_and_look_at_it(installed: Installer) -> None:
    changed = ("--set=operator.replicas=3,operator.logLevel=DEBUG",)
    arguments = ("simops", str(CHART), f"--namespace={LAB}", *SETTINGS, *changed)
    assert installed.run("helm", "upgrade", *arguments) == ""
    assert "simops" in installed.told("helm", "list", f"--namespace={LAB}")
    assert installed.run("kubectl", "get", "deployment", "simops-operator", f"--namespace={LAB}") == ""


def test_the_notes_say_what_is_not_there(installed: Installer) -> None:
    notes = " ".join(installed.told("helm", "get", "notes", "simops", f"--namespace={LAB}").split())
    assert "No admission policy of this release refuses images that are not allowed" in notes


def test_they_may_do_nothing_elsewhere(installed: Installer) -> None:
    for arguments in (
        ("get", "secrets", "--namespace=default"),
        ("get", "namespaces"),
        ("get", "customresourcedefinitions"),
        ("get", "clusterroles"),
    ):
        assert "forbidden" in installed.run("kubectl", *arguments)
