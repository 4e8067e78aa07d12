"""What the gateway answers. Fields that a newer gateway adds are kept, and readable by their names."""

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Scalar = bool | int | float | str
"""The value of one parameter."""
FINAL = frozenset({"Succeeded", "Failed", "Cancelled"})
"""Statuses after which nothing changes any more."""


class _Answer(BaseModel):
    model_config = ConfigDict(extra="allow", frozen=True)


class ArtifactsInfo(_Answer):
    """What the status of a run says of its results."""

    files: int | None = None
    bytes: int | None = None


class _HowRun(_Answer):
    env: list[dict[str, str]] | None = None
    resources: dict[str, Any] | None = None
    network: str | None = None
    """None, Cluster or Internet."""
    priority_class_name: str | None = None
    node_selector: dict[str, str] | None = None
    tolerations: list[dict[str, Any]] | None = None
    queue_name: str | None = None
    pending_timeout_seconds: int | None = None


class JobInfo(_HowRun):
    """A run, or a point of a sweep, as it was when it was read."""

    id: str
    status: str
    """Pending, Queued, Running, Succeeded, Failed or Cancelled."""
    reason: str | None = None
    message: str | None = None
    name: str = ""
    namespace: str = ""
    uid: str = ""
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    params: dict[str, Scalar] = Field(default_factory=dict)
    timeout_seconds: int | None = None
    retries: int | None = None
    ttl_seconds_after_finished: int | None = None
    metadata: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    cancelled: bool = False
    suspended: bool = False
    archived: bool = False
    sweep: str | None = None
    index: int | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    exit_code: int | None = None
    seconds: float | None = None
    attempts: int | None = None
    metrics: dict[str, float] | None = None
    reused: str | None = None
    artifacts: ArtifactsInfo | None = None


class PointCounts(_Answer):
    """How many points are where."""

    total: int = 0
    by_status: dict[str, int] = Field(default_factory=dict)
    active: int | None = None
    reused: int | None = None


class SweepInfo(_HowRun):
    """A sweep as it was when it was read."""

    id: str
    status: str
    reason: str | None = None
    message: str | None = None
    name: str = ""
    namespace: str = ""
    uid: str = ""
    image: str = ""
    command: list[str] | None = None
    args: list[str] | None = None
    params: dict[str, Scalar] = Field(default_factory=dict)
    space: dict[str, Any] = Field(default_factory=dict)
    parallelism: int | None = None
    points_per_pod: int | str | None = None
    retries_per_point: int | None = None
    max_failed_points: int | None = None
    reuse: bool | None = None
    batch: bool | None = None
    timeout_seconds: int | None = None
    metadata: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    cancelled: bool = False
    suspended: bool = False
    archived: bool = False
    points: PointCounts = PointCounts()
    rerun: dict[str, str] | None = None
    created_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_completion_at: datetime | None = None
    rounds: int = 0
    running_seconds: float | None = None
    """How long its rounds that are over lasted together, without pauses between them."""


class Point(_Answer):
    """A point of a sweep. ``client.job(point.id)`` is it as a job."""

    index: int
    id: str
    status: str
    params: dict[str, Scalar] = Field(default_factory=dict)
    reason: str | None = None
    exit_code: int | None = None
    seconds: float | None = None
    metrics: dict[str, float] | None = None
    reused: str | None = None


class File(_Answer):
    """One file of a result."""

    path: str
    bytes: int
    crc32: str = ""
    sha256: str | None = None
    media_type: str = ""


class Skipped(_Answer):
    """An output that was left out of the result, and why."""

    path: str
    why: str


class Bundle(_Answer):
    """The result as a whole."""

    bytes: int
    sha256: str | None = None


class Artifacts(_Answer):
    """What a run left."""

    job: str
    files: list[File]
    skipped: list[Skipped] = Field(default_factory=list)
    partial: bool = False
    """Whether it was taken while the simulation still ran, as it did not stop when told to."""
    bundle: Bundle


class Throughput(_Answer):
    """How many jobs finished lately."""

    finished_last_hour: int = 0


class Durations(_Answer):
    """Seconds that jobs took."""

    p50: float | None = None
    p95: float | None = None


class Stats(_Answer):
    """Jobs in numbers."""

    total: int
    by_status: dict[str, int]
    throughput: Throughput = Throughput()
    duration_seconds: Durations = Durations()


class Plan(_Answer):
    """What a request would become (``dry_run=True``)."""

    points: int
    points_exact: bool = True
    pods: int
    parallelism: int
    estimated_seconds: float | None = None
    limit_seconds: int


class Created(_Answer):
    """What a request has made."""

    jobs: list[str]
    sweep: str | None = None
    sweep_mapping: dict[str, dict[str, Scalar]] = Field(default_factory=dict)


class Uploaded(_Answer):
    """A list of points that the gateway keeps."""

    digest: str
    points: int
