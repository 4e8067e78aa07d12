"""A sweep's table as a Parquet file, which is sent while it is made: in memory is one row group of it."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from simops_api.artifacts.sink import Sink
from simops_api.auth.caller import Caller
from simops_api.shares import Shares
from simops_api.sweeps.points import Row
from simops_api.sweeps.records import SweepRecord
from simops_api.sweeps.table import Columns, cell
from simops_crds.names import FINAL_PHASES

GROUP_CELLS = 250_000
GROUP_CHARACTERS = 4 << 20
"""So many cells, or so many characters of texts, are a row group: some twenty megabytes until it is written."""
FILES = 16
"""Parquet files that are made at once."""


async def one_of(places: Shares, caller: Caller, file: AsyncGenerator[bytes, None]) -> AsyncGenerator[bytes, None]:
    """Yield a file that is made, when the caller may have one more of them.

    Raises:
        ProblemError: 429, 503 there are as many as there may be.
    """
    async with aclosing(file):
        with places.held(caller):
            async for part in file:
                yield part


async def parquet_of(
    record: SweepRecord, columns: Columns, blocks: AsyncGenerator[list[Row], None]
) -> AsyncGenerator[bytes, None]:
    """Yield the table as a Parquet file.

    A column of numbers and nothing else is one of numbers; any other one is of strings, as CSV has them. As long as a sweep is not finished, a metric
    may still become what it was not when the columns were looked for: until then all metrics are of floating point.
    """
    kinds = [_kind(found) for found in columns.kinds(is_open=record.phase not in FINAL_PHASES)]
    file = await asyncio.to_thread(_File, columns.heads, kinds)
    rows: list[list[Any]] = []
    characters = 0
    async with aclosing(blocks):
        async for block in blocks:
            for row in block:
                rows.append(values := columns.values(record, row))
                characters += sum(len(value) for value in values if isinstance(value, str))
                if len(rows) * len(kinds) >= GROUP_CELLS or characters >= GROUP_CHARACTERS:
                    group = await asyncio.to_thread(file.group, rows)
                    rows, characters = [], 0  # before it is sent: its reader may be slow
                    yield group
    yield await asyncio.to_thread(file.end, rows)


def _kind(found: set[type]) -> type:
    if found == {bool}:
        return bool
    if found == {int}:
        return int
    return float if found and found <= {int, float} else str


class _File:
    """A Parquet file under way."""

    def __init__(self, heads: Sequence[str], kinds: Sequence[type]) -> None:
        import pyarrow as pa  # noqa: PLC0415 - 0.3 s, needed only here
        from pyarrow import parquet  # noqa: PLC0415

        types = {bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string()}
        self._kinds = kinds
        self._schema = pa.schema([(head, types[kind]) for head, kind in zip(heads, kinds, strict=True)])
        self._sink = Sink()
        self._writer = parquet.ParquetWriter(pa.PythonFile(self._sink, mode="w"), self._schema, compression="zstd")

    def group(self, rows: list[list[Any]]) -> bytes:
        """Write a row group; return what the file is longer by."""
        import pyarrow as pa  # noqa: PLC0415

        columns = list(zip(*rows, strict=True)) or [()] * len(self._kinds)
        arrays = [
            pa.array([_as(kind, value) for value in column], field.type)
            for kind, column, field in zip(self._kinds, columns, self._schema, strict=True)
        ]
        self._writer.write_table(pa.Table.from_arrays(arrays, schema=self._schema))
        return self._sink.take()

    def end(self, rows: list[list[Any]]) -> bytes:
        """Write the last rows, and what such a file ends with; return both."""
        last = self.group(rows)
        self._writer.close()
        return last + self._sink.take()


def _as(kind: type, value: Any) -> Any:
    if value is None:
        return None
    if kind is str:
        return cell(value)
    return kind(value)
