"""Connections that bring no request, or none that can be read: they get a reason and an end, and others are left alone."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
import uvicorn

from simops_api import wire

Scope = dict[str, Any]
SOON = 0.2
PATIENCE = 15.0
"""Less than a connection has by default."""
ASK = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@dataclass
class Application:
    """Answers at once, or, at /slow, when it is told to; reads a body only at /read."""

    going: asyncio.Event = field(default_factory=asyncio.Event)
    asked: list[str] = field(default_factory=list)

    async def __call__(
        self, scope: Scope, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        if scope["type"] != "http":
            return
        self.asked.append(scope["path"])
        if scope["path"] == "/slow":
            await self.going.wait()
        if scope["path"] == "/read":
            while (await receive()).get("more_body"):
                pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})


@asynccontextmanager
async def running() -> AsyncIterator[tuple[Application, int]]:
    app = Application()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        # Longer than the wait for a head, which is what is tried here.
        server = uvicorn.Server(
            uvicorn.Config(app, http=wire.Wire, log_config=None, lifespan="off", timeout_keep_alive=300)
        )
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield app, listener.getsockname()[1]
        finally:
            server.should_exit = True
            await task


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(PATIENCE):
            yield reader, writer
    finally:
        writer.close()


async def rest_of(reader: asyncio.StreamReader) -> bytes:
    """Return what comes until the connection ends, in whichever way."""
    found = b""
    try:
        while data := await reader.read(1 << 16):
            found += data
    except ConnectionResetError:
        pass
    return found


async def trickle(writer: asyncio.StreamWriter, data: bytes) -> None:
    """Send a byte again and again, as long as anybody takes it."""
    try:
        while not writer.is_closing():
            writer.write(data)
            await writer.drain()
            await asyncio.sleep(SOON / 4)
    except ConnectionError:
        pass


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "_HEAD_SECONDS", SOON)


BEGUN = {
    "nothing": b"",
    "half of a line": b"GET / HT",
    "half of a head": b"GET / HTTP/1.1\r\nHost: a\r\n",
    "a second request that is never ended": ASK + b"GET / HTTP/1.1\r\n",
    "a body that nobody has waited for": b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nx",
}


@pytest.mark.parametrize("begun", BEGUN.values(), ids=BEGUN.keys())
@pytest.mark.parametrize("more", [b"", b"x"], ids=["and then silence", "and then a byte now and then"])
@pytest.mark.usefixtures("hasty")
async def test_a_connection_without_a_request_is_ended(begun: bytes, more: bytes) -> None:
    async with running() as (_, port), connected(port) as (reader, writer):
        writer.write(begun)
        sending = asyncio.create_task(trickle(writer, more if begun else b"\r\n")) if more else None
        said = await rest_of(reader)
        assert said.count(b"HTTP/1.1 200") == (begun.startswith(ASK) or b"POST" in begun)
        if sending is not None:
            sending.cancel()
            await asyncio.gather(sending, return_exceptions=True)


@pytest.mark.usefixtures("hasty")
async def test_an_answer_may_take_its_time() -> None:
    async with running() as (app, port), connected(port) as (reader, writer):
        writer.write(ASK.replace(b"/ ", b"/slow "))
        async with connected(port) as (other, _):
            assert await rest_of(other) == b""  # by now a connection that has no request is ended
        app.going.set()
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.write(ASK)
        assert b"200 OK" in await reader.readuntil(b"ok")
        assert app.asked == ["/slow", "/"]


BROKEN = {
    "a line that is none": (b"hello\r\n\r\n", 400, "illegal request line"),
    "no host": (b"GET / HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host: header"),
    "a secret in a header that is none": (
        b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization : Bearer s3cret\r\n\r\n",
        400,
        "illegal header line",
    ),
    "a head without end": (b"GET / HTTP/1.1\r\n" + b"X: " + b"x" * 200_000, 431, "Receive buffer too long"),
    "a coding that nobody knows": (
        b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
        400,
        "Only Transfer-Encoding: chunked",
    ),
    "a chunk that is none": (
        b"POST /read HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        400,
        "illegal chunk header",
    ),
}


@pytest.mark.parametrize(("sent", "status", "words"), BROKEN.values(), ids=BROKEN.keys())
async def test_what_is_no_http_is_told_so_in_a_problem_document(sent: bytes, status: int, words: str) -> None:
    async with running() as (_, port), connected(port) as (reader, writer):
        writer.write(sent)
        head, _, body = (await rest_of(reader)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 %d " % status)
        assert b"application/problem+json" in head
        problem = json.loads(body)
        assert problem["status"] == status
        assert words in problem["detail"]
        assert "s3cret" not in problem["detail"]


async def test_a_refusal_arrives_though_its_sender_has_more_to_say_and_the_connection_ends_though_it_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(wire, "_LINGER_SECONDS", 1.0)
    async with running() as (_, port), connected(port) as (reader, writer):
        writer.write(b"hello\r\n\r\n" + b"x" * 1_000_000)
        sending = asyncio.create_task(trickle(writer, b"x" * 100_000))
        assert b"illegal request line" in await reader.read()  # and the connection is not reset
        await sending  # until it is told that nobody listens


async def test_a_broken_body_after_the_answer_ends_the_connection_and_says_nothing_more(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with running() as (_, port), connected(port) as (reader, writer):
        writer.write(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"ok")
        writer.write(b"zz\r\n")
        assert await rest_of(reader) == b""
    assert [record.getMessage() for record in caplog.records if record.name == "asyncio"] == []
