"""Every call that the operator makes to the API server, and nothing else. Async; nothing here decides anything."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, cast

import aiohttp
from aiolimiter import AsyncLimiter
from kubernetes.aio import client

from simops_crds.names import API_VERSION, FIELD_MANAGER, GROUP, LABEL_MANAGED_BY, LABEL_UID, MANAGED_BY, VERSION
from simops_io.kube import (
    APPLY_PATCH,
    JSON_PATCH,
    MERGE_PATCH,
    PAGE_BYTES,
    ApiError,
    KubeDict,
    Transport,
    error_of,
    load_client,
    pages,
)
from simops_io.untrusted import loads
from simops_operator import metrics
from simops_operator.clock import CLOCK
from simops_operator.core.pods import Manifest
from simops_operator.core.views import slim_page

__all__ = ["ApiError", "Cluster", "KubeDict", "Limit", "event_of", "limit_of", "load_client", "yaml_text"]

_TIMEOUT = aiohttp.ClientTimeout(total=30)
# A log takes as long as the store takes to swallow it; only silence is a fault.
_STREAM_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10, sock_read=60)
_PAGE = 500


JOBS_PLURAL, SWEEPS_PLURAL = "simulationjobs", "simulationsweeps"


def _runs(namespace: str, name: str = "", sub: str = "", plural: str = JOBS_PLURAL) -> str:
    path = f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{plural}"
    return "/".join(filter(None, (path, name, sub)))


def _jobs(namespace: str, name: str = "") -> str:
    return "/".join(filter(None, (f"/apis/batch/v1/namespaces/{namespace}/jobs", name)))


def _pods(namespace: str, name: str = "", sub: str = "") -> str:
    return "/".join(filter(None, (f"/api/v1/namespaces/{namespace}/pods", name, sub)))


Limit = Callable[[], Awaitable[None]]


async def _no_limit() -> None:
    """Let a call be made at once."""


def limit_of(queries_per_second: float, burst: int) -> Limit:
    """Return what lets at most so many calls a second be made, after a first ``burst`` of them (a leaky bucket); 0 queries: any number."""
    return AsyncLimiter(burst, burst / queries_per_second).acquire if queries_per_second else _no_limit


class Cluster:
    """The API server, in the operator's words."""

    def __init__(self, api: client.ApiClient, limit: Limit = _no_limit) -> None:
        """``limit``: what each call waits for before it is made."""
        self._limit = limit
        self._transport = Transport(
            api,
            FIELD_MANAGER,
            _TIMEOUT,
            lambda verb, code: metrics.API_CALLS.labels(verb=verb, code=code).inc(),
            CLOCK.see,
        )

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        most: int | None = None,
    ) -> KubeDict:
        await self._limit()
        data = await self._transport.call(method, path, query=query, body=body, content_type=content_type, most=most)
        return cast(KubeDict, loads(data)) if data else {}

    async def _get(self, path: str) -> KubeDict | None:
        try:
            return await self._call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    async def _list(self, path: str, selector: str = "") -> AsyncIterator[KubeDict]:
        fixed = {"labelSelector": selector} if selector else {}

        async def ask(limit: int, after: str) -> KubeDict:
            query = fixed | {"limit": str(limit)} | ({"continue": after} if after else {})
            return slim_page(await self._call("GET", path, query=query, most=PAGE_BYTES))

        async for page in pages(ask, _PAGE):
            for item in page.get("items") or []:
                yield item

    # Reading
    async def get_run(self, namespace: str, name: str) -> KubeDict | None:
        """Return a SimulationJob, None if there is none."""
        return await self._get(_runs(namespace, name))

    async def get_sweep(self, namespace: str, name: str) -> KubeDict | None:
        """Return a SimulationSweep, None if there is none."""
        return await self._get(_runs(namespace, name, plural=SWEEPS_PLURAL))

    async def get_job(self, namespace: str, name: str) -> KubeDict | None:
        """Return a Job, None if there is none."""
        return await self._get(_jobs(namespace, name))

    def list_runs(self, namespace: str) -> AsyncIterator[KubeDict]:
        """Yield all SimulationJobs of a namespace, page by page."""
        return self._list(_runs(namespace))

    def list_sweeps(self, namespace: str) -> AsyncIterator[KubeDict]:
        """Yield all SimulationSweeps of a namespace, page by page."""
        return self._list(_runs(namespace, plural=SWEEPS_PLURAL))

    def list_jobs(self, namespace: str) -> AsyncIterator[KubeDict]:
        """Yield the Jobs of SimOps in a namespace."""
        return self._list(_jobs(namespace), f"{LABEL_MANAGED_BY}={MANAGED_BY}")

    def list_pods(self, namespace: str, uid: str = "") -> AsyncIterator[KubeDict]:
        """Yield the Pods of SimOps in a namespace, of one run when its UID is given."""
        return self._list(_pods(namespace), f"{LABEL_UID}={uid}" if uid else f"{LABEL_MANAGED_BY}={MANAGED_BY}")

    async def stream_log(self, namespace: str, pod: str, container: str) -> AsyncIterator[bytes]:
        """Yield the log of a container that has ended, in chunks as they arrive.

        Raises:
            ApiError: with status 404 or 400 when the log is not there (any more).
        """
        await self._limit()
        raw = await self._transport.send(
            "GET", _pods(namespace, pod, "log"), query={"container": container}, timeout=_STREAM_TIMEOUT
        )
        try:
            if raw.status >= 400:
                raise error_of(raw.status, await raw.read())
            async for chunk in raw.content.iter_chunked(1 << 18):
                yield chunk
        finally:
            raw.close()

    # Writing
    async def apply_job(self, manifest: Manifest) -> KubeDict:
        """Make the Job or see that it is as wanted (server-side apply, KEP-555): repeatable, never makes a second one."""
        meta = manifest["metadata"]
        query = {"fieldManager": FIELD_MANAGER, "force": "true"}
        body = yaml_text(manifest)
        return await self._call(
            "PATCH", _jobs(meta["namespace"], meta["name"]), query=query, body=body, content_type=APPLY_PATCH
        )

    async def patch_job_spec(self, namespace: str, name: str, spec: KubeDict) -> KubeDict:
        """Change fields of a Job's spec; return the Job."""
        return await self._call("PATCH", _jobs(namespace, name), body={"spec": spec}, content_type=MERGE_PATCH)

    async def delete_job(self, namespace: str, name: str) -> None:
        """Delete a Job and, in the background, its Pods. A Job that is not there is fine."""
        await self._delete(_jobs(namespace, name), {"propagationPolicy": "Background"})

    async def stop_pod(self, namespace: str, name: str, grace_seconds: int) -> None:
        """Delete a Pod in good order, within so many seconds at most."""
        await self._delete(_pods(namespace, name), {"gracePeriodSeconds": grace_seconds})

    async def delete_run(self, namespace: str, name: str, uid: str) -> None:
        """Delete a SimulationJob, this one and no later one of the same name."""
        await self._delete(_runs(namespace, name), {"propagationPolicy": "Background", "preconditions": {"uid": uid}})

    async def delete_sweep(self, namespace: str, name: str, uid: str) -> None:
        """Delete a SimulationSweep, this one and no later one of the same name."""
        path = _runs(namespace, name, plural=SWEEPS_PLURAL)
        await self._delete(path, {"propagationPolicy": "Background", "preconditions": {"uid": uid}})

    async def write_status(
        self, namespace: str, name: str, version: int, uid: str, status: KubeDict, plural: str = JOBS_PLURAL
    ) -> KubeDict:
        """Replace the status of a SimulationJob or SimulationSweep, if it is still as it was read.

        Raises:
            ApiError: with status 409 when it has changed since, 404 when it is gone.
        """
        patch = [
            {"op": "test", "path": "/metadata/uid", "value": uid},
            {"op": "replace", "path": "/metadata/resourceVersion", "value": str(version)},
            {"op": "add", "path": "/status", "value": status},
        ]
        path = _runs(namespace, name, "status", plural)
        return await self._call(
            "PATCH", path, query={"fieldManager": FIELD_MANAGER}, body=patch, content_type=JSON_PATCH
        )

    async def post_event(self, namespace: str, event: KubeDict) -> None:
        """Post an Event. One that is there already is fine."""
        try:
            await self._call("POST", f"/api/v1/namespaces/{namespace}/events", body=event)
        except ApiError as error:
            if error.status != 409:
                raise

    async def _delete(self, path: str, options: KubeDict) -> None:
        body = {"apiVersion": "v1", "kind": "DeleteOptions", **options}
        try:
            await self._ignoring_missing("DELETE", path, body, "application/json")
        except ApiError as error:
            if error.status != 409:  # another object of the same name by now
                raise

    async def _ignoring_missing(self, method: str, path: str, body: KubeDict, content_type: str) -> None:
        try:
            await self._call(method, path, body=body, content_type=content_type)
        except ApiError as error:
            if error.status != 404:
                raise


def yaml_text(value: Any) -> str:
    """Return a value as JSON that is also YAML, in ASCII: the API server reads server-side apply as YAML.

    YAML folds or refuses some characters that stand raw in a string, and does not know JSON's surrogate pairs.
    """
    text = json.dumps(value, ensure_ascii=False)
    return re.sub(
        r"[^\x20-\x7e]", lambda c: f"\\u{ord(c[0]):04x}" if ord(c[0]) < 1 << 16 else f"\\U{ord(c[0]):08x}", text
    )


def event_of(
    name: str,
    namespace: str,
    uid: str,
    kind: str,
    reason: str,
    message: str,
    *,
    key: str,
    now: str,
    about: str = "SimulationJob",
) -> KubeDict:
    """Return a core/v1 Event about an object. ``key`` makes its name: the same happening gives the same Event."""
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"name": f"{name}.{key}", "namespace": namespace},
        "involvedObject": {
            "apiVersion": API_VERSION,
            "kind": about,
            "name": name,
            "namespace": namespace,
            "uid": uid,
        },
        "type": kind,
        "reason": reason,
        "message": message[:1024],
        "source": {"component": FIELD_MANAGER},
        "reportingComponent": FIELD_MANAGER,
        "reportingInstance": FIELD_MANAGER,
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
