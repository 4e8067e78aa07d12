"""The call that takes lists of points."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request

from simops_api.deps import Gateway, SignedIn
from simops_api.errors import MEDIA_TYPE, RESPONSES, TOO_MANY
from simops_api.jobs.models import NamespaceQuery
from simops_api.strict import StrictRoute
from simops_api.uploads.body import ARRAY, LINES, TABLE
from simops_api.uploads.lists import Uploaded

_SLOW: dict[int | str, dict[str, Any]] = {
    408: {
        "description": "The body came more slowly than 128 KiB a second.",
        "content": {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/ProblemDocument"}}},
    }
}
router = APIRouter(prefix="/points", tags=["sweeps"], responses=RESPONSES | TOO_MANY | _SLOW, route_class=StrictRoute)

_POINT = {
    "type": "object",
    "maxProperties": 256,
    "additionalProperties": {"oneOf": [{"type": kind} for kind in ("number", "boolean", "string")]},
}
_BODY = {
    "required": True,
    "content": {
        ARRAY: {
            "schema": {"type": "array", "minItems": 1, "items": _POINT},
            "example": [{"dt": 0.01, "dx": 0.1}, {"dt": 0.02, "dx": 0.1}],
        },
        LINES: {"schema": {"type": "string", "description": 'An object a line, such as {"dt": 0.01, "dx": 0.1}'}},
        TABLE: {"schema": {"type": "string"}, "example": "dt,dx\n0.01,0.1\n0.02,0.1\n"},
    },
}


@router.post("", status_code=201, response_model=Uploaded, openapi_extra={"requestBody": _BODY})
async def upload_points(
    request: Request, query: Annotated[NamespaceQuery, Query()], gateway: Gateway, caller: SignedIn
) -> Uploaded:
    """Take a list of points that is too long to be written into a sweep, and say its name: a sweep's `space` is then
    `{"method": "list", "pointsFrom": {"digest": …, "points": …}}`. JSON lines, a JSON list or CSV; kept for seven days, and by a sweep that has
    taken it for as long as the sweep's results.
    """
    kind = request.headers.get("content-type", "")
    return await gateway.uploads.take(caller, query.namespace, request.stream(), kind)
