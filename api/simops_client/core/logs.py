"""The log of a job: as it is, or line by line while it is written."""

import logging

from simops_client.core.flow import Give, Items, Sleep
from simops_client.core.handles import JobHandle
from simops_client.core.requests import Request, query_of
from simops_client.core.streams import Stream, is_passing
from simops_client.errors import SimOpsError

log = logging.getLogger("simops_client")


def lines(
    job: JobHandle,
    *,
    follow: bool = False,
    tail: int | None = None,
    attempt: int | None = None,
    timestamps: bool = False,
) -> Items[str]:
    """Give the lines of the log, without their ends. ``follow``: as they are printed, until the job has ended; no line is lost and none comes twice,
    whatever happens to the connection.

    ``tail``: only so many from the end. ``attempt``: of this one, the first is 1; by default of the latest, and with ``follow`` of all. ``timestamps``:
    with the time before each line.

    Raises:
        ValueError: ``follow`` has neither ``tail`` nor ``timestamps``.
        SimOpsError: it could not be read.
    """
    if not follow:
        query = query_of(tail=tail, attempt=attempt, timestamps=True if timestamps else None)
        answer = yield from job.session.call(Request("GET", f"{job.path}/logs", query))
        # Not splitlines: a form feed, or what Unicode takes for a line's end, is a part of the line.
        text = answer.content.decode(errors="replace").removesuffix("\n")
        for line in text.split("\n") if text else ():
            yield Give(line)
        return
    if tail is not None or timestamps:
        raise ValueError("a log that is followed has neither tail nor timestamps")
    yield from _followed(job, attempt)


def _followed(job: JobHandle, attempt: int | None) -> Items[str]:
    stream = Stream(job.session, f"{job.path}/logs/stream", query_of(attempt=attempt))
    parts: list[str] = []
    while True:
        try:
            events = yield from stream.listen()
        except SimOpsError as error:
            if not is_passing(error):
                raise
            yield Sleep(stream.patience.pause_after(error))
            continue
        for event in events:
            if event.name == "part":
                parts.append(event.data)
            elif event.name == "line":
                parts.append(event.data)
                yield Give("".join(parts))
                parts = []
            elif event.name == "gap":
                log.warning("the log of %s: %s", job.id, event.data)
            elif event.name == "end":
                yield from stream.leave()
                return
