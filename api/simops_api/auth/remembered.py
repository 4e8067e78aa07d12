"""Answers of the API server about callers, kept for a while: most requests cost it nothing, and reads go on while it is away."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

DENIED_SECONDS = 2.0
"""How long a no is kept at most: who has just been given a right must not wait for it."""
_PAUSE = 1.0
"""While there are no answers, the seconds between two attempts that nobody waits for."""


class NoAnswerError(Exception):
    """It cannot be found out now."""


class RefusedError(NoAnswerError):
    """This question is not answered, which says nothing of others: the server is there."""


@dataclass(frozen=True)
class Times:
    """How long answers serve, in seconds."""

    fresh: float
    """So long a yes is given again without a question."""
    stale: float
    """So old an answer may be for a read when no newer one is to be had."""


@dataclass(frozen=True)
class _Kept(Generic[V]):
    value: V
    asked: float


class Remembered(Generic[K, V]):
    """At most ``size`` answers, the least recently used one forgotten first.

    However many ask the same at the same time, one question is asked. It goes on when those who wait for it leave.
    """

    def __init__(
        self,
        times: Times,
        is_yes: Callable[[V], bool],
        size: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._times = times
        self._is_yes = is_yes
        self._size = size
        self._clock = clock
        self._kept: OrderedDict[K, _Kept[V]] = OrderedDict()
        self._asking: dict[K, asyncio.Task[V]] = {}
        self._is_away = False
        self._next_try = float("-inf")

    def __len__(self) -> int:
        return len(self._kept)

    def has(self, key: K) -> bool:
        """Whether this is being asked, has an answer that is given again, or had a yes that is not too old for anything."""
        kept = self._kept.get(key)
        if kept is None:
            return key in self._asking
        old = max(self._times.fresh, self._times.stale) if self._is_yes(kept.value) else self._lifetime(kept.value)
        return key in self._asking or self._age(kept) < old

    async def get(self, key: K, ask: Callable[[], Awaitable[V]], *, stale: bool) -> V:
        """Return the answer to a question.

        ``ask`` asks it, and raises NoAnswerError when there is none. ``stale``: an older answer is good enough then.

        Raises:
            NoAnswerError: there is none, and none that is recent enough is known.
        """
        kept = self._kept.get(key)
        if kept is not None:
            self._kept.move_to_end(key)
            if self._age(kept) < self._lifetime(kept.value):
                return kept.value
            if stale and self._is_away and self._age(kept) < self._times.stale:
                # Nobody waits for a server that is away; one question a second finds out when it is back.
                if self._clock() >= self._next_try:
                    self._next_try = self._clock() + _PAUSE
                    self._flight(key, ask)
                return kept.value
        try:
            return await asyncio.shield(self._flight(key, ask))
        except NoAnswerError:
            kept = self._kept.get(key)
            if stale and kept is not None and self._age(kept) < self._times.stale:
                return kept.value
            raise

    def _age(self, kept: _Kept[V]) -> float:
        return self._clock() - kept.asked

    def _lifetime(self, value: V) -> float:
        return self._times.fresh if self._is_yes(value) else min(self._times.fresh, DENIED_SECONDS)

    def _flight(self, key: K, ask: Callable[[], Awaitable[V]]) -> asyncio.Task[V]:
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, ask), name="review")
            task.add_done_callback(_heard)
        return task

    async def _ask(self, key: K, ask: Callable[[], Awaitable[V]]) -> V:
        # As old as the question, not as the answer: it may have been true then and no more.
        asked = self._clock()
        try:
            value = await ask()
            self._is_away = False
        except RefusedError:
            raise
        except NoAnswerError:
            self._is_away = True
            raise
        finally:
            del self._asking[key]
        self._kept[key] = _Kept(value, asked)
        self._kept.move_to_end(key)
        while len(self._kept) > self._size:
            self._kept.popitem(last=False)
        return value


def _heard(task: "asyncio.Task[V]") -> None:
    # Whoever waited has it; if nobody did, asyncio must not call it an error that was lost.
    if not task.cancelled():
        task.exception()
