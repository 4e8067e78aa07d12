"""`simops login`, `simops logout`, `simops completion`."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from simops_cli import settings, terminal
from simops_cli.commands import common
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import InputError


class Shell(StrEnum):
    """Shells that can complete."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(login)
    app.command()(logout)
    app.command()(completion)


def login(
    context: typer.Context,
    token_stdin: Annotated[bool, typer.Option("--token-stdin", help="Read the token from standard input.")] = False,
) -> None:
    """Remember a gateway (--server) and a token (--token-file, --token-stdin, or asked for). It is tried first, and kept only if it works.

    A token file is read anew for each request, as such files are renewed; any other token is kept in a file that only you can read.
    """
    given = common.options(context)
    target = settings.target(given, settings.Saved())
    if target.server is None:
        raise InputError("which gateway? simops login --server URL")
    file = str(target.token.resolve()) if isinstance(target.token, Path) else ""
    token = target.token if isinstance(target.token, str) else ""
    if token_stdin:
        file, token = "", sys.stdin.readline().strip()
    elif not file and not token and sys.stdin.isatty():
        token = typer.prompt(
            "Token (empty for none)", default="", hide_input=True, show_default=False, err=True
        ).strip()
    from simops_cli.gateway import Gateway  # noqa: PLC0415 - slow to load, and not for each command

    gateway = Gateway(
        target.server, Path(file) if file else token or None, namespace=target.namespace, verify=target.ca or True
    )
    try:
        wrong = [check for check in gateway.checks() if check.ok is False]
    finally:
        gateway.close()
    for check in wrong:
        terminal.say(f"error: {check.what}: {check.found}\n  {check.remedy}")
    if wrong:
        raise typer.Exit(int(Exit.FORBIDDEN if wrong[0].what.startswith("you may") else Exit.UNREACHABLE))
    ca = str(Path(target.ca).resolve()) if target.ca else ""
    settings.save(settings.path(), settings.Saved(target.server, token, file, ca))
    terminal.say(f"remembered in {settings.path()}: {target.server}")


def logout() -> None:
    """Forget the gateway and the token."""
    existed = settings.forget(settings.path())
    terminal.say(f"forgotten: {settings.path()}" if existed else "nothing was remembered")


def completion(shell: Annotated[Shell, typer.Argument(help="bash, zsh or fish.")]) -> None:
    """Print what lets a shell complete: simops completion bash > ~/.local/share/bash-completion/completions/simops."""
    from typer._completion_shared import get_completion_script  # noqa: PLC0415 - here alone

    terminal.exact(get_completion_script(prog_name="simops", complete_var="_SIMOPS_COMPLETE", shell=shell.value))
