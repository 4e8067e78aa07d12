"""Following a run line by line, from wherever its log is at the moment: the Pod while it runs, the store when it is over."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any

from simops_api.cluster import ApiError, UnreachableError
from simops_api.events.track import Track
from simops_api.events.words import end_of
from simops_api.jobs.lookup import Found
from simops_api.logs import stored
from simops_api.logs.attempts import Attempt, following, log_key
from simops_api.logs.feed import Feed, FeedState, Hub
from simops_api.logs.pods import PodLogs
from simops_api.logs.position import Position
from simops_api.logs.seek import Seeker, since
from simops_api.logs.split import Piece, Splitter
from simops_api.sse import event
from simops_api.store import Store, StoreError

log = logging.getLogger(__name__)

_AGAIN_SECONDS = 0.5
_LONGEST_PAUSE = 10.0


class Follower:
    """One client, from one attempt to the next."""

    def __init__(
        self,
        run: Track,
        hub: Hub,
        source: PodLogs,
        store: Store,
        attempts: Callable[[Found], Awaitable[list[Attempt]]],
    ) -> None:
        self._run = run
        self._hub = hub
        self._source = source
        self._store = store
        self._attempts = attempts
        self._place: Position | None = None
        self._told: tuple[Any, ...] = ()

    async def events(self, attempt: Attempt | None, place: Position | None) -> AsyncGenerator[bytes, None]:
        """Yield the events from a place in an attempt on, to the end of the run. Without an attempt the first one is waited for."""
        self._place = place
        yield self._news()
        pod = ""
        while True:
            while attempt is None:
                attempt = await self._next(pod)
                if attempt is None:
                    if self._over:
                        yield end_of(self._run.found, deleted=self._run.gone)
                        return
                    await self._run.wait(None, _LONGEST_PAUSE)
                    yield self._news()
            pod = attempt.pod
            yield said("attempt", {"attempt": attempt.number, "pod": pod})
            async with aclosing(self._attempt(attempt)) as parts:
                async for part in parts:
                    yield part
            attempt, self._place = None, None
            await self._run.refresh()
            yield self._news()

    async def _next(self, pod: str) -> Attempt | None:
        if pod and self._run.found.pod == pod:
            return None
        attempts = await self._attempts(self._run.found)
        return following(attempts, pod) if pod else next(iter(attempts), None)

    @property
    def _over(self) -> bool:
        return self._run.found.finished or self._run.gone

    def _is_past(self, attempt: Attempt) -> bool:
        found = self._run.found
        return attempt.stored is not None or self._over or (bool(found.pod) and found.pod != attempt.pod)

    # One attempt
    async def _attempt(self, attempt: Attempt) -> AsyncGenerator[bytes, None]:
        if not self._is_past(attempt):
            async with self._hub.join(self._run.found.namespace, attempt.pod, self._timed(self._place)) as feed:
                async with aclosing(self._live(attempt, feed)) as parts:
                    async for part in parts:
                        yield part
                if feed.ends_with(self._place):
                    return
        pause = _AGAIN_SECONDS
        while True:
            try:
                async with aclosing(self._past(attempt)) as parts:
                    async for part in parts:
                        yield part
            except (StoreError, UnreachableError, ApiError) as error:
                log.info("the log of %s cannot be read now: %s", attempt.pod, error)
                await asyncio.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)
            else:
                return

    @staticmethod
    def _timed(place: Position | None) -> Position | None:
        return place if place is not None and place.time else None

    async def _live(self, attempt: Attempt, feed: Feed) -> AsyncGenerator[bytes, None]:
        while feed.state is not FeedState.LOST and not feed.ends_with(self._place):
            before, where = self._place, feed.find(self._place)
            if where is not None:
                async with aclosing(self._window(attempt, feed, *where)) as parts:
                    async for part in parts:
                        yield part
                continue
            if not feed.is_behind(before):
                # Before the window: read alone what is missing.
                try:
                    async with aclosing(self._alone(attempt, to_the_end=False)) as parts:
                        async for part in parts:
                            yield part
                except (UnreachableError, ApiError) as error:
                    log.debug("the log of %s cannot be read now: %s", attempt.pod, error)
            if self._place == before:
                if feed.state is not FeedState.LIVE:
                    return
                await self._pause(attempt, feed)

    async def _window(self, attempt: Attempt, feed: Feed, number: int, shift: int) -> AsyncGenerator[bytes, None]:
        while (pieces := feed.after(number)) is not None:
            if pieces:
                number += len(pieces)
                yield self._encoded(attempt.pod, pieces, shift)
            elif feed.state is not FeedState.LIVE:
                return
            else:
                await self._pause(attempt, feed)
                yield self._news()

    async def _pause(self, attempt: Attempt, feed: Feed) -> None:
        before = self._run.found
        await self._run.wait(feed.changed(), _LONGEST_PAUSE)
        if self._is_past(attempt):
            feed.close()
        elif self._run.found is not before:
            feed.nudge()

    async def _alone(self, attempt: Attempt, *, to_the_end: bool) -> AsyncGenerator[bytes, None]:
        """Yield what the Pod has now, from the place on."""
        place = self._place
        if place is not None and not place.time:
            # A place in the stored log, which is there no more; its lines carried no times.
            yield event("the log is repeated from its start", name="gap")
            place = None
        splitter, seeker = Splitter(stamped=True, at=place.at if place else 0), Seeker(place)
        start = since(place) if place else None
        async with self._source.read(self._run.found.namespace, attempt.pod, since=start, timestamps=True) as chunks:
            async for chunk in chunks:
                if new := [one for piece in splitter.feed(chunk) for one in seeker.take(piece)]:
                    yield self._encoded(attempt.pod, new, 0)
        if fault := splitter.fault():
            raise UnreachableError(fault)
        new = [one for piece in splitter.end() for one in seeker.take(piece)] if to_the_end else []
        if new := new + seeker.give_up():
            yield self._encoded(attempt.pod, new, 0)

    async def _past(self, attempt: Attempt) -> AsyncGenerator[bytes, None]:
        """Yield what is left of an attempt that is over."""
        place = self._place
        kept = attempt.stored or await self._store.stat(log_key(self._run.found, attempt.pod))
        doubtful = kept is not None and place is not None and not await stored.is_at(self._store, kept, place)
        if kept is None or doubtful:
            try:
                async with aclosing(self._alone(attempt, to_the_end=True)) as parts:
                    async for part in parts:
                        yield part
            except (ApiError, UnreachableError) as error:
                if kept is None and not (isinstance(error, ApiError) and error.status in (400, 404)):
                    raise
            else:
                return
        if kept is None:
            yield event("the log of this attempt is not kept", name="gap")
            return
        place = self._place
        if doubtful and place is not None:
            place, is_sure = await stored.search(self._store, kept, place)
            if not is_sure:
                words = (
                    "lines may be repeated"
                    if place
                    else "lines are missing or repeated: the log is given from its start"
                )
                yield event(f"the node has rotated the log; {words}", name="gap")
        async with aclosing(stored.lines(self._store, kept, place.at if place else 0)) as batches:
            async for batch in batches:
                if new := beyond(batch, place):
                    yield self._encoded(attempt.pod, new, 0)

    # Words
    def _encoded(self, pod: str, pieces: list[Piece], shift: int) -> bytes:
        self._place = pieces[-1].position(pod, shift)
        return encoded(pod, pieces, shift)

    def _news(self) -> bytes:
        fields = self._run.found.fields
        told = (fields.get("status"), fields.get("reason"))
        if told == self._told or self._run.found.finished:
            return b""
        self._told = told
        return news(self._run.found)


def encoded(pod: str, pieces: list[Piece], shift: int = 0) -> bytes:
    """Return the events of some lines."""
    return b"".join(
        event(
            piece.data.decode(errors="replace"),
            name="line" if piece.whole else "part",
            id=str(piece.position(pod, shift)),
        )
        for piece in pieces
    )


def news(found: Found) -> bytes:
    """Return the event that says how a run stands."""
    return said(
        "status", {name: found.fields[name] for name in ("status", "reason", "message") if name in found.fields}
    )


def said(name: str, value: Any) -> bytes:
    """Return an event whose data are JSON."""
    return event(json.dumps(value, ensure_ascii=False, separators=(",", ":")), name=name)


def beyond(pieces: list[Piece], place: Position | None) -> list[Piece]:
    """Return what comes after a place."""
    if place is None or pieces[-1].at < place.at:
        return pieces if place is None else []
    out = []
    for piece in pieces:
        if piece.at > place.at:
            out.append(piece)
        elif piece.at == place.at and not place.whole:
            if (more := piece.taken - place.taken) > 0:
                out.append(piece._replace(data=piece.data[-more:]))
            elif more == 0 and piece.whole:
                out.append(piece._replace(data=b""))
    return out
