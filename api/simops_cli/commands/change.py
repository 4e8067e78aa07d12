"""`simops cancel`, `simops rerun`."""

import sys
from typing import Annotated

import typer

from simops_cli import terminal
from simops_cli.commands import common
from simops_cli.core import exits
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import InputError
from simops_client.errors import SimOpsError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(cancel)
    app.command()(rerun)


def cancel(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of runs, sweeps and points.")],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
) -> None:
    """Stop runs, sweeps or points. What they have written by then is kept."""
    asks = not yes and sys.stdin.isatty() and terminal.is_watched()
    if asks and not typer.confirm(f"Cancel {', '.join(ids)}?"):
        terminal.say("nothing was cancelled")
        common.end_with(Exit.ERROR)
    code = Exit.OK
    with common.backend(context) as there:
        for identity in ids:
            try:
                there.cancel(identity)
                terminal.out(identity)
            except SimOpsError as error:
                terminal.say(f"error: {identity}: {exits.words(error)}")
                code = code or exits.of_error(error)
    common.end_with(code)


def rerun(
    context: typer.Context,
    identity: common.Identity,
    points: Annotated[str, typer.Option(help="failed, missing, or indexes such as 3,7-9.")] = "failed",
    wait: Annotated[bool, typer.Option("--wait", "-w", help="Wait for the end.")] = False,
) -> None:
    """Run points of a finished sweep again. A single run is submitted again instead: it is another run then."""
    if points not in ("failed", "missing") and not all(c.isdecimal() or c in ",-" for c in points):
        raise InputError("--points is failed, missing, or indexes such as 3,7-9", points, 0)
    with common.backend(context) as there:
        terminal.out(there.rerun(identity, points).id)
        if wait:
            common.end_by(common.waited(there, identity, None, quiet=common.options(context).quiet))
