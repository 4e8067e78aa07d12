"""The operator's HTTP for kubelet and Prometheus. It takes a few connections, each for a few seconds: whoever else reaches its ports costs it no more."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

MOST = 32
SECONDS = 30.0
"""How long a connection may last: longer than any answer takes, and both sides connect again by themselves."""

Answer = Callable[[], Awaitable[web.Response]]


class Doors(web.Server):
    """Of too many connections it ends the oldest: who has just come has a short question, and kubelet's must be answered."""

    def __init__(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> None:
        super().__init__(handler, access_log=None)
        self._open: dict[RequestHandler, tuple[asyncio.Transport, asyncio.TimerHandle]] = {}

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        """Let one in."""
        super().connection_made(handler, transport)
        # Not closed but ended: who does not read keeps a connection open that is only to be closed.
        end = asyncio.get_running_loop().call_later(SECONDS, transport.abort)
        self._open[handler] = (transport, end)
        if len(self._open) > MOST:
            oldest = next(iter(self._open))
            self._open[oldest][0].abort()
            self._forget(oldest)

    def connection_lost(self, handler: RequestHandler, exc: BaseException | None = None) -> None:
        """Let one go."""
        super().connection_lost(handler, exc)
        self._forget(handler)

    def _forget(self, handler: RequestHandler) -> None:
        _, end = self._open.pop(handler, (None, None))
        if end is not None:
            end.cancel()


@asynccontextmanager
async def serving(port: int, answers: Mapping[str, Answer]) -> AsyncIterator[None]:
    """Answer GETs of paths at a port; 0: at none."""
    if not port:
        yield
        return

    async def handle(request: web.BaseRequest) -> web.Response:
        answer = answers.get(request.path)
        if answer is None or request.method not in ("GET", "HEAD"):
            return web.Response(status=404)
        return await answer()

    runner = web.ServerRunner(Doors(handle), handle_signals=False)
    await runner.setup()
    try:
        site = web.TCPSite(runner, "0.0.0.0", port)  # noqa: S104 - kubelet and Prometheus come from outside the Pod
        await site.start()
        yield
    finally:
        await runner.cleanup()
