"""Version v1alpha1 of both kinds: THE schema. CRDs, reference page and gateway models are made from it."""

from simops_crds.v1alpha1.job import Artifacts, EnvVar, Network, Resources, RunSpec, SimulationJobSpec, Toleration
from simops_crds.v1alpha1.status import (
    ArtifactsStatus,
    Condition,
    IndexCounts,
    Round,
    SimulationJobStatus,
    SimulationSweepStatus,
)
from simops_crds.v1alpha1.sweep import (
    Axis,
    Integers,
    Linspace,
    Logspace,
    LogUniform,
    Method,
    Rerun,
    SimulationSweepSpec,
    Space,
    SweepTemplate,
    Uniform,
)

__all__ = [
    "Artifacts",
    "ArtifactsStatus",
    "Axis",
    "Condition",
    "EnvVar",
    "IndexCounts",
    "Integers",
    "Linspace",
    "LogUniform",
    "Logspace",
    "Method",
    "Network",
    "Rerun",
    "Resources",
    "Round",
    "RunSpec",
    "SimulationJobSpec",
    "SimulationJobStatus",
    "SimulationSweepSpec",
    "SimulationSweepStatus",
    "Space",
    "SweepTemplate",
    "Toleration",
    "Uniform",
]
