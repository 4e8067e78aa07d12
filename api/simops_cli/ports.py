"""What the commands need of the place where runs are: one port, with an adapter for a gateway and one for Kubernetes itself."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from simops_client.models import JobInfo, Plan, Point, Stats, SweepInfo

Info: TypeAlias = "JobInfo | SweepInfo"
Manifest = dict[str, Any]
Tell = Callable[[Info], object]


@dataclass(frozen=True)
class Filters:
    """Which runs or sweeps are meant."""

    status: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    """Each ``name=value``; all must be there."""
    since: str | None = None
    sweep: str | None = None
    archived: bool = False
    oldest_first: bool = False
    limit: int | None = None


@dataclass(frozen=True)
class Order:
    """What is to be run: the fields of a request of the REST API."""

    body: Mapping[str, Any]
    key: str | None = None
    """An Idempotency-Key."""
    name: str | None = None
    """What it is to be called; None: it is given a name."""

    @property
    def is_sweep(self) -> bool:
        """Whether it is a sweep."""
        return "space" in self.body or "sweep" in self.body


@dataclass(frozen=True)
class Picture:
    """What a plot is to show."""

    metric: str
    x: str
    y: str | None = None
    group: str | None = None
    kind: str | None = None
    scale: str | None = None
    format: str = "png"


@dataclass(frozen=True)
class Check:
    """One thing that `simops doctor` has looked at."""

    what: str
    ok: bool | None
    """None: it could not be looked at from here."""
    found: str = ""
    remedy: str = ""
    """What to do about it."""
    details: tuple[str, ...] = ()


class Backend(Protocol):
    """The place where runs are."""

    where: str
    """In words, for messages."""

    def submit(self, order: Order) -> Info:
        """Start something; return it as it is."""

    def plan(self, order: Order) -> "Plan | None":
        """Have it checked and nothing made; return what it would be, None where nobody can say."""

    def jobs(self, filters: Filters) -> "Iterator[JobInfo]":
        """Give runs."""

    def sweeps(self, filters: Filters) -> "Iterator[SweepInfo]":
        """Give sweeps."""

    def count(self, filters: Filters, *, sweeps: bool) -> int | None:
        """Return how many runs, or sweeps, there are whatever the limit; None where nobody can say."""

    def failed_point(self, sweep: "SweepInfo") -> "Point | None":
        """Return the first point of a sweep that has failed; None where nobody can say."""

    def get(self, identity: str) -> Info:
        """Return a run or a sweep, whichever has this id."""

    def wait(self, identity: str, *, timeout: float | None, tell: Tell) -> Info:
        """Wait for its end, through lost connections."""

    def logs(
        self, identity: str, *, follow: bool, tail: int | None, attempt: int | None, timestamps: bool
    ) -> Iterator[str]:
        """Give the lines of a run's log."""

    def cancel(self, identity: str) -> Info:
        """Stop it."""

    def rerun(self, identity: str, points: str) -> Info:
        """Run points of a sweep again."""

    def stats(self) -> "Stats":
        """Count."""

    def result(self, identity: str, folder: Path, *, unpack: bool) -> Path:
        """Bring what it has left into a folder."""

    def files(self, identity: str) -> list[tuple[str, int]]:
        """Return names and bytes of the files of a run's result."""

    def table(self, identity: str, form: str) -> bytes:
        """Return the table of a sweep as ``csv``, ``json`` or ``parquet``."""

    def rows(self, identity: str) -> list[dict[str, Any]]:
        """Return the rows of a sweep's table, to be drawn here."""

    def plot(self, identity: str, picture: Picture) -> bytes:
        """Return a picture of a sweep."""

    def checks(self) -> Iterator[Check]:
        """Look at everything that can be wrong."""

    def close(self) -> None:
        """Close its connections."""
