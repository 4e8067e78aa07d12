"""What a list of the gateway costs with 100,000 jobs, relative to a list of ten and to a LIST of the API server.

    .venv/bin/python hack/bench/gateway_list.py --objects 100000

A real API server of its own, with the CRDs and policies in force, and the gateway as a process of its own; one client that keeps its connection. Everything
that is started here is ended again.
"""

import argparse
import asyncio
import contextlib
import json
import math
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp

from localcluster.golang import tool
from simops_crds.kinds import KINDS, SIMULATION_JOB, SIMULATION_SWEEP
from simops_crds.names import API_VERSION, GROUP
from simops_images.catalogue import ROOT
from simops_io.kube import MERGE_PATCH, Transport, load_client

NAME = "simops-bench-lists"
BASE = f"/apis/{API_VERSION}/namespaces/default"
JOBS = f"{BASE}/{SIMULATION_JOB.plural}"
SWEEPS = f"{BASE}/{SIMULATION_SWEEP.plural}"
WRITERS = 24
PAGE = 50
FEW = 10
DEADLINE_SECONDS = 600.0


def cluster(*arguments: str) -> str:
    """Run hack/cluster; return what it printed."""
    done = subprocess.run(
        [str(ROOT / "hack" / "cluster"), *arguments], capture_output=True, text=True, check=True, timeout=900
    )
    return done.stdout.strip()


@contextlib.contextmanager
def api_server() -> Iterator[str]:
    """Give the kubeconfig of an API server that knows both kinds."""
    try:
        kubeconfig = cluster("apiserver", "--name", NAME).splitlines()[-1]
        kubectl = [str(tool("kubectl")), f"--kubeconfig={kubeconfig}"]
        subprocess.run([*kubectl, "apply", "-f", str(ROOT / "crds")], check=True, capture_output=True, timeout=120)
        names = [f"crd/{kind.plural}.{GROUP}" for kind in KINDS]
        wait = [*kubectl, "wait", "--for=condition=Established", "--timeout=60s", *names]
        subprocess.run(wait, check=True, capture_output=True, timeout=120)
        yield kubeconfig
    finally:
        cluster("down", "--name", NAME)


def status_of(number: int) -> dict[str, Any] | None:
    """Return the status of one of the jobs: most have finished, some run, some wait."""
    kind = number % 20
    if kind == 0:
        return None
    begun = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    status: dict[str, Any] = {"startTime": begun.isoformat(), "podName": f"bench-{number}-pod"}
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


async def make(api: Transport, count: int, width: int) -> None:
    """Make jobs, with the status that an operator would have written."""
    numbers = iter(range(count))

    async def write() -> None:
        for number in numbers:
            name = f"bench-{number:0{width}d}"
            params = {"length": 1.0, "diffusivity": 0.001 * number, "time_steps": 200, "initial_temp": 100.0}
            body = {
                "apiVersion": API_VERSION,
                "kind": SIMULATION_JOB.kind,
                "metadata": {"name": name, "labels": {"project": f"p{number % 7}"}},
                "spec": {"image": "sim:local", "params": params},
            }
            await api.call("POST", JOBS, body=body)
            if status := status_of(number):
                await api.call("PATCH", f"{JOBS}/{name}/status", body={"status": status}, content_type=MERGE_PATCH)

    async with asyncio.TaskGroup() as tasks:
        for _ in range(WRITERS):
            tasks.create_task(write())


async def make_sweep(api: Transport, points: int) -> None:
    """Make one sweep of so many points, a part of which has ended."""
    axis = {"name": "x", "integers": {"low": 0, "high": points - 1}}
    body = {
        "apiVersion": API_VERSION,
        "kind": SIMULATION_SWEEP.kind,
        "metadata": {"name": "bench-sweep"},
        "spec": {"template": {"image": "sim:local", "command": ["true"]}, "space": {"axes": [axis]}},
    }
    await api.call("POST", SWEEPS, body=body)
    half = points // 2
    status = {"phase": "Running", "points": {"total": points, "succeeded": half}, "succeededPoints": f"0-{half - 1}"}
    await api.call("PATCH", f"{SWEEPS}/bench-sweep/status", body={"status": status}, content_type=MERGE_PATCH)


@contextlib.asynccontextmanager
async def gateway(kubeconfig: str, folder: Path) -> AsyncIterator[tuple[aiohttp.ClientSession, int, float]]:
    """Give a client of a gateway process, its process ID, and the seconds until it was ready to serve."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environ = {k: v for k, v in os.environ.items() if not k.startswith("SIMOPS_")} | {
        "SIMOPS_AUTH_MODE": "none",
        "SIMOPS_KUBECONFIG": kubeconfig,
        "SIMOPS_HTTP_HOST": "127.0.0.1",
        "SIMOPS_HTTP_PORT": str(port),
        "SIMOPS_LOG_LEVEL": "WARNING",
    }
    begin = time.perf_counter()
    with (folder / "gateway.log").open("w") as said:
        command = [sys.executable, "-m", "simops_api"]
        process = await asyncio.create_subprocess_exec(*command, env=environ, stdout=said, stderr=said)
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            while not await _is_synced(session):
                if process.returncode is not None or time.perf_counter() - begin > DEADLINE_SECONDS:
                    raise SystemExit(f"the gateway is not ready: {(folder / 'gateway.log').read_text()[-2000:]}")
                await asyncio.sleep(0.05)
            yield session, process.pid, time.perf_counter() - begin
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _is_synced(session: aiohttp.ClientSession) -> bool:
    # Not /ready: that asks for a store too, which lists do without.
    try:
        async with session.get("/health") as response:
            return bool((await response.json()).get("synced"))
    except aiohttp.ClientError:
        return False


def memory(pid: int) -> float:
    """Return the resident memory of a process in MB (10^6 bytes)."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE") / 1e6


async def fetch(session: aiohttp.ClientSession, path: str) -> Any:
    """Return a JSON answer."""
    async with session.get(path) as response:
        response.raise_for_status()
        return json.loads(await response.read())


async def until_total(session: aiohttp.ClientSession, total: int) -> None:
    """Wait until the gateway knows of so many jobs and points."""
    async with asyncio.timeout(60):
        while (await fetch(session, "/api/v1/jobs?size=1"))["total"] != total:  # noqa: ASYNC110 - another process
            await asyncio.sleep(0.05)


async def timed(call: Callable[[], Awaitable[Any]], times: int) -> tuple[float, float]:
    """Make a call many times, one after another; return the seconds of p50 and p99 (nearest rank)."""
    took = []
    for _ in range(times):
        begin = time.perf_counter()
        await call()
        took.append(time.perf_counter() - begin)
    took.sort()
    return took[math.ceil(0.5 * times) - 1], took[math.ceil(0.99 * times) - 1]


def queries(total: int) -> dict[str, str]:
    """Return what is asked, each with a name; ``total`` is how many jobs there are."""
    last = max(1, total // PAGE)
    return {
        "first page of 50": f"/api/v1/jobs?page=1&size={PAGE}",
        "page in the middle": f"/api/v1/jobs?page={max(1, last // 2)}&size={PAGE}",
        "last page": f"/api/v1/jobs?page={last}&size={PAGE}",
        "status=failed": f"/api/v1/jobs?status=failed&size={PAGE}",
        "label=project=p3": f"/api/v1/jobs?label=project%3Dp3&size={PAGE}",
        "label and two statuses, oldest first": (
            f"/api/v1/jobs?label=project%3Dp3&status=failed&status=running&sort=created&size={PAGE}"
        ),
        "stats": "/api/v1/jobs/stats",
    }


async def measure(
    session: aiohttp.ClientSession, total: int, times: int, few: dict[str, tuple[float, float]] | None = None
) -> dict[str, tuple[float, float]]:
    """Time every query; print each, with its ratio to the same query among few jobs where that is known."""
    found = {}
    for name, path in queries(total).items():
        p50, p99 = found[name] = await timed(lambda path=path: fetch(session, path), times)  # type: ignore[misc]
        ratio = f"  {p50 / few[name][0]:5.2f} × the time among {FEW}" if few else ""
        print(f"  {name:38} p50 {p50 * 1e3:6.2f} ms  p99 {p99 * 1e3:6.2f} ms{ratio}", flush=True)
    return found


async def changing(api: Transport, count: int, width: int, rate: float) -> None:
    """Change the status of jobs, so many a second, until cancelled."""
    number = 0
    while True:
        pause = asyncio.create_task(asyncio.sleep(1 / rate))
        name = f"bench-{number % count:0{width}d}"
        status = {"status": {"message": f"change {number}", "phase": "Running" if number % 3 else "Succeeded"}}
        await api.call("PATCH", f"{JOBS}/{name}/status", body=status, content_type=MERGE_PATCH)
        number += 13
        await pause


async def compare(api: Transport, session: aiohttp.ClientSession, p50: float) -> None:
    """Print what the same costs by a LIST of the API server."""
    page, _ = await timed(lambda: api.call("GET", JOBS, query={"limit": str(PAGE)}), 200)
    print(
        f"  LIST of the API server, limit {PAGE}: p50 {page * 1e3:.2f} ms: {page / p50:.1f} × the time of the gateway"
    )
    begin = time.perf_counter()
    objects, size, after = 0, 0, ""
    while True:
        data = await api.call("GET", JOBS, query={"limit": "5000", **({"continue": after} if after else {})})
        answer = json.loads(data)
        objects, size = objects + len(answer["items"]), size + len(data)
        after = answer["metadata"].get("continue") or ""
        if not after:
            break
    whole = time.perf_counter() - begin
    stats, _ = await timed(lambda: fetch(session, "/api/v1/jobs/stats"), 100)
    print(
        f"  whole LIST of the API server, {objects} objects, {size / 1e6:.0f} MB: {whole:.2f} s. Whoever sorts, filters or counts by it "
        f"takes {whole / p50:.0f} × the time of a page of the gateway, and {whole / stats:.0f} × that of its stats"
    )


async def run(objects: int, times: int, rate: float) -> None:
    """Measure."""
    width = len(str(objects))
    with tempfile.TemporaryDirectory() as folder, api_server() as kubeconfig:
        client = await load_client(WRITERS + 4, kubeconfig)
        api = Transport(client, "simops-bench", aiohttp.ClientTimeout(total=300))
        try:
            await make(api, FEW, width)
            async with gateway(kubeconfig, Path(folder)) as (session, _, _):
                print(f"{FEW} jobs:")
                few = await measure(session, FEW, times)
            begin = time.perf_counter()
            await api.call("DELETE", JOBS)
            await make(api, objects, width)
            print(f"{objects} jobs, made in {time.perf_counter() - begin:.0f} s:")
            async with gateway(kubeconfig, Path(folder)) as (session, pid, synced):
                answer = await fetch(session, "/api/v1/jobs?size=1")
                if answer["total"] != objects:
                    raise SystemExit(f"the gateway has {answer['total']} jobs instead of {objects}")
                found = await measure(session, objects, times, few)
                print(f"  from the start until all is known: {synced:.1f} s; resident memory {memory(pid):.0f} MB")
                await compare(api, session, found["first page of 50"][0])
                print(f"{objects} jobs, {rate:.0f} of which change every second:")
                changes = asyncio.create_task(changing(api, objects, width, rate))
                await measure(session, objects, times, few)
                changes.cancel()
                await make_sweep(api, objects)
                await until_total(session, 2 * objects)
                print(f"{objects} jobs and a sweep of {objects} points:")
                await measure(session, 2 * objects, times, few)
                print(f"  resident memory {memory(pid):.0f} MB")
        finally:
            await client.close()  # type: ignore[no-untyped-call]


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000, help="how many jobs (default: %(default)s)")
    parser.add_argument("--times", type=int, default=1000, help="how often each request is sent (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=50, help="changes a second (default: %(default)s)")
    options = parser.parse_args()
    asyncio.run(run(options.objects, options.times, options.rate))


if __name__ == "__main__":
    main()
