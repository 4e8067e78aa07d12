"""Jobs and sweeps whose objects are gone, for who may list those that are there."""

from datetime import UTC

from simops_api.archive.cursor import Place, decode, encode
from simops_api.archive.history import History
from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.cache import WatchCache
from simops_api.errors import mistake, unavailable
from simops_api.holds import Hold
from simops_api.jobs.ids import id_of
from simops_api.jobs.models import JobQuery
from simops_api.records import Record
from simops_api.settings import Settings
from simops_api.sweeps.models import SweepQuery
from simops_crds.kinds import SIMULATION_JOB, Kind

_FIELDS = frozenset({"archived", "after", "namespace", "size", "status", "label", "since", "page", "sort"})


class Past:
    """The runs of one kind of which the store alone knows."""

    def __init__(
        self, settings: Settings, access: Access, cache: WatchCache, history: History, kind: Kind = SIMULATION_JOB
    ) -> None:
        self._kind = kind
        self._settings = settings
        self._access = access
        self._cache = cache
        self._history = history

    async def page(self, caller: Caller, query: JobQuery | SweepQuery, hold: Hold) -> bytes:
        """Return a page as JSON (``models.ArchivedJobs``, ``ArchivedSweeps``).

        Raises:
            ProblemError: 403 not permitted; 422 this cannot be asked of the archive; 429, 503 there is no room for it; 503 not known yet.
            StoreError: the store does not answer.
        """
        after = self._after(query)
        namespaces = await self._scope(caller, query.namespace)
        if not self._cache.synced:
            raise unavailable("the gateway has just started and does not know everything yet", 1)
        since = query.since
        if since is not None:
            since = since if since.tzinfo else since.replace(tzinfo=UTC)
        phases = {phase.value for phase in query.status}
        labels = {(key, value) for key, _, value in (label.partition("=") for label in query.label)}

        def fits(record: Record) -> bool:
            return (not phases or record.phase in phases) and labels <= set(record.labels)

        found = await self._history.page(
            namespaces,
            query.size,
            hold,
            after=after,
            since=since.timestamp() if since is not None else None,
            is_gone=self._is_gone,
            fits=fits,
        )
        end = b',"next":"%b"' % encode(found.next).encode() if found.next is not None else b""
        items = b",".join(record.document for record in found.records)
        return b'{"items":[%b],"size":%d%b}' % (items, query.size, end)

    def _after(self, query: JobQuery | SweepQuery) -> Place | None:
        for field in sorted(query.model_fields_set - _FIELDS):
            raise mistake(field, "cannot be asked of the archive", "query")
        if query.page != 1:
            raise mistake("page", "the archive has no page numbers: give the next of one page as after", "query")
        if query.sort != "-created":
            raise mistake("sort", "the archive is listed newest first (-created)", "query")
        if query.size > self._settings.max_page_size:
            raise mistake("size", f"must be at most {self._settings.max_page_size}", "query")
        if query.after is None:
            return None
        if (place := decode(query.after)) is None:
            raise mistake("after", "is not the next of a page", "query")
        return place

    async def _scope(self, caller: Caller, namespace: str | None) -> frozenset[str]:
        if namespace is None:
            return await self._access.namespaces(caller, Verb.LIST, self._kind)
        if namespace not in self._settings.namespaces:
            raise mistake("namespace", f"is not served here; served: {', '.join(self._settings.namespaces)}", "query")
        await self._access.require(caller, Verb.LIST, self._kind, namespace)
        return frozenset({namespace})

    def _is_gone(self, place: Place) -> bool:
        job_id = id_of(place.namespace, place.name, self._settings.default_namespace)
        record = self._cache.index.get(job_id)
        return record is None or record.uid != place.uid
