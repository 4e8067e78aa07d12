"""The calls for sweeps."""

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response
from fastapi.responses import StreamingResponse

from simops_api.answers import CaughtUp, known, page_of, written
from simops_api.archive.models import ArchivedSweeps
from simops_api.artifacts.media import ZIP, disposition
from simops_api.artifacts.transfer import begun
from simops_api.deps import Downloading, Gateway, Holding, SignedIn
from simops_api.errors import RESPONSES, TOO_MANY, mistake
from simops_api.jobs import examples
from simops_api.jobs.create_routes import CREATES, answer
from simops_api.jobs.keys import IdempotencyKey
from simops_api.jobs.manifests import is_sweep
from simops_api.jobs.requests import RUN_EXAMPLES, Created, CreateQuery, JobRequest
from simops_api.plots.draw import MEDIA
from simops_api.strict import StrictRoute
from simops_api.sweeps.columnar import one_of, parquet_of
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
from simops_api.sweeps.table import csv_of, json_of

router = APIRouter(prefix="/sweeps", tags=["sweeps"], responses=RESPONSES, route_class=StrictRoute)

PARQUET = "application/vnd.apache.parquet"
_MANY = {
    name: example for name, example in RUN_EXAMPLES.items() if {"sweep", "space"} & (example["value"] or {}).keys()
}


@router.get("", response_model=SweepList | ArchivedSweeps, dependencies=[CaughtUp])
async def list_sweeps(
    query: Annotated[SweepQuery, Query()], gateway: Gateway, caller: SignedIn, hold: Holding
) -> Response:
    """List sweeps, newest first.

    With ``archived=true``: sweeps whose objects are gone, as the store remembers them; their pages are as those of archived jobs.
    """
    if query.archived:
        return Response(
            await gateway.past_sweeps.page(caller, query, hold), 200, {"Cache-Control": "no-store"}, "application/json"
        )
    if query.after is not None:
        raise mistake("after", "is for archived=true; the sweeps that are there have page numbers", "query")
    found = await gateway.sweeps.page(caller, query)
    documents = [record.document for record in found.records]
    return known(page_of(documents, query.page, query.size, found.total, hold), gateway)


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
    sweep_id: str, query: Annotated[PointQuery, Query()], gateway: Gateway, caller: SignedIn, hold: Holding
) -> Response:
    """List the points of a sweep in the order of their indexes."""
    record = await gateway.sweeps.find(caller, sweep_id)
    total, documents = await gateway.sweeps.points(record, query, hold)
    return known(page_of(documents, query.page, query.size, total, hold), gateway)


@router.get(
    "/{sweep_id}/table",
    dependencies=[Downloading, CaughtUp],
    response_class=StreamingResponse,
    responses=TOO_MANY
    | {
        200: {
            "description": "A row for each point: index, id, status, how it ended, then its parameters and its metrics.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "index,id,status,reason,exit_code,seconds,diffusivity,l2_error\r\n0,heat-0,Succeeded,Completed,0,0.12,0.01,0.0085\r\n",
                },
                PARQUET: {"schema": {"type": "string", "format": "binary"}},
                "application/json": {
                    "schema": {"type": "array", "items": {"$ref": "#/components/schemas/Point"}},
                    "example": [examples.POINT],
                },
            },
        }
    },
)
async def sweep_table(
    sweep_id: str, query: Annotated[TableQuery, Query()], gateway: Gateway, caller: SignedIn, hold: Holding
) -> Response:
    """Return the table of a sweep, also while it still runs: a row for each point that is known, with the results of those that have ended."""
    record = await gateway.sweeps.find(caller, sweep_id)
    headers = {"Age": str(int(gateway.caches.age)), "Cache-Control": "no-store"}
    if query.format == "json":
        record = await gateway.shelf.settled(record)
        body = await begun(json_of(record, gateway.shelf.blocks(record, hold)))
        return StreamingResponse(body, 200, headers, "application/json")
    record, columns = await gateway.sweeps.table(record, hold)
    headers["Content-Disposition"] = disposition(f"{record.id}.{query.format}")
    if query.format == "parquet":
        file = parquet_of(record, columns, gateway.shelf.blocks(record, hold))
        body = await begun(one_of(gateway.parquets, caller, file))
        return StreamingResponse(body, 200, headers, PARQUET)
    body = await begun(csv_of(record, columns, gateway.shelf.blocks(record, hold)))
    return StreamingResponse(body, 200, headers, "text/csv; charset=utf-8; header=present")


@router.get(
    "/{sweep_id}/result",
    dependencies=[Downloading, CaughtUp],
    response_class=StreamingResponse,
    responses=TOO_MANY
    | {200: {"description": "One zip.", "content": {ZIP: {"schema": {"type": "string", "format": "binary"}}}}},
)
async def sweep_result(sweep_id: str, gateway: Gateway, caller: SignedIn, hold: Holding) -> Response:
    """Return what all points have left as one zip, also while the sweep still runs: a folder for each point, then ``table.csv`` and ``manifest.json``.

    The files are copied as they lie in the store, and sent while they are read. 409 as long as no point has left anything.
    """
    record, chunks = await gateway.collected.zip(await gateway.sweeps.find(caller, sweep_id), hold)
    headers = {"Cache-Control": "no-store", "Content-Disposition": disposition(f"{record.id}.zip")}
    return StreamingResponse(chunks, 200, headers, ZIP)


@router.get(
    "/{sweep_id}/plot",
    dependencies=[Downloading, CaughtUp],
    response_class=Response,
    responses=TOO_MANY
    | {
        200: {
            "description": "The picture.",
            "content": {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA.values()},
        }
    },
)
async def sweep_plot(
    sweep_id: str, query: Annotated[PlotQuery, Query()], gateway: Gateway, caller: SignedIn, hold: Holding
) -> Response:
    """Return a picture of a metric over one parameter, or as a heat map over two, or of its convergence. 409 as long as there is nothing to draw."""
    record = await gateway.sweeps.find(caller, sweep_id)
    content = await gateway.sweeps.plot(record, query, hold)
    return Response(content, 200, {"Cache-Control": "no-store"}, MEDIA[query.format])


@router.post("/{sweep_id}/rerun", status_code=202, response_model=Sweep)
async def rerun_points(sweep_id: str, body: RerunRequest, gateway: Gateway, caller: SignedIn) -> Response:
    """Order that points of a sweep are run again: those that failed, those whose results are missing, or some by their indexes."""
    return written(*await gateway.sweeps.rerun(caller, sweep_id, body))
