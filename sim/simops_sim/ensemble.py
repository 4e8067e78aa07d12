r"""Many heat equations at once: the points of a sweep that share grid, number of steps, ends, scheme and profile.

A problem is linear in its temperatures, so with b = `boundary_temp` and a = `initial_temp` - b all points of such a
group have the same modes (`heat1d` explains them), and differ in a, b and the stability number r alone:

.. math::

    u_p^n = b_p + a_p \sum_k c_k\, g_k(r_p)^n\, \varphi_k

So one array of growth factors, (points × modes), gives the last rows of all points as one matrix product
(points × modes) · (modes × space). The rows between are needed for nothing but their extremes, and mostly not even for
these: where the maximum principle holds, the first row has them, and elsewhere the march ends as soon as a bound shows
that no later row can have a new one.

All profiles are symmetric, so odd sines or even cosines are all modes there are, and the left half of the grid has all
extremes. Everything here is pure: values in, arrays out. Numbers agree with those of one run each to round-off.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from simops_sim import heat1d
from simops_sim.heat1d import Array
from simops_sim.problem import Boundary, InitialCondition, Method, Problem

Indexes = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Key = tuple[int, int, Boundary, Method, InitialCondition]

WIDEST: Final = 1025
"""Grids of more points are computed one by one: a single row then fills the machine, and the modes' table is large."""

MOST: Final = 128
"""So many points of a group are computed at once: what numpy takes for a call is spread thin by then."""

_BLOCK_VALUES: Final = 1 << 17
"""Values of one block of rows: 1 MiB, so that it is still in the cache when its extremes are looked for."""

_ROUND_OFF: Final = float(np.finfo(np.float64).eps)
_LOST: Final = 1e-17  # a mode below this, where the profile is about 1, is lost in the round-off of the others
_SERIES_CLASSES: Final = (8, 64, 512)


def key(problem: Problem) -> Key:
    """Give what the points of a group must have in common."""
    return (
        problem.spatial_steps,
        problem.time_steps,
        problem.boundary,
        problem.method,
        problem.initial_condition,
    )


@dataclass(frozen=True)
class Group:
    """Points with the same key, as arrays: one entry, or row, a point."""

    common: Problem
    """One of the points, for what all have in common."""
    length: Array
    dx: Array
    r: Array
    base: Array
    amplitude: Array
    end: Array
    fourier: Array
    """α·T/L², the time of the last row without its unit."""
    keeps_maximum_principle: Mask

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> "Group":
        """Build it; the problems have the same key."""
        values = np.array(
            [(p.length, p.dx, p.r, p.boundary_temp, p.initial_temp, p.diffusivity, p.dt) for p in problems]
        )
        length, dx, r, base, initial, diffusivity, dt = np.ascontiguousarray(values.T)
        end = problems[0].time_steps * dt
        return cls(
            common=problems[0],
            length=length,
            dx=dx,
            r=r,
            base=base,
            amplitude=initial - base,
            end=end,
            fourier=diffusivity * end / length**2,
            keeps_maximum_principle=np.array([p.keeps_maximum_principle for p in problems]),
        )

    def temperature(self, unit: Array) -> Array:
        """Give the temperatures of values, or rows of values, that count from b = 0 and in units of a."""
        if unit.ndim == 1:
            return np.asarray(self.base + self.amplitude * unit)
        return np.asarray(self.base[:, None] + self.amplitude[:, None] * unit)


@dataclass(frozen=True)
class Solution:
    """What remains of a march: the last row of each point, and the extremes of all its rows."""

    rows: Array
    minimum: Array
    maximum: Array


@dataclass(frozen=True)
class _Modes:
    """The profile of unit temperature as modes k, slowest first, with their growth factors for each point."""

    number: Indexes
    amplitude: Array
    log_growth: Array
    """ln|g|, shape (modes, points)."""
    sign: Array

    def at(self, step: int) -> Array:
        """Give the amplitudes after some steps, shape (modes, points)."""
        decayed = self.amplitude[:, None] * np.exp(step * self.log_growth)
        return np.asarray(decayed * self.sign if step % 2 else decayed)

    def pick(self, modes: Indexes | Mask, points: Indexes | Mask) -> "_Modes":
        """Give those of some modes and points, by index or mask."""
        return _Modes(
            self.number[modes],
            self.amplitude[modes],
            self.log_growth[modes][:, points],
            self.sign[modes][:, points],
        )


def _unit(problem: Problem) -> Problem:
    return replace(problem, initial_temp=1.0, boundary_temp=0.0)


def _decompose(group: Group, profile: Array) -> _Modes:
    common = group.common
    amplitude = heat1d.to_modes(profile, common.boundary)
    number = np.arange(1 if common.boundary == "dirichlet" else 0, profile.size, 2)
    number = number[np.abs(amplitude[number]) > _ROUND_OFF * np.abs(profile).max()]
    values = heat1d.eigenvalues(profile.size - 1, number)
    log, sign = heat1d.amplification(common.method, values[:, None] * group.r)
    return _Modes(number, amplitude[number], log, sign)


def solve(group: Group, stopped: Callable[[], bool] = lambda: False) -> Solution | None:
    """Compute all points; None if `stopped` says so between two blocks of rows."""
    common = group.common
    profile = heat1d.initial_profile(_unit(common))
    modes = _decompose(group, profile)
    shapes = heat1d.mode_shapes(profile.size - 1, modes.number, common.boundary)
    last = modes.at(common.time_steps).T @ shapes
    low = np.minimum(profile.min(), last.min(axis=1))
    high = np.maximum(profile.max(), last.max(axis=1))
    open_points = np.flatnonzero(~group.keeps_maximum_principle)
    half = shapes[:, : (profile.size + 1) // 2]
    if not _widen(modes, half, open_points, common, low, high, stopped):
        return None
    a, b = group.temperature(low), group.temperature(high)  # a negative amplitude turns them round
    return Solution(group.temperature(last), np.minimum(a, b), np.maximum(a, b))


def _widen(
    modes: _Modes,
    shapes: Array,
    points: Indexes,
    common: Problem,
    low: Array,
    high: Array,
    stopped: Callable[[], bool],
) -> bool:
    """Widen the range of these points by the rows between the first and the last; False when stopped."""
    step = 1
    modes = modes.pick(np.full(modes.number.size, fill_value=True), points)
    while step < common.time_steps:
        weights = modes.at(step)
        unsettled = ~_settled(modes, weights, common.boundary, low[points], high[points])
        points = points[unsettled]
        if not points.size:
            return True
        if stopped():
            return False
        active = np.abs(weights[:, unsettled]).max(axis=1) > _LOST
        modes, weights, shapes = modes.pick(active, unsettled), weights[active][:, unsettled], shapes[active]
        rows = max(1, min(_BLOCK_VALUES // (shapes.shape[1] * points.size), common.time_steps - step))
        values = shapes.T @ _powers(modes, weights, rows).reshape(len(shapes), rows * points.size)
        low[points] = np.minimum(low[points], values.min(axis=0).reshape(rows, points.size).min(axis=0))
        high[points] = np.maximum(high[points], values.max(axis=0).reshape(rows, points.size).max(axis=0))
        step += rows
    return True


def _powers(modes: _Modes, weights: Array, rows: int) -> Array:
    """Give the amplitudes of a block of rows, shape (modes, rows, points), from those of its first one."""
    block = np.empty((len(weights), rows, weights.shape[1]))
    block[:, 0] = weights
    factor = modes.sign * np.exp(modes.log_growth)
    done = 1
    while done < rows:
        more = min(done, rows - done)
        np.multiply(block[:, :more], factor[:, None], out=block[:, done : done + more])
        factor *= factor
        done += more
    return block


def _settled(modes: _Modes, weights: Array, boundary: Boundary, low: Array, high: Array) -> Mask:
    """Tell for each point whether no row from here on can leave the range low … high that was seen so far.

    The sum of the amplitudes' magnitudes only falls, and bounds every later row (about its constant mode). That says
    nothing of a row's values near zero, the lowest that was seen with fixed ends. There |sin kx| ≤ k sin x bounds the
    row from below by that of the slowest mode, while that one is positive and decays slowest of all.
    """
    constant = weights[0] if modes.number.size and modes.number[0] == 0 else np.zeros(weights.shape[1])
    magnitude = np.abs(weights)
    reach = magnitude.sum(axis=0) - np.abs(constant)
    above = constant + reach <= high + 8 * _ROUND_OFF
    below = constant - reach >= low - 8 * _ROUND_OFF
    if boundary == "dirichlet" and modes.number.size and modes.number[0] == 1:
        slowest = modes.log_growth[0] >= modes.log_growth.max(axis=0)
        others = modes.number[1:].astype(np.float64) @ magnitude[1:]
        below |= slowest & (modes.sign[0] > 0.0) & (weights[0] >= others)
    return np.asarray(above & below)


def metrics(group: Group, solution: Solution) -> dict[str, Array]:
    """Give what `outputs.metrics` gives of one run, but for its speed; errors are NaN where they are unknown."""
    common, rows = group.common, solution.rows
    profile = heat1d.initial_profile(_unit(common))
    heat = heat1d.heat(rows, group.dx)
    ends = (
        group.temperature(np.full(group.base.size, profile.min())),
        group.temperature(np.full(group.base.size, profile.max())),
    )
    low, high = np.minimum(*ends), np.maximum(*ends)
    initial_heat = heat1d.heat(group.temperature(np.tile(profile, (len(rows), 1))), group.dx)
    l2_error, max_error = _errors(group, rows)
    return {
        "final_time": group.end,
        "final_center_temp": heat1d.centre(rows),
        "final_mean_temp": heat / group.length,
        "final_min_temp": rows.min(axis=1),
        "final_max_temp": rows.max(axis=1),
        "min_temp": solution.minimum,
        "max_temp": solution.maximum,
        "overshoot": np.maximum(0.0, np.maximum(solution.maximum - high, low - solution.minimum)),
        "final_heat": heat,
        "heat_change": heat - initial_heat,
        "l2_error": l2_error,
        "max_error": max_error,
        "stability_number": group.r,
    }


def _errors(group: Group, rows: Array) -> tuple[Array, Array]:
    """Give the distance of the last rows to the exact solution: root mean square over the length, and largest."""
    difference = rows - _exact(group)
    square = difference**2
    mean = (square.sum(axis=1) - 0.5 * (square[:, 0] + square[:, -1])) / max(rows.shape[1] - 1, 1)
    return np.sqrt(mean), np.abs(difference).max(axis=1)


def _exact(group: Group) -> Array:
    """Give the exact solution of each point at its end on the grid; NaN where the series converges too slowly."""
    common = group.common
    s = np.linspace(0.0, 1.0, common.spatial_steps)
    needed = np.ceil(np.minimum(np.sqrt(40.0 / group.fourier) / np.pi, heat1d.SERIES_MODES + 1)).astype(int)
    # More modes than a point needs do no harm, so few different numbers of them will do.
    tops = np.array([*_SERIES_CLASSES, heat1d.SERIES_MODES, heat1d.SERIES_MODES + 1])
    needed = tops[np.searchsorted(tops, needed)]
    result = np.empty((needed.size, s.size))
    for top in np.unique(needed):
        points = np.flatnonzero(needed == top)
        k, c, finite = heat1d.series(common, int(top))
        if top > heat1d.SERIES_MODES and not finite:
            result[points] = np.nan
            continue
        k, c = k[c != 0.0], c[c != 0.0]
        shapes = (np.sin if common.boundary == "dirichlet" else np.cos)(np.pi * k[:, None] * s)
        if common.boundary == "dirichlet":
            shapes[:, [0, -1]] = 0.0
        result[points] = (np.exp(-np.outer(group.fourier[points], (np.pi * k) ** 2)) * c) @ shapes
    return group.temperature(result)
