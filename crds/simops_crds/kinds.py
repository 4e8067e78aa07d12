"""The two kinds as data: names, columns, and the rules about values of free type that only an admission policy can check."""

from dataclasses import dataclass
from typing import Any

from simops_crds.base import PARAMETER_NAME, Model
from simops_crds.v1alpha1 import (
    SimulationJobSpec,
    SimulationJobStatus,
    SimulationSweepSpec,
    SimulationSweepStatus,
)


@dataclass(frozen=True)
class Column:
    """One column of ``kubectl get``. Columns of priority 1 are shown with ``-o wide`` only."""

    name: str
    json_path: str
    type: str = "string"
    priority: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Return the column as the CRD writes it."""
        return {"name": self.name, "jsonPath": self.json_path, "type": self.type, "priority": self.priority}


@dataclass(frozen=True)
class PolicyRule:
    """A rule of the admission policy; ``expression`` is true for good objects."""

    expression: str
    message: str


@dataclass(frozen=True)
class Kind:
    """Everything about a kind that is not its fields."""

    kind: str
    plural: str
    short_names: tuple[str, ...]
    description: str
    spec: type[Model]
    status: type[Model]
    name_limit: int
    columns: tuple[Column, ...]
    policy: tuple[PolicyRule, ...]


_NAME_MESSAGE = "a parameter's name must start with a letter or '_' and have only letters, digits, '_', '.' and '-', at most 63 of them"
_SCALAR_MESSAGE = "the value of a parameter must be a number, a boolean or a string of at most 4096 characters, not a list, an object or null"


def _scalar(value: str) -> str:
    return (
        f"(type({value}) == int || type({value}) == double || type({value}) == bool || "
        f"(type({value}) == string && {value}.size() <= 4096))"
    )


def _params_rules(owner: str, label: str) -> tuple[PolicyRule, PolicyRule]:
    absent = f"!has({owner}.params)"
    return (
        PolicyRule(f"{absent} || {owner}.params.all(k, k.matches('{PARAMETER_NAME}'))", f"{label}: {_NAME_MESSAGE}"),
        PolicyRule(f"{absent} || {owner}.params.all(k, {_scalar(f'{owner}.params[k]')})", f"{label}: {_SCALAR_MESSAGE}"),
    )


_SPACE = "object.spec.space"
_SWEEP_RULES = (
    *_params_rules("object.spec.template", "spec.template.params"),
    PolicyRule(
        f"!has({_SPACE}.axes) || {_SPACE}.axes.all(a, !has(a.values) || a.values.all(v, {_scalar('v')}))",
        f"spec.space.axes[].values: {_SCALAR_MESSAGE}",
    ),
    PolicyRule(
        f"!has({_SPACE}.points) || {_SPACE}.points.all(p, p.all(k, k.matches('{PARAMETER_NAME}')))",
        f"spec.space.points: {_NAME_MESSAGE}",
    ),
    PolicyRule(
        f"!has({_SPACE}.points) || {_SPACE}.points.all(p, p.all(k, {_scalar('p[k]')}))",
        f"spec.space.points: {_SCALAR_MESSAGE}",
    ),
    PolicyRule(
        f"!has({_SPACE}.axes) || !has(object.spec.template.params) || {_SPACE}.axes.all(a, !(a.name in object.spec.template.params))",
        "spec.space.axes: a parameter stands in template.params and in an axis; remove one of the two",
    ),
)

SIMULATION_JOB = Kind(
    kind="SimulationJob",
    plural="simulationjobs",
    short_names=("simjob", "simjobs"),
    description="One run of a simulation image.",
    spec=SimulationJobSpec,
    status=SimulationJobStatus,
    # A Job is called <name>-<8 characters>, and Kubernetes puts that name into a label of at most 63.
    name_limit=54,
    columns=(
        Column("Phase", ".status.phase"),
        Column("Reason", ".status.reason"),
        Column("Started", ".status.startTime", "date"),
        Column("Finished", ".status.completionTime", "date"),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Message", ".status.message"),
        Column("Image", ".spec.image", priority=1),
        Column("Pod", ".status.podName", priority=1),
        Column("Bundle", ".status.artifacts.bundle", priority=1),
    ),
    policy=_params_rules("object.spec", "spec.params"),
)

SIMULATION_SWEEP = Kind(
    kind="SimulationSweep",
    plural="simulationsweeps",
    short_names=("simsweep", "simsweeps"),
    description="Many runs of a simulation image over a parameter space.",
    spec=SimulationSweepSpec,
    status=SimulationSweepStatus,
    # Rounds and points append to it: <name>-<8 characters>-r<round>, <name>-<index>.
    name_limit=46,
    columns=(
        Column("Phase", ".status.phase"),
        Column("Done", ".status.points.succeeded", "integer"),
        Column("Total", ".status.points.total", "integer"),
        Column("Failed", ".status.points.failed", "integer"),
        Column("Age", ".metadata.creationTimestamp", "date"),
        Column("Message", ".status.message"),
        Column("Active", ".status.points.active", "integer", priority=1),
        Column("Image", ".spec.template.image", priority=1),
    ),
    policy=_SWEEP_RULES,
)

KINDS = (SIMULATION_JOB, SIMULATION_SWEEP)
