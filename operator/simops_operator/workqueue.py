"""A keyed, de-duplicating work queue with back-off, after client-go's: kopf logs errors of event handlers and never tries again, so this does.

A key that is added while it is worked on runs again afterwards, never twice at the same time. Keys wait in groups that take turns, so that one with
thousands of keys does not keep another waiting. Nothing here knows what a key or a group means.
"""

import asyncio
import heapq
import itertools
import logging
import random
import time
from collections.abc import Awaitable, Callable, Hashable
from typing import Generic, TypeVar

from simops_operator.turns import Turns

K = TypeVar("K", bound=Hashable)

log = logging.getLogger(__name__)

BACKOFF_FIRST_SECONDS = 0.2
BACKOFF_LIMIT_SECONDS = 60.0


class WorkQueue(Generic[K]):
    """Keys that wait, each at most once."""

    def __init__(self, group: Callable[[K], Hashable] = lambda _key: None) -> None:
        """``group``: what a key belongs to; all are of one when it is not given."""
        self._ready: Turns[K, float] = Turns(group)  # key → since when
        self._running: set[K] = set()
        self._again: set[K] = set()
        self._failures: dict[K, int] = {}
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, float] = {}
        self._counter = itertools.count()
        self._wakeup = asyncio.Condition()

    def __len__(self) -> int:
        return len(self._ready)

    @property
    def head_age(self) -> float:
        """Seconds that the oldest waiting key has waited."""
        return time.monotonic() - min(self._ready.heads()) if self._ready else 0.0

    async def add(self, key: K) -> None:
        """Let a key be worked on as soon as possible."""
        async with self._wakeup:
            self._put(key)
            self._wakeup.notify()

    def _put(self, key: K) -> None:
        if key in self._running:
            self._again.add(key)
        else:
            self._ready.put(key, time.monotonic())

    async def add_later(self, key: K, seconds: float) -> None:
        """Let a key be worked on after some time; an earlier time that is set already stays."""
        due = time.monotonic() + max(0.0, seconds)
        async with self._wakeup:
            if self._due.get(key, float("inf")) <= due:
                return
            self._due[key] = due
            heapq.heappush(self._later, (due, next(self._counter), key))
            self._wakeup.notify()

    async def _take(self) -> K:
        async with self._wakeup:
            while True:
                now = time.monotonic()
                while self._later and self._later[0][0] <= now:
                    due, _, key = heapq.heappop(self._later)
                    if self._due.get(key) == due:
                        del self._due[key]
                        self._put(key)
                if self._ready:
                    key = self._ready.take()
                    self._running.add(key)
                    return key
                timeout = self._later[0][0] - now if self._later else None
                try:
                    # Not wait_for: before Python 3.12 it swallows a cancellation that comes together with a wake-up.
                    async with asyncio.timeout(timeout):
                        await self._wakeup.wait()
                except TimeoutError:
                    continue

    async def _done(self, key: K) -> None:
        async with self._wakeup:
            self._running.discard(key)
            if key in self._again:
                self._again.discard(key)
                self._put(key)
                self._wakeup.notify()

    async def work(self, handle: Callable[[K], Awaitable[None]], expected: tuple[type[Exception], ...] = ()) -> None:
        """Work on keys for ever; a key whose handler raises is tried again, later each time.

        An error that is not ``expected`` shows its traceback once it has come back often enough.
        """
        while True:
            key = await self._take()
            try:
                await handle(key)
            except Exception as error:
                failures = self._failures[key] = self._failures.get(key, 0) + 1
                ceiling = BACKOFF_FIRST_SECONDS * 2 ** min(failures - 1, 20)
                delay = min(BACKOFF_LIMIT_SECONDS, ceiling) * random.uniform(0.8, 1.2)  # noqa: S311 - jitter
                log.warning(
                    "%s: try %d failed, next in %.1f s: %s",
                    key,
                    failures,
                    delay,
                    error,
                    exc_info=failures == 5 and not isinstance(error, expected),
                )
                await self.add_later(key, delay)
            else:
                self._failures.pop(key, None)
            finally:
                await self._done(key)
