"""The W3C ``traceparent`` as text (pure)."""

import re
from typing import NamedTuple

# Version 00: the only one there is.
_FORM = re.compile(r"00-(?P<trace>(?!0{32})[0-9a-f]{32})-(?P<span>(?!0{16})[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})")


class TraceParent(NamedTuple):
    """A place in a trace."""

    trace_id: int
    span_id: int
    flags: int

    def __str__(self) -> str:
        return f"00-{self.trace_id:032x}-{self.span_id:016x}-{self.flags:02x}"


def parse(text: object) -> TraceParent | None:
    """Return the place that a text names, None for what is no traceparent."""
    found = _FORM.fullmatch(text) if isinstance(text, str) else None
    return TraceParent(int(found["trace"], 16), int(found["span"], 16), int(found["flags"], 16)) if found else None
