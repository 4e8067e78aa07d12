"""The calls that make jobs and sweeps."""

from typing import Annotated, Any

from fastapi import APIRouter, Body, Query, Response

from simops_api.caches import VERSION_HEADER
from simops_api.deps import Gateway, SignedIn
from simops_api.errors import RESPONSES
from simops_api.jobs.bulk import create_many
from simops_api.jobs.creating import Made
from simops_api.jobs.keys import REPLAY_HEADER, IdempotencyKey
from simops_api.jobs.requests import (
    BULK_EXAMPLES,
    RUN_EXAMPLES,
    BulkCreated,
    BulkRequest,
    Created,
    CreateQuery,
    JobRequest,
    Plan,
)
from simops_api.strict import StrictRoute

router = APIRouter(prefix="/jobs", tags=["jobs"], responses=RESPONSES, route_class=StrictRoute)

_HEADERS: dict[str, Any] = {
    VERSION_HEADER: {
        "description": "Names this write: a read of another replica that has it as `SimOps-Min-Version` waits for it.",
        "schema": {"type": "string"},
        "example": "simulationjobs/default/4711",
    },
    REPLAY_HEADER: {
        "description": "The request had been done before, with the same `Idempotency-Key`.",
        "schema": {"type": "string", "enum": ["true"]},
    },
}
_LOCATION = {"Location": {"description": "Path of what was made.", "schema": {"type": "string"}}}
CREATES: dict[int | str, dict[str, Any]] = {
    200: {"model": Plan, "description": "A dry run: what the request would become."},
    201: {"description": "Made.", "headers": {**_LOCATION, **_HEADERS}},
}
"""What a call that makes something answers, for its OpenAPI."""
_BULK_CREATES: dict[int | str, dict[str, Any]] = {**CREATES, 201: {"description": "Made.", "headers": _HEADERS}}


def answer(done: Made | Plan) -> Response:
    """Return the answer of a call that makes one job or sweep."""
    if isinstance(done, Plan):
        return _json(done.model_dump_json(), 200, {})
    created = done.created
    path = f"sweeps/{created.sweep}" if created.sweep is not None else f"jobs/{created.jobs[0]}"
    headers = {"Location": f"/api/v1/{path}"} | _said(done.version, is_replay=done.is_replay)
    return _json(created.model_dump_json(), 201, headers)


def _said(version: str, *, is_replay: bool) -> dict[str, str]:
    return ({VERSION_HEADER: version} if version else {}) | ({REPLAY_HEADER: "true"} if is_replay else {})


def _json(text: str, status: int, headers: dict[str, str]) -> Response:
    return Response(text, status, headers, "application/json")


@router.post("", status_code=201, response_model=Created, responses=CREATES, summary="Run a simulation")
async def create_jobs(
    body: Annotated[JobRequest, Body(openapi_examples=RUN_EXAMPLES)],
    query: Annotated[CreateQuery, Query()],
    gateway: Gateway,
    caller: SignedIn,
    key: IdempotencyKey = None,
) -> Response:
    """Run a simulation once, or, with ``sweep`` or ``space``, many times: then a sweep is made, of whose points each is a job.

    What the API server refuses is answered with its own words. With ``dry_run=true`` it is asked too, and nothing is made. A request that may have to be
    sent again, for example as its answer was lost, should have an ``Idempotency-Key``.
    """
    return answer(await gateway.creating.create(caller, body, key=key, dry_run=query.dry_run))


@router.post(
    "/bulk", status_code=201, response_model=BulkCreated, responses=_BULK_CREATES, summary="Run many simulations"
)
async def create_many_jobs(
    body: Annotated[BulkRequest, Body(openapi_examples=BULK_EXAMPLES)],
    query: Annotated[CreateQuery, Query()],
    gateway: Gateway,
    caller: SignedIn,
    key: IdempotencyKey = None,
) -> Response:
    """Make up to 1,000 jobs that have nothing to do with each other. All are checked, by the API server too, before the first is made: if one of them is
    wrong, none is made.

    If it is stopped in the middle, for example by a quota, the problem says in ``created`` which were made. With an ``Idempotency-Key`` the same request
    can be sent again then, and makes the rest.
    """
    done = await create_many(gateway.creating, caller, body, key=key, dry_run=query.dry_run)
    if isinstance(done, Plan):
        return answer(done)
    headers = _said(done.version, is_replay=done.is_replay)
    return _json(BulkCreated(jobs=done.ids).model_dump_json(), 201, headers)
