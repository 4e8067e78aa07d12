"""The record of a finished run: what history keeps when the object is gone (pure)."""

from datetime import datetime
from typing import Any

from simops_crds.names import GROUP
from simops_operator.core.run import Owner, Run
from simops_operator.core.status import Status, format_time
from simops_operator.core.views import PodView, parse_time

RECORD_VERSION = 1


def record_of(run: Run, pods: tuple[PodView, ...], status: Status) -> dict[str, Any]:
    """Return the record: spec as it was given, final status, attempts and timings in seconds."""
    started, completed = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    return {
        "version": RECORD_VERSION,
        "kind": "SimulationJob",
        "namespace": run.namespace,
        "name": run.name,
        "uid": run.uid,
        "metadata": kept_metadata(run),
        "spec": dict(run.raw_spec),
        "status": status,
        "image": {"name": run.raw_spec.get("image"), "id": status.get("imageId")},
        "attempts": [_attempt(pod) for pod in sorted(pods, key=lambda p: (p.created, p.name)) if pod.started],
        "timings": {
            "created": format_time(run.created),
            "pendingSeconds": _seconds(run.created, started),
            "runSeconds": _seconds(started, _ended(pods) or completed),
        },
    }


def kept_metadata(run: Owner) -> dict[str, Any]:
    """Return labels, creation time, and of the annotations those of SimOps: others may be as large as the object."""
    own = {k: v for k, v in (run.metadata.get("annotations") or {}).items() if k.startswith(f"{GROUP}/")}
    kept = {key: run.metadata[key] for key in ("labels", "creationTimestamp") if key in run.metadata}
    return kept | ({"annotations": own} if own else {})


def _ended(pods: tuple[PodView, ...]) -> datetime | None:
    """Return when the last simulation ended."""
    ends = [p.simulation.terminated.finished_at for p in pods if p.simulation.terminated is not None]
    return max((end for end in ends if end is not None), default=None)


def _attempt(pod: PodView) -> dict[str, Any]:
    ended = pod.simulation.terminated
    started = (ended.started_at if ended else None) or pod.simulation.running_since
    return {
        "pod": pod.name,
        "node": pod.node,
        "startTime": format_time(started) if started else None,
        "completionTime": format_time(ended.finished_at) if ended and ended.finished_at else None,
        "exitCode": ended.exit_code if ended else None,
        "reason": (ended.reason if ended else None) or pod.reason or None,
    }


def _seconds(start: datetime | None, end: datetime | None) -> float | None:
    return (end - start).total_seconds() if start and end else None
