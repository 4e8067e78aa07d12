"""The command line of the heat equation: options in, files out, exit code.

0 finished · 1 the files could not be written · 2 an option is wrong (nothing is written) · 128 + signal stopped, with
what had been computed kept. The stop signals are caught first of all, before the slow imports: in a container this is
process 1, which ignores any signal that it has no handler for.
"""

import argparse
import os
import platform
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, fields
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NoReturn

from simops_sim.problem import ParameterError, Problem

if TYPE_CHECKING:
    from simops_sim.outputs import Recorder

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class _UsageError(Exception):
    """The command line is wrong; the message is one line."""


class _Interrupted(BaseException):
    """A stop signal came while nothing was left to keep; derived like KeyboardInterrupt so that nobody handles it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise _UsageError(message.removeprefix("argument "))


class Stop:
    """Whether a stop signal has come. While `at_once` it interrupts; else the march ends after the current block."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.at_once = False

    def __call__(self, number: int, _frame: FrameType | None) -> None:
        """Handle the signal."""
        self.signal = number
        if self.at_once:
            raise _Interrupted

    @property
    def exit_code(self) -> int:
        """What a shell reports for a process that the signal ended."""
        return 128 + (self.signal or 0)


def parser() -> argparse.ArgumentParser:
    """Give the command line; its options are the fields of `Problem`, plus where and what to write."""
    result = _Parser(
        prog="run_sim.py",
        description="The 1D heat equation u_t = α·u_xx by finite differences.",
        epilog="Files: result.csv, metrics.json, meta.json, temperature_field.npy, simulation_results.png.",
        allow_abbrev=False,
    )
    for item in fields(Problem):
        result.add_argument(
            f"--{item.name}",
            type=str if item.metadata["choices"] else (_whole if item.type is int else float),
            choices=item.metadata["choices"] or None,
            default=item.default,
            help=f"{item.metadata['help']} (default: %(default)s)",
            metavar=None if item.metadata["choices"] else item.name.upper(),
        )
    result.add_argument(
        "--output_dir", default=None, help="folder of the files (default: $SIMOPS_OUTPUTS, else ./outputs)"
    )
    result.add_argument("--plot", type=_flag, default=True, metavar="true|false", help="draw the plot (default: true)")
    return result


def _whole(text: str) -> int:
    """Read a whole number; a sweep's axis may write 100 as 100.0."""
    try:
        return int(text)
    except ValueError:
        number = float(text)
        if not number.is_integer():
            raise ValueError(text) from None
        return int(number)


_whole.__name__ = "whole number"


def _flag(text: str) -> bool:
    if text.lower() not in {"true", "false"}:
        raise argparse.ArgumentTypeError(f"must be true or false, not {text!r}")
    return text.lower() == "true"


def _joined(argv: Sequence[str]) -> list[str]:
    """Write `--time-steps 5` as `--time_steps=5`: both spellings count, and argparse takes -1e3 for an option else."""
    result: list[str] = []
    pending: str | None = None
    for word in argv:
        if word.startswith("--"):
            if pending is not None:
                result.append(pending)
            name, equals, value = word.partition("=")
            pending = "--" + name[2:].replace("-", "_")
            if equals or pending == "--help":
                result.append(pending + equals + value)
                pending = None
        elif pending is not None:
            result.append(f"{pending}={word}")
            pending = None
        else:
            result.append(word)
    return result if pending is None else [*result, pending]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one simulation and give the exit code."""
    stop = Stop()
    with _handling(stop):
        try:
            arguments = vars(parser().parse_args(_joined(sys.argv[1:] if argv is None else argv)))
            folder = Path(arguments.pop("output_dir") or os.environ.get("SIMOPS_OUTPUTS") or "outputs")
            plot = arguments.pop("plot")
            return _run(Problem(**arguments), folder, stop, plot=plot)
        except (_UsageError, ParameterError) as error:
            return _fail(error, 2)
        except OSError as error:
            return _fail(error, 1)


def _fail(error: Exception, code: int) -> int:
    sys.stderr.write(f"run_sim.py: error: {' '.join(str(error).split())}\n")
    return code


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


@contextmanager
def _handling(stop: Stop) -> Iterator[None]:
    before = {number: signal.signal(number, stop) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _run(problem: Problem, folder: Path, stop: Stop, *, plot: bool) -> int:
    """Compute, write, and say how far it is."""
    # The products are small, and a thread per core of the node would fight for the one or two that a Pod may use.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    from simops_sim import outputs  # noqa: PLC0415 – loads numpy, which a refused command line need not wait for

    outputs.check_room(problem, folder)
    folder.mkdir(parents=True, exist_ok=True)
    begun = time.time()
    clock = time.perf_counter
    started = clock()
    _say(
        f"heat1d: {problem.method}, {problem.time_steps} steps of {problem.dt:.6g} s, {problem.spatial_steps} points, "
        f"r = {problem.r:.6g}, field {outputs.field_bytes(problem) / 2**20:.4g} MiB, outputs in {folder}"
    )
    if problem.starts_with_a_jump and not problem.keeps_maximum_principle:
        _say(
            f"heat1d: note: crank_nicolson rings on a profile that jumps at the ends when r > 1 (here {problem.r:.4g});"
            " --method btcs does not, nor do more --time_steps"
        )
    recorder = outputs.Recorder(problem)
    with outputs.FieldFile(folder / outputs.FIELD, problem) as file:
        solve_seconds = _march(problem, recorder, file.write, stop)
        if not file.rows:
            raise AssertionError("at least one block is computed")
    marched = clock()

    table = recorder.table()
    numbers = outputs.metrics(recorder, table, solve_seconds)
    outputs.write_table(folder / outputs.SERIES, table)
    outputs.write_json(folder / outputs.METRICS, numbers)
    written = clock()
    drawn_with = _plot(folder / outputs.PLOT, recorder, table, stop) if plot else None
    if drawn_with is None:
        (folder / outputs.PLOT).unlink(missing_ok=True)  # one of an earlier run would not belong to these files

    complete = stop.signal is None
    seconds = {
        "solve": solve_seconds,
        "march": marched - started,
        "tables": written - marched,
        "plot": clock() - written,
    }
    meta = _meta(problem, recorder, complete=complete, rows=file.rows, seconds=seconds)
    meta["started"] = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun))
    meta["versions"] = _versions(drawn_with)
    meta["files"] = [outputs.SERIES, outputs.METRICS, outputs.FIELD, *([outputs.PLOT] if drawn_with else [])]
    outputs.write_json(folder / outputs.META, meta)
    if not complete:
        done = f"after step {file.rows - 1} of {problem.time_steps}"
        _say(f"heat1d: stopped by signal {stop.signal} {done}; what was computed is kept")
        return stop.exit_code
    error = f", error {numbers['l2_error']:.3g} K (RMS)" if "l2_error" in numbers else ""
    _say(
        f"heat1d: done in {clock() - started:.3g} s: centre {numbers['final_center_temp']:.6g} K "
        f"at t = {problem.end_time:g} s{error}, {numbers['steps_per_second']:.3g} steps/s"
    )
    return 0


def _march(problem: Problem, recorder: "Recorder", write: Callable[[Any], None], stop: Stop) -> float:
    """Compute block by block until the end or a stop signal; give the seconds of computing alone."""
    from simops_sim import heat1d  # noqa: PLC0415

    solving, told = 0.0, 0
    blocks = heat1d.march(problem)
    while True:
        begun = time.perf_counter()
        step = next(blocks, None)
        solving += time.perf_counter() - begun
        if step is None:
            return solving
        first, block = step
        write(block)
        recorder.add(first, block)
        done = first + len(block) - 1
        if done * 10 // problem.time_steps > told:
            told = done * 10 // problem.time_steps
            centre = float(heat1d.centre(block[-1]))
            _say(
                f"heat1d: {100 * done // problem.time_steps:3d} %  step {done}/{problem.time_steps}  "
                f"t = {done * problem.dt:.6g} s  centre {centre:.6g} K"
            )
        if stop.signal is not None:
            return solving


def _plot(path: Path, recorder: "Recorder", table: Any, stop: Stop) -> str | None:
    """Draw unless a stop signal has come or comes; give matplotlib's version."""
    from simops_sim import outputs  # noqa: PLC0415

    try:
        stop.at_once = True
        return None if stop.signal is not None else outputs.draw(path, recorder, table)
    except _Interrupted:
        return None
    finally:
        stop.at_once = False


def _meta(
    problem: Problem, recorder: "Recorder", *, complete: bool, rows: int, seconds: dict[str, float]
) -> dict[str, Any]:
    return {
        "simulation": "heat1d",
        "complete": complete,
        "steps_completed": rows - 1,
        "parameters": asdict(problem),
        "method": {
            "name": problem.method,
            "order_in_space": 2,
            "order_in_time": 2 if problem.method == "crank_nicolson" else 1,
            "keeps_maximum_principle": problem.keeps_maximum_principle,
        },
        "grid": {
            "points": problem.spatial_steps,
            "dx": problem.dx,
            "dt": problem.dt,
            "field_shape": [rows, problem.spatial_steps],
            "series_every": recorder.every,
        },
        "stability_number": problem.r,
        "stability_limit": 0.5 if problem.method == "ftcs" else None,
        "units": {"length": "m", "time": "s", "temperature": "K", "diffusivity": "m²/s", "heat": "K·m"},
        "seconds": seconds,
    }


def _versions(matplotlib: str | None) -> dict[str, str]:
    from importlib import metadata  # noqa: PLC0415

    import numpy as np  # noqa: PLC0415

    found = {"python": platform.python_version(), "numpy": np.__version__}
    if matplotlib:
        found["matplotlib"] = matplotlib
    try:
        found["simops"] = metadata.version("simops")
    except metadata.PackageNotFoundError:
        found["simops"] = "source tree"
    return found
