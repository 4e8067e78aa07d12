"""Points ↔ the objects in the store that hold them: chunks of JSON lines, and the index of the chunks (pure).

A chunk is written once and never changed. Its bytes depend on its points alone, so that a digest of them says whether they are the
same: no spaces, UTF-8, each number as Python's shortest text that gives the same number again.
"""

import hashlib
import json
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from simops_crds.base import Scalar
from simops_crds.indexes import Indexes
from simops_crds.space.errors import SPACE, SpaceError
from simops_crds.space.points import Point

CHUNK_POINTS: Final = 1000
CHUNK_BYTES: Final = 4 << 20
"""A chunk ends with the line that makes it this long: points may have long texts."""
MAX_CHUNK_BYTES: Final = CHUNK_BYTES + (12 << 20)
"""No chunk is longer: a point has 256 parameters of 4,096 characters at most."""
MAX_TOTAL_BYTES: Final = 512_000_000
"""Of all points of a sweep as they lie in the store, also of one that was extended again and again."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class ChunkRef:
    """Which points a chunk holds, and the checksum of its bytes."""

    first: int
    count: int
    sha256: str

    @property
    def file(self) -> str:
        """The last part of the keys of what belongs to this chunk."""
        return f"{self.first:07d}.jsonl"

    def to_dict(self) -> dict[str, Any]:
        """Return it as the index writes it."""
        return {"first": self.first, "count": self.count, "sha256": self.sha256}

    @classmethod
    def parse(cls, value: Any) -> "ChunkRef":
        """Read what ``to_dict`` wrote.

        Raises:
            ValueError: it is something else.
        """
        match value:
            case {"first": int(first), "count": int(count), "sha256": str(sha256)} if (
                first >= 0 < count and _DIGEST.fullmatch(sha256)
            ):
                return cls(first, count, sha256)
        raise ValueError(f"{value!r} is no reference to a chunk of points")


@dataclass(frozen=True)
class Chunk:
    """Up to 1,000 points in a row, as they lie in the store."""

    first: int
    count: int
    data: bytes
    sha256: str

    @classmethod
    def of(cls, first: int, data: bytes) -> "Chunk":
        """Return the chunk that bytes from the store are, ``first`` being the index of its first point."""
        return cls(first, data.count(b"\n"), data, hashlib.sha256(data).hexdigest())

    @property
    def ref(self) -> ChunkRef:
        """The chunk without its bytes."""
        return ChunkRef(self.first, self.count, self.sha256)


def chunks(points: Iterable[Mapping[str, Scalar]], first: int = 0) -> Iterator[Chunk]:
    """Yield chunks of all points, whose indexes go on from ``first``. One chunk at a time is in memory.

    No chunk goes beyond a multiple of 1,000, so that chunks begin at these numbers again after points were appended.
    """
    lines: list[bytes] = []
    begin, size = first, 0
    for index, point in enumerate(points, first):
        lines.append(f'{{"index":{index},"params":{_encode(point)}}}\n'.encode())
        size += len(lines[-1])
        if (index + 1) % CHUNK_POINTS == 0 or size >= CHUNK_BYTES:
            yield Chunk.of(begin, b"".join(lines))
            lines, begin, size = [], index + 1, 0
    if lines:
        yield Chunk.of(begin, b"".join(lines))


def read(data: bytes) -> Iterator[tuple[int, Point]]:
    """Yield index and parameters of each point of a chunk's bytes."""
    for line in data.splitlines():
        value = json.loads(line)
        yield value["index"], value["params"]


def digest(chunks: Iterable[Chunk]) -> str:
    """Return the SHA-256 of the bytes of all chunks in their order."""
    total = hashlib.sha256()
    for chunk in chunks:
        total.update(chunk.data)
    return total.hexdigest()


@dataclass(frozen=True)
class PointsIndex:
    """All points of a sweep: how many, their digest, and the chunks that hold them, in order and without a gap."""

    total: int
    digest: str
    chunks: tuple[ChunkRef, ...]

    def to_json(self) -> bytes:
        """Return ``points/index.json``."""
        value = {"total": self.total, "digest": self.digest, "chunks": [chunk.to_dict() for chunk in self.chunks]}
        return _encode(value).encode()

    @classmethod
    def parse(cls, data: bytes) -> "PointsIndex":
        """Read ``points/index.json``.

        Raises:
            ValueError: it is not what ``to_json`` writes, or its chunks do not make up its points.
        """
        match json.loads(data):
            case {"total": int(total), "digest": str(text), "chunks": list(values)} if _DIGEST.fullmatch(text):
                refs = tuple(map(ChunkRef.parse, values))
            case _:
                raise ValueError("this is no index of points")
        end = 0
        for chunk in refs:
            if chunk.first != end:
                raise ValueError(f"the index of points has a gap: after point {end - 1} it goes on with {chunk.first}")
            end += chunk.count
        if end != total:
            raise ValueError(f"the index of points says {total} points, and its chunks have {end}")
        return cls(total, text, refs)

    def chunks_of(self, indexes: Indexes) -> tuple[ChunkRef, ...]:
        """Return the chunks that hold any of some points, in order.

        Raises:
            IndexError: the sweep has no such point.
        """
        if indexes.ranges and indexes.ranges[-1][1] >= self.total:
            raise IndexError(f"there is no point {indexes.ranges[-1][1]}: the sweep has {self.total} points")
        firsts = [chunk.first for chunk in self.chunks]
        wanted: dict[int, None] = {}
        for first, last in indexes.ranges:
            places = range(bisect_right(firsts, first) - 1, bisect_right(firsts, last))
            wanted.update(dict.fromkeys(places))
        return tuple(self.chunks[place] for place in wanted)


@dataclass
class IndexBuilder:
    """Makes the index of chunks that are handed over one by one, in order, so that none has to be kept."""

    total: int = 0
    _size: int = 0
    _refs: list[ChunkRef] = field(default_factory=list)
    _digest: Any = field(default_factory=hashlib.sha256)

    def add(self, chunk: Chunk) -> None:
        """Take the next chunk.

        Raises:
            ValueError: it does not begin where the one before it ended.
            SpaceError: all of them are larger than a sweep may be.
        """
        if chunk.first != self.total:
            raise ValueError(f"chunk {chunk.first} does not follow point {self.total - 1}")
        self._size += len(chunk.data)
        if self._size > MAX_TOTAL_BYTES:
            raise SpaceError(
                SPACE,
                f"its points would take more than {MAX_TOTAL_BYTES / 1e6:,.0f} MB in the store, those that there are included: "
                "make several sweeps, or put long texts into the image and let the points have their names",
            )
        self.total += chunk.count
        self._refs.append(chunk.ref)
        self._digest.update(chunk.data)

    def index(self) -> PointsIndex:
        """Return the index of all chunks so far."""
        return PointsIndex(self.total, self._digest.hexdigest(), tuple(self._refs))
