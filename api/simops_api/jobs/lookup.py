"""From an id to the run that it names, for whoever may read it: the one place where ids are resolved and reading is permitted."""

import json
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from simops_api.archive.reader import Archive
from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.cache import JobCache
from simops_api.errors import ProblemError, unavailable
from simops_api.jobs.ids import id_of, parse_id
from simops_api.settings import Settings
from simops_crds.kinds import SIMULATION_JOB
from simops_crds.names import FINAL_PHASES
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

    @property
    def finished(self) -> bool:
        """Whether its phase is final."""
        return self.phase in FINAL_PHASES

    @cached_property
    def fields(self) -> dict[str, Any]:
        """The document, parsed."""
        parsed: dict[str, Any] = json.loads(self.document)
        return parsed


class Lookup:
    """Finds runs."""

    def __init__(self, settings: Settings, access: Access, cache: JobCache, archive: Archive) -> None:
        self._settings = settings
        self._access = access
        self._cache = cache
        self._archive = archive

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

    async def find(self, caller: Caller, job_id: str) -> Found:
        """Return a run for who may read it.

        Raises:
            ProblemError: 403 not permitted; 404 there is none; 503 not known yet.
        """
        namespace, name = self.place(job_id)
        await self._access.require(caller, Verb.GET, SIMULATION_JOB, namespace, name)
        if not self._cache.synced:
            raise unavailable("the gateway has just started and does not know all jobs yet", 1)
        record = self._cache.index.get(id_of(namespace, name, self._settings.default_namespace))
        is_gone = record is None
        if record is None:
            record = await self._archive.find(namespace, name)
        if record is None:
            raise missing(job_id)
        return Found(record.id, namespace, name, record.uid, record.phase, record.pod, record.document, is_gone)


def missing(job_id: str) -> ProblemError:
    """Return the problem of an id that names nothing."""
    return ProblemError(404, f"there is no job {job_id[:200]!r}")
