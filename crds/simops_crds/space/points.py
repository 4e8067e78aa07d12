"""A space → its points, each a mapping of parameter to value, in the order of their indexes (pure).

Points are made anew each time they are asked for, and none are kept: the same space gives the same ones.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import compress, islice, product

from simops_crds.base import Scalar
from simops_crds.kinds import MAX_POINTS
from simops_crds.space import axes as axis_values
from simops_crds.space import where
from simops_crds.space.errors import AXES, POINTS, SAMPLES, SPACE, WHERE, SpaceError
from simops_crds.space.kinds import Kind, kind_of
from simops_crds.v1alpha1.sweep import Axis, Method, Space

Point = dict[str, Scalar]
Parameters = Mapping[str, Scalar]

DEFAULT_LIMIT = 200_000
"""Points of a sweep, where the installation does not say otherwise."""
MAX_STEPS = 200_000_000
"""Steps that ``where`` may take for all points together: seconds, whatever the condition is."""
MAX_STORED_BYTES = 256_000_000
"""Of all points as they lie in the store, before ``where`` leaves some out."""

_BLOCK = 8192
_LISTED_BLOCK = 64
"""Listed points share no values, and each may have many long texts."""
_NAMES_TOLD = 1000
"""So many names of a list's parameters are known besides those that a condition has: to say which there are."""
_SAMPLED = (Method.RANDOM, Method.LATIN_HYPERCUBE, Method.SOBOL)


@dataclass(frozen=True)
class Points:
    """Points in the order of their indexes. Their number is known; they are made while they are gone through, as often as wanted."""

    _make: Callable[[], Iterator[Point]]
    _keep: bytes | None
    """For each that could be made, 1 if it is one of them. None: all."""
    _number: int

    def __len__(self) -> int:
        return self._number

    def __iter__(self) -> Iterator[Point]:
        return self._make() if self._keep is None else compress(self._make(), self._keep)

    def only(self, keep: Iterable[bool]) -> "Points":
        """Return those that are kept; ``keep`` says it of each."""
        if self._keep is None:
            mask = bytes(keep)
        else:
            chosen = iter(keep)
            mask = bytes(next(chosen) if there else 0 for there in self._keep)
        return Points(self._make, mask, sum(mask))


def count(space: Space) -> int:
    """Return how many points a space has before ``where`` leaves some out, without making any: it may be any number.

    Raises:
        SpaceError: the space contradicts itself.
    """
    axes = _axes(space)
    if space.method is Method.LIST:
        return space.points_from.points if space.points_from is not None else len(space.points or ())
    if space.method in _SAMPLED:
        if space.samples is None:
            raise SpaceError(SAMPLES, f"say how many points {space.method.value} draws")
        return space.samples
    sizes = [axis_values.count(axis) for axis in axes]
    if space.method is Method.GRID:
        return math.prod(sizes)
    if len(set(sizes)) > 1:
        told = ", ".join(f"{axis.name} has {size}" for axis, size in zip(axes, sizes, strict=True))
        raise SpaceError(AXES, f"{told}: zip takes one value of each axis at a time, so all axes need as many values")
    return sizes[0]


def check_size(space: Space, limit: int = DEFAULT_LIMIT) -> None:
    """Check that a space is not too large, without making its points.

    With ``where`` it is known only when all points were tried how many are left; then as many may be tried as a sweep can ever have,
    and ``expand`` finds whether more than ``limit`` are left.

    Raises:
        SpaceError: it would have more points than ``limit``; says how many.
    """
    number = count(space)
    if space.where is None and number > limit:
        raise SpaceError(SPACE, too_many(number, limit))
    if number > MAX_POINTS:
        raise SpaceError(
            SPACE,
            f"it has {number:,} points before where leaves some out, and at most {MAX_POINTS:,} can be tried: take fewer values",
        )


def too_many(number: int, limit: int) -> str:
    """Return the words for a sweep with more points than this installation allows."""
    return (
        f"it has {number:,} points, and a sweep has at most {limit:,} here: take fewer values or samples, leave some out by where, "
        "or make several sweeps"
    )


def check(space: Space, template_params: Parameters, limit: int = DEFAULT_LIMIT) -> None:
    """Check all of a space that can be checked without making its points: shape, names, size, and the text of ``where``.

    Needs nothing but the standard library and the schema, and a few milliseconds at most.

    Raises:
        SpaceError: something is wrong; says what, and what to do.
    """
    check_size(space, limit)
    shared = [axis.name for axis in space.axes or () if axis.name in template_params]
    if shared:
        raise SpaceError(
            AXES, f"{', '.join(shared)}: a parameter stands in template.params and in an axis; remove one of the two"
        )
    size = count(space) * sum(axis_values.stored_bytes(axis) for axis in space.axes or ())
    if size > MAX_STORED_BYTES:
        raise SpaceError(
            AXES,
            f"its points would take {size / 1e6:,.0f} MB, and at most {MAX_STORED_BYTES / 1e6:,.0f} MB are possible: take fewer of them, "
            "shorter names of parameters, or put long texts into the image and let the axis have their names",
        )
    if space.points_from is None:  # else only who has read the points knows their names
        condition_of(space, template_params)


def condition_of(space: Space, template_params: Parameters) -> where.Condition | None:
    """Return the condition that ``where`` says, checked against the parameters that there are; None where there is none.

    Raises:
        SpaceError: it is not good, or too long for so many points.
    """
    if space.where is None:
        return None
    uses = _uses(space.points or (), space.where)
    names = {axis.name for axis in space.axes or ()}.union(template_params, uses)
    condition = where.parse(space.where, names, partial(_kind, space, template_params, uses))
    number = count(space)
    if number * condition.steps > MAX_STEPS:
        raise SpaceError(
            WHERE,
            f"it has {condition.steps} steps and would be tried for {number:,} points: shorten it to {MAX_STEPS // number} steps "
            "(numbers, parameters, operators and functions), or take fewer values or samples",
        )
    return condition


def expand(space: Space, template_params: Parameters, limit: int = DEFAULT_LIMIT) -> Points:
    """Return the points of a space, without those for which ``where`` is not true. Equal points stay, each with an index of its own.

    ``template_params`` are what all points share: ``where`` may use them, and they are no part of the points. A parameter of a listed
    point goes before the shared one of its name.

    Raises:
        SpaceError: there would be no points, or more than ``limit`` (says how many), or something else is wrong with the space.
    """
    points = candidates(space, template_params, limit)
    if not points:
        raise SpaceError(WHERE, f"none of the {count(space):,} points is left: for none of them it is true")
    if len(points) > limit:
        raise SpaceError(SPACE, too_many(len(points), limit))
    return points


def candidates(space: Space, template_params: Parameters, limit: int) -> Points:
    """Return the points of a space, however many ``where`` leaves.

    Raises:
        SpaceError: something is wrong with the space.
    """
    if space.points_from is not None:
        raise ValueError("the points of this space are in the store: read them first")
    check(space, template_params, limit)
    make = partial(_made, space)
    condition = condition_of(space, template_params)
    if condition is None:
        return Points(make, None, count(space))
    # numpy is needed for no other part of a grid, a zip or a list.
    from simops_crds.space.evaluation import Filter  # noqa: PLC0415

    is_true = Filter(condition, template_params)
    points, keep = make(), bytearray()
    size = _LISTED_BLOCK if space.method is Method.LIST else _BLOCK
    while block := [_only(point, condition.names) for point in islice(points, size)]:
        keep += is_true.keep(block).tobytes()
    return Points(make, bytes(keep), sum(keep))


def _axes(space: Space) -> list[Axis]:
    axes, is_list = space.axes or [], space.method is Method.LIST
    lists = bool(space.points) + (space.points_from is not None)
    if lists != is_list or bool(axes) == is_list:
        raise SpaceError(
            SPACE, "method list needs points or pointsFrom, and no axes; every other method takes axes and no points"
        )
    names = [axis.name for axis in axes]
    for axis in axes:
        axis_values.check(axis, is_sampled=space.method in _SAMPLED)
        if names.count(axis.name) > 1:
            raise SpaceError(AXES, f"there are two axes {axis.name}: remove one of them")
    return axes


def _made(space: Space) -> Iterator[Point]:
    if space.method is Method.LIST:
        # The model is frozen, its dicts are not.
        return map(dict, space.points or ())
    axes = space.axes or []
    names = [axis.name for axis in axes]
    if space.method is Method.GRID:
        rows: Iterable[tuple[Scalar, ...]] = product(*map(axis_values.values, axes))
    elif space.method is Method.ZIP:
        rows = zip(*map(axis_values.values, axes), strict=True)
    else:
        rows = _sampled(space, axes)
    return (dict(zip(names, row, strict=True)) for row in rows)


def _sampled(space: Space, axes: list[Axis]) -> Iterator[tuple[Scalar, ...]]:
    from simops_crds.space.sampling import samples  # noqa: PLC0415 - numpy, as above

    for block in samples(space.method, len(axes), space.samples or 0, space.seed or 0):
        yield from zip(*(axis_values.sampled(axis, block[:, i]) for i, axis in enumerate(axes)), strict=True)


@dataclass
class _Use:
    """How listed points use a parameter."""

    kinds: set[Kind] = field(default_factory=set)
    without: int = 0
    """The first point that has none."""


def _uses(points: Iterable[Point], text: str) -> dict[str, _Use]:
    """Return the parameters of listed points, all that a condition can name among them, by one look at each point."""
    found: dict[str, _Use] = {}
    for index, point in enumerate(points):
        for name, value in point.items():
            if name in text or len(found) < _NAMES_TOLD:
                use = found.setdefault(name, _Use())
                use.kinds.add(kind_of(value))
                use.without += use.without == index
    return found


def _kind(space: Space, template_params: Parameters, uses: Mapping[str, _Use], name: str) -> Kind:
    kinds = _kinds(space, template_params, uses, name)
    if len(kinds) > 1:
        raise SpaceError(
            WHERE,
            f"{name} is {' in some points and '.join(sorted(kinds))} in others: a parameter in a condition has one kind of values",
        )
    return next(iter(kinds))


def _kinds(space: Space, template_params: Parameters, uses: Mapping[str, _Use], name: str) -> set[Kind]:
    for axis in space.axes or ():
        if axis.name == name:
            # All other axes have numbers, and none that is too great.
            return set(map(kind_of, axis.values or (0,)))
    use = uses.get(name, _Use())
    if use.without == len(space.points or ()) > 0:
        return use.kinds
    if name not in template_params:
        raise SpaceError(
            POINTS,
            f"point {use.without} has no parameter {name}, which where needs: give it one, or one to all in template.params",
        )
    return use.kinds | {kind_of(template_params[name])}


def _only(point: Point, names: Iterable[str]) -> Point:
    return {name: point[name] for name in names if name in point}
