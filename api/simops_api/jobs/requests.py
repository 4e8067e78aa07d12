"""What people send to make jobs, and what they get. Fields of the kinds are not written again: a request is a SimulationJob's spec with a few more fields."""

from typing import Annotated

from pydantic import AliasChoices, AliasGenerator, BaseModel, ConfigDict, Field, StringConstraints
from pydantic.alias_generators import to_camel

from simops_crds.base import Parameters, Scalar
from simops_crds.v1alpha1 import SimulationJobSpec, Space


def _either(name: str) -> AliasChoices:
    return AliasChoices(name, to_camel(name))


class JobRequest(SimulationJobSpec):
    """One run, or, with ``sweep`` or ``space``, many. Names of fields are written either_way or eitherWay."""

    model_config = ConfigDict(
        alias_generator=AliasGenerator(validation_alias=_either, serialization_alias=to_camel),
        title="JobRequest",
        json_schema_extra={
            "examples": [
                {
                    "image": "sim:local",
                    "params": {"length": 1.0, "time_steps": 200, "diffusivity": 0.01, "initial_temp": 100.0},
                    "metadata": {"project": "heat-transfer"},
                }
            ]
        },
    )

    image: Annotated[str, StringConstraints(min_length=1, max_length=512)] = Field(
        default="", validation_alias=AliasChoices("image", "container_image")
    )
    """The simulation image, also called ``container_image``. Default: the installation's."""
    namespace: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """Where to make it. Default: the installation's first namespace."""
    labels: Annotated[dict[str, str], Field(max_length=64)] | None = None
    """Labels of the object, by which a list can be filtered."""
    sweep: Annotated[list[Parameters], Field(min_length=1)] | None = None
    """Many runs: the parameters of each. What ``params`` has as well is its default."""
    space: Space | None = None
    """Many runs: a parameter space."""


class Created(BaseModel):
    """What was made."""

    jobs: Annotated[list[str], Field(examples=[["sim-7k2mqx4d"]])]
    """Ids of the jobs. The points of a space are known once the operator has made them; until then there are none here."""
    sweep: str | None = None
    """Id of the sweep, if it is one."""
    sweep_mapping: dict[str, dict[str, Scalar]]
    """Id of each job → its parameters."""
