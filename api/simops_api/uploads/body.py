"""From the body of an upload to points (pure)."""

import codecs
import csv
import io
import json
import re
from collections.abc import Iterator

from simops_api.errors import ProblemError
from simops_crds.space import Point, SpaceError, listed

LINES, ARRAY, TABLE = "application/x-ndjson", "application/json", "text/csv"
MEDIA = {
    LINES: LINES,
    "application/jsonl": LINES,
    "application/jsonlines": LINES,
    ARRAY: ARRAY,
    TABLE: TABLE,
}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_BOOLEANS = {"true": True, "false": False}


def points_of(data: bytes, content_type: str) -> Iterator[Point]:
    """Yield the points of a body, each when it is asked for: as objects all of them take many times as much memory as the body.

    Raises:
        ProblemError: 415, it is of another kind; 422, it is not UTF-8.
        SpaceError: it has no points, or something that is none.
    """
    kind = MEDIA.get(content_type.partition(";")[0].strip().lower())
    if kind is None:
        raise ProblemError(
            415,
            f"a list of points is {LINES} (an object a line), {ARRAY} (a list of objects) or {TABLE} (a column for each parameter)",
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ProblemError(422, f"the body is not UTF-8: byte {error.start}") from error
    if kind == LINES:
        return listed.from_lines(data.removeprefix(codecs.BOM_UTF8))
    return listed.from_array(text) if kind == ARRAY else listed.checked(rows_of(text), "row")


def rows_of(text: str) -> Iterator[Point]:
    """Yield the rows of a table (RFC 4180). A cell that JSON reads as a number, true or false is that; all else is text.

    An empty cell gives its parameter no value.

    Raises:
        SpaceError: it is no table.
    """
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(reader, [])
        if len(set(names)) < len(names) or not all(names):
            raise SpaceError(listed.POINTS_FROM, "the first row names the parameters, each once and none of them empty")
        for number, row in enumerate(reader, 1):
            if not row:
                continue  # an empty line
            if len(row) != len(names):
                raise SpaceError(
                    listed.POINTS_FROM, f"row {number} has {len(row)} cells, and there are {len(names)} columns"
                )
            yield {name: value_of(cell) for name, cell in zip(names, row, strict=True) if cell}
    except csv.Error as error:
        raise SpaceError(listed.POINTS_FROM, f"row {reader.line_num} is none of a table: {error}") from error


def value_of(cell: str) -> bool | int | float | str:
    """Return what a cell of a table means."""
    if cell in _BOOLEANS:
        return _BOOLEANS[cell]
    if len(cell) > 400 or not _NUMBER.fullmatch(cell):
        return cell
    number: int | float = json.loads(cell)
    return number
