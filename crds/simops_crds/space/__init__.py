"""Parameter space → points, and points ↔ what lies in the store (pure).

| module | what |
|---|---|
| `points.py` | how many points, which ones; the limits |
| `axes.py`, `sampling.py` | values of an axis; samples of the unit cube |
| `where.py`, `evaluation.py` | the condition: checked, then computed for many points at once |
| `chunks.py` | chunks of JSON lines and their index |
| `listed.py` | a list of points as an object of its own |
| `extension.py` | a larger space in place of the one that a sweep began with |

Who only checks needs the standard library; numpy is loaded when samples are drawn or ``where`` is computed, scipy for Sobol and Latin
hypercube alone.
"""

from simops_crds.space.chunks import (
    CHUNK_POINTS,
    MAX_CHUNK_BYTES,
    Chunk,
    ChunkRef,
    IndexBuilder,
    PointsIndex,
    chunks,
    digest,
    read,
)
from simops_crds.space.errors import SpaceError
from simops_crds.space.extension import begins_with, extension, is_extension, key_of
from simops_crds.space.points import DEFAULT_LIMIT, Point, Points, check, check_size, count, expand

__all__ = [
    "CHUNK_POINTS",
    "DEFAULT_LIMIT",
    "MAX_CHUNK_BYTES",
    "Chunk",
    "ChunkRef",
    "IndexBuilder",
    "Point",
    "Points",
    "PointsIndex",
    "SpaceError",
    "begins_with",
    "check",
    "check_size",
    "chunks",
    "count",
    "digest",
    "expand",
    "extension",
    "is_extension",
    "key_of",
    "read",
]
