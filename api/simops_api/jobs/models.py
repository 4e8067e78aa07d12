"""What people ask about jobs and what they get. What makes jobs is in ``requests.py``."""

import re
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, WithJsonSchema

from simops_api.jobs import examples
from simops_crds.base import Scalar
from simops_crds.names import Phase
from simops_crds.v1alpha1 import ArtifactsStatus, EnvVar, Network, Resources, Toleration
from simops_crds.v1alpha1.job import DOMAIN, LABEL_NAME


class HowRun(BaseModel):
    """Where and with what a run, or each point of a sweep, is run, in the words of a request."""

    env: list[EnvVar] | None = None
    resources: Resources | None = None
    network: Network | None = None
    """What it may reach."""
    priority_class_name: str | None = None
    node_selector: dict[str, str] | None = None
    tolerations: list[Toleration] | None = None
    queue_name: str | None = None
    pending_timeout_seconds: int | None = None


class Job(HowRun):
    """A job as it is answered. Fields without a value are left out."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.JOB]})

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
    """Its parameters. Of a point of a described space, until the operator has stored the points: those that all points share."""
    timeout_seconds: int
    retries: int | None = None
    """Of a run: how often it may be tried again."""
    ttl_seconds_after_finished: int | None = None
    """Of a run: when its object is deleted, if that is not left to the installation."""
    metadata: dict[str, str] | None = None
    labels: dict[str, str] | None = None
    cancelled: bool
    """Whether it has been told to stop."""
    suspended: bool
    """Whether it has been told to wait."""
    archived: bool = False
    """Whether its object is gone, so that this is what the store keeps of it."""
    sweep: str | None = None
    """Id of the sweep that it is a point of."""
    index: int | None = None
    """Which point of the sweep it is."""
    created_at: datetime
    started_at: datetime | None = None
    completed_at: datetime | None = None
    exit_code: int | None = None
    seconds: float | None = None
    """Of a point: how long its simulation took."""
    attempts: int | None = None
    metrics: dict[str, float] | None = None
    reused: str | None = None
    """Of a point: the job, or the point of a sweep, whose result this is, if it was not run itself."""
    artifacts: ArtifactsStatus | None = None


class JobList(BaseModel):
    """A page of jobs."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.page_of(examples.JOB)]})

    items: list[Job]
    page: int
    size: int
    total: int
    """How many jobs the filters let through, on all pages."""


class Throughput(BaseModel):
    """How many jobs finished lately, with whatever result."""

    finished_last_hour: int


class Durations(BaseModel):
    """Seconds from the start of the simulation to the end of the job, of the jobs that finished (nearest rank)."""

    p50: float | None = None
    p95: float | None = None


class JobStats(BaseModel):
    """Jobs in numbers."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.STATS]})

    total: int
    by_status: dict[Phase, int]
    throughput: Throughput
    duration_seconds: Durations


_SUCCESS = "success"
LABEL = f"^({DOMAIN}/)?{LABEL_NAME}=({LABEL_NAME})?$"
_NUMBER = re.compile(r"[-+]?[0-9]*\.?[0-9]*(e[-+]?[0-9]+)?", re.IGNORECASE)


def _phase(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    names = {phase.value.lower(): phase for phase in Phase} | {_SUCCESS: Phase.SUCCEEDED}
    found = names.get(value.lower())
    if found is None:
        raise ValueError(f"must be one of {', '.join(names)}, in upper or lower case")
    return found


def sort_order(value: Any) -> Any:
    """Return an order of lists that is known.

    Raises:
        ValueError: it is none.
    """
    if value not in ("created", "-created"):
        raise ValueError("must be created (oldest first) or -created (newest first)")
    return value


def _moment(value: Any) -> Any:
    # A number would be taken for seconds since 1970, or for milliseconds if it is large enough: nobody should have to guess.
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        raise ValueError("must be a date and time such as 2026-11-24T09:00:00Z")
    return value


def _label(value: str) -> str:
    key, equals, _ = value.partition("=")
    if not key or not equals:
        raise ValueError("must be key=value")
    if not re.fullmatch(LABEL, value):
        raise ValueError("must be key=value as Kubernetes has it, such as project=heat: there can be no such label")
    return value


StatusFilter = Annotated[Phase, BeforeValidator(_phase)]
LabelFilter = Annotated[
    str,
    BeforeValidator(_label),
    WithJsonSchema({"type": "string", "pattern": LABEL, "examples": ["project=heat"]}),
]
Moment = Annotated[datetime, BeforeValidator(_moment)]


class NamespaceQuery(BaseModel):
    """Which jobs are meant."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    namespace: str | None = None
    """Only of this namespace."""


class JobFilter(NamespaceQuery):
    """Which jobs are meant, by what they are."""

    status: Annotated[list[StatusFilter], Field(max_length=16)] = Field(default_factory=list)
    """Only of this status, in any case; ``success`` is Succeeded. May be given several times."""
    label: Annotated[list[LabelFilter], Field(max_length=16)] = Field(default_factory=list)
    """Only with this label, as key=value. May be given several times: all must be there."""
    since: Moment | None = None
    """Only created at this time or later; without a time zone it is UTC."""
    sweep: Annotated[str, StringConstraints(min_length=1, max_length=128)] | None = None
    """Only the points of this sweep, by its id."""

    @property
    def pairs(self) -> list[tuple[str, str]]:
        """The labels as key and value."""
        return [(key, value) for key, _, value in (label.partition("=") for label in self.label)]


class CancelQuery(JobFilter):
    """Which jobs are to be cancelled. One filter beside ``namespace`` is needed."""


class JobQuery(JobFilter):
    """Which jobs are listed, and which page of them."""

    page: Annotated[int, Field(ge=1)] = 1
    """Which page; the first is 1."""
    size: Annotated[int, Field(ge=1)] = 50
    """Jobs on a page."""
    archived: bool = False
    """Jobs whose objects are gone, as the store remembers them, instead of those that are there. They have no page numbers: see ``after``."""
    after: Annotated[str, StringConstraints(max_length=1024)] | None = None
    """With ``archived``: go on after this place, the ``next`` of a page."""
    sort: Annotated[str, BeforeValidator(sort_order)] = "-created"
    """created: oldest first. -created: newest first. Jobs of the same second are in the order of their ids, points of a sweep in that of their indexes."""


class NotCancelled(BaseModel):
    """A job or sweep that could not be told to stop."""

    id: str
    status: int
    """The HTTP status that the call for it alone would have had."""
    detail: str
    """Why."""


class Cancelled(BaseModel):
    """What became of the order to cancel many."""

    model_config = ConfigDict(json_schema_extra={"examples": [examples.CANCELLED]})

    cancelled: list[str]
    """Ids of the jobs and sweeps that were told to stop."""
    already_finished: int
    """How many of those that are meant had finished."""
    failed: list[NotCancelled]
    """Those that still run since telling them failed; the same call may be made again."""
