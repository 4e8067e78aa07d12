"""`simops logs`."""

from typing import Annotated

import typer

from simops_cli import hints, terminal
from simops_cli.commands import common
from simops_cli.core.inputs import InputError
from simops_cli.ports import Backend


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)


def logs(
    context: typer.Context,
    identity: common.Identity,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="As it is printed, until the run has ended.")] = False,
    tail: Annotated[int | None, typer.Option(help="Only so many lines from the end.")] = None,
    attempt: Annotated[int | None, typer.Option(help="Of this attempt; the first is 1.")] = None,
    timestamps: Annotated[bool, typer.Option("--timestamps", help="With the time before each line.")] = False,
) -> None:
    """Print the log of a run, or of a point of a sweep. With -f no line is lost and none comes twice, whatever happens to the connection."""
    if follow and (tail is not None or timestamps):
        raise InputError("-f has neither --tail nor --timestamps: it gives every line")
    with common.backend(context) as there:
        if follow:
            follow_log(there, identity, attempt=attempt)
            return
        for line in there.logs(identity, follow=False, tail=tail, attempt=attempt, timestamps=timestamps):
            terminal.exact(line)


def follow_log(there: Backend, identity: str, *, attempt: int | None = None) -> None:
    """Print a log while it is written."""
    hints.resume_by(
        f"the run goes on. Its whole log again by: simops logs -f {identity}; stop it by: simops cancel {identity}"
    )
    for line in there.logs(identity, follow=True, tail=None, attempt=attempt, timestamps=False):
        terminal.exact(line)
        terminal.flush()
