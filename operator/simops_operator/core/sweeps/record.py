"""The record of a finished sweep: what history keeps when the object is gone (pure)."""

from typing import Any

from simops_operator.core.record import RECORD_VERSION, kept_metadata
from simops_operator.core.status import Status, format_time
from simops_operator.core.sweeps.situation import Situation
from simops_operator.core.sweeps.status import Told, expiration_of
from simops_operator.core.views import parse_time


def record_of(at: Situation, words: Told) -> dict[str, Any]:
    """Return the record: spec as it was given, final status with all of its ranges, and timings in seconds."""
    sweep = at.sweep
    status: Status = {**words.status, **(words.ranges or {})}
    status.pop("rangesInStore", None)
    started, completed = parse_time(status.get("startTime")), parse_time(status.get("completionTime"))
    template = sweep.raw_spec.get("template") or {}
    return {
        "version": RECORD_VERSION,
        "kind": "SimulationSweep",
        "namespace": sweep.namespace,
        "name": sweep.name,
        "uid": sweep.uid,
        "metadata": kept_metadata(sweep),
        "spec": dict(sweep.raw_spec),
        "status": status,
        "artifacts": expiration_of(at, status),
        "image": {"name": template.get("image")},
        "timings": {
            "created": format_time(sweep.created),
            "pendingSeconds": (started - sweep.created).total_seconds() if started else None,
            "runSeconds": (completed - started).total_seconds() if started and completed else None,
        },
    }
