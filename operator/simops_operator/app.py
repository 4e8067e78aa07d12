"""The running operator: one value that holds the connections, the caches and the tasks, and how they start and stop.

Every replica watches, and drops what it sees until it leads (a Lease); the leader takes a LIST, works the queue and writes. A replica that loses the
Lease ends itself: starting again is cheap and leaves no half-known state.
"""

import asyncio
import logging
import os
import signal
import time
from collections.abc import Awaitable
from contextlib import AsyncExitStack
from typing import Any

import aiohttp
from aiohttp import web
from kubernetes.aio import client
from kubernetes.aio.client.exceptions import ApiException
from kubernetes.aio.leaderelection import electionconfig, leaderelection
from kubernetes.aio.leaderelection.leaderelectionrecord import LeaderElectionRecord
from kubernetes.aio.leaderelection.resourcelock.leaselock import LeaseLock
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from simops_io import tracing
from simops_operator import metrics
from simops_operator.cache import Cache, Key
from simops_operator.cluster import ApiError, Cluster, Limit, limit_of, load_client
from simops_operator.doors import serving
from simops_operator.pace import Pace
from simops_operator.reconcile import Reconciler
from simops_operator.resync import Resync
from simops_operator.settings import Settings
from simops_operator.store import Store, StoreError
from simops_operator.sweeps.cache import SweepCache
from simops_operator.sweeps.reconcile import SweepReconciler
from simops_operator.sweeps.resync import SweepResync
from simops_operator.traces import Traces
from simops_operator.workqueue import WorkQueue

log = logging.getLogger(__name__)

# Longer than client-go's 15, 10 and 2: a busy node can hold the event loop for seconds, and giving up costs more than waiting. A Lease that is
# given back at the end is taken over at once.
LEASE_SECONDS, RENEW_SECONDS, RETRY_SECONDS, CALL_SECONDS = 40, 30, 3, 10
STUCK_SECONDS = 600.0


class _PatientLock(LeaseLock):
    """A LeaseLock for which an API server that does not answer is a renewal that failed, and not the end of the election."""

    def __init__(self, name: str, namespace: str, identity: str, api: client.ApiClient, limit: Limit) -> None:
        super().__init__(name, namespace, identity, api)
        self._limit = limit

    async def get(self, name: str, namespace: str) -> Any:
        """Return (True, record) or (False, error)."""
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._limit()
                return await super().get(name, namespace)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return False, ApiException(status=0, reason=f"{type(error).__name__}: {error}")

    async def create(self, name: str, namespace: str, election_record: LeaderElectionRecord) -> bool:
        """Return whether the Lease was made."""
        lease = client.V1Lease(metadata=client.V1ObjectMeta(name=name), spec=self.update_lease(election_record))
        # Not the parent's: it passes a query parameter of a wrong type (kubernetes 37).
        return await self._whether(self._create(namespace, lease))

    async def _create(self, namespace: str, lease: client.V1Lease) -> bool:
        try:
            await self.api_instance.create_namespaced_lease(namespace, lease)
        except ApiException as error:
            log.warning("the Lease was not made: %s %s", error.status, error.reason)
            return False
        return True

    async def update(self, name: str, namespace: str, updated_record: LeaderElectionRecord) -> bool:
        """Return whether the Lease was renewed."""
        return await self._whether(super().update(name, namespace, updated_record))

    async def release(self) -> None:
        """Give the Lease back, so that the next replica need not wait until it is over."""
        await self.get(self.name, self.namespace)  # the parent does not remember what its own update has made of it
        lease = self.lease_reference
        if lease is None or lease.spec is None or lease.spec.holder_identity != self.identity:
            return
        lease.spec.holder_identity = None
        await self._whether(self._replace(lease))

    async def _replace(self, lease: client.V1Lease) -> bool:
        try:
            await self.api_instance.replace_namespaced_lease(self.name, self.namespace, lease)
        except ApiException as error:
            log.warning("the Lease was not given back: %s %s", error.status, error.reason)
            return False
        return True

    async def _whether(self, call: Awaitable[bool]) -> bool:
        try:
            async with asyncio.timeout(CALL_SECONDS):
                await self._limit()
                return await call
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            log.warning("the Lease was not renewed: %s: %s", type(error).__name__, error)
            return False


class App:
    """Everything that lives as long as the process."""

    def __init__(self, settings: Settings, api: client.ApiClient) -> None:
        self.settings = settings
        self.api = api
        self.cache = Cache()
        self.queue: WorkQueue[Key] = WorkQueue(lambda key: key.namespace)
        self.sweeps = SweepCache()
        self.sweep_queue: WorkQueue[Key] = WorkQueue(lambda key: key.namespace)
        self._limit = limit_of(settings.api_queries_per_second, settings.api_burst)
        self._pace = Pace(settings.max_starting_jobs, time.monotonic)
        self.leading = False
        self.synced = False
        self._cluster = Cluster(api, self._limit)
        self._store = Store(settings)
        config = settings.job_config()
        self._spans = tracing.provider_for("simops-operator")
        traces = Traces(self._spans.get_tracer("simops_operator") if self._spans else None)
        self._reconciler = Reconciler(
            self._cluster, self._store, self.cache, self.queue, config, settings.log_limit_bytes, traces, self._pace
        )
        self._sweep_reconciler = SweepReconciler(
            self._cluster, self._store, self.sweeps, self.sweep_queue, config, settings.max_sweep_points, traces
        )
        interval = settings.resync_seconds
        sweeps = SweepResync(self._cluster, self._store, self.sweeps, self.sweep_queue, config, interval)
        self._resync = Resync(self._cluster, self._store, self.cache, self.queue, config, interval, sweeps)
        self._tasks: list[asyncio.Task[None]] = []
        self._lock: _PatientLock | None = None
        self._web = AsyncExitStack()

    @classmethod
    async def start(cls, settings: Settings) -> "App":
        """Connect and begin: at once when there is no election, else when the Lease is ours."""
        app = cls(settings, await load_client(settings.max_connections))
        answers = {"/ready": app._ready, "/metrics": app._metrics}
        await app._web.enter_async_context(serving(settings.http_port, answers))
        task = asyncio.create_task(app._campaign(), name="leadership")
        task.add_done_callback(app._end_with)
        app._tasks.append(task)
        return app

    async def stop(self) -> None:
        """End the tasks and give the connections back."""
        was_leading = self.leading
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if was_leading and self._lock is not None:
            await self._lock.release()
        await self._web.aclose()
        self._store.close()
        await asyncio.to_thread(tracing.close, self._spans)
        await self.api.close()  # type: ignore[no-untyped-call]

    @property
    def stuck(self) -> str:
        """Why the process should be restarted; empty when it should not."""
        age = max(self.queue.head_age, self.sweep_queue.head_age)
        return (
            f"the oldest object has waited {age:.0f} s to be reconciled" if self.leading and age > STUCK_SECONDS else ""
        )

    def connections(self) -> int:
        """Return how many connections the watches need: one for each kind and namespace, and a few spare."""
        return 4 * len(self.settings.namespaces) + 4

    async def watch_session(self) -> aiohttp.ClientSession:
        """Return a bounded session for kopf's watches, signed in as the client is now."""
        headers: dict[str, str] = {}
        await self.api.update_params_for_auth(headers, [], ["BearerToken"], "", "GET", None)
        connector = aiohttp.TCPConnector(limit=self.connections(), ssl=self.api.rest_client.ssl_context)
        limited = aiohttp.TraceConfig()
        limited.on_request_start.append(lambda *_: self._limit())
        return aiohttp.ClientSession(connector=connector, headers=headers, trust_env=True, trace_configs=[limited])

    async def _campaign(self) -> None:
        if not self.settings.lease_namespace:
            await self._lead()
            return
        lock = self._lock = _PatientLock(
            self.settings.lease_name, self.settings.lease_namespace, self.settings.pod_name, self.api, self._limit
        )
        config = electionconfig.Config(
            lock,
            lease_duration=LEASE_SECONDS,
            renew_deadline=RENEW_SECONDS,
            retry_period=RETRY_SECONDS,
            onstarted_leading=self._lead,
            onstopped_leading=self._yield,
        )
        await leaderelection.LeaderElection(config).run()

    def _end_with(self, task: asyncio.Task[None]) -> None:
        """End the process when the leadership has ended: half an operator must not look alive."""
        if task.cancelled():
            return
        if error := task.exception():
            log.critical("the leadership ended by an error", exc_info=error)
        self.leading = False
        os.kill(os.getpid(), signal.SIGTERM)

    async def _yield(self) -> None:
        log.error("the Lease was lost; ending, to start again as a follower")

    async def _lead(self) -> None:
        self.leading = True
        metrics.LEADER.set(1)
        log.info("leading")
        try:
            await self._list_until_it_works()
            self.synced = True
            metrics.SYNCED.set(1)
            async with asyncio.TaskGroup() as group:
                for _ in range(self.settings.workers):
                    group.create_task(self.queue.work(self._reconciler.reconcile, (ApiError, StoreError)))
                for _ in range(self.settings.sweep_workers):
                    work = self.sweep_queue.work(self._sweep_reconciler.reconcile, (ApiError, StoreError))
                    group.create_task(work)
                group.create_task(self._resync_for_ever())
                group.create_task(self._prepare_store())  # beside the rest: a store that hangs holds nothing up
        except Exception:
            # Half an operator must not hold the Lease.
            log.exception("the work ended by an error; ending the process")
            os.kill(os.getpid(), signal.SIGTERM)
        finally:
            self.leading = False
            metrics.LEADER.set(0)
            metrics.SYNCED.set(0)

    async def _prepare_store(self) -> None:
        """Let Pods that run already find the store as they need it. What is to be stored waits for it anyway."""
        try:
            await self._store.ensure_bucket()
        except StoreError as error:
            log.warning("the store is not as it should be, and is looked at again with the next run: %s", error)

    async def _list_until_it_works(self) -> None:
        delay = 1.0
        while True:
            try:
                await self._resync.run(self.settings.namespaces)
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("the first LIST failed, next try in %.0f s: %s", delay, error)
                await asyncio.sleep(delay)
                delay = min(30.0, delay * 2)
            else:
                return

    async def _resync_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self.settings.resync_seconds)
            try:
                await self._resync.run(self.settings.namespaces)
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                log.warning(
                    "the comparison with the API server failed, next in %d s: %s", self.settings.resync_seconds, error
                )

    async def _ready(self) -> web.Response:
        # A follower is ready: it is there to take over.
        waiting = self.leading and not self.synced
        return web.Response(status=503 if waiting else 200, text="first LIST under way\n" if waiting else "ready\n")

    async def _metrics(self) -> web.Response:
        metrics.QUEUE_DEPTH.set(len(self.queue) + len(self.sweep_queue))
        metrics.QUEUE_AGE.set(max(self.queue.head_age, self.sweep_queue.head_age))
        metrics.WAITING.set(self._pace.waiting)
        metrics.SWEEPS.set(len(self.sweeps.sweeps))
        metrics.observe_runs(self.cache.runs.values())
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
