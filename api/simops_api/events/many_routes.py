"""The call for the changes of many objects."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response

from simops_api.deps import Gateway, SignedIn, SignInAgain
from simops_api.errors import RESPONSES
from simops_api.events.many import FeedQuery
from simops_api.sse import LAST_EVENT_ID, EventStream, declared

router = APIRouter(prefix="/events", tags=["jobs"], responses=RESPONSES)

_CHANGES = """retry: 1000

event: resync
id: 5f0c1234-17
data: {}

event: job
data: {"id":"heat","name":"heat","namespace":"default","status":"Running","cancelled":false,"suspended":false}

event: gone
data: {"kind":"sweep","id":"scan"}

event: place
id: 5f0c1234-19
data: {}

"""


@router.get(
    "",
    response_class=Response,
    responses=declared(_CHANGES),
)
async def follow_all(
    query: Annotated[FeedQuery, Query()],
    gateway: Gateway,
    caller: SignedIn,
    again: SignInAgain,
    last_event_id: Annotated[str | None, Header(alias=LAST_EVENT_ID)] = None,
) -> Response:
    """Follow all runs and sweeps that the caller may list, as server-sent events. Points of sweeps are told as the counts of their sweep.

    - `job`, `sweep`: one of them as it is now, after it was made or changed; changes that follow each other quickly are one.
    - `gone`: one of them was deleted: `kind` and `id`.
    - `place`: everything before this event is told; its `id`, sent back as `Last-Event-ID`, goes on there.
    - `resync`: read the lists: first of all, and after a `Last-Event-ID` that is too long ago or of another process. Its `id` is a place, too.
    - `end`: the last event, with its `reason`: the token is not valid any more (`Unauthorized`), or the caller may list nothing any more
      (`Forbidden`). Both are looked at again while the stream lasts.

    Comments keep the connection alive while nothing changes. It has no end of its own.
    """
    return EventStream(await gateway.many.changes(caller, again, query, last_event_id), gateway.streams, caller)
