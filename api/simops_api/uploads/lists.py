"""A list of points as it is stored and named (pure)."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from simops_crds.space import Point, SpaceError, listed

MAX_NAMES = 10_000


class Uploaded(BaseModel):
    """A list of points in the store. ``digest`` and ``points`` are what a sweep's ``space.pointsFrom`` takes."""

    model_config = ConfigDict(
        json_schema_extra={"examples": [{"digest": "sha256:" + "0f" * 32, "points": 100_000, "names": ["dt", "dx"]}]}
    )

    digest: str
    """Names exactly these points: the same list has the same one."""
    points: int
    """How many they are."""
    names: list[str]
    """The parameters that they have."""


@dataclass(frozen=True)
class List:
    """A list that is ready to be stored."""

    uploaded: Uploaded
    data: bytes


def list_of(points: Iterable[Point]) -> List:
    """Return points as what is stored of them.

    Raises:
        SpaceError: they have too many names, or take too many bytes.
    """
    names, count = set[str](), 0

    def counted() -> Iterator[Point]:
        nonlocal count
        for point in points:
            count += 1
            names.update(point)
            if len(names) > MAX_NAMES:
                raise SpaceError(listed.POINTS_FROM, f"its points have more than {MAX_NAMES:,} different parameters")
            yield point

    data = listed.to_lines(counted())
    return List(Uploaded(digest=listed.digest_of(data), points=count, names=sorted(names)), data)
