"""Examples of answers, for the OpenAPI: one run and one sweep of the heat equation."""

from typing import Any

PARAMS = {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0}

JOB: dict[str, Any] = {
    "id": "sim-7k2mqx4d",
    "name": "sim-7k2mqx4d",
    "namespace": "default",
    "uid": "6f0c1f0e-8a52-4a4e-9d0b-0a8f4f1f2b11",
    "status": "Succeeded",
    "reason": "Completed",
    "message": "5 files, 69120 bytes",
    "image": "sim:local",
    "params": PARAMS,
    "timeout_seconds": 3600,
    "metadata": {"project": "heat-transfer"},
    "cancelled": False,
    "suspended": False,
    "archived": False,
    "created_at": "2026-11-24T09:00:00Z",
    "started_at": "2026-11-24T09:00:02Z",
    "completed_at": "2026-11-24T09:00:05Z",
    "exit_code": 0,
    "attempts": 1,
    "metrics": {"max_temperature": 98.7},
    "artifacts": {
        "bundle": "jobs/default/sim-7k2mqx4d/6f0c1f0e-8a52-4a4e-9d0b-0a8f4f1f2b11/pod.zip",
        "files": 5,
        "bytes": 69120,
    },
}

_SHARED = {key: JOB[key] for key in ("namespace", "image", "timeout_seconds", "cancelled", "suspended", "created_at")}

SWEEP: dict[str, Any] = {
    **_SHARED,
    "id": "sim-x4d9k2mq",
    "name": "sim-x4d9k2mq",
    "uid": "0b7d7a86-1f0c-4c54-8f59-0d0ab1f1c0de",
    "status": "Running",
    "command": ["python", "-m", "simops_sim"],
    "params": {"length": 1.0},
    "space": {"method": "list"},
    "parallelism": 10,
    "points_per_pod": 1,
    "retries_per_point": 0,
    "points": {"total": 3, "by_status": {"Succeeded": 1, "Pending": 2}, "active": 2},
    "rounds": 1,
}

POINT: dict[str, Any] = {
    "index": 0,
    "id": "sim-x4d9k2mq-0",
    "status": "Succeeded",
    "params": {"length": 1.0, "diffusivity": 0.01},
}


def page_of(item: dict[str, Any]) -> dict[str, Any]:
    """Return a page with one entry."""
    return {"items": [item], "page": 1, "size": 50, "total": 1}


STATS: dict[str, Any] = {
    "total": 41,
    "by_status": {"Pending": 1, "Queued": 0, "Running": 4, "Succeeded": 33, "Failed": 2, "Cancelled": 1},
    "throughput": {"finished_last_hour": 12},
    "duration_seconds": {"p50": 3.1, "p95": 9.8},
}

CANCELLED: dict[str, Any] = {"cancelled": ["sim-7k2mqx4d"], "already_finished": 2, "failed": []}
