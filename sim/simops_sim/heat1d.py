r"""The 1D heat equation by finite differences.

.. math::

    \frac{\partial u}{\partial t} = \alpha \frac{\partial^2 u}{\partial x^2},
    \qquad 0 \le x \le L, \quad 0 \le t \le T

with :math:`u = u_b` at both ends (Dirichlet) or :math:`\partial u / \partial x = 0` there (Neumann, insulated).

**Scheme.** On the grid :math:`x_j = j\,\Delta x`, :math:`j = 0 \dots M`, :math:`M = N - 1`, with
:math:`r = \alpha\,\Delta t / \Delta x^2` and :math:`(A u)_j = 2u_j - u_{j-1} - u_{j+1}`,

.. math::

    u^{n+1} + r\,\theta A\,u^{n+1} = u^n - r\,(1 - \theta) A\,u^n

where :math:`\theta` is 0 for FTCS, 1 for BTCS, 1/2 for Crank-Nicolson. Insulated ends are mirrored
(:math:`u_{-1} = u_1`), which makes the trapezoid rule's heat :math:`\sum_j'' u_j \Delta x` an exact invariant.

**Solver.** The coefficients are constant, so the eigenvectors of A are known in closed form,
:math:`\varphi_k = \sin(\pi k j / M)` or :math:`\cos(\pi k j / M)`, with eigenvalues
:math:`\lambda_k = 4 \sin^2(\pi k / 2M)`. One time step multiplies the amplitude of mode k by

.. math::

    g_k = \frac{1 - (1 - \theta)\, r \lambda_k}{1 + \theta\, r \lambda_k},
    \qquad u^n = u_b + \sum_k c_k\, g_k^n\, \varphi_k .

This is the same discrete solution that stepping with a tridiagonal solve gives (tested against it), without its
recurrences in space and time: a block of rows is one matrix product
(rows × active modes) · (active modes × points). Modes whose amplitude is below the round-off of the largest are left
out; diffusion makes them few very soon, and then the product runs at the speed of writing the rows to memory. While
more than `DENSE_MODES` are active, each row is one fast Fourier transform instead, O(N log N).

Everything here is pure: values in, arrays out.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
import numpy.typing as npt

from simops_sim.problem import GAUSSIAN_WIDTH, Boundary, Method, Problem

Array = npt.NDArray[np.float64]

DENSE_MODES: Final = 64
"""Up to so many active modes a matrix product is faster than a Fourier transform of each row (measured)."""

BLOCK_VALUES: Final = 1 << 17
"""Values of one block of rows: 1 MiB, so that it is still in the cache when it is written out."""

SERIES_MODES: Final = 2000
"""The exact series is summed up to this mode number; a time so early that it needs more has no exact value here."""

_EPS: Final = float(np.finfo(np.float64).eps)
_GONE: Final = 1e-120  # decayed relative to the start by this much is zero: keeps denormals out of the products
_MIN_LOG: Final = -1e5  # stands for the logarithm of 0; exp() of it is 0


def grid(problem: Problem) -> Array:
    """Give the grid points, both ends included, in m."""
    return np.linspace(0.0, problem.length, problem.spatial_steps)


def initial_profile(problem: Problem) -> Array:
    """Give the temperature at t = 0 on the grid."""
    return _initial(problem, np.linspace(0.0, 1.0, problem.spatial_steps))


def _initial(problem: Problem, s: Array) -> Array:
    """Give the temperature at t = 0 at the positions s = x/L."""
    shape: Array
    if problem.initial_condition == "sine":
        shape = np.sin(np.pi * np.minimum(s, 1.0 - s))
    elif problem.initial_condition == "gaussian":
        # With its mirror images beyond the ends the profile fits the boundary condition exactly.
        image = -1.0 if problem.boundary == "dirichlet" else 1.0
        shape = _bell(s - 0.5) + image * (_bell(s + 0.5) + _bell(s - 1.5))
    else:
        shape = np.ones_like(s)
    if problem.boundary == "dirichlet":
        shape = np.where((s == 0.0) | (s == 1.0), 0.0, shape)
    return problem.boundary_temp + (problem.initial_temp - problem.boundary_temp) * shape


def _bell(s: Array) -> Array:
    return np.asarray(np.exp(-0.5 * (s / GAUSSIAN_WIDTH) ** 2))


def amplification(method: Method, z: npt.ArrayLike) -> tuple[Array, Array]:
    """Give ln|g| and the sign of g for modes with z = r·λ; broadcasts over any shape, so over many problems too.

    The logarithm is what stays accurate over many steps: for slow modes g is 1 minus something tiny.
    """
    z = np.asarray(z, dtype=np.float64)
    with np.errstate(divide="ignore", over="ignore"):
        if method == "btcs":
            log, sign = -np.log1p(z), np.ones_like(z)
        elif method == "ftcs":
            # Two forms, since log1p(-z) is accurate for small z only while 1 - z is positive.
            log = np.where(z < 1.0, np.log1p(-np.minimum(z, 1.0)), np.log(np.abs(1.0 - z)))
            sign = np.where(z > 1.0, -1.0, 1.0)
        else:
            # (1 - y)/(1 + y) with y = z/2 is exp(-2 artanh y) for y < 1 and -exp(-2 artanh 1/y) beyond.
            y = 0.5 * z
            log = -2.0 * np.arctanh(np.where(y > 1.0, 1.0 / np.maximum(y, 1.0), y))
            sign = np.where(y > 1.0, -1.0, 1.0)
    return np.maximum(log, _MIN_LOG), sign


def eigenvalues(cells: int, modes: npt.ArrayLike) -> Array:
    """Give the eigenvalues 4 sin²(πk/2M) of the second difference for mode numbers k on M cells."""
    return 4.0 * np.sin(np.pi * np.asarray(modes, dtype=np.float64) / (2 * cells)) ** 2


def mode_shapes(cells: int, number: npt.NDArray[np.int64], boundary: Boundary) -> Array:
    """Give the modes of these numbers on the grid of M cells, one per row."""
    wave = np.arange(cells + 1) * number[:, None] % (2 * cells)  # exact: no loss of phase for high modes
    if boundary == "dirichlet":
        rows = np.where(wave > cells, -1.0, 1.0) * np.sin(np.pi / cells * np.minimum(wave % cells, -wave % cells))
    else:
        rows = np.cos(np.pi / cells * np.minimum(wave, 2 * cells - wave))
    return np.asarray(rows)


def to_modes(v: Array, boundary: Boundary) -> Array:
    """Give the amplitudes of the modes k = 0 … M of one row (discrete sine or cosine transform of type I)."""
    cells = v.size - 1
    if boundary == "dirichlet":
        spectrum = -np.fft.rfft(np.concatenate((v[:-1], [0.0], -v[-2:0:-1]))).imag / cells
        spectrum[[0, -1]] = 0.0
    else:
        spectrum = np.fft.rfft(np.concatenate((v, v[-2:0:-1]))).real / cells
        spectrum[[0, -1]] *= 0.5
    return np.asarray(spectrum)


def from_modes(amplitudes: Array, boundary: Boundary) -> Array:
    """Give the rows whose amplitudes of k = 0 … M are the rows of the argument: the inverse of `to_modes`."""
    cells = amplitudes.shape[-1] - 1
    spectrum = amplitudes * (-1j * cells if boundary == "dirichlet" else complex(cells))
    if boundary == "neumann":
        spectrum[..., [0, -1]] *= 2.0
    rows: Array = np.fft.irfft(spectrum, 2 * cells)[..., : cells + 1]
    if boundary == "dirichlet":
        rows[..., [0, -1]] = 0.0
    return rows


@dataclass(frozen=True)
class Modes:
    """The discrete solution as decaying modes, slowest first.

    Entry 0 is the constant `boundary_temp`, which never decays; the others are the amplitudes of the difference to it.
    """

    number: npt.NDArray[np.int64]
    amplitude: Array
    log_growth: Array
    sign: Array
    cells: int
    boundary: Boundary

    @property
    def dense(self) -> int:
        """Up to so many modes are summed by a matrix product; fewer on huge grids, to save memory."""
        return min(DENSE_MODES, max(8, (1 << 21) // self.cells))

    @cached_property
    def shapes(self) -> Array:
        """The first of them on the grid, one per row."""
        rows = mode_shapes(self.cells, self.number[: self.dense], self.boundary)
        rows[0] = 1.0
        return rows

    def at(self, step: int, count: int) -> Array:
        """Give the amplitudes of the first modes after some steps."""
        decayed = self.amplitude[:count] * np.exp(step * self.log_growth[:count])
        return np.asarray(decayed * self.sign[:count] if step % 2 else decayed)

    def active(self, first: int, stop: int, count: int) -> int:
        """Give how many of the first modes matter in the rows from first until stop: the others are lost in round-off.

        They are sorted by decay, so what is left out here never matters again.
        """
        begin, end = np.abs(self.at(first, count)[1:]), np.abs(self.at(stop - 1, count)[1:])
        if not begin.size:
            return 1
        least = max(_EPS / self.cells**0.5 * float(end.max()), _GONE * float(np.abs(self.amplitude[1:]).max()))
        kept = np.flatnonzero(begin > least)
        return 2 + int(kept[-1]) if kept.size else 1


def decompose(problem: Problem) -> Modes:
    """Give the modes of the initial profile and how each changes in a time step."""
    cells = problem.spatial_steps - 1
    v = initial_profile(problem) - problem.boundary_temp
    amplitude = to_modes(v, problem.boundary)
    # Anything smaller is the round-off of the profile and of the transform, not part of the profile.
    number = np.flatnonzero(np.abs(amplitude) > _EPS * np.abs(v).max())
    log, sign = amplification(problem.method, problem.r * eigenvalues(cells, number))
    order = np.argsort(-log, kind="stable")
    return Modes(
        number=np.concatenate(([0], number[order])),
        amplitude=np.concatenate(([problem.boundary_temp], amplitude[number[order]])),
        log_growth=np.concatenate(([0.0], log[order])),
        sign=np.concatenate(([1.0], sign[order])),
        cells=cells,
        boundary=problem.boundary,
    )


def march(problem: Problem, out: Array | None = None) -> Iterator[tuple[int, Array]]:
    """Give the field in blocks of rows: the number of the first step in it, and the rows.

    The rows are views of `out`, or of one buffer that the next block overwrites: memory stays bounded however many
    time steps there are. There are at least ten blocks (if there are ten rows), so progress can be told.
    """
    total, points = problem.time_steps + 1, problem.spatial_steps
    rows = max(1, min(4096, BLOCK_VALUES // points, -(-problem.time_steps // 10)))
    modes = decompose(problem)
    count = modes.amplitude.size
    powers = _powers(modes, rows + 1, count)
    buffer = np.empty((0 if out is not None else rows + 1, points))
    stop = 0
    while stop < total:
        first, stop = stop, min(max(stop, 1) + rows, total)  # t = 0 comes on top of the first block
        block = buffer[: stop - first] if out is None else out[first:stop]
        count = modes.active(first, stop, count)
        weights = powers[: stop - first, :count] * modes.at(first, count)
        if count <= modes.dense:
            np.matmul(weights, modes.shapes[:count], out=block)
        else:
            spectrum = np.zeros((stop - first, points))
            spectrum[:, modes.number[1:count]] = weights[:, 1:]
            np.add(from_modes(spectrum, problem.boundary), problem.boundary_temp, out=block)
        if first == 0:
            block[0] = initial_profile(problem)
        yield first, block


def _powers(modes: Modes, rows: int, count: int) -> Array:
    """Give g^n for n = 0 … rows - 1 (down) and the first modes (across)."""
    n = np.arange(rows)[:, None]
    powers = np.exp(n * modes.log_growth[:count]) * np.where(n % 2, modes.sign[:count], 1.0)
    powers[np.abs(powers) < _GONE] = 0.0
    return np.asarray(powers)


def solve(problem: Problem) -> Array:
    """Give the whole temperature field, shape (time_steps + 1, spatial_steps)."""
    field = np.empty((problem.time_steps + 1, problem.spatial_steps))
    for _ in march(problem, field):
        pass
    return field


def heat(rows: Array, dx: float | Array) -> Array:
    """Give the heat content of each row by the trapezoid rule, in K·m (per unit of heat capacity and cross-section).

    The distance of the grid points may be another one in each row.
    """
    return np.asarray(dx * (rows.sum(axis=-1) - 0.5 * (rows[..., 0] + rows[..., -1])))


def centre(rows: Array) -> Array:
    """Give the temperature at x = L/2 of each row; between two grid points their mean (second order, as the scheme)."""
    points = rows.shape[-1]
    return np.asarray(0.5 * (rows[..., (points - 1) // 2] + rows[..., points // 2]))


def exact(problem: Problem, times: npt.ArrayLike, x: npt.ArrayLike) -> Array:
    """Give the exact solution of the differential equation, shape (times, positions).

    All profiles have known Fourier series. Rows are NaN where the series converges too slowly to be summed
    (t > 0, but α·t below about 1e-6 L², for a profile that does not fit its boundary condition).
    """
    times, s = np.asarray(times, dtype=np.float64), np.asarray(x, dtype=np.float64) / problem.length
    tau = problem.diffusivity * times / problem.length**2
    result = np.empty((times.size, s.size))
    result[times == 0.0] = _initial(problem, s)
    amplitude = problem.initial_temp - problem.boundary_temp
    # Early times need many modes, late ones few: a row needs those with π²k²τ < 40 (e⁻⁴⁰ is below round-off).
    with np.errstate(divide="ignore"):
        needed = np.ceil(np.minimum(np.sqrt(40.0 / tau) / np.pi, SERIES_MODES + 1)).astype(int)
    for top in np.unique(needed[times > 0.0]):
        rows = np.flatnonzero((needed == top) & (times > 0.0))
        k, c, finite = series(problem, int(top))
        if top > SERIES_MODES and not finite:
            result[rows] = np.nan
            continue
        shapes = (np.sin if problem.boundary == "dirichlet" else np.cos)(np.pi * k[:, None] * s)
        if problem.boundary == "dirichlet":
            shapes[:, (s == 0.0) | (s == 1.0)] = 0.0
        decay = np.exp(-np.outer(tau[rows], (np.pi * k) ** 2))
        result[rows] = problem.boundary_temp + amplitude * ((decay * c) @ shapes)
    return result


def series(problem: Problem, top: int) -> tuple[Array, Array, bool]:
    """Give mode numbers up to top, their coefficients for unit amplitude, and whether few suffice at any time."""
    shape, ends = problem.initial_condition, problem.boundary
    if shape == "gaussian":
        top = min(top, 45)  # exp(-(45·π/10)²/2) is below round-off
    k = np.arange(1 if ends == "dirichlet" else 0, top + 1, dtype=np.float64)
    if shape == "gaussian":
        middle = np.where(k % 2 == (ends == "dirichlet"), np.where(k % 4 < 2, 1.0, -1.0), 0.0)
        c = 2 * GAUSSIAN_WIDTH * np.sqrt(2 * np.pi) * np.exp(-0.5 * (k * np.pi * GAUSSIAN_WIDTH) ** 2) * middle
        return k, np.where(k == 0.0, 0.5 * c, c), True
    if shape == "sine" and ends == "dirichlet":
        return k[:1], np.ones(1), True
    if shape == "sine":
        c = np.where(k % 2 == 0.0, 4 / np.pi / np.where(k % 2 == 0.0, 1.0 - k**2, 1.0), 0.0)
        return k, np.where(k == 0.0, 0.5 * c, c), False
    if ends == "dirichlet":
        return k, np.where(k % 2 == 1.0, 4 / np.pi / k, 0.0), False
    return k[:1], np.ones(1), True
