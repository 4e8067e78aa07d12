"""Following a point of a sweep: its runner keeps what it prints beside its outputs, so its lines come when it has ended."""

from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing

from simops_api.errors import ProblemError
from simops_api.events.track import Track
from simops_api.events.words import end_of
from simops_api.jobs.lookup import Found
from simops_api.logs.follow import beyond, encoded, news, said
from simops_api.logs.position import Position
from simops_api.logs.split import Splitter
from simops_api.sse import event

POD = "point"
"""What stands for a Pod in the places of such a log."""
_LOOK_SECONDS = 10.0
_UNWRITTEN_LOOKS = 6
"""The operator writes down what has ended every ten seconds; the log is in the store already, but where is not known before."""

Read = Callable[[Found], Awaitable[AsyncGenerator[bytes, None]]]


async def point_events(run: Track, place: Position | None, read: Read) -> AsyncGenerator[bytes, None]:
    """Yield the events of who follows a point, from a place on: its state until it has ended, then its lines.

    Args:
        run: the point.
        place: the last line that was told.
        read: begins its log; raises ProblemError where there is none.
    """
    told = None
    while not (run.found.finished or run.gone):
        if (now := news(run.found)) != told:
            told = now
            yield now
        await run.wait(None, _LOOK_SECONDS)
    for _ in range(_UNWRITTEN_LOOKS):
        if run.found.is_unwritten and not run.gone:
            await run.wait(None, _LOOK_SECONDS)
    yield said("attempt", {"attempt": 1, "pod": run.found.pod or ""})
    try:
        body = await read(run.found)
    except ProblemError as problem:
        yield event(problem.detail, name="gap")
    else:
        splitter = Splitter(stamped=False)
        async with aclosing(body):
            async for chunk in body:
                if pieces := splitter.feed(chunk):
                    yield encoded(POD, beyond(pieces, place))
        if pieces := splitter.end():
            yield encoded(POD, beyond(pieces, place))
    yield end_of(run.found, deleted=run.gone)
