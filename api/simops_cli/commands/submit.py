"""`simops submit`, `simops wait`."""

import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

import simops_client
from simops_cli import hints, terminal
from simops_cli.commands import common
from simops_cli.commands.logs import follow_log
from simops_cli.core import exits, params, times
from simops_cli.core.exits import Exit
from simops_cli.core.inputs import InputError
from simops_cli.core.output import Form
from simops_cli.ports import Backend, Info, Order
from simops_client.errors import NotFound
from simops_io.texts import one_line


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(submit)
    app.command()(wait)


def submit(
    context: typer.Context,
    image: Annotated[
        str | None, typer.Argument(help="The simulation image. After -- may follow the command to run in it.")
    ] = None,
    command: Annotated[
        list[str] | None, typer.Argument(help="Replaces the image's entrypoint; a sweep needs one.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file", "-f", help="A manifest (YAML, several are possible) or a request (JSON); - is standard input."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="What to call it. Default: a name is made for it.")] = None,
    param: Annotated[list[str] | None, typer.Option("--param", "-p", help="name=value, as often as needed.")] = None,
    sweep: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep", "-s", help="name=linspace(0,1,5), logspace, integers, uniform, loguniform, or name=1,2,5."
        ),
    ] = None,
    method: Annotated[str | None, typer.Option(help="grid (default), zip, random, latinHypercube, sobol.")] = None,
    samples: Annotated[int | None, typer.Option(min=1, help="How many points a sampled method draws.")] = None,
    seed: Annotated[int | None, typer.Option(help="Of a sampled method.")] = None,
    where: Annotated[str | None, typer.Option(help="Only points for which this holds: 'a * b < 1'.")] = None,
    parallelism: Annotated[int | None, typer.Option(min=1, help="Of a sweep: Pods that run at once, at most.")] = None,
    points_per_pod: Annotated[str | None, typer.Option(help="Of a sweep: a number, or auto.")] = None,
    batch: Annotated[
        bool, typer.Option("--batch", help="Of a sweep: the image computes many points in one process.")
    ] = False,
    cpu: Annotated[str | None, typer.Option(help="CPU request and limit, such as 2 or 500m.")] = None,
    memory: Annotated[str | None, typer.Option(help="Memory request and limit, such as 4Gi.")] = None,
    timeout: Annotated[
        int | None, typer.Option("--timeout-seconds", min=1, help="How long one attempt, or one point, may take.")
    ] = None,
    retries: Annotated[int | None, typer.Option(min=0, help="How often what failed is tried again.")] = None,
    label: Annotated[
        list[str] | None, typer.Option("--label", "-l", help="name=value, by which lists can be filtered.")
    ] = None,
    env: Annotated[
        list[str] | None, typer.Option("--env", "-e", help="NAME=value, an environment variable of the simulation.")
    ] = None,
    network: Annotated[str | None, typer.Option(help="None (default), Cluster or Internet.")] = None,
    key: Annotated[
        str | None, typer.Option(help="An Idempotency-Key: the same one makes one thing, however often it is sent.")
    ] = None,
    wait_for: Annotated[
        bool, typer.Option("--wait", "-w", help="Wait for the end; the exit code says how it ended.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Print the log while it runs, and wait.")] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check it, say what it would become, make nothing.")
    ] = False,
    form: common.FormOption = Form.TABLE,
) -> None:
    """Run a simulation: an image with parameters, a sweep over a parameter space, or what a file says.

    The id of what was made is printed on standard output, and nothing else is.
    """
    more: dict[str, Any] = {
        "parallelism": parallelism,
        "points_per_pod": _points(points_per_pod),
        "batch": True if batch else None,
        "timeout_seconds": timeout,
        "retries": retries,
        "network": network,
        "env": list(map(params.assignment_of_variable, env or [])) or None,
        "labels": dict(map(params.assignment_of_label, label or [])) or None,
        "resources": params.resources(cpu, memory),
    }
    given = {name: value for name, value in more.items() if value is not None}
    if file is not None:
        if image or param or sweep or given or name:
            raise InputError("-f brings all of it: give either a file, or an image with its options")
        from simops_cli.core import manifests  # noqa: PLC0415 - slow to load, and not for each command

        orders = [manifests.order_of(one, _source(file)) for one in manifests.documents(_read(file), _source(file))]
    else:
        orders = [
            Order(
                _body(image, command, param, sweep, given, method=method, samples=samples, seed=seed, where=where),
                name=name,
            )
        ]
    if not orders:
        raise InputError(f"{_source(file or '-')} has no object")
    if follow and (len(orders) > 1 or orders[0].is_sweep):
        raise InputError("--follow is for one run; --wait is for sweeps and several")
    # Made here, so that a request whose answer is lost can be sent again, by hand too.
    orders = [
        Order(o.body, f"{key}-{i}" if key and i else key or str(uuid.uuid4()), o.name) for i, o in enumerate(orders)
    ]
    with common.backend(context) as there:
        if dry_run:
            _plan(there, orders, form)
            return
        _run(there, orders, form, quiet=common.options(context).quiet, wait_for=wait_for, follow=follow)


def _run(there: Backend, orders: Sequence[Order], form: Form, *, quiet: bool, wait_for: bool, follow: bool) -> None:
    made: list[Info] = []
    for order in orders:
        if made:
            hints.resume_by(f"made so far: {' '.join(one.id for one in made)}")
        made.append(there.submit(order))
        if not (wait_for or follow) or form in (Form.TABLE, Form.WIDE, Form.NAME):
            _show_made(made[-1], form, quiet=quiet)
        sys.stdout.flush()
    if follow:
        try:
            follow_log(there, made[0].id)
        except NotFound as error:  # it has ended without a Pod, or that is gone: how it ended is known all the same
            terminal.say(exits.words(error))
    if wait_for or follow:
        ended = [common.waited(there, one.id, None, quiet=quiet) for one in made]
        for one in ended:
            if form in (Form.JSON, Form.YAML):
                terminal.one(one, form)
            elif not quiet:
                terminal.say(f"{one.id}: {one.status}{f' – {one_line(one.message)}' if one.message else ''}")
                _say_why(there, one)
        worst = next((one for one in ended if one.status != "Succeeded"), ended[0])
        common.end_by(worst)


def _say_why(there: Backend, info: Info) -> None:
    if why := common.why_failed(there, info):
        terminal.say(why)


def _show_made(info: Info, form: Form, *, quiet: bool) -> None:
    if form in (Form.JSON, Form.YAML):
        terminal.one(info, form)
        return
    terminal.out(info.id)
    if quiet or not terminal.is_watched():
        return
    look = f"simops watch {info.id}" if isinstance(info, simops_client.SweepInfo) else f"simops logs -f {info.id}"
    terminal.say(f"  {look}")


def _plan(there: Backend, orders: Sequence[Order], form: Form) -> None:
    for order in orders:
        plan = there.plan(order)
        if plan is None:
            count = " How many points it has is said with a gateway (--server)." if order.is_sweep else ""
            terminal.say(f"valid.{count}")
        elif not terminal.data(plan, form):
            about = "" if plan.points_exact else "at most "
            estimate = f", about {times.span(plan.estimated_seconds)}" if plan.estimated_seconds else ""
            terminal.out(
                f"{about}{plan.points} {'run' if plan.points == 1 else 'runs'} in {plan.pods} {'Pod' if plan.pods == 1 else 'Pods'}, "
                f"{plan.parallelism} at once{estimate}, at most {times.span(plan.limit_seconds)}"
            )


def _body(
    image: str | None,
    command: list[str] | None,
    param: list[str] | None,
    sweep: list[str] | None,
    given: dict[str, Any],
    **drawing: Any,
) -> dict[str, Any]:
    if image is None:
        raise InputError("what is to be run? Give an image, or a file by -f")
    body: dict[str, Any] = {"image": image, "params": params.parameters(param or []), **given}
    if command:
        body["command"] = command
    if sweep:
        from simops_cli.core import space  # noqa: PLC0415 - slow to load, and not for each command

        body["space"] = space.space(sweep, **drawing)
        both = body["params"].keys() & {axis["name"] for axis in body["space"]["axes"]}
        if both:
            raise InputError(f"{', '.join(sorted(both))} is given by -p and by --sweep: leave one out")
    elif any(value is not None for value in drawing.values()):
        raise InputError("--method, --samples, --seed and --where go with --sweep")
    return body


def _points(text: str | None) -> int | str | None:
    if text is None or text == "auto":
        return text
    if not text.isdecimal() or int(text) < 1:
        raise InputError(f"--points-per-pod {text}: a number from 1, or auto")
    return int(text)


def _source(file: str) -> str:
    return "standard input" if file == "-" else file


def _read(file: str) -> str:
    if file == "-":
        return sys.stdin.read()
    try:
        return Path(file).read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from error


def wait(
    context: typer.Context,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="Ids of runs and sweeps.")],
    timeout: common.Timeout = None,
    form: common.FormOption = Form.TABLE,
) -> None:
    """Wait for the end of runs and sweeps; the exit code says how they ended."""
    code = Exit.OK
    with common.backend(context) as there:
        ended = [common.waited(there, identity, timeout, quiet=common.options(context).quiet) for identity in ids]
        for one in ended:
            if form in (Form.TABLE, Form.WIDE):
                terminal.out(f"{one.id}: {one.status}{f' – {one_line(one.message)}' if one.message else ''}")
                if not common.options(context).quiet:
                    _say_why(there, one)
            else:
                terminal.one(one, form)
            code = code or exits.of_phase(one.status)
    common.end_with(code)
