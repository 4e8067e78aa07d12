"""What is known of the request that is being handled."""

import re
import secrets
from contextvars import ContextVar

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

request_id: ContextVar[str] = ContextVar("request_id", default="")
"""Names the request in every log line about it; empty outside of requests."""

HEADER = "X-Request-ID"
# It is answered as a header and written into logs: no spaces, nothing that ends a line, not long.
_SANE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/=+-]{0,127}", re.ASCII)


def id_from(given: str | None) -> str:
    """Return the id that a request came with, a new one where it has none that can be used (not pure: random)."""
    return given if given and _SANE.fullmatch(given) else secrets.token_hex(16)


class RequestId:
    """Gives every request an id, its own where it has one, and says it in the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        own = id_from(Headers(scope=scope).get(HEADER))
        # Not taken back at the end: what the server says of an error comes later. The task ends with the request.
        request_id.set(own)

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message)[HEADER] = own
            await send(message)

        await self._app(scope, receive, sending)
