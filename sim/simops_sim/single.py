"""One run: computed block by block, with all its files written as it goes and its progress told."""

import contextlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from simops_sim import heat1d, meta, outputs
from simops_sim.heat1d import Array
from simops_sim.options import Request
from simops_sim.problem import Problem
from simops_sim.stop import Interrupted, Stop

Say = Callable[[str], None]

_ALL_FILES: Final = (outputs.SERIES, outputs.METRICS, outputs.FIELD, outputs.PLOT, outputs.PROFILE)


def run(request: Request, folder: Path, stop: Stop, say: Say) -> int:
    """Compute, write, and say how far it is; give the exit code.

    Raises ParameterError for a field that does not fit on the disk (nothing is written then), and OSError.
    """
    problem, full = request.problem, request.outputs != "summary"
    if full:
        outputs.check_room(problem, folder)
    folder.mkdir(parents=True, exist_ok=True)
    begun, started = time.time(), time.perf_counter()
    _greet(problem, folder, say, full=full)
    recorder = outputs.Recorder(problem)
    with outputs.FieldFile(folder / outputs.FIELD, problem) if full else contextlib.nullcontext() as file:
        solving = _march(problem, recorder, file.write if file else None, stop, say)
    marched = time.perf_counter()
    table = recorder.table()
    numbers = outputs.metrics(recorder, table, solving)
    files = _write(folder, recorder, table, numbers, full=full)
    written = time.perf_counter()
    drawn_with = _plot(folder / outputs.PLOT, recorder, table, stop) if full and request.plot else None
    if drawn_with is not None:
        files.append(outputs.PLOT)
    for name in set(_ALL_FILES).difference(files):
        (folder / name).unlink(missing_ok=True)  # one of an earlier run would not belong to these files
    seconds = {
        "solve": solving,
        "march": marched - started,
        "tables": written - marched,
        "plot": time.perf_counter() - written,
    }
    grid: dict[str, object] = {}
    if full:
        grid = {"field_shape": [recorder.last_step + 1, problem.spatial_steps], "series_every": recorder.every}
    content = {
        **meta.describe(problem, complete=stop.signal is None, steps_completed=recorder.last_step, grid=grid),
        "seconds": seconds,
        **meta.provenance(begun, meta.versions(drawn_with), files),
    }
    outputs.write_json(folder / outputs.META, content)
    if stop.signal is not None:
        done = f"after step {recorder.last_step} of {problem.time_steps}"
        say(f"heat1d: stopped by signal {stop.signal} {done}; what was computed is kept")
        return stop.exit_code
    say(meta.last_line(problem, numbers, time.perf_counter() - started))
    return 0


def _greet(problem: Problem, folder: Path, say: Say, *, full: bool) -> None:
    field = f"field {outputs.field_bytes(problem) / 2**20:.4g} MiB" if full else "summary only"
    say(
        f"heat1d: {problem.method}, {problem.time_steps} steps of {problem.dt:.6g} s, {problem.spatial_steps} points, "
        f"r = {problem.r:.6g}, {field}, outputs in {folder}"
    )
    if problem.starts_with_a_jump and not problem.keeps_maximum_principle:
        say(
            f"heat1d: note: crank_nicolson rings on a profile that jumps at the ends when r > 1 (here {problem.r:.4g});"
            " --method btcs does not, nor do more --time_steps"
        )


def _march(
    problem: Problem, recorder: outputs.Recorder, write: Callable[[Array], None] | None, stop: Stop, say: Say
) -> float:
    """Compute block by block until the end or a stop signal; give the seconds of computing alone."""
    solving, told = 0.0, 0
    blocks = heat1d.march(problem)
    while True:
        begun = time.perf_counter()
        step = next(blocks, None)
        solving += time.perf_counter() - begun
        if step is None:
            return solving
        first, block = step
        if write is not None:
            write(block)
        recorder.add(first, block)
        done = first + len(block) - 1
        if done * 10 // problem.time_steps > told:
            told = done * 10 // problem.time_steps
            centre = float(heat1d.centre(block[-1]))
            say(
                f"heat1d: {100 * done // problem.time_steps:3d} %  step {done}/{problem.time_steps}  "
                f"t = {done * problem.dt:.6g} s  centre {centre:.6g} K"
            )
        if stop.signal is not None:
            return solving


def _write(
    folder: Path, recorder: outputs.Recorder, table: Array, numbers: dict[str, float], *, full: bool
) -> list[str]:
    """Write what is known at the end of the march; give the names of the files that there are now."""
    outputs.write_json(folder / outputs.METRICS, numbers)
    if full:
        outputs.write_table(folder / outputs.SERIES, table)
        return [outputs.SERIES, outputs.METRICS, outputs.FIELD]
    outputs.write_array(folder / outputs.PROFILE, recorder.last)
    return [outputs.METRICS, outputs.PROFILE]


def _plot(path: Path, recorder: outputs.Recorder, table: Array, stop: Stop) -> str | None:
    """Draw unless a stop signal has come or comes; give matplotlib's version."""
    try:
        stop.at_once = True
        return None if stop.signal is not None else outputs.draw(path, recorder, table)
    except Interrupted:
        return None
    finally:
        stop.at_once = False
