"""Reading the log of a Pod through the API server, over connections of its own: followers must never starve watches and writes."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import aiohttp
from kubernetes.aio import client

from simops_api import metrics
from simops_api.cluster import FIELD_MANAGER, UnreachableError
from simops_crds.names import CONTAINER_SIMULATION
from simops_io.kube import Transport, error_of, load_client

_CHUNK = 1 << 16
_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 30.0
"""How long a read that does not follow may be silent."""
_SILENCE_SECONDS = 60.0
"""After so much silence a log is followed over another connection: this one may be dead."""


async def load_log_client(connections: int, kubeconfig: str) -> client.ApiClient:
    """Return a client for logs only, whose connections hold little in memory."""
    api = await load_client(connections, kubeconfig)
    # The client reads two megabytes ahead by default, for each of its connections.
    api.configuration.client_session_kwargs = {"read_bufsize": _CHUNK}
    return api


class PodLogs:
    """The logs of simulation containers. Needs ``get`` on ``pods/log`` and nothing else."""

    def __init__(self, api: client.ApiClient) -> None:
        self.open = 0
        """How many are being read now."""
        self._transport = Transport(api, FIELD_MANAGER, aiohttp.ClientTimeout(total=None), metrics.count_api_call)

    @asynccontextmanager
    async def read(
        self,
        namespace: str,
        pod: str,
        *,
        follow: bool = False,
        since: int | None = None,
        tail: int | None = None,
        timestamps: bool = False,
    ) -> AsyncGenerator[AsyncGenerator[bytes, None], None]:
        """Open a log; give what yields it in chunks. The connection is closed with the context, however much of it was read.

        Raises:
            ApiError: 404 no such Pod, 400 its container has not started or its log is gone.
            UnreachableError: no answer, or it broke off (out of the chunks, too).
        """
        query = {"container": CONTAINER_SIMULATION}
        if follow:
            query["follow"] = "true"
        if timestamps:
            query["timestamps"] = "true"
        if since is not None:
            query["sinceTime"] = datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        if tail is not None:
            query["tailLines"] = str(tail)
        self.open += 1
        try:
            response = await self._send(f"/api/v1/namespaces/{namespace}/pods/{pod}/log", query, follow=follow)
            try:
                chunks = _chunks(response)
                try:
                    yield chunks
                finally:
                    await chunks.aclose()
            finally:
                response.close()
        finally:
            self.open -= 1

    async def _send(self, path: str, query: Mapping[str, str], *, follow: bool) -> aiohttp.ClientResponse:
        patience = aiohttp.ClientTimeout(
            total=None, sock_connect=_CONNECT_SECONDS, sock_read=_SILENCE_SECONDS if follow else _ANSWER_SECONDS
        )
        try:
            response = await self._transport.send("GET", path, query=query, accept="*/*", timeout=patience)
            if response.status < 400:
                return response
            try:
                said = await response.content.read(_CHUNK)
            finally:
                response.close()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise UnreachableError(f"{type(error).__name__}: {error}") from error
        raise error_of(response.status, said)


async def _chunks(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    try:
        while chunk := await response.content.readany():
            yield chunk
    except (aiohttp.ClientError, TimeoutError, OSError) as error:
        raise UnreachableError(f"{type(error).__name__}: {error}") from error
