"""A SimulationJob as the core sees it (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from simops_crds.names import ANNOTATION_TRACEPARENT, FINAL_PHASES
from simops_crds.v1alpha1 import SimulationJobSpec
from simops_io.traceparent import TraceParent, parse
from simops_operator.core.views import KubeObject, parse_time, version_of


@dataclass(frozen=True)
class Run:
    """One SimulationJob: its parsed spec (or why it cannot be parsed) and the status as it is in the API server."""

    name: str
    namespace: str
    uid: str
    created: datetime
    spec: SimulationJobSpec | None
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


def run_of(obj: KubeObject) -> Run:
    """Return the run that an API object stands for. A spec that the schema refuses is kept as ``invalid``."""
    meta = obj["metadata"]
    created = parse_time(meta["creationTimestamp"])
    if created is None:
        raise ValueError(f"SimulationJob {meta['name']} has no creation time")
    spec: SimulationJobSpec | None = None
    invalid = ""
    try:
        spec = SimulationJobSpec.model_validate(obj.get("spec") or {})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        path = ".".join(str(part) for part in ("spec", *first["loc"]))
        invalid = f"{path}: {first['msg']}"
    return Run(
        name=meta["name"],
        namespace=meta["namespace"],
        uid=meta["uid"],
        created=created,
        spec=spec,
        generation=int(meta.get("generation") or 1),
        version=version_of(obj),
        invalid=invalid,
        status=obj.get("status") or {},
        metadata={key: meta[key] for key in ("labels", "annotations", "creationTimestamp") if key in meta},
        raw_spec=obj.get("spec") or {},
    )
