"""A crowd that follows logs, in front of a gateway that is a process of its own: how soon a line is there, what each follower costs, what is left of those
who leave.
"""

import asyncio
import os
import socket
import statistics
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from kubelet import ApiServer, Log, api_server, pod_of
from s3 import store_in_memory
from sse import events_of
from unit.test_api_serving import kubeconfig_for

pytestmark = pytest.mark.asyncio(loop_scope="module")

CROWD = 500
FEW_THREADS = 16
"""As many as the gateway may have for other things, such as looking up addresses."""
PATIENCE = 120.0


@dataclass
class World:
    api: ApiServer
    session: aiohttp.ClientSession
    pid: int

    def start(self, name: str) -> Log:
        self.api.put(name, reason="SimulationStarted")
        return self.api.log(pod_of(name))

    @property
    def threads(self) -> int:
        return sum(1 for _ in Path(f"/proc/{self.pid}/task").iterdir())

    async def until_known(self, *names: str) -> None:
        for name in names:
            async with asyncio.timeout(PATIENCE):
                while True:
                    async with self.session.get(f"/api/v1/jobs/{name}") as response:
                        if response.status == 200:
                            break
                    await asyncio.sleep(0.01)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(api_server())
        _, store = await stack.enter_async_context(store_in_memory(tmp_path_factory.mktemp("store")))
        folder = tmp_path_factory.mktemp("api")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = store | {
            "auth_mode": "none",
            "kubeconfig": str(kubeconfig_for(folder, api.url)),
            "http_host": "127.0.0.1",
            "http_port": str(port),
            "log_level": "WARNING",
        }
        environ = {k: v for k, v in os.environ.items() if not k.startswith(("SIMOPS_", "OTEL_"))}
        environ |= {f"SIMOPS_{name.upper()}": value for name, value in settings.items()}
        environ["PYTHONPATH"] = os.pathsep.join(sys.path)
        said = stack.enter_context((folder / "gateway.log").open("wb"))
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "simops_api", env=environ, stdout=said, stderr=said
        )
        try:
            connector = aiohttp.TCPConnector(limit=0)
            base = f"http://127.0.0.1:{port}"
            timeout = aiohttp.ClientTimeout(total=300)
            async with aiohttp.ClientSession(base, connector=connector, timeout=timeout) as session:
                await _until_ready(session)
                yield World(api, session, process.pid)
        finally:
            process.kill()
            await process.wait()


async def _until_ready(session: aiohttp.ClientSession) -> None:
    async with asyncio.timeout(PATIENCE):
        while True:
            try:
                async with session.get("/health") as response:
                    if (await response.json())["synced"]:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.05)


async def until(met: Callable[[], Any], what: str, seconds: float = 60) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not met():  # noqa: ASYNC110 - what is looked at says nothing by itself
                await asyncio.sleep(0.01)
    except TimeoutError:
        pytest.fail(f"{what}: not within {seconds} s")


class Follower:
    """One client that notes when each line came."""

    def __init__(self, world: World, name: str) -> None:
        self.came: dict[str, float] = {}
        self._heard = asyncio.Event()
        self._task = asyncio.create_task(self._follow(world, name))

    async def _follow(self, world: World, name: str) -> None:
        async with world.session.get(f"/api/v1/jobs/{name}/logs/stream") as response:
            async for event in events_of(response):
                if event.name == "line":
                    self.came[event.data] = time.monotonic()
                    self._heard.set()
                    self._heard = asyncio.Event()

    async def hears(self, line: str) -> float:
        """Wait for a line; return when it came."""
        async with asyncio.timeout(PATIENCE):
            while line not in self.came:
                assert not self._task.done(), self._task.result()
                await self._heard.wait()
        return self.came[line]

    async def leaves(self) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)


@asynccontextmanager
async def following(world: World, *names: str) -> AsyncIterator[list[Follower]]:
    followers = [Follower(world, name) for name in names]
    try:
        yield followers
    finally:
        await asyncio.gather(*(follower.leaves() for follower in followers))


async def printed(log: Log, followers: list[Follower], line: str) -> float:
    """Print a line; return after how many seconds the last of the followers had it."""
    began = time.monotonic()
    log.print(line.encode())
    return max(await asyncio.gather(*(follower.hears(line) for follower in followers))) - began


async def test_each_line_is_there_within_a_second_the_first_one_of_a_job_that_was_waited_for_too(world: World) -> None:
    world.api.put("soon", "Pending", pod="", reason="JobCreated")
    log = world.api.log(pod_of("soon"))
    log.refused = 400  # its container has not started
    await world.until_known("soon")
    async with following(world, "soon") as (follower,):
        world.api.put("soon", "Pending", reason="Starting")
        await until(lambda: len(log.asked) >= 2, "the gateway asks for a log that is not there yet")
        log.refused = 0
        took = [await printed(log, [follower], f"line {number}") for number in range(20)]
    assert max(took) < 1, took


async def test_five_hundred_followers_of_one_job_have_a_line_within_a_second_over_one_connection_and_no_thread_more(
    world: World,
) -> None:
    log = world.start("crowded")
    await world.until_known("crowded")
    before = world.threads
    async with following(world, *["crowded"] * CROWD) as followers:
        await printed(log, followers, "all are there")
        took = [await printed(log, followers, f"line {number}") for number in range(5)]
        # In the middle: that the last of 500 clients has it too takes the work of all of them, on a machine that may have other work.
        assert statistics.median(took) < 1, took
        assert log.open == 1
        assert world.threads <= before + FEW_THREADS
    await until(lambda: log.open == 0, "the connection is given back", 10)


async def test_five_hundred_followers_of_as_many_jobs_have_a_connection_each_and_no_thread(world: World) -> None:
    names = [f"one-of-many-{number}" for number in range(CROWD)]
    logs = [world.start(name) for name in names]

    def left() -> int:
        return sum(log.open for log in logs)

    await world.until_known(*names)
    before = world.threads
    async with following(world, *names) as followers:
        for log in logs:
            log.print(b"begun")
        await asyncio.gather(*(follower.hears("begun") for follower in followers))
        assert left() == CROWD
        assert world.threads <= before + FEW_THREADS
        # The watch of the jobs and the writes are not kept waiting by so many followers.
        world.start("another")
        await world.until_known("another")
        for follower in followers[: CROWD // 2]:
            await follower.leaves()
        await until(lambda: left() == CROWD - CROWD // 2, "those who left have freed theirs", 10)
        await asyncio.gather(*(printed(log, [one], "on") for log, one in zip(logs[-10:], followers[-10:], strict=True)))
    await until(lambda: left() == 0, "all are given back", 10)


@asynccontextmanager
async def connection(world: World, name: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Begin to follow over a socket that the test may treat as it wants."""
    base = world.session._base_url
    assert base is not None
    assert base.host
    reader, writer = await asyncio.open_connection(base.host, base.port, limit=1 << 12)
    try:
        writer.write(f"GET /api/v1/jobs/{name}/logs/stream HTTP/1.1\r\nHost: a\r\n\r\n".encode())
        yield reader, writer
    finally:
        writer.transport.abort()


async def test_a_client_that_vanishes_in_a_silence_frees_the_connection(world: World) -> None:
    log = world.start("vanished")
    await world.until_known("vanished")
    async with connection(world, "vanished") as (reader, _):
        await reader.readuntil(b"event: attempt")
        await until(lambda: log.open == 1, "it is followed")
    await until(lambda: log.open == 0, "the connection is given back", 10)


async def test_a_client_that_reads_no_more_holds_up_nobody_and_frees_the_connection_when_it_vanishes(
    world: World,
) -> None:
    log = world.start("full")
    await world.until_known("full")
    async with following(world, "full") as (other,):
        async with connection(world, "full") as (reader, _):
            await reader.readuntil(b"event: attempt")  # and not another byte
            for number in range(200):
                log.print(b"x" * 100_000, f"line {number}".encode())
                await other.hears(f"line {number}")
        await other.leaves()
        await until(lambda: log.open == 0, "the connection is given back", 10)
