"""The operator's own HTTP: whoever opens connections and says nothing keeps neither kubelet nor Prometheus from an answer."""

import asyncio
import socket
from contextlib import ExitStack

import aiohttp
import pytest
from aiohttp import web

from simops_operator import doors, handlers
from simops_operator.doors import serving


async def ready() -> web.Response:
    return web.Response(text="ready\n")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


async def status(port: int, path: str = "/ready", method: str = "GET") -> int:
    url = f"http://127.0.0.1:{port}{path}"
    async with aiohttp.ClientSession() as session, session.request(method, url) as response:
        return response.status


async def connected(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setblocking(False)
    await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", port))
    return sock


async def heard(sock: socket.socket) -> bytes:
    """Return what comes until the other side has ended it."""
    found = b""
    try:
        while chunk := await asyncio.wait_for(asyncio.get_running_loop().sock_recv(sock, 1 << 16), 30):
            found += chunk
    except ConnectionResetError:
        pass
    return found


async def test_a_thousand_connections_that_say_nothing_are_few_and_a_probe_is_answered() -> None:
    port = free_port()
    async with serving(port, {"/ready": ready}):
        with ExitStack() as stack:
            silent = [stack.enter_context(await connected(port)) for _ in range(1000)]
            assert await asyncio.wait_for(status(port), 30) == 200
            assert set(await asyncio.gather(*map(heard, silent[: -doors.MOST]))) == {b""}
            with pytest.raises(BlockingIOError):
                silent[-1].recv(1)  # it is still open


async def test_a_connection_ends_whatever_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doors, "SECONDS", 0.2)
    port = free_port()
    async with serving(port, {"/ready": ready}):
        with await connected(port) as sock:
            sock.send(b"GET /ready HTTP/1.1\r\nHost: x\r\n\r\nGET /rea")
            assert (await heard(sock)).startswith(b"HTTP/1.1 200")


async def test_only_what_is_there_is_answered_and_no_port_is_none() -> None:
    port = free_port()
    async with serving(port, {"/ready": ready}), serving(0, {}):
        asked = [("/ready", "GET"), ("/ready", "HEAD"), ("/ready", "POST"), ("/metrics", "GET")]
        assert [await status(port, *one) for one in asked] == [200, 200, 404, 404]


async def test_the_operator_is_not_alive_before_its_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(handlers._Holder, "app", raising=False)
    assert (await handlers.health()).status == 503
