"""A sweep as a table, a row for each point: the words are pure, the rows come from the shelf some at a time."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from simops_api.errors import ProblemError
from simops_api.holds import PIECE
from simops_api.jobs.ids import point_id, sibling_id
from simops_api.sweeps.points import Row, origin_of, point_row
from simops_api.sweeps.records import SweepRecord

MAX_COLUMNS = 2000
FIRST = ("index", "id", "status", "reason", "exit_code", "seconds")


class Long(int):
    """The type of integers that 64 bits do not hold."""


@dataclass
class Columns:
    """The columns that the rows of a table need: parameters, then metrics, each in the order of the names."""

    params: dict[str, set[type]] = field(default_factory=dict)
    """Name → the types of its values."""
    metrics: dict[str, set[type]] = field(default_factory=dict)
    reused: bool = False
    """Whether a row has the result of an earlier run: then there is a column that says of which."""

    def take(self, rows: Iterable[Row]) -> None:
        """Take note of what rows have.

        Raises:
            ProblemError: 422, they have more different names than a table has columns.
        """
        for row in rows:
            _note(self.params, row.params)
            _note(self.metrics, row.metrics)
            self.reused = self.reused or origin_of(row) is not None
        if len(self.params) + len(self.metrics) > MAX_COLUMNS:
            raise ProblemError(
                422,
                f"the points of this sweep have more than {MAX_COLUMNS:,} different parameters and metrics, which makes no table: take JSON",
            )

    @cached_property
    def _ordered(self) -> tuple[list[str], list[str]]:
        """The names in order; asked for when all rows are known."""
        return sorted(self.params), sorted(self.metrics)

    @property
    def first(self) -> list[str]:
        """The names of the first columns."""
        return [*FIRST, *(["reused"] if self.reused else [])]

    def kinds(self, *, is_open: bool) -> list[set[type]]:
        """Return the types of the values of all columns; with ``is_open`` also those that metrics may still become."""
        first: dict[str, set[type]] = {"index": {int}, "exit_code": {int}, "seconds": {float}}
        params, metrics = self._ordered
        return [
            *(first.get(name, {str}) for name in self.first),
            *(self.params[name] for name in params),
            *(self.metrics[name] | ({float} if is_open else set()) for name in metrics),
        ]

    @property
    def heads(self) -> list[str]:
        """The names of all columns. One that would stand there twice says what it is of."""
        taken = set(self.first)
        params = [f"params.{name}" if name in taken else name for name in sorted(self.params)]
        taken |= set(params)
        return [*self.first, *params, *(f"metrics.{name}" if name in taken else name for name in sorted(self.metrics))]

    def values(self, record: SweepRecord, row: Row) -> list[Any]:
        """Return a row's value of each column, None where it has none."""
        first = [
            row.index,
            point_id(record.id, row.index),
            row.status,
            *(row.told(k) for k in ("reason", "exitCode", "seconds")),
        ]
        if self.reused:
            origin = origin_of(row)
            first.append(sibling_id(record.id, origin.run) if origin is not None else None)
        params, metrics = self._ordered
        return [*first, *(row.params.get(name) for name in params), *(row.metrics.get(name) for name in metrics)]


def _note(known: dict[str, set[type]], values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        kinds = known.get(name)
        if kinds is None:
            kinds = known[name] = set()
        is_long = type(value) is int and not -(1 << 63) <= value < 1 << 63
        kinds.add(Long if is_long else type(value))


async def columns_of(blocks: AsyncIterator[list[Row]]) -> Columns:
    """Return the columns of a table, which only all of its rows tell."""
    columns = Columns()
    async for rows in blocks:
        columns.take(rows)
    return columns


async def csv_of(
    record: SweepRecord, columns: Columns, blocks: AsyncGenerator[list[Row], None]
) -> AsyncGenerator[bytes, None]:
    """Yield the table as CSV (RFC 4180), some rows at a time. Numbers and booleans are written as in JSON; an empty field is no value."""
    yield next(_csv([columns.heads]))
    async with aclosing(blocks):
        async for rows in blocks:
            cells = ([cell(value) for value in columns.values(record, row)] for row in rows)
            pieces = _csv(cells)
            while piece := await asyncio.to_thread(next, pieces, b""):
                yield piece


def _csv(rows: Iterable[Sequence[Any]]) -> Iterator[bytes]:
    """Yield lines, some at a time. What all points share may be long, and is written for each of them."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    for row in rows:
        writer.writerow(row)
        if buffer.tell() >= PIECE:
            yield _taken(buffer)
    if buffer.tell():
        yield _taken(buffer)


def _taken(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode(errors="replace")


def cell(value: Any) -> str:
    """Return a value as it stands in a CSV file."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


async def json_of(record: SweepRecord, blocks: AsyncGenerator[list[Row], None]) -> AsyncGenerator[bytes, None]:
    """Yield the table as a JSON list of objects (``models.Point``), some at a time."""
    made, size, before = list[str](), 0, "["
    async with aclosing(blocks):
        async for rows in blocks:
            for row in rows:
                made.append(json.dumps(point_row(record, row), separators=(",", ":")))
                size += len(made[-1])
                if size >= PIECE or row is rows[-1]:
                    yield (before + ",".join(made)).encode()
                    made, size, before = [], 0, ","
    yield b"]" if before == "," else b"[]"
