"""A proxy between an operator and the API server that spoils requests: refuses them, loses answers, holds them up, or lets watches go silent.

It listens on loopback without TLS and asks the API server with the tests' own rights.
"""

import asyncio
import base64
import json
import random
import ssl
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

WRITES = ("POST", "PUT", "PATCH", "DELETE")
_REASONS = {409: "Conflict", 429: "TooManyRequests", 500: "InternalError", 503: "ServiceUnavailable"}
_STOP_SECONDS = 15


@dataclass(frozen=True)
class Request:
    """What is asked for."""

    method: str
    path: str
    body: bytes

    @property
    def writes(self) -> bool:
        return self.method in WRITES


@dataclass(frozen=True)
class Mishap:
    """What becomes of a request: an error answer, after the API server has carried it out or instead; or a delay before it is sent on."""

    status: int = 0
    """Of the error; 0: none, the answer is the API server's."""
    is_done: bool = False
    """Whether the API server carries it out all the same."""
    wait: Callable[[], bool] | None = None
    """It is held up until this is true."""


Spoil = Callable[[Request], Mishap | None]


def at_random(chance: random.Random, share: float, *statuses: int, only_writes: bool = False) -> Spoil:
    """Return what spoils a share of the requests; every second one of those is carried out all the same, but for a conflict."""

    def spoil(request: Request) -> Mishap | None:
        if (only_writes and not request.writes) or chance.random() >= share:
            return None
        status = chance.choice(statuses)
        return Mishap(status, is_done=status >= 500 and chance.random() < 0.5)

    return spoil


class ApiProxy:
    """Runs in a thread of its own."""

    def __init__(self, kubeconfig: Path) -> None:
        self.spoil: Spoil | None = None
        self.mishaps: Counter[int] = Counter()
        self.url = ""
        self._generation = 0
        self._config = yaml.safe_load(kubeconfig.read_text())
        self._loop: asyncio.AbstractEventLoop | None = None
        self._over: asyncio.Event | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run()), daemon=True)
        self._thread.start()
        assert self._ready.wait(_STOP_SECONDS), "the proxy did not start"

    def close(self) -> None:
        assert self._loop is not None
        assert self._over is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join(_STOP_SECONDS)

    def silence_watches(self) -> None:
        """Let the watches that are open now tell nothing more, without an end that their reader would see."""
        self._generation += 1

    def write_kubeconfig(self, path: Path) -> None:
        """Write what lets a client come through here."""
        cluster = {"name": "proxy", "cluster": {"server": self.url}}
        context = {"name": "proxy", "context": {"cluster": "proxy", "user": "proxy"}}
        whole = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [cluster],
            "users": [{"name": "proxy", "user": {}}],
            "contexts": [context],
            "current-context": "proxy",
        }
        path.write_text(json.dumps(whole))

    # In the thread
    async def _run(self) -> None:
        self._loop, self._over = asyncio.get_running_loop(), asyncio.Event()
        async with self._upstream() as session:
            app = web.Application(client_max_size=1 << 26)

            async def handle(request: web.Request) -> web.StreamResponse:
                return await self._handle(request, session)

            app.router.add_route("*", "/{path:.*}", handle)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self._ready.set()
            await self._over.wait()
            await runner.cleanup()

    @asynccontextmanager
    async def _upstream(self) -> AsyncIterator[aiohttp.ClientSession]:
        cluster, user = self._config["clusters"][0]["cluster"], self._config["users"][0]["user"]
        authority = base64.b64decode(cluster["certificate-authority-data"]).decode()
        context = ssl.create_default_context(cadata=authority)
        with tempfile.TemporaryDirectory() as folder:
            files = [Path(folder) / name for name in ("client.crt", "client.key")]
            for file, key in zip(files, ("client-certificate-data", "client-key-data"), strict=True):
                file.write_bytes(base64.b64decode(user[key]))
            context.load_cert_chain(*map(str, files))
        connector = aiohttp.TCPConnector(ssl=context, limit=0)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10)
        async with aiohttp.ClientSession(cluster["server"], connector=connector, timeout=timeout) as session:
            yield session

    async def _handle(self, request: web.Request, session: aiohttp.ClientSession) -> web.StreamResponse:
        body = await request.read()
        generation, is_watch = self._generation, request.query.get("watch") in ("1", "true")
        mishap = self.spoil(Request(request.method, request.path, body)) if self.spoil and not is_watch else None
        if mishap is not None:
            self.mishaps[mishap.status] += 1
            while mishap.wait is not None and not mishap.wait():  # noqa: ASYNC110 - what another thread sees
                await asyncio.sleep(0.1)
            if mishap.status and not mishap.is_done:
                return _refusal(mishap.status)
        headers = {k: v for k, v in request.headers.items() if k in ("Accept", "Content-Type", "User-Agent")}
        try:
            async with session.request(request.method, request.raw_path, data=body or None, headers=headers) as answer:
                if is_watch and answer.status == 200:
                    return await self._stream(request, answer, generation)
                content = await answer.read()
        except (aiohttp.ClientError, OSError) as error:
            return web.Response(status=502, text=f"the API server does not answer: {error}")
        if mishap is not None and mishap.status:
            return _refusal(mishap.status)
        kind = answer.headers.get("Content-Type", "application/json")
        return web.Response(body=content, status=answer.status, headers={"Content-Type": kind})

    async def _stream(
        self, request: web.Request, answer: aiohttp.ClientResponse, generation: int
    ) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        async for chunk in answer.content.iter_any():
            if generation != self._generation:
                await asyncio.Event().wait()  # until the client has had enough, which cancels this
            await response.write(chunk)
        return response


def _refusal(status: int) -> web.Response:
    reason = _REASONS.get(status, "InternalError")
    value: dict[str, Any] = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "code": status,
        "message": f"{reason}: spoiled on its way",
    }
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    return web.json_response(value, status=status, headers=headers)
