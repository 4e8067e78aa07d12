"""A larger space in place of the one that a sweep began with: what may grow, and which points are new (pure).

The points that there are keep their indexes, and new ones are appended: what has run stays what it is.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from simops_crds.base import Scalar
from simops_crds.kinds import MAX_POINTS
from simops_crds.space import points as _points
from simops_crds.space.errors import SAMPLES, SPACE, SpaceError
from simops_crds.space.points import Points
from simops_crds.v1alpha1.sweep import Axis, Method, Space

_encode = json.JSONEncoder(separators=(",", ":"), sort_keys=True).encode
_HYPERCUBE = "with another number of samples every point of a Latin hypercube is another one: make a new sweep, or use sobol or random, which can be extended"


def is_extension(old: Space, new: Space) -> str | None:
    """Return None if a sweep over ``old`` may go on over ``new`` (the same space is one too), else a sentence that says why not."""
    if old.method is not new.method:
        return f"method cannot be changed from {old.method.value} to {new.method.value}: make a new sweep"
    if (old.seed or 0) != (new.seed or 0):
        return "seed cannot be changed: with another one all points are other ones; make a new sweep"
    if old.where != new.where:
        return "where cannot be changed: make a new sweep"
    match new.method:
        case Method.LIST:
            return _list_grown(old, new)
        case Method.GRID | Method.ZIP:
            return _axes_grown(old, new, _axis_grown)
    if (why := _axes_grown(old, new, _axis_same)) is not None:
        return why
    was, is_now = old.samples or 0, new.samples or 0
    if new.method is Method.LATIN_HYPERCUBE and was != is_now:
        return _HYPERCUBE
    return None if is_now >= was else f"samples cannot be made less than the {was} that there are"


def extension(
    there: Iterable[bytes],
    new_space: Space,
    template_params: Mapping[str, Scalar],
    limit: int = _points.DEFAULT_LIMIT,
) -> Points:
    """Return the points of a larger space that are not among those that a sweep has; there may be none.

    Their indexes go on where the others end. Of a list, and of the sequences random and sobol, they are those behind the old ones; of
    a grid or a zip those that differ from every old one. Old points that are not in the larger space (a ``linspace`` of 6 values
    has few of one of 5) stay with the sweep.

    Args:
        there: the keys (``key_of``) of all points of the sweep, in order: they are small, whatever the points are.
        new_space: an extension of its space (see ``is_extension``).
        template_params: as for ``expand``.
        limit: as for ``expand``, of old and new points together.

    Raises:
        SpaceError: there would be too many points, or something else is wrong with the space.
    """
    if new_space.method is Method.LATIN_HYPERCUBE:
        raise SpaceError(SAMPLES, _HYPERCUBE)
    all_points = _points.candidates(new_space, template_params, limit)
    if new_space.method in (Method.GRID, Method.ZIP):
        number, keep = _unlike(there, all_points)
    else:
        number = sum(1 for _ in there)
        keep = (place >= number for place in range(len(all_points)))
    new = all_points.only(keep)
    if number + len(new) > limit:
        raise SpaceError(SPACE, _points.too_many(number + len(new), limit))
    return new


def _unlike(old: Iterable[bytes], new: Iterable[Mapping[str, Scalar]]) -> tuple[int, Iterator[bool]]:
    """Return how many old points there are, and for each new one whether it is not among them. Equal ones are counted."""
    there = Counter(old)
    number = there.total()

    def is_new(point: Mapping[str, Scalar]) -> bool:
        key = key_of(point)
        if there[key] <= 0:
            return True
        there[key] -= 1
        return False

    return number, map(is_new, new)


def key_of(point: Mapping[str, Scalar]) -> bytes:
    """Return what tells a point from others, in 16 bytes."""
    # Of its text: for Python True and 1 are equal; as parameters they are not.
    return hashlib.blake2b(_encode(point).encode(), digest_size=16).digest()


def _grown(what: str, old: Sequence[object], new: Sequence[object]) -> str | None:
    if _encode(new[: len(old)]) != _encode(old):
        return f"{what} that are there cannot be changed, moved or taken away: only append to them, or make a new sweep"
    return None


def _list_grown(old: Space, new: Space) -> str | None:
    if old.points_from is None and new.points_from is None:
        return _grown("points", old.points or (), new.points or ())
    # Whether they begin with the same points is seen by the points themselves (``begins_with``).
    was, is_now = _points.count(old), _points.count(new)
    return None if is_now >= was else f"the {was:,} points that are there cannot be taken away: only append to them"


def begins_with(space: Space, template_params: Mapping[str, Scalar], there: Iterable[bytes]) -> bool:
    """Whether the points of a list (those that ``where`` leaves) begin with those that have these keys. All of the list is in ``space``."""
    new = map(key_of, _points.candidates(space, template_params, MAX_POINTS))
    return all(old == next(new, None) for old in there)


def _axes_grown(old: Space, new: Space, grown: Callable[[Axis, Axis], str | None]) -> str | None:
    before, after = old.axes or [], new.axes or []
    if [axis.name for axis in before] != [axis.name for axis in after]:
        return "axes cannot be added, renamed, moved or taken away: make a new sweep"
    return next((why for pair in zip(before, after, strict=True) if (why := grown(*pair)) is not None), None)


def _axis_same(old: Axis, new: Axis) -> str | None:
    if _encode(old.to_dict()) != _encode(new.to_dict()):
        return f"axis {new.name} cannot be changed, as every sample depends on it: raise samples, or make a new sweep"
    return None


def _axis_grown(old: Axis, new: Axis) -> str | None:
    if old.values is not None and new.values is not None:
        return _grown(f"values of axis {new.name}", old.values, new.values)
    for field, size in (("linspace", "num"), ("logspace", "num"), ("integers", "high")):
        before, after = getattr(old, field), getattr(new, field)
        if before is not None and after is not None:
            if before != after.model_copy(update={size: getattr(before, size)}):
                return f"of {field} of axis {new.name} only {size} can be changed: make a new sweep"
            if getattr(after, size) < getattr(before, size):
                return f"{size} of axis {new.name} cannot be made less than the {getattr(before, size)} that there are"
            return None
    return None if old == new else f"axis {new.name} cannot be described in another way: make a new sweep"
