"""From an id to the run that it names, for whoever may read it: the one place where ids are resolved and reading is permitted."""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from simops_api.archive.reader import Archive
from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.caches import Caches
from simops_api.cluster import ApiError, Cluster, UnreachableError
from simops_api.errors import ProblemError, unavailable
from simops_api.jobs.ids import id_of, parse_id, point_id
from simops_api.records import Record, record_of
from simops_api.settings import Settings
from simops_api.sweeps.points import Place, Row, place_of, point_document, split_point
from simops_api.sweeps.records import SweepRecord
from simops_api.sweeps.shelf import Shelf
from simops_crds.kinds import SIMULATION_JOB, SIMULATION_SWEEP
from simops_crds.names import FINAL_PHASES, Phase
from simops_io import logs


@dataclass(frozen=True)
class Found:
    """A run, wherever it was found."""

    id: str
    namespace: str
    name: str
    uid: str
    phase: str
    pod: str
    """Name of the Pod of the latest attempt; empty when there has been none."""
    document: bytes
    """As it is answered (``jobs.models.Job``)."""
    archived: bool = False
    """Whether the object is gone and this is its record in the store."""
    folder: str = ""
    """Of a point: where in its bundle its files are, with a slash at the end, if others are in it too."""
    place: Place | None = None
    """Of a point: where in the store its bundle is."""
    is_unwritten: bool = False
    """Of a point: whether it has ended, and what it has left is not written into the table of its sweep yet."""

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.phase in FINAL_PHASES

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The document, parsed."""
        parsed: dict[str, Any] = json.loads(self.document)
        return parsed


_LEAVES = frozenset({Phase.SUCCEEDED, Phase.FAILED})


class Lookup:
    """Finds runs."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        cluster: Cluster,
        caches: Caches,
        archive: Archive[Record],
        swept: Archive[SweepRecord],
        shelf: Shelf,
    ) -> None:
        self._settings = settings
        self._access = access
        self._cluster = cluster
        self._caches = caches
        self._archive = archive
        self._swept = swept
        self._shelf = shelf

    def place(self, job_id: str) -> tuple[str, str]:
        """Return namespace and name of an id.

        Raises:
            ProblemError: 404, it cannot be one.
        """
        found = parse_id(job_id, self._settings.default_namespace)
        if found is None or found[0] not in self._settings.namespaces:
            raise missing(job_id)
        logs.tell(job=job_id, namespace=found[0], name=found[1])
        return found

    def canonical(self, object_id: str) -> str:
        """Return an id as it is answered: without the namespace that needs none. What can be no id stays as it is."""
        found = parse_id(object_id, self._settings.default_namespace)
        return id_of(*found, self._settings.default_namespace) if found is not None else object_id

    def point(self, namespace: str, name: str) -> tuple[SweepRecord, int] | None:
        """Return the sweep and the index that a name means, None when it is no point of a sweep that is known. A job of that name goes first."""
        split = split_point(name)
        if split is None or self._caches.jobs.index.get(self._id(namespace, name)) is not None:
            return None
        sweep = self._caches.sweeps.index.get(self._id(namespace, split[0]))
        return (sweep, split[1]) if isinstance(sweep, SweepRecord) and split[1] < sweep.total else None

    async def find(self, caller: Caller, job_id: str) -> Found:
        """Return a run for who may read it: a job or a point of a sweep; when it is not known here as the API server has it now, else as the store does.

        Raises:
            ProblemError: 403 not permitted; 404 there is none; 503 not known yet, or not to be known now.
        """
        namespace, name = self.place(job_id)
        self._caches.require_sync()
        if (point := self.point(namespace, name)) is not None:
            sweep, index = point
            await self._access.require(caller, Verb.GET, SIMULATION_SWEEP, namespace, sweep.name)
            whole = await self._shelf.settled(sweep)
            return _found_point(whole, await self._shelf.row(whole, index))
        await self._access.require(caller, Verb.GET, SIMULATION_JOB, namespace, name)
        record = self._caches.jobs.index.get(self._id(namespace, name))
        if record is not None:
            return _found(record, namespace, name)
        is_answered = True
        try:
            # Another replica may have made it a moment ago.
            return _found(
                record_of(await self._cluster.get(SIMULATION_JOB, namespace, name), self._id(namespace, name)),
                namespace,
                name,
            )
        except ApiError as error:
            if error.status != 404:
                raise
        except UnreachableError:
            is_answered = False
        record = await self._archive.find(namespace, name)
        if record is not None:
            return _found(record, namespace, name, is_archived=True)
        if (past := await self._past_point(caller, namespace, name)) is not None:
            return past
        if not is_answered:
            raise unavailable(f"job {job_id} is not known here, and the API server, which may know it, does not answer")
        raise missing(job_id)

    async def _past_point(self, caller: Caller, namespace: str, name: str) -> Found | None:
        """Return a point of a sweep whose object is gone. Who may not read sweeps is told of none."""
        split = split_point(name)
        if split is None:
            return None
        try:
            await self._access.require(caller, Verb.GET, SIMULATION_SWEEP, namespace, split[0])
        except ProblemError as problem:
            if problem.status != 403:
                raise
            return None
        sweep = await self._swept.find(namespace, split[0])
        if sweep is None or split[1] >= sweep.total:
            return None
        return replace(_found_point(sweep, await self._shelf.row(sweep, split[1])), archived=True)

    def _id(self, namespace: str, name: str) -> str:
        return id_of(namespace, name, self._settings.default_namespace)


def _found(record: Record, namespace: str, name: str, *, is_archived: bool = False) -> Found:
    return Found(record.id, namespace, name, record.uid, record.phase, record.pod, record.document, is_archived)


def _found_point(sweep: SweepRecord, row: Row) -> Found:
    place = place_of(sweep, row)
    return Found(
        point_id(sweep.id, row.index),
        sweep.namespace,
        f"{sweep.name}-{row.index}",
        sweep.uid,
        row.status,
        "",
        point_document(sweep, row.index, row),
        folder=place.folder,
        place=place,
        # A cancelled one may have left nothing. When its sweep has finished the table is whole.
        is_unwritten=row.status in _LEAVES and row.result is None and sweep.phase not in FINAL_PHASES,
    )


def missing(job_id: str) -> ProblemError:
    """Return the problem of an id that names nothing."""
    return ProblemError(404, f"there is no job {job_id[:200]!r}")
