"""Every call that the gateway makes to the API server, and nothing else. Async; nothing here decides anything."""

from collections.abc import AsyncGenerator, Awaitable, Mapping
from typing import Any

import aiohttp
from kubernetes.aio import client

from simops_api import audit, metrics
from simops_crds.kinds import KINDS, Kind
from simops_crds.names import ANNOTATION_TRACEPARENT, GROUP, VERSION
from simops_io import tracing
from simops_io.kube import MERGE_PATCH, PAGE_BYTES, ApiError, KubeDict, Transport, error_of, lines
from simops_io.untrusted import loads

__all__ = ["ApiError", "Cluster", "KubeDict", "UnreachableError"]

FIELD_MANAGER = "simops-gateway"
# The server ends a watch by itself after the seconds it is told; a connection that is silent for longer than that is dead.
_SILENCE_SECONDS = 5
_EVENTS = 500


class UnreachableError(Exception):
    """The API server gave no answer."""


def _path(kind: Kind, namespace: str, name: str = "") -> str:
    return "/".join(filter(None, (f"/apis/{GROUP}/{VERSION}/namespaces/{namespace}/{kind.plural}", name)))


def _object(path: str, body: Any) -> tuple[str, str, str]:
    """Return kind, namespace and name of the object that a write is about."""
    namespace, plural, *name = path.partition("/namespaces/")[2].split("/")
    kind = next((kind.kind for kind in KINDS if kind.plural == plural), plural)
    return kind, namespace, name[0] if name else str(body["metadata"]["name"])


class Cluster:
    """The API server, in the gateway's words."""

    def __init__(self, api: client.ApiClient, request_seconds: float = 15.0) -> None:
        self._transport = _transport(api, request_seconds)

    async def _call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> KubeDict:
        if method == "GET":
            return await self._send(method, path, query=query, body=body, content_type=content_type)
        # Here, where every write comes by, so that none can be missing in the audit.
        is_try = bool(query and "dryRun" in query)
        with audit.writing(*_object(path, body), ApiError, audit.TRIED if is_try else audit.DONE):
            return await self._send(method, path, query=query, body=body, content_type=content_type)

    async def _send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
    ) -> KubeDict:
        return await _heard(self._transport.call(method, path, query=query, body=body, content_type=content_type))

    # Reading
    async def list_page(self, kind: Kind, namespace: str, limit: int, after: str) -> KubeDict:
        """Return one page of the objects of a namespace; ``after`` is the token of the page before, empty for the first.

        Raises:
            TooLongError: they are too long: ask for fewer.
        """
        query = {"limit": str(limit)} | ({"continue": after} if after else {})
        return await _heard(self._transport.call("GET", _path(kind, namespace), query=query, most=PAGE_BYTES))

    async def watch(self, kind: Kind, namespace: str, version: str, seconds: int) -> AsyncGenerator[KubeDict, None]:
        """Yield what happens to the objects of a namespace after a resourceVersion, and bookmarks, for so many seconds.

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
            response = await self._transport.send("GET", _path(kind, namespace), query=query, timeout=patience)
            try:
                if response.status >= 400:
                    raise error_of(response.status, await response.read())
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

    async def events(self, namespace: str, about: Mapping[str, str]) -> list[KubeDict]:
        """Return the Events (core/v1) whose fields have these values, as the API server gives them in one page."""
        fields = ",".join(f"{name}={value}" for name, value in about.items())
        query = {"fieldSelector": fields, "limit": str(_EVENTS)}
        found: list[KubeDict] = (await self._call("GET", f"/api/v1/namespaces/{namespace}/events", query=query))[
            "items"
        ]
        return found

    async def review(self, body: KubeDict) -> KubeDict:
        """Return the answer to a TokenReview or SubjectAccessReview."""
        return await _reviewed(self._transport, body)

    # Writing
    async def create(self, kind: Kind, manifest: KubeDict, *, is_try: bool = False) -> KubeDict:
        """Create an object, as part of the present trace if there is one. A field that the schema does not know is refused.

        ``is_try``: everything but the writing; what is returned is what would have been written.
        """
        query = {"fieldManager": FIELD_MANAGER, "fieldValidation": "Strict"} | ({"dryRun": "All"} if is_try else {})
        return await self._call(
            "POST", _path(kind, manifest["metadata"]["namespace"]), query=query, body=_traced(manifest)
        )

    async def change(self, kind: Kind, namespace: str, name: str, version: str, spec: KubeDict) -> KubeDict:
        """Change fields of the spec, if the object is still as it was read.

        Raises:
            ApiError: with status 409 when it has changed since, 404 when it is gone.
        """
        patch = {"metadata": {"resourceVersion": version}, "spec": spec}
        query = {"fieldManager": FIELD_MANAGER}
        return await self._call(
            "PATCH", _path(kind, namespace, name), query=query, body=patch, content_type=MERGE_PATCH
        )


class Callers:
    """The API server as those who call the gateway reach it: with their own token, and with nothing of the gateway's."""

    def __init__(self, api: client.ApiClient, request_seconds: float = 15.0) -> None:
        """Take a client without credentials: a certificate of the gateway's would make every caller the gateway."""
        if api.configuration.cert_file:
            raise ValueError("a client that asks for callers must not have a certificate")
        self._transport = _transport(api, request_seconds)

    async def review(self, body: KubeDict, token: str) -> KubeDict:
        """Return the answer to a SelfSubjectReview or SelfSubjectAccessReview that is asked with this token."""
        return await _reviewed(self._transport, body, token)


class Objects:
    """The objects of one kind, as a cache reads them."""

    def __init__(self, cluster: Cluster, kind: Kind) -> None:
        self._cluster = cluster
        self._kind = kind

    async def list_page(self, namespace: str, limit: int, after: str) -> KubeDict:
        """Return one page."""
        return await self._cluster.list_page(self._kind, namespace, limit, after)

    def watch(self, namespace: str, version: str, seconds: int) -> AsyncGenerator[KubeDict, None]:
        """Yield what happens."""
        return self._cluster.watch(self._kind, namespace, version, seconds)


def _transport(api: client.ApiClient, request_seconds: float) -> Transport:
    timeout = aiohttp.ClientTimeout(total=request_seconds, sock_connect=5)
    return Transport(api, FIELD_MANAGER, timeout, metrics.count_api_call)


async def _heard(call: Awaitable[bytes]) -> KubeDict:
    try:
        data = await call
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UnreachableError(f"{type(error).__name__}: {error}") from error
    return parse(data)


async def _reviewed(transport: Transport, body: KubeDict, token: str = "") -> KubeDict:
    # It changes nothing: where the connection breaks it is asked once more.
    path = f"/apis/{body['apiVersion']}/{body['kind'].lower()}s"
    try:
        return await _heard(transport.call("POST", path, body=body, token=token))
    except UnreachableError:
        return await _heard(transport.call("POST", path, body=body, token=token))


def _traced(manifest: KubeDict) -> KubeDict:
    """Return an object that names the present trace, so that the operator and the simulation go on with it."""
    trace = tracing.present()
    if trace is None:
        return manifest
    meta = manifest["metadata"]
    annotations = {ANNOTATION_TRACEPARENT: str(trace)} | (meta.get("annotations") or {})
    return manifest | {"metadata": meta | {"annotations": annotations}}


def parse(data: bytes) -> KubeDict:
    """Return the object that the API server sent.

    Raises:
        UnreachableError: it is none; something between here and the API server has answered.
    """
    try:
        value = loads(data)
    except ValueError as error:
        raise UnreachableError(f"no JSON but {data[:100]!r}") from error
    if not isinstance(value, dict):
        raise UnreachableError(f"no object but {data[:100]!r}")
    return value
