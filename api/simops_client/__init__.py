"""A client of SimOps: runs and sweeps by a gateway's REST calls, from Python.

``Client`` blocks, ``AsyncClient`` is awaited; both have the same calls.
"""

from simops_client.axes import integers, linspace, logspace, loguniform, uniform, values
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
