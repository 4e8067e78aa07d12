"""The table of a sweep, as rows, as an Arrow table, or as a DataFrame."""

from collections.abc import Iterable
from importlib.util import find_spec
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

from pydantic import TypeAdapter

from simops_client.models import Point, Scalar

if TYPE_CHECKING:
    import pandas as pd

Row = dict[str, Scalar | None]
Form = Literal["pandas", "arrow", "rows"]

_FIRST = ("index", "id", "status", "reason", "exit_code", "seconds")
_POINTS = TypeAdapter(list[Point])


def chosen(form: Form | None) -> Form:
    """Return the form that is meant: without one a DataFrame, where pandas is."""
    return form or ("pandas" if find_spec("pandas") else "rows")


def needs_parquet(form: Form) -> bool:
    """Whether the table is asked for as Parquet."""
    return form == "arrow" or (form == "pandas" and find_spec("pyarrow") is not None)


def rows_of(text: bytes) -> list[Row]:
    """Return the rows of a table that came as JSON. Every row has all columns; their names are those of the CSV."""
    points = _POINTS.validate_json(text)
    first = [*_FIRST, *(["reused"] if any(point.reused for point in points) else [])]
    params = _heads("params", _names(point.params for point in points), taken=first)
    metrics = _heads("metrics", _names(point.metrics or {} for point in points), taken=[*first, *params.values()])
    return [
        {name: getattr(point, name) for name in first}
        | {head: point.params.get(name) for name, head in params.items()}
        | {head: (point.metrics or {}).get(name) for name, head in metrics.items()}
        for point in points
    ]


def _names(of: Iterable[dict[str, Any]]) -> list[str]:
    return sorted({name for one in of for name in one})


def _heads(kind: str, names: list[str], taken: list[str]) -> dict[str, str]:
    """Return name → column. One that would stand there twice says what it is of."""
    return {name: f"{kind}.{name}" if name in taken else name for name in names}


def arrow_of(parquet: bytes) -> Any:
    """Return a table that came as Parquet.

    Raises:
        ImportError: pyarrow is not installed.
    """
    from pyarrow import parquet as reader  # noqa: PLC0415 - needed here alone

    return reader.read_table(BytesIO(parquet))


def frame_of(content: bytes, *, is_parquet: bool) -> "pd.DataFrame":
    """Return a table as a DataFrame.

    Raises:
        ImportError: pandas is not installed.
    """
    import pandas as pd  # noqa: PLC0415 - needed here alone

    frame: pd.DataFrame = arrow_of(content).to_pandas() if is_parquet else pd.DataFrame(rows_of(content))
    return frame
