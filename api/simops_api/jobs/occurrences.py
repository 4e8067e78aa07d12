"""The Kubernetes Events of a job: what scheduler, kubelet, Job controller and operator have said about it."""

import asyncio
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from simops_api.auth.caller import Caller
from simops_api.cluster import Cluster
from simops_api.jobs.lookup import Lookup
from simops_crds.names import kubernetes_job_name

MOST = 200
"""Events that are answered, the latest ones."""
_EXAMPLE: dict[str, JsonValue] = {
    "type": "Warning",
    "reason": "FailedScheduling",
    "message": "0/3 nodes are available: 3 Insufficient cpu.",
    "object": "Pod/sim-7k2mqx4d-2f11-x8k2p",
    "source": "default-scheduler",
    "count": 4,
    "first_at": "2026-11-24T09:00:01Z",
    "last_at": "2026-11-24T09:02:31Z",
}


class Occurrence(BaseModel):
    """An Event as Kubernetes has it."""

    type: str
    """Normal or Warning."""
    reason: str | None = None
    """What happened, one word."""
    message: str | None = None
    """What happened, a sentence."""
    object: str
    """What it happened to: the SimulationJob, its Job or a Pod."""
    source: str | None = None
    """Who says so."""
    count: int = 1
    """How often it happened."""
    first_at: datetime | None = None
    last_at: datetime | None = None


class Occurrences(BaseModel):
    """The Kubernetes Events of a job, the latest last. A cluster keeps them for an hour, usually."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"events": [_EXAMPLE]}]})

    events: list[Occurrence]


def occurrence_in(event: Mapping[str, Any]) -> Occurrence:
    """Return an Event of core/v1, which has its times and counts in one of three places (pure)."""
    about, series = event.get("involvedObject") or {}, event.get("series") or {}
    first = (
        event.get("firstTimestamp") or event.get("eventTime") or (event.get("metadata") or {}).get("creationTimestamp")
    )
    return Occurrence(
        type=str(event.get("type") or "Normal"),
        reason=event.get("reason") or None,
        message=event.get("message") or None,
        object=f"{about.get('kind')}/{about.get('name')}",
        source=event.get("reportingComponent") or (event.get("source") or {}).get("component") or None,
        count=int(series.get("count") or event.get("count") or 1),
        first_at=first,
        last_at=series.get("lastObservedTime") or event.get("lastTimestamp") or first,
    )


def occurrences_in(events: Iterable[Mapping[str, Any]]) -> Occurrences:
    """Return Events, each of them once, the latest last (pure)."""
    once = {str((event.get("metadata") or {}).get("uid")): event for event in events}
    found = sorted(map(occurrence_in, once.values()), key=lambda one: one.last_at.timestamp() if one.last_at else 0.0)
    return Occurrences(events=found[-MOST:])


async def occurrences_of(lookup: Lookup, cluster: Cluster, caller: Caller, job_id: str) -> Occurrences:
    """Return the Events of a job, its Kubernetes Job and its latest Pod; none of a point, and of a job whose object is gone.

    Raises:
        ProblemError: 403; 404; 503.
        ApiError: the API server refused.
        UnreachableError: the API server does not answer.
    """
    found = await lookup.find(caller, job_id)
    if found.archived or found.place is not None:
        return Occurrences(events=[])
    about = [
        {"involvedObject.kind": "SimulationJob", "involvedObject.uid": found.uid},
        {"involvedObject.kind": "Job", "involvedObject.name": kubernetes_job_name(found.name, found.uid)},
        *([{"involvedObject.kind": "Pod", "involvedObject.name": found.pod}] if found.pod else []),
    ]
    lists = await asyncio.gather(*(cluster.events(found.namespace, fields) for fields in about))
    return occurrences_in(event for events in lists for event in events)
