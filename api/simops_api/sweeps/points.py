"""Points of sweeps as jobs (pure): their ids, and each as the document of a job."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simops_api.jobs.ids import point_id
from simops_api.sweeps.records import SweepRecord
from simops_crds.names import FINAL_PHASES, Phase

_POINT = re.compile(r"(?P<sweep>.+)-(?P<index>0|[1-9][0-9]{0,6})")


@dataclass(frozen=True, slots=True)
class Row:
    """One point: its parameters, and its result if it has one."""

    index: int
    status: str
    params: Mapping[str, Any]
    result: Mapping[str, Any] | None = None

    @property
    def metrics(self) -> Mapping[str, Any]:
        """The numbers that it told."""
        found = self.told("metrics")
        return found if isinstance(found, dict) else {}

    def told(self, name: str) -> Any:
        """Return a field of its result, None if it has none."""
        return self.result.get(name) if self.result is not None else None


def split_point(name: str) -> tuple[str, int] | None:
    """Return the name of the sweep and the index that the id of a point names, None for what cannot be one."""
    found = _POINT.fullmatch(name)
    return (found["sweep"], int(found["index"])) if found is not None else None


def shared_params(record: SweepRecord) -> dict[str, Any]:
    """Return the parameters that all points share."""
    return dict(json.loads(record.shared).get("params") or {})


def params_of(record: SweepRecord, index: int) -> dict[str, Any]:
    """Return the parameters of a point: those that all share, and what it varies where the object itself says so.

    The points of a space that is described (a grid, samples) are written by the operator when it expands the space, and are not in the object.
    """
    params = shared_params(record)
    if index < len(record.listed):
        params |= json.loads(record.listed[index])
    return params


def point_document(record: SweepRecord, index: int, row: Row | None = None) -> bytes:
    """Return a point as JSON, as a job is answered; ``jobs.models.Job`` is its schema. ``row``: what the store has of it."""
    shared: dict[str, Any] = json.loads(record.shared)
    point = point_id(record.id, index)
    phase = record.phase_at(index)
    whole = {
        "id": point,
        "name": point.rpartition(".")[2],
        **shared,
        "index": index,
        "status": phase,
        "params": row.params if row is not None else params_of(record, index),
        "cancelled": phase == Phase.CANCELLED,
        **(_result(row) if row is not None and phase in FINAL_PHASES else {}),
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _result(row: Row) -> dict[str, Any]:
    found = {
        "reason": row.told("reason"),
        "exit_code": row.told("exitCode"),
        "seconds": row.told("seconds"),
        "metrics": row.metrics or None,
        "artifacts": {"bundle": row.told("bundle")} if row.told("bundle") else None,
    }
    return {name: value for name, value in found.items() if value is not None}


def point_row(record: SweepRecord, row: Row) -> dict[str, Any]:
    """Return a point as a row of pages and tables; ``models.Point`` is its schema."""
    result = _result(row) if row.status in FINAL_PHASES else {}
    result.pop("artifacts", None)
    return {
        "index": row.index,
        "id": point_id(record.id, row.index),
        "status": row.status,
        "params": dict(row.params),
    } | result
