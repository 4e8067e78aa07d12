"""The objects that people write, as the core sees them (pure): what both kinds have in common, and a SimulationJob."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import islice
from typing import Any

from pydantic import ValidationError

from simops_crds.base import Model
from simops_crds.kinds import MAX_LABELS
from simops_crds.names import ANNOTATION_TRACEPARENT, FINAL_PHASES, GROUP
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_io.traceparent import TraceParent, parse
from simops_operator.core.views import KubeObject, parse_time, version_of


@dataclass(frozen=True, kw_only=True)
class Owner:
    """What is the same of both kinds: why the spec cannot be parsed, if so, and the status as it is in the API server."""

    name: str
    namespace: str
    uid: str
    created: datetime
    generation: int = 1
    version: int = 0
    invalid: str = ""
    status: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    raw_spec: Mapping[str, Any] = field(default_factory=dict)

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.status.get("phase") in FINAL_PHASES

    @property
    def trace(self) -> TraceParent | None:
        """The trace that it belongs to; None for none, and for an annotation that is none."""
        return parse((self.metadata.get("annotations") or {}).get(ANNOTATION_TRACEPARENT))


_MAX_PART, _MAX_WORDS = 253, 512


@dataclass(frozen=True, kw_only=True)
class Run(Owner):
    """One SimulationJob."""

    spec: SimulationJobSpec | None


def problem_of(obj: KubeObject, model: type[Model]) -> tuple[Any, str]:
    """Return the parsed spec of an object and no problem, or None and why the schema refuses it."""
    try:
        return model.model_validate(obj.get("spec") or {}), ""
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        # A name within the object may be a megabyte, and the words are kept as long as the run is not finished.
        path = ".".join(str(part)[:_MAX_PART] for part in ("spec", *first["loc"]))
        return None, f"{path}: {first['msg'][:_MAX_WORDS]}"


def common_of(obj: KubeObject) -> dict[str, Any]:
    """Return the fields of an ``Owner`` that an API object has."""
    meta = obj["metadata"]
    created = parse_time(meta["creationTimestamp"])
    if created is None:
        raise ValueError(f"{meta['name']} has no creation time")
    return {
        "name": meta["name"],
        "namespace": meta["namespace"],
        "uid": meta["uid"],
        "created": created,
        "generation": int(meta.get("generation") or 1),
        "version": version_of(obj),
        "status": obj.get("status") or {},
        "metadata": _looked_at(meta),
        "raw_spec": obj.get("spec") or {},
    }


def _looked_at(meta: KubeObject) -> dict[str, Any]:
    """Return what is kept of an object's metadata. Where no policy of the API server holds, there may be any number of labels."""
    own = {k: v for k, v in (meta.get("annotations") or {}).items() if k.startswith(f"{GROUP}/")}
    labels = dict(islice((meta.get("labels") or {}).items(), MAX_LABELS))
    kept = {"labels": labels, "annotations": own, "creationTimestamp": meta.get("creationTimestamp")}
    return {key: value for key, value in kept.items() if value}


def run_of(obj: KubeObject) -> Run:
    """Return the run that an API object stands for. A spec that the schema refuses is kept as ``invalid``."""
    spec, invalid = problem_of(obj, SimulationJobSpec)
    return Run(spec=spec, invalid=invalid, **common_of(obj))
