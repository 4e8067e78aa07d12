"""Axes of parameter spaces, and the space that a sweep sends."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from simops_client.core.requests import plain
from simops_client.models import Scalar

Axis = Mapping[str, Any]
"""Which values one parameter takes: what the functions of this module return."""


def values(*of: Scalar | Iterable[Scalar]) -> Axis:
    """Return an axis of these values: ``values(1, 2, 5)`` or ``values([1, 2, 5])``."""
    first: Any = of[0] if len(of) == 1 and not isinstance(of[0], str) and hasattr(of[0], "__iter__") else of
    return {"values": plain(first if hasattr(first, "tolist") else list(first))}


def linspace(start: float, stop: float, num: int) -> Axis:
    """Return an axis of ``num`` evenly spaced values, both ends included."""
    return {"linspace": plain({"start": start, "stop": stop, "num": num})}


def logspace(start: float, stop: float, num: int) -> Axis:
    """Return an axis of ``num`` values with a constant ratio. ``start`` and ``stop`` are values, not exponents as numpy's are."""
    return {"logspace": plain({"start": start, "stop": stop, "num": num})}


def integers(low: int, high: int, step: int = 1) -> Axis:
    """Return an axis of the integers from ``low`` to ``high``, both included."""
    return {"integers": plain({"low": low, "high": high, "step": step})}


def uniform(low: float, high: float) -> Axis:
    """Return an axis that the sampled methods draw from evenly."""
    return {"uniform": plain({"low": low, "high": high})}


def loguniform(low: float, high: float) -> Axis:
    """Return an axis that the sampled methods draw from evenly in the logarithm."""
    return {"logUniform": plain({"low": low, "high": high})}


def space_of(space: Mapping[str, Any], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return a space as it is sent.

    ``space`` is either one as the REST guide has it, or parameter → axis (or a list of values). ``options`` are method, samples, seed and where;
    those that are None are left out.

    Raises:
        ValueError: an axis is none.
    """
    more = {name: value for name, value in options.items() if value is not None}
    if _is_written_out(space):
        return {**plain(space), **more}
    return {**more, "axes": [_axis(name, axis) for name, axis in space.items()]}


def _is_written_out(space: Mapping[str, Any]) -> bool:
    # There may be parameters of these names; but none has such values.
    lists = (space.get("axes"), space.get("points"))
    return (
        isinstance(space.get("method"), str)
        or any(isinstance(one, list) and one and isinstance(one[0], Mapping) for one in lists)
        or any(
            isinstance(space.get(name), Mapping) and "digest" in space[name] for name in ("pointsFrom", "points_from")
        )
    )


def _axis(name: str, axis: Any) -> dict[str, Any]:
    if isinstance(axis, Mapping):
        return {"name": name, **plain(axis)}
    if isinstance(axis, str) or not (isinstance(axis, Sequence) or hasattr(axis, "tolist")):
        raise ValueError(
            f"{name}: an axis is a list of values, or linspace, logspace, integers, …; what is fixed goes into params"
        )
    return {"name": name, **values(axis)}
