"""What is printed: results on standard output, everything else on standard error; colours and moving things only where a person looks on."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from simops_cli.core import output
from simops_cli.core.output import Form, Found
from simops_io.texts import escaped, one_line


def out(text: str = "") -> None:
    """Print lines of the result; what may act on the terminal is written out."""
    exact(escaped(text))


def exact(text: str) -> None:
    """Print lines of the result as they are: for programs, or with colours of our own."""
    sys.stdout.write(f"{text}\n")


def say(text: str) -> None:
    """Tell a person something that is no result."""
    sys.stderr.write(f"{escaped(text)}\n")
    sys.stderr.flush()


def is_watched() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def is_coloured() -> bool:
    """Whether standard output is to have colours (https://no-color.org)."""
    return is_watched() and not os.environ.get("NO_COLOR")


def show(found: Sequence[Found], form: Form, *, empty: str = "") -> None:
    """Print runs, sweeps or points."""
    if data(list(found), form):
        return
    match form:
        case Form.NAME:
            for name in output.names(found):
                out(name)
        case _:
            table = output.cells(found, wide=form is Form.WIDE)
            if not table:
                say(empty or "nothing found")
            elif is_watched():
                rich_table(table)
            else:
                for line in output.aligned(table):
                    out(line)


def data(value: Any, form: Form) -> bool:
    """Print something as JSON or YAML, if that is the form; return whether it is."""
    if form not in (Form.JSON, Form.YAML):
        return False
    exact(output.as_json(value) if form is Form.JSON else output.as_yaml(value))
    return True


def rich_table(table: Sequence[Sequence[str]]) -> None:
    """Print a table for a person."""
    from rich.console import Console  # noqa: PLC0415 - for a person alone

    Console().print(table_of(table))


def table_of(table: Sequence[Sequence[str]]) -> Any:
    """Return a table as rich has it."""
    from rich import box  # noqa: PLC0415 - for a person alone
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for head in table[0]:
        made.add_column(head, overflow="fold")
    for row in table[1:]:
        made.add_row(*(Text(one_line(cell), style=_COLOURS.get(cell, "")) for cell in row))
    return made


_COLOURS = {"Succeeded": "green", "Failed": "red", "Cancelled": "yellow", "Running": "cyan", "Queued": "blue"}


def one(found: Found, form: Form) -> None:
    """Print one run or sweep."""
    if data(found, form):
        return
    for line in [found.id] if form is Form.NAME else output.details(found):
        out(line)


class Bar:
    """How far something is; nothing where nobody looks on."""

    def __init__(self, progress: Any, task: Any) -> None:
        """Take rich's progress, None for nobody."""
        self._progress, self._task = progress, task

    def at(self, done: float, total: float | None, words: str) -> None:
        """Say how far it is."""
        if self._progress is not None:
            self._progress.update(self._task, completed=done, total=total, description=one_line(words))


@contextmanager
def bar(words: str, *, quiet: bool, is_bytes: bool = False) -> Iterator[Bar]:
    """Show how far something is while it lasts, on standard error."""
    if quiet or not sys.stderr.isatty():
        yield Bar(None, None)
        return
    from rich.console import Console  # noqa: PLC0415 - for a person alone
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

    counts = DownloadColumn() if is_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), counts, TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        yield Bar(progress, progress.add_task(words, total=None))


def flush() -> None:
    """Let what was printed be seen now."""
    sys.stdout.flush()
