"""A sweep as a table, a row for each point (pure)."""

import csv
import io
import json
from collections.abc import Iterator
from typing import Any

from simops_api.jobs.ids import point_id
from simops_api.sweeps.points import params_of
from simops_api.sweeps.records import SweepRecord

_ROWS = 1000
"""Rows that are made at once."""
_FIRST = ("index", "id", "status")


def columns_of(record: SweepRecord) -> list[str]:
    """Return the parameters that are columns: those that points vary in the order of their names, then those that all share."""
    shared = json.loads(record.shared).get("params") or {}
    varied = {name for point in record.listed for name in json.loads(point)}
    return [*sorted(varied), *sorted(set(shared) - varied)]


def rows_of(record: SweepRecord) -> Iterator[dict[str, Any]]:
    """Yield the points in order."""
    phases = {index: phase for phase, found in record.points.items() for index in found}
    for index in range(record.total):
        yield {
            "index": index,
            "id": point_id(record.id, index),
            "status": phases[index],
            "params": params_of(record, index),
        }


def csv_of(record: SweepRecord) -> Iterator[bytes]:
    """Yield the table as CSV (RFC 4180), some rows at a time. Numbers and booleans are written as in JSON; an empty field is no value."""
    columns = columns_of(record)
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    # A parameter may be called as one of the first columns is.
    writer.writerow([*_FIRST, *(f"params.{name}" if name in _FIRST else name for name in columns)])
    for row in rows_of(record):
        params = row["params"]
        writer.writerow([*(row[name] for name in _FIRST), *(_cell(params.get(name)) for name in columns)])
        if (row["index"] + 1) % _ROWS == 0:
            yield _take(buffer)
    yield _take(buffer)


def _cell(value: Any) -> Any:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _take(buffer: io.StringIO) -> bytes:
    text = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return text.encode(errors="replace")


def json_of(record: SweepRecord) -> Iterator[bytes]:
    """Yield the table as a JSON list of objects (``models.Point``), some at a time."""
    yield b"["
    lines: list[str] = []
    for row in rows_of(record):
        lines.append(("," if row["index"] else "") + json.dumps(row, separators=(",", ":")))
        if len(lines) == _ROWS:
            yield "".join(lines).encode()
            lines.clear()
    yield "".join(lines).encode() + b"]"
