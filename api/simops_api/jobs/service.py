"""What is done to jobs: writes go to the API server, reads to the cache."""

import logging
import time
from collections.abc import Callable
from datetime import UTC
from typing import Any

from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.cache import JobCache
from simops_api.cluster import ApiError, Cluster
from simops_api.errors import ProblemError, mistake, unavailable
from simops_api.index import Page, Query
from simops_api.jobs.lookup import Lookup, missing
from simops_api.jobs.models import (
    Durations,
    JobQuery,
    JobStats,
    NamespaceQuery,
    Throughput,
)
from simops_api.records import Record, record_of
from simops_api.settings import Settings
from simops_crds.kinds import SIMULATION_JOB
from simops_crds.names import Phase

log = logging.getLogger(__name__)

_CONFLICTS = 5
_HOUR = 3600.0


class Jobs:
    """The jobs of the namespaces that the gateway serves."""

    def __init__(
        self,
        settings: Settings,
        access: Access,
        cluster: Cluster,
        cache: JobCache,
        lookup: Lookup,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._access = access
        self._lookup = lookup
        self._cluster = cluster
        self._cache = cache
        self._now = now

    # Writing
    async def cancel(self, caller: Caller, job_id: str) -> Record:
        """Tell a job to stop. To tell it twice changes nothing."""
        namespace, name = self._lookup.place(job_id)
        await self._access.require(caller, Verb.PATCH, SIMULATION_JOB, namespace, name)
        for _ in range(_CONFLICTS):
            obj = await self._current(namespace, name, job_id)
            record = record_of(obj, job_id)
            if record.finished:
                raise ProblemError(409, f"job {job_id} has finished already: {record.phase}")
            if (obj.get("spec") or {}).get("cancelled"):
                return record
            try:
                obj = await self._cluster.cancel(SIMULATION_JOB, namespace, name, obj["metadata"]["resourceVersion"])
            except ApiError as error:
                if error.status != 409:
                    raise
                continue
            await self._seen(obj["metadata"])
            return record_of(obj, job_id)
        raise unavailable(f"job {job_id} changes faster than it can be cancelled", 1)

    async def _current(self, namespace: str, name: str, job_id: str) -> dict[str, Any]:
        try:
            return await self._cluster.get(SIMULATION_JOB, namespace, name)
        except ApiError as error:
            if error.status == 404:
                raise missing(job_id) from error
            raise

    async def _seen(self, meta: dict[str, Any]) -> None:
        waits = self._settings.write_wait_seconds
        if not await self._cache.wait_for(meta["namespace"], meta["resourceVersion"], waits):
            log.warning("the cache has not seen %s/%s after %s s", meta["namespace"], meta["name"], waits)

    # Reading
    async def page(self, caller: Caller, query: JobQuery) -> Page:
        """Return a page of jobs."""
        if query.size > self._settings.max_page_size:
            raise mistake("size", f"must be at most {self._settings.max_page_size}", "query")
        since = query.since
        if since is not None:
            since = since if since.tzinfo else since.replace(tzinfo=UTC)
        wanted = Query(
            namespaces=await self._scope(caller, query),
            phases={phase.value for phase in query.status} or None,
            labels=[(key, value) for key, _, value in (label.partition("=") for label in query.label)],
            since=since.timestamp() if since else None,
            newest_first=query.sort.startswith("-"),
        )
        self._require_sync()
        return self._cache.index.page(wanted, (query.page - 1) * query.size, query.size)

    async def stats(self, caller: Caller, query: NamespaceQuery) -> JobStats:
        """Return jobs in numbers."""
        scope = await self._scope(caller, query)
        self._require_sync()
        since = self._now() - _HOUR
        found = self._cache.index.stats([phase.value for phase in Phase], namespaces=scope, finished_since=since)
        return JobStats(
            total=sum(found.phases.values()),
            by_status={Phase(name): count for name, count in found.phases.items()},
            throughput=Throughput(finished_last_hour=found.finished),
            duration_seconds=Durations(p50=found.durations.get(0.5), p95=found.durations.get(0.95)),
        )

    @property
    def age(self) -> int:
        """How old an answer may be, in whole seconds."""
        return int(self._cache.age)

    def _require_sync(self) -> None:
        if not self._cache.synced:
            raise unavailable("the gateway has just started and does not know all jobs yet", 1)

    async def _scope(self, caller: Caller, query: NamespaceQuery) -> frozenset[str] | None:
        if query.namespace is None:
            allowed = await self._access.namespaces(caller, Verb.LIST, SIMULATION_JOB)
            return None if allowed == self._cache.namespaces else allowed
        if query.namespace not in self._settings.namespaces:
            raise mistake("namespace", f"is not served here; served: {', '.join(self._settings.namespaces)}", "query")
        await self._access.require(caller, Verb.LIST, SIMULATION_JOB, query.namespace)
        return frozenset({query.namespace})
