"""Tokens that nobody has shown here lately: each is a question to the API server, so their number is limited, and not whether they are let in.

All callers behind a proxy have one address. Who sends bad tokens from it makes the others wait, by the rate, and does not shut them out: a place that
becomes free goes to any one of those who wait. Somebody who has been here before has a few questions of their own.
"""

import asyncio
import random
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from simops_api.ratelimit import RateLimit, too_often

_PATIENCE_SECONDS = 3.0
"""So long somebody waits for their turn; no longer than for the API server's answer."""
_WAITING = 200
"""Requests that wait at once."""
_REGULARS = 5_000
_OWN_RATE, _OWN_BURST = 0.5, 10
"""Questions a second about tokens that say that they are of one regular, beside those of their address."""


class Newcomers:
    """Lets tokens through to the API server, so many a second for each address."""

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """``rate`` tokens a second from one address, 0 for any number; ``burst`` of them at once."""
        self._addresses = RateLimit("sign-ins", rate, burst, clock=clock)
        self._own = RateLimit("sign-ins", _OWN_RATE, _OWN_BURST, clock=clock)
        self._regulars: OrderedDict[bytes, None] = OrderedDict()
        self._clock = clock
        self._sleep = sleep
        self._waiting = 0

    async def admit(self, address: str, subject: bytes, is_needed: Callable[[], bool]) -> None:
        """Return when a token may be asked about, or need not be any more, since somebody else has asked.

        Raises:
            ProblemError: 429, too many come from this address.
        """
        if subject in self._regulars and (own := self._own.take(subject.hex())) is not None and not own.wait:
            return
        end = self._clock() + _PATIENCE_SECONDS
        while is_needed() and (standing := self._addresses.take(address)) is not None and standing.wait > 0:
            if self._waiting >= _WAITING or self._clock() + standing.wait > end:
                raise too_often(standing)
            self._waiting += 1
            try:
                # Not by the length of the wait alone: then who came last would come last for ever.
                await self._sleep(standing.wait * random.uniform(0.5, 1.5))  # noqa: S311 - a lot, no secret
            finally:
                self._waiting -= 1

    def welcome(self, subject: bytes) -> None:
        """Know whom a token was of that the API server has taken."""
        if not subject:
            return
        self._regulars[subject] = None
        self._regulars.move_to_end(subject)
        while len(self._regulars) > _REGULARS:
            self._regulars.popitem(last=False)
