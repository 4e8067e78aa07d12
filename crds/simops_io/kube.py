"""Requests to the API server over one bounded connection pool. Async. Objects are plain dicts: the typed models of the client cost ten
times the CPU to parse and are not needed to read three fields.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp
from kubernetes.aio import client, config
from kubernetes.aio.config import ConfigException
from kubernetes.aio.config.kube_config import KUBE_CONFIG_DEFAULT_LOCATION

from simops_io.untrusted import loads

KubeDict = dict[str, Any]

MERGE_PATCH = "application/merge-patch+json"
JSON_PATCH = "application/json-patch+json"
# With a parameter, so that the client sends the text as it is.
APPLY_PATCH = "application/apply-patch+yaml; charset=utf-8"
PAGE_BYTES = 16 << 20
"""Of one page of a LIST: 500 objects as SimOps makes them have a third of it. As Python's objects it may be ten times as much."""


class ApiError(Exception):
    """The API server refused a request: the HTTP status, its words, the fields that it names, and when to come again if it says so."""

    def __init__(
        self, status: int, message: str, causes: tuple[tuple[str, str], ...] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(f"API server answered {status}: {message}")
        self.status = status
        self.message = message
        self.causes = causes
        self.retry_after = retry_after


class TooLongError(Exception):
    """A page of a LIST has more bytes than are read."""


async def load_client(max_connections: int, kubeconfig: str = "", *, has_credentials: bool = True) -> client.ApiClient:
    """Return a client with one bounded connection pool, configured by a kubeconfig when one is given, else in the cluster, else by the usual one.

    ``has_credentials``: false for one that knows where the API server is and says nothing of who asks.

    Raises:
        ConfigException: there is neither.
    """
    configuration = client.Configuration()
    configuration.connection_pool_maxsize = max_connections
    if kubeconfig or not _is_in_cluster(configuration):
        await config.load_kube_config(  # type: ignore[no-untyped-call]
            config_file=kubeconfig or KUBE_CONFIG_DEFAULT_LOCATION, client_configuration=configuration
        )
    if not has_credentials:
        _forget_credentials(configuration)
    return client.ApiClient(configuration)


def _forget_credentials(configuration: client.Configuration) -> None:
    # The API server believes a certificate before it looks at a token; and a cookie would go from one who asks to the next.
    configuration.cert_file = configuration.key_file = None
    configuration.username = configuration.password = configuration.access_token = None
    configuration.api_key = {}
    configuration.api_key_prefix = {}
    configuration.refresh_api_key_hook = None
    configuration.client_session_kwargs = {"cookie_jar": aiohttp.DummyCookieJar()}


def _is_in_cluster(configuration: client.Configuration) -> bool:
    try:
        config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    except ConfigException:
        return False
    return True


class Transport:
    """Sends requests to one API server."""

    def __init__(
        self,
        api: client.ApiClient,
        user_agent: str,
        timeout: aiohttp.ClientTimeout,
        count: Callable[[str, str], None] = lambda _verb, _code: None,
        date: Callable[[str | None], None] = lambda _date: None,
    ) -> None:
        """Take the client, what to be called, how long a call may take, and what to tell of each request and of the time.

        Of a request that is its verb (the HTTP method, or WATCH) and how it was answered: 2xx, 4xx, 5xx, or none; of the time, the Date of its answer.
        """
        self._api = api
        self._agent = user_agent
        self._timeout = timeout
        self._count = count
        self._date = date
        self._host = api.configuration.host.rstrip("/")

    async def send(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        timeout: aiohttp.ClientTimeout | None = None,  # noqa: ASYNC109 - handed to the HTTP client
        token: str = "",
    ) -> aiohttp.ClientResponse:
        """Send a request; return the answer, whatever its status, with its body still to be read.

        ``token``: a bearer token in the place of the client's own credentials.

        Raises:
            aiohttp.ClientError, TimeoutError, OSError: there was no answer.
        """
        if any(part in (".", "..") for part in path.split("/")):
            raise ValueError(
                f"not a path of the API server: {path}"
            )  # a name from elsewhere must not lead to another place
        url = self._host + quote(path) + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": accept, "Content-Type": content_type, "User-Agent": self._agent}
        if token:
            headers["Authorization"] = f"Bearer {token}"
        else:
            await self._api.update_params_for_auth(headers, [], ["BearerToken"], path, method, body)
        verb = "WATCH" if query and query.get("watch") == "true" else method
        code = "none"
        try:
            answer = await self._api.call_api(method, url, headers, body, _request_timeout=timeout or self._timeout)
            response: aiohttp.ClientResponse = answer.response
            code = f"{response.status // 100}xx"
            self._date(response.headers.get("Date"))
        finally:
            self._count(verb, code)
        return response

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        content_type: str = "application/json",
        token: str = "",
        most: int | None = None,
    ) -> bytes:
        """Send a request; return the body of the answer, if it has at most so many bytes. ``token`` as for ``send``.

        Raises:
            ApiError: the API server refused.
            TooLongError: there are more.
            aiohttp.ClientError, TimeoutError, OSError: there was no answer.
        """
        response = await self.send(method, path, query=query, body=body, content_type=content_type, token=token)
        data = await (response.read() if most is None else read_body(response, most))
        if response.status >= 400:
            raise error_of(response.status, data, response.headers.get("Retry-After"))
        return data


async def read_body(response: aiohttp.ClientResponse, most: int) -> bytes:
    """Return the body of an answer.

    Raises:
        TooLongError: it has more bytes than that; the rest is not read.
    """
    data = bytearray()
    async for chunk in response.content.iter_any():
        data += chunk
        if len(data) > most:
            response.close()
            raise TooLongError(f"more than {most} bytes")
    return bytes(data)


async def pages(ask: Callable[[int, str], Awaitable[KubeDict]], limit: int) -> AsyncIterator[KubeDict]:
    """Yield the pages of a LIST, of ``limit`` objects each or, where those would be too long, of fewer.

    Whoever may make objects in a namespace can make hundreds of more than a megabyte each, under any labels.

    Args:
        ask: asks for so many objects after a token (empty: from the first on); raises TooLongError when they are too long.
        limit: the most objects of a page.

    Raises:
        ApiError: the API server refused, or has a single object that is too long.
    """
    most, after = limit, ""
    while True:
        try:
            page = await ask(limit, after)
        except TooLongError as error:
            if limit == 1:
                raise ApiError(413, f"an object is too long to be read: {error}") from error
            most, limit = max(1, limit // 2), max(1, limit // 8)
            continue
        yield page
        after = (page.get("metadata") or {}).get("continue") or ""
        if not after:
            return
        del page
        limit = min(most, limit * 2)


async def lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Yield the lines of a stream without their ends, however long they are; an unfinished last one is dropped."""
    rest = bytearray()
    async for chunk in chunks:
        *ended, tail = chunk.split(b"\n")
        for part in ended:
            yield bytes(rest + part)
            rest.clear()
        rest += tail


def error_of(status: int, data: bytes, retry_after: str | None = None) -> ApiError:
    """Return the error that an answer of the API server tells."""
    try:
        value = loads(data)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        value = {}
    message = str(value.get("message") or data.decode(errors="replace")[:500])
    found = (value.get("details") or {}).get("causes") or []
    causes = tuple((str(c.get("field") or ""), str(c.get("message") or "")) for c in found)
    return ApiError(status, message, causes, int(retry_after) if retry_after and retry_after.isdecimal() else None)
