"""Log lines, the same from operator and gateway: one JSON object a line, or text for people.

Whatever is in a value, a line stays one line: nobody can write a second one by putting a newline into a name.
"""

import logging
import sys
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Literal, TextIO

from opentelemetry import trace
from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter

from simops_io.texts import escaped, one_line

LogFormat = Literal["json", "text"]
Fields = Mapping[str, Any]

about: ContextVar[Fields] = ContextVar("about", default={})  # noqa: B039 - never changed, only replaced
"""What the lines of this task are about, such as the namespace, name and uid of a job; fields of every JSON line."""

# Attributes that kopf puts onto records for its own use, and one that uvicorn does; k8s_ref becomes fields of its own.
_FOREIGN = frozenset({"k8s_ref", "k8s_skip", "settings", "color_message"})
_OBJECT = ("namespace", "name", "uid")


def configure(
    level: str,
    form: LogFormat,
    context: Callable[[], Fields] = about.get,
    stream: TextIO | None = None,
) -> logging.Handler:
    """Let all loggers of the process write such lines to standard error; return the handler.

    ``context`` gives further fields of a line, asked for when it is written.
    """
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(context) if form == "json" else TextLines())
    root = logging.getLogger()
    for old in root.handlers[:]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level)
    return handler


def tell(**fields: Any) -> None:
    """Add to what the lines of this task are about."""
    about.set({**about.get(), **fields})


class JsonLines(JsonFormatter):
    """A record as one JSON object: time, level, logger, message, what it is about, and what the call gave as ``extra``."""

    def __init__(self, context: Callable[[], Fields] = about.get) -> None:
        super().__init__([], reserved_attrs=[*RESERVED_ATTRS, *_FOREIGN])
        self._context = context

    def add_fields(self, log_data: dict[str, Any], record: logging.LogRecord, message_dict: dict[str, Any]) -> None:
        """Fill in a line."""
        log_data["time"] = rfc3339(record.created)
        log_data["level"] = record.levelname
        log_data["logger"] = record.name
        log_data["message"] = record.message
        log_data |= {name: value for name, value in self._context().items() if value not in ("", None)}
        log_data |= _object(record)
        span = trace.get_current_span().get_span_context()
        if span.is_valid:
            log_data["trace_id"] = f"{span.trace_id:032x}"
            log_data["span_id"] = f"{span.span_id:016x}"
        told = dict(message_dict)
        if exception := told.pop("exc_info", None):
            told["exception"] = exception
        super().add_fields(log_data, record, told)


def _object(record: logging.LogRecord) -> dict[str, str]:
    # kopf's loggers say which object they are about.
    reference = getattr(record, "k8s_ref", None)
    if not isinstance(reference, Mapping):
        return {}
    return {name: str(reference[name]) for name in _OBJECT if reference.get(name)}


class TextLines(logging.Formatter):
    """A record as text; the lines of a traceback are indented, so that none looks like a record."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - the library's name
        """Return the line, without anything that could end it or steer a terminal."""
        return one_line(super().formatMessage(record))

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 - the library's name
        """Return the time as the JSON lines have it."""
        del datefmt
        return rfc3339(record.created)

    def formatException(self, ei: Any) -> str:  # noqa: N802 - the library's name
        """Return a traceback."""
        text = escaped(super().formatException(ei))
        return "\n".join(f"    {line}" for line in text.split("\n"))


def rfc3339(seconds: float) -> str:
    """Return a time in seconds since 1970 as RFC 3339 in UTC, with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
