"""What `meta.json` says of a run, and the last line of its log."""

import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib import metadata
from typing import Any, Final

import numpy as np

from simops_sim.problem import Problem

_UNITS: Final = {"length": "m", "time": "s", "temperature": "K", "diffusivity": "m²/s", "heat": "K·m"}
_NAMES: Final = tuple(item.name for item in fields(Problem))


def describe(problem: Problem, *, complete: bool, steps_completed: int, grid: Mapping[str, object]) -> dict[str, Any]:
    """Tell how a run was computed; `grid` is what there is to say of it beyond points, dx and dt."""
    return {
        "simulation": "heat1d",
        "complete": complete,
        "steps_completed": steps_completed,
        "parameters": {name: getattr(problem, name) for name in _NAMES},
        "method": {
            "name": problem.method,
            "order_in_space": 2,
            "order_in_time": 2 if problem.method == "crank_nicolson" else 1,
            "keeps_maximum_principle": problem.keeps_maximum_principle,
        },
        "grid": {"points": problem.spatial_steps, "dx": problem.dx, "dt": problem.dt, **grid},
        "stability_number": problem.r,
        "stability_limit": 0.5 if problem.method == "ftcs" else None,
        "units": _UNITS,
    }


def provenance(begun: float, versions: Mapping[str, str], files: Sequence[str]) -> dict[str, Any]:
    """Tell when (seconds since 1970) and by what a run was made, and its files beside this one."""
    started = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(begun))
    return {"started": started, "versions": versions, "files": list(files)}


def versions(matplotlib: str | None = None) -> dict[str, str]:
    """Give the versions of all that has a part in the numbers and pictures."""
    found = {"python": platform.python_version(), "numpy": np.__version__}
    if matplotlib:
        found["matplotlib"] = matplotlib
    try:
        found["simops"] = metadata.version("simops")
    except metadata.PackageNotFoundError:
        found["simops"] = "source tree"
    return found


def last_line(problem: Problem, numbers: Mapping[str, float], seconds: float) -> str:
    """Give the last line of the log of a run that has finished."""
    error = f", error {numbers['l2_error']:.3g} K (RMS)" if "l2_error" in numbers else ""
    return (
        f"heat1d: done in {seconds:.3g} s: centre {numbers['final_center_temp']:.6g} K "
        f"at t = {problem.end_time:g} s{error}, {numbers['steps_per_second']:.3g} steps/s"
    )
