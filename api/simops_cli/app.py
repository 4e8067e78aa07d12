"""The command line of `simops`."""

import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any

import typer

from simops_cli import hints, terminal
from simops_cli.commands import change, dev, doctor, login, logs, look, results, submit
from simops_cli.core import exits
from simops_cli.core.argv import hoisted
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import InputError
from simops_cli.settings import Options
from simops_client.errors import SimOpsError

app = typer.Typer(
    name="simops",
    help="Run simulations on Kubernetes: one run or a whole parameter space.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        terminal.out(version("simops"))
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    server: Annotated[str | None, typer.Option(help="A gateway's address; also SIMOPS_SERVER.")] = None,
    token_file: Annotated[str | None, typer.Option(help="A file that has the token; also SIMOPS_TOKEN_FILE.")] = None,
    namespace: Annotated[str | None, typer.Option("--namespace", "-n", help="Also SIMOPS_NAMESPACE.")] = None,
    ca: Annotated[str | None, typer.Option(help="A file of certificates to trust.")] = None,
    kubeconfig: Annotated[
        str | None, typer.Option(help="Without a gateway: which kubeconfig; also KUBECONFIG.")
    ] = None,
    kube_context: Annotated[str | None, typer.Option("--context", help="Without a gateway: which context.")] = None,
    direct: Annotated[
        bool, typer.Option("--direct", help="Straight to Kubernetes, even where a gateway is known.")
    ] = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Results alone: no progress, no hints.")] = False,
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    context.obj = Options(server, token_file, namespace, ca, kubeconfig, kube_context, direct=direct, quiet=quiet)


for module in (submit, look, logs, results, change, login, doctor):
    module.register(app)
app.add_typer(dev.app, name="dev")


_LINE_IS_WRONG: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What the parser raises; typer brings click's exceptions along and exports some of them alone."""


def _terminated(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def run(arguments: Sequence[str]) -> int:
    """Do what a command line says; return the exit code."""
    hints.clear()
    try:
        # typer returns the code of a command that has ended by typer.Exit, and 130 after Ctrl-C.
        code = int(app(args=hoisted(arguments), standalone_mode=False, prog_name=_name()) or 0)
    except (KeyboardInterrupt, typer.Abort):
        code = int(Exit.INTERRUPTED)
    except BrokenPipeError:  # `| head` has read enough
        sys.stdout = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115, PTH123 - so that the interpreter's last flush is quiet
        return Exit.OK
    except (SimOpsError, InputError, TimeoutError, OSError, ValueError, ImportError) as error:
        terminal.say(f"error: {exits.words(error)}{hints.after(error)}")
        return exits.of_error(error)
    except _LINE_IS_WRONG as error:
        error.show(sys.stderr)
        return Exit.USAGE
    if code == Exit.INTERRUPTED:
        terminal.say(f"\ninterrupted{hints.after()}")
    return code


def _name() -> str:
    called = Path(sys.argv[0]).name
    return "kubectl simops" if called.startswith("kubectl-simops") else "simops"


class _Saying(logging.Handler):
    """Tells what the client has to say while it waits."""

    def emit(self, record: logging.LogRecord) -> None:
        terminal.say(record.getMessage())


def main() -> None:
    """Be the command."""
    logging.getLogger("simops_client").addHandler(_Saying())
    signal.signal(signal.SIGTERM, _terminated)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, ValueError):
            stream.reconfigure(errors="replace")  # type: ignore[union-attr]
    raise SystemExit(run(sys.argv[1:]))
