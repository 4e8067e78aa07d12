"""What the sidecar tells the operator: the summary of the bundle with the numbers of metrics.json, or with how the points
of a pack have ended, in at most 4096 bytes.

kubelet reads the termination message from a file when the container ends, however it ends. So the file is written
before each step that could be the last one and says at every moment what is true at that moment; nothing has to be
guessed when the process is killed.
"""

import builtins
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from simops_io.untrusted import finite
from simops_operator.pod.archive import SkippedError, open_file
from simops_operator.pod.fitting import Metrics, encode, fitting

MAX_MESSAGE = 4096
MAX_METRICS_FILE = 1 << 20
_METRICS = "metrics.json"
_MAX_ERROR = 1000
_INT64 = range(-(1 << 63), 1 << 63)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How the points of a pack have ended, as index ranges."""

    succeeded: str = ""
    failed: str = ""
    missing: str = ""
    """Those that have no result and were not cancelled."""
    skipped: str = ""
    """Those that have no result because they were cancelled."""
    lines: tuple[bytes, ...] = ()
    """A JSON object for each point that has ended, in the order of their indexes."""
    note: str | None = None
    """What is wrong with results.jsonl."""

    def as_dict(self) -> dict[str, Any]:
        """Return the ranges, and the rest only where there is something to tell."""
        shown = {"succeeded": self.succeeded, "failed": self.failed, "missing": self.missing}
        notes = {"skippedPoints": self.skipped, "resultsError": _cut(self.note, 300)}
        return shown | {key: text for key, text in notes.items() if text}


@dataclass(frozen=True, kw_only=True)
class Summary:
    """The outcome of one upload; docs/architecture.md explains the fields."""

    bundle: str | None = None
    files: int = 0
    bytes: int = 0
    size: int = 0
    sha256: str | None = None
    metrics: Metrics = field(default_factory=dict)
    outcome: Outcome | None = None
    """Of a pack, in place of metrics."""
    partial: bool = False
    skipped: int = 0
    seconds: float = 0.0
    error: str | None = None
    metrics_error: str | None = None
    manifest_error: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of the contract; the notes are there only if there is something to note."""
        shown: dict[str, Any] = {
            "bundle": self.bundle,
            "files": self.files,
            "bytes": self.bytes,
            "size": self.size,
            "sha256": self.sha256,
            **({"metrics": self.metrics} if self.outcome is None else self.outcome.as_dict()),
            "partial": self.partial,
            "skipped": self.skipped,
            "seconds": round(self.seconds, 3),
            "error": _cut(self.error),
        }
        notes = {"metricsError": _cut(self.metrics_error, 300), "manifestError": _cut(self.manifest_error, 300)}
        return shown | {key: text for key, text in notes.items() if text}

    def message(self) -> "builtins.bytes":
        """Return the compact JSON for the termination message, with as much of it as fits."""
        if self.outcome is not None:
            return self._pack_message(self.outcome)
        whole = encode(self.as_dict())
        if len(whole) <= MAX_MESSAGE:
            return whole
        room = MAX_MESSAGE - len(encode(replace(self, metrics={}).as_dict() | {"metricsCut": True}))
        kept = fitting(self.metrics, room)
        return encode(replace(self, metrics=kept).as_dict() | {"metricsCut": True})

    def _pack_message(self, outcome: Outcome) -> "builtins.bytes":
        """All results, else the ranges alone, else not even those."""
        shown = encode(self.as_dict())
        size = len(shown) + len(b',"results":[]') + sum(len(line) + 1 for line in outcome.lines)
        if size <= MAX_MESSAGE:
            return b'%s,"results":[%s]}' % (shown[:-1], b",".join(outcome.lines))
        if len(shown) <= MAX_MESSAGE:
            return shown
        ranges = {"succeeded", "failed", "missing", "skippedPoints"}
        return encode({k: v for k, v in self.as_dict().items() if k not in ranges} | {"rangesCut": True})


def read_metrics(outputs: str) -> tuple[Metrics, str | None]:
    """The finite numbers of `metrics.json`, and what is wrong with the file, if anything."""
    try:
        folder = os.open(outputs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        return {}, None
    except OSError as error:
        return {}, _wrong(error)
    try:
        return read_metrics_in(folder)
    finally:
        os.close(folder)


def read_metrics_in(folder: int) -> tuple[Metrics, str | None]:
    """The same of an open folder."""
    try:
        os.stat(_METRICS, dir_fd=folder, follow_symlinks=False)
        with os.fdopen(open_file(_METRICS.encode(), folder), "rb") as stream:
            text = stream.read(MAX_METRICS_FILE + 1)
    except FileNotFoundError:
        return {}, None
    except (OSError, SkippedError) as error:
        return {}, _wrong(error)
    if len(text) > MAX_METRICS_FILE:
        return {}, _wrong(f"larger than {MAX_METRICS_FILE} bytes")
    return parse_metrics(text)


def parse_metrics(text: bytes) -> tuple[Metrics, str | None]:
    """Keep what is a finite number and has a name; say what was dropped."""
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as error:
        return {}, _wrong(f"no valid JSON: {error}")
    if not isinstance(content, dict):
        return {}, _wrong("no JSON object of names and numbers")
    metrics, dropped = parse_numbers(content)
    if not dropped:
        return metrics, None
    return metrics, _wrong(f"{len(dropped)} values are no finite numbers: {', '.join(dropped[:5])}")


def _wrong(what: object) -> str:
    """Return what is told of the file: nobody who passes it on needs to say which file it is about."""
    return f"{_METRICS}: {what}"


def parse_numbers(content: dict[str, Any]) -> tuple[Metrics, list[str]]:
    """Return what is a finite number and has a name, and the names of the rest."""
    metrics: Metrics = {}
    dropped = []
    for key, value in content.items():
        name = key.encode("utf-8", "replace").decode()
        number = _number(value)
        if number is None or not name:
            dropped.append(name)
        else:
            metrics[name] = number
    return metrics, dropped


def _number(value: object) -> int | float | None:
    # A whole number stays one, as long as others can read it.
    if isinstance(value, int) and not isinstance(value, bool) and value in _INT64:
        return value
    return finite(value)


def _cut(text: str | None, limit: int = _MAX_ERROR) -> str | None:
    """Cut the text so that it takes no more than so many bytes as JSON."""
    if text is None:
        return None
    if len(encode(text)) <= limit:
        return text
    while len(encode(text + "…")) > limit:
        text = text[: len(text) * 9 // 10]
    return text + "…"


class TerminationMessage:
    """The file that kubelet reads. It is a mount of its own: written in place, never replaced."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._written = 0

    def write(self, summary: Summary) -> str | None:
        """Write the summary with one system call; the text of the error if that fails.

        Blanks cover the rest of a longer earlier message: at no moment is there half of one and half of the other.
        """
        data = summary.message()
        try:
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o644)
            try:
                os.pwrite(file, data.ljust(self._written), 0)
                os.ftruncate(file, len(data))
            finally:
                os.close(file)
        except OSError as error:
            return f"cannot write {self._path}: {error.strerror}"
        self._written = len(data)
        return None
