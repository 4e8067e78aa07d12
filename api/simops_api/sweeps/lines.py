"""A chunk of the points or of the table of a sweep, of which a page needs some lines (pure).

A line is parsed each time that it is asked for, and the text is what is remembered: a page has fifty lines of the thousand of a chunk, or one of each
of fifty chunks, and as Python objects a chunk is ten times as large.
"""

import logging
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

from simops_io.untrusted import parse

log = logging.getLogger(__name__)

Parsed = Mapping[int, Mapping[str, Any]]


class Lines:
    """The lines of a chunk, of one point each. A line that is none is as if it were not there."""

    def __init__(self, text: bytes = b"", first: int = 0) -> None:
        """``first``: the index of the first point of the chunk."""
        self._lines = [line for line in text.split(b"\n") if line]
        self.size = len(text)
        self._first = first

    def at(self, indexes: Iterable[int]) -> Parsed:
        """Return what the lines of some points say, by their indexes; points without a line are left out."""
        found = {}
        for index in indexes:
            value = self._guessed(index)
            if value is None and (place := self._places.get(index)) is not None:
                value = _value(self._lines[place])
            if value is not None:
                found[index] = value
        return found

    def _guessed(self, index: int) -> Mapping[str, Any] | None:
        """Return the line of a point where it stands if each point before it in the chunk has one, None when it is not there."""
        place = index - self._first
        value = _value(self._lines[place]) if 0 <= place < len(self._lines) else None
        return value if value is not None and value["index"] == index else None

    @cached_property
    def _places(self) -> dict[int, int]:
        """Where the line of each point is; needed only when some points have none."""
        values = ((place, _value(line, tell=True)) for place, line in enumerate(self._lines))
        return {value["index"]: place for place, value in values if value is not None}


def _value(line: bytes, *, tell: bool = False) -> dict[str, Any] | None:
    try:
        value: dict[str, Any] = parse(line)
        value["index"] = int(value["index"])
    except (ValueError, KeyError, TypeError, OverflowError):
        if tell:
            log.warning("a line of a sweep in the store is none: %.200s", line)
        return None
    return value
