"""Sets of the indexes of a sweep's points, as index ranges such as ``0-99,105`` (pure)."""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate, chain


@dataclass(frozen=True)
class Indexes:
    """A set of indexes as disjoint ranges in order, both ends included; a hundred thousand in a row are one range."""

    ranges: tuple[tuple[int, int], ...] = ()

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> "Indexes":
        """Return the set of what lies in any of some ranges, which may overlap and be in any order."""
        merged: list[tuple[int, int]] = []
        for first, last in sorted(ranges):
            if merged and first <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(merged[-1][1], last))
            else:
                merged.append((first, last))
        return cls(tuple(merged))

    @classmethod
    def parse(cls, text: str) -> "Indexes":
        """Return the set that index ranges such as ``3,7-9`` name; nothing names no index.

        Raises:
            ValueError: the text is no index ranges.
        """
        pairs = (part.partition("-") for part in text.split(",") if part)
        return cls.of((int(first), int(last or first)) for first, _, last in pairs)

    @classmethod
    def up_to(cls, count: int) -> "Indexes":
        """Return the set of the first ``count`` indexes."""
        return cls(((0, count - 1),)) if count > 0 else cls()

    @cached_property
    def _ends(self) -> list[int]:
        """For each range how many indexes there are up to its end."""
        return list(accumulate(last - first + 1 for first, last in self.ranges))

    def __len__(self) -> int:
        return self._ends[-1] if self.ranges else 0

    def __contains__(self, index: int) -> bool:
        place = bisect_right(self.ranges, (index, index)) - 1
        # The range that begins at or before the index; a range that begins there and ends later sorts behind it.
        return any(first <= index <= last for first, last in self.ranges[max(place, 0) : place + 2])

    def __iter__(self) -> Iterator[int]:
        for first, last in self.ranges:
            yield from range(first, last + 1)

    def __or__(self, other: "Indexes") -> "Indexes":
        if not self.ranges or not other.ranges:
            return self if self.ranges else other
        return Indexes.of((*self.ranges, *other.ranges))

    def __and__(self, other: "Indexes") -> "Indexes":
        if not self.ranges or not other.ranges:
            return Indexes()
        one, two = self._near(other), other._near(self)
        return one - (one - two)

    def _near(self, other: "Indexes") -> "Indexes":
        """Return the ranges that reach into the span of a set that is not empty: of many, those that a page can touch."""
        begin = bisect_left(self.ranges, (other.ranges[0][0],))
        begin -= begin > 0 and self.ranges[begin - 1][1] >= other.ranges[0][0]
        end = bisect_left(self.ranges, (other.ranges[-1][1] + 1,))
        return Indexes(self.ranges[begin:end])

    def __sub__(self, other: "Indexes") -> "Indexes":
        if not self.ranges or not other.ranges:
            return self
        out: list[tuple[int, int]] = []
        taken = iter(other.ranges)
        hole = next(taken, None)
        for first, last in self.ranges:
            begin = first
            while hole is not None and hole[1] < begin:
                hole = next(taken, None)
            while hole is not None and hole[0] <= last:
                if hole[0] > begin:
                    out.append((begin, hole[0] - 1))
                begin = hole[1] + 1
                if begin > last:
                    break
                hole = next(taken, None)
            if begin <= last:
                out.append((begin, last))
        return Indexes(tuple(out))

    def __str__(self) -> str:
        return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in self.ranges)

    def ranks(self, first: int, last: int) -> "Indexes":
        """Return the indexes of rank ``first`` to ``last - 1``, without looking at each one before them."""
        out: list[tuple[int, int]] = []
        place = bisect_right(self._ends, first)
        while place < len(self._ends) and first < last:
            begin, end = self.ranges[place]
            before = self._ends[place] - (end - begin + 1)
            stop = min(last, self._ends[place])
            out.append((begin + first - before, begin + stop - before - 1))
            first, place = stop, place + 1
        return Indexes(tuple(out))

    def slice(self, first: int, last: int) -> list[int]:
        """Return the indexes of rank ``first`` to ``last - 1``, in order, as numbers."""
        return list(self.ranks(first, last))

    def below(self, index: int) -> int:
        """Return how many there are below an index, without looking at each."""
        place = bisect_left(self.ranges, (index, index))
        # The range before that place begins below the index, and may reach up to it or beyond.
        return min(self._ends[place - 1], self._ends[place - 1] - self.ranges[place - 1][1] + index - 1) if place else 0


def ranked(parts: Sequence[Indexes], first: int, last: int) -> list[int]:
    """Return the indexes of rank ``first`` to ``last - 1`` of the union of sets, in order, without making the union. No two sets share an index."""
    last = min(last, sum(map(len, parts)))
    if first >= last:
        return []
    beyond = max(part.ranges[-1][1] for part in parts if part.ranges) + 1

    def place(rank: int) -> int:
        return bisect_left(range(beyond), rank, key=lambda index: sum(part.below(index) for part in parts))

    begin, end = place(first), place(last)
    return sorted(chain.from_iterable(part.slice(part.below(begin), part.below(end)) for part in parts))
