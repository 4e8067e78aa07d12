"""The books of a sweep between two rounds: where every point is, as sets of ranges (pure).

They are in the store as ``ledger.json``, written at the end of a round after everything that they speak of; the next round is planned from them alone. So
whatever dies, books and results in the store lead to the same next round.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from simops_crds.indexes import Indexes
from simops_crds.names import Reason

MAX_PAST = 100
"""So many rounds are remembered, the latest."""
LOSSES_ALLOWED = 3
"""How often a point may be missing, beside ``retriesPerPoint``, before it has failed."""

NOTHING = Indexes()
Past = Mapping[str, str]
"""A round that is over, as the status tells of it: job, reason, points, startTime, completionTime."""
Levels = tuple[Indexes, ...]


@dataclass(frozen=True)
class Why:
    """A reason and a sentence."""

    reason: Reason
    message: str


@dataclass(frozen=True)
class Round:
    """One Indexed Job: which points it runs, and how many of them each Pod. Pack i is the ranks from i * points_per_pod on."""

    number: int
    points: Indexes
    points_per_pod: int = 1
    reason: str = "points"

    @property
    def packs(self) -> int:
        """How many Pods it needs."""
        return -(-len(self.points) // self.points_per_pod)

    def points_of(self, pack: int) -> Indexes:
        """Return the points of a pack."""
        return self.points.ranks(pack * self.points_per_pod, (pack + 1) * self.points_per_pod)

    def points_of_all(self, packs: Iterable[int]) -> Indexes:
        """Return the points of some packs."""
        return Indexes.of(pair for pack in packs for pair in self.points_of(pack).ranges)

    def to_dict(self) -> dict[str, Any]:
        """Return the round as ``rounds/<number>.json`` has it, but for the chunks of points."""
        return {
            "round": self.number,
            "points": str(self.points),
            "pointsPerPod": self.points_per_pod,
            "reason": self.reason,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Round":
        """Return the round that ``rounds/<number>.json`` tells of."""
        return cls(
            int(raw["round"]),
            Indexes.parse(raw["points"]),
            int(raw["pointsPerPod"]),
            str(raw.get("reason") or "points"),
        )


@dataclass(frozen=True)
class Results:
    """What is known of a round: the points that have ended, how long those took that tell, in seconds."""

    succeeded: Indexes = NOTHING
    failed: Indexes = NOTHING
    seconds: float = 0.0
    measured: int = 0

    @cached_property
    def ended(self) -> Indexes:
        """The points that have ended."""
        return self.succeeded | self.failed


@dataclass(frozen=True)
class Books:
    """Where every point is. A point that is in none of succeeded, failed and dropped is still to be run."""

    rounds: int = 0
    """How many rounds are over; also the number of the next one."""
    succeeded: Indexes = NOTHING
    failed: Indexes = NOTHING
    """Failed for good."""
    lost: Indexes = NOTHING
    """Those of the failed that never had a result."""
    dropped: Indexes = NOTHING
    """Given up when the sweep ended; only an order to run them again brings them back."""
    failures: Levels = ()
    """Of the points that are still to be run: those that have failed once, twice, …"""
    losses: Levels = ()
    """The same for those whose Pod ended without a result of them."""
    rerun: str = ""
    """The last order to run points again that was taken."""
    ordered: Indexes = NOTHING
    """What that order brought back."""
    kept: Indexes = NOTHING
    """Those of the points brought back that had succeeded: that result stays, and counts again if there will be no other."""
    looked: str = ""
    """Digest of the points for which earlier results were looked up last."""
    reused: Indexes = NOTHING
    """Those of the succeeded whose result is that of an earlier run."""
    twins: Indexes = NOTHING
    """Points that are like one before them in this sweep: they wait for its result."""
    probes: int = 0
    """Rounds so far that were made to measure."""
    seconds: float = 0.0
    measured: int = 0
    """Points whose time is known, and their time together."""
    verdict: Why | None = None
    """Why the sweep is being ended before all points are, if no person has said so."""
    started: str = ""
    """When the first simulation of all rounds that are over started; empty: none has."""
    past: tuple[Past, ...] = ()
    """The latest rounds that are over. Here, and not in the status alone: who writes the books may not live to write a status."""

    @property
    def seconds_per_point(self) -> float | None:
        """The mean time of a point, None while it is not known."""
        return self.seconds / self.measured if self.measured else None

    def pending(self, total: int, cancelled: Indexes) -> Indexes:
        """Return the points that are still to be run, of ``total``."""
        return Indexes.up_to(total) - self.succeeded - self.failed - self.dropped - cancelled

    def held(self, pending: Indexes) -> Indexes:
        """Return those of the points still to be run that wait for another one's result, as long as there are others."""
        waiting = self.twins & pending
        return waiting if waiting != pending else NOTHING

    def take(self, reused: Results, twins: Indexes, looked: str) -> "Books":
        """Return the books after results of earlier runs were looked up.

        Args:
            reused: what was found, and how long it took when it was run.
            twins: the points that wait for another one of this sweep.
            looked: digest of the points of the sweep.
        """
        points = reused.succeeded
        return replace(
            self,
            succeeded=self.succeeded | points,
            reused=self.reused | points,
            twins=twins - points,
            looked=looked,
            failures=_without(self.failures, points),
            losses=_without(self.losses, points),
            ordered=self.ordered - points,
            kept=self.kept - points,
            seconds=self.seconds + reused.seconds,
            measured=self.measured + reused.measured,
        )

    def exhausted(self, failed: Indexes, retries: int) -> Indexes:
        """Return those of the points that failed in the present round which will not be tried again."""
        if retries == 0:
            return failed
        return failed & self.failures[retries - 1] if len(self.failures) >= retries else NOTHING

    def conclude(self, over: Round, results: Results, *, retries: int, excused: Indexes, counts: bool) -> "Books":
        """Return the books after a round.

        Args:
            over: the round that has ended.
            results: all that the store has of it.
            retries: how often a failed point is tried again.
            excused: points without a result that nobody holds against them: a person has cancelled them.
            counts: whether a point without a result is missing. Not so when the Job was taken away under it.
        """
        succeeded, failed = results.succeeded & over.points, results.failed & over.points
        missing = over.points - succeeded - failed - excused if counts else NOTHING
        # What is over leaves the levels; ``_raised`` puts back what is tried again.
        failures, gave_out = _raised(_without(self.failures, succeeded), failed, retries)
        losses, gone = _raised(_without(self.losses, succeeded | failed), missing, retries + LOSSES_ALLOWED)
        back = gone & self.kept  # there is no other result, so the one before the order counts again
        return replace(
            self,
            rounds=over.number + 1,
            succeeded=self.succeeded | succeeded | back,
            failed=self.failed | gave_out | (gone - back),
            lost=self.lost | (gone - back),
            failures=_without(failures, gave_out | gone),
            losses=_without(losses, gave_out | gone),
            ordered=self.ordered - succeeded - gave_out - gone,
            kept=self.kept - succeeded - failed - gone,
            probes=self.probes + (over.reason == "probe"),
            seconds=self.seconds + results.seconds,
            measured=self.measured + results.measured,
        )

    def remember(self, past: Past, started: str) -> "Books":
        """Return the books with a round that is over, and when the first simulation of it started (empty: none has)."""
        return replace(self, past=(*self.past, past)[-MAX_PAST:], started=self.started or started)

    def reopen(self, order: str, what: str, total: int) -> "Books":
        """Return the books after an order to run points again: ``failed``, ``missing`` or ranges. Each order is taken once."""
        every = Indexes.up_to(total)
        if what == "failed":
            points = self.failed
        elif what == "missing":
            points = self.lost | self.dropped
        else:
            points = Indexes.parse(what)
        points = points & every
        return replace(
            self,
            succeeded=self.succeeded - points,
            failed=self.failed - points,
            lost=self.lost - points,
            dropped=self.dropped - points,
            reused=self.reused - points,
            twins=self.twins - points,
            failures=_without(self.failures, points),
            losses=_without(self.losses, points),
            rerun=order,
            ordered=points,
            kept=self.kept | (self.succeeded & points),
            verdict=None,
        )

    def close(self, total: int) -> "Books":
        """Return the books of a sweep that has ended: what has no result is given up, and what was to have another one keeps its own."""
        succeeded = self.succeeded | self.kept
        rest = Indexes.up_to(total) - succeeded - self.failed
        return replace(self, succeeded=succeeded, dropped=rest, failures=(), losses=(), ordered=NOTHING, kept=NOTHING)

    def to_dict(self) -> dict[str, Any]:
        """Return the books as ``ledger.json`` has them."""
        sets = {name: str(getattr(self, name)) for name in _SETS}
        levels = {name: [str(level) for level in getattr(self, name)] for name in _LEVELS}
        end = {"verdict": [self.verdict.reason.value, self.verdict.message]} if self.verdict else {}
        past = {"started": self.started, "past": [dict(one) for one in self.past]}
        return {
            "version": 1,
            **past,
            **{name: getattr(self, name) for name in (*_VALUES, "looked")},
            **sets,
            **levels,
            **end,
        }

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> "Books":
        """Return the books that ``ledger.json`` tells of."""
        fields: dict[str, Any] = {name: raw[name] for name in _VALUES}
        fields |= {name: Indexes.parse(raw.get(name) or "") for name in _SETS}
        fields |= {name: tuple(Indexes.parse(text) for text in raw.get(name) or []) for name in _LEVELS}
        verdict = Why(Reason(raw["verdict"][0]), raw["verdict"][1]) if raw.get("verdict") else None
        past = tuple({str(k): str(v) for k, v in one.items()} for one in raw.get("past") or [])
        started, looked = str(raw.get("started") or ""), str(raw.get("looked") or "")
        return cls(**fields, looked=looked, verdict=verdict, started=started, past=past)


_VALUES = ("rounds", "rerun", "probes", "seconds", "measured")
_SETS = ("succeeded", "failed", "lost", "dropped", "ordered", "kept", "reused", "twins")
_LEVELS = ("failures", "losses")


def _without(levels: Levels, points: Indexes) -> Levels:
    out = [level - points for level in levels]
    while out and not out[-1].ranges:
        out.pop()
    return tuple(out)


def _raised(levels: Levels, points: Indexes, limit: int) -> tuple[Levels, Indexes]:
    """Return the levels after these points went up by one, and those that went beyond the limit."""
    out: list[Indexes] = [level - points for level in levels] + [NOTHING]
    new, over = points, NOTHING
    for height, level in enumerate(levels):
        risen = level & points
        new = new - risen
        if height + 1 >= limit:
            over = over | risen
        else:
            out[height + 1] = out[height + 1] | risen
    if limit == 0:
        return _without(tuple(out), NOTHING), over | new
    out[0] = out[0] | new
    return _without(tuple(out), NOTHING), over
