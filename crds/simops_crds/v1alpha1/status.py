"""Status of both kinds. The operator is its only writer."""

from datetime import datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from simops_crds.base import Model
from simops_crds.names import Phase

PhaseName = Annotated[Phase, Field(json_schema_extra={"enum": [p.value for p in Phase]})]


class Condition(Model):
    """One condition, by the Kubernetes API conventions."""

    type: Annotated[str, StringConstraints(max_length=316)]
    """Accepted, Started, ArtifactsStored or Finished."""
    status: Annotated[str, StringConstraints(pattern="^(True|False|Unknown)$")]
    """True, False or Unknown."""
    reason: Annotated[str, StringConstraints(max_length=1024)]
    """One word for programs."""
    message: Annotated[str, StringConstraints(max_length=32768)] = ""
    """A sentence for people."""
    last_transition_time: datetime
    """When status last changed."""
    observed_generation: int | None = None
    """The generation of the spec that this is about."""


class ArtifactsStatus(Model):
    """Where the results of the deciding attempt are."""

    bundle: str | None = None
    """Key of the bundle in the store."""
    log: str | None = None
    """Key of the log in the store."""
    files: int | None = None
    """Files in the bundle."""
    bytes: int | None = None
    """Bytes of these files."""
    size: int | None = None
    """Bytes of the bundle itself."""
    sha256: str | None = None
    """Checksum of the bundle."""
    skipped: int | None = None
    """Files that were left out, such as links that point outside; the manifest beside the bundle says which and why."""
    partial: bool | None = None
    """True when the outputs were taken while the simulation still ran, as it did not stop when told to."""
    expiration_time: datetime | None = None
    """When bundle and log are removed from the store."""


class _Status(Model):
    phase: PhaseName | None = None
    """Pending, Queued, Running, Succeeded, Failed or Cancelled."""
    reason: str | None = None
    """Why the phase is what it is, one word."""
    message: str | None = None
    """Why the phase is what it is, a sentence."""
    conditions: (
        Annotated[
            list[Condition],
            Field(
                max_length=16,
                json_schema_extra={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["type"]},
            ),
        ]
        | None
    ) = None
    """Accepted, Started, ArtifactsStored, Finished."""
    start_time: datetime | None = None
    """When the simulation of the first attempt started."""
    completion_time: datetime | None = None
    """When the phase became final."""
    observed_generation: int | None = None
    """The generation of the spec that this status is about."""


class SimulationJobStatus(_Status):
    """State of one run."""

    exit_code: int | None = None
    """Exit code of the simulation in the deciding attempt."""
    attempts: int | None = None
    """Attempts that have started."""
    job_name: str | None = None
    """The Kubernetes Job."""
    pod_name: str | None = None
    """The Pod of the latest attempt."""
    image_id: str | None = None
    """The image that ran, with its digest where the node knows it."""
    metrics: dict[str, float] | None = None
    """The numbers of the simulation's metrics.json."""
    artifacts: ArtifactsStatus | None = None
    """Where the results are."""


class IndexCounts(Model):
    """How many points of a sweep are where."""

    total: int | None = None
    """Points of the space."""
    active: int | None = None
    """Points that run."""
    succeeded: int | None = None
    """Points that succeeded."""
    reused: int | None = None
    """Those of the succeeded whose result is that of an earlier run."""
    failed: int | None = None
    """Points that failed for good."""
    cancelled: int | None = None
    """Points that were cancelled."""


class Round(Model):
    """One Kubernetes Indexed Job of a sweep."""

    job: str
    """The Kubernetes Job."""
    reason: str | None = None
    """Why there is this round: probe, points, retry, missing or rerun."""
    points: str | None = None
    """The points it runs, as index ranges; how many where that would be long."""
    start_time: datetime | None = None
    """When it was made."""
    completion_time: datetime | None = None
    """When it ended."""


class SimulationSweepStatus(_Status):
    """State of a sweep."""

    points: IndexCounts | None = None
    """How many points are where."""
    succeeded_points: str | None = None
    """Index ranges, such as 0-99,105."""
    failed_points: str | None = None
    """Index ranges."""
    active_points: str | None = None
    """Index ranges: the points of the Pods that run."""
    cancelled_points: str | None = None
    """Index ranges."""
    ranges_in_store: bool | None = None
    """True when the four of them are too long for the object: ``state.json`` in the store has them."""
    rounds: Annotated[list[Round], Field(max_length=1000)] | None = None
    """The latest 100 Kubernetes Jobs."""
    points_digest: str | None = None
    """SHA-256 of the points in the store."""
    points_per_second: float | None = None
    """How many points ended a second, over the last minute or so."""
    estimated_completion_time: datetime | None = None
    """When it will be done at the present rate."""
