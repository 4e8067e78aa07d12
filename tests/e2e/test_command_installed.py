"""The `simops` command on a cluster that the chart has installed SimOps into, called by kubectl itself as its plugin."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from e2e.lab import NAMESPACE, TESTBOX, Lab

from localcluster.golang import tool
from simops_cli.core.exits import Exit
from simops_demo import gateway, installation

Done = subprocess.CompletedProcess[str]


@pytest.fixture(scope="module")
def installed(simops: Lab) -> installation.Cluster:
    return installation.Cluster(simops.cluster.name, simops.cluster.kubeconfig)


@pytest.fixture
def environment(simops: Lab, tmp_path: Path) -> dict[str, str]:
    """Of somebody who has kubectl, its plugin and a kubeconfig."""
    plain = {k: v for k, v in os.environ.items() if not k.startswith("SIMOPS_") and "proxy" not in k.lower()}
    return plain | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "KUBECONFIG": str(simops.cluster.kubeconfig),
        "SIMOPS_CONFIG": str(tmp_path / "login.json"),
    }


def kubectl_simops(environment: dict[str, str], *words: str) -> Done:
    command = [str(tool("kubectl")), "simops", *words]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)


@pytest.fixture
def server(installed: installation.Cluster) -> Iterator[str]:
    with gateway.opened(installed, NAMESPACE) as session:
        yield str(session.client.base_url).rstrip("/")


def test_doctor_finds_a_healthy_installation_healthy(environment: dict[str, str]) -> None:
    done = kubectl_simops(environment, "doctor", "--namespace", NAMESPACE, "--output=json")
    found = {check["what"]: check for check in json.loads(done.stdout)}
    assert done.returncode == Exit.OK, done.stdout
    assert {"API server", "CRDs", "operator", "gateway", "store"} <= found.keys()
    assert all(check["ok"] for check in found.values()), done.stdout
    assert found["operator"]["found"].startswith("1 of 1 Pods ready")


def test_doctor_looks_at_the_gateway_too_where_one_is_known(
    installed: installation.Cluster, environment: dict[str, str], server: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text(gateway.token_for(installed, NAMESPACE))
    words = ["--server", server, "--token-file", str(token), "--namespace", NAMESPACE]
    done = kubectl_simops(environment, "doctor", *words, "--output=json")
    found = [(check["what"], check["ok"]) for check in json.loads(done.stdout)]
    assert ("gateway is ready", True) in found
    assert ("you may list jobs", True) in found
    assert ("operator", True) in found
    assert done.returncode == Exit.OK, done.stdout


def test_doctor_says_what_to_do_about_a_token_that_is_not_one(
    environment: dict[str, str], server: str, tmp_path: Path
) -> None:
    token = tmp_path / "token"
    token.write_text("nobody")
    words = ["--server", server, "--token-file", str(token), "--namespace", NAMESPACE]
    done = kubectl_simops(environment, "doctor", *words)
    assert done.returncode == Exit.UNHEALTHY
    assert "WRONG   you may list jobs" in done.stdout
    assert "simops login" in done.stdout


def test_doctor_tells_a_person_without_rights_which_are_missing(
    installed: installation.Cluster, environment: dict[str, str], tmp_path: Path
) -> None:
    manifest = installation.output(
        installed.kubectl("create", "serviceaccount", "newcomer", "--dry-run=client", "--output=json")
    )
    (tmp_path / "newcomer.json").write_text(manifest)
    installation.output(installed.kubectl("apply", f"--namespace={NAMESPACE}", f"--filename={tmp_path}/newcomer.json"))
    token = installation.output(installed.kubectl("create", "token", "newcomer", f"--namespace={NAMESPACE}")).strip()
    own = tmp_path / "kubeconfig"
    config = json.loads(installation.output(installed.kubectl("config", "view", "--raw", "--output=json")))
    config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
    own.write_text(json.dumps(config))
    done = kubectl_simops(environment | {"KUBECONFIG": str(own)}, "doctor", "--namespace", NAMESPACE)
    assert done.returncode == Exit.UNHEALTHY, done.stdout
    lines = done.stdout.splitlines()
    assert f"WRONG   you may create runs in {NAMESPACE}" in "\n".join(line.rstrip() for line in lines)
    assert "kubectl create rolebinding" in done.stdout
    assert any(line.startswith("unknown operator") and "may not list Pods" in line for line in lines)


def test_a_run_that_kubectl_simops_has_submitted_ends_with_the_code_of_its_end(environment: dict[str, str]) -> None:
    where = ["--namespace", NAMESPACE, "--wait"]
    done = kubectl_simops(environment, "submit", TESTBOX, *where, "--", "sh", "-c", "exit 0")
    assert done.returncode == Exit.OK, done.stderr
    failed = kubectl_simops(environment, "submit", TESTBOX, *where, "--", "sh", "-c", "echo no >&2; exit 7")
    assert failed.returncode == Exit.FAILED, failed.stderr
