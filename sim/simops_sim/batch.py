"""All points of a file in one process: $SIMOPS_POINTS in, a folder of each point and lines of $SIMOPS_RESULTS out.

Points are read and computed in blocks, so memory stays bounded however many there are. In a block those that share what
`ensemble.key` says are computed together; those that want all files, or whose grid is so fine that it fills the machine
by itself, run one by one like a process of their own. A point whose parameters are wrong fails alone.
"""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np

from simops_sim import ensemble, meta, options, outputs, single
from simops_sim.folders import LOG, Results, compact, write_folder
from simops_sim.problem import ParameterError
from simops_sim.stop import Stop

Say = Callable[[str], None]

BLOCK_POINTS: Final = 1024
"""So many points are read at once: enough to find companions for most, few in memory."""

_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False)


@dataclass(frozen=True, slots=True)
class Point:
    """One line of the points file that could be read."""

    index: int
    folder: Path
    request: options.Request


def run(points: Path, results: Path, common: dict[str, Any], stop: Stop, say: Say) -> int:
    """Compute all points and give the exit code: 0 when the end was reached, whatever became of the points.

    `common` are option values that all points share. 1 when a line was no point, and nothing could be told of it; else
    128 + signal when stopped. Raises OSError when points cannot be read or results not be written.
    """
    with points.open("rb") as source, Results(results) as sink:
        batch = Batch(common, sink, stop, say)
        while stop.signal is None and (lines := list(islice(source, BLOCK_POINTS))):
            batch.block(lines)
    if stop.signal is not None:
        say(f"batch: stopped by signal {stop.signal} after {batch.done} points; what was computed is kept")
        return stop.exit_code
    say(f"batch: done: {batch.done} points, {batch.failed} of them failed")
    return 1 if batch.unreadable else 0


class Batch:
    """Takes lines of the points file and does what they say."""

    def __init__(self, common: dict[str, Any], results: Results, stop: Stop, say: Say) -> None:
        self.done = self.failed = self.unreadable = 0
        self._common, self._results, self._stop, self._say = common, results, stop, say
        self._versions = meta.versions()
        self._header = (0, b"")

    def block(self, lines: Iterable[bytes]) -> None:
        """Compute the points of some lines; those that are under way at a stop signal are left out."""
        begun, before = time.perf_counter(), self.done
        groups: dict[ensemble.Key, list[Point]] = {}
        alone: list[Point] = []
        for point in self._read(lines):
            problem = point.request.problem
            if point.request.outputs == "full" or problem.spatial_steps > ensemble.WIDEST:
                alone.append(point)
            else:
                groups.setdefault(ensemble.key(problem), []).append(point)
        for group in groups.values():
            for first in range(0, len(group), ensemble.MOST):
                if self._stop.signal is None:
                    self._together(group[first : first + ensemble.MOST])
        for point in alone:
            if self._stop.signal is None:
                self._alone(point)
        count, seconds = self.done - before, time.perf_counter() - begun
        self._say(f"batch: {self.done} points, {self.failed} of them failed, {count / seconds:.0f} points/s")

    def _read(self, lines: Iterable[bytes]) -> Iterator[Point]:
        for line in lines:
            try:
                entry = json.loads(line)
                index, folder, params = int(entry["index"]), Path(entry["outputs"]), dict(entry["params"])
            except (ValueError, KeyError, TypeError):
                self.unreadable += 1
                self._say(f"batch: error: not a point: {line[:200]!r}")
                continue
            try:
                request = options.point(self._common, params)
            except (options.UsageError, ParameterError) as error:
                self._fail(index, folder, error, 2)
            else:
                yield Point(index, folder, replace(request, outputs=request.outputs or "summary"))

    def _fail(self, index: int, folder: Path, error: Exception, code: int, seconds: float = 0.0) -> None:
        text = options.refusal(error)
        try:
            # What it tells of may be half of a surrogate pair.
            write_folder(folder, [(LOG, f"{text}\n".encode(errors="backslashreplace"))])
        except OSError as unwritten:
            self._say(f"batch: point {index}: {text}; {LOG} could not be written: {unwritten}")
        self._results.add(index, code, seconds)
        self.done += 1
        self.failed += 1

    def _alone(self, point: Point) -> None:
        """Run a point as a process of its own would."""
        begun, log = time.perf_counter(), list[str]()
        try:
            single.run(point.request, point.folder, self._stop, log.append)
            with outputs.replacing(point.folder / LOG) as file:
                file.write(("\n".join(log) + "\n").encode())
        except (ParameterError, OSError) as error:
            code = 2 if isinstance(error, ParameterError) else 1
            self._fail(point.index, point.folder, error, code, time.perf_counter() - begun)
            return
        if self._stop.signal is None:
            metrics = json.loads((point.folder / outputs.METRICS).read_bytes())
            self._results.add(point.index, 0, time.perf_counter() - begun, compact(metrics))
            self.done += 1

    def _together(self, points: list[Point]) -> None:
        """Compute points with the same key at once, then write each one's files and line."""
        begun, clock = time.time(), time.perf_counter()
        group = ensemble.Group.of([point.request.problem for point in points])
        solution = ensemble.solve(group, lambda: self._stop.signal is not None)
        if solution is None:
            return
        solving = (time.perf_counter() - clock) / len(points)
        numbers = ensemble.metrics(group, solution)
        table = np.column_stack(list(numbers.values())).tolist()
        share = (time.perf_counter() - clock) / len(points)
        made = meta.provenance(begun, self._versions, [outputs.METRICS, outputs.PROFILE])
        made["computed_together"] = len(points)
        for point, row, profile in zip(points, table, solution.rows, strict=True):
            clock = time.perf_counter()
            # A number that is unknown is NaN, which is not equal to itself and not JSON.
            metrics = {name: value for name, value in zip(numbers, row, strict=True) if value == value}  # noqa: PLR0124
            metrics["solve_seconds"] = solving
            metrics["steps_per_second"] = point.request.problem.time_steps / max(solving, 1e-9)
            try:
                line = self._write(point, metrics, profile.tobytes(), share, made)
            except OSError as error:
                self._fail(point.index, point.folder, error, 1, share + time.perf_counter() - clock)
                continue
            self._results.add(point.index, 0, share + time.perf_counter() - clock, line)
            self.done += 1

    def _write(
        self, point: Point, metrics: dict[str, float], profile: bytes, seconds: float, made: dict[str, Any]
    ) -> str:
        """Write the files of one point; give its metrics as JSON."""
        problem = point.request.problem
        if self._header[0] != problem.spatial_steps:
            self._header = problem.spatial_steps, outputs.array_header((problem.spatial_steps,))
        content = meta.describe(problem, complete=True, steps_completed=problem.time_steps, grid={})
        content["seconds"] = {"solve": metrics["solve_seconds"]}
        pairs = [f'"{name}": {value!r}' for name, value in metrics.items()]  # as JSON writes them, and once for both
        files = [
            (outputs.METRICS, ("{\n  " + ",\n  ".join(pairs) + "\n}\n").encode()),
            (outputs.META, (_ENCODER.encode(content | made) + "\n").encode()),
            (outputs.PROFILE, self._header[1] + profile),
            (LOG, (meta.last_line(problem, metrics, seconds) + "\n").encode()),
        ]
        write_folder(point.folder, files)
        return "{" + ",".join(pairs) + "}"
