"""What is done to jobs that are there: reads go to the caches, writes to the API server."""

import asyncio
import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.caches import Caches
from simops_api.cluster import ApiError, KubeDict, UnreachableError
from simops_api.editor import Editor
from simops_api.errors import ProblemError, mistake, problem_of
from simops_api.holds import Hold, NoRoomError
from simops_api.index import Query
from simops_api.jobs.listing import PointAt, listing, sweeps_of
from simops_api.jobs.lookup import Lookup, missing
from simops_api.jobs.models import (
    Cancelled,
    CancelQuery,
    Durations,
    JobFilter,
    JobQuery,
    JobStats,
    NamespaceQuery,
    NotCancelled,
    Throughput,
)
from simops_api.moments import seconds_since_1970
from simops_api.records import record_of
from simops_api.scopes import scopes_of
from simops_api.settings import Settings
from simops_api.store import StoreError
from simops_api.sweeps.points import Row, point_document
from simops_api.sweeps.records import SweepRecord, sweep_record_of
from simops_api.sweeps.shelf import Shelf
from simops_crds.indexes import Indexes
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP
from simops_crds.names import FINAL_PHASES, Phase

log = logging.getLogger(__name__)

_HOUR = 3600.0
_STORE_SECONDS = 2.0
"""How long a list waits for what the store has of points; without it, it says less of them."""
_PARALLEL = 16
_MAX_RANGES_TEXT = 16_384
"""Characters that ``spec.cancelledPoints`` takes."""


@dataclass(frozen=True)
class Documents:
    """A page."""

    total: int
    documents: list[bytes]
    """Each entry as JSON."""


class Jobs:
    """The jobs of the namespaces that the gateway serves, points of sweeps among them."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        caches: Caches,
        lookup: Lookup,
        editor: Editor,
        shelf: Shelf,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._access = access
        self._caches = caches
        self._lookup = lookup
        self._editor = editor
        self._shelf = shelf
        self._now = now

    # Reading
    async def page(self, caller: Caller, query: JobQuery, hold: Hold) -> Documents:
        """Return a page of jobs.

        Raises:
            ProblemError: 403 not permitted; 422 the page is too large; 429, 503 there is no room for it.
        """
        if query.size > self._settings.max_page_size:
            raise mistake("size", f"must be at most {self._settings.max_page_size}", "query")
        jobs, sweeps = await self._scopes(caller, query.namespace)
        self._caches.require_sync()
        wanted = _query(query, jobs, newest_first=query.sort.startswith("-"))
        blocks = sweeps_of(self._caches.sweeps.index, wanted, sweeps)
        if query.sweep is not None:
            blocks = [sweep for sweep in blocks if sweep.id == self._lookup.canonical(query.sweep)]
        long = [sweep for sweep in blocks if sweep.is_long]
        settled = dict(zip([sweep.id for sweep in long], await asyncio.gather(*map(self._settled, long)), strict=True))
        blocks = [settled.get(sweep.id, sweep) for sweep in blocks]
        index = self._caches.jobs.index if query.sweep is None else None
        found = listing(index, blocks, wanted, (query.page - 1) * query.size, query.size)
        return Documents(found.total, await self._documents(found.entries, hold))

    async def _settled(self, sweep: SweepRecord) -> SweepRecord:
        """Return a sweep with the states of its points, also where they are too long for the object; a list does not wait for the store."""
        try:
            async with asyncio.timeout(_STORE_SECONDS):
                return await self._shelf.settled(sweep)
        except (StoreError, TimeoutError) as error:
            log.warning("states of the points of %s: %s", sweep.id, error)
            return sweep

    async def _documents(self, entries: Sequence[bytes | PointAt], hold: Hold) -> list[bytes]:
        """Return the entries of a page as JSON; the store is asked once for the points of each sweep."""
        wanted: dict[str, tuple[SweepRecord, list[int]]] = {}
        for entry in entries:
            if isinstance(entry, PointAt):
                wanted.setdefault(entry.sweep.id, (entry.sweep, []))[1].append(entry.index)
        made: dict[tuple[str, int], bytes] = {}
        for sweep_id, (sweep, indexes) in wanted.items():
            try:
                async with asyncio.timeout(_STORE_SECONDS):
                    found = await self._shelf.each(sweep, indexes, partial(_numbered, hold, sweep))
                made |= {(sweep_id, index): document for index, document in found}
            except NoRoomError:
                raise
            except (StoreError, ProblemError, TimeoutError) as error:
                # A list does not wait for the store: it says of the points what the object says.
                log.warning("points of %s: %s", sweep_id, error)
        return [
            entry
            if isinstance(entry, bytes)
            else made.get((entry.sweep.id, entry.index)) or _counted(hold, point_document(entry.sweep, entry.index))
            for entry in entries
        ]

    async def stats(self, caller: Caller, query: NamespaceQuery) -> JobStats:
        """Return jobs in numbers."""
        jobs, sweeps = await self._scopes(caller, query.namespace)
        self._caches.require_sync()
        since = self._now() - _HOUR
        names = [phase.value for phase in Phase]
        found = self._caches.jobs.index.stats(names, namespaces=jobs, finished_since=since)
        counts = Counter(found.phases)
        for sweep in sweeps_of(self._caches.sweeps.index, Query(), sweeps):
            counts.update(sweep.counts)
        return JobStats(
            total=counts.total(),
            by_status={Phase(name): counts[name] for name in names},
            throughput=Throughput(finished_last_hour=found.finished),
            duration_seconds=Durations(p50=found.durations.get(0.5), p95=found.durations.get(0.95)),
        )

    @property
    def age(self) -> int:
        """How old an answer may be, in whole seconds."""
        return int(self._caches.age)

    async def _scopes(self, caller: Caller, namespace: str | None) -> list[frozenset[str]]:
        kinds = (SIMULATION_JOB, SIMULATION_SWEEP)
        return await scopes_of(self._access, caller, kinds, namespace, self._settings.namespaces)

    # Writing
    async def cancel(self, caller: Caller, job_id: str) -> tuple[bytes, str]:
        """Tell a job to stop; return it as JSON, and what names its version. To tell it twice changes nothing.

        Raises:
            ProblemError: 403 not permitted; 404 there is none; 409 it has finished.
        """
        namespace, name = self._lookup.place(job_id)
        point = self._lookup.point(namespace, name)
        if point is not None:
            return await self._cancel_point(caller, *point)
        await self._access.require(caller, Verb.PATCH, SIMULATION_JOB, namespace, name)

        def decide(obj: KubeDict) -> dict[str, bool] | None:
            record = record_of(obj, job_id)
            if record.finished:
                raise ProblemError(409, f"job {job_id} has finished already: {record.phase}")
            return None if (obj.get("spec") or {}).get("cancelled") else {"cancelled": True}

        obj, version = await self._editor.change(SIMULATION_JOB, namespace, name, decide, missing(job_id))
        return record_of(obj, self._lookup.canonical(job_id)).document, version

    async def _cancel_point(self, caller: Caller, sweep: SweepRecord, index: int) -> tuple[bytes, str]:
        name = self._lookup.place(sweep.id)[1]
        await self._access.require(caller, Verb.PATCH, SIMULATION_SWEEP, sweep.namespace, name)
        absent = missing(f"{sweep.id}-{index}")

        def decide(obj: KubeDict) -> dict[str, str]:
            now = sweep_record_of(obj, sweep.id)
            if index >= now.total:
                raise absent
            if (phase := now.phase_at(index)) in FINAL_PHASES:
                raise ProblemError(409, f"job {sweep.id}-{index} has finished already: {phase}")
            text = str(Indexes.parse(obj["spec"].get("cancelledPoints") or "") | Indexes(((index, index),)))
            if len(text) > _MAX_RANGES_TEXT:
                raise ProblemError(
                    409, f"too many points of sweep {sweep.id} have been cancelled one by one: cancel the sweep"
                )
            return {"cancelledPoints": text}

        obj, version = await self._editor.change(SIMULATION_SWEEP, sweep.namespace, name, decide, absent)
        return point_document(sweep_record_of(obj, sweep.id), index), version

    async def cancel_many(self, caller: Caller, query: CancelQuery) -> Cancelled:
        """Tell all jobs to stop that the filters let through, as they are now; those made later are not meant.

        A sweep whose points are meant is cancelled as a whole; with ``status`` only jobs of their own are meant.
        """
        if not query.model_fields_set - {"namespace"}:
            raise mistake("label", "say which: give label, status or sweep", "query")
        scopes = await self._scopes(caller, query.namespace)
        self._caches.require_sync()
        wanted = _query(query, scopes[0], newest_first=False)
        sweeps = sweeps_of(self._caches.sweeps.index, wanted, scopes[1]) if not query.status else []
        records = []
        if query.sweep is not None:
            sweeps = [sweep for sweep in sweeps if sweep.id == self._lookup.canonical(query.sweep)]
            if not sweeps:
                raise ProblemError(404, f"there is no sweep {query.sweep[:200]!r}")
        else:
            found = self._caches.jobs.index.select(wanted)
            records = found.records(0, found.total)
        ids = [record.id for record in (*records, *sweeps) if not record.finished]
        finished = len(records) + len(sweeps) - len(ids)
        of_sweeps = {sweep.id for sweep in sweeps}
        gate = asyncio.Semaphore(_PARALLEL)

        async def one(object_id: str) -> ProblemError | None:
            async with gate:
                try:
                    await (self.cancel_sweep if object_id in of_sweeps else self.cancel)(caller, object_id)
                except (ProblemError, ApiError, UnreachableError) as error:
                    return problem_of(error)
            return None

        problems = await asyncio.gather(*map(one, ids))
        failed = [(i, p) for i, p in zip(ids, problems, strict=True) if p is not None and p.status not in (404, 409)]
        return Cancelled(
            cancelled=[i for i, p in zip(ids, problems, strict=True) if p is None],
            already_finished=finished + sum(p is not None and p.status in (404, 409) for p in problems),
            failed=[NotCancelled(id=i, status=p.status, detail=p.detail) for i, p in failed],
        )

    async def cancel_sweep(self, caller: Caller, sweep_id: str) -> tuple[bytes, str]:
        """Tell a sweep to stop; return it as JSON, and what names its version. To tell it twice changes nothing.

        Raises:
            ProblemError: 403 not permitted; 404 there is none; 409 it has finished.
        """
        namespace, name = self._lookup.place(sweep_id)
        await self._access.require(caller, Verb.PATCH, SIMULATION_SWEEP, namespace, name)

        def decide(obj: KubeDict) -> dict[str, bool] | None:
            record = sweep_record_of(obj, sweep_id)
            if record.finished:
                raise ProblemError(409, f"sweep {sweep_id} has finished already: {record.phase}")
            return None if (obj.get("spec") or {}).get("cancelled") else {"cancelled": True}

        absent = ProblemError(404, f"there is no sweep {sweep_id[:200]!r}")
        obj, version = await self._editor.change(SIMULATION_SWEEP, namespace, name, decide, absent)
        return sweep_record_of(obj, self._lookup.canonical(sweep_id)).document, version


def _counted(hold: Hold, document: bytes) -> bytes:
    hold.add(len(document))
    return document


def _numbered(hold: Hold, sweep: SweepRecord, row: Row) -> tuple[int, bytes]:
    return row.index, _counted(hold, point_document(sweep, row.index, row))


def _query(asked: JobFilter, namespaces: frozenset[str], *, newest_first: bool) -> Query:
    return Query(
        namespaces=namespaces,
        phases={phase.value for phase in asked.status} or None,
        labels=asked.pairs,
        since=seconds_since_1970(asked.since),
        newest_first=newest_first,
    )
