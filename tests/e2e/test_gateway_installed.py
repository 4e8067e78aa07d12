"""The gateway as the chart installs it: with sign-in, its own rights, and somebody's token."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import httpx
import pytest
from e2e.cluster import until
from e2e.lab import HELD, NAMESPACE, TESTBOX, Lab

from simops_demo import gateway, installation
from simops_images.catalogue import ROOT


@pytest.fixture(scope="module")
def installed(simops: Lab) -> installation.Cluster:
    return installation.Cluster(simops.cluster.name, simops.cluster.kubeconfig)


@pytest.fixture(scope="module")
def session(installed: installation.Cluster) -> Iterator[gateway.Session]:
    with gateway.opened(installed, NAMESPACE) as opened:
        yield opened


def test_the_example_in_python_runs_as_it_stands(installed: installation.Cluster, session: gateway.Session) -> None:
    environ = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
    environ |= {"GATEWAY": str(session.client.base_url).rstrip("/"), "TOKEN": gateway.token_for(installed, NAMESPACE)}
    command = [sys.executable, str(ROOT / "examples" / "rest.py")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert "heat1d: done in" in done.stdout
    assert ": Succeeded" in done.stdout
    assert "temperature_field.npy" in done.stdout
    assert "final_mean_temp" in done.stdout


def test_nobody_is_let_in_without_a_token_and_nothing_is_shown_of_other_namespaces(session: gateway.Session) -> None:
    bare = httpx.get(f"{session.client.base_url}".rstrip("/") + "/api/v1/jobs", trust_env=False)
    assert (bare.status_code, bare.headers["WWW-Authenticate"]) == (401, "Bearer")
    wrong = httpx.get(
        f"{session.client.base_url}".rstrip("/") + "/api/v1/jobs",
        headers={"Authorization": "Bearer x"},
        trust_env=False,
    )
    assert wrong.status_code == 401
    assert session.client.get("/api/v1/jobs").json()["items"] is not None
    assert session.client.get("/metrics").status_code == 403
    assert session.client.get("/health").json()["synced"]


def test_an_image_that_is_not_trusted_is_refused_at_the_door(session: gateway.Session) -> None:
    answer = session.client.post("/api/v1/jobs", json={"image": "elsewhere.example.com/sim:1"})
    assert answer.status_code == 422
    assert answer.json()["errors"][0]["field"] == "image"


def test_a_sweep_of_too_many_points_is_refused_with_their_number_whoever_asks(
    installed: installation.Cluster, session: gateway.Session
) -> None:
    axes = [{"name": name, "integers": {"low": 1, "high": 1000}} for name in ("a", "b")]
    answer = session.client.post("/api/v1/jobs", json={"command": ["true"], "space": {"axes": axes}})
    assert answer.status_code == 422
    assert "1,000,000 points" in answer.json()["detail"]
    template = {"image": "sim:local", "command": ["true"]}
    manifest = {
        "apiVersion": "simops.dev/v1alpha1",
        "kind": "SimulationSweep",
        "metadata": {"name": "too-many", "namespace": NAMESPACE},
        "spec": {"template": template, "space": {"axes": axes}},
    }
    done = subprocess.run(
        installed.kubectl("apply", "-f", "-"),
        input=json.dumps(manifest),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0
    assert "it has 1000000 points, and a sweep has at most 200000 here" in done.stderr


def test_all_that_a_person_may_ask_for_works_with_the_rights_that_the_chart_gives_the_gateway(
    session: gateway.Session,
) -> None:
    call = session.client.request
    again = {"Idempotency-Key": f"rights-{time.time_ns()}"}
    held = {"image": TESTBOX, "command": ["sh", "-c", HELD]}
    first, second = (call("POST", "/api/v1/jobs", json=held, headers=again) for _ in range(2))
    assert (first.status_code, second.json()) == (201, first.json()), second.text
    (run,) = first.json()["jobs"]
    until(lambda: call("GET", f"/api/v1/jobs/{run}/logs").text.startswith("attempt "), "the log of a run that runs")
    assert call("DELETE", f"/api/v1/jobs/{run}").status_code == 202

    space = {"axes": [{"name": "x", "integers": {"low": 0, "high": 3}}]}
    body = {"image": TESTBOX, "command": ["sh", "-c", "exit 1"], "space": space, "points_per_pod": 4}
    made = call("POST", "/api/v1/sweeps", json=body)
    assert made.status_code == 201, made.text
    path = f"/api/v1/sweeps/{made.json()['sweep']}"
    until(lambda: call("GET", path).json()["status"] == "Failed", lambda: call("GET", path).text, within=180)
    assert call("POST", f"{path}/rerun", json={"points": "failed"}).status_code == 202


def test_why_a_run_waits_is_told_in_the_words_of_kubernetes(session: gateway.Session) -> None:
    nowhere = {"image": TESTBOX, "command": ["true"], "node_selector": {"simops.dev/no-such": "node"}}
    made = session.client.post("/api/v1/jobs", json=nowhere)
    (run,) = made.json()["jobs"]

    def reasons() -> set[str]:
        answer = session.client.get(f"/api/v1/jobs/{run}/kubernetes-events")
        assert answer.status_code == 200, answer.text
        return {event["reason"] for event in answer.json()["events"]}

    try:
        until(lambda: {"FailedScheduling", "SuccessfulCreate"} <= reasons(), lambda: str(reasons()))
    finally:
        assert session.client.delete(f"/api/v1/jobs/{run}").status_code == 202


def test_two_replicas_are_replaced_without_a_request_that_is_lost(
    installed: installation.Cluster, session: gateway.Session
) -> None:
    """Asked at the Service's address, as other Pods do: a forwarded port would die with its Pod."""
    deployment = f"deployment/{gateway.SERVICE}"
    where = f"--namespace={installation.NAMESPACE}"

    def settled() -> None:
        installation.output(installed.kubectl("rollout", "status", deployment, where, "--timeout=180s"), timeout=200)

    installation.output(installed.kubectl("scale", deployment, where, "--replicas=2"))
    settled()
    address = installed.get("service", gateway.SERVICE, where)["spec"]["clusterIP"]
    stop, answers = threading.Event(), list[int | str]()

    def ask() -> None:
        headers = {"Authorization": session.client.headers["Authorization"]}
        while not stop.is_set():
            try:
                answers.append(httpx.get(f"http://{address}/api/v1/jobs", headers=headers, trust_env=False).status_code)
            except httpx.TransportError as error:
                answers.append(f"{type(error).__name__}: {error}")

    asking = threading.Thread(target=ask)
    asking.start()
    try:
        installation.output(installed.kubectl("rollout", "restart", deployment, where))
        settled()
    finally:
        stop.set()
        asking.join()
        installation.output(installed.kubectl("scale", deployment, where, "--replicas=1"))
    assert len(answers) > 10
    assert set(answers) == {200}
