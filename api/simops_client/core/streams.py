"""A stream of events that outlives its connections: after each cut it goes on behind the last event that was had."""

import logging
from typing import Any

import httpx

from simops_client.core.flow import Close, Flow, Read
from simops_client.core.requests import Query, Request
from simops_client.core.retry import unreached
from simops_client.core.session import Session
from simops_client.core.sse import Event, Reader
from simops_client.errors import SimOpsError, TooManyRequests, Unavailable

log = logging.getLogger("simops_client")
SILENCE_SECONDS = 60.0
"""Who hears nothing for so long is not connected any more: a gateway says something every 15 seconds."""
PATIENCE_SECONDS = 600.0
"""When nobody has answered for so long, it is given up."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 10.0
_TELL_AFTER = 4
"""So many tries in a row without an answer, some five seconds, are worth a word."""
_MEDIA = "text/event-stream"


class Patience:
    """How long somebody who waits goes on without an answer, and how long they pause between two tries."""

    def __init__(self, session: Session[Any, Any]) -> None:
        """Begin now."""
        self._clock = session.clock
        self._heard = session.clock()
        self._cuts = 0
        self._unanswered = 0

    def heard(self) -> None:
        """Note that the gateway has answered."""
        self._heard = self._clock()
        if self._unanswered >= _TELL_AFTER:
            log.warning("the gateway answers again")
        self._unanswered = 0

    def renew(self) -> None:
        """Note that it went on: the next pause is a short one again."""
        self._cuts = 0

    def pause_after(self, error: SimOpsError) -> float:
        """Return how many seconds to wait before the next try.

        Raises:
            SimOpsError: this one, since nobody has answered for too long.
        """
        if self._clock() - self._heard > PATIENCE_SECONDS:
            raise error
        self._cuts += 1
        self._unanswered += 1
        if self._unanswered == _TELL_AFTER:
            log.warning(
                "%s; trying again for %.0f minutes (is a port-forward still there?)",
                error.detail,
                PATIENCE_SECONDS / 60,
            )
        pause: float = min(_FIRST_PAUSE * 2 ** min(self._cuts - 1, 10), _LONGEST_PAUSE)
        return max(pause, min(error.retry_after or 0.0, SILENCE_SECONDS))


class Stream:
    """Events from a path, over as many connections as it takes."""

    def __init__(self, session: Session[Any, Any], path: str, query: Query = ()) -> None:
        """Nothing is opened yet."""
        self.silence = SILENCE_SECONDS
        """For how many seconds the next connection may be silent."""
        self._session = session
        self._path, self._query = path, query
        self._last_id = ""
        self._reader: Reader | None = None
        self.patience = Patience(session)

    def listen(self) -> Flow[list[Event]]:
        """Return the events that come next; none if it was only a sign of life. Connects if need be.

        Raises:
            SimOpsError: there is no connection, or no more; another call makes the next one.
        """
        try:
            if self._reader is None:
                self._reader = yield from self._connected()
            try:
                chunk: bytes = yield Read()
            except httpx.HTTPError as error:
                raise unreached(error) from error
            if not chunk:
                raise Unavailable("the stream was cut")
        except SimOpsError:
            yield from self.leave()
            raise
        self.patience.heard()
        events = list(self._reader.feed(chunk))
        if events:
            self.patience.renew()
            self._last_id = events[-1].id or self._last_id
        return events

    def leave(self) -> Flow[None]:
        """Close the connection; the next call of ``listen`` makes another."""
        self._reader = None
        yield Close()

    def _connected(self) -> Flow[Reader]:
        headers = {"Accept": _MEDIA}
        if self._last_id:
            headers["Last-Event-ID"] = self._last_id
        request = Request("GET", self._path, self._query, headers=headers, read_seconds=self.silence)
        answer = yield from self._session.opened(request)
        if not answer.headers.get("Content-Type", "").startswith(_MEDIA):
            raise SimOpsError("something between here and the gateway sends no events")
        return Reader()


def is_passing(error: SimOpsError) -> bool:
    """Return whether the next connection may do better."""
    return isinstance(error, Unavailable | TooManyRequests)
