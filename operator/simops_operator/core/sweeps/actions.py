"""What can be done for a sweep, in terms of the cluster and the store (pure values). Each is repeatable."""

from dataclasses import dataclass

from simops_crds.indexes import Indexes
from simops_operator.core.pods import Manifest
from simops_operator.core.sweeps.books import Books, Round


@dataclass(frozen=True)
class ExpandPoints:
    """Make the points of the space and store them; more of them, if the space has grown."""


@dataclass(frozen=True)
class TakeEarlier:
    """Look for results of identical points, put them into the table, and then into the books."""

    wanted: Indexes
    """The points that may be given one."""
    own: bool = False
    """Look at the results of this sweep itself, and not at those of others."""


@dataclass(frozen=True)
class WriteRound:
    """Put down in the store which points the next round runs."""

    round: Round


@dataclass(frozen=True)
class ApplyRoundJob:
    """Make the Job of the round, or see that it is there."""

    manifest: Manifest


@dataclass(frozen=True)
class SetParallelism:
    """Let more or fewer Pods of the round run at once."""

    job: str
    parallelism: int


@dataclass(frozen=True)
class StopPods:
    """Delete Pods in good order: their outputs are stored on the way."""

    pods: tuple[str, ...]
    grace_seconds: int


@dataclass(frozen=True)
class DeleteRoundJob:
    """Delete the Job and its Pods."""

    job: str


@dataclass(frozen=True)
class TellCancelled:
    """Tell the Pods that run which points are not wanted any more."""

    points: Indexes


@dataclass(frozen=True)
class Collect:
    """Take the results of Pods that have ended."""

    pods: tuple[str, ...]


@dataclass(frozen=True)
class ListPods:
    """Ask the API server for the Pods of the round: the watch may lag."""


@dataclass(frozen=True)
class ListResults:
    """Look for results in the store that no Pod has told of."""


@dataclass(frozen=True)
class WriteBooks:
    """Write the table and then the books."""

    books: Books


@dataclass(frozen=True)
class DeleteSweep:
    """Delete the SimulationSweep."""


Action = (
    ExpandPoints
    | TakeEarlier
    | WriteRound
    | ApplyRoundJob
    | SetParallelism
    | StopPods
    | DeleteRoundJob
    | TellCancelled
    | Collect
    | ListPods
    | ListResults
    | WriteBooks
    | DeleteSweep
)
"""Actions from which something is learned: after them it is decided again."""
TEACHING = (ExpandPoints, TakeEarlier, WriteRound, Collect, ListPods, ListResults, WriteBooks)
