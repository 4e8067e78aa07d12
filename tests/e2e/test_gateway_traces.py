"""One trace from a request to the simulation's Pod: a real gateway, the installed operator, a real cluster, and a collector beside them."""

import json
import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from e2e.cluster import SYSTEM, Cluster, Object, until
from e2e.lab import NAMESPACE, TESTBOX, Lab, Run
from otlp import Collector, Span, collecting

from simops_crds.names import ANNOTATION_TRACEPARENT

ASKED = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{ASKED}-00f067aa0ba902b7-01"
POLICY = f"/apis/networking.k8s.io/v1/namespaces/{SYSTEM}/networkpolicies"
SCRIPT = 'echo "traceparent=$TRACEPARENT"; echo out > "$SIMOPS_OUTPUTS/out.txt"; sleep 2'


def host_address(cluster: Cluster) -> str:
    """Return this machine's address as the cluster's nodes, and so its Pods, reach it."""
    (node, *_) = cluster.items("/api/v1/nodes")
    internal = next(a["address"] for a in node["status"]["addresses"] if a["type"] == "InternalIP")
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.connect((internal, 9))  # sends nothing
        return str(probe.getsockname()[0])


@contextmanager
def operator_sends_to(cluster: Cluster, url: str, port: int) -> Iterator[None]:
    """Let the installed operator trace."""
    selector = {"app.kubernetes.io/component": "operator"}
    policy: Object = {
        "metadata": {"name": "e2e-collector"},
        "spec": {
            "podSelector": {"matchLabels": selector},
            "policyTypes": ["Egress"],
            "egress": [{"ports": [{"protocol": "TCP", "port": port}]}],
        },
    }
    name = cluster.deployment("operator").rpartition("/")[2]

    def set_environment(*variables: str) -> None:
        cluster.kubectl("set", "env", f"--namespace={SYSTEM}", f"deployment/{name}", *variables)
        cluster.kubectl("rollout", "status", f"--namespace={SYSTEM}", f"deployment/{name}", "--timeout=180s")

        def one_leads() -> bool:
            pods = cluster.operators()
            return len(pods) == 1 and cluster.metrics(pods[0]["metadata"]["name"])["simops_operator_leader"] == 1

        until(one_leads, "the operator leads again", within=180)

    cluster.request("POST", POLICY, policy)
    try:
        set_environment(f"OTEL_EXPORTER_OTLP_ENDPOINT={url}", "OTEL_BSP_SCHEDULE_DELAY=200")
        yield
    finally:
        cluster.request("DELETE", f"{POLICY}/e2e-collector")
        set_environment("OTEL_EXPORTER_OTLP_ENDPOINT-", "OTEL_BSP_SCHEDULE_DELAY-")


@contextmanager
def gateway(cluster: Cluster, collector: Collector) -> Iterator[str]:
    """Run a gateway of this checkout; yield its address."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("SIMOPS_", "OTEL_"))}
    environ |= {
        "SIMOPS_AUTH_MODE": "none",
        "SIMOPS_NAMESPACES": NAMESPACE,
        "SIMOPS_KUBECONFIG": str(cluster.kubeconfig),
        "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url,
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    command = [sys.executable, "-m", "uvicorn", "simops_api.app:app", f"--port={port}"]
    with subprocess.Popen(command, env=environ, stderr=subprocess.PIPE, text=True) as process:
        try:
            base = f"http://127.0.0.1:{port}"
            until(lambda: ready(base, process), "the gateway is ready", within=90)
            yield base
        finally:
            process.terminate()
            _, said = process.communicate(timeout=60)
        lines = [json.loads(line) for line in said.splitlines()]  # each and every one is an object
        assert any(line.get("trace_id") == ASKED and line.get("method") == "POST" for line in lines), said


def ready(base: str, process: subprocess.Popen[str]) -> bool:
    assert process.poll() is None, process.stderr.read() if process.stderr else ""
    try:
        with urllib.request.urlopen(f"{base}/ready", timeout=10) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


@dataclass
class Traced:
    """A run that was asked for by REST within a trace, when it is over."""

    run: Run
    pod: Object
    spans: list[Span]

    def one(self, name: str) -> Span:
        (found,) = [span for span in self.spans if span.name == name]
        return found


@pytest.fixture(scope="module")
def traced(simops: Lab) -> Iterator[Traced]:
    cluster = simops.cluster
    host = host_address(cluster)
    with (
        collecting("0.0.0.0") as collector,
        operator_sends_to(cluster, f"http://{host}:{collector.port}", collector.port),
        gateway(cluster, collector) as base,
    ):
        body = {"image": TESTBOX, "command": ["sh", "-c", SCRIPT], "timeout_seconds": 600}
        request = urllib.request.Request(
            f"{base}/api/v1/jobs",
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "traceparent": PARENT},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            (name,) = json.load(answer)["jobs"]
        run = Run(
            simops, cluster.request("GET", f"/apis/simops.dev/v1alpha1/namespaces/{NAMESPACE}/simulationjobs/{name}")
        )
        simops.recent.append(run)
        run.ended("Succeeded", "Completed")
        (pod,) = run.pods()
        collector.wait("POST /api/v1/jobs", "pending", "simulation", "storing", "reconcile", "ApplyJob", "ArchiveLog")
        yield Traced(run, pod, collector.spans)


def test_gateway_operator_and_phases_are_one_trace(traced: Traced) -> None:
    assert {span.trace_id for span in traced.spans} == {ASKED}
    assert {span.service for span in traced.spans} == {"simops-gateway", "simops-operator"}
    post = traced.one("POST /api/v1/jobs")
    assert post.parent_id == PARENT[36:52]
    for name in ("pending", "simulation", "storing"):
        assert traced.one(name).parent_id == post.span_id
    reconciles = {span.span_id for span in traced.spans if span.name == "reconcile"}
    assert traced.one("ApplyJob").parent_id in reconciles
    assert traced.one("ArchiveLog").parent_id in reconciles


def test_the_phases_have_the_times_of_the_run_and_follow_each_other(traced: Traced) -> None:
    pending, simulation, storing = map(traced.one, ("pending", "simulation", "storing"))
    assert pending.start <= pending.end == simulation.start
    assert simulation.end == storing.start <= storing.end
    assert simulation.end - simulation.start >= 1  # it slept 2 s; Kubernetes keeps whole seconds
    assert simulation.attributes["process.exit.code"] == 0
    assert simulation.attributes["simops.job.name"] == traced.run.name


def test_the_simulation_was_told_the_trace(traced: Traced) -> None:
    post = traced.one("POST /api/v1/jobs")
    told = f"00-{ASKED}-{post.span_id}-01"
    assert traced.pod["metadata"]["annotations"][ANNOTATION_TRACEPARENT] == told
    assert f"traceparent={told}" in traced.run.log()


def test_every_line_of_the_operator_is_an_object(traced: Traced) -> None:
    cluster = traced.run.lab.cluster
    (pod,) = cluster.operators()
    lines = cluster.kubectl("logs", f"--namespace={SYSTEM}", pod["metadata"]["name"], timeout=60).splitlines()
    assert lines
    for line in lines:
        assert {"time", "level", "logger", "message"} <= json.loads(line).keys()
