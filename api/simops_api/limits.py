"""How much a request may send, and how much of memory its answer may take. FastAPI's own limit answers in plain text; this one
answers with a problem document.
"""

import asyncio
import contextlib
from collections.abc import Collection, Mapping

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from simops_api.auth.caller import ANONYMOUS
from simops_api.errors import ProblemError, response_of
from simops_api.holds import PIECE, SMALL_BYTES, Hold, Room
from simops_api.shares import Shares

_MAX_URL_BYTES = 16 << 10
_MAX_HEADER_BYTES = 32 << 10
_DRAIN_BYTES = 32 << 20
_DRAIN_SECONDS = 5.0
_HELD_BYTES = 64 << 20
"""Of bodies that are being read, all together."""


class HeadLimit:
    """Refuses a request whose address or headers are longer than any use has, or whose end is said in two ways.

    The server's own limit (64 KiB) counts only what comes in pieces.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        problem = None if scope["type"] != "http" else _fault_of(scope)
        if problem is None:
            await self._app(scope, receive, send)
            return
        await drain(receive)
        await response_of(problem)(scope, receive, send)


def _fault_of(scope: Scope) -> ProblemError | None:
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > _MAX_URL_BYTES:
        return ProblemError(414, f"the address of a request has at most {_MAX_URL_BYTES} bytes")
    if sum(len(name) + len(value) for name, value in scope["headers"]) > _MAX_HEADER_BYTES:
        return ProblemError(431, f"the headers of a request have at most {_MAX_HEADER_BYTES} bytes together")
    names = {name for name, _ in scope["headers"]}
    if {b"content-length", b"transfer-encoding"} <= names:
        # A proxy may go by the other one, and what it takes for the end of a body be another request here (RFC 9112, 6.1).
        return ProblemError(
            400, "a request has Content-Length or Transfer-Encoding, not both", headers={"Connection": "close"}
        )
    return None


class BodyLimit:
    """Refuses a body that is longer than allowed, and those that are too many at once. What is too much is never kept."""

    def __init__(
        self, app: ASGIApp, max_bytes: int, paths: Mapping[str, int] | None = None, streamed: Collection[str] = ()
    ) -> None:
        """``paths`` have limits of their own; bodies of the ``streamed`` ones are bounded by who reads them."""
        self._streamed = frozenset(streamed)
        self._app = app
        self._max_bytes = max_bytes
        self._paths = dict(paths or {})
        self.held = Shares(_HELD_BYTES, "bytes of bodies on their way")

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
        caller = scope.get("state", {}).get("caller", ANONYMOUS)
        is_kept = scope["path"] not in self._streamed

        async def limited() -> Message:
            nonlocal read
            message = await receive()
            size = len(message.get("body", b""))
            read += size
            # Small ones are let through: who holds much keeps nobody else from asking for a run.
            if is_kept and not self.held.take(caller, size) and read > SMALL_BYTES:
                raise HTTPException(
                    503, "bodies of too many requests are on their way: send it again", {"Retry-After": "5"}
                )
            if read > most:
                if message.get("more_body"):
                    await drain(receive)
                # Of this class, since FastAPI takes any other one that comes while it reads a body for bad JSON.
                raise HTTPException(413, words)
            return message

        try:
            await self._app(scope, limited, send)
        finally:
            if is_kept:
                self.held.give_back(caller, read)


class AnswerLimit:
    """Counts what answers hold of memory, and sends them in pieces; those that would be too much are refused."""

    def __init__(self, app: ASGIApp, room: Room) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        caller = scope.get("state", {}).get("caller")
        if scope["type"] != "http" or caller is None:  # what everybody may read is held once for all
            await self._app(scope, receive, send)
            return
        with self._room.hold(caller) as hold:
            scope["state"]["hold"] = hold
            await self._app(scope, receive, _Sending(hold, scope, receive, send))


class _Sending:
    """Sends one answer."""

    def __init__(self, hold: Hold, scope: Scope, receive: Receive, send: Send) -> None:
        self._hold = hold
        self._scope = scope
        self._receive = receive
        self._send = send
        self._start: Message | None = None
        self._is_refused = False

    async def __call__(self, message: Message) -> None:
        """Send a part of it. A head that tells its length is kept back until the body is there: then it can still be another one."""
        if self._is_refused:
            return
        if message["type"] == "http.response.start" and "content-length" in Headers(raw=message["headers"]):
            self._start = message
            return
        if message["type"] != "http.response.body":
            await self._send(message)
            return
        body: bytes = message.get("body", b"")
        start, self._start = self._start, None
        if start is not None:
            # A body that comes in parts is counted by who makes it.
            if not message.get("more_body"):
                try:
                    self._hold.at_least(len(body))
                except ProblemError as problem:
                    self._is_refused = True
                    await response_of(problem)(self._scope, self._receive, self._send)
                    return
            await self._send(start)
        last = max(len(body) - 1, 0) // PIECE * PIECE
        for at in range(0, last, PIECE):
            await self._send({"type": "http.response.body", "body": body[at : at + PIECE], "more_body": True})
        await self._send({**message, "body": body[last:]} if last else message)


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
