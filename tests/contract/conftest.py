"""A real API server for the whole run, with the CRDs and policies of this checkout in force.

`SIMOPS_TEST_KUBECONFIG` names another one to use. Where none can be started the tests fail and say why: a contract that nobody
checked is not kept. Tests with the mark `versions` run once more with the API server of each supported version that is built.
"""

import json
import os
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.objects import Manifest, axes, axis, job, sweep
from contract.server import DEADLINE, NAME, ROOT, Api, Kubectl, api_server, hack_cluster
from kubernetes.aio import client, config

from localcluster.golang import KUBERNETES, OTHER_KUBERNETES, apiserver_of, built
from simops_crds.kinds import KINDS
from simops_crds.names import GROUP
from simops_operator.cluster import Cluster

HERE = Path(__file__).resolve().parent
GIVEN = os.environ.get("SIMOPS_TEST_KUBECONFIG")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("apiserver")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("versions") and "kubeconfig" in metafunc.fixturenames and not GIVEN:
        # None is the project's own version, and the very server of the tests without the mark.
        others = {minor: minor for minor in OTHER_KUBERNETES if built(apiserver_of(minor))}
        versions = {KUBERNETES.removeprefix("v").rpartition(".")[0]: None, **others}
        metafunc.parametrize("kubeconfig", versions.values(), ids=versions, indirect=True)


@pytest.fixture(scope="session")
def kubeconfig(request: pytest.FixtureRequest) -> Iterator[str]:
    if GIVEN:
        yield GIVEN
        return
    with api_server(NAME, getattr(request, "param", None)) as path:
        yield path


@pytest.fixture(scope="session")
def kubectl(kubeconfig: str) -> Kubectl:
    program = hack_cluster("tool", "kubectl")

    def run(*arguments: str, given: Any = None) -> str:
        text = None if given is None else json.dumps(given)
        command = [program, "--kubeconfig", kubeconfig, *arguments]
        done = subprocess.run(command, input=text, capture_output=True, text=True, timeout=DEADLINE, check=False)
        if done.returncode:
            raise AssertionError(f"{' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    return run


@pytest.fixture(scope="session")
def api(kubeconfig: str, kubectl: Kubectl) -> Iterator[Api]:
    kubectl("apply", "-f", str(ROOT / "crds"))
    names = [f"crd/{kind.plural}.{GROUP}" for kind in KINDS]
    kubectl("wait", "--for=condition=Established", f"--timeout={DEADLINE:.0f}s", *names)
    server = Api(kubeconfig)
    for probe in (
        job("probe", params={"not allowed": 1}),
        sweep("probe", space=axes(axis(), method="list", points=[{}])),
    ):
        server.until_refused(probe, "ValidatingAdmissionPolicy")
    yield server
    server.close()


@pytest.fixture
async def cluster(kubeconfig: str) -> AsyncIterator[Cluster]:
    """The API server as the operator calls it."""
    configuration = client.Configuration()
    await config.load_kube_config(config_file=kubeconfig, client_configuration=configuration)  # type: ignore[no-untyped-call]
    async with client.ApiClient(configuration) as api:
        yield Cluster(api)


@pytest.fixture
def made(api: Api) -> Iterator[Callable[[Manifest], Manifest]]:
    """Create objects that are deleted after the test."""
    kept: list[Manifest] = []

    def make(manifest: Manifest) -> Manifest:
        created = api.create(manifest)
        kept.append(manifest)
        return created

    yield make
    for manifest in kept:
        api.delete(manifest)
