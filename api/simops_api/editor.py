"""Changes of the spec of objects that are there: read, decide, write if nobody was faster, and see that this process knows it."""

from collections.abc import Callable
from typing import Any

from simops_api.caches import Caches
from simops_api.cluster import ApiError, Cluster, KubeDict
from simops_api.errors import ProblemError, unavailable
from simops_crds.kinds import Kind

Decide = Callable[[KubeDict], dict[str, Any] | None]
"""Takes the object as it is, returns the fields of its spec to change, None for none; raises a ProblemError to refuse."""

_CONFLICTS = 5


class Editor:
    """Changes objects."""

    def __init__(self, cluster: Cluster, caches: Caches, wait_seconds: float) -> None:
        self._cluster = cluster
        self._caches = caches
        self._wait_seconds = wait_seconds

    async def change(
        self, kind: Kind, namespace: str, name: str, decide: Decide, absent: ProblemError
    ) -> tuple[KubeDict, str]:
        """Return an object after its change, and what names that version.

        Raises:
            ProblemError: what ``decide`` refused; ``absent``, there is no such object; 503 others change it faster.
        """
        for _ in range(_CONFLICTS):
            try:
                obj = await self._cluster.get(kind, namespace, name)
                spec = decide(obj)
                if spec is not None:
                    obj = await self._cluster.change(kind, namespace, name, obj["metadata"]["resourceVersion"], spec)
            except ApiError as error:
                if error.status == 404:
                    raise absent from error
                if error.status != 409:
                    raise
                continue
            version = obj["metadata"]["resourceVersion"]
            return obj, await self._caches.seen(kind, namespace, version, self._wait_seconds)
        raise unavailable(f"{kind.kind} {name} changes faster than this can be done", 1)
