"""What was found becomes what is shown: rows of a table, names, JSON or YAML."""

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeAlias

import simops_client
from simops_cli.core import times
from simops_cli.core.params import written
from simops_io.texts import one_line

if TYPE_CHECKING:
    from simops_client.models import JobInfo, Point, SweepInfo

Found: TypeAlias = "JobInfo | SweepInfo | Point"


class Form(StrEnum):
    """Forms of what is shown."""

    TABLE = "table"
    WIDE = "wide"
    NAME = "name"
    JSON = "json"
    YAML = "yaml"


Columns = dict[str, Callable[[Any], str]]


def _reason(one: Found) -> str:
    return one.reason or ""


def _seconds(begun: datetime | None, ended: datetime | None) -> str:
    return times.span((ended - begun).total_seconds()) if begun and ended else ""


def _params(one: Any) -> str:
    return " ".join(f"{name}={written(value)}" for name, value in one.params.items())


def _metrics(one: Any) -> str:
    return " ".join(f"{name}={value:.6g}" for name, value in (one.metrics or {}).items())


JOBS: Columns = {
    "ID": lambda one: one.id,
    "STATUS": lambda one: one.status,
    "REASON": _reason,
    "DURATION": lambda one: _seconds(one.started_at, one.completed_at) or times.span(one.seconds),
    "AGE": lambda one: times.age(one.created_at),
}
JOBS_WIDE: Columns = {**JOBS, "IMAGE": lambda one: one.image, "PARAMETERS": _params, "METRICS": _metrics}
SWEEPS: Columns = {
    "ID": lambda one: one.id,
    "STATUS": lambda one: one.status,
    "REASON": _reason,
    "ENDED": lambda one: f"{ended_of(one)}/{one.points.total}",
    "FAILED": lambda one: str(one.points.by_status.get("Failed", 0)),
    "AGE": lambda one: times.age(one.created_at),
}
SWEEPS_WIDE: Columns = {**SWEEPS, "IMAGE": lambda one: one.image, "MESSAGE": lambda one: one.message or ""}
POINTS: Columns = {
    "INDEX": lambda one: str(one.index),
    "ID": lambda one: one.id,
    "STATUS": lambda one: one.status,
    "SECONDS": lambda one: times.span(one.seconds),
    "PARAMETERS": _params,
    "METRICS": _metrics,
}


def ended_of(sweep: "SweepInfo") -> int:
    """Return how many points of a sweep have ended."""
    return sum(sweep.points.by_status.get(name, 0) for name in ("Succeeded", "Failed", "Cancelled"))


def columns_of(one: Found, *, wide: bool) -> Columns:
    """Return the columns for what something is."""
    if isinstance(one, simops_client.SweepInfo):
        return SWEEPS_WIDE if wide else SWEEPS
    if isinstance(one, simops_client.Point):
        return POINTS
    return JOBS_WIDE if wide else JOBS


def cells(found: Sequence[Found], *, wide: bool = False) -> list[list[str]]:
    """Return a table as text, its head first; empty for nothing."""
    if not found:
        return []
    columns = columns_of(found[0], wide=wide)
    return [list(columns), *([show(one) for show in columns.values()] for one in found)]


def aligned(table: Sequence[Sequence[str]]) -> list[str]:
    """Return lines in which columns stand below each other, as kubectl prints them."""
    shown = [list(map(one_line, row)) for row in table]
    widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
    return ["   ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown]


def data(value: Any) -> Any:
    """Return something as JSON has it; fields that say nothing are left out."""
    from pydantic import BaseModel  # noqa: PLC0415 - slow to load, and there already where there is one

    if isinstance(value, BaseModel):
        return value.model_dump(mode="json", exclude_none=True)
    if isinstance(value, dict):
        return {name: data(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [data(one) for one in value]
    return value


def as_json(value: Any) -> str:
    """Return something as JSON."""
    return json.dumps(data(value), indent=2, ensure_ascii=False)


def as_yaml(value: Any) -> str:
    """Return something as YAML."""
    import yaml  # noqa: PLC0415 - not for the other forms

    return str(yaml.safe_dump(data(value), sort_keys=False, allow_unicode=True)).rstrip()


def details(one: Found) -> list[str]:
    """Return all that a person wants to know of one run or sweep, a line each."""
    fields: list[tuple[str, str]] = [
        ("id", one.id),
        ("status", f"{one.status}{f' ({one.reason})' if one.reason else ''}"),
    ]
    shown = data(one)
    plain = (
        "message",
        "image",
        "sweep",
        "index",
        "created_at",
        "started_at",
        "completed_at",
        "estimated_completion_at",
    )
    fields += [(name, str(shown[name])) for name in plain if shown.get(name) not in (None, "")]
    fields += [(name, str(shown[name])) for name in ("exit_code", "attempts", "seconds") if name in shown]
    if isinstance(one, simops_client.SweepInfo):
        counts = ", ".join(f"{count} {name.lower()}" for name, count in one.points.by_status.items() if count)
        fields.append(("points", f"{one.points.total}{f': {counts}' if counts else ''}"))
    for name, value in one.params.items():
        fields.append((f"  {name}", written(value)))
    for name, value in (getattr(one, "metrics", None) or {}).items():
        fields.append((f"  {name} =", f"{value:.9g}"))
    shown = [(one_line(name), one_line(text)) for name, text in fields]
    width = max(len(name) for name, _ in shown)
    return [f"{name.ljust(width)}  {text}" for name, text in shown]


def failure(point: "Point") -> str:
    """Return how a point has failed, and where its log is."""
    code = f"exited with code {point.exit_code}" if point.exit_code else ""
    reason = "" if code and point.reason == "ExitCode" else point.reason or ""
    why = ", ".join(filter(None, (reason, code))) or "failed"
    return f"{point.id}: {one_line(why)} (simops logs {point.id})"


def names(found: Iterable[Found]) -> list[str]:
    """Return the ids alone."""
    return [one.id for one in found]
