"""How the cache follows an API server that answers, ends, breaks, falls silent and forgets."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from simops_api.cache import WatchCache
from simops_api.cluster import ApiError, UnreachableError
from simops_api.index import Query
from simops_api.records import record_of

Event = dict[str, Any]
END = object()
WAIT = 5.0


def job(name: str, version: int, phase: str = "Running") -> Event:
    meta = {
        "name": name,
        "namespace": "lab",
        "resourceVersion": str(version),
        "creationTimestamp": "2026-03-01T12:00:00Z",
    }
    return {"metadata": meta, "spec": {}, "status": {"phase": phase}}


def event(kind: str, obj: Event) -> Event:
    return {"type": kind, "object": obj}


def bookmark(version: int) -> Event:
    return event("BOOKMARK", {"metadata": {"resourceVersion": str(version)}})


@dataclass
class Server:
    """What the API server does next. A LIST answers ``pages``; a watch gives what is put into ``script``."""

    pages: list[Event | Exception] = field(default_factory=list)
    script: asyncio.Queue[Any] = field(default_factory=asyncio.Queue)
    watched_from: list[str] = field(default_factory=list)
    lists: int = 0

    def listing(self, version: int, *objects: Event, after: str = "") -> None:
        self.pages.append({"items": list(objects), "metadata": {"resourceVersion": str(version), "continue": after}})

    async def list_page(self, namespace: str, limit: int, after: str) -> Event:
        self.lists += 1
        page = self.pages.pop(0)
        if isinstance(page, Exception):
            raise page
        return page

    async def watch(self, namespace: str, version: str, seconds: int) -> AsyncGenerator[Event, None]:
        self.watched_from.append(version)
        while (step := await self.script.get()) is not END:
            if isinstance(step, Exception):
                raise step
            yield step


@dataclass
class Clock:
    now: float = 100.0

    def __call__(self) -> float:
        return self.now


def cache_of(server: Server, clock: Clock, listed: Callable[[], None] = lambda: None) -> WatchCache:
    return WatchCache(
        server,
        ("lab",),
        lambda obj: record_of(obj, obj["metadata"]["name"]),
        longest_pause=0.001,
        clock=clock,
        listed=listed,
    )


@asynccontextmanager
async def following(server: Server, clock: Clock | None = None) -> AsyncIterator[WatchCache]:
    cache = cache_of(server, clock or Clock())
    task = asyncio.create_task(cache.run())
    try:
        yield cache
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def names(cache: WatchCache) -> list[str]:
    return [r.id for r in cache.index.page(Query(newest_first=False), 0, 100).records]


async def reached(cache: WatchCache, version: int) -> None:
    assert await cache.wait_for("lab", str(version), WAIT)


async def test_nothing_is_known_before_the_last_page_of_the_first_list() -> None:
    server = Server()
    server.listing(5, job("a", 1), after="more")
    server.listing(5, job("b", 2))
    cache = cache_of(server, Clock())
    assert not cache.synced
    async with following(server) as cache:
        await reached(cache, 5)
        assert cache.synced
        assert names(cache) == ["a", "b"]
        assert server.lists == 2


async def test_what_happens_is_seen_and_a_bookmark_moves_the_place() -> None:
    server = Server()
    server.listing(5, job("a", 1))
    async with following(server) as cache:
        for step in (
            event("ADDED", job("b", 6)),
            event("MODIFIED", job("a", 7, "Failed")),
            event("DELETED", job("b", 8)),
        ):
            server.script.put_nowait(step)
        server.script.put_nowait(bookmark(20))
        server.script.put_nowait(END)
        await reached(cache, 20)
        assert names(cache) == ["a"]
        assert cache.index.stats(["Failed"]).phases == {"Failed": 1}
        server.script.put_nowait(bookmark(21))
        await reached(cache, 21)
        assert server.watched_from == ["5", "20"]
        assert server.lists == 1


@pytest.mark.parametrize("gone", [ApiError(410, "too old"), event("ERROR", {"code": 410, "message": "too old"})])
async def test_a_place_that_the_api_server_forgot_is_answered_by_a_list_that_is_compared(gone: Any) -> None:
    server = Server()
    server.listing(5, job("a", 1), job("b", 2))
    async with following(server) as cache:
        await reached(cache, 5)
        server.listing(30, job("a", 25, "Succeeded"), job("c", 26))
        server.script.put_nowait(gone)
        await reached(cache, 30)
        assert names(cache) == ["a", "c"]
        record = cache.index.get("a")
        assert record is not None
        assert record.phase == "Succeeded"
        assert cache.relists == 2


async def test_readers_get_a_turn_many_times_while_a_long_list_is_taken_in_and_see_nothing_of_it_before_its_end() -> (
    None
):
    server = Server()
    server.listing(5, *(job(f"j{n}", 1) for n in range(1000)))
    cache = cache_of(server, Clock())
    task = asyncio.create_task(cache.run())
    turns = 0
    while not cache.synced:
        assert not len(cache.index)
        turns += 1
        await asyncio.sleep(0)
    assert len(cache.index) == 1000
    assert turns > 15
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_after_each_list_what_is_to_be_done_then_is_done_once_and_everything_is_there() -> None:
    server, seen = Server(), []
    server.listing(5, job("a", 1), after="more")
    server.listing(5, job("b", 1))
    cache = cache_of(server, Clock(), lambda: seen.append(names(cache)))
    task = asyncio.create_task(cache.run())
    await reached(cache, 5)
    server.listing(30, job("b", 1))
    server.script.put_nowait(ApiError(410, "too old"))
    await reached(cache, 30)
    assert seen == [["a", "b"], ["b"]]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_a_list_whose_next_page_has_expired_is_begun_again() -> None:
    server = Server()
    server.listing(5, job("a", 1), after="more")
    server.pages.append(ApiError(410, "the continue token has expired"))
    server.listing(9, job("b", 7))
    async with following(server) as cache:
        await reached(cache, 9)
        assert names(cache) == ["b"]


async def test_a_connection_that_breaks_is_taken_up_where_it_was_while_readers_go_on_reading() -> None:
    server = Server()
    server.listing(5, job("a", 1))
    async with following(server) as cache:
        server.script.put_nowait(event("ADDED", job("b", 6)))
        await reached(cache, 6)
        for _ in range(3):
            server.script.put_nowait(UnreachableError("silent for 35 s"))
        assert names(cache) == ["a", "b"]
        server.script.put_nowait(bookmark(7))
        await reached(cache, 7)
        assert server.watched_from == ["5", "6", "6", "6"]
        assert server.lists == 1


async def test_a_place_that_is_refused_again_and_again_is_given_up() -> None:
    server = Server()
    server.listing(50, job("a", 40))
    async with following(server) as cache:
        await reached(cache, 50)
        server.listing(60, job("b", 8))
        for _ in range(5):
            server.script.put_nowait(ApiError(504, "Too large resource version"))
        await reached(cache, 60)
        assert names(cache) == ["b"]


async def test_a_first_list_that_fails_is_tried_until_it_works() -> None:
    server = Server(pages=[UnreachableError("refused"), ApiError(503, "starting"), UnreachableError("refused")])
    server.listing(5, job("a", 1))
    async with following(server) as cache:
        await reached(cache, 5)
        assert cache.synced


async def test_whoever_waits_for_a_version_waits_no_longer_than_agreed() -> None:
    server = Server()
    server.listing(5)
    async with following(server) as cache:
        await reached(cache, 5)
        assert not await cache.wait_for("lab", "6", 0.01)
        waiting = asyncio.create_task(cache.wait_for("lab", "6", WAIT))
        server.script.put_nowait(event("ADDED", job("b", 7)))
        assert await waiting
        assert names(cache) == ["b"]


async def test_the_age_is_the_time_since_the_api_server_was_heard_of() -> None:
    server, clock = Server(), Clock()
    server.listing(5)
    async with following(server, clock) as cache:
        await reached(cache, 5)
        clock.now += 7
        assert cache.age == 7
        server.script.put_nowait(bookmark(6))
        await reached(cache, 6)
        assert cache.age == 0


async def test_a_burst_of_events_lets_readers_in_between() -> None:
    server = Server()
    server.listing(5)
    for version in range(6, 506):
        server.script.put_nowait(event("ADDED", job(f"j{version}", version)))
    seen: set[int] = set()
    async with following(server) as cache:
        while len(cache.index) < 500:
            seen.add(len(cache.index))
            await asyncio.sleep(0)
    assert len(seen) > 5
