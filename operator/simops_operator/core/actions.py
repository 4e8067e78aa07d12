"""What can be done for a run, in terms of the cluster and the store (pure values). Each is repeatable."""

from dataclasses import dataclass

from simops_operator.core.pods import Manifest
from simops_operator.core.status import Status


@dataclass(frozen=True)
class ApplyJob:
    """Make the Kubernetes Job, or see that it is there."""

    manifest: Manifest


@dataclass(frozen=True)
class SuspendJob:
    """Set the Job's ``suspend``."""

    job: str
    suspend: bool


@dataclass(frozen=True)
class DeleteJob:
    """Delete the Job and its Pods."""

    job: str


@dataclass(frozen=True)
class ForbidRetries:
    """Let the Job end with its present Pod."""

    job: str


@dataclass(frozen=True)
class StopPod:
    """Delete a Pod in good order: its outputs are stored on the way.

    The grace period is given with the first request: kubelet does not shorten one that has begun.
    """

    pod: str
    grace_seconds: int


@dataclass(frozen=True)
class ArchiveLog:
    """Put the log of an attempt into the store."""

    pod: str


@dataclass(frozen=True)
class FetchSummary:
    """Ask the store what an attempt left there: its Pod cannot tell any more."""

    pod: str


@dataclass(frozen=True)
class WriteRecord:
    """Put the record of the run into the store."""

    status: Status


@dataclass(frozen=True)
class DeleteRun:
    """Delete the SimulationJob."""


Action = (
    ApplyJob | SuspendJob | DeleteJob | ForbidRetries | StopPod | ArchiveLog | FetchSummary | WriteRecord | DeleteRun
)
