"""A SimulationSweep as the core sees it (pure)."""

import hashlib
import json
from dataclasses import dataclass

from simops_crds.indexes import Indexes
from simops_crds.names import sweep_prefix
from simops_crds.v1alpha1 import SimulationSweepSpec
from simops_operator.core.config import JobConfig
from simops_operator.core.run import Owner, common_of, problem_of
from simops_operator.core.views import KubeObject


@dataclass(frozen=True, kw_only=True)
class Sweep(Owner):
    """One SimulationSweep."""

    spec: SimulationSweepSpec | None

    @property
    def prefix(self) -> str:
        """Where in the store everything of it lies."""
        return sweep_prefix(self.namespace, self.name, self.uid)

    @property
    def cancelled_points(self) -> Indexes:
        """The points that a person does not want to be run."""
        return Indexes.parse(self.spec.cancelled_points or "") if self.spec is not None else Indexes()

    @property
    def is_settled(self) -> bool:
        """Whether it is finished and nobody has changed its spec since: then nothing is to be done but to clean up."""
        return self.finished and self.status.get("observedGeneration") == self.generation

    def space_digest(self) -> str:
        """Return the SHA-256 of what the points are made of, to see whether the points in the store are still those of the spec."""
        template = self.raw_spec.get("template") or {}
        made_of = {"space": self.raw_spec.get("space"), "params": template.get("params") or {}}
        text = json.dumps(made_of, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


def sweep_of(obj: KubeObject) -> Sweep:
    """Return the sweep that an API object stands for. A spec that the schema refuses is kept as ``invalid``."""
    spec, invalid = problem_of(obj, SimulationSweepSpec)
    return Sweep(spec=spec, invalid=invalid, **common_of(obj))


def timeout_of(spec: SimulationSweepSpec, config: JobConfig) -> int:
    """Return how many seconds one point may run."""
    return min(spec.timeout_seconds, config.max_timeout_seconds)
