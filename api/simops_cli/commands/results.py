"""`simops result`, `files`, `table`, `plot`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simops_cli import hints, terminal
from simops_cli.commands import common
from simops_cli.core import output, times
from simops_cli.core.inputs import InputError
from simops_cli.core.output import Form
from simops_cli.ports import Backend, Picture


class TableForm(StrEnum):
    """Forms of a table."""

    CSV = "csv"
    JSON = "json"
    PARQUET = "parquet"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(result)
    app.command()(files)
    app.command()(table)
    app.command()(plot)


Out = Annotated[Path | None, typer.Option("--out", "-O", help="Where it goes.")]


def result(
    context: typer.Context,
    identity: common.Identity,
    out: Out = None,
    unpack: Annotated[
        bool,
        typer.Option(
            "--unpack/--zip", help="Unpack it, or leave the zip as it is: in --out, or as --out if that ends with .zip."
        ),
    ] = True,
    overwrite: Annotated[
        bool,
        typer.Option(
            "--overwrite",
            help="Into a folder that has other files already, or over a zip; those of the same names are replaced.",
        ),
    ] = False,
) -> None:
    """Bring what a run or sweep has left here, by default into a folder of its name. What was broken off goes on; checksums are checked."""
    from simops_cli.watching import arriving  # noqa: PLC0415 - slow to load, and not for each command

    folder = out or Path(identity)
    if folder.exists() and not folder.is_dir():
        if unpack or folder.suffix.lower() != ".zip":
            raise InputError(
                f"{folder} is a file: --out names a folder{'' if unpack else ', or a file that ends with .zip'}"
            )
        if not overwrite:
            raise InputError(f"{folder} is there already: name another file by --out, or replace it by --overwrite")
    if not unpack and folder.suffix.lower() == ".zip":
        _check_folder_of(folder)
    if unpack and not overwrite and _is_of_others(folder, identity):
        raise InputError(
            f"{folder} has files in it already: name another folder by --out, or replace them by --overwrite"
        )
    hints.resume_by(
        f"what has arrived is kept. Go on by: simops result {identity} --out {folder}{'' if unpack else ' --zip'}"
    )
    quiet = common.options(context).quiet
    with common.backend(context) as there, arriving(folder, identity, unpack=unpack, quiet=quiet):
        path = there.result(identity, folder, unpack=unpack)
    terminal.out(str(path))


def _check_folder_of(file: Path) -> None:
    """See that the folder of a file is there: one that is not is a slip of the pen more often than a wish."""
    if not file.parent.is_dir():
        raise InputError(f"there is no folder {file.parent} for {file.name}: make it, or name another place by --out")


def _is_of_others(folder: Path, identity: str) -> bool:
    """Whether a folder has something in it, and not what an earlier try for this result has brought."""
    from simops_client.core.requests import archive_path  # noqa: PLC0415 - slow to load, and not for each command

    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    return bool(names) and not any(name.startswith(archive_path(folder, identity, hidden=True).name) for name in names)


def files(context: typer.Context, identity: common.Identity, form: common.FormOption = Form.TABLE) -> None:
    """List the files that a run has left."""
    with common.backend(context) as there:
        found = there.files(identity)
    if terminal.data([{"path": path, "bytes": size} for path, size in found], form):
        return
    rows = [[path] if form is Form.NAME else [path, times.size(size)] for path, size in found]
    for line in output.aligned(rows) if rows else []:
        terminal.out(line)


def table(
    context: typer.Context,
    identity: common.Identity,
    out: Out = None,
    form: Annotated[
        TableForm | None, typer.Option("--format", help="csv, json or parquet; by default what --out ends with.")
    ] = None,
) -> None:
    """Print the table of a sweep, a row for each point, also while it runs; or write it into a file."""
    chosen = form or (_form_of(out) if out else TableForm.CSV)
    if chosen is TableForm.PARQUET and out is None and terminal.is_watched():
        raise InputError("Parquet is not for a terminal: name a file by --out")
    if out is not None:
        _check_folder_of(out)
    with common.backend(context) as there:
        content = there.table(identity, chosen.value)
    if chosen is TableForm.CSV and out is None and terminal.is_watched():
        terminal.out(content.decode(errors="replace").replace("\r\n", "\n").removesuffix("\n"))
        return
    _written(content, out)


def _form_of(out: Path) -> TableForm:
    found = next((form for form in TableForm if out.suffix == f".{form.value}"), None)
    if found is None:
        raise InputError(f"{out} ends with none of .csv, .json, .parquet: say which by --format")
    return found


def _written(content: bytes, out: Path | None) -> None:
    if out is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(content)
        sys.stdout.flush()
        return
    part = out.with_name(f".{out.name}.part")
    part.write_bytes(content)
    part.replace(out)
    terminal.out(str(out))


def plot(
    context: typer.Context,
    identity: common.Identity,
    metric: Annotated[str, typer.Option(help="Which metric.")],
    x: Annotated[str, typer.Option(help="Over which parameter.")],
    y: Annotated[str | None, typer.Option(help="And this one: a heat map.")] = None,
    group: Annotated[str | None, typer.Option(help="A line for each value of this parameter.")] = None,
    kind: Annotated[str | None, typer.Option(help="line, heatmap or convergence.")] = None,
    scale: Annotated[str | None, typer.Option(help="linear or log.")] = None,
    out: Out = None,
) -> None:
    """Draw a metric of a sweep: into a file (.png, .svg), or in the terminal."""
    if y is not None and group is not None:
        raise InputError("--y and --group do not go together: a heat map has no lines")
    if out is not None:
        if out.suffix not in (".png", ".svg"):
            raise InputError(f"{out} ends with neither .png nor .svg")
        _check_folder_of(out)
    with common.backend(context) as there:
        if out is None:
            _in_terminal(there, identity, metric, x, y, group, is_log=scale == "log")
            return
        picture = Picture(metric, x, y, group, kind, scale, out.suffix[1:])
        content = there.plot(identity, picture)
    _written(content, out)


def _in_terminal(
    there: Backend, identity: str, metric: str, x: str, y: str | None, group: str | None, *, is_log: bool
) -> None:
    from simops_cli import chart  # noqa: PLC0415 - the drawing library is slow to load

    rows = chart.rows_of(there.rows(identity), metric)
    terminal.exact(chart.drawn(rows, metric, x, y, group, is_log=is_log, colour=terminal.is_coloured()))
