"""JSON that somebody else has written: a simulation, a Pod made by hand, whoever may write into the store. Whatever is wrong with it is a ValueError."""

import json
import math
import re
from typing import Any

MAX_DEPTH = 100
_MAYBE_HALF = re.compile(r"\\u[dD][89a-fA-F]|[\ud800-\udfff]")
_HEX = "[0-9a-fA-F]{2}"
_ESCAPE = re.compile(rf"\\u[dD][89abAB]{_HEX}\\u[dD][c-fC-F]{_HEX}|(?P<half>\\u[dD][89a-fA-F]{_HEX})|\\.", re.DOTALL)
_TOKEN = re.compile(r'"[^"\\]*(?:\\.[^"\\]*)*"|[\[\]{}]', re.DOTALL)


def loads(text: str | bytes) -> Any:
    """Return the value of a JSON text of the API server. What is nested so deeply that it cannot be read is null below ``MAX_DEPTH``.

    Whoever may write an object can have two thousand levels in its ``metadata.managedFields``, which nobody here looks at.

    Raises:
        ValueError: it is none.
    """
    try:
        return json.loads(text)
    except RecursionError:
        return json.loads(_shallow(text.decode() if isinstance(text, bytes) else text))


def _shallow(text: str) -> str:
    """Return JSON without what is nested more deeply than ``MAX_DEPTH``: null stands there."""
    out, depth, kept = list[str](), 0, 0
    for token in _TOKEN.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth == MAX_DEPTH + 1:
                out.append(text[kept : token.start()])
        elif token[0] in "]}":
            depth -= 1
            if depth == MAX_DEPTH:
                out.append("null")
                kept = token.end()
    if depth > MAX_DEPTH:
        raise ValueError("it has no end")
    return "".join([*out, text[kept:]])


def parse(text: str | bytes) -> Any:
    """Return the value of a JSON text, in UTF-8 where it is bytes. Half of a surrogate pair, which JSON can say and UTF-8 cannot, is a ``?`` in it.

    Raises:
        ValueError: it is none, has numbers that JSON has not (NaN, Infinity), or is nested so deeply that it cannot be read.
    """
    try:
        text = text if isinstance(text, str) else text.decode()
        return json.loads(_writable(text) if _MAYBE_HALF.search(text) else text, parse_constant=_refuse)
    except (RecursionError, OverflowError) as error:
        raise ValueError(f"cannot be read: {type(error).__name__}") from error


def _writable(text: str) -> str:
    """Return a JSON text with a ``?`` for each half of a pair. In the text and not in its value: that would be made three times."""
    whole = text.encode(errors="replace").decode()
    return _ESCAPE.sub(lambda found: "?" if found["half"] else found[0], whole)


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
