"""JSON that somebody else has written: a simulation, a Pod made by hand, whoever may write into the store. Whatever is wrong with it is a ValueError."""

import json
import math
from typing import Any


def parse(text: str | bytes) -> Any:
    """Return the value of a JSON text.

    Raises:
        ValueError: it is none, has numbers that JSON has not (NaN, Infinity), or is nested so deeply that it cannot be read.
    """
    try:
        return json.loads(text, parse_constant=_refuse)
    except (RecursionError, OverflowError) as error:
        raise ValueError(f"cannot be read: {type(error).__name__}") from error


def _refuse(name: str) -> float:
    raise ValueError(f"{name} is no number of JSON")


def finite(value: Any) -> float | None:
    """Return a number as a float; None for what is none, not finite, or too large for one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None
