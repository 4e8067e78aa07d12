"""A run as it changes, for who follows it."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from simops_api.errors import ProblemError
from simops_api.jobs.lookup import Found

_LOOK_SECONDS = 2.0
"""How often it is looked at without being told of a change: points of sweeps are no objects that anybody watches."""


class Changes(Protocol):
    """Tells of changes of an object."""

    async def wait(self) -> None:
        """Return when something has become of it since the last return."""


class Track:
    """One run."""

    def __init__(self, found: Found, look: Callable[[], Awaitable[Found]], changes: Changes) -> None:
        """Take the run as it was found, how it is found again, and who tells that it must be."""
        self.found = found
        """The run as it is now; when it is gone, as it was last."""
        self.gone = False
        """Whether it is there no more and left no record."""
        self._look = look
        self._changes = changes

    async def refresh(self) -> None:
        """Look again."""
        try:
            found = await self._look()
        except ProblemError as problem:
            # Whatever else it may be passes; who was let in at the start may stay.
            self.gone = problem.status == 404
            return
        if found.uid != self.found.uid:
            self.gone = True  # another one has got its name
        elif (found.document, found.pod, found.phase) != (self.found.document, self.found.pod, self.found.phase):
            self.found = found

    async def wait(self, also: Awaitable[Any] | None, seconds: float) -> None:
        """Wait for a change of the run or for something else, at most so long."""
        before = self.found
        other = asyncio.ensure_future(also) if also is not None else None
        try:
            while seconds > 0 and self.found is before and not self.gone and not (other and other.done()):
                told = asyncio.ensure_future(self._changes.wait())
                try:
                    waited = {told, other} if other else {told}
                    patience = min(seconds, _LOOK_SECONDS)
                    await asyncio.wait(waited, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    is_told = told.done()
                    told.cancel()
                seconds -= patience
                if is_told or not (other and other.done()):
                    await self.refresh()
        finally:
            if other:
                other.cancel()
