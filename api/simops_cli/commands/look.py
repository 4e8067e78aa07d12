"""`simops list`, `get`, `watch`, `stats`."""

import time
from typing import Annotated, Any

import typer

from simops_cli import hints, terminal
from simops_cli.commands import common
from simops_cli.core import output, times
from simops_cli.core.inputs import InputError
from simops_cli.core.output import Form, Found
from simops_cli.ports import Backend, Filters
from simops_client.errors import SimOpsError, Unavailable
from simops_io.texts import one_line

_LOOK_SECONDS = 2.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_them)
    app.command()(get)
    app.command()(watch)
    app.command()(stats)


Status = Annotated[
    list[str] | None, typer.Option(help="Only these: Pending, Queued, Running, Succeeded, Failed, Cancelled.")
]
Labels = Annotated[list[str] | None, typer.Option("--label", "-l", help="Only with this label: name=value.")]
Sweeps = Annotated[bool, typer.Option("--sweeps", help="Sweeps instead of runs.")]


def list_them(
    context: typer.Context,
    sweeps: Sweeps = False,
    sweep: Annotated[str | None, typer.Option("--sweep", help="The points of this sweep.")] = None,
    status: Status = None,
    label: Labels = None,
    since: Annotated[
        str | None, typer.Option(help="Made at this time or later: 2026-11-28 or 2026-11-28T12:00:00Z.")
    ] = None,
    archived: Annotated[bool, typer.Option("--archived", help="Those whose objects are gone.")] = False,
    limit: Annotated[int, typer.Option(min=0, help="How many at most; 0 for all.")] = 50,
    form: common.FormOption = Form.TABLE,
) -> None:
    """List runs, newest first; or sweeps, or the points of one."""
    if since is not None:
        times.moment(since)
    filters = _filters(status, label, since=since, sweep=sweep, archived=archived, limit=limit or None)
    with common.backend(context) as there:
        found = _found(there, filters, sweeps=sweeps)
        terminal.show(found, form, empty=f"nothing found at {there.where}")
        if limit and len(found) == limit and not common.options(context).quiet and terminal.is_watched():
            _say_more(there, filters, limit, sweeps=sweeps)


def _say_more(there: Backend, filters: Filters, shown: int, *, sweeps: bool) -> None:
    try:
        total = there.count(filters, sweeps=sweeps)
    except SimOpsError:  # what was asked for is there without it
        total = None
    if total is None:
        terminal.say(f"the newest {shown}; --limit for more")
    elif total > shown:
        terminal.say(f"{shown} of {total}; --limit for more")


def _filters(status: list[str] | None, label: list[str] | None, **more: Any) -> Filters:
    for one in label or []:
        if "=" not in one:
            raise InputError("a label is name=value", one, 0)
    return Filters(status=tuple(status or ()), labels=tuple(label or ()), **more)


def _found(there: Backend, filters: Filters, *, sweeps: bool) -> list[Found]:
    return list(there.sweeps(filters)) if sweeps else list(there.jobs(filters))


def get(context: typer.Context, identity: common.Identity, form: common.FormOption = Form.TABLE) -> None:
    """Show one run or sweep: its state and why, parameters, metrics."""
    with common.backend(context) as there:
        found = there.get(identity)
        why = common.why_failed(there, found) if form is Form.TABLE else ""
    if form is Form.WIDE:
        terminal.show([found], form)
    else:
        terminal.one(found, form)
    if why:
        terminal.out(why)


def watch(
    context: typer.Context,
    ids: Annotated[list[str] | None, typer.Argument(metavar="[ID…]", help="These; without any, the newest.")] = None,
    sweeps: Sweeps = False,
    status: Status = None,
    label: Labels = None,
    limit: Annotated[int, typer.Option(min=1, help="How many rows.")] = 20,
) -> None:
    """Show runs or sweeps as they change, until all that were named have ended, or Ctrl-C."""
    filters = _filters(status, label, limit=limit)
    hints.resume_by("nothing was stopped")
    with common.backend(context) as there:
        if terminal.is_watched():
            _live(there, ids, filters, sweeps=sweeps)
        else:
            _changes(there, ids, filters, sweeps=sweeps)


def _look(there: Backend, ids: list[str] | None, filters: Filters, *, sweeps: bool) -> list[Found]:
    return [there.get(identity) for identity in ids] if ids else _found(there, filters, sweeps=sweeps)


def _is_over(found: list[Found], ids: list[str] | None) -> bool:
    from simops_client.models import FINAL  # noqa: PLC0415 - slow to load, and not for each command

    return bool(ids) and all(one.status in FINAL for one in found)


def _live(there: Backend, ids: list[str] | None, filters: Filters, *, sweeps: bool) -> None:
    from rich.live import Live  # noqa: PLC0415 - for a person alone
    from rich.text import Text  # noqa: PLC0415

    with Live(refresh_per_second=4) as live:
        while True:
            try:
                found = _look(there, ids, filters, sweeps=sweeps)
            except Unavailable as error:
                live.update(Text(one_line(f"{error.detail}; trying again …")))
            else:
                table = output.cells(found)
                live.update(terminal.table_of(table) if table else Text("nothing yet"))
                if _is_over(found, ids):
                    return
            time.sleep(_LOOK_SECONDS)


def _changes(there: Backend, ids: list[str] | None, filters: Filters, *, sweeps: bool) -> None:
    """Where nobody looks on: a line for each change."""
    told: dict[str, list[str]] = {}
    while True:
        try:
            found = _look(there, ids, filters, sweeps=sweeps)
        except Unavailable as error:
            terminal.say(f"{error.detail}; trying again")
        else:
            for one in reversed(found):
                row = [one.id, one.status, one.reason or "", *_counts(one)]
                if told.get(one.id) != row:
                    told[one.id] = row
                    terminal.out("\t".join(row))
            terminal.flush()
            if _is_over(found, ids):
                return
        time.sleep(_LOOK_SECONDS)


def _counts(one: Found) -> list[str]:
    points = getattr(one, "points", None)
    return [f"{output.ended_of(one)}/{points.total}"] if points is not None else []  # type: ignore[arg-type]


def stats(context: typer.Context, form: common.FormOption = Form.TABLE) -> None:
    """Count runs and points of sweeps, together by status; say how many runs finish, and how long they take."""
    with common.backend(context) as there:
        found = there.stats()
    if terminal.data(found, form):
        return
    rows = [["STATUS", "RUNS"], *([name, str(count)] for name, count in found.by_status.items())]
    rows += [["all", str(found.total)]]
    for line in output.aligned(rows):
        terminal.out(line)
    seconds = found.duration_seconds
    if seconds.p50 is not None:
        terminal.out(f"half take at most {times.span(seconds.p50)}, 95 of 100 at most {times.span(seconds.p95)}")
    if found.throughput.finished_last_hour:
        terminal.out(f"{found.throughput.finished_last_hour} finished in the last hour")
