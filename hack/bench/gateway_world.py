"""What the benchmark of the gateway's lists needs around it: an API server of its own, many objects in it, and gateways as processes of their own.

Everything that is started here is ended again, unless it is to be kept for another run.
"""

import asyncio
import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp

from localcluster.golang import tool
from simops_crds.kinds import KINDS, SIMULATION_JOB, SIMULATION_SWEEP, Kind
from simops_crds.names import API_VERSION, GROUP
from simops_images.catalogue import ROOT
from simops_io.kube import MERGE_PATCH, ApiError, Transport

MANY = "default"
FEW = "few"
"""The namespaces of the many jobs and of the few."""
WRITERS = 96
DEADLINE_SECONDS = 600.0
_SERVICE_ACCOUNT = f"/api/v1/namespaces/{MANY}/serviceaccounts"
_BINDINGS = "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings"


def path_of(kind: Kind, namespace: str) -> str:
    """Return the path of the objects of a namespace."""
    return f"/apis/{API_VERSION}/namespaces/{namespace}/{kind.plural}"


def name_of(number: int) -> str:
    """Return the name of a job."""
    return f"bench-{number:06d}"


def cluster(*arguments: str) -> str:
    """Run hack/cluster; return what it printed."""
    command = [str(ROOT / "hack" / "cluster"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=900).stdout.strip()


@contextlib.contextmanager
def api_server(name: str, *, keep: bool) -> Iterator[str]:
    """Give the kubeconfig of an API server that knows both kinds and their policies."""
    try:
        kubeconfig = cluster("apiserver", "--name", name).splitlines()[-1]
        kubectl = [str(tool("kubectl")), f"--kubeconfig={kubeconfig}"]
        subprocess.run([*kubectl, "apply", "-f", str(ROOT / "crds")], check=True, capture_output=True, timeout=120)
        names = [f"crd/{kind.plural}.{GROUP}" for kind in KINDS]
        wait = [*kubectl, "wait", "--for=condition=Established", "--timeout=60s", *names]
        subprocess.run(wait, check=True, capture_output=True, timeout=120)
        yield kubeconfig
    finally:
        if not keep:
            cluster("down", "--name", name)


async def count_jobs(api: Transport, namespace: str) -> int:
    """Return how many jobs the API server has."""
    answer = json.loads(await api.call("GET", path_of(SIMULATION_JOB, namespace), query={"limit": "1"}))
    return len(answer["items"]) + int(answer["metadata"].get("remainingItemCount") or 0)


async def ensure(api: Transport, path: str, body: dict[str, Any]) -> None:
    """Make an object, unless there is one of that name."""
    try:
        await api.call("POST", path, body=body)
    except ApiError as error:
        if error.status != 409:
            raise


def job(number: int) -> dict[str, Any]:
    """Return one of the jobs."""
    params = {"length": 1.0, "diffusivity": 0.001 * number, "time_steps": 200, "initial_temp": 100.0}
    return {
        "apiVersion": API_VERSION,
        "kind": SIMULATION_JOB.kind,
        "metadata": {"name": name_of(number), "labels": {"project": f"p{number % 7}"}},
        "spec": {"image": "sim:local", "params": params},
    }


def status_of(number: int) -> dict[str, Any] | None:
    """Return the status of one of the jobs: most have finished, some run, some wait."""
    kind = number % 20
    if kind == 0:
        return None
    begun = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    status: dict[str, Any] = {"startTime": begun.isoformat(), "podName": f"{name_of(number)}-pod"}
    if kind == 1:
        return status | {"phase": "Running", "reason": "SimulationStarted"}
    phase, reason = ("Failed", "ExitCode") if kind < 4 else ("Succeeded", "Completed")
    return status | {
        "phase": phase,
        "reason": reason,
        "message": "5 files, 499181 bytes",
        "completionTime": (begun + timedelta(seconds=30 + number % 600)).isoformat(),
        "metrics": {"final_center_temp": number * 0.5, "l2_error": 0.01},
    }


async def make_jobs(api: Transport, namespace: str, total: int) -> None:
    """Make the jobs that are not there yet, with the status that an operator would have written."""
    path = path_of(SIMULATION_JOB, namespace)
    existing = await count_jobs(api, namespace)
    # Of a run that was broken off the last ones may have no status, and one writer may be behind the others.
    numbers = iter(range(max(0, existing - 10 * WRITERS) if existing < total else total, total))

    async def write() -> None:
        for number in numbers:
            await ensure(api, path, job(number))
            if status := status_of(number):
                url = f"{path}/{name_of(number)}/status"
                await api.call("PATCH", url, body={"status": status}, content_type=MERGE_PATCH)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(write())


async def set_sweep(api: Transport, points: int, succeeded: str, failed: str) -> None:
    """Give the one sweep so many points, of which these have succeeded and those have failed (index ranges)."""
    path = path_of(SIMULATION_SWEEP, MANY)
    axis = {"name": "x", "integers": {"low": 0, "high": points - 1}}
    body = {
        "apiVersion": API_VERSION,
        "kind": SIMULATION_SWEEP.kind,
        "metadata": {"name": "bench-sweep"},
        "spec": {"template": {"image": "sim:local", "command": ["true"]}, "space": {"axes": [axis]}},
    }
    await ensure(api, path, body)
    status = {"phase": "Running", "points": {"total": points}, "succeededPoints": succeeded, "failedPoints": failed}
    await api.call("PATCH", f"{path}/bench-sweep/status", body={"status": status}, content_type=MERGE_PATCH)


async def remove_sweep(api: Transport) -> None:
    """Remove the one sweep, if there is one."""
    try:
        await api.call("DELETE", f"{path_of(SIMULATION_SWEEP, MANY)}/bench-sweep")
    except ApiError as error:
        if error.status != 404:
            raise


async def token(api: Transport) -> str:
    """Return the token of a service account that RBAC lets do everything."""
    await ensure(api, _SERVICE_ACCOUNT, {"metadata": {"name": "bench"}})
    binding = {
        "metadata": {"name": "simops-bench"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "cluster-admin"},
        "subjects": [{"kind": "ServiceAccount", "name": "bench", "namespace": MANY}],
    }
    await ensure(api, _BINDINGS, binding)
    asked = await api.call("POST", f"{_SERVICE_ACCOUNT}/bench/token", body={"spec": {"expirationSeconds": 3600}})
    return str(json.loads(asked)["status"]["token"])


@dataclass(frozen=True)
class Gateway:
    """A gateway that runs."""

    session: aiohttp.ClientSession
    """One client that keeps its connection."""
    pid: int
    synced_after: float
    """Seconds from its start until it knew everything."""

    async def fetch(self, path: str) -> Any:
        """Return a JSON answer."""
        async with self.session.get(path) as response:
            response.raise_for_status()
            return json.loads(await response.read())

    async def until_total(self, total: int, query: str = "") -> None:
        """Wait until the gateway knows of so many jobs and points."""
        async with asyncio.timeout(60):
            while (await self.fetch(f"/api/v1/jobs?size=1{query}"))["total"] != total:  # noqa: ASYNC110 - another process
                await asyncio.sleep(0.05)

    def cpu(self) -> float:
        """Return the seconds of CPU that the process has had."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, which: str = "VmRSS") -> float:
        """Return the memory of the process in MB (10^6 bytes): resident, or its peak (VmHWM)."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return int(next(line for line in lines if line.startswith(f"{which}:")).split()[1]) * 1024 / 1e6


@contextlib.asynccontextmanager
async def gateway(
    kubeconfig: str, folder: Path, namespace: str, bearer: str = "", **environment: str
) -> AsyncIterator[Gateway]:
    """Give a gateway process of one namespace; it asks the cluster who its callers are when there is a token to send."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = folder / f"gateway-{port}.log"
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SIMOPS_")} | {
        "SIMOPS_AUTH_MODE": "kubernetes" if bearer else "none",
        "SIMOPS_RATE_READS": "1000000",
        "SIMOPS_RATE_READS_BURST": "1000000",
        "SIMOPS_NAMESPACES": namespace,
        "SIMOPS_KUBECONFIG": kubeconfig,
        "SIMOPS_HTTP_HOST": "127.0.0.1",
        "SIMOPS_HTTP_PORT": str(port),
        **environment,
    }
    begin = time.perf_counter()
    with said.open("w") as file:
        command = [sys.executable, "-m", "simops_api"]
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=file, stderr=file)
    headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}", headers=headers) as session:
            while not await _is_ready(session):
                if process.returncode is not None or time.perf_counter() - begin > DEADLINE_SECONDS:
                    raise SystemExit(f"the gateway is not ready: {said.read_text()[-2000:]}")
                await asyncio.sleep(0.05)
            yield Gateway(session, process.pid, time.perf_counter() - begin)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_ready(session: aiohttp.ClientSession) -> bool:
    try:
        async with session.get("/ready") as response:
            return response.status == 200
    except aiohttp.ClientError:
        return False
