"""What can be asked of a sweep, beside waiting and cancelling."""

import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, cast

from simops_client.core.files import download
from simops_client.core.flow import Flow, Items, Work
from simops_client.core.handles import SweepHandle
from simops_client.core.jobs import unpack_and_remove
from simops_client.core.listing import PAGE_SIZE, items_of
from simops_client.core.pictures import Picture
from simops_client.core.requests import KEY_HEADER, Request, archive_path, query_of
from simops_client.core.session import parsed
from simops_client.core.tables import Form, Row, arrow_of, chosen, frame_of, needs_parquet, rows_of
from simops_client.models import Point, SweepInfo


def points(
    sweep: SweepHandle, *, status: str | Iterable[str] | None = None, page_size: int = PAGE_SIZE
) -> Items[Point]:
    """Give the points in the order of their indexes, with parameters, results and metrics.

    ``page_size``: how many are fetched at once, for who needs the first alone.

    Raises:
        SimOpsError: they could not be read.
    """
    wanted = [status] if isinstance(status, str) else status
    query = query_of(status=None if wanted is None else list(wanted))
    yield from items_of(sweep.session, Point, f"{sweep.path}/points", query, lambda point: point, page_size)


def rows(sweep: SweepHandle) -> Flow[list[Row]]:
    """Return the table as a list of rows, also while the sweep runs.

    Raises:
        SimOpsError: it could not be read.
    """
    content = yield from table_file(sweep, "json")
    return cast(list[Row], (yield Work(lambda: rows_of(content))))


def table(sweep: SweepHandle, *, as_: Form | None = None) -> Flow[Any]:
    """Return the table, a row for each point, also while the sweep runs: a pandas DataFrame where pandas is installed, else a list of rows.

    ``as_``: ``"pandas"``, ``"arrow"`` (a ``pyarrow.Table``) or ``"rows"``.

    Raises:
        ImportError: what ``as_`` needs is not installed.
        SimOpsError: it could not be read.
    """
    form = chosen(as_)
    is_parquet = needs_parquet(form)
    if form == "rows":
        return (yield from rows(sweep))
    content = yield from table_file(sweep, "parquet" if is_parquet else "json")
    return (yield Work(lambda: arrow_of(content) if form == "arrow" else frame_of(content, is_parquet=is_parquet)))


def table_file(sweep: SweepHandle, form: Literal["csv", "json", "parquet"] = "csv") -> Flow[bytes]:
    """Return the table as a file has it, also while the sweep runs.

    Raises:
        SimOpsError: it could not be read.
    """
    answer = yield from sweep.session.call(Request("GET", f"{sweep.path}/table", query_of(format=form)))
    return bytes(answer.content)


def plot(
    sweep: SweepHandle,
    metric: str,
    x: str,
    *,
    y: str | None = None,
    group: str | None = None,
    kind: Literal["line", "heatmap", "convergence"] | None = None,
    scale: Literal["linear", "log"] | None = None,
    format: Literal["png", "svg"] = "png",  # noqa: A002 - the gateway's name
) -> Flow[Picture]:
    """Return a picture of a metric over the parameter ``x``; with ``group`` a line for each of its values, with ``y`` a heat map.

    Raises:
        Conflict: there is nothing to draw (yet).
        SimOpsError: it could not be drawn.
    """
    query = query_of(metric=metric, x=x, y=y, group=group, kind=kind, scale=scale, format=format)
    answer = yield from sweep.session.call(Request("GET", f"{sweep.path}/plot", query))
    return Picture(answer.content)


def result(sweep: SweepHandle, folder: str | Path, *, unpack: bool = True) -> Flow[Path]:
    """Bring what all points have left into a folder: a folder for each, ``table.csv`` and ``manifest.json``; also while the sweep runs.

    Return the folder, or with ``unpack=False`` the zip in it; a ``folder`` that ends with .zip is the zip itself.

    Raises:
        Conflict: no point has left anything (yet).
        DamagedDownload: it would lead out of the folder.
        SimOpsError: it could not be had.
    """
    target = archive_path(folder, sweep.id, hidden=unpack)
    yield from download(sweep.session, f"{sweep.path}/result", target)
    if not unpack:
        return target
    yield Work(lambda: unpack_and_remove(target, Path(folder), {}))
    return Path(folder)


def rerun(sweep: SweepHandle, which: str = "failed") -> Flow[None]:
    """Run points again: ``"failed"``, ``"missing"``, or indexes such as ``"3,7-9"``. ``info`` is then as it is.

    Raises:
        Conflict: the sweep has not finished.
        SimOpsError: it could not be ordered.
    """
    # The order has an id, and is carried out once: so the gateway takes it as often as it arrives.
    order = str(uuid.uuid4())
    request = Request("POST", f"{sweep.path}/rerun", json={"points": which, "id": order}, headers={KEY_HEADER: order})
    sweep.info = parsed(SweepInfo, (yield from sweep.session.call(request)))
