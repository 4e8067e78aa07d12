"""What the store has of sweeps: their points, and the results of those that have ended. Docs: docs/architecture.md.

Chunks of points never change, so they are remembered by their digest. Chunks of the table change while a sweep runs; those of one that has finished are
remembered as long as the object has the same version.
"""

import asyncio
import json
import logging
import time
from collections import OrderedDict
from collections.abc import AsyncGenerator, Callable, Sequence
from dataclasses import replace

from simops_api.errors import ProblemError
from simops_api.store import Store
from simops_api.sweeps.lines import Lines
from simops_api.sweeps.points import Row, params_of, shared_params
from simops_api.sweeps.records import SweepRecord, phases_of
from simops_crds.indexes import Indexes
from simops_crds.names import sweep_prefix
from simops_crds.space import ChunkRef, PointsIndex

log = logging.getLogger(__name__)

_FRESH_SECONDS = 2.0
"""How long a chunk of the table of a sweep that runs is used again; the operator writes it every ten seconds."""
_KEPT_CHUNKS = 256
_KEPT_BYTES = 64 << 20
_KEPT_STATES = 32
_AT_ONCE = 8
_AHEAD = 3
"""Whole blocks are fetched before they are wanted: their metrics can have tens of megabytes as objects of Python."""
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
        wanted = Indexes.of((i, i) for i in indexes)
        refs = await self._refs(record, wanted)
        gate = asyncio.Semaphore(_AT_ONCE)

        async def block(ref: ChunkRef) -> list[Row]:
            async with gate:
                return await self._block(record, ref, wanted)

        # Together: a page of the few points that have failed may have one of each of fifty chunks.
        return [row for rows in await asyncio.gather(*map(block, refs)) for row in rows]

    async def row(self, record: SweepRecord, index: int) -> Row:
        """Return one point.

        Raises:
            StoreError, ProblemError: as for ``rows``.
        """
        (found,) = await self.rows(record, [index])
        return found

    async def blocks(self, record: SweepRecord) -> AsyncGenerator[list[Row], None]:
        """Yield all points, up to 1,000 at a time; the next blocks are fetched meanwhile.

        Raises:
            StoreError, ProblemError: as for ``rows``.
        """
        every = Indexes.up_to(record.total)
        waiting = list(reversed(await self._refs(record, every)))
        under_way: list[asyncio.Task[list[Row]]] = []
        try:
            while waiting or under_way:
                while waiting and len(under_way) < _AHEAD:
                    under_way.append(asyncio.create_task(self._block(record, waiting.pop(), every)))
                yield await under_way.pop(0)
        finally:
            for task in under_way:
                task.cancel()
            await asyncio.gather(*under_way, return_exceptions=True)

    async def _refs(self, record: SweepRecord, wanted: Indexes) -> Sequence[ChunkRef]:
        index = await self._index(record)
        if index is None or index.total < record.total:
            firsts = sorted(
                {i - i % _UNSTORED for first, last in wanted.ranges for i in (*range(first, last, _UNSTORED), last)}
            )
            return [ChunkRef(first, _UNSTORED, "") for first in firsts]
        return index.chunks_of(wanted)

    async def _block(self, record: SweepRecord, ref: ChunkRef, wanted: Indexes) -> list[Row]:
        points, results = await asyncio.gather(self._points(record, ref), self._table(record, ref))
        chosen = _chosen(record, ref, wanted)
        if len(chosen) <= _FEW:
            return _joined(record, chosen, points, results)
        # In a thread: a thousand points take some milliseconds to put together.
        return await asyncio.to_thread(_joined, record, chosen, points, results)

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
        return await self._chunk(f"{_prefix(record)}/points/{ref.file}", ref, ref.sha256, float("inf"))

    async def _table(self, record: SweepRecord, ref: ChunkRef) -> Lines:
        if not record.digest:
            return Lines()
        seconds = float("inf") if record.finished else _FRESH_SECONDS
        version = str(record.version) if record.finished else ""
        return await self._chunk(f"{_prefix(record)}/table/{ref.file}", ref, version, seconds)

    async def _chunk(self, key: str, ref: ChunkRef, version: str, seconds: float) -> Lines:
        known = self._kept.get((key, version))
        if known is None or self._clock() - known[0] > seconds:
            text = await self._store.get(key)
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


def _joined(record: SweepRecord, chosen: Indexes, points: Lines, results: Lines) -> list[Row]:
    own_params, told = points.at(chosen), results.at(chosen)
    shared = shared_params(record)
    phases = {i: phase for phase, found in record.points.items() for i in found & chosen}
    rows = []
    for i in chosen:
        own = own_params.get(i)
        params = shared | own["params"] if own is not None else params_of(record, i)
        rows.append(Row(i, phases[i], params, told.get(i)))
    return rows
