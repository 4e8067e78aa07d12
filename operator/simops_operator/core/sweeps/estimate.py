"""How fast a sweep goes and when it will be over (pure)."""

from collections import deque
from datetime import datetime, timedelta

WINDOW = timedelta(seconds=60)
_LEAST = timedelta(seconds=2)


class Pace:
    """Counts of points that had ended, over the last minute or so. Forgetting them costs a minute of estimates."""

    def __init__(self) -> None:
        self._seen: deque[tuple[datetime, int]] = deque()

    def note(self, now: datetime, ended: int) -> None:
        """Remember how many points have ended by now; fewer than before (points run again) begins anew."""
        if self._seen and ended < self._seen[-1][1]:
            self._seen.clear()
        if not self._seen or now - self._seen[-1][0] >= timedelta(seconds=1) or ended != self._seen[-1][1]:
            self._seen.append((now, ended))
        while len(self._seen) > 2 and now - self._seen[1][0] > WINDOW:
            self._seen.popleft()

    def per_second(self, now: datetime) -> float | None:
        """Return points per second; None while too little is known."""
        if not self._seen:
            return None
        begin, first = self._seen[0]
        span = now - begin
        if span < _LEAST or self._seen[-1][1] == first:
            return None
        return (self._seen[-1][1] - first) / span.total_seconds()


def ends_at(now: datetime, left: int, per_second: float | None) -> datetime | None:
    """Return when the rest will be done at this rate; None when that cannot be said."""
    if not per_second or left <= 0:
        return None
    seconds = left / per_second
    return now + timedelta(seconds=seconds) if seconds < 10 * 365 * 86_400 else None
