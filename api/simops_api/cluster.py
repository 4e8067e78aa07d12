"""Every call that the gateway makes to the API server, and nothing else. Async; nothing here decides anything.

All calls share one bounded connection pool. Objects are plain dicts: the schema's models are for what people send.
"""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

from simops_api.settings import Settings
from simops_crds.kinds import SIMULATION_JOB, Kind
from simops_crds.names import GROUP, VERSION

KubeDict = dict[str, Any]

FIELD_MANAGER = "simops-gateway"
# The server ends a watch by itself after the seconds it is told; a connection that is silent for longer than that is dead.
_SILENCE_SECONDS = 5
_MERGE = "application/merge-patch+json"


class ApiError(Exception):
    """The API server refused a request: its status, its words, and the fields that it names."""

    def __init__(
        self, status: int, message: str, causes: tuple[tuple[str, str], ...] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(f"API server answered {status}: {message}")
        self.status = status
        self.message = message
        self.causes = causes
        self.retry_after = retry_after


class UnreachableError(Exception):
    """The API server gave no answer."""


async def load_client(settings: Settings) -> client.ApiClient:
    """Return a client with one bounded connection pool, configured in the cluster or by kubeconfig.

    Raises:
        ConfigException: there is neither.
    """
    configuration = client.Configuration()
    configuration.connection_pool_maxsize = settings.max_connections + len(settings.namespaces)
    if settings.kubeconfig or not _is_in_cluster(configuration):
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=settings.kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION, client_configuration=configuration
        )
    return client.ApiClient(configuration)


def _is_in_cluster(configuration: client.Configuration) -> bool:
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        return False
    return True


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    return "/".join(filter(None, (f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{kind.plural}", name)))


class Cluster:
    """The API server, in the gateway's words."""

    def __init__(self, api: client.ApiClient, request_seconds: float = 15.0) -> None:
        self._api = api
        self._timeout = aiohttp.ClientTimeout(total=request_seconds, sock_connect=5)
        self._host = api.configuration.host.rstrip("/")

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - handed to the HTTP client
    ) -> aiohttp.ClientResponse:
        url = self._host + quote(path) + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": "application/json", "Content-Type": content_type, "User-Agent": FIELD_MANAGER}
        await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        answer = await self._api.call_api(method, url, headers, body, _request_timeout=timeout or self._timeout)
        response: aiohttp.ClientResponse = answer.response
        return response

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> KubeDict:
        try:
            response = await self._send(method, path, query=query, body=body, content_type=content_type)
            data = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"{type(error).__name__}: {error}") from error
        if response.status >= 400:
            raise error_of(response.status, data, response.headers.get("Retry-After"))
        return parse(data)

    # Reading
    async def list_page(self, namespace: str, limit: int, after: str) -> KubeDict:
        """Return one page of the SimulationJobs of a namespace; ``after`` is the token of the page before, empty for the first."""
        query = {"limit": str(limit)} | ({"continue": after} if after else {})
        return await self._call("GET", _path(SIMULATION_JOB, namespace), query=query)

    async def watch(self, namespace: str, version: str, seconds: int) -> AsyncGenerator[KubeDict, None]:
        """Yield what happens to the SimulationJobs of a namespace after a resourceVersion, and bookmarks, for so many seconds.

        Raises:
            UnreachableError: the connection broke, or was silent for too long.
            ApiError: the API server refused.
        """
        query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": version,
            "timeoutSeconds": str(seconds),
        }
        patience = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=seconds + _SILENCE_SECONDS)
        try:
            response = await self._send("GET", _path(SIMULATION_JOB, namespace), query=query, timeout=patience)
            try:
                if response.status >= 400:
                    raise error_of(response.status, await response.read(), None)
                async for line in lines(response.content.iter_any()):
                    yield parse(line)
            finally:
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"{type(error).__name__}: {error}") from error

    async def get(self, kind: Kind, namespace: str, name: str) -> KubeDict:
        """Return an object as it is now.

        Raises:
            ApiError: with status 404 when there is none.
        """
        return await self._call("GET", _path(kind, namespace, name))

    # Writing
    async def create(self, kind: Kind, manifest: KubeDict) -> KubeDict:
        """Create an object. A field that the schema does not know is refused."""
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"}
        return await self._call("POST", _path(kind, manifest["metadata"]["namespace"]), query=query, body=manifest)

    async def cancel(self, kind: Kind, namespace: str, name: str, version: str) -> KubeDict:
        """Set ``spec.cancelled``, if the object is still as it was read.

        Raises:
            ApiError: with status 409 when it has changed since, 404 when it is gone.
        """
        patch = {"metadata": {"resourceVersion": version}, "spec": {"cancelled": True}}
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call("PATCH", _path(kind, namespace, name), query=query, body=patch, content_type=_MERGE)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of a stream without their ends, however long they are; an unfinished last one is dropped."""
    rest = bytearray()
    async for chunk in chunks:
        *ended, tail = chunk.split(b"\n")
        for part in ended:
            yield bytes(rest + part)
            rest.clear()
        rest += tail


def parse(data: bytes) -> KubeDict:
    """Return the object that the API server sent.

    Raises:
        UnreachableError: it is none; something between here and the API server has answered.
    """
    try:
        value = json.loads(data)
    except ValueError as error:
        raise UnreachableError(f"no JSON but {data[:100]!r}") from error
    if not isinstance(value, dict):
        raise UnreachableError(f"no object but {data[:100]!r}")
    return value


def error_of(status: int, data: bytes, retry_after: str | None) -> ApiError:
    """Return the error that an answer of the API server tells."""
    try:
        value = parse(data)
    except UnreachableError:
        value = {}
    message = str(value.get("message") or data.decode(errors="replace")[:500])
    found = (value.get("details") or {}).get("causes") or []
    causes = tuple((str(c.get("field") or ""), str(c.get("message") or "")) for c in found)
    return ApiError(status, message, causes, int(retry_after) if retry_after and retry_after.isdecimal() else None)
