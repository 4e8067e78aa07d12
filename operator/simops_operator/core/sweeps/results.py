"""What a Pod of a sweep leaves: the message of its bundle container, the lines of its results, and the sweep's table made of them (pure)."""

import io
import json
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any

from simops_crds.indexes import Indexes
from simops_crds.names import Reason
from simops_io.texts import harmless
from simops_io.untrusted import finite, parse
from simops_operator.core.endings import START_FAILURES
from simops_operator.core.sweeps.books import NOTHING, Results, Round, Why
from simops_operator.core.views import PodView, Terminated
from simops_operator.pod.fitting import MAX_METRICS, fitting

Line = Mapping[str, Any]
_KILLED = 137
MAX_ROW = 32 << 10
"""Bytes of a point's line: 8 KiB of metrics are 24 with an escape for each letter that is not ASCII, and words of two hundred letters 2 more."""
MAX_FILES = 8
"""Files of results of a pack that are looked at when no Pod tells of them: one is left by each Pod that was taken from its node, and by the last one."""
_MAX_PREFIX = 58
"""Characters of a Pod's name before what is made up; what Kubernetes leaves out for a longer one is the end of the Job's name."""
_LINES = 3
SPARE_ROWS = 10_000
"""Lines of a file that are looked at beside three for each point, as a Pod looks at what its simulation has written."""
_MAX_WORDS = 300
_MAX_SECONDS = 1e10
_WORDS = ("reason", "metricsError")
_FIELDS = ("index", "exitCode", "seconds", "reason", "metricsCut", "metricsError")
_ORIGIN = ("kind", "name", "uid", "index")


@dataclass(frozen=True)
class Message:
    """What a bundle container says of its pack."""

    stored: bool
    """Whether all of it is in the store."""
    succeeded: Indexes = NOTHING
    failed: Indexes = NOTHING
    lines: tuple[Line, ...] | None = None
    """The results, if all of them fitted."""
    is_whole: bool = False
    """Whether it tells which points have ended."""
    missing: bool = False
    """Whether points of the pack have no result."""
    error: str = ""


def parse_message(text: str) -> Message | None:
    """Return what a termination message says; None when it is no message of a pack."""
    try:
        raw = parse(text)
    except ValueError:
        return None
    if not isinstance(raw, dict) or "bundle" not in raw:
        return None
    error = str(raw.get("error") or "")
    stored = raw["bundle"] is not None and not error
    try:
        succeeded, failed = (Indexes.parse(raw.get(name) or "") for name in ("succeeded", "failed"))
    except (ValueError, AttributeError):
        return Message(stored, missing=True, error=error)
    results = raw.get("results")
    lines = tuple(line for line in results if _is_line(line)) if isinstance(results, list) else None
    told = Indexes.of((line["index"], line["index"]) for line in lines) if lines is not None else NOTHING
    if lines is not None and (succeeded | failed) - told != NOTHING:
        lines = None  # not all of them
    is_whole = "succeeded" in raw and not raw.get("rangesCut")
    return Message(stored, succeeded, failed, lines, is_whole, bool(raw.get("missing")), error)


def _is_line(line: object) -> bool:
    if not isinstance(line, dict):
        return False
    return all(isinstance(line.get(key), int) and not isinstance(line[key], bool) for key in ("index", "exitCode"))


def parse_lines(text: str) -> tuple[Line, ...]:
    """Return the lines of a file of results. What is no result, such as half a line, is left out."""
    return tuple(each_line(text))


def each_line(text: str) -> Iterator[Line]:
    """Yield the lines of ``parse_lines``, so that one at a time is held as objects of Python."""
    for row in _split(text):
        if len(row) > MAX_ROW:  # while one is parsed, no other thread goes on
            continue
        try:
            line = parse(row)
        except ValueError:
            continue
        if _is_line(line):
            yield line


def _split(text: str) -> Iterator[str]:
    """Yield what is between line ends. Not by splitlines: JSON may have other line ends as they are, such as U+2028."""
    begin = 0
    while (end := text.find("\n", begin)) >= 0:
        yield text[begin:end]
        begin = end + 1
    yield text[begin:]


class Compact(str):
    """Metrics as JSON. As objects of Python a hundred times as many bytes could be held in memory as were read."""

    __slots__ = ()


def lines_left(data: bytes, points: Indexes) -> tuple[Line, ...]:
    """Return the lines of a file of results that are about some points, with their metrics as ``Compact``.

    Whoever holds the keys of the namespace may have written the file. So a line has known fields only, lines that are longer than a
    Pod's are left out, and so are those after the second one of a point (one may have failed before another one succeeded), and all beyond so many
    as a Pod leaves.
    """
    out, seen = list[Line](), Counter[int]()
    for row in islice(io.BytesIO(data), _LINES * len(points) + SPARE_ROWS):
        if len(row) > MAX_ROW:
            continue
        try:
            line = parse(row)
        except ValueError:
            continue
        if not _is_line(line) or line["index"] not in points or seen[line["index"]] > 1:
            continue
        seen[line["index"]] += 1
        out.append(known(line))
    return tuple(out)


def most_left(points: Indexes) -> int:
    """Return how many bytes a Pod's file of the results of so many points may have: a point that was tried again has several lines."""
    return _LINES * MAX_ROW * len(points)


def files_left(names: Iterable[str], this: Round, done: Indexes, job: str) -> tuple[list[tuple[int, str]], int]:
    """Return which files of results of a round are to be read: number of the pack, and Pod; and how many are passed over.

    Whoever holds the keys of the namespace may have made millions. So they are named as the Pods of the round's Job are, and there are few of a pack.

    Args:
        names: ``<pack>/<pod>.jsonl``, as they are below the round's folder.
        this: the round.
        done: its points that have a result: packs that have no others need no file.
        job: the name of its Kubernetes Job.
    """
    found, passed_over = dict[str, list[str]](), 0
    for name in names:
        pack, _, file = name.partition("/")
        pod = file.removesuffix(".jsonl")
        if pod != file and "/" not in pod and pod.startswith(_pod_prefix(job, pack)):
            found.setdefault(pack, []).append(pod)
        else:
            passed_over += 1
    wanted = list[tuple[int, str]]()
    for pack, pods in found.items():
        if not (_is_number(pack) and int(pack) < this.packs):
            passed_over += len(pods)
        elif (this.points_of(int(pack)) - done).ranges:
            wanted += [(int(pack), pod) for pod in pods[:MAX_FILES]]
            passed_over += len(pods[MAX_FILES:])
    return wanted, passed_over


def _is_number(text: str) -> bool:
    """Whether a text is a number as it is written here."""
    return text.isdecimal() and str(int(text)) == text


def _pod_prefix(job: str, pack: str) -> str:
    """Return what the names of the Pods of a pack begin with."""
    end = f"-{pack}-"
    return f"{job[: _MAX_PREFIX - len(end)]}{end}"


def known(line: Mapping[str, Any]) -> Line:
    """Return a line with the fields alone that a Pod may tell, its metrics as ``Compact``: as objects, what else it has could fill the memory."""
    kept = {name: line[name] for name in _FIELDS if isinstance(line.get(name), int | float | str)}
    kept |= {name: kept[name][:_MAX_WORDS] for name in _WORDS if isinstance(kept.get(name), str)}
    metrics = line.get("metrics")
    if isinstance(metrics, dict):
        numbers = {name: value for name, value in metrics.items() if finite(value) is not None}
        shown, text = numbers, _compact(numbers)
        if (
            len(text.encode(errors="replace")) > MAX_METRICS
        ):  # else all fit: to measure one by one takes ten times as long
            shown = fitting(numbers, MAX_METRICS)
            text = _compact(shown)
        kept["metrics"] = text
        if len(shown) < len(numbers):
            kept["metricsCut"] = True
    return kept


def _compact(metrics: Mapping[str, Any]) -> Compact:
    return Compact(json.dumps(metrics, ensure_ascii=False, separators=(",", ":")))


def reusable(table: str, points: Container[int]) -> dict[int, Line]:
    """Return the lines of a chunk of a table, by their points, that are about some points and tell of a success and where its files are.

    Another sweep's table is not believed to be what the operator wrote: of each line there are known fields only, and one line for each point.
    """
    out: dict[int, Line] = {}
    for line in each_line(table):
        bundle = line.get("bundle")
        if line["index"] not in points or line["exitCode"] != 0 or not bundle or not isinstance(bundle, str):
            continue
        origin = line["reused"] if isinstance(line.get("reused"), dict) else {}
        told = {name: origin[name] for name in _ORIGIN if isinstance(origin.get(name), int | str)}
        out[line["index"]] = {**known(line), "bundle": bundle, **({"reused": told} if told else {})}
    return out


def lines_of(message: Message, points: Indexes) -> tuple[Line, ...] | None:
    """Return results made of the ranges of a message, for points of which nothing better is left. None when it does not tell them.

    ``points``: those of its Pod. Ranges of others, however long, are not for it to tell.
    """
    if not message.is_whole:
        return None
    good = [{"index": i, "exitCode": 0, "reason": Reason.COMPLETED.value} for i in message.succeeded & points]
    return (*good, *({"index": i, "exitCode": 1, "reason": Reason.EXIT_CODE.value} for i in message.failed & points))


def corrected(lines: Iterable[Line], ended: Terminated | None) -> tuple[Line, ...]:
    """Return the lines with what only the Pod's status knows: whether it was memory that a killed point ran out of."""
    if ended is None or ended.exit_code != _KILLED or ended.reason in ("", "OOMKilled"):
        return tuple(lines)
    is_guess = {"exitCode": _KILLED, "reason": Reason.OOM_KILLED.value}.items()
    return tuple({**line, "reason": Reason.EXIT_CODE.value} if line.items() >= is_guess else line for line in lines)


@dataclass(frozen=True)
class Pack:
    """What was collected of one Pod."""

    pod: str
    number: int
    lines: tuple[Line, ...]
    bundle: str | None = None
    """Key of its zip."""
    is_lost: bool = False
    """Whether it ended by itself without a single result."""


@dataclass(frozen=True)
class Gathered:
    """The results of a round so far, and the lines of them that the tables in the store do not have yet."""

    results: Results = field(default_factory=Results)
    unwritten: Mapping[int, str] = field(default_factory=dict)
    """Index → line of the table."""
    unwritten_size: int = 0
    """Characters of these lines, at least."""
    lost_packs: int = 0
    """Pods that ended without a single result."""

    def take(self, this: Round, packs: Iterable[Pack]) -> "Gathered":
        """Return this and what some Pods left. Of two results of a point a success counts, else the first: each point has one line."""
        succeeded, failed = list[int](), list[int]()
        have_good, have_bad = set[int](), set[int]()
        seconds, measured, lost = 0.0, 0, 0
        unwritten, size = dict(self.unwritten), self.unwritten_size
        for pack in packs:
            lost += pack.is_lost
            for line in pack.lines:
                index, is_good = int(line["index"]), line["exitCode"] == 0
                if index in have_good or index in self.results.succeeded or index not in this.points:
                    continue
                if not is_good and (index in have_bad or index in self.results.failed):
                    continue
                (have_good if is_good else have_bad).add(index)
                (succeeded if is_good else failed).append(index)
                if is_good and (took := _seconds(line)) is not None:
                    seconds, measured = seconds + took, measured + 1
                unwritten[index] = table_line(line, this.number, pack)
                size += len(unwritten[index])
        new = Indexes.of((i, i) for i in succeeded)
        good = self.results.succeeded | new
        bad = (self.results.failed | Indexes.of((i, i) for i in failed)) - new
        results = Results(good, bad, self.results.seconds + seconds, self.results.measured + measured)
        return Gathered(results, unwritten, size, self.lost_packs + lost)

    def written(self) -> "Gathered":
        """Return this when the tables have everything."""
        return replace(self, unwritten={}, unwritten_size=0)


def _seconds(line: Line) -> float | None:
    """Return how long a point took; None when that is not told, or nothing that the sum of many could have in it."""
    took = finite(line.get("seconds"))
    return took if took is not None and 0 <= took <= _MAX_SECONDS else None


def table_line(line: Line, number: int, pack: Pack) -> str:
    """Return a point's line of the table: its result, and where it comes from."""
    told = {name: value for name, value in line.items() if name != "reused"}  # that is not for a Pod to say
    if _seconds(line) is None:
        told.pop("seconds", None)
    told |= {name: harmless(told[name]) for name in _WORDS if isinstance(told.get(name), str)}
    whole = {**told, "round": number, "pack": pack.number, "bundle": pack.bundle}
    whole.setdefault("reason", (Reason.COMPLETED if line["exitCode"] == 0 else Reason.EXIT_CODE).value)
    return written(whole)


def written(line: Line) -> str:
    """Return a line as JSON; its metrics may be ``Compact``."""
    whole = dict(line)
    metrics = whole.pop("metrics") if isinstance(whole.get("metrics"), Compact) else None
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
    return text if metrics is None else f'{text[:-1]},"metrics":{metrics}}}'


def merged(before: str | None, new: Mapping[int, str]) -> str:
    """Return a chunk of the table with new lines in it, in the order of the indexes; a new line replaces the older one of its point."""
    lines = {int(line["index"]): row for line, row in _rows(before or "")} | dict(new)
    return "".join(f"{lines[index]}\n" for index in sorted(lines))


def _rows(text: str) -> Iterable[tuple[Line, str]]:
    for row in _split(text):
        for line in each_line(row):
            yield line, row


def results_in(table: str, this: Round) -> Results:
    """Return what a chunk of the table knows of a round."""
    good, bad = list[int](), list[int]()
    seconds, measured = 0.0, 0
    for line in each_line(table):
        if line.get("round") == this.number and line["index"] in this.points:
            (good if line["exitCode"] == 0 else bad).append(line["index"])
            if line["exitCode"] == 0 and (took := _seconds(line)) is not None:
                seconds, measured = seconds + took, measured + 1
    return Results(Indexes.of((i, i) for i in good), Indexes.of((i, i) for i in bad), seconds, measured)


def united(parts: Iterable[Results]) -> Results:
    """Return the results of several chunks together."""
    listed = list(parts)
    return Results(
        Indexes.of(pair for part in listed for pair in part.succeeded.ranges),
        Indexes.of(pair for part in listed for pair in part.failed.ranges),
        sum(part.seconds for part in listed),
        sum(part.measured for part in listed),
    )


def loss_of(pod: PodView, message: Message | None) -> Why:
    """Return what became of a Pod that ended without a result."""
    ended = pod.simulation.terminated
    if ended is not None and ended.reason in START_FAILURES:
        return Why(Reason.CONTAINER_CANNOT_RUN, f"could not be started: {ended.message}")
    if pod.reason == "Evicted":
        return Why(Reason.EVICTED, f"its node evicted it: {pod.message}")
    if message is not None and not message.stored and pod.started:
        return Why(Reason.ARTIFACT_UPLOAD_FAILED, f"its outputs could not be stored: {message.error}")
    if ended is not None and ended.exit_code:
        last = [line.strip() for line in ended.message.splitlines() if line.strip()]
        return Why(Reason.EXIT_CODE, f"exited with code {ended.exit_code}" + (f": {last[-1]}" if last else ""))
    detail = pod.message or pod.reason
    return Why(Reason.POD_LOST, "vanished before it told how it ended" + (f": {detail}" if detail else ""))
