"""One connection for all who follow the same Pod: what came last is kept in a window that everybody reads at their own speed.

Nobody waits for a slow client, and none has a queue: who falls out of the window reads what is missing for themselves and comes back.
The feed of a Pod begins with its first follower and ends with its last one.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing, asynccontextmanager
from enum import Enum
from itertools import islice

from simops_api.cluster import ApiError, UnreachableError
from simops_api.logs.pods import PodLogs
from simops_api.logs.position import Position
from simops_api.logs.seek import Seeker, since
from simops_api.logs.split import Piece, Splitter

log = logging.getLogger(__name__)

_FIRST_PAUSE = 0.2
_LONGEST_PAUSE = 5.0
_SOON = 200
"""So many times a Pod that has not started is asked again after the first pause: about as long as an image is pulled."""
_SEEK_SECONDS = 1.0
_OVERHEAD = 200
"""About what a piece takes in memory beside its bytes."""
_LAST_TRIES = 3
_NOT_STARTED = 400
Key = tuple[int, int, int, bool]


class FeedState(Enum):
    """How a feed is."""

    LIVE = "live"
    COMPLETE = "complete"
    """All of the log has been in the window."""
    LOST = "lost"
    """The rest cannot be had from the Pod."""


class Feed:
    """The end of the log of one Pod, as it grows."""

    def __init__(self, source: PodLogs, namespace: str, pod: str, begin: Position | None, window_bytes: int) -> None:
        """``begin``: after which place; None from the start of the log."""
        self.state = FeedState.LIVE
        self.followers = 0
        self._source = source
        self._namespace = namespace
        self._pod = pod
        self._window_bytes = window_bytes
        self._begin = begin
        self._last = begin
        self._pieces: deque[Piece] = deque()
        self._first = 0
        """Number of the first piece in the window."""
        self._numbers: dict[Key, int] = {}
        self._bytes = 0
        self._changed = asyncio.Event()
        self._nudged = asyncio.Event()
        self._closing = False
        self._following: asyncio.Task[None] | None = None

    # Reading
    def find(self, position: Position | None) -> tuple[int, int] | None:
        """Return the number of the piece after a place, and what to add to the ``at`` of pieces; None if the window does not say."""
        if position is None:
            return (0, 0) if self._first == 0 and self._begin is None else None
        key = (position.time, position.turn, position.taken, position.whole)
        if (number := self._numbers.get(key)) is not None:
            return number + 1, position.at - self._pieces[number - self._first].at
        if self._first == 0 and self._begin is not None and key == _key(self._begin):
            return 0, position.at - self._begin.at
        return None

    def is_behind(self, position: Position | None) -> bool:
        """Whether a place may still come into the window."""
        if self.state is not FeedState.LIVE or position is None:
            return False
        return self._last is None or self._last.time < position.time

    def after(self, number: int) -> list[Piece] | None:
        """Return the pieces from a number on; None if some of them have left the window."""
        if number < self._first:
            return None
        skip = number - self._first
        return list(islice(self._pieces, skip, None))

    def ends_with(self, position: Position | None) -> bool:
        """Whether nothing comes after a place: all of the log has been read."""
        where = self.find(position)
        return self.state is FeedState.COMPLETE and where is not None and not self.after(where[0])

    async def changed(self) -> None:
        """Wait for something new."""
        await self._changed.wait()

    # Telling
    def nudge(self) -> None:
        """Say that the Pod may have changed: a log that was not there is tried again at once."""
        self._nudged.set()

    def close(self) -> None:
        """Say that the attempt is over: read what is left and be complete."""
        if not self._closing:
            self._closing = True
            self._nudged.set()
            if self._following is not None:
                self._following.cancel()

    # Following
    async def run(self) -> None:
        """Follow until closed or cancelled."""
        try:
            await self._follow()
            self.state = await self._end()
        finally:
            if self.state is FeedState.LIVE:
                self.state = FeedState.LOST
            self._tell()

    async def _follow(self) -> None:
        pause, tries = _FIRST_PAUSE, 0
        while not self._closing:
            count = self._first + len(self._pieces)
            self._following = asyncio.create_task(self._read(follow=True), name=f"log of {self._pod}")
            try:
                await asyncio.wait({self._following})
            finally:
                self._following.cancel()
                await asyncio.gather(self._following, return_exceptions=True)
            if self._closing:
                break
            if not self._following.cancelled() and (error := self._following.exception()) is not None:
                if not isinstance(error, (ApiError, UnreachableError)):
                    raise error
                log.debug("log of %s/%s: %s", self._namespace, self._pod, error)
                tries += 1
                if isinstance(error, ApiError) and error.status == _NOT_STARTED and tries < _SOON:
                    pause = _FIRST_PAUSE
            if self._first + len(self._pieces) > count:
                pause = _FIRST_PAUSE
            await self._rest(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)

    async def _rest(self, seconds: float) -> None:
        self._nudged.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._nudged.wait()

    async def _end(self) -> FeedState:
        for _ in range(_LAST_TRIES):
            try:
                await self._read(follow=False)
            except ApiError as error:
                if error.status in (400, 404):
                    break
            except UnreachableError:
                pass
            else:
                return FeedState.COMPLETE
            await asyncio.sleep(_FIRST_PAUSE)
        return FeedState.LOST

    async def _read(self, *, follow: bool) -> None:
        start = since(self._last) if self._last is not None else None
        splitter = Splitter(stamped=True, at=self._last.at if self._last is not None else 0)
        seeker = Seeker(self._last)
        asked = self._source.read(self._namespace, self._pod, follow=follow, since=start, timestamps=True)
        async with asked as chunks, aclosing(settled(chunks, seeker)) as parts:
            async for chunk in parts:
                if chunk is None:
                    self._add(seeker.give_up())
                else:
                    self._add([new for piece in splitter.feed(chunk) for new in seeker.take(piece)])
        if fault := splitter.fault():
            raise UnreachableError(fault)
        self._add(seeker.give_up())
        if not follow and splitter.end():
            # A log that really ends so is read from the store.
            raise UnreachableError("the log ended in the middle of a line")

    def _add(self, pieces: list[Piece]) -> None:
        if not pieces:
            return
        for piece in pieces:
            self._numbers[piece.key] = self._first + len(self._pieces)
            self._pieces.append(piece)
            self._bytes += len(piece.data) + _OVERHEAD
        while self._bytes > self._window_bytes and len(self._pieces) > 1:
            old = self._pieces.popleft()
            self._numbers.pop(old.key, None)
            self._first += 1
            self._bytes -= len(old.data) + _OVERHEAD
        self._last = pieces[-1].position(self._pod)
        self._tell()

    def _tell(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()


def _key(position: Position) -> Key:
    return (position.time, position.turn, position.taken, position.whole)


async def settled(chunks: AsyncIterator[bytes], seeker: Seeker) -> AsyncGenerator[bytes | None, None]:
    """Yield chunks; and None, once, when the place that is sought has not come and nothing comes any more."""
    waiting: asyncio.Task[bytes] | None = None
    try:
        while True:
            if not seeker.seeking:
                break
            waiting = waiting or asyncio.create_task(_next(chunks))
            done, _ = await asyncio.wait({waiting}, timeout=_SEEK_SECONDS)
            if not done:
                yield None
                break
            chunk, waiting = waiting.result(), None
            if not chunk:
                return
            yield chunk
        if waiting is not None:
            chunk, waiting = await waiting, None
            if not chunk:
                return
            yield chunk
        async for chunk in chunks:
            yield chunk
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def _next(chunks: AsyncIterator[bytes]) -> bytes:
    return await anext(chunks, b"")


class Hub:
    """The feeds of this process."""

    def __init__(self, source: PodLogs, window_bytes: int) -> None:
        self._source = source
        self._window_bytes = window_bytes
        self._feeds: dict[tuple[str, str], tuple[Feed, asyncio.Task[None]]] = {}

    def __len__(self) -> int:
        return len(self._feeds)

    @asynccontextmanager
    async def join(self, namespace: str, pod: str, position: Position | None) -> AsyncIterator[Feed]:
        """Give the feed of a Pod, one that begins at this place if there is none. With the last follower its connection is closed."""
        key = (namespace, pod)
        if key not in self._feeds:
            made = Feed(self._source, namespace, pod, position, self._window_bytes)
            self._feeds[key] = (made, asyncio.create_task(made.run(), name=f"feed of {pod}"))
        feed, task = self._feeds[key]
        feed.followers += 1
        try:
            yield feed
        finally:
            feed.followers -= 1
            if not feed.followers:
                if self._feeds.get(key) == (feed, task):
                    del self._feeds[key]
                task.cancel()
                await asyncio.gather(task, return_exceptions=True)
