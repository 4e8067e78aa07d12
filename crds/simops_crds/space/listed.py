"""A list of points as an object of its own in the store, for lists that are too long for a Kubernetes object (pure).

JSON lines, one point each, with its parameters in the order of their names: so equal lists have equal bytes, and their SHA-256 names them.
"""

import hashlib
import io
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import overload

from pydantic import ConfigDict, TypeAdapter, ValidationError

from simops_crds.base import Parameters, Scalar
from simops_crds.kinds import MAX_POINTS
from simops_crds.space.errors import SpaceError
from simops_crds.space.points import Point

POINTS_FROM = "spec.space.pointsFrom"
MAX_LIST_BYTES = 128 << 20
"""Of a list in the store: who reads it holds its bytes, and of its points one at a time."""
_MAX_LINE = 8 << 20
"""Of one point: 256 parameters of 4,096 characters."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode
# 1e400 is infinity to a reader of JSON.
_POINT: TypeAdapter[Point] = TypeAdapter(Parameters, config=ConfigDict(allow_inf_nan=False))


def to_lines(points: Iterable[Mapping[str, Scalar]]) -> bytes:
    """Return the object that holds these points."""
    return b"".join(f"{_encode(point)}\n".encode() for point in points)


def digest_of(data: bytes) -> str:
    """Return what names an object: ``sha256:`` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def checked(values: Iterable[object], what: str = "point") -> list[Point]:
    """Return values as points, by the rules for points in a SimulationSweep. ``what`` is counted in messages, from 1 on.

    Raises:
        SpaceError: one is none, or there are none or too many.
    """
    return list(_each(values, what))


def _each(values: Iterable[object], what: str) -> Iterator[Point]:
    number = 0
    for number, value in enumerate(values, 1):
        if number > MAX_POINTS:
            raise SpaceError(POINTS_FROM, f"there are more than {MAX_POINTS:,} points: make several sweeps")
        try:
            point = _POINT.validate_python(value)
        except ValidationError as error:
            raise SpaceError(POINTS_FROM, f"{what} {number}: {_said(error)}") from error
        yield point
    if not number:
        raise SpaceError(POINTS_FROM, "there are no points")


def from_lines(data: bytes) -> list[Point]:
    """Return the points of JSON lines. Empty lines are left out.

    Raises:
        SpaceError: a line is no point; says which and why.
    """
    return list(_points_in(data))


def _points_in(data: bytes) -> Iterator[Point]:
    return _each((_parsed(number, line) for number, line in enumerate(_lines(data), 1) if line.strip()), "point")


def _lines(data: bytes) -> Iterator[bytes]:
    stream = io.BytesIO(data)
    while line := stream.readline(_MAX_LINE):
        if len(line) == _MAX_LINE:
            raise SpaceError(POINTS_FROM, f"a line has {_MAX_LINE >> 20} MiB or more: no point is so long")
        yield line.rstrip(b"\n")


@dataclass(frozen=True)
class Lines(Sequence[Point]):
    """The points of JSON lines, each made when it is asked for. Their rules are kept: see ``read``."""

    _data: bytes
    _number: int

    @classmethod
    def read(cls, data: bytes, number: int) -> "Lines":
        """Return the points of JSON lines, which must be so many. Empty lines are left out.

        Raises:
            SpaceError: they are another number, or a line is no point; says which and why.
        """
        found = sum(1 for line in _lines(data) if line.strip())
        if found != number:
            raise SpaceError(POINTS_FROM, f"the list has {found:,} points, and {POINTS_FROM}.points says {number:,}")
        for _ in _points_in(data):
            pass
        return cls(data, number)

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[Point]:
        return (json.loads(line) for line in _lines(self._data) if line.strip())

    @overload
    def __getitem__(self, place: int) -> Point: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Point]: ...
    def __getitem__(self, place: int | slice) -> Point | Sequence[Point]:
        """Return one point, or some: by going through all, as nobody does who has many."""
        return list(self)[place]


def parsed(text: bytes | str) -> object:
    """Return what JSON says, which must be said once and in numbers that JSON has.

    Raises:
        ValueError: it is no JSON, or not so.
    """
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _parsed(number: int, line: bytes) -> object:
    try:
        return parsed(line)
    except (ValueError, RecursionError) as error:
        raise SpaceError(
            POINTS_FROM, f"line {number} is no JSON object with the parameters of a point: {error}"
        ) from error


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a parameter is given twice")
    return found


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is no number of JSON")


def _said(error: ValidationError) -> str:
    first = error.errors(include_url=False)[0]
    place = first["loc"][0] if first["loc"] else ""
    words = str(first["msg"]).removeprefix("Value error, ")
    if first["type"] in ("bool_type", "int_type", "float_type", "string_type", "dict_type"):
        words = (
            "the value of a parameter is a finite number, a boolean or a string"
            if place
            else "it is no object with parameters"
        )
    return f"{place}: {words}" if place else words
