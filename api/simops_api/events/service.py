"""Tells who listens what becomes of a job."""

from collections.abc import AsyncGenerator

from simops_api.auth.caller import Caller
from simops_api.cache import WatchCache
from simops_api.errors import mistake
from simops_api.events.track import Track
from simops_api.events.words import end_of
from simops_api.jobs.lookup import Found, Lookup
from simops_api.sse import LAST_EVENT_ID, Streams, event

_LOOK_SECONDS = 3600.0
_DIGITS = 20


class Events:
    """The states of jobs."""

    def __init__(self, lookup: Lookup, cache: WatchCache, streams: Streams) -> None:
        self._lookup = lookup
        self._cache = cache
        self._streams = streams

    async def states(self, caller: Caller, job_id: str, last_event_id: str | None) -> AsyncGenerator[bytes, None]:
        """Return the events of a job: its state now, unless that is the one that was told last, then each later one.

        Raises:
            ProblemError: 403; 404; 422 no such event; 503.
        """
        last = last_event_id or ""
        if last and not (last.isascii() and last.isdecimal() and len(last) <= _DIGITS):
            raise mistake(LAST_EVENT_ID, "is no id of an event of this stream", "header")
        found = await self._lookup.find(caller, job_id)
        self._streams.check(caller)
        return self._follow(caller, job_id, found, last)

    async def _follow(self, caller: Caller, job_id: str, found: Found, last: str) -> AsyncGenerator[bytes, None]:
        with self._cache.watching(found.id) as changes:
            run = Track(found, lambda: self._lookup.find(caller, job_id), changes)
            told = b""
            while True:
                version = self._version(run.found)
                # Without a version, as of a run whose object is gone, nobody can say which state was told.
                if not run.gone and run.found.document != told and (not version or version != last):
                    told = run.found.document
                    yield event(told.decode(), name="state", id=version)
                last = version
                if run.gone or run.found.finished:
                    yield end_of(run.found, deleted=run.gone)
                    return
                await run.wait(None, _LOOK_SECONDS)

    def _version(self, found: Found) -> str:
        record = self._cache.index.get(found.id)
        return str(record.version) if record is not None and record.uid == found.uid and not found.archived else ""
