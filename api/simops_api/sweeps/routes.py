"""The calls for sweeps."""

import json
from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import StreamingResponse

from simops_api.answers import CaughtUp, known, page_of, written
from simops_api.artifacts.media import disposition
from simops_api.deps import Gateway, SignedIn
from simops_api.errors import RESPONSES, mistake
from simops_api.jobs import examples
from simops_api.jobs.create_routes import CREATES, answer
from simops_api.jobs.ids import point_id
from simops_api.jobs.keys import IdempotencyKey
from simops_api.jobs.manifests import is_sweep
from simops_api.jobs.requests import RUN_EXAMPLES, Created, CreateQuery, JobRequest
from simops_api.strict import StrictRoute
from simops_api.sweeps.models import (
    PlotQuery,
    PointList,
    PointQuery,
    RerunRequest,
    Sweep,
    SweepList,
    SweepQuery,
    TableQuery,
)
from simops_api.sweeps.points import params_of
from simops_api.sweeps.table import csv_of, json_of

router = APIRouter(prefix="/sweeps", tags=["sweeps"], responses=RESPONSES, route_class=StrictRoute)

_MANY = {
    name: example for name, example in RUN_EXAMPLES.items() if {"sweep", "space"} & (example["value"] or {}).keys()
}


@router.get("", response_model=SweepList, dependencies=[CaughtUp])
async def list_sweeps(query: Annotated[SweepQuery, Query()], gateway: Gateway, caller: SignedIn) -> Response:
    """List sweeps, newest first."""
    found = await gateway.sweeps.page(caller, query)
    documents = (record.document for record in found.records)
    return known(page_of(documents, query.page, query.size, found.total), gateway)


@router.post("", status_code=201, response_model=Created, responses=CREATES, summary="Run a sweep")
async def create_sweep(
    body: Annotated[JobRequest, Body(openapi_examples=_MANY)],
    query: Annotated[CreateQuery, Query()],
    gateway: Gateway,
    caller: SignedIn,
    key: IdempotencyKey = None,
) -> Response:
    """Run a simulation at each point of ``space``, or of the list ``sweep``. It is the same call as that of jobs, and takes nothing but sweeps."""
    if not is_sweep(body):
        raise mistake("space", "is needed, or sweep: which points are to be run")
    return answer(await gateway.creating.create(caller, body, key=key, dry_run=query.dry_run))


@router.get("/{sweep_id}", response_model=Sweep, dependencies=[CaughtUp])
async def get_sweep(sweep_id: str, gateway: Gateway, caller: SignedIn) -> Response:
    """Return a sweep: its state with the reason, its space and how many points are where."""
    return known((await gateway.sweeps.find(caller, sweep_id)).document, gateway)


@router.delete("/{sweep_id}", status_code=202, response_model=Sweep)
async def cancel_sweep(sweep_id: str, gateway: Gateway, caller: SignedIn) -> Response:
    """Cancel a sweep. What its points have written by then is kept. 409 if it has finished already."""
    return written(*await gateway.jobs.cancel_sweep(caller, sweep_id))


@router.get("/{sweep_id}/points", response_model=PointList, dependencies=[CaughtUp])
async def list_points(
    sweep_id: str, query: Annotated[PointQuery, Query()], gateway: Gateway, caller: SignedIn
) -> Response:
    """List the points of a sweep in the order of their indexes."""
    record = await gateway.sweeps.find(caller, sweep_id)
    total, indexes = gateway.sweeps.points(record, query)
    rows = [
        {"index": i, "id": point_id(record.id, i), "status": record.phase_at(i), "params": params_of(record, i)}
        for i in indexes
    ]
    return known(page_of((json.dumps(row).encode() for row in rows), query.page, query.size, total), gateway)


@router.get(
    "/{sweep_id}/table",
    dependencies=[CaughtUp],
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "A row for each point: index, id, status, then its parameters.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "index,id,status,diffusivity\r\n0,heat-0,Succeeded,0.01\r\n",
                },
                "application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Point"}},
                    "example": [examples.POINT],
                },
            },
        }
    },
)
async def sweep_table(
    sweep_id: str, query: Annotated[TableQuery, Query()], gateway: Gateway, caller: SignedIn
) -> StreamingResponse:
    """Return the table of a sweep, also while it still runs: a row for each point that is known."""
    record = await gateway.sweeps.find(caller, sweep_id)
    headers = {"Age": str(int(gateway.caches.age)), "Cache-Control": "no-store"}
    if query.format == "json":
        return StreamingResponse(json_of(record), 200, headers, "application/json")
    headers["Content-Disposition"] = disposition(f"{record.id}.csv")
    return StreamingResponse(csv_of(record), 200, headers, "text/csv; charset=utf-8; header=present")


@router.get(
    "/{sweep_id}/result",
    dependencies=[CaughtUp],
    response_class=Response,
    responses={200: {"description": "One zip of all bundles.", "content": {"application/zip": {}}}},
)
async def sweep_result(sweep_id: str, gateway: Gateway, caller: SignedIn) -> None:
    """Return the bundles of all points as one zip. 409 as long as no point has a bundle."""
    gateway.sweeps.result(await gateway.sweeps.find(caller, sweep_id))


@router.get(
    "/{sweep_id}/plot",
    dependencies=[CaughtUp],
    response_class=Response,
    responses={200: {"description": "The plot.", "content": {"image/png": {}}}},
)
async def sweep_plot(sweep_id: str, query: Annotated[PlotQuery, Query()], gateway: Gateway, caller: SignedIn) -> None:
    """Return a plot of a metric against one parameter, or a heat map over two. 409 as long as no point has told that metric."""
    gateway.sweeps.plot(await gateway.sweeps.find(caller, sweep_id), query)


@router.post("/{sweep_id}/rerun", status_code=202, response_model=Sweep)
async def rerun_points(sweep_id: str, body: RerunRequest, gateway: Gateway, caller: SignedIn) -> Response:
    """Order that points of a sweep are run again: those that failed, those whose results are missing, or some by their indexes."""
    return written(*await gateway.sweeps.rerun(caller, sweep_id, body))
