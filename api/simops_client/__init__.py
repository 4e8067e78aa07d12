"""A client of SimOps: runs and sweeps by a gateway's REST calls, from Python.

``Client`` blocks, ``AsyncClient`` is awaited; both have the same calls.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from simops_client.axes import integers, linspace, logspace, loguniform, uniform, values
    from simops_client.core.pictures import Picture
    from simops_client.core.requests import Run, RunFields, SweepFields
    from simops_client.errors import (
        Conflict,
        DamagedDownload,
        FieldProblem,
        Forbidden,
        Invalid,
        NotFound,
        SimOpsError,
        SimulationFailed,
        TooManyRequests,
        Unauthorized,
        Unavailable,
    )
    from simops_client.models import Artifacts, File, JobInfo, Plan, Point, Stats, SweepInfo
    from simops_client.shells.asynchronous import AsyncClient, AsyncJob, AsyncSweep
    from simops_client.shells.sync import Client, Job, Sweep

__all__ = [
    "Artifacts",
    "AsyncClient",
    "AsyncJob",
    "AsyncSweep",
    "Client",
    "Conflict",
    "DamagedDownload",
    "FieldProblem",
    "File",
    "Forbidden",
    "Invalid",
    "Job",
    "JobInfo",
    "NotFound",
    "Picture",
    "Plan",
    "Point",
    "Run",
    "RunFields",
    "SimOpsError",
    "SimulationFailed",
    "Stats",
    "Sweep",
    "SweepFields",
    "SweepInfo",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
    "integers",
    "linspace",
    "logspace",
    "loguniform",
    "uniform",
    "values",
]

_PLACES = {
    "axes": ("integers", "linspace", "logspace", "loguniform", "uniform", "values"),
    "core.pictures": ("Picture",),
    "core.requests": ("Run", "RunFields", "SweepFields"),
    "errors": (
        "Conflict",
        "DamagedDownload",
        "FieldProblem",
        "Forbidden",
        "Invalid",
        "NotFound",
        "SimOpsError",
        "SimulationFailed",
        "TooManyRequests",
        "Unauthorized",
        "Unavailable",
    ),
    "models": ("Artifacts", "File", "JobInfo", "Plan", "Point", "Stats", "SweepInfo"),
    "shells.asynchronous": ("AsyncClient", "AsyncJob", "AsyncSweep"),
    "shells.sync": ("Client", "Job", "Sweep"),
}
"""Where things are: what is not used is not loaded, as it takes a good half of a second."""
_HOMES = {name: module for module, names in _PLACES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = globals()[name] = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
