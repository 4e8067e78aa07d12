"""The time that decides: the API server's, and not this machine's.

Times in objects are written by the API server and the nodes; compared with a clock that was set wrong they would end runs before their time, or remove
results before theirs. Every answer of the API server says what time it is there (Date, RFC 9110). In between, and as long as it agrees to the second, this
machine's steady clock counts, which no correction of its time of day moves.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

TOLERANCE = timedelta(seconds=2)
"""The header has whole seconds, and an answer may have been under way for a moment."""


class Clock:
    """Tells the API server's time."""

    def __init__(
        self, steady: Callable[[], float] = time.monotonic, today: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        """``steady``: seconds that never go back; ``today``: the time of day until the API server has told it."""
        self._steady = steady
        self._set(today())

    def _set(self, moment: datetime) -> None:
        self._moment, self._at = moment, self._steady()

    def now(self) -> datetime:
        """Return the time, with its zone (UTC)."""
        return self._moment + timedelta(seconds=self._steady() - self._at)

    def see(self, date: str | None) -> None:
        """Take the Date of an answer that has just arrived; one that cannot be read is ignored."""
        try:
            told = parsedate_to_datetime(date or "")
        except ValueError:
            return
        # Any second fraction is as likely as another: half a second is the least wrong.
        told = told.astimezone(UTC) + timedelta(seconds=0.5)
        if abs(told - self.now()) > TOLERANCE:
            self._set(told)


CLOCK = Clock()
"""This process's."""
