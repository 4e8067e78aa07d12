"""The calls that read and cancel jobs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from simops_api.answers import CaughtUp, known, page_of, written
from simops_api.archive.models import ArchivedJobs
from simops_api.deps import Gateway, Holding, SignedIn
from simops_api.errors import RESPONSES, mistake
from simops_api.jobs.conditions import Conditions, conditions_of
from simops_api.jobs.models import Cancelled, CancelQuery, Job, JobList, JobQuery, JobStats, NamespaceQuery
from simops_api.jobs.occurrences import Occurrences, occurrences_of

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=RESPONSES)


@router.get("", response_model=JobList | ArchivedJobs, dependencies=[CaughtUp])
async def list_jobs(query: Annotated[JobQuery, Query()], gateway: Gateway, caller: SignedIn, hold: Holding) -> Response:
    """List jobs and points of sweeps, newest first. The header ``Age`` says how many seconds old the answer may be.

    With ``archived=true``: jobs whose objects are gone, as the store remembers them. There is no total and there are no page numbers then: each page says
    by ``next`` what to give as ``after`` for the one that follows, and may have fewer jobs than were asked for.
    """
    if query.archived:
        return Response(
            await gateway.past.page(caller, query, hold), 200, {"Cache-Control": "no-store"}, "application/json"
        )
    if query.after is not None:
        raise mistake("after", "is for archived=true; the jobs that are there have page numbers", "query")
    found = await gateway.jobs.page(caller, query, hold)
    return known(page_of(found.documents, query.page, query.size, found.total, hold), gateway)


@router.delete("", status_code=202)
async def cancel_jobs(query: Annotated[CancelQuery, Query()], gateway: Gateway, caller: SignedIn) -> Cancelled:
    """Cancel all jobs that the filters let through, such as those of a label or of a sweep.

    Sweeps with such a label are cancelled as a whole; with ``status`` jobs alone are meant. One filter beside ``namespace`` is needed.
    """
    return await gateway.jobs.cancel_many(caller, query)


@router.get("/stats", response_model=JobStats, dependencies=[CaughtUp])
async def job_stats(query: Annotated[NamespaceQuery, Query()], gateway: Gateway, caller: SignedIn) -> Response:
    """Count jobs and points of sweeps by status, and say how many jobs finish and how long they take."""
    found = await gateway.jobs.stats(caller, query)
    return known(found.model_dump_json(exclude_none=True).encode(), gateway)


@router.get("/{job_id}", response_model=Job, dependencies=[CaughtUp])
async def get_job(job_id: str, gateway: Gateway, caller: SignedIn) -> Response:
    """Return a job, or a point of a sweep (``<sweep>-<index>``): its state with the reason, its parameters and its timings.

    A job whose object is gone is answered as the store remembers it, with ``archived``.
    """
    return known((await gateway.lookup.find(caller, job_id)).document, gateway)


@router.get("/{job_id}/conditions", response_model_exclude_none=True)
async def job_conditions(job_id: str, gateway: Gateway, caller: SignedIn) -> Conditions:
    """Return what the operator has written down about a job, step by step. A point of a sweep, and a job whose object is gone, have none."""
    return await conditions_of(gateway.lookup, gateway.cluster, caller, job_id)


@router.get("/{job_id}/kubernetes-events", response_model_exclude_none=True)
async def job_kubernetes_events(job_id: str, gateway: Gateway, caller: SignedIn) -> Occurrences:
    """Return the Kubernetes Events of a job, its Kubernetes Job and its latest Pod: why it waits for a node, why its image is not there.

    A point of a sweep, and a job whose object is gone, have none.
    """
    return await occurrences_of(gateway.lookup, gateway.cluster, caller, job_id)


@router.delete("/{job_id}", status_code=202, response_model=Job)
async def cancel_job(job_id: str, gateway: Gateway, caller: SignedIn) -> Response:
    """Cancel a job, or a point of a sweep. It is told to stop; what it has written by then is kept. 409 if it has finished already."""
    return written(*await gateway.jobs.cancel(caller, job_id))
