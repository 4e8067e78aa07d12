"""How connections are read: uvicorn's own protocol, which waits for a request for ever and refuses what is none in plain text, with an end to both."""

import asyncio
import sys
from http import HTTPStatus
from typing import Any

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from simops_api.errors import ProblemError, response_of

_HEAD_SECONDS = 20.0
"""How long a connection may take to send the head of a request, counted from when the one before was answered."""
_LINGER_SECONDS = 2.0
"""How long what still comes is thrown away after a refusal: a connection that is closed while the other side sends is reset, and the refusal lost."""


class Wire(H11Protocol):
    """A connection. Whoever keeps it without a request that can be answered loses it; a pause between requests is shorter still, by uvicorn."""

    def __init__(self, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self._waiting: asyncio.TimerHandle | None = None
        self._is_refused = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(transport)
        self._look()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        if not self._is_refused:
            super().data_received(data)
            self._look()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._look()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self._wait_no_more()
        super().connection_lost(exc)

    def _look(self) -> None:
        if self._is_refused:
            return
        # An answered request may have a body still to come: who sends on and on has no request either.
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_more()
        elif self._waiting is None and not self.transport.is_closing():
            self._wait(_HEAD_SECONDS)

    def _wait(self, seconds: float) -> None:
        self._wait_no_more()
        self._waiting = self.loop.call_later(seconds, self.transport.close)

    def _wait_no_more(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None

    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, with the reason. Called while the error is handled."""
        error = sys.exception()
        if self.cycle is not None and not self.cycle.response_complete:
            # Its request was in order up to here. Whatever handles it has nobody to answer any more.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.transport.close()  # in the middle of an answer, or after it
            return
        hint = error.error_status_hint if isinstance(error, h11.RemoteProtocolError) else 0
        # Without the bytes that it is about: they may be many, or secret.
        reason = str(error or msg).partition(": bytearray(")[0]
        problem = ProblemError(hint if 400 <= hint < 500 else 400, f"this is no HTTP request: {reason}")
        answer = response_of(problem)
        head = h11.Response(
            status_code=problem.status,
            headers=[*answer.raw_headers, (b"connection", b"close")],
            reason=HTTPStatus(problem.status).phrase.encode(),
        )
        for event in (head, h11.Data(data=bytes(answer.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._is_refused = True
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self._wait(_LINGER_SECONDS)
        else:
            self.transport.close()
