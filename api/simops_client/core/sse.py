"""Server-sent events from bytes (the HTML standard, "Server-sent events").

``httpx-sse`` reads them from a response, in two versions; here the same bytes must be seen by one reader for both shells, and comments must be
seen too: they are how a wait knows, while nothing happens, that its time is over.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

_LINE_END = re.compile(rb"\r\n|\n|\r")
_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Event:
    """One event."""

    name: str
    data: str
    id: str
    """The last id of the stream so far; empty when it has had none."""


class Reader:
    """Reads the events of one answer, in whatever pieces it comes. An event that was not ended is none."""

    def __init__(self) -> None:
        """Begin at the first byte."""
        self.retry_seconds: float | None = None
        """How long the server wants to be left alone before the next connection."""
        self._rest = b""
        self._has_begun = False
        self._name = ""
        self._data: list[str] = []
        self._id = ""

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """Yield the events that end with these bytes."""
        for line in self._lines(chunk):
            if line:
                self._field(line.decode(errors="replace"))
            elif self._data:
                event = Event(self._name or "message", "\n".join(self._data), self._id)
                self._name, self._data = "", []
                yield event
            else:
                self._name = ""

    def _lines(self, chunk: bytes) -> list[bytes]:
        text = self._rest + chunk
        if not self._has_begun and len(text) >= len(_BOM):
            self._has_begun = True
            text = text.removeprefix(_BOM)
        # What a carriage return ends is known only with the next byte.
        held = b"\r" if text.endswith(b"\r") else b""
        *lines, rest = _LINE_END.split(text.removesuffix(b"\r"))
        self._rest = rest + held
        return lines

    def _field(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "data":
            self._data.append(value)
        elif name == "event":
            self._name = value
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            self.retry_seconds = int(value[:9]) / 1000
