"""A real API server for the whole run, with the CRDs and policies of this checkout in force.

`SIMOPS_TEST_KUBECONFIG` names another one to use. Where none can be started the tests fail and say why: a contract that nobody
checked is not kept. Tests with the mark `versions` run once more with the API server of each supported version that is built.
"""

import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from contract.objects import Manifest, axes, axis, job, sweep
from contract.server import NAME, ROOT, Api, Kubectl, api_server, hack_cluster

from localcluster.golang import KUBERNETES, OTHER_KUBERNETES, apiserver_of, built
from simops_crds.kinds import KINDS, Kind
from simops_crds.names import GROUP

HERE = Path(__file__).resolve().parent
DEADLINE = 120.0
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
    probes = {
        KINDS[0].kind: job("probe", params={"not allowed": 1}),
        KINDS[1].kind: sweep("probe", space=axes(axis(), method="list", points=[{}])),
    }
    for kind in KINDS:
        _until_enforced(server, kind, probes[kind.kind])
    yield server
    server.close()


def _until_enforced(server: Api, kind: Kind, probe: Manifest) -> None:
    # The API server reads policies and new kinds in the background; what it refuses shows that it has.
    deadline = time.monotonic() + DEADLINE
    refusal = None
    while time.monotonic() < deadline:
        refusal = server.refusal(probe)
        if refusal is not None and "ValidatingAdmissionPolicy" in refusal.message:
            return
        time.sleep(0.05)
    pytest.fail(f"the policy of {kind.kind} is not enforced after {DEADLINE:.0f} s: {refusal}", pytrace=False)


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
