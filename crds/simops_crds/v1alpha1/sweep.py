"""Spec of SimulationSweep: many runs over a parameter space."""

from enum import StrEnum
from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, StrictBool, StrictInt, StringConstraints, WithJsonSchema

from simops_crds.base import (
    INT_OR_STRING,
    PARAMETER_NAME,
    SAFE_INT,
    Model,
    Parameters,
    Rule,
    Scalar,
    check_ranges,
)
from simops_crds.images import DIGEST
from simops_crds.v1alpha1.job import Artifacts, RunSpec

Parallelism = Annotated[int, Field(ge=1, le=10_000)]
PointsPerPod = Annotated[
    Annotated[StrictInt, Field(ge=1, le=100_000)] | Literal["auto"],
    WithJsonSchema({**INT_OR_STRING, "maxLength": 16}),
]
RetriesPerPoint = Annotated[int, Field(ge=0, le=100)]
MaxFailedPoints = Annotated[int, Field(ge=0)]


class Method(StrEnum):
    """How the points are chosen, in the terms of design of experiments."""

    GRID = "grid"
    ZIP = "zip"
    LIST = "list"
    RANDOM = "random"
    LATIN_HYPERCUBE = "latinHypercube"
    SOBOL = "sobol"


class Linspace(Model):
    """``num`` evenly spaced values from start to stop, both included."""

    start: float
    """First value."""
    stop: float
    """Last value."""
    num: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many values."""


class Logspace(Model):
    """``num`` values from start to stop, both included, with a constant ratio."""

    start: Annotated[float, Field(gt=0)]
    """First value, itself and not its exponent."""
    stop: Annotated[float, Field(gt=0)]
    """Last value, itself and not its exponent."""
    num: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many values."""


class Uniform(Model):
    """Sampled evenly between low and high."""

    rules: ClassVar = (Rule("self.low < self.high", "low must be less than high"),)

    low: float
    """Lower bound."""
    high: float
    """Upper bound."""


class LogUniform(Model):
    """Sampled evenly in the logarithm between low and high."""

    rules: ClassVar = (Rule("self.low < self.high", "low must be less than high"),)

    low: Annotated[float, Field(gt=0)]
    """Lower bound."""
    high: Annotated[float, Field(gt=0)]
    """Upper bound."""


class Integers(Model):
    """The integers from low to high, both included, in steps."""

    rules: ClassVar = (Rule("self.low <= self.high", "low must not be greater than high"),)

    low: Annotated[int, Field(ge=-SAFE_INT, le=SAFE_INT)]
    """First value."""
    high: Annotated[int, Field(ge=-SAFE_INT, le=SAFE_INT)]
    """Greatest value that may occur."""
    step: Annotated[int, Field(ge=1, le=SAFE_INT)] = 1
    """Distance between values."""


RERUN_WORDS = ("failed", "missing")
AXIS_KINDS = ("values", "linspace", "logspace", "uniform", "logUniform", "integers")


class Axis(Model):
    """One parameter that the sweep varies, and how."""

    rules: ClassVar = (
        Rule(
            f"self.name.matches('{PARAMETER_NAME}')",
            "name must be a parameter's name: letters, digits, '_', '.' and '-', not starting with a digit",
            "name",
        ),
    )

    name: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    """The parameter."""
    values: Annotated[list[Scalar], Field(min_length=1, max_length=10_000, fail_fast=True)] | None = None
    """These values."""
    linspace: Linspace | None = None
    """Evenly spaced values."""
    logspace: Logspace | None = None
    """Values with a constant ratio."""
    uniform: Uniform | None = None
    """A continuous range, for the sampled methods."""
    log_uniform: LogUniform | None = None
    """A continuous range of magnitudes, for the sampled methods."""
    integers: Integers | None = None
    """Integers."""


class PointsFrom(Model):
    """A list of points that was uploaded to the gateway (``POST /api/v1/points``), for lists that are too long for the object."""

    digest: Annotated[str, StringConstraints(pattern="^sha256:[0-9a-f]{64}$")]
    """What the upload was answered; it names exactly these points."""
    points: Annotated[int, Field(ge=1, le=1_000_000)]
    """How many they are."""


class Space(Model):
    """The parameter space: which points are run."""

    rules: ClassVar = (
        Rule(
            "self.method == 'list' || (has(self.axes) && self.axes.size() > 0)",
            "axes are needed: name each parameter to vary and its values",
            "axes",
        ),
        Rule(
            "self.method in ['random', 'latinHypercube', 'sobol'] ? has(self.samples) : !has(self.samples)",
            "samples says how many points the methods random, latinHypercube and sobol draw; they need it, and no other method takes it",
        ),
        Rule(
            "!(self.method in ['grid', 'zip']) || !has(self.axes) || self.axes.all(a, !has(a.uniform) && !has(a.logUniform))",
            "uniform and logUniform are for the methods random, latinHypercube and sobol; use linspace or logspace with grid and zip",
            "axes",
        ),
        Rule(
            "!(self.method in ['random', 'latinHypercube', 'sobol']) || !has(self.axes) || self.axes.all(a, !has(a.linspace) && !has(a.logspace))",
            "linspace and logspace are for the methods grid and zip; use uniform or logUniform to sample",
            "axes",
        ),
        Rule(
            "!has(self.seed) || has(self.samples)", "seed is for the methods random, latinHypercube and sobol", "seed"
        ),
    )

    method: Method = Method.GRID
    """grid: every combination · zip: the axes side by side · list: the given points · random, latinHypercube, sobol: samples."""
    axes: (
        Annotated[
            list[Axis],
            Field(
                min_length=1,
                max_length=16,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"]},
            ),
        ]
        | None
    ) = None
    """The parameters that vary."""
    samples: Annotated[int, Field(ge=1, le=1_000_000)] | None = None
    """How many points the sampled methods draw."""
    seed: Annotated[int, Field(ge=0, le=SAFE_INT)] | None = None
    """Seed of the sampled methods; the same seed gives the same points. Default: 0."""
    points: Annotated[list[Parameters], Field(min_length=1, max_length=10_000, fail_fast=True)] | None = None
    """The points, for method list."""
    points_from: PointsFrom | None = None
    """The points, for method list, where they are too many to stand here."""
    where: Annotated[str, StringConstraints(min_length=1, max_length=1024)] | None = None
    """Keep only the points for which this arithmetic expression of the parameters is true, such as ``dt * diffusivity / dx**2 <= 0.5``."""


class SweepTemplate(RunSpec):
    """What all points share."""

    rules: ClassVar = (
        *RunSpec.rules,
        Rule(
            "self.batch || (has(self.command) && self.command.size() > 0)",
            "a sweep needs template.command: one Pod runs many points one after another, and the entrypoint of an image cannot be read from "
            "inside the cluster (an image that handles many points itself sets batch: true)",
        ),
    )

    batch: StrictBool = False
    """The image handles many points in one process (``$SIMOPS_POINTS``, ``$SIMOPS_RESULTS``)."""
    pending_timeout_seconds: Annotated[int, Field(ge=1, le=31_536_000)] | None = None
    """Give up when nothing has started this long after it was created. Default: the installation's."""


def _check_rerun_points(text: str) -> str:
    return text if text in RERUN_WORDS else check_ranges(text)


class Rerun(Model):
    """An order to run points again."""

    points: Annotated[str, StringConstraints(max_length=16_384), AfterValidator(_check_rerun_points)]
    """failed, missing, or index ranges such as 3,7-9."""
    id: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    """Names this order: each id is carried out once."""


class SimulationSweepSpec(Model):
    """Many runs of a simulation image over a parameter space."""

    rules: ClassVar = (
        Rule(
            "!oldSelf.cancelled || self.cancelled",
            "cancelled cannot be taken back: make a new SimulationSweep to run it again",
            "cancelled",
        ),
        Rule(
            "type(self.pointsPerPod) == string ? self.pointsPerPod == 'auto' : (self.pointsPerPod >= 1 && self.pointsPerPod <= 100000)",
            "pointsPerPod must be 'auto' or a number from 1 to 100000",
            "pointsPerPod",
        ),
        Rule(
            "!has(self.rerun) || !has(oldSelf.rerun) || self.rerun.id != oldSelf.rerun.id || "
            "self.rerun.points == oldSelf.rerun.points",
            "an order to run points again is carried out once: give it a new id to run other points",
            "rerun",
        ),
        Rule(
            f"!self.reuse || self.template.image.matches('{DIGEST}')",
            "reuse needs an image given by its digest, such as sim@sha256:…: behind a tag there may be another image than the one that an "
            "earlier result is of",
            "reuse",
        ),
    )
    immutable: ClassVar = ("template", "pointsPerPod", "timeoutSeconds", "artifacts", "reuse")

    template: SweepTemplate
    """What all points share: a SimulationJob's spec without the parameters that vary."""
    space: Space
    """Which points are run. Once the sweep has finished it can be extended, and then only the new points are run."""
    parallelism: Parallelism = 10
    """Pods that run at once, at most."""
    points_per_pod: PointsPerPod = 1
    """Points that one Pod runs one after another; auto measures a few first and makes Pods live about a minute."""
    retries_per_point: RetriesPerPoint = 0
    """How often a failed point is tried again."""
    max_failed_points: MaxFailedPoints | None = None
    """Stop the sweep when more points than this have failed. Default: never."""
    timeout_seconds: Annotated[int, Field(ge=1, le=31_536_000)] = 3600
    """Wall clock of one point. The installation has a maximum."""
    reuse: StrictBool = False
    """Take the result of a point that an earlier job or sweep of the namespace, or this sweep itself, has run already: the same image (by its digest),
    command, args, env and parameters. Only what succeeded is taken."""
    suspend: StrictBool = False
    """Do not run until this is false again; points that are done stay done."""
    cancelled: StrictBool = False
    """Stop for good; points that are done stay done."""
    cancelled_points: Annotated[str, StringConstraints(max_length=16_384), AfterValidator(check_ranges)] | None = None
    """Points not to run, as index ranges such as 3,7-9."""
    rerun: Rerun | None = None
    """Run points again."""
    ttl_seconds_after_finished: Annotated[int, Field(ge=0, le=3_153_600_000)] | None = None
    """Delete the object this many seconds after it finished; the store keeps its record. Default: the installation's (7 days)."""
    artifacts: Artifacts = Artifacts()
    """What becomes of the results in the store."""
