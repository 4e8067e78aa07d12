"""Moments and durations as kubectl shows them."""

from datetime import UTC, datetime

from simops_cli.core.inputs import InputError

_STEPS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def age(since: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago something was: ``3d4h``, ``5m2s``; empty for what has not been."""
    if since is None:
        return ""
    return span(((now or datetime.now(UTC)) - since).total_seconds())


def moment(text: str) -> datetime:
    """Return the moment that a text means; one without a zone is this machine's time.

    Raises:
        InputError: it is none.
    """
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError) as error:
        raise InputError("--since is a date or time, such as 2026-11-30 or 2026-11-30T12:00:00Z", text, 0) from error


def span(seconds: float | None) -> str:
    """Return a duration by its two largest units."""
    if seconds is None:
        return ""
    if 0 < seconds < 10:
        return f"{seconds:.2g}s"
    left = max(round(seconds), 0)
    parts: list[str] = []
    for unit, size in _STEPS:
        count, left = divmod(left, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count}{unit}")
    return "".join(parts[:2])


def size(count: float) -> str:
    """Return a number of bytes for people."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
