"""Puts lists of points into the store."""

import asyncio
from collections.abc import Awaitable, Callable

from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError, mistake
from simops_api.settings import Settings
from simops_api.store import Store
from simops_api.uploads.body import points_of
from simops_api.uploads.lists import List, Uploaded, list_of
from simops_crds.kinds import SIMULATION_SWEEP
from simops_crds.names import upload_key
from simops_crds.space.points import too_many

_BODIES = 4
"""Bodies that are read at once: each of them is in memory, several times over when its turn comes."""
_BODY_SECONDS = 120.0


class Uploads:
    """Lists of points."""

    def __init__(self, settings: Settings, access: Access, store: Store) -> None:
        self._settings = settings
        self._access = access
        self._store = store
        self._one_at_a_time = asyncio.Lock()
        self._bodies = asyncio.Semaphore(_BODIES)

    async def take(
        self, caller: Caller, namespace: str | None, read: Callable[[], Awaitable[bytes]], content_type: str
    ) -> Uploaded:
        """Store the points of a body, which is read only for those who may, for the sweeps of a namespace.

        Raises:
            ProblemError: 403 not permitted; 415 or 422 the body is no list of points.
            StoreError: the store does not answer.
        """
        place = namespace or self._settings.default_namespace
        if place not in self._settings.namespaces:
            raise mistake("namespace", f"is not served here; served: {', '.join(self._settings.namespaces)}", "query")
        await self._access.require(caller, Verb.CREATE, SIMULATION_SWEEP, place)
        limit = self._settings.max_sweep_points
        # Bodies wait where they come from, not in memory.
        async with self._bodies:
            try:
                async with asyncio.timeout(_BODY_SECONDS):
                    data = await read()
            except TimeoutError as error:
                raise ProblemError(408, f"the list did not come within {_BODY_SECONDS:.0f} seconds") from error
            made = await self._made(data, content_type, limit)
        await self.put(place, made)
        return made.uploaded

    async def _made(self, data: bytes, content_type: str, limit: int) -> List:
        async with self._one_at_a_time:  # a list takes several times its bytes of memory while it is read
            return await asyncio.to_thread(_read, data, content_type, limit)

    async def put(self, namespace: str, made: List) -> None:
        """Store a list. One that is there is written again: from then on it is kept for as long as a new one.

        Raises:
            StoreError: the store does not answer.
        """
        await self._store.put(upload_key(namespace, made.uploaded.digest), made.data)


def _read(data: bytes, content_type: str, limit: int) -> List:
    points = points_of(data, content_type)
    if len(points) > limit:
        raise ProblemError(422, too_many(len(points), limit))
    return list_of(points)
