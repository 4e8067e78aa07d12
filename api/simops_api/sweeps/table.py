"""A sweep as a table, a row for each point: the words are pure, the rows come from the shelf some at a time."""

import asyncio
import csv
import io
import json
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from simops_api.errors import ProblemError
from simops_api.jobs.ids import point_id, sibling_id
from simops_api.sweeps.points import Row, origin_of, point_row
from simops_api.sweeps.records import SweepRecord

MAX_COLUMNS = 2000
MAX_CELLS = 20_000_000
FIRST = ("index", "id", "status", "reason", "exit_code", "seconds")


@dataclass
class Columns:
    """The columns that the rows of a table need: parameters, then metrics, each in the order of the names."""

    params: set[str] = field(default_factory=set)
    metrics: set[str] = field(default_factory=set)
    reused: bool = False
    """Whether a row has the result of an earlier run: then there is a column that says of which."""

    def take(self, rows: Iterable[Row]) -> None:
        """Take note of what rows have.

        Raises:
            ProblemError: 422, they have more different names than a table has columns.
        """
        for row in rows:
            self.params.update(row.params)
            self.metrics.update(row.metrics)
            self.reused = self.reused or origin_of(row) is not None
        if len(self.params) + len(self.metrics) > MAX_COLUMNS:
            raise ProblemError(
                422,
                f"the points of this sweep have more than {MAX_COLUMNS:,} different parameters and metrics, which makes no table: take JSON",
            )

    def check_cells(self, rows: int) -> None:
        """See that a table that is made as a whole is not too large for that.

        Raises:
            ProblemError: 422.
        """
        if rows * len(self.heads) > MAX_CELLS:
            raise ProblemError(
                422, f"a Parquet file has at most {MAX_CELLS:,} cells here, and this one has more: take CSV"
            )

    @cached_property
    def _ordered(self) -> tuple[list[str], list[str]]:
        """The names in order; asked for when all rows are known."""
        return sorted(self.params), sorted(self.metrics)

    @property
    def first(self) -> list[str]:
        """The names of the first columns."""
        return [*FIRST, *(["reused"] if self.reused else [])]

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
    yield _csv([columns.heads])
    async with aclosing(blocks):
        async for rows in blocks:
            cells = ([_cell(value) for value in columns.values(record, row)] for row in rows)
            yield await asyncio.to_thread(_csv, cells)


def _csv(rows: Iterable[Sequence[Any]]) -> bytes:
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode(errors="replace")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


async def json_of(record: SweepRecord, blocks: AsyncGenerator[list[Row], None]) -> AsyncGenerator[bytes, None]:
    """Yield the table as a JSON list of objects (``models.Point``), some at a time."""
    yield b"["
    comma = ""
    async with aclosing(blocks):
        async for rows in blocks:
            lines = [json.dumps(point_row(record, row), separators=(",", ":")) for row in rows]
            if lines:
                yield (comma + ",".join(lines)).encode()
                comma = ","
    yield b"]"


async def parquet_of(record: SweepRecord, columns: Columns, blocks: AsyncGenerator[list[Row], None]) -> bytes:
    """Return the table as a Parquet file. A column of numbers and nothing else is one of numbers; any other one is of strings, as CSV has them."""
    by_column: list[list[Any]] = [[] for _ in columns.heads]
    async with aclosing(blocks):
        async for rows in blocks:
            for row in rows:
                for column, value in zip(by_column, columns.values(record, row), strict=True):
                    column.append(value)
    return await asyncio.to_thread(_parquet, columns.heads, by_column)


def _parquet(heads: Sequence[str], by_column: Sequence[list[Any]]) -> bytes:
    import pyarrow as pa  # noqa: PLC0415 - 0.3 s, needed only here
    from pyarrow import parquet  # noqa: PLC0415

    arrays = [pa.array(_uniform(values)) for values in by_column]
    sink = io.BytesIO()
    parquet.write_table(pa.table(dict(zip(heads, arrays, strict=True))), sink, compression="zstd")
    return sink.getvalue()


def _uniform(values: list[Any]) -> list[Any]:
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {bool} or kinds <= {int} or kinds <= {str}:
        return values
    if kinds <= {int, float}:
        return [None if value is None else float(value) for value in values]
    return [None if value is None else _cell(value) for value in values]
