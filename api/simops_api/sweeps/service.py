"""What is done to sweeps that are there: reads go to the caches, writes to the API server."""

import asyncio
import json
import secrets
from contextlib import aclosing

from simops_api.archive.reader import Archive
from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.caches import Caches
from simops_api.cluster import ApiError, Cluster, KubeDict, UnreachableError
from simops_api.editor import Editor
from simops_api.errors import ProblemError, mistake, unavailable
from simops_api.holds import Hold
from simops_api.index import Page, Query
from simops_api.jobs.lookup import Lookup
from simops_api.moments import seconds_since_1970
from simops_api.plots.draw import draw
from simops_api.plots.gather import MAX_POINTS, Gathered, PlotError
from simops_api.scopes import scope_of
from simops_api.settings import Settings
from simops_api.sweeps.models import PlotQuery, PointQuery, RerunRequest, SweepQuery
from simops_api.sweeps.points import Row, point_row
from simops_api.sweeps.records import SweepRecord, sweep_record_of
from simops_api.sweeps.shelf import Shelf
from simops_api.sweeps.table import Columns, columns_of
from simops_crds.indexes import Indexes
from simops_crds.kinds import SIMULATION_SWEEP
from simops_crds.names import Phase

_DRAWN_BYTES = 192
"""Of a point that is drawn: its values as objects, and what the picture makes of them."""


class Sweeps:
    """The sweeps of the namespaces that the gateway serves."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        cluster: Cluster,
        caches: Caches,
        lookup: Lookup,
        editor: Editor,
        shelf: Shelf,
        archive: Archive[SweepRecord],
    ) -> None:
        self._settings = settings
        self._access = access
        self._cluster = cluster
        self._caches = caches
        self._lookup = lookup
        self._editor = editor
        self._shelf = shelf
        self._archive = archive

    # Reading
    async def page(self, caller: Caller, query: SweepQuery) -> Page:
        """Return a page of sweeps."""
        self._check_size(query.size)
        scope = await scope_of(self._access, caller, SIMULATION_SWEEP, query.namespace, self._settings.namespaces)
        self._caches.require_sync()
        wanted = Query(
            namespaces=scope,
            phases={phase.value for phase in query.status} or None,
            labels=[(key, value) for key, _, value in (label.partition("=") for label in query.label)],
            since=seconds_since_1970(query.since),
            newest_first=query.sort.startswith("-"),
        )
        return self._caches.sweeps.index.page(wanted, (query.page - 1) * query.size, query.size)

    async def find(self, caller: Caller, sweep_id: str) -> SweepRecord:
        """Return a sweep for who may read it; when it is not known here as the API server has it now, else as the store does.

        Raises:
            ProblemError: 403 not permitted; 404 there is none; 503 not known yet, or not to be known now.
            StoreError: it may be in the store, which does not answer.
        """
        namespace, name = self._place(sweep_id)
        await self._access.require(caller, Verb.GET, SIMULATION_SWEEP, namespace, name)
        self._caches.require_sync()
        own_id = self._lookup.canonical(sweep_id)
        record = self._caches.sweeps.index.get(own_id)
        if isinstance(record, SweepRecord):
            return record
        is_answered = True
        try:
            return sweep_record_of(await self._cluster.get(SIMULATION_SWEEP, namespace, name), own_id)
        except ApiError as error:
            if error.status != 404:
                raise
        except UnreachableError:
            is_answered = False
        if (past := await self._archive.find(namespace, name)) is not None:
            return past
        if not is_answered:
            raise unavailable(
                f"sweep {sweep_id} is not known here, and the API server, which may know it, does not answer"
            )
        raise missing_sweep(sweep_id)

    async def points(self, record: SweepRecord, query: PointQuery, hold: Hold) -> tuple[int, list[bytes]]:
        """Return how many points the filters let through, and those of a page as JSON (``models.Point``).

        Raises:
            StoreError: the store does not answer.
            ProblemError: 422 the page is too large; 429, 503 there is no room for it; 502 the store has something else.
        """
        self._check_size(query.size)
        record = await self._shelf.settled(record)
        phases = {phase.value for phase in query.status} or None
        first = (query.page - 1) * query.size
        chosen = record.slice(phases, first, first + query.size)
        whole = record

        def document(row: Row) -> bytes:
            made = json.dumps(point_row(whole, row)).encode()
            hold.add(len(made))
            return made

        return record.count(phases), await self._shelf.each(record, chosen, document)

    async def table(self, record: SweepRecord, hold: Hold) -> tuple[SweepRecord, Columns]:
        """Return a sweep with the states of all its points, and the columns of its table.

        Raises:
            StoreError, ProblemError: as for ``points``.
        """
        record = await self._shelf.settled(record)
        async with aclosing(self._shelf.blocks(record, hold)) as blocks:
            return record, await columns_of(blocks)

    async def plot(self, record: SweepRecord, query: PlotQuery, hold: Hold) -> bytes:
        """Return a picture of the points that have ended well.

        Raises:
            ProblemError: 409 there is nothing to draw yet; 422 this cannot be drawn; as for ``points``.
            StoreError: the store does not answer.
        """
        with hold.another() as picture:
            await picture.turn(min(record.total, MAX_POINTS) * _DRAWN_BYTES)
            return await self._plot(record, query, hold)

    async def _plot(self, record: SweepRecord, query: PlotQuery, hold: Hold) -> bytes:
        record = await self._shelf.settled(record)
        wanted = {"x": query.x, "y": query.y, "group": query.group}
        gathered = Gathered(query.metric, {field: name for field, name in wanted.items() if name is not None})
        try:
            async with aclosing(self._shelf.blocks(record, hold)) as blocks:
                async for rows in blocks:
                    gathered.take(rows)
            if not gathered.points:
                raise ProblemError(409, f"no point of sweep {record.id} {gathered.nothing} ({_progress(record)})")
            return await asyncio.to_thread(draw, gathered, query)
        except PlotError as error:
            raise mistake(error.field, str(error), "query") from error

    # Writing
    async def rerun(self, caller: Caller, sweep_id: str, request: RerunRequest) -> tuple[bytes, str]:
        """Order that points are run again; return the sweep as JSON, and what names its version.

        Raises:
            ProblemError: 403 not permitted; 404 there is none; 409 there is nothing to run; 422 it has no such points.
        """
        namespace, name = self._place(sweep_id)
        await self._access.require(caller, Verb.PATCH, SIMULATION_SWEEP, namespace, name)
        order = {"points": request.points, "id": request.id or secrets.token_hex(8)}

        def decide(obj: KubeDict) -> dict[str, dict[str, str]] | None:
            old = (obj.get("spec") or {}).get("rerun") or {}
            if old.get("id") == order["id"]:
                if old != order:
                    raise mistake("id", f"is the id of another order, to run {old.get('points')}")
                return None
            _check_rerun(sweep_record_of(obj, sweep_id), request.points)
            return {"rerun": order}

        obj, version = await self._editor.change(SIMULATION_SWEEP, namespace, name, decide, missing_sweep(sweep_id))
        return sweep_record_of(obj, self._lookup.canonical(sweep_id)).document, version

    def _place(self, sweep_id: str) -> tuple[str, str]:
        try:
            return self._lookup.place(sweep_id)
        except ProblemError as error:
            raise missing_sweep(sweep_id) from error

    def _check_size(self, size: int) -> None:
        if size > self._settings.max_page_size:
            raise mistake("size", f"must be at most {self._settings.max_page_size}", "query")


def _check_rerun(record: SweepRecord, points: str) -> None:
    if record.phase == Phase.CANCELLED:
        raise ProblemError(409, f"sweep {record.id} is cancelled: nothing of it runs again")
    if points == "failed":
        if not record.count({Phase.FAILED.value}):
            raise ProblemError(409, f"no point of sweep {record.id} has failed ({_progress(record)})")
    elif points != "missing":
        beyond = Indexes.parse(points) - Indexes.up_to(record.total)
        if beyond.ranges:
            raise mistake("points", f"sweep {record.id} has {record.total} points, and none of {beyond}")


def _progress(record: SweepRecord) -> str:
    counts = ", ".join(f"{len(found)} {phase}" for phase, found in record.points.items()) or "no points yet"
    return f"{record.phase}: {counts}"


def missing_sweep(sweep_id: str) -> ProblemError:
    """Return the problem of an id that names no sweep."""
    return ProblemError(404, f"there is no sweep {sweep_id[:200]!r}")
