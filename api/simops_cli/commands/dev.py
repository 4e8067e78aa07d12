"""`simops dev run`."""

import contextlib
import os
import shutil
import stat
import tempfile
import uuid
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from simops_cli import local, terminal
from simops_cli.commands import common
from simops_cli.core import contract, params, times
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import InputError
from simops_io.texts import one_line

if TYPE_CHECKING:
    from simops_client.models import Scalar

_ENGINE_FAILED = 125


class Network(StrEnum):
    """What a container reaches."""

    NONE = "None"
    INTERNET = "Internet"


app = typer.Typer(help="Try a simulation on this machine; no cluster is needed.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Commands for who writes simulations."""


@app.command()
def run(
    what: Annotated[str, typer.Argument(metavar="IMAGE_OR_COMMAND", help="An image, or a program of this machine.")],
    rest: Annotated[
        list[str] | None,
        typer.Argument(metavar="[-- WORDS…]", help="Arguments of the program; or the command to run in the image."),
    ] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, as often as needed.")] = None,
    out: Annotated[
        Path, typer.Option("--out", "-O", help="The folder of the outputs. It must be new, or empty.")
    ] = Path("simops-out"),
    timeout: Annotated[float | None, typer.Option("--timeout-seconds", help="SIGTERM after so many seconds.")] = None,
    image: Annotated[bool, typer.Option("--image", help="It is an image, whatever programs there are.")] = False,
    program: Annotated[bool, typer.Option("--command", help="It is a program of this machine.")] = False,
    engine: Annotated[
        str | None, typer.Option(help="docker, podman or nerdctl; by default the first that is there.")
    ] = None,
    network: Annotated[Network, typer.Option(case_sensitive=False, help="Of a container.")] = Network.NONE,
) -> None:
    """Run a simulation here as SimOps would run it, and say what SimOps would make of it.

    It gets the parameters, folders, environment and signals of the contract; afterwards files and metrics are judged by the code that does so in the
    cluster. A container runs without root, capabilities and network, with nothing writable but its outputs and /tmp; a program has your own rights.
    """
    values = params.parameters(param or [])
    is_program = program or not (image or (shutil.which(what) is None and not what.startswith((".", "/"))))
    if is_program and shutil.which(what) is None:
        raise InputError(f"{what} is no program: it is not there, or may not be executed")
    if not is_program and not image and Path(what).is_file():
        raise InputError(f"{what} is a file of this folder: did you mean ./{what}? (--image says that it is an image)")
    chosen = "" if is_program else _engine(engine, what)
    outputs, log = _made(out, for_others=not is_program)
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch) / "params.json"
        file.write_text(contract.params_file(values), encoding="utf-8")
        file.chmod(0o644)
        Path(scratch).chmod(0o755)
        if is_program:
            one = _program([what, *(rest or [])], values, outputs, file, Path(scratch), log)
        else:
            name = f"simops-{uuid.uuid4().hex[:8]}"
            given = contract.Container(chosen, what, name, str(outputs), str(file), network.value)
            words = given.command(rest or [], contract.arguments([], values))
            one = local.Run(words, os.environ, log=log, engine=[chosen], name=name)
        try:
            ended = one.go(timeout)
        except OSError as error:
            _unmade(outputs, log)
            raise InputError(f"{what} cannot be started: {error}") from error
    if ended.code == _ENGINE_FAILED and not is_program:
        _unmade(outputs, log)
        raise InputError(f"{chosen} could not start {what}; what it says is above")
    _tell(ended, local.left_in(outputs), outputs, log, is_program=is_program)
    if ended.interrupted:
        common.end_with(Exit.INTERRUPTED)
    common.end_with(Exit.OK if ended.code == 0 and not ended.timed_out else Exit.FAILED)


def _program(
    command: Sequence[str], values: "dict[str, Scalar]", outputs: Path, file: Path, scratch: Path, log: Path
) -> local.Run:
    home = scratch / "home"
    home.mkdir()
    own = contract.variables(str(outputs), str(file), f"local-{uuid.uuid4().hex[:8]}", str(home))
    return local.Run(contract.arguments(command, values), {**os.environ, **own}, log=log)


def _engine(wanted: str | None, image: str) -> str:
    for name in (wanted,) if wanted else contract.ENGINES:
        if shutil.which(name):
            return name
    missing = wanted or ", ".join(contract.ENGINES)
    raise InputError(
        f"{image} is no program of this machine, and to run it as an image an engine is needed ({missing} not found). "
        "Give the program that the image runs instead: simops dev run ./my-simulation -p name=value"
    )


def _made(out: Path, *, for_others: bool) -> tuple[Path, Path]:
    """Return the folder of the outputs, which is there then, and the file of the log, which is not."""
    outputs = out.resolve()
    log = outputs.with_name(f"{outputs.name}.log")
    if outputs.exists() and (not outputs.is_dir() or any(outputs.iterdir())):
        raise InputError(
            f"{out} has something in it: outputs of two runs must not be mixed. Remove it, or name another folder by --out"
        )
    if log.exists():
        raise InputError(f"{log} is there already, the log of another run: remove it, or name another folder by --out")
    outputs.mkdir(parents=True, exist_ok=True)
    if for_others:  # the user of a container is another one
        outputs.chmod(outputs.stat().st_mode | stat.S_IRWXU | stat.S_IRWXG | stat.S_IRWXO)
    return outputs, log


def _unmade(outputs: Path, log: Path) -> None:
    """Remove what was made for a run that did not start, so that the next try finds nothing in its way."""
    log.unlink(missing_ok=True)
    with contextlib.suppress(OSError):  # something is in it
        outputs.rmdir()


def _tell(ended: local.Ended, left: local.Left, outputs: Path, log: Path, *, is_program: bool) -> None:
    """Say what SimOps would say of it."""
    terminal.say(f"\n{_verdict(ended)}")
    terminal.say(f"files: {left.files}, {times.size(left.bytes)}, in {outputs}; log: {log}")
    for name, why in left.skipped:
        terminal.say(f"  left out of the result: {one_line(name)}: {why}")
    for name, value in left.metrics.items():
        terminal.say(f"  {one_line(name)} = {value}")
    if left.metrics_error:
        terminal.say(f"  {one_line(left.metrics_error)}")
    elif not left.metrics:
        terminal.say(
            "  no metrics: a metrics.json in $SIMOPS_OUTPUTS, names and numbers, fills a sweep's table and plots"
        )
    if not left.files:
        terminal.say("  nothing was written below $SIMOPS_OUTPUTS: nothing would be kept but the log")
    if ended.killed:
        terminal.say(
            f"  it went on for {local.STOP_SECONDS:.0f} s after SIGTERM: handle it, or what runs is killed in the middle of its work"
        )
    elif (ended.timed_out or ended.interrupted) and ended.code == 0:
        terminal.say("  it ended with 0 after SIGTERM: Kubernetes takes that for success; exit with 143")
    if is_program:
        terminal.say("  (a program of this machine: user, read-only files and network are not as in the cluster)")


def _verdict(ended: local.Ended) -> str:
    if ended.interrupted:
        return "Cancelled: interrupted"
    if ended.timed_out:
        return "Failed (DeadlineExceeded): it took longer than --timeout-seconds"
    if ended.code == 0:
        return "Succeeded"
    how = f"killed by signal {-ended.code}" if ended.code < 0 else f"exited with code {ended.code}"
    return f"Failed (ExitCode): {how}"
