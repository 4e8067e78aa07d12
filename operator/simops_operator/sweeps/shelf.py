"""What lies in the store below the prefix of a sweep, and how it is read and written. Nothing is decided here."""

import json
import logging
from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from simops_crds.indexes import Indexes
from simops_crds.space import MAX_CHUNK_BYTES, Chunk, ChunkRef, PointsIndex
from simops_io.s3 import MAX_OBJECT
from simops_operator.core.sweeps.books import Books, Results, Round
from simops_operator.core.sweeps.results import (
    Line,
    Pack,
    files_left,
    lines_left,
    merged,
    most_left,
    results_in,
    united,
)
from simops_operator.core.sweeps.situation import Points
from simops_operator.store import Store
from simops_operator.sweeps.together import InThread, Together, portions

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Index:
    """``points/index.json``: the points, the chunks that they are in, and the digest of what they were made of."""

    stored: PointsIndex
    space: str

    @property
    def points(self) -> Points:
        """What is decided by."""
        return Points(self.stored.total, self.stored.digest, self.space)

    def firsts(self, points: Indexes) -> list[int]:
        """Return the first index of each chunk that has any of some points."""
        return [chunk.first for chunk in self.stored.chunks_of(points)]

    def by_chunk(self, lines: Mapping[int, str]) -> dict[int, dict[int, str]]:
        """Return the lines of the table by chunk: by the first index of the points that it has."""
        firsts = [chunk.first for chunk in self.stored.chunks]
        out: dict[int, dict[int, str]] = {}
        for index, line in lines.items():
            out.setdefault(firsts[bisect_right(firsts, index) - 1], {})[index] = line
        return out


UNWRITTEN_SIZE = 4 << 20
"""Characters of lines of the table that are in memory at most until they are written, whatever the time."""
CHUNKS_AT_ONCE = 4
"""Chunks of points that are in memory together."""
MAX_TABLE = 16 << 20
"""Bytes of the table of a chunk that is not this sweep's own: 8 KiB of metrics and a few of words in each of its 1,000 lines."""
_MAX_JSON = 16 << 20
"""Bytes of books, of a round, of what points were made of: ranges of a million points at most, or as much as an object of the API holds."""


class Shelf:
    """The objects of one sweep."""

    def __init__(
        self,
        store: Store,
        prefix: str,
        together: Together,
        in_thread: InThread,
        note: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """``note`` is told how large each object is that was read."""
        self._store = store
        self._prefix = prefix
        self._together = together
        self._in_thread = in_thread
        self._note = note

    async def _text(self, key: str, limit: int) -> str | None:
        text = await self._store.get_text(f"{self._prefix}/{key}", limit)
        self._note(len(text or ""))
        return text

    async def _json(self, key: str) -> Any:
        text = await self._text(key, _MAX_JSON)
        return json.loads(text) if text else None

    async def read_index(self) -> Index | None:
        """Return the index of the points, None when they are not (all) stored."""
        text = await self._text("points/index.json", _MAX_JSON)
        if text is None:
            return None
        return Index(PointsIndex.parse(text.encode()), str(json.loads(text).get("space") or ""))

    async def write_chunks(self, made: Sequence[Chunk]) -> None:
        """Store points. They are not there until the index is."""
        await self._together([self._store.put_bytes(f"{self._prefix}/points/{c.ref.file}", c.data) for c in made])

    async def write_index(self, index: Index, space: Mapping[str, Any]) -> None:
        """Store what the points were made of, and their index."""
        await self._store.put_json(f"{self._prefix}/points/space-{index.space[:16]}.json", space)
        whole = json.loads(index.stored.to_json()) | {"space": index.space}
        await self._store.put_json(f"{self._prefix}/points/index.json", whole)

    async def read_space(self, index: Index) -> dict[str, Any]:
        """Return what the points were made of.

        Raises:
            ValueError: it is not there.
        """
        raw = await self._json(f"points/space-{index.space[:16]}.json")
        if raw is None:
            raise ValueError("what the points were made of is not in the store any more")
        return dict(raw)

    async def read_chunks(self, index: Index) -> AsyncIterator[list[Chunk]]:
        """Yield all points as they are stored, in order, a few chunks at a time.

        Raises:
            ValueError: some are not there, or are others than the index says.
        """
        for refs in portions(index.stored.chunks, CHUNKS_AT_ONCE):
            found = await self._together([self.read_chunk(ref) for ref in refs])
            for ref, chunk in zip(refs, found, strict=True):
                if chunk is None:
                    raise ValueError(f"points/{ref.file} in the store is missing, or is not what the index says")
            yield [chunk for chunk in found if chunk is not None]

    async def read_chunk(self, ref: ChunkRef) -> Chunk | None:
        """Return a chunk of the points; None when it is not there, or is another one than the index says."""
        text = await self._text(f"points/{ref.file}", MAX_CHUNK_BYTES)
        chunk = Chunk.of(ref.first, (text or "").encode())
        return chunk if chunk.ref == ref else None

    async def read_books(self) -> Books:
        """Return the books at the end of the last round."""
        raw = await self._json("ledger.json")
        return Books.from_dict(raw) if raw else Books()

    async def write_books(self, books: Books) -> None:
        """Store the books."""
        await self._store.put_json(f"{self._prefix}/ledger.json", books.to_dict())

    async def read_round(self, number: int) -> Round | None:
        """Return a round, None when it was not written down."""
        raw = await self._json(f"rounds/{number}.json")
        return Round.from_dict(raw) if raw else None

    async def write_round(self, this: Round, index: Index) -> None:
        """Write down a round, with the chunks of points that its Pods need."""
        chunks = [ref.to_dict() for ref in index.stored.chunks_of(this.points)]
        await self._store.put_json(f"{self._prefix}/rounds/{this.number}.json", this.to_dict() | {"chunks": chunks})

    async def write_cancelled(self, points: Indexes) -> None:
        """Tell the Pods which points are not wanted."""
        await self._store.put_json(f"{self._prefix}/cancelled.json", {"points": str(points)})

    async def write_state(self, ranges: Mapping[str, Any]) -> None:
        """Store the ranges that are too long for the object."""
        await self._store.put_json(f"{self._prefix}/state.json", dict(ranges))

    # Results
    def folder(self, number: int, pack: int) -> str:
        """Return where the Pods of a pack put what they leave."""
        return f"{self._prefix}/rounds/{number}/{pack}"

    async def read_lines(self, number: int, pack: int, pod: str, points: Indexes) -> tuple[Line, ...]:
        """Return the results that a Pod left of its points, none when it left none."""

        async def read(left: bytes) -> tuple[Line, ...]:
            self._note(len(left))
            return await self._in_thread(partial(lines_left, left, points))

        key = f"{self.folder(number, pack)}/{pod}.jsonl"
        found = await self._store.get_left(key, most_left(points), read)
        if found is None:
            self._note(0)
        return found or ()

    async def find_left(self, this: Round, known: Indexes, job: str) -> list[tuple[int, str]]:
        """Return what Pods of a round's Job have left results of packs of which not all points are known: number of the pack, and name."""
        root = f"{self._prefix}/rounds/{this.number}/"
        keys = await self._store.list_keys(root, ".jsonl")
        names = (key.removeprefix(root) for key in keys)
        wanted, passed_over = await self._in_thread(partial(files_left, names, this, known, job))
        if passed_over:
            log.warning("%d files of results below %s are passed over: no Pods of %s left them", passed_over, root, job)
        return wanted

    async def read_left(self, this: Round, wanted: Sequence[tuple[int, str]]) -> list[Pack]:
        """Return what some of these Pods have left."""
        found = await self._together(
            [self.read_lines(this.number, pack, pod, this.points_of(pack)) for pack, pod in wanted]
        )
        return [
            Pack(pod, pack, lines, f"{self.folder(this.number, pack)}/{pod}.zip")
            for (pack, pod), lines in zip(wanted, found, strict=True)
        ]

    async def read_results(self, this: Round, index: Index) -> Results:
        """Return what the table knows of a round."""

        async def of_chunk(first: int) -> Results:
            table = await self.read_table(first)
            return await self._in_thread(partial(results_in, table, this)) if table else Results()

        return united(await self._together([of_chunk(first) for first in index.firsts(this.points)]))

    async def read_table(self, first: int, limit: int = MAX_OBJECT) -> str | None:
        """Return the lines of the table of the chunk of points that begins there, as text.

        Raises:
            TooLargeError: they have more bytes than that.
            StoreError: the store does not answer.
        """
        return await self._text(f"table/{_file(first)}", limit)

    async def write_table(self, lines: Mapping[int, str], index: Index) -> None:
        """Put lines into the table."""
        chunks = index.by_chunk(lines)
        await self._together([self._write_chunk(first, chunk) for first, chunk in chunks.items()])

    async def _write_chunk(self, first: int, lines: Mapping[int, str]) -> None:
        before = await self.read_table(first)
        after = await self._in_thread(partial(merged, before, lines))
        if after != before:
            await self._store.put_bytes(f"{self._prefix}/table/{_file(first)}", after.encode())


def _file(first: int) -> str:
    return f"{first:07d}.jsonl"
