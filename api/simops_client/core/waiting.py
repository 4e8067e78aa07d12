"""Waiting for the end of a job by its events, and of a sweep by asking."""

import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from simops_client.core.flow import Flow, Sleep
from simops_client.core.handles import JobHandle, SweepHandle
from simops_client.core.requests import Request
from simops_client.core.session import Session
from simops_client.core.sse import Event
from simops_client.core.streams import SILENCE_SECONDS, Patience, Stream, is_passing
from simops_client.errors import SimOpsError, SimulationFailed
from simops_client.models import JobInfo, SweepInfo

H = TypeVar("H", bound=JobHandle | SweepHandle)
JH = TypeVar("JH", bound=JobHandle)
SH = TypeVar("SH", bound=SweepHandle)
Progress = bool | Callable[[Any], object]
"""False: nothing; True: a line on standard error for each change; or what is called with the job or sweep."""

_HEARTBEAT_SECONDS = 16.0
"""A little more than the time between two signs of life of a stream."""
_TOO_LATE_SECONDS = 1.0
_FIRST_LOOK, _LONGEST_LOOK = 0.5, 5.0


class Deadline:
    """When a wait is over."""

    def __init__(self, session: Session[Any, Any], timeout: float | None) -> None:
        """Begin now; without ``timeout`` it is never over."""
        self._clock = session.clock
        self._end = None if timeout is None else session.clock() + timeout
        self._timeout = timeout

    @property
    def remaining(self) -> float:
        """Seconds."""
        return float("inf") if self._end is None else max(self._end - self._clock(), 0.0)

    def check(self, handle: JobHandle | SweepHandle) -> None:
        """See that there is time left.

        Raises:
            TimeoutError: there is none.
        """
        if not self.remaining:
            raise TimeoutError(f"{handle.id} is still {handle.status} after {self._timeout:g} s")


class Teller:
    """Tells who waits what has changed."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._told = ""

    def tell(self, handle: JobHandle | SweepHandle) -> None:
        """Tell it, if it is new."""
        text = _words(handle)
        if not self._progress or text == self._told:
            return
        self._told = text
        if callable(self._progress):
            self._progress(handle)
        else:
            print(text, file=sys.stderr, flush=True)  # noqa: T201 - asked for


def _words(handle: JobHandle | SweepHandle) -> str:
    if isinstance(handle, JobHandle):
        return f"{handle.id}: {handle.status}" + (f" ({handle.info.reason})" if handle.info.reason else "")
    counts = ", ".join(f"{count} {name.lower()}" for name, count in handle.counts.items() if count)
    return f"{handle.id}: {handle.status}, {handle.info.points.total} points" + (f": {counts}" if counts else "")


def refresh_job(job: JH) -> Flow[JH]:
    """Read the job again; return it.

    Raises:
        NotFound: it is not there any more, and left no record.
        SimOpsError: it could not be read.
    """
    job.info = yield from job.session.read(JobInfo, Request("GET", job.path))
    return job


def refresh_sweep(sweep: SH) -> Flow[SH]:
    """Read the sweep again; return it.

    Raises:
        NotFound: it is not there any more, and left no record.
        SimOpsError: it could not be read.
    """
    sweep.info = yield from sweep.session.read(SweepInfo, Request("GET", sweep.path))
    return sweep


def wait_for_job(job: JH, timeout: float | None = None, *, progress: Progress = False, check: bool = False) -> Flow[JH]:
    """Wait until the job has ended, through lost connections and restarts of the gateway; return it. ``progress=True`` tells each change.

    Raises:
        TimeoutError: it has not ended after ``timeout`` seconds; it goes on nevertheless.
        SimulationFailed: with ``check``, it did not succeed.
        SimOpsError: it is not there (any more), or nobody has answered for ten minutes.
    """
    deadline, teller = Deadline(job.session, timeout), Teller(progress)
    stream = Stream(job.session, f"{job.path}/events")
    has_ended = False
    while not has_ended:
        stream.silence = max(min(SILENCE_SECONDS, deadline.remaining), 0.01)
        try:
            events = yield from stream.listen()
        except SimOpsError as error:
            deadline.check(job)
            yield from _looked_at(job, stream)
            yield Sleep(0.0 if job.finished else min(stream.patience.pause_after(error), deadline.remaining))
            has_ended = job.finished
        else:
            has_ended = any(_take(job, event) for event in events)
        teller.tell(job)
        if not has_ended:
            deadline.check(job)
            if deadline.remaining < min(_HEARTBEAT_SECONDS, stream.silence - _TOO_LATE_SECONDS):
                yield from stream.leave()  # on this connection the next silence would end too late
    yield from stream.leave()
    return _checked(job, check=check)


def _looked_at(job: JobHandle, stream: Stream) -> Flow[None]:
    """Ask for the job itself: where events do not come through, this is how its end is seen."""
    try:
        yield from refresh_job(job)
    except SimOpsError as error:
        if not is_passing(error):
            raise
    else:
        stream.patience.heard()


def _take(job: JobHandle, event: Event) -> bool:
    """Take what an event says of a job; return whether it is the last one."""
    if event.name == "state":
        job.info = JobInfo.model_validate_json(event.data)
    elif event.name == "end":
        said: dict[str, Any] = json.loads(event.data)
        job.info = job.info.model_copy(update=said)
    return event.name == "end"


def wait_for_sweep(
    sweep: SH, timeout: float | None = None, *, progress: Progress = False, check: bool = False
) -> Flow[SH]:
    """Wait until the sweep has ended; return it. ``progress=True`` tells how many points are where.

    Raises:
        TimeoutError: it has not ended after ``timeout`` seconds; it goes on nevertheless.
        SimulationFailed: with ``check``, it did not succeed.
        SimOpsError: it is not there (any more), or nobody has answered for ten minutes.
    """
    deadline, teller = Deadline(sweep.session, timeout), Teller(progress)
    patience = Patience(sweep.session)
    pause = _FIRST_LOOK
    while True:
        try:
            yield from refresh_sweep(sweep)
            patience.heard()
        except SimOpsError as error:
            if not is_passing(error):
                raise
            patience.pause_after(error)
        else:
            teller.tell(sweep)
            if sweep.finished:
                return _checked(sweep, check=check)
        deadline.check(sweep)
        yield Sleep(min(pause, deadline.remaining))
        pause = min(pause * 1.5, _LONGEST_LOOK)


def _checked(handle: H, *, check: bool) -> H:
    if check and not handle.succeeded:
        raise SimulationFailed(handle.info)
    return handle
