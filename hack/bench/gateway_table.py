"""What a page of the points of a sweep of 100,000 costs at the gateway, relative to one of a sweep of 1,000.

    .venv/bin/python hack/bench/gateway_table.py --points 100000

A real API server and a real MinIO of its own, with two finished sweeps in them as the operator leaves them: the objects with their status, and in the store
the points, the table and the index. One client that keeps its connection asks a gateway process for pages of both in turn. Cold is a gateway
process that has just started, and the page is the first that it is asked for; warm is the same page again. Everything that is started is ended again.
"""

import argparse
import asyncio
import contextlib
import io
import json
import sys
import tempfile
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))

import aiohttp
from integration.servers import ACCESS, SECRET, Server

from bench.gateway_list import timed
from bench.gateway_world import MANY, api_server, ensure, gateway, path_of
from simops_crds.kinds import SIMULATION_SWEEP
from simops_crds.names import API_VERSION, sweep_prefix
from simops_crds.space import IndexBuilder, chunks
from simops_io.kube import MERGE_PATCH, Transport, load_client

SIZE = 50
FEW_POINTS = 1000
FAILED_EACH = 1000
"""One of so many points has failed: then a page of those that failed has points of 50 chunks, the most that it can."""


def line_of(prefix: str, index: int) -> bytes:
    """Return the line of a point in the table."""
    failed = index % FAILED_EACH == 7
    ended = {"exitCode": 3, "reason": "ExitCode"} if failed else {"exitCode": 0, "reason": "Completed"}
    metrics = {} if failed else {"final_center_temp": index * 0.5, "l2_error": 1 / (index + 1)}
    more = {"seconds": 0.12, "metrics": metrics, "round": 0, "pack": index // 100, "pod": f"bench-{index // 100}-x7k2p"}
    bundle = f"{prefix}/rounds/0/{index // 100}/bench-{index // 100}-x7k2p.zip"
    return json.dumps({"index": index} | ended | more | {"bundle": bundle}).encode() + b"\n"


def objects_of(prefix: str, total: int) -> tuple[str, dict[str, bytes]]:
    """Return the digest of the points of a sweep, and what the operator has stored of it."""
    builder, stored = IndexBuilder(), {}
    for chunk in chunks({"diffusivity": 0.001 * i, "time_steps": 200 + i % 7} for i in range(total)):
        builder.add(chunk)
        stored[f"{prefix}/points/{chunk.ref.file}"] = chunk.data
    index = builder.index()
    for ref in index.chunks:
        lines = [line_of(prefix, i) for i in range(ref.first, ref.first + ref.count)]
        stored[f"{prefix}/table/{ref.file}"] = b"".join(lines)
    stored[f"{prefix}/points/index.json"] = index.to_json()
    return index.digest, stored


async def make_sweep(api: Transport, store: Server, name: str, total: int) -> None:
    """Make a sweep that has finished: its object, and what the store has of it."""
    axis = {"name": "x", "integers": {"low": 0, "high": total - 1}}
    path = path_of(SIMULATION_SWEEP, MANY)
    spec = {"template": {"image": "sim:local", "command": ["true"]}, "space": {"axes": [axis]}}
    body = {"apiVersion": API_VERSION, "kind": SIMULATION_SWEEP.kind, "metadata": {"name": name}, "spec": spec}
    await ensure(api, path, body)
    uid = json.loads(await api.call("GET", f"{path}/{name}"))["metadata"]["uid"]
    digest, stored = objects_of(sweep_prefix(MANY, name, uid), total)

    def put(key: str) -> None:
        store.client.put_object(store.bucket, key, io.BytesIO(stored[key]), len(stored[key]))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(put, stored))
    failed = range(7, total, FAILED_EACH)
    begins = [0, *(i + 1 for i in failed)]
    ends = [*(i - 1 for i in failed), total - 1]
    status: dict[str, Any] = {
        "phase": "Failed",
        "pointsDigest": digest,
        "points": {"total": total, "succeeded": total - len(failed), "failed": len(failed)},
        "succeededPoints": ",".join(f"{a}-{b}" for a, b in zip(begins, ends, strict=True)),
        "failedPoints": ",".join(map(str, failed)),
        "startTime": "2026-01-01T00:00:00Z",
        "completionTime": "2026-01-01T01:00:00Z",
    }
    await api.call("PATCH", f"{path}/{name}/status", body={"status": status}, content_type=MERGE_PATCH)


def pages(total: int) -> dict[str, str]:
    """Return which pages are asked for."""
    last = total // SIZE
    return {
        "begin": "page=1",
        "middle": f"page={last // 2}",
        "end": f"page={last}",
        "failed": "page=1&status=Failed",
        "succeeded, end": f"page={(total - total // FAILED_EACH) // SIZE}&status=Succeeded",
    }


@contextlib.contextmanager
def minio(folder: Path) -> Iterator[Server]:
    """Give a MinIO that runs."""
    server = Server("minio", folder)
    try:
        server.start()
        yield server
    finally:
        server.close()


def show(what: str, took: Iterable[Any]) -> None:
    """Print one line."""
    many, few = took
    print(f"{what:24} {many}   1,000 points: {few}   ratio of p50 {many.p50 / few.p50:.2f}", flush=True)


async def measure(kubeconfig: str, folder: Path, store: Server, points: int, times: int, colds: int) -> None:
    """Make the sweeps, ask for their pages and print what it took."""
    (folder / "access-key").write_text(ACCESS)
    (folder / "secret-key").write_text(SECRET)
    client = await load_client(4, kubeconfig)
    api = Transport(client, "simops-bench", aiohttp.ClientTimeout(total=60))
    totals = {"few": FEW_POINTS, "many": points}
    try:
        for name, total in totals.items():
            await make_sweep(api, store, name, total)
    finally:
        await client.close()  # type: ignore[no-untyped-call]
    environment = {"SIMOPS_STORE_ENDPOINT": store.endpoint, "SIMOPS_STORE_CREDENTIALS": str(folder)}
    run = partial(gateway, kubeconfig, folder, MANY, **environment)
    cold: dict[str, dict[str, list[float]]] = {}
    for _ in range(colds):
        for kind in pages(points):
            async with run() as one:
                await one.fetch("/api/v1/sweeps?size=1")
                for name, total in reversed(totals.items()):
                    url = f"/api/v1/sweeps/{name}/points?size={SIZE}&{pages(total)[kind]}"
                    (took,) = await timed(1, partial(one.fetch, url))
                    cold.setdefault(kind, {}).setdefault(name, []).append(took.longest)
    for kind, by in cold.items():
        many, few = (sorted(by[name]) for name in ("many", "few"))
        print(
            f"cold, {kind:18} median {many[len(many) // 2] * 1e3:6.1f} ms  longest {many[-1] * 1e3:6.1f} ms"
            f"   1,000 points: median {few[len(few) // 2] * 1e3:6.1f} ms  longest {few[-1] * 1e3:6.1f} ms",
            flush=True,
        )
    async with run() as one:
        await one.fetch("/api/v1/sweeps?size=1")
        before = one.memory()
        for kind in pages(points):
            urls = [f"/api/v1/sweeps/{n}/points?size={SIZE}&{pages(totals[n])[kind]}" for n in ("many", "few")]
            for url in urls:
                if not (await one.fetch(url))["items"]:
                    raise SystemExit(f"{url}: an empty page measures nothing")
            show(f"warm, {kind}", await timed(times, *(partial(one.fetch, url) for url in urls)))
        print(f"memory: {before:.0f} MB before, {one.memory():.0f} MB after these pages", flush=True)
        for page in range(1, points // SIZE + 1, 1000 // SIZE):
            await one.fetch(f"/api/v1/sweeps/many/points?size={SIZE}&page={page}")
        print(
            f"memory: {one.memory():.0f} MB after a page of each chunk, peak {one.memory('VmHWM'):.0f} MB", flush=True
        )


async def main() -> None:
    """Run all of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000)
    parser.add_argument("--times", type=int, default=300, help="of each warm page")
    parser.add_argument("--colds", type=int, default=5, help="gateways that are started for each cold page")
    given = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        minio(Path(folder)) as store,
        api_server("simops-bench-table", keep=False) as kubeconfig,
    ):
        await measure(kubeconfig, Path(folder), store, given.points, given.times, given.colds)


if __name__ == "__main__":
    asyncio.run(main())
