"""What lies in the store below the prefix of a sweep, and how it is read and written. Nothing is decided here."""

import json
import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from simops_crds.indexes import Indexes
from simops_crds.names import CHUNK_POINTS, chunk_name
from simops_operator.core.sweeps.books import Books, Results, Round
from simops_operator.core.sweeps.results import (
    Line,
    Pack,
    by_chunk,
    merged,
    parse_lines,
    results_in,
    united,
)
from simops_operator.core.sweeps.situation import Points
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.store import Store
from simops_operator.sweeps.together import Together

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True)
class Index:
    """``points/index.json``: the points, and the chunks that they are in."""

    points: Points
    chunks: tuple[Mapping[str, Any], ...]

    def chunks_of(self, points: Indexes) -> list[Mapping[str, Any]]:
        """Return the chunks that have any of some points."""
        wanted = _firsts(points)
        return [chunk for chunk in self.chunks if chunk["first"] in wanted]

    def to_dict(self) -> dict[str, Any]:
        """Return the index as it is stored."""
        p = self.points
        return {"total": p.total, "digest": p.digest, "space": p.space, "chunks": list(self.chunks)}


def _firsts(points: Indexes) -> set[int]:
    """Return the first index of each chunk that has any of some points."""
    return {
        n * CHUNK_POINTS for a, b in points.ranges for n in range(a // CHUNK_POINTS, b // CHUNK_POINTS + 1)
    }


class Shelf:
    """The objects of one sweep."""

    def __init__(self, store: Store, sweep: Sweep, together: Together) -> None:
        self._store = store
        self._prefix = sweep.prefix
        self._together = together

    async def _json(self, key: str) -> Any:
        text = await self._store.get_text(f"{self._prefix}/{key}")
        return json.loads(text) if text else None

    async def read_index(self) -> Index | None:
        """Return the index of the points, None when they are not (all) stored."""
        raw = await self._json("points/index.json")
        if raw is None:
            return None
        points = Points(int(raw["total"]), str(raw["digest"]), str(raw.get("space") or ""))
        return Index(points, tuple(raw["chunks"]))

    async def write_points(self, index: Index, data: Mapping[int, bytes]) -> None:
        """Store the points: the chunks, by their first index, then the index."""
        puts = [self._store.put_bytes(f"{self._prefix}/points/{chunk_name(n)}", chunk) for n, chunk in data.items()]
        await self._together(puts)
        await self._store.put_json(f"{self._prefix}/points/index.json", index.to_dict())

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
        chunks = index.chunks_of(this.points)
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

    async def read_lines(self, number: int, pack: int, pod: str) -> tuple[Line, ...]:
        """Return the results that a Pod left, none when it left none."""
        text = await self._store.get_text(f"{self.folder(number, pack)}/{pod}.jsonl")
        return parse_lines(text) if text else ()

    async def find_results(self, this: Round, known: Indexes) -> list[Pack]:
        """Return all that is stored of the packs of a round of which not all points are known."""
        root = f"{self._prefix}/rounds/{this.number}/"
        wanted: list[tuple[int, str]] = []
        for key in await self._store.list_keys(root):
            pack, _, name = key.removeprefix(root).partition("/")
            if not (pack.isdecimal() and name.endswith(".jsonl")):
                continue
            if (this.points_of(int(pack)) - known).ranges:
                wanted.append((int(pack), name.removesuffix(".jsonl")))
        found = await self._together([self.read_lines(this.number, pack, pod) for pack, pod in wanted])
        return [
            Pack(pod, pack, lines, f"{self.folder(this.number, pack)}/{pod}.zip")
            for (pack, pod), lines in zip(wanted, found, strict=True)
        ]

    async def read_results(self, this: Round) -> Results:
        """Return what the table knows of a round."""
        firsts = sorted(_firsts(this.points))
        tables = await self._together([self._table(first) for first in firsts])
        return united(results_in(table, this) for table in tables if table)

    async def _table(self, first: int) -> str | None:
        return await self._store.get_text(f"{self._prefix}/table/{chunk_name(first)}")

    async def write_table(self, lines: Mapping[int, str]) -> None:
        """Put lines into the table."""
        await self._together([self._write_chunk(first, chunk) for first, chunk in by_chunk(lines).items()])

    async def _write_chunk(self, first: int, lines: Mapping[int, str]) -> None:
        before = await self._table(first)
        after = merged(before, lines)
        if after != before:
            await self._store.put_bytes(f"{self._prefix}/table/{chunk_name(first)}", after.encode())


def digest_of(lines: Iterable[bytes]) -> str:
    """Return the SHA-256 of bytes in their order."""
    import hashlib  # noqa: PLC0415

    total = hashlib.sha256()
    for line in lines:
        total.update(line)
    return total.hexdigest()
