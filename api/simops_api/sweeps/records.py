"""What the cache keeps of a SimulationSweep: a slim frozen record that knows the state of each point without an object for each (pure)."""

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from simops_api.archive.reader import Of
from simops_api.records import Record, how_of, phase_of, seconds_of
from simops_crds.indexes import Indexes, ranked
from simops_crds.names import FINAL_PHASES, Phase, sweep_prefix

KubeObject = Mapping[str, Any]

MAX_POINTS = 1_000_000
"""More than any sweep may have; what a status says beyond it is not believed."""


@dataclass(frozen=True, slots=True)
class SweepRecord(Record):
    """One SimulationSweep."""

    total: int = 0
    """Points that are known so far."""
    points: Mapping[str, Indexes] = field(default_factory=dict)
    """Phase → the points in it. Each of the first ``total`` indexes is in one of them."""
    counts: Mapping[str, int] = field(default_factory=dict)
    """Phase → how many points are in it, also where which ones they are is too long for the object."""
    shared: bytes = b"{}"
    """What all points have in common, as JSON: the fields of a job."""
    listed: tuple[bytes, ...] = ()
    """What each point of method list varies, as JSON."""
    digest: str = ""
    """Names the points in the store; empty as long as they are not (all) there."""
    is_long: bool = False
    """Whether the states of the points are too long for the object and in the store instead."""
    expires: float | None = None
    """When its results are removed, in seconds since 1970."""
    archived: bool = False
    """Whether the object is gone and this is what the store remembers."""

    def has_expired(self, now: float) -> bool:
        """Whether its results have been removed, or are at any moment; ``now`` is in seconds since 1970."""
        return self.expires is not None and self.expires <= now

    def __hash__(self) -> int:
        return hash((self.id, self.version))

    @property
    def name(self) -> str:
        """The name of the object."""
        return self.id.rpartition(".")[2]

    def _parts(self, phases: Collection[str] | None) -> list[Indexes]:
        if phases is None:
            return [Indexes.up_to(self.total)]
        return [self.points[phase] for phase in set(phases) if phase in self.points]

    def count(self, phases: Collection[str] | None) -> int:
        """Return how many points are in some phases; None is any."""
        return sum(map(len, self._parts(phases)))

    def slice(self, phases: Collection[str] | None, first: int, last: int) -> list[int]:
        """Return the points in some phases, None is any, of rank ``first`` to ``last - 1``, in order."""
        return ranked(self._parts(phases), first, last)

    def phase_at(self, index: int) -> str:
        """Return the phase of a point."""
        return next(phase for phase, found in self.points.items() if index in found)


def sweep_record_of(obj: KubeObject, sweep_id: str, *, archived: bool = False) -> SweepRecord:
    """Return the record of an API object, one that is there or one that is ``archived``."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    listed = (spec.get("space") or {}).get("points") or []
    total = total_of(spec, status)
    points = phases_of(spec, status, phase_of(obj), total)
    is_long = bool(status.get("rangesInStore"))
    counts = _counted(status, phase_of(obj), total) if is_long else {name: len(found) for name, found in points.items()}
    document = _json(document_of(obj, sweep_id, counts, total) | {"archived": archived})
    return SweepRecord(
        id=sweep_id,
        namespace=sys.intern(meta["namespace"]),
        version=int(meta["resourceVersion"]),
        created=int(seconds_of(meta.get("creationTimestamp")) or 0),
        phase=phase_of(obj),
        labels=tuple((sys.intern(k), sys.intern(v)) for k, v in (meta.get("labels") or {}).items()),
        started=seconds_of(status.get("startTime")),
        completed=seconds_of(status.get("completionTime")),
        uid=str(meta.get("uid") or ""),
        document=document,
        total=total,
        points=points,
        counts=counts,
        shared=_json(_shared(obj, sweep_id) | {"archived": archived}),
        listed=tuple(_json(point) for point in listed),
        digest=str(status.get("pointsDigest") or ""),
        is_long=is_long,
        expires=_expires(spec, status),
        archived=archived,
    )


def _expires(spec: KubeObject, status: KubeObject) -> float | None:
    """Return when results are removed: a record says it, of a sweep that is there its spec does."""
    told = seconds_of((status.get("artifacts") or {}).get("expirationTime"))
    after = (spec.get("artifacts") or {}).get("expireAfterSeconds")
    completed = seconds_of(status.get("completionTime"))
    return told if told is not None or not after or completed is None else completed + after


def _counted(status: KubeObject, phase: str, total: int) -> dict[str, int]:
    told = status.get("points") or {}
    names = {
        Phase.SUCCEEDED: "succeeded",
        Phase.FAILED: "failed",
        Phase.CANCELLED: "cancelled",
        Phase.RUNNING: "active",
    }
    found = {name.value: int(told.get(key) or 0) for name, key in names.items()}
    waiting = Phase.QUEUED if phase == Phase.QUEUED else Phase.PENDING
    found[waiting.value] = max(0, total - sum(found.values()))
    return {sys.intern(name): count for name, count in found.items() if count}


SWEEPS: "Of[SweepRecord]" = Of(sweep_prefix, partial(sweep_record_of, archived=True))
"""The archive of sweeps."""


def total_of(spec: KubeObject, status: KubeObject) -> int:
    """Return how many points are known: what the operator has counted, before that those that are written out or named."""
    counted, space = (status.get("points") or {}).get("total"), spec.get("space") or {}
    named = (space.get("pointsFrom") or {}).get("points") or 0
    total = int(counted) if counted is not None else len(space.get("points") or []) or int(named)
    return min(max(total, 0), MAX_POINTS)


def phases_of(spec: KubeObject, status: KubeObject, phase: str, total: int) -> dict[str, Indexes]:
    """Return phase → points. Those of the Pods that run are running, each of them: which one a Pod is at only the Pod knows."""
    every = Indexes.up_to(total)
    succeeded = _parsed(status.get("succeededPoints")) & every
    failed = (_parsed(status.get("failedPoints")) & every) - succeeded
    rest = every - succeeded - failed
    unwanted = _parsed(spec.get("cancelledPoints")) | _parsed(status.get("cancelledPoints"))
    cancelled = rest if phase in FINAL_PHASES else unwanted & rest
    running = (_parsed(status.get("activePoints")) & rest) - cancelled
    waiting = Phase.QUEUED if phase == Phase.QUEUED else Phase.PENDING
    found = {
        Phase.SUCCEEDED: succeeded,
        Phase.FAILED: failed,
        Phase.CANCELLED: cancelled,
        Phase.RUNNING: running,
        waiting: rest - cancelled - running,
    }
    return {sys.intern(name.value): points for name, points in found.items() if points.ranges}


def _parsed(text: Any) -> Indexes:
    try:
        return Indexes.parse(text) if isinstance(text, str) else Indexes()
    except ValueError:
        return Indexes()


def document_of(obj: KubeObject, sweep_id: str, phases: Mapping[str, int], total: int) -> dict[str, Any]:
    """Return a SimulationSweep as the gateway answers it, without the fields that have no value; ``sweeps.models.Sweep`` is its schema."""
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    space = {k: v for k, v in (spec.get("space") or {}).items() if k != "points"}
    counts = {k: v for k, v in (status.get("points") or {}).items() if v is not None}
    whole = {
        "id": sweep_id,
        "name": meta["name"],
        "namespace": meta["namespace"],
        "uid": meta.get("uid"),
        "status": phase_of(obj),
        "reason": status.get("reason"),
        "message": status.get("message"),
        **_run(spec),
        "space": space,
        "parallelism": spec.get("parallelism"),
        "points_per_pod": spec.get("pointsPerPod"),
        "retries_per_point": spec.get("retriesPerPoint"),
        "max_failed_points": spec.get("maxFailedPoints"),
        "reuse": spec.get("reuse") or None,
        "batch": (spec.get("template") or {}).get("batch") or None,
        "labels": meta.get("labels"),
        "cancelled": bool(spec.get("cancelled")),
        "suspended": bool(spec.get("suspend")),
        "points": {
            "total": total,
            "by_status": phases,
            **{name: counts[name] for name in ("active", "reused") if name in counts},
        },
        "rerun": spec.get("rerun"),
        "created_at": meta.get("creationTimestamp"),
        "started_at": status.get("startTime"),
        "completed_at": status.get("completionTime"),
        "estimated_completion_at": status.get("estimatedCompletionTime"),
        "rounds": len(status.get("rounds") or []),
        "running_seconds": _running(status),
    }
    return {name: value for name, value in whole.items() if value is not None}


def _running(status: KubeObject) -> float | None:
    """Return how long all rounds lasted that are over; None when there is none, or not all are told of any more."""
    rounds = status.get("rounds") or []
    over = [one for one in rounds if one.get("completionTime")]
    spans = [(seconds_of(one.get("startTime")), seconds_of(one["completionTime"])) for one in over]
    known = [max(0.0, end - begin) for begin, end in spans if begin is not None and end is not None]
    began, first = seconds_of(status.get("startTime")), seconds_of(rounds[0].get("startTime")) if rounds else None
    # The first round was made before anything of it started; of very many only the last are told.
    is_whole = len(known) == len(over) and (began is None or (first is not None and first <= began))
    return sum(known) if known and is_whole else None


def _run(spec: KubeObject) -> dict[str, Any]:
    template = spec.get("template") or {}
    return {
        "image": template.get("image"),
        "command": template.get("command"),
        "args": template.get("args"),
        "params": template.get("params") or {},
        **how_of(template),
        "timeout_seconds": spec.get("timeoutSeconds"),
    }


def _shared(obj: KubeObject, sweep_id: str) -> dict[str, Any]:
    meta, spec = obj["metadata"], obj.get("spec") or {}
    whole = {
        "namespace": meta["namespace"],
        "uid": meta.get("uid"),
        **_run(spec),
        "labels": meta.get("labels"),
        "suspended": bool(spec.get("suspend")),
        "sweep": sweep_id,
        "created_at": meta.get("creationTimestamp"),
    }
    return {name: value for name, value in whole.items() if value is not None}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
