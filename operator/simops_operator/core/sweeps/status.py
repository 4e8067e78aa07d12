"""From what is known of a sweep to its status (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from simops_crds.indexes import Indexes
from simops_crds.names import FINAL_PHASES, ConditionType, Phase, Reason
from simops_operator.core.status import Condition, Status, format_time, shorten, transition
from simops_operator.core.sweeps.books import MAX_PAST, Books, Past, Round
from simops_operator.core.sweeps.estimate import ends_at
from simops_operator.core.sweeps.situation import Situation

MAX_RANGES_BYTES = 100 * 1024
"""Ranges of points that are longer, all together, are in the store only."""
_MAX_ROUND_BYTES = 1024


@dataclass(frozen=True)
class Outcome:
    """Where a sweep is and why, before it is worded as a status."""

    phase: Phase
    reason: Reason
    message: str
    accepted: bool = True
    job_made: bool = False
    """Whether the Job of the present round is there, or is made before this is written."""


@dataclass(frozen=True)
class Told:
    """A status, and the ranges that are too long for it (None: they are in it)."""

    status: Status
    ranges: Mapping[str, str] | None = None


def told(at: Situation, outcome: Outcome) -> Told:
    """Return the whole status of a sweep."""
    before = at.sweep.status
    final = outcome.phase in FINAL_PHASES
    status: Status = {
        "phase": outcome.phase.value,
        "reason": outcome.reason.value,
        "message": shorten(outcome.message),
        "observedGeneration": at.sweep.generation,
        "conditions": _conditions(at, outcome, final=final),
    }
    if started := before.get("startTime") or at.facts.books.started or _started(at):
        status["startTime"] = started
    if final:
        kept = before.get("completionTime") if at.sweep.finished else None
        status["completionTime"] = kept or format_time(at.now)
    if not at.facts.loaded or at.facts.points is None:
        return Told(status | {key: before[key] for key in _KEPT if key in before})
    status["pointsDigest"] = at.facts.points.digest
    if rounds := _rounds(at, outcome, final=final):
        status["rounds"] = rounds
    sets = _sets(at, final=final)
    status["points"] = {"total": at.total} | {name: len(points) for name, points in sets.items()}
    if at.facts.books.reused.ranges:
        status["points"]["reused"] = len(at.facts.books.reused)
    if not final:
        status |= _speed(at, len(sets["succeeded"]) + len(sets["failed"]) + len(sets["cancelled"]))
    ranges = {f"{name}Points": str(points) for name, points in sets.items() if points.ranges}
    if sum(map(len, ranges.values())) > MAX_RANGES_BYTES:
        return Told(status | {"rangesInStore": True}, ranges)
    return Told(status | ranges)


_KEPT = (
    "points",
    "succeededPoints",
    "failedPoints",
    "activePoints",
    "cancelledPoints",
    "rangesInStore",
    "rounds",
    "pointsDigest",
)
"""What a status keeps when what the store has of the sweep is not known."""


def _sets(at: Situation, *, final: bool) -> dict[str, Indexes]:
    if final:
        rest = Indexes.up_to(at.total) - at.succeeded - at.failed
        return {"active": Indexes(), "succeeded": at.succeeded, "failed": at.failed, "cancelled": rest}
    return {"active": at.active, "succeeded": at.succeeded, "failed": at.failed, "cancelled": at.cancelled}


def _speed(at: Situation, over: int) -> Status:
    per_second = at.facts.per_second
    if not per_second:
        return {}
    out: Status = {"pointsPerSecond": float(f"{per_second:.3g}")}
    if end := ends_at(at.now, at.total - over, per_second):
        out["estimatedCompletionTime"] = format_time(end)
    return out


def _started(at: Situation) -> str | None:
    states = [p.pod.simulation for p in at.pods]
    begun = [s.running_since or (s.terminated.started_at if s.terminated else None) for s in states]
    first = min((moment for moment in begun if moment is not None), default=None)
    if first is None and at.facts.results.ended.ranges:
        first = at.now  # its Pods are gone
    return format_time(first) if first else None


def _rounds(at: Situation, outcome: Outcome, *, final: bool) -> list[Status]:
    """Return the latest rounds: those that are over by the books, the present one from when its Job is made."""
    told_before = {r.get("job"): dict(r) for r in at.sweep.status.get("rounds") or []}
    over = [{**r, **told_before.pop(r["job"], {})} for r in at.facts.books.past]
    present = told_before.pop(at.job_name, None)
    if present is None and at.facts.round is not None and outcome.job_made:
        present = _entry(at, at.facts.round)
    rounds = [*told_before.values(), *over, *([present] if present is not None else [])]
    for entry in rounds:
        if "completionTime" not in entry and (final or at.facts.round is None or entry is not present):
            entry["completionTime"] = format_time(at.now)
    return rounds[-MAX_PAST:]


def _entry(at: Situation, this: Round) -> dict[str, str]:
    points = str(this.points)
    return {
        "job": at.job_name,
        "reason": this.reason,
        "points": points if len(points) <= _MAX_ROUND_BYTES else str(len(this.points)),
        "startTime": format_time((at.job.created if at.job is not None else None) or at.now),
    }


def remembered(books: Books, at: Situation, this: Round) -> Books:
    """Return the books with the round that is ending, if a Job was made for it."""
    if at.job is None and not at.was_made and not at.facts.results.ended.ranges:
        return books
    past: Past = {"completionTime": format_time(at.now), **(at.told_of or _entry(at, this))}
    return books.remember(past, at.sweep.status.get("startTime") or _started(at) or "")


def differs(before: Mapping[str, Any], after: Status) -> bool:
    """Whether a status is worth a write: anything but the wording and the estimate has changed."""

    def essence(status: Mapping[str, Any]) -> Status:
        ignored = {"message", "conditions", "completionTime", "pointsPerSecond", "estimatedCompletionTime"}
        kept = {k: v for k, v in status.items() if k not in ignored}
        kept["conditions"] = [(c["type"], c["status"], c["reason"]) for c in status.get("conditions") or []]
        return kept

    return essence(before) != essence(after)


def _had_started(at: Situation) -> bool:
    return bool(at.sweep.status.get("startTime") or at.facts.books.started) or at.started


def _conditions(at: Situation, outcome: Outcome, *, final: bool) -> list[Status]:
    if outcome.accepted:
        accepted = Condition(ConditionType.ACCEPTED, True, Reason.VALID)
    else:
        accepted = Condition(ConditionType.ACCEPTED, False, outcome.reason, outcome.message)
    if _had_started(at):
        started = Condition(ConditionType.STARTED, True, Reason.SIMULATION_STARTED)
    else:
        reason = Reason.NOT_STARTED if final else outcome.reason
        started = Condition(ConditionType.STARTED, False, reason, "" if final else outcome.message)
    if final:
        finished = Condition(ConditionType.FINISHED, True, outcome.reason, outcome.message)
    else:
        finished = Condition(ConditionType.FINISHED, False, Reason.IN_PROGRESS)
    every = (accepted, started, _stored(at, final=final), finished)
    return [transition(at.sweep.status, condition, at.sweep.generation, at.now) for condition in every]


def _stored(at: Situation, *, final: bool) -> Condition:
    kind = ConditionType.ARTIFACTS_STORED
    if not final:
        return Condition(kind, False, Reason.IN_PROGRESS)
    if not _had_started(at):
        return Condition(kind, False, Reason.NOT_STARTED)
    lost = at.facts.books.lost
    if lost.ranges:
        return Condition(kind, False, Reason.POD_LOST, f"{len(lost)} points left no result")
    return Condition(kind, True, Reason.STORED)


def expiration_of(at: Situation, status: Status) -> Status:
    """Return ``artifacts`` of the record of a sweep: when its results are removed from the store, if ever."""
    spec = at.sweep.spec
    if spec is None or not spec.artifacts.expire_after_seconds or "startTime" not in status:
        return {}
    due = at.now + timedelta(seconds=spec.artifacts.expire_after_seconds)
    return {"expirationTime": format_time(due)}
