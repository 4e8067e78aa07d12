"""What is known of a sweep when the next step is decided (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property

from simops_crds.indexes import Indexes
from simops_crds.names import round_job_name
from simops_operator.core.config import JobConfig
from simops_operator.core.sweeps.books import NOTHING, Books, Results, Round, Why
from simops_operator.core.sweeps.sweep import Sweep
from simops_operator.core.sweeps.views import PackPod, RoundJob


@dataclass(frozen=True)
class Points:
    """The points in the store."""

    total: int
    digest: str
    space: str
    """Digest of what they were made of."""


@dataclass(frozen=True)
class Facts:
    """What was learned beyond the caches."""

    loaded: bool = True
    """Whether the store has told what it has of the sweep."""
    points: Points | None = None
    refusal: Why | None = None
    """Why the space gives no points, or no more of them."""
    books: Books = field(default_factory=Books)
    round: Round | None = None
    """The round that is under way: it is written down, and its Job was or will be made."""
    results: Results = field(default_factory=Results)
    """What is known of it."""
    lost_packs: int = 0
    """Pods of it that ended without a single result."""
    loss: Why | None = None
    """What became of the last of them."""
    pods_listed: bool = False
    results_listed: bool = False
    """Whether the API server and the store were asked since the round ended."""
    told: Indexes | None = None
    """The cancelled points that the Pods that run were told of; None: not known."""
    per_second: float | None = None
    """Points that end a second."""
    rejected: str = ""
    """Why the API server refused the Job, if it did."""
    store_error: str = ""
    """What the store answered last, if it failed."""


@dataclass(frozen=True)
class Situation:
    """A sweep, its present round, and the time."""

    sweep: Sweep
    job: RoundJob | None
    """The Job of the round that is under way, if there is one."""
    pods: tuple[PackPod, ...]
    """Its Pods, but for those whose results are collected."""
    facts: Facts
    config: JobConfig
    now: datetime

    @property
    def total(self) -> int:
        """How many points there are, 0 while that is not known."""
        return self.facts.points.total if self.facts.points is not None else 0

    @cached_property
    def live(self) -> tuple[PackPod, ...]:
        """The Pods that have not ended."""
        return tuple(p for p in self.pods if not p.pod.ended)

    @property
    def job_name(self) -> str:
        """How the Job of the present round is called."""
        return round_job_name(self.sweep.name, self.sweep.uid, self.facts.books.rounds)

    @property
    def told_of(self) -> Mapping[str, str] | None:
        """What the status says of the present round; None: nothing."""
        return next((r for r in self.sweep.status.get("rounds") or [] if r.get("job") == self.job_name), None)

    @property
    def was_made(self) -> bool:
        """Whether the status says that the Job of the present round was made."""
        return self.told_of is not None

    @property
    def retries(self) -> int:
        """How often a failed point is tried again."""
        return self.sweep.spec.retries_per_point if self.sweep.spec is not None else 0

    # Where the points are
    @cached_property
    def succeeded(self) -> Indexes:
        """The points that have succeeded."""
        return self.facts.books.succeeded | self.facts.results.succeeded

    @cached_property
    def failed(self) -> Indexes:
        """The points that have failed for good."""
        return self.facts.books.failed | self.facts.books.exhausted(self.facts.results.failed, self.retries)

    @cached_property
    def active(self) -> Indexes:
        """The points of the Pods that run, but for those that are known to have ended."""
        this = self.facts.round
        if this is None:
            return NOTHING
        running = this.points_of_all(p.pack for p in self.live if p.pod.started and p.pack >= 0)
        return running - self.facts.results.ended

    @cached_property
    def cancelled(self) -> Indexes:
        """The points that will not be run, as far as is decided."""
        unwanted = (self.sweep.cancelled_points & Indexes.up_to(self.total)) | self.facts.books.dropped
        return unwanted - self.succeeded - self.failed - self.active

    @property
    def started(self) -> bool:
        """Whether a simulation of the present round has started."""
        left_something = bool(self.facts.results.ended.ranges) or self.facts.lost_packs > 0
        return left_something or any(p.pod.started for p in self.pods)
