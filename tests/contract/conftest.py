"""A real API server for the whole run, with the CRDs and policies of this checkout in force.

`SIMOPS_TEST_KUBECONFIG` names another one to use. Where none can be started the tests fail and say why: a contract that nobody
checked is not kept.
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
from contract.server import ROOT, Api, Kubectl

from simops_crds.kinds import KINDS, Kind
from simops_crds.names import GROUP

HERE = Path(__file__).resolve().parent
DEADLINE = 120.0


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker("apiserver")


def _cluster(*arguments: str) -> str:
    command = [str(ROOT / "hack" / "cluster"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)
    if done.returncode:
        pytest.fail(f"the contract tests need an API server; {' '.join(command)}: {done.stderr.strip()}", pytrace=False)
    return done.stdout.strip()


@pytest.fixture(scope="session")
def kubeconfig() -> Iterator[str]:
    given = os.environ.get("SIMOPS_TEST_KUBECONFIG")
    if given:
        yield given
        return
    name = os.environ.get("SIMOPS_CONTRACT_CLUSTER") or f"contract-{os.getpid()}"
    path = _cluster("apiserver", "--name", name).splitlines()[-1]
    try:
        yield path
    finally:
        _cluster("down", "--name", name)


@pytest.fixture(scope="session")
def kubectl(kubeconfig: str) -> Kubectl:
    program = _cluster("tool", "kubectl").splitlines()[-1]

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
