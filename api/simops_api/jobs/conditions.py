"""The conditions of a job: what the operator has written down about it, step by step."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, JsonValue

from simops_api.auth.caller import Caller
from simops_api.cluster import ApiError, Cluster
from simops_api.jobs.lookup import Lookup
from simops_crds.kinds import SIMULATION_JOB

_EXAMPLE: dict[str, JsonValue] = {
    "type": "Started",
    "status": "True",
    "reason": "SimulationStarted",
    "message": "the simulation runs",
    "last_transition_at": "2026-11-24T09:00:04Z",
}


class Condition(BaseModel):
    """A condition as Kubernetes has it."""

    type: str
    status: str
    """True, False or Unknown."""
    reason: str | None = None
    """Why, one word."""
    message: str | None = None
    """Why, a sentence."""
    last_transition_at: datetime | None = None
    """Since when it has this status."""


class Conditions(BaseModel):
    """The conditions of a job, in the order in which they came to be."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"conditions": [_EXAMPLE]}]})

    conditions: list[Condition]


def conditions_in(obj: Mapping[str, Any]) -> Conditions:
    """Return the conditions of an object (pure)."""
    found = (obj.get("status") or {}).get("conditions") or []
    said = [
        Condition(
            type=str(one.get("type")),
            status=str(one.get("status")),
            reason=one.get("reason"),
            message=one.get("message"),
            last_transition_at=one.get("lastTransitionTime"),
        )
        for one in found
    ]
    # Of those of one second the order of the object stays.
    return Conditions(conditions=sorted(said, key=lambda one: str(one.last_transition_at or "")))


async def conditions_of(lookup: Lookup, cluster: Cluster, caller: Caller, job_id: str) -> Conditions:
    """Return the conditions of a job as the API server has them; none of a point, and of a job whose object is gone.

    Raises:
        ProblemError: 403; 404; 503.
        UnreachableError: the API server does not answer.
    """
    found = await lookup.find(caller, job_id)
    if found.archived or found.place is not None:
        return Conditions(conditions=[])
    try:
        return conditions_in(await cluster.get(SIMULATION_JOB, found.namespace, found.name))
    except ApiError as error:
        if error.status == 404:  # deleted a moment ago
            return Conditions(conditions=[])
        raise
