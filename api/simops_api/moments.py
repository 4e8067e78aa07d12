"""Times that people give (pure)."""

from datetime import UTC, datetime


def seconds_since_1970(moment: datetime | None) -> float | None:
    """Return a moment in seconds since 1970; without a time zone it is UTC. None stays None."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
