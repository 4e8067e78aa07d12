"""What a list of the gateway costs with 100,000 jobs, relative to a list of ten and to a LIST of the API server.

    .venv/bin/python hack/bench/gateway_list.py --objects 100000

A real API server of its own, with the CRDs and policies in force; two gateways as processes of their own, one of the many jobs and one of ten in another
namespace, asked in turn by one client that keeps its connections. Everything that is started here is ended again; with --keep the API server and
its objects stay for the next run, and `hack/cluster down --name simops-bench-lists` ends them.
"""

import argparse
import asyncio
import contextlib
import json
import math
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import aiohttp

from bench.gateway_world import (
    FEW,
    MANY,
    WRITERS,
    Gateway,
    api_server,
    ensure,
    gateway,
    make_jobs,
    name_of,
    path_of,
    remove_sweep,
    set_sweep,
    token,
)
from simops_crds.kinds import SIMULATION_JOB
from simops_io.kube import MERGE_PATCH, Transport, load_client

PAGE = 50
FIRST = f"first page of {PAGE}"
OF_FEW = 10
LIST_PAGE = 5000
CHANGERS = 8


class Took(NamedTuple):
    """How long a call took, of many calls: seconds."""

    p50: float
    p99: float
    longest: float

    def __str__(self) -> str:
        return f"p50 {self.p50 * 1e3:6.2f} ms  p99 {self.p99 * 1e3:6.2f} ms  longest {self.longest * 1e3:6.1f} ms"


@dataclass(frozen=True)
class Bench:
    """What is measured on."""

    api: Transport
    kubeconfig: str
    folder: Path
    objects: int
    times: int
    rate: float


async def timed(times: int, *calls: Callable[[], Awaitable[Any]]) -> list[Took]:
    """Make calls in turn, many times, one after another, so that they find the same machine; return what each took (quantiles by nearest rank)."""
    took: list[list[float]] = [[] for _ in calls]
    for _ in range(times):
        for call, seconds in zip(calls, took, strict=True):
            begin = time.perf_counter()
            await call()
            seconds.append(time.perf_counter() - begin)
    ranks = math.ceil(0.5 * times) - 1, math.ceil(0.99 * times) - 1
    return [Took(ordered[ranks[0]], ordered[ranks[1]], ordered[-1]) for ordered in map(sorted, took)]


def queries(total: int) -> dict[str, str]:
    """Return what is asked, each with a name; ``total`` is how many jobs and points there are."""
    last = max(1, math.ceil(total / PAGE))
    return {
        FIRST: f"/api/v1/jobs?page=1&size={PAGE}",
        "page in the middle": f"/api/v1/jobs?page={max(1, last // 2)}&size={PAGE}",
        "last page": f"/api/v1/jobs?page={last}&size={PAGE}",
        "status=failed": f"/api/v1/jobs?status=failed&size={PAGE}",
        "label=project=p3": f"/api/v1/jobs?label=project%3Dp3&size={PAGE}",
        "label, two statuses, oldest first": (
            f"/api/v1/jobs?label=project%3Dp3&status=failed&status=running&sort=created&size={PAGE}"
        ),
        "two statuses, page in the middle": f"/api/v1/jobs?status=succeeded&status=failed&page={max(1, last // 2)}&size={PAGE}",
        "stats": "/api/v1/jobs/stats",
    }


async def measure(many: Gateway, few: Gateway, total: int, times: int) -> Took:
    """Time every query; print each, with its ratio to the same query among few jobs; return the time of the first page."""
    found = {}
    asked_few = queries(OF_FEW)
    for name, path in queries(total).items():
        spent = many.cpu(), few.cpu()
        found[name], among_few = await timed(times, partial(many.fetch, path), partial(few.fetch, asked_few[name]))
        cpu = [(after - before) / times for before, after in zip(spent, (many.cpu(), few.cpu()), strict=True)]
        ratio = cpu[0] / cpu[1] if cpu[1] else math.nan
        print(f"  {name:34} {found[name]}  CPU {cpu[0] * 1e3:.2f} ms", flush=True)
        print(
            f"  {'':10}among {OF_FEW}, in turn with it {among_few}  CPU {cpu[1] * 1e3:.2f} ms: "
            f"p50 {found[name].p50 / among_few.p50:.2f} ×, CPU {ratio:.2f} ×",
            flush=True,
        )
    return found[FIRST]


@contextlib.asynccontextmanager
async def changing(bench: Bench) -> AsyncIterator[None]:
    """Change the status of jobs all the while, so many a second; print how many it were."""
    numbers, begin = count(), time.perf_counter()

    async def change() -> None:
        for number in numbers:
            pause = asyncio.create_task(asyncio.sleep(CHANGERS / bench.rate))
            url = f"{path_of(SIMULATION_JOB, MANY)}/{name_of(number * 13 % bench.objects)}/status"
            status = {"status": {"message": f"change {number}", "phase": "Running" if number % 3 else "Succeeded"}}
            await bench.api.call("PATCH", url, body=status, content_type=MERGE_PATCH)
            await pause

    tasks = [asyncio.create_task(change()) for _ in range(CHANGERS)]
    try:
        yield
        for task in tasks:
            if task.done():
                task.result()  # it ends only by an error
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    print(f"  {(next(numbers) - CHANGERS) / (time.perf_counter() - begin):.0f} changes a second", flush=True)


async def compare(bench: Bench, many: Gateway, page: Took) -> None:
    """Print what the same costs by a LIST of the API server."""
    path = path_of(SIMULATION_JOB, MANY)
    [listed] = await timed(bench.times, lambda: bench.api.call("GET", path, query={"limit": str(PAGE)}))
    print(f"  LIST, limit {PAGE}: {listed}: {listed.p50 / page.p50:.1f} × the time of the gateway's first page")
    begin = time.perf_counter()
    objects, size, after = 0, 0, ""
    while True:
        data = await bench.api.call(
            "GET", path, query={"limit": str(LIST_PAGE), **({"continue": after} if after else {})}
        )
        answer = json.loads(data)
        objects, size = objects + len(answer["items"]), size + len(data)
        after = answer["metadata"].get("continue") or ""
        if not after:
            break
    whole = time.perf_counter() - begin
    [stats] = await timed(bench.times, partial(many.fetch, "/api/v1/jobs/stats"))
    print(
        f"  whole LIST, {objects} objects, {size / 1e6:.0f} MB: {whole:.2f} s. Who sorts, filters or counts by it needs {whole / page.p50:.0f} × the time "
        f"of a page of the gateway, and {whole / stats.p50:.0f} × that of its stats",
        flush=True,
    )


async def sweeps(bench: Bench, many: Gateway, few: Gateway) -> None:
    """Measure with a sweep of as many points as there are jobs beside them."""
    points = bench.objects
    total = bench.objects + points
    half = points // 2
    cases = {
        "its first half has succeeded": (f"0-{half - 1}", "", half),
        "each 20th point has failed": (  # about as long a text as an object gets: longer ones are in the store
            ",".join(f"{n + 1}-{n + 19}" for n in range(0, points, 20)),
            ",".join(str(n) for n in range(0, points, 20)),
            points,
        ),
    }
    for name, (succeeded, failed, ended) in cases.items():
        await set_sweep(bench.api, points, succeeded, failed)
        await many.until_total(total)
        await many.until_total(ended, "&sweep=bench-sweep&status=succeeded&status=failed")
        print(f"{bench.objects} jobs and a sweep of {points} points, {name}:")
        await measure(many, few, total, bench.times)
    print(f"  resident memory {many.memory():.0f} MB")
    await remove_sweep(bench.api)


async def run(bench: Bench) -> None:
    """Measure."""
    await ensure(bench.api, "/api/v1/namespaces", {"metadata": {"name": FEW}})
    await make_jobs(bench.api, FEW, OF_FEW)
    await remove_sweep(bench.api)
    begin = time.perf_counter()
    await make_jobs(bench.api, MANY, bench.objects)
    print(f"{bench.objects} jobs are there after {time.perf_counter() - begin:.0f} s", flush=True)
    async with gateway(bench.kubeconfig, bench.folder, FEW) as few:
        empty = few.memory()
        async with gateway(bench.kubeconfig, bench.folder, MANY) as many:
            answer = await many.fetch("/api/v1/jobs?size=1")
            if answer["total"] != bench.objects:
                raise SystemExit(f"the gateway has {answer['total']} jobs instead of {bench.objects}")
            page = await measure(many, few, bench.objects, bench.times)
            print(f"  from the start until all is known: {many.synced_after:.1f} s")
            print(
                f"  resident memory {many.memory():.0f} MB, peak {many.memory('VmHWM'):.0f} MB; with {OF_FEW}: {empty:.0f} MB"
            )
            await compare(bench, many, page)
            print(f"{bench.objects} jobs, of which some change all the while:")
            async with changing(bench):
                await measure(many, few, bench.objects, bench.times)
            await sweeps(bench, many, few)
        print("callers signed in by tokens of Kubernetes, permitted by RBAC:")
        async with gateway(bench.kubeconfig, bench.folder, MANY, await token(bench.api)) as many:
            await measure(many, few, bench.objects, bench.times)


async def start(options: argparse.Namespace) -> None:
    """Connect, and measure."""
    with tempfile.TemporaryDirectory() as folder, api_server(options.cluster, keep=options.keep) as kubeconfig:
        client = await load_client(WRITERS + 4, kubeconfig)
        api = Transport(client, "simops-bench", aiohttp.ClientTimeout(total=300))
        try:
            await run(Bench(api, kubeconfig, Path(folder), options.objects, options.times, options.rate))
        finally:
            await client.close()  # type: ignore[no-untyped-call]


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000, help="how many jobs (default: %(default)s)")
    parser.add_argument("--times", type=int, default=1000, help="how often each request is sent (default: %(default)s)")
    parser.add_argument("--rate", type=float, default=50, help="changes a second (default: %(default)s)")
    parser.add_argument("--cluster", default="simops-bench-lists", help="name of the API server (default: %(default)s)")
    parser.add_argument("--keep", action="store_true", help="leave the API server and its objects for the next run")
    asyncio.run(start(parser.parse_args()))


if __name__ == "__main__":
    main()
