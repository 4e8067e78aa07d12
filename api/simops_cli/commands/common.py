"""What several commands share."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Annotated

import typer

import simops_client
from simops_cli import hints, place, terminal
from simops_cli.core import exits, output
from simops_cli.core.exits import Exit
from simops_cli.core.output import Form
from simops_cli.ports import Backend, Info
from simops_cli.settings import Options
from simops_client.errors import SimOpsError

FormOption = Annotated[Form, typer.Option("--output", "-o", help="table, wide, name, json or yaml.")]
Identity = Annotated[str, typer.Argument(metavar="ID", help="Id of a run or sweep, as `simops list` shows it.")]
Timeout = Annotated[float | None, typer.Option(help="Give up waiting after so many seconds; what runs goes on.")]


def options(context: typer.Context) -> Options:
    """Return what was said for every command."""
    found = context.obj
    return found if isinstance(found, Options) else Options()


@contextmanager
def backend(context: typer.Context) -> Iterator[Backend]:
    """Open the place where runs are."""
    with closing(place.opened(options(context))) as opened:
        yield opened


def waited(there: Backend, identity: str, timeout: float | None, *, quiet: bool) -> Info:
    """Wait for the end of something, and show how far it is.

    Raises:
        TimeoutError: it has not ended.
        SimOpsError: it is gone, or nobody answers.
    """
    hints.resume_by(
        f"it goes on in the cluster. Wait again by: simops wait {identity}; stop it by: simops cancel {identity}"
    )
    told = ""
    with terminal.bar(identity, quiet=quiet) as bar:

        def tell(info: Info) -> None:
            nonlocal told
            words = f"{info.id}: {info.status}{f' ({info.reason})' if info.reason else ''}"
            if isinstance(info, simops_client.SweepInfo):
                bar.at(output.ended_of(info), info.points.total or None, words)
            else:
                bar.at(0, None, words)
            if not quiet and words != told and not terminal.is_watched():
                terminal.say(words)
            told = words

        return there.wait(identity, timeout=timeout, tell=tell)


def why_failed(there: Backend, info: Info) -> str:
    """Return a line about the first point of a sweep that has failed; empty where none has, or nobody can say why."""
    if not isinstance(info, simops_client.SweepInfo) or not info.points.by_status.get("Failed"):
        return ""
    try:
        point = there.failed_point(info)
    except SimOpsError:  # what was asked for is there without it
        return ""
    return output.failure(point) if point is not None else ""


def end_with(code: Exit) -> None:
    """End the command with this exit code, if it is another one than 0."""
    if code is not Exit.OK:
        raise typer.Exit(int(code))


def end_by(info: Info) -> None:
    """End the command as what was waited for has ended."""
    end_with(exits.of_phase(info.status))
