"""What the store has of sweeps: their points, and the results of those that have ended. Docs: docs/architecture.md.

Chunks of points never change, so they are remembered by their digest. Chunks of the table change while a sweep runs; those of one that has finished are
remembered as long as the object has the same version.
"""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from dataclasses import replace
from typing import TypeVar

from simops_api.errors import ProblemError
from simops_api.holds import Hold
from simops_api.store import Store
from simops_api.sweeps.lines import Lines
from simops_api.sweeps.points import Row, params_of, shared_params
from simops_api.sweeps.records import SweepRecord, phases_of
from simops_crds.indexes import Indexes
from simops_crds.names import sweep_prefix
from simops_crds.space import MAX_CHUNK_BYTES, ChunkRef, PointsIndex

log = logging.getLogger(__name__)

T = TypeVar("T")
Pair = tuple[Lines, Lines]
"""A chunk of the points, and the same one of the table."""

_FRESH_SECONDS = 2.0
"""How long a chunk of the table of a sweep that runs is used again; the operator writes it every ten seconds."""
_KEPT_CHUNKS = 256
_KEPT_BYTES = 64 << 20
_KEPT_STATES = 32
_AT_ONCE = 4
"""Chunks that are read at once, for everybody: each can have some megabytes, and is held twice for a moment."""
_MAX_TABLE_CHUNK = 16 << 20
"""Bytes of a chunk of a table: the metrics of its 1,000 points have 8 MiB at most."""
_GUESSED_BYTES = 1 << 20
"""What a block is taken to have before it is read."""
_PART_BYTES = 1 << 20
"""Of a block, so many bytes are objects of Python at once."""
_FEW = 100
"""So many points are put together at once: to hand them to a thread would take longer."""
_UNSTORED = 1000
"""Points of a block, as long as the store has no chunks of them."""


class Shelf:
    """Reads what the operator and the Pods have written."""

    def __init__(self, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._clock = clock
        self._kept: OrderedDict[tuple[str, str], tuple[float, Lines]] = OrderedDict()
        self._kept_bytes = 0
        self._settled: OrderedDict[tuple[str, str], SweepRecord] = OrderedDict()
        self._indexes: OrderedDict[tuple[str, str], PointsIndex] = OrderedDict()
        self._reading = asyncio.Semaphore(_AT_ONCE)

    async def settled(self, record: SweepRecord) -> SweepRecord:
        """Return a sweep with the states of all its points, also where they are too long for the object.

        Raises:
            StoreError: the store does not answer.
        """
        if not record.is_long:
            return record
        key = (record.uid, str(record.version))
        if (known := self._settled.get(key)) is None:
            text = await self._store.get(f"{_prefix(record)}/state.json")
            if text is None:
                return record
            # In a thread: tens of thousands of ranges take a while.
            points = await asyncio.to_thread(lambda: phases_of({}, json.loads(text), record.phase, record.total))
            known = self._settled[key] = replace(record, points=points, is_long=False)
        self._settled.move_to_end(key)
        while len(self._settled) > _KEPT_STATES:
            self._settled.popitem(last=False)
        return known

    async def rows(self, record: SweepRecord, indexes: Sequence[int]) -> list[Row]:
        """Return some points, in the order of their indexes.

        Raises:
            StoreError: the store does not answer.
            ProblemError: 502, what it has is not what it should be.
        """
        return await self.each(record, indexes, lambda row: row)

    async def each(self, record: SweepRecord, indexes: Sequence[int], make: Callable[[Row], T]) -> list[T]:
        """Return what is made of some points, in the order of their indexes. Of the points themselves a chunk's are held at a time.

        Raises:
            StoreError, ProblemError: as for ``rows``.
        """
        wanted = Indexes.of((i, i) for i in indexes)

        async def block(ref: ChunkRef) -> list[T]:
            async with self._reading:
                pair = await self._pair(record, ref)
                return [make(row) for row in await _joined(record, _chosen(record, ref, wanted), *pair)]

        # Together: a page of the few points that have failed may have one of each of fifty chunks.
        made = await asyncio.gather(*map(block, await self._refs(record, wanted)))
        return [one for some in made for one in some]

    async def row(self, record: SweepRecord, index: int) -> Row:
        """Return one point.

        Raises:
            StoreError, ProblemError: as for ``rows``.
        """
        (found,) = await self.rows(record, [index])
        return found

    async def blocks(self, record: SweepRecord, hold: Hold) -> AsyncGenerator[list[Row], None]:
        """Yield all points, up to 1,000 at a time; the next ones are fetched meanwhile if there is room for them.

        Raises:
            StoreError, ProblemError: as for ``rows``; 503, there was no room for a minute.
        """
        every = Indexes.up_to(record.total)
        refs = await self._refs(record, every)
        early: asyncio.Task[Pair | None] | None = None
        with hold.another() as one, hold.another() as other:
            now, then = one, other
            try:
                for ref, following in zip(refs, [*refs[1:], None], strict=True):
                    pair = await self._roomy(record, ref, now, early)
                    early = None
                    if following is not None and then.early(_GUESSED_BYTES):
                        early = asyncio.create_task(self._ahead(record, following, then))
                    for some in _parts(_chosen(record, ref, every), _size(pair)):
                        yield await _joined(record, some, *pair)
                    del pair  # it is not held any more
                    now.set(0)
                    now, then = then, now
            finally:
                if early is not None:
                    early.cancel()
                    await asyncio.gather(early, return_exceptions=True)

    async def _roomy(
        self, record: SweepRecord, ref: ChunkRef, hold: Hold, early: asyncio.Task[Pair | None] | None
    ) -> Pair:
        """Return a block when there is room for it. How much it needs is known once it is read: one that is larger is read again when it has room."""
        if early is not None and (pair := await early) is not None:
            return pair
        size = _GUESSED_BYTES
        while True:
            await hold.turn(size)
            pair = await self._read(record, ref)
            size = _size(pair)
            if hold.grow(size):
                return pair
            del pair  # it is not held while it waits

    async def _ahead(self, record: SweepRecord, ref: ChunkRef, hold: Hold) -> Pair | None:
        """Return a block before it is needed, None when there is no room for it now."""
        pair = await self._read(record, ref)
        return pair if hold.grow(_size(pair)) else None

    async def _refs(self, record: SweepRecord, wanted: Indexes) -> Sequence[ChunkRef]:
        index = await self._index(record)
        if index is None or index.total < record.total:
            firsts = sorted(
                {i - i % _UNSTORED for first, last in wanted.ranges for i in (*range(first, last, _UNSTORED), last)}
            )
            return [ChunkRef(first, _UNSTORED, "") for first in firsts]
        return index.chunks_of(wanted)

    async def _read(self, record: SweepRecord, ref: ChunkRef) -> Pair:
        async with self._reading:
            return await self._pair(record, ref)

    async def _pair(self, record: SweepRecord, ref: ChunkRef) -> Pair:
        return await asyncio.gather(self._points(record, ref), self._table(record, ref))

    async def _index(self, record: SweepRecord) -> PointsIndex | None:
        if not record.digest:
            return None
        key = (record.uid, record.digest)
        if (known := self._indexes.get(key)) is None:
            text = await self._store.get(f"{_prefix(record)}/points/index.json")
            if text is None:
                return None
            known = _sound(record, PointsIndex.parse, text)
            if known.digest == record.digest:
                self._indexes[key] = known
                while len(self._indexes) > _KEPT_CHUNKS:
                    self._indexes.popitem(last=False)
        return known

    async def _points(self, record: SweepRecord, ref: ChunkRef) -> Lines:
        if not ref.sha256:
            return Lines()
        return await self._chunk(f"{_prefix(record)}/points/{ref.file}", ref, MAX_CHUNK_BYTES, ref.sha256, float("inf"))

    async def _table(self, record: SweepRecord, ref: ChunkRef) -> Lines:
        if not record.digest:
            return Lines()
        seconds = float("inf") if record.finished else _FRESH_SECONDS
        version = str(record.version) if record.finished else ""
        return await self._chunk(f"{_prefix(record)}/table/{ref.file}", ref, _MAX_TABLE_CHUNK, version, seconds)

    async def _chunk(self, key: str, ref: ChunkRef, most: int, version: str, seconds: float) -> Lines:
        known = self._kept.get((key, version))
        if known is None or self._clock() - known[0] > seconds:
            text = await self._store.get(key, most)
            known = (self._clock(), Lines(text or b"", ref.first))
            self._keep((key, version), known)
        else:
            self._kept.move_to_end((key, version))
        return known[1]

    def _keep(self, key: tuple[str, str], entry: tuple[float, Lines]) -> None:
        """Keep a chunk, and the latest ones besides, so many as there is room for."""
        before = self._kept.pop(key, None)
        self._kept[key] = entry
        self._kept_bytes += entry[1].size - (before[1].size if before is not None else 0)
        while len(self._kept) > _KEPT_CHUNKS or (self._kept_bytes > _KEPT_BYTES and len(self._kept) > 1):
            _, (_, lines) = self._kept.popitem(last=False)
            self._kept_bytes -= lines.size


def _prefix(record: SweepRecord) -> str:
    return sweep_prefix(record.namespace, record.name, record.uid)


def _sound(record: SweepRecord, parse: Callable[[bytes], PointsIndex], text: bytes) -> PointsIndex:
    try:
        return parse(text)
    except ValueError as error:
        log.error("the points of %s/%s: %s", record.namespace, record.name, error)  # noqa: TRY400 - its words say it all
        raise ProblemError(
            502, f"the points of sweep {record.id} in the store are not what they should be: {error}"
        ) from error


def _chosen(record: SweepRecord, ref: ChunkRef, wanted: Indexes) -> Indexes:
    last = min(ref.first + ref.count, record.total) - 1
    return wanted & Indexes.of([(ref.first, last)]) if last >= ref.first else Indexes()


def _size(pair: Pair) -> int:
    return sum(lines.size for lines in pair)


def _parts(chosen: Indexes, size: int) -> Iterator[Indexes]:
    """Yield the points of a block of so many bytes, as many at once as may be objects of Python."""
    step = max(1, len(chosen) * _PART_BYTES // max(size, _PART_BYTES))
    return (chosen.ranks(first, first + step) for first in range(0, len(chosen), step))


async def _joined(record: SweepRecord, chosen: Indexes, points: Lines, results: Lines) -> list[Row]:
    if len(chosen) <= _FEW:
        return _join(record, chosen, points, results)
    # In a thread: a thousand points take some milliseconds to put together.
    return await asyncio.to_thread(_join, record, chosen, points, results)


def _join(record: SweepRecord, chosen: Indexes, points: Lines, results: Lines) -> list[Row]:
    own_params, told = points.at(chosen), results.at(chosen)
    shared = shared_params(record)
    phases = {i: phase for phase, found in record.points.items() for i in found & chosen}
    rows = []
    for i in chosen:
        own = own_params.get(i)
        params = shared | own["params"] if own is not None else params_of(record, i)
        rows.append(Row(i, phases[i], params, told.get(i)))
    return rows
