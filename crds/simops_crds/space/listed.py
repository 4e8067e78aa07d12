"""A list of points as an object of its own in the store, for lists that are too long for a Kubernetes object (pure).

JSON lines, one point each, with its parameters in the order of their names: so equal lists have equal bytes, and their SHA-256 names them.
"""

import hashlib
import io
import json
import re
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
_MAX_POINT = 8 << 20
"""Of one point: 256 parameters of 4,096 characters."""
_SHORT = 1 << 16
_FLAT = re.compile(r'\{(?:[^"{}\[\]]++|"(?:[^"\\]|\\.)*+")*+\}', re.DOTALL)
"""An object in which there is no other one and no list. Of these, a few bytes of text each, memory would have forty times as many."""
_SPACE = re.compile(r"[ \t\r\n]*+")

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True, allow_nan=False).encode
# 1e400 is infinity to a reader of JSON.
_POINT: TypeAdapter[Point] = TypeAdapter(Parameters, config=ConfigDict(allow_inf_nan=False))


def to_lines(points: Iterable[Mapping[str, Scalar]]) -> bytes:
    """Return the object that holds these points.

    Raises:
        SpaceError: it would have more than ``MAX_LIST_BYTES``.
    """
    out = io.BytesIO()
    for point in points:
        out.write(f"{_encode(point)}\n".encode())
        if out.tell() > MAX_LIST_BYTES:
            raise SpaceError(POINTS_FROM, f"its points are more than {MAX_LIST_BYTES >> 20} MiB: make several sweeps")
    return out.getvalue()


def digest_of(data: bytes) -> str:
    """Return what names an object: ``sha256:`` and 64 hexadecimal digits."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def checked(values: Iterable[object], what: str = "point") -> Iterator[Point]:
    """Yield values as points, by the rules for points in a SimulationSweep. ``what`` is counted in messages, from 1 on.

    Raises:
        SpaceError: one is none, or there are none or too many.
    """
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


def from_lines(data: bytes) -> Iterator[Point]:
    """Yield the points of JSON lines. Empty lines are left out.

    Raises:
        SpaceError: a line is no point; says which and why.
    """
    return checked(_in_line(number, line) for number, line in enumerate(_lines(data), 1) if line.strip())


def from_array(text: str) -> Iterator[Point]:
    """Yield the points of a JSON list, each of which is read for itself.

    Raises:
        SpaceError: it is none, or something in it is no point; says which and why.
    """
    return checked(_items(text))


def _items(text: str) -> Iterator[object]:
    at = _after_space(text, 0)
    if not text.startswith("[", at):
        raise SpaceError(POINTS_FROM, "the body is no list: write [{…}, {…}], or send lines or a table")
    at, number = _after_space(text, at + 1), 0
    while number or not text.startswith("]", at):
        number += 1
        found = _FLAT.match(text, at, at + _MAX_POINT)
        if found is None:
            raise SpaceError(
                POINTS_FROM, f"point {number} is no JSON object whose values are numbers, booleans and strings"
            )
        try:
            yield _parsed(found[0])
        except (ValueError, RecursionError) as error:
            raise SpaceError(POINTS_FROM, f"point {number} is no JSON object with parameters: {error}") from error
        at = _after_space(text, found.end())
        if text.startswith("]", at):
            break
        if not text.startswith(",", at):
            raise SpaceError(POINTS_FROM, f"the body is no JSON: neither a comma nor ] after point {number}")
        at = _after_space(text, at + 1)
    if _after_space(text, at + 1) < len(text):
        raise SpaceError(POINTS_FROM, "the body is no JSON: something stands after its list")


def _after_space(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    return found.end() if found is not None else at


def _lines(data: bytes) -> Iterator[bytes]:
    stream = io.BytesIO(data)
    while line := stream.readline(_MAX_POINT):
        if len(line) == _MAX_POINT:
            raise SpaceError(POINTS_FROM, f"a line has {_MAX_POINT >> 20} MiB or more: no point is so long")
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
        for _ in from_lines(data):
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


def _parsed(text: str) -> object:
    return json.loads(text, object_pairs_hook=_once, parse_constant=_no_constant)


def _in_line(number: int, line: bytes) -> object:
    words = f"line {number} is no JSON object with the parameters of a point"
    try:
        text = line.decode()
        if len(text) <= _SHORT or _FLAT.fullmatch(text.strip()):
            return _parsed(text)
    except (ValueError, RecursionError) as error:
        raise SpaceError(POINTS_FROM, f"{words}: {error}") from error
    raise SpaceError(POINTS_FROM, f"{words}: it has objects or lists in it, or no end")


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
