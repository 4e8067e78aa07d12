"""The watch caches of both kinds, and what is asked of them together."""

import asyncio
import logging
import re
from dataclasses import dataclass

from simops_api.cache import WatchCache
from simops_api.errors import ProblemError, unavailable
from simops_crds.kinds import KINDS, SIMULATION_JOB, Kind

log = logging.getLogger(__name__)

VERSION_HEADER = "SimOps-Version"
MIN_VERSION_HEADER = "SimOps-Min-Version"
_VERSION = re.compile(r"(?P<plural>[a-z]+)/(?P<namespace>[a-z0-9-]{1,63})/(?P<version>[0-9]{1,19})")


@dataclass(frozen=True)
class Caches:
    """What is known of both kinds.

    Read your writes: what this process has answered to a write, every later answer of this process has too. Another process has it as soon as its own
    watch delivers it; who cannot wait for that sends the ``SimOps-Version`` of the answer as ``SimOps-Min-Version`` with a read, which then waits for it.
    """

    jobs: WatchCache
    sweeps: WatchCache

    def of(self, kind: Kind) -> WatchCache:
        """Return the cache of a kind."""
        return self.jobs if kind is SIMULATION_JOB else self.sweeps

    @property
    def synced(self) -> bool:
        """Whether everything has been read once."""
        return self.jobs.synced and self.sweeps.synced

    @property
    def age(self) -> float:
        """How many seconds old an answer may be."""
        return max(self.jobs.age, self.sweeps.age)

    def require_sync(self) -> None:
        """Let pass when everything has been read once.

        Raises:
            ProblemError: 503, not yet.
        """
        if not self.synced:
            raise unavailable("the gateway has just started and does not know all jobs yet", 1)

    async def run(self) -> None:
        """Follow both kinds until cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.jobs.run(), name="watch of jobs")
            tasks.create_task(self.sweeps.run(), name="watch of sweeps")

    async def seen(self, kind: Kind, namespace: str, version: str, seconds: float) -> str:
        """Wait until this process knows a write, so that its next answer has it; return what names the write in ``SimOps-Version``."""
        if not await self.of(kind).wait_for(namespace, version, seconds):
            log.warning(
                "the cache has not seen version %s of %s in %s after %s s", version, kind.plural, namespace, seconds
            )
        return f"{kind.plural}/{namespace}/{version}"

    async def wait_for(self, wanted: str, seconds: float) -> None:
        """Wait until this process knows the write that a ``SimOps-Version`` names.

        Raises:
            ProblemError: 422 it names none; 503 it is not known yet.
        """
        found = _VERSION.fullmatch(wanted)
        kind = next((kind for kind in KINDS if found and kind.plural == found["plural"]), None)
        if found is None or kind is None or found["namespace"] not in self.jobs.namespaces:
            raise ProblemError(422, f"{MIN_VERSION_HEADER}: give it the {VERSION_HEADER} of an answer as it is")
        if not await self.of(kind).wait_for(found["namespace"], found["version"], seconds):
            raise unavailable("this replica of the gateway does not know that version yet", 1)
