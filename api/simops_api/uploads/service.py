"""Puts lists of points into the store."""

import asyncio
from collections.abc import AsyncIterator

from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.errors import ProblemError, mistake
from simops_api.settings import Settings
from simops_api.shares import Shares
from simops_api.store import Store
from simops_api.uploads.body import points_of
from simops_api.uploads.lists import List, Uploaded, list_of
from simops_crds.kinds import SIMULATION_SWEEP
from simops_crds.names import upload_key
from simops_crds.space import SpaceError
from simops_crds.space.points import too_many

_BODIES = 8
"""Bodies that are taken at once, a quarter of them of one caller: each is in memory, several times over when its turn comes."""
_FIRST_SECONDS = 20.0
_BYTES_PER_SECOND = 128 << 10
"""A body may take some seconds, and one more for each so many bytes that have come: a slow one holds no place that others need."""


class Uploads:
    """Lists of points."""

    def __init__(self, settings: Settings, access: Access, store: Store) -> None:
        self._settings = settings
        self._access = access
        self._store = store
        self._one_at_a_time = asyncio.Lock()
        self._bodies = Shares(_BODIES, "lists of points on their way")

    async def take(
        self, caller: Caller, namespace: str | None, body: AsyncIterator[bytes], content_type: str
    ) -> Uploaded:
        """Store the points of a body, which is read only for those who may, for the sweeps of a namespace.

        Raises:
            ProblemError: 403 not permitted; 408 it came too slowly; 415 or 422 the body is no list of points; 429 or 503 too many at once.
            StoreError: the store does not answer.
        """
        place = namespace or self._settings.default_namespace
        if place not in self._settings.namespaces:
            raise mistake("namespace", f"is not served here; served: {', '.join(self._settings.namespaces)}", "query")
        await self._access.require(caller, Verb.CREATE, SIMULATION_SWEEP, place)
        limit = self._settings.max_sweep_points
        with self._bodies.held(caller):
            data = await in_time(body)
            async with self._one_at_a_time:  # until it is stored: what is made of a body may be many times as long
                made = await asyncio.to_thread(_read, data, content_type, limit)
                await self.put(place, made)
        return made.uploaded

    async def put(self, namespace: str, made: List) -> None:
        """Store a list. One that is there is written again: from then on it is kept for as long as a new one.

        Raises:
            StoreError: the store does not answer.
        """
        await self._store.put(upload_key(namespace, made.uploaded.digest), made.data)


async def in_time(body: AsyncIterator[bytes]) -> bytes:
    """Return a body that comes as fast as it must.

    Raises:
        ProblemError: 408, it does not.
    """
    loop = asyncio.get_running_loop()
    begun, data = loop.time(), bytearray()
    try:
        async with asyncio.timeout(_FIRST_SECONDS) as patience:
            async for chunk in body:
                data += chunk
                patience.reschedule(begun + _FIRST_SECONDS + len(data) / _BYTES_PER_SECOND)
    except TimeoutError as error:
        words = f"the list came more slowly than {_BYTES_PER_SECOND >> 10} KiB a second, the first {_FIRST_SECONDS:g} s apart"
        # What may still come of it must not be taken for another request.
        raise ProblemError(408, words, headers={"Connection": "close"}) from error
    return bytes(data)


def _read(data: bytes, content_type: str, limit: int) -> List:
    try:
        made = list_of(points_of(data, content_type))
    except SpaceError as error:
        raise ProblemError(422, error.text) from error
    if made.uploaded.points > limit:
        raise ProblemError(422, too_many(made.uploaded.points, limit))
    return made
