"""Cancelling. It is never sent twice without having looked at what became of it the first time."""

from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel

from simops_client.core.flow import Flow, Sleep
from simops_client.core.handles import JobHandle, SweepHandle
from simops_client.core.requests import Request
from simops_client.core.session import Session, parsed
from simops_client.core.streams import Patience
from simops_client.core.waiting import refresh_job, refresh_sweep
from simops_client.errors import Unavailable
from simops_client.models import JobInfo, SweepInfo

JH = TypeVar("JH", bound=JobHandle)
SH = TypeVar("SH", bound=SweepHandle)
M = TypeVar("M", bound=BaseModel)


def cancel_job(job: JH) -> Flow[JH]:
    """Tell the job to stop; return it. What it has written by then is kept.

    Raises:
        Conflict: it has finished already.
        SimOpsError: it could not be told.
    """

    def look() -> Flow[bool]:
        yield from refresh_job(job)
        return job.info.cancelled or job.status == "Cancelled"

    found = yield from _told(job.session, JobInfo, job.path, look)
    job.info = found or job.info
    return job


def cancel_sweep(sweep: SH) -> Flow[SH]:
    """Tell the sweep to stop; return it. What its points have written by then is kept.

    Raises:
        Conflict: it has finished already.
        SimOpsError: it could not be told.
    """

    def look() -> Flow[bool]:
        yield from refresh_sweep(sweep)
        return sweep.info.cancelled or sweep.status == "Cancelled"

    found = yield from _told(sweep.session, SweepInfo, sweep.path, look)
    sweep.info = found or sweep.info
    return sweep


def _told(
    session: "Session[JobHandle, SweepHandle]", model: type[M], path: str, look: Callable[[], Flow[bool]]
) -> Flow[M | None]:
    """Cancel; return what is answered, or None where the answer was lost and a look has shown that it was done."""
    patience = Patience(session)
    for left in range(session.retries, -1, -1):
        try:
            answer = yield from session.call(Request("DELETE", path))
        except Unavailable as error:
            if not left:
                raise
            yield Sleep(patience.pause_after(error))
            if (yield from look()):
                return None
        else:
            return parsed(model, answer)
    raise AssertionError("the last try returns or raises")
