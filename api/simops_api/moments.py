"""Times that people give (pure)."""

from datetime import UTC, datetime


def seconds_since_1970(moment: datetime | None) -> float | None:
    """Return a moment in seconds since 1970; without a time zone it is UTC. None stays None."""
    if moment is None:
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def format_moment(seconds: float) -> str:
    """Return seconds since 1970 as Kubernetes writes times: RFC 3339 in UTC, whole seconds."""
    return datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
