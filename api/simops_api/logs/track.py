"""A run as it changes, for who follows it."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

from simops_api.errors import ProblemError
from simops_api.jobs.lookup import Found

_LOOK_SECONDS = 0.5
_FRESH_SECONDS = 0.2
"""A run that was looked at so lately is not looked at again, however fast its lines come."""


class Track:
    """Looks at a run again and again."""

    def __init__(self, found: Found, look: Callable[[], Awaitable[Found]]) -> None:
        self.found = found
        self.gone = False
        self._look = look
        self._looked = time.monotonic()

    async def refresh(self) -> None:
        """Look again."""
        self._looked = time.monotonic()
        try:
            found = await self._look()
        except ProblemError as problem:
            if problem.status == 404:
                self.gone = True
            return
        if found.uid != self.found.uid:
            self.gone = True  # another one has got its name
        elif found.document != self.found.document or found.pod != self.found.pod or found.phase != self.found.phase:
            self.found = found

    async def wait(self, also: Awaitable[Any] | None, seconds: float) -> None:
        """Wait for a change of the run or for something else, at most so long."""
        waited = asyncio.ensure_future(also) if also is not None else None
        before, left = self.found, seconds
        try:
            while left > 0 and self.found is before and not self.gone:
                step = min(left, _LOOK_SECONDS)
                if waited is None:
                    await asyncio.sleep(step)
                else:
                    done, _ = await asyncio.wait({waited}, timeout=step)
                    if done:
                        left = 0
                if time.monotonic() - self._looked >= _FRESH_SECONDS:
                    await self.refresh()
                left -= step
        finally:
            if waited is not None:
                waited.cancel()
