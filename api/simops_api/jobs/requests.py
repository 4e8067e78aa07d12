"""What people send to make jobs, and what they get. Fields of the kinds are not written again: a request is a SimulationJob's spec with a few more fields."""

from typing import Annotated, Any

from fastapi.openapi.models import Example
from pydantic import (
    AliasChoices,
    AliasGenerator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    JsonValue,
    StrictBool,
    StringConstraints,
)
from pydantic.alias_generators import to_camel

from simops_crds.base import Parameters, Scalar
from simops_crds.v1alpha1 import SimulationJobSpec, Space
from simops_crds.v1alpha1.sweep import MaxFailedPoints, Parallelism, PointsPerPod, RetriesPerPoint

MAX_BULK = 1000

_HEAT: dict[str, JsonValue] = {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0}
_RUN: dict[str, JsonValue] = {"container_image": "sim:local", "params": _HEAT, "metadata": {"project": "heat-transfer"}}
_CREATED: dict[str, JsonValue] = {
    "jobs": ["sim-7k2mqx4d"],
    "sweep": None,
    "sweep_mapping": {"sim-7k2mqx4d": _HEAT},
}
_PLAN: dict[str, JsonValue] = {
    "points": 9,
    "points_exact": True,
    "pods": 9,
    "parallelism": 4,
    "estimated_seconds": 18.6,
    "limit_seconds": 10800,
}
_SWEEP: dict[str, JsonValue] = {
    "container_image": "sim:local",
    "sweep": [{**_HEAT, "diffusivity": value} for value in (0.01, 0.02, 0.05)],
    "metadata": {"project": "heat-transfer"},
}
_SPACE: dict[str, JsonValue] = {
    "container_image": "sim:local",
    "command": ["python", "-m", "simops_sim"],
    "params": {"length": 1.0, "time_steps": 200, "initial_temp": 100.0},
    "space": {"axes": [{"name": "diffusivity", "linspace": {"start": 0.01, "stop": 0.05, "num": 9}}]},
    "parallelism": 4,
}
RUN_EXAMPLES: dict[str, Example] = {
    "one run": {"summary": "One run", "value": _RUN},
    "a list of points": {"summary": "Many runs: the parameters of each", "value": _SWEEP},
    "a space": {"summary": "Many runs: a parameter space", "value": _SPACE},
}
"""Requests that work."""
BULK_EXAMPLES: dict[str, Example] = {
    "jobs": {
        "summary": "Two runs of their own",
        "value": {"jobs": [_RUN, {"image": "sim:2", "params": _HEAT, "timeout_seconds": 600}]},
    }
}


def _either(name: str) -> AliasChoices:
    return AliasChoices(name, to_camel(name))


class JobRequest(SimulationJobSpec):
    """One run, or, with ``sweep`` or ``space``, many. Names of fields are written either_way or eitherWay."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=_either, serialization_alias=to_camel),
        title="JobRequest",
        json_schema_extra={"examples": [_RUN]},
    )

    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        default="", validation_alias=AliasChoices("image", "container_image")
    )
    """The simulation image, also called ``container_image``. Default: the installation's."""
    name: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """What to call it; 409 when there is one of that name. Default: a name that is made for it."""
    namespace: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """Where to make it. Default: the installation's first namespace."""
    labels: Annotated[dict[str, str], Field(max_length=64)] | None = None
    """Labels of the object, by which a list can be filtered."""
    sweep: Annotated[list[Parameters], Field(min_length=1, fail_fast=True)] | None = None
    """Many runs: the parameters of each. What ``params`` has as well is its default."""
    space: Space | None = None
    """Many runs: a parameter space."""
    parallelism: Parallelism | None = None
    """Of many runs: Pods that run at once, at most. Default: 10."""
    points_per_pod: PointsPerPod | None = None
    """Of many runs: points that one Pod runs one after another; auto measures a few first. Default: 1."""
    retries_per_point: RetriesPerPoint | None = None
    """Of many runs: how often a failed point is tried again; the same as ``retries``. Default: 0."""
    max_failed_points: MaxFailedPoints | None = None
    """Of many runs: stop when more points than this have failed. Default: never."""
    reuse: StrictBool | None = None
    """Of many runs: take the results of identical points that were run before; the image must be given by its digest. Default: false."""
    batch: StrictBool | None = None
    """Of many runs: the image handles many points in one process (``$SIMOPS_POINTS``, ``$SIMOPS_RESULTS``). Default: false."""


class BulkRequest(BaseModel):
    """Many runs that have nothing to do with each other."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    jobs: Annotated[list[JobRequest], Field(min_length=1, max_length=MAX_BULK, fail_fast=True)]
    """The runs. None of them may have ``sweep`` or ``space``."""


def _true_or_false(value: Any) -> Any:
    if value not in ("true", "false", True, False):
        raise ValueError("must be true or false")
    return value


class CreateQuery(BaseModel):
    """How a request to make something is meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    dry_run: Annotated[bool, BeforeValidator(_true_or_false)] = False
    """Only check the request, as the API server would, and say what it would become. Nothing is made."""


class Created(BaseModel):
    """What was made."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [{"jobs": ["sim-7k2mqx4d"], "sweep": None, "sweep_mapping": {"sim-7k2mqx4d": _HEAT}}]
        },
    )

    jobs: Annotated[list[str], Field(examples=[["sim-7k2mqx4d"]])]
    """Ids of the jobs. The points of a space are known once the operator has made them; until then there are none here."""
    sweep: str | None = None
    """Id of the sweep, if it is one."""
    sweep_mapping: Annotated[dict[str, dict[str, Scalar]], Field(examples=[{"sim-7k2mqx4d": _HEAT}])]
    """Id of each job → its parameters."""


class BulkCreated(BaseModel):
    """What was made."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, json_schema_extra={"examples": [{"jobs": ["sim-7k2mqx4d", "sim-q9w8rtzx"]}]}
    )

    jobs: Annotated[list[str], Field(examples=[["sim-7k2mqx4d", "sim-q9w8rtzx"]])]
    """Ids of the jobs, in the order of the request."""


class Plan(BaseModel):
    """What a request would become."""

    model_config = ConfigDict(
        use_attribute_docstrings=True,
        json_schema_extra={
            "examples": [
                {
                    "points": 9,
                    "points_exact": True,
                    "pods": 9,
                    "parallelism": 4,
                    "estimated_seconds": 18.6,
                    "limit_seconds": 10800,
                }
            ]
        },
    )

    points: Annotated[int, Field(examples=[9])]
    """How many runs."""
    points_exact: bool
    """Whether they are exactly so many; false when ``where`` may leave some out, so that they are at most so many."""
    pods: Annotated[int, Field(examples=[9])]
    """Pods for it, at most."""
    parallelism: Annotated[int, Field(examples=[4])]
    """Of these, how many run at once, at most."""
    estimated_seconds: Annotated[float | None, Field(examples=[18.6])]
    """How long it would take if each run took as long as the median of the namespace's finished jobs and all Pods started at once; null when there are
    none, or when the caller may not list them."""
    limit_seconds: Annotated[int, Field(examples=[10800])]
    """How long it would take if each run and each of its retries took all the time that it may."""
