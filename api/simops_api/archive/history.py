"""Many records by time: a page of the archive.

The store lists keys in their order, and the keys of the archive are in the order of time. So a page is a part of one LIST of each namespace, and
the records that it is about. How much of the store one request looks at is bounded: when what is asked for is rare, a page may
have less than was asked for, or nothing, and still say where to go on.
"""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

from simops_api.archive.cursor import Place, after_key, place_of
from simops_api.archive.reader import Archive
from simops_api.holds import Hold
from simops_api.records import Record
from simops_api.store import LIST_KEYS, Store
from simops_crds.names import ARCHIVE_PREFIX

_LIST_KEYS = LIST_KEYS
_MAX_LISTS = 20
_MAX_RECORDS = 500
_LEAST_BATCH = 16


@dataclass(frozen=True)
class Page:
    """Some records, and after which place to go on (None: that was all)."""

    records: list[Record]
    next: Place | None


class History:
    """The archive by time."""

    def __init__(self, store: Store, archive: Archive[Any], keys: str = ARCHIVE_PREFIX) -> None:
        """``keys``: what the keys begin with that list the runs of this archive."""
        self._store = store
        self._archive = archive
        self._keys = keys

    async def page(
        self,
        namespaces: Collection[str],
        size: int,
        hold: Hold,
        *,
        after: Place | None = None,
        since: float | None = None,
        is_gone: Callable[[Place], bool] = lambda _: True,
        fits: Callable[[Record], bool] = lambda _: True,
    ) -> Page:
        """Return the records of some namespaces, the latest first.

        Args:
            namespaces: of which namespaces.
            size: how many at most.
            hold: counts the bytes of the page.
            after: the place of the last one before this page.
            since: only of runs created at this time or later.
            is_gone: whether the object of a run is gone; of others there is no record here.
            fits: which records are wanted.

        Raises:
            StoreError: the store does not answer.
            NoRoomError: there is no room for the page.
        """
        walk = _Walk([_Stream(self._store, self._keys, n, after, since) for n in sorted(namespaces)], after)
        records: list[Record] = []
        looked = 0
        while not walk.ended and walk.lists < _MAX_LISTS and looked < _MAX_RECORDS:
            batch = await walk.take(max(size - len(records), _LEAST_BATCH), is_gone)
            found = await asyncio.gather(*(self._archive.get(p.namespace, p.name, p.uid) for p in batch))
            looked += len(batch)
            for place, record in zip(batch, found, strict=True):
                if record is not None and fits(record):
                    hold.add(len(record.document))
                    records.append(record)
                    if len(records) == size:
                        is_last = walk.ended and place == batch[-1]
                        return Page(records, None if is_last else place)
        return Page(records, None if walk.ended else walk.last)


class _Walk:
    """Goes through the archives of several namespaces at once, in the order of time."""

    def __init__(self, streams: "list[_Stream]", after: Place | None) -> None:
        self._streams = streams
        self.last = after

    @property
    def lists(self) -> int:
        """How many LISTs the longest walk through one namespace took."""
        return max((stream.lists for stream in self._streams), default=0)

    @property
    def ended(self) -> bool:
        """Whether there is nothing more."""
        return all(stream.ended and not stream.places for stream in self._streams)

    async def take(self, count: int, is_gone: Callable[[Place], bool]) -> list[Place]:
        """Return the next places of runs that are gone, at most so many; fewer when another LIST would be needed for more."""
        await asyncio.gather(*(stream.fill() for stream in self._streams))
        taken: list[Place] = []
        heap = [(stream.places[0].order, number) for number, stream in enumerate(self._streams) if stream.places]
        heapq.heapify(heap)
        while heap and len(taken) < count:
            _, number = heapq.heappop(heap)
            stream = self._streams[number]
            place = self.last = stream.places.popleft()
            if is_gone(place):
                taken.append(place)
            if stream.places:
                heapq.heappush(heap, (stream.places[0].order, number))
            elif not stream.ended:
                break  # what comes next in this one may be the next of all
        return taken


class _Stream:
    """The archive of one namespace."""

    def __init__(self, store: Store, keys: str, namespace: str, after: Place | None, since: float | None) -> None:
        self._store = store
        self._keys = keys
        self._prefix = f"{keys}/{namespace}/"
        self._after = after_key(after, namespace, keys) if after is not None else ""
        self._since = since
        self.places: deque[Place] = deque()
        self.ended = False
        self.lists = 0

    async def fill(self) -> None:
        """Let there be places, unless there are no more."""
        while not self.places and not self.ended:
            listed = await self._store.keys(self._prefix, self._after, _LIST_KEYS)
            self.lists += 1
            self.ended = len(listed) < _LIST_KEYS
            for found in listed:
                self._after = found.key
                place = place_of(found.key, self._keys)
                if place is None:
                    continue
                if self._since is not None and place.created < self._since:
                    self.ended = True
                    return
                self.places.append(place)
