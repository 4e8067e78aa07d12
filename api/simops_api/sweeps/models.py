"""What people ask about sweeps and what they get."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from simops_api.jobs import examples
from simops_api.jobs.models import HowRun, LabelFilter, Moment, NamespaceQuery, StatusFilter, sort_order
from simops_crds.base import Scalar, check_ranges
from simops_crds.names import Phase
from simops_crds.v1alpha1.sweep import RERUN_WORDS


class PointCounts(BaseModel):
    """How many points are where."""

    total: int
    """Points that are known so far. Those of a described space are counted by the operator."""
    by_status: dict[Phase, int]
    active: int | None = None
    """Points that run now."""
    reused: int | None = None
    """Points that have succeeded by the result of an earlier run."""


class Sweep(HowRun):
    """A sweep as it is answered. Fields without a value are left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.SWEEP]})

    id: str
    name: str
    namespace: str
    uid: str
    status: Phase
    reason: str | None = None
    """Why the status is what it is, one word."""
    message: str | None = None
    """Why the status is what it is, a sentence."""
    image: str
    command: list[str] | None = None
    args: list[str] | None = None
    params: dict[str, Scalar]
    """The parameters that all points share."""
    space: dict[str, Any]
    """Which points are run, as in the object; points that are written out are not repeated here."""
    parallelism: int | None = None
    points_per_pod: int | str | None = None
    retries_per_point: int | None = None
    max_failed_points: int | None = None
    reuse: bool | None = None
    """Whether results of earlier identical runs are taken."""
    batch: bool | None = None
    """Whether the image handles many points in one process."""
    timeout_seconds: int | None = None
    metadata: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    cancelled: bool
    """Whether it has been told to stop."""
    suspended: bool
    """Whether it has been told to wait."""
    archived: bool
    """Whether the object is gone, and this is what the store remembers."""
    points: PointCounts
    rerun: dict[str, str] | None = None
    """The last order to run points again."""
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    estimated_completion_at: datetime | None = None
    rounds: int
    """How many Kubernetes Jobs it has had so far."""
    running_seconds: float | None = None
    """How long those lasted that are over, together: without pauses between them. None when that is not known (any more)."""


class SweepList(BaseModel):
    """A page of sweeps."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.page_of(examples.SWEEP)]})

    items: list[Sweep]
    page: int
    size: int
    total: int
    """How many sweeps the filters let through, on all pages."""


class Point(BaseModel):
    """A point of a sweep."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.POINT]})

    index: int
    id: str
    """Its id as a job."""
    status: Phase
    params: dict[str, Scalar]
    """Its parameters; until the operator has stored the points of a described space, those that all points share."""
    reason: str | None = None
    """Why it ended as it did, one word."""
    exit_code: int | None = None
    seconds: float | None = None
    """How long its simulation took."""
    metrics: dict[str, float] | None = None
    """The numbers that it told."""
    reused: str | None = None
    """The job, or the point of a sweep, whose result this is, if it was not run itself."""


class PointList(BaseModel):
    """A page of points."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.page_of(examples.POINT)]})

    items: list[Point]
    page: int
    size: int
    total: int
    """How many points the filters let through, on all pages."""


class _Paged(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    page: Annotated[int, Field(ge=1)] = 1
    """Which page; the first is 1."""
    size: Annotated[int, Field(ge=1)] = 50
    """Entries on a page."""
    status: Annotated[list[StatusFilter], Field(max_length=16)] = Field(default_factory=list)
    """Only of this status, in any case; ``success`` is Succeeded. May be given several times."""


class SweepQuery(_Paged, NamespaceQuery):
    """Which sweeps are listed, and which page of them."""

    label: Annotated[list[LabelFilter], Field(max_length=16)] = Field(default_factory=list)
    """Only with this label, as key=value. May be given several times: all must be there."""
    since: Moment | None = None
    """Only created at this time or later; without a time zone it is UTC."""
    sort: Annotated[str, BeforeValidator(sort_order)] = "-created"
    """created: oldest first. -created: newest first."""
    archived: bool = False
    """Sweeps whose objects are gone, as the store remembers them, instead of those that are there. They have no page numbers: see ``after``."""
    after: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """With ``archived``: go on after this place, the ``next`` of a page."""


class PointQuery(_Paged):
    """Which points are listed, and which page of them."""


class TableQuery(BaseModel):
    """How the table is written."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    format: Literal["csv", "json", "parquet"] = "csv"
    """csv: with a head, as RFC 4180. json: a list of objects. parquet: one Apache Parquet file."""


class PlotQuery(BaseModel):
    """What is plotted."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    metric: Annotated[str, StringConstraints(min_length=1, max_length=253)]
    """The metric to show; ``seconds`` is how long a point took, unless there is a metric of that name."""
    x: Annotated[str, StringConstraints(min_length=1, max_length=63)]
    """The parameter of the horizontal axis."""
    y: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """The parameter of the vertical axis of a heat map; without it the metric itself is the vertical axis."""
    group: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """A parameter; each of its values has a line of its own."""
    kind: Literal["line", "heatmap", "convergence"] | None = None
    """line: the metric over x. heatmap: over x and y. convergence: both axes logarithmic, with the fitted order. Default: heatmap with y, else line."""
    scale: Literal["linear", "log"] | None = None
    """Scale of the horizontal axis (and of y). Default: logarithmic where the values are spaced so."""
    format: Literal["png", "svg"] = "png"
    """What is drawn."""


def _rerun_points(text: str) -> str:
    return text if text in RERUN_WORDS else check_ranges(text)


class RerunRequest(BaseModel):
    """An order to run points again."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        use_attribute_docstrings=True,
        json_schema_extra={"examples": [{"points": "failed"}]},
    )

    points: Annotated[str, StringConstraints(min_length=1, max_length=16_384), AfterValidator(_rerun_points)]
    """failed, missing, or index ranges such as 3,7-9."""
    id: Annotated[str, StringConstraints(min_length=1, max_length=63)] | None = None
    """Names this order: each id is carried out once, so that a call may be repeated. Default: a new one."""
