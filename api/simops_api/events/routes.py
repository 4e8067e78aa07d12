"""The call for the states of a job."""

from typing import Annotated

from fastapi import APIRouter, Header
from fastapi.responses import Response

from simops_api.deps import Gateway, SignedIn, SignInAgain
from simops_api.errors import RESPONSES
from simops_api.sse import LAST_EVENT_ID, EventStream, declared

router = APIRouter(prefix="/jobs/{job_id}/events", tags=["jobs"], responses=RESPONSES)

_STATES = """retry: 1000

event: state
id: 4711
data: {"id":"heat","name":"heat","namespace":"default","status":"Running","cancelled":false,"suspended":false}

event: end
data: {"status":"Succeeded","reason":"Completed","exit_code":0}

"""


@router.get(
    "",
    response_class=Response,
    responses=declared(_STATES),
)
async def follow_job(
    job_id: str,
    gateway: Gateway,
    caller: SignedIn,
    again: SignInAgain,
    last_event_id: Annotated[str | None, Header(alias=LAST_EVENT_ID)] = None,
) -> Response:
    """Follow the state of a job, as server-sent events, until it has finished.

    - `state`: the job, as `GET /jobs/{job_id}` answers it: first as it is now, then whenever it has changed; states that follow each other
      quickly may be one. Its `id` is the object's resourceVersion; sent back as `Last-Event-ID`, that state is not told again.
    - `end`: how the job ended; the last event.

    Comments keep the connection alive while nothing changes. Without its `end` it ends when the token is not valid any more, or the right is gone.
    """
    states = await gateway.events.states(caller, job_id, last_event_id)
    return EventStream(states, gateway.streams, caller, gateway.permit_for(job_id, again).holds)
