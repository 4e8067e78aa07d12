"""The work queue: each key once, one at a time, never forgotten."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from simops_operator import workqueue
from simops_operator.workqueue import WorkQueue

Handler = Callable[[str], Awaitable[None]]
DEADLINE = 5.0


@asynccontextmanager
async def working(queue: WorkQueue[str], handle: Handler, workers: int = 1) -> AsyncIterator[None]:
    """Let workers work while the block runs; the block must end before the deadline."""
    tasks = [asyncio.create_task(queue.work(handle)) for _ in range(workers)]
    try:
        async with asyncio.timeout(DEADLINE):
            yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110 - the queue is watched from outside
        await asyncio.sleep(0.001)


async def test_a_key_that_waits_is_worked_on_once() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    for key in ("a", "b", "a", "a", "c"):
        await queue.add(key)
    assert len(queue) == 3
    async with working(queue, handle):
        await until(lambda: len(seen) == 3)
        await asyncio.sleep(0.02)
    assert seen == ["a", "b", "c"]


async def test_one_that_is_added_while_it_is_worked_on_runs_again_afterwards() -> None:
    queue: WorkQueue[str] = WorkQueue()
    active: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    go = asyncio.Event()

    async def handle(key: str) -> None:
        active[key] += 1
        assert active[key] == 1
        runs[key] += 1
        await go.wait()
        active[key] -= 1

    async with working(queue, handle, workers=4):
        await queue.add("a")
        await until(lambda: active["a"] == 1)
        for _ in range(5):
            await queue.add("a")
        await asyncio.sleep(0.02)
        assert runs["a"] == 1
        go.set()
        await until(lambda: runs["a"] == 2)
        await asyncio.sleep(0.02)
    assert runs["a"] == 2


async def test_workers_that_are_idle_are_woken() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    async with working(queue, handle, workers=3):
        await asyncio.sleep(0.02)
        await queue.add("a")
        await until(lambda: seen == ["a"])
        await asyncio.sleep(0.02)
        await queue.add_later("b", 0.01)
        await until(lambda: seen == ["a", "b"])


async def test_a_busy_key_does_not_hold_up_another() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []
    never = asyncio.Event()

    async def handle(key: str) -> None:
        seen.append(key)
        if key == "slow":
            await never.wait()

    async with working(queue, handle, workers=2):
        await queue.add("slow")
        for number in range(20):
            await queue.add(f"k{number}")
        await until(lambda: len(seen) == 21)


async def test_a_key_that_comes_again_and_again_waits_behind_those_that_wait() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)
        if key == "greedy" and len(seen) < 50:
            await queue.add("greedy")

    await queue.add("greedy")
    await queue.add("patient")
    async with working(queue, handle):
        await until(lambda: "patient" in seen)
    assert seen.index("patient") == 1


async def test_a_failure_is_tried_again_later_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workqueue, "BACKOFF_FIRST_SECONDS", 0.02)
    queue: WorkQueue[str] = WorkQueue()
    moments: list[float] = []

    async def handle(key: str) -> None:
        moments.append(time.monotonic())
        if len(moments) < 4:
            raise ValueError("not yet")

    async with working(queue, handle, workers=3):
        await queue.add("a")
        await until(lambda: len(moments) == 4)
        await asyncio.sleep(0.05)
    gaps = [b - a for a, b in itertools.pairwise(moments)]
    for gap, expected in zip(gaps, (0.02, 0.04, 0.08), strict=True):
        assert gap >= expected * 0.8
    assert len(moments) == 4
    assert not queue._failures


async def test_back_off_has_a_ceiling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workqueue, "BACKOFF_LIMIT_SECONDS", 0.01)
    queue: WorkQueue[str] = WorkQueue()
    tries = 0

    async def handle(key: str) -> None:
        nonlocal tries
        tries += 1
        raise ValueError("never")

    async with working(queue, handle):
        await queue.add("a")
        await until(lambda: tries == 30)


async def test_later_keys_come_in_the_order_of_their_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    async with working(queue, handle):
        await queue.add_later("third", 0.09)
        await queue.add_later("first", 0.01)
        await queue.add_later("second", 0.05)
        await queue.add("now")
        await until(lambda: len(seen) == 4)
    assert seen == ["now", "first", "second", "third"]


async def test_of_two_times_the_earlier_counts() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[float] = []

    async def handle(key: str) -> None:
        seen.append(time.monotonic())

    begin = time.monotonic()
    async with working(queue, handle):
        await queue.add_later("a", 0.05)
        await queue.add_later("a", 60)
        await queue.add_later("b", 60)
        await queue.add_later("b", 0.02)
        await until(lambda: len(seen) == 2)
        await asyncio.sleep(0.05)
    assert len(seen) == 2
    assert seen[-1] - begin < 1
    assert not queue._due


async def test_a_sleeping_worker_notices_an_earlier_time() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    async with working(queue, handle):
        await queue.add_later("far", 60)
        await asyncio.sleep(0.02)
        await queue.add_later("near", 0.02)
        await until(lambda: seen == ["near"])


@pytest.mark.parametrize("seed", range(8))
async def test_no_key_is_ever_forgotten_however_many_workers_there_are(seed: int) -> None:
    dice = random.Random(seed)
    queue: WorkQueue[str] = WorkQueue()
    wanted: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    active: Counter[str] = Counter()

    async def handle(key: str) -> None:
        active[key] += 1
        assert active[key] == 1, "the same key twice at the same time"
        seen[key] = wanted[key]  # everything asked for before now is covered
        await asyncio.sleep(dice.choice((0, 0, 0.001, 0.003)))
        active[key] -= 1

    async with working(queue, handle, workers=dice.choice((1, 2, 16))):
        for _ in range(400):
            key = f"k{dice.randrange(12)}"
            wanted[key] += 1
            if dice.random() < 0.7:
                await queue.add(key)
            else:
                await queue.add_later(key, dice.choice((0, 0.001, 0.005)))
            if dice.random() < 0.2:
                await asyncio.sleep(dice.choice((0, 0.002)))
        await until(lambda: seen == wanted)


@pytest.mark.parametrize("ticks", range(6))
async def test_a_worker_that_is_stopped_at_the_moment_it_is_woken_stops(ticks: int) -> None:
    queue: WorkQueue[str] = WorkQueue()
    await queue.add_later("far", 60)

    async def handle(key: str) -> None:
        await asyncio.sleep(0)

    worker = asyncio.create_task(queue.work(handle))
    await asyncio.sleep(0.01)
    await queue.add("a")
    for _ in range(ticks):
        await asyncio.sleep(0)
    worker.cancel()
    done, _ = await asyncio.wait([worker], timeout=1)
    worker.cancel()  # so that the test itself ends
    assert done


async def test_a_cancelled_worker_leaves_the_queue_usable() -> None:
    queue: WorkQueue[str] = WorkQueue()
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    async with working(queue, handle, workers=3):
        await queue.add_later("later", 0.05)
        await asyncio.sleep(0.01)
    async with working(queue, handle):
        await queue.add("now")
        await until(lambda: seen == ["now", "later"])


async def test_the_age_of_its_head_tells_whether_work_moves() -> None:
    queue: WorkQueue[str] = WorkQueue()
    assert queue.head_age == 0
    await queue.add("a")
    await asyncio.sleep(0.02)
    await queue.add("a")
    assert queue.head_age >= 0.02


async def test_groups_take_turns() -> None:
    queue: WorkQueue[str] = WorkQueue(lambda key: key[0])
    seen: list[str] = []

    async def handle(key: str) -> None:
        seen.append(key)

    for key in ("a1", "a2", "a3", "a4", "b1", "b2"):
        await queue.add(key)
    async with working(queue, handle):
        await until(lambda: len(seen) == 6)
    assert seen == ["a1", "b1", "a2", "b2", "a3", "a4"]
