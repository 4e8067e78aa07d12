"""Making the objects that requests ask for."""

import logging
import secrets
from typing import Any

from simops_api.auth.access import Access, Verb
from simops_api.auth.caller import Caller
from simops_api.cache import WatchCache
from simops_api.cluster import Cluster
from simops_api.jobs.ids import id_of, point_id
from simops_api.jobs.manifests import manifest_of, mapping_of
from simops_api.jobs.requests import Created, JobRequest
from simops_api.settings import Settings
from simops_crds.kinds import SIMULATION_SWEEP

log = logging.getLogger(__name__)

# No vowels, so that no words come about.
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"


def random_suffix() -> str:
    """Return what makes a name one that nobody else has."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(8))


class Creating:
    """Makes jobs and sweeps in the namespaces that the gateway serves."""

    def __init__(self, settings: Settings, access: Access, cluster: Cluster, cache: WatchCache) -> None:
        self._settings = settings
        self._access = access
        self._cluster = cluster
        self._cache = cache

    async def create(self, caller: Caller, request: JobRequest) -> Created:
        """Make the object that a request asks for, and see that this process knows it."""
        kind, manifest = manifest_of(request, self._settings, random_suffix())
        await self._access.require(caller, Verb.CREATE, kind, manifest["metadata"]["namespace"])
        made = await self._cluster.create(kind, manifest)
        meta = made["metadata"]
        own_id = id_of(meta["namespace"], meta["name"], self._settings.default_namespace)
        if kind is SIMULATION_SWEEP:
            ids = [point_id(own_id, index) for index in range(len(request.sweep or ()))]
            return Created(jobs=ids, sweep=own_id, sweep_mapping=dict(mapping_of(request, ids)))
        await self._seen(meta)
        return Created(jobs=[own_id], sweep_mapping=dict(mapping_of(request, [own_id])))

    async def _seen(self, meta: dict[str, Any]) -> None:
        waits = self._settings.write_wait_seconds
        if not await self._cache.wait_for(meta["namespace"], meta["resourceVersion"], waits):
            log.warning("the cache has not seen %s/%s after %s s", meta["namespace"], meta["name"], waits)
