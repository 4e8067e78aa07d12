"""`simops doctor`."""

from collections.abc import Iterator
from contextlib import closing

import typer

from simops_cli import place, terminal
from simops_cli.commands import common
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import NoClusterError
from simops_cli.core.output import Form
from simops_cli.ports import Check
from simops_cli.settings import Options

_MARKS = {True: "ok", False: "WRONG", None: "unknown"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(doctor)


def doctor(context: typer.Context, form: common.FormOption = Form.TABLE) -> None:
    """Look at cluster, CRDs, operator, gateway, store and your rights, and say what to do about what is wrong."""
    found = list(_checks(common.options(context)))
    plain = [{"what": c.what, "ok": c.ok, "found": c.found, "remedy": c.remedy} for c in found]
    if not terminal.data(plain, form):
        width = max(len(check.what) for check in found)
        for check in found:
            terminal.out(f"{_MARKS[check.ok]:<8}{check.what.ljust(width)}  {check.found}".rstrip())
            for line in check.details:
                terminal.out(f"{'':<8}{'':<{width}}  {line}")
            if check.remedy:
                terminal.out(f"{'':<8}{'':<{width}}  → {check.remedy}")
    if any(check.ok is False for check in found):
        raise typer.Exit(int(Exit.UNHEALTHY))


def _checks(options: Options) -> Iterator[Check]:
    """Give what is found at the gateway, where one is known, and in the cluster, where there is a kubeconfig."""
    try:
        first = place.opened(options)
    except NoClusterError as error:
        yield Check("cluster", ok=False, found=error.found, remedy=error.remedy)
        return
    with closing(first):
        yield from first.checks()
    from simops_cli.gateway import Gateway  # noqa: PLC0415 - slow to load, and not for each command

    if not isinstance(first, Gateway):
        return
    try:
        cluster = place.opened(
            Options(kubeconfig=options.kubeconfig, context=options.context, namespace=options.namespace, direct=True)
        )
    except NoClusterError as error:
        yield Check("cluster", ok=None, found=f"not looked at: {error.found}")
        return
    with closing(cluster):
        yield from cluster.checks()
