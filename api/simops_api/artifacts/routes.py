"""The calls for results. Each GET is a HEAD too."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import RedirectResponse, Response, StreamingResponse

from simops_api.artifacts.media import ZIP, disposition
from simops_api.artifacts.models import ArtifactList
from simops_api.artifacts.transfer import answer, begun
from simops_api.deps import Downloading, Gateway, Holding, SignedIn
from simops_api.errors import MEDIA_TYPE, RESPONSES, TOO_MANY

router = APIRouter(prefix="/jobs", tags=["results"], responses=RESPONSES | TOO_MANY, dependencies=[Downloading])

_BYTES: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}
_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}}
_GONE: dict[int | str, dict[str, Any]] = {
    404: {"description": "There is no such job or file.", "content": _PROBLEM},
    409: {"description": "The job has not finished yet, or left nothing.", "content": _PROBLEM},
    410: {"description": "It has expired or was removed from the store.", "content": _PROBLEM},
}


def _header(sentence: str, example: str) -> dict[str, Any]:
    return {"description": sentence, "schema": {"type": "string"}, "example": example}


_ETAG = {"ETag": _header("Names these very bytes.", '"5d41402abc4b2a76b9719d911017c592"')}
_CONTENT_RANGE = {"Content-Range": _header("Which bytes these are, and of how many.", "bytes 0-1023/18244")}
_LOCATION = {"Location": _header("The address.", "https://store.example.org/simops/jobs/…/pod.zip?X-Amz-Expires=900&…")}


def _sent(media: str) -> dict[int | str, dict[str, Any]]:
    content = {media: _BYTES}
    return {
        200: {"description": "All of it.", "content": content, "headers": _ETAG},
        206: {"description": "The range that was asked for.", "content": content, "headers": _ETAG | _CONTENT_RANGE},
        304: {"description": "It is what If-None-Match names.", "headers": _ETAG},
        412: {"description": "It is not what If-Match names.", "content": _PROBLEM},
        416: {"description": "The range begins after its end.", "content": _PROBLEM},
        **_GONE,
    }


@router.head("/{job_id}/result", include_in_schema=False)
@router.get(
    "/{job_id}/result",
    response_class=Response,
    responses={**_sent(ZIP), 307: {"description": "It is at this address for a while.", "headers": _LOCATION}},
)
async def job_result(job_id: str, request: Request, gateway: Gateway, caller: SignedIn) -> Response:
    """Return all files of a job as one zip: also of a job that failed or was cancelled, as far as it came.

    One range of it can be asked for (``Range``, ``If-Range``), and its ``ETag`` used to ask whether it is still the same. Where the store has a public
    address, the answer is a redirect to a URL that is good for a while.
    """
    found = await gateway.lookup.find(caller, job_id)
    # What is signed is a GET.
    if request.method == "GET" and (url := await gateway.artifacts.url(found)) is not None:
        return RedirectResponse(url, 307, {"Cache-Control": "no-store"})
    if found.folder:
        # Made while it is sent: neither its length nor its bytes are known before, so there are no ranges of it.
        headers = {"Cache-Control": "private, no-cache", "Content-Disposition": disposition(f"{found.name}.zip")}
        return StreamingResponse(await begun(gateway.artifacts.part(found)), 200, headers, ZIP)
    return await answer(request, await gateway.artifacts.result(found))


@router.head("/{job_id}/artifacts", include_in_schema=False)
@router.get("/{job_id}/artifacts", response_model=ArtifactList, responses=_GONE)
async def list_artifacts(job_id: str, gateway: Gateway, caller: SignedIn, hold: Holding) -> Response:
    """List the files of a job with their sizes and checksums, and say what was left out and why."""
    listing = await gateway.artifacts.listing(await gateway.lookup.find(caller, job_id), hold)
    return Response(listing, 200, {"Cache-Control": "private, no-cache"}, "application/json")


@router.head("/{job_id}/artifacts/{path:path}", include_in_schema=False)
@router.get("/{job_id}/artifacts/{path:path}", response_class=Response, responses=_sent("*/*"))
async def get_artifact(
    job_id: str,
    path: Annotated[str, Path(description="Path of the file, as the list has it.", examples=["result.csv"])],
    request: Request,
    gateway: Gateway,
    caller: SignedIn,
) -> Response:
    """Return one file of a job: only its own bytes are read from the store, however large the bundle is.

    One range of it can be asked for. A browser shows images, text, CSV and JSON in place and keeps everything else as a file; nothing runs
    as a page of this server.
    """
    found = await gateway.lookup.find(caller, job_id)
    return await answer(request, await gateway.artifacts.file(found, path))
