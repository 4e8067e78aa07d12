"""A list of points as it is stored and named (pure)."""

from dataclasses import dataclass

from pydantic import BaseModel, ConfigDict

from simops_crds.space import Point, listed


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


def list_of(points: list[Point]) -> List:
    """Return points as what is stored of them."""
    data = listed.to_lines(points)
    names = sorted(frozenset[str]().union(*points))
    return List(Uploaded(digest=listed.digest_of(data), points=len(points), names=names), data)
