"""Objects of the API server become what a gateway would tell of them (pure)."""

from collections.abc import Mapping
from typing import Any

from simops_client.models import JobInfo, PointCounts, Stats, SweepInfo

_STATUSES = ("Succeeded", "Failed", "Cancelled")


def job_info(obj: Mapping[str, Any]) -> JobInfo:
    """Return what a SimulationJob says."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    return JobInfo(
        **_common(obj),
        image=spec.get("image", ""),
        params=spec.get("params") or {},
        command=spec.get("command"),
        args=spec.get("args"),
        exit_code=status.get("exitCode"),
        attempts=status.get("attempts"),
        metrics=status.get("metrics"),
        resources=spec.get("resources"),
        artifacts=status.get("artifacts"),
    )


def sweep_info(obj: Mapping[str, Any]) -> SweepInfo:
    """Return what a SimulationSweep says."""
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    template, counts = spec.get("template") or {}, status.get("points") or {}
    by_status = {name: counts[name.lower()] for name in _STATUSES if name.lower() in counts}
    return SweepInfo(
        **_common(obj),
        image=template.get("image", ""),
        params=template.get("params") or {},
        command=template.get("command"),
        args=template.get("args"),
        space=spec.get("space") or {},
        parallelism=spec.get("parallelism"),
        points_per_pod=spec.get("pointsPerPod"),
        points=PointCounts(total=counts.get("total", 0), by_status=by_status, active=counts.get("active")),
        estimated_completion_at=status.get("estimatedCompletionTime"),
        rounds=len(status.get("rounds") or []),
    )


def _common(obj: Mapping[str, Any]) -> dict[str, Any]:
    meta, spec, status = obj["metadata"], obj.get("spec") or {}, obj.get("status") or {}
    return {
        "id": meta["name"],
        "name": meta["name"],
        "namespace": meta.get("namespace", ""),
        "uid": meta.get("uid", ""),
        "labels": meta.get("labels"),
        "status": status.get("phase") or "Pending",
        "reason": status.get("reason"),
        "message": status.get("message"),
        "timeout_seconds": spec.get("timeoutSeconds"),
        "metadata": spec.get("metadata"),
        "cancelled": bool(spec.get("cancelled")),
        "suspended": bool(spec.get("suspend")),
        "created_at": meta.get("creationTimestamp"),
        "started_at": status.get("startTime"),
        "completed_at": status.get("completionTime"),
    }


def is_over(obj: Mapping[str, Any]) -> bool:
    """Whether a run or sweep has ended, and its present spec was seen."""
    status = obj.get("status") or {}
    is_seen = status.get("observedGeneration") in (None, obj["metadata"].get("generation"))
    return status.get("phase") in _STATUSES and is_seen


def counted(objects: list[JobInfo]) -> Stats:
    """Return runs in numbers."""
    by_status: dict[str, int] = {}
    for one in objects:
        by_status[one.status] = by_status.get(one.status, 0) + 1
    seconds = sorted(
        (one.completed_at - one.started_at).total_seconds() for one in objects if one.completed_at and one.started_at
    )
    at = {name: seconds[min(int(len(seconds) * share), len(seconds) - 1)] for name, share in _SHARES if seconds}
    return Stats(total=len(objects), by_status=by_status, duration_seconds=at)


_SHARES = (("p50", 0.5), ("p95", 0.95))
