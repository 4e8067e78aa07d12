"""Following a log by HTTP: to its end, through everything that goes wrong on the way, and over many replicas of the gateway."""

import asyncio
import contextlib
import json
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from kubelet import NANO, ApiServer, Log, api_server, pod_of, uid_of
from s3 import Store, store_in_memory
from sse import Event, events_of
from unit.test_api_serving import kubeconfig_for, problem_in, serving, settings_of

from simops_crds.names import key_prefix

pytestmark = pytest.mark.asyncio(loop_scope="module")

LAST = "Last-Event-ID"


@dataclass
class World:
    api: ApiServer
    store: Store
    replicas: list[aiohttp.ClientSession]
    tight: aiohttp.ClientSession
    """A gateway that serves two streams, and sends a comment ten times a second."""
    kubeconfig: Path
    store_settings: dict[str, Any]

    def follow(self, name: str, last: str = "", replica: int = 0, query: str = "") -> Any:
        headers = {LAST: last} if last else {}
        return self.replicas[replica].get(f"/api/v1/jobs/{name}/logs/stream{query}", headers=headers)

    def keep(self, name: str, pod: str, content: bytes) -> None:
        """Store a log, as the operator does when an attempt is over."""
        self.store.objects[f"{key_prefix('default', name, uid_of(name))}/{pod}.log"] = content

    def start(self, name: str) -> Log:
        self.api.put(name, reason="SimulationStarted")
        return self.api.log(pod_of(name))

    def finish(self, name: str, **status: Any) -> None:
        """End a run as the operator does: its log is stored first."""
        log = self.api.log(pod_of(name))
        log.end()
        self.keep(name, pod_of(name), log.raw)
        self.api.put(name, "Succeeded", reason="Completed", exitCode=0, **status)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with AsyncExitStack() as stack:
        api = await stack.enter_async_context(api_server())
        store, about = await stack.enter_async_context(store_in_memory(tmp_path_factory.mktemp("store")))
        kubeconfig = kubeconfig_for(tmp_path_factory.mktemp("api"), api.url)
        replicas = [
            await stack.enter_async_context(serving(settings_of(kubeconfig, log_window_bytes=window, **about)))
            for window in (1 << 20, 1 << 16)
        ]
        tight = settings_of(kubeconfig, max_streams=2, heartbeat_seconds=0.1, **about)
        yield World(api, store, replicas, await stack.enter_async_context(serving(tight)), kubeconfig, about)


async def until(met: Callable[[], Any], what: str, seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not met():  # noqa: ASYNC110 - what is looked at says nothing by itself
            await asyncio.sleep(0.01)
    assert met(), what


async def known(world: World, name: str, status: str) -> None:
    """Wait until every replica knows a state."""
    for session in (*world.replicas, world.tight):
        async with asyncio.timeout(60):
            while True:
                async with session.get(f"/api/v1/jobs/{name}") as response:
                    if response.status == 200 and (await response.json())["status"] == status:
                        break
                await asyncio.sleep(0.01)


def text_of(events: list[Event]) -> bytes:
    """Return the log that events tell. A newline within a line is a carriage return."""
    out = ""
    for event in events:
        if event.name in ("line", "part"):
            out += event.data.replace("\n", "\r") + ("\n" if event.name == "line" else "")
    return out.encode()


async def rest_of(response: aiohttp.ClientResponse) -> list[Event]:
    async with asyncio.timeout(60):
        return [event async for event in events_of(response)]


async def test_lines_come_as_they_are_printed_and_the_end_comes_by_itself(world: World) -> None:
    log = world.start("live")
    await known(world, "live", "Running")
    async with world.follow("live") as response:
        events = events_of(response)
        seen = [await anext(events), await anext(events)]
        assert [event.name for event in seen] == ["status", "attempt"]
        for words in (b"one", b"", b" two ", b"cr\rcr", "drei €".encode()):
            log.print(words)
            event = await anext(events)
            assert (event.name, text_of([event])) == ("line", words + b"\n")
        world.finish("live")
        rest = [event async for event in events]
    assert [event.name for event in rest] == ["end"]
    assert json.loads(rest[0].data) == {"status": "Succeeded", "reason": "Completed", "exit_code": 0}


async def test_a_line_of_megabytes_is_sent_in_parts(world: World) -> None:
    log = world.start("long")
    log.print(b"x" * 3_000_000, b"after")
    world.finish("long")
    del world.api.logs[pod_of("long")]
    await known(world, "long", "Succeeded")
    async with world.follow("long") as response:
        events = await rest_of(response)
    assert text_of(events) == log.raw
    assert max(len(event.data) for event in events) <= 1 << 16


@pytest.mark.parametrize("seed", range(6))
async def test_whoever_comes_and_goes_between_replicas_reads_the_log_exactly(world: World, seed: int) -> None:
    chance = random.Random(seed)
    name = f"cut{seed}"
    log = world.start(name)
    await known(world, name, "Running")
    texts = [chance.choice([b"", b"step", b"%d" % i, b"y" * chance.choice([10, 70_000, 200_000])]) for i in range(150)]
    log.cuts = [chance.randrange(400_000) for _ in range(12)]  # and the kubelet goes away too

    async def simulate() -> None:
        for text in texts:
            # Standard error may be stamped before what stands before it.
            log.print(text, step=chance.choice([1, 1000, NANO // 3, 2 * NANO]))
            if chance.random() < 0.1:
                log.lines.append((log.lines[-1][0] - 1, b"stderr"))
                log.lines.append((log.lines[-1][0] + 2, b"stdout"))
                log.print()
            await asyncio.sleep(chance.choice([0, 0, 0.01]))
        world.finish(name)
        if seed % 2:
            log.refused = 404  # the Pod is gone

    simulation = asyncio.create_task(simulate())
    seen: list[Event] = []
    last, ended = "", False
    async with asyncio.timeout(120):
        while not ended:
            patience = chance.randrange(40)
            async with world.follow(name, last, chance.randrange(2)) as response:
                async for event in events_of(response):
                    seen.append(event)
                    last, ended = event.id or last, event.name == "end"
                    patience -= 1
                    if patience < 0:
                        break
    await simulation
    assert "gap" not in [event.name for event in seen]
    assert text_of(seen) == log.raw
    await until(lambda: not log.open, "all connections are given back")


async def test_a_kubelet_that_cannot_follow_is_asked_again_and_again(world: World) -> None:
    log = world.start("inotify")
    log.fault = b"failed to create fsnotify watcher: too many open files"
    log.print(b"one")
    await known(world, "inotify", "Running")
    async with world.follow("inotify") as response:
        events = events_of(response)
        while (await anext(events)).name != "line":
            pass
        log.print(b"two")
        assert (await anext(events)).data == "two"
        world.finish("inotify")
        assert [event.name async for event in events] == ["end"]


async def test_a_job_that_waits_is_followed_from_its_first_line_on(world: World) -> None:
    world.api.put("waiting", "Pending", pod="", reason="JobCreated")
    await known(world, "waiting", "Pending")
    log = world.api.log(pod_of("waiting"))
    log.refused = 400
    async with world.follow("waiting") as response:
        events = events_of(response)
        assert json.loads((await anext(events)).data)["status"] == "Pending"
        world.api.put("waiting", "Pending", reason="Starting")
        assert json.loads((await anext(events)).data)["reason"] == "Starting"
        assert (await anext(events)).name == "attempt"
        log.refused = 0
        log.print(b"first")
        world.api.put("waiting", "Running", reason="SimulationStarted")
        names = [(await anext(events)).name for _ in range(2)]
        assert sorted(names) == ["line", "status"]
        world.finish("waiting")
        assert [event.name async for event in events] == ["end"]


async def test_a_retry_is_announced_and_followed_and_nothing_of_either_attempt_is_lost(world: World) -> None:
    log = world.start("retry")
    log.print(b"a1")
    await known(world, "retry", "Running")
    async with world.follow("retry") as response:
        events = events_of(response)
        seen: list[Event] = []
        while not seen or seen[-1].name != "line":
            seen.append(await anext(events))
        log.print(b"a2")
        log.end()
        first, second = pod_of("retry"), pod_of("retry", 2)
        world.keep("retry", first, log.raw)
        again = world.api.log(second)
        again.print(b"b1")
        world.api.put("retry", "Running", pod=second, attempts=2, reason="Retrying")
        while seen[-1].data != "b1":
            seen.append(await anext(events))
        again.print(b"b2")
        again.end()
        world.keep("retry", second, again.raw)
        world.store.modified[f"{key_prefix('default', 'retry', uid_of('retry'))}/{second}.log"] = (
            "2026-03-01T12:00:01.000Z"
        )
        world.api.put("retry", "Failed", pod=second, attempts=2, reason="ExitCode", exitCode=3)
        seen += [event async for event in events]
    assert text_of(seen) == b"a1\na2\nb1\nb2\n"
    announced = [json.loads(event.data) for event in seen if event.name == "attempt"]
    assert announced == [{"attempt": 1, "pod": first}, {"attempt": 2, "pod": second}]
    assert json.loads(seen[-1].data) == {"status": "Failed", "reason": "ExitCode", "exit_code": 3}
    # Whoever went away in the first attempt is given the rest of it, and then the second one.
    (place,) = [event.id for event in seen if event.data == "a1"]
    await known(world, "retry", "Failed")
    async with world.follow("retry", place, 1) as response:
        assert text_of(await rest_of(response)) == b"a2\nb1\nb2\n"
    async with world.follow("retry", query="?attempt=2") as response:
        assert text_of(await rest_of(response)) == b"b1\nb2\n"


async def test_a_log_that_was_rotated_is_gone_on_with(world: World) -> None:
    log = world.start("rotated")
    log.print(*[b"line %d" % i for i in range(50)])
    await known(world, "rotated", "Running")
    async with world.follow("rotated") as response:
        events = events_of(response)
        while (event := await anext(events)).data != "line 30":
            pass
    log.rotated = 20
    log.end()
    world.keep("rotated", pod_of("rotated"), b"".join(b"line %d\n" % i for i in range(20, 50)))
    log.refused = 404
    world.api.put("rotated", "Succeeded", reason="Completed", exitCode=0)
    await known(world, "rotated", "Succeeded")
    async with world.follow("rotated", event.id) as response:
        rest = await rest_of(response)
    assert text_of(rest) == b"".join(b"line %d\n" % i for i in range(31, 50))
    assert "gap" not in [one.name for one in rest]
    log.lines = log.lines[:20]
    world.keep("rotated", pod_of("rotated"), b"".join(b"line %d\n" % i for i in range(40, 50)))
    async with world.follow("rotated", event.id) as response:
        rest = await rest_of(response)
    assert [one.name for one in rest][:2] == ["attempt", "gap"]
    assert text_of(rest) == b"".join(b"line %d\n" % i for i in range(40, 50))


async def test_five_hundred_followers_share_one_connection_and_leave_nothing_behind(world: World) -> None:
    log = world.start("popular")
    log.print(b"begin")
    await known(world, "popular", "Running")
    connector = aiohttp.TCPConnector(limit=0)
    base = world.replicas[0]._base_url
    async with aiohttp.ClientSession(base, connector=connector, timeout=aiohttp.ClientTimeout(total=300)) as session:
        ready = asyncio.Semaphore(0)

        async def one() -> bytes:
            async with session.get("/api/v1/jobs/popular/logs/stream") as response:
                seen = []
                async for event in events_of(response):
                    if event.data == "begin":
                        ready.release()
                    seen.append(event)
                assert seen[-1].name == "end"
                return text_of(seen)

        followers = [asyncio.create_task(one()) for _ in range(500)]
        async with asyncio.timeout(120):
            for _ in followers:
                await ready.acquire()
        following = [query for query in log.asked if "follow" in query]
        assert len(following) == 1
        assert log.open == 1
        for i in range(20):
            log.print(b"step %d" % i)
        for leaver in followers[:100]:
            leaver.cancel()
        world.finish("popular")
        async with asyncio.timeout(120):
            texts = await asyncio.gather(*followers, return_exceptions=True)
    assert [text for text in texts[100:] if text != log.raw] == []
    await until(lambda: log.open == 0, "the connection is given back")


async def test_the_last_who_leaves_frees_the_connection_at_once(world: World) -> None:
    log = world.start("left")
    await known(world, "left", "Running")
    async with AsyncExitStack() as both:
        async with world.follow("left") as response:
            await anext(events_of(response))
            other = await both.enter_async_context(world.follow("left"))
            await anext(events_of(other))
            await until(lambda: log.open == 1, "one connection for both")
        log.print(b"for the other")
        assert "for the other" in [(await anext(events_of(other))).data for _ in range(2)]
        assert log.open == 1
    await until(lambda: log.open == 0, "the connection is closed", 10)


async def test_a_deleted_job_ends_its_stream(world: World) -> None:
    log = world.start("deleted")
    log.print(b"x")
    await known(world, "deleted", "Running")
    async with world.follow("deleted") as response:
        events = events_of(response)
        while (await anext(events)).name != "line":
            pass
        world.api.delete("deleted")
        del world.api.logs[pod_of("deleted")]
        rest = await rest_of(response)
    assert json.loads(rest[-1].data)["reason"] == "Deleted"


@pytest.mark.parametrize("place", ["17", "x/0/1./00000000/1/1", "a" * 5000, f"{pod_of('other')}/0/1./00000000/1/1"])
async def test_a_place_that_is_none_of_this_job_is_refused(world: World, place: str) -> None:
    world.start("mine")
    await known(world, "mine", "Running")
    async with world.follow("mine", place) as response:
        problem = await problem_in(response, 422)
    assert [(error["location"], error["field"]) for error in problem["errors"]] == [("header", LAST)]


async def test_a_silent_stream_is_kept_alive_and_there_are_only_so_many(world: World) -> None:
    world.start("silent")
    await known(world, "silent", "Running")
    async with AsyncExitStack() as open_ones:
        url = "/api/v1/jobs/silent/logs/stream"
        first = await open_ones.enter_async_context(world.tight.get(url))
        beats = 0
        async with asyncio.timeout(60):
            while beats < 3:
                beats += (await first.content.readline()).startswith(b":")
        await open_ones.enter_async_context(world.tight.get(url))
        for path in (url, "/api/v1/jobs/silent/logs"):
            async with world.tight.get(path) as response:
                await problem_in(response, 503)
                assert int(response.headers["Retry-After"]) > 0
    async with asyncio.timeout(60):
        while True:
            async with world.tight.get("/api/v1/jobs/silent/logs") as response:
                if response.status == 200:
                    return


async def test_a_process_that_is_told_to_stop_ends_its_streams_and_goes(world: World, tmp_path: Path) -> None:
    log = world.start("stopped")
    log.print(b"one")
    settings = {name.upper(): value for name, value in world.store_settings.items()} | {
        "KUBECONFIG": str(world.kubeconfig),
        "AUTH_MODE": "none",
    }
    environment = os.environ | {f"SIMOPS_{name}": value for name, value in settings.items()}
    environment["PYTHONPATH"] = os.pathsep.join(sys.path)
    command = [sys.executable, "-m", "uvicorn", "simops_api.app:app", "--port=0", "--no-access-log"]
    with (tmp_path / "log").open("w+b") as output:
        process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=output, stderr=output)
        try:
            await until(lambda: b"running on http" in (tmp_path / "log").read_bytes(), "it serves")
            base = (tmp_path / "log").read_bytes().partition(b"running on ")[2].partition(b" (")[0].decode()
            async with aiohttp.ClientSession(base) as session:
                async with asyncio.timeout(60):
                    ready = 0
                    while ready != 200:
                        async with session.get("/ready") as response:
                            ready = response.status
                async with session.get("/api/v1/jobs/stopped/logs/stream") as response:
                    events = events_of(response)
                    while (await anext(events)).name != "line":
                        pass
                    process.send_signal(signal.SIGTERM)
                    async with asyncio.timeout(30):
                        assert [event.name async for event in events] == []
            async with asyncio.timeout(30):
                await process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    await until(lambda: log.open == 0, "the connection is given back")
