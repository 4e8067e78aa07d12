"""What is given of logs: the text as it is now, or the lines as they come."""

import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from kubernetes.aio import client

from simops_api.artifacts.service import Artifacts
from simops_api.auth.caller import Caller
from simops_api.cache import WatchCache
from simops_api.cluster import ApiError
from simops_api.errors import ProblemError, mistake, unavailable
from simops_api.events.track import Track
from simops_api.jobs.lookup import Found, Lookup
from simops_api.logs import stored
from simops_api.logs.attempts import Attempt, attempts_of, log_key, prefix_of
from simops_api.logs.feed import Hub
from simops_api.logs.follow import Follower
from simops_api.logs.pods import PodLogs
from simops_api.logs.points import POD as POINT_POD
from simops_api.logs.points import point_events
from simops_api.logs.position import Position, parse_position
from simops_api.records import seconds_of
from simops_api.settings import Settings
from simops_api.sse import LAST_EVENT_ID, Streams
from simops_api.store import Store, StoredObject, StoreError
from simops_crds.names import kubernetes_job_name

log = logging.getLogger(__name__)

POINT_LOG = "log.txt"
"""Where the runner of a sweep keeps what a point prints."""


@dataclass(frozen=True)
class Text:
    """A log as text."""

    body: AsyncGenerator[bytes, None]
    """Begun already: what can be refused has been."""
    source: str
    """pod, store, or none-yet."""
    attempt: int


class Logs:
    """The logs of jobs."""

    def __init__(
        self,
        settings: Settings,
        lookup: Lookup,
        cache: WatchCache,
        store: Store,
        api: client.ApiClient,
        streams: Streams,
        artifacts: Artifacts,
    ) -> None:
        """``api``: a client for logs only."""
        self.source = PodLogs(api)
        self.hub = Hub(self.source, settings.log_window_bytes)
        self.streams = streams
        self._lookup = lookup
        self._cache = cache
        self._store = store
        self._artifacts = artifacts

    # Text
    async def text(
        self, caller: Caller, job_id: str, number: int | None, tail: int | None, *, timestamps: bool
    ) -> Text:
        """Return the log of an attempt, by default the latest, or its last lines.

        Raises:
            ProblemError: 403; 404 no such job, attempt or log; 409 no timestamps; 410 expired; 503.
        """
        found = await self._lookup.find(caller, job_id)
        if found.place is not None:
            return await self._point_text(found, number, tail, timestamps=timestamps)
        self.streams.check(caller)
        attempts = await self._attempts(found)
        attempt = self._chosen(found, attempts, number)
        if attempt is None:
            if found.finished:
                raise self._nothing(found)
            return Text(await _begun(_empty()), "none-yet", 0)
        if attempt.stored is not None and not timestamps:
            return Text(await self._stored_text(attempt.stored, tail), "store", attempt.number)
        try:
            return Text(await self._pod_text(found, attempt, tail, timestamps=timestamps), "pod", attempt.number)
        except ApiError as error:
            if error.status not in (400, 404):
                raise unavailable("the node of this job does not give its log now") from error
            if error.status == 400 and not found.finished and attempt.pod == found.pod:
                return Text(await _begun(_empty()), "none-yet", attempt.number)
            # It may have been stored since, or the store did not answer before.
            kept = await self._kept(found, attempt)
            if kept is None:
                raise self._nothing(found) from error
            if timestamps:
                raise ProblemError(409, "its Pod is gone, and the log in the store has no timestamps") from error
        return Text(await self._stored_text(kept, tail), "store", attempt.number)

    async def _point_text(self, found: Found, number: int | None, tail: int | None, *, timestamps: bool) -> Text:
        """Return what a point has printed. Its runner keeps that beside its outputs, so it is there with them."""
        if not found.finished:
            return Text(await _begun(_empty()), "none-yet", 0)
        if timestamps:
            raise ProblemError(409, "the log of a point has no timestamps")
        if number not in (None, 1):
            raise ProblemError(
                404, f"job {found.id} is a point of a sweep: of it one log is kept, that of the last attempt"
            )
        if not found.folder:  # the result of a job, whose log is beside its bundle
            return Text(await self._stored_text(await self._log_of_origin(found), tail), "store", 1)
        content = await self._artifacts.file(found, POINT_LOG)
        whole = partial(content.read, 0, content.size)
        return Text(await _begun(_told(whole() if tail is None else _last_lines(whole, tail))), "store", 1)

    async def _log_of_origin(self, found: Found) -> StoredObject:
        bundle = str((found.fields.get("artifacts") or {}).get("bundle") or "")
        root = found.place.root if found.place is not None else ""
        pod = bundle.removeprefix(root).removesuffix(".zip")
        stored = await self._store.stat(f"{root}{pod}.log") if pod and "/" not in pod else None
        if stored is None:
            raise self._nothing(found)
        return stored

    async def _kept(self, found: Found, attempt: Attempt) -> StoredObject | None:
        try:
            return await self._store.stat(log_key(found, attempt.pod))
        except StoreError as error:
            log.warning("%s", error)
            raise unavailable("the store does not answer") from error

    @staticmethod
    def _chosen(found: Found, attempts: list[Attempt], number: int | None) -> Attempt | None:
        if number is not None:
            if number > len(attempts) and not (number == 1 and not found.finished):
                raise ProblemError(404, f"job {found.id} has no log of an attempt {number}; attempts: {len(attempts)}")
            return attempts[number - 1] if attempts else None
        own = [attempt for attempt in attempts if attempt.pod == found.pod]
        return (own or attempts)[-1] if attempts else None

    async def _stored_text(self, kept: StoredObject, tail: int | None) -> AsyncGenerator[bytes, None]:
        try:
            begin = 0 if tail is None else await stored.tail_start(self._store, kept, tail)
            if begin >= kept.size:
                return await _begun(_empty())
            return await _begun(_told(self._store.read(kept.key, begin, kept.size - begin)))
        except StoreError as error:
            log.warning("%s", error)
            raise unavailable("the store does not answer") from error

    async def _pod_text(
        self, found: Found, attempt: Attempt, tail: int | None, *, timestamps: bool
    ) -> AsyncGenerator[bytes, None]:
        async def body() -> AsyncGenerator[bytes, None]:
            asked = self.source.read(found.namespace, attempt.pod, tail=tail, timestamps=timestamps)
            async with asked as chunks:
                yield b""
                async for chunk in chunks:
                    yield chunk

        begun = body()
        await anext(begun)
        return begun

    # Lines
    async def lines(
        self, caller: Caller, job_id: str, number: int | None, last_event_id: str | None
    ) -> AsyncGenerator[bytes, None]:
        """Return the events of who follows a job, from an attempt on (by default the latest) or from where they were.

        Raises:
            ProblemError: 403; 404 no such job, attempt or log; 410 expired; 422 no such place; 503.
        """
        place = None
        if last_event_id:
            place = parse_position(last_event_id)
            if place is None:
                raise mistake(LAST_EVENT_ID, "is no id of an event of this stream", "header")
        found = await self._lookup.find(caller, job_id)
        self.streams.check(caller)
        if found.place is not None:
            return await self._point_lines(caller, job_id, found, number, place)
        if place is not None and not place.pod.startswith(f"{kubernetes_job_name(found.name, found.uid)}-"):
            raise mistake(LAST_EVENT_ID, "is the id of an event of another job", "header")
        attempts = await self._attempts(found)
        if place is not None:
            attempt, place = self._resumed(attempts, place)
        else:
            attempt = self._chosen(found, attempts, number)
        if found.finished and (attempt is None or attempt.stored is None) and self._has_expired(found):
            raise self._nothing(found)
        return self._follow(caller, job_id, found, attempt, place)

    async def _point_lines(
        self, caller: Caller, job_id: str, found: Found, number: int | None, place: Position | None
    ) -> AsyncGenerator[bytes, None]:
        if place is not None and place.pod != POINT_POD:
            raise mistake(LAST_EVENT_ID, "is the id of an event of another job", "header")

        async def read(now: Found) -> AsyncGenerator[bytes, None]:
            return (await self._point_text(now, number, None, timestamps=False)).body

        is_there = found.finished and not found.is_unwritten

        async def events() -> AsyncGenerator[bytes, None]:
            async with AsyncExitStack() as stack:
                first = await stack.enter_async_context(aclosing(await read(found))) if is_there else None
                yield b""

                async def body(now: Found) -> AsyncGenerator[bytes, None]:
                    return first or await read(now)

                changes = stack.enter_context(self._cache.watching(found.id))
                run = Track(found, lambda: self._lookup.find(caller, job_id), changes)
                async for part in await stack.enter_async_context(aclosing(point_events(run, place, body))):
                    yield part

        return await _begun(events())  # what is refused is refused before it begins

    async def _follow(
        self, caller: Caller, job_id: str, found: Found, attempt: Attempt | None, place: Position | None
    ) -> AsyncGenerator[bytes, None]:
        with self._cache.watching(found.id) as changes:
            run = Track(found, lambda: self._lookup.find(caller, job_id), changes)
            follower = Follower(run, self.hub, self.source, self._store, self._attempts)
            async with aclosing(follower.events(attempt, place)) as events:
                async for part in events:
                    yield part

    @staticmethod
    def _resumed(attempts: list[Attempt], place: Position) -> tuple[Attempt | None, Position | None]:
        for attempt in attempts:
            if attempt.pod == place.pod:
                return attempt, place
        # Nothing is left of the attempt whose lines were read.
        return (attempts[-1] if attempts else None), None

    # What there is
    async def _attempts(self, found: Found) -> list[Attempt]:
        try:
            return attempts_of(found, await self._store.keys(prefix_of(found)))
        except StoreError as error:
            log.warning("attempts of %s: %s", found.id, error)
            if found.archived:
                raise unavailable("the store does not answer") from error
            count = found.fields.get("attempts")
            return [Attempt(found.pod, max(1, count if isinstance(count, int) else 1))] if found.pod else []

    @staticmethod
    def _has_expired(found: Found) -> bool:
        artifacts = found.fields.get("artifacts")
        expires = seconds_of(artifacts.get("expirationTime")) if isinstance(artifacts, dict) else None
        return expires is not None and expires <= datetime.now(UTC).timestamp()

    def _nothing(self, found: Found) -> ProblemError:
        if self._has_expired(found):
            return ProblemError(410, f"the log of job {found.id} has expired and was removed")
        if not found.finished:
            return ProblemError(
                404, f"the log of job {found.id} cannot be had: its Pod is gone and it is not in the store yet"
            )
        if not found.pod:
            return ProblemError(404, f"job {found.id} has no log: it ended without having started")
        return ProblemError(
            404, f"the log of job {found.id} is not kept: its Pod is gone and the store does not have it"
        )


async def _last_lines(whole: Callable[[], AsyncGenerator[bytes, None]], number: int) -> AsyncGenerator[bytes, None]:
    """Yield the last lines of a text. It is read twice and not kept: whoever wrote it may have packed gigabytes into little."""
    total, last = 0, b"\n"
    async with aclosing(whole()) as body:
        async for chunk in body:
            total, last = total + chunk.count(b"\n"), chunk[-1:] or last
    left = total + (last != b"\n") - number
    async with aclosing(whole()) as body:
        async for chunk in body:
            begin = 0
            while left > 0 and (found := chunk.find(b"\n", begin)) >= 0:
                begin, left = found + 1, left - 1
            if left <= 0 and begin < len(chunk):
                yield chunk[begin:]


async def _empty() -> AsyncGenerator[bytes, None]:
    yield b""


async def _told(chunks: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield nothing as soon as the first chunk is there, then all of them."""
    async with aclosing(chunks):
        first = await anext(chunks, b"")
        yield b""
        yield first
        async for chunk in chunks:
            yield chunk


async def _begun(body: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Return a generator that yielded its first, empty, chunk: what has begun is also ended when it is closed."""
    await anext(body)
    return body
