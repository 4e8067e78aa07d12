"""How many metrics go where there is little room, and how JSON is written there (pure)."""

import json
from typing import Any

Metrics = dict[str, int | float]

MAX_METRICS = 8 << 10
"""Bytes of the metrics of one point that its sweep's table has: operator and gateway hold 1,000 lines of it at once, and several times that. The point's
own metrics.json has all of them."""


def fitting(metrics: Metrics, room: int) -> Metrics:
    """Return the first metrics that take no more than so many bytes as JSON, without the braces."""
    kept: Metrics = {}
    for name, value in metrics.items():
        room -= len(encode({name: value})) - 1  # Without braces, with a comma.
        if room < 0:
            break
        kept[name] = value
    return kept


def encode(value: Any) -> bytes:
    """Return compact JSON in UTF-8."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode("utf-8", "replace")
