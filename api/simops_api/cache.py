"""The watch cache: what the API server knows of one kind, kept in memory, so that no reader ever waits for the API server.

For each namespace one task takes a LIST, page by page, and then watches from its resourceVersion, with bookmarks, for ever. A watch that
ends, breaks or falls silent is taken up where it was. Where the API server no longer knows that place (410), another LIST is taken and
compared with what is here; readers go on reading what is here meanwhile.

What a reader may rely on:

- before the first LIST is complete there is no answer (``synced`` is false), rather than a wrong one;
- an answer shows one moment of each namespace, at most ``age`` seconds old, and never an older one than an answer of this process before;
- after ``wait_for`` with the resourceVersion of a write returned true, every answer of this process has that write. A second process has
  it once its own watch has delivered that resourceVersion, usually within milliseconds.
"""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import aclosing, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from simops_api.cluster import ApiError, UnreachableError
from simops_api.index import Index
from simops_api.records import Record
from simops_io.kube import pages

log = logging.getLogger(__name__)

KubeDict = dict[str, Any]
_GONE = 410
_FIRST_PAUSE = 0.1
_SHORT_SECONDS = 1.0
"""A watch that ends sooner than this is not followed by another one at once."""
_RELIST_AFTER = 5
"""After so many refusals in a row the place in the history is given up: it may be of a cluster that was restored from a backup."""
_BREATH = 50
"""After so many objects or events in a row readers get a turn."""


class Source(Protocol):
    """Where objects come from: the part of ``Objects`` that the cache needs."""

    async def list_page(self, namespace: str, limit: int, after: str) -> KubeDict:
        """Return one page of objects."""

    def watch(self, namespace: str, version: str, seconds: int) -> AsyncGenerator[KubeDict, None]:
        """Yield events."""


@dataclass
class _Place:
    """How far one namespace has been read."""

    namespace: str
    version: str = ""
    """The resourceVersion up to which everything is known; empty: a LIST is needed."""
    synced: bool = False
    contact: float = float("-inf")
    refusals: int = 0
    waiters: set[tuple[int, asyncio.Future[None]]] = field(default_factory=set)


class Changes:
    """Whether something became of one object since it was last looked at."""

    def __init__(self) -> None:
        self._changed = asyncio.Event()

    def note(self) -> None:
        """Something became of it."""
        self._changed.set()

    async def wait(self) -> None:
        """Return when something has become of the object since the last return: it was made, changed or deleted. Many changes may be one."""
        await self._changed.wait()
        self._changed.clear()


class WatchCache:
    """The objects of one kind in some namespaces."""

    def __init__(
        self,
        source: Source,
        namespaces: tuple[str, ...],
        record_of: Callable[[KubeDict], Record],
        *,
        page: int = 500,
        watch_seconds: int = 30,
        longest_pause: float = 10.0,
        clock: Callable[[], float] = time.monotonic,
        listed: Callable[[], None] = lambda: None,
        changed: Callable[[Iterable[str]], None] = lambda _: None,
    ) -> None:
        """Take the source, the namespaces, how to make a record of an object, what to do each time that a LIST has been taken in, and whom to tell the
        ids of what was made, changed or deleted."""
        self.index = Index()
        self.relists = 0
        """How often a LIST was taken."""
        self._source = source
        self._record_of = record_of
        self._page = page
        self._watch_seconds = watch_seconds
        self._longest_pause = longest_pause
        self._first_pause = min(_FIRST_PAUSE, longest_pause)
        self._clock = clock
        self._listed = listed
        self._changed = changed
        self._places = {namespace: _Place(namespace) for namespace in namespaces}
        self._watching: defaultdict[str, set[Changes]] = defaultdict(set)

    # Reading
    @contextmanager
    def watching(self, object_id: str) -> Iterator[Changes]:
        """Be told what becomes of the object of an id, whether or not there is one; its latest state is in ``index``.

        Who looks into the index, waits, looks again and so on never misses the last state. It costs neither a thread nor a call.
        """
        changes = Changes()
        self._watching[object_id].add(changes)
        try:
            yield changes
        finally:
            self._watching[object_id].discard(changes)
            if not self._watching[object_id]:
                del self._watching[object_id]

    @property
    def namespaces(self) -> frozenset[str]:
        """The namespaces that are watched."""
        return frozenset(self._places)

    @property
    def synced(self) -> bool:
        """Whether everything has been read once."""
        return all(place.synced for place in self._places.values())

    @property
    def age(self) -> float:
        """Seconds since the API server was last heard of, for the namespace where that is longest ago."""
        return self._clock() - min(place.contact for place in self._places.values())

    async def wait_for(self, namespace: str, version: str, seconds: float) -> bool:
        """Wait until a resourceVersion of a namespace has been seen; return whether it was within so many seconds."""
        place = self._places[namespace]
        if place.version and int(place.version) >= int(version):
            return True
        waiter = (int(version), asyncio.get_running_loop().create_future())
        place.waiters.add(waiter)
        try:
            async with asyncio.timeout(seconds):
                await waiter[1]
        except TimeoutError:
            return False
        finally:
            place.waiters.discard(waiter)
        return True

    # Following
    async def run(self) -> None:
        """Follow all namespaces until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            for place in self._places.values():
                tasks.create_task(self._follow(place), name=f"watch of {place.namespace}")

    async def _follow(self, place: _Place) -> None:
        pause = self._first_pause
        while True:
            began = self._clock()
            try:
                if not place.version:
                    await self._list(place)
                await self._watch(place)
                place.refusals = 0
                if self._clock() - began >= _SHORT_SECONDS:
                    pause = self._first_pause
                    continue
            except ApiError as error:
                place.refusals += 1
                if error.status == _GONE or place.refusals >= _RELIST_AFTER:
                    place.version = ""
                    place.refusals = 0
                log.warning("watch of %s: %s", place.namespace, error)
            except UnreachableError as error:
                log.warning("watch of %s: %s", place.namespace, error)
                if self._clock() - began >= self._longest_pause:
                    pause = self._first_pause
            await asyncio.sleep(pause * random.uniform(0.5, 1.0))  # noqa: S311 - spreads replicas, keeps no secret
            pause = min(pause * 2, self._longest_pause)

    async def _list(self, place: _Place) -> None:
        self.relists += 1
        listed: set[str] = set()
        fresh: list[Record] = []
        version = ""
        async for page in pages(partial(self._source.list_page, place.namespace), self._page):
            place.contact = self._clock()
            for item in page.get("items") or []:
                record = self._record_of(item)
                listed.add(record.id)
                # Compared here, a few at a time, and not all at once at the end. Nobody else changes what is of this namespace.
                if self.index.get(record.id) != record:
                    fresh.append(record)
                if len(listed) % _BREATH == 0:
                    await asyncio.sleep(0)
            version = str(page["metadata"]["resourceVersion"])
        gone = [job_id for job_id in self.index.ids(place.namespace) if job_id not in listed]
        self._change(fresh, gone)
        self._listed()
        place.synced = True
        self._reach(place, version)
        log.info(
            "%s: %d objects listed, %d new or changed, %d gone", place.namespace, len(listed), len(fresh), len(gone)
        )

    async def _watch(self, place: _Place) -> None:
        count = 0
        async with aclosing(self._source.watch(place.namespace, place.version, self._watch_seconds)) as events:
            async for event in events:
                self._apply(place, event)
                count += 1
                if count % _BREATH == 0:
                    await asyncio.sleep(0)
        place.contact = self._clock()

    def _apply(self, place: _Place, event: KubeDict) -> None:
        kind, obj = event.get("type"), event.get("object") or {}
        if kind == "ERROR":
            raise ApiError(int(obj.get("code") or 500), str(obj.get("message") or "the watch failed"))
        if kind in ("ADDED", "MODIFIED"):
            self._change([self._record_of(obj)])
        elif kind == "DELETED":
            self._change(gone=[self._record_of(obj).id])
        place.contact = self._clock()
        self._reach(place, str(obj["metadata"]["resourceVersion"]))

    def _change(self, records: Iterable[Record] = (), gone: Iterable[str] = ()) -> None:
        records, gone = list(records), list(gone)
        self.index.change(records, gone)
        ids = (*gone, *(record.id for record in records))
        self._changed(ids)
        if self._watching:
            for object_id in ids:
                for changes in self._watching.get(object_id, ()):
                    changes.note()

    def _reach(self, place: _Place, version: str) -> None:
        place.version = version
        for wanted, future in [w for w in place.waiters if w[0] <= int(version)]:
            place.waiters.discard((wanted, future))
            if not future.done():
                future.set_result(None)
