"""Points of sweeps as jobs (pure): their ids, and each as the document of a job."""

import json
import re
from typing import Any

from simops_api.jobs.ids import point_id
from simops_api.sweeps.records import SweepRecord
from simops_crds.names import Phase

_POINT = re.compile(r"(?P<sweep>.+)-(?P<index>0|[1-9][0-9]{0,6})")


def split_point(name: str) -> tuple[str, int] | None:
    """Return the name of the sweep and the index that the id of a point names, None for what cannot be one."""
    found = _POINT.fullmatch(name)
    return (found["sweep"], int(found["index"])) if found is not None else None


def params_of(record: SweepRecord, index: int) -> dict[str, Any]:
    """Return the parameters of a point: those that all share, and what it varies where the object itself says so.

    The points of a space that is described (a grid, samples) are written by the operator when it expands the space, and are not in the object.
    """
    params: dict[str, Any] = dict(json.loads(record.shared).get("params") or {})
    if index < len(record.listed):
        params |= json.loads(record.listed[index])
    return params


def point_document(record: SweepRecord, index: int) -> bytes:
    """Return a point as JSON, as a job is answered; ``jobs.models.Job`` is its schema."""
    shared: dict[str, Any] = json.loads(record.shared)
    point = point_id(record.id, index)
    phase = record.phase_at(index)
    whole = {
        "id": point,
        "name": point.rpartition(".")[2],
        **shared,
        "index": index,
        "status": phase,
        "params": params_of(record, index),
        "cancelled": phase == Phase.CANCELLED,
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
