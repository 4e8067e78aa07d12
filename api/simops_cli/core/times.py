"""Moments and durations as kubectl shows them."""

from datetime import UTC, datetime

_STEPS = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def age(since: datetime | None, now: datetime | None = None) -> str:
    """Return how long ago something was: ``3d4h``, ``5m2s``; empty for what has not been."""
    if since is None:
        return ""
    return span(((now or datetime.now(UTC)) - since).total_seconds())


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
