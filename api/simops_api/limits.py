"""How much a request may send. FastAPI's own limit answers in plain text; this one answers with a problem document."""

import asyncio
import contextlib
from collections.abc import Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simops_api.errors import ProblemError, response_of

_DRAIN_BYTES = 32 << 20
_DRAIN_SECONDS = 5.0


class BodyLimit:
    """Refuses a body that is longer than allowed. What is too much is never kept."""

    def __init__(self, app: ASGIApp, max_bytes: int, paths: Mapping[str, int] | None = None) -> None:
        """``paths`` have limits of their own."""
        self._app = app
        self._max_bytes = max_bytes
        self._paths = dict(paths or {})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        most = self._paths.get(scope["path"], self._max_bytes)
        words = f"the body of this request has at most {most} bytes"
        length = Headers(scope=scope).get("content-length", "0")
        if not length.isdecimal() or int(length) > most:
            await drain(receive)
            await response_of(ProblemError(413, words))(scope, receive, send)
            return
        read = 0

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            read += len(message.get("body", b""))
            if read > most:
                if message.get("more_body"):
                    await drain(receive)
                # Of this class, since FastAPI takes any other one that comes while it reads a body for bad JSON.
                raise HTTPException(413, words)
            return message

        await self._app(scope, limited, send)


async def drain(receive: Receive) -> None:
    """Read what is left of a body that nobody wants, within bounds, so that its sender gets the answer."""
    # A connection that is closed while the other side still sends is reset, and the answer is lost with it.
    left = _DRAIN_BYTES
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_DRAIN_SECONDS):
            while left > 0:
                message = await receive()
                left -= len(message.get("body", b"")) or 1
                if not message.get("more_body"):
                    return
