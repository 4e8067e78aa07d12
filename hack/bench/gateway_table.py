"""What pages of a sweep's points cost with 100,000 points, relative to a sweep of 1,000.

    .venv/bin/python hack/bench/gateway_table.py --points 100000

A real API server, a real store and a gateway process; in the store there is what operator and Pods leave of two finished sweeps, a fifth of whose points has
failed here and there, so that the ranges are as long as they get. Each page is asked for first with nothing in the gateway's memory (cold: another page each
time), then again and again (warm). Everything that is started here is ended again.
"""

import argparse
import asyncio
import io
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp
from minio import Minio

from bench import bundle
from bench.gateway_list import Took, timed
from bench.gateway_world import MANY, Gateway, api_server, ensure, gateway, path_of
from localcluster.golang import tool
from simops_crds.indexes import Indexes
from simops_crds.kinds import SIMULATION_SWEEP
from simops_crds.names import API_VERSION, sweep_prefix
from simops_crds.space import IndexBuilder, chunks
from simops_io.kube import MERGE_PATCH, Transport, load_client

SIZE = 50
FEW = 1000
_MAX_RANGES = 100 * 1024
BUCKET = "bench"


def name_of(count: int) -> str:
    """Return the name of the sweep of so many points."""
    return f"bench-{count}"


def outcome(count: int) -> tuple[Indexes, Indexes]:
    """Return which points have succeeded and which have failed."""
    chance = random.Random(7)  # noqa: S311 - the same each time
    bad = Indexes.of((i, i) for i in range(count) if chance.random() < 0.2)
    return Indexes.up_to(count) - bad, bad


def lines(prefix: str, first: int, count: int, bad: Indexes) -> Iterator[str]:
    """Yield the lines of a chunk of the table."""
    for index in range(first, first + count):
        failed = index in bad
        line = {
            "index": index,
            "exitCode": 3 if failed else 0,
            "seconds": 0.004,
            "reason": "ExitCode" if failed else "Completed",
            "metrics": {} if failed else {"final_center_temp": index / 7, "error": 1 / (index + 1)},
            "round": 0,
            "pack": index // 500,
            "bundle": f"{prefix}/rounds/0/{index // 500}/pod-{index // 500}.zip",
        }
        yield json.dumps(line, separators=(",", ":")) + "\n"


async def put(api: Transport, store: Minio, count: int) -> None:
    """Make a finished sweep of so many points, in the API server and in the store."""
    name = name_of(count)
    axis = {"name": "x", "integers": {"low": 0, "high": count - 1}}
    template = {"image": "sim:local", "command": ["run"], "params": {"length": 1.0}}
    whole = {
        "apiVersion": API_VERSION,
        "kind": SIMULATION_SWEEP.kind,
        "metadata": {"name": name, "namespace": MANY},
        "spec": {"template": template, "space": {"axes": [axis]}},
    }
    path = path_of(SIMULATION_SWEEP, MANY)
    await ensure(api, path, whole)
    made = json.loads(await api.call("GET", f"{path}/{name}"))
    prefix = sweep_prefix(MANY, name, made["metadata"]["uid"])
    good, bad = outcome(count)
    builder = IndexBuilder()

    def store_text(key: str, data: bytes) -> None:
        store.put_object(BUCKET, f"{prefix}/{key}", io.BytesIO(data), len(data))

    for chunk in chunks({"x": x, "y": x / 3} for x in range(count)):
        builder.add(chunk)
        store_text(f"points/{chunk.ref.file}", chunk.data)
        table = "".join(lines(prefix, chunk.first, chunk.count, bad))
        store_text(f"table/{chunk.ref.file}", table.encode())
    index = builder.index()
    store_text("points/index.json", index.to_json())
    ranges = {"succeededPoints": str(good), "failedPoints": str(bad)}
    counts = {"total": count, "active": 0, "succeeded": len(good), "failed": len(bad), "cancelled": 0}
    status: dict[str, Any] = {
        "phase": "Failed",
        "reason": "PointsFailed",
        "points": counts,
        "pointsDigest": index.digest,
    }
    if sum(map(len, ranges.values())) > _MAX_RANGES:
        store_text("state.json", json.dumps({**ranges, "points": counts}).encode())
        status["rangesInStore"] = True
    else:
        status |= ranges
    await api.call("PATCH", f"{path}/{name}/status", body={"status": status}, content_type=MERGE_PATCH)
    print(f"{count} points: {len(str(good)) + len(str(bad))} bytes of ranges", flush=True)


def pages(count: int) -> dict[str, str]:
    """Return what is asked, each with a name."""
    root = f"/api/v1/sweeps/{name_of(count)}/points?size={SIZE}"
    failed = len(outcome(count)[1])
    return {
        "first page": f"{root}&page=1",
        "page in the middle": f"{root}&page={count // SIZE // 2}",
        "last page": f"{root}&page={count // SIZE}",
        "failed, first page": f"{root}&status=failed&page=1",
        "failed, last page": f"{root}&status=failed&page={failed // SIZE}",
        "one point as a job": f"/api/v1/jobs/{name_of(count)}-{count - 1}",
    }


async def measure(asked: Gateway, count: int, times: int) -> None:
    """Time every page, and print it with its ratio to the same page of few points."""
    few = pages(FEW)
    for name, path in pages(count).items():
        begin = time.perf_counter()
        await asked.fetch(path)
        first = time.perf_counter() - begin
        await asked.fetch(few[name])

        async def many(path: str = path) -> None:
            await asked.fetch(path)

        async def little(path: str = few[name]) -> None:
            await asked.fetch(path)

        took, among_few = await timed(times, many, little)
        print(f"  {name:20} cold {first * 1e3:6.1f} ms  warm {took}", flush=True)
        print(f"  {'':20} of {FEW} points {among_few}: p50 {took.p50 / among_few.p50:.2f} ×", flush=True)


async def cold(asked: Gateway, count: int, times: int) -> Took:
    """Return what pages cost of which nothing is in memory: another chunk each time."""
    numbers = iter(random.Random(3).sample(range(1, count // SIZE), times))  # noqa: S311

    async def one() -> None:
        await asked.fetch(f"/api/v1/sweeps/{name_of(count)}/points?size={SIZE}&page={next(numbers)}")

    (took,) = await timed(times, one)
    return took


async def start(arguments: argparse.Namespace) -> None:
    """Start everything, and measure."""
    with (
        tempfile.TemporaryDirectory() as folder,
        bundle.minio(str(tool("minio")), Path(folder)) as address,
        api_server(arguments.cluster, keep=False) as kubeconfig,
    ):
        client = await load_client(8, kubeconfig)
        try:
            api = Transport(client, "bench", aiohttp.ClientTimeout(60))
            await measured(api, kubeconfig, Path(folder), address, arguments)
        finally:
            await client.close()  # type: ignore[no-untyped-call]


async def measured(api: Transport, kubeconfig: str, folder: Path, address: str, arguments: argparse.Namespace) -> None:
    """Make both sweeps, and ask a gateway for them."""
    store = Minio(address, bundle.KEY, bundle.KEY, secure=False, region="us-east-1")
    keys = folder / "keys"
    keys.mkdir()
    for name in ("access-key", "secret-key"):
        (keys / name).write_text(bundle.KEY)
    for count in (FEW, arguments.points):
        await put(api, store, count)
    environment = {
        "SIMOPS_STORE_ENDPOINT": f"http://{address}",
        "SIMOPS_STORE_BUCKET": BUCKET,
        "SIMOPS_STORE_CREDENTIALS": str(keys),
    }
    async with gateway(kubeconfig, folder, MANY, **environment) as asked:
        begin = time.perf_counter()
        await asked.fetch(pages(arguments.points)["failed, last page"])
        print(f"the very first page, of those that failed: {(time.perf_counter() - begin) * 1e3:.1f} ms")
        took = await cold(asked, arguments.points, 60)
        print(f"pages of {SIZE} of {arguments.points} points, never seen before: {took}", flush=True)
        await measure(asked, arguments.points, arguments.times)
        print(f"memory of the gateway: {asked.memory():.0f} MB")


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--points", type=int, default=100_000, help="of the large sweep (default: %(default)s)")
    parser.add_argument(
        "--times", type=int, default=200, help="how often each page is asked for (default: %(default)s)"
    )
    parser.add_argument("--cluster", default="simops-bench-table", help="name of the API server (default: %(default)s)")
    try:
        asyncio.run(start(parser.parse_args()))
    except subprocess.CalledProcessError as error:
        raise SystemExit(error.stderr) from error


if __name__ == "__main__":
    main()
