"""How the points of a pack have ended: results.jsonl, which the runner or a batch simulation writes, and what follows from it.

The file is the simulation's, which is not trusted and may have been killed in the middle of a line: a line that is not
what it should be is passed over and counted. Of several lines for one point the first one counts, so that what has been
told once stays. In memory are the results alone, as the bytes that will be stored.

The point that was under way has no line. When the simulation container ended although nobody had stopped it, that point
has brought it down: it has failed, and what comes after it is missing. Somebody had stopped it if kubelet gave notice, or
if the runner wrote `{"stopped":true}`, which it does on SIGTERM, before anything else. A runner that comes to the end of its
pack leaves no point without a line, so nothing has to say that it did.
"""

import json
import math
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, BinaryIO, TypeGuard

from simops_crds.indexes import Indexes
from simops_operator.pod.archive import SkippedError, open_file, open_folder
from simops_operator.pod.fitting import MAX_METRICS, Metrics, fitting
from simops_operator.pod.summary import Outcome, parse_numbers, read_metrics_in

RESULTS = "results.jsonl"
MAX_LINE = 1 << 20
MAX_FILE = 256 << 20
SPARE_LINES = 10_000
"""Lines that are read beside three for each point."""
MAX_ALL_METRICS = 16 << 20
"""Bytes of the metrics of all points: they are in memory until they are stored."""
KILLED = 137
FAILURES = frozenset({"ExitCode", "OOMKilled", "DeadlineExceeded"})
_EXIT_CODES = range(-(1 << 31), 1 << 31)


@dataclass
class Result:
    """How one point has ended."""

    exit_code: int
    seconds: float
    reason: str
    metrics: bytes | None = None
    """As JSON, with the comma and what else belongs to them; None: its metrics.json says them."""


class Room:
    """What is left for metrics."""

    def __init__(self) -> None:
        self._left = MAX_ALL_METRICS

    def take(self, metrics: Metrics) -> bytes:
        """Return as many metrics as there is room for, as the end of a line."""
        kept = fitting(metrics, min(MAX_METRICS, self._left))
        text = b',"metrics":' + _ascii(kept) + (b',"metricsCut":true' if len(kept) < len(metrics) else b"")
        self._left -= len(text)
        return text


@dataclass
class Lines:
    """What results.jsonl says."""

    results: dict[int, Result] = field(default_factory=dict)
    told_to_stop: bool = False
    """The runner was told to stop, so the point under way did not end by itself."""
    changed: float = math.inf
    """When the last line was written, in seconds since 1970: from then on the point under way ran."""
    problems: Counter[str] = field(default_factory=Counter)
    room: Room = field(default_factory=Room)

    def note(self) -> str | None:
        """Say what was passed over."""
        parts = (f"{count} {what}" if count > 1 else what for what, count in sorted(self.problems.items()))
        return f"{RESULTS}: {'; '.join(parts)}" if self.problems else None


def conclude(outputs: str, pack: Indexes, cancelled: set[int], killed_at: float | None) -> Outcome:
    """Return how the points of the pack have ended.

    `killed_at` is the time (seconds since 1970) at which the simulation container ended if nobody had stopped it and the
    runner runs the points one by one: the point that was under way then has failed. OSError: the outputs cannot be read.
    """
    root = os.open(outputs, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        lines = read_lines(root, pack)
        results = lines.results
        left = [index for index in pack if index not in results]
        if killed_at is not None and not lines.told_to_stop:
            index = next((index for index in left if index not in cancelled and _has_begun(root, index)), None)
            if index is not None:
                results[index] = Result(KILLED, max(0.0, killed_at - lines.changed), "OOMKilled")
                left.remove(index)
        return Outcome(
            succeeded=_ranges(index for index, result in results.items() if result.exit_code == 0),
            failed=_ranges(index for index, result in results.items() if result.exit_code != 0),
            missing=_ranges(index for index in left if index not in cancelled),
            skipped=_ranges(index for index in left if index in cancelled),
            lines=tuple(_shown(root, results, lines.room)),
            note=lines.note(),
        )
    finally:
        os.close(root)


def read_lines(root: int, pack: Indexes) -> Lines:
    """Return what results.jsonl in the folder says about points of the pack; no file says nothing."""
    lines = Lines()
    try:
        os.stat(RESULTS, dir_fd=root, follow_symlinks=False)
        file = open_file(RESULTS.encode(), root)
    except FileNotFoundError:
        return lines
    except (OSError, SkippedError) as reason:
        lines.problems[str(reason)] += 1
        return lines
    with os.fdopen(file, "rb") as stream:
        lines.changed = os.fstat(file).st_mtime
        for text in _texts(stream, 3 * len(pack) + SPARE_LINES, lines.problems):
            _take(text, pack, lines)
    return lines


def _texts(stream: BinaryIO, limit: int, problems: Counter[str]) -> Iterator[bytes]:
    """Yield the lines of a sane length, not more than there is time for."""
    for _line in range(limit):
        if stream.tell() >= MAX_FILE:
            break
        text = stream.readline(MAX_LINE)
        if not text:
            return
        if text.endswith(b"\n") or len(text) < MAX_LINE:
            yield text
            continue
        problems[f"lines longer than {MAX_LINE} bytes"] += 1
        while not text.endswith(b"\n") and len(text) == MAX_LINE and stream.tell() < MAX_FILE:
            text = stream.readline(MAX_LINE)
    problems["what follows after too many lines or bytes"] += 1


def _take(text: bytes, pack: Indexes, lines: Lines) -> None:
    if not text.strip():
        return
    try:
        line = json.loads(text)
    except (ValueError, RecursionError):
        line = None
    if not isinstance(line, dict):
        lines.problems["lines that are no JSON object"] += 1
        return
    if line.get("stopped") is True:
        lines.told_to_stop = True
        return
    index, result, metrics = line.get("index"), _result(line), line.get("metrics")
    if not _is_integer(index) or result is None:
        lines.problems["lines without index or exit code"] += 1
    elif index not in pack:
        lines.problems["lines about points of other packs"] += 1
    elif index in lines.results:
        lines.problems["lines about points that had ended"] += 1
    else:
        lines.results[index] = result
        if isinstance(metrics, dict):
            result.metrics = lines.room.take(parse_numbers(metrics)[0])


def _result(line: dict[str, Any]) -> Result | None:
    code, seconds, reason = line.get("exitCode"), line.get("seconds"), line.get("reason")
    if not (_is_integer(code) and code in _EXIT_CODES):
        return None
    took = parse_numbers({"seconds": seconds})[0].get("seconds", 0)
    if not (isinstance(reason, str) and reason in FAILURES):
        reason = "ExitCode"
    return Result(code, max(0.0, took), reason if code else "Completed")


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _has_begun(root: int, index: int) -> bool:
    """Whether the runner has come to a point: it makes folders beforehand, but log.txt only then."""
    with suppress(OSError, SkippedError):
        folder = open_folder(str(index).encode(), root)
        try:
            os.stat("log.txt", dir_fd=folder, follow_symlinks=False)
        finally:
            os.close(folder)
        return True
    return False


def _ranges(indexes: Iterator[int]) -> str:
    return str(Indexes.of((index, index) for index in indexes))


def _shown(root: int, results: dict[int, Result], room: Room) -> Iterator[bytes]:
    """Yield the lines that are stored, those of lower indexes first."""
    for index in sorted(results):
        result = results[index]
        line = {"index": index, "exitCode": result.exit_code, "seconds": round(result.seconds, 6)}
        text = _ascii(line | {"reason": result.reason})[:-1]
        yield text + (_metrics(root, index, room) if result.metrics is None else result.metrics) + b"}"


def _metrics(root: int, index: int, room: Room) -> bytes:
    try:
        folder = open_folder(str(index).encode(), root)
    except SkippedError:
        return room.take({})  # A batch simulation may have nothing to write for a point.
    try:
        metrics, error = read_metrics_in(folder)
    finally:
        os.close(folder)
    return room.take(metrics) + (b',"metricsError":' + _ascii(error[:200]) if error else b"")


def _ascii(value: Any) -> bytes:
    """Return compact JSON in which no character can be taken for the end of a line, as U+2028 may be."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode()
