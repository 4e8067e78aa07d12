"""One axis → its values: all of them in order, or one for each sample of the interval 0…1 (pure)."""

import json
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from pydantic.alias_generators import to_snake

from simops_crds.base import Scalar
from simops_crds.space.errors import AXES, SpaceError
from simops_crds.v1alpha1.sweep import AXIS_KINDS, Axis, Integers

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Unit = NDArray[np.float64]


_NUMBER_BYTES = 20
"""Of a number as JSON, most of the time."""


def count(axis: Axis) -> int:
    """Return how many values a grid or a zip takes of an axis, without making them.

    Raises:
        SpaceError: the axis has no list of values.
    """
    if axis.values is not None:
        return len(axis.values)
    if axis.linspace:
        return axis.linspace.num
    if axis.logspace:
        return axis.logspace.num
    if axis.integers:
        return len(_integers(axis.integers))
    raise _unfit(axis, "values, linspace, logspace or integers")


def values(axis: Axis) -> Sequence[Scalar]:
    """Return all values of an axis, in order; what comes first and last is exactly what was written.

    Raises:
        SpaceError: the axis has no list of values.
    """
    if axis.values is not None:
        return axis.values
    if axis.linspace:
        return _linspace(axis.linspace.start, axis.linspace.stop, axis.linspace.num)
    if axis.logspace:
        return _logspace(axis.logspace.start, axis.logspace.stop, axis.logspace.num)
    if axis.integers:
        return _integers(axis.integers)
    raise _unfit(axis, "values, linspace, logspace or integers")


def sampled(axis: Axis, unit: "Unit") -> list[Scalar]:
    """Return one value of an axis for each sample of 0…1; n values or integers share the interval in n equal parts.

    Args:
        unit: shape (samples,).

    Raises:
        SpaceError: the axis cannot be sampled.
    """
    if axis.values is not None:
        return [axis.values[part] for part in _parts(unit, len(axis.values))]
    if axis.integers:
        numbers = _integers(axis.integers)
        return [numbers[part] for part in _parts(unit, len(numbers))]
    if axis.uniform:
        return _uniform(axis.uniform.low, axis.uniform.high, unit)
    if axis.log_uniform:
        return _log_uniform(axis.log_uniform.low, axis.log_uniform.high, unit)
    raise _unfit(axis, "values, uniform, logUniform or integers")


def check(axis: Axis, *, is_sampled: bool) -> None:
    """Check that an axis has exactly one description, and one that its method can use.

    Raises:
        SpaceError: it has not.
    """
    described = {kind for kind in AXIS_KINDS if getattr(axis, to_snake(kind)) is not None}
    if len(described) != 1:
        raise _unfit(axis, f"exactly one of {', '.join(AXIS_KINDS[:-1])} or {AXIS_KINDS[-1]}")
    unfit = ("linspace", "logspace") if is_sampled else ("uniform", "logUniform")
    if described & set(unfit):
        fit = ("uniform", "logUniform") if is_sampled else ("linspace", "logspace")
        raise _unfit(axis, f"values, integers, {fit[0]} or {fit[1]} with this method")


def stored_bytes(axis: Axis) -> float:
    """Return how many bytes an axis adds to a point in the store on average: its name and a value, as JSON."""
    values = axis.values or ()
    # JSON writes control characters, quotes and backslashes as up to six characters.
    value = (
        sum(len(json.dumps(value, ensure_ascii=False).encode()) for value in values) / len(values)
        if values
        else _NUMBER_BYTES
    )
    return len(json.dumps(axis.name, ensure_ascii=False).encode()) + value + len(":,")


def _unfit(axis: Axis, needed: str) -> SpaceError:
    return SpaceError(AXES, f"axis {axis.name}: describe it by {needed}")


def _integers(integers: Integers) -> range:
    return range(integers.low, integers.high + 1, integers.step)


def _linspace(start: float, stop: float, num: int) -> list[float]:
    # Each value depends on the fraction alone, and i/n is the same number as 2i/2n: a finer axis has every value of the coarser
    # one to the last bit. Adding up a step, or multiplying it, would not do.
    inner = (_between(start, stop, i / (num - 1)) for i in range(1, num - 1))
    return [start] if num == 1 else [start, *inner, stop]


def _between(low: float, high: float, part: float) -> float:
    width = high - low
    # The width of the widest ranges is infinite.
    return low + width * part if math.isfinite(width) else low * (1 - part) + high * part


def _logspace(start: float, stop: float, num: int) -> list[float]:
    ratio = stop / start
    # Of the ratio, so that decades come out as people write them: 0.001, 0.01, 0.1. Beyond these bounds it loses digits or all of them.
    decades = math.log10(ratio) if 1e-300 < ratio < 1e300 else math.log10(stop) - math.log10(start)
    low, high = min(start, stop), max(start, stop)

    def at(part: float) -> float:
        # What a double cannot hold goes in two halves.
        shift = decades * part
        value = (
            start * math.pow(10, shift)
            if abs(shift) < 300
            else start * math.pow(10, shift / 2) * math.pow(10, shift / 2)
        )
        return min(max(value, low), high)

    inner = (at(i / (num - 1)) for i in range(1, num - 1))
    return [start] if num == 1 else [start, *inner, stop]


def _parts(unit: "Unit", parts: int) -> list[int]:
    # A sample may be so close to 1 that the product is rounded up.
    return [min(int(part), parts - 1) for part in (unit * parts).tolist()]


def _uniform(low: float, high: float, unit: "Unit") -> list[Scalar]:
    width = high - low
    spread = low + width * unit if math.isfinite(width) else low * (1 - unit) + high * unit
    return spread.clip(low, high).tolist()  # type: ignore[no-any-return] # numpy types it as Any


def _log_uniform(low: float, high: float, unit: "Unit") -> list[Scalar]:
    # math's functions for each one: numpy takes other instructions on other processors, whose last bits differ.
    begin, width = math.log(low), math.log(high) - math.log(low)
    return [min(max(math.exp(begin + width * part), low), high) for part in unit.tolist()]
