"""Whether an answer that lasts may go on: its token and its rights can end before it does."""

import time
from collections.abc import Awaitable, Callable

from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError

CHECK_SECONDS = 30.0


def check_seconds(cache_seconds: float) -> float:
    """Return how often it is asked, in seconds: no more often than answers about tokens are remembered, and at most once a second."""
    return min(CHECK_SECONDS, max(1.0, cache_seconds))


class Permit:
    """Asked again and again, it looks now and then."""

    def __init__(
        self,
        again: Callable[[], Awaitable[Caller]],
        look: Callable[[Caller], Awaitable[object]],
        seconds: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin with what was permitted.

        Args:
            again: signs the same token in again.
            look: asks for what was asked for at the beginning.
            seconds: between two looks.
            clock: seconds that only grow.
        """
        self._again = again
        self._look = look
        self._clock = clock
        self._seconds = seconds
        self._checked = clock()

    async def holds(self) -> bool:
        """Whether nothing speaks against it. What cannot be found out, as without an API server, does not."""
        if self._clock() - self._checked < self._seconds:
            return True
        self._checked = self._clock()
        try:
            await self._look(await self._again())
        except ProblemError as problem:
            return problem.status not in (401, 403)
        return True
