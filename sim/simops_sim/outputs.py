"""The files of one heat-equation run.

A reader of the outputs folder never sees half a file: each is written under a temporary name beside its place and then
renamed. The field is streamed row by row, so memory stays bounded however long the run is. It is written with plain
writes rather than a memory map, because a disk that fills up must raise an error with a name, and a store into a mapped
page that has no disk block is a SIGBUS. matplotlib is imported only by `draw`.
"""

import contextlib
import io
import json
import math
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any, Final

import numpy as np
from numpy.lib import format as npy

from simops_sim import heat1d
from simops_sim.heat1d import Array
from simops_sim.problem import ParameterError, Problem

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

FIELD: Final = "temperature_field.npy"
SERIES: Final = "result.csv"
META: Final = "meta.json"
METRICS: Final = "metrics.json"
PLOT: Final = "simulation_results.png"
PROFILE: Final = "final_profile.npy"

SERIES_ROWS: Final = 10_000
"""`result.csv` holds at most about so many rows: beyond, every second, third, … step (and always the last one)."""

PLOT_ROWS: Final = 400
PLOT_COLUMNS: Final = 1_000
ERROR_POINTS: Final = 4_000

COLUMNS: Final = ("step", "time", "center", "mean", "min", "max", "heat", "exact_center")


def field_bytes(problem: Problem) -> int:
    """Give the size of the temperature field."""
    return (problem.time_steps + 1) * problem.spatial_steps * 8


def check_room(problem: Problem, folder: Path) -> None:
    """Refuse a field that does not fit on the disk of the outputs folder, before anything is computed."""
    existing = folder.absolute()
    while not existing.exists():
        existing = existing.parent
    free, needed = shutil.disk_usage(existing).free, field_bytes(problem)
    if needed > free:
        option = "time_steps" if problem.time_steps >= problem.spatial_steps else "spatial_steps"
        raise ParameterError(
            option,
            f"a field of {problem.time_steps + 1} × {problem.spatial_steps} values needs {needed / 2**30:.4g} GiB, "
            f"but only {free / 2**30:.4g} GiB are free in {folder}",
        )


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[IO[bytes]]:
    """Open a temporary file that takes the place of path when the block ends well, and disappears when it does not."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("wb") as file:
            yield file
        part.replace(path)
    except BaseException:
        part.unlink(missing_ok=True)
        raise


class FieldFile:
    """Streams rows into a `.npy` file whose final length need not be known: a stopped run keeps what it has."""

    def __init__(self, path: Path, problem: Problem) -> None:
        self.path = path
        self.columns = problem.spatial_steps
        self.planned = problem.time_steps + 1
        self.rows = 0

    def __enter__(self) -> "FieldFile":
        self._stack = contextlib.ExitStack()
        self._file = self._stack.enter_context(replacing(self.path))
        self._header(self.planned)
        self._start = self._file.tell()
        return self

    def write(self, block: Array) -> None:
        """Append rows."""
        self._file.write(np.ascontiguousarray(block).data)
        self.rows += len(block)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and self.rows != self.planned:
            self._file.seek(0)
            self._header(self.rows)  # the format leaves room for any number of rows, so its length stays the same
            if self._file.tell() != self._start:
                raise AssertionError("the header of a .npy file changed its length")
        self._stack.__exit__(kind, error, trace)

    def _header(self, rows: int) -> None:
        self._file.write(array_header((rows, self.columns)))


class Recorder:
    """Keeps what the table and the plot need of the rows that go by."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        self.every = -(-problem.time_steps // SERIES_ROWS)
        self.last, self.last_step = heat1d.initial_profile(problem), 0
        self.minimum, self.maximum = math.inf, -math.inf
        self.initial_range = (float(self.last.min()), float(self.last.max()))
        self._plot_every = -(-problem.time_steps // PLOT_ROWS)
        self._stride = -(-problem.spatial_steps // PLOT_COLUMNS)
        self._table: list[Array] = []
        self._kept: list[Array] = []
        self._kept_steps: list[Array] = []

    def add(self, first: int, block: Array) -> None:
        """Take note of the rows whose first one is step `first`."""
        self.minimum, self.maximum = min(self.minimum, float(block.min())), max(self.maximum, float(block.max()))
        self.last, self.last_step = block[-1].copy(), first + len(block) - 1
        self._table.append(self._entries(*self._pick(first, block, self.every)))
        steps, rows = self._pick(first, block, self._plot_every)
        self._kept_steps.append(steps)
        self._kept.append(rows[:, :: self._stride].copy())

    def _entries(self, steps: Array, rows: Array) -> Array:
        heat = heat1d.heat(rows, self.problem.dx)
        columns = (heat1d.centre(rows), heat / self.problem.length, rows.min(axis=1), rows.max(axis=1), heat)
        return np.column_stack((steps, *columns))

    def _pick(self, first: int, block: Array, every: int) -> tuple[Array, Array]:
        steps = np.arange(first, first + len(block))
        chosen = (steps % every == 0) | (steps == self.problem.time_steps)
        return steps[chosen].astype(np.float64), block[chosen]

    def table(self) -> Array:
        """Give the time series, one row per recorded step, in the order of `COLUMNS`."""
        rows = np.concatenate(self._table)
        if rows[-1, 0] != self.last_step:  # stopped between two recorded steps
            rows = np.concatenate((rows, self._entries(np.array([float(self.last_step)]), self.last[None, :])))
        times = rows[:, 0] * self.problem.dt
        exact = heat1d.exact(self.problem, times, [self.problem.length / 2])
        return np.column_stack((rows[:, 0], times, rows[:, 1:], exact))

    def picture(self) -> tuple[Array, Array, Array]:
        """Give the times, the positions and the rows that the plot shows."""
        times = np.concatenate(self._kept_steps) * self.problem.dt
        return times, heat1d.grid(self.problem)[:: self._stride], np.concatenate(self._kept)

    def errors(self) -> dict[str, float]:
        """Give the distance of the last row to the exact solution: root mean square over the length, and largest."""
        stride = -(-self.problem.spatial_steps // ERROR_POINTS)
        x, row = heat1d.grid(self.problem)[::stride], self.last[::stride]
        difference = row - heat1d.exact(self.problem, [self.last_step * self.problem.dt], x)[0]
        if not np.isfinite(difference).all():
            return {}
        square = difference**2
        mean = float((square.sum() - 0.5 * (square[0] + square[-1])) / max(square.size - 1, 1))
        return {"l2_error": math.sqrt(mean), "max_error": float(np.abs(difference).max())}


def metrics(recorder: Recorder, table: Array, solve_seconds: float) -> dict[str, float]:
    """Give the run as a few finite numbers: the columns of a sweep's table."""
    problem, first, last = recorder.problem, table[0], table[-1]
    low, high = recorder.initial_range
    return {
        "final_time": float(last[1]),
        "final_center_temp": float(last[2]),
        "final_mean_temp": float(last[3]),
        "final_min_temp": float(last[4]),
        "final_max_temp": float(last[5]),
        "min_temp": recorder.minimum,
        "max_temp": recorder.maximum,
        "overshoot": max(0.0, recorder.maximum - high, low - recorder.minimum),
        "final_heat": float(last[6]),
        "heat_change": float(last[6] - first[6]),
        **recorder.errors(),
        "stability_number": problem.r,
        "solve_seconds": solve_seconds,
        "steps_per_second": recorder.last_step / max(solve_seconds, 1e-9),
    }


def array_header(shape: tuple[int, ...]) -> bytes:
    """Give what stands before the values in a `.npy` file."""
    buffer = io.BytesIO()
    npy.write_array_header_1_0(buffer, {"descr": "<f8", "fortran_order": False, "shape": shape})
    return buffer.getvalue()


def write_array(path: Path, values: Array) -> None:
    """Write an array as a `.npy` file."""
    with replacing(path) as file:
        file.write(array_header(values.shape) + values.astype("<f8").tobytes())


def write_table(path: Path, table: Array) -> None:
    """Write the time series; numbers are the shortest that read back the same, unknown ones are empty."""
    lines = [",".join(COLUMNS)]
    lines += [
        ",".join([str(int(row[0])), *("" if math.isnan(value) else repr(value) for value in row[1:])])
        for row in table.tolist()
    ]
    with replacing(path) as file:
        file.write(("\n".join(lines) + "\n").encode())


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file for people and programs; NaN is not JSON and would raise."""
    with replacing(path) as file:
        file.write((json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode())


def draw(path: Path, recorder: Recorder, table: Array) -> str:
    """Draw profiles, the x-t heat map, the decay beside the exact one, and the error; give matplotlib's version."""
    with _writable_matplotlib_folder():
        import matplotlib as mpl  # noqa: PLC0415 – takes longer than a short run: only who plots pays for it
        from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415
        from matplotlib.figure import Figure  # noqa: PLC0415

        problem = recorder.problem
        times, x, rows = recorder.picture()
        figure = Figure(figsize=(12.0, 8.6), dpi=110)
        FigureCanvasAgg(figure)
        figure.subplots_adjust(left=0.065, right=0.985, top=0.90, bottom=0.07, hspace=0.30, wspace=0.17)
        profiles, heat_map, decay, error = figure.subplots(2, 2).ravel()
        figure.suptitle(
            f"1D heat equation, {problem.method.replace('_', '-')} ({problem.initial_condition}, {problem.boundary})\n"
            f"L = {problem.length:g} m, α = {problem.diffusivity:g} m²/s, {problem.spatial_steps} points, "
            f"{problem.time_steps} steps of {problem.dt:.4g} s, r = α·dt/dx² = {problem.r:.4g}",
            fontsize=12,
        )
        chosen = np.unique(np.round(np.array([0, 0.04, 0.1, 0.2, 0.35, 0.6, 1.0]) * (len(times) - 1)).astype(int))
        colours = mpl.colormaps["viridis"](np.linspace(0.0, 0.9, len(chosen)))
        exact = heat1d.exact(problem, times[chosen], x)
        _draw_profiles(profiles, x, {"u": rows[chosen], "exact": exact}, times[chosen], colours)
        _draw_heat_map(figure, heat_map, times, x, rows)
        _draw_decay(decay, table)
        _draw_error(error, x, np.abs(rows[chosen] - exact), times[chosen], colours)
        with replacing(path) as file:
            figure.savefig(file, format="png")
        return str(mpl.__version__)


def _draw_profiles(axes: "Axes", x: Array, rows: dict[str, Array], times: Array, colours: Any) -> None:
    for row, time, colour in zip(rows["u"], times, colours, strict=True):
        axes.plot(x, row, color=colour, linewidth=2, label=f"t = {time:.3g} s")
    for number, row in enumerate(rows["exact"]):
        axes.plot(x, row, color="black", linewidth=0.9, linestyle=(0, (4, 4)), label="" if number else "exact")
    axes.set(title="Profiles", xlabel="x [m]", ylabel="u [K]", xlim=(x[0], x[-1]))
    axes.legend(fontsize=8, loc="best")
    axes.grid(alpha=0.25)


def _draw_heat_map(figure: "Figure", axes: "Axes", times: Array, x: Array, rows: Array) -> None:
    low, high = float(rows.min()), float(rows.max())
    image = axes.pcolormesh(x, times, rows, cmap="inferno", shading="gouraud", rasterized=True)
    if high - low > 1e-9 * max(abs(high), abs(low)):
        lines = axes.contour(x, times, rows, levels=8, colors="white", linewidths=0.6, alpha=0.7)
        axes.clabel(lines, fontsize=7)
    axes.set(title="Temperature over position and time", xlabel="x [m]", ylabel="t [s]")
    figure.colorbar(image, ax=axes, label="u [K]", pad=0.02)


def _draw_decay(axes: "Axes", table: Array) -> None:
    time = table[:, 1]
    axes.fill_between(time, table[:, 4], table[:, 5], color="C0", alpha=0.12, label="min … max")
    axes.plot(time, table[:, 3], color="C1", linewidth=1.8, label="mean")
    axes.plot(time, table[:, 2], color="C0", linewidth=2.2, label="centre")
    axes.plot(time, table[:, 7], color="black", linewidth=0.9, linestyle=(0, (4, 4)), label="centre, exact")
    axes.set(title="Decay", xlabel="t [s]", ylabel="u [K]", xlim=(time[0], time[-1]))
    axes.legend(fontsize=8, loc="best")
    axes.grid(alpha=0.25)


def _draw_error(axes: "Axes", x: Array, error: Array, times: Array, colours: Any) -> None:
    known = np.isfinite(error).all(axis=1) & (times > 0.0)
    for row, time, colour in zip(error[known], times[known], colours[known], strict=True):
        axes.plot(x, np.where(row > 0.0, row, np.nan), color=colour, linewidth=1.5, label=f"t = {time:.3g} s")
    largest = float(error[known].max()) if known.any() else 0.0
    axes.set(title="Error |u − exact|", xlabel="x [m]", ylabel="|u − exact| [K]", xlim=(x[0], x[-1]))
    if largest > 0.0:
        axes.set_yscale("log")
        axes.set_ylim(largest * 1e-5, largest * 3)
        axes.legend(fontsize=8, loc="lower center", ncols=3)
    else:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center")
    axes.grid(alpha=0.25)


@contextlib.contextmanager
def _writable_matplotlib_folder() -> Iterator[None]:
    """Give matplotlib a folder for its caches when the home folder is read-only, as in a locked-down container."""
    home = Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config")
    while not home.exists():
        home = home.parent
    if os.environ.get("MPLCONFIGDIR") or (home.is_dir() and os.access(home, os.W_OK)):
        yield
        return
    with tempfile.TemporaryDirectory(prefix="matplotlib-") as folder:
        os.environ["MPLCONFIGDIR"] = folder
        try:
            yield
        finally:
            del os.environ["MPLCONFIGDIR"]
