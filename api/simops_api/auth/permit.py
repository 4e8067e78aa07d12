"""Whether an answer that lasts may go on: its token and its rights can end before it does."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError

T = TypeVar("T")

CHECK_SECONDS = 30.0


def check_seconds(cache_seconds: float) -> float:
    """Return how often it is asked, in seconds: no more often than answers about tokens are remembered, and at most once a second."""
    return min(CHECK_SECONDS, max(1.0, cache_seconds))


class Permit(Generic[T]):
    """Asked again and again, it looks now and then."""

    def __init__(
        self,
        again: Callable[[], Awaitable[Caller]],
        look: Callable[[Caller], Awaitable[T]],
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
        self.seconds = seconds
        self._checked = clock()

    async def renewed(self) -> T | None:
        """Return what is permitted now; None when it is not time to look, or cannot be found out, as without an API server.

        Raises:
            ProblemError: 401, 403: it is not permitted any more.
        """
        if self._clock() - self._checked < self.seconds:
            return None
        self._checked = self._clock()
        try:
            return await self._look(await self._again())
        except ProblemError as problem:
            if problem.status in (401, 403):
                raise
            return None

    async def holds(self) -> bool:
        """Whether nothing speaks against it."""
        try:
            await self.renewed()
        except ProblemError:
            return False
        return True
