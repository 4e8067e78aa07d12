"""How long readers of the gateway wait at most while it takes all jobs in: at its start, and when the API server has forgotten what has happened since (410).

    .venv/bin/python hack/bench/gateway_relist.py --objects 100000

The gateway's own watch cache, and pages of JSON as an API server sends them. Told is the CPU time of this thread between two turns of a reader, which other
work on the machine does not change.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections.abc import AsyncGenerator, Callable, Collection
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from bench.gateway_world import MANY, job, status_of
from simops_api.cache import WatchCache
from simops_api.cluster import ApiError
from simops_api.records import record_of
from simops_api.state import settle

PAGE = 500
CHANGED = (0, 500, 5000, 20_000)


def stored(number: int, version: int) -> dict[str, Any]:
    """Return a job as the API server has it."""
    obj = job(number)
    clock = f"{number // 3600 % 24:02}:{number // 60 % 60:02}:{number % 60:02}"
    meta = {"namespace": MANY, "uid": f"{number:08}-0000-4000-8000-000000000000", "resourceVersion": str(version)}
    status = status_of(number) if version < 1_000_000 else {"phase": "Cancelled", "reason": "Cancelled"}
    return obj | {
        "metadata": obj["metadata"] | meta | {"creationTimestamp": f"2026-01-01T{clock}Z"},
        "status": status or {},
    }


class Server:
    """Answers a LIST with the pages that it was given, and forgets everything when it is told to."""

    def __init__(self, total: int) -> None:
        self.pages: list[bytes] = []
        self._total = total
        self._forget = asyncio.Event()

    def prepare(self, changed: Collection[int], *, forget: bool = True) -> None:
        """Have other objects from now on."""
        objects = [stored(n, 1_000_000 + n if n in changed else n + 1) for n in range(self._total)]
        firsts = range(0, self._total, PAGE)
        for first in firsts:
            meta = {"resourceVersion": "2000000", "continue": "" if first == firsts[-1] else "more"}
            self.pages.append(json.dumps({"items": objects[first : first + PAGE], "metadata": meta}).encode())
        if forget:
            self._forget.set()

    async def list_page(self, namespace: str, limit: int, after: str) -> dict[str, Any]:
        """Return the next page."""
        del namespace, limit, after
        page: dict[str, Any] = json.loads(self.pages.pop(0))
        return page

    async def watch(self, namespace: str, version: str, seconds: int) -> AsyncGenerator[dict[str, Any], None]:
        """Say nothing until everything is forgotten."""
        del namespace, version, seconds
        await self._forget.wait()
        self._forget.clear()
        raise ApiError(410, "too old resource version")
        yield {}  # makes it a generator


async def gaps(is_over: Callable[[], bool]) -> tuple[float, float]:
    """Take turns until it is over; return the CPU seconds of all, and of the longest wait between two turns."""
    begin = last = time.thread_time()
    longest = 0.0
    while not is_over():
        await asyncio.sleep(0)
        now = time.thread_time()
        longest, last = max(longest, now - last), now
    return last - begin, longest


async def run(total: int) -> None:
    """Measure and print."""
    server, taken = Server(total), [0]

    def listed() -> None:
        settle()
        taken[0] += 1

    cache = WatchCache(server, (MANY,), lambda obj: record_of(obj, obj["metadata"]["name"]), listed=listed)
    server.prepare((), forget=False)
    following = asyncio.create_task(cache.run())
    spent, longest = await gaps(lambda: taken[0] == 1)
    print(f"first list of {total} jobs: {spent:.1f} s of CPU, longest wait {longest * 1e3:.0f} ms")
    for number, count in enumerate(CHANGED, start=2):
        server.prepare(set(random.Random(1).sample(range(total), min(count, total))))  # noqa: S311 - a choice that can be made again
        spent, longest = await gaps(lambda number=number: taken[0] == number)  # type: ignore[misc]
        print(f"all anew, {count} changed: {spent:.1f} s of CPU, longest wait {longest * 1e3:.0f} ms")
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


def main() -> None:
    """Run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--objects", type=int, default=100_000, help="how many jobs (default: %(default)s)")
    asyncio.run(run(parser.parse_args().objects))


if __name__ == "__main__":
    main()
