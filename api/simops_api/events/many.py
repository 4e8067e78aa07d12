"""Tells who listens what becomes of all runs and sweeps that they may list."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection, Iterable, Iterator
from typing import Annotated

from pydantic import Field

from simops_api.auth.access import Access
from simops_api.auth.caller import Caller
from simops_api.auth.permit import Permit, check_seconds
from simops_api.caches import Caches
from simops_api.errors import ProblemError
from simops_api.events.feed import Feed
from simops_api.holds import PIECE
from simops_api.jobs.ids import parse_id
from simops_api.jobs.models import LabelFilter, NamespaceQuery
from simops_api.scopes import scopes_of
from simops_api.settings import Settings
from simops_api.sse import Streams, event
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP, Kind

_GATHER_SECONDS = 0.1
"""Changes that follow each other so quickly are told together."""
_ENDS = {401: "Unauthorized", 403: "Forbidden"}
"""Why a stream ends, by the status with which it would not be begun any more."""
_KINDS = (SIMULATION_JOB, SIMULATION_SWEEP)
_NAMES = {SIMULATION_JOB: "job", SIMULATION_SWEEP: "sweep"}


class FeedQuery(NamespaceQuery):
    """Which changes are told."""

    label: Annotated[list[LabelFilter], Field(max_length=16)] = Field(default_factory=list)
    """Only of objects with this label, as key=value. May be given several times: all must be there."""

    @property
    def pairs(self) -> frozenset[tuple[str, str]]:
        """The labels as key and value."""
        return frozenset((key, value) for key, _, value in (label.partition("=") for label in self.label))


class Many:
    """The changes of many objects."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        caches: Caches,
        feed: Feed,
        streams: Streams,
    ) -> None:
        self._settings = settings
        self._access = access
        self._caches = caches
        self._feed = feed
        self._streams = streams

    async def changes(
        self, caller: Caller, again: Callable[[], Awaitable[Caller]], query: FeedQuery, last_event_id: str | None
    ) -> AsyncGenerator[bytes, None]:
        """Return the events that follow a place, or `resync` and those from now on. ``again`` signs the caller in again.

        Raises:
            ProblemError: 403 nothing may be listed; 422 the namespace is not served; 503.
        """
        scopes = await self._scopes(caller, query)
        self._caches.require_sync()
        self._streams.check(caller)
        return self._follow(again, query, scopes, self._feed.number(last_event_id or ""))

    async def _scopes(self, caller: Caller, query: FeedQuery) -> dict[Kind, frozenset[str]]:
        found = await scopes_of(self._access, caller, _KINDS, query.namespace, self._settings.namespaces)
        return dict(zip(_KINDS, found, strict=True))

    async def _follow(
        self,
        again: Callable[[], Awaitable[Caller]],
        query: FeedQuery,
        scopes: dict[Kind, frozenset[str]],
        number: int | None,
    ) -> AsyncGenerator[bytes, None]:
        seconds = check_seconds(self._settings.auth_cache_seconds)
        permit = Permit(again, lambda caller: self._scopes(caller, query), seconds)
        while True:
            found = None if number is None else self._feed.since(number)
            now = self._feed.last
            if found is None:
                yield event("{}", name="resync", id=self._feed.place(now))
            for events in self._pieces(found or (), query, scopes):
                yield events
            if found:
                # The place is told once all of them are.
                yield event("{}", name="place", id=self._feed.place(now))
            number = now
            await self._feed.wait(number, permit.seconds)
            await asyncio.sleep(_GATHER_SECONDS)
            try:
                renewed = await permit.renewed()
            except ProblemError as problem:
                yield event(json.dumps({"reason": _ENDS[problem.status]}), name="end")
                return
            if renewed is not None and renewed != scopes:
                scopes, number = renewed, None

    def _pieces(
        self, changes: Iterable[tuple[Kind, str]], query: FeedQuery, scopes: dict[Kind, frozenset[str]]
    ) -> Iterator[bytes]:
        """Yield the events of changes, some at a time: each may have a megabyte."""
        some, size = list[bytes](), 0
        for change in changes:
            some.append(self._event_of(change, query, scopes))
            size += len(some[-1])
            if size >= PIECE:
                piece = b"".join(some)
                some, size = [], 0  # before it is sent: its reader may be slow
                yield piece
        if size:
            yield b"".join(some)

    def _event_of(self, change: tuple[Kind, str], query: FeedQuery, scopes: dict[Kind, frozenset[str]]) -> bytes:
        told = self._told(change, query, scopes)
        return event(told[1], name=told[0]) if told is not None else b""

    def _told(
        self, change: tuple[Kind, str], query: FeedQuery, scopes: dict[Kind, frozenset[str]]
    ) -> tuple[str, str] | None:
        kind, object_id = change
        if not self._is_of(object_id, scopes[kind]):
            return None
        record = self._caches.of(kind).index.get(object_id)
        if record is None:
            return "gone", json.dumps({"kind": _NAMES[kind], "id": object_id})
        if not query.pairs <= set(record.labels):
            return None
        return _NAMES[kind], record.document.decode()

    def _is_of(self, object_id: str, namespaces: Collection[str]) -> bool:
        found = parse_id(object_id, self._settings.default_namespace)
        return found is not None and found[0] in namespaces
