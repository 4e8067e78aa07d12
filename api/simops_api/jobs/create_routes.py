"""The calls that make jobs."""

from fastapi import APIRouter, Response

from simops_api.deps import Gateway, SignedIn
from simops_api.errors import RESPONSES
from simops_api.jobs.requests import Created, JobRequest

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=RESPONSES)


@router.post("", status_code=201)
async def create_jobs(body: JobRequest, gateway: Gateway, caller: SignedIn, response: Response) -> Created:
    """Run a simulation once, or, with ``sweep`` or ``space``, many times."""
    made = await gateway.creating.create(caller, body)
    if made.sweep is None:
        response.headers["Location"] = f"/api/v1/jobs/{made.jobs[0]}"
    return made
