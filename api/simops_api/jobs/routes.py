"""The calls that read and cancel jobs."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from simops_api.archive.models import ArchivedJobs
from simops_api.deps import Gateway, SignedIn
from simops_api.errors import RESPONSES, mistake
from simops_api.jobs.models import Job, JobList, JobQuery, JobStats, NamespaceQuery
from simops_api.jobs.service import Jobs

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=RESPONSES)


def _answer(body: bytes, jobs: Jobs, status: int = 200) -> Response:
    # Age is of RFC 9111: the answer says what was so at most that many seconds ago.
    headers = {"Age": str(jobs.age), "Cache-Control": "no-store"}
    return Response(body, status, headers, "application/json")


@router.get("", response_model=JobList | ArchivedJobs)
async def list_jobs(query: Annotated[JobQuery, Query()], gateway: Gateway, caller: SignedIn) -> Response:
    """List jobs, newest first. The header ``Age`` says how many seconds old the answer may be.

    With ``archived=true``: jobs whose objects are gone, as the store remembers them. There is no total and there are no page numbers then: each page says
    by ``next`` what to give as ``after`` for the one that follows, and may have fewer jobs than were asked for.
    """
    if query.archived:
        return Response(await gateway.past.page(caller, query), 200, {"Cache-Control": "no-store"}, "application/json")
    if query.after is not None:
        raise mistake("after", "is for archived=true; the jobs that are there have page numbers", "query")
    found = await gateway.jobs.page(caller, query)
    head = b'{"page":%d,"size":%d,"total":%d,"items":[' % (query.page, query.size, found.total)
    return _answer(head + b",".join(record.document for record in found.records) + b"]}", gateway.jobs)


@router.get("/stats", response_model=JobStats)
async def job_stats(query: Annotated[NamespaceQuery, Query()], gateway: Gateway, caller: SignedIn) -> Response:
    """Count jobs by status, and say how many finish and how long they take."""
    return _answer((await gateway.jobs.stats(caller, query)).model_dump_json(exclude_none=True).encode(), gateway.jobs)


@router.get("/{job_id}", response_model=Job)
async def get_job(job_id: str, gateway: Gateway, caller: SignedIn) -> Response:
    """Return a job: its state with the reason, its parameters and its timings."""
    return _answer((await gateway.lookup.find(caller, job_id)).document, gateway.jobs)


@router.delete("/{job_id}", status_code=202, response_model=Job)
async def cancel_job(job_id: str, gateway: Gateway, caller: SignedIn) -> Response:
    """Cancel a job. It is told to stop; what it has written by then is kept. 409 if it has finished already."""
    record = await gateway.jobs.cancel(caller, job_id)
    return Response(record.document, 202, media_type="application/json")
