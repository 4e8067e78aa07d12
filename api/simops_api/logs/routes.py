"""The calls for logs."""

from typing import Annotated

from fastapi import APIRouter, Header, Query
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field

from simops_api.deps import Gateway, SignedIn, SignInAgain
from simops_api.errors import RESPONSES, TOO_MANY
from simops_api.sse import LAST_EVENT_ID, ByteStream, EventStream, declared

router = APIRouter(prefix="/jobs/{job_id}/logs", tags=["logs"], responses=RESPONSES)

_TEXT = "text/plain; charset=utf-8"
_LINES = """retry: 1000

event: attempt
data: {"attempt":1,"pod":"heat-6f0c1234-x7k2p"}

event: line
id: heat-6f0c1234-x7k2p/0/24./1c2d3e4f/1795485645123456789/1
data: step 1 of 200, t = 0.05

event: end
data: {"status":"Succeeded","reason":"Completed","exit_code":0}

"""
Attempt = Annotated[int | None, Field(ge=1, le=1_000_000)]


class _Which(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    attempt: Attempt = None
    """Which attempt that left a log; the first is 1. Default: the latest."""


class LogQuery(_Which):
    """Which log, and how much of it."""

    tail: Annotated[int | None, Field(ge=0, le=10_000_000)] = None
    """Only so many lines from the end."""
    timestamps: bool = False
    """Put before each line when it was printed. Only while the Pod is there."""


class FollowQuery(_Which):
    """From where on."""


@router.get(
    "",
    response_class=Response,
    responses=TOO_MANY
    | {
        200: {
            "description": "The log. The header SimOps-Log says where it is from: pod, store, or none-yet; SimOps-Attempt of which attempt it is.",
            "content": {"text/plain": {"schema": {"type": "string"}, "example": "step 1 of 200, t = 0.05\n"}},
        }
    },
)
async def get_log(job_id: str, query: Annotated[LogQuery, Query()], gateway: Gateway, caller: SignedIn) -> Response:
    """Return what a job has printed: standard output and error.

    It is empty for a job that has not begun. The log is read from the job's Pod, and from the store when the attempt is over.
    """
    text = await gateway.logs.text(caller, job_id, query.attempt, query.tail, timestamps=query.timestamps)
    headers = {"SimOps-Log": text.source, "X-Content-Type-Options": "nosniff"}
    if text.attempt:
        headers["SimOps-Attempt"] = str(text.attempt)
    return ByteStream(text.body, gateway.streams, caller, _TEXT, headers)


@router.get(
    "/stream",
    response_class=Response,
    responses=declared(_LINES),
)
async def follow_log(
    job_id: str,
    query: Annotated[FollowQuery, Query()],
    gateway: Gateway,
    caller: SignedIn,
    again: SignInAgain,
    last_event_id: Annotated[str | None, Header(alias=LAST_EVENT_ID)] = None,
) -> Response:
    """Follow what a job prints, as server-sent events, until it has finished.

    - `line`: one line. Its `id`, sent back as `Last-Event-ID`, goes on after it, at any replica, also when the Pod is gone.
      A carriage return in a line arrives as a newline, which a line cannot have.
    - `part`: the beginning, or a middle, of a line of more than 64 KiB; the last of it is a `line`.
    - `attempt`: which attempt the lines that follow are of. `status`: the state of the job, while it waits and when it changes.
    - `gap`: lines may be missing or come again, and why; only where a node has rotated or lost the log.
    - `end`: how the job ended; the last event. Who connects again after it is sent the end again.

    Comments keep the connection alive while nothing is printed. Without its `end` it ends when the token is not valid any more, or the right is gone.
    """
    lines = await gateway.logs.lines(caller, job_id, query.attempt, last_event_id)
    return EventStream(lines, gateway.streams, caller, gateway.permit_for(job_id, again).holds)
