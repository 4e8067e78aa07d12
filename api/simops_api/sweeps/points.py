"""Points of sweeps as jobs (pure): their ids, and each as the document of a job."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from simops_api.jobs.ids import point_id, sibling_id
from simops_api.moments import format_moment
from simops_api.sweeps.records import SweepRecord
from simops_crds.names import FINAL_PHASES, Phase, Reason, key_prefix, sweep_prefix

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


@dataclass(frozen=True, slots=True)
class Origin:
    """The run whose result a point has, when that is not its own."""

    name: str
    """Of the job or the sweep, in the namespace of the point."""
    uid: str
    index: int | None
    """Of a sweep: which of its points."""

    @property
    def run(self) -> str:
        """The name of the run as a job."""
        return self.name if self.index is None else f"{self.name}-{self.index}"


def origin_of(row: Row) -> Origin | None:
    """Return where the result of a point comes from; None when the point was run itself."""
    match row.told("reused"):
        case {"kind": "SimulationSweep", "name": str(name), "uid": str(uid), "index": int(index)}:
            return Origin(name, uid, index)
        case {"kind": "SimulationJob", "name": str(name), "uid": str(uid)}:
            return Origin(name, uid, None)
    return None


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the store the files of a point are."""

    root: str
    """What the keys of the bundles of its run begin with, with a slash at the end."""
    depth: int
    """Folders between that and a bundle."""
    folder: str
    """Of the files in the bundle, with a slash at the end; empty when the bundle has no others."""


def place_of(record: SweepRecord, row: Row) -> Place:
    """Return where in the store the files of a point are, if it has left any."""
    origin = origin_of(row)
    if origin is not None and origin.index is None:
        return Place(f"{key_prefix(record.namespace, origin.name, origin.uid)}/", 0, "")
    name, uid = (origin.name, origin.uid) if origin is not None else (record.name, record.uid)
    index = origin.index if origin is not None else row.index
    return Place(f"{sweep_prefix(record.namespace, name, uid)}/rounds/", 2, f"{index}/")


def bundle_of(record: SweepRecord, row: Row) -> str | None:
    """Return the key of the bundle that has the files of a point, if it lies where it should; None when there is none."""
    key, place = row.told("bundle"), place_of(record, row)
    is_there = isinstance(key, str) and key.startswith(place.root)
    return key if is_there and key.removeprefix(place.root).count("/") == place.depth else None


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
        **(_result(record, row) | _message(row) if row is not None and phase in FINAL_PHASES else {}),
    }
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")


def _result(record: SweepRecord, row: Row) -> dict[str, Any]:
    origin = origin_of(row)
    found = {
        "reason": row.told("reason"),
        "exit_code": row.told("exitCode"),
        "seconds": row.told("seconds"),
        "metrics": row.metrics or None,
        "reused": sibling_id(record.id, origin.run) if origin is not None else None,
        "artifacts": _artifacts(record, row) or None,
    }
    return {name: value for name, value in found.items() if value is not None}


def _message(row: Row) -> dict[str, str]:
    """Return what there is to say of how a point has ended, as the message of a run."""
    code, error = row.told("exitCode"), row.told("metricsError")
    words = [f"exited with code {code}: its log says more"] if code and row.told("reason") == Reason.EXIT_CODE else []
    if error:
        words.append(str(error))
    elif row.told("metricsCut"):
        words.append("not all of its metrics fit into the table, its metrics.json has them")
    return {"message": "; ".join(words)} if words else {}


def _artifacts(record: SweepRecord, row: Row) -> dict[str, Any]:
    bundle = {"bundle": row.told("bundle")} if row.told("bundle") else {}
    # The time also when there is no bundle: then the table was removed with all the rest.
    return bundle | ({"expirationTime": format_moment(record.expires)} if record.expires is not None else {})


def point_row(record: SweepRecord, row: Row) -> dict[str, Any]:
    """Return a point as a row of pages and tables; ``models.Point`` is its schema."""
    result = _result(record, row) if row.status in FINAL_PHASES else {}
    result.pop("artifacts", None)
    return {
        "index": row.index,
        "id": point_id(record.id, row.index),
        "status": row.status,
        "params": dict(row.params),
    } | result
