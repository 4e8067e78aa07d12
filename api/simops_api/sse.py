"""Server-sent events (the HTML standard, "Server-sent events"): how one is written, and how a stream of them is sent.

A stream ends when its events do, when its client leaves, and at once when the process is told to stop: a rolling update must not wait
for somebody who follows a log for days. The client then connects to another replica and says by ``Last-Event-ID`` where it was.
"""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack, aclosing, contextmanager
from types import FrameType
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from simops_api.auth.caller import Caller
from simops_api.errors import TOO_MANY, unavailable
from simops_api.holds import PIECE, Hold, NoRoomError
from simops_api.shares import Shares

__all__ = [
    "LAST_EVENT_ID",
    "RETRY_MS",
    "ByteStream",
    "EventStream",
    "StreamCutError",
    "Streams",
    "comment",
    "declared",
    "event",
]

LAST_EVENT_ID = "Last-Event-ID"
"""The header by which a client says which event it has had last."""
RETRY_MS = 1000
"""How long a client waits before it connects again."""
_LAST_WORDS_SECONDS = 1.0
_HELD_TIMES = 4
"""Bytes that an event takes while it waits for its reader, each of its own counted: here, on its way, and as what it was made of."""


def declared(example: str) -> dict[int | str, dict[str, Any]]:
    """Return how the OpenAPI tells of a call that answers with a stream."""
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    return {200: {"description": "Server-sent events.", "content": content}} | TOO_MANY


class StreamCutError(Exception):
    """An answer that has begun cannot be brought to its end."""


def event(data: str, *, name: str = "", id: str = "") -> bytes:  # noqa: A002 - the field's name
    """Return an event. A line break in its data, of any kind, arrives as a newline."""
    if any(mark in text for text in (name, id) for mark in "\r\n\0"):
        raise ValueError("name and id of an event are one line")
    head = (f"event: {name}\n" if name else "") + (f"id: {id}\n" if id else "")
    if "\r" in data:
        data = data.replace("\r\n", "\n").replace("\r", "\n")
    return f"{head}data: {data.replace(chr(10), chr(10) + 'data: ')}\n\n".encode(errors="replace")


def comment(text: str = "") -> bytes:
    """Return what keeps a connection alive and means nothing."""
    return f": {' '.join(text.split())}\n\n".encode()


class Streams:
    """The streams that are open in this process."""

    def __init__(self, limit: int, heartbeat_seconds: float) -> None:
        self.heartbeat_seconds = heartbeat_seconds
        self._places = Shares(limit, "streams open")
        self._sending: set[asyncio.Task[None]] = set()
        self.closed = False

    def __len__(self) -> int:
        return len(self._places)

    @contextmanager
    def slot(self, caller: Caller) -> Iterator[None]:
        """Count one stream for as long as it lasts.

        Raises:
            ProblemError: 429 the caller has as many as one may have; 503 there are as many as this process may have.
        """
        self.check(caller)
        with self._places.held(caller):
            yield

    def check(self, caller: Caller) -> None:
        """See that a caller may begin another stream.

        Raises:
            ProblemError: 429, 503.
        """
        if self.closed:
            raise unavailable("this gateway is being stopped; another one serves", 1)
        self._places.check(caller)

    def add(self, task: asyncio.Task[None]) -> None:
        """Know a stream, so that it can be ended."""
        self._sending.add(task)
        task.add_done_callback(self._sending.discard)

    def close(self) -> None:
        """End all streams, and let none begin."""
        self.closed = True
        for task in list(self._sending):
            task.cancel()

    @contextmanager
    def closing_on_signals(self) -> Iterator[None]:
        """End all streams as soon as the process is told to stop. The server waits for its connections before it says so itself."""
        loop = asyncio.get_running_loop()
        before: dict[int, Any] = {}

        def told(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.close)
            handler = before[number]
            if callable(handler):
                handler(number, frame)

        with contextlib.suppress(ValueError):  # not in the main thread: then nobody sends this thread signals
            for number in (int(signal.SIGTERM), int(signal.SIGINT)):
                if callable(handler := signal.getsignal(number)):
                    before[number] = handler
                    signal.signal(number, told)
        try:
            yield
        finally:
            for number, handler in before.items():
                if signal.getsignal(number) is told:
                    signal.signal(number, handler)
            self.close()


class ByteStream(Response):
    """Sends bytes as they come. The generator is closed as soon as nobody reads any more."""

    def __init__(
        self,
        body: AsyncGenerator[bytes, None],
        streams: Streams,
        caller: Caller,
        media_type: str,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(headers={"Cache-Control": "no-store", **(headers or {})}, media_type=media_type)
        del self.headers["Content-Length"]
        self._body = body
        self._streams = streams
        self._caller = caller
        self._hold: Hold | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there is no more, the client leaves or the process stops."""
        self._hold = scope.get("state", {}).get("hold")
        gone = False
        async with aclosing(self._body):
            with self._streams.slot(self._caller):
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                sending = asyncio.create_task(self._send(send), name="stream")
                leaving = asyncio.create_task(_left(receive), name="client of a stream")
                self._streams.add(sending)
                try:
                    await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
                    gone = leaving.done()
                finally:
                    leaving.cancel()
                    sending.cancel()
                    await asyncio.gather(sending, leaving, return_exceptions=True)
        if gone:
            return
        if not sending.cancelled() and (error := sending.exception()) is not None:
            raise error
        await self._finish(send, is_cut=sending.cancelled())

    async def _send(self, send: Send) -> None:
        async for part in self._body:
            await send({"type": "http.response.body", "body": part, "more_body": True})

    async def _finish(self, send: Send, *, is_cut: bool) -> None:
        if is_cut:
            raise StreamCutError(
                "the process is being stopped"
            )  # without its end, so that it is not taken for the whole
        await send({"type": "http.response.body", "body": b"", "more_body": False})


class EventStream(ByteStream):
    """Sends events as they come, and comments while none come."""

    def __init__(
        self,
        events: AsyncGenerator[bytes, None],
        streams: Streams,
        caller: Caller,
        permit: Callable[[], Awaitable[bool]] | None = None,
    ) -> None:
        """Take events, one or more in each piece, and what says whether they may still be told: without it the stream is cut."""
        self._permit = permit
        # nginx would keep events back to fill a buffer.
        super().__init__(events, streams, caller, "text/event-stream; charset=utf-8", {"X-Accel-Buffering": "no"})

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.body", "body": f"retry: {RETRY_MS}\n\n".encode(), "more_body": True})
        async with aclosing(beating(self._body, self._streams.heartbeat_seconds, self._permit)) as beats:
            # Without room the stream ends: its client comes again and goes on where it was.
            with contextlib.suppress(NoRoomError):
                async for part in beats:
                    with self._counted(part):
                        await send({"type": "http.response.body", "body": part, "more_body": True})

    @contextmanager
    def _counted(self, part: bytes) -> Iterator[None]:
        """Count events of many bytes as long as they wait for a slow reader."""
        with ExitStack() as stack:
            if self._hold is not None and len(part) > PIECE:
                stack.enter_context(self._hold.another()).add(_HELD_TIMES * len(part))
            yield

    async def _finish(self, send: Send, *, is_cut: bool) -> None:
        # A client that does not read must not hold up the process.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_SECONDS if is_cut else None):
                await send({"type": "http.response.body", "body": b"", "more_body": False})


async def beating(
    events: AsyncIterator[bytes], seconds: float, permit: Callable[[], Awaitable[bool]] | None = None
) -> AsyncGenerator[bytes, None]:
    """Yield events, and a comment whenever none came for so long, until they may not be told any more."""
    waiting: asyncio.Task[bytes | None] | None = None
    try:
        while True:
            waiting = waiting or asyncio.create_task(_next(events))
            done, _ = await asyncio.wait({waiting}, timeout=seconds)
            if permit is not None and not await permit():
                return
            if not done:
                yield comment("still here")
                continue
            body, waiting = waiting.result(), None
            if body is None:
                return
            if body:
                yield body
    finally:
        if waiting is not None:
            waiting.cancel()
            await asyncio.gather(waiting, return_exceptions=True)


async def _next(events: AsyncIterator[bytes]) -> bytes | None:
    # A task cannot end with StopAsyncIteration.
    return await anext(events, None)


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
